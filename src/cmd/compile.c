/* SPDX-License-Identifier: MIT
 *
 * husk compile: what a compiler makes of a text in a machine's own language (guest->languages), shown instruction by
 * instruction beside the bytes, and what it computes.
 *
 *     -e TEXT       shows both and runs it
 *     FILE          shows the assembly and the bytes; --run runs it
 *     --emit, -o    one of the things it was turned into, into a file
 *
 * A run here has no console input and an end: RUN_FUEL instructions. `husk run FILE` is the real thing.
 */
#include <string.h>
#include <unistd.h>

#include "cmd/file.h"
#include "cmd/load.h"
#include "cmd/outcome.h"
#include "cmd/say.h"
#include "cmd/verbs.h"
#include "guests/guests.h"

enum { RUN_FUEL = 1000000000 };

typedef struct CompileOptions {
	LoadOptions load;
	const char *expression, *language, *emit, *output;
	bool run, quiet;
} CompileOptions;

static const Opt compile_options[] = {
	{"expression", 'e', OPT_TEXT, offsetof(CompileOptions, expression), "TEXT", "compile this text and run it"},
	{"language", 'l', OPT_TEXT, offsetof(CompileOptions, language), "NAME",
	 "its language; without it, what the file's extension says, or palladium for -e"},
	{"run", 'r', OPT_FLAG, offsetof(CompileOptions, run), NULL, "run it as well, and print what it computed"},
	{"emit", 0, OPT_CHOICE, offsetof(CompileOptions, emit), "asm|object|listing", "print only that"},
	{"output", 'o', OPT_TEXT, offsetof(CompileOptions, output), "FILE",
	 "write into FILE: the object file, or what --emit says"},
	{"quiet", 'q', OPT_FLAG, offsetof(CompileOptions, quiet), NULL, "with --run: the result alone"},
	LOAD_ROWS_ISA(CompileOptions, load),
	LOAD_ROW_MEMORY(CompileOptions, load),
	{0},
};

/* ---- Which language ---- */

/* A language by name, of the machine that was asked for or of any; NULL: complained. */
static const GuestLanguage *find_language(const CompileOptions *options)
{
	const char *name = options->language ? options->language : "palladium";
	const Guest *only = options->load.isa ? guests_find(options->load.isa) : NULL;
	Buf names;

	buf_init(&names);
	for (const Guest *const *guest = guests_all; *guest; guest++) {
		const GuestLanguage *language = (*guest)->languages;

		for (; language && language->name && (!only || *guest == only); language++) {
			if (strcmp(language->name, name) == 0) {
				buf_fini(&names);
				return language;
			}
			buf_printf(&names, " %s", language->name);
		}
	}
	say_error("there is no language '%s'", name);
	say_hint("there are:%s", buf_text(&names));
	buf_fini(&names);
	return NULL;
}

/* Reads the text; with a language said, under a name that has its extension. */
static int read_text(Loaded *loaded, const Command *command)
{
	const CompileOptions *options = command->options;
	const GuestLanguage *language = NULL;
	const char *name = command->operand_count ? command->operands[0] : "expression";
	Buf text;
	int code;

	if (options->expression || options->language) {
		language = find_language(options);
		if (!language)
			return EXIT_HUSK;
		if (!file_has_extension(name, language->extension))
			name = arena_printf(&loaded->arena, "%s%s", name, language->extension);
	}
	if (options->expression)
		return load_text(loaded, name, options->expression, strlen(options->expression));
	if (!language)
		return load_files(loaded, command->operands, 1);
	buf_init(&text);
	code = file_read(command->operands[0], FILE_LIMIT, &text, &loaded->error);
	if (!code)
		code = load_text(loaded, name, text.data, text.len);
	buf_fini(&text);
	return code;
}

/* ---- What it became ---- */

static int make_object(Loaded *loaded, const LoadedFile *file, Buf *out)
{
	const GuestFormat *format = loaded->guest->formats;
	Status status;

	if (!file->program) {
		buf_add(out, file->compiled.data, file->compiled.len);
		return 0;
	}
	status = format ? format->write(file->program, out, &loaded->diags) : STATUS_NOT_FOUND;
	if (status && !loaded->diags.errors)
		buf_printf(&loaded->error, "%s: %s", file->name, status_text(status));
	return status ? EXIT_NOT_RUNNABLE : 0;
}

