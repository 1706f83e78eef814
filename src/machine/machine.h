/* SPDX-License-Identifier: MIT
 *
 * A machine: one Isa, its memory spaces, its vCPUs (one, unless the program starts more: vcpus.h), its devices, an engine, the console, and the clock (which counts
 * instructions). The only place that knows there are several engines.
 *
 *     machine_create -> guest->load / machine_write -> machine_reset -> machine_run ... -> machine_destroy
 *
 * Invariants:
 *  1. The whole state is slots + spaces + tables + console input queue + timers + who runs when + the guest's own
 *     bytes (machine_private);
 *     nothing else influences what the guest does. So machine_snapshot at any instruction boundary is complete.
 *  2. Everything from outside (input bytes, end of input, time) enters only through machine_input* and
 *     machine_set_time, stamped with the
 *     instruction count; the same stamps give the same run, bit for bit.
 *  3. machine_run retires exactly as many instructions as it says, in every engine.
 *
 * One thread at a time per machine; different machines are independent.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include "base/open_file.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/status.h"
#include "core/engine.h"
#include "isa/isa.h"
#include "machine/rights.h"

typedef struct Machine Machine;
typedef struct Guest Guest;

/* Why machine_run returned. */
typedef enum StopKind {
	STOP_BUDGET,     /* max_insns were executed */
	STOP_HALT,       /* the guest ended: code */
	STOP_WAIT,       /* waits for console input; feed machine_input or machine_input_end, then run again */
	STOP_BREAK,      /* breakpoint at pc (not executed) */
	STOP_WATCH,      /* watched cell accessed by the last instruction: space, address, write */
	STOP_FAULT,      /* access outside memory: space, address, write */
	STOP_ILLEGAL,    /* illegal instruction that no handler took */
	STOP_TRAP,       /* raise that no handler took (or a second one while handling): code = number */
	STOP_DENIED,     /* a host function that is not there or not allowed: text */
	STOP_INPUT_ENDED,/* polls the keyboard after the end of input, without end and without output */
	STOP_SLEEP,      /* every vCPU sleeps: run again when machine_set_time has reached code (ns); vcpus.h */
	STOP_DEADLOCK,   /* every vCPU waits for another one: text says who for what */
	STOP_FRAME,      /* the display wants to be shown (machines with one; once per `every` frame) */
	STOP_RETURN,     /* machine_call_run: the function has come to its end */
	STOP_ERROR,      /* Husk failed: status */
} StopKind;

typedef struct MachineStop {
	StopKind kind;
	u64 pc;       /* of the instruction concerned, or the next one */
	u64 code;     /* HALT, TRAP; SLEEP: when, in ns; DEADLOCK: 1 = they wake one another, but only to wait again */
	u32 vcpu;     /* the one concerned */
	u16 space;
	u64 address;
	bool write;
	Status status;
	const char *text; /* one line for people, borrowed from the machine until the next run */
	const char *reason; /* HALT, TRAP: the words for `code` alone, or NULL; borrowed likewise */
} MachineStop;

typedef enum HostResult {
	HOST_OK, HOST_WAIT, HOST_RAISE, HOST_STOP, HOST_DENIED,
	HOST_QUIET, /* OK, and it has changed nothing that the machine looks at between two instructions, or has said so
	               (machine_changed, machine_want_attention ...): the engine goes on */
} HostResult;

/* A host function. args are as the description passed them; *result is truncated to the declared width. For
 * HOST_RAISE and HOST_STOP *result is the number. HOST_WAIT must have changed nothing. */
typedef HostResult (*HostFunction)(Machine *machine, const u64 *args, unsigned count, u64 *result);

typedef struct HostEntry {
	const char *name;
	HostFunction function;
} HostEntry;

/* A host function of the program that Husk is a part of (libhusk): as HostFunction, with a context of its own. */
typedef struct MachineService {
	const char *name;
	HostResult (*call)(void *ctx, Machine *machine, const u64 *args, unsigned count, u64 *result);
	void *ctx;
} MachineService;

/* Of a file of which only the beginning is in memory: the way to the rest. It lives longer than the machine. */
typedef struct GuestFileRest {
	void *ctx;
	i64 (*read)(void *ctx, void *to, u64 len, u64 offset); /* bytes read, fewer at the end; < 0: -errno */
	bool (*all)(void *ctx); /* from now on all is at GuestFile.data, and zeros behind it to the end of a page of 4096. False: it cannot be */
} GuestFileRest;

