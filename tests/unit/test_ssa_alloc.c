/* SPDX-License-Identifier: MIT
 *
 * The register allocator: random regions, whose allocations are followed value by value, and small ones by hand where
 * the moves in a loop are counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/ssa_codes.h"

/* ---- Random regions: structured code over variables, one per slot ---- */

typedef struct Gen {
	Codes *m;
	Rng rng;
	u32 block;
	SsaRef vars[SLOTS];
	u8 cls[SLOTS];
	unsigned gprs, xmms, budget, var_count, pins, landings, calm;
	bool snapshots;
} Gen;

static unsigned pick(Gen *g, unsigned bound)
{
	return (unsigned)rng_below(&g->rng, bound);
}

static SsaRef some_value(Gen *g, unsigned cls)
{
	for (unsigned tries = 0; tries < 30; tries++) {
		unsigned v = pick(g, g->var_count);

		if (g->cls[v] == cls)
			return g->vars[v];
	}
	return constant(g->m, cls * 1000 + pick(g, 5), cls);
}

static void snapshot(Gen *g, SsaCode *code)
{
	SsaRef values[SLOTS];
	u16 slots[SLOTS];
	u32 count = 0;

	for (unsigned v = 0; v < g->var_count; v++)
		if (v < g->pins || g->m->func->nodes[g->vars[v]].op != SSA_HOME) {
			values[count] = g->vars[v];
			slots[count++] = (u16)v;
		}
	code->snap = snap_of(g->m, values, slots, count);
}

static void some_code(Gen *g)
{
	unsigned kind = pick(g, 12), v = pick(g, g->var_count), cls = g->cls[v], count = cls == SSA_GPR ? g->gprs : g->xmms;
	SsaRef a = some_value(g, cls), b = some_value(g, cls);
	SsaUse uses[3] = {use_of(a, cls), use_of(b, cls), use_of(some_value(g, cls), cls)};
	SsaCode *code = NULL;

	switch (kind) {
	case 0: case 1: /* two registers to a third */
		uses[1].early = pick(g, 3) > 0;
		code = code_value(g->m, g->block, cls, uses, 1 + pick(g, 2));
		if (count >= 4 && pick(g, 2))
			code->temps[cls] = 1;
		break;
	case 2: case 3: case 4: /* x86's two-address form */
		if (pick(g, 2))
			uses[1].want = SSA_WANT_ANY;
		code = code_value(g->m, g->block, cls, uses, 2);
		code->tied = true;
		code->commutes = pick(g, 2);
		code->may_untie = pick(g, 4) == 0;
		break;
	case 5: /* a shift */
		uses[0] = use_of(some_value(g, SSA_GPR), SSA_GPR);
		uses[1] = use_in(some_value(g, SSA_GPR), 1);
		code = code_value(g->m, g->block, SSA_GPR, uses, 2);
		code->tied = true;
		break;
	case 6: /* a division */
		uses[0] = use_in(some_value(g, SSA_GPR), 0);
		uses[1] = use_of(some_value(g, SSA_GPR), SSA_GPR);
		uses[1].early = false;
		code = code_value(g->m, g->block, SSA_GPR, uses, 2);
		code->result_reg = pick(g, 2) ? 0 : 2;
		code->clobbers[SSA_GPR] = code->result_reg ? 1 : 4;
		code->tied = code->result_reg == 0;
		break;
	case 7: /* a load or a store, both may leave */
		uses[0] = use_of(some_value(g, SSA_GPR), SSA_GPR);
		if (pick(g, 2)) {
			code = code_value(g->m, g->block, cls, uses, 1);
			code->temps[SSA_GPR] = (u8)pick(g, 2);
		} else {
			code = code_for(g->m, g->block, 0, uses, 2);
		}
		if (g->snapshots)
			snapshot(g, code);
		break;
	case 8: /* a call of something */
		uses[0] = use_in(some_value(g, SSA_GPR), 2);
		code = code_value(g->m, g->block, cls, uses, 1);
		code->clobbers[SSA_GPR] = (u32)rng_next(&g->rng) & ((1u << (g->gprs - 1)) - 1);
		code->clobbers[SSA_XMM] = (1u << g->xmms) - 1;
		break;
	case 9: /* between the classes */
		uses[0] = use_of(some_value(g, !cls), cls);
		code = code_value(g->m, g->block, cls, uses, 1);
		break;
	case 10: /* constants and homes */
		uses[0] = use_of(constant(g->m, cls * 1000 + pick(g, 7), cls), cls);
		uses[1] = use_any(pick(g, 2) ? g->m->home[g->pins] : uses[0].ref, cls);
		code = code_value(g->m, g->block, cls, uses, 2);
		break;
	case 11:
		uses[0].want = uses[1].want = uses[2].want = SSA_WANT_ANY;
		code = code_value(g->m, g->block, cls, uses, 3);
		break;
	}
	if (code->result && g->cls[v] == code->result_cls)
		g->vars[v] = code->node;
}

