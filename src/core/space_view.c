/* SPDX-License-Identifier: MIT
 *
 * The view of a hard space (space.h): the memory of base a second time, where the protection of each page is what its attr
 * allows. So compiled code accesses with a look at the end of the space alone, and what is not plain becomes a signal.
 *
 *     attr         .     R+W    R+W+CODE   R    R+W+WATCH_READ
 *     view       none    r w      r        r        none             [guard 1 MiB] in front and behind
 *
 * Why twice, and not base itself protected: the pager fills pages before the guest may see them, loaders, debuggers,
 * snapshots and system calls write where the guest may not, the interpreter writes into pages with code and tells the
 * engine behind. With one map each of these would be a pair of system calls around every access, and one that is forgotten
 * a crash. With two the host has its own, and nobody but compiled code needs the other. It costs a second entry in the
 * tables of the host per page that both touch; so an access that compiled code could not do by itself, mostly the first touch of a
 * page, is done in the view too if it may be (space_bytes_for).
 *
 * Rights that go are taken at once. Those that come are given at once where pages are made present or protected anew; when
 * only a mark goes (the last code of a page has died), they wait until an access meets the page (space_settle): most such
 * pages are marked again soon. view_rights says what the host allows now.
 *
 * Every place where rights change is a map of the host's process, of which it has 65530 altogether: a program that gives
 * every other page other rights would take them all. So seams are counted, and past SPACE_SEAMS of them the space is soft
 * from then on.
 */
#define _GNU_SOURCE /* mremap */

#include <sys/mman.h>

#include "core/space_private.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { NOTHING = PROT_NONE, READABLE = PROT_READ, WRITABLE = PROT_READ | PROT_WRITE };

static u64 page_count(const Space *space)
{
	return space->cells >> SPACE_PAGE_SHIFT;
}

static u8 *view_of(const Space *space, u64 page)
{
	return space->view + (page << SPACE_PAGE_SHIFT);
}

static size_t bytes_of(u64 pages)
{
	return (size_t)pages << SPACE_PAGE_SHIFT;
}

/* What a page with this attr allows to who does not look at it. */
static u8 allowed(u8 attr)
{
	if ((attr & ATTR_PAGED_LOAD) != ATTR_READ || !(attr & ATTR_PRESENT))
		return NOTHING;
	return (attr & ATTR_PAGED_STORE) == ATTR_WRITE ? WRITABLE : READABLE;
}

static void count_seams(Space *space, i64 more)
{
	space->seams = (u32)(space->seams + more);
	if (space->all_seams)
		*space->all_seams = (u32)(*space->all_seams + more);
}

void space_soften(Space *space)
{
	if (space->view)
		munmap(space->view - SPACE_GUARD, space->mapped + 2 * (size_t)SPACE_GUARD);
	if (space->view_rights)
		munmap(space->view_rights, space->attr_mapped);
	count_seams(space, -(i64)space->seams);
	space->view = space->view_rights = NULL;
}

void space_set_aside(Space *space, Space *aside)
{
	count_seams(space, -(i64)space->seams);
	*aside = *space;
	aside->all_seams = NULL;
}

static void give_up(Space *space)
{
	space_soften(space);
	space->never = true;
}

/* The pages page .. end - 1, not none of them, allow just that. */
static void set_rights(Space *space, u64 page, u64 end, u8 rights)
{
	u8 *now = space->view_rights;
	u64 pages = page_count(space);
	i64 seams = 0;

	for (u64 p = page ? page : 1; p <= end && p < pages; p++)
		seams -= now[p] != now[p - 1];
	for (u64 p = page; p < end; p++)
		now[p] = rights;
	seams += page && now[page - 1] != rights;
	seams += end < pages && now[end] != rights;
	count_seams(space, seams);
	if (mprotect(view_of(space, page), bytes_of(end - page), rights) ||
	    (seams > 0 && (space->all_seams ? *space->all_seams : space->seams) > SPACE_SEAMS))
		give_up(space);
}

