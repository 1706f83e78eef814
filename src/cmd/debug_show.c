/* SPDX-License-Identifier: MIT
 *
 * What the debugger shows: places, values, registers, memory, code, source, and why it stopped.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/float_text.h"
#include "cmd/debug_ui.h"
#include "cmd/say.h"

enum { LABEL_REACH = 2048, MAX_CHANGED = 24 };

#define BOLD "\033[1m"
#define CYAN "\033[36m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

static void paint(Debug *debug, const char *style)
{
	if (debug->color)
		buf_str(&debug->out, style);
}

void debug_write(Debug *debug, const void *bytes, size_t len)
{
	if (debug->lost || say_write(STDOUT_FILENO, bytes, len))
		return;
	debug->lost = errno;
	debug->quit = true;
}

void debug_flush(Debug *debug)
{
	if (!debug->out.len)
		return;
	if (debug->mid_line)
		debug_write(debug, "\n", 1);
	debug->mid_line = false;
	debug_write(debug, debug->out.data, debug->out.len);
	buf_clear(&debug->out);
}

void debug_show_hex(Debug *debug, u64 value, unsigned bits)
{
	load_hex(debug->isa, debug->loaded.dialect, value, bits, &debug->out);
}

static unsigned address_bits(const Debug *debug, u16 space)
{
	return space == debug->isa->code_space ? debug->isa->pc_width : debug->isa->spaces[space].addr_bits;
}

/* Text from a file or a name may hold anything: control characters are not sent to the terminal. */
static void show_text(Debug *debug, const char *text)
{
	for (; *text; text++)
		buf_byte(&debug->out, *text == '\t' ? ' ' : (u8)*text < 32 || *text == 127 ? '?' : (u8)*text);
}

static bool show_label(Debug *debug, u16 space, u64 address)
{
	u64 offset;
	const DebugSymbol *symbol = debug_symbols_near(&debug->symbols, space, address, LABEL_REACH, &offset);

	if (!symbol)
		return false;
	paint(debug, CYAN);
	buf_byte(&debug->out, '<');
	show_text(debug, symbol->name);
	if (offset)
		buf_printf(&debug->out, "+%" PRIu64, offset);
	buf_byte(&debug->out, '>');
	paint(debug, PLAIN);
	return true;
}

void debug_show_address(Debug *debug, u16 space, u64 address)
{
	unsigned bits = address_bits(debug, space);

	debug_show_hex(debug, bits_trunc(address, bits), bits);
	buf_byte(&debug->out, ' ');
	if (!show_label(debug, space, address))
		debug->out.len--;
}

static void show_char(Debug *debug, u64 value)
{
	if (value >= 32 && value < 127)
		buf_printf(&debug->out, "'%c'", (char)value);
	else
		buf_printf(&debug->out, "'\\x%02X'", (unsigned)(value & 0xFF));
}

static void show_binary(Debug *debug, u64 value, unsigned bits)
{
	buf_str(&debug->out, "0b");
	for (unsigned i = bits; i-- > 0;)
		buf_byte(&debug->out, (u8)('0' + (value >> i & 1)));
}

static void show_float(Debug *debug, u64 value, unsigned bits)
{
	char text[FLOAT_TEXT_MAX];

	float_print_boxed(value, bits, text);
	buf_str(&debug->out, text);
}

static unsigned bits_of(u64 value)
{
	return value ? 64 - (unsigned)__builtin_clzll(value) : 1;
}

