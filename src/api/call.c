/* SPDX-License-Identifier: MIT
 *
 * Guest functions: how they are called is looked up once, a call itself is a few stores around machine_call_run.
 */
#include "api/api_private.h"

#include "base/bits.h"
#include "machine/vcpus.h"

enum { ARGUMENTS = 16 };

struct husk_function {
	husk_machine *machine;  /* a reference: of the handle */
	u64 pc, return_pc;
	u32 argument_count;
	u32 argument_slots[ARGUMENTS];
	u64 argument_masks[ARGUMENTS];
	u32 result_slot, link_slot, stack_slot; /* ~0: none */
	u64 result_mask, stack_mask, stack_align;
	u16 stack_space;
	u32 push_cells;
};

#define NO_SLOT 0xFFFFFFFFu

/* What is usual, by the name of the description. */
static const struct Usual {
	const char *isa;
	const char *arguments[9];
	const char *result, *link, *stack;
	u64 return_address, align; /* stack: kept at multiples of it */
} usual[] = {
	{"LC-3", {"R0", "R1", "R2", "R3", "R4", "R5"}, "R0", "R7", NULL, 0xFFFF, 0},
	{"RV64GC", {"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"}, "a0", "ra", "sp", ~(u64)0xFFF, 16},
};

static husk_status find_slot(const Isa *isa, const char *name, u32 *slot, u64 *mask)
{
	u8 width;

	if (!isa_find_register(isa, name, strlen(name), false, slot, &width) && !isa_find_register(isa, name, strlen(name), true, slot, &width))
		return HUSK_NOT_FOUND;
	*mask = bits_mask(width);
	return HUSK_OK;
}

static husk_status apply_usual(husk_function *function, const Isa *isa)
{
	husk_status status = HUSK_UNSUPPORTED;
	u64 mask;

	for (size_t i = 0; i < COUNT_OF(usual); i++) {
		const struct Usual *way = &usual[i];

		if (strcmp(way->isa, isa->name) != 0)
			continue;
		status = HUSK_OK;
		for (u32 k = 0; way->arguments[k] && !status; k++) {
			status = find_slot(isa, way->arguments[k], &function->argument_slots[k], &function->argument_masks[k]);
			function->argument_count = k + 1;
		}
		if (!status)
			status = find_slot(isa, way->result, &function->result_slot, &function->result_mask);
		if (!status)
			status = find_slot(isa, way->link, &function->link_slot, &mask);
		if (!status && way->stack)
			status = find_slot(isa, way->stack, &function->stack_slot, &function->stack_mask);
		function->return_pc = way->return_address;
		function->stack_align = way->align;
	}
	return status == HUSK_NOT_FOUND ? HUSK_UNSUPPORTED : status;
}

static husk_status apply(husk_function *function, const Isa *isa, const husk_convention *way)
{
	const char *space = way->stack_space;
	husk_status status = HUSK_OK;
	u64 mask;

	if (way->argument_count > ARGUMENTS || (way->argument_count && !way->arguments) || !way->link == !way->stack)
		return HUSK_INVALID;
	for (u32 k = 0; k < way->argument_count && !status; k++)
		status = way->arguments[k] ? find_slot(isa, way->arguments[k], &function->argument_slots[k], &function->argument_masks[k])
					   : HUSK_INVALID;
	function->argument_count = (u32)way->argument_count;
	if (!status && way->result)
		status = find_slot(isa, way->result, &function->result_slot, &function->result_mask);
	if (!status && way->link)
		status = find_slot(isa, way->link, &function->link_slot, &mask);
	if (!status && way->stack)
		status = find_slot(isa, way->stack, &function->stack_slot, &function->stack_mask);
	function->stack_space = space ? isa_find_space(isa, space, strlen(space)) : isa->code_space;
	if (!status && function->stack_space == ISA_NONE)
		status = HUSK_NOT_FOUND;
	if (way->stack && !status)
		function->push_cells = (isa->pc_width + isa->spaces[function->stack_space].cell_bits - 1u) /
				       isa->spaces[function->stack_space].cell_bits;
	function->return_pc = (way->return_address ? way->return_address : ~(u64)0) & bits_mask(isa->pc_width);
	return status;
}

husk_status husk_function_at(husk_machine *machine, uint64_t address, const husk_convention *convention, husk_function **out)
{
	husk_status status = api_enter(machine);
	husk_function *function;
	husk_convention own;

	if (out)
		*out = NULL;
	if (status || !out)
		return status ? status : HUSK_INVALID;
	status = api_options(&own, sizeof own, convention);
	if (status)
		return status;
	function = api_alloc(machine->context, sizeof *function);
	if (!function)
		return HUSK_NO_MEMORY;
	function->pc = address & bits_mask(machine->config.isa->pc_width);
	function->result_slot = function->link_slot = function->stack_slot = NO_SLOT;
	status = convention ? apply(function, machine->config.isa, &own) : apply_usual(function, machine->config.isa);
	if (status) {
		api_free(machine->context, function, sizeof *function);
		return status;
	}
	api_ref(&machine->refs);
	function->machine = machine;
	*out = function;
	return HUSK_OK;
}

