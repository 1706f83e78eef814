/* SPDX-License-Identifier: MIT
 *
 * Futexes: waiting until somebody says that a word of memory has changed.
 *
 * Who waits stands in a hash table under a key, in the order of arrival:
 *
 *     private   address space + address
 *     shared    the number that the place has for all who map it (mm_shared_key)
 *
 * All tasks run on one host thread, so what is read and written here is atomic by itself.
 *
 * PI futexes hand the word over to the first waiter; priorities are not inherited, as there are none.
 */
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>

#include "linux/mm.h"
#include "linux/process.h"
#include "linux/save.h"
#include "linux/signal.h"
#include "linux/syscalls.h"

enum { BUCKETS = 256, ROBUST_LIMIT = 2048, LOCK_PI2 = 13 };

typedef struct FutexKey {
	const Mm *mm; /* NULL: shared */
	u64 place;
} FutexKey;

typedef struct FutexWait FutexWait;
struct FutexWait {
	FutexWait *next;
	Task *task;
	FutexKey key;
	u32 bits, rank;
	bool queued, pi;
};

struct FutexTable {
	FutexWait *buckets[BUCKETS];
};

static FutexWait **bucket_of(Kernel *kernel, FutexKey key)
{
	u64 hash = (key.place >> 2 ^ (u64)(uintptr_t)key.mm >> 4) * 0x9E3779B97F4A7C15u;

	return &kernel->futexes->buckets[hash >> 56];
}

static bool same_key(FutexKey a, FutexKey b)
{
	return a.mm == b.mm && a.place == b.place;
}

static FutexKey key_of(Task *task, u64 address, bool is_private)
{
	Mm *mm = task->process->mm;
	u64 shared = is_private ? 0 : mm_shared_key(mm, address);

	return shared ? (FutexKey){ NULL, shared } : (FutexKey){ mm, address };
}

static bool table_exists(Kernel *kernel)
{
	if (!kernel->futexes)
		kernel->futexes = calloc(1, sizeof(*kernel->futexes));
	return kernel->futexes != NULL;
}

static void enqueue(Kernel *kernel, FutexWait *wait)
{
	FutexWait **link = bucket_of(kernel, wait->key);

	while (*link)
		link = &(*link)->next;
	wait->next = NULL;
	wait->queued = true;
	*link = wait;
}

static void dequeue(Kernel *kernel, FutexWait *wait)
{
	FutexWait **link = bucket_of(kernel, wait->key);

	while (*link != wait)
		link = &(*link)->next;
	*link = wait->next;
	wait->queued = false;
}

void futex_cancel(Task *task)
{
	if (task->futex && task->futex->queued)
		dequeue(task->kernel, task->futex);
	free(task->futex);
	task->futex = NULL;
}

void futexes_destroy(Kernel *kernel)
{
	free(kernel->futexes);
	kernel->futexes = NULL;
}

/* The first one who waits there; NULL: nobody. */
static FutexWait *first_waiter(Kernel *kernel, FutexKey key)
{
	FutexWait *wait = kernel->futexes ? *bucket_of(kernel, key) : NULL;

	while (wait && !same_key(wait->key, key))
		wait = wait->next;
	return wait;
}

static i64 wake(Kernel *kernel, FutexKey key, u32 count, u32 bits)
{
	FutexWait *wait, *next;
	u32 woken = 0;

	for (wait = first_waiter(kernel, key); wait && woken < count; wait = next) {
		next = wait->next;
		if (!same_key(wait->key, key) || !(wait->bits & bits) || wait->pi)
			continue;
		dequeue(kernel, wait);
		task_wake(wait->task);
		woken++;
	}
	return woken;
}

/* Linux wakes one before it counts. */
static u32 at_least_one(u64 count)
{
	return (i32)count > 0 ? (u32)count : 1;
}

/* ---- Waiting ---- */

