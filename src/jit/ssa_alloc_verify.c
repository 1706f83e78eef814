/* SPDX-License-Identifier: MIT
 *
 * A checker for allocations that knows nothing of how they were made. Each place that a use or a snapshot reads is followed
 * backward, through moves, codes and edges, until something defines it: that must be the definition of the value
 * wanted. On the way nothing may overwrite the place. At a PHI the search goes on for its argument, in each predecessor.
 */
#include "jit/ssa_alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "At the start of block `block`, `place` holds `ref`": to be shown for every predecessor, once. */
typedef struct Claim {
	u32 block;
	SsaRef ref;
	SsaPlace place;
} Claim;

typedef struct Check {
	const SsaAlloc *alloc;
	const SsaFunc *func;
	Buf *why;
	u32 *edge_first, *edge_next; /* edges by `to`: index + 1 */
	Claim *claims;
	u32 claim_count, claim_cap;
	u32 *hash;
	u32 hash_cap;
	u32 code;     /* whose operand is followed, for messages */
	bool bad;
	bool starved; /* there was no memory to look */
} Check;

static void place_text(const SsaPlace *place, char *out, size_t size)
{
	static const char *const names[] = {"nowhere", "r", "spill ", "home ", "const n", "made "};

	snprintf(out, size, "%s%u", place->kind == SSA_PLACE_REG && place->cls == SSA_XMM ? "x" : names[place->kind],
		 place->number);
}

static void fault(Check *check, SsaRef ref, const SsaPlace *place, const char *what)
{
	char text[32];

	check->bad = true;
	if (!check->why || check->why->len > 4000)
		return;
	place_text(place, text, sizeof(text));
	buf_printf(check->why, "code %u (n%u, block %u): n%u in %s: %s\n", check->code, check->alloc->codes[check->code].node,
		   check->alloc->codes[check->code].block, ref, text, what);
}

static bool is_reg(const SsaPlace *place, unsigned cls, u32 number)
{
	return place->kind == SSA_PLACE_REG && place->cls == cls && place->number == number;
}

static bool is_scratch(const Check *check, const SsaPlace *place)
{
	return place->kind == SSA_PLACE_REG && place->number == check->alloc->scratch[place->cls];
}

/* Does a place that needs no definition hold the value? */
static bool is_itself(const Check *check, SsaRef ref, const SsaPlace *place)
{
	const SsaNode *node = &check->func->nodes[ref];

	if (place->kind == SSA_PLACE_CONST)
		return node->op == SSA_CONST && ssa_value(check->func, place->number) == ref;
	return place->kind == SSA_PLACE_HOME && node->op == SSA_HOME && node->aux == place->number &&
	       check->alloc->pin_reg[node->aux] == 0xFF;
}

static bool is_made(const SsaPlace *place)
{
	return place->kind == SSA_PLACE_CONST || place->kind == SSA_PLACE_HOME;
}

static u32 claim_hash(const Claim *claim)
{
	u64 key = ((u64)claim->block << 32 | claim->ref) * 0x9E3779B97F4A7C15u;

	key ^= ((u64)claim->place.kind << 40 | (u64)claim->place.cls << 36 | claim->place.number) * 0xC2B2AE3D27D4EB4Fu;
	return (u32)(key >> 29);
}

static void rehash(Check *check)
{
	u32 cap = check->hash_cap ? check->hash_cap * 2 : 1024;

	free(check->hash);
	check->hash = calloc(cap, sizeof(u32));
	check->hash_cap = check->hash ? cap : 0;
	for (u32 c = 0; c < check->claim_count && check->hash; c++) {
		u32 h = claim_hash(&check->claims[c]) & (cap - 1);

		while (check->hash[h])
			h = (h + 1) & (cap - 1);
		check->hash[h] = c + 1;
	}
}

