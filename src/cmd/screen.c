/* SPDX-License-Identifier: MIT */
#include "cmd/screen.h"

#include <string.h>
#include <unistd.h>

#include "cmd/say.h"
#include "cmd/terminal.h"

#define FRAME (1.0 / 60)

void screen_init(Screen *screen)
{
	*screen = (Screen){0};
	buf_init(&screen->shown);
	buf_init(&screen->next);
}

void screen_fini(Screen *screen)
{
	buf_fini(&screen->shown);
	buf_fini(&screen->next);
}

/* The part of the display that the terminal has room for. */
static void compose(Screen *screen, const Machine *machine)
{
	static const char *const blocks[] = {" ", "\u2580", "\u2584", "\u2588"}; /* none, upper, lower, both */
	u32 width = 0, height = 0, columns = 0, rows = 0;
	Buf *out = &screen->next;

	machine_display(machine, &width, &height);
	if (terminal_screen_lost())
		buf_clear(&screen->shown);
	if (terminal_size(&columns, &rows) && (columns != screen->columns || rows != screen->rows)) {
		screen->columns = columns;
		screen->rows = rows;
		buf_clear(&screen->shown); /* resized: draw everything */
		say_write(STDOUT_FILENO, "\033[2J", 4);
	}
	if (columns && width > columns)
		width = columns;
	if (rows && height > 2 * rows)
		height = 2 * rows;
	buf_clear(out);
	buf_str(out, "\033[H");
	for (u32 y = 0; y < height; y += 2) {
		if (y)
			buf_str(out, "\r\n");
		for (u32 x = 0; x < width; x++) {
			bool upper = machine_display_cell(machine, x, y) != 0;
			bool lower = y + 1 < height && machine_display_cell(machine, x, y + 1) != 0;

			buf_str(out, blocks[upper | lower << 1]);
		}
	}
}

void screen_frame(Screen *screen, const Machine *machine, double speed)
{
	double now = terminal_now(), step = FRAME / speed;

	if (now - screen->drawn >= FRAME * 0.9) {
		compose(screen, machine);
		if (screen->next.len != screen->shown.len ||
		    memcmp(screen->next.data, screen->shown.data, screen->next.len) != 0) {
			Buf swap = screen->shown;

			say_write(STDOUT_FILENO, screen->next.data, screen->next.len);
			screen->shown = screen->next;
			screen->next = swap;
		}
		screen->drawn = now;
	}
	/* A machine that is too slow, or was suspended, does not run faster afterwards to make up for it. */
	if (screen->due < now - 0.1)
		screen->due = now;
	screen->due += step;
	if (screen->due > now)
		terminal_wait(-1, screen->due - now);
}

void screen_text(const Machine *machine, Buf *out)
{
	u32 width, height;

	if (!machine_display(machine, &width, &height))
		return;
	for (u32 y = 0; y < height; y++) {
		for (u32 x = 0; x < width; x++)
			buf_byte(out, machine_display_cell(machine, x, y) ? '#' : '.');
		buf_byte(out, '\n');
	}
}