static void leave(Gen *g)
{
	SsaUse uses[SLOTS];

	for (unsigned v = 0; v < g->pins; v++)
		uses[v] = use_in(g->vars[v], v);
	snapshot(g, code_end(g->m, g->block, SSA_LEAVE, uses, g->pins));
}

static void statements(Gen *g, unsigned depth);

/* The variables behind block g->block, which comes from two. */
static void join(Gen *g, u32 left, const SsaRef *left_vars, u32 right, const SsaRef *right_vars)
{
	for (unsigned v = 0; v < g->var_count; v++) {
		if (left_vars[v] == right_vars[v]) {
			g->vars[v] = left_vars[v];
			continue;
		}
		g->vars[v] = phi_in(g->m, g->block, v, g->cls[v]);
		phi_arg(g->m, g->vars[v], left, left_vars[v]);
		phi_arg(g->m, g->vars[v], right, right_vars[v]);
	}
}

static void branch(Gen *g, u32 yes, u32 no)
{
	SsaUse uses[2] = {use_of(some_value(g, SSA_GPR), SSA_GPR), use_any(some_value(g, SSA_GPR), SSA_GPR)};

	branch_to(g->m, g->block, yes, no, uses, 2);
}

static void some_if(Gen *g, unsigned depth)
{
	u32 yes = ssa_block(g->m->func, 0), no = ssa_block(g->m->func, 0), behind = ssa_block(g->m->func, 0);
	SsaRef before[SLOTS], left[SLOTS];
	u32 left_block;

	branch(g, yes, no);
	memcpy(before, g->vars, sizeof(before));
	g->block = yes;
	if (pick(g, 3))
		statements(g, depth + 1);
	if (depth < 3 && pick(g, 6) == 0) { /* it calls; the call comes back to an entry */
		leave(g);
		g->landings++;
		g->block = ssa_block(g->m->func, 0);
		entry_codes(g->m, g->block);
		for (unsigned v = 0; v < g->var_count; v++)
			if (g->cls[v] == SSA_GPR)
				g->vars[v] = home_of(g->m, g->block, v);
			else
				g->vars[v] = constant(g->m, 1000 + v, SSA_XMM);
	}
	left_block = g->block;
	memcpy(left, g->vars, sizeof(left));
	memcpy(g->vars, before, sizeof(before));
	g->block = no;
	if (pick(g, 6) == 0) {
		leave(g);
		jump_to(g->m, left_block, behind);
		memcpy(g->vars, left, sizeof(left));
		g->block = behind;
		return;
	}
	if (pick(g, 2))
		statements(g, depth + 1);
	jump_to(g->m, left_block, behind);
	jump_to(g->m, g->block, behind);
	memcpy(before, g->vars, sizeof(before));
	no = g->block;
	g->block = behind;
	join(g, left_block, left, no, before);
}

static void some_loop(Gen *g, unsigned depth)
{
	u32 head = ssa_block(g->m->func, 0), latch = ssa_block(g->m->func, 0), behind = ssa_block(g->m->func, 0);
	SsaRef phis[SLOTS];
	u32 before = g->block, landings = g->landings;

	jump_to(g->m, before, head);
	ssa_edge(g->m->func, latch, head);
	for (unsigned v = 0; v < g->var_count; v++) {
		phis[v] = phi_in(g->m, head, v, g->cls[v]);
		phi_arg(g->m, phis[v], before, g->vars[v]);
		g->vars[v] = phis[v];
	}
	g->block = head;
	if (pick(g, 2)) { /* the test comes first */
		u32 body = ssa_block(g->m->func, 0);
		SsaRef leaving[SLOTS];

		some_code(g);
		branch(g, body, behind);
		memcpy(leaving, g->vars, sizeof(leaving));
		g->block = body;
		statements(g, depth + 1);
		jump_to(g->m, g->block, latch);
		for (unsigned v = 0; v < g->var_count; v++)
			phi_arg(g->m, phis[v], latch, pick(g, 4) || g->landings != landings ? g->vars[v] : phis[v]);
		memcpy(g->vars, leaving, sizeof(leaving));
	} else {
		statements(g, depth + 1);
		branch(g, latch, behind);
		for (unsigned v = 0; v < g->var_count; v++)
			phi_arg(g->m, phis[v], latch, pick(g, 3) || g->landings != landings ? g->vars[v] :
				phis[pick(g, 2) && v ? v - 1 : v]);
		for (unsigned v = 0; v < g->var_count; v++) { /* not of the other class */
			const SsaNode *node = &g->m->func->nodes[phis[v]];

			for (u32 k = 0; k < 2 && g->landings == landings; k++)
				if (g->m->cls[g->m->func->pool[node->a + k]] != g->cls[v])
					g->m->func->pool[node->a + k] = phis[v];
		}
	}
	code_end(g->m, latch, SSA_JUMP, NULL, 0);
	g->block = behind;
	for (unsigned v = 0; v < g->var_count && pick(g, 8); v++) { /* what does not change needs no PHI */
		const SsaNode *node = &g->m->func->nodes[phis[v]];

		if (g->m->func->pool[node->a + 1] == phis[v])
			ssa_replace(g->m->func, phis[v], g->m->func->pool[node->a]);
	}
}

