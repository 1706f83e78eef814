/* SPDX-License-Identifier: MIT
 *
 * Items about registers: reg with its names, const (registers that are hard-wired, and named numbers), pin.
 */
#include <string.h>

#include "base/bits.h"
#include "isa/isa_parse.h"

static void default_names(Parser *p, IsaReg *r)
{
	for (u32 i = 0; i < r->count; i++)
		if (!r->names[i])
			r->names[i] = arena_printf(p->arena, "%s%u", r->name, i);
}

/* The numbers of a range A0-A7: its stem is word[0..*stem). False when the word is none. */
static bool name_range(const char *word, u32 len, u32 *stem, u32 *from, u32 *to)
{
	const char *dash = memchr(word, '-', len), *end = dash ? dash + 1 : NULL, *stop = word + len;

	if (!dash || dash == word)
		return false;
	*stem = (u32)(dash - word);
	*from = *to = 0;
	while (*stem > 0 && word[*stem - 1] >= '0' && word[*stem - 1] <= '9')
		--*stem;
	for (const char *digit = word + *stem; digit < dash && *from < 100000; digit++)
		*from = *from * 10 + (u32)(*digit - '0');
	while (end < stop && !(*end >= '0' && *end <= '9'))
		end++;
	for (; end < stop && *end >= '0' && *end <= '9' && *to < 100000; end++)
		*to = *to * 10 + (u32)(*end - '0');
	return true;
}

/* NAME or A0-A7, from element `at` on. Returns how many elements it named. */
static u32 add_plain_names(Parser *p, IsaReg *r, const char **names, u32 at, const char *word, u32 len)
{
	u32 stem, from, to, i = 0;

	if (!name_range(word, len, &stem, &from, &to)) {
		if (at < r->count)
			names[at] = arena_strndup(p->arena, word, len);
		return 1;
	}
	for (u32 n = from; n <= to && n - from < 4096; n++, i++)
		if (at + i < r->count)
			names[at + i] = arena_printf(p->arena, "%.*s%u", (int)stem, word, n);
	return i;
}

/* One word of `names`: NAME, A0-A7, or two of these with a '/' between. Returns how many elements it named. */
static u32 add_names(Parser *p, IsaReg *r, u32 at, const char *word, u32 len)
{
	const char *slash = memchr(word, '/', len);
	const u32 first = slash ? (u32)(slash - word) : len;

	if (slash && !r->alt_names)
		r->alt_names = ARENA_ARRAY(p->arena, const char *, r->count);
	if (slash && r->alt_names)
		add_plain_names(p, r, r->alt_names, at, slash + 1, len - first - 1);
	return add_plain_names(p, r, r->names, at, word, first);
}

static void parse_names(Parser *p, IsaReg *r)
{
	u32 pos = 0, len, named = 0, start = p->tok.pos;

	raw_begin(p);
	while ((len = raw_word(p, &pos)) != 0 && !p->arena->failed) {
		named += add_names(p, r, named, p->source.text + pos, len);
		if (named > r->count)
			break;
	}
	lex_next(p);
	if (named != r->count)
		parse_error(p, start, 1, NULL, "'%s' has %u registers, but %s%u names are given", r->name, r->count,
			    named > r->count ? "more than " : "", named > r->count ? r->count : named);
}

static bool parse_one_reg(Parser *p, const char *doc)
{
	Isa *isa = p->isa;
	u32 pos = p->tok.pos, used_cap = p->cap_reg_used;
	IsaReg *r;
	u64 value;

	if (!grow_table(p, (void **)&isa->regs, &p->cap_regs, isa->reg_count, sizeof(*r), 256, "registers") ||
	    !grow_table(p, (void **)&p->reg_used, &used_cap, isa->reg_count, 1, 256, "registers"))
		return false;
	p->cap_reg_used = used_cap;
	r = &isa->regs[isa->reg_count];
	*r = (IsaReg){.name = take_name(p, "the register"), .doc = doc, .width = 8, .count = 1};
	check_new_name(p, r->name, pos);
	if (accept(p, "[")) {
		r->array = true;
		if (parse_const(p, &value) && value >= 1 && value <= 4096)
			r->count = (u32)value;
		else
			error_here(p, NULL, "a register file has 1 to 4096 registers");
		expect(p, "]", "after the number of registers");
	}
	expect(p, ":", "between a register and its bits");
	if (p->tok.kind == TOK_NUMBER && p->tok.value >= 1 && p->tok.value <= 64)
		r->width = (u8)p->tok.value;
	else
		error_here(p, NULL, "a register has 1 to 64 bits");
	lex_next(p);
	r->names = ARENA_ARRAY(p->arena, const char *, r->count);
	if (!r->names) {
		p->give_up = true;
		return false;
	}
	while (!p->give_up) {
		if (accept(p, "=")) {
			u32 at = p->tok.pos;

			if (parse_const(p, &value)) {
				if ((i64)value >= 0 && value > bits_mask(r->width))
					parse_error(p, at, 1, NULL, "the reset value does not fit %u bits", r->width);
				r->reset = bits_trunc(value, r->width);
			}
		} else if (accept_word(p, "context")) {
			r->context = true;
		} else if (tok_word(p, "float") && !p->tok.line_start) {
			if (r->width != 32 && r->width != 64)
				error_here(p, NULL, "a float has 32 or 64 bits, '%s' has %u", r->name, r->width);
			r->floats = true;
			lex_next(p);
		} else if (tok_word(p, "names") && !p->tok.line_start) {
			/* Raw from behind the word: '$0-$31' is no token. */
			p->at = p->tok_end;
			raw_at_line_end(p);
			p->tok.pos = p->at;
			p->tok.kind = TOK_PUNCT;
			parse_names(p, r);
		} else {
			break;
		}
	}
	if (!r->array)
		r->names[0] = r->name;
	default_names(p, r);
	if (r->context) {
		u32 total = r->width;

		for (u32 i = 0; i < isa->context_count; i++)
			total += isa->regs[isa->context_regs[i]].width;
		if (r->array || isa->context_count == COUNT_OF(isa->context_regs) || total > 64)
			parse_error(p, pos, 1, "the translation key holds a few mode bits",
				    "context registers are single and have at most 64 bits together");
		else
			isa->context_regs[isa->context_count++] = (u16)isa->reg_count;
	}
	if (!strcmp(r->name, "cycles"))
		p->own_cycles = true;
	if (!strcmp(r->name, "pc")) {
		isa->pc_reg = (u16)isa->reg_count;
		isa->pc_width = r->width;
		r->slot = 0;
		if (r->array)
			parse_error(p, pos, 2, NULL, "pc is a single register");
	} else {
		r->slot = isa->slot_count;
		isa->slot_count += r->count;
		if (isa->slot_count > 4096) {
			parse_error(p, pos, 1, NULL, "more than 4095 registers in all");
			p->give_up = true;
		}
	}
	isa->reg_count++;
	return true;
}

