/* SPDX-License-Identifier: MIT
 *
 * The memory of a process: a sorted list of areas over one address space of the machine. Pages become present when
 * they are touched (machine_set_pager): of anonymous areas zero, of private file areas with what the file has there,
 * of shared ones in the memory that all who map it have.
 */
#ifndef LINUX_MM_H
#define LINUX_MM_H

#include "linux/file.h"

/* Empty. NULL: no memory. Counted references: CLONE_VM shares it. */
Mm *mm_create(Kernel *kernel);
Mm *mm_get(Mm *mm);
void mm_put(Mm *mm);
Mm *mm_fork(Mm *mm);                    /* NULL: no memory (ENOMEM) */
u32 mm_aspace(const Mm *mm);
u64 mm_bytes_mapped(const Mm *mm);      /* /proc/self/statm */
u64 mm_bytes_present(const Mm *mm);
void mm_print_maps(Mm *mm, Buf *out);   /* /proc/self/maps */
/* The pager of the machine. */
bool mm_touch(Machine *machine, u32 aspace, u64 address, u8 access);

/* mmap for the kernel's own use. prot and flags as Linux has them; file may be NULL. An address, or -errno. */
i64 mm_map(Mm *mm, u64 address, u64 len, u32 prot, u32 flags, File *file, u64 offset);
i64 mm_unmap(Mm *mm, u64 address, u64 len);
/* At a shared place of memory (a futex that processes share): a number that is the same for all who map it. */
u64 mm_shared_key(Mm *mm, u64 address);  /* 0: private */

/* ---- exec.c ----
 * Makes the task's process execute what `file` holds: checked first, with errors as execve has them (ENOEXEC, ENOENT
 * of the interpreter, E2BIG, EACCES); from the point of no return on an error kills the process. `path`: how it was
 * called, absolute. #! scripts call their interpreter. The caller ends the other threads afterwards. */
i64 exec_file(Task *task, File *file, const char *path, char *const *arguments, char *const *environment, DiagList *diags);

#endif
