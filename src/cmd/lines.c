/* SPDX-License-Identifier: MIT */
#include "cmd/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/say.h"

#ifdef HAVE_LIBEDIT
#include <histedit.h>

#include "base/library.h"

#define WANTED(X)                                                                                                     \
	X(el_init) X(el_end) X(el_set) X(el_get) X(el_source) X(el_gets) X(el_line) X(el_insertstr) X(el_reset) X(history)    \
	X(history_init) X(history_end)
#define POINTER(name) __typeof__(name) *name;
#define NAME(name) #name,

typedef struct Libedit {
	WANTED(POINTER)
} Libedit;

static const char *const libedit_names[] = {WANTED(NAME) NULL};
static Libedit libedit; /* written by open_editor: what the editor calls back has no other way to it */
#endif

enum { LINE_MOST = 65536, AHEAD = 65536 };

struct Lines {
	LinesConfig config;
	const char *prompt;
	Buf line;
	bool edits, ended, cut;
	u8 *ahead;       /* owned; when buffered: bytes at..have are not taken yet */
	size_t at, have;
#ifdef HAVE_LIBEDIT
	EditLine *edit;
	History *history;
#endif
};

#ifdef HAVE_LIBEDIT
static char *give_prompt(EditLine *edit)
{
	Lines *lines = NULL;

	libedit.el_get(edit, EL_CLIENTDATA, &lines);
	return (char *)(lines && lines->prompt ? lines->prompt : "");
}

/* How many characters all the words begin with. */
static size_t common_length(const char *words, u32 count)
{
	size_t common = strlen(words);
	const char *word = words;

	for (u32 i = 1; i < count; i++) {
		size_t k = 0;

		word += strlen(word) + 1;
		while (k < common && word[k] == words[k])
			k++;
		common = k;
	}
	return common;
}

static void list_words(const char *words, u32 count)
{
	printf("\n");
	for (u32 i = 0; i < count && i < 200; i++) {
		printf("%s%s", words, (i + 1) % 8 && i + 1 < count ? "  " : "\n");
		words += strlen(words) + 1;
	}
	fflush(stdout);
}

static unsigned char on_tab(EditLine *edit, int key)
{
	const LineInfo *info = libedit.el_line(edit);
	Lines *lines = NULL;
	Buf words, line;
	size_t begun, common;
	u32 count = 0;
	unsigned char result = CC_ERROR;

	(void)key;
	if (libedit.el_get(edit, EL_CLIENTDATA, &lines) != 0 || !lines)
		return CC_ERROR;
	buf_init(&words);
	buf_init(&line);
	buf_add(&line, info->buffer, (size_t)(info->cursor - info->buffer));
	begun = lines->config.complete(lines->config.ctx, buf_text(&line), &words, &count);
	if (count && !words.failed && !line.failed) {
		common = common_length(buf_text(&words), count);
		if (count == 1 || common > begun) {
			Buf more;

			buf_init(&more);
			buf_add(&more, words.data + begun, common - begun);
			if (count == 1)
				buf_byte(&more, ' ');
			if (more.len && libedit.el_insertstr(edit, buf_text(&more)) == 0)
				result = CC_REFRESH;
			buf_fini(&more);
		} else {
			list_words(buf_text(&words), count);
			result = CC_REDISPLAY;
		}
	}
	buf_fini(&words);
	buf_fini(&line);
	return result;
}

