/* SPDX-License-Identifier: MIT
 *
 * /dev/husk: what stands around the machine (machine/outside.h), as files of short texts. They are there in a hypervisor.
 *
 *     mailbox   write "TO TEXT": a message for the instance of that name or number; waits (EAGAIN) while its queue is full,
 *               EHOSTUNREACH: nobody, EMSGSIZE. read: "FROM TEXT", the next one; waits
 *     spawn     write "start NAME" (ENOENT: nothing it may start, ENOSPC: a limit) or "kill NUMBER" (ECHILD). read: a line for each,
 *               "started NUMBER NAME", and "ended NUMBER CODE" when one ends; waits while there are any, then the end
 *     kv        write "get KEY" (ENOENT), "set KEY VALUE" (ENOSPC, EMSGSIZE, EIO), "delete KEY" (ENOENT), "next KEY" or "next": the key
 *               behind it, or the first (ENOENT: none); read: the value or key, then the end
 *
 * One write is one command; a line end behind it does not count, but for messages, which are taken as they are. What a read leaves is for
 * the next. Without the right EACCES (open) and EPERM.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "linux/husk_dev.h"
#include "linux/rights.h"
#include "linux/save.h"
#include "linux/vfs_private.h"
#include "machine/outside.h"

typedef struct HuskFile {
	Buf answer; /* from `at` on it has not been read */
	u64 at;
} HuskFile;

enum { COMMAND_MOST = KV_VALUE_MOST + KV_KEY_MOST + 16, ANSWER_MOST = COMMAND_MOST + 4096 };

static const MachineOutside *outside_of(const File *file)
{
	return machine_outside(file->kernel->machine);
}

static u64 left(const HuskFile *own)
{
	return own->answer.len - own->at;
}

static i64 give(HuskFile *own, u8 *to, u64 len)
{
	u64 part = left(own) < len ? left(own) : len;

	if (part)
		memcpy(to, own->answer.data + own->at, part);
	own->at += part;
	if (!left(own)) {
		buf_clear(&own->answer);
		own->at = 0;
	}
	return (i64)part;
}

/* A word up to a blank or the end; false: none, or it is too long. */
static bool take_word(const u8 **from, u64 *len, char *word, size_t size)
{
	size_t n = 0;

	while (n < *len && (*from)[n] != ' ' && (*from)[n] != '\n')
		n++;
	if (!n || n >= size)
		return false;
	memcpy(word, *from, n);
	word[n] = 0;
	n += n < *len && (*from)[n] == ' ';
	*from += n;
	*len -= n;
	return true;
}

static bool is_number(const char *word, u64 *number)
{
	char *end;

	*number = strtoull(word, &end, 10);
	return word[0] >= '0' && word[0] <= '9' && !*end;
}

/* Is it open for that, and is it allowed? */
static i64 refuses(const File *file, Right right)
{
	if (!outside_of(file))
		return -ENXIO;
	return kernel_may(file->kernel, right) ? 0 : -EPERM;
}

/* ---- mailbox ---- */

static i64 mailbox_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	const MachineOutside *outside = outside_of(file);
	HuskFile *own = file->data;
	char name[OUTSIDE_NAME_MOST];
	u8 bytes[MAIL_MOST];
	i64 error = refuses(file, RIGHT_MAILBOX);
	MailHead head;

	(void)task, (void)offset;
	if (error || !len)
		return error;
	if (left(own))
		return give(own, to, len);
	if (!outside->take(outside->ctx, bytes, MAIL_MOST, &head))
		return -EAGAIN;
	outside->name_of(outside->ctx, head.from, name);
	buf_printf(&own->answer, "%s ", name);
	buf_add(&own->answer, bytes, head.len);
	return give(own, to, len);
}

static i64 mailbox_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	const MachineOutside *outside = outside_of(file);
	i64 error = refuses(file, RIGHT_MAILBOX);
	char name[OUTSIDE_NAME_MOST];
	u64 number, whole = len;

	(void)task, (void)offset;
	if (error)
		return error;
	if (!take_word(&from, &len, name, sizeof(name)))
		return -EINVAL;
	if (len > MAIL_MOST)
		return -EMSGSIZE;
	if (!is_number(name, &number))
		number = outside->find(outside->ctx, name);
	switch (outside->send(outside->ctx, number, from, (u32)len)) {
	case OUTSIDE_OK: return (i64)whole;
	case OUTSIDE_NOT_THERE: return -EHOSTUNREACH;
	case OUTSIDE_FULL: return -EAGAIN;
	case OUTSIDE_TOO_BIG: return -EMSGSIZE;
	case OUTSIDE_REFUSED: return -EPERM;
	default: return -ENOMEM;
	}
}

