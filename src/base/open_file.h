/* SPDX-License-Identifier: MIT
 *
 * Open descriptors of the host that several own: it is closed when the last of them has given it back. Who has one uses it by place
 * (pread, pwrite), so nobody sees that others do, on whatever thread.
 */
#ifndef BASE_OPEN_FILE_H
#define BASE_OPEN_FILE_H

#include "base/types.h"

typedef struct OpenFile {
	u32 refs; /* atomic */
	int fd;
} OpenFile;

/* Takes `fd` over. NULL: no memory; it is closed then. */
OpenFile *open_file_create(int fd);
OpenFile *open_file_get(OpenFile *file);
void open_file_put(OpenFile *file); /* or NULL */

static inline int open_file_fd(const OpenFile *file)
{
	return file ? file->fd : -1;
}

/* Some, with a reference to each; one may be in it more than once. {0} is an empty one. */
typedef struct OpenFiles {
	OpenFile **items; /* owned */
	u32 count, cap;
} OpenFiles;

bool open_files_add(OpenFiles *files, OpenFile *file); /* gets a reference of its own; false: no memory */
void open_files_fini(OpenFiles *files);
/* So that it can be asked (open_files_has). */
void open_files_sort(OpenFiles *files);
bool open_files_has(const OpenFiles *files, const OpenFile *file);

#endif
