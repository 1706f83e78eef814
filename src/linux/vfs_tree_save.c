/* SPDX-License-Identifier: MIT
 *
 * Files in memory on a tape: the nodes of all trees that are their own (vfs_tree.h). What only stands for something below is
 * found anew by name.
 *
 *     the nodes' kinds, one after the other        so that each can refer to each
 *     of each: attributes, content; of folders the names, with the numbers of their nodes
 *
 * Numbers. First the roots of all trees, then what is in them, folder by folder; then what has no name any more but is
 * still open. So a folder's number is higher than that of the folder it is in: that makes sure on loading that folders form
 * trees, as every folder has one name and no more.
 */
#include <stdlib.h>

#include "linux/save.h"
#include "linux/setup.h"
#include "linux/stream.h"
#include "linux/vfs_host.h"

enum { KEEPS_BELOW = 1, IS_HERE = 2, IS_REMOVED = 4, IS_GIVEN = 8, IS_KNOWN = 16 /* its content is that of the setup */ };
enum { PAGE_ZEROS, PAGE_BYTES };
enum { HEIGHT_MOST = 6, CHARGE_MOST = 1 << 28 };

static bool all_zero(const u8 *page)
{
	return !page[0] && !memcmp(page, page + 1, CONTENT_PAGE - 1);
}

/* ---- Numbering ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp((*(TreeEntry *const *)a)->name, (*(TreeEntry *const *)b)->name);
}

/* The names that a tape has: those that cover nothing in their order, then the others by name. Owned; NULL: none, or no
 * memory. */
static TreeEntry **names_of(Tape *tape, const TreeNode *dir, u32 *count)
{
	TreeEntry **list;
	u32 ordered;

	*count = 0;
	if (!dir->dir.count)
		return NULL;
	list = malloc(dir->dir.count * sizeof(*list));
	if (!list) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return NULL;
	}
	for (u32 i = 0; i < dir->dir.order_count; i++)
		if (dir->dir.order[i].entry)
			list[(*count)++] = dir->dir.order[i].entry;
	ordered = *count;
	for (u32 i = 0; i < dir->dir.bucket_count; i++)
		for (TreeEntry *entry = dir->dir.buckets[i]; entry; entry = entry->next)
			if (entry->covers && (!entry->node || entry->node->own))
				list[(*count)++] = entry;
	if (*count > ordered)
		qsort(list + ordered, *count - ordered, sizeof(*list), by_name);
	return list;
}

void collect_nodes(Tape *tape)
{
	TapeList *list = &tape->lists[TAPE_NODES];

	for (u32 i = 0; i < list->count && tape_ok(tape); i++) {
		TreeNode *dir = list->items[i];
		TreeEntry **names;
		u32 count;

		if (dir->node.type == LX_S_IFIFO && dir->fifo)
			tape_add(tape, TAPE_PIPES, dir->fifo);
		if (!tree_is_folder(dir))
			continue;
		names = names_of(tape, dir, &count);
		for (u32 k = 0; k < count; k++)
			if (names[k]->node)
				tape_add(tape, TAPE_NODES, names[k]->node);
		free(names);
	}
}

/* ---- Contents ---- */

/* While a file that was given is loaded, it may cost what it costs, but no more than the tape is long. */
static bool allow(Tape *tape, bool given, u64 bytes)
{
	Kernel *kernel = tape->kernel;

	if (!given)
		return true;
	if (!tape_check(tape, bytes + tape->given <= 2 * (tape->in.len + setup_file_bytes(kernel)) + 65536))
		return false;
	tape->given += bytes;
	if (kernel->limits.storage < ~(u64)0 - bytes)
		kernel->limits.storage += bytes;
	return true;
}

