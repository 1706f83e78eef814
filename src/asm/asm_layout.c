/* SPDX-License-Identifier: MIT
 *
 * Where everything goes. The statements are walked in order, each space having its own place; a label takes the place
 * its statement has. Walks repeat until no label and no size changes (two for most programs), then one more walk
 * writes the cells at exactly those addresses.
 *
 * Forms of several lengths begin at the shortest and only grow, and so do pseudo-instructions after GROW_ONLY walks,
 * so this ends. It may take many walks (jumps that push each other out of reach one by one); when WALK_WORK statements
 * have been looked at, all that could still grow take their longest form at once. A program that moves even then
 * (`.space b-a` between a and b) is refused.
 */
#include "asm/asm_internal.h"

#include "base/bits.h"

#include <string.h>

enum { GROW_ONLY = 4, WALK_WORK = 1 << 22 };

static void name_label(Assembler *as, u32 index)
{
	AsmSym *symbol = &as->symbols[index];

	if (symbol->space == ISA_NONE)
		return; /* a constant: its directive does it */
	if (!symbol->known || symbol->value != as->here || symbol->space != as->space) {
		as->changed = true;
		as->moved = index;
	}
	symbol->known = true;
	symbol->value = as->here;
	symbol->space = as->space;
}

static u64 space_cells(const IsaSpace *space)
{
	if (space->cells)
		return space->cells;
	return space->addr_bits >= 64 || !space->addr_bits ? ~(u64)0 : (u64)1 << space->addr_bits;
}

void asm_enter(Assembler *as, u32 place)
{
	as->place = place;
	as->space = place < as->isa->space_count ? (u16)place
						 : as->dialect->sections[place - as->isa->space_count].space;
	as->here = as->places[place].at;
}

void asm_go(Assembler *as, const AsmStmt *stmt, u64 address)
{
	AsmPlace *place = &as->places[as->place];
	AsmProgram *program = as->program;

	if (address >= space_cells(&as->isa->spaces[as->space])) {
		if (as->writing && stmt)
			asm_error(as, &stmt->span, &stmt->span.tokens[0], NULL,
				  "address 0x%llX is outside of '%s' (0x%llX cells)", (unsigned long long)address,
				  as->isa->spaces[as->space].name,
				  (unsigned long long)space_cells(&as->isa->spaces[as->space]));
		address = 0;
	}
	place->at = address;
	place->segment = as->segments_used++;
	place->told = false;
	if (as->writing)
		return;
	if (place->segment == program->segment_count) {
		if (!arena_grow(&program->arena, (void **)&program->segments, &as->segment_cap,
				program->segment_count, sizeof(AsmSegment))) {
			as->failed_memory = true;
			as->segments_used--;
			return;
		}
		program->segment_count++;
	}
	program->segments[place->segment] = (AsmSegment){.space = as->space, .origin = address,
		.section = as->place < as->isa->space_count ? ISA_NONE : (u16)(as->place - as->isa->space_count)};
}

/* Says once for a segment that it has run into something. */
static bool out_of_bounds(Assembler *as, AsmStmt *stmt, AsmPlace *place, u64 count)
{
	const IsaSpace *space = &as->isa->spaces[as->space];
	u64 size = space_cells(space), limit = ~(u64)0, end = place->at + count;
	const AsmToken name = {.kind = TOKEN_NAME, .offset = stmt->span.head, .len = (u16)stmt->span.head_len};

	if (as->space == as->isa->code_space && !as->single) {
		limit = as->dialect->limit ? as->dialect->limit : limit;
		if (as->options->max_address && as->options->max_address < limit)
			limit = as->options->max_address;
	}
	if (end >= place->at && end <= size && end <= limit)
		return false;
	if (!as->writing || place->told)
		return true;
	place->told = true;
	if (end < place->at || end > size)
		asm_error(as, &stmt->span, &name, NULL, "this runs past the end of '%s' (0x%llX cells)", space->name,
			  (unsigned long long)size);
	else
		asm_error(as, &stmt->span, &name, NULL, "nothing can stand at 0x%llX or above: %s",
			  (unsigned long long)limit,
			  as->dialect->limit == limit && as->dialect->limit_reason ? as->dialect->limit_reason
										   : "end of the program's memory");
	return true;
}