/* A file given to run, whole in memory. */
typedef struct GuestFile {
	const char *name;
	const u8 *data;
	size_t len;
	const GuestFileRest *rest; /* only the first 4096 bytes are there, for now; or NULL: all. Guests that run Linux programs know of it */
	bool stays; /* the bytes stay there, and as they are, longer than the machine: they need not be copied */
	/* The text it was just compiled from (guest->languages), or NULL: for listings and lines. */
	const u8 *source;
	size_t source_len;
} GuestFile;

struct AsmProgram; /* asm/asm.h */
struct pollfd;     /* <poll.h> */

/* An object format the guest can write (husk asm -f NAME). The first is the default. */
typedef struct GuestFormat {
	const char *name;      /* "lc3tools", "classic" */
	const char *extension; /* ".obj" */
	Status (*write)(const struct AsmProgram *program, Buf *out, DiagList *diags);
} GuestFormat;

/* Takes what a symbol file knows. Texts are copied. */
typedef struct GuestNames {
	void *ctx;
	void (*symbol)(void *ctx, const char *name, size_t len, u16 space, u64 address);
	/* The text that made the cell at `address`; number 0 = not known. */
	void (*line)(void *ctx, u16 space, u64 address, u32 number, const char *text, size_t len);
} GuestNames;

/* A language of its own that the machine's programs are written in, when that is not its assembly. */
typedef struct GuestLanguage {
	const char *name;      /* "palladium", "tvm" */
	const char *extension; /* ".tvm" */
	bool to_assembly;      /* `out` is a text in the first dialect; else an object file that guest->load takes */
	/* Listing: what the compiler shows (may be NULL). Messages, with places, to diags. */
	Status (*compile)(const GuestFile *source, const Isa *isa, Buf *out, Buf *listing, DiagList *diags);
	/* After a run: what the program computed, if the language has such a thing (may be NULL). `compiled` is `out`. */
	void (*result)(const Machine *machine, const Buf *compiled, Buf *out);
} GuestLanguage;

/* The trace the original machine prints, where it has one (husk run --trace=NAME): texts around each instruction, to
 * stderr. `end` follows the last one. */
typedef struct GuestTrace {
	const char *name;
	void (*before)(Machine *machine, Buf *out);
	void (*after)(Machine *machine, Buf *out);
	void (*end)(Machine *machine, const MachineStop *stop, Buf *out);
} GuestTrace;

/* How the machine's own interactive shell talks (husk repl), where the original has one. What is NULL or 0 is done in
 * the general way. Pairs of texts stand before and behind what they are about, a line each. */
typedef struct GuestShell {
	const char *banner, *prompt, *farewell;
	const char *invalid;                 /* the answer to an unknown command */
	const char *failed;                  /* before a message of the assembler */
	const char *ask_file;                /* asks for the path of a file */
	const char *loading, *sending;       /* before a file is read; when it has been assembled */
	const char *no_file;                 /* before the reason why it could not be read */
	const char *events;                  /* before the events of a program that was spawned */
	const char *registers[2], *program[2], *symbols[2], *clear_registers[2];
	const char *head;                    /* lines that a saved program begins with */
	bool vectors;                        /* lists have brackets and an item a line; a program is listed as its cells */
	bool dots;                           /* `.quit` is a command, too (the original had dots before) */
	bool hex_lines;                      /* a line of bytes in hex is machine code */
	int crash_code;                      /* in the event of a crash; 0: husk run's exit code */
	/* What stands after a line for a register that changed: "cc: P" instead of "cc = 5"; nothing: it is not shown.
	 * False: "NAME = VALUE". */
	bool (*show_register)(const Machine *machine, u32 slot, u64 before, Buf *out);
	/* Changes of this cell are not the program's own business (the operating system's stack). */
	bool (*hides)(const Machine *machine, u16 space, u64 address);
	/* The program reaches to `end` of the code space now. */
	void (*extend)(Machine *machine, u64 end);
	/* The machine has halted: make it ready for the next line. */
	void (*resume)(Machine *machine);
} GuestShell;