static void load_page(Tape *tape, TreeNode *node, u64 page)
{
	Content *content = &node->content;
	u64 before = content->pages;
	u8 *bytes, kind = 0;

	tape_u8(tape, &kind);
	if (!tape_check(tape, kind <= PAGE_BYTES && page < (u64)1 << 51) || !allow(tape, node->given, 7 * CONTENT_PAGE))
		return;
	bytes = content_page_make(tape->kernel, content, page);
	if (!bytes) {
		tape_fail(tape, STATUS_TOO_BIG, "its files in memory need more than is allowed");
		return;
	}
	if (node->given) { /* what was allowed and not needed is taken back */
		u64 rest = (7 - (content->pages - before)) * CONTENT_PAGE;

		tape->given -= rest;
		tape->kernel->limits.storage -= tape->kernel->limits.storage != ~(u64)0 ? rest : 0;
	}
	if (kind == PAGE_BYTES)
		tape_bytes(tape, bytes, CONTENT_PAGE);
}

static void carry_content(Tape *tape, TreeNode *node)
{
	Content *content = &node->content;
	u64 page = 0, end = ~(u64)0;

	tape_u32(tape, &content->height);
	tape_u64(tape, &content->size);
	if (!tape_check(tape, content->height <= HEIGHT_MOST && content->size <= FILE_SIZE_LIMIT))
		return;
	if (!tape->loading) {
		u8 *bytes;

		if (!content_is_whole(content)) {
			tape_fail(tape, STATUS_IO, "%s", "what is left of the program's file cannot be read");
			return;
		}
		for (; (bytes = content_page(content, &page)) != NULL; page++) {
			u8 kind = all_zero(bytes) ? PAGE_ZEROS : PAGE_BYTES;

			tape_u64(tape, &page);
			tape_u8(tape, &kind);
			if (kind == PAGE_BYTES)
				tape_bytes(tape, bytes, CONTENT_PAGE);
		}
		tape_u64(tape, &end);
		return;
	}
	for (u64 least = 0; tape_ok(tape); least = page + 1) {
		tape_u64(tape, &page);
		if (page == end)
			break;
		if (tape_check(tape, page >= least))
			load_page(tape, node, page);
	}
	if (tape_ok(tape) && !content->root)
		content->height = 0;
}

/* What all who are set up alike know. */
static void load_known(Tape *tape, TreeNode *node)
{
	const Content *known = setup_file(tape->kernel, node);

	if (!known) {
		tape_fail(tape, STATUS_MISMATCH, "%s", "it was saved for machines that are set up alike, and this one is not");
		return;
	}
	if (allow(tape, true, known->pages * CONTENT_PAGE) && !content_borrow(tape->kernel, &node->content, known))
		tape_fail(tape, STATUS_TOO_BIG, "its files in memory need more than is allowed");
}

/* ---- What lies below ---- */

/* Its path from the folder below the root on. Loading: found by walking that, name by name, never through a link. */
static void carry_below(Tape *tape, TreeNode *node)
{
	char *path = NULL;
	Buf text;

	if (tape->near) {
		HostNode *lower = tape_ref(tape, TAPE_HOSTS, node->lower);

		if (tape->loading && tape_check(tape, lower != NULL))
			node->lower = vfs_node_get(&lower->node);
		return;
	}
	if (!tape->loading) {
		buf_init(&text);
		if (!vfs_host_path(node->lower, &text))
			tape_fail(tape, STATUS_UNSUPPORTED, "a file of the host has no path");
		buf_byte(&text, '.'); /* never empty */
		path = (char *)text.data;
		if (text.failed)
			tape_fail(tape, STATUS_NOMEM, "%s", "");
		else
			tape_text(tape, &path, PATH_LIMIT);
		buf_fini(&text);
		return;
	}
	tape_text(tape, &path, PATH_LIMIT);
	if (tape_check(tape, path && path[0] && tree_fs(node)->root && tree_fs(node)->root->lower)) {
		path[strlen(path) - 1] = 0;
		node->lower = tree_find_below(tree_fs(node)->root->lower, path);
		if (node->lower && node->lower->type != node->node.type) {
			vfs_node_put(node->lower);
			node->lower = NULL;
		}
		if (!node->lower && !tree_is_folder(node))
			tape_fail(tape, STATUS_NOT_FOUND, "%s is no longer in the folder that is its root", path);
	}
	free(path);
}

