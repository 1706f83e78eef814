/* SPDX-License-Identifier: MIT
 *
 * An encoding as a row of boxes, each a run of bits of one kind:
 *
 *      15          12 11       9 8        6 5   4     3 2        0
 *     +---------------+-----------+-----------+---+-------+-----------+
 *     | 0   0   0   1 |     d     |     a     | 0 |(0) (0)|     b     |
 *     +---------------+-----------+-----------+---+-------+-----------+
 *
 * Order: the leftmost bit is the most significant one. A low-first code space (one number, lowest parcel first in
 * memory) shows the whole word as one number; otherwise the parcels stand in fetch order, each with its own bit
 * numbers, under its offset from the instruction's address (+0, +1, ...). Rows hold at most 32 bits.
 */
#include <string.h>

#include "asm/manual.h"
#include "base/bits.h"

enum { ROW_BITS = 32 };

typedef enum BoxKind { BOX_FIXED, BOX_FIELD, BOX_SHOULD, BOX_FREE } BoxKind;

typedef struct Bit { /* what stands at one bit of W */
	u8 kind;      /* BoxKind */
	u8 value;     /* FIXED, SHOULD */
	u8 field;     /* FIELD: index into insn->fields */
	u16 field_bit;
} Bit;

typedef struct Box {
	Bit first, last; /* leftmost and rightmost bit */
	unsigned bits;
	unsigned hi, lo; /* the numbers shown above */
	unsigned position; /* of the leftmost bit */
} Box;

typedef struct Row {
	Box boxes[ROW_BITS];
	unsigned count, bits, position;
} Row;

unsigned manual_bit_at(const Isa *isa, unsigned bits, unsigned position)
{
	if (isa->low_first)
		return bits - 1 - position;
	return position / isa->parcel_bits * isa->parcel_bits + isa->parcel_bits - 1 - position % isa->parcel_bits;
}

/* The number a reader knows the bit by. */
static unsigned number_at(const Isa *isa, unsigned bits, unsigned position)
{
	unsigned bit = manual_bit_at(isa, bits, position);

	return isa->low_first ? bit : bit % isa->parcel_bits;
}

static Bit bit_of(const Isa *isa, const IsaInsn *insn, unsigned bit)
{
	for (unsigned f = 0; f < insn->field_count; f++)
		for (unsigned s = 0; s < insn->fields[f].slice_count; s++) {
			const IsaSlice *slice = &isa->slices[insn->fields[f].slices + s];

			if (bit >= slice->word_lo && bit < (unsigned)slice->word_lo + slice->len)
				return (Bit){BOX_FIELD, 0, (u8)f, (u16)(slice->field_lo + bit - slice->word_lo)};
		}
	if (bits_extract(insn->fill_mask, bit, 1))
		return (Bit){BOX_SHOULD, (u8)bits_extract(insn->fill_value, bit, 1), 0, 0};
	if (bits_extract(insn->mask, bit, 1))
		return (Bit){BOX_FIXED, (u8)bits_extract(insn->match, bit, 1), 0, 0};
	return (Bit){.kind = BOX_FREE};
}

static bool joins(Bit left, Bit right)
{
	if (left.kind != right.kind)
		return false;
	return left.kind != BOX_FIELD || (left.field == right.field && left.field_bit == right.field_bit + 1);
}

static unsigned row_length(const Isa *isa, unsigned bits, unsigned position)
{
	unsigned per_row = ROW_BITS, left = bits - position;

	if (isa->low_first) /* the lowest 32 bits make a full row */
		return left % ROW_BITS ? left % ROW_BITS : ROW_BITS;
	if (isa->parcel_bits < ROW_BITS)
		per_row = ROW_BITS / isa->parcel_bits * isa->parcel_bits;
	else if (isa->parcel_bits % ROW_BITS) /* a long parcel's first row takes what does not fill a row */
		per_row = position % isa->parcel_bits ? ROW_BITS : isa->parcel_bits % ROW_BITS;
	return left < per_row ? left : per_row;
}

