/* SPDX-License-Identifier: MIT
 *
 * An argument of a system call in words. What it points to is read with the program's own rights; what can't be read
 * is shown as an address.
 */
#include <inttypes.h>
#include <string.h>

#include "linux/strace.h"

enum {
	TEXT_SHOWN = 32,  /* of data, as strace does */
	VECTOR_SHOWN = 16,
	AT_FDCWD_ = -100,
};

static void address(u64 value, Buf *out)
{
	if (value)
		buf_printf(out, "%#" PRIx64, value);
	else
		buf_str(out, "NULL");
}

static void text(Task *task, u64 at, Buf *out)
{
	char path[PATH_LIMIT];
	i64 len = at ? user_string(task, at, path, sizeof path) : -EFAULT;

	if (len < 0)
		address(at, out);
	else
		strace_text((const u8 *)path, (size_t)len, sizeof path, out);
}

static void bytes(Task *task, u64 at, u64 len, Buf *out)
{
	u8 data[TEXT_SHOWN];
	size_t shown = len < sizeof data ? (size_t)len : sizeof data;

	if (!user_read(task, at, data, shown)) {
		address(at, out);
		return;
	}
	strace_text(data, shown, sizeof data, out);
	if (len > shown)
		buf_str(out, "...");
}

static void texts(Task *task, u64 at, Buf *out)
{
	u64 item;
	u32 count = 0;

	if (!at) {
		buf_str(out, "NULL");
		return;
	}
	buf_byte(out, '[');
	for (; user_read(task, at, &item, 8) && item; at += 8) {
		if (count)
			buf_str(out, ", ");
		if (count++ == VECTOR_SHOWN) {
			buf_str(out, "...");
			break;
		}
		text(task, item, out);
	}
	buf_byte(out, ']');
}

/* The environment: how many there are. */
static void count_of(Task *task, u64 at, Buf *out)
{
	u64 item;
	u32 count = 0;

	address(at, out);
	while (at && count < 100000 && user_read(task, at + count * (u64)8, &item, 8) && item)
		count++;
	buf_printf(out, " /* %u vars */", count);
}

/* left: bytes of them that count. */
static void vector(Task *task, u64 at, u64 count, u64 left, Buf *out)
{
	u64 item[2];

	buf_byte(out, '[');
	for (u64 i = 0; i < count; i++, at += 16) {
		if (i)
			buf_str(out, ", ");
		if (i == VECTOR_SHOWN || !user_read(task, at, item, sizeof item)) {
			buf_str(out, "...");
			break;
		}
		buf_str(out, "{iov_base=");
		bytes(task, item[0], item[1] < left ? item[1] : left, out);
		left -= item[1] < left ? item[1] : left;
		buf_printf(out, ", iov_len=%" PRIu64 "}", item[1]);
	}
	buf_byte(out, ']');
}

static void timespec(Task *task, u64 at, Buf *out)
{
	u64 value[2];

	if (!at || !user_read(task, at, value, sizeof value))
		address(at, out);
	else
		buf_printf(out, "{tv_sec=%" PRId64 ", tv_nsec=%" PRId64 "}", (i64)value[0], (i64)value[1]);
}

static void signal_set(Task *task, u64 at, Buf *out)
{
	u64 set;

	if (!at || !user_read(task, at, &set, sizeof set))
		address(at, out);
	else
		strace_signal_set(set, out);
}

/* struct sigaction without a restorer: handler, flags, mask. */
static void sigaction_in(Task *task, u64 at, Buf *out)
{
	u64 value[3];

	if (!at || !user_read(task, at, value, sizeof value)) {
		address(at, out);
		return;
	}
	buf_str(out, "{sa_handler=");
	if (value[0] <= 1)
		buf_str(out, value[0] ? "SIG_IGN" : "SIG_DFL");
	else
		address(value[0], out);
	buf_str(out, ", sa_mask=");
	strace_signal_set(value[2], out);
	buf_str(out, ", sa_flags=");
	strace_flags('3', value[1], out);
	buf_byte(out, '}');
}

static void epoll_event(Task *task, u64 at, Buf *out)
{
	u8 event[16];
	u32 events;
	u64 data;

	if (!at || !user_read(task, at, event, sizeof event)) {
		address(at, out);
		return;
	}
	memcpy(&events, event, sizeof events);
	memcpy(&data, event + 8, sizeof data);
	buf_str(out, "{events=");
	strace_flags('2', events, out);
	buf_printf(out, ", data=%#" PRIx64 "}", data);
}

static void polls(Task *task, u64 at, u64 count, Buf *out)
{
	u8 item[8];

	buf_byte(out, '[');
	for (u64 i = 0; i < count; i++, at += 8) {
		i32 fd;
		u16 events;

		if (i)
			buf_str(out, ", ");
		if (i == VECTOR_SHOWN || !user_read(task, at, item, sizeof item)) {
			buf_str(out, "...");
			break;
		}
		memcpy(&fd, item, 4);
		memcpy(&events, item + 4, 2);
		buf_printf(out, "{fd=%d, events=", fd);
		strace_flags('1', events, out);
		buf_byte(out, '}');
	}
	buf_byte(out, ']');
}

