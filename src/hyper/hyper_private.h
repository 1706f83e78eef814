/* SPDX-License-Identifier: MIT
 *
 * The inside of a Hyper, shared by the files of this folder.
 *
 * One lock (hyper->lock) guards everything that is not said otherwise, for the time of a few pointer moves. A worker gives it
 * up while it runs a slice; then the instance is *on a worker*, and what is marked (slice) belongs to that thread alone, as it
 * does to whoever holds the instance, and to whoever has the lock while neither is the case.
 *
 * Time is in ns since the hypervisor was made.
 */
#ifndef HYPER_HYPER_PRIVATE_H
#define HYPER_HYPER_PRIVATE_H

#include <poll.h>
#include <pthread.h>

#include "hyper/heap.h"
#include "hyper/hyper.h"
#include "machine/outside.h"
#include "machine/park.h"

enum {
	SLICE_NS = 250000,
	SLICE_INSNS = 10000,      /* deterministic, and the first ones of everybody */
	SLICE_INSNS_MOST = 1 << 30,
	CAP_WINDOW_NS = 20000000, /* a cap holds over so long */
	RESIDENTS = 64,
	HYPER_LEFT_MOST = 4,      /* each may take 512 GiB of addresses */
	OUTSIDE_FDS = 64,         /* looked at between slices, of an instance that runs */
};

#define NEVER (~(u64)0)

typedef struct Pool Pool;
typedef struct Resident Resident;
typedef struct MailPlace MailPlace;

/* Where messages come to (mail.c): a part of an instance, or of a mailbox of the host. */
struct MailPlace {
	MailPlace *next_number, *next_name; /* in the chains of hyper->by_number, by_name */
	struct Mail *mail, **mail_end; /* owned: messages, the oldest first */
	Instance *room_first;     /* those that found it full */
	u32 mail_count;
	u32 mail_bytes : 31;
	u32 of_host : 1;          /* of a mailbox; set once */
};

struct Mailbox {
	Hyper *hyper;             /* a reference */
	MailPlace post;
	u64 number;
	char *name, *realm;       /* owned; set once */
	MailboxOptions options;   /* set once */
	u32 refs;                 /* guarded by hyper->lock */
};

/* What a parked instance has changed since its image. Never changes; forks share it. */
typedef struct Delta {
	u32 refs;                 /* atomic */
	u32 len;                  /* of bytes; ~0: more */
	u64 time, memory, files;  /* of a machine that is so */
	OpenFiles held;           /* what bytes name of the host */
	u8 bytes[];
} Delta;

struct Image {
	MachineConfig config;
	MachineBase *base;        /* owned; NULL: its instances are not parked, and */
	u64 resident_bytes;       /* of the host that one of them takes while it has a machine, about */
	void *setup;              /* a reference: Guest.setup; or NULL */
	u8 *bytes;                /* owned: the snapshot; NULL, too: of a machine that was handed over */
	size_t len;
	u64 memory_limit, memory_used, memory_most, files, time; /* of a machine in this state */
	u32 refs;                 /* atomic */
	pthread_mutex_t lock;     /* guards pools; the lock of a hypervisor may be taken below it */
	Pool *pools;              /* owned */
};

/* The machines of an image in a hypervisor (pool.c). */
struct Pool {
	Hyper *hyper;             /* a reference */
	Image *image;             /* borrowed: whose it is */
	Pool *next;               /* of the image */
	Resident *free;           /* owned, the newest first; guarded by hyper->lock, as is */
	u64 slice;                /* instructions of the first slice of its instances; 0: as of others */
	u64 switch_ns;            /* what it takes to move one of them in and out, in the mean; with hyper->lock */
};

struct Hyper {
	pthread_mutex_t lock;
	pthread_cond_t work;      /* something is ready, or the next hour is earlier */
	pthread_cond_t changed;   /* for those who wait: one that is held has left its worker, or moved; one has ended; hyper_run may have
				   * to return */
	HyperConfig config;
	Budget *root;             /* owned */
	Instance **all;           /* owned; borrowed instances */
	u32 count, cap;
	u32 refs;                 /* 1 + count + pools + mailboxes */
	u32 mailboxes;            /* of the host */
	u64 next_number;
	Heap queue;               /* READY, by what they have had */
	Heap hours;               /* those with something to do at an hour */
	u64 next_hour;            /* atomic: of these the first, or NEVER */
	u32 bell;                 /* atomic: one more, and turns end with the slice they are in */
	u64 had_least;            /* nobody who is ready has had less: newcomers begin there */
	MailPlace **by_number, **by_name; /* owned: hash chains of all; `slots` of each, a power of two (mail.c) */
	u32 slots;
	Instance *untold;         /* have ended, and config.changed has not been called; a reference each */
	u32 live;                 /* instances that can go on by themselves */
	u32 running, idle;        /* instances on workers; workers that wait */
	u32 residents;            /* instances that have a machine of a pool, and */
	u64 resident_bytes;       /* its memory */
	Resident *oldest, *newest; /* free machines of all pools, free_count of them */
	u32 free_count;
	MachineLeft *left[HYPER_LEFT_MOST]; /* memory to be given back when a worker, or hyper_run, has nothing else to do */
	u32 left_count;
	bool interrupted, closing;
	pthread_t *threads;       /* owned */
	u32 thread_count;
	u64 started;              /* CLOCK_MONOTONIC */
	u64 insns, skipped;       /* deterministic: the clock */
	struct Outside *outside;  /* owned; NULL until needed (outside.c) */
};

