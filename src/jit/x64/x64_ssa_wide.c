/* SPDX-License-Identifier: MIT
 *
 * Wide rounds (jit/ssa_wide.h) with AVX2: a loop within one code.
 *
 *     pointers are compared with the limit of the space, what is expected with what is there; a search looks at its first four
 *     words, for most ends there: it does not come so far that vectors are got ready (12 instructions, not 35)
 *
 *     prepare     numbers into all lanes, and what PHIs begin with by way of memory
 *     group:      (x64_wide_group.h) budget for some times; these times; pointers go on; as long as there are so many left
 *     one:        a single time, where fewer are left or paid for, or the group is not for sure on one page; back to where it fits
 *     ends:       what is put out is written behind the spills, where LANEs read it
 *
 * Pointers and the number of times are in fixed registers, which are spent. r15 and ymm15 are scratch. The upper halves of all vector
 * registers are 0 afterwards: other code is of the old encoding, which waits for them. Where slots are parked in vector registers,
 * those that are used are put into their places in memory meanwhile.
 */
#include <string.h>

#include "jit/ssa_wide.h"
#include "jit/x64/x64_wide_group.h"

enum { MAP_0F = 1, MAP_0F38, MAP_0F3A };
enum { PP_NONE, PP_66, PP_F3 };

static const u8 pointer_regs[SSA_WIDE_POINTERS_MOST] = { X64_RDX, X64_RSI, X64_RDI, X64_R8 };

typedef struct Vex {
	u8 map, pp, opcode;
	bool w, narrow; /* narrow: 128 bits */
} Vex;

static void vex(X64Buf *x, Vex v, bool r, bool index, bool b, u8 other)
{
	unsigned last = (~(unsigned)other & 15u) << 3 | (v.narrow ? 0 : 4u) | v.pp;

	if (v.map == MAP_0F && !v.w && !index && !b) {
		x64_byte(x, 0xC5);
		x64_byte(x, (r ? 0 : 0x80u) | last);
	} else {
		x64_byte(x, 0xC4);
		x64_byte(x, (r ? 0 : 0x80u) | (index ? 0 : 0x40u) | (b ? 0 : 0x20u) | v.map);
		x64_byte(x, (v.w ? 0x80u : 0) | last);
	}
	x64_byte(x, v.opcode);
}

/* to = other op rm; without a third operand other is 0. */
static void vex_reg(X64Buf *x, Vex v, u8 to, u8 other, u8 rm)
{
	vex(x, v, to & 8, false, rm & 8, other);
	x64_byte(x, 0xC0u | (to & 7u) << 3 | (rm & 7u));
}

static void vex_mem(X64Buf *x, Vex v, u8 reg, X64Mem mem)
{
	bool has_index = mem.index != X64_NONE, near = mem.disp >= -128 && mem.disp < 128;

	vex(x, v, reg & 8, has_index && (mem.index & 8), mem.base & 8, 0);
	x64_byte(x, (near ? 0x40u : 0x80u) | (reg & 7u) << 3 | (has_index || (mem.base & 7) == 4 ? 4u : mem.base & 7u));
	if (has_index || (mem.base & 7) == 4)
		x64_byte(x, (has_index ? mem.index & 7u : 4u) << 3 | (mem.base & 7u));
	if (near)
		x64_byte(x, (u8)mem.disp);
	else
		x64_imm32(x, mem.disp);
}

static const Vex load = { MAP_0F, PP_F3, 0x6F, false, false }, store = { MAP_0F, PP_F3, 0x7F, false, false };
static const Vex move = { MAP_0F, PP_66, 0x6F, false, false };

static X64Mem out_place(const X64Ssa *s, u32 number)
{
	return x64_at(X64_RBP, x64_slot(s->engine->slot_count + X64_WIDE + number));
}

static X64Mem cell(const SsaWide *wide, const SsaWideOp *op, u32 ahead)
{
	return x64_at_index(X64_RBX, pointer_regs[op->a], 0, (i32)(i64)op->imm + (i32)ahead * wide->step[op->a]);
}

static void broadcast(X64Buf *x, u8 to, u8 reg)
{
	vex_reg(x, (Vex){ MAP_0F, PP_66, 0x6E, true, true }, to, 0, reg);
	vex_reg(x, (Vex){ MAP_0F38, PP_66, 0x59, false, false }, to, 0, to);
}