/* 0: no timeout, and the call's deadline is ~0. */
static i64 read_timeout(Task *task, u64 address, bool absolute, bool real)
{
	u64 ns, now = kernel_now(task->kernel);

	task->call.data[0] = ~(u64)0;
	if (!address)
		return 0;
	if (!user_timespec(task, address, &ns))
		return -EFAULT;
	if (ns == ~(u64)0)
		return -EINVAL;
	if (absolute && real)
		ns = ns > task->kernel->real_time ? ns - task->kernel->real_time : 0;
	task->call.data[0] = absolute ? ns : now + ns;
	task->call.restart = CALL_INTERRUPT; /* only a wait without end is restarted behind a handler */
	return 0;
}

static i64 begin_wait(Task *task, FutexKey key, u32 bits, bool pi)
{
	if (!table_exists(task->kernel))
		return -ENOMEM;
	task->futex = calloc(1, sizeof(*task->futex));
	if (!task->futex)
		return -ENOMEM;
	*task->futex = (FutexWait){ .task = task, .key = key, .bits = bits, .pi = pi };
	enqueue(task->kernel, task->futex);
	return 0;
}

/* Woken, too late, or neither. */
static i64 go_on_waiting(Task *task)
{
	u64 deadline = task->call.data[0];

	if (!task->futex->queued) {
		futex_cancel(task);
		return 0;
	}
	if (deadline != ~(u64)0 && kernel_now(task->kernel) >= deadline) {
		futex_cancel(task);
		return -ETIMEDOUT;
	}
	task_wait_hour(task, deadline);
	return CALL_WAIT;
}

static i64 wait_on(Task *task, const u64 *a, bool is_private, u32 bits, bool absolute, bool real)
{
	u32 word;
	i64 error;

	if (task->call.again && task->futex)
		return go_on_waiting(task);
	if (!bits)
		return -EINVAL;
	if (!task->call.again) {
		error = read_timeout(task, a[3], absolute, real);
		if (error)
			return error;
	}
	if (!user_read(task, a[0], &word, sizeof(word)))
		return -EFAULT;
	if (word != (u32)a[2])
		return -EAGAIN;
	error = begin_wait(task, key_of(task, a[0], is_private), bits, false);
	return error ? error : go_on_waiting(task);
}

/* ---- Requeue, wake with an operation ---- */

static i64 requeue(Task *task, const u64 *a, bool is_private, bool compare)
{
	Kernel *kernel = task->kernel;
	FutexKey from = key_of(task, a[0], is_private), to = key_of(task, a[4], is_private);
	FutexWait *wait, *next;
	u32 word, moved = 0;
	i64 woken;

	if (a[4] & 3)
		return -EINVAL;
	if ((i32)a[2] < 0 || (i32)a[3] < 0)
		return -EINVAL;
	if (compare) {
		if (!user_read(task, a[0], &word, sizeof(word)))
			return -EFAULT;
		if (word != (u32)a[5])
			return -EAGAIN;
	}
	woken = wake(kernel, from, (u32)a[2], ~0u);
	if (same_key(from, to))
		return woken;
	for (wait = first_waiter(kernel, from); wait && moved < (u32)a[3]; wait = next) {
		next = wait->next;
		if (!same_key(wait->key, from) || wait->pi)
			continue;
		dequeue(kernel, wait);
		wait->key = to;
		enqueue(kernel, wait);
		moved++;
	}
	return woken + moved;
}

static i32 sign12(u32 value)
{
	return (i32)(value << 20) >> 20;
}

