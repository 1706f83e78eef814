/* SPDX-License-Identifier: MIT
 *
 * The memory of processes on a tape: areas, and anonymous shared memory with its content. Private pages are the machine's and
 * are saved with its address spaces. Pages of shared memory are not: which of them were present is said here, and loading
 * lays them under the address space again, so that what counts as used is the same as before.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux/mm_private.h"
#include "linux/process.h"
#include "linux/save.h"

enum { AREA_FLAGS = AREA_SHARED | AREA_GROWS_DOWN | AREA_RESERVED | AREA_READ_ONLY | AREA_NOT_FORKED | AREA_WIPED | AREA_VDSO |
		    AREA_STACK };
enum { MODE_TYPE = 0170000, MODE_REGULAR = 0100000 };

static const u64 far_away = (u64)1 << 60; /* no offset or size is beyond */

void collect_memories(Tape *tape)
{
	for (const Process *process = tape->kernel->processes; process; process = process->next) {
		if (!process->mm || !tape_add(tape, TAPE_MEMORIES, process->mm))
			continue;
		for (const Area *area = process->mm->areas.first; area; area = area->next)
			if (area->shared)
				tape_add(tape, TAPE_SHARED, area->shared);
	}
}

/* ---- Anonymous shared memory ---- */

/* The pages that are not all zeros, from the memfd or into it. What the host says has content is more: also what was laid there
 * twice and never touched. */
static void carry_stretch(Tape *tape, Shared *shared)
{
	int fd = mm_shared_fd(shared);
	u8 page[PAGE];
	u64 at = 0, end = ~(u64)0, least = 0;

	while (!tape->loading && at < shared->size) {
		off_t data = lseek(fd, (off_t)(shared->place + at), SEEK_DATA);

		if (data < 0 || (u64)data - shared->place >= shared->size)
			break;
		at = ((u64)data - shared->place) & ~(u64)(PAGE - 1);
		if (pread(fd, page, PAGE, (off_t)(shared->place + at)) != PAGE) {
			tape_fail(tape, STATUS_IO, "%s", "shared memory can't be read");
			return;
		}
		if (page[0] || memcmp(page, page + 1, PAGE - 1)) {
			tape_u64(tape, &at);
			tape_bytes(tape, page, PAGE);
		}
		at += PAGE;
	}
	if (!tape->loading) {
		tape_u64(tape, &end);
		return;
	}
	for (; tape_ok(tape); least = at + PAGE) {
		tape_u64(tape, &at);
		if (at == end || !tape_check(tape, at % PAGE == 0 && at >= least && at < shared->size))
			return;
		tape_bytes(tape, page, PAGE);
		if (!tape_ok(tape))
			return;
		if (!mm_shared_fill(shared, at, PAGE) || pwrite(fd, page, PAGE, (off_t)(shared->place + at)) != PAGE)
			tape_fail(tape, STATUS_TOO_BIG, "%s", "its shared memory needs more than is allowed");
	}
}

/* What has memory, whether there is anything in it or not. */
static void carry_runs(Tape *tape, Shared *shared)
{
	u32 count = tape_count(tape, shared->run_count, sizeof(SharedRun));
	u64 least = 0;

	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		SharedRun run = tape->loading ? (SharedRun){ 0, 0 } : shared->runs[i];

		tape_u64(tape, &run.start);
		tape_u64(tape, &run.end);
		if (!tape->loading || !tape_check(tape, run.start >= least && run.start < run.end && run.end <= shared->size &&
								run.start % PAGE == 0 && run.end % PAGE == 0))
			continue;
		least = run.end;
		if (!mm_shared_fill(shared, run.start, run.end - run.start))
			tape_fail(tape, STATUS_TOO_BIG, "%s", "its shared memory needs more than is allowed");
	}
}

