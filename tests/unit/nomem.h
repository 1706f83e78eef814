/* SPDX-License-Identifier: MIT
 * Allocations that fail: the N-th, once or from then on; and a count of what is held. The program is linked with --wrap (tests.mk) of
 * malloc, calloc, realloc, free, mmap and munmap, perhaps strdup.
 */
#ifndef UNIT_NOMEM_H
#define UNIT_NOMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *memory);
void *__real_mmap(void *address, size_t len, int protection, int flags, int file, off_t offset);
int __real_munmap(void *address, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *memory);
char *__wrap_strdup(const char *string);
void *__wrap_mmap(void *address, size_t len, int protection, int flags, int file, off_t offset);
int __wrap_munmap(void *address, size_t len);

static struct {
	long left;       /* allocations that still succeed; -1: all */
	bool forever;    /* all further ones fail, too */
	bool failed;     /* one did */
	bool of_hook;    /* it is those of an allocator of the test's own that are counted (nomem_refuse) */
	long heap, maps; /* that are held */
} nomem = {.left = -1};

static inline bool nomem_refuse(bool is_hook)
{
	if (nomem.left < 0 || nomem.of_hook != is_hook)
		return false;
	if (nomem.left > 0) {
		nomem.left--;
		return false;
	}
	nomem.failed = true;
	if (!nomem.forever)
		nomem.left = -1;
	return true;
}

static inline void nomem_limit(long allocations, bool all_further)
{
	nomem.left = allocations;
	nomem.forever = all_further;
	nomem.failed = false;
}

/* From here on there is memory again. */
static inline bool nomem_was_refused(void)
{
	nomem.left = -1;
	return nomem.failed;
}

static inline long nomem_held(void)
{
	return nomem.heap + nomem.maps;
}

void *__wrap_malloc(size_t size)
{
	void *memory = nomem_refuse(false) ? NULL : __real_malloc(size);

	nomem.heap += memory != NULL;
	return memory;
}

void *__wrap_calloc(size_t count, size_t size)
{
	void *memory = nomem_refuse(false) ? NULL : __real_calloc(count, size);

	nomem.heap += memory != NULL;
	return memory;
}

void *__wrap_realloc(void *old, size_t size)
{
	void *memory = nomem_refuse(false) ? NULL : __real_realloc(old, size);

	nomem.heap += memory != NULL && !old;
	return memory;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	void *memory = nomem_refuse(false) ? NULL : __real_aligned_alloc(alignment, size);

	nomem.heap += memory != NULL;
	return memory;
}

void __wrap_free(void *memory)
{
	nomem.heap -= memory != NULL;
	__real_free(memory);
}

char *__wrap_strdup(const char *string)
{
	char *copy = __wrap_malloc(strlen(string) + 1);

	return copy ? strcpy(copy, string) : NULL;
}

void *__wrap_mmap(void *address, size_t len, int protection, int flags, int file, off_t offset)
{
	void *memory = nomem_refuse(false) ? MAP_FAILED : __real_mmap(address, len, protection, flags, file, offset);

	nomem.maps += memory != MAP_FAILED && !(flags & MAP_FIXED); /* those take the place of another one */
	return memory;
}

int __wrap_munmap(void *address, size_t len)
{
	nomem.maps--;
	return __real_munmap(address, len);
}

#endif
