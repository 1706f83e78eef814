/* SPDX-License-Identifier: MIT
 *
 * The program of a session: its pieces and labels, and the way back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cmd/repl.h"

enum {
	TEXT_LIMIT = 64 << 20, /* bytes of all pieces, with what is noted about them */
	UNDO_LIMIT = 100,
};
#define UNDO_BYTES ((size_t)64 << 20)

/* ---- States ---- */

static bool copy_state(const Repl *repl, const ReplState *from, ReplState *to)
{
	const size_t size = repl->isa->space_count * sizeof(u64);

	*to = *from;
	to->places = malloc(size);
	if (to->places)
		memcpy(to->places, from->places, size);
	return to->places != NULL;
}

static void fini_undo(Repl *repl, ReplUndo *undo)
{
	repl->undo_bytes -= undo->machine.cap;
	buf_fini(&undo->machine);
	free(undo->state.places);
}

static void drop_oldest(Repl *repl)
{
	fini_undo(repl, &repl->undos[0]);
	repl->undo_count--;
	memmove(&repl->undos[0], &repl->undos[1], repl->undo_count * sizeof(repl->undos[0]));
}

bool repl_undo_push(Repl *repl)
{
	ReplUndo undo = {0};

	buf_init(&undo.machine);
	if (!array_grow((void **)&repl->undos, &repl->undo_cap, repl->undo_count, sizeof(undo)) ||
	    machine_snapshot(repl->machine, &undo.machine) || undo.machine.failed ||
	    !copy_state(repl, &repl->state, &undo.state)) {
		buf_fini(&undo.machine);
		repl_message(repl, "out of memory");
		return false;
	}
	repl->undos[repl->undo_count++] = undo;
	repl->undo_bytes += undo.machine.cap;
	while (repl->undo_count > 1 && (repl->undo_count > UNDO_LIMIT || repl->undo_bytes > UNDO_BYTES))
		drop_oldest(repl);
	return true;
}

void repl_undo_drop(Repl *repl)
{
	if (repl->undo_count)
		fini_undo(repl, &repl->undos[--repl->undo_count]);
}

/* The labels that count, anew. */
static void derive_names(Repl *repl)
{
	debug_symbols_fini(&repl->names);
	debug_symbols_init(&repl->names, repl->isa->dialects[repl->loaded.dialect].fold_case);
	for (u32 i = repl->state.first_symbol; i < repl->state.symbols; i++) {
		const ReplSymbol *symbol = &repl->symbols[i];

		if (debug_symbols_add(&repl->names, symbol->name, strlen(symbol->name), symbol->space, symbol->value) == STATUS_OK)
			debug_symbols_mark(&repl->names, symbol->width, symbol->is_float);
	}
}

static void cut_symbols(Repl *repl, u32 count)
{
	while (repl->state.symbols > count)
		free(repl->symbols[--repl->state.symbols].name);
}

/* What a piece takes, roughly: its text, its items, a label or two. */
static size_t bytes_of(size_t len, u32 items)
{
	return len + items * sizeof(ReplItem) + 200;
}

static void cut_pieces(Repl *repl, u32 count)
{
	while (repl->state.pieces > count) {
		ReplPiece *piece = &repl->pieces[--repl->state.pieces];

		repl->text_bytes -= bytes_of(piece->len, piece->count);
		free(piece->text);
		free(piece->items);
	}
}

bool repl_undo(Repl *repl)
{
	ReplUndo *undo;
	Status status;

	if (!repl->undo_count) {
		repl_message(repl, "there is nothing to undo");
		return false;
	}
	undo = &repl->undos[repl->undo_count - 1];
	status = machine_restore(repl->machine, undo->machine.data, undo->machine.len);
	if (status) {
		repl_message(repl, "cannot go back: %s", status_text(status));
		return false;
	}
	cut_pieces(repl, undo->state.pieces);
	cut_symbols(repl, undo->state.symbols);
	free(repl->state.places);
	repl->state = undo->state;
	undo->state.places = NULL;
	repl_undo_drop(repl);
	derive_names(repl);
	repl_set_end(repl);
	return true;
}

void repl_clear_program(Repl *repl)
{
	for (u32 p = repl->state.first_piece; p < repl->state.pieces; p++)
		for (u32 i = 0; i < repl->pieces[p].count; i++) {
			const ReplItem *item = &repl->pieces[p].items[i];

			for (u32 k = 0; k < item->cells; k++)
				machine_write(repl->machine, item->space, item->address + k, 0);
		}
	repl->state.first_piece = repl->state.pieces;
	repl->state.first_symbol = repl->state.symbols;
	repl->state.space = repl->isa->code_space;
	memset(repl->state.places, 0, repl->isa->space_count * sizeof(u64));
	repl->state.places[repl->isa->code_space] = repl->origin;
	derive_names(repl);
	repl_set_end(repl);
	repl_note_state(repl);
}

void repl_reset(Repl *repl)
{
	const Status status = machine_restore(repl->machine, repl->first.data, repl->first.len);

	if (status) {
		repl_message(repl, "cannot go back: %s", status_text(status));
		return;
	}
	while (repl->undo_count)
		repl_undo_drop(repl);
	cut_pieces(repl, 0);
	cut_symbols(repl, 0);
	repl->state.first_piece = repl->state.first_symbol = 0;
	repl_clear_program(repl);
}

