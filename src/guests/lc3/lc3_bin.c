/* SPDX-License-Identifier: MIT
 *
 * .bin: a program as people write it by hand. A line holds the 16 binary digits of a word, in groups as one likes; the
 * first word is the origin; `;` begins a comment.
 */
#include "guests/lc3/lc3.h"

static bool is_blank(u8 c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* One line from *at on, moved behind it. 0 an empty line, 1 a word, -1 an error that was reported. */
static int read_line(const Source *source, size_t *at, u16 *word, DiagList *diags)
{
	const u8 *text = (const u8 *)source->text;
	size_t i = *at, start = source->len, end = i, bad = source->len;
	unsigned digits = 0;
	u32 value = 0;

	for (; i < source->len && text[i] != '\n' && text[i] != ';'; i++) {
		if (is_blank(text[i]))
			continue;
		if (start == source->len)
			start = i;
		end = i + 1;
		if (text[i] != '0' && text[i] != '1' && bad == source->len)
			bad = i;
		value = value << 1 | (text[i] & 1);
		digits++;
	}
	while (i < source->len && text[i] != '\n')
		i++;
	*at = i + 1;
	*word = (u16)value;
	if (!digits)
		return 0;
	if (bad != source->len) {
		diag_report(diags, DIAG_ERROR, source, bad, 1, "a line holds 16 digits 0 or 1", "not a binary digit");
		return -1;
	}
	if (digits != 16) {
		diag_report(diags, DIAG_ERROR, source, start, end - start, NULL, "%u digits where a word has 16", digits);
		return -1;
	}
	return 1;
}

Status lc3_bin_read(const GuestFile *file, Lc3Object *out, DiagList *diags)
{
	Source source = { file->name, (const char *)file->data, file->len };
	bool fine = true;

	for (size_t at = 0; at < source.len;) {
		u16 word;
		int got = read_line(&source, &at, &word, diags);

		if (got < 0)
			fine = false;
		if (got <= 0 || !fine)
			continue;
		if (!out->count) {
			if (!lc3_object_origin(out, word, file->name, diags))
				return STATUS_NOMEM;
		} else if (!lc3_object_word(out, word, file->name, diags)) {
			return STATUS_RANGE;
		}
	}
	if (fine && !out->count) {
		diag_report_file(diags, DIAG_ERROR, file->name, NULL, "the file holds no word");
		return STATUS_FORMAT;
	}
	return fine ? STATUS_OK : STATUS_SYNTAX;
}
