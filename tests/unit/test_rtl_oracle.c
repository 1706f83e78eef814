/* SPDX-License-Identifier: MIT
 *
 * The meaning of instructions, evaluated straight from the checked trees, against the lifter, the IR and the
 * interpreter: random instructions of every description in random states, one at a time, compared register by
 * register and cell by cell. The evaluator here is deliberately plain: no folding, no IR, values in u64.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "asm/asm.h"
#include "base/bits.h"
#include "base/rng.h"
#include "ir/ir.h"
#include "ir/ir_float.h"
#include "isa/isa.h"
#include "isa/rtl.h"
#include "machine/machine.h"
#include "machine/pages.h"
#include "unit/host_float.h"

enum { SLOTS_MAX = 4200, STORES_MAX = 4096, PAGED_BYTES = 64 << 10 /* of a paged space are there */ };

typedef enum Outcome { GOES_ON, RAISED, STOPPED, DENIED, FAULTED, ILLEGAL } Outcome;

typedef struct Store {
	u16 space;
	u64 address, value;
} Store;

typedef struct Eval {
	const Isa *isa;
	Machine *machine; /* memory as it was before the instruction */
	const IsaDecoded *decoded;
	bool handler;
	u16 raw_space;
	u64 pc, next;
	u64 slots[SLOTS_MAX];
	bool written[SLOTS_MAX];
	u64 pending[SLOTS_MAX];
	u64 *vars;
	bool jumped;
	u64 target;
	Outcome outcome;
	u64 number;
	bool device_stop;
	u64 device_code;
	Store stores[STORES_MAX];
	u32 store_count;
	u32 depth;
} Eval;

static u64 eval_expr(Eval *e, const RtlExpr *x);
static void eval_stmts(Eval *e, const RtlStmt *s);

static bool going(const Eval *e)
{
	return e->outcome == GOES_ON;
}

static void leave(Eval *e, Outcome outcome, u64 number)
{
	if (going(e)) {
		e->outcome = outcome;
		e->number = number;
	}
}

static u64 read_slot(const Eval *e, u32 slot)
{
	return e->written[slot] ? e->pending[slot] : e->slots[slot];
}

static void commit(Eval *e)
{
	for (u32 i = 0; i < e->isa->slot_count; i++)
		if (e->written[i]) {
			e->slots[i] = e->pending[i];
			e->written[i] = false;
		}
}

/* Runs a handler's body on the state as it is, with writes of its own. */
static u64 eval_handler(Eval *e, const IsaHandler *h, const u64 *args, u32 argc)
{
	Eval *sub = calloc(1, sizeof(*sub));
	u64 vars[64] = {0}, result;

	*sub = *e;
	memset(sub->written, 0, sizeof(sub->written));
	sub->handler = true;
	sub->raw_space = h->kind == ISA_ON_READ || h->kind == ISA_ON_WRITE ? h->space : ISA_NONE;
	sub->vars = vars;
	sub->jumped = false;
	sub->outcome = GOES_ON;
	sub->depth++;
	for (u32 i = 0; i < argc; i++)
		vars[i] = args[i];
	assert_true(sub->depth < 5);
	eval_stmts(sub, h->body->stmts);
	result = h->body->result_var != ISA_NONE ? vars[h->body->result_var] : 0;
	if (going(sub) || sub->outcome == STOPPED) {
		commit(sub);
		memcpy(e->slots, sub->slots, sizeof(e->slots));
		memcpy(e->stores, sub->stores, sizeof(e->stores));
		e->store_count = sub->store_count;
		if (sub->jumped) {
			e->jumped = true;
			e->target = sub->target;
		}
	}
	if (sub->outcome == STOPPED && sub->raw_space != ISA_NONE) {
		/* A device stops the machine when the instruction that touched it is done. */
		e->device_stop = true;
		e->device_code = sub->number;
	} else if (!going(sub)) {
		e->outcome = sub->outcome;
		e->number = sub->number;
	}
	e->device_stop = e->device_stop || sub->device_stop;
	e->device_code = sub->device_stop ? sub->device_code : e->device_code;
	free(sub);
	return result;
}

