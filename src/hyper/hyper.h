/* SPDX-License-Identifier: MIT
 *
 * The hypervisor: machines of any kind side by side, on a few threads of the host (workers).
 *
 *     image     a machine that is ready to run, as bytes, with what it takes to make one like it
 *     instance  one running computer, made of an image, of a fork of another instance, or of a machine as it is
 *     budget    what instances may use (budget.h); every instance has a node of its own
 *
 *                 start              a worker takes it
 *     CREATED -----------> READY <------------------------> RUNNING ----> ENDED: halted, failed, limit, killed, stopped
 *        ^                   ^      the quantum is over         |
 *        |                   |                                  | waits for input, time, something outside
 *        | reset             +--------------- WAITING <---------+
 *      ENDED                 |  cap used up: THROTTLED <--------+
 *
 *     pause: from READY, RUNNING, WAITING and THROTTLED, seen at the end of the slice; resume goes back.
 *     kill and stop: from anywhere but ENDED.
 *
 * Who runs when. An instance runs a *slice* at a time, some 250 us long, and no guest can make it longer; in a crowd up to four in
 * turn, while nobody comes. The one that has had least
 * in proportion to its weight goes first, so shares are as weights are, whoever waits or wakes; who wakes does not keep what it
 * did not use, but goes before those that run all the time. Priority moves an instance forward among those that wait, by one slice a
 * step: it says who goes first, not who gets more, so nobody starves. A cap is a share of one core that is not exceeded in
 * any 20 ms.
 *
 * Deterministic (workers = 0): hyper_run works everything off on the caller's thread; time is the count of instructions, and slices
 * and shares are counted in instructions, so the same instances give the same run, bit for bit.
 *
 * Threads: every function may be called from any thread, if nothing else is said. What is called back runs on a worker (or in
 * hyper_run), one call at a time per instance, and must not wait for an instance (hold, wait, fork ...): it may start, wake,
 * pause, kill. docs/hypervisor.md has the locks.
 */
#ifndef HYPER_HYPER_H
#define HYPER_HYPER_H

#include "base/buf.h"
#include "base/status.h"
#include "hyper/budget.h"
#include "hyper/store.h"
#include "machine/machine.h"

typedef struct Hyper Hyper;
typedef struct Image Image;
typedef struct Instance Instance;
typedef struct Mailbox Mailbox;

enum { HYPER_WORKERS_MOST = 256, HYPER_WEIGHT = 100, HYPER_WEIGHT_MOST = 10000, HYPER_PRIORITY_MOST = 7 };
#define HYPER_NO_RESIDENTS (~0u)

typedef struct HyperConfig {
	u32 workers;        /* threads; 0 = none: deterministic */
	u64 slice_ns;       /* 0 = 250,000 */
	u64 slice_insns;    /* deterministic: instructions of a slice; 0 = 10,000 */
	u64 instruction_ns; /* deterministic: 0 = 1000 */
	const u64 *limits;  /* of the root budget, per kind; NULL: none */
	const HyperStore *store; /* borrowed: where keys and values are kept; NULL: nowhere */
	u32 residents;      /* instances of images that may keep their machine while they do not run; 0 = 64; HYPER_NO_RESIDENTS */
	/* An instance has ended, or was started anew; may be NULL. */
	void (*changed)(void *ctx, Instance *instance);
	void *ctx;
} HyperConfig;

/* Workers start at once. */
Status hyper_create(const HyperConfig *config, Hyper **out);
/* Kills what still runs, and ends the workers. Instances and images that are still referred to stay, without life. */
void hyper_destroy(Hyper *hyper);
Budget *hyper_budget(Hyper *hyper); /* the root; borrowed */

/* Until no instance can ever go on: all have ended, or wait for what only the caller can give (input), or for one another. False: `ns` of
 * real time are over (~0: no limit). Deterministic: does the work. */
bool hyper_run(Hyper *hyper, u64 ns);
/* hyper_run returns soon. */
void hyper_interrupt(Hyper *hyper);

/* ---- Images ---- */

/* From a machine that is ready to run, which stays the caller's. config: what it was made with; isa, guest and options must
 * live as long as the image and what is made of it. STATUS_UNSUPPORTED: its state cannot be written out. */
Status image_create(const MachineConfig *config, const Machine *machine, Image **out);
void image_ref(Image *image);
void image_unref(Image *image);
size_t image_bytes(const Image *image);

/* ---- Instances ---- */

typedef enum InstanceState {
	INSTANCE_CREATED, INSTANCE_READY, INSTANCE_RUNNING, INSTANCE_WAITING, INSTANCE_THROTTLED, INSTANCE_PAUSED, INSTANCE_ENDED,
} InstanceState;

