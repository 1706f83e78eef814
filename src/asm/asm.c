/* SPDX-License-Identifier: MIT
 *
 * The assembler's two doors (asm_assemble, asm_line), what they set up and take down, and how messages get their
 * place. The way through is drawn in asm_internal.h.
 */
#include "asm/asm_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Messages ---- */

const char *asm_token_text(const Assembler *as, const AsmSpan *span, const AsmToken *token)
{
	if (token->flags & TOKEN_NEUTRAL)
		return span->neutral + token->offset;
	return as->program->sources[span->source].text + token->offset;
}

char *asm_quote(Assembler *as, const AsmSpan *span, const AsmToken *token)
{
	const char *text;
	char shown[44];
	u32 n = 0;

	if (token->kind == TOKEN_END)
		return arena_strdup(&as->scratch, "the end of the line");
	if (token->kind == TOKEN_VALUE)
		return arena_printf(&as->scratch, "%lld", (long long)token->value);
	text = asm_token_text(as, span, token);
	for (u32 i = 0; i < token->len && n < 40; i++)
		shown[n++] = (u8)text[i] >= 0x20 && text[i] != 0x7F ? text[i] : '?';
	shown[n] = 0;
	return arena_printf(&as->scratch, "'%s%s'", shown, token->len > 40 ? "..." : "");
}

static void report(Assembler *as, DiagLevel level, u32 index, size_t offset, size_t len, const char *hint,
		   const char *text)
{
	const AsmSource *from = &as->program->sources[index];
	Source source = {.name = from->name, .text = from->text, .len = from->len};

	diag_report(as->diags, level, &source, offset, len, hint, "%s", text);
}

void asm_report_at(Assembler *as, DiagLevel level, u32 source, size_t offset, size_t len, const char *hint,
		   const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	report(as, level, source, offset, len, hint, text);
}

/* While a body is checked, messages are warnings about the description. */
static void report_body(Assembler *as, const AsmSpan *span, const AsmToken *token, const char *hint, const char *text)
{
	Source source = {.name = as->isa->source_name, .text = as->isa->text, .len = as->isa->text_len};
	const IsaPseudo *pseudo = span->pseudo;
	size_t at = pseudo->body_offset;

	if (token->kind != TOKEN_VALUE && as->bodies)
		at += token->offset - as->bodies[pseudo - as->isa->pseudos].offset;
	diag_report(as->diags, DIAG_WARNING, &source, at, token->len ? token->len : 1, hint, "pseudo '%s': %s",
		    pseudo->mnemonic, text);
}

