/* SPDX-License-Identifier: MIT
 *
 * Whole files in memory. What is read may be anything: a directory, a device without end, a file that somebody is
 * still writing; so reading has a limit and never trusts a size it was told.
 */
#ifndef CMD_FILE_H
#define CMD_FILE_H

#include "base/buf.h"
#include "base/types.h"

#define FILE_LIMIT ((size_t)256 << 20)

/* Appends the file's content ("-": standard input). 0, or an exit code with one line about it in *error. */
int file_read(const char *path, size_t limit, Buf *out, Buf *error);
/* The same for one that is open already; `path` is for messages. */
int file_read_open(int fd, const char *path, size_t limit, Buf *out, Buf *error);
/* Opens it for reading: 0 and *fd, or as above. */
int file_open(const char *path, int *fd, Buf *error);
/* Opens for reading what `path` means to somebody whose root is `folder`: links lead nowhere else. -1: nothing. */
int file_open_beneath(const char *folder, const char *path);
/* Does the name end so? Letters' case does not count. */
bool file_has_extension(const char *path, const char *extension);
/* The path with its extension (if any) replaced. */
void file_with_extension(const char *path, const char *extension, Buf *out);
/* Are both the same regular file, whatever the names? */
bool file_is_same(const char *a, const char *b);
/* How many bytes the UTF-8 byte order mark takes that editors put before a text: 0 or 3. */
size_t file_byte_order_mark(const u8 *data, size_t len);
/* The part behind the last '/'. */
const char *file_base(const char *path);

#endif
