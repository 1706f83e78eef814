/* SPDX-License-Identifier: MIT
 *
 * System calls in words, as strace prints them. What is called by the kernel's files is in kernel.h; here is what
 * the three files of it share, and what tests look at.
 *
 *     strace.c        lines: who, when is a call interrupted by another task's, results, signals, exits
 *     strace_args.c   an argument by the letter that the tables of calls give it (syscalls.h lists them)
 *     strace_names.c  flags and numbers in words
 */
#ifndef LINUX_STRACE_H
#define LINUX_STRACE_H

#include "linux/kernel.h"

typedef struct StraceFlag {
	u64 value;
	const char *name;
} StraceFlag;

/* Numbers of one kind; ended by a NULL name. */
typedef struct StraceSet {
	const char *prefix;      /* of numbers without a name: "/" and so on; may be NULL */
	const StraceFlag *flags;
} StraceSet;

/* ---- Names ---- */
/* "ENOENT"; NULL: no such number. */
const char *strace_errno(u64 number);
/* "SIGSEGV", "SIGRT_3". */
void strace_signal_name(i64 number, Buf *out);
/* "[INT CHLD]" */
void strace_signal_set(u64 set, Buf *out);
void strace_signal_code(i32 number, i32 code, Buf *out);
/* By the letter of an argument that is a choice (L, y, F ...): "SEEK_SET", or the number. False: no such letter. */
bool strace_choice(char letter, u64 value, Buf *out);
/* By the letter of an argument that is a set of flags (O, M ...): "O_RDONLY|O_CLOEXEC". False: no such letter. */
bool strace_flags(char letter, u64 value, Buf *out);
/* "text\n" in quotes; behind `limit` bytes "..." */
void strace_text(const u8 *bytes, size_t len, size_t limit, Buf *out);

/* ---- Arguments ---- */
/* Is it known only when the call has been done? */
bool strace_is_output(char letter);
/* Argument number i of the call; result counts when it is an output. */
void strace_argument(Task *task, const char *letters, const u64 *args, unsigned i, i64 result, Buf *out);

#endif
