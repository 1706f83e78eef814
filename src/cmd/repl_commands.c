/* SPDX-License-Identifier: MIT
 *
 * The commands of a session, and which words may stand at the end of a line.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "cmd/file.h"
#include "cmd/outcome.h"
#include "cmd/repl.h"
#include "cmd/say.h"
#include "cmd/screen.h"
#include "debug/expr.h"

typedef struct ReplCommand {
	const char *name, *operands, *help;
	void (*run)(Repl *repl, const char *args);
} ReplCommand;

static const ReplCommand commands[];

/* ---- Operands ---- */

static const char *skip(const char *text)
{
	return text + strspn(text, " \t");
}

/* NULL after an error was shown. With `used` something may stand behind it. */
static DebugExpr *parse(Repl *repl, const char *text, size_t *used)
{
	const DebugNames names = {repl->isa, repl->loaded.dialect, &repl->names};
	DebugExpr *expr;
	Buf error;

	buf_init(&error);
	expr = debug_expr_parse(&names, text, strlen(text), used, &error);
	if (!expr)
		repl_message(repl, "error: %s", buf_text(&error));
	buf_fini(&error);
	return expr;
}

static bool value_of(Repl *repl, const char *text, size_t *used, DebugValue *value)
{
	DebugExpr *expr = parse(repl, text, used);
	bool fine;
	Buf error;

	if (!expr)
		return false;
	buf_init(&error);
	fine = debug_expr_eval(expr, repl->machine, value, &error);
	if (!fine)
		repl_message(repl, "error: %s", buf_text(&error));
	buf_fini(&error);
	debug_expr_destroy(expr);
	return fine;
}

void repl_evaluate(Repl *repl, const char *text)
{
	DebugValue value;

	text = skip(text);
	if (!*text) {
		repl_message(repl, "an expression is missing: ? R0 + 3, where R0 is a register");
		return;
	}
	if (!value_of(repl, text, NULL, &value))
		return;
	if (value.is_address)
		repl_show_address(repl, repl->isa->code_space, value.value);
	else if (value.is_float)
		repl_show_float(repl, value.value, value.width);
	else
		repl_show_number(repl, value.value, value.width ? value.width : 64);
	buf_byte(&repl->out, '\n');
}

/* The path behind the command, or asked for; in `path`. */
static bool take_path(Repl *repl, const char *args, Buf *path)
{
	const char *line = *args ? args : repl_ask(repl, repl->shell->ask_file ? repl->shell->ask_file : "file: ");
	size_t len;

	if (!line)
		return false;
	line = skip(line);
	len = strlen(line);
	while (len && strchr(" \t\r", line[len - 1]))
		len--;
	buf_add(path, line, len);
	if (repl->shell->loading)
		repl_message(repl, "%s", repl->shell->loading);
	if (!len)
		repl_message(repl, "no file was named");
	return len && !path->failed;
}

/* ---- Commands ---- */

static void do_quit(Repl *repl, const char *args)
{
	(void)args;
	if (repl->shell->farewell)
		repl_message(repl, "%s", repl->shell->farewell);
	repl->quit = true;
}

static void do_help(Repl *repl, const char *args)
{
	Buf call;

	(void)args;
	repl_message(repl, "An instruction is put behind the program and executed; a label stays known; data is put into "
			   "memory.");
	for (const ReplCommand *command = commands; command->name; command++) {
		buf_init(&call);
		buf_printf(&call, "!%s %s", command->name, command->operands);
		repl_message(repl, "  %-26s %s", buf_text(&call), command->help);
		buf_fini(&call);
	}
	repl_message(repl, "  %-26s %s", "? EXPRESSION", "its value: registers, labels, memory cells, numbers (= does the same)");
	repl_message(repl, "Ctrl-C stops what runs; at the prompt, Ctrl-D ends the session.");
}

static void do_history(Repl *repl, const char *args)
{
	(void)args;
	repl_show_history(repl);
}

static void do_program(Repl *repl, const char *args)
{
	(void)args;
	repl_show_program(repl);
}

static void do_clear_program(Repl *repl, const char *args)
{
	(void)args;
	if (repl_undo_push(repl))
		repl_clear_program(repl);
}

static void do_registers(Repl *repl, const char *args)
{
	(void)args;
	repl_show_registers(repl);
}

