/* SPDX-License-Identifier: MIT
 *
 * Accesses to memory.
 *
 * One to the paged space is plain when its page has the right, no mark, and it does not cross pages (one that is not
 * aligned is looked at aside); one to another space when its cells are there and have no mark (x64_cells.h). Any other is
 * left to the cold engine. In a hard space only the end of the space is looked at here; all else makes a signal, which goes
 * on at the way out to the cold engine (jit_signal.h).
 */
#include "jit/x64/x64_code.h"

static bool is_paged(const X64Code *c, const IrIns *ins)
{
	return c->engine->env.paged && (ins->aux & ~(unsigned)IR_RAW) == c->engine->env.code_space;
}

/* An access to another space. */
static X64Cells describe(const X64Code *c, const IrIns *ins)
{
	u32 number = ins->aux & ~(u32)IR_RAW;
	X64Cells access = { .space = &c->engine->spaces[number], .number = number, .store = ins->op == IR_OP_STORE };

	access.width = access.store ? (u8)ir_width(c->func, ins->b) : ins->width;
	access.address_width = (u8)ir_width(c->func, ins->a);
	access.fixed = ir_is_const(c->func, ins->a, &access.address);
	access.plain = number < 64 && (c->engine->plain_spaces >> number & 1);
	return access;
}

bool x64_access_supported(const X64Code *c, const IrIns *ins)
{
	unsigned width = ins->op == IR_OP_LOAD ? ins->width : ir_width(c->func, ins->b);
	X64Cells access;

	if (is_paged(c, ins))
		return !(ins->aux & IR_RAW) && (width == 8 || width == 16 || width == 32 || width == 64);
	access = describe(c, ins);
	return x64_cells_possible(&access);
}

bool x64_load_signs(const X64Code *c, const IrIns *ins)
{
	X64Cells access;

	if (is_paged(c, ins))
		return true;
	access = describe(c, ins);
	return x64_cells_signs(&access);
}

/* An access that is not aligned: it comes back when it stays on its page. rax = the address. */
static void add_crossing(X64Code *c, u8 *site, unsigned bytes)
{
	JitExit *exit = x64_bail(c);

	if (!exit || !arena_grow(&c->engine->arena, (void **)&c->crossings, &c->crossing_cap, c->crossing_count,
				 sizeof(*c->crossings))) {
		c->failed = true;
		return;
	}
	c->crossings[c->crossing_count++] = (Crossing){ .site = site, .back = c->x.at, .exit = exit, .bytes = bytes };
}

void x64_emit_crossings(X64Code *c)
{
	X64Buf *x = &c->x;

	for (u32 i = 0; i < c->crossing_count; i++) {
		const Crossing *crossing = &c->crossings[i];
		u8 *back;

		x64_here(c, crossing->site);
		x64_mov(x, 32, X64_RCX, X64_RAX);
		x64_alu_imm(x, X64_AND, 32, X64_RCX, SPACE_PAGE - 1);
		x64_alu_imm(x, X64_CMP, 32, X64_RCX, (i32)(SPACE_PAGE - crossing->bytes));
		x64_add_stub(c, x64_jcc(x, X64_A), crossing->exit);
		back = x64_jmp(x);
		if (!x->full)
			x64_patch(back, crossing->back);
	}
}

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
	x64_bail_if(c, X64_AE);
	x64_load(x, 64, X64_RDX, x64_frame(c->engine, X64_AT_ATTR));
	x64_load_zx(x, 8, X64_RCX, x64_at_index(X64_RDX, X64_RCX, 0, 0));
	x64_alu_imm(x, X64_AND, 32, X64_RCX, mask);
	x64_alu_imm(x, X64_CMP, 32, X64_RCX, want);
	x64_bail_if(c, X64_NE);
}

/* Where Vcpu.spaces is: rbx, or loaded into `into`. */
static u8 spaces_in(X64Code *c, u8 into)
{
	if (!c->engine->env.paged)
		return X64_RBX;
	x64_load(&c->x, 64, into, x64_frame(c->engine, X64_AT_SPACES));
	return into;
}

/* The register with the cell's index, which is there and has no mark; rax or the address's own. */
static u8 check_cells(X64Code *c, const IrIns *ins, const X64Cells *access)
{
	u8 index = x64_cells_index(&c->x, access, access->fixed ? X64_RAX : x64_in(c, ins->a, X64_RAX), X64_RAX);
	u8 *sites[X64_CELLS_SITES];
	unsigned count = x64_cells_check(&c->x, access, spaces_in(c, X64_RDX), index, X64_RCX, sites);

	for (unsigned i = 0; i < count; i++)
		x64_add_stub(c, sites[i], x64_bail(c));
	return index;
}

static void load_cells(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	u32 into = c->values[at].into, result = into ? into : at;
	X64Cells access = describe(c, ins);
	u8 index = check_cells(c, ins, &access), to;

	x64_release(c, ins->a);
	if (!c->values[result].uses)
		return;
	to = x64_choose_place(c, result);
	x64_cells_load(&c->x, &access, spaces_in(c, X64_RCX), index, X64_RCX, to, into != 0);
	x64_settle(c, result, to);
}

