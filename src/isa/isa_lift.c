/* SPDX-License-Identifier: MIT
 *
 * From meaning to IR: each decoded instruction's tree is walked once with its fields known, so that everything that
 * is constant at decode time folds while it is built.
 *
 * Registers. Writes are held back (env.pending) until the instruction ends, reads look there first. That is the
 * commit rule: when a raise, a fault or a wait leaves the instruction, no register has changed.
 *
 * Jumps are held back too (env.jump): `jump` says where the next instruction is; what stands behind it still runs.
 *
 * An `if` whose condition is not known becomes, in this order:
 *   1. pure arms           -> both evaluated, differences joined by SEL
 *   2. an arm that leaves  -> BR to it; the rest goes on in line
 *   3. an arm with a jump  -> both arms, each followed by a copy of the rest (the paths have different next pcs)
 *   4. anything else       -> diamond; differences become parameters of the join block
 *
 * A block of guest instructions ends at a jump, at a host call, when a register that is context or that interrupts
 * depend on is written, and around an instruction that touches memory after a store (RtlBody.alone): such an
 * instruction can't be started again half way, so it stands in a block of its own, where engines carry slow
 * accesses out in place.
 */
#include <string.h>

#include "isa/isa_lift_private.h"

static bool env_start(Lift *l, const RtlBody *body)
{
	l->env = (Env){.jump = IR_NONE, .var_count = body->var_count};
	l->env.vars = ARENA_ROOM(l->arena, IrRef, body->var_count ? body->var_count : 1);
	if (!l->pending_room)
		l->pending_room = ARENA_ROOM(l->arena, Pending, PENDING_FIRST);
	l->env.pending = l->pending_room;
	l->env.pending_cap = PENDING_FIRST;
	if (!l->env.vars || !l->env.pending)
		return false;
	for (u32 i = 0; i < body->var_count; i++)
		l->env.vars[i] = lift_zero(l, body->var_widths[i] ? body->var_widths[i] : 1);
	l->body = body;
	return true;
}

static const IsaHandler *find_handler(const Isa *isa, u8 kind)
{
	for (u32 i = 0; i < isa->handler_count; i++)
		if (isa->handlers[i].kind == kind)
			return &isa->handlers[i];
	return NULL;
}

/* `on fetch(a)`: checks before the instruction itself. */
static void lift_fetch_check(Lift *l)
{
	IrRef pc;

	if (!l->on_fetch)
		return;
	pc = ir_const(l->func, l->isa->pc_width, l->pc);
	lift_call_body(l, l->on_fetch->body, &pc, 1);
}

static const RtlBody empty = {.result_var = ISA_NONE};

static void lift_instruction(Lift *l)
{
	const IsaInsn *insn = l->decoded->insn;

	if (!env_start(l, insn ? insn->body : &empty)) {
		l->failed = true;
		return;
	}
	if (!l->flow_only) /* what an instruction does by itself */
		lift_fetch_check(l);
	if (!insn && !l->dead) {
		ir_illegal(l->func);
		return;
	}
	if (l->dead) {
		lift_close_dead(l);
		return;
	}
	if (l->isa->cycles_reg != ISA_NONE && insn->cost)
		lift_charge(l, ir_const(l->func, 64, insn->cost));
	lift_seq(l, insn->body->stmts, NULL);
}

/* Nothing could be fetched at pc: an access there faults, and says where, unless `on fetch` takes it. */
static void lift_fetch_fault(Lift *l)
{
	const IsaSpace *space = &l->isa->spaces[l->isa->code_space];
	u32 cells = l->isa->max_bits / space->cell_bits;

	if (!env_start(l, &empty)) {
		l->failed = true;
		return;
	}
	lift_fetch_check(l);
	if (l->dead) {
		lift_close_dead(l);
		return;
	}
	for (u32 i = 0; i < cells; i++)
		ir_load(l->func, l->isa->code_space, space->cell_bits, ir_const(l->func, l->isa->pc_width, l->pc + i), false);
	ir_illegal(l->func);
}

