/* SPDX-License-Identifier: MIT
 *
 * Opening, and the open files that regular files and folders are. Fifos, devices and files of /proc make their own
 * (VfsNodeOps.open).
 *
 * An open regular file has acquired its node for what it may do (reading, writing). Reads and writes go to the node,
 * or, while the file is mapped shared, to the memory that the maps share (vfs_shared.c). The node is that
 * of the file's place.
 */
#include <stdlib.h>

#include "linux/process.h"
#include "linux/save.h"
#include "linux/signal.h"
#include "linux/vfs_tree.h"

enum { RLIMIT_FSIZE = 1, SIGXFSZ = 25 };

static VfsNode *node_of(const File *file)
{
	return file->place->node;
}

VfsNode *vfs_file_node(const File *file)
{
	return file->place ? file->place->node : NULL;
}

static bool may_read(const File *file)
{
	return (file->flags & LX_O_ACCMODE) != LX_O_WRONLY;
}

static bool may_write(const File *file)
{
	return (file->flags & LX_O_ACCMODE) != LX_O_RDONLY;
}

/* ---- Regular files ---- */

static i64 regular_stat(File *file, FileStat *out)
{
	return node_of(file)->ops->stat(node_of(file), out);
}

static i64 regular_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	VfsNode *node = node_of(file);
	i64 got;

	(void)task;
	if (*offset > FILE_SIZE_LIMIT)
		return *offset >> 63 ? -EINVAL : 0;
	got = node->shared ? vfs_shared_read(node, to, len, *offset) : node->ops->read(node, to, len, *offset);
	if (got > 0)
		*offset += (u64)got;
	return got;
}

/* How much of a write the process's RLIMIT_FSIZE and the largest size leave; 0: nothing. */
static u64 write_room(Task *task, u64 offset, u64 len)
{
	u64 limit = task ? task->process->limits[RLIMIT_FSIZE][0] : ~(u64)0;

	if (limit > FILE_SIZE_LIMIT)
		limit = FILE_SIZE_LIMIT;
	if (offset >= limit)
		return 0;
	return len < limit - offset ? len : limit - offset;
}

static i64 regular_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	VfsNode *node = node_of(file);
	FileStat stat;
	i64 put;

	if (!len)
		return 0;
	if (file->flags & LX_O_APPEND) {
		put = node->ops->stat(node, &stat);
		if (put)
			return put;
		*offset = stat.size;
	}
	if (*offset >> 63)
		return -EINVAL;
	len = write_room(task, *offset, len);
	if (!len) {
		if (task && *offset < FILE_SIZE_LIMIT)
			signal_raise(task, SIGXFSZ);
		return -EFBIG;
	}
	put = node->shared ? vfs_shared_write(node, from, len, *offset) : node->ops->write(node, from, len, *offset);
	if (put > 0)
		*offset += (u64)put;
	return put;
}

static i64 seek_to(File *file, i64 base, i64 offset)
{
	i64 to;

	if (__builtin_add_overflow(base, offset, &to))
		return -EOVERFLOW;
	if (to < 0)
		return -EINVAL;
	file->position = (u64)to;
	return to;
}

static i64 regular_seek(File *file, i64 offset, int whence)
{
	FileStat stat;
	i64 error;

	switch (whence) {
	case 0:
		return seek_to(file, 0, offset);
	case 1:
		return seek_to(file, (i64)file->position, offset);
	case 2:
	case 3: /* SEEK_DATA */
	case 4: /* SEEK_HOLE: the one at the end is the only one that is told of */
		error = regular_stat(file, &stat);
		if (error)
			return error;
		if (whence == 2)
			return seek_to(file, (i64)stat.size, offset);
		if (offset < 0 || (u64)offset >= stat.size)
			return -ENXIO;
		if (whence == 4 || file->place->node->shared || !file->place->node->ops->next_data)
			return seek_to(file, whence == 3 ? offset : (i64)stat.size, 0);
		{
			u64 next = file->place->node->ops->next_data(file->place->node, (u64)offset);

			return next >= stat.size ? -ENXIO : seek_to(file, (i64)next, 0);
		}
	default:
		return -EINVAL;
	}
}

static i64 regular_truncate(File *file, u64 size)
{
	VfsNode *node = node_of(file);
	i64 error;

	if (!may_write(file))
		return -EINVAL;
	error = node->ops->resize(node, size);
	if (!error && node->shared)
		vfs_shared_resized(node, size);
	return error;
}