/* What a .isa file cannot say: file formats, services. One const struct per guest folder. Every member may be NULL. */
struct Guest {
	const char *name;           /* "lc3" */
	const char *isa_name;       /* the `isa NAME` it belongs to: "LC-3" */
	const char *default_choices[4]; /* "profile=tiny"... applied unless the user chose; NULL-terminated */
	const HostEntry *hosts;     /* ended by {NULL, NULL} */
	/* How sure is it that the file is its own? 0 no .. 100 surely. By content first, then by name. */
	int (*recognize)(const GuestFile *file);
	/* Puts the files into the machine, in order. Messages to diags. Sets entry state after its own reset rules. */
	Status (*load)(Machine *machine, const GuestFile *files, u32 count, DiagList *diags);
	/* Called by machine_reset after registers have their reset values and before `on reset`. */
	void (*reset)(Machine *machine);
	const GuestFormat *formats; /* ended by {NULL}; an .asm file given to run is written in the first and then loaded */
	/* Symbol file in the machine's own form (.sym), or NULL. */
	void (*write_symbols)(const struct AsmProgram *program, Buf *out);
	/* The reverse: names and source lines in a file of the machine's own form (.sym, or an object file that
	 * carries them). STATUS_FORMAT: the file is none of these. */
	Status (*read_names)(const Machine *machine, const GuestFile *file, const GuestNames *names);
	const char *isa_text;       /* the embedded description, NUL-terminated */
	const void *isa_frozen;     /* the same, loaded (isa/isa_frozen.h), or NULL */
	/* State of its own beyond slots and spaces. */
	size_t private_size;
	const char *const *asm_extensions; /* of assembly texts, besides .asm and .s: ".iasm"; ended by NULL */
	const GuestLanguage *languages;    /* ended by {NULL} */
	const GuestTrace *trace;
	const GuestShell *shell;
	/* The original's own words for a fault, trap or illegal instruction ("invalid opcode: 99 at ip=2"), in front of
	 * Husk's; nothing when it has none. */
	void (*explain)(Machine *machine, const MachineStop *stop, Buf *out);
	/* Several vCPUs (vcpus.h). stop_ends_vcpu: `stop` ends only the vCPU that did it. vcpu_failed: a fault, trap or
	 * illegal instruction of one: true = only that one ends (the guest has said so to the user in `out`). */
	bool stop_ends_vcpu;
	bool (*vcpu_failed)(Machine *machine, const MachineStop *stop, Buf *out);
	/* "lock 'm', held by thread 2": for messages and debuggers. */
	void (*describe_wait)(const Machine *machine, u32 vcpu, u64 channel, Buf *out);
	/* The word for a vCPU: "thread", "core"; NULL = "vCPU". */
	const char *vcpu_word;
	/* What the original says about a run that stopped so: a line for each event ("Start", "Crash code 1"). */
	void (*events)(const Machine *machine, const MachineStop *stop, Buf *out);
	/* What the machine's own assembler would refuse in a text, in its words. With errors the text is not assembled. */
	void (*check_text)(const Source *source, DiagList *diags);
	/* husk dis: what a text needs besides instructions to make the same file. Asked at each cell the file brings. Either
	 * gives how many cells one item stands for, its text in `out`, with `label` (or NULL) in front; or 0, and `out`
	 * may have lines that belong before this cell, which is then written in the general way, as an instruction if
	 * *as_code. *lossy: the text can't make the same file. */
	u32 (*source_item)(Machine *machine, u64 address, const char *label, bool *as_code, bool *lossy, Buf *out);
	/* The debugger's line behind changed registers, about what they do not show: "stack=[ 1 2 ]". Nothing: no line. */
	void (*describe)(const Machine *machine, Buf *out);
	/* Figures about a run that has ended, a line each: the end of husk run --verbose. */
	void (*summary)(const Machine *machine, Buf *out);
	/* ---- Guests with an operating system of their own (src/linux) ---- */
	bool is_linux;        /* its private bytes begin with a Kernel pointer: linux/linux.h */
	/* An instruction left with EXIT_FAULT, _ILLEGAL or _RAISE and no handler of the description took it. True: the
	 * vCPU goes on at its slots; the attempt counts as one instruction. */
	bool (*exception)(Machine *machine, const VcpuExit *exit);
	/* machine_want_attention(vcpu) was called, and that vCPU is about to run and is current. */
	void (*attend)(Machine *machine);
	/* Nobody can run. True: somebody waits for something outside (a host descriptor, a signal), so machine_run gives
	 * STOP_SLEEP (code ~0 when there is no hour) instead of STOP_DEADLOCK. */
	bool (*waits_outside)(Machine *machine);
	/* Time has advanced (machine_set_time, or virtual time jumped): timers. Also between slices. */
	void (*time_passed)(Machine *machine);
	/* The hour of the earliest timer that `time_passed` looks for; ~0: none. */
	u64 (*next_hour)(Machine *machine);
	/* machine_stir was called: what outside services have to give may have changed. */
	void (*stirred)(Machine *machine);
	/* Console input has arrived, or its end (recorded and replayed as such). */
	void (*input_arrived)(Machine *machine);
	/* What snapshots need beyond slots, spaces and private bytes; and giving everything back. */
	Status (*save)(const Machine *machine, Buf *out);
	Status (*restore)(Machine *machine, const u8 *bytes, size_t len);
	/* As save, for machines of this process that were set up alike (below) and no others: what all of them have is left out. `held` gets the
	 * descriptors of the host that the bytes name: they must stay open as long as the bytes are there. It says no (STATUS_UNSUPPORTED) to
	 * what could not be had again as it is. May be NULL. */
	Status (*save_near)(const Machine *machine, Buf *out, OpenFiles *held);
	/* What save_near gave; pages are there. STATUS_MISMATCH: files have been changed meanwhile (machine_why). */
	Status (*restore_near)(Machine *machine, const u8 *bytes, size_t len);
	void (*fini)(Machine *machine);
	/* What was configured beside MachineConfig and is in no snapshot (folders of the host ...): a counted thing, NULL if there is
	 * nothing, that any thread may set another machine up alike with, before that one restores a snapshot. */
	Status (*setup)(const Machine *machine, void **out);
	void (*setup_put)(void *setup);
	Status (*set_up)(Machine *machine, void *setup);
	/* Descriptors of the host that its programs wait for: how many there are, of which `cap` are written. After poll():
	 * revents say what happened. Between runs of the machine. */
	u32 (*outside)(const Machine *machine, struct pollfd *fds, u32 cap);
	void (*outside_done)(Machine *machine, const struct pollfd *fds, u32 count);
	/* Asks its programs to end, as SIGTERM does. False: nobody is left who could be asked. */
	bool (*ask_to_end)(Machine *machine);
	/* Text for the end of a session ("exit code of HALT"): maps a halt code to a process exit code; NULL = code. */
	int (*exit_code)(const Machine *machine, u64 code);
};

