/* SPDX-License-Identifier: MIT
 *
 * The tree in memory: nodes, entries, attributes (vfs_tree.h says how they hang together).
 *
 * What programs make is charged: TREE_NODE_COST for a node, TREE_NAME_COST for a name, and the pages of contents. What
 * was below and is kept here because something about it changed is not: there can be no more of that than there was.
 *
 * Folders may be nested as deep as storage allows, so nothing here recurses over depth: a folder that goes puts its
 * folders on a list that is worked off by the outermost call (tree_destroy).
 */
#include "linux/vfs_tree.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/hash.h"
#include "linux/stream.h"

bool tree_is_folder(const TreeNode *node)
{
	return node->node.type == LX_S_IFDIR;
}

u64 tree_now(const TreeNode *node)
{
	return kernel_real_time(tree_kernel(node));
}

void tree_touched(TreeNode *dir)
{
	dir->mtime = dir->ctime = tree_now(dir);
}

/* ---- Entries ---- */

static u32 name_hash(const char *name)
{
	return (u32)(hash_bytes(HASH_START, name, strlen(name)) >> 7);
}

TreeEntry *tree_find(const TreeNode *dir, const char *name)
{
	u32 hash = name_hash(name);

	if (!dir->dir.bucket_count)
		return NULL;
	for (TreeEntry *entry = dir->dir.buckets[hash & (dir->dir.bucket_count - 1)]; entry; entry = entry->next) {
		if (entry->hash == hash && !strcmp(entry->name, name))
			return entry;
	}
	return NULL;
}

static bool buckets_grow(TreeFolder *dir)
{
	u32 count = dir->bucket_count ? dir->bucket_count * 2 : 8;
	TreeEntry **buckets;

	if (dir->count < dir->bucket_count)
		return true;
	buckets = calloc(count, sizeof(*buckets));
	if (!buckets)
		return dir->bucket_count;
	for (u32 i = 0; i < dir->bucket_count; i++) {
		for (TreeEntry *entry = dir->buckets[i], *next; entry; entry = next) {
			next = entry->next;
			entry->next = buckets[entry->hash & (count - 1)];
			buckets[entry->hash & (count - 1)] = entry;
		}
	}
	free(dir->buckets);
	dir->buckets = buckets;
	dir->bucket_count = count;
	return true;
}

static bool order_append(TreeFolder *dir, TreeEntry *entry)
{
	if (dir->order_dead * 2 > dir->order_count) {
		u32 kept = 0;

		for (u32 i = 0; i < dir->order_count; i++) {
			if (dir->order[i].entry)
				dir->order[kept++] = dir->order[i];
		}
		dir->order_count = kept;
		dir->order_dead = 0;
	}
	if (!array_grow((void **)&dir->order, &dir->order_cap, dir->order_count, sizeof(*dir->order)))
		return false;
	entry->cookie = dir->next_cookie++;
	dir->order[dir->order_count++] = (TreeOrder){entry->cookie, entry};
	return true;
}

static void order_remove(TreeFolder *dir, const TreeEntry *entry)
{
	u32 low = 0, high = dir->order_count;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (dir->order[middle].cookie < entry->cookie)
			low = middle + 1;
		else
			high = middle;
	}
	dir->order[low].entry = NULL;
	dir->order_dead++;
}

static TreeEntry *entry_add(TreeNode *dir, const char *name, bool covers)
{
	size_t len = strlen(name) + 1;
	TreeEntry *entry = calloc(1, sizeof(*entry) + len), **bucket;

	if (!entry)
		return NULL;
	memcpy(entry->name, name, len);
	entry->hash = name_hash(name);
	entry->covers = covers;
	if (!buckets_grow(&dir->dir) || (!covers && !order_append(&dir->dir, entry))) {
		free(entry);
		return NULL;
	}
	bucket = &dir->dir.buckets[entry->hash & (dir->dir.bucket_count - 1)];
	entry->next = *bucket;
	*bucket = entry;
	dir->dir.count++;
	return entry;
}

static void entry_free(TreeNode *dir, TreeEntry *entry)
{
	TreeEntry **at = &dir->dir.buckets[entry->hash & (dir->dir.bucket_count - 1)];

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	dir->dir.count--;
	if (!entry->covers)
		order_remove(&dir->dir, entry);
	free(entry);
}