static void statements(Gen *g, unsigned depth)
{
	for (unsigned n = 1 + pick(g, 6); n-- > 0 && g->budget;) {
		unsigned kind = pick(g, g->calm);

		g->budget--;

		if (kind == 0 && depth < 5)
			some_if(g, depth);
		else if (kind == 1 && depth < 5)
			some_loop(g, depth);
		else
			some_code(g);
	}
}

static void random_region(Codes *m, u64 seed, unsigned budget)
{
	Gen g = {.m = m, .rng = {seed}};
	unsigned pins;

	g.gprs = 3 + pick(&g, 10);
	g.xmms = 3 + pick(&g, 6);
	pins = pick(&g, g.gprs < PINS ? g.gprs : PINS + 1);
	codes_init(m, g.gprs, g.xmms, pins);
	g.pins = pins;
	g.var_count = pins + 1 + pick(&g, SLOTS - pins - 2);
	g.budget = budget;
	g.calm = pick(&g, 3) ? 10 : 40;
	g.snapshots = pick(&g, 4) > 0;
	g.block = ssa_block(m->func, 0);
	entry_codes(m, g.block);
	for (unsigned v = 0; v < SLOTS; v++) {
		SsaRef home = home_of(m, g.block, v);

		g.cls[v] = v > pins && pick(&g, 3) == 0 ? SSA_XMM : SSA_GPR;
		if (v < g.var_count)
			g.vars[v] = g.cls[v] == SSA_GPR ? home : constant(m, 1000 + v, SSA_XMM);
	}
	while (g.budget)
		statements(&g, 0);
	leave(&g);
	for (u32 b = 0; b < m->func->block_count && seed % 2; b++) /* some are counted, up to 1000 */
		m->func->blocks[b].heat = pick(&g, 3) ? pick(&g, 1001) : pick(&g, 2) * 1000;
}

/* The checker finds what is wrong: an operand in another register, a move that is missing. */
static void checker_checks(void **state)
{
	static Codes m;
	u32 uses = 0, uses_found = 0, moves = 0, moves_found = 0, made = 0, made_found = 0;

	(void)state;
	for (u64 seed = 0; seed < 200; seed++) {
		Rng rng = {seed};
		SsaAlloc *a = &m.alloc;

		random_region(&m, seed, 30);
		codes_allocate(&m);
		for (unsigned tries = 0; tries < 5 && a->move_count; tries++) {
			SsaMove *move = &a->moves[rng_below(&rng, a->move_count)], old = *move;

			move->to = move->from;
			if (move->from.kind == SSA_PLACE_REG) {
				moves++;
				moves_found += !ssa_alloc_verify(a, NULL);
			}
			*move = old;
		}
		for (unsigned tries = 0; tries < 5; tries++) {
			SsaCode *code = &a->codes[rng_below(&rng, a->code_count)];
			SsaPlace *place = code->use_count ? &code->uses[rng_below(&rng, code->use_count)].place : NULL;

			if (!place || place->kind != SSA_PLACE_REG)
				continue;
			place->number ^= 1;
			uses++;
			uses_found += !ssa_alloc_verify(a, NULL);
			place->number ^= 1;
		}
		for (unsigned tries = 0; tries < 5 && a->made_count; tries++) {
			SsaPlace *place = &a->made[rng_below(&rng, a->made_count)].from[rng_below(&rng, 2)];

			if (place->kind != SSA_PLACE_REG && place->kind != SSA_PLACE_SPILL)
				continue;
			place->number ^= 1;
			made++;
			made_found += !ssa_alloc_verify(a, NULL);
			place->number ^= 1;
		}
		assert_true(ssa_alloc_verify(a, NULL));
		codes_fini(&m);
	}
	assert_true(made > 50 && made_found >= made * 80 / 100);
	assert_true(uses > 100 && uses_found >= uses * 95 / 100); /* some values are in two registers */
	assert_true(moves > 100 && moves_found >= moves * 80 / 100);
}

/* ---- Regions by hand: what is in the loop? ---- */

typedef struct Cost {
	u32 moves, loads, stores;
} Cost;

static void count_move(Cost *cost, const SsaMove *move)
{
	if (move->to.kind == SSA_PLACE_SPILL)
		cost->stores++;
	else if (move->from.kind == SSA_PLACE_REG)
		cost->moves++;
	else
		cost->loads++;
}

/* Of code in loops at least `depth` deep. */
static Cost cost_in_loops(const Codes *m, u32 depth)
{
	const SsaAlloc *a = &m->alloc;
	Cost cost = {0};

	for (u32 c = 0; c < a->code_count; c++) {
		const SsaCode *code = &a->codes[c];

		if (m->func->blocks[code->block].depth < depth)
			continue;
		for (u32 k = 0; k < code->move_count; k++)
			count_move(&cost, &a->moves[code->move_first + k]);
		for (unsigned u = 0; u < code->use_count; u++)
			cost.loads += code->uses[u].place.kind == SSA_PLACE_SPILL || code->uses[u].place.kind == SSA_PLACE_HOME;
	}
	for (u32 e = 0; e < a->edge_count; e++) {
		const SsaEdge *edge = &a->edges[e];

		if (m->func->blocks[edge->from].depth >= depth && m->func->blocks[edge->to].depth >= depth)
			for (u32 k = 0; k < edge->move_count; k++)
				count_move(&cost, &a->moves[edge->move_first + k]);
	}
	return cost;
}