/* Between round[at] and the next (or, back, the last) splice of the same two, is neither written to? Then what is made of them on
 * the way is still in the scratch register. */
static bool shares(const SsaWide *wide, u32 at, bool back)
{
	const SsaWideOp *op = &wide->round[at];

	for (u32 i = back ? at - 1 : at; i < wide->round_count; i += back ? ~(u32)0 : 1) {
		const SsaWideOp *other = &wide->round[i];
		bool writes = ssa_wide_makes(other) && (other->to == op->a || other->to == op->b);

		if (i != at && other->kind == SSA_WIDE_CANON)
			return false; /* it has used the scratch register */
		if (i != at && other->kind == SSA_WIDE_SPLICE) /* going back, its result may be one of the two */
			return other->a == op->a && other->b == op->b && !(back && writes);
		if (writes)
			return false;
	}
	return false;
}

static void splice(X64Buf *x, const SsaWide *wide, u32 at)
{
	const SsaWideOp *op = &wide->round[at];
	bool shared = shares(wide, at, false);
	u8 middle = op->lane == 2 && !shared ? op->to : X64_XMM_SCRATCH;

	/* a[2] a[3] b[0] b[1]; it is there if the splice before was of them, too. */
	if (shares(wide, at, true)) {
		middle = X64_XMM_SCRATCH;
	} else {
		vex_reg(x, (Vex){ MAP_0F3A, PP_66, 0x46, false, false }, middle, op->a, op->b);
		x64_byte(x, 0x21);
	}
	if (op->lane == 2) {
		if (middle != op->to)
			vex_reg(x, move, op->to, 0, middle);
		return;
	}
	vex_reg(x, (Vex){ MAP_0F3A, PP_66, 0x0F, false, false }, op->to, op->lane == 1 ? middle : op->b,
		op->lane == 1 ? op->a : middle);
	x64_byte(x, 8);
}

static void risk(X64Ssa *s)
{
	if (!arena_grow(s->arena, (void **)&s->risks, &s->risk_cap, s->risk_count, sizeof(*s->risks)))
		s->failed = true;
	else
		s->risks[s->risk_count++] = (struct X64Risk){ s->x.at, NULL, NULL };
}

static void emit_op(X64Ssa *s, const SsaWide *wide, u32 at, u32 ahead)
{
	static const Vex plain[] = {
		[SSA_WIDE_AND] = { MAP_0F, PP_66, 0xDB, false, false },
		[SSA_WIDE_ANDN] = { MAP_0F, PP_66, 0xDF, false, false },
		[SSA_WIDE_OR] = { MAP_0F, PP_66, 0xEB, false, false },
		[SSA_WIDE_XOR] = { MAP_0F, PP_66, 0xEF, false, false },
		[SSA_WIDE_ADD] = { MAP_0F, PP_66, 0xD4, false, false },
		[SSA_WIDE_SUB] = { MAP_0F, PP_66, 0xFB, false, false },
		[SSA_WIDE_EQ] = { MAP_0F38, PP_66, 0x29, false, false },
		[SSA_WIDE_SHL] = { MAP_0F38, PP_66, 0x47, true, false },
		[SSA_WIDE_SHR] = { MAP_0F38, PP_66, 0x45, true, false },
		[SSA_WIDE_FADD] = { MAP_0F, PP_66, 0x58, false, false },
		[SSA_WIDE_FSUB] = { MAP_0F, PP_66, 0x5C, false, false },
		[SSA_WIDE_FMUL] = { MAP_0F, PP_66, 0x59, false, false },
		[SSA_WIDE_FDIV] = { MAP_0F, PP_66, 0x5E, false, false },
	};
	const SsaWideOp *op = &wide->round[at];
	X64Buf *x = &s->x;

	switch (op->kind) {
	case SSA_WIDE_LOAD:
		risk(s);
		vex_mem(x, load, op->to, cell(wide, op, ahead));
		return;
	case SSA_WIDE_STORE:
		risk(s);
		vex_mem(x, store, op->b, cell(wide, op, ahead));
		return;
	case SSA_WIDE_TOUCH: /* or byte [..], 0 */
		risk(s);
		x64_reg_mem(x, 0, false, 0x80, X64_OR, cell(wide, op, ahead), false);
		x64_byte(x, 0);
		return;
	case SSA_WIDE_REACH:
		risk(s);
		x64_load(x, 64, X64_SCRATCH, cell(wide, op, ahead));
		return;
	case SSA_WIDE_SPLICE:
		splice(x, wide, at);
		return;
	case SSA_WIDE_CANON: /* unordered with itself; b there */
		vex_reg(x, (Vex){ MAP_0F, PP_66, 0xC2, false, false }, X64_XMM_SCRATCH, op->a, op->a);
		x64_byte(x, 3);
		vex_reg(x, (Vex){ MAP_0F3A, PP_66, 0x4B, false, false }, op->to, op->a, op->b);
		x64_byte(x, X64_XMM_SCRATCH << 4);
		return;
	case SSA_WIDE_KEEP:
		vex_reg(x, move, op->to, 0, op->a);
		return;
	default:
		vex_reg(x, plain[op->kind], op->to, op->a, op->b);
	}
}

