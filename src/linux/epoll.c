/* SPDX-License-Identifier: MIT
 *
 * Epoll sets.
 *
 *     Epoll   items[]  ----> EpollItem ----> File          an item belongs to a set and to a file, and holds neither:
 *                              ^               | epolls    it goes with whichever goes first
 *                              `---------------'
 *
 * A set asks its files anew each time, as poll does; nothing is remembered of what was ready. Level-triggered items
 * report what holds. Edge-triggered ones do so when something has happened to the file since their last report:
 * FileOps.changes counts that. Reports begin with a different item each time, so that nobody starves.
 *
 * Sets in sets: at most NESTING deep, no circles, and one question looks at no more than WORK items in all.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/array.h"
#include "linux/anon.h"
#include "linux/epoll.h"
#include "linux/poll.h"
#include "linux/save.h"
#include "linux/stream.h"
#include "linux/syscalls.h"

enum {
	NESTING = 4,
	WORK = 20000,
	ITEM_LIMIT = 16384, /* of all sets of a kernel */
	EVENT_SIZE = 16,    /* struct epoll_event as machines without unaligned layouts have it: u32, 4 bytes, u64 */
};

/* Flags among the events. */
#define PRIVATE (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)

typedef struct Epoll {
	File *file;        /* its own */
	EpollItem **items; /* owned */
	u32 count, cap, start;
	WaitQueue changed; /* what the set consists of */
} Epoll;

struct EpollItem {
	Epoll *set;
	u32 index; /* in it */
	File *file;
	EpollItem *next, **link; /* of the file */
	i32 fd;
	u32 events;
	u64 data;
	u64 seen;   /* file's changes at the last report */
	bool fresh; /* no report since it was added or modified */
};

static const FileOps epoll_ops;

static Epoll *set_of(const File *file)
{
	return file && file->ops == &epoll_ops ? file->data : NULL;
}

/* ---- Items ---- */

static void remove_item(EpollItem *item)
{
	Epoll *set = item->set;

	set->items[item->index] = set->items[--set->count];
	set->items[item->index]->index = item->index;
	*item->link = item->next;
	if (item->next)
		item->next->link = item->link;
	set->file->kernel->streams->epoll_items--;
	free(item);
}

void epoll_forget(File *file)
{
	while (file->epolls)
		remove_item(file->epolls);
}

static EpollItem *find_item(const Epoll *set, const File *file, i32 fd)
{
	for (EpollItem *item = file->epolls; item; item = item->next)
		if (item->set == set && item->fd == fd)
			return item;
	return NULL;
}

static i64 add_item(Epoll *set, File *file, i32 fd, EpollItem **out)
{
	Streams *streams = streams_of(file->kernel);
	EpollItem *item;

	if (!streams)
		return -ENOMEM;
	if (streams->epoll_items >= ITEM_LIMIT)
		return -ENOSPC;
	if (!array_grow((void **)&set->items, &set->cap, set->count, sizeof(EpollItem *)))
		return -ENOMEM;
	item = calloc(1, sizeof(*item));
	if (!item)
		return -ENOMEM;
	*item = (EpollItem){ .set = set, .index = set->count, .file = file, .next = file->epolls, .link = &file->epolls,
			     .fd = fd };
	if (item->next)
		item->next->link = &item->next;
	file->epolls = item;
	set->items[set->count++] = item;
	streams->epoll_items++;
	*out = item;
	return 0;
}

static u64 changes_of(const EpollItem *item)
{
	return item->file->ops->changes ? item->file->ops->changes(item->file, item->events) : 0;
}

/* What the item would report now. */
static u32 ready(const EpollItem *item)
{
	u32 events;

	if (!(item->events & ~PRIVATE)) /* off, after EPOLLONESHOT */
		return 0;
	events = file_poll(item->file) & item->events & ~PRIVATE;
	if (events && item->events & EPOLLET && !item->fresh && changes_of(item) == item->seen)
		return 0;
	return events;
}

static void reported(EpollItem *item)
{
	item->seen = changes_of(item);
	item->fresh = false;
	if (item->events & EPOLLONESHOT)
		item->events &= PRIVATE;
}

/* ---- A set as a file: of another set, of poll ---- */

/* Before a set is looked through; one that no other set looks through has all of WORK. */
static void begin_look(Streams *streams)
{
	if (!streams->epoll_depth)
		streams->epoll_work = WORK;
}

/* At the next item; false: enough has been looked at. leave_item follows. */
static bool enter_item(Streams *streams)
{
	if (!streams->epoll_work || streams->epoll_depth > NESTING)
		return false;
	streams->epoll_work--;
	streams->epoll_depth++;
	return true;
}

static void leave_item(Streams *streams)
{
	streams->epoll_depth--;
}

