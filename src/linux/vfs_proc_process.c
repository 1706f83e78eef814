/* SPDX-License-Identifier: MIT
 *
 * /proc/PID: texts about a process or one of its threads. CPU times are in ticks of 10 ms (USER_HZ 100).
 */
#include "linux/mm.h"
#include "linux/signal_private.h"
#include "linux/vfs_proc.h"

enum { NS_IN_TICK = 10000000 };

void proc_cmdline(const ProcSubject *subject, Buf *out)
{
	if (!subject->process->zombie)
		buf_add(out, subject->process->arguments.data, subject->process->arguments.len);
}

void proc_environ(const ProcSubject *subject, Buf *out)
{
	if (!subject->process->zombie)
		buf_add(out, subject->process->environment.data, subject->process->environment.len);
}

void proc_auxv(const ProcSubject *subject, Buf *out)
{
	if (!subject->process->zombie)
		buf_add(out, subject->process->auxv.data, subject->process->auxv.len);
}

static const char *name_of(const ProcSubject *subject)
{
	const char *slash;

	if (subject->task)
		return subject->task->name;
	if (!subject->process->program)
		return "?";
	slash = strrchr(subject->process->program, '/');
	return slash ? slash + 1 : subject->process->program;
}

void proc_comm(const ProcSubject *subject, Buf *out)
{
	buf_printf(out, "%.15s\n", name_of(subject));
}

void proc_maps(const ProcSubject *subject, Buf *out)
{
	if (subject->process->mm)
		mm_print_maps(subject->process->mm, out);
}

static bool task_runs(const Task *task)
{
	return !task->waiters && task->call.hour == ~(u64)0;
}

static char state_of(const ProcSubject *subject)
{
	if (subject->process->zombie || !subject->task)
		return 'Z';
	if (subject->process->stopped)
		return 'T';
	if (subject->task == subject->asker)
		return 'R';
	if (subject->whole) {
		for (const Task *task = subject->process->tasks; task; task = task->next) {
			if (task == subject->asker || task_runs(task))
				return 'R';
		}
		return 'S';
	}
	return task_runs(subject->task) ? 'R' : 'S';
}

static u32 thread_count(const Process *process)
{
	u32 count = 0;

	for (const Task *task = process->tasks; task; task = task->next)
		count++;
	return count;
}

static i32 parent_of(const Process *process)
{
	return process->parent ? process->parent->pid : 0;
}

static u64 ticks(u64 ns)
{
	return ns / NS_IN_TICK;
}

static void signal_sets(const ProcSubject *subject, u64 *ignored, u64 *caught)
{
	const Signals *signals = subject->process->signals;

	*ignored = *caught = 0;
	for (u32 i = 1; signals && i <= 64; i++) {
		u64 handler = signals->actions[i].handler;

		if (handler == 1)
			*ignored |= (u64)1 << (i - 1);
		else if (handler)
			*caught |= (u64)1 << (i - 1);
	}
}

void proc_stat(const ProcSubject *subject, Buf *out)
{
	const Process *process = subject->process;
	const Task *task = subject->task;
	u64 cpu = subject->whole || !task ? process_cpu_time(process) : task_cpu_time(task), ignored, caught;
	u64 size = process->mm ? mm_bytes_mapped(process->mm) : 0, present = process->mm ? mm_bytes_present(process->mm) : 0;
	u32 terminal = subject->kernel->terminal ? 0x0501 : 0;

	signal_sets(subject, &ignored, &caught);
	buf_printf(out, "%d (%.15s) %c %d %d %d %u %d 0 0 0 0 0 ", subject->whole || !task ? process->pid : task->tid,
		   name_of(subject), state_of(subject), parent_of(process), process->pgid, process->sid, terminal,
		   terminal ? subject->kernel->foreground : -1);
	buf_printf(out, "%llu 0 %llu 0 %d %d %u 0 %llu %llu %llu 18446744073709551615 ", (unsigned long long)ticks(cpu),
		   (unsigned long long)ticks(process->children_icount * LINUX_INSTRUCTION_NS), 20 + process->nice,
		   process->nice, thread_count(process), (unsigned long long)ticks(process->started),
		   (unsigned long long)size, (unsigned long long)(present / 4096));
	buf_printf(out, "0 0 0 0 0 %llu %llu %llu %llu 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 %d\n",
		   (unsigned long long)(process->pending.set & 0x7FFFFFFF),
		   (unsigned long long)(task ? task->blocked & 0x7FFFFFFF : 0), (unsigned long long)(ignored & 0x7FFFFFFF),
		   (unsigned long long)(caught & 0x7FFFFFFF), process->zombie ? process->exit_code << 8 : 0);
}

