/* SPDX-License-Identifier: MIT
 *
 * The items of an .isa file that declare things, each into its table of the Isa. Handlers are in isa_handlers.c,
 * instructions in isa_insn.c, spellings in isa_forms.c.
 */
#include <string.h>

#include "base/bits.h"
#include "isa/isa_parse.h"

/* A copy of the current identifier; reports when there is none. */
const char *take_name(Parser *p, const char *what)
{
	const char *name;

	if (p->tok.kind != TOK_IDENT) {
		error_here(p, NULL, "expected the name of %s, found '%.*s'", what, (int)(p->tok.len > 40 ? 40 : p->tok.len),
			   tok_text(p));
		return "";
	}
	name = arena_strndup(p->arena, tok_text(p), p->tok.len);
	lex_next(p);
	return name ? name : "";
}

bool grow_table(Parser *p, void **items, u32 *cap, u32 count, size_t size, u32 limit, const char *what)
{
	if (count >= limit) {
		error_here(p, NULL, "more than %u %s", limit, what);
		p->give_up = true;
		return false;
	}
	if (!arena_grow(p->arena, items, cap, count, size)) {
		p->give_up = true;
		return false;
	}
	return true;
}

/* One namespace for everything an expression can name. */
static void check_new_name(Parser *p, const char *name, u32 pos)
{
	const Isa *isa = p->isa;
	size_t len = strlen(name);
	const char *what = NULL;

	for (u32 i = 0; i < isa->option_count; i++)
		if (!strcmp(isa->options[i].name, name))
			what = "an option";
	if (isa_find_space(isa, name, len) != ISA_NONE)
		what = "a space";
	for (u32 i = 0; i < isa->reg_count; i++)
		if (!strcmp(isa->regs[i].name, name))
			what = "a register";
	for (u32 i = 0; i < isa->view_count; i++)
		if (!strcmp(isa->views[i].name, name))
			what = "a view";
	for (u32 i = 0; i < isa->table_count; i++)
		if (!strcmp(isa->tables[i].name, name))
			what = "a table";
	if (what)
		parse_error(p, pos, (u32)len, NULL, "'%s' is already %s", name, what);
}

/* ---- isa, option ---- */

void parse_isa(Parser *p)
{
	Isa *isa = p->isa;
	u32 pos;
	u32 len;

	if (isa->name)
		error_here(p, NULL, "a file describes one computer: 'isa' stands once");
	raw_begin(p);
	len = raw_word(p, &pos);
	isa->name = len ? arena_strndup(p->arena, p->source.text + pos, len) : "";
	lex_next(p);
	if (!len)
		error_here(p, "write: isa NAME \"title\"", "'isa' needs a name");
	isa->title = "";
	if (p->tok.kind == TOK_STRING && !p->tok.line_start) {
		isa->title = arena_strndup(p->arena, tok_text(p), p->tok.len);
		lex_next(p);
	}
	isa->doc = take_doc(p);
}

void parse_option(Parser *p, const IsaChoice *choices, u32 choice_count)
{
	Isa *isa = p->isa;
	const char *doc = take_doc(p);
	u32 pos = p->tok.pos;
	IsaOption *o;

	if (!grow_table(p, (void **)&isa->options, &p->cap_options, isa->option_count, sizeof(*o), 32, "options"))
		return;
	o = &isa->options[isa->option_count];
	*o = (IsaOption){.name = take_name(p, "the option"), .doc = doc};
	check_new_name(p, o->name, pos);
	expect(p, "=", "between an option and its choices");
	do {
		u32 at, len;

		/* A choice may be a number or a word: read it raw. */
		raw_begin(p);
		p->raw_stop = " \t\r\n,;=|";
		len = raw_word(p, &at);
		p->raw_stop = RAW_STOP;
		if (o->choice_count == ISA_MAX_CHOICES)
			error_here(p, NULL, "an option has at most %d choices", ISA_MAX_CHOICES);
		else if (len)
			o->choices[o->choice_count++] = arena_strndup(p->arena, p->source.text + at, len);
		else
			error_here(p, "write: option o = a | b", "an option needs choices");
		lex_next(p);
	} while (accept(p, "|") && !p->give_up);
	trailing_doc(p, p->prev_end, &o->doc);
	if (!o->choice_count)
		return;
	isa->option_count++;
	for (u32 i = 0; i < choice_count; i++) {
		if (strcmp(choices[i].option, o->name))
			continue;
		for (o->chosen = 0; o->chosen < o->choice_count; o->chosen++)
			if (!strcmp(o->choices[o->chosen], choices[i].choice))
				break;
		if (o->chosen == o->choice_count) {
			Buf list = {0};

			for (u32 k = 0; k < o->choice_count; k++)
				buf_printf(&list, "%s%s", k ? ", " : "", o->choices[k]);
			diag_report_file(p->diags, DIAG_ERROR, p->source.name, NULL, "option '%s' has no choice '%s'; it has: %s",
					 o->name, choices[i].choice, buf_text(&list));
			p->item_errors++;
			buf_fini(&list);
			o->chosen = 0;
		}
	}
}

