/* SPDX-License-Identifier: MIT
 *
 * From the IR of a block to x86-64, in one pass forward after one that looks.
 *
 *     analyse    who uses what until when; which values are looked through; which go straight into a pinned register
 *     emit       each operation where it stands; the ways out behind, as stubs
 *
 * Values live no longer than their guest instruction, so there is little to allocate: two registers, then memory behind
 * the slots. What is looked through: ZX always (values are held zero-extended), EXTRACT of the low 32 bits (or of the
 * bits of a shift count) when each user takes no more of its operand anyway. A LOAD with a SX behind it is one move.
 *
 * An access to the paged space is plain when its page has the right, no mark, and it does not cross pages (one that is
 * not aligned is looked at aside); any other is left to the cold engine, and so is each operation that touches the world.
 */
#include "jit/x64/x64_code.h"

#include <stdlib.h>
#include <string.h>

const u8 x64_temp_regs[X64_TEMPS] = { X64_R13, X64_R15 };
const u8 x64_pin_regs[JIT_PINS] = { X64_RSI, X64_RDI, X64_R8, X64_R9, X64_R10, X64_R11, X64_R12 };

/* Behind rsp while compiled code runs. */
enum { AT_OPERATION = X64_AT_OPERATION, AT_JUMPS = 8, AT_ATTR = 16, AT_FRAME = 24, STACK_BYTES = 40 };

i32 x64_slot(u32 slot)
{
	return (i32)(slot * 8) - 128;
}

static const IrIns *ins_of(const X64Code *c, IrRef ref)
{
	return ref & IR_CONST_BIT ? NULL : &c->func->ins[ref];
}

/* ---- Common code ---- */

static bool start(Engine *engine)
{
	X64Buf x = { engine->rw, engine->rw, engine->rw + 4096, false };
	static const u8 saved[] = { X64_RBX, X64_RBP, X64_R12, X64_R13, X64_R14, X64_R15 };
	static const u8 volatile_pins[] = { X64_RSI, X64_RDI, X64_R8, X64_R9, X64_R10, X64_R11 };
	X64Mem frame = x64_at(X64_RDI, 0);
	u8 *site;

	engine->enter = 0;
	engine->has_fma = __builtin_cpu_supports("fma");
	for (unsigned i = 0; i < 6; i++)
		x64_push(&x, saved[i]);
	x64_alu_imm(&x, X64_SUB, 64, X64_RSP, STACK_BYTES);
	x64_store(&x, 64, x64_at(X64_RSP, AT_FRAME), X64_RDI);
#define FIELD(member) (frame.disp = (i32)offsetof(JitFrame, member), frame)
	x64_load(&x, 64, X64_RAX, FIELD(attr));
	x64_store(&x, 64, x64_at(X64_RSP, AT_ATTR), X64_RAX);
	x64_load(&x, 64, X64_RAX, FIELD(jumps));
	x64_store(&x, 64, x64_at(X64_RSP, AT_JUMPS), X64_RAX);
	x64_load(&x, 64, X64_RBP, FIELD(slots));
	x64_alu_imm(&x, X64_SUB, 64, X64_RBP, -128);
	x64_load(&x, 64, X64_RBX, FIELD(memory));
	x64_load(&x, 64, X64_R14, FIELD(left));
	x64_load(&x, 64, X64_RAX, FIELD(code));
	/* The host's rounding and flags are put aside; the guest's flags gather in clean ones. */
	x64_reg_mem(&x, 0, false, 0x0FAE, 3, FIELD(host_mxcsr), false);
	x64_store_imm(&x, 32, x64_at(X64_RSP, AT_OPERATION), X64_MXCSR);
	x64_reg_mem(&x, 0, false, 0x0FAE, 2, x64_at(X64_RSP, AT_OPERATION), false);
#undef FIELD
	for (u32 i = 0; i < engine->pin_count; i++)
		x64_load(&x, 64, x64_pin_regs[i], x64_at(X64_RBP, x64_slot(engine->pinned[i])));
	x64_jmp_reg(&x, X64_RAX);

	engine->leave = (u32)(x.at - x.start); /* eax: what enter gives */
	for (u32 i = 0; i < engine->pin_count; i++)
		x64_store(&x, 64, x64_at(X64_RBP, x64_slot(engine->pinned[i])), x64_pin_regs[i]);
	x64_load(&x, 64, X64_RCX, x64_at(X64_RSP, AT_FRAME));
	x64_store(&x, 64, x64_at(X64_RCX, (i32)offsetof(JitFrame, left)), X64_R14);
	x64_reg_mem(&x, 0, false, 0x0FAE, 3, x64_at(X64_RCX, (i32)offsetof(JitFrame, mxcsr)), false);
	x64_reg_mem(&x, 0, false, 0x0FAE, 2, x64_at(X64_RCX, (i32)offsetof(JitFrame, host_mxcsr)), false);
	x64_alu_imm(&x, X64_ADD, 64, X64_RSP, STACK_BYTES);
	for (unsigned i = 6; i-- > 0;)
		x64_pop(&x, saved[i]);
	x64_ret(&x);

	engine->miss = (u32)(x.at - x.start); /* rax: the pc of a computed jump that the table does not know */
	x64_store(&x, 64, x64_at(X64_RBP, x64_slot(0)), X64_RAX);
	x64_mov_imm(&x, X64_RAX, 0xFFFFFFFFu);
	site = x64_jmp(&x);
	x64_patch(site, x.start + engine->leave);

	engine->evaluate = (u32)(x.at - x.start); /* rax, rcx, rdx: a, b, c; [rsp + AT_OPERATION]: which */
	for (unsigned i = 0; i < 6; i++)
		x64_push(&x, volatile_pins[i]);
	x64_alu_imm(&x, X64_SUB, 64, X64_RSP, 8);
	x64_load(&x, 64, X64_RDI, x64_at(X64_RSP, 64 + AT_OPERATION));
	x64_mov(&x, 64, X64_RSI, X64_RAX);
	x64_mov(&x, 64, X64_RAX, X64_RDX);
	x64_mov(&x, 64, X64_RDX, X64_RCX);
	x64_mov(&x, 64, X64_RCX, X64_RAX);
	x64_mov_imm(&x, X64_RAX, (u64)(uintptr_t)engine->evaluator);
	x64_call_reg(&x, X64_RAX);
	x64_alu_imm(&x, X64_ADD, 64, X64_RSP, 8);
	for (unsigned i = 6; i-- > 0;)
		x64_pop(&x, volatile_pins[i]);
	x64_ret(&x);
	engine->used = ((u32)(x.at - x.start) + 63u) & ~63u;
	return !x.full;
}