husk_status husk_function_find(husk_machine *machine, const char *name, const husk_convention *convention, husk_function **function)
{
	u64 address;
	husk_status status;

	if (function)
		*function = NULL;
	status = husk_machine_symbol(machine, name, &address);
	return status ? status : husk_function_at(machine, address, convention, function);
}

void husk_function_destroy(husk_function *function)
{
	husk_machine *machine = function ? function->machine : NULL;

	if (!machine)
		return;
	api_free(machine->context, function, sizeof *function);
	api_machine_unref(machine);
}

/* ---- The call ---- */

/* The return address onto the stack, below what is there. */
static Status push(const husk_function *function, Machine *machine, u64 *slots)
{
	const IsaSpace *space = &machine_isa(machine)->spaces[function->stack_space];
	u64 at = (slots[function->stack_slot] - function->push_cells) & function->stack_mask;
	Status status = STATUS_OK;

	for (u32 i = 0; i < function->push_cells && !status; i++) {
		u32 part = space->big ? function->push_cells - 1 - i : i;

		status = machine_write(machine, function->stack_space, at + i,
				       function->return_pc >> part * space->cell_bits & bits_mask(space->cell_bits));
	}
	slots[function->stack_slot] = at;
	return status;
}

static husk_status status_of(const MachineStop *stop)
{
	switch (stop->kind) {
	case STOP_RETURN: return HUSK_OK;
	case STOP_BUDGET: return HUSK_FUEL;
	case STOP_ERROR: return api_status(stop->status);
	default: return HUSK_FAILED;
	}
}

/* *slots is where the function's registers are to be. */
static husk_status run(const husk_function *function, Machine *machine, u64 *slots, const u64 *args, size_t count, u64 instructions,
		       u64 *result, MachineStop *stop, u64 *done)
{
	StopKind kind;
	u64 value;

	for (size_t i = 0; i < count; i++)
		slots[function->argument_slots[i]] = args[i] & function->argument_masks[i];
	if (function->link_slot != NO_SLOT)
		slots[function->link_slot] = function->return_pc;
	if (function->stack_align)
		slots[function->stack_slot] &= ~(function->stack_align - 1);
	if (function->push_cells && push(function, machine, slots)) {
		*stop = (MachineStop){.kind = STOP_BUDGET};
		return HUSK_RANGE;
	}
	slots[0] = function->pc;
	kind = machine_call_run(machine, function->return_pc, instructions, done, stop);
	value = function->result_slot == NO_SLOT ? 0 : slots[function->result_slot];
	if (UNLIKELY(kind != STOP_RETURN))
		return status_of(stop);
	if (result)
		*result = value;
	return HUSK_OK;
}

/* api_enter where, as a rule, nobody is inside a run. */
static inline husk_status enter(husk_machine *machine)
{
	if (LIKELY(machine && __atomic_load_n(&machine->machine, __ATOMIC_ACQUIRE) && !__atomic_load_n(&machine->runner, __ATOMIC_RELAXED)))
		return HUSK_OK;
	return api_enter(machine);
}

husk_status husk_function_call(husk_function *function, const uint64_t *args, size_t count, uint64_t instructions, uint64_t *result,
			       husk_stop *stop)
{
	MachineStop last;
	husk_machine *machine;
	husk_status status;
	uintptr_t before;
	Machine *guest;
	u64 *slots, done = 0, granted = instructions;
	Status begun;

	if (result)
		*result = 0;
	if (!function || (!args && count) || count > function->argument_count)
		return HUSK_INVALID;
	machine = function->machine;
	status = enter(machine);
	if (UNLIKELY(status))
		return status == HUSK_STATE && !machine->instance ? HUSK_STALE : status;
	guest = machine->machine;
	begun = machine_call_begin(guest, &slots);
	if (UNLIKELY(begun))
		return begun == STATUS_INVALID ? HUSK_STATE : api_status(begun);
	if (machine->instance)
		granted = api_take_fuel(machine->instance, instructions);
	before = machine->runner;
	__atomic_store_n(&machine->runner, (uintptr_t)pthread_self(), __ATOMIC_RELAXED);
	status = run(function, guest, slots, args, count, granted, result, &last, &done);
	if (machine->instance)
		api_give_fuel(machine->instance, granted - done);
	__atomic_store_n(&machine->runner, before, __ATOMIC_RELAXED);
	if (stop) {
		husk_stop answer = {.kind = HUSK_STOP_RETURNED, .vcpu = machine_vcpu_running(guest), .text = ""};
		husk_status told;

		if (last.kind != STOP_RETURN)
			api_describe_stop(machine, &last, &answer);
		answer.instructions = done;
		told = api_answer(stop, sizeof answer, &answer);
		status = told ? told : status;
	}
	machine_call_end(guest);
	return status;
}
