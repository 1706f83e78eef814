/* SPDX-License-Identifier: MIT
 *
 * The vCPUs of a machine: making and ending them, and what each has for itself. Who runs is decided in schedule.c.
 *
 * The engine knows one Vcpu, and the machine has one: machine->vcpu shows one of the records at a time. To show
 * another one is to exchange the array of slots and the Space structs of the private spaces; translated code names
 * spaces by number and stays as it is.
 *
 *     machine->vcpu   slots --------------------+       spaces | M | stack | D |
 *                                               v                     ^ valid here, for the one that is shown
 *     machine->vcpus  | 0: slots ... | 1: slots ... |   spaces of 0 | stack |   of 1 | stack |
 *
 * A number that was given back keeps its slots (the instruction that gave it back may be its own), but not its
 * private spaces, unless it is shown or number 0.
 */
#include "machine/vcpus.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "machine/machine_private.h"

enum { DEFAULT_QUANTUM = 1000, DEFAULT_NS = 1000 };

static const u64 jitter_salt = 0x6A09E667F3BCC909u; /* so that jitter does not repeat `host random` */

/* ---- Records ---- */

u32 machine_private_index(const Machine *machine, u16 space)
{
	u32 i = 0;

	while (i < machine->private_count && machine->private_spaces[i] != space)
		i++;
	return i;
}

Space *machine_space_of(const Machine *machine, u32 number, u16 space)
{
	u32 index = number == machine->shown ? machine->private_count : machine_private_index(machine, space);

	return index < machine->private_count ? &machine->vcpus[number].spaces[index] : &machine->vcpu.spaces[space];
}

void machine_set_state(Machine *machine, u32 number, VcpuState state, bool paused)
{
	VcpuRecord *record = &machine->vcpus[number];
	u64 bit = (u64)1 << number % 64, *word = &machine->ready[number / 64];

	machine->used += (u32)(state != VCPU_FREE) - (u32)(record->state != VCPU_FREE);
	record->state = state;
	record->paused = paused;
	*word = state == VCPU_READY && !paused ? *word | bit : *word & ~bit;
	if ((state == VCPU_SLEEPING || state == VCPU_WAIT_CHANNEL) && record->wake_at < machine->next_wake)
		machine->next_wake = record->wake_at;
}

void machine_count_vcpus(Machine *machine)
{
	memset(machine->ready, 0, sizeof(machine->ready));
	machine->next_wake = ~(u64)0;
	machine->used = 0;
	for (u32 n = 0; n < machine->vcpu_count; n++) {
		machine->used += machine->vcpus[n].state != VCPU_FREE;
		machine_set_state(machine, n, machine->vcpus[n].state, machine->vcpus[n].paused);
	}
}

void machine_show_vcpu(Machine *machine, u32 number)
{
	VcpuRecord *before = &machine->vcpus[machine->shown], *record = &machine->vcpus[number];

	if (number == machine->shown)
		return;
	for (u32 i = 0; i < machine->private_count; i++) {
		Space *place = &machine->vcpu.spaces[machine->private_spaces[i]];

		before->spaces[i] = *place;
		*place = record->spaces[i];
		if (before->state == VCPU_FREE && machine->shown != 0)
			space_fini(&before->spaces[i]);
	}
	machine->vcpu.slots = record->slots;
	machine->shown = number;
	machine_map_aspace(machine);
}

u64 *machine_alloc_slots(u32 count)
{
	enum { LINE = VCPU_FRONT * sizeof(u64) };
	size_t bytes = ((VCPU_FRONT + count + (size_t)VCPU_TEMPS) * sizeof(u64) + LINE - 1) & ~(size_t)(LINE - 1);
	u64 *front = aligned_alloc(LINE, bytes);

	if (!front)
		return NULL;
	memset(front, 0, bytes);
	return front + VCPU_FRONT;
}

