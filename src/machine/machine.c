/* SPDX-License-Identifier: MIT
 *
 * Making, resetting and looking at machines. The run loop is in machine_run.c, memory in machine_memory.c.
 */
#include "machine/machine_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

enum {
	DEFAULT_MEMORY = 256 << 20,
	DEFAULT_PROGRAM = 65536,
	OPEN_BITS = 40,          /* 2^40 bytes: how far a space can grow, whatever the limit; it is reserved at once */
	DEFAULT_OPEN = 16 << 20, /* bytes of a space whose size the description leaves open */
};

void machine_say(Machine *machine, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(machine->text, sizeof(machine->text), format, args);
	va_end(args);
}

void machine_explain(Machine *machine, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(machine->reason, sizeof(machine->reason), format, args);
	va_end(args);
}

/* ---- Creation ---- */

static u64 cell_bytes(unsigned cell_bits)
{
	return cell_bits <= 8 ? 1 : cell_bits <= 16 ? 2 : cell_bits <= 32 ? 4 : 8;
}

u64 machine_memory_limit(const Machine *machine)
{
	return machine->memory_limit;
}

void machine_set_memory_limit(Machine *machine, u64 bytes)
{
	machine->memory_limit = bytes;
}

u64 machine_memory_bytes(const Machine *machine)
{
	u64 total = machine_table_bytes(machine) + (machine->present << SPACE_PAGE_SHIFT);

	for (u32 i = 0; i < machine->vcpu.space_count; i++) {
		const Space *space = &machine->vcpu.spaces[i];
		u32 own = machine_private_index(machine, (u16)i);

		if (own == machine->private_count && !space->paged)
			total += space->cells << space->cell_shift;
		for (u32 n = 0; own < machine->private_count && n < machine->vcpu_count; n++)
			if (machine->vcpus[n].state != VCPU_FREE)
				total += machine_space_of(machine, n, (u16)i)->cells << space->cell_shift;
	}
	return total;
}

u64 machine_memory_used(const Machine *machine)
{
	return machine_memory_bytes(machine);
}

u64 machine_memory_most(const Machine *machine)
{
	bool grows = machine->table_count || machine->private_count;

	for (u32 i = 0; i < machine->vcpu.space_count; i++) {
		const Space *space = &machine->vcpu.spaces[i];

		grows |= space->paged || space->max_cells > space->cells;
	}
	return grows ? machine->memory_limit : machine_memory_bytes(machine);
}

/* How many cells a space starts with; `left` bytes of the limit are still free. */
static u64 initial_cells(const Machine *machine, const IsaSpace *space, u64 left)
{
	if (space->cells)
		return space->cells;
	if (space->size_name)
		return machine->size_program;
	return (left < DEFAULT_OPEN ? left : DEFAULT_OPEN) / cell_bytes(space->cell_bits);
}

static Status create_spaces(Machine *machine, DiagList *diags)
{
	const Isa *isa = machine->isa;
	u64 total = 0;

	for (u32 i = 0; i < isa->space_count; i++) {
		const IsaSpace *from = &isa->spaces[i];
		u64 unit = cell_bytes(from->cell_bits), left = machine->memory_limit - total;
		u64 cells = initial_cells(machine, from, left), max = cells;
		Status status;

		if (from->is_paged) { /* machine_init_pages */
			machine->vcpu.space_count = i + 1;
			machine->paged_space = (u16)i;
			continue;
		}
		if (cells > left / unit) {
			diag_report_file(diags, DIAG_ERROR, isa->source_name, "raise the memory limit",
					 "space '%s' of %llu cells does not fit the limit of %llu bytes", from->name,
					 (unsigned long long)cells, (unsigned long long)machine->memory_limit);
			return STATUS_TOO_BIG;
		}
		total += cells * unit;
		if (!from->wraps && (!from->cells || from->grow)) {
			max = machine->memory_limit / unit;
			if (max > ((u64)1 << OPEN_BITS) / unit)
				max = ((u64)1 << OPEN_BITS) / unit;
			if (from->addr_bits < 64 && max > (u64)1 << from->addr_bits)
				max = (u64)1 << from->addr_bits;
			if (max < cells)
				max = cells;
		}
		if (!max)
			max = 1;
		status = space_init(&machine->vcpu.spaces[i], from->name, from->cell_bits, cells, max, from->wraps,
				    from->big);
		if (status) {
			diag_report_file(diags, DIAG_ERROR, isa->source_name, NULL, "space '%s': %s", from->name,
					 status_text(status));
			return status;
		}
		machine->vcpu.space_count = i + 1;
		machine->first_cells[i] = cells;
	}
	return STATUS_OK;
}

