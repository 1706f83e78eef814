/* SPDX-License-Identifier: MIT
 *
 * What is wrong with the set of encodings as a whole, and what was declared in vain.
 *
 * Two patterns overlap when no bit inside the shorter one is fixed differently. That is fine when one fixes strictly
 * more bits and has the same length (the more specific one wins: c.nop over c.addi), or when a `when` tells them
 * apart; otherwise a word that both match is named. A pattern whose every word belongs to more specific ones is
 * unreachable.
 */
#include <string.h>

#include "base/bits.h"
#include "isa/isa_parse.h"

enum { ENUMERATE_BITS = 12 };

static bool overlap(const IsaInsn *a, const IsaInsn *b)
{
	u32 bits = a->bits < b->bits ? a->bits : b->bits;
	u64 clash = (a->match[0] ^ b->match[0]) & a->mask[0] & b->mask[0];

	if (bits >= 64 ? clash != 0 : (clash & bits_mask(bits)) != 0)
		return false;
	clash = 0;
	for (u32 w = 0; w * 64 < bits; w++) {
		u64 inside = bits - w * 64 >= 64 ? ~(u64)0 : bits_mask(bits - w * 64);

		clash |= (a->match[w] ^ b->match[w]) & a->mask[w] & b->mask[w] & inside;
	}
	return clash == 0;
}

/* Does a fix every bit that b fixes, and more? */
static bool fixes_more(const IsaInsn *a, const IsaInsn *b)
{
	bool more = false;

	for (u32 w = 0; w < ISA_WORDS; w++) {
		if (b->mask[w] & ~a->mask[w])
			return false;
		more = more || (a->mask[w] & ~b->mask[w]);
	}
	return more;
}

static bool when_holds(const Isa *isa, const IsaInsn *insn, const u64 *w)
{
	IsaDecoded decoded = {.insn = insn};
	u64 value;

	memcpy(decoded.w, w, sizeof(decoded.w));
	return !insn->when || (rtl_const(isa, insn->when->value, &decoded, &value) && value);
}

/* Finds a word that both accept, `when`s included, trying the free bits of the first 64 in common. */
static bool find_common_word(const Isa *isa, const IsaInsn *a, const IsaInsn *b, u64 word[ISA_WORDS])
{
	u64 base[ISA_WORDS], free_bits;
	u32 n, bits = a->bits > b->bits ? a->bits : b->bits;

	for (u32 w = 0; w < ISA_WORDS; w++)
		base[w] = a->match[w] | b->match[w];
	free_bits = ~(a->mask[0] | b->mask[0]) & bits_mask(bits > 64 ? 64 : bits);
	n = (u32)__builtin_popcountll(free_bits);
	if (!a->when && !b->when) {
		memcpy(word, base, sizeof(base));
		return true;
	}
	/* With many free bits, try a spread of words rather than all: all zeros, all ones, and every pattern of the
	 * lowest free bits. */
	for (u32 round = 0; round < 2; round++)
		for (u32 k = 0; k < (u32)1 << (n < ENUMERATE_BITS ? n : ENUMERATE_BITS); k++) {
			u64 left = free_bits;

			memcpy(word, base, sizeof(base));
			if (round)
				word[0] |= free_bits;
			for (u32 i = 0; left && i < ENUMERATE_BITS; i++, left &= left - 1) {
				u64 bit = left & -left;

				word[0] = k >> i & 1 ? word[0] | bit : word[0] & ~bit;
			}
			if (when_holds(isa, a, word) && when_holds(isa, b, word))
				return true;
		}
	return false;
}

