/* SPDX-License-Identifier: MIT
 *
 * Anonymous shared memory: one memfd for the whole kernel, in which each mapping gets a stretch that is never given out
 * again (2^63 bytes are enough for that). What it really holds is counted as storage, like files in memory, by asking
 * the host: so a page that several processes map counts once here, and one that nobody maps any more still does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
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

/* ---- What has memory ----
 * The host can't be asked: where it says that there is data depends on how often a page was laid there. */

/* The first run that ends at or behind `at`. */
static u32 run_at(const Shared *shared, u64 at)
{
	u32 low = 0, high = shared->run_count;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (shared->runs[middle].end < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_filled(const Shared *shared, u64 start, u64 end)
{
	u32 at = run_at(shared, end);

	return at < shared->run_count && shared->runs[at].start <= start;
}

/* Room for one more run has been made. */
static void runs_add(Shared *shared, u64 start, u64 end)
{
	u32 first = run_at(shared, start), last = first;

	for (; last < shared->run_count && shared->runs[last].start <= end; last++) {
		start = shared->runs[last].start < start ? shared->runs[last].start : start;
		end = shared->runs[last].end > end ? shared->runs[last].end : end;
	}
	memmove(shared->runs + first + 1, shared->runs + last, (shared->run_count - last) * sizeof(SharedRun));
	shared->run_count = shared->run_count - (last - first) + 1;
	shared->runs[first] = (SharedRun){start, end};
}

static void runs_remove(Shared *shared, u64 start, u64 end)
{
	u32 kept = 0, i = run_at(shared, start);
	SharedRun behind = {0, 0};

	for (kept = i; i < shared->run_count; i++) {
		SharedRun run = shared->runs[i];

		if (run.start < start && run.end > end)
			behind = (SharedRun){end, run.end};
		if (run.start < start)
			run.end = run.end < start ? run.end : start;
		else if (run.end > end)
			run.start = run.start > end ? run.start : end;
		else
			continue;
		shared->runs[kept++] = run;
	}
	shared->run_count = kept;
	if (behind.end)
		runs_add(shared, behind.start, behind.end);
}

static bool runs_reserve(Shared *shared)
{
	return array_grow((void **)&shared->runs, &shared->run_cap, shared->run_count, sizeof(SharedRun));
}

/* ---- Life ---- */

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
	free(shared->runs);
	free(shared);
}

bool mm_shared_fill(Shared *shared, u64 offset, u64 len)
{
	Kernel *kernel = shared->kernel;
	int fd = kernel->memory->fd;
	off_t at = (off_t)(shared->place + offset);

	if (offset > shared->size || len > shared->size - offset)
		return false;
	if (is_filled(shared, offset, offset + len))
		return true;
	if (!runs_reserve(shared))
		return false;
	if (kernel->storage > kernel->limits.storage || len > kernel->limits.storage - kernel->storage) {
		off_t hole = lseek(fd, at, SEEK_DATA) == at ? lseek(fd, at, SEEK_HOLE) : at;

		if (hole < at + (off_t)len)
			return false;
	}
	if (fallocate(fd, 0, at, (off_t)len))
		return false;
	runs_add(shared, offset, offset + len);
	count(kernel);
	return true;
}

void mm_shared_punch(Shared *shared, u64 offset, u64 len)
{
	int fd = shared->kernel->memory->fd;

	if (offset > shared->size || len > shared->size - offset)
		return;
	if (!runs_reserve(shared) && offset) /* what is in the midst of a run stays */
		return;
	/* Nothing can be done when it fails; what stays is counted. */
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(shared->place + offset), (off_t)len) == 0)
		count(shared->kernel);
	runs_remove(shared, offset, offset + len);
}

int mm_shared_fd(const Shared *shared)
{
	return shared->kernel->memory->fd;
}
