/* SPDX-License-Identifier: MIT
 *
 * What all of libhusk shares: contexts, errors, blobs, and structs that may be of another version than ours.
 */
#include "api/api_private.h"

#include <stdarg.h>
#include <stdlib.h>

struct husk_error {
	husk_context *context; /* a reference; NULL: the one for `out of memory`, which nobody owns */
	husk_status status;
	char *text, *json;     /* owned */
	DiagList *diags;       /* owned: a copy; or NULL */
};

struct husk_blob {
	husk_context *context; /* a reference */
	Buf bytes;
};

/* ---- Status ---- */

static const struct {
	husk_status status;
	const char *text;
} texts[] = {
	{HUSK_OK, "no error"},
	{HUSK_NO_MEMORY, "out of memory"},
	{HUSK_INVALID, "invalid argument"},
	{HUSK_STATE, "not possible in this state"},
	{HUSK_BUSY, "another thread is at work with it"},
	{HUSK_TEXT, "the text has errors"},
	{HUSK_FORMAT, "not a file of this format"},
	{HUSK_TRUNCATED, "the file ends too early"},
	{HUSK_CORRUPT, "damaged content"},
	{HUSK_MISMATCH, "made for another machine or version"},
	{HUSK_NOT_FOUND, "not found"},
	{HUSK_RANGE, "address or number out of range"},
	{HUSK_LIMIT, "larger than the limit"},
	{HUSK_IO, "input/output error"},
	{HUSK_UNSUPPORTED, "not supported"},
	{HUSK_STALE, "what it was a part of is gone"},
	{HUSK_TIMEOUT, "the time is over"},
	{HUSK_FUEL, "the instructions are used up"},
	{HUSK_FAILED, "the program failed"},
};

const char *husk_status_text(husk_status status)
{
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "unknown status";
}

husk_status api_status(Status status)
{
	switch (status) {
	case STATUS_OK: return HUSK_OK;
	case STATUS_NOMEM: return HUSK_NO_MEMORY;
	case STATUS_INVALID: return HUSK_INVALID;
	case STATUS_SYNTAX: return HUSK_TEXT;
	case STATUS_FORMAT: return HUSK_FORMAT;
	case STATUS_TRUNCATED: return HUSK_TRUNCATED;
	case STATUS_TOO_BIG: return HUSK_LIMIT;
	case STATUS_RANGE: return HUSK_RANGE;
	case STATUS_NOT_FOUND: return HUSK_NOT_FOUND;
	case STATUS_MISMATCH: return HUSK_MISMATCH;
	case STATUS_CORRUPT: return HUSK_CORRUPT;
	case STATUS_IO: return HUSK_IO;
	case STATUS_UNSUPPORTED: return HUSK_UNSUPPORTED;
	}
	return HUSK_FAILED;
}

uint32_t husk_version(void)
{
	return HUSK_VERSION_MAJOR << 16 | HUSK_VERSION_MINOR << 8 | HUSK_VERSION_PATCH;
}

/* ---- Memory ---- */

static void *plain_allocate(void *ctx, size_t bytes)
{
	(void)ctx;
	return malloc(bytes);
}

static void plain_release(void *ctx, void *memory, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(memory);
}

void *api_alloc(husk_context *context, size_t bytes)
{
	void *memory = context->allocator.allocate(context->allocator.ctx, bytes);

	if (memory)
		memset(memory, 0, bytes);
	return memory;
}

void api_free(husk_context *context, void *memory, size_t bytes)
{
	if (memory)
		context->allocator.release(context->allocator.ctx, memory, bytes);
}

char *api_strdup(husk_context *context, const char *text)
{
	char *copy = text ? api_alloc(context, strlen(text) + 1) : NULL;

	if (copy)
		memcpy(copy, text, strlen(text) + 1);
	return copy;
}

void api_free_text(husk_context *context, char *text)
{
	if (text)
		api_free(context, text, strlen(text) + 1);
}

