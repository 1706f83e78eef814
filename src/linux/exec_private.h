/* SPDX-License-Identifier: MIT
 *
 * Inside of execve: the pieces that exec.c puts together.
 */
#ifndef LINUX_EXEC_PRIVATE_H
#define LINUX_EXEC_PRIVATE_H

#include "linux/elf.h"
#include "linux/mm_private.h"

enum {
	EXEC_TEXT_LIMIT = 128 * 1024,       /* one argument, with its 0 (MAX_ARG_STRLEN) */
	EXEC_TEXTS_LIMIT = 6 * 1024 * 1024, /* all of them with their pointers, at most */
	EXEC_TEXTS_LEAST = 128 * 1024,      /* so much is always allowed */
	EXEC_SCRIPTS = 5,                   /* #! files that call one another */
};

/* Texts, each ended by 0, one behind the other. */
typedef struct Texts {
	Buf bytes;
	u32 count;
} Texts;

/* What the stack of a new program says about it. */
typedef struct StackPlan {
	const Texts *arguments, *environment;
	const char *path;          /* AT_EXECFN */
	const ElfProgram *program;
	u64 bias;                  /* of the program */
	u64 interpreter;           /* load address of its interpreter, or 0 */
} StackPlan;

/* exec_stack.c: the stack area and what is on it; gives the stack pointer. auxv: a copy of the vector. */
i64 exec_make_stack(Task *task, Mm *mm, const StackPlan *plan, u64 *sp, Buf *auxv);

/* vdso.c: a page with a library that has the return from signal handlers. */
i64 exec_make_vdso(Mm *mm);

#endif
