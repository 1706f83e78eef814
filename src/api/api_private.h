/* SPDX-License-Identifier: MIT
 *
 * The inside of libhusk: what its handles are, and what its files share. The contract is <husk/husk.h>; this folder
 * is a skin over the others and decides nothing that they could decide.
 *
 *     husk_machine ---> husk_program ---> husk_isa ---> husk_context        counted references
 *          |                  |               '-- Isa, Guest
 *          '-- Machine        '-- the files as the guest's loader takes them, AsmPrograms
 *
 * Every function of the header checks what it is given and then does one thing. Structs of options come in
 * through api_options (api.c), structs of answers go out through api_answer, so that both may grow.
 */
#ifndef API_API_PRIVATE_H
#define API_API_PRIVATE_H

#include <pthread.h>

#include <husk/husk.h>

#include "asm/asm.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/status.h"
#include "isa/isa.h"
#include "machine/machine.h"

struct husk_context {
	husk_allocator allocator;
	void (*log)(void *ctx, husk_log_level level, const char *text);
	void *log_ctx;
	u32 refs; /* atomic, as all refs here */
};

/* ---- api.c ---- */

husk_status api_status(Status status);

/* Zeroed memory of the context's allocator, or NULL; freed with the same size. */
void *api_alloc(husk_context *context, size_t bytes);
void api_free(husk_context *context, void *memory, size_t bytes);
char *api_strdup(husk_context *context, const char *text); /* NULL for NULL */
void api_free_text(husk_context *context, char *text);

static inline void api_ref(u32 *refs)
{
	__atomic_add_fetch(refs, 1, __ATOMIC_RELAXED);
}
/* True: that was the last one. */
static inline bool api_unref(u32 *refs)
{
	return __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL) == 0;
}

/* The caller's struct, of whatever version, into ours of `size` bytes, which is zero; NULL is all zero. */
husk_status api_options(void *out, size_t size, const void *given);
/* Ours into the caller's, as much as it has. */
husk_status api_answer(void *given, size_t size, const void *ours);

/* Both give `status`. *error (may be NULL) becomes an object with these words, or with all of diags, which are gone
 * then, and `words` before them if there are any. */
husk_status api_fail(husk_context *context, husk_error **error, husk_status status, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
husk_status api_fail_diags(husk_context *context, husk_error **error, husk_status status, DiagList *diags, const char *words);
/* Warnings go to the log. */
void api_log_diags(husk_context *context, const DiagList *diags);

/* Cells in arrays of the caller's: the integer that holds one, and number `index` of them. */
static inline unsigned api_cell_size(unsigned bits)
{
	return bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8;
}
static inline u64 api_cell(const void *cells, size_t index, unsigned size)
{
	switch (size) {
	case 1: return ((const u8 *)cells)[index];
	case 2: return ((const u16 *)cells)[index];
	case 4: return ((const u32 *)cells)[index];
	default: return ((const u64 *)cells)[index];
	}
}
static inline void api_set_cell(void *cells, size_t index, unsigned size, u64 value)
{
	switch (size) {
	case 1: ((u8 *)cells)[index] = (u8)value; break;
	case 2: ((u16 *)cells)[index] = (u16)value; break;
	case 4: ((u32 *)cells)[index] = (u32)value; break;
	default: ((u64 *)cells)[index] = value; break;
	}
}

/* Takes the bytes, also when it fails. */
husk_status api_blob(husk_context *context, Buf *bytes, husk_blob **out);

/* ---- isa.c ---- */

struct husk_isa {
	husk_context *context; /* a reference */
	Isa *isa;              /* owned */
	const Guest *guest;    /* or NULL */
	u32 refs;
};

/* number: of a dialect; NULL: the first. */
husk_status api_find_dialect(const husk_isa *isa, const char *name, u16 *number);

/* ---- program.c ---- */

typedef struct ApiFile {
	char *name;           /* owned */
	Buf source;           /* as given */
	const GuestLanguage *language; /* it was compiled; or NULL */
	bool is_asm;          /* program is there */
	AsmProgram *program;  /* owned, or NULL */
	Buf object;           /* what the loader takes, where it is not `source` */
} ApiFile;

typedef struct ApiName {
	const char *text;     /* in the arena */
	u64 address;
	u16 space;
} ApiName;

struct husk_program {
	husk_isa *isa;        /* a reference */
	ApiFile *files;       /* owned */
	size_t file_count;
	pthread_mutex_t lock; /* guards what follows: filled when first wanted */
	Arena arena;
	ApiName *names;       /* those that object files bring */
	u32 name_count, name_cap;
	bool has_names;
	u32 refs;
};

/* Puts it into a machine that is made for it. */
husk_status api_put_program(husk_program *program, Machine *machine, husk_error **error);
husk_status api_find_symbol(husk_program *program, const Machine *machine, const char *name, u64 *value);

/* ---- hosts.c ---- */

typedef struct ApiHost {
	char *name;           /* owned */
	husk_host_function function;
	void *ctx;
} ApiHost;

struct husk_hosts {
	husk_context *context; /* a reference */
	ApiHost **all;         /* owned */
	MachineService *services; /* owned: the same, as machines want them; number [count] is free for `syscall` */
	u32 count, cap;
	bool used;             /* atomic: machines have pointers into it */
	u32 refs;
};

/* Puts what the set has into a configuration. */
void api_use_hosts(husk_hosts *hosts, MachineConfig *config);

/* ---- machine.c ---- */

struct husk_machine {
	husk_context *context; /* borrowed from the program */
	husk_program *program; /* a reference */
	Machine *machine;      /* owned; NULL: not there (now). Atomic where others may look: those who should not */
	MachineConfig config;
	husk_instance *instance; /* whose it is, borrowed; or NULL */
	husk_output output, errors;
	void *output_ctx, *user;
	uintptr_t runner;      /* atomic: the thread that is inside a run; 0: none */
	bool interrupted;      /* atomic */
	u64 generation;        /* goes up when views are not of this memory any more */
	bool broke;            /* the last run ended at a breakpoint, at broke_pc */
	u64 broke_pc;
	bool paused;           /* a host function wants the run to end */
	u32 depth;             /* host functions that are at work */
	husk_hosts *hosts;     /* a reference, or NULL */
	u32 refs;
};

/* May this thread use it now? */
husk_status api_enter(husk_machine *machine);
void api_machine_unref(husk_machine *machine);
/* But for `instructions`. */
void api_describe_stop(const husk_machine *machine, const MachineStop *stop, husk_stop *out);

/* ---- instance.c ---- */

/* Instructions of a guest function that is called, from the fuel of its instance: as many of `wanted` as there are; and what was
 * not used. */
u64 api_take_fuel(husk_instance *instance, u64 wanted);
void api_give_fuel(husk_instance *instance, u64 unused);

#endif
