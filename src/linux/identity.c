/* SPDX-License-Identifier: MIT
 *
 * Who a process is: numbers, groups and sessions, users, capabilities.
 *
 * Root inside is root as in a container: user 0 may become anybody, and has no power over the host.
 */
#include <string.h>

#include "linux/process.h"
#include "linux/syscalls.h"

static const u64 all_capabilities = ((u64)1 << 41) - 1;

/* ---- Numbers ---- */

i64 sys_getpid(Task *task, const u64 *a)
{
	(void)a;
	return task->process->pid;
}

i64 sys_getppid(Task *task, const u64 *a)
{
	(void)a;
	return task->process->parent ? task->process->parent->pid : 0;
}

i64 sys_gettid(Task *task, const u64 *a)
{
	(void)a;
	return task->tid;
}

i64 sys_set_tid_address(Task *task, const u64 *a)
{
	task->clear_tid = a[0];
	return task->tid;
}

static Process *process_or_own(Task *task, u64 pid)
{
	return (i32)pid ? process_find(task->kernel, (i32)pid) : task->process;
}

i64 sys_getpgid(Task *task, const u64 *a)
{
	const Process *process = process_or_own(task, a[0]);

	return process ? process->pgid : -ESRCH;
}

i64 sys_getsid(Task *task, const u64 *a)
{
	const Process *process = process_or_own(task, a[0]);

	return process ? process->sid : -ESRCH;
}

static bool group_exists(const Kernel *kernel, i32 pgid, i32 sid)
{
	for (const Process *process = kernel->processes; process; process = process->next)
		if (process->pgid == pgid && process->sid == sid)
			return true;
	return false;
}

i64 sys_setpgid(Task *task, const u64 *a)
{
	Process *process = process_or_own(task, a[0]);
	i32 pgid = (i32)a[1];

	if (pgid < 0)
		return -EINVAL;
	if (!process || (process != task->process && process->parent != task->process))
		return -ESRCH;
	if (process != task->process && process->sid != task->process->sid)
		return -EPERM;
	if (process != task->process && process->did_exec)
		return -EACCES;
	if (process->sid == process->pid)
		return -EPERM;
	if (!pgid)
		pgid = process->pid;
	if (pgid != process->pid && !group_exists(task->kernel, pgid, process->sid))
		return -EPERM;
	process->pgid = pgid;
	return 0;
}

i64 sys_setsid(Task *task, const u64 *a)
{
	Process *process = task->process;

	(void)a;
	for (const Process *other = task->kernel->processes; other; other = other->next)
		if (other->pgid == process->pid)
			return -EPERM;
	process->sid = process->pgid = process->pid;
	return process->pid;
}

/* ---- Users ---- */

i64 sys_getuid(Task *task, const u64 *a)
{
	(void)a;
	return task->process->real_user;
}

i64 sys_geteuid(Task *task, const u64 *a)
{
	(void)a;
	return task->process->user;
}

i64 sys_getgid(Task *task, const u64 *a)
{
	(void)a;
	return task->process->real_group;
}

i64 sys_getegid(Task *task, const u64 *a)
{
	(void)a;
	return task->process->group;
}

typedef struct Ids {
	u32 *real, *effective, *saved;
} Ids;

static Ids users(Process *process)
{
	return (Ids){ &process->real_user, &process->user, &process->saved_user };
}

static Ids groups(Process *process)
{
	return (Ids){ &process->real_group, &process->group, &process->saved_group };
}

static const u32 unchanged = 0xFFFFFFFFu;

static bool may_take(const Process *process, Ids ids, u32 id)
{
	return process->user == 0 || id == unchanged || id == *ids.real || id == *ids.effective || id == *ids.saved;
}

static i64 set_three(Process *process, Ids ids, const u64 *a)
{
	for (unsigned i = 0; i < 3; i++)
		if (!may_take(process, ids, (u32)a[i]))
			return -EPERM;
	if ((u32)a[0] != unchanged)
		*ids.real = (u32)a[0];
	if ((u32)a[1] != unchanged)
		*ids.effective = (u32)a[1];
	if ((u32)a[2] != unchanged)
		*ids.saved = (u32)a[2];
	return 0;
}

static i64 set_two(Process *process, Ids ids, const u64 *a)
{
	u32 real = *ids.real;

	if (!may_take(process, ids, (u32)a[0]) || !may_take(process, ids, (u32)a[1]))
		return -EPERM;
	if ((u32)a[0] != unchanged)
		*ids.real = (u32)a[0];
	if ((u32)a[1] != unchanged)
		*ids.effective = (u32)a[1];
	if ((u32)a[0] != unchanged || ((u32)a[1] != unchanged && (u32)a[1] != real))
		*ids.saved = *ids.effective;
	return 0;
}

static i64 set_one(Process *process, Ids ids, u32 id)
{
	if (id == unchanged)
		return -EINVAL;
	if (!may_take(process, ids, id))
		return -EPERM;
	if (process->user == 0)
		*ids.real = *ids.saved = id;
	*ids.effective = id;
	return 0;
}

static i64 get_three(Task *task, Ids ids, const u64 *a)
{
	return user_put_u32(task, a[0], *ids.real) && user_put_u32(task, a[1], *ids.effective) &&
	       user_put_u32(task, a[2], *ids.saved) ? 0 : -EFAULT;
}