/* ---- Contexts ---- */

husk_status husk_context_create(const husk_context_options *options, husk_context **context)
{
	husk_context_options own = {0};
	husk_context made = {.refs = 1};
	husk_status status;

	if (!context)
		return HUSK_INVALID;
	*context = NULL;
	status = api_options(&own, sizeof own, options);
	if (status)
		return status;
	made.allocator = (husk_allocator){NULL, plain_allocate, plain_release};
	if (own.allocator)
		made.allocator = *own.allocator;
	if (!made.allocator.allocate || !made.allocator.release)
		return HUSK_INVALID;
	made.log = own.log;
	made.log_ctx = own.log_ctx;
	*context = api_alloc(&made, sizeof made);
	if (!*context)
		return HUSK_NO_MEMORY;
	**context = made;
	return HUSK_OK;
}

void husk_context_ref(husk_context *context)
{
	if (context)
		api_ref(&context->refs);
}

void husk_context_unref(husk_context *context)
{
	if (context && api_unref(&context->refs)) {
		husk_allocator allocator = context->allocator;

		allocator.release(allocator.ctx, context, sizeof *context);
	}
}

/* ---- Structs of other versions ---- */

husk_status api_options(void *out, size_t size, const void *given)
{
	size_t theirs;

	memset(out, 0, size);
	if (!given)
		return HUSK_OK;
	memcpy(&theirs, given, sizeof theirs);
	if (theirs < sizeof theirs || theirs > 4096)
		return HUSK_INVALID;
	for (size_t i = size; i < theirs; i++)
		if (((const char *)given)[i])
			return HUSK_UNSUPPORTED;
	memcpy(out, given, theirs < size ? theirs : size);
	return HUSK_OK;
}

husk_status api_answer(void *given, size_t size, const void *ours)
{
	size_t theirs;

	if (!given)
		return HUSK_INVALID;
	memcpy(&theirs, given, sizeof theirs);
	if (theirs < sizeof theirs || theirs > 4096)
		return HUSK_INVALID;
	memset(given, 0, theirs);
	memcpy(given, ours, theirs < size ? theirs : size);
	memcpy(given, &theirs, sizeof theirs);
	return HUSK_OK;
}

/* ---- Errors ---- */

/* What an error is when there is no memory for one. */
static const husk_error no_memory = {.status = HUSK_NO_MEMORY};

static husk_status keep_error(husk_context *context, husk_error **error, husk_status status, const char *text, DiagList *diags)
{
	const bool has_diags = diags && diags->count;
	husk_error *made;

	if (!error)
		return status;
	*error = (husk_error *)(uintptr_t)&no_memory;
	made = status == HUSK_NO_MEMORY ? NULL : api_alloc(context, sizeof *made);
	if (!made)
		return status;
	husk_context_ref(context);
	made->context = context;
	made->status = status;
	made->text = api_strdup(context, text);
	if (has_diags) {
		Buf json;

		buf_init(&json);
		diag_render_json(diags, &json);
		made->json = json.failed ? NULL : api_strdup(context, buf_text(&json));
		buf_fini(&json);
		made->diags = calloc(1, sizeof *made->diags);
		if (made->diags) { /* it moves */
			*made->diags = *diags;
			diag_init(diags);
		}
	}
	if (!made->text || (has_diags && (!made->json || !made->diags || made->diags->arena.failed))) {
		husk_error_destroy(made);
		return status;
	}
	*error = made;
	return status;
}

husk_status api_fail(husk_context *context, husk_error **error, husk_status status, const char *format, ...)
{
	va_list args;
	Buf text;

	if (!error)
		return status;
	buf_init(&text);
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	keep_error(context, error, text.failed ? HUSK_NO_MEMORY : status, buf_text(&text), NULL);
	buf_fini(&text);
	return status;
}

