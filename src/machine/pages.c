/* SPDX-License-Identifier: MIT
 *
 * Address spaces and their pages (pages.h).
 *
 *     machine->vcpu    spaces | tables | mem | ...      engine ---> blocks made from mem
 *                                        ^ the Space of number `mapped`         ^ its engine
 *     machine->aspaces | 0: space engine | 1: ... | 2: (free) |
 *
 * One of them is *mapped*: its Space struct lies in vcpu.spaces and its engine is machine->engine. Which one that should
 * be stands in the record of the vCPU that is shown; machine_map_aspace makes it so, always between two calls of the
 * engine. So a host function may give the current vCPU another address space (execve), or release the one it runs in:
 * everything here goes by number and sees the new one at once, and what is left of the instruction still runs in the old.
 *
 * Without a pager (a description alone, no operating system) every address is memory with all rights, on first touch.
 *
 * Pages of shared memory count against the limit in each address space that has touched them.
 */
#include "machine/pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "machine/machine_private.h"

enum {
	DEFAULT_ADDRESS_BITS = 38,
	SHARED_PIECES = 12000, /* of all address spaces: each is a map of the host's process, which may have 65530 */
};

static u64 page_of(u64 address)
{
	return address >> SPACE_PAGE_SHIFT;
}

Space *machine_space_at(const Machine *machine, u32 number)
{
	if (number >= machine->aspace_count || !machine->aspaces[number].engine)
		return NULL;
	return number == machine->mapped ? &machine->vcpu.spaces[machine->paged_space] : &machine->aspaces[number].space;
}

static bool lies_inside(const Space *space, u64 address, u64 len)
{
	return space && address % SPACE_PAGE == 0 && len % SPACE_PAGE == 0 && address <= space->cells &&
	       len <= space->cells - address;
}

/* ---- Code ---- */

/* Another address space's engine sees its own Space for as long as that takes; nothing of the guest
 * runs meanwhile. */
void machine_forget_code(Machine *machine, u32 number, u64 address, u64 count)
{
	Space *place = &machine->vcpu.spaces[machine->paged_space], saved = *place;
	Aspace *aspace = &machine->aspaces[number];
	bool other = number != machine->mapped;

	if (other)
		*place = aspace->space;
	if (count)
		machine->ops->invalidate(aspace->engine, &machine->vcpu, address, count);
	else
		machine->ops->flush(aspace->engine, &machine->vcpu);
	if (other) {
		aspace->space = *place;
		*place = saved;
	}
}

void machine_flush_engines(Machine *machine)
{
	if (machine->paged_space == ISA_NONE)
		machine->ops->flush(machine->engine, &machine->vcpu);
	for (u32 n = 0; n < machine->aspace_count; n++)
		if (machine->aspaces[n].engine)
			machine_forget_code(machine, n, 0, 0);
}

void machine_env_drop_code(void *ctx)
{
	machine_flush_engines(ctx);
}

void machine_forget_pages(Machine *machine, u32 number, u64 address, u64 len)
{
	const Space *space = machine_space_at(machine, number);
	u64 end = page_of(address + len), left = space->present; /* behind the last there is nothing to look for */

	for (u64 p = page_of(address); left && space_next_present(space, &p, end); p++, left--)
		if (space->attr[p] & ATTR_CODE)
			machine_forget_code(machine, number, p << SPACE_PAGE_SHIFT, SPACE_PAGE);
}

void machine_flush_code(Machine *machine, u32 aspace, u64 address, u64 len)
{
	const Space *space = machine_space_at(machine, aspace);
	u64 end;

	if (!space || address >= space->cells || !len)
		return;
	end = len > space->cells - address ? space->cells : (address + len + SPACE_PAGE - 1) & ~(u64)(SPACE_PAGE - 1);
	address &= ~(u64)(SPACE_PAGE - 1);
	machine_forget_pages(machine, aspace, address, end - address);
}

