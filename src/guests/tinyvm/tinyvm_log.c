/* SPDX-License-Identifier: MIT
 *
 * The services of the TinyVM: each says on the console what an instruction did, in the words of the stage, behind the
 * time of day. What the instructions do stands in tinyvm.isa; here are words, and what needs the whole machine:
 * starting and ending threads.
 *
 * The time before a line is the clock's of the host. A machine that runs on virtual time (husk run --deterministic)
 * has a day of its own: it begins at 2000-01-01 00:00:00, so the output is the same every time.
 */
#include "guests/tinyvm/tinyvm.h"

#include <string.h>
#include <time.h>

#include "machine/vcpus.h"

#define VIRTUAL_EPOCH 946684800 /* seconds: 2000-01-01 00:00:00 UTC */

/* ---- Lines ---- */

static void put(Machine *machine, const Buf *text)
{
	for (size_t i = 0; i < text->len; i++)
		machine_putc(machine, text->data[i]);
}

static bool wants_time(const Machine *machine)
{
	const char *choice = isa_option_value(machine_isa(machine), "time");

	return tvm_stage(machine_isa(machine)) >= 3 && !(choice && strcmp(choice, "off") == 0);
}

static void add_time(const Machine *machine, Buf *out)
{
	struct timespec now = { VIRTUAL_EPOCH, 0 };
	struct tm day;

	if (machine_time_is_virtual(machine)) {
		now.tv_sec += (time_t)(machine_time(machine) / 1000000000);
		now.tv_nsec = (long)(machine_time(machine) % 1000000000);
		gmtime_r(&now.tv_sec, &day);
	} else {
		clock_gettime(CLOCK_REALTIME, &now);
		localtime_r(&now.tv_sec, &day);
	}
	buf_printf(out, "[%04d-%02d-%02d %02d:%02d:%02d.%06ld] ", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday,
		   day.tm_hour, day.tm_min, day.tm_sec, now.tv_nsec / 1000);
}

/* One line: `text` is put behind the time. */
static void put_line(Machine *machine, const char *text, size_t len)
{
	Buf line;

	buf_init(&line);
	if (wants_time(machine))
		add_time(machine, &line);
	buf_add(&line, text, len);
	buf_byte(&line, '\n');
	put(machine, &line);
	buf_fini(&line);
}

