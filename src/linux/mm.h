/* SPDX-License-Identifier: MIT
 *
 * The memory of a process: a sorted list of areas over one address space of the machine. Pages become present when
 * they are touched (machine_set_pager): of anonymous areas zero, of private file areas with what the file has there,
 * of shared ones in the memory that all who map it have.
 */
#ifndef LINUX_MM_H
#define LINUX_MM_H

#include "linux/file.h"

/* As Linux UAPI has them (asm-generic/mman.h). */
enum {
	LINUX_PROT_READ = 1, LINUX_PROT_WRITE = 2, LINUX_PROT_EXEC = 4,
	LINUX_PROT_GROWSDOWN = 0x01000000, LINUX_PROT_GROWSUP = 0x02000000,
	LINUX_MAP_SHARED = 1, LINUX_MAP_PRIVATE = 2, LINUX_MAP_SHARED_VALIDATE = 3, LINUX_MAP_TYPE = 15,
	LINUX_MAP_FIXED = 0x10, LINUX_MAP_ANONYMOUS = 0x20, LINUX_MAP_GROWSDOWN = 0x100, LINUX_MAP_LOCKED = 0x2000,
	LINUX_MAP_NORESERVE = 0x4000, LINUX_MAP_POPULATE = 0x8000, LINUX_MAP_NONBLOCK = 0x10000,
	LINUX_MAP_STACK = 0x20000, LINUX_MAP_HUGETLB = 0x40000, LINUX_MAP_SYNC = 0x80000,
	LINUX_MAP_FIXED_NOREPLACE = 0x100000,
	MM_AREA_LIMIT = 65530, /* vm.max_map_count */
};

/* Empty. NULL: no memory. Counted references: CLONE_VM shares it. */
Mm *mm_create(Kernel *kernel);
/* The same, in the address space that the machine begins with: of the first process, until its exec has made another. */
Mm *mm_create_first(Kernel *kernel);
Mm *mm_get(Mm *mm);
void mm_put(Mm *mm);
Mm *mm_fork(Mm *mm);                    /* NULL: no memory (ENOMEM) */
u32 mm_aspace(const Mm *mm);
u64 mm_bytes_mapped(const Mm *mm);      /* /proc/self/statm */
u64 mm_bytes_present(const Mm *mm);
void mm_print_maps(Mm *mm, Buf *out);   /* /proc/self/maps */
/* The pager of the machine. */
bool mm_touch(Machine *machine, u32 aspace, u64 address, u8 access);
/* Why it said no just now, as a signal and its si_code: SIGSEGV (nothing is mapped there, or not for this access), SIGBUS
 * (beyond the end of a file), SIGKILL (the memory limit is reached; kernel->denied says so). */
i32 mm_fault(Mm *mm, u64 address, u8 access, i32 *code);
/* Where a signal handler returns to: LinuxAbi.trampoline in the vDSO page. 0: there is none. */
u64 mm_trampoline(const Mm *mm);
/* The machine has other address spaces now (a snapshot was restored): what goes leaves them alone. */
void mm_forget_pages(Kernel *kernel);
/* What all of them share is given back: from linux_fini, when no Mm is left. */
void mm_fini(Kernel *kernel);

/* mmap for the kernel's own use. prot and flags as Linux has them; file may be NULL. An address, or -errno. */
i64 mm_map(Mm *mm, u64 address, u64 len, u32 prot, u32 flags, File *file, u64 offset);
i64 mm_unmap(Mm *mm, u64 address, u64 len);
/* Code in [start, end) may have changed. Stores are seen by themselves, but for those into shared memory that somebody
 * else, or the same program at another address, has made. */
void mm_flush_code(Mm *mm, u64 start, u64 end);
/* At a shared place of memory (a futex that processes share): a number that is the same for all who map it. */
u64 mm_shared_key(Mm *mm, u64 address);  /* 0: private */

/* ---- exec.c ----
 * Makes the task's process execute what `file` holds: checked first, with errors as execve has them (ENOEXEC, ENOENT
 * of the interpreter, E2BIG, EACCES, ENOMEM): then nothing has changed. Otherwise the other threads have ended, and the
 * task's registers are those of the program's start. `path`: how it was called, as AT_EXECFN shows it. #! scripts call
 * their interpreter. What is wrong goes to diags in words (NULL: to nobody). */
i64 exec_file(Task *task, File *file, const char *path, char *const *arguments, char *const *environment, DiagList *diags);

#endif