static void random_regions(void **state)
{
	static Codes m;
	u32 tight = 0;
	const char *only = getenv("SEED"); /* to look at one */

	(void)state;
	for (u64 seed = only ? strtoull(only, NULL, 0) : 0; seed < (only ? strtoull(only, NULL, 0) + 1 : 3000); seed++) {
		Buf why;

		buf_init(&why);
		random_region(&m, seed, seed % 50 == 0 ? 400 : 5 + (unsigned)seed % 60);
		codes_allocate(&m);
		if (m.alloc.failed)
			tight++;
		else if (!ssa_alloc_verify(&m.alloc, &why))
			fail_msg("seed %u:\n%s", (unsigned)seed, buf_text(&why));
		buf_fini(&why);
		codes_fini(&m);
	}
	assert_int_equal(tight, 0);
}

static void allocate_well(Codes *m)
{
	Buf why;

	buf_init(&why);
	codes_allocate(m);
	assert_false(m->alloc.failed);
	if (!ssa_alloc_verify(&m->alloc, &why))
		fail_msg("%s", buf_text(&why));
	buf_fini(&why);
}

static void assert_cost(const Codes *m, u32 depth, u32 moves, u32 loads, u32 stores)
{
	Cost cost = cost_in_loops(m, depth);

	if (cost.moves > moves || cost.loads > loads || cost.stores > stores)
		fail_msg("in loops of depth %u: %u moves, %u loads, %u stores", depth, cost.moves, cost.loads, cost.stores);
}

/* before -> head <-> latch, head -> behind. The body is in head. */
typedef struct Loop {
	u32 before, head, latch, behind;
} Loop;

static Loop loop_from(Codes *m, u32 before)
{
	Loop loop = {.before = before, .head = ssa_block(m->func, 0)};

	loop.latch = ssa_block(m->func, 0);
	loop.behind = ssa_block(m->func, 0);
	jump_to(m, before, loop.head);
	ssa_edge(m->func, loop.latch, loop.head);
	return loop;
}

static void loop_end(Codes *m, const Loop *loop, u32 body, SsaRef test)
{
	SsaUse use = use_of(test, SSA_GPR);

	branch_to(m, body, loop->latch, loop->behind, &use, 1);
	code_end(m, loop->latch, SSA_JUMP, NULL, 0);
}

static SsaRef loop_phi(Codes *m, const Loop *loop, unsigned slot, unsigned cls, SsaRef init)
{
	SsaRef phi = phi_in(m, loop->head, slot, cls);

	phi_arg(m, phi, loop->before, init);
	return phi;
}

static SsaRef binary(Codes *m, u32 block, unsigned cls, SsaRef a, SsaRef b)
{
	SsaUse uses[2] = {use_of(a, cls), use_of(b, cls)};
	SsaCode *code = code_value(m, block, cls, uses, 2);

	code->tied = true;
	code->commutes = true;
	return code->node;
}

static SsaRef plus_one(Codes *m, u32 block, SsaRef a)
{
	SsaUse use = use_of(a, SSA_GPR);
	SsaCode *code = code_value(m, block, SSA_GPR, &use, 1);

	code->tied = true;
	return code->node;
}

static SsaCode *store(Codes *m, u32 block, SsaRef a, SsaRef b, unsigned cls, const SsaRef *state, u32 count)
{
	SsaUse uses[2] = {use_of(a, SSA_GPR), use_of(b, cls)};
	SsaCode *code = code_for(m, block, 0, uses, 2);
	u16 slots[SLOTS];

	for (u16 s = 0; s < SLOTS; s++)
		slots[s] = s;
	code->snap = snap_of(m, state, slots, count);
	return code;
}

static void leave_with(Codes *m, u32 block, const SsaRef *state, unsigned pins)
{
	SsaUse uses[SLOTS];

	for (unsigned p = 0; p < pins; p++)
		uses[p] = use_in(state[p], p);
	code_end(m, block, SSA_LEAVE, uses, pins);
}

/* for (i = 0; ; i++) store(p + i, i), with the state of 5 pinned slots: i is slot 2. */
static void tight_loop(void **state)
{
	static Codes m;
	SsaRef s[SLOTS], i, next;
	Loop loop;

	(void)state;
	codes_init(&m, 11, 4, 5);
	entry_codes(&m, ssa_block(m.func, 0));
	for (unsigned p = 0; p < 5; p++)
		s[p] = home_of(&m, 0, p);
	loop = loop_from(&m, 0);
	s[2] = i = loop_phi(&m, &loop, 2, SSA_GPR, s[2]);
	store(&m, loop.head, i, s[0], SSA_GPR, s, 5);
	s[2] = next = plus_one(&m, loop.head, i);
	phi_arg(&m, i, loop.latch, next);
	loop_end(&m, &loop, loop.head, next);
	leave_with(&m, loop.behind, s, 5);
	allocate_well(&m);
	assert_cost(&m, 0, 0, 0, 0);
	codes_fini(&m);
}