static void socket_address(Task *task, u64 at, u64 len, Buf *out)
{
	u8 data[128];
	size_t n = len < sizeof data ? (size_t)len : sizeof data;
	u16 family;

	if (n < 2 || !user_read(task, at, data, n)) {
		address(at, out);
		return;
	}
	memcpy(&family, data, 2);
	buf_str(out, "{sa_family=");
	strace_choice('K', family, out);
	if (family == 2 && n >= 8)
		buf_printf(out, ", sin_port=htons(%u), sin_addr=inet_addr(\"%u.%u.%u.%u\")", data[2] << 8 | data[3], data[4],
			   data[5], data[6], data[7]);
	else if (family == 10 && n >= 4)
		buf_printf(out, ", sin6_port=htons(%u), ...", data[2] << 8 | data[3]);
	if (family == 1 && n > 2) {
		buf_str(out, ", sun_path=");
		buf_str(out, data[2] ? "" : "@");
		strace_text(data + 2 + !data[2], data[2] ? strnlen((const char *)data + 2, n - 2) : n - 3, sizeof data, out);
	}
	buf_byte(out, '}');
}

static void wait_status(Task *task, u64 at, Buf *out)
{
	u32 status;

	if (!at || !user_read(task, at, &status, sizeof status)) {
		address(at, out);
	} else if ((status & 0x7F) == 0) {
		buf_printf(out, "[{WIFEXITED(s) && WEXITSTATUS(s) == %u}]", status >> 8 & 255);
	} else if ((status & 0xFF) == 0x7F) {
		buf_str(out, "[{WIFSTOPPED(s) && WSTOPSIG(s) == ");
		strace_signal_name(status >> 8 & 255, out);
		buf_str(out, "}]");
	} else {
		buf_str(out, "[{WIFSIGNALED(s) && WTERMSIG(s) == ");
		strace_signal_name(status & 0x7F, out);
		buf_str(out, "}]");
	}
}

/* struct stat as the 64-bit machines with the generic layout have it. */
static void file_stat(Task *task, u64 at, Buf *out)
{
	static const char *const kinds[16] = {[1] = "S_IFIFO", [2] = "S_IFCHR", [4] = "S_IFDIR", [6] = "S_IFBLK",
					      [8] = "S_IFREG", [10] = "S_IFLNK", [12] = "S_IFSOCK"};
	u8 data[56];
	u32 mode;
	u64 size;

	if (!user_read(task, at, data, sizeof data)) {
		address(at, out);
		return;
	}
	memcpy(&mode, data + 16, 4);
	memcpy(&size, data + 48, 8);
	buf_printf(out, "{st_mode=%s|%#o, st_size=%" PRIu64 ", ...}", kinds[mode >> 12 & 15] ? kinds[mode >> 12 & 15] : "0",
		   mode & 07777, size);
}

static void pair(Task *task, u64 at, Buf *out)
{
	i32 value[2];

	if (!user_read(task, at, value, sizeof value))
		address(at, out);
	else
		buf_printf(out, "[%d, %d]", value[0], value[1]);
}

bool strace_is_output(char letter)
{
	return strchr("ojTwzI", letter) != NULL;
}

static void output(Task *task, char letter, const u64 *args, unsigned i, i64 result, Buf *out)
{
	switch (result < 0 || !args[i] ? 'p' : letter) {
	case 'o': bytes(task, args[i], (u64)result, out); break;
	case 'j': vector(task, args[i], i < 5 ? args[i + 1] : 0, (u64)result, out); break;
	case 'T': timespec(task, args[i], out); break;
	case 'w': wait_status(task, args[i], out); break;
	case 'z': file_stat(task, args[i], out); break;
	case 'I': pair(task, args[i], out); break;
	default: address(args[i], out); break;
	}
}

void strace_argument(Task *task, const char *letters, const u64 *args, unsigned i, i64 result, Buf *out)
{
	const u64 value = args[i], next = i < 5 ? args[i + 1] : 0;
	const char letter = letters[i];

	if (strace_is_output(letter)) {
		output(task, letter, args, i, result, out);
		return;
	}
	switch (letter) {
	case 'a':
		if ((i32)value == AT_FDCWD_)
			buf_str(out, "AT_FDCWD");
		else
			buf_printf(out, "%d", (i32)value);
		break;
	case 'f': case 'd': buf_printf(out, "%d", (i32)value); break;
	case 's': text(task, value, out); break;
	case 'b': bytes(task, value, next, out); break;
	case 'l': case 'u': buf_printf(out, "%" PRIu64, value); break;
	case 'q': buf_printf(out, "%" PRId64, (i64)value); break;
	case 'x': buf_printf(out, "%#" PRIx64, value); break;
	case 'm': buf_printf(out, "%#o", (u32)value); break;
	case 'i': vector(task, value, next, ~(u64)0, out); break;
	case 't': timespec(task, value, out); break;
	case 'S': strace_signal_name((i32)value, out); break;
	case 'g': signal_set(task, value, out); break;
	case 'k': sigaction_in(task, value, out); break;
	case 'e': epoll_event(task, value, out); break;
	case 'A': socket_address(task, value, next, out); break;
	case 'v': texts(task, value, out); break;
	case 'C': count_of(task, value, out); break;
	case 'N': polls(task, value, next, out); break;
	default:
		if (!strace_choice(letter, letter == 'V' || letter == 'r' || letter == 'y' ? (u32)value : value, out) &&
		    !strace_flags(letter, letter == 'M' || letter == 'P' ? value : (u32)value, out))
			address(value, out);
		break;
	}
}