void debug_show_value(Debug *debug, DebugValue value, char format)
{
	unsigned bits = value.width ? value.width : bits_of(value.value);
	i64 number = value.width ? bits_signed(value.value, value.width) : (i64)value.value;

	switch (format) {
	case 'x':
		debug_show_hex(debug, value.value, bits);
		return;
	case 'd':
		buf_printf(&debug->out, "%" PRId64, number);
		return;
	case 'u':
		buf_printf(&debug->out, "%" PRIu64, value.value);
		return;
	case 't':
		show_binary(debug, value.value, bits);
		return;
	case 'c':
		show_char(debug, value.value);
		return;
	case 'a':
		debug_show_address(debug, debug->isa->code_space, value.value);
		return;
	case 'f':
		show_float(debug, value.value, bits <= 32 ? 32 : 64);
		return;
	default:
		break;
	}
	if (!value.width && !value.is_address) {
		buf_printf(&debug->out, "%" PRId64 " (", number);
		debug_show_hex(debug, value.value, bits);
		buf_byte(&debug->out, ')');
		return;
	}
	if (value.is_address) {
		debug_show_address(debug, debug->isa->code_space, value.value);
		return;
	}
	debug_show_hex(debug, value.value, bits);
	if (value.is_float) {
		buf_str(&debug->out, " (");
		show_float(debug, value.value, bits);
		buf_byte(&debug->out, ')');
	} else if (bits > 1) {
		buf_printf(&debug->out, " (%" PRId64 ")", number);
	}
}

/* ---- Code and source ---- */

static const char *symbol_at(void *ctx, u16 space, u64 address)
{
	Debug *debug = ctx;
	u64 offset;
	const DebugSymbol *symbol = debug_symbols_near(&debug->symbols, space, address, 0, &offset);

	return symbol ? symbol->name : NULL;
}

static u32 disassemble(Debug *debug, u64 address, Buf *text)
{
	DisOptions options = { .dialect = debug->loaded.dialect, .symbol = symbol_at, .ctx = debug };
	IsaDecoded decoded;

	machine_decode(debug->machine, address, &decoded);
	if (decoded.fetch_failed) {
		buf_str(text, "(outside of the memory)");
		return 1;
	}
	return dis_instruction(debug->isa, &options, address, &decoded, text);
}

static bool breaks_at(const Debug *debug, u64 address)
{
	for (u32 i = 0; i < debug_point_count(debug->session); i++) {
		const DebugPoint *point = debug_point(debug->session, i);

		if (point->kind == DEBUG_POINT_BREAK && point->enabled && point->pc == address)
			return true;
	}
	return false;
}

u64 debug_show_code(Debug *debug, u64 address, u64 count)
{
	unsigned cell_bits = debug->isa->spaces[debug->isa->code_space].cell_bits, pc_width = debug->isa->pc_width;
	u32 widest = debug->isa->max_bits / cell_bits;

	address = bits_trunc(address, pc_width);
	for (u64 i = 0; i < count; i++) {
		bool here = address == machine_pc(debug->machine);
		u64 offset, cell;
		Buf text;
		u32 cells;
		const DebugSymbol *label =
			debug_symbols_near(&debug->symbols, debug->isa->code_space, address, 0, &offset);

		if (label) {
			paint(debug, CYAN);
			show_text(debug, label->name);
			paint(debug, PLAIN);
			buf_str(&debug->out, ":\n");
		}
		buf_init(&text);
		cells = disassemble(debug, address, &text);
		if (here)
			paint(debug, BOLD);
		buf_printf(&debug->out, "%s%c ", here ? "=>" : "  ", breaks_at(debug, address) ? '*' : ' ');
		debug_show_hex(debug, address, pc_width);
		buf_str(&debug->out, "  ");
		for (u32 k = 0; k < (cells > widest ? cells : widest); k++) {
			if (k < cells && machine_read(debug->machine, debug->isa->code_space, address + k, &cell) == STATUS_OK)
				buf_printf(&debug->out, "%0*" PRIX64 " ", (int)((cell_bits + 3) / 4), cell);
			else
				buf_fill(&debug->out, ' ', (cell_bits + 3) / 4 + 1);
		}
		buf_printf(&debug->out, " %s\n", buf_text(&text));
		if (here)
			paint(debug, PLAIN);
		buf_fini(&text);
		address = bits_trunc(address + cells, pc_width);
	}
	return address;
}