void machine_free_slots(u64 *slots)
{
	free(slots ? slots - VCPU_FRONT : NULL);
}

Status machine_make_record(const Machine *machine, VcpuRecord *record)
{
	if (!record->slots)
		record->slots = machine_alloc_slots(machine->vcpu.slot_count + 1);
	if (!record->spaces)
		record->spaces = calloc((size_t)machine->private_count + 1, sizeof(Space));
	if (!record->slots || !record->spaces)
		return STATUS_NOMEM;
	for (u32 i = 0; i < machine->private_count; i++) {
		const Space *like = &machine->vcpu.spaces[machine->private_spaces[i]];
		Status status = STATUS_OK;

		if (!record->spaces[i].base)
			status = space_init(&record->spaces[i], like->name, like->cell_bits,
					    machine->first_cells[machine->private_spaces[i]], like->max_cells, like->wraps,
					    like->big);
		if (status)
			return status;
	}
	return STATUS_OK;
}

/* except: the one whose spaces are not its own but shown. */
void machine_free_records(const Machine *machine, VcpuRecord *records, u32 count, u32 except)
{
	for (u32 n = 0; n < count; n++) {
		for (u32 i = 0; records[n].spaces && n != except && i < machine->private_count; i++)
			space_fini(&records[n].spaces[i]);
		free(records[n].spaces);
		machine_free_slots(records[n].slots);
	}
	free(records);
}

Status machine_init_vcpus(Machine *machine, const MachineConfig *config)
{
	const Isa *isa = machine->isa;

	machine->vcpu_limit = config->vcpu_limit ? config->vcpu_limit : VCPU_LIMIT;
	if (machine->vcpu_limit > MACHINE_VCPU_MAX)
		machine->vcpu_limit = MACHINE_VCPU_MAX;
	machine->quantum = config->quantum ? config->quantum : DEFAULT_QUANTUM;
	if (machine->quantum > (u64)1 << 62)
		machine->quantum = (u64)1 << 62;
	machine->jitter = config->quantum_jitter;
	machine->virtual_time = config->virtual_time;
	machine->instruction_ns = config->instruction_ns ? config->instruction_ns : DEFAULT_NS;
	buf_init(&machine->story);
	machine->private_spaces = calloc(isa->space_count + 1, sizeof(u16));
	machine->vcpus = calloc(1, sizeof(VcpuRecord));
	if (!machine->private_spaces || !machine->vcpus)
		return STATUS_NOMEM;
	machine->vcpu_cap = machine->vcpu_count = 1;
	for (u32 i = 0; i < isa->space_count; i++)
		if (isa->spaces[i].is_private)
			machine->private_spaces[machine->private_count++] = (u16)i;
	machine->vcpus[0].slots = machine_alloc_slots(isa->slot_count + 1);
	machine->vcpus[0].spaces = calloc((size_t)machine->private_count + 1, sizeof(Space));
	machine->vcpu.slots = machine->vcpus[0].slots;
	machine->alone = true;
	machine_count_vcpus(machine);
	machine->next_serial = 1;
	machine->jitter_seed = machine->random_seed ^ config->jitter_seed ^ jitter_salt;
	machine->jitter_rng.state = machine->jitter_seed;
	return machine->vcpus[0].slots && machine->vcpus[0].spaces ? STATUS_OK : STATUS_NOMEM;
}

void machine_fini_vcpus(Machine *machine)
{
	machine_free_records(machine, machine->vcpus, machine->vcpu_count, machine->shown);
	free(machine->private_spaces);
	buf_fini(&machine->story);
}

