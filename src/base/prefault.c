/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/prefault.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

enum { PAGE = 4096, WORTH_IT = 4 * PAGE };

void prefault(void *at, size_t len)
{
	const uintptr_t start = ((uintptr_t)at + PAGE - 1) & ~(uintptr_t)(PAGE - 1), end = ((uintptr_t)at + len) & ~(uintptr_t)(PAGE - 1);
	const int saved = errno;

	if (len >= WORTH_IT && end > start)
		madvise((void *)start, end - start, MADV_POPULATE_WRITE);
	errno = saved;
}