static u32 enter(Engine *engine, JitFrame *frame, const JitBlock *block)
{
	u32 (*go)(JitFrame *frame), number;
	const u8 *code = engine->rx + engine->enter;

	memcpy(&go, &code, sizeof go);
	frame->code = engine->rx + block->entry;
	number = go(frame);
	if (engine->flags_slot)
		frame->slots[engine->flags_slot] |= x64_flags_of_mxcsr[frame->mxcsr & 0x3F];
	return number;
}

static void link_exit(Engine *engine, JitExit *exit, const JitBlock *target)
{
	x64_patch(engine->rw + exit->site, engine->rw + (target ? target->entry : exit->stub));
}

/* ---- Analysis ---- */

IrRef x64_resolve(const X64Code *c, IrRef ref)
{
	while (!(ref & IR_CONST_BIT) && c->values[ref].kind == PLACE_NONE && c->values[ref].skip &&
	       (c->func->ins[ref].op == IR_OP_ZX || c->func->ins[ref].op == IR_OP_EXTRACT))
		ref = c->func->ins[ref].a;
	return ref;
}

unsigned x64_operands(const IrFunc *func, const IrIns *ins, IrRef *out)
{
	switch (ir_op_info[ins->op].shape) {
	case IR_SHAPE_LEAF: case IR_SHAPE_NONE: case IR_SHAPE_MARK: case IR_SHAPE_FENCE:
		return 0;
	case IR_SHAPE_BIN: case IR_SHAPE_SHIFT: case IR_SHAPE_CAT: case IR_SHAPE_CMP: case IR_SHAPE_STORE: case IR_SHAPE_RMW:
		out[0] = ins->a;
		out[1] = ins->b;
		return 2;
	case IR_SHAPE_SEL: case IR_SHAPE_CAS:
		out[0] = ins->a;
		out[1] = ins->b;
		out[2] = ins->c;
		return 3;
	case IR_SHAPE_JMP: case IR_SHAPE_HOST:
		for (u32 i = 0; i < ins->c && i < 16; i++)
			out[i] = func->pool[ins->b + i];
		return ins->c < 16 ? ins->c : 16;
	case IR_SHAPE_BR: case IR_SHAPE_RET:
		out[0] = ins->a;
		return 1;
	default: {
		unsigned count = ir_float_operands((IrOp)ins->op);

		out[0] = ins->a;
		out[1] = ins->b;
		out[2] = ins->c;
		return count ? count : 1;
	}
	}
}

