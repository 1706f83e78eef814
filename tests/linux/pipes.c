/* SPDX-License-Identifier: MIT
 *
 * Pipes: full, empty, atomic, broken; vectors with bad addresses in the middle; moving between files. qemu: the same
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static volatile int broken;

static void on_pipe(int number)
{
	(void)number;
	broken++;
}

static int polled(int fd, short events)
{
	struct pollfd one = { fd, events, 0 };

	return poll(&one, 1, 0) < 0 ? -1 : one.revents;
}

static void full_and_empty(void)
{
	static char bytes[70000];
	int fds[2], pending, total = 0;
	ssize_t put;

	CHECK(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
	CHECK(fcntl(fds[0], F_GETFD) == FD_CLOEXEC && (fcntl(fds[1], F_GETFL) & O_NONBLOCK));
	CHECK((fcntl(fds[1], F_GETFL) & O_ACCMODE) == O_WRONLY);
	FAILS(EAGAIN, read(fds[0], bytes, 1));
	CHECK(polled(fds[0], POLLIN) == 0 && polled(fds[1], POLLOUT) == POLLOUT);
	while ((put = write(fds[1], bytes, 1000)) > 0)
		total += put;
	CHECK(put == -1 && total <= 65536 && total > 60000);
	CHECK(polled(fds[1], POLLOUT) == 0 && polled(fds[0], POLLIN) == POLLIN);
	CHECK(ioctl(fds[0], FIONREAD, &pending) == 0 && pending == total);
	CHECK(read(fds[0], bytes, sizeof(bytes)) == total);
	CHECK(write(fds[1], bytes, sizeof(bytes)) == 65536);
	CHECK(read(fds[0], bytes, 100) == 100);
	FAILS(EAGAIN, write(fds[1], bytes, 4096)); /* whole or not at all */
	CHECK(read(fds[0], bytes, sizeof(bytes)) == 65436);
	CHECK(write(fds[1], bytes, 0) == 0 && read(fds[0], bytes, 0) == 0);
	FAILS(EBADF, write(fds[0], bytes, 1));
	FAILS(EBADF, read(fds[1], bytes, 1));
	FAILS(ESPIPE, lseek(fds[0], 0, SEEK_CUR));
	FAILS(ESPIPE, pread(fds[0], bytes, 1, 0));
	close(fds[1]);
	CHECK(read(fds[0], bytes, 1) == 0 && polled(fds[0], POLLIN) == POLLHUP);
	close(fds[0]);
}

