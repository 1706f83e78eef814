/* SPDX-License-Identifier: MIT
 *
 * Memory that all maps of a file share (MAP_SHARED): a memfd with the file's content, made when the first one maps it.
 * From then on until nobody has the file open, reads and writes by system calls go to it as well, so all see the same
 * bytes. What was written goes back to the node at sync and at the end, block by block, only those that differ.
 *
 * Why not the file of the host itself: others may truncate it, and a page behind its end is a SIGBUS for us. A memfd is
 * sealed against shrinking; of a file that is truncated the rest becomes zero.
 *
 * Charged against limits.storage: once somebody may write to the map, the whole of the memfd, also where it has holes (it
 * fills by stores, which nobody could refuse); before, what the host really keeps for it.
 */
#define _GNU_SOURCE /* memfd_create */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/save.h"
#include "linux/vfs_private.h"

typedef struct VfsShared {
	int fd;
	u64 capacity;    /* size of the memfd */
	u64 charged;
	bool writable;   /* somebody may have written */
	bool carried;    /* it is on the tape that is being written */
} VfsShared;

enum { BLOCK = 16 * 1024 };

static u64 node_size(VfsNode *node)
{
	FileStat stat;

	return node->ops->stat(node, &stat) ? 0 : stat.size;
}

static i64 put_all(int fd, const u8 *from, u64 len, u64 offset)
{
	while (len) {
		ssize_t put = pwrite(fd, from, len, (off_t)offset);

		if (put <= 0)
			return put < 0 && errno != EINTR ? -errno : -EIO;
		from += put;
		offset += (u64)put;
		len -= (u64)put;
	}
	return 0;
}

static bool shared_charge(VfsNode *node, u64 bytes)
{
	VfsShared *shared = node->shared;
	Kernel *kernel = node->fs->kernel;

	if (bytes > shared->charged && !vfs_charge(kernel, bytes - shared->charged))
		return false;
	if (bytes < shared->charged)
		vfs_discharge(kernel, shared->charged - bytes);
	shared->charged = bytes;
	return true;
}

/* What it is to be charged now. */
static u64 shared_cost(const VfsShared *shared)
{
	struct stat stat;

	return shared->writable ? shared->capacity : fstat(shared->fd, &stat) ? shared->charged : (u64)stat.st_blocks * 512;
}

static i64 shared_grow(VfsNode *node, u64 capacity)
{
	VfsShared *shared = node->shared;
	u64 charged = shared->charged;

	capacity = (capacity + SPACE_PAGE - 1) & ~(u64)(SPACE_PAGE - 1);
	if (capacity <= shared->capacity)
		return 0;
	if (shared->writable && !shared_charge(node, capacity))
		return -ENOMEM;
	if (ftruncate(shared->fd, (off_t)capacity)) {
		shared_charge(node, charged);
		return -ENOMEM;
	}
	shared->capacity = capacity;
	return 0;
}

/* Bytes into the memfd, charged before they are there and then for what they cost. */
static i64 shared_put(VfsNode *node, const u8 *from, u64 len, u64 offset)
{
	VfsShared *shared = node->shared;
	i64 error;

	if (!shared->writable && !shared_charge(node, shared->charged + len + 2 * SPACE_PAGE))
		return -ENOSPC;
	error = put_all(shared->fd, from, len, offset);
	shared_charge(node, shared_cost(shared));
	return error;
}

static void shared_free(VfsNode *node)
{
	close(node->shared->fd);
	shared_charge(node, 0);
	free(node->shared);
	node->shared = NULL;
}

static bool all_zero(const u8 *bytes, u64 len)
{
	return !len || (!bytes[0] && !memcmp(bytes, bytes + 1, len - 1));
}

static i64 shared_fill(VfsNode *node)
{
	u8 *block = malloc(BLOCK);
	u64 at = 0, size = node_size(node);
	i64 error = block ? 0 : -ENOMEM;

	while (!error && at < size) {
		i64 got;

		if (node->ops->next_data)
			at = node->ops->next_data(node, at);
		got = at < size ? node->ops->read(node, block, BLOCK, at) : 0;

		if (got <= 0) {
			error = got;
			break;
		}
		if (at + (u64)got > node->shared->capacity)
			got = (i64)(node->shared->capacity - at);
		if (!got)
			break;
		if (!all_zero(block, (u64)got))
			error = shared_put(node, block, (u64)got, at);
		at += (u64)got;
	}
	free(block);
	return error;
}

