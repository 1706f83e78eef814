/* SPDX-License-Identifier: MIT
 *
 * husk isa: the descriptions themselves. Which there are, whether one is right, what it says, and a new one.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "cmd/file.h"
#include "cmd/load.h"
#include "cmd/say.h"
#include "cmd/terminal.h"
#include "cmd/verbs.h"
#include "guests/guests.h"
#include "isa/isa_frozen.h"

typedef struct IsaVerbOptions {
	LoadOptions load; /* profile and sets only */
	const char *output, *format;
	u64 count, seed;
	bool html, force;
} IsaVerbOptions;

#define ROWS_CHOICES                                                                                             \
	{"profile", 'p', OPT_TEXT, offsetof(IsaVerbOptions, load.profile), "NAME", "the same as --set profile=NAME"}, \
	{"set", 's', OPT_LIST, offsetof(IsaVerbOptions, load.sets), "OPTION=CHOICE", "choose one of the machine's options"}
#define ROW_FORMAT                                                                                               \
	{"format", 0, OPT_CHOICE, offsetof(IsaVerbOptions, format), "text|json", "json: the same as one JSON value"}
#define ROW_OUTPUT                                                                                               \
	{"output", 'o', OPT_TEXT, offsetof(IsaVerbOptions, output), "FILE", "write there instead of to stdout"}

static bool as_json(const IsaVerbOptions *options)
{
	return options->format && strcmp(options->format, "json") == 0;
}

static int finish(Loaded *loaded, int code, Buf *out, const char *path)
{
	load_complain(loaded);
	if (!code)
		code = say_output(out, path);
	buf_fini(out);
	load_fini(loaded);
	return code;
}

static int load_named(Loaded *loaded, const char *name, const IsaVerbOptions *options)
{
	LoadOptions load = options->load;

	load.isa = name;
	return load_isa(loaded, &load);
}

static void json_text(Buf *out, const char *name, const char *text)
{
	buf_printf(out, "\"%s\":", name);
	buf_json_string(out, text, strlen(text));
}

/* ---- list ---- */

typedef struct List {
	Buf out;
	bool json;
	u32 count;
	Arena arena;
	const char *names[128]; /* of descriptions listed so far, by which --isa finds them */
} List;

static bool listed(List *list, const char *name)
{
	for (u32 i = 0; i < list->count; i++)
		if (strcmp(list->names[i], name) == 0)
			return true;
	return false;
}

/* The extensions by which files are known to be a machine's own texts: "  .iasm .pd". */
static void list_extensions(List *list, const Guest *guest)
{
	const char *const *extension = guest ? guest->asm_extensions : NULL;
	const GuestLanguage *language = guest ? guest->languages : NULL;
	const char *between = list->json ? ",\"extensions\":[\"" : "   ", *next = list->json ? "\",\"" : " ";

	for (; extension && *extension; extension++, between = next)
		buf_printf(&list->out, "%s%s", between, *extension);
	for (; language && language->name; language++, between = next)
		buf_printf(&list->out, "%s%s", between, language->extension);
	if (list->json && between == next)
		buf_str(&list->out, "\"]");
}