static u32 mailbox_poll(File *file)
{
	const MachineOutside *outside = outside_of(file);
	MailHead head;

	if (refuses(file, RIGHT_MAILBOX))
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR;
	return (left(file->data) || outside->peek(outside->ctx, &head) ? POLLIN | POLLRDNORM : 0) | POLLOUT | POLLWRNORM;
}

/* ---- spawn ---- */

static i64 spawn_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	const MachineOutside *outside = outside_of(file);
	i64 error = refuses(file, RIGHT_SPAWN);
	HuskFile *own = file->data;
	u64 number;
	u32 code;
	bool any;

	(void)task, (void)offset;
	if (error || !len)
		return error;
	if (left(own))
		return give(own, to, len);
	number = outside->any_ended(outside->ctx, &any);
	if (!number)
		return any ? -EAGAIN : 0;
	if (outside->ended(outside->ctx, number, &code))
		return -EAGAIN;
	buf_printf(&own->answer, "ended %llu %u\n", (unsigned long long)number, code);
	return give(own, to, len);
}

static i64 start(File *file, const char *name)
{
	const MachineOutside *outside = outside_of(file);
	HuskFile *own = file->data;
	u64 number;

	if (own->answer.len > ANSWER_MOST / 2)
		return -ENOSPC; /* it does not read */
	switch (outside->spawn(outside->ctx, name, &number)) {
	case OUTSIDE_OK: buf_printf(&own->answer, "started %llu %s\n", (unsigned long long)number, name); return 0;
	case OUTSIDE_NOT_THERE: return -ENOENT;
	case OUTSIDE_FULL: return -ENOSPC;
	case OUTSIDE_REFUSED: return -EPERM;
	default: return -ENOMEM;
	}
}

static i64 spawn_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	const MachineOutside *outside = outside_of(file);
	char what[8], name[OUTSIDE_NAME_MOST];
	i64 error = refuses(file, RIGHT_SPAWN);
	u64 whole = len, number;

	(void)task, (void)offset;
	if (error)
		return error;
	if (!take_word(&from, &len, what, sizeof(what)) || !take_word(&from, &len, name, sizeof(name)))
		return -EINVAL;
	if (!strcmp(what, "start"))
		error = start(file, name);
	else if (!strcmp(what, "kill") && is_number(name, &number))
		error = outside->kill(outside->ctx, number) ? -ECHILD : 0;
	else
		error = -EINVAL;
	return error ? error : (i64)whole;
}

static u32 spawn_poll(File *file)
{
	const MachineOutside *outside = outside_of(file);
	bool any;

	if (refuses(file, RIGHT_SPAWN))
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR;
	if (left(file->data) || outside->any_ended(outside->ctx, &any))
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
	return POLLOUT | POLLWRNORM | (any ? 0 : POLLIN | POLLRDNORM); /* the end */
}

/* ---- kv ---- */

static i64 kv_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	i64 error = refuses(file, RIGHT_KV);

	(void)task, (void)offset;
	return error ? error : give(file->data, to, len);
}

static i64 error_of(OutsideResult result)
{
	static const i64 errors[] = {[OUTSIDE_NOT_THERE] = -ENOENT, [OUTSIDE_FULL] = -ENOSPC, [OUTSIDE_TOO_BIG] = -EMSGSIZE,
				     [OUTSIDE_REFUSED] = -EPERM, [OUTSIDE_FAILED] = -EIO};

	return errors[result];
}