typedef struct MachineConfig {
	const Isa *isa;      /* borrowed; must outlive the machine */
	const Guest *guest;  /* borrowed, may be NULL: a machine of an .isa alone */
	u64 memory_limit;    /* bytes over all spaces and tables, of paged ones what is present; 0 = 256 MiB */
	u8 address_bits;     /* of paged spaces: 2^n addresses; 0 = 38 (as RISC-V's Sv39 gives a process) */
	u64 size_program;    /* cells for spaces of `size NAME` before load; 0 = 65536 */
	u64 random_seed;     /* for `host random` and the jitter of quanta; deterministic */
	u64 jitter_seed;     /* besides, for the jitter alone */
	u32 vcpu_limit;      /* vCPUs at most; 0 = VCPU_LIMIT */
	u64 quantum;         /* instructions a vCPU runs at a time; 0 = 1000 */
	bool quantum_jitter; /* draw each quantum from 1 .. 2 * quantum - 1 */
	bool virtual_time;   /* sleep on the instruction count, not on time from outside */
	u64 instruction_ns;  /* virtual_time: 0 = 1000 */
	const EngineOps *engine; /* NULL = the best there is */
	const EngineOptions *engine_options; /* borrowed, must outlive the machine; NULL: all as usual */
	const MachineService *services; /* borrowed, must outlive the machine: they go before all others of their name */
	u32 service_count;
	const struct MachineFolders *folders; /* files for its programs (machine/files.h): the machine takes a reference; NULL: none */
	u64 disk_limit;      /* bytes that it may write to folders of the host while nobody stands around it (machine/outside.h); 0: any number */
	void *user;          /* machine_user */
	bool host_rights;    /* engines may let the host check rights of pages: they handle SIGSEGV then (jit/jit_signal.h) */
} MachineConfig;