static Status create_slots(Machine *machine, DiagList *diags)
{
	const Isa *isa = machine->isa;
	unsigned key_bits = 0;

	for (u32 r = 0; r < isa->reg_count; r++) {
		const IsaReg *reg = &isa->regs[r];

		if (reg->slot > isa->slot_count || reg->count > isa->slot_count - reg->slot)
			return STATUS_INVALID;
		for (u32 i = 0; i < reg->count; i++) {
			bool fixed = reg->const_mask && reg->const_mask[i];

			machine->slot_mask[reg->slot + i] = fixed ? 0 : bits_mask(reg->width);
			machine->slot_reset[reg->slot + i] =
				bits_trunc(fixed ? reg->const_values[i] : reg->reset, reg->width);
			if (reg->context || reg->irq) {
				machine->slot_wakes[reg->slot + i] = 1;
				machine->wake_slots[machine->wake_count++] = reg->slot + i;
			}
		}
	}
	for (u32 i = 0; i < isa->context_count; i++) {
		const IsaReg *reg = &isa->regs[isa->context_regs[i]];

		for (u32 k = 0; k < reg->count; k++) {
			if (key_bits + reg->width > 64) {
				diag_report_file(diags, DIAG_ERROR, isa->source_name, NULL,
						 "the registers marked `context` have more than 64 bits together");
				return STATUS_UNSUPPORTED;
			}
			machine->context_slots[machine->context_count] = reg->slot + k;
			machine->context_shifts[machine->context_count++] = (u8)key_bits;
			key_bits += reg->width;
		}
	}
	if (machine->context_count == 1)
		machine->env.context_slot = machine->context_slots[0];
	return STATUS_OK;
}

/* The list of what happens between two instructions; see machine_private.h. */
static void create_steps(Machine *machine)
{
	const Isa *isa = machine->isa;
	u32 count = 0;
	bool every = false, interrupts = false;

	for (u32 i = 0; i < isa->handler_count; i++) {
		if (isa->handlers[i].kind == ISA_EVERY && isa->handlers[i].every) {
			machine->steps[count++] = (Step){ STEP_EVERY, i };
			every = true;
		}
		interrupts |= isa->handlers[i].kind == ISA_INTERRUPT;
	}
	if (every && isa->display)
		machine->steps[count++] = (Step){ STEP_FRAME, 0 };
	machine->own_step = count;
	for (u32 i = 0; i < isa->handler_count; i++)
		if (isa->handlers[i].kind == ISA_EVENT)
			machine->steps[count++] = (Step){ STEP_EVENT, i };
	if (interrupts)
		machine->steps[count++] = (Step){ STEP_INTERRUPTS, 0 };
	machine->step_count = count;
}

static u32 find_handler(const Isa *isa, IsaHandlerKind kind)
{
	for (u32 i = 0; i < isa->handler_count; i++)
		if (isa->handlers[i].kind == kind)
			return i;
	return NO_HANDLER;
}

static bool allocate(Machine *machine)
{
	const Isa *isa = machine->isa;
	size_t slots = isa->slot_count ? isa->slot_count : 1;

	machine->saved_slots = calloc(slots, sizeof(u64));
	machine->slot_mask = calloc(slots, sizeof(u64));
	machine->slot_reset = calloc(slots, sizeof(u64));
	machine->slot_wakes = calloc(slots, 1);
	machine->wake_slots = calloc(slots, sizeof(u32));
	machine->vcpu.spaces = calloc(isa->space_count + 1, sizeof(Space));
	machine->first_cells = calloc(isa->space_count + 1, sizeof(u64));
	machine->handlers = calloc(isa->handler_count + 1, sizeof(LiftedHandler));
	machine->views = calloc(isa->view_count + 1, sizeof(LiftedView));
	machine->hosts = calloc(isa->host_count + 1, sizeof(HostFunction));
	machine->host_needs = calloc(isa->host_count + 1, 1);
	machine->host_outside = calloc(isa->host_count + 1, sizeof(bool));
	machine->rights = MAY_ALL;
	machine->services = calloc(isa->host_count + 1, sizeof *machine->services);
	machine->steps = calloc(isa->handler_count + 2, sizeof(Step));
	machine->tables = calloc(isa->table_count + 1, sizeof(MachineTable));
	machine->table_count = machine->tables ? isa->table_count : 0;
	if (machine->guest)
		machine->private_size = machine->guest->private_size;
	machine->private_bytes = calloc(1, machine->private_size + 1);
	return machine->saved_slots && machine->slot_mask && machine->slot_reset && machine->slot_wakes &&
	       machine->wake_slots && machine->vcpu.spaces && machine->first_cells && machine->handlers &&
	       machine->views && machine->hosts && machine->host_needs && machine->host_outside &&
	       machine->services && machine->tables && machine->steps && machine->private_bytes;
}

