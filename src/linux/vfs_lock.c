/* SPDX-License-Identifier: MIT
 *
 * Locks on files: flock(2), and record locks of fcntl(2), of a process or (OFD) of an open file.
 *
 * A node has a list of locks and a queue of those who wait for a change in it. Record locks of one owner never overlap,
 * and neighbours of one kind are one lock. Each is charged (LOCK_COST), so that nobody fills memory with single bytes.
 *
 * Deadlocks between processes (EDEADLK): a task that waits keeps in its call who is in its way; whoever wants to wait
 * follows these from process to process, and must not come back to itself.
 */
#include <stdlib.h>

#include "linux/process.h"
#include "linux/save.h"
#include "linux/vfs_private.h"

enum {
	LOCK_SHARED = 1, LOCK_EXCLUSIVE = 2, LOCK_NO_WAIT = 4, LOCK_NONE = 8,
	GET_LOCK = 5, SET_LOCK = 6, SET_LOCK_WAIT = 7, OFD_GET_LOCK = 36, OFD_SET_LOCK = 37, OFD_SET_LOCK_WAIT = 38,
	TYPE_READ = 0, TYPE_WRITE = 1, TYPE_NONE = 2,
	LOCK_COST = 128,
	WAITS_FOR_LOCK = 0x10C4,
};

typedef struct FileLock FileLock;
struct FileLock {
	FileLock *next;
	const void *owner;  /* Process; or File: of flock and OFD locks */
	bool whole;         /* of flock */
	bool write;
	i32 pid;            /* -1: of an open file */
	u64 start, end;     /* both within */
};

typedef struct VfsLocks {
	FileLock *first;
	WaitQueue changed;
	bool carried;       /* they are on the tape that is being written */
} VfsLocks;

static VfsLocks *locks_of(VfsNode *node)
{
	if (!node->locks) {
		node->locks = calloc(1, sizeof(*node->locks));
		if (node->locks)
			wait_init(&node->locks->changed);
	}
	return node->locks;
}

static FileLock *lock_new(VfsNode *node, const FileLock *like)
{
	FileLock *lock;

	if (!vfs_charge(node->fs->kernel, LOCK_COST))
		return NULL;
	lock = malloc(sizeof(*lock));
	if (!lock) {
		vfs_discharge(node->fs->kernel, LOCK_COST);
		return NULL;
	}
	*lock = *like;
	lock->next = node->locks->first;
	node->locks->first = lock;
	return lock;
}

static void lock_free(VfsNode *node, FileLock **at)
{
	FileLock *lock = *at;

	*at = lock->next;
	free(lock);
	vfs_discharge(node->fs->kernel, LOCK_COST);
}

/* All locks of an owner go. */
static void locks_drop(VfsNode *node, const void *owner)
{
	bool dropped = false;

	if (!node || !node->locks)
		return;
	for (FileLock **at = &node->locks->first; *at;) {
		if ((*at)->owner == owner) {
			lock_free(node, at);
			dropped = true;
		} else {
			at = &(*at)->next;
		}
	}
	if (dropped)
		wait_wake(&node->locks->changed);
}

void vfs_locks_free(VfsNode *node)
{
	if (!node->locks)
		return;
	while (node->locks->first)
		lock_free(node, &node->locks->first);
	wait_fini(&node->locks->changed);
	free(node->locks);
	node->locks = NULL;
}

void vfs_locks_file_closed(File *file)
{
	locks_drop(vfs_file_node(file), file);
}

void vfs_closed(Process *process, File *file)
{
	locks_drop(vfs_file_node(file), process);
}

void vfs_process_ended(Process *process)
{
	for (File *file = process->kernel->files; file; file = file->next)
		locks_drop(vfs_file_node(file), process);
}

/* The first lock of somebody else that is in the way. */
static const FileLock *lock_conflict(const VfsLocks *locks, const FileLock *want)
{
	for (const FileLock *lock = locks->first; lock; lock = lock->next) {
		if (lock->owner != want->owner && lock->whole == want->whole && (lock->write || want->write) &&
		    lock->start <= want->end && want->start <= lock->end)
			return lock;
	}
	return NULL;
}

/* ---- flock ---- */