/* fib: a, b = b, a + b. One move, or none if the loop were unrolled. */
static void two_take_turns(void **state)
{
	static Codes m;
	SsaRef s[SLOTS], a, b, n, sum, left;
	Loop loop;

	(void)state;
	codes_init(&m, 11, 4, 5);
	entry_codes(&m, ssa_block(m.func, 0));
	for (unsigned p = 0; p < 5; p++)
		s[p] = home_of(&m, 0, p);
	loop = loop_from(&m, 0);
	a = loop_phi(&m, &loop, 0, SSA_GPR, s[0]);
	b = loop_phi(&m, &loop, 1, SSA_GPR, s[1]);
	n = loop_phi(&m, &loop, 2, SSA_GPR, s[2]);
	sum = binary(&m, loop.head, SSA_GPR, a, b);
	left = plus_one(&m, loop.head, n);
	phi_arg(&m, a, loop.latch, b);
	phi_arg(&m, b, loop.latch, sum);
	phi_arg(&m, n, loop.latch, left);
	loop_end(&m, &loop, loop.head, left);
	s[0] = b, s[1] = sum, s[2] = left;
	leave_with(&m, loop.behind, s, 5);
	allocate_well(&m);
	assert_cost(&m, 1, 3, 0, 0);
	codes_fini(&m);
}

/* 20 values that only snapshots want, 8 of them in registers before; the loop needs 10 of 11 registers. */
static void idle_values_give_way(void **state)
{
	static Codes m;
	SsaRef s[SLOTS], p[6], last = 0;
	Loop loop;

	(void)state;
	codes_init(&m, 11, 4, 5);
	entry_codes(&m, ssa_block(m.func, 0));
	for (unsigned k = 0; k < SLOTS; k++)
		s[k] = k < 5 ? home_of(&m, 0, k) : plus_one(&m, 0, home_of(&m, 0, 5));
	loop = loop_from(&m, 0);
	for (unsigned k = 0; k < 6; k++)
		s[k] = p[k] = loop_phi(&m, &loop, k, SSA_GPR, s[k]);
	for (unsigned k = 0; k < 6; k++) {
		store(&m, loop.head, p[k], home_of(&m, 0, 20), SSA_GPR, s, SLOTS);
		last = binary(&m, loop.head, SSA_GPR, p[k], home_of(&m, 0, 21 + k % 3));
		phi_arg(&m, p[k], loop.latch, last);
		s[k] = last;
	}
	loop_end(&m, &loop, loop.head, last);
	leave_with(&m, loop.behind, s, 5);
	allocate_well(&m);
	assert_cost(&m, 1, 0, 0, 0);
	codes_fini(&m);
}

/* A call clobbers everything before the loop; constants of floats: all is loaded before the loop, once. */
static void loaded_before_the_loop(void **state)
{
	static Codes m;
	SsaRef s[SLOTS], x, n, next, v;
	SsaUse none;
	Loop loop;

	(void)state;
	codes_init(&m, 6, 4, 3);
	entry_codes(&m, ssa_block(m.func, 0));
	for (unsigned p = 0; p < 3; p++)
		s[p] = home_of(&m, 0, p);
	v = plus_one(&m, 0, s[1]);
	none = use_of(v, SSA_GPR);
	code_for(&m, 0, 0, &none, 1)->clobbers[SSA_GPR] = 0x3F;
	loop = loop_from(&m, 0);
	n = loop_phi(&m, &loop, 2, SSA_GPR, s[2]);
	x = loop_phi(&m, &loop, 9, SSA_XMM, constant(&m, 7, SSA_XMM));
	next = binary(&m, loop.head, SSA_XMM, x, constant(&m, 0x4000000000000000, SSA_XMM));
	next = binary(&m, loop.head, SSA_XMM, next, constant(&m, 0x4010000000000000, SSA_XMM));
	phi_arg(&m, x, loop.latch, next);
	store(&m, loop.head, n, v, SSA_GPR, s, 2);
	s[2] = binary(&m, loop.head, SSA_GPR, n, home_of(&m, 0, 12));
	phi_arg(&m, n, loop.latch, s[2]);
	loop_end(&m, &loop, loop.head, s[2]);
	leave_with(&m, loop.behind, s, 3);
	allocate_well(&m);
	assert_cost(&m, 1, 0, 0, 0);
	codes_fini(&m);
}