i64 sys_setresuid(Task *task, const u64 *a)
{
	return set_three(task->process, users(task->process), a);
}

i64 sys_setresgid(Task *task, const u64 *a)
{
	return set_three(task->process, groups(task->process), a);
}

i64 sys_setreuid(Task *task, const u64 *a)
{
	return set_two(task->process, users(task->process), a);
}

i64 sys_setregid(Task *task, const u64 *a)
{
	return set_two(task->process, groups(task->process), a);
}

i64 sys_setuid(Task *task, const u64 *a)
{
	return set_one(task->process, users(task->process), (u32)a[0]);
}

i64 sys_setgid(Task *task, const u64 *a)
{
	return set_one(task->process, groups(task->process), (u32)a[0]);
}

i64 sys_getresuid(Task *task, const u64 *a)
{
	return get_three(task, users(task->process), a);
}

i64 sys_getresgid(Task *task, const u64 *a)
{
	return get_three(task, groups(task->process), a);
}

/* The ids that file accesses use are the effective ones here. */
i64 sys_setfsuid(Task *task, const u64 *a)
{
	(void)a;
	return task->process->user;
}

i64 sys_setfsgid(Task *task, const u64 *a)
{
	(void)a;
	return task->process->group;
}

i64 sys_getgroups(Task *task, const u64 *a)
{
	const Process *process = task->process;
	i32 size = (i32)a[0];

	if (size < 0 || (size && (u32)size < process->group_count))
		return -EINVAL;
	if (size && !user_write(task, a[1], process->groups, process->group_count * sizeof(u32)))
		return -EFAULT;
	return process->group_count;
}

i64 sys_setgroups(Task *task, const u64 *a)
{
	Process *process = task->process;
	u32 groups_read[COUNT_OF(process->groups)];

	if (process->user != 0)
		return -EPERM;
	if (a[0] > COUNT_OF(process->groups))
		return -EINVAL;
	if (!user_read(task, a[1], groups_read, a[0] * sizeof(u32)))
		return -EFAULT;
	memcpy(process->groups, groups_read, a[0] * sizeof(u32));
	process->group_count = (u32)a[0];
	return 0;
}

/* ---- Capabilities: all for user 0, none for others ---- */

enum { CAP_V1 = 0x19980330, CAP_V2 = 0x20071026, CAP_V3 = 0x20080522 };

/* Version and process of the header. 1: go on; else the result. */
static i64 read_header(Task *task, u64 address, u32 *words, Process **process)
{
	u32 header[2];

	if (!user_read(task, address, header, sizeof(header)))
		return -EFAULT;
	*words = header[0] == CAP_V1 ? 1 : header[0] == CAP_V2 || header[0] == CAP_V3 ? 2 : 0;
	if (!*words)
		return user_put_u32(task, address, CAP_V3) ? -EINVAL : -EFAULT;
	if ((i32)header[1] < 0)
		return -EINVAL;
	*process = process_or_own(task, header[1]);
	return *process ? 1 : -ESRCH;
}

i64 sys_capget(Task *task, const u64 *a)
{
	Process *process;
	u32 words, sets[6] = { 0 };
	i64 result = read_header(task, a[0], &words, &process);
	u64 has;

	if (result == -EINVAL && !a[1])
		return 0; /* only the version was asked for */
	if (result != 1)
		return result;
	has = process->user == 0 ? all_capabilities : 0;
	for (u32 i = 0; i < words; i++)
		sets[3 * i] = sets[3 * i + 1] = (u32)(has >> (32 * i));
	return user_write(task, a[1], sets, words * 12) ? 0 : -EFAULT;
}

i64 sys_capset(Task *task, const u64 *a)
{
	Process *process;
	u32 words, sets[6] = { 0 };
	i64 result = read_header(task, a[0], &words, &process);
	u64 wanted = 0;

	if (result != 1)
		return result;
	if (process != task->process)
		return -EPERM;
	if (!user_read(task, a[1], sets, words * 12))
		return -EFAULT;
	for (u32 i = 0; i < words; i++)
		wanted |= (u64)(sets[3 * i] | sets[3 * i + 1]) << (32 * i);
	return wanted & all_capabilities & ~(process->user == 0 ? all_capabilities : 0) ? -EPERM : 0;
}

/* ---- Name of the machine ---- */

i64 sys_uname(Task *task, const u64 *a)
{
	enum { FIELD = 65 };
	char fields[6][FIELD] = { "Linux", "", "6.12.0-husk", "#1 SMP", "", "(none)" };
	const char *machine = task->kernel->abi->machine_name;

	memcpy(fields[1], task->kernel->host_name, FIELD);
	memcpy(fields[4], machine, strnlen(machine, FIELD - 1));
	return user_write(task, a[0], fields, sizeof(fields)) ? 0 : -EFAULT;
}

static i64 set_name(Task *task, const u64 *a)
{
	char name[65] = "";

	if (task->process->user != 0)
		return -EPERM;
	if (a[1] > 64)
		return -EINVAL;
	if (!user_read(task, a[0], name, a[1]))
		return -EFAULT;
	memcpy(task->kernel->host_name, name, sizeof(name));
	return 0;
}

i64 sys_sethostname(Task *task, const u64 *a)
{
	return set_name(task, a);
}

i64 sys_setdomainname(Task *task, const u64 *a)
{
	(void)a;
	return task->process->user == 0 ? 0 : -EPERM;
}
