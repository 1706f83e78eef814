/* SPDX-License-Identifier: MIT
 *
 * The memory of a process: its life, and the operations on areas that everything else is made of.
 */
#include "base/array.h"
#include "linux/mm_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- All Mm of a kernel ---- */

struct KernelMemory *mm_kernel_memory(Kernel *kernel)
{
	if (!kernel->memory) {
		kernel->memory = calloc(1, sizeof *kernel->memory);
		if (kernel->memory)
			kernel->memory->fd = -1;
	}
	return kernel->memory;
}

void mm_fini(Kernel *kernel)
{
	struct KernelMemory *memory = kernel->memory;

	if (!memory)
		return;
	if (memory->fd >= 0)
		close(memory->fd);
	if (kernel->denied == memory->denied)
		kernel->denied = NULL;
	kernel->storage -= memory->shared_bytes;
	free(memory->spaces);
	free(memory);
	kernel->memory = NULL;
}

Mm *mm_of_aspace(Kernel *kernel, u32 aspace)
{
	const struct KernelMemory *memory = kernel->memory;

	return memory && aspace < memory->cap ? memory->spaces[aspace] : NULL;
}

static bool list(Mm *mm)
{
	struct KernelMemory *memory = mm_kernel_memory(mm->kernel);

	if (!memory)
		return false;
	if (!array_reach((void **)&memory->spaces, &memory->cap, mm->aspace, sizeof(Mm *)))
		return false;
	memory->spaces[mm->aspace] = mm;
	return true;
}

/* ---- Life ---- */

Mm *mm_create_for(Kernel *kernel, u32 aspace)
{
	Mm *mm = calloc(1, sizeof *mm);

	if (!mm)
		return NULL;
	mm->kernel = kernel;
	mm->refs = 1;
	mm->aspace = aspace;
	mm->limit = page_down(machine_address_limit(kernel->machine));
	mm->map_top = mm->limit;
	if (list(mm))
		return mm;
	free(mm);
	return NULL;
}

Mm *mm_create(Kernel *kernel)
{
	u32 aspace;
	Mm *mm;

	if (machine_aspace_create(kernel->machine, &aspace))
		return NULL;
	mm = mm_create_for(kernel, aspace);
	if (!mm)
		machine_aspace_release(kernel->machine, aspace);
	return mm;
}

Mm *mm_create_first(Kernel *kernel)
{
	return mm_create_for(kernel, 0);
}

Mm *mm_get(Mm *mm)
{
	mm->refs++;
	return mm;
}

static void put_references(const Area *area)
{
	if (area->file)
		file_put(area->file);
	if (area->shared)
		mm_shared_put(area->shared);
}

static void get_references(const Area *area)
{
	if (area->file)
		file_get(area->file);
	if (area->shared)
		mm_shared_get(area->shared);
}

void mm_forget_pages(Kernel *kernel)
{
	if (kernel->memory)
		kernel->memory->adrift = true;
}

void mm_put(Mm *mm)
{
	Areas areas;

	if (--mm->refs)
		return;
	/* The address space first: files may look at what was written into shared memory. */
	areas = mm->areas;
	mm->areas = (Areas){0};
	if (!mm->kernel->memory->adrift)
		machine_aspace_release(mm->kernel->machine, mm->aspace);
	mm->kernel->memory->spaces[mm->aspace] = NULL;
	mm->kernel->memory->areas -= areas.count;
	for (Area *area = areas.first, *next; area; area = next) {
		next = area->next;
		put_references(area);
		free(area);
	}
	free(mm);
}

Mm *mm_fork(Mm *mm)
{
	u32 aspace;
	Mm *copy;

	if (machine_aspace_fork(mm->kernel->machine, mm->aspace, &aspace))
		return NULL;
	copy = mm_create_for(mm->kernel, aspace);
	if (!copy) {
		machine_aspace_release(mm->kernel->machine, aspace);
		return NULL;
	}
	copy->map_top = mm->map_top;
	copy->brk_start = mm->brk_start;
	copy->brk = mm->brk;
	copy->vdso = mm->vdso;
	copy->trampoline = mm->trampoline;
	copy->program_bias = mm->program_bias;
	copy->arguments = mm->arguments;
	copy->arguments_end = mm->arguments_end;
	copy->environment = mm->environment;
	copy->environment_end = mm->environment_end;
	for (const Area *area = mm->areas.first; area; area = area->next) {
		Area like = *area;

		if (area->flags & (AREA_WIPED | AREA_NOT_FORKED)) {
			mm_drop_pages(copy, area, area->start, area->end);
			like.touched = like.untouched = 0;
		}
		if (!(area->flags & AREA_NOT_FORKED) && !mm_add_area(copy, &like)) {
			mm_put(copy);
			return NULL;
		}
	}
	return copy;
}

