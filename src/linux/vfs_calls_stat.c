/* SPDX-License-Identifier: MIT
 *
 * System calls that ask about files. struct stat, statx and statfs as the generic 64-bit ABI lays them out (Linux UAPI:
 * asm-generic/stat.h, linux/stat.h, asm-generic/statfs.h).
 */
#include <stdlib.h>

#include "linux/process.h"
#include "linux/syscalls.h"
#include "linux/vfs_calls.h"

static void put32(u8 *to, u32 value)
{
	memcpy(to, &value, 4);
}

static void put64(u8 *to, u64 value)
{
	memcpy(to, &value, 8);
}

static u64 put_device(u64 device)
{
	u64 high = device >> 8, low = device & 0xFF;

	return (low & 0xFF) | (high & 0xFFF) << 8 | (low & ~(u64)0xFF) << 12;
}

static i64 write_stat(Task *task, u64 address, const FileStat *stat)
{
	u8 text[128] = {0};
	const u64 times[] = {stat->atime, stat->mtime, stat->ctime};

	put64(text, put_device(stat->device));
	put64(text + 8, stat->inode);
	put32(text + 16, stat->mode);
	put32(text + 20, stat->links);
	put32(text + 24, stat->user);
	put32(text + 28, stat->group);
	put64(text + 32, put_device(stat->special));
	put64(text + 48, stat->size);
	put32(text + 56, 4096);
	put64(text + 64, stat->blocks);
	for (u32 i = 0; i < 3; i++) {
		u32 rest;

		put64(text + 72 + 16 * i, (u64)time_to_seconds(times[i], &rest));
		put64(text + 80 + 16 * i, rest);
	}
	return user_write(task, address, text, sizeof(text)) ? 0 : -EFAULT;
}

i64 call_place(Task *task, u64 dirfd, u64 address, u32 flags, VfsPlace **out)
{
	char path[PATH_LIMIT];
	i64 error = call_path(task, address, path);
	u32 walk = (flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) | (flags & LX_AT_EMPTY_PATH ? WALK_EMPTY : 0);

	*out = NULL;
	return error ? error : vfs_find(task, (i32)dirfd, path, walk, out);
}

static i64 stat_file(Task *task, i32 fd, FileStat *stat)
{
	File *file = fds_file(task, fd);

	if (!file)
		return -EBADF;
	*stat = (FileStat){.mode = 0600, .links = 1};
	if (file->place) /* also of FIFOs and devices: what the path says */
		return file->place->node->ops->stat(file->place->node, stat);
	return file->ops->stat ? file->ops->stat(file, stat) : 0;
}

static i64 stat_at(Task *task, u64 dirfd, u64 address, u32 flags, FileStat *stat)
{
	VfsPlace *place;
	i64 error;
	u8 first = 1;

	/* Also of what has no place: pipes. */
	if (flags & LX_AT_EMPTY_PATH && (i32)dirfd != LX_AT_FDCWD) {
		if (address && !user_read(task, address, &first, 1))
			return -EFAULT;
		if (!address || !first)
			return stat_file(task, (i32)dirfd, stat);
	}
	error = call_place(task, dirfd, address, flags, &place);
	if (!error)
		error = place->node->ops->stat(place->node, stat);
	vfs_place_put(place);
	return error;
}

i64 sys_newfstatat(Task *task, const u64 *a)
{
	FileStat stat;
	u32 flags = (u32)a[3];
	i64 error;

	if (flags & ~(u32)(LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT | LX_AT_EMPTY_PATH))
		return -EINVAL;
	error = stat_at(task, a[0], a[1], flags, &stat);
	return error ? error : write_stat(task, a[2], &stat);
}

i64 sys_fstat(Task *task, const u64 *a)
{
	FileStat stat;
	i64 error = stat_file(task, (i32)a[0], &stat);

	return error ? error : write_stat(task, a[1], &stat);
}

i64 sys_statx(Task *task, const u64 *a)
{
	u8 text[256] = {0};
	FileStat stat;
	u32 flags = (u32)a[2];
	i64 error;

	if (flags & ~(u32)(LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT | LX_AT_EMPTY_PATH | 0x6000) ||
	    (flags & 0x6000) == 0x6000 || (u32)a[3] >> 31)
		return -EINVAL;
	error = stat_at(task, a[0], a[1], flags, &stat);
	if (error)
		return error;
	put32(text, stat.btime ? 0xFFF : 0x7FF); /* STATX_BASIC_STATS, _BTIME */
	put32(text + 4, 4096);
	put32(text + 16, stat.links);
	put32(text + 20, stat.user);
	put32(text + 24, stat.group);
	text[28] = (u8)stat.mode;
	text[29] = (u8)(stat.mode >> 8);
	put64(text + 32, stat.inode);
	put64(text + 40, stat.size);
	put64(text + 48, stat.blocks);
	for (u32 i = 0; i < 4; i++) {
		u64 time = i == 0 ? stat.atime : i == 1 ? stat.btime : i == 2 ? stat.ctime : stat.mtime;
		u32 rest;

		put64(text + 64 + 16 * i, (u64)time_to_seconds(time, &rest));
		put32(text + 72 + 16 * i, rest);
	}
	put32(text + 128, (u32)(stat.special >> 8));
	put32(text + 132, (u32)(stat.special & 0xFF));
	put32(text + 136, (u32)(stat.device >> 8));
	put32(text + 140, (u32)(stat.device & 0xFF));
	return user_write(task, a[4], text, sizeof(text)) ? 0 : -EFAULT;
}

