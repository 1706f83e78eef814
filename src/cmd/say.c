/* SPDX-License-Identifier: MIT */
#include "cmd/say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/nearest.h"

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

const char *say_nearest(const char *word, const char *const *words)
{
	Nearest nearest = nearest_to(word, strlen(word));

	for (; *words; words++)
		nearest_consider(&nearest, *words);
	return nearest.name;
}
