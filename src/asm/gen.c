/* SPDX-License-Identifier: MIT
 *
 * Random instructions, for tests of everything that reads them. Uniform values would hardly ever meet the edges where
 * mistakes live, so half of the values are edges: 0, 1, -1, the smallest, the largest, a power of two, and the value
 * of the operand before (the same register twice). Valid means: it encodes, and decodes to the same instruction,
 * which is also what proves that its `when` holds.
 */
#include "asm/asm.h"
#include "base/bits.h"
#include "base/rng.h"

enum { OUT_CELLS = 32, TRIES = 1000 };

static bool fetch_word(void *ctx, unsigned index, u64 *parcel)
{
	const struct { const Isa *isa; const u64 *w; } *word = ctx;
	unsigned bits = word->isa->parcel_bits;

	if ((index + 1) * bits > ISA_WORDS * 64)
		return false;
	*parcel = bits_extract(word->w, index * bits, bits);
	return true;
}

static void decode_word(const Isa *isa, const u64 *w, IsaDecoded *out)
{
	struct { const Isa *isa; const u64 *w; } word = {isa, w};

	isa_decode(isa, fetch_word, &word, out);
}

static u64 pick(Rng *rng, i64 lo, i64 hi, u64 step, u64 before)
{
	u64 span = (u64)hi - (u64)lo, steps = span / step, value;

	switch (rng_below(rng, 14)) {
	case 0: value = 0; break;
	case 1: value = step; break;
	case 2: value = (u64)-(i64)step; break;
	case 3: value = (u64)lo; break;
	case 4: value = (u64)hi; break;
	case 5: value = (u64)lo + step; break;
	case 6: value = (u64)hi - step; break;
	case 7: value = 1ull << rng_below(rng, 64); break;
	case 8: value = before; break;
	default: value = (u64)lo + (steps == ~(u64)0 ? rng_next(rng) : rng_below(rng, steps + 1)) * step; break;
	}
	/* An edge of another field's range: anything that fits instead. */
	if (value - (u64)lo > span || (value - (u64)lo) % step)
		value = (u64)lo + (steps == ~(u64)0 ? rng_next(rng) : rng_below(rng, steps + 1)) * step;
	return value;
}

static u64 pick_value(const Isa *isa, const IsaInsn *insn, unsigned index, Rng *rng, u64 before)
{
	const IsaInsnField *use = &insn->fields[index];
	const IsaField *field = &isa->fields[use->field];
	i64 lo, hi;

	isa_field_range(isa, insn, index, &lo, &hi);
	if (field->kind == ISA_FIELD_ENUM && field->enum_count && rng_below(rng, 8))
		return field->enums[rng_below(rng, field->enum_count)].value;
	if (field->kind == ISA_FIELD_REG) {
		i64 last = (i64)isa->regs[field->reg].count - 1 - (i64)field->reg_from;

		if (last >= 0 && last < hi)
			hi = last;
	}
	return pick(rng, lo, hi, 1ull << (use->low_zero < 63 ? use->low_zero : 63), before);
}

u32 gen_valid(const Isa *isa, struct Rng *rng, u64 *out)
{
	unsigned cell_bits = isa->spaces[isa->code_space].cell_bits;

	if (isa->insn_count == 0)
		return 0;
	for (unsigned try = 0; try < TRIES; try++) {
		const IsaInsn *insn = &isa->insns[rng_below(rng, isa->insn_count)];
		u64 values[ISA_MAX_FIELDS] = {0}, w[ISA_WORDS] = {0}, before = 0;
		IsaDecoded decoded;
		unsigned bad;

		if (insn->bits > OUT_CELLS * cell_bits)
			continue;
		for (unsigned f = 0; f < insn->field_count; f++)
			before = values[f] = pick_value(isa, insn, f, rng, before);
		if (!isa_encode(isa, insn, values, w, &bad))
			continue;
		decode_word(isa, w, &decoded);
		if (decoded.insn == insn)
			return isa_word_to_cells(isa, w, insn->bits, out);
	}
	return 0;
}

u32 gen_invalid(const Isa *isa, struct Rng *rng, u64 *out)
{
	unsigned cell_bits = isa->spaces[isa->code_space].cell_bits;

	for (unsigned try = 0; try < TRIES; try++) {
		u64 w[ISA_WORDS] = {0};
		IsaDecoded decoded;

		switch (rng_below(rng, 4)) {
		case 0: /* few bits set, or few clear */
			for (unsigned i = 0; i < 3; i++)
				w[0] |= 1ull << rng_below(rng, isa->max_bits < 64 ? isa->max_bits : 64);
			for (unsigned i = 0, flip = (unsigned)rng_below(rng, 2); flip && i < ISA_WORDS; i++)
				w[i] = ~w[i];
			break;
		case 1: /* an encoding with one of its fixed bits turned */
			if (isa->insn_count) {
				const IsaInsn *insn = &isa->insns[rng_below(rng, isa->insn_count)];
				unsigned bit = (unsigned)rng_below(rng, insn->bits);

				for (unsigned i = 0; i < ISA_WORDS; i++)
					w[i] = (rng_next(rng) & ~insn->mask[i]) | insn->match[i];
				w[bit / 64] ^= 1ull << bit % 64;
				break;
			}
			/* fall through */
		default:
			for (unsigned i = 0; i < ISA_WORDS; i++)
				w[i] = rng_next(rng);
		}
		decode_word(isa, w, &decoded);
		if (decoded.insn || decoded.fetch_failed || decoded.cells == 0 || decoded.cells > OUT_CELLS ||
		    decoded.cells * cell_bits > ISA_WORDS * 64)
			continue;
		return isa_word_to_cells(isa, decoded.w, decoded.cells * cell_bits, out);
	}
	return 0;
}
