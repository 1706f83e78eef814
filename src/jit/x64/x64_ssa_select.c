/* SPDX-License-Identifier: MIT
 *
 * Selection: a SsaCode for each node that makes code. The functions of the nodes say what they need, when selecting; when
 * emitting they are told what they got (x64_ssa.h).
 */
#include "jit/x64/x64_ssa.h"

#include <string.h>

enum { USES_ROOM = 8 * SSA_USES_MOST };

static SsaUse *arg(X64Ssa *s, SsaRef ref, u8 want, u8 reg, u8 cls, bool early)
{
	SsaUse *use;

	if (s->emitting)
		return &s->code->uses[s->use_at++];
	if (s->code->use_count >= SSA_USES_MOST) {
		s->unsupported = true;
		return &s->uses[0];
	}
	use = &s->uses[s->code->use_count++];
	*use = (SsaUse){ .ref = ssa_value(s->func, ref), .want = want, .reg = reg, .cls = cls, .early = early };
	return use;
}

u8 x64_arg_reg(X64Ssa *s, SsaRef ref, bool early)
{
	return (u8)arg(s, ref, SSA_WANT_REG, 0, SSA_GPR, early)->place.number;
}

u8 x64_arg_xmm(X64Ssa *s, SsaRef ref, bool early)
{
	return (u8)arg(s, ref, SSA_WANT_REG, 0, SSA_XMM, early)->place.number;
}

u8 x64_arg_fixed(X64Ssa *s, SsaRef ref, u8 reg, bool early)
{
	arg(s, ref, SSA_WANT_FIXED, reg, SSA_GPR, early);
	return reg;
}

u8 x64_arg_tied(X64Ssa *s, SsaRef ref, u8 cls)
{
	s->code->tied = true;
	return (u8)arg(s, ref, SSA_WANT_REG, 0, cls, true)->place.number;
}

u8 x64_ssa_park(const X64Ssa *s, u32 slot)
{
	return s->vectors ? JIT_NO_PIN : s->park_reg[slot];
}

u8 x64_ssa_park_of(const X64Ssa *s, SsaRef ref)
{
	const SsaNode *node = x64_node(s, ref);

	return node->op == SSA_HOME ? x64_ssa_park(s, node->aux) : JIT_NO_PIN;
}

/* What the home holds is for one code alone: that reads it there. */
bool x64_ssa_at_home(const X64Ssa *s, SsaRef ref)
{
	const SsaNode *node = &s->func->nodes[ref = ssa_value(s->func, ref)];

	return node->op == SSA_HOME && node->imm && node->uses == 1 && !s->in_snap[ref] && s->cls[ref] == SSA_GPR &&
	       x64_ssa_park(s, node->aux) == JIT_NO_PIN;
}

/* It has no memory that could be an operand; nor has who may take its place (code->commutes). */
static bool wants_reg(const X64Ssa *s, SsaRef ref)
{
	return x64_node(s, ref)->op == SSA_CONST || x64_ssa_park_of(s, ref) != JIT_NO_PIN ||
	       (!s->emitting && s->code->tied && s->code->use_count && x64_ssa_park_of(s, s->uses[0].ref) != JIT_NO_PIN);
}

X64Opd x64_arg_any(X64Ssa *s, SsaRef ref, u8 cls, bool early)
{
	u8 want = wants_reg(s, ref) ? SSA_WANT_REG : SSA_WANT_ANY;
	const SsaUse *use;

	if (cls == SSA_GPR && x64_ssa_at_home(s, ref))
		return (X64Opd){ .in_memory = true, .mem = x64_at(X64_RBP, x64_slot(x64_node(s, ref)->aux)) };
	use = arg(s, ref, want, 0, cls, early);
	if (!s->emitting || use->place.kind == SSA_PLACE_REG)
		return (X64Opd){ .reg = (u8)use->place.number };
	return (X64Opd){ .in_memory = true, .mem = x64_ssa_place(s, &use->place) };
}

static u8 result(X64Ssa *s, u8 cls, u8 reg)
{
	if (!s->emitting) {
		s->code->result = true;
		s->code->result_cls = cls;
		s->code->result_reg = reg;
		return 0;
	}
	if (s->code->at.kind != SSA_PLACE_REG) /* nobody wants it, or it goes to memory behind the code */
		return reg != JIT_NO_PIN ? reg : cls == SSA_GPR ? X64_SCRATCH : X64_XMM_SCRATCH;
	return (u8)s->code->at.number;
}

