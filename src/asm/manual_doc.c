/* SPDX-License-Identifier: MIT
 *
 * The parts of a document, each in two forms: plain text (at most 78 columns where the content allows) and HTML (one
 * self-contained page: inline CSS, no scripts, dark or light as the reader's system says, fit to be printed).
 */
#include <stdarg.h>
#include <string.h>

#include "asm/manual.h"

enum { TEXT_COLUMNS = 78 };

/* Length of the UTF-8 sequence at text, or 0 when it is none (overlong forms, surrogates, beyond U+10FFFF). */
static size_t utf8_length(const u8 *text, size_t len)
{
	u32 point;
	size_t need;

	if (text[0] < 0x80)
		return 1;
	need = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
	if (text[0] < 0xC2 || text[0] > 0xF4 || len < need)
		return 0;
	point = text[0] & (0x7Fu >> need);
	for (size_t i = 1; i < need; i++) {
		if ((text[i] & 0xC0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3Fu);
	}
	if ((need == 3 && point < 0x800) || (need == 4 && (point < 0x10000 || point > 0x10FFFF)) ||
	    (point >= 0xD800 && point <= 0xDFFF) || (point >= 0x80 && point < 0xA0))
		return 0;
	return need;
}

/* Columns a terminal needs: code points (wide ones are not known here). */
static size_t columns_of(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += ((u8)*text & 0xC0) != 0x80;
	return columns;
}

void doc_escape(Buf *out, bool html, const char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		u8 c = (u8)text[at];
		size_t length = utf8_length((const u8 *)text + at, len - at);

		if (length == 0 || (c < 32 && c != '\n' && c != '\t') || c == 127) {
			buf_str(out, html ? "\xEF\xBF\xBD" : "?");
			at++;
			continue;
		}
		if (html && c == '&')
			buf_str(out, "&amp;");
		else if (html && c == '<')
			buf_str(out, "&lt;");
		else if (html && c == '>')
			buf_str(out, "&gt;");
		else if (html && c == '"')
			buf_str(out, "&quot;");
		else if (html && c == '\'')
			buf_str(out, "&#39;");
		else
			buf_add(out, text + at, length);
		at += length;
	}
}

/* `x` in somebody's prose is code, where the form can show it. */
void doc_text(Doc *doc, const char *text)
{
	const char *open, *close;

	if (!text)
		return;
	while (doc->html && (open = strchr(text, '`')) != NULL && (close = strchr(open + 1, '`')) != NULL && close > open + 1) {
		doc_escape(doc->out, true, text, (size_t)(open - text));
		buf_str(doc->out, "<code>");
		doc_escape(doc->out, true, open + 1, (size_t)(close - open - 1));
		buf_str(doc->out, "</code>");
		text = close + 1;
	}
	doc_escape(doc->out, doc->html, text, strlen(text));
}

