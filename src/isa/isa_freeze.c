/* SPDX-License-Identifier: MIT
 *
 * Freezing. Two Isas of one text, each with every allocation apart: the n-th allocation of one is the n-th of the other. A word
 * that points into an allocation of the first and, in the second, into the same allocation as far from its beginning, is a
 * pointer. A word that is the same in both is a number, or points to a string of the program's own (""), which is
 * copied; anything else cannot be.
 */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "isa/isa_frozen.h"
#include "isa/isa_parse.h"

enum { STRING_MOST = 4096 };
#define NOWHERE (~(u64)0)

typedef struct Piece {
	const u8 *bytes;
	size_t size;
	u64 at;           /* in its part, when placed; or NOWHERE */
	bool wanted;      /* somebody points to it */
	bool has_pointers;
} Piece;

typedef struct Place {
	u64 address;
	u32 piece;
} Place;

typedef struct Twin {
	Isa *isa;          /* owned */
	ArenaPiece *found; /* owned; the last is the Isa itself */
} Twin;

typedef struct Literal { /* a string of the program's own */
	u64 address, at;
} Literal;

typedef struct Freezer {
	Twin first, second;
	Piece *pieces;      /* owned; of the first */
	Place *by_address;  /* owned */
	u32 count;
	Literal *literals;  /* in the arena */
	u32 literal_count, literal_cap;
	Arena arena;
	Buf moving, still;
	u64 *inside, *outside; /* in the arena */
	const char *wrong;     /* why it cannot be done, or NULL */
} Freezer;

static u64 word_at(const u8 *bytes, size_t offset)
{
	u64 word;

	memcpy(&word, bytes + offset, sizeof word);
	return word;
}

/* Which allocation of the first an address is in; count: none. */
static u32 piece_of(const Freezer *f, u64 address)
{
	u32 low = 0, high = f->count;

	while (low < high) {
		const u32 middle = (low + high) / 2;
		const Place *place = &f->by_address[middle];

		if (address < place->address)
			high = middle;
		else if (address - place->address < f->pieces[place->piece].size)
			return place->piece;
		else
			low = middle + 1;
	}
	return f->count;
}

typedef struct Mapped {
	u64 address;
	const char *end; /* of what is mapped there; NULL: nothing of a program or library */
} Mapped;

static int look_at(struct dl_phdr_info *info, size_t size, void *ctx)
{
	Mapped *mapped = ctx;

	(void)size;
	for (u32 i = 0; i < info->dlpi_phnum; i++) {
		const u64 begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

		if (info->dlpi_phdr[i].p_type == PT_LOAD && mapped->address - begin < info->dlpi_phdr[i].p_memsz)
			mapped->end = (const char *)(uintptr_t)(begin + info->dlpi_phdr[i].p_memsz);
	}
	return 0;
}

/* The place of a word that is the address of a string of the program's own; NOWHERE: it is a number. */
static u64 literal(Freezer *f, u64 word)
{
	Mapped mapped = {.address = word};
	const char *text = (const char *)(uintptr_t)word;
	size_t len = 0;

	for (u32 i = 0; i < f->literal_count; i++)
		if (f->literals[i].address == word)
			return f->literals[i].at;
	if (word >> 32 == 0) /* programs are linked to lie above */
		return NOWHERE;
	dl_iterate_phdr(look_at, &mapped);
	if (!mapped.end)
		return NOWHERE;
	while (text + len < mapped.end && len < STRING_MOST && ((text[len] >= ' ' && text[len] <= '~') || text[len] == '\n'))
		len++;
	if (text + len == mapped.end || text[len] ||
	    !arena_grow(&f->arena, (void **)&f->literals, &f->literal_cap, f->literal_count, sizeof *f->literals)) {
		f->wrong = "it points out of itself, and not to a string";
		return NOWHERE;
	}
	f->literals[f->literal_count++] = (Literal){word, f->still.len};
	buf_add(&f->still, text, len + 1);
	return f->literals[f->literal_count - 1].at;
}

