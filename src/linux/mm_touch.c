/* SPDX-License-Identifier: MIT
 *
 * The pager: makes a page present when it is touched for the first time, and with it a few neighbours where that pays:
 *
 *     anonymous   one page; more where the ones just below it are there, up to MM_EXPAND behind a long run of them
 *     a file      what is absent of the 32 KiB around it
 *     shared      the same, laid into the memfd
 *
 * What is to come is guessed from what is there, by nothing else: so several places can grow at a time, and a copy of the
 * machine guesses the same.
 *
 * Neighbours are a favour: when memory is short, the one page is tried alone. Only then the limit is reached, and the
 * program ends as Linux' OOM killer would end it: the one who wanted the page that was not there.
 */
#include <stdio.h>
#include <string.h>

#include "base/prefault.h"
#include "linux/mm_private.h"
#include "linux/signal.h"

typedef struct Window {
	u64 start, end;
} Window;

static Machine *machine_of(const Mm *mm)
{
	return mm->kernel->machine;
}

static bool absent(const Mm *mm, u64 page)
{
	return machine_page_attr(machine_of(mm), mm->aspace, page) == 0;
}

/* A stack that is touched below its end, not farther than its limit allows, and not near to what lies there. */
static Area *grow_stack(Mm *mm, u64 page)
{
	Area *area = area_find(&mm->areas, page);
	const Area *below;
	u64 most = mm_process_limit(mm, LIMIT_STACK);

	if (!area || !(area->flags & AREA_GROWS_DOWN) || page < MM_LOWEST || area->end - page > most)
		return NULL;
	below = area->previous;
	if (below && !(below->flags & AREA_GROWS_DOWN) && below->prot && page - below->end < AREA_GUARD)
		return NULL;
	if (mm_may_grow(mm, area->start - page, false))
		return NULL;
	area_resize(&mm->areas, area, page, area->end);
	return area;
}

/* The absent pages around `page`, of those between low and high. */
static Window absent_around(const Mm *mm, u64 page, u64 low, u64 high)
{
	Window window = {page, page + PAGE};

	while (window.start > low && absent(mm, window.start - PAGE))
		window.start -= PAGE;
	while (window.end < high && absent(mm, window.end))
		window.end += PAGE;
	return window;
}

/* The run of pages below `page`: how many are there, as far as no more than every fourth is missing. A heap that grows is touched
 * nearly in order: an allocator writes behind what it gives before the program writes into that. */
static u64 run_below(const Mm *mm, const Area *area, u64 page)
{
	u64 found = 0, holes = 0, run = 0;

	for (u64 at = page; at > area->start && holes <= MM_HOLES && found < MM_RUN_PART * MM_EXPAND;) {
		at -= PAGE;
		if (absent(mm, at))
			holes++;
		else
			found++;
		if (3 * holes <= found)
			run = found;
	}
	return run;
}

/* As many pages as the run has, which doubles it; and a part of it when it is long, since what the program does not touch counts as
 * well. With them the holes it has left behind. */
static Window window_in_run(const Mm *mm, const Area *area, u64 page)
{
	u64 run = run_below(mm, area, page), count = run, back;

	if (count > MM_EXPAND_SOON)
		count = run / MM_RUN_PART > MM_EXPAND_SOON ? run / MM_RUN_PART : MM_EXPAND_SOON;
	if (count < 2 || mm_bytes_present(mm) > mm_memory_limit(mm) / 2)
		return (Window){page, page + PAGE}; /* neighbours count, too: not where memory becomes scarce */
	back = count - 1 < MM_HOLES ? count - 1 : MM_HOLES;
	return (Window){page - area->start > back * PAGE ? page - back * PAGE : area->start, page + count * PAGE};
}