TreeEntry *tree_entry(TreeNode *dir, const char *name)
{
	TreeEntry *entry = tree_find(dir, name);
	VfsNode *below = NULL;

	if (entry)
		return entry;
	if (dir->lower)
		dir->lower->ops->lookup(dir->lower, name, NULL, &below);
	entry = entry_add(dir, name, below != NULL);
	vfs_node_put(below);
	return entry;
}

TreeEntry *tree_entry_load(TreeNode *dir, const char *name, bool covers, u64 cookie)
{
	if (!covers)
		dir->dir.next_cookie = cookie;
	return entry_add(dir, name, covers);
}

void tree_entry_vacate(TreeNode *dir, TreeEntry *entry)
{
	entry->node = NULL;
	if (!entry->covers)
		entry_free(dir, entry);
}

/* ---- Nodes ---- */

static const VfsNodeOps tree_ops;

TreeNode *tree_new(TreeFs *fs, const VfsNew *what)
{
	TreeNode *node;
	u64 cost = TREE_NODE_COST + (what->target ? strlen(what->target) : 0);

	if (!vfs_charge(fs->fs.kernel, cost))
		return NULL;
	node = calloc(1, sizeof(*node));
	if (!node) {
		vfs_discharge(fs->fs.kernel, cost);
		return NULL;
	}
	vfs_node_init(&node->node, &tree_ops, &fs->fs, what->mode);
	node->own = true;
	node->mode = what->mode;
	node->user = what->user;
	node->group = what->group;
	node->links = node->node.type == LX_S_IFDIR ? 2 : 1;
	node->inode = fs->next_inode++;
	node->charged = cost;
	node->atime = node->mtime = node->ctime = node->btime = tree_now(node);
	node->has_content = node->node.type == LX_S_IFREG;
	if (what->target && !(node->target = strdup(what->target))) {
		vfs_node_put(&node->node);
		return NULL;
	}
	return node;
}

TreeNode *tree_blank(TreeFs *fs, u32 type)
{
	TreeNode *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	vfs_node_init(&node->node, &tree_ops, &fs->fs, type);
	node->own = true;
	return node;
}

VfsNode *tree_below(VfsNode *base)
{
	return vfs_is_tree(base->fs) && !tree_node(base)->has_content ? tree_node(base)->lower : NULL;
}

/* Stands for what is below; entry: or NULL. Takes the reference of `below` over. */
static TreeNode *tree_weak(TreeNode *dir, TreeEntry *entry, VfsNode *below)
{
	TreeNode *node = calloc(1, sizeof(*node));

	if (!node) {
		vfs_node_put(below);
		return NULL;
	}
	vfs_node_init(&node->node, &tree_ops, dir->node.fs, below->type);
	node->lower = below;
	node->folder = dir;
	vfs_node_get(&dir->node);
	node->entry = entry;
	if (entry)
		entry->node = node;
	return node;
}

TreeNode *tree_weak_load(TreeNode *folder, const char *name, VfsNode *lower)
{
	TreeEntry *entry = name ? tree_find(folder, name) : NULL;
	TreeNode *node;

	if (name && !entry && !(entry = entry_add(folder, name, true)))
		return NULL;
	if (entry && entry->node) /* only if the tape is none of ours */
		return NULL;
	node = tree_weak(folder, entry, vfs_node_get(lower));
	if (!node && entry)
		entry_free(folder, entry);
	return node;
}

static i64 tree_lookup(VfsNode *base, const char *name, Task *task, VfsNode **out)
{
	TreeNode *dir = tree_node(base), *node;
	TreeEntry *entry = tree_find(dir, name);
	VfsNode *below;
	i64 error;

	*out = NULL;
	if (entry && entry->node && entry->node->own) {
		*out = vfs_node_get(&entry->node->node);
		return 0;
	}
	if (dir->removed || !dir->lower || (entry && !entry->node))
		return -ENOENT;
	/* Folders that are held are believed to be there, and looked after only now and then: a path of five names is five
	 * calls of the host otherwise. */
	if (entry && tree_is_folder(entry->node) && ++entry->node->believed % TREE_BELIEVED) {
		*out = vfs_node_get(&entry->node->node);
		return 0;
	}
	/* What is below may have been changed by others. */
	error = dir->lower->ops->lookup(dir->lower, name, task, &below);
	if (!error && entry && entry->node->lower == below) {
		vfs_node_put(below);
		*out = vfs_node_get(&entry->node->node);
		return 0;
	}
	if (entry) {
		entry->node->entry = NULL;
		entry->node = NULL;
	}
	if (error) {
		if (entry)
			entry_free(dir, entry);
		return error;
	}
	if (!entry && !(entry = entry_add(dir, name, true))) {
		vfs_node_put(below);
		return -ENOMEM;
	}
	node = tree_weak(dir, entry, below);
	if (!node) {
		entry_free(dir, entry);
		return -ENOMEM;
	}
	*out = &node->node;
	return 0;
}

