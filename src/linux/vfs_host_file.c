/* SPDX-License-Identifier: MIT
 *
 * Files of the host: contents, attributes, listings of folders.
 *
 * All open files of a node share one descriptor for reading and one for writing, used with pread and pwrite. Before a
 * file is opened it is looked at, and after that again: it must be the regular file that was seen. (O_NONBLOCK, so that
 * a fifo that somebody puts there in between keeps nobody waiting.)
 *
 * What goes to the host is counted before it does (machine_disk_take, machine/outside.h): when there is no more, ENOSPC.
 */
#define _GNU_SOURCE /* O_PATH, renameat2 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "linux/vfs_host.h"
#include "machine/outside.h"

static i64 host_error(void)
{
	return errno == EMFILE ? -ENFILE : errno ? -errno : -EIO;
}

static u64 host_time(struct timespec time)
{
	return (u64)time.tv_sec * NS_IN_SECOND + (u64)time.tv_nsec;
}

static i64 host_status(HostNode *node, struct stat *stat)
{
	const char *name;
	int fd = open_file_fd(node->write ? node->write : node->read);

	if (fd < 0 && node->node.type == LX_S_IFDIR && node->parent) {
		fd = host_dir(node);
		if (fd < 0)
			return fd;
	}
	if (fd >= 0)
		return fstat(fd, stat) ? host_error() : 0;
	fd = host_at(node, &name);
	if (fd < 0)
		return fd;
	if (fstatat(fd, name, stat, AT_SYMLINK_NOFOLLOW))
		return host_error();
	return host_same(node, stat) ? 0 : -ENOENT;
}

i64 host_stat(VfsNode *base, FileStat *out)
{
	HostNode *node = host_node(base);
	HostFs *fs = host_fs(node);
	Kernel *kernel = fs->fs.kernel;
	struct stat stat;
	i64 error = host_status(node, &stat);

	if (error)
		return error;
	*out = (FileStat){
		.device = fs->fs.device,
		.inode = host_inode(fs, stat.st_dev, stat.st_ino),
		.mode = stat.st_mode,
		.links = (u32)stat.st_nlink,
		.user = stat.st_uid,
		.group = stat.st_gid,
		.size = (u64)stat.st_size,
		.blocks = (u64)stat.st_blocks,
		.atime = host_time(stat.st_atim),
		.mtime = host_time(stat.st_mtim),
		.ctime = host_time(stat.st_ctim),
	};
	if (S_ISCHR(stat.st_mode) || S_ISBLK(stat.st_mode))
		out->special = (u64)major(stat.st_rdev) << 8 | (minor(stat.st_rdev) & 0xFF);
	if (!fs->own_numbers) {
		out->user = stat.st_uid == geteuid() ? kernel->user : 65534;
		out->group = stat.st_gid == getegid() ? kernel->group : 65534;
	}
	return 0;
}

