/* SPDX-License-Identifier: MIT
 *
 * Doing a line: assemble, put into memory, run until the pc is at the end of the program, and what may come between.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/file.h"
#include "cmd/interrupt.h"
#include "cmd/outcome.h"
#include "cmd/repl.h"
#include "cmd/say.h"
#include "cmd/terminal.h"
#include "machine/vcpus.h"

enum { SLICE = 200000, CELLS_MOST = 1 << 20, POLLS = 100, TRACED = 200 };

typedef enum RunEnd { RUN_DONE, RUN_HALTED, RUN_FAULT, RUN_STOPPED } RunEnd;

/* ---- Assembling ---- */

static bool find_symbol(void *ctx, const char *name, size_t len, AsmSymbol *out)
{
	const Repl *repl = ctx;
	const DebugSymbol *symbol = debug_symbols_operand(&repl->names, name, len);

	if (!symbol)
		return false;
	*out = (AsmSymbol){.value = symbol->value, .space = symbol->space, .width = symbol->width, .is_float = symbol->is_float};
	return true;
}

/* A label of the line that is known already. */
static bool defines_anew(Repl *repl, const AsmProgram *program, const Source *source, DiagList *diags)
{
	for (u32 i = 0; i < program->symbol_count; i++) {
		const AsmSymbol *symbol = &program->symbols[i];
		const size_t len = strlen(symbol->name);
		const DebugSymbol *old = debug_symbols_find(&repl->names, symbol->name, len);
		const char *at = source->text, *end = source->text + source->len;
		Buf address;

		if (!old)
			continue;
		while (at + len < end && strncmp(at, symbol->name, len) != 0)
			at++;
		buf_init(&address);
		load_hex(repl->isa, repl->loaded.dialect, old->value,
			 old->space == ISA_NONE || repl->isa->spaces[old->space].addr_bits > 32
				 ? 8 : repl->isa->spaces[old->space].addr_bits, &address);
		diag_report(diags, DIAG_ERROR, source, (size_t)(at - source->text), len,
			    "take another name; !undo takes back the last line, !clear_program all of them",
			    "label '%s' is defined already: %s", symbol->name, buf_text(&address));
		buf_fini(&address);
		return true;
	}
	return false;
}

static void show_diags(Repl *repl, const DiagList *diags)
{
	if (!diags->count)
		return;
	if (diags->errors && repl->shell->failed)
		repl_message(repl, "%s%s", repl->shell->failed, diags->items[0].message ? diags->items[0].message : "");
	diag_render(diags, &repl->out, repl->color);
}

/* NULL after an error was shown. */
static AsmProgram *assemble(Repl *repl, const Source *source, AsmPiece *piece, ReplMode mode)
{
	LoadIncluder includer = {source->name, FILE_LIMIT};
	AsmOptions options = {.dialect = repl->loaded.dialect, .liberal = repl->load.liberal, .max_cells = CELLS_MOST,
			      .read_file = mode == REPL_FILE ? load_include : NULL, .ctx = &includer};
	AsmProgram *program;
	DiagList diags;

	diag_init(&diags);
	program = asm_assemble_piece(repl->isa, source, &options, piece, &diags);
	if (program && mode != REPL_FILE && defines_anew(repl, program, source, &diags)) {
		asm_program_destroy(program);
		program = NULL;
	}
	show_diags(repl, &diags);
	diag_fini(&diags);
	return program;
}

/* ---- Putting cells into memory ---- */

/* The cells as they were go to `old` (room for all of them). False when they do not fit; then nothing was written. */
static bool put_cells(Repl *repl, u16 space, u64 address, const u64 *cells, u32 count, ReplCell *old, u32 *old_count)
{
	if (address + count < address ||
	    (address + count > machine_cells(repl->machine, space) &&
	     machine_resize(repl->machine, space, address + count) != STATUS_OK)) {
		repl_message(repl, "this does not fit into %s, which has %llu cells", repl->isa->spaces[space].name,
			     (unsigned long long)machine_cells(repl->machine, space));
		return false;
	}
	for (u32 i = 0; i < count; i++) {
		ReplCell *cell = &old[(*old_count)++];

		*cell = (ReplCell){.space = space, .address = address + i};
		machine_read(repl->machine, space, address + i, &cell->value);
		machine_write(repl->machine, space, address + i, cells[i]);
		repl_note_cell(repl, space, address + i);
	}
	return true;
}

