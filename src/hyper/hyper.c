/* SPDX-License-Identifier: MIT
 *
 * The hypervisor itself: its workers, and hyper_run.
 *
 *     worker:  [ hours that have come ] -> take the first of the queue -> slice (without the lock) -> what comes of it
 *              nothing there: sleep until somebody becomes ready, or the next hour
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "hyper/hyper_private.h"
#include "machine/vcpus.h"

static u64 host_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (u64)time.tv_sec * 1000000000 + (u64)time.tv_nsec;
}

u64 hyper_now(const Hyper *hyper)
{
	if (hyper_is_deterministic(hyper))
		return hyper->insns * hyper->config.instruction_ns + hyper->skipped;
	return host_now() - hyper->started;
}

/* ---- Workers ---- */

static void leave_worker(Instance *instance)
{
	Hyper *hyper = instance->hyper;

	instance->on_worker = false;
	hyper->running--;
	instance->output_bytes = instance->written;
	instance->files = instance->files_held;
	ready_count(instance);
	if (!instance->holds)
		instance_settle(instance);
	if (instance->holds)
		pthread_cond_broadcast(&hyper->changed);
	if (!instance->refs) {
		instance_destroy_locked(instance);
		pthread_mutex_lock(&hyper->lock);
	}
}

/* Tells about those who have ended, without the lock meanwhile. */
static void tell(Hyper *hyper)
{
	Instance *instance;

	while ((instance = hyper->untold)) {
		hyper->untold = instance->next_untold;
		instance->untold = false;
		pthread_mutex_unlock(&hyper->lock);
		hyper->config.changed(hyper->config.ctx, instance);
		instance_unref(instance);
		pthread_mutex_lock(&hyper->lock);
	}
}

/* With the lock, which is given up meanwhile. */
static void run_slice(Instance *instance)
{
	Hyper *hyper = instance->hyper;
	SliceOutcome outcome;

	pthread_mutex_unlock(&hyper->lock);
	slice_run(instance, &outcome);
	pthread_mutex_lock(&hyper->lock);
	slice_done(instance, &outcome);
	leave_worker(instance);
}

void hyper_leave(Hyper *hyper, MachineLeft *left)
{
	if (!left)
		return;
	pthread_mutex_lock(&hyper->lock);
	if (!hyper->closing && hyper->left_count < HYPER_LEFT_MOST) {
		hyper->left[hyper->left_count++] = left;
		left = NULL;
		pthread_cond_signal(&hyper->work);
	}
	pthread_mutex_unlock(&hyper->lock);
	machine_left_destroy(left);
}

/* With the lock, which is given up meanwhile. */
static void give_back(Hyper *hyper)
{
	MachineLeft *left = hyper->left[--hyper->left_count];

	pthread_mutex_unlock(&hyper->lock);
	machine_left_destroy(left);
	pthread_mutex_lock(&hyper->lock);
}

static void sleep_until(Hyper *hyper, u64 hour)
{
	struct timespec at;

	hyper->idle++;
	if (hour == NEVER) {
		pthread_cond_wait(&hyper->work, &hyper->lock);
	} else {
		hour += hyper->started;
		at = (struct timespec){.tv_sec = (time_t)(hour / 1000000000), .tv_nsec = (long)(hour % 1000000000)};
		pthread_cond_timedwait(&hyper->work, &hyper->lock, &at);
	}
	hyper->idle--;
}

static void *worker(void *arg)
{
	Hyper *hyper = arg;

	pthread_mutex_lock(&hyper->lock);
	while (!hyper->closing) {
		u64 now = hyper_now(hyper);
		Instance *instance;

		ready_pass_time(hyper, now);
		tell(hyper);
		instance = ready_take(hyper, now);
		if (instance)
			run_slice(instance);
		else if (hyper->left_count)
			give_back(hyper);
		else if (!hyper->closing) /* it may have come while somebody was told */
			sleep_until(hyper, heap_first(&hyper->hours) ? heap_first(&hyper->hours)->key : NEVER);
	}
	pthread_mutex_unlock(&hyper->lock);
	return NULL;
}

/* ---- Deterministic ---- */

/* Nobody is ready: time goes to the next hour. False: there is none. */
static bool skip_time(Hyper *hyper)
{
	const HeapItem *first = heap_first(&hyper->hours);
	u64 now = hyper_now(hyper);

	if (!first)
		return false;
	if (first->key > now)
		hyper->skipped += first->key - now;
	return true;
}

static bool run_here(Hyper *hyper, u64 ns)
{
	u64 start = host_now();
	bool over = false;

	pthread_mutex_lock(&hyper->lock);
	hyper->interrupted = false;
	while (!hyper->interrupted && !over) {
		u64 now = hyper_now(hyper);
		Instance *instance;

		ready_pass_time(hyper, now);
		tell(hyper);
		instance = ready_take(hyper, now);
		if (instance)
			run_slice(instance);
		else if (hyper->left_count)
			give_back(hyper);
		else if (!outside_look(hyper, 0) && !skip_time(hyper) && !outside_look(hyper, 100000000))
			break;
		over = ns != NEVER && host_now() - start >= ns;
	}
	tell(hyper);
	over = hyper->live != 0;
	pthread_mutex_unlock(&hyper->lock);
	return !over;
}

