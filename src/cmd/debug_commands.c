/* SPDX-License-Identifier: MIT
 *
 * The commands of the debugger: one function and one row of the table each. A name may be cut short as long as it is
 * clear which is meant; some have a letter of their own, as in gdb.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/debug_ui.h"
#include "cmd/file.h"
#include "cmd/say.h"
#include "cmd/screen.h"

/* Of steps: more is a negative number, or a mistake. */
#define COUNT_MOST ((u64)1 << 62)

/* ---- Running ---- */

static bool finish_run(Debug *debug, DebugStop stop)
{
	if (stop.reason == DEBUG_FAILED)
		return debug_error(debug, "%s", stop.text);
	debug_show_stop(debug, &stop);
	return true;
}

static bool run_count(Debug *debug, const char *args, DebugStop (*function)(DebugSession *, u64))
{
	u64 count;

	if (!debug_take_number(debug, args, 1, &count))
		return false;
	if (count > COUNT_MOST)
		return debug_error(debug, "how many? '%s' is no count", args);
	debug_flush(debug);
	return finish_run(debug, function(debug->session, count));
}

static bool run_plain(Debug *debug, const char *args, DebugStop (*function)(DebugSession *))
{
	if (*args)
		return debug_error(debug, "this command takes no operands");
	debug_flush(debug);
	return finish_run(debug, function(debug->session));
}

static bool do_step(Debug *debug, const char *args) { return run_count(debug, args, debug_step); }
static bool do_next(Debug *debug, const char *args) { return run_count(debug, args, debug_next); }
static bool do_finish(Debug *debug, const char *args) { return run_plain(debug, args, debug_finish); }
static bool do_continue(Debug *debug, const char *args) { return run_plain(debug, args, debug_continue); }
static bool do_reverse_step(Debug *debug, const char *args) { return run_count(debug, args, debug_reverse_step); }
static bool do_reverse_next(Debug *debug, const char *args) { return run_count(debug, args, debug_reverse_next); }
static bool do_reverse_continue(Debug *debug, const char *args)
{
	return run_plain(debug, args, debug_reverse_continue);
}

static bool do_until(Debug *debug, const char *args)
{
	u64 pc;

	if (!*args)
		return debug_error(debug, "until where? A label, an address or FILE:LINE");
	if (!debug_take_place(debug, &args, &pc))
		return false;
	debug_flush(debug);
	return finish_run(debug, debug_until(debug->session, pc));
}

static bool do_runto(Debug *debug, const char *args)
{
	u64 icount;

	if (!*args)
		return debug_error(debug, "to which instruction count?");
	if (!debug_take_number(debug, args, 0, &icount))
		return false;
	if (icount < machine_icount(debug->machine))
		return debug_error(debug, "that is in the past; `goto %" PRIu64 "` goes there", icount);
	debug_flush(debug);
	return finish_run(debug, debug_run_to(debug->session, icount));
}

static bool do_goto(Debug *debug, const char *args)
{
	u64 icount;

	if (!*args)
		return debug_error(debug, "to which instruction count?");
	if (!debug_take_number(debug, args, 0, &icount))
		return false;
	debug_flush(debug);
	return finish_run(debug, debug_goto(debug->session, icount));
}

static bool do_vcpus(Debug *debug, const char *args)
{
	if (*args)
		return debug_error(debug, "this command takes no operands; `vcpu N` chooses one");
	debug_show_vcpus(debug);
	return true;
}

static bool do_vcpu(Debug *debug, const char *args)
{
	u64 number;

	if (!debug_take_number(debug, args, machine_vcpu_current(debug->machine), &number))
		return false;
	if (number >= VCPU_NONE || machine_vcpu_select(debug->machine, (u32)number) != STATUS_OK)
		return debug_error(debug, "there is no %s %" PRIu64 "; `vcpus` lists them", machine_vcpu_word(debug->machine),
				   number);
	debug_note_registers(debug);
	debug_show_place(debug);
	debug->next_disassembled = machine_pc(debug->machine);
	return true;
}

static bool do_reset(Debug *debug, const char *args)
{
	Status status;

	if (*args)
		return debug_error(debug, "this command takes no operands");
	status = debug_reset(debug->session);
	if (status)
		return debug_error(debug, "%s", status_text(status));
	debug_note_registers(debug);
	debug_show_place(debug);
	return true;
}

