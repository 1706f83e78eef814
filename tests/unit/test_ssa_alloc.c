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
	unsigned gprs, xmms, budget, var_count, pins, landings;
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
}

static void statements(Gen *g, unsigned depth)
{
	for (unsigned n = 1 + pick(g, 6); n-- > 0 && g->budget;) {
		unsigned kind = pick(g, 10);

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
			{ if (only) { Buf text; buf_init(&text); ssa_print(m.func, NULL, NULL, &text); fprintf(stderr, "%s", buf_text(&text)); }
			fail_msg("seed %u:\n%s", (unsigned)seed, buf_text(&why)); }
		buf_fini(&why);
		codes_fini(&m);
	}
	assert_int_equal(tight, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_regions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
