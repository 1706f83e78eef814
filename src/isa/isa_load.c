/* SPDX-License-Identifier: MIT
 *
 * isa_load: the passes in order.
 *
 *   items (with their RTL parsed and typed at once) -> forms and aliases -> dialects -> encoding checks -> decoder
 *
 * An error in one item does not hide those of the next: the parser goes on at the next line that begins with an
 * item's keyword.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/nearest.h"
#include "isa/isa_parse.h"

static const char *const item_words[] = {"isa", "option", "space", "code", "fill", "reg", "const", "pin", "view",
					 "table", "field", "func", "host", "insn", "alias", "pseudo", "on", "interrupt",
					 "event", "every", "display", "image", "init", "asm", NULL};

bool at_item(const Parser *p)
{
	if (p->tok.kind != TOK_IDENT)
		return false;
	for (int i = 0; item_words[i]; i++)
		if (tok_word(p, item_words[i]))
			return true;
	return false;
}

static void parse_item(Parser *p, const IsaChoice *choices, u32 choice_count)
{
	if (accept_word(p, "isa"))
		parse_isa(p);
	else if (accept_word(p, "option"))
		parse_option(p, choices, choice_count);
	else if (accept_word(p, "space"))
		parse_space_item(p);
	else if (accept_word(p, "code"))
		parse_code(p);
	else if (accept_word(p, "fill"))
		parse_fill(p);
	else if (accept_word(p, "reg"))
		parse_reg(p);
	else if (accept_word(p, "const"))
		parse_const_item(p);
	else if (accept_word(p, "view"))
		parse_view(p);
	else if (accept_word(p, "table"))
		parse_table_item(p);
	else if (accept_word(p, "field"))
		parse_field(p);
	else if (accept_word(p, "func"))
		parse_func(p);
	else if (accept_word(p, "host"))
		parse_host_item(p);
	else if (tok_word(p, "insn"))
		parse_insn(p);
	else if (tok_word(p, "alias"))
		parse_alias(p);
	else if (tok_word(p, "pseudo"))
		parse_pseudo(p);
	else if (accept_word(p, "on"))
		parse_on(p);
	else if (accept_word(p, "interrupt"))
		parse_interrupt(p, false);
	else if (accept_word(p, "event"))
		parse_interrupt(p, true);
	else if (accept_word(p, "every"))
		parse_every(p);
	else if (accept_word(p, "display"))
		parse_display(p);
	else if (accept_word(p, "image"))
		parse_image(p);
	else if (accept_word(p, "init"))
		parse_init(p);
	else if (tok_word(p, "asm"))
		parse_dialect(p);
	else if (accept_word(p, "pin"))
		parse_pin(p);
	else {
		Nearest n = nearest_to(tok_text(p), p->tok.len);

		for (int i = 0; item_words[i]; i++)
			nearest_consider(&n, item_words[i]);
		error_here(p, n.name ? arena_printf(p->arena, "did you mean '%s'?", n.name)
				     : "an item begins with one of: isa option space code fill reg const view table field func "
				       "host insn alias pseudo on interrupt event every display image init asm",
			   "'%.*s' does not begin an item", (int)(p->tok.len > 40 ? 40 : p->tok.len), tok_text(p));
		lex_next(p);
	}
}

static void parse_file(Parser *p, const IsaChoice *choices, u32 choice_count)
{
	while (p->tok.kind != TOK_END && !p->give_up) {
		u32 errors = p->diags->errors, before = p->tok.pos;

		p->item_errors = 0;

		if (!p->isa->name && !tok_word(p, "isa")) {
			error_here(p, "begin with: isa NAME \"title\"", "a description begins with 'isa'");
			return;
		}
		parse_item(p, choices, choice_count);
		p->insn = NULL;
		p->scope = NULL;
		p->func_name = NULL;
		p->in_handler = false;
		accept(p, ";");
		if (p->diags->errors != errors)
			while (p->tok.kind != TOK_END && !(p->tok.line_start && at_item(p)) )
				lex_next(p);
		else if (p->tok.pos == before)
			lex_next(p);
	}
}

static void check_choices(Parser *p, const IsaChoice *choices, u32 choice_count)
{
	for (u32 i = 0; i < choice_count; i++)
		if (!isa_option_value(p->isa, choices[i].option)) {
			Buf list = {0};

			for (u32 k = 0; k < p->isa->option_count; k++)
				buf_printf(&list, "%s%s", k ? ", " : "", p->isa->options[k].name);
			diag_report_file(p->diags, DIAG_ERROR, p->source.name, NULL, "%s has no option '%s'%s%s", p->isa->name,
					 choices[i].option, list.len ? "; it has: " : "", buf_text(&list));
			buf_fini(&list);
		}
}

static void check_basics(Parser *p)
{
	Isa *isa = p->isa;

	if (isa->pc_reg == ISA_NONE)
		parse_error(p, 0, 1, "write: reg pc : 16 = 0x3000", "there is no register 'pc'");
	if (!p->has_code)
		parse_error(p, 0, 1, "write: code M", "nothing says where instructions live");
	if (!isa->insn_count)
		parse_error(p, 0, 1, NULL, "there are no instructions");
	for (u32 i = 0; i < isa->space_count; i++)
		if (isa->spaces[i].is_paged && i != isa->code_space)
			parse_error(p, 0, 1, "a process has its code in its memory",
				    "space '%s' is paged, so instructions must live there", isa->spaces[i].name);
	for (u32 i = 0; i < isa->init_count; i++)
		if (isa->spaces[isa->inits[i].space].size_name)
			parse_error(p, 0, 1, NULL, "'init' of a space whose size the loader decides");
}

/* The implicit register that counts cycles. */
static void add_cycles(Parser *p)
{
	Isa *isa = p->isa;
	IsaReg *r;

	isa->cycles_reg = ISA_NONE;
	if (!p->uses_cycles)
		return;
	if (p->own_cycles) {
		parse_error(p, 0, 1, "rename it, or leave it out: 'cycles' is there by itself",
			    "'cost' and 'charge' count in a register 'cycles', but the file declares its own");
		return;
	}
	if (!grow_table(p, (void **)&isa->regs, &p->cap_regs, isa->reg_count, sizeof(*r), 257, "registers"))
		return;
	r = &isa->regs[isa->reg_count];
	*r = (IsaReg){.name = "cycles", .doc = "cycles so far (cost and charge)", .width = 64, .count = 1};
	r->slot = isa->slot_count++;
	r->names = ARENA_ARRAY(p->arena, const char *, 1);
	if (!r->names) {
		p->give_up = true;
		return;
	}
	r->names[0] = r->name;
	isa->cycles_reg = (u16)isa->reg_count++;
}

