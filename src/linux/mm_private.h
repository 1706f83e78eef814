/* SPDX-License-Identifier: MIT
 *
 * Inside the memory of a process (mm*.c, exec.c).
 *
 *      0    64 KiB        program  heap ->         <- mmap           stack      limit (2^38 on RISC-V's Sv39)
 *      |------|-------------[====][=====]------------[=====]---|-------[===]|
 *       never                     ^brk               first place: map_top  8 MiB at most
 *
 * Pages are the machine's (machine/pages.h), areas are ours. Invariants:
 *  1. A page is present only inside an area, and its rights are the area's.
 *  2. Whatever leaves an area (munmap, MADV_DONTNEED) drops its pages first; only [touched, untouched) can have any, so a
 *     reservation of terabytes costs nothing to give back.
 *  3. Pages of shared memory lie in a memfd: that of the file (FileOps.shared), or the one of the kernel in which every
 *     anonymous shared mapping has a stretch of its own. It is put under absent pages when they are touched.
 */
#ifndef LINUX_MM_PRIVATE_H
#define LINUX_MM_PRIVATE_H

#include "linux/area.h"
#include "linux/mm.h"

enum {
	PAGE = 4096,
	MM_LOWEST = 65536,  /* vm.mmap_min_addr */
	MM_READ_AHEAD = 8,  /* pages */
	MM_AREAS_TOGETHER = 4 * MM_AREA_LIMIT,
	/* Pages added at once where a run of pages is being touched: */
	MM_EXPAND_SOON = 16, /* as many as it has, at most */
	MM_EXPAND = 64,      /* one for MM_RUN_PART of them, where that is more */
	MM_RUN_PART = 4,
	MM_HOLES = 8,        /* pages that it may lack, as nothing is touched quite in order */
};

/* RLIMIT_* of asm-generic. */
enum { LIMIT_DATA = 2, LIMIT_STACK = 3, LIMIT_AS = 9 };

/* Anonymous memory that several mappings have: a stretch of the kernel's memfd. */
struct Shared {
	Kernel *kernel;
	u32 refs;
	u64 place, size; /* in the memfd */
	struct SharedRun *runs; /* owned; ascending, with gaps between: what has memory */
	u32 run_count, run_cap;
};

typedef struct SharedRun {
	u64 start, end;
} SharedRun;

/* What all Mm of a kernel have in common. */
struct KernelMemory {
	Mm **spaces;      /* by number of address space; owned array */
	u32 cap;
	int fd;           /* of shared memory; -1: not yet made */
	u64 shared_end;   /* stretches have been given out up to here */
	u64 shared_bytes; /* that the memfd really has: part of kernel->storage */
	u64 areas;        /* of all Mm: at most MM_AREAS_TOGETHER, as they cost memory that no limit counts */
	bool adrift;      /* the machine's address spaces are no longer those of these Mm (mm_forget_pages) */
	char denied[64];  /* text of kernel->denied */
};

typedef enum Touch { TOUCH_OK, TOUCH_NOTHING, TOUCH_NO_RIGHT, TOUCH_NO_FILE, TOUCH_NO_MEMORY } Touch;

struct Mm {
	Kernel *kernel;
	u32 refs, aspace;
	Areas areas;
	u64 limit;              /* first address beyond */
	u64 map_top;            /* mmap goes down from here */
	u64 brk_start, brk;
	u64 data_pages;         /* private and writable: RLIMIT_DATA */
	bool shares_code;       /* it has had an area that is shared and executable */
	u64 vdso, trampoline;   /* addresses, or 0 */
	u64 program_bias;       /* load address - address in the file: symbols */
	u64 arguments, arguments_end, environment, environment_end; /* texts on the stack */
	Touch refusal;          /* the pager's last one */
	u64 refused;            /* its page */
};

/* mm.c */
struct KernelMemory *mm_kernel_memory(Kernel *kernel); /* NULL: no memory */
Mm *mm_create_for(Kernel *kernel, u32 aspace);         /* of an address space that is there; NULL: no memory */
Mm *mm_of_aspace(Kernel *kernel, u32 aspace);          /* or NULL */
u64 mm_process_limit(const Mm *mm, unsigned which);    /* RLIMIT of the current process, soft */
u64 mm_memory_limit(const Mm *mm);                     /* bytes the machine can have */
u8 mm_rights(u32 prot);
/* `area` ends at `at`, which lies in it; what is behind becomes an area of its own. NULL: no memory, or too many. */
Area *mm_split(Mm *mm, Area *area, u64 at);
/* Both bounds of [start, end) are bounds of areas, too. -ENOMEM. */
i64 mm_split_range(Mm *mm, u64 start, u64 end);
/* Joins it with its neighbours where nothing tells them apart. Gives what it is a part of now. */
Area *mm_join(Mm *mm, Area *area);
/* A copy of *like with references of its own. NULL: no memory. */
Area *mm_add_alone(Mm *mm, const Area *like);
Area *mm_add_area(Mm *mm, const Area *like); /* joined with its neighbours */
void mm_remove_area(Mm *mm, Area *area); /* its pages as well */
void mm_drop_pages(Mm *mm, const Area *area, u64 start, u64 end);
void mm_set_prot(Mm *mm, Area *area, u32 prot);
/* Is [start, start + len) inside of what programs may have? */
bool mm_range_ok(const Mm *mm, u64 start, u64 len);
/* May so much more be mapped? data: it counts as such. 0 or -ENOMEM. */
i64 mm_may_grow(const Mm *mm, u64 len, bool data);

/* mm_map.c */
i64 mm_place(Mm *mm, u64 hint, u64 len, u64 *start);
bool mm_overcommits(const Mm *mm, u64 len, u32 prot, u32 area_flags); /* it can never all be there */

/* mm_touch.c */
Touch mm_make_present(Mm *mm, u64 address, u8 access);
/* Snapshots: absent pages of shared memory become present, just these. */
Touch mm_load_pages(Mm *mm, Area *area, u64 start, u64 end);
/* As much of [start, end) as there is memory for. */
void mm_populate(Mm *mm, u64 start, u64 end);

/* mm_shared.c */
Shared *mm_shared_create(Kernel *kernel, u64 size); /* NULL: no memory */
Shared *mm_shared_get(Shared *shared);
void mm_shared_put(Shared *shared);
/* Memory for a range of it, counted; false: the limit is reached. */
bool mm_shared_fill(Shared *shared, u64 offset, u64 len);
void mm_shared_punch(Shared *shared, u64 offset, u64 len); /* zero again, given back */
int mm_shared_fd(const Shared *shared);

static inline u64 page_down(u64 address)
{
	return address & ~(u64)(PAGE - 1);
}

/* ~0 rounded down where it does not fit: no length that is allowed is so large. */
static inline u64 page_up(u64 len)
{
	return len > ~(u64)0 - PAGE ? ~(u64)(PAGE - 1) : (len + PAGE - 1) & ~(u64)(PAGE - 1);
}

#endif
