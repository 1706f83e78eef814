/* SPDX-License-Identifier: MIT */
#include "cmd/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/say.h"
#include "machine/pages.h"
#include "machine/vcpus.h"

enum {
	COPY_LIMIT = 1 << 20, /* cells of a space that is copied */
	AROUND = 8,           /* cells compared on both sides of a write */
	FLUSH_AT = 1 << 16,
	BETWEEN_WIDTH = 49,   /* to the column of changes, for cells of 16 bits */
};

static u64 *copy_space(const Machine *machine, u16 space, u64 count)
{
	u64 *copy = malloc(count * sizeof *copy);

	for (u64 i = 0; copy && i < count; i++)
		machine_read(machine, space, i, &copy[i]);
	return copy;
}

int trace_open(Trace *trace, const Loaded *loaded, const char *path)
{
	const Isa *isa = loaded->isa;

	*trace = (Trace){.loaded = loaded, .fd = STDERR_FILENO, .path = path};
	buf_init(&trace->out);
	if (loaded->guest && loaded->guest->trace && strcmp(path, loaded->guest->trace->name) == 0) {
		trace->own = loaded->guest->trace;
		return 0;
	}
	if (*path && strcmp(path, "-") != 0) {
		trace->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		trace->owns_fd = true;
	}
	if (trace->fd < 0) {
		say_error("cannot write %s: %s", path, strerror(errno));
		return EXIT_HUSK;
	}
	trace->slots = calloc(isa->slot_count, sizeof *trace->slots);
	trace->vcpu_room = 1;
	trace->copies = calloc(isa->space_count, sizeof *trace->copies);
	trace->counts = calloc(isa->space_count, sizeof *trace->counts);
	if (!trace->slots || !trace->copies || !trace->counts) {
		say_error("out of memory");
		return EXIT_HUSK;
	}
	for (u16 s = 0; s < isa->space_count; s++) {
		u64 count = machine_cells(loaded->machine, s);

		if (count && count <= COPY_LIMIT)
			trace->copies[s] = copy_space(loaded->machine, s, count);
		if (trace->copies[s])
			trace->counts[s] = count;
		if (count)
			machine_watch_set(loaded->machine, s, 0, count, false, true, true);
	}
	return 0;
}

void trace_flush(Trace *trace)
{
	if (trace->out.len && !trace->error && !say_write(trace->fd, trace->out.data, trace->out.len))
		trace->error = errno;
	buf_clear(&trace->out);
}

int trace_close(Trace *trace)
{
	int code = 0;

	if (!trace->loaded)
		return 0;
	if (trace->fd >= 0)
		trace_flush(trace);
	if (trace->owns_fd && trace->fd >= 0 && close(trace->fd) < 0 && !trace->error)
		trace->error = errno;
	if (trace->error && trace->owns_fd) {
		say_error("cannot write %s: %s", trace->path, strerror(trace->error));
		code = EXIT_HUSK;
	}
	for (u32 s = 0; trace->copies && s < trace->loaded->isa->space_count; s++)
		free(trace->copies[s]);
	free(trace->copies);
	free(trace->counts);
	free(trace->slots);
	buf_fini(&trace->out);
	*trace = (Trace){0};
	return code;
}

static void hex(const Trace *trace, u64 value, unsigned bits, Buf *out)
{
	load_hex(trace->loaded->isa, trace->loaded->dialect, value, bits, out);
}

static void pad(Buf *out, size_t start, size_t width)
{
	size_t used = out->len - start;

	buf_fill(out, ' ', used < width ? width - used : 1);
}

static const char *symbol_at(void *ctx, u16 space, u64 address)
{
	return load_symbol_at(ctx, space, address);
}

/* count, and which vCPU when there are several. */
static void begin_line(const Trace *trace, u64 count, u32 vcpu, Buf *out)
{
	buf_printf(out, "%10llu  ", (unsigned long long)count);
	if (machine_vcpu_count(trace->loaded->machine) > 1)
		buf_printf(out, "#%-2u ", vcpu);
}