static const AsmSource *find_source(const Debug *debug, const char *file)
{
	for (u32 i = 0; i < debug->loaded.file_count; i++) {
		const AsmProgram *program = debug->loaded.files[i].program;

		for (u32 k = 0; program && k < program->source_count; k++)
			if (strcmp(program->sources[k].name, file) == 0)
				return &program->sources[k];
	}
	return NULL;
}

bool debug_show_source(Debug *debug, const char *file, u32 first, u32 last)
{
	const AsmSource *source = find_source(debug, file);
	const DebugLine *here =
		debug_symbols_line(&debug->symbols, debug->isa->code_space, machine_pc(debug->machine));
	size_t at = 0;
	u32 line = 1;
	bool shown = false;

	if (!source)
		return false;
	while (at < source->len && line <= last) {
		size_t end = at;

		while (end < source->len && source->text[end] != '\n' && source->text[end] != '\r')
			end++;
		if (line >= first) {
			bool is_here = here && here->line == line && strcmp(here->file, file) == 0;

			if (is_here)
				paint(debug, BOLD);
			buf_printf(&debug->out, "%s %5u  ", is_here ? "=>" : "  ", line);
			for (size_t i = at; i < end; i++)
				buf_byte(&debug->out, source->text[i] == '\t' ? '\t' : (u8)source->text[i] < 32 ? '?'
												 : (u8)source->text[i]);
			if (is_here)
				paint(debug, PLAIN);
			buf_byte(&debug->out, '\n');
			shown = true;
		}
		if (end + 1 < source->len && source->text[end] == '\r' && source->text[end + 1] == '\n')
			end++;
		at = end + 1;
		line++;
	}
	return shown;
}

void debug_show_place(Debug *debug)
{
	u64 pc = machine_pc(debug->machine);
	const DebugLine *line = debug_symbols_line(&debug->symbols, debug->isa->code_space, pc);
	Buf text;

	buf_init(&text);
	disassemble(debug, pc, &text);
	paint(debug, BOLD);
	buf_str(&debug->out, "=> ");
	paint(debug, PLAIN);
	if (machine_vcpu_count(debug->machine) > 1)
		buf_printf(&debug->out, "[%s %u] ", machine_vcpu_word(debug->machine), machine_vcpu_current(debug->machine));
	debug_show_address(debug, debug->isa->code_space, pc);
	if (line && line->line)
		buf_printf(&debug->out, "  %s:%u", line->file, line->line);
	buf_str(&debug->out, "  ");
	paint(debug, BOLD);
	if (line && line->is_code) {
		const char *source = line->text;

		while (*source == ' ' || *source == '\t')
			source++;
		show_text(debug, source);
	} else {
		show_text(debug, buf_text(&text));
	}
	paint(debug, PLAIN);
	buf_byte(&debug->out, '\n');
	buf_fini(&text);
}

/* ---- Registers ---- */

void debug_note_registers(Debug *debug)
{
	debug->seen_vcpu = machine_vcpu_current(debug->machine);
	for (u32 i = 0; i < debug->isa->slot_count; i++)
		debug->seen[i] = machine_slot(debug->machine, i);
}

static void show_old_or_new(Debug *debug, const IsaReg *reg, u64 value)
{
	debug_show_hex(debug, value, reg ? reg->width : 64);
	if (reg && reg->floats) {
		buf_str(&debug->out, " (");
		show_float(debug, value, reg->width);
		buf_byte(&debug->out, ')');
	}
}

static void show_changes(Debug *debug)
{
	u32 shown = 0;

	if (debug->seen_vcpu != machine_vcpu_current(debug->machine))
		return;
	for (u32 i = 1; i < debug->isa->slot_count; i++) {
		u64 now = machine_slot(debug->machine, i);
		const IsaReg *reg = isa_slot_register(debug->isa, i);

		if (now == debug->seen[i])
			continue;
		if (++shown > MAX_CHANGED) {
			buf_str(&debug->out, "  ...");
			break;
		}
		buf_printf(&debug->out, "   %s ", isa_slot_name(debug->isa, i));
		show_old_or_new(debug, reg, debug->seen[i]);
		buf_str(&debug->out, " -> ");
		paint(debug, YELLOW);
		show_old_or_new(debug, reg, now);
		paint(debug, PLAIN);
	}
	if (shown)
		buf_byte(&debug->out, '\n');
}

