/* SPDX-License-Identifier: MIT
 *
 * The Linux personality: one Machine is one computer that runs Linux programs. What a kernel would do is done here, in
 * C, on the guest's memory: processes are address spaces of the machine (machine/pages.h), threads its vCPUs, files a
 * virtual file system of its own. No system call reaches the host by itself: what of the host a program may see was
 * given in LinuxConfig, and everything else is denied.
 *
 *     rv64.isa: ecall = host syscall() --> guests/rv64 (registers, signal frames: LinuxAbi) --> linux/ (what they mean)
 *
 * What an instruction set has to say about itself is in LinuxAbi; the rest knows no instruction set.
 * One thread at a time per machine, as for the machine itself. Needs a Linux host.
 */
#ifndef LINUX_LINUX_H
#define LINUX_LINUX_H

#include <poll.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/status.h"
#include "machine/machine.h"

typedef struct Kernel Kernel;
typedef struct Task Task;

/* A folder or file of the host that programs see. */
typedef struct LinuxMount {
	const char *host, *guest; /* guest: an absolute path */
	bool read_only;
} LinuxMount;

/* The terminal behind the console, if there is one. Descriptors 0, 1, 2 as bits. All may be NULL. */
typedef struct LinuxTerminal {
	void *ctx;
	u32 is_terminal;
	u32 is_closed; /* programs don't have these */
	bool can_stop; /* the driver asks linux_stop_wanted */
	/* struct termios and winsize of Linux, as bytes (36, 8); false: no. */
	bool (*get_mode)(void *ctx, u8 *termios);
	bool (*set_mode)(void *ctx, const u8 *termios);
	bool (*get_size)(void *ctx, u8 *winsize);
} LinuxTerminal;

typedef struct LinuxConfig {
	const char *const *arguments; /* argv; argument_count of them. 0: the program's name alone */
	u32 argument_count;
	const char *const *environment; /* "NAME=value" */
	u32 environment_count;
	const char *program;      /* its path in the guest, absolute; NULL: "/" and the last part of the file's name */
	const char *root;         /* host folder that is the guest's / : -L (read-only) or --root */
	bool root_writable;       /* copy-on-write: changes are kept in memory, or in root_changes */
	const char *root_changes; /* host folder for them, or NULL */
	const LinuxMount *mounts;
	u32 mount_count;
	const char *directory;    /* where the program starts, in the guest; NULL = "/" */
	const char *host_name;    /* NULL = "husk" */
	bool net;                 /* sockets of the Internet families through the host */
	bool net_loopback;        /* ... but only with this computer itself: 127.0.0.0/8 and ::1 */
	/* Snapshots, images and forks may have sockets of the Internet: there they are as if the other side had reset them (ECONNRESET).
	 * Otherwise a machine that has one can't be saved. Both sides must allow it. */
	bool net_resets;
	u64 real_time;            /* ns since 1970 at machine time 0 */
	/* ns of the host: machine_run ends early (STOP_BUDGET) when a system call finds that so much has passed since it
	 * last did so. Calls may take a thousand times as long as instructions, and limits of time are looked at between
	 * runs. 0: it never ends early. */
	u64 slice_time;
	u32 user, group;
	/* Limits; 0 = the default. Memory is the machine's own limit, threads its vCPU limit. */
	u64 process_limit;        /* processes alive at once: 256 */
	u64 file_limit;           /* descriptors of one process: 1024 */
	u64 open_limit;           /* open files of all together: 16384 */
	u64 storage_limit;        /* bytes in files kept in memory: 1 GiB */
	u64 output_limit;         /* bytes written to the console: no limit */
	const LinuxTerminal *terminal; /* borrowed, or NULL */
	/* A line for each call, as strace prints it; NULL: none. */
	MachineOutput trace;
	void *trace_ctx;
	/* Calls that do not exist here, when there is no trace: told at the end by guest->summary. */
} LinuxConfig;

/* Before the program is loaded (guest->load). What is borrowed need only live during the call, but for `terminal` and
 * `trace`. Messages (a folder that is not there) to diags. STATUS_UNSUPPORTED: the
 * description is not one that Linux programs can run on (a learner's own RV64GC): a machine without a system. */
Status linux_configure(Machine *machine, const LinuxConfig *config, DiagList *diags);

/* A signal from outside, to the foreground process group (SIGINT, SIGWINCH, SIGCONT) or the first process (the others).
 * STATUS_NOT_FOUND: nobody is left. */
Status linux_signal(Machine *machine, int number);
/* SIGTERM to the first process. False: nobody is left. */
bool linux_ask_to_end(Machine *machine);
/* Would the programs in the foreground do something of their own about SIGTSTP: handle it, ignore it, or stop and be
 * continued by a shell of theirs? If not, it is the driver itself that should stop. */
bool linux_has_job_control(const Machine *machine);
/* Programs in the foreground stopped by SIGTSTP, and no shell of theirs is there to continue them: the driver stops as
 * well, and gives them SIGCONT afterwards. Says it once. Only where terminal->can_stop; elsewhere they go on. */
bool linux_stop_wanted(Machine *machine);
/* The run ended because the first process did: by this signal, or 0. */
int linux_end_signal(const Machine *machine);
/* That signal came from an instruction (a fault, not kill()): its place, and for SIGSEGV and SIGBUS the address that it
 * wanted (else 0). */