/* What the word `offset` bytes into a piece is: a pointer into piece *index; or, when that is `count`, a number. */
static bool is_pointer(Freezer *f, u32 piece, size_t offset, u32 *index, u64 *distance)
{
	const u64 mine = word_at(f->pieces[piece].bytes, offset), other = word_at(f->second.found[piece].bytes, offset);

	*index = f->count;
	if (mine == other)
		return false;
	*index = piece_of(f, mine);
	if (*index < f->count) {
		*distance = mine - (uintptr_t)f->pieces[*index].bytes;
		if (other - (uintptr_t)f->second.found[*index].bytes == *distance)
			return true;
	}
	f->wrong = "it is not the same when it is loaded again";
	return false;
}

/* Which pieces the Isa reaches, and which of them have pointers (to strings of the program's, too). */
static void mark(Freezer *f)
{
	u32 *todo = ARENA_ARRAY(&f->arena, u32, f->count), count = 0;

	if (!todo)
		return;
	todo[count++] = f->count - 1;
	f->pieces[f->count - 1].wanted = true;
	while (count && !f->wrong) {
		const u32 piece = todo[--count];

		for (size_t offset = 0; offset + 8 <= f->pieces[piece].size; offset += 8) {
			u64 distance;
			u32 index;

			if (is_pointer(f, piece, offset, &index, &distance)) {
				f->pieces[piece].has_pointers = true;
				if (!f->pieces[index].wanted) {
					f->pieces[index].wanted = true;
					todo[count++] = index;
				}
			} else if (literal(f, word_at(f->pieces[piece].bytes, offset)) != NOWHERE) {
				f->pieces[piece].has_pointers = true;
			}
		}
	}
}

static void align(Buf *buf)
{
	while (buf->len % 16 && !buf->failed)
		buf_byte(buf, 0);
}

/* The Isa first, at the beginning of the moving part. */
static void place(Freezer *f)
{
	align(&f->still);
	for (u32 n = 0; n < f->count; n++) {
		Piece *piece = &f->pieces[n ? n - 1 : f->count - 1];
		Buf *part = piece->has_pointers ? &f->moving : &f->still;

		if (!piece->wanted)
			continue;
		piece->at = part->len;
		buf_add(part, piece->bytes, piece->size);
		align(part);
	}
}

static void set_word(Freezer *f, u64 at, u64 value, u64 *bits)
{
	memcpy(f->moving.data + at, &value, sizeof value);
	bits[at / 8 / 64] |= (u64)1 << at / 8 % 64;
}

static void relocate(Freezer *f)
{
	const size_t words = isa_frozen_bits(f->moving.len);

	f->inside = ARENA_ARRAY(&f->arena, u64, words);
	f->outside = ARENA_ARRAY(&f->arena, u64, words);
	if (!f->inside || !f->outside || f->moving.failed || f->still.failed)
		return;
	for (u32 piece = 0; piece < f->count; piece++) {
		if (!f->pieces[piece].wanted || !f->pieces[piece].has_pointers)
			continue;
		for (size_t offset = 0; offset + 8 <= f->pieces[piece].size; offset += 8) {
			const u64 at = f->pieces[piece].at + offset;
			u64 distance = 0;
			u32 index;

			if (is_pointer(f, piece, offset, &index, &distance))
				set_word(f, at, f->pieces[index].at + distance, f->pieces[index].has_pointers ? f->inside : f->outside);
			else if (literal(f, word_at(f->pieces[piece].bytes, offset)) != NOWHERE)
				set_word(f, at, literal(f, word_at(f->pieces[piece].bytes, offset)), f->outside);
		}
	}
}

