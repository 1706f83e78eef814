/* SPDX-License-Identifier: MIT
 *
 * System calls: opening, folders, working directories, contents by path or descriptor.
 */
#include <stdlib.h>

#include "linux/process.h"
#include "linux/syscalls.h"
#include "linux/vfs_calls.h"

i64 call_path(Task *task, u64 address, char *path)
{
	i64 len = user_string(task, address, path, PATH_LIMIT);

	return len < 0 ? len : 0;
}

static i64 install(Task *task, i64 error, File *file, u32 flags)
{
	if (error)
		return error;
	return fds_install(task, file, 0, flags & LX_O_CLOEXEC);
}

i64 sys_openat(Task *task, const u64 *a)
{
	char path[PATH_LIMIT];
	File *file = NULL;
	i64 error = call_path(task, a[1], path);

	if (!error)
		error = vfs_open(task, (i32)a[0], path, (u32)a[2], (u32)a[3], &file);
	return install(task, error, file, (u32)a[2]);
}

i64 sys_openat2(Task *task, const u64 *a)
{
	enum { NO_XDEV = 1, NO_MAGIC = 2, NO_LINKS = 4, BENEATH = 8, IN_ROOT = 16, CACHED = 32 };
	struct { u64 flags, mode, resolve; } how;
	char path[PATH_LIMIT];
	u32 walk;
	File *file = NULL;
	i64 error;

	if (a[3] < sizeof(how))
		return -EINVAL;
	if (a[3] > sizeof(how))
		return -E2BIG;
	if (!user_read(task, a[2], &how, sizeof(how)))
		return -EFAULT;
	if (how.resolve & ~(u64)63 || how.flags >> 32 || how.mode & ~(u64)07777 ||
	    (how.mode && !(how.flags & (LX_O_CREAT | (LX_O_TMPFILE & ~LX_O_DIRECTORY)))))
		return -EINVAL;
	if (how.resolve & CACHED)
		return -EAGAIN;
	walk = (how.resolve & NO_XDEV ? WALK_NO_XDEV : 0) | (how.resolve & BENEATH ? WALK_BENEATH : 0) |
	       (how.resolve & IN_ROOT ? WALK_IN_ROOT : 0) | (how.resolve & NO_LINKS ? WALK_NO_LINKS : 0) |
	       (how.resolve & NO_MAGIC ? WALK_NO_MAGIC : 0);
	error = call_path(task, a[1], path);
	if (!error)
		error = vfs_open_walk(task, (i32)a[0], path, (u32)how.flags, (u32)how.mode, walk, &file);
	return install(task, error, file, (u32)how.flags);
}

i64 sys_getdents64(Task *task, const u64 *a)
{
	File *file = fds_stream(task, a[0]);
	u64 len = (u32)a[2];
	u8 *chunk;
	i64 got;

	if (!file)
		return -EBADF;
	if (!file->ops->entries)
		return -ENOTDIR;
	if (len > CHUNK)
		len = CHUNK;
	chunk = malloc(len ? len : 1);
	if (!chunk)
		return -ENOMEM;
	got = file->ops->entries(file, chunk, len);
	if (got > 0 && !user_write(task, a[1], chunk, (u64)got))
		got = -EFAULT;
	free(chunk);
	return got;
}

/* ---- Directories of the process ---- */

static i64 set_directory(Task *task, VfsPlace **which, VfsPlace *place)
{
	i64 error = place->node->type == LX_S_IFDIR ? vfs_permission(task, place->node, LX_X_OK) : -ENOTDIR;

	if (error)
		return error;
	vfs_place_get(place);
	vfs_place_put(*which);
	*which = place;
	return 0;
}

i64 sys_chdir(Task *task, const u64 *a)
{
	char path[PATH_LIMIT];
	VfsPlace *place = NULL;
	i64 error = call_path(task, a[0], path);

	if (!error)
		error = vfs_find(task, LX_AT_FDCWD, path, WALK_FOLLOW, &place);
	if (!error)
		error = set_directory(task, &task->process->fs->directory, place);
	vfs_place_put(place);
	return error;
}

i64 sys_fchdir(Task *task, const u64 *a)
{
	File *file = fds_file(task, (i32)a[0]);

	if (!file)
		return -EBADF;
	return file->place ? set_directory(task, &task->process->fs->directory, file->place) : -ENOTDIR;
}

i64 sys_chroot(Task *task, const u64 *a)
{
	char path[PATH_LIMIT];
	VfsPlace *place = NULL;
	i64 error = call_path(task, a[0], path);

	if (!error)
		error = vfs_find(task, LX_AT_FDCWD, path, WALK_FOLLOW, &place);
	if (!error && place->node->type != LX_S_IFDIR)
		error = -ENOTDIR;
	if (!error && task->process->user)
		error = -EPERM;
	if (!error)
		error = set_directory(task, &task->process->fs->root, place);
	vfs_place_put(place);
	return error;
}

i64 sys_getcwd(Task *task, const u64 *a)
{
	FsState *fs = task->process->fs;
	Buf path;
	i64 result;

	if (fs->directory->gone)
		return -ENOENT;
	buf_init(&path);
	vfs_place_text(fs->directory, fs->root, &path);
	buf_byte(&path, 0);
	result = path.failed ? -ENOMEM : (i64)path.len;
	if (result > 0 && path.len > PATH_LIMIT)
		result = -ENAMETOOLONG;
	if (result > 0 && path.len > a[1])
		result = -ERANGE;
	if (result > 0 && !user_write(task, a[0], path.data, path.len))
		result = -EFAULT;
	buf_fini(&path);
	return result;
}

