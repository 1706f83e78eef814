/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "jit/jit_background.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "jit/jit_life.h"
#include "jit/jit_store.h"

typedef enum JobState { FREE, CLAIMED, QUEUED, WORKING, DONE } JobState;

struct JitBackground {
	JitJob jobs[JIT_JOBS];
	sem_t wake;           /* counts what was submitted, and the end */
	_Atomic bool stop;
	_Atomic u32 finished; /* jobs so far: who has seen this number has no need to look at them */
	/* The running thread's: */
	u64 order;
	pthread_t thread;
	pid_t process;        /* that the thread is in */
	bool started, failed;
};

static JobState state_of(const JitJob *job)
{
	return (JobState)atomic_load_explicit(&job->state, memory_order_acquire);
}

static void set_state(JitJob *job, JobState state)
{
	atomic_store_explicit(&job->state, state, memory_order_release);
}

/* From one state to another, if nobody was quicker. */
static bool move_state(JitJob *job, JobState from, JobState to)
{
	u32 expected = from;

	return atomic_compare_exchange_strong_explicit(&job->state, &expected, to, memory_order_acq_rel, memory_order_acquire);
}

/* ---- The worker ---- */

/* Behind each pass. */
static void look_up(void *ctx, const SsaFunc *func, const char *pass)
{
	JitJob *job = ctx;
	JitStage *stage;
	Buf text;

	if (atomic_load_explicit(&job->cancelled, memory_order_relaxed) && job->unit.func)
		job->unit.func->failed = true;
	if (!job->watched)
		return;
	buf_init(&text);
	ssa_print(func, NULL, NULL, &text);
	stage = ARENA_NEW(&job->arena, JitStage);
	if (stage && !text.failed) {
		*stage = (JitStage){.pass = pass, .text = arena_strndup(&job->arena, (const char *)text.data, text.len)};
		if (stage->text) {
			*job->last_stage = stage;
			job->last_stage = &stage->next;
		}
	}
	buf_fini(&text);
}

static JitJob *next_job(JitBackground *background)
{
	JitJob *best = NULL;

	for (u32 i = 0; i < JIT_JOBS; i++) {
		JitJob *job = &background->jobs[i];

		if (state_of(job) == QUEUED && (!best || job->order < best->order))
			best = job;
	}
	return best;
}

static void *work(void *arg)
{
	JitBackground *background = arg;

	for (;;) {
		JitJob *job;

		while (sem_wait(&background->wake) != 0 && errno == EINTR)
			continue;
		if (atomic_load_explicit(&background->stop, memory_order_acquire))
			return NULL;
		job = next_job(background);
		if (!job || !move_state(job, QUEUED, WORKING)) /* taken back */
			continue;
		jit_unit_work(&job->unit);
		set_state(job, DONE);
		atomic_fetch_add_explicit(&background->finished, 1, memory_order_release);
	}
}

