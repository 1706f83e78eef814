/* SPDX-License-Identifier: MIT
 *
 * Machines of libhusk: made of a program, run by their owner.
 *
 * `runner` is the thread that is inside a run, so that others are told so instead of breaking something; it is looked at without a lock,
 * which finds mistakes and does not make them right.
 */
#include "api/api_hyper.h"

#include <poll.h>
#include <stdlib.h>

#include "hyper/folders.h"
#include "jit/jit.h"
#include "linux/linux.h"
#include "machine/vcpus.h"

/* Instructions between two looks at `interrupted`: some ms at most. */
#define SLICE ((u64)1 << 20)
#define LINUX_MEMORY ((u64)4 << 30)

enum { LINUX_VCPUS = 1024, LINUX_QUANTUM = 20000, OUTSIDE_FDS = 64 };

_Static_assert((int)HUSK_OUTPUT == MAY_OUTPUT && (int)HUSK_INPUT == MAY_INPUT && (int)HUSK_RANDOM == MAY_RANDOM &&
	       (int)HUSK_TIME == MAY_TIME && (int)HUSK_VCPUS == MAY_VCPUS && (int)HUSK_SERVICES == MAY_SERVICES &&
	       (int)HUSK_FILES == MAY_FILES && (int)HUSK_NET == MAY_NET && (int)HUSK_MAILBOX == MAY_MAILBOX &&
	       (int)HUSK_SPAWN == MAY_SPAWN && (int)HUSK_KV == MAY_KV, "rights are the same bits outside");

husk_status api_enter(husk_machine *machine)
{
	const Machine *inner;
	uintptr_t runner;

	if (!machine)
		return HUSK_INVALID;
	inner = __atomic_load_n(&machine->machine, __ATOMIC_ACQUIRE); /* first: who opens the handle has set runner before */
	runner = __atomic_load_n(&machine->runner, __ATOMIC_RELAXED);
	if (runner && runner != (uintptr_t)pthread_self())
		return HUSK_BUSY;
	return inner ? HUSK_OK : HUSK_STATE;
}

/* Not in a host function either. */
husk_status api_enter_alone(husk_machine *machine)
{
	husk_status status = api_enter(machine);

	return status ? status : machine->runner || machine->instance ? HUSK_STATE : HUSK_OK;
}

/* ---- Making one ---- */

static husk_status choose_engine(husk_engine engine, MachineConfig *config)
{
	if (engine == HUSK_ENGINE_COMPILER && !jit_is_possible())
		return HUSK_UNSUPPORTED;
	config->engine = engine == HUSK_ENGINE_INTERPRETER || !jit_is_possible() ? &interp_engine : &jit_engine;
	return (unsigned)engine > HUSK_ENGINE_COMPILER ? HUSK_INVALID : HUSK_OK;
}

static husk_status configure(husk_program *program, const husk_machine_options *options, MachineConfig *config)
{
	const Guest *guest = program->isa->guest;
	const bool is_linux = guest && guest->is_linux;

	*config = (MachineConfig){.isa = program->isa->isa, .guest = guest, .memory_limit = options->memory,
				  .random_seed = options->seed, .vcpu_limit = options->vcpus, .virtual_time = !options->real_time};
	if (is_linux) {
		config->memory_limit = options->memory ? options->memory : LINUX_MEMORY;
		config->vcpu_limit = options->vcpus ? options->vcpus : LINUX_VCPUS;
		config->quantum = LINUX_QUANTUM;
	}
	if (choose_engine(options->engine, config))
		return HUSK_UNSUPPORTED;
	config->host_rights = is_linux && config->engine == &jit_engine;
	config->disk_limit = options->disk;
	api_use_hosts(options->hosts, config);
	return HUSK_OK;
}

static Status configure_linux(Machine *machine, const char *name, const husk_linux_options *given, DiagList *diags)
{
	LinuxConfig config = {.arguments = given->argument_count ? given->arguments : &name,
			      .argument_count = given->argument_count ? (u32)given->argument_count : 1,
			      .environment = given->environment, .environment_count = (u32)given->environment_count,
			      .root = given->root, .root_writable = given->root_is_writable != 0, .directory = given->directory,
			      .host_name = given->host_name, .net = given->net != 0, .net_loopback = given->net == 1, .net_resets = given->net_resets != 0,
			      .real_time = given->real_time, .process_limit = given->process_limit,
			      .file_limit = given->file_limit, .open_limit = given->open_limit, .storage_limit = given->storage_limit};
	LinuxMount *mounts = calloc(given->mount_count + 1, sizeof *mounts);
	Status status;

	if (!mounts)
		return STATUS_NOMEM;
	for (size_t i = 0; i < given->mount_count; i++)
		mounts[i] = (LinuxMount){given->mounts[i].host, given->mounts[i].guest, !given->mounts[i].is_writable};
	config.mounts = mounts;
	config.mount_count = (u32)given->mount_count;
	status = linux_configure(machine, &config, diags);
	free(mounts);
	return status == STATUS_UNSUPPORTED ? STATUS_OK : status;
}