i64 sys_umask(Task *task, const u64 *a)
{
	FsState *fs = task->process->fs;
	u32 old = fs->umask;

	fs->umask = (u32)a[0] & 0777;
	return old;
}

/* ---- Contents ---- */

i64 sys_truncate(Task *task, const u64 *a)
{
	char path[PATH_LIMIT];
	VfsPlace *place = NULL;
	File *file = NULL;
	i64 error = call_path(task, a[0], path);

	if (!error && (i64)a[1] < 0)
		error = -EINVAL;
	if (!error)
		error = vfs_find(task, LX_AT_FDCWD, path, WALK_FOLLOW, &place);
	if (!error && place->node->type != LX_S_IFREG)
		error = place->node->type == LX_S_IFDIR ? -EISDIR : -EINVAL;
	if (!error)
		error = vfs_open_node(task, place, LX_O_WRONLY, &file);
	if (!error)
		error = call_resize(task, file, a[1]);
	vfs_place_put(place);
	file_put(file);
	return error;
}

i64 call_resize(Task *task, File *file, u64 size)
{
	u64 limit = task->process->limits[1][0]; /* RLIMIT_FSIZE */

	if (size > limit) {
		signal_raise(task, 25); /* SIGXFSZ */
		return -EFBIG;
	}
	return file->ops->truncate ? file->ops->truncate(file, size) : -EINVAL;
}

i64 sys_ftruncate(Task *task, const u64 *a)
{
	File *file = fds_stream(task, a[0]);

	if (!file)
		return -EBADF;
	return (i64)a[1] < 0 ? -EINVAL : call_resize(task, file, a[1]);
}

i64 sys_fallocate(Task *task, const u64 *a)
{
	File *file = fds_stream(task, a[0]);

	if (!file)
		return -EBADF;
	if ((i64)a[2] < 0 || (i64)a[3] <= 0)
		return -EINVAL;
	if (!file->ops->allocate)
		return file->ops->seek ? -ENODEV : -ESPIPE;
	if (a[2] + a[3] > task->process->limits[1][0])
		return -EFBIG;
	return file->ops->allocate(file, (u32)a[1], a[2], a[3]);
}

static i64 sync_file(Task *task, u64 fd)
{
	File *file = fds_stream(task, fd);

	if (!file)
		return -EBADF;
	return file->ops->sync ? file->ops->sync(file) : -EINVAL;
}

i64 sys_fsync(Task *task, const u64 *a)
{
	return sync_file(task, a[0]);
}

i64 sys_fdatasync(Task *task, const u64 *a)
{
	return sync_file(task, a[0]);
}

i64 sys_sync_file_range(Task *task, const u64 *a)
{
	return sync_file(task, a[0]);
}

static void sync_all(Kernel *kernel)
{
	for (File *file = kernel->files; file; file = file->next) {
		if (file->ops == vfs_regular_ops() && file->ops->sync)
			file->ops->sync(file);
	}
	for (VfsMount *mount = kernel->vfs->mounts; mount; mount = mount->next) {
		if (mount->fs->ops->sync)
			mount->fs->ops->sync(mount->fs);
	}
}

i64 sys_sync(Task *task, const u64 *a)
{
	(void)a;
	sync_all(task->kernel);
	return 0;
}

i64 sys_syncfs(Task *task, const u64 *a)
{
	if (!fds_stream(task, a[0]))
		return -EBADF;
	sync_all(task->kernel);
	return 0;
}

/* Advice: only the arguments are looked at. */
i64 sys_fadvise64(Task *task, const u64 *a)
{
	File *file = fds_stream(task, a[0]);

	if (!file)
		return -EBADF;
	if (!file->ops->seek)
		return -ESPIPE;
	return a[3] > 5 || (i64)a[2] < 0 ? -EINVAL : 0;
}

i64 sys_readahead(Task *task, const u64 *a)
{
	File *file = fds_stream(task, a[0]);

	if (!file || (file->flags & LX_O_ACCMODE) == LX_O_WRONLY)
		return -EBADF;
	return file->ops == vfs_regular_ops() ? 0 : -EINVAL;
}

i64 sys_flock(Task *task, const u64 *a)
{
	File *file = fds_stream(task, a[0]);

	return file ? vfs_flock(task, file, (u32)a[1]) : -EBADF;
}

i64 sys_memfd_create(Task *task, const u64 *a)
{
	enum { CLOSE_ON_EXEC = 1, SEALING = 2, NO_EXEC = 8, EXEC = 16 };
	char name[NAME_LIMIT - 5];
	File *file = NULL;
	i64 error = user_string(task, a[0], name, sizeof(name));

	if (error == -ENAMETOOLONG || a[1] & ~(u64)(CLOSE_ON_EXEC | SEALING | NO_EXEC | EXEC))
		return -EINVAL;
	if (error < 0)
		return error;
	error = vfs_open_nameless(task, name, LX_O_RDWR | LX_O_LARGEFILE, &file);
	return install(task, error, file, a[1] & CLOSE_ON_EXEC ? LX_O_CLOEXEC : 0);
}
