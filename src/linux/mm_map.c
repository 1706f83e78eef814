/* SPDX-License-Identifier: MIT
 *
 * Where new areas go, and making them.
 */
#include "linux/mm_private.h"

/* What mmap's flags say that areas don't. */
enum { MODE_TYPE = 0170000, MODE_REGULAR = 0100000, MODE_CHARACTER = 0020000, ACCESS_MODE = 3, PATH_ONLY = 010000000 };
enum { DEVICE_ZERO = 1 << 8 | 5 }; /* /dev/zero: character device 1, 5 */

i64 mm_place(Mm *mm, u64 hint, u64 len, u64 *start)
{
	hint = page_down(hint);
	if (len > mm->limit)
		return -ENOMEM;
	if (hint >= MM_LOWEST && mm_range_ok(mm, hint, len) && area_is_free(&mm->areas, hint, hint + len)) {
		const Area *next = area_find(&mm->areas, hint);

		if (!next || next->start >= hint + len) {
			*start = hint;
			return 0;
		}
	}
	if (area_place_below(&mm->areas, MM_LOWEST, mm->map_top, len, start) ||
	    area_place_above(&mm->areas, page_down(mm->limit / 3), mm->limit, len, start))
		return 0;
	return -ENOMEM;
}

bool mm_overcommits(const Mm *mm, u64 len, u32 prot, u32 area_flags)
{
	return (prot & LINUX_PROT_WRITE) && !(area_flags & (AREA_SHARED | AREA_RESERVED)) && len > mm_memory_limit(mm);
}

/* May this file be mapped so? Sets what the area gets from it: nothing when it is as good as anonymous memory. */
static i64 check_file(File *file, u32 prot, u64 end, Area *area)
{
	FileStat info = {0};
	u32 access = file->flags & ACCESS_MODE;
	int fd;

	if (file->flags & PATH_ONLY)
		return -EBADF;
	if (access == 1)
		return -EACCES;
	if (file->ops->stat && file->ops->stat(file, &info) == 0 && (info.mode & MODE_TYPE) == MODE_CHARACTER &&
	    info.special == DEVICE_ZERO)
		return 0;
	if (!file->ops->read || !file->ops->seek || (info.mode & MODE_TYPE) != MODE_REGULAR)
		return -ENODEV;
	area->file = file;
	if (!(area->flags & AREA_SHARED))
		return 0;
	if (access == 0) {
		if (prot & LINUX_PROT_WRITE)
			return -EACCES;
		area->flags |= AREA_READ_ONLY;
	}
	if (!file->ops->shared) {
		/* Who can't write sees no difference, but that later changes of the file stay unseen. */
		if (!(area->flags & AREA_READ_ONLY))
			return -ENODEV;
		area->flags &= ~(u32)AREA_SHARED;
		return 0;
	}
	return file->ops->shared(file, end > info.size ? info.size : end,
				 (prot & LINUX_PROT_WRITE) != 0, &fd);
}

static i64 find_place(Mm *mm, u64 address, u64 len, u32 flags, u64 *start)
{
	const Area *there;

	if (!(flags & (LINUX_MAP_FIXED | LINUX_MAP_FIXED_NOREPLACE)))
		return mm_place(mm, address, len, start);
	if (address % PAGE)
		return -EINVAL;
	if (!mm_range_ok(mm, address, len))
		return -ENOMEM;
	if (address < MM_LOWEST)
		return -EPERM;
	*start = address;
	there = area_find(&mm->areas, address);
	return (flags & LINUX_MAP_FIXED_NOREPLACE) && there && there->start < address + len ? -EEXIST : 0;
}

/* How many bytes of the range are mapped: those that MAP_FIXED replaces are not counted twice. */
static u64 mapped_in(Mm *mm, u64 start, u64 end)
{
	u64 sum = 0;

	for (const Area *area = area_find(&mm->areas, start); area && area->start < end; area = area->next)
		sum += (area->end < end ? area->end : end) - (area->start > start ? area->start : start);
	return sum;
}

/* Do the limits allow it? */
static i64 check_limits(Mm *mm, const Area *like)
{
	u64 len = like->end - like->start;
	bool data = (like->prot & LINUX_PROT_WRITE) && !(like->flags & (AREA_SHARED | AREA_GROWS_DOWN));

	if (mm_overcommits(mm, len, like->prot, like->flags))
		return -ENOMEM;
	return mm_may_grow(mm, len, data) ? mm_may_grow(mm, len - mapped_in(mm, like->start, like->end), data) : 0;
}

i64 mm_map(Mm *mm, u64 address, u64 len, u32 prot, u32 flags, File *file, u64 offset)
{
	Area like = {.offset = offset, .prot = prot & 7};
	u32 type = flags & LINUX_MAP_TYPE;
	Shared *shared = NULL;
	const Area *area;
	i64 error;

	if (!len || (type != LINUX_MAP_SHARED && type != LINUX_MAP_PRIVATE && type != LINUX_MAP_SHARED_VALIDATE))
		return -EINVAL;
	if (offset % PAGE)
		return -EINVAL;
	if (len > mm->limit || (flags & LINUX_MAP_HUGETLB))
		return -ENOMEM;
	len = page_up(len);
	if (offset > (u64)INT64_MAX - len)
		return -EOVERFLOW;
	if (type == LINUX_MAP_SHARED_VALIDATE && (flags & LINUX_MAP_SYNC))
		return -EOPNOTSUPP;
	like.flags = (type == LINUX_MAP_PRIVATE ? 0 : AREA_SHARED) | (flags & LINUX_MAP_GROWSDOWN ? AREA_GROWS_DOWN : 0) |
		     (flags & LINUX_MAP_NORESERVE ? AREA_RESERVED : 0);
	if ((like.flags & AREA_GROWS_DOWN) && (file || type != LINUX_MAP_PRIVATE))
		return -EINVAL;
	error = file ? check_file(file, prot, offset + len, &like) : 0;
	if (!error)
		error = find_place(mm, address, len, flags, &like.start);
	if (error)
		return error;
	like.end = like.start + len;
	if (!like.file)
		like.offset = 0;
	error = check_limits(mm, &like);
	if (error)
		return error;
	if (!like.file && (like.flags & AREA_SHARED)) {
		shared = mm_shared_create(mm->kernel, len);
		if (!shared)
			return -ENOMEM;
		like.shared = shared;
	}
	if (flags & LINUX_MAP_FIXED)
		error = mm_unmap(mm, like.start, len);
	if (!error && mm->areas.count >= MM_AREA_LIMIT)
		error = -ENOMEM;
	area = error ? NULL : mm_add_area(mm, &like);
	if (shared)
		mm_shared_put(shared);
	if (!area)
		return error ? error : -ENOMEM;
	if ((flags & (LINUX_MAP_POPULATE | LINUX_MAP_LOCKED)) && !(flags & LINUX_MAP_NONBLOCK))
		mm_populate(mm, like.start, like.end);
	return (i64)like.start;
}
