/* SPDX-License-Identifier: MIT
 *
 * husk up: what instances say, and the live table below it.
 *
 * Each line stands behind the name of its instance, and is written when it is whole, by the worker that runs the instance; so
 * who does not read holds the instances up, as with any program. But not those who want to end: it is asked first whether there is
 * room, and as soon as all are killed nobody waits for room any more.
 */
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cmd/say.h"
#include "cmd/terminal.h"
#include "cmd/up.h"

enum { LINE_MOST = 1 << 16, LOOK_MS = 100 };

/* With the lock. */
static void clear_table(Up *up)
{
	Buf text;

	if (!up->table_rows)
		return;
	buf_init(&text);
	buf_printf(&text, "\033[%uA\033[J", up->table_rows);
	say_write(STDERR_FILENO, text.data, text.len);
	buf_fini(&text);
	up->table_rows = 0;
}

static bool is_closed(const Up *up)
{
	return __atomic_load_n(&up->output_closed, __ATOMIC_RELAXED);
}

/* Without workers the thread that writes is the one that looks at signals. */
static bool is_interrupted(const Up *up)
{
	const u64 passing = (u64)1 << (SIGWINCH - 1) | (u64)1 << (SIGTSTP - 1);

	return up->options->deterministic && up->signals & ~passing;
}

static bool has_room(Up *up)
{
	struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};

	if (poll(&fd, 1, LOOK_MS) > 0)
		return true;
	if (up->options->deterministic)
		up->signals |= terminal_take_signals();
	return false;
}

/* A pipe that has room has room for PIPE_BUF bytes. False: nobody reads any more. */
static bool put(Up *up, const u8 *bytes, size_t len)
{
	while (len) {
		size_t part = len < PIPE_BUF ? len : PIPE_BUF;

		while (!is_closed(up) && !is_interrupted(up) && !has_room(up))
			;
		if (is_closed(up) || is_interrupted(up))
			return true;
		if (!say_write(STDOUT_FILENO, bytes, part))
			return false;
		bytes += part;
		len -= part;
	}
	return true;
}

void up_output_line(UpMember *member)
{
	Up *up = member->up;
	Buf out;

	buf_init(&out);
	if (up->colored)
		buf_printf(&out, "\033[%um%-*s |\033[0m ", member->color, (int)up->name_width, member->name);
	else
		buf_printf(&out, "%-*s | ", (int)up->name_width, member->name);
	buf_add(&out, member->line.data, member->line.len);
	if (member->line.data[member->line.len - 1] != '\n')
		buf_byte(&out, '\n');
	buf_clear(&member->line);
	pthread_mutex_lock(&up->out);
	clear_table(up);
	if (!put(up, out.data, out.len))
		up_output_abandon(up);
	pthread_mutex_unlock(&up->out);
	buf_fini(&out);
}

void up_output_take(void *ctx, const u8 *bytes, size_t len)
{
	UpMember *member = ctx;

	while (len) {
		const u8 *end = memchr(bytes, '\n', len);
		size_t part = end ? (size_t)(end - bytes) + 1 : len;

		buf_add(&member->line, bytes, part);
		bytes += part;
		len -= part;
		if (member->line.len && (end || member->line.len >= LINE_MOST))
			up_output_line(member);
	}
}

void up_output_table(Up *up)
{
	u32 columns = 80, rows = 24;
	Buf text;

	if (!up->watching)
		return;
	terminal_size(&columns, &rows);
	buf_init(&text);
	up_table(up->shown, up_output_shown(up), terminal_now() - up->start, false, rows > 8 ? rows / 2 : 4, &text);
	if (!pthread_mutex_trylock(&up->out)) { /* who writes may wait for long */
		clear_table(up);
		say_write(STDERR_FILENO, text.data, text.len);
		for (size_t i = 0; i < text.len; i++)
			up->table_rows += text.data[i] == '\n';
		pthread_mutex_unlock(&up->out);
	}
	buf_fini(&text);
}

void up_output_clear(Up *up)
{
	pthread_mutex_lock(&up->out);
	clear_table(up);
	pthread_mutex_unlock(&up->out);
}

u32 up_output_shown(const Up *up)
{
	return __atomic_load_n(&up->shown_count, __ATOMIC_ACQUIRE);
}

void up_output_show(Up *up, UpMember *member)
{
	up->shown[up->shown_count] = member;
	__atomic_store_n(&up->shown_count, up->shown_count + 1, __ATOMIC_RELEASE);
}

void up_output_abandon(Up *up)
{
	__atomic_store_n(&up->output_closed, true, __ATOMIC_RELAXED);
}

u64 up_output_signals(Up *up)
{
	u64 set = terminal_take_signals() | up->signals;

	up->signals = 0;
	return set;
}