static husk_status check_linux(husk_linux_options *out, const husk_linux_options *given)
{
	husk_status status = api_options(out, sizeof *out, given);

	if (status)
		return status;
	if ((out->argument_count && !out->arguments) || (out->environment_count && !out->environment) || (out->mount_count && !out->mounts) ||
	    out->argument_count > 1 << 20 || out->environment_count > 1 << 20 || out->mount_count > 1024 || out->net > 2)
		return HUSK_INVALID;
	for (size_t i = 0; i < out->mount_count; i++)
		if (!out->mounts[i].host || !out->mounts[i].guest)
			return HUSK_INVALID;
	for (size_t i = 0; i < out->argument_count; i++)
		if (!out->arguments[i])
			return HUSK_INVALID;
	for (size_t i = 0; i < out->environment_count; i++)
		if (!out->environment[i])
			return HUSK_INVALID;
	return HUSK_OK;
}

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	const husk_machine *machine = ctx;

	if (machine->output)
		machine->output(machine->output_ctx, bytes, len);
}

static void on_errors(void *ctx, const u8 *bytes, size_t len)
{
	const husk_machine *machine = ctx;

	machine->errors(machine->output_ctx, bytes, len);
}

static void on_note(void *ctx, const u8 *bytes, size_t len)
{
	const husk_machine *machine = ctx;
	char text[512];

	len = len < sizeof text ? len : sizeof text - 1;
	while (len && bytes[len - 1] == '\n')
		len--;
	memcpy(text, bytes, len);
	text[len] = 0;
	machine->context->log(machine->context->log_ctx, HUSK_LOG_NOTE, text);
}

/* Folders for a machine that runs no Linux programs. Whoever has made the machine gives the reference back. */
static husk_status give_folders(husk_machine *machine, const husk_linux_options *given, husk_error **error)
{
	HostFolder *folders;
	Status made;
	Buf why;

	if (!given->mount_count || (machine->config.guest && machine->config.guest->is_linux))
		return HUSK_OK;
	folders = calloc(given->mount_count, sizeof *folders);
	if (!folders)
		return api_fail(machine->context, error, HUSK_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < given->mount_count; i++)
		folders[i] = (HostFolder){given->mounts[i].host, given->mounts[i].guest, !given->mounts[i].is_writable};
	buf_init(&why);
	made = folders_open(folders, (u32)given->mount_count, &machine->config.folders, &why);
	if (made)
		api_fail(machine->context, error, api_status(made), "%s", buf_text(&why));
	buf_fini(&why);
	free(folders);
	return api_status(made);
}

/* The machine itself, with the program in it. */
static husk_status make(husk_machine *machine, const husk_linux_options *linux_options, husk_error **error)
{
	const Guest *guest = machine->config.guest;
	husk_status status = HUSK_OK;
	DiagList diags;
	Status made;

	diag_init(&diags);
	made = machine_create(&machine->config, &machine->machine, &diags);
	if (!made && guest && guest->is_linux)
		made = configure_linux(machine->machine, machine->program->files[0].name, linux_options, &diags);
	if (made)
		status = api_fail_diags(machine->context, error, api_status(made), &diags,
					made == STATUS_TOO_BIG ? "the machine needs more memory than it may have" : NULL);
	diag_fini(&diags);
	if (status)
		return status;
	machine_set_output(machine->machine, on_output, machine);
	if (machine->errors)
		machine_set_errors(machine->machine, on_errors, machine);
	if (machine->context->log)
		machine_set_notes(machine->machine, on_note, machine);
	status = api_put_program(machine->program, machine->machine, error);
	return status;
}

void api_machine_unref(husk_machine *machine)
{
	husk_context *context = machine->context;

	if (!api_unref(&machine->refs))
		return;
	husk_hosts_unref(machine->hosts);
	husk_program_unref(machine->program);
	api_free(context, machine, sizeof *machine);
	husk_context_unref(context);
}

/* What refers to it finds it gone. */
static void destroy(husk_machine *machine)
{
	machine_destroy(machine->machine);
	machine->machine = NULL;
	api_machine_unref(machine);
}

