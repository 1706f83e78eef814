/* SPDX-License-Identifier: MIT
 *
 * /proc: texts about the computer that the program believes to run on. It has one hart.
 */
#include "linux/vfs_proc.h"

enum { NS_IN_TICK = 10000000 };

#define RELEASE "6.12.0-husk"

static unsigned long long kib(u64 bytes)
{
	return (unsigned long long)(bytes / 1024);
}

void proc_cpuinfo(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_str(out, "processor\t: 0\n"
		     "hart\t\t: 0\n"
		     "isa\t\t: rv64imafdc_zicsr_zifencei_zba_zbb_zbs\n"
		     "mmu\t\t: sv48\n"
		     "uarch\t\t: husk\n"
		     "mvendorid\t: 0x0\n"
		     "marchid\t\t: 0x0\n"
		     "mimpid\t\t: 0x0\n"
		     "hart isa\t: rv64imafdc_zicsr_zifencei_zba_zbb_zbs\n\n");
}

void proc_meminfo(const ProcSubject *subject, Buf *out)
{
	Kernel *kernel = subject->kernel;
	MachineStats stats;
	u64 total = machine_memory_limit(kernel->machine), available;

	machine_stats(kernel->machine, &stats);
	available = stats.memory_bytes < total ? total - stats.memory_bytes : 0;
	buf_printf(out, "MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n", kib(total),
		   kib(available), kib(available));
	buf_printf(out, "Buffers:               0 kB\nCached:         %8llu kB\nSwapCached:            0 kB\n",
		   kib(kernel->storage));
	buf_printf(out, "Active:         %8llu kB\nInactive:              0 kB\nSwapTotal:             0 kB\n",
		   kib(total - available));
	buf_printf(out, "SwapFree:              0 kB\nDirty:                 0 kB\nWriteback:             0 kB\n"
			"AnonPages:      %8llu kB\nMapped:                0 kB\nShmem:          %8llu kB\n",
		   kib(total - available), kib(kernel->storage));
	buf_printf(out, "KReclaimable:          0 kB\nSlab:                  0 kB\nSReclaimable:          0 kB\n"
			"SUnreclaim:            0 kB\nCommitLimit:    %8llu kB\nCommitted_AS:   %8llu kB\n", kib(total),
		   kib(total - available));
	buf_str(out, "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n");
}

void proc_uptime(const ProcSubject *subject, Buf *out)
{
	u64 now = kernel_now(subject->kernel), busy = 0;

	for (Process *process = subject->kernel->processes; process; process = process->next)
		busy += process_cpu_time(process);
	if (busy > now)
		busy = now;
	buf_printf(out, "%llu.%02llu %llu.%02llu\n", (unsigned long long)(now / NS_IN_SECOND),
		   (unsigned long long)(now % NS_IN_SECOND / NS_IN_TICK), (unsigned long long)((now - busy) / NS_IN_SECOND),
		   (unsigned long long)((now - busy) % NS_IN_SECOND / NS_IN_TICK));
}

void proc_system_stat(const ProcSubject *subject, Buf *out)
{
	Kernel *kernel = subject->kernel;
	u64 now = kernel_now(kernel), busy = 0;

	for (Process *process = kernel->processes; process; process = process->next)
		busy += process_cpu_time(process);
	if (busy > now)
		busy = now;
	for (int i = 0; i < 2; i++)
		buf_printf(out, "%s %llu 0 0 %llu 0 0 0 0 0 0\n", i ? "cpu0" : "cpu ", (unsigned long long)(busy / NS_IN_TICK),
			   (unsigned long long)((now - busy) / NS_IN_TICK));
	buf_printf(out, "intr 0\nctxt 0\nbtime %llu\nprocesses %d\nprocs_running 1\nprocs_blocked 0\n",
		   (unsigned long long)(kernel->real_time / NS_IN_SECOND), kernel->next_pid);
}

void proc_loadavg(const ProcSubject *subject, Buf *out)
{
	buf_printf(out, "0.00 0.00 0.00 1/%u %d\n", subject->kernel->task_count, subject->kernel->next_pid);
}

void proc_version(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_str(out, "Linux version " RELEASE " (husk) #1 SMP\n");
}

void proc_filesystems(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_str(out, "nodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\toverlay\n");
}

void proc_devices(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_str(out, "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n136 pts\n\nBlock devices:\n");
}

void proc_vmstat(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_str(out, "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault 0\npgmajfault 0\n");
}

void proc_command_line(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_byte(out, '\n');
}

void proc_os_type(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_str(out, "Linux\n");
}

void proc_os_release(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_str(out, RELEASE "\n");
}

void proc_os_version(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_str(out, "#1 SMP\n");
}

void proc_host_name(const ProcSubject *subject, Buf *out)
{
	buf_printf(out, "%s\n", subject->kernel->host_name);
}

void proc_domain_name(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	buf_str(out, "(none)\n");
}

static void number(Buf *out, u64 value)
{
	buf_printf(out, "%llu\n", (unsigned long long)value);
}

void proc_pid_max(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	number(out, 32768);
}

void proc_threads_max(const ProcSubject *subject, Buf *out)
{
	number(out, subject->kernel->limits.processes);
}

void proc_cap_last_cap(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	number(out, 40);
}

void proc_number_0(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	number(out, 0);
}

void proc_number_1(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	number(out, 1);
}

void proc_number_2(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	number(out, 2);
}

void proc_number_64k(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	number(out, 65536);
}

void proc_number_1m(const ProcSubject *subject, Buf *out)
{
	(void)subject;
	number(out, 1048576);
}

static void print_uuid(const u8 *bytes, Buf *out)
{
	for (u32 i = 0; i < 16; i++) {
		u8 byte = bytes[i];

		if (i == 6) /* a random one: version 4, variant 1 */
			byte = (byte & 0x0F) | 0x40;
		if (i == 8)
			byte = (byte & 0x3F) | 0x80;
		buf_printf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", byte);
	}
	buf_byte(out, '\n');
}

void proc_boot_id(const ProcSubject *subject, Buf *out)
{
	Vfs *vfs = subject->kernel->vfs;

	if (!vfs->has_boot_id)
		kernel_random(subject->kernel, vfs->boot_id, sizeof(vfs->boot_id));
	vfs->has_boot_id = true;
	print_uuid(vfs->boot_id, out);
}

void proc_uuid(const ProcSubject *subject, Buf *out)
{
	u8 bytes[16];

	kernel_random(subject->kernel, bytes, sizeof(bytes));
	print_uuid(bytes, out);
}

void proc_file_max(const ProcSubject *subject, Buf *out)
{
	number(out, subject->kernel->limits.open);
}

void proc_file_nr(const ProcSubject *subject, Buf *out)
{
	buf_printf(out, "%llu\t0\t%llu\n", (unsigned long long)subject->kernel->open_files,
		   (unsigned long long)subject->kernel->limits.open);
}

void proc_nr_open(const ProcSubject *subject, Buf *out)
{
	number(out, subject->kernel->limits.files);
}
