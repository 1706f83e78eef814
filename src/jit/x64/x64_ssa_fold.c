/* SPDX-License-Identifier: MIT
 *
 * What a user does better itself is folded into it (X64Way): a compare into its branch, an extension into its load, a shift into
 * a lea, a NOT into its AND, an AND into a return; and EXTRACTs are looked through where all users take no more anyway. Uses are counted, and
 * what ways out name is known.
 */
#include "jit/x64/x64_ssa.h"

bool x64_ssa_is_compare(const SsaNode *node)
{
	return node->op >= IR_OP_EQ && node->op <= IR_OP_LEU;
}

/* Does operand `index` of `user` take the low `width` bits of it alone? */
static bool takes_low(const X64Ssa *s, const SsaNode *user, unsigned index, unsigned width)
{
	switch (user->op) {
	case IR_OP_ADD: case IR_OP_SUB: case IR_OP_MUL: case IR_OP_XOR:
		return width == user->width && (width == 8 || width == 16 || width == 32); /* what is above is cut off behind them */
	case IR_OP_AND: case IR_OP_OR:
		return width == 32 && user->width == 32;
	case IR_OP_SHL: case IR_OP_SHR: case IR_OP_SAR: case IR_OP_ROL: case IR_OP_ROR:
		if (index == 1)
			return (user->width == 64 && width == 6) || (user->width == 32 && width == 5);
		return width == 32 && user->width == 32;
	case IR_OP_EQ: case IR_OP_NE: case IR_OP_LTS: case IR_OP_LES: case IR_OP_LTU: case IR_OP_LEU:
		return width == 32;
	case IR_OP_SX:
		return width == 8 || width == 16 || width == 32;
	case IR_OP_FOFS:
		return width == 32;
	case SSA_STORE:
		return index == 1 && (width == 8 || width == 16 || width == 32) && user->width == width &&
		       s->engine->env.paged;
	default:
		return false;
	}
}

/* Operand `index` of `user`, as it stands there, is an EXTRACT: noted, if no more is taken of it. */
void x64_ssa_note_extract(X64Ssa *s, const SsaNode *user, unsigned index, SsaRef operand)
{
	SsaRef value = ssa_value(s->func, operand);
	const SsaNode *used = &s->func->nodes[value];
	bool shifts = index == 1 && user->op >= IR_OP_SHL && user->op <= IR_OP_ROR;

	if (used->aux != 0 || !takes_low(s, user, index, used->width) ||
	    (!shifts && s->func->nodes[operand].width != used->width))
		return;
	if (!s->low && !(s->low = ARENA_ARRAY(s->arena, u32, s->func->node_count))) {
		s->failed = true;
		return;
	}
	if (s->low[value]++)
		return;
	if (!arena_grow(s->arena, (void **)&s->lows, &s->low_cap, s->low_count, sizeof(SsaRef))) {
		s->failed = true;
		return;
	}
	s->lows[s->low_count++] = value;
}

/* EXTRACTs are counted out: what all users look through is no use of the EXTRACT. */
static void look_through(X64Ssa *s)
{
	SsaFunc *func = s->func;

	for (u32 i = 0; i < s->low_count; i++) {
		SsaRef ref = s->lows[i];

		if (s->low[ref] == func->nodes[ref].uses && !s->in_snap[ref] && s->way[ref] == X64_CODE) {
			SsaRef from = ssa_value(func, func->nodes[ref].a);

			s->way[ref] = X64_LOOKED;
			func->nodes[from].uses += s->low[ref] - 1;
		}
	}
}

SsaRef x64_ssa_low(const X64Ssa *s, SsaRef ref)
{
	ref = ssa_value(s->func, ref);
	while (s->way[ref] == X64_LOOKED)
		ref = ssa_value(s->func, s->func->nodes[ref].a);
	return ref;
}

static bool only_use(const X64Ssa *s, SsaRef ref)
{
	return s->func->nodes[ref].uses == 1 && !s->in_snap[ref] && s->way[ref] == X64_CODE;
}

static bool raises(const SsaNode *node)
{
	return node->op < IR_OP_COUNT && ir_float_operands((IrOp)node->op) && (node->aux & SSA_FLOAT_RAISES);
}

/* May the node be computed where `user` stands? Its flags are raised in the same guest instruction, then. */
static bool can_wait(const X64Ssa *s, SsaRef ref, SsaRef user)
{
	const SsaNode *nodes = s->func->nodes;

	if (!raises(&nodes[ref]))
		return true;
	for (unsigned i = 0; i < 16; i++) {
		ref = nodes[ref].next;
		if (ref == user)
			return true;
		if (!ref || (ssa_effects(&nodes[ref]) & SSA_EXIT))
			return false;
	}
	return false;
}