Status machine_create(const MachineConfig *config, Machine **out, DiagList *diags);
void machine_destroy(Machine *machine);

/* Power-on: slots to reset values, spaces and tables cleared unless keep_memory, queues emptied, icount 0, then guest->reset and
 * `on reset`. */
void machine_reset(Machine *machine, bool keep_memory);

/* Runs at most max_insns further instructions. */
MachineStop machine_run(Machine *machine, u64 max_insns);

/* ---- Calling a function of the program from outside: between two runs, or within a host function that an instruction called (not a handler:
 * STATUS_INVALID). The function runs alone as the vCPU whose turn it is: no other vCPU, event, interrupt or signal comes in between. ---- */

enum { MACHINE_CALLS = 32 }; /* calls within calls at most */

/* Keeps the registers. *slots: those of the vCPU, to be set for the function, pc included: only within their widths.
 * STATUS_INVALID: the vCPU cannot run. STATUS_TOO_BIG: too deep. */
Status machine_call_begin(Machine *machine, u64 **slots);
/* Runs at most max_insns until it comes to return_pc: STOP_RETURN, and slots are as the function left them. Everything else is how the
 * function failed; STOP_BUDGET: it did not come to its end; STOP_WAIT: it would have to wait. *insns: how many it ran. In a host function
 * they are no part of the machine's own count. The kind of *stop, of which no more is set for STOP_RETURN. */
StopKind machine_call_run(Machine *machine, u64 return_pc, u64 max_insns, u64 *insns, MachineStop *stop);
/* The registers are as before. What it did to memory stays. */
void machine_call_end(Machine *machine);

/* For host functions of config.services: it changed what conditions or translations depend on. */
void machine_changed(Machine *machine);
/* For host functions that take long: the run stops behind this instruction, STOP_BUDGET, whatever is left of max_insns.
 * The program notices nothing. */
void machine_break_soon(Machine *machine);
/* The next run ends, as by machine_break_soon, when it is later than `until` by this clock: looked at after a number of
 * things that take longer than instructions (host calls, devices, first touches, new code). NULL: never. */
void machine_set_patience(Machine *machine, u64 (*clock)(void), u64 until);
u64 machine_icount(const Machine *machine);
/* What runs it: for those who chose it and know its insides. */
const Engine *machine_engine(const Machine *machine);

/* ---- State ---- */
const Isa *machine_isa(const Machine *machine);
const Guest *machine_guest(const Machine *machine);
void machine_set_user(Machine *machine, void *user);
void *machine_private(Machine *machine); /* guest->private_size bytes, zero at creation */
u64 machine_slot(const Machine *machine, u32 slot);
void machine_get_slots(const Machine *machine, const u32 *slots, u32 count, u64 *values);
void machine_set_slot(Machine *machine, u32 slot, u64 value); /* truncated to the register's width */

/* What a Machine begins with (machine_private.h): for the functions below alone, which services need in each of their calls. */
typedef struct __attribute__((may_alias)) MachineFront {
	Vcpu vcpu;
	void *user;
	bool stirred;
} MachineFront;

static inline void *machine_user(const Machine *machine) /* config.user */
{
	return ((const MachineFront *)(const void *)machine)->user;
}
/* All of them, of the vCPU that is shown: until the guest runs on or one is set. */
static inline const u64 *machine_slots(const Machine *machine)
{
	return ((const MachineFront *)(const void *)machine)->vcpu.slots;
}
/* machine_set_slot for a register that is known to be there and to hold this value. Not the pc. */
static inline void machine_put_slot(Machine *machine, u32 slot, u64 value)
{
	MachineFront *front = (MachineFront *)(void *)machine;

	front->vcpu.slots[slot] = value;
	front->stirred = true;
}