void machine_reset_vcpus(Machine *machine)
{
	VcpuRecord *zero = &machine->vcpus[0];

	machine_show_vcpu(machine, 0);
	for (u32 n = 1; n < machine->vcpu_count; n++) {
		for (u32 i = 0; i < machine->private_count; i++)
			space_fini(&machine->vcpus[n].spaces[i]);
		free(machine->vcpus[n].spaces);
		machine_free_slots(machine->vcpus[n].slots);
	}
	machine->vcpu_count = 1;
	*zero = (VcpuRecord){ .slots = zero->slots, .spaces = zero->spaces, .aspace = zero->aspace };
	machine_count_vcpus(machine);
	machine->running = 0;
	machine->alone = true;
	machine->turns = 0;
	machine->came_up = 0;
	machine->quantum_end = 0;
	machine->time = 0;
	machine->next_serial = 1;
	machine->last_code = 0;
	machine->wants_channel = false;
	machine->time_moved = false;
	machine->jitter_rng.state = machine->jitter_seed;
}

/* ---- Making and ending ---- */

static u64 private_bytes(const Machine *machine)
{
	u64 total = 0;

	for (u32 i = 0; i < machine->private_count; i++)
		total += machine->first_cells[machine->private_spaces[i]]
			 << machine->vcpu.spaces[machine->private_spaces[i]].cell_shift;
	return total;
}

/* A number nobody has, whose record is there. */
static Status take_number(Machine *machine, u32 *number)
{
	for (u32 n = 0; n < machine->vcpu_count; n++)
		if (machine->vcpus[n].state == VCPU_FREE && n != machine->shown && n != machine->running) {
			*number = n;
			return STATUS_OK;
		}
	if (machine->vcpu_count >= machine->vcpu_limit)
		return STATUS_TOO_BIG;
	if (!array_grow((void **)&machine->vcpus, &machine->vcpu_cap, machine->vcpu_count, sizeof(*machine->vcpus)))
		return STATUS_NOMEM;
	machine->vcpus[machine->vcpu_count] = (VcpuRecord){ .state = VCPU_FREE };
	*number = machine->vcpu_count++;
	return STATUS_OK;
}

static void clear_record(Machine *machine, u32 number)
{
	VcpuRecord *record = &machine->vcpus[number];

	memcpy(record->slots, machine->slot_reset, machine->vcpu.slot_count * sizeof(u64));
	for (u32 i = 0; i < machine->private_count; i++) {
		space_clear(&record->spaces[i]);
		if (!record->spaces[i].wraps)
			space_resize(&record->spaces[i], machine->first_cells[machine->private_spaces[i]]);
		machine_fill_inits(machine, machine->private_spaces[i], &record->spaces[i]);
		machine_mark_space(machine, machine->private_spaces[i]);
	}
}

/* A number that has never been used and for which there was no memory: nobody may come across a record without slots. */
static void drop_number(Machine *machine, u32 number)
{
	VcpuRecord *record = &machine->vcpus[number];

	if (number + 1 != machine->vcpu_count || (record->slots && record->spaces))
		return;
	machine_free_slots(record->slots);
	free(record->spaces);
	machine->vcpu_count--;
}

Status machine_vcpu_add(Machine *machine, u32 *number)
{
	u64 used = machine_memory_bytes(machine), more = private_bytes(machine);
	VcpuRecord *record;
	Status status;
	u32 n;

	*number = VCPU_NONE;
	if (used > machine->memory_limit || more > machine->memory_limit - used)
		return STATUS_TOO_BIG;
	status = take_number(machine, &n);
	if (status)
		return status;
	record = &machine->vcpus[n];
	status = machine_make_record(machine, record);
	if (status) {
		drop_number(machine, n);
		return status;
	}
	*record = (VcpuRecord){ .slots = record->slots, .spaces = record->spaces, .serial = machine->next_serial++,
				 .aspace = machine->vcpus[machine->shown].aspace, .state = VCPU_FREE };
	clear_record(machine, n);
	machine_set_state(machine, n, VCPU_READY, false);
	*number = n;
	machine->vcpu.event_pending = true;
	machine_update_alone(machine);
	return STATUS_OK;
}