void machine_fill_inits(const Machine *machine, u16 number, Space *space)
{
	const Isa *isa = machine->isa;

	for (u32 i = 0; i < isa->init_count; i++)
		for (u32 k = 0; isa->inits[i].space == number && k < isa->inits[i].count; k++)
			space_poke(space, isa->inits[i].address + k, isa->inits[i].values[k]);
}

static void fill_inits(Machine *machine)
{
	for (u32 i = 0; i < machine->isa->space_count; i++)
		machine_fill_inits(machine, (u16)i, &machine->vcpu.spaces[i]);
}

Status machine_create(const MachineConfig *config, Machine **out, DiagList *diags)
{
	const Isa *isa = config->isa;
	Machine *machine = calloc(1, sizeof(*machine));
	Status status;

	*out = NULL;
	if (!machine)
		return STATUS_NOMEM;
	machine->isa = isa;
	machine->guest = config->guest;
	machine->memory_limit = config->memory_limit ? config->memory_limit : DEFAULT_MEMORY;
	machine->size_program = config->size_program ? config->size_program : DEFAULT_PROGRAM;
	machine->random_seed = config->random_seed;
	machine->paged_space = ISA_NONE;
	machine->host_rights = config->host_rights;
	machine->user = config->user;
	machine->disk_limit = config->disk_limit;
	machine->folders = config->folders;
	if (machine->folders)
		machine->folders->ref(machine->folders->ctx);
	machine->ops = config->engine ? config->engine : &interp_engine;
	machine->env = (EngineEnv){ .ctx = machine, .translate = machine_env_translate, .context = machine_env_context,
				    .read = machine_env_read, .write = machine_env_write, .host = machine_env_host, .host_done = machine_env_host_done,
				    .code_changed = machine_env_code_changed, .code_space = isa->code_space, .code_key = isa->hash, .space_count = isa->space_count,
				    .code_bytes = &machine->code_bytes, .drop_code = machine_env_drop_code,
				    .flags_slot = isa_flags_slot(isa), .return_zeros = ~isa->return_bits, .pins = isa->pins, .pin_count = isa->pin_count,
				    .cold = &interp_engine, .options = config->engine_options, .slow = machine->slow,
				    .no_context = !isa->context_count };
	arena_init(&machine->arena);
	buf_init(&machine->output);
	buf_init(&machine->packing);
	if (machine_init_vcpus(machine, config) || !allocate(machine) || !buf_reserve(&machine->output, MACHINE_OUTPUT_CHUNK)) { /* output is never lost */
		machine_destroy(machine);
		return STATUS_NOMEM;
	}
	machine->env.services = machine->services;
	machine->env.service_count = isa->host_count;
	machine->vcpu.host_slow = true;
	machine->vcpu.slot_count = isa->slot_count;
	status = create_slots(machine, diags);
	if (!status)
		status = create_spaces(machine, diags);
	if (!status)
		status = machine_bind_hosts(machine, config, diags);
	if (!status) {
		machine->on_illegal = find_handler(isa, ISA_ON_ILLEGAL);
		machine->on_raise = find_handler(isa, ISA_ON_RAISE);
		machine->on_fault = find_handler(isa, ISA_ON_FAULT);
		machine->on_reset = find_handler(isa, ISA_ON_RESET);
		create_steps(machine);
		if (machine->ops->store_create)
			machine->env.store = machine->ops->store_create();
		if (machine->paged_space == ISA_NONE) {
			machine->engine = machine->ops->create(&machine->env);
			status = machine->engine ? STATUS_OK : STATUS_NOMEM;
		} else {
			machine->env.has_code = machine_env_has_code;
			machine->env.walk = isa_can_walk(machine->isa) ? machine_env_walk : NULL;
			status = machine_init_pages(machine, config->address_bits);
		}
	}
	if (status) {
		machine_destroy(machine);
		return status;
	}
	for (u32 i = 0; i < isa->space_count; i++)
		machine_mark_space(machine, (u16)i);
	fill_inits(machine);
	machine->rng.state = machine->random_seed;
	memcpy(machine->vcpu.slots, machine->slot_reset, isa->slot_count * sizeof(u64));
	machine->created = true;
	*out = machine;
	return STATUS_OK;
}

