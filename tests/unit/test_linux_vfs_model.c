/* SPDX-License-Identifier: MIT
 *
 * The same random operations on a folder of the host, by its own system calls, and on each backend of the virtual file
 * system: every result and errno must be the same, and in the end the whole tree. Links and paths with ".." may leave
 * the folder; it lies deep below others that exist on both sides, and they cannot leave those.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/syscall.h>

#include "base/rng.h"
#include "linux_vfs.h"

enum { DEPTH = 45, STEPS = 1500 };

typedef struct Model {
	Rig rig;
	int host;       /* the oracle's folder */
	i64 guest;      /* descriptor inside */
	Rng rng;
	char log[4096]; /* the last operation */
} Model;

static const char *component(Model *model)
{
	static const char *const names[] = {"a", "b", "c", "d", "a", "b", "c", ".", "..", "longer-name"};

	return names[rng_below(&model->rng, COUNT_OF(names))];
}

static void make_path(Model *model, char *to)
{
	u64 count = 1 + rng_below(&model->rng, 3);

	to[0] = 0;
	for (u64 i = 0; i < count; i++) {
		if (i)
			strcat(to, rng_below(&model->rng, 20) ? "/" : "//");
		strcat(to, component(model));
	}
	if (!rng_below(&model->rng, 12))
		strcat(to, "/");
	if (!rng_below(&model->rng, 100))
		to[0] = 0;
}

static i64 host(long result)
{
	return result < 0 ? -errno : result;
}

static void same(Model *model, i64 expected, i64 got)
{
	if (expected != got)
		fail_msg("%s: host %lld (%s), guest %lld (%s)", model->log, (long long)expected,
			 expected < 0 ? strerror((int)-expected) : "", (long long)got, got < 0 ? strerror((int)-got) : "");
}

static void both_open(Model *model, const char *path)
{
	static const u32 extras[] = {0, O_CREAT, O_CREAT, O_CREAT, O_CREAT | O_EXCL, O_TRUNC, O_CREAT | O_TRUNC, O_APPEND,
				     O_DIRECTORY, O_NOFOLLOW, O_CREAT | O_NOFOLLOW, O_PATH, O_PATH | O_NOFOLLOW, O_CREAT | O_APPEND};
	u32 flags = extras[rng_below(&model->rng, COUNT_OF(extras))] | (u32)rng_below(&model->rng, 3);
	u32 mode = rng_below(&model->rng, 2) ? 0644 : 0755;
	char bytes[3000], back[3000];
	int mine;
	i64 theirs, expected;

	sprintf(model->log, "open(%s, 0%o)", path, flags);
	mine = openat(model->host, path, (int)flags, mode);
	expected = mine < 0 ? -errno : 0;
	theirs = rig_open_at(&model->rig, model->guest, path, flags, mode);
	same(model, expected, theirs < 0 ? theirs : 0);
	if (mine < 0)
		return;
	for (u64 i = rng_below(&model->rng, 4); i-- > 0;) {
		size_t len = 1 + rng_below(&model->rng, sizeof(bytes));
		u64 at = rng_below(&model->rng, 9000);

		memset(bytes, (int)rng_below(&model->rng, 256), len);
		switch (rng_below(&model->rng, 5)) {
		case 0:
			same(model, host(write(mine, bytes, len)), rig_write(&model->rig, theirs, bytes, len));
			break;
		case 1:
			expected = host(read(mine, bytes, len));
			same(model, expected, rig_read(&model->rig, theirs, back, len));
			if (expected > 0)
				assert_memory_equal(bytes, back, (size_t)expected);
			break;
		case 2:
			same(model, host(lseek(mine, (off_t)at, SEEK_SET)),
			     rig_call(&model->rig, sys_lseek, (u64)theirs, at, 0, 0, 0));
			break;
		case 3:
			same(model, host(ftruncate(mine, (off_t)at)), rig_call(&model->rig, sys_ftruncate, (u64)theirs, at, 0, 0, 0));
			break;
		default:
			model->rig.at = RIG_BASE + 0x20000;
			expected = host(pwrite(mine, bytes, len, (off_t)at));
			same(model, expected, rig_call(&model->rig, sys_pwrite64, (u64)theirs,
						       rig_put(&model->rig, bytes, len), len, at, 0));
		}
	}
	close(mine);
	assert_int_equal(rig_close(&model->rig, theirs), 0);
}

static void same_stat(Model *model, const struct stat *mine, const RigStat *theirs)
{
	if (mine->st_mode != theirs->mode)
		fail_msg("%s: host mode %o, guest %o", model->log, mine->st_mode, theirs->mode);
	if (S_ISREG(mine->st_mode) || S_ISLNK(mine->st_mode)) {
		same(model, mine->st_size, theirs->size);
		same(model, (i64)mine->st_nlink, (i64)theirs->links);
	}
}

