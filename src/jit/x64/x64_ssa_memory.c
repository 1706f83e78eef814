/* SPDX-License-Identifier: MIT
 *
 * Accesses of a region.
 *
 * The paged space, soft: page number, right and mark are tested, as in x64_memory.c. Hard (func->hard_spaces): a CHECK has
 * compared the address with the space's limit, the rest the host's pages do; each access tells where to go when they
 * say no. Other spaces: x64_cells.c.
 */
#include "jit/x64/x64_ssa.h"

enum { GUARDED = SPACE_GUARD - 64, FIXED_MOST = 1 << 30 };

static bool is_paged(const X64Ssa *s, u32 space)
{
	return s->engine->env.paged && space == s->engine->env.code_space;
}

/* Nothing is to be asked (ssa_sure.c), and there is no way out. */
static bool is_sure(const SsaNode *node)
{
	return (node->op == SSA_LOAD || node->op == SSA_STORE) && node->c;
}

/* Of an access to the paged space. */
static bool is_hard(const X64Ssa *s, const SsaNode *node)
{
	u32 space = s->engine->env.code_space;

	return space < 64 && (s->func->hard_spaces >> space & 1) &&
	       (is_sure(node) || !jit_asks_softly(s->engine, s->func->snaps[node->snap].pc));
}

/* The next instruction of the host is the access: when it is refused, the way out is taken. The view may allow less than
 * attr does, so who asks first may fault, too. */
void x64_ssa_risk(X64Ssa *s)
{
	JitExit *exit;

	if (!s->engine->lists_faults)
		return;
	exit = x64_ssa_exit(s, JIT_EXIT_BAIL, 0);
	x64_ssa_add_stub(s, NULL, exit);
	if (!arena_grow(s->arena, (void **)&s->risks, &s->risk_cap, s->risk_count, sizeof(*s->risks)))
		s->failed = true;
	else
		s->risks[s->risk_count++] = (struct X64Risk){ s->x.at, NULL, exit };
}

/* base + imm in a register: its own, or scratch. */
static u8 address_of(X64Ssa *s, u8 base, unsigned width, u64 imm)
{
	X64Buf *x = &s->x;

	if (!imm)
		return base;
	if ((i64)imm == (i32)imm) {
		x64_lea(x, x64_bits(width), X64_SCRATCH, x64_at(base, (i32)imm));
	} else {
		x64_mov_imm(x, X64_SCRATCH, imm);
		x64_alu(x, X64_ADD, x64_bits(width), X64_SCRATCH, base);
	}
	x64_ssa_mask(s, width, X64_SCRATCH);
	return X64_SCRATCH;
}

/* An access that is not aligned comes back when it stays on its page. */
static void soft_check(X64Ssa *s, u8 address, u8 temp, unsigned bytes, u8 mask, u8 want)
{
	X64Buf *x = &s->x;

	if (bytes > 1) {
		X64Late *late;

		x64_test_imm8(x, address, (u8)(bytes - 1));
		late = x64_ssa_late(s, X64_LATE_CROSSING, x64_jcc(x, X64_NE));
		if (late) {
			late->reg = address;
			late->temp = temp;
			late->bytes = bytes;
			late->exit = x64_ssa_exit(s, JIT_EXIT_BAIL, 0);
		}
	}
	x64_mov(x, 64, temp, address);
	x64_shift_imm(x, X64_SHR, 64, temp, SPACE_PAGE_SHIFT);
	x64_alu_imm(x, X64_CMP, 64, temp, (i32)s->engine->env.pages);
	x64_ssa_exit_if(s, X64_AE);
	x64_alu_mem(x, X64_ADD, 64, temp, x64_frame(s->engine, X64_AT_ATTR));
	x64_load_zx(x, 8, temp, x64_at(temp, 0));
	x64_alu_imm(x, X64_AND, 32, temp, mask);
	x64_alu_imm(x, X64_CMP, 32, temp, want);
	x64_ssa_exit_if(s, X64_NE);
}

void x64_ssa_late_crossing(X64Ssa *s, const X64Late *late)
{
	X64Buf *x = &s->x;

	x64_mov(x, 32, late->temp, late->reg);
	x64_alu_imm(x, X64_AND, 32, late->temp, SPACE_PAGE - 1);
	x64_alu_imm(x, X64_CMP, 32, late->temp, (i32)(SPACE_PAGE - late->bytes));
	x64_ssa_add_stub(s, x64_jcc(x, X64_A), late->exit);
}