static const IsaHandler *memory_handler(const Eval *e, u8 kind, u16 space, u64 cell)
{
	const IsaHandler *found = NULL;

	for (u32 i = 0; i < e->isa->handler_count; i++) {
		const IsaHandler *h = &e->isa->handlers[i];

		if (h->kind == kind && h->space == space && cell >= h->lo && cell <= h->hi && (!found || h->lo == h->hi))
			found = h;
	}
	return found;
}

static u64 plain_cell(Eval *e, u16 space, u64 cell)
{
	u64 value = 0;

	for (u32 i = e->store_count; i-- > 0;)
		if (e->stores[i].space == space && e->stores[i].address == cell)
			return e->stores[i].value;
	assert_int_equal(machine_read(e->machine, space, cell, &value), STATUS_OK);
	return value;
}

static u64 cells_of(const Machine *machine, u16 space)
{
	return machine_isa(machine)->spaces[space].is_paged ? PAGED_BYTES : machine_cells(machine, space);
}

static bool wrap_cell(Eval *e, u16 space, u64 *cell)
{
	u64 cells = cells_of(e->machine, space);

	if (e->isa->spaces[space].wraps)
		*cell &= cells - 1;
	else if (*cell >= cells) {
		leave(e, FAULTED, *cell);
		return false;
	}
	return true;
}

static u64 read_cell(Eval *e, u16 space, u64 cell)
{
	const IsaHandler *h;

	if (!wrap_cell(e, space, &cell))
		return 0;
	h = space == e->raw_space ? NULL : memory_handler(e, ISA_ON_READ, space, cell);
	if (h)
		return eval_handler(e, h, &cell, h->arg_count);
	return plain_cell(e, space, cell);
}

static void write_cell(Eval *e, u16 space, u64 cell, u64 value)
{
	const IsaHandler *h;

	if (!wrap_cell(e, space, &cell))
		return;
	h = space == e->raw_space ? NULL : memory_handler(e, ISA_ON_WRITE, space, cell);
	if (h) {
		u64 args[2] = {h->takes_address ? cell : value, value};

		eval_handler(e, h, args, h->arg_count);
		return;
	}
	assert_true(e->store_count < STORES_MAX);
	e->stores[e->store_count++] = (Store){space, cell, value};
}

/* An access of several cells either happens as a whole or faults at its first bad cell. */
static bool range_fits(Eval *e, u16 space, u64 address, u32 cells)
{
	for (u32 i = 0; i < cells; i++) {
		u64 cell = address + i;

		if (!wrap_cell(e, space, &cell))
			return false;
	}
	return true;
}

static u64 load(Eval *e, u16 space, u64 address, unsigned width)
{
	const IsaSpace *s = &e->isa->spaces[space];
	u32 cells = width / s->cell_bits;
	u64 value = 0;

	if (!range_fits(e, space, address, cells))
		return 0;
	for (u32 i = 0; i < cells && going(e); i++) {
		u32 shift = (s->big ? cells - 1 - i : i) * s->cell_bits;

		value |= read_cell(e, space, address + i) << shift;
	}
	return value;
}

static void store(Eval *e, u16 space, u64 address, unsigned width, u64 value)
{
	const IsaSpace *s = &e->isa->spaces[space];
	u32 cells = width / s->cell_bits;

	if (!range_fits(e, space, address, cells))
		return;
	for (u32 i = 0; i < cells && going(e); i++) {
		u32 shift = (s->big ? cells - 1 - i : i) * s->cell_bits;

		write_cell(e, space, address + i, bits_trunc(value >> shift, s->cell_bits));
	}
}

static u64 eval_body(Eval *e, const RtlBody *body, const u64 *args, u32 argc)
{
	u64 vars[64] = {0}, *saved = e->vars, result = 0;

	for (u32 i = 0; i < argc; i++)
		vars[i] = args[i];
	e->vars = vars;
	if (body->value)
		result = eval_expr(e, body->value);
	else
		eval_stmts(e, body->stmts);
	if (!body->value && body->result_var != ISA_NONE)
		result = vars[body->result_var];
	e->vars = saved;
	return result;
}

