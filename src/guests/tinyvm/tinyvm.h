/* SPDX-License-Identifier: MIT
 *
 * What the TinyVM's description cannot say: its source language, its file format, the words it prints, threads and
 * locks with their limits.
 *
 *   tinyvm.c         the Guest: recognition, a program's way into the spaces, entry, waiting
 *   tinyvm_log.c     the services: every line the machine prints while it runs
 *   tinyvm_text.c    programs as text: .tvm source to TvmProgram (all stages)
 *   tinyvm_file.c    .tvmc: TvmProgram to bytes and back
 *   tinyvm_native.c  functions that a hypervisor gives (services=on)
 *   tinyvm_show.c    listings, and what is printed before the program runs
 *   image.c          the embedded description
 *
 *     .tvm text --tvm_parse--> TvmProgram --tvm_write--> .tvmc          (husk asm, stages 07 on)
 *     .tvmc ----tvm_read-----> TvmProgram --place------> cells, tables  (husk run)
 *
 * In stages 01 to 06 a program has no compiled form: there the "object file" is TVM_TEXT_MAGIC and the text itself.
 */
#ifndef GUESTS_TINYVM_TINYVM_H
#define GUESTS_TINYVM_TINYVM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/status.h"
#include "base/types.h"
#include "machine/machine.h"

extern const Guest tinyvm_guest;
extern const char tinyvm_isa_text[]; /* NUL-terminated */
extern const u8 tinyvm_isa_frozen[]; /* the same, loaded: isa/isa_frozen.h */

/* ---- Programs ---- */

/* The opcodes of .tvmc files, and behind them those that only the description has. */
typedef enum TvmOp {
	TVM_NOP, TVM_PRINT, TVM_LOAD_CONST, TVM_ADD, TVM_SLEEP, TVM_SETSHARED, TVM_MONITOR_ENTER, TVM_MONITOR_EXIT,
	TVM_INVOKE_SYNC, TVM_INVOKE_ASYNC, TVM_RETURN, TVM_PRINT_STACK_TRACE,
	TVM_THREAD, TVM_UNKNOWN, TVM_END = 254, TVM_BEGIN = 255,
} TvmOp;

typedef struct TvmInsn {
	u32 op;           /* as in the file: any number */
	u16 x, y, z;      /* indexes into the function's pool */
	i32 constant;
	const char *name; /* or NULL */
	const char *text; /* the source line, or NULL when it is not known */
	u32 line;         /* its number, from 1; 0 = not known */
	size_t at;        /* where it is in the source */
	bool strange;     /* no instruction of this stage begins with that word */
} TvmInsn;

typedef struct TvmFunction {
	const char *name;
	TvmInsn *insns;
	u32 count, cap;
	const char **pool;
	u32 pool_count, pool_cap;
} TvmFunction;

typedef struct TvmProgram {
	Arena arena; /* of everything below */
	unsigned stage;
	bool from_text;
	bool natives; /* there are native functions */
	TvmFunction *functions; /* stages 01 to 05: one, without a name */
	u32 count, cap;
	u32 lines;   /* that the source has, without comments and empty ones */
	u32 refused; /* stage 06: functions beyond the limit */
} TvmProgram;

enum {
	TVM_LOCALS = 10, TVM_SHARED = 10, TVM_LOCKS = 10, TVM_THREADS = 10,
	TVM_FUNCTIONS_06 = 10, TVM_FUNCTIONS = 100, TVM_FUNCTION_LINES = 100,
	TVM_WORD = 31,             /* characters of a word that count */
	TVM_LINE = 1023,           /* characters of a line */
	TVM_PROGRAM_LINES = 10000, /* stages 01 to 05 */
	TVM_MAX_INSNS = 1 << 20,   /* of a .tvmc file */
	TVM_MAX_NAMES = (1 << 18) - 1, /* ADD has 18 bits for a name */
};

#define TVM_TEXT_MAGIC "\x7FTinyVM text\n"

