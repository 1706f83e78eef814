/* SPDX-License-Identifier: MIT */
#include "cmd/interrupt.h"

#include "base/types.h"

static volatile sig_atomic_t interrupted, ended_by;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

/* The line editor has changed the terminal: it must be closed first. */
static void on_end(int signal_number)
{
	ended_by = signal_number;
	interrupted = 1;
}

void interrupt_catch(void)
{
	static const int ends[] = {SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: reading a line ends */

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	action.sa_handler = on_end;
	action.sa_flags = (int)SA_RESETHAND; /* a second one ends it at once */
	for (u32 i = 0; i < COUNT_OF(ends); i++)
		sigaction(ends[i], &action, NULL);
}

volatile sig_atomic_t *interrupt_flag(void)
{
	return &interrupted;
}

int interrupt_ended_by(void)
{
	return ended_by;
}