static void report_overlap(Parser *p, const IsaInsn *a, const IsaInsn *b, const u64 *word)
{
	u32 pos = 0, line = 1;

	while (line < a->line && pos < p->source.len)
		if (p->source.text[pos++] == '\n')
			line++;
	if (a->bits != b->bits)
		parse_error(p, pos, 4, "one pattern must differ from the first bits of the other",
			    "'%s' (%u bits) and '%s' (%u bits, line %u) both match 0x%llx: the length is ambiguous", a->name, a->bits,
			    b->name, b->bits, b->line, (unsigned long long)word[0]);
	else
		parse_error(p, pos, 4, "fix a bit that tells them apart, or exclude words with 'when'",
			    "'%s' and '%s' (line %u) both match 0x%llx", a->name, b->name, b->line, (unsigned long long)word[0]);
}

/* What nearly every pair is told apart by, close together: the first word, where it is fixed inside the pattern. */
typedef struct Head {
	u64 mask, match;
} Head;

static Head *make_heads(const Parser *p)
{
	const Isa *isa = p->isa;
	Head *heads = ARENA_ARRAY(p->arena, Head, isa->insn_count ? isa->insn_count : 1);

	for (u32 i = 0; heads && i < isa->insn_count; i++) {
		heads[i].mask = isa->insns[i].mask[0] & bits_mask(isa->insns[i].bits > 64 ? 64 : isa->insns[i].bits);
		heads[i].match = isa->insns[i].match[0];
	}
	return heads;
}

static bool clash(Head a, Head b)
{
	return ((a.match ^ b.match) & a.mask & b.mask) != 0;
}

/* Is every word of `general` taken by the more specific ones? Tried over the bits they fix beyond it, when few. */
static bool unreachable(const Isa *isa, const Head *heads, u32 general)
{
	const IsaInsn *g = &isa->insns[general];
	const IsaInsn *specific[64];
	u64 extra = 0;
	u32 count = 0, bits;

	if (g->bits > 64 || g->when)
		return false;
	for (u32 i = 0; i < isa->insn_count && count < 64; i++) {
		const IsaInsn *s = &isa->insns[i];

		if (clash(heads[i], heads[general]))
			continue;
		if ((g->mask[0] & ~s->mask[0]) || i == general || s->bits != g->bits || s->when || !overlap(s, g) || !fixes_more(s, g))
			continue;
		specific[count++] = s;
		extra |= s->mask[0] & ~g->mask[0];
	}
	bits = (u32)__builtin_popcountll(extra);
	if (!count || bits > ENUMERATE_BITS)
		return false;
	for (u32 k = 0; k < (u32)1 << bits; k++) {
		u64 word = g->match[0], left = extra;
		bool taken = false;

		for (u32 i = 0; left; i++, left &= left - 1)
			if (k >> i & 1)
				word |= left & -left;
		for (u32 i = 0; i < count && !taken; i++)
			taken = ((word ^ specific[i]->match[0]) & specific[i]->mask[0] & extra) == 0;
		if (!taken)
			return false;
	}
	return true;
}

void check_encodings(Parser *p)
{
	Isa *isa = p->isa;
	const Head *heads = make_heads(p);

	if (!heads) {
		p->give_up = true;
		return;
	}
	for (u32 i = 0; i < isa->insn_count; i++)
		for (u32 k = 0; k < i; k++) {
			const IsaInsn *a, *b;
			u64 word[ISA_WORDS] = {0};

			if (clash(heads[i], heads[k]))
				continue;
			a = &isa->insns[i];
			b = &isa->insns[k];
			if (!overlap(a, b) || a->spelling || b->spelling)
				continue;
			if (a->bits == b->bits && (fixes_more(a, b) || fixes_more(b, a)))
				continue;
			if (find_common_word(isa, a, b, word)) {
				report_overlap(p, a, b, word);
				if (p->give_up)
					return;
			}
		}
	for (u32 i = 0; i < isa->insn_count; i++)
		if (!isa->insns[i].spelling && unreachable(isa, heads, i))
			diag_report_file(p->diags, DIAG_ERROR, p->source.name, NULL,
					 "'%s' (line %u) can never be decoded: more specific instructions take all its words",
					 isa->insns[i].name, isa->insns[i].line);
}

