/* SPDX-License-Identifier: MIT
 *
 * A folder of the host in the guest's tree.
 *
 * The host is asked for one name at a time, in a folder that is open already (openat, fstatat ... with the descriptor of
 * the parent), with O_NOFOLLOW: names hold no '/' and are never "..", so nothing that anybody does with links or by
 * exchanging folders meanwhile can lead elsewhere. A folder is opened from its parent and must be the one (device and
 * inode) that was seen there; otherwise it is gone (ENOENT).
 *
 * A node is what the host calls an inode; it remembers under which name it was last seen. Descriptors: at most
 * HOST_OPEN_DIRS for folders, the oldest is closed when another is needed, and one or two for each file that the
 * program has open, however often. Only regular files are opened: devices, sockets and fifos of the host are shown, and
 * refused (ENXIO).
 *
 * The guest sees inode numbers made from the host's, the same in each run. Owners: as the host has them (root), or, of
 * mounts, the guest's user for what belongs to the user that runs this, else 65534. Set-user-id bits are never set.
 */
#define _GNU_SOURCE /* O_PATH, renameat2 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "linux/rights.h"
#include "linux/vfs_host.h"
#include "machine/outside.h"

bool host_same(const HostNode *node, const struct stat *stat)
{
	return node->device == stat->st_dev && node->inode == stat->st_ino && node->node.type == (stat->st_mode & S_IFMT);
}

/* A bijection of 48 bits, the host's device in the bits above: equal numbers mean equal files. */
u64 host_inode(HostFs *fs, u64 device, u64 inode)
{
	u64 mask = ((u64)1 << 48) - 1, mixed = inode & mask, top = inode >> 48;
	u32 index = 0;

	while (index < fs->device_count && fs->devices[index] != device)
		index++;
	if (index == fs->device_count && index < HOST_DEVICES)
		fs->devices[fs->device_count++] = device;
	for (int i = 0; i < 2; i++) {
		mixed = mixed * 0x9E3779B97F4B & mask;
		mixed ^= mixed >> 25;
	}
	return ((u64)index + 1 + top) << 48 | mixed;
}

/* ---- Folders' descriptors ---- */

static void dir_close(HostFs *fs, HostNode *dir)
{
	if (dir->dir_fd < 0)
		return;
	close(dir->dir_fd);
	dir->dir_fd = -1;
	fs->open_dirs[dir->dir_slot] = NULL;
}

static void dir_keep(HostFs *fs, HostNode *dir, int fd)
{
	u32 slot = fs->open_at++ % HOST_OPEN_DIRS;

	if (fs->open_dirs[slot])
		dir_close(fs, fs->open_dirs[slot]);
	fs->open_dirs[slot] = dir;
	dir->dir_slot = slot;
	dir->dir_fd = fd;
}

static int host_error(void)
{
	return errno == EMFILE ? -ENFILE : errno ? -errno : -EIO;
}

bool host_may(HostNode *node)
{
	return kernel_may(host_fs(node)->fs.kernel, RIGHT_FILES);
}