u64 machine_pc(const Machine *machine);
void machine_set_pc(Machine *machine, u64 pc);
u64 machine_view(Machine *machine, u16 view);
Status machine_set_view(Machine *machine, u16 view, u64 value);
/* Cells without side effects; STATUS_RANGE outside. Writing invalidates translated code. */
Status machine_read(const Machine *machine, u16 space, u64 address, u64 *value);
Status machine_write(Machine *machine, u16 space, u64 address, u64 value);
u64 machine_cells(const Machine *machine, u16 space);
Status machine_resize(Machine *machine, u16 space, u64 cells);
/* A cell of a `table` of the description (indexes into isa->tables and its columns). Setting one makes the rows up to
 * it; new cells are 0. STATUS_RANGE: wider than the column, or (get) no such row. STATUS_TOO_BIG: more than 2^20 rows
 * or beyond the memory limit. Tables are part of the program: machine_reset empties them unless memory is kept. */
Status machine_set_table(Machine *machine, u16 table, u16 column, u64 row, u64 value);
Status machine_get_table(const Machine *machine, u16 table, u16 column, u64 row, u64 *value);
u64 machine_table_rows(const Machine *machine, u16 table);
/* Decodes the instruction at pc from memory, without side effects. */
void machine_decode(const Machine *machine, u64 pc, IsaDecoded *out);

/* ---- Console ---- */
typedef void (*MachineOutput)(void *ctx, const u8 *bytes, size_t len);
/* NULL drops the output. Called while running, at least before each return of machine_run (buffered between). */
void machine_set_output(Machine *machine, MachineOutput output, void *ctx);
/* Where the words of guest->vcpu_failed go, behind what was put out before; NULL: to the output. */
void machine_set_errors(Machine *machine, MachineOutput errors, void *ctx);
/* Notes of the guest about what happens in its machine, a line each, for those who want to follow it (husk run
 * --verbose). Dropped while nobody receives them; no part of the machine's state. The output so far is flushed first. */