static void do_clear_registers(Repl *repl, const char *args)
{
	(void)args;
	if (!repl_undo_push(repl))
		return;
	if (repl->shell->clear_registers[0])
		repl_message(repl, "%s", repl->shell->clear_registers[0]);
	for (u32 i = 0; i < repl->isa->slot_count; i++)
		machine_set_slot(repl->machine, i, repl->first_slots[i]);
	repl_set_end(repl);
	repl_note_registers(repl);
	if (repl->shell->clear_registers[1])
		repl_message(repl, "%s", repl->shell->clear_registers[1]);
}

static void do_symbols(Repl *repl, const char *args)
{
	(void)args;
	repl_show_symbols(repl);
}

static void do_memory(Repl *repl, const char *args)
{
	u16 space = repl->isa->code_space;
	u64 address = 0, count = 16;
	DebugValue value;
	DebugExpr *expr;
	size_t used = 0;

	if (!*args) {
		repl_message(repl, "which? !memory ADDRESS [COUNT]; of another space: !memory SPACE[ADDRESS]");
		return;
	}
	expr = parse(repl, args, &used);
	if (!expr)
		return;
	if (!debug_expr_cell(expr, repl->machine, &space, &address)) {
		space = repl->isa->code_space;
		if (!value_of(repl, args, &used, &value)) {
			debug_expr_destroy(expr);
			return;
		}
		address = value.value;
	}
	debug_expr_destroy(expr);
	args = skip(args + used);
	if (*args && !value_of(repl, args, NULL, &value))
		return;
	if (*args)
		count = value.value;
	repl_show_memory(repl, space, address, count > 4096 ? 4096 : count);
}

/* An address that may be left out. */
static bool take_place(Repl *repl, const char **args, u64 missing, u64 *address)
{
	DebugValue value;
	size_t used;

	*address = missing;
	if (!**args)
		return true;
	if (!value_of(repl, *args, &used, &value))
		return false;
	*address = value.value;
	*args = skip(*args + used);
	return true;
}

static void do_disasm(Repl *repl, const char *args)
{
	const u64 end = repl->state.places[repl->isa->code_space];
	bool whole = !*args;
	u64 address, count = 10;

	if (!take_place(repl, &args, repl->origin, &address))
		return;
	if (*args && !take_place(repl, &args, count, &count))
		return;
	if (!whole) {
		repl_show_code(repl, address, count > 4096 ? 4096 : count);
		return;
	}
	for (u64 at = address; at < end && repl->out.len < 1 << 20;) {
		const ReplItem *item = repl_item_at(repl, repl->isa->code_space, at);
		IsaDecoded decoded;

		machine_decode(repl->machine, at, &decoded);
		repl_show_code(repl, at, 1);
		at += item && !item->is_code ? item->cells : decoded.cells ? decoded.cells : 1;
	}
}

static void do_set(Repl *repl, const char *args)
{
	DebugExpr *target;
	DebugValue value;
	size_t used = 0;
	Buf error;

	if (!*args) {
		repl_message(repl, "set what? !set REGISTER = VALUE, or !set SPACE[ADDRESS] = VALUE");
		return;
	}
	target = parse(repl, args, &used);
	if (!target)
		return;
	args = skip(args + used);
	if (*args != '=') {
		repl_message(repl, "'=' is missing: !set REGISTER = VALUE");
	} else if ((debug_expr_float(target, repl->machine, skip(args + 1), &value) ||
		    value_of(repl, skip(args + 1), NULL, &value)) && repl_undo_push(repl)) {
		buf_init(&error);
		if (!debug_expr_assign(target, repl->machine, value.value, &error)) {
			repl_message(repl, "error: %s", buf_text(&error));
			repl_undo_drop(repl);
		} else {
			repl_show_changes(repl);
			repl_set_end(repl);
			repl_note_state(repl);
		}
		buf_fini(&error);
	}
	debug_expr_destroy(target);
}

static void do_block(Repl *repl, const char *args)
{
	(void)args;
	buf_clear(&repl->block);
	repl->in_block = true;
}

static void do_end(Repl *repl, const char *args)
{
	(void)args;
	repl_message(repl, "!end closes what !block has opened; nothing is open");
}

static void do_run(Repl *repl, const char *args)
{
	u64 start;

	if (repl->state.places[repl->isa->code_space] == repl->origin && !*args) {
		repl_message(repl, "the program is empty");
		return;
	}
	if (!take_place(repl, &args, repl->origin, &start) || !repl_undo_push(repl))
		return;
	repl_run_from(repl, start);
}

