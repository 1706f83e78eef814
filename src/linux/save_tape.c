/* SPDX-License-Identifier: MIT
 *
 * Tapes: numbers, texts, references and queues (save.h).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "linux/save.h"
#include "linux/waiter.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "members are written as they lie");

void tape_init(Tape *tape, Kernel *kernel)
{
	*tape = (Tape){ .kernel = kernel };
}

static void list_fini(TapeList *list)
{
	free(list->items);
	free(list->slots);
}

void tape_fini(Tape *tape)
{
	for (u32 i = 0; i < TAPE_KINDS; i++)
		list_fini(&tape->lists[i]);
	list_fini(&tape->queues);
	free(tape->mounts);
}

bool tape_ok(const Tape *tape)
{
	return tape->status == STATUS_OK;
}

void tape_fail(Tape *tape, Status status, const char *format, ...)
{
	va_list args;

	if (tape->status)
		return;
	tape->status = status;
	va_start(args, format);
	vsnprintf(tape->why, sizeof(tape->why), format, args);
	va_end(args);
}

bool tape_check(Tape *tape, bool holds)
{
	if (tape->loading && !holds)
		tape_fail(tape, STATUS_CORRUPT, "%s", "");
	return tape_ok(tape);
}

/* ---- Plain values ---- */

void tape_bytes(Tape *tape, void *bytes, size_t len)
{
	const u8 *from;

	if (!tape->loading) {
		buf_add(tape->out, bytes, len);
		return;
	}
	from = tape_ok(tape) ? reader_bytes(&tape->in, len) : NULL;
	if (from && len)
		memcpy(bytes, from, len);
	else if (len)
		memset(bytes, 0, len);
	tape_check(tape, !tape->in.bad);
}

void tape_u8(Tape *tape, u8 *value)
{
	tape_bytes(tape, value, sizeof(*value));
}

void tape_u32(Tape *tape, u32 *value)
{
	tape_bytes(tape, value, sizeof(*value));
}

void tape_i32(Tape *tape, i32 *value)
{
	tape_bytes(tape, value, sizeof(*value));
}

void tape_u64(Tape *tape, u64 *value)
{
	tape_bytes(tape, value, sizeof(*value));
}

void tape_bool(Tape *tape, bool *value)
{
	u8 byte = *value;

	tape_u8(tape, &byte);
	tape_check(tape, byte <= 1);
	*value = byte == 1;
}

u32 tape_count(Tape *tape, u32 count, u32 least)
{
	tape_u32(tape, &count);
	return tape_check(tape, (u64)count * least <= tape->in.len - tape->in.at) ? count : 0;
}

void tape_text(Tape *tape, char **text, size_t most)
{
	u32 len = !tape->loading && *text ? (u32)strlen(*text) + 1 : 0; /* 0: NULL */
	const u8 *from;

	len = tape_count(tape, len, 1);
	if (!tape->loading) {
		if (len)
			tape_bytes(tape, *text, len - 1);
		return;
	}
	from = len && tape_check(tape, len - 1 <= most) ? reader_bytes(&tape->in, len - 1) : NULL;
	if (!len || !tape_check(tape, from && !memchr(from, 0, len - 1)))
		return;
	*text = strndup((const char *)from, len - 1);
	if (!*text)
		tape_fail(tape, STATUS_NOMEM, "%s", "");
}

void tape_buf(Tape *tape, Buf *buf, size_t most)
{
	u32 len = tape_count(tape, (u32)buf->len, 1);
	const u8 *from;

	if (!tape->loading) {
		tape_bytes(tape, buf->data, len);
		return;
	}
	from = tape_check(tape, len <= most) ? reader_bytes(&tape->in, len) : NULL;
	if (!tape_ok(tape) || !len)
		return;
	buf_add(buf, from, len);
	if (buf->failed)
		tape_fail(tape, STATUS_NOMEM, "%s", "");
}

void tape_fields(Tape *tape, void *object, const TapeField *fields, u32 count)
{
	u8 *at = object;

	for (u32 i = 0; i < count; i++) {
		if (fields[i].is_bool)
			tape_bool(tape, (bool *)(void *)(at + fields[i].offset));
		else
			tape_bytes(tape, at + fields[i].offset, fields[i].size);
	}
}

/* ---- Objects ---- */