/* ---- space, code, fill ---- */

/* A process's memory is bytes, and there is one. */
static void check_paged(Parser *p, const IsaSpace *s, u32 pos)
{
	const Isa *isa = p->isa;
	u32 len = (u32)strlen(s->name);

	for (u32 i = 0; i < isa->space_count; i++)
		if (isa->spaces[i].is_paged)
			parse_error(p, pos, len, "a description has one at most", "space '%s' is paged already",
				    isa->spaces[i].name);
	if (s->cell_bits != 8 || s->big)
		parse_error(p, pos, len, "write: space mem : 8, address 64, little, paged",
			    "a paged space has cells of 8 bits and is little-endian");
	else if (s->cells || s->size_name || s->grow || s->addr_bits < 16)
		parse_error(p, pos, len, "write: space mem : 8, address 64, little, paged",
			    "a paged space has no size, but addresses of 16 to 64 bits");
	if (s->is_private)
		parse_error(p, pos, len, "leave out `private`",
			    "a paged space belongs to a process, not to a vCPU: '%s' can't be private", s->name);
}

void parse_space_item(Parser *p)
{
	Isa *isa = p->isa;
	const char *doc = take_doc(p);
	u32 pos = p->tok.pos;
	bool has_address = false;
	IsaSpace *s;
	u64 value;

	if (!grow_table(p, (void **)&isa->spaces, &p->cap_spaces, isa->space_count, sizeof(*s), 32, "spaces"))
		return;
	s = &isa->spaces[isa->space_count];
	*s = (IsaSpace){.name = take_name(p, "the space"), .doc = doc, .addr_bits = 64, .cell_bits = 8};
	check_new_name(p, s->name, pos);
	expect(p, ":", "between a space and the bits of its cells");
	if (p->tok.kind != TOK_NUMBER || p->tok.value == 0 || p->tok.value > 64)
		error_here(p, NULL, "a cell has 1 to 64 bits");
	else
		s->cell_bits = (u8)p->tok.value;
	lex_next(p);
	if (accept_word(p, "x")) {
		if (parse_const(p, &value)) {
			s->cells = value;
			s->wraps = value && (value & (value - 1)) == 0;
			if (value == 0 || value > (u64)1 << 40)
				parse_error(p, p->prev_end - 1, 1, NULL, "a space has 1 to 2^40 cells");
		}
	}
	while (!p->give_up && !p->tok.line_start) {
		if (accept(p, ","))
			continue;
		if (accept_word(p, "address")) {
			has_address = true;
			if (parse_const(p, &value) && value >= 1 && value <= 64)
				s->addr_bits = (u8)value;
			else
				error_here(p, NULL, "an address has 1 to 64 bits");
		} else if (accept_word(p, "size")) {
			if (p->tok.kind == TOK_IDENT)
				s->size_name = take_name(p, "the size");
			else if (parse_const(p, &value))
				s->cells = value;
		} else if (accept_word(p, "big")) {
			s->big = true;
		} else if (accept_word(p, "grow")) {
			s->grow = true;
		} else if (accept_word(p, "private")) {
			s->is_private = true;
		} else if (accept_word(p, "paged")) {
			s->is_paged = true;
		} else if (!accept_word(p, "little") && !accept_word(p, "flat")) {
			break;
		}
	}
	if (s->wraps)
		s->addr_bits = s->cells > 1 ? (u8)(63 - __builtin_clzll(s->cells)) : 1;
	trailing_doc(p, p->prev_end, &s->doc);
	if (s->is_paged)
		check_paged(p, s, pos);
	isa->space_count++;
	if (!s->cells && !s->size_name && s->addr_bits == 64 && !has_address)
		parse_error(p, pos, (u32)strlen(s->name), "write: space M : 8 x 0x10000, or: size N, or: address 64",
			    "nothing says how large space '%s' is", s->name);
}

