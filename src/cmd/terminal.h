/* SPDX-License-Identifier: MIT
 *
 * The terminal while a guest runs, and the signals that end it.
 *
 * When stdin is a terminal and the guest reads the keyboard, it is put into raw mode: bytes arrive one by one and
 * are not echoed; Ctrl-C, Ctrl-Z and Ctrl-\ still make signals. Whatever happens (the guest ends, SIGINT, SIGTERM,
 * SIGHUP, SIGQUIT, a crash of husk itself, suspension) the terminal is put back as it was, and made raw again when
 * husk continues in the foreground.
 *
 * A guest with signals and terminal modes of its own (a Linux program) gets both: terminal_open_guest.
 *
 * Signals have no context argument, so this is the one place of husk with variables that change. One Terminal at a
 * time.
 */
#ifndef CMD_TERMINAL_H
#define CMD_TERMINAL_H

#include <poll.h>

#include "base/types.h"

/* Installs the signal handlers. raw: stdin is made raw if it is a terminal in whose foreground husk is. screen: stdout
 * shows the alternate screen, with the cursor hidden. */
void terminal_open(bool raw, bool screen);
/* Puts everything back. */
void terminal_close(void);
/* True once after husk was suspended and came back: the screen is empty again. */
bool terminal_screen_lost(void);

/* The signal that asks husk to end (SIGINT, SIGTERM, SIGHUP, SIGQUIT), or 0. A second one ends it at once. */
int terminal_signal(void);

/* May stdin be read now? Not while husk is in the background of its terminal: reading would stop it. Makes the terminal
 * raw again when husk has come back to the foreground (a shell tells only a stopped job about that). */
bool terminal_may_read(void);

/* In place of terminal_open, for a guest that handles signals itself: SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP and
 * SIGWINCH are noted, and none ends or stops husk, but the third SIGTERM or SIGHUP that the guest has not died of. */
void terminal_open_guest(void);
/* Those that came since the last call: bit n - 1 is signal n. */
u64 terminal_take_signals(void);
/* Stops husk as SIGTSTP would, the terminal as it was before; returns when it has been continued. */
void terminal_suspend(void);
/* The modes of the terminal on stdin as struct termios of Linux (TERMINAL_MODE bytes). Set: until terminal_close. */
enum { TERMINAL_MODE = 36, TERMINAL_SIZE = 8 };
bool terminal_get_mode(u8 *mode);
bool terminal_set_mode(const u8 *mode);
/* struct winsize of the terminal on stdin, stdout or stderr. */
bool terminal_get_size(u8 *size);
/* poll(), for `seconds` at most (negative: for ever); a signal ends it. How many are ready. */
int terminal_poll(struct pollfd *fds, u32 count, double seconds);

/* Waits until `fd` can be read, a signal asks husk to end, or `seconds` are over (negative: for ever). With fd -1 only
 * for the others. True when fd can be read (or is at its end). */
bool terminal_wait(int fd, double seconds);

/* Columns and rows of the terminal on stdout; false when it is none. */
bool terminal_size(u32 *columns, u32 *rows);

/* Seconds on a clock that only goes forward. */
u64 terminal_now_ns(void);
double terminal_now(void);

#endif