/* Pieces of shared memory in all address spaces; a drop or a move may cut one in two or three. */
static u64 shared_pieces(const Machine *machine)
{
	u64 count = 0;

	for (u32 n = 0; n < machine->aspace_count; n++)
		if (machine->aspaces[n].engine)
			count += machine_space_at(machine, n)->backing_count;
	return count;
}

/* ---- Making and giving back ---- */

Status machine_make_aspace(Machine *machine, Aspace *aspace, u64 cells)
{
	Status status = space_init_paged(&aspace->space, machine->isa->spaces[machine->paged_space].name, cells,
					 machine->host_rights);

	if (status)
		return status;
	aspace->space.all_seams = &machine->seams;
	aspace->released = false;
	aspace->engine = machine->ops->create(&machine->env);
	if (aspace->engine)
		return STATUS_OK;
	space_fini(&aspace->space);
	return STATUS_NOMEM;
}

void machine_destroy_aspace(Machine *machine, u32 number)
{
	Aspace *aspace = &machine->aspaces[number];
	u64 blocks, translated;

	machine->ops->stats(aspace->engine, &blocks, &translated);
	machine->past_blocks += blocks;
	machine->past_translated += translated;
	if (machine->ops->count)
		machine->ops->count(aspace->engine, &machine->past);
	machine->present -= aspace->space.present;
	machine->ops->destroy(aspace->engine);
	space_fini(&aspace->space);
	*aspace = (Aspace){ .engine = NULL };
}

Status machine_init_pages(Machine *machine, unsigned address_bits)
{
	unsigned bits = address_bits ? address_bits : DEFAULT_ADDRESS_BITS, own;
	Status status;

	own = machine->isa->spaces[machine->paged_space].addr_bits;
	if (bits > own)
		bits = own;
	if (bits < SPACE_PAGE_SHIFT)
		return STATUS_INVALID;
	machine->aspaces = calloc(1, sizeof(Aspace));
	if (!machine->aspaces)
		return STATUS_NOMEM;
	machine->aspace_cap = 1;
	if (bits > SPACE_MAX_BITS)
		return STATUS_TOO_BIG;
	machine->env.paged = machine->paged_space == machine->isa->code_space;
	machine->env.pages = (u64)1 << (bits - SPACE_PAGE_SHIFT);
	status = machine_make_aspace(machine, &machine->aspaces[0], (u64)1 << bits);
	if (status)
		return status;
	machine->aspace_count = 1;
	machine->engine = machine->aspaces[0].engine;
	machine->vcpu.spaces[machine->paged_space] = machine->aspaces[0].space;
	return STATUS_OK;
}

/* The Space that is mapped goes with the other spaces. */
void machine_fini_pages(Machine *machine)
{
	for (u32 n = 0; n < machine->aspace_count; n++) {
		if (machine->aspaces[n].engine)
			machine->ops->destroy(machine->aspaces[n].engine);
		if (n != machine->mapped)
			space_fini(&machine->aspaces[n].space);
	}
	free(machine->aspaces);
}

void machine_map_aspace(Machine *machine)
{
	u32 number = machine->vcpus[machine->shown].aspace, before = machine->mapped;
	Space *place;

	if (number == before || !machine_space_at(machine, number))
		return;
	place = &machine->vcpu.spaces[machine->paged_space];
	machine->aspaces[before].space = *place;
	*place = machine->aspaces[number].space;
	machine->engine = machine->aspaces[number].engine;
	machine->mapped = number;
	if (machine->aspaces[before].released)
		machine_destroy_aspace(machine, before);
}

