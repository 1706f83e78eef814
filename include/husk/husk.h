/* SPDX-License-Identifier: MIT
 *
 * libhusk: computers that are described by a text, inside your program. They run code that you need not trust:
 * it can neither crash nor hang nor leave its machine, its limits are exact, and what it may do is what you
 * gave it.
 *
 *     context    what all objects share that you make: where messages go, where memory comes from
 *     isa        a description: which computer it is; immutable
 *     program    files for such a computer, assembled and checked; immutable
 *     machine    one computer with a program in it. You run it: so many instructions, on your thread
 *     hyper      many of them side by side, on threads of its own; image, instance, budget, mailbox belong to it
 *
 * A machine is enough for a plug-in, a script, a student's program. docs/libhusk.md is the guide.
 *
 *     husk_context *context;  husk_isa *isa;  husk_program *program;  husk_machine *machine;
 *     husk_context_create(NULL, &context);
 *     husk_isa_load_builtin(context, "lc3", NULL, &isa, NULL);
 *     husk_program_assemble(isa, "hello.asm", text, strlen(text), NULL, &program, &error);
 *     husk_machine_create(program, &options, &machine, &error);
 *     husk_machine_run(machine, 1000000, &stop);
 *
 * Rules that hold for all of it:
 *
 * 1. Errors. What can fail returns a husk_status: HUSK_OK is 0, all others are negative. An argument that is
 *    NULL where that is not allowed is HUSK_INVALID. What is written through out-pointers is NULL or 0 after a
 *    failure. `husk_error **error` may be NULL; else *error is NULL after success, and after a failure an
 *    object that says more (husk_error_destroy).
 * 2. Structs whose first member is `size` may grow in later versions: set all to zero and size to sizeof
 *    (HUSK_INIT does that). Zero is the default of every member. A library that is older than your header
 *    refuses with HUSK_UNSUPPORTED what it does not know. Structs without it never change.
 * 3. Objects are counted: whoever is made of another one keeps it. _ref and _unref are for holding it in
 *    several places; to destroy or unref NULL is nothing.
 * 4. Threads. Each function says one of these:
 *    [any]    from any thread, at any time.
 *    [owner]  one thread at a time per machine, as for any struct of yours. While a machine runs, only its own
 *             host functions may call these, on the thread they are called on; from other threads they give
 *             HUSK_BUSY (where it is seen: do not rely on it). The machine of an instance may be used while it
 *             is held (husk_instance_hold) and in its host functions. Else HUSK_STATE.
 *    Objects that are [any] have no thread: a context, a description or a program may be shared by all.
 * 5. Texts are UTF-8 and end with NUL, lengths do not count it. Borrowed texts live as long as the object, if
 *    nothing else is said.
 * 6. Memory of guests is in cells of 1 to 64 bits, addressed by number. Functions that copy cells take arrays
 *    of the unsigned integer that is large enough (uint8_t, 16, 32, 64: husk_space_info.cell_size), so bytes
 *    are bytes. All counts are of cells.
 * 7. No global state: nothing is to be initialized, two contexts know nothing of each other. (Machines that
 *    compile code for Linux programs handle SIGSEGV; others' handlers are called for what is not theirs.
 *    HUSK_ENGINE_INTERPRETER does not.)
 */
#ifndef HUSK_HUSK_H
#define HUSK_HUSK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HUSK_API __attribute__((visibility("default")))
#else
#define HUSK_API
#endif

#define HUSK_VERSION_MAJOR 0
#define HUSK_VERSION_MINOR 1
#define HUSK_VERSION_PATCH 0

/* All zero, and its size. */
#define HUSK_INIT(object) (memset(&(object), 0, sizeof(object)), (void)((object).size = sizeof(object)))

typedef struct husk_context husk_context;
typedef struct husk_error husk_error;
typedef struct husk_blob husk_blob;
typedef struct husk_isa husk_isa;
typedef struct husk_program husk_program;
typedef struct husk_hosts husk_hosts;
typedef struct husk_machine husk_machine;

/* ---- Status ---- */

typedef enum husk_status {
	HUSK_OK = 0,
	HUSK_NO_MEMORY = -1,
	HUSK_INVALID = -2,     /* an argument is NULL or makes no sense */
	HUSK_STATE = -3,       /* not possible now: the machine runs, has ended, is not held ... */
	HUSK_BUSY = -4,        /* another thread is at work with it */
	HUSK_TEXT = -5,        /* the text has errors: husk_error has their places */
	HUSK_FORMAT = -6,      /* not a file of this format */
	HUSK_TRUNCATED = -7,   /* the file ends too early */
	HUSK_CORRUPT = -8,     /* damaged content */
	HUSK_MISMATCH = -9,    /* made for another machine, other options or another version */
	HUSK_NOT_FOUND = -10,
	HUSK_RANGE = -11,      /* address or number out of range */
	HUSK_LIMIT = -12,      /* larger than a limit allows */
	HUSK_IO = -13,         /* a file could not be read */
	HUSK_UNSUPPORTED = -14,
	HUSK_STALE = -15,      /* what it was a part of is gone: husk_view */
	HUSK_TIMEOUT = -16,
	HUSK_FUEL = -17,       /* a called function used up its instructions */
	HUSK_FAILED = -18      /* the program failed: a fault, an unknown instruction, a trap ... */
} husk_status;

/* In English, for people; never NULL. [any] */
HUSK_API const char *husk_status_text(husk_status status);
/* Of the library, as 0x00MMmmpp. [any] */
HUSK_API uint32_t husk_version(void);

/* ---- Context ---- */

typedef enum husk_log_level { HUSK_LOG_WARNING = 1, HUSK_LOG_NOTE = 2 } husk_log_level;

/* Memory for what this library itself makes: the objects of this header, their names, error texts and tables.
 * It does not cover what the engines below need: descriptions, assembled programs, memory of guests, compiled
 * code, bytes of snapshots and other blobs; these come from malloc and mmap. What a guest makes grow of these
 * is bounded by its limits of memory. */
typedef struct husk_allocator {
	void *ctx;
	void *(*allocate)(void *ctx, size_t bytes);                      /* as malloc; NULL: there is none */
	void (*release)(void *ctx, void *memory, size_t bytes);          /* memory is not NULL, bytes as when it was allocated */
} husk_allocator;

typedef struct husk_context_options {
	size_t size;
	/* Warnings (about texts that were accepted all the same) and notes, whole texts without a newline at
	 * the end. Called on the thread that has something to say, which may be a worker. NULL: they are
	 * dropped. */
	void (*log)(void *ctx, husk_log_level level, const char *text);
	void *log_ctx;
	const husk_allocator *allocator; /* copied; its functions are called from any thread. NULL: malloc and free */
} husk_context_options;

