/* SPDX-License-Identifier: MIT
 *
 * What the engine asks the machine for: the meaning of code (translate), and every memory access that is not plain.
 *
 * A slow access goes cell by cell, in address order. A cell belongs to the first `on read`/`on write` handler of the
 * description that covers it, also beyond the end of the space (devices above the memory); else it is memory.
 * All cells that are memory are checked before anything happens, so a fault has no effects. Watchpoints are kept as
 * attributes per granule and compared exactly here; the stop is left in vcpu->pending until the instruction is done.
 */
#include "base/array.h"
#include "machine/machine_private.h"
#include "machine/shared.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

/* ---- Code ---- */

typedef struct Fetch {
	Machine *machine;
	u64 address;
	/* Paged: the pager is asked about the instruction at `first` alone. What lies behind it is translated when it may be
	 * fetched now; else the block ends there. */
	bool ask;
	u64 first, denied;
} Fetch;

static bool may_fetch(Fetch *fetch, u64 address)
{
	Machine *machine = fetch->machine;

	if (machine_page_attr(machine, machine->mapped, address) & ATTR_EXEC)
		return true;
	if (!fetch->ask)
		return machine_page_attr(machine, machine->mapped, address);
	if (fetch->address == fetch->first && machine_page_allows(machine, machine->mapped, address, ATTR_EXEC))
		return true;
	fetch->denied = address;
	return false;
}

static bool fetch_parcel(void *ctx, unsigned index, u64 *parcel)
{
	Fetch *fetch = ctx;
	const Isa *isa = fetch->machine->isa;
	const Space *space = &fetch->machine->vcpu.spaces[isa->code_space];
	u64 at = fetch->address + (u64)index * isa->parcel_cells, value = 0;

	/* Nearly always: two bytes of a page that may be executed, and no window anywhere. */
	if (space->paged && isa->parcel_cells == 2 && !space->big && !fetch->machine->window_count && at < space->cells &&
	    at % SPACE_PAGE != SPACE_PAGE - 1 &&
	    (machine_page_attr(fetch->machine, fetch->machine->mapped, at) & ATTR_EXEC)) {
		*parcel = space->base[at] | (u64)space->base[at + 1] << 8;
		return true;
	}
	for (unsigned i = 0; i < isa->parcel_cells; i++) {
		u64 cell;

		if (space->paged && !may_fetch(fetch, at + i))
			return false;
		if (!space_peek(space, at + i, &cell) ||
		    machine_window_at(fetch->machine, isa->code_space, (at + i) & space->wrap_mask))
			return false;
		if (space->big)
			value = value << space->cell_bits | cell;
		else
			value |= cell << (i * space->cell_bits);
	}
	*parcel = value;
	return true;
}

/* To the end of the page, if it may be executed and there is no window anywhere. */
static const u8 *code_at(void *ctx, u64 pc, u32 *cells)
{
	const Fetch *fetch = ctx;
	const Machine *machine = fetch->machine;
	const Space *space = &machine->vcpu.spaces[machine->isa->code_space];

	*cells = 0;
	if (!space->paged || space->big || machine->window_count || pc >= space->cells ||
	    !(machine_page_attr(machine, machine->mapped, pc) & ATTR_EXEC))
		return NULL;
	*cells = SPACE_PAGE - (u32)(pc % SPACE_PAGE);
	return space->base + pc;
}

void machine_decode(const Machine *machine, u64 pc, IsaDecoded *out)
{
	Fetch fetch = { .machine = (Machine *)machine, .address = pc }; /* without `ask` nothing changes */

	isa_decode(machine->isa, fetch_parcel, &fetch, out);
}

