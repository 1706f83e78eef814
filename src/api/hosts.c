/* SPDX-License-Identifier: MIT
 *
 * Functions of the embedder that guests call. A description reaches them by name (machine.h: MachineService). Linux programs reach
 * them by system calls that Linux does not have: the service `syscall` of rv64.isa is taken over by one that looks at the number
 * first and gives the call to src/linux if it is an ordinary one.
 */
#include "api/api_private.h"

#include <errno.h>

#include "guests/rv64/rv64.h"
#include "linux/linux.h"
#include "machine/pages.h"

enum { HOSTS = 2048, NAME = 64, NUMBER = 17, FIRST = 10, SYSCALL_ARGS = 6 }; /* a7, a0 .. a5 of RISC-V */

static HostResult outcome_of(husk_machine *machine, Machine *guest, husk_host_result result)
{
	switch (result) {
	case HUSK_HOST_DONE: return HOST_OK;
	case HUSK_HOST_WAIT: return HOST_WAIT;
	case HUSK_HOST_RAISE: return HOST_RAISE;
	case HUSK_HOST_HALT: return HOST_STOP;
	case HUSK_HOST_PAUSE:
		machine->paused = true;
		machine_break_soon(guest);
		return HOST_OK;
	case HUSK_HOST_DENIED: break;
	}
	return HOST_DENIED;
}

/* The function is inside the machine on this thread for so long, whoever runs it. */
static __attribute__((noinline)) husk_host_result call_outside_run(const ApiHost *host, husk_machine *machine, Machine *guest, const u64 *args,
								   unsigned count, u64 *result)
{
	uintptr_t runner = __atomic_load_n(&machine->runner, __ATOMIC_RELAXED);
	Machine *before = machine->machine;
	husk_host_result outcome;

	if (!runner) /* else this is the thread that it says: it is inside the run */
		__atomic_store_n(&machine->runner, (uintptr_t)pthread_self(), __ATOMIC_RELAXED);
	__atomic_store_n(&machine->machine, guest, __ATOMIC_RELEASE);
	machine->depth++;
	outcome = host->function(host->ctx, machine, args, count, result);
	machine->depth--;
	__atomic_store_n(&machine->machine, before, __ATOMIC_RELEASE);
	if (!runner)
		__atomic_store_n(&machine->runner, 0, __ATOMIC_RELAXED);
	return outcome;
}

static inline husk_host_result call_inside(const ApiHost *host, husk_machine *machine, Machine *guest, const u64 *args, unsigned count,
					   u64 *result)
{
	husk_host_result outcome;

	if (UNLIKELY(!__atomic_load_n(&machine->runner, __ATOMIC_RELAXED) || machine->machine != guest))
		return call_outside_run(host, machine, guest, args, count, result);
	machine->depth++;
	outcome = host->function(host->ctx, machine, args, count, result);
	machine->depth--;
	return outcome;
}

static HostResult call_host(void *ctx, Machine *guest, const u64 *args, unsigned count, u64 *result)
{
	husk_machine *machine = machine_user(guest);
	husk_host_result outcome = call_inside(ctx, machine, guest, args, count, result);

	return LIKELY(outcome == HUSK_HOST_DONE) ? HOST_OK : outcome_of(machine, guest, outcome);
}

/* ---- Linux programs ---- */

static u64 find_number(const husk_hosts *hosts, Machine *guest, u64 address)
{
	char name[NAME];
	u64 got = machine_copy_in(guest, machine_aspace(guest), address, name, sizeof name);

	if (!memchr(name, 0, (size_t)got))
		return got < sizeof name ? (u64)-EFAULT : (u64)-ENOENT;
	for (u32 i = 0; i < hosts->count; i++)
		if (strcmp(hosts->all[i]->name, name) == 0)
			return i;
	return (u64)-ENOENT;
}

/* What a call of these numbers came to that was not simply done. */
static __attribute__((noinline)) HostResult give_outcome(husk_machine *machine, Machine *guest, husk_host_result outcome, u64 *result)
{
	if (outcome == HUSK_HOST_RAISE) {
		*result = (u64)-(i64)*result;
		outcome = HUSK_HOST_DONE;
	}
	if (outcome == HUSK_HOST_DONE || outcome == HUSK_HOST_PAUSE)
		machine_set_slot(guest, RV64_X + FIRST, *result);
	return outcome_of(machine, guest, outcome);
}

static __attribute__((noinline)) HostResult give_number(const husk_hosts *hosts, Machine *guest, u64 number, u64 name)
{
	machine_set_slot(guest, RV64_X + FIRST, number == HUSK_SYSCALL_FIND ? find_number(hosts, guest, name) : (u64)-ENOSYS);
	return HOST_OK;
}

/* The function may set the registers. One by one, as compiled code has just stored them: a load of two that were stored each for itself
 * waits until they are in the cache, 7 ns. */
static inline void copy_arguments(u64 *values, const u64 *registers)
{
#pragma GCC unroll 6
	for (u32 i = 0; i < SYSCALL_ARGS; i++) {
		u64 value = registers[i];

		__asm__("" : "+r"(value));
		values[i] = value;
	}
}

