/* SPDX-License-Identifier: MIT
 *
 * Writes the uops of a planned function, in the order of the IR, and packs them into a Block.
 *
 * Destinations. The uop that computes a value writes up to two places. PUTs of the value further down are *claimed*
 * by it when nothing between notices: no way out of the instruction, no reader of the old content of the slot. So
 * `d = a + b; cc = d` is one uop. What is used longer than its slot keeps it gets a temporary as well.
 *
 * Parallel copies (`swap`) come out right by the plan: a GET whose slot is PUT before its last use was made a copy.
 *
 * Temporaries live from the uop that fills them to the position of their last use, then their number is free again.
 */
#include "interp/interp_emit.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

enum { CLAIM_WINDOW = 64 }; /* instructions looked through for PUTs of a value */

static bool grow(Emit *e, void *items, u32 *cap, u32 used, size_t size)
{
	if (!e->failed && (used >= 1u << 24 || !arena_grow(e->arena, items, cap, used, size)))
		e->failed = true;
	return !e->failed;
}

u32 emit_uop(Emit *e, UopKind kind, Dest dest, unsigned a, unsigned b, u64 imm)
{
	if (!grow(e, &e->uops, &e->uop_cap, e->uop_count, sizeof(Uop)) ||
	    !grow(e, &e->meta, &e->meta_cap, e->uop_count, sizeof(u32)))
		return 0;
	e->uops[e->uop_count] = (Uop){e->handlers[kind], dest.d, dest.d2, (u16)a, (u16)b, imm};
	e->meta[e->uop_count] = 0;
	return e->uop_count++;
}

static Dest split(u32 number)
{
	return (Dest){(u16)number, (u16)(number >> 16)};
}

static u16 file_zero(const Emit *e)
{
	return (u16)(e->plan.slot_count + FILE_ZERO);
}

static u16 file_dump(const Emit *e)
{
	return (u16)(e->plan.slot_count + FILE_DUMP);
}

/* ---- Temporaries ---- */

static u16 take_temp(Emit *e, u32 last)
{
	u16 temp;

	if (!grow(e, &e->lives, &e->life_cap, e->life_count, sizeof(TempLife)))
		return file_dump(e);
	if (e->free_count) {
		temp = e->free_temps[--e->free_count];
	} else if (e->next_temp < VCPU_TEMPS) {
		temp = (u16)(e->plan.slot_count + e->next_temp++);
	} else {
		e->failed = e->too_big = true;
		return file_dump(e);
	}
	e->lives[e->life_count] = (TempLife){temp, e->ends_at[last]};
	e->ends_at[last] = ++e->life_count;
	return temp;
}

static void end_temps(Emit *e, u32 at)
{
	for (u32 life = e->ends_at[at]; life; life = e->lives[life - 1].next)
		e->free_temps[e->free_count++] = e->lives[life - 1].temp;
}

/* ---- Values ---- */

/* Constants, and the pc slot of a guest block, which is always known. value may be NULL. */
bool emit_const(const Emit *e, IrRef ref, u64 *value)
{
	ref = interp_resolve(&e->plan, ref);
	if (ir_is_const(e->func, ref, value))
		return true;
	if (e->func->kind == IR_FUNC_BLOCK && ref < e->func->ins_count && e->func->ins[ref].op == IR_OP_GET &&
	    e->func->ins[ref].aux == 0) {
		if (value)
			*value = e->plan.pc_of[ref];
		return true;
	}
	return false;
}

u16 emit_operand(Emit *e, IrRef ref)
{
	u64 value;
	u16 temp;

	ref = interp_resolve(&e->plan, ref);
	if (!emit_const(e, ref, &value))
		return e->plan.values[ref].kind == VALUE_SLOT ? e->func->ins[ref].aux : e->plan.values[ref].where;
	if (!value)
		return file_zero(e);
	temp = take_temp(e, e->at);
	emit_uop(e, UOP_SET, (Dest){temp, temp}, 0, 0, value);
	return temp;
}

/* ---- Destinations ---- */

typedef struct SlotSet {
	u16 slots[CLAIM_WINDOW];
	u32 count;
} SlotSet;

static bool has_slot(const SlotSet *set, u16 slot)
{
	for (u32 i = 0; i < set->count; i++)
		if (set->slots[i] == slot)
			return true;
	return false;
}