/* Where the access goes, after all checks; asks for the address and what the checks need. */
static X64Mem paged_cell(X64Ssa *s, const SsaNode *node, unsigned bytes, u8 mask, u8 want, bool early)
{
	unsigned width = s->func->nodes[node->a].width;
	u8 base, temp = 0, address;
	u64 fixed;

	/* What is in a program's image is at constant addresses: CHECKs have seen to them, so the sum is near the space or in it. */
	if ((node->op == SSA_LOAD || node->op == SSA_STORE) && is_hard(s, node) && ssa_is_const(s->func, node->a, &fixed) &&
	    width == 64 && fixed < FIXED_MOST && node->imm + GUARDED < 2 * (u64)GUARDED)
		return x64_at(X64_RBX, (i32)(i64)(fixed + node->imm));
	base = x64_arg_reg(s, node->a, early);
	if (is_hard(s, node)) {
		/* The address is below the limit; with what is added it must end in a guard, at the worst. */
		if (width != 64 || node->imm + GUARDED >= 2 * (u64)GUARDED)
			s->unsupported = true;
		return x64_at_index(X64_RBX, base, 0, (i32)node->imm);
	}
	if (is_sure(node)) {
		if (s->emitting)
			base = address_of(s, base, width, node->imm);
		return x64_at_index(X64_RBX, base, 0, 0);
	}
	if (s->engine->env.pages > 0x7FFFFFFF)
		s->unsupported = true;
	temp = x64_temp(s, SSA_GPR);
	if (!s->emitting)
		return x64_at(X64_RBX, 0);
	address = address_of(s, base, width, node->imm);
	soft_check(s, address, temp, bytes, mask, want);
	return x64_at_index(X64_RBX, address, 0, 0);
}

X64Mem x64_ssa_paged_cell(X64Ssa *s, const SsaNode *node, u8 mask, u8 want)
{
	return paged_cell(s, node, 1, mask, want, false);
}

static void load_paged(X64Ssa *s, SsaRef ref)
{
	const SsaNode *node = &s->func->nodes[ref];
	SsaRef joined = s->joined[ref];
	bool bring = joined && s->func->nodes[joined].op == SSA_BRING;
	u8 cls = s->cls[ref], to;
	X64Mem cell;

	if (node->width != 8 && node->width != 16 && node->width != 32 && node->width != 64) {
		s->unsupported = true;
		return;
	}
	cell = paged_cell(s, node, node->width / 8u, ATTR_PAGED_LOAD, ATTR_READ, true);
	to = bring ? x64_ssa_park(s, s->func->nodes[joined].aux) : x64_result(s, cls);
	if (!s->emitting)
		return;
	if (!is_sure(node))
		x64_ssa_risk(s);
	if (bring) {
		x64_xmm_load(&s->x, 64, to, cell);
	} else if (joined) {
		bool wide = s->func->nodes[joined].width == 64;

		if (wide || node->width == 32)
			x64_load_sx(&s->x, node->width, to, cell);
		else
			x64_reg_mem(&s->x, 0, false, node->width == 8 ? 0x0FBE : 0x0FBF, to, cell, false);
	} else if (cls == SSA_XMM) {
		x64_xmm_load(&s->x, node->width, to, cell);
	} else {
		x64_load_zx(&s->x, node->width, to, cell);
	}
}

static void store_paged(X64Ssa *s, const SsaNode *node)
{
	SsaRef value = ssa_value(s->func, node->b);
	unsigned width = node->width;
	u8 from = 0, park;
	i32 imm = 0;
	bool fixed, floats;
	X64Mem cell;

	if (width != 8 && width != 16 && width != 32 && width != 64) {
		s->unsupported = true;
		return;
	}
	if (width < 64)
		value = x64_ssa_low(s, value);
	floats = s->cls[value] == SSA_XMM && s->func->nodes[value].op != SSA_CONST && width >= 32;
	park = width >= 32 ? x64_ssa_park_of(s, value) : JIT_NO_PIN;
	fixed = x64_imm(s, value, x64_bits(width), &imm);
	cell = paged_cell(s, node, width / 8, ATTR_PAGED_STORE, ATTR_WRITE, false);
	if (park != JIT_NO_PIN)
		from = park;
	else if (!fixed)
		from = floats ? x64_arg_xmm(s, value, false) : x64_arg_reg(s, value, false);
	if (!s->emitting)
		return;
	if (!is_sure(node))
		x64_ssa_risk(s);
	if (fixed)
		x64_store_imm(&s->x, width, cell, imm);
	else if (floats || park != JIT_NO_PIN)
		x64_xmm_store(&s->x, width, cell, from);
	else
		x64_store(&s->x, width, cell, from);
}