/* options may be NULL. [any] */
HUSK_API husk_status husk_context_create(const husk_context_options *options, husk_context **context);
HUSK_API void husk_context_ref(husk_context *context);   /* [any] */
HUSK_API void husk_context_unref(husk_context *context); /* [any] */

/* ---- Errors, and bytes that are given out ---- */

/* One message about a text. Never grows. */
typedef struct husk_diagnostic {
	int is_warning;
	const char *file;
	uint32_t line, column, length; /* from 1, in bytes; line 0: about the file as a whole */
	const char *message;
	const char *hint;              /* or NULL */
	const char *line_text;         /* or NULL */
} husk_diagnostic;

/* An error never changes. All [any]. */
HUSK_API husk_status husk_error_status(const husk_error *error); /* NULL: HUSK_OK */
/* Everything as text for people, perhaps several lines, with places, lines and carets:
 *     prog.asm:14:14: error: 40 does not fit 'i', 5 bits signed (-16..15)
 *       14 |     ADD R0, R0, #40
 *          |                 ^~~
 */
HUSK_API const char *husk_error_text(const husk_error *error);   /* NULL: "" */
/* The same as a JSON array of {level,file,line,column,length,message,hint}. */
HUSK_API const char *husk_error_json(const husk_error *error);
HUSK_API uint32_t husk_error_count(const husk_error *error);     /* of messages about texts; perhaps 0 */
HUSK_API husk_status husk_error_at(const husk_error *error, uint32_t index, husk_diagnostic *out);
HUSK_API void husk_error_destroy(husk_error *error);

/* Bytes; behind the last one stands a NUL. All [any]. */
HUSK_API const void *husk_blob_data(const husk_blob *blob); /* NULL: "" */
HUSK_API size_t husk_blob_size(const husk_blob *blob);
HUSK_API void husk_blob_destroy(husk_blob *blob);

/* ---- Descriptions ---- */

typedef struct husk_isa_options {
	size_t size;
	const char *const *choices; /* "profile=v3", "order=big": options of the description */
	size_t choice_count;
} husk_isa_options;

/* Names of the descriptions that are built in: "lc3", "rv64" ... NULL behind the last one. [any] */
HUSK_API const char *husk_builtin_name(size_t index);
/* A description by the name of one that is built in, from a text (`name` is for messages; len: without a NUL),
 * from a file. options and error may be NULL. [any] */
HUSK_API husk_status husk_isa_load_builtin(husk_context *context, const char *name, const husk_isa_options *options, husk_isa **isa,
					   husk_error **error);
HUSK_API husk_status husk_isa_load_text(husk_context *context, const char *name, const char *text, size_t len,
					const husk_isa_options *options, husk_isa **isa, husk_error **error);
HUSK_API husk_status husk_isa_load_file(husk_context *context, const char *path, const husk_isa_options *options, husk_isa **isa,
					husk_error **error);
HUSK_API void husk_isa_ref(husk_isa *isa);   /* [any] */
HUSK_API void husk_isa_unref(husk_isa *isa); /* [any] */

HUSK_API const char *husk_isa_name(const husk_isa *isa);  /* "LC-3"; NULL: "" [any] */
HUSK_API const char *husk_isa_title(const husk_isa *isa); /* "Little Computer 3" [any] */
HUSK_API uint64_t husk_isa_hash(const husk_isa *isa);     /* of its text and choices, as in husk_snapshot_info; NULL: 0 [any] */

typedef struct husk_register_info {
	size_t size;
	const char *name;  /* "R3", borrowed */
	uint32_t number;   /* what husk_machine_get_register wants; 0 is the program counter */
	uint32_t bits;
} husk_register_info;

typedef struct husk_space_info {
	size_t size;
	const char *name;   /* "M", borrowed */
	uint32_t number;    /* what husk_machine_read wants */
	uint32_t cell_bits;
	uint32_t cell_size; /* bytes of the integer that holds a cell: 1, 2, 4, 8 */
	uint32_t is_paged;  /* memory of processes: only parts of it are there */
	uint32_t is_code;   /* instructions come from here */
	uint64_t cells;     /* as described; 0: a machine says */
} husk_space_info;

/* By any of its names, as the assembler knows them. HUSK_NOT_FOUND. [any] */
HUSK_API husk_status husk_isa_find_register(const husk_isa *isa, const char *name, husk_register_info *out);
HUSK_API uint32_t husk_isa_register_count(const husk_isa *isa); /* [any] */
HUSK_API husk_status husk_isa_register_at(const husk_isa *isa, uint32_t number, husk_register_info *out); /* [any] */
/* name NULL: the space that instructions come from. HUSK_NOT_FOUND. [any] */
HUSK_API husk_status husk_isa_find_space(const husk_isa *isa, const char *name, husk_space_info *out);
HUSK_API uint32_t husk_isa_space_count(const husk_isa *isa); /* [any] */
HUSK_API husk_status husk_isa_space_at(const husk_isa *isa, uint32_t number, husk_space_info *out); /* [any] */
/* The manual that the description is, as text or as a page. [any] */
HUSK_API husk_status husk_isa_manual(const husk_isa *isa, int html, husk_blob **out);
/* One instruction as text: `cells` (count of them, in the integers of the code space) stand at `address`.
 * *used: how many it has. dialect NULL: the first one. [any] */
HUSK_API husk_status husk_isa_disassemble(const husk_isa *isa, const char *dialect, uint64_t address, const void *cells, size_t count,
					  size_t *used, husk_blob **out);

/* ---- Programs ---- */

typedef enum husk_file_kind {
	HUSK_FILE_AUTO = 0,     /* by its name: .asm, .s and the machine's own extensions are texts, those of its languages too */
	HUSK_FILE_ASSEMBLY = 1,
	HUSK_FILE_OBJECT = 2    /* in a format of the machine's own (ELF, .obj ...), or, if it has none, as its cells */
} husk_file_kind;

/* Never grows. What it points to need only live during the call. */
typedef struct husk_file {
	const char *name;       /* for messages, and what kind it is */
	const void *data;
	size_t len;
	husk_file_kind kind;
} husk_file;

typedef struct husk_program_options {
	size_t size;
	const char *dialect;    /* of the assembly texts; NULL: the first of the description */
	uint32_t is_liberal;    /* doubtful assembly text is a warning, not an error */
	/* An included file: sets *data and *len, which must stay for the time of the call. 0: there is none.
	 * NULL: includes are refused. */
	int (*include)(void *ctx, const char *name, const void **data, size_t *len);
	void *include_ctx;
} husk_program_options;

