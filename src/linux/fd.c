/* SPDX-License-Identifier: MIT
 *
 * Open files and the tables of descriptors that lead to them.
 *
 * Files are counted references: a descriptor has one, a socket's queue has one for each file that travels in it, and a
 * call that must survive a change of the table takes one. All are on kernel->files, so that what holds itself alive (a
 * socket sent over itself) goes with the kernel at the latest.
 *
 * Limits: kernel->limits.open files of all together (ENFILE), and of a process the lesser of kernel->limits.files and
 * its RLIMIT_NOFILE (EMFILE).
 */
#define _GNU_SOURCE /* fcntl.h: F_DUPFD_CLOEXEC ... */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "linux/epoll.h"
#include "linux/file.h"
#include "linux/save.h"
#include "linux/stream.h"
#include "linux/syscalls.h"
#include "linux/vfs.h"
#include "machine/outside.h"

enum {
	TABLE_MAX = 1 << 20,
	LIMIT_NOFILE = 7, /* RLIMIT_NOFILE */
};

typedef struct Descriptor {
	File *file; /* a reference, or NULL: free */
	bool close_on_exec;
} Descriptor;

struct FdTable {
	Kernel *kernel;
	u32 refs, cap;
	u32 free_from; /* nothing below is free */
	Descriptor *entries; /* owned */
};

/* ---- Files ---- */

File *file_create(Kernel *kernel, const FileOps *ops, u32 flags, void *data)
{
	File *file;

	if (kernel->open_files >= kernel->limits.open)
		return NULL;
	file = calloc(1, sizeof(*file));
	if (!file || !machine_file_opened(kernel->machine)) {
		free(file);
		return NULL;
	}
	file->ops = ops;
	file->kernel = kernel;
	file->refs = 1;
	file->flags = flags;
	file->serial = ++kernel->file_serial;
	file->data = data;
	file->next = kernel->files;
	file->link = &kernel->files;
	if (file->next)
		file->next->link = &file->next;
	kernel->files = file;
	kernel->open_files++;
	return file;
}

File *file_get(File *file)
{
	file->refs++;
	return file;
}

static void end_file(File *file)
{
	*file->link = file->next;
	if (file->next)
		file->next->link = file->link;
	file->kernel->open_files--;
	machine_file_closed(file->kernel->machine);
	vfs_place_put(file->place);
	free(file);
}

static void release(File *file)
{
	epoll_forget(file);
	if (file->ops->release)
		file->ops->release(file);
}

/* What a file holds goes after it, not within its end: a socket may hold a socket that holds a socket ... */
void file_put(File *file)
{
	Kernel *kernel;

	if (!file || --file->refs)
		return;
	kernel = file->kernel;
	file->next_dying = kernel->dying;
	kernel->dying = file;
	if (kernel->releasing)
		return;
	kernel->releasing = true;
	while (kernel->dying) {
		file = kernel->dying;
		kernel->dying = file->next_dying;
		release(file);
		end_file(file);
	}
	kernel->releasing = false;
}

void files_fini(Kernel *kernel)
{
	File *file, *next;

	/* Nobody goes while the others are still giving up what they hold. */
	for (file = kernel->files; file; file = file->next)
		file->refs = UINT32_MAX / 2;
	for (file = kernel->files; file; file = file->next)
		release(file);
	for (file = kernel->files; file; file = next) {
		next = file->next;
		end_file(file);
	}
	streams_fini(kernel);
}

i64 file_wait(Task *task, File *file, u32 events)
{
	u64 *end = &task->call.data[4], patience; /* 1 + the hour when it has waited long enough */

	if (file->flags & O_NONBLOCK || !file->ops->watch)
		return -EAGAIN;
	patience = file->ops->patience ? file->ops->patience(file, events) : 0;
	if (patience) {
		u64 now = kernel_now(file->kernel);

		if (!*end)
			*end = now + patience + 1;
		if (now + 1 >= *end)
			return -EAGAIN;
		task_wait_hour(task, *end - 1);
		task->call.restart = CALL_INTERRUPT; /* signal(7): with a timeout it is not made again */
	}
	return file->ops->watch(file, task, events) ? CALL_WAIT : -ENOMEM;
}

