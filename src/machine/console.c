/* SPDX-License-Identifier: MIT
 *
 * The console: a queue of bytes that came in, and a buffer of bytes on their way out.
 *
 * The end of input is a fact of its own, not a byte. A guest that goes on looking at the keyboard then would do so
 * for ever. The rule that ends it is exact and part of the machine's state, so it strikes at the same instruction in
 * every engine, after a snapshot and in a replay. Once the input has ended and no byte waits, each of these counts:
 *   - a call of machine_key_ready (host function key_ready) outside of `when` conditions,
 *   - a call of machine_key by a guest's own host function, which is told that there is no more,
 *   - a run of an `on read` handler that reads a register which some event handler writes (LC-3's keyboard status).
 * Output and bytes read set the count back to 0. At MACHINE_IDLE_LIMIT it goes back to 0 and the machine stops with
 * STOP_INPUT_ENDED behind that instruction. Waiting for a byte (host key) stops it at once. key_held is not counted:
 * games look at keys that nobody presses.
 */
#include "machine/machine_private.h"

#include <stdlib.h>
#include <string.h>

void machine_set_output(Machine *machine, MachineOutput output, void *ctx)
{
	machine_flush_output(machine);
	machine->output_function = output;
	machine->output_ctx = ctx;
}

void machine_set_errors(Machine *machine, MachineOutput errors, void *ctx)
{
	machine->errors_function = errors;
	machine->errors_ctx = ctx;
}

void machine_put_errors(Machine *machine, const u8 *bytes, size_t len)
{
	if (!machine->errors_function) {
		machine_put(machine, bytes, len);
		return;
	}
	machine_flush_output(machine);
	if (len)
		machine->errors_function(machine->errors_ctx, bytes, len);
}

void machine_put_error(Machine *machine, const Buf *text)
{
	machine_put_errors(machine, text->data, text->len);
}

void machine_flush_output(Machine *machine)
{
	Buf *buf = &machine->output;

	if (buf->len && machine->output_function)
		machine->output_function(machine->output_ctx, buf->data, buf->len);
	buf_clear(buf);
}

void machine_set_notes(Machine *machine, MachineOutput notes, void *ctx)
{
	machine->notes_function = notes;
	machine->notes_ctx = ctx;
}

bool machine_wants_notes(const Machine *machine)
{
	return machine->notes_function != NULL;
}

void machine_note(Machine *machine, const char *format, ...)
{
	va_list args;
	Buf line;

	if (!machine->notes_function)
		return;
	machine_flush_output(machine);
	buf_init(&line);
	va_start(args, format);
	buf_vprintf(&line, format, args);
	va_end(args);
	buf_byte(&line, '\n');
	if (!line.failed)
		machine->notes_function(machine->notes_ctx, line.data, line.len);
	buf_fini(&line);
}

void machine_put(Machine *machine, const u8 *bytes, size_t len)
{
	machine->output_total += len;
	machine->idle_polls = 0;
	if (!machine->output_function || !len)
		return;
	if (len > MACHINE_OUTPUT_CHUNK - machine->output.len)
		machine_flush_output(machine);
	if (len < MACHINE_OUTPUT_CHUNK)
		buf_add(&machine->output, bytes, len);
	else
		machine->output_function(machine->output_ctx, bytes, len);
}

void machine_putc(Machine *machine, u8 byte)
{
	machine->output_total++;
	machine->idle_polls = 0;
	if (!machine->output_function)
		return;
	buf_byte(&machine->output, byte);
	if (machine->output.len >= MACHINE_OUTPUT_CHUNK)
		machine_flush_output(machine);
}

bool machine_input_room(Machine *machine, size_t more)
{
	size_t waiting = machine->input_len - machine->input_at, cap;
	u8 *grown;

	if (more > MACHINE_INPUT_MAX - waiting)
		return false;
	if (machine->input_at && machine->input_len + more > machine->input_cap) {
		memmove(machine->input, machine->input + machine->input_at, waiting);
		machine->input_at = 0;
		machine->input_len = waiting;
	}
	if (machine->input_len + more <= machine->input_cap)
		return true;
	cap = machine->input_cap ? machine->input_cap : 256;
	while (cap < machine->input_len + more)
		cap *= 2;
	grown = realloc(machine->input, cap);
	if (!grown)
		return false;
	machine->input = grown;
	machine->input_cap = cap;
	return true;
}

void machine_accept(Machine *machine, const u8 *bytes, size_t len, bool end)
{
	machine->stirred = true; /* conditions may hold now */
	if (end) {
		machine->input_ended = true;
		machine_wake_input(machine);
		return;
	}
	if (!len || !machine_input_room(machine, len))
		return;
	memcpy(machine->input + machine->input_len, bytes, len);
	machine->input_len += len;
	machine->input_total += len;
	machine->input_ended = false; /* it went on after all */
	machine->idle_polls = 0;
	machine_wake_input(machine);
}

void machine_input_resume(Machine *machine)
{
	machine->input_ended = false;
}

void machine_input(Machine *machine, const u8 *bytes, size_t len)
{
	if (!len)
		return;
	machine_log_truncate(machine, machine->replay_at);
	machine_log_event(machine, EVENT_INPUT, bytes, len, 0);
	machine_accept(machine, bytes, len, false);
}

void machine_input_end(Machine *machine)
{
	if (machine->input_ended)
		return;
	machine_log_truncate(machine, machine->replay_at);
	machine_log_event(machine, EVENT_INPUT_END, NULL, 0, 0);
	machine_accept(machine, NULL, 0, true);
}

u64 machine_input_pending(const Machine *machine)
{
	return machine->input_len - machine->input_at;
}

bool machine_input_ended(const Machine *machine)
{
	return machine->input_ended;
}

u64 machine_output_bytes(const Machine *machine)
{
	return machine->output_total;
}

static bool waiting(const Machine *machine)
{
	return machine->input_at < machine->input_len;
}

bool machine_key_ready(Machine *machine)
{
	if (waiting(machine))
		return true;
	if (!machine->in_when)
		machine_count_poll(machine);
	return false;
}

u8 machine_take_byte(Machine *machine)
{
	machine->idle_polls = 0;
	return machine->input[machine->input_at++];
}

int machine_key(Machine *machine)
{
	if (waiting(machine))
		return machine_take_byte(machine);
	machine_count_poll(machine);
	return machine->input_ended ? -2 : -1;
}

int machine_peek(const Machine *machine, size_t ahead)
{
	if (ahead < machine->input_len - machine->input_at)
		return machine->input[machine->input_at + ahead];
	return machine->input_ended ? -2 : -1;
}

void machine_count_poll(Machine *machine)
{
	if (waiting(machine))
		return;
	machine->key_polls++;
	if (!machine->input_ended)
		return;
	if (++machine->idle_polls < MACHINE_IDLE_LIMIT)
		return;
	machine->idle_polls = 0;
	machine->idle_hit = true;
	machine->vcpu.event_pending = true;
}

void machine_clear_console(Machine *machine)
{
	machine->input_at = machine->input_len = 0;
	machine->input_ended = false;
	machine->input_total = 0;
	machine->output_total = 0;
	machine->idle_polls = 0;
	machine->idle_hit = false;
	machine->key_polls = 0;
	buf_clear(&machine->output);
}