/* ---- Points ---- */

static bool set_break(Debug *debug, const char *args, bool temporary)
{
	const char *start = args;
	u64 pc = machine_pc(debug->machine);
	DebugExpr *condition;
	const DebugPoint *point;
	char text[128];

	if (*args && strncmp(args, "if ", 3) != 0 && !debug_take_place(debug, &args, &pc))
		return false;
	if (!debug_take_condition(debug, args, &condition))
		return false;
	snprintf(text, sizeof(text), "%s", start);
	point = debug_break(debug->session, pc, condition, temporary, text);
	if (!point)
		return debug_error(debug, "out of memory");
	buf_printf(&debug->out, "%s %u at ", temporary ? "Temporary breakpoint" : "Breakpoint", point->id);
	debug_show_address(debug, debug->isa->code_space, pc);
	buf_byte(&debug->out, '\n');
	return true;
}

static bool do_break(Debug *debug, const char *args) { return set_break(debug, args, false); }
static bool do_tbreak(Debug *debug, const char *args) { return set_break(debug, args, true); }

static bool set_watch(Debug *debug, const char *args, bool reads, bool writes)
{
	DebugExpr *expr, *condition;
	const DebugPoint *point;
	char text[128];
	Buf error;

	if (!*args)
		return debug_error(debug, "watch what? A register, a cell such as %s[...], an expression",
				   debug->isa->spaces[debug->isa->code_space].name);
	snprintf(text, sizeof(text), "%s", args);
	expr = debug_take_expr(debug, &args, false);
	if (!expr)
		return false;
	if (!debug_take_condition(debug, args, &condition)) {
		debug_expr_destroy(expr);
		return false;
	}
	buf_init(&error);
	point = debug_watch(debug->session, expr, condition, reads, writes, text, &error);
	if (point)
		buf_printf(&debug->out, "Watchpoint %u: %s%s\n", point->id, text,
			   point->is_cell ? "" : " (looked at after every instruction: slow)");
	else
		debug_error(debug, "%s", buf_text(&error));
	buf_fini(&error);
	return point != NULL;
}

static bool do_watch(Debug *debug, const char *args) { return set_watch(debug, args, false, false); }
static bool do_rwatch(Debug *debug, const char *args) { return set_watch(debug, args, true, false); }
static bool do_awatch(Debug *debug, const char *args) { return set_watch(debug, args, true, true); }

static bool each_point(Debug *debug, const char *args, char what)
{
	u64 id;
	DebugValue value;

	while (*args) {
		if (!debug_take_value(debug, &args, false, &value))
			return false;
		id = value.value;
		if (id > 0xFFFFFFFF || !(what == 'd' ? debug_point_delete(debug->session, (u32)id)
						     : debug_point_enable(debug->session, (u32)id, what == '+')))
			return debug_error(debug, "there is no breakpoint or watchpoint %" PRIu64, id);
	}
	return true;
}

static bool do_delete(Debug *debug, const char *args)
{
	if (!*args)
		debug_point_delete_all(debug->session);
	return each_point(debug, args, 'd');
}

static bool switch_points(Debug *debug, const char *args, bool on)
{
	for (u32 i = 0; !*args && i < debug_point_count(debug->session); i++)
		debug_point_enable(debug->session, debug_point(debug->session, i)->id, on);
	return each_point(debug, args, on ? '+' : '-');
}

static bool do_disable(Debug *debug, const char *args) { return switch_points(debug, args, false); }
static bool do_enable(Debug *debug, const char *args) { return switch_points(debug, args, true); }

/* ---- Looking ---- */

static bool do_print(Debug *debug, const char *args)
{
	char format = 0;
	u64 count = 1;
	DebugValue value;
	const char *text;

	if (!debug_take_format(debug, &args, &count, &format, "xductaf"))
		return false;
	if (!*args)
		return debug_error(debug, "print what? For example: print R0 + 1");
	text = args;
	if (!debug_take_value(debug, &args, true, &value))
		return false;
	buf_printf(&debug->out, "%s = ", text);
	debug_show_value(debug, value, format);
	buf_byte(&debug->out, '\n');
	return true;
}

