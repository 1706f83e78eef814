/* SPDX-License-Identifier: MIT
 *
 * Freezing paged memory (park_pages.c): what is present with which rights, and a file that has all pages that are not zeros. Either they are
 * copied into a file, run behind run; or, if the memory of the machine lies in a file of its own (space_init_in_file) and the machine
 * will go on over the image itself, that file becomes the image's as it is.
 */
#define _GNU_SOURCE

#include "machine/park_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"

enum {
	GAP = 8,         /* pages that runs are apart at least, unless that makes too many */
	RUNS_MOST = 256, /* of all address spaces, but each may have */
	RUNS_LEAST = 4,
};

const u8 park_zeros[SPACE_PAGE];

void park_destroy_pages(BasePages *pages)
{
	if (!pages)
		return;
	for (u32 n = 0; pages->aspaces && n < pages->count; n++) {
		for (u32 i = 0; i < pages->aspaces[n].count; i++) {
			BaseChunk *chunk = pages->aspaces[n].chunks[i];

			if (chunk->bytes)
				munmap(chunk->bytes, (size_t)(chunk->end - chunk->first) << SPACE_PAGE_SHIFT);
			free(chunk);
		}
		free(pages->aspaces[n].chunks);
		free(pages->aspaces[n].runs);
	}
	free(pages->aspaces);
	if (pages->fd >= 0)
		close(pages->fd);
	free(pages);
}

static BaseChunk *add_chunk(BaseAspace *aspace, u64 number)
{
	BaseChunk *chunk = calloc(1, sizeof *chunk);

	if (!chunk || !array_grow((void **)&aspace->chunks, &aspace->cap, aspace->count, sizeof *aspace->chunks)) {
		free(chunk);
		return NULL;
	}
	chunk->number = number;
	aspace->chunks[aspace->count++] = chunk;
	return chunk;
}

/* Presence and rights; place is 1 where there is something to be kept: if `look`, only what is not all zeros. */
static Status note_pages(const Space *space, BaseAspace *aspace, bool look)
{
	BaseChunk *chunk = NULL;

	for (u64 p = 0; space_next_present(space, &p, ~(u64)0); p++) {
		u8 attr = park_page_attr(space, p);

		if (!attr)
			continue;
		if (!chunk || chunk->number != p / CHUNK)
			chunk = add_chunk(aspace, p / CHUNK);
		if (!chunk)
			return STATUS_NOMEM;
		chunk->attr[p % CHUNK] = attr;
		chunk->place[p % CHUNK] = !look || memcmp(park_page_bytes(space, p), park_zeros, SPACE_PAGE) != 0;
	}
	return STATUS_OK;
}

static u32 count_runs(const BaseAspace *aspace, u64 gap)
{
	u64 last = 0;
	u32 count = 0;

	for (u32 i = 0; i < aspace->count; i++)
		for (u32 k = 0; k < CHUNK; k++) {
			u64 page = aspace->chunks[i]->number * CHUNK + k;

			if (!aspace->chunks[i]->place[k])
				continue;
			count += !count || page - last > gap;
			last = page;
		}
	return count;
}

/* What lies together, with gaps where that saves maps. Runs lie in the file one behind the other from *end on, or, if end is NULL, each
 * where it lies in memory. */
static Status place_pages(BaseAspace *aspace, u32 most, u64 *end)
{
	SpaceImage *run = NULL;
	u64 gap = GAP;

	while (count_runs(aspace, gap) > most)
		gap *= 2;
	for (u32 i = 0; i < aspace->count; i++)
		for (u32 k = 0; k < CHUNK; k++) {
			u64 page = aspace->chunks[i]->number * CHUNK + k;

			if (!aspace->chunks[i]->place[k])
				continue;
			if (!run || page - (run->page + run->count - 1) > gap) {
				if (!array_grow((void **)&aspace->runs, &aspace->run_cap, aspace->run_count, sizeof *run))
					return STATUS_NOMEM;
				run = &aspace->runs[aspace->run_count++];
				*run = (SpaceImage){page, 0, end ? *end : page};
			}
			run->count = page - run->page + 1;
			if (run->at + run->count >= ~(u32)0)
				return STATUS_UNSUPPORTED;
			aspace->chunks[i]->place[k] = (u32)(run->at + run->count);
			if (end)
				*end = run->at + run->count;
		}
	return STATUS_OK;
}

static bool write_all(int fd, const u8 *bytes, size_t len, u64 at)
{
	while (len) {
		ssize_t done = pwrite(fd, bytes, len, (off_t)at);

		if (done <= 0)
			return false;
		bytes += done;
		len -= (size_t)done;
		at += (u64)done;
	}
	return true;
}

static Status write_pages(const Space *space, const BaseAspace *aspace, int fd, u64 *bytes)
{
	for (u32 i = 0; i < aspace->count; i++) {
		const u32 *place = aspace->chunks[i]->place;

		for (u32 k = 0; k < CHUNK;) {
			u32 end = k + 1;

			while (place[k] && end < CHUNK && place[end] == place[k] + (end - k))
				end++;
			if (place[k]) {
				size_t len = (size_t)(end - k) << SPACE_PAGE_SHIFT;

				if (!write_all(fd, park_page_bytes(space, aspace->chunks[i]->number * CHUNK + k), len,
					       (u64)(place[k] - 1) << SPACE_PAGE_SHIFT))
					return STATUS_NOMEM;
				*bytes += len;
			}
			k = end;
		}
	}
	*bytes += aspace->count * sizeof(BaseChunk);
	return STATUS_OK;
}

