/* SPDX-License-Identifier: MIT
 *
 * The virtual file system against those who want out, and what programs rely on. The host's tree for each test:
 *
 *     FOLDER/outside/secret      what must never be seen (mode 600, "secret\n")
 *     FOLDER/root/               --root; hostile links in it
 *     FOLDER/mount/              --dir, seen as /m
 *     FOLDER/ro/                 --dir ...:ro, seen as /ro
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "linux_vfs.h"
#include "base/rng.h"
#include "linux/vfs_content.h"

static Rig rig;
static char path_buffer[8][512];

/* A path below the test's folder. */
static const char *in(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *in(const char *format, ...)
{
	static u32 at;
	char *to = path_buffer[at++ % COUNT_OF(path_buffer)];
	int len = sprintf(to, "%s/", rig.folder);
	va_list args;

	va_start(args, format);
	vsnprintf(to + len, sizeof(path_buffer[0]) - (size_t)len, format, args);
	va_end(args);
	return to;
}

/* A file that is given to the kernel. */
static Status give(const char *path, const char *text, bool stays, u32 mode)
{
	const GuestFile file = {.data = (const u8 *)text, .len = strlen(text), .stays = stays};

	return vfs_add_file(rig.kernel, path, &file, mode);
}

static void put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static const char *host_text(const char *path)
{
	static char text[65536];
	int fd = open(path, O_RDONLY);
	ssize_t got;

	if (fd < 0)
		return NULL;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got < 0 ? 0 : got] = 0;
	return text;
}

static void make_host(void)
{
	static const char *const folders[] = {"outside", "root", "root/etc", "root/usr", "mount", "mount/sub", "ro", "ro/sub"};

	memset(&rig, 0, sizeof(rig));
	rig_folder(&rig);
	umask(0);
	for (u32 i = 0; i < COUNT_OF(folders); i++)
		assert_int_equal(mkdir(in("%s", folders[i]), 0755), 0);
	put_file(in("outside/secret"), "secret\n", 0600);
	put_file(in("root/etc/passwd"), "inside\n", 0644);
	put_file(in("mount/file"), "mounted\n", 0644);
	put_file(in("ro/file"), "fixed\n", 0644);
}

static void start(bool writable)
{
	static char root[128], mount[128], ro[128];
	static LinuxMount mounts[2];
	LinuxConfig config = {.root = root, .root_writable = writable, .mounts = mounts, .mount_count = 2,
			      .storage_limit = 8 << 20};

	strcpy(root, in("root"));
	strcpy(mount, in("mount"));
	strcpy(ro, in("ro"));
	mounts[0] = (LinuxMount){mount, "/m", false};
	mounts[1] = (LinuxMount){ro, "/ro", true};
	rig_start(&rig, &config);
}

static int teardown(void **state)
{
	(void)state;
	if (rig.machine)
		rig_stop(&rig);
	rig_remove(&rig);
	return 0;
}

static void is_text(const char *path, const char *expected)
{
	i64 error;
	const char *text = rig_slurp(&rig, path, &error);

	if (error)
		fail_msg("%s: %s", path, strerror((int)-error));
	assert_string_equal(text, expected);
}

static void is_error(i64 expected, i64 got)
{
	if (expected != got)
		fail_msg("expected %s, got %lld (%s)", strerror((int)-expected), (long long)got,
			 got < 0 ? strerror((int)-got) : "");
}

/* Whatever this path gives, it is not the secret. */
static void no_secret(const char *path)
{
	i64 error;
	const char *text = rig_slurp(&rig, path, &error);

	if (text && strstr(text, "secret"))
		fail_msg("%s leads outside", path);
}

static void put_text(const char *path, const char *text)
{
	i64 fd = rig_open(&rig, path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror((int)-fd));
	assert_int_equal(rig_write(&rig, fd, text, strlen(text)), (i64)strlen(text));
	rig_close(&rig, fd);
}

/* ---- Ways out ---- */

static void test_links(void **state)
{
	static const char *const folders[] = {"root", "mount", "ro"};
	static const char *const guest[] = {"", "/m", "/ro"};
	char target[600];

	(void)state;
	make_host();
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(symlink(in("outside/secret"), in("%s/absolute", folders[i])), 0);
		assert_int_equal(symlink("../outside/secret", in("%s/relative", folders[i])), 0);
		assert_int_equal(symlink("../../../../../../../../../../../../../../etc/passwd", in("%s/dots", folders[i])), 0);
		assert_int_equal(symlink("../outside", in("%s/folder", folders[i])), 0);
		assert_int_equal(symlink("/proc/self/root", in("%s/magic", folders[i])), 0);
		assert_int_equal(symlink("loop2", in("%s/loop1", folders[i])), 0);
		assert_int_equal(symlink("loop1", in("%s/loop2", folders[i])), 0);
		assert_int_equal(symlink("self", in("%s/self", folders[i])), 0);
		snprintf(target, sizeof(target), "/proc/self/root%s/outside/secret", rig.folder);
		assert_int_equal(symlink(target, in("%s/deep", folders[i])), 0);
		assert_int_equal(symlink("/proc/self/cwd/../outside/secret", in("%s/cwd", folders[i])), 0);
		assert_int_equal(symlink("/dev/fd/3", in("%s/fd", folders[i])), 0);
	}
	start(true);
	for (u32 i = 0; i < 3; i++) {
		static const char *const names[] = {"absolute", "relative", "dots", "folder/secret", "magic", "deep", "cwd", "fd",
						    "magic/outside/secret", "../outside/secret", "sub/../../outside/secret",
						    "folder/../outside/secret", "dots/../../../outside/secret"};
		char path[256];

		for (u32 j = 0; j < COUNT_OF(names); j++) {
			snprintf(path, sizeof(path), "%s/%s", guest[i], names[j]);
			no_secret(path);
		}
		snprintf(path, sizeof(path), "%s/loop1", guest[i]);
		is_error(-ELOOP, rig_open(&rig, path, O_RDONLY, 0));
		snprintf(path, sizeof(path), "%s/self/x", guest[i]);
		is_error(-ELOOP, rig_open(&rig, path, O_RDONLY, 0));
		/* It leads to the guest's own. */
		snprintf(path, sizeof(path), "%s/dots", guest[i]);
		is_text(path, "inside\n");
	}
	no_secret(in("outside/secret"));
	is_error(-ENOENT, rig_open(&rig, in("outside/secret"), O_RDONLY, 0));
	/* A file made through a link is made in the guest's tree. */
	is_error(-ENOENT, rig_open(&rig, "/m/absolute", O_CREAT | O_WRONLY, 0644));
	is_error(-ENOENT, rig_open(&rig, "/m/relative", O_CREAT | O_WRONLY | O_TRUNC, 0644));
	assert_string_equal(host_text(in("outside/secret")), "secret\n");
}

