/* SPDX-License-Identifier: MIT
 *
 * Paged memory of parked machines (park.h). A base keeps the pages of a machine in a file that is nowhere but in memory; a machine that
 * is as the base has them mapped privately (core/space_image.c), so it shares with all others what it has not written, and making it so is
 * one map per run of pages.
 *
 *     base      file     | 0 | 1 | 2 | - | 4 |        a page each that is not all zeros; "-": none, where runs were joined
 *               chunks   attr[4096], place[4096]      of each 16 MiB: what is present with which rights, and where in the file
 *               runs     {page, count, at} ...        what is mapped
 *
 *     delta     number of address spaces | which is mapped | the kind of each | and of each that is used:
 *               rights   (skip, count, attr)* 0 0     pages that have others than in the base; attr 0: absent
 *               memory   (skip, count, pieces)* 0 0   pieces of PIECE bytes that are not as in the base, of pages that are present
 *
 * What was written is asked of the host, page by page, and only these pages are compared. So packing and unwinding cost what the
 * machine has touched and not what it has. A space that can be made hard (core/space.h) cannot lie over an image: there all pages are
 * compared, and copied.
 *
 * Pages of shared memory count as absent: the guest says where they lie, and with what in them (guest->save_near).
 */
#define _GNU_SOURCE

#include "machine/park_image.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"

/* ---- Looking up ---- */

