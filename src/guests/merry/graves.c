/* SPDX-License-Identifier: MIT
 *
 * Graves, the manager: `int n` asks it for something. Arguments are n, R1, R2, R3, R11, R12; R0 becomes 0 (served) or
 * 1 (failed), R1 the answer or the number of an error. docs/merry.md has the table.
 *
 * A core has a number, its vCPU's, and a unique number that no other core ever has; together they name it, so that a
 * number used anew is not confused. It is in a group for life, and is privileged or not. A privileged request is
 * served if the core is privileged or owns the permission for it, which is used up by asking, whatever comes of it.
 * Acting on another core wants the same group.
 *
 * A wild request makes another core serve it at once: what that core was doing is put aside (MerryCore.before) and its
 * handler runs with R0 = request, R1 and R2 = the sender, R3 = argument, until request 7. Those that come meanwhile
 * wait in a queue. As everything happens between two instructions of the receiver, changing its registers is all it
 * takes; a core that waits for input asks for it again afterwards.
 *
 * The requests that exchange the state of the core that asks (5, 6, 7, and a wild request to oneself) give 2: the
 * description then takes all registers from MerryPrivate.loading.
 */
#include "guests/merry/merry.h"

#include <string.h>

enum { SERVED = 0, FAILED = 1, GOES_ELSEWHERE = 2 };

typedef enum Answer {
	ADD_CORE_FAILED = 0, BOOT_FAILED, NO_PAGE, STATE_FAILED, NOT_PRIVILEGED, CANNOT_PAUSE, QUEUE_FULL, IS_DEAD,
	IS_ALIVE, NO_PARENT, YES, NO, PARENT_NOT_PRIVILEGED, NO_HANDLER, INVALID_ID, OTHER_GROUP,
} Answer;

enum { /* requests */
	NEW_CORE = 0, ADD_PAGE, NEW_GROUP, SAVE_STATE, DELETE_STATE, JUMP_STATE, SWITCH_STATE, RESTORE, BESTOW,
	DO_NOT_DISTURB, IGNORE_PAUSE, SEND, PAUSE, UNPAUSE, GRANT_FIRST, GRANT_LAST = 21, DEAD = 22, PARENT_ALIVE,
	OWN_ID, OWN_UNIQUE, OWN_GROUP, KILL, IS_CHILD, CHANGE_PARENT, CHANGE_CHILD, GIVE_UP, PURGE,
};

enum { /* permissions, in the order of the requests that grant them */
	MAY_CREATE, MAY_ADD_PAGE, MAY_NEW_GROUP, MAY_BESTOW, MAY_PAUSE, MAY_UNPAUSE, MAY_KILL, MAY_CHANGE_PARENT,
};

static const u64 nobody = ~(u64)0;

enum { ACC, BP, SP, R0, R1, R2, R3, R11 = 14, R12 = 15 };

/* One request being served. */
typedef struct Asking {
	Machine *machine;
	MerryPrivate *own;
	MerryCore *core;  /* who asks */
	u32 number;       /* its number */
	u64 r1, r2, r3, r11;
	u64 next;         /* where it goes on */
} Asking;

/* ---- Cores ---- */

static bool is_alive(const Machine *machine, u32 number)
{
	VcpuState state = number < machine_vcpu_count(machine) ? machine_vcpu_state(machine, number) : VCPU_FREE;

	return state != VCPU_FREE && state != VCPU_ENDED && state != VCPU_FAILED;
}

static void born(MerryPrivate *own, u32 number, u64 parent, u64 group, bool privileged)
{
	MerryCore *core = &own->cores[number];

	*core = (MerryCore){ .known = true, .unique = own->next_unique++, .group = group, .parent = parent,
			     .parent_unique = nobody, .privileged = privileged };
	if (parent < MERRY_CORES)
		core->parent_unique = own->cores[parent].unique;
}

void merry_graves_reset(Machine *machine)
{
	MerryPrivate *own = machine_private(machine);

	memset(own, 0, sizeof *own);
	born(own, 0, nobody, 0, true);
}

static HostResult answer(Asking *asking, u64 *result, unsigned outcome, u64 value)
{
	asking->own->value = value;
	*result = outcome;
	return HOST_OK;
}

static HostResult failed(Asking *asking, u64 *result, Answer why)
{
	return answer(asking, result, FAILED, why);
}

/* Served; R1 stays what it was. */
static HostResult served(Asking *asking, u64 *result)
{
	return answer(asking, result, SERVED, asking->r1);
}