/* regs: where the operands are. */
static void prepare(X64Ssa *s, const SsaWide *wide, const u8 *regs)
{
	X64Buf *x = &s->x;
	u32 written = 0;

	for (u32 i = 0; i < wide->prepare_count; i++) {
		const SsaWideOp *op = &wide->prepare[i];

		if (op->kind == SSA_WIDE_LANE || op->kind == SSA_WIDE_EXPECT)
			continue;
		if (op->kind == SSA_WIDE_CONST)
			x64_mov_imm(x, X64_SCRATCH, op->imm);
		broadcast(x, op->to, op->kind == SSA_WIDE_CONST ? X64_SCRATCH : regs[op->a]);
	}
	for (u32 i = 0; i < wide->prepare_count; i++) {
		u8 to = wide->prepare[i].to;

		if (wide->prepare[i].kind != SSA_WIDE_LANE || written >> to & 1)
			continue;
		written |= 1u << to;
		for (u32 k = i; k < wide->prepare_count; k++)
			if (wide->prepare[k].kind == SSA_WIDE_LANE && wide->prepare[k].to == to)
				x64_store(x, 64, out_place(s, wide->prepare[k].lane), regs[wide->prepare[k].a]);
		vex_mem(x, load, to, out_place(s, 0));
	}
}

static void patch_here(X64Ssa *s, u8 *site)
{
	if (!s->x.full)
		x64_patch(site, s->x.at);
}

/* Jumps that all go to one place. */
typedef struct Jumps {
	u8 *sites[SSA_WIDE_OPS_MOST + SSA_WIDE_POINTERS_MOST + 4];
	u32 count;
} Jumps;

static void jumps_add(Jumps *jumps, u8 *site)
{
	jumps->sites[jumps->count++] = site;
}

static void jumps_land(X64Ssa *s, const Jumps *jumps)
{
	for (u32 i = 0; i < jumps->count; i++)
		patch_here(s, jumps->sites[i]);
}

static void risks_land(X64Ssa *s, u32 first, u32 last)
{
	for (u32 i = first; i < last && !s->failed; i++)
		s->risks[i].to = s->x.at;
}

/* What was made of this memory is where it was. */
static void expect(X64Ssa *s, const SsaWide *wide, const u8 *regs, Jumps *nones)
{
	for (u32 i = 0; i < wide->prepare_count; i++) {
		const SsaWideOp *op = &wide->prepare[i];

		if (op->kind != SSA_WIDE_EXPECT)
			continue;
		risk(s);
		x64_alu_mem(&s->x, X64_CMP, 64, regs[op->a], x64_at_index(X64_RBX, pointer_regs[op->b], 0, (i32)(i64)op->imm));
		jumps_add(nones, x64_jcc(&s->x, X64_NE));
	}
}

/* ---- Groups of times ---- */

enum { SINGLE_FIRST = 3 };

/* Jumps where accesses are not on one page each. */
static void ask_pages(X64Ssa *s, const SsaWide *wide, const X64WideGroup *group, Jumps *crossing)
{
	i32 low, high;

	for (u32 i = 0; i < wide->pointer_count; i++) {
		if (!(group->paged >> i & 1))
			continue;
		x64_wide_span(wide, group, i, &low, &high);
		x64_lea(&s->x, 32, X64_SCRATCH, x64_at(pointer_regs[i], low));
		x64_alu_imm(&s->x, X64_AND, 32, X64_SCRATCH, X64_WIDE_PAGE - 1);
		x64_alu_imm(&s->x, X64_CMP, 32, X64_SCRATCH, X64_WIDE_PAGE - (high - low));
		jumps_add(crossing, x64_jcc(&s->x, X64_A));
	}
}