static bool reg_slot(Eval *e, const RtlExpr *x, const IsaReg **reg, u32 *element)
{
	if (x->kind == RTL_REGFIELD) {
		const IsaField *f = &e->isa->fields[e->decoded->insn->fields[x->index].field];

		*reg = &e->isa->regs[f->reg];
		*element = f->reg_from + (u32)isa_field_value(e->isa, e->decoded, x->index);
	} else {
		*reg = &e->isa->regs[x->index];
		*element = x->a ? (u32)eval_expr(e, x->a) : 0;
	}
	return *element < (*reg)->count;
}

static u64 eval_float(Eval *e, const RtlExpr *x)
{
	u64 a = eval_expr(e, x->a), b = x->b ? eval_expr(e, x->b) : 0, c = x->c ? eval_expr(e, x->c) : 0;
	u64 mode = x->argc ? eval_expr(e, x->args[0]) : x->irop == IR_OP_FTOS || x->irop == IR_OP_FTOU ? IR_ROUND_ZERO : 0;
	unsigned width = x->index2 ? (unsigned)x->value : x->width, flags;

	if (mode > IR_ROUND_AWAY)
		mode = IR_ROUND_EVEN;
	if (mode == IR_ROUND_AWAY) /* hosts do not have it */
		a = ir_float_compute(x->irop, width, x->a->width, IR_ROUND_AWAY, a, b, c, &flags);
	else
		a = host_float_flags(x->irop, width, x->a->width, (IrRound)mode, a, b, c, &flags);
	return x->index2 ? flags : a;
}

/* What an atomic access leaves in the cell. */
static u64 atomic_value(unsigned kind, unsigned width, u64 old, u64 b)
{
	bool less = bits_signed(old, width) < bits_signed(b, width);

	switch (kind) {
	case IR_RMW_ADD: return bits_trunc(old + b, width);
	case IR_RMW_AND: return old & b;
	case IR_RMW_OR: return old | b;
	case IR_RMW_XOR: return old ^ b;
	case IR_RMW_MIN: return less ? old : b;
	case IR_RMW_MAX: return less ? b : old;
	case IR_RMW_MINU: return old < b ? old : b;
	case IR_RMW_MAXU: return old < b ? b : old;
	default: return b;
	}
}

static u64 eval_expr(Eval *e, const RtlExpr *x)
{
	const IsaReg *reg;
	u64 a, b, args[16];
	u32 element;

	if (!going(e))
		return 0;
	switch ((RtlKind)x->kind) {
	case RTL_NUM:
		return x->value;
	case RTL_FIELD:
		return bits_trunc(isa_field_value(e->isa, e->decoded, x->index), x->width);
	case RTL_FIELDNUM: {
		const IsaField *f = &e->isa->fields[e->decoded->insn->fields[x->index].field];

		return isa_field_value(e->isa, e->decoded, x->index) + (f->kind == ISA_FIELD_REG ? f->reg_from : 0);
	}
	case RTL_TARGET:
		return isa_target(e->isa, e->decoded->insn, x->index, e->pc, isa_field_value(e->isa, e->decoded, x->index));
	case RTL_REGFIELD: case RTL_REG:
		if (!reg_slot(e, x, &reg, &element))
			return 0;
		return reg->const_mask && reg->const_mask[element] ? reg->const_values[element]
								   : read_slot(e, reg->slot + element);
	case RTL_VIEW:
		return eval_body(e, e->isa->views[x->index].get, NULL, 0);
	case RTL_VAR:
		return bits_trunc(e->vars[x->index], x->width);
	case RTL_PC:
		return e->handler ? e->slots[0] : e->pc;
	case RTL_NEXT:
		return e->next;
	case RTL_MEM:
		a = eval_expr(e, x->a);
		return going(e) ? load(e, x->index, a, x->width) : 0;
	case RTL_ATOMIC: {
		u64 address = eval_expr(e, x->a), c, old;

		b = eval_expr(e, x->b);
		c = x->c ? eval_expr(e, x->c) : 0;
		old = going(e) ? load(e, x->index, address, x->width) : 0;
		if (x->c)
			store(e, x->index, address, x->width, old == b ? c : old);
		else
			store(e, x->index, address, x->width, atomic_value(x->irop, x->width, old, b));
		return old;
	}
	case RTL_FENCE:
		return 0;
	case RTL_TABLE:
		eval_expr(e, x->a);
		leave(e, ILLEGAL, 0);
		return 0;
	case RTL_BIN:
		a = eval_expr(e, x->a);
		b = eval_expr(e, x->b);
		return ir_eval(x->irop, x->width, x->a->width, 0, a, b, 0);
	case RTL_UN:
		return ir_eval(x->irop, x->width, x->a->width, 0, eval_expr(e, x->a), 0, 0);
	case RTL_FLOAT:
		return eval_float(e, x);
	case RTL_NEG:
		return bits_trunc(-eval_expr(e, x->a), x->width);
	case RTL_NOT: case RTL_LNOT:
		return bits_trunc(~eval_expr(e, x->a), x->width);
	case RTL_LAND:
		return eval_expr(e, x->a) ? eval_expr(e, x->b) : 0;
	case RTL_LOR:
		return eval_expr(e, x->a) ? 1 : eval_expr(e, x->b);
	case RTL_COND:
		return eval_expr(e, x->a) ? eval_expr(e, x->b) : eval_expr(e, x->c);
	case RTL_SLICE:
		return bits_trunc(eval_expr(e, x->a) >> x->index2, x->width);
	case RTL_BIT:
		a = eval_expr(e, x->a);
		b = eval_expr(e, x->b);
		return b < 64 ? a >> b & 1 : 0;
	case RTL_SX:
		return bits_trunc((u64)bits_signed(eval_expr(e, x->a), x->a->width), x->width);
	case RTL_ZX:
		return eval_expr(e, x->a);
	case RTL_CONCAT:
		a = eval_expr(e, x->a);
		return a << x->b->width | eval_expr(e, x->b);
	case RTL_CALL:
		for (u32 i = 0; i < x->argc; i++)
			args[i] = eval_expr(e, x->args[i]);
		return going(e) ? eval_body(e, &e->isa->funcs[x->index].body, args, x->argc) : 0;
	case RTL_HOST:
		for (u32 i = 0; i < x->argc; i++)
			eval_expr(e, x->args[i]);
		leave(e, DENIED, x->index);
		return 0;
	}
	return 0;
}