static u32 slot_of(const TapeList *list, const void *object)
{
	u32 at = (u32)((u64)(uintptr_t)object * 0x9E3779B97F4A7C15u >> 32) & (list->slot_count - 1);

	while (list->slots[at] && list->items[list->slots[at] - 1] != object)
		at = (at + 1) & (list->slot_count - 1);
	return at;
}

static bool slots_grow(TapeList *list)
{
	u32 count = list->slot_count ? list->slot_count * 2 : 32;
	u32 *slots;

	if (list->count * 2 < list->slot_count)
		return true;
	slots = calloc(count, sizeof(*slots));
	if (!slots)
		return false;
	free(list->slots);
	list->slots = slots;
	list->slot_count = count;
	for (u32 i = 0; i < list->count; i++)
		slots[slot_of(list, list->items[i])] = i + 1;
	return true;
}

bool tape_add(Tape *tape, TapeKind kind, void *object)
{
	TapeList *list = &tape->lists[kind];
	u32 slot = 0;

	if (!object || (!tape->loading && tape_number(tape, kind, object)))
		return false;
	if ((!tape->loading && !slots_grow(list)) ||
	    !array_grow((void **)&list->items, &list->cap, list->count, sizeof(void *))) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return false;
	}
	if (!tape->loading)
		slot = slot_of(list, object);
	list->items[list->count++] = object;
	if (!tape->loading)
		list->slots[slot] = list->count;
	return true;
}

u32 tape_number(const Tape *tape, TapeKind kind, const void *object)
{
	const TapeList *list = &tape->lists[kind];

	return object && list->slot_count ? list->slots[slot_of(list, object)] : 0;
}

void *tape_ref(Tape *tape, TapeKind kind, const void *object)
{
	TapeList *list = &tape->lists[kind];
	u32 number = tape->loading ? 0 : tape_number(tape, kind, object);

	if (!tape->loading && object && !number) /* a state that we don't know: never a snapshot that is wrong */
		tape_fail(tape, STATUS_UNSUPPORTED, "something refers to an object that is in no list (kind %d)", (int)kind);
	tape_u32(tape, &number);
	if (!tape->loading) /* also when it has failed: nothing that is saved changes */
		return (void *)(uintptr_t)object;
	if (!tape_check(tape, number <= list->count) || !number)
		return NULL;
	return list->items[number - 1];
}

/* ---- Queues ---- */

void tape_queue(Tape *tape, WaitQueue *queue)
{
	TapeList *list = &tape->queues;

	tape_u64(tape, &queue->wakes);
	if (!array_grow((void **)&list->items, &list->cap, list->count, sizeof(void *)))
		tape_fail(tape, STATUS_NOMEM, "%s", "");
	else
		list->items[list->count++] = queue;
}

static void carry_waiters(Tape *tape, WaitQueue *queue)
{
	Kernel *kernel = tape->kernel;
	u32 count = tape_count(tape, waiter_count(queue), 4);
	Waiter *last = NULL;

	if (!tape->loading) {
		for (Waiter *waiter = queue->first; waiter; waiter = waiter->after) {
			Task *task = waiter_task(waiter);

			if (task)
				tape_u32(tape, &task->vcpu);
		}
		return;
	}
	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		u32 vcpu = 0;

		tape_u32(tape, &vcpu);
		if (!tape_check(tape, vcpu < kernel->task_cap && kernel->tasks[vcpu] && kernel->tasks[vcpu]->call.again))
			return;
		if (!task_watch_last(kernel->tasks[vcpu], queue, &last))
			tape_fail(tape, STATUS_NOMEM, "%s", "");
	}
}

/* Only those where somebody waits: number, and who from the first on. */
void carry_queues(Tape *tape)
{
	u32 busy = 0, last = 0;

	if (!tape->loading) {
		for (u32 i = 0; i < tape->queues.count; i++)
			busy += waiter_count(tape->queues.items[i]) != 0;
		tape_u32(tape, &busy);
		for (u32 i = 0; i < tape->queues.count; i++) {
			if (!waiter_count(tape->queues.items[i]))
				continue;
			tape_u32(tape, &i);
			carry_waiters(tape, tape->queues.items[i]);
		}
		return;
	}
	busy = tape_count(tape, 0, 12);
	for (u32 i = 0; i < busy && tape_ok(tape); i++) {
		u32 number = 0;

		tape_u32(tape, &number);
		if (!tape_check(tape, number < tape->queues.count && (!i || number > last)))
			return;
		last = number;
		carry_waiters(tape, tape->queues.items[number]);
	}
}