void parse_code(Parser *p)
{
	Isa *isa = p->isa;
	u16 space = p->tok.kind == TOK_IDENT ? isa_find_space(isa, tok_text(p), p->tok.len) : ISA_NONE;
	u64 value;

	if (space == ISA_NONE) {
		error_here(p, "declare it before: space M : 16 x 0x10000", "'code' needs the name of a space");
		lex_next(p);
		return;
	}
	if (isa->spaces[space].is_private)
		error_here(p, "leave out `private` where it is declared", "all vCPUs run the same code: '%s' can't be private",
			   isa->spaces[space].name);
	p->has_code = true;
	isa->code_space = space;
	isa->parcel_bits = isa->spaces[space].cell_bits;
	lex_next(p);
	while (!p->tok.line_start && !p->give_up) {
		if (accept_word(p, "parcel")) {
			if (parse_const(p, &value) && value >= 1 && value <= 64 && value % isa->spaces[space].cell_bits == 0)
				isa->parcel_bits = (u8)value;
			else
				error_here(p, NULL, "a parcel is a multiple of a cell (%u bits), at most 64",
					   isa->spaces[space].cell_bits);
		} else if (accept_word(p, "low")) {
			expect(p, "-", "in 'low-first'");
			if (!accept_word(p, "first"))
				error_here(p, NULL, "expected 'low-first'");
			isa->low_first = true;
		} else {
			break;
		}
	}
	isa->parcel_cells = (u8)(isa->parcel_bits / isa->spaces[space].cell_bits);
	take_doc(p);
}

void parse_fill(Parser *p)
{
	bool checked = accept_word(p, "checked");
	RtlExpr *e;
	u64 value = 1;

	if (!checked && !accept_word(p, "ignored"))
		error_here(p, "write: fill checked", "expected 'checked' or 'ignored'");
	if (accept_word(p, "when")) {
		u32 pos = p->tok.pos;

		e = parse_expr(p);
		if (!rtl_const(p->isa, e, NULL, &value))
			parse_error(p, pos, 1, NULL, "this must follow from options alone");
	}
	p->fill_checked = checked ? value != 0 : value == 0;
	take_doc(p);
}

/* ---- reg, const, view ---- */

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

void parse_view(Parser *p)
{
	Isa *isa = p->isa;
	const char *doc = take_doc(p);
	u32 pos = p->tok.pos;
	unsigned width = 0;
	IsaView *v;

	if (!grow_table(p, (void **)&isa->views, &p->cap_views, isa->view_count, sizeof(*v), 256, "views"))
		return;
	v = &isa->views[isa->view_count];
	*v = (IsaView){.name = take_name(p, "the view"), .doc = doc};
	check_new_name(p, v->name, pos);
	if (accept(p, ":")) {
		if (p->tok.kind == TOK_NUMBER && p->tok.value >= 1 && p->tok.value <= 64)
			width = (unsigned)p->tok.value;
		else
			error_here(p, NULL, "a view has 1 to 64 bits");
		lex_next(p);
	}
	expect(p, "=", "between a view and its value");
	v->get = parse_value_body(p, width);
	if (!v->get)
		return;
	v->width = v->get->result_width;
	if (!v->width)
		v->width = 1;
	trailing_doc(p, p->prev_end, &v->doc);
	isa->view_count++;
	if (v->get->effects & RTL_IMPURE)
		parse_error(p, pos, 1, NULL, "a view is computed from registers alone");
	if (accept_word(p, "set")) {
		Scope scope;
		RtlBody *set = ARENA_NEW(p->arena, RtlBody);
		const char *name = tok_text(p);
		u32 len = p->tok.len;

		if (!set) {
			p->give_up = true;
			return;
		}
		body_begin(p, set, &scope, NULL, true);
		if (p->tok.kind != TOK_IDENT)
			error_here(p, "write: set v { .. }", "expected a name for the value");
		lex_next(p);
		body_param(p, name, len, v->width);
		set->param_count = 1;
		parse_block(p, set);
		body_finish(p, set, pos);
		isa->views[isa->view_count - 1].set = set;
	}
}