static bool do_set(Debug *debug, const char *args)
{
	DebugExpr *target;
	DebugValue value;
	Buf error;
	bool fine;

	if (!*args)
		return debug_error(debug, "set what? For example: set R0 = 5");
	target = debug_take_expr(debug, &args, false);
	if (!target)
		return false;
	if (*args != '=') {
		debug_expr_destroy(target);
		return debug_error(debug, "'=' is missing: set REGISTER = VALUE");
	}
	args = debug_skip(args + 1);
	buf_init(&error);
	fine = debug_expr_float(target, debug->machine, args, &value) || debug_take_value(debug, &args, true, &value);
	if (fine && !debug_assign(debug->session, target, value.value, &error))
		fine = debug_error(debug, "%s", buf_text(&error));
	if (fine)
		debug_note_registers(debug); /* the next stop shows what the program changes */
	buf_fini(&error);
	debug_expr_destroy(target);
	return fine;
}

static bool do_examine(Debug *debug, const char *args)
{
	u64 count = 0, address = debug->next_address;
	char format = debug->memory_format;
	u16 space = debug->next_space;
	DebugExpr *expr;
	DebugValue value;

	if (!debug_take_format(debug, &args, &count, &format, "xductisf"))
		return false;
	if (!count && format == 's')
		count = 1; /* one text */
	if (*args) {
		expr = debug_take_expr(debug, &args, true);
		if (!expr)
			return false;
		space = debug->isa->code_space;
		if (!debug_expr_cell(expr, debug->machine, &space, &address)) {
			if (!debug_eval_expr(debug, expr, &value)) {
				debug_expr_destroy(expr);
				return false;
			}
			address = value.value;
		}
		debug_expr_destroy(expr);
	}
	if (!count)
		count = debug->memory_count ? debug->memory_count : 8;
	if (count > 65536)
		return debug_error(debug, "that is too much at once: at most 65536");
	debug->memory_format = format;
	debug->memory_count = count;
	if (format == 'i')
		debug->next_address = debug_show_code(debug, address, count);
	else
		debug_show_memory(debug, space, address, count, format);
	return true;
}

static bool do_disassemble(Debug *debug, const char *args)
{
	u64 address = debug->next_disassembled, count = 10;
	DebugValue value;

	if (*args && !debug_take_place(debug, &args, &address))
		return false;
	if (*args) {
		if (*args == ',')
			args = debug_skip(args + 1);
		if (!debug_take_value(debug, &args, true, &value))
			return false;
		count = value.value > 10000 ? 10000 : value.value;
	}
	debug->next_disassembled = debug_show_code(debug, address, count);
	return true;
}

static bool do_list(Debug *debug, const char *args)
{
	const DebugLine *line;
	u64 pc = machine_pc(debug->machine);

	if (!*args && debug->list_file) {
		if (!debug_show_source(debug, debug->list_file, debug->list_line, debug->list_line + 9))
			return debug_error(debug, "the file ends before line %u", debug->list_line);
		debug->list_line += 10;
		return true;
	}
	if (*args && !debug_take_place(debug, &args, &pc))
		return false;
	line = debug_symbols_line(&debug->symbols, debug->isa->code_space, pc);
	if (!line || !line->line ||
	    !debug_show_source(debug, line->file, line->line > 5 ? line->line - 5 : 1, line->line + 4)) {
		debug_show_code(debug, pc, 10);
		return true;
	}
	debug->list_file = line->file;
	debug->list_line = line->line + 5;
	return true;
}

static bool do_backtrace(Debug *debug, const char *args)
{
	enum { MOST = 1000 };
	DebugFrame *frames = calloc(MOST, sizeof(*frames));
	u64 limit;
	u32 count;
	bool complete;

	if (!frames)
		return debug_error(debug, "out of memory");
	if (!debug_take_number(debug, args, 100, &limit)) {
		free(frames);
		return false;
	}
	count = debug_backtrace(debug->session, frames, MOST, &complete);
	for (u32 i = 0; i < count && i < limit; i++) {
		const DebugLine *line = debug_symbols_line(&debug->symbols, debug->isa->code_space, frames[i].pc);

		buf_printf(&debug->out, "#%-3u ", i);
		debug_show_address(debug, debug->isa->code_space, frames[i].pc);
		if (frames[i].entry_known) {
			buf_str(&debug->out, frames[i].interrupt ? "  handler " : "  in ");
			debug_show_address(debug, debug->isa->code_space, frames[i].entry);
		}
		if (line && line->line)
			buf_printf(&debug->out, "  %s:%u", line->file, line->line);
		buf_byte(&debug->out, '\n');
	}
	if (!complete)
		buf_str(&debug->out, "(what called these lies too far back)\n");
	free(frames);
	return true;
}

