/* SPDX-License-Identifier: MIT
 *
 * Rights (machine/rights.h) as Linux programs meet them: calls that need one they do not have give EPERM. What they are asked for
 * elsewhere: the console (console.c), folders of the host (vfs_host.c: EACCES), the network (inet.c: EACCES), /dev/random.
 *
 * A call that waits is asked again when it is tried again, so a right that is taken ends a sleep.
 */
#include "linux/kernel.h"
#include "linux/rights.h"

typedef struct NeedingCall {
	u16 number;
	u8 right;
} NeedingCall;

static const NeedingCall calls[] = {
	{278, RIGHT_RANDOM}, /* getrandom */
	{85, RIGHT_TIME},    /* timerfd_create */
	{101, RIGHT_TIME},   /* nanosleep */
	{102, RIGHT_TIME},   /* getitimer */
	{103, RIGHT_TIME},   /* setitimer */
	{107, RIGHT_TIME},   /* timer_create */
	{113, RIGHT_TIME},   /* clock_gettime */
	{115, RIGHT_TIME},   /* clock_nanosleep */
	{153, RIGHT_TIME},   /* times */
	{169, RIGHT_TIME},   /* gettimeofday */
	{220, RIGHT_VCPUS},  /* clone */
	{435, RIGHT_VCPUS},  /* clone3 */
};

bool kernel_may(const Kernel *kernel, Right right)
{
	return kernel->loading || machine_may(kernel->machine, right);
}

i64 kernel_refuses(Kernel *kernel, u64 number)
{
	for (u32 i = 0; i < COUNT_OF(calls); i++) {
		if (calls[i].number != number || machine_may(kernel->machine, calls[i].right))
			continue;
		return -EPERM;
	}
	return 0;
}
