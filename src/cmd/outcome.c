/* SPDX-License-Identifier: MIT */
#include "cmd/outcome.h"

#include <signal.h>
#include <string.h>

#include "cmd/say.h"
#include "machine/shared.h"
#include "machine/vcpus.h"

void outcome_init(Outcome *outcome)
{
	*outcome = (Outcome){.state = "failed", .code = EXIT_HUSK};
	buf_init(&outcome->reason);
}

void outcome_fini(Outcome *outcome)
{
	buf_fini(&outcome->reason);
}

void outcome_set(Outcome *outcome, const char *state, int code, const char *format, ...)
{
	va_list args;

	outcome->state = state;
	outcome->code = code;
	buf_clear(&outcome->reason);
	va_start(args, format);
	buf_vprintf(&outcome->reason, format, args);
	va_end(args);
}

/* The statement that made the cell at an address, or NULL. */
static const AsmLine *line_of(const Loaded *loaded, u16 space, u64 address, const char **file)
{
	for (u32 f = loaded->file_count; f-- > 0;) {
		const AsmProgram *program = loaded->files[f].program;

		for (u32 i = 0; program && i < program->line_count; i++) {
			const AsmLine *line = &program->lines[i];

			if (line->space == space && address >= line->address && address - line->address < line->cells) {
				*file = program->sources[line->source].name;
				return line;
			}
		}
	}
	return NULL;
}

void outcome_place(const Loaded *loaded, u16 space, u64 address, Buf *out)
{
	const char *file = NULL, *symbol;
	const AsmLine *line = line_of(loaded, space, address, &file);
	const LoadName *own;
	u64 offset = 0;

	load_hex(loaded->isa, loaded->dialect, address,
		 space == loaded->isa->code_space ? loaded->isa->pc_width : loaded->isa->spaces[space].addr_bits, out);
	symbol = load_symbol_near(loaded, space, address, &offset);
	own = line ? NULL : load_line_at(loaded, space, address);
	if (!symbol && !line && !(own && own->number))
		return;
	buf_str(out, " (");
	if (symbol)
		buf_str(out, symbol);
	if (symbol && offset)
		buf_printf(out, "+%llu", (unsigned long long)offset);
	if (line)
		buf_printf(out, "%s%s:%u", symbol ? ", " : "", file, line->line);
	else if (own && own->number)
		buf_printf(out, "%sline %u: %s", symbol ? ", " : "", own->number, own->text);
	buf_byte(out, ')');
}

/* ", in thread 2", when there are several. */
static void add_vcpu(Outcome *outcome, const Loaded *loaded)
{
	if (machine_vcpu_count(loaded->machine) > 1)
		buf_printf(&outcome->reason, ", in %s %u", machine_vcpu_word(loaded->machine), outcome->stop.vcpu);
}

static void tell_deadlock(Outcome *outcome, const Loaded *loaded)
{
	const Machine *machine = loaded->machine;
	bool first = true;

	outcome_set(outcome, "deadlock", EXIT_SIGNAL + SIGALRM, "%s",
		    outcome->stop.code ? "deadlock: they wake one another, but only to wait again"
				       : "deadlock: nothing can go on");
	for (u32 n = 0; n < machine_vcpu_count(machine); n++) {
		if (!machine_vcpu_is_alive(machine, n))
			continue;
		buf_printf(&outcome->reason, "%s%s %u at ", first ? ": " : "; ", machine_vcpu_word(machine), n);
		outcome_place(loaded, loaded->isa->code_space, machine_vcpu_slot(machine, n, 0), &outcome->reason);
		buf_byte(&outcome->reason, ' ');
		machine_vcpu_describe(machine, n, &outcome->reason);
		first = false;
	}
}

/* "invalid opcode: 99 at ip=2 (illegal instruction at x0002)": the machine's own words come first. */
static void own_words(Outcome *outcome, const Loaded *loaded, const MachineStop *stop)
{
	Buf words;

	if (!loaded->guest || !loaded->guest->explain)
		return;
	buf_init(&words);
	loaded->guest->explain(loaded->machine, stop, &words);
	if (words.len) {
		buf_printf(&words, " (%s)", buf_text(&outcome->reason));
		outcome_set(outcome, outcome->state, outcome->code, "%s", buf_text(&words));
	}
	buf_fini(&words);
}