/* ---- field, table ---- */

static void parse_enum(Parser *p, IsaField *f)
{
	u32 cap = 0;
	u64 value = 0;

	f->kind = ISA_FIELD_ENUM;
	f->enum_default = ISA_NONE;
	while (p->tok.kind == TOK_IDENT && !tok_word(p, "default") && !(p->tok.line_start && at_item(p)) && !p->give_up) {
		if (!grow_table(p, (void **)&f->enums, &cap, f->enum_count, sizeof(*f->enums), 1024, "names"))
			return;
		f->enums[f->enum_count].name = take_name(p, "the value");
		if (accept(p, "="))
			parse_const(p, &value);
		f->enums[f->enum_count++].value = value++;
	}
	if (accept_word(p, "default")) {
		for (u32 i = 0; i < f->enum_count; i++)
			if (p->tok.kind == TOK_IDENT && text_is(tok_text(p), p->tok.len, f->enums[i].name))
				f->enum_default = i;
		if (f->enum_default == ISA_NONE)
			error_here(p, NULL, "the default must be one of the names");
		lex_next(p);
	}
	if (!f->enum_count)
		error_here(p, "write: field rm : enum rne=0 rtz=1", "an enum needs names");
}

static void parse_field_kind(Parser *p, IsaField *f)
{
	Isa *isa = p->isa;
	bool number = false;
	u64 value;

	f->scale = 1;
	for (bool first = true; !p->give_up; first = false) {
		if (!first && (p->tok.line_start || p->tok.kind == TOK_END))
			return;
		if (accept_word(p, "signed")) {
			f->is_signed = true;
			f->kind = f->kind == ISA_FIELD_REL ? ISA_FIELD_REL : ISA_FIELD_SIGNED;
			number = true;
		} else if (accept_word(p, "unsigned")) {
			f->is_signed = false;
			f->kind = f->kind == ISA_FIELD_REL ? ISA_FIELD_REL : ISA_FIELD_UNSIGNED;
			number = true;
		} else if (accept_word(p, "hex")) {
			f->hex = true;
		} else if (accept_word(p, "rel")) {
			if (!number)
				f->is_signed = true;
			f->kind = ISA_FIELD_REL;
			if (accept_word(p, "next"))
				f->from_next = true;
			else if (!accept_word(p, "pc"))
				error_here(p, NULL, "relative to what? write 'rel next' or 'rel pc'");
		} else if (accept_word(p, "abs")) {
			f->kind = ISA_FIELD_ABS;
		} else if (accept_word(p, "float")) {
			u32 pos = p->tok.pos;

			if (!parse_const(p, &value) || (value != 32 && value != 64))
				parse_error(p, pos, 1, "write: field x : float 64", "a float has 32 or 64 bits");
			else
				f->float_bits = (u8)value;
		} else if (accept_word(p, "of")) {
			u32 pos = p->tok.pos;

			if (f->kind != ISA_FIELD_ABS)
				parse_error(p, pos, 1, "write: field v : abs of 8", "'of' belongs to an address: to abs");
			if (parse_const(p, &value) && value >= 1 && value <= 64)
				f->of_bits = (u8)value;
			else
				parse_error(p, pos, 1, NULL, "an item has 1 to 64 bits");
			if (p->tok.kind == TOK_STRING && !p->tok.line_start) {
				f->of_word = arena_strndup(p->arena, tok_text(p), p->tok.len);
				lex_next(p);
			}
		} else if (accept_word(p, "scale")) {
			if (parse_const(p, &value) && value >= 1 && value <= 4096)
				f->scale = (u32)value;
			else
				error_here(p, NULL, "a scale is 1 to 4096");
		} else if (accept_word(p, "bias")) {
			u32 pos = p->tok.pos;

			if (f->kind != ISA_FIELD_ABS && f->kind != ISA_FIELD_REL)
				parse_error(p, pos, 1, "write: field t : abs bias 8", "'bias' belongs to an address: to abs or rel");
			if (parse_const(p, &value) && value <= 0xFFFFFFFF)
				f->bias = (u32)value;
			else
				parse_error(p, pos, 1, NULL, "a bias is 0 to 0xFFFFFFFF");
		} else if (number && accept_word(p, "default")) {
			bool negative = accept(p, "-");

			f->has_default = parse_const(p, &value);
			f->default_value = negative ? -(i64)value : (i64)value;
			if (!f->has_default)
				error_here(p, NULL, "'default' needs a number");
		} else if (accept_word(p, "letter")) {
			f->kind = ISA_FIELD_LETTER;
		} else if (accept_word(p, "enum")) {
			parse_enum(p, f);
			return;
		} else if (accept_word(p, "names")) {
			lex_next(p); /* a table of names for a number; kept for readers */
		} else {
			bool list = accept_word(p, "list");
			u32 i;

			for (i = 0; p->tok.kind == TOK_IDENT && i < isa->reg_count; i++)
				if (text_is(tok_text(p), p->tok.len, isa->regs[i].name))
					break;
			if (p->tok.kind != TOK_IDENT || i == isa->reg_count) {
				if (first)
					error_here(p, "signed, unsigned, float 64, rel next, rel pc, abs, letter, enum, list R, or a register file",
						   "'%.*s' is no kind of field", (int)(p->tok.len > 40 ? 40 : p->tok.len),
						   tok_text(p));
				if (first)
					lex_next(p);
				return;
			}
			f->kind = list ? ISA_FIELD_LIST : ISA_FIELD_REG;
			f->reg = (u16)i;
			lex_next(p);
			if (accept_word(p, "from") && parse_const(p, &value))
				f->reg_from = (u32)(value > 4095 ? 4095 : value);
			if (f->reg_from >= isa->regs[i].count)
				error_here(p, NULL, "'%s' has no register %u", isa->regs[i].name, f->reg_from);
		}
	}
}