static i64 own_one(TreeNode *node)
{
	TreeNode *folder = node->folder;
	FileStat stat;
	i64 error;

	if (!node->entry)
		return -ESTALE;
	error = node->lower->ops->stat(node->lower, &stat);
	if (error)
		return error;
	node->mode = stat.mode;
	node->links = tree_is_folder(node) ? stat.links : 1;
	node->user = stat.user;
	node->group = stat.group;
	node->inode = stat.inode;
	node->atime = stat.atime;
	node->mtime = stat.mtime;
	node->ctime = stat.ctime;
	node->btime = stat.mtime;
	node->own = true;
	vfs_node_get(&node->node); /* the entry's */
	node->entry = NULL;
	node->folder = NULL;
	vfs_node_put(&folder->node);
	return 0;
}

i64 tree_own(TreeNode *node)
{
	while (!node->own) {
		TreeNode *top = node;
		i64 error;

		while (!top->folder->own)
			top = top->folder;
		error = own_one(top);
		if (error)
			return error;
	}
	return 0;
}

static void folder_free(TreeNode *dir)
{
	TreeFs *fs = tree_fs(dir);

	for (u32 i = 0; i < dir->dir.bucket_count; i++) {
		for (TreeEntry *entry = dir->dir.buckets[i], *next; entry; entry = next) {
			TreeNode *node = entry->node;

			next = entry->next;
			free(entry);
			if (!node)
				continue;
			if (!tree_is_folder(node)) {
				vfs_node_put(&node->node);
			} else {
				node->doomed = fs->doomed;
				fs->doomed = node;
			}
		}
	}
	free(dir->dir.buckets);
	free(dir->dir.order);
	tree_listing_free(&dir->dir.below);
}

static VfsNode *tree_destroy(VfsNode *base)
{
	TreeNode *node = tree_node(base), *folder = node->folder;
	TreeFs *fs = tree_fs(node);
	Kernel *kernel = tree_kernel(node);

	if (!node->own && node->entry)
		entry_free(folder, node->entry);
	if (node->holds_lower)
		node->lower->ops->letgo(node->lower, false);
	vfs_node_put(node->lower);
	if (tree_is_folder(node))
		folder_free(node);
	else if (base->type == LX_S_IFREG)
		content_fini(kernel, &node->content);
	else if (base->type == LX_S_IFLNK)
		free(node->target);
	else if (base->type == LX_S_IFIFO && node->fifo)
		fifo_free(node->fifo);
	vfs_discharge(kernel, node->charged);
	if (fs->root == node)
		fs->root = NULL;
	free(node);
	if (!fs->draining) {
		fs->draining = true;
		while (fs->doomed) {
			TreeNode *next = fs->doomed;

			fs->doomed = next->doomed;
			vfs_node_put(&next->node);
		}
		fs->draining = false;
	}
	return folder ? &folder->node : NULL;
}

/* ---- Attributes ---- */

static i64 tree_stat(VfsNode *base, FileStat *out)
{
	TreeNode *node = tree_node(base);
	FileStat below = {0};
	i64 error = 0;

	if (node->lower && (!node->own || (base->type == LX_S_IFREG && !node->has_content) || base->type == LX_S_IFLNK))
		error = node->lower->ops->stat(node->lower, &below);
	if (error)
		return error;
	if (!node->own) {
		*out = below;
		out->device = base->fs->device;
		return 0;
	}
	*out = (FileStat){
		.device = base->fs->device,
		.inode = node->inode,
		.mode = node->mode,
		.links = node->links,
		.user = node->user,
		.group = node->group,
		.size = below.size,
		.blocks = below.blocks,
		.atime = node->atime,
		.mtime = node->mtime,
		.ctime = node->ctime,
		.btime = node->btime,
	};
	if (node->has_content) {
		out->size = node->content.size;
		out->blocks = node->content.pages * (CONTENT_PAGE / 512);
	} else if (base->type == LX_S_IFLNK && node->target) {
		out->size = strlen(node->target);
	} else if (tree_is_folder(node)) {
		out->size = 4096;
		out->blocks = 8;
	}
	return 0;
}

