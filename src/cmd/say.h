/* SPDX-License-Identifier: MIT
 *
 * Talking to the person in front: errors and notes on stderr, results on stdout, colour only where it is wanted.
 * Messages are one line each; control characters in them (a file name may hold anything) are shown as \xNN.
 */
#ifndef CMD_SAY_H
#define CMD_SAY_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/types.h"

/* Exit codes of husk, as container and shell tools use them. A guest's own code is passed on as it is. */
enum {
	EXIT_TIMEOUT = 124,     /* --timeout ran out */
	EXIT_HUSK = 125,        /* husk itself failed, or was called wrongly */
	EXIT_NOT_RUNNABLE = 126,/* a file is there but is no program (or has errors) */
	EXIT_NOT_FOUND = 127,   /* a file is not there */
	EXIT_SIGNAL = 128,      /* + number of the signal, also for what stands for one: see run.c */
	EXIT_LIMIT = 137,       /* --fuel or --memory ran out */
};

void say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A further line under an error: what to do about it. */
void say_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* All diagnostics, on stderr. */
void say_diags(const DiagList *diags);

/* Is colour wanted on this stream? It is a terminal, NO_COLOR is unset or empty, TERM is not "dumb". */
bool say_color(int fd);

/* Writes everything to a file descriptor; false with errno set. */
bool say_write(int fd, const void *bytes, size_t len);
/* The text to stdout, or to the file `path` unless that is NULL or "-". Complains itself; gives an exit code. */
int say_output(const Buf *text, const char *path);

/* The one of `words` (ended by NULL) that looks most like `word`, or NULL when none is close. */
const char *say_nearest(const char *word, const char *const *words);

#endif