static bool do_explain(Debug *debug, const char *args)
{
	u64 pc = machine_pc(debug->machine);
	IsaDecoded decoded;

	if (*args && !debug_take_place(debug, &args, &pc))
		return false;
	machine_decode(debug->machine, pc, &decoded);
	if (!decoded.insn)
		return debug_error(debug, "there is no instruction here: nothing matches these bits");
	debug_show_code(debug, pc, 1);
	manual_explain(debug->isa, debug->loaded.dialect, pc, &decoded, &debug->out);
	return true;
}

/* ---- info ---- */

const char *const debug_info_topics[] = { "registers", "breaks", "symbols", "display", "stats", "history", NULL };

static void info_breaks(Debug *debug)
{
	if (!debug_point_count(debug->session))
		buf_str(&debug->out, "There are no breakpoints and no watchpoints.\n");
	for (u32 i = 0; i < debug_point_count(debug->session); i++) {
		const DebugPoint *point = debug_point(debug->session, i);

		buf_printf(&debug->out, "%-3u %-5s %-3s ", point->id, point->kind == DEBUG_POINT_BREAK ? "break" : "watch",
			   point->enabled ? "on" : "off");
		if (point->kind == DEBUG_POINT_BREAK)
			debug_show_address(debug, debug->isa->code_space, point->pc);
		if (point->kind != DEBUG_POINT_BREAK)
			buf_str(&debug->out, point->text);
		else if (*point->text)
			buf_printf(&debug->out, "  (%s)", point->text);
		buf_printf(&debug->out, ", hit %" PRIu64 " time%s\n", point->hits, point->hits == 1 ? "" : "s");
	}
}

static void info_symbols(Debug *debug, const char *pattern)
{
	u32 shown = 0;

	for (u32 i = 0; i < debug->symbols.symbol_count; i++) {
		const DebugSymbol *symbol = &debug->symbols.symbols[i];

		if (!strstr(symbol->name, pattern))
			continue;
		if (symbol->space == ISA_NONE)
			debug_show_hex(debug, symbol->value, 16);
		else
			debug_show_hex(debug, symbol->value, debug->isa->spaces[symbol->space].addr_bits);
		buf_printf(&debug->out, "  %s\n", symbol->name);
		shown++;
	}
	if (!shown)
		buf_str(&debug->out, debug->symbols.symbol_count ? "No symbol has this in its name.\n"
								 : "No symbols are known.\n");
}

static void info_stats(Debug *debug)
{
	MachineStats stats;

	machine_stats(debug->machine, &stats);
	buf_printf(&debug->out, "%12" PRIu64 "  instructions\n%12" PRIu64 "  interrupts\n%12" PRIu64 "  bytes of input, %"
		   PRIu64 " waiting%s\n%12" PRIu64 "  bytes of output\n%12" PRIu64 "  bytes of memory\n",
		   stats.icount, stats.interrupts, stats.input_bytes, machine_input_pending(debug->machine),
		   machine_input_ended(debug->machine) ? ", ended" : "", stats.output_bytes, stats.memory_bytes);
}

static void info_history(Debug *debug)
{
	u64 bytes;
	u32 count = debug_snapshot_count(debug->session, &bytes);

	buf_printf(&debug->out, "Now at instruction %" PRIu64 "; the past goes back to %" PRIu64 " (%u snapshots, %" PRIu64
		   " KiB).\n", machine_icount(debug->machine), debug_past_begin(debug->session), count, bytes / 1024);
}