void proc_statm(const ProcSubject *subject, Buf *out)
{
	const Process *process = subject->process;
	u64 size = process->mm ? mm_bytes_mapped(process->mm) / 4096 : 0;
	u64 present = process->mm ? mm_bytes_present(process->mm) / 4096 : 0;

	buf_printf(out, "%llu %llu 0 0 0 %llu 0\n", (unsigned long long)size, (unsigned long long)present,
		   (unsigned long long)present);
}

void proc_status(const ProcSubject *subject, Buf *out)
{
	static const char *const states[] = {"R (running)", "S (sleeping)", "T (stopped)", "Z (zombie)"};
	const Process *process = subject->process;
	const Task *task = subject->task;
	char state = state_of(subject);
	u64 size = process->mm ? mm_bytes_mapped(process->mm) : 0, present = process->mm ? mm_bytes_present(process->mm) : 0;
	u64 ignored, caught, capabilities = process->user ? 0 : 0x1FFFFFFFFFF;

	signal_sets(subject, &ignored, &caught);
	buf_printf(out, "Name:\t%.15s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
		   name_of(subject), process->fs ? process->fs->umask : 0,
		   states[state == 'R' ? 0 : state == 'S' ? 1 : state == 'T' ? 2 : 3], process->pid,
		   subject->whole || !task ? process->pid : task->tid, parent_of(process));
	buf_printf(out, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t64\nGroups:\t", process->real_user, process->user,
		   process->saved_user, process->user, process->real_group, process->group, process->saved_group,
		   process->group);
	for (u32 i = 0; i < process->group_count && i < COUNT_OF(process->groups); i++)
		buf_printf(out, "%u ", process->groups[i]);
	buf_byte(out, '\n');
	if (process->mm) {
		buf_printf(out, "VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\n",
			   (unsigned long long)(size / 1024), (unsigned long long)(size / 1024));
		buf_printf(out, "VmHWM:\t%8llu kB\nVmRSS:\t%8llu kB\nRssAnon:\t%8llu kB\nRssFile:\t       0 kB\nRssShmem:\t       0 kB\n",
			   (unsigned long long)(present / 1024), (unsigned long long)(present / 1024),
			   (unsigned long long)(present / 1024));
		buf_printf(out, "VmData:\t%8llu kB\nVmStk:\t    8192 kB\nVmExe:\t       0 kB\nVmLib:\t       0 kB\nVmPTE:\t       0 kB\nVmSwap:\t       0 kB\n",
			   (unsigned long long)(size / 1024));
	}
	buf_printf(out, "Threads:\t%u\nSigQ:\t%u/1024\nSigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n",
		   thread_count(process), process->pending.count, (unsigned long long)(task ? task->pending.set : 0),
		   (unsigned long long)process->pending.set, (unsigned long long)(task ? task->blocked : 0));
	buf_printf(out, "SigIgn:\t%016llx\nSigCgt:\t%016llx\nCapInh:\t0000000000000000\n", (unsigned long long)ignored,
		   (unsigned long long)caught);
	buf_printf(out, "CapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n",
		   (unsigned long long)capabilities, (unsigned long long)capabilities);
	buf_printf(out, "NoNewPrivs:\t%d\nSeccomp:\t0\nCpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed:\t1\n"
			"Mems_allowed_list:\t0\nvoluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n",
		   process->no_new_privileges);
}