static void test_forty_links(void **state)
{
	char name[32], target[32];

	(void)state;
	make_host();
	start(true);
	put_text("/tmp/0", "end");
	for (int i = 1; i <= 45; i++) {
		sprintf(name, "/tmp/%d", i);
		sprintf(target, "%d", i - 1);
		assert_int_equal(rig_symlink(&rig, target, AT, name), 0);
	}
	is_text("/tmp/40", "end");
	is_error(-ELOOP, rig_open(&rig, "/tmp/41", O_RDONLY, 0));
}

static void test_names(void **state)
{
	char name[300], path[5000];

	(void)state;
	make_host();
	start(true);
	memset(name, 'n', sizeof(name));
	for (int i = 0; i < 2; i++) {
		const char *base = i ? "/m/" : "/tmp/";
		RigStat stat;

		name[255] = 0;
		sprintf(path, "%s%s", base, name);
		put_text(path, "long");
		is_text(path, "long");
		name[255] = 'n';
		name[256] = 0;
		sprintf(path, "%s%s", base, name);
		is_error(-ENAMETOOLONG, rig_open(&rig, path, O_CREAT | O_WRONLY, 0644));
		is_error(-ENAMETOOLONG, rig_stat(&rig, AT, path, 0, &stat));
		sprintf(path, "%sa\nb\t\x01\xFF\\", base);
		put_text(path, "odd");
		is_text(path, "odd");
	}
	memset(path, '/', sizeof(path));
	path[4095] = 0;
	assert_true(rig_open(&rig, path, O_RDONLY, 0) >= 0);
	path[4095] = '/';
	path[4096] = 0;
	is_error(-ENAMETOOLONG, rig_open(&rig, path, O_RDONLY, 0));
	/* An address that is none. */
	is_error(-EFAULT, rig_call(&rig, sys_openat, (u64)AT, 0, 0, 0, 0));
	is_error(-EFAULT, rig_call(&rig, sys_mkdirat, (u64)AT, ~(u64)0, 0, 0, 0));
}

