/* SPDX-License-Identifier: MIT
 *
 * Who runs. machine_run calls machine_schedule at the beginning of each boundary; it decides anew when the quantum is
 * over or the running vCPU cannot go on, and then
 *
 *     sleepers whose time has come are READY -> the next READY one by number, the running one last -> a new quantum
 *
 * When nobody is READY: input on record is let in (replay), virtual time jumps to the first sleeper's hour, or the
 * machine stops and says what it waits for. A decision depends on the machine's state alone, and states change only
 * by instructions and by stamped events, so a run repeats exactly (docs/decisions/0006).
 *
 * (That machine_show_vcpu may have shown another one between two calls of machine_run makes no difference.)
 *
 * As long as one vCPU is in use and READY (`alone`) none of this happens.
 */
#include "machine/machine_private.h"

void machine_start_quantum(Machine *machine)
{
	u64 length = machine->quantum;

	if (machine->jitter)
		length = 1 + rng_below(&machine->jitter_rng, 2 * machine->quantum - 1);
	machine->quantum_end = machine->vcpu.icount + length;
}

static void account(Machine *machine)
{
	machine->vcpus[machine->running].icount += machine->vcpu.icount - machine->came_up;
	machine->came_up = machine->vcpu.icount;
}

/* ---- Time ---- */

static u64 add_time(u64 a, u64 b)
{
	return a > ~(u64)0 - b ? ~(u64)0 : a + b;
}

u64 machine_time(const Machine *machine)
{
	u64 passed;

	if (!machine->virtual_time)
		return machine->time;
	if (__builtin_mul_overflow(machine->vcpu.icount, machine->instruction_ns, &passed))
		return ~(u64)0;
	return add_time(machine->time, passed);
}

void machine_accept_time(Machine *machine, u64 ns)
{
	if (machine->virtual_time || ns <= machine->time)
		return;
	machine->time = ns;
	machine->time_moved = true;
}

void machine_set_time(Machine *machine, u64 ns)
{
	if (machine->virtual_time || ns <= machine->time)
		return;
	machine_log_truncate(machine, machine->replay_at);
	machine_log_event(machine, EVENT_TIME, NULL, 0, ns);
	machine_accept_time(machine, ns);
}

bool machine_time_has_moved(const Machine *machine)
{
	return machine->time_moved;
}

bool machine_time_is_virtual(const Machine *machine)
{
	return machine->virtual_time;
}

/* ---- The guest's own timers ---- */

static u64 next_hour(Machine *machine)
{
	return machine->guest && machine->guest->next_hour ? machine->guest->next_hour(machine) : ~(u64)0;
}

bool machine_pass_time(Machine *machine)
{
	const Guest *guest = machine->guest;

	if (!guest || !guest->time_passed)
		return false;
	if (!machine->time_moved && (!guest->next_hour || guest->next_hour(machine) > machine_time(machine)))
		return false;
	machine->time_moved = false;
	guest->time_passed(machine);
	machine_update_alone(machine);
	return true;
}

u64 machine_instructions_until_hour(Machine *machine)
{
	u64 hour, now;

	if (!machine->virtual_time)
		return ~(u64)0; /* time stands still while the engine runs */
	hour = next_hour(machine);
	now = machine_time(machine);
	if (hour == ~(u64)0)
		return hour;
	return hour <= now ? 1 : (hour - now - 1) / machine->instruction_ns + 1;
}

/* ---- Sleepers ---- */

static bool has_hour(const VcpuRecord *record)
{
	return record->state == VCPU_SLEEPING || (record->state == VCPU_WAIT_CHANNEL && record->wake_at != ~(u64)0);
}

static void wake_sleepers(Machine *machine)
{
	u64 now = machine_time(machine);

	if (now < machine->next_wake)
		return;
	machine->next_wake = ~(u64)0;
	for (u32 i = 0; i < machine->vcpu_count; i++) {
		const VcpuRecord *record = &machine->vcpus[i];

		if (has_hour(record))
			machine_set_state(machine, i, record->wake_at <= now ? VCPU_READY : record->state, record->paused);
	}
}

/* The one that will go on first, or VCPU_NONE. */
static u32 first_sleeper(const Machine *machine)
{
	u32 found = VCPU_NONE;

	for (u32 i = 0; i < machine->vcpu_count; i++)
		if (has_hour(&machine->vcpus[i]) && !machine->vcpus[i].paused &&
		    (found == VCPU_NONE || machine->vcpus[i].wake_at < machine->vcpus[found].wake_at))
			found = i;
	return found;
}

/* ---- The decision ---- */