/* count, address, cells, instruction: of what is about to run. */
static void describe(const Trace *trace, u64 count, u32 vcpu, u64 pc, const IsaDecoded *decoded, Buf *out)
{
	const Isa *isa = trace->loaded->isa;
	const IsaSpace *code = &isa->spaces[isa->code_space];
	DisOptions how = {.dialect = trace->loaded->dialect, .symbol = symbol_at,
			  .ctx = (void *)(uintptr_t)trace->loaded};
	size_t start;

	begin_line(trace, count, vcpu, out);
	hex(trace, pc, isa->pc_width < code->addr_bits ? isa->pc_width : code->addr_bits, out);
	buf_str(out, "  ");
	start = out->len;
	for (u32 i = 0; i < decoded->cells && i < 8; i++) {
		u64 cell = 0;

		machine_read(trace->loaded->machine, isa->code_space, pc + i, &cell);
		buf_printf(out, "%s%0*llX", i ? " " : "", (code->cell_bits + 3) / 4, (unsigned long long)cell);
	}
	pad(out, start, (size_t)(isa->max_bits / code->cell_bits < 4 ? 12 : 24));
	start = out->len;
	if (decoded->fetch_failed)
		buf_str(out, "(no memory)");
	else
		dis_instruction(isa, &how, pc, decoded, out);
	pad(out, start, 30);
}

static void show_cell(Trace *trace, u16 space, u64 address)
{
	const IsaSpace *s = &trace->loaded->isa->spaces[space];
	u64 value;

	if (machine_read(trace->loaded->machine, space, address, &value))
		return;
	if (address < trace->counts[space])
		trace->copies[space][address] = value;
	buf_printf(&trace->out, " %s[", s->name);
	hex(trace, address, s->addr_bits, &trace->out);
	buf_str(&trace->out, "]=");
	hex(trace, value, s->cell_bits, &trace->out);
}

static void show_write(Trace *trace, u16 space, u64 address)
{
	u64 first = address < AROUND ? 0 : address - AROUND;

	if (trace->loaded->isa->spaces[space].is_private && machine_vcpu_count(trace->loaded->machine) > 1) {
		show_cell(trace, space, address); /* the copy is of no one's memory */
		return;
	}
	for (u64 at = first; at <= address + AROUND; at++) {
		u64 value;

		if (at == address)
			show_cell(trace, space, at);
		else if (at < trace->counts[space] && machine_read(trace->loaded->machine, space, at, &value) == 0 &&
			 value != trace->copies[space][at])
			show_cell(trace, space, at);
	}
}

static void show_registers(Trace *trace, u32 vcpu)
{
	const Isa *isa = trace->loaded->isa;
	const u64 *before = trace->slots + (size_t)vcpu * isa->slot_count;

	for (u32 r = 0; r < isa->reg_count; r++) {
		const IsaReg *reg = &isa->regs[r];

		if (r == isa->pc_reg || r == isa->cycles_reg)
			continue;
		for (u32 i = 0; i < reg->count; i++) {
			u64 value = machine_vcpu_slot(trace->loaded->machine, vcpu, reg->slot + i);

			if (value == before[reg->slot + i])
				continue;
			buf_printf(&trace->out, " %s=", isa_slot_name(isa, reg->slot + i));
			hex(trace, value, reg->width, &trace->out);
		}
	}
}

/* Ends the line that began at `line`, without blanks at its end. */
static void end_line(Trace *trace, size_t line)
{
	while (trace->out.len > line && trace->out.data[trace->out.len - 1] == ' ')
		trace->out.len--;
	buf_byte(&trace->out, '\n');
	if (trace->out.len >= FLUSH_AT)
		trace_flush(trace);
}

/* What happened between two instructions, when it changed something: an event, an interrupt, a timer's work. */
static void show_between(Trace *trace, size_t line, u64 count, u32 vcpu, bool interrupt, const MachineStop *stop)
{
	size_t start, changes;

	trace->out.len = line;
	begin_line(trace, count, vcpu, &trace->out);
	start = trace->out.len;
	buf_str(&trace->out, interrupt ? "-- interrupt" : "-- event");
	pad(&trace->out, start, BETWEEN_WIDTH);
	changes = trace->out.len;
	show_registers(trace, vcpu);
	if (stop->kind == STOP_WATCH)
		show_write(trace, stop->space, stop->address);
	if (trace->out.len > changes) {
		end_line(trace, line);
	} else {
		trace->out.len = line;
		trace->out.data[line] = '\0';
	}
}

