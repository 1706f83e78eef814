/* SPDX-License-Identifier: MIT
 *
 * /proc: what its tables (vfs_proc.c) and its texts (vfs_proc_system.c, vfs_proc_process.c) share.
 */
#ifndef LINUX_VFS_PROC_H
#define LINUX_VFS_PROC_H

#include "linux/process.h"
#include "linux/vfs_private.h"

/* What a text is about. process and task: NULL in files about the whole system. */
typedef struct ProcSubject {
	Kernel *kernel;
	Process *process;
	Task *task;         /* one of its tasks: of task/TID that one; NULL: a zombie */
	Task *asker;        /* who reads; NULL: the kernel */
	bool whole;         /* the process with all its threads, not one of them */
	i32 fd;             /* fd/N, fdinfo/N */
} ProcSubject;

typedef void (*ProcText)(const ProcSubject *subject, Buf *out);

void proc_cpuinfo(const ProcSubject *subject, Buf *out);
void proc_meminfo(const ProcSubject *subject, Buf *out);
void proc_uptime(const ProcSubject *subject, Buf *out);
void proc_system_stat(const ProcSubject *subject, Buf *out);
void proc_loadavg(const ProcSubject *subject, Buf *out);
void proc_version(const ProcSubject *subject, Buf *out);
void proc_filesystems(const ProcSubject *subject, Buf *out);
void proc_devices(const ProcSubject *subject, Buf *out);
void proc_vmstat(const ProcSubject *subject, Buf *out);
void proc_command_line(const ProcSubject *subject, Buf *out);
void proc_os_type(const ProcSubject *subject, Buf *out);
void proc_os_release(const ProcSubject *subject, Buf *out);
void proc_os_version(const ProcSubject *subject, Buf *out);
void proc_host_name(const ProcSubject *subject, Buf *out);
void proc_domain_name(const ProcSubject *subject, Buf *out);
void proc_pid_max(const ProcSubject *subject, Buf *out);
void proc_threads_max(const ProcSubject *subject, Buf *out);
void proc_cap_last_cap(const ProcSubject *subject, Buf *out);
void proc_number_0(const ProcSubject *subject, Buf *out);
void proc_number_1(const ProcSubject *subject, Buf *out);
void proc_number_2(const ProcSubject *subject, Buf *out);
void proc_number_64k(const ProcSubject *subject, Buf *out);
void proc_number_1m(const ProcSubject *subject, Buf *out);
void proc_boot_id(const ProcSubject *subject, Buf *out);
void proc_uuid(const ProcSubject *subject, Buf *out);
void proc_file_max(const ProcSubject *subject, Buf *out);
void proc_file_nr(const ProcSubject *subject, Buf *out);
void proc_nr_open(const ProcSubject *subject, Buf *out);

void proc_cmdline(const ProcSubject *subject, Buf *out);
void proc_environ(const ProcSubject *subject, Buf *out);
void proc_auxv(const ProcSubject *subject, Buf *out);
void proc_comm(const ProcSubject *subject, Buf *out);
void proc_maps(const ProcSubject *subject, Buf *out);
void proc_stat(const ProcSubject *subject, Buf *out);
void proc_statm(const ProcSubject *subject, Buf *out);
void proc_status(const ProcSubject *subject, Buf *out);
void proc_limits(const ProcSubject *subject, Buf *out);
void proc_mounts(const ProcSubject *subject, Buf *out);
void proc_mountinfo(const ProcSubject *subject, Buf *out);
void proc_cgroup(const ProcSubject *subject, Buf *out);
void proc_io(const ProcSubject *subject, Buf *out);
void proc_id_map(const ProcSubject *subject, Buf *out);
void proc_wchan(const ProcSubject *subject, Buf *out);
void proc_fdinfo(const ProcSubject *subject, Buf *out);

#endif