static bool list_row(List *list, const char *name, const char *where, const char *shown, const Buf *text,
		     const Guest *guest)
{
	DiagList diags;
	Isa *isa;

	if (listed(list, name) || list->count == COUNT_OF(list->names))
		return true;
	diag_init(&diags);
	isa = isa_thaw_or_load(guest ? guest->isa_frozen : NULL, shown, buf_text(text), text->len, NULL, 0, &diags);
	if (list->json) {
		buf_str(&list->out, list->count ? ",{" : "{");
		json_text(&list->out, "name", name);
		buf_byte(&list->out, ',');
		json_text(&list->out, "where", where);
		if (isa) {
			buf_byte(&list->out, ',');
			json_text(&list->out, "isa", isa->name);
			buf_byte(&list->out, ',');
			json_text(&list->out, "title", isa->title ? isa->title : "");
			buf_printf(&list->out, ",\"cell_bits\":%u,\"min_bits\":%u,\"max_bits\":%u,\"encodings\":%u",
				   isa->spaces[isa->code_space].cell_bits, isa->min_bits, isa->max_bits, isa->insn_count);
			list_extensions(list, guest);
		}
		buf_printf(&list->out, ",\"good\":%s}", isa ? "true" : "false");
	} else if (isa) {
		char bits[32];

		if (isa->min_bits == isa->max_bits)
			snprintf(bits, sizeof bits, "%u", isa->max_bits);
		else
			snprintf(bits, sizeof bits, "%u-%u", isa->min_bits, isa->max_bits);
		buf_printf(&list->out, "%-12s %-10s %4u insns of %5s bits   %s", name, where, isa->insn_count, bits,
			   isa->title ? isa->title : "");
		list_extensions(list, guest);
		buf_byte(&list->out, '\n');
	} else {
		buf_printf(&list->out, "%-12s %-10s has errors: husk isa check %s\n", name, where, shown);
	}
	list->names[list->count] = arena_strdup(&list->arena, name);
	if (list->names[list->count])
		list->count++;
	if (isa)
		isa_destroy(isa);
	diag_fini(&diags);
	return true;
}

static bool list_file(void *ctx, const char *path)
{
	List *list = ctx;
	Buf text, error, name;

	buf_init(&text);
	buf_init(&error);
	buf_init(&name);
	file_with_extension(file_base(path), "", &name);
	if (file_read(path, 4 << 20, &text, &error) == 0)
		list_row(list, buf_text(&name), strstr(path, "/examples/") ? "example" : "installed", path, &text, NULL);
	buf_fini(&text);
	buf_fini(&error);
	buf_fini(&name);
	return true;
}

static int list_run(Command *command)
{
	List list = {.json = as_json(command->options)};
	int code;

	buf_init(&list.out);
	arena_init(&list.arena);
	if (list.json)
		buf_byte(&list.out, '[');
	for (const Guest *const *guest = guests_all; *guest; guest++) {
		Buf text;

		if (!(*guest)->isa_text)
			continue;
		buf_init(&text);
		buf_str(&text, (*guest)->isa_text);
		list_row(&list, (*guest)->name, "built in", (*guest)->name, &text, *guest);
		buf_fini(&text);
	}
	load_each_isa_file(list_file, &list);
	if (list.json)
		buf_str(&list.out, "]\n");
	code = say_output(&list.out, NULL);
	buf_fini(&list.out);
	arena_fini(&list.arena);
	return code;
}

static const Opt list_options[] = {ROW_FORMAT, {0}};

static const Verb verb_list = {
	.name = "list",
	.run = list_run,
	.help = "the machines there are: built in, installed, examples",
	.operands = "",
	.options = list_options,
	.options_size = sizeof(IsaVerbOptions),
	.text = "Behind the title stand the extensions by which files are known to be the machine's own: assembly texts, and\n"
		"texts in a language that is compiled. Descriptions are looked for in the directories of $HUSK_ISA_PATH (divided by ':'), then where husk is\n"
		"installed (share/husk/isa) or, in its source tree, in examples/isa and examples/museum.\n",
};

/* ---- check ---- */

/* Seconds that loading takes: the shortest of some tens of times. */
static double measure_load(const char *name, const IsaVerbOptions *options)
{
	double best = 1e9, start = terminal_now();

	for (unsigned i = 0; i < 200 && terminal_now() - start < 0.05; i++) {
		Loaded again;
		double before, took;
		bool good;

		load_init(&again);
		before = terminal_now();
		good = load_named(&again, name, options) == 0;
		took = terminal_now() - before;
		load_fini(&again);
		if (good && took < best)
			best = took;
	}
	return best;
}

static u32 count_aliases(const Isa *isa)
{
	u32 count = 0;

	for (u32 i = 0; i < isa->form_count; i++)
		count += isa->forms[i].is_alias;
	return count;
}