/* ---- Folders ---- */

static bool name_is_possible(const char *name)
{
	return name && name[0] && strlen(name) <= NAME_LIMIT && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

static void load_name(Tape *tape, TreeNode *dir, u32 number, u64 *least)
{
	char *name = NULL;
	bool covers = false;
	u64 cookie = 0;
	TreeNode *node;
	TreeEntry *entry;

	tape_text(tape, &name, NAME_LIMIT);
	tape_bool(tape, &covers);
	if (!covers)
		tape_u64(tape, &cookie);
	node = tape_ref(tape, TAPE_NODES, NULL);
	if (!tape_check(tape, name_is_possible(name) && (node || covers) && !tree_find(dir, name) &&
				      (covers || (cookie >= *least && cookie < (u64)1 << 39))) ||
	    (node && !tape_check(tape, node->node.fs == dir->node.fs)))
		goto end;
	if (node && tree_is_folder(node) && !tape_check(tape, node->file_number > number && !node->saved))
		goto end;
	entry = tree_entry_load(dir, name, covers, cookie);
	if (!entry) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		goto end;
	}
	*least = covers ? *least : cookie + 1;
	entry->node = node;
	if (node) {
		vfs_node_get(&node->node);
		node->saved = 1;
	}
end:
	free(name);
}

static void carry_names(Tape *tape, TreeNode *dir, u32 number)
{
	TreeEntry **names;
	u32 count = 0;
	u64 least = 0;

	if (tape->loading) {
		count = tape_count(tape, 0, 10);
		for (u32 i = 0; i < count && tape_ok(tape); i++)
			load_name(tape, dir, number, &least);
		tape_u64(tape, &dir->dir.next_cookie);
		tape_check(tape, dir->dir.next_cookie >= least && dir->dir.next_cookie < (u64)1 << 39);
		return;
	}
	names = names_of(tape, dir, &count);
	tape_u32(tape, &count);
	for (u32 i = 0; i < count; i++) {
		char *name = names[i]->name;

		tape_text(tape, &name, NAME_LIMIT);
		tape_bool(tape, &names[i]->covers);
		if (!names[i]->covers)
			tape_u64(tape, &names[i]->cookie);
		tape_ref(tape, TAPE_NODES, names[i]->node);
	}
	tape_u64(tape, &dir->dir.next_cookie);
	free(names);
}

/* ---- Nodes ---- */

static const TapeField fields[] = {
	TAPE_FIELD(TreeNode, mode), TAPE_FIELD(TreeNode, links), TAPE_FIELD(TreeNode, user), TAPE_FIELD(TreeNode, group),
	TAPE_FIELD(TreeNode, inode), TAPE_FIELD(TreeNode, atime), TAPE_FIELD(TreeNode, mtime), TAPE_FIELD(TreeNode, ctime),
	TAPE_FIELD(TreeNode, btime),
};

static void charge(Tape *tape, TreeNode *node)
{
	u64 charged = node->charged;

	tape_u64(tape, &charged);
	if (!tape->loading || !tape_check(tape, charged <= CHARGE_MOST) || !allow(tape, node->given, charged))
		return;
	if (vfs_charge(tape->kernel, charged))
		node->charged = charged;
	else
		tape_fail(tape, STATUS_TOO_BIG, "its files in memory need more than is allowed");
}