/* What the guest shows besides: the stack of a machine that has little else. */
static void show_own(Debug *debug)
{
	const Guest *guest = machine_guest(debug->machine);
	const size_t before = debug->out.len;

	if (!guest || !guest->describe)
		return;
	buf_str(&debug->out, "   ");
	guest->describe(debug->machine, &debug->out);
	if (debug->out.len == before + 3)
		debug->out.len = before;
	else
		buf_byte(&debug->out, '\n');
}

static void show_register(Debug *debug, const char *name, u64 value, unsigned width, bool floats, bool changed, u32 *column)
{
	size_t start = debug->out.len, hidden = 0;

	buf_printf(&debug->out, "%-6s ", name);
	if (changed && debug->color) {
		hidden = strlen(YELLOW) + strlen(PLAIN);
		paint(debug, YELLOW);
	}
	debug_show_hex(debug, value, width);
	if (floats) {
		buf_str(&debug->out, " (");
		show_float(debug, value, width);
		buf_byte(&debug->out, ')');
	} else if (width > 4) {
		buf_printf(&debug->out, " (%" PRId64 ")", bits_signed(value, width));
	}
	if (changed && debug->color)
		paint(debug, PLAIN);
	if (width > 32 || ++*column == (width > 16 ? 2u : 4u)) {
		buf_byte(&debug->out, '\n');
		*column = 0;
		return;
	}
	buf_byte(&debug->out, ' ');
	while (debug->out.len - start - hidden < (width > 16 ? 36u : 24u))
		buf_byte(&debug->out, ' ');
}

void debug_show_registers(Debug *debug)
{
	u32 column = 0;

	for (u32 i = 0; i < debug->isa->slot_count; i++) {
		const IsaReg *reg = isa_slot_register(debug->isa, i);
		u64 value = machine_slot(debug->machine, i);

		show_register(debug, isa_slot_name(debug->isa, i), value, reg ? reg->width : 64, reg && reg->floats,
			      value != debug->seen[i], &column);
	}
	for (u32 i = 0; i < debug->isa->view_count; i++)
		show_register(debug, debug->isa->views[i].name, machine_view(debug->machine, (u16)i),
			      debug->isa->views[i].width, false, false, &column);
	if (column)
		buf_byte(&debug->out, '\n');
}

/* ---- Memory ---- */

static void show_string(Debug *debug, u16 space, u64 *address)
{
	u64 cell;

	buf_byte(&debug->out, '"');
	for (unsigned i = 0; i < 200; i++) {
		if (machine_read(debug->machine, space, (*address)++, &cell) != STATUS_OK || !cell)
			break;
		if (cell == '\n')
			buf_str(&debug->out, "\\n");
		else if (cell == '"' || cell == '\\')
			buf_printf(&debug->out, "\\%c", (char)cell);
		else if (cell >= 32 && cell < 127)
			buf_byte(&debug->out, (u8)cell);
		else
			buf_printf(&debug->out, "\\x%" PRIX64, cell);
	}
	buf_str(&debug->out, "\"\n");
}

void debug_show_memory(Debug *debug, u16 space, u64 address, u64 count, char format)
{
	unsigned bits = debug->isa->spaces[space].cell_bits, bits_here = address_bits(debug, space);
	unsigned per_line = format == 't' ? 4 : bits <= 8 ? 16 : bits <= 32 ? 8 : 4;

	if (!format)
		format = 'x';
	if (format == 's') {
		while (count--) {
			debug_show_address(debug, space, address);
			buf_str(&debug->out, ": ");
			show_string(debug, space, &address);
		}
	}
	for (u64 i = 0; format != 's' && i < count; i++) {
		u64 cell, at = bits_trunc(address++, bits_here);

		if (i % per_line == 0) {
			debug_show_address(debug, space, at);
			buf_str(&debug->out, ":");
		}
		buf_byte(&debug->out, ' ');
		if (machine_read(debug->machine, space, at, &cell) != STATUS_OK)
			buf_str(&debug->out, "(outside)");
		else
			debug_show_value(debug, (DebugValue){ .value = cell, .width = (u8)bits }, format);
		if (i % per_line == per_line - 1 || i + 1 == count)
			buf_byte(&debug->out, '\n');
	}
	debug->next_address = address;
	debug->next_space = space;
}

