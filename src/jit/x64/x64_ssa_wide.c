/* SPDX-License-Identifier: MIT
 *
 * Wide rounds (jit/ssa_wide.h) with AVX2: a loop within one code.
 *
 *     prepare     numbers into all lanes, and what PHIs begin with by way of memory
 *                 pointers are compared with the limit of the space, what is expected with what is there
 *     two:        budget for two times; loads; tests; touches; stores; what is kept; all of it once more; pointers go on
 *     one:        where only one time is left, or paid for
 *     undo:       what a time took of the budget is given back: tests lead here, and what the host refuses
 *     done:       what is put out is written behind the spills, where LANEs read it
 *
 * Pointers and the number of times are in fixed registers, which are spent. r15 and ymm15 are scratch. The upper halves of all vector
 * registers are 0 afterwards: other code is of the old encoding, which waits for them. Where slots are parked in vector registers,
 * those that are used are put into their places in memory meanwhile.
 */
#include "jit/ssa_wide.h"
#include "jit/x64/x64_ssa.h"

enum { MAP_0F = 1, MAP_0F38, MAP_0F3A };
enum { PP_NONE, PP_66, PP_F3 };
enum { VECTOR = 8 * SSA_WIDE_LANES };

static const u8 pointer_regs[SSA_WIDE_POINTERS_MOST] = { X64_RDX, X64_RSI, X64_RDI, X64_R8 };

typedef struct Vex {
	u8 map, pp, opcode;
	bool w, narrow; /* narrow: 128 bits */
} Vex;

static void vex(X64Buf *x, Vex v, bool r, bool index, bool b, u8 other)
{
	x64_byte(x, 0xC4);
	x64_byte(x, (r ? 0 : 0x80u) | (index ? 0 : 0x40u) | (b ? 0 : 0x20u) | v.map);
	x64_byte(x, (v.w ? 0x80u : 0) | (~(unsigned)other & 15u) << 3 | (v.narrow ? 0 : 4u) | v.pp);
	x64_byte(x, v.opcode);
}

/* to = other op rm; without a third operand other is 0. */
static void vex_reg(X64Buf *x, Vex v, u8 to, u8 other, u8 rm)
{
	vex(x, v, to & 8, false, rm & 8, other);
	x64_byte(x, 0xC0u | (to & 7u) << 3 | (rm & 7u));
}