/* ---- Pieces ---- */

/* The lines of a text, found in one pass over it. */
static void find_line(const char *text, size_t len, u32 line, size_t *at, u32 *number, ReplItem *item)
{
	const char *end;

	if (line < *number)
		*at = 0, *number = 1;
	while (*number < line && *at < len) {
		const char *next = memchr(text + *at, '\n', len - *at);

		*at = next ? (size_t)(next - text) + 1 : len;
		++*number;
	}
	end = memchr(text + *at, '\n', len - *at);
	item->from = *at;
	item->len = end ? (size_t)(end - text) - *at : len - *at;
}

static bool add_symbols(Repl *repl, const AsmProgram *program)
{
	for (u32 i = 0; i < program->symbol_count; i++) {
		const AsmSymbol *symbol = &program->symbols[i];
		char *name = strdup(symbol->name);

		if (!name || !array_grow((void **)&repl->symbols, &repl->symbol_cap, repl->state.symbols, sizeof(ReplSymbol))) {
			free(name);
			return false;
		}
		repl->symbols[repl->state.symbols++] = (ReplSymbol){name, symbol->value, symbol->space, symbol->width, symbol->is_float};
		if (debug_symbols_add(&repl->names, name, strlen(name), symbol->space, symbol->value) == STATUS_OK)
			debug_symbols_mark(&repl->names, symbol->width, symbol->is_float);
	}
	return true;
}

bool repl_add_piece(Repl *repl, const char *text, size_t len, const AsmProgram *program)
{
	const u32 count = program ? program->line_count : 0;
	const u32 symbols = repl->state.symbols;
	ReplPiece piece = {.len = len};
	size_t at = 0;
	u32 number = 1;

	if (repl->text_bytes + bytes_of(len, count) > TEXT_LIMIT) {
		repl_message(repl, "the session's program is too long: !save it, then !reset");
		return false;
	}
	piece.text = malloc(len + 1);
	piece.items = calloc(count + 1, sizeof(ReplItem));
	if (!piece.text || !piece.items ||
	    !array_grow((void **)&repl->pieces, &repl->piece_cap, repl->state.pieces, sizeof(piece)) ||
	    (program && !add_symbols(repl, program))) {
		free(piece.text);
		free(piece.items);
		cut_symbols(repl, symbols);
		derive_names(repl);
		repl_message(repl, "out of memory");
		return false;
	}
	memcpy(piece.text, text, len);
	piece.text[len] = '\0';
	for (u32 i = 0; i < count; i++) {
		const AsmLine *line = &program->lines[i];
		ReplItem *item = &piece.items[piece.count++];

		*item = (ReplItem){.address = line->address, .cells = line->cells, .space = line->space,
				   .is_code = line->is_code};
		if (line->source == 0)
			find_line(piece.text, len, line->line, &at, &number, item);
	}
	repl->text_bytes += bytes_of(len, piece.count);
	repl->pieces[repl->state.pieces++] = piece;
	return true;
}

void repl_remove_last_piece(Repl *repl, u32 symbols)
{
	cut_pieces(repl, repl->state.pieces - 1);
	cut_symbols(repl, symbols);
	derive_names(repl);
}

const ReplItem *repl_item_at(const Repl *repl, u16 space, u64 address)
{
	for (u32 p = repl->state.pieces; p-- > repl->state.first_piece;)
		for (u32 i = 0; i < repl->pieces[p].count; i++) {
			const ReplItem *item = &repl->pieces[p].items[i];

			if (item->space == space && address >= item->address && address - item->address < item->cells)
				return item;
		}
	return NULL;
}

/* ---- Beginning and end ---- */

bool repl_program_init(Repl *repl)
{
	const Isa *isa = repl->isa;

	buf_init(&repl->first);
	repl->state.places = calloc(isa->space_count + 1, sizeof(u64));
	repl->first_slots = calloc(isa->slot_count + 1, sizeof(u64));
	repl->slots = calloc(isa->slot_count + 1, sizeof(u64));
	repl->copies = calloc(isa->space_count + 1, sizeof(ReplCopy));
	if (!repl->state.places || !repl->first_slots || !repl->slots || !repl->copies)
		return false;
	repl->state.space = isa->code_space;
	repl->state.places[isa->code_space] = repl->origin;
	debug_symbols_init(&repl->names, isa->dialects[repl->loaded.dialect].fold_case);
	for (u32 i = 0; i < isa->slot_count; i++)
		repl->first_slots[i] = machine_slot(repl->machine, i);
	return machine_snapshot(repl->machine, &repl->first) == STATUS_OK && !repl->first.failed;
}

void repl_program_fini(Repl *repl)
{
	while (repl->undo_count)
		repl_undo_drop(repl);
	free(repl->undos);
	cut_pieces(repl, 0);
	cut_symbols(repl, 0);
	free(repl->pieces);
	free(repl->symbols);
	debug_symbols_fini(&repl->names);
	free(repl->state.places);
	free(repl->first_slots);
	free(repl->slots);
	for (u32 i = 0; repl->copies && i < repl->isa->space_count; i++)
		free(repl->copies[i].bytes);
	free(repl->copies);
	buf_fini(&repl->first);
	for (u32 i = 0; i < repl->history_count; i++)
		free(repl->history[i]);
	free(repl->history);
	buf_fini(&repl->block);
}