/* Finds up to `most` PUTs of `ref` that its uop, standing at `at`, can do. `read`: a GET that this uop reads. */
static u32 find_claims(const Emit *e, IrRef ref, u32 at, IrRef read, u32 *puts, u32 most)
{
	u32 end = e->func->blocks[e->plan.owner[at]].end, count = 0;
	SlotSet touched = {.count = 0}; /* slots read or written between */

	if (end > at + CLAIM_WINDOW)
		end = at + CLAIM_WINDOW;
	for (u32 i = at + 1; i < end && count < most; i++) {
		const IrIns *ins = &e->func->ins[i];

		if (ins->op == IR_OP_INSN || (ir_op_info[ins->op].effects & (IR_EFFECT_EXIT | IR_EFFECT_END)))
			break;
		if (e->plan.values[i].kind == VALUE_DEAD)
			continue;
		if (ins->op == IR_OP_PUT && interp_resolve(&e->plan, ins->a) == ref && !has_slot(&touched, ins->aux) &&
		    e->read_until[ins->aux] <= at)
			puts[count++] = i;
		if ((ins->op == IR_OP_PUT || ins->op == IR_OP_GET) && i != read)
			touched.slots[touched.count++] = ins->aux;
	}
	return count;
}

static void keep_in_slot(Emit *e, u32 ref, u16 slot)
{
	Value *value = &e->plan.values[ref];

	value->where = slot;
	if (e->read_until[slot] < value->last)
		e->read_until[slot] = value->last;
}

/* Where the uop of value `ref` writes; sets the value's place for its users. */
static Dest choose_dest(Emit *e, u32 ref)
{
	Value *value = &e->plan.values[ref];
	u32 puts[2], claims = find_claims(e, ref, ref, IR_NONE, puts, 2);
	u16 slots[2];
	bool kept = false;

	if (!value->uses)
		return (Dest){value->where = file_dump(e), value->where};
	for (u32 i = 0; i < claims; i++) {
		slots[i] = e->func->ins[puts[i]].aux;
		if (!kept && value->last <= e->plan.values[puts[i]].barrier) {
			kept = true;
			keep_in_slot(e, ref, slots[i]);
		}
	}
	if (!kept && value->uses > claims) { /* somebody else needs it */
		value->where = take_temp(e, value->last);
		if (claims == 2)
			claims = 1;
		slots[claims] = value->where;
		for (u32 i = 0; i < claims; i++)
			e->claimed[puts[i]] = true;
		return (Dest){slots[0], claims ? slots[1] : slots[0]};
	}
	for (u32 i = 0; i < claims; i++)
		e->claimed[puts[i]] = true;
	return (Dest){slots[0], slots[claims - 1]};
}

static u16 choose_one(Emit *e, IrRef ref, IrRef read)
{
	Value *value = ref == IR_NONE ? NULL : &e->plan.values[ref];
	u32 put;

	if (!value || !value->uses)
		return file_dump(e);
	if (find_claims(e, ref, e->at, read, &put, 1)) {
		bool kept = value->last <= e->plan.values[put].barrier;
		u16 slot = e->func->ins[put].aux;

		if (kept)
			keep_in_slot(e, ref, slot);
		if (kept || value->uses == 1) {
			e->claimed[put] = true;
			return slot;
		}
	}
	return value->where = take_temp(e, value->last);
}

Dest emit_two(Emit *e, IrRef first, IrRef second, IrRef read)
{
	u16 d = choose_one(e, first, read);

	return (Dest){d, choose_one(e, second, read)};
}

/* Does the PUT behind this one store the same, so that one uop can do both? */
static bool pairs_with_next(const Emit *e, u32 at, IrRef value)
{
	const IrIns *next = &e->func->ins[at + 1]; /* an END op follows every PUT somewhere */

	return next->op == IR_OP_PUT && e->plan.values[at + 1].kind == VALUE_OP && !e->claimed[at + 1] &&
	       interp_resolve(&e->plan, next->a) == value;
}