/* What stays of InstanceOptions. Set once, but for weight, priority, cap. */
typedef struct InstanceTerms {
	u32 weight, priority, cap;
	u32 output_kept;
	u64 timeout, seed, store_most;
	MachineOutput output, errors;
	void *ctx;
	void (*release)(void *ctx);
	Status (*spawn)(void *ctx, Instance *parent, const char *name, InstanceOptions *options, Instance **out);
	void *user;
} InstanceTerms;

/* There may be a hundred thousand that wait: what few have need of is allocated when it is (words, lists, messages, input), or stands
 * with the machine. */
struct Instance {
	Hyper *hyper;             /* a reference */
	Image *image;             /* a reference */
	Pool *pool;               /* of its image, or NULL: it has a machine of its own, or will have one */
	Machine *machine;         /* (slice) owned; NULL: it is parked, or needed none yet */
	Delta *delta;             /* (slice) a reference. Parked: what it has changed; NULL: nothing */
	u64 parked_time;          /* (slice) parked: machine_time */
	u32 delta_len;            /* (slice) of its last delta */
	u64 stayed, own_bytes;    /* (slice) instructions since it has this machine; memory that this one shares with no other any more */
	Image *frozen;            /* (slice) a reference, or NULL: what it is, for forks, as long as it does not run */
	Budget *budget;           /* owned; set once */
	char *name;               /* owned; set once, as are those that stand behind it: */
	const char *realm, *space; /* space: of its keys and values */
	InstanceTerms options;
	u64 number;
	u32 index;                /* in hyper->all */
	u32 refs;
	InstanceState state;
	InstanceState under;      /* PAUSED: what it goes back to */
	InstanceWait waits;
	InstanceEnd end;
	int code;
	u32 holds;
	u32 waiters;              /* threads that wait for its end */
	bool moving;              /* somebody who holds it moves it in or out, or relies on its not being moved */
	bool on_worker;
	bool live;                /* counted in hyper->live */
	bool want_pause, want_kill;
	bool stopping;            /* instance_stop was called */
	bool ask_to_end;          /* ... and the machine has not been told */
	bool counted;             /* it has its place in BUDGET_INSTANCES */
	bool clocked;             /* the clock of its budget runs */
	bool listed;              /* it is in the chains of numbers and names */
	bool news;                /* something it may wait for has changed: rights, messages */
	bool inbox_end;
	bool fds_ready;           /* revents are there */
	bool untold;              /* it stands in hyper->untold */

	HeapItem place, hour;     /* in hyper->queue, hyper->hours */
	u64 had;                  /* run time / weight: who has least goes first */
	u64 wake;                 /* WAITING: until then at most */
	u64 deadline, kill_at;    /* of its timeout, of instance_stop */
	u64 time_over;            /* clocked: it has no time left then */
	u64 window, window_used;  /* cap: which one, ns in it */
	u64 woken;                /* WAITING -> READY: when; 0: it does not wait to be run */

	Instance **children;      /* owned: those that it started, a reference each (spawn.c) */
	u32 child_count, child_cap, spawned, depth;
	Instance *spawner;        /* borrowed: in whose children it is */
	MailPlace post;           /* its messages */
	Instance *room_next, **room_link; /* its place among those that found another one's queue full; link NULL: it is in none */
	Buf inbox;                /* input that the machine has not got yet */

	struct pollfd *fds;       /* owned: what it waits for outside */
	u32 fd_count, fd_cap;
	u32 watch_at;             /* its place + 1 among those the host is polled for; 0: it is not */

