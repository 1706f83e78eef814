/* SPDX-License-Identifier: MIT
 *
 * husk asm: assembly texts, and texts in a machine's own language, into object files, listings and symbol tables. Each
 * FILE is a program of its own.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "cmd/file.h"
#include "cmd/load.h"
#include "cmd/say.h"
#include "cmd/verbs.h"

typedef struct AsmVerbOptions {
	LoadOptions load;
	const char *output, *format, *listing, *symbols, *assembly;
	bool no_symbols, quiet;
} AsmVerbOptions;

static const Opt asm_options[] = {
	LOAD_ROWS_ISA(AsmVerbOptions, load),
	LOAD_ROWS_ASM(AsmVerbOptions, load),
	{"output", 'o', OPT_TEXT, offsetof(AsmVerbOptions, output), "FILE", "where the object goes (-: stdout)"},
	{"format", 'f', OPT_TEXT, offsetof(AsmVerbOptions, format), "NAME",
	 "object format: one of the machine's, or raw (the cells alone)"},
	{"listing", 'l', OPT_TEXT, offsetof(AsmVerbOptions, listing), "FILE",
	 "addresses, cells and source lines side by side (-: stdout)"},
	{"assembly", 'S', OPT_TEXT, offsetof(AsmVerbOptions, assembly), "FILE",
	 "what the compiler of a language makes: assembly text (-: stdout)"},
	{"symbols", 0, OPT_TEXT, offsetof(AsmVerbOptions, symbols), "FILE", "where the symbol table goes"},
	{"no-symbols", 0, OPT_FLAG, offsetof(AsmVerbOptions, no_symbols), NULL, "write no symbol table"},
	{"quiet", 'q', OPT_FLAG, offsetof(AsmVerbOptions, quiet), NULL, "no summary"},
	{0},
};

enum { RAW_LIMIT = 1 << 24 }; /* cells */

/* From the lowest to the highest address in the space of images, gaps as zeros. */
static Status write_raw(const AsmProgram *program, Buf *out, DiagList *diags)
{
	const Isa *isa = program->isa;
	u16 space = isa->image ? isa->image->space : isa->code_space;
	unsigned bytes = (isa->spaces[space].cell_bits + 7u) / 8;
	bool little = isa->image && isa->image->little;
	u64 low = ~(u64)0, high = 0;

	for (u32 s = 0; s < program->segment_count; s++) {
		const AsmSegment *segment = &program->segments[s];

		if (segment->space != space || !segment->count)
			continue;
		if (segment->origin < low)
			low = segment->origin;
		if (segment->origin + segment->count > high)
			high = segment->origin + segment->count;
	}
	if (high <= low)
		return STATUS_OK;
	if (high - low > RAW_LIMIT) {
		diag_report_file(diags, DIAG_ERROR, program->sources[0].name, NULL,
				 "too much room between the segments for a raw file");
		return STATUS_TOO_BIG;
	}
	if (isa->image && low != isa->image->address)
		diag_report_file(diags, DIAG_WARNING, program->sources[0].name, NULL,
				 "the program begins at 0x%llX, but a raw file is loaded at 0x%llX", (unsigned long long)low,
				 (unsigned long long)isa->image->address);
	if (program->row_count)
		diag_report_file(diags, DIAG_WARNING, program->sources[0].name, NULL,
				 "a raw file holds cells alone: the rows of table %s are lost", isa->tables[program->rows[0].table].name);
	buf_fill(out, 0, (size_t)(high - low) * bytes);
	if (out->failed)
		return STATUS_NOMEM;
	for (u32 s = 0; s < program->segment_count; s++) {
		const AsmSegment *segment = &program->segments[s];

		for (u32 i = 0; segment->space == space && i < segment->count; i++) {
			u8 *at = out->data + (segment->origin - low + i) * bytes;

			for (unsigned b = 0; b < bytes; b++)
				at[little ? b : bytes - 1 - b] = (u8)(segment->cells[i] >> 8 * b);
		}
	}
	return STATUS_OK;
}

static const GuestFormat raw_format = {"raw", ".bin", write_raw};

