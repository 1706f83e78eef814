/* SPDX-License-Identifier: MIT
 *
 * System calls that make, remove and move names, and those that change attributes.
 */
#include <stdlib.h>

#include "linux/process.h"
#include "linux/syscalls.h"
#include "linux/vfs_calls.h"

/* ---- Names ---- */

/* May this process change names in the folder? */
static i64 may_change(Task *task, VfsPlace *dir)
{
	i64 error = dir->gone ? -ENOENT : vfs_writable(dir);

	return error ? error : vfs_permission(task, dir->node, LX_W_OK | LX_X_OK);
}

/* In folders with the sticky bit only owners remove. */
static i64 may_remove(Task *task, VfsPlace *dir, VfsNode *node)
{
	FileStat stat;
	i64 error = may_change(task, dir);

	if (error || !task->process->user)
		return error;
	error = dir->node->ops->stat(dir->node, &stat);
	if (error || !(stat.mode & 01000) || stat.user == task->process->user)
		return error;
	return vfs_is_owner(task, node) ? 0 : -EPERM;
}

/* Makes what is asked for at the walk's last name, which must be free. */
static i64 make_last(VfsWalk *walk, VfsNew *what)
{
	VfsNode *dir = walk->at->node, *node;
	VfsPlace *there;
	i64 error;

	if (walk->dots)
		return -EEXIST;
	error = vfs_place_child(walk->task, walk->vfs, walk->at, walk->name, &there);
	if (!error) {
		vfs_place_put(there);
		return -EEXIST;
	}
	if (error != -ENOENT)
		return error;
	if (walk->slash && (what->mode & LX_S_IFMT) != LX_S_IFDIR)
		return -ENOENT;
	error = may_change(walk->task, walk->at);
	if (error)
		return error;
	what->user = walk->task->process->user;
	what->group = walk->task->process->group;
	if (!dir->ops->create)
		return -EPERM;
	error = dir->ops->create(dir, walk->name, what, &node);
	if (!error)
		vfs_node_put(node);
	return error;
}

static i64 make_at(Task *task, i32 dirfd, const char *path, VfsNew *what)
{
	VfsWalk walk;
	i64 error = vfs_walk_begin(&walk, task, dirfd, path, 0);

	if (!error)
		error = make_last(&walk, what);
	vfs_walk_end(&walk);
	return error;
}

i64 sys_mkdirat(Task *task, const u64 *a)
{
	char path[PATH_LIMIT];
	VfsNew what = {.mode = LX_S_IFDIR | ((u32)a[2] & 01777 & ~task->process->fs->umask)};
	i64 error = call_path(task, a[1], path);

	return error ? error : make_at(task, (i32)a[0], path, &what);
}

i64 sys_mknodat(Task *task, const u64 *a)
{
	char path[PATH_LIMIT];
	u32 mode = (u32)a[2], type = mode & LX_S_IFMT;
	VfsNew what = {.mode = (type ? type : (u32)LX_S_IFREG) | (mode & 07777 & ~task->process->fs->umask)};
	i64 error = call_path(task, a[1], path);

	if (error)
		return error;
	if (type == LX_S_IFDIR)
		return -EPERM;
	if (type == LX_S_IFCHR || type == LX_S_IFBLK)
		return -EPERM; /* no devices but those of /dev */
	if (type && type != LX_S_IFREG && type != LX_S_IFIFO && type != LX_S_IFSOCK)
		return -EINVAL;
	return make_at(task, (i32)a[0], path, &what);
}

i64 sys_symlinkat(Task *task, const u64 *a)
{
	char target[PATH_LIMIT], path[PATH_LIMIT];
	VfsNew what = {.mode = LX_S_IFLNK | 0777, .target = target};
	i64 error = call_path(task, a[0], target);

	if (!error && !target[0])
		error = -ENOENT;
	if (!error)
		error = call_path(task, a[2], path);
	return error ? error : make_at(task, (i32)a[1], path, &what);
}

i64 vfs_bind(Task *task, const char *path, u32 mode, u64 *key)
{
	VfsNew what = {.mode = LX_S_IFSOCK | (mode & 07777 & ~task->process->fs->umask)};
	i64 error = make_at(task, LX_AT_FDCWD, path, &what);

	if (error)
		return error == -EEXIST ? -EADDRINUSE : error;
	return vfs_find_socket(task, path, key);
}

