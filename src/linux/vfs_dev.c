/* SPDX-License-Identifier: MIT
 *
 * /dev: devices that need nothing of the host, and links.
 *
 * Random bytes are the kernel's (as the machine's seed decides). tty and console lead to the terminal of the process:
 * its standard input, output or errors, whichever is a terminal.
 */
#include <stdlib.h>

#include "linux/husk_dev.h"
#include "linux/process.h"
#include "linux/rights.h"
#include "linux/save.h"
#include "linux/tty.h"
#include "linux/vfs_private.h"

typedef enum DevKind { DEV_NULL, DEV_ZERO, DEV_FULL, DEV_RANDOM, DEV_TTY, DEV_LINK, DEV_FOLDER, DEV_HUSK } DevKind;

typedef struct DevEntry {
	const char *name;
	DevKind kind;
	u32 mode;
	u32 major, minor;
	const char *target;
} DevEntry;

static const DevEntry entries[] = {
	{"null", DEV_NULL, LX_S_IFCHR | 0666, 1, 3, NULL},
	{"zero", DEV_ZERO, LX_S_IFCHR | 0666, 1, 5, NULL},
	{"full", DEV_FULL, LX_S_IFCHR | 0666, 1, 7, NULL},
	{"random", DEV_RANDOM, LX_S_IFCHR | 0666, 1, 8, NULL},
	{"urandom", DEV_RANDOM, LX_S_IFCHR | 0666, 1, 9, NULL},
	{"tty", DEV_TTY, LX_S_IFCHR | 0666, 5, 0, NULL},
	{"console", DEV_TTY, LX_S_IFCHR | 0600, 5, 1, NULL},
	{"stdin", DEV_LINK, LX_S_IFLNK | 0777, 0, 0, "/proc/self/fd/0"},
	{"stdout", DEV_LINK, LX_S_IFLNK | 0777, 0, 0, "/proc/self/fd/1"},
	{"stderr", DEV_LINK, LX_S_IFLNK | 0777, 0, 0, "/proc/self/fd/2"},
	{"fd", DEV_LINK, LX_S_IFLNK | 0777, 0, 0, "/proc/self/fd"},
	{"ptmx", DEV_LINK, LX_S_IFLNK | 0777, 0, 0, "pts/ptmx"},
	{"shm", DEV_FOLDER, LX_S_IFDIR | 01777, 0, 0, NULL},
	{"pts", DEV_FOLDER, LX_S_IFDIR | 0755, 0, 0, NULL},
	{"husk", DEV_FOLDER, LX_S_IFDIR | 0755, 0, 0, NULL},
	{"husk/mailbox", DEV_HUSK, LX_S_IFCHR | 0666, 10, HUSK_MAILBOX, NULL},
	{"husk/spawn", DEV_HUSK, LX_S_IFCHR | 0666, 10, HUSK_SPAWN, NULL},
	{"husk/kv", DEV_HUSK, LX_S_IFCHR | 0666, 10, HUSK_KV, NULL},
};

enum { DEV_COUNT = COUNT_OF(entries) };

typedef struct DevNode {
	VfsNode node;
	const DevEntry *entry; /* NULL: the folder itself */
} DevNode;

typedef struct DevFs {
	VfsFs fs;
	DevNode *nodes[DEV_COUNT]; /* borrowed: those that somebody holds */
} DevFs;

static const VfsNodeOps dev_ops;

static DevNode *dev_node(VfsNode *node)
{
	return (DevNode *)node;
}

static DevNode *dev_new(DevFs *fs, const DevEntry *entry)
{
	DevNode *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	vfs_node_init(&node->node, &dev_ops, &fs->fs, entry ? entry->mode : LX_S_IFDIR);
	node->entry = entry;
	return node;
}

/* The part behind the folder that it is in. */
static const char *own_name(const DevEntry *entry)
{
	const char *slash = strchr(entry->name, '/');

	return slash ? slash + 1 : entry->name;
}

/* folder: NULL is the root. */
static bool is_in(const DevEntry *entry, const DevEntry *folder)
{
	const char *slash = strchr(entry->name, '/');
	size_t len = folder ? strlen(folder->name) : 0;

	if (!folder || !slash)
		return !folder && !slash;
	return folder->kind == DEV_FOLDER && (size_t)(slash - entry->name) == len && !memcmp(folder->name, entry->name, len);
}

static i64 dev_lookup(VfsNode *base, const char *name, Task *task, VfsNode **out)
{
	DevFs *fs = (DevFs *)base->fs;

	(void)task;
	*out = NULL;
	for (u32 i = 0; i < DEV_COUNT; i++) {
		if (!is_in(&entries[i], dev_node(base)->entry) || strcmp(own_name(&entries[i]), name))
			continue;
		if (fs->nodes[i])
			vfs_node_get(&fs->nodes[i]->node);
		else
			fs->nodes[i] = dev_new(fs, &entries[i]);
		*out = fs->nodes[i] ? &fs->nodes[i]->node : NULL;
		return *out ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

static i64 dev_list(VfsNode *base, Task *task, u64 *cookie, VfsList *out)
{
	(void)task;
	if (!vfs_list_dots(out, cookie))
		return 0;
	for (; *cookie - 2 < DEV_COUNT; ++*cookie) {
		const DevEntry *entry = &entries[*cookie - 2];

		if (!is_in(entry, dev_node(base)->entry))
			continue;
		if (!vfs_list_add(out, own_name(entry), strlen(own_name(entry)), *cookie, entry->mode, *cookie + 1))
			break;
	}
	return 0;
}

static i64 dev_stat(VfsNode *base, FileStat *out)
{
	const DevEntry *entry = dev_node(base)->entry;
	u64 made = base->fs->made;

	*out = (FileStat){.device = base->fs->device, .inode = 1, .mode = LX_S_IFDIR | 0755, .links = 3, .size = 4096,
			  .atime = made, .mtime = made, .ctime = made, .btime = made};
	if (entry) {
		out->inode = (u64)(entry - entries) + 2;
		out->mode = entry->mode;
		out->links = entry->kind == DEV_FOLDER ? 2 : 1;
		out->special = (u64)entry->major << 8 | entry->minor;
		out->size = entry->target ? strlen(entry->target) : 0;
	}
	return 0;
}

static i64 dev_read_link(VfsNode *base, Task *task, Buf *out)
{
	const DevEntry *entry = dev_node(base)->entry;

	(void)task;
	if (!entry || !entry->target)
		return -EINVAL;
	buf_str(out, entry->target);
	return 0;
}

/* ---- Open devices ---- */

static i64 null_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	(void)file, (void)task, (void)to, (void)len, (void)offset;
	return 0;
}

static i64 null_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	(void)file, (void)task, (void)from, (void)offset;
	return (i64)len;
}

