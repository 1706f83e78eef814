/* SPDX-License-Identifier: MIT
 *
 * Host functions: what a description reaches with `host NAME(...)`. A guest's own function of the same name comes
 * before the ones below. A name that neither has is denied when it is called: the machine stops, it does not guess.
 *
 *     putc(c)          the low byte goes to the console
 *     key_ready() : 1  does a byte wait?
 *     key() : 8        takes the next byte; waits for it
 *     key_held(c) : 1  is that key down? On a byte stream: is it the next byte that waits? (it stays there)
 *     print_int(v)     v, as a signed 64-bit number, in decimal
 *     random() : 32    the next number of the machine's own generator; same seed, same numbers
 *     icount() : 64    instructions of all vCPUs that have retired before this one
 *     flush_code()     nothing: stores into code are seen at once. A guest that shares memory has its own
 *
 * and, for several vCPUs and time (vcpus.h; docs/isa-language.md, 7.5):
 *
 * (services_outside.c has those that a hypervisor gives: messages, other instances, keys and values; services_files.c has files)
 *
 *     vcpu_start(pc) : 32  vcpu_self() : 32  vcpu_end(code)  vcpu_state(n) : 8  vcpu_kill(n)  vcpu_pause(n)
 *     vcpu_resume(n)  vcpu_get(n, slot) : 64  vcpu_set(n, slot, v)  sleep(ns)  time() : 64  wait(channel)
 *     wake(channel)  yield()
 */
#include "machine/machine_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"

static HostResult service_putc(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	(void)result;
	machine_putc(machine, (u8)args[0]);
	return HOST_QUIET;
}

static HostResult service_key_ready(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)args;
	(void)count;
	*result = machine_key_ready(machine);
	return HOST_QUIET;
}

static HostResult service_key(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	int key = machine_key(machine);

	(void)args;
	(void)count;
	if (key < 0)
		return HOST_WAIT;
	*result = (u64)key;
	return HOST_OK;
}

static HostResult service_key_held(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	*result = machine->input_at < machine->input_len && machine->input[machine->input_at] == (u8)args[0];
	return HOST_QUIET;
}

static HostResult service_print_int(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRId64, (i64)args[0]);

	(void)count;
	(void)result;
	for (int i = 0; i < len; i++)
		machine_putc(machine, (u8)text[i]);
	return HOST_QUIET;
}

void machine_set_seed(Machine *machine, u64 seed)
{
	machine->random_seed = machine->rng.state = seed;
}

u64 machine_random(Machine *machine)
{
	return rng_next(&machine->rng);
}

static HostResult service_random(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)args;
	(void)count;
	*result = machine_random(machine) >> 32;
	return HOST_QUIET;
}

static HostResult service_flush_code(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)machine;
	(void)args;
	(void)count;
	(void)result;
	return HOST_OK;
}

static HostResult service_icount(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)args;
	(void)count;
	*result = machine_icount(machine);
	return HOST_QUIET;
}

/* ---- Several vCPUs ---- */

enum { KILLED_CODE = 137 };

static u32 number_of(u64 arg)
{
	return arg < VCPU_NONE ? (u32)arg : VCPU_NONE;
}

static HostResult service_vcpu_start(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	u32 number;

	(void)count;
	if (machine_vcpu_add(machine, &number) == STATUS_OK)
		machine_vcpu_set_slot(machine, number, 0, args[0]);
	*result = number;
	return HOST_OK;
}

static HostResult service_vcpu_self(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)args;
	(void)count;
	*result = machine_vcpu_current(machine);
	return HOST_QUIET;
}

static HostResult service_vcpu_end(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	(void)result;
	machine_vcpu_end(machine, machine_vcpu_current(machine), args[0]);
	return HOST_OK;
}

static HostResult service_vcpu_state(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	*result = machine_vcpu_state(machine, number_of(args[0]));
	return HOST_QUIET;
}

static HostResult service_vcpu_kill(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	u32 number = number_of(args[0]);

	(void)count;
	(void)result;
	if (machine_vcpu_is_alive(machine, number))
		machine_vcpu_end(machine, number, KILLED_CODE);
	else
		machine_vcpu_free(machine, number);
	return HOST_OK;
}

static HostResult service_vcpu_pause(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	(void)result;
	machine_vcpu_pause(machine, number_of(args[0]), true);
	return HOST_OK;
}

static HostResult service_vcpu_resume(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	(void)result;
	machine_vcpu_pause(machine, number_of(args[0]), false);
	return HOST_OK;
}

static HostResult service_vcpu_get(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	*result = args[1] < VCPU_NONE ? machine_vcpu_slot(machine, number_of(args[0]), (u32)args[1]) : 0;
	return HOST_QUIET;
}

static HostResult service_vcpu_set(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	(void)result;
	if (args[1] < VCPU_NONE)
		machine_vcpu_set_slot(machine, number_of(args[0]), (u32)args[1], args[2]);
	return HOST_OK;
}