void machine_set_notes(Machine *machine, MachineOutput notes, void *ctx);
void machine_note(Machine *machine, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool machine_wants_notes(const Machine *machine);
void machine_input(Machine *machine, const u8 *bytes, size_t len);
void machine_input_end(Machine *machine);
u64 machine_input_pending(const Machine *machine);
bool machine_input_ended(const Machine *machine);
u64 machine_output_bytes(const Machine *machine); /* written since reset */
/* Which right a host function of the description (index into isa->hosts) needs, by name: "output", "input", "random", "vcpus",
 * "time"; "services" for one of the guest's own. */
const char *machine_host_group(const Machine *machine, u32 host);
/* What it may do from now on (a set of MAY_...); between two runs. Not part of a snapshot. */
void machine_set_rights(Machine *machine, u32 rights);
bool machine_may(const Machine *machine, Right right);
/* Takes it away: who calls it stops with STOP_DENIED. Not part of a snapshot. config.services stay. */
void machine_deny_host(Machine *machine, u32 host);
/* For host functions: */
/* guest->attend is called before that vCPU executes its next instruction. If it waits (for input, a channel, an hour) it
 * is READY from now on: what it waited for is tried again, unless attend makes it do something else. A host function that
 * wants its own vCPU to go on elsewhere (execve) needs this, too: the instruction sets the pc when it ends. */
void machine_want_attention(Machine *machine, u32 vcpu);
void machine_set_seed(Machine *machine, u64 seed); /* of that generator; also at the next reset */
u64 machine_random(Machine *machine); /* the next number of the generator that `host random` has */
void machine_put(Machine *machine, const u8 *bytes, size_t len);        /* to the output */
void machine_put_errors(Machine *machine, const u8 *bytes, size_t len); /* where machine_set_errors says, behind it */
void machine_putc(Machine *machine, u8 byte);
bool machine_key_ready(Machine *machine);
int machine_key(Machine *machine); /* 0..255; -1: none yet; -2: end of input */
/* For host functions that have found the end: it was not the last, as with Ctrl-D on a terminal. */
void machine_input_resume(Machine *machine);
/* Words for the `raise` or `stop` that must follow in this instruction, instead of the description's. */
void machine_explain(Machine *machine, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The byte that machine_key would give after `ahead` others; takes nothing. */
int machine_peek(const Machine *machine, size_t ahead);

/* ---- Stops wanted by a debugger ---- */
Status machine_break_set(Machine *machine, u64 pc, bool on);
Status machine_watch_set(Machine *machine, u16 space, u64 address, u64 count, bool reads, bool writes, bool on);
/* Ignores a breakpoint at the current pc for the next instruction. */
void machine_skip_break(Machine *machine);

/* ---- Snapshots (docs/snapshot-format.md) ---- */
/* The first bytes of every snapshot. */
#define MACHINE_SNAPSHOT_MAGIC "HUSKSNAP"
#define MACHINE_SNAPSHOT_VERSION 4
/* What a snapshot says about the machine it is of, so that a like one can be made to restore it into. */
typedef struct SnapshotHead {
	char guest[32];     /* guest->name, or "" */
	char isa[64];       /* isa->name */
	char choices[512];  /* the options as they were chosen: "profile=v3 order=big" */
	u64 isa_hash;
	u32 version;        /* of the format; STATUS_MISMATCH, and no more is known, when it is not MACHINE_SNAPSHOT_VERSION */
} SnapshotHead;
Status machine_snapshot_head(const u8 *bytes, size_t len, SnapshotHead *out);
Status machine_snapshot(const Machine *machine, Buf *out);
/* All or nothing: on error the machine is as before; unless it has an operating system whose state can't be saved (a connection
 * of the host ...): then a snapshot whose guest's part makes no sense leaves a machine without programs. STATUS_FORMAT, _MISMATCH (other isa, options or version),
 * _CORRUPT, _TRUNCATED. */
Status machine_restore(Machine *machine, const u8 *bytes, size_t len);
/* Why the last machine_snapshot or machine_restore said no, as far as its status does not tell: "descriptor 3 of process 1
 * (server) is a connection of the host"; "": nothing to add. Borrowed until the next one. set_why: for guests. */
const char *machine_why(const Machine *machine);
void machine_set_why(Machine *machine, const char *why);

/* ---- Recording: what reverse execution replays ---- */
typedef enum MachineEventKind {
	EVENT_INPUT, EVENT_INPUT_END, EVENT_TIME,
	EVENT_CLOCK, /* within an instruction: what machine_clock was told */
	EVENT_FILE,  /* likewise: what came of a file service */
} MachineEventKind;
typedef struct MachineEvent {
	u64 icount;
	u64 place;    /* how much of the work between two instructions was done then (machine_private.h) */
	MachineEventKind kind;
	u64 time;     /* TIME, CLOCK: what it is now, in ns. FILE: the answer */
	u32 len;
	const u8 *bytes; /* owned by the machine's log */
} MachineEvent;
void machine_record(Machine *machine, bool on);
u32 machine_event_count(const Machine *machine);
const MachineEvent *machine_event(const Machine *machine, u32 index);
/* After machine_restore: entries from `index` on lie ahead, and machine_run lets them in when their time comes. New
 * input from outside drops the entries that still lie ahead. The log survives machine_restore, not machine_reset. */
void machine_replay_from(Machine *machine, u32 index);
u32 machine_replay_position(const Machine *machine);
/* Drops the entries that lie ahead. */
void machine_replay_forget(Machine *machine);

/* ---- Display ---- */
bool machine_display(const Machine *machine, u32 *width, u32 *height);
u64 machine_display_cell(const Machine *machine, u32 x, u32 y);

typedef struct MachineStats {
	u64 icount, blocks, translated, output_bytes, input_bytes, interrupts, memory_bytes;
	u64 memory_most; /* the most that memory_bytes was, where pages come and go with address spaces */
	u64 key_polls; /* looks at the keyboard that found nothing; a front end may sleep when there were only these */
} MachineStats;
void machine_stats(const Machine *machine, MachineStats *out);
/* What its engines have counted, those of address spaces that are gone included. */
void machine_engine_stats(const Machine *machine, EngineStats *out);
/* Another limit; what is there stays, also if it is more. For machines whose memory is in pages. */
void machine_set_memory_limit(Machine *machine, u64 bytes);
u64 machine_memory_limit(const Machine *machine); /* bytes: config.memory_limit, or its default */
u64 machine_memory_used(const Machine *machine);  /* bytes that count against it */
u64 machine_memory_most(const Machine *machine);  /* what it can come to: the limit, where anything can grow */

#endif
