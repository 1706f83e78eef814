/* SPDX-License-Identifier: MIT
 *
 * Signals of the verbs that hold a conversation (debug, repl). Ctrl-C while a program runs stops the program; at the
 * prompt it drops the line. SIGTERM, SIGHUP and SIGQUIT end the conversation, with the terminal put back; a second one
 * ends it at once. A handler of signals has no argument, hence the two variables of interrupt.c.
 */
#ifndef CMD_INTERRUPT_H
#define CMD_INTERRUPT_H

#include <signal.h>

/* From now on; reading a line ends when one comes. */
void interrupt_catch(void);
/* Set when a signal has come; to be cleared by whoever has acted on it. */
volatile sig_atomic_t *interrupt_flag(void);
/* The signal that asks to end, or 0. */
int interrupt_ended_by(void);

#endif