void parse_reg(Parser *p)
{
	const char *doc = take_doc(p);
	u32 first = p->isa->reg_count;

	do {
		if (!parse_one_reg(p, doc))
			return;
	} while (accept(p, ",") && !p->give_up);
	for (u32 i = first; i < p->isa->reg_count; i++)
		trailing_doc(p, p->prev_end, &p->isa->regs[i].doc);
}

/* const s = revision == b ? 2 : 0: for patterns, which add it: 0x3F+s'8. */
static void add_number(Parser *p, const char *name, u32 pos, u64 value)
{
	if (p->number_count == COUNT_OF(p->numbers)) {
		parse_error(p, pos, 1, NULL, "more than %u numbers", (unsigned)COUNT_OF(p->numbers));
		return;
	}
	check_new_name(p, name, pos);
	p->numbers[p->number_count++] = (NamedNumber){name, value};
	take_doc(p);
}

void parse_const_item(Parser *p)
{
	Isa *isa = p->isa;
	u64 index = 0, value;
	u32 pos = p->tok.pos;
	const char *name = take_name(p, "the register");
	bool indexed = accept(p, "[");
	IsaReg *r = NULL;

	for (u32 i = 0; i < isa->reg_count; i++)
		if (!strcmp(isa->regs[i].name, name))
			r = &isa->regs[i];
	if (indexed) {
		parse_const(p, &index);
		expect(p, "]", "after the register number");
	}
	expect(p, "=", "between a register and its constant");
	if (!parse_const(p, &value))
		return;
	if (!r && !indexed && *name) {
		add_number(p, name, pos, value);
		return;
	}
	if (!r || index >= r->count || r->slot == 0) {
		parse_error(p, pos, 1, "write: const x[0] = 0", "'const' needs a register declared before");
		return;
	}
	if (!r->const_mask) {
		r->const_mask = arena_alloc(p->arena, r->count);
		r->const_values = ARENA_ARRAY(p->arena, u64, r->count);
	}
	if (!r->const_mask || !r->const_values) {
		p->give_up = true;
		return;
	}
	r->const_mask[index] = 1;
	r->const_values[index] = bits_trunc(value, r->width);
	take_doc(p);
}

/* A register by its own name, or as x10. */
static bool find_pin(const Isa *isa, const char *name, u32 len, u32 *slot)
{
	u32 digits = len, number = 0;
	u8 width;

	if (isa_find_register(isa, name, len, false, slot, &width))
		return true;
	while (digits && name[digits - 1] >= '0' && name[digits - 1] <= '9')
		digits--;
	for (u32 i = digits; i < len && number < 100000; i++)
		number = number * 10 + (u32)(name[i] - '0');
	for (u32 i = 0; i < isa->reg_count && digits < len; i++)
		if (isa->regs[i].array && text_is(name, digits, isa->regs[i].name) && number < isa->regs[i].count) {
			*slot = isa->regs[i].slot + number;
			return true;
		}
	return false;
}

/* pin sp ra a0-a5 s0: which registers are hot, the hottest first. Engines begin with that and count by themselves. */
void parse_pin(Parser *p)
{
	Isa *isa = p->isa;
	u32 last = 0, slot;
	bool range = false;

	while (!p->tok.line_start && p->tok.kind != TOK_END && !p->give_up) {
		if (isa->pin_count && accept(p, "-")) {
			range = true;
			continue;
		}
		if (p->tok.kind != TOK_IDENT || !find_pin(isa, tok_text(p), p->tok.len, &slot)) {
			parse_warn(p, p->tok.pos, p->tok.len ? p->tok.len : 1, "declare it before", "'pin' names registers");
			lex_next(p);
			continue;
		}
		for (last = range ? last + 1 : slot; last <= slot && isa->pin_count < ISA_PINS; last++) {
			if (!arena_grow(p->arena, (void **)&isa->pins, &p->cap_pins, isa->pin_count, sizeof(u32))) {
				p->give_up = true;
				return;
			}
			isa->pins[isa->pin_count++] = last;
		}
		last = slot;
		range = false;
		lex_next(p);
	}
	take_doc(p);
}
