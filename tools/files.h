/* SPDX-License-Identifier: MIT
 *
 * Files of the tools that are used while Husk is built: whole, with complaints on stderr.
 */
#ifndef TOOLS_FILES_H
#define TOOLS_FILES_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static inline bool read_file(const char *tool, const char *name, Buf *out)
{
	FILE *file = fopen(name, "rb");
	u8 chunk[4096];
	size_t n;
	bool fine;

	if (!file) {
		fprintf(stderr, "%s: %s: %s\n", tool, name, strerror(errno));
		return false;
	}
	while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
		buf_add(out, chunk, n);
	fine = !ferror(file) && !out->failed;
	fclose(file);
	if (!fine)
		fprintf(stderr, "%s: %s: cannot be read\n", tool, name);
	return fine;
}

static inline bool write_file(const char *tool, const char *name, const Buf *content)
{
	FILE *file = fopen(name, "wb");
	bool fine = file != NULL;

	if (file) {
		fine = fwrite(content->data, 1, content->len, file) == content->len;
		fine = fclose(file) == 0 && fine;
	}
	if (!fine)
		fprintf(stderr, "%s: %s: %s\n", tool, name, strerror(errno));
	return fine;
}

#endif