/* A descriptor of the file or folder that the node is, opened as asked; or -errno. */
static int host_open(HostNode *node, int flags)
{
	const char *name;
	struct stat stat;
	int at = host_at(node, &name), fd;

	if (at < 0)
		return at;
	if (fstatat(at, name, &stat, AT_SYMLINK_NOFOLLOW))
		return (int)host_error();
	if (!host_same(node, &stat))
		return -ENOENT;
	if (!S_ISREG(stat.st_mode) && !S_ISDIR(stat.st_mode))
		return -ENXIO;
	fd = openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return (int)host_error();
	if (fstat(fd, &stat) || !host_same(node, &stat)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

static i64 change_mode(HostNode *node, u32 mode)
{
	const char *name;
	int fd;
	i64 error;

	mode &= 01777;
	fd = host_open(node, O_RDONLY);
	if (fd >= 0) {
		error = fchmod(fd, mode) ? host_error() : 0;
		close(fd);
		return error;
	}
	if (fd != -EACCES)
		return fd;
	/* It can't be read: by name, where the host knows how to do that without following a link. */
	fd = host_at(node, &name);
	if (fd < 0)
		return fd;
#ifdef SYS_fchmodat2
	if (!syscall(SYS_fchmodat2, fd, name, mode, AT_SYMLINK_NOFOLLOW))
		return 0;
#else
	if (!syscall(452, fd, name, mode, AT_SYMLINK_NOFOLLOW))
		return 0;
#endif
	return errno == ENOSYS ? -EACCES : host_error();
}

static i64 change_owner(HostNode *node, const VfsChange *change)
{
	FileStat now;
	i64 error = host_stat(&node->node, &now);

	if (error)
		return error;
	/* Whose it is on the host stays so. */
	if ((change->what & CHANGE_USER && change->user != now.user) ||
	    (change->what & CHANGE_GROUP && change->group != now.group))
		return -EPERM;
	return 0;
}

static struct timespec time_of(bool given, u64 time)
{
	u32 rest;
	i64 seconds = time_to_seconds(time, &rest);

	return given ? (struct timespec){.tv_sec = seconds, .tv_nsec = rest} : (struct timespec){.tv_nsec = UTIME_OMIT};
}

i64 host_change(VfsNode *base, const VfsChange *change)
{
	HostNode *node = host_node(base);
	i64 error = 0;

	if (change->what & (CHANGE_USER | CHANGE_GROUP))
		error = change_owner(node, change);
	if (!error && (change->what & CHANGE_MODE))
		error = base->type == LX_S_IFLNK ? -EOPNOTSUPP : change_mode(node, change->mode);
	if (!error && (change->what & (CHANGE_ATIME | CHANGE_MTIME))) {
		struct timespec times[2] = {time_of(change->what & CHANGE_ATIME, change->atime),
					    time_of(change->what & CHANGE_MTIME, change->mtime)};
		const char *name;
		int fd = host_at(node, &name);

		if (fd < 0)
			return fd;
		if (node->write ? futimens(node->write->fd, times) : utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW))
			error = host_error();
	}
	return error;
}

i64 host_read_link(VfsNode *base, Task *task, Buf *out)
{
	char text[PATH_LIMIT];
	const char *name;
	int fd = host_at(host_node(base), &name);
	ssize_t len;

	(void)task;
	if (fd < 0)
		return fd;
	len = readlinkat(fd, name, text, sizeof(text));
	if (len < 0)
		return errno == EINVAL ? -ENOENT : host_error(); /* it is a link no more */
	if (len == (ssize_t)sizeof(text))
		return -ENAMETOOLONG;
	buf_add(out, text, (size_t)len);
	return 0;
}

/* ---- Folders ---- */

typedef struct FolderEntry { /* struct linux_dirent64 */
	u64 inode;
	i64 next;
	u16 len;
	u8 type;
	char name[];
} FolderEntry;

i64 host_list(VfsNode *base, Task *task, u64 *cookie, VfsList *out)
{
	static const u32 types[16] = {[1] = LX_S_IFIFO, [2] = LX_S_IFCHR, [4] = LX_S_IFDIR, [6] = LX_S_IFBLK,
				      [8] = LX_S_IFREG, [10] = LX_S_IFLNK, [12] = LX_S_IFSOCK};
	HostNode *dir = host_node(base);
	HostFs *fs = host_fs(dir);
	_Alignas(8) u8 buffer[16 * 1024];
	int at = host_dir(dir), fd;
	i64 error = 0;

	(void)task;
	if (at < 0)
		return at;
	fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return host_error();
	if (lseek(fd, (off_t)*cookie, SEEK_SET) < 0)
		error = -EINVAL;
	while (!error && !out->full) {
		long got = syscall(SYS_getdents64, fd, buffer, sizeof(buffer));

		if (got <= 0) {
			error = got ? host_error() : 0;
			break;
		}
		for (long i = 0; i < got && !out->full;) {
			const FolderEntry *entry = (const FolderEntry *)(buffer + i);
			u64 inode = host_inode(fs, dir->device, entry->inode);

			if (!strcmp(entry->name, "."))
				inode = out->self;
			else if (!strcmp(entry->name, ".."))
				inode = out->up;
			if (vfs_list_add(out, entry->name, strlen(entry->name), inode, types[entry->type & 15],
					 (u64)entry->next))
				*cookie = (u64)entry->next;
			i += entry->len;
		}
	}
	close(fd);
	return error;
}

/* ---- Contents ---- */

i64 host_acquire(VfsNode *base, bool write)
{
	HostNode *node = host_node(base);
	OpenFile **file = write ? &node->write : &node->read;

	if (!*file) {
		int opened = host_open(node, write ? O_RDWR : O_RDONLY);

		if (write && opened == -EACCES)
			opened = host_open(node, O_WRONLY);
		if (opened < 0)
			return opened;
		*file = open_file_create(opened);
		if (!*file)
			return -ENOMEM;
	}
	++*(write ? &node->writers : &node->readers);
	return 0;
}

void host_letgo(VfsNode *base, bool write)
{
	HostNode *node = host_node(base);
	OpenFile **file = write ? &node->write : &node->read;

	if (--*(write ? &node->writers : &node->readers))
		return;
	open_file_put(*file);
	*file = NULL;
}

i64 host_read(VfsNode *base, u8 *to, u64 len, u64 offset)
{
	HostNode *node = host_node(base);
	ssize_t got;

	if (!host_may(node))
		return -EACCES;
	if (offset > FILE_SIZE_LIMIT)
		return 0;
	got = pread(open_file_fd(node->read ? node->read : node->write), to, len, (off_t)offset);
	return got < 0 ? host_error() : got;
}

/* What a file that is open for writing would grow by without being written, if it were to reach as far as `offset`. */
static u64 gap_before(const HostNode *node, u64 offset)
{
	struct stat stat;
	u64 size = fstat(open_file_fd(node->write), &stat) ? 0 : (u64)stat.st_size;

	return offset > size ? offset - size : 0;
}

i64 host_write(VfsNode *base, const u8 *from, u64 len, u64 offset)
{
	HostNode *node = host_node(base);
	u64 gap, taken;
	ssize_t put;
	i64 result;

	if (!host_may(node))
		return -EACCES;
	if (offset > FILE_SIZE_LIMIT)
		return -EFBIG;
	if (!len)
		return 0;
	gap = gap_before(node, offset);
	taken = machine_disk_take(host_machine(node), gap + 1, len - 1);
	if (!taken)
		return -ENOSPC;
	put = pwrite(open_file_fd(node->write), from, taken - gap, (off_t)offset);
	result = put < 0 ? host_error() : put;
	machine_disk_give(host_machine(node), put > 0 ? taken - gap - (u64)put : taken);
	return result;
}

static i64 resize(HostNode *node, u64 size)
{
	u64 growth = gap_before(node, size);
	i64 error = 0;

	if (size > FILE_SIZE_LIMIT)
		return -EFBIG;
	if (growth && !machine_disk_take(host_machine(node), growth, 0))
		return -ENOSPC;
	if (ftruncate(open_file_fd(node->write), (off_t)size)) {
		error = host_error();
		machine_disk_give(host_machine(node), growth);
	}
	return error;
}

i64 host_resize(VfsNode *base, u64 size)
{
	HostNode *node = host_node(base);
	i64 error = host_may(node) ? host_acquire(base, true) : -EACCES;

	if (error)
		return error;
	error = resize(node, size);
	host_letgo(base, true);
	return error;
}

/* All of it counts: which of it is there already, the host alone knows. */
i64 host_allocate(VfsNode *base, u64 offset, u64 len, bool keep_size)
{
	HostNode *node = host_node(base);
	u64 gap = keep_size ? 0 : gap_before(node, offset);
	i64 error = 0;

	if (!host_may(node))
		return -EACCES;
	if (!machine_disk_take(host_machine(node), gap + len, 0))
		return -ENOSPC;
	if (fallocate(open_file_fd(node->write), keep_size ? FALLOC_FL_KEEP_SIZE : 0, (off_t)offset, (off_t)len)) {
		error = host_error();
		machine_disk_give(host_machine(node), gap + len);
	}
	return error;
}

i64 host_sync(VfsNode *base)
{
	HostNode *node = host_node(base);

	return node->write && fsync(node->write->fd) ? host_error() : 0;
}

u64 host_next_data(VfsNode *base, u64 offset)
{
	HostNode *node = host_node(base);
	off_t next = lseek(open_file_fd(node->read ? node->read : node->write), (off_t)offset, SEEK_DATA);

	return next >= 0 ? (u64)next : errno == ENXIO ? FILE_SIZE_LIMIT : offset;
}
