/* SPDX-License-Identifier: MIT
 *
 * The manual shows meanings in the words of the description. The loader keeps the text of instructions; functions,
 * handlers, views and conditions are found here, in isa->text, by a scan that knows only what an item looks like:
 * a keyword at nesting depth 0, then everything to the brace that closes it or to the next keyword. The text was
 * accepted by the loader, but the scan relies on nothing: unbalanced braces end at the end of the text.
 */
#include <string.h>

#include "asm/manual.h"

static const char *const keywords[] = {
	"isa", "option", "space", "code", "fill", "reg", "const", "view", "field", "func", "host", "insn", "alias", "pseudo",
	"on", "interrupt", "event", "every", "display", "image", "table", "asm", "pin",
};

typedef struct Scan {
	const char *text;
	size_t at, len;
	u32 line;
} Scan;

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* '#' opens a comment before a blank, another '#' or the line's end; otherwise it is the RTL's "number of". */
static bool comment_at(const Scan *scan, size_t at)
{
	if (scan->text[at] != '#')
		return false;
	return at + 1 >= scan->len || is_blank(scan->text[at + 1]) || scan->text[at + 1] == '#';
}

/* Length of the string that opens at `at`, quotes included; it ends with its line at the latest. */
static size_t string_length(const Scan *scan, size_t at)
{
	size_t end = at + 1;

	while (end < scan->len && scan->text[end] != '\n' && scan->text[end] != '"')
		end += scan->text[end] == '\\' && end + 1 < scan->len && scan->text[end + 1] != '\n' ? 2 : 1;
	return (end < scan->len && scan->text[end] == '"' ? end + 1 : end) - at;
}

static const char *keyword_at(const Scan *scan, size_t at)
{
	size_t end = at;

	if (at > 0 && (is_word(scan->text[at - 1]) || scan->text[at - 1] == '.'))
		return NULL;
	while (end < scan->len && is_word(scan->text[end]))
		end++;
	for (size_t i = 0; i < COUNT_OF(keywords); i++)
		if (strlen(keywords[i]) == end - at && memcmp(keywords[i], scan->text + at, end - at) == 0)
			return keywords[i];
	return NULL;
}

/* Is this the first word of its line, or the first after ';' or '}' or a double blank (items may share a line)? */
static bool opens_item(const Scan *scan, size_t at)
{
	size_t back = at;

	while (back > 0 && (scan->text[back - 1] == ' ' || scan->text[back - 1] == '\t'))
		back--;
	return back == 0 || scan->text[back - 1] == '\n' || scan->text[back - 1] == ';' || scan->text[back - 1] == '}';
}

/* Appends the item that starts at scan->at to `piece`, without comments, and moves past it. */
static void take_item(Scan *scan, Buf *piece)
{
	unsigned depth = 0;
	bool first = true;

	while (scan->at < scan->len) {
		char c = scan->text[scan->at];

		if (c == '"') {
			size_t length = string_length(scan, scan->at);

			buf_add(piece, scan->text + scan->at, length);
			scan->at += length;
			first = false;
			continue;
		}
		if (comment_at(scan, scan->at)) {
			while (scan->at < scan->len && scan->text[scan->at] != '\n')
				scan->at++;
			continue;
		}
		if (depth == 0 && is_word(c)) {
			if (!first && keyword_at(scan, scan->at) && opens_item(scan, scan->at))
				return;
			while (scan->at < scan->len && is_word(scan->text[scan->at]))
				buf_byte(piece, (u8)scan->text[scan->at++]);
			first = false;
			continue;
		}
		if (c == '\n')
			scan->line++;
		if (c == '{')
			depth++;
		buf_byte(piece, (u8)c);
		scan->at++;
		if (c == '}' && (depth == 0 || --depth == 0)) {
			size_t look = scan->at;

			/* A view goes on behind the brace of `set`... */
			while (look < scan->len && is_blank(scan->text[look]))
				look++;
			if (scan->len - look >= 4 && memcmp(scan->text + look, "else", 4) == 0)
				continue;
			return;
		}
	}
}

void manual_items_find(const Isa *isa, Arena *arena, ManualItems *out)
{
	Scan scan = {isa->text, 0, isa->text_len, 1};

	*out = (ManualItems){0};
	while (scan.at < scan.len) {
		const char *keyword = NULL;
		Buf piece;

		if (scan.text[scan.at] == '\n')
			scan.line++;
		if (comment_at(&scan, scan.at)) {
			while (scan.at < scan.len && scan.text[scan.at] != '\n')
				scan.at++;
			continue;
		}
		if (is_word(scan.text[scan.at]) && opens_item(&scan, scan.at))
			keyword = keyword_at(&scan, scan.at);
		if (!keyword) {
			scan.at++;
			continue;
		}
		if (!arena_grow(arena, (void **)&out->items, &out->cap, out->count, sizeof *out->items))
			return;
		out->items[out->count] = (ManualItem){.keyword = keyword, .line = scan.line};
		buf_init(&piece);
		take_item(&scan, &piece);
		while (piece.len && is_blank((char)piece.data[piece.len - 1]))
			piece.len--;
		out->items[out->count].text = piece.len ? arena_strndup(arena, (const char *)piece.data, piece.len) : "";
		buf_fini(&piece);
		if (!out->items[out->count].text)
			return;
		out->count++;
	}
}

const char *manual_item_take(ManualItems *items, const char *keyword, u32 line)
{
	for (u32 i = 0; i < items->count; i++) {
		ManualItem *item = &items->items[i];

		if (item->line == line && !item->taken && strcmp(item->keyword, keyword) == 0) {
			item->taken = true;
			return item->text;
		}
	}
	return NULL;
}

const char *manual_item_when(const char *text, Arena *arena)
{
	size_t len = strlen(text), start = 0, end;
	Scan scan = {text, 0, len, 1};

	for (size_t at = 0; at < len && text[at] != '{' && !start;) {
		size_t word = at;

		if (text[at] == '"') {
			at += string_length(&scan, at);
			continue;
		}
		while (word < len && is_word(text[word]))
			word++;
		if (word - at == 4 && memcmp(text + at, "when", 4) == 0)
			start = word;
		at = word > at ? word : at + 1;
	}
	if (!start)
		return "";
	for (end = start; end < len && text[end] != '{'; end++)
		if (!is_word(text[end - 1]) && ((len - end > 5 && memcmp(text + end, "cost ", 5) == 0) ||
						(len - end >= 8 && memcmp(text + end, "spelling", 8) == 0) ||
						(len - end >= 11 && memcmp(text + end, "restartable", 11) == 0)))
			break;
	while (start < end && is_blank(text[start]))
		start++;
	while (end > start && is_blank(text[end - 1]))
		end--;
	text = arena_strndup(arena, text + start, end - start);
	return text ? text : "";
}