/* All files together are the program, in this order. HUSK_TEXT: errors in a text, *error has their places.
 * Whether an object file is good is found when it is put into a machine. options and error may be NULL. [any] */
HUSK_API husk_status husk_program_load(husk_isa *isa, const husk_file *files, size_t count, const husk_program_options *options,
				       husk_program **program, husk_error **error);
/* One assembly text. [any] */
HUSK_API husk_status husk_program_assemble(husk_isa *isa, const char *name, const char *text, size_t len,
					   const husk_program_options *options, husk_program **program, husk_error **error);
HUSK_API void husk_program_ref(husk_program *program);   /* [any] */
HUSK_API void husk_program_unref(husk_program *program); /* [any] */
HUSK_API husk_isa *husk_program_isa(const husk_program *program); /* borrowed [any] */
/* A label of an assembly text. HUSK_NOT_FOUND. (husk_machine_symbol knows those of object files, too.) [any] */
HUSK_API husk_status husk_program_symbol(const husk_program *program, const char *name, uint64_t *value);
/* File number `index` as it goes into the machine: assembled, in the machine's own format. HUSK_UNSUPPORTED:
 * it has none. [any] */
HUSK_API husk_status husk_program_object(const husk_program *program, size_t index, husk_blob **out);
/* Addresses, cells and lines of an assembled text; HUSK_UNSUPPORTED: it was none. [any] */
HUSK_API husk_status husk_program_listing(const husk_program *program, size_t index, husk_blob **out);

/* ---- Host functions: yours, for guests to call ---- */

typedef enum husk_host_result {
	HUSK_HOST_DONE = 0,
	/* It can't be done yet, and nothing was changed: the run ends (HUSK_STOP_INPUT; HUSK_STOP_INPUT_ENDED when the
	 * program's input has ended), the next one tries again. Instances are woken by input. */
	HUSK_HOST_WAIT = 1,
	HUSK_HOST_RAISE = 2,  /* exception number *result of the guest, instead of this instruction */
	HUSK_HOST_HALT = 3,   /* done, and the program ends with code *result */
	HUSK_HOST_DENIED = 4, /* the program fails: HUSK_STOP_DENIED */
	/* Done, and the run ends behind this instruction: HUSK_STOP_PAUSED; of an instance only the slice ends. */
	HUSK_HOST_PAUSE = 5
} husk_host_result;

/* A function that a guest called. *result is 0 before. What a guest gives is hostile: addresses and sizes
 * above all. It may use the machine (registers, memory, calls of guest functions, output), but not run,
 * restore or destroy it. Called on the thread that runs the machine, one call at a time per machine; `ctx` may
 * be shared by many machines. */
typedef husk_host_result (*husk_host_function)(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result);

/* A set of functions, for any number of machines. */
HUSK_API husk_status husk_hosts_create(husk_context *context, husk_hosts **hosts); /* [any] */
/* A description reaches it as `host NAME(args)`; a function of this name that Husk itself has is not seen any
 * more. A Linux program finds its number with syscall(HUSK_SYSCALL_FIND, name) (-ENOENT: there is none) and
 * calls it with syscall(HUSK_SYSCALL_CALL + number, up to six args); RAISE there gives -*result. HUSK_STATE: a
 * machine has the set already. [owner] */
HUSK_API husk_status husk_hosts_add(husk_hosts *hosts, const char *name, husk_host_function function, void *ctx);
HUSK_API void husk_hosts_ref(husk_hosts *hosts);   /* [any] */
HUSK_API void husk_hosts_unref(husk_hosts *hosts); /* [any] */

#define HUSK_SYSCALL_FIND 0x48000000
#define HUSK_SYSCALL_CALL 0x48001000

/* ---- Machines ---- */

/* What a program may do: sets of these. Who does what it may not stops with HUSK_STOP_DENIED; Linux programs
 * get EPERM. Functions of yours (husk_hosts) need no right. */
enum {
	HUSK_OUTPUT = 1,    /* write to the console */
	HUSK_INPUT = 2,     /* read from it */
	HUSK_RANDOM = 4,
	HUSK_TIME = 8,      /* clocks, and sleeping */
	HUSK_VCPUS = 16,    /* more vCPUs, threads, processes */
	HUSK_SERVICES = 32, /* functions that only this kind of machine has: heaps ... */
	HUSK_FILES = 64,    /* folders of this computer, those that it was given */
	HUSK_NET = 128,     /* this computer's network, if it was given */
	HUSK_MAILBOX = 256, /* these need a hypervisor: send and receive messages */
	HUSK_SPAWN = 512,   /* start other instances */
	HUSK_KV = 1024      /* keys and values that stay */
};

typedef enum husk_engine {
	HUSK_ENGINE_BEST = 0,        /* the compiler where there is one for this host, else the interpreter */
	HUSK_ENGINE_INTERPRETER = 1,
	HUSK_ENGINE_COMPILER = 2     /* HUSK_UNSUPPORTED where there is none */
} husk_engine;

/* Bytes that the program puts out; on the thread that runs it. */
typedef void (*husk_output)(void *ctx, const void *bytes, size_t len);

/* What a Linux program (rv64) is given; all else it does not see. Only the call needs what these point to.
 * Never grows: */
typedef struct husk_mount {
	const char *host;      /* a file or folder of this computer */
	const char *guest;     /* where the program sees it: an absolute path */
	uint32_t is_writable;
} husk_mount;

typedef struct husk_linux_options {
	size_t size;
	const char *const *arguments;   /* argv; none: the program's name alone */
	size_t argument_count;
	const char *const *environment; /* "NAME=value" */
	size_t environment_count;
	const char *root;               /* folder that is its / ; NULL: an empty one */
	uint32_t root_is_writable;      /* changes are kept in memory, never on this computer */
	uint32_t net;                   /* 0: no network; 1: this computer alone (127.0.0.1, ::1); 2: all of it */
	const husk_mount *mounts;
	size_t mount_count;
	const char *directory;          /* where it starts; NULL: / */
	const char *host_name;          /* NULL: "husk" */
	uint64_t real_time;             /* ns since 1970 when it starts */
	uint64_t process_limit, file_limit, open_limit, storage_limit; /* 0: as usual (docs/linux.md) */
	uint32_t net_resets;            /* 1: snapshots, images and forks have its Internet sockets as ones that the other side
	                                 * has reset; 0: as long as it has one it has none of these (HUSK_UNSUPPORTED) */
} husk_linux_options;

