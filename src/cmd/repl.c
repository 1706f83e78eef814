/* SPDX-License-Identifier: MIT
 *
 * husk repl: the verb, the machine at its beginning, and the loop over lines. What a line does is in repl_line.c, the
 * commands are in repl_commands.c.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "cmd/interrupt.h"
#include "cmd/repl.h"
#include "cmd/say.h"
#include "cmd/verbs.h"
#include "guests/guests.h"

enum { HISTORY_LIMIT = 10000, HISTORY_BYTES = 4 << 20, FUEL = 10000000 };

typedef struct ReplOptions {
	LoadOptions load;
	u64 fuel;
	bool prompt;
} ReplOptions;

static const Opt repl_options[] = {
	LOAD_ROWS_ISA(ReplOptions, load),
	LOAD_ROWS_ASM(ReplOptions, load),
	LOAD_ROW_MEMORY(ReplOptions, load),
	{"fuel", 'n', OPT_NUMBER, offsetof(ReplOptions, fuel), "N", "a line may execute N instructions (default 10M)"},
	{"prompt", 0, OPT_FLAG, offsetof(ReplOptions, prompt), NULL, "banner and prompts also when stdin is no terminal"},
	{0},
};

/* ---- Output ---- */

void repl_write(Repl *repl, const void *bytes, size_t len)
{
	if (repl->lost || !len || say_write(STDOUT_FILENO, bytes, len))
		return;
	repl->lost = errno;
	repl->quit = true;
	*interrupt_flag() = 1;
}

void repl_flush(Repl *repl)
{
	if (!repl->out.len)
		return;
	if (repl->mid_line)
		repl_write(repl, "\n", 1);
	repl->mid_line = false;
	repl_write(repl, repl->out.data, repl->out.len);
	buf_clear(&repl->out);
}

void repl_message(Repl *repl, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(&repl->out, format, args);
	va_end(args);
	buf_byte(&repl->out, '\n');
}

/* The program's output goes out as it comes. */
static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	Repl *repl = ctx;

	if (!len)
		return;
	repl_flush(repl);
	repl_write(repl, bytes, len);
	repl->mid_line = bytes[len - 1] != '\n';
}

const char *repl_ask(Repl *repl, const char *prompt)
{
	bool dropped = false;
	const char *line;

	repl_flush(repl);
	if (repl->mid_line && repl->prompts) {
		repl_write(repl, "\n", 1);
		repl->mid_line = false;
	}
	line = lines_read(repl->lines, prompt, &dropped);
	if (dropped && repl->prompts)
		repl_write(repl, "\n", 1);
	return line;
}

/* ---- The machine at its beginning ---- */

/* Where a program begins that does not say so. */
static u64 origin_of(const Isa *isa, u16 dialect)
{
	if (isa->image && isa->image->space == isa->code_space)
		return isa->image->address;
	if (isa->dialects[dialect].origin)
		return isa->dialects[dialect].origin;
	return isa->regs[isa->pc_reg].reset;
}

/* As the guest would start a program without instructions; by itself when it takes none, and without its operating
 * system: instructions are tried out here. */
static void begin(Repl *repl)
{
	const Guest *guest = repl->loaded.guest;
	AsmSegment segment = {.space = repl->isa->code_space, .origin = repl->origin, .cells = (u64[1]){0},
			      .lines = (u32[1]){0}};
	AsmSource source = {.name = "session", .text = ""};
	AsmProgram program = {.isa = repl->isa, .segments = &segment, .segment_count = 1, .sources = &source,
			      .source_count = 1, .entry = repl->origin, .has_entry = true};
	Status status = STATUS_UNSUPPORTED;
	DiagList diags;
	Buf object;

	diag_init(&diags);
	buf_init(&object);
	if (guest && !guest->is_linux && guest->load && guest->formats && guest->formats->write)
		status = guest->formats->write(&program, &object, &diags);
	if (!status && !object.failed) {
		const GuestFile file = {.name = "session", .data = object.data, .len = object.len};

		status = guest->load(repl->machine, &file, 1, &diags);
	}
	if (status)
		machine_reset(repl->machine, false);
	buf_fini(&object);
	diag_fini(&diags);
	machine_set_pc(repl->machine, repl->origin);
}

static int make_machine(Repl *repl, const char *name)
{
	int code;

	repl->load.isa = name;
	code = load_isa(&repl->loaded, &repl->load);
	if (!code)
		code = load_create(&repl->loaded, &repl->load);
	if (code)
		return code;
	repl->isa = repl->loaded.isa;
	repl->machine = repl->loaded.machine;
	repl->origin = origin_of(repl->isa, repl->loaded.dialect);
	return 0;
}