static i64 wake_op(Task *task, const u64 *a, bool is_private)
{
	u32 code = (u32)a[5], operation = code >> 28 & 7, compare = code >> 24 & 15, old, new;
	i32 argument = sign12(code >> 12 & 0xFFF), against = sign12(code & 0xFFF);
	bool holds;
	i64 woken;

	if (a[4] & 3)
		return -EINVAL;
	if (code >> 28 & 8)
		argument = (i32)(1u << (argument & 31));
	if (!user_read(task, a[4], &old, sizeof(old)))
		return -EFAULT;
	switch (operation) {
	case FUTEX_OP_SET: new = (u32)argument; break;
	case FUTEX_OP_ADD: new = old + (u32)argument; break;
	case FUTEX_OP_OR: new = old | (u32)argument; break;
	case FUTEX_OP_ANDN: new = old & ~(u32)argument; break;
	case FUTEX_OP_XOR: new = old ^ (u32)argument; break;
	default: return -ENOSYS;
	}
	switch (compare) {
	case FUTEX_OP_CMP_EQ: holds = (i32)old == against; break;
	case FUTEX_OP_CMP_NE: holds = (i32)old != against; break;
	case FUTEX_OP_CMP_LT: holds = (i32)old < against; break;
	case FUTEX_OP_CMP_LE: holds = (i32)old <= against; break;
	case FUTEX_OP_CMP_GT: holds = (i32)old > against; break;
	case FUTEX_OP_CMP_GE: holds = (i32)old >= against; break;
	default: return -ENOSYS;
	}
	if (!user_put_u32(task, a[4], new))
		return -EFAULT;
	woken = wake(task->kernel, key_of(task, a[0], is_private), at_least_one(a[2]), ~0u);
	if (holds)
		woken += wake(task->kernel, key_of(task, a[4], is_private), at_least_one(a[3]), ~0u);
	return woken;
}

/* ---- PI ---- */

static i64 lock_pi(Task *task, const u64 *a, bool is_private, bool real, bool try)
{
	FutexKey key = key_of(task, a[0], is_private);
	u32 word;
	i64 result;

	if (task->call.again && task->futex) {
		result = go_on_waiting(task);
		return result; /* woken: unlock_pi has made it the owner */
	}
	if (!user_read(task, a[0], &word, sizeof(word)))
		return -EFAULT;
	if (!(word & FUTEX_TID_MASK)) {
		word = (u32)task->tid | (word & FUTEX_OWNER_DIED) | (first_waiter(task->kernel, key) ? FUTEX_WAITERS : 0);
		return user_put_u32(task, a[0], word) ? 0 : -EFAULT;
	}
	if ((word & FUTEX_TID_MASK) == (u32)task->tid)
		return -EDEADLK;
	if (try)
		return -EAGAIN;
	if (!task_find(task->kernel, (i32)(word & FUTEX_TID_MASK)))
		return -ESRCH;
	if (!task->call.again) {
		result = read_timeout(task, a[3], true, real);
		if (result)
			return result;
	}
	task->call.restart = CALL_RESTART;
	if (!user_put_u32(task, a[0], word | FUTEX_WAITERS))
		return -EFAULT;
	result = begin_wait(task, key, ~0u, true);
	return result ? result : go_on_waiting(task);
}

/* The word goes to the first waiter, or is free. */
static bool hand_over(Task *task, u64 address, FutexKey key, u32 also)
{
	FutexWait *wait = first_waiter(task->kernel, key);
	u32 word = also;

	while (wait && (!wait->pi || !same_key(wait->key, key)))
		wait = wait->next;
	if (wait) {
		dequeue(task->kernel, wait);
		task_wake(wait->task);
		word |= (u32)wait->task->tid | (first_waiter(task->kernel, key) ? FUTEX_WAITERS : 0);
	}
	return user_put_u32(task, address, word);
}

static i64 unlock_pi(Task *task, const u64 *a, bool is_private)
{
	u32 word;

	if (!user_read(task, a[0], &word, sizeof(word)))
		return -EFAULT;
	if ((word & FUTEX_TID_MASK) != (u32)task->tid)
		return -EPERM;
	return hand_over(task, a[0], key_of(task, a[0], is_private), 0) ? 0 : -EFAULT;
}

/* ---- The call ---- */

