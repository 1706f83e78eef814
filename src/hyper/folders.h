/* SPDX-License-Identifier: MIT
 *
 * Folders of the host for machines whose programs are not Linux programs (machine/files.h): nothing but regular files beneath them.
 *
 * A name is looked up component by component, from a descriptor of the folder that was opened once: no symbolic link is followed, ".." is
 * refused, and what is no regular file (a pipe, a device, a socket) is refused before it is opened and again behind it. So no name, and
 * nobody who changes the folder meanwhile, leads out of it.
 *
 *     /save/slot1    `slot1` in the folder that was given as /save; the one with the longest path that fits
 *     slot1          `slot1` in the first folder
 */
#ifndef HYPER_FOLDERS_H
#define HYPER_FOLDERS_H

#include "base/buf.h"
#include "base/status.h"
#include "machine/files.h"

typedef struct HostFolder {
	const char *host, *guest; /* guest: "/", "/save" ... */
	bool read_only;
} HostFolder;

/* Copied. *out: a reference is the caller's (out->unref). Why not: in `why`. */
Status folders_open(const HostFolder *folders, u32 count, const MachineFolders **out, Buf *why);
void folders_close(const MachineFolders *folders); /* gives the reference back; NULL: nothing */

#endif
