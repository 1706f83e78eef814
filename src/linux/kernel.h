/* SPDX-License-Identifier: MIT
 *
 * The inside of the Linux personality: who is who, and the rules that all files of this folder keep.
 *
 *     Kernel ---- Process ---- Task (a thread = a vCPU)
 *       |            |-- Mm        memory: areas, an address space of the machine      mm.h
 *       |            |-- FdTable   descriptors -> File (an open file description)      file.h
 *       |            |-- FsState   working directory, root, umask                      vfs.h
 *       |            `-- Signals   handlers; pending ones                              signal.h
 *       `-- Vfs      mounts, nodes                                                     vfs.h
 *
 * System calls. `i64 sys_NAME(Task *task, const u64 *a)` with a[0..5]; the tables syscalls_*.def list them:
 *
 *     X(63, read, RESTART, "fol")       number, name, what a signal does to it while it waits, arguments for strace
 *
 * A result is >= 0, or -errno, or one of
 *     CALL_WAIT   nothing could be done yet. Before, the function named what it waits for (task_watch) and until when
 *                 (task_wait_hour). It is called again, with task->call.again set, when one of these happened. What it
 *                 must remember between is in task->call.data and call.progress; it must find everything else anew.
 *     CALL_DONE   registers are set already (execve, rt_sigreturn), or the task has ended
 * Signals are no concern of a sys_ function: the dispatcher (kernel.c) looks for them when it wants to wait, and then
 * gives call.progress if that is not 0, else does what the table's column says: RESTART (the call is made again after
 * a handler with SA_RESTART, else EINTR), INTERRUPT (always EINTR), NEVER (waits on).
 *
 * Hostile callers. Every pointer and length is checked by user_read / user_write (machine_copy_in/out: the program's
 * own rights; EFAULT). A length is never trusted for an allocation: work in pieces of at most CHUNK bytes.
 * Everything a program can make more of is counted against a limit (kernel->limits).
 *
 * Nothing blocks the host thread: host descriptors are O_NONBLOCK, and waiting for them is kernel_watch_host.
 */
#ifndef LINUX_KERNEL_H
#define LINUX_KERNEL_H

#include <errno.h>

#include "linux/linux.h"
#include "machine/pages.h"
#include "machine/vcpus.h"

typedef struct Process Process;
typedef struct Mm Mm;
typedef struct File File;
typedef struct FdTable FdTable;
typedef struct FsState FsState;
typedef struct Signals Signals;
typedef struct Vfs Vfs;
typedef struct Setup Setup;

enum {
	CHUNK = 64 * 1024,
	PATH_LIMIT = 4096,   /* with the 0 */
	IOV_LIMIT = 1024,
};

/* Results that are no results. */
#define CALL_WAIT ((i64)-0x10000)
#define CALL_DONE ((i64)-0x10001)

typedef enum CallRestart { CALL_RESTART, CALL_INTERRUPT, CALL_NEVER } CallRestart;

typedef struct Syscall {
	u32 number;
	const char *name, *arguments;
	CallRestart restart;
	i64 (*call)(Task *task, const u64 *a);
} Syscall;

/* ---- Waiting (wait.c) ----
 * A queue is a list of tasks that want to be called again when something about an object changes. It is embedded in
 * the object; waking it takes everybody off. A task leaves all its queues before its call is made again. */
typedef struct Waiter Waiter;
typedef struct WaitQueue {
	Waiter *first;
	u64 wakes; /* how often wait_wake was called: what EPOLLET looks at */
} WaitQueue;

void wait_init(WaitQueue *queue);
void wait_fini(WaitQueue *queue); /* wakes them */
void wait_wake(WaitQueue *queue);
/* For a call that gives CALL_WAIT: any number of queues, and an hour (monotonic ns; the earliest counts). False: no
 * memory; give -ENOMEM. */
bool task_watch(Task *task, WaitQueue *queue);
void task_wait_hour(Task *task, u64 hour);
void task_unwatch(Task *task);
/* Makes its call be tried again (a signal came). */
void task_wake(Task *task);

/* What a call has to remember while it waits. Zero when a call begins. */
typedef struct Call {
	u64 number;
	u64 args[6];
	bool again;
	u64 hour;          /* of task_wait_hour; ~0 none */
	i64 progress;      /* what to give instead of EINTR: bytes done so far */
	u64 data[6];       /* the call's own (deadlines ...) */
	u64 started;       /* monotonic ns */
	u64 pc;            /* of the instruction that calls */
	CallRestart restart; /* as the table says; the call may change it before it gives CALL_WAIT */
} Call;