static u32 find_break(const Machine *machine, u64 pc)
{
	u32 lo = 0, hi = machine->break_count;

	while (lo < hi) {
		u32 middle = lo + (hi - lo) / 2;

		if (machine->breaks[middle] < pc)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

static bool is_break(const Machine *machine, u64 pc)
{
	u32 at = find_break(machine, pc);

	return at < machine->break_count && machine->breaks[at] == pc;
}

static bool stop_before(void *ctx, u64 pc)
{
	const Fetch *fetch = ctx;

	return is_break(fetch->machine, pc);
}

static bool fetch_table(void *ctx, u16 table, u16 column, u64 row, u64 *value)
{
	const Fetch *fetch = ctx;

	return machine_table_cell(fetch->machine, table, column, row, value);
}

/* Sets or clears an attribute on the granules of cells [address, address + count), clipped to what is there. */
static void mark(Space *space, u64 address, u64 count, u8 attr, bool on)
{
	u64 last, granule;

	if (!count || address >= space->cells)
		return;
	if (count > space->cells - address)
		count = space->cells - address;
	last = (address + count - 1) >> space->attr_shift;
	if (space->paged) { /* what is absent gets its attributes when it comes (machine_mark_pages) */
		granule = address >> SPACE_PAGE_SHIFT;
		space_pages_mark(space, granule, last + 1 - granule, on ? attr : 0, on ? 0 : attr);
		return;
	}
	for (granule = address >> space->attr_shift; granule <= last; granule++)
		space->attr[granule] = (u8)(on ? space->attr[granule] | attr : space->attr[granule] & ~attr);
}

static void mark_code(Space *space, u64 pc, u64 cells)
{
	pc &= space->wrap_mask;
	mark(space, pc, cells, ATTR_CODE, true);
	if (space->wraps && cells > space->cells - pc)
		mark(space, 0, cells - (space->cells - pc), ATTR_CODE, true);
}

static u64 plain_spaces(const Machine *machine)
{
	u64 plain = ~(u64)0;

	for (u32 i = 0; i < machine->isa->handler_count; i++)
		if (machine->isa->handlers[i].kind == ISA_ON_READ || machine->isa->handlers[i].kind == ISA_ON_WRITE)
			plain &= ~((u64)1 << (machine->isa->handlers[i].space & 63));
	for (u32 i = 0; i < machine->window_count; i++)
		plain &= ~((u64)1 << (machine->windows[i].space & 63));
	for (u32 i = 0; i < machine->watch_count; i++)
		if (machine->watches[i].reads)
			plain &= ~((u64)1 << (machine->watches[i].space & 63));
	return plain;
}

Status machine_env_translate(void *ctx, u64 pc, u64 context, u32 max_insns, Arena *arena, Translation *out)
{
	Machine *machine = ctx;
	bool paged = machine->paged_space == machine->isa->code_space;
	Fetch fetch = { .machine = machine, .address = pc, .ask = paged, .first = pc };
	IsaLift lift = { .isa = machine->isa, .fetch_at = fetch_parcel, .ctx = &fetch, .fetch_address = &fetch.address,
			 .slots = machine->vcpu.slots, .stop_before = machine->break_count ? stop_before : NULL, .table = fetch_table,
			 .code_at = code_at };
	IsaLifted lifted = { 0 };
	Status status = isa_lift_block(&lift, pc, max_insns, arena, &lifted);

	(void)context; /* made from the slots that the lifter reads itself */
	machine_count_slow(machine);
	if (status)
		return status;
	if (paged && lifted.no_code) {
		machine->vcpu.exit = (VcpuExit){ .kind = EXIT_FAULT, .value = fetch.denied, .space = machine->paged_space,
						 .fetch = true };
		*out = (Translation){ .no_code = true };
		return STATUS_OK;
	}
	*out = (Translation){ .func = lifted.func, .insns = lifted.insns, .code_cells = lifted.cells,
			      .dirty = lifted.dirty, .only_host = lifted.only_host, .breakpoint = is_break(machine, pc),
			      .plain_spaces = plain_spaces(machine) };
	mark_code(&machine->vcpu.spaces[machine->isa->code_space], pc, lifted.cells);
	return STATUS_OK;
}

/* Tables are asked for while code is translated; watches and windows decide what is compiled. */
bool machine_env_has_code(void *ctx, u64 pc, const u8 *cells, u64 count)
{
	Machine *machine = ctx;
	const Space *space = &machine->vcpu.spaces[machine->isa->code_space];

	if (machine->paged_space != machine->isa->code_space || machine->break_count || machine->watch_count ||
	    machine->window_count || machine->isa->table_count || !count || pc >= space->cells || count > space->cells - pc)
		return false;
	/* As a fetch would: the first page is asked for, on the second one the code ends if it is not there. */
	if (!(machine_page_attr(machine, machine->mapped, pc) & ATTR_EXEC) &&
	    !machine_page_allows(machine, machine->mapped, pc, ATTR_EXEC))
		return false;
	if (!(machine_page_attr(machine, machine->mapped, pc + count - 1) & ATTR_EXEC))
		return false;
	return memcmp(space->base + pc, cells, count) == 0;
}

typedef struct Walking {
	Machine *machine;
	u32 done; /* instructions that are not counted yet */
} Walking;

/* The pager is asked where the interpreter would ask it: about a page that is not there, by the instruction that is next. */
static bool touch(const Walking *walking, u64 address, u8 right)
{
	Machine *machine = walking->machine;
	bool there;

	if (machine_page_attr(machine, machine->mapped, address))
		return false;
	machine_count_slow(machine);
	machine->vcpu.icount += walking->done;
	there = machine_page_allows(machine, machine->mapped, address, right);
	machine->vcpu.icount -= walking->done;
	return there;
}

static const u8 *walked_code(void *ctx, u64 pc, u32 *cells)
{
	const Walking *walking = ctx;
	Fetch fetch = { .machine = walking->machine, .address = pc };
	const u8 *code = code_at(&fetch, pc, cells);

	return code || pc >= walking->machine->vcpu.spaces[walking->machine->isa->code_space].cells || !touch(walking, pc, ATTR_EXEC)
		? code : code_at(&fetch, pc, cells);
}

/* As compiled code accesses memory. */
static u8 *plain_place(void *ctx, unsigned number, u64 address, unsigned width, bool write)
{
	const Walking *walking = ctx;
	const Machine *machine = walking->machine;
	const Space *space = &machine->vcpu.spaces[number];
	const u8 looked_at = write ? ATTR_PAGED_STORE : ATTR_PAGED_LOAD, wanted = write ? ATTR_WRITE : ATTR_READ;

	if (number != machine->paged_space || (width != 8 && width != 16 && width != 32 && width != 64) || address >= space->cells ||
	    address % SPACE_PAGE > SPACE_PAGE - width / 8)
		return NULL;
	if ((space->attr[address / SPACE_PAGE] & looked_at) != wanted &&
	    (!touch(walking, address, wanted) || (space->attr[address / SPACE_PAGE] & looked_at) != wanted))
		return NULL;
	return space->base + address;
}

EngineWalked machine_env_walk(void *ctx, Vcpu *vcpu, u64 pc, u32 most)
{
	Machine *machine = ctx;
	Walking walking = { .machine = machine };
	const IsaWalk walk = { .isa = machine->isa, .slots = vcpu->slots, .ctx = &walking, .done = &walking.done, .code_at = walked_code,
			       .place = plain_place };
	IsaWalked walked;

	if (machine->break_count || machine->watch_count || machine->window_count)
		return ENGINE_WALK_NOT;
	machine_count_slow(machine);
	walked = isa_walk(&walk, pc, most);
	vcpu->slots[0] = walked.pc;
	vcpu->icount += walked.insns;
	if (walked.floats) /* its IR can be evaluated, which costs less than another engine's code for it */
		return walked.insns ? ENGINE_WALK_DONE : ENGINE_WALK_NOT;
	if (walked.left)
		return ENGINE_WALK_LEFT;
	if (walked.flow == IR_FLOW_CALL || (walked.flow != IR_FLOW_RET && walked.pc <= pc))
		return ENGINE_WALK_TURNED;
	return ENGINE_WALK_DONE;
}

void machine_env_code_changed(void *ctx, Vcpu *vcpu, u64 address, u64 count)
{
	Machine *machine = ctx;

	machine->ops->invalidate(machine->engine, vcpu, address, count);
}

u64 machine_env_context(void *ctx, const Vcpu *vcpu)
{
	const Machine *machine = ctx;
	u64 key = 0;

	for (u32 i = 0; i < machine->context_count; i++)
		key |= vcpu->slots[machine->context_slots[i]] << machine->context_shifts[i];
	return key;
}

/* ---- Slow accesses ---- */

static AccessResult fault(Vcpu *vcpu, unsigned space, u64 address, bool write)
{
	vcpu->exit = (VcpuExit){ .kind = EXIT_FAULT, .value = address, .space = (u16)space, .write = write };
	return ACCESS_EXIT;
}

static AccessResult no_memory(Vcpu *vcpu)
{
	vcpu->exit = (VcpuExit){ .kind = EXIT_ERROR, .status = STATUS_NOMEM };
	return ACCESS_EXIT;
}

/* The handler for one cell, or NO_HANDLER. One for the cell alone wins over one for a range. */
static u32 find_device(const Machine *machine, unsigned space, u64 address, IsaHandlerKind kind)
{
	const Isa *isa = machine->isa;
	u32 range = NO_HANDLER;

	if (!isa->spaces[space].has_handlers)
		return NO_HANDLER;
	for (u32 i = 0; i < isa->handler_count; i++) {
		const IsaHandler *handler = &isa->handlers[i];

		if (handler->kind != kind || handler->space != space || address < handler->lo || address > handler->hi)
			continue;
		if (handler->lo == handler->hi)
			return i;
		if (range == NO_HANDLER)
			range = i;
	}
	return range;
}

enum { WAKE_MAX = 16 };

static void note_wake_slots(const Machine *machine, u64 *values)
{
	for (u32 i = 0; i < machine->wake_count; i++)
		values[i] = machine->vcpu.slots[machine->wake_slots[i]];
}

static bool wake_slots_changed(const Machine *machine, const u64 *values)
{
	for (u32 i = 0; i < machine->wake_count; i++)
		if (values[i] != machine->vcpu.slots[machine->wake_slots[i]])
			return true;
	return false;
}

/* Leaves the engine afterwards only when something changed that conditions or translations depend on: a program
 * that polls the keyboard's status does so millions of times. */
static AccessResult run_device(Machine *machine, u32 index, const u64 *args, u64 *result)
{
	IrFunc *func = machine_handler(machine, index, false);
	LiftedHandler *lifted = &machine->handlers[index];
	AccessResult outcome;
	u64 before[WAKE_MAX];
	bool jumped, compare;

	if (!func)
		return no_memory(&machine->vcpu);
	machine_analyse(machine, index);
	if (lifted->polls)
		machine_count_poll(machine);
	compare = lifted->stirs && machine->wake_count <= WAKE_MAX;
	if (compare)
		note_wake_slots(machine, before);
	outcome = machine_eval(machine, func, args, result, &jumped);
	if (lifted->wakes || !lifted->analysed ||
	    (lifted->stirs && (!compare || wake_slots_changed(machine, before))))
		machine->vcpu.event_pending = true;
	return outcome;
}

void machine_check_watch(Machine *machine, unsigned space, u64 address, u64 count, bool write)
{
	VcpuExit *pending = &machine->vcpu.pending;

	if (pending->kind != EXIT_BUDGET)
		return;
	for (u32 i = 0; i < machine->watch_count; i++) {
		const Watch *watch = &machine->watches[i];

		if (watch->space == space && (write ? watch->writes : watch->reads) &&
		    (address >= watch->address ? address - watch->address < watch->count
					       : watch->address - address < count)) {
			*pending = (VcpuExit){ .kind = EXIT_WATCH,
					       .value = address > watch->address ? address : watch->address, .space = (u16)space,
					       .write = write };
			return;
		}
	}
}

static unsigned cells_of(const Space *space, unsigned width)
{
	return (width + space->cell_bits - 1) / space->cell_bits;
}

/* Are all cells there that no device answers for? */
static bool all_there(const Machine *machine, unsigned number, u64 address, unsigned count, IsaHandlerKind kind,
		      u64 *missing)
{
	const Space *space = &machine->vcpu.spaces[number];

	for (unsigned i = 0; i < count; i++) {
		const MachineWindow *window;

		*missing = (address + i) & space->wrap_mask;
		window = machine_window_at(machine, (u16)number, *missing);
		if (window && !(kind == ISA_ON_READ ? window->readable : window->writable))
			return false;
		if (!window && *missing >= space->cells && find_device(machine, number, *missing, kind) == NO_HANDLER)
			return false;
	}
	return true;
}

static bool has_attr(const Space *space, u64 address, u8 attr)
{
	return address < space->cells && (space->attr[address >> space->attr_shift] & attr);
}

/* Why the engine did not do it by itself (EngineEnv.slow). */
static void count_slow(Machine *machine, const Space *space, u64 address, u8 right)
{
	u8 attr = address < space->cells ? space->attr[address >> space->attr_shift] : 0;

	if (space->paged && !(attr & right))
		machine->slow[ENGINE_SLOW_TOUCH]++;
	else if ((attr & ATTR_CODE) && right == ATTR_WRITE)
		machine->slow[ENGINE_SLOW_CODE]++;
	else if (!space->paged || (attr & (ATTR_WATCH_READ | ATTR_WATCH_WRITE)))
		machine->slow[ENGINE_SLOW_DEVICE]++;
}

AccessResult machine_env_read(void *ctx, Vcpu *vcpu, unsigned number, u64 address, unsigned width, u64 *value)
{
	Machine *machine = ctx;
	const Space *space = &vcpu->spaces[number];
	unsigned count = cells_of(space, width);
	u64 missing, whole = 0;

	machine_count_slow(machine);
	count_slow(machine, space, address, ATTR_READ);
	if (space->paged)
		return machine_paged_read(machine, address, count, value);
	if (!all_there(machine, number, address, count, ISA_ON_READ, &missing))
		return fault(vcpu, number, missing, false);
	for (unsigned i = 0; i < count; i++) {
		u64 at = (address + i) & space->wrap_mask, cell = 0;
		const MachineWindow *window = machine_window_at(machine, (u16)number, at);
		u32 device = NO_HANDLER;

		if (window)
			cell = machine_window_read(machine, window, at);
		else if (at >= space->cells || has_attr(space, at, ATTR_IO_READ))
			device = find_device(machine, number, at, ISA_ON_READ);
		if (device != NO_HANDLER) {
			if (run_device(machine, device, &at, &cell) != ACCESS_OK)
				return ACCESS_EXIT;
			cell = bits_trunc(cell, space->cell_bits);
		} else if (!window && !space_peek(space, at, &cell)) {
			return fault(vcpu, number, at, false);
		}
		if (has_attr(space, at, ATTR_WATCH_READ))
			machine_check_watch(machine, number, at, 1, false);
		if (space->big)
			whole = (space->cell_bits < 64 ? whole << space->cell_bits : 0) | cell;
		else
			whole |= cell << (i * space->cell_bits);
	}
	*value = bits_trunc(whole, width);
	return ACCESS_OK;
}

static AccessResult write_cell(Machine *machine, unsigned number, u64 at, u64 cell)
{
	Space *space = &machine->vcpu.spaces[number];
	const MachineWindow *window = machine_window_at(machine, (u16)number, at);
	u32 device = NO_HANDLER;

	if (window)
		machine_window_write(machine, window, at, cell);
	else if (at >= space->cells || has_attr(space, at, ATTR_IO_WRITE))
		device = find_device(machine, number, at, ISA_ON_WRITE);
	if (device != NO_HANDLER) {
		u64 args[2] = { at, cell }, result;
		bool takes_address = machine->isa->handlers[device].takes_address;

		if (run_device(machine, device, takes_address ? args : args + 1, &result) != ACCESS_OK)
			return ACCESS_EXIT;
	} else if (!window) {
		if (!space_poke(space, at, cell))
			return fault(&machine->vcpu, number, at, true);
		if (number == machine->isa->code_space && has_attr(space, at, ATTR_CODE))
			machine->ops->invalidate(machine->engine, &machine->vcpu, at, 1);
	}
	if (has_attr(space, at, ATTR_WATCH_WRITE))
		machine_check_watch(machine, number, at, 1, true);
	return ACCESS_OK;
}

AccessResult machine_env_write(void *ctx, Vcpu *vcpu, unsigned number, u64 address, unsigned width, u64 value)
{
	Machine *machine = ctx;
	const Space *space = &vcpu->spaces[number];
	unsigned count = cells_of(space, width);
	u64 missing;

	machine_count_slow(machine);
	count_slow(machine, space, address, ATTR_WRITE);
	if (space->paged)
		return machine_paged_write(machine, address, count, value);
	if (!all_there(machine, number, address, count, ISA_ON_WRITE, &missing))
		return fault(vcpu, number, missing, true);
	for (unsigned i = 0; i < count; i++) {
		unsigned shift = (space->big ? count - 1 - i : i) * space->cell_bits;

		if (write_cell(machine, number, (address + i) & space->wrap_mask,
			       bits_trunc(value >> shift, space->cell_bits)) != ACCESS_OK)
			return ACCESS_EXIT;
	}
	return ACCESS_OK;
}

/* ---- Memory from outside ---- */

Status machine_read(const Machine *machine, u16 space, u64 address, u64 *value)
{
	const MachineWindow *window;
	const u8 *page;

	if (space >= machine->vcpu.space_count)
		return STATUS_NOT_FOUND;
	if (space == machine->paged_space) {
		page = machine_page_bytes((Machine *)machine, machine_aspace(machine), address);
		if (page)
			*value = page[address % SPACE_PAGE];
		return page ? STATUS_OK : STATUS_RANGE;
	}
	window = machine_window_at(machine, space, address & machine->vcpu.spaces[space].wrap_mask);
	if (window) {
		*value = machine_window_read(machine, window, address & machine->vcpu.spaces[space].wrap_mask);
		return STATUS_OK;
	}
	return space_peek(&machine->vcpu.spaces[space], address, value) ? STATUS_OK : STATUS_RANGE;
}

Status machine_write(Machine *machine, u16 number, u64 address, u64 value)
{
	const MachineWindow *window;
	Space *space;

	if (number >= machine->vcpu.space_count)
		return STATUS_NOT_FOUND;
	if (number == machine->paged_space)
		return machine_paged_poke(machine, machine_aspace(machine), address, value);
	space = &machine->vcpu.spaces[number];
	address &= space->wrap_mask;
	window = machine_window_at(machine, number, address);
	if (window) {
		machine_window_write(machine, window, address, value);
		return STATUS_OK;
	}
	if (!space_poke(space, address, value))
		return STATUS_RANGE;
	if (number == machine->isa->code_space && has_attr(space, address, ATTR_CODE))
		machine->ops->invalidate(machine->engine, &machine->vcpu, address, 1);
	return STATUS_OK;
}

u64 machine_cells(const Machine *machine, u16 space)
{
	return space < machine->vcpu.space_count ? machine->vcpu.spaces[space].cells : 0;
}

Status machine_resize(Machine *machine, u16 number, u64 cells)
{
	Space *space;
	u64 others;
	Status status;

	if (number >= machine->vcpu.space_count)
		return STATUS_NOT_FOUND;
	space = &machine->vcpu.spaces[number];
	if (space->paged)
		return cells == space->cells ? STATUS_OK : STATUS_TOO_BIG;
	others = machine_memory_bytes(machine) - (space->cells << space->cell_shift);
	if (others > machine->memory_limit || cells > (machine->memory_limit - others) >> space->cell_shift)
		return STATUS_TOO_BIG;
	status = space_resize(space, cells);
	if (status)
		return status;
	machine_mark_space(machine, number);
	if (number == machine->isa->code_space)
		machine_flush_engines(machine);
	return STATUS_OK;
}

/* Watchpoints on cells address .. address + len - 1. */
static void mark_watches(const Machine *machine, u16 number, Space *space, u64 address, u64 len)
{
	for (u32 i = 0; i < machine->watch_count; i++) {
		const Watch *watch = &machine->watches[i];
		u64 from = watch->address > address ? watch->address : address, left = watch->count - (from - watch->address);

		if (watch->space != number || from - watch->address >= watch->count || from - address >= len)
			continue;
		mark(space, from, left < len - (from - address) ? left : len - (from - address),
		     (u8)((watch->reads ? ATTR_WATCH_READ : 0) | (watch->writes ? ATTR_WATCH_WRITE : 0)), true);
	}
}

void machine_mark_pages(const Machine *machine, Space *space, u64 address, u64 len)
{
	mark_watches(machine, machine->paged_space, space, address, len);
}

void machine_mark_devices(const Machine *machine, u16 number, Space *space)
{
	for (u32 i = 0; i < machine->isa->handler_count; i++) {
		const IsaHandler *handler = &machine->isa->handlers[i];
		u64 count = handler->hi - handler->lo;

		if ((handler->kind != ISA_ON_READ && handler->kind != ISA_ON_WRITE) || handler->space != number)
			continue;
		mark(space, handler->lo, count == ~(u64)0 ? count : count + 1,
		     handler->kind == ISA_ON_READ ? ATTR_IO_READ : ATTR_IO_WRITE, true);
	}
	for (u32 i = 0; i < machine->window_count; i++)
		if (machine->windows[i].space == number)
			mark(space, machine->windows[i].address, machine->windows[i].cells, ATTR_IO_READ | ATTR_IO_WRITE,
			     true);
	mark_watches(machine, number, space, 0, ~(u64)0);
}

void machine_mark_space(Machine *machine, u16 number)
{
	bool own = machine_private_index(machine, number) < machine->private_count;

	for (u32 n = 0; number == machine->paged_space && n < machine->aspace_count; n++)
		if (n != machine->mapped && machine->aspaces[n].engine)
			machine_mark_devices(machine, number, &machine->aspaces[n].space);
	for (u32 n = 0; n < (own ? machine->vcpu_count : 1); n++)
		machine_mark_devices(machine, number, machine_space_of(machine, n, number));
}

/* ---- Stops wanted by a debugger ---- */

Status machine_break_set(Machine *machine, u64 pc, bool on)
{
	u32 at;

	pc &= bits_mask(machine->isa->pc_width);
	at = find_break(machine, pc);
	if (is_break(machine, pc) == on)
		return on ? STATUS_OK : STATUS_NOT_FOUND;
	if (!on) {
		machine->break_count--;
		memmove(machine->breaks + at, machine->breaks + at + 1, (machine->break_count - at) * sizeof(u64));
	} else {
		if (!array_grow((void **)&machine->breaks, &machine->break_cap, machine->break_count, sizeof(u64)))
			return STATUS_NOMEM;
		memmove(machine->breaks + at + 1, machine->breaks + at, (machine->break_count - at) * sizeof(u64));
		machine->breaks[at] = pc;
		machine->break_count++;
	}
	machine_flush_engines(machine);
	return STATUS_OK;
}

static Status add_watch(Machine *machine, const Watch *watch)
{
	if (!array_grow((void **)&machine->watches, &machine->watch_cap, machine->watch_count, sizeof(*watch)))
		return STATUS_NOMEM;
	machine->watches[machine->watch_count++] = *watch;
	machine_mark_space(machine, watch->space);
	return STATUS_OK;
}

Status machine_watch_set(Machine *machine, u16 number, u64 address, u64 count, bool reads, bool writes, bool on)
{
	Watch watch = { number, address, count, reads, writes };

	if (number >= machine->vcpu.space_count)
		return STATUS_NOT_FOUND;
	if (!count || (!reads && !writes))
		return STATUS_INVALID;
	if (on) {
		if (address >= machine->vcpu.spaces[number].cells || count > machine->vcpu.spaces[number].cells - address)
			return STATUS_RANGE;
		if (reads) /* code was made as if nobody watched */
			machine_flush_engines(machine);
		return add_watch(machine, &watch);
	}
	/* The space may have shrunk since. */
	for (u32 i = 0; i < machine->watch_count; i++) {
		const Watch *have = &machine->watches[i];

		if (have->space != number || have->address != address || have->count != count || have->reads != reads ||
		    have->writes != writes)
			continue;
		machine->watches[i] = machine->watches[--machine->watch_count];
		for (u32 n = 0; number == machine->paged_space && n < machine->aspace_count; n++)
			if (machine->aspaces[n].engine && n != machine->mapped)
				mark(&machine->aspaces[n].space, address, count, ATTR_WATCH_READ | ATTR_WATCH_WRITE, false);
		for (u32 n = 0; n < machine->vcpu_count; n++)
			mark(machine_space_of(machine, n, number), address, count, ATTR_WATCH_READ | ATTR_WATCH_WRITE,
			     false);
		machine_mark_space(machine, number);
		return STATUS_OK;
	}
	return STATUS_NOT_FOUND;
}
