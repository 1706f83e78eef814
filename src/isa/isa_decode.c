/* SPDX-License-Identifier: MIT
 *
 * From cells to instructions. The decoder is a tree over bits of W: an inner node looks at a run of up to 6 bits that
 * all its candidates fix and branches; a leaf lists the candidates left, most specific first. Bits are only looked
 * at inside the shortest instruction, so one parcel too many is never fetched; a leaf's candidates are then tested
 * in full, fetching further parcels as each needs them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "isa/isa_parse.h"

enum { NODE_BITS_MAX = 6, LEAF_MAX = 3, TREE_DEPTH_MAX = 24, NODES_MAX = 60000 };

typedef struct DecodeNode {
	bool leaf;
	u8 shift, bits;
	u16 count;  /* leaf: candidates */
	u32 first;  /* leaf: index into list; inner: index of the first child */
} DecodeNode;

/* What is looked at of an instruction before it is known to be the one: one that is not it costs no look at its IsaInsn. */
typedef struct Candidate {
	u64 mask, match; /* of the first 64 bits */
	u16 insn, bits, cells;
	bool checks;     /* a `when`, or a field whose values are not all registers */
} Candidate;

typedef struct IsaDecoder {
	DecodeNode *nodes;
	u32 node_count, cap_nodes;
	Candidate *list;
	u32 list_count, cap_list;
} IsaDecoder;

static u32 popcount_words(const u64 *words)
{
	u32 n = 0;

	for (int i = 0; i < ISA_WORDS; i++)
		n += (u32)__builtin_popcountll(words[i]);
	return n;
}

/* Most fixed bits first; at equal numbers one with a `when` first, then file order. */
static bool more_specific(const Isa *isa, u16 a, u16 b)
{
	u32 na = popcount_words(isa->insns[a].mask), nb = popcount_words(isa->insns[b].mask);

	if (na != nb)
		return na > nb;
	if ((isa->insns[a].when != NULL) != (isa->insns[b].when != NULL))
		return isa->insns[a].when != NULL;
	return a < b;
}

static void sort_candidates(const Isa *isa, u16 *list, u32 count)
{
	for (u32 i = 1; i < count; i++) {
		u16 x = list[i];
		u32 k = i;

		for (; k > 0 && more_specific(isa, x, list[k - 1]); k--)
			list[k] = list[k - 1];
		list[k] = x;
	}
}

/* The longest useful run of bits that every candidate fixes and that tells some of them apart. */
static bool choose_bits(const Isa *isa, const u16 *list, u32 count, u64 usable, u8 *shift, u8 *bits)
{
	u64 common = usable, differ = 0;

	for (u32 i = 0; i < count; i++)
		common &= isa->insns[list[i]].mask[0];
	for (u32 i = 1; i < count; i++)
		differ |= isa->insns[list[i]].match[0] ^ isa->insns[list[0]].match[0];
	common &= differ;
	if (common) {
		u32 lo = (u32)__builtin_ctzll(common), n = 0;

		while (n < NODE_BITS_MAX && lo + n < 64 && (common >> (lo + n) & 1))
			n++;
		*shift = (u8)lo;
		*bits = (u8)n;
		return true;
	}
	/* No common bit: the bit most of them fix; the others go both ways. */
	u32 best = 0, best_bit = 0;

	for (u32 bit = 0; bit < 64; bit++) {
		u32 zeros = 0, ones = 0;

		if (!(usable >> bit & 1))
			continue;
		for (u32 i = 0; i < count; i++)
			if (isa->insns[list[i]].mask[0] >> bit & 1) {
				if (isa->insns[list[i]].match[0] >> bit & 1)
					ones++;
				else
					zeros++;
			}
		if (zeros && ones && zeros + ones > best) {
			best = zeros + ones;
			best_bit = bit;
		}
	}
	*shift = (u8)best_bit;
	*bits = 1;
	return best > 0;
}

/* Register fields that can hold the number of no register. */
static bool has_odd_fields(const Isa *isa, const IsaInsn *insn)
{
	for (u32 f = 0; f < insn->field_count; f++) {
		const IsaField *field = &isa->fields[insn->fields[f].field];

		if (field->kind == ISA_FIELD_REG && bits_mask(insn->fields[f].width) + field->reg_from >= isa->regs[field->reg].count)
			return true;
	}
	return false;
}

static Candidate candidate(const Isa *isa, u16 index)
{
	const IsaInsn *insn = &isa->insns[index];

	return (Candidate){.mask = insn->mask[0], .match = insn->match[0], .insn = index, .bits = insn->bits,
			   .cells = (u16)(insn->bits / isa->parcel_bits * isa->parcel_cells),
			   .checks = insn->when || has_odd_fields(isa, insn)};
}