static Window window_of(const Mm *mm, const Area *area, u64 page)
{
	const u64 around = page & ~(u64)(MM_READ_AHEAD * PAGE - 1);
	Window window = {around, around + MM_READ_AHEAD * PAGE};

	if (!area->file && !area->shared)
		window = window_in_run(mm, area, page);
	if (window.start < area->start)
		window.start = area->start;
	if (window.end > area->end)
		window.end = area->end;
	return absent_around(mm, page, window.start, window.end);
}

/* Pages wholly beyond the end of the file, or of shared memory that mremap made larger, are not there. False: `page` is
 * one of them. */
static bool cut_at_end(const Area *area, u64 page, Window *window)
{
	FileStat info = {0};
	u64 pages, most;

	if (area->shared)
		info.size = area->shared->size;
	else if (!area->file)
		return true;
	else if (!area->file->ops->stat || area->file->ops->stat(area->file, &info))
		return false;
	pages = page_up(info.size);
	if (area->offset + (page - area->start) >= pages)
		return false;
	most = area->start + (pages - area->offset);
	if (window->end > most && most > page)
		window->end = most;
	return true;
}

/* The file's content into pages that have just become present, and are zero. */
static bool read_file(Mm *mm, const Area *area, Window window)
{
	u64 at = window.start;

	while (at < window.end) {
		u8 *bytes = machine_page_bytes(machine_of(mm), mm->aspace, at);
		u64 len = PAGE, done = 0, offset = area->offset + (at - area->start);

		/* As long as the host has them side by side. */
		while (at + len < window.end && machine_page_bytes(machine_of(mm), mm->aspace, at + len) == bytes + len)
			len += PAGE;
		prefault(bytes, len);
		while (done < len) {
			i64 got = area->file->ops->read(area->file, task_current(mm->kernel), bytes + done, len - done, &offset);

			if (got < 0)
				return false;
			if (got == 0)
				return true; /* the end */
			done += (u64)got;
		}
		at += len;
	}
	return true;
}

static Touch add_pages(Mm *mm, Area *area, Window window)
{
	Machine *machine = machine_of(mm);
	u64 offset = area->offset + (window.start - area->start), len = window.end - window.start;
	bool writable = area->prot & LINUX_PROT_WRITE;
	u8 rights = mm_rights(area->prot);
	Status status;

	if (area->shared && !mm_shared_fill(area->shared, offset, len))
		return TOUCH_NO_MEMORY;
	if (area->touched >= area->untouched) {
		area->touched = window.start;
		area->untouched = window.end;
	}
	if (window.start < area->touched)
		area->touched = window.start;
	if (window.end > area->untouched)
		area->untouched = window.end;
	if (area->shared || (area->flags & AREA_SHARED)) {
		u64 at = offset;
		int fd = -1;

		if (area->shared) {
			fd = mm_shared_fd(area->shared);
			at += area->shared->place;
		} else if (area->file->ops->shared(area->file, offset + len, writable, &fd)) {
			return TOUCH_NO_FILE;
		}
		if (machine_pages_back(machine, mm->aspace, window.start, len, fd, at))
			return TOUCH_NO_MEMORY;
	}
	status = machine_pages_add(machine, mm->aspace, window.start, len, rights);
	if (status) {
		/* What lies under them, if something does, must not stay there without an area that knows. */
		machine_pages_drop(machine, mm->aspace, window.start, len);
		return TOUCH_NO_MEMORY;
	}
	if (area->file && !(area->flags & AREA_SHARED) && !read_file(mm, area, window)) {
		machine_pages_drop(machine, mm->aspace, window.start, len);
		return TOUCH_NO_FILE;
	}
	if (!area->file && !area->shared && writable && len > PAGE)
		machine_pages_expect(machine, mm->aspace, window.start, len);
	return TOUCH_OK;
}

