/* SPDX-License-Identifier: MIT */
#include "base/diag.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN_LINE_MAX = 240 };

void diag_init(DiagList *list)
{
	memset(list, 0, sizeof(*list));
	arena_init(&list->arena);
}

void diag_fini(DiagList *list)
{
	arena_fini(&list->arena);
	memset(list, 0, sizeof(*list));
}

void source_position(const Source *source, size_t offset, u32 *line, u32 *column)
{
	u32 l = 1;
	size_t start = 0;

	if (offset > source->len)
		offset = source->len;
	for (size_t i = 0; i < offset; i++)
		if (source->text[i] == '\n') {
			l++;
			start = i + 1;
		}
	*line = l;
	*column = (u32)(offset - start) + 1;
}

static Diag *diag_new(DiagList *list, DiagLevel level, const char *file, const char *hint)
{
	Diag *diag;

	if (level == DIAG_ERROR)
		list->errors++;
	else
		list->warnings++;
	if (list->count == DIAG_MAX)
		return NULL;
	diag = &list->items[list->count++];
	diag->level = level;
	diag->file = arena_strdup(&list->arena, file ? file : "");
	diag->hint = hint ? arena_strdup(&list->arena, hint) : NULL;
	return diag;
}

static const char *diag_message(DiagList *list, const char *format, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, args);
	return arena_strdup(&list->arena, text);
}

void diag_report(DiagList *list, DiagLevel level, const Source *source, size_t offset, size_t length,
		 const char *hint, const char *format, ...)
{
	Diag *diag = diag_new(list, level, source->name, hint);
	size_t start, end;
	va_list args;

	if (!diag)
		return;
	va_start(args, format);
	diag->message = diag_message(list, format, args);
	va_end(args);
	if (offset > source->len)
		offset = source->len;
	source_position(source, offset, &diag->line, &diag->column);
	start = offset - (diag->column - 1);
	end = offset;
	while (end < source->len && source->text[end] != '\n' && source->text[end] != '\r')
		end++;
	diag->length = (u32)(length > end - offset ? end - offset : length);
	if (end - start <= SHOWN_LINE_MAX)
		diag->line_text = arena_strndup(&list->arena, source->text + start, end - start);
}

void diag_report_file(DiagList *list, DiagLevel level, const char *file, const char *hint, const char *format, ...)
{
	Diag *diag = diag_new(list, level, file, hint);
	va_list args;

	if (!diag)
		return;
	va_start(args, format);
	diag->message = diag_message(list, format, args);
	va_end(args);
}

/* The line as a terminal may show it: control characters would move the caret, or worse. */
static void render_line(const Diag *diag, Buf *out)
{
	char prefix[16];

	snprintf(prefix, sizeof(prefix), "%5u", diag->line);
	buf_printf(out, "%s | ", prefix);
	for (const char *s = diag->line_text; *s; s++)
		buf_byte(out, (u8)*s >= 0x20 && *s != 0x7F ? (u8)*s : *s == '\t' ? '\t' : '?');
	buf_str(out, "\n      | ");
	for (u32 i = 0; i + 1 < diag->column; i++) {
		u8 c = (u8)diag->line_text[i];

		/* Tabs stay tabs so that the caret lands under them; UTF-8 continuation bytes take no column. */
		if ((c & 0xC0) != 0x80)
			buf_byte(out, c == '\t' ? '\t' : ' ');
	}
	buf_byte(out, '^');
	for (u32 i = 1; i < diag->length; i++)
		if (((u8)diag->line_text[diag->column - 1 + i] & 0xC0) != 0x80)
			buf_byte(out, '~');
	buf_byte(out, '\n');
}

void diag_render(const DiagList *list, Buf *out, bool color)
{
	const char *bold = color ? "\033[1m" : "", *off = color ? "\033[0m" : "";

	for (u32 i = 0; i < list->count; i++) {
		const Diag *diag = &list->items[i];
		const char *level = diag->level == DIAG_ERROR ? "error" : "warning";
		const char *tint = !color ? "" : diag->level == DIAG_ERROR ? "\033[1;31m" : "\033[1;35m";

		buf_printf(out, "%s%s:", bold, diag->file);
		if (diag->line)
			buf_printf(out, "%u:%u:", diag->line, diag->column);
		buf_printf(out, "%s %s%s:%s %s\n", off, tint, level, off, diag->message ? diag->message : "");
		if (diag->line && diag->line_text)
			render_line(diag, out);
		if (diag->hint)
			buf_printf(out, "      = hint: %s\n", diag->hint);
	}
	if (list->errors + list->warnings > list->count)
		buf_printf(out, "... and %u more\n", list->errors + list->warnings - list->count);
}

void diag_render_json(const DiagList *list, Buf *out)
{
	buf_byte(out, '[');
	for (u32 i = 0; i < list->count; i++) {
		const Diag *diag = &list->items[i];
		const char *message = diag->message ? diag->message : "";

		buf_str(out, i ? ",{" : "{");
		buf_printf(out, "\"level\":\"%s\",\"file\":", diag->level == DIAG_ERROR ? "error" : "warning");
		buf_json_string(out, diag->file, strlen(diag->file));
		buf_printf(out, ",\"line\":%u,\"column\":%u,\"length\":%u,\"message\":", diag->line, diag->column,
			   diag->length);
		buf_json_string(out, message, strlen(message));
		if (diag->hint) {
			buf_str(out, ",\"hint\":");
			buf_json_string(out, diag->hint, strlen(diag->hint));
		}
		buf_byte(out, '}');
	}
	buf_byte(out, ']');
}