static void fill_row(const Isa *isa, const IsaInsn *insn, unsigned position, Row *row)
{
	*row = (Row){.position = position, .bits = row_length(isa, insn->bits, position)};
	for (unsigned p = position; p < position + row->bits; p++) {
		Bit bit = bit_of(isa, insn, manual_bit_at(isa, insn->bits, p));
		bool parcel_starts = !isa->low_first && p % isa->parcel_bits == 0;
		Box *box;

		if (row->count && !parcel_starts && joins(row->boxes[row->count - 1].last, bit)) {
			box = &row->boxes[row->count - 1];
		} else {
			box = &row->boxes[row->count++];
			box->first = bit;
			box->position = p;
			box->hi = number_at(isa, insn->bits, p);
		}
		box->last = bit;
		box->bits++;
		box->lo = number_at(isa, insn->bits, p);
	}
}

/* "imm[11:5]", or "imm" when the box holds the whole field. */
static void field_label(const Isa *isa, const IsaInsn *insn, const Box *box, Buf *out)
{
	const IsaInsnField *use = &insn->fields[box->first.field];

	buf_str(out, isa->fields[use->field].name);
	if (box->bits == use->width && use->low_zero == 0)
		return;
	if (box->bits == 1)
		buf_printf(out, "[%u]", box->first.field_bit);
	else
		buf_printf(out, "[%u:%u]", box->first.field_bit, box->last.field_bit);
}

/* The bits of the box one by one: those of `decoded` if given, else the encoding's. */
static void bit_text(const Isa *isa, const IsaInsn *insn, const IsaDecoded *decoded, const Box *box, unsigned index,
		     Buf *out)
{
	unsigned bit = manual_bit_at(isa, insn->bits, box->position + index);
	const char *form = box->first.kind == BOX_SHOULD && !decoded ? "(%u)" : "%u";

	if (decoded)
		buf_printf(out, "%u", (unsigned)bits_extract(decoded->w, bit, 1));
	else if (box->first.kind == BOX_FREE)
		buf_byte(out, '-');
	else
		buf_printf(out, form, (unsigned)bit_of(isa, insn, bit).value);
}

static bool shows_bits(const Box *box, const IsaDecoded *decoded)
{
	return decoded || box->first.kind != BOX_FIELD;
}

/* ---- Text ---- */

static void box_label(const Isa *isa, const IsaInsn *insn, const IsaDecoded *decoded, const Box *box, unsigned unit,
		      Buf *out)
{
	if (!shows_bits(box, decoded)) {
		field_label(isa, insn, box, out);
		return;
	}
	for (unsigned i = 0; i < box->bits; i++) {
		if (i && unit >= 4)
			buf_str(out, box->first.kind == BOX_SHOULD && !decoded ? " " : "   ");
		bit_text(isa, insn, decoded, box, i, out);
	}
}

static void rule(Buf *out, const unsigned *width, unsigned count)
{
	buf_str(out, "    +");
	for (unsigned i = 0; i < count; i++) {
		buf_fill(out, '-', width[i]);
		buf_byte(out, '+');
	}
	buf_byte(out, '\n');
}

static unsigned digits(unsigned number)
{
	return number >= 100 ? 3 : number >= 10 ? 2 : 1;
}

static void row_text(Doc *doc, const Isa *isa, const IsaInsn *insn, const IsaDecoded *decoded, const Row *row)
{
	unsigned width[ROW_BITS], unit = row->bits <= 16 ? 4 : 2;
	Buf label, above, offsets;

	buf_init(&label);
	buf_init(&above);
	buf_init(&offsets);
	for (unsigned i = 0; i < row->count; i++) {
		const Box *box = &row->boxes[i];
		unsigned numbers = box->bits == 1 ? digits(box->hi) : digits(box->hi) + 1 + digits(box->lo);

		buf_clear(&label);
		box_label(isa, insn, decoded, box, unit, &label);
		width[i] = box->bits * unit - 1;
		if (width[i] < label.len)
			width[i] = (unsigned)label.len;
		if (width[i] < numbers)
			width[i] = numbers;
		if (box->position % isa->parcel_bits == 0 && !isa->low_first)
			buf_printf(&offsets, "+%-*u", (int)width[i], box->position / isa->parcel_bits * isa->parcel_cells);
		else
			buf_fill(&offsets, ' ', width[i] + 1);
		if (box->bits == 1)
			buf_printf(&above, " %*u%*s", (int)((width[i] + digits(box->hi)) / 2), box->hi,
				   (int)(width[i] - (width[i] + digits(box->hi)) / 2), "");
		else
			buf_printf(&above, " %u%*u", box->hi, (int)(width[i] - digits(box->hi)), box->lo);
	}
	if (!isa->low_first && insn->bits > isa->parcel_bits)
		buf_printf(doc->out, "    %s\n", buf_text(&offsets));
	buf_printf(doc->out, "    %s\n", buf_text(&above));
	rule(doc->out, width, row->count);
	buf_str(doc->out, "    |");
	for (unsigned i = 0; i < row->count; i++) {
		unsigned left;

		buf_clear(&label);
		box_label(isa, insn, decoded, &row->boxes[i], unit, &label);
		left = (width[i] - (unsigned)label.len) / 2;
		buf_fill(doc->out, ' ', left);
		doc_escape(doc->out, false, buf_text(&label), label.len);
		buf_fill(doc->out, ' ', width[i] - left - label.len);
		buf_byte(doc->out, '|');
	}
	buf_byte(doc->out, '\n');
	rule(doc->out, width, row->count);
	buf_fini(&label);
	buf_fini(&above);
	buf_fini(&offsets);
}