husk_status husk_machine_create(husk_program *program, const husk_machine_options *options, husk_machine **out, husk_error **error)
{
	husk_linux_options linux_options;
	husk_machine_options own;
	husk_machine *machine;
	husk_context *context;
	husk_status status;

	if (out)
		*out = NULL;
	if (error)
		*error = NULL;
	if (!program || !out)
		return HUSK_INVALID;
	context = program->isa->context;
	status = api_options(&own, sizeof own, options);
	if (!status)
		status = check_linux(&linux_options, own.linux_options);
	if (status)
		return status;
	machine = api_alloc(context, sizeof *machine);
	if (!machine)
		return api_fail(context, error, HUSK_NO_MEMORY, "out of memory");
	husk_context_ref(context);
	husk_program_ref(program);
	husk_hosts_ref(own.hosts);
	*machine = (husk_machine){.context = context, .program = program, .hosts = own.hosts, .output = own.output, .errors = own.errors,
				  .output_ctx = own.output_ctx, .user = own.user, .refs = 1};
	status = configure(program, &own, &machine->config);
	machine->config.user = machine;
	if (status)
		api_fail(context, error, status, "there is no such engine for this computer");
	else
		status = give_folders(machine, &linux_options, error);
	if (!status)
		status = make(machine, &linux_options, error);
	folders_close(machine->config.folders); /* the machine has its own, which lives as long as anybody looks at config */
	if (status) {
		destroy(machine);
		return status;
	}
	machine_set_rights(machine->machine, MAY_ALL & ~own.denied);
	*out = machine;
	return HUSK_OK;
}

void husk_machine_destroy(husk_machine *machine)
{
	if (!api_enter_alone(machine))
		destroy(machine);
}

/* ---- Running ---- */

static husk_stop_kind kind_of(StopKind kind)
{
	switch (kind) {
	case STOP_BUDGET: return HUSK_STOP_FUEL;
	case STOP_HALT: return HUSK_STOP_HALTED;
	case STOP_WAIT: return HUSK_STOP_INPUT;
	case STOP_BREAK: return HUSK_STOP_BREAK;
	case STOP_WATCH: return HUSK_STOP_WATCH;
	case STOP_FAULT: return HUSK_STOP_FAULT;
	case STOP_ILLEGAL: return HUSK_STOP_ILLEGAL;
	case STOP_TRAP: return HUSK_STOP_TRAP;
	case STOP_DENIED: return HUSK_STOP_DENIED;
	case STOP_INPUT_ENDED: return HUSK_STOP_INPUT_ENDED;
	case STOP_SLEEP: return HUSK_STOP_SLEEP;
	case STOP_DEADLOCK: return HUSK_STOP_DEADLOCK;
	case STOP_FRAME: return HUSK_STOP_FRAME;
	case STOP_RETURN:
	case STOP_ERROR: break;
	}
	return HUSK_STOP_ERROR;
}

void api_describe_stop(const husk_machine *machine, const MachineStop *stop, husk_stop *out)
{
	const Guest *guest = machine ? machine->config.guest : NULL;

	*out = (husk_stop){.kind = kind_of(stop->kind), .vcpu = stop->vcpu, .pc = stop->pc, .code = stop->code, .address = stop->address,
			   .space = stop->space, .is_write = stop->write, .text = stop->text ? stop->text : "",
			   .status = stop->kind == STOP_ERROR ? api_status(stop->status) : HUSK_OK};
	if (stop->kind == STOP_HALT)
		out->exit_code = guest && guest->exit_code ? guest->exit_code(machine->machine, stop->code)
							   : (int)(stop->code > 255 ? 255 : stop->code);
}

/* What Linux programs wait for outside. */
static void look_outside(Machine *machine)
{
	const Guest *guest = machine_guest(machine);
	struct pollfd fds[OUTSIDE_FDS];
	u32 count;

	if (!guest || !guest->outside)
		return;
	count = guest->outside(machine, fds, OUTSIDE_FDS);
	count = count < OUTSIDE_FDS ? count : OUTSIDE_FDS;
	if (count && poll(fds, count, 0) > 0)
		guest->outside_done(machine, fds, count);
}

husk_status husk_machine_run(husk_machine *machine, uint64_t instructions, husk_stop *stop)
{
	husk_status status = api_enter_alone(machine);
	MachineStop last = {.kind = STOP_BUDGET};
	husk_stop answer;
	u64 start, done = 0;
	bool paused;

	if (status)
		return status;
	start = machine_icount(machine->machine);
	__atomic_store_n(&machine->runner, (uintptr_t)pthread_self(), __ATOMIC_RELAXED);
	machine->paused = false;
	do {
		u64 left = instructions - done;

		if (__atomic_exchange_n(&machine->interrupted, false, __ATOMIC_RELAXED)) {
			machine->paused = true;
			last = (MachineStop){.kind = STOP_BUDGET, .pc = machine_pc(machine->machine)};
			break;
		}
		look_outside(machine->machine);
		if (machine->broke && machine_pc(machine->machine) == machine->broke_pc)
			machine_skip_break(machine->machine);
		machine->broke = false;
		last = machine_run(machine->machine, left < SLICE ? left : SLICE);
		done = machine_icount(machine->machine) - start;
	} while (last.kind == STOP_BUDGET && !machine->paused && done < instructions);
	__atomic_store_n(&machine->runner, 0, __ATOMIC_RELAXED);
	machine->broke = last.kind == STOP_BREAK;
	machine->broke_pc = last.pc;
	paused = last.kind == STOP_BUDGET && machine->paused;
	if (!stop)
		return HUSK_OK;
	api_describe_stop(machine, &last, &answer);
	answer.instructions = done;
	if (paused)
		answer.kind = HUSK_STOP_PAUSED;
	return api_answer(stop, sizeof answer, &answer);
}