/* Compares that several branches ask for. */
typedef struct Asked {
	struct AskedCompare { SsaRef ref; u32 branches; } list[16];
	u32 count;
} Asked;

static void note_asked(const X64Ssa *s, Asked *asked, SsaRef ref)
{
	const SsaNode *node = &s->func->nodes[ref];
	u32 i = 0;
	i32 value;

	if (!x64_ssa_is_compare(node) || node->uses < 2 || s->in_snap[ref] || s->way[ref] != X64_CODE ||
	    !x64_imm(s, node->b, x64_bits(s->func->nodes[node->b].width), &value) || ssa_is_const(s->func, node->a, NULL))
		return;
	while (i < asked->count && asked->list[i].ref != ref)
		i++;
	if (i == COUNT_OF(asked->list))
		return;
	if (i == asked->count)
		asked->list[asked->count++] = (struct AskedCompare){ref, 0};
	asked->list[i].branches++;
}

/* A compare with a number that nobody but branches asks for is done by each of them: it costs no more than to look at what came of
 * it, and that need not be kept. */
static void fold_asked(X64Ssa *s, const Asked *asked)
{
	SsaNode *nodes = s->func->nodes;

	for (u32 i = 0; i < asked->count; i++) {
		SsaRef ref = asked->list[i].ref;

		if (s->way[ref] != X64_CODE || asked->list[i].branches != nodes[ref].uses)
			continue;
		s->way[ref] = X64_FOLDED;
		nodes[ssa_value(s->func, nodes[ref].a)].uses += nodes[ref].uses - 1;
	}
}

/* The condition a of `user`: a compare that nobody else needs is done there. */
static void fold_test(X64Ssa *s, Asked *asked, SsaRef user)
{
	SsaRef ref = ssa_value(s->func, s->func->nodes[user].a);
	const SsaNode *node = &s->func->nodes[ref];
	bool branch = s->func->nodes[user].op == SSA_BRANCH;

	if (branch)
		note_asked(s, asked, ref);
	while (only_use(s, ref)) {
		u64 one;

		if (x64_ssa_is_compare(node) || node->op == IR_OP_FLT || node->op == IR_OP_FLE ||
		    (node->op == IR_OP_FEQ && branch)) {
			if (!can_wait(s, ref, user) || (!x64_ssa_is_compare(node) && !x64_ssa_float_native(s, node)))
				return;
			s->way[ref] = X64_FOLDED;
			if (x64_ssa_is_compare(node)) { /* test a, b */
				SsaRef a = ssa_value(s->func, node->a);

				if ((node->op == IR_OP_EQ || node->op == IR_OP_NE) && ssa_is_const(s->func, node->b, &one) &&
				    one == 0 && s->func->nodes[a].op == IR_OP_AND && only_use(s, a))
					s->way[a] = X64_FOLDED;
			}
			return;
		}
		if (node->op == IR_OP_EXTRACT && node->width == 1 && node->aux < 64) {
			s->way[ref] = X64_FOLDED;
			return;
		}
		if (node->op != IR_OP_XOR || node->width != 1 || !ssa_is_const(s->func, node->b, &one) || one != 1)
			return;
		s->way[ref] = X64_FOLDED;
		ref = ssa_value(s->func, node->a);
		node = &s->func->nodes[ref];
	}
}

/* A load and the extension that is its only use are one move. */
static void join_load(X64Ssa *s, SsaRef sx)
{
	SsaRef ref = ssa_value(s->func, s->func->nodes[sx].a);
	const SsaNode *load = &s->func->nodes[ref], *node = &s->func->nodes[sx];

	if (load->op != SSA_LOAD || load->uses != 1 || s->in_snap[ref] || s->way[ref] != X64_CODE ||
	    (load->width != 8 && load->width != 16 && load->width != 32) || (node->width != 64 && node->width != 32) ||
	    node->width == load->width || s->func->nodes[node->a].width != load->width)
		return;
	if (load->aux != s->engine->env.code_space || !s->engine->env.paged) {
		X64Cells access = { .space = &s->engine->spaces[load->aux], .number = load->aux, .width = load->width };

		if (node->width != 64 || !s->engine->spaces || !x64_cells_possible(&access) || !x64_cells_signs(&access))
			return;
	}
	s->joined[ref] = sx;
	s->way[sx] = X64_JOINED;
}

/* add(shl(x, 1..3), y) and add(add(x, y), c) are one lea. */
static void fold_add(X64Ssa *s, const SsaNode *node)
{
	const SsaNode *nodes = s->func->nodes;
	SsaRef a = ssa_value(s->func, node->a), b = ssa_value(s->func, node->b);
	u64 count;

	if (node->width != 64 && node->width != 32)
		return;
	if (nodes[a].op != IR_OP_SHL) {
		SsaRef swap = a;

		a = b;
		b = swap;
	}
	if (nodes[a].op != IR_OP_SHL || !only_use(s, a) || nodes[a].width != node->width ||
	    !ssa_is_const(s->func, nodes[a].b, &count) || count < 1 || count > 3 || nodes[b].op == SSA_CONST)
		return;
	s->way[a] = X64_FOLDED;
}

