/* SPDX-License-Identifier: MIT
 *
 * The items of an .isa file that declare things, each into its table of the Isa. Registers are in isa_regs.c, fields in
 * isa_fields.c, handlers in isa_handlers.c, instructions in isa_insn.c, spellings in isa_forms.c.
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
void check_new_name(Parser *p, const char *name, u32 pos)
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

/* ---- view ---- */

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

/* ---- table ---- */

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