static void do_undo(Repl *repl, const char *args)
{
	DebugValue value = {.value = 1};
	bool fine = true;

	if (*args && !value_of(repl, args, NULL, &value))
		return;
	for (u64 i = 0; fine && i < value.value && i < 1000; i++)
		fine = repl_undo(repl);
	repl_note_state(repl);
	if (fine)
		repl_message(repl, value.value == 1 ? "back to before the last line" : "back by %llu lines",
		     (unsigned long long)value.value);
}

static void do_reset(Repl *repl, const char *args)
{
	(void)args;
	repl_reset(repl);
	repl_message(repl, "everything is as at the beginning");
}

/* The text of a file; one in a language that is compiled to assembly text is compiled first. */
static void load_source(Repl *repl, const char *path, const char *text, size_t len)
{
	const GuestLanguage *language = load_own_language(repl->loaded.guest, path);
	const GuestFile file = {.name = path, .data = (const u8 *)text, .len = len};
	DiagList diags;
	Buf assembly;

	if (!language) {
		repl_text(repl, path, text, len, REPL_FILE);
		return;
	}
	if (!language->to_assembly) {
		repl_message(repl, "%s is not compiled to assembly text; !spawn runs it", path);
		return;
	}
	diag_init(&diags);
	buf_init(&assembly);
	if (language->compile(&file, repl->isa, &assembly, NULL, &diags) == STATUS_OK && !diags.errors && !assembly.failed)
		repl_text(repl, path, buf_text(&assembly), assembly.len, REPL_FILE);
	else if (!diags.count)
		repl_message(repl, "%s could not be compiled", path);
	diag_render(&diags, &repl->out, repl->color);
	buf_fini(&assembly);
	diag_fini(&diags);
}

static void do_load_file(Repl *repl, const char *args)
{
	Buf path, data, error;

	buf_init(&path);
	buf_init(&data);
	buf_init(&error);
	if (take_path(repl, args, &path)) {
		if (file_read(buf_text(&path), (size_t)16 << 20, &data, &error) != 0) {
			repl_message(repl, "%s%s", repl->shell->no_file ? repl->shell->no_file : "error: ", buf_text(&error));
		} else if (!load_looks_like_text(&data)) {
			repl_message(repl, "%s is no assembly text; !spawn runs programs of other kinds", buf_text(&path));
		} else {
			const size_t skipped = file_byte_order_mark(data.data, data.len);

			load_source(repl, buf_text(&path), buf_text(&data) + skipped, data.len - skipped);
		}
	}
	buf_fini(&path);
	buf_fini(&data);
	buf_fini(&error);
}

static const char *directive(const Repl *repl, IsaAction action)
{
	const IsaDialect *dialect = &repl->isa->dialects[repl->loaded.dialect];

	for (u32 i = 0; i < dialect->directive_count; i++)
		if (dialect->directives[i].action == action)
			return dialect->directives[i].name;
	return NULL;
}

/* The program as a text that can be assembled by itself. */
static void write_program(const Repl *repl, Buf *out)
{
	const IsaDialect *dialect = &repl->isa->dialects[repl->loaded.dialect];
	const char *org = directive(repl, ISA_ACT_ORG), *end = directive(repl, ISA_ACT_END);
	const bool segments = dialect->segments != ISA_SEGMENTS_OPEN;

	if (org && (segments || repl->origin != dialect->origin)) {
		buf_printf(out, "        %s ", org);
		load_hex(repl->isa, repl->loaded.dialect, repl->origin, repl->isa->spaces[repl->isa->code_space].addr_bits, out);
		buf_byte(out, '\n');
	}
	if (repl->shell->head)
		buf_str(out, repl->shell->head);
	for (u32 p = repl->state.first_piece; p < repl->state.pieces; p++) {
		const ReplPiece *piece = &repl->pieces[p];

		buf_add(out, piece->text, piece->len);
		if (piece->len && piece->text[piece->len - 1] != '\n')
			buf_byte(out, '\n');
	}
	if (segments && end)
		buf_printf(out, "        %s\n", end);
}