static const GuestFormat *find_format(const Loaded *loaded, const char *name)
{
	const GuestFormat *formats = loaded->guest ? loaded->guest->formats : NULL;
	Buf names;

	if (!name)
		return formats && formats->name ? formats : &raw_format;
	for (const GuestFormat *format = formats; format && format->name; format++)
		if (strcmp(format->name, name) == 0)
			return format;
	if (strcmp(name, raw_format.name) == 0)
		return &raw_format;
	say_error("%s has no object format '%s'", loaded->isa->name, name);
	buf_init(&names);
	for (const GuestFormat *format = formats; format && format->name; format++)
		buf_printf(&names, "%s ", format->name);
	say_hint("it has: %sraw", buf_text(&names));
	buf_fini(&names);
	return NULL;
}

/* "12 instructions, 4 data items, 20 cells at x3000..x3013, 5 symbols" */
static void summarize(const Loaded *loaded, const AsmProgram *program, Buf *out)
{
	u64 cells = 0;
	u32 code = 0, shown = 0;

	for (u32 i = 0; i < program->line_count; i++)
		code += program->lines[i].is_code;
	for (u32 s = 0; s < program->segment_count; s++)
		cells += program->segments[s].count;
	buf_printf(out, "%u instruction%s, %u symbol%s, %llu cell%s", code, code == 1 ? "" : "s", program->symbol_count,
		   program->symbol_count == 1 ? "" : "s", (unsigned long long)cells, cells == 1 ? "" : "s");
	for (u32 s = 0; s < program->segment_count && shown < 3; s++) {
		const AsmSegment *segment = &program->segments[s];
		unsigned bits = loaded->isa->spaces[segment->space].addr_bits;

		if (!segment->count)
			continue;
		buf_str(out, shown++ ? ", " : " at ");
		load_hex(loaded->isa, loaded->dialect, segment->origin, bits, out);
		buf_str(out, "..");
		load_hex(loaded->isa, loaded->dialect, segment->origin + segment->count - 1, bits, out);
	}
}

/* The object file of an assembled program, or what the compiler made. */
static Status make_object(Loaded *loaded, const LoadedFile *file, const GuestFormat *format, Buf *object)
{
	if (file->program)
		return format->write(file->program, object, &loaded->diags);
	buf_add(object, file->compiled.data, file->compiled.len);
	return object->failed ? STATUS_NOMEM : STATUS_OK;
}

/* None of the files to be written is one that was read? */
static bool spares_inputs(const Loaded *loaded, const AsmVerbOptions *options, const char *object_path)
{
	return !load_is_input(loaded, object_path, "its object") &&
	       !load_is_input(loaded, options->listing, "its listing") &&
	       !load_is_input(loaded, options->assembly, "its assembly text") &&
	       !load_is_input(loaded, options->symbols, "its symbols");
}

static int write_texts(const LoadedFile *file, const AsmVerbOptions *options)
{
	int code = 0;

	if (options->assembly)
		code = say_output(&file->compiled, options->assembly);
	if (!code && options->listing) {
		Buf listing;

		buf_init(&listing);
		buf_add(&listing, file->listing.data, file->listing.len);
		if (file->program)
			asm_listing(file->program, &listing);
		code = say_output(&listing, options->listing);
		buf_fini(&listing);
	}
	return code;
}

/* For all who may read it, as linkers do. */
static void make_executable(const char *path)
{
	struct stat info;

	if (!stat(path, &info) && S_ISREG(info.st_mode))
		chmod(path, (info.st_mode & 0777) | (info.st_mode & 0444) >> 2);
}

