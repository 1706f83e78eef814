/* SPDX-License-Identifier: MIT
 *
 * Files for machines whose programs are not Linux programs (services_files.c): what stands behind them is given with the machine's
 * configuration (MachineConfig.folders); src/hyper/folders.h is the one that leads to folders of the host. A machine that was given
 * none has no files.
 *
 * A handle is a number from 1 to FILE_HANDLES. It is part of the machine's state, as the name, what it is open for, and the position; what
 * the host has open for it is not, and is opened by that name when it is needed first. So a handle outlives snapshots, forks and going back
 * in time; if the name leads nowhere then, each call with it says so.
 */
#ifndef MACHINE_FILES_H
#define MACHINE_FILES_H

#include "machine/outside.h"

enum {
	FILE_HANDLES = 16,
	FILE_NAME_MOST = 256,        /* bytes of a name, with the 0 */
	FILE_AT_ONCE = 16384,        /* bytes that one call reads or writes at most */
	FILE_SIZE_MOST = 0x7FFFFFFF, /* bytes of a file that can be reached */
	FILE_LIST_MOST = 10000,      /* names in a folder that can be listed */
};

typedef enum FileMode {
	FILE_READ,
	FILE_WRITE,  /* made if it is not there; nothing is in it */
	FILE_APPEND, /* made if it is not there; all that is written goes to its end */
	FILE_CHANGE, /* read and written; made if it is not there, and keeps what is in it */
	FILE_MODES,
} FileMode;

typedef enum FileOpening {
	FILE_AGAIN, /* the program has it open: it must be there, and keeps what is in it */
	FILE_THERE, /* it must be there; FILE_WRITE empties it */
	FILE_NEW,   /* it must not be there (OUTSIDE_REFUSED), and is made */
} FileOpening;

/* Machines on several threads share one; only what `open` has given belongs to one of them. None of these waits for anything but a disk. */
typedef struct MachineFolders {
	void *ctx;
	void (*ref)(void *ctx);
	void (*unref)(void *ctx);
	OutsideResult (*open)(void *ctx, const char *name, FileMode mode, FileOpening opening, void **file);
	void (*close)(void *file);
	OutsideResult (*read)(void *file, u64 position, u8 *bytes, u32 most, u32 *len);
	/* FILE_APPEND: to the end, wherever `position` is. */
	OutsideResult (*write)(void *file, u64 position, const u8 *bytes, u32 len, u32 *written);
	OutsideResult (*size)(void *file, u64 *size);
	OutsideResult (*remove)(void *ctx, const char *name);
	/* Of the regular files and folders beside `name` (it need not be there) the first behind it, by bytes; "x/": of those in x the first.
	 * A name that could be opened: at most FILE_NAME_MOST - 1 bytes, others are left out. NOT_THERE: it was the last, or there is no such folder.
	 * TOO_BIG: there are more than FILE_LIST_MOST. */
	OutsideResult (*next)(void *ctx, const char *name, char *next, bool *is_folder);
} MachineFolders;

/* For guests whose programs know no handles: a whole file of at most `most` bytes, and a file of just these bytes. As a program that opens,
 * reads or writes, and closes. Whoever calls has asked for the right (machine_may_serve). */
OutsideResult machine_file_get(Machine *machine, const char *name, u8 *bytes, u32 most, u32 *len);
OutsideResult machine_file_put(Machine *machine, const char *name, const u8 *bytes, u32 len);
OutsideResult machine_file_remove(Machine *machine, const char *name);

#endif
