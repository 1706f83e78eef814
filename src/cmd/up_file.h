/* SPDX-License-Identifier: MIT
 *
 * What husk up reads (YAML): which programs run side by side, how many of each, what each may do and use. Everything that is not in
 * the schema is an error. docs/hypervisor.md shows it.
 */
#ifndef CMD_UP_FILE_H
#define CMD_UP_FILE_H

#include "base/buf.h"
#include "hyper/budget.h"

/* As they are written: "10M", "64K", "2.5". */
typedef struct UpFileLimits {
	char *fuel, *memory, *output, *time, *files, *messages, *instances, *disk;
} UpFileLimits;

typedef struct UpFileInstance {
	char *name, *machine, *input, *directory, *root, *net, *realm, *space;
	char **program, **args, **set, **folders, **environment, **may, **spawns;
	unsigned program_count, args_count, set_count, folders_count, environment_count, may_count, spawns_count;
	bool template;
	unsigned count, weight, priority, cap;
	UpFileLimits *limits;
} UpFileInstance;

typedef struct UpFile {
	char *name, *store;
	unsigned workers;
	UpFileLimits *limits;
	UpFileInstance *instances;
	unsigned instances_count;
} UpFile;

/* 0 or an exit code; complains itself, with place. */
int up_file_load(const char *path, UpFile **out);
void up_file_free(UpFile *file);
/* "husk.yaml:4:11", where `word` stands behind the name `who`; without it, or where nothing is found, as much as there is. For messages
 * about what was read without an error: the file is looked through once more. */
void up_file_place(const char *path, const char *who, const char *word, Buf *out);
/* Amounts for a budget. Complains itself: `who` is what they belong to. */
int up_file_limits(const UpFileLimits *from, const char *path, const char *who, u64 *limits);

#endif