/* The first READY one of from .. count-1. */
static u32 ready_from(const Machine *machine, u32 from)
{
	u64 word;

	for (u32 w = from / 64; w * 64 < machine->vcpu_count; w++) {
		word = machine->ready[w];
		if (w == from / 64)
			word &= ~(u64)0 << from % 64;
		if (word)
			return w * 64 + (u32)__builtin_ctzll(word);
	}
	return VCPU_NONE;
}

static u32 next_ready(const Machine *machine)
{
	u32 number = machine->running + 1 < machine->vcpu_count ? ready_from(machine, machine->running + 1) : VCPU_NONE;

	return number != VCPU_NONE ? number : ready_from(machine, 0);
}

static void come_up(Machine *machine, u32 number)
{
	machine->turns++;
	if (number != machine->running) {
		account(machine);
		machine->running = number;
		machine_show_vcpu(machine, number);
		if (machine->phase > machine->own_step)
			machine->phase = machine->own_step; /* its events and interrupts have not been looked at */
	}
	machine_start_quantum(machine);
	machine->alone = machine_is_alone(machine);
}

static bool give(const Machine *machine, MachineStop *stop, StopKind kind, u32 number)
{
	*stop = (MachineStop){ .kind = kind, .vcpu = number, .pc = machine->vcpus[number].slots[0], .text = machine->text };
	return false;
}

/* Everybody who lives, where it is and what it waits for. */
static void tell_deadlock(Machine *machine, MachineStop *stop, const char *why)
{
	bool first = true;

	buf_clear(&machine->story);
	buf_str(&machine->story, why);
	for (u32 i = 0; i < machine->vcpu_count; i++) {
		if (!machine_vcpu_is_alive(machine, i))
			continue;
		buf_printf(&machine->story, "%s%s %u at 0x%llX ", first ? ": " : "; ", machine_vcpu_word(machine), i,
			   (unsigned long long)machine->vcpus[i].slots[0]);
		machine_vcpu_describe(machine, i, &machine->story);
		first = false;
	}
	stop->text = buf_text(&machine->story);
}

static bool give_deadlock(Machine *machine, MachineStop *stop, const char *why)
{
	u32 number = 0;

	while (number + 1 < machine->vcpu_count && !machine_vcpu_is_alive(machine, number))
		number++;
	give(machine, stop, STOP_DEADLOCK, number);
	stop->code = machine->turns >= MACHINE_TURNS;
	tell_deadlock(machine, stop, why);
	return false;
}

static bool give_end(Machine *machine, MachineStop *stop)
{
	u64 code = machine->vcpus[0].state == VCPU_ENDED ? machine->vcpus[0].code : machine->last_code;
	const char *reason = isa_reason(machine->isa, false, code);

	machine_say(machine, "%s", reason ? reason : "");
	give(machine, stop, STOP_HALT, machine->running);
	stop->reason = reason;
	stop->code = code;
	return false;
}

/* When something happens by itself: a sleeper wakes, a timer of the guest goes off. ~0: never. */
static u64 first_hour(Machine *machine)
{
	u32 sleeper = first_sleeper(machine);
	u64 hour = machine_any_alive(machine) ? next_hour(machine) : ~(u64)0;

	return sleeper != VCPU_NONE && machine->vcpus[sleeper].wake_at < hour ? machine->vcpus[sleeper].wake_at : hour;
}

bool machine_waits_for(const Machine *machine, u64 channel)
{
	for (u32 i = 0; i < machine->vcpu_count; i++)
		if (machine->vcpus[i].state == VCPU_WAIT_CHANNEL && machine->vcpus[i].channel == channel && !machine->vcpus[i].paused)
			return true;
	return false;
}

/* Nobody can run. */
static bool give_idle(Machine *machine, MachineStop *stop)
{
	u32 sleeper = first_sleeper(machine), living = 0;
	u64 hour = first_hour(machine);

	if (hour != ~(u64)0) {
		give(machine, stop, STOP_SLEEP, sleeper != VCPU_NONE ? sleeper : machine->running);
		stop->code = hour;
		return false;
	}
	for (u32 i = 0; i < machine->vcpu_count; i++) {
		living += machine_vcpu_is_alive(machine, i);
		if (machine->vcpus[i].state != VCPU_WAIT_INPUT || machine->vcpus[i].paused)
			continue;
		if (machine->input_ended)
			machine_say(machine, "the program waits for input, which has ended");
		return give(machine, stop, machine->input_ended ? STOP_INPUT_ENDED : STOP_WAIT, i);
	}
	if (living && ((machine->guest && machine->guest->waits_outside && machine->guest->waits_outside(machine)) ||
		       machine_waits_for(machine, MACHINE_OUTSIDE))) {
		give(machine, stop, STOP_SLEEP, machine->running);
		stop->code = ~(u64)0;
		return false;
	}
	return living ? give_deadlock(machine, stop, "nothing can go on") : give_end(machine, stop);
}

