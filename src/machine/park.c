/* SPDX-License-Identifier: MIT
 *
 * Packing and unpacking (park.h). What snapshot.c writes is here twice: as *words*, and as memory.
 *
 *     words     everything small, as numbers of 64 bits in a fixed order: counts, time, generators, who runs when, sizes,
 *               the guest's private bytes, registers, tables, input that waits (park_words.c). A delta has those words that are not the
 *               base's, in runs.
 *     memory    of each space the pieces of PIECE bytes that are not the base's, in runs. Blocks of BLOCK bytes are
 *               compared first, as most of them are equal; what is zero in the base is compared with one block of zeros, so
 *               the base need not be read.
 *
 *     delta     length of words | runs of words: (skip, count, words...)* 0 0 | paged memory (park_pages.c) |
 *               per space: (skip, count, pieces...)* 0 0 | what the guest keeps, if there are pages
 *
 * Numbers in a delta are written in groups of seven bits, the lowest first. The spaces come in the order of `spaces_of`: the shared ones,
 * then the private ones of each vCPU that is in use.
 *
 * Code: memory changes under the engine here, as by a store of the program. Cells that code was made from and that really
 * change are reported to the engine one by one; cells beside them are not, so variables between instructions cost nothing.
 */
#include "machine/park.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/park_private.h"

enum { BLOCK = 4096 };

static const u8 zeros[BLOCK];

typedef struct BaseSpace {
	u64 cells;
	bool there;  /* its vCPU is in use */
	u8 *bytes;   /* owned (mmap), or NULL: all zero */
	size_t size; /* bytes, whole blocks */
	u8 *blank;   /* owned: per block, 1 = all zero */
} BaseSpace;

struct MachineBase {
	u64 *words;        /* owned */
	u32 word_count;
	BaseSpace *spaces; /* owned */
	u32 space_count;   /* the shared ones, then the private ones of each vCPU */
	HostFunction *hosts; /* owned: what its origin was allowed */
	BasePages *pages;    /* owned; NULL: no space is paged */
	Buf guest;           /* what guest->save_near gave, and: */
	OpenFiles held;      /* sorted */
	const Guest *kind;   /* whose setup it is: */
	void *setup;         /* a reference, or NULL */
	u64 time, bytes;
};

/* ---- Numbers and runs ---- */

void park_put_number(Buf *out, u64 number)
{
	u8 bytes[10];
	unsigned len = 0;

	for (; number >= 0x80; number >>= 7)
		bytes[len++] = (u8)(number | 0x80);
	bytes[len++] = (u8)number;
	buf_add(out, bytes, len);
}

u64 park_get_number(const u8 **at)
{
	u64 number = 0;
	unsigned shift = 0;

	for (; **at & 0x80; shift += 7)
		number |= (u64)(*(*at)++ & 0x7F) << shift;
	return number | (u64)*(*at)++ << shift;
}

static void write_word_runs(const u64 *words, u32 count, const MachineBase *base, Buf *out)
{
	u32 at = 0, done = 0;

	park_put_number(out, count);
	for (;;) {
		u32 end;

		while (at < count && words[at] == (at < base->word_count ? base->words[at] : 0))
			at++;
		if (at == count)
			break;
		for (end = at; end < count && words[end] != (end < base->word_count ? base->words[end] : 0);)
			end++;
		park_put_number(out, at - done);
		park_put_number(out, end - at);
		for (; at < end; at++)
			park_put_number(out, words[at]);
		done = at;
	}
	park_put_number(out, 0);
	park_put_number(out, 0);
}

/* Into `out`, which is cleared. */
static bool read_word_runs(const u8 **at, const MachineBase *base, Buf *out)
{
	u64 count = park_get_number(at), place = 0;
	u64 *words;

	buf_clear(out);
	buf_fill(out, 0, (size_t)count * sizeof(u64));
	if (out->failed)
		return false;
	words = (u64 *)(void *)out->data;
	memcpy(words, base->words, (size_t)(count < base->word_count ? count : base->word_count) * sizeof(u64));
	for (;;) {
		u64 skip = park_get_number(at), run = park_get_number(at);

		if (!skip && !run)
			return true;
		for (place += skip; run; run--)
			words[place++] = park_get_number(at);
	}
}

static void skip_word_runs(const u8 **at)
{
	park_get_number(at);
	for (;;) {
		u64 skip = park_get_number(at), run = park_get_number(at);

		if (!skip && !run)
			return;
		while (run--)
			park_get_number(at);
	}
}

/* ---- Memory ---- */

static size_t size_of(const Space *space)
{
	return (((size_t)space->cells << space->cell_shift) + PIECE - 1) & ~(size_t)(PIECE - 1);
}