void machine_vcpu_free(Machine *machine, u32 number)
{
	VcpuRecord *record;

	if (number >= machine->vcpu_count)
		return;
	record = &machine->vcpus[number];
	if (record->state != VCPU_ENDED && record->state != VCPU_FAILED)
		return;
	machine_set_state(machine, number, VCPU_FREE, false);
	for (u32 i = 0; number != machine->shown && number != 0 && i < machine->private_count; i++)
		space_fini(&record->spaces[i]);
	machine_update_alone(machine);
}

void machine_vcpu_end(Machine *machine, u32 number, u64 code)
{
	if (!machine_vcpu_is_alive(machine, number))
		return;
	machine_set_state(machine, number, VCPU_ENDED, false);
	machine->vcpus[number].code = machine->last_code = code;
	machine->vcpu.event_pending = true;
	machine_update_alone(machine);
}

void machine_vcpu_pause(Machine *machine, u32 number, bool on)
{
	if (!machine_vcpu_is_alive(machine, number))
		return;
	machine_set_state(machine, number, machine->vcpus[number].state, on);
	machine->vcpu.event_pending = true;
	machine_update_alone(machine);
}

/* ---- Looking ---- */

u32 machine_vcpu_count(const Machine *machine)
{
	return machine->vcpu_count;
}

u32 machine_vcpu_current(const Machine *machine)
{
	return machine->shown;
}

u32 machine_vcpu_running(const Machine *machine)
{
	return machine->running;
}

u32 machine_vcpu_next(Machine *machine)
{
	MachineStop stop;

	if (machine->inside || (!machine->alone && !machine_schedule(machine, &stop)))
		return VCPU_NONE;
	machine_show_vcpu(machine, machine->running);
	return machine->running;
}

Status machine_vcpu_select(Machine *machine, u32 number)
{
	if (number >= machine->vcpu_count || machine->vcpus[number].state == VCPU_FREE)
		return STATUS_NOT_FOUND;
	if (machine->inside)
		return STATUS_INVALID;
	machine_show_vcpu(machine, number);
	return STATUS_OK;
}

bool machine_vcpu_is_alive(const Machine *machine, u32 number)
{
	VcpuState state = machine_vcpu_state(machine, number);

	return state != VCPU_FREE && state != VCPU_ENDED && state != VCPU_FAILED;
}

bool machine_is_alone(const Machine *machine)
{
	return machine->used == 1 && machine_vcpu_ready(machine, machine->running);
}

bool machine_any_alive(const Machine *machine)
{
	for (u32 n = 0; n < machine->vcpu_count; n++)
		if (machine_vcpu_is_alive(machine, n))
			return true;
	return false;
}

void machine_update_alone(Machine *machine)
{
	if (!machine->alone || machine_is_alone(machine))
		return;
	machine->alone = false;
	machine_start_quantum(machine);
	machine->vcpu.event_pending = true; /* the engine runs without a quantum */
}

u64 machine_vcpu_serial(const Machine *machine, u32 number)
{
	return number < machine->vcpu_count ? machine->vcpus[number].serial : 0;
}

VcpuState machine_vcpu_state(const Machine *machine, u32 number)
{
	if (number >= machine->vcpu_count)
		return VCPU_FREE;
	return machine->vcpus[number].paused ? VCPU_PAUSED : machine->vcpus[number].state;
}

u64 machine_vcpu_code(const Machine *machine, u32 number)
{
	return number < machine->vcpu_count ? machine->vcpus[number].code : 0;
}

u64 machine_vcpu_channel(const Machine *machine, u32 number)
{
	return number < machine->vcpu_count ? machine->vcpus[number].channel : 0;
}

u64 machine_vcpu_icount(const Machine *machine, u32 number)
{
	if (number >= machine->vcpu_count)
		return 0;
	return machine->vcpus[number].icount +
	       (number == machine->running ? machine->vcpu.icount - machine->came_up : 0);
}

