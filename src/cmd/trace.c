/* SPDX-License-Identifier: MIT */
#include "cmd/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/say.h"

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
	if (*path && strcmp(path, "-") != 0) {
		trace->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		trace->owns_fd = true;
	}
	if (trace->fd < 0) {
		say_error("cannot write %s: %s", path, strerror(errno));
		return EXIT_HUSK;
	}
	trace->slots = calloc(isa->slot_count, sizeof *trace->slots);
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

/* count, address, cells, instruction: of what is about to run. */
static void describe(const Trace *trace, u64 count, u64 pc, const IsaDecoded *decoded, Buf *out)
{
	const Isa *isa = trace->loaded->isa;
	const IsaSpace *code = &isa->spaces[isa->code_space];
	DisOptions how = {.dialect = trace->loaded->dialect, .symbol = symbol_at,
			  .ctx = (void *)(uintptr_t)trace->loaded};
	size_t start;

	buf_printf(out, "%10llu  ", (unsigned long long)count);
	hex(trace, pc, code->addr_bits, out);
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

	for (u64 at = first; at <= address + AROUND; at++) {
		u64 value;

		if (at == address)
			show_cell(trace, space, at);
		else if (at < trace->counts[space] && machine_read(trace->loaded->machine, space, at, &value) == 0 &&
			 value != trace->copies[space][at])
			show_cell(trace, space, at);
	}
}

static void show_registers(Trace *trace)
{
	const Isa *isa = trace->loaded->isa;

	for (u32 r = 0; r < isa->reg_count; r++) {
		const IsaReg *reg = &isa->regs[r];

		if (r == isa->pc_reg || r == isa->cycles_reg)
			continue;
		for (u32 i = 0; i < reg->count; i++) {
			u64 value = machine_slot(trace->loaded->machine, reg->slot + i);

			if (value == trace->slots[reg->slot + i])
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
static void show_between(Trace *trace, size_t line, u64 count, bool interrupt, const MachineStop *stop)
{
	size_t start, changes;

	trace->out.len = line;
	buf_printf(&trace->out, "%10llu  ", (unsigned long long)count);
	start = trace->out.len;
	buf_str(&trace->out, interrupt ? "-- interrupt" : "-- event");
	pad(&trace->out, start, BETWEEN_WIDTH);
	changes = trace->out.len;
	show_registers(trace);
	if (stop->kind == STOP_WATCH)
		show_write(trace, stop->space, stop->address);
	if (trace->out.len > changes) {
		end_line(trace, line);
	} else {
		trace->out.len = line;
		trace->out.data[line] = '\0';
	}
}

MachineStop trace_run(Trace *trace, u64 max_insns)
{
	Machine *machine = trace->loaded->machine;
	const Isa *isa = trace->loaded->isa;
	MachineStop stop = {.kind = STOP_BUDGET, .pc = machine_pc(machine)};

	for (u64 done = 0; done < max_insns && !trace->out.failed; done++) {
		u64 count = machine_icount(machine), pc = machine_pc(machine);
		size_t line = trace->out.len;
		MachineStats before, after;
		IsaDecoded decoded;

		for (u32 i = 0; i < isa->slot_count; i++)
			trace->slots[i] = machine_slot(machine, i);
		machine_stats(machine, &before);
		machine_decode(machine, pc, &decoded);
		describe(trace, count, pc, &decoded, &trace->out);
		stop = machine_run(machine, 1);
		machine_stats(machine, &after);
		if (machine_icount(machine) == count) {
			show_between(trace, line, count, after.interrupts != before.interrupts, &stop);
			if (stop.kind != STOP_BUDGET && stop.kind != STOP_WATCH)
				return stop;
			continue;
		}
		show_registers(trace);
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