i64 vfs_flock(Task *task, File *file, u32 operation)
{
	VfsNode *node = vfs_file_node(file);
	u32 kind = operation & ~(u32)LOCK_NO_WAIT;
	FileLock want = {.owner = file, .whole = true, .write = kind == LOCK_EXCLUSIVE, .pid = task->process->pid,
			 .end = UINT64_MAX};
	const FileLock *other;

	if (kind != LOCK_SHARED && kind != LOCK_EXCLUSIVE && kind != LOCK_NONE)
		return -EINVAL;
	if (!node || vfs_is_path_only(file))
		return -EBADF;
	if (!locks_of(node))
		return -ENOLCK;
	if (kind != LOCK_NONE) {
		for (const FileLock *lock = node->locks->first; lock; lock = lock->next) {
			if (lock->owner == file && lock->whole && lock->write == want.write)
				return 0;
		}
	}
	/* A lock of the other kind is given up first, as Linux does. */
	for (FileLock **at = &node->locks->first; *at; at = &(*at)->next) {
		if ((*at)->owner == file && (*at)->whole) {
			lock_free(node, at);
			wait_wake(&node->locks->changed);
			break;
		}
	}
	if (kind == LOCK_NONE)
		return 0;
	other = lock_conflict(node->locks, &want);
	if (other) {
		if (operation & LOCK_NO_WAIT)
			return -EAGAIN;
		return task_watch(task, &node->locks->changed) ? CALL_WAIT : -ENOMEM;
	}
	return lock_new(node, &want) ? 0 : -ENOLCK;
}

/* ---- Records ---- */

/* What the owner has in the range goes; parts outside stay. Room for one more was made before. */
static bool records_clear(VfsNode *node, const FileLock *range)
{
	for (FileLock **at = &node->locks->first; *at;) {
		FileLock *lock = *at;

		if (lock->owner != range->owner || lock->whole || lock->start > range->end || lock->end < range->start) {
			at = &lock->next;
			continue;
		}
		if (lock->start < range->start && lock->end > range->end) {
			FileLock rest = *lock;

			rest.start = range->end + 1;
			if (!lock_new(node, &rest))
				return false;
			lock->end = range->start - 1;
			return true;
		}
		if (lock->start < range->start) {
			lock->end = range->start - 1;
			at = &lock->next;
		} else if (lock->end > range->end) {
			lock->start = range->end + 1;
			at = &lock->next;
		} else {
			lock_free(node, at);
		}
	}
	return true;
}

static i64 record_set(VfsNode *node, FileLock want)
{
	/* Neighbours and overlaps of the same kind become part of it. */
	for (const FileLock *lock = node->locks->first; lock; lock = lock->next) {
		if (lock->owner != want.owner || lock->whole || lock->write != want.write)
			continue;
		if ((want.end == UINT64_MAX || lock->start <= want.end + 1) &&
		    (lock->end == UINT64_MAX || want.start <= lock->end + 1)) {
			if (lock->start < want.start)
				want.start = lock->start;
			if (lock->end > want.end)
				want.end = lock->end;
		}
	}
	if (!records_clear(node, &want) || !lock_new(node, &want))
		return -ENOLCK;
	return 0;
}

/* Does the process that is in the way wait, over others, for this one? */
static bool waits_for(Kernel *kernel, const Process *process, i32 pid)
{
	i32 at = pid;

	for (u32 step = 0; step < kernel->process_count + 1; step++) {
		i32 next = 0;

		if (at == process->pid)
			return true;
		for (u32 i = 0; i < kernel->task_cap && !next; i++) {
			const Task *task = kernel->tasks[i];

			if (task && task->process->pid == at && task->waiters && task->call.data[5] == WAITS_FOR_LOCK)
				next = (i32)task->call.data[4];
		}
		if (!next)
			return false;
		at = next;
	}
	return false;
}