static void put_back(Repl *repl, const ReplCell *old, u32 count)
{
	while (count-- > 0) {
		machine_write(repl->machine, old[count].space, old[count].address, old[count].value);
		repl_note_cell(repl, old[count].space, old[count].address);
	}
}

static void tell_end(Repl *repl)
{
	if (repl->shell->extend)
		repl->shell->extend(repl->machine, repl->state.places[repl->isa->code_space]);
}

/* Lines are done by vCPU 0; others that it started run beside it. */
void repl_set_end(Repl *repl)
{
	(void)machine_vcpu_select(repl->machine, 0);
	tell_end(repl);
	machine_set_pc(repl->machine, repl->state.places[repl->isa->code_space]);
}

/* ---- Running ---- */

/* The program wants input: a line of the session. */
static void give_input(Repl *repl)
{
	const char *line = repl_ask(repl, "input> ");

	if (line) {
		machine_input(repl->machine, (const u8 *)line, lines_length(repl->lines));
		machine_input(repl->machine, (const u8 *)"\n", 1);
	} else if (!*interrupt_flag()) {
		machine_input_end(repl->machine);
	}
}

static void touch(Repl *repl, u16 space, u64 address)
{
	for (u32 i = 0; i < repl->touched_count; i++)
		if (repl->touched[i].space == space && repl->touched[i].address == address)
			return;
	if (repl->touched_count < COUNT_OF(repl->touched))
		repl->touched[repl->touched_count++] = (ReplCell){.space = space, .address = address};
}

/* It does nothing but look for a key that does not come. */
static bool only_polls(Machine *machine, u64 *polls)
{
	MachineStats stats;
	bool polled;

	machine_stats(machine, &stats);
	polled = stats.key_polls - *polls > POLLS && !machine_input_pending(machine) && !machine_input_ended(machine);
	*polls = stats.key_polls;
	return polled;
}

/* Until the time that every vCPU sleeps for has come. */
void repl_sleep_until(Machine *machine, u64 time)
{
	const double begun = terminal_now(), wanted = (double)(time - machine_time(machine)) * 1e-9;

	while (!*interrupt_flag() && terminal_now() - begun < wanted) {
		const double left = wanted - (terminal_now() - begun);

		nanosleep(&(struct timespec){.tv_nsec = left < 0.05 ? (long)(left * 1e9) : 50000000}, NULL);
	}
	if (!*interrupt_flag())
		machine_set_time(machine, time);
}

static void say_stop(Repl *repl, const MachineStop *stop)
{
	Outcome outcome;

	outcome_init(&outcome);
	outcome_of_stop(&outcome, &repl->loaded, stop);
	if (stop->kind == STOP_HALT)
		repl_message(repl, "%s; the session goes on", buf_text(&outcome.reason));
	else if (stop->kind == STOP_DEADLOCK)
		repl_message(repl, "fault: %s", stop->text && *stop->text ? stop->text : "all wait for each other");
	else
		repl_message(repl, "fault: %s", buf_text(&outcome.reason));
	outcome_fini(&outcome);
}

/* What the last instruction changed, under its line. */
static void show_step(Repl *repl)
{
	repl_flush(repl);
	repl_show_changes(repl);
	repl_note_registers(repl);
	repl->touched_count = 0;
}

static const char *vcpu_word(const Repl *repl)
{
	const Guest *guest = repl->loaded.guest;

	return guest && guest->vcpu_word ? guest->vcpu_word : "vCPU";
}

/* The vCPU that does the lines is gone: nothing can be executed any more. */
static bool has_ended(const Machine *machine)
{
	return machine_vcpu_state(machine, 0) >= VCPU_ENDED;
}

typedef struct Running {
	u64 end;      /* of the program: there it is done */
	u64 first;    /* instruction count at the beginning */
	u64 polls;
	bool stepped; /* no breakpoint can stand at the end, that of the space */
	bool traced;  /* the last instruction was shown */
	bool going;
	RunEnd result;
	MachineStop stop;
} Running;

/* Fuel is used up, or Ctrl-C came. */
static bool must_stop(Repl *repl, Running *running)
{
	const u64 done = machine_icount(repl->machine) - running->first;
	Buf place;

	if (done < repl->fuel && !*interrupt_flag())
		return false;
	buf_init(&place);
	(void)machine_vcpu_select(repl->machine, 0);
	repl->mid_line |= repl->prompts && *interrupt_flag(); /* behind the terminal's ^C */
	outcome_place(&repl->loaded, repl->isa->code_space, machine_pc(repl->machine), &place);
	repl_message(repl, "%s after %llu instructions, at %s; !undo takes the line back",
		     done >= repl->fuel ? "stopped" : "interrupted", (unsigned long long)done, buf_text(&place));
	buf_fini(&place);
	running->result = RUN_STOPPED;
	return true;
}

