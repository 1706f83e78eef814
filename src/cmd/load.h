/* SPDX-License-Identifier: MIT
 *
 * From names on the command line to a machine that is ready to run, to be debugged or to be taken apart.
 *
 *   which machine?   --isa MACHINE, or a FILE ending in .isa, or whose files these are (guest->recognize; for
 *                    assembly text: which machine's mnemonics and directives it uses most)
 *                    an extension that is one machine's own (of its assembly texts, of its source language) decides
 *   what is a file?  a snapshot (by its magic); assembly text (.asm, .s, guest->asm_extensions: assembled in the
 *                    machine's dialect, then treated as an object file); a text in a language of the machine's own
 *                    (guest->languages: compiled to assembly text or to an object file, then treated as such);
 *                    else an object or image the machine's guest loads
 *   in which order?  as given; later files overwrite earlier ones
 *
 * A machine that is only a text (no guest folder) takes assembled segments straight into its spaces, and any other
 * file as cells at the `image` address, or at the start of the code space. It starts at the assembled entry, at the
 * image address when that is given, else where its pc register resets to.
 *
 * Nothing here prints: whatever goes wrong is one line in loaded->error (with a hint perhaps) and the messages about
 * texts in loaded->diags; load_complain shows them.
 */
#ifndef CMD_LOAD_H
#define CMD_LOAD_H

#include "asm/asm.h"
#include "cmd/opt.h"
#include "machine/machine.h"

typedef struct LoadOptions {
	const char *isa, *profile, *dialect;
	OptList sets;
	u64 memory; /* bytes; 0 = the default */
	bool liberal;
	const EngineOps *engine; /* NULL = the usual one */
	const char *engine_name; /* "interp", "jit", or NULL */
	bool compiles;           /* no name: the compiler */
	const EngineOptions *engine_options; /* lives longer than the machine; or NULL */
	u64 quantum, vcpus;      /* 0 = the default */
	bool live;               /* time is real, and quanta vary by jitter_seed */
	u64 jitter_seed, random_seed;
	const struct LinuxConfig *system; /* what Linux programs are given; NULL: nothing */
} LoadOptions;

/* The rows these options take in a verb's table. */
#define LOAD_ROWS_ISA(Type, member)                                                                              \
	{"isa", 'm', OPT_TEXT, offsetof(Type, member.isa), "MACHINE",                                            \
	 "the machine: a built-in one, an installed one, or an .isa file"},                                      \
	{"profile", 'p', OPT_TEXT, offsetof(Type, member.profile), "NAME", "the same as --set profile=NAME"},    \
	{"set", 's', OPT_LIST, offsetof(Type, member.sets), "OPTION=CHOICE", "choose one of the machine's options"}
#define LOAD_ROWS_ASM(Type, member)                                                                              \
	{"dialect", 'd', OPT_TEXT, offsetof(Type, member.dialect), "NAME",                                       \
	 "assembly dialect (husk isa check MACHINE lists them)"},                                                \
	{"liberal", 0, OPT_FLAG, offsetof(Type, member.liberal), NULL,                                           \
	 "doubtful assembly text is a warning, not an error"}
#define LOAD_ROW_MEMORY(Type, member)                                                                            \
	{"memory", 0, OPT_SIZE, offsetof(Type, member.memory), "SIZE",                                           \
	 "memory the machine may have, in bytes (default 256M; Linux\nprograms 4G)"}
#define LOAD_ROW_ENGINE(Type, member)                                                                            \
	{"engine", 0, OPT_CHOICE, offsetof(Type, member.engine_name), "interp|jit",                              \
	 "what runs the instructions: micro-operations, or code for this computer\n(the default)"}
#define LOAD_ROWS_VCPUS(Type, member)                                                                            \
	{"quantum", 0, OPT_NUMBER, offsetof(Type, member.quantum), "N",                                          \
	 "instructions a vCPU runs before the next one's turn (default 1000)"},                                  \
	{"vcpus", 0, OPT_NUMBER, offsetof(Type, member.vcpus), "N", "vCPUs the machine may have: threads (default 64; Linux\nprograms 1024)"}

typedef struct LoadedFile {
	const char *name;     /* borrowed from the command */
	Buf data;             /* as read */
	bool waits;           /* of `data` only the beginning has been read, from `fd`, which is owned then (load_part.c) */
	int fd;
	GuestFileRest rest;
	bool is_asm, is_snapshot;
	const GuestLanguage *language; /* it is written in this one (with to_assembly it is_asm too), or NULL */
	Buf compiled;         /* what the compiler made of it: assembly text or an object file */
	Buf listing;          /* what the compiler shows, perhaps nothing */
	AsmProgram *program;  /* owned; when is_asm */
	Buf object;           /* what the guest is given instead of `data`, when is_asm */
} LoadedFile;

/* A name or a source line that a loaded file brings itself. */
typedef struct LoadName {
	const char *text;
	u64 address;
	u16 space;
	u32 number; /* of a line; 0 = not known */
} LoadName;