/* ---- vCPUs ---- */

void debug_show_vcpus(Debug *debug)
{
	for (u32 n = 0; n < machine_vcpu_count(debug->machine); n++) {
		VcpuState state = machine_vcpu_state(debug->machine, n);

		if (state == VCPU_FREE)
			continue;
		buf_printf(&debug->out, "%c %s %-3u ", n == machine_vcpu_current(debug->machine) ? '*' : ' ',
			   machine_vcpu_word(debug->machine), n);
		debug_show_address(debug, debug->isa->code_space, machine_vcpu_slot(debug->machine, n, 0));
		buf_str(&debug->out, "  ");
		if (state == VCPU_READY && n == machine_vcpu_running(debug->machine))
			buf_str(&debug->out, "runs");
		else
			machine_vcpu_describe(debug->machine, n, &debug->out);
		buf_printf(&debug->out, ", %" PRIu64 " instructions\n", machine_vcpu_icount(debug->machine, n));
	}
}

/* ---- Why it stopped ---- */

static void show_machine_stop(Debug *debug, const MachineStop *stop)
{
	u64 icount = machine_icount(debug->machine);

	switch (stop->kind) {
	case STOP_HALT:
		buf_printf(&debug->out, "The program has ended, code %" PRIu64 "%s%s%s, after %" PRIu64 " instructions.\n",
			   stop->code, *stop->text ? " (" : "", stop->text, *stop->text ? ")" : "", icount);
		break;
	case STOP_WAIT:
		buf_str(&debug->out, "The program waits for input: give it some with `input TEXT`, or end it with `eof`.\n");
		break;
	case STOP_DEADLOCK:
		buf_printf(&debug->out, "Deadlock after %" PRIu64 " instructions: %s.\n", icount,
			   stop->code ? "they wake one another, but only to wait again" : "nothing can go on");
		debug_show_vcpus(debug);
		break;
	default:
		buf_printf(&debug->out, "Stopped after %" PRIu64 " instructions: %s.\n", icount, stop->text);
		break;
	}
}

static void show_watch(Debug *debug, const DebugStop *stop)
{
	buf_printf(&debug->out, "Watchpoint %u, %s: ", stop->point->id, stop->point->text);
	if (stop->before.value == stop->after.value)
		buf_str(&debug->out, "accessed, still ");
	else
		debug_show_value(debug, stop->before, 0);
	if (stop->before.value != stop->after.value)
		buf_str(&debug->out, " -> ");
	debug_show_value(debug, stop->after, 0);
	buf_str(&debug->out, stop->backward ? ", by this instruction:\n" : "\n");
}

void debug_show_stop(Debug *debug, const DebugStop *stop)
{
	switch (stop->reason) {
	case DEBUG_BREAK:
		buf_printf(&debug->out, "Breakpoint %u, %s\n", stop->point->id, stop->point->text);
		break;
	case DEBUG_WATCH:
		show_watch(debug, stop);
		break;
	case DEBUG_MACHINE:
		show_machine_stop(debug, &stop->machine);
		break;
	case DEBUG_PAST_END:
		buf_str(&debug->out, "This is the beginning of the recorded past.\n");
		break;
	case DEBUG_INTERRUPTED:
		buf_str(&debug->out, "Interrupted.\n");
		break;
	default:
		break;
	}
	debug_show_place(debug);
	show_changes(debug);
	show_own(debug);
	debug_note_registers(debug);
	debug->next_disassembled = machine_pc(debug->machine);
	debug->list_file = NULL;
}
