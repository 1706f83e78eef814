/* SPDX-License-Identifier: MIT
 *
 * The inside of a Machine, shared by the files of this folder.
 *
 * Between two instructions lies a *boundary*. What a machine does there is a fixed list of steps (`steps`), worked
 * off once per boundary and in this order:
 *
 *     every handlers | frame | event handlers, one step each, in file order | interrupts (one step) |
 *     phase 0          ...                                                                         step_count
 *
 * `phase` counts the steps that are done at the present boundary; a stop in the midst of them (a frame, a `stop` in
 * a handler) goes on with the next one. With several vCPUs the boundary begins with the decision who runs next
 * (schedule.c); an instruction that must wait leaves the boundary to somebody else, for whom events and interrupts
 * are looked at anew. `turns` counts these. Retiring an instruction puts phase and turns back to 0. (icount, turns,
 * phase) is the machine's place in time: input is stamped with it and snapshots hold it, so how a run is cut into
 * calls of machine_run never shows in what the guest does.
 *
 * Inside the engine boundaries are crossed without looking. That is sound because the `when` conditions depend only
 * on registers marked irq and on the input queue; the engine leaves after a write to the former, and the latter
 * changes only between runs and in calls of the host, after which it leaves, too, unless they say that they have changed
 * nothing of that kind (HOST_QUIET).
 */
#ifndef MACHINE_MACHINE_PRIVATE_H
#define MACHINE_MACHINE_PRIVATE_H

#include "base/rng.h"
#include "ir/ir.h"
#include "machine/machine.h"
#include "machine/files.h"
#include "machine/outside.h"
#include "machine/pages.h"
#include "machine/vcpus.h"

enum {
	MACHINE_OUTPUT_CHUNK = 4096,
	MACHINE_IDLE_LIMIT = 1000000, /* fruitless looks at the keyboard after the end of input */
	MACHINE_TABLE_ROWS = 1 << 20, /* of one table */
	MACHINE_INPUT_MAX = 1 << 28,  /* bytes waiting at most; more are dropped */
	MACHINE_VCPU_MAX = 4096,      /* whatever the configuration says */
	MACHINE_ASPACES = 2 * MACHINE_VCPU_MAX,
	MACHINE_TURNS = 1 << 20,      /* tries at one boundary; more: nobody gets anywhere */
};

typedef enum StepKind { STEP_EVERY, STEP_FRAME, STEP_EVENT, STEP_INTERRUPTS } StepKind;

typedef struct Step {
	StepKind kind;
	u32 handler; /* EVERY, EVENT: index into isa->handlers */
} Step;

/* What a handler of the description became. Lifted at first use. */
typedef struct LiftedHandler {
	IrFunc *when, *body; /* in machine->arena; NULL: not lifted yet */
	bool wakes;          /* body calls the host, or nothing is known: look at the conditions after it */
	bool stirs;          /* body may write registers that conditions or translations depend on */
	bool polls;          /* READ: reads a register that an event handler writes, that is, looks at the keyboard */
	bool analysed;
} LiftedHandler;

typedef struct LiftedView {
	IrFunc *get, *set;
} LiftedView;

typedef struct Watch {
	u16 space;
	u64 address, count;
	bool reads, writes;
} Watch;

typedef struct MachineTable {
	u64 *cells;  /* owned: row after row, a number per column */
	u64 rows, cap;
} MachineTable;

/* One of the vCPUs. The one that is shown has its slots and private spaces in machine->vcpu: the array of slots is
 * the same, of the Space structs those there are valid and the ones here are not. */
typedef struct VcpuRecord {
	u64 *slots;      /* owned: as Vcpu.slots; stays when the number is free */
	Space *spaces;   /* owned: [private_count] */
	VcpuState state; /* never PAUSED: that lies above it */
	bool paused;
	u64 channel;     /* WAIT_CHANNEL: which */
	u64 wake_at;     /* SLEEPING: until when; WAIT_CHANNEL: at the latest then */
	u64 code;        /* ENDED, FAILED */
	u64 serial;
	u64 icount;      /* of its own; the running one has done more since machine->came_up */
	u32 aspace;      /* it lives in; ASPACE_NONE: in none any more */
	bool attention;  /* machine_want_attention */
} VcpuRecord;