static bool twin(Twin *twin, const char *name, const char *text, size_t len, DiagList *diags)
{
	size_t count;

	twin->isa = isa_load_apart(name, text, len, diags);
	if (!twin->isa)
		return false;
	count = arena_pieces(&twin->isa->arena, NULL, 0);
	twin->found = calloc(count + 1, sizeof *twin->found);
	if (!twin->found)
		return false;
	arena_pieces(&twin->isa->arena, twin->found, count);
	twin->found[count] = (ArenaPiece){(u8 *)twin->isa, sizeof *twin->isa};
	return true;
}

static int compare_places(const void *a, const void *b)
{
	const u64 x = ((const Place *)a)->address, y = ((const Place *)b)->address;

	return x < y ? -1 : x > y;
}

static void compare_twins(Freezer *f)
{
	const size_t count = arena_pieces(&f->first.isa->arena, NULL, 0) + 1;

	if (arena_pieces(&f->second.isa->arena, NULL, 0) + 1 != count) {
		f->wrong = "it has not as many parts when it is loaded again";
		return;
	}
	f->pieces = calloc(count, sizeof *f->pieces);
	f->by_address = calloc(count, sizeof *f->by_address);
	if (!f->pieces || !f->by_address)
		return;
	f->count = (u32)count;
	for (u32 i = 0; i < f->count; i++) {
		f->pieces[i] = (Piece){.bytes = f->first.found[i].bytes, .size = f->first.found[i].size, .at = NOWHERE};
		f->by_address[i] = (Place){(uintptr_t)f->pieces[i].bytes, i};
		if (f->second.found[i].size != f->pieces[i].size)
			f->wrong = "its parts are not as large when it is loaded again";
	}
	qsort(f->by_address, f->count, sizeof *f->by_address, compare_places);
}

static bool write_out(Freezer *f, Buf *out)
{
	const size_t bits = isa_frozen_bits(f->moving.len) * sizeof(u64);
	const IsaFrozenHead head = {f->moving.len, f->still.len};

	if (!f->pieces || !f->inside || !f->outside || f->arena.failed || f->moving.failed || f->still.failed)
		return false;
	buf_add(out, &head, sizeof head);
	buf_add(out, f->moving.data, f->moving.len);
	buf_add(out, f->still.data, f->still.len);
	buf_add(out, f->inside, bits);
	buf_add(out, f->outside, bits);
	return !out->failed;
}

/* Without optimization a compiler may leave anything between the fields of what it copies. */
static bool write_nothing(Buf *out)
{
	const IsaFrozenHead head = {0, 0};

	buf_add(out, &head, sizeof head);
	return !out->failed;
}

bool isa_freeze(const char *name, const char *text, size_t len, Buf *out, DiagList *diags)
{
	Freezer f = {.count = 0};
	bool fine = false;

	arena_init(&f.arena);
	buf_init(&f.moving);
	buf_init(&f.still);
	if (twin(&f.first, name, text, len, diags) && twin(&f.second, name, text, len, diags) && !diags->count) {
		Arena first = f.first.isa->arena, second = f.second.isa->arena;

		compare_twins(&f);
		/* Each Isa has memory and a name of its own. */
		f.first.isa->arena = f.second.isa->arena = (Arena){0};
		f.first.isa->source_name = f.second.isa->source_name = NULL;
		if (f.pieces && f.by_address && !f.wrong)
			mark(&f);
		if (f.pieces && !f.wrong)
			place(&f);
		if (f.pieces && !f.wrong)
			relocate(&f);
		fine = f.wrong ? write_nothing(out) : write_out(&f, out);
		f.first.isa->arena = first;
		f.second.isa->arena = second;
		if (f.wrong)
			diag_report_file(diags, DIAG_WARNING, name, "it works all the same", "it is loaded anew at every start: %s", f.wrong);
		if (!fine)
			diag_report_file(diags, DIAG_ERROR, name, NULL, "out of memory");
	}
	isa_destroy(f.first.isa);
	isa_destroy(f.second.isa);
	free(f.first.found);
	free(f.second.found);
	free(f.pieces);
	free(f.by_address);
	buf_fini(&f.moving);
	buf_fini(&f.still);
	arena_fini(&f.arena);
	return fine;
}