/* A memfd of this capacity, empty. */
static i64 shared_open(VfsNode *node, u64 capacity)
{
	VfsShared *shared = calloc(1, sizeof(*shared));
	i64 error;

	if (!shared)
		return -ENOMEM;
	shared->fd = memfd_create("husk-file", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (shared->fd < 0) {
		free(shared);
		return -ENFILE;
	}
	node->shared = shared;
	error = shared_grow(node, capacity);
	if (!error && fcntl(shared->fd, F_ADD_SEALS, F_SEAL_SHRINK))
		error = -errno;
	return error;
}

static i64 shared_allow_writing(VfsNode *node)
{
	if (!shared_charge(node, node->shared->capacity))
		return -ENOMEM;
	node->shared->writable = true;
	return 0;
}

static i64 shared_make(VfsNode *node, u64 capacity, bool writable, int *fd)
{
	i64 error = shared_open(node, capacity);

	if (!error && writable)
		error = shared_allow_writing(node);
	if (error && node->shared)
		shared_free(node);
	*fd = error ? -1 : node->shared->fd;
	return error;
}

i64 vfs_shared_get(VfsNode *node, u64 size, bool writable, int *fd)
{
	VfsShared *shared = node->shared;
	u64 need = node_size(node);
	i64 error;

	*fd = -1;
	if (need < size)
		need = size;
	if (need > FILE_SIZE_LIMIT)
		return -ENOMEM;
	if (shared) {
		error = shared_grow(node, need);
	} else {
		error = shared_open(node, need);
		if (!error)
			error = shared_fill(node);
		if (error && node->shared)
			shared_free(node);
	}
	if (!error && writable && !node->shared->writable)
		error = shared_allow_writing(node);
	if (error)
		return error == -ENOSPC ? -ENOMEM : error;
	*fd = node->shared->fd;
	return 0;
}

i64 vfs_shared_read(VfsNode *node, u8 *to, u64 len, u64 offset)
{
	u64 size = node_size(node);
	ssize_t got;

	if (offset >= size)
		return 0;
	if (len > size - offset)
		len = size - offset;
	if (offset >= node->shared->capacity) /* it grew elsewhere */
		return node->ops->read(node, to, len, offset);
	if (len > node->shared->capacity - offset)
		len = node->shared->capacity - offset;
	got = pread(node->shared->fd, to, len, (off_t)offset);
	return got < 0 ? -errno : got;
}

i64 vfs_shared_write(VfsNode *node, const u8 *from, u64 len, u64 offset)
{
	/* The node as well: so sizes, times and what is full are its own. */
	i64 put = node->ops->write(node, from, len, offset), error;

	if (put <= 0)
		return put;
	error = shared_grow(node, offset + (u64)put);
	if (!error)
		error = shared_put(node, from, (u64)put, offset);
	return error ? error : put;
}

void vfs_shared_resized(VfsNode *node, u64 size)
{
	VfsShared *shared = node->shared;

	if (size < shared->capacity)
		fallocate(shared->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)size, (off_t)(shared->capacity - size));
	else
		shared_grow(node, size);
}

i64 vfs_shared_sync(VfsNode *node)
{
	VfsShared *shared = node->shared;
	u64 size = node_size(node), at = 0;
	u8 *blocks;
	i64 error = 0;

	if (!shared || !shared->writable)
		return 0;
	if (size > shared->capacity)
		size = shared->capacity;
	blocks = malloc(2 * BLOCK);
	if (!blocks)
		return -ENOMEM;
	while (at < size && !error) {
		u64 part = size - at < BLOCK ? size - at : BLOCK;
		ssize_t got = pread(shared->fd, blocks, part, (off_t)at);
		i64 old = got > 0 ? node->ops->read(node, blocks + BLOCK, (u64)got, at) : 0;

		if (got <= 0 || old < 0) {
			error = old < 0 ? old : got ? -errno : 0;
			break;
		}
		if (old != got || memcmp(blocks, blocks + BLOCK, (size_t)got)) {
			i64 put = node->ops->write(node, blocks, (u64)got, at);

			error = put == got ? 0 : put < 0 ? put : -ENOSPC;
		}
		at += (u64)got;
	}
	free(blocks);
	return error;
}

void vfs_shared_drop(VfsNode *node)
{
	if (!node->shared)
		return;
	vfs_shared_sync(node);
	shared_free(node);
}

/* ---- Snapshots ---- */

static void carry_blocks(Tape *tape, VfsNode *node)
{
	VfsShared *shared = node->shared;
	u8 page[SPACE_PAGE];
	u64 at = 0, end = ~(u64)0;

	while (!tape->loading) {
		off_t data = lseek(shared->fd, (off_t)at, SEEK_DATA);

		if (data < 0 || (u64)data >= shared->capacity)
			break;
		at = (u64)data & ~(u64)(SPACE_PAGE - 1);
		if (pread(shared->fd, page, sizeof(page), (off_t)at) != (ssize_t)sizeof(page)) {
			tape_fail(tape, STATUS_IO, "%s", "shared memory can't be read");
			return;
		}
		if (!all_zero(page, sizeof(page))) {
			tape_u64(tape, &at);
			tape_bytes(tape, page, sizeof(page));
		}
		at += SPACE_PAGE;
	}
	if (!tape->loading) {
		tape_u64(tape, &end);
		return;
	}
	while (tape_ok(tape)) {
		tape_u64(tape, &at);
		if (at == end || !tape_check(tape, at % SPACE_PAGE == 0 && at < shared->capacity))
			return;
		tape_bytes(tape, page, sizeof(page));
		if (tape_ok(tape) && shared_put(node, page, sizeof(page), at))
			tape_fail(tape, STATUS_TOO_BIG, "%s", "its shared files need more than is allowed");
	}
}

/* Once for each node: whoever else has it open finds it done. */
void carry_node_memory(Tape *tape, VfsNode *node)
{
	VfsShared *shared = node->shared;
	bool is_shared = shared && !shared->carried, writable = shared && shared->writable;
	u64 capacity = shared ? shared->capacity : 0;
	int fd;

	tape_bool(tape, &is_shared);
	if (!is_shared)
		return;
	if (!tape->loading && tape->near && writable && vfs_is_host(node))
		tape_fail(tape, STATUS_UNSUPPORTED, "%s", "a file of the host is mapped to be written");
	tape_u64(tape, &capacity);
	tape_bool(tape, &writable);
	if (!tape_check(tape, capacity % SPACE_PAGE == 0 && capacity <= FILE_SIZE_LIMIT && (!tape->loading || !shared)))
		return;
	if (tape->loading && shared_make(node, capacity, writable, &fd)) {
		tape_fail(tape, STATUS_TOO_BIG, "%s", "its shared files need more than is allowed");
		return;
	}
	node->shared->carried = !tape->loading;
	carry_blocks(tape, node);
}

void vfs_shared_carried(VfsNode *node)
{
	if (node->shared)
		node->shared->carried = false;
}