void parse_field(Parser *p)
{
	Isa *isa = p->isa;
	const char *doc = take_doc(p);
	u32 first = isa->field_count;
	IsaField kind = {0};

	while (p->tok.kind == TOK_IDENT && !p->give_up) {
		u32 used_cap = p->cap_field_used;

		if (!grow_table(p, (void **)&isa->fields, &p->cap_fields, isa->field_count, sizeof(kind), 1024, "fields") ||
		    !grow_table(p, (void **)&p->field_used, &used_cap, isa->field_count, 1, 1024, "fields"))
			return;
		p->cap_field_used = used_cap;
		if (find_field(isa, tok_text(p), p->tok.len) != ISA_NONE)
			error_here(p, NULL, "field '%.*s' is declared twice", (int)p->tok.len, tok_text(p));
		isa->fields[isa->field_count] = (IsaField){.name = take_name(p, "the field")};
		p->field_used[isa->field_count++] = 0;
	}
	if (first == isa->field_count)
		error_here(p, "write: field a b : R", "'field' needs names");
	if (!expect(p, ":", "between fields and their kind"))
		return;
	parse_field_kind(p, &kind);
	trailing_doc(p, p->prev_end, &doc);
	for (u32 i = first; i < isa->field_count; i++) {
		const char *name = isa->fields[i].name;

		isa->fields[i] = kind;
		isa->fields[i].name = name;
		isa->fields[i].doc = doc;
	}
}