/* An address space. The one that is *mapped* has its Space in machine->vcpu.spaces, as with VcpuRecord, and its engine is
 * machine->engine. */
typedef struct Aspace {
	Space space;
	Engine *engine;  /* owned; NULL: the number is free */
	bool released;   /* nobody lives in it any more; it goes when another one is mapped */
} Aspace;

struct Machine {
	/* These as MachineFront has them. */
	Vcpu vcpu;                /* the vCPU that is shown. spaces owned, slots those of its record */
	void *user;
	bool stirred;             /* a handler ran at this boundary: look again after one instruction */

	u64 *slot_mask;           /* owned: bits a slot may hold; 0 for a hard-wired register */
	const Isa *isa;           /* borrowed */
	const Guest *guest;       /* borrowed, or NULL */
	u64 memory_limit, size_program, random_seed;
	u64 *first_cells;         /* owned: the sizes of the spaces at power-on */
	MachineTable *tables;     /* [table_count], owned */
	u32 table_count;          /* isa->table_count */
	void *private_bytes;      /* owned */
	size_t private_size;

	VcpuRecord *vcpus;        /* [vcpu_count], owned */
	u32 vcpu_count, vcpu_cap, vcpu_limit;
	u32 used;                 /* of them, not FREE */
	u64 ready[MACHINE_VCPU_MAX / 64]; /* bit n: number n is READY and not paused */
	u64 next_wake;            /* no sleeper's hour is before it */
	u16 *private_spaces;      /* owned: numbers of the spaces that each vCPU has for itself */
	u32 private_count;
	u32 running;              /* whose quantum it is */
	u32 shown;                /* whose registers `vcpu` holds; while machine_run is at work, the running one */
	bool created;             /* machine_create has come to its end */
	bool inside;              /* machine_run is at work */
	u32 evals;                /* handlers and views at work */
	u32 calls;                /* machine_call: how deep */
	u64 *call_slots[MACHINE_CALLS]; /* owned: registers and temporaries before each of them, others as spares; NULL until needed */
	bool alone;               /* only the running one is in use, and it is ready: nothing to schedule. Becomes true in
	                             decisions alone, so that they are made at the same places in every run */
	u32 turns;                /* decisions who runs, and tries that came to nothing, at the present boundary */
	u64 came_up;              /* instruction count when the running one's own was brought up to date */
	u64 quantum, quantum_end; /* end: instruction count; of no meaning while `alone` */
	bool jitter, virtual_time;
	u64 instruction_ns;
	u64 time;                 /* real: as machine_set_time said. virtual: what was skipped by sleeping */
	u64 next_serial, last_code, jitter_seed;
	Rng jitter_rng;
	bool undone;              /* the running one was made to wait: what it was about to do has not happened */
	bool wants_channel;       /* machine_wait_for was called: for the channel, if the host function now waits */
	u64 wanted_channel, wanted_hour;
	bool time_moved;          /* by jumps or from outside, and guest->time_passed has not been told */
	MachineClock clock_function;
	void *clock_ctx;
	u64 *saved_slots;         /* owned: registers before a handler, put back when it fails */
	u64 *slot_reset;          /* owned: value at power-on (of a hard-wired one: always) */
	u8 *slot_wakes;           /* owned: 1 = context or irq register */
	u32 *wake_slots;          /* owned: their numbers */
	u32 wake_count;
	u32 context_slots[64];    /* the registers that make the translation key, and where each stands in it */
	u8 context_shifts[64];
	u32 context_count;
	const EngineOps *ops;
	EngineEnv env;            /* of every engine */
	size_t code_bytes;        /* what they keep of translated code */
	u64 past_blocks, past_translated; /* statistics of engines that are gone */
	EngineStats past;
	u64 slow[ENGINE_SLOWS];   /* accesses that came to machine_env_read and _write */
	Engine *engine;           /* owned, unless there are address spaces: they own theirs */

