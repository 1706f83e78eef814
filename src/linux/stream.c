/* SPDX-License-Identifier: MIT
 *
 * Byte queues, and the state that the streams of a kernel share.
 *
 *     bytes   | 4 5 6 . . . . . 0 1 2 3 |     a power of two; len bytes from `at` on, around the end
 *
 * A queue has no memory until it is used, then a page, then doubles; when it has been emptied it goes back to nothing,
 * so that a thousand idle sockets cost no more than their structs.
 */
#include <stdlib.h>
#include <string.h>

#include "linux/save.h"
#include "linux/stream.h"

Streams *streams_of(Kernel *kernel)
{
	if (!kernel->streams)
		kernel->streams = calloc(1, sizeof(*kernel->streams));
	return kernel->streams;
}

void streams_fini(Kernel *kernel)
{
	if (!kernel->streams)
		return;
	free(kernel->streams->ptys);
	free(kernel->streams);
	kernel->streams = NULL;
}

void queue_init(ByteQueue *queue, u32 limit)
{
	*queue = (ByteQueue){ .limit = limit };
}

static u32 beyond_page(u32 cap)
{
	return cap > STREAM_PAGE ? cap - STREAM_PAGE : 0;
}

bool queue_fit(Kernel *kernel, ByteQueue *queue, u32 cap)
{
	Streams *streams = streams_of(kernel);
	u8 *bytes = NULL;

	if (!streams)
		return false;
	if (cap) {
		bytes = malloc(cap);
		if (!bytes)
			return false;
		queue_peek(queue, 0, bytes, queue->len);
	}
	streams->held += beyond_page(cap);
	streams->held -= beyond_page(queue->cap);
	free(queue->bytes);
	queue->bytes = bytes;
	queue->cap = cap;
	queue->at = 0;
	return true;
}

void queue_fini(Kernel *kernel, ByteQueue *queue)
{
	if (queue->bytes && kernel->streams)
		kernel->streams->held -= beyond_page(queue->cap);
	free(queue->bytes);
	*queue = (ByteQueue){ .limit = queue->limit };
}

/* How large it may be now. */
static u32 allowed(Kernel *kernel, const ByteQueue *queue)
{
	u64 held = kernel->streams ? kernel->streams->held : 0;

	if (queue->limit <= queue->cap || held + queue->limit <= STREAM_MEMORY)
		return queue->limit;
	return queue->cap > STREAM_PAGE ? queue->cap : STREAM_PAGE;
}

u32 queue_room(Kernel *kernel, const ByteQueue *queue)
{
	u32 cap = allowed(kernel, queue);

	return cap > queue->len ? cap - queue->len : 0;
}

u32 queue_add(Kernel *kernel, ByteQueue *queue, const u8 *from, u64 len)
{
	u32 room = queue_room(kernel, queue), want = len < room ? (u32)len : room, at, first;

	if (queue->len + want > queue->cap) {
		u32 cap = queue->cap ? queue->cap : STREAM_PAGE;

		while (cap < queue->len + want)
			cap *= 2;
		if (!queue_fit(kernel, queue, cap))
			want = queue->cap - queue->len;
	}
	if (!want)
		return 0;
	at = (queue->at + queue->len) & (queue->cap - 1);
	first = queue->cap - at < want ? queue->cap - at : want;
	memcpy(queue->bytes + at, from, first);
	memcpy(queue->bytes, from + first, want - first);
	queue->len += want;
	return want;
}

u32 queue_peek(const ByteQueue *queue, u32 skip, u8 *to, u64 len)
{
	u32 want, at, first;

	if (skip >= queue->len)
		return 0;
	want = len < queue->len - skip ? (u32)len : queue->len - skip;
	at = (queue->at + skip) & (queue->cap - 1);
	first = queue->cap - at < want ? queue->cap - at : want;
	memcpy(to, queue->bytes + at, first);
	memcpy(to + first, queue->bytes, want - first);
	return want;
}

void queue_drop(Kernel *kernel, ByteQueue *queue, u32 len)
{
	if (!len)
		return;
	queue->len -= len;
	queue->at = (queue->at + len) & (queue->cap - 1);
	if (!queue->len && queue->cap > STREAM_PAGE)
		queue_fit(kernel, queue, 0);
}

u32 queue_take(Kernel *kernel, ByteQueue *queue, u8 *to, u64 len)
{
	u32 got = queue_peek(queue, 0, to, len);

	queue_drop(kernel, queue, got);
	return got;
}

static bool is_power(u32 value)
{
	return value && !(value & (value - 1));
}

void carry_queue(Tape *tape, ByteQueue *queue, u32 most)
{
	u32 cap = queue->cap, len = queue->len, limit = queue->limit;
	const u8 *from;

	tape_u32(tape, &limit);
	tape_u32(tape, &cap);
	len = tape_count(tape, len, 1);
	if (!tape->loading) {
		u8 *room = len && buf_reserve(tape->out, len) ? tape->out->data + tape->out->len : NULL;

		if (room) {
			queue_peek(queue, 0, room, len);
			tape->out->len += len;
			room[len] = 0;
		}
		return;
	}
	if (!tape_check(tape, is_power(limit) && limit >= STREAM_PAGE && limit <= most && len <= cap && cap <= limit &&
				      (!cap || (is_power(cap) && cap >= STREAM_PAGE))))
		return;
	from = reader_bytes(&tape->in, len);
	queue->limit = limit;
	if (cap && !queue_fit(tape->kernel, queue, cap)) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	if (len)
		memcpy(queue->bytes, from, len);
	queue->len = len;
}