void parse_table_item(Parser *p)
{
	Isa *isa = p->isa;
	u32 pos = p->tok.pos;
	IsaTable *t, table = {0};
	const char *name = take_name(p, "the table");

	take_doc(p);
	check_new_name(p, name, pos);
	expect(p, ":", "between a table and its columns");
	do {
		if (table.column_count == COUNT_OF(table.columns)) {
			error_here(p, NULL, "a table has at most %zu columns", COUNT_OF(table.columns));
			break;
		}
		table.columns[table.column_count] = take_name(p, "the column");
		if (p->tok.kind == TOK_NUMBER && p->tok.value >= 1 && p->tok.value <= 64)
			table.widths[table.column_count] = (u8)p->tok.value;
		else
			error_here(p, NULL, "a column has 1 to 64 bits");
		lex_next(p);
		table.column_count++;
	} while (accept(p, ",") && !p->give_up);
	t = ARENA_ARRAY(p->arena, IsaTable, isa->table_count + 1);
	if (!t || isa->table_count >= 64) {
		p->give_up = true;
		return;
	}
	if (isa->table_count)
		memcpy(t, isa->tables, isa->table_count * sizeof(*t));
	table.name = name;
	t[isa->table_count++] = table;
	isa->tables = t;
}

/* ---- func, host ---- */

u8 parse_width(Parser *p, const char *what)
{
	u8 width = 1;

	if (p->tok.kind == TOK_NUMBER && p->tok.value >= 1 && p->tok.value <= 64)
		width = (u8)p->tok.value;
	else
		error_here(p, NULL, "%s has 1 to 64 bits", what);
	lex_next(p);
	return width;
}

void parse_func(Parser *p)
{
	u32 pos = p->tok.pos;
	const char *name = take_name(p, "the function");
	RtlFunc func = {.name = name, .name_len = (u32)strlen(name)};
	Scope scope;

	take_doc(p);
	for (u32 i = 0; i < p->func_count; i++)
		if (!strcmp(p->funcs[i].name, name))
			parse_error(p, pos, func.name_len, NULL, "function '%s' is declared twice", name);
	body_begin(p, &func.body, &scope, NULL, false);
	expect(p, "(", "after the name of a function");
	while (p->tok.kind == TOK_IDENT && !p->give_up) {
		const char *param = tok_text(p);
		u32 len = p->tok.len;

		lex_next(p);
		expect(p, ":", "between a parameter and its bits");
		body_param(p, param, len, parse_width(p, "a parameter"));
		func.body.param_count++;
		if (!accept(p, ","))
			break;
	}
	expect(p, ")", "after the parameters");
	if (accept(p, ":")) {
		func.body.result_width = parse_width(p, "a result");
		func.body.result_var = body_param(p, "", 0, func.body.result_width);
	}
	p->func_name = name;
	p->func_name_len = func.name_len;
	parse_block(p, &func.body);
	body_finish(p, &func.body, pos);
	p->func_name = NULL;
	if (!grow_table(p, (void **)&p->funcs, &p->cap_funcs, p->func_count, sizeof(func), 1024, "functions"))
		return;
	p->funcs[p->func_count++] = func;
}

void parse_host_item(Parser *p)
{
	Isa *isa = p->isa;
	u32 pos = p->tok.pos;
	IsaHost host = {.name = take_name(p, "the function"), .declared = true};

	take_doc(p);
	for (u32 i = 0; i < isa->host_count; i++)
		if (!strcmp(isa->hosts[i].name, host.name))
			parse_error(p, pos, 1, "declare it before its first use, and once", "host '%s' is already known", host.name);
	expect(p, "(", "after the name of a host function");
	while (p->tok.kind == TOK_IDENT && !p->give_up) {
		lex_next(p);
		if (accept(p, ":"))
			parse_width(p, "a parameter");
		host.arg_count++;
		if (!accept(p, ","))
			break;
	}
	expect(p, ")", "after the parameters");
	if (accept(p, ":"))
		host.result_width = parse_width(p, "a result");
	if (accept(p, "[")) { /* [pure|reads|writes] [may exit]: hints for engines */
		while (!tok_is(p, "]") && p->tok.kind != TOK_END)
			lex_next(p);
		expect(p, "]", "after the effects");
	}
	if (!grow_table(p, (void **)&isa->hosts, &p->cap_hosts, isa->host_count, sizeof(host), 4096, "host functions"))
		return;
	isa->hosts[isa->host_count++] = host;
}

/* ---- display, image, init ---- */