const Engine *machine_engine(const Machine *machine)
{
	return machine->engine;
}

void machine_destroy(Machine *machine)
{
	if (!machine)
		return;
	if (machine->created && machine->guest && machine->guest->fini)
		machine->guest->fini(machine);
	if (machine->engine && machine->paged_space == ISA_NONE)
		machine->ops->destroy(machine->engine);
	machine_fini_handles(machine);
	machine_fini_pages(machine);
	if (machine->env.store)
		machine->ops->store_destroy(machine->env.store);
	machine_fini_vcpus(machine);
	for (u32 i = 0; i < machine->vcpu.space_count; i++)
		space_fini(&machine->vcpu.spaces[i]);
	for (u32 i = 0; i < machine->table_count; i++)
		free(machine->tables[i].cells);
	free(machine->tables);
	machine_log_truncate(machine, 0);
	arena_fini(&machine->arena);
	buf_fini(&machine->output);
	buf_fini(&machine->packing);
	free(machine->vcpu.spaces);
	free(machine->first_cells);
	free(machine->saved_slots);
	free(machine->slot_mask);
	free(machine->slot_reset);
	free(machine->slot_wakes);
	free(machine->wake_slots);
	free(machine->event_slots);
	free(machine->handlers);
	free(machine->views);
	free(machine->hosts);
	free(machine->host_needs);
	free(machine->services);
	for (u32 i = 0; i < MACHINE_CALLS; i++)
		machine_free_slots(machine->call_slots[i]);
	free(machine->host_outside);
	free(machine->steps);
	free(machine->private_bytes);
	free(machine->input);
	free(machine->breaks);
	free(machine->watches);
	machine_unmap_windows(machine);
	free(machine->log);
	free(machine);
}

/* ---- Reset ---- */

static void run_on_reset(Machine *machine)
{
	IrFunc *func = machine_handler(machine, machine->on_reset, false);
	u64 result;
	bool jumped;

	if (!func) {
		machine->failure = (MachineStop){ .kind = STOP_ERROR, .status = STATUS_NOMEM };
		return;
	}
	if (machine_eval(machine, func, NULL, &result, &jumped) == ACCESS_OK &&
	    machine->vcpu.pending.kind != EXIT_STOP) {
		machine->vcpu.pending.kind = EXIT_BUDGET;
		return;
	}
	if (machine->vcpu.pending.kind == EXIT_STOP)
		machine->vcpu.exit = machine->vcpu.pending;
	machine->failure = (MachineStop){ .kind = machine->vcpu.exit.kind == EXIT_STOP ? STOP_HALT : STOP_TRAP,
					  .pc = machine->vcpu.slots[0], .code = machine->vcpu.exit.value };
	machine->vcpu.pending.kind = EXIT_BUDGET;
}