typedef enum InstanceEnd {
	END_NONE,    /* has not ended */
	END_HALTED,  /* by itself: code */
	END_FAILED,  /* a fault, a trap, a deadlock ...: stop says what */
	END_LIMIT,   /* of its budget, or its time */
	END_STOPPED, /* instance_stop, and it went by itself */
	END_KILLED,
	END_ERROR,   /* Husk could not run it: out of memory */
} InstanceEnd;

typedef enum InstanceWait { WAIT_NOTHING, WAIT_INPUT, WAIT_TIME, WAIT_OUTSIDE, WAIT_MESSAGE } InstanceWait;

typedef struct InstanceOptions InstanceOptions;
struct InstanceOptions {
	const char *name;   /* NULL: "instance-N" */
	Budget *parent;     /* NULL: the root */
	const u64 *limits;  /* per kind, of its own node; NULL: none but those above */
	const char *realm;  /* messages, and names they are sent to, stay within one; NULL: that of all who have none */
	const u32 *rights;  /* what it may do: a set of MAY_...; NULL: MAY_PLAIN, nothing that leads out of it but its console */
	u32 weight;         /* 1 .. HYPER_WEIGHT_MOST; 0 = HYPER_WEIGHT */
	u32 priority;       /* 0 .. HYPER_PRIORITY_MOST */
	u32 cap;            /* percent of one core; 0 = none */
	u64 timeout;        /* ns from its start (deterministic: of its time); 0 = none */
	u64 seed;           /* of its random numbers; 0: a fresh one (deterministic: by its number) */
	u32 output_kept;    /* bytes: the newest of its output are kept for instance_output; 0: none */
	MachineOutput output, errors; /* called with ctx while it runs; NULL: dropped (but kept, if wanted) */
	void *ctx;
	void (*release)(void *ctx); /* when the instance has gone, its machine too; may be NULL */
	/* Makes what it starts by the service `spawn`, on its worker: an instance by instance_create or instance_adopt, with `options` and
	 * whatever the name adds to them (name, parent and realm are set); it is started then. STATUS_NOT_FOUND: it may not start
	 * that. STATUS_TOO_BIG: a limit. NULL: it may start nothing. */
	Status (*spawn)(void *ctx, Instance *parent, const char *name, InstanceOptions *options, Instance **out);
	const char *store;  /* the name of the space of its keys and values; NULL: its own */
	u64 store_most;     /* bytes in that space; 0 = 1 MiB */
	void *user;         /* machine_user of its machine; NULL: as config has it */
};

/* Each gives a reference of its own to *out, in state CREATED. STATUS_TOO_BIG: the budget has no room for it: for another
 * instance, or for its memory (what it may grow to is taken at once). */
Status instance_create(Hyper *hyper, Image *image, const InstanceOptions *options, Instance **out);
/* The machine becomes the instance's if this succeeds. config as for image_create. */
Status instance_adopt(Hyper *hyper, const MachineConfig *config, Machine *machine, const InstanceOptions *options, Instance **out);
/* A second one in the same state, CREATED, with random numbers of its own; with the rights and the realm of the first, unless the options
 * say others. */
Status instance_fork(Instance *instance, const InstanceOptions *options, Instance **out);
void instance_ref(Instance *instance);
/* The last one of an instance that has not ended kills it. */
void instance_unref(Instance *instance);

/* STATUS_INVALID: not possible in its state. */
Status instance_start(Instance *instance);
Status instance_pause(Instance *instance);
Status instance_resume(Instance *instance);
/* Asks it to end: Linux programs get SIGTERM, others see the end of their input. Killed if it has not ended after ns. */
Status instance_stop(Instance *instance, u64 ns);
Status instance_kill(Instance *instance);
/* Waits until it has ended; false: ns are over (~0: no limit). Needs workers. */
bool instance_wait(Instance *instance, u64 ns);
/* Ended or never started: back to the state it was created in, CREATED. STATUS_UNSUPPORTED: it was made of no image. */
Status instance_reset(Instance *instance);

void instance_input(Instance *instance, const u8 *bytes, size_t len);
void instance_input_end(Instance *instance);
/* A message, from number `from` (0: nobody's). STATUS_TOO_BIG: the queue is full, or it is too long. STATUS_INVALID: it has ended. */
Status instance_mail(Instance *instance, u64 from, const u8 *bytes, size_t len);
/* ---- Mailboxes of the host ----
 * A place that instances may write to as they write to one another: it has a number of its own, a name and a realm. */
