/* SPDX-License-Identifier: MIT
 *
 * The personality as the machine and its driver see it: making and configuring the kernel, the hooks of the guest,
 * signals from outside.
 */
#include "linux/linux.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "linux/inet.h"
#include "linux/mm.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/timers.h"
#include "linux/vfs.h"

enum { DEFAULT_PROCESSES = 256, DEFAULT_FILES = 1024, DEFAULT_OPEN = 16384 };
static const u64 default_storage = (u64)1 << 30;

static u64 or_default(u64 value, u64 standard)
{
	return value ? value : standard;
}

/* ---- Making ---- */

static void free_list(char **list)
{
	for (u32 i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

/* NULL: no memory. */
static char **copy_list(const char *const *list, u32 count)
{
	char **copy = calloc((size_t)count + 1, sizeof(*copy));

	for (u32 i = 0; copy && i < count; i++) {
		copy[i] = strdup(list[i]);
		if (!copy[i]) {
			free_list(copy);
			return NULL;
		}
	}
	return copy;
}

static void forget_config(Kernel *kernel)
{
	free(kernel->program);
	free(kernel->directory);
	free_list(kernel->arguments);
	free_list(kernel->environment);
	kernel->program = kernel->directory = NULL;
	kernel->arguments = kernel->environment = NULL;
}

void linux_fini(Machine *machine)
{
	Kernel *kernel = kernel_of(machine);

	if (!kernel)
		return;
	processes_destroy(kernel);
	files_fini(kernel);
	host_watches_destroy(kernel);
	futexes_destroy(kernel);
	mm_fini(kernel);
	if (kernel->vfs)
		vfs_destroy(kernel->vfs);
	vfs_forget_roots(kernel);
	linux_setup_put(kernel->setup);
	wait_fini(&kernel->console_input);
	wait_fini(&kernel->outside_changed);
	strace_close(kernel);
	free(kernel->timers);
	free(kernel->tasks);
	free(kernel->reported);
	forget_config(kernel);
	free(kernel);
	*(Kernel **)machine_private(machine) = NULL;
}

Status linux_create(Machine *machine, const LinuxAbi *abi)
{
	Kernel *kernel;

	linux_fini(machine);
	kernel = calloc(1, sizeof(*kernel));
	if (!kernel)
		return STATUS_NOMEM;
	kernel->machine = machine;
	kernel->abi = abi;
	kernel->next_pid = 1;
	kernel->foreground = 1;
	kernel->limits = (KernelLimits){ DEFAULT_PROCESSES, DEFAULT_FILES, DEFAULT_OPEN, default_storage, 0 };
	memcpy(kernel->host_name, "husk", sizeof("husk"));
	wait_init(&kernel->console_input);
	wait_init(&kernel->outside_changed);
	*(Kernel **)machine_private(machine) = kernel;
	machine_set_pager(machine, NULL); /* until there is a process: bare instructions (husk repl) find memory everywhere */
	return STATUS_OK;
}

Status linux_configure(Machine *machine, const LinuxConfig *config, DiagList *diags)
{
	Kernel *kernel = kernel_of(machine);
	const char *name = config->host_name ? config->host_name : "husk";
	Status status;

	if (!kernel) {
		machine_reset(machine, false); /* the guest makes it then */
		kernel = kernel_of(machine);
		if (!kernel)
			return STATUS_UNSUPPORTED;
	}
	if (kernel->processes)
		return STATUS_INVALID; /* it is running already */
	forget_config(kernel);
	kernel->arguments = copy_list(config->arguments, config->argument_count);
	kernel->environment = copy_list(config->environment, config->environment_count);
	kernel->program = config->program ? strdup(config->program) : NULL;
	kernel->directory = strdup(config->directory ? config->directory : "/");
	if (!kernel->arguments || !kernel->environment || !kernel->directory || (config->program && !kernel->program))
		return STATUS_NOMEM;
	memset(kernel->host_name, 0, sizeof(kernel->host_name));
	memcpy(kernel->host_name, name, strnlen(name, sizeof(kernel->host_name) - 1));
	kernel->limits = (KernelLimits){
		.processes = or_default(config->process_limit, DEFAULT_PROCESSES),
		.files = or_default(config->file_limit, DEFAULT_FILES),
		.open = or_default(config->open_limit, DEFAULT_OPEN),
		.storage = or_default(config->storage_limit, default_storage),
		.output = config->output_limit,
	};
	kernel->real_time = config->real_time;
	kernel->slice_time = config->slice_time;
	kernel->user = config->user;
	kernel->group = config->group;
	kernel->net = config->net;
	kernel->net_loopback = config->net_loopback;
	kernel->net_resets = config->net_resets;
	kernel->terminal = config->terminal;
	kernel->trace = config->trace;
	kernel->trace_ctx = config->trace_ctx;
	if (kernel->vfs)
		vfs_destroy(kernel->vfs);
	kernel->vfs = NULL;
	vfs_forget_roots(kernel);
	linux_setup_put(kernel->setup);
	kernel->setup = NULL;
	status = vfs_configure(kernel, config, diags);
	return status ? status : inet_add_files(kernel);
}

/* ---- Hooks ---- */

/* fence.i. Without a process there is no memory that is shared. */
HostResult linux_flush_code(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	Kernel *kernel = kernel_of(machine);
	const Task *task = kernel ? task_current(kernel) : NULL;

	(void)args;
	(void)count;
	(void)result;
	if (task && task->process->mm)
		mm_flush_code(task->process->mm, 0, machine_address_limit(machine));
	return HOST_OK;
}

bool linux_exception(Machine *machine, const VcpuExit *exit)
{
	Kernel *kernel = kernel_of(machine);
	Task *task = kernel ? task_current(kernel) : NULL;
	SignalInfo info = { 0 };

	if (!task)
		return false;
	kernel_bury(kernel);
	if (exit->kind == EXIT_FAULT) {
		info.address = exit->value;
		info.number = mm_fault(task->process->mm, exit->value,
				       exit->fetch ? ATTR_EXEC : exit->write ? ATTR_WRITE : ATTR_READ, &info.code);
	} else {
		info.number = kernel->abi->signal_of(machine, exit, &info.code, &info.address);
	}
	if (!info.number)
		return false;
	if (info.number == SIGKILL) {
		process_end(task->process, 0, SIGKILL);
		return true;
	}
	signal_force(task, &info);
	signal_deliver(task);
	return true;
}

void linux_attend(Machine *machine)
{
	Kernel *kernel = kernel_of(machine);
	Task *task = kernel ? task_current(kernel) : NULL;

	if (!task)
		return;
	kernel_bury(kernel);
	if (task->resumes) {
		machine_set_pc(machine, task->resume_pc);
		task->resumes = false;
	}
	signal_deliver(task);
}

enum { CALL_PPOLL = 73, CALL_SIGSUSPEND = 133, CALL_SIGTIMEDWAIT = 137 };

bool linux_waits_outside(Machine *machine)
{
	const Kernel *kernel = kernel_of(machine);

	if (!kernel)
		return false;
	if (kernel->console_input.first || kernel->outside_changed.first || kernel_watches_host(kernel))
		return true;
	for (u32 i = 0; i < kernel->task_cap; i++) {
		const Task *task = kernel->tasks[i];

		if (!task || !task->call.again || task->process->stopped)
			continue;
		if (task->call.number == CALL_SIGSUSPEND || task->call.number == CALL_SIGTIMEDWAIT ||
		    (task->call.number == CALL_PPOLL && task->call.args[1] == 0))
			return true; /* for a signal, which may come from outside */
	}
	return false;
}

void linux_time_passed(Machine *machine)
{
	Kernel *kernel = kernel_of(machine);

	if (!kernel)
		return;
	timers_run(kernel);
	timers_check_cpu(kernel);
}

void linux_describe_wait(const Machine *machine, u32 vcpu, u64 channel, Buf *out)
{
	const Kernel *kernel = kernel_of(machine);
	const Task *task = kernel && vcpu < kernel->task_cap ? kernel->tasks[vcpu] : NULL;
	const Syscall *call = task ? kernel_syscall(task->call.number) : NULL;

	(void)channel;
	if (!call) {
		buf_str(out, "something");
		return;
	}
	if (strcmp(call->name, "futex") == 0)
		buf_printf(out, "the futex at 0x%llX", (unsigned long long)task->call.args[0]);
	else if (strcmp(call->name, "wait4") == 0 || strcmp(call->name, "waitid") == 0)
		buf_str(out, "a child process");
	else if (strcmp(call->name, "clone") == 0 || strcmp(call->name, "clone3") == 0)
		buf_str(out, "its child (vfork)");
	else if (strcmp(call->name, "read") == 0 || strcmp(call->name, "write") == 0)
		buf_printf(out, "descriptor %d (%s)", (i32)task->call.args[0], call->name);
	else
		buf_printf(out, "what %s waits for", call->name);
	buf_printf(out, " (process %d, thread %d, %.16s)", task->process->pid, task->tid, task->name);
}

/* ---- Signals from outside ---- */

static bool goes_to_terminal_group(int number)
{
	return number == SIGINT || number == SIGQUIT || number == SIGTSTP || number == SIGCONT ||
	       number == SIGWINCH;
}

bool linux_ask_to_end(Machine *machine)
{
	return linux_signal(machine, 15) == STATUS_OK; /* SIGTERM */
}

Status linux_signal(Machine *machine, int number)
{
	Kernel *kernel = kernel_of(machine);
	SignalInfo info = { .number = number, .code = SI_KERNEL };
	bool found = false;

	if (!kernel || !kernel->processes || kernel->ended)
		return STATUS_NOT_FOUND;
	if (number < 1 || number > 64)
		return STATUS_INVALID;
	if (!goes_to_terminal_group(number)) {
		signal_send(kernel->processes, &info);
		return STATUS_OK;
	}
	for (Process *process = kernel->processes; process; process = process->next) {
		if (process->zombie || process->pgid != kernel->foreground)
			continue;
		signal_send(process, &info);
		found = true;
	}
	return found ? STATUS_OK : STATUS_NOT_FOUND;
}

bool linux_has_job_control(const Machine *machine)
{
	const Kernel *kernel = kernel_of(machine);

	for (const Process *process = kernel ? kernel->processes : NULL; process; process = process->next)
		if (!process->zombie && process->pgid == kernel->foreground &&
		    (signal_has_action(process, SIGTSTP) || !process_group_is_orphaned(kernel, process->pgid)))
			return true;
	return false;
}

bool linux_stop_wanted(Machine *machine)
{
	Kernel *kernel = kernel_of(machine);
	bool wanted = kernel && kernel->stop_wanted;

	if (wanted)
		kernel->stop_wanted = false;
	return wanted;
}

int linux_end_signal(const Machine *machine)
{
	const Kernel *kernel = kernel_of(machine);

	return kernel ? kernel->end_signal : 0;
}

bool linux_end_place(const Machine *machine, u64 *pc, u64 *address)
{
	const Kernel *kernel = kernel_of(machine);
	int number = kernel ? kernel->end_signal : 0;

	if (!number || kernel->end_code <= 0 || kernel->end_code == SI_KERNEL ||
	    !(number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGTRAP || number == SIGFPE))
		return false;
	*pc = kernel->end_place;
	*address = number == SIGSEGV || number == SIGBUS ? kernel->end_address : 0;
	return true;
}

const char *linux_denied(const Machine *machine)
{
	const Kernel *kernel = kernel_of(machine);

	return kernel ? kernel->denied : NULL;
}
