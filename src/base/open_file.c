/* SPDX-License-Identifier: MIT */
#include "base/open_file.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"

OpenFile *open_file_create(int fd)
{
	OpenFile *file = malloc(sizeof *file);

	if (!file) {
		close(fd);
		return NULL;
	}
	*file = (OpenFile){.refs = 1, .fd = fd};
	return file;
}

OpenFile *open_file_get(OpenFile *file)
{
	__atomic_add_fetch(&file->refs, 1, __ATOMIC_RELAXED);
	return file;
}

void open_file_put(OpenFile *file)
{
	if (!file || __atomic_sub_fetch(&file->refs, 1, __ATOMIC_ACQ_REL))
		return;
	close(file->fd);
	free(file);
}

bool open_files_add(OpenFiles *files, OpenFile *file)
{
	if (!array_grow((void **)&files->items, &files->cap, files->count, sizeof *files->items))
		return false;
	files->items[files->count++] = open_file_get(file);
	return true;
}

void open_files_fini(OpenFiles *files)
{
	for (u32 i = 0; i < files->count; i++)
		open_file_put(files->items[i]);
	free(files->items);
	*files = (OpenFiles){.items = NULL};
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)*(OpenFile *const *)a, y = (uintptr_t)*(OpenFile *const *)b;

	return (x > y) - (x < y);
}

void open_files_sort(OpenFiles *files)
{
	if (files->count)
		qsort(files->items, files->count, sizeof *files->items, by_address);
}

bool open_files_has(const OpenFiles *files, const OpenFile *file)
{
	u32 low = 0, high = files->count;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (files->items[middle] == file)
			return true;
		if ((uintptr_t)files->items[middle] < (uintptr_t)file)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}