void machine_reset_pages(Machine *machine, bool keep_memory)
{
	u32 home = machine->mapped;

	if (machine->paged_space == ISA_NONE)
		return;
	/* Number 0 is there unless its process has ended: then the one that is mapped takes its place. */
	if (machine->aspaces[0].engine && !machine->aspaces[0].released)
		home = 0;
	for (u32 n = 0; n < machine->vcpu_count; n++)
		machine->vcpus[n].aspace = home;
	machine_map_aspace(machine);
	for (u32 n = 0; n < machine->aspace_count; n++)
		if (n != home && machine->aspaces[n].engine)
			machine_destroy_aspace(machine, n);
	if (home) { /* it becomes number 0 */
		machine->aspaces[0] = machine->aspaces[home];
		machine->aspaces[home] = (Aspace){ .engine = NULL };
		machine->mapped = 0;
	}
	machine->aspaces[0].released = false;
	machine->aspace_count = 1;
	machine->vcpus[0].aspace = 0;
	if (!keep_memory || home)
		machine_pages_drop(machine, 0, 0, machine_address_limit(machine));
}

static Status take_number(Machine *machine, u32 *number)
{
	u32 n = 0;

	while (n < machine->aspace_count && machine->aspaces[n].engine)
		n++;
	*number = n;
	if (n < machine->aspace_count)
		return STATUS_OK;
	if (n >= MACHINE_ASPACES)
		return STATUS_TOO_BIG;
	if (!array_grow((void **)&machine->aspaces, &machine->aspace_cap, n, sizeof(*machine->aspaces)))
		return STATUS_NOMEM;
	machine->aspaces[machine->aspace_count++] = (Aspace){ .engine = NULL };
	return STATUS_OK;
}

void machine_count_present(Machine *machine, u64 pages)
{
	machine->present += pages;
	if (machine->present > machine->present_most)
		machine->present_most = machine->present;
}

Status machine_aspace_create(Machine *machine, u32 *number)
{
	Status status;

	*number = ASPACE_NONE;
	if (machine->paged_space == ISA_NONE)
		return STATUS_UNSUPPORTED;
	status = take_number(machine, number);
	if (!status)
		status = machine_make_aspace(machine, &machine->aspaces[*number], machine_address_limit(machine));
	if (status) {
		*number = ASPACE_NONE;
		return status;
	}
	return STATUS_OK;
}

Status machine_aspace_fork(Machine *machine, u32 from, u32 *number)
{
	const Space *parent = machine_space_at(machine, from);
	u64 used = machine_memory_bytes(machine), more;
	Status status;

	*number = ASPACE_NONE;
	if (!parent)
		return STATUS_NOT_FOUND;
	more = parent->present << SPACE_PAGE_SHIFT;
	if (used > machine->memory_limit || more > machine->memory_limit - used ||
	    (parent->backing_count && shared_pieces(machine) + parent->backing_count > SHARED_PIECES))
		return STATUS_TOO_BIG;
	status = machine_aspace_create(machine, number);
	if (status)
		return status;
	status = space_pages_copy(&machine->aspaces[*number].space, machine_space_at(machine, from));
	machine_count_present(machine, machine->aspaces[*number].space.present);
	if (!status) {
		machine_mark_pages(machine, &machine->aspaces[*number].space, 0, ~(u64)0);
		return STATUS_OK;
	}
	machine_destroy_aspace(machine, *number);
	*number = ASPACE_NONE;
	return status;
}

void machine_aspace_release(Machine *machine, u32 number)
{
	if (!machine_space_at(machine, number) || machine->aspaces[number].released)
		return;
	for (u32 n = 0; n < machine->vcpu_count; n++)
		if (machine->vcpus[n].aspace == number)
			machine->vcpus[n].aspace = ASPACE_NONE;
	if (number != machine->mapped) {
		machine_destroy_aspace(machine, number);
		return;
	}
	machine->aspaces[number].released = true;
	machine_forget_code(machine, number, 0, 0); /* all at once: page by page, dropping would unlink each block from each other */
	machine_pages_drop(machine, number, 0, machine_address_limit(machine));
}

void machine_vcpu_set_aspace(Machine *machine, u32 vcpu, u32 number)
{
	if (vcpu >= machine->vcpu_count || !machine_space_at(machine, number) || machine->aspaces[number].released)
		return;
	machine->vcpus[vcpu].aspace = number;
	if (vcpu != machine->shown)
		return;
	machine->vcpu.event_pending = true;
	if (!machine->inside)
		machine_map_aspace(machine);
}