static void check_json(const Loaded *loaded, bool good, double seconds, Buf *out)
{
	const Isa *isa = loaded->isa;

	buf_printf(out, "{\"good\":%s,\"errors\":%u,\"warnings\":%u", good ? "true" : "false", loaded->diags.errors,
		   loaded->diags.warnings);
	if (isa) {
		buf_byte(out, ',');
		json_text(out, "name", isa->name);
		buf_byte(out, ',');
		json_text(out, "title", isa->title ? isa->title : "");
		buf_printf(out, ",\"encodings\":%u,\"forms\":%u,\"aliases\":%u,\"pseudos\":%u,\"min_bits\":%u,\"max_bits\":%u",
			   isa->insn_count, isa->form_count, count_aliases(isa), isa->pseudo_count, isa->min_bits,
			   isa->max_bits);
		buf_printf(out, ",\"hash\":\"%016llx\",\"load_microseconds\":%.1f,\"options\":{",
			   (unsigned long long)isa->hash, seconds * 1e6);
		for (u32 i = 0; i < isa->option_count; i++) {
			buf_str(out, i ? "," : "");
			json_text(out, isa->options[i].name, isa->options[i].choices[isa->options[i].chosen]);
		}
		buf_str(out, "},\"dialects\":[");
		for (u32 i = 0; i < isa->dialect_count; i++) {
			buf_str(out, i ? "," : "");
			buf_json_string(out, isa->dialects[i].name, strlen(isa->dialects[i].name));
		}
		buf_byte(out, ']');
	}
	buf_str(out, ",\"diagnostics\":");
	diag_render_json(&loaded->diags, out);
	if (loaded->error.len) {
		buf_byte(out, ',');
		json_text(out, "error", buf_text(&loaded->error));
	}
	buf_str(out, "}\n");
}

static void check_text(const Loaded *loaded, double seconds, Buf *out)
{
	const Isa *isa = loaded->isa;
	const IsaSpace *code = &isa->spaces[isa->code_space];

	buf_printf(out, "%s: %s%s%s\n", isa->source_name, isa->name, isa->title && *isa->title ? ", " : "",
		   isa->title ? isa->title : "");
	for (u32 i = 0; i < isa->option_count; i++) {
		const IsaOption *option = &isa->options[i];

		buf_printf(out, "  option    %s =", option->name);
		for (u32 c = 0; c < option->choice_count; c++)
			buf_printf(out, "%s %s%s%s", c ? " |" : "", c == option->chosen ? "[" : "", option->choices[c],
				   c == option->chosen ? "]" : "");
		buf_byte(out, '\n');
	}
	for (u32 i = 0; i < isa->space_count; i++) {
		buf_printf(out, "  space     %s: cells of %u bits", isa->spaces[i].name, isa->spaces[i].cell_bits);
		if (isa->spaces[i].cells)
			buf_printf(out, ", %llu of them", (unsigned long long)isa->spaces[i].cells);
		buf_printf(out, "%s%s%s\n", i == isa->code_space ? ", instructions" : "",
			   isa->spaces[i].is_private ? ", every vCPU its own" : "",
			   isa->spaces[i].is_paged ? ", in pages of 4096" : "");
	}
	buf_printf(out, "  registers %u in %u state slots, %u views\n", isa->reg_count, isa->slot_count, isa->view_count);
	buf_printf(out, "  encodings %u of ", isa->insn_count);
	if (isa->min_bits != isa->max_bits)
		buf_printf(out, "%u to ", isa->min_bits);
	buf_printf(out, "%u bits, in cells of %u; no word has two meanings\n", isa->max_bits, code->cell_bits);
	buf_printf(out, "  spellings %u, of which %u aliases; %u pseudo-instructions\n", isa->form_count,
		   count_aliases(isa), isa->pseudo_count);
	buf_str(out, "  dialects ");
	for (u32 i = 0; i < isa->dialect_count; i++)
		buf_printf(out, " %s", isa->dialects[i].name[0] ? isa->dialects[i].name : "(without a name)");
	buf_printf(out, "\n  handlers  %u, host functions %u%s\n", isa->handler_count, isa->host_count,
		   isa->display ? ", a display" : "");
	buf_printf(out, "  loads in  %.0f microseconds (best), %zu bytes of text\n", seconds * 1e6, isa->text_len);
	buf_printf(out, "  warnings  %u\n", loaded->diags.warnings);
}