static u64 *write_place(Assembler *as, AsmStmt *stmt, AsmPlace *place, u64 count, bool is_code)
{
	AsmProgram *program = as->program;
	AsmSegment *segment = &program->segments[place->segment];
	u64 *cells;

	if (count > as->room[place->segment] - segment->count)
		return NULL;
	if (!arena_grow(&program->arena, (void **)&program->lines, &as->line_cap, program->line_count,
			sizeof(AsmLine))) {
		as->failed_memory = true;
		return NULL;
	}
	program->lines[program->line_count] = (AsmLine){.source = stmt->span.source, .line = stmt->line,
		.space = as->space, .address = place->at, .cells = (u32)count, .is_code = is_code};
	cells = segment->cells + segment->count;
	for (u64 i = 0; i < count; i++)
		segment->lines[segment->count + i] = program->line_count;
	segment->count += (u32)count;
	program->line_count++;
	return cells;
}

u64 *asm_reserve(Assembler *as, AsmStmt *stmt, u64 count, bool is_code)
{
	AsmPlace *place = &as->places[as->place];
	u64 *cells = NULL;

	if (!count)
		return NULL;
	if (place->segment == ASM_NO_INDEX) {
		asm_go(as, NULL, place->at);
		if (as->failed_memory)
			return NULL;
	}
	if (count > as->max_cells - as->cells) {
		asm_report_at(as, DIAG_ERROR, stmt->span.source, stmt->span.head, stmt->span.head_len, NULL,
			      "the program has more than %llu cells", (unsigned long long)as->max_cells);
		as->halted = true;
		return NULL;
	}
	as->cells += count;
	if (!out_of_bounds(as, stmt, place, count)) {
		if (as->writing)
			cells = write_place(as, stmt, place, count, is_code);
		else
			as->program->segments[place->segment].count += (u32)count;
	}
	place->at += count;
	return cells;
}

static void walk_instruction(Assembler *as, AsmStmt *stmt)
{
	u64 cells[ASM_MAX_CELLS], *out;
	u32 count;
	AsmFit fit;

	if (!as->writing) {
		if (stmt->candidate_count == 1 && !(stmt->candidates[0].form & ASM_PSEUDO)) {
			count = asm_form_cells(as->isa, &as->isa->forms[stmt->candidates[0].form]);
		} else {
			asm_choose(as, &stmt->span, stmt->candidates, stmt->candidate_count, &stmt->chosen, as->here,
				   NULL, ASM_MAX_CELLS, &count);
			if (as->pass >= GROW_ONLY && count < stmt->cells)
				count = (u32)stmt->cells;
		}
		as->changed = as->changed || count != stmt->cells;
		stmt->cells = count;
		asm_reserve(as, stmt, count, true);
		return;
	}
	fit = asm_choose(as, &stmt->span, stmt->candidates, stmt->candidate_count, &stmt->chosen, as->here, cells,
			 ASM_MAX_CELLS, &count);
	if (fit == FIT_YES && count != stmt->cells)
		asm_report_at(as, DIAG_ERROR, stmt->span.source, stmt->span.head, stmt->span.head_len, NULL,
			      "the length of this does not settle: it depends on a label that depends on it");
	out = asm_reserve(as, stmt, stmt->cells, true);
	if (out && fit == FIT_YES && count == stmt->cells)
		memcpy(out, cells, count * sizeof(*out));
}

/* The sections of a space stand behind each other, and behind what is in the space itself. */
static void place_sections(Assembler *as)
{
	const IsaSection *sections = as->dialect->sections;
	u32 spaces = as->isa->space_count;

	for (u32 s = 0; s < spaces; s++) {
		u64 at = as->places[s].at;

		for (u32 i = 0; i < as->dialect->section_count; i++) {
			const AsmPlace *place = &as->places[spaces + i];
			u64 odd = at % sections[i].align;

			if (sections[i].space != s)
				continue;
			if (odd && __builtin_add_overflow(at, sections[i].align - odd, &at))
				at = ~(u64)0;
			as->changed = as->changed || as->bases[i] != at;
			as->bases[i] = at;
			if (__builtin_add_overflow(at, place->at - place->base, &at))
				at = ~(u64)0;
		}
	}
}

/* A directive with a section of its own takes the label in front of it along; others stay. */
static void walk_directive(Assembler *as, AsmStmt *stmt)
{
	const IsaDirective *d = &as->dialect->directives[stmt->directive];
	u32 home = as->place;

	if (d->in == ISA_NONE) {
		asm_directive_walk(as, stmt);
		return;
	}
	asm_enter(as, as->isa->space_count + d->in);
	if (stmt->label != ASM_NO_INDEX)
		name_label(as, stmt->label);
	asm_directive_walk(as, stmt);
	asm_enter(as, home);
}