static i64 zero_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	(void)file, (void)task, (void)offset;
	memset(to, 0, len);
	return (i64)len;
}

static i64 full_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	(void)file, (void)task, (void)from, (void)len, (void)offset;
	return -ENOSPC;
}

static i64 random_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	(void)task, (void)offset;
	if (!kernel_may(file->kernel, RIGHT_RANDOM))
		return -EPERM;
	kernel_random(file->kernel, to, len);
	return (i64)len;
}

static i64 dev_seek(File *file, i64 offset, int whence)
{
	(void)file, (void)offset;
	return whence < 0 || whence > 2 ? -EINVAL : 0;
}

static i64 dev_file_stat(File *file, FileStat *out)
{
	return file->place->node->ops->stat(file->place->node, out);
}

static void dev_release(File *file)
{
	(void)file;
}

static const FileOps device_ops[] = {
	[DEV_NULL] = {.kind = "null", .read = null_read, .write = null_write, .seek = dev_seek, .stat = dev_file_stat,
		      .release = dev_release},
	[DEV_ZERO] = {.kind = "zero", .read = zero_read, .write = null_write, .seek = dev_seek, .stat = dev_file_stat,
		      .release = dev_release},
	[DEV_FULL] = {.kind = "full", .read = zero_read, .write = full_write, .seek = dev_seek, .stat = dev_file_stat,
		      .release = dev_release},
	[DEV_RANDOM] = {.kind = "random", .read = random_read, .write = null_write, .seek = dev_seek,
			.stat = dev_file_stat, .release = dev_release},
};

static i64 dev_open(VfsNode *base, VfsPlace *place, Task *task, u32 flags, File **out)
{
	const DevEntry *entry = dev_node(base)->entry;

	if (!entry || entry->kind == DEV_FOLDER)
		return -ENOSYS;
	if (entry->kind == DEV_LINK)
		return -ELOOP;
	if (entry->kind == DEV_TTY)
		return task ? tty_open(task, flags, out) : -ENXIO;
	if (entry->kind == DEV_HUSK) {
		i64 error = husk_dev_open(base->fs->kernel, (HuskDevice)entry->minor, flags, out);

		if (!error)
			(*out)->place = vfs_place_get(place);
		return error;
	}
	if (entry->kind == DEV_RANDOM && !kernel_may(base->fs->kernel, RIGHT_RANDOM))
		return -EPERM;
	*out = file_create(base->fs->kernel, &device_ops[entry->kind], flags, NULL);
	if (!*out)
		return -ENFILE;
	(*out)->place = vfs_place_get(place);
	return 0;
}

static VfsNode *dev_destroy(VfsNode *base)
{
	DevNode *node = dev_node(base);

	if (node->entry)
		((DevFs *)base->fs)->nodes[node->entry - entries] = NULL;
	free(node);
	return NULL;
}

static i64 dev_change(VfsNode *base, const VfsChange *change)
{
	(void)base;
	return change->what & (CHANGE_MODE | CHANGE_USER | CHANGE_GROUP) ? -EPERM : 0;
}

static const VfsNodeOps dev_ops = {
	.lookup = dev_lookup,
	.list = dev_list,
	.stat = dev_stat,
	.change = dev_change,
	.read_link = dev_read_link,
	.open = dev_open,
	.destroy = dev_destroy,
};

static void dev_fs_destroy(VfsFs *fs)
{
	free(fs);
}

static const VfsFsOps dev_fs_ops = {"devtmpfs", 0x01021994, NULL, NULL, dev_fs_destroy};

i64 vfs_dev_create(Kernel *kernel, VfsNode **root)
{
	DevFs *fs = calloc(1, sizeof(*fs));
	DevNode *node;

	*root = NULL;
	if (!fs)
		return -ENOMEM;
	fs->fs = (VfsFs){.ops = &dev_fs_ops, .kernel = kernel, .device = kernel->vfs->next_device++, .refs = 1};
	fs->fs.made = kernel_real_time(kernel);
	node = dev_new(fs, NULL);
	vfs_fs_put(&fs->fs);
	if (!node)
		return -ENOMEM;
	*root = &node->node;
	return 0;
}

const FileCodec null_codec = { .ops = &device_ops[DEV_NULL], .has_place = true, .shares = TAPE_KINDS };
const FileCodec zero_codec = { .ops = &device_ops[DEV_ZERO], .has_place = true, .shares = TAPE_KINDS };
const FileCodec full_codec = { .ops = &device_ops[DEV_FULL], .has_place = true, .shares = TAPE_KINDS };
const FileCodec random_codec = { .ops = &device_ops[DEV_RANDOM], .has_place = true, .shares = TAPE_KINDS };