static u32 chunk_index(const BaseAspace *aspace, u64 number)
{
	u32 lo = 0, hi = aspace->count;

	while (lo < hi) {
		u32 middle = lo + (hi - lo) / 2;

		if (aspace->chunks[middle]->number < number)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

static const BaseChunk *chunk_of(const BaseAspace *aspace, u64 number)
{
	u32 at = chunk_index(aspace, number);

	return at < aspace->count && aspace->chunks[at]->number == number ? aspace->chunks[at] : NULL;
}

static const u8 *content_of(const BaseChunk *chunk, u32 page)
{
	return chunk && chunk->place[page] ? chunk->bytes + ((u64)(chunk->place[page] - 1 - chunk->first) << SPACE_PAGE_SHIFT) : park_zeros;
}

static const BaseAspace *aspace_of(const BasePages *pages, u32 number)
{
	static const BaseAspace none;

	return number < pages->count ? &pages->aspaces[number] : &none;
}

/* The chunks that the space or the base has something in, in ascending order. False: no other one. */
static bool next_chunk(const Space *space, const BaseAspace *aspace, u64 *number)
{
	u64 count = (park_page_count(space) + CHUNK - 1) / CHUNK, at = *number;
	u32 index = chunk_index(aspace, at);
	u64 known = index < aspace->count ? aspace->chunks[index]->number : count;

	while (at < known && !space->chunks[at]) {
		u64 some[4];

		for (at++; at % 16 == 0 && at + 16 <= known; at += 16) {
			memcpy(some, space->chunks + at, sizeof some);
			if (some[0] | some[1] | some[2] | some[3])
				break;
		}
	}
	*number = at < known ? at : known;
	return *number < count;
}

static u32 chunk_pages(const Space *space, u64 number)
{
	u64 left = park_page_count(space) - number * CHUNK;

	return left < CHUNK ? (u32)left : CHUNK;
}

/* ---- Which pages may differ from the base ---- */

typedef struct Marks {
	u64 bits[CHUNK / 64];
} Marks;

static void mark(Marks *marks, u32 page)
{
	marks->bits[page / 64] |= (u64)1 << page % 64;
}

static bool is_marked(const Marks *marks, u32 page)
{
	return marks->bits[page / 64] >> page % 64 & 1;
}

/* The next one from *page on; false: none. */
static bool next_mark(const Marks *marks, u32 *page)
{
	u32 word = *page / 64;
	u64 bits;

	if (word >= CHUNK / 64)
		return false;
	bits = marks->bits[word] >> *page % 64 << *page % 64;
	while (!bits) {
		if (++word == CHUNK / 64)
			return false;
		bits = marks->bits[word];
	}
	*page = word * 64 + (u32)__builtin_ctzll(bits);
	return true;
}

/* Of runs of the base that do not lie there any more (the program dropped pages): a page that it has not touched since is zero. */
static void mark_lost(const Space *space, const BaseAspace *aspace, u64 number, Marks *marks)
{
	u64 first = number * CHUNK, end = first + CHUNK;

	for (u32 i = 0; i < aspace->run_count && aspace->runs[i].page < end; i++) {
		const SpaceImage *run = &aspace->runs[i];
		u64 from = run->page > first ? run->page : first, last = run->page + run->count;

		last = last < end ? last : end;
		if (from >= last || space_image_is(space, run->page, run->count, run->at))
			continue;
		for (u64 p = from; p < last; p++)
			if (!space_image_is(space, p, 1, run->at + (p - run->page)))
				mark(marks, (u32)(p % CHUNK));
	}
}

/* The host's table of our pages. Opened anew each time: few descriptors, and it is this process's also behind fork(2). */
static int open_pagemap(void)
{
	return open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

static void close_pagemap(int pagemap)
{
	if (pagemap >= 0)
		close(pagemap);
}

/* All that are not marked have what the base has, present or not. */
static void mark_chunk(int pagemap, const Space *space, const BaseAspace *aspace, u64 number, Marks *marks)
{
	u64 first = number * CHUNK, page, end;
	SpaceScan scan;

	memset(marks, 0, sizeof *marks);
	if (space->twice) {
		memset(marks, 0xFF, sizeof *marks);
		return;
	}
	space_scan_begin(&scan, space, pagemap, first, first + chunk_pages(space, number));
	while (space_scan_next(&scan, &page, &end))
		for (; page < end; page++)
			mark(marks, (u32)(page % CHUNK));
	mark_lost(space, aspace, number, marks);
}

u64 park_changed_pages(const Machine *machine, const BasePages *pages)
{
	int pagemap = open_pagemap();
	u64 count = 0;
	Marks marks;

	for (u32 n = 0; n < machine->aspace_count; n++) {
		const Space *space = machine_space_at(machine, n);

		for (u64 number = 0; space && next_chunk(space, aspace_of(pages, n), &number); number++) {
			const BaseChunk *chunk = chunk_of(aspace_of(pages, n), number);

			mark_chunk(pagemap, space, aspace_of(pages, n), number, &marks);
			for (u32 k = 0; next_mark(&marks, &k) && k < chunk_pages(space, number); k++) {
				u64 page = number * CHUNK + k;

				count += park_page_attr(space, page) && memcmp(park_page_bytes(space, page), content_of(chunk, k), SPACE_PAGE) != 0;
			}
		}
	}
	close_pagemap(pagemap);
	return count;
}

/* The next page from *k on, of a chunk that begins with page `first`, that has other rights than `was` says. */
static bool next_other(const Space *space, const u8 *was, u64 first, u32 *k, u32 count)
{
	const u64 kept = 0x0101010101010101u * KEPT;

	while (*k < count) {
		if (*k % 8 == 0 && *k + 8 <= count) {
			u64 now, before;

			memcpy(&now, space->attr + first + *k, sizeof now);
			memcpy(&before, was + *k, sizeof before);
			if (!((now ^ before) & kept) && !(space->backing_count && now & kept)) {
				*k += 8;
				continue;
			}
		}
		if (park_page_attr(space, first + *k) != was[*k])
			return true;
		++*k;
	}
	return false;
}

static const u8 *attrs_of(const BaseChunk *chunk)
{
	static const u8 nothing[CHUNK];

	return chunk ? chunk->attr : nothing;
}

/* ---- Packing ---- */

static void pack_rights(const Space *space, const BaseAspace *aspace, Buf *out)
{
	u64 done = 0;

	for (u64 number = 0; next_chunk(space, aspace, &number); number++) {
		const u8 *was = attrs_of(chunk_of(aspace, number));
		u32 count = chunk_pages(space, number);
		u64 first = number * CHUNK;

		for (u32 k = 0; next_other(space, was, first, &k, count);) {
			u8 attr = park_page_attr(space, first + k);
			u32 from = k;

			while (k < count && attr != was[k] && park_page_attr(space, first + k) == attr)
				k++;
			park_put_number(out, first + from - done);
			park_put_number(out, k - from);
			buf_byte(out, attr);
			done = first + k;
		}
	}
	park_put_number(out, 0);
	park_put_number(out, 0);
}

/* *done: where the last piece ended, in bytes. */
static void pack_page(const u8 *now, const u8 *was, u64 at, u64 *done, Buf *out)
{
	if (memcmp(now, was, SPACE_PAGE) == 0)
		return;
	for (u32 i = 0; i < SPACE_PAGE;) {
		u32 from = i;

		while (i < SPACE_PAGE && park_piece_differs(now + i, was + i))
			i += PIECE;
		if (i > from) {
			park_put_number(out, (at + from - *done) / PIECE);
			park_put_number(out, (i - from) / PIECE);
			buf_add(out, now + from, i - from);
			*done = at + i;
		} else {
			i += PIECE;
		}
	}
}

static void pack_memory(int pagemap, const Space *space, const BaseAspace *aspace, Buf *out)
{
	u64 done = 0;
	Marks marks;

	for (u64 number = 0; next_chunk(space, aspace, &number); number++) {
		const BaseChunk *chunk = chunk_of(aspace, number);

		mark_chunk(pagemap, space, aspace, number, &marks);
		for (u32 k = 0; next_mark(&marks, &k) && k < chunk_pages(space, number); k++) {
			u64 page = number * CHUNK + k;

			if (park_page_attr(space, page))
				pack_page(park_page_bytes(space, page), content_of(chunk, k), page << SPACE_PAGE_SHIFT, &done, out);
		}
	}
	park_put_number(out, 0);
	park_put_number(out, 0);
}

void park_pack_pages(const Machine *machine, const BasePages *pages, Buf *out)
{
	int pagemap = open_pagemap();

	park_put_number(out, machine->aspace_count);
	park_put_number(out, machine->mapped);
	for (u32 n = 0; n < machine->aspace_count; n++)
		buf_byte(out, park_kind_of(machine, n));
	for (u32 n = 0; n < machine->aspace_count; n++) {
		const Space *space = machine_space_at(machine, n);

		if (!space)
			continue;
		pack_rights(space, aspace_of(pages, n), out);
		pack_memory(pagemap, space, aspace_of(pages, n), out);
	}
	close_pagemap(pagemap);
}

/* ---- Changing ---- */

/* Presence and rights from now on; what is there stays, if it is present. */
static void set_attr(Machine *machine, u32 number, u64 page, u64 count, u8 attr)
{
	Space *space = machine_space_at(machine, number);
	u64 before = space->present;

	if (!attr) {
		machine_pages_drop(machine, number, page << SPACE_PAGE_SHIFT, count << SPACE_PAGE_SHIFT);
		return;
	}
	if (!(attr & ATTR_EXEC))
		machine_forget_pages(machine, number, page << SPACE_PAGE_SHIFT, count << SPACE_PAGE_SHIFT);
	space_pages_add(space, page, count, attr & ATTR_RIGHTS);
	machine_count_present(machine, space->present - before);
}

/* The page is about to have other content: code that is another one then is forgotten. */
static void report_code(Machine *machine, u32 number, u64 page, u32 at, const u8 *bytes, u32 len)
{
	const Space *space = machine_space_at(machine, number);
	const u8 *now = park_page_bytes(space, page) + at;

	if (!(space->attr[page] & ATTR_CODE))
		return;
	for (u32 i = 0; i < len; i += PIECE)
		if (park_piece_differs(now + i, bytes + i)) {
			machine->recoded++;
			machine_forget_code(machine, number, (page << SPACE_PAGE_SHIFT) + at + i, PIECE);
		}
}

/* Those address spaces that are wanted, each with an engine; those that stay keep what they have. */
static Status shape(Machine *machine, const u8 *kinds, u32 count, u32 mapped)
{
	while (machine->aspace_count < count) {
		if (!array_grow((void **)&machine->aspaces, &machine->aspace_cap, machine->aspace_count, sizeof *machine->aspaces))
			return STATUS_NOMEM;
		machine->aspaces[machine->aspace_count++] = (Aspace){.engine = NULL};
	}
	for (u32 n = 0; n < count; n++) {
		Status status = STATUS_OK;

		if (kinds[n] == IS_FREE)
			continue;
		if (!machine->aspaces[n].engine)
			status = machine_make_aspace(machine, &machine->aspaces[n], machine_address_limit(machine));
		if (status)
			return status;
	}
	if (machine->shown)
		machine_show_vcpu(machine, 0);
	machine->aspaces[machine->mapped].released = false; /* or it would go now */
	machine->vcpus[0].aspace = mapped;
	machine_map_aspace(machine);
	for (u32 n = 0; n < machine->aspace_count; n++)
		if (machine->aspaces[n].engine && (n >= count || kinds[n] == IS_FREE))
			machine_destroy_aspace(machine, n);
	machine->aspace_count = count;
	for (u32 n = 0; n < count; n++)
		machine->aspaces[n].released = kinds[n] == IS_RELEASED;
	return STATUS_OK;
}

/* ---- As the base again ---- */

/* Shared memory, and which of its pages are present. */
static Status keep_shared(Space *to, const Space *from)
{
	Status status = space_backings_copy(to, from);

	for (u32 i = 0; i < from->backing_count && !status; i++) {
		u64 page = from->backings[i].page, end = page + from->backings[i].count;

		for (; space_next_present(from, &page, end); page++)
			space_pages_add(to, page, 1, from->attr[page] & ATTR_RIGHTS);
	}
	return status;
}

/* Memory that was a machine's. */
struct MachineLeft {
	MachineLeft *next;
	Space space;
	int file; /* the image's, to be sealed when nobody can write it any more */
};

void machine_left_destroy(MachineLeft *left)
{
	while (left) {
		MachineLeft *next = left->next;

		space_fini(&left->space);
		park_seal(left->file);
		close(left->file);
		free(left);
		left = next;
	}
}

/* False: it could not be kept, and is to be given back now. */
static bool leave(Space *space, int file, MachineLeft **left)
{
	MachineLeft *one = left ? calloc(1, sizeof *one) : NULL;

	if (!one)
		return false;
	one->file = fcntl(file, F_DUPFD_CLOEXEC, 0);
	if (one->file < 0) {
		free(one);
		return false;
	}
	space_set_aside(space, &one->space);
	one->next = *left;
	*left = one;
	return true;
}

/* Empty but for shared memory, and not to be made hard, in place of what is there. Code for the other one is forgotten. left: where what was
 * there goes, which may lie in `file`; or NULL. */
static Status make_soft(Machine *machine, u32 number, int file, MachineLeft **left)
{
	Space *space = machine_space_at(machine, number), soft;
	Status status = space_init_paged(&soft, space->name, space->cells, false);

	if (status)
		return status;
	status = keep_shared(&soft, space);
	if (status) {
		space_fini(&soft);
		return status;
	}
	machine_forget_code(machine, number, 0, 0);
	machine->present -= space->present - soft.present;
	soft.all_seams = space->all_seams;
	if (!leave(space, file, left))
		space_fini(space);
	*space = soft;
	machine->host_rights = false; /* of those that come */
	return STATUS_OK;
}

static Status drop_shared(Machine *machine, u32 number)
{
	const Space *space = machine_space_at(machine, number);

	while (space->backing_count) {
		u32 before = space->backing_count;
		u64 page = space->backings[0].page, count = space->backings[0].count;

		machine_pages_drop(machine, number, page << SPACE_PAGE_SHIFT, count << SPACE_PAGE_SHIFT);
		if (space->backing_count >= before)
			return STATUS_NOMEM;
	}
	return STATUS_OK;
}

static void drop_new(Machine *machine, u32 number, const BaseChunk *chunk, u64 first, u32 count)
{
	const Space *space = machine_space_at(machine, number);
	const u8 *was = attrs_of(chunk);

	for (u32 k = 0; next_other(space, was, first, &k, count);) {
		u32 from = k;

		while (k < count && space->attr[first + k] & ATTR_PRESENT && !was[k])
			k++;
		if (k > from)
			set_attr(machine, number, first + from, k - from, 0);
		else
			k++;
	}
}

static void revert_pages(Machine *machine, u32 number, const BaseChunk *chunk, const Marks *marks, u64 first, u32 count)
{
	Space *space = machine_space_at(machine, number);

	for (u32 k = 0; next_mark(marks, &k) && k < count;) {
		u32 from = k;

		for (; k < count && is_marked(marks, k); k++) {
			const u8 *was = content_of(chunk, k);
			u64 page = first + k;

			if (!(space->attr[page] & ATTR_PRESENT) && !(chunk && chunk->attr[k]))
				continue;
			report_code(machine, number, page, 0, was, SPACE_PAGE);
			if (space->twice && memcmp(park_page_bytes(space, page), was, SPACE_PAGE) != 0)
				memcpy(park_page_bytes(space, page), was, SPACE_PAGE);
		}
		if (!space->twice)
			space_revert(space, first + from, k - from);
	}
}

static void restore_rights(Machine *machine, u32 number, const BaseChunk *chunk, u64 first, u32 count)
{
	const Space *space = machine_space_at(machine, number);

	for (u32 k = 0; next_other(space, chunk->attr, first, &k, count);) {
		u8 attr = chunk->attr[k];
		u32 from = k;

		while (k < count && chunk->attr[k] == attr && park_page_attr(space, first + k) != attr)
			k++;
		set_attr(machine, number, first + from, k - from, attr);
	}
}

/* Zeros are there. */
static void copy_run(Space *space, const BaseAspace *aspace, const SpaceImage *run)
{
	space_image_take(space, run->page, run->count);
	for (u64 p = run->page; p < run->page + run->count; p++) {
		const u8 *was = content_of(chunk_of(aspace, p / CHUNK), (u32)(p % CHUNK));

		if (was != park_zeros || memcmp(park_page_bytes(space, p), park_zeros, SPACE_PAGE) != 0)
			memcpy(park_page_bytes(space, p), was, SPACE_PAGE);
	}
}

static Status unwind_aspace(Machine *machine, u32 number, const BasePages *pages, int pagemap)
{
	const BaseAspace *aspace = aspace_of(pages, number);
	Space *space = machine_space_at(machine, number);
	Status status = drop_shared(machine, number);
	Marks marks;

	for (u64 chunk_number = 0; !status && next_chunk(space, aspace, &chunk_number); chunk_number++) {
		const BaseChunk *chunk = chunk_of(aspace, chunk_number);
		u64 first = chunk_number * CHUNK;
		u32 count = chunk_pages(space, chunk_number);

		drop_new(machine, number, chunk, first, count);
		mark_chunk(pagemap, space, aspace, chunk_number, &marks);
		revert_pages(machine, number, chunk, &marks, first, count);
	}
	for (u32 i = 0; !status && !space->twice && i < aspace->run_count; i++) {
		const SpaceImage *run = &aspace->runs[i];

		if (!space_image_is(space, run->page, run->count, run->at) &&
		    space_image_put(space, run->page, run->count, pages->fd, run->at)) /* there are too many maps */
			copy_run(space, aspace, run);
	}
	for (u32 i = 0; !status && i < aspace->count; i++) {
		u64 first = aspace->chunks[i]->number * CHUNK;

		restore_rights(machine, number, aspace->chunks[i], first, chunk_pages(space, aspace->chunks[i]->number));
	}
	return status;
}

Status park_unwind_pages(Machine *machine, const BasePages *pages)
{
	u8 kinds[MACHINE_ASPACES];
	Status status;
	int pagemap;

	for (u32 n = 0; n < machine->aspace_count && machine->image_serial != pages->serial; n++) {
		if (!machine->aspaces[n].engine)
			continue;
		machine_pages_drop(machine, n, 0, machine_address_limit(machine));
		status = machine_space_at(machine, n)->twice ? make_soft(machine, n, -1, NULL) : STATUS_OK;
		if (status)
			return status;
	}
	for (u32 n = 0; n < pages->count; n++)
		kinds[n] = pages->aspaces[n].kind;
	machine->image_serial = 0;
	status = shape(machine, kinds, pages->count, pages->mapped);
	pagemap = open_pagemap();
	for (u32 n = 0; n < pages->count && !status; n++)
		if (kinds[n] != IS_FREE)
			status = unwind_aspace(machine, n, pages, pagemap);
	close_pagemap(pagemap);
	if (!status)
		machine->image_serial = pages->serial;
	return status;
}

/* ---- The one that was frozen ---- */

static bool is_of(const SpaceImage *image, const BaseAspace *aspace)
{
	for (u32 i = 0; i < aspace->run_count; i++)
		if (image->page >= aspace->runs[i].page && image->page + image->count <= aspace->runs[i].page + aspace->runs[i].count &&
		    image->page - aspace->runs[i].page == image->at - aspace->runs[i].at)
			return true;
	return false;
}

/* But for what is shared memory, which may lie where runs were joined. */
static Status put_around(Space *space, const SpaceImage *run, int fd)
{
	u64 page = run->page, end = run->page + run->count;
	Status status = STATUS_OK;

	for (u32 i = 0; i < space->backing_count && !status && page < end; i++) {
		const SpaceBacking *shared = &space->backings[i];

		if (shared->page + shared->count <= page || shared->page >= end)
			continue;
		if (shared->page > page)
			status = space_image_put(space, page, shared->page - page, fd, run->at + (page - run->page));
		page = shared->page + shared->count;
	}
	return status || page >= end ? status : space_image_put(space, page, end - page, fd, run->at + (page - run->page));
}

/* Runs are laid over what is there, which is the same; the rest is the program's zeros. */
static Status settle_aspace(Machine *machine, u32 number, const BasePages *pages, MachineLeft **left)
{
	const BaseAspace *aspace = &pages->aspaces[number];
	Space *space = machine_space_at(machine, number);
	bool hard = space->twice;
	Status status = STATUS_OK;

	if (hard)
		status = make_soft(machine, number, pages->fd, left);
	for (u32 i = 0; i < aspace->run_count && !status; i++)
		status = put_around(space, &aspace->runs[i], pages->fd);
	for (u32 i = 0; i < space->image_count && !status;) { /* of an image before this one */
		const SpaceImage *image = &space->images[i];

		if (is_of(image, aspace))
			i++;
		else
			space_image_take(space, image->page, image->count);
	}
	for (u32 i = 0; i < aspace->count && hard && !status; i++)
		restore_rights(machine, number, aspace->chunks[i], aspace->chunks[i]->number * CHUNK,
			       chunk_pages(space, aspace->chunks[i]->number));
	return status;
}

Status park_settle_pages(Machine *machine, const BasePages *pages, MachineLeft **left)
{
	Status status = STATUS_OK;

	machine->image_serial = 0;
	for (u32 n = 0; n < pages->count && !status; n++)
		if (machine_space_at(machine, n))
			status = settle_aspace(machine, n, pages, left);
	if (!status) {
		machine->image_serial = pages->serial;
		if (!*left) /* else it is this machine's own file, and not before that is gone */
			park_seal(pages->fd);
	}
	return status;
}

/* ---- Memory of its own ---- */

bool park_unshare_pages(Machine *machine)
{
	for (u32 n = 0; n < machine->aspace_count; n++) {
		Space *space = machine_space_at(machine, n), own;

		if (!space || space->twice || !space->present) /* an empty one is no faster, and takes addresses */
			continue;
		if (space_init_in_file(&own, space->name, space->cells) && space_init_paged(&own, space->name, space->cells, true))
			return n > 0;
		if (space_backings_copy(&own, space)) {
			space_fini(&own);
			return n > 0;
		}
		machine_forget_code(machine, n, 0, 0); /* it will be made anew, for the view */
		machine->image_serial = 0;
		own.all_seams = space->all_seams;
		for (u64 p = 0; space_next_present(space, &p, ~(u64)0); p++) {
			space_pages_add(&own, p, 1, space->attr[p] & ATTR_RIGHTS);
			if (!space_is_backed(space, p) && memcmp(park_page_bytes(space, p), park_zeros, SPACE_PAGE) != 0)
				memcpy(park_page_bytes(&own, p), park_page_bytes(space, p), SPACE_PAGE);
		}
		space_fini(space);
		*space = own;
	}
	machine->host_rights = true;
	return true;
}

/* ---- What was packed ---- */

static void unpack_rights(Machine *machine, u32 number, const u8 **at)
{
	u64 page = 0;

	for (;;) {
		u64 skip = park_get_number(at), count = park_get_number(at);

		if (!skip && !count)
			return;
		page += skip;
		set_attr(machine, number, page, count, *(*at)++);
		page += count;
	}
}

static void unpack_memory(Machine *machine, u32 number, const u8 **at)
{
	const Space *space = machine_space_at(machine, number);
	u64 place = 0;

	for (;;) {
		u64 skip = park_get_number(at), count = park_get_number(at);

		if (!skip && !count)
			return;
		place += skip * PIECE;
		report_code(machine, number, place >> SPACE_PAGE_SHIFT, (u32)(place % SPACE_PAGE), *at, (u32)count * PIECE);
		memcpy(space->base + place, *at, (size_t)count * PIECE);
		*at += count * PIECE;
		place += count * PIECE;
	}
}

Status park_forget_shared(Machine *machine)
{
	Status status = STATUS_OK;

	for (u32 n = 0; n < machine->aspace_count && !status; n++)
		if (machine_space_at(machine, n))
			status = drop_shared(machine, n);
	return status;
}

Status park_unpack_pages(Machine *machine, const u8 **at)
{
	u32 count = (u32)park_get_number(at), mapped = (u32)park_get_number(at);
	const u8 *kinds = *at;
	Status status = shape(machine, kinds, count, mapped);

	*at += count;
	for (u32 n = 0; n < count && !status; n++) {
		if (kinds[n] == IS_FREE)
			continue;
		unpack_rights(machine, n, at);
		unpack_memory(machine, n, at);
	}
	return status;
}
