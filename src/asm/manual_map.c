/* SPDX-License-Identifier: MIT
 *
 * The opcode space as a whole: which instruction lies where, and which words are nothing.
 *
 * Reserved words are found by cutting the space in two, bit by bit. A set of words in which some bits are decided (a
 * cube) is reserved when no encoding can match in it, taken when one matches all of it, and otherwise cut at the bit
 * that most of the remaining encodings care about. An encoding shorter than the longest one leaves the further bits
 * open, so words of all lengths share one space. The work is bounded: hostile descriptions get an incomplete list,
 * and it says so.
 */
#include <string.h>

#include "asm/manual.h"
#include "base/bits.h"

enum {
	MAX_CUBES = 512,
	MAX_WORK = 100000000, /* bits looked at: a second at most */
	MAP_BITS = 8,
};

typedef struct Cutter {
	const Isa *isa;
	Arena *arena;
	ManualReserved *out;
	u32 cap;
	u64 work;
	bool should_be; /* count should-be bits as part of the encoding where the machine does */
	u16 *lists; /* stack of candidate lists, [(max_bits + 2) * insn_count] */
} Cutter;

/* The bits that decide, with or without should-be bits. */
static u64 deciding(const IsaInsn *insn, unsigned word, bool should_be)
{
	return should_be ? insn->mask[word] : insn->mask[word] & ~insn->fill_mask[word];
}

static bool may_match(const IsaInsn *insn, const ManualCube *cube, bool should_be)
{
	for (unsigned i = 0; i < ISA_WORDS; i++)
		if ((insn->match[i] ^ cube->match[i]) & deciding(insn, i, should_be) & cube->mask[i])
			return false;
	return true;
}

static bool matches_all(const IsaInsn *insn, const ManualCube *cube, bool should_be)
{
	for (unsigned i = 0; i < ISA_WORDS; i++)
		if (deciding(insn, i, should_be) & ~cube->mask[i])
			return false;
	return true; /* may_match is known */
}

static void add_cube(Cutter *cutter, const ManualCube *cube, unsigned decided)
{
	ManualReserved *out = cutter->out;
	double share = 1;

	for (unsigned i = 0; i < decided; i++)
		share /= 2;
	out->share += share;
	if (out->count >= MAX_CUBES ||
	    !arena_grow(cutter->arena, (void **)&out->cubes, &cutter->cap, out->count, sizeof *out->cubes)) {
		out->complete = false;
		return;
	}
	out->cubes[out->count++] = *cube;
}

/* `candidates` may match in the cube, of which `decided` bits are. Recursion is as deep as the word is long. */
static void cut(Cutter *cutter, const ManualCube *cube, unsigned decided, const u16 *candidates, u32 count)
{
	const Isa *isa = cutter->isa;
	unsigned bits = isa->max_bits, best = bits;
	u32 best_score = 0;

	if (count == 0) {
		add_cube(cutter, cube, decided);
		return;
	}
	for (u32 i = 0; i < count; i++)
		if (matches_all(&isa->insns[candidates[i]], cube, cutter->should_be))
			return;
	cutter->work += (u64)bits * count;
	if (cutter->work > MAX_WORK) {
		cutter->out->complete = false;
		return;
	}
	for (unsigned position = 0; position < bits; position++) {
		unsigned bit = manual_bit_at(isa, bits, position);
		u32 score = 0;

		if (bits_extract(cube->mask, bit, 1))
			continue;
		for (u32 i = 0; i < count; i++)
			score += (u32)(deciding(&isa->insns[candidates[i]], bit / 64, cutter->should_be) >> bit % 64 & 1);
		if (score > best_score) {
			best_score = score;
			best = bit;
		}
	}
	if (best == bits) /* cannot be: an encoding with no open bit matches all */
		return;
	for (unsigned value = 0; value < 2; value++) {
		ManualCube half = *cube;
		u16 *list = cutter->lists + (size_t)(decided + 1) * isa->insn_count;
		u32 left = 0;

		bits_insert(half.mask, best, 1, 1);
		bits_insert(half.match, best, 1, value);
		for (u32 i = 0; i < count; i++)
			if (may_match(&isa->insns[candidates[i]], &half, cutter->should_be))
				list[left++] = candidates[i];
		cut(cutter, &half, decided + 1, list, left);
	}
}