/* Is all there that the next step looks at? */
static bool goes_on(const Parser *p, u32 errors)
{
	return p->diags->errors == errors && !p->give_up && !p->arena->failed;
}

static Isa *load(const char *name, const char *text, size_t len, const IsaChoice *choices, u32 choice_count, bool apart,
		 DiagList *diags)
{
	Isa *isa = calloc(1, sizeof(*isa));
	Parser *p = calloc(1, sizeof(*p));
	u32 errors = diags->errors;

	if (!isa || !p) {
		free(isa);
		free(p);
		diag_report_file(diags, DIAG_ERROR, name, NULL, "out of memory");
		return NULL;
	}
	if (len > (size_t)4 << 20) {
		diag_report_file(diags, DIAG_ERROR, name, NULL, "a description has at most 4 MiB, this has %zu bytes", len);
		free(isa);
		free(p);
		return NULL;
	}
	if (apart)
		arena_init_apart(&isa->arena);
	else
		arena_init(&isa->arena);
	strmap_init(&isa->mnemonics, true);
	*p = (Parser){.isa = isa, .arena = &isa->arena, .diags = diags, .raw_stop = RAW_STOP};
	isa->source_name = arena_strdup(&isa->arena, name);
	isa->text = arena_strndup(&isa->arena, text, len);
	isa->text_len = len;
	isa->pc_reg = isa->code_space = ISA_NONE;
	isa->pc_width = 64;
	isa->flags_insn = ~0u;
	isa->slot_count = 1;
	isa->parcel_bits = 8;
	isa->parcel_cells = 1;
	isa->doc = "";
	if (isa->text && isa->source_name) {
		p->source = (Source){isa->source_name, isa->text, len};
		lex_start(p);
		parse_file(p, choices, choice_count);
		isa->funcs = p->funcs;
		isa->func_count = p->func_count;
		if (!p->give_up && !isa->name && diags->errors == errors)
			diag_report_file(diags, DIAG_ERROR, name, "begin with: isa NAME \"title\"", "the description is empty");
		if (goes_on(p, errors)) {
			check_basics(p);
			check_choices(p, choices, choice_count);
			add_cycles(p);
		}
		if (goes_on(p, errors))
			finish_dialects(p);
		if (goes_on(p, errors))
			finish_forms(p);
		if (goes_on(p, errors))
			check_dialects(p);
		if (goes_on(p, errors))
			check_encodings(p);
		if (goes_on(p, errors)) {
			check_unused(p);
			if (!build_decoder(p) || !strmap_settle(&isa->mnemonics, &isa->arena))
				p->give_up = true;
		}
		if (goes_on(p, errors))
			isa->return_bits = isa_find_return_bits(isa);
		isa->hash = hash_bytes(HASH_START, text, len);
		for (u32 i = 0; i < isa->option_count; i++)
			isa->hash = hash_bytes(isa->hash, isa->options[i].choices[isa->options[i].chosen],
					       strlen(isa->options[i].choices[isa->options[i].chosen]) + 1);
	}
	if (isa->arena.failed || isa->mnemonics.failed || (p->give_up && diags->errors == errors))
		diag_report_file(diags, DIAG_ERROR, name, NULL, "out of memory");
	free(p);
	if (diags->errors != errors) {
		isa_destroy(isa);
		return NULL;
	}
	return isa;
}

Isa *isa_load(const char *name, const char *text, size_t len, const IsaChoice *choices, u32 choice_count,
	      DiagList *diags)
{
	return load(name, text, len, choices, choice_count, false, diags);
}

Isa *isa_load_apart(const char *name, const char *text, size_t len, DiagList *diags)
{
	return load(name, text, len, NULL, 0, true, diags);
}

void isa_destroy(Isa *isa)
{
	if (!isa)
		return;
	strmap_fini(&isa->mnemonics);
	arena_fini(&isa->arena);
	free(isa);
}
