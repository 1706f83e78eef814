/* SPDX-License-Identifier: MIT
 *
 * The memory of the program that calls, reached with the program's own rights.
 */
#include <string.h>

#include "linux/mm.h"

bool user_read(Task *task, u64 address, void *to, u64 len)
{
	Mm *mm = task->process->mm;

	return !len || (mm && machine_copy_in(task->kernel->machine, mm_aspace(mm), address, to, len) == len);
}

bool user_write(Task *task, u64 address, const void *from, u64 len)
{
	Mm *mm = task->process->mm;

	return !len || (mm && machine_copy_out(task->kernel->machine, mm_aspace(mm), address, from, len) == len);
}

i64 user_string(Task *task, u64 address, char *to, size_t size)
{
	Machine *machine = task->kernel->machine;
	size_t done = 0;

	if (!task->process->mm)
		return -EFAULT;
	while (done < size) {
		u64 got;
		const u8 *from = machine_span(machine, mm_aspace(task->process->mm), address + done, size - done, ATTR_READ,
					      &got);
		const u8 *end;

		if (!got)
			return -EFAULT;
		end = memchr(from, 0, got);
		if (end) {
			memcpy(to + done, from, (size_t)(end - from) + 1);
			return (i64)done + (end - from);
		}
		memcpy(to + done, from, got);
		done += got;
	}
	to[size - 1] = 0;
	return -ENAMETOOLONG;
}

bool user_timespec(Task *task, u64 address, u64 *ns)
{
	i64 spec[2];

	if (!user_read(task, address, spec, sizeof(spec)))
		return false;
	*ns = ~(u64)0;
	if (spec[0] < 0 || spec[1] < 0 || spec[1] >= NS_IN_SECOND)
		return true;
	/* Times beyond 292 years are that. */
	if (__builtin_mul_overflow((u64)spec[0], (u64)NS_IN_SECOND, ns) || *ns >= (u64)INT64_MAX - NS_IN_SECOND)
		*ns = (u64)INT64_MAX - NS_IN_SECOND;
	*ns += (u64)spec[1];
	return true;
}

bool user_put_timespec(Task *task, u64 address, u64 ns)
{
	u64 spec[2] = { ns / NS_IN_SECOND, ns % NS_IN_SECOND };

	return user_write(task, address, spec, sizeof(spec));
}

bool user_put_u32(Task *task, u64 address, u32 value)
{
	return user_write(task, address, &value, sizeof(value));
}

bool user_put_u64(Task *task, u64 address, u64 value)
{
	return user_write(task, address, &value, sizeof(value));
}