void outcome_of_stop(Outcome *outcome, const Loaded *loaded, const MachineStop *stop)
{
	const Isa *isa = loaded->isa;
	unsigned long long code = stop->code;
	const MachineWindow *window;
	const char *why;
	Buf place, address;

	buf_init(&place);
	buf_init(&address);
	outcome->stop = *stop;
	if (stop->kind != STOP_HALT) /* nobody hears where; names need not be read for it */
		outcome_place(loaded, isa->code_space, stop->pc, &place);
	switch (stop->kind) {
	case STOP_HALT: {
		const Guest *guest = loaded->guest;
		int own = guest && guest->exit_code ? guest->exit_code(loaded->machine, stop->code)
						    : (int)(stop->code > 255 ? 255 : stop->code);

		outcome_set(outcome, "halted", own & 255, "the program ended%s", own ? "" : " normally");
		if (own)
			buf_printf(&outcome->reason, " with code %d", own & 255);
		if (stop->reason)
			buf_printf(&outcome->reason, ": %s", stop->reason);
		break;
	}
	case STOP_ILLEGAL:
		outcome_set(outcome, "illegal", EXIT_SIGNAL + SIGILL, "illegal instruction at %s", buf_text(&place));
		add_vcpu(outcome, loaded);
		break;
	case STOP_TRAP:
		why = stop->reason;
		outcome_set(outcome, "trap", EXIT_SIGNAL + SIGTRAP, "unhandled exception %llu%s%s%s at %s", code,
			    why ? " (" : "", why ? why : "", why ? ")" : "", buf_text(&place));
		add_vcpu(outcome, loaded);
		break;
	case STOP_FAULT:
		load_hex(isa, loaded->dialect, stop->address, isa->spaces[stop->space].addr_bits, &address);
		window = machine_window_at(loaded->machine, stop->space, stop->address);
		if (window)
			outcome_set(outcome, "fault", EXIT_SIGNAL + SIGSEGV, "%s shared memory '%s', %s[%s], at %s",
				    !stop->write ? "this core may not read, or fetch instructions from," :
				    "this core may not write", shared_name(window->memory), isa->spaces[stop->space].name,
				    buf_text(&address), buf_text(&place));
		else
			outcome_set(outcome, "fault", EXIT_SIGNAL + SIGSEGV, "%s outside memory, %s[%s], at %s",
				    stop->write ? "write" : "access", isa->spaces[stop->space].name, buf_text(&address),
				    buf_text(&place));
		if (!window && !stop->write && stop->space == isa->code_space && stop->address == stop->pc)
			buf_str(&outcome->reason, ", where no instruction is: a wrong jump, or an end without a halt");
		add_vcpu(outcome, loaded);
		break;
	case STOP_DENIED:
		outcome_set(outcome, "denied", EXIT_SIGNAL + SIGSYS, "%s, at %s",
			    stop->text && *stop->text ? stop->text : "a service this machine does not have",
			    buf_text(&place));
		break;
	case STOP_INPUT_ENDED:
		outcome_set(outcome, "input-ended", EXIT_SIGNAL + SIGHUP,
			    "the program waits for input, but the input has ended, at %s", buf_text(&place));
		add_vcpu(outcome, loaded);
		break;
	case STOP_RETURN: /* nobody calls functions here */
	case STOP_ERROR:
		outcome_set(outcome, "failed", EXIT_HUSK, "%s",
			    stop->text && *stop->text ? stop->text : status_text(stop->status));
		break;
	case STOP_DEADLOCK:
		tell_deadlock(outcome, loaded);
		break;
	case STOP_SLEEP:
	case STOP_BREAK:
	case STOP_WATCH:
	case STOP_BUDGET:
	case STOP_WAIT:
	case STOP_FRAME:
		outcome_set(outcome, "failed", EXIT_HUSK, "stopped unexpectedly at %s", buf_text(&place));
		break;
	}
	if (stop->kind == STOP_ILLEGAL || stop->kind == STOP_TRAP || stop->kind == STOP_FAULT)
		own_words(outcome, loaded, stop);
	buf_fini(&place);
	buf_fini(&address);
}

static void json_number(Buf *out, u64 value)
{
	if (value < (u64)1 << 53)
		buf_printf(out, "%llu", (unsigned long long)value);
	else
		buf_printf(out, "\"0x%llX\"", (unsigned long long)value);
}

static void json_text(Buf *out, const char *text)
{
	buf_json_string(out, text, strlen(text));
}

/* The machine's own words for the end: ,"events":["Start","Crash code 1"] */
static void json_events(const Outcome *outcome, const Loaded *loaded, Buf *out)
{
	Buf lines;

	if (!loaded->guest || !loaded->guest->events)
		return;
	buf_init(&lines);
	loaded->guest->events(loaded->machine, &outcome->stop, &lines);
	buf_str(out, ",\"events\":[");
	for (const char *line = buf_text(&lines), *end; (end = strchr(line, '\n')); line = end + 1) {
		if (line != buf_text(&lines))
			buf_byte(out, ',');
		buf_json_string(out, line, (size_t)(end - line));
	}
	buf_byte(out, ']');
	buf_fini(&lines);
}