	u32 bell;                 /* (slice) hyper->bell when its turn began */
	u64 base;                 /* time of the hypervisor at machine time 0; NEVER: not started yet */
	u64 slice;                /* (slice) instructions of the next one */
	u64 slice_most;           /* (slice) deterministic: until an hour of its own */
	u64 turn_ns;              /* (slice) how long it may go on, slice by slice, while nobody rings */
	const Budget *breach;     /* (slice) whose limit was reached; borrowed from the chain of budget */
	BudgetKind breach_kind;   /* (slice) ... of what */
	bool fresh;               /* (slice) its random numbers begin anew when it has a machine; not among the flags that are read with the
				   * lock: compilers test several of these by one wide load */
	u64 insns, cpu_ns, slices, wakes, late_ns;
	u64 memory, memory_held;  /* used as of its last slice; of BUDGET_MEMORY */
	u64 output_bytes, written; /* as of its last slice; (slice) bytes of output and errors */
	u64 files, files_held;    /* as of its last slice; (slice) of BUDGET_FILES */
	char *refused;            /* owned, or NULL: the newest thing that a limit did not let it have */
	Instance *next_untold;    /* hyper->untold */
	char *kept;               /* (slice) owned: ring of options.output_kept bytes */
	u64 kept_total;
	MachineStop stop;
	char *text;               /* owned. ENDED: why; NULL: nothing to say, or memory was out */
};

/* hyper.c */
u64 hyper_now(const Hyper *hyper);
static inline bool hyper_is_deterministic(const Hyper *hyper)
{
	return hyper->config.workers == 0;
}
void hyper_unref_locked(Hyper *hyper);
/* With the lock: until hyper->changed. False: the hour has come. */
bool hyper_wait_changed(Hyper *hyper, u64 until);

static inline void instance_lock(const Instance *instance)
{
	pthread_mutex_lock(&instance->hyper->lock);
}

static inline void instance_unlock(const Instance *instance)
{
	pthread_mutex_unlock(&instance->hyper->lock);
}