/* ---- Spaces of cells ---- */

static X64Cells describe(const X64Ssa *s, const SsaNode *node)
{
	u32 number = node->aux & ~(u32)IR_RAW;
	X64Cells access = { .space = &s->engine->spaces[number], .number = number, .store = node->op == SSA_STORE,
			    .width = node->width, .address_width = s->func->nodes[node->a].width };

	access.fixed = ssa_is_const(s->func, node->a, &access.address);
	if (access.fixed) {
		access.address += node->imm;
		if (access.address_width < 64)
			access.address &= ((u64)1 << access.address_width) - 1;
	}
	access.plain = number < 64 && (s->engine->plain_spaces >> number & 1);
	return access;
}

/* Nothing but leaving. Where an access like one before is sure, it has no way out: that one has left. */
static void never(X64Ssa *s)
{
	if (s->emitting && s->code->snap != ~(u32)0)
		x64_ssa_add_stub(s, x64_jmp(&s->x), x64_ssa_exit(s, JIT_EXIT_BAIL, 0));
}

typedef struct Cells {
	X64Cells access;
	u8 spaces, index, temp, more;
} Cells;

static Cells check_cells(X64Ssa *s, const SsaNode *node, bool early)
{
	Cells c = { .access = describe(s, node), .spaces = X64_RBX };
	u8 base = c.access.fixed ? 0 : x64_arg_reg(s, node->a, early), *sites[X64_CELLS_SITES];
	unsigned count;

	c.temp = x64_temp(s, SSA_GPR);
	if (s->engine->env.paged || x64_cells_swaps(&c.access))
		c.more = x64_temp(s, SSA_GPR);
	if (!s->emitting)
		return c;
	if (s->engine->env.paged) {
		c.spaces = c.more;
		x64_load(&s->x, 64, c.spaces, x64_frame(s->engine, X64_AT_SPACES));
	}
	if (!c.access.fixed)
		base = address_of(s, base, c.access.address_width, node->imm);
	c.index = x64_cells_index(&s->x, &c.access, base, X64_SCRATCH);
	if (is_sure(node))
		return c;
	count = x64_cells_check(&s->x, &c.access, c.spaces, c.index, c.temp, sites);
	for (unsigned i = 0; i < count; i++)
		x64_ssa_add_stub(s, sites[i], x64_ssa_exit(s, JIT_EXIT_BAIL, 0));
	return c;
}

static void load_cells(X64Ssa *s, SsaRef ref)
{
	const SsaNode *node = &s->func->nodes[ref];
	X64Cells access = describe(s, node);
	u8 to;
	Cells c;

	if (!x64_cells_possible(&access)) {
		x64_result(s, SSA_GPR);
		never(s);
		return;
	}
	c = check_cells(s, node, false);
	to = x64_result(s, SSA_GPR);
	if (s->emitting)
		x64_cells_load(&s->x, &c.access, c.spaces, c.index, c.temp, to, s->joined[ref] != 0);
}

static void store_cells(X64Ssa *s, const SsaNode *node)
{
	X64Cells access = describe(s, node);
	u8 value;
	Cells c;

	if (!x64_cells_possible(&access)) {
		never(s);
		return;
	}
	c = check_cells(s, node, false);
	value = x64_arg_reg(s, node->b, false);
	if (!s->emitting)
		return;
	if (x64_cells_swaps(&c.access)) {
		if (s->engine->env.paged) {
			x64_mov(&s->x, 64, c.temp, c.spaces);
			c.spaces = c.temp;
		}
		x64_mov(&s->x, 64, c.more, value);
		value = c.more;
	}
	x64_cells_store(&s->x, &c.access, c.spaces, c.index, c.temp, value);
}

/* ---- Slots that stay at home ---- */

void x64_ssa_fetch(X64Ssa *s, SsaRef ref)
{
	const SsaNode *node = &s->func->nodes[ref];
	X64Mem home = x64_at(X64_RBP, x64_slot(node->aux));
	u8 cls = s->cls[ref], to = x64_result(s, cls), park = x64_ssa_park(s, node->aux);

	if (!s->emitting)
		return;
	if (park != JIT_NO_PIN)
		x64_movq_from_xmm(&s->x, 64, to, park);
	else if (cls == SSA_XMM)
		x64_xmm_load(&s->x, 64, to, home);
	else
		x64_load(&s->x, 64, to, home);
}

