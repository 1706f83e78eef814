/* SPDX-License-Identifier: MIT
 *
 * Programs: files, compiled and assembled as far as that goes without a machine, then put into one.
 *
 *     text in a language --compile--> assembly text --assemble--> AsmProgram --guest->formats--> object --guest->load--> machine
 */
#include "api/api_private.h"

#include <stdlib.h>

#include "base/strmap.h"
#include "guests/plain.h"

enum { FILES = 4096 };

static bool has_extension(const char *name, const char *extension)
{
	size_t len = strlen(name), n = strlen(extension);

	return len > n && ascii_equal_fold(name + len - n, n, extension, n);
}

static const GuestLanguage *language_of(const Guest *guest, const char *name)
{
	for (const GuestLanguage *language = guest ? guest->languages : NULL; language && language->name; language++)
		if (has_extension(name, language->extension))
			return language;
	return NULL;
}

static bool is_assembly(const Guest *guest, const char *name)
{
	if (has_extension(name, ".asm") || has_extension(name, ".s"))
		return true;
	for (const char *const *extension = guest ? guest->asm_extensions : NULL; extension && *extension; extension++)
		if (has_extension(name, *extension))
			return true;
	return false;
}

/* ---- Texts ---- */

static char *include(void *ctx, const char *name, size_t *len)
{
	const husk_program_options *options = ctx;
	const void *data = NULL;
	char *copy;

	if (!options->include(options->include_ctx, name, &data, len) || (!data && *len))
		return NULL;
	copy = malloc(*len + 1);
	if (!copy)
		return NULL;
	if (*len)
		memcpy(copy, data, *len);
	copy[*len] = 0;
	return copy;
}