i64 vfs_find_socket(Task *task, const char *path, u64 *key)
{
	VfsPlace *place;
	FileStat stat;
	i64 error = vfs_find(task, LX_AT_FDCWD, path, WALK_FOLLOW, &place);

	*key = 0;
	if (!error && place->node->type != LX_S_IFSOCK)
		error = -ECONNREFUSED;
	if (!error)
		error = vfs_permission(task, place->node, LX_W_OK);
	if (!error)
		error = place->node->ops->stat(place->node, &stat);
	if (!error) /* inodes of memory are never used twice; what the host shows as a socket, nobody listens on */
		*key = (u64)place->node->fs->device << 48 ^ stat.inode;
	vfs_place_put(place);
	return error;
}

static i64 remove_last(VfsWalk *walk, bool folder)
{
	VfsNode *dir = walk->at->node;
	VfsPlace *place;
	i64 error;

	if (walk->dots)
		return folder ? -EBUSY : -EISDIR;
	error = vfs_place_child(walk->task, walk->vfs, walk->at, walk->name, &place);
	if (error)
		return error;
	if (place->mount != walk->at->mount)
		error = -EBUSY;
	else if ((place->node->type == LX_S_IFDIR) != folder)
		error = folder ? -ENOTDIR : -EISDIR;
	else if (walk->slash && !folder)
		error = -ENOTDIR;
	if (!error)
		error = may_remove(walk->task, walk->at, place->node);
	if (!error)
		error = dir->ops->remove ? dir->ops->remove(dir, walk->name, place->node) : -EPERM;
	if (!error)
		vfs_place_gone(walk->vfs, place);
	vfs_place_put(place);
	return error;
}

i64 sys_unlinkat(Task *task, const u64 *a)
{
	char path[PATH_LIMIT];
	VfsWalk walk;
	i64 error = a[2] & ~(u64)LX_AT_REMOVEDIR ? -EINVAL : call_path(task, a[1], path);
	const char *last;

	if (error)
		return error;
	error = vfs_walk_begin(&walk, task, (i32)a[0], path, 0);
	last = path + strlen(path);
	while (last > path && last[-1] == '/')
		last--;
	if (!error && a[2] && walk.dots && last - path >= 1 && last[-1] == '.') {
		bool up = last - path >= 2 && last[-2] == '.' && (last - path == 2 || last[-3] == '/');

		error = up ? -ENOTEMPTY : -EINVAL;
	}
	if (!error)
		error = remove_last(&walk, a[2] != 0);
	vfs_walk_end(&walk);
	return error;
}

