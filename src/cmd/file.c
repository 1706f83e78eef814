/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* O_PATH */
#include "cmd/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/prefault.h"
#include "base/strmap.h"
#include "cmd/say.h"

/* `expected`: its length, as far as is known; there may be more. */
static int read_all(int fd, const char *path, size_t expected, size_t limit, Buf *out, Buf *error)
{
	enum { STEP = 64 * 1024 };
	size_t start = out->len, step = expected + 1 > STEP ? expected + 1 : STEP;

	for (;; step = STEP) {
		ssize_t n;

		if (out->len > start && out->cap - out->len > 1)
			step = out->cap - out->len - 1; /* the room that is left: mostly there is no more to come */
		if (!buf_reserve(out, step)) {
			buf_printf(error, "%s: out of memory", path);
			return EXIT_HUSK;
		}
		prefault(out->data + out->len, expected < step ? expected : step); /* small ones: nothing */
		expected = 0;
		n = read(fd, out->data + out->len, step);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			buf_printf(error, "cannot read %s: %s", path, strerror(errno));
			return EXIT_NOT_RUNNABLE;
		}
		if (n == 0)
			break;
		out->len += (size_t)n;
		if (out->len - start > limit) {
			buf_printf(error, "%s is larger than %zu MiB", path, limit >> 20);
			return EXIT_NOT_RUNNABLE;
		}
	}
	buf_add(out, "", 0);
	out->data[out->len] = '\0';
	return 0;
}

int file_read_open(int fd, const char *path, size_t limit, Buf *out, Buf *error)
{
	struct stat info = {0};

	if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode))
		buf_printf(error, "%s is a directory", path);
	else if (S_ISREG(info.st_mode) && (u64)info.st_size > limit)
		buf_printf(error, "%s is larger than %zu MiB", path, limit >> 20);
	else
		return read_all(fd, path, S_ISREG(info.st_mode) ? (size_t)info.st_size : 0, limit, out, error);
	return EXIT_NOT_RUNNABLE;
}

int file_open(const char *path, int *fd, Buf *error)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (*fd >= 0)
		return 0;
	buf_printf(error, "cannot open %s: %s", path, strerror(errno));
	return errno == ENOENT || errno == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE;
}

int file_read(const char *path, size_t limit, Buf *out, Buf *error)
{
	int fd, code;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, "standard input", 0, limit, out, error);
	code = file_open(path, &fd, error);
	if (code)
		return code;
	code = file_read_open(fd, path, limit, out, error);
	close(fd);
	return code;
}

int file_open_beneath(const char *folder, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT};
	int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (root < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	if (fd < 0 && errno == ENOSYS) { /* before Linux 5.6: without links that begin at the root */
		path += strspn(path, "/");
		fd = openat(root, *path ? path : ".", (int)how.flags);
	}
	close(root);
	return fd;
}

bool file_is_same(const char *a, const char *b)
{
	struct stat one, two;

	return stat(a, &one) == 0 && stat(b, &two) == 0 && S_ISREG(one.st_mode) && one.st_dev == two.st_dev &&
	       one.st_ino == two.st_ino;
}

size_t file_byte_order_mark(const u8 *data, size_t len)
{
	return len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

const char *file_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool file_has_extension(const char *path, const char *extension)
{
	size_t len = strlen(path), n = strlen(extension);

	return len > n && ascii_equal_fold(path + len - n, n, extension, n);
}

void file_with_extension(const char *path, const char *extension, Buf *out)
{
	const char *base = file_base(path), *dot = strrchr(base, '.');

	buf_add(out, path, dot && dot != base ? (size_t)(dot - path) : strlen(path));
	buf_str(out, extension);
}