/* May it? A permission is used up. */
static bool may(MerryCore *core, unsigned permission)
{
	bool owned = core->permissions >> permission & 1;

	if (core->privileged)
		return true;
	core->permissions &= (u8)~(1u << permission);
	return owned;
}

/* The living core of the asker's group that a pair names, or NULL and why not. */
static MerryCore *find(Asking *asking, u64 number, u64 unique, Answer *why)
{
	MerryCore *core = number < MERRY_CORES ? &asking->own->cores[number] : NULL;

	*why = INVALID_ID;
	if (!core || !core->known)
		return NULL;
	*why = IS_DEAD;
	if (core->unique != unique || !is_alive(asking->machine, (u32)number))
		return NULL;
	*why = OTHER_GROUP;
	return core->group == asking->core->group ? core : NULL;
}

/* ---- New cores ---- */

static HostResult new_core(Asking *asking, u64 *result, bool root)
{
	Machine *machine = asking->machine;
	MerryPrivate *own = asking->own;
	MerrySlots slots;
	u32 number;

	if (!may(asking->core, root ? MAY_NEW_GROUP : MAY_CREATE))
		return failed(asking, result, NOT_PRIVILEGED);
	if (!root && asking->r3 & 0xFF && !asking->core->privileged)
		return failed(asking, result, NOT_PRIVILEGED); /* nobody gives what they have not */
	if (asking->r1)
		return failed(asking, result, ADD_CORE_FAILED); /* no such kind of core */
	if (asking->r2 % 8 || asking->r2 >= machine_cells(machine, machine_isa(machine)->code_space))
		return failed(asking, result, BOOT_FAILED);
	for (u32 i = 0; i < machine_vcpu_count(machine); i++)
		if (machine_vcpu_state(machine, i) != VCPU_FREE && !is_alive(machine, i))
			machine_vcpu_free(machine, i);
	if (machine_vcpu_add(machine, &number))
		return failed(asking, result, ADD_CORE_FAILED);
	if (number >= MERRY_CORES) {
		machine_vcpu_end(machine, number, 0);
		return failed(asking, result, ADD_CORE_FAILED);
	}
	merry_slots(machine, &slots);
	machine_vcpu_set_slot(machine, number, slots.pc, asking->r2);
	born(own, number, root ? nobody : asking->number, root ? ++own->last_group : asking->core->group,
	     root || asking->r3 & 0xFF);
	return answer(asking, result, SERVED, number);
}

static HostResult add_pages(Asking *asking, u64 *result)
{
	u16 space = merry_space(asking->machine, "D");
	u64 before = machine_cells(asking->machine, space), count = asking->r1 ? asking->r1 : 1;

	if (!may(asking->core, MAY_ADD_PAGE))
		return failed(asking, result, NOT_PRIVILEGED);
	if (count > 1u << 20 || machine_resize(asking->machine, space, before + count * MERRY_PAGE))
		return failed(asking, result, NO_PAGE);
	return answer(asking, result, SERVED, before);
}

/* ---- States ---- */

static void take_state(const Machine *machine, u32 number, MerryState *out)
{
	MerrySlots slots;

	merry_slots(machine, &slots);
	*out = (MerryState){ .used = true, .pc = machine_vcpu_slot(machine, number, slots.pc) };
	for (u32 i = 0; i < MERRY_REGISTERS; i++)
		out->registers[i] = machine_vcpu_slot(machine, number, slots.registers + i);
	for (u32 i = 0; i < COUNT_OF(slots.flags); i++)
		out->flags |= (u32)(machine_vcpu_slot(machine, number, slots.flags[i]) & 1) << i;
}

static HostResult go_on_with(Asking *asking, u64 *result, const MerryState *state)
{
	asking->own->loading = *state;
	*result = GOES_ELSEWHERE;
	return HOST_OK;
}

/* The asker as it will be when its request was served. */
static void take_own_state(Asking *asking, MerryState *out)
{
	take_state(asking->machine, asking->number, out);
	out->pc = asking->next;
	out->registers[R0] = SERVED;
}

static HostResult save_state(Asking *asking, u64 *result)
{
	for (u32 i = 0; i < MERRY_STATES && !asking->core->in_handler; i++) {
		MerryState *state = &asking->core->states[i];

		if (state->used)
			continue;
		take_state(asking->machine, asking->number, state);
		state->pc = asking->next;
		return answer(asking, result, SERVED, i);
	}
	return failed(asking, result, STATE_FAILED);
}