static void test_zero(X64Ssa *s, u8 reg)
{
	vex_reg(&s->x, (Vex){ MAP_0F38, PP_66, 0x17, false, false }, reg, 0, reg);
}

/* Before anything of the group is stored. */
static void reach(X64Ssa *s, const SsaWide *wide, const X64WideGroup *group)
{
	for (u32 i = 0; i < wide->round_count; i++)
		if (x64_wide_reaches_once(wide, group, &wide->round[i]))
			emit_op(s, wide, i, group->times - 1);
}

/* One time, `ahead` times further on; tests that are joined are or-ed to the scratch register. group NULL: it is alone. */
static void once(X64Ssa *s, const SsaWide *wide, const X64WideGroup *group, u32 ahead, Jumps *undos)
{
	static const Vex either = { MAP_0F, PP_66, 0xEB, false, false };

	for (u32 i = 0; i < wide->round_count; i++) {
		const SsaWideOp *op = &wide->round[i];

		if (op->kind == SSA_WIDE_TEST && group && group->joins) {
			vex_reg(&s->x, ahead ? either : move, X64_XMM_SCRATCH, ahead ? X64_XMM_SCRATCH : 0, op->a);
		} else if (op->kind == SSA_WIDE_TEST) {
			test_zero(s, op->a);
			jumps_add(undos, x64_jcc(&s->x, X64_NE));
		} else if (!group || !x64_wide_spares(wide, group, i, ahead)) {
			emit_op(s, wide, i, ahead);
		}
	}
}

/* All of a group that is a batch. */
static void batch(X64Ssa *s, const SsaWide *wide, const X64WideGroup *group)
{
	const SsaWideOp *loaded = NULL;

	for (u32 k = 0; k < group->times; k++)
		for (u32 i = 0; i < wide->round_count; i++) {
			SsaWideOp op = wide->round[i];

			if (x64_wide_spares(wide, group, i, k) || (op.kind != SSA_WIDE_LOAD && op.kind != SSA_WIDE_REACH))
				continue;
			if (op.kind == SSA_WIDE_REACH || x64_wide_unread(wide, i)) {
				emit_op(s, wide, i, k);
				continue;
			}
			loaded = &wide->round[i];
			risk(s);
			vex_mem(&s->x, load, x64_wide_batch_reg(wide, &op, k), cell(wide, &op, k));
		}
	for (u32 k = group->times; k-- > 0;)
		for (u32 i = 0; i < wide->round_count; i++)
			if (wide->round[i].kind == SSA_WIDE_STORE) {
				risk(s);
				vex_mem(&s->x, store, x64_wide_batch_reg(wide, loaded, k), cell(wide, &wide->round[i], k));
			}
	for (u32 i = 0; i < wide->round_count; i++)
		if (wide->round[i].kind == SSA_WIDE_KEEP)
			emit_op(s, wide, i, group->times - 1);
}

static void charge(X64Ssa *s, const SsaWide *wide, u32 times, Jumps *poor)
{
	x64_alu_imm(&s->x, X64_SUB, 64, X64_R14, (i32)(times * wide->cost));
	jumps_add(poor, x64_jcc(&s->x, X64_B));
}

static void pay_back(X64Ssa *s, const SsaWide *wide, u32 times)
{
	x64_alu_imm(&s->x, X64_ADD, 64, X64_R14, (i32)(times * wide->cost));
}

static void go_on(X64Ssa *s, const SsaWide *wide, u32 times)
{
	for (u32 i = 0; i < wide->pointer_count; i++)
		x64_alu_imm(&s->x, X64_ADD, 64, pointer_regs[i], (i32)times * wide->step[i]);
	x64_alu_imm(&s->x, X64_ADD, 64, X64_RAX, (i32)times);
}

/* A time of a group was done after all: it was paid back as all of it. */
static void one_done(X64Ssa *s, const SsaWide *wide)
{
	go_on(s, wide, 1);
	x64_alu_imm(&s->x, X64_SUB, 64, X64_R14, (i32)wide->cost);
}