/* ---- Lines ---- */

static void remember(Repl *repl, const char *line)
{
	const size_t len = strlen(line);
	char *copy = strdup(line);

	while (repl->history_count && (repl->history_count >= HISTORY_LIMIT || repl->history_bytes + len > HISTORY_BYTES)) {
		repl->history_bytes -= strlen(repl->history[0]);
		free(repl->history[0]);
		repl->history_count--;
		memmove(repl->history, repl->history + 1, repl->history_count * sizeof(char *));
	}
	if (!copy || !array_grow((void **)&repl->history, &repl->history_cap, repl->history_count, sizeof(char *))) {
		free(copy);
		return;
	}
	repl->history[repl->history_count++] = copy;
	repl->history_bytes += len;
}

static bool is_blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r\f\v", line[i]) || !line[i])
			return false;
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Groups of as many hex digits as a cell has: "00 01 03 E8". 0 when it is not that. */
static u32 read_cells(const Repl *repl, const char *line, u64 *cells, u32 most)
{
	const unsigned digits = (repl->isa->spaces[repl->isa->code_space].cell_bits + 3u) / 4;
	u32 count = 0;

	for (;;) {
		u64 value = 0;
		unsigned n = 0;

		line += strspn(line, " \t\r");
		if (!*line)
			return count;
		for (; hex_digit(*line) >= 0 && n <= digits; line++, n++)
			value = value << 4 | (u64)hex_digit(*line);
		if (n != digits || (*line && !strchr(" \t\r", *line)) || count == most)
			return 0;
		cells[count++] = value;
	}
}

/* An instruction has at least so many. */
static u32 whole_cells(const Repl *repl)
{
	const u32 cells = repl->isa->min_bits / repl->isa->spaces[repl->isa->code_space].cell_bits;

	return cells ? cells : 1;
}

/* A line that is taken for an expression: `? R0 + 3`, `= R0`, where no instruction begins so. */
static bool is_question(const Repl *repl, const char *line)
{
	const size_t len = strcspn(line, " \t");

	return (*line == '?' || *line == '=') && strmap_get(&repl->isa->mnemonics, line, len, ISA_NONE) == ISA_NONE;
}

static void do_block_line(Repl *repl, const char *line, size_t len)
{
	const char *start = line + strspn(line, " \t");

	if (strncmp(start, "!end", 4) == 0 && is_blank(start + 4, strlen(start + 4))) {
		Buf block = repl->block;

		buf_init(&repl->block);
		repl->in_block = false;
		if (block.failed)
			repl_message(repl, "out of memory");
		else
			repl_text(repl, "block", buf_text(&block), block.len, REPL_PLACE);
		buf_fini(&block);
		return;
	}
	if (repl->block.len + len > 1 << 22) {
		repl_message(repl, "the block is too long");
		return;
	}
	buf_add(&repl->block, line, len);
	buf_byte(&repl->block, '\n');
}

static void do_line(Repl *repl, const char *line, size_t len)
{
	const char *start = line + strspn(line, " \t");
	u64 cells[64];
	u32 count;

	*interrupt_flag() = interrupt_ended_by() != 0;
	if (repl->in_block) {
		do_block_line(repl, line, len);
	} else if (is_blank(line, len)) {
		return;
	} else {
		remember(repl, line);
		if (start[0] == '!' && (start[1] == '\0' || isalpha((unsigned char)start[1]))) {
			repl_command(repl, start);
		} else if (repl->shell->dots && start[0] == '.' && repl_is_command(start)) {
			repl_command(repl, start);
		} else if (is_question(repl, start)) {
			repl_evaluate(repl, start + 1);
		} else {
			count = repl->shell->hex_lines ? read_cells(repl, start, cells, COUNT_OF(cells)) : 0;
			if (count && count % whole_cells(repl) == 0)
				repl_cells(repl, cells, count);
			else if (count && (count > 1 || isdigit((unsigned char)*start)))
				repl_message(repl, "machine code is written in groups of hex digits, a group a cell; an instruction "
						   "has %u cells", whole_cells(repl));
			else
				repl_text(repl, "line", line, len, REPL_DO);
		}
	}
	repl_flush(repl);
}