static HostResult service_sleep(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	(void)result;
	machine_sleep(machine, args[0]);
	return HOST_OK;
}

static HostResult service_time(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)args;
	(void)count;
	*result = machine_time(machine);
	return HOST_QUIET;
}

static HostResult service_wait(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	(void)result;
	return machine_wait_for(machine, args[0]);
}

static HostResult service_wake(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	(void)result;
	machine_wake(machine, args[0]);
	return HOST_OK;
}

static HostResult service_yield(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)args;
	(void)count;
	(void)result;
	machine_yield(machine);
	return HOST_OK;
}

static const HostService services[] = {
	{ "putc", service_putc, 1, true },           { "key_ready", service_key_ready, 0, true },
	{ "key", service_key, 0, false },            { "key_held", service_key_held, 1, true },
	{ "print_int", service_print_int, 1, true }, { "random", service_random, 0, true },
	{ "vcpu_start", service_vcpu_start, 1, false }, { "vcpu_self", service_vcpu_self, 0, true },
	{ "vcpu_end", service_vcpu_end, 1, false },     { "vcpu_state", service_vcpu_state, 1, true },
	{ "vcpu_kill", service_vcpu_kill, 1, false },   { "vcpu_pause", service_vcpu_pause, 1, false },
	{ "vcpu_resume", service_vcpu_resume, 1, false }, { "vcpu_get", service_vcpu_get, 2, true },
	{ "vcpu_set", service_vcpu_set, 3, false },     { "sleep", service_sleep, 1, false },
	{ "time", service_time, 0, true },              { "wait", service_wait, 1, false },
	{ "wake", service_wake, 1, false },             { "yield", service_yield, 0, false },
	{ "icount", service_icount, 0, true },          { "flush_code", service_flush_code, 0, true },
};

static const HostService *find_service(const char *name, bool *outside)
{
	*outside = false;
	for (u32 i = 0; i < COUNT_OF(services); i++)
		if (strcmp(services[i].name, name) == 0)
			return &services[i];
	if (strcmp(name, machine_serve_service.name) == 0)
		return &machine_serve_service;
	*outside = true;
	for (const HostService *service = machine_outside_services; service->name; service++)
		if (strcmp(service->name, name) == 0)
			return service;
	for (const HostService *service = machine_file_services; service->name; service++)
		if (strcmp(service->name, name) == 0)
			return service;
	return NULL;
}

bool machine_host_is_quiet(const Machine *machine, u32 host)
{
	if (host >= machine->isa->host_count || machine->services[host].call)
		return false;
	for (u32 i = 0; i < COUNT_OF(services); i++)
		if (machine->hosts[host] == services[i].function)
			return services[i].quiet;
	return false;
}

static Right right_of(const char *name)
{
	static const struct {
		Right right;
		const char *names[12];
	} groups[] = {
		{ RIGHT_OUTPUT, { "putc", "print_int" } },
		{ RIGHT_INPUT, { "key", "key_ready", "key_held" } },
		{ RIGHT_RANDOM, { "random" } },
		{ RIGHT_TIME, { "sleep", "time", "icount" } },
		{ RIGHT_MAILBOX, { "mail_self", "mail_find", "mail_send", "mail_length", "mail_wait", "mail_take" } },
		{ RIGHT_SPAWN, { "spawn", "spawn_wait", "spawn_kill" } },
		{ RIGHT_FILES, { "file_open", "file_read", "file_write", "file_seek", "file_size", "file_close", "file_remove",
				 "file_next" } },
		{ RIGHT_KV, { "kv_get", "kv_set", "kv_delete", "kv_next" } },
		{ RIGHT_VCPUS, { "vcpu_start", "vcpu_self", "vcpu_end", "vcpu_state", "vcpu_kill", "vcpu_pause", "vcpu_resume",
				 "vcpu_get", "vcpu_set", "wait", "wake", "yield" } },
	};

	for (u32 g = 0; g < COUNT_OF(groups); g++)
		for (u32 i = 0; i < COUNT_OF(groups[g].names) && groups[g].names[i]; i++)
			if (strcmp(groups[g].names[i], name) == 0)
				return groups[g].right;
	return RIGHT_SERVICES;
}

const char *machine_host_group(const Machine *machine, u32 host)
{
	return right_name(right_of(machine->isa->hosts[host].name));
}

void machine_set_rights(Machine *machine, u32 rights)
{
	machine->rights = rights;
}

bool machine_may(const Machine *machine, Right right)
{
	return machine->rights >> right & 1;
}

/* The calls of a Linux program are one function; its kernel asks for rights itself. */
static bool may_call(Machine *machine, u32 host)
{
	if (machine->host_outside[host] && (machine->host_needs[host] == RIGHT_FILES ? !machine->folders : !machine->outside))
		return false;
	if (machine->host_needs[host] == RIGHT_COUNT || machine_may(machine, machine->host_needs[host]))
		return true;
	machine->lacked = machine->host_needs[host];
	machine->vcpu.host_slow = true;
	return false;
}