static void emit_put(Emit *e, u32 at)
{
	const IrIns *ins = &e->func->ins[at];
	IrRef value = interp_resolve(&e->plan, ins->a);
	Dest dest = {ins->aux, ins->aux};
	u64 c;
	u16 from = 0;
	bool known = emit_const(e, value, &c);

	if (e->claimed[at])
		return;
	if (!known) {
		from = emit_operand(e, value);
		if (from == ins->aux)
			return;
	}
	if (pairs_with_next(e, at, value) && (known || ins[1].aux != from)) {
		dest.d2 = ins[1].aux;
		e->claimed[at + 1] = true;
	}
	if (known)
		emit_uop(e, UOP_SET, dest, 0, 0, c);
	else
		emit_uop(e, UOP_MOV, dest, from, 0, 0);
}

static void jump_to(Emit *e, u32 uop, u32 block)
{
	if (grow(e, &e->fixups, &e->fixup_cap, e->fixup_count, sizeof(Fixup)))
		e->fixups[e->fixup_count++] = (Fixup){uop, block};
}

/* ---- Memory and host ---- */

static const UopKind wrap_loads[] = {UOP_LOAD8_W, UOP_LOAD16_W, UOP_LOAD32_W, UOP_LOAD64_W};
static const UopKind cell_loads[] = {UOP_LOAD8, UOP_LOAD16, UOP_LOAD32, UOP_LOAD64};

_Static_assert(UOP_STORE_ANY - UOP_STORE8_W == UOP_LOAD_ANY - UOP_LOAD8_W, "stores stand like loads");

static UopKind pick_load(const Space *space, unsigned width)
{
	if (space->paged)
		return width == 8 ? UOP_LOADP8 : width == 16 ? UOP_LOADP16 : width == 32 ? UOP_LOADP32 :
		       width == 64 ? UOP_LOADP64 : UOP_LOAD_ANY;
	if (width == space->cell_bits)
		return space->wraps && space->attr_shift == 0 ? wrap_loads[space->cell_shift]
							      : cell_loads[space->cell_shift];
	if (space->cell_bits == 8)
		switch (width) {
		case 16: return UOP_LOADB16;
		case 32: return UOP_LOADB32;
		case 64: return UOP_LOADB64;
		default: break;
		}
	return UOP_LOAD_ANY;
}

/* The access at `at` with the range check in front of it: one uop, since all its numbers have 16 bits. */
static u32 emit_checked(Emit *e, bool store, Dest dest, unsigned space_offset)
{
	const Branch *check = e->check;
	u32 uop = emit_uop(e, store ? UOP_CHECKED_STORE16_W : UOP_CHECKED_LOAD16_W, dest, e->check_base, space_offset,
			   check->offset | check->lo << 16 | check->span << 32);

	jump_to(e, uop, e->check_out);
	e->check = NULL;
	return uop;
}

static void emit_access(Emit *e, u32 at)
{
	const IrIns *ins = &e->func->ins[at];
	unsigned number = ins->aux & ~(unsigned)IR_RAW, address_width = ir_width(e->func, ins->a);
	const Space *space = &e->plan.spaces[number];
	bool store = ins->op == IR_OP_STORE;
	IrRef address = interp_resolve(&e->plan, ins->a);
	u64 offset = 0;
	u16 base;
	Dest dest;
	UopKind kind;
	u32 uop;

	if (number >= e->plan.space_count || number * sizeof(Space) / 8 > 0xFFFF || ins->width % space->cell_bits) {
		e->failed = e->invalid = true;
		return;
	}
	if (e->check) {
		base = 0;
	} else if (emit_const(e, address, &offset)) {
		base = file_zero(e);
	} else if (address < e->func->ins_count && e->plan.values[address].kind == VALUE_ABSORBED) {
		base = emit_operand(e, e->func->ins[address].a);
		ir_is_const(e->func, e->func->ins[address].b, &offset);
	} else {
		base = emit_operand(e, address);
	}
	kind = pick_load(space, ins->width);
	if (interp_is_small(space, ins, address_width) && kind >= UOP_LOAD8 && kind <= UOP_LOAD64)
		kind += UOP_LOAD8_A32 - UOP_LOAD8;
	if (e->plan.values[at].is_signed)
		kind += UOP_LOADP8S - UOP_LOADP8;
	if (store) {
		kind += UOP_STORE8_W - UOP_LOAD8_W;
		dest = (Dest){emit_operand(e, ins->b), 0};
	} else {
		dest = choose_dest(e, at);
	}
	if (e->check)
		uop = emit_checked(e, store, dest, (unsigned)(number * (sizeof(Space) / 8)));
	else
		uop = emit_uop(e, kind, dest, base, (unsigned)(number * (sizeof(Space) / 8)), offset);
	if (!e->failed)
		e->meta[uop] = ins->width | address_width << META_ADDRESS_SHIFT | (ins->aux & IR_RAW ? META_RAW : 0) |
			       (e->plan.careful[e->plan.number[at]] ? META_CAREFUL : 0) |
			       (e->plan.values[at].is_signed ? META_SIGNED : 0) | number << META_SPACE_SHIFT;
}