static void assign(Eval *e, const RtlExpr *x, u64 value)
{
	const IsaReg *reg;
	u32 element;
	u64 old, bit, mask;

	if (!going(e))
		return;
	switch (x->kind) {
	case RTL_VAR:
		e->vars[x->index] = value;
		break;
	case RTL_REG: case RTL_REGFIELD:
		if (!reg_slot(e, x, &reg, &element) || (reg->const_mask && reg->const_mask[element]))
			break;
		e->written[reg->slot + element] = true;
		e->pending[reg->slot + element] = value;
		break;
	case RTL_PC:
		e->jumped = true;
		e->target = value;
		break;
	case RTL_MEM:
		store(e, x->index, eval_expr(e, x->a), x->width, value);
		break;
	case RTL_VIEW:
		eval_body(e, e->isa->views[x->index].set, &value, 1);
		break;
	case RTL_SLICE:
		old = eval_expr(e, x->a);
		mask = bits_mask(x->width) << x->index2;
		assign(e, x->a, (old & ~mask) | value << x->index2);
		break;
	case RTL_BIT:
		bit = eval_expr(e, x->b);
		if (bit >= x->a->width)
			break;
		old = eval_expr(e, x->a);
		assign(e, x->a, (old & ~((u64)1 << bit)) | value << bit);
		break;
	default:
		fail_msg("assignment to kind %u", x->kind);
	}
}

static void charge(Eval *e, u64 cycles)
{
	u32 slot;

	if (e->isa->cycles_reg == ISA_NONE)
		return;
	slot = e->isa->regs[e->isa->cycles_reg].slot;
	e->pending[slot] = read_slot(e, slot) + cycles;
	e->written[slot] = true;
}