/* Where these pages can be read. */
static Status map_chunk(BaseChunk *chunk, int fd)
{
	void *bytes;

	chunk->first = ~(u32)0;
	for (u32 k = 0; k < CHUNK; k++) {
		if (!chunk->place[k])
			continue;
		chunk->first = chunk->place[k] - 1 < chunk->first ? chunk->place[k] - 1 : chunk->first;
		chunk->end = chunk->place[k] > chunk->end ? chunk->place[k] : chunk->end;
	}
	if (!chunk->end)
		return STATUS_OK;
	bytes = mmap(NULL, (size_t)(chunk->end - chunk->first) << SPACE_PAGE_SHIFT, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, fd,
		     (off_t)((u64)chunk->first << SPACE_PAGE_SHIFT));
	if (bytes == MAP_FAILED)
		return STATUS_NOMEM;
	madvise(bytes, (size_t)(chunk->end - chunk->first) << SPACE_PAGE_SHIFT, MADV_DONTDUMP);
	chunk->bytes = bytes;
	return STATUS_OK;
}

static Status open_file(BasePages *pages)
{
	Status status = STATUS_OK;
	struct stat info;

	if (pages->fd < 0 || fstat(pages->fd, &info))
		return STATUS_NOMEM;
	pages->serial = (u64)info.st_ino;
	for (u32 n = 0; n < pages->count; n++)
		for (u32 i = 0; i < pages->aspaces[n].count && !status; i++)
			status = map_chunk(pages->aspaces[n].chunks[i], pages->fd);
	return status;
}

static Status make_file(BasePages *pages)
{
	pages->fd = memfd_create("husk-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (pages->fd < 0) /* no descriptor is left, or the host has no such thing */
		return errno == ENOMEM ? STATUS_NOMEM : STATUS_UNSUPPORTED;
	if (ftruncate(pages->fd, (off_t)(pages->file_pages << SPACE_PAGE_SHIFT)))
		return STATUS_NOMEM;
	return open_file(pages);
}

void park_seal(int fd)
{
	fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

static Status begin(const Machine *machine, BasePages **out)
{
	BasePages *pages = calloc(1, sizeof *pages);

	*out = pages;
	if (!pages)
		return STATUS_NOMEM;
	pages->fd = -1;
	pages->mapped = machine->mapped;
	pages->aspaces = calloc(machine->aspace_count, sizeof *pages->aspaces);
	if (!pages->aspaces)
		return STATUS_NOMEM;
	pages->count = machine->aspace_count;
	return STATUS_OK;
}

static Status copy_pages(const Machine *machine, BasePages *pages, u64 *bytes)
{
	u32 most = RUNS_MOST / pages->count;
	Status status = STATUS_OK;

	for (u32 n = 0; n < pages->count && !status; n++) {
		pages->aspaces[n].kind = park_kind_of(machine, n);
		if (pages->aspaces[n].kind != IS_FREE)
			status = note_pages(machine_space_at(machine, n), &pages->aspaces[n], true);
		if (!status)
			status = place_pages(&pages->aspaces[n], most > RUNS_LEAST ? most : RUNS_LEAST, &pages->file_pages);
	}
	if (!status)
		status = make_file(pages);
	for (u32 n = 0; n < pages->count && !status; n++)
		if (pages->aspaces[n].kind != IS_FREE)
			status = write_pages(machine_space_at(machine, n), &pages->aspaces[n], pages->fd, bytes);
	if (!status)
		park_seal(pages->fd);
	return status;
}

/* The only address space that has anything, if the file that its memory is in can be the image as it is; or NULL. */
static const Space *to_be_taken(const Machine *machine, u32 *number)
{
	const Space *only = NULL;

	for (u32 n = 0; n < machine->aspace_count; n++) {
		const Space *space = machine_space_at(machine, n);

		if (!space || !space->present)
			continue;
		if (only || !space->has_file || space->backing_count)
			return NULL;
		only = space;
		*number = n;
	}
	return only;
}

/* Nothing is copied: a page lies in the file where it lies in memory. */
static Status take_pages(const Machine *machine, const Space *space, u32 number, BasePages *pages, u64 *bytes)
{
	BaseAspace *aspace = &pages->aspaces[number];
	Status status;

	for (u32 n = 0; n < pages->count; n++)
		pages->aspaces[n].kind = park_kind_of(machine, n);
	status = note_pages(space, aspace, false);
	if (!status)
		status = place_pages(aspace, RUNS_MOST, NULL);
	pages->fd = fcntl(space->file, F_DUPFD_CLOEXEC, 0);
	if (pages->fd < 0)
		return STATUS_UNSUPPORTED;
	pages->file_pages = park_page_count(space);
	*bytes += space->present << SPACE_PAGE_SHIFT;
	return status ? status : open_file(pages);
}

Status park_freeze_pages(const Machine *machine, BasePages **out, bool take, u64 *bytes)
{
	u32 number = 0;
	const Space *space = take ? to_be_taken(machine, &number) : NULL;
	Status status = begin(machine, out);

	if (status)
		return status;
	return space ? take_pages(machine, space, number, *out, bytes) : copy_pages(machine, *out, bytes);
}
