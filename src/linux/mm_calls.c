/* SPDX-License-Identifier: MIT
 *
 * The system calls about memory, but for execve.
 */
#include "linux/mm_private.h"
#include "linux/syscalls.h"

i64 sys_mmap(Task *task, const u64 *a)
{
	u32 flags = (u32)a[3];
	File *file = NULL;

	if (!(flags & LINUX_MAP_ANONYMOUS)) {
		file = fds_file(task, (i32)a[4]);
		if (!file)
			return -EBADF;
	}
	return mm_map(task->process->mm, a[0], a[1], (u32)a[2], flags, file, a[5]);
}

i64 sys_munmap(Task *task, const u64 *a)
{
	return mm_unmap(task->process->mm, a[0], a[1]);
}

/* Gives the break as it is afterwards: where it was, when it could not be moved. */
i64 sys_brk(Task *task, const u64 *a)
{
	Mm *mm = task->process->mm;
	Area like = {.prot = LINUX_PROT_READ | LINUX_PROT_WRITE};

	if (a[0] < mm->brk_start || a[0] >= mm->limit)
		return (i64)mm->brk;
	like.start = page_up(mm->brk);
	like.end = page_up(a[0]);
	if (like.end < like.start) {
		if (mm_unmap(mm, like.end, like.start - like.end))
			return (i64)mm->brk;
	} else if (like.end > like.start) {
		u64 len = like.end - like.start;
		const Area *next = area_find(&mm->areas, like.start);

		if ((next && next->start < like.end) || !area_is_free(&mm->areas, like.start, like.end) ||
		    mm->areas.count >= MM_AREA_LIMIT || mm_overcommits(mm, like.end - mm->brk_start, like.prot, 0) ||
		    mm_may_grow(mm, len, true) || !mm_add_area(mm, &like))
			return (i64)mm->brk;
	}
	mm->brk = a[0];
	return (i64)mm->brk;
}

/* ---- mprotect ---- */

static i64 protect_area(Mm *mm, Area *area, u64 start, u64 end, u32 prot, Area **result)
{
	u64 len = end - start;

	*result = area;
	if ((area->flags & AREA_READ_ONLY) && (area->flags & AREA_SHARED) && (prot & LINUX_PROT_WRITE))
		return -EACCES;
	if (area->prot == prot)
		return 0;
	if (!(area->flags & (AREA_SHARED | AREA_GROWS_DOWN)) && (prot & LINUX_PROT_WRITE) && !(area->prot & LINUX_PROT_WRITE)) {
		u64 most = mm_process_limit(mm, LIMIT_DATA);

		if (mm_overcommits(mm, len, prot, area->flags) || mm->data_pages * PAGE > most ||
		    len > most - mm->data_pages * PAGE)
			return -ENOMEM;
	}
	if (area->start < start) {
		area = mm_split(mm, area, start);
		if (!area)
			return -ENOMEM;
	}
	if (area->end > end && !mm_split(mm, area, end))
		return -ENOMEM;
	mm_set_prot(mm, area, prot);
	*result = mm_join(mm, area);
	return 0;
}

i64 sys_mprotect(Task *task, const u64 *a)
{
	enum { PROT_SEM = 8, PROT_ALL = LINUX_PROT_READ | LINUX_PROT_WRITE | LINUX_PROT_EXEC | PROT_SEM };
	Mm *mm = task->process->mm;
	u64 start = a[0], len = page_up(a[1]), end = start + len;
	u32 grows = (u32)a[2] & (LINUX_PROT_GROWSDOWN | LINUX_PROT_GROWSUP), prot = (u32)a[2] & 7;
	Area *area;

	if ((a[2] & ~(u64)(PROT_ALL | LINUX_PROT_GROWSDOWN | LINUX_PROT_GROWSUP)) || start % PAGE ||
	    grows == (LINUX_PROT_GROWSDOWN | LINUX_PROT_GROWSUP))
		return -EINVAL;
	if (!len)
		return 0;
	if (!mm_range_ok(mm, start, len))
		return -ENOMEM;
	area = area_at(&mm->areas, start);
	if (grows == LINUX_PROT_GROWSDOWN) {
		if (!area || !(area->flags & AREA_GROWS_DOWN))
			return area ? -EINVAL : -ENOMEM;
		start = area->start;
	} else if (grows) {
		return -EINVAL;
	}
	while (start < end) {
		i64 error;

		area = area_at(&mm->areas, start);
		if (!area)
			return -ENOMEM;
		error = protect_area(mm, area, start, area->end < end ? area->end : end, prot, &area);
		if (error)
			return error;
		start = area->end;
	}
	return 0;
}