/* ready.c: states. All with the lock. */
void ready_set_state(Instance *instance, InstanceState state);
/* hyper->live anew: the state, what it waits for or its hour have changed. */
void ready_count(Instance *instance);
/* To the queue, if nothing is in its way; from WAITING with `woken`. */
void ready_wake(Instance *instance);
void ready_end(Instance *instance, InstanceEnd end, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Its hour anew, from wake, deadline and kill_at. */
void ready_set_hour(Instance *instance);
/* Limits of time have changed. */
void ready_recount_time(Instance *instance);
/* Does what the hours that have come ask for. */
void ready_pass_time(Hyper *hyper, u64 now);
/* Somebody wants a worker, or one of those that run: nobody goes on beyond the slice he is in. */
void ready_ring(Hyper *hyper);
/* The instance to run next, on a worker from now on; NULL: none. */
Instance *ready_take(Hyper *hyper, u64 now);

/* slice.c: the instance is on this thread's worker, the lock is not held. */
typedef struct SliceOutcome {
	MachineStop stop;
	u64 insns, ns;  /* of the whole turn */
	u32 slices;
	u64 switch_ns;  /* to move it in and out; 0: it was not moved */
	const Budget *breach;
	BudgetKind kind;
	bool again; /* nothing was to be had of the fuel that others have borrowed */
	bool starved;   /* WAIT: for input that has ended */
	bool waits_outside; /* SLEEP: for a message */
	int code;       /* HALT: of the exit */
	u64 memory;     /* used; 0: as before */
	char text[240]; /* in words, for people, if it ends */
} SliceOutcome;
void slice_run(Instance *instance, SliceOutcome *out);
/* With the lock: what comes of it. */
void slice_done(Instance *instance, const SliceOutcome *outcome);
void slice_attach(Instance *instance);
/* A limit was reached by what the machine does now: it stops behind this instruction, and the instance ends. */
void slice_breach(Instance *instance, BudgetKind kind);

/* outside.c: descriptors of the host that instances wait for. With the lock. */
bool outside_watch(Instance *instance);
void outside_forget(Instance *instance);
/* Deterministic: waits at most ns; true: somebody is woken. */
bool outside_look(Hyper *hyper, u64 ns);
/* Without the lock; hyper->closing is set. */
void outside_close(Hyper *hyper);

/* services.c: what stands around machines. */
MachineOutside services_of(Instance *instance);
MachineDisk services_disk(Instance *instance);
/* The machine is the instance's from now on; what it has open is counted. False: there is no room. */
bool services_attach(Instance *instance, Machine *machine);
/* Something held (memory, files, instances) was not to be had: told in InstanceInfo.refused. Without the lock. */
void services_refuse(Instance *instance, BudgetKind kind, const Budget *breach);
void services_refuse_by(Instance *instance, const char *limit); /* one that is no budget's: "the limit of 16 generations" */

/* mail.c. With the lock. */
bool mail_make_room(Hyper *hyper, u32 count); /* in the chains, for so many instances and the mailboxes */
void mail_enlist(Hyper *hyper, MailPlace *place);
void mail_delist(Hyper *hyper, MailPlace *place);
/* All messages go: the instance has ended or starts anew, the mailbox goes. */
void mail_clear(MailPlace *place);
void mail_forget_room(Instance *instance);
u64 mail_number(const MailPlace *place);
/* Whom one of that name or number reaches; NULL: nobody. */
MailPlace *mail_by_number(const Hyper *hyper, const MailPlace *from, u64 number);
/* The instance of that number, whoever it can be reached by; NULL: none. */
Instance *mail_instance(const Hyper *hyper, u64 number);
MailPlace *mail_by_name(const Hyper *hyper, const MailPlace *from, const char *name);
typedef struct Mail Mail;
struct Mail {
	Mail *next;
	u64 from;
	u32 len;
	u8 bytes[];
};
Mail *mail_make(u64 from, const u8 *bytes, u32 len); /* NULL when memory is out */
bool mail_has_room(const MailPlace *place, u32 len);
void mail_put(MailPlace *place, Mail *mail);
Mail *mail_get(MailPlace *place); /* the oldest; the caller's. NULL: none */
/* Without the lock: members of MachineOutside. */
void mail_init(MachineOutside *outside);

/* mailbox.c: one has got something. With the lock: its reference for mailbox_tell, which is called without it. */
Mailbox *mailbox_touch(MailPlace *place);
void mailbox_tell(Mailbox *mailbox); /* may be NULL */

/* keep.c */
void keep_init(MachineOutside *outside);
/* spawn.c */
void spawn_init(MachineOutside *outside);
/* It has ended: so do those that it started, and who started it is told. With the lock. */
void spawn_end(Instance *instance);
/* They are no longer its own. Without the lock. */
void spawn_forget(Instance *instance);

/* rights.c: something that it may wait for has changed. With the lock. */
void instance_nudge(Instance *instance);

/* image.c */
/* One without a state: of a machine that was handed over. NULL when memory is out. */
Image *image_of_config(const MachineConfig *config);
/* As image_create, but the machine may have to be settled upon the image (pool_adopt), or the image go, before it runs. */
Status image_create_away(const MachineConfig *config, Machine *machine, Image **out);
/* As a machine of it would write it out that has changed this. */
Status image_snapshot(const Image *image, const Delta *delta, Buf *out);

/* pool.c. Those marked * for whoever holds the instance or has it on a worker; without the lock, if nothing else is said. */
Delta *delta_ref(Delta *delta);
void delta_unref(Delta *delta);
Pool *pool_find(Hyper *hyper, Image *image); /* NULL when memory is out */
void pool_destroy(Pool *pool);
void pool_drop_free(Hyper *hyper);
/* Gives it back when there is time, or there is too much of it. NULL is nothing. */
void hyper_leave(Hyper *hyper, MachineLeft *left);
/* * It has a machine then, and may change. Failure: `why` (or NULL) says more, as machine_why. */
Status pool_enter(Instance *instance, Buf *why);
/* With the lock: it should leave, now that it is in this state. */
bool pool_is_full(const Instance *instance, InstanceState state);
void pool_leave(Instance *instance);         /* * packed, if that is possible */
void pool_stay(Instance *instance, u64 insns); /* * it has run so much, and could go on */
void pool_forget(Instance *instance);        /* * it will not run any more */
Status pool_rewind(Instance *instance);      /* * it is as its image again */
bool pool_is_far(const Instance *instance);  /* * it has changed so much that its forks had better have an image of their own */
Status pool_copy(Instance *instance, Delta **out); /* * what it has changed until now; NULL: nothing */
/* * It has a machine that is as this new image: the image's from now on. */
Status pool_adopt(Instance *instance, Image *image);

/* birth.c */
/* * It has a machine that has to learn whose it is. */
void instance_dress(Instance *instance);
/* * Makes the machine of its own that it needs now; why: as pool_enter. */
Status instance_bear(Instance *instance, Buf *why);
/* Gives the lock up for good. */
void instance_destroy_locked(Instance *instance);

/* hold.c */
/* It does not run and does not move; it may be parked. One at a time. */
void instance_hold_still(Instance *instance);
void instance_release_still(Instance *instance);

/* instance.c */
/* Off its worker: takes what was wanted meanwhile. With the lock. */
void instance_settle(Instance *instance);

#endif