/* What the base has there, to the end of the block. */
static const u8 *base_at(const BaseSpace *base, size_t at)
{
	return !base || at >= base->size || base->blank[at / BLOCK] ? zeros : base->bytes + at;
}

bool park_piece_differs(const u8 *a, const u8 *b)
{
	u64 x[PIECE / 8], y[PIECE / 8], differs = 0;

	memcpy(x, a, PIECE);
	memcpy(y, b, PIECE);
	for (unsigned i = 0; i < PIECE / 8; i++)
		differs |= x[i] ^ y[i];
	return differs;
}

/* The next run of pieces that differ, from *at on; false: there is none. *end: behind it, in the same block. */
static bool find_run(const Space *space, const BaseSpace *base, size_t len, size_t *at, size_t *end)
{
	size_t here = *at;

	while (here < len) {
		size_t first = here & ~(size_t)(BLOCK - 1), stop = first + BLOCK < len ? first + BLOCK : len;
		const u8 *block = base_at(base, first);

		if (here == first && memcmp(space->base + first, block, stop - first) == 0) {
			here = stop;
			continue;
		}
		while (here < stop && !park_piece_differs(space->base + here, block + (here - first)))
			here += PIECE;
		if (here == stop)
			continue;
		*at = here;
		while (here < stop && park_piece_differs(space->base + here, block + (here - first)))
			here += PIECE;
		*end = here;
		return true;
	}
	return false;
}

static void write_memory(const Space *space, const BaseSpace *base, Buf *out)
{
	size_t len = size_of(space), at = 0, end = 0, done = 0;

	while (find_run(space, base, len, &at, &end)) {
		park_put_number(out, (at - done) / PIECE);
		park_put_number(out, (end - at) / PIECE);
		buf_add(out, space->base + at, end - at);
		at = done = end;
	}
	park_put_number(out, 0);
	park_put_number(out, 0);
}

/* Bytes of the code space are about to change: the engine hears of the cells that do. */
static void report_code(Machine *machine, const Space *space, size_t at, size_t len, const u8 *bytes)
{
	unsigned unit = 1u << space->cell_shift;

	for (size_t i = 0; i < len; i += unit) {
		u64 cell = (at + i) >> space->cell_shift;

		if (cell >= space->cells || !(space->attr[cell >> space->attr_shift] & ATTR_CODE) ||
		    memcmp(space->base + at + i, bytes + i, unit) == 0)
			continue;
		machine->recoded++;
		machine->ops->invalidate(machine->engine, &machine->vcpu, cell, 1);
	}
}

static void set_bytes(Machine *machine, Space *space, bool code, size_t at, const u8 *bytes, size_t len)
{
	if (code)
		report_code(machine, space, at, len, bytes);
	memcpy(space->base + at, bytes, len);
}

static bool is_code(const Machine *machine, u16 number)
{
	return number == machine->isa->code_space;
}

/* What was packed comes in; or, if `back`, what is of the base there instead. */
static void read_memory(Machine *machine, Space *space, const BaseSpace *base, bool code, bool back, const u8 **at)
{
	size_t place = 0;

	for (;;) {
		u64 skip = park_get_number(at), count = park_get_number(at);

		if (!skip && !count)
			return;
		place += skip * PIECE;
		set_bytes(machine, space, code, place, back ? base_at(base, place) : *at, (size_t)count * PIECE);
		*at += count * PIECE;
		place += count * PIECE;
	}
}

/* As the base again. */
static void restore_memory(Machine *machine, Space *space, const BaseSpace *base, bool code)
{
	size_t len = size_of(space), at = 0, end = 0;

	while (find_run(space, base, len, &at, &end)) {
		set_bytes(machine, space, code, at, base_at(base, at), end - at);
		at = end;
	}
}

/* One space after the other, in the order that deltas and bases have. */
typedef struct Walk {
	const Machine *machine;
	u32 next, vcpu; /* what comes next: a space, or a private one of this vCPU */
	u32 index;      /* of the space that was given, among those of the base */
	u16 number;     /* the space */
} Walk;

static Space *walk(Walk *w)
{
	const Machine *machine = w->machine;

	for (; w->next < machine->vcpu.space_count; w->next++) {
		if (machine_private_index(machine, (u16)w->next) < machine->private_count || w->next == machine->paged_space)
			continue;
		w->number = (u16)w->next++;
		w->index = w->number;
		return &machine->vcpu.spaces[w->number];
	}
	for (; machine->private_count && w->vcpu < machine->vcpu_count; w->vcpu++, w->next = machine->vcpu.space_count) {
		u32 own = w->next - machine->vcpu.space_count;

		if (machine->vcpus[w->vcpu].state == VCPU_FREE || own == machine->private_count)
			continue;
		w->next++;
		w->number = machine->private_spaces[own];
		w->index = machine->vcpu.space_count + w->vcpu * machine->private_count + own;
		return machine_space_of(machine, w->vcpu, w->number);
	}
	return NULL;
}

