/* SPDX-License-Identifier: MIT
 *
 * What the description of Terence Parr's simple virtual machine cannot say. The original has no files: its programs are
 * arrays in Java. Two formats are ours, besides the assembly:
 *
 *   .svmi   text: the numbers of the array as they stand in the Java source, with a few words before them
 *
 *               globals 1
 *               function main 0 0 6      name, arguments, further locals, address
 *               function diff 2 0 0
 *               start 6
 *               10 0  10 1  2  17  |  9 10, 9 3, 16 1, 14, 18       // blanks, ',' and '|' are all the same
 *
 *   .svmo   binary, little-endian, what the assembler writes for a .svm text:
 *
 *               "SVM" 1A   u32 version 1   u32 globals   u32 start   u32 functions   u32 words
 *               for each function: u32 arguments  u32 locals  u32 address  u8 length, name
 *               the words
 *
 * Function 0 is the one that runs at the start (a .svmi without `start` starts there); without functions in a file it is
 * `main`, without locals.
 *
 *   svm.c         the Guest: loading, services, the original's error messages
 *   svm_file.c    the formats
 *   svm_trace.c   the original's trace
 *   image.c       the embedded description
 */
#ifndef GUESTS_SVM_SVM_H
#define GUESTS_SVM_SVM_H

#include "base/arena.h"
#include "machine/machine.h"

extern const Guest svm_guest;
extern const GuestTrace svm_trace;
extern const char svm_isa_text[]; /* NUL-terminated */
extern const u8 svm_isa_frozen[]; /* the same, loaded: isa/isa_frozen.h */

enum {
	SVM_MAX_WORDS = 1 << 22,
	SVM_MAX_GLOBALS = 1 << 20,
	SVM_MAX_FUNCTIONS = 1 << 16,
	SVM_MAX_ARGUMENTS = 1000, /* as many values as the stack can hold */
	SVM_MAX_LOCALS = 1 << 16,
	SVM_MAX_NAME = 255,
	SVM_HEADER = 3, /* cells of a frame before its locals: address to return to, the caller's fp, function */
};

/* The columns of table fn. */
typedef enum SvmColumn { SVM_NARGS, SVM_NLOCALS, SVM_ADDRESS, SVM_NAME } SvmColumn;

typedef struct SvmFunction {
	const char *name;
	u32 name_len;
	u32 nargs, nlocals, address;
} SvmFunction;

typedef struct SvmProgram {
	Arena arena; /* owns everything below */
	u32 *words;
	u32 word_count, word_cap;
	SvmFunction *functions; /* at least one after a successful read */
	u32 function_count, function_cap;
	u32 globals, start;
} SvmProgram;

/* 0: not ours; else how sure. */
int svm_recognize(const GuestFile *file);
/* Reads a file of either format. After it, also after an error, svm_program_fini. */
Status svm_read(const GuestFile *file, SvmProgram *out, DiagList *diags);
void svm_program_fini(SvmProgram *program);
Status svm_write(const struct AsmProgram *program, Buf *out, DiagList *diags);

/* The convention a machine follows. */
typedef enum SvmCalls { SVM_SHATTER, SVM_FUNC_META, SVM_SPLIT, SVM_ADD_FUNCTIONS, SVM_C } SvmCalls;
SvmCalls svm_calls(const Machine *machine);
u16 svm_space(const Machine *machine, const char *name);
u32 svm_register(const Machine *machine, const char *name);
/* A cell, 0 where there is none. */
u32 svm_cell(const Machine *machine, const char *space, u64 address);
/* The stack and the active functions, in a line. */
void svm_describe(const Machine *machine, Buf *out);
/* The name of a function, "" without one. */
void svm_function_name(const Machine *machine, u32 function, Buf *out);

#endif