static u32 epoll_poll(File *file)
{
	Epoll *set = set_of(file);
	Streams *streams = streams_of(file->kernel);
	u32 events = 0;

	if (!streams)
		return 0;
	begin_look(streams);
	for (u32 i = 0; i < set->count && !events; i++) {
		if (!enter_item(streams))
			break;
		if (ready(set->items[i]))
			events = POLLIN | POLLRDNORM;
		leave_item(streams);
	}
	return events;
}

static bool epoll_watch(File *file, Task *task, u32 events)
{
	Epoll *set = set_of(file);
	Streams *streams = streams_of(file->kernel);
	bool done = streams && task_watch(task, &set->changed);

	(void)events;
	if (done)
		begin_look(streams);
	for (u32 i = 0; i < set->count && done; i++) {
		const EpollItem *item = set->items[i];

		if (!item->file->ops->watch || !(item->events & ~PRIVATE))
			continue;
		if (!enter_item(streams))
			break;
		done = item->file->ops->watch(item->file, task, item->events);
		leave_item(streams);
	}
	return done;
}

static u64 epoll_changes(File *file, u32 events)
{
	Epoll *set = set_of(file);
	Streams *streams = streams_of(file->kernel);
	u64 sum = set->changed.wakes;

	(void)events;
	if (streams)
		begin_look(streams);
	for (u32 i = 0; streams && i < set->count; i++) {
		if (!enter_item(streams))
			break;
		sum += changes_of(set->items[i]);
		leave_item(streams);
	}
	return sum;
}

static void epoll_describe(File *file, Buf *out)
{
	(void)file;
	buf_str(out, "anon_inode:[eventpoll]");
}

static void epoll_release(File *file)
{
	Epoll *set = file->data;

	while (set->count)
		remove_item(set->items[set->count - 1]);
	wait_fini(&set->changed);
	free(set->items);
	free(set);
}

static const FileOps epoll_ops = {
	.kind = "epoll",
	.poll = epoll_poll,
	.watch = epoll_watch,
	.changes = epoll_changes,
	.stat = anon_stat,
	.describe = epoll_describe,
	.release = epoll_release,
};

/* ---- System calls ---- */

i64 sys_epoll_create1(Task *task, const u64 *a)
{
	Epoll *set;

	if (a[0] & ~(u64)O_CLOEXEC)
		return -EINVAL;
	set = calloc(1, sizeof(*set));
	if (!set)
		return -ENOMEM;
	wait_init(&set->changed);
	set->file = file_create(task->kernel, &epoll_ops, O_RDWR, set);
	if (!set->file) {
		free(set);
		return -ENFILE;
	}
	return fds_install(task, set->file, 0, a[0] & O_CLOEXEC);
}

/* How many sets lie below one another from here on; more than NESTING: too many, or too much to look at. */
static u32 depth_below(const Epoll *set, const Epoll *wanted, u32 levels, u32 *work)
{
	u32 deepest = 0;

	if (set == wanted || levels > NESTING)
		return NESTING + 1; /* a circle */
	for (u32 i = 0; i < set->count && deepest <= NESTING; i++) {
		const Epoll *below = set_of(set->items[i]->file);
		u32 depth;

		if (!below)
			continue;
		if (!*work)
			return NESTING + 1;
		--*work;
		depth = 1 + depth_below(below, wanted, levels + 1, work);
		if (depth > deepest)
			deepest = depth;
	}
	return deepest;
}

static u32 depth_above(const Epoll *set, u32 levels, u32 *work)
{
	u32 highest = 0;

	if (levels > NESTING)
		return NESTING + 1;
	for (const EpollItem *item = set->file->epolls; item && highest <= NESTING; item = item->next) {
		u32 height;

		if (!*work)
			return NESTING + 1;
		--*work;
		height = 1 + depth_above(item->set, levels + 1, work);
		if (height > highest)
			highest = height;
	}
	return highest;
}

static i64 check_nesting(const Epoll *set, const Epoll *below)
{
	u32 work = WORK;

	if (!below)
		return 0;
	return depth_below(below, set, 0, &work) + 1 + depth_above(set, 0, &work) > NESTING ? -ELOOP : 0;
}

i64 sys_epoll_ctl(Task *task, const u64 *a)
{
	i32 fd = (i32)a[2];
	File *file = fds_stream(task, a[2]), *own = fds_stream(task, a[0]);
	Epoll *set = set_of(own);
	u64 event[EVENT_SIZE / 8] = { 0 };
	EpollItem *item;
	u32 events;
	i64 result = 0;

	if (!file || !own)
		return -EBADF;
	if (a[1] != EPOLL_CTL_DEL && !user_read(task, a[3], event, sizeof(event)))
		return -EFAULT;
	if (!file->ops->poll)
		return -EPERM;
	if (!set || file == own)
		return -EINVAL;
	events = (u32)event[0];
	item = find_item(set, file, fd);
	switch (a[1]) {
	case EPOLL_CTL_ADD:
		if (item)
			return -EEXIST;
		result = check_nesting(set, set_of(file));
		if (result == 0)
			result = add_item(set, file, fd, &item);
		break;
	case EPOLL_CTL_MOD:
		if (!item)
			return -ENOENT;
		if (events & EPOLLEXCLUSIVE || item->events & EPOLLEXCLUSIVE)
			return -EINVAL;
		break;
	case EPOLL_CTL_DEL:
		if (!item)
			return -ENOENT;
		remove_item(item);
		return 0;
	default:
		return -EINVAL;
	}
	if (result < 0)
		return result;
	item->events = events | EPOLLERR | EPOLLHUP; /* which come unasked */
	item->data = event[1];
	item->fresh = true;
	wait_wake(&set->changed);
	return 0;
}