bool linux_end_place(const Machine *machine, u64 *pc, u64 *address);
/* What a program was refused last ("memory limit of 32 MiB reached"), or NULL. Borrowed. */
const char *linux_denied(const Machine *machine);

/* How many bytes of console input a program waits for at most (a read; for poll and its like: 1). 0: nobody waits, and
 * the driver should read nothing: what nobody reads stays with whoever runs next on the same terminal or pipe. */
u64 linux_wants_input(const Machine *machine);
/* Nobody reads the output (1) or the errors (2) any more: writes to it give EPIPE, and SIGPIPE, from now on. */
void linux_output_closed(Machine *machine, int fd);
/* Descriptors of the host that programs wait for. Gives how many there are, of which `cap` are written. */
u32 linux_poll_set(const Machine *machine, struct pollfd *fds, u32 cap);
/* After poll(): revents say what happened; between slices and after STOP_SLEEP. */
void linux_poll_done(Machine *machine, const struct pollfd *fds, u32 count);

/* ---- What an instruction set says about itself ---- */

typedef struct LinuxRegisters { /* numbers of slots */
	u32 pc, sp, tls, result, number; /* result: also the first argument where both are one register */
	u32 args[6];
} LinuxRegisters;

typedef struct LinuxAbi {
	const char *machine_name;  /* uname: "riscv64" */
	u16 elf_machine;           /* EM_RISCV 243 */
	u32 elf_flags_refused;     /* e_flags bits that it can't run */
	u64 hwcap;                 /* AT_HWCAP */
	LinuxRegisters registers;
	u32 call_length;           /* of the instruction that calls */
	/* Code that every program finds in its vDSO page: the return from signal handlers. */
	const u8 *trampoline;
	u32 trampoline_len;
	/* Signal frames. save: everything of the current vCPU into the frame's machine context, `frame_size` bytes (a
	 * multiple of 16) that lie above siginfo (128 bytes): struct ucontext as Linux lays it out for this machine.
	 * restore: the reverse, false when it makes no sense. */
	u32 frame_size;
	u32 mask_offset, stack_offset; /* of uc_sigmask and uc_stack in it */
	void (*save)(Machine *machine, u8 *frame);
	bool (*restore)(Machine *machine, const u8 *frame);
	/* Registers for the handler: number, address of siginfo, of the context, where it returns to. */
	void (*enter)(Machine *machine, u64 handler, u64 stack, u64 number, u64 info, u64 context, u64 back);
	/* Which signal an exit of the engine is (SIGILL, SIGTRAP, SIGBUS, SIGFPE), its si_code and si_addr; 0: none. Faults
	 * of memory are not asked here. */
	int (*signal_of)(const Machine *machine, const VcpuExit *exit, i32 *code, u64 *address);
	/* All registers as at the start of a program. */
	void (*reset)(Machine *machine);
} LinuxAbi;

/* ---- For the guest's folder: members of its Guest struct, and host functions ---- */

Status linux_create(Machine *machine, const LinuxAbi *abi); /* from guest->reset or load: private bytes = Kernel * */
HostResult linux_syscall(Machine *machine, const u64 *args, unsigned count, u64 *result);
HostResult linux_flush_code(Machine *machine, const u64 *args, unsigned count, u64 *result);
int linux_recognize(const GuestFile *file, u16 elf_machine);
/* For husk run, when nobody takes the file: is it a program of another machine? Then in `why`: "a program for x86-64,
 * not for riscv64". */
bool linux_refuses(const GuestFile *file, u16 elf_machine, const char *machine_name, Buf *why);
Status linux_load(Machine *machine, const GuestFile *files, u32 count, DiagList *diags);
/* Symbols of the program, where it was loaded: guest->read_names. */
Status linux_read_names(const Machine *machine, const GuestFile *file, const GuestNames *names);
bool linux_exception(Machine *machine, const VcpuExit *exit);
void linux_attend(Machine *machine);
bool linux_waits_outside(Machine *machine);
void linux_time_passed(Machine *machine);
u64 linux_next_hour(Machine *machine);
void linux_input_arrived(Machine *machine);
void linux_stirred(Machine *machine);
/* Snapshots (save.h; docs/snapshot-format.md). Words for a refusal: machine_why. */
Status linux_save(const Machine *machine, Buf *out);
Status linux_restore(Machine *machine, const u8 *bytes, size_t len);
/* For machines of this process that were set up alike (linux_set_up) alone: what all of them have is left out. STATUS_UNSUPPORTED also where
 * names lead to files of the host. */
Status linux_save_near(const Machine *machine, Buf *out, OpenFiles *held);
Status linux_restore_near(Machine *machine, const u8 *bytes, size_t len);
/* What it was configured with, to set up others alike that are given a snapshot of it: a counted thing (setup.c). */
Status linux_setup(const Machine *machine, void **out);
void linux_setup_put(void *setup);
Status linux_set_up(Machine *machine, void *setup);
void linux_fini(Machine *machine);
void linux_describe_wait(const Machine *machine, u32 vcpu, u64 channel, Buf *out);
void linux_summary(const Machine *machine, Buf *out);

#endif
