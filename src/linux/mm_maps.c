/* SPDX-License-Identifier: MIT
 *
 * /proc/PID/maps: "start-end rwxp offset major:minor inode   path", the path from column 73 on.
 */
#include <string.h>

#include "linux/mm_private.h"
#include "linux/vfs.h"

/* Longer lists are cut: the program waits while one is made, and so do its limits of time. */
enum { PATH_COLUMN = 73, MAPS_LIMIT = 4 << 20 };

/* Major and minor number, as Linux' dev_t has them. */
static unsigned major_of(u64 device)
{
	return (unsigned)((device >> 8 & 0xFFF) | (device >> 32 & ~0xFFFu));
}

static unsigned minor_of(u64 device)
{
	return (unsigned)((device & 0xFF) | (device >> 12 & ~0xFFu));
}

static void name_area(const Mm *mm, const Area *area, Buf *name)
{
	if (area->file) {
		if (!vfs_path(area->file, name) && area->file->ops->describe)
			area->file->ops->describe(area->file, name);
	} else if (area->shared) {
		buf_str(name, "/dev/zero (deleted)");
	} else if (area->flags & AREA_VDSO) {
		buf_str(name, "[vdso]");
	} else if (area->flags & AREA_STACK) {
		buf_str(name, "[stack]");
	} else if (area->start < mm->brk && area->end > mm->brk_start) {
		buf_str(name, "[heap]");
	}
}

static void print_area(const Mm *mm, const Area *area, Buf *out)
{
	FileStat info = {0};
	size_t start = out->len;
	Buf name;

	if (area->file && area->file->ops->stat && area->file->ops->stat(area->file, &info))
		info = (FileStat){0};
	buf_printf(out, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long long)area->start,
		   (unsigned long long)area->end, area->prot & LINUX_PROT_READ ? 'r' : '-',
		   area->prot & LINUX_PROT_WRITE ? 'w' : '-', area->prot & LINUX_PROT_EXEC ? 'x' : '-',
		   area->flags & AREA_SHARED ? 's' : 'p', (unsigned long long)area->offset, major_of(info.device),
		   minor_of(info.device), (unsigned long long)info.inode);
	buf_init(&name);
	name_area(mm, area, &name);
	if (name.len) {
		if (!out->failed && out->len - start < PATH_COLUMN)
			buf_fill(out, ' ', PATH_COLUMN - (out->len - start));
		/* A line is a line, whatever a path has in it. */
		for (size_t i = 0, end; i < name.len; i = end) {
			const u8 *newline = memchr(name.data + i, '\n', name.len - i);

			end = newline ? (size_t)(newline - name.data) : name.len;
			buf_add(out, name.data + i, end - i);
			if (newline) {
				buf_str(out, "\\012");
				end++;
			}
		}
	}
	buf_fini(&name);
	buf_byte(out, '\n');
}

void mm_print_maps(Mm *mm, Buf *out)
{
	for (const Area *area = mm->areas.first; area && out->len < MAPS_LIMIT; area = area->next)
		print_area(mm, area, out);
}