static bool do_info(Debug *debug, const char *args)
{
	size_t len = strcspn(args, " \t");
	const char *rest = debug_skip(args + len);
	u32 width, height, found = 0, which = 0;

	for (u32 i = 0; len && debug_info_topics[i]; i++)
		if (strncmp(debug_info_topics[i], args, len) == 0) {
			which = i;
			found++;
		}
	if (found != 1)
		return debug_error(debug, "info about what? registers, breaks, symbols, display, stats or history");
	switch (which) {
	case 0: debug_show_registers(debug); break;
	case 1: info_breaks(debug); break;
	case 2: info_symbols(debug, rest); break;
	case 3:
		if (!machine_display(debug->machine, &width, &height))
			return debug_error(debug, "this machine has no display");
		screen_text(debug->machine, &debug->out);
		break;
	case 4: info_stats(debug); break;
	default: info_history(debug); break;
	}
	return true;
}

/* ---- Input, files ---- */

static int hex_digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

static bool do_input(Debug *debug, const char *args)
{
	Buf bytes;
	size_t len = strlen(args), i = 0;

	if (len >= 2 && args[0] == '"' && args[len - 1] == '"') {
		i = 1;
		len--;
	}
	if (i >= len)
		return debug_error(debug, "input what? \\n is a line end, \\xHH any byte, \"...\" keeps blanks");
	buf_init(&bytes);
	while (i < len) {
		char c = args[i++];

		if (c == '\\' && i < len) {
			c = args[i++];
			if (c == 'x' && i + 1 < len && hex_digit(args[i]) >= 0 && hex_digit(args[i + 1]) >= 0) {
				c = (char)(hex_digit(args[i]) * 16 + hex_digit(args[i + 1]));
				i += 2;
			} else {
				c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'e' ? 27 : c;
			}
		}
		buf_byte(&bytes, (u8)c);
	}
	if (!bytes.failed)
		debug_input(debug->session, bytes.data, bytes.len);
	buf_fini(&bytes);
	return true;
}

static bool do_eof(Debug *debug, const char *args)
{
	if (*args)
		return debug_error(debug, "this command takes no operands");
	debug_input_end(debug->session);
	return true;
}

static bool do_snapshot(Debug *debug, const char *args)
{
	Buf bytes;
	Status status;
	bool fine = false;

	if (!*args)
		return debug_error(debug, "to which file?");
	buf_init(&bytes);
	status = debug_save(debug->session, &bytes);
	if (status)
		debug_error(debug, "%s", status_text(status));
	else
		fine = say_output(&bytes, args) == 0;
	if (fine)
		buf_printf(&debug->out, "%zu bytes written to %s\n", bytes.len, args);
	buf_fini(&bytes);
	return fine;
}

static bool do_restore(Debug *debug, const char *args)
{
	Buf bytes, error;
	Status status = STATUS_IO;

	if (!*args)
		return debug_error(debug, "from which file?");
	buf_init(&bytes);
	buf_init(&error);
	if (file_read(args, FILE_LIMIT, &bytes, &error) != 0)
		debug_error(debug, "%s", buf_text(&error));
	else {
		status = debug_load(debug->session, bytes.data, bytes.len);
		if (status)
			debug_error(debug, "%s: %s", args, status_text(status));
	}
	if (!status) {
		debug_note_registers(debug);
		debug_show_place(debug);
	}
	buf_fini(&bytes);
	buf_fini(&error);
	return !status;
}

/* ---- Help, the table, and reading a line ---- */

static bool do_quit(Debug *debug, const char *args)
{
	(void)args;
	debug->quit = true;
	return true;
}

/* Words that other debuggers know, and what they are called here. */
static const char *const foreign_commands[][2] = {
	{ "run", "continue" }, { "r", "continue" }, { "start", "reset" }, { "restart", "reset" }, { "stop", "break" },
	{ "go", "continue" }, { "where", "backtrace" }, { "regs", "info registers" }, { "registers", "info registers" },
	{ "printregs", "info registers" }, { "stepi", "step" }, { "si", "step" }, { "nexti", "next" }, { "ni", "next" },
	{ "over", "next" }, { "out", "finish" }, { "dump", "x" }, { "memory", "x" }, { "mem", "x" }, { "exit", "quit" },
	{ "thread", "vcpu" }, { "threads", "vcpus" }, { "core", "vcpu" }, { "cores", "vcpus" }, { "bye", "quit" }, { "?", "help" }, { "undo", "back" }, { "rsi", "back" }, { "clear", "delete" }, { "display", "watch or print" },
};

