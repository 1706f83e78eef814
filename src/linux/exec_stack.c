/* SPDX-License-Identifier: MIT
 *
 * The stack a program begins with, as Linux lays it out:
 *
 *     sp -> argc | argv[0] .. NULL | environment .. NULL | auxiliary vector .. AT_NULL | 16 random bytes
 *           | texts of argv | texts of the environment | AT_EXECFN's text | 8 bytes of 0 <- the last address
 */
#include <string.h>

#include "linux/exec_private.h"

/* AT_*, as in Linux UAPI linux/auxvec.h. */
enum { AUX_NULL, AUX_PHDR = 3, AUX_PHENT, AUX_PHNUM, AUX_PAGESZ, AUX_BASE, AUX_FLAGS, AUX_ENTRY, AUX_UID = 11, AUX_EUID,
       AUX_GID, AUX_EGID, AUX_HWCAP = 16, AUX_CLKTCK, AUX_SECURE = 23, AUX_RANDOM = 25, AUX_HWCAP2, AUX_EXECFN = 31,
       AUX_SYSINFO_EHDR = 33, AUX_MINSIGSTKSZ = 51 };

enum { RANDOM_BYTES = 16, STACK_ROOM = 32 * PAGE, CLOCK_TICKS = 100, SIGINFO = 128 };

static void aux(Buf *out, u64 type, u64 value)
{
	buf_u64(out, type);
	buf_u64(out, value);
}

static void auxiliary_vector(const Task *task, const Mm *mm, const StackPlan *plan, u64 random, u64 path, Buf *out)
{
	const LinuxAbi *abi = mm->kernel->abi;
	const ElfProgram *program = plan->program;

	if (mm->vdso)
		aux(out, AUX_SYSINFO_EHDR, mm->vdso);
	aux(out, AUX_HWCAP, abi->hwcap);
	aux(out, AUX_PAGESZ, PAGE);
	aux(out, AUX_CLKTCK, CLOCK_TICKS);
	aux(out, AUX_PHDR, program->headers ? program->headers + plan->bias : 0);
	aux(out, AUX_PHENT, ELF_PROGRAM_HEADER);
	aux(out, AUX_PHNUM, program->header_count);
	aux(out, AUX_BASE, plan->interpreter);
	aux(out, AUX_FLAGS, 0);
	aux(out, AUX_ENTRY, program->entry + plan->bias);
	aux(out, AUX_UID, task->process->user);
	aux(out, AUX_EUID, task->process->user);
	aux(out, AUX_GID, task->process->group);
	aux(out, AUX_EGID, task->process->group);
	aux(out, AUX_SECURE, 0);
	aux(out, AUX_RANDOM, random);
	aux(out, AUX_HWCAP2, 0);
	aux(out, AUX_EXECFN, path);
	aux(out, AUX_MINSIGSTKSZ, abi->frame_size + SIGINFO);
	aux(out, AUX_NULL, 0);
}

/* Where each text begins, then 0. */
static void pointers(Buf *out, const Texts *texts, u64 start)
{
	const char *at = (const char *)texts->bytes.data;

	for (u32 i = 0; i < texts->count; i++) {
		size_t len = strlen(at) + 1;

		buf_u64(out, start);
		start += len;
		at += len;
	}
	buf_u64(out, 0);
}

static i64 add_stack(Mm *mm, u64 len, bool executable)
{
	Area like = {.prot = LINUX_PROT_READ | LINUX_PROT_WRITE | (executable ? LINUX_PROT_EXEC : 0),
		     .flags = AREA_GROWS_DOWN | AREA_STACK, .start = mm->limit - page_up(len + STACK_ROOM), .end = mm->limit};

	if (!area_is_free(&mm->areas, like.start, like.end))
		return -ENOMEM;
	return mm_add_area(mm, &like) ? 0 : -ENOMEM;
}

i64 exec_make_stack(Task *task, Mm *mm, const StackPlan *plan, u64 *sp, Buf *auxv)
{
	Machine *machine = mm->kernel->machine;
	size_t path_len = strlen(plan->path) + 1;
	u64 path = mm->limit - 8 - path_len, environment = path - plan->environment->bytes.len;
	u64 arguments = environment - plan->arguments->bytes.len, random = (arguments - RANDOM_BYTES) & ~(u64)15;
	u64 words = 1 + plan->arguments->count + 1 + plan->environment->count + 1, start;
	u8 noise[RANDOM_BYTES];
	Buf image;
	i64 error;

	auxiliary_vector(task, mm, plan, random, path, auxv);
	start = (random - words * 8 - auxv->len) & ~(u64)15;
	kernel_random(mm->kernel, noise, sizeof noise);
	buf_init(&image);
	buf_u64(&image, plan->arguments->count);
	pointers(&image, plan->arguments, arguments);
	pointers(&image, plan->environment, environment);
	buf_add(&image, auxv->data, auxv->len);
	buf_fill(&image, 0, random - start - image.len);
	buf_add(&image, noise, sizeof noise);
	buf_fill(&image, 0, arguments - start - image.len);
	buf_add(&image, plan->arguments->bytes.data, plan->arguments->bytes.len);
	buf_add(&image, plan->environment->bytes.data, plan->environment->bytes.len);
	buf_add(&image, plan->path, path_len);
	buf_fill(&image, 0, 8);
	error = image.failed || auxv->failed ? -ENOMEM : add_stack(mm, image.len, plan->program->executable_stack);
	if (!error && machine_copy_out(machine, mm->aspace, start, image.data, image.len) != image.len)
		error = -ENOMEM;
	buf_fini(&image);
	*sp = start;
	mm->arguments = arguments;
	mm->arguments_end = mm->environment = environment;
	mm->environment_end = path;
	return error;
}