/* Does operand `index` of `user` take the low `width` bits of it alone? */
static bool takes_low(const X64Code *c, const IrIns *user, unsigned index, unsigned width)
{
	switch (user->op) {
	case IR_OP_ADD: case IR_OP_SUB: case IR_OP_MUL: case IR_OP_AND: case IR_OP_OR: case IR_OP_XOR:
		return width == 32 && user->width == 32;
	case IR_OP_SHL: case IR_OP_SHR: case IR_OP_SAR: case IR_OP_ROL: case IR_OP_ROR:
		if (index == 1)
			return (user->width == 64 && width == 6) || (user->width == 32 && width == 5);
		return width == 32 && user->width == 32;
	case IR_OP_DIVS: case IR_OP_DIVU: case IR_OP_REMS: case IR_OP_REMU:
		return width == 32 && user->width == 32;
	case IR_OP_EQ: case IR_OP_NE: case IR_OP_LTS: case IR_OP_LES: case IR_OP_LTU: case IR_OP_LEU:
		return width == 32;
	case IR_OP_SX:
		return width == 8 || width == 16 || width == 32;
	case IR_OP_STORE:
		return index == 1 && (width == 8 || width == 16 || width == 32) && width == ir_width(c->func, user->b);
	default:
		return false;
	}
}

static bool is_compare(const IrIns *ins)
{
	return ins->op >= IR_OP_EQ && ins->op <= IR_OP_LEU;
}

static bool is_paged(const X64Code *c, const IrIns *ins)
{
	return ins->aux == c->engine->env.code_space && c->engine->env.paged;
}

static bool supported(const X64Code *c, const IrIns *ins)
{
	switch (ins->op) {
	case IR_OP_LOAD: case IR_OP_STORE: {
		unsigned width = ins->op == IR_OP_LOAD ? ins->width : ir_width(c->func, ins->b);

		return is_paged(c, ins) && (width == 8 || width == 16 || width == 32 || width == 64);
	}
	case IR_OP_FENCE:
		return true;
	case IR_OP_JMP: case IR_OP_BR: case IR_OP_GOTO: case IR_OP_RAISE: case IR_OP_ILLEGAL:
		return true; /* whoever raises leaves for the cold engine, and has changed nothing */
	case IR_OP_STOP:
		return false; /* that comes behind the PUTs */
	default:
		return !(ir_op_info[ins->op].effects & (IR_EFFECT_READ | IR_EFFECT_WRITE | IR_EFFECT_EXIT));
	}
}

static void use(X64Code *c, IrRef ref, u32 at)
{
	ref = x64_resolve(c, ref);
	if (ref & IR_CONST_BIT)
		return;
	c->values[ref].uses++;
	if (at > c->values[ref].last)
		c->values[ref].last = at;
}

static void look_through(X64Code *c)
{
	const IrFunc *func = c->func;

	for (u32 i = 0; i < func->ins_count; i++)
		c->values[i].skip = func->ins[i].op == IR_OP_ZX ||
				    (func->ins[i].op == IR_OP_EXTRACT && func->ins[i].aux == 0);
	for (u32 i = 0; i < func->ins_count; i++) {
		IrRef refs[16];
		unsigned count = x64_operands(func, &func->ins[i], refs);

		for (unsigned k = 0; k < count; k++)
			if (!(refs[k] & IR_CONST_BIT) && func->ins[refs[k]].op == IR_OP_EXTRACT &&
			    !takes_low(c, &func->ins[i], k, func->ins[refs[k]].width))
				c->values[refs[k]].skip = false;
	}
}

/* A LOAD whose only use is the SX right behind. */
static void join_extensions(X64Code *c)
{
	for (u32 i = 1; i < c->func->ins_count; i++) {
		const IrIns *ins = &c->func->ins[i];
		IrRef from;

		if (ins->op != IR_OP_SX || ins->width != 64 || (ins->a & IR_CONST_BIT))
			continue;
		from = ins->a;
		if (c->func->ins[from].op == IR_OP_LOAD && c->values[from].uses == 1 && supported(c, &c->func->ins[from])) {
			c->values[from].into = i;
			c->values[i].skip = true;
		}
	}
}

/* The PUT at `at`: may its value be computed into the pinned register right away? Not when anything between can leave the
 * instruction or still reads the old content. */
static void try_claim(X64Code *c, u32 at, u32 block_start)
{
	const IrIns *put = &c->func->ins[at];
	IrRef ref = x64_resolve(c, put->a);
	u32 from;

	if ((ref & IR_CONST_BIT) || c->engine->pin_of[put->aux] == JIT_NO_PIN || c->values[ref].claim ||
	    c->func->ins[ref].op == IR_OP_GET || c->func->ins[ref].op == IR_OP_PARAM)
		return;
	from = ref;
	if (c->func->ins[ref].op == IR_OP_SX && c->values[ref].skip)
		from = c->func->ins[ref].a; /* a LOAD gives it */
	if (from < block_start)
		return;
	for (u32 i = from + 1; i < at; i++) {
		const IrIns *ins = &c->func->ins[i];

		if (ins->op == IR_OP_INSN || (ir_op_info[ins->op].effects & IR_EFFECT_EXIT) ||
		    (ins->op == IR_OP_PUT && ins->aux == put->aux))
			return;
	}
	/* GETs of the slot, in this instruction, that are used behind. */
	for (u32 i = at; i-- > 0 && c->func->ins[i].op != IR_OP_INSN;)
		if (c->func->ins[i].op == IR_OP_GET && c->func->ins[i].aux == put->aux && c->values[i].last > from)
			return;
	c->values[ref].claim = at;
}

