/* SPDX-License-Identifier: MIT
 *
 * Snapshots of the kernel: the sections of a tape in their order (save.h), and what stands before and behind.
 */
#include "linux/save.h"

#include <stdlib.h>
#include <string.h>

#include "linux/mm.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/stream.h"
#include "linux/vfs.h"

enum { SAVE_VERSION = 3 };

/* What the kernel remembers by itself. Limits, rights and the terminal are the configuration of whoever loads it. */
static const TapeField kernel_fields[] = {
	TAPE_FIELD(Kernel, next_pid), TAPE_FIELD(Kernel, foreground), TAPE_FIELD(Kernel, output),
	TAPE_FIELD(Kernel, stop_wanted), TAPE_FIELD(Kernel, real_time), TAPE_FIELD(Kernel, host_name),
	TAPE_FIELD(Kernel, user), TAPE_FIELD(Kernel, group), TAPE_FIELD(Kernel, input_wanted),
	TAPE_FIELD(Kernel, end_signal), TAPE_FIELD(Kernel, end_place), TAPE_FIELD(Kernel, end_address),
	TAPE_FIELD(Kernel, end_code), TAPE_FIELD(Kernel, ended),
};

static void carry_kernel(Tape *tape)
{
	Kernel *kernel = tape->kernel;
	Streams *streams = streams_of(kernel);

	if (!streams) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	tape_fields(tape, kernel, kernel_fields, COUNT_OF(kernel_fields));
	tape_u64(tape, &streams->serial);
	tape_check(tape, kernel->next_pid > 0 && kernel->next_pid <= 4194304 && kernel->end_signal >= 0 &&
				 kernel->end_signal <= 64 && !kernel->host_name[sizeof(kernel->host_name) - 1]);
	tape_queue(tape, &kernel->console_input);
	tape_queue(tape, &kernel->outside_changed);
}

/* ---- The order. What a section refers to stands before it ---- */

static void collect(Tape *tape)
{
	collect_files(tape);
	if (tape_ok(tape))
		collect_vfs(tape);
	collect_memories(tape);
	for (Process *process = tape->kernel->processes; process; process = process->next)
		tape_add(tape, TAPE_HANDLERS, process->signals);
}

static void (*const sections[])(Tape *tape) = {
	carry_kernel,        /* numbers */
	carry_processes,     /* records of processes and threads */
	carry_ptys,          /* terminals */
	carry_pipes,         /* pipes with their content */
	carry_vfs,           /* mounts, files in memory, places */
	carry_files,         /* open files */
	carry_tables,        /* descriptors */
	carry_folders,       /* working directories */
	carry_handlers,      /* of signals */
	carry_shared,        /* anonymous shared memory */
	carry_memories,      /* areas */
	carry_process_parts, /* who has which of these; timers */
	carry_timer_heap,    /* the order of timers */
	carry_file_links,    /* epoll sets, sockets, locks */
	carry_socket_names,  /* who is found under which name */
	carry_futexes,       /* who waits for which word */
	carry_queues,        /* who waits for what else */
	inet_tell_lost,      /* nothing: connections that are lost wake who waits */
};

static void run(Tape *tape)
{
	for (u32 i = 0; i < COUNT_OF(sections) && tape_ok(tape); i++)
		sections[i](tape);
}

/* ---- Saving ---- */

static bool is_empty(const Kernel *kernel)
{
	return !kernel || !kernel->processes;
}

static Status save(const Machine *machine, bool near, Buf *out, OpenFiles *held)
{
	Kernel *kernel = kernel_of(machine);
	u32 version = SAVE_VERSION;
	Tape tape;

	if (is_empty(kernel) && !(near && kernel && kernel->vfs)) /* before there is a process there is nothing to keep */
		return STATUS_OK;
	kernel_bury(kernel);
	tape_init(&tape, kernel);
	tape.out = out;
	tape.near = near;
	tape.held = held;
	collect(&tape);
	tape_u32(&tape, &version);
	tape_u64(&tape, &kernel->file_serial);
	if (tape_ok(&tape))
		run(&tape);
	if (out->failed)
		tape_fail(&tape, STATUS_NOMEM, "%s", "");
	machine_set_why((Machine *)(uintptr_t)machine, tape.why);
	tape_fini(&tape);
	return tape.status;
}

Status linux_save(const Machine *machine, Buf *out)
{
	return save(machine, false, out, NULL);
}

