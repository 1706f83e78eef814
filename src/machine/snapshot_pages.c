/* SPDX-License-Identifier: MIT
 *
 * The pages of a paged space in a snapshot (docs/snapshot-format.md): for each address space the pages that are present,
 * in runs of equal rights, and of each page whether it is all zeros.
 *
 * Pages in shared memory are left out: whose memory that is, is the guest's business (guest->save), and after a restore
 * the first touch asks the pager, as it did once.
 *
 * Reading makes address spaces of its own, which take the place of the machine's when all else is known to be fine.
 */
#include <stdlib.h>
#include <string.h>

#include "machine/machine_private.h"

enum { IN_USE_FREE, IN_USE, IN_USE_RELEASED };
enum { PAGE_ZEROS, PAGE_BYTES };

static bool is_zero(const u8 *page)
{
	return page[0] == 0 && memcmp(page, page + 1, SPACE_PAGE - 1) == 0;
}

static bool is_written(const Space *space, u64 page)
{
	return (space->attr[page] & ATTR_PRESENT) && !space_is_backed(space, page);
}

static void write_pages(Buf *out, const Space *space)
{
	u64 page = 0, pages = space->cells >> SPACE_PAGE_SHIFT;

	while (space_next_present(space, &page, pages)) {
		u8 rights = space->attr[page] & ATTR_RIGHTS;
		u64 end = page;

		while (end < pages && end - page < 1u << 30 && is_written(space, end) &&
		       (space->attr[end] & ATTR_RIGHTS) == rights)
			end++;
		if (end == page) {
			page++;
			continue;
		}
		buf_u64(out, page);
		buf_u32(out, (u32)(end - page));
		buf_byte(out, rights);
		for (; page < end; page++) {
			const u8 *bytes = space->base + (page << SPACE_PAGE_SHIFT);
			bool zeros = is_zero(bytes);

			buf_byte(out, zeros ? PAGE_ZEROS : PAGE_BYTES);
			if (!zeros)
				buf_add(out, bytes, SPACE_PAGE);
		}
	}
	buf_u64(out, pages);
	buf_u32(out, 0);
}

/* One that is released goes when another is mapped, which is at the latest when somebody runs: it is gone, unless there is no
 * other. Who has not begun to run and who stopped there are the same. */
void machine_write_pages(const Machine *machine, Buf *out)
{
	bool lives = false;

	buf_u32(out, machine->aspace_count);
	for (u32 n = 0; n < machine->aspace_count; n++)
		lives |= machine->aspaces[n].engine && !machine->aspaces[n].released;
	for (u32 n = 0; n < machine->aspace_count; n++) {
		const Aspace *aspace = &machine->aspaces[n];
		bool gone = !aspace->engine || (aspace->released && lives);

		buf_byte(out, gone ? IN_USE_FREE : aspace->released ? IN_USE_RELEASED : IN_USE);
		if (!gone)
			write_pages(out, n == machine->mapped ? &machine->vcpu.spaces[machine->paged_space] : &aspace->space);
	}
}

/* *left: bytes that may still become present. */
static Status read_pages(ByteReader *reader, Space *space, u64 *left)
{
	u64 next = 0, pages = space->cells >> SPACE_PAGE_SHIFT;

	for (;;) {
		u64 page = reader_u64(reader);
		u32 count = reader_u32(reader);
		u8 rights;

		if (reader->bad)
			return STATUS_CORRUPT;
		if (!count)
			return page == pages ? STATUS_OK : STATUS_CORRUPT;
		rights = reader_u8(reader);
		if (reader->bad || page < next || page >= pages || count > pages - page || rights & ~ATTR_RIGHTS ||
		    (rights & ATTR_RIGHTS) == ATTR_WRITE || count > reader->len - reader->at)
			return STATUS_CORRUPT;
		if (count > *left >> SPACE_PAGE_SHIFT)
			return STATUS_TOO_BIG;
		*left -= (u64)count << SPACE_PAGE_SHIFT;
		next = page + count;
		space_pages_add(space, page, count, rights);
		for (; page < next; page++) {
			u8 kind = reader_u8(reader);
			const u8 *bytes = kind == PAGE_BYTES ? reader_bytes(reader, SPACE_PAGE) : NULL;

			if (reader->bad || kind > PAGE_BYTES)
				return STATUS_CORRUPT;
			if (bytes)
				memcpy(space->base + (page << SPACE_PAGE_SHIFT), bytes, SPACE_PAGE);
		}
	}
}

Status machine_read_pages(Machine *machine, ByteReader *reader, Aspace **aspaces, u32 *count, u64 *left)
{
	u32 total = reader_u32(reader), alive = 0;

	if (reader->bad || !total || total > MACHINE_ASPACES || total > reader->len - reader->at)
		return STATUS_CORRUPT;
	*aspaces = calloc(total, sizeof(Aspace));
	if (!*aspaces)
		return STATUS_NOMEM;
	while (*count < total) {
		Aspace *aspace = &(*aspaces)[(*count)++];
		u8 kind = reader_u8(reader);
		Status status;

		if (reader->bad || kind > IN_USE_RELEASED)
			return STATUS_CORRUPT;
		if (kind == IN_USE_FREE)
			continue;
		alive++;
		status = machine_make_aspace(machine, aspace, machine_address_limit(machine));
		if (!status)
			status = read_pages(reader, &aspace->space, left);
		if (status)
			return status;
		aspace->released = kind == IN_USE_RELEASED;
		if (aspace->released && aspace->space.present)
			return STATUS_CORRUPT;
	}
	return alive ? STATUS_OK : STATUS_CORRUPT;
}

void machine_drop_aspaces(const Machine *machine, Aspace *aspaces, u32 count)
{
	for (u32 n = 0; n < count; n++) {
		if (aspaces[n].engine)
			machine->ops->destroy(aspaces[n].engine);
		space_fini(&aspaces[n].space);
	}
	free(aspaces);
}

void machine_move_in_pages(Machine *machine, Aspace *aspaces, u32 count, u32 wanted)
{
	Space *place = &machine->vcpu.spaces[machine->paged_space];

	machine->aspaces[machine->mapped].space = *place; /* all go away */
	machine_drop_aspaces(machine, machine->aspaces, machine->aspace_count);
	machine->aspaces = aspaces;
	machine->aspace_count = machine->aspace_cap = count;
	if (wanted >= count || !aspaces[wanted].engine)
		for (wanted = 0; !aspaces[wanted].engine;)
			wanted++;
	machine->mapped = wanted;
	machine->engine = aspaces[wanted].engine;
	*place = aspaces[wanted].space;
	machine->present = 0;
	for (u32 n = 0; n < count; n++)
		machine->present += aspaces[n].space.present;
}