static i64 record_range(File *file, const u8 *from, FileLock *range)
{
	i16 whence;
	i64 start, len, base = 0, end;
	FileStat stat;

	memcpy(&whence, from + 2, 2);
	memcpy(&start, from + 8, 8);
	memcpy(&len, from + 16, 8);
	if (whence == 1) {
		base = (i64)file->position;
	} else if (whence == 2) {
		i64 error = file->ops->stat(file, &stat);

		if (error)
			return error;
		base = (i64)stat.size;
	} else if (whence) {
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	if (len == 0) {
		range->start = (u64)start;
		range->end = UINT64_MAX;
		return 0;
	}
	if (__builtin_add_overflow(start, len > 0 ? len - 1 : len, &end))
		return -EOVERFLOW;
	if (end < 0)
		return -EINVAL;
	range->start = (u64)(len > 0 ? start : end);
	range->end = (u64)(len > 0 ? end : start - 1);
	return 0;
}

static i64 record_tell(Task *task, VfsNode *node, const FileLock *want, u64 address, u8 *text)
{
	const FileLock *other = lock_conflict(node->locks, want);
	i16 type = TYPE_NONE, whence = 0;

	if (other) {
		u64 len = other->end == UINT64_MAX ? 0 : other->end - other->start + 1;

		type = other->write ? TYPE_WRITE : TYPE_READ;
		memcpy(text + 2, &whence, 2);
		memcpy(text + 8, &other->start, 8);
		memcpy(text + 16, &len, 8);
		memcpy(text + 24, &other->pid, 4);
	}
	memcpy(text, &type, 2);
	return user_write(task, address, text, 32) ? 0 : -EFAULT;
}

i64 vfs_fcntl_lock(Task *task, File *file, u32 command, u64 address)
{
	VfsNode *node = vfs_file_node(file);
	bool ofd = command >= OFD_GET_LOCK, waits = command == SET_LOCK_WAIT || command == OFD_SET_LOCK_WAIT;
	FileLock want = {.owner = ofd ? (const void *)file : task->process, .pid = ofd ? -1 : task->process->pid};
	const FileLock *other;
	u8 text[32];
	i16 type;
	i32 pid;
	i64 error;

	if (!node || vfs_is_path_only(file))
		return -EBADF;
	if (!user_read(task, address, text, sizeof(text)))
		return -EFAULT;
	memcpy(&type, text, 2);
	memcpy(&pid, text + 24, 4);
	if (type < TYPE_READ || type > TYPE_NONE || (ofd && pid))
		return -EINVAL;
	error = record_range(file, text, &want);
	if (error)
		return error;
	if (!locks_of(node))
		return -ENOLCK;
	want.write = type == TYPE_WRITE;
	if (command == GET_LOCK || command == OFD_GET_LOCK)
		return type == TYPE_NONE ? -EINVAL : record_tell(task, node, &want, address, text);
	if (type == TYPE_NONE) {
		if (!records_clear(node, &want))
			return -ENOLCK;
		wait_wake(&node->locks->changed);
		return 0;
	}
	if ((file->flags & LX_O_ACCMODE) == (want.write ? LX_O_RDONLY : LX_O_WRONLY))
		return -EBADF;
	other = lock_conflict(node->locks, &want);
	task->call.data[5] = 0;
	if (!other) {
		error = record_set(node, want);
		wait_wake(&node->locks->changed); /* a write lock may have become a read lock */
		return error;
	}
	if (!waits)
		return -EAGAIN;
	if (!ofd && other->pid > 0) {
		if (waits_for(task->kernel, task->process, other->pid))
			return -EDEADLK;
		task->call.data[4] = (u64)other->pid;
		task->call.data[5] = WAITS_FOR_LOCK;
	}
	return task_watch(task, &node->locks->changed) ? CALL_WAIT : -ENOMEM;
}

/* ---- Snapshots ---- */

static void carry_lock(Tape *tape, VfsNode *node, FileLock *lock)
{
	FileLock made = {0}, *at = lock ? lock : &made;
	const void *owner;
	bool of_file = at->whole || at->pid < 0;

	tape_bool(tape, &at->whole);
	tape_bool(tape, &at->write);
	tape_i32(tape, &at->pid);
	tape_u64(tape, &at->start);
	tape_u64(tape, &at->end);
	if (tape->loading)
		of_file = at->whole || at->pid < 0;
	owner = tape_ref(tape, of_file ? TAPE_FILES : TAPE_PROCESSES, at->owner);
	if (!tape->loading || !tape_check(tape, owner && made.start <= made.end &&
							(!of_file || vfs_file_node(owner) == node)))
		return;
	made.owner = owner;
	if (!lock_new(node, &made))
		tape_fail(tape, STATUS_TOO_BIG, "%s", "more locks than are allowed");
}

/* The list, turned round. */
static void turn(VfsLocks *locks)
{
	FileLock *left = locks->first, *next;

	locks->first = NULL;
	for (; left; left = next) {
		next = left->next;
		left->next = locks->first;
		locks->first = left;
	}
}

/* Once for each node, with the first file that has it open. Loading puts them in front, so they stand there from the last
 * to the first. */
void carry_locks(Tape *tape, VfsNode *node)
{
	bool has = node->locks && !node->locks->carried;
	u32 count = 0;

	tape_bool(tape, &has);
	if (!has)
		return;
	if (!tape_check(tape, !tape->loading || !node->locks))
		return;
	if (!locks_of(node)) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	tape_queue(tape, &node->locks->changed);
	for (const FileLock *lock = node->locks->first; lock; lock = lock->next)
		count++;
	count = tape_count(tape, count, 26);
	node->locks->carried = !tape->loading;
	if (tape->loading) {
		for (u32 i = 0; i < count && tape_ok(tape); i++)
			carry_lock(tape, node, NULL);
		return;
	}
	turn(node->locks);
	for (FileLock *lock = node->locks->first; lock; lock = lock->next)
		carry_lock(tape, node, lock);
	turn(node->locks);
}

void vfs_locks_carried(VfsNode *node)
{
	if (node->locks)
		node->locks->carried = false;
}