static const BaseSpace *base_of(const MachineBase *base, u32 index)
{
	return index < base->space_count && base->spaces[index].there ? &base->spaces[index] : NULL;
}

/* ---- Bases ---- */

void machine_base_destroy(MachineBase *base)
{
	if (!base)
		return;
	for (u32 i = 0; base->spaces && i < base->space_count; i++) {
		if (base->spaces[i].bytes)
			munmap(base->spaces[i].bytes, base->spaces[i].size);
		free(base->spaces[i].blank);
	}
	park_destroy_pages(base->pages);
	if (base->setup)
		base->kind->setup_put(base->setup);
	buf_fini(&base->guest);
	open_files_fini(&base->held);
	free(base->spaces);
	free(base->words);
	free(base->hosts);
	free(base);
}

static Status freeze_space(const Space *space, BaseSpace *out, u64 *bytes)
{
	size_t len = size_of(space), size = (len + BLOCK - 1) & ~(size_t)(BLOCK - 1);
	void *memory;

	out->there = true;
	out->cells = space->cells;
	if (!size)
		return STATUS_OK;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return STATUS_NOMEM;
	out->bytes = memory;
	out->size = size;
	out->blank = calloc(size / BLOCK, 1);
	if (!out->blank)
		return STATUS_NOMEM;
	for (size_t at = 0; at < len; at += BLOCK) {
		size_t part = len - at < BLOCK ? len - at : BLOCK;

		out->blank[at / BLOCK] = memcmp(space->base + at, zeros, part) == 0;
		if (out->blank[at / BLOCK])
			continue;
		memcpy(out->bytes + at, space->base + at, part);
		*bytes += BLOCK;
	}
	return STATUS_OK;
}

static bool guest_can_park(const Machine *machine)
{
	const Guest *guest = machine->guest;

	if (!guest || !(guest->fini || guest->save))
		return true;
	return guest->save_near && guest->restore_near && guest->setup && !(guest->outside && guest->outside(machine, NULL, 0));
}

bool machine_can_park(const Machine *machine)
{
	return guest_can_park(machine) && !machine->window_count && !machine->handle_count && !machine->break_count && !machine->watch_count &&
	       !machine->recording && !machine->log_count && !machine->notes_function && !machine->calls;
}

/* ---- The guest ---- */

/* What it keeps beyond words, if there is anything. */
static Status save_guest(const Machine *machine, Buf *out, OpenFiles *held)
{
	return machine->guest && machine->guest->save_near ? machine->guest->save_near(machine, out, held) : STATUS_OK;
}

static Status restore_guest(Machine *machine, const u8 *bytes, size_t len)
{
	return machine->guest && machine->guest->restore_near ? machine->guest->restore_near(machine, bytes, len) : STATUS_OK;
}

/* It may say no. */
static Status freeze_guest(const Machine *machine, MachineBase *base)
{
	const Guest *guest = machine->guest;
	Status status = STATUS_OK;

	base->kind = guest;
	if (guest && guest->setup)
		status = guest->setup(machine, &base->setup); /* first: what is in there is not saved */
	if (!status)
		status = save_guest(machine, &base->guest, &base->held);
	open_files_sort(&base->held);
	return !status && base->guest.failed ? STATUS_NOMEM : status;
}

/* The first byte from `at` on that is another one. */
static size_t equal_until(const u8 *a, const u8 *b, size_t at, size_t end)
{
	while (at + PIECE <= end && !park_piece_differs(a + at, b + at))
		at += PIECE;
	while (at < end && a[at] == b[at])
		at++;
	return at;
}

/* Words of 8 bytes that are not the base's; if there are more or less of them, all are. */
static void pack_guest(const Buf *now, const Buf *was, Buf *out)
{
	size_t at = 0, done = 0, most = now->len < was->len ? now->len : was->len, same = 0;

	park_put_number(out, now->len);
	if (now->len != was->len) /* what stands behind the place that is longer or shorter is equal again */
		while (same < most && now->data[now->len - 1 - same] == was->data[was->len - 1 - same])
			same++;
	park_put_number(out, same);
	for (most = now->len - same; at < most;) {
		size_t end;

		at = equal_until(now->data, was->data, at, most < was->len ? most : was->len);
		if (at == most)
			break;
		for (end = at; end < most && (end >= was->len || now->data[end] != was->data[end]);)
			end++;
		park_put_number(out, at - done);
		park_put_number(out, end - at);
		buf_add(out, now->data + at, end - at);
		at = done = end;
	}
	park_put_number(out, 0);
	park_put_number(out, 0);
}

