/* SPDX-License-Identifier: MIT */
#include "linux/vfs_content.h"

#include <stdlib.h>
#include <string.h>

#include "base/prefault.h"
#include "linux/vfs_private.h"

enum {
	PAGE_BITS = 12, BRANCH_BITS = 9,
	SLAB_PAGES = 16,   /* a part of a table */
	SLAB_FROM = 64,    /* pages that a file has by then: a short one has no slab, a long one little too much */
};

/* Pages that a tree of this height has room for. */
static u64 height_pages(u32 height)
{
	return (u64)1 << (height * BRANCH_BITS);
}

static bool charge_block(Kernel *kernel, Content *content)
{
	if (kernel && !vfs_charge(kernel, CONTENT_PAGE)) /* NULL: nobody counts */
		return false;
	content->pages++;
	return true;
}

static void discharge_block(Kernel *kernel, Content *content)
{
	content->pages--;
	if (kernel)
		vfs_discharge(kernel, CONTENT_PAGE);
}

static void *content_block(Kernel *kernel, Content *content)
{
	void *block;

	if (!charge_block(kernel, content))
		return NULL;
	block = calloc(1, CONTENT_PAGE);
	if (!block)
		discharge_block(kernel, content);
	return block;
}

/* ---- Slabs. An entry of a table that is a page of one has the lowest bit set ---- */

static bool in_slab(const void *entry)
{
	return (uintptr_t)entry & 1;
}

static u8 *page_of_entry(void *entry)
{
	return (u8 *)((uintptr_t)entry & ~(uintptr_t)1);
}

/* The slab of the SLAB_PAGES entries that begin at `group`, and whether any of these has a page. NULL: none. */
static u8 *slab_of(void *const *group, bool *any)
{
	*any = false;
	for (u32 i = 0; i < SLAB_PAGES; i++) {
		*any |= group[i] != NULL;
		if (in_slab(group[i]))
			return page_of_entry(group[i]) - i * CONTENT_PAGE;
	}
	return NULL;
}

static void page_free(Kernel *kernel, Content *content, void **at, u64 page)
{
	void **group = at - page % SLAB_PAGES, *memory = *at;
	bool any;

	*at = NULL;
	if (in_slab(memory))
		memory = slab_of(group, &any) ? NULL : page_of_entry(memory) - page % SLAB_PAGES * CONTENT_PAGE;
	free(memory);
	discharge_block(kernel, content);
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
	return page_of_entry(at);
}

/* For an entry of a table: a page of a slab where a file grows in order, and where there is one already. */
static void *page_entry(Kernel *kernel, Content *content, void **at, u64 page)
{
	const u64 place = page % SLAB_PAGES;
	bool any = false;
	u8 *slab = page < SLAB_FROM ? NULL : slab_of(at - place, &any), *to;

	if (!slab && (page < SLAB_FROM || place || any || !page_find(content, page - 1)))
		return content_block(kernel, content);
	if (!charge_block(kernel, content))
		return NULL;
	if (!slab && !(slab = malloc(SLAB_PAGES * CONTENT_PAGE))) {
		discharge_block(kernel, content);
		return NULL;
	}
	if (!any)
		prefault(slab, SLAB_PAGES * CONTENT_PAGE);
	to = slab + place * CONTENT_PAGE;
	memset(to, 0, CONTENT_PAGE);
	return to + 1;
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
		if (!*at)
			*at = level ? content_block(kernel, content) : page_entry(kernel, content, at, page);
		if (!*at || !level)
			return page_of_entry(*at);
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
	if (!level) {
		page_free(kernel, content, at, first);
		return true;
	}
	free(*at);
	*at = NULL;
	discharge_block(kernel, content);
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
			return page_of_entry(at);
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