static i64 kv_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	const MachineOutside *outside = outside_of(file);
	char what[8], key[KV_KEY_MOST + 1];
	i64 error = refuses(file, RIGHT_KV);
	HuskFile *own = file->data;
	u64 whole = len;

	(void)task, (void)offset;
	if (error)
		return error;
	if (len > COMMAND_MOST)
		return -EMSGSIZE;
	if (len && from[len - 1] == '\n')
		len--;
	if (!take_word(&from, &len, what, sizeof(what)))
		return -EINVAL;
	if (!take_word(&from, &len, key, sizeof(key))) {
		if (len || strcmp(what, "next") != 0)
			return -EINVAL;
		key[0] = 0;
	}
	buf_clear(&own->answer);
	own->at = 0;
	if (!strcmp(what, "get"))
		error = error_of(outside->kv_get(outside->ctx, (const u8 *)key, (u32)strlen(key), &own->answer));
	else if (!strcmp(what, "set"))
		error = error_of(outside->kv_set(outside->ctx, (const u8 *)key, (u32)strlen(key), from, (u32)len));
	else if (!strcmp(what, "next"))
		error = error_of(outside->kv_next(outside->ctx, (const u8 *)key, (u32)strlen(key), &own->answer));
	else if (!strcmp(what, "delete"))
		error = error_of(outside->kv_delete(outside->ctx, (const u8 *)key, (u32)strlen(key)));
	else
		error = -EINVAL;
	return error ? error : (i64)whole;
}

/* ---- All ---- */

static bool husk_watch(File *file, Task *task, u32 events)
{
	(void)events;
	return task_watch(task, &file->kernel->outside_changed);
}

static u64 husk_changes(File *file, u32 events)
{
	(void)events;
	return file->kernel->outside_changed.wakes;
}

static i64 husk_stat(File *file, FileStat *out)
{
	return file->place->node->ops->stat(file->place->node, out);
}

static void husk_release(File *file)
{
	HuskFile *own = file->data;

	if (own)
		buf_fini(&own->answer);
	free(own);
}

static const FileOps mailbox_ops = {.kind = "mailbox", .read = mailbox_read, .write = mailbox_write, .poll = mailbox_poll,
				    .watch = husk_watch, .changes = husk_changes, .stat = husk_stat, .release = husk_release,
				    .whole = true};
static const FileOps spawn_ops = {.kind = "spawn", .read = spawn_read, .write = spawn_write, .poll = spawn_poll,
				  .watch = husk_watch, .changes = husk_changes, .stat = husk_stat, .release = husk_release,
				  .whole = true};
static const FileOps kv_ops = {.kind = "kv", .read = kv_read, .write = kv_write, .stat = husk_stat, .release = husk_release,
			       .whole = true};

i64 husk_dev_open(Kernel *kernel, HuskDevice device, u32 flags, File **out)
{
	static const FileOps *const ops[] = {&mailbox_ops, &spawn_ops, &kv_ops};
	static const Right rights[] = {RIGHT_MAILBOX, RIGHT_SPAWN, RIGHT_KV};
	HuskFile *own;

	*out = NULL;
	if (!machine_outside(kernel->machine))
		return -ENXIO;
	if (!kernel_may(kernel, rights[device]))
		return -EACCES;
	own = calloc(1, sizeof(*own));
	if (!own)
		return -ENOMEM;
	buf_init(&own->answer);
	*out = file_create(kernel, ops[device], flags, own);
	if (*out)
		return 0;
	free(own);
	return -ENFILE;
}

void linux_stirred(Machine *machine)
{
	Kernel *kernel = kernel_of(machine);

	if (kernel)
		wait_wake(&kernel->outside_changed);
}

/* ---- Snapshots ---- */

static void husk_carry(Tape *tape, File *file)
{
	HuskFile *own = tape->loading ? calloc(1, sizeof(*own)) : file->data;

	if (!own) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	if (tape->loading)
		buf_init(&own->answer);
	tape_buf(tape, &own->answer, ANSWER_MOST);
	tape_u64(tape, &own->at);
	tape_check(tape, own->at <= own->answer.len);
	if (!tape->loading)
		return;
	if (tape_ok(tape)) {
		file->data = own;
	} else {
		buf_fini(&own->answer);
		free(own);
	}
}

const FileCodec mailbox_codec = {.ops = &mailbox_ops, .has_place = true, .shares = TAPE_KINDS, .carry = husk_carry};
const FileCodec spawn_codec = {.ops = &spawn_ops, .has_place = true, .shares = TAPE_KINDS, .carry = husk_carry};
const FileCodec kv_codec = {.ops = &kv_ops, .has_place = true, .shares = TAPE_KINDS, .carry = husk_carry};