typedef struct husk_machine_options {
	size_t size;
	uint64_t memory;      /* bytes it may have; 0: 256 MiB, Linux programs 4 GiB. Taken when it is touched */
	husk_engine engine;
	uint32_t denied;      /* what it may not do (HUSK_OUTPUT | ...); all else it may */
	uint64_t seed;        /* of its random numbers; the same seed and input give the same run */
	uint32_t vcpus;       /* at most; 0: 64, Linux programs 1024 */
	uint32_t real_time;   /* 0: time is its count of instructions (1 us each); 1: as husk_machine_set_time says */
	husk_output output;   /* NULL: dropped */
	husk_output errors;   /* what it puts out as errors; NULL: to output */
	void *output_ctx;
	husk_hosts *hosts;    /* functions of yours; or NULL. The machine keeps it */
	const husk_linux_options *linux_options; /* for Linux programs; or NULL. Of others: its mounts are
	                                          * folders that the services of files see (docs/hypervisor.md) */
	void *user;           /* husk_machine_user */
	uint64_t disk;        /* bytes that it may write to folders of this computer, as docs/hypervisor.md counts them; 0: no limit. Not
	                       * of instances made of it: these have husk_limits */
} husk_machine_options;

typedef enum husk_stop_kind {
	HUSK_STOP_FUEL = 0,        /* all instructions were run */
	HUSK_STOP_HALTED = 1,      /* the program has ended: code */
	HUSK_STOP_INPUT = 2,       /* it waits for input: give some, or its end, and run again */
	HUSK_STOP_SLEEP = 3,       /* it waits until time `code` (ns; ~0: for what is outside): run again then */
	HUSK_STOP_PAUSED = 4,      /* a host function or husk_machine_interrupt wanted it */
	HUSK_STOP_BREAK = 5,       /* at a breakpoint, which was not run */
	HUSK_STOP_WATCH = 6,       /* a watched cell was touched: space, address */
	HUSK_STOP_FRAME = 7,       /* its display wants to be shown */
	/* It failed: */
	HUSK_STOP_FAULT = 8,       /* memory that is not there: space, address */
	HUSK_STOP_ILLEGAL = 9,     /* no instruction */
	HUSK_STOP_TRAP = 10,       /* an exception that nobody handled: code */
	HUSK_STOP_DENIED = 11,     /* a service it does not have */
	HUSK_STOP_INPUT_ENDED = 12,/* it wants input, which has ended */
	HUSK_STOP_DEADLOCK = 13,   /* its vCPUs wait for one another */
	HUSK_STOP_ERROR = 14,      /* not its fault: no memory */
	HUSK_STOP_RETURNED = 15    /* husk_function_call: it has come to its end */
} husk_stop_kind;

typedef struct husk_stop {
	size_t size;
	husk_stop_kind kind;
	uint32_t vcpu;
	uint64_t pc;            /* of the instruction concerned, or the next one */
	uint64_t code;
	uint64_t instructions;  /* of this run */
	uint64_t address;
	uint32_t space;
	uint32_t is_write;
	int exit_code;          /* HALTED: as a process of this computer would end */
	husk_status status;     /* ERROR */
	const char *text;       /* one line for people, perhaps empty; borrowed until the machine runs again */
} husk_stop;

/* A computer with the program in it, ready to run. options and error may be NULL. [any] */
HUSK_API husk_status husk_machine_create(husk_program *program, const husk_machine_options *options, husk_machine **machine,
					 husk_error **error);
/* [owner], not in its host functions (there it is nothing), and not for machines of instances (nothing). */
HUSK_API void husk_machine_destroy(husk_machine *machine);
/* Runs at most so many instructions, exactly. stop may be NULL. HUSK_OK whatever the program does: *stop says
 * it. Not for machines of instances (HUSK_STATE). [owner] */
HUSK_API husk_status husk_machine_run(husk_machine *machine, uint64_t instructions, husk_stop *stop);
/* The run that is at work, or else the next one, ends soon (some ms) with HUSK_STOP_PAUSED. [any] */
HUSK_API void husk_machine_interrupt(husk_machine *machine);
/* Bytes for its console, and their end. [owner] */
HUSK_API husk_status husk_machine_input(husk_machine *machine, const void *bytes, size_t len);
HUSK_API husk_status husk_machine_input_end(husk_machine *machine);
/* ns since it was made; never backwards (then it is nothing). [owner] */
HUSK_API husk_status husk_machine_set_time(husk_machine *machine, uint64_t ns);

/* What it may not do from now on (as options.denied; all else it may). Machines of your own alone: HUSK_STATE for
 * those of instances (husk_instance_grant, _revoke). [owner] */
HUSK_API husk_status husk_machine_deny(husk_machine *machine, uint32_t denied);

typedef struct husk_machine_info {
	size_t size;
	uint64_t instructions; /* since it was made; part of its state */
	uint64_t memory;       /* bytes */
	uint64_t memory_limit;
	uint64_t output_bytes;
	uint64_t time;         /* ns */
	uint32_t vcpus;        /* numbers that are or were in use */
	uint32_t vcpu;         /* the one that registers are of */
	const char *engine;    /* "jit", "interp" */
} husk_machine_info;
HUSK_API husk_status husk_machine_get_info(husk_machine *machine, husk_machine_info *out); /* [owner] */
HUSK_API void *husk_machine_user(const husk_machine *machine);            /* as in its options [any] */
HUSK_API husk_program *husk_machine_program(const husk_machine *machine); /* borrowed [any] */

/* Its whole state as bytes (docs/snapshot-format.md), and back: all or nothing. The program must be the same.
 * HUSK_UNSUPPORTED: its state cannot be written. Not in host functions (HUSK_STATE). restore: HUSK_FORMAT, HUSK_TRUNCATED, HUSK_CORRUPT: it is no good
 * snapshot; HUSK_MISMATCH: a good one, but not of this machine. [owner] */
HUSK_API husk_status husk_machine_snapshot(husk_machine *machine, husk_blob **out);
HUSK_API husk_status husk_machine_restore(husk_machine *machine, const void *bytes, size_t len);
/* Why the last one of these two was refused, in one line: "the snapshot is of LC-3 with profile=v3, and this
 * machine is with profile=tiny", "the snapshot is of version 3, and here it is version 4", "descriptor 3 of
 * process 1 (server) is a connection of the host". "": its status says it all. Borrowed until the next one.
 * NULL: "". Of instances: husk_instance_info.why. [owner] */
HUSK_API const char *husk_machine_why(husk_machine *machine);

typedef struct husk_snapshot_info {
	size_t size;
	uint32_t version;           /* of the format */
	uint32_t is_readable;       /* 0: it is of another version than this library's, and no more is known */
	uint64_t isa_hash;          /* of the description's text and its choices: husk_isa_hash */
	char isa[64];               /* husk_isa_name */
	char guest[32];             /* what is built in beside the description; "" */
	char choices[512];          /* "profile=v3 order=big" */
} husk_snapshot_info;
/* What a snapshot is of, whatever machine there is. HUSK_FORMAT, HUSK_TRUNCATED, HUSK_CORRUPT. [any] */
HUSK_API husk_status husk_snapshot_get_info(const void *bytes, size_t len, husk_snapshot_info *out);