/* Is the slot written between the GET and its last use? Then the GET is a copy. */
static bool is_overwritten(const X64Code *c, u32 get)
{
	u16 slot = c->func->ins[get].aux;

	for (u32 i = get + 1; i < c->values[get].last; i++)
		if (c->func->ins[i].op == IR_OP_PUT && c->func->ins[i].aux == slot)
			return true;
	return false;
}

static void analyse(X64Code *c)
{
	const IrFunc *func = c->func;
	u32 block_start = 0;

	look_through(c);
	for (u32 i = 0; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];
		IrRef refs[16];
		unsigned count = x64_operands(func, ins, refs);

		if (c->values[i].skip && (ins->op == IR_OP_ZX || ins->op == IR_OP_EXTRACT))
			continue;
		for (unsigned k = 0; k < count; k++)
			use(c, refs[k], i);
	}
	/* A compare that only the branch behind it wants sets the flags for it. */
	for (u32 i = 1; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];
		IrRef refs[16];

		if (ins->op != IR_OP_BR || (ins->a & IR_CONST_BIT) || !is_compare(&func->ins[ins->a]) ||
		    c->values[ins->a].uses != 1 || ir_width(func, func->ins[ins->a].a) > 64)
			continue;
		c->values[ins->a].skip = true;
		for (unsigned k = x64_operands(func, &func->ins[ins->a], refs); k-- > 0;) {
			IrRef ref = x64_resolve(c, refs[k]);

			if (!(ref & IR_CONST_BIT) && i > c->values[ref].last)
				c->values[ref].last = i;
		}
	}
	join_extensions(c);
	x64_match_flags(c);
	/* The base of an address lives until the access. */
	for (u32 i = 0; i < func->ins_count; i++) {
		if (c->block_at[i] != IR_NONE)
			block_start = i;
		if (func->ins[i].op == IR_OP_PUT)
			try_claim(c, i, block_start);
	}
}

/* ---- Places ---- */

static void release(X64Code *c, IrRef ref)
{
	Value *value;

	ref = x64_resolve(c, ref);
	if (ref & IR_CONST_BIT)
		return;
	value = &c->values[ref];
	if (value->last != c->at || value->kind == PLACE_NONE)
		return;
	for (unsigned i = 0; i < X64_TEMPS; i++)
		if (value->kind == PLACE_REG && value->reg == x64_temp_regs[i])
			c->temp_used[i] = false;
	if (value->kind == PLACE_MEMORY && value->disp >= x64_slot(c->engine->slot_count))
		c->spill_used[(value->disp - x64_slot(c->engine->slot_count)) / 8 - 2] = false;
}

/* A place for value `at`; computed there or, when it is in memory, in rax. */
static u8 choose_place(X64Code *c, u32 at)
{
	Value *value = &c->values[at];

	if (value->claim) {
		value->kind = PLACE_PIN;
		value->reg = x64_pin_regs[c->engine->pin_of[c->func->ins[value->claim].aux]];
		return value->reg;
	}
	for (unsigned i = 0; i < X64_TEMPS; i++)
		if (!c->temp_used[i]) {
			c->temp_used[i] = true;
			value->kind = PLACE_REG;
			return value->reg = x64_temp_regs[i];
		}
	for (unsigned i = 0; i < X64_SPILLS; i++)
		if (!c->spill_used[i]) {
			c->spill_used[i] = true;
			value->kind = PLACE_MEMORY;
			value->disp = x64_slot(c->engine->slot_count) + (i32)(i + 2) * 8;
			return X64_RAX;
		}
	c->unsupported = true;
	return X64_RAX;
}

static void settle(X64Code *c, u32 at, u8 reg)
{
	if (c->values[at].kind == PLACE_MEMORY)
		x64_store(&c->x, 64, x64_at(X64_RBP, c->values[at].disp), reg);
	else if (c->values[at].reg != reg)
		x64_mov(&c->x, 64, c->values[at].reg, reg);
}

bool x64_in_memory(const X64Code *c, IrRef ref, X64Mem *mem)
{
	ref = x64_resolve(c, ref);
	if ((ref & IR_CONST_BIT) || c->values[ref].kind != PLACE_MEMORY)
		return false;
	*mem = x64_at(X64_RBP, c->values[ref].disp);
	return true;
}

u8 x64_in(X64Code *c, IrRef ref, u8 scratch)
{
	X64Mem mem;
	u64 number;

	ref = x64_resolve(c, ref);
	if (ir_is_const(c->func, ref, &number)) {
		x64_mov_imm(&c->x, scratch, number);
		return scratch;
	}
	if (x64_in_memory(c, ref, &mem)) {
		x64_load(&c->x, 64, scratch, mem);
		return scratch;
	}
	if (c->values[ref].kind == PLACE_NONE)
		c->unsupported = true;
	return c->values[ref].reg;
}