void manual_reserved(const Isa *isa, Arena *arena, bool should_be, ManualReserved *out)
{
	Cutter cutter = {.isa = isa, .arena = arena, .out = out, .should_be = should_be};
	ManualCube all = {{0}, {0}};

	*out = (ManualReserved){.complete = true};
	cutter.lists = ARENA_ARRAY(arena, u16, (size_t)(isa->max_bits + 2) * (isa->insn_count + 1));
	if (!cutter.lists || isa->insn_count >= ISA_NONE) {
		out->complete = false;
		return;
	}
	for (u32 i = 0; i < isa->insn_count; i++)
		cutter.lists[i] = (u16)i;
	cut(&cutter, &all, 0, cutter.lists, isa->insn_count);
}

void manual_cube_text(const Isa *isa, const ManualCube *cube, unsigned bits, Buf *out)
{
	for (unsigned position = 0; position < bits; position++) {
		unsigned bit = manual_bit_at(isa, bits, position);

		if (position && (isa->low_first ? (bits - position) % 4 == 0 : position % isa->parcel_bits % 4 == 0))
			buf_byte(out, ' ');
		if (position && !isa->low_first && position % isa->parcel_bits == 0)
			buf_byte(out, ' ');
		buf_byte(out, !bits_extract(cube->mask, bit, 1) ? 'x' : bits_extract(cube->match, bit, 1) ? '1' : '0');
	}
}

/* ---- The map ---- */

typedef struct Map {
	unsigned bits[MAP_BITS]; /* bits of W, leftmost first */
	unsigned count;
} Map;

/* The bits of the first parcel that tell instructions apart: fixed in nearly all of them, and not always the same. */
static void choose_bits(const Isa *isa, Map *map)
{
	unsigned first = isa->low_first ? isa->min_bits : isa->parcel_bits;
	unsigned chosen[MAP_BITS];
	bool used[ISA_WORDS * 64] = {false};

	map->count = 0;
	if (first > isa->min_bits)
		first = isa->min_bits;
	while (map->count < MAP_BITS) {
		unsigned best = 0;
		u32 best_score = 0;

		for (unsigned position = 0; position < first; position++) {
			unsigned bit = manual_bit_at(isa, first, position);
			u32 fixed = 0, ones = 0;

			for (u32 i = 0; i < isa->insn_count; i++) {
				u64 mask = bits_extract(isa->insns[i].mask, bit, 1);

				if (bits_extract(isa->insns[i].fill_mask, bit, 1))
					continue;
				fixed += (u32)mask;
				ones += (u32)(mask & bits_extract(isa->insns[i].match, bit, 1));
			}
			if (ones == 0 || ones == fixed || used[bit])
				continue;
			if (fixed > best_score) {
				best_score = fixed;
				best = bit;
			}
		}
		if (best_score == 0 || best_score * 10 < isa->insn_count * 9)
			break;
		used[best] = true;
		chosen[map->count++] = best;
	}
	/* Back into display order. */
	for (unsigned i = 0; i < map->count; i++)
		for (unsigned k = i + 1; k < map->count; k++)
			if (chosen[k] > chosen[i]) {
				unsigned swap = chosen[i];

				chosen[i] = chosen[k];
				chosen[k] = swap;
			}
	memcpy(map->bits, chosen, sizeof chosen);
}

static void map_cube(const Map *map, unsigned value, ManualCube *cube)
{
	*cube = (ManualCube){{0}, {0}};
	for (unsigned i = 0; i < map->count; i++) {
		bits_insert(cube->mask, map->bits[i], 1, 1);
		bits_insert(cube->match, map->bits[i], 1, value >> (map->count - 1 - i) & 1);
	}
}