/* ---- Registers, memory, names ---- */

/* By number (husk_register_info.number) of the vCPU that info.vcpu names. HUSK_RANGE. [owner] */
HUSK_API husk_status husk_machine_get_register(husk_machine *machine, uint32_t number, uint64_t *value);
/* Bits beyond the register's width are dropped. [owner] */
HUSK_API husk_status husk_machine_set_register(husk_machine *machine, uint32_t number, uint64_t value);
/* The same by any name that the description has, views (parts of registers) included. HUSK_NOT_FOUND. [owner] */
HUSK_API husk_status husk_machine_get(husk_machine *machine, const char *name, uint64_t *value);
HUSK_API husk_status husk_machine_set(husk_machine *machine, const char *name, uint64_t value);
/* Registers, and memory that each vCPU has for itself, are of this one from now on, until the machine runs.
 * HUSK_RANGE: there is none. [owner] */
HUSK_API husk_status husk_machine_select(husk_machine *machine, uint32_t vcpu);

/* Cells address .. address + count - 1, without side effects on devices. HUSK_RANGE: not all of them are
 * there; those before the first one that is not have been copied. Processes of Linux programs: as the program
 * itself could. [owner] */
HUSK_API husk_status husk_machine_read(husk_machine *machine, uint32_t space, uint64_t address, void *cells, size_t count);
/* Bits beyond a cell's width are dropped. Code that was there is forgotten. */
HUSK_API husk_status husk_machine_write(husk_machine *machine, uint32_t space, uint64_t address, const void *cells, size_t count);
/* A text that ends with a cell of 0: the low 8 bits of each cell, at most size - 1 of them. It always ends
 * with NUL. HUSK_LIMIT: it is longer. [owner] */
HUSK_API husk_status husk_machine_read_text(husk_machine *machine, uint32_t space, uint64_t address, char *text, size_t size);
/* A name of the program: a label, a function of an object file. HUSK_NOT_FOUND. [owner] */
HUSK_API husk_status husk_machine_symbol(husk_machine *machine, const char *name, uint64_t *value);

/* Runs end (HUSK_STOP_BREAK) in front of the instruction at this address. The next run goes on with it.
 * Machines of your own alone: HUSK_UNSUPPORTED for those of instances. [owner] */
HUSK_API husk_status husk_machine_break(husk_machine *machine, uint64_t address, int on);
/* Runs end (HUSK_STOP_WATCH) behind an instruction that touched one of these cells. Likewise. [owner] */
HUSK_API husk_status husk_machine_watch(husk_machine *machine, uint32_t space, uint64_t address, uint64_t count, int reads, int writes,
					int on);

/* A piece of a machine's memory that somebody else may be given: it knows its bounds, and it ends (HUSK_STALE)
 * when the machine is destroyed or restored, or when the instance ends, is reset or goes. It never keeps
 * memory of a guest. [owner] of the machine, all. */
typedef struct husk_view husk_view;
HUSK_API husk_status husk_view_create(husk_machine *machine, uint32_t space, uint64_t address, uint64_t count, husk_view **view);
HUSK_API uint64_t husk_view_count(const husk_view *view); /* cells; NULL: 0 */
/* Cells offset .. offset + count - 1 of it. HUSK_RANGE: not all of them are in it, or there. */
HUSK_API husk_status husk_view_read(husk_view *view, uint64_t offset, void *cells, size_t count);
HUSK_API husk_status husk_view_write(husk_view *view, uint64_t offset, const void *cells, size_t count);
HUSK_API void husk_view_destroy(husk_view *view);

/* ---- Guest functions: the program's, for you to call ---- */

/* How a function is called, in registers of the description. Machines that have a usual way (lc3: R0 .. R5,
 * back through R7; rv64: a0 .. a7, back through ra) need none. */
typedef struct husk_convention {
	size_t size;
	const char *const *arguments; /* registers that get them */
	size_t argument_count;
	const char *result;           /* register that has it; NULL: there is none */
	const char *link;             /* register that gets the return address; or NULL: */
	const char *stack;            /* stack pointer: the return address is pushed, as many cells as an address takes */
	const char *stack_space;      /* where; NULL: the space that instructions come from */
	uint64_t return_address;      /* where nothing is; 0: the highest address */
} husk_convention;

typedef struct husk_function husk_function;

/* The function at an address, or at a name of the program. convention may be NULL: the usual one;
 * HUSK_UNSUPPORTED: this kind of machine has none. HUSK_NOT_FOUND: the name, or a register of the convention.
 * [owner] */
HUSK_API husk_status husk_function_at(husk_machine *machine, uint64_t address, const husk_convention *convention, husk_function **function);
HUSK_API husk_status husk_function_find(husk_machine *machine, const char *name, const husk_convention *convention,
					husk_function **function);
/* Calls it: between two runs of the machine, or within a host function that the guest called. It runs at most
 * `instructions`, alone: no other vCPU, interrupt or signal comes in between. Afterwards all registers are as
 * before, whatever came of it; what it did to memory, console and services stays. It uses the program's own
 * stack below where it is.
 *     HUSK_FUEL    it did not come to its end
 *     HUSK_FAILED  a fault, a halt, it would have to wait ...: *stop says what (may be NULL)
 *     HUSK_STATE   the program has ended or waits; or called within a handler of the description
 *     HUSK_LIMIT   calls within calls are too deep (32)
 *     HUSK_STALE   the machine is gone
 * result may be NULL. In a host function the instructions count neither against those of the run nor in
 * info.instructions; those of an instance are taken from its fuel. [owner] */
HUSK_API husk_status husk_function_call(husk_function *function, const uint64_t *args, size_t count, uint64_t instructions,
					uint64_t *result, husk_stop *stop);
HUSK_API void husk_function_destroy(husk_function *function); /* [owner] */

/* ---- Many of them: the hypervisor ---- */

typedef struct husk_hyper husk_hyper;
typedef struct husk_budget husk_budget;
typedef struct husk_image husk_image;
typedef struct husk_instance husk_instance;
typedef struct husk_mailbox husk_mailbox;
typedef struct husk_spawn husk_spawn;
typedef struct husk_sqlite husk_sqlite;

/* What instances may have of one another; bytes. */
#define HUSK_MESSAGE_MOST 4096
#define HUSK_KEY_MOST 256
#define HUSK_VALUE_MOST 65536