static void claim(Check *check, u32 block, SsaRef ref, SsaPlace place)
{
	Claim new_one = {.block = block, .ref = ref, .place = place};
	u32 h;

	if (check->claim_count * 2 >= check->hash_cap)
		rehash(check);
	if (check->claim_count >= check->claim_cap) {
		u32 cap = check->claim_cap ? check->claim_cap * 2 : 1024;
		Claim *more = realloc(check->claims, cap * sizeof(Claim));

		if (more) {
			check->claims = more;
			check->claim_cap = cap;
		}
	}
	if (!check->hash || check->claim_count >= check->claim_cap) {
		check->starved = check->bad = true;
		return;
	}
	for (h = claim_hash(&new_one) & (check->hash_cap - 1); check->hash[h]; h = (h + 1) & (check->hash_cap - 1)) {
		const Claim *old = &check->claims[check->hash[h] - 1];

		if (old->block == block && old->ref == ref && ssa_same_place(&old->place, &place))
			return;
	}
	check->claims[check->claim_count++] = new_one;
	check->hash[h] = check->claim_count;
}

/* Backward over one list of moves. True: shown (or a fault was found). */
static bool over_moves(Check *check, u32 first, u32 count, SsaRef ref, SsaPlace *place)
{
	for (u32 m = count; m-- > 0;) {
		const SsaMove *move = &check->alloc->moves[first + m];

		if (ssa_same_place(&move->to, place)) {
			if (move->width < check->func->nodes[ref].width)
				fault(check, ref, place, "moved in part");
			*place = move->from;
			if (is_made(place)) {
				if (!is_itself(check, ref, place))
					fault(check, ref, place, "another constant or home");
				return true;
			}
		} else if (is_reg(place, SSA_GPR, check->alloc->scratch[SSA_GPR]) && move->from.kind != SSA_PLACE_REG &&
			   (move->to.kind != SSA_PLACE_REG || (move->to.cls == SSA_XMM && is_made(&move->from)))) {
			fault(check, ref, place, "the scratch register is needed by a move");
			return true;
		}
	}
	return false;
}

/* Before code `at` (behind its moves), which is in `block`. */
static void follow(Check *check, u32 block, u32 at, SsaRef ref, SsaPlace place)
{
	const SsaAlloc *alloc = check->alloc;
	u32 first = alloc->block_first[block];

	for (u32 c = at;; c--) {
		const SsaCode *before;

		if (c < alloc->block_first[block] + alloc->block_codes[block] &&
		    over_moves(check, alloc->codes[c].move_first, alloc->codes[c].move_count, ref, &place))
			return;
		if (c == first)
			break;
		before = &alloc->codes[c - 1];
		if (before->result && ssa_same_place(&before->at, &place)) {
			if (before->node != ref)
				fault(check, ref, &place, "overwritten by another result");
			return;
		}
		if (before->result && before->node == ref) {
			fault(check, ref, &place, "its definition is elsewhere");
			return;
		}
		if (is_scratch(check, &place)) {
			fault(check, ref, &place, "scratch register over a code");
			return;
		}
		if (place.kind != SSA_PLACE_REG)
			continue;
		if (before->clobbers[place.cls] >> place.number & 1) {
			fault(check, ref, &place, "clobbered");
			return;
		}
		for (unsigned t = 0; t < before->temps[place.cls]; t++)
			if (before->temp[place.cls][t] == place.number) {
				fault(check, ref, &place, "was a temporary");
				return;
			}
	}
	claim(check, block, ref, place);
}

static void follow_edges(Check *check, const Claim *from)
{
	const SsaFunc *func = check->func;
	const SsaBlock *block = &func->blocks[from->block];
	const SsaNode *node = &func->nodes[from->ref];

	if (!block->pred_count) {
		fault(check, from->ref, &from->place, "not defined");
		return;
	}
	for (u32 k = 0; k < block->pred_count; k++) {
		SsaRef ref = from->ref;
		SsaPlace place = from->place;
		u32 pred = block->preds[k];

		if (node->op == SSA_PHI && node->block == from->block)
			ref = ssa_value(func, func->pool[node->a + k]);
		for (u32 e = check->edge_first[from->block]; e; e = check->edge_next[e - 1]) {
			const SsaEdge *edge = &check->alloc->edges[e - 1];

			if (edge->from != pred)
				continue;
			if (over_moves(check, edge->move_first, edge->move_count, ref, &place))
				goto shown;
		}
		if (is_scratch(check, &place))
			fault(check, ref, &place, "scratch register over an edge");
		else
			follow(check, pred, check->alloc->block_first[pred] + check->alloc->block_codes[pred], ref, place);
shown:;
	}
}