static Status unpack_guest(Machine *machine, const Buf *was, const u8 **at)
{
	size_t len = (size_t)park_get_number(at), same = (size_t)park_get_number(at), place = 0;
	Buf *now = &machine->packing;
	Status status;

	buf_clear(now);
	buf_add(now, was->data, len - same < was->len ? len - same : was->len);
	buf_fill(now, 0, len - now->len);
	if (now->failed) {
		buf_fini(now);
		buf_init(now);
		return STATUS_NOMEM;
	}
	if (same)
		memcpy(now->data + len - same, was->data + was->len - same, same);
	for (;;) {
		size_t skip = (size_t)park_get_number(at), count = (size_t)park_get_number(at);

		if (!skip && !count)
			break;
		place += skip;
		memcpy(now->data + place, *at, count);
		*at += count;
		place += count;
	}
	status = restore_guest(machine, now->data, len);
	return status;
}

/* ---- Freezing ---- */

static Status freeze(const Machine *machine, bool take, MachineBase **out)
{
	MachineBase *base;
	Walk w = { .machine = machine };
	const Space *space;
	Status status = STATUS_OK;
	Buf words;

	*out = NULL;
	if (!machine_can_park(machine))
		return STATUS_UNSUPPORTED;
	base = calloc(1, sizeof *base);
	if (!base)
		return STATUS_NOMEM;
	buf_init(&words);
	buf_init(&base->guest);
	status = freeze_guest(machine, base);
	park_write_words(machine, &words);
	base->space_count = machine->vcpu.space_count + machine->vcpu_count * machine->private_count;
	base->spaces = calloc(base->space_count + 1, sizeof *base->spaces);
	base->hosts = malloc((machine->isa->host_count + 1) * sizeof *base->hosts);
	if (!words.failed) {
		base->words = (u64 *)(void *)words.data;
		base->word_count = (u32)(words.len / sizeof(u64));
	}
	if (words.failed || !base->spaces || !base->hosts)
		status = STATUS_NOMEM;
	if (!status)
		memcpy(base->hosts, machine->hosts, machine->isa->host_count * sizeof *base->hosts);
	while (!status && (space = walk(&w)))
		status = freeze_space(space, &base->spaces[w.index], &base->bytes);
	if (!status && machine->paged_space != ISA_NONE)
		status = park_freeze_pages(machine, &base->pages, take, &base->bytes);
	base->bytes += sizeof *base + words.len + base->guest.len;
	base->time = machine_time(machine);
	if (status) {
		if (words.failed)
			buf_fini(&words);
		machine_base_destroy(base);
		return status;
	}
	*out = base;
	return STATUS_OK;
}

Status machine_freeze(const Machine *machine, MachineBase **out)
{
	return freeze(machine, false, out);
}

Status machine_freeze_away(Machine *machine, MachineBase **out)
{
	return freeze(machine, true, out);
}

u64 machine_base_bytes(const MachineBase *base)
{
	return base->bytes;
}

bool machine_base_has_pages(const MachineBase *base)
{
	return base->pages != NULL;
}

Status machine_settle(Machine *machine, const MachineBase *base, MachineLeft **left)
{
	*left = NULL;
	return base->pages ? park_settle_pages(machine, base->pages, left) : STATUS_OK;
}

bool machine_unshare(Machine *machine)
{
	return machine->image_serial && park_unshare_pages(machine);
}

u64 machine_changed_pages(const Machine *machine, const MachineBase *base)
{
	return base->pages ? park_changed_pages(machine, base->pages) : 0;
}

u64 machine_base_time(const MachineBase *base)
{
	return base->time;
}

/* ---- The machine ---- */

/* Devices of spaces that have grown, or are new. */
static void mark_spaces(Machine *machine)
{
	for (u32 i = 0; i < machine->vcpu.space_count; i++)
		if (machine->isa->spaces[i].has_handlers)
			machine_mark_space(machine, (u16)i);
}

/* Has it the same spaces, as large? Then a delta names all places where memory differs. */
static bool has_shape_of(const Machine *machine, const MachineBase *base)
{
	Walk w = { .machine = machine };
	const Space *space;
	u32 there = 0, count = 0;

	while ((space = walk(&w))) {
		const BaseSpace *was = base_of(base, w.index);

		if (!was || was->cells != space->cells)
			return false;
		count++;
	}
	for (u32 i = 0; i < base->space_count; i++)
		there += base->spaces[i].there;
	return count == there;
}