/* A call of the system that may be one of ours. The registers are there: api_use_hosts has asked rv64_slots_fit. */
static HostResult call_system(void *ctx, Machine *guest, const u64 *args, unsigned count, u64 *result)
{
	const husk_hosts *hosts = ctx;
	const u64 *registers = machine_slots(guest) + RV64_X;
	husk_machine *machine = machine_user(guest);
	u64 number = registers[NUMBER], which = number - HUSK_SYSCALL_CALL, values[SYSCALL_ARGS];
	husk_host_result outcome;

	if (which >= hosts->count)
		return number < HUSK_SYSCALL_FIND || number >= HUSK_SYSCALL_CALL ? linux_syscall(guest, args, count, result)
										  : give_number(hosts, guest, number, registers[FIRST]);
	copy_arguments(values, registers + FIRST);
	outcome = call_inside(hosts->all[which], machine, guest, values, SYSCALL_ARGS, result);
	if (UNLIKELY(outcome != HUSK_HOST_DONE))
		return give_outcome(machine, guest, outcome, result);
	machine_put_slot(guest, RV64_X + FIRST, *result);
	return HOST_OK;
}

/* ---- The set ---- */

husk_status husk_hosts_create(husk_context *context, husk_hosts **hosts)
{
	if (hosts)
		*hosts = NULL;
	if (!context || !hosts)
		return HUSK_INVALID;
	*hosts = api_alloc(context, sizeof **hosts);
	if (!*hosts)
		return HUSK_NO_MEMORY;
	husk_context_ref(context);
	**hosts = (husk_hosts){.context = context, .refs = 1};
	return HUSK_OK;
}

void husk_hosts_ref(husk_hosts *hosts)
{
	if (hosts)
		api_ref(&hosts->refs);
}

static void free_tables(husk_hosts *hosts)
{
	api_free(hosts->context, hosts->all, hosts->cap * sizeof *hosts->all);
	api_free(hosts->context, hosts->services, (hosts->cap + 1) * sizeof *hosts->services);
}

void husk_hosts_unref(husk_hosts *hosts)
{
	husk_context *context;

	if (!hosts || !api_unref(&hosts->refs))
		return;
	context = hosts->context;
	for (u32 i = 0; i < hosts->count; i++) {
		api_free_text(context, hosts->all[i]->name);
		api_free(context, hosts->all[i], sizeof *hosts->all[i]);
	}
	free_tables(hosts);
	api_free(context, hosts, sizeof *hosts);
	husk_context_unref(context);
}

static bool grow(husk_hosts *hosts)
{
	husk_hosts larger = {.context = hosts->context, .cap = hosts->cap ? 2 * hosts->cap : 16};

	larger.all = api_alloc(hosts->context, larger.cap * sizeof *larger.all);
	larger.services = api_alloc(hosts->context, (larger.cap + 1) * sizeof *larger.services);
	if (!larger.all || !larger.services) {
		free_tables(&larger);
		return false;
	}
	if (hosts->count) {
		memcpy(larger.all, hosts->all, hosts->count * sizeof *larger.all);
		memcpy(larger.services, hosts->services, hosts->count * sizeof *larger.services);
	}
	free_tables(hosts);
	hosts->all = larger.all;
	hosts->services = larger.services;
	hosts->cap = larger.cap;
	return true;
}

husk_status husk_hosts_add(husk_hosts *hosts, const char *name, husk_host_function function, void *ctx)
{
	ApiHost *host;

	if (!hosts || !name || !*name || strlen(name) >= NAME || !function)
		return HUSK_INVALID;
	if (__atomic_load_n(&hosts->used, __ATOMIC_RELAXED))
		return HUSK_STATE;
	for (u32 i = 0; i < hosts->count; i++)
		if (strcmp(hosts->all[i]->name, name) == 0)
			return HUSK_INVALID;
	if (hosts->count == HOSTS)
		return HUSK_LIMIT;
	host = api_alloc(hosts->context, sizeof *host);
	if (!host)
		return HUSK_NO_MEMORY;
	*host = (ApiHost){.name = api_strdup(hosts->context, name), .function = function, .ctx = ctx};
	if (!host->name || (hosts->count == hosts->cap && !grow(hosts))) {
		api_free_text(hosts->context, host->name);
		api_free(hosts->context, host, sizeof *host);
		return HUSK_NO_MEMORY;
	}
	hosts->all[hosts->count] = host;
	hosts->services[hosts->count] = (MachineService){host->name, call_host, host};
	hosts->count++;
	hosts->services[hosts->count] = (MachineService){"syscall", call_system, hosts};
	return HUSK_OK;
}

void api_use_hosts(husk_hosts *hosts, MachineConfig *config)
{
	if (!hosts)
		return;
	__atomic_store_n(&hosts->used, true, __ATOMIC_RELAXED);
	config->services = hosts->services;
	config->service_count = hosts->count;
	if (config->guest && config->guest->is_linux && rv64_slots_fit(config->isa))
		config->service_count++; /* the one behind them */
}