static void jump_back(X64Ssa *s, u8 *site, u8 *to)
{
	if (!s->x.full)
		x64_patch(site, to);
}

/* To `to` if so many times are left: rcx says how many there are. */
static void back_if_left(X64Ssa *s, bool bounded, u32 times, u8 *to)
{
	if (!bounded) {
		jump_back(s, x64_jmp(&s->x), to);
		return;
	}
	x64_lea(&s->x, 64, X64_SCRATCH, x64_at(X64_RAX, (i32)times));
	x64_alu(&s->x, X64_CMP, 64, X64_SCRATCH, X64_RCX);
	jump_back(s, x64_jcc(&s->x, X64_BE), to);
}

/* Groups as long as they fit, else single times. A search begins with single ones, for most end soon. Where it ends, rax says how
 * many times were done. */
static void emit_times(X64Ssa *s, const SsaWide *wide, const X64WideGroup *group, Jumps *ends)
{
	X64Buf *x = &s->x;
	Jumps few = { .count = 0 }, poor = { .count = 0 }, no[X64_WIDE_GROUP] = { { .count = 0 } }, undos = { .count = 0 }, hits = { .count = 0 }, early = { .count = 0 };
	bool bounded = wide->counted || group->joins;
	u32 risks[X64_WIDE_GROUP + 1], begun;
	u8 *top, *again, *one;

	if (bounded && !wide->counted)
		x64_mov_imm(x, X64_RCX, INT64_MAX);
	if (group->joins) {
		jumps_add(&few, x64_jmp(x));
	} else if (bounded) {
		x64_alu_imm(x, X64_CMP, 64, X64_RCX, (i32)group->times);
		jumps_add(&few, x64_jcc(x, X64_B));
	}
	top = x->at;
	charge(s, wide, group->times, &poor);
	ask_pages(s, wide, group, &poor);
	for (u32 k = 0; k < group->times; k++) {
		risks[k] = s->risk_count;
		if (!k)
			reach(s, wide, group);
		if (!group->batch)
			once(s, wide, group, k, &no[k]);
		else if (!k)
			batch(s, wide, group);
	}
	risks[group->times] = s->risk_count;
	if (group->joins) {
		test_zero(s, X64_XMM_SCRATCH);
		jumps_add(&hits, x64_jcc(x, X64_NE));
	}
	go_on(s, wide, group->times);
	back_if_left(s, bounded, group->times, top);
	if (bounded) {
		x64_alu(x, X64_CMP, 64, X64_RAX, X64_RCX);
		jumps_add(&few, x64_jcc(x, X64_B));
		jumps_add(ends, x64_jmp(x));
	}
	jumps_land(s, &poor);
	again = x->at;
	pay_back(s, wide, group->times);
	jumps_land(s, &few);
	one = x->at;
	charge(s, wide, 1, &undos);
	begun = s->risk_count;
	once(s, wide, NULL, 0, &undos);
	go_on(s, wide, 1);
	if (group->joins) {
		x64_alu_imm(x, X64_CMP, 32, X64_RAX, SINGLE_FIRST);
		jumps_add(&early, x64_jcc(x, X64_B));
	}
	back_if_left(s, bounded, group->times, top);
	jumps_land(s, &early);
	if (bounded) {
		x64_alu(x, X64_CMP, 64, X64_RAX, X64_RCX);
		jump_back(s, x64_jcc(x, X64_B), one);
		jumps_add(ends, x64_jmp(x));
	}
	jumps_land(s, &undos);
	risks_land(s, begun, s->risk_count);
	pay_back(s, wide, 1);
	jumps_add(ends, x64_jmp(x));
	jumps_land(s, &hits);
	if (group->joins) { /* one of these times */
		x64_lea(x, 64, X64_RCX, x64_at(X64_RAX, (i32)group->times));
		jump_back(s, x64_jmp(x), again);
	}
	for (u32 k = group->times; --k;) {
		jumps_land(s, &no[k]);
		risks_land(s, risks[k], risks[k + 1]);
		if (!group->joins)
			one_done(s, wide);
	}
	jumps_land(s, &no[0]);
	risks_land(s, risks[0], risks[1]);
	pay_back(s, wide, group->times);
}

