/* SPDX-License-Identifier: MIT
 *
 * Names in the tree's folders: making, removing, renaming, listing.
 *
 * Listing. A folder shows what is below, in its order there, then what covers nothing, in the order it was made:
 *
 *     cookie  0 "."  1 ".."  2 ... names below, hidden ones left out  |  OWN_NAMES + n
 *
 * A name that covers one below keeps that one's place, so nothing is shown twice or left out while others change the
 * folder. The names below are read when a listing begins.
 */
#include <stdlib.h>

#include "base/array.h"
#include "linux/vfs_tree.h"

#define OWN_NAMES ((u64)1 << 40)

typedef struct Record { /* struct linux_dirent64 */
	u64 inode, next;
	u16 len;
	u8 type;
	char name[];
} Record;

void tree_listing_free(TreeListing *listing)
{
	free(listing->records);
	free(listing->starts);
	*listing = (TreeListing){0};
}

static bool listing_take(TreeListing *listing, Buf *records, const u8 *from, u64 len)
{
	for (u64 at = 0; at < len;) {
		const Record *record = (const Record *)(from + at);

		at += record->len;
		if (!strcmp(record->name, ".") || !strcmp(record->name, ".."))
			continue;
		if (!array_grow((void **)&listing->starts, &listing->cap, listing->count, sizeof(*listing->starts)))
			return false;
		listing->starts[listing->count++] = records->len;
		buf_add(records, record, record->len);
	}
	return !records->failed;
}

/* The names of the folder below. */
static i64 listing_read(TreeNode *dir, Task *task)
{
	_Alignas(8) u8 chunk[16 * 1024];
	TreeListing listing = {0};
	Buf records;
	u64 cookie = 0;
	i64 error = 0;

	buf_init(&records);
	while (dir->lower && !error) {
		VfsList list = {.to = chunk, .len = sizeof(chunk)};

		error = dir->lower->ops->list(dir->lower, task, &cookie, &list);
		if (!list.used)
			break;
		if (!listing_take(&listing, &records, chunk, list.used))
			error = -ENOMEM;
	}
	listing.records = records.data;
	if (error) {
		tree_listing_free(&listing);
		return error;
	}
	tree_listing_free(&dir->dir.below);
	dir->dir.below = listing;
	return 0;
}

static const Record *listing_record(const TreeListing *listing, u64 index)
{
	return (const Record *)(listing->records + listing->starts[index]);
}

i64 tree_list(VfsNode *base, Task *task, u64 *cookie, VfsList *out)
{
	TreeNode *dir = tree_node(base);
	const TreeFolder *folder = &dir->dir;
	u32 low = 0, high = folder->order_count;

	if (*cookie == 0 && dir->lower) {
		i64 error = listing_read(dir, task);

		if (error)
			return error;
	}
	if (!vfs_list_dots(out, cookie))
		return 0;
	for (; *cookie - 2 < folder->below.count; ++*cookie) {
		const Record *record = listing_record(&folder->below, *cookie - 2);
		const TreeEntry *entry = tree_find(dir, record->name);
		bool own = entry && entry->node && entry->node->own;

		if (entry && !entry->node)
			continue;
		if (!vfs_list_add(out, record->name, strlen(record->name), own ? entry->node->inode : record->inode,
				  own ? entry->node->node.type : (u32)record->type << 12, *cookie + 1))
			return 0;
	}
	if (*cookie < OWN_NAMES)
		*cookie = OWN_NAMES;
	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (folder->order[middle].cookie < *cookie - OWN_NAMES)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < folder->order_count; low++) {
		const TreeEntry *entry = folder->order[low].entry;
		u64 next = OWN_NAMES + folder->order[low].cookie + 1;

		if (!entry || !entry->node)
			continue;
		if (!vfs_list_add(out, entry->name, strlen(entry->name), entry->node->inode, entry->node->node.type, next))
			return 0;
		*cookie = next;
	}
	return 0;
}

static i64 folder_is_empty(TreeNode *dir)
{
	i64 error;

	for (u32 i = 0; i < dir->dir.bucket_count; i++) {
		for (const TreeEntry *entry = dir->dir.buckets[i]; entry; entry = entry->next) {
			if (entry->node && entry->node->own)
				return -ENOTEMPTY;
		}
	}
	if (!dir->lower)
		return 0;
	error = listing_read(dir, NULL);
	if (error)
		return error;
	for (u64 i = 0; i < dir->dir.below.count; i++) {
		const TreeEntry *entry = tree_find(dir, listing_record(&dir->dir.below, i)->name);

		if (!entry || entry->node)
			return -ENOTEMPTY;
	}
	return 0;
}

/* ---- Changing ---- */

/* The entry takes the node's reference over. */
static void entry_fill(TreeNode *dir, TreeEntry *entry, TreeNode *node)
{
	entry->node = node;
	if (tree_is_folder(node))
		dir->links++;
}

