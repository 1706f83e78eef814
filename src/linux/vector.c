/* SPDX-License-Identifier: MIT
 *
 * The memory a call names (a buffer, an iovec) as runs of host bytes.
 *
 * Most buffers lie in one run of present pages, and then a file is read straight into them. What lies in pieces goes
 * through a copy of at most `limit` bytes, so that a pipe sees one write and not a hundred.
 */
#include <stdlib.h>
#include <string.h>

#include "linux/mm.h"
#include "linux/stream.h"

#define TOTAL_MAX ((u64)0x7FFFF000) /* MAX_RW_COUNT */

void vector_one(Vector *vector, u64 base, u64 len)
{
	if (len > TOTAL_MAX)
		len = TOTAL_MAX;
	vector->one = (Piece){ base, len };
	vector->pieces = &vector->one;
	vector->count = 1;
	vector->total = len;
}

i64 vector_read(Task *task, Vector *vector, u64 address, u64 count)
{
	u64 total = 0;

	*vector = (Vector){ 0 };
	if (count > IOV_LIMIT)
		return -EINVAL;
	if (!count)
		return 0;
	vector->pieces = count == 1 ? &vector->one : malloc(count * sizeof(Piece));
	if (!vector->pieces)
		return -ENOMEM;
	vector->count = (u32)count;
	/* A Piece is laid out as a struct iovec of 64-bit machines. */
	if (!user_read(task, address, vector->pieces, count * sizeof(Piece))) {
		vector_fini(vector);
		return -EFAULT;
	}
	for (u32 i = 0; i < count; i++) {
		Piece *piece = &vector->pieces[i];

		if ((i64)piece->len < 0) {
			vector_fini(vector);
			return -EINVAL;
		}
		if (piece->len > TOTAL_MAX - total)
			piece->len = TOTAL_MAX - total;
		total += piece->len;
	}
	vector->total = total;
	return 0;
}

void vector_fini(Vector *vector)
{
	if (vector->pieces != &vector->one)
		free(vector->pieces);
	*vector = (Vector){ 0 };
}

/* Walks the vector from byte `from` on, run by run. */
typedef struct Walk {
	const Vector *vector;
	u32 piece;
	u64 within;
} Walk;

static void walk_start(Walk *walk, const Vector *vector, u64 from)
{
	*walk = (Walk){ vector, 0, from };
	while (walk->piece < vector->count && walk->within >= vector->pieces[walk->piece].len)
		walk->within -= vector->pieces[walk->piece++].len;
}

/* The next run of at most `limit` bytes; NULL: the end, or a bad address. */
static u8 *walk_run(Task *task, Walk *walk, u64 limit, u8 access, u64 *got)
{
	const Piece *piece;
	u64 len;
	u8 *bytes;

	while (walk->piece < walk->vector->count && walk->within == walk->vector->pieces[walk->piece].len) {
		walk->piece++;
		walk->within = 0;
	}
	*got = 0;
	if (walk->piece == walk->vector->count || !limit)
		return NULL;
	piece = &walk->vector->pieces[walk->piece];
	len = piece->len - walk->within;
	bytes = machine_span(task->kernel->machine, mm_aspace(task->process->mm), piece->base + walk->within,
			     len < limit ? len : limit, access, got);
	walk->within += *got;
	return *got ? bytes : NULL;
}

i64 window_open(Task *task, const Vector *vector, u64 from, u64 limit, u8 access, Window *window)
{
	u64 want = vector->total - from, got, len = 0;
	Walk walk;
	u8 *bytes;

	*window = (Window){ 0 };
	if (want > limit)
		want = limit;
	if (!want) {
		window->bytes = (u8 *)&window->len; /* some place */
		return 0;
	}
	walk_start(&walk, vector, from);
	bytes = walk_run(task, &walk, want, access, &got);
	if (!bytes)
		return -EFAULT;
	if (got == want) {
		window->bytes = bytes;
		window->len = want;
		return 0;
	}
	window->copy = malloc(want);
	if (!window->copy)
		return -ENOMEM;
	do {
		if (access == ATTR_READ)
			memcpy(window->copy + len, bytes, got);
		len += got;
		bytes = walk_run(task, &walk, want - len, access, &got);
	} while (bytes);
	window->bytes = window->copy;
	window->len = len;
	return 0;
}

void window_close(Task *task, const Vector *vector, u64 from, Window *window, u64 written)
{
	if (window->copy && written) {
		u64 got, len = 0;
		Walk walk;
		u8 *bytes;

		walk_start(&walk, vector, from);
		while (len < written && (bytes = walk_run(task, &walk, written - len, ATTR_WRITE, &got))) {
			memcpy(bytes, window->copy + len, got);
			len += got;
		}
	}
	free(window->copy);
	*window = (Window){ 0 };
}