void tvm_program_init(TvmProgram *program, unsigned stage);
void tvm_program_fini(TvmProgram *program);
/* NULL when memory is out. */
TvmFunction *tvm_add_function(TvmProgram *program, const char *name);
TvmInsn *tvm_add_insn(TvmProgram *program, TvmFunction *function);
bool tvm_add_pool(TvmProgram *program, TvmFunction *function, const char *text, u16 *index);

/* The machine's stage: 1 .. 10. */
unsigned tvm_stage(const Isa *isa);

/* Reads source text as program->stage does. Warnings and errors to diags, which may be NULL. */
Status tvm_parse(const GuestFile *source, TvmProgram *program, DiagList *diags);
void tvm_write(const TvmProgram *program, Buf *out);
/* Reads a .tvmc file. The first thing wrong is told with its offset; diags may be NULL. */
Status tvm_read(const GuestFile *file, TvmProgram *program, DiagList *diags);

/* `LOAD_CONST v = n`: an instruction as the compiler lists it. */
void tvm_show_insn(const TvmProgram *program, const TvmFunction *function, const TvmInsn *insn, Buf *out);
/* What the compiler prints (stages 07 on), `path` being its source. One line each, without the time. */
void tvm_show_compiler(const TvmProgram *program, const char *path, Buf *out);
/* What the machine prints before the program's first instruction. */
void tvm_show_head(const TvmProgram *program, const char *path, Buf *out);

/* ---- The running machine ---- */

/* Cells of space `vm`. */
enum {
	VM_THREADS,  /* threads ever made; a thread's number is that of its vCPU */
	VM_ENDED,    /* of these, ended; bit n of VM_OVER: thread n */
	VM_OVER,
	VM_SHOWN,    /* the head is printed */
	VM_WAITS,    /* locks that were not free */
	VM_LOCKED,   /* locks taken */
	VM_JOINED,   /* stage 02: the thread that the main routine waits for */
	VM_HEAD,     /* where its text is in `texts`, ended by 0 */
	VM_MAIN,     /* address of main's first instruction, TVM_NOWHERE without one */
	VM_BEGIN,    /* address of BEGIN */
};

#define TVM_NOWHERE 0xFFFFFFFFu

/* Cells of a frame (space frames), before ten pairs of name and value. */
enum { FRAME_CALLER, FRAME_PC, FRAME_LP, FRAME_WAITS, FRAME_LOCALS, FRAME_CELLS = 24, FRAME_COUNT = 1024 };

typedef struct TvmSpaces { /* of the description */
	u16 code, frames, shared, locks, vm, texts;
	u16 names, lines, functions; /* tables */
} TvmSpaces;

TvmSpaces tvm_spaces(const Isa *isa);
u32 tvm_cell(const Machine *machine, u16 space, u64 address);
void tvm_set_cell(Machine *machine, u16 space, u64 address, u32 value);
void tvm_set_register(Machine *machine, u32 vcpu, const char *name, u64 value);
/* The text of name number `id`; "" when there is none. Added to out. */
void tvm_name(const Machine *machine, u64 id, Buf *out);
/* "lock 'm', held by thread 2": what `thread` waits for. `place`: the owner's cell in space locks. */
void tvm_describe_lock(const Machine *machine, u32 thread, u64 place, Buf *out);
/* The name of the function whose first instruction is at `start`. */
void tvm_function_name(const Machine *machine, u64 start, Buf *out);

extern const HostEntry tvm_hosts[];

/* ---- Native functions ---- */

bool tvm_has_natives(const Isa *isa);
/* Of a call "kv_get:runs" the name of its variable, and *native; NULL: there is none of that name. */
const char *tvm_native_variable(const char *call, u32 *native);
/* Where such a call goes: the number of the name is that of its variable. */
u32 tvm_native_address(u32 native, u32 name);
HostResult tvm_native(Machine *machine, const u64 *args, unsigned count, u64 *result);

#endif