static int check_run(Command *command)
{
	const IsaVerbOptions *options = command->options;
	Loaded loaded;
	double seconds = 0;
	Buf out;
	int code;

	load_init(&loaded);
	buf_init(&out);
	code = load_named(&loaded, command->operands[0], options);
	for (u32 i = 0; !code && i < loaded.isa->pseudo_count; i++)
		asm_check_pseudo(loaded.isa, &loaded.isa->pseudos[i], &loaded.diags);
	if (!code)
		seconds = measure_load(command->operands[0], options);
	if (as_json(options)) {
		int written;

		check_json(&loaded, code == 0, seconds, &out);
		written = say_output(&out, NULL);
		buf_fini(&out);
		load_fini(&loaded);
		return code ? code : written;
	}
	if (!code)
		check_text(&loaded, seconds, &out);
	return finish(&loaded, code, &out, NULL);
}

static const Opt check_options[] = {ROWS_CHOICES, ROW_FORMAT, {0}};

static const Verb verb_check = {
	.name = "check",
	.run = check_run,
	.help = "load a description, show every message and a summary",
	.operands = "MACHINE",
	.min_operands = 1,
	.max_operands = 1,
	.options = check_options,
	.options_size = sizeof(IsaVerbOptions),
};

/* ---- doc ---- */

static int doc_run(Command *command)
{
	const IsaVerbOptions *options = command->options;
	bool html = options->html || (options->output && file_has_extension(options->output, ".html"));
	Loaded loaded;
	Buf out;
	int code;

	load_init(&loaded);
	buf_init(&out);
	code = load_named(&loaded, command->operands[0], options);
	if (!code)
		manual_write(loaded.isa, html ? MANUAL_HTML : MANUAL_TEXT, &out);
	if (!code && options->output && file_is_same(options->output, command->operands[0])) {
		buf_printf(&loaded.error, "%s would be overwritten by its manual: name another file", options->output);
		code = EXIT_HUSK;
	}
	return finish(&loaded, code, &out, options->output);
}

static const Opt doc_options[] = {
	ROWS_CHOICES,
	{"html", 0, OPT_FLAG, offsetof(IsaVerbOptions, html), NULL, "an HTML page (also when FILE ends in .html)"},
	ROW_OUTPUT,
	{0},
};

static const Verb verb_doc = {
	.name = "doc",
	.run = doc_run,
	.help = "the manual of a machine",
	.operands = "MACHINE",
	.min_operands = 1,
	.max_operands = 1,
	.options = doc_options,
	.options_size = sizeof(IsaVerbOptions),
};

/* ---- show ---- */

static int show_run(Command *command)
{
	const IsaVerbOptions *options = command->options;
	const char *shown;
	const Guest *guest;
	Loaded loaded;
	Buf out;
	int code;

	load_init(&loaded);
	buf_init(&out);
	code = load_isa_text(command->operands[0], &out, &shown, &guest, &loaded.arena, &loaded.error, &loaded.hint);
	return finish(&loaded, code, &out, options->output);
}

static const Opt show_options[] = {ROW_OUTPUT, {0}};

static const Verb verb_show = {
	.name = "show",
	.run = show_run,
	.help = "the text of a description",
	.operands = "MACHINE",
	.min_operands = 1,
	.max_operands = 1,
	.options = show_options,
	.options_size = sizeof(IsaVerbOptions),
};

/* ---- new ---- */

/* examples/isa/tiny8.isa as it stands in the file, with a NUL behind it. */
extern const char isa_template[];
__asm__(".section .rodata\n"
	".global isa_template\n"
	"isa_template:\n"
	".incbin \"examples/isa/tiny8.isa\"\n"
	".byte 0\n"
	".previous\n");

/* A machine's name: a letter, then letters, digits, '_', '-', '.'. */
static bool is_name(const char *text)
{
	if (!((*text | 32) >= 'a' && (*text | 32) <= 'z') || strlen(text) > 60)
		return false;
	for (; *text; text++)
		if (!((*text | 32) >= 'a' && (*text | 32) <= 'z') && !(*text >= '0' && *text <= '9') &&
		    !strchr("_-.", *text))
			return false;
	return true;
}