u32 mm_aspace(const Mm *mm)
{
	return mm->aspace;
}

u64 mm_bytes_mapped(const Mm *mm)
{
	return mm->areas.pages * PAGE;
}

u64 mm_bytes_present(const Mm *mm)
{
	return machine_aspace_present(mm->kernel->machine, mm->aspace);
}

u64 mm_trampoline(const Mm *mm)
{
	return mm->trampoline;
}

u64 mm_shared_key(Mm *mm, u64 address)
{
	const Area *area = area_at(&mm->areas, address);
	FileStat info = {0};
	u64 offset;

	if (!area || !(area->flags & AREA_SHARED))
		return 0;
	offset = area->offset + (address - area->start);
	if (area->shared)
		return (area->shared->place + offset) | (u64)1 << 63;
	if (!area->file || !area->file->ops->stat || area->file->ops->stat(area->file, &info))
		return 0;
	/* By what the file is, not by who opened it. Odd numbers times odd ones: few meet, and those only wake in vain. */
	return ((info.device * 0x9E3779B97F4A7C15u ^ info.inode) * 0xD1342543DE82EF95u + offset) | 1;
}

/* ---- Limits ---- */

u64 mm_process_limit(const Mm *mm, unsigned which)
{
	const Task *task = task_current(mm->kernel);

	return task && task->process ? task->process->limits[which][0] : ~(u64)0;
}

u64 mm_memory_limit(const Mm *mm)
{
	return machine_memory_limit(mm->kernel->machine);
}

bool mm_range_ok(const Mm *mm, u64 start, u64 len)
{
	return start <= mm->limit && len <= mm->limit - start;
}

i64 mm_may_grow(const Mm *mm, u64 len, bool data)
{
	u64 total = mm_process_limit(mm, LIMIT_AS), most = mm_process_limit(mm, LIMIT_DATA);

	if (mm_bytes_mapped(mm) > total || len > total - mm_bytes_mapped(mm))
		return -ENOMEM;
	if (data && (mm->data_pages * PAGE > most || len > most - mm->data_pages * PAGE))
		return -ENOMEM;
	return 0;
}

/* ---- Areas ---- */

u8 mm_rights(u32 prot)
{
	/* A page that can be written can be read, as RISC-V's page tables have it. */
	return (u8)((prot & (LINUX_PROT_READ | LINUX_PROT_WRITE) ? ATTR_READ : 0) | (prot & LINUX_PROT_WRITE ? ATTR_WRITE : 0) |
		    (prot & LINUX_PROT_EXEC ? ATTR_EXEC : 0));
}

static u64 pages_of_data(const Area *area)
{
	bool data = (area->prot & LINUX_PROT_WRITE) && !(area->flags & (AREA_SHARED | AREA_GROWS_DOWN));

	return data ? (area->end - area->start) / PAGE : 0;
}

/* [touched, untouched) cut to the area's bounds. */
static void clip_touched(Area *area)
{
	if (area->touched < area->start)
		area->touched = area->start;
	if (area->untouched > area->end)
		area->untouched = area->end;
	if (area->touched >= area->untouched)
		area->touched = area->untouched = 0;
}

/* One more, if that is allowed. */
static Area *insert(Mm *mm, const Area *like)
{
	struct KernelMemory *memory = mm->kernel->memory;
	Area *area;

	if (memory->areas >= MM_AREAS_TOGETHER || mm->areas.count >= MM_AREA_LIMIT)
		return NULL;
	area = area_insert(&mm->areas, like);
	memory->areas += area != NULL;
	return area;
}

static void take_out(Mm *mm, Area *area)
{
	area_remove(&mm->areas, area);
	mm->kernel->memory->areas--;
}