static void do_save(Repl *repl, const char *args)
{
	Buf path, text;
	Source source;
	AsmProgram *program;
	AsmOptions options = {.dialect = repl->loaded.dialect};
	DiagList diags;

	buf_init(&path);
	buf_init(&text);
	diag_init(&diags);
	if (take_path(repl, args, &path)) {
		write_program(repl, &text);
		if (say_output(&text, buf_text(&path)) == 0 && !text.failed)
			repl_message(repl, "saved in %s", buf_text(&path));
		else
			repl_message(repl, "could not be saved");
		source = (Source){buf_text(&path), buf_text(&text), text.len};
		program = asm_assemble(repl->isa, &source, &options, &diags);
		if (!program)
			repl_message(repl, "it does not assemble by itself yet: %s",
				     diags.count && diags.items[0].message ? diags.items[0].message : "it has errors");
		asm_program_destroy(program);
	}
	diag_fini(&diags);
	buf_fini(&path);
	buf_fini(&text);
}

static void do_spawn(Repl *repl, const char *args)
{
	Buf path;

	buf_init(&path);
	if (take_path(repl, args, &path))
		repl_spawn(repl, buf_text(&path));
	buf_fini(&path);
}

static void do_trace(Repl *repl, const char *args)
{
	repl->trace = !*args ? !repl->trace : strcmp(args, "off") != 0;
	repl_message(repl, repl->trace ? "each instruction is shown" : "instructions are not shown");
}

static void do_input(Repl *repl, const char *args)
{
	machine_input(repl->machine, (const u8 *)args, strlen(args));
	machine_input(repl->machine, (const u8 *)"\n", 1);
}

static void do_screen(Repl *repl, const char *args)
{
	u32 width, height;

	(void)args;
	if (machine_display(repl->machine, &width, &height))
		screen_text(repl->machine, &repl->out);
	else
		repl_message(repl, "%s has no display", repl->isa->name);
}

/* What an instruction would do, without doing it. */
static void do_explain(Repl *repl, const char *args)
{
	const u16 code = repl->isa->code_space;
	u64 old[32], cells[32], pc = repl->state.places[code];
	AsmProgram *none = NULL;
	IsaDecoded decoded;
	DiagList diags;
	u32 count, put = 0;

	diag_init(&diags);
	count = asm_line(repl->isa, repl->loaded.dialect, args, pc, none, cells, &diags);
	if (count && !diags.errors) {
		for (; put < count && machine_read(repl->machine, code, pc + put, &old[put]) == STATUS_OK; put++)
			machine_write(repl->machine, code, pc + put, cells[put]);
		machine_decode(repl->machine, pc, &decoded);
		manual_explain(repl->isa, repl->loaded.dialect, pc, &decoded, &repl->out);
		while (put-- > 0)
			machine_write(repl->machine, code, pc + put, old[put]);
	} else if (diags.count) {
		diag_render(&diags, &repl->out, repl->color);
	} else {
		repl_message(repl, "which instruction? For example: !explain %s",
			     repl->isa->form_count ? repl->isa->forms[0].mnemonic : "ADD ...");
	}
	diag_fini(&diags);
}

static void do_hex(Repl *repl, const char *args)
{
	const unsigned bits = repl->isa->spaces[repl->isa->code_space].cell_bits;
	u64 cells[64];
	u32 count = 0;

	while (*args && count < COUNT_OF(cells)) {
		char *end;

		cells[count] = strtoull(args, &end, 16);
		if (end == args || (*end && !isspace((unsigned char)*end)) || (bits < 64 && cells[count] >> bits)) {
			repl_message(repl, "cells in hex are expected, %u bits each, with blanks between: !hex 01 E8", bits);
			return;
		}
		count++;
		args = skip(end);
	}
	if (count)
		repl_cells(repl, cells, count);
	else
		repl_message(repl, "which cells? !hex CELL...");
}