static bool lives_in(const X64Code *c, IrRef ref, u8 reg)
{
	ref = x64_resolve(c, ref);
	return !(ref & IR_CONST_BIT) && (c->values[ref].kind == PLACE_REG || c->values[ref].kind == PLACE_PIN) &&
	       c->values[ref].reg == reg;
}

/* ---- Ways out ---- */

static void add_stub(X64Code *c, u8 *site, JitExit *exit)
{
	if (!exit || !arena_grow(&c->engine->arena, (void **)&c->stubs, &c->stub_cap, c->stub_count, sizeof(Stub))) {
		c->failed = true;
		return;
	}
	c->stubs[c->stub_count++] = (Stub){ site, exit };
}

/* The present instruction is the cold engine's. */
static JitExit *bail(X64Code *c)
{
	if (!c->bail)
		c->bail = jit_exit_create(c->engine, c->block, JIT_EXIT_BAIL, c->pc, c->block->insns - c->number);
	return c->bail;
}

static void bail_if(X64Code *c, X64Cond cond)
{
	add_stub(c, x64_jcc(&c->x, cond), bail(c));
}

/* An access that is not aligned: it comes back when it stays on its page. rax = the address. */
static void add_crossing(X64Code *c, u8 *site, unsigned bytes)
{
	JitExit *exit = bail(c);

	if (!exit || !arena_grow(&c->engine->arena, (void **)&c->crossings, &c->crossing_cap, c->crossing_count,
				 sizeof(*c->crossings))) {
		c->failed = true;
		return;
	}
	c->crossings[c->crossing_count++] = (Crossing){ .site = site, .back = c->x.at, .exit = exit, .bytes = bytes };
}

static void emit_crossings(X64Code *c)
{
	X64Buf *x = &c->x;

	for (u32 i = 0; i < c->crossing_count; i++) {
		const Crossing *crossing = &c->crossings[i];
		u8 *back;

		x64_here(c, crossing->site);
		x64_mov(x, 32, X64_RCX, X64_RAX);
		x64_alu_imm(x, X64_AND, 32, X64_RCX, SPACE_PAGE - 1);
		x64_alu_imm(x, X64_CMP, 32, X64_RCX, (i32)(SPACE_PAGE - crossing->bytes));
		add_stub(c, x64_jcc(x, X64_A), crossing->exit);
		back = x64_jmp(x);
		if (!x->full)
			x64_patch(back, crossing->back);
	}
}

static void emit_stubs(X64Code *c)
{
	X64Buf *x = &c->x;

	for (u32 i = 0; i < c->stub_count; i++) {
		JitExit *exit = c->stubs[i].exit;

		if (!exit->stub) {
			u8 *site;

			exit->stub = (u32)(x->at - c->engine->rw);
			x64_byte(x, 0xB8); /* mov eax, number */
			x64_imm32(x, (i32)exit->number);
			site = x64_jmp(x);
			if (!x->full)
				x64_patch(site, c->engine->rw + c->engine->leave);
		}
		if (!x->full)
			x64_patch(c->stubs[i].site, c->engine->rw + exit->stub);
	}
}

/* ---- Memory ---- */

/* rax = the address, checked; leaves for the cold engine when the access is not plain. */
static void check_access(X64Code *c, IrRef address, unsigned bytes, u8 mask, u8 want)
{
	X64Buf *x = &c->x;
	u8 reg = x64_in(c, address, X64_RAX);

	x64_mov(x, 64, X64_RAX, reg);
	if (bytes > 1) {
		x64_test_imm8(x, X64_RAX, (u8)(bytes - 1));
		add_crossing(c, x64_jcc(x, X64_NE), bytes);
	}
	x64_mov(x, 64, X64_RCX, X64_RAX);
	x64_shift_imm(x, X64_SHR, 64, X64_RCX, SPACE_PAGE_SHIFT);
	if (c->engine->env.pages <= 0x7FFFFFFF) {
		x64_alu_imm(x, X64_CMP, 64, X64_RCX, (i32)c->engine->env.pages);
	} else {
		x64_mov_imm(x, X64_RDX, c->engine->env.pages);
		x64_alu(x, X64_CMP, 64, X64_RCX, X64_RDX);
	}
	bail_if(c, X64_AE);
	x64_load(x, 64, X64_RDX, x64_at(X64_RSP, AT_ATTR));
	x64_load_zx(x, 8, X64_RCX, x64_at_index(X64_RDX, X64_RCX, 0, 0));
	x64_alu_imm(x, X64_AND, 32, X64_RCX, mask);
	x64_alu_imm(x, X64_CMP, 32, X64_RCX, want);
	bail_if(c, X64_NE);
}