/* ---- HTML: one table a row of boxes, one column a bit ---- */

static void row_html(Doc *doc, const Isa *isa, const IsaInsn *insn, const IsaDecoded *decoded, const Row *row)
{
	static const char classes[] = {[BOX_FIXED] = 'x', [BOX_FIELD] = 'f', [BOX_SHOULD] = 's', [BOX_FREE] = 's'};
	Buf label;

	buf_init(&label);
	buf_printf(doc->out, "<div class=\"wide\"><table class=\"enc\" style=\"width:min(100%%,%.1frem);min-width:%.1frem\">"
			     "<colgroup span=\"%u\"></colgroup>\n", row->bits * 2.8, row->bits * 1.3, row->bits);
	if (!isa->low_first && insn->bits > isa->parcel_bits) {
		buf_str(doc->out, "<tr>");
		for (unsigned p = row->position; p < row->position + row->bits;) {
			unsigned parcel = p / isa->parcel_bits, end = (parcel + 1) * isa->parcel_bits;

			if (end > row->position + row->bits)
				end = row->position + row->bits;
			buf_printf(doc->out, "<th colspan=\"%u\">+%u</th>", end - p, parcel * isa->parcel_cells);
			p = end;
		}
		buf_str(doc->out, "</tr>\n");
	}
	buf_str(doc->out, "<tr>");
	for (unsigned i = 0; i < row->count; i++) {
		const Box *box = &row->boxes[i];

		buf_printf(doc->out, "<th colspan=\"%u\"><div class=\"ends%s\"><span>%u</span>", box->bits,
			   box->bits == 1 ? " one" : "", box->hi);
		if (box->bits > 1)
			buf_printf(doc->out, "<span>%u</span>", box->lo);
		buf_str(doc->out, "</div></th>");
	}
	buf_str(doc->out, "</tr>\n<tr>");
	for (unsigned i = 0; i < row->count; i++) {
		const Box *box = &row->boxes[i];

		buf_clear(&label);
		if (box->first.kind == BOX_FIELD)
			field_label(isa, insn, box, &label);
		buf_printf(doc->out, "<td colspan=\"%u\" class=\"%c\" title=\"", box->bits, classes[box->first.kind]);
		doc_text(doc, box->first.kind == BOX_FIELD ? buf_text(&label) :
			      box->first.kind == BOX_SHOULD ? "should be" : box->first.kind == BOX_FIXED ? "fixed" : "free");
		buf_str(doc->out, "\">");
		if (shows_bits(box, decoded)) {
			buf_str(doc->out, "<div class=\"bits\">");
			for (unsigned b = 0; b < box->bits; b++) {
				buf_str(doc->out, "<span>");
				bit_text(isa, insn, decoded, box, b, doc->out);
				buf_str(doc->out, "</span>");
			}
			buf_str(doc->out, "</div>");
		} else {
			doc_text(doc, buf_text(&label));
		}
		buf_str(doc->out, "</td>");
	}
	buf_str(doc->out, "</tr>\n</table></div>\n");
	buf_fini(&label);
}

void manual_diagram(Doc *doc, const Isa *isa, const IsaInsn *insn, const IsaDecoded *decoded)
{
	Row row;

	for (unsigned position = 0; position < insn->bits; position += row.bits) {
		fill_row(isa, insn, position, &row);
		if (doc->html)
			row_html(doc, isa, insn, decoded, &row);
		else
			row_text(doc, isa, insn, decoded, &row);
	}
	if (!doc->html)
		buf_byte(doc->out, '\n');
}