/* Names of the instructions in a cell, each once, at most `limit`; returns how many there are. */
static u32 cell_insns(const Isa *isa, const Map *map, unsigned value, const IsaInsn **found, u32 limit)
{
	ManualCube cube;
	u32 count = 0;

	map_cube(map, value, &cube);
	for (u32 i = 0; i < isa->insn_count; i++) {
		bool known = false;

		if (!may_match(&isa->insns[i], &cube, true))
			continue;
		for (u32 k = 0; k < count && k < limit; k++)
			known |= strcmp(found[k]->name, isa->insns[i].name) == 0;
		if (known)
			continue;
		if (count < limit)
			found[count] = &isa->insns[i];
		count++;
	}
	return count;
}

static void bit_string(Buf *out, unsigned value, unsigned bits)
{
	for (unsigned i = bits; i-- > 0;)
		buf_byte(out, value >> i & 1 ? '1' : '0');
}

static void map_html(Doc *doc, const Isa *isa, const Map *map)
{
	unsigned column_bits = map->count > 4 ? map->count / 2 : map->count > 2 ? 2 : map->count;
	unsigned row_bits = map->count - column_bits;

	buf_str(doc->out, "<div class=\"wide\"><table class=\"map\">\n<tr><th></th>");
	for (unsigned c = 0; c < 1u << column_bits; c++) {
		buf_str(doc->out, "<th scope=\"col\">");
		bit_string(doc->out, c, column_bits);
		buf_str(doc->out, "</th>");
	}
	buf_str(doc->out, "</tr>\n");
	for (unsigned r = 0; r < 1u << row_bits; r++) {
		buf_str(doc->out, "<tr><th scope=\"row\">");
		bit_string(doc->out, r, row_bits);
		buf_str(doc->out, "</th>");
		for (unsigned c = 0; c < 1u << column_bits; c++) {
			const IsaInsn *found[8];
			u32 count = cell_insns(isa, map, r << column_bits | c, found, COUNT_OF(found));

			if (count == 0) {
				buf_str(doc->out, "<td class=\"none\" title=\"reserved\">&ndash;</td>");
				continue;
			}
			buf_str(doc->out, "<td>");
			for (u32 i = 0; i < count && i < COUNT_OF(found); i++) {
				buf_printf(doc->out, "<a href=\"#%s\">", manual_insn_id(doc->arena, found[i]));
				doc_text(doc, found[i]->name);
				buf_str(doc->out, "</a> ");
			}
			if (count > COUNT_OF(found))
				buf_printf(doc->out, "+%u", count - (u32)COUNT_OF(found));
			buf_str(doc->out, "</td>");
		}
		buf_str(doc->out, "</tr>\n");
	}
	buf_str(doc->out, "</table></div>\n");
}

static void map_text(Doc *doc, const Isa *isa, const Map *map)
{
	static const char *const titles[] = {"bits", "instructions"};
	unsigned first = isa->low_first || isa->min_bits < isa->parcel_bits ? isa->min_bits : isa->parcel_bits;
	Buf pattern, names;

	buf_init(&pattern);
	buf_init(&names);
	doc_table_begin(doc, "ct", titles);
	for (unsigned value = 0; value < 1u << map->count; value++) {
		const IsaInsn *found[12];
		u32 count = cell_insns(isa, map, value, found, COUNT_OF(found));
		ManualCube cube;

		buf_clear(&pattern);
		buf_clear(&names);
		map_cube(map, value, &cube);
		manual_cube_text(isa, &cube, first, &pattern);
		for (u32 i = 0; i < count && i < COUNT_OF(found); i++)
			buf_printf(&names, "%s%s", i ? " " : "", found[i]->name);
		if (count > COUNT_OF(found))
			buf_printf(&names, " and %u more", count - (u32)COUNT_OF(found));
		if (count == 0 && map->count > 5)
			continue; /* the reserved ones are listed below anyway */
		doc_cell(doc, buf_text(&pattern));
		doc_cell(doc, count ? buf_text(&names) : "reserved");
	}
	doc_table_end(doc);
	buf_fini(&pattern);
	buf_fini(&names);
}