/* What the cell holds, and where it is, for the time that the store may have to be taken back. */
static void save_cells(X64Code *c, const X64Cells *access, const Undo *undo, u8 index)
{
	X64Buf *x = &c->x;

	x64_store(x, 64, x64_at(X64_RBP, x64_undo_place(c, undo, false)), index);
	x64_cells_load(x, access, spaces_in(c, X64_RCX), index, X64_RCX, X64_RDX, false);
	x64_store(x, 64, x64_at(X64_RBP, x64_undo_place(c, undo, true)), X64_RDX);
}

static void store_cells(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	X64Cells access = describe(c, ins);
	const Undo *undo = x64_undo_of(c, at);
	u8 index = check_cells(c, ins, &access), value;

	if (undo)
		save_cells(c, &access, undo, index);
	value = x64_in(c, ins->b, X64_RDX);

	if (x64_cells_swaps(&access)) {
		x64_mov(&c->x, 64, X64_RDX, value);
		value = X64_RDX;
	}
	x64_cells_store(&c->x, &access, spaces_in(c, X64_RCX), index, X64_RCX, value);
	x64_release(c, ins->a);
	x64_release(c, ins->b);
}

X64Mem x64_checked(X64Code *c, IrRef address, unsigned bytes, u8 mask, u8 want)
{
	u8 reg;

	if (jit_asks_softly(c->engine, c->pc)) {
		check_access(c, address, bytes, mask, want);
		return x64_at_index(X64_RBX, X64_RAX, 0, 0);
	}
	reg = x64_in(c, address, X64_RAX);
	/* The end is a power of two. (To compare with a limit on the stack took nbody 25 % longer.) */
	x64_mov(&c->x, 64, X64_RCX, reg);
	x64_shift_imm(&c->x, X64_SHR, 64, X64_RCX, (u8)(SPACE_PAGE_SHIFT + __builtin_ctzll(c->engine->env.pages)));
	x64_bail_if(c, X64_NE);
	return x64_at_index(X64_RBX, reg, 0, 0);
}

void x64_risk(X64Code *c)
{
	if (!c->engine->lists_faults)
		return;
	if (!arena_grow(&c->engine->arena, (void **)&c->risks, &c->risk_cap, c->risk_count, sizeof(*c->risks))) {
		c->failed = true;
		return;
	}
	c->risks[c->risk_count++] = (Risk){ c->x.at, x64_bail(c) };
	x64_add_stub(c, NULL, x64_bail(c));
}

void x64_list_faults(X64Code *c)
{
	for (u32 i = 0; i < c->risk_count && !c->failed && !c->x.full; i++)
		c->failed = !jit_faults_add(&c->engine->faults, (u32)(c->risks[i].at - c->engine->rw), c->risks[i].exit->stub);
}

void x64_emit_load(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	u32 into = c->values[at].into;
	bool used = c->values[into ? into : at].uses;
	u8 to = X64_RAX;
	X64Mem cell;

	if (!is_paged(c, ins)) {
		load_cells(c, at);
		return;
	}
	cell = x64_checked(c, ins->a, ins->width / 8u, ATTR_PAGED_LOAD, ATTR_READ);
	x64_release(c, ins->a);
	if (!used && jit_asks_softly(c->engine, c->pc))
		return; /* it may be made, that is all */
	if (used)
		to = x64_choose_place(c, into ? into : at);
	x64_risk(c);
	if (into)
		x64_load_sx(&c->x, ins->width, to, cell);
	else
		x64_load_zx(&c->x, ins->width, to, cell);
	if (used)
		x64_settle(c, into ? into : at, to);
}

void x64_take_back(X64Code *c, const Undo *undo)
{
	const IrIns *ins = &c->func->ins[undo->store];
	X64Buf *x = &c->x;
	X64Cells access;

	x64_load(x, 64, X64_RAX, x64_at(X64_RBP, x64_undo_place(c, undo, false)));
	x64_load(x, 64, X64_RDX, x64_at(X64_RBP, x64_undo_place(c, undo, true)));
	if (is_paged(c, ins)) {
		x64_store(x, ir_width(c->func, ins->b), x64_at_index(X64_RBX, X64_RAX, 0, 0), X64_RDX);
		return;
	}
	access = describe(c, ins);
	x64_cells_store(x, &access, spaces_in(c, X64_RCX), X64_RAX, X64_RCX, X64_RDX);
}

void x64_emit_store(X64Code *c, u32 at)
{
	const IrIns *ins = &c->func->ins[at];
	unsigned width = ir_width(c->func, ins->b);
	const Undo *undo;
	X64Mem cell;
	u8 value;

	if (!is_paged(c, ins)) {
		store_cells(c, at);
		return;
	}
	cell = x64_checked(c, ins->a, width / 8, ATTR_PAGED_STORE, ATTR_WRITE);
	undo = x64_undo_of(c, at);
	if (undo) {
		x64_store(&c->x, 64, x64_at(X64_RBP, x64_undo_place(c, undo, false)), cell.index);
		x64_risk(c);
		x64_load_zx(&c->x, width, X64_RDX, cell);
		x64_store(&c->x, 64, x64_at(X64_RBP, x64_undo_place(c, undo, true)), X64_RDX);
	}
	value = x64_in(c, ins->b, X64_RCX);
	x64_risk(c);
	x64_store(&c->x, width, cell, value);
	x64_release(c, ins->a);
	x64_release(c, ins->b);
}