/* A slice of the run; one instruction where each is looked at. */
static void run_slice(Repl *repl, Running *running)
{
	const u64 done = machine_icount(repl->machine) - running->first, left = repl->fuel - done;

	running->traced = repl->trace && done < TRACED;
	if (running->traced)
		repl_show_code(repl, machine_pc(repl->machine), 1);
	running->stop = machine_run(repl->machine, running->stepped || running->traced ? 1 : left < SLICE ? left : SLICE);
	if (!running->traced || running->stop.kind > STOP_WATCH)
		return;
	show_step(repl);
	if (done + 1 == TRACED)
		repl_message(repl, "... (%u instructions are shown)", (unsigned)TRACED);
}

static void act_on_stop(Repl *repl, Running *running)
{
	Machine *machine = repl->machine;
	const MachineStop *stop = &running->stop;

	switch (stop->kind) {
	case STOP_BUDGET:
		if (running->stepped || running->traced)
			running->going = machine_pc(machine) != running->end || machine_vcpu_current(machine) != 0;
		if (running->going && only_polls(machine, &running->polls))
			give_input(repl);
		break;
	case STOP_SLEEP: repl_sleep_until(machine, stop->code); break;
	case STOP_FRAME: break;
	case STOP_WATCH: touch(repl, stop->space, stop->address); break;
	case STOP_WAIT: give_input(repl); break;
	case STOP_BREAK:
		running->going = stop->vcpu != 0;
		if (!running->going)
			break;
		machine_vcpu_pause(machine, stop->vcpu, true);
		repl_message(repl, "%s %u has come to the end of the program: it waits there", vcpu_word(repl), stop->vcpu);
		break;
	default:
		running->result = stop->kind == STOP_HALT ? RUN_HALTED : RUN_FAULT;
		running->going = false;
		break;
	}
	if (running->going && has_ended(machine)) {
		repl_message(repl, "the %s that executes the lines has ended; it is as before", vcpu_word(repl));
		running->going = false;
	}
}

/* Is the line one instruction that does its work without going elsewhere (a system call perhaps)? */
static bool is_one_call(const Repl *repl, u64 start, u32 own)
{
	IsaDecoded decoded;
	IsaFlow flow;

	machine_decode(repl->machine, start, &decoded);
	if (own != 1 || !decoded.insn)
		return false;
	flow = isa_flow(repl->isa, &decoded);
	return !flow.returns && (!flow.jumps || flow.calls);
}

/* From `start` to the end of the program. own: instructions of the line itself. */
static RunEnd run(Repl *repl, u64 start, u32 own, bool *one_call)
{
	Machine *machine = repl->machine;
	Running running = {.end = repl->state.places[repl->isa->code_space], .first = machine_icount(machine), .going = true};
	MachineStats stats;
	u64 count;

	(void)machine_vcpu_select(machine, 0);
	machine_stats(machine, &stats);
	running.polls = stats.key_polls;
	repl->touched_count = 0;
	machine_set_pc(machine, start);
	*one_call = is_one_call(repl, start, own);
	running.stepped = machine_break_set(machine, running.end, true) != STATUS_OK;
	while (running.going && !must_stop(repl, &running)) {
		run_slice(repl, &running);
		act_on_stop(repl, &running);
	}
	if (!running.stepped)
		machine_break_set(machine, running.end, false);
	(void)machine_vcpu_select(machine, 0);
	if (running.result == RUN_HALTED || running.result == RUN_FAULT)
		say_stop(repl, &running.stop);
	repl_flush(repl);
	if (running.result == RUN_HALTED && *one_call) /* will be as before */
		return RUN_HALTED;
	if ((running.result == RUN_HALTED || running.result == RUN_STOPPED) && repl->shell->resume)
		repl->shell->resume(machine);
	repl_show_changes(repl);
	count = machine_icount(machine) - running.first;
	if (running.result != RUN_STOPPED && count > own)
		repl_message(repl, "(%llu instructions)", (unsigned long long)count);
	return running.result;
}

/* Rows of tables. They stay when the line is taken out: nothing names them any more. */
static bool put_rows(Repl *repl, const AsmProgram *program)
{
	for (u32 i = 0; i < program->row_count; i++) {
		const AsmRow *row = &program->rows[i];
		const IsaTable *table = &repl->isa->tables[row->table];

		for (u16 c = 0; c < table->column_count; c++)
			if (machine_set_table(repl->machine, row->table, c, row->row, row->values[c]) != STATUS_OK) {
				repl_message(repl, "table %s takes no further row", table->name);
				return false;
			}
	}
	return true;
}

