/* SPDX-License-Identifier: MIT
 *
 * Messages about text that somebody wrote: file, line, column, what is wrong, the line with a caret, and a hint.
 *
 *     prog.asm:14:14: error: 40 does not fit 'i', 5 bits signed (-16..15)
 *       14 |     ADD R0, R0, #40
 *          |                 ^~~
 *          = hint: load it from memory with LD
 *
 * A DiagList owns copies of everything it shows, so sources may go away first. It keeps at most DIAG_MAX
 * messages and counts the rest. Library code collects; only cmd/ prints.
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/types.h"

enum { DIAG_MAX = 50 };

typedef struct Source {
	const char *name; /* borrowed: as shown to the user */
	const char *text; /* borrowed; need not be NUL-terminated */
	size_t len;
} Source;

typedef enum DiagLevel { DIAG_ERROR, DIAG_WARNING } DiagLevel;

typedef struct Diag {
	DiagLevel level;
	const char *file;
	u32 line, column, length; /* 1-based; length in bytes; line 0 = about the file as a whole */
	const char *message;
	const char *hint;      /* or NULL */
	const char *line_text; /* or NULL */
} Diag;

typedef struct DiagList {
	Arena arena;
	Diag items[DIAG_MAX];
	u32 count;            /* items kept */
	u32 errors, warnings; /* all that were reported */
} DiagList;

void diag_init(DiagList *list);
void diag_fini(DiagList *list);

/* Reports at byte `offset` of the source, `length` bytes long. hint may be NULL. */
void diag_report(DiagList *list, DiagLevel level, const Source *source, size_t offset, size_t length,
		 const char *hint, const char *format, ...) __attribute__((format(printf, 7, 8)));
/* Reports about a file as a whole. */
void diag_report_file(DiagList *list, DiagLevel level, const char *file, const char *hint, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Line and column (1-based; column in bytes) of an offset. */
void source_position(const Source *source, size_t offset, u32 *line, u32 *column);

/* All messages as text, in the form shown above. */
void diag_render(const DiagList *list, Buf *out, bool color);
/* All messages as a JSON array of {level,file,line,column,length,message,hint}. */
void diag_render_json(const DiagList *list, Buf *out);

#endif