/* What is parked in registers that are used. */
static u32 parked_there(const X64Ssa *s, const SsaWide *wide)
{
	u32 which = 0;

	for (u32 i = 0; i < s->engine->park_count && !s->vectors; i++)
		if (x64_park_regs[i] < x64_wide_regs(wide))
			which |= 1u << i;
	return which;
}

/* ---- The first words of a search ---- */

enum { GLANCES = 4, GLANCE_REGS = 3, NOT = 2, NEG = 3 };

/* Where each vector register's word is: an operand's register, or one of three that are free. */
typedef struct Glance {
	u8 regs[SSA_WIDE_REGS];
	u32 spent;
} Glance;

static bool glance_reg(Glance *glance, u8 reg)
{
	static const u8 free_regs[GLANCE_REGS] = { X64_RAX, X64_RCX, X64_SCRATCH };

	if (glance->regs[reg] == X64_NONE && glance->spent < GLANCE_REGS)
		glance->regs[reg] = free_regs[glance->spent++];
	return glance->regs[reg] != X64_NONE;
}

/* Can it be done on words alone? operands: registers of theirs, or NULL. */
static bool glances(const SsaWide *wide, const u8 *operands, Glance *out)
{
	if (wide->counted || !x64_wide_group(wide).joins)
		return false;
	out->spent = 0;
	memset(out->regs, X64_NONE, sizeof(out->regs));
	for (u32 i = 0; i < wide->prepare_count; i++) {
		if (wide->prepare[i].kind != SSA_WIDE_SPLAT)
			return false;
		out->regs[wide->prepare[i].to] = operands ? operands[wide->prepare[i].a] : 0;
	}
	for (u32 i = 0; i < wide->round_count; i++) {
		const SsaWideOp *op = &wide->round[i];

		if (op->kind == SSA_WIDE_TEST || op->kind == SSA_WIDE_REACH)
			continue;
		if (op->kind != SSA_WIDE_LOAD && (op->kind < SSA_WIDE_AND || op->kind > SSA_WIDE_SUB))
			return false;
		if (!glance_reg(out, op->to))
			return false;
	}
	return true;
}

/* to = a op b */
static void glance_op(X64Ssa *s, const SsaWideOp *op, u8 to, u8 a, u8 b)
{
	static const u8 alu[] = {
		[SSA_WIDE_AND] = X64_AND, [SSA_WIDE_OR] = X64_OR, [SSA_WIDE_XOR] = X64_XOR, [SSA_WIDE_ADD] = X64_ADD, [SSA_WIDE_SUB] = X64_SUB,
	};
	X64Buf *x = &s->x;

	switch (op->kind) {
	case SSA_WIDE_ANDN:
		if (to == a) {
			x64_unary(x, 64, NOT, to);
			x64_alu(x, X64_AND, 64, to, b);
			return;
		}
		x64_mov(x, 64, to, b);
		x64_alu(x, X64_OR, 64, to, a);
		x64_alu(x, X64_XOR, 64, to, a);
		return;
	case SSA_WIDE_SUB:
		if (to == b && to != a) {
			x64_unary(x, 64, NEG, to);
			x64_alu(x, X64_ADD, 64, to, a);
			return;
		}
		break;
	case SSA_WIDE_ADD:
		if (to != a && to != b) {
			x64_lea(x, 64, to, x64_at_index(a, b, 0, 0));
			return;
		}
		break;
	}
	if (to == b && op->kind != SSA_WIDE_SUB) {
		b = a;
		a = to;
	}
	x64_mov(x, 64, to, a);
	x64_alu(x, (X64Alu)alu[op->kind], 64, to, b);
}

static void glance(X64Ssa *s, const SsaWide *wide, const u8 *operands, Jumps *nones)
{
	Glance glance;

	if (!glances(wide, operands, &glance))
		return;
	for (u32 lane = 0; lane < GLANCES; lane++)
		for (u32 i = 0; i < wide->round_count; i++) {
			const SsaWideOp *op = &wide->round[i];
			const u8 *regs = glance.regs;

			if (op->kind == SSA_WIDE_LOAD) {
				risk(s);
				x64_load(&s->x, 64, regs[op->to],
					x64_at_index(X64_RBX, pointer_regs[op->a], 0, (i32)(i64)op->imm + 8 * (i32)lane));
			} else if (op->kind == SSA_WIDE_TEST) {
				x64_test(&s->x, 64, regs[op->a], regs[op->a]);
				jumps_add(nones, x64_jcc(&s->x, X64_NE));
			} else if (op->kind != SSA_WIDE_REACH) {
				glance_op(s, op, regs[op->to], regs[op->a], regs[op->b]);
			}
		}
}