/* base + index + disp of 32 bits. */
static void vex_mem(X64Buf *x, Vex v, u8 reg, X64Mem mem)
{
	bool has_index = mem.index != X64_NONE;

	vex(x, v, reg & 8, has_index && (mem.index & 8), mem.base & 8, 0);
	x64_byte(x, 0x80u | (reg & 7u) << 3 | (has_index || (mem.base & 7) == 4 ? 4u : mem.base & 7u));
	if (has_index || (mem.base & 7) == 4)
		x64_byte(x, (has_index ? mem.index & 7u : 4u) << 3 | (mem.base & 7u));
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
		bool writes = other->kind != SSA_WIDE_TEST && other->kind != SSA_WIDE_TOUCH && other->kind != SSA_WIDE_STORE &&
			(other->to == op->a || other->to == op->b);

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

/* One time, `ahead` times further on. */
static void once(X64Ssa *s, const SsaWide *wide, u32 ahead, Jumps *undos)
{
	for (u32 i = 0; i < wide->round_count; i++) {
		if (wide->round[i].kind != SSA_WIDE_TEST) {
			emit_op(s, wide, i, ahead);
			continue;
		}
		vex_reg(&s->x, (Vex){ MAP_0F38, PP_66, 0x17, false, false }, wide->round[i].a, 0, wide->round[i].a);
		jumps_add(undos, x64_jcc(&s->x, X64_NE));
	}
}

static void charge(X64Ssa *s, const SsaWide *wide, u32 times, Jumps *poor)
{
	x64_alu_imm(&s->x, X64_SUB, 64, X64_R14, (i32)(times * wide->cost));
	jumps_add(poor, x64_jcc(&s->x, X64_B));
}

/* Two at a time, until there is but one more, or the end. */
static void emit_two(X64Ssa *s, const SsaWide *wide, Jumps *ends)
{
	X64Buf *x = &s->x;
	Jumps ones = { .count = 0 }, poor = { .count = 0 }, first = { .count = 0 }, second = { .count = 0 };
	u32 risks[3];
	u8 *loop, *back;

	if (wide->counted) {
		x64_mov(x, 64, X64_SCRATCH, X64_RCX);
		x64_alu_imm(x, X64_SUB, 64, X64_SCRATCH, 1);
		jumps_add(&ones, x64_jcc(x, X64_E));
	}
	loop = x->at;
	charge(s, wide, 2, &poor);
	risks[0] = s->risk_count;
	once(s, wide, 0, &first);
	risks[1] = s->risk_count;
	once(s, wide, 1, &second);
	risks[2] = s->risk_count;
	for (u32 i = 0; i < wide->pointer_count; i++)
		x64_alu_imm(x, X64_ADD, 64, pointer_regs[i], 2 * wide->step[i]);
	x64_alu_imm(x, X64_ADD, 64, X64_RAX, 2);
	if (wide->counted)
		x64_alu(x, X64_CMP, 64, X64_RAX, X64_SCRATCH);
	back = wide->counted ? x64_jcc(x, X64_B) : x64_jmp(x);
	if (!x->full)
		x64_patch(back, loop);
	if (wide->counted) {
		jumps_add(&ones, x64_jcc(x, X64_E));
		jumps_add(ends, x64_jmp(x));
	}
	jumps_land(s, &second);
	risks_land(s, risks[1], risks[2]);
	x64_alu_imm(x, X64_ADD, 64, X64_RAX, 1);
	x64_alu_imm(x, X64_ADD, 64, X64_R14, (i32)wide->cost);
	jumps_add(ends, x64_jmp(x));
	jumps_land(s, &first);
	risks_land(s, risks[0], risks[1]);
	x64_alu_imm(x, X64_ADD, 64, X64_R14, (i32)(2 * wide->cost));
	jumps_add(ends, x64_jmp(x));
	jumps_land(s, &poor);
	x64_alu_imm(x, X64_ADD, 64, X64_R14, (i32)(2 * wide->cost));
	jumps_land(s, &ones);
}

/* What is parked in registers that are used. */
static u32 parked_there(const X64Ssa *s, const SsaWide *wide)
{
	u32 which = 0;

	for (u32 i = 0; i < s->engine->park_count && !s->vectors; i++)
		if (x64_park_regs[i] < wide->regs)
			which |= 1u << i;
	return which;
}

static void emit(X64Ssa *s, const SsaWide *wide, const u8 *regs)
{
	X64Buf *x = &s->x;
	Jumps nones = { .count = 0 }, ends = { .count = 0 }, undos = { .count = 0 };
	u32 first_risk = s->risk_count, parked = parked_there(s, wide), expected, begun;

	x64_ssa_unpark(s, parked);
	prepare(s, wide, regs);
	if (wide->counted) {
		x64_test(x, 64, X64_RCX, X64_RCX);
		jumps_add(&nones, x64_jcc(x, X64_E));
	}
	for (u32 i = 0; i < wide->pointer_count; i++) {
		x64_alu_mem(x, X64_CMP, 64, pointer_regs[i], x64_frame(s->engine, X64_AT_LIMIT));
		jumps_add(&nones, x64_jcc(x, X64_AE));
	}
	expect(s, wide, regs, &nones);
	x64_mov_imm(x, X64_RAX, 0);
	expected = s->risk_count;
	emit_two(s, wide, &ends);
	begun = s->risk_count;
	charge(s, wide, 1, &undos);
	once(s, wide, 0, &undos);
	x64_alu_imm(x, X64_ADD, 64, X64_RAX, 1);
	jumps_add(&ends, x64_jmp(x));
	jumps_land(s, &undos);
	risks_land(s, begun, s->risk_count);
	x64_alu_imm(x, X64_ADD, 64, X64_R14, (i32)wide->cost);
	jumps_add(&ends, x64_jmp(x));
	jumps_land(s, &nones);
	risks_land(s, first_risk, expected);
	x64_mov_imm(x, X64_RAX, 0);
	jumps_land(s, &ends);
	for (u32 i = 0; i < wide->out_count; i++)
		vex_mem(x, store, wide->outs[i], out_place(s, i * SSA_WIDE_LANES));
	x64_byte(x, 0xC5); /* vzeroupper */
	x64_byte(x, 0xF8);
	x64_byte(x, 0x77);
	x64_ssa_park_again(s, parked);
}

void x64_ssa_wide(X64Ssa *s, const SsaNode *node)
{
	const SsaWide *wide = s->func->wides[node->imm];
	const SsaRef *operands = &s->func->pool[node->a];
	u8 regs[SSA_WIDE_OPERANDS_MOST] = { 0 };
	u32 spent = 1u << X64_RAX;

	if (wide->counted) {
		x64_arg_fixed(s, operands[0], X64_RCX, true);
		spent |= 1u << X64_RCX;
	}
	for (u32 i = 0; i < wide->pointer_count; i++) {
		x64_arg_fixed(s, operands[1 + i], pointer_regs[i], true);
		spent |= 1u << pointer_regs[i];
	}
	for (u32 i = 1 + wide->pointer_count; i < wide->operand_count; i++)
		regs[i] = x64_arg_reg(s, operands[i], true);
	x64_result_in(s, X64_RAX);
	x64_clobber(s, spent, ((1u << wide->regs) - 1) & (s->vectors ? X64_XMMS : X64_XMMS_LEFT));
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
