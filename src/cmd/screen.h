/* SPDX-License-Identifier: MIT
 *
 * Shows a machine's display: live on a terminal with half blocks (one character is two pixels, one above the other),
 * or once as plain text.
 */
#ifndef CMD_SCREEN_H
#define CMD_SCREEN_H

#include "base/buf.h"
#include "machine/machine.h"

typedef struct Screen {
	Buf shown, next; /* what was drawn last, and what is drawn now */
	u32 columns, rows;
	double due;      /* when the next frame is to be shown */
	double drawn;    /* when the last one was */
} Screen;

void screen_init(Screen *screen);
void screen_fini(Screen *screen);
/* A frame of the machine has ended: draws it and waits for its turn. speed 1 = 60 frames a second. */
void screen_frame(Screen *screen, const Machine *machine, double speed);
/* The display as lines of '#' and '.'. */
void screen_text(const Machine *machine, Buf *out);

#endif