static void emit_atomic(Emit *e, u32 at)
{
	const IrIns *ins = &e->func->ins[at];
	unsigned number = ir_atomic_space(ins), address_width = ir_width(e->func, ins->a);
	bool cas = ins->op == IR_OP_CAS;
	u64 imm = cas ? ATOMIC_CAS : (u64)ir_atomic_kind(ins);
	u16 address;
	u32 uop;

	if (number >= e->plan.space_count || number * sizeof(Space) / 8 > 0xFFFF ||
	    ins->width % e->plan.spaces[number].cell_bits) {
		e->failed = e->invalid = true;
		return;
	}
	address = emit_operand(e, ins->a);
	imm |= (u64)emit_operand(e, cas ? ins->c : ins->b) << 16;
	imm |= (u64)(cas ? emit_operand(e, ins->b) : file_zero(e)) << 32;
	uop = emit_uop(e, UOP_ATOMIC, choose_dest(e, at), address, (unsigned)(number * (sizeof(Space) / 8)), imm);
	if (!e->failed)
		e->meta[uop] = ins->width | address_width << META_ADDRESS_SHIFT | (ins->aux & IR_RAW ? META_RAW : 0) |
			       (e->plan.careful[e->plan.number[at]] ? META_CAREFUL : 0) | number << META_SPACE_SHIFT;
}

static void add_call_word(Emit *e, unsigned word)
{
	if (grow(e, &e->calls, &e->call_cap, e->call_count, sizeof(u16)))
		e->calls[e->call_count++] = (u16)word;
}

static void emit_host(Emit *e, u32 at)
{
	const IrIns *ins = &e->func->ins[at];
	u32 start = e->call_count;

	add_call_word(e, ins->aux);
	add_call_word(e, ins->width);
	add_call_word(e, ins->c);
	for (u32 i = 0; i < ins->c; i++)
		add_call_word(e, emit_operand(e, e->func->pool[ins->b + i]));
	emit_uop(e, UOP_HOST, ins->width ? choose_dest(e, at) : (Dest){file_dump(e), file_dump(e)}, 0, 0, start);
}

/* ---- Control ---- */

static void note_run(Emit *e, u32 at)
{
	InsnRun run = {e->uop_count, e->plan.number[at], e->plan.pc_of[at]};

	if (e->run_count && e->runs[e->run_count - 1].number == run.number && e->runs[e->run_count - 1].pc == run.pc)
		return;
	if (grow(e, &e->runs, &e->run_cap, e->run_count, sizeof(InsnRun)))
		e->runs[e->run_count++] = run;
}

/* A block that only raises stands behind all others, so that the usual way falls through. Nothing runs between the
 * branch and it, and it needs no temporaries: where it stands makes no difference to what it reads. */
static bool is_aside(const Emit *e, u32 block)
{
	const IrBlock *b = &e->func->blocks[block];
	unsigned op = e->func->ins[b->start].op;

	return block && b->end - b->start == 1 && (op == IR_OP_RAISE || op == IR_OP_ILLEGAL);
}

/* The IR block that will be emitted next after position `at`. */
static u32 next_block(const Emit *e, u32 at)
{
	u32 i = e->func->blocks[e->plan.owner[at]].end;

	while (i < e->func->ins_count && (e->inlined[e->plan.owner[i]] || is_aside(e, e->plan.owner[i]) ||
					  e->plan.number[i] == 0xFFFFFFFFu))
		i = e->func->blocks[e->plan.owner[i]].end;
	return i < e->func->ins_count ? e->plan.owner[i] : IR_NONE;
}

