/* SPDX-License-Identifier: MIT */
#include "linux/vfs_content.h"

#include <stdlib.h>
#include <string.h>

#include "linux/vfs_private.h"

enum { PAGE_BITS = 12, BRANCH_BITS = 9 };

/* Pages that a tree of this height has room for. */
static u64 height_pages(u32 height)
{
	return (u64)1 << (height * BRANCH_BITS);
}

static void *content_block(Kernel *kernel, Content *content)
{
	void *block;

	if (kernel && !vfs_charge(kernel, CONTENT_PAGE)) /* NULL: nobody counts */
		return NULL;
	block = calloc(1, CONTENT_PAGE);
	if (!block) {
		if (kernel)
			vfs_discharge(kernel, CONTENT_PAGE);
		return NULL;
	}
	content->pages++;
	return block;
}

static void block_free(Kernel *kernel, Content *content, void *block)
{
	free(block);
	content->pages--;
	if (kernel)
		vfs_discharge(kernel, CONTENT_PAGE);
}

static void cut_all(Kernel *kernel, Content *content);

static bool is_own(const Content *content)
{
	return !content->borrowed && !content->lent;
}

bool content_is_whole(const Content *content)
{
	return !content->rest || content->rest->all(content->rest->ctx);
}

/* What is another's is copied. False: it can't be. */
static bool own(Kernel *kernel, Content *content)
{
	Content copy = {.size = content->size};
	const u8 *from;

	if (is_own(content))
		return true;
	if (!content_is_whole(content))
		return false;
	vfs_discharge(kernel, content->pages * CONTENT_PAGE); /* the copy counts instead */
	for (u64 page = 0; (from = content_page(content, &page)); page++) {
		u8 *to = content_page_make(kernel, &copy, page);

		if (!to) {
			cut_all(kernel, &copy);
			vfs_charge(kernel, content->pages * CONTENT_PAGE); /* as before */
			return false;
		}
		memcpy(to, from, CONTENT_PAGE);
	}
	if (content->lent)
		free(content->root);
	*content = copy;
	return true;
}

/* A page of what was lent. Nobody writes to it: who would owns the content first. */
static u8 *lent_page(const Content *content, u64 page)
{
	if (page >= content->lent_pages || !content_is_whole(content))
		return NULL;
	return page + 1 == content->lent_pages && content->root ? content->root : (u8 *)(uintptr_t)content->lent + page * CONTENT_PAGE;
}

static u8 *page_find(const Content *content, u64 page)
{
	void *at = content->root;

	if (content->lent)
		return lent_page(content, page);
	if (page >= height_pages(content->height))
		return NULL;
	for (u32 level = content->height; level && at; level--)
		at = ((void **)at)[page >> ((level - 1) * BRANCH_BITS) & (CONTENT_BRANCHES - 1)];
	return at;
}

u8 *content_page_make(Kernel *kernel, Content *content, u64 page)
{
	void **at;

	if (!own(kernel, content))
		return NULL;
	while (page >= height_pages(content->height)) {
		if (content->root) {
			void **table = content_block(kernel, content);

			if (!table)
				return NULL;
			table[0] = content->root;
			content->root = table;
		}
		content->height++;
	}
	at = &content->root;
	for (u32 level = content->height;; level--) {
		if (!*at && !(*at = content_block(kernel, content)))
			return NULL;
		if (!level)
			return *at;
		at = (void **)*at + (page >> ((level - 1) * BRANCH_BITS) & (CONTENT_BRANCHES - 1));
	}
}

/* Zeros behind what was lent. */
static i64 read_rest(const Content *content, u8 *to, u64 len, u64 offset)
{
	const i64 got = content->rest->read(content->rest->ctx, to, len, offset);

	if (got < 0)
		return got;
	memset(to + got, 0, len - (u64)got);
	return (i64)len;
}

i64 content_read(const Content *content, u8 *to, u64 len, u64 offset)
{
	u64 done = 0;

	if (offset >= content->size)
		return 0;
	if (len > content->size - offset)
		len = content->size - offset;
	if (content->rest)
		return read_rest(content, to, len, offset);
	while (done < len) {
		u64 at = (offset + done) % CONTENT_PAGE, part = CONTENT_PAGE - at;
		const u8 *page = page_find(content, (offset + done) >> PAGE_BITS);

		if (part > len - done)
			part = len - done;
		if (page)
			memcpy(to + done, page + at, part);
		else
			memset(to + done, 0, part);
		done += part;
	}
	return (i64)done;
}

i64 content_write(Kernel *kernel, Content *content, const u8 *from, u64 len, u64 offset)
{
	u64 done = 0;

	if (offset > FILE_SIZE_LIMIT || len > FILE_SIZE_LIMIT - offset)
		return -EFBIG;
	while (done < len) {
		u64 at = (offset + done) % CONTENT_PAGE, part = CONTENT_PAGE - at;
		u8 *page = content_page_make(kernel, content, (offset + done) >> PAGE_BITS);

		if (!page)
			break;
		if (part > len - done)
			part = len - done;
		memcpy(page + at, from + done, part);
		done += part;
	}
	if (done && offset + done > content->size)
		content->size = offset + done;
	return done || !len ? (i64)done : -ENOSPC;
}