typedef struct AltStack {
	u64 base, size;
	u32 flags;
} AltStack;

/* A pending signal with what is known about it. */
typedef struct SignalInfo {
	i32 number, code, error;
	i32 pid, uid;      /* who sent it */
	u64 address;       /* faults; timers: overrun */
	u64 value;         /* sigval */
	i32 status;        /* SIGCHLD */
	i32 timer;
} SignalInfo;

typedef struct SignalQueue {
	u64 set;           /* bit n-1: signal n is in it */
	SignalInfo *infos; /* owned; in order of arrival */
	u32 count, cap;
} SignalQueue;

struct Task {
	Kernel *kernel;
	Process *process;
	Task *next;            /* of the process */
	u32 vcpu;
	i32 tid;
	char name[16];
	Call call;
	Waiter *waiters;       /* owned */
	u64 blocked;           /* signals, bit n-1 */
	u64 saved_blocked;     /* what sigsuspend, ppoll, pselect put aside */
	bool has_saved_blocked;
	SignalQueue pending;
	AltStack alt_stack;
	u64 clear_tid;         /* address, or 0 */
	u64 robust_list, robust_len;
	WaitQueue *vfork_done; /* owned: the parent waits there until exec or exit; or NULL */
	bool ending;
	u64 started_icount;
	/* Work for linux_attend, between two instructions: the call ended with CALL_DONE and its registers hold from
	 * resume_pc on; or it gave way to a signal, and is made again unless a handler says otherwise. */
	bool resumes, restarts;
	u64 resume_pc;
	struct FutexWait *futex; /* owned: what it waits for, or NULL (futex.c) */
	Task *next_dead;       /* of kernel->dead_tasks */
};

struct Process {
	Kernel *kernel;
	Process *next;         /* of kernel->processes */
	Process *parent;       /* NULL: the first one */
	i32 pid, pgid, sid;
	Task *tasks;
	Mm *mm;                /* counted reference; NULL when it is a zombie */
	FdTable *files;        /* likewise */
	FsState *fs;           /* likewise */
	Signals *signals;      /* handlers, counted */
	SignalQueue pending;   /* for any of its threads */
	bool zombie, exiting, stopped, continued, did_exec;
	i32 exit_code, exit_signal, stop_signal; /* exit_signal: what killed it, or 0 */
	i32 death_signal;      /* what the parent gets: SIGCHLD, or 0 */
	WaitQueue children_changed;
	u64 limits[16][2];     /* RLIMIT_*: soft, hard */
	u64 user_icount, children_icount;
	u32 user, group;       /* the effective ones */
	u32 real_user, real_group, saved_user, saved_group;
	u32 groups[32], group_count;
	WaitQueue signal_arrived; /* signalfd, sigtimedwait: woken by every signal that is sent */
	i32 nice, parent_death_signal;
	bool dumpable, no_new_privileges, subreaper, keeps_capabilities;
	struct Timers *timers; /* owned, or NULL */
	char *program;         /* owned: path of what it executes, in the guest */
	Buf arguments, environment, auxv; /* as it began: /proc/self/cmdline ... */
	u64 started;           /* monotonic ns */
	Process *next_dead;    /* of kernel->dead_processes */
};

typedef struct KernelLimits {
	u64 processes, files, open, storage, output;
} KernelLimits;