void husk_machine_interrupt(husk_machine *machine)
{
	if (machine)
		__atomic_store_n(&machine->interrupted, true, __ATOMIC_RELAXED);
}

husk_status husk_machine_input(husk_machine *machine, const void *bytes, size_t len)
{
	husk_status status = api_enter(machine);

	if (status || (!bytes && len))
		return status ? status : HUSK_INVALID;
	if (len)
		machine_input(machine->machine, bytes, len);
	machine_changed(machine->machine);
	return HUSK_OK;
}

husk_status husk_machine_input_end(husk_machine *machine)
{
	husk_status status = api_enter(machine);

	if (status)
		return status;
	machine_input_end(machine->machine);
	machine_changed(machine->machine);
	return HUSK_OK;
}

husk_status husk_machine_set_time(husk_machine *machine, uint64_t ns)
{
	husk_status status = api_enter_alone(machine);

	if (!status)
		machine_set_time(machine->machine, ns);
	return status;
}

husk_status husk_machine_deny(husk_machine *machine, uint32_t denied)
{
	husk_status status = api_enter(machine);

	if (status || machine->instance)
		return status ? status : HUSK_STATE;
	machine_set_rights(machine->machine, MAY_ALL & ~denied);
	return HUSK_OK;
}

/* ---- Looking ---- */

husk_status husk_machine_get_info(husk_machine *machine, husk_machine_info *out)
{
	husk_status status = api_enter(machine);
	husk_machine_info info = {0};
	const Machine *m;

	if (status)
		return status;
	m = machine->machine;
	info.instructions = machine_icount(m);
	info.memory = machine_memory_used(m);
	info.memory_limit = machine_memory_limit(m);
	info.output_bytes = machine_output_bytes(m);
	info.time = machine_time(m);
	info.vcpus = machine_vcpu_count(m);
	info.vcpu = machine_vcpu_current(m);
	info.engine = machine->config.engine->name;
	return api_answer(out, sizeof info, &info);
}

void *husk_machine_user(const husk_machine *machine)
{
	return machine ? machine->user : NULL;
}

husk_program *husk_machine_program(const husk_machine *machine)
{
	return machine ? machine->program : NULL;
}

/* ---- Snapshots ---- */

husk_status husk_machine_snapshot(husk_machine *machine, husk_blob **out)
{
	husk_status status = api_enter_alone(machine);
	Buf bytes;

	if (out)
		*out = NULL;
	if (status || !out)
		return status ? status : HUSK_INVALID;
	buf_init(&bytes);
	status = api_status(machine_snapshot(machine->machine, &bytes));
	if (!status)
		return api_blob(machine->context, &bytes, out);
	buf_fini(&bytes);
	return status;
}

husk_status husk_machine_restore(husk_machine *machine, const void *bytes, size_t len)
{
	husk_status status = api_enter_alone(machine);

	if (status || (!bytes && len))
		return status ? status : HUSK_INVALID;
	status = api_status(machine_restore(machine->machine, bytes, len));
	machine->generation += status == HUSK_OK;
	machine->broke = false;
	return status;
}

const char *husk_machine_why(husk_machine *machine)
{
	return machine && !api_enter(machine) ? machine_why(machine->machine) : "";
}

husk_status husk_snapshot_get_info(const void *bytes, size_t len, husk_snapshot_info *out)
{
	husk_snapshot_info answer = {0};
	SnapshotHead head;
	Status status;

	_Static_assert(sizeof answer.isa == sizeof head.isa && sizeof answer.guest == sizeof head.guest &&
		       sizeof answer.choices == sizeof head.choices, "texts of heads fit");
	if (!out || (!bytes && len))
		return HUSK_INVALID;
	status = machine_snapshot_head(bytes, len, &head);
	if (status && status != STATUS_MISMATCH)
		return api_status(status);
	answer.version = head.version;
	if (!status) {
		answer.is_readable = 1;
		answer.isa_hash = head.isa_hash;
		memcpy(answer.isa, head.isa, sizeof answer.isa);
		memcpy(answer.guest, head.guest, sizeof answer.guest);
		memcpy(answer.choices, head.choices, sizeof answer.choices);
	}
	return api_answer(out, sizeof answer, &answer);
}