void asm_error(Assembler *as, const AsmSpan *span, const AsmToken *token, const char *hint, const char *format, ...)
{
	char text[512], whole[640];
	va_list args;

	if (as->diags->count >= DIAG_MAX) {
		as->diags->errors++;
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (as->checking) {
		report_body(as, span, token, hint, text);
	} else if (span->pseudo) {
		snprintf(whole, sizeof(whole), "in what '%s' stands for: %s", span->pseudo->mnemonic, text);
		report(as, DIAG_ERROR, span->source, span->head, span->head_len, hint, whole);
	} else {
		report(as, DIAG_ERROR, span->source, token->offset, token->len ? token->len : 1, hint, text);
	}
}

/* ---- Setting up ---- */

static void add_register(Assembler *as, const char *name, u16 reg, u32 element)
{
	u32 old;

	if (!name)
		return;
	if (!arena_grow(&as->scratch, (void **)&as->reg_names, &as->reg_name_cap, as->reg_name_count,
			sizeof(AsmRegName))) {
		as->failed_memory = true;
		return;
	}
	old = strmap_get(&as->registers, name, strlen(name), ASM_NO_INDEX);
	as->reg_names[as->reg_name_count] = (AsmRegName){.reg = reg, .element = element, .next = old};
	if (!strmap_put(&as->registers, name, strlen(name), as->reg_name_count++))
		as->failed_memory = true;
}

/* Only files that an operand can name: elsewhere `pc` and `cycles` are fine labels. */
static void init_registers(Assembler *as)
{
	const Isa *isa = as->isa;

	strmap_init(&as->registers, as->dialect->fold_case);
	for (u32 r = 0; r < isa->reg_count; r++) {
		const IsaReg *reg = &isa->regs[r];
		bool named = false;

		for (u32 f = 0; f < isa->field_count && !named; f++)
			named = (isa->fields[f].kind == ISA_FIELD_REG || isa->fields[f].kind == ISA_FIELD_LIST) &&
				isa->fields[f].reg == r;
		for (u32 i = 0; named && i < reg->count; i++) {
			add_register(as, reg->names ? reg->names[i] : reg->name, (u16)r, i);
			if (reg->alt_names)
				add_register(as, reg->alt_names[i], (u16)r, i);
			if (as->dialect->gnu && reg->array && reg->names) /* x10 is a0 */
				add_register(as, arena_printf(&as->scratch, "%s%u", reg->name, i), (u16)r, i);
		}
	}
}

static bool init(Assembler *as, const Isa *isa, const AsmOptions *options, DiagList *diags)
{
	u16 dialect = options->dialect < isa->dialect_count ? options->dialect : 0;
	bool fold;

	*as = (Assembler){.isa = isa, .dialect = &isa->dialects[dialect], .options = options, .diags = diags};
	arena_init(&as->scratch);
	arena_init(&as->temp);
	as->program = calloc(1, sizeof(*as->program));
	if (!as->program)
		return false;
	arena_init(&as->program->arena);
	as->program->isa = isa;
	fold = as->dialect->fold_case;
	asm_lex_init(as);
	init_registers(as);
	strmap_init(&as->pseudos, fold);
	for (u32 i = isa->pseudo_count; i-- > 0;)
		if (!strmap_put(&as->pseudos, isa->pseudos[i].mnemonic, strlen(isa->pseudos[i].mnemonic), i))
			as->failed_memory = true;
	strmap_init(&as->directives, fold);
	for (u32 i = as->dialect->directive_count; i-- > 0;) {
		const char *name = as->dialect->directives[i].name;

		if (!strmap_put(&as->directives, name, strlen(name), i))
			as->failed_memory = true;
	}
	strmap_init(&as->symbol_map, fold);
	as->places = ARENA_ARRAY(&as->scratch, AsmPlace, isa->space_count + as->dialect->section_count);
	as->bases = ARENA_ARRAY(&as->scratch, u64, as->dialect->section_count + 1);
	as->rows = ARENA_ARRAY(&as->scratch, u64, isa->table_count + 1);
	as->max_cells = options->max_cells ? options->max_cells : (u64)1 << 24;
	if (as->max_cells > (u64)1 << 31)
		as->max_cells = (u64)1 << 31;
	as->start = as->dialect->origin;
	if (!as->places || !as->bases || !as->rows)
		as->failed_memory = true;
	return !as->failed_memory;
}

static void fini(Assembler *as)
{
	strmap_fini(&as->registers);
	strmap_fini(&as->pseudos);
	strmap_fini(&as->directives);
	strmap_fini(&as->symbol_map);
	arena_fini(&as->scratch);
	arena_fini(&as->temp);
}

/* ---- Finishing ---- */

static size_t line_offset(const AsmSource *source, u32 line)
{
	size_t at = 0;

	for (u32 l = 1; l < line && at < source->len; at++)
		l += source->text[at] == '\n';
	return at;
}

static int by_place(const void *a, const void *b)
{
	const AsmSegment *x = *(AsmSegment *const *)a, *y = *(AsmSegment *const *)b;

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	if (x->origin != y->origin)
		return x->origin < y->origin ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Two segments over the same cells: whoever loads the program keeps the later one, so say it. */
static void warn_overlaps(Assembler *as)
{
	AsmProgram *program = as->program;
	AsmSegment **order = ARENA_ARRAY(&as->scratch, AsmSegment *, program->segment_count + 1);
	AsmSegment *widest = NULL;
	u32 n = 0;

	for (u32 i = 0; order && i < program->segment_count; i++)
		if (program->segments[i].count)
			order[n++] = &program->segments[i];
	if (n > 1)
		qsort(order, n, sizeof(*order), by_place);
	for (u32 i = 0; i < n; i++) {
		AsmSegment *segment = order[i];

		if (widest && widest->space == segment->space &&
		    segment->origin < widest->origin + widest->count && as->diags->count < DIAG_MAX) {
			const AsmLine *line = &program->lines[segment->lines[0]];

			asm_report_at(as, DIAG_WARNING, line->source,
				      line_offset(&program->sources[line->source], line->line), 1, NULL,
				      "the segment at 0x%llX overlaps the one at 0x%llX (%u cell%s)",
				      (unsigned long long)segment->origin, (unsigned long long)widest->origin,
				      widest->count, widest->count == 1 ? "" : "s");
		}
		if (!widest || widest->space != segment->space ||
		    segment->origin + segment->count > widest->origin + widest->count)
			widest = segment;
	}
}

/* HALTT alone on a line is a label by the dialect's rules, and almost surely a mistake when nothing uses it. */
static void warn_lone_labels(Assembler *as)
{
	for (u32 i = 0; i < as->symbol_count && as->diags->count < DIAG_MAX; i++) {
		const AsmSym *symbol = &as->symbols[i];
		const char *near;

		if (!symbol->lone || symbol->used || symbol->len < 3)
			continue;
		near = asm_nearest(as, NAMES_MNEMONIC | NAMES_DIRECTIVE, symbol->name, symbol->len, 1);
		if (near && strlen(near) >= 3)
			asm_report_at(as, DIAG_WARNING, symbol->source, symbol->offset, symbol->len,
				      arena_printf(&as->scratch, "did you mean '%s'?", near),
				      "'%s' is taken as a label, which nothing uses", symbol->name);
	}
}

/* `entry main`: where the program starts when no directive says so. */
static void find_entry(Assembler *as)
{
	const IsaDialect *dialect = as->dialect;
	u32 index = dialect->entry ? asm_symbol_find(as, dialect->entry, strlen(dialect->entry)) : ASM_NO_INDEX;

	if (as->has_entry || !dialect->entry || as->single)
		return;
	if (index != ASM_NO_INDEX) {
		const AsmSym *symbol = &as->symbols[index];

		as->has_entry = true;
		as->entry = symbol->table != ISA_NONE && symbol->row_space != ISA_NONE ? symbol->row_address : symbol->value;
	} else if (dialect->entry_required) {
		diag_report_file(as->diags, DIAG_ERROR, as->program->sources[0].name, NULL,
				 "there is no label '%s', where the program starts", dialect->entry);
	}
}

static void finish_symbols(Assembler *as)
{
	AsmProgram *program = as->program;
	u32 rows = 0;

	for (u32 i = 0; i < as->symbol_count; i++)
		rows += as->symbols[i].table != ISA_NONE;
	program->symbols = ARENA_ARRAY(&program->arena, AsmSymbol, as->symbol_count + rows + 1);
	for (u32 i = 0; program->symbols && i < as->symbol_count; i++) {
		const AsmSym *symbol = &as->symbols[i];
		AsmSymbol *out = &program->symbols[program->symbol_count];

		if (symbol->replaced || symbol->local)
			continue;
		program->symbol_count++;
		*out = (AsmSymbol){.name = symbol->name, .value = symbol->value, .space = symbol->space,
				   .table = symbol->table, .width = symbol->width, .is_float = symbol->is_float, .source = symbol->source, .line = symbol->line};
		if (symbol->table != ISA_NONE && symbol->row_space != ISA_NONE) { /* the same name for its place */
			out[1] = out[0];
			out[1].value = symbol->row_address;
			out[1].space = symbol->row_space;
			out[1].table = ISA_NONE;
			program->symbol_count++;
		}
	}
	if (!program->symbols)
		as->failed_memory = true;
	find_entry(as);
	program->has_entry = as->has_entry;
	program->entry = as->entry;
	for (u32 i = 0; !as->has_entry && i < program->segment_count; i++)
		if (program->segments[i].space == as->isa->code_space) {
			program->entry = program->segments[i].origin;
			break;
		}
}

/* Reading finds some mistakes and writing others; the user reads them in the order of the file. */
static void sort_messages(DiagList *diags, u32 from)
{
	for (u32 i = from; i < diags->count; i++)
		if (strcmp(diags->items[i].file ? diags->items[i].file : "",
			   diags->items[from].file ? diags->items[from].file : "") != 0)
			return;
	for (u32 i = from + 1; i < diags->count; i++) {
		Diag moving = diags->items[i];
		u32 at = i;

		for (; at > from && diags->items[at - 1].line > moving.line; at--)
			diags->items[at] = diags->items[at - 1];
		diags->items[at] = moving;
	}
}

void asm_program_destroy(AsmProgram *program)
{
	if (!program)
		return;
	arena_fini(&program->arena);
	free(program);
}

static AsmProgram *assemble(Assembler *as, const Source *source, u32 errors)
{
	u32 messages = as->diags->count;
	AsmProgram *program = as->program;

	if (asm_parse_source(as, source->name, source->text, source->len) && !as->failed_memory) {
		asm_parse_end(as);
		asm_layout(as);
		if (!as->failed_memory && as->diags->errors == errors) {
			finish_symbols(as);
			warn_overlaps(as);
			if (!as->single || as->piece)
				warn_lone_labels(as);
		}
	}
	if (as->failed_memory || as->scratch.failed || program->arena.failed)
		diag_report_file(as->diags, DIAG_ERROR, source->name, NULL, "out of memory");
	sort_messages(as->diags, messages);
	if (as->diags->errors != errors) {
		asm_program_destroy(program);
		program = NULL;
	}
	return program;
}

AsmProgram *asm_assemble(const Isa *isa, const Source *source, const AsmOptions *options, DiagList *diags)
{
	AsmOptions none = {0};
	AsmProgram *program = NULL;
	Assembler as;

	if (init(&as, isa, options ? options : &none, diags)) {
		program = assemble(&as, source, diags->errors);
	} else {
		asm_program_destroy(as.program);
		diag_report_file(diags, DIAG_ERROR, source->name, NULL, "out of memory");
	}
	fini(&as);
	return program;
}

AsmProgram *asm_assemble_piece(const Isa *isa, const Source *source, const AsmOptions *options, AsmPiece *piece,
			       DiagList *diags)
{
	AsmOptions none = {0};
	AsmProgram *program = NULL;
	Assembler as;

	if (init(&as, isa, options ? options : &none, diags)) {
		as.single = true;
		as.piece = piece;
		program = assemble(&as, source, diags->errors);
	} else {
		asm_program_destroy(as.program);
		diag_report_file(diags, DIAG_ERROR, source->name, NULL, "out of memory");
	}
	if (program) {
		piece->space = as.space;
		for (u32 i = 0; i < isa->space_count; i++)
			piece->places[i] = as.places[i].at;
		for (u32 i = 0; i < as.dialect->section_count; i++) { /* they stand behind */
			const AsmPlace *place = &as.places[isa->space_count + i];
			u64 *behind = &piece->places[as.dialect->sections[i].space];

			if (place->at != place->base && place->at > *behind)
				*behind = place->at;
		}
		for (u32 i = 0; piece->rows && i < isa->table_count; i++)
			piece->rows[i] = as.rows[i];
	}
	fini(&as);
	return program;
}

u32 asm_line(const Isa *isa, u16 dialect, const char *text, u64 pc, const AsmProgram *symbols, u64 *out,
	     DiagList *diags)
{
	AsmOptions options = {.dialect = dialect, .max_cells = 32};
	Source source = {.name = "line", .text = text, .len = strlen(text)};
	AsmProgram *program = NULL;
	Assembler as;
	u32 count = 0;

	if (init(&as, isa, &options, diags)) {
		as.single = true;
		as.outside = symbols;
		as.start = pc;
		program = assemble(&as, &source, diags->errors);
	} else {
		asm_program_destroy(as.program);
	}
	if (program && program->segment_count == 1 && program->segments[0].count <= 32) {
		count = program->segments[0].count;
		memcpy(out, program->segments[0].cells, count * sizeof(*out));
	}
	fini(&as);
	asm_program_destroy(program);
	return count;
}

void asm_check_pseudo(const Isa *isa, const IsaPseudo *pseudo, DiagList *diags)
{
	AsmOptions options = {0};
	Assembler as;

	if (init(&as, isa, &options, diags)) {
		as.checking = true;
		asm_pseudo_check_body(&as, (u32)(pseudo - isa->pseudos));
	}
	asm_program_destroy(as.program);
	fini(&as);
}