static int open_dir(HostNode *dir)
{
	HostFs *fs = host_fs(dir);
	HostNode **chain = NULL, *at;
	u32 depth = 0;
	int fd, error = 0;

	if (!dir->parent)
		return fs->top_fd;
	if (dir->dir_fd >= 0)
		return dir->dir_fd;
	/* From the nearest folder above that is open, downwards. */
	for (at = dir; at->parent && at->dir_fd < 0; at = at->parent)
		depth++;
	fd = at->parent ? at->dir_fd : fs->top_fd;
	chain = malloc(depth * sizeof(*chain));
	if (!chain)
		return -ENOMEM;
	at = dir;
	for (u32 i = depth; i-- > 0; at = at->parent)
		chain[i] = at;
	for (u32 i = 0; i < depth && !error; i++) {
		struct stat stat;
		int next = openat(fd, chain[i]->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (next < 0)
			error = host_error();
		else if (fstat(next, &stat) || !host_same(chain[i], &stat))
			error = -ENOENT;
		if (i > 0)
			close(fd);
		if (error && next >= 0)
			close(next);
		fd = next;
	}
	free(chain);
	if (error)
		return error == -ENOTDIR || error == -ELOOP ? -ENOENT : error;
	dir_keep(fs, dir, fd);
	return fd;
}

int host_dir(HostNode *dir)
{
	return host_may(dir) ? open_dir(dir) : -EACCES;
}

int host_at(HostNode *node, const char **name)
{
	*name = node->name;
	if (!host_may(node))
		return -EACCES;
	return node->parent ? host_dir(node->parent) : host_fs(node)->top_fd;
}

/* ---- Nodes ---- */

static HostNode **host_bucket(HostFs *fs, u64 device, u64 inode)
{
	return &fs->buckets[((inode ^ device << 7) * 0x9E3779B97F4A7C15u >> 40) & (fs->bucket_count - 1)];
}

static void nodes_grow(HostFs *fs)
{
	u32 count = fs->bucket_count * 2, old_count = fs->bucket_count;
	HostNode **old = fs->buckets, **buckets;

	if (fs->count < old_count || count > 1u << 20 || !(buckets = calloc(count, sizeof(*buckets))))
		return;
	fs->buckets = buckets;
	fs->bucket_count = count;
	for (u32 i = 0; i < old_count; i++) {
		for (HostNode *node = old[i], *next; node; node = next) {
			HostNode **bucket = host_bucket(fs, node->device, node->inode);

			next = node->next;
			node->next = *bucket;
			*bucket = node;
		}
	}
	free(old);
}

static VfsNode *host_destroy(VfsNode *base)
{
	HostNode *node = host_node(base), *parent = node->parent;
	HostFs *fs = host_fs(node);
	HostNode **at = host_bucket(fs, node->device, node->inode);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	fs->count--;
	dir_close(fs, node);
	open_file_put(node->read);
	open_file_put(node->write);
	free(node->name);
	free(node);
	return parent ? &parent->node : NULL;
}

/* It was seen under this name. A folder never becomes its own ancestor, whatever others move about meanwhile. */
static i64 host_seen(HostNode *node, HostNode *dir, const char *name)
{
	char *copy;

	if (node->parent == dir && node->name && !strcmp(node->name, name))
		return 0;
	if (node->node.type == LX_S_IFDIR) {
		for (HostNode *at = dir; at; at = at->parent) {
			if (at == node)
				return -ENOENT;
		}
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	free(node->name);
	node->name = copy;
	vfs_node_get(&dir->node);
	if (node->parent)
		vfs_node_put(&node->parent->node);
	node->parent = dir;
	return 0;
}

static const VfsNodeOps host_ops;

static HostNode *host_new(HostFs *fs, u64 device, u64 inode, u32 mode)
{
	HostNode *node = calloc(1, sizeof(*node)), **bucket;

	if (!node)
		return NULL;
	vfs_node_init(&node->node, &host_ops, &fs->fs, mode);
	node->device = device;
	node->inode = inode;
	node->dir_fd = -1;
	nodes_grow(fs);
	bucket = host_bucket(fs, node->device, node->inode);
	node->next = *bucket;
	*bucket = node;
	fs->count++;
	return node;
}

static i64 host_find(HostNode *dir, int fd, const char *name, VfsNode **out)
{
	HostFs *fs = host_fs(dir);
	struct stat stat;
	HostNode *node;
	i64 error;

	*out = NULL;
	if (fstatat(fd, name, &stat, AT_SYMLINK_NOFOLLOW))
		return host_error();
	node = *host_bucket(fs, stat.st_dev, stat.st_ino);
	while (node && !host_same(node, &stat))
		node = node->next;
	if (node)
		vfs_node_get(&node->node);
	else
		node = host_new(fs, stat.st_dev, stat.st_ino, stat.st_mode);
	if (!node)
		return -ENOMEM;
	error = host_seen(node, dir, name);
	if (error)
		vfs_node_put(&node->node);
	else
		*out = &node->node;
	return error;
}

HostNode *host_load(HostFs *fs, HostNode *parent, const char *name, u64 device, u64 inode, u32 type)
{
	HostNode *node = *host_bucket(fs, device, inode);

	while (node && !(node->device == device && node->inode == inode && node->node.type == type))
		node = node->next;
	if (node)
		vfs_node_get(&node->node);
	else if (parent)
		node = host_new(fs, device, inode, type);
	if (!node || !parent || !host_seen(node, parent, name))
		return node;
	vfs_node_put(&node->node);
	return NULL;
}

static i64 host_lookup(VfsNode *base, const char *name, Task *task, VfsNode **out)
{
	HostNode *dir = host_node(base);
	int fd = host_dir(dir);

	(void)task;
	*out = NULL;
	return fd < 0 ? fd : host_find(dir, fd, name, out);
}

/* ---- Names ---- */

/* What a new name takes: how many bytes of the budget; 0: there is no room. */
static u64 take_name(HostNode *dir)
{
	return machine_disk_take(host_machine(dir), DISK_NAME, 0);
}

/* The name did not come to be: after the error, what was taken goes back. */
static i64 no_name(HostNode *dir, i64 error)
{
	machine_disk_give(host_machine(dir), DISK_NAME);
	return error;
}

static i64 make_node(int fd, const char *name, const VfsNew *what)
{
	u32 mode = what->mode & 01777;
	int made = -1;

	switch (what->mode & LX_S_IFMT) {
	case LX_S_IFREG:
		made = openat(fd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, mode);
		if (made < 0)
			return host_error();
		break;
	case LX_S_IFDIR:
		if (mkdirat(fd, name, mode))
			return host_error();
		made = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		break;
	case LX_S_IFLNK:
		if (symlinkat(what->target, fd, name))
			return host_error();
		break;
	default:
		return -EPERM; /* the host gets no devices, sockets or fifos */
	}
	/* The umask of the host's process has no say. */
	if (made >= 0) {
		if (fchmod(made, mode))
			errno = 0;
		close(made);
	}
	return 0;
}

static i64 host_create(VfsNode *base, const char *name, const VfsNew *what, VfsNode **out)
{
	HostNode *dir = host_node(base);
	int fd = host_dir(dir);
	i64 error;

	*out = NULL;
	if (fd < 0)
		return fd;
	if (!take_name(dir))
		return -ENOSPC;
	error = make_node(fd, name, what);
	return error ? no_name(dir, error) : host_find(dir, fd, name, out);
}

static i64 host_link(VfsNode *base, const char *name, VfsNode *node)
{
	const char *old;
	int from = host_at(host_node(node), &old), to;

	if (from < 0)
		return from;
	to = host_dir(host_node(base));
	if (to < 0)
		return to;
	if (!take_name(host_node(base)))
		return -ENOSPC;
	return linkat(from, old, to, name, 0) ? no_name(host_node(base), host_error()) : 0;
}

static i64 host_remove(VfsNode *base, const char *name, VfsNode *node)
{
	int fd = host_dir(host_node(base));

	if (fd < 0)
		return fd;
	if (unlinkat(fd, name, node->type == LX_S_IFDIR ? AT_REMOVEDIR : 0))
		return errno == EEXIST ? -ENOTEMPTY : host_error();
	return 0;
}

static i64 host_rename(VfsNode *base, const char *name, VfsNode *node, VfsNode *to_base, const char *to_name,
		       VfsNode *target, bool exchange)
{
	HostNode *dir = host_node(base), *to_dir = host_node(to_base);
	int from = host_dir(dir), to;

	if (from < 0)
		return from;
	to = host_dir(to_dir);
	if (to < 0)
		return to;
	/* A folder does not become smaller when what it holds moves on. */
	if (!target && !take_name(to_dir))
		return -ENOSPC;
	if (renameat2(from, name, to, to_name, exchange ? RENAME_EXCHANGE : 0))
		return target ? host_error() : no_name(to_dir, host_error());
	/* Failing is harmless: it will be found anew. */
	host_seen(host_node(node), to_dir, to_name);
	if (exchange && target)
		host_seen(host_node(target), dir, name);
	return 0;
}

static const VfsNodeOps host_ops = {
	.lookup = host_lookup,
	.create = host_create,
	.link = host_link,
	.remove = host_remove,
	.rename = host_rename,
	.list = host_list,
	.stat = host_stat,
	.change = host_change,
	.read_link = host_read_link,
	.acquire = host_acquire,
	.letgo = host_letgo,
	.read = host_read,
	.write = host_write,
	.resize = host_resize,
	.allocate = host_allocate,
	.sync = host_sync,
	.next_data = host_next_data,
	.destroy = host_destroy,
};

bool vfs_is_host(const VfsNode *node)
{
	return node->ops == &host_ops;
}

bool vfs_host_is_written(const VfsNode *node)
{
	return vfs_is_host(node) && ((const HostNode *)node)->writers;
}

bool vfs_host_path(VfsNode *base, Buf *out)
{
	HostNode *node = host_node(base);
	size_t len = 0, end;

	if (!vfs_is_host(base))
		return false;
	for (HostNode *at = node; at->parent; at = at->parent)
		len += strlen(at->name) + 1;
	end = out->len + len;
	buf_fill(out, '/', len);
	if (out->failed)
		return false;
	for (HostNode *at = node; at->parent; at = at->parent) {
		size_t part = strlen(at->name);

		memcpy(out->data + end - part, at->name, part);
		end -= part + 1;
	}
	return true;
}

/* ---- The file system ---- */

static i64 host_space(VfsFs *base, u64 *total, u64 *available)
{
	struct statvfs space;

	if (fstatvfs(((HostFs *)base)->top_fd, &space))
		return host_error();
	*total = (u64)space.f_blocks * space.f_frsize;
	*available = base->read_only ? 0 : (u64)space.f_bavail * space.f_frsize;
	return 0;
}

static void host_fs_destroy(VfsFs *base)
{
	HostFs *fs = (HostFs *)base;

	if (fs->top_fd >= 0)
		close(fs->top_fd);
	free(fs->buckets);
	free(fs);
}

static const VfsFsOps host_fs_ops = {
	.type = "husk",
	.magic = 0x01021997, /* as 9p: a folder of another machine */
	.space = host_space,
	.destroy = host_fs_destroy,
};

static i64 host_open_top(HostFs *fs, char *path, struct stat *stat, const char **name)
{
	char *slash = strrchr(path, '/');

	*name = ".";
	fs->top_fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fs->top_fd >= 0)
		return fstat(fs->top_fd, stat) ? host_error() : 0;
	if (errno != ENOTDIR)
		return host_error();
	/* A lone file is asked for in the folder that holds it. */
	fs->lone = true;
	*slash = 0;
	fs->top_fd = open(slash == path ? "/" : path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*name = slash + 1;
	if (fs->top_fd < 0 || fstatat(fs->top_fd, *name, stat, AT_SYMLINK_NOFOLLOW))
		return host_error();
	return S_ISREG(stat->st_mode) ? 0 : -ENXIO;
}

/* An empty one, without a folder. */
static HostFs *host_fs_new(Kernel *kernel, bool own_numbers)
{
	HostFs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	fs->fs = (VfsFs){.ops = &host_fs_ops, .kernel = kernel, .refs = 1};
	fs->own_numbers = own_numbers;
	fs->bucket_count = 64;
	fs->top_fd = -1;
	fs->buckets = calloc(fs->bucket_count, sizeof(*fs->buckets));
	if (fs->buckets)
		return fs;
	free(fs);
	return NULL;
}

/* Its root, when it is open. */
static i64 host_root(HostFs *fs, const struct stat *stat, const char *name, VfsNode **root)
{
	HostNode *node = host_new(fs, stat->st_dev, stat->st_ino, stat->st_mode);

	if (!node)
		return -ENOMEM;
	node->name = strdup(name);
	if (!node->name) {
		vfs_node_put(&node->node);
		return -ENOMEM;
	}
	*root = &node->node;
	return 0;
}

i64 vfs_host_create(Kernel *kernel, const char *path, bool own_numbers, VfsNode **root)
{
	HostFs *fs = host_fs_new(kernel, own_numbers);
	char *real = realpath(path, NULL); /* links in what the user names are the user's */
	const char *name = NULL;
	struct stat stat;
	i64 error = 0;

	*root = NULL;
	if (!fs || !real) {
		error = fs ? host_error() : -ENOMEM;
	} else {
		fs->fs.device = kernel->vfs->next_device++;
		error = host_open_top(fs, real, &stat, &name);
		if (!error)
			error = host_root(fs, &stat, name, root);
	}
	free(real);
	if (fs)
		vfs_fs_put(&fs->fs);
	return error;
}

i64 vfs_host_again(Kernel *kernel, int folder, const char *name, bool own_numbers, VfsNode **root)
{
	HostFs *fs = host_fs_new(kernel, own_numbers);
	struct stat stat;
	i64 error;

	*root = NULL;
	if (!fs)
		return -ENOMEM;
	fs->lone = strcmp(name, ".") != 0;
	fs->top_fd = fcntl(folder, F_DUPFD_CLOEXEC, 0);
	error = fs->top_fd < 0 || fstatat(fs->top_fd, name, &stat, AT_SYMLINK_NOFOLLOW) ? host_error() : 0;
	if (!error && (fs->lone ? !S_ISREG(stat.st_mode) : !S_ISDIR(stat.st_mode)))
		error = -ENOENT;
	if (!error)
		error = host_root(fs, &stat, name, root);
	vfs_fs_put(&fs->fs);
	return error;
}