/* What reads texts says it among its messages. */
static bool ran_out(const DiagList *diags)
{
	for (u32 i = 0; i < diags->count; i++)
		if (!diags->items[i].message || strcmp(diags->items[i].message, "out of memory") == 0)
			return true;
	return diags->arena.failed;
}

husk_status api_fail_diags(husk_context *context, husk_error **error, husk_status status, DiagList *diags, const char *words)
{
	Buf text;

	if (diags->errors && status == HUSK_INVALID) /* it says no more than that */
		status = HUSK_TEXT;
	if (ran_out(diags))
		status = HUSK_NO_MEMORY;
	if (!error)
		return status;
	if (status == HUSK_NO_MEMORY)
		return keep_error(context, error, status, "", NULL);
	buf_init(&text);
	if (words || !diags->count)
		buf_printf(&text, "%s%s", words ? words : husk_status_text(status), diags->count ? "\n" : "");
	diag_render(diags, &text, false);
	keep_error(context, error, text.failed ? HUSK_NO_MEMORY : status, buf_text(&text), diags);
	buf_fini(&text);
	return status;
}

void api_log_diags(husk_context *context, const DiagList *diags)
{
	Buf text;

	if (!context->log || !diags->count)
		return;
	buf_init(&text);
	diag_render(diags, &text, false);
	if (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = 0;
	if (!text.failed)
		context->log(context->log_ctx, HUSK_LOG_WARNING, buf_text(&text));
	buf_fini(&text);
}

husk_status husk_error_status(const husk_error *error)
{
	return error ? error->status : HUSK_OK;
}

const char *husk_error_text(const husk_error *error)
{
	return !error ? "" : error->text ? error->text : husk_status_text(error->status);
}

const char *husk_error_json(const husk_error *error)
{
	return error && error->json ? error->json : "[]";
}

uint32_t husk_error_count(const husk_error *error)
{
	return error && error->diags ? error->diags->count : 0;
}

husk_status husk_error_at(const husk_error *error, uint32_t index, husk_diagnostic *out)
{
	const Diag *diag;

	if (!error || !out)
		return HUSK_INVALID;
	if (index >= husk_error_count(error))
		return HUSK_RANGE;
	diag = &error->diags->items[index];
	*out = (husk_diagnostic){.is_warning = diag->level == DIAG_WARNING, .file = diag->file, .line = diag->line,
				 .column = diag->column, .length = diag->length, .message = diag->message, .hint = diag->hint,
				 .line_text = diag->line_text};
	return HUSK_OK;
}

void husk_error_destroy(husk_error *error)
{
	husk_context *context = error ? error->context : NULL;

	if (!context)
		return;
	api_free_text(context, error->text);
	api_free_text(context, error->json);
	if (error->diags)
		diag_fini(error->diags);
	free(error->diags);
	api_free(context, error, sizeof *error);
	husk_context_unref(context);
}

/* ---- Blobs ---- */

husk_status api_blob(husk_context *context, Buf *bytes, husk_blob **out)
{
	husk_blob *blob = bytes->failed ? NULL : api_alloc(context, sizeof *blob);

	if (!blob) {
		buf_fini(bytes);
		return HUSK_NO_MEMORY;
	}
	husk_context_ref(context);
	*blob = (husk_blob){.context = context, .bytes = *bytes};
	buf_init(bytes);
	*out = blob;
	return HUSK_OK;
}

const void *husk_blob_data(const husk_blob *blob)
{
	return blob ? buf_text(&blob->bytes) : "";
}

size_t husk_blob_size(const husk_blob *blob)
{
	return blob ? blob->bytes.len : 0;
}

void husk_blob_destroy(husk_blob *blob)
{
	husk_context *context = blob ? blob->context : NULL;

	if (!context)
		return;
	buf_fini(&blob->bytes);
	api_free(context, blob, sizeof *blob);
	husk_context_unref(context);
}