static void emit_load(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	u32 into = c->values[at].into;
	X64Mem cell = x64_at_index(X64_RBX, X64_RAX, 0, 0);
	u8 to;

	check_access(c, ins->a, ins->width / 8u, ATTR_PAGED_LOAD, ATTR_READ);
	release(c, ins->a);
	if (!c->values[into ? into : at].uses)
		return; /* it may be made, that is all */
	to = choose_place(c, into ? into : at);
	if (into)
		x64_load_sx(&c->x, ins->width, to, cell);
	else
		x64_load_zx(&c->x, ins->width, to, cell);
	settle(c, into ? into : at, to);
}

static void emit_store(X64Code *c, const IrIns *ins)
{
	unsigned width = ir_width(c->func, ins->b);
	X64Mem cell = x64_at_index(X64_RBX, X64_RAX, 0, 0);

	check_access(c, ins->a, width / 8, ATTR_PAGED_STORE, ATTR_WRITE);
	x64_store(&c->x, width, cell, x64_in(c, ins->b, X64_RCX));
	release(c, ins->a);
	release(c, ins->b);
}

/* ---- Operations ---- */

static void clean(X64Code *c, IrRef ref, u8 reg)
{
	unsigned width = ir_width(c->func, ref);
	u64 number;

	if (width == 64 || ir_is_const(c->func, ref, &number))
		return;
	if (width == 32) {
		x64_mov(&c->x, 32, reg, reg);
	} else {
		x64_shift_imm(&c->x, X64_SHL, 64, reg, (u8)(64 - width));
		x64_shift_imm(&c->x, X64_SHR, 64, reg, (u8)(64 - width));
	}
}

/* By ir_eval. */
void x64_evaluate(X64Code *c, const IrIns *ins)
{
	static const u8 regs[] = { X64_RAX, X64_RCX, X64_RDX };
	X64Buf *x = &c->x;
	IrRef refs[16];
	unsigned count = x64_operands(c->func, ins, refs);

	for (unsigned i = 0; i < count; i++) {
		u8 reg = x64_in(c, refs[i], regs[i]);

		x64_mov(x, 64, regs[i], reg);
		clean(c, refs[i], regs[i]);
	}
	x64_store_imm(x, 32, x64_at(X64_RSP, AT_OPERATION),
		      (i32)(ins->op | (u32)ins->width << 8 | ir_width(c->func, ins->a) << 16));
	x64_store_imm(x, 32, x64_at(X64_RSP, AT_OPERATION + 4), ins->aux);
	x64_byte(x, 0xE8);
	x64_imm32(x, 0);
	if (!x->full)
		x64_patch(x->at - 4, c->engine->rw + c->engine->evaluate);
}

static void emit_value(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	u8 place, to;
	IrRef refs[16];
	unsigned count = x64_operands(c->func, ins, refs);

	for (unsigned i = 0; i < count; i++)
		release(c, refs[i]);
	to = place = choose_place(c, at);
	for (unsigned i = 1; i < count; i++)
		if (lives_in(c, refs[i], place))
			to = X64_RAX;
	if (!x64_emit_pure(c, ins, to)) {
		x64_evaluate(c, ins);
		to = X64_RAX;
	}
	settle(c, at, to);
}

static void emit_get(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	u8 pin = c->engine->pin_of[ins->aux];
	Value *value = &c->values[at];
	bool copy = is_overwritten(c, at);

	if (!value->uses)
		return;
	if (!copy && pin != JIT_NO_PIN) {
		value->kind = PLACE_PIN;
		value->reg = x64_pin_regs[pin];
	} else if (!copy) {
		value->kind = PLACE_MEMORY;
		value->disp = x64_slot(ins->aux);
	} else {
		u8 to = choose_place(c, at);

		if (pin != JIT_NO_PIN)
			x64_mov(&c->x, 64, to, x64_pin_regs[pin]);
		else
			x64_load(&c->x, 64, to, x64_at(X64_RBP, x64_slot(ins->aux)));
		settle(c, at, to);
	}
}

static void emit_put(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	u8 pin = c->engine->pin_of[ins->aux];
	IrRef ref = x64_resolve(c, ins->a);
	u64 number;

	if (!(ref & IR_CONST_BIT) && c->values[ref].claim == at)
		return;
	if (pin != JIT_NO_PIN) {
		if (ir_is_const(c->func, ref, &number)) {
			x64_mov_imm(&c->x, x64_pin_regs[pin], number);
		} else {
			u8 reg = x64_in(c, ref, x64_pin_regs[pin]);

			x64_mov(&c->x, 64, x64_pin_regs[pin], reg);
		}
	} else if (ir_is_const(c->func, ref, &number) && (i64)number == (i32)number) {
		x64_store_imm(&c->x, 64, x64_at(X64_RBP, x64_slot(ins->aux)), (i32)number);
	} else {
		x64_store(&c->x, 64, x64_at(X64_RBP, x64_slot(ins->aux)), x64_in(c, ref, X64_RAX));
	}
	release(c, ins->a);
}

