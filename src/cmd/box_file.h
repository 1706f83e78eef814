/* SPDX-License-Identifier: MIT
 *
 * A machine description (YAML): which cores of which kinds, which memories they see and how, what each may do. Everything
 * that is not in the schema is an error. docs/box.md shows it.
 */
#ifndef CMD_BOX_FILE_H
#define CMD_BOX_FILE_H

#include "base/buf.h"
#include "base/types.h"

typedef enum BoxAccess { BOX_READ_WRITE, BOX_READ_ONLY, BOX_WRITE_ONLY } BoxAccess;
typedef enum BoxOrder { BOX_ORDER_OWN, BOX_ORDER_LITTLE, BOX_ORDER_BIG } BoxOrder;
typedef enum BoxKind { BOX_PUBLIC, BOX_SHARED, BOX_PRIVATE } BoxKind;

/* Bits of `may`. */
enum BoxRight {
	BOX_MAY_OUTPUT = 1, BOX_MAY_INPUT = 2, BOX_MAY_RANDOM = 4, BOX_MAY_TIME = 8, BOX_MAY_VCPUS = 16,
	BOX_MAY_SERVICES = 32,
};

typedef struct BoxFileMemory {
	char *name;
	u64 bytes;
	int kind;            /* BoxKind */
	char **cores;        /* who may map it: of a shared one several, of a private one exactly one */
	unsigned cores_count;
} BoxFileMemory;

typedef struct BoxFileWindow {
	char *memory, *space; /* space NULL: the core's code space */
	u64 at, cells, offset;
	int access, order;    /* BoxAccess, BoxOrder */
} BoxFileWindow;

typedef struct BoxFileCore {
	char *name, *machine;
	char **program, **set;
	unsigned program_count, set_count;
	BoxFileWindow *windows;
	unsigned windows_count;
	int *may;             /* BoxRight each */
	unsigned may_count;
	u64 fuel, memory;    /* instructions; bytes */
} BoxFileCore;

typedef struct BoxFile {
	char *box;
	u64 quantum;
	BoxFileMemory *memories;
	unsigned memories_count;
	BoxFileCore *cores;
	unsigned cores_count;
} BoxFile;

/* 0 or an exit code; complains itself, with place. */
int box_file_load(const char *path, BoxFile **out);
void box_file_free(BoxFile *file);
/* The BoxRight of that name; 0: there is none. */
unsigned box_file_right(const char *name);

#endif