enum { FALLOC_KEEP_SIZE = 1, FALLOC_PUNCH_HOLE = 2, FALLOC_ZERO_RANGE = 0x10 };

static i64 write_zeros(File *file, u64 offset, u64 len)
{
	static const u8 zeros[4096];
	FileStat stat;
	i64 error = regular_stat(file, &stat);

	if (error)
		return error;
	if (offset >= stat.size)
		return 0;
	if (len > stat.size - offset)
		len = stat.size - offset;
	while (len) {
		u64 at = offset, part = len < sizeof(zeros) ? len : sizeof(zeros);
		VfsNode *node = node_of(file);
		i64 put = node->shared ? vfs_shared_write(node, zeros, part, at) : node->ops->write(node, zeros, part, at);

		if (put <= 0)
			return put ? put : -EIO;
		offset += (u64)put;
		len -= (u64)put;
	}
	return 0;
}

static i64 regular_allocate(File *file, u32 mode, u64 offset, u64 len)
{
	VfsNode *node = node_of(file);
	FileStat stat;
	i64 error;

	if (!may_write(file))
		return -EBADF;
	if (offset >> 63 || len >> 63 || !len)
		return -EINVAL;
	if (offset > FILE_SIZE_LIMIT - (len < FILE_SIZE_LIMIT ? len : FILE_SIZE_LIMIT))
		return -EFBIG;
	if (mode == (FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE))
		return write_zeros(file, offset, len);
	if (mode & ~(u32)FALLOC_KEEP_SIZE || !node->ops->allocate)
		return -EOPNOTSUPP;
	error = regular_stat(file, &stat);
	if (!error)
		error = node->ops->allocate(node, offset, len, mode & FALLOC_KEEP_SIZE);
	if (!error && !(mode & FALLOC_KEEP_SIZE) && offset + len > stat.size) {
		error = node->ops->resize(node, offset + len);
		if (!error && node->shared)
			vfs_shared_resized(node, offset + len);
	}
	return error;
}

static i64 regular_sync(File *file)
{
	VfsNode *node = node_of(file);
	i64 error = node->shared && may_write(file) ? vfs_shared_sync(node) : 0;

	if (!error && node->ops->sync)
		error = node->ops->sync(node);
	return error;
}

static i64 regular_shared(File *file, u64 size, bool writable, int *fd)
{
	if (!may_read(file) || (writable && !may_write(file)))
		return -EACCES;
	return vfs_shared_get(node_of(file), size, writable, fd);
}

static i64 regular_control(File *file, Task *task, u32 command, u64 argument)
{
	if ((command >= 5 && command <= 7) || (command >= 36 && command <= 38)) /* F_GETLK ... F_OFD_SETLKW */
		return vfs_fcntl_lock(task, file, command, argument);
	return -EINVAL;
}

static void regular_closed(File *file, Task *task)
{
	vfs_closed(task->process, file);
}

static void regular_release(File *file)
{
	VfsNode *node = node_of(file);

	vfs_locks_file_closed(file);
	if (!--node->users)
		vfs_shared_drop(node);
	if (may_write(file))
		node->ops->letgo(node, true);
	if (may_read(file))
		node->ops->letgo(node, false);
}

static const FileOps regular_ops = {
	.kind = "file",
	.read = regular_read,
	.write = regular_write,
	.seek = regular_seek,
	.stat = regular_stat,
	.truncate = regular_truncate,
	.allocate = regular_allocate,
	.sync = regular_sync,
	.shared = regular_shared,
	.control = regular_control,
	.closed = regular_closed,
	.release = regular_release,
	.append = true,
};

const FileOps *vfs_regular_ops(void)
{
	return &regular_ops;
}

/* ---- Folders ---- */

typedef struct Dirent { /* struct linux_dirent64 */
	u64 inode, next;
	u16 len;
	u8 type;
} Dirent;

static u8 dirent_type(u32 mode)
{
	return (u8)((mode & LX_S_IFMT) >> 12);
}

bool vfs_list_add(VfsList *list, const char *name, size_t len, u64 inode, u32 type, u64 next)
{
	u64 size = (offsetof(Dirent, type) + 1 + len + 1 + 7) & ~(u64)7;
	Dirent entry = {.inode = inode, .next = next, .len = (u16)size, .type = dirent_type(type)};

	if (len > NAME_LIMIT || size > list->len - list->used) {
		list->full = true;
		return false;
	}
	memset(list->to + list->used, 0, size);
	memcpy(list->to + list->used, &entry, offsetof(Dirent, type) + 1);
	memcpy(list->to + list->used + offsetof(Dirent, type) + 1, name, len);
	list->used += size;
	return true;
}