u8 x64_result(X64Ssa *s, u8 cls)
{
	return result(s, cls, JIT_NO_PIN);
}

u8 x64_result_in(X64Ssa *s, u8 reg)
{
	return result(s, SSA_GPR, reg);
}

u8 x64_temp(X64Ssa *s, u8 cls)
{
	if (s->emitting)
		return s->code->temp[cls][s->temp_at[cls]++];
	s->code->temps[cls]++;
	return 0;
}

void x64_clobber(X64Ssa *s, u32 gprs, u32 xmms)
{
	s->code->clobbers[SSA_GPR] |= gprs;
	s->code->clobbers[SSA_XMM] |= xmms;
}

bool x64_imm(const X64Ssa *s, SsaRef ref, unsigned bits, i32 *value)
{
	u64 number;

	if (!ssa_is_const(s->func, ref, &number))
		return false;
	if (bits == 32)
		number = (u64)(i64)(i32)(u32)number;
	*value = (i32)number;
	return (i64)number == *value;
}

/* ---- Nodes ---- */

static unsigned arg_width(const X64Ssa *s, SsaRef ref)
{
	return s->func->nodes[ref].width; /* of a COPY: what stood there (ZX) */
}

void x64_ssa_evaluate(X64Ssa *s, SsaRef ref)
{
	static const u8 regs[] = { X64_RAX, X64_RCX, X64_RDX };
	const SsaNode *node = &s->func->nodes[ref];
	unsigned count = ssa_operands(s->func, node);
	X64Buf *x = &s->x;

	for (unsigned i = 0; i < count; i++)
		x64_arg_fixed(s, i == 0 ? node->a : i == 1 ? node->b : node->c, regs[i], true);
	x64_result_in(s, X64_RAX);
	x64_clobber(s, 1 << X64_RAX | 1 << X64_RCX | 1 << X64_RDX, 0xFFFF);
	if (!s->emitting)
		return;
	x64_store_imm(x, 32, x64_frame(s->engine, X64_AT_OPERATION),
		      (i32)(node->op | (u32)node->width << 8 | arg_width(s, node->a) << 16));
	x64_store_imm(x, 32, x64_frame(s->engine, X64_AT_OPERATION + 4), node->aux & ~SSA_FLOAT_RAISES);
	x64_byte(x, 0xE8);
	x64_imm32(x, 0);
	if (!x->full)
		x64_patch(x->at - 4, s->engine->rw + s->engine->evaluate);
}

static void emit_guard(X64Ssa *s, const SsaNode *node)
{
	X64Test test = x64_ssa_test(s, node->a);

	if (!s->emitting)
		return;
	x64_ssa_exit_if(s, (X64Cond)(test.cond ^ 1));
}

/* The code of one node, as it is to be selected or emitted now. */
void x64_ssa_node(X64Ssa *s, SsaRef ref)
{
	const SsaNode *node = &s->func->nodes[ref];

	if (!s->emitting && ((ssa_effects(node) & SSA_EXIT) || node->op == SSA_LEAVE))
		s->code->snap = node->snap;
	switch (node->op) {
	case SSA_LOAD: x64_ssa_load(s, ref); break;
	case SSA_STORE: x64_ssa_store(s, node); break;
	case SSA_CHECK: x64_ssa_check(s, node); break;
	case SSA_RMW: s->unsupported |= !x64_ssa_rmw(s, ref); break;
	case SSA_CAS: s->unsupported |= !x64_ssa_cas(s, node); break;
	case SSA_FLAGS: s->unsupported |= !x64_ssa_flags(s); break;
	case SSA_SET_FLAGS: s->unsupported |= !x64_ssa_set_flags(s, node); break;
	case SSA_WIDE: x64_ssa_wide(s, node); break;
	case SSA_LANE: x64_ssa_lane(s, node); break;
	case SSA_FETCH: x64_ssa_fetch(s, ref); break;
	case SSA_BRING: x64_ssa_bring(s, node); break;
	case SSA_FENCE: /* one host thread at a time runs a machine */ break;
	case SSA_GUARD: emit_guard(s, node); break;
	case SSA_FUEL: x64_ssa_fuel(s, node); break;
	case SSA_REFUND: x64_ssa_refund(s, node); break;
	case SSA_CANON: x64_ssa_canon(s, node); break;
	case SSA_LEAVE: x64_ssa_leave(s, node); break;
	case SSA_JUMP: break;
	case SSA_BRANCH: {
		X64Test test = x64_ssa_test(s, node->a);

		if (s->emitting)
			x64_ssa_branch(s, node, test);
		break;
	}
	default:
		if (!x64_ssa_int(s, ref) && !x64_ssa_float(s, ref))
			x64_ssa_evaluate(s, ref);
	}
}