static bool allowed(const Check *check, const SsaPlace *place)
{
	return place->kind == SSA_PLACE_REG && check->alloc->allowed[place->cls] >> place->number & 1;
}

static void check_use(Check *check, const SsaCode *code, u32 at, const SsaUse *use)
{
	const SsaPlace *place = &use->place;
	SsaRef ref = ssa_value(check->func, use->ref);

	if (place->kind == SSA_PLACE_NONE || (use->want != SSA_WANT_ANY && place->kind != SSA_PLACE_REG)) {
		fault(check, ref, place, "not in a register");
		return;
	}
	if (place->kind == SSA_PLACE_REG) {
		if (place->cls != use->cls)
			fault(check, ref, place, "wrong class");
		if (use->want == SSA_WANT_FIXED && place->number != use->reg)
			fault(check, ref, place, "not the fixed register");
		if (!allowed(check, place))
			fault(check, ref, place, "a register that is not allowed");
		if (!use->early && code->clobbers[place->cls] >> place->number & 1)
			fault(check, ref, place, "late, and clobbered");
		if (!use->early && code->result && ssa_same_place(place, &code->at) && !(code->tied && use == code->uses))
			fault(check, ref, place, "late, and the result");
		for (unsigned t = 0; t < code->temps[place->cls]; t++)
			if (code->temp[place->cls][t] == place->number)
				fault(check, ref, place, "also a temporary");
	}
	if (is_made(place)) {
		if (!is_itself(check, ref, place))
			fault(check, ref, place, "another constant or home");
		return;
	}
	follow(check, code->block, at, ref, *place);
}

static void check_result(Check *check, const SsaCode *code)
{
	const SsaPlace *at = &code->at;

	if (at->kind != SSA_PLACE_REG || at->cls != code->result_cls || !allowed(check, at)) {
		fault(check, code->node, at, "result in no register of its class");
		return;
	}
	if (code->result_reg != 0xFF && at->number != code->result_reg)
		fault(check, code->node, at, "result not in the fixed register");
	if (code->tied && !ssa_same_place(at, &code->uses[0].place))
		fault(check, code->node, at, "result not where the first operand is");
}

static void check_temps(Check *check, const SsaCode *code)
{
	for (unsigned cls = 0; cls < SSA_CLASSES; cls++)
		for (unsigned t = 0; t < code->temps[cls]; t++) {
			SsaPlace place = {.kind = SSA_PLACE_REG, .cls = (u8)cls, .number = code->temp[cls][t]};

			if (!allowed(check, &place))
				fault(check, 0, &place, "a temporary that is not allowed");
			if (code->result && ssa_same_place(&code->at, &place))
				fault(check, 0, &place, "a temporary and the result");
			if (code->clobbers[cls] >> place.number & 1)
				fault(check, 0, &place, "a temporary and clobbered");
			if (t && code->temp[cls][0] == place.number)
				fault(check, 0, &place, "two temporaries");
		}
}

static void check_made(Check *check, const SsaCode *code, u32 at, SsaRef ref, const SsaPlace *place);