static bool build_node(Parser *p, IsaDecoder *d, u32 node, u16 *list, u32 count, u64 usable, u32 depth)
{
	const Isa *isa = p->isa;
	u8 shift = 0, bits = 0;
	u32 first;

	if (count <= LEAF_MAX || depth >= TREE_DEPTH_MAX || d->node_count > NODES_MAX ||
	    !choose_bits(isa, list, count, usable, &shift, &bits)) {
		d->nodes[node] = (DecodeNode){.leaf = true, .count = (u16)count, .first = d->list_count};
		sort_candidates(isa, list, count);
		for (u32 i = 0; i < count; i++) {
			if (!arena_grow(p->arena, (void **)&d->list, &d->cap_list, d->list_count, sizeof(Candidate)))
				return false;
			d->list[d->list_count++] = candidate(isa, list[i]);
		}
		return true;
	}
	first = d->node_count;
	for (u32 i = 0; i < (u32)1 << bits; i++) {
		if (!arena_grow(p->arena, (void **)&d->nodes, &d->cap_nodes, d->node_count, sizeof(DecodeNode)))
			return false;
		d->node_count++;
	}
	d->nodes[node] = (DecodeNode){.shift = shift, .bits = bits, .first = first};
	for (u32 value = 0; value < (u32)1 << bits; value++) {
		u64 field = bits_mask(bits) << shift, want = (u64)value << shift;
		u16 *sub = malloc((count ? count : 1) * sizeof(u16));
		u32 n = 0;
		bool fine;

		if (!sub)
			return false;
		for (u32 i = 0; i < count; i++) {
			const IsaInsn *insn = &isa->insns[list[i]];

			if (((insn->match[0] ^ want) & insn->mask[0] & field) == 0)
				sub[n++] = list[i];
		}
		fine = build_node(p, d, first + value, sub, n, usable & ~field, depth + 1);
		free(sub);
		if (!fine)
			return false;
	}
	return true;
}

bool build_decoder(Parser *p)
{
	Isa *isa = p->isa;
	IsaDecoder *d = ARENA_NEW(p->arena, IsaDecoder);
	u16 *all = malloc((isa->insn_count ? isa->insn_count : 1) * sizeof(u16));
	u32 count = 0;
	bool fine = false;

	isa->decoder = d;
	isa->min_bits = 0xFFFF;
	isa->max_bits = 0;
	for (u32 i = 0; i < isa->insn_count; i++) {
		u16 bits = isa->insns[i].bits;

		isa->min_bits = bits < isa->min_bits ? bits : isa->min_bits;
		isa->max_bits = bits > isa->max_bits ? bits : isa->max_bits;
	}
	if (d && all && arena_grow(p->arena, (void **)&d->nodes, &d->cap_nodes, 0, sizeof(DecodeNode))) {
		for (u32 i = 0; i < isa->insn_count; i++)
			if (!isa->insns[i].spelling)
				all[count++] = (u16)i;
		d->node_count = 1;
		fine = build_node(p, d, 0, all, count, bits_mask(isa->min_bits > 64 ? 64 : isa->min_bits), 0);
	}
	free(all);
	return fine;
}

typedef struct Fetched {
	IsaFetch fetch;
	void *ctx;
	u32 parcels; /* in out->w so far */
	bool failed;
} Fetched;

static bool fetch_bits(const Isa *isa, Fetched *f, u32 bits, IsaDecoded *out)
{
	while (f->parcels * isa->parcel_bits < bits) {
		u64 parcel;

		if (f->failed || !f->fetch(f->ctx, f->parcels, &parcel)) {
			f->failed = true;
			return false;
		}
		bits_insert(out->w, f->parcels * isa->parcel_bits, isa->parcel_bits, parcel);
		f->parcels++;
	}
	return true;
}

static bool word_matches(const IsaInsn *insn, const u64 *w)
{
	u64 wrong = 0;

	for (u32 i = 0; i * 64 < insn->bits; i++)
		wrong |= (w[i] & insn->mask[i]) ^ insn->match[i];
	return wrong == 0;
}

/* A register field that names no register is no such instruction. */
static bool fields_valid(const Isa *isa, const IsaDecoded *d)
{
	for (u32 f = 0; f < d->insn->field_count; f++) {
		const IsaField *field = &isa->fields[d->insn->fields[f].field];

		if (field->kind == ISA_FIELD_REG &&
		    bits_mask(d->insn->fields[f].width) + field->reg_from >= isa->regs[field->reg].count &&
		    isa_field_value(isa, d, f) + field->reg_from >= isa->regs[field->reg].count)
			return false;
	}
	return true;
}

static inline u32 cells_of(const Isa *isa, u32 bits)
{
	return bits / isa->parcel_bits * isa->parcel_cells;
}

static inline const DecodeNode *find_leaf(const IsaDecoder *d, u64 word)
{
	const DecodeNode *node = d->nodes;

	while (!node->leaf)
		node = &d->nodes[node->first + (word >> node->shift & (((u32)1 << node->bits) - 1))];
	return node;
}

/* What masks do not say: out->insn is it, or else NULL again. */
static bool passes_checks(const Isa *isa, IsaDecoded *out)
{
	const RtlBody *when = out->insn->when;
	u64 value;

	if ((!when || (rtl_const(isa, when->value, out, &value) && value)) && fields_valid(isa, out))
		return true;
	out->insn = NULL;
	return false;
}