i64 sys_futex(Task *task, const u64 *a)
{
	u32 operation = (u32)a[1] & FUTEX_CMD_MASK;
	bool is_private = a[1] & FUTEX_PRIVATE_FLAG, real = a[1] & FUTEX_CLOCK_REALTIME;

	if (a[0] & 3)
		return -EINVAL;
	if (real && operation != FUTEX_WAIT && operation != FUTEX_WAIT_BITSET && operation != LOCK_PI2)
		return -ENOSYS;
	switch (operation) {
	case FUTEX_WAIT: return wait_on(task, a, is_private, ~0u, false, real);
	case FUTEX_WAIT_BITSET: return wait_on(task, a, is_private, (u32)a[5], true, real);
	case FUTEX_WAKE: return wake(task->kernel, key_of(task, a[0], is_private), at_least_one(a[2]), ~0u);
	case FUTEX_WAKE_BITSET:
		return (u32)a[5] ? wake(task->kernel, key_of(task, a[0], is_private), at_least_one(a[2]), (u32)a[5]) : -EINVAL;
	case FUTEX_REQUEUE: return requeue(task, a, is_private, false);
	case FUTEX_CMP_REQUEUE: return requeue(task, a, is_private, true);
	case FUTEX_WAKE_OP: return wake_op(task, a, is_private);
	case FUTEX_LOCK_PI: return lock_pi(task, a, is_private, true, false);
	case LOCK_PI2: return lock_pi(task, a, is_private, real, false);
	case FUTEX_TRYLOCK_PI: return lock_pi(task, a, is_private, true, true);
	case FUTEX_UNLOCK_PI: return unlock_pi(task, a, is_private);
	default: return -ENOSYS;
	}
}

/* ---- Robust lists, the end of a thread ---- */

i64 sys_set_robust_list(Task *task, const u64 *a)
{
	if (a[1] != 24)
		return -EINVAL;
	task->robust_list = a[0];
	task->robust_len = a[1];
	return 0;
}

i64 sys_get_robust_list(Task *task, const u64 *a)
{
	Task *of = (i32)a[0] ? task_find(task->kernel, (i32)a[0]) : task;

	if (!of)
		return -ESRCH;
	if (of->process != task->process && task->process->user != 0 && task->process->user != of->process->real_user)
		return -EPERM;
	return user_put_u64(task, a[1], of->robust_list) && user_put_u64(task, a[2], 24) ? 0 : -EFAULT;
}

