/* SPDX-License-Identifier: MIT
 *
 * Rights (machine/rights.h) as Linux programs meet them: calls that need one they do not have give EPERM. What they are asked for
 * elsewhere: the console (console.c), folders of the host (vfs_host.c: EACCES), the network (inet.c: EACCES), /dev/random.
 *
 * A call that waits is asked again when it is tried again, so a right that is taken ends a sleep.
 */
#include "linux/kernel.h"
#include "linux/rights.h"

enum { NUMBER_LIMIT = 512 };

/* By number: the right it needs, plus 1. */
static const u8 needs[NUMBER_LIMIT] = {
	[278] = 1 + RIGHT_RANDOM, /* getrandom */
	[85] = 1 + RIGHT_TIME,    /* timerfd_create */
	[101] = 1 + RIGHT_TIME,   /* nanosleep */
	[102] = 1 + RIGHT_TIME,   /* getitimer */
	[103] = 1 + RIGHT_TIME,   /* setitimer */
	[107] = 1 + RIGHT_TIME,   /* timer_create */
	[113] = 1 + RIGHT_TIME,   /* clock_gettime */
	[115] = 1 + RIGHT_TIME,   /* clock_nanosleep */
	[153] = 1 + RIGHT_TIME,   /* times */
	[169] = 1 + RIGHT_TIME,   /* gettimeofday */
	[220] = 1 + RIGHT_VCPUS,  /* clone */
	[435] = 1 + RIGHT_VCPUS,  /* clone3 */
};

bool kernel_may(const Kernel *kernel, Right right)
{
	return kernel->loading || machine_may(kernel->machine, right);
}

i64 kernel_refuses(Kernel *kernel, u64 number)
{
	u8 need = number < NUMBER_LIMIT ? needs[number] : 0;

	return need && !machine_may(kernel->machine, (Right)(need - 1)) ? -EPERM : 0;
}
