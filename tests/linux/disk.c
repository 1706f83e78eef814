/* SPDX-License-Identifier: MIT
 *
 * Writes to folders of the host until there is no more room for it (--limit disk): /out is one. Each way of making a file larger is
 * counted, and what there was room for is there. The limit is to be 60,000 bytes, of which 4096 are for each name.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"

enum { LIMIT = 60000, NAME = 4096 };

static char bytes[8192];

static long size_of(const char *path)
{
	struct stat info;

	return stat(path, &info) ? -1 : (long)info.st_size;
}

/* Uses up all but so much. */
static void leave(int fd, long *left, long rest)
{
	while (*left > rest) {
		long part = *left - rest < (long)sizeof bytes ? *left - rest : (long)sizeof bytes;

		CHECK(pwrite(fd, bytes, part, 0) == part);
		*left -= part;
	}
}

int main(void)
{
	long left = LIMIT;
	struct iovec parts[2] = {{bytes, 10}, {bytes, 10}};
	char *map;
	int fd, more;

	memset(bytes, 'x', sizeof bytes);
	CHECK((fd = open("/out/file", O_RDWR | O_CREAT, 0600)) >= 0);
	left -= NAME;
	CHECK(write(fd, bytes, 1000) == 1000);
	left -= 1000;
	CHECK(pwrite(fd, bytes, 1000, 0) == 1000); /* over what is there */
	left -= 1000;
	CHECK(pwrite(fd, bytes, 10, 1990) == 10); /* and a hole */
	left -= 1000;
	CHECK(ftruncate(fd, 3000) == 0);
	left -= 1000;
	CHECK(ftruncate(fd, 100) == 0); /* nothing comes back */
	CHECK(mkdir("/out/folder", 0700) == 0 && symlink("file", "/out/link") == 0 && link("/out/file", "/out/name") == 0);
	left -= 3 * NAME;
	FAILS(EEXIST, mkdir("/out/folder", 0700)); /* costs nothing */
	CHECK(close(open("/out/first", O_WRONLY | O_CREAT, 0600)) == 0 && rename("/out/first", "/out/other") == 0);
	left -= 2 * NAME;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 5000) == 0) /* not every file system of a host can */
		left -= 5000;
	CHECK(size_of("/out/file") == 100);
	CHECK(ftruncate(fd, 4096) == 0);
	left -= 4096 - 100;
	CHECK((map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) != MAP_FAILED);
	map[1] = 'm';
	CHECK(msync(map, 4096, MS_SYNC) == 0);
	left -= 4096; /* written a block at a time */
	CHECK(munmap(map, 4096) == 0);

	leave(fd, &left, NAME - 1);
	FAILS(ENOSPC, open("/out/new", O_WRONLY | O_CREAT, 0600));
	FAILS(ENOSPC, mkdir("/out/new", 0700));
	FAILS(ENOSPC, symlink("file", "/out/new"));
	FAILS(ENOSPC, link("/out/file", "/out/new"));
	CHECK(size_of("/out/new") == -1);
	FAILS(ENOSPC, rename("/out/name", "/out/new"));
	CHECK(rename("/out/name", "/out/other") == 0); /* that name is there */
	CHECK((more = open("/out/other", O_WRONLY | O_APPEND)) >= 0);
	leave(fd, &left, 15);
	FAILS(ENOSPC, ftruncate(fd, size_of("/out/file") + 16));
	FAILS(ENOSPC, pwrite(fd, bytes, 1, size_of("/out/file") + 15));
	CHECK(fallocate(fd, 0, 0, 100000) == -1); /* ENOSPC, or it cannot */
	CHECK(writev(more, parts, 2) == 15);
	FAILS(ENOSPC, write(more, bytes, 1));
	FAILS(ENOSPC, pwrite(fd, bytes, 1, 0));
	CHECK(write(more, bytes, 0) == 0);
	CHECK(truncate("/out/file", 0) == 0 && unlink("/out/link") == 0);
	FAILS(ENOSPC, write(more, bytes, 1));
	CHECK((fd = open("/tmp/here", O_RDWR | O_CREAT, 0600)) >= 0 && write(fd, bytes, 8192) == 8192); /* kept in memory */
	return check_end("disk");
}

/* expect 0
 * disk: all right
 */