/* Beyond the end of the program there is room for the instruction that is looked for there. */
static void keep_room(Repl *repl)
{
	const u16 code = repl->isa->code_space;
	const u64 wanted = repl->state.places[code] + repl->isa->max_bits / repl->isa->spaces[code].cell_bits;

	if (machine_cells(repl->machine, code) < wanted)
		(void)machine_resize(repl->machine, code, wanted);
}

/* A line that halts leaves the machine as it was before it: the program would have ended here. */
static void as_before(Repl *repl, const AsmProgram *program)
{
	const ReplUndo *undo = &repl->undos[repl->undo_count - 1];

	if (machine_restore(repl->machine, undo->machine.data, undo->machine.len) != STATUS_OK)
		return;
	for (u32 s = 0; program && s < program->segment_count; s++) {
		const AsmSegment *segment = &program->segments[s];

		if (segment->origin + segment->count > machine_cells(repl->machine, segment->space))
			(void)machine_resize(repl->machine, segment->space, segment->origin + segment->count);
		for (u32 i = 0; i < segment->count; i++)
			machine_write(repl->machine, segment->space, segment->origin + i, segment->cells[i]);
	}
	if (program)
		(void)put_rows(repl, program);
	keep_room(repl);
	repl_note_state(repl);
}

bool repl_run_from(Repl *repl, u64 start)
{
	bool one_call;
	RunEnd end = run(repl, start, ~0u, &one_call);

	if (has_ended(repl->machine))
		as_before(repl, NULL);
	repl_set_end(repl);
	repl_note_registers(repl);
	return end != RUN_FAULT;
}

/* ---- A piece, from text to effect ---- */

typedef struct Put {
	ReplCell *old; /* owned: what was in memory before */
	u32 old_count;
	u32 symbols;   /* labels before */
	u16 space;
	u64 *places;   /* owned: places before */
} Put;

/* Back to where the piece was not yet in the program; registers and other memory stay as they are. */
static void take_out(Repl *repl, const Put *put)
{
	put_back(repl, put->old, put->old_count);
	repl_remove_last_piece(repl, put->symbols);
	repl->state.space = put->space;
	memcpy(repl->state.places, put->places, repl->isa->space_count * sizeof(u64));
}

/* The first instruction, and how many there are. */
static const AsmLine *first_code(const AsmProgram *program, u32 *count)
{
	const AsmLine *first = NULL;

	*count = 0;
	for (u32 i = 0; i < program->line_count; i++) {
		if (!program->lines[i].is_code)
			continue;
		if (!first)
			first = &program->lines[i];
		++*count;
	}
	return first;
}

static bool execute(Repl *repl, const AsmProgram *program, const Put *put, ReplMode mode, bool *changed)
{
	u32 own;
	const AsmLine *code = first_code(program, &own);
	u64 start = mode == REPL_FILE && (program->has_entry || !code) ? program->entry : code ? code->address : 0;
	bool one_call = false, fine = true;

	if (mode != REPL_PLACE && code) {
		/* A pseudo-instruction is one statement and several instructions; of a file nobody counts. */
		switch (run(repl, start, mode == REPL_FILE ? ~0u : own, &one_call)) {
		case RUN_HALTED:
			if (mode == REPL_DO && one_call)
				as_before(repl, program);
			break;
		case RUN_FAULT:
			if (mode == REPL_DO) {
				take_out(repl, put);
				*changed = !one_call; /* one instruction, and that was not done */
				repl_message(repl, "the line is not part of the program");
			}
			fine = false;
			break;
		case RUN_STOPPED:
		case RUN_DONE:
			break;
		}
		if (has_ended(repl->machine))
			as_before(repl, fine || mode != REPL_DO ? program : NULL);
	}
	repl_set_end(repl);
	return fine;
}

static bool put_segments(Repl *repl, const AsmProgram *program, Put *put)
{
	u64 total = 1;

	for (u32 s = 0; s < program->segment_count; s++)
		total += program->segments[s].count;
	put->old = calloc(total, sizeof(ReplCell));
	if (!put->old) {
		repl_message(repl, "out of memory");
		return false;
	}
	for (u32 s = 0; s < program->segment_count; s++) {
		const AsmSegment *segment = &program->segments[s];

		if (segment->count && !put_cells(repl, segment->space, segment->origin, segment->cells, segment->count,
						 put->old, &put->old_count)) {
			put_back(repl, put->old, put->old_count);
			return false;
		}
	}
	return true;
}