static void start(JitBackground *background)
{
	sigset_t all, before;

	background->failed = true;
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return;
	if (pthread_create(&background->thread, NULL, work, background) == 0) {
		background->failed = false;
		background->started = true;
		background->process = getpid();
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- The running thread ---- */

JitBackground *jit_background_create(void)
{
	JitBackground *background = calloc(1, sizeof(*background));

	if (background && sem_init(&background->wake, 0, 0) != 0) {
		free(background);
		return NULL;
	}
	return background;
}

void jit_background_destroy(JitBackground *background)
{
	bool here;

	if (!background)
		return;
	here = !background->started || background->process == getpid();
	if (background->started && here) {
		for (u32 i = 0; i < JIT_JOBS; i++)
			atomic_store_explicit(&background->jobs[i].cancelled, true, memory_order_relaxed);
		atomic_store_explicit(&background->stop, true, memory_order_release);
		sem_post(&background->wake);
		pthread_join(background->thread, NULL);
	}
	for (u32 i = 0; i < JIT_JOBS; i++)
		if (here || state_of(&background->jobs[i]) != WORKING)
			arena_fini(&background->jobs[i].arena);
	if (here)
		sem_destroy(&background->wake);
	free(background);
}

bool jit_background_is_there(Engine *engine)
{
	const EngineOptions *options = engine->env.options;
	JitBackground *background;

	if (!options || !options->background || !engine->env.store)
		return false;
	if (!engine->background)
		engine->background = jit_store_background(engine->env.store);
	background = engine->background;
	if (!background)
		return false;
	if (!background->started && !background->failed)
		start(background);
	if (background->started && background->process != getpid()) { /* it stayed with our parent */
		background->failed = true;
		jit_background_drop(engine);
	}
	return !background->failed;
}

void jit_background_free(JitJob *job)
{
	arena_fini(&job->arena);
	set_state(job, FREE);
}

/* Takes it from its engine. The job is freed when the worker is done with it. */
static void drop(JitJob *job)
{
	job->engine->pending--;
	job->engine = NULL;
	job->region->dead = true;
	job->region = NULL;
	atomic_store_explicit(&job->cancelled, true, memory_order_relaxed);
	if (move_state(job, QUEUED, CLAIMED))
		jit_background_free(job);
}

JitJob *jit_background_claim(Engine *engine)
{
	JitBackground *background = engine->background;
	JitJob *found = NULL, *oldest = NULL;

	for (u32 i = 0; i < JIT_JOBS; i++) {
		JitJob *job = &background->jobs[i];

		if (state_of(job) == DONE && !job->engine)
			jit_background_free(job);
		if (state_of(job) == FREE)
			found = job;
		else if (state_of(job) == DONE && job->engine != engine && (!oldest || job->order < oldest->order))
			oldest = job;
	}
	/*
	 * What a sleeping address space does not fetch must not keep this one from going on. But those that take turns come for
	 * theirs: who took it at once from them would leave all with nothing.
	 */
	if (!found && oldest && ++oldest->passed > JIT_JOB_PATIENCE) {
		oldest->region->head->promoted--; /* not its fault */
		drop(oldest);
		jit_background_free(oldest);
		found = oldest;
	}
	if (!found)
		return NULL;
	set_state(found, CLAIMED);
	atomic_store_explicit(&found->cancelled, false, memory_order_relaxed);
	arena_init(&found->arena);
	found->engine = NULL;
	found->region = NULL;
	found->passed = 0;
	found->stages = NULL;
	found->last_stage = &found->stages;
	found->watched = jit_shows_stages(engine);
	found->unit = (JitUnit){.arena = &found->arena, .watch = look_up, .watch_ctx = found, .status = STATUS_NOMEM};
	return found;
}

/* What selection reads of an engine, as it is now. The rest is left out: whoever would touch it falls. */
static bool copy_settings(const Engine *engine, JitJob *job)
{
	u32 spaces = job->unit.plan.region.space_count;
	Engine *to = &job->settings;
	Space *shapes = ARENA_ARRAY(&job->arena, Space, spaces + 1);
	u8 *pins = ARENA_ARRAY(&job->arena, u8, engine->slot_count);

	if (!shapes || !pins)
		return false;
	*to = *engine;
	for (u32 i = 0; i < spaces && engine->spaces; i++)
		shapes[i] = engine->spaces[i];
	for (u32 i = 0; i < engine->slot_count; i++)
		pins[i] = engine->pin_of[i];
	to->spaces = engine->spaces ? shapes : NULL;
	to->pin_of = pins;
	to->env.ctx = NULL;
	to->env.store = NULL;
	to->env.options = NULL;
	to->cold = NULL;
	to->rw = to->rx = NULL;
	to->counters = to->slot_uses = NULL;
	to->hash = NULL;
	to->pages = NULL;
	to->exits = NULL;
	to->jumps = NULL;
	to->places = NULL;
	to->moves = NULL;
	to->faults = to->other_faults = (JitFaults){0};
	to->arena = to->blocks = to->other_blocks = to->page_records = to->regions = (Arena){0};
	job->unit.settings = to;
	job->unit.plan.region.pin_of = pins;
	return true;
}

void jit_background_submit(Engine *engine, JitJob *job, JitRegion *region)
{
	JitBackground *background = engine->background;

	job->engine = engine;
	job->region = region;
	job->order = ++background->order;
	engine->pending++;
	engine->deaths++; /* none, but calls of the host come out from now on, to look whether it is ready (JIT_EACH_CALL) */
	if (copy_settings(engine, job)) {
		set_state(job, QUEUED);
	} else {
		set_state(job, DONE); /* without memory */
		atomic_fetch_add_explicit(&background->finished, 1, memory_order_release);
	}
	sem_post(&background->wake);
}

JitJob *jit_background_take(Engine *engine)
{
	JitBackground *background = engine->background;
	u32 finished = atomic_load_explicit(&background->finished, memory_order_acquire);
	JitJob *found = NULL;

	if (finished == engine->seen_finished)
		return NULL;
	for (u32 i = 0; i < JIT_JOBS; i++) {
		JitJob *job = &background->jobs[i];

		if (job->engine == engine && state_of(job) == DONE && (!found || job->order < found->order))
			found = job;
	}
	if (!found) {
		engine->seen_finished = finished;
		return NULL;
	}
	found->engine = NULL;
	engine->pending--;
	set_state(found, CLAIMED);
	return found;
}

void jit_background_drop(Engine *engine)
{
	for (u32 i = 0; i < JIT_JOBS && engine->pending; i++)
		if (engine->background->jobs[i].engine == engine)
			drop(&engine->background->jobs[i]);
}

bool jit_background_covers(const Engine *engine, u64 pc, u64 context)
{
	for (u32 i = 0; i < JIT_JOBS && engine->pending; i++) {
		const JitJob *job = &engine->background->jobs[i];

		if (job->engine != engine || job->region->dead || job->region->context != context)
			continue;
		for (u32 k = 0; k < job->region->range_count; k++)
			if (pc - job->region->ranges[k].pc < job->region->ranges[k].cells)
				return true;
	}
	return false;
}