bool machine_schedule(Machine *machine, MachineStop *stop)
{
	machine_show_vcpu(machine, machine->running);
	if (machine_vcpu_ready(machine, machine->running) && machine->vcpu.icount < machine->quantum_end)
		return true;
	if (machine->turns >= MACHINE_TURNS)
		return give_deadlock(machine, stop, "nothing gets any further: they wake one another and wait again");
	for (u32 jumps = 0;; jumps++) {
		u64 hour;
		u32 next;

		machine_replay_due(machine);
		machine_pass_time(machine);
		wake_sleepers(machine);
		next = next_ready(machine);
		if (next != VCPU_NONE) {
			come_up(machine, next);
			return true;
		}
		if (machine_replay_now(machine))
			continue;
		hour = machine->virtual_time ? first_hour(machine) : ~(u64)0;
		if (hour == ~(u64)0)
			return give_idle(machine, stop);
		if (jumps >= MACHINE_TURNS)
			return give_deadlock(machine, stop, "nothing gets any further: timers go off, but nobody waits for them");
		if (hour > machine_time(machine))
			machine->time = add_time(machine->time, hour - machine_time(machine));
		machine->time_moved = true;
	}
}

/* ---- What an instruction does about it ---- */

bool machine_block(Machine *machine)
{
	VcpuRecord *record = &machine->vcpus[machine->running];
	bool channel = machine->wants_channel;

	machine->wants_channel = false;
	if (!channel && machine->alone)
		return false;
	if (record->state == VCPU_READY) {
		record->channel = channel ? machine->wanted_channel : 0;
		record->wake_at = channel ? machine->wanted_hour : 0;
		machine_set_state(machine, machine->running, channel ? VCPU_WAIT_CHANNEL : VCPU_WAIT_INPUT, record->paused);
	}
	machine->turns++;
	machine->undone = true;
	machine_update_alone(machine);
	machine->quantum_end = machine->vcpu.icount; /* a decision follows, even if it is woken before */
	return true;
}

HostResult machine_wait_until(Machine *machine, u64 channel, u64 hour)
{
	machine->wants_channel = true;
	machine->vcpu.host_slow = true;
	machine->wanted_channel = channel;
	machine->wanted_hour = hour;
	return HOST_WAIT;
}

HostResult machine_wait_for(Machine *machine, u64 channel)
{
	return machine_wait_until(machine, channel, ~(u64)0);
}

void machine_want_attention(Machine *machine, u32 vcpu)
{
	VcpuRecord *record;

	if (!machine_vcpu_is_alive(machine, vcpu))
		return;
	record = &machine->vcpus[vcpu];
	record->attention = true;
	machine_set_state(machine, vcpu, VCPU_READY, record->paused);
	machine->vcpu.event_pending = true;
	machine_update_alone(machine);
}

static void wake_all(Machine *machine, VcpuState state, u64 channel)
{
	for (u32 i = 0; i < machine->vcpu_count; i++)
		if (machine->vcpus[i].state == state && (state == VCPU_WAIT_INPUT || machine->vcpus[i].channel == channel))
			machine_set_state(machine, i, VCPU_READY, machine->vcpus[i].paused);
}

void machine_wake(Machine *machine, u64 channel)
{
	wake_all(machine, VCPU_WAIT_CHANNEL, channel);
	machine_update_alone(machine);
}

void machine_wake_input(Machine *machine)
{
	wake_all(machine, VCPU_WAIT_INPUT, 0);
	machine_update_alone(machine);
	if (machine->guest && machine->guest->input_arrived)
		machine->guest->input_arrived(machine);
}

void machine_stir(Machine *machine)
{
	machine_wake(machine, MACHINE_OUTSIDE);
	if (machine->guest && machine->guest->stirred)
		machine->guest->stirred(machine);
}

void machine_sleep(Machine *machine, u64 ns)
{
	VcpuRecord *record = &machine->vcpus[machine->shown];

	if (record->state != VCPU_READY)
		return;
	record->wake_at = add_time(machine_time(machine), ns);
	machine_set_state(machine, machine->shown, VCPU_SLEEPING, record->paused);
	machine->vcpu.event_pending = true;
	machine_update_alone(machine);
}

void machine_yield(Machine *machine)
{
	machine->quantum_end = machine->vcpu.icount;
	machine->vcpu.event_pending = true;
}
