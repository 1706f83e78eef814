/* SPDX-License-Identifier: MIT
 *
 * What is known of loops before nodes are made: which slots each changes (those have a PHI at its header), how often it goes
 * round by the first tier's counters, and so which slots had better stay at home (ssa_home.h).
 */
#include <string.h>

#include "jit/ssa_build_private.h"

enum { LOOP_STEPS = 200000 };

/* ---- What loops change ---- */

/* All that is written from where one can jump back, without passing the header. A way into that from outside may bring any
 * state. */
static void find_loop(SsaBuild *b, u32 header, u32 *stack, u32 *stamp, u32 *steps)
{
	SsaPiece *top = &b->pieces[header];
	u64 *written = ARENA_ARRAY(b->arena, u64, b->words);
	bool all = false;
	u32 count = 0;

	if (!written) {
		b->failed = true;
		return;
	}
	memcpy(written, top->written, b->words * sizeof(u64));
	top->loop = header;
	stamp[header] = header + 1;
	for (u32 i = 0; i < top->pred_count; i++)
		if (b->pieces[top->preds[i]].order >= top->order && stamp[top->preds[i]] != header + 1) {
			stamp[top->preds[i]] = header + 1;
			stack[count++] = top->preds[i];
		}
	while (count && !all) {
		SsaPiece *piece = &b->pieces[stack[--count]];

		if (piece->loop == SSA_NONE)
			piece->loop = header;
		else if (piece->loop == (u32)(piece - b->pieces) && piece->outer == SSA_NONE)
			piece->outer = header;
		all = piece->source == SSA_NONE || ++*steps > LOOP_STEPS;
		for (u32 w = 0; w < b->words; w++)
			written[w] |= piece->written[w];
		for (u32 i = 0; i < piece->pred_count; i++)
			if (stamp[piece->preds[i]] != header + 1) {
				stamp[piece->preds[i]] = header + 1;
				stack[count++] = piece->preds[i];
			}
	}
	top->written = all ? b->region_written : written;
}

void ssa_build_written(SsaBuild *b)
{
	u32 *stack = ARENA_ARRAY(b->arena, u32, b->piece_count), *stamp = ARENA_ARRAY(b->arena, u32, b->piece_count);
	u32 steps = 0;

	b->region_written = ARENA_ARRAY(b->arena, u64, b->words);
	b->slots = ARENA_ARRAY(b->arena, u32, b->region->slot_count + 1);
	if (!stack || !stamp || !b->region_written || !b->slots) {
		b->failed = true;
		return;
	}
	for (u32 i = 0; i < b->order_count; i++)
		for (u32 w = 0; w < b->words; w++)
			b->region_written[w] |= b->pieces[b->order[i]].written[w];
	for (u32 slot = 0; slot < b->region->slot_count; slot++)
		if (b->region_written[slot / 64] >> slot % 64 & 1)
			b->slots[b->slot_count++] = slot;
	/* Inner ones first, each before the sets of those around it, which take in its blocks and not its set. */
	for (u32 i = b->order_count; i-- > 0 && !b->failed;)
		if (b->pieces[b->order[i]].header)
			find_loop(b, b->order[i], stack, stamp, &steps);
}

/* How often the piece runs, for one time that the region does. Heat tells how much more often a loop goes round than what is
 * around it, where both are counted and did not reach the limit; else ten times is assumed. */
static u64 weight_of(const SsaBuild *b, u32 p)
{
	const SsaPiece *piece = &b->pieces[p];

	return piece->loop == SSA_NONE || !b->pieces[piece->loop].weight ? SSA_ONCE : b->pieces[piece->loop].weight;
}

static u64 heat_of(const SsaBuild *b, u32 p)
{
	const SsaPiece *piece = &b->pieces[p];

	return b->region->sources[piece->source == SSA_NONE ? piece->ir : piece->source].heat;
}

static void weigh_loops(SsaBuild *b)
{
	for (u32 i = 0; i < b->order_count; i++) {
		SsaPiece *piece = &b->pieces[b->order[i]];
		u64 around, inside, once;

		if (piece->loop != b->order[i])
			continue;
		once = piece->outer == SSA_NONE ? SSA_ONCE : weight_of(b, piece->outer);
		around = piece->outer == SSA_NONE ? b->region->sources[0].heat : heat_of(b, piece->outer);
		inside = heat_of(b, b->order[i]);
		if (!inside || !around || inside >= b->region->heat_most)
			piece->weight = once * 10;
		else
			piece->weight = inside <= around ? once : inside >= around * 10 ? once * 10 : once * inside / around;
		if (piece->weight > SSA_OFTEN)
			piece->weight = SSA_OFTEN;
	}
}

/* Whatever they are, so many written slots become values. */
static bool have_room(const u32 most[2], u32 written)
{
	return (!most[0] || written <= most[0]) && (!most[1] || written <= most[1]);
}

/* Those that stay at home are written no more, as far as states go. */
void ssa_build_homes(SsaBuild *b)
{
	u32 count = b->region->slot_count, kept = 0, written = 0;

	b->weights = (SsaWeights){.count = count, .weights = ARENA_ARRAY(b->arena, u64, count), .reads = ARENA_ARRAY(b->arena, u64, count), .floats = ARENA_ARRAY(b->arena, bool, count),
		.stay = ARENA_ARRAY(b->arena, bool, count), .seen = ARENA_ARRAY(b->arena, u32, count)};
	if (!b->weights.weights || !b->weights.reads || !b->weights.floats || !b->weights.stay || !b->weights.seen) {
		b->failed = true;
		return;
	}
	for (u32 w = 0; w < b->words; w++)
		written += (u32)__builtin_popcountll(b->region_written[w]);
	if (have_room(b->region->values_most, written))
		return;
	weigh_loops(b);
	for (u32 i = 0; i < b->order_count; i++) {
		const SsaPiece *piece = &b->pieces[b->order[i]];

		if (piece->source != SSA_NONE)
			ssa_weigh(&b->weights, b->shapes[piece->source]->func, piece->start, piece->end, weight_of(b, b->order[i]));
	}
	ssa_choose_homes(&b->weights, b->region_written, b->region->pin_of, b->region->values_most);
	for (u32 i = 0; i < b->slot_count; i++)
		if (!b->weights.stay[b->slots[i]])
			b->slots[kept++] = b->slots[i];
	b->stay = kept < b->slot_count;
	b->slot_count = kept;
}