static void carry_node(Tape *tape, TreeNode *node, u32 number)
{
	u8 flags = (u8)((node->lower ? KEEPS_BELOW : 0) | (node->has_content ? IS_HERE : 0) |
			(node->removed ? IS_REMOVED : 0) | (node->given ? IS_GIVEN : 0));

	if (tape->near && node->given && node->has_content && setup_file(tape->kernel, node))
		flags |= IS_KNOWN;

	if (!tape->loading && tree_fs(node)->changes)
		tape_fail(tape, STATUS_UNSUPPORTED, "changes of the root are kept in a folder (--root DIR:CHANGES)");
	tape_u8(tape, &flags);
	tape_fields(tape, node, fields, COUNT_OF(fields));
	if (!tape_check(tape, !(flags & ~(KEEPS_BELOW | IS_HERE | IS_REMOVED | IS_GIVEN | IS_KNOWN)) &&
				      (!(flags & IS_KNOWN) || ((flags & IS_GIVEN) && (flags & IS_HERE))) &&
				      (node->mode & LX_S_IFMT) == node->node.type && !(node->mode & ~0177777u)))
		return;
	if (tape->loading) {
		node->has_content = flags & IS_HERE;
		node->removed = flags & IS_REMOVED;
		node->given = flags & IS_GIVEN;
		/* A regular file's bytes are here or below. */
		if (!tape_check(tape, node->node.type == LX_S_IFREG ? node->has_content != !!(flags & KEEPS_BELOW)
								    : !node->has_content && !node->given))
			return;
	}
	charge(tape, node);
	/* The root's own has been found already: it is what was configured. */
	if (tree_fs(node)->root == node)
		tape_check(tape, !node->lower == !(flags & KEEPS_BELOW));
	else if (flags & KEEPS_BELOW)
		carry_below(tape, node);
	if (!tape_ok(tape))
		return;
	if (tree_is_folder(node)) {
		carry_names(tape, node, number);
	} else if (flags & IS_KNOWN) {
		if (tape->loading)
			load_known(tape, node);
	} else if (node->has_content) {
		carry_content(tape, node);
	} else if (node->node.type == LX_S_IFLNK) {
		tape_text(tape, &node->target, PATH_LIMIT);
		tape_check(tape, node->target || node->lower);
	} else if (node->node.type == LX_S_IFIFO) {
		Pipe *pipe = tape_ref(tape, TAPE_PIPES, node->fifo);

		if (tape->loading && pipe)
			tape_check(tape, fifo_take(&node->fifo, pipe));
	}
}

/* The node as a thing without anything. Loading: in the file system of the mount whose number is given. */
static void carry_kind(Tape *tape, u32 index)
{
	TapeList *list = &tape->lists[TAPE_NODES];
	TreeNode *node = tape->loading ? NULL : list->items[index];
	u32 mount = 0, type = node ? node->node.type : 0;

	while (node && mount < tape->mount_count && tape->mounts[mount]->fs != node->node.fs)
		mount++;
	tape_u32(tape, &mount);
	tape_u32(tape, &type);
	if (!tape->loading)
		return;
	if (!tape_check(tape, mount < tape->mount_count && tape->mounts[mount] && vfs_is_tree(tape->mounts[mount]->fs) &&
				      (type == LX_S_IFREG || type == LX_S_IFDIR || type == LX_S_IFLNK || type == LX_S_IFIFO ||
				       type == LX_S_IFSOCK || type == LX_S_IFCHR || type == LX_S_IFBLK)))
		return;
	node = tree_blank((TreeFs *)tape->mounts[mount]->fs, type);
	if (!node || !tape_add(tape, TAPE_NODES, node)) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		if (node)
			vfs_node_put(&node->node);
	}
}

void carry_node_kinds(Tape *tape)
{
	u32 count = tape_count(tape, tape->lists[TAPE_NODES].count, 8);

	for (u32 i = 0; i < count && tape_ok(tape); i++)
		carry_kind(tape, i);
}

/* Loading: `saved` of a node says that it is in a folder, or the root of all; file_number is its number. */
void carry_nodes(Tape *tape)
{
	TapeList *list = &tape->lists[TAPE_NODES];

	for (u32 i = 0; tape->loading && i < list->count; i++)
		((TreeNode *)list->items[i])->file_number = i;
	for (u32 i = 0; i < list->count && tape_ok(tape); i++)
		carry_node(tape, list->items[i], i);
	for (u32 i = 0; tape->loading && i < list->count; i++) {
		TreeNode *node = list->items[i];

		node->saved = 0;
		node->file_number = 0;
	}
}
