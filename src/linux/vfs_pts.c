/* SPDX-License-Identifier: MIT
 *
 * /dev/pts: the slaves of the pseudo-terminals there are, by number, and ptmx, which makes new ones (/dev/ptmx leads there).
 */
#include <stdio.h>
#include <stdlib.h>

#include "linux/pty.h"
#include "linux/vfs_private.h"

enum { FOLDER = -1, PTMX = -2, FIRST_COOKIE = 3 };

typedef struct PtsNode {
	VfsNode node;
	i32 number; /* or one of the above */
} PtsNode;

static const VfsNodeOps pts_ops;

static i32 number_of(VfsNode *node)
{
	return ((PtsNode *)node)->number;
}

static i64 new_node(VfsFs *fs, i32 number, VfsNode **out)
{
	PtsNode *node = calloc(1, sizeof(*node));

	if (!node)
		return -ENOMEM;
	vfs_node_init(&node->node, &pts_ops, fs, number == FOLDER ? LX_S_IFDIR : LX_S_IFCHR);
	node->number = number;
	*out = &node->node;
	return 0;
}

static i64 pts_lookup(VfsNode *base, const char *name, Task *task, VfsNode **out)
{
	char *end;
	unsigned long number;

	(void)task;
	*out = NULL;
	if (number_of(base) != FOLDER)
		return -ENOENT;
	if (!strcmp(name, "ptmx"))
		return new_node(base->fs, PTMX, out);
	number = strtoul(name, &end, 10);
	if (name[0] < '0' || name[0] > '9' || *end || (name[0] == '0' && name[1]) || number >= PTY_LIMIT ||
	    !pts_exists(base->fs->kernel, (u32)number))
		return -ENOENT;
	return new_node(base->fs, (i32)number, out);
}

static i64 pts_list(VfsNode *base, Task *task, u64 *cookie, VfsList *out)
{
	(void)task;
	if (!vfs_list_dots(out, cookie) || number_of(base) != FOLDER)
		return 0;
	if (*cookie < FIRST_COOKIE) {
		if (!vfs_list_add(out, "ptmx", 4, 2, LX_S_IFCHR, FIRST_COOKIE))
			return 0;
		*cookie = FIRST_COOKIE;
	}
	for (; *cookie - FIRST_COOKIE < PTY_LIMIT; ++*cookie) {
		u32 number = (u32)(*cookie - FIRST_COOKIE);
		char name[12];

		if (!pts_exists(base->fs->kernel, number))
			continue;
		snprintf(name, sizeof(name), "%u", number);
		if (!vfs_list_add(out, name, strlen(name), 3 + number, LX_S_IFCHR, *cookie + 1))
			break;
	}
	return 0;
}

static i64 pts_node_stat(VfsNode *base, FileStat *out)
{
	i32 number = number_of(base);

	pts_stat(base->fs->kernel, number < 0 ? 0 : (u32)number, out);
	out->device = base->fs->device;
	if (number == PTMX) {
		out->inode = 2;
		out->mode = LX_S_IFCHR | 0666;
		out->special = 5 << 8 | 2;
	} else if (number == FOLDER) {
		out->inode = 1;
		out->mode = LX_S_IFDIR | 0755;
		out->special = 0;
		out->links = 2;
	}
	return 0;
}

static i64 pts_change(VfsNode *base, const VfsChange *change)
{
	(void)base;
	(void)change;
	return 0; /* grantpt: whose it is and who may write to it, in a world with one user */
}

static i64 pts_node_open(VfsNode *base, VfsPlace *place, Task *task, u32 flags, File **out)
{
	i32 number = number_of(base);
	i64 error;

	if (number == FOLDER)
		return -ENOSYS;
	if (!task)
		return -ENXIO;
	error = number == PTMX ? ptmx_open(task, flags, out) : pts_open(task, (u32)number, flags, out);
	if (!error)
		(*out)->place = vfs_place_get(place);
	return error;
}

static VfsNode *pts_destroy(VfsNode *base)
{
	free(base);
	return NULL;
}

static const VfsNodeOps pts_ops = {
	.lookup = pts_lookup,
	.list = pts_list,
	.stat = pts_node_stat,
	.change = pts_change,
	.open = pts_node_open,
	.destroy = pts_destroy,
};

u32 vfs_pts_tell(const VfsNode *node)
{
	return (u32)((const PtsNode *)node)->number;
}

i64 vfs_pts_find(VfsFs *fs, u32 what, VfsNode **out)
{
	i32 number = (i32)what;

	*out = NULL;
	return number == PTMX || (number >= 0 && number < PTY_LIMIT) ? new_node(fs, number, out) : -EINVAL;
}

static void pts_fs_destroy(VfsFs *fs)
{
	free(fs);
}

static const VfsFsOps pts_fs_ops = {"devpts", 0x1cd1, NULL, NULL, pts_fs_destroy};

i64 vfs_pts_create(Kernel *kernel, VfsNode **root)
{
	VfsFs *fs = calloc(1, sizeof(*fs));
	Streams *streams = streams_of(kernel);
	i64 error;

	*root = NULL;
	if (!fs || !streams) {
		free(fs);
		return -ENOMEM;
	}
	*fs = (VfsFs){.ops = &pts_fs_ops, .kernel = kernel, .device = kernel->vfs->next_device++, .refs = 1};
	streams->pts_device = fs->device;
	error = new_node(fs, FOLDER, root);
	vfs_fs_put(fs);
	return error;
}