static Status pack_all(Machine *machine, const MachineBase *base, const Buf *guest, Buf *out)
{
	Walk w = { .machine = machine };
	Buf *words = &machine->packing;
	const Space *space;

	buf_clear(words);
	park_write_words(machine, words);
	if (words->failed) {
		buf_fini(words);
		buf_init(words);
		return STATUS_NOMEM;
	}
	write_word_runs((const u64 *)(void *)words->data, (u32)(words->len / sizeof(u64)), base, out);
	if (base->pages)
		park_pack_pages(machine, base->pages, out);
	while ((space = walk(&w)))
		write_memory(space, base_of(base, w.index), out);
	if (base->pages)
		pack_guest(guest, &base->guest, out);
	return out->failed ? STATUS_NOMEM : STATUS_OK;
}

/* Those that the base does not keep open. */
static Status keep_open(const OpenFiles *files, const MachineBase *base, OpenFiles *held)
{
	for (u32 i = 0; i < files->count; i++)
		if (!open_files_has(&base->held, files->items[i]) && !open_files_add(held, files->items[i]))
			return STATUS_NOMEM;
	return STATUS_OK;
}

Status machine_pack(Machine *machine, const MachineBase *base, Buf *out, OpenFiles *held)
{
	OpenFiles files = {.items = NULL};
	Status status;
	Buf guest;

	if (!machine_can_park(machine))
		return STATUS_UNSUPPORTED;
	machine_flush_output(machine);
	buf_init(&guest);
	status = save_guest(machine, &guest, &files); /* first: it may say no */
	if (!status && guest.failed)
		status = STATUS_NOMEM;
	if (!status)
		status = pack_all(machine, base, &guest, out);
	if (!status)
		status = keep_open(&files, base, held);
	open_files_fini(&files);
	buf_fini(&guest);
	return status;
}

Status machine_unwind(Machine *machine, const MachineBase *base, const u8 *delta)
{
	bool same = has_shape_of(machine, base);
	const u8 *at = base->pages ? NULL : delta;
	Walk w = { .machine = machine };
	Space *space;
	Status status;

	machine_flush_output(machine);
	machine_close_handles(machine);
	status = base->pages ? park_unwind_pages(machine, base->pages) : STATUS_OK;
	if (!status)
		status = park_read_words(machine, base->hosts, base->words);
	if (!status && base->pages)
		status = restore_guest(machine, NULL, 0);
	if (status)
		return status;
	if (same && at)
		skip_word_runs(&at);
	while ((space = walk(&w))) {
		if (same && at)
			read_memory(machine, space, base_of(base, w.index), is_code(machine, w.number), true, &at);
		else
			restore_memory(machine, space, base_of(base, w.index), is_code(machine, w.number));
	}
	if (!same)
		mark_spaces(machine);
	return STATUS_OK;
}

Status machine_join(Machine *machine, const MachineBase *base)
{
	Status status = STATUS_OK;

	if (base->setup)
		status = base->kind->set_up(machine, base->setup);
	if (!status)
		status = machine_unwind(machine, base, NULL);
	machine_flush_engines(machine);
	return status;
}

Status machine_become(Machine *machine, const MachineBase *base)
{
	Status status = machine_join(machine, base);

	return status ? status : machine_unpack(machine, base, NULL);
}

Status machine_unpack(Machine *machine, const MachineBase *base, const u8 *delta)
{
	Walk w = { .machine = machine };
	const u8 *at = delta;
	Status status = base->pages ? park_forget_shared(machine) : STATUS_OK;
	Space *space;

	if (status)
		return status;
	if (!delta)
		return base->pages ? restore_guest(machine, base->guest.data, base->guest.len) : STATUS_OK;
	if (!read_word_runs(&at, base, &machine->packing)) {
		buf_fini(&machine->packing);
		buf_init(&machine->packing);
		return STATUS_NOMEM;
	}
	status = base->pages ? park_unpack_pages(machine, &at) : STATUS_OK;
	if (!status)
		status = park_read_words(machine, base->hosts, (const u64 *)(void *)machine->packing.data);
	while (!status && (space = walk(&w)))
		read_memory(machine, space, base_of(base, w.index), is_code(machine, w.number), false, &at);
	if (!status && base->pages)
		status = unpack_guest(machine, &base->guest, &at);
	if (!status && !has_shape_of(machine, base))
		mark_spaces(machine);
	return status;
}

u64 machine_park_recoded(const Machine *machine)
{
	return machine->recoded;
}