const char *machine_vcpu_word(const Machine *machine)
{
	return machine->guest && machine->guest->vcpu_word ? machine->guest->vcpu_word : "vCPU";
}

static void describe_time(u64 ns, Buf *out)
{
	buf_printf(out, "%llu.%06llu s", (unsigned long long)(ns / 1000000000), (unsigned long long)(ns % 1000000000 / 1000));
}

void machine_vcpu_describe(const Machine *machine, u32 number, Buf *out)
{
	const VcpuRecord *record;

	if (number >= machine->vcpu_count)
		return;
	record = &machine->vcpus[number];
	if (record->paused)
		buf_str(out, record->state == VCPU_READY ? "is paused" : "is paused and ");
	switch (record->state) {
	case VCPU_READY:
		if (!record->paused)
			buf_str(out, "can run");
		break;
	case VCPU_WAIT_INPUT:
		buf_str(out, "waits for input");
		break;
	case VCPU_WAIT_CHANNEL:
		buf_str(out, "waits for ");
		if (machine->guest && machine->guest->describe_wait)
			machine->guest->describe_wait(machine, number, record->channel, out);
		else
			buf_printf(out, "channel 0x%llX", (unsigned long long)record->channel);
		break;
	case VCPU_SLEEPING:
		buf_str(out, "sleeps until ");
		describe_time(record->wake_at, out);
		break;
	case VCPU_ENDED:
		buf_printf(out, "has ended with code %llu", (unsigned long long)record->code);
		break;
	case VCPU_FAILED:
		buf_str(out, "has failed");
		break;
	case VCPU_PAUSED:
	case VCPU_FREE:
		buf_str(out, "is not in use");
		break;
	}
}

u64 machine_vcpu_slot(const Machine *machine, u32 number, u32 slot)
{
	return number < machine->vcpu_count && slot < machine->vcpu.slot_count ? machine->vcpus[number].slots[slot] : 0;
}

void machine_vcpu_set_slot(Machine *machine, u32 number, u32 slot, u64 value)
{
	VcpuRecord *record;

	if (number >= machine->vcpu_count || slot >= machine->vcpu.slot_count || !machine->slot_mask[slot])
		return;
	record = &machine->vcpus[number];
	record->slots[slot] = value & machine->slot_mask[slot];
	machine->stirred = true;
	if (slot == 0 && (record->state == VCPU_WAIT_CHANNEL || record->state == VCPU_WAIT_INPUT)) {
		machine_set_state(machine, number, VCPU_READY, record->paused); /* it is elsewhere now; what it waited for was there */
		machine_update_alone(machine);
	}
}

Status machine_vcpu_read(const Machine *machine, u32 number, u16 space, u64 address, u64 *value)
{
	if (number >= machine->vcpu_count || machine->vcpus[number].state == VCPU_FREE || space >= machine->vcpu.space_count)
		return STATUS_NOT_FOUND;
	if (space == machine->paged_space) {
		const u8 *page = machine_page_bytes((Machine *)machine, machine->vcpus[number].aspace, address);

		if (page)
			*value = page[address % SPACE_PAGE];
		return page ? STATUS_OK : STATUS_RANGE;
	}
	return space_peek(machine_space_of(machine, number, space), address, value) ? STATUS_OK : STATUS_RANGE;
}

Status machine_vcpu_write(Machine *machine, u32 number, u16 space, u64 address, u64 value)
{
	if (number >= machine->vcpu_count || machine->vcpus[number].state == VCPU_FREE || space >= machine->vcpu.space_count)
		return STATUS_NOT_FOUND;
	if (space == machine->paged_space)
		return machine_paged_poke(machine, machine->vcpus[number].aspace, address, value);
	if (machine_private_index(machine, space) == machine->private_count)
		return machine_write(machine, space, address, value);
	return space_poke(machine_space_of(machine, number, space), address, value) ? STATUS_OK : STATUS_RANGE;
}