/* ---- Looking ---- */

void machine_set_pager(Machine *machine, MachinePager pager)
{
	machine->pager = pager;
}

u16 machine_paged_space(const Machine *machine)
{
	return machine->paged_space;
}

u64 machine_address_limit(const Machine *machine)
{
	return machine->paged_space == ISA_NONE ? 0 : machine->vcpu.spaces[machine->paged_space].cells;
}

u32 machine_vcpu_aspace(const Machine *machine, u32 vcpu)
{
	return vcpu < machine->vcpu_count ? machine->vcpus[vcpu].aspace : ASPACE_NONE;
}

u32 machine_aspace(const Machine *machine)
{
	return machine->vcpus[machine->shown].aspace;
}

u64 machine_aspace_present(const Machine *machine, u32 number)
{
	const Space *space = machine_space_at(machine, number);

	return space ? space->present << SPACE_PAGE_SHIFT : 0;
}

bool machine_page_next(const Machine *machine, u32 aspace, u64 *address)
{
	const Space *space = machine_space_at(machine, aspace);
	u64 page = page_of(*address);

	if (!space || *address >= space->cells || !space_next_present(space, &page, page_of(space->cells)))
		return false;
	*address = page << SPACE_PAGE_SHIFT;
	return true;
}

bool machine_aspace_is_used(const Machine *machine, u32 number)
{
	return machine_space_at(machine, number) && !machine->aspaces[number].released;
}

u8 machine_page_attr(const Machine *machine, u32 aspace, u64 address)
{
	const Space *space = machine_space_at(machine, aspace);
	u8 attr = space && address < space->cells ? space->attr[page_of(address)] : 0;

	return attr & ATTR_PRESENT ? attr : 0;
}

u8 *machine_page_bytes(Machine *machine, u32 aspace, u64 address)
{
	if (!machine_page_attr(machine, aspace, address))
		return NULL;
	return machine_space_at(machine, aspace)->base + (address & ~(u64)(SPACE_PAGE - 1));
}

/* ---- Pages ---- */

static u64 count_present(const Space *space, u64 page, u64 end)
{
	u64 count = 0;

	for (u64 p = page; space_next_present(space, &p, end); p++)
		count++;
	return count;
}

Status machine_pages_add(Machine *machine, u32 aspace, u64 address, u64 len, u8 rights)
{
	Space *space = machine_space_at(machine, aspace);
	u64 page = page_of(address), count = page_of(len), used, more, before;

	if (!lies_inside(space, address, len) || machine->aspaces[aspace].released)
		return STATUS_RANGE;
	before = count_present(space, page, page + count);
	more = (count - before) << SPACE_PAGE_SHIFT;
	used = machine_memory_bytes(machine);
	if (more && (used > machine->memory_limit || more > machine->memory_limit - used))
		return STATUS_TOO_BIG;
	if (before && !(rights & ATTR_EXEC))
		machine_forget_pages(machine, aspace, address, len);
	space_pages_add(space, page, count, rights);
	if (machine->watch_count)
		machine_mark_pages(machine, space, address, len);
	machine_count_present(machine, count - before);
	return STATUS_OK;
}

void machine_pages_expect(Machine *machine, u32 aspace, u64 address, u64 len)
{
	Space *space = machine_space_at(machine, aspace);

	if (lies_inside(space, address, len))
		space_populate(space, page_of(address), page_of(len));
}

void machine_pages_protect(Machine *machine, u32 aspace, u64 address, u64 len, u8 rights)
{
	Space *space = machine_space_at(machine, aspace);

	if (!lies_inside(space, address, len))
		return;
	if (!(rights & ATTR_EXEC))
		machine_forget_pages(machine, aspace, address, len);
	space_pages_protect(space, page_of(address), page_of(len), rights);
}