typedef struct MailboxOptions {
	const char *name;
	const char *realm;  /* NULL: that of all who have none */
	/* There is a message, perhaps several. On the thread that sends, a worker for instance; must not wait. NULL: nobody is told. */
	void (*arrived)(void *ctx, Mailbox *mailbox);
	void *ctx;
	void (*release)(void *ctx); /* when it has gone; may be NULL */
} MailboxOptions;
/* STATUS_INVALID: the hypervisor has ended. */
Status mailbox_create(Hyper *hyper, const MailboxOptions *options, Mailbox **out);
void mailbox_ref(Mailbox *mailbox);
/* With the last one it is nobody's any more, and what it has got goes. */
void mailbox_unref(Mailbox *mailbox);
u64 mailbox_number(const Mailbox *mailbox);
void *mailbox_ctx(const Mailbox *mailbox);
/* Of an instance (or mailbox) of its realm that may have messages; of several the oldest. 0: there is none. */
u64 mailbox_find(const Mailbox *mailbox, const char *name);
/* STATUS_NOT_FOUND: nobody in its realm. STATUS_TOO_BIG: the queue is full. STATUS_RANGE: too long. */
Status mailbox_send(Mailbox *mailbox, u64 to, const u8 *bytes, size_t len);
/* The oldest message; *from: of whom. STATUS_NOT_FOUND: there is none. STATUS_TOO_BIG: it is longer than `most`, and stays. *len is set. */
Status mailbox_take(Mailbox *mailbox, u8 *bytes, size_t most, u64 *from, size_t *len);
/* Until there is a message; false: ns are over (~0: no limit), or the hypervisor has ended. Needs workers. */
bool mailbox_wait(Mailbox *mailbox, u64 ns);

/* ---- Who is there ----
 * References to some: those of the lowest numbers first if all have room. How many there are. node NULL: all. */
u32 hyper_instances(Hyper *hyper, const Budget *node, Instance **out, u32 room);
/* Those that it started and has not asked about since they ended. */
u32 instance_children(Instance *instance, Instance **out, u32 room);
/* A reference; NULL: there is none of this number. */
Instance *hyper_find(Hyper *hyper, u64 number);

/* New weight, priority, cap. */
Status instance_share(Instance *instance, u32 weight, u32 priority, u32 cap);

/* ---- Rights ----
 * What an instance may do is what its own node of the budgets and all above it allow; a new node forbids nothing. Rights (sets of
 * MAY_...) are given and taken at any time: at the next slice at the latest they hold. Who waits is woken, so that it notices.
 * docs/hypervisor.md says what a program sees that does what it may not. */
void instance_grant(Instance *instance, u32 rights);
void instance_revoke(Instance *instance, u32 rights);
u32 instance_rights(const Instance *instance);
/* Of all who stand below the node, those who come later included. */
void hyper_grant(Hyper *hyper, Budget *node, u32 rights);
void hyper_revoke(Hyper *hyper, Budget *node, u32 rights);
/* instance_revoke by name (machine_host_group); a word that is no right takes nothing. */
Status instance_deny(Instance *instance, const char *group);

/* budget_set_limit, also for time, whose end must be known. */
void hyper_set_limit(Hyper *hyper, Budget *node, BudgetKind kind, u64 limit);
/* budget_used, also for time that is running. */
u64 hyper_used(Hyper *hyper, const Budget *node, BudgetKind kind);
/* budget_left; of time: if somebody in the node lives. */
u64 hyper_left(Hyper *hyper, const Budget *node, BudgetKind kind);

/* For as long as it is held it does not run, and its machine may be looked at and changed. Waits for the end of its slice.
 * Holds add up. NULL: it has no machine any more. */
Machine *instance_hold(Instance *instance);
void instance_release(Instance *instance);

Status instance_snapshot(Instance *instance, Buf *out);
/* All or nothing, in any state but ENDED. */
Status instance_restore(Instance *instance, const u8 *bytes, size_t len);

typedef struct InstanceInfo {
	u64 number;
	u64 parent;               /* number of who started it and has not asked how it ended; 0: nobody */
	const char *name;         /* borrowed */
	InstanceState state;
	InstanceWait waits;       /* WAITING: for what */
	InstanceEnd end;
	int code;                 /* HALTED, STOPPED: exit code */
	u64 insns, cpu_ns, slices, memory, output_bytes;
	u64 time_ns;              /* it has lived so long, pauses not counted, since it was created */
	u64 wakes, late_ns;       /* WAITING -> RUNNING: how often, and the longest it took */
	u32 weight, priority, cap;
	MachineStop stop;         /* without texts */
	u64 files, messages, disk; /* open now; sent; bytes to folders of the host */
	char text[240];           /* ENDED: why, one line; else nothing */
	char refused[120];        /* the limit that it ran into last without being ended by it: "the files limit of 20 files (db)" */
} InstanceInfo;
void instance_info(Instance *instance, InstanceInfo *out);
const Budget *instance_budget(const Instance *instance);
const char *instance_name(const Instance *instance);
void *instance_ctx(const Instance *instance);
/* The newest output that was kept. */
void instance_output(Instance *instance, Buf *out);

const char *instance_state_name(InstanceState state); /* "ready" */
const char *instance_end_name(InstanceEnd end);       /* "halted" */

#endif