static void eval_stmts(Eval *e, const RtlStmt *s)
{
	for (; s && going(e); s = s->next) {
		u64 a, b;

		switch (s->kind) {
		case RTL_ASSIGN:
			if (s->lhs)
				assign(e, s->lhs, eval_expr(e, s->rhs));
			break;
		case RTL_IF:
			a = eval_expr(e, s->cond);
			if (going(e))
				eval_stmts(e, a ? s->yes : s->no);
			break;
		case RTL_FOR:
			a = eval_expr(e, s->rhs);
			b = eval_expr(e, s->hi);
			for (u64 i = a; i < b && going(e); i++) {
				e->vars[s->var] = i;
				eval_stmts(e, s->yes);
			}
			break;
		case RTL_JUMP:
			e->target = eval_expr(e, s->rhs);
			e->jumped = true;
			break;
		case RTL_RAISE:
			leave(e, RAISED, eval_expr(e, s->rhs));
			break;
		case RTL_STOP:
			leave(e, STOPPED, eval_expr(e, s->rhs));
			break;
		case RTL_SWAP:
			a = eval_expr(e, s->lhs);
			b = eval_expr(e, s->rhs);
			assign(e, s->lhs, b);
			assign(e, s->rhs, a);
			break;
		case RTL_DO:
			if (s->rhs->kind == RTL_CALL || s->rhs->kind == RTL_HOST || s->rhs->kind == RTL_ATOMIC)
				eval_expr(e, s->rhs);
			break;
		case RTL_CHARGE:
			charge(e, eval_expr(e, s->rhs));
			break;
		default:
			fail_msg("statement of kind %u", s->kind);
		}
	}
}

static const IsaHandler *plain_handler(const Isa *isa, u8 kind)
{
	for (u32 i = 0; i < isa->handler_count; i++)
		if (isa->handlers[i].kind == kind)
			return &isa->handlers[i];
	return NULL;
}

/* One instruction with everything around it. The final pc is in slots[0]. */
static void eval_instruction(Eval *e)
{
	const Isa *isa = e->isa;
	const IsaHandler *fetch = plain_handler(isa, ISA_ON_FETCH), *h;
	u64 vars[64] = {0}, arg;
	Outcome cause;

	e->vars = vars;
	e->raw_space = ISA_NONE;
	if (fetch) {
		arg = e->pc;
		eval_body(e, fetch->body, &arg, 1);
	}
	if (going(e) && !e->decoded->insn)
		leave(e, ILLEGAL, 0);
	if (going(e)) {
		memset(vars, 0, sizeof(vars));
		if (isa->cycles_reg != ISA_NONE)
			charge(e, e->decoded->insn->cost);
		eval_stmts(e, e->decoded->insn->body->stmts);
	}
	if (e->outcome == GOES_ON || e->outcome == STOPPED) {
		commit(e);
		e->slots[0] = e->jumped ? e->target : e->next;
		return;
	}
	memset(e->written, 0, sizeof(e->written));
	e->jumped = false;
	cause = e->outcome;
	if (e->outcome == ILLEGAL && (h = plain_handler(isa, ISA_ON_ILLEGAL)) != NULL) {
		e->outcome = GOES_ON;
		eval_handler(e, h, NULL, 0);
		if (going(e) && e->jumped)
			e->slots[0] = e->target;
	}
	if (e->outcome == FAULTED && (h = plain_handler(isa, ISA_ON_FAULT)) != NULL) {
		e->outcome = GOES_ON;
		arg = e->number;
		eval_handler(e, h, &arg, 1);
		if (going(e) && e->jumped)
			e->slots[0] = e->target;
	}
	if (e->outcome == RAISED && (h = plain_handler(isa, ISA_ON_RAISE)) != NULL) {
		e->outcome = GOES_ON;
		arg = e->number;
		eval_handler(e, h, &arg, 1);
		if (going(e) && e->jumped)
			e->slots[0] = e->target;
		if (e->outcome == RAISED && e->number == arg)
			e->outcome = cause; /* declined */
	}
}

/* ---- the comparison ---- */

typedef struct Subject {
	const char *file, *option, *choice;
	u32 rounds;
} Subject;

static Isa *load_isa(const Subject *subject, Buf *text)
{
	FILE *file = fopen(subject->file, "rb");
	DiagList *diags = malloc(sizeof(*diags));
	IsaChoice choice = {subject->option, subject->choice};
	char chunk[4096];
	size_t n;
	Isa *isa;

	assert_non_null(file);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(text, chunk, n);
	fclose(file);
	diag_init(diags);
	isa = isa_load(subject->file, buf_text(text), text->len, &choice, subject->option ? 1 : 0, diags);
	if (!isa) {
		Buf out = {0};

		diag_render(diags, &out, false);
		fprintf(stderr, "%s", buf_text(&out));
		buf_fini(&out);
	}
	diag_fini(diags);
	free(diags);
	assert_non_null(isa);
	return isa;
}

