/* SPDX-License-Identifier: MIT
 *
 * Where the lines of a conversation come from (debug, repl): libedit (history, completion) when Husk was built with it
 * and stdin and stdout are terminals, else plain lines of stdin.
 */
#ifndef CMD_LINES_H
#define CMD_LINES_H

#include "base/buf.h"
#include "base/types.h"

typedef struct Lines Lines;

typedef struct LinesConfig {
	/* Adds each word that may stand at the end of `line`, and begins as the text there does, to `out`, divided by
	 * NULs. Gives the length of the beginning. */
	size_t (*complete)(void *ctx, const char *line, Buf *out, u32 *count);
	void *ctx;
	bool prompts;  /* print the prompt also when stdin is no terminal */
	bool buffered; /* read ahead: nobody else reads stdin */
	bool cuts;     /* an overlong line is cut (lines_was_cut); else it ends the input: it is no conversation */
} LinesConfig;

/* NULL when memory is out. */
Lines *lines_open(const LinesConfig *config);
void lines_close(Lines *lines);
/* The next line without its end; NULL at the end of input. *interrupted: Ctrl-C, no line. Valid until the next call. */
const char *lines_read(Lines *lines, const char *prompt, bool *interrupted);
/* About the line last read: its bytes (there may be NULs among them); was more of it thrown away? */
size_t lines_length(const Lines *lines);
bool lines_was_cut(const Lines *lines);

#endif
