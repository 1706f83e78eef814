/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "hyper/folders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Folder {
	char *guest; /* owned; without a '/' at its end */
	int fd;
	bool read_only;
} Folder;

/* Only `refs` changes once it is made. */
typedef struct Folders {
	MachineFolders ops;
	u32 refs, count;
	Folder items[];
} Folders;

typedef struct HostFile {
	int fd;
} HostFile;

static OutsideResult result_of(int error)
{
	switch (error) {
	case ENOENT: case ENOTDIR: return OUTSIDE_NOT_THERE;
	case ENOSPC: case EDQUOT: case EMFILE: case ENFILE: return OUTSIDE_FULL;
	case ENAMETOOLONG: case EFBIG: return OUTSIDE_TOO_BIG;
	case EACCES: case EPERM: case EROFS: case ELOOP: case EISDIR: case ENXIO: case ETXTBSY: case EBUSY: case EEXIST: return OUTSIDE_REFUSED;
	default: return OUTSIDE_FAILED;
	}
}

/* ---- Names ---- */

/* The folder that the name is in, and what is left of the name. */
static const Folder *find_folder(const Folders *folders, const char **name)
{
	const Folder *best = NULL;
	size_t most = 0;

	if ((*name)[0] != '/')
		return folders->count ? &folders->items[0] : NULL;
	for (u32 i = 0; i < folders->count; i++) {
		size_t len = strlen(folders->items[i].guest);

		if (strncmp(*name, folders->items[i].guest, len) != 0 || (*name)[len] != '/' || (best && len < most))
			continue;
		best = &folders->items[i];
		most = len;
	}
	*name += most;
	return best;
}