Status linux_save_near(const Machine *machine, Buf *out, OpenFiles *held)
{
	return save(machine, true, out, held);
}

/* ---- Loading ---- */

static void drop_vfs(Kernel *kernel)
{
	if (kernel->vfs)
		vfs_destroy(kernel->vfs);
	kernel->vfs = NULL;
}

/* All but the file system goes, without a word: the machine is already another one. */
static void clear(Kernel *kernel)
{
	kernel->closing = true;
	processes_destroy(kernel);
	files_fini(kernel);
	host_watches_destroy(kernel);
	futexes_destroy(kernel);
	mm_fini(kernel);
	wait_fini(&kernel->console_input);
	wait_fini(&kernel->outside_changed);
	free(kernel->timers);
	kernel->timers = NULL;
	free(kernel->tasks);
	kernel->tasks = NULL;
	kernel->task_cap = kernel->task_count = 0;
	kernel->files = NULL;
	kernel->denied = NULL;
	kernel->in_call = false;
	kernel->closing = false;
}

/* What the tape holds. */
static void release(Tape *tape)
{
	Kernel *kernel = tape->kernel;

	kernel->closing = true;
	for (u32 i = 0; i < tape->lists[TAPE_TABLES].count; i++)
		fds_put(tape->lists[TAPE_TABLES].items[i]);
	for (u32 i = 0; i < tape->lists[TAPE_HANDLERS].count; i++)
		signals_put(tape->lists[TAPE_HANDLERS].items[i]);
	tape_release_memories(tape);
	for (u32 i = 0; i < tape->lists[TAPE_FILES].count; i++)
		file_put(tape->lists[TAPE_FILES].items[i]);
	tape_release_pipes(tape);
	tape_release_ptys(tape);
	tape_release_vfs(tape);
	kernel->closing = false;
}

/* Limits were raised for files that the driver once put there (vfs_add_file): those of the last tape go with it. */
static void begin(Kernel *kernel)
{
	if (kernel->limits.storage != ~(u64)0)
		kernel->limits.storage -= kernel->storage_given;
	kernel->storage_given = 0;
}

/* kernel->vfs is what was there; it stays when loading fails. */
static Status load(Kernel *kernel, bool near, const u8 *bytes, size_t len)
{
	Vfs *before = kernel->vfs, *loaded;
	u32 version = 0;
	u64 serial = 0;
	Tape tape;

	kernel->vfs = NULL;
	tape_init(&tape, kernel);
	tape.loading = true;
	tape.near = near;
	tape.in = (ByteReader){ .data = bytes, .len = len };
	begin(kernel);
	kernel->loading = true;
	tape_u32(&tape, &version);
	tape_u64(&tape, &serial);
	if (tape_ok(&tape) && version != SAVE_VERSION)
		tape_fail(&tape, STATUS_MISMATCH, "%s", "saved by another version");
	machine_set_pager(kernel->machine, mm_touch);
	run(&tape);
	tape_check(&tape, tape.in.at == len && (kernel->processes || near));
	kernel->file_serial = serial;
	kernel->storage_given = tape.given;
	kernel->loading = false;
	machine_set_why(kernel->machine, tape.why);
	release(&tape);
	loaded = kernel->vfs;
	if (!tape_ok(&tape)) {
		clear(kernel);
		drop_vfs(kernel);
		begin(kernel);
		kernel->vfs = before;
	} else {
		kernel->vfs = before;
		drop_vfs(kernel);
		kernel->vfs = loaded;
	}
	tape_fini(&tape);
	return tape.status;
}

/* What there was before. */
static void forget(Kernel *kernel)
{
	mm_forget_pages(kernel);
	clear(kernel);
	drop_vfs(kernel);
}

Status linux_restore(Machine *machine, const u8 *bytes, size_t len)
{
	Kernel *kernel = kernel_of(machine);

	if (!len && is_empty(kernel))
		return STATUS_OK;
	if (!len || !kernel) {
		machine_set_why(machine, len ? "this machine has no kernel" : "it was saved before a program was loaded");
		return STATUS_UNSUPPORTED;
	}
	if (kernel->processes)
		forget(kernel);
	return load(kernel, false, bytes, len);
}

Status linux_restore_near(Machine *machine, const u8 *bytes, size_t len)
{
	Kernel *kernel = kernel_of(machine);

	if (!kernel)
		return len ? STATUS_UNSUPPORTED : STATUS_OK;
	forget(kernel);
	return len ? load(kernel, true, bytes, len) : STATUS_OK;
}