static i64 tree_change(VfsNode *base, const VfsChange *change)
{
	TreeNode *node = tree_node(base);
	i64 error = tree_own(node);

	if (error)
		return error;
	if (change->what & CHANGE_MODE)
		node->mode = base->type | (change->mode & 07777);
	if (change->what & CHANGE_USER)
		node->user = change->user;
	if (change->what & CHANGE_GROUP)
		node->group = change->group;
	if (change->what & CHANGE_ATIME)
		node->atime = change->atime;
	if (change->what & CHANGE_MTIME)
		node->mtime = change->mtime;
	node->ctime = tree_now(node);
	return 0;
}

static i64 tree_read_link(VfsNode *base, Task *task, Buf *out)
{
	TreeNode *node = tree_node(base);

	if (!node->target)
		return node->lower->ops->read_link(node->lower, task, out);
	buf_str(out, node->target);
	return 0;
}

static i64 tree_open(VfsNode *base, VfsPlace *place, Task *task, u32 flags, File **out)
{
	(void)place;
	if (base->type != LX_S_IFIFO || !task)
		return -ENOSYS;
	return fifo_open(task, &tree_node(base)->fifo, flags, out);
}

static const VfsNodeOps tree_ops = {
	.lookup = tree_lookup,
	.create = tree_create,
	.nameless = tree_nameless,
	.link = tree_link,
	.remove = tree_remove,
	.rename = tree_rename,
	.list = tree_list,
	.stat = tree_stat,
	.change = tree_change,
	.read_link = tree_read_link,
	.open = tree_open,
	.acquire = tree_acquire,
	.letgo = tree_letgo,
	.read = tree_read,
	.write = tree_write,
	.resize = tree_resize,
	.allocate = tree_allocate,
	.next_data = tree_next_data,
	.destroy = tree_destroy,
};

/* ---- The file system ---- */

static i64 tree_space(VfsFs *fs, u64 *total, u64 *available)
{
	*total = fs->kernel->limits.storage;
	*available = fs->kernel->storage < *total ? *total - fs->kernel->storage : 0;
	return 0;
}

static i64 tree_sync(VfsFs *fs)
{
	return changes_save((TreeFs *)fs);
}

static void tree_fs_destroy(VfsFs *fs)
{
	changes_free((TreeFs *)fs);
	free(fs);
}

static const VfsFsOps tmpfs_ops = {"tmpfs", 0x01021994, tree_space, tree_sync, tree_fs_destroy};
static const VfsFsOps overlay_ops = {"overlay", 0x794C7630, tree_space, tree_sync, tree_fs_destroy};

bool vfs_is_tree(const VfsFs *fs)
{
	return fs->ops == &tmpfs_ops || fs->ops == &overlay_ops;
}

TreeFs *tree_fs_blank(Kernel *kernel, const char *type)
{
	TreeFs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	fs->fs = (VfsFs){.ops = strcmp(type, "overlay") ? &tmpfs_ops : &overlay_ops, .kernel = kernel,
			 .device = kernel->vfs->next_device++, .refs = 1};
	fs->next_inode = 1;
	return fs;
}

void vfs_tree_given(VfsNode *node)
{
	tree_node(node)->given = true;
}

bool vfs_tree_lend(VfsNode *base, const GuestFile *given)
{
	TreeNode *node = tree_node(base);

	return node->has_content && !node->content.size && content_lend(tree_kernel(node), &node->content, given);
}

i64 vfs_tree_create(Kernel *kernel, const char *type, VfsNode *lower, u32 mode, VfsNode **root)
{
	TreeFs *fs = tree_fs_blank(kernel, type);
	VfsNew what = {.mode = LX_S_IFDIR | mode};
	TreeNode *node;
	FileStat stat;

	*root = NULL;
	if (!fs)
		return -ENOMEM;
	node = tree_new(fs, &what);
	if (node && lower) {
		node->lower = vfs_node_get(lower);
		if (!lower->ops->stat(lower, &stat)) {
			node->mode = LX_S_IFDIR | (stat.mode & 07777);
			node->links = stat.links;
			node->user = stat.user;
			node->group = stat.group;
			node->mtime = stat.mtime;
		}
	}
	fs->root = node;
	vfs_fs_put(&fs->fs);
	if (!node)
		return -ENOSPC;
	*root = &node->node;
	return 0;
}
