/* SPDX-License-Identifier: MIT
 *
 * Terminals: the console (console.c) and pseudo-terminals (pty.c), and what calls about them have in common (tty.c).
 */
#ifndef LINUX_TTY_H
#define LINUX_TTY_H

#include "linux/file.h"

enum { TERMIOS_SIZE = 36, TERMIOS2_SIZE = 44, WINSIZE_SIZE = 8 };

/* /dev/tty and /dev/console: a new reference in *out, or -errno (ENXIO: there is no terminal). */
i64 tty_open(Task *task, u32 flags, File **out);
i64 console_open(Task *task, u32 flags, File **out);

/* The console is the terminal of the task's session. */
bool tty_has_console(const Task *task);
/* pty.c: the pseudo-terminal that is. -ENXIO: none. */
i64 pty_open_controlling(Task *task, u32 flags, File **out);
bool file_is_console_terminal(const File *file);
/* ioctl on the console; ENOTTY where it is none. */
i64 console_ioctl(File *file, Task *task, u64 request, u64 argument);

/* A process reads from its terminal whose foreground group is this one: 0, or SIGTTIN was sent and -EAGAIN, or -EIO
 * when that would be in vain. */
i64 tty_may_read(Task *task, i32 foreground);
/* It changes the terminal: 0, CALL_WAIT (SIGTTOU was sent), -EIO. */
i64 tty_may_change(Task *task, i32 foreground);
i64 tty_set_foreground(Task *task, u64 argument, i32 *foreground); /* TIOCSPGRP */
void tty_signal_group(Kernel *kernel, i32 group, i32 number);
/* struct termios2 of a terminal that nobody has set. */
void tty_default_mode(u8 *termios);

#endif