static void check_shown(Check *check, const SsaCode *code, u32 at, SsaRef ref, const SsaPlace *place)
{
	ref = ssa_value(check->func, ref);
	if (place->kind == SSA_PLACE_MADE) {
		check_made(check, code, at, ref, place);
		return;
	}
	if (is_made(place)) {
		if (!is_itself(check, ref, place))
			fault(check, ref, place, "snapshot: another constant or home");
		return;
	}
	if (place->kind == SSA_PLACE_NONE) {
		fault(check, ref, place, "snapshot: nowhere");
		return;
	}
	if (place->kind == SSA_PLACE_REG) {
		if (code->clobbers[place->cls] >> place->number & 1 || is_scratch(check, place))
			fault(check, ref, place, "snapshot: clobbered");
		for (unsigned t = 0; t < code->temps[place->cls]; t++)
			if (code->temp[place->cls][t] == place->number)
				fault(check, ref, place, "snapshot: a temporary");
	}
	follow(check, code->block, at, ref, *place);
}

/* The way out does the value's own operation, on its operands. */
static void check_made(Check *check, const SsaCode *code, u32 at, SsaRef ref, const SsaPlace *place)
{
	const SsaNode *node = &check->func->nodes[ref];
	const SsaMade *made = &check->alloc->made[place->number];

	if (place->number >= check->alloc->made_count || made->ref != ref || node->op >= IR_OP_COUNT) {
		fault(check, ref, place, "snapshot: something else is made");
		return;
	}
	for (unsigned k = 0; k < ssa_op_info[node->op].operands; k++) {
		if (made->from[k].kind == SSA_PLACE_MADE && made->from[k].number >= place->number) {
			fault(check, ref, place, "snapshot: made of what is made later");
			return;
		}
		check_shown(check, code, at, node->operands[k], &made->from[k]);
	}
}

static void check_snapshot(Check *check, const SsaCode *code, u32 at)
{
	const SsaSnap *snap = &check->func->snaps[code->snap];

	for (u32 k = 0; k < snap->count; k++)
		check_shown(check, code, at, check->func->entries[snap->first + k].ref,
			    &check->alloc->snap_places[code->snap_place + k]);
}

static void check_codes(Check *check)
{
	const SsaAlloc *alloc = check->alloc;

	for (u32 p = 0; p < check->func->rpo_count; p++) {
		u32 b = check->func->rpo[p];

		for (u32 i = 0; i < alloc->block_codes[b]; i++) {
			u32 at = alloc->block_first[b] + i;
			const SsaCode *code = &alloc->codes[at];

			check->code = at;
			for (unsigned u = 0; u < code->use_count; u++)
				check_use(check, code, at, &code->uses[u]);
			if (code->result)
				check_result(check, code);
			check_temps(check, code);
			if (code->snap != ~(u32)0)
				check_snapshot(check, code, at);
		}
	}
	for (u32 m = 0; m < alloc->move_count; m++) {
		const SsaMove *move = &alloc->moves[m];

		if (move->to.kind == SSA_PLACE_REG ? !allowed(check, &move->to) && !is_scratch(check, &move->to) :
		    move->to.kind != SSA_PLACE_SPILL || move->to.number >= alloc->spills)
			fault(check, 0, &move->to, "not a place to move to");
	}
}

bool ssa_alloc_verify(const SsaAlloc *alloc, Buf *why)
{
	Check check = {.alloc = alloc, .func = alloc->func, .why = why};

	if (alloc->failed)
		return false;
	check.edge_first = calloc(alloc->func->block_count + 1, sizeof(u32));
	check.edge_next = calloc(alloc->edge_count + 1, sizeof(u32));
	if (!check.edge_first || !check.edge_next) {
		check.starved = true;
	} else {
		for (u32 e = 0; e < alloc->edge_count; e++) {
			check.edge_next[e] = check.edge_first[alloc->edges[e].to];
			check.edge_first[alloc->edges[e].to] = e + 1;
		}
		check_codes(&check);
		for (u32 c = 0; c < check.claim_count && !check.bad; c++) {
			Claim next = check.claims[c];

			follow_edges(&check, &next);
		}
	}
	free(check.edge_first);
	free(check.edge_next);
	free(check.claims);
	free(check.hash);
	return check.starved || !check.bad;
}
