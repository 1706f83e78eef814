/* SPDX-License-Identifier: MIT
 *
 * Programs of which only the beginning is read: a program that starts and ends touches little of its file, and memory for the rest
 * would take longer to get than the program runs. A Linux program's pages are read where they are touched; what needs the whole file
 * (its names, a snapshot) has it read then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/file.h"
#include "cmd/load.h"
#include "guests/guests.h"
#include "linux/elf.h"

enum { HEAD = 4096, PAGE = 4096 };

bool load_is_for_linux(const LoadedFile *file)
{
	const GuestFile seen = {.name = file->name, .data = file->data.data, .len = file->waits ? HEAD : file->data.len};

	if (!elf_is(seen.data, seen.len))
		return false;
	for (const Guest *const *guest = guests_all; *guest; guest++)
		if ((*guest)->is_linux && (*guest)->recognize(&seen))
			return true;
	return false;
}

/* Bytes from there on, fewer at the end; < 0: -errno. */
static i64 read_at(int fd, u8 *to, u64 len, u64 offset)
{
	u64 done = 0;

	while (done < len) {
		const ssize_t got = pread(fd, to + done, len - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (u64)got;
	}
	return (i64)done;
}

i64 load_file_read(void *ctx, void *to, u64 len, u64 offset)
{
	const LoadedFile *file = ctx;
	const u64 left = offset < file->data.len ? file->data.len - offset : 0;

	len = len < left ? len : left;
	if (file->waits)
		return read_at(file->fd, to, len, offset);
	memcpy(to, file->data.data + (len ? offset : 0), len);
	return (i64)len;
}

void load_file_close(LoadedFile *file)
{
	if (file->waits)
		close(file->fd);
	file->waits = false;
}

/* A file that has become shorter is not the program any more. */
bool load_file_all(LoadedFile *file)
{
	if (!file->waits)
		return true;
	if (read_at(file->fd, file->data.data, file->data.len, 0) != (i64)file->data.len)
		return false;
	memset(file->data.data + file->data.len, 0, PAGE);
	load_file_close(file);
	return true;
}

static bool rest_all(void *ctx)
{
	return load_file_all(ctx);
}

/* Room for `size` bytes, and behind them for the rest of their page; the first of them are read. False: it has to be read whole. */
static bool begin(LoadedFile *file, int fd, u64 size)
{
	if (size < HEAD || !buf_reserve(&file->data, size + PAGE) || read_at(fd, file->data.data, HEAD, 0) != HEAD)
		return false;
	file->data.len = size;
	file->fd = fd;
	file->waits = true;
	file->rest = (GuestFileRest){.ctx = file, .read = load_file_read, .all = rest_all};
	if (load_is_for_linux(file))
		return true;
	file->waits = false;
	buf_clear(&file->data);
	return false;
}

int load_file_open(LoadedFile *file, int fd, const char *path, Buf *error)
{
	struct stat info;
	int code;

	buf_clear(&file->data);
	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (u64)info.st_size <= FILE_LIMIT && begin(file, fd, (u64)info.st_size))
		return 0;
	code = file_read_open(fd, path, FILE_LIMIT, &file->data, error);
	close(fd);
	return code;
}
