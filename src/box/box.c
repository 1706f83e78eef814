/* SPDX-License-Identifier: MIT */
#include "box/box.h"

#include <stdlib.h>
#include <string.h>

#include "box/box_private.h"
#include "machine/vcpus.h"

Box *box_create(u64 quantum, u64 instruction_ns)
{
	Box *box = calloc(1, sizeof *box);

	if (!box)
		return NULL;
	box->quantum = quantum ? quantum : 1000;
	box->instruction_ns = instruction_ns ? instruction_ns : 1000;
	box->left = box->quantum;
	return box;
}

void box_destroy(Box *box)
{
	if (!box)
		return;
	for (u32 i = 0; i < box->memory_count; i++)
		shared_unref(box->memories[i]);
	free(box);
}

Status box_add_core(Box *box, const char *name, Machine *machine, u64 fuel)
{
	BoxCore *core = &box->cores[box->core_count];

	if (box->core_count == BOX_CORES)
		return STATUS_TOO_BIG;
	*core = (BoxCore){.machine = machine, .fuel = fuel};
	strncpy(core->name, name, sizeof core->name - 1);
	box->core_count++;
	return STATUS_OK;
}

Status box_add_memory(Box *box, SharedMemory *memory)
{
	if (box->memory_count == BOX_MEMORIES)
		return STATUS_TOO_BIG;
	box->memories[box->memory_count++] = memory;
	shared_ref(memory);
	return STATUS_OK;
}

void box_set_runner(Box *box, u32 core, MachineStop (*run)(void *ctx, u64 max_insns), void *ctx)
{
	box->cores[core].run = run;
	box->cores[core].run_ctx = ctx;
}

u32 box_core_count(const Box *box)
{
	return box->core_count;
}

const BoxCore *box_core(const Box *box, u32 index)
{
	return &box->cores[index];
}

u64 box_icount(const Box *box)
{
	return box->icount;
}

u64 box_time(const Box *box)
{
	return box->icount * box->instruction_ns + box->skipped;
}

static bool out_of_fuel(const BoxCore *core)
{
	return core->fuel && machine_icount(core->machine) >= core->fuel;
}

static bool can_run(Box *box, BoxCore *core)
{
	if (core->state == CORE_SLEEPS && box_time(box) >= core->wake)
		core->state = CORE_READY;
	if (core->state == CORE_WAITS && (machine_input_pending(core->machine) || machine_input_ended(core->machine)))
		core->state = CORE_READY;
	if (core->state == CORE_READY && out_of_fuel(core))
		core->state = CORE_NO_FUEL; /* restored into a box that gives less */
	return core->state == CORE_READY;
}

static void next_turn(Box *box)
{
	box->turn = box->turn + 1 < box->core_count ? box->turn + 1 : 0;
	box->left = box->quantum;
}

/* The first core from `turn` on that can run; false when there is none. */
static bool find_turn(Box *box)
{
	for (u32 i = 0; i < box->core_count; i++) {
		if (can_run(box, &box->cores[box->turn]))
			return true;
		next_turn(box);
	}
	return false;
}

static CoreState state_after(const BoxCore *core, const MachineStop *stop)
{
	switch (stop->kind) {
	case STOP_BUDGET:
	case STOP_FRAME:
	case STOP_BREAK:
	case STOP_WATCH:
		return out_of_fuel(core) ? CORE_NO_FUEL : CORE_READY;
	case STOP_WAIT: return CORE_WAITS;
	case STOP_SLEEP: return CORE_SLEEPS;
	case STOP_HALT: return CORE_HALTED;
	default: return CORE_FAILED;
	}
}

static void run_core(Box *box, u64 insns)
{
	BoxCore *core = &box->cores[box->turn];
	u64 before = machine_icount(core->machine), ran;

	if (core->fuel && insns > core->fuel - before)
		insns = core->fuel - before;
	machine_set_time(core->machine, box_time(box));
	core->stop = core->run ? core->run(core->run_ctx, insns) : machine_run(core->machine, insns);
	core->state = state_after(core, &core->stop);
	core->wake = core->stop.code;
	ran = machine_icount(core->machine) - before;
	box->icount += ran;
	box->left -= ran < box->left ? ran : box->left;
	if (!box->left || core->state != CORE_READY)
		next_turn(box);
}

/* Everyone sleeps or waits: time jumps to the first that wakes. False when nobody sleeps. */
static bool skip_time(Box *box)
{
	u64 first = ~(u64)0;

	for (u32 i = 0; i < box->core_count; i++)
		if (box->cores[i].state == CORE_SLEEPS && box->cores[i].wake < first)
			first = box->cores[i].wake;
	if (first == ~(u64)0)
		return false;
	box->skipped += first - box_time(box);
	return true;
}

static BoxStopKind why_nobody_runs(const Box *box)
{
	for (u32 i = 0; i < box->core_count; i++)
		if (box->cores[i].state == CORE_WAITS)
			return BOX_WAITS;
	return BOX_ENDED;
}

BoxStopKind box_run(Box *box, u64 max_insns)
{
	u64 end = max_insns > ~(u64)0 - box->icount ? ~(u64)0 : box->icount + max_insns;

	for (;;) {
		u64 most = end - box->icount;

		if (!find_turn(box)) {
			if (!skip_time(box))
				return why_nobody_runs(box);
			continue;
		}
		if (!most)
			return BOX_BUDGET;
		run_core(box, most < box->left ? most : box->left);
	}
}
