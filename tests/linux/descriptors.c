/* SPDX-License-Identifier: MIT
 *
 * Tables of descriptors: copies, closing on exec, ranges, fcntl, limits; positions; addresses.
 * Linux itself gives the same; qemu-user differs where an address is bad.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void copies(void)
{
	int fd = memfd_create("copies", 0), copy, high;
	char bytes[10];

	CHECK((copy = dup(fd)) == fd + 1);
	CHECK(write(fd, "abc", 3) == 3 && lseek(copy, 0, SEEK_CUR) == 3); /* one position */
	CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(copy, F_GETFD) == 0); /* two flags */
	CHECK((high = fcntl(fd, F_DUPFD_CLOEXEC, 100)) == 100 && fcntl(high, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(fd, F_DUPFD, 100) == 101);
	CHECK(dup2(fd, fd) == fd && dup2(fd, 50) == 50 && dup2(fd, 50) == 50);
	FAILS(EINVAL, dup3(fd, fd, 0));
	FAILS(EBADF, dup(999));
	FAILS(EBADF, dup2(fd, -1));
	FAILS(EINVAL, fcntl(fd, F_DUPFD, -1));
	FAILS(EBADF, close(999));
	FAILS(EBADF, fcntl(999, F_GETFL));
	FAILS(EINVAL, fcntl(fd, 12345));
	CHECK(close_range(fd, 101, 0) == 0);
	FAILS(EBADF, read(50, bytes, 1));
	FAILS(EINVAL, close_range(10, 9, 0));
	CHECK(dup(0) == fd); /* the lowest is taken */
	CHECK(close_range(fd, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
}

static void positions(void)
{
	int fd = memfd_create("positions", 0);
	struct iovec pieces[2];
	char bytes[20] = "";

	CHECK(write(fd, "0123456789", 10) == 10);
	CHECK(lseek(fd, 4, SEEK_SET) == 4 && lseek(fd, -2, SEEK_CUR) == 2 && lseek(fd, -1, SEEK_END) == 9);
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, lseek(fd, 0, 99));
	CHECK(read(fd, bytes, 20) == 1 && read(fd, bytes, 20) == 0);
	CHECK(pread(fd, bytes, 3, 2) == 3 && !memcmp(bytes, "234", 3) && lseek(fd, 0, SEEK_CUR) == 10);
	FAILS(EINVAL, pread(fd, bytes, 3, -1));
	CHECK(pwrite(fd, "xy", 2, 12) == 2 && lseek(fd, 0, SEEK_CUR) == 10);
	CHECK(pread(fd, bytes, 20, 9) == 5 && !memcmp(bytes, "9\0\0xy", 5));
	pieces[0] = (struct iovec){ bytes, 2 };
	pieces[1] = (struct iovec){ bytes + 10, 3 };
	CHECK(preadv(fd, pieces, 2, 1) == 5 && !memcmp(bytes, "12", 2) && !memcmp(bytes + 10, "345", 3));
	CHECK(preadv2(fd, pieces, 2, -1, 0) == 4 && lseek(fd, 0, SEEK_CUR) == 14);
	FAILS(EOPNOTSUPP, preadv2(fd, pieces, 2, 0, 0x4000000));
	CHECK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
	CHECK((fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE)) == (O_APPEND | O_NONBLOCK | O_RDWR));
	lseek(fd, 0, SEEK_SET);
	CHECK(write(fd, "end", 3) == 3 && lseek(fd, 0, SEEK_CUR) == 17);
	close(fd);
}

/* A buffer whose end is not there: what lies before it counts. */
static void addresses(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("addresses", 0);
	struct iovec pieces[3] = { { page, 4 }, { page + 4096, 4 }, { page, 4 } };

	mprotect(page + 4096, 4096, PROT_NONE);
	memset(page, 'a', 4096);
	CHECK(write(fd, page + 4090, 20) == 6);
	FAILS(EFAULT, write(fd, page + 4096, 1));
	CHECK(pwritev(fd, pieces, 3, 0) == 4);
	CHECK(pread(fd, page + 4094, 6, 0) == 2);
	FAILS(EFAULT, pread(fd, (void *)8, 6, 0));
	FAILS(EFAULT, syscall(SYS_read, fd, page, -1L));
	mprotect(page, 4096, PROT_READ);
	FAILS(EFAULT, pread(fd, page, 6, 0));
	close(fd);
	munmap(page, 8192);
}

static void limits(void)
{
	struct rlimit limit = { 64, 64 }, size = { 1000, RLIM_INFINITY };
	int last = -1, fd, count = 0, fds[2];

	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	while ((fd = dup(0)) >= 0) {
		last = fd;
		count++;
	}
	CHECK(last == 63 && count > 50);
	FAILS(EMFILE, dup(0));
	FAILS(EMFILE, pipe(fds));
	FAILS(EMFILE, open("/", O_RDONLY));
	close(last);
	FAILS(EMFILE, pipe(fds)); /* one of the two */
	CHECK(dup(0) == last);
	FAILS(EBADF, dup2(0, 64));
	FAILS(EINVAL, fcntl(0, F_DUPFD, 64));
	close_range(3, UINT_MAX, 0);
	fd = memfd_create("size", 0);
	signal(SIGXFSZ, SIG_IGN);
	CHECK(setrlimit(RLIMIT_FSIZE, &size) == 0);
	char bytes[600];
	CHECK(write(fd, bytes, 600) == 600 && write(fd, bytes, 600) == 400);
	FAILS(EFBIG, write(fd, bytes, 600));
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc > 1) /* after exec: the first was to stay, the second to close */
		return fcntl(atoi(argv[1]), F_GETFD) == 0 && fcntl(atoi(argv[2]), F_GETFD) == -1 ? 0 : 1;
	close_range(3, UINT_MAX, 0);
	copies();
	positions();
	addresses();
	if (fork() == 0) {
		char stays[20], goes[20];

		sprintf(stays, "%d", dup(0));
		sprintf(goes, "%d", fcntl(0, F_DUPFD_CLOEXEC, 0));
		execl("/proc/self/exe", argv[0], stays, goes, NULL);
		_exit(1);
	}
	int status;
	CHECK(wait(&status) > 0 && status == 0);
	limits();
	return check_end("descriptors");
}

/* expect 0
 * descriptors: all right
 */