/* ---- Codes ---- */

static SsaCode *begin(X64Ssa *s, u32 block, SsaRef ref)
{
	SsaAlloc *alloc = &s->alloc;

	if (!arena_grow(s->arena, (void **)&alloc->codes, &s->code_cap, alloc->code_count, sizeof(SsaCode))) {
		s->failed = true;
		return NULL;
	}
	s->code = &alloc->codes[alloc->code_count++];
	*s->code = (SsaCode){ .node = ref, .block = block, .result_reg = JIT_NO_PIN, .snap = ~(u32)0 };
	return s->code;
}

static void finish(X64Ssa *s)
{
	u32 count = s->code->use_count;

	s->code->uses = s->uses;
	s->uses += count;
	s->uses_left -= count;
	if (s->uses_left >= SSA_USES_MOST)
		return;
	s->uses_left = USES_ROOM;
	s->uses = ARENA_ROOM(s->arena, SsaUse, USES_ROOM);
	s->failed |= !s->uses;
}

/* What pinned registers hold when control comes in. */
static void select_entry(X64Ssa *s, u32 block)
{
	for (u32 i = 0; i < s->engine->pin_count; i++) {
		SsaCode *code;

		if (s->way[s->home[i]] == X64_DEAD)
			continue;
		code = begin(s, block, s->home[i]);
		if (!code || !arena_grow(s->arena, (void **)&s->refs, &s->ref_cap, s->alloc.code_count - 1, sizeof(SsaRef)))
			return;
		s->refs[s->alloc.code_count - 1] = 0;
		code->result = true;
		code->result_cls = SSA_GPR;
		code->result_reg = x64_pin_regs[i];
	}
}

bool x64_ssa_makes_code(const X64Ssa *s, SsaRef ref)
{
	if (s->way[ref] != X64_CODE)
		return false;
	switch (s->func->nodes[ref].op) {
	case SSA_PHI: case SSA_FENCE: case SSA_CONST: case SSA_COPY: case SSA_HOME: /* a home is read where it is needed */
		return false;
	default:
		return true;
	}
}

bool x64_ssa_select(X64Ssa *s)
{
	SsaAlloc *alloc = &s->alloc;
	SsaFunc *func = s->func;

	alloc->block_first = ARENA_ARRAY(s->arena, u32, func->block_count);
	alloc->block_codes = ARENA_ARRAY(s->arena, u32, func->block_count);
	if (!alloc->block_first || !alloc->block_codes)
		return false;
	s->code_cap = s->ref_cap = func->node_count / 2 + 16;
	alloc->codes = ARENA_ROOM(s->arena, SsaCode, s->code_cap);
	s->uses_left = USES_ROOM;
	s->uses = ARENA_ROOM(s->arena, SsaUse, USES_ROOM);
	s->refs = ARENA_ROOM(s->arena, SsaRef, s->ref_cap);
	if (!alloc->codes || !s->refs || !s->uses)
		return false;
	s->emitting = false;
	for (u32 i = 0; i < alloc->layout_count && !s->failed && !s->unsupported; i++) {
		u32 b = alloc->layout[i];

		alloc->block_first[b] = alloc->code_count;
		if (func->blocks[b].entry)
			select_entry(s, b);
		for (SsaRef ref = func->blocks[b].first; ref && !s->failed; ref = func->nodes[ref].next) {
			if (!x64_ssa_makes_code(s, ref))
				continue;
			/* A LOAD that does a SX, too, gives its value. */
			if (!begin(s, b, s->joined[ref] ? s->joined[ref] : ref) ||
			    !arena_grow(s->arena, (void **)&s->refs, &s->ref_cap, alloc->code_count - 1, sizeof(SsaRef)))
				break;
			s->refs[alloc->code_count - 1] = ref;
			x64_ssa_node(s, ref);
			finish(s);
		}
		alloc->block_codes[b] = alloc->code_count - alloc->block_first[b];
	}
	return !s->failed && !s->unsupported;
}