/* What one program becomes: object, symbols, listing. */
static int write_program(Loaded *loaded, const LoadedFile *file, const GuestFormat *format, const AsmVerbOptions *options)
{
	Buf object, symbols, object_path, symbols_path, summary;
	Status status;
	int code;

	buf_init(&object);
	buf_init(&symbols);
	buf_init(&object_path);
	buf_init(&symbols_path);
	buf_init(&summary);
	if (options->output)
		buf_str(&object_path, options->output);
	else
		file_with_extension(file->name, format->extension, &object_path);
	status = make_object(loaded, file, format, &object);
	code = status ? EXIT_NOT_RUNNABLE : 0;
	if (status && !loaded->diags.errors)
		say_error("%s: %s", file->name, status_text(status));
	if (!code && !spares_inputs(loaded, options, buf_text(&object_path)))
		code = EXIT_HUSK;
	if (!code)
		code = say_output(&object, buf_text(&object_path));
	if (!code && loaded->guest && loaded->guest->is_linux && format == loaded->guest->formats &&
	    strcmp(buf_text(&object_path), "-") != 0)
		make_executable(buf_text(&object_path));
	if (file->program)
		summarize(loaded, file->program, &summary);
	else
		buf_printf(&summary, "%zu bytes", object.len);
	buf_printf(&summary, " -> %s", buf_text(&object_path));
	if (!code && file->program && !options->no_symbols && loaded->guest && loaded->guest->write_symbols &&
	    (options->symbols || strcmp(buf_text(&object_path), "-") != 0)) {
		if (options->symbols)
			buf_str(&symbols_path, options->symbols);
		else
			file_with_extension(buf_text(&object_path), ".sym", &symbols_path);
		loaded->guest->write_symbols(file->program, &symbols);
		code = say_output(&symbols, buf_text(&symbols_path));
		buf_printf(&summary, ", %s", buf_text(&symbols_path));
	}
	if (!code)
		code = write_texts(file, options);
	if (!code && !options->quiet)
		say_note("%s: %s", file->name, buf_text(&summary));
	buf_fini(&object);
	buf_fini(&symbols);
	buf_fini(&object_path);
	buf_fini(&symbols_path);
	buf_fini(&summary);
	return code;
}

/* A compiler makes either assembly text or object files of one kind, the machine's first. */
static bool options_fit(const Loaded *loaded, const GuestFormat *format, const AsmVerbOptions *options)
{
	for (u32 i = 0; i < loaded->file_count; i++) {
		const LoadedFile *file = &loaded->files[i];

		if (options->assembly && !(file->language && file->language->to_assembly)) {
			say_error("%s is not in a language that is compiled to assembly text", file->name);
			return false;
		}
		if (!options->format || !file->language || file->language->to_assembly || format == loaded->guest->formats)
			continue;
		say_error("%s: %s is compiled to the machine's own object files, not to %s", file->name,
			  file->language->name, format->name);
		return false;
	}
	return true;
}

static int assemble(Loaded *loaded, const Command *command)
{
	const AsmVerbOptions *options = command->options;
	const GuestFormat *format;
	int code = load_files(loaded, command->operands, command->operand_count);

	for (u32 i = 0; !code && i < loaded->file_count; i++)
		loaded->files[i].is_asm = !file_has_extension(loaded->files[i].name, ".isa");
	if (!code)
		code = load_isa(loaded, &options->load);
	if (code)
		return code;
	format = find_format(loaded, options->format);
	if (!format || !options_fit(loaded, format, options))
		return EXIT_HUSK;
	if (format == &raw_format && loaded->guest && loaded->guest->load && loaded->guest->formats) {
		say_note("note: raw cells say neither what they are nor where they go: 'husk run' will not know them again");
		say_hint("for a file that runs: -f %s", loaded->guest->formats[0].name);
	}
	if (loaded->file_count > 1 && (options->output || options->symbols || options->listing || options->assembly)) {
		say_error("-o, --symbols, --listing and --assembly name one file, but there are %u programs",
			  loaded->file_count);
		return EXIT_HUSK;
	}
	code = load_assemble(loaded, &options->load);
	for (u32 i = 0; i < loaded->file_count; i++) {
		const LoadedFile *file = &loaded->files[i];
		bool made = file->program || (file->language && !file->language->to_assembly && file->compiled.len);
		int written = made ? write_program(loaded, file, format, options) : 0;

		code = code ? code : written;
	}
	return code;
}

static int asm_run(Command *command)
{
	Loaded loaded;
	int code;

	load_init(&loaded);
	code = assemble(&loaded, command);
	load_complain(&loaded);
	load_fini(&loaded);
	return code;
}

const Verb verb_asm = {
	.name = "asm",
	.run = asm_run,
	.help = "assemble or compile texts into object files",
	.operands = "FILE...",
	.min_operands = 1,
	.max_operands = 1000,
	.options = asm_options,
	.options_size = sizeof(AsmVerbOptions),
	.text = "prog.asm becomes prog.obj (or what the machine's format is called) and prog.sym beside it. Every FILE is\n"
		"a program of its own. A text in a language of the machine's own (known by its extension: see\n"
		"husk isa list) is compiled first. exit codes: 0 assembled, 126 the text has errors, 127 not found.\n"
		"\n"
		"examples:\n"
		"  husk asm prog.asm                       husk asm -o out.obj -f classic --dialect classic prog.asm\n"
		"  husk asm --listing - -o /dev/null prog.asm\n",
};
