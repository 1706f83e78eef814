/* SPDX-License-Identifier: MIT
 *
 * Lines of a trace of system calls.
 *
 * A line is begun when the call is (arguments that it takes), and ended when it returns (those that it gives, and
 * the result). One line is open at a time: when another task begins or ends a call meanwhile, the open one is left
 * with "<unfinished ...>" and taken up again later, as strace does it:
 *
 *     [pid     2] read(3,  <unfinished ...>
 *     [pid     1] write(4, "x", 1)                        = 1
 *     [pid     2] <... read resumed>"x", 1)               = 1
 *
 * Which task a line is of is told as soon as there has been more than one.
 */
#include "linux/strace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESULT_COLUMN = 40, EXECVE = 221, EXECVEAT = 281 };

typedef struct Strace {
	Buf line;
	size_t written;     /* how much of `line` is out already */
	const Task *task;   /* whose line it is; NULL: none is open */
	i32 tid;
	bool several;       /* there has been more than one task */
} Strace;

static Strace *strace_of(Kernel *kernel)
{
	if (!kernel->strace && kernel->trace) {
		kernel->strace = calloc(1, sizeof(Strace));
		if (kernel->strace)
			buf_init(&kernel->strace->line);
	}
	return kernel->strace;
}

void strace_close(Kernel *kernel)
{
	if (!kernel->strace)
		return;
	buf_fini(&kernel->strace->line);
	free(kernel->strace);
	kernel->strace = NULL;
}

static void write_out(Kernel *kernel, Strace *strace)
{
	if (strace->line.len > strace->written)
		kernel->trace(kernel->trace_ctx, strace->line.data + strace->written, strace->line.len - strace->written);
	strace->written = strace->line.len;
}

static void end_line(Kernel *kernel, Strace *strace)
{
	buf_byte(&strace->line, '\n');
	write_out(kernel, strace);
	buf_clear(&strace->line);
	strace->written = 0;
	strace->task = NULL;
}

/* A new line, of this task; what was open is left. */
static Strace *begin_line(const Task *task)
{
	Kernel *kernel = task->kernel;
	Strace *strace = strace_of(kernel);

	if (!strace)
		return NULL;
	if (strace->task) {
		buf_str(&strace->line, " <unfinished ...>");
		end_line(kernel, strace);
	}
	if (kernel->task_count > 1 || (strace->tid && strace->tid != task->tid))
		strace->several = true;
	strace->task = task;
	strace->tid = task->tid;
	if (strace->several)
		buf_printf(&strace->line, "[pid %5d] ", task->tid);
	return strace;
}

/* The mode of open: only when a file may be made. */
static bool is_absent(const Syscall *call, const u64 *args, unsigned i)
{
	enum { CREATE = 0100, TEMPORARY = 020000000 };

	return i && call->arguments[i] == 'm' && call->arguments[i - 1] == 'O' && !(args[i - 1] & (CREATE | TEMPORARY));
}

/* Those before the first that is known later; when leaving, the others. */
static void arguments(Task *task, const Syscall *call, bool leaving, i64 result, Buf *out)
{
	bool later = false;

	for (unsigned i = 0; i < 6 && call->arguments[i]; i++) {
		later = later || strace_is_output(call->arguments[i]);
		if (later != leaving || is_absent(call, task->call.args, i))
			continue;
		strace_argument(task, call->arguments, task->call.args, i, result, out);
		if (call->arguments[i + 1] && !is_absent(call, task->call.args, i + 1))
			buf_str(out, ", ");
	}
	if (leaving || !later)
		buf_byte(out, ')');
}

static bool has_outputs(const Syscall *call)
{
	for (unsigned i = 0; i < 6 && call->arguments[i]; i++)
		if (strace_is_output(call->arguments[i]))
			return true;
	return false;
}