bool vfs_list_dots(VfsList *list, u64 *cookie)
{
	if (*cookie == 0 && vfs_list_add(list, ".", 1, list->self, LX_S_IFDIR, 1))
		*cookie = 1;
	if (*cookie == 1 && vfs_list_add(list, "..", 2, list->up, LX_S_IFDIR, 2))
		*cookie = 2;
	return !list->full;
}

static u64 inode_of(VfsNode *node)
{
	FileStat stat;

	return node->ops->stat(node, &stat) ? 1 : stat.inode;
}

static i64 folder_entries(File *file, u8 *to, u64 len)
{
	VfsPlace *place = file->place, *up;
	VfsNode *node = place->node;
	VfsList list = {.to = to, .len = len};
	i64 error;

	if (place->gone)
		return -ENOENT;
	if (!node->ops->list)
		return 0;
	list.self = inode_of(node);
	up = vfs_place_up(file->kernel->vfs, place, NULL);
	list.up = inode_of(up->node);
	vfs_place_put(up);
	error = node->ops->list(node, task_current(file->kernel), &file->position, &list);
	if (list.used)
		return (i64)list.used;
	return error ? error : list.full ? -EINVAL : 0;
}

static i64 folder_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	(void)file, (void)task, (void)to, (void)len, (void)offset;
	return -EISDIR;
}

static i64 folder_seek(File *file, i64 offset, int whence)
{
	if (whence == 1)
		return seek_to(file, (i64)file->position, offset);
	return whence == 0 ? seek_to(file, 0, offset) : whence == 2 ? seek_to(file, INT64_MAX, offset) : -EINVAL;
}

static i64 folder_sync(File *file)
{
	VfsFs *fs = node_of(file)->fs;

	return fs->ops->sync ? fs->ops->sync(fs) : 0;
}

static void folder_release(File *file)
{
	vfs_locks_file_closed(file);
}

static const FileOps folder_ops = {
	.kind = "folder",
	.read = folder_read,
	.seek = folder_seek,
	.stat = regular_stat,
	.sync = folder_sync,
	.entries = folder_entries,
	.release = folder_release,
};

const FileOps *vfs_folder_ops(void)
{
	return &folder_ops;
}

/* O_PATH: a place, and nothing else. */
static i64 path_seek(File *file, i64 offset, int whence)
{
	(void)file, (void)offset, (void)whence;
	return -EBADF;
}

static i64 path_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	(void)file, (void)task, (void)to, (void)len, (void)offset;
	return -EBADF;
}

static i64 path_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	(void)file, (void)task, (void)from, (void)len, (void)offset;
	return -EBADF;
}

static i64 path_truncate(File *file, u64 size)
{
	(void)file, (void)size;
	return -EBADF;
}

static i64 path_sync(File *file)
{
	(void)file;
	return -EBADF;
}

static void path_release(File *file)
{
	(void)file;
}

static const FileOps path_ops = {
	.kind = "path",
	.read = path_read,
	.write = path_write,
	.seek = path_seek,
	.stat = regular_stat,
	.truncate = path_truncate,
	.sync = path_sync,
	.release = path_release,
};

bool vfs_is_path_only(const File *file)
{
	return file->ops == &path_ops;
}

/* ---- Snapshots ---- */

/* The file of the host that it really is, or NULL. */
static VfsNode *outside_of(const File *file)
{
	VfsNode *below = tree_below(node_of(file));

	return vfs_is_host(node_of(file)) ? node_of(file) : below && vfs_is_host(below) ? below : NULL;
}

static const char *regular_refuses(const Tape *tape, const File *file)
{
	VfsNode *outside = outside_of(file);
	FileStat stat;

	if (!outside || tape->near) /* it stays open */
		return NULL;
	return file->place->gone || outside->ops->stat(outside, &stat) || !stat.links ? "a file that was deleted on the host"
											: NULL;
}