/* The node loses its name. Its reference is the caller's. */
static TreeNode *entry_empty(TreeNode *dir, TreeEntry *entry)
{
	TreeNode *node = entry->node;

	if (tree_is_folder(node) && dir->links > 2)
		dir->links--;
	tree_entry_vacate(dir, entry);
	return node;
}

static i64 entry_for(TreeNode *dir, const char *name, TreeEntry **out)
{
	i64 error = dir->removed ? -ENOENT : tree_own(dir);

	*out = NULL;
	if (!error && !(*out = tree_entry(dir, name)))
		error = -ENOMEM;
	return error;
}

i64 tree_create(VfsNode *base, const char *name, const VfsNew *what, VfsNode **out)
{
	TreeNode *dir = tree_node(base), *node;
	VfsNew made = *what;
	TreeEntry *entry;
	i64 error;

	*out = NULL;
	error = entry_for(dir, name, &entry);
	if (error)
		return error;
	if (dir->mode & 02000) {
		made.group = dir->group;
		if ((made.mode & LX_S_IFMT) == LX_S_IFDIR)
			made.mode |= 02000;
	}
	node = tree_new(tree_fs(dir), &made);
	if (!node) {
		tree_entry_vacate(dir, entry);
		return -ENOSPC;
	}
	vfs_node_get(&node->node);
	entry_fill(dir, entry, node);
	tree_touched(dir);
	*out = &node->node;
	return 0;
}

i64 tree_nameless(VfsNode *base, const VfsNew *what, VfsNode **out)
{
	TreeNode *node = tree_new(tree_fs(tree_node(base)), what);

	*out = node ? &node->node : NULL;
	if (!node)
		return -ENOSPC;
	if (!tree_is_folder(node))
		node->links = 0;
	return 0;
}

i64 tree_link(VfsNode *base, const char *name, VfsNode *target)
{
	TreeNode *dir = tree_node(base), *node = tree_node(target);
	TreeEntry *entry;
	i64 error = tree_own(node);

	if (error)
		return error;
	if (!vfs_charge(tree_kernel(dir), TREE_NAME_COST))
		return -ENOSPC;
	error = entry_for(dir, name, &entry);
	if (error) {
		vfs_discharge(tree_kernel(dir), TREE_NAME_COST);
		return error;
	}
	node->charged += TREE_NAME_COST; /* until the node goes */
	vfs_node_get(target);
	entry_fill(dir, entry, node);
	node->links++;
	node->ctime = tree_now(node);
	tree_touched(dir);
	return 0;
}

/* It lost a name. */
static void node_unnamed(TreeNode *node)
{
	node->ctime = tree_now(node);
	if (tree_is_folder(node)) {
		node->removed = true;
		node->links = 0;
	} else {
		node->links--;
	}
	vfs_node_put(&node->node);
}

i64 tree_remove(VfsNode *base, const char *name, VfsNode *target)
{
	TreeNode *dir = tree_node(base), *node = tree_node(target);
	TreeEntry *entry;
	i64 error = tree_is_folder(node) ? folder_is_empty(node) : 0;

	if (!error)
		error = tree_own(node);
	if (error)
		return error;
	entry = tree_find(dir, name);
	if (!entry || entry->node != node)
		return -ENOENT;
	entry_empty(dir, entry);
	tree_touched(dir);
	node_unnamed(node);
	return 0;
}

i64 tree_rename(VfsNode *base, const char *name, VfsNode *moved, VfsNode *to_base, const char *to_name, VfsNode *over,
		bool exchange)
{
	TreeNode *dir = tree_node(base), *to_dir = tree_node(to_base), *node = tree_node(moved);
	TreeNode *target = over ? tree_node(over) : NULL;
	TreeEntry *from, *to;
	i64 error = tree_own(node);

	if (!error && target && !exchange && tree_is_folder(target))
		error = folder_is_empty(target);
	if (!error && target)
		error = tree_own(target);
	if (!error)
		error = entry_for(to_dir, to_name, &to);
	if (error)
		return error;
	from = tree_find(dir, name);
	if (!from || from->node != node || to->node != target) {
		if (!to->node)
			tree_entry_vacate(to_dir, to);
		return -ENOENT;
	}
	if (target && tree_is_folder(target) && to_dir->links > 2)
		to_dir->links--;
	if (exchange) {
		if (tree_is_folder(node) && dir->links > 2)
			dir->links--;
		entry_fill(dir, from, target);
		entry_fill(to_dir, to, node);
	} else {
		entry_empty(dir, from);
		entry_fill(to_dir, to, node);
	}
	node->given = false;
	node->ctime = tree_now(node);
	tree_touched(dir);
	tree_touched(to_dir);
	if (exchange)
		target->ctime = node->ctime;
	else if (target)
		node_unnamed(target);
	return 0;
}

i64 tree_list_again(VfsNode *dir)
{
	return listing_read(tree_node(dir), NULL);
}