/* ---- mremap ---- */

enum { REMAP_MAY_MOVE = 1, REMAP_FIXED = 2, REMAP_KEEP = 4 };

/* `old` is a whole area. Its content goes to `to`; keep: the old place stays, empty. */
static i64 move_area(Mm *mm, Area *old, u64 to, u64 len, bool keep)
{
	Machine *machine = mm->kernel->machine;
	Area like = *old;
	u64 from = old->start, touched = old->touched, untouched = old->untouched;
	Area *area;

	like.start = to;
	like.end = to + len;
	like.touched = like.untouched = 0;
	like.flags &= ~(u32)(AREA_GROWS_DOWN | AREA_STACK);
	if (old->flags & AREA_SHARED) {
		mm_drop_pages(mm, old, old->start, old->end); /* the memory has it */
	} else if (touched < untouched) {
		if (machine_pages_move(machine, mm->aspace, touched, to + (touched - old->start), untouched - touched))
			return -ENOMEM;
		like.touched = to + (touched - old->start);
		like.untouched = to + (untouched - old->start);
	}
	area = mm_add_alone(mm, &like);
	if (!area) {
		/* Nowhere is it described any more. Back to where it was. */
		if (like.touched < like.untouched)
			machine_pages_move(machine, mm->aspace, like.touched, touched, untouched - touched);
		return -ENOMEM;
	}
	old->touched = old->untouched = 0;
	if (!keep)
		mm_remove_area(mm, old);
	/* Only now: they may be neighbours. */
	mm_join(mm, area);
	if (keep)
		mm_join(mm, area_at(&mm->areas, from));
	return (i64)to;
}

/* shared memory a second time: old_len was 0 */
static i64 duplicate(Mm *mm, const Area *area, u64 from, u64 to, u64 len)
{
	Area like = *area;

	like.offset += from - area->start;
	like.start = to;
	like.end = to + len;
	like.touched = like.untouched = 0;
	return mm_add_area(mm, &like) ? (i64)to : -ENOMEM;
}

static bool can_grow_in_place(Mm *mm, const Area *area, u64 end)
{
	return end <= mm->limit && (!area->next || (area->next->start >= end && area_is_free(&mm->areas, area->end, end)));
}

i64 sys_mremap(Task *task, const u64 *a)
{
	Mm *mm = task->process->mm;
	u64 from = a[0], old_len = page_up(a[1]), len = page_up(a[2]), flags = a[3], to = a[4];
	bool fixed = flags & REMAP_FIXED, keep = flags & REMAP_KEEP, data;
	Area *area;
	i64 error;

	if (flags & ~(u64)(REMAP_MAY_MOVE | REMAP_FIXED | REMAP_KEEP) || from % PAGE || !len ||
	    ((fixed || keep) && !(flags & REMAP_MAY_MOVE)) || (keep && old_len != len))
		return -EINVAL;
	if (fixed && (to % PAGE || to < MM_LOWEST || !mm_range_ok(mm, to, len) || (to < from + old_len && from < to + len)))
		return -EINVAL;
	area = mm_range_ok(mm, from, old_len) ? area_at(&mm->areas, from) : NULL;
	if (!area)
		return -EFAULT;
	if (!old_len && !(area->flags & AREA_SHARED))
		return -EINVAL;
	if (keep && ((area->flags & AREA_SHARED) || area->file))
		return -EINVAL;
	if (old_len > area->end - from)
		return -EFAULT;
	if (len < old_len) {
		error = mm_unmap(mm, from + len, old_len - len);
		if (error || !fixed)
			return error ? error : (i64)from;
		old_len = len;
		area = area_at(&mm->areas, from);
	} else if (len == old_len && !fixed && !keep) {
		return (i64)from;
	}
	if (len > mm->limit)
		return -ENOMEM;
	data = !(area->flags & (AREA_SHARED | AREA_GROWS_DOWN)) && (area->prot & LINUX_PROT_WRITE);
	if ((area->file || area->shared) && area->offset + (from - area->start) > (u64)INT64_MAX - len)
		return -EINVAL;
	if (mm_overcommits(mm, len, area->prot, area->flags) || mm_may_grow(mm, keep ? len : len - old_len, data))
		return -ENOMEM;
	if (!fixed && !keep && old_len && from + old_len == area->end && can_grow_in_place(mm, area, from + len)) {
		if (data)
			mm->data_pages += (len - old_len) / PAGE;
		area_resize(&mm->areas, area, area->start, from + len);
		mm_join(mm, area);
		return (i64)from;
	}
	if (!(flags & REMAP_MAY_MOVE) || mm->areas.count > MM_AREA_LIMIT - 4)
		return -ENOMEM;
	error = fixed ? mm_unmap(mm, to, len) : mm_place(mm, keep ? to : 0, len, &to);
	if (error)
		return error;
	area = area_at(&mm->areas, from);
	if (!old_len)
		return duplicate(mm, area, from, to, len);
	error = mm_split_range(mm, from, from + old_len);
	return error ? error : move_area(mm, area_at(&mm->areas, from), to, len, keep);
}