/* Where keys and values of instances are kept (right HUSK_KV): yours, or husk_sqlite_store. Keys stand in
 * spaces, which know nothing of each other: "REALM/SPACE" (husk_instance_options). Called on any worker,
 * several at a time. What set and remove have done when they return should outlive a crash. Any other status
 * than those named is an input/output error for the program. */
typedef struct husk_store {
	size_t size;
	void *ctx;
	/* Into value, which has room for HUSK_VALUE_MOST bytes. HUSK_NOT_FOUND: no such key. */
	husk_status (*get)(void *ctx, const char *space, const void *key, size_t key_len, void *value, size_t *value_len);
	/* HUSK_LIMIT: all keys and values of the space would be more than `most` bytes, and nothing is changed. */
	husk_status (*set)(void *ctx, const char *space, const void *key, size_t key_len, const void *value, size_t value_len,
			   uint64_t most);
	husk_status (*remove)(void *ctx, const char *space, const void *key, size_t key_len); /* HUSK_NOT_FOUND */
	/* Into next, which has room for HUSK_KEY_MOST bytes: the first key behind this one by bytes, which need not
	 * be there (key_len 0: the first of all). HUSK_NOT_FOUND: that was the last. NULL: programs can't list. */
	husk_status (*next)(void *ctx, const char *space, const void *key, size_t key_len, void *next, size_t *next_len);
} husk_store;

/* A store in a file of SQLite's, which is made if it is not there; what it has kept is on the disk. Its functions
 * may be called by you, too. HUSK_UNSUPPORTED: this library was built without SQLite, or libsqlite3 is not on this
 * computer (it is loaded here). HUSK_IO: *error says why. [any] */
HUSK_API husk_status husk_sqlite_open(husk_context *context, const char *path, husk_sqlite **sqlite, husk_error **error);
HUSK_API const husk_store *husk_sqlite_store(const husk_sqlite *sqlite); /* borrowed; NULL: NULL [any] */
HUSK_API void husk_sqlite_close(husk_sqlite *sqlite); /* after the hypervisors that use it [any] */

typedef enum husk_resource {
	HUSK_RESOURCE_FUEL = 0,      /* instructions: spent */
	HUSK_RESOURCE_MEMORY = 1,    /* bytes: held; what an instance may grow to is taken when it is made */
	HUSK_RESOURCE_OUTPUT = 2,    /* bytes: spent */
	HUSK_RESOURCE_INSTANCES = 3, /* held */
	HUSK_RESOURCE_MESSAGES = 4,  /* spent */
	HUSK_RESOURCE_TIME = 5,      /* ns while somebody in the node lives: spent */
	HUSK_RESOURCE_FILES = 6,     /* open ones: held */
	HUSK_RESOURCE_DISK = 7       /* bytes to folders of this computer and to the store, as docs/hypervisor.md counts them: spent */
} husk_resource;

#define HUSK_UNLIMITED UINT64_MAX

typedef struct husk_limits {
	size_t size;
	uint64_t fuel, memory, output, instances, messages, time, files; /* 0: no limit */
	uint64_t disk;
} husk_limits;

typedef struct husk_hyper_options {
	size_t size;
	uint32_t workers;            /* threads; 0: none, husk_hyper_run does the work, and the same instances give the same run */
	uint64_t slice_ns;           /* 0: 250,000 */
	uint64_t slice_instructions; /* without workers: 0: 10,000 */
	const husk_limits *limits;   /* of all together */
	/* An instance has ended. On a worker, or in husk_hyper_run. It may start, wake, pause, kill, and look
	 * at information, but not wait for or hold an instance. NULL: nobody wants to know. */
	void (*ended)(void *ctx, husk_instance *instance);
	void *ended_ctx;
	const husk_store *store;     /* copied; NULL: there is none */
	uint32_t residents;          /* instances of images that keep their machine while they do not run; 0: 64 */
	uint32_t no_residents;       /* 1: none of them does */
	uint64_t instruction_ns;     /* without workers: how much time one takes; 0: 1000 */
} husk_hyper_options;

HUSK_API husk_status husk_hyper_create(husk_context *context, const husk_hyper_options *options, husk_hyper **hyper); /* [any] */
/* Kills what still runs and ends the workers. Instances that are referred to stay, without life. [any], but no
 * other function of this hypervisor may be at work, nor begin later. */
HUSK_API void husk_hyper_destroy(husk_hyper *hyper);
/* Until no instance can go on by itself (all have ended, or wait for input). HUSK_TIMEOUT: ns of real time are
 * over (HUSK_UNLIMITED: no limit), or husk_hyper_interrupt was called. [any]; without workers one thread at a
 * time. */
HUSK_API husk_status husk_hyper_run(husk_hyper *hyper, uint64_t ns);
HUSK_API void husk_hyper_interrupt(husk_hyper *hyper); /* [any] */
/* Into the array, which has room for so many: references to instances of a node and of all below it (NULL: of
 * all), by their numbers. *count: how many there are; if they are more than `room`, these are some of them.
 * HUSK_OK in both cases. instances may be NULL if room is 0. [any] */
HUSK_API husk_status husk_hyper_instances(husk_hyper *hyper, const husk_budget *budget, husk_instance **instances, size_t room, size_t *count);
/* A reference to the one of this number (husk_instance_info). HUSK_NOT_FOUND. [any] */
HUSK_API husk_status husk_hyper_find(husk_hyper *hyper, uint64_t number, husk_instance **instance);

/* Budgets are a tree: what is used is taken from the node of an instance and all above it, or not at all, so
 * limits are exact. A node also says what those in it may do: HUSK_OUTPUT ... (a new one forbids nothing). All
 * [any]. */
HUSK_API husk_budget *husk_hyper_budget(husk_hyper *hyper); /* the root; borrowed */
/* parent NULL: the root. limits may be NULL. */
HUSK_API husk_status husk_budget_create(husk_hyper *hyper, husk_budget *parent, const char *name, const husk_limits *limits,
					husk_budget **budget);
HUSK_API void husk_budget_ref(husk_budget *budget);
HUSK_API void husk_budget_unref(husk_budget *budget);
HUSK_API const char *husk_budget_name(const husk_budget *budget); /* NULL: "" */
HUSK_API uint64_t husk_budget_used(husk_hyper *hyper, const husk_budget *budget, husk_resource resource);
HUSK_API uint64_t husk_budget_limit(const husk_budget *budget, husk_resource resource); /* HUSK_UNLIMITED: none */
/* What could be taken now from this node and all above it; of time: if somebody in it lives. */
HUSK_API uint64_t husk_budget_left(husk_hyper *hyper, const husk_budget *budget, husk_resource resource);
HUSK_API uint32_t husk_budget_rights(const husk_budget *budget); /* what it and all above it allow; NULL: 0 */
HUSK_API husk_status husk_budget_set_limit(husk_hyper *hyper, husk_budget *budget, husk_resource resource, uint64_t limit);
HUSK_API husk_status husk_budget_grant(husk_hyper *hyper, husk_budget *budget, uint32_t rights);
HUSK_API husk_status husk_budget_revoke(husk_hyper *hyper, husk_budget *budget, uint32_t rights);