/* ---- Control ---- */

static void fix(X64Code *c, u8 *site, u32 block)
{
	if (!arena_grow(&c->engine->arena, (void **)&c->fixes, &c->fix_cap, c->fix_count, sizeof(*c->fixes))) {
		c->failed = true;
		return;
	}
	c->fixes[c->fix_count++] = (struct Fix){ site, block, c->number };
}

static void emit_goto(X64Code *c, const IrIns *ins)
{
	X64Buf *x = &c->x;
	u32 refund = c->block->insns - c->number - 1;
	JitExit *exit;
	u8 *site;
	u64 pc;

	if (refund)
		x64_alu_imm(x, X64_ADD, 64, X64_R14, (i32)refund);
	if (ir_is_const(c->func, ins->a, &pc)) {
		exit = jit_exit_create(c->engine, c->block, JIT_EXIT_LINK, pc, 0);
		site = x64_jmp(x);
		add_stub(c, site, exit);
		if (exit)
			exit->site = (u32)(site - c->engine->rw);
		return;
	}
	/* A computed jump: the table, else with slot 0 set to whoever looks for it. */
	x64_mov(x, 64, X64_RAX, x64_in(c, ins->a, X64_RAX));
	x64_load(x, 64, X64_RDX, x64_at(X64_RSP, AT_JUMPS));
	x64_mov(x, 32, X64_RCX, X64_RAX);
	x64_shift_imm(x, X64_SHR, 32, X64_RCX, 1);
	x64_alu_imm(x, X64_AND, 32, X64_RCX, JIT_JUMPS - 1);
	x64_shift_imm(x, X64_SHL, 32, X64_RCX, 4);
	x64_alu_mem(x, X64_CMP, 64, X64_RAX, x64_at_index(X64_RDX, X64_RCX, 0, 0));
	site = x64_jcc(x, X64_NE);
	x64_jmp_mem(x, x64_at_index(X64_RDX, X64_RCX, 0, 8));
	if (!x->full)
		x64_patch(site, c->engine->rw + c->engine->miss);
}

static void emit_branch(X64Code *c, const IrIns *ins, u32 next)
{
	const IrIns *compare = ins_of(c, ins->a);
	X64Cond cond = X64_NE;

	if (compare && c->values[ins->a].skip && is_compare(compare)) {
		cond = x64_emit_compare(c, compare);
	} else {
		u8 reg = x64_in(c, ins->a, X64_RAX);

		x64_test(&c->x, 32, reg, reg);
	}
	if (compare && c->values[ins->a].skip) {
		release(c, compare->a);
		release(c, compare->b);
	}
	release(c, ins->a);
	if (ins->b == next) {
		fix(c, x64_jcc(&c->x, (X64Cond)(cond ^ 1)), ins->c);
	} else {
		fix(c, x64_jcc(&c->x, cond), ins->b);
		if (ins->c != next)
			fix(c, x64_jmp(&c->x), ins->c);
	}
}

/* Parameters lie in memory; those of a block are not read before all are written. */
static void emit_jump(X64Code *c, const IrIns *ins, u32 next)
{
	u32 param = c->func->blocks[ins->a].start;

	if (ins->c > 16) {
		c->unsupported = true;
		return;
	}

	for (u32 i = 0; i < ins->c; i++) {
		Value *value = &c->values[param + i];

		if (value->kind == PLACE_NONE) {
			for (unsigned k = 0; k < X64_SPILLS && value->kind == PLACE_NONE; k++)
				if (!c->spill_used[k]) {
					c->spill_used[k] = true;
					value->kind = PLACE_MEMORY;
					value->disp = x64_slot(c->engine->slot_count) + (i32)(k + 2) * 8;
				}
			if (value->kind == PLACE_NONE) {
				c->unsupported = true;
				return;
			}
		}
		x64_store(&c->x, 64, x64_at(X64_RBP, value->disp), x64_in(c, c->func->pool[ins->b + i], X64_RAX));
	}
	for (u32 i = 0; i < ins->c; i++)
		release(c, c->func->pool[ins->b + i]);
	if (ins->a != next)
		fix(c, x64_jmp(&c->x), ins->a);
}