/* Values near the edges come up often. */
static u64 random_value(Rng *rng, unsigned width)
{
	static const u64 edges[] = {0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0xFE00, 0x3000};

	switch (rng_below(rng, 5)) {
	case 4: return bits_trunc(float_edge(rng, width == 64), width);
	case 0: return bits_trunc(edges[rng_below(rng, COUNT_OF(edges))], width);
	case 1: return bits_trunc(-rng_below(rng, 4), width);
	case 2: return bits_trunc(rng_below(rng, 256), width);
	default: return bits_trunc(rng_next(rng), width);
	}
}

static bool calls_host(const Isa *isa, const IsaDecoded *decoded)
{
	(void)isa;
	return decoded->insn && (decoded->insn->body->effects & RTL_HOSTS);
}

static bool conditions_hold(Machine *machine, const Isa *isa, Eval *e)
{
	for (u32 i = 0; i < isa->handler_count; i++)
		if (isa->handlers[i].kind == ISA_INTERRUPT) {
			e->handler = true;
			if (eval_body(e, isa->handlers[i].when, NULL, 0))
				return true;
			e->handler = false;
		}
	(void)machine;
	return false;
}

static void compare(Machine *machine, const Isa *isa, const Eval *e, const MachineStop *stop, u64 pc, u64 round)
{
	for (u32 slot = 0; slot < isa->slot_count; slot++)
		if (machine_slot(machine, slot) != e->slots[slot])
			fail_msg("%s round %llu: '%s' at %llx: %s is %llx, should be %llx (stop %d, outcome %d)", isa->name,
				 (unsigned long long)round, e->decoded->insn ? e->decoded->insn->name : "illegal",
				 (unsigned long long)pc, isa_slot_name(isa, slot), (unsigned long long)machine_slot(machine, slot),
				 (unsigned long long)e->slots[slot], stop->kind, e->outcome);
	for (u32 i = e->store_count; i-- > 0;) {
		const Store *s = &e->stores[i];
		bool later = false;
		u64 value;

		for (u32 k = i + 1; k < e->store_count; k++)
			later = later || (e->stores[k].space == s->space && e->stores[k].address == s->address);
		assert_int_equal(machine_read(machine, s->space, s->address, &value), STATUS_OK);
		if (!later && value != s->value)
			fail_msg("%s round %llu: '%s': cell %llx is %llx, should be %llx", isa->name, (unsigned long long)round,
				 e->decoded->insn ? e->decoded->insn->name : "illegal", (unsigned long long)s->address,
				 (unsigned long long)value, (unsigned long long)s->value);
	}
	switch (e->outcome) {
	case GOES_ON: assert_int_equal(stop->kind, STOP_BUDGET); break;
	case STOPPED: assert_int_equal(stop->kind, STOP_HALT); assert_int_equal(stop->code, e->number); break;
	case RAISED: assert_int_equal(stop->kind, STOP_TRAP); break;
	case DENIED: assert_int_equal(stop->kind, STOP_DENIED); break;
	case FAULTED: assert_int_equal(stop->kind, STOP_FAULT); break;
	case ILLEGAL: assert_int_equal(stop->kind, STOP_ILLEGAL); break;
	}
}

