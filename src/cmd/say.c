/* SPDX-License-Identifier: MIT */
#include "cmd/say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strmap.h"

bool say_color(int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

bool say_write(int fd, const void *bytes, size_t len)
{
	const u8 *at = bytes;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static void add_printable(Buf *out, const Buf *text)
{
	for (size_t i = 0; i < text->len; i++) {
		if (text->data[i] < 32 || text->data[i] == 127)
			buf_printf(out, "\\x%02X", text->data[i]);
		else
			buf_byte(out, text->data[i]);
	}
}

static void say(const char *color, const char *label, const char *format, va_list args)
{
	Buf text, line;

	buf_init(&text);
	buf_init(&line);
	buf_vprintf(&text, format, args);
	if (say_color(STDERR_FILENO))
		buf_printf(&line, "\033[%sm%s\033[0m", color, label);
	else
		buf_str(&line, label);
	add_printable(&line, &text);
	buf_byte(&line, '\n');
	if (!line.failed)
		say_write(STDERR_FILENO, line.data, line.len);
	buf_fini(&text);
	buf_fini(&line);
}

void say_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("1;31", "husk: error: ", format, args);
	va_end(args);
}

void say_hint(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("36", "  hint: ", format, args);
	va_end(args);
}

void say_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("1", "husk: ", format, args);
	va_end(args);
}

void say_diags(const DiagList *diags)
{
	Buf text;

	buf_init(&text);
	diag_render(diags, &text, say_color(STDERR_FILENO));
	say_write(STDERR_FILENO, text.data, text.len);
	buf_fini(&text);
}

int say_output(const Buf *text, const char *path)
{
	int fd = STDOUT_FILENO, error = 0;
	bool to_file = path && strcmp(path, "-") != 0;

	if (text->failed) {
		say_error("out of memory");
		return EXIT_HUSK;
	}
	if (to_file)
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || !say_write(fd, text->data, text->len))
		error = errno;
	if (to_file && fd >= 0 && close(fd) < 0 && !error)
		error = errno;
	if (!error)
		return 0;
	if (!to_file && error == EPIPE) /* the reader has seen enough */
		return EXIT_SIGNAL + 13;
	say_error("cannot write %s: %s", to_file ? path : "to standard output", strerror(error));
	return EXIT_HUSK;
}

/* Edits between two words: insert, delete, replace, or swap two neighbours; letters' case does not count. */
static unsigned distance(const char *a, const char *b)
{
	enum { MAX = 32 };
	unsigned row[3][MAX + 1];
	size_t alen = strlen(a), blen = strlen(b);

	if (alen > MAX || blen > MAX)
		return MAX;
	for (size_t j = 0; j <= blen; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= alen; i++) {
		unsigned *now = row[i % 3];
		const unsigned *above = row[(i + 2) % 3], *above2 = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= blen; j++) {
			char x = ascii_lower(a[i - 1]), y = ascii_lower(b[j - 1]);
			unsigned best = above[j - 1] + (x != y);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && x == ascii_lower(b[j - 2]) && y == ascii_lower(a[i - 2]) &&
			    above2[j - 2] + 1 < best)
				best = above2[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[alen % 3][blen];
}

const char *say_nearest(const char *word, const char *const *words)
{
	const char *nearest = NULL;
	unsigned best = strlen(word) < 4 ? 2 : 3; /* farther away than this minus one is no likeness */

	for (; *words; words++) {
		unsigned d = distance(word, *words);

		if (strlen(word) >= 3 && strncmp(word, *words, strlen(word)) == 0)
			d = 1;
		if (d < best) {
			best = d;
			nearest = *words;
		}
	}
	return nearest;
}
