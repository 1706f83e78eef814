/* SPDX-License-Identifier: MIT
 *
 * From field values to cells, and the ranges that decide whether a value fits.
 */
#include <string.h>

#include "base/bits.h"
#include "isa/isa.h"

void isa_field_range(const Isa *isa, const IsaInsn *insn, unsigned index, i64 *lo, i64 *hi)
{
	const IsaInsnField *f = &insn->fields[index];
	const IsaField *field = &isa->fields[f->field];
	u64 steps = bits_mask(f->width) & ~bits_mask(f->low_zero);

	if (field->is_signed) {
		*lo = f->width >= 64 ? INT64_MIN : -((i64)1 << (f->width - 1));
		*hi = (i64)(steps & (bits_mask(f->width) >> 1));
		return;
	}
	*lo = 0;
	*hi = steps > (u64)INT64_MAX ? INT64_MAX : (i64)steps;
	if (field->kind == ISA_FIELD_REG && *hi >= (i64)(isa->regs[field->reg].count - field->reg_from))
		*hi = (i64)(isa->regs[field->reg].count - field->reg_from) - 1;
}

static bool field_fits(const Isa *isa, const IsaInsn *insn, unsigned index, u64 value)
{
	const IsaInsnField *f = &insn->fields[index];
	i64 lo, hi;

	if (value & bits_mask(f->low_zero))
		return false;
	if (!isa->fields[f->field].is_signed && f->width >= 64)
		return true;
	isa_field_range(isa, insn, index, &lo, &hi);
	if (!isa->fields[f->field].is_signed)
		return value <= (u64)hi;
	return (i64)value >= lo && (i64)value <= hi;
}

bool isa_encode(const Isa *isa, const IsaInsn *insn, const u64 *values, u64 w[ISA_WORDS], unsigned *bad)
{
	for (int i = 0; i < ISA_WORDS; i++)
		w[i] = insn->match[i] | (insn->fill_mask[i] & insn->fill_value[i]);
	for (unsigned f = 0; f < insn->field_count; f++) {
		const IsaInsnField *field = &insn->fields[f];

		if (!field_fits(isa, insn, f, values[f])) {
			*bad = f;
			return false;
		}
		for (u32 i = 0; i < field->slice_count; i++) {
			const IsaSlice *s = &isa->slices[field->slices + i];

			bits_insert(w, s->word_lo, s->len, values[f] >> s->field_lo);
		}
	}
	return true;
}

u32 isa_word_to_cells(const Isa *isa, const u64 *w, unsigned bits, u64 *cells)
{
	const IsaSpace *space = &isa->spaces[isa->code_space];
	unsigned per_parcel = isa->parcel_cells, cell = space->cell_bits;
	u32 count = 0;

	for (unsigned at = 0; at < bits; at += isa->parcel_bits) {
		u64 parcel = bits_extract(w, at, isa->parcel_bits);

		for (unsigned i = 0; i < per_parcel; i++) {
			unsigned k = space->big ? per_parcel - 1 - i : i;

			cells[count++] = bits_trunc(k * cell < 64 ? parcel >> (k * cell) : 0, cell);
		}
	}
	return count;
}