/* A line of the current thread. */
static void say(Machine *machine, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(Machine *machine, const char *format, ...)
{
	Buf line;
	va_list args;

	buf_init(&line);
	buf_printf(&line, "[Thread %u] ", machine_vcpu_current(machine));
	va_start(args, format);
	buf_vprintf(&line, format, args);
	va_end(args);
	put_line(machine, buf_text(&line), line.len);
	buf_fini(&line);
}

/* The text of a name, for the time of one line. */
typedef struct Named {
	Buf text;
} Named;

static const char *name_of(const Machine *machine, Named *named, u64 id)
{
	buf_init(&named->text);
	tvm_name(machine, id, &named->text);
	return buf_text(&named->text);
}

#define ARGS Machine *machine, const u64 *args, unsigned count, u64 *result
#define UNUSED ((void)args, (void)count, (void)result)
#define STAGE(machine) tvm_stage(machine_isa(machine))

static TvmSpaces spaces_of(const Machine *machine)
{
	return tvm_spaces(machine_isa(machine));
}

static u32 vm_get(const Machine *machine, u32 cell)
{
	return tvm_cell(machine, spaces_of(machine).vm, cell);
}

static void vm_set(Machine *machine, u32 cell, u32 value)
{
	tvm_set_cell(machine, spaces_of(machine).vm, cell, value);
}

static const char *function_of(const Machine *machine, Named *named, u64 start)
{
	buf_init(&named->text);
	tvm_function_name(machine, start, &named->text);
	if (!named->text.len) /* stages 01 to 05 */
		buf_str(&named->text, "program");
	return buf_text(&named->text);
}

/* ---- Variables ---- */

static HostResult host_executing(ARGS)
{
	const TvmSpaces spaces = spaces_of(machine);
	u64 at = 0;
	Buf line;

	UNUSED;
	if (machine_get_table(machine, spaces.lines, 0, args[0], &at) || !at)
		return HOST_OK;
	buf_init(&line);
	buf_str(&line, "Executing: ");
	for (u32 c; (c = tvm_cell(machine, spaces.texts, at)) != 0; at++)
		buf_byte(&line, (u8)c);
	put_line(machine, buf_text(&line), line.len);
	buf_fini(&line);
	return HOST_OK;
}

static HostResult host_printed(ARGS)
{
	const i32 value = (i32)args[1];
	Named x;
	const char *name = name_of(machine, &x, args[0]);
	Buf line;

	UNUSED;
	switch (STAGE(machine)) {
	case 1:
		buf_init(&line);
		buf_printf(&line, "Printing: %s %d", name, value);
		put_line(machine, buf_text(&line), line.len);
		buf_fini(&line);
		break;
	case 2: say(machine, "%d", value); break;
	case 4:
	case 5: say(machine, "Variable %s = %d", name, value); break;
	case 6: say(machine, "PRINT Variable %s = %d", name, value); break;
	default: say(machine, "PRINT %s = %d", name, value);
	}
	buf_fini(&x.text);
	return HOST_OK;
}

static HostResult host_was_set(ARGS)
{
	Named x;

	UNUSED;
	if (STAGE(machine) >= 7) {
		say(machine, "SET %s = %d", name_of(machine, &x, args[0]), (i32)args[1]);
		buf_fini(&x.text);
	}
	return HOST_OK;
}

static HostResult host_shared_set(ARGS)
{
	Named x;

	UNUSED;
	say(machine, STAGE(machine) >= 7 ? "SETSHARED %s = %d" : "Set-shared %s = %d", name_of(machine, &x, args[0]),
	    (i32)args[1]);
	buf_fini(&x.text);
	return HOST_OK;
}

static HostResult host_added(ARGS)
{
	const i32 a = (i32)args[3], b = (i32)args[4], sum = (i32)((u32)args[3] + (u32)args[4]);
	Named x, y, z;

	UNUSED;
	if (STAGE(machine) == 6)
		say(machine, "ADD %d + %d = %d", a, b, sum);
	if (STAGE(machine) < 7)
		return HOST_OK;
	say(machine, "ADD %s = %s(%d) + %s(%d) = %d", name_of(machine, &x, args[0]), name_of(machine, &y, args[1]), a,
	    name_of(machine, &z, args[2]), b, sum);
	buf_fini(&x.text);
	buf_fini(&y.text);
	buf_fini(&z.text);
	return HOST_OK;
}

static HostResult host_found(ARGS)
{
	Named x;

	UNUSED;
	say(machine, "Found shared variable %s", name_of(machine, &x, args[0]));
	buf_fini(&x.text);
	return HOST_OK;
}

static HostResult host_created(ARGS)
{
	Named x;

	UNUSED;
	say(machine, "Created shared variable %s", name_of(machine, &x, args[0]));
	buf_fini(&x.text);
	return HOST_OK;
}

/* ---- Locks. Stages 04 to 06 show an address: there is none here, a number tells the locks apart as well. ---- */

enum { LOCK_ADDRESS = 0x1000, LOCK_BYTES = 56 };

static void say_lock(Machine *machine, const char *what, u64 place, u64 id)
{
	Named m;
	const char *name = name_of(machine, &m, id);
	const u32 address = LOCK_ADDRESS + (u32)place / 2 * LOCK_BYTES;

	if (STAGE(machine) >= 7)
		say(machine, "%s lock '%s'", what, name);
	else
		say(machine, "%s lock '%s' at address 0x%x", what, name, address);
	buf_fini(&m.text);
}

static HostResult host_waits(ARGS)
{
	Buf line;

	UNUSED;
	say_lock(machine, "Waiting for", args[0], args[1]);
	if (!tvm_cell(machine, spaces_of(machine).locks, args[0]))
		return HOST_OK;
	vm_set(machine, VM_WAITS, vm_get(machine, VM_WAITS) + 1);
	buf_init(&line);
	tvm_describe_lock(machine, machine_vcpu_current(machine), args[0], &line);
	machine_note(machine, "[lock] thread %u waits for %s", machine_vcpu_current(machine), buf_text(&line));
	buf_fini(&line);
	return HOST_OK;
}

static HostResult host_acquired(ARGS)
{
	Named m;

	UNUSED;
	say(machine, "Acquired lock '%s'", name_of(machine, &m, args[1]));
	vm_set(machine, VM_LOCKED, vm_get(machine, VM_LOCKED) + 1);
	buf_fini(&m.text);
	return HOST_OK;
}

static HostResult host_released(ARGS)
{
	UNUSED;
	say_lock(machine, "Released", args[0], args[1]);
	return HOST_OK;
}

/* ---- Functions ---- */

static HostResult host_no_function(ARGS)
{
	Named x;

	UNUSED;
	say(machine, "Error: Function '%s' not found", name_of(machine, &x, args[0]));
	buf_fini(&x.text);
	return HOST_OK;
}

static HostResult host_unknown(ARGS)
{
	UNUSED;
	say(machine, "Error: Unknown opcode: %d", (i32)args[0]);
	return HOST_OK;
}

static HostResult host_entered(ARGS)
{
	Named f;

	UNUSED;
	say(machine, "Sync function '%s' started", function_of(machine, &f, args[0]));
	buf_fini(&f.text);
	return HOST_OK;
}

static void show_frame(Machine *machine, u64 frame, u64 function)
{
	const u16 frames = spaces_of(machine).frames;
	Named name;

	say(machine, "> at %s (pc=%d)", function_of(machine, &name, function),
	    frame ? (i32)(tvm_cell(machine, frames, frame + FRAME_PC) - tvm_cell(machine, frames, frame + FRAME_CALLER)) : 0);
	buf_fini(&name.text);
	for (u64 i = 0; i < TVM_LOCALS; i++) {
		const u64 local = frame + FRAME_LOCALS + 2 * i;
		const u32 id = tvm_cell(machine, frames, local);

		if (!id)
			break;
		if (i == 0)
			say(machine, "  > Local variables:");
		say(machine, "    >  %s = %d", name_of(machine, &name, id), (i32)tvm_cell(machine, frames, local + 1));
		buf_fini(&name.text);
	}
}

/* Every frame with the place it was called from, the innermost first. */
static HostResult host_stack_trace(ARGS)
{
	const u16 frames = spaces_of(machine).frames;
	const u64 pc = args[0];
	u64 frame = args[1], function = args[2];
	Named name;

	UNUSED;
	if (frame >= (u64)FRAME_CELLS * FRAME_COUNT) /* a debugger or a snapshot may say anything */
		return HOST_OK;
	say(machine, "Stack trace requested in function '%s'", function_of(machine, &name, function));
	say(machine, "Stack trace:");
	say(machine, "> Currently executing: %s (pc=%d)", buf_text(&name.text), (i32)(pc - function));
	buf_fini(&name.text);
	for (;;) {
		show_frame(machine, frame, function);
		if (frame < FRAME_CELLS)
			return HOST_OK;
		function = tvm_cell(machine, frames, frame + FRAME_CALLER);
		frame -= FRAME_CELLS;
	}
}

/* ---- Threads ---- */

static void say_async(Machine *machine, u32 thread, u64 function)
{
	Named f;
	Buf line;

	if (STAGE(machine) != 6)
		return;
	buf_init(&line);
	buf_printf(&line, "[Thread %u] Async function '%s' started ", thread, function_of(machine, &f, function));
	put_line(machine, buf_text(&line), line.len);
	buf_fini(&f.text);
	buf_fini(&line);
}

/* A new thread, at args[1] in the function at args[0]; args[2]: by the function's name. When all ten have been made nothing happens. A place that is
 * not the function's is its end. */
static HostResult host_start(ARGS)
{
	const TvmSpaces spaces = spaces_of(machine);
	const u32 threads = vm_get(machine, VM_THREADS);
	u64 length = 0, start = 0, at = args[1] & 0xFFFFFFFF;
	u32 number;

	UNUSED;
	if (threads >= TVM_THREADS) {
		machine_note(machine, "[thread] not started: there have been %u", threads);
		return HOST_OK;
	}
	for (u64 row = 0; row < machine_table_rows(machine, spaces.functions); row++) {
		machine_get_table(machine, spaces.functions, 1, row, &start);
		machine_get_table(machine, spaces.functions, 2, row, &length);
		if (start == args[0])
			break;
	}
	if (at < args[0] || at - args[0] > length)
		at = args[0] + length;
	if (machine_vcpu_add(machine, &number)) {
		machine_note(machine, "[thread] not started: no room for its frames");
		return HOST_OK;
	}
	vm_set(machine, VM_THREADS, threads + 1);
	tvm_set_register(machine, number, "pc", vm_get(machine, VM_BEGIN));
	tvm_set_register(machine, number, "fn", args[0]);
	tvm_set_register(machine, number, "go", at);
	if (args[2])
		say_async(machine, number, args[0]);
	if (machine_wants_notes(machine)) {
		Named f;

		machine_note(machine, "[thread] thread %u started by thread %u: %s+%llu", number, machine_vcpu_current(machine),
			     function_of(machine, &f, args[0]), (unsigned long long)(at - args[0]));
		buf_fini(&f.text);
	}
	return HOST_OK;
}

/* --verbose: what has been loaded. */
static void note_functions(Machine *machine)
{
	const TvmSpaces spaces = spaces_of(machine);

	for (u64 row = 0; machine_wants_notes(machine) && row < machine_table_rows(machine, spaces.functions); row++) {
		u64 start = 0, length = 0;
		Named f;

		machine_get_table(machine, spaces.functions, 1, row, &start);
		machine_get_table(machine, spaces.functions, 2, row, &length);
		machine_note(machine, "[load] function '%s': %llu instructions, %llu bytes, at %llu",
			     function_of(machine, &f, start), (unsigned long long)length, (unsigned long long)length * 8,
			     (unsigned long long)start);
		buf_fini(&f.text);
	}
}

static void put_head(Machine *machine)
{
	const u16 texts = spaces_of(machine).texts;
	Buf line;

	buf_init(&line);
	for (u64 at = vm_get(machine, VM_HEAD);; at++) {
		const u32 c = tvm_cell(machine, texts, at);

		if (!c)
			break;
		if (c != '\n') {
			buf_byte(&line, (u8)c);
			continue;
		}
		if (STAGE(machine) == 4) { /* the one line of this stage that has no time */
			buf_byte(&line, '\n');
			put(machine, &line);
		} else {
			put_line(machine, buf_text(&line), line.len);
		}
		buf_clear(&line);
	}
	buf_fini(&line);
}

static void put_foot(Machine *machine)
{
	static const char plain[] = "TinyVM finished.", marked[] = "[VM] TinyVM finished.";
	Buf line;

	if (STAGE(machine) == 4) {
		buf_init(&line);
		buf_printf(&line, "%s\n", plain);
		put(machine, &line);
		buf_fini(&line);
		return;
	}
	if (STAGE(machine) == 1)
		put_line(machine, "_________________", 17);
	if (STAGE(machine) < 6)
		put_line(machine, plain, sizeof plain - 1);
	else
		put_line(machine, marked, sizeof marked - 1);
}

static void say_joining(Machine *machine, u32 thread)
{
	Buf line;

	buf_init(&line);
	buf_printf(&line, "[Main] Waiting for thread Thread %u", thread);
	put_line(machine, buf_text(&line), line.len);
	buf_fini(&line);
}

/* The first instruction of every thread. 0: there is nothing to run. */
static HostResult host_begin(ARGS)
{
	UNUSED;
	*result = 1;
	if (!vm_get(machine, VM_SHOWN)) {
		vm_set(machine, VM_SHOWN, 1);
		put_head(machine);
		note_functions(machine);
		if (vm_get(machine, VM_MAIN) == TVM_NOWHERE) {
			static const char text[] = "[VM] Error: No main function defined";

			put_line(machine, text, sizeof text - 1);
			put_foot(machine);
			*result = 0;
			return HOST_OK;
		}
		if (STAGE(machine) == 2)
			say_joining(machine, 0);
		say_async(machine, 0, args[0]);
	}
	if (STAGE(machine) >= 2)
		say(machine, STAGE(machine) < 4 ? "Thread started" : "Thread instructions started");
	return HOST_OK;
}

/* The current thread is over (`args[0]`: by RETURN). 1: it was the last one, the machine has ended. */
static HostResult host_ended(ARGS)
{
	const u32 self = machine_vcpu_current(machine), threads = vm_get(machine, VM_THREADS);
	const u32 over = vm_get(machine, VM_OVER) | 1u << (self & 31);
	u32 joined = vm_get(machine, VM_JOINED);

	UNUSED;
	if (STAGE(machine) == 2 && args[0])
		say(machine, "Thread exiting");
	if (STAGE(machine) >= 2)
		say(machine, STAGE(machine) < 4 ? "Thread finished" : "Thread instructions finished");
	machine_note(machine, "[thread] thread %u ended", self);
	vm_set(machine, VM_OVER, over);
	vm_set(machine, VM_ENDED, vm_get(machine, VM_ENDED) + 1);
	while (joined < threads && joined < 32 && over >> joined & 1) {
		joined++;
		if (joined < threads && STAGE(machine) == 2)
			say_joining(machine, joined);
	}
	vm_set(machine, VM_JOINED, joined);
	*result = joined >= threads;
	if (*result)
		put_foot(machine);
	return HOST_OK;
}

const HostEntry tvm_hosts[] = {
	{ "executing", host_executing }, { "begin", host_begin },         { "printed", host_printed },
	{ "was_set", host_was_set },     { "shared_set", host_shared_set }, { "added", host_added },
	{ "found", host_found },         { "created", host_created },     { "waits", host_waits },
	{ "acquired", host_acquired },   { "released", host_released },   { "no_function", host_no_function },
	{ "unknown", host_unknown },     { "entered", host_entered },     { "start", host_start },
	{ "stack_trace", host_stack_trace }, { "ended", host_ended },     { "native", tvm_native },
	{ NULL, NULL },
};
