/* SPDX-License-Identifier: MIT
 *
 * A kernel with one process and nothing but memory, for the tests of linux/mm*.c: the functions of the rest that these
 * call are here. Descriptor 3 is a file that nobody changes, 4 one that can be shared, 5 one for reading alone.
 */
#ifndef TESTS_LINUX_MM_H
#define TESTS_LINUX_MM_H

#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/rng.h"
#include "linux/mm_private.h"
#include "linux/signal.h"
#include "linux/syscalls.h"
#include "linux/vfs.h"

enum { FILE_PAGES = 40, FILE_SIZE = FILE_PAGES * PAGE - 100, FIXED_FD = 3, SHARED_FD = 4, READ_FD = 5, OUTSIDE = 0x40000000 };

typedef struct Rig {
	Isa *isa;
	Machine *machine;
	Kernel kernel;
	Process process;
	Task task;
	File files[3];
	int memory[3];  /* their content */
	u64 size;
	i32 raised;     /* by signal_raise */
	u32 syncs;
} Rig;

static Rig *rig_of(const Kernel *kernel)
{
	return (Rig *)(uintptr_t)((const char *)kernel - offsetof(Rig, kernel));
}

/* ---- What mm*.c need of others ---- */

Task *task_current(Kernel *kernel)
{
	return &rig_of(kernel)->task;
}

File *file_get(File *file)
{
	file->refs++;
	return file;
}

void file_put(File *file)
{
	assert_true(file->refs > 1);
	file->refs--;
}

File *fds_file(Task *task, i32 fd)
{
	return fd >= FIXED_FD && fd <= READ_FD ? &rig_of(task->kernel)->files[fd - FIXED_FD] : NULL;
}

void signal_raise(Task *task, i32 number)
{
	rig_of(task->kernel)->raised = number;
}

bool user_write(Task *task, u64 address, const void *from, u64 len)
{
	return machine_copy_out(task->kernel->machine, task->process->mm->aspace, address, from, len) == len;
}

bool vfs_path(const File *file, Buf *out)
{
	buf_printf(out, "/file%u", (unsigned)(file - rig_of(file->kernel)->files));
	return true;
}

static int memory_of(const File *file)
{
	return rig_of(file->kernel)->memory[file - rig_of(file->kernel)->files];
}

static i64 rig_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	u64 size = rig_of(file->kernel)->size;
	i64 got;

	(void)task;
	if (*offset >= size)
		return 0;
	if (len > size - *offset)
		len = size - *offset;
	if (len > 5000)
		len = 5000; /* files may give less than was asked for */
	got = pread(memory_of(file), to, len, (off_t)*offset);
	if (got > 0)
		*offset += (u64)got;
	return got;
}

static i64 rig_seek(File *file, i64 offset, int whence)
{
	(void)file;
	(void)whence;
	return offset;
}

static i64 rig_stat(File *file, FileStat *out)
{
	*out = (FileStat){.device = 0x803, .inode = 100 + (u64)memory_of(file), .mode = 0100644,
			  .size = rig_of(file->kernel)->size};
	return 0;
}

static i64 rig_sync(File *file)
{
	rig_of(file->kernel)->syncs++;
	return 0;
}

static i64 rig_shared(File *file, u64 size, bool writable, int *fd)
{
	(void)writable;
	assert_true(size <= FILE_PAGES * PAGE);
	*fd = memory_of(file);
	return 0;
}

static const FileOps rig_ops = {.kind = "test", .read = rig_read, .seek = rig_seek, .stat = rig_stat, .sync = rig_sync,
				.shared = rig_shared};

/* ---- The rig ---- */

static u64 file_value(u64 page)
{
	return 0xF11E0000 + page;
}

static const char rig_isa[] = "isa T \"t\"\nspace mem : 8, address 64, little, paged\ncode mem parcel 16 low-first\n"
			      "reg pc : 64\ninsn nop \"1'16\" { }\n";
static const Guest rig_guest = {.name = "t", .isa_name = "T", .private_size = sizeof(Kernel *)};

static void rig_open(Rig *rig, u64 memory_limit)
{
	MachineConfig config = {.guest = &rig_guest, .memory_limit = memory_limit};
	DiagList diags;

	memset(rig, 0, sizeof *rig);
	diag_init(&diags);
	rig->isa = isa_load("t.isa", rig_isa, strlen(rig_isa), NULL, 0, &diags);
	assert_non_null(rig->isa);
	config.isa = rig->isa;
	assert_int_equal(machine_create(&config, &rig->machine, &diags), STATUS_OK);
	diag_fini(&diags);
	machine_reset(rig->machine, false);
	*(Kernel **)machine_private(rig->machine) = &rig->kernel;
	machine_set_pager(rig->machine, mm_touch);
	rig->kernel.machine = rig->machine;
	rig->kernel.limits.storage = 64 << 20;
	rig->task.kernel = rig->process.kernel = &rig->kernel;
	rig->task.process = &rig->process;
	for (int i = 0; i < 16; i++)
		rig->process.limits[i][0] = rig->process.limits[i][1] = ~(u64)0;
	rig->size = FILE_SIZE;
	for (int i = 0; i < 3; i++) {
		rig->files[i] = (File){.ops = &rig_ops, .kernel = &rig->kernel, .refs = 1, .flags = i == 2 ? 0 : 2};
		rig->memory[i] = memfd_create("file", MFD_CLOEXEC);
		assert_int_equal(ftruncate(rig->memory[i], FILE_PAGES * PAGE), 0);
		for (u64 page = 0; page < FILE_PAGES; page++) {
			u64 value = file_value(page);

			assert_int_equal(pwrite(rig->memory[i], &value, 8, (off_t)(page * PAGE)), 8);
		}
	}
	rig->process.mm = mm_create(&rig->kernel);
	assert_non_null(rig->process.mm);
}

static void rig_close(Rig *rig)
{
	mm_put(rig->process.mm);
	mm_fini(&rig->kernel);
	assert_int_equal(rig->kernel.storage, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rig->files[i].refs, 1);
		close(rig->memory[i]);
	}
	machine_destroy(rig->machine);
	isa_destroy(rig->isa);
}

#define CALL(rig, name, ...) sys_##name(&(rig)->task, (const u64[6]){__VA_ARGS__})

enum { RW = LINUX_PROT_READ | LINUX_PROT_WRITE, PRIVATE = LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS,
       FIXED = PRIVATE | LINUX_MAP_FIXED };

static inline bool store(Rig *rig, u64 address, u64 value)
{
	return machine_copy_out(rig->machine, rig->process.mm->aspace, address, &value, 8) == 8;
}

static inline bool load(Rig *rig, u64 address, u64 *value)
{
	return machine_copy_in(rig->machine, rig->process.mm->aspace, address, value, 8) == 8;
}

/* The signal that an access would be answered with. */
static inline i32 fault(Rig *rig, u64 address, u8 access, i32 *code)
{
	return mm_fault(rig->process.mm, address, access, code);
}

#endif