typedef struct Loaded {
	const Guest *guest;   /* or NULL: a machine of an .isa alone */
	Isa *isa;             /* owned */
	u16 dialect;          /* chosen by --dialect, else 0 */
	Machine *machine;     /* owned; load_machine made it */
	MachineConfig config; /* what it was made with */
	LoadedFile *files;    /* owned */
	u32 file_count;
	bool files_stay;         /* the machine goes before them: it need not have copies */
	LoadName *names, *lines; /* in the arena; load_names_now fills them */
	bool names_wait;         /* nobody has asked for them yet */
	u32 name_count, name_cap, line_count, line_cap;
	DiagList diags;
	Buf error, hint;      /* one line each */
	Buf isa_text;         /* empty: the guest's own */
	u64 disk_limit; /* bytes that may be written to folders of the host; 0: any number */
	const struct MachineFolders *folders; /* a reference: what programs that are not Linux programs are given; or NULL */
	Arena arena;
} Loaded;

void load_init(Loaded *loaded);
void load_fini(Loaded *loaded);
/* Shows warnings, or why it failed. */
void load_complain(const Loaded *loaded);
/* Complains when `path` is one of the files that were read: `what` would be written over it. */
bool load_is_input(const Loaded *loaded, const char *path, const char *what);

/* Each gives 0 or the exit code. load_files reads them all; load_isa chooses and loads the description;
 * load_assemble compiles, and turns the assembly texts into programs; load_machine makes the machine and puts everything into it.
 * To be called in this order. */
int load_files(Loaded *loaded, const char *const *names, u32 count);
/* In place of load_files: one text that is no file; its name says what it is. */
int load_text(Loaded *loaded, const char *name, const void *text, size_t len);
int load_isa(Loaded *loaded, const LoadOptions *options);
int load_assemble(Loaded *loaded, const LoadOptions *options);
int load_machine(Loaded *loaded, const LoadOptions *options);
/* Files that a description names, from where the description `path` stands. NULL when memory is out. */
const char *load_beside(Loaded *loaded, const char *path, const char *name);
/* The two halves of load_machine: an empty machine; everything into it. */
int load_create(Loaded *loaded, const LoadOptions *options);
int load_put(Loaded *loaded);
/* Reads a file that is open, and takes it over: of Linux programs the beginning, the rest when it is needed. `path` is for messages.
 * 0, or an exit code with a line in *error. */
int load_file_open(LoadedFile *file, int fd, const char *path, Buf *error);
bool load_file_all(LoadedFile *file); /* now. False: that cannot be */
void load_file_close(LoadedFile *file);
i64 load_file_read(void *file, void *to, u64 len, u64 offset); /* of a LoadedFile: fewer at the end; < 0: -errno */
bool load_is_for_linux(const LoadedFile *file); /* an ELF file that a guest knows as its program */
/* The bytes of an object file or image: as read, as compiled, or (after load_put) as assembled. */
const Buf *load_bytes(const LoadedFile *file);
/* The same for a guest, with the text it was compiled from. */
GuestFile load_guest_file(const LoadedFile *file);
/* Text that an assembler could read: no control characters but those that texts have. */
bool load_looks_like_text(const Buf *data);
/* Does a file of this name hold an assembly text, or a text in a language, of this guest's own? guest may be NULL. */
bool load_is_own_asm(const Guest *guest, const char *name);
const GuestLanguage *load_own_language(const Guest *guest, const char *name);
/* AsmOptions.read_file: an included file is looked for beside the one that is being assembled. ctx: LoadIncluder. */
typedef struct LoadIncluder {
	const char *main_name;
	size_t left; /* bytes all includes together may still have */
} LoadIncluder;
char *load_include(void *ctx, const char *name, size_t *len);
/* All four. */
int load_all(Loaded *loaded, const LoadOptions *options, const char *const *names, u32 count);

/* A name for an address from the assembled programs: the symbol there, or NULL. */
const char *load_symbol_at(const Loaded *loaded, u16 space, u64 address);
/* The symbol at or nearest below, within the same segment; *offset is how far. NULL when there is none. */
const char *load_symbol_near(const Loaded *loaded, u16 space, u64 address, u64 *offset);
/* load_put is done: the guest can be asked for the names and lines of the files. Those of Linux programs, thousands that hardly a
 * run looks at, wait until somebody does, unless code is watched as it is compiled (by any thread). */
void load_names(Loaded *loaded);
/* Afterwards names and lines are there. What looks for one does this itself. */
void load_names_now(const Loaded *loaded);
/* The name at or nearest below, and the line at an address, that a file brings; NULL when there is none. */
const LoadName *load_name_near(const Loaded *loaded, u16 space, u64 address);
const LoadName *load_line_at(const Loaded *loaded, u16 space, u64 address);
/* "x3004" in the way the machine's dialect writes hexadecimal numbers. `bits` says how many digits. */
void load_hex(const Isa *isa, u16 dialect, u64 value, unsigned bits, Buf *out);

/* ---- Where descriptions are ---- */

/* Directories with .isa files: those of $HUSK_ISA_PATH, then beside the program (installed, or in its source tree).
 * Calls each(ctx, path of one .isa file); stops when that gives false. */
void load_each_isa_file(bool (*each)(void *ctx, const char *path), void *ctx);
/* The text of a description by name or path, and the guest that belongs to it, if any. */
int load_isa_text(const char *name, Buf *text, const char **shown_name, const Guest **guest, Arena *arena, Buf *error,
		  Buf *hint);

#endif