void carry_shared(Tape *tape)
{
	u32 count = tape_count(tape, tape->lists[TAPE_SHARED].count, 16);

	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		Shared *shared = tape->loading ? NULL : tape->lists[TAPE_SHARED].items[i];
		u64 size = shared ? shared->size : 0;

		tape_u64(tape, &size);
		if (!tape_check(tape, size && size % PAGE == 0 && size <= machine_address_limit(tape->kernel->machine)))
			return;
		if (tape->loading) {
			shared = mm_shared_create(tape->kernel, size);
			if (!shared || !tape_add(tape, TAPE_SHARED, shared)) {
				tape_fail(tape, STATUS_NOMEM, "%s", "");
				if (shared)
					mm_shared_put(shared);
				return;
			}
		}
		carry_runs(tape, shared);
		carry_stretch(tape, shared);
	}
}

/* ---- Areas ---- */

static const TapeField area_fields[] = {
	TAPE_FIELD(Area, start), TAPE_FIELD(Area, end), TAPE_FIELD(Area, offset), TAPE_FIELD(Area, touched),
	TAPE_FIELD(Area, untouched), TAPE_FIELD(Area, prot), TAPE_FIELD(Area, flags),
};

static bool is_shared(const Area *area)
{
	return area->shared || area->flags & AREA_SHARED;
}

static bool file_can_be_mapped(const Area *area)
{
	FileStat info = { 0 };
	const FileOps *ops = area->file->ops;

	return ops->read && ops->seek && ops->stat && ops->stat(area->file, &info) == 0 &&
	       (info.mode & MODE_TYPE) == MODE_REGULAR && (!is_shared(area) || ops->shared);
}

static bool area_is_possible(const Mm *mm, const Area *area, u64 least)
{
	if (area->start % PAGE || area->end % PAGE || area->start >= area->end || area->end > mm->limit || area->start < least)
		return false;
	if (area->touched % PAGE || area->untouched % PAGE ||
	    (area->touched < area->untouched && (area->touched < area->start || area->untouched > area->end)) ||
	    (area->touched >= area->untouched && (area->touched || area->untouched)))
		return false;
	if (area->prot & ~7u || area->flags & ~(u32)AREA_FLAGS || area->offset % PAGE || area->offset > far_away)
		return false;
	if (area->file && area->shared)
		return false;
	if (!!(area->flags & AREA_SHARED) != (area->shared || (area->file && area->flags & AREA_SHARED)))
		return false;
	return !area->file || file_can_be_mapped(area);
}

/* Those pages of shared memory that are present: runs of [start, end), ended by 0, 0. */
static void carry_presence(Tape *tape, Mm *mm, Area *area)
{
	Machine *machine = tape->kernel->machine;
	u64 run[2] = { 0, 0 };

	if (!tape->loading) {
		run[0] = area->touched;
		while (machine_page_next(machine, mm->aspace, &run[0]) && run[0] < area->untouched) {
			run[1] = run[0] + PAGE;
			while (run[1] < area->untouched && machine_page_attr(machine, mm->aspace, run[1]))
				run[1] += PAGE;
			tape_bytes(tape, run, sizeof(run));
			run[0] = run[1];
		}
		run[0] = run[1] = 0;
		tape_bytes(tape, run, sizeof(run));
		return;
	}
	for (u64 least = area->touched; tape_ok(tape); least = run[1]) {
		tape_bytes(tape, run, sizeof(run));
		if (!tape_ok(tape) || !run[1])
			return;
		if (!tape_check(tape, run[0] >= least && run[0] < run[1] && run[1] <= area->untouched && run[0] % PAGE == 0 &&
					      run[1] % PAGE == 0))
			return;
		if (mm_load_pages(mm, area, run[0], run[1]) != TOUCH_OK)
			tape_fail(tape, STATUS_TOO_BIG, "%s", "its shared memory can't be had");
	}
}