/* A shift by a count that does not change: it is in the register for counts all the time. Another value had been there. */
static void fixed_in_a_loop(void **state)
{
	static Codes m;
	SsaRef s[SLOTS], x, n, count;
	SsaUse uses[2];
	SsaCode *code;
	Loop loop;

	(void)state;
	codes_init(&m, 8, 4, 4);
	entry_codes(&m, ssa_block(m.func, 0));
	for (unsigned p = 0; p < 4; p++)
		s[p] = home_of(&m, 0, p);
	count = plus_one(&m, 0, s[3]);
	loop = loop_from(&m, 0);
	x = loop_phi(&m, &loop, 0, SSA_GPR, s[0]);
	n = loop_phi(&m, &loop, 1, SSA_GPR, s[1]);
	uses[0] = use_of(x, SSA_GPR);
	uses[1] = use_in(count, 1);
	code = code_value(&m, loop.head, SSA_GPR, uses, 2);
	code->tied = true;
	phi_arg(&m, x, loop.latch, code->node);
	s[0] = code->node;
	s[1] = plus_one(&m, loop.head, n);
	phi_arg(&m, n, loop.latch, s[1]);
	loop_end(&m, &loop, loop.head, s[1]);
	leave_with(&m, loop.behind, s, 4);
	allocate_well(&m);
	assert_cost(&m, 1, 0, 0, 0);
	codes_fini(&m);
}

/* The inner loop needs all registers; what the outer one holds is loaded in the outer one. */
static void nested(void **state)
{
	static Codes m;
	SsaRef s[SLOTS], o[4], i[5], last = 0;
	Loop outer, inner;

	(void)state;
	codes_init(&m, 8, 4, 2);
	entry_codes(&m, ssa_block(m.func, 0));
	for (unsigned k = 0; k < 12; k++)
		s[k] = k < 2 ? home_of(&m, 0, k) : plus_one(&m, 0, home_of(&m, 0, k));
	outer = loop_from(&m, 0);
	for (unsigned k = 0; k < 4; k++)
		o[k] = loop_phi(&m, &outer, k, SSA_GPR, s[k]);
	inner = loop_from(&m, outer.head);
	for (unsigned k = 0; k < 5; k++)
		i[k] = loop_phi(&m, &inner, 4 + k, SSA_GPR, s[4 + k]);
	for (unsigned k = 0; k < 5; k++) {
		last = binary(&m, inner.head, SSA_GPR, i[k], s[9 + k % 2]);
		phi_arg(&m, i[k], inner.latch, last);
		i[k] = last;
	}
	loop_end(&m, &inner, inner.head, last);
	for (unsigned k = 0; k < 4; k++) {
		s[k] = binary(&m, inner.behind, SSA_GPR, o[k], i[k]);
		phi_arg(&m, o[k], outer.latch, s[k]);
	}
	loop_end(&m, &outer, inner.behind, s[3]);
	leave_with(&m, outer.behind, s, 2);
	allocate_well(&m);
	assert_cost(&m, 2, 0, 0, 0);
	codes_fini(&m);
}

/* Eleven invariants, each used once, two PHIs, 8 registers: seven of the invariants at most are loaded. */
static void too_many(void **state)
{
	static Codes m;
	SsaRef s[SLOTS], x, n, next;
	Loop loop;

	(void)state;
	codes_init(&m, 8, 4, 2);
	entry_codes(&m, ssa_block(m.func, 0));
	for (unsigned k = 0; k < 13; k++)
		s[k] = k < 2 ? home_of(&m, 0, k) : plus_one(&m, 0, home_of(&m, 0, k));
	loop = loop_from(&m, 0);
	x = loop_phi(&m, &loop, 0, SSA_GPR, s[0]);
	n = loop_phi(&m, &loop, 1, SSA_GPR, s[1]);
	next = x;
	for (unsigned k = 0; k < 11; k++)
		next = binary(&m, loop.head, SSA_GPR, next, s[2 + k]);
	phi_arg(&m, x, loop.latch, next);
	s[0] = next;
	s[1] = plus_one(&m, loop.head, n);
	phi_arg(&m, n, loop.latch, s[1]);
	loop_end(&m, &loop, loop.head, s[1]);
	leave_with(&m, loop.behind, s, 2);
	allocate_well(&m);
	assert_cost(&m, 1, 0, 7, 0);
	codes_fini(&m);
}

/* Ten values that only snapshots want, each made anew in the loop, as are ten that do not come round, and six registers: a value
 * is stored where it is made, into the slot in which the next round looks for it. Nothing is stored on the way back. */
static void idle_values_stay_in_their_slots(void **state)
{
	static Codes m;
	SsaRef s[SLOTS], n, idle[10];
	Loop loop;

	(void)state;
	codes_init(&m, 6, 4, 2);
	entry_codes(&m, ssa_block(m.func, 0));
	for (unsigned k = 0; k < 14; k++)
		s[k] = k < 2 ? home_of(&m, 0, k) : plus_one(&m, 0, home_of(&m, 0, k));
	loop = loop_from(&m, 0);
	s[1] = n = loop_phi(&m, &loop, 1, SSA_GPR, s[1]);
	for (unsigned k = 0; k < 10; k++)
		s[2 + k] = idle[k] = loop_phi(&m, &loop, 2 + k, SSA_GPR, s[2 + k]);
	for (unsigned k = 0; k < 10; k++) {
		SsaUse uses[2] = {use_of(n, SSA_GPR), use_of(s[0], SSA_GPR)};

		store(&m, loop.head, n, s[0], SSA_GPR, s, 14);
		s[2 + k] = s[12] = code_value(&m, loop.head, SSA_GPR, uses, 2)->node; /* that would like the slot, too */
		store(&m, loop.head, n, s[0], SSA_GPR, s, 14);
		s[2 + k] = code_value(&m, loop.head, SSA_GPR, uses, 2)->node;
		phi_arg(&m, idle[k], loop.latch, s[2 + k]);
	}
	store(&m, loop.head, n, s[0], SSA_GPR, s, 14);
	s[1] = plus_one(&m, loop.head, n);
	phi_arg(&m, n, loop.latch, s[1]);
	loop_end(&m, &loop, loop.head, s[1]);
	leave_with(&m, loop.behind, s, 2);
	allocate_well(&m);
	assert_cost(&m, 1, 0, 1, 10);
	codes_fini(&m);
}