i64 sys_readlinkat(Task *task, const u64 *a)
{
	VfsPlace *place;
	Buf text;
	u64 len;
	u8 first;
	i64 error;

	if ((i32)a[3] <= 0)
		return -EINVAL;
	error = call_place(task, a[0], a[1], LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH, &place);
	if (error)
		return error;
	buf_init(&text);
	/* With an empty path it must be a link that is open (O_PATH). */
	if (place->node->type != LX_S_IFLNK && user_read(task, a[1], &first, 1) && !first)
		error = -ENOENT;
	else
		error = place->node->type != LX_S_IFLNK || !place->node->ops->read_link
		? -EINVAL : place->node->ops->read_link(place->node, task, &text);
	len = text.len < (u32)a[3] ? text.len : (u32)a[3];
	if (!error && text.failed)
		error = -ENOMEM;
	if (!error && !user_write(task, a[2], buf_text(&text), len))
		error = -EFAULT;
	buf_fini(&text);
	vfs_place_put(place);
	return error ? error : (i64)len;
}

static i64 access_at(Task *task, const u64 *a, u32 flags)
{
	u32 wanted = (u32)a[2];
	VfsPlace *place;
	i64 error;

	if (wanted & ~(u32)7 || flags & ~(u32)(LX_AT_EACCESS | LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	error = call_place(task, a[0], a[1], flags & ~(u32)LX_AT_EACCESS, &place);
	if (!error && wanted)
		error = vfs_permission(task, place->node, wanted);
	if (!error && wanted & LX_W_OK && (place->node->type == LX_S_IFREG || place->node->type == LX_S_IFDIR))
		error = vfs_writable(place);
	vfs_place_put(place);
	return error;
}

i64 sys_faccessat(Task *task, const u64 *a)
{
	return access_at(task, a, 0);
}

i64 sys_faccessat2(Task *task, const u64 *a)
{
	return access_at(task, a, (u32)a[3]);
}

static i64 write_statfs(Task *task, const VfsPlace *place, u64 address)
{
	VfsFs *fs = place->node->fs;
	u8 text[120] = {0};
	u64 total = 0, available = 0;
	i64 error = fs->ops->space ? fs->ops->space(fs, &total, &available) : 0;

	if (error)
		return error;
	put64(text, fs->ops->magic);
	put64(text + 8, 4096);
	put64(text + 16, total / 4096);
	put64(text + 24, available / 4096);
	put64(text + 32, available / 4096);
	put64(text + 40, total / 512);
	put64(text + 48, available / 512);
	put32(text + 56, fs->device);
	put64(text + 64, NAME_LIMIT);
	put64(text + 72, 4096);
	put64(text + 80, 0x20 | (vfs_writable(place) ? 1 : 0)); /* ST_VALID, ST_RDONLY */
	return user_write(task, address, text, sizeof(text)) ? 0 : -EFAULT;
}

i64 sys_statfs(Task *task, const u64 *a)
{
	VfsPlace *place;
	i64 error = call_place(task, (u64)(i64)LX_AT_FDCWD, a[0], 0, &place);

	if (!error)
		error = write_statfs(task, place, a[1]);
	vfs_place_put(place);
	return error;
}

i64 sys_fstatfs(Task *task, const u64 *a)
{
	File *file = fds_file(task, (i32)a[0]);
	u8 text[120] = {0};

	if (!file)
		return -EBADF;
	if (file->place)
		return write_statfs(task, file->place, a[1]);
	put64(text, 0x50495045); /* as a pipe */
	put64(text + 8, 4096);
	put64(text + 64, NAME_LIMIT);
	put64(text + 72, 4096);
	return user_write(task, a[1], text, sizeof(text)) ? 0 : -EFAULT;
}

/* ---- Extended attributes: no file has any ---- */

static i64 attribute_of(Task *task, u64 address, bool follow, i64 result)
{
	VfsPlace *place;
	i64 error = call_place(task, (u64)(i64)LX_AT_FDCWD, address, follow ? 0 : LX_AT_SYMLINK_NOFOLLOW, &place);

	vfs_place_put(place);
	return error ? error : result;
}

static i64 attribute_of_file(Task *task, u64 fd, i64 result)
{
	return fds_stream(task, fd) ? result : -EBADF;
}

#define ATTRIBUTE_CALLS(name, result)                                          \
	i64 sys_##name##xattr(Task *task, const u64 *a)                        \
	{                                                                      \
		return attribute_of(task, a[0], true, result);                 \
	}                                                                      \
	i64 sys_l##name##xattr(Task *task, const u64 *a)                       \
	{                                                                      \
		return attribute_of(task, a[0], false, result);                \
	}                                                                      \
	i64 sys_f##name##xattr(Task *task, const u64 *a)                       \
	{                                                                      \
		return attribute_of_file(task, a[0], result);                  \
	}

ATTRIBUTE_CALLS(set, -EOPNOTSUPP)
ATTRIBUTE_CALLS(get, -ENODATA)
ATTRIBUTE_CALLS(list, 0)
ATTRIBUTE_CALLS(remove, -ENODATA)