/* 0: may be chained freely; 1: look at what happened first; 2: always leave. */
static unsigned exit_class(const Emit *e, u32 at)
{
	return e->dirty ? 2 : e->plan.careful[e->plan.number[at]] ? 1 : 0;
}

/* The end of a guest block by a GOTO whose instruction is that at `at` (which may be the BR before it). */
static void emit_exit(Emit *e, u32 at, u64 pc)
{
	u32 index = e->exit_count, uop;

	if (!grow(e, &e->exits, &e->exit_cap, e->exit_count, sizeof(Exit)))
		return;
	uop = emit_uop(e, UOP_EXIT + exit_class(e, at), split(e->plan.number[at] + 1), index & 0xFFFF, index >> 16, 0);
	e->exits[e->exit_count++] = (Exit){.uop = uop, .pc = pc};
}

static void emit_goto(Emit *e, u32 at)
{
	const IrIns *ins = &e->func->ins[at];
	u64 pc;

	if (e->func->kind == IR_FUNC_HANDLER) {
		bool known = emit_const(e, ins->a, &pc);

		emit_uop(e, UOP_H_GOTO, (Dest){0, 0}, known ? file_zero(e) : emit_operand(e, ins->a), 0, known ? pc : 0);
	} else if (emit_const(e, ins->a, &pc)) {
		emit_exit(e, at, pc);
	} else {
		IrRef target = interp_resolve(&e->plan, ins->a);
		u64 mask = ~(u64)0;
		u16 a;

		if (target < e->func->ins_count && e->plan.values[target].kind == VALUE_ABSORBED) {
			ir_is_const(e->func, e->func->ins[target].b, &mask);
			target = e->func->ins[target].a;
		}
		a = emit_operand(e, target);
		emit_uop(e, UOP_JUMP + exit_class(e, at), split(e->plan.number[at] + 1), a, 0, mask);
	}
}

/* An end with a number: RAISE, STOP, RET. */
static void emit_end(Emit *e, u32 at, UopKind kind, Dest dest)
{
	const IrIns *ins = &e->func->ins[at];
	u64 value = 0;
	bool known = ins->a == IR_NONE || emit_const(e, ins->a, &value);

	emit_uop(e, kind, dest, known ? file_zero(e) : emit_operand(e, ins->a), 0, value);
}

static void emit_stop(Emit *e, u32 at)
{
	const IrBlock *block = &e->func->blocks[e->plan.owner[at]];
	u16 pc_set = 0;

	if (e->func->kind == IR_FUNC_HANDLER) {
		emit_end(e, at, UOP_H_STOP, (Dest){0, 0});
		return;
	}
	for (u32 i = at; i-- > block->start && e->func->ins[i].op != IR_OP_INSN;)
		if (e->func->ins[i].op == IR_OP_PUT && e->func->ins[i].aux == 0)
			pc_set = 1;
	emit_end(e, at, UOP_STOP, (Dest){pc_set, (u16)e->plan.length_of[at]});
}

static void emit_jmp(Emit *e, u32 at)
{
	const IrIns *ins = &e->func->ins[at];
	const IrBlock *target = &e->func->blocks[ins->a];

	/* Parameters get their place at the first edge, while all arguments live: so copies never overlap. */
	for (u32 i = 0; i < ins->c; i++) {
		Value *param = &e->plan.values[target->start + i];

		if (param->kind == VALUE_PARAM && !param->where)
			param->where = take_temp(e, param->last);
	}
	for (u32 i = 0; i < ins->c; i++) {
		const Value *param = &e->plan.values[target->start + i];
		IrRef arg = e->func->pool[ins->b + i];
		u64 c;

		if (param->kind != VALUE_PARAM)
			continue;
		if (emit_const(e, arg, &c))
			emit_uop(e, UOP_SET, (Dest){param->where, param->where}, 0, 0, c);
		else
			emit_uop(e, UOP_MOV, (Dest){param->where, param->where}, emit_operand(e, arg), 0, 0);
	}
	if (next_block(e, at) != ins->a)
		jump_to(e, emit_uop(e, UOP_JMP, (Dest){0, 0}, 0, 0, 0), ins->a);
}