static void broken_pipe(void)
{
	int fds[2];

	signal(SIGPIPE, on_pipe);
	CHECK(pipe(fds) == 0);
	close(fds[0]);
	CHECK(polled(fds[1], POLLOUT) & POLLERR);
	FAILS(EPIPE, write(fds[1], "x", 1));
	CHECK(broken == 1);
	signal(SIGPIPE, SIG_IGN);
	FAILS(EPIPE, write(fds[1], "x", 1));
	close(fds[1]);
	signal(SIGPIPE, SIG_DFL);
	if (fork() == 0) {
		pipe(fds);
		close(fds[0]);
		write(fds[1], "x", 1);
		_exit(1);
	} else {
		int status;

		CHECK(wait(&status) > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	}
}

/* More than fits, between processes; the sum tells whether all came in order. */
static void stream(void)
{
	enum { SIZE = 300000 };
	static unsigned char bytes[SIZE];
	unsigned long sum = 0, wanted = 0;
	int fds[2], status;
	ssize_t got;

	for (int i = 0; i < SIZE; i++) {
		bytes[i] = (unsigned char)(i * 7 + i / 251);
		wanted = wanted * 31 + bytes[i];
	}
	CHECK(pipe(fds) == 0);
	if (fork() == 0) {
		close(fds[0]);
		_exit(write(fds[1], bytes, SIZE) == SIZE ? 0 : 1);
	}
	close(fds[1]);
	while ((got = read(fds[0], bytes, 7777)) > 0)
		for (ssize_t i = 0; i < got; i++)
			sum = sum * 31 + bytes[i];
	CHECK(got == 0 && sum == wanted);
	CHECK(wait(&status) > 0 && status == 0);
	close(fds[0]);
}

static void addresses(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *bad = page + 4096;
	char bytes[100] = "", other[100];
	struct iovec vector[3] = { { bytes, 10 }, { bad, 10 }, { bytes, 10 } };
	struct iovec far[2] = { { bytes, 1 }, { bytes, (size_t)-1 } };
	int fds[2];

	mprotect(bad, 4096, PROT_NONE);
	CHECK(pipe2(fds, O_NONBLOCK) == 0);
	FAILS(EFAULT, write(fds[1], bad, 10));
	FAILS(EFAULT, write(fds[1], (void *)-4096L, 10));
	CHECK(write(fds[1], "abcdefghijklmnopqrst", 20) == 20);
	FAILS(EFAULT, read(fds[0], bad, 10));
	CHECK(read(fds[0], bytes, 20) == 20 && !memcmp(bytes, "abcdefghijklmnopqrst", 20));
	FAILS(EINVAL, writev(fds[1], far, 2));
	FAILS(EINVAL, writev(fds[1], vector, 1025));
	FAILS(EINVAL, readv(fds[0], vector, -1));
	FAILS(EFAULT, writev(fds[1], (void *)bad, 1));
	CHECK(writev(fds[1], vector, 0) == 0);
	vector[1].iov_base = other;
	memset(other, 'o', 100);
	CHECK(writev(fds[1], vector, 3) == 30);
	memset(bytes, 0, 100);
	vector[1].iov_len = 0;
	vector[2] = (struct iovec){ bytes + 50, 50 };
	CHECK(readv(fds[0], vector, 3) == 30);
	CHECK(!memcmp(bytes, "abcdefghij", 10) && !memcmp(bytes + 50, "ooooooooooabcdefghij", 20));
	/* A buffer whose end is bad: what lies before it counts. */
	memset(page, 'p', 4096);
	CHECK(write(fds[1], "0123456789", 10) == 10);
	CHECK(read(fds[0], bytes, 10) == 10);
	close(fds[0]);
	close(fds[1]);
	munmap(page, 8192);
}

static void moving(void)
{
	int a[2], b[2], file = memfd_create("m", 0);
	char bytes[64] = "";
	off_t offset = 3;
	loff_t where = 0;

	CHECK(file >= 0 && write(file, "0123456789", 10) == 10);
	CHECK(pipe2(a, O_NONBLOCK) == 0 && pipe2(b, O_NONBLOCK) == 0);
	CHECK(sendfile(a[1], file, &offset, 4) == 4 && offset == 7 && lseek(file, 0, SEEK_CUR) == 10);
	lseek(file, 8, SEEK_SET);
	CHECK(sendfile(a[1], file, NULL, 100) == 2 && lseek(file, 0, SEEK_CUR) == 10);
	CHECK(tee(a[0], b[1], 3, 0) == 3);
	CHECK(read(b[0], bytes, 64) == 3 && !memcmp(bytes, "345", 3));
	CHECK(splice(a[0], NULL, b[1], NULL, 4, 0) == 4);
	CHECK(read(b[0], bytes, 64) == 4 && !memcmp(bytes, "3456", 4));
	CHECK(splice(a[0], NULL, file, &where, 100, 0) == 2 && where == 2);
	CHECK(pread(file, bytes, 64, 0) == 10 && !memcmp(bytes, "8923456789", 10));
	FAILS(EAGAIN, splice(a[0], NULL, b[1], NULL, 4, SPLICE_F_NONBLOCK));
	FAILS(EINVAL, splice(file, NULL, file, NULL, 4, 0));
	FAILS(ESPIPE, splice(a[0], &where, b[1], NULL, 4, 0));
	where = 1;
	CHECK(splice(file, &where, a[1], NULL, 3, 0) == 3 && where == 4);
	CHECK(read(a[0], bytes, 64) == 3 && !memcmp(bytes, "923", 3));
	FAILS(EINVAL, sendfile(file, a[0], NULL, 1));
	offset = 0;
	where = 20;
	CHECK(copy_file_range(file, &offset, file, &where, 4, 0) == 4 && offset == 4 && where == 24);
	CHECK(pread(file, bytes, 64, 18) == 6 && !memcmp(bytes, "\0\0008923", 6));
	struct iovec vector = { "vmsplice", 8 };
	CHECK(vmsplice(a[1], &vector, 1, 0) == 8 && read(a[0], bytes, 64) == 8 && !memcmp(bytes, "vmsplice", 8));
	CHECK(fcntl(a[0], F_GETPIPE_SZ) == 65536 && fcntl(a[1], F_SETPIPE_SZ, 5000) == 8192);
	CHECK(write(a[1], bytes, 64) == 64 && fcntl(a[0], F_GETPIPE_SZ) == 8192);
	close(file);
}

static void fifos(void)
{
	char bytes[8];
	int status, fd;

	unlink("/tmp/husk-test-fifo");
	CHECK(mkfifo("/tmp/husk-test-fifo", 0600) == 0);
	FAILS(ENXIO, open("/tmp/husk-test-fifo", O_WRONLY | O_NONBLOCK));
	if (fork() == 0) {
		fd = open("/tmp/husk-test-fifo", O_WRONLY); /* waits for the reader, or the reader for it */
		_exit(write(fd, "fifo", 4) == 4 ? 0 : 1);
	}
	fd = open("/tmp/husk-test-fifo", O_RDONLY);
	CHECK(fd >= 0 && read(fd, bytes, 8) == 4 && !memcmp(bytes, "fifo", 4));
	CHECK(read(fd, bytes, 8) == 0);
	CHECK(wait(&status) > 0 && status == 0);
	close(fd);
	if (fork() == 0) {
		fd = open("/tmp/husk-test-fifo", O_RDONLY);
		_exit(read(fd, bytes, 8) == 2 ? 0 : 1);
	}
	fd = open("/tmp/husk-test-fifo", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "ab", 2) == 2);
	close(fd);
	CHECK(wait(&status) > 0 && status == 0);
	unlink("/tmp/husk-test-fifo");
}

int main(void)
{
	full_and_empty();
	broken_pipe();
	stream();
	addresses();
	moving();
	fifos();
	return check_end("pipes");
}

/* expect 0
 * pipes: all right
 */