static void put_out(X64Ssa *s, const SsaWide *wide, Jumps *nones)
{
	bool there = false;

	for (u32 i = 0; i < wide->out_count; i++)
		there |= wide->outs[i].there;
	if (there) { /* or there may be nothing */
		x64_test(&s->x, 32, X64_RAX, X64_RAX);
		jumps_add(nones, x64_jcc(&s->x, X64_E));
	}
	for (u32 i = 0; i < wide->out_count; i++) {
		const SsaWideOut *out = &wide->outs[i];

		if (out->there)
			vex_mem(&s->x, load, X64_XMM_SCRATCH, x64_at_index(X64_RBX, pointer_regs[out->pointer], 0, out->off));
		vex_mem(&s->x, store, out->there ? X64_XMM_SCRATCH : out->reg, out_place(s, i * SSA_WIDE_LANES));
	}
}

static void emit(X64Ssa *s, const SsaWide *wide, const u8 *regs)
{
	X64Buf *x = &s->x;
	Jumps nones = { .count = 0 }, ends = { .count = 0 }, zero = { .count = 0 };
	u32 first_risk = s->risk_count, parked = parked_there(s, wide), last_risk;
	X64WideGroup group = x64_wide_group(wide);
	u8 *over;

	for (u32 i = 0; i < wide->pointer_count; i++) {
		if (wide->near[i])
			continue;
		x64_alu_mem(x, X64_CMP, 64, pointer_regs[i], x64_limit());
		jumps_add(&nones, x64_jcc(x, X64_AE));
	}
	expect(s, wide, regs, &nones);
	glance(s, wide, regs, &nones);
	last_risk = s->risk_count;
	x64_ssa_unpark(s, parked);
	prepare(s, wide, regs);
	x64_mov_imm(x, X64_RAX, 0); /* operands may have been there */
	emit_times(s, wide, &group, &ends);
	jumps_land(s, &ends);
	put_out(s, wide, &zero);
	jumps_land(s, &zero);
	x64_byte(x, 0xC5); /* vzeroupper */
	x64_byte(x, 0xF8);
	x64_byte(x, 0x77);
	x64_ssa_park_again(s, parked);
	over = x64_jmp(x);
	jumps_land(s, &nones);
	risks_land(s, first_risk, last_risk);
	x64_mov_imm(x, X64_RAX, 0);
	patch_here(s, over);
}

void x64_ssa_wide(X64Ssa *s, const SsaNode *node)
{
	const SsaWide *wide = s->func->wides[node->imm];
	const SsaRef *operands = &s->func->pool[node->a];
	u8 regs[SSA_WIDE_OPERANDS_MOST] = { 0 };
	u32 spent = 1u << X64_RAX;
	Glance first;
	bool early = !glances(wide, NULL, &first); /* they are read before anything is written */

	if (wide->counted)
		x64_arg_fixed(s, operands[0], X64_RCX, true);
	if (wide->counted || x64_wide_group(wide).joins)
		spent |= 1u << X64_RCX;
	for (u32 i = 0; i < wide->pointer_count; i++) {
		x64_arg_fixed(s, operands[1 + i], pointer_regs[i], true);
		spent |= 1u << pointer_regs[i];
	}
	for (u32 i = 1 + wide->pointer_count; i < wide->operand_count; i++)
		regs[i] = x64_arg_reg(s, operands[i], early);
	x64_result_in(s, X64_RAX);
	x64_clobber(s, spent, ((1u << x64_wide_regs(wide)) - 1) & (s->vectors ? X64_XMMS : X64_XMMS_LEFT));
	if (!s->engine->env.paged || wide->space != s->engine->env.code_space || !s->engine->lists_faults)
		s->unsupported = true;
	if (s->emitting)
		emit(s, wide, regs);
}

void x64_ssa_lane(X64Ssa *s, const SsaNode *node)
{
	u8 to = x64_result(s, SSA_GPR);

	if (s->emitting)
		x64_load(&s->x, 64, to, out_place(s, (u32)node->imm * SSA_WIDE_LANES + node->aux));
}