/* Reports to `address`. Gives how many, 0 = none yet. */
static i64 report(Task *task, Epoll *set, u64 address, u64 max)
{
	Streams *streams = streams_of(task->kernel);
	u32 count = set->count, start = count ? set->start % count : 0, last = start;
	i64 found = 0;

	if (!streams)
		return -ENOMEM;
	begin_look(streams);
	for (u32 i = 0; i < count && (u64)found < max; i++) {
		EpollItem *item = set->items[(start + i) % count];
		u64 event[EVENT_SIZE / 8];

		if (!enter_item(streams))
			break;
		event[0] = ready(item);
		leave_item(streams);
		if (!event[0])
			continue;
		event[1] = item->data;
		if (!user_write(task, address + (u64)found * EVENT_SIZE, event, sizeof(event))) {
			if (!found)
				found = -EFAULT;
			break;
		}
		reported(item);
		last = (start + i + 1) % count;
		found++;
	}
	set->start = last;
	return found;
}

static i64 wait_for_events(Task *task, const u64 *a)
{
	File *file = fds_stream(task, a[0]);
	Epoll *set = set_of(file);
	i64 result;

	if (!file)
		return -EBADF;
	if (!set || (i32)a[2] <= 0 || (u32)a[2] > INT32_MAX / EVENT_SIZE)
		return -EINVAL;
	result = poll_mask(task, a[4], a[5]);
	if (result == 0)
		result = report(task, set, a[1], (u32)a[2]);
	if (result)
		return result;
	if (!epoll_watch(file, task, POLLIN))
		return -ENOMEM;
	if (poll_is_over(task)) {
		task_unwatch(task);
		return 0;
	}
	task_wait_hour(task, task->call.data[0]);
	return CALL_WAIT;
}

i64 sys_epoll_pwait(Task *task, const u64 *a)
{
	i32 ms = (i32)a[3];

	if (!task->call.again)
		poll_set_deadline(task, ms >= 0, (u64)(ms < 0 ? 0 : ms) * 1000000);
	return wait_for_events(task, a);
}

i64 sys_epoll_pwait2(Task *task, const u64 *a)
{
	i64 result = poll_deadline(task, a[3]);

	return result < 0 ? result : wait_for_events(task, a);
}

/* ---- Snapshots: the sets first, their items when all files are there ---- */

static void epoll_carry(Tape *tape, File *file)
{
	Epoll *set = tape->loading ? calloc(1, sizeof(*set)) : file->data;

	if (!set) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	set->file = file;
	tape_u32(tape, &set->start);
	tape_queue(tape, &set->changed);
	file->data = set;
	if (!tape_ok(tape) && tape->loading)
		free(set);
}

static void carry_item(Tape *tape, Epoll *set, u32 index)
{
	EpollItem *item = tape->loading ? NULL : set->items[index], made = { 0 };
	File *file = tape_ref(tape, TAPE_FILES, item ? item->file : NULL);

	item = item ? item : &made;
	tape_i32(tape, &item->fd);
	tape_u32(tape, &item->events);
	tape_u64(tape, &item->data);
	tape_u64(tape, &item->seen);
	tape_bool(tape, &item->fresh);
	if (!tape->loading || !tape_check(tape, file && file != set->file && file->ops->poll))
		return;
	if (!tape_check(tape, !find_item(set, file, made.fd) && check_nesting(set, set_of(file)) == 0))
		return;
	if (add_item(set, file, made.fd, &item) < 0) {
		tape_fail(tape, STATUS_TOO_BIG, "%s", "more is watched by epoll than is allowed");
		return;
	}
	item->events = made.events;
	item->data = made.data;
	item->seen = made.seen;
	item->fresh = made.fresh;
}

static void epoll_link(Tape *tape, File *file)
{
	Epoll *set = set_of(file);
	u32 count = tape_count(tape, set->count, 29);

	for (u32 i = 0; i < count && tape_ok(tape); i++)
		carry_item(tape, set, i);
}

const FileCodec epoll_codec = { .ops = &epoll_ops, .shares = TAPE_KINDS, .carry = epoll_carry, .link = epoll_link };
