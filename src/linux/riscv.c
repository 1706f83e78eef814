/* SPDX-License-Identifier: MIT
 *
 * The two system calls that only RISC-V has (Linux UAPI asm/unistd.h, asm/hwprobe.h).
 */
#include "linux/mm.h"
#include "linux/syscalls.h"

i64 sys_riscv_flush_icache(Task *task, const u64 *a)
{
	enum { ALL_THREADS_NOT = 1 };

	if (a[2] & ~(u64)ALL_THREADS_NOT)
		return -EINVAL;
	mm_flush_code(task->process->mm, a[0], a[1]);
	return 0;
}

enum {
	KEY_VENDOR, KEY_ARCHITECTURE, KEY_IMPLEMENTATION, KEY_BASE, KEY_EXTENSIONS, KEY_MISALIGNED, KEY_ZICBOZ_BLOCK,
	KEY_HIGHEST_ADDRESS, KEY_TIME_FREQUENCY, KEY_MISALIGNED_SCALAR,
	BASE_IMA = 1, EXT_FD = 1, EXT_C = 2, EXT_ZBA = 8, EXT_ZBB = 16, EXT_ZBS = 32, MISALIGNED_FAST = 3,
	TIME_HZ = 10000000, /* of the time counter, as rv64.isa has it */
};

static bool probe(const Machine *machine, i64 key, u64 *value)
{
	*value = 0;
	switch (key) {
	case KEY_VENDOR: case KEY_ARCHITECTURE: case KEY_IMPLEMENTATION: case KEY_ZICBOZ_BLOCK: break;
	case KEY_BASE: *value = BASE_IMA; break;
	case KEY_EXTENSIONS: *value = EXT_FD | EXT_C | EXT_ZBA | EXT_ZBB | EXT_ZBS; break;
	case KEY_MISALIGNED: case KEY_MISALIGNED_SCALAR: *value = MISALIGNED_FAST; break;
	case KEY_HIGHEST_ADDRESS: *value = machine_address_limit(machine) - 1; break;
	case KEY_TIME_FREQUENCY: *value = TIME_HZ; break;
	default: return false;
	}
	return true;
}

i64 sys_riscv_hwprobe(Task *task, const u64 *a)
{
	enum { WHICH_CPUS = 1, PAIRS_MOST = 1024 };
	u8 cpus = 0;

	if (a[4] & ~(u64)WHICH_CPUS)
		return -EINVAL;
	if ((a[4] & WHICH_CPUS) || a[1] > PAIRS_MOST)
		return -EINVAL;
	if (!a[3] != !a[2])
		return -EINVAL;
	if (a[2] && (!user_read(task, a[3], &cpus, 1) || !(cpus & 1)))
		return -EINVAL;
	for (u64 i = 0; i < a[1]; i++) {
		struct {
			i64 key;
			u64 value;
		} pair;

		if (!user_read(task, a[0] + i * sizeof(pair), &pair.key, sizeof(pair.key)))
			return -EFAULT;
		if (!probe(task->kernel->machine, pair.key, &pair.value))
			pair.key = -1;
		if (!user_write(task, a[0] + i * sizeof(pair), &pair, sizeof(pair)))
			return -EFAULT;
	}
	return 0;
}