static void test_special_files(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	RigStat stat;
	int fd;

	(void)state;
	make_host();
	assert_int_equal(mkfifo(in("mount/fifo"), 0666), 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(address.sun_path, in("mount/socket"));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	start(true);
	is_error(-ENXIO, rig_open(&rig, "/m/fifo", O_RDONLY, 0));
	is_error(-ENXIO, rig_open(&rig, "/m/socket", O_RDWR, 0));
	assert_int_equal(rig_stat(&rig, AT, "/m/fifo", 0, &stat), 0);
	assert_int_equal(stat.mode & S_IFMT, S_IFIFO);
	is_error(-EPERM, rig_path(&rig, sys_mknodat, AT, "/m/new", S_IFIFO | 0644, 0));
	is_error(-EPERM, rig_path(&rig, sys_mknodat, AT, "/tmp/null", S_IFCHR | 0666, 0x103));
	assert_int_equal(rig_path(&rig, sys_mknodat, AT, "/tmp/fifo", S_IFIFO | 0666, 0), 0);
	{
		RigStat by_path;
		i64 opened = rig_open(&rig, "/tmp/fifo", O_RDWR, 0);

		assert_int_equal(rig_stat(&rig, AT, "/tmp/fifo", 0, &by_path), 0);
		assert_int_equal(rig_stat(&rig, opened, "", AT_EMPTY_PATH, &stat), 0);
		assert_int_equal(stat.inode, by_path.inode);
		assert_int_equal(stat.device, by_path.device);
		is_error(-ENOTDIR, rig_open(&rig, "/tmp/fifo", O_RDONLY | O_DIRECTORY, 0));
	}
	/* No rights that outlast the guest. */
	assert_int_equal(rig_path(&rig, sys_fchmodat, AT, "/m/file", 06755, 0), 0);
	{
		struct stat host;

		assert_int_equal(lstat(in("mount/file"), &host), 0);
		assert_int_equal(host.st_mode & 07777, 0755);
	}
	close(fd);
}

static void test_read_only(void **state)
{
	i64 fd, path_fd;
	char link[64];
	u64 times;

	(void)state;
	make_host();
	start(false);
	for (int i = 0; i < 2; i++) {
		const char *file = i ? "/ro/file" : "/etc/passwd", *dir = i ? "/ro/sub" : "/usr", *new = i ? "/ro/new" : "/etc/new";

		is_error(-EROFS, rig_open(&rig, file, O_WRONLY, 0));
		is_error(-EROFS, rig_open(&rig, file, O_RDWR, 0));
		is_error(-EROFS, rig_open(&rig, file, O_RDONLY | O_TRUNC, 0));
		is_error(-EROFS, rig_open(&rig, new, O_CREAT | O_WRONLY, 0644));
		is_error(-EROFS, rig_open(&rig, dir, O_TMPFILE | O_RDWR, 0644));
		is_error(-EROFS, rig_path(&rig, sys_mkdirat, AT, new, 0755, 0));
		is_error(-EROFS, rig_path(&rig, sys_mknodat, AT, new, S_IFIFO | 0644, 0));
		is_error(-EROFS, rig_path(&rig, sys_unlinkat, AT, file, 0, 0));
		is_error(-EROFS, rig_path(&rig, sys_unlinkat, AT, dir, AT_REMOVEDIR, 0));
		is_error(-EROFS, rig_symlink(&rig, "x", AT, new));
		is_error(-EROFS, rig_two(&rig, sys_linkat, AT, file, AT, new, 0));
		is_error(-EROFS, rig_two(&rig, sys_renameat2, AT, file, AT, new, 0));
		is_error(-EROFS, rig_path(&rig, sys_fchmodat, AT, file, 0777, 0));
		is_error(-EROFS, rig_path(&rig, sys_fchownat, AT, file, 0, 0));
		is_error(-EROFS, rig_path(&rig, sys_faccessat, AT, file, W_OK, 0));
		rig.at = RIG_BASE;
		times = rig_text(&rig, file);
		is_error(-EROFS, rig_call(&rig, sys_truncate, times, 0, 0, 0, 0));
		is_error(-EROFS, rig_call(&rig, sys_utimensat, (u64)AT, times, 0, 0, 0));
		fd = rig_open(&rig, file, O_RDONLY, 0);
		assert_true(fd >= 0);
		is_error(-EBADF, rig_write(&rig, fd, "x", 1));
		is_error(-EINVAL, rig_call(&rig, sys_ftruncate, (u64)fd, 0, 0, 0, 0));
		is_error(-EBADF, rig_call(&rig, sys_fallocate, (u64)fd, 0, 0, 10, 0));
		is_error(-EROFS, rig_call(&rig, sys_fchmod, (u64)fd, 0777, 0, 0, 0));
		is_error(-EROFS, rig_call(&rig, sys_fchown, (u64)fd, 1, 1, 0, 0));
		/* With more rights, by the descriptor's name. */
		sprintf(link, "/proc/self/fd/%d", (int)fd);
		is_error(-EROFS, rig_open(&rig, link, O_RDWR, 0));
		sprintf(link, "/dev/fd/%d", (int)fd);
		is_error(-EROFS, rig_open(&rig, link, O_WRONLY | O_TRUNC, 0));
		path_fd = rig_open(&rig, file, O_PATH, 0);
		sprintf(link, "/proc/thread-self/fd/%d", (int)path_fd);
		is_error(-EROFS, rig_open(&rig, link, O_WRONLY, 0));
		is_error(-EBADF, rig_call(&rig, sys_ftruncate, (u64)path_fd, 0, 0, 0, 0));
		is_error(-EBADF, rig_call(&rig, sys_fchmod, (u64)path_fd, 0777, 0, 0, 0));
		/* Shared memory that may be written. */
		is_error(-EACCES, mm_map(rig.task->process->mm, 0, 4096, 3, 1, fds_file(rig.task, (i32)fd), 0));
	}
	assert_string_equal(host_text(in("ro/file")), "fixed\n");
	assert_string_equal(host_text(in("root/etc/passwd")), "inside\n");
	/* What is given nevertheless may be written. */
	put_text("/tmp/x", "x");
	put_text("/dev/shm/x", "x");
	put_text("/m/x", "x");
	assert_string_equal(host_text(in("mount/x")), "x");
}

static void test_mounts(void **state)
{
	RigStat stat;
	i64 fd;

	(void)state;
	make_host();
	start(true);
	/* `..` of a mount is the folder around it; nothing is above the root. */
	is_text("/m/../etc/passwd", "inside\n");
	is_text("/m/sub/../../m/file", "mounted\n");
	is_text("/../../../etc/passwd", "inside\n");
	no_secret("/m/../outside/secret");
	fd = rig_open(&rig, "/m", O_RDONLY | O_DIRECTORY, 0);
	assert_int_equal(rig_stat(&rig, fd, "../etc/passwd", 0, &stat), 0);
	is_error(-ENOENT, rig_stat(&rig, fd, "../outside", 0, &stat));
	/* Nothing crosses mounts, and mount points stay. */
	is_error(-EXDEV, rig_two(&rig, sys_linkat, AT, "/m/file", AT, "/tmp/l", 0));
	is_error(-EXDEV, rig_two(&rig, sys_linkat, AT, "/etc/passwd", AT, "/m/l", 0));
	is_error(-EXDEV, rig_two(&rig, sys_renameat2, AT, "/m/file", AT, "/file", 0));
	is_error(-EBUSY, rig_two(&rig, sys_renameat2, AT, "/m", AT, "/n", 0));
	is_error(-EBUSY, rig_path(&rig, sys_unlinkat, AT, "/m", AT_REMOVEDIR, 0));
	is_error(-EPERM, rig_two(&rig, sys_mount, AT, "/m", AT, "/n", 0));
	/* What the program is given at a path in a folder of the host does not get into that. */
	assert_int_equal(give("/m/deep/er/program", "prog", false, 0755), STATUS_OK);
	assert_int_equal(give("/m/file", "other", false, 0755), STATUS_OK);
	is_text("/m/deep/er/program", "prog");
	is_text("/m/file", "other");
	assert_string_equal(host_text(in("mount/file")), "mounted\n");
	assert_int_not_equal(access(in("mount/deep"), F_OK), 0);
}

static void test_chroot(void **state)
{
	RigStat stat;
	i64 outer, fd;
	char text[512];

	(void)state;
	make_host();
	start(true);
	assert_int_equal(rig_path(&rig, sys_mkdirat, AT, "/tmp/jail", 0755, 0), 0);
	assert_int_equal(rig_path(&rig, sys_mkdirat, AT, "/tmp/jail/in", 0755, 0), 0);
	assert_int_equal(rig_symlink(&rig, "/etc/passwd", AT, "/tmp/jail/link"), 0);
	outer = rig_open(&rig, "/", O_RDONLY | O_DIRECTORY, 0);
	rig.at = RIG_BASE;
	assert_int_equal(rig_call(&rig, sys_chroot, rig_text(&rig, "/tmp/jail"), 0, 0, 0, 0), 0);
	rig.at = RIG_BASE;
	assert_int_equal(rig_call(&rig, sys_chdir, rig_text(&rig, "/"), 0, 0, 0, 0), 0);
	is_error(-ENOENT, rig_open(&rig, "/etc/passwd", O_RDONLY, 0));
	is_error(-ENOENT, rig_open(&rig, "/link", O_RDONLY, 0));
	is_error(-ENOENT, rig_open(&rig, "../../etc/passwd", O_RDONLY, 0));
	/* Root gets out of it, as on Linux, by a descriptor from before: but only into the guest's own tree. */
	assert_int_equal(rig_call(&rig, sys_fchdir, (u64)outer, 0, 0, 0, 0), 0);
	is_text("etc/passwd", "inside\n");
	no_secret("../../../../../../outside/secret");
	no_secret(in("outside/secret") + 1);
	assert_true(rig_call(&rig, sys_getcwd, RIG_BASE, 512, 0, 0, 0) > 0);
	assert_true(user_read(rig.task, RIG_BASE, text, sizeof(text)));
	assert_string_equal(text, "(unreachable)/");
	fd = rig_open(&rig, ".", O_RDONLY | O_DIRECTORY, 0);
	for (int i = 0; i < 5; i++) {
		i64 up = rig_open_at(&rig, fd, "..", O_RDONLY | O_DIRECTORY, 0);

		assert_true(up >= 0);
		rig_close(&rig, fd);
		fd = up;
	}
	assert_int_equal(rig_stat(&rig, fd, "etc/passwd", 0, &stat), 0);
	is_error(-ENOENT, rig_stat(&rig, fd, rig.folder + 1, 0, &stat));
}

/* ---- Others at work in the folder meanwhile ---- */

typedef struct Racer {
	pthread_t thread;
	atomic_bool stop;
	char folder[128];
	u64 rounds;
} Racer;

static void *race(void *ctx)
{
	Racer *racer = ctx;
	char a[160], b[160], c[160];

	snprintf(a, sizeof(a), "%s/sub", racer->folder);
	snprintf(b, sizeof(b), "%s/.link", racer->folder);
	snprintf(c, sizeof(c), "%s/.aside", racer->folder);
	if (symlink("../outside", b))
		return NULL;
	/* The folder and a link that leads out change places, in one step and in two. */
	while (!atomic_load(&racer->stop)) {
		if (racer->rounds++ % 2) {
			renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
		} else {
			rename(a, c);
			rename(b, a);
			rename(c, b);
		}
	}
	return NULL;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void test_race(void **state)
{
	Racer racer = {.rounds = 0};
	double end;
	u64 found = 0, tries = 0;
	i64 dir;

	(void)state;
	make_host();
	put_file(in("mount/sub/secret"), "harmless\n", 0644);
	put_file(in("outside/victim"), "untouched\n", 0644);
	strcpy(racer.folder, in("mount"));
	start(true);
	dir = rig_open(&rig, "/m/sub", O_RDONLY | O_DIRECTORY, 0);
	assert_true(dir >= 0);
	assert_int_equal(pthread_create(&racer.thread, NULL, race, &racer), 0);
	for (end = seconds() + 1; seconds() < end; tries++) {
		RigStat stat;
		i64 error, fd;
		const char *text = rig_slurp(&rig, "/m/sub/secret", &error);

		if (text && strcmp(text, "harmless\n") && strcmp(text, ""))
			fail_msg("it read '%s'", text);
		found += text != NULL;
		fd = rig_open(&rig, "/m/sub/made", O_CREAT | O_WRONLY, 0644);
		if (fd >= 0)
			rig_close(&rig, fd);
		rig_path(&rig, sys_unlinkat, AT, "/m/sub/victim", 0, 0);
		rig_path(&rig, sys_fchmodat, AT, "/m/sub/victim", 0777, 0);
		rig_two(&rig, sys_renameat2, AT, "/m/sub/victim", AT, "/m/taken", 0);
		rig_two(&rig, sys_renameat2, AT, "/m/sub/made", AT, "/m/sub/made2", 0);
		rig_stat(&rig, dir, "secret", 0, &stat);
		rig_stat(&rig, AT, "/m/sub/..", 0, &stat);
		rig_path(&rig, sys_unlinkat, AT, "/m/sub/made2", 0, 0);
	}
	atomic_store(&racer.stop, true);
	pthread_join(racer.thread, NULL);
	assert_true(tries > 20);
	assert_string_equal(host_text(in("outside/victim")), "untouched\n");
	assert_string_equal(host_text(in("outside/secret")), "secret\n");
	assert_int_not_equal(access(in("outside/made"), F_OK), 0);
	assert_int_not_equal(access(in("outside/made2"), F_OK), 0);
	assert_int_not_equal(access(in("mount/taken"), F_OK), 0);
	(void)found;
}

static void test_host_changes(void **state)
{
	i64 fd, error;
	char text[64];
	int fd_in;

	(void)state;
	make_host();
	start(true);
	is_text("/m/file", "mounted\n");
	put_file(in("mount/file"), "changed outside\n", 0644);
	is_text("/m/file", "changed outside\n");
	put_file(in("mount/new"), "another\n", 0644);
	assert_int_equal(rename(in("mount/new"), in("mount/file")), 0);
	is_text("/m/file", "another\n");
	/* An open file stays what it was. */
	fd = rig_open(&rig, "/m/file", O_RDONLY, 0);
	assert_int_equal(unlink(in("mount/file")), 0);
	assert_int_equal(rig_read(&rig, fd, text, sizeof(text)), 8);
	assert_null(rig_slurp(&rig, "/m/file", &error));
	is_error(-ENOENT, error);
	rig_close(&rig, fd);
	/* A folder that went is gone for those who are in it. */
	fd = rig_open(&rig, "/m/sub", O_RDONLY | O_DIRECTORY, 0);
	assert_int_equal(rmdir(in("mount/sub")), 0);
	is_error(-ENOENT, rig_open_at(&rig, fd, "x", O_CREAT | O_WRONLY, 0644));
	/* A file that others truncate while it is mapped shared. */
	put_file(in("mount/map"), "0123456789", 0644);
	fd = rig_open(&rig, "/m/map", O_RDWR, 0);
	assert_int_equal(mm_map(rig.task->process->mm, 0x400000, 8192, 3, 0x11, fds_file(rig.task, (i32)fd), 0), 0x400000);
	assert_true(user_write(rig.task, 0x400000, "A", 1));
	fd_in = open(in("mount/map"), O_WRONLY | O_TRUNC);
	close(fd_in);
	assert_true(user_read(rig.task, 0x400000, text, 10));
	assert_memory_equal(text, "A123456789", 10);
	assert_true(user_write(rig.task, 0x400000, "B", 1));
}

/* ---- What programs rely on ---- */

static void test_shared_maps(void **state)
{
	char text[64];
	i64 fd, again;
	u64 before;

	(void)state;
	make_host();
	start(true);
	before = rig.kernel->storage;
	for (int i = 0; i < 2; i++) {
		const char *path = i ? "/m/shared" : "/tmp/shared";
		u64 at = 0x400000 + (u64)i * 0x10000;
		Mm *mm = rig.task->process->mm;

		put_text(path, "0123456789");
		fd = rig_open(&rig, path, O_RDWR, 0);
		again = rig_open(&rig, path, O_RDWR, 0);
		assert_int_equal(mm_map(mm, at, 4096, 3, 0x11, fds_file(rig.task, (i32)fd), 0), (i64)at);
		assert_int_equal(mm_map(mm, at + 0x2000, 4096, 3, 0x11, fds_file(rig.task, (i32)again), 0), (i64)at + 0x2000);
		assert_true(user_write(rig.task, at + 1, "map", 3));
		assert_true(user_read(rig.task, at + 0x2000, text, 10));
		assert_memory_equal(text, "0map456789", 10);
		assert_int_equal(rig_read(&rig, again, text, 64), 10);
		assert_memory_equal(text, "0map456789", 10);
		assert_int_equal(rig_call(&rig, sys_lseek, (u64)again, 4, 0, 0, 0), 4);
		assert_int_equal(rig_write(&rig, again, "CALL", 4), 4);
		assert_true(user_read(rig.task, at, text, 10));
		assert_memory_equal(text, "0mapCALL89", 10);
		assert_int_equal(rig_call(&rig, sys_fsync, (u64)fd, 0, 0, 0, 0), 0);
		if (i)
			assert_string_equal(host_text(in("mount/shared")), "0mapCALL89");
		rig_close(&rig, fd);
		rig_close(&rig, again);
		assert_true(user_write(rig.task, at + 8, "xy", 2));
		mm_unmap(mm, at, 4096);
		mm_unmap(mm, at + 0x2000, 4096);
		is_text(path, "0mapCALLxy");
		if (i)
			assert_string_equal(host_text(in("mount/shared")), "0mapCALLxy");
		assert_int_equal(rig_path(&rig, sys_unlinkat, AT, path, 0, 0), 0);
	}
	assert_int_equal(rig.kernel->storage, before);
}

static void test_storage(void **state)
{
	char block[16384], path[64];
	u64 before, count = 0;
	i64 fd, put = 0;

	(void)state;
	make_host();
	start(true);
	before = rig.kernel->storage;
	memset(block, 1, sizeof(block));
	/* Bytes, holes, names, nodes, record locks: all ends at the limit, and comes back. */
	fd = rig_open(&rig, "/tmp/big", O_CREAT | O_RDWR, 0644);
	while ((put = rig_write(&rig, fd, block, sizeof(block))) > 0)
		count += (u64)put;
	is_error(-ENOSPC, put);
	assert_true(count > (6 << 20) && count <= (8 << 20) && rig.kernel->storage <= (8 << 20));
	put = 0;
	for (int i = 0; i < 10 && !put; i++) {
		sprintf(path, "/tmp/d%d", i);
		put = rig_path(&rig, sys_mkdirat, AT, path, 0755, 0);
	}
	is_error(-ENOSPC, put);
	assert_int_equal(rig_call(&rig, sys_ftruncate, (u64)fd, 0, 0, 0, 0), 0);
	assert_int_equal(rig_call(&rig, sys_ftruncate, (u64)fd, (u64)1 << 60, 0, 0, 0), 0);
	assert_int_equal(rig_call(&rig, sys_lseek, (u64)fd, ((u64)1 << 60) - 5, 0, 0, 0), ((i64)1 << 60) - 5);
	assert_int_equal(rig_write(&rig, fd, "end", 3), 3);
	assert_true(rig.kernel->storage < before + 65536);
	is_error(-ENOSPC, rig_call(&rig, sys_fallocate, (u64)fd, 0, 0, (u64)1 << 40, 0));
	is_error(-EFBIG, rig_call(&rig, sys_fallocate, (u64)fd, 0, (u64)INT64_MAX - 10, 100, 0));
	rig_close(&rig, fd);
	assert_int_equal(rig_path(&rig, sys_unlinkat, AT, "/tmp/big", 0, 0), 0);
	for (count = 0; count < 100000; count++) {
		snprintf(path, sizeof(path), "/tmp/n%llu", (unsigned long long)count);
		if (rig_path(&rig, sys_mknodat, AT, path, S_IFREG | 0644, 0))
			break;
	}
	assert_true(count > 1000 && count < 100000);
	while (count-- > 0) {
		snprintf(path, sizeof(path), "/tmp/n%llu", (unsigned long long)count);
		assert_int_equal(rig_path(&rig, sys_unlinkat, AT, path, 0, 0), 0);
	}
	for (int i = 0; i < 10; i++) {
		sprintf(path, "/tmp/d%d", i);
		rig_path(&rig, sys_unlinkat, AT, path, AT_REMOVEDIR, 0);
	}
	assert_int_equal(rig.kernel->storage, before);
}

/* As deep as storage allows: nothing recurses. */
static void test_deep(void **state)
{
	i64 fd, next;
	u64 depth = 0;

	(void)state;
	make_host();
	start(true);
	fd = rig_open(&rig, "/tmp", O_RDONLY | O_DIRECTORY, 0);
	while (rig_path(&rig, sys_mkdirat, fd, "d", 0755, 0) == 0) {
		next = rig_open_at(&rig, fd, "d", O_RDONLY | O_DIRECTORY, 0);
		assert_true(next >= 0);
		rig_close(&rig, fd);
		fd = next;
		depth++;
	}
	assert_true(depth > 10000);
	assert_int_equal(rig_call(&rig, sys_fchdir, (u64)fd, 0, 0, 0, 0), 0);
	is_error(-ENAMETOOLONG, rig_call(&rig, sys_getcwd, RIG_BASE, 65536, 0, 0, 0));
}

static void test_folder_stream(void **state)
{
	char path[64];
	i64 fd, got, seen = 0;
	u8 bytes[4096];

	(void)state;
	make_host();
	for (int i = 0; i < 100; i++)
		put_file(in("root/usr/f%03d", i), "x", 0644);
	start(true);
	/* Made, changed and removed while the folder is read: what was there throughout is seen once. */
	fd = rig_open(&rig, "/usr", O_RDONLY | O_DIRECTORY, 0);
	for (int round = 0;; round++) {
		got = rig_call(&rig, sys_getdents64, (u64)fd, RIG_BASE + 0x20000, 256, 0, 0);
		assert_true(got >= 0);
		if (!got)
			break;
		assert_true(user_read(rig.task, RIG_BASE + 0x20000, bytes, (u64)got));
		for (i64 at = 0; at < got; at += bytes[at + 16] | bytes[at + 17] << 8) {
			const char *name = (const char *)bytes + at + 19;

			seen += name[0] == 'f' && name[3] != '7';
			if (name[0] == 'f' && name[3] != '7') {
				snprintf(path, sizeof(path), "/usr/%s", name);
				put_text(path, "changed"); /* comes up into the tree */
			}
		}
		snprintf(path, sizeof(path), "/usr/new%d", round);
		if (round < 50)
			put_text(path, "new");
		snprintf(path, sizeof(path), "/usr/f%02d7", round % 10);
		rig_path(&rig, sys_unlinkat, AT, path, 0, 0);
	}
	assert_int_equal(seen, 90);
	/* From a place that was told. */
	assert_int_equal(rig_call(&rig, sys_lseek, (u64)fd, 0, 0, 0, 0), 0);
	got = rig_call(&rig, sys_getdents64, (u64)fd, RIG_BASE + 0x20000, 128, 0, 0);
	assert_true(got > 0 && user_read(rig.task, RIG_BASE + 0x20000, bytes, (u64)got));
	is_error(-EINVAL, rig_call(&rig, sys_getdents64, (u64)fd, RIG_BASE + 0x20000, 10, 0, 0));
	is_error(-EFAULT, rig_call(&rig, sys_getdents64, (u64)fd, 8, 4096, 0, 0));
	assert_string_equal(host_text(in("root/usr/f001")), "x");
}

static i64 set_lock(Task *task, i64 fd, u32 command, i16 type, i64 from, i64 len)
{
	u8 text[32] = {0};
	u64 args[6] = {(u64)fd, command, RIG_BASE};

	memcpy(text, &type, 2);
	memcpy(text + 8, &from, 8);
	memcpy(text + 16, &len, 8);
	memset(&task->call, 0, sizeof(task->call));
	assert_true(user_write(rig.task, RIG_BASE, text, 32));
	return vfs_fcntl_lock(task, fds_file(task, (i32)fd), (u32)args[1], args[2]);
}

static void test_locks(void **state)
{
	Process other_process;
	Task other;
	i64 fd, fd2;
	u64 before;

	(void)state;
	make_host();
	start(true);
	put_text("/tmp/lock", "0123456789");
	before = rig.kernel->storage;
	fd = rig_open(&rig, "/tmp/lock", O_RDWR, 0);
	fd2 = rig_open(&rig, "/tmp/lock", O_RDWR, 0);
	/* flock is of the open file. */
	assert_int_equal(rig_call(&rig, sys_flock, (u64)fd, 2, 0, 0, 0), 0);
	is_error(-EAGAIN, rig_call(&rig, sys_flock, (u64)fd2, 1 | 4, 0, 0, 0));
	assert_int_equal(rig_call(&rig, sys_flock, (u64)fd2, 1, 0, 0, 0), CALL_WAIT);
	task_unwatch(rig.task);
	assert_int_equal(rig_call(&rig, sys_flock, (u64)fd, 1, 0, 0, 0), 0);
	assert_int_equal(rig_call(&rig, sys_flock, (u64)fd2, 1 | 4, 0, 0, 0), 0);
	is_error(-EAGAIN, rig_call(&rig, sys_flock, (u64)fd, 2 | 4, 0, 0, 0));
	rig_close(&rig, fd2);
	assert_int_equal(rig_call(&rig, sys_flock, (u64)fd, 2 | 4, 0, 0, 0), 0);
	/* Records are of the process: one beside the first, with the same files and memory. */
	other_process = *rig.task->process;
	other_process.pid = 77;
	other = *rig.task;
	other.process = &other_process;
	assert_int_equal(set_lock(rig.task, fd, 6, 1, 0, 10), 0);
	is_error(-EAGAIN, set_lock(&other, fd, 6, 0, 9, 5));
	assert_int_equal(set_lock(&other, fd, 6, 0, 10, 5), 0);
	assert_int_equal(set_lock(rig.task, fd, 6, 2, 3, 4), 0); /* a hole in the middle */
	assert_int_equal(set_lock(&other, fd, 6, 1, 3, 4), 0);
	is_error(-EAGAIN, set_lock(&other, fd, 6, 1, 2, 1));
	is_error(-EAGAIN, set_lock(&other, fd, 6, 1, 7, 1));
	is_error(-EINVAL, set_lock(rig.task, fd, 6, 1, -5, 2));
	is_error(-EOVERFLOW, set_lock(rig.task, fd, 6, 1, INT64_MAX, 2));
	vfs_closed(&other_process, fds_file(rig.task, (i32)fd));
	assert_int_equal(set_lock(rig.task, fd, 6, 1, 0, 0), 0);
	rig_close(&rig, fd);
	assert_int_equal(rig.kernel->storage, before);
}

/* Somebody who is not root. */
static void test_user(void **state)
{
	static char root[128];
	LinuxConfig config = {.root = root, .root_writable = true, .user = 1000, .group = 1000};
	RigStat stat;
	i64 fd;

	(void)state;
	make_host();
	put_file(in("root/etc/shadow"), "hidden\n", 0640);
	put_file(in("root/etc/program"), "#!/bin/sh\n", 0644);
	assert_int_equal(mkdir(in("root/closed"), 0700), 0);
	put_file(in("root/closed/file"), "x", 0644);
	strcpy(root, in("root"));
	rig_start(&rig, &config);
	assert_int_equal(rig_stat(&rig, AT, "/etc/shadow", 0, &stat), 0);
	if (stat.user == 1000) /* run by that user */
		return;
	is_text("/etc/passwd", "inside\n");
	is_error(-EACCES, rig_open(&rig, "/etc/shadow", O_RDONLY, 0));
	is_error(-EACCES, rig_open(&rig, "/etc/passwd", O_WRONLY, 0));
	is_error(-EACCES, rig_open(&rig, "/etc/new", O_CREAT | O_WRONLY, 0644));
	is_error(-EACCES, rig_path(&rig, sys_unlinkat, AT, "/etc/passwd", 0, 0));
	is_error(-EACCES, rig_two(&rig, sys_renameat2, AT, "/etc/passwd", AT, "/etc/p", 0));
	is_error(-EACCES, rig_stat(&rig, AT, "/closed/file", 0, &stat));
	is_error(-EPERM, rig_path(&rig, sys_fchmodat, AT, "/etc/passwd", 0777, 0));
	is_error(-EPERM, rig_path(&rig, sys_fchownat, AT, "/etc/passwd", 1000, 1000));
	is_error(-EACCES, rig_path(&rig, sys_faccessat, AT, "/etc/passwd", X_OK, 0));
	fd = rig_open(&rig, "/etc/passwd", O_RDONLY, 0);
	is_error(-EPERM, rig_call(&rig, sys_fchmod, (u64)fd, 0777, 0, 0, 0));
	is_error(-EACCES, rig_open(&rig, "/proc/self/fd/3", O_RDWR, 0));
	/* What is its own it may do with as it likes; in /tmp nothing of others. */
	put_text("/tmp/mine", "mine");
	assert_int_equal(rig_path(&rig, sys_fchmodat, AT, "/tmp/mine", 0, 0), 0);
	is_error(-EACCES, rig_open(&rig, "/tmp/mine", O_RDONLY, 0));
	assert_int_equal(rig_path(&rig, sys_unlinkat, AT, "/tmp/mine", 0, 0), 0);
	assert_int_equal(give("/tmp/other", "x", false, 0666), STATUS_OK);
	is_error(-EPERM, rig_path(&rig, sys_unlinkat, AT, "/tmp/other", 0, 0));
	rig.at = RIG_BASE;
	is_error(-EPERM, rig_call(&rig, sys_chroot, rig_text(&rig, "/tmp"), 0, 0, 0, 0));
}

/* A file that is read when it is looked at: of `source`, and all of it into `room`. */
typedef struct Later {
	const u8 *source;
	u8 *room;
	u64 len;
} Later;

static i64 later_read(void *ctx, void *to, u64 len, u64 offset)
{
	const Later *later = ctx;
	const u64 left = offset < later->len ? later->len - offset : 0;

	len = len < left ? len : left;
	memcpy(to, later->source + (len ? offset : 0), len);
	return (i64)len;
}

static bool later_all(void *ctx)
{
	const Later *later = ctx;

	memcpy(later->room, later->source, later->len);
	memset(later->room + later->len, 0, CONTENT_PAGE - later->len % CONTENT_PAGE);
	return true;
}

/* A content that was lent is like one that was written, whatever is done to it, and what was lent stays as it is. */
static void test_content_lent(void **state)
{
	enum { MOST = 5 * CONTENT_PAGE };
	static u8 bytes[MOST], before[MOST], room[MOST + CONTENT_PAGE], a[MOST * 2], b[MOST * 2];
	Later later = {.source = bytes, .room = room};
	const GuestFileRest rest = {.ctx = &later, .read = later_read, .all = later_all};
	Rng rng = {7};

	(void)state;
	make_host();
	start(true);
	for (u32 i = 0; i < MOST; i++)
		bytes[i] = (u8)rng_next(&rng);
	memcpy(before, bytes, MOST);
	for (u32 round = 0; round < 300; round++) {
		const u64 len = rng_below(&rng, 4) ? rng_below(&rng, MOST) + 1 : (rng_below(&rng, 5) + 1) * CONTENT_PAGE;
		const u64 storage = rig.kernel->storage;
		const GuestFile given = {.data = round % 2 ? room : bytes, .len = len, .rest = round % 2 ? &rest : NULL};
		Content lent = {0}, written = {0};

		memset(room, 0xEE, sizeof room);
		later.len = len;
		assert_true(content_lend(rig.kernel, &lent, &given));
		assert_int_equal((rig.kernel->storage - storage), lent.pages * CONTENT_PAGE);
		assert_int_equal(content_write(rig.kernel, &written, bytes, len, 0), len);
		for (u32 step = 0; step < 6; step++) {
			const u64 at = rng_below(&rng, MOST + CONTENT_PAGE), n = rng_below(&rng, 2 * CONTENT_PAGE);
			u64 page = at / CONTENT_PAGE, other = page;
			const u8 *p = content_page(&lent, &page), *q = content_page(&written, &other);

			assert_int_equal(lent.size, written.size);
			assert_int_equal(lent.pages, written.pages);
			memset(a, 1, sizeof a);
			memset(b, 1, sizeof b);
			assert_int_equal(content_read(&lent, a, n, at), content_read(&written, b, n, at));
			assert_memory_equal(a, b, sizeof a);
			assert_int_equal(content_next_data(&lent, at), content_next_data(&written, at));
			assert_int_equal(!p, !q);
			if (p) {
				assert_int_equal(page, other);
				assert_memory_equal(p, q, CONTENT_PAGE);
			}
			if (rng_below(&rng, 4) == 0) {
				assert_true(content_resize(rig.kernel, &lent, at));
				assert_true(content_resize(rig.kernel, &written, at));
			} else if (rng_below(&rng, 4) == 0) {
				assert_int_equal(content_write(rig.kernel, &lent, bytes, n, at), n);
				assert_int_equal(content_write(rig.kernel, &written, bytes, n, at), n);
			}
		}
		content_fini(rig.kernel, &lent);
		content_fini(rig.kernel, &written);
		assert_int_equal(rig.kernel->storage, storage);
	}
	assert_memory_equal(bytes, before, MOST);
	/* As a file. */
	assert_int_equal(give("/tmp/lent", "program", true, 0666), STATUS_OK);
	is_text("/tmp/lent", "program");
	put_text("/tmp/lent", "changed");
	is_text("/tmp/lent", "changed");
}

static void test_proc(void **state)
{
	char text[256];
	i64 error, fd;

	(void)state;
	make_host();
	start(true);
	assert_int_equal(rig_readlink(&rig, AT, "/proc/self", text, sizeof(text)), 1);
	assert_string_equal(text, "1");
	assert_non_null(strstr(rig_slurp(&rig, "/proc/self/status", &error), "Pid:\t1\n"));
	assert_non_null(strstr(rig_slurp(&rig, "/proc/cpuinfo", &error), "rv64"));
	assert_non_null(strstr(rig_slurp(&rig, "/proc/mounts", &error), " /m "));
	assert_non_null(strstr(rig_slurp(&rig, "/proc/self/maps", &error), "00100000-00200000"));
	fd = rig_open(&rig, "/etc/passwd", O_RDONLY, 0);
	sprintf(text, "/proc/self/fd/%d", (int)fd);
	is_text(text, "inside\n");
	assert_int_equal(rig_readlink(&rig, AT, text, text, sizeof(text)), 11);
	assert_string_equal(text, "/etc/passwd");
	fd = rig_open(&rig, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
	assert_string_equal(rig_names(&rig, fd, 4096), "./../0/1/2/3/4/");
	is_error(-ENOENT, rig_open(&rig, "/proc/99", O_RDONLY, 0));
	is_error(-ENOENT, rig_open(&rig, "/proc/01", O_RDONLY, 0));
	is_error(-ENOENT, rig_open(&rig, "/proc/self/fd/-1", O_RDONLY, 0));
	is_error(-ENOENT, rig_open(&rig, "/proc/self/fd/99999999999999999999", O_RDONLY, 0));
	is_error(-EACCES, rig_open(&rig, "/proc/version", O_WRONLY, 0));
	is_error(-EPERM, rig_path(&rig, sys_mkdirat, AT, "/proc/new", 0755, 0));
	is_text("/proc/self/root/etc/passwd", "inside\n");
	is_text("/proc/self/cwd/etc/passwd", "inside\n");
}

static void test_changes(void **state)
{
	static char root[128], changes[128];
	LinuxConfig config = {.root = root, .root_writable = true, .root_changes = changes};
	RigStat stat;
	i64 error;

	(void)state;
	make_host();
	put_file(in("root/etc/other"), "below\n", 0644);
	strcpy(root, in("root"));
	strcpy(changes, in("changes"));
	rig_start(&rig, &config);
	put_text("/etc/new \n\\", "new");
	put_text("/etc/other", "above\n");
	assert_int_equal(rig_two(&rig, sys_linkat, AT, "/etc/new \n\\", AT, "/hard", 0), 0);
	assert_int_equal(rig_two(&rig, sys_renameat2, AT, "/etc", AT, "/moved", 0), 0);
	assert_int_equal(rig_path(&rig, sys_fchmodat, AT, "/moved", 0700, 0), 0);
	assert_int_equal(rig_symlink(&rig, "moved/passwd", AT, "/link"), 0);
	assert_int_equal(rig_path(&rig, sys_mkdirat, AT, "/etc", 0755, 0), 0);
	assert_int_equal(rig_path(&rig, sys_unlinkat, AT, "/usr", AT_REMOVEDIR, 0), 0);
	assert_int_equal(give("/given", "x", false, 0755), STATUS_OK);
	rig_stop(&rig);
	rig_start(&rig, &config);
	is_text("/link", "inside\n");
	is_text("/moved/other", "above\n");
	is_text("/moved/new \n\\", "new");
	put_text("/hard", "both");
	is_text("/moved/new \n\\", "both");
	is_error(-ENOENT, rig_open(&rig, "/etc/passwd", O_RDONLY, 0));
	is_error(-ENOENT, rig_stat(&rig, AT, "/usr", 0, &stat));
	is_error(-ENOENT, rig_stat(&rig, AT, "/given", 0, &stat));
	assert_int_equal(rig_stat(&rig, AT, "/moved", 0, &stat), 0);
	assert_int_equal(stat.mode, S_IFDIR | 0700);
	rig_stop(&rig);
	assert_string_equal(host_text(in("root/etc/other")), "below\n");
	rig_start(&rig, &config);
	is_text("/moved/new \n\\", "both");
	rig_slurp(&rig, "/etc/passwd", &error);
	is_error(-ENOENT, error);
}

/* An index that somebody has damaged: refused or taken, never worse. */
static void test_changes_damaged(void **state)
{
	static char root[128], changes[128], good[65536], bad[65536];
	static const char *const lines[] = {
		"d 9 x 755 0 0 1 1 1 1 5 -\n", "d 0 .. 755 0 0 1 1 1 1 5 -\n", "d 0 a/b 755 0 0 1 1 1 1 5 -\n",
		"h 0 x 5\n", "f 0 x 644 0 0 1 1 1 1 9 ../../outside/secret -\n", "f 0 x 644 0 0 1 1 1 1 9 - /../outside/secret\n",
		"d 0 x 755 0 0 1 1 1 1 9 /..\n", "q 0 x\n", "w 0\n", "d 0 \\999 755 0 0 1 1 1 1 5 -\n", "l 0 y 777 0 0 1 1 1 1 9 - -\n",
	};
	LinuxConfig config = {.root = root, .root_writable = true, .root_changes = changes};
	DiagList diags;
	Rng rng = {5};

	(void)state;
	make_host();
	strcpy(root, in("root"));
	strcpy(changes, in("changes"));
	rig_start(&rig, &config);
	put_text("/etc/new", "new");
	rig_symlink(&rig, "to", AT, "/etc/link");
	rig_path(&rig, sys_mkdirat, AT, "/dir", 0755, 0);
	rig_stop(&rig);
	strcpy(good, host_text(in("changes/husk-changes")));
	assert_non_null(strstr(good, "end\n"));
	for (u32 i = 0; i < 400; i++) {
		MachineConfig machine = {.isa = rig.isa, .guest = &rig_guest, .memory_limit = 64u << 20};

		strcpy(bad, good);
		if (i < COUNT_OF(lines)) {
			strcpy(strstr(bad, "end\n"), lines[i]);
			strcat(bad, "end\n");
		} else {
			for (u64 n = 1 + rng_below(&rng, 3); n-- > 0;)
				bad[rng_below(&rng, strlen(good))] = (char)(1 + rng_below(&rng, 126));
		}
		put_file(in("changes/husk-changes"), bad, 0600);
		diag_init(&diags);
		assert_int_equal(machine_create(&machine, &rig.machine, &diags), STATUS_OK);
		assert_int_equal(linux_create(rig.machine, &rv64_abi), STATUS_OK);
		if (linux_configure(rig.machine, &config, &diags)) {
			assert_true(diags.errors > 0);
			assert_string_equal(host_text(in("changes/husk-changes")), bad);
		} else if (i < COUNT_OF(lines)) {
			rig.kernel = kernel_of(rig.machine);
			assert_int_equal(process_create_init(rig.kernel, &rig.task), STATUS_OK);
			assert_int_equal(mm_map(rig.task->process->mm, RIG_BASE, RIG_SIZE, 3, 0x32, NULL, 0), RIG_BASE);
			no_secret("/x");
			no_secret("/x/outside/secret");
		}
		rig_stop(&rig);
		diag_fini(&diags);
	}
}

static void test_many_host_folders(void **state)
{
	char path[128];
	RigStat stat;
	i64 fds[200];

	(void)state;
	make_host();
	for (int i = 0; i < 200; i++) {
		assert_int_equal(mkdir(in("mount/d%d", i), 0755), 0);
		put_file(in("mount/d%d/f", i), "x", 0644);
	}
	start(true);
	/* More folders than may be open at the host; all stay usable. */
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 200; i++) {
			sprintf(path, "/m/d%d", i);
			if (!round)
				fds[i] = rig_open(&rig, path, O_RDONLY | O_DIRECTORY, 0);
			assert_int_equal(rig_stat(&rig, fds[i], "f", 0, &stat), 0);
		}
	}
	{
		int used = 0;

		for (int fd = 0; fd < 1024; fd++)
			used += fcntl(fd, F_GETFD) >= 0;
		assert_true(used < 150);
	}
	/* Renamed and moved about. */
	assert_int_equal(rig_two(&rig, sys_renameat2, AT, "/m/d7", AT, "/m/d8/d7", 0), 0);
	assert_int_equal(rig_stat(&rig, fds[7], "f", 0, &stat), 0);
	is_error(-EINVAL, rig_two(&rig, sys_renameat2, AT, "/m/d8", AT, "/m/d8/d7/d8", 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_links), TEST(test_forty_links), TEST(test_names), TEST(test_special_files), TEST(test_read_only),
		TEST(test_mounts), TEST(test_chroot), TEST(test_race), TEST(test_host_changes), TEST(test_shared_maps),
		TEST(test_storage), TEST(test_deep), TEST(test_folder_stream), TEST(test_locks), TEST(test_user),
		TEST(test_content_lent), TEST(test_proc),
		TEST(test_changes), TEST(test_changes_damaged), TEST(test_many_host_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