void proc_limits(const ProcSubject *subject, Buf *out)
{
	static const struct {
		const char *name, *unit;
		u32 number;
	} rows[] = {
		{"Max cpu time", "seconds", 0}, {"Max file size", "bytes", 1}, {"Max data size", "bytes", 2},
		{"Max stack size", "bytes", 3}, {"Max core file size", "bytes", 4}, {"Max resident set", "bytes", 5},
		{"Max processes", "processes", 6}, {"Max open files", "files", 7}, {"Max locked memory", "bytes", 8},
		{"Max address space", "bytes", 9}, {"Max file locks", "locks", 10}, {"Max pending signals", "signals", 11},
		{"Max msgqueue size", "bytes", 12}, {"Max nice priority", "", 13}, {"Max realtime priority", "", 14},
		{"Max realtime timeout", "us", 15},
	};

	buf_printf(out, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (u32 i = 0; i < COUNT_OF(rows); i++) {
		buf_printf(out, "%-25s ", rows[i].name);
		for (u32 j = 0; j < 2; j++) {
			u64 value = subject->process->limits[rows[i].number][j];

			if (value == ~(u64)0)
				buf_printf(out, "%-20s ", "unlimited");
			else
				buf_printf(out, "%-20llu ", (unsigned long long)value);
		}
		buf_printf(out, "%-10s\n", rows[i].unit);
	}
}

/* A path as these files show it: what would end a word or a line in octal. */
static void put_escaped(Buf *out, const Buf *text)
{
	for (size_t i = 0; i < text->len; i++) {
		u8 byte = text->data[i];

		if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\\')
			buf_printf(out, "\\%03o", byte);
		else
			buf_byte(out, byte);
	}
}

/* Where a mount is, as the process sees it. False: not below its root. */
static bool mount_path(const ProcSubject *subject, const VfsMount *mount, Buf *out)
{
	const FsState *fs = subject->process->fs;
	Buf path;
	bool seen;

	buf_init(&path);
	seen = fs && vfs_place_text(mount->root, fs->root, &path);
	if (seen)
		put_escaped(out, &path);
	buf_fini(&path);
	return seen;
}

static const char *mount_options(const VfsMount *mount)
{
	return mount->read_only || mount->fs->read_only ? "ro" : "rw";
}

void proc_mounts(const ProcSubject *subject, Buf *out)
{
	for (const VfsMount *mount = subject->kernel->vfs->mounts; mount; mount = mount->next) {
		size_t start = out->len;

		buf_printf(out, "%s ", mount->fs->ops->type);
		if (mount_path(subject, mount, out))
			buf_printf(out, " %s %s,relatime 0 0\n", mount->fs->ops->type, mount_options(mount));
		else
			out->len = start;
	}
}

void proc_mountinfo(const ProcSubject *subject, Buf *out)
{
	u32 number = 20;

	for (const VfsMount *mount = subject->kernel->vfs->mounts; mount; mount = mount->next, number++) {
		size_t start = out->len;

		buf_printf(out, "%u %u 0:%u / ", number, number == 20 ? 1 : 20, mount->fs->device);
		if (mount_path(subject, mount, out))
			buf_printf(out, " %s,relatime - %s %s %s\n", mount_options(mount), mount->fs->ops->type,
				   mount->fs->ops->type, mount_options(mount));
		else
			out->len = start;
	}
}

void proc_cgroup(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_str(out, "0::/\n");
}

void proc_io(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_str(out, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
}

void proc_id_map(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_str(out, "         0          0 4294967295\n");
}

void proc_wchan(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_byte(out, '0');
}

void proc_fdinfo(const ProcSubject *subject, Buf *out)
{
	File *file = subject->task ? fds_file(subject->task, subject->fd) : NULL;

	if (!file)
		return;
	buf_printf(out, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t20\n", (unsigned long long)file->position,
		   file->flags | (fds_closes_on_exec(subject->process->files, subject->fd) ? LX_O_CLOEXEC : 0));
}