void isa_decode(const Isa *isa, IsaFetch fetch, void *ctx, IsaDecoded *out)
{
	const IsaDecoder *d = isa->decoder;
	const DecodeNode *node;
	Fetched f = {.fetch = fetch, .ctx = ctx};
	bool lacked = false;

	*out = (IsaDecoded){0};
	if (!fetch_bits(isa, &f, isa->min_bits, out)) {
		out->fetch_failed = true;
		out->cells = isa->parcel_cells;
		out->looked = out->cells;
		return;
	}
	node = find_leaf(d, out->w[0]);
	for (u32 i = 0; i < node->count; i++) {
		const Candidate *c = &d->list[node->first + i];
		const IsaInsn *insn;

		/* The first parcels decide whether more are worth fetching. */
		if ((out->w[0] ^ c->match) & c->mask & bits_mask(f.parcels * isa->parcel_bits))
			continue;
		if (!fetch_bits(isa, &f, c->bits, out)) {
			lacked = true;
			continue;
		}
		insn = &isa->insns[c->insn];
		if (c->bits <= 64 ? (out->w[0] & c->mask) != c->match : !word_matches(insn, out->w))
			continue;
		out->insn = insn;
		if (c->checks && !passes_checks(isa, out))
			continue;
		out->cells = cells_of(isa, insn->bits);
		out->looked = f.parcels * isa->parcel_cells;
		/* Parcels behind a short instruction may have been fetched for a longer candidate: not part of W. */
		for (u32 word = 0; word < ISA_WORDS; word++)
			out->w[word] &= insn->bits >= (word + 1) * 64 ? ~(u64)0 :
					insn->bits > word * 64 ? bits_mask(insn->bits - word * 64) : 0;
		return;
	}
	out->fetch_failed = lacked;
	out->cells = cells_of(isa, isa->min_bits);
	out->looked = f.parcels * isa->parcel_cells;
	out->w[0] &= bits_mask(isa->min_bits > 64 ? 64 : isa->min_bits);
	out->w[1] = out->w[2] = out->w[3] = 0;
}

/* What isa_decode does, step by step, when nothing need be fetched: `have` is what it would have fetched so far. */
void isa_decode_word(const Isa *isa, u64 word, IsaDecoded *out)
{
	const IsaDecoder *d = isa->decoder;
	const DecodeNode *node = find_leaf(d, word);
	u32 have = isa->min_bits;
	u64 seen = bits_mask(have);

	*out = (IsaDecoded){.w = {word}};
	for (const Candidate *c = &d->list[node->first], *end = c + node->count; c < end; c++) {
		const u64 wrong = (word ^ c->match) & c->mask;

		if (wrong & seen)
			continue;
		if (c->bits > have) {
			have = c->bits;
			seen = bits_mask(have);
		}
		if (wrong)
			continue;
		out->insn = &isa->insns[c->insn];
		if (c->checks && !passes_checks(isa, out))
			continue;
		out->cells = c->cells;
		out->looked = c->bits == have ? c->cells : cells_of(isa, have);
		out->w[0] = word & bits_mask(c->bits);
		return;
	}
	out->cells = cells_of(isa, isa->min_bits);
	out->looked = cells_of(isa, have);
	out->w[0] = word & bits_mask(isa->min_bits);
}

u64 isa_field_of_slices(const Isa *isa, const IsaDecoded *decoded, unsigned index)
{
	const IsaInsnField *f = &decoded->insn->fields[index];
	const IsaSlice *s = &isa->slices[f->slices], *end = s + f->slice_count;
	u64 value = 0;

	if (decoded->insn->bits <= 64)
		for (; s < end; s++)
			value |= (decoded->w[0] >> s->word_lo & ~(u64)0 >> (64 - s->len)) << s->field_lo;
	for (; s < end; s++)
		value |= bits_extract(decoded->w, s->word_lo, s->len) << s->field_lo;
	if (f->is_signed)
		return (u64)bits_signed(value, f->width);
	return value;
}

u64 isa_target(const Isa *isa, const IsaInsn *insn, unsigned index, u64 pc, u64 value)
{
	const IsaField *field = &isa->fields[insn->fields[index].field];
	u64 base = field->bias;

	if (field->kind == ISA_FIELD_REL)
		base += pc + (field->from_next ? insn->bits / isa->parcel_bits * isa->parcel_cells : 0u);
	return bits_trunc(base + value * field->scale, isa->pc_width);
}

bool isa_offset(const Isa *isa, const IsaInsn *insn, unsigned index, u64 pc, u64 target, i64 *value)
{
	const IsaField *field = &isa->fields[insn->fields[index].field];
	i64 distance;

	if (field->kind == ISA_FIELD_ABS)
		distance = (i64)bits_trunc(target - field->bias, target < field->bias ? isa->pc_width : 64);
	else
		distance = bits_signed(bits_trunc(target - isa_target(isa, insn, index, pc, 0), isa->pc_width), isa->pc_width);
	if (distance % (i64)field->scale)
		return false;
	*value = distance / (i64)field->scale;
	return true;
}