	u16 paged_space;          /* ISA_NONE: there is none */
	Aspace *aspaces;          /* [aspace_count], owned */
	u32 aspace_count, aspace_cap;
	u32 mapped;               /* number of the address space that vcpu.spaces and engine are of */
	u64 present;              /* pages, over all address spaces */
	u64 present_most;         /* the most of them that ever were */
	MachinePager pager;
	bool host_rights;
	u32 seams;                /* of all address spaces (core/space.h) */

	Arena arena;              /* lifted handlers and views */
	LiftedHandler *handlers;  /* [isa->handler_count], owned */
	LiftedView *views;        /* [isa->view_count], owned */
	u8 *event_slots;          /* owned: 1 = written by an event handler; NULL until first needed */
	HostFunction *hosts;      /* [isa->host_count], owned; NULL = denied */
	bool *host_outside;       /* [isa->host_count], owned: those of services_outside.c and services_files.c */
	u8 *host_needs;           /* [isa->host_count], owned: which right each needs; RIGHT_COUNT: none */
	u32 rights;
	const MachineOutside *outside; /* outside_own, or NULL */
	MachineOutside outside_own;
	u64 files;                /* that the guest has open */
	MachineDisk disk;         /* take NULL: nobody's; then what follows */
	u64 disk_limit, disk_used; /* of its own: machine_disk_take */
	bool disk_told;           /* that it has been reached */
	const MachineFolders *folders; /* a reference, or NULL */
	struct FileHandle *handles; /* [FILE_HANDLES], owned; NULL until needed (services_files.c) */
	u32 handle_count;         /* of them, open */
	EngineService *services;  /* [isa->host_count], owned: those of the program that Husk is a part of; go before hosts[] */
	u32 on_illegal, on_raise, on_fault, on_reset; /* indexes into isa->handlers or NO_HANDLER */

	Step *steps;              /* owned */
	u32 step_count;
	u32 own_step;             /* the first that looks at registers of the vCPU to run: behind `every` and frame */
	u32 phase;
	bool break_soon;          /* machine_break_soon */
	u64 (*patience_clock)(void); /* machine_set_patience; or NULL */
	u64 patience_until;
	u32 slow_left;            /* slow things until it is looked at */

	u8 *input;                /* owned: bytes input_at .. input_len are waiting */
	size_t input_at, input_len, input_cap;
	bool input_ended;
	u64 input_total;          /* bytes that ever arrived since reset */
	u64 idle_polls;
	bool idle_hit;
	bool in_when;             /* a condition is being evaluated: its looks at the keyboard are no polls */
	u64 key_polls;            /* for statistics */

	Buf output;
	MachineOutput errors_function; /* or NULL */
	void *errors_ctx;
	MachineOutput output_function;
	void *output_ctx;
	MachineOutput notes_function;
	void *notes_ctx;
	u64 output_total;

	Rng rng;

	u64 *breaks;              /* owned, sorted */
	u32 break_count, break_cap;
	bool skip_break;
	u64 skip_pc;
	Watch *watches;           /* owned */
	u32 watch_count, watch_cap;
	struct MachineWindow *windows; /* owned; each holds a reference (shared.h) */
	u32 window_count;

	bool recording;
	MachineEvent *log;        /* owned; bytes of each entry owned */
	u32 log_count, log_cap;
	u32 replay_at;            /* first entry of the log that has not happened yet */

	u64 interrupts;           /* entries, for statistics */
	MachineStop failure;      /* kind STOP_BUDGET: none; else what `on reset` came to, given by every run */
	char text[200];
	char why[200]; /* machine_why */
	u8 lacked;     /* the last host function was denied: the right that it wanted; RIGHT_COUNT: it is not there */
	const char *lacked_name; /* borrowed: what it is called; NULL: by the description */
	char reason[120], said[120]; /* machine_explain: not given out yet; of the last stop */
	Buf story;                /* texts that are longer */

	Buf packing;              /* park.c: the words of the present delta */
	u64 image_serial;         /* park_pages.c: of the image that its memory lies over; 0: none */
	u64 recoded;              /* cells of code that unpacking and unwinding changed */
};