/* Goes to the folder that it lies in: *dir is to be closed, and `last` its name there. */
static OutsideResult walk(const Folder *folder, const char *name, int *dir, char *last)
{
	*dir = openat(folder->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	last[0] = 0;
	while (*dir >= 0) {
		size_t len;
		int next;

		name += strspn(name, "/");
		len = strcspn(name, "/");
		if (!len)
			return last[0] ? OUTSIDE_OK : OUTSIDE_NOT_THERE;
		if (last[0]) { /* it was not the last */
			next = openat(*dir, last, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (next < 0)
				return result_of(errno);
			close(*dir);
			*dir = next;
		}
		if (len > NAME_MAX)
			return OUTSIDE_TOO_BIG;
		memcpy(last, name, len);
		last[len] = 0;
		name += len;
		if (!strcmp(last, "..") || !strcmp(last, "."))
			return OUTSIDE_REFUSED;
	}
	return result_of(errno);
}

/* A name that leads to a regular file, or, where it may, to nothing yet. */
static OutsideResult locate(const Folders *folders, const char *name, bool writes, int *dir, char *last)
{
	const Folder *folder = find_folder(folders, &name);
	OutsideResult result;
	struct stat info;

	*dir = -1;
	if (!folder)
		return OUTSIDE_NOT_THERE;
	if (writes && folder->read_only)
		return OUTSIDE_REFUSED;
	result = walk(folder, name, dir, last);
	if (!result && !fstatat(*dir, last, &info, AT_SYMLINK_NOFOLLOW) && !S_ISREG(info.st_mode))
		result = OUTSIDE_REFUSED;
	return result;
}

static void leave(int dir)
{
	if (dir >= 0)
		close(dir);
}

/* ---- What machines ask for ---- */

static void folders_ref(void *ctx)
{
	Folders *folders = ctx;

	__atomic_add_fetch(&folders->refs, 1, __ATOMIC_RELAXED);
}

static void folders_unref(void *ctx)
{
	Folders *folders = ctx;

	if (__atomic_sub_fetch(&folders->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (u32 i = 0; i < folders->count; i++) {
		leave(folders->items[i].fd);
		free(folders->items[i].guest);
	}
	free(folders);
}

static int flags_of(FileMode mode, FileOpening opening)
{
	int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | (opening == FILE_NEW ? O_CREAT | O_EXCL : 0);

	switch (mode) {
	case FILE_READ: case FILE_MODES: break;
	case FILE_APPEND: return flags | O_WRONLY | O_APPEND;
	case FILE_WRITE: return flags | O_WRONLY;
	case FILE_CHANGE: return flags | O_RDWR;
	}
	return flags | O_RDONLY;
}

static OutsideResult open_in(int dir, const char *last, FileMode mode, FileOpening opening, int *fd)
{
	struct stat info;

	*fd = openat(dir, last, flags_of(mode, opening), 0666);
	if (*fd < 0 || fstat(*fd, &info))
		return result_of(errno);
	if (!S_ISREG(info.st_mode))
		return OUTSIDE_REFUSED;
	return mode == FILE_WRITE && opening == FILE_THERE && info.st_size && ftruncate(*fd, 0) ? result_of(errno) : OUTSIDE_OK;
}

static OutsideResult open_file(void *ctx, const char *name, FileMode mode, FileOpening opening, void **out)
{
	HostFile *file = malloc(sizeof *file);
	OutsideResult result = OUTSIDE_FAILED;
	char last[NAME_MAX + 1];
	int dir = -1, fd = -1;

	*out = NULL;
	if (file)
		result = locate(ctx, name, mode != FILE_READ, &dir, last);
	if (!result)
		result = open_in(dir, last, mode, opening, &fd);
	leave(dir);
	if (result) {
		leave(fd);
		free(file);
		return result;
	}
	file->fd = fd;
	*out = file;
	return OUTSIDE_OK;
}

static void close_file(void *ctx)
{
	HostFile *file = ctx;

	close(file->fd);
	free(file);
}

static OutsideResult read_file(void *ctx, u64 position, u8 *bytes, u32 most, u32 *len)
{
	const HostFile *file = ctx;
	ssize_t n;

	do
		n = pread(file->fd, bytes, most, (off_t)position);
	while (n < 0 && errno == EINTR);
	*len = n > 0 ? (u32)n : 0;
	return n < 0 ? result_of(errno) : OUTSIDE_OK;
}

/* Whoever writes beyond the limit of this process gets SIGXFSZ, which would end it. */
static u32 within_limit(u64 position, u32 len)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return len;
	if (position >= limit.rlim_cur)
		return 0;
	return len < limit.rlim_cur - position ? len : (u32)(limit.rlim_cur - position);
}

static OutsideResult write_file(void *ctx, u64 position, const u8 *bytes, u32 len, u32 *written)
{
	const HostFile *file = ctx;
	struct stat info;
	ssize_t n;

	*written = 0;
	if (fstat(file->fd, &info))
		return result_of(errno);
	if (fcntl(file->fd, F_GETFL) & O_APPEND)
		position = (u64)info.st_size;
	if (position + len > FILE_SIZE_MOST)
		return OUTSIDE_TOO_BIG;
	if (len && !within_limit(position, len))
		return OUTSIDE_FULL;
	len = within_limit(position, len);
	do
		n = pwrite(file->fd, bytes, len, (off_t)position);
	while (n < 0 && errno == EINTR);
	*written = n > 0 ? (u32)n : 0;
	return n < 0 ? result_of(errno) : OUTSIDE_OK;
}

static OutsideResult size_file(void *ctx, u64 *size)
{
	const HostFile *file = ctx;
	struct stat info;

	if (fstat(file->fd, &info))
		return result_of(errno);
	*size = (u64)info.st_size;
	return OUTSIDE_OK;
}

static OutsideResult remove_file(void *ctx, const char *name)
{
	char last[NAME_MAX + 1];
	int dir;
	OutsideResult result = locate(ctx, name, true, &dir, last);

	if (!result && unlinkat(dir, last, 0))
		result = result_of(errno);
	leave(dir);
	return result;
}

/* ---- Listing ---- */

/* Is it one that is listed? Its name is at most so long. */
static bool is_listed(int dir, const struct dirent *entry, size_t most, bool *is_folder)
{
	struct stat info;

	if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || strlen(entry->d_name) > most)
		return false;
	*is_folder = entry->d_type == DT_DIR;
	if (entry->d_type != DT_UNKNOWN)
		return *is_folder || entry->d_type == DT_REG;
	if (fstatat(dir, entry->d_name, &info, AT_SYMLINK_NOFOLLOW))
		return false;
	*is_folder = S_ISDIR(info.st_mode);
	return *is_folder || S_ISREG(info.st_mode);
}

/* Of the names in the folder, which is read from its beginning, the first behind `after`. */
static OutsideResult first_behind(DIR *stream, const char *after, size_t most, char *best, bool *best_is_folder)
{
	const struct dirent *entry;
	u32 count = 0;
	bool is_folder;

	best[0] = 0;
	while (errno = 0, (entry = readdir(stream))) {
		if (++count > FILE_LIST_MOST + 2)
			return OUTSIDE_TOO_BIG;
		if (strcmp(entry->d_name, after) <= 0 || (best[0] && strcmp(entry->d_name, best) >= 0) ||
		    !is_listed(dirfd(stream), entry, most, &is_folder))
			continue;
		memcpy(best, entry->d_name, strlen(entry->d_name) + 1);
		*best_is_folder = is_folder;
	}
	return errno ? result_of(errno) : best[0] ? OUTSIDE_OK : OUTSIDE_NOT_THERE;
}

/* The folder that holds the name, for reading, and the name there; "x/": x itself, and no name. */
static OutsideResult open_folder(const Folder *folder, const char *name, int *fd, char *last)
{
	const char *flat = name + strspn(name, "/");
	size_t len = strlen(name);
	OutsideResult result = OUTSIDE_OK;
	int dir = -1;

	last[0] = 0;
	if (!*flat) {
		*fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		result = walk(folder, name, &dir, last);
		if (!result)
			*fd = openat(dir, name[len - 1] == '/' ? last : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		leave(dir);
		if (name[len - 1] == '/')
			last[0] = 0;
	}
	return result ? result : *fd < 0 ? result_of(errno) : OUTSIDE_OK;
}

static OutsideResult next_name(void *ctx, const char *name, char *next, bool *is_folder)
{
	const char *within = name, *slash = strrchr(name, '/');
	const Folder *folder = find_folder(ctx, &within);
	size_t before = slash ? (size_t)(slash + 1 - name) : 0;
	char last[NAME_MAX + 1], found[FILE_NAME_MOST];
	OutsideResult result;
	DIR *stream;
	int fd = -1;

	if (!folder || before >= FILE_NAME_MOST - 1)
		return folder ? OUTSIDE_TOO_BIG : OUTSIDE_NOT_THERE;
	result = open_folder(folder, within, &fd, last);
	stream = result ? NULL : fdopendir(fd);
	if (!stream) {
		leave(fd);
		return result ? result : OUTSIDE_FAILED;
	}
	result = first_behind(stream, last, FILE_NAME_MOST - 1 - before, found, is_folder);
	closedir(stream);
	memcpy(next, name, before);
	memcpy(next + before, found, strlen(found) + 1);
	return result;
}

/* ---- Opening ---- */

static bool add_folder(Folders *folders, const HostFolder *given, Buf *why)
{
	Folder *folder = &folders->items[folders->count];
	size_t len = strlen(given->guest);

	while (len && given->guest[len - 1] == '/')
		len--;
	*folder = (Folder){ .guest = strndup(given->guest, len), .read_only = given->read_only };
	folder->fd = open(given->host, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder->fd < 0)
		buf_printf(why, "cannot open the folder %s: %s", given->host, strerror(errno));
	folders->count++;
	return folder->fd >= 0 && folder->guest;
}

Status folders_open(const HostFolder *given, u32 count, const MachineFolders **out, Buf *why)
{
	Folders *folders = calloc(1, sizeof *folders + count * sizeof *folders->items);

	*out = NULL;
	if (!folders)
		return STATUS_NOMEM;
	folders->refs = 1;
	folders->ops = (MachineFolders){ .ctx = folders, .ref = folders_ref, .unref = folders_unref, .open = open_file,
		.close = close_file, .read = read_file, .write = write_file, .size = size_file, .remove = remove_file,
		.next = next_name };
	for (u32 i = 0; i < count; i++) {
		if (!add_folder(folders, &given[i], why)) {
			folders_unref(folders);
			return STATUS_NOT_FOUND;
		}
	}
	*out = &folders->ops;
	return STATUS_OK;
}

void folders_close(const MachineFolders *folders)
{
	if (folders)
		folders->unref(folders->ctx);
}