static void open_editor(Lines *lines)
{
	HistEvent event;

	if (library_load(LIBEDIT_FILE, libedit_names, &libedit))
		return;
	lines->edit = libedit.el_init("husk", stdin, stdout, stderr);
	lines->history = libedit.history_init();
	if (!lines->edit || !lines->history)
		return;
	libedit.history(lines->history, &event, H_SETSIZE, 1000);
	libedit.history(lines->history, &event, H_SETUNIQUE, 1);
	libedit.el_set(lines->edit, EL_CLIENTDATA, lines);
	libedit.el_set(lines->edit, EL_PROMPT, give_prompt);
	libedit.el_set(lines->edit, EL_EDITOR, "emacs");
	libedit.el_set(lines->edit, EL_HIST, libedit.history, lines->history);
	libedit.el_set(lines->edit, EL_ADDFN, "husk-complete", "complete a name", on_tab);
	libedit.el_set(lines->edit, EL_BIND, "^I", "husk-complete", NULL);
	libedit.el_set(lines->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
	libedit.el_source(lines->edit, NULL);
	lines->edits = true;
}

static const char *read_edited(Lines *lines, bool *interrupted)
{
	HistEvent event;
	int count = 0;
	const char *text;

	errno = 0;
	text = libedit.el_gets(lines->edit, &count);
	if (!text || count <= 0) {
		*interrupted = errno == EINTR;
		if (*interrupted)
			libedit.el_reset(lines->edit);
		return NULL;
	}
	buf_clear(&lines->line);
	buf_add(&lines->line, text, strcspn(text, "\r\n"));
	if (lines->line.len)
		libedit.history(lines->history, &event, H_ENTER, buf_text(&lines->line));
	return buf_text(&lines->line);
}
#endif

Lines *lines_open(const LinesConfig *config)
{
	Lines *lines = calloc(1, sizeof(*lines));

	if (!lines)
		return NULL;
	lines->config = *config;
	buf_init(&lines->line);
	if (config->buffered)
		lines->ahead = malloc(AHEAD);
#ifdef HAVE_LIBEDIT
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		open_editor(lines);
#endif
	return lines;
}

void lines_close(Lines *lines)
{
	if (!lines)
		return;
#ifdef HAVE_LIBEDIT
	if (lines->edit)
		libedit.el_end(lines->edit);
	if (lines->history)
		libedit.history_end(lines->history);
#endif
	buf_fini(&lines->line);
	free(lines->ahead);
	free(lines);
}

/* One byte; -1 at the end, -2 when a signal came. Without read-ahead what stands behind the line stays for whoever
 * reads stdin next. */
static int next_byte(Lines *lines)
{
	u8 byte, *to = lines->ahead ? lines->ahead : &byte;
	ssize_t got;

	if (lines->at < lines->have)
		return lines->ahead[lines->at++];
	got = read(STDIN_FILENO, to, lines->ahead ? AHEAD : 1);
	if (got < 0 && errno == EINTR)
		return -2;
	if (got <= 0)
		return -1;
	if (lines->ahead) {
		lines->at = 1;
		lines->have = (size_t)got;
	}
	return *to;
}

static const char *read_plain(Lines *lines, bool *interrupted)
{
	buf_clear(&lines->line);
	while (!lines->ended) {
		int byte = next_byte(lines);

		if (byte == -2) {
			*interrupted = true;
			return NULL;
		}
		if (byte < 0) {
			lines->ended = true;
			break;
		}
		if (byte == '\n')
			return buf_text(&lines->line);
		if (lines->line.len < LINE_MOST) {
			buf_byte(&lines->line, (u8)byte);
			continue;
		}
		lines->cut = true;
		if (!lines->config.cuts) {
			lines->ended = true; /* no commands: a device without end, a file of another kind */
			break;
		}
	}
	return lines->line.len ? buf_text(&lines->line) : NULL;
}

const char *lines_read(Lines *lines, const char *prompt, bool *interrupted)
{
	*interrupted = false;
	lines->prompt = prompt;
	lines->cut = false;
#ifdef HAVE_LIBEDIT
	if (lines->edits)
		return read_edited(lines, interrupted);
#endif
	if (lines->config.prompts || isatty(STDIN_FILENO))
		say_write(STDOUT_FILENO, prompt, strlen(prompt));
	return read_plain(lines, interrupted);
}

size_t lines_length(const Lines *lines)
{
	return lines->line.len;
}

bool lines_was_cut(const Lines *lines)
{
	return lines->cut;
}