static HostResult use_state(Asking *asking, u64 *result, unsigned request)
{
	MerryState *state = asking->r1 < MERRY_STATES ? &asking->core->states[asking->r1] : NULL, current;

	if (!state || !state->used || asking->core->in_handler)
		return failed(asking, result, STATE_FAILED);
	if (request == DELETE_STATE) {
		state->used = false;
		return served(asking, result);
	}
	if (request == JUMP_STATE)
		return go_on_with(asking, result, state);
	take_own_state(asking, &current);
	go_on_with(asking, result, state);
	*state = current;
	return HOST_OK;
}

/* ---- Wild requests ---- */

/* What a core does first in its handler: everything else as it was. */
static void begin_request(MerryState *state, const MerryRequest *request, u64 handler)
{
	state->registers[R0] = request->request;
	state->registers[R1] = request->sender;
	state->registers[R2] = request->sender_unique;
	state->registers[R3] = request->argument;
	state->pc = handler;
}

static HostResult send(Asking *asking, u64 *result)
{
	Machine *machine = asking->machine;
	MerryRequest request = { asking->r3, asking->number, asking->core->unique, asking->r11 };
	MerryState state;
	MerrySlots slots;
	Answer why;
	u32 number = (u32)asking->r1;
	MerryCore *core = find(asking, asking->r1, asking->r2, &why);
	u64 handler;

	if (!core)
		return failed(asking, result, why);
	merry_slots(machine, &slots);
	handler = machine_vcpu_slot(machine, number, slots.handler);
	if (handler == nobody)
		return failed(asking, result, NO_HANDLER);
	if (core->undisturbed)
		return failed(asking, result, NO);
	if (core->in_handler) {
		if (core->waiting >= MERRY_REQUESTS)
			return failed(asking, result, QUEUE_FULL);
		core->queue[core->waiting++] = request;
		return served(asking, result);
	}
	core->in_handler = true;
	if (core == asking->core) {
		take_own_state(asking, &core->before);
		state = core->before;
		begin_request(&state, &request, handler);
		return go_on_with(asking, result, &state);
	}
	take_state(machine, number, &core->before);
	state = core->before;
	begin_request(&state, &request, handler);
	for (u32 i = R0; i <= R3; i++)
		machine_vcpu_set_slot(machine, number, slots.registers + i, state.registers[i]);
	machine_vcpu_set_slot(machine, number, slots.pc, state.pc);
	return served(asking, result);
}

static HostResult restore(Asking *asking, u64 *result)
{
	MerryCore *core = asking->core;
	MerryState state = core->before;
	MerrySlots slots;

	if (!core->in_handler)
		return failed(asking, result, STATE_FAILED);
	if (core->waiting && core->waiting <= MERRY_REQUESTS) {
		merry_slots(asking->machine, &slots);
		begin_request(&state, &core->queue[0], machine_vcpu_slot(asking->machine, asking->number, slots.handler));
		core->waiting--;
		memmove(&core->queue[0], &core->queue[1], core->waiting * sizeof core->queue[0]);
	} else {
		core->in_handler = false;
	}
	return go_on_with(asking, result, &state);
}

/* ---- What one core does to another ---- */

static HostResult act_on(Asking *asking, u64 *result, unsigned request)
{
	static const struct {
		u8 request, permission;
	} needs[] = { { BESTOW, MAY_BESTOW }, { PAUSE, MAY_PAUSE }, { UNPAUSE, MAY_UNPAUSE }, { KILL, MAY_KILL } };
	Answer why;
	MerryCore *other;
	bool allowed = asking->core->privileged; /* to give a permission */

	for (u32 i = 0; i < COUNT_OF(needs); i++)
		if (needs[i].request == request)
			allowed = may(asking->core, needs[i].permission);
	if (!allowed)
		return failed(asking, result, NOT_PRIVILEGED);
	other = find(asking, asking->r1, asking->r2, &why);
	if (!other)
		return failed(asking, result, why);
	if (request == PAUSE && (other->unpausable || other->undisturbed))
		return failed(asking, result, CANNOT_PAUSE);
	if (request == BESTOW)
		other->privileged = true;
	else if (request == KILL)
		machine_vcpu_end(asking->machine, (u32)asking->r1, 0);
	else if (request == PAUSE || request == UNPAUSE)
		machine_vcpu_pause(asking->machine, (u32)asking->r1, request == PAUSE);
	else
		other->permissions |= (u8)(1u << (request - GRANT_FIRST));
	return served(asking, result);
}

