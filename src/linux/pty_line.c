/* SPDX-License-Identifier: MIT
 *
 * The line discipline of pseudo-terminals: what typed bytes mean (termios(3)).
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <termios.h>

#include "linux/pty.h"

enum { INPUT, OUTPUT, CONTROL, LOCAL };
enum { CHARACTERS_AT = 17 };

/* c_iflag, c_oflag, c_cflag, c_lflag: 0 .. 3. */
static u32 mode(const Pty *pty, u32 which)
{
	u32 flags;

	memcpy(&flags, pty->termios + 4 * (size_t)which, sizeof(flags));
	return flags;
}

u8 pty_character(const Pty *pty, u32 which)
{
	return pty->termios[CHARACTERS_AT + which];
}

static bool local(const Pty *pty, u32 flag)
{
	return mode(pty, LOCAL) & flag;
}

bool pty_is_canonical(const Pty *pty)
{
	return local(pty, ICANON);
}

/* ---- Output ---- */

static bool print_byte(Pty *pty, u8 byte)
{
	u32 flags = mode(pty, OUTPUT);
	u8 both[2] = { '\r', '\n' };

	if (byte == '\n' && flags & OPOST && flags & ONLCR) {
		if (queue_room(pty->kernel, &pty->output) < 2)
			return false;
		return queue_add(pty->kernel, &pty->output, both, 2) == 2;
	}
	return queue_add(pty->kernel, &pty->output, &byte, 1) == 1;
}

u64 pty_print(Pty *pty, const u8 *from, u64 len)
{
	u64 done = 0;

	if (pty->stopped)
		return 0;
	while (done < len && print_byte(pty, from[done]))
		done++;
	if (done)
		wait_wake(&pty->master_changed);
	return done;
}

static void echo(Pty *pty, u8 byte)
{
	if (!local(pty, ECHO) && !(byte == '\n' && local(pty, ECHONL) && pty_is_canonical(pty)))
		return;
	if ((byte < 32 || byte == 127) && byte != '\n' && byte != '\t' && local(pty, ECHOCTL)) {
		print_byte(pty, '^');
		byte ^= 64;
	}
	print_byte(pty, byte);
}

/* ---- Input ---- */

static bool is_special(const Pty *pty, u8 byte, u32 which)
{
	return byte && byte == pty_character(pty, which);
}

void pty_flush(Pty *pty, bool input, bool output)
{
	if (input) {
		queue_drop(pty->kernel, &pty->input, pty->input.len);
		pty->line_count = pty->line_len = 0;
	}
	if (output)
		queue_drop(pty->kernel, &pty->output, pty->output.len);
}

static bool signals(Pty *pty, u8 byte)
{
	int number = is_special(pty, byte, VINTR) ? SIGINT : is_special(pty, byte, VQUIT) ? SIGQUIT
			   : is_special(pty, byte, VSUSP)			  ? SIGTSTP
										  : 0;

	if (!number || !local(pty, ISIG))
		return false;
	if (!local(pty, NOFLSH))
		pty_flush(pty, true, true);
	echo(pty, byte);
	if (pty->foreground)
		tty_signal_group(pty->kernel, pty->foreground, number);
	return true;
}

static void erase_one(Pty *pty)
{
	u8 gone;

	if (!pty->line_len)
		return;
	do { /* all bytes of a character of UTF-8 */
		gone = pty->line[--pty->line_len];
	} while (mode(pty, INPUT) & IUTF8 && (gone & 0xC0) == 0x80 && pty->line_len);
	if (!local(pty, ECHO) || !local(pty, ECHOE))
		return;
	for (u32 i = gone < 32 && gone != '\t' && local(pty, ECHOCTL) ? 2 : 1; i; i--) {
		print_byte(pty, '\b');
		print_byte(pty, ' ');
		print_byte(pty, '\b');
	}
}

static void erase_word(Pty *pty)
{
	while (pty->line_len && pty->line[pty->line_len - 1] == ' ')
		erase_one(pty);
	while (pty->line_len && pty->line[pty->line_len - 1] != ' ')
		erase_one(pty);
}