/* *changed: something is other than before. */
static bool add(Repl *repl, const char *text, size_t len, const AsmProgram *program, const AsmPiece *piece,
		ReplMode mode, bool *changed)
{
	Put put = {.symbols = repl->state.symbols, .space = repl->state.space};
	const size_t size = repl->isa->space_count * sizeof(u64);
	bool fine = false;

	put.places = malloc(size);
	if (!put.places) {
		repl_message(repl, "out of memory");
		return false;
	}
	memcpy(put.places, repl->state.places, size);
	if (put_segments(repl, program, &put)) {
		if (!put_rows(repl, program) || !repl_add_piece(repl, text, len, program)) {
			put_back(repl, put.old, put.old_count);
		} else {
			repl->state.space = piece->space;
			memcpy(repl->state.places, piece->places, size);
			keep_room(repl);
			tell_end(repl);
			repl_note_registers(repl);
			repl_show_piece(repl, &repl->pieces[repl->state.pieces - 1]);
			for (u32 i = put.symbols; mode == REPL_DO && i < repl->state.symbols; i++) {
				const ReplSymbol *symbol = &repl->symbols[i];

				buf_printf(&repl->out, "%s = ", symbol->name);
				repl_show_address(repl, symbol->space, symbol->value);
				buf_byte(&repl->out, '\n');
			}
			*changed = true;
			fine = execute(repl, program, &put, mode, changed);
			repl_note_registers(repl);
		}
	}
	free(put.old);
	free(put.places);
	return fine;
}

bool repl_text(Repl *repl, const char *name, const char *text, size_t len, ReplMode mode)
{
	const Source source = {name, text, len};
	AsmPiece piece = {.space = repl->state.space, .symbol = find_symbol, .ctx = repl};
	AsmProgram *program;
	bool fine = false, changed = false;

	if (!repl_undo_push(repl))
		return false;
	piece.places = malloc((repl->isa->space_count + repl->isa->table_count) * sizeof(u64));
	if (piece.places) {
		piece.rows = piece.places + repl->isa->space_count;
		for (u16 t = 0; t < repl->isa->table_count; t++)
			piece.rows[t] = machine_table_rows(repl->machine, t);
		memcpy(piece.places, repl->state.places, repl->isa->space_count * sizeof(u64));
		program = assemble(repl, &source, &piece, mode);
		if (program && mode == REPL_FILE && repl->shell->sending)
			repl_message(repl, "%s", repl->shell->sending);
		if (program)
			fine = add(repl, text, len, program, &piece, mode, &changed);
		asm_program_destroy(program);
		free(piece.places);
	}
	if (!changed)
		repl_undo_drop(repl);
	return fine;
}

/* The cells as instructions, a line each: text that makes them again. */
static void cells_text(const Repl *repl, u64 address, const u64 *cells, u32 count, Buf *out)
{
	const DisOptions how = {.dialect = repl->loaded.dialect};

	for (u32 at = 0; at < count;) {
		at += dis_cells(repl->isa, &how, address + at, cells + at, count - at, out);
		buf_byte(out, '\n');
	}
}

bool repl_cells(Repl *repl, const u64 *cells, u32 count)
{
	const u16 code = repl->isa->code_space;
	AsmSegment segment = {.space = code, .origin = repl->state.places[code], .cells = (u64 *)(uintptr_t)cells,
			      .count = count};
	AsmLine made = {.line = 1, .space = code, .address = segment.origin, .cells = count, .is_code = true};
	AsmProgram program = {.isa = repl->isa, .segments = &segment, .segment_count = 1, .lines = &made, .line_count = 1,
			      .entry = segment.origin};
	AsmPiece piece = {.space = repl->state.space};
	bool fine = false, changed = false;
	Buf text;

	if (!repl_undo_push(repl))
		return false;
	piece.places = malloc(repl->isa->space_count * sizeof(u64));
	if (piece.places) {
		memcpy(piece.places, repl->state.places, repl->isa->space_count * sizeof(u64));
		piece.places[code] += count;
		buf_init(&text);
		cells_text(repl, segment.origin, cells, count, &text);
		fine = add(repl, buf_text(&text), text.len, &program, &piece, REPL_DO, &changed);
		buf_fini(&text);
		free(piece.places);
	}
	if (!changed)
		repl_undo_drop(repl);
	return fine;
}