static void open_instruction(Lift *l, const IsaDecoded *decoded, u64 pc, u32 number)
{
	l->decoded = decoded;
	l->pc = pc;
	l->next = bits_trunc(pc + decoded->cells, l->isa->pc_width);
	l->insn_start = l->func->ins_count;
	l->dirty = l->ended = l->calls_host = l->dead = false;
	l->forks = l->depth = 0;
	ir_insn(l->func, pc, decoded->cells, number);
}

/* The first bits of code that lies there. */
static u64 code_word(const u8 *at, u32 bytes)
{
	u64 word = 0;

	for (u32 i = 0; i < bytes; i++)
		word |= (u64)at[i] << i * 8;
	return word;
}

/* The instruction at pc. What can be read as it lies is: *code, with *left cells. */
static void decode(const IsaLift *lift, u64 pc, const u8 **code, u32 *left, IsaDecoded *decoded)
{
	const Isa *isa = lift->isa;
	const u32 most = isa->max_bits / 8;

	if (*left < most && lift->code_at && isa->parcel_bits == 16 && isa->parcel_cells == 2 && most <= 8)
		*code = lift->code_at(lift->ctx, pc, left);
	if (*code && *left >= most) {
		isa_decode_word(isa, code_word(*code, most), decoded);
		*code += decoded->cells;
		*left -= decoded->cells;
	} else {
		*left = 0;
		*lift->fetch_address = pc;
		isa_decode(isa, lift->fetch_at, lift->ctx, decoded);
	}
}

Status isa_lift_block(const IsaLift *lift, u64 pc, u32 max_insns, Arena *arena, IsaLifted *out)
{
	const Isa *isa = lift->isa;
	Lift l = {.isa = isa, .in = lift, .arena = arena, .on_fetch = find_handler(isa, ISA_ON_FETCH)};
	bool writes = false; /* a context or irq register */
	const u8 *code = NULL;
	u32 count = 0, left = 0;
	u64 cells = 0;

	*out = (IsaLifted){0};
	l.func = ir_func_create(arena, IR_FUNC_BLOCK);
	if (!l.func)
		return STATUS_NOMEM;
	pc = bits_trunc(pc, isa->pc_width);
	do {
		IsaDecoded decoded;
		bool alone;

		if (count && lift->stop_before && lift->stop_before(lift->ctx, pc))
			break;
		decode(lift, pc, &code, &left, &decoded);
		alone = decoded.insn && decoded.insn->body->alone;
		if (count && (alone || !decoded.insn))
			break;
		open_instruction(&l, &decoded, pc, count);
		count++;
		if (cells + decoded.looked > out->cells)
			out->cells = cells + decoded.looked;
		cells += decoded.cells;
		if (decoded.fetch_failed && !decoded.insn) {
			lift_fetch_fault(&l);
			out->no_code = count == 1;
			break;
		}
		lift_instruction(&l);
		if (l.failed || l.func->failed)
			return l.func->failed || arena->failed ? STATUS_NOMEM : STATUS_TOO_BIG;
		pc = l.next;
		out->dirty = out->dirty || l.dirty || l.calls_host;
		writes = writes || l.dirty;
		if (l.ended || alone)
			break;
	} while (count < max_insns && !ir_block_ended(l.func) && l.func->ins_count < INS_PER_BLOCK);
	if (!ir_block_ended(l.func))
		ir_goto(l.func, ir_const(l.func, isa->pc_width, pc), IR_FLOW_NEXT);
	out->only_host = out->dirty && !writes;
	out->func = l.func;
	out->insns = count;
	return l.func->failed ? STATUS_NOMEM : STATUS_OK;
}