static void inline_exit(Emit *e, u32 at, u32 block)
{
	u64 pc = 0;

	ir_is_const(e->func, e->func->ins[e->func->blocks[block].start].a, &pc);
	emit_exit(e, at, pc);
	e->inlined[block] = true;
}

/* Both arms behind the jump `uop`, which goes to `yes`: falls through to `no`. */
static void emit_arms(Emit *e, u32 at, u32 uop, u32 yes, u32 no)
{
	jump_to(e, uop, yes);
	if (interp_exit_only(&e->plan, no))
		inline_exit(e, at, no);
	else if (next_block(e, at) != no)
		jump_to(e, emit_uop(e, UOP_JMP, (Dest){0, 0}, 0, 0, 0), no);
}

/* May the access that block `in` starts with take over the check? It must be all that needs the checked number. */
static bool hand_over_check(Emit *e, u32 at, const Branch *branch, u32 in, u32 out)
{
	const IrBlock *block = &e->func->blocks[in];
	const IrIns *ins;
	u32 i = block->start;
	unsigned number;

	if (next_block(e, at) != in || ir_width(e->func, branch->tested) != 16)
		return false;
	while (i < block->end && (e->plan.values[i].kind == VALUE_DEAD || e->plan.values[i].kind == VALUE_SLOT))
		i++;
	ins = &e->func->ins[i];
	if (i == block->end || (ins->op != IR_OP_LOAD && ins->op != IR_OP_STORE) || ins->a != branch->tested ||
	    (ins->op == IR_OP_STORE && emit_const(e, ins->b, NULL)))
		return false;
	number = ins->aux & ~(unsigned)IR_RAW;
	if (number >= e->plan.space_count || pick_load(&e->plan.spaces[number], ins->width) != UOP_LOAD16_W)
		return false;
	if (branch->base == IR_NONE) {
		e->check_base = emit_operand(e, branch->tested);
	} else if (e->plan.values[branch->tested].last == i && e->plan.values[branch->tested].uses == 3) { /* twice tested */
		e->check_base = emit_operand(e, branch->base);
	} else {
		return false;
	}
	e->check = branch;
	e->check_out = out;
	return true;
}

static void emit_range(Emit *e, u32 at, const Branch *branch)
{
	const IrIns *ins = &e->func->ins[at];
	u32 out = branch->inside ? ins->c : ins->b, in = branch->inside ? ins->b : ins->c, uop;

	if (hand_over_check(e, at, branch, in, out))
		return;
	if (branch->base != IR_NONE) {
		u16 base = emit_operand(e, branch->base);
		Value *sum = &e->plan.values[branch->tested];

		sum->where = sum->last > at ? take_temp(e, sum->last) : file_dump(e);
		uop = emit_uop(e, UOP_RANGE16, (Dest){sum->where, 0}, base, 0,
			       branch->offset | branch->lo << 16 | branch->span << 32);
	} else {
		uop = emit_uop(e, UOP_RANGE32, (Dest){0, 0}, emit_operand(e, branch->tested), 0,
			       branch->lo | branch->span << 32);
	}
	emit_arms(e, at, uop, out, in);
}

static void emit_br(Emit *e, u32 at)
{
	const IrIns *ins = &e->func->ins[at];
	const Branch *branch = &e->plan.branches[e->plan.owner[at]];
	u32 yes = ins->b, no = ins->c;
	Compare compare;

	if (branch->kind == BRANCH_RANGE) {
		emit_range(e, at, branch);
		return;
	}
	compare = branch->kind == BRANCH_COMPARE ? emit_compare(e, &e->func->ins[branch->tested])
						 : emit_truth(e, branch->tested);
	if (e->func->kind == IR_FUNC_BLOCK && interp_exit_only(&e->plan, yes) && interp_exit_only(&e->plan, no) &&
	    exit_class(e, at) == 0) {
		emit_uop(e, UOP_X_EQ_RR + compare.kind, (Dest){0, 0}, compare.a, compare.b, compare.imm);
		inline_exit(e, at, yes);
		inline_exit(e, at, no);
		return;
	}
	/* Fall through to the arm that comes next, or to an exit that can stand right here. */
	if (next_block(e, at) == yes || (interp_exit_only(&e->plan, yes) && next_block(e, at) != no)) {
		compare = emit_opposite(compare);
		yes = ins->c;
		no = ins->b;
	}
	emit_arms(e, at, emit_uop(e, UOP_J_EQ_RR + compare.kind, (Dest){0, 0}, compare.a, compare.b, compare.imm), yes,
		  no);
}