/* A cold path in the loop calls: it pays for that alone. */
static void cold_call(void **state)
{
	static Codes m;
	SsaRef s[SLOTS], x, n;
	u32 cold, warm, join;
	SsaUse use;
	Loop loop;
	Cost cost;

	(void)state;
	codes_init(&m, 8, 4, 4);
	entry_codes(&m, ssa_block(m.func, 0));
	for (unsigned k = 0; k < 4; k++)
		s[k] = home_of(&m, 0, k);
	loop = loop_from(&m, 0);
	cold = ssa_block(m.func, 0), warm = ssa_block(m.func, 0), join = ssa_block(m.func, 0);
	m.func->blocks[cold].cold = true;
	x = loop_phi(&m, &loop, 0, SSA_GPR, s[0]);
	n = loop_phi(&m, &loop, 1, SSA_GPR, s[1]);
	use = use_of(n, SSA_GPR);
	branch_to(&m, loop.head, cold, warm, &use, 1);
	code_for(&m, cold, 0, &use, 1)->clobbers[SSA_GPR] = 0xFF;
	jump_to(&m, cold, join);
	jump_to(&m, warm, join);
	s[0] = binary(&m, join, SSA_GPR, x, s[2]);
	s[1] = binary(&m, join, SSA_GPR, n, s[3]);
	phi_arg(&m, x, loop.latch, s[0]);
	phi_arg(&m, n, loop.latch, s[1]);
	loop_end(&m, &loop, join, s[1]);
	leave_with(&m, loop.behind, s, 4);
	allocate_well(&m);
	cost = cost_in_loops(&m, 1);
	assert_true(cost.loads <= 4); /* on the cold edge */
	assert_int_equal(cost.moves, 0);
	assert_true(cost.stores <= 4);
	for (u32 c = 0; c < m.alloc.code_count; c++)
		if (m.func->blocks[m.alloc.codes[c].block].depth && m.alloc.codes[c].block != cold)
			assert_int_equal(m.alloc.codes[c].move_count, 0);
	codes_fini(&m);
}

/* What gives way on one side of a branch alone, and is wanted there again, is stored on that side. */
static void stored_where_it_is_read(void **state)
{
	enum { MORE = 3 };
	static Codes m;
	SsaRef v, sums[MORE], all;
	u32 plain, crowded;
	SsaUse use;

	(void)state;
	codes_init(&m, 4, 2, 1);
	entry_codes(&m, ssa_block(m.func, 0));
	plain = ssa_block(m.func, 0);
	crowded = ssa_block(m.func, 0);
	v = plus_one(&m, 0, home_of(&m, 0, 0));
	use = use_of(v, SSA_GPR);
	branch_to(&m, 0, plain, crowded, &use, 1);
	leave_with(&m, plain, &v, 1);
	sums[0] = plus_one(&m, crowded, v);
	for (unsigned k = 1; k < MORE; k++)
		sums[k] = plus_one(&m, crowded, sums[k - 1]);
	use = use_of(sums[0], SSA_GPR);
	code_for(&m, crowded, 0, &use, 1)->temps[SSA_GPR] = 1; /* with the sums they are five */
	all = sums[0];
	for (unsigned k = 1; k < MORE; k++)
		all = binary(&m, crowded, SSA_GPR, all, sums[k]);
	all = binary(&m, crowded, SSA_GPR, all, v);
	leave_with(&m, crowded, &all, 1);
	allocate_well(&m);
	assert_int_equal(m.alloc.spills, 1);
	for (u32 c = 0; c < m.alloc.code_count; c++)
		for (u32 k = m.alloc.codes[c].move_first; k < m.alloc.codes[c].move_first + m.alloc.codes[c].move_count; k++)
			if (m.alloc.moves[k].to.kind == SSA_PLACE_SPILL)
				assert_int_equal(m.alloc.codes[c].block, crowded);
	codes_fini(&m);
}