/* Runs of present pages with the same rights to come, one call each. */
static void follow(Space *space, u64 page, u64 end, bool raise)
{
	for (u64 p = page; space->view && space_next_present(space, &p, end);) {
		u8 rights = allowed(space->attr[p]);
		u64 from = p;

		while (p < end && (space->attr[p] & ATTR_PRESENT) && allowed(space->attr[p]) == rights &&
		       (raise ? space->view_rights[p] != rights : space->view_rights[p] > rights))
			p++;
		if (p > from)
			set_rights(space, from, p, rights);
		else
			p++;
	}
}

void space_view_follow(Space *space, u64 page, u64 end)
{
	follow(space, page, end, true);
}

void space_view_lower(Space *space, u64 page, u64 end)
{
	follow(space, page, end, false);
}

void space_view_hide(Space *space, u64 page, u64 end)
{
	if (page == 0 && end == page_count(space)) {
		space_soften(space);
		return;
	}
	for (u64 p = page; space->view && space_next_present(space, &p, end);) {
		u64 from = p;

		while (p < end && (space->attr[p] & ATTR_PRESENT) && space->view_rights[p] != NOTHING)
			p++;
		if (p > from)
			set_rights(space, from, p, NOTHING);
		else
			p++;
	}
}

void space_view_replace(Space *space, u64 page, u64 count)
{
	if (space->view && (mremap(space->base + (page << SPACE_PAGE_SHIFT), 0, bytes_of(count),
				   MREMAP_MAYMOVE | MREMAP_FIXED, view_of(space, page)) == MAP_FAILED ||
			    mprotect(view_of(space, page), bytes_of(count), PROT_NONE)))
		give_up(space);
}

/* ---- Making it ---- */

bool space_harden(Space *space)
{
	const int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	u8 *own = space->whole ? space->whole : space->base;
	void *place, *rights;

	if (space->view || !space->twice || space->never)
		return space->view != NULL;
	place = mmap(NULL, space->mapped + 2 * (size_t)SPACE_GUARD, PROT_NONE, kind, -1, 0);
	rights = mmap(NULL, space->attr_mapped, PROT_READ | PROT_WRITE, kind, -1, 0);
	space->view = place == MAP_FAILED ? NULL : (u8 *)place + SPACE_GUARD;
	space->view_rights = rights == MAP_FAILED ? NULL : rights;
	if (!space->view || !space->view_rights ||
	    mremap(own, 0, space->mapped, MREMAP_MAYMOVE | MREMAP_FIXED, space->view) == MAP_FAILED ||
	    mprotect(space->view, space->mapped, PROT_NONE))
		give_up(space);
	for (u32 i = 0; i < space->backing_count && space->view; i++)
		space_view_replace(space, space->backings[i].page, space->backings[i].count);
	if (space->view)
		space_view_follow(space, 0, page_count(space));
	return space->view != NULL;
}

bool space_settle(Space *space, u64 page)
{
	if (!space->view || page >= page_count(space) || !(space->attr[page] & ATTR_PRESENT) ||
	    space->view_rights[page] == allowed(space->attr[page]))
		return false;
	space_view_follow(space, page, page + 1);
	return true;
}

u8 *space_bytes_for(const Space *space, u64 address, u64 bytes, bool write)
{
	const u8 wanted = write ? WRITABLE : READABLE;

	if (!space->view || space->view_rights[address >> SPACE_PAGE_SHIFT] < wanted ||
	    space->view_rights[(address + bytes - 1) >> SPACE_PAGE_SHIFT] < wanted)
		return space->base + address;
	return space->view + address;
}

void space_populate(Space *space, u64 page, u64 count)
{
	if (space->view)
		madvise(view_of(space, page), bytes_of(count), MADV_POPULATE_WRITE); /* else they come one by one */
}
