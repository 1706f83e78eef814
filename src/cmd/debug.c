/* SPDX-License-Identifier: MIT
 *
 * husk debug: the terminal side of the debugger. The commands are in debug_commands.c, what they show in
 * debug_show.c; the machine, its past and its points are the business of src/debug.
 *
 * stdin belongs to the debugger. The program's console input comes from --input, or from the commands `input` and
 * `eof`. Its output goes to stdout as it comes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/debug_ui.h"
#include "cmd/file.h"
#include "cmd/interrupt.h"
#include "cmd/linux_options.h"
#include "cmd/say.h"
#include "cmd/verbs.h"

typedef struct DebugOptions {
	LoadOptions load;
	LinuxOptions system;
	bool takes_all; /* a Linux program: what follows is for it */
	const char *input, *symbols;
	OptList scripts, commands;
} DebugOptions;

static const Opt debug_options[] = {
	LOAD_ROWS_ISA(DebugOptions, load),
	LOAD_ROWS_ASM(DebugOptions, load),
	LOAD_ROW_MEMORY(DebugOptions, load),
	LOAD_ROWS_VCPUS(DebugOptions, load),
	LINUX_ROWS(DebugOptions, system),
	{"input", 'i', OPT_TEXT, offsetof(DebugOptions, input), "FILE", "the program's console input"},
	{"symbols", 0, OPT_TEXT, offsetof(DebugOptions, symbols), "FILE", "names of addresses, in the machine's own form"},
	{"script", 'x', OPT_LIST, offsetof(DebugOptions, scripts), "FILE",
	 "do the commands in FILE, a line each, then end;\nthe exit code is 1 after the first that fails"},
	{"command", 'c', OPT_LIST, offsetof(DebugOptions, commands), "TEXT", "do this command, then end"},
	{0},
};

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	Debug *debug = ctx;

	debug_write(debug, bytes, len);
	if (debug->lost)
		*interrupt_flag() = 1;
	debug->mid_line = bytes[len - 1] != '\n';
}

/* ---- Symbols ---- */

static void add_symbol(void *ctx, const char *name, size_t len, u16 space, u64 address)
{
	debug_symbols_add(ctx, name, len, space, address);
}

static void add_line(void *ctx, u16 space, u64 address, u32 number, const char *text, size_t len)
{
	DebugSymbols *symbols = ctx;
	DebugLine line = {.address = address, .cells = 1, .line = number, .space = space, .is_code = true};

	line.text = arena_strndup(&symbols->arena, text, len);
	if (line.text)
		debug_symbols_add_line(symbols, &line);
}

static bool read_names_of(Debug *debug, const GuestFile *file)
{
	const Guest *guest = debug->loaded.guest;
	GuestNames names = {&debug->symbols, add_symbol, add_line};

	return guest && guest->read_names && guest->read_names(debug->machine, file, &names) == STATUS_OK;
}

static bool read_names(Debug *debug, const char *name, const Buf *data)
{
	const GuestFile file = {.name = name, .data = data->data, .len = data->len};

	return read_names_of(debug, &file);
}

/* The symbol file beside an object file, if there is one. */
static void read_names_beside(Debug *debug, const char *name)
{
	Buf path, data, error;

	buf_init(&path);
	buf_init(&data);
	buf_init(&error);
	file_with_extension(name, ".sym", &path);
	if (access(buf_text(&path), R_OK) == 0 && file_read(buf_text(&path), FILE_LIMIT, &data, &error) == 0)
		read_names(debug, buf_text(&path), &data);
	buf_fini(&path);
	buf_fini(&data);
	buf_fini(&error);
}

static int load_symbols(Debug *debug, const DebugOptions *options)
{
	Buf data, error;
	int code = 0;

	debug_symbols_init(&debug->symbols, debug->isa->dialects[debug->loaded.dialect].fold_case);
	for (u32 i = 0; i < debug->loaded.file_count; i++) {
		const LoadedFile *file = &debug->loaded.files[i];

		if (file->program)
			debug_symbols_add_program(&debug->symbols, file->program);
		else {
			const GuestFile given = load_guest_file(file);

			read_names_of(debug, &given);
			read_names_beside(debug, file->name);
		}
	}
	if (!options->symbols)
		return 0;
	buf_init(&data);
	buf_init(&error);
	code = file_read(options->symbols, FILE_LIMIT, &data, &error);
	if (code)
		say_error("%s", buf_text(&error));
	else if (!read_names(debug, options->symbols, &data)) {
		say_error("%s: no symbol file of this machine", options->symbols);
		code = EXIT_NOT_RUNNABLE;
	}
	buf_fini(&data);
	buf_fini(&error);
	return code;
}

/* ---- Commands ---- */

static bool run_line(Debug *debug, const char *line)
{
	bool fine;

	*interrupt_flag() = 0;
	fine = debug_run_line(debug, line);
	debug_flush(debug);
	if (interrupt_ended_by())
		debug->quit = true;
	return fine;
}

static int run_script(Debug *debug, const char *path)
{
	Buf text, error;
	int code;

	buf_init(&text);
	buf_init(&error);
	code = file_read(path, FILE_LIMIT, &text, &error);
	if (code)
		say_error("%s", buf_text(&error));
	for (size_t at = 0; !code && at < text.len && !debug->quit;) {
		char *line = (char *)text.data + at;
		size_t len = strcspn(line, "\n");

		line[len] = 0;
		if (!run_line(debug, line))
			code = 1;
		at += len + 1;
	}
	buf_fini(&text);
	buf_fini(&error);
	return code;
}