/* Of a file of the host, if `wanted`: it has been written by nobody meanwhile, or loading fails. */
static void carry_same(Tape *tape, File *file, bool wanted)
{
	VfsNode *outside = outside_of(file);
	bool checked = !tape->loading && outside && wanted;
	FileStat stat = {0};
	u64 was[2];

	tape_bool(tape, &checked);
	if (!checked)
		return;
	if (outside && outside->ops->stat(outside, &stat))
		stat.size = ~(u64)0;
	was[0] = stat.size;
	was[1] = stat.mtime;
	tape_bytes(tape, was, sizeof(was));
	if (tape->loading && tape_ok(tape) && (!outside || stat.size != was[0] || stat.mtime != was[1]))
		tape_fail(tape, STATUS_MISMATCH, "%.100s is not the file that it was", file->place->name);
}

/* Once for each file. Who has it open for writing itself knows what he does. */
void vfs_carry_mapped(Tape *tape, File *file)
{
	const VfsNode *outside = outside_of(file);
	bool wanted = !tape->loading && outside && !vfs_host_is_written(outside) && tape_add(tape, TAPE_MAPPED, file);

	carry_same(tape, file, wanted);
}

static void regular_carry(Tape *tape, File *file)
{
	VfsNode *node = node_of(file);
	i64 error = 0;

	if (!tape_check(tape, node->type == LX_S_IFREG && node->ops->acquire))
		return;
	/* What is only read must be the same file still: as long, and as old. What the program itself writes to goes on with what
	 * is there. A file that has stayed open is the same. */
	carry_same(tape, file, !tape->near && !may_write(file));
	if (!tape->loading || !tape_ok(tape))
		return;
	if (may_write(file) && (file->place->mount ? vfs_writable(file->place) : 0)) {
		tape_fail(tape, STATUS_MISMATCH, "%.100s may not be written here", file->place->name);
		return;
	}
	if (may_write(file))
		error = node->ops->acquire(node, true);
	if (!error && may_read(file)) {
		error = node->ops->acquire(node, false);
		if (error && may_write(file))
			node->ops->letgo(node, true);
	}
	if (error)
		tape_fail(tape, STATUS_IO, "%.100s can't be opened: %.60s", file->place->name, strerror((int)-error));
	else
		node->users++;
}

static void folder_carry(Tape *tape, File *file)
{
	VfsNode *node = node_of(file);

	if (tape->loading && tape_check(tape, node->type == LX_S_IFDIR) && file->position > 1 && tree_below(node))
		tree_list_again(node); /* it is in the midst of the names below */
}

const FileCodec regular_codec = {.ops = &regular_ops, .has_place = true, .shares = TAPE_KINDS, .carry = regular_carry,
				 .refuses = regular_refuses};
const FileCodec folder_codec = {.ops = &folder_ops, .has_place = true, .shares = TAPE_KINDS, .carry = folder_carry};
const FileCodec path_codec = {.ops = &path_ops, .has_place = true, .shares = TAPE_KINDS};

/* ---- Opening ---- */

static i64 open_regular(VfsPlace *place, Kernel *kernel, u32 flags, File **out)
{
	VfsNode *node = place->node;
	bool reads = (flags & LX_O_ACCMODE) != LX_O_WRONLY, writes = (flags & LX_O_ACCMODE) != LX_O_RDONLY;
	i64 error;

	if (!node->ops->acquire)
		return -ENXIO;
	error = writes ? node->ops->acquire(node, true) : 0;
	if (error)
		return error;
	error = reads ? node->ops->acquire(node, false) : 0;
	if (!error && (flags & LX_O_TRUNC)) {
		error = node->ops->resize(node, 0);
		if (!error && node->shared)
			vfs_shared_resized(node, 0);
		if (error && reads)
			node->ops->letgo(node, false);
	}
	if (!error) {
		*out = file_create(kernel, &regular_ops, flags, NULL);
		if (*out) {
			(*out)->place = vfs_place_get(place);
			node->users++;
			return 0;
		}
		error = -ENFILE;
		if (reads)
			node->ops->letgo(node, false);
	}
	if (writes)
		node->ops->letgo(node, true);
	return error;
}