Touch mm_make_present(Mm *mm, u64 address, u8 access)
{
	u64 page = page_down(address);
	Window window;
	Area *area;
	Touch touch;
	u8 rights;

	if (address >= mm->limit)
		return TOUCH_NOTHING;
	area = area_at(&mm->areas, page);
	if (!area)
		area = grow_stack(mm, page);
	if (!area)
		return TOUCH_NOTHING;
	rights = mm_rights(area->prot);
	if ((access & rights) != access)
		return TOUCH_NO_RIGHT;
	if (!absent(mm, page)) {
		machine_pages_protect(machine_of(mm), mm->aspace, page, PAGE, rights);
		return TOUCH_OK;
	}
	window = window_of(mm, area, page);
	if (!cut_at_end(area, page, &window))
		return TOUCH_NO_FILE;
	touch = add_pages(mm, area, window);
	if (touch == TOUCH_NO_MEMORY && window.end - window.start > PAGE)
		touch = add_pages(mm, area, (Window){page, page + PAGE});
	return touch;
}

Touch mm_load_pages(Mm *mm, Area *area, u64 start, u64 end)
{
	for (u64 page = start; page < end; page += PAGE)
		if (!absent(mm, page))
			return TOUCH_NOTHING;
	return add_pages(mm, area, (Window){start, end});
}

void mm_populate(Mm *mm, u64 start, u64 end)
{
	for (u64 page = start; page < end; page += PAGE) {
		const Area *area = area_at(&mm->areas, page);

		if (!area || !area->prot)
			return;
		if (absent(mm, page) && mm_make_present(mm, page, 0) != TOUCH_OK)
			return;
	}
}

/* The words for kernel->denied, and the end of the program that calls. */
static void out_of_memory(Mm *mm)
{
	struct KernelMemory *memory = mm->kernel->memory;
	u64 limit = mm_memory_limit(mm);
	Task *task = task_current(mm->kernel);

	if (limit % (1024 * 1024) == 0)
		snprintf(memory->denied, sizeof memory->denied, "memory limit of %llu MiB reached",
			 (unsigned long long)(limit / (1024 * 1024)));
	else
		snprintf(memory->denied, sizeof memory->denied, "memory limit of %llu bytes reached", (unsigned long long)limit);
	mm->kernel->denied = memory->denied;
	if (task)
		signal_raise(task, 9);
}

bool mm_touch(Machine *machine, u32 aspace, u64 address, u8 access)
{
	Kernel *kernel = kernel_of(machine);
	Mm *mm = kernel ? mm_of_aspace(kernel, aspace) : NULL;
	Touch touch;

	if (!mm)
		return false;
	touch = mm_make_present(mm, address, access);
	if (touch == TOUCH_OK)
		return true;
	mm->refusal = touch;
	mm->refused = page_down(address);
	/* Storage that is full, of a mapping that is shared, ends in SIGBUS like a full /dev/shm. */
	if (touch == TOUCH_NO_MEMORY) {
		const Area *area = area_at(&mm->areas, address);

		if (area && area->shared && kernel->storage + PAGE > kernel->limits.storage)
			mm->refusal = TOUCH_NO_FILE;
		else
			out_of_memory(mm);
	}
	return false;
}

i32 mm_fault(Mm *mm, u64 address, u8 access, i32 *code)
{
	enum { SIGNAL_BUS = 7, SIGNAL_KILL = 9, SIGNAL_SEGV = 11, SEGV_NOTHING = 1, SEGV_NO_RIGHT = 2, BUS_NOTHING = 2 };
	const Area *area = area_at(&mm->areas, address);
	Touch why = mm->refusal;

	if (mm->refused != page_down(address) || why == TOUCH_OK)
		why = area && (mm_rights(area->prot) & access) != access ? TOUCH_NO_RIGHT : TOUCH_NOTHING;
	mm->refusal = TOUCH_OK;
	switch (why) {
	case TOUCH_NO_FILE:
		*code = BUS_NOTHING;
		return SIGNAL_BUS;
	case TOUCH_NO_MEMORY:
		*code = 0;
		return SIGNAL_KILL;
	default:
		*code = why == TOUCH_NO_RIGHT ? SEGV_NO_RIGHT : SEGV_NOTHING;
		return SIGNAL_SEGV;
	}
}