void strace_enter(Task *task)
{
	const Syscall *call = kernel_syscall(task->call.number);
	Strace *strace = task->kernel->trace ? begin_line(task) : NULL;

	if (!strace)
		return;
	if (!call) {
		buf_printf(&strace->line, "syscall_%#" PRIx64 "(", task->call.number);
		for (unsigned i = 0; i < 6; i++)
			buf_printf(&strace->line, "%s%#" PRIx64, i ? ", " : "", task->call.args[i]);
		buf_byte(&strace->line, ')');
		return;
	}
	buf_printf(&strace->line, "%s(", call->name);
	arguments(task, call, false, 0, &strace->line);
}

static void show_result(const Syscall *call, u64 number, i64 result, Buf *out)
{
	const char *name = result < 0 ? strace_errno((u64)-result) : NULL;
	char words[64];

	if (out->len < RESULT_COLUMN)
		buf_fill(out, ' ', RESULT_COLUMN - out->len);
	if (result == CALL_DONE && (number == EXECVE || number == EXECVEAT))
		buf_str(out, " = 0");
	else if (result == CALL_DONE)
		buf_str(out, " = ?");
	else if (name && strerror_r((int)-result, words, sizeof words) == 0)
		buf_printf(out, " = -1 %s (%s)", name, words);
	else if (name)
		buf_printf(out, " = -1 %s", name);
	else if (result > 0xFFFF && call && strchr("pM", call->arguments[0] ? call->arguments[0] : ' '))
		buf_printf(out, " = %#" PRIx64, (u64)result); /* brk, mmap: an address */
	else
		buf_printf(out, " = %" PRId64, result);
}

void strace_leave(Task *task, i64 result)
{
	Kernel *kernel = task->kernel;
	const Syscall *call = kernel_syscall(task->call.number);
	Strace *strace = kernel->trace ? strace_of(kernel) : NULL;

	if (!strace)
		return;
	if (strace->task != task || strace->tid != task->tid) {
		strace = begin_line(task);
		buf_printf(&strace->line, "<... %s resumed>", call ? call->name : "syscall");
		if (!call || !has_outputs(call))
			buf_byte(&strace->line, ')');
	}
	if (call && has_outputs(call))
		arguments(task, call, true, result, &strace->line);
	show_result(call, task->call.number, result, &strace->line);
	end_line(kernel, strace);
}

void strace_signal(Task *task, const SignalInfo *info)
{
	enum { ILL = 4, TRAP = 5, BUS = 7, FPE = 8, SEGV = 11, CHLD = 17 };
	Strace *strace = task->kernel->trace ? begin_line(task) : NULL;
	Buf *out;

	if (!strace)
		return;
	out = &strace->line;
	buf_str(out, "--- ");
	strace_signal_name(info->number, out);
	buf_str(out, " {si_signo=");
	strace_signal_name(info->number, out);
	buf_str(out, ", si_code=");
	strace_signal_code(info->number, info->code, out);
	if (info->code > 0 && (info->number == ILL || info->number == TRAP || info->number == BUS || info->number == FPE ||
			       info->number == SEGV)) {
		if (info->address)
			buf_printf(out, ", si_addr=%#" PRIx64, info->address);
		else
			buf_str(out, ", si_addr=NULL");
	} else if (info->code <= 0 || info->number == CHLD) {
		buf_printf(out, ", si_pid=%d, si_uid=%d", info->pid, info->uid);
	}
	if (info->number == CHLD) {
		buf_str(out, ", si_status=");
		if (info->code > 1)
			strace_signal_name(info->status, out);
		else
			buf_printf(out, "%d", info->status);
	}
	buf_str(out, "} ---");
	end_line(task->kernel, strace);
}

void strace_exit(const Task *task, i32 code, i32 signal)
{
	Kernel *kernel = task->kernel;
	Strace *strace = kernel->trace ? strace_of(kernel) : NULL;

	if (!strace)
		return;
	if (strace->task == task && strace->tid == task->tid) { /* exit() does not return */
		show_result(NULL, 0, CALL_DONE, &strace->line);
		end_line(kernel, strace);
	}
	strace = begin_line(task);
	if (signal) {
		buf_str(&strace->line, "+++ killed by ");
		strace_signal_name(signal, &strace->line);
		buf_str(&strace->line, " +++");
	} else {
		buf_printf(&strace->line, "+++ exited with %d +++", code);
	}
	end_line(kernel, strace);
}