/* A body with arguments as a handler function. */
static Status lift_handler_body(const Isa *isa, const RtlBody *body, u16 raw_space, Arena *arena, IrFunc **out)
{
	Lift l = {.isa = isa, .arena = arena, .handler = true, .raw = raw_space != ISA_NONE, .raw_space = raw_space};

	l.func = ir_func_create(arena, IR_FUNC_HANDLER);
	if (!l.func || !env_start(&l, body))
		return STATUS_NOMEM;
	for (u32 i = 0; i < body->param_count; i++)
		l.env.vars[i] = ir_arg(l.func, i, body->var_widths[i]);
	if (body->value) {
		IrRef value = lift_expr(&l, body->value);

		ir_ret(l.func, value);
	} else {
		lift_seq(&l, body->stmts, NULL);
	}
	*out = l.func;
	if (l.func->failed || arena->failed)
		return STATUS_NOMEM;
	return l.failed ? STATUS_TOO_BIG : STATUS_OK;
}

Status isa_lift_handler(const Isa *isa, const IsaHandler *handler, bool when, Arena *arena, IrFunc **out)
{
	bool raw = handler->kind == ISA_ON_READ || handler->kind == ISA_ON_WRITE;

	if (when && !handler->when)
		return STATUS_NOT_FOUND;
	return lift_handler_body(isa, when ? handler->when : handler->body, raw ? handler->space : ISA_NONE, arena, out);
}

Status isa_lift_view(const Isa *isa, const IsaView *view, bool set, Arena *arena, IrFunc **out)
{
	if (set && !view->set)
		return STATUS_NOT_FOUND;
	return lift_handler_body(isa, set ? view->set : view->get, ISA_NONE, arena, out);
}

u32 isa_flags_slot(const Isa *isa)
{
	IsaDecoded decoded = {0};
	Arena arena;
	Lift l = {.isa = isa, .arena = &arena, .flow_only = true};
	u32 slot = 0;

	if (isa->flags_insn >= isa->insn_count)
		return 0;
	decoded.insn = &isa->insns[isa->flags_insn];
	decoded.cells = decoded.looked = decoded.insn->bits / isa->parcel_bits * isa->parcel_cells;
	memcpy(decoded.w, decoded.insn->match, sizeof decoded.w);
	arena_init(&arena);
	l.func = ir_func_create(&arena, IR_FUNC_BLOCK);
	if (l.func) {
		open_instruction(&l, &decoded, 0, 0);
		lift_instruction(&l);
		for (u32 i = 0, get; i < l.func->ins_count && !slot; i++)
			slot = ir_noted_flags(l.func, i, &get) ? l.func->ins[i].aux : 0;
	}
	arena_fini(&arena);
	return slot;
}

IsaFlow isa_flow(const Isa *isa, const IsaDecoded *decoded)
{
	Arena arena;
	Lift l = {.isa = isa, .arena = &arena, .flow_only = true};
	IsaFlow flow = {0};
	u32 nexts = 0, gotos = 0;

	if (!decoded->insn)
		return flow;
	arena_init(&arena);
	l.func = ir_func_create(&arena, IR_FUNC_BLOCK);
	if (l.func) {
		open_instruction(&l, decoded, 0, 0);
		lift_instruction(&l);
		for (u32 i = 0; i < l.func->ins_count; i++) {
			const IrIns *ins = &l.func->ins[i];

			flow.host = flow.host || ins->op == IR_OP_HOST;
			flow.starts = flow.starts || (ins->op == IR_OP_HOST && !strcmp(isa->hosts[ins->aux].name, "vcpu_start"));
			flow.stops = flow.stops || ins->op == IR_OP_STOP;
			if (ins->op != IR_OP_GOTO)
				continue;
			gotos++;
			nexts += ins->aux == IR_FLOW_NEXT;
			flow.jumps = flow.jumps || ins->aux == IR_FLOW_JUMP;
			flow.calls = flow.calls || ins->aux == IR_FLOW_CALL;
			flow.returns = flow.returns || ins->aux == IR_FLOW_RET;
		}
		flow.conditional = nexts > 0 && gotos > nexts;
	}
	arena_fini(&arena);
	return flow;
}