static void emit_insn(Emit *e, u32 at)
{
	u32 number = e->plan.number[at];
	u64 pc = e->plan.pc_of[at];

	note_run(e, at);
	if (number && e->plan.careful[number - 1])
		emit_uop(e, UOP_CHECK, split(number), 0, 0, pc);
	if (e->plan.careful[number] && !e->plan.single)
		emit_uop(e, UOP_MARK, split(number), 0, 0, pc);
}

static void emit_instruction(Emit *e, u32 at)
{
	const IrIns *ins = &e->func->ins[at];
	Value *value = &e->plan.values[at];

	if (value->kind == VALUE_SLOT || value->kind == VALUE_COPY) {
		if (value->kind == VALUE_COPY) {
			value->where = take_temp(e, value->last);
			emit_uop(e, UOP_MOV, (Dest){value->where, value->where}, ins->aux, 0, 0);
		} else if (e->read_until[ins->aux] < value->last) {
			e->read_until[ins->aux] = value->last;
		}
		return;
	}
	if (value->kind == VALUE_PAIRED && value->at == at)
		emit_pair(e, at);
	if (value->kind != VALUE_OP)
		return;
	switch (ins->op) {
	case IR_OP_ARG: value->where = (u16)(e->plan.slot_count + FILE_TEMPS + ins->aux); break;
	case IR_OP_PUT: emit_put(e, at); break;
	case IR_OP_LOAD: case IR_OP_STORE: emit_access(e, at); break;
	case IR_OP_RMW: case IR_OP_CAS: emit_atomic(e, at); break;
	case IR_OP_FENCE: break; /* vCPUs take turns on one thread of the host */
	case IR_OP_HOST: emit_host(e, at); break;
	case IR_OP_INSN: emit_insn(e, at); break;
	case IR_OP_JMP: emit_jmp(e, at); break;
	case IR_OP_BR: emit_br(e, at); break;
	case IR_OP_GOTO: emit_goto(e, at); break;
	case IR_OP_RAISE:
		emit_end(e, at, e->func->kind == IR_FUNC_HANDLER ? UOP_H_RAISE : UOP_RAISE, (Dest){0, 0});
		break;
	case IR_OP_ILLEGAL: emit_uop(e, UOP_ILLEGAL, (Dest){0, 0}, 0, 0, 0); break;
	case IR_OP_STOP: emit_stop(e, at); break;
	case IR_OP_RET: emit_end(e, at, UOP_RET, (Dest){0, 0}); break;
	default: emit_pure(e, ins, choose_dest(e, at)); break;
	}
}

static void begin_block(Emit *e, u32 at)
{
	e->place[e->plan.owner[at]] = e->uop_count;
	if (e->plan.number[at] != 0xFFFFFFFFu)
		note_run(e, at);
}

static void emit_function(Emit *e)
{
	for (u32 i = 0; i < e->func->ins_count && !e->failed; i++) {
		u32 block = e->plan.owner[i];

		e->at = i;
		if (!e->inlined[block] && !is_aside(e, block)) {
			if (i == e->func->blocks[block].start)
				begin_block(e, i);
			emit_instruction(e, i);
		}
		end_temps(e, i);
	}
	for (u32 o = 0; o < e->plan.order_count && !e->failed; o++) {
		u32 start = e->func->blocks[e->plan.order[o]].start;

		if (is_aside(e, e->plan.order[o])) {
			e->at = start;
			begin_block(e, start);
			emit_instruction(e, start);
		}
	}
	for (u32 i = 0; i < e->fixup_count && !e->failed; i++) {
		Uop *uop = &e->uops[e->fixups[i].uop];
		u32 to = e->place[e->fixups[i].block];

		u32 distance = to - e->fixups[i].uop;
		bool checked = uop->handler == e->handlers[UOP_CHECKED_LOAD16_W] ||
			       uop->handler == e->handlers[UOP_CHECKED_STORE16_W];

		if (checked || uop->handler == e->handlers[UOP_RANGE16]) {
			if (distance > 0xFFFF)
				e->failed = e->too_big = true;
			if (checked)
				uop->imm |= (u64)distance << 48;
			else
				uop->d2 = (u16)distance;
		} else {
			uop->d = (u16)to;
			uop->d2 = (u16)(to >> 16);
		}
	}
}