u32 file_poll(File *file)
{
	return file->ops->poll ? file->ops->poll(file) : (u32)(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}

/* ---- Tables ---- */

FdTable *fds_create(Kernel *kernel)
{
	FdTable *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->kernel = kernel;
	table->refs = 1;
	return table;
}

FdTable *fds_get(FdTable *table)
{
	table->refs++;
	return table;
}

void fds_put(FdTable *table)
{
	if (!table || --table->refs)
		return;
	for (u32 i = 0; i < table->cap; i++)
		file_put(table->entries[i].file);
	free(table->entries);
	free(table);
}

/* Descriptors below `end`. */
static FdTable *copy_table(const FdTable *table, u32 end)
{
	FdTable *copy = fds_create(table->kernel);

	if (!copy)
		return NULL;
	while (end && !table->entries[end - 1].file)
		end--;
	copy->free_from = table->free_from;
	if (!end)
		return copy;
	copy->entries = malloc(end * sizeof(*copy->entries));
	if (!copy->entries) {
		free(copy);
		return NULL;
	}
	memcpy(copy->entries, table->entries, end * sizeof(*copy->entries));
	copy->cap = end;
	for (u32 i = 0; i < end; i++)
		if (copy->entries[i].file)
			file_get(copy->entries[i].file);
	return copy;
}

FdTable *fds_fork(FdTable *table)
{
	return copy_table(table, table->cap);
}

/* The process gets a table of its own if it shares one. */
static i64 unshare_table(Task *task)
{
	FdTable *table = task->process->files, *copy;

	if (table->refs == 1)
		return 0;
	copy = copy_table(table, table->cap);
	if (!copy)
		return -ENOMEM;
	task->process->files = copy;
	fds_put(table);
	return 0;
}

/* Takes the file out; the caller has its reference then. */
static File *take_out(FdTable *table, u32 fd)
{
	File *file = table->entries[fd].file;

	table->entries[fd] = (Descriptor){ 0 };
	if (file && fd < table->free_from)
		table->free_from = fd;
	return file;
}

/* A process that closes any descriptor of a file loses its record locks on it (fcntl(2)). */
static void close_file(Task *task, File *file)
{
	if (file->ops->closed)
		file->ops->closed(file, task);
	file_put(file);
}

void fds_close_on_exec(Task *task)
{
	FdTable *table;

	if (unshare_table(task) < 0)
		return; /* the memory for a copy is missing: what others see closes too */
	table = task->process->files;
	for (u32 i = 0; i < table->cap; i++)
		if (table->entries[i].file && table->entries[i].close_on_exec)
			close_file(task, take_out(table, i));
}

static bool grow_table(FdTable *table, u32 least)
{
	return array_reach((void **)&table->entries, &table->cap, least, sizeof(*table->entries));
}

u32 fds_limit(const Task *task)
{
	u64 limit = task->kernel->limits.files, own = task->process->limits[LIMIT_NOFILE][0];

	if (own < limit)
		limit = own;
	return limit < TABLE_MAX ? (u32)limit : TABLE_MAX;
}

i64 fds_install(Task *task, File *file, i32 least, bool close_on_exec)
{
	FdTable *table = task->process->files;
	u32 limit = fds_limit(task), fd = least < 0 ? 0 : (u32)least;

	if (fd < table->free_from)
		fd = table->free_from;
	while (fd < table->cap && table->entries[fd].file)
		fd++;
	if (fd >= limit) {
		file_put(file);
		return -EMFILE;
	}
	if (fd >= table->cap && !grow_table(table, fd)) {
		file_put(file);
		return -ENOMEM;
	}
	table->entries[fd] = (Descriptor){ file, close_on_exec };
	if ((u32)(least < 0 ? 0 : least) <= table->free_from)
		table->free_from = fd + 1;
	return fd;
}

File *fds_file(Task *task, i32 fd)
{
	const FdTable *table = task->process->files;

	return fd >= 0 && (u32)fd < table->cap ? table->entries[fd].file : NULL;
}

File *fds_stream(Task *task, u64 fd)
{
	File *file = fds_file(task, (i32)fd);

	return file && !(file->flags & O_PATH) ? file : NULL;
}

i64 fds_close(Task *task, i32 fd)
{
	if (!fds_file(task, fd))
		return -EBADF;
	close_file(task, take_out(task->process->files, (u32)fd));
	return 0;
}

bool fds_next(const FdTable *table, i32 *fd)
{
	for (u32 i = *fd < 0 ? 0 : (u32)*fd; i < table->cap; i++)
		if (table->entries[i].file) {
			*fd = (i32)i;
			return true;
		}
	return false;
}

bool fds_closes_on_exec(const FdTable *table, i32 fd)
{
	return fd >= 0 && (u32)fd < table->cap && table->entries[fd].close_on_exec;
}

i64 fds_set_close_on_exec(FdTable *table, i32 fd, bool on)
{
	if (fd < 0 || (u32)fd >= table->cap || !table->entries[fd].file)
		return -EBADF;
	table->entries[fd].close_on_exec = on;
	return 0;
}

/* Exactly at this number; what was there is closed. Takes the reference over. */
static i64 put_at(Task *task, u32 fd, File *file, bool close_on_exec)
{
	FdTable *table = task->process->files;
	File *old;

	if (fd >= fds_limit(task)) {
		file_put(file);
		return -EBADF;
	}
	if (!grow_table(table, fd)) {
		file_put(file);
		return -ENOMEM;
	}
	old = take_out(table, fd);
	table->entries[fd] = (Descriptor){ file, close_on_exec };
	if (table->free_from == fd)
		table->free_from = fd + 1;
	if (old)
		close_file(task, old);
	return fd;
}

/* ---- System calls ---- */

i64 sys_dup(Task *task, const u64 *a)
{
	File *file = fds_file(task, (i32)a[0]);

	return file ? fds_install(task, file_get(file), 0, false) : -EBADF;
}

i64 sys_dup3(Task *task, const u64 *a)
{
	File *file;

	if (a[2] & ~(u64)O_CLOEXEC || (u32)a[0] == (u32)a[1])
		return -EINVAL;
	if ((u32)a[1] >= fds_limit(task))
		return -EBADF;
	file = fds_file(task, (i32)a[0]);
	return file ? put_at(task, (u32)a[1], file_get(file), a[2] & O_CLOEXEC) : -EBADF;
}

i64 sys_close(Task *task, const u64 *a)
{
	return fds_close(task, (i32)a[0]);
}

i64 sys_close_range(Task *task, const u64 *a)
{
	enum { UNSHARE = 2, CLOEXEC = 4 };
	u32 first = (u32)a[0], last = (u32)a[1], flags = (u32)a[2];
	FdTable *table;

	if (flags & ~(u32)(UNSHARE | CLOEXEC) || first > last)
		return -EINVAL;
	if (flags & UNSHARE) {
		i64 result = unshare_table(task);

		if (result < 0)
			return result;
	}
	table = task->process->files;
	for (u32 i = first; i < table->cap && i <= last; i++) {
		if (!table->entries[i].file)
			continue;
		if (flags & CLOEXEC)
			table->entries[i].close_on_exec = true;
		else
			close_file(task, take_out(table, i));
	}
	return 0;
}

i64 sys_fcntl(Task *task, const u64 *a)
{
	enum { SETTABLE = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME };
	/* What open acts on and forgets. */
	enum { PASSING = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC };
	FdTable *table = task->process->files;
	i32 fd = (i32)a[0];
	u32 command = (u32)a[1];
	File *file = fds_file(task, fd);

	if (!file)
		return -EBADF;
	if (file->flags & O_PATH && command != F_DUPFD && command != F_DUPFD_CLOEXEC && command != F_GETFD &&
	    command != F_SETFD && command != F_GETFL)
		return -EBADF;
	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (a[2] >= fds_limit(task))
			return -EINVAL;
		return fds_install(task, file_get(file), (i32)a[2], command == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return table->entries[fd].close_on_exec ? FD_CLOEXEC : 0;
	case F_SETFD:
		return fds_set_close_on_exec(table, fd, a[2] & FD_CLOEXEC);
	case F_GETFL:
		return file->flags & ~(u32)PASSING;
	case F_SETFL:
		file->flags = (file->flags & ~(u32)SETTABLE) | ((u32)a[2] & SETTABLE);
		return 0;
	case F_GETOWN:
		return file->owner;
	case F_SETOWN:
		file->owner = (i32)a[2];
		return 0;
	case F_GETSIG:
	case F_SETSIG:
		return 0;
	case F_GETPIPE_SZ:
		return pipe_capacity(file);
	case F_SETPIPE_SZ:
		return pipe_set_capacity(file, a[2]);
	default:
		if (file->ops->control)
			return file->ops->control(file, task, command, a[2]);
		return -EINVAL;
	}
}

/* ---- Snapshots ---- */

static void carry_table(Tape *tape, FdTable *table)
{
	u32 count = 0;

	for (u32 i = 0; i < table->cap; i++)
		count += table->entries[i].file != NULL;
	count = tape_count(tape, count, 9);
	for (u32 i = 0, fd = 0, next = 0; i < count && tape_ok(tape); i++, fd++) {
		Descriptor *entry;
		File *file;

		while (!tape->loading && !table->entries[fd].file)
			fd++;
		tape_u32(tape, &fd);
		if (!tape_check(tape, fd >= next && fd < TABLE_MAX && fd < tape->kernel->limits.files))
			return;
		next = fd + 1;
		if (tape->loading && !grow_table(table, fd)) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			return;
		}
		entry = &table->entries[fd];
		file = tape_ref(tape, TAPE_FILES, entry->file);
		if (!tape_check(tape, file != NULL))
			return;
		if (tape->loading)
			entry->file = file_get(file);
		tape_bool(tape, &entry->close_on_exec);
	}
}

void carry_tables(Tape *tape)
{
	u32 count;

	if (!tape->loading)
		for (Process *process = tape->kernel->processes; process; process = process->next)
			tape_add(tape, TAPE_TABLES, process->files);
	count = tape_count(tape, tape->lists[TAPE_TABLES].count, 4);
	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		FdTable *table = tape->loading ? fds_create(tape->kernel) : tape->lists[TAPE_TABLES].items[i];

		if (!table || (tape->loading && !tape_add(tape, TAPE_TABLES, table))) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			fds_put(tape->loading ? table : NULL);
			return;
		}
		carry_table(tape, table);
	}
}
