/* SPDX-License-Identifier: MIT
 *
 * The bytes of a file in memory: pages of 4096 in a tree of 512 branches that is as high as the file needs; what was
 * never written has no page and reads as 0.
 *
 *     height 0: root is the page 0        1: root -> 512 pages        2: root -> 512 tables -> pages ... up to 6
 *
 * Each page and table is charged against limits.storage. Where a long file grows in order, the memory of 16 pages is had at once:
 * a slab, given back with the last page of these.
 *
 * A content need not own its pages: it may be another's tree (borrowed), or lie in one piece somewhere (lent), as the program's
 * own file does. Whatever changes it copies it first, and it counts as if it were a copy. What is lent may have to be read yet
 * (GuestFile.rest): reading a part reads that, and all else all of it.
 */
#ifndef LINUX_VFS_CONTENT_H
#define LINUX_VFS_CONTENT_H

#include "linux/kernel.h"

enum { CONTENT_PAGE = 4096, CONTENT_BRANCHES = 512 };

typedef struct Content {
	void *root;     /* owned */
	u32 height;
	u64 size;
	u64 pages;      /* with tables */
	bool borrowed;  /* root is another one's, which lives longer and never changes */
	const u8 *lent; /* or NULL: the first lent_pages pages lie there, likewise; root is the last of them if it is not a whole one */
	u64 lent_pages;
	const GuestFileRest *rest; /* of what is lent; or NULL */
} Content;

/* Bytes read (fewer at the end), or written: fewer, or -ENOSPC, when storage ends. */
i64 content_read(const Content *content, u8 *to, u64 len, u64 offset);
i64 content_write(Kernel *kernel, Content *content, const u8 *from, u64 len, u64 offset);
bool content_resize(Kernel *kernel, Content *content, u64 size); /* false: not cut, storage ends (what was borrowed) */
/* Pages for all of it. */
i64 content_allocate(Kernel *kernel, Content *content, u64 offset, u64 len);
/* The first byte from `offset` on that has a page; the size when there is none. */
u64 content_next_data(const Content *content, u64 offset);
/* Snapshots: the first page from number *page on that there is, also beyond the end (NULL: none); one made. */
u8 *content_page(const Content *content, u64 *page);
/* Is all of it here, or could it be read now? */
bool content_is_whole(const Content *content);
u8 *content_page_make(Kernel *kernel, Content *content, u64 page);
void content_fini(Kernel *kernel, Content *content);
/* The same as `from`, counted as if it were a copy; *content is empty. False: storage ends. */
bool content_borrow(Kernel *kernel, Content *content, const Content *from);
/* The same as the bytes of `given`, which live longer and never change; likewise. */
bool content_lend(Kernel *kernel, Content *content, const GuestFile *given);

#endif