static void json_registers(const Loaded *loaded, Buf *out)
{
	const Isa *isa = loaded->isa;
	bool first = true;

	buf_str(out, ",\"registers\":{");
	for (u32 slot = 0; slot < isa->slot_count; slot++) {
		const char *name = isa_slot_name(isa, slot);

		if (!name)
			continue;
		if (!first)
			buf_byte(out, ',');
		first = false;
		json_text(out, name);
		buf_byte(out, ':');
		json_number(out, machine_slot(loaded->machine, slot));
	}
	buf_byte(out, '}');
}

/* Only when there are several. */
static void json_vcpus(const Outcome *outcome, const Loaded *loaded, Buf *out)
{
	static const char *const states[] = {"ready", "waits for input", "waits", "sleeps", "paused", "ended", "failed"};
	const Machine *machine = loaded->machine;
	bool first = true;

	if (machine_vcpu_count(machine) < 2)
		return;
	buf_printf(out, ",\"vcpu\":%u,\"vcpus\":[", outcome->stop.vcpu);
	for (u32 n = 0; n < machine_vcpu_count(machine); n++) {
		VcpuState state = machine_vcpu_state(machine, n);

		if (state == VCPU_FREE)
			continue;
		buf_printf(out, "%s{\"number\":%u,\"state\":\"%s\",\"pc\":", first ? "" : ",", n, states[state]);
		json_number(out, machine_vcpu_slot(machine, n, 0));
		buf_str(out, ",\"instructions\":");
		json_number(out, machine_vcpu_icount(machine, n));
		buf_byte(out, '}');
		first = false;
	}
	buf_byte(out, ']');
}

void outcome_json(const Outcome *outcome, const Loaded *loaded, Buf *out)
{
	MachineStats stats = {0};

	buf_str(out, "{\"state\":");
	json_text(out, outcome->state);
	buf_str(out, ",\"reason\":");
	buf_json_string(out, buf_text(&outcome->reason), outcome->reason.len);
	buf_printf(out, ",\"exit_code\":%d", outcome->code);
	if (loaded->isa) {
		buf_str(out, ",\"machine\":");
		json_text(out, loaded->isa->name);
		buf_str(out, ",\"options\":{");
		for (u32 i = 0; i < loaded->isa->option_count; i++) {
			const IsaOption *option = &loaded->isa->options[i];

			if (i)
				buf_byte(out, ',');
			json_text(out, option->name);
			buf_byte(out, ':');
			json_text(out, option->choices[option->chosen]);
		}
		buf_byte(out, '}');
	}
	if (loaded->machine) {
		machine_stats(loaded->machine, &stats);
		buf_str(out, ",\"instructions\":");
		json_number(out, machine_icount(loaded->machine) - outcome->first);
		buf_str(out, ",\"pc\":");
		json_number(out, machine_pc(loaded->machine));
		buf_printf(out, ",\"seconds\":%.6f,\"output_bytes\":%llu,\"input_bytes\":%llu", outcome->seconds,
			   (unsigned long long)stats.output_bytes, (unsigned long long)stats.input_bytes);
		json_vcpus(outcome, loaded, out);
		json_events(outcome, loaded, out);
		json_registers(loaded, out);
	}
	if (loaded->diags.count) {
		buf_str(out, ",\"diagnostics\":");
		diag_render_json(&loaded->diags, out);
	}
	buf_str(out, "}\n");
}

void outcome_stats(const Outcome *outcome, const Loaded *loaded, Buf *out)
{
	MachineStats stats;
	u64 count = machine_icount(loaded->machine) - outcome->first;

	machine_stats(loaded->machine, &stats);
	buf_printf(out, "%14llu instructions in %.3f s", (unsigned long long)count, outcome->seconds);
	if (outcome->seconds > 1e-6)
		buf_printf(out, " (%.1f million a second)", (double)count / outcome->seconds * 1e-6);
	buf_printf(out, "\n%14llu blocks translated, %llu instructions in them\n", (unsigned long long)stats.blocks,
		   (unsigned long long)stats.translated);
	buf_printf(out, "%14llu interrupts and events\n", (unsigned long long)stats.interrupts);
	buf_printf(out, "%14llu bytes of input, %llu of output\n", (unsigned long long)stats.input_bytes,
		   (unsigned long long)stats.output_bytes);
	buf_printf(out, "%14llu bytes of memory%s\n", (unsigned long long)stats.memory_most,
		   stats.memory_most > stats.memory_bytes ? " at most" : "");
	if (loaded->guest && loaded->guest->events)
		loaded->guest->events(loaded->machine, &outcome->stop, out);
}