static void carry_area(Tape *tape, Mm *mm, Area *area, u64 least)
{
	Area made = { 0 }, *like = area ? area : &made;
	File *file = tape_ref(tape, TAPE_FILES, like->file);
	Shared *shared = tape_ref(tape, TAPE_SHARED, like->shared);

	tape_fields(tape, like, area_fields, COUNT_OF(area_fields));
	if (tape->loading) {
		made.file = file;
		made.shared = shared;
		if (!tape_check(tape, area_is_possible(mm, &made, least)))
			return;
		area = mm_add_alone(mm, &made);
		if (!area) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			return;
		}
	}
	if (is_shared(area))
		carry_presence(tape, mm, area);
	else if (tape->near && area->file && area->file->ops == regular_codec.ops) /* pages of one age */
		vfs_carry_mapped(tape, area->file);
}

static const TapeField mm_fields[] = {
	TAPE_FIELD(Mm, map_top), TAPE_FIELD(Mm, brk_start), TAPE_FIELD(Mm, brk), TAPE_FIELD(Mm, shares_code),
	TAPE_FIELD(Mm, vdso), TAPE_FIELD(Mm, trampoline), TAPE_FIELD(Mm, program_bias), TAPE_FIELD(Mm, arguments),
	TAPE_FIELD(Mm, arguments_end), TAPE_FIELD(Mm, environment), TAPE_FIELD(Mm, environment_end),
	TAPE_FIELD(Mm, refused),
};

/* A page that is present lies in an area, where it may have been touched: else nobody would ever give it back. */
static bool pages_lie_in_areas(const Tape *tape, Mm *mm)
{
	u64 at = 0;

	while (machine_page_next(tape->kernel->machine, mm->aspace, &at)) {
		const Area *area = area_at(&mm->areas, at);

		if (!area || at < area->touched || at >= area->untouched)
			return false;
		at += PAGE;
	}
	return true;
}

static void carry_mm(Tape *tape, Mm *mm)
{
	u8 refusal = (u8)mm->refusal;
	u64 least = 0;
	u32 count;

	tape_fields(tape, mm, mm_fields, COUNT_OF(mm_fields));
	tape_u8(tape, &refusal);
	if (!tape_check(tape, refusal <= TOUCH_NO_MEMORY && mm->map_top <= mm->limit &&
				      mm->map_top % PAGE == 0 && mm->brk_start <= mm->brk && mm->brk <= mm->limit))
		return;
	mm->refusal = (Touch)refusal;
	count = tape_count(tape, mm->areas.count, 56);
	if (tape->loading) {
		for (u32 i = 0; i < count && tape_ok(tape); i++) {
			carry_area(tape, mm, NULL, least);
			least = mm->areas.last ? mm->areas.last->end : 0;
		}
		if (tape_ok(tape) && !tape->near)
			tape_check(tape, pages_lie_in_areas(tape, mm));
		return;
	}
	for (Area *area = mm->areas.first; area; area = area->next)
		carry_area(tape, mm, area, 0);
}

void carry_memories(Tape *tape)
{
	u32 count = tape_count(tape, tape->lists[TAPE_MEMORIES].count, 90);

	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		Mm *mm = tape->loading ? NULL : tape->lists[TAPE_MEMORIES].items[i];
		u32 aspace = mm ? mm->aspace : 0;

		tape_u32(tape, &aspace);
		if (!tape_check(tape, machine_aspace_is_used(tape->kernel->machine, aspace) &&
					      (!tape->loading || !mm_of_aspace(tape->kernel, aspace))))
			return;
		if (tape->loading) {
			mm = mm_create_for(tape->kernel, aspace);
			if (!mm || !tape_add(tape, TAPE_MEMORIES, mm)) {
				tape_fail(tape, STATUS_NOMEM, "%s", "");
				if (mm)
					mm_put(mm);
				return;
			}
		}
		carry_mm(tape, mm);
	}
}

void tape_release_memories(Tape *tape)
{
	for (u32 i = 0; i < tape->lists[TAPE_MEMORIES].count; i++)
		mm_put(tape->lists[TAPE_MEMORIES].items[i]);
	for (u32 i = 0; i < tape->lists[TAPE_SHARED].count; i++)
		mm_shared_put(tape->lists[TAPE_SHARED].items[i]);
}