void machine_pages_drop(Machine *machine, u32 aspace, u64 address, u64 len)
{
	Space *space = machine_space_at(machine, aspace);
	u64 before;

	if (!lies_inside(space, address, len))
		return;
	machine_forget_pages(machine, aspace, address, len);
	before = space->present;
	space->crowded = space->backing_count && shared_pieces(machine) >= 2 * SHARED_PIECES;
	space_pages_drop(space, page_of(address), page_of(len));
	machine->present -= before - space->present;
}

Status machine_pages_move(Machine *machine, u32 aspace, u64 from, u64 to, u64 len)
{
	Space *space = machine_space_at(machine, aspace);
	u64 p = page_of(to), before;
	Status status;

	if (!lies_inside(space, from, len) || !lies_inside(space, to, len))
		return STATUS_RANGE;
	if (space_next_present(space, &p, page_of(to + len)))
		return STATUS_INVALID;
	machine_forget_pages(machine, aspace, from, len);
	before = space->present;
	status = space_pages_move(space, page_of(from), page_of(to), page_of(len));
	machine->present += space->present - before;
	machine_mark_pages(machine, space, to, len);
	return status;
}

Status machine_pages_back(Machine *machine, u32 aspace, u64 address, u64 len, int fd, u64 offset)
{
	Space *space = machine_space_at(machine, aspace);

	if (!lies_inside(space, address, len))
		return STATUS_RANGE;
	if (shared_pieces(machine) >= SHARED_PIECES)
		return STATUS_TOO_BIG;
	return space_pages_back(space, page_of(address), page_of(len), fd, offset);
}

/* ---- Accesses ---- */

bool machine_page_allows(Machine *machine, u32 aspace, u64 address, u8 right)
{
	const Space *space = machine_space_at(machine, aspace);

	if (!space || address >= space->cells)
		return false;
	if (LIKELY(space->attr[page_of(address)] & right))
		return true;
	if (machine->aspaces[aspace].released)
		return false;
	if (!machine->pager)
		return !(space->attr[page_of(address)] & ATTR_PRESENT) &&
		       machine_pages_add(machine, aspace, address & ~(u64)(SPACE_PAGE - 1), SPACE_PAGE, ATTR_RIGHTS) == STATUS_OK;
	if (!machine->pager(machine, aspace, address, right))
		return false;
	space = machine_space_at(machine, aspace); /* it may have made address spaces */
	return space && space->attr[page_of(address)] & right;
}

static AccessResult fault(Machine *machine, u64 address, bool write)
{
	machine->vcpu.exit = (VcpuExit){ .kind = EXIT_FAULT, .value = address, .space = machine->paged_space, .write = write };
	return ACCESS_EXIT;
}

/* Both pages of an access, in order; each is looked at again when the other one has had its pager. */
static bool allows_all(Machine *machine, u64 address, unsigned bytes, u8 right, u64 *denied)
{
	u64 last = address + bytes - 1, second = last & ~(u64)(SPACE_PAGE - 1);

	*denied = address;
	if (!machine_page_allows(machine, machine->mapped, address, right))
		return false;
	if (page_of(last) == page_of(address))
		return true;
	*denied = second;
	if (!machine_page_allows(machine, machine->mapped, second, right))
		return false;
	*denied = address;
	return machine_page_attr(machine, machine->mapped, address) & right;
}

AccessResult machine_paged_read(Machine *machine, u64 address, unsigned bytes, u64 *value)
{
	const Space *space = &machine->vcpu.spaces[machine->paged_space];
	u64 denied;

	if (!allows_all(machine, address, bytes, ATTR_READ, &denied))
		return fault(machine, denied, false);
	*value = 0;
	memcpy(value, space_bytes_for(space, address, bytes, false), bytes);
	machine_check_watch(machine, machine->paged_space, address, bytes, false);
	return ACCESS_OK;
}

static bool has_code(const Space *space, u64 address, u64 bytes)
{
	return (space->attr[page_of(address)] | space->attr[page_of(address + bytes - 1)]) & ATTR_CODE;
}