static const DebugCommand *find_command(Debug *debug, const char *name, size_t len)
{
	const DebugCommand *found = NULL;
	u32 count = 0;

	for (const DebugCommand *command = debug_commands; command->name; command++) {
		if ((strlen(command->name) == len && strncmp(command->name, name, len) == 0) ||
		    (command->alias && strlen(command->alias) == len && strncmp(command->alias, name, len) == 0))
			return command;
	}
	for (u32 i = 0; i < COUNT_OF(foreign_commands); i++)
		if (strlen(foreign_commands[i][0]) == len && strncmp(foreign_commands[i][0], name, len) == 0) {
			debug_error(debug, "'%s' is no command; here it is `%s`", foreign_commands[i][0],
				    foreign_commands[i][1]);
			return NULL;
		}
	for (const DebugCommand *command = debug_commands; command->name; command++)
		if (strncmp(command->name, name, len) == 0) {
			found = command;
			count++;
		}
	if (count == 1)
		return found;
	buf_printf(&debug->out, "error: '%.*s' ", (int)(len > 40 ? 40 : len), name);
	if (!count) {
		buf_str(&debug->out, "is no command; `help` lists them\n");
		return NULL;
	}
	buf_str(&debug->out, "may be");
	for (const DebugCommand *command = debug_commands; command->name; command++)
		if (strncmp(command->name, name, len) == 0)
			buf_printf(&debug->out, " %s", command->name);
	buf_byte(&debug->out, '\n');
	return NULL;
}

static bool do_help(Debug *debug, const char *args)
{
	const DebugCommand *command;

	if (*args) {
		command = find_command(debug, args, strcspn(args, " \t"));
		if (!command)
			return false;
		buf_printf(&debug->out, "%s%s%s %s\n%s\n", command->name, command->alias ? ", " : "",
			   command->alias ? command->alias : "", command->operands, command->help);
		return true;
	}
	for (command = debug_commands; command->name; command++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s %s", command->name, command->alias ? ", " : "",
			 command->alias ? command->alias : "", command->operands);
		buf_printf(&debug->out, "  %-34s %.*s\n", left, (int)strcspn(command->help, "\n"), command->help);
	}
	buf_str(&debug->out, "An empty line repeats the last command. `help COMMAND` tells more.\n");
	return true;
}