struct Kernel {
	Machine *machine;
	const LinuxAbi *abi;
	KernelLimits limits;
	Process *processes;    /* the first is init */
	Task **tasks;          /* by vCPU number; owned */
	u32 task_cap, task_count, process_count;
	i32 next_pid;
	i32 foreground;        /* process group of the terminal */
	Vfs *vfs;
	u64 open_files;        /* counted against limits.open */
	u64 storage;           /* bytes in memory files */
	u64 storage_given;     /* part of limits.storage: for what a snapshot brought that was given from outside */
	u64 output;            /* bytes on the console */
	bool stop_wanted; /* linux_stop_wanted */
	bool output_closed[3]; /* [1], [2]: linux_output_closed */
	u64 real_time;         /* ns since 1970 at machine time 0 */
	u64 slice_time, slice_start; /* ns of the host (LinuxConfig) */
	u32 quiet_calls;       /* since the clock was looked at, and before */
	const LinuxTerminal *terminal;
	char host_name[65];
	bool net, net_loopback, net_resets;
	u32 user, group;
	char *program;         /* owned: config.program */
	u64 given_bias;        /* where the program that the driver gave was loaded: when its process is gone, its names are still asked for */
	char **arguments, **environment; /* owned, ended by NULL */
	char *directory;
	MachineOutput trace;
	void *trace_ctx;
	struct Strace *strace; /* owned: the line that is open */
	u8 *reported;          /* unknown calls already told of, by number */
	WaitQueue console_input;
	WaitQueue outside_changed; /* what /dev/husk has may be another */
	u64 input_wanted;      /* bytes that somebody looked for on the console in vain (polls: 1) */
	File *files;           /* all open files */
	File *dying;           /* those whose last reference went, to be released one after the other */
	bool releasing;
	u64 file_serial;
	struct Streams *streams; /* owned: what pipes, sockets and terminals share (stream.h), or NULL */
	struct HostWatches *watches; /* hostwatch.c: host descriptors somebody waits for */
	struct FutexTable *futexes;
	struct KernelMemory *memory; /* mm_private.h; owned */
	struct TimerHeap *timers; /* timers.h; owned */
	/* Ended, but perhaps still in somebody's hands: given back when the next call begins. */
	Task *dead_tasks;
	Process *dead_processes;
	int end_signal;
	u64 end_place, end_address; /* the pc when that signal came; what it says about an address */
	i32 end_code;          /* its si_code */
	bool ended;
	bool loading;          /* a snapshot: what was open is opened again, whatever the programs may do now */
	bool closing;          /* everything goes: what ends wakes nobody */
	Setup *setup;          /* a reference, once somebody asked (setup.c); or NULL */
	struct HostRoot *roots; /* owned array: the folders of the host that it was given (vfs_private.h) */
	u32 root_count, root_cap;
	bool in_call;          /* a system call is at work: kernel_now may look at the clock */
	const char *denied;    /* what was refused, for the message at the end */
};

static inline Kernel *kernel_of(const Machine *machine)
{
	return *(Kernel *const *)machine_private((Machine *)(uintptr_t)machine);
}

/* ---- kernel.c ---- */
Task *task_current(Kernel *kernel);
u64 kernel_now(Kernel *kernel);       /* monotonic, ns */
u64 kernel_real_time(Kernel *kernel); /* ns since 1970 */
void kernel_random(Kernel *kernel, void *to, size_t len); /* as the machine's seed decides */
/* Whoever waits on the queue is woken when poll() finds one of `events` (POLLIN ...) on the descriptor. Once. */
bool kernel_watch_host(Kernel *kernel, int fd, short events, WaitQueue *queue);
const Syscall *kernel_syscall(u64 number);

/* ---- Times are ns; signed where files have them, which may be older than 1970 ---- */
enum { NS_IN_SECOND = 1000000000 };

static inline void time_to_timeval(u64 ns, u64 value[2])
{
	value[0] = ns / NS_IN_SECOND;
	value[1] = ns % NS_IN_SECOND / 1000;
}

/* Seconds, and the ns above them. */
static inline i64 time_to_seconds(u64 time, u32 *rest)
{
	i64 ns = (i64)time, left = ns % NS_IN_SECOND;

	*rest = (u32)(left < 0 ? left + NS_IN_SECOND : left);
	return ns / NS_IN_SECOND - (left < 0);
}

/* ---- user.c: the memory of the program that calls ---- */
bool user_read(Task *task, u64 address, void *to, u64 len);
bool user_write(Task *task, u64 address, const void *from, u64 len);
/* A text ended by 0, at most size - 1 bytes. Gives its length, -EFAULT, or -ENAMETOOLONG. */
i64 user_string(Task *task, u64 address, char *to, size_t size);
/* struct timespec -> ns. False: EFAULT, or *ns = ~0 for values that make no sense (EINVAL). */
bool user_timespec(Task *task, u64 address, u64 *ns);
bool user_put_timespec(Task *task, u64 address, u64 ns);
bool user_put_u32(Task *task, u64 address, u32 value);
bool user_put_u64(Task *task, u64 address, u64 value);

/* ---- strace.c ---- */
void strace_enter(Task *task);              /* before the call's first try */
void strace_leave(Task *task, i64 result);  /* as Linux would see it */
void strace_signal(Task *task, const SignalInfo *info);
void strace_exit(const Task *task, i32 code, i32 signal);
void strace_close(Kernel *kernel);

#endif