static void *place_part(u8 **at, size_t size)
{
	void *part = *at;

	*at += (size + 15) & ~(size_t)15;
	return part;
}

static size_t padded(size_t size)
{
	return (size + 15) & ~(size_t)15;
}

/* One allocation: header, uops, then the tables. */
static Block *pack(Engine *engine, const Emit *e)
{
	size_t bytes = padded(sizeof(Block) + e->uop_count * sizeof(Uop)) + padded(e->uop_count * sizeof(u32)) +
		       padded(e->exit_count * sizeof(Exit)) + padded(e->run_count * sizeof(InsnRun)) +
		       padded(e->call_count * sizeof(u16));
	Block *block = calloc(1, bytes);
	u8 *at;

	if (!block)
		return NULL;
	at = (u8 *)block + padded(sizeof(Block) + e->uop_count * sizeof(Uop));
	block->bytes = bytes;
	block->uop_count = e->uop_count;
	block->exit_count = e->exit_count;
	block->run_count = e->run_count;
	block->temps = e->next_temp;
	block->single = e->plan.single;
	block->dirty = e->dirty;
	memcpy(block->uops, e->uops, e->uop_count * sizeof(Uop));
	block->meta = place_part(&at, e->uop_count * sizeof(u32));
	memcpy(block->meta, e->meta, e->uop_count * sizeof(u32));
	block->exits = place_part(&at, e->exit_count * sizeof(Exit));
	for (u32 i = 0; i < e->exit_count; i++) {
		block->exits[i] = e->exits[i];
		block->exits[i].owner = block;
		block->uops[e->exits[i].uop].imm = (u64)(uintptr_t)engine->nowhere;
	}
	block->runs = place_part(&at, e->run_count * sizeof(InsnRun));
	if (e->run_count)
		memcpy(block->runs, e->runs, e->run_count * sizeof(InsnRun));
	block->calls = place_part(&at, e->call_count * sizeof(u16));
	if (e->call_count)
		memcpy(block->calls, e->calls, e->call_count * sizeof(u16));
	return block;
}

Status interp_lower(Engine *engine, const Vcpu *vcpu, const IrFunc *func, bool single, bool dirty, Arena *arena,
		    Block **out)
{
	Emit e = {.func = func, .arena = arena, .handlers = interp_handlers(), .dirty = dirty};
	Status status;

	*out = NULL;
	e.plan = (Plan){.func = func, .arena = e.arena, .spaces = vcpu->spaces, .space_count = vcpu->space_count,
			.slot_count = vcpu->slot_count, .single = single};
	if ((u64)vcpu->slot_count + VCPU_TEMPS > 0xFFFF || func->args > VCPU_TEMPS / 2)
		return STATUS_TOO_BIG;
	status = interp_plan(&e.plan);
	if (status)
		return status;
	e.next_temp = FILE_TEMPS + func->args;
	e.place = ARENA_ARRAY(e.arena, u32, func->block_count);
	e.inlined = ARENA_ARRAY(e.arena, bool, func->block_count);
	e.claimed = ARENA_ARRAY(e.arena, bool, func->ins_count + 1);
	e.read_until = ARENA_ARRAY(e.arena, u32, vcpu->slot_count + 1);
	e.free_temps = ARENA_ARRAY(e.arena, u16, VCPU_TEMPS);
	e.ends_at = ARENA_ARRAY(e.arena, u32, func->ins_count + 1);
	if (!e.place || !e.inlined || !e.claimed || !e.read_until || !e.free_temps || !e.ends_at)
		return STATUS_NOMEM;
	emit_function(&e);
	if (e.failed)
		return e.too_big ? STATUS_TOO_BIG : e.invalid ? STATUS_INVALID : STATUS_NOMEM;
	*out = pack(engine, &e);
	return *out ? STATUS_OK : STATUS_NOMEM;
}