i64 vfs_open_node(Task *task, VfsPlace *place, u32 flags, File **out)
{
	Kernel *kernel = place->node->fs->kernel;
	VfsNode *node = place->node;
	u32 keep = flags & ~(u32)(LX_O_CREAT | LX_O_EXCL | LX_O_NOCTTY | LX_O_TRUNC | LX_O_CLOEXEC);
	bool writes = (flags & LX_O_ACCMODE) != LX_O_RDONLY || (flags & LX_O_TRUNC);
	i64 error;

	*out = NULL;
	if (flags & LX_O_PATH) {
		keep = flags & (LX_O_PATH | LX_O_DIRECTORY | LX_O_NOFOLLOW);
		*out = file_create(kernel, &path_ops, keep, NULL);
		if (*out)
			(*out)->place = vfs_place_get(place);
		return *out ? 0 : -ENFILE;
	}
	if (node->type == LX_S_IFLNK)
		return -ELOOP;
	if (node->type == LX_S_IFDIR && writes)
		return -EISDIR;
	if (node->type == LX_S_IFSOCK)
		return -ENXIO;
	if (node->type == LX_S_IFREG && writes && (error = vfs_writable(place)))
		return error;
	error = vfs_permission(task, node, ((flags & LX_O_ACCMODE) != LX_O_WRONLY ? LX_R_OK : 0) | (writes ? LX_W_OK : 0));
	if (error)
		return error;
	if (node->ops->open) {
		error = node->ops->open(node, place, task, (keep & ~(u32)LX_O_TRUNC) | (flags & LX_O_NOCTTY), out);
		if (error != -ENOSYS) { /* ENOSYS: as others are */
			if (!error && !(*out)->place && place->mount)
				(*out)->place = vfs_place_get(place);
			return error;
		}
	}
	if (node->type == LX_S_IFREG)
		return open_regular(place, kernel, keep | (flags & LX_O_TRUNC), out);
	if (node->type != LX_S_IFDIR)
		return -ENXIO;
	*out = file_create(kernel, &folder_ops, keep, NULL);
	if (!*out)
		return -ENFILE;
	(*out)->place = vfs_place_get(place);
	return 0;
}

static i64 open_create(VfsWalk *walk, u32 mode, VfsPlace **out)
{
	Task *task = walk->task;
	VfsNew what = {.mode = LX_S_IFREG | (mode & 07777 & ~task->process->fs->umask), .user = task->process->user,
		       .group = task->process->group};
	VfsNode *node, *dir = walk->at->node;
	i64 error;

	if (walk->slash)
		return -EISDIR;
	if (walk->at->gone)
		return -ENOENT;
	error = vfs_writable(walk->at);
	if (!error)
		error = vfs_permission(task, dir, LX_W_OK | LX_X_OK);
	if (!error)
		error = dir->ops->create ? dir->ops->create(dir, walk->name, &what, &node) : -EACCES;
	if (error)
		return error;
	vfs_node_put(node);
	return vfs_place_child(task, walk->vfs, walk->at, walk->name, out);
}

/* O_TMPFILE: the path is the folder. */
static i64 open_nameless(Task *task, VfsPlace *dir, u32 flags, u32 mode, File **out)
{
	VfsNew what = {.mode = LX_S_IFREG | (mode & 07777 & ~task->process->fs->umask), .user = task->process->user,
		       .group = task->process->group};
	VfsNode *node;
	VfsPlace *place;
	i64 error;

	if ((flags & LX_O_ACCMODE) == LX_O_RDONLY)
		return -EINVAL;
	if (dir->node->type != LX_S_IFDIR)
		return -ENOTDIR;
	error = vfs_writable(dir);
	if (!error)
		error = vfs_permission(task, dir->node, LX_W_OK | LX_X_OK);
	if (!error)
		error = dir->node->ops->nameless ? dir->node->ops->nameless(dir->node, &what, &node) : -EOPNOTSUPP;
	if (error)
		return error;
	place = vfs_place_new(vfs_of(task), dir, "#nameless", node, dir->mount);
	vfs_node_put(node);
	if (!place)
		return -ENOMEM;
	vfs_place_gone(vfs_of(task), place);
	error = vfs_open_node(task, place, flags & ~(u32)LX_O_TMPFILE, out);
	vfs_place_put(place);
	return error;
}