Area *mm_split(Mm *mm, Area *area, u64 at)
{
	Area like = *area, *behind;

	like.start = at;
	like.offset += at - area->start;
	clip_touched(&like);
	/* The front is made smaller first: areas never overlap. */
	area_resize(&mm->areas, area, area->start, at);
	behind = insert(mm, &like);
	if (!behind) {
		area_resize(&mm->areas, area, area->start, like.end);
		return NULL;
	}
	clip_touched(area);
	get_references(behind);
	return behind;
}

i64 mm_split_range(Mm *mm, u64 start, u64 end)
{
	Area *area = area_at(&mm->areas, start);

	if (area && area->start < start && !mm_split(mm, area, start))
		return -ENOMEM;
	area = area_at(&mm->areas, end);
	if (area && area->start < end && !mm_split(mm, area, end))
		return -ENOMEM;
	return 0;
}

static bool joinable(const Area *a, const Area *b)
{
	return a && b && a->end == b->start && a->prot == b->prot && a->flags == b->flags && a->file == b->file &&
	       a->shared == b->shared && !(a->flags & (AREA_GROWS_DOWN | AREA_VDSO)) &&
	       ((!a->file && !a->shared) || a->offset + (a->end - a->start) == b->offset);
}

/* `area` takes in the one behind it. */
static void take_next(Mm *mm, Area *area)
{
	Area *next = area->next;
	u64 end = next->end, touched = next->touched, untouched = next->untouched;

	put_references(next);
	take_out(mm, next);
	area_resize(&mm->areas, area, area->start, end);
	if (touched < untouched) {
		if (area->touched >= area->untouched)
			area->touched = touched;
		area->untouched = untouched;
	}
}

Area *mm_join(Mm *mm, Area *area)
{
	if (joinable(area, area->next))
		take_next(mm, area);
	if (joinable(area->previous, area)) {
		area = area->previous;
		take_next(mm, area);
	}
	return area;
}

static void note_code(Mm *mm, const Area *area)
{
	if ((area->flags & AREA_SHARED) && (area->prot & LINUX_PROT_EXEC))
		mm->shares_code = true;
}

Area *mm_add_alone(Mm *mm, const Area *like)
{
	Area *area = insert(mm, like);

	if (!area)
		return NULL;
	note_code(mm, area);
	get_references(area);
	mm->data_pages += pages_of_data(area);
	return area;
}

Area *mm_add_area(Mm *mm, const Area *like)
{
	Area *area = mm_add_alone(mm, like);

	return area ? mm_join(mm, area) : NULL;
}

void mm_drop_pages(Mm *mm, const Area *area, u64 start, u64 end)
{
	if (start < area->touched)
		start = area->touched;
	if (end > area->untouched)
		end = area->untouched;
	if (start < end)
		machine_pages_drop(mm->kernel->machine, mm->aspace, start, end - start);
}

void mm_remove_area(Mm *mm, Area *area)
{
	Area old = *area;

	mm_drop_pages(mm, area, area->start, area->end);
	mm->data_pages -= pages_of_data(area);
	take_out(mm, area);
	put_references(&old);
}

void mm_set_prot(Mm *mm, Area *area, u32 prot)
{
	mm->data_pages -= pages_of_data(area);
	area->prot = prot;
	mm->data_pages += pages_of_data(area);
	note_code(mm, area);
	if (area->touched < area->untouched)
		machine_pages_protect(mm->kernel->machine, mm->aspace, area->touched, area->untouched - area->touched,
				      mm_rights(prot));
}

void mm_flush_code(Mm *mm, u64 start, u64 end)
{
	if (!mm->shares_code)
		return;
	for (const Area *area = area_find(&mm->areas, start); area && area->start < end; area = area->next) {
		u64 from = area->touched > start ? area->touched : page_down(start);
		u64 to = area->untouched < end ? area->untouched : end;

		if ((area->flags & AREA_SHARED) && (area->prot & LINUX_PROT_EXEC) && from < to)
			machine_flush_code(mm->kernel->machine, mm->aspace, from, to - from);
	}
}

i64 mm_unmap(Mm *mm, u64 address, u64 len)
{
	u64 end;
	i64 error;
	Area *area;

	if (address % PAGE || !len || !mm_range_ok(mm, address, len))
		return -EINVAL;
	end = address + page_up(len);
	error = mm_split_range(mm, address, end);
	if (error)
		return error;
	for (area = area_find(&mm->areas, address); area && area->start < end;) {
		Area *next = area->next;

		mm_remove_area(mm, area);
		area = next;
	}
	return 0;
}
