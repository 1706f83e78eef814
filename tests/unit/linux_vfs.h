/* SPDX-License-Identifier: MIT
 *
 * A machine with a Linux kernel and one process that runs nothing, for tests that make its system calls: arguments lie
 * in its memory, as a program's would. Results are those of Linux: >= 0 or -errno.
 */
#ifndef TESTS_LINUX_VFS_H
#define TESTS_LINUX_VFS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "guests/rv64/rv64.h"
#include "linux/mm.h"
#include "linux/process.h"
#include "linux/syscalls.h"
#include "linux/vfs_private.h"

enum { RIG_BASE = 0x100000, RIG_SIZE = 0x100000, AT = -100 /* AT_FDCWD */ };

typedef struct Rig {
	Isa *isa;
	Machine *machine;
	Kernel *kernel;
	Task *task;
	u64 at;          /* where the next argument goes */
	char folder[64]; /* of the host, for this test; removed at the end */
} Rig;

static const HostEntry rig_hosts[] = {{"syscall", linux_syscall}, {"flush_code", linux_flush_code}, {NULL, NULL}};
static const Guest rig_guest = {.name = "rig", .isa_name = "RV64GC", .hosts = rig_hosts, .private_size = sizeof(Kernel *)};

static inline void rig_folder(Rig *rig)
{
	strcpy(rig->folder, "/tmp/husk-vfs-XXXXXX");
	assert_non_null(mkdtemp(rig->folder));
}

static inline void rig_start(Rig *rig, const LinuxConfig *config)
{
	DiagList diags;
	MachineConfig machine = {.guest = &rig_guest, .memory_limit = 256u << 20, .virtual_time = true};
	Buf text;

	diag_init(&diags);
	buf_init(&text);
	if (!rig->isa)
		rig->isa = isa_load("rv64.isa", rv64_isa_text, strlen(rv64_isa_text), NULL, 0, &diags);
	assert_non_null(rig->isa);
	machine.isa = rig->isa;
	assert_int_equal(machine_create(&machine, &rig->machine, &diags), STATUS_OK);
	assert_int_equal(linux_create(rig->machine, &rv64_abi), STATUS_OK);
	if (linux_configure(rig->machine, config, &diags)) {
		diag_render(&diags, &text, false);
		fail_msg("%s", buf_text(&text));
	}
	rig->kernel = kernel_of(rig->machine);
	assert_int_equal(process_create_init(rig->kernel, &rig->task), STATUS_OK);
	assert_int_equal(mm_map(rig->task->process->mm, RIG_BASE, RIG_SIZE, 3, 0x32, NULL, 0), RIG_BASE);
	rig->at = RIG_BASE;
	buf_fini(&text);
	diag_fini(&diags);
}

static inline void rig_stop(Rig *rig)
{
	linux_fini(rig->machine);
	machine_destroy(rig->machine);
	rig->machine = NULL;
}

static inline void rig_remove(Rig *rig)
{
	char command[256];

	isa_destroy(rig->isa);
	rig->isa = NULL;
	if (!rig->folder[0])
		return;
	snprintf(command, sizeof(command), "chmod -R u+rwx %s 2>/dev/null; rm -rf %s", rig->folder, rig->folder);
	if (system(command))
		fail_msg("%s", command);
}

/* Bytes in the program's memory; the address. */
static inline u64 rig_put(Rig *rig, const void *bytes, size_t len)
{
	u64 address = rig->at;

	assert_true(user_write(rig->task, address, bytes, len));
	rig->at += (len + 15) & ~(size_t)7;
	return address;
}

static inline u64 rig_text(Rig *rig, const char *text)
{
	return text ? rig_put(rig, text, strlen(text) + 1) : 0;
}

static inline i64 rig_call(Rig *rig, i64 (*call)(Task *, const u64 *), u64 a, u64 b, u64 c, u64 d, u64 e)
{
	u64 args[6] = {a, b, c, d, e, 0};

	memset(&rig->task->call, 0, sizeof(rig->task->call));
	rig->task->call.hour = ~(u64)0;
	rig->at = RIG_BASE + RIG_SIZE / 2 > rig->at ? rig->at : RIG_BASE;
	return call(rig->task, args);
}

static inline i64 rig_open_at(Rig *rig, i64 dir, const char *path, u32 flags, u32 mode)
{
	rig->at = RIG_BASE;
	return rig_call(rig, sys_openat, (u64)dir, rig_text(rig, path), flags, mode, 0);
}

static inline i64 rig_open(Rig *rig, const char *path, u32 flags, u32 mode)
{
	return rig_open_at(rig, AT, path, flags, mode);
}