/* The registers of all vCPUs as they are now. */
static bool note_slots(Trace *trace)
{
	const Machine *machine = trace->loaded->machine;
	u32 count = machine_vcpu_count(machine), slots = trace->loaded->isa->slot_count;

	if (count > trace->vcpu_room) {
		u64 *grown = realloc(trace->slots, (size_t)count * slots * sizeof *grown);

		if (!grown)
			return false;
		trace->slots = grown;
		trace->vcpu_room = count;
	}
	for (u32 n = 0; n < count; n++)
		for (u32 i = 0; i < slots; i++)
			trace->slots[(size_t)n * slots + i] = machine_vcpu_slot(machine, n, i);
	return true;
}

/* The line of what vCPU `vcpu` does, or has done, at the pc it had before. */
static void describe_vcpu(Trace *trace, u64 count, u32 vcpu)
{
	u64 pc = trace->slots[(size_t)vcpu * trace->loaded->isa->slot_count];
	IsaDecoded decoded;
	u64 got;

	if (machine_paged_space(trace->loaded->machine) == trace->loaded->isa->code_space) /* else it may be absent still */
		machine_span(trace->loaded->machine, machine_aspace(trace->loaded->machine), pc, 2, ATTR_EXEC, &got);
	machine_decode(trace->loaded->machine, pc, &decoded);
	describe(trace, count, vcpu, pc, &decoded, &trace->out);
}

/* The end of a trace may be text on the console: running for no instruction brings it out. */
static void end_own(Trace *trace, const MachineStop *stop)
{
	trace->own->end(trace->loaded->machine, stop, &trace->out);
	machine_run(trace->loaded->machine, 0);
}

/* The guest's own trace. An instruction that has to wait is begun once. */
static MachineStop run_own(Trace *trace, u64 max_insns)
{
	Machine *machine = trace->loaded->machine;
	MachineStop stop = {.kind = STOP_BUDGET, .pc = machine_pc(machine)};

	for (u64 done = 0; done < max_insns && stop.kind == STOP_BUDGET && !trace->out.failed; done++) {
		u64 count = machine_icount(machine);

		if (!trace->begun)
			trace->own->before(machine, &trace->out);
		stop = machine_run(machine, 1);
		trace->begun = machine_icount(machine) == count;
		if (stop.kind == STOP_BUDGET && trace->begun)
			continue;
		if (stop.kind == STOP_BUDGET)
			trace->own->after(machine, &trace->out);
		else if (stop.kind != STOP_WAIT && stop.kind != STOP_SLEEP && stop.kind != STOP_FRAME)
			end_own(trace, &stop);
		if (trace->out.len >= FLUSH_AT)
			trace_flush(trace);
	}
	return stop;
}

MachineStop trace_run(Trace *trace, u64 max_insns)
{
	Machine *machine = trace->loaded->machine;
	MachineStop stop = {.kind = STOP_BUDGET, .pc = machine_pc(machine)};

	if (trace->own)
		return run_own(trace, max_insns);
	for (u64 done = 0; done < max_insns && !trace->out.failed; done++) {
		u64 count = machine_icount(machine), own;
		u32 vcpu = machine_vcpu_next(machine), ran;
		size_t line = trace->out.len;
		MachineStats before, after;

		if (vcpu == VCPU_NONE)
			vcpu = machine_vcpu_running(machine);
		if (!note_slots(trace))
			break;
		own = machine_vcpu_icount(machine, vcpu);
		machine_stats(machine, &before);
		describe_vcpu(trace, count, vcpu);
		stop = machine_run(machine, 1);
		machine_stats(machine, &after);
		if (machine_icount(machine) == count) {
			show_between(trace, line, count, vcpu, after.interrupts != before.interrupts, &stop);
			if (stop.kind != STOP_BUDGET && stop.kind != STOP_WATCH)
				return stop;
			continue;
		}
		ran = machine_vcpu_running(machine);
		if (ran != vcpu && machine_vcpu_icount(machine, vcpu) == own && ran < trace->vcpu_room) {
			buf_str(&trace->out, " (waits)"); /* and somebody else had the turn */
			end_line(trace, line);
			line = trace->out.len;
			vcpu = ran;
			describe_vcpu(trace, count, vcpu);
		}
		show_registers(trace, vcpu);
		if (stop.kind == STOP_WATCH)
			show_write(trace, stop.space, stop.address);
		if (after.interrupts != before.interrupts)
			buf_str(&trace->out, " (interrupt)");
		end_line(trace, line);
		if (stop.kind != STOP_BUDGET && stop.kind != STOP_WATCH)
			return stop;
	}
	stop.kind = STOP_BUDGET;
	return stop;
}