static void emit_ins(X64Code *c, u32 next)
{
	const IrIns *ins = &c->func->ins[c->at];
	u64 pc = 0;

	if (c->values[c->at].skip)
		return;
	switch (ins->op) {
	case IR_OP_INSN:
		ir_is_const(c->func, ins->a, &pc);
		c->pc = pc;
		c->number = ins->b;
		c->bail = NULL;
		break;
	case IR_OP_PARAM: break;
	case IR_OP_GET: emit_get(c, c->at); break;
	case IR_OP_PUT: emit_put(c, c->at); break;
	case IR_OP_LOAD: emit_load(c, c->at); break;
	case IR_OP_STORE: emit_store(c, ins); break;
	case IR_OP_FENCE: /* one host thread at a time runs a machine */ break;
	case IR_OP_JMP: emit_jump(c, ins, next); break;
	case IR_OP_BR: emit_branch(c, ins, next); break;
	case IR_OP_GOTO: emit_goto(c, ins); break;
	case IR_OP_RAISE: case IR_OP_ILLEGAL:
		add_stub(c, x64_jmp(&c->x), bail(c));
		break;
	default:
		if (c->values[c->at].uses)
			emit_value(c, c->at);
	}
}

/* ---- The block ---- */

/* An instruction with an operation that only the cold engine does is left before it begins: at its INSN. */
static bool is_cold(const X64Code *c, u32 insn)
{
	bool stored = false;

	if (c->block->dirty && c->number == c->block->insns - 1)
		return true;
	for (u32 i = insn + 1; i < c->func->ins_count && c->func->ins[i].op != IR_OP_INSN; i++) {
		const IrIns *ins = &c->func->ins[i];

		if (!supported(c, ins))
			return true;
		if (stored && (ir_op_info[ins->op].effects & IR_EFFECT_EXIT))
			return true; /* the store must not be done twice */
		stored |= ins->op == IR_OP_STORE;
	}
	return false;
}

/* Which block of the IR begins at each instruction, and at the end of all: none. */
static bool find_blocks(X64Code *c)
{
	c->block_at = ARENA_ARRAY(&c->engine->arena, u32, c->func->ins_count + 1);
	if (!c->block_at)
		return false;
	memset(c->block_at, 0xFF, (c->func->ins_count + 1) * sizeof(u32));
	for (u32 b = 0; b < c->func->block_count; b++)
		if (c->func->blocks[b].end > c->func->blocks[b].start)
			c->block_at[c->func->blocks[b].start] = b;
	return true;
}

static void emit_block(X64Code *c)
{
	const IrFunc *func = c->func;

	for (c->at = 0; c->at < func->ins_count && !c->failed && !c->unsupported; c->at++) {
		u32 block = c->block_at[c->at], next = c->block_at[c->at + 1];

		if (block != IR_NONE)
			c->labels[block] = (struct Label){ c->x.at, c->number };
		emit_ins(c, next);
		if (func->ins[c->at].op == IR_OP_INSN && is_cold(c, c->at)) {
			if (c->number == 0) {
				c->unsupported = true;
				return;
			}
			add_stub(c, x64_jmp(&c->x), bail(c));
			/* What follows is not reached but through this instruction (compile looks whether that is so). */
			return;
		}
		if (func->ins[c->at].op == IR_OP_INSN)
			x64_gather_flags(c, c->at);
	}
}

static Status compile(Engine *engine, JitBlock *block, const IrFunc *func)
{
	X64Code c = { .engine = engine, .block = block, .func = func };
	JitExit *fuel;

	c.values = ARENA_ARRAY(&engine->arena, Value, func->ins_count);
	c.labels = ARENA_ARRAY(&engine->arena, struct Label, func->block_count);
	if (!c.values || !c.labels || !find_blocks(&c) || engine->arena.failed)
		return STATUS_NOMEM;
	c.x = (X64Buf){ engine->rw + engine->used, engine->rw + engine->used, engine->rw + engine->used + JIT_BLOCK_BYTES,
			false };
	block->entry = engine->used;
	analyse(&c);
	fuel = jit_exit_create(engine, block, JIT_EXIT_FUEL, block->pc, 0);
	x64_alu_imm(&c.x, X64_SUB, 64, X64_R14, (i32)block->insns);
	if (fuel)
		fuel->refund = block->insns;
	add_stub(&c, x64_jcc(&c.x, X64_B), fuel);
	emit_block(&c);
	emit_crossings(&c);
	emit_stubs(&c);
	for (u32 i = 0; i < c.fix_count && !c.x.full; i++) {
		const struct Label *label = &c.labels[c.fixes[i].block];

		/* The instruction that runs is the last one that began before, wherever control comes from. */
		if (!label->at || label->number != c.fixes[i].number)
			c.unsupported = true;
		else
			x64_patch(c.fixes[i].site, label->at);
	}
	if (c.failed || engine->arena.failed)
		return STATUS_NOMEM;
	if (c.unsupported || c.x.full)
		return STATUS_UNSUPPORTED;
	engine->used = ((u32)(c.x.at - engine->rw) + 15u) & ~15u;
	return STATUS_OK;
}

const JitTarget x64_target = {
	.name = "x86-64",
	.start = start,
	.compile = compile,
	.link = link_exit,
	.enter = enter,
};