/* Gives back what lies from page `keep` on, in the part of the tree below *at that begins with page `first`. True: all. */
static bool tree_cut(Kernel *kernel, Content *content, void **at, u32 level, u64 first, u64 keep)
{
	bool all = true;

	if (!*at)
		return true;
	if (first + height_pages(level) <= keep)
		return false;
	if (level) {
		void **table = *at;
		u64 step = height_pages(level - 1);

		for (u32 i = 0; i < CONTENT_BRANCHES; i++)
			all &= tree_cut(kernel, content, &table[i], level - 1, first + i * step, keep);
	}
	if (!all || (!level && first < keep))
		return false;
	block_free(kernel, content, *at);
	*at = NULL;
	return true;
}

static void cut_all(Kernel *kernel, Content *content)
{
	tree_cut(kernel, content, &content->root, content->height, 0, 0);
}

/* A part of it. False: not to be had. */
static bool own_part(Kernel *kernel, Content *content, u64 size)
{
	if (!is_own(content) && !size) {
		content_fini(kernel, content);
		return true;
	}
	return own(kernel, content);
}

bool content_resize(Kernel *kernel, Content *content, u64 size)
{
	if (size < content->size && !own_part(kernel, content, size))
		return false;
	if (size < content->size) {
		u64 keep = (size + CONTENT_PAGE - 1) / CONTENT_PAGE;
		u8 *last = size % CONTENT_PAGE ? page_find(content, size / CONTENT_PAGE) : NULL;

		if (last)
			memset(last + size % CONTENT_PAGE, 0, CONTENT_PAGE - size % CONTENT_PAGE);
		if (tree_cut(kernel, content, &content->root, content->height, 0, keep))
			content->height = 0;
	}
	content->size = size;
	return true;
}

i64 content_allocate(Kernel *kernel, Content *content, u64 offset, u64 len)
{
	u64 first = offset / CONTENT_PAGE, end = (offset + len + CONTENT_PAGE - 1) / CONTENT_PAGE;

	/* What can't be given anyway is not begun: what is there already may be counted twice by this, and is small. */
	if ((end - first) * CONTENT_PAGE > kernel->limits.storage)
		return -ENOSPC;
	for (u64 page = first; page < end; page++) {
		if (!content_page_make(kernel, content, page))
			return -ENOSPC;
	}
	return 0;
}

u64 content_next_data(const Content *content, u64 offset)
{
	u64 page = offset / CONTENT_PAGE, end = (content->size + CONTENT_PAGE - 1) / CONTENT_PAGE;

	if (content->lent)
		return page < content->lent_pages && page < end ? offset : content->size;
	while (page < end && page < height_pages(content->height)) {
		void *at = content->root;
		u64 skip = height_pages(content->height);

		for (u32 level = content->height; level && at; level--) {
			skip = height_pages(level - 1);
			at = ((void **)at)[page >> ((level - 1) * BRANCH_BITS) & (CONTENT_BRANCHES - 1)];
		}
		if (at)
			return page * CONTENT_PAGE > offset ? page * CONTENT_PAGE : offset;
		page = (page / skip + 1) * skip;
	}
	return content->size;
}

u8 *content_page(const Content *content, u64 *page)
{
	if (content->lent)
		return lent_page(content, *page);
	while (*page < height_pages(content->height)) {
		void *at = content->root;
		u64 skip = height_pages(content->height);

		for (u32 level = content->height; level && at; level--) {
			skip = height_pages(level - 1);
			at = ((void **)at)[*page >> ((level - 1) * BRANCH_BITS) & (CONTENT_BRANCHES - 1)];
		}
		if (at)
			return at;
		*page = (*page / skip + 1) * skip;
	}
	return NULL;
}

void content_fini(Kernel *kernel, Content *content)
{
	if (is_own(content))
		cut_all(kernel, content);
	else
		vfs_discharge(kernel, content->pages * CONTENT_PAGE);
	if (content->lent)
		free(content->root);
	*content = (Content){0};
}

bool content_borrow(Kernel *kernel, Content *content, const Content *from)
{
	if (!vfs_charge(kernel, from->pages * CONTENT_PAGE))
		return false;
	*content = *from;
	content->borrowed = true;
	return true;
}

/* Pages and tables of a content of so many pages. */
static u64 tree_pages(u64 pages)
{
	u64 all = pages;

	while (pages > 1) {
		pages = (pages + CONTENT_BRANCHES - 1) / CONTENT_BRANCHES;
		all += pages;
	}
	return all;
}

bool content_lend(Kernel *kernel, Content *content, const GuestFile *given)
{
	const u64 whole = given->len / CONTENT_PAGE, rest = given->rest ? 0 : given->len % CONTENT_PAGE;
	Content lent = { .lent = given->data, .lent_pages = (given->len + CONTENT_PAGE - 1) / CONTENT_PAGE, .size = given->len,
			 .rest = given->rest };

	lent.pages = tree_pages(lent.lent_pages);
	if (!vfs_charge(kernel, lent.pages * CONTENT_PAGE))
		return false;
	if (rest && !(lent.root = calloc(1, CONTENT_PAGE))) {
		vfs_discharge(kernel, lent.pages * CONTENT_PAGE);
		return false;
	}
	if (rest)
		memcpy(lent.root, given->data + whole * CONTENT_PAGE, rest);
	*content = lent;
	return true;
}