/* Letters, digits, '-' and '.' stay; everything else is written as _XX, so different names get different ids. */
const char *doc_id(Arena *arena, const char *prefix, const char *name)
{
	const char *id;
	Buf buf;

	buf_init(&buf);
	buf_printf(&buf, "%s-", prefix);
	for (; *name; name++)
		if ((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || (*name >= '0' && *name <= '9') ||
		    *name == '-' || *name == '.')
			buf_byte(&buf, (u8)*name);
		else
			buf_printf(&buf, "_%02X", (u8)*name);
	id = arena_strdup(arena, buf_text(&buf));
	buf_fini(&buf);
	return id ? id : prefix;
}

void doc_heading(Doc *doc, unsigned level, const char *id, const char *text)
{
	if (doc->html) {
		buf_printf(doc->out, "<h%u", level);
		if (id)
			buf_printf(doc->out, " id=\"%s\"", id);
		buf_byte(doc->out, '>');
		doc_text(doc, text);
		buf_printf(doc->out, "</h%u>\n", level);
		return;
	}
	/* Two blank lines before a chapter, one before a section; none at the top. */
	while (doc->out->len && doc->out->data[doc->out->len - 1] == '\n')
		doc->out->data[--doc->out->len] = 0;
	if (doc->out->len)
		buf_str(doc->out, level < 3 ? "\n\n\n" : "\n\n");
	doc_text(doc, text);
	buf_byte(doc->out, '\n');
	if (level < 4)
		buf_fill(doc->out, level == 1 ? '=' : '-', columns_of(text));
	buf_str(doc->out, level < 4 ? "\n\n" : "\n");
}

/* How an instruction is written: one line that stands out. */
void doc_syntax(Doc *doc, const char *text)
{
	buf_str(doc->out, doc->html ? "<p class=\"syntax\"><code>" : "    ");
	doc_text(doc, text);
	buf_str(doc->out, doc->html ? "</code></p>\n" : "\n\n");
}

/* Words filled to the line's width, `indent` blanks in front of every line. */
static void fill_text(Doc *doc, const char *text, unsigned indent)
{
	size_t column = 0;

	while (*text) {
		const char *end;
		size_t width = 0;

		while (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\r')
			text++;
		for (end = text; *end && *end != ' ' && *end != '\t' && *end != '\n' && *end != '\r'; end++)
			width += ((u8)*end & 0xC0) != 0x80;
		if (end == text)
			break;
		if (column && column + 1 + width > TEXT_COLUMNS) {
			buf_byte(doc->out, '\n');
			column = 0;
		}
		if (column == 0) {
			buf_fill(doc->out, ' ', indent);
			column = indent;
		} else {
			buf_byte(doc->out, ' ');
			column++;
		}
		doc_escape(doc->out, false, text, (size_t)(end - text));
		column += width;
		text = end;
	}
	if (column)
		buf_byte(doc->out, '\n');
}

void doc_para(Doc *doc, const char *text)
{
	if (!text || !*text)
		return;
	if (doc->html) {
		buf_str(doc->out, "<p>");
		doc_text(doc, text);
		buf_str(doc->out, "</p>\n");
		return;
	}
	fill_text(doc, text, 0);
	buf_byte(doc->out, '\n');
}

void doc_paraf(Doc *doc, const char *format, ...)
{
	va_list args;
	Buf text;

	buf_init(&text);
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	doc_para(doc, buf_text(&text));
	buf_fini(&text);
}

/* Blanks and tabs at the start of a line; a tab counts to the next multiple of 8. */
static size_t indentation(const char *line, const char **rest)
{
	size_t column = 0;

	for (; *line == ' ' || *line == '\t'; line++)
		column = *line == '\t' ? (column / 8 + 1) * 8 : column + 1;
	*rest = line;
	return column;
}

void doc_code(Doc *doc, const char *text)
{
	size_t common = (size_t)-1;
	const char *line = text, *rest;

	if (!text || !*text)
		return;
	/* The first line usually stands behind a brace, so the others decide. */
	while ((line = strchr(line, '\n')) != NULL) {
		size_t indent = indentation(++line, &rest);

		if (*rest && *rest != '\n' && indent < common)
			common = indent;
	}
	if (doc->html)
		buf_str(doc->out, "<pre>");
	for (line = text; *line;) {
		size_t length = strcspn(line, "\n"), indent = indentation(line, &rest);

		if (line == text)
			indent = 0;
		else
			indent = indent > common ? indent - common : 0;
		if (rest > line + length)
			rest = line + length;
		if (!doc->html && (size_t)(line + length - rest))
			buf_fill(doc->out, ' ', 4);
		buf_fill(doc->out, ' ', (size_t)(line + length - rest) ? indent : 0);
		doc_escape(doc->out, doc->html, rest, (size_t)(line + length - rest));
		line += length + (line[length] == '\n');
		if (*line || !doc->html)
			buf_byte(doc->out, '\n');
	}
	buf_str(doc->out, doc->html ? "</pre>\n" : "\n");
}

/* ---- Tables ---- */

void doc_cell_link(Doc *doc, const char *text, const char *id)
{
	size_t len = text ? strlen(text) : 0;

	if (!arena_grow(doc->arena, (void **)&doc->cells, &doc->cell_cap, doc->cell_count, sizeof *doc->cells))
		return;
	while (len && text[len - 1] == ' ')
		len--;
	doc->cells[doc->cell_count++] = (DocCell){text ? arena_strndup(doc->arena, text, len) : NULL, id};
}

void doc_cell(Doc *doc, const char *text)
{
	doc_cell_link(doc, text, NULL);
}

void doc_cellf(Doc *doc, const char *format, ...)
{
	va_list args;
	Buf text;

	buf_init(&text);
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	doc_cell(doc, buf_text(&text));
	buf_fini(&text);
}

void doc_table_begin(Doc *doc, const char *code_columns, const char *const *titles)
{
	doc->cells = NULL;
	doc->cell_count = doc->cell_cap = 0;
	doc->code_columns = code_columns;
	doc->columns = (u32)strlen(code_columns);
	for (u32 i = 0; i < doc->columns; i++)
		doc_cell(doc, titles[i]);
}

static void table_html(Doc *doc)
{
	buf_str(doc->out, "<div class=\"wide\"><table class=\"list\">\n");
	for (u32 i = 0; i < doc->cell_count; i++) {
		const DocCell *cell = &doc->cells[i];
		bool head = i < doc->columns, code = !head && doc->code_columns[i % doc->columns] == 'c';

		if (i % doc->columns == 0)
			buf_str(doc->out, "<tr>");
		buf_str(doc->out, head ? "<th scope=\"col\">" : "<td>");
		if (cell->link)
			buf_printf(doc->out, "<a href=\"#%s\">", cell->link);
		if (code && cell->text && *cell->text)
			buf_str(doc->out, "<code>");
		doc_text(doc, cell->text);
		if (code && cell->text && *cell->text)
			buf_str(doc->out, "</code>");
		if (cell->link)
			buf_str(doc->out, "</a>");
		buf_str(doc->out, head ? "</th>" : "</td>");
		if (i % doc->columns == doc->columns - 1)
			buf_str(doc->out, "</tr>\n");
	}
	buf_str(doc->out, "</table></div>\n");
}

/* Columns as wide as their widest cell; the last column is filled into what is left of the line. */
static void table_text(Doc *doc)
{
	size_t width[8] = {0}, left = 2;

	for (u32 i = 0; i < doc->cell_count; i++) {
		size_t need = doc->cells[i].text ? columns_of(doc->cells[i].text) : 0;

		if (need > width[i % doc->columns])
			width[i % doc->columns] = need;
	}
	for (u32 i = 0; i + 1 < doc->columns; i++)
		left += width[i] + 2;
	for (u32 i = 0; i < doc->cell_count; i++) {
		const char *text = doc->cells[i].text ? doc->cells[i].text : "";
		u32 column = i % doc->columns;

		if (column == 0)
			buf_str(doc->out, "  ");
		if (column + 1 < doc->columns) {
			bool rest = false;

			for (u32 k = i + 1; k < i + doc->columns - column; k++)
				rest |= k < doc->cell_count && doc->cells[k].text && *doc->cells[k].text;
			doc_text(doc, text);
			if (rest)
				buf_fill(doc->out, ' ', width[column] + 2 - columns_of(text));
			continue;
		}
		if (left + columns_of(text) <= TEXT_COLUMNS || left > TEXT_COLUMNS - 20) {
			doc_text(doc, text);
			buf_byte(doc->out, '\n');
			continue;
		}
		/* Too long: filled, the first line goes on where the row stands. */
		Buf filled;
		Doc inner = *doc;

		buf_init(&filled);
		inner.out = &filled;
		fill_text(&inner, text, (unsigned)left);
		if (filled.len > left)
			buf_add(doc->out, filled.data + left, filled.len - left);
		else
			buf_byte(doc->out, '\n');
		buf_fini(&filled);
	}
	buf_byte(doc->out, '\n');
}

void doc_table_end(Doc *doc)
{
	/* Memory ran out in the middle of a row: leave the torn row away. */
	if (doc->columns)
		doc->cell_count -= doc->cell_count % doc->columns;
	if (doc->columns && doc->columns <= 8 && doc->cell_count > doc->columns) {
		if (doc->html)
			table_html(doc);
		else
			table_text(doc);
	}
	doc->columns = doc->cell_count = 0;
}

/* ---- The page ---- */

static const char style[] =
	":root{--paper:#fff;--ink:#1c1e21;--soft:#5b6067;--line:#d4d7dc;--band:#f4f5f7;--link:#0b57a4;--fixed:#e9ecf1;"
	"--field:#dcebfa;--should:#f6efda;color-scheme:light dark}\n"
	"@media(prefers-color-scheme:dark){:root{--paper:#16181b;--ink:#e3e5e8;--soft:#9aa0a8;--line:#3a3e45;--band:#1f2226;"
	"--link:#7db7f0;--fixed:#2a2e35;--field:#1d3550;--should:#3b3319}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,"
	"'Noto Sans',sans-serif;display:grid;grid-template-columns:minmax(0,1fr)}\n"
	"main{max-width:60rem;padding:1.5rem 1.25rem 4rem;width:100%;margin:0 auto}\n"
	"nav{padding:1rem;border-bottom:1px solid var(--line);background:var(--band);font-size:.875rem}\n"
	"nav ul{list-style:none;margin:0 0 .6rem;padding:0;columns:9rem auto;column-gap:1rem}\n"
	"nav b{display:block;margin:.3rem 0 .2rem}\n"
	"nav a{text-decoration:none}\n"
	"@media(min-width:70rem){body{grid-template-columns:16rem minmax(0,1fr)}nav{position:sticky;top:0;height:100vh;"
	"overflow-y:auto;border-bottom:0;border-right:1px solid var(--line)}nav ul{columns:6rem auto}main{margin:0 2rem}}\n"
	"a{color:var(--link)}\n"
	"h1{font-size:1.9rem;line-height:1.2;margin:.2rem 0 .3rem}\n"
	"h2{font-size:1.4rem;margin:3rem 0 .8rem;padding-bottom:.25rem;border-bottom:1px solid var(--line)}\n"
	"h3{font-size:1.15rem;margin:2.2rem 0 .5rem;font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace}\n"
	"h4{font-size:.95rem;margin:1.1rem 0 .3rem;color:var(--soft)}\n"
	"p{margin:.5rem 0;max-width:46rem}\n"
	"code,pre,.enc,.map{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:.875em}\n"
	"pre{background:var(--band);border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem;overflow-x:auto;"
	"line-height:1.45;margin:.5rem 0;white-space:pre-wrap}\n"
	".wide{overflow-x:auto;margin:.6rem 0}\n"
	"table{border-collapse:collapse}\n"
	".list td:first-child{white-space:nowrap}.list td,.list th{text-align:left;vertical-align:top;padding:.25rem .9rem .25rem 0;border-bottom:1px solid "
	"var(--line)}\n"
	".list th{font-size:.8rem;color:var(--soft);font-weight:600;border-bottom-width:2px}\n"
	".syntax{font-weight:600;margin:1.1rem 0 .4rem}.syntax code{font-size:1em}\n"
	".enc{table-layout:fixed;text-align:center;margin:.2rem 0 .6rem}\n"
	".enc th{font-weight:400;font-size:.72rem;color:var(--soft);padding:0 .15rem;line-height:1.3}\n"
	".enc .ends{display:flex;justify-content:space-between}\n"
	".enc .ends.one{justify-content:center}\n"
	".enc td{border:1px solid var(--soft);padding:.3rem .1rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}\n"
	".enc .x{background:var(--fixed)}.enc .f{background:var(--field)}.enc .s{background:var(--should);color:var(--soft)}\n"
	".enc .bits{display:flex;justify-content:space-around}\n"
	".map td,.map th{border:1px solid var(--line);padding:.25rem .4rem;vertical-align:top;text-align:left}\n"
	".map th{font-weight:400;color:var(--soft);white-space:nowrap}\n"
	".map .none{background:var(--band);color:var(--soft);text-align:center}\n"
	".map a{display:inline-block;margin-right:.35rem;text-decoration:none}\n"
	".lead{color:var(--soft);font-size:1.05rem;margin-top:0}\n"
	"section{break-inside:avoid}\n"
	"@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--line:#bbb;--band:#f6f6f6;--link:#000;--fixed:#eee;"
	"--field:#fff;--should:#f8f8f8}body{display:block;font-size:10pt}nav{display:none}main{max-width:none;padding:0;"
	"margin:0}h2,h3,h4{break-after:avoid}pre,table{break-inside:avoid}.wide{overflow:visible}a{text-decoration:none}}\n";

void doc_page_begin(Doc *doc, const char *title)
{
	if (!doc->html)
		return;
	buf_str(doc->out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
			  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
			  "<meta name=\"generator\" content=\"husk\">\n<title>");
	doc_text(doc, title);
	buf_printf(doc->out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", style);
}

void doc_page_end(Doc *doc)
{
	if (doc->html)
		buf_str(doc->out, "</main>\n</body>\n</html>\n");
}