static HostResult change_parent(Asking *asking, u64 *result, bool of_child)
{
	u64 number = of_child ? asking->r3 : asking->r1, unique = of_child ? asking->r11 : asking->r2;
	Answer why;
	MerryCore *child = asking->core, *parent;

	if (of_child ? !asking->core->privileged : !may(asking->core, MAY_CHANGE_PARENT))
		return failed(asking, result, NOT_PRIVILEGED);
	if (of_child) {
		child = find(asking, asking->r1, asking->r2, &why);
		if (!child)
			return failed(asking, result, why);
	}
	parent = find(asking, number, unique, &why);
	if (!parent)
		return failed(asking, result, why);
	if (!parent->privileged)
		return failed(asking, result, PARENT_NOT_PRIVILEGED);
	child->parent = number;
	child->parent_unique = unique;
	return served(asking, result);
}

/* ---- Questions ---- */

static bool lives(const Asking *asking, u64 number, u64 unique)
{
	return number < MERRY_CORES && asking->own->cores[number].unique == unique &&
	       is_alive(asking->machine, (u32)number);
}

static HostResult question(Asking *asking, u64 *result, unsigned request)
{
	const MerryCore *core = asking->core;
	bool known = asking->r1 < MERRY_CORES && asking->own->cores[asking->r1].known;
	const MerryCore *other = known ? &asking->own->cores[asking->r1] : NULL;
	bool yes;

	switch (request) {
	case OWN_ID: return answer(asking, result, SERVED, asking->number);
	case OWN_UNIQUE: return answer(asking, result, SERVED, core->unique);
	case OWN_GROUP: return answer(asking, result, SERVED, core->group);
	case PARENT_ALIVE:
		if (core->parent == nobody)
			return answer(asking, result, SERVED, NO_PARENT);
		yes = lives(asking, core->parent, core->parent_unique);
		break;
	case DEAD:
		if (!known)
			return failed(asking, result, INVALID_ID);
		yes = !lives(asking, asking->r1, asking->r2);
		break;
	default: /* IS_CHILD */
		if (!known)
			return failed(asking, result, INVALID_ID);
		yes = other->unique == asking->r2 && other->parent_unique == core->unique;
		break;
	}
	return answer(asking, result, SERVED, yes ? YES : NO);
}

static HostResult serve(Asking *asking, u64 *result, u64 request)
{
	MerryCore *core = asking->core;

	switch (request) {
	case NEW_CORE: return new_core(asking, result, false);
	case NEW_GROUP: return new_core(asking, result, true);
	case ADD_PAGE: return add_pages(asking, result);
	case SAVE_STATE: return save_state(asking, result);
	case DELETE_STATE:
	case JUMP_STATE:
	case SWITCH_STATE: return use_state(asking, result, (unsigned)request);
	case RESTORE: return restore(asking, result);
	case SEND: return send(asking, result);
	case DO_NOT_DISTURB: core->undisturbed = true; break;
	case IGNORE_PAUSE: core->unpausable = true; break;
	case GIVE_UP: core->privileged = false; break;
	case PURGE: core->waiting = 0; break;
	case BESTOW:
	case PAUSE:
	case UNPAUSE:
	case GRANT_FIRST ... GRANT_LAST:
	case KILL: return act_on(asking, result, (unsigned)request);
	case CHANGE_PARENT: return change_parent(asking, result, false);
	case CHANGE_CHILD: return change_parent(asking, result, true);
	case DEAD:
	case PARENT_ALIVE:
	case OWN_ID:
	case OWN_UNIQUE:
	case OWN_GROUP:
	case IS_CHILD: return question(asking, result, (unsigned)request);
	default: return failed(asking, result, NO); /* there is no such request */
	}
	return served(asking, result);
}

/* ---- Host functions ---- */

/* args: n, R1, R2, R3, R11, R12, the address of the next instruction */
HostResult merry_graves(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	MerryPrivate *own = machine_private(machine);
	u32 number = machine_vcpu_current(machine);
	Asking asking = { machine, own, &own->cores[number % MERRY_CORES], number, args[1], args[2], args[3], args[4], args[6] };

	(void)count;
	return serve(&asking, result, args[0]);
}

HostResult merry_graves_value(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	const MerryPrivate *own = machine_private(machine);

	(void)args, (void)count;
	*result = own->value;
	return HOST_OK;
}

/* args: 0..15 a register, 16 the pc, 17 the flags of the state to go on with */
HostResult merry_graves_register(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	const MerryState *state = &((const MerryPrivate *)machine_private(machine))->loading;

	(void)count;
	*result = args[0] < MERRY_REGISTERS ? state->registers[args[0]] : args[0] == 16 ? state->pc : state->flags;
	return HOST_OK;
}