/* From the home of another slot, if that can be done without a general register. */
static bool bring_home(X64Ssa *s, u32 slot, SsaRef value)
{
	u8 from = x64_ssa_park_of(s, value), to = x64_ssa_park(s, slot);

	if (from != JIT_NO_PIN) {
		if (s->emitting && to != JIT_NO_PIN)
			x64_reg_reg(&s->x, 0, false, 0x0F28, to, from, false); /* movaps */
		else if (s->emitting)
			x64_xmm_store(&s->x, 64, x64_at(X64_RBP, x64_slot(slot)), from);
		return true;
	}
	if (to == JIT_NO_PIN || !x64_ssa_at_home(s, value))
		return false;
	if (s->emitting)
		x64_xmm_load(&s->x, 64, to, x64_at(X64_RBP, x64_slot(s->func->nodes[value].aux)));
	return true;
}

/* a + b, where a is what the slot held. */
static void add_at_home(X64Ssa *s, u32 slot, SsaRef a, SsaRef b)
{
	u8 park = x64_ssa_park_of(s, a), from, other;

	if (park != JIT_NO_PIN || x64_ssa_at_home(s, a)) {
		other = x64_arg_reg(s, b, false);
		if (!s->emitting)
			return;
		if (park == JIT_NO_PIN) {
			x64_reg_mem(&s->x, 0, true, 0x01, other, x64_at(X64_RBP, x64_slot(slot)), false); /* add [home], other */
			return;
		}
		x64_movq_to_xmm(&s->x, 64, X64_XMM_SCRATCH, other);
		x64_reg_reg(&s->x, 0x66, false, 0x0FD4, park, X64_XMM_SCRATCH, false); /* paddq */
		return;
	}
	from = x64_arg_reg(s, a, false);
	other = x64_arg_reg(s, b, false);
	if (!s->emitting)
		return;
	x64_lea(&s->x, 64, X64_SCRATCH, x64_at_index(from, other, 0, 0));
	x64_ssa_home_store(s, slot, X64_SCRATCH);
}

void x64_ssa_bring(X64Ssa *s, const SsaNode *node)
{
	SsaRef value = ssa_value(s->func, node->a);
	const SsaNode *made = &s->func->nodes[value];
	bool floats = s->cls[value] == SSA_XMM && made->op != SSA_CONST && node->width == 64;
	u8 from;
	i32 imm = 0;

	if (x64_imm(s, value, 64, &imm)) {
		if (s->emitting)
			x64_ssa_home_imm(s, node->aux, imm);
		return;
	}
	if (s->way[value] == X64_FOLDED && made->op == IR_OP_ADD) {
		add_at_home(s, node->aux, ssa_value(s->func, made->a), ssa_value(s->func, made->b));
		return;
	}
	if (s->way[value] == X64_FOLDED) { /* SX of 32 bits */
		from = x64_arg_reg(s, x64_ssa_low(s, made->a), false);
		if (!s->emitting)
			return;
		x64_ssa_sx(s, 32, X64_SCRATCH, from);
		x64_ssa_home_store(s, node->aux, X64_SCRATCH);
		return;
	}
	if (bring_home(s, node->aux, value))
		return;
	from = floats ? x64_arg_xmm(s, value, false) : x64_arg_reg(s, value, false);
	if (!s->emitting)
		return;
	if (!floats)
		x64_ssa_home_store(s, node->aux, from);
	else
		x64_xmm_store(&s->x, 64, x64_at(X64_RBP, x64_slot(node->aux)), from);
}

/* ---- Both ---- */

void x64_ssa_load(X64Ssa *s, SsaRef ref)
{
	const SsaNode *node = &s->func->nodes[ref];

	if (is_paged(s, node->aux))
		load_paged(s, ref);
	else if (s->engine->spaces)
		load_cells(s, ref);
	else
		s->unsupported = true;
}

void x64_ssa_store(X64Ssa *s, const SsaNode *node)
{
	if (is_paged(s, node->aux))
		store_paged(s, node);
	else if (s->engine->spaces)
		store_cells(s, node);
	else
		s->unsupported = true;
}

void x64_ssa_check(X64Ssa *s, const SsaNode *node)
{
	u8 address;

	if (!(s->func->hard_spaces >> node->aux & 1))
		return;
	address = x64_arg_reg(s, node->a, false);
	if (!s->emitting)
		return;
	x64_alu_mem(&s->x, X64_CMP, 64, address, x64_limit());
	x64_ssa_exit_if(s, X64_AE);
}