/* The state of a machine (one of your own) as it is now, to make instances of. HUSK_UNSUPPORTED: its state
 * cannot be written. [owner] of the machine, not in its host functions. */
HUSK_API husk_status husk_image_create(husk_machine *machine, husk_image **image);
HUSK_API void husk_image_ref(husk_image *image);   /* [any] */
HUSK_API void husk_image_unref(husk_image *image); /* [any] */
HUSK_API uint64_t husk_image_bytes(const husk_image *image); /* what it takes; NULL: 0 [any] */

typedef struct husk_instance_options {
	size_t size;
	const char *name;          /* NULL: "instance-N" */
	husk_budget *budget;       /* the node that its own one stands in; NULL: the root */
	const husk_limits *limits; /* of its own node */
	uint32_t has_rights;       /* 0: `rights` does not count; it may do what leads nowhere but to its console: HUSK_OUTPUT .. HUSK_SERVICES */
	uint32_t rights;           /* HUSK_OUTPUT | ... */
	uint32_t weight;           /* its share of the time, 1 .. 10000; 0: 100 */
	uint32_t priority;         /* 0 .. 7: who goes first when it wakes */
	uint32_t cap;              /* percent of one core, never more; 0: none */
	uint32_t output_kept;      /* bytes: the newest of its output, for husk_instance_output */
	uint64_t timeout;          /* ns from its start; 0: none */
	uint64_t seed;             /* of its random numbers; 0: a fresh one */
	husk_output output;        /* on a worker, or in husk_hyper_run; must not wait for an instance. NULL: dropped (but kept) */
	husk_output errors;        /* NULL: to output */
	void *output_ctx;
	void *user;                /* husk_instance_user, and husk_machine_user of its machine */
	const char *realm;         /* messages, and names they are sent to, stay within one; NULL: that of all who have none */
	const char *space;         /* of its keys and values; NULL: its name */
	uint64_t space_limit;      /* bytes of keys and values there; 0: 1 MiB */
	/* Makes what it starts (right HUSK_SPAWN) by one call of husk_spawn_create, on its worker; not to wait
	 * for an instance. HUSK_NOT_FOUND: it may not start what it calls so; any other status: it can't now.
	 * NULL: it may start nothing. A fork has it only if its options say so. */
	husk_status (*spawn)(void *ctx, husk_instance *parent, const char *name, husk_spawn *spawn);
	void *spawn_ctx;
	/* It has gone, its machine and handle too: nothing calls with output_ctx, spawn_ctx or user any more. On the
	 * thread that let it go; it must not use this hypervisor. NULL: nobody wants to know. */
	void (*gone)(void *user);
} husk_instance_options;

/* Each gives a new instance, which is not started yet. HUSK_LIMIT: the budget has no room for it. options may
 * be NULL. [any] */
HUSK_API husk_status husk_instance_create(husk_hyper *hyper, husk_image *image, const husk_instance_options *options,
					  husk_instance **instance);
/* A second one in the same state. Waits for the end of a slice. */
HUSK_API husk_status husk_instance_fork(husk_instance *instance, const husk_instance_options *options, husk_instance **out);
/* The machine, one of your own, becomes the instance's with all its state: its handle is that of
 * husk_instance_hold from now on. After a failure it is still yours. [owner] of the machine. */
HUSK_API husk_status husk_instance_adopt(husk_hyper *hyper, husk_machine *machine, const husk_instance_options *options,
					 husk_instance **instance);
/* The child, within the function that got `spawn`, once. It is called PARENT.N, in the realm of its parent, in a
 * node below the parent's, so what all of a family use and may is bounded by its first; options say the rest
 * (name, budget and realm do not count). It is started, and killed when its parent ends. child may be NULL, else
 * it is a reference of yours. HUSK_STATE: it was called before. */
HUSK_API husk_status husk_spawn_create(husk_spawn *spawn, husk_image *image, const husk_instance_options *options, husk_instance **child);
HUSK_API void husk_instance_ref(husk_instance *instance);   /* [any] */
HUSK_API void husk_instance_unref(husk_instance *instance); /* [any]; the last one of one that has not ended kills it */

/* All [any]. HUSK_STATE: not possible in its state (docs/hypervisor.md draws them). */
HUSK_API husk_status husk_instance_start(husk_instance *instance);
HUSK_API husk_status husk_instance_pause(husk_instance *instance);  /* seen at the end of its slice */
HUSK_API husk_status husk_instance_resume(husk_instance *instance);
/* Asks it to end: SIGTERM for Linux programs, the end of their input for others. Killed if it has not ended
 * after ns. */
HUSK_API husk_status husk_instance_stop(husk_instance *instance, uint64_t ns);
HUSK_API husk_status husk_instance_kill(husk_instance *instance);
/* Until it has ended. HUSK_TIMEOUT: ns are over (HUSK_UNLIMITED: no limit). Needs workers (HUSK_STATE). Never
 * in a callback. */
HUSK_API husk_status husk_instance_wait(husk_instance *instance, uint64_t ns);
/* Ended or never started: back to the state it was created in. HUSK_UNSUPPORTED: it was adopted. What it has
 * used stays used. */
HUSK_API husk_status husk_instance_reset(husk_instance *instance);
HUSK_API husk_status husk_instance_input(husk_instance *instance, const void *bytes, size_t len);
HUSK_API husk_status husk_instance_input_end(husk_instance *instance);
/* A message from nobody, whatever its rights: who wants an answer uses a mailbox. HUSK_LIMIT: its queue is full.
 * HUSK_RANGE: more than HUSK_MESSAGE_MOST bytes. HUSK_STATE: it has ended. */
HUSK_API husk_status husk_instance_mail(husk_instance *instance, const void *bytes, size_t len);
HUSK_API husk_status husk_instance_share(husk_instance *instance, uint32_t weight, uint32_t priority, uint32_t cap);
HUSK_API husk_status husk_instance_grant(husk_instance *instance, uint32_t rights);
HUSK_API husk_status husk_instance_revoke(husk_instance *instance, uint32_t rights);

/* Until it is released it does not run, and its machine may be used: registers, memory, views, guest
 * functions. Waits for the end of its slice, so never in a callback. Holds add up. HUSK_STATE: it has no
 * machine any more (and is not held). [any] */