static u16 take_space(Parser *p)
{
	u16 space = p->tok.kind == TOK_IDENT ? isa_find_space(p->isa, tok_text(p), p->tok.len) : ISA_NONE;

	if (space == ISA_NONE)
		error_here(p, NULL, "expected the name of a space declared before");
	lex_next(p);
	return space;
}

void parse_display(Parser *p)
{
	Isa *isa = p->isa;
	u32 pos = p->tok.pos;
	u16 space = take_space(p);
	u64 width = 0, height = 0;

	take_doc(p);
	expect(p, ":", "between the space and the size");
	if (p->tok.kind == TOK_NUMBER)
		width = p->tok.value;
	lex_next(p);
	if (!accept_word(p, "x"))
		error_here(p, "write: display fb : 64 x 32", "expected 'x'");
	if (p->tok.kind == TOK_NUMBER)
		height = p->tok.value;
	lex_next(p);
	if (space == ISA_NONE)
		return;
	if (width == 0 || height == 0 || width > 4096 || height > 4096 || width * height > isa->spaces[space].cells) {
		parse_error(p, pos, 1, "one cell is one pixel", "a %llu x %llu display does not fit space '%s'",
			    (unsigned long long)width, (unsigned long long)height, isa->spaces[space].name);
		return;
	}
	if (isa->spaces[space].is_private)
		parse_error(p, pos, 1, "leave out `private` where it is declared",
			    "there is one display: space '%s' can't be private", isa->spaces[space].name);
	isa->display = ARENA_NEW(p->arena, IsaDisplay);
	if (isa->display) {
		isa->display->space = space;
		isa->display->width = (u32)width;
		isa->display->height = (u32)height;
	}
}

void parse_image(Parser *p)
{
	Isa *isa = p->isa;
	u16 space = take_space(p);
	IsaImage image = {.space = space};

	take_doc(p);
	expect(p, "[", "after the space");
	parse_const(p, &image.address);
	expect(p, "]", "after the address");
	image.little = accept_word(p, "little");
	if (space == ISA_NONE)
		return;
	if (isa->spaces[space].cells && image.address >= isa->spaces[space].cells)
		parse_error(p, p->prev_end - 1, 1, NULL, "address 0x%llx does not lie in space '%s'",
			    (unsigned long long)image.address, isa->spaces[space].name);
	isa->image = ARENA_NEW(p->arena, IsaImage);
	if (isa->image)
		*isa->image = image;
}

void parse_init(Parser *p)
{
	Isa *isa = p->isa;
	u32 cap = 0, pos = p->tok.pos;
	IsaInit init = {.space = take_space(p)};

	take_doc(p);
	expect(p, "[", "after the space");
	parse_const(p, &init.address);
	expect(p, "]", "after the address");
	expect(p, "=", "before the cells");
	while (p->tok.kind == TOK_NUMBER && !p->give_up) {
		if (!grow_table(p, (void **)&init.values, &cap, init.count, sizeof(u64), 65536, "cells in one 'init'"))
			return;
		if (init.space != ISA_NONE && p->tok.value > bits_mask(isa->spaces[init.space].cell_bits))
			error_here(p, NULL, "0x%llx does not fit a cell of %u bits", (unsigned long long)p->tok.value,
				   isa->spaces[init.space].cell_bits);
		init.values[init.count++] = p->tok.value;
		lex_next(p);
		accept(p, ",");
	}
	if (init.space == ISA_NONE)
		return;
	if (isa->spaces[init.space].is_paged)
		parse_error(p, pos, 1, "the program that is loaded says what it holds",
			    "a paged space is empty at first: no 'init' for '%s'", isa->spaces[init.space].name);
	if (!init.count)
		parse_error(p, pos, 1, "write: init M[0x50] = 0xF0 0x90", "'init' needs numbers");
	if (isa->spaces[init.space].cells &&
	    (init.address >= isa->spaces[init.space].cells || init.count > isa->spaces[init.space].cells - init.address))
		parse_error(p, pos, 1, NULL, "these cells do not lie in space '%s'", isa->spaces[init.space].name);
	if (!grow_table(p, (void **)&isa->inits, &p->cap_inits, isa->init_count, sizeof(init), 1024, "'init' items"))
		return;
	isa->inits[isa->init_count++] = init;
}