const DebugCommand debug_commands[] = {
	{ "step", "s", "[N]", "execute one instruction, or N", do_step, true, 0 },
	{ "next", "n", "[N]", "the same, but run through calls and interrupts", do_next, true, 0 },
	{ "finish", NULL, "", "run until the present function returns", do_finish, true, 0 },
	{ "continue", "c", "", "run until something stops it", do_continue, true, 0 },
	{ "until", NULL, "PLACE", "run to a place\nA place is a label, an address, FILE:LINE or :LINE.", do_until, false, 'l' },
	{ "runto", NULL, "N", "run until N instructions have been executed since the start", do_runto, false, 0 },
	{ "goto", NULL, "N", "go to instruction count N, in the past or the future, past all breakpoints", do_goto, false, 0 },
	{ "back", "rs", "[N]", "undo one instruction, or N (reverse-step)", do_reverse_step, true, 0 },
	{ "reverse-step", NULL, "[N]", "the same as back", do_reverse_step, true, 0 },
	{ "reverse-next", "rn", "[N]", "back, but over whole calls", do_reverse_next, true, 0 },
	{ "reverse-continue", "rc", "",
	  "back to the last breakpoint or watched change\n"
	  "For a watchpoint: to the instruction that made the value what it is now.", do_reverse_continue, true, 0 },
	{ "break", "b", "[PLACE] [if COND]",
	  "stop before the instruction at a place\n"
	  "A place is a label, an address, FILE:LINE or :LINE; without one, here.\n"
	  "For example: break LOOP if R0 == 3 && M[x4000] != 0", do_break, false, 'l' },
	{ "tbreak", NULL, "[PLACE] [if COND]", "the same, once", do_tbreak, false, 'l' },
	{ "watch", NULL, "EXPR [if COND]", "stop when the value of a cell, register or expression changes", do_watch, false, 'l' },
	{ "rwatch", NULL, "CELL [if COND]", "stop when a memory cell is read or changes", do_rwatch, false, 'l' },
	{ "awatch", NULL, "CELL [if COND]", "stop when a memory cell is read or written", do_awatch, false, 'l' },
	{ "delete", "d", "[N...]", "delete breakpoints and watchpoints, all or by number", do_delete, false, 0 },
	{ "disable", NULL, "[N...]", "switch them off", do_disable, false, 0 },
	{ "enable", NULL, "[N...]", "switch them on", do_enable, false, 0 },
	{ "info", "i", "TOPIC", "registers, breaks, symbols [PART], display, stats or history", do_info, false, 'i' },
	{ "print", "p", "[/F] EXPR",
	  "the value of an expression\n"
	  "Formats: x hexadecimal, d signed, u unsigned, t binary, c character, a address, f float.\n"
	  "Expressions: registers, labels, M[address], numbers; + - * / % & | ^ ~ ! << >> && || == != < <= > >= <u >u",
	  do_print, false, 'l' },
	{ "set", NULL, "REG|CELL = EXPR", "change a register or a memory cell", do_set, false, 'l' },
	{ "x", NULL, "[/NF] [ADDRESS]",
	  "show N cells of memory\n"
	  "Formats as for print, and i instructions, s strings. ADDRESS may be a cell of another space: x/8 fb[0].\n"
	  "Without an address it goes on.", do_examine, true, 'l' },
	{ "disassemble", "u", "[PLACE [N]]", "show N instructions; without a place it goes on", do_disassemble, true, 'l' },
	{ "list", "l", "[PLACE]", "show the source around a place; without one it goes on", do_list, true, 'l' },
	{ "backtrace", "bt", "[N]", "which calls led here", do_backtrace, false, 0 },
	{ "explain", NULL, "[PLACE]", "what the instruction means, with the values of its fields", do_explain, false, 'l' },
	{ "vcpus", NULL, "", "the vCPUs (threads, cores): where each is, and what it waits for", do_vcpus, false, 0 },
	{ "vcpu", NULL, "N",
	  "look at vCPU N: its registers and private memory\n"
	  "step, next and back are about this one; the others run meanwhile when it is their turn.", do_vcpu, false, 0 },
	{ "input", NULL, "TEXT", "give the program console input; \\n \\t \\e \\xHH, \"...\" keeps blanks", do_input, false, 0 },
	{ "eof", NULL, "", "end the program's console input", do_eof, false, 0 },
	{ "snapshot", NULL, "FILE", "write the state of the machine", do_snapshot, false, 'f' },
	{ "restore", NULL, "FILE", "read it back; the past is forgotten", do_restore, false, 'f' },
	{ "reset", NULL, "", "back to the beginning, and forget what came after it", do_reset, false, 0 },
	{ "help", "h", "[COMMAND]", "this list, or more about one", do_help, false, 'c' },
	{ "quit", "q", "", "end", do_quit, false, 0 },
	{ 0 },
};

bool debug_run_line(Debug *debug, const char *line)
{
	const DebugCommand *command;
	const char *args;
	char text[sizeof(debug->last)];
	size_t len;
	bool fine;

	line = debug_skip(line);
	if (!*line && debug->interactive)
		line = debug->last;
	if (!*line || *line == '#')
		return true;
	len = strlen(line);
	while (len && isspace((unsigned char)line[len - 1]))
		len--;
	if (len >= sizeof(text))
		return debug_error(debug, "the line is too long");
	memcpy(text, line, len);
	text[len] = 0;
	len = strcspn(text, " \t/");
	command = find_command(debug, text, len);
	if (!command)
		return false;
	args = debug_skip(text + len);
	fine = command->run(debug, args);
	/* What an empty line does next: the same, going on where it takes an address. */
	if (!command->repeats)
		len = 0;
	else if (!command->completes)
		len = strlen(text);
	snprintf(debug->last, sizeof(debug->last), "%.*s", (int)len, text);
	return fine;
}
