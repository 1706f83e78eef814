/* SPDX-License-Identifier: MIT
 *
 * Pseudo-terminals: pty.c (the two ends), pty_line.c (the line discipline between them), vfs_pts.c (/dev/pts).
 *
 *     master --write--> [ discipline: echo, lines, signals ] --input--> slave
 *            <--read--  output  <----- (\n becomes \r\n) -----  write
 */
#ifndef LINUX_PTY_H
#define LINUX_PTY_H

#include "linux/stream.h"
#include "linux/tty.h"

enum { PTY_LIMIT = 256, PTY_LINES = 256, PTY_LINE_MAX = 4095, PTY_MAJOR = 136 };

typedef struct Pty {
	Kernel *kernel;
	u32 number;
	u32 masters, slaves;    /* open files */
	bool locked, was_open;  /* was_open: a slave has been */
	bool stopped;           /* ^S, tcflow: what the slave writes waits */
	u8 termios[TERMIOS2_SIZE], size[WINSIZE_SIZE];
	ByteQueue input, output;
	/* Canonical mode: how long each line in `input` is (0: the end of input was typed). Raw bytes are no lines. */
	u32 lines[PTY_LINES];
	u32 first_line, line_count;
	u8 line[PTY_LINE_MAX + 1]; /* being typed */
	u32 line_len;
	WaitQueue master_changed, slave_changed;
	i32 session, foreground; /* whose controlling terminal it is; 0: nobody's */
} Pty;

u8 pty_character(const Pty *pty, u32 which);
bool pty_is_canonical(const Pty *pty);

/* What was typed. Bytes taken: fewer when the slave does not read. */
u64 pty_type(Pty *pty, const u8 *from, u64 len);
u64 pty_print(Pty *pty, const u8 *from, u64 len); /* what the slave writes */
bool pty_has_input(const Pty *pty);
u64 pty_take(Pty *pty, u8 *to, u64 len); /* when it has */
/* New modes: what waits is a line, or no longer one. */
void pty_set_termios(Pty *pty, const u8 *termios, u32 size);
void pty_flush(Pty *pty, bool input, bool output);

/* ---- For vfs_pts.c ---- */
i64 ptmx_open(Task *task, u32 flags, File **out);
/* The slave's end; -EIO while it is locked. */
i64 pts_open(Task *task, u32 number, u32 flags, File **out);
bool pts_exists(const Kernel *kernel, u32 number);
void pts_stat(Kernel *kernel, u32 number, FileStat *out);

#endif