void machine_deny_host(Machine *machine, u32 host)
{
	machine->hosts[host] = NULL;
}

static HostFunction find_guest_host(const Guest *guest, const char *name)
{
	if (!guest || !guest->hosts)
		return NULL;
	for (const HostEntry *entry = guest->hosts; entry->name; entry++)
		if (strcmp(entry->name, name) == 0)
			return entry->function;
	return NULL;
}

Status machine_bind_hosts(Machine *machine, const MachineConfig *config, DiagList *diags)
{
	const Isa *isa = machine->isa;

	for (u32 i = 0; i < isa->host_count; i++) {
		const IsaHost *host = &isa->hosts[i];
		const HostService *service;

		for (u32 k = 0; k < config->service_count && !machine->services[i].call; k++)
			if (strcmp(config->services[k].name, host->name) == 0)
				machine->services[i] = (EngineService){ config->services[k].call, config->services[k].ctx };
		machine->hosts[i] = find_guest_host(machine->guest, host->name);
		machine->host_needs[i] = (u8)(machine->hosts[i] && machine->guest->is_linux ? RIGHT_COUNT : right_of(host->name));
		service = machine->hosts[i] ? NULL : find_service(host->name, &machine->host_outside[i]);
		if (!service)
			continue;
		if (service == &machine_serve_service) /* that depends on what is asked for */
			machine->host_needs[i] = RIGHT_COUNT;
		if (host->arg_count != service->args && machine->services[i].call)
			continue;
		if (host->arg_count != service->args) {
			diag_report_file(diags, DIAG_ERROR, isa->source_name, NULL,
					 "host function '%s' takes %u argument%s, the description gives %u", host->name,
					 service->args, service->args == 1 ? "" : "s", host->arg_count);
			return STATUS_INVALID;
		}
		machine->hosts[i] = service->function;
	}
	return STATUS_OK;
}

/* Any outcome but the usual one of a service. */
static __attribute__((noinline)) AccessResult take_outcome(Machine *machine, Vcpu *vcpu, unsigned host, HostResult outcome, bool is_service,
							    u64 *result)
{
	const u64 value = *result;

	*result = 0;
	vcpu->host_calls++;
	if (outcome != HOST_QUIET && (!is_service || outcome != HOST_OK))
		vcpu->event_pending = true;
	machine_count_slow(machine);
	if (outcome != HOST_WAIT)
		machine->wants_channel = false;
	switch (outcome) {
	case HOST_OK: case HOST_QUIET:
		*result = bits_trunc(value, machine->isa->hosts[host].result_width);
		return ACCESS_OK;
	case HOST_STOP:
		vcpu->pending = (VcpuExit){ .kind = EXIT_STOP, .value = value };
		return ACCESS_OK;
	case HOST_WAIT:
		vcpu->exit = (VcpuExit){ .kind = EXIT_WAIT, .value = host };
		return ACCESS_EXIT;
	case HOST_RAISE:
		vcpu->exit = (VcpuExit){ .kind = EXIT_RAISE, .value = value };
		return ACCESS_EXIT;
	case HOST_DENIED:
		break;
	}
	vcpu->exit = (VcpuExit){ .kind = EXIT_DENIED, .value = host };
	return ACCESS_EXIT;
}

AccessResult machine_env_host_done(void *ctx, Vcpu *vcpu, unsigned host, unsigned given, u64 *result)
{
	return take_outcome(ctx, vcpu, host, (HostResult)given, true, result);
}

/* What is put right before a call is what vcpu->host_slow stands for. */
AccessResult machine_env_host(void *ctx, Vcpu *vcpu, unsigned host, const u64 *args, unsigned count, u64 *result)
{
	Machine *machine = ctx;
	HostResult outcome = HOST_DENIED;
	bool is_service;

	*result = 0;
	machine->lacked = RIGHT_COUNT;
	machine->lacked_name = NULL;
	machine->wants_channel = false;
	vcpu->host_slow = machine->patience_clock != NULL;
	if (UNLIKELY(host >= machine->isa->host_count))
		return take_outcome(machine, vcpu, host, outcome, false, result);
	is_service = machine->services[host].call != NULL;
	if (LIKELY(is_service)) {
		outcome = machine->services[host].call(machine->services[host].ctx, machine, args, count, result);
		if (LIKELY(outcome == HOST_OK && !vcpu->host_slow)) { /* callers look for every instruction here */
			vcpu->host_calls++;
			return ACCESS_OK;
		}
	} else if (machine->hosts[host] && may_call(machine, host)) {
		outcome = machine->hosts[host](machine, args, count, result);
	}
	return take_outcome(machine, vcpu, host, outcome, is_service, result);
}
