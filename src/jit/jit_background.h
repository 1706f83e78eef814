/* SPDX-License-Identifier: MIT
 *
 * Regions are compiled beside the program, on a thread of their own (EngineOptions.background).
 *
 *     running thread                                    worker
 *     jit_background_claim   FREE -> CLAIMED
 *     ... region_form, settings copied
 *     jit_background_submit  CLAIMED -> QUEUED
 *                                                       QUEUED -> WORKING, jit_unit_work
 *     ... goes on in the first tier                     WORKING -> DONE
 *     jit_background_take    DONE -> CLAIMED
 *     ... emits, attaches
 *     jit_background_free    CLAIMED -> FREE
 *
 * A machine has one worker, however many address spaces (engines) it has, and one queue of JIT_JOBS. There is no lock: a job belongs
 * to one thread at a time, and `state` says to which. It is stored with release and read with acquire, so what one wrote the
 * other sees. Besides it the two share `cancelled` and `stop` (atomic, hints) and a semaphore. The worker never touches an engine: it
 * has the unit, with a copy of the settings, and job->engine, job->region are the running thread's alone.
 *
 * The running thread is whichever runs the machine, one at a time. The worker takes no signals. A thread that cannot be had,
 * or a process that has forked since (its child has no worker), compile in the foreground.
 *
 * While a job is under way its region hangs on the pages that its code is from (jit_region_hang): a store there kills it
 * as any region, and the job is thrown away when it is done. What changes all code (a flush, a turn of the cache, settings)
 * drops the engine's jobs: jit_background_drop.
 */
#ifndef JIT_JIT_BACKGROUND_H
#define JIT_JIT_BACKGROUND_H

#include "jit/jit_unit.h"

enum {
	JIT_JOBS = 8,
	JIT_JOB_PATIENCE = 256, /* times that others go without for a finished job that its address space does not fetch */
};

typedef struct JitStage {
	struct JitStage *next;
	const char *pass, *text;
} JitStage;

typedef struct JitJob {
	_Atomic u32 state;
	_Atomic bool cancelled; /* nobody wants it any more: the worker stops at the next pass */
	_Atomic u64 order;      /* of submission */
	/* The running thread's: */
	Engine *engine;         /* NULL: dropped */
	JitRegion *region;      /* in engine->blocks */
	u32 passed;             /* times that others went without, since it is done */
	/* Whose turn it is: */
	Arena arena;
	Engine settings;
	JitUnit unit;
	bool watched;           /* stages are wanted */
	JitStage *stages, **last_stage; /* for those who look on, in order */
} JitJob;

/* NULL: no memory. The thread is made when the first job is submitted. */
JitBackground *jit_background_create(void);
/* Ends the thread; what is under way is given up at the next pass. */
void jit_background_destroy(JitBackground *background);

/* Does the engine have a worker? It is started if need be. */
bool jit_background_is_there(Engine *engine);
/* A job with nothing in it but an empty arena; NULL: all are busy. */
JitJob *jit_background_claim(Engine *engine);
void jit_background_submit(Engine *engine, JitJob *job, JitRegion *region);
/* A job of this engine that is done, out of the queue; NULL: there is none yet. */
JitJob *jit_background_take(Engine *engine);
void jit_background_free(JitJob *job);
/* The engine's jobs are not wanted any more. */
void jit_background_drop(Engine *engine);
/* Is the code at pc part of a region of this engine that is under way? */
bool jit_background_covers(const Engine *engine, u64 pc, u64 context);

#endif