static i64 open_walked(VfsWalk *walk, u32 flags, u32 mode, File **out)
{
	VfsPlace *place = NULL;
	i64 error;
	bool made = false;

	if (flags & LX_O_CREAT) {
		if ((flags & LX_O_DIRECTORY))
			return -EINVAL;
		if (walk->dots && !(flags & LX_O_EXCL && walk->at->node->type != LX_S_IFDIR))
			return flags & LX_O_EXCL ? -EEXIST : walk->at->node->type == LX_S_IFDIR ? -EISDIR :
			       vfs_open_node(walk->task, walk->at, flags, out);
	}
	if (flags & LX_O_CREAT && walk->slash && walk->name[0])
		return -EISDIR;
	/* With a link that leads nowhere, O_CREAT makes the file there: the walk is at its last name then. */
	error = vfs_walk_last(walk, &place);
	if (walk->missing && (flags & LX_O_CREAT)) {
		error = open_create(walk, mode, &place);
		made = !error;
		/* Whatever the mode says, the one who makes it opens it as asked. */
	} else if (!error && (flags & (LX_O_CREAT | LX_O_EXCL)) == (LX_O_CREAT | LX_O_EXCL)) {
		error = -EEXIST;
	}
	if (!error && (flags & LX_O_CREAT) && !made && place->node->type == LX_S_IFDIR)
		error = -EISDIR;
	if (!error && (flags & LX_O_DIRECTORY) && place->node->type != LX_S_IFDIR)
		error = -ENOTDIR;
	if (!error)
		error = vfs_open_node(made ? NULL : walk->task, place, flags, out);
	vfs_place_put(place);
	return error;
}

i64 vfs_open_walk(Task *task, i32 dirfd, const char *path, u32 flags, u32 mode, u32 walk_flags, File **out)
{
	VfsWalk walk;
	i64 error;

	*out = NULL;
	if (flags & LX_O_PATH)
		flags &= LX_O_PATH | LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_CLOEXEC;
	if (!(flags & LX_O_NOFOLLOW) && (flags & (LX_O_CREAT | LX_O_EXCL)) != (LX_O_CREAT | LX_O_EXCL))
		walk_flags |= WALK_FOLLOW;
	error = vfs_walk_begin(&walk, task, dirfd, path, walk_flags);
	if (!error && (flags & LX_O_TMPFILE) == LX_O_TMPFILE) {
		VfsPlace *dir;

		error = vfs_walk_last(&walk, &dir);
		if (!error)
			error = open_nameless(task, dir, flags, mode, out);
		vfs_place_put(dir);
	} else if (!error) {
		error = open_walked(&walk, flags, mode, out);
	}
	vfs_walk_end(&walk);
	return error;
}

i64 vfs_open(Task *task, i32 dirfd, const char *path, u32 flags, u32 mode, File **out)
{
	return vfs_open_walk(task, dirfd, path, flags, mode, 0, out);
}

i64 vfs_open_kernel(Kernel *kernel, const char *path, File **out)
{
	VfsPlace *place;
	i64 error = vfs_find_absolute(kernel, path, &place);

	*out = NULL;
	if (!error)
		error = vfs_open_node(NULL, place, LX_O_RDONLY, out);
	vfs_place_put(place);
	return error;
}

i64 vfs_open_program(Task *task, i32 dirfd, const char *path, u32 flags, File **out)
{
	u32 walk = (flags & LX_AT_EMPTY_PATH ? WALK_EMPTY : 0) | (flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW);
	VfsPlace *place;
	i64 error = vfs_find(task, dirfd, path, walk, &place);

	*out = NULL;
	if (!error && place->node->type == LX_S_IFLNK)
		error = -ELOOP;
	if (!error && place->node->type != LX_S_IFREG)
		error = -EACCES;
	if (!error)
		error = vfs_permission(task, place->node, LX_X_OK);
	if (!error) /* what may be executed need not be readable */
		error = vfs_open_node(NULL, place, LX_O_RDONLY, out);
	vfs_place_put(place);
	return error;
}

i64 vfs_open_nameless(Task *task, const char *name, u32 flags, File **out)
{
	Vfs *vfs = vfs_of(task);
	VfsNew what = {.mode = LX_S_IFREG | 0777, .user = task->process->user, .group = task->process->group};
	VfsPlace *place;
	VfsNode *node;
	Buf text;
	i64 error = vfs->memory->ops->nameless(vfs->memory, &what, &node);

	*out = NULL;
	if (error)
		return error;
	buf_init(&text);
	buf_printf(&text, "/memfd:%s", name);
	place = text.failed ? NULL : vfs_place_new(vfs, NULL, buf_text(&text), node, NULL);
	buf_fini(&text);
	vfs_node_put(node);
	if (!place)
		return -ENOMEM;
	place->gone = true;
	error = vfs_open_node(task, place, flags, out);
	vfs_place_put(place);
	return error;
}

bool vfs_path(const File *file, Buf *out)
{
	if (!file->place)
		return false;
	vfs_place_text(file->place, NULL, out);
	if (file->place->gone)
		buf_str(out, " (deleted)");
	return !out->failed;
}