static void step(Model *model)
{
	static const u64 rename_flags[] = {0, 0, 0, 0, 1, 2};
	Rig *rig = &model->rig;
	char path[256], other[256], target[300], theirs_text[300];
	struct stat mine;
	RigStat theirs;
	u64 kind = rng_below(&model->rng, 17), flags;
	i64 expected, size;

	make_path(model, path);
	make_path(model, other);
	switch (kind) {
	case 0:
	case 1:
		sprintf(model->log, "mkdir(%s)", path);
		expected = host(mkdirat(model->host, path, 0755));
		same(model, expected, rig_path(rig, sys_mkdirat, model->guest, path, 0755, 0));
		break;
	case 2:
		sprintf(model->log, "rmdir(%s)", path);
		expected = host(unlinkat(model->host, path, AT_REMOVEDIR));
		same(model, expected, rig_path(rig, sys_unlinkat, model->guest, path, AT_REMOVEDIR, 0));
		break;
	case 3:
		sprintf(model->log, "unlink(%s)", path);
		expected = host(unlinkat(model->host, path, 0));
		same(model, expected, rig_path(rig, sys_unlinkat, model->guest, path, 0, 0));
		break;
	case 4:
		strcpy(target, component(model));
		if (rng_below(&model->rng, 2) && strcmp(target, ".."))
			sprintf(target + strlen(target), "/%s", rng_below(&model->rng, 2) ? "a" : "b");
		sprintf(model->log, "symlink(%s, %s)", target, path);
		expected = host(symlinkat(target, model->host, path));
		same(model, expected, rig_symlink(rig, target, model->guest, path));
		break;
	case 5:
		flags = rng_below(&model->rng, 2) ? AT_SYMLINK_FOLLOW : 0;
		sprintf(model->log, "link(%s, %s, %llx)", path, other, (unsigned long long)flags);
		expected = host(linkat(model->host, path, model->host, other, (int)flags));
		same(model, expected, rig_two(rig, sys_linkat, model->guest, path, model->guest, other, flags));
		break;
	case 6:
	case 7:
	case 8:
		flags = rename_flags[rng_below(&model->rng, COUNT_OF(rename_flags))];
		sprintf(model->log, "rename(%s, %s, %llu)", path, other, (unsigned long long)flags);
		expected = host(syscall(SYS_renameat2, model->host, path, model->host, other, flags));
		same(model, expected, rig_two(rig, sys_renameat2, model->guest, path, model->guest, other, flags));
		break;
	case 9:
		flags = rng_below(&model->rng, 2) ? AT_SYMLINK_NOFOLLOW : 0;
		sprintf(model->log, "stat(%s, %llx)", path, (unsigned long long)flags);
		expected = host(fstatat(model->host, path, &mine, (int)flags));
		same(model, expected, rig_stat(rig, model->guest, path, (u32)flags, &theirs));
		if (!expected)
			same_stat(model, &mine, &theirs);
		break;
	case 10:
		sprintf(model->log, "readlink(%s)", path);
		size = host(readlinkat(model->host, path, target, sizeof(target) - 1));
		same(model, size, rig_readlink(rig, model->guest, path, theirs_text, sizeof(theirs_text)));
		if (size >= 0)
			assert_memory_equal(target, theirs_text, (size_t)size);
		break;
	case 11:
		flags = rng_below(&model->rng, 2) ? 0700 : 0755;
		sprintf(model->log, "chmod(%s, %llo)", path, (unsigned long long)flags);
		expected = host(fchmodat(model->host, path, (mode_t)flags, 0));
		same(model, expected, rig_path(rig, sys_fchmodat, model->guest, path, flags, 0));
		break;
	case 12:
		sprintf(model->log, "access(%s)", path);
		expected = host(syscall(SYS_faccessat, model->host, path, R_OK));
		same(model, expected, rig_path(rig, sys_faccessat, model->guest, path, R_OK, 0));
		break;
	default:
		both_open(model, path);
	}
}

static i64 guest_folder(Model *model, const char *base)
{
	i64 fd = rig_open(&model->rig, base, O_RDONLY | O_DIRECTORY, 0);

	assert_true(fd >= 0);
	for (int i = 0; i < DEPTH; i++) {
		i64 next, error = rig_path(&model->rig, sys_mkdirat, fd, "w", 0755, 0);

		if (error && error != -EEXIST)
			fail_msg("mkdir: %lld", (long long)error);
		next = rig_open_at(&model->rig, fd, "w", O_RDONLY | O_DIRECTORY, 0);
		assert_true(next >= 0);
		rig_close(&model->rig, fd);
		fd = next;
	}
	return fd;
}