static Source text_of(const Buf *bytes, const char *name)
{
	size_t skipped = bytes->len >= 3 && memcmp(bytes->data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

	return (Source){name, buf_text(bytes) + skipped, bytes->len - skipped};
}

static Status compile(const husk_isa *isa, ApiFile *file, Buf *assembly, DiagList *diags)
{
	const Source source = text_of(&file->source, file->name);
	const GuestFile given = {.name = source.name, .data = (const u8 *)source.text, .len = source.len};
	u32 errors = diags->errors;
	Status status;
	Buf listing;

	buf_init(&listing);
	status = file->language->compile(&given, isa->isa, file->language->to_assembly ? assembly : &file->object, &listing, diags);
	buf_fini(&listing);
	if (!status && (assembly->failed || file->object.failed))
		status = STATUS_NOMEM;
	return status ? status : diags->errors != errors ? STATUS_SYNTAX : STATUS_OK;
}

static Status assemble(const husk_isa *isa, ApiFile *file, const Source *source, u16 dialect, const husk_program_options *options,
		       DiagList *diags)
{
	const AsmOptions how = {.dialect = dialect, .liberal = options->is_liberal, .read_file = options->include ? include : NULL,
				.ctx = (void *)(uintptr_t)options};
	u32 errors = diags->errors;

	if (!file->language && isa->guest && isa->guest->check_text)
		isa->guest->check_text(source, diags);
	if (diags->errors != errors)
		return STATUS_SYNTAX;
	file->program = asm_assemble(isa->isa, source, &how, diags);
	if (!file->program)
		return diags->errors != errors ? STATUS_SYNTAX : STATUS_NOMEM;
	file->is_asm = true;
	if (!isa->guest || !isa->guest->load)
		return STATUS_OK;
	if (!isa->guest->formats)
		return STATUS_UNSUPPORTED;
	return isa->guest->formats->write(file->program, &file->object, diags);
}

static Status translate(const husk_isa *isa, ApiFile *file, husk_file_kind kind, u16 dialect, const husk_program_options *options,
			DiagList *diags)
{
	Status status = STATUS_OK;
	Buf assembly;

	file->language = kind == HUSK_FILE_AUTO ? language_of(isa->guest, file->name) : NULL;
	buf_init(&assembly);
	if (file->language)
		status = compile(isa, file, &assembly, diags);
	if (!status && file->language && file->language->to_assembly) {
		const Source source = {file->name, buf_text(&assembly), assembly.len};

		status = assemble(isa, file, &source, 0, options, diags);
	} else if (!status && !file->language &&
		   (kind == HUSK_FILE_ASSEMBLY || (kind == HUSK_FILE_AUTO && is_assembly(isa->guest, file->name)))) {
		const Source source = text_of(&file->source, file->name);

		status = assemble(isa, file, &source, dialect, options, diags);
	}
	buf_fini(&assembly);
	if (!status && file->object.failed)
		status = STATUS_NOMEM;
	return status;
}

/* ---- Life ---- */

static void destroy(husk_program *program)
{
	husk_isa *isa = program->isa;

	for (size_t i = 0; i < program->file_count; i++) {
		ApiFile *file = &program->files[i];

		api_free_text(isa->context, file->name);
		asm_program_destroy(file->program);
		buf_fini(&file->source);
		buf_fini(&file->object);
	}
	api_free(isa->context, program->files, program->file_count * sizeof *program->files);
	arena_fini(&program->arena);
	pthread_mutex_destroy(&program->lock);
	api_free(isa->context, program, sizeof *program);
	husk_isa_unref(isa);
}

static husk_program *create(husk_isa *isa, size_t count)
{
	husk_program *program = api_alloc(isa->context, sizeof *program);

	if (!program)
		return NULL;
	program->files = api_alloc(isa->context, count * sizeof *program->files);
	if (!program->files || pthread_mutex_init(&program->lock, NULL)) {
		api_free(isa->context, program->files, count * sizeof *program->files);
		api_free(isa->context, program, sizeof *program);
		return NULL;
	}
	husk_isa_ref(isa);
	program->isa = isa;
	program->file_count = count;
	program->refs = 1;
	arena_init(&program->arena);
	return program;
}

static husk_status check(const husk_file *files, size_t count)
{
	if (!files || !count || count > FILES)
		return HUSK_INVALID;
	for (size_t i = 0; i < count; i++)
		if (!files[i].name || (!files[i].data && files[i].len) || (unsigned)files[i].kind > HUSK_FILE_OBJECT)
			return HUSK_INVALID;
	return HUSK_OK;
}

husk_status husk_program_load(husk_isa *isa, const husk_file *files, size_t count, const husk_program_options *options,
			      husk_program **out, husk_error **error)
{
	husk_program_options own;
	husk_program *program;
	husk_status status;
	DiagList diags;
	u16 dialect;

	if (out)
		*out = NULL;
	if (error)
		*error = NULL;
	if (!isa || !out || check(files, count))
		return HUSK_INVALID;
	status = api_options(&own, sizeof own, options);
	if (status)
		return status;
	if (api_find_dialect(isa, own.dialect, &dialect))
		return api_fail(isa->context, error, HUSK_NOT_FOUND, "%s has no dialect '%s'", isa->isa->name, own.dialect);
	program = create(isa, count);
	if (!program)
		return api_fail(isa->context, error, HUSK_NO_MEMORY, "out of memory");
	diag_init(&diags);
	for (size_t i = 0; i < count; i++) { /* all of them: the errors of all texts are worth knowing */
		ApiFile *file = &program->files[i];
		Status one = STATUS_NOMEM;

		buf_add(&file->source, files[i].data, files[i].len);
		file->name = api_strdup(isa->context, files[i].name);
		if (file->name && !file->source.failed)
			one = translate(isa, file, files[i].kind, dialect, &own, &diags);
		if (one && !status)
			status = api_status(one);
	}
	if (status) {
		status = api_fail_diags(isa->context, error, status, &diags, NULL);
		destroy(program);
	} else {
		api_log_diags(isa->context, &diags);
		*out = program;
	}
	diag_fini(&diags);
	return status;
}

husk_status husk_program_assemble(husk_isa *isa, const char *name, const char *text, size_t len, const husk_program_options *options,
				  husk_program **program, husk_error **error)
{
	const husk_file file = {.name = name, .data = text, .len = len, .kind = HUSK_FILE_ASSEMBLY};

	return husk_program_load(isa, &file, 1, options, program, error);
}

void husk_program_ref(husk_program *program)
{
	if (program)
		api_ref(&program->refs);
}

void husk_program_unref(husk_program *program)
{
	if (program && api_unref(&program->refs))
		destroy(program);
}

husk_isa *husk_program_isa(const husk_program *program)
{
	return program ? program->isa : NULL;
}

/* ---- Into a machine ---- */

static GuestFile guest_file(const ApiFile *file)
{
	const Buf *bytes = file->object.len || file->is_asm || file->language ? &file->object : &file->source;
	GuestFile out = {.name = file->name, .data = bytes->data, .len = bytes->len};

	if (file->language && !file->is_asm) {
		const Source source = text_of(&file->source, file->name);

		out.source = (const u8 *)source.text;
		out.source_len = source.len;
	}
	return out;
}

static Status put_plain(husk_program *program, Machine *machine, Buf *words)
{
	const Isa *isa = program->isa->isa;
	u64 start = isa->regs[isa->pc_reg].reset;
	Status status = STATUS_OK;

	for (size_t i = 0; i < program->file_count && !status; i++) {
		const ApiFile *file = &program->files[i];

		if (file->is_asm)
			status = plain_put_program(machine, file->name, file->program, &start, words);
		else
			status = plain_put_image(machine, file->name, file->source.data, file->source.len, &start, words);
	}
	if (status)
		return status;
	machine_reset(machine, true);
	machine_set_pc(machine, start);
	return STATUS_OK;
}

husk_status api_put_program(husk_program *program, Machine *machine, husk_error **error)
{
	const Guest *guest = program->isa->guest;
	husk_context *context = program->isa->context;
	GuestFile *files;
	DiagList diags;
	husk_status out = HUSK_OK;
	Status status;
	Buf words;

	diag_init(&diags);
	buf_init(&words);
	if (guest && guest->load) {
		files = calloc(program->file_count, sizeof *files);
		for (size_t i = 0; files && i < program->file_count; i++)
			files[i] = guest_file(&program->files[i]);
		status = files ? guest->load(machine, files, (u32)program->file_count, &diags) : STATUS_NOMEM;
		free(files);
	} else {
		status = put_plain(program, machine, &words);
	}
	if (status)
		out = api_fail_diags(context, error, api_status(status), &diags, words.len ? buf_text(&words) : NULL);
	else
		api_log_diags(context, &diags);
	buf_fini(&words);
	diag_fini(&diags);
	return out;
}

/* ---- Names ---- */

husk_status husk_program_symbol(const husk_program *program, const char *name, uint64_t *value)
{
	if (value)
		*value = 0;
	if (!program || !name || !value)
		return HUSK_INVALID;
	for (size_t i = 0; i < program->file_count; i++) {
		const AsmProgram *text = program->files[i].program;

		for (u32 k = 0; text && k < text->symbol_count; k++)
			if (strcmp(text->symbols[k].name, name) == 0) {
				*value = text->symbols[k].value;
				return HUSK_OK;
			}
	}
	return HUSK_NOT_FOUND;
}

static void add_name(void *ctx, const char *name, size_t len, u16 space, u64 address)
{
	husk_program *program = ctx;
	ApiName *names;
	const char *text;

	if (!arena_grow(&program->arena, (void **)&program->names, &program->name_cap, program->name_count, sizeof *names))
		return;
	text = arena_strndup(&program->arena, name, len);
	names = program->names;
	if (text)
		names[program->name_count++] = (ApiName){text, address, space};
}

static void add_line(void *ctx, u16 space, u64 address, u32 number, const char *text, size_t len)
{
	(void)ctx;
	(void)space;
	(void)address;
	(void)number;
	(void)text;
	(void)len;
}

/* With the lock. */
static void read_names(husk_program *program, const Machine *machine)
{
	const GuestNames taker = {program, add_name, add_line};
	const Guest *guest = program->isa->guest;

	for (size_t i = 0; guest && guest->read_names && i < program->file_count; i++) {
		const GuestFile file = guest_file(&program->files[i]);

		if (!program->files[i].program)
			guest->read_names(machine, &file, &taker);
	}
	program->has_names = !program->arena.failed;
}

husk_status api_find_symbol(husk_program *program, const Machine *machine, const char *name, u64 *value)
{
	husk_status status = husk_program_symbol(program, name, value);

	if (status != HUSK_NOT_FOUND)
		return status;
	pthread_mutex_lock(&program->lock);
	if (!program->has_names) {
		arena_fini(&program->arena);
		arena_init(&program->arena);
		program->names = NULL;
		program->name_count = program->name_cap = 0;
		read_names(program, machine);
	}
	for (u32 i = 0; i < program->name_count && status; i++)
		if (strcmp(program->names[i].text, name) == 0) {
			*value = program->names[i].address;
			status = HUSK_OK;
		}
	if (status && !program->has_names)
		status = HUSK_NO_MEMORY;
	pthread_mutex_unlock(&program->lock);
	return status;
}

/* ---- Looking at it ---- */

husk_status husk_program_object(const husk_program *program, size_t index, husk_blob **out)
{
	const ApiFile *file;
	GuestFile bytes;
	Buf copy;

	if (out)
		*out = NULL;
	if (!program || !out)
		return HUSK_INVALID;
	if (index >= program->file_count)
		return HUSK_RANGE;
	file = &program->files[index];
	if (file->is_asm && !file->object.len)
		return HUSK_UNSUPPORTED;
	bytes = guest_file(file);
	buf_init(&copy);
	buf_add(&copy, bytes.data, bytes.len);
	return api_blob(program->isa->context, &copy, out);
}

husk_status husk_program_listing(const husk_program *program, size_t index, husk_blob **out)
{
	Buf text;

	if (out)
		*out = NULL;
	if (!program || !out)
		return HUSK_INVALID;
	if (index >= program->file_count)
		return HUSK_RANGE;
	if (!program->files[index].program)
		return HUSK_UNSUPPORTED;
	buf_init(&text);
	asm_listing(program->files[index].program, &text);
	return api_blob(program->isa->context, &text, out);
}