/* The template under another name: of its line `isa Tiny8 "..."` only the second word changes. */
static void write_template(const char *name, Buf *out)
{
	const char *at = strstr(isa_template, "\nisa ");
	const char *old = at ? at + 5 : isa_template;

	buf_add(out, isa_template, (size_t)(old - isa_template));
	buf_str(out, name);
	buf_str(out, old + strcspn(old, " \n"));
}

static int new_run(Command *command)
{
	const IsaVerbOptions *options = command->options;
	const char *name = command->operands[0];
	Buf out, path;
	int code;

	if (!is_name(name)) {
		say_error("'%s' is no name for a machine: letters, digits, '_', '-', '.', a letter first", name);
		return EXIT_HUSK;
	}
	buf_init(&out);
	buf_init(&path);
	if (options->output)
		buf_str(&path, options->output);
	else
		buf_printf(&path, "%s.isa", name);
	if (strcmp(buf_text(&path), "-") != 0 && !options->force && access(buf_text(&path), F_OK) == 0) {
		say_error("%s is there already", buf_text(&path));
		say_hint("--force overwrites it; -o FILE writes elsewhere");
		code = EXIT_HUSK;
	} else {
		write_template(name, &out);
		code = say_output(&out, buf_text(&path));
		if (!code && strcmp(buf_text(&path), "-") != 0)
			say_note("%s: a whole small machine to change. Next: husk isa check %s; husk repl %s",
				 buf_text(&path), buf_text(&path), buf_text(&path));
	}
	buf_fini(&out);
	buf_fini(&path);
	return code;
}

static const Opt new_options[] = {
	ROW_OUTPUT,
	{"force", 0, OPT_FLAG, offsetof(IsaVerbOptions, force), NULL, "overwrite the file"},
	{0},
};

static const Verb verb_new = {
	.name = "new",
	.run = new_run,
	.help = "write a description to start from: a small machine, explained line by line",
	.operands = "NAME",
	.min_operands = 1,
	.max_operands = 1,
	.options = new_options,
	.options_size = sizeof(IsaVerbOptions),
	.text = "Writes NAME.isa. It is the machine Tiny8 under another name; -o - prints it.\n",
};

/* ---- random ---- */

static int random_run(Command *command)
{
	const IsaVerbOptions *options = command->options;
	const DisOptions how = {0};
	Rng rng = {options->seed};
	Loaded loaded;
	Buf out;
	int code;

	load_init(&loaded);
	buf_init(&out);
	code = load_named(&loaded, command->operands[0], options);
	for (u64 i = 0, most = options->count ? options->count : 20; !code && i < most && !out.failed; i++) {
		u64 cells[32];
		const u32 count = gen_valid(loaded.isa, &rng, cells);

		if (!count)
			continue;
		dis_cells(loaded.isa, &how, 0, cells, count, &out);
		buf_byte(&out, '\n');
	}
	return finish(&loaded, code, &out, options->output);
}

static const Opt random_options[] = {
	ROWS_CHOICES,
	{"count", 'n', OPT_NUMBER, offsetof(IsaVerbOptions, count), "N", "how many (20)"},
	{"seed", 0, OPT_NUMBER, offsetof(IsaVerbOptions, seed), "N", "other ones; the same number gives the same"},
	ROW_OUTPUT,
	{0},
};

static const Verb verb_random = {
	.name = "random",
	.run = random_run,
	.help = "random legal instructions of a machine, for tests",
	.operands = "MACHINE",
	.min_operands = 1,
	.max_operands = 1,
	.options = random_options,
	.options_size = sizeof(IsaVerbOptions),
	.text = "As they would be written at address 0. Edge values of operands are favoured.\n",
};

/* ---- */

static const Verb *const isa_verbs[] = {&verb_list, &verb_check, &verb_doc, &verb_show, &verb_new, &verb_random, NULL};

const Verb verb_isa = {
	.name = "isa",
	.help = "machine descriptions: list, check, doc, show, new, random",
	.operands = "",
	.verbs = isa_verbs,
};