/* The names of instructions with should-be bits that are looked at, each once. */
static void names_with_should_be(const Isa *isa, Buf *out)
{
	for (u32 i = 0; i < isa->insn_count; i++) {
		const IsaInsn *insn = &isa->insns[i];
		u64 checked = 0;
		bool again = false;

		for (unsigned w = 0; w < ISA_WORDS; w++)
			checked |= insn->fill_mask[w] & insn->mask[w];
		for (u32 k = 0; k < i && !again; k++)
			again = strcmp(isa->insns[k].name, insn->name) == 0;
		if (checked && !again)
			buf_printf(out, "%s%s", out->len ? ", " : "", insn->name);
	}
}

static void reserved_list(Doc *doc, const Isa *isa, const ManualReserved *reserved)
{
	Buf text;

	buf_init(&text);
	for (u32 i = 0; i < reserved->count; i++) {
		unsigned bits = isa->max_bits;

		/* Parcels at the end that no bit is decided in say nothing. */
		while (!isa->low_first && bits > isa->parcel_bits) {
			bool open = true;

			for (unsigned p = bits - isa->parcel_bits; p < bits; p++)
				open &= !bits_extract(reserved->cubes[i].mask, manual_bit_at(isa, isa->max_bits, p), 1);
			if (!open)
				break;
			bits -= isa->parcel_bits;
		}
		manual_cube_text(isa, &reserved->cubes[i], bits, &text);
		buf_byte(&text, '\n');
	}
	doc_code(doc, buf_text(&text));
	buf_fini(&text);
}

static void reserved_encodings(Doc *doc, const Isa *isa)
{
	ManualReserved reserved, strict;
	Buf names;

	buf_init(&names);
	doc_heading(doc, 2, "reserved", "Reserved encodings");
	manual_reserved(isa, doc->arena, false, &reserved);
	manual_reserved(isa, doc->arena, true, &strict);
	if (reserved.count == 0 && reserved.complete)
		doc_para(doc, "Every word matches an encoding.");
	else
		doc_paraf(doc, "These match no encoding: %s%.3g %% of all words%s.", reserved.complete ? "" : "at least ",
			  reserved.share * 100, reserved.complete ? "" : " (the list is not complete)");
	reserved_list(doc, isa, &reserved);
	names_with_should_be(isa, &names);
	if (names.len)
		doc_paraf(doc, "With the words that have a wrong value in a bit that must be 0 or 1 (in %s) it is %s%.3g %%.",
			  buf_text(&names), strict.complete ? "" : "at least ", strict.share * 100);
	buf_fini(&names);
}

void manual_opcode_map(Doc *doc, const Isa *isa)
{
	Map map = {{0}, 0};
	Buf text;

	if (isa->insn_count == 0)
		return;
	choose_bits(isa, &map);
	doc_heading(doc, 2, "opcodes", "Opcode map");
	if (map.count) {
		buf_init(&text);
		buf_printf(&text, "By bit%s ", map.count > 1 ? "s" : "");
		for (unsigned i = 0; i < map.count; i++)
			buf_printf(&text, "%s%u", i ? ", " : "", map.bits[i]);
		buf_printf(&text, " of the %s.", isa->max_bits > isa->parcel_bits ? "first parcel" : "word");
		doc_para(doc, buf_text(&text));
		buf_fini(&text);
		if (doc->html)
			map_html(doc, isa, &map);
		else
			map_text(doc, isa, &map);
	} else {
		doc_para(doc, "No bit stands in all encodings.");
	}
	reserved_encodings(doc, isa);
}