static bool in_pattern(const Isa *isa, u32 field)
{
	for (u32 i = 0; i < isa->insn_count; i++)
		for (u32 f = 0; f < isa->insns[i].field_count; f++)
			if (isa->insns[i].fields[f].field == field)
				return true;
	return false;
}

static u32 find_word(const Parser *p, const char *keyword, const char *name)
{
	/* Where the declaration stands, roughly: the first line that begins with the keyword and holds the name. */
	const char *text = p->source.text;
	size_t kl = strlen(keyword), nl = strlen(name);

	for (u32 i = 0; i + kl < p->source.len; i++) {
		if ((i && text[i - 1] != '\n') || memcmp(text + i, keyword, kl))
			continue;
		for (u32 k = i + (u32)kl; k + nl <= p->source.len && text[k] != '\n'; k++)
			if (!memcmp(text + k, name, nl) && strchr(" \t,:[", text[k - 1]) && strchr(" \t,:[", text[k + nl]))
				return k;
	}
	return 0;
}

/* May field k of the instruction hold the value, the other fields being zero? */
static bool may_hold(const Isa *isa, const IsaInsn *insn, u32 k, u64 value)
{
	const IsaInsnField *place = &insn->fields[k];
	IsaDecoded decoded = {.insn = insn};
	u64 holds;

	if (value & ~bits_mask(place->width) || value & bits_mask(place->low_zero))
		return false;
	for (u32 i = 0; i < place->slice_count; i++) {
		const IsaSlice *s = &isa->slices[place->slices + i];

		bits_insert(decoded.w, s->word_lo, s->len, value >> s->field_lo);
	}
	return !insn->when || !insn->when->value || !rtl_const(isa, insn->when->value, &decoded, &holds) || holds;
}

/* Missing cases: values that an enum field can hold but that have no name. */
static void check_enums(Parser *p)
{
	const Isa *isa = p->isa;

	for (u32 f = 0; f < isa->field_count; f++) {
		const IsaField *field = &isa->fields[f];
		u64 named = 0, missing = 0;

		if (field->kind != ISA_FIELD_ENUM)
			continue;
		for (u32 k = 0; k < field->enum_count; k++)
			if (field->enums[k].value < 64)
				named |= (u64)1 << field->enums[k].value;
		for (u32 i = 0; i < isa->insn_count; i++)
			for (u32 k = 0; k < isa->insns[i].field_count; k++)
				for (u64 v = 0; isa->insns[i].fields[k].field == f && isa->insns[i].fields[k].width <= 6 && v < 64; v++)
					if (!(named >> v & 1) && may_hold(isa, &isa->insns[i], k, v))
						missing |= (u64)1 << v;
		if (missing)
			parse_warn(p, find_word(p, "field", field->name), (u32)strlen(field->name),
				   "name it, or exclude it with 'when'; it is written as a number",
				   "field '%s' has no name for %u", field->name, (unsigned)__builtin_ctzll(missing));
	}
}

void check_unused(Parser *p)
{
	const Isa *isa = p->isa;

	for (u32 f = 0; f < isa->field_count; f++) {
		const char *name = isa->fields[f].name;

		if (p->field_used[f] == FIELD_LEFT_OUT)
			continue;
		if (!in_pattern(isa, f))
			parse_warn(p, find_word(p, "field", name), (u32)strlen(name), NULL, "field '%s' is in no pattern", name);
		else if (!p->field_used[f] && isa->fields[f].kind != ISA_FIELD_LETTER)
			parse_warn(p, find_word(p, "field", name), (u32)strlen(name), NULL, "field '%s' is never used by a meaning",
				   name);
	}
	for (u32 r = 0; r < isa->reg_count; r++)
		if (r < 256 && r != isa->pc_reg && r != isa->cycles_reg && !p->reg_used[r])
			parse_warn(p, find_word(p, "reg", isa->regs[r].name), (u32)strlen(isa->regs[r].name), NULL,
				   "register '%s' is never used", isa->regs[r].name);
	check_enums(p);
}