HUSK_API husk_status husk_instance_hold(husk_instance *instance, husk_machine **machine);
HUSK_API husk_status husk_instance_release(husk_instance *instance); /* HUSK_STATE: it is not held [any] */
/* As those of machines. Wait for the end of a slice. restore: in any state but ended. [any] */
HUSK_API husk_status husk_instance_snapshot(husk_instance *instance, husk_blob **out);
HUSK_API husk_status husk_instance_restore(husk_instance *instance, const void *bytes, size_t len);

typedef enum husk_instance_state {
	HUSK_INSTANCE_CREATED = 0, HUSK_INSTANCE_READY = 1, HUSK_INSTANCE_RUNNING = 2, HUSK_INSTANCE_WAITING = 3,
	HUSK_INSTANCE_THROTTLED = 4, HUSK_INSTANCE_PAUSED = 5, HUSK_INSTANCE_ENDED = 6
} husk_instance_state;

typedef enum husk_instance_end {
	HUSK_END_NONE = 0,    /* it has not ended */
	HUSK_END_HALTED = 1,  /* by itself: exit_code */
	HUSK_END_FAILED = 2,  /* a fault, a trap ...: stop, text */
	HUSK_END_LIMIT = 3,   /* of its budget, or its time: text */
	HUSK_END_STOPPED = 4, /* husk_instance_stop, and it went by itself */
	HUSK_END_KILLED = 5,
	HUSK_END_ERROR = 6    /* not its fault: no memory */
} husk_instance_end;

typedef enum husk_wait {
	HUSK_WAIT_NOTHING = 0, HUSK_WAIT_INPUT = 1, HUSK_WAIT_TIME = 2,
	HUSK_WAIT_OUTSIDE = 3, /* something of this computer: a connection */
	HUSK_WAIT_MESSAGE = 4  /* or another instance */
} husk_wait;

typedef struct husk_instance_info {
	size_t size;
	uint64_t number;
	husk_instance_state state;
	husk_instance_end end;
	int exit_code;
	husk_stop_kind stop;     /* of the last slice */
	uint64_t instructions;
	uint64_t cpu_ns;
	uint64_t time_ns;        /* it has lived so long, without pauses */
	uint64_t memory;
	uint64_t output_bytes;
	uint64_t files, messages;
	uint32_t weight, priority, cap, rights;
	char text[240];          /* ended: why, one line; perhaps empty */
	husk_wait waits;          /* WAITING: for what */
	uint32_t children;       /* that it started, and has not asked about since they ended */
	uint64_t parent;         /* number of who started it, and has not asked how it ended; 0: nobody */
	uint64_t slices;
	uint64_t wakes, late_ns; /* how often it was woken, and the longest until it ran */
	char refused[120];       /* the newest thing that a limit did not let it have: "the files limit of 20 files (db)" */
	char why[200];           /* the last snapshot or restore was refused: as husk_machine_why */
	uint64_t disk;           /* bytes to folders of this computer and to the store, since it was made */
} husk_instance_info;
HUSK_API husk_status husk_instance_get_info(husk_instance *instance, husk_instance_info *out); /* [any] */
HUSK_API const char *husk_instance_name(const husk_instance *instance);             /* NULL: "" [any] */
/* Those that it started and has not asked about since they ended; as husk_hyper_instances. [any] */
HUSK_API husk_status husk_instance_children(husk_instance *instance, husk_instance **children, size_t room, size_t *count);
HUSK_API void *husk_instance_user(const husk_instance *instance);                   /* [any] */
HUSK_API husk_budget *husk_instance_budget(husk_instance *instance);                /* its own node; borrowed [any] */
/* The newest output_kept bytes of its output. Waits for the end of a slice. [any] */
HUSK_API husk_status husk_instance_output(husk_instance *instance, husk_blob **out);
HUSK_API const char *husk_instance_state_name(husk_instance_state state); /* "ready" [any] */
HUSK_API const char *husk_instance_end_name(husk_instance_end end);       /* "halted" [any] */

/* ---- Messages: what instances write to you, and you to them ---- */

/* A mailbox has a number, a name and a realm as instances have them, and no program. Who is written to from it
 * sees its number as the sender and can answer. An instance needs the right HUSK_MAILBOX for both. It holds 256
 * messages, 64 KiB; programs find it full, and wait, until you take some. */
typedef struct husk_mailbox_options {
	size_t size;
	const char *name;  /* NULL: "host" */
	const char *realm; /* NULL: that of all who have none */
	/* Something has come. On the thread that sent it, a worker or in husk_hyper_run; it may take and send
	 * messages, but not wait. The mailbox stays for that time. NULL: nobody wants to know. */
	void (*arrived)(void *ctx, husk_mailbox *mailbox);
	void *arrived_ctx;
} husk_mailbox_options;

/* options may be NULL. All [any]. */
HUSK_API husk_status husk_mailbox_create(husk_hyper *hyper, const husk_mailbox_options *options, husk_mailbox **mailbox);
HUSK_API void husk_mailbox_ref(husk_mailbox *mailbox);
/* With the last one it is nobody's any more, and messages that were not taken go. It may outlive its hypervisor. */
HUSK_API void husk_mailbox_unref(husk_mailbox *mailbox);
HUSK_API uint64_t husk_mailbox_number(const husk_mailbox *mailbox); /* NULL: 0 */
/* The number of an instance or mailbox of its realm; of several of a name the oldest. HUSK_NOT_FOUND: there is
 * none, or it may not have messages. */
HUSK_API husk_status husk_mailbox_find(husk_mailbox *mailbox, const char *name, uint64_t *number);
/* HUSK_NOT_FOUND: nobody of that number in its realm. HUSK_LIMIT: the queue is full. HUSK_RANGE: more than
 * HUSK_MESSAGE_MOST bytes. */
HUSK_API husk_status husk_mailbox_send(husk_mailbox *mailbox, uint64_t to, const void *bytes, size_t len);
/* The oldest message. HUSK_NOT_FOUND: there is none. HUSK_LIMIT: it is longer than room: *len says how long, and
 * it stays. from may be NULL. */
HUSK_API husk_status husk_mailbox_take(husk_mailbox *mailbox, void *bytes, size_t room, size_t *len, uint64_t *from);
/* Until there is a message. HUSK_TIMEOUT: ns are over (HUSK_UNLIMITED: no limit), or the hypervisor was
 * destroyed. Without workers HUSK_STATE, if there is none yet. Never in a callback. */
HUSK_API husk_status husk_mailbox_wait(husk_mailbox *mailbox, uint64_t ns);

#ifdef __cplusplus
}
#endif

#endif
