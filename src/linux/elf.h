/* SPDX-License-Identifier: MIT
 *
 * ELF files: what a loader must know of a program, checked, and the symbols in it (System V ABI, chapters 4 and 5;
 * RISC-V ELF psABI). 64 bits, little-endian. Nothing here trusts the file: what elf_read accepts satisfies
 *
 *  1. Segments ascend, do not overlap, and no sum of theirs overflows; each lies within the file and below `limit`, and
 *     above `lowest` where the program says itself where it lies.
 *  2. Addresses and offsets of a segment agree in their low 12 bits, so that it can be mapped.
 *  3. The entry lies in a segment.
 */
#ifndef LINUX_ELF_H
#define LINUX_ELF_H

#include "base/diag.h"
#include "base/types.h"
#include "machine/machine.h"

enum { ELF_SEGMENT_LIMIT = 128, ELF_INTERPRETER_LIMIT = 4096, ELF_HEADER = 64, ELF_PROGRAM_HEADER = 56 };
enum { ELF_EXECUTABLE = 2, ELF_SHARED = 3 }; /* e_type */
enum { ELF_EXECUTE = 1, ELF_WRITE = 2, ELF_READ = 4 }; /* p_flags */

typedef struct ElfSegment {
	u64 address, memory; /* where, and how many bytes */
	u64 offset, file;    /* what of it is in the file; the rest is zero */
	u32 flags;
} ElfSegment;

typedef struct ElfProgram {
	u16 type;
	u64 entry;
	u64 headers;           /* address of the program headers; 0: they are in no segment */
	u16 header_count;
	ElfSegment segments[ELF_SEGMENT_LIMIT];
	u32 segment_count;     /* at least 1 */
	u64 low, high;         /* whole pages that it takes */
	u64 align;             /* of low, a power of two, at least a page */
	bool executable_stack;
	char interpreter[ELF_INTERPRETER_LIMIT]; /* "": none */
} ElfProgram;

typedef struct ElfSource {
	const char *name;      /* for messages */
	u64 size;
	void *ctx;
	/* Bytes read, fewer at the end; < 0: -errno. */
	i64 (*read)(void *ctx, void *to, u64 len, u64 offset);
} ElfSource;

typedef struct ElfWanted {
	u16 machine;
	const char *machine_name;
	u32 flags_refused;
	u64 lowest, limit;     /* addresses that a program can have: from, and up to before */
} ElfWanted;

/* 0, or -ENOEXEC, -EINVAL, -ENOMEM, -EPERM (too low), what read gave; in words to diags (may be NULL). */
i64 elf_read(const ElfSource *source, const ElfWanted *wanted, ElfProgram *out, DiagList *diags);
bool elf_is(const u8 *bytes, size_t len);    /* begins as an ELF file does */
const char *elf_machine_name(u16 machine);   /* "x86-64"; NULL: not known here */
/* Symbols with a place, moved by bias. STATUS_FORMAT: no ELF file, or none in it. */
Status elf_symbols(const u8 *bytes, size_t len, u64 bias, u16 space, const GuestNames *names);

#endif