static int run_batch(Debug *debug, const DebugOptions *options)
{
	int code = 0;

	for (u32 i = 0; !code && !debug->quit && i < options->scripts.count; i++)
		code = run_script(debug, options->scripts.items[i]);
	for (u32 i = 0; !code && !debug->quit && i < options->commands.count; i++)
		code = !run_line(debug, options->commands.items[i]);
	return code;
}

static int run_lines(Debug *debug)
{
	const LinesConfig config = {.complete = debug_complete, .ctx = debug};
	Lines *lines = lines_open(&config);
	bool dropped = false;

	if (!lines) {
		say_error("out of memory");
		return EXIT_HUSK;
	}
	debug->interactive = isatty(STDIN_FILENO);
	debug_show_place(debug);
	if (debug->interactive)
		buf_str(&debug->out, "`help` lists the commands; the first are `step`, `next`, `back`, `continue`, "
				     "`break LABEL`.\n");
	debug_flush(debug);
	while (!debug->quit) {
		const char *line = lines_read(lines, "(husk) ", &dropped);

		if (interrupt_ended_by())
			break;
		if (dropped) {
			*interrupt_flag() = 0;
			say_write(STDOUT_FILENO, "\n", 1);
		} else if (!line) {
			if (debug->interactive)
				say_write(STDOUT_FILENO, "\n", 1);
			break;
		} else {
			run_line(debug, line);
		}
	}
	lines_close(lines);
	return 0;
}

/* ---- The verb ---- */

static int give_input(Debug *debug, const char *path)
{
	Buf data, error;
	int code;

	if (!path)
		return 0;
	buf_init(&data);
	buf_init(&error);
	code = file_read(path, FILE_LIMIT, &data, &error);
	if (code) {
		say_error("%s", buf_text(&error));
	} else {
		machine_input(debug->machine, data.data, data.len);
		machine_input_end(debug->machine);
	}
	buf_fini(&data);
	buf_fini(&error);
	return code;
}

static int debug_machine_of(Debug *debug, const DebugOptions *options)
{
	DebugOutput output = {.write = on_output, .ctx = debug};
	int code;

	debug->machine = debug->loaded.machine;
	debug->isa = debug->loaded.isa;
	debug->color = say_color(STDOUT_FILENO);
	debug->next_address = debug->next_disassembled = machine_pc(debug->machine);
	debug->next_space = debug->isa->code_space;
	debug->seen = calloc(debug->isa->slot_count + 1, sizeof(u64));
	code = load_symbols(debug, options);
	if (!code)
		code = give_input(debug, options->input);
	if (code)
		return code;
	debug->session = debug_session_create(debug->machine, &debug->symbols, debug->loaded.dialect, &output);
	if (!debug->session || !debug->seen) {
		say_error("out of memory");
		return EXIT_HUSK;
	}
	debug_note_registers(debug);
	debug_session_interrupt_flag(debug->session, interrupt_flag());
	interrupt_catch();
	if (options->scripts.count || options->commands.count)
		code = run_batch(debug, options);
	else
		code = run_lines(debug);
	debug_flush(debug);
	if (interrupt_ended_by()) {
		code = EXIT_SIGNAL + interrupt_ended_by();
	} else if (debug->lost == EPIPE) {
		code = EXIT_SIGNAL + 13; /* the reader has seen enough */
	} else if (debug->lost) {
		say_error("cannot write the output: %s", strerror(debug->lost));
		code = EXIT_HUSK;
	}
	debug_session_destroy(debug->session);
	return code;
}

static bool takes_all(Command *command, const char *operand)
{
	DebugOptions *options = command->options;

	if (command->operand_count == 1)
		options->takes_all = linux_options_is_program(&options->system, operand);
	return options->takes_all;
}

static int debug_run(Command *command)
{
	const DebugOptions *options = command->options;
	LinuxConfig config = {.real_time = linux_options_time(true)};
	LoadOptions how = options->load;
	Debug debug = {0};
	int code;

	load_init(&debug.loaded);
	buf_init(&debug.out);
	if (options->takes_all)
		code = linux_options_load(&options->system, command, &how, &debug.loaded, &config);
	else
		code = linux_options_load_files(&options->system, command->operands, command->operand_count, command->rest,
						command->rest_count, &how, &debug.loaded, &config);
	if (code || debug.loaded.diags.count)
		load_complain(&debug.loaded);
	if (!code)
		code = debug_machine_of(&debug, options);
	debug_symbols_fini(&debug.symbols);
	free(debug.seen);
	buf_fini(&debug.out);
	load_fini(&debug.loaded);
	return code;
}

const Verb verb_debug = {
	.name = "debug",
	.run = debug_run,
	.help = "run a program step by step, forward and back",
	.operands = "FILE...",
	.min_operands = 1,
	.max_operands = 1000,
	.takes_all = takes_all,
	.takes_rest = true,
	.options = debug_options,
	.options_size = sizeof(DebugOptions),
	.text = "stdin is the debugger's. The program's input comes from --input, or from the debugger's own commands\n"
		"`input TEXT` and `eof`. `help` in the debugger lists its commands.\n",
};