void machine_reset(Machine *machine, bool keep_memory)
{
	const Isa *isa = machine->isa;

	machine_close_handles(machine);
	machine_reset_vcpus(machine);
	machine_reset_pages(machine, keep_memory);
	if (!keep_memory)
		for (u32 i = 0; i < isa->space_count; i++) {
			if (machine->vcpu.spaces[i].paged)
				continue;
			space_clear(&machine->vcpu.spaces[i]);
			if (!machine->vcpu.spaces[i].wraps)
				space_resize(&machine->vcpu.spaces[i], machine->first_cells[i]);
			machine_mark_space(machine, (u16)i);
		}
	if (!keep_memory) {
		for (u32 i = 0; i < machine->table_count; i++)
			machine_table_resize(machine, (u16)i, 0);
		fill_inits(machine);
	}
	machine_flush_engines(machine);
	memcpy(machine->vcpu.slots, machine->slot_reset, isa->slot_count * sizeof(u64));
	machine->vcpu.icount = 0;
	machine->vcpu.pending.kind = EXIT_BUDGET;
	machine->vcpu.event_pending = false;
	machine->phase = 0;
	machine->stirred = false;
	machine->skip_break = false;
	machine->interrupts = 0;
	machine->rng.state = machine->random_seed;
	machine->failure.kind = STOP_BUDGET;
	machine_clear_console(machine);
	machine_log_truncate(machine, 0);
	if (machine->guest && machine->guest->reset)
		machine->guest->reset(machine);
	if (machine->on_reset != NO_HANDLER)
		run_on_reset(machine);
	machine->vcpu.event_pending = false;
}

/* ---- Handlers of the description ---- */

IrFunc *machine_handler(Machine *machine, u32 index, bool when)
{
	LiftedHandler *lifted = &machine->handlers[index];
	IrFunc **place = when ? &lifted->when : &lifted->body;
	IrFunc *func = NULL;

	if (*place)
		return *place;
	if (isa_lift_handler(machine->isa, &machine->isa->handlers[index], when, &machine->arena, &func) || !func ||
	    func->failed) {
		machine->arena.failed = false; /* there may be memory next time */
		return NULL;
	}
	*place = func;
	return func;
}

/* Which registers event handlers write: reading one of them is a look at the keyboard. */
static bool find_event_slots(Machine *machine)
{
	const Isa *isa = machine->isa;
	u8 *slots;

	if (machine->event_slots)
		return true;
	slots = calloc(isa->slot_count + 1, 1);
	if (!slots)
		return false;
	for (u32 i = 0; i < isa->handler_count; i++) {
		IrFunc *func;

		if (isa->handlers[i].kind != ISA_EVENT)
			continue;
		func = machine_handler(machine, i, false);
		for (u32 k = 0; func && k < func->ins_count; k++)
			if (func->ins[k].op == IR_OP_PUT)
				slots[func->ins[k].aux] = 1;
	}
	machine->event_slots = slots;
	return true;
}

void machine_analyse(Machine *machine, u32 index)
{
	LiftedHandler *lifted = &machine->handlers[index];
	const IrFunc *func = lifted->body;

	if (lifted->analysed || !func || !find_event_slots(machine))
		return;
	for (u32 i = 0; i < func->ins_count; i++) {
		const IrIns *ins = &func->ins[i];

		lifted->wakes |= ins->op == IR_OP_HOST && !machine_host_is_quiet(machine, ins->aux);
		lifted->stirs |= ins->op == IR_OP_PUT && machine->slot_wakes[ins->aux];
		if (ins->op == IR_OP_GET && machine->event_slots[ins->aux] &&
		    machine->isa->handlers[index].kind == ISA_ON_READ)
			lifted->polls = true;
	}
	lifted->analysed = true;
}

void machine_save_slots(Machine *machine)
{
	memcpy(machine->saved_slots, machine->vcpu.slots, machine->vcpu.slot_count * sizeof(u64));
}

void machine_restore_slots(Machine *machine)
{
	memcpy(machine->vcpu.slots, machine->saved_slots, machine->vcpu.slot_count * sizeof(u64));
}

/* ---- State ---- */

const Isa *machine_isa(const Machine *machine)
{
	return machine->isa;
}

const Guest *machine_guest(const Machine *machine)
{
	return machine->guest;
}

void machine_set_user(Machine *machine, void *user)
{
	machine->user = user;
}

void *machine_private(Machine *machine)
{
	return machine->private_bytes;
}

u64 machine_icount(const Machine *machine)
{
	return machine->vcpu.icount;
}

u64 machine_slot(const Machine *machine, u32 slot)
{
	return slot < machine->vcpu.slot_count ? machine->vcpu.slots[slot] : 0;
}

void machine_get_slots(const Machine *machine, const u32 *slots, u32 count, u64 *values)
{
	for (u32 i = 0; i < count; i++)
		values[i] = slots[i] < machine->vcpu.slot_count ? machine->vcpu.slots[slots[i]] : 0;
}