static const ReplCommand commands[] = {
	{"help", "", "this list", do_help},
	{"registers", "", "all registers", do_registers},
	{"memory", "ADDRESS [COUNT]", "cells; !memory SPACE[ADDRESS] shows another space's", do_memory},
	{"program", "", "what is in memory so far, line by line", do_program},
	{"disasm", "[ADDRESS [COUNT]]", "the program, or what stands at an address, as instructions", do_disasm},
	{"symbols", "", "the labels", do_symbols},
	{"explain", "INSTRUCTION", "what it means, bit by bit, without doing it", do_explain},
	{"undo", "[N]", "back to before the last line, or the last N", do_undo},
	{"set", "PLACE = VALUE", "change a register or a memory cell", do_set},
	{"block", "", "the lines up to !end become one piece: labels may be used before they stand;\n"
	 "                             it is put into memory and not executed", do_block},
	{"end", "", "closes the block", do_end},
	{"run", "[ADDRESS]", "the program from its beginning, or from there, to its end", do_run},
	{"trace", "[on|off]", "show each instruction that is executed, and what it changes", do_trace},
	{"hex", "CELL...", "put cells behind the program and execute them", do_hex},
	{"input", "TEXT", "a line for the program to read", do_input},
	{"screen", "", "the machine's display", do_screen},
	{"load_file", "[FILE]", "put an assembly text (or one that is compiled) into the program and run it", do_load_file},
	{"spawn", "[FILE]", "run a program in a machine of its own; what becomes of it", do_spawn},
	{"save", "[FILE]", "write the program as a text", do_save},
	{"history", "", "the lines typed so far", do_history},
	{"clear_program", "", "forget the program and its labels; registers stay", do_clear_program},
	{"clear_registers", "", "registers as at the beginning", do_clear_registers},
	{"reset", "", "everything as at the beginning; this cannot be undone", do_reset},
	{"quit", "", "end the session", do_quit},
	{0},
};

bool repl_is_command(const char *line)
{
	const size_t len = strcspn(line + 1, " \t\r");

	for (const ReplCommand *command = commands; command->name; command++)
		if (strlen(command->name) == len && memcmp(command->name, line + 1, len) == 0)
			return true;
	return false;
}

void repl_command(Repl *repl, const char *line)
{
	const size_t len = strcspn(line + 1, " \t\r");
	Nearest nearest = nearest_to(line + 1, len);
	Buf args;
	const char *from = skip(line + 1 + len);
	size_t n = strlen(from);

	while (n && strchr(" \t\r", from[n - 1]))
		n--;
	for (const ReplCommand *command = commands; command->name; command++) {
		nearest_consider(&nearest, command->name);
		if (strlen(command->name) != len || memcmp(command->name, line + 1, len) != 0)
			continue;
		buf_init(&args);
		buf_add(&args, from, n);
		command->run(repl, buf_text(&args));
		buf_fini(&args);
		return;
	}
	if (repl->shell->invalid)
		repl_message(repl, "%s", repl->shell->invalid);
	else if (nearest.name)
		repl_message(repl, "there is no such command; did you mean !%s?", nearest.name);
	else
		repl_message(repl, "there is no such command; !help lists them");
}

/* ---- Completion ---- */

typedef struct Collector {
	Buf *out;
	u32 count;
	const char *prefix;
	size_t len;
	bool fold;
} Collector;

static void offer(Collector *collector, const char *word)
{
	const size_t len = strlen(word);

	if (len < collector->len || (collector->fold ? !ascii_equal_fold(word, collector->len, collector->prefix, collector->len)
						      : memcmp(word, collector->prefix, collector->len) != 0))
		return;
	buf_add(collector->out, word, len + 1);
	collector->count++;
}

size_t repl_complete(void *ctx, const char *line, Buf *out, u32 *count)
{
	const Repl *repl = ctx;
	const Isa *isa = repl->isa;
	size_t end = strlen(line), start = end;
	Collector collector = {.out = out, .fold = isa->dialects[repl->loaded.dialect].fold_case};

	while (start > 0 && (isalnum((unsigned char)line[start - 1]) || strchr("_.$-!", line[start - 1])))
		start--;
	collector.prefix = line + start;
	collector.len = end - start;
	if (*collector.prefix == '!') {
		collector.prefix++;
		collector.len--;
		for (const ReplCommand *command = commands; command->name; command++)
			offer(&collector, command->name);
	} else if (collector.len) {
		for (u32 i = 0; i < isa->form_count; i++)
			if (i == 0 || strcmp(isa->forms[i].mnemonic, isa->forms[i - 1].mnemonic) != 0)
				offer(&collector, isa->forms[i].mnemonic);
		for (u32 i = 0; i < isa->pseudo_count; i++)
			offer(&collector, isa->pseudos[i].mnemonic);
		for (u32 i = 0; i < isa->dialects[repl->loaded.dialect].directive_count; i++)
			offer(&collector, isa->dialects[repl->loaded.dialect].directives[i].name);
		for (u32 i = 0; i < isa->slot_count; i++)
			offer(&collector, isa_slot_name(isa, i));
		for (u32 i = repl->state.first_symbol; i < repl->state.symbols; i++)
			offer(&collector, repl->symbols[i].name);
	}
	*count = collector.count;
	return collector.len;
}