static void one_round(Machine *machine, const Isa *isa, Rng *rng, u64 round, Eval *e, u32 *compared)
{
	u16 code = isa->code_space;
	u64 cells[64], pc = random_value(rng, isa->pc_width);
	u64 space_cells = cells_of(machine, code);
	IsaDecoded decoded;
	MachineStop stop;
	u32 count;

	for (u32 slot = 1; slot < isa->slot_count; slot++)
		machine_set_slot(machine, slot, random_value(rng, 64));
	/* Small spaces want addresses that hit them. */
	if (!isa->spaces[code].wraps)
		pc %= isa->spaces[code].is_paged ? space_cells - 64 : space_cells; /* a write beyond would make a page */
	count = rng_below(rng, 8) ? gen_valid(isa, rng, cells) : gen_invalid(isa, rng, cells);
	for (u32 i = 0; i < count; i++)
		machine_write(machine, code, isa->spaces[code].wraps ? (pc + i) & (space_cells - 1) : pc + i, cells[i]);
	machine_set_pc(machine, pc);
	machine_decode(machine, pc, &decoded);
	if (decoded.fetch_failed || calls_host(isa, &decoded))
		return;
	memset(e, 0, offsetof(Eval, slots));
	e->isa = isa;
	e->machine = machine;
	e->decoded = &decoded;
	e->pc = pc;
	e->next = bits_trunc(pc + decoded.cells, isa->pc_width);
	memset(e->written, 0, sizeof(e->written));
	e->jumped = false;
	e->outcome = GOES_ON;
	e->device_stop = false;
	e->store_count = e->depth = 0;
	for (u32 slot = 0; slot < isa->slot_count; slot++)
		e->slots[slot] = machine_slot(machine, slot);
	if (conditions_hold(machine, isa, e))
		return; /* an interrupt would come first: the LC-3's own tests have those */
	e->handler = false;
	eval_instruction(e);
	if (e->device_stop && going(e)) {
		e->outcome = STOPPED;
		e->number = e->device_code;
	}
	stop = machine_run(machine, 1);
	if (e->outcome == DENIED && e->depth == 0 && stop.kind != STOP_DENIED)
		return; /* a host function that exists, called by a handler */
	for (u32 i = 0; i < isa->handler_count; i++)
		if (isa->handlers[i].kind == ISA_EVERY && machine_icount(machine) % isa->handlers[i].every == 0)
			return;
	compare(machine, isa, e, &stop, pc, round);
	(*compared)++;
}

static bool no_more_pages(Machine *machine, u32 aspace, u64 address, u8 access)
{
	(void)machine, (void)aspace, (void)address, (void)access;
	return false;
}

static void run_subject(const Subject *subject)
{
	Buf text = {0};
	Isa *isa = load_isa(subject, &text);
	MachineConfig config = {.isa = isa, .size_program = 4096, .memory_limit = 64 << 20};
	DiagList *diags = malloc(sizeof(*diags));
	Eval *e = calloc(1, sizeof(*e));
	Machine *machine;
	Rng rng = {0x5EED};
	u32 compared = 0;

	diag_init(diags);
	assert_int_equal(machine_create(&config, &machine, diags), STATUS_OK);
	machine_set_pager(machine, no_more_pages);
	if (machine_paged_space(machine) != ISA_NONE)
		assert_int_equal(machine_pages_add(machine, 0, 0, PAGED_BYTES, ATTR_RIGHTS), STATUS_OK);
	for (u64 round = 0; round < subject->rounds; round++)
		one_round(machine, isa, &rng, round, e, &compared);
	assert_true(compared > subject->rounds / 3);
	machine_destroy(machine);
	isa_destroy(isa);
	diag_fini(diags);
	free(diags);
	free(e);
	buf_fini(&text);
}

static void test_lc3(void **state)
{
	static const char *const profiles[] = {"v3", "classic", "tiny"};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(profiles); i++)
		run_subject(&(Subject){"src/guests/lc3/lc3.isa", "profile", profiles[i], 20000});
}

static void test_rv64(void **state)
{
	(void)state;
	run_subject(&(Subject){"tests/isa/rv64gc.isa", NULL, NULL, 30000});
	run_subject(&(Subject){"src/guests/rv64/rv64.isa", NULL, NULL, 30000});
}

static void test_small(void **state)
{
	(void)state;
	run_subject(&(Subject){"tests/isa/iridium.isa", NULL, NULL, 10000});
	run_subject(&(Subject){"tests/isa/svm.isa", NULL, NULL, 10000});
}

static void test_museum(void **state)
{
	static const char *const files[] = {"fraud", "enigma", "buffed", "enigma_v2", "khoya", "aspire"};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(files); i++) {
		char path[64];

		snprintf(path, sizeof path, "examples/museum/%s.isa", files[i]);
		run_subject(&(Subject){path, NULL, NULL, 5000});
	}
}

static void test_constructs(void **state)
{
	(void)state;
	run_subject(&(Subject){"tests/isa/constructs.isa", NULL, NULL, 40000});
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_constructs), cmocka_unit_test(test_lc3),
					   cmocka_unit_test(test_rv64), cmocka_unit_test(test_small), cmocka_unit_test(test_museum)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