/* ---- madvise ---- */

enum Advice {
	ADVICE_NORMAL, ADVICE_RANDOM, ADVICE_SEQUENTIAL, ADVICE_WILL_NEED, ADVICE_DONT_NEED, ADVICE_FREE = 8, ADVICE_REMOVE,
	ADVICE_DONT_FORK, ADVICE_DO_FORK, ADVICE_MERGEABLE, ADVICE_UNMERGEABLE, ADVICE_HUGE, ADVICE_NO_HUGE, ADVICE_DONT_DUMP,
	ADVICE_DO_DUMP, ADVICE_WIPE_ON_FORK, ADVICE_KEEP_ON_FORK, ADVICE_COLD, ADVICE_PAGE_OUT, ADVICE_POPULATE_READ,
	ADVICE_POPULATE_WRITE, ADVICE_DONT_NEED_LOCKED,
};

static bool advice_is_known(u64 advice)
{
	return advice <= ADVICE_DONT_NEED || (advice >= ADVICE_FREE && advice <= ADVICE_DONT_NEED_LOCKED);
}

static i64 mark(Mm *mm, Area *area, u64 start, u64 end, u32 set, u32 clear)
{
	if (((area->flags | set) & ~clear) == area->flags)
		return 0;
	if (area->start < start) {
		area = mm_split(mm, area, start);
		if (!area)
			return -ENOMEM;
	}
	if (area->end > end && !mm_split(mm, area, end))
		return -ENOMEM;
	area->flags = (area->flags | set) & ~clear;
	mm_join(mm, area);
	return 0;
}

static i64 populate(Mm *mm, u64 start, u64 end, u8 access)
{
	for (; start < end; start += PAGE) {
		Touch touch = mm_make_present(mm, start, access);

		if (touch != TOUCH_OK)
			return touch == TOUCH_NO_FILE || touch == TOUCH_NO_RIGHT ? -EFAULT : -ENOMEM;
	}
	return 0;
}

static i64 advise(Mm *mm, Area *area, u64 start, u64 end, u64 advice)
{
	bool anonymous = !area->file && !(area->flags & AREA_SHARED);

	switch (advice) {
	case ADVICE_DONT_NEED:
	case ADVICE_DONT_NEED_LOCKED:
		mm_drop_pages(mm, area, start, end);
		return 0;
	case ADVICE_FREE:
		if (!anonymous)
			return -EINVAL;
		mm_drop_pages(mm, area, start, end);
		return 0;
	case ADVICE_REMOVE:
		if (!(area->flags & AREA_SHARED) || !(area->prot & LINUX_PROT_WRITE))
			return area->flags & AREA_SHARED ? -EACCES : -EINVAL;
		if (area->shared) {
			u64 offset = area->offset + (start - area->start), size = area->shared->size;

			if (offset < size)
				mm_shared_punch(area->shared, offset, end - start < size - offset ? end - start : size - offset);
			return 0;
		}
		return area->file->ops->allocate /* a hole that keeps the size */
			? area->file->ops->allocate(area->file, 3, area->offset + (start - area->start), end - start)
			: -EOPNOTSUPP;
	case ADVICE_DONT_FORK:
		return mark(mm, area, start, end, AREA_NOT_FORKED, 0);
	case ADVICE_DO_FORK:
		return mark(mm, area, start, end, 0, AREA_NOT_FORKED);
	case ADVICE_WIPE_ON_FORK:
		return anonymous ? mark(mm, area, start, end, AREA_WIPED, 0) : -EINVAL;
	case ADVICE_KEEP_ON_FORK:
		return mark(mm, area, start, end, 0, AREA_WIPED);
	case ADVICE_POPULATE_READ:
		return populate(mm, start, end, ATTR_READ);
	case ADVICE_POPULATE_WRITE:
		return populate(mm, start, end, ATTR_WRITE);
	default:
		return 0;
	}
}