static void show_banner(Repl *repl)
{
	if (!repl->prompts)
		return;
	if (repl->shell->banner)
		repl_message(repl, "%s", repl->shell->banner);
	else
		repl_message(repl, "%s. Type an instruction to execute it; !help shows what else there is.",
			     repl->isa->title && *repl->isa->title ? repl->isa->title : repl->isa->name);
	repl_flush(repl);
}

static void say_farewell(Repl *repl)
{
	if (!repl->prompts)
		return;
	buf_byte(&repl->out, '\n');
	if (repl->shell->farewell)
		repl_message(repl, "%s", repl->shell->farewell);
	repl_flush(repl);
}

static int converse(Repl *repl)
{
	const LinesConfig config = {.complete = repl_complete, .ctx = repl, .prompts = repl->prompts, .buffered = true,
				    .cuts = true};
	const char *prompt = repl->shell->prompt ? repl->shell->prompt : "> ";

	repl->lines = lines_open(&config);
	if (!repl->lines) {
		say_error("out of memory");
		return EXIT_HUSK;
	}
	interrupt_catch();
	show_banner(repl);
	while (!repl->quit) {
		const char *line = repl_ask(repl, repl->in_block ? "... " : prompt);

		if (interrupt_ended_by())
			break;
		if (line && lines_was_cut(repl->lines)) {
			repl_message(repl, "this line is longer than %zu bytes: it is ignored", lines_length(repl->lines));
			repl_flush(repl);
		} else if (line) {
			Buf copy; /* a question inside the line reads further lines */

			buf_init(&copy);
			buf_add(&copy, line, lines_length(repl->lines));
			if (!copy.failed)
				do_line(repl, buf_text(&copy), copy.len);
			buf_fini(&copy);
		} else if (*interrupt_flag()) {
			*interrupt_flag() = 0;
			repl->in_block = false;
			buf_clear(&repl->block);
		} else {
			say_farewell(repl);
			break;
		}
	}
	if (repl->mid_line)
		repl_write(repl, "\n", 1);
	lines_close(repl->lines);
	if (interrupt_ended_by())
		return EXIT_SIGNAL + interrupt_ended_by();
	if (repl->lost == EPIPE)
		return EXIT_SIGNAL + 13;
	if (repl->lost) {
		say_error("cannot write the output: %s", strerror(repl->lost));
		return EXIT_HUSK;
	}
	return 0;
}

static int repl_run(Command *command)
{
	static const GuestShell no_shell;
	const ReplOptions *options = command->options;
	Repl repl = {.load = options->load, .fuel = options->fuel ? options->fuel : FUEL};
	const char *name = command->operand_count ? command->operands[0] : options->load.isa;
	int code;

	if (command->operand_count && options->load.isa) {
		say_error("the machine is named twice: %s and --isa %s", name, options->load.isa);
		return EXIT_HUSK;
	}
	load_init(&repl.loaded);
	buf_init(&repl.out);
	buf_init(&repl.block);
	code = make_machine(&repl, name ? name : guests_all[0]->name);
	if (code || repl.loaded.diags.count)
		load_complain(&repl.loaded);
	if (!code) {
		repl.shell = repl.loaded.guest && repl.loaded.guest->shell ? repl.loaded.guest->shell : &no_shell;
		repl.color = say_color(STDOUT_FILENO);
		repl.prompts = options->prompt || isatty(STDIN_FILENO);
		begin(&repl);
		machine_set_output(repl.machine, on_output, &repl);
		if (repl_program_init(&repl)) {
			repl_note_state(&repl);
			code = converse(&repl);
		} else {
			say_error("out of memory");
			code = EXIT_HUSK;
		}
		repl_program_fini(&repl);
	}
	buf_fini(&repl.out);
	load_fini(&repl.loaded);
	return code;
}

const Verb verb_repl = {
	.name = "repl",
	.run = repl_run,
	.help = "type instructions and see at once what they do",
	.operands = "[MACHINE]",
	.max_operands = 1,
	.options = repl_options,
	.options_size = sizeof(ReplOptions),
	.text = "Each line is assembled at the end of the program, executed, and what it changed is shown. Labels stay known,\n"
		"so a jump back runs what was typed before. `? R0 + 3` evaluates; lines that begin with ! are commands: !help\n"
		"lists them. Without MACHINE: the LC-3. When stdin is no terminal, there are no prompts.\n"
		"\n"
		"examples:\n"
		"  husk repl lc3                           husk repl my.isa\n"
		"  printf 'ADD R0, R0, #5\\n!registers\\n' | husk repl lc3\n",
};