/* The line is complete. False: there is no room for it. */
static bool end_line(Pty *pty)
{
	if (pty->line_count == PTY_LINES || queue_room(pty->kernel, &pty->input) < pty->line_len ||
	    queue_add(pty->kernel, &pty->input, pty->line, pty->line_len) < pty->line_len)
		return false;
	pty->lines[(pty->first_line + pty->line_count++) % PTY_LINES] = pty->line_len;
	pty->line_len = 0;
	return true;
}

static bool type_canonical(Pty *pty, u8 byte)
{
	bool extended = local(pty, IEXTEN), ends = byte == '\n' || is_special(pty, byte, VEOL) ||
						   (extended && is_special(pty, byte, VEOL2));

	if (is_special(pty, byte, VERASE)) {
		erase_one(pty);
		return true;
	}
	if (is_special(pty, byte, VKILL)) {
		while (pty->line_len)
			erase_one(pty);
		return true;
	}
	if (extended && is_special(pty, byte, VWERASE)) {
		erase_word(pty);
		return true;
	}
	if (is_special(pty, byte, VEOF))
		return end_line(pty);
	if (pty->line_len >= PTY_LINE_MAX && !ends)
		return true; /* lost, as on Linux */
	pty->line[pty->line_len++] = byte;
	if (ends && !end_line(pty)) {
		pty->line_len--;
		return false;
	}
	echo(pty, byte);
	return true;
}

static bool type_byte(Pty *pty, u8 byte)
{
	u32 flags = mode(pty, INPUT);

	if (flags & ISTRIP)
		byte &= 0x7F;
	if (flags & IXON && (is_special(pty, byte, VSTOP) || is_special(pty, byte, VSTART))) {
		pty->stopped = is_special(pty, byte, VSTOP);
		return true;
	}
	if (signals(pty, byte)) {
		pty->stopped = false;
		return true;
	}
	if (byte == '\r') {
		if (flags & IGNCR)
			return true;
		if (flags & ICRNL)
			byte = '\n';
	} else if (byte == '\n' && flags & INLCR) {
		byte = '\r';
	}
	if (pty_is_canonical(pty))
		return type_canonical(pty, byte);
	if (queue_add(pty->kernel, &pty->input, &byte, 1) != 1)
		return false;
	echo(pty, byte);
	return true;
}

u64 pty_type(Pty *pty, const u8 *from, u64 len)
{
	u64 done = 0;

	while (done < len && type_byte(pty, from[done]))
		done++;
	if (done) {
		wait_wake(&pty->slave_changed);
		wait_wake(&pty->master_changed); /* the echo */
	}
	return done;
}

bool pty_has_input(const Pty *pty)
{
	return pty_is_canonical(pty) ? pty->line_count > 0 : pty->input.len > 0;
}

u64 pty_take(Pty *pty, u8 *to, u64 len)
{
	u64 got;

	if (!pty_is_canonical(pty)) {
		got = queue_take(pty->kernel, &pty->input, to, len);
	} else {
		u32 *line = &pty->lines[pty->first_line];

		got = queue_take(pty->kernel, &pty->input, to, len < *line ? len : *line);
		*line -= (u32)got;
		if (!*line) {
			pty->first_line = (pty->first_line + 1) % PTY_LINES;
			pty->line_count--;
		}
	}
	wait_wake(&pty->master_changed); /* there is room */
	return got;
}

void pty_set_termios(Pty *pty, const u8 *termios, u32 size)
{
	bool before = pty_is_canonical(pty);

	memcpy(pty->termios, termios, size);
	if (before == pty_is_canonical(pty))
		return;
	pty->line_count = 0;
	if (before) { /* what was typed so far is there now */
		pty->line_len -= queue_add(pty->kernel, &pty->input, pty->line, pty->line_len);
		pty->line_len = 0;
	} else if (pty->input.len) {
		pty->first_line = 0;
		pty->lines[0] = pty->input.len;
		pty->line_count = 1;
	}
	wait_wake(&pty->slave_changed);
}
