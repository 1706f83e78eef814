/* SPDX-License-Identifier: MIT
 *
 * Texts that people write, on their way into a machine: a program in a language of the machine's own is compiled, by
 * its guest, to assembly text or to an object file; assembly text is assembled.
 *
 *     prog.pd --compile--> assembly text --assemble--> AsmProgram --format->write--> object --> guest->load
 *     prog.tvm --compile----------------------------------------------------------> object --> guest->load
 *     prog.asm --assemble--> AsmProgram ...
 */
#include <string.h>

#include "cmd/file.h"
#include "cmd/load.h"
#include "cmd/say.h"

static int failed(Loaded *loaded, const LoadedFile *file, const char *what)
{
	buf_printf(&loaded->error, "%s%s", file->name, what);
	return EXIT_NOT_RUNNABLE;
}

bool load_looks_like_text(const Buf *data)
{
	size_t seen = data->len < 4096 ? data->len : 4096;

	for (size_t i = 0; i < seen; i++)
		if (data->data[i] < 32 && !strchr("\t\n\r\f\v", data->data[i]))
			return false;
	return true;
}

bool load_is_own_asm(const Guest *guest, const char *name)
{
	for (const char *const *extension = guest ? guest->asm_extensions : NULL; extension && *extension; extension++)
		if (file_has_extension(name, *extension))
			return true;
	return false;
}

const GuestLanguage *load_own_language(const Guest *guest, const char *name)
{
	for (const GuestLanguage *language = guest ? guest->languages : NULL; language && language->name; language++)
		if (file_has_extension(name, language->extension))
			return language;
	return NULL;
}

const Buf *load_bytes(const LoadedFile *file)
{
	if (file->is_asm)
		return &file->object;
	return file->language ? &file->compiled : &file->data;
}

/* An editor's byte order mark is no part of the text. */
static Source source_of(const LoadedFile *file)
{
	size_t skipped = file_byte_order_mark(file->data.data, file->data.len);

	return (Source){file->name, buf_text(&file->data) + skipped, file->data.len - skipped};
}

GuestFile load_guest_file(const LoadedFile *file)
{
	const Buf *bytes = load_bytes(file);
	const Source source = source_of(file);
	GuestFile out = {.name = file->name, .data = bytes->data, .len = bytes->len, .rest = file->waits ? &file->rest : NULL};

	if (file->language && !file->is_asm) {
		out.source = (const u8 *)source.text;
		out.source_len = source.len;
	}
	return out;
}

/* ---- Languages ---- */

static int compile(Loaded *loaded, LoadedFile *file)
{
	const Source source = source_of(file);
	const GuestFile given = {.name = source.name, .data = (const u8 *)source.text, .len = source.len};
	const u32 errors = loaded->diags.errors;
	const Status status = file->language->compile(&given, loaded->isa, &file->compiled, &file->listing,
						      &loaded->diags);

	if (loaded->diags.errors != errors)
		return EXIT_NOT_RUNNABLE;
	if (status || file->compiled.failed) {
		buf_printf(&loaded->error, "%s: %s", file->name, status_text(status ? status : STATUS_NOMEM));
		return EXIT_NOT_RUNNABLE;
	}
	return 0;
}

/* ---- Assembly texts ---- */

char *load_include(void *ctx, const char *name, size_t *len)
{
	LoadIncluder *includer = ctx;
	const char *base = file_base(includer->main_name);
	Buf path, data, error;
	char *text = NULL;

	buf_init(&path);
	buf_init(&data);
	buf_init(&error);
	if (name[0] != '/')
		buf_add(&path, includer->main_name, (size_t)(base - includer->main_name));
	buf_str(&path, name);
	if (file_read(buf_text(&path), includer->left, &data, &error) == 0 && !data.failed) {
		const size_t skipped = file_byte_order_mark(data.data, data.len);

		includer->left -= data.len;
		memmove(data.data, data.data + skipped, data.len + 1 - skipped); /* with the NUL behind it */
		*len = data.len - skipped;
		text = (char *)data.data;
	} else {
		buf_fini(&data);
	}
	buf_fini(&path);
	buf_fini(&error);
	return text;
}

/* A compiler's assembly text has a name of its own, for messages and for the debugger's lines: "prog.pd.iasm". */
static Source compiled_source(Loaded *loaded, const LoadedFile *file)
{
	const char *const *extensions = loaded->guest->asm_extensions;
	const char *name = arena_printf(&loaded->arena, "%s%s", file->name,
					extensions && *extensions ? *extensions : ".asm");

	return (Source){name ? name : file->name, buf_text(&file->compiled), file->compiled.len};
}

static int assemble(Loaded *loaded, LoadedFile *file, const LoadOptions *options)
{
	const Source source = file->language ? compiled_source(loaded, file) : source_of(file);
	LoadIncluder includer = {file->name, FILE_LIMIT};
	AsmOptions how = {.dialect = file->language ? 0 : loaded->dialect, .liberal = options->liberal,
			  .read_file = load_include, .ctx = &includer};

	if (!file->language && loaded->guest && loaded->guest->check_text) {
		const u32 errors = loaded->diags.errors;

		loaded->guest->check_text(&source, &loaded->diags);
		if (loaded->diags.errors != errors)
			return EXIT_NOT_RUNNABLE;
	}
	file->program = asm_assemble(loaded->isa, &source, &how, &loaded->diags);
	return file->program ? 0 : EXIT_NOT_RUNNABLE;
}

int load_assemble(Loaded *loaded, const LoadOptions *options)
{
	int code = 0;

	for (u32 i = 0; i < loaded->file_count; i++) {
		LoadedFile *file = &loaded->files[i];
		int one = 0;

		if (!file->is_asm && !file->language)
			continue;
		if (!load_looks_like_text(&file->data))
			return failed(loaded, file, " is not a text");
		if (file->language)
			one = compile(loaded, file);
		if (!one && file->is_asm)
			one = assemble(loaded, file, options);
		if (loaded->error.len)
			return one;
		code = code ? code : one; /* go on: the errors of all files are worth knowing */
	}
	return code;
}