AccessResult machine_paged_write(Machine *machine, u64 address, unsigned bytes, u64 value)
{
	const Space *space = &machine->vcpu.spaces[machine->paged_space];
	u64 denied;

	if (!allows_all(machine, address, bytes, ATTR_WRITE, &denied))
		return fault(machine, denied, true);
	memcpy(space_bytes_for(space, address, bytes, true), &value, bytes);
	if (has_code(space, address, bytes))
		machine->ops->invalidate(machine->engine, &machine->vcpu, address, bytes);
	machine_check_watch(machine, machine->paged_space, address, bytes, true);
	return ACCESS_OK;
}

Status machine_paged_poke(Machine *machine, u32 aspace, u64 address, u64 value)
{
	u8 *page;

	if (!machine->pager)
		machine_page_allows(machine, aspace, address, ATTR_WRITE);
	page = machine_page_bytes(machine, aspace, address);
	if (!page)
		return STATUS_RANGE;
	page[address % SPACE_PAGE] = (u8)value;
	if (machine_page_attr(machine, aspace, address) & ATTR_CODE)
		machine_forget_code(machine, aspace, address, 1);
	return STATUS_OK;
}

/* ---- Memory for host functions ---- */

static u64 in_page(u64 address, u64 len)
{
	u64 left = SPACE_PAGE - address % SPACE_PAGE;

	return len < left ? len : left;
}

/* What kernels copy is mostly a number or two. (Inlined, a copy within a page becomes a `rep movs`, which takes longer than a call.) */
static __attribute__((noinline)) void copy_bytes(void *to, const void *from, size_t len)
{
	switch (len) {
	case 4: memcpy(to, from, 4); break;
	case 8: memcpy(to, from, 8); break;
	case 16: memcpy(to, from, 16); break;
	default: memcpy(to, from, len);
	}
}

/* An access by the kernel is seen by those who watch the current process. */
static void watch(Machine *machine, u32 aspace, u64 address, u64 len, bool write)
{
	if (aspace == machine_aspace(machine))
		machine_check_watch(machine, machine->paged_space, address, len, write);
}

u64 machine_copy_in(Machine *machine, u32 aspace, u64 address, void *to, u64 len)
{
	u64 done = 0;

	while (done < len && machine_page_allows(machine, aspace, address + done, ATTR_READ)) {
		u64 piece = in_page(address + done, len - done);

		copy_bytes((u8 *)to + done, machine_space_at(machine, aspace)->base + address + done, piece);
		watch(machine, aspace, address + done, piece, false);
		done += piece;
	}
	return done;
}

u64 machine_copy_out(Machine *machine, u32 aspace, u64 address, const void *from, u64 len)
{
	u64 done = 0;

	while (done < len && machine_page_allows(machine, aspace, address + done, ATTR_WRITE)) {
		const Space *space = machine_space_at(machine, aspace);
		u64 piece = in_page(address + done, len - done);

		copy_bytes(space->base + address + done, (const u8 *)from + done, piece);
		if (has_code(space, address + done, piece))
			machine_forget_code(machine, aspace, address + done, piece);
		watch(machine, aspace, address + done, piece, true);
		done += piece;
	}
	return done;
}

u8 *machine_span(Machine *machine, u32 aspace, u64 address, u64 len, u8 access, u64 *got)
{
	u64 reach = 0;

	*got = 0;
	while (reach < len && machine_page_allows(machine, aspace, address + reach, access)) {
		u64 piece = in_page(address + reach, len - reach);

		if (access & ATTR_WRITE && has_code(machine_space_at(machine, aspace), address + reach, piece))
			machine_forget_code(machine, aspace, address + reach, piece);
		if (access & (ATTR_READ | ATTR_WRITE))
			watch(machine, aspace, address + reach, piece, access & ATTR_WRITE);
		reach += piece;
	}
	*got = reach;
	return reach ? machine_space_at(machine, aspace)->base + address : NULL;
}