static inline i64 rig_close(Rig *rig, i64 fd)
{
	return rig_call(rig, sys_close, (u64)fd, 0, 0, 0, 0);
}

static inline i64 rig_read(Rig *rig, i64 fd, void *to, size_t len)
{
	i64 got = rig_call(rig, sys_read, (u64)fd, RIG_BASE + 0x20000, len, 0, 0);

	if (got > 0)
		assert_true(user_read(rig->task, RIG_BASE + 0x20000, to, (u64)got));
	return got;
}

static inline i64 rig_write(Rig *rig, i64 fd, const void *from, size_t len)
{
	rig->at = RIG_BASE + 0x20000;
	return rig_call(rig, sys_write, (u64)fd, rig_put(rig, from, len), len, 0, 0);
}

/* The whole of a small file as text; NULL: *error. A static buffer. */
static inline const char *rig_slurp(Rig *rig, const char *path, i64 *error)
{
	static char text[65536];
	i64 fd = rig_open(rig, path, 0, 0), got;
	size_t len = 0;

	*error = fd < 0 ? fd : 0;
	if (fd < 0)
		return NULL;
	while (len < sizeof(text) - 1 && (got = rig_read(rig, fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = 0;
	rig_close(rig, fd);
	return text;
}

/* A call that takes (dirfd, path, x, y). */
static inline i64 rig_path(Rig *rig, i64 (*call)(Task *, const u64 *), i64 dir, const char *path, u64 c, u64 d)
{
	rig->at = RIG_BASE;
	return rig_call(rig, call, (u64)dir, rig_text(rig, path), c, d, 0);
}

typedef struct RigStat {
	u64 device, inode;
	u32 mode, links, user, group;
	u64 special, pad;
	i64 size;
	i32 block, pad2;
	i64 blocks;
	i64 times[6];
	u32 unused[2];
} RigStat;

static inline i64 rig_stat(Rig *rig, i64 dir, const char *path, u32 flags, RigStat *stat)
{
	u64 to = RIG_BASE + 0x10000;
	i64 error = rig_path(rig, sys_newfstatat, dir, path, to, flags);

	if (!error)
		assert_true(user_read(rig->task, to, stat, sizeof(*stat)));
	return error;
}

static inline i64 rig_readlink(Rig *rig, i64 dir, const char *path, char *to, size_t size)
{
	u64 at = RIG_BASE + 0x10000;
	i64 got = rig_path(rig, sys_readlinkat, dir, path, at, size - 1);

	if (got >= 0) {
		assert_true(user_read(rig->task, at, to, (u64)got));
		to[got] = 0;
	}
	return got;
}

static inline i64 rig_two(Rig *rig, i64 (*call)(Task *, const u64 *), i64 from_dir, const char *from, i64 to_dir,
			  const char *to, u64 flags)
{
	u64 a, b;

	rig->at = RIG_BASE;
	a = rig_text(rig, from);
	b = rig_text(rig, to);
	return rig_call(rig, call, (u64)from_dir, a, (u64)to_dir, b, flags);
}

static inline i64 rig_symlink(Rig *rig, const char *target, i64 dir, const char *path)
{
	u64 a, b;

	rig->at = RIG_BASE;
	a = rig_text(rig, target);
	b = rig_text(rig, path);
	return rig_call(rig, sys_symlinkat, a, (u64)dir, b, 0, 0);
}

/* Names of a folder, sorted, each followed by '/': "./../a/b/". Static buffer. */
static inline int rig_by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline const char *rig_names(Rig *rig, i64 fd, u64 chunk)
{
	static char text[1 << 20];
	static char bytes[65536];
	char **names = NULL;
	size_t count = 0, len = 0;
	i64 got;

	while ((got = rig_call(rig, sys_getdents64, (u64)fd, RIG_BASE + 0x20000, chunk, 0, 0)) > 0) {
		assert_true(user_read(rig->task, RIG_BASE + 0x20000, bytes, (u64)got));
		for (i64 at = 0; at < got;) {
			u16 size;

			memcpy(&size, bytes + at + 16, 2);
			names = realloc(names, (count + 1) * sizeof(*names));
			names[count++] = strdup(bytes + at + 19);
			at += size;
		}
	}
	assert_int_equal(got, 0);
	if (count)
		qsort(names, count, sizeof(*names), rig_by_name);
	for (size_t i = 0; i < count; i++) {
		if (len + strlen(names[i]) + 2 < sizeof(text))
			len += (size_t)sprintf(text + len, "%s/", names[i]);
		free(names[i]);
	}
	text[len] = 0;
	free(names);
	return text;
}

#endif