bool hyper_run(Hyper *hyper, u64 ns)
{
	u64 until;
	bool done;

	if (hyper_is_deterministic(hyper))
		return run_here(hyper, ns);
	pthread_mutex_lock(&hyper->lock);
	hyper->interrupted = false;
	until = ns < NEVER - hyper_now(hyper) ? hyper_now(hyper) + ns : NEVER;
	while (hyper->live && !hyper->interrupted) {
		struct timespec at;
		u64 hour = until + hyper->started;

		if (until == NEVER) {
			pthread_cond_wait(&hyper->changed, &hyper->lock);
			continue;
		}
		at = (struct timespec){.tv_sec = (time_t)(hour / 1000000000), .tv_nsec = (long)(hour % 1000000000)};
		if (pthread_cond_timedwait(&hyper->changed, &hyper->lock, &at) == ETIMEDOUT)
			break;
	}
	done = !hyper->live;
	pthread_mutex_unlock(&hyper->lock);
	return done;
}

void hyper_interrupt(Hyper *hyper)
{
	pthread_mutex_lock(&hyper->lock);
	hyper->interrupted = true;
	pthread_cond_broadcast(&hyper->changed);
	pthread_mutex_unlock(&hyper->lock);
}

bool hyper_wait_changed(Hyper *hyper, u64 until)
{
	struct timespec at;

	if (until == NEVER)
		return pthread_cond_wait(&hyper->changed, &hyper->lock) == 0;
	until += hyper->started;
	at = (struct timespec){.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000)};
	return pthread_cond_timedwait(&hyper->changed, &hyper->lock, &at) == 0;
}

/* ---- Life ---- */

static bool init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attr;
	bool done;

	if (pthread_condattr_init(&attr))
		return false;
	done = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_cond_init(condition, &attr) == 0;
	pthread_condattr_destroy(&attr);
	return done;
}

static void free_hyper(Hyper *hyper)
{
	pthread_mutex_destroy(&hyper->lock);
	pthread_cond_destroy(&hyper->work);
	pthread_cond_destroy(&hyper->changed);
	heap_fini(&hyper->queue);
	heap_fini(&hyper->hours);
	budget_unref(hyper->root);
	free(hyper->threads);
	free(hyper->all);
	free(hyper->by_number);
	free(hyper->by_name);
	free(hyper);
}

void hyper_unref_locked(Hyper *hyper)
{
	bool last = --hyper->refs == 0;

	pthread_mutex_unlock(&hyper->lock);
	if (last)
		free_hyper(hyper);
}

static void end_threads(Hyper *hyper)
{
	pthread_mutex_lock(&hyper->lock);
	hyper->closing = true;
	pthread_cond_broadcast(&hyper->work);
	pthread_mutex_unlock(&hyper->lock);
	for (u32 i = 0; i < hyper->thread_count; i++)
		pthread_join(hyper->threads[i], NULL);
	hyper->thread_count = 0;
	while (hyper->left_count)
		machine_left_destroy(hyper->left[--hyper->left_count]);
	outside_close(hyper);
}

Status hyper_create(const HyperConfig *config, Hyper **out)
{
	Hyper *hyper;

	*out = NULL;
	if (config->workers > HYPER_WORKERS_MOST)
		return STATUS_INVALID;
	hyper = calloc(1, sizeof *hyper);
	if (!hyper)
		return STATUS_NOMEM;
	hyper->config = *config;
	hyper->config.limits = NULL;
	hyper->config.slice_ns = config->slice_ns ? config->slice_ns : SLICE_NS;
	hyper->config.slice_insns = config->slice_insns ? config->slice_insns : SLICE_INSNS;
	hyper->config.residents = config->residents == HYPER_NO_RESIDENTS ? 0 : config->residents ? config->residents : RESIDENTS;
	hyper->config.instruction_ns = config->instruction_ns ? config->instruction_ns : 1000;
	hyper->refs = 1;
	hyper->next_hour = NEVER;
	hyper->started = host_now();
	if (pthread_mutex_init(&hyper->lock, NULL) || !init_condition(&hyper->work) || !init_condition(&hyper->changed)) {
		free(hyper);
		return STATUS_NOMEM;
	}
	hyper->root = budget_create(NULL, "all", config->limits);
	hyper->threads = calloc(config->workers + 1, sizeof *hyper->threads);
	if (!hyper->root || !hyper->threads) {
		free_hyper(hyper);
		return STATUS_NOMEM;
	}
	while (hyper->thread_count < config->workers &&
	       pthread_create(&hyper->threads[hyper->thread_count], NULL, worker, hyper) == 0)
		hyper->thread_count++;
	if (hyper->thread_count < config->workers) {
		end_threads(hyper);
		free_hyper(hyper);
		return STATUS_NOMEM;
	}
	*out = hyper;
	return STATUS_OK;
}

void hyper_destroy(Hyper *hyper)
{
	if (!hyper)
		return;
	end_threads(hyper);
	pthread_mutex_lock(&hyper->lock);
	for (u32 i = 0; i < hyper->count; i++)
		if (hyper->all[i]->state != INSTANCE_ENDED)
			ready_end(hyper->all[i], END_KILLED, "the hypervisor has ended");
	tell(hyper);
	pthread_mutex_unlock(&hyper->lock);
	pool_drop_free(hyper);
	pthread_mutex_lock(&hyper->lock);
	hyper_unref_locked(hyper);
}

Budget *hyper_budget(Hyper *hyper)
{
	return hyper->root;
}