/* A lock of a thread that ends: whoever gets it next is told that its owner died. */
static void release_robust(Task *task, u64 address, bool pi, bool pending)
{
	FutexKey key = key_of(task, address, false), private_key = key_of(task, address, true);
	u32 word;

	if ((address & 3) || !user_read(task, address, &word, sizeof(word)))
		return;
	if (pending && !pi && !word) { /* it was unlocked, but nobody was woken yet */
		wake(task->kernel, key, 1, ~0u);
		return;
	}
	if ((word & FUTEX_TID_MASK) != (u32)task->tid)
		return;
	if (pi) {
		hand_over(task, address, first_waiter(task->kernel, key) ? key : private_key, FUTEX_OWNER_DIED);
		return;
	}
	user_put_u32(task, address, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
	if (word & FUTEX_WAITERS)
		if (!wake(task->kernel, key, 1, ~0u))
			wake(task->kernel, private_key, 1, ~0u);
}

static void walk_robust_list(Task *task)
{
	u64 head[3], entry; /* next, offset, pending */
	u64 pending;

	if (!user_read(task, task->robust_list, head, sizeof(head)))
		return;
	pending = head[2];
	entry = head[0];
	for (u32 i = 0; i < ROBUST_LIMIT && (entry & ~(u64)1) != task->robust_list; i++) {
		u64 next;
		bool readable = user_read(task, entry & ~(u64)1, &next, sizeof(next));

		if ((entry & ~(u64)1) != (pending & ~(u64)1))
			release_robust(task, (entry & ~(u64)1) + head[1], entry & 1, false);
		if (!readable)
			break;
		entry = next;
	}
	if (pending & ~(u64)1)
		release_robust(task, (pending & ~(u64)1) + head[1], pending & 1, true);
}

void futex_exit(Task *task)
{
	if (task->robust_list)
		walk_robust_list(task);
	task->robust_list = 0;
	if (task->clear_tid) {
		u64 address = task->clear_tid;
		FutexKey key = key_of(task, address, false);

		task->clear_tid = 0;
		if (!(address & 3) && user_put_u32(task, address, 0) && !wake(task->kernel, key, 1, ~0u))
			wake(task->kernel, key_of(task, address, true), 1, ~0u);
	}
}

/* ---- Snapshots ----
 * In which bucket somebody waits depends on addresses of the host. So it is said of each who waits how many stand before
 * it in all. */

/* The first of equal keys come first; among others the order means nothing. */
static int by_rank(const void *a, const void *b)
{
	const FutexWait *x = *(FutexWait *const *)a, *y = *(FutexWait *const *)b;

	return (x->rank > y->rank) - (x->rank < y->rank);
}

/* How many with the same key stand before each. */
static void count_ranks(Kernel *kernel)
{
	for (u32 i = 0; kernel->futexes && i < BUCKETS; i++)
		for (FutexWait *wait = kernel->futexes->buckets[i]; wait; wait = wait->next) {
			wait->rank = 0;
			for (const FutexWait *other = kernel->futexes->buckets[i]; other != wait; other = other->next)
				wait->rank += same_key(other->key, wait->key);
		}
}

static void carry_wait(Tape *tape, Task *task)
{
	FutexWait made = { .task = task }, *wait = task->futex ? task->futex : &made;
	Mm *mm = tape_ref(tape, TAPE_MEMORIES, wait->key.mm);

	tape_u64(tape, &wait->key.place);
	tape_u32(tape, &wait->bits);
	tape_u32(tape, &wait->rank);
	tape_bool(tape, &wait->queued);
	tape_bool(tape, &wait->pi);
	if (!tape->loading || !tape_check(tape, task->call.again && !task->futex))
		return;
	task->futex = malloc(sizeof(*task->futex));
	if (!task->futex) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	*task->futex = made;
	task->futex->key.mm = mm;
}

/* Loading: all who wait into their buckets, in their order. */
static void enqueue_all(Tape *tape)
{
	Kernel *kernel = tape->kernel;
	FutexWait **list = calloc(kernel->task_cap + 1, sizeof(*list));
	u32 count = 0;

	if (!list || !table_exists(kernel)) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		free(list);
		list = NULL;
	}
	for (u32 i = 0; i < kernel->task_cap; i++) {
		FutexWait *wait = kernel->tasks[i] ? kernel->tasks[i]->futex : NULL;

		if (!wait)
			continue;
		if (list && wait->queued)
			list[count++] = wait;
		wait->queued = false;
	}
	if (count)
		qsort(list, count, sizeof(*list), by_rank);
	for (u32 i = 0; i < count; i++)
		enqueue(kernel, list[i]);
	free(list);
}

void carry_futexes(Tape *tape)
{
	Kernel *kernel = tape->kernel;
	u32 count = 0;

	if (!tape->loading)
		count_ranks(kernel);
	for (u32 i = 0; i < kernel->task_cap; i++)
		count += kernel->tasks[i] && kernel->tasks[i]->futex;
	count = tape_count(tape, count, 26);
	for (u32 i = 0, vcpu = 0; i < count && tape_ok(tape); i++, vcpu++) {
		while (!tape->loading && !(kernel->tasks[vcpu] && kernel->tasks[vcpu]->futex))
			vcpu++;
		tape_u32(tape, &vcpu);
		if (!tape_check(tape, vcpu < kernel->task_cap && kernel->tasks[vcpu]))
			break;
		carry_wait(tape, kernel->tasks[vcpu]);
	}
	if (tape->loading && count)
		enqueue_all(tape);
}