i64 sys_linkat(Task *task, const u64 *a)
{
	char path[PATH_LIMIT];
	u32 flags = (u32)a[4];
	VfsPlace *old = NULL, *there;
	VfsWalk walk = {0};
	i64 error;

	if (flags & ~(u32)(LX_AT_SYMLINK_FOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	error = call_place(task, a[0], a[1], (flags & LX_AT_SYMLINK_FOLLOW ? 0 : LX_AT_SYMLINK_NOFOLLOW) |
			   (flags & LX_AT_EMPTY_PATH), &old);
	if (!error)
		error = call_path(task, a[3], path);
	if (!error)
		error = vfs_walk_begin(&walk, task, (i32)a[2], path, 0);
	if (!error && walk.dots)
		error = -EEXIST;
	if (!error) {
		error = vfs_place_child(task, walk.vfs, walk.at, walk.name, &there);
		vfs_place_put(there);
		error = !error ? -EEXIST : error == -ENOENT ? 0 : error;
	}
	if (!error && walk.slash)
		error = -ENOENT;
	if (!error && (old->mount != walk.at->mount || old->node->fs != walk.at->node->fs))
		error = -EXDEV;
	if (!error)
		error = may_change(task, walk.at);
	if (!error && old->node->type == LX_S_IFDIR)
		error = -EPERM;
	if (!error)
		error = walk.at->node->ops->link ? walk.at->node->ops->link(walk.at->node, walk.name, old->node) : -EPERM;
	vfs_walk_end(&walk);
	vfs_place_put(old);
	return error;
}

static bool is_within(const VfsPlace *place, const VfsPlace *dir)
{
	for (; place; place = place->parent) {
		if (place == dir)
			return true;
	}
	return false;
}

static i64 rename_last(VfsWalk *from, VfsWalk *to, u32 flags)
{
	Task *task = from->task;
	Vfs *vfs = from->vfs;
	VfsPlace *old = NULL, *there = NULL;
	bool exchange = flags & LX_RENAME_EXCHANGE;
	i64 error;

	if (from->at->mount != to->at->mount)
		return -EXDEV;
	if (from->dots || to->dots)
		return !from->dots && flags & LX_RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	error = vfs_place_child(task, vfs, from->at, from->name, &old);
	if (error)
		return error;
	error = vfs_place_child(task, vfs, to->at, to->name, &there);
	if (error == -ENOENT && !exchange)
		error = 0;
	else if (!error && flags & LX_RENAME_NOREPLACE)
		error = -EEXIST;
	if (!error && old->node->type != LX_S_IFDIR && (from->slash || (to->slash && !exchange)))
		error = -ENOTDIR;
	if (!error && exchange && to->slash && there->node->type != LX_S_IFDIR)
		error = -ENOTDIR;
	if (!error && old->node->type == LX_S_IFDIR && is_within(to->at, old))
		error = -EINVAL;
	if (!error && there && is_within(from->at, there))
		error = exchange ? -EINVAL : -ENOTEMPTY;
	if (!error && there && there->node == old->node)
		goto out; /* two names of one file: nothing happens */
	if (!error)
		error = may_remove(task, from->at, old->node);
	if (!error)
		error = there ? may_remove(task, to->at, there->node) : may_change(task, to->at);
	if (!error && (old->mount != from->at->mount || (there && there->mount != to->at->mount)))
		error = -EBUSY;
	if (!error && there && !exchange && (there->node->type == LX_S_IFDIR) != (old->node->type == LX_S_IFDIR))
		error = there->node->type == LX_S_IFDIR ? -EISDIR : -ENOTDIR;
	if (!error)
		error = from->at->node->ops->rename
			? from->at->node->ops->rename(from->at->node, from->name, old->node, to->at->node, to->name,
						      there ? there->node : NULL, exchange)
			: -EPERM;
	if (error)
		goto out;
	if (there && !exchange)
		vfs_place_gone(vfs, there);
	if (there && exchange)
		vfs_place_moved(vfs, there, from->at, from->name);
	vfs_place_moved(vfs, old, to->at, to->name);
out:
	vfs_place_put(old);
	vfs_place_put(there);
	return error;
}

i64 sys_renameat2(Task *task, const u64 *a)
{
	char path[PATH_LIMIT];
	VfsWalk from = {0}, to = {0};
	u32 flags = (u32)a[4];
	i64 error;

	if (flags & ~(u32)(LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE) ||
	    flags == (LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE))
		return -EINVAL;
	error = call_path(task, a[1], path);
	if (!error)
		error = vfs_walk_begin(&from, task, (i32)a[0], path, 0);
	if (!error)
		error = call_path(task, a[3], path);
	if (!error)
		error = vfs_walk_begin(&to, task, (i32)a[2], path, 0);
	if (!error)
		error = rename_last(&from, &to, flags);
	vfs_walk_end(&from);
	vfs_walk_end(&to);
	return error;
}

/* ---- Attributes ---- */

static i64 change_place(Task *task, VfsPlace *place, const VfsChange *change)
{
	i64 error = vfs_writable(place);

	(void)task;
	if (error)
		return error;
	return place->node->ops->change ? place->node->ops->change(place->node, change) : -EPERM;
}

static i64 file_place(Task *task, u64 fd, VfsPlace **out)
{
	File *file = fds_stream(task, fd);

	*out = file && file->place ? vfs_place_get(file->place) : NULL;
	return !file ? -EBADF : !*out ? -EINVAL : 0;
}

static i64 change_mode(Task *task, VfsPlace *place, u64 mode)
{
	VfsChange change = {.what = CHANGE_MODE, .mode = (u32)mode & 07777};

	if (place->node->type == LX_S_IFLNK)
		return -EOPNOTSUPP;
	if (!vfs_is_owner(task, place->node))
		return vfs_writable(place) ? -EROFS : -EPERM;
	return change_place(task, place, &change);
}

i64 sys_fchmodat(Task *task, const u64 *a)
{
	VfsPlace *place;
	i64 error = call_place(task, a[0], a[1], 0, &place);

	if (!error)
		error = change_mode(task, place, a[2]);
	vfs_place_put(place);
	return error;
}

i64 sys_fchmodat2(Task *task, const u64 *a)
{
	VfsPlace *place;
	i64 error;

	if (a[3] & ~(u64)(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	error = call_place(task, a[0], a[1], (u32)a[3], &place);
	if (!error)
		error = change_mode(task, place, a[2]);
	vfs_place_put(place);
	return error;
}

i64 sys_fchmod(Task *task, const u64 *a)
{
	VfsPlace *place;
	i64 error = file_place(task, a[0], &place);

	if (!error)
		error = change_mode(task, place, a[1]);
	vfs_place_put(place);
	return error;
}

static i64 change_owner(Task *task, VfsPlace *place, u32 user, u32 group)
{
	VfsChange change = {.what = (user != UINT32_MAX ? CHANGE_USER : 0) | (group != UINT32_MAX ? CHANGE_GROUP : 0),
			    .user = user, .group = group};
	FileStat stat;
	i64 error = vfs_writable(place);

	if (!error)
		error = place->node->ops->stat(place->node, &stat);
	if (error)
		return error;
	if (task->process->user && (stat.user != task->process->user || (user != UINT32_MAX && user != stat.user) ||
				    (group != UINT32_MAX && group != stat.group && group != task->process->group)))
		return -EPERM;
	/* Who gets a program gets no rights with it. */
	if (place->node->type == LX_S_IFREG && stat.mode & 06000) {
		change.what |= CHANGE_MODE;
		change.mode = stat.mode & 07777 & ~(u32)(stat.mode & 010 ? 06000 : 04000);
	}
	return change_place(task, place, &change);
}

i64 sys_fchownat(Task *task, const u64 *a)
{
	VfsPlace *place;
	i64 error;

	if (a[4] & ~(u64)(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	error = call_place(task, a[0], a[1], (u32)a[4], &place);
	if (!error)
		error = change_owner(task, place, (u32)a[2], (u32)a[3]);
	vfs_place_put(place);
	return error;
}

i64 sys_fchown(Task *task, const u64 *a)
{
	VfsPlace *place;
	i64 error = file_place(task, a[0], &place);

	if (!error)
		error = change_owner(task, place, (u32)a[1], (u32)a[2]);
	vfs_place_put(place);
	return error;
}

/* One of the two times of utimensat. */
static i64 read_time(Task *task, u64 address, u32 what, VfsChange *change, u64 *time, bool *given)
{
	enum { TIME_NOW = 0x3FFFFFFF, TIME_OMIT = 0x3FFFFFFE };
	i64 pair[2] = {0, TIME_NOW};

	if (address && !user_read(task, address, pair, sizeof(pair)))
		return -EFAULT;
	if (pair[1] == TIME_OMIT)
		return 0;
	if (pair[1] == TIME_NOW) {
		*time = kernel_real_time(task->kernel);
	} else {
		if (pair[1] < 0 || pair[1] >= NS_IN_SECOND)
			return -EINVAL;
		if (pair[0] > INT64_MAX / NS_IN_SECOND - 1)
			pair[0] = INT64_MAX / NS_IN_SECOND - 1;
		if (pair[0] < INT64_MIN / NS_IN_SECOND + 1)
			pair[0] = INT64_MIN / NS_IN_SECOND + 1;
		*time = (u64)(pair[0] * NS_IN_SECOND + pair[1]);
		*given = true;
	}
	change->what |= what;
	return 0;
}

i64 sys_utimensat(Task *task, const u64 *a)
{
	VfsChange change = {0};
	VfsPlace *place;
	bool given = false;
	i64 error;

	if (a[3] & ~(u64)(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	error = read_time(task, a[2], CHANGE_ATIME, &change, &change.atime, &given);
	if (!error)
		error = read_time(task, a[2] ? a[2] + 16 : 0, CHANGE_MTIME, &change, &change.mtime, &given);
	if (error)
		return error;
	error = a[1] ? call_place(task, a[0], a[1], (u32)a[3], &place) : file_place(task, a[0], &place);
	if (!error && change.what && !vfs_is_owner(task, place->node))
		error = given ? -EPERM : vfs_permission(task, place->node, LX_W_OK);
	if (!error && change.what)
		error = change_place(task, place, &change);
	vfs_place_put(place);
	return error;
}

/* ---- What nobody may here ---- */

#define DENIED(name, error)                                 \
	i64 sys_##name(Task *task, const u64 *a)            \
	{                                                   \
		(void)task, (void)a;                        \
		return error;                               \
	}

DENIED(mount, -EPERM)
DENIED(umount2, -EPERM)
DENIED(pivot_root, -EPERM)
DENIED(quotactl, -ENOSYS)
DENIED(name_to_handle_at, -EOPNOTSUPP)
DENIED(open_by_handle_at, -EPERM)
DENIED(inotify_init1, -ENOSYS)
DENIED(inotify_add_watch, -ENOSYS)
DENIED(inotify_rm_watch, -ENOSYS)
DENIED(fanotify_init, -ENOSYS)