static int host_folder(const char *base)
{
	int fd = open(base, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	for (int i = 0; i < DEPTH; i++) {
		int next;

		mkdirat(fd, "w", 0755);
		next = openat(fd, "w", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	return fd;
}

static const char *host_names(int dir)
{
	static char text[65536];
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY);
	DIR *stream = fdopendir(fd);
	char *names[4096];
	size_t count = 0, len = 0;

	for (struct dirent *entry; (entry = readdir(stream)) && count < COUNT_OF(names);)
		names[count++] = strdup(entry->d_name);
	closedir(stream);
	qsort(names, count, sizeof(*names), rig_by_name);
	text[0] = 0;
	for (size_t i = 0; i < count; i++) {
		len += (size_t)sprintf(text + len, "%s/", names[i]);
		free(names[i]);
	}
	return text;
}

static void same_tree(Model *model, int mine, i64 theirs)
{
	static char bytes[65536], back[65536];
	char *names = strdup(host_names(mine)), *save = NULL;

	sprintf(model->log, "the tree");
	rig_call(&model->rig, sys_lseek, (u64)theirs, 0, 0, 0, 0);
	assert_string_equal(names, rig_names(&model->rig, theirs, 200));
	rig_call(&model->rig, sys_lseek, (u64)theirs, 0, 0, 0, 0);
	assert_string_equal(names, rig_names(&model->rig, theirs, 4096));
	for (char *name = strtok_r(names, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		struct stat stat;
		RigStat other;

		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		sprintf(model->log, "the tree, %s", name);
		assert_int_equal(fstatat(mine, name, &stat, AT_SYMLINK_NOFOLLOW), 0);
		same(model, 0, rig_stat(&model->rig, theirs, name, AT_SYMLINK_NOFOLLOW, &other));
		same_stat(model, &stat, &other);
		if (S_ISDIR(stat.st_mode)) {
			int fd = openat(mine, name, O_RDONLY | O_DIRECTORY);
			i64 fd2 = rig_open_at(&model->rig, theirs, name, O_RDONLY | O_DIRECTORY, 0);

			assert_true(fd >= 0 && fd2 >= 0);
			same_tree(model, fd, fd2);
			close(fd);
			rig_close(&model->rig, fd2);
		} else if (S_ISREG(stat.st_mode)) {
			int fd = openat(mine, name, O_RDONLY);
			i64 fd2 = rig_open_at(&model->rig, theirs, name, O_RDONLY, 0);
			i64 got = read(fd, bytes, sizeof(bytes));

			same(model, got, rig_read(&model->rig, fd2, back, sizeof(back)));
			assert_memory_equal(bytes, back, (size_t)got);
			close(fd);
			rig_close(&model->rig, fd2);
		}
	}
	free(names);
}

/* Operations before, on the host alone, that both sides then find: for the overlay. */
static void populate(int fd, u64 seed)
{
	Rng rng = {seed};
	static const char *const names[] = {"a", "b", "c", "a/a", "a/b", "b/a", "b/c", "a/a/a", "a/a/b", "c/a", "d"};

	for (u32 i = 0; i < COUNT_OF(names); i++) {
		switch (rng_below(&rng, 5)) {
		case 0:
		case 1:
			mkdirat(fd, names[i], 0755);
			break;
		case 2:
			if (symlinkat(rng_below(&rng, 2) ? "a" : "b/c", fd, names[i]))
				break;
			break;
		default: {
			int file = openat(fd, names[i], O_CREAT | O_WRONLY, 0644);

			if (file >= 0) {
				if (write(file, "below", 5 - rng_below(&rng, 3)) < 0)
					abort();
				close(file);
			}
		}
		}
	}
}

static void run_model(const char *base, u64 seed, u32 steps)
{
	static Model zero;
	Model model = zero;
	char oracle[128], lower[128], folder[128];
	LinuxMount mount = {.host = folder, .guest = "/h"};
	LinuxConfig config = {.root = lower, .root_writable = true, .mounts = &mount, .mount_count = 1};
	int fd;

	model.rng.state = seed;
	umask(0);
	rig_folder(&model.rig);
	sprintf(oracle, "%s/oracle", model.rig.folder);
	sprintf(lower, "%s/lower", model.rig.folder);
	sprintf(folder, "%s/mount", model.rig.folder);
	mkdir(oracle, 0755);
	mkdir(lower, 0755);
	mkdir(folder, 0755);
	model.host = host_folder(oracle);
	if (!strcmp(base, "/")) {
		fd = host_folder(lower);
		populate(fd, seed);
		close(fd);
		populate(model.host, seed);
	}
	rig_start(&model.rig, &config);
	rig_call(&model.rig, sys_umask, 0, 0, 0, 0, 0);
	model.guest = guest_folder(&model, base);
	for (u32 i = 0; i < steps; i++)
		step(&model);
	same_tree(&model, model.host, model.guest);
	close(model.host);
	rig_stop(&model.rig);
	rig_remove(&model.rig);
}

static void test_memory(void **state)
{
	(void)state;
	for (u64 seed = 1; seed <= 3; seed++)
		run_model("/tmp", seed, STEPS);
}

static void test_host(void **state)
{
	(void)state;
	for (u64 seed = 11; seed <= 13; seed++)
		run_model("/h", seed, STEPS);
}

static void test_overlay(void **state)
{
	(void)state;
	for (u64 seed = 21; seed <= 26; seed++)
		run_model("/", seed, STEPS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_overlay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