static int emit(Loaded *loaded, const CompileOptions *options)
{
	const LoadedFile *file = &loaded->files[0];
	const char *what = options->emit ? options->emit : options->output ? "object" : "listing";
	Buf out;
	int code = 0;

	buf_init(&out);
	if (strcmp(what, "asm") == 0 && !file->program) {
		buf_printf(&loaded->error, "%s is compiled to object files, not to assembly text", file->language->name);
		code = EXIT_HUSK;
	} else if (strcmp(what, "asm") == 0) {
		buf_add(&out, file->compiled.data, file->compiled.len);
	} else if (strcmp(what, "object") == 0) {
		code = make_object(loaded, file, &out);
		if (!code && (!options->output || strcmp(options->output, "-") == 0) && isatty(STDOUT_FILENO)) {
			buf_str(&loaded->error, "an object file is nothing for a terminal");
			buf_str(&loaded->hint, "name a file with -o");
			code = EXIT_HUSK;
		}
	} else {
		buf_add(&out, file->listing.data, file->listing.len);
		if (file->program)
			asm_listing(file->program, &out);
	}
	if (!code)
		code = say_output(&out, options->output);
	buf_fini(&out);
	return code;
}

/* ---- What it computes ---- */

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
}

static int run_program(Loaded *loaded, const CompileOptions *options)
{
	const LoadedFile *file = &loaded->files[0];
	Outcome outcome;
	MachineStop stop;
	Buf out;
	int code = load_machine(loaded, &options->load);

	if (code)
		return code;
	buf_init(&out);
	outcome_init(&outcome);
	machine_set_output(loaded->machine, on_output, &out);
	machine_input_end(loaded->machine);
	stop = machine_run(loaded->machine, RUN_FUEL);
	if (stop.kind == STOP_BUDGET || stop.kind == STOP_SLEEP || stop.kind == STOP_FRAME)
		outcome_set(&outcome, "fuel", EXIT_LIMIT, "it does not end soon: husk run %s", file->name);
	else
		outcome_of_stop(&outcome, loaded, &stop);
	if (stop.kind == STOP_HALT && outcome.code == 0 && file->language->result) {
		if (!options->quiet)
			buf_str(&out, "= ");
		file->language->result(loaded->machine, &file->compiled, &out);
		buf_byte(&out, '\n');
	}
	code = say_output(&out, NULL);
	if (outcome.code)
		say_error("%s", buf_text(&outcome.reason));
	code = outcome.code ? outcome.code : code;
	outcome_fini(&outcome);
	buf_fini(&out);
	return code;
}

static int compile(Loaded *loaded, const Command *command)
{
	const CompileOptions *options = command->options;
	const bool is_for_people = !options->emit && !options->output;
	int code = read_text(loaded, command);

	if (!code)
		code = load_isa(loaded, &options->load);
	if (!code && !loaded->files[0].language) {
		buf_printf(&loaded->error, "%s is in no language that is compiled", loaded->files[0].name);
		buf_str(&loaded->hint, "--language NAME says which; husk asm assembles");
		return EXIT_NOT_RUNNABLE;
	}
	if (!code && load_is_input(loaded, options->output, "the output"))
		return EXIT_HUSK;
	if (!code)
		code = load_assemble(loaded, &options->load);
	if (!code && !options->quiet)
		code = emit(loaded, options);
	if (!code && (options->run || (options->expression && is_for_people)))
		code = run_program(loaded, options);
	return code;
}

static int compile_run(Command *command)
{
	const CompileOptions *options = command->options;
	Loaded loaded;
	int code;

	if (!options->expression != (command->operand_count == 1)) {
		say_error("husk compile takes a FILE or -e TEXT");
		say_hint("husk compile --help tells more");
		return EXIT_HUSK;
	}
	load_init(&loaded);
	code = compile(&loaded, command);
	load_complain(&loaded);
	load_fini(&loaded);
	return code;
}

const Verb verb_compile = {
	.name = "compile",
	.run = compile_run,
	.help = "compile a text in a machine's own language, and show what became of it",
	.operands = "FILE | -e TEXT",
	.max_operands = 1,
	.options = compile_options,
	.options_size = sizeof(CompileOptions),
	.text = "Prints the assembly text with the bytes beside it; -e runs it, too. husk isa list shows the languages'\n"
		"extensions; husk run and husk asm compile such files by themselves.\n"
		"exit codes: 0 compiled (and ran to its end), the program's own, 126 the text has errors, 127 not found.\n"
		"\n"
		"examples:\n"
		"  husk compile -e '(2+3)*4'               husk compile --run sum.pd\n"
		"  husk compile -o sum.epie sum.pd         husk compile --emit asm -e '1+2'\n",
};