_Static_assert(offsetof(struct Machine, vcpu) == offsetof(MachineFront, vcpu) && offsetof(struct Machine, user) == offsetof(MachineFront, user) &&
	       offsetof(struct Machine, stirred) == offsetof(MachineFront, stirred), "a machine begins as MachineFront");

enum { NO_HANDLER = 0xFFFFFFFFu, ASPACE_NONE = 0xFFFFFFFFu };

/* machine.c */
/* The lifted body (or condition) of a handler; NULL when memory is out. */
IrFunc *machine_handler(Machine *machine, u32 index, bool when);
void machine_save_slots(Machine *machine);
void machine_restore_slots(Machine *machine);
void machine_analyse(Machine *machine, u32 index);
/* What `init` items say about the space. Cells beyond its end are left out. */
void machine_fill_inits(const Machine *machine, u16 number, Space *space);
/* Of spaces and tables: what counts against the limit. */
u64 machine_memory_bytes(const Machine *machine);
/* Sets the text that the next MachineStop carries. */
void machine_say(Machine *machine, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ops->eval for a handler or view. */
static inline AccessResult machine_eval(Machine *machine, const IrFunc *func, const u64 *args, u64 *result, bool *jumped)
{
	AccessResult outcome;

	machine->evals++;
	outcome = machine->ops->eval(machine->engine, &machine->vcpu, func, args, result, jumped);
	machine->evals--;
	return outcome;
}

/* machine_run.c: gives vcpu->exit, which left the instruction at pc, to the handlers of the description. True: *stop says what came of it. */
bool machine_take_exception(Machine *machine, MachineStop *stop);
/* What slow accesses left for the end of an instruction. True: *stop says it. */
bool machine_give_pending(Machine *machine, MachineStop *stop);
/* An exit that no handler takes. */
bool machine_give_exit(Machine *machine, MachineStop *stop, const VcpuExit *exit);

/* vcpus.c */
/* An array for so many registers, and what engines have around them, all zero. It begins with a cache line of its own: it is
 * copied for each function that is called from outside, and elsewhere that takes 5 % longer. NULL: no memory. */
u64 *machine_alloc_slots(u32 count);
void machine_free_slots(u64 *slots); /* NULL: nothing */
Status machine_init_vcpus(Machine *machine, const MachineConfig *config);
void machine_fini_vcpus(Machine *machine);
void machine_free_records(const Machine *machine, VcpuRecord *records, u32 count, u32 except);
/* Back to number 0 alone; its registers are the caller's business. */
void machine_reset_vcpus(Machine *machine);
/* Allocates slots and private spaces where the record has none, with the cells they have at power-on. */
Status machine_make_record(const Machine *machine, VcpuRecord *record);
/* The one way to change it; `paused` lies above it. */
void machine_set_state(Machine *machine, u32 number, VcpuState state, bool paused);
/* Counts anew what all records together say: they have been exchanged. */
void machine_count_vcpus(Machine *machine);
/* Makes `vcpu` show it. */
void machine_show_vcpu(Machine *machine, u32 number);
u32 machine_private_index(const Machine *machine, u16 space); /* private_count: it is shared */
/* The space as this vCPU has it. */
Space *machine_space_of(const Machine *machine, u32 number, u16 space);
/* To be called when a state has changed. */
void machine_update_alone(Machine *machine);
bool machine_is_alone(const Machine *machine);
bool machine_any_alive(const Machine *machine);

/* schedule.c */
static inline bool machine_vcpu_ready(const Machine *machine, u32 number)
{
	return machine->ready[number / 64] >> (number % 64) & 1;
}
/* Chooses who runs, if it is time to. False: nobody can, and *stop says why. */
bool machine_schedule(Machine *machine, MachineStop *stop);
void machine_start_quantum(Machine *machine);
/* The instruction of the running one must be tried again later. False: the machine waits as a whole. */
bool machine_block(Machine *machine);
void machine_wake_input(Machine *machine);
void machine_accept_time(Machine *machine, u64 ns);
/* Tells the guest that time has advanced, if it has. True: it did. */
bool machine_pass_time(Machine *machine);
/* Virtual time: how far the engine may go until the guest's next timer. */
u64 machine_instructions_until_hour(Machine *machine);

/* machine_run.c: something that takes longer than an instruction has been done. */
void machine_lose_patience(Machine *machine);
static inline void machine_count_slow(Machine *machine)
{
	if (machine->patience_clock && !machine->slow_left--)
		machine_lose_patience(machine);
}

/* machine_memory.c: what the engine calls */
Status machine_env_translate(void *ctx, u64 pc, u64 context, u32 max_insns, Arena *arena, Translation *out);
u64 machine_env_context(void *ctx, const Vcpu *vcpu);
EngineWalked machine_env_walk(void *ctx, Vcpu *vcpu, u64 pc, u32 most);
bool machine_env_has_code(void *ctx, u64 pc, const u8 *cells, u64 count);
AccessResult machine_env_read(void *ctx, Vcpu *vcpu, unsigned space, u64 address, unsigned width, u64 *value);
void machine_env_code_changed(void *ctx, Vcpu *vcpu, u64 address, u64 count);
AccessResult machine_env_write(void *ctx, Vcpu *vcpu, unsigned space, u64 address, unsigned width, u64 value);
/* Forgets all translated code, of all address spaces. */
void machine_flush_engines(Machine *machine);
void machine_env_drop_code(void *ctx);
/* Sets the attributes of devices and watchpoints anew (after a resize). */
void machine_mark_space(Machine *machine, u16 space);
void machine_show_choices(const Isa *isa, Buf *out); /* "profile=v3 order=big" */
/* machine_why for a snapshot that was refused with STATUS_MISMATCH (snapshot_why.c). */
void machine_explain_mismatch(Machine *machine, const u8 *bytes, size_t len);
/* The same for pages that have come. */
void machine_mark_pages(const Machine *machine, Space *space, u64 address, u64 len);
void machine_mark_devices(const Machine *machine, u16 number, Space *space);
/* Cells address .. address + count - 1 were accessed. */
void machine_check_watch(Machine *machine, unsigned space, u64 address, u64 count, bool write);

/* pages.c */
/* The paged space and address space number 0, once vcpu.spaces are there. */
Status machine_init_pages(Machine *machine, unsigned address_bits);
void machine_fini_pages(Machine *machine);
/* Number 0 alone; empty unless its memory is kept. */
void machine_reset_pages(Machine *machine, bool keep_memory);
/* Makes the address space of the vCPU that is shown the mapped one. Nothing of the engine may be at work. */
void machine_map_aspace(Machine *machine);
/* Does the page allow it, after asking the pager? */
bool machine_page_allows(Machine *machine, u32 aspace, u64 address, u8 right);
AccessResult machine_paged_read(Machine *machine, u64 address, unsigned bytes, u64 *value);
AccessResult machine_paged_write(Machine *machine, u64 address, unsigned bytes, u64 value);
/* From outside: whatever the rights; the pager is not asked. Without one an absent page is made. */
Status machine_paged_poke(Machine *machine, u32 aspace, u64 address, u64 value);

Space *machine_space_at(const Machine *machine, u32 number); /* NULL: there is no such address space */
/* Code made from there is forgotten; count 0: all of it. */
void machine_forget_code(Machine *machine, u32 number, u64 address, u64 count);
/* Whole pages: the program's map has changed. */
void machine_forget_pages(Machine *machine, u32 number, u64 address, u64 len);
void machine_destroy_aspace(Machine *machine, u32 number); /* not the mapped one */
void machine_count_present(Machine *machine, u64 pages);   /* so many more are */

/* An engine and an empty Space of so many addresses. */
Status machine_make_aspace(Machine *machine, Aspace *aspace, u64 cells);

/* snapshot_pages.c */
void machine_write_pages(const Machine *machine, Buf *out);
/* Address spaces of a snapshot, *count of them, also when it fails: to be moved in or dropped. *left: bytes that may become
 * present. */
Status machine_read_pages(Machine *machine, ByteReader *reader, Aspace **aspaces, u32 *count, u64 *left);
void machine_drop_aspaces(const Machine *machine, Aspace *aspaces, u32 count);
/* They become the machine's; `wanted` is to be mapped, if it is there. */
void machine_move_in_pages(Machine *machine, Aspace *aspaces, u32 count, u32 wanted);

/* windows.c; the cell lies in the window */
u64 machine_window_read(const Machine *machine, const struct MachineWindow *window, u64 address);
void machine_window_write(Machine *machine, const struct MachineWindow *window, u64 address, u64 value);
void machine_unmap_windows(Machine *machine);

/* tables.c */
u64 machine_table_bytes(const Machine *machine);
/* machine_get_table, but for the status. */
bool machine_table_cell(const Machine *machine, u16 table, u16 column, u64 row, u64 *value);
/* Finds the memory for `rows` rows, so that setting their number cannot fail. */
Status machine_table_reserve(Machine *machine, u16 table, u64 rows);
void machine_table_resize(Machine *machine, u16 table, u64 rows);

/* services.c */
typedef struct HostService {
	const char *name;
	HostFunction function;
	unsigned args;
	bool quiet; /* changes nothing that conditions or translations depend on */
} HostService;
/* services_outside.c; ended by {NULL}. They are there where machine->outside is. */
extern const HostService machine_outside_services[];
extern const HostService machine_serve_service; /* asks for rights and for machine->outside itself */
/* A place in memory as services have it: a space and an address. False: not memory, or more than `most`. */
bool machine_cells_in(const Machine *machine, u64 space, u64 address, u64 count, u8 *to, u32 most, u32 *len);
bool machine_is_memory(const Machine *machine, u64 space, u64 address, u64 count);
void machine_cells_out(Machine *machine, u64 space, u64 address, const u8 *bytes, u32 len);

/* services_files.c; ended by {NULL}. They are there where machine->folders is. */
extern const HostService machine_file_services[];
/* `which`: its number behind the first one of files. */
HostResult machine_serve_file(Machine *machine, u64 space, unsigned which, const u64 *abc, u64 *result);
void machine_close_handles(Machine *machine);
void machine_fini_handles(Machine *machine);
void machine_write_handles(const Machine *machine, Buf *out);
Status machine_read_handles(Machine *machine, ByteReader *reader, bool apply);
AccessResult machine_env_host_done(void *ctx, Vcpu *vcpu, unsigned host, unsigned given, u64 *result);
AccessResult machine_env_host(void *ctx, Vcpu *vcpu, unsigned host, const u64 *args, unsigned count, u64 *result);
/* Is it one of the functions that change nothing a condition looks at? Then the engine need not be left after it. */
bool machine_host_is_quiet(const Machine *machine, u32 host);
Status machine_bind_hosts(Machine *machine, const MachineConfig *config, DiagList *diags);

/* console.c */
void machine_flush_output(Machine *machine);
/* What a guest says about a vCPU that failed. */
void machine_put_error(Machine *machine, const Buf *text);
/* Counts a look at the keyboard, if it found nothing. */
void machine_count_poll(Machine *machine);
/* The next waiting byte; one must wait. */
u8 machine_take_byte(Machine *machine);
void machine_clear_console(Machine *machine);
bool machine_input_room(Machine *machine, size_t more);

/* record.c */
void machine_log_event(Machine *machine, MachineEventKind kind, const u8 *bytes, size_t len, u64 time);
void machine_log_truncate(Machine *machine, u32 count);
/* For host functions: is what the world says to be taken from the log? Then the entry that this instruction made, or NULL. */
bool machine_is_replaying(const Machine *machine);
const MachineEvent *machine_replay_take(Machine *machine, MachineEventKind kind);
/* Gives the machine the recorded input whose time has come. */
void machine_replay_due(Machine *machine);
/* Nothing can run: lets in the next entry if it came at this instruction count. False: there is none. */
bool machine_replay_now(Machine *machine);
/* Instructions until the next recorded input; ~0 when there is none. */
u64 machine_replay_distance(const Machine *machine);
/* The unrecorded arrival, used by machine_input and by replay. */
void machine_accept(Machine *machine, const u8 *bytes, size_t len, bool end);

#endif