static bool takes_label_along(const Assembler *as, const AsmStmt *stmt, u32 symbol)
{
	return stmt->kind == STMT_DIRECTIVE && stmt->label == symbol &&
	       as->dialect->directives[stmt->directive].in != ISA_NONE;
}

static void walk(Assembler *as)
{
	u32 symbol = 0, spaces = as->isa->space_count;

	as->segments_used = 0;
	as->cells = 0;
	as->changed = false;
	as->dry = !as->writing; /* what is wrong is said once, by the walk that writes */
	as->moved = ASM_NO_INDEX;
	for (u32 i = 0; i < spaces; i++)
		as->places[i] = (AsmPlace){.at = as->piece                      ? as->piece->places[i]
						 : i == as->isa->code_space ? as->start
									    : 0,
					   .segment = ASM_NO_INDEX};
	for (u32 i = 0; i < as->dialect->section_count; i++)
		as->places[spaces + i] = (AsmPlace){.at = as->bases[i], .base = as->bases[i], .segment = ASM_NO_INDEX};
	for (u32 i = 0; i < as->isa->table_count; i++)
		as->rows[i] = as->piece && as->piece->rows ? as->piece->rows[i] : 0;
	asm_enter(as, as->piece ? as->piece->space : as->isa->code_space);
	for (u32 i = 0; i < as->stmt_count && !as->halted && !as->failed_memory; i++) {
		AsmStmt *stmt = &as->stmts[i];

		as->here = as->places[as->place].at;
		for (; symbol < as->symbol_count && as->symbols[symbol].stmt == i; symbol++)
			if (!takes_label_along(as, stmt, symbol))
				name_label(as, symbol);
		switch (stmt->kind) {
		case STMT_INSN: walk_instruction(as, stmt); break;
		case STMT_DIRECTIVE: walk_directive(as, stmt); break;
		default: asm_reserve(as, stmt, 1, false); break;
		}
	}
	as->here = as->places[as->place].at;
	for (; symbol < as->symbol_count && !as->halted; symbol++)
		name_label(as, symbol);
	if (!as->writing)
		place_sections(as);
	as->dry = false;
}

/* Room for exactly what the last walk measured. */
static bool prepare(Assembler *as)
{
	AsmProgram *program = as->program;

	program->segment_count = as->segments_used;
	as->room = ARENA_ARRAY(&as->scratch, u32, program->segment_count + 1);
	for (u32 i = 0; as->room && i < program->segment_count; i++) {
		AsmSegment *segment = &program->segments[i];

		segment->cells = ARENA_ARRAY(&program->arena, u64, segment->count + 1);
		segment->lines = ARENA_ARRAY(&program->arena, u32, segment->count + 1);
		if (!segment->cells || !segment->lines)
			return false;
		as->room[i] = segment->count;
		segment->count = 0;
	}
	return as->room != NULL;
}

/* The longest plain form for all that have several. */
static void grow_all(Assembler *as)
{
	for (u32 i = 0; i < as->stmt_count; i++) {
		AsmStmt *stmt = &as->stmts[i];

		for (u32 k = stmt->kind == STMT_INSN ? stmt->candidate_count : 0; k > stmt->chosen + 1u; k--)
			if (!(stmt->candidates[k - 1].form & ASM_PSEUDO)) {
				stmt->chosen = (u8)(k - 1);
				break;
			}
	}
}

void asm_layout(Assembler *as)
{
	u32 most = ASM_MAX_PASSES + WALK_WORK / (as->stmt_count + 1);

	if (as->halted)
		return;
	if (most > ASM_MANY_PASSES)
		most = ASM_MANY_PASSES;
	for (as->pass = 1; as->pass <= most; as->pass++) {
		if (as->pass + ASM_LAST_PASSES == most)
			grow_all(as);
		walk(as);
		if (as->halted || as->failed_memory)
			return;
		if (!as->changed)
			break;
	}
	if (as->changed) {
		const AsmSym *symbol = as->moved != ASM_NO_INDEX ? &as->symbols[as->moved] : NULL;
		const char *text = "the addresses of this program depend on each other and do not settle";

		if (symbol)
			asm_report_at(as, DIAG_ERROR, symbol->source, symbol->offset, symbol->len, NULL,
				      "the value of '%s' depends on itself and does not settle", symbol->name);
		else
			diag_report_file(as->diags, DIAG_ERROR, as->program->sources[0].name, NULL, "%s", text);
		return;
	}
	if (!prepare(as)) {
		as->failed_memory = true;
		return;
	}
	as->writing = true;
	walk(as);
	as->writing = false;
}