/* A sum that only a way out in the loop wants is not stored where what it is the sum of is there anyway; it is where that is not. */
static void made_by_ways_out(void **state)
{
	static Codes m;

	(void)state;
	for (unsigned gone = 0; gone < 2; gone++) {
		SsaRef s[SLOTS], x, sum, now, values[1];
		const u16 slots[1] = {9};
		SsaUse use;
		Loop loop;

		codes_init(&m, 4, 2, 3);
		entry_codes(&m, ssa_block(m.func, 0));
		for (unsigned k = 0; k < 3; k++)
			s[k] = home_of(&m, 0, k);
		loop = loop_from(&m, 0);
		x = loop_phi(&m, &loop, 0, SSA_GPR, s[0]);
		sum = binary(&m, loop.head, SSA_GPR, x, s[1]);
		now = gone ? plus_one(&m, loop.head, x) : x;
		code_for(&m, loop.head, 0, NULL, 0)->temps[SSA_GPR] = 1; /* so there is no room for the sum */
		use = use_of(now, SSA_GPR);
		values[0] = sum;
		code_for(&m, loop.head, 0, &use, 1)->snap = snap_of(&m, values, slots, 1);
		s[0] = plus_one(&m, loop.head, now);
		phi_arg(&m, x, loop.latch, s[0]);
		loop_end(&m, &loop, loop.head, s[2]);
		leave_with(&m, loop.behind, s, 3);
		allocate_well(&m);
		assert_int_equal(m.alloc.made_count, gone ? 0 : 1);
		codes_fini(&m);
	}
}

/* A value that no code makes: ways out do, of what is in registers, in memory, and made by them. */
static void lazy_values(void **state)
{
	static Codes m;
	SsaRef s[SLOTS], sums[2], values[4];
	const u16 slots[4] = {8, 9, SSA_NO_SLOT, SSA_NO_SLOT};
	SsaUse use;
	Loop loop;
	Cost cost;

	(void)state;
	codes_init(&m, 4, 2, 3);
	entry_codes(&m, ssa_block(m.func, 0));
	for (unsigned k = 0; k < 3; k++)
		s[k] = home_of(&m, 0, k);
	loop = loop_from(&m, 0);
	values[2] = loop_phi(&m, &loop, 0, SSA_GPR, s[0]);
	values[3] = s[1];
	values[0] = sums[0] = ssa_node(m.func, IR_OP_ADD, 64, 0, values[2], s[1], 0, 0);
	values[1] = sums[1] = ssa_node(m.func, IR_OP_XOR, 64, 0, sums[0], constant(&m, 5, SSA_GPR), 0, 0);
	for (unsigned k = 0; k < 2; k++) {
		m.cls[sums[k]] = SSA_GPR;
		ssa_append(m.func, loop.head, sums[k]);
	}
	s[0] = plus_one(&m, loop.head, values[2]);
	code_for(&m, loop.head, 0, NULL, 0)->temps[SSA_GPR] = 1; /* so that one value has to go */
	use = use_of(s[0], SSA_GPR);
	code_for(&m, loop.head, 0, &use, 1)->snap = snap_of(&m, values, slots, 4);
	phi_arg(&m, values[2], loop.latch, s[0]);
	loop_end(&m, &loop, loop.head, s[2]);
	leave_with(&m, loop.behind, s, 3);
	m.func->lazy = ARENA_ARRAY(m.func->arena, bool, m.func->node_count);
	m.func->lazy_nodes = m.func->node_count;
	m.func->lazy[sums[0]] = m.func->lazy[sums[1]] = true;
	m.func->lazy_count = 2;
	allocate_well(&m);
	assert_int_equal(m.alloc.made_count, 2);
	assert_int_equal(m.alloc.snap_places[0].kind, SSA_PLACE_MADE);
	assert_int_equal(m.alloc.snap_places[1].kind, SSA_PLACE_MADE);
	assert_int_equal(m.alloc.made[m.alloc.snap_places[1].number].from[0].kind, SSA_PLACE_MADE);
	cost = cost_in_loops(&m, 1);
	assert_true(cost.stores <= 1);
	codes_fini(&m);
}

/* What commutes may have one use alone (its other operand is a constant): nobody looks behind it. */
static void one_use_that_commutes(void **state)
{
	static Codes m;
	SsaRef s[1];
	SsaCode *code;
	SsaUse use;

	(void)state;
	codes_init(&m, 4, 2, 1);
	entry_codes(&m, ssa_block(m.func, 0));
	use = use_of(home_of(&m, 0, 0), SSA_GPR);
	code = code_value(&m, 0, SSA_GPR, &use, 1);
	code->tied = code->commutes = true;
	code->uses[1].value = 0xFFFFFFFD;
	s[0] = code->node;
	leave_with(&m, 0, s, 1);
	allocate_well(&m);
	codes_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tight_loop),
		cmocka_unit_test(two_take_turns),
		cmocka_unit_test(idle_values_give_way),
		cmocka_unit_test(loaded_before_the_loop),
		cmocka_unit_test(fixed_in_a_loop),
		cmocka_unit_test(nested),
		cmocka_unit_test(too_many),
		cmocka_unit_test(idle_values_stay_in_their_slots),
		cmocka_unit_test(cold_call),
		cmocka_unit_test(stored_where_it_is_read),
		cmocka_unit_test(made_by_ways_out),
		cmocka_unit_test(lazy_values),
		cmocka_unit_test(one_use_that_commutes),
		cmocka_unit_test(random_regions),
		cmocka_unit_test(checker_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