i64 sys_madvise(Task *task, const u64 *a)
{
	Mm *mm = task->process->mm;
	u64 start = a[0], len = page_up(a[1]), end = start + len;
	bool hole = false;

	if (!advice_is_known(a[2]) || start % PAGE || !mm_range_ok(mm, start, len))
		return -EINVAL;
	while (start < end) {
		Area *area = area_find(&mm->areas, start);
		u64 to;
		i64 error;

		if (!area || area->start >= end)
			return -ENOMEM;
		if (area->start > start) {
			hole = true;
			start = area->start;
		}
		to = area->end < end ? area->end : end;
		error = advise(mm, area, start, to, a[2]);
		if (error)
			return error;
		start = to;
	}
	return hole ? -ENOMEM : 0;
}

/* ---- The rest ---- */

/* Is all of it mapped? */
static bool mapped(Mm *mm, u64 start, u64 end)
{
	while (start < end) {
		const Area *area = area_at(&mm->areas, start);

		if (!area)
			return false;
		start = area->end;
	}
	return true;
}

i64 sys_msync(Task *task, const u64 *a)
{
	enum { ASYNC = 1, INVALIDATE = 2, SYNC = 4 };
	Mm *mm = task->process->mm;
	u64 start = a[0], len = page_up(a[1]), end = start + len;
	bool hole = false;

	if (start % PAGE || (a[2] & ~(u64)(ASYNC | INVALIDATE | SYNC)) || (a[2] & (ASYNC | SYNC)) == (ASYNC | SYNC))
		return -EINVAL;
	if (!mm_range_ok(mm, start, len))
		return -ENOMEM;
	while (start < end) {
		const Area *area = area_find(&mm->areas, start);

		if (!area || area->start >= end)
			return -ENOMEM;
		hole = hole || area->start > start;
		if ((a[2] & SYNC) && (area->flags & AREA_SHARED) && area->file && area->file->ops->sync) {
			i64 error = area->file->ops->sync(area->file);

			if (error)
				return error;
		}
		start = area->end;
	}
	return hole ? -ENOMEM : 0;
}

i64 sys_mincore(Task *task, const u64 *a)
{
	Mm *mm = task->process->mm;
	u64 start = a[0], len = page_up(a[1]), pages = len / PAGE;
	u8 present[512];

	if (start % PAGE)
		return -EINVAL;
	if (!mm_range_ok(mm, start, len) || !mapped(mm, start, start + len))
		return -ENOMEM;
	for (u64 done = 0; done < pages;) {
		u64 count = pages - done < sizeof present ? pages - done : sizeof present;

		for (u64 i = 0; i < count; i++)
			present[i] = machine_page_attr(mm->kernel->machine, mm->aspace, start + (done + i) * PAGE) != 0;
		if (!user_write(task, a[2] + done, present, count))
			return -EFAULT;
		done += count;
	}
	return 0;
}

/* All memory stays where it is: locking it only says whether it is there. */
static i64 lock(Task *task, u64 address, u64 len)
{
	Mm *mm = task->process->mm;
	u64 start = page_down(address);

	if (len > mm->limit)
		return -EINVAL;
	len = page_up(len + (address - start));
	return mm_range_ok(mm, start, len) && mapped(mm, start, start + len) ? 0 : -ENOMEM;
}

i64 sys_mlock(Task *task, const u64 *a)
{
	return lock(task, a[0], a[1]);
}

i64 sys_mlock2(Task *task, const u64 *a)
{
	return a[2] & ~(u64)1 ? -EINVAL : lock(task, a[0], a[1]);
}

i64 sys_munlock(Task *task, const u64 *a)
{
	return lock(task, a[0], a[1]);
}

i64 sys_mlockall(Task *task, const u64 *a)
{
	(void)task;
	return !a[0] || (a[0] & ~(u64)7) || a[0] == 4 ? -EINVAL : 0;
}

i64 sys_munlockall(Task *task, const u64 *a)
{
	(void)task;
	(void)a;
	return 0;
}