/* and(not(x), y) is one instruction where the host has it. */
static void fold_not(X64Ssa *s, const SsaNode *node)
{
	const SsaNode *nodes = s->func->nodes;
	u64 ones;

	if (!s->has_bmi1 || (node->width != 64 && node->width != 32))
		return;
	for (unsigned k = 0; k < 2; k++) {
		SsaRef not = ssa_value(s->func, node->operands[k]), other = ssa_value(s->func, node->operands[!k]);

		if (nodes[not].op == IR_OP_XOR && nodes[not].width == node->width && only_use(s, not) && nodes[other].op != SSA_CONST &&
		    ssa_is_const(s->func, nodes[not].b, &ones) && ones == ~(u64)0 >> (64 - node->width)) {
			s->way[not] = X64_FOLDED;
			return;
		}
	}
}

static bool is_fetch_of(const X64Ssa *s, SsaRef ref, u32 slot)
{
	return s->func->nodes[ref].op == SSA_FETCH && s->func->nodes[ref].aux == slot;
}

/* What comes to a home is extended on the way there, or added to what is there. */
static void fold_bring(X64Ssa *s, const SsaNode *bring)
{
	SsaRef ref = ssa_value(s->func, bring->a), a, b;
	SsaNode *node = &s->func->nodes[ref];
	const SsaNode *from;

	if (!only_use(s, ref) || node->width != 64)
		return;
	a = ssa_value(s->func, node->a);
	from = &s->func->nodes[a];
	if (node->op == IR_OP_SX && from->width == 32 && from->op != SSA_CONST && !(from->op == SSA_LOAD && from->uses == 1))
		s->way[ref] = X64_FOLDED;
	if (node->op != IR_OP_ADD)
		return;
	b = ssa_value(s->func, node->b);
	if (is_fetch_of(s, b, bring->aux)) {
		node->a = b;
		node->b = a;
		b = a;
	} else if (!is_fetch_of(s, a, bring->aux)) {
		return;
	}
	if (s->func->nodes[b].op != SSA_CONST)
		s->way[ref] = X64_FOLDED;
}

/* From the stack to a parked slot: the load goes there itself, if nothing stands between the two that may leave or look. */
static void join_bring(X64Ssa *s, SsaRef bring)
{
	const SsaNode *node = &s->func->nodes[bring];
	SsaRef ref = ssa_value(s->func, node->a);
	const SsaNode *load = &s->func->nodes[ref];

	if (x64_ssa_park(s, node->aux) == JIT_NO_PIN || node->prev != ref || load->op != SSA_LOAD || load->width != 64 ||
	    !only_use(s, ref) || !s->engine->env.paged || load->aux != s->engine->env.code_space)
		return;
	s->joined[ref] = bring;
	s->way[bring] = X64_JOINED;
}

/* A return's pc is an address without its lowest bit, mostly: the address itself may be in the register where the pc is wanted, and
 * come home from there. */
static void fold_pc(X64Ssa *s, const SsaNode *leave)
{
	SsaRef ref = ssa_value(s->func, leave->a);
	const SsaNode *node = &s->func->nodes[ref];
	i32 mask;

	if (ssa_operands(s->func, leave) && node->op == IR_OP_AND && node->width == 64 && only_use(s, ref) &&
	    s->func->nodes[ssa_value(s->func, node->a)].op != SSA_CONST && x64_imm(s, node->b, 64, &mask))
		s->way[ref] = X64_FOLDED;
}

void x64_ssa_fold(X64Ssa *s)
{
	SsaFunc *func = s->func;
	Asked asked = {.count = 0};

	look_through(s);
	for (u32 i = func->rpo_count; i-- > 0;)
		for (SsaRef ref = func->blocks[func->rpo[i]].last; ref; ref = func->nodes[ref].prev) {
			const SsaNode *node = &func->nodes[ref];

			if (s->way[ref] != X64_CODE)
				continue;
			switch (node->op) {
			case SSA_BRANCH: case SSA_GUARD: case IR_OP_SEL: fold_test(s, &asked, ref); break;
			case SSA_BRING:
				fold_bring(s, node);
				join_bring(s, ref);
				break;
			case IR_OP_SX: join_load(s, ref); break;
			case IR_OP_ADD: fold_add(s, node); break;
			case IR_OP_AND: fold_not(s, node); break;
			case SSA_LEAVE: fold_pc(s, node); break;
			default: break;
			}
		}
	fold_asked(s, &asked);
}
