/* SPDX-License-Identifier: MIT
 *
 * Anonymous shared memory: one memfd for the whole kernel, in which each mapping gets a stretch that is never given out
 * again (2^63 bytes are enough for that). What it really holds is counted as storage, like files in memory, by asking
 * the host: so a page that several processes map counts once here, and one that nobody maps any more still does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/mm_private.h"

static bool open_memory(struct KernelMemory *memory)
{
	if (memory->fd < 0) {
		memory->fd = memfd_create("husk-shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (memory->fd >= 0 && fcntl(memory->fd, F_ADD_SEALS, F_SEAL_SHRINK)) {
			close(memory->fd);
			memory->fd = -1;
		}
	}
	return memory->fd >= 0;
}

/* Counts what the memfd has now. */
static void count(Kernel *kernel)
{
	struct KernelMemory *memory = kernel->memory;
	struct stat info;

	if (fstat(memory->fd, &info))
		return;
	kernel->storage += (u64)info.st_blocks * 512 - memory->shared_bytes;
	memory->shared_bytes = (u64)info.st_blocks * 512;
}

Shared *mm_shared_create(Kernel *kernel, u64 size)
{
	struct KernelMemory *memory = mm_kernel_memory(kernel);
	Shared *shared;

	if (!memory || !open_memory(memory) || size > (u64)INT64_MAX - memory->shared_end)
		return NULL;
	if (ftruncate(memory->fd, (off_t)(memory->shared_end + size)))
		return NULL;
	shared = malloc(sizeof *shared);
	if (!shared)
		return NULL;
	*shared = (Shared){.kernel = kernel, .refs = 1, .place = memory->shared_end, .size = size};
	memory->shared_end += size;
	return shared;
}

Shared *mm_shared_get(Shared *shared)
{
	shared->refs++;
	return shared;
}

void mm_shared_put(Shared *shared)
{
	if (--shared->refs)
		return;
	mm_shared_punch(shared, 0, shared->size);
	free(shared);
}

bool mm_shared_fill(Shared *shared, u64 offset, u64 len)
{
	Kernel *kernel = shared->kernel;
	int fd = kernel->memory->fd;
	off_t at = (off_t)(shared->place + offset);

	if (offset > shared->size || len > shared->size - offset)
		return false;
	if (kernel->storage > kernel->limits.storage || len > kernel->limits.storage - kernel->storage) {
		off_t hole = lseek(fd, at, SEEK_DATA) == at ? lseek(fd, at, SEEK_HOLE) : at;

		if (hole < at + (off_t)len)
			return false;
	}
	if (fallocate(fd, 0, at, (off_t)len))
		return false;
	count(kernel);
	return true;
}

void mm_shared_punch(Shared *shared, u64 offset, u64 len)
{
	int fd = shared->kernel->memory->fd;

	if (offset > shared->size || len > shared->size - offset)
		return;
	/* Nothing can be done when it fails; what stays is counted. */
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(shared->place + offset), (off_t)len) == 0)
		count(shared->kernel);
}

int mm_shared_fd(const Shared *shared)
{
	return shared->kernel->memory->fd;
}