/* That of a vCPU which is shown, but for what the pc means. */
void machine_set_slot(Machine *machine, u32 slot, u64 value)
{
	if (UNLIKELY(slot == 0))
		machine_vcpu_set_slot(machine, machine->shown, slot, value);
	else if (slot < machine->vcpu.slot_count && machine->slot_mask[slot])
		machine_put_slot(machine, slot, value & machine->slot_mask[slot]);
}

u64 machine_pc(const Machine *machine)
{
	return machine_slot(machine, 0);
}

void machine_set_pc(Machine *machine, u64 pc)
{
	machine_set_slot(machine, 0, pc);
}

static IrFunc *lift_view(Machine *machine, u16 view, bool set)
{
	IrFunc **place = set ? &machine->views[view].set : &machine->views[view].get, *func = NULL;

	if (*place)
		return *place;
	if (isa_lift_view(machine->isa, &machine->isa->views[view], set, &machine->arena, &func) || !func || func->failed) {
		machine->arena.failed = false;
		return NULL;
	}
	*place = func;
	return func;
}

u64 machine_view(Machine *machine, u16 view)
{
	IrFunc *func;
	u64 result = 0;
	bool jumped;

	if (view >= machine->isa->view_count)
		return 0;
	func = lift_view(machine, view, false);
	if (!func || machine_eval(machine, func, NULL, &result, &jumped) != ACCESS_OK)
		return 0;
	return bits_trunc(result, machine->isa->views[view].width);
}

Status machine_set_view(Machine *machine, u16 view, u64 value)
{
	IrFunc *func;
	u64 result;
	bool jumped;

	if (view >= machine->isa->view_count)
		return STATUS_NOT_FOUND;
	if (!machine->isa->views[view].set)
		return STATUS_UNSUPPORTED;
	func = lift_view(machine, view, true);
	if (!func)
		return STATUS_NOMEM;
	value = bits_trunc(value, machine->isa->views[view].width);
	machine->stirred = true;
	if (machine_eval(machine, func, &value, &result, &jumped) == ACCESS_OK)
		return STATUS_OK;
	return machine->vcpu.exit.kind == EXIT_ERROR ? machine->vcpu.exit.status : STATUS_INVALID;
}

/* ---- Display and figures ---- */

bool machine_display(const Machine *machine, u32 *width, u32 *height)
{
	const IsaDisplay *display = machine->isa->display;

	if (!display)
		return false;
	*width = display->width;
	*height = display->height;
	return true;
}

u64 machine_display_cell(const Machine *machine, u32 x, u32 y)
{
	const IsaDisplay *display = machine->isa->display;
	u64 value = 0;

	if (!display || x >= display->width || y >= display->height)
		return 0;
	space_peek(&machine->vcpu.spaces[display->space], (u64)y * display->width + x, &value);
	return value;
}

void machine_stats(const Machine *machine, MachineStats *out)
{
	*out = (MachineStats){ .icount = machine->vcpu.icount, .output_bytes = machine->output_total,
			       .input_bytes = machine->input_total, .interrupts = machine->interrupts,
			       .memory_bytes = machine_memory_bytes(machine), .key_polls = machine->key_polls };
	out->memory_most = out->memory_bytes;
	if (machine->present_most > machine->present)
		out->memory_most += (machine->present_most - machine->present) << SPACE_PAGE_SHIFT;
	machine->ops->stats(machine->engine, &out->blocks, &out->translated);
	out->blocks += machine->past_blocks;
	out->translated += machine->past_translated;
	for (u32 n = 0; n < machine->aspace_count; n++) {
		u64 blocks, translated;

		if (n == machine->mapped || !machine->aspaces[n].engine)
			continue;
		machine->ops->stats(machine->aspaces[n].engine, &blocks, &translated);
		out->blocks += blocks;
		out->translated += translated;
	}
}

void machine_engine_stats(const Machine *machine, EngineStats *out)
{
	*out = machine->past;
	if (!machine->ops->count)
		return;
	if (machine->paged_space == ISA_NONE)
		machine->ops->count(machine->engine, out);
	for (u32 n = 0; n < machine->aspace_count; n++)
		if (machine->aspaces[n].engine)
			machine->ops->count(machine->aspaces[n].engine, out);
}
