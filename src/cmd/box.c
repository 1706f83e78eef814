/* SPDX-License-Identifier: MIT
 *
 * husk box: a machine of several kinds of cores, from a description.
 *
 * Console. What cores print goes to stdout; when several may print, each line is marked with the core's name and
 * written when it is whole. At most one core may read stdin.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "box/box.h"
#include "cmd/box_file.h"
#include "cmd/file.h"
#include "cmd/load.h"
#include "cmd/outcome.h"
#include "cmd/say.h"
#include "cmd/terminal.h"
#include "cmd/trace.h"
#include "cmd/verbs.h"

enum { SLICE = 1 << 20, LINE_MOST = 1 << 16, INPUT_AHEAD = 1 << 16 };

typedef struct BoxOptions {
	u64 fuel;
	double timeout;
	const char *snapshot, *restore, *format, *trace;
	bool stats, quiet, plain;
} BoxOptions;

typedef struct BoxRun BoxRun;

typedef struct Member {
	BoxRun *run;
	const BoxFileCore *file;
	Loaded loaded;
	Buf line;      /* printed, but no whole line yet */
	bool tracing;
	Trace trace;
	Buf trace_path;
} Member;

struct BoxRun {
	const BoxOptions *options;
	const char *path;
	BoxFile *file;
	Box *box;
	SharedMemory *memories[BOX_MEMORIES];
	Member *members;
	u32 loaded;        /* members whose Loaded is in use */
	bool prefixed, output_closed;
	Member *reader;    /* who reads stdin, or NULL */
};

static int refuse(const BoxRun *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(const BoxRun *run, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	say_error("%s: %s", run->path, text);
	return EXIT_NOT_RUNNABLE;
}

/* ---- Output ---- */

static void write_out(BoxRun *run, const void *bytes, size_t len)
{
	if (!run->output_closed && !say_write(STDOUT_FILENO, bytes, len))
		run->output_closed = true;
}

/* Only when lines are marked; there is at least a byte. */
static void write_line(Member *member)
{
	Buf out;

	buf_init(&out);
	buf_printf(&out, "%s| ", member->file->name);
	buf_add(&out, member->line.data, member->line.len);
	if (member->line.data[member->line.len - 1] != '\n')
		buf_byte(&out, '\n');
	write_out(member->run, out.data, out.len);
	buf_clear(&member->line);
	buf_fini(&out);
}

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	Member *member = ctx;

	if (!member->run->prefixed) {
		write_out(member->run, bytes, len);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		buf_byte(&member->line, bytes[i]);
		if (bytes[i] == '\n' || member->line.len >= LINE_MOST)
			write_line(member);
	}
}

/* ---- From the description to a box ---- */

static int find_memory(const BoxRun *run, const char *core, const char *name, u32 *out)
{
	Nearest nearest = nearest_to(name, strlen(name));

	for (u32 i = 0; i < run->file->memories_count; i++) {
		if (strcmp(run->file->memories[i].name, name) == 0) {
			*out = i;
			return 0;
		}
		nearest_consider(&nearest, run->file->memories[i].name);
	}
	refuse(run, "core '%s': there is no memory '%s'", core, name);
	if (nearest.name)
		say_hint("did you mean '%s'?", nearest.name);
	return EXIT_NOT_RUNNABLE;
}

static bool has_core(const BoxFile *file, const char *name)
{
	for (u32 i = 0; i < file->cores_count; i++)
		if (strcmp(file->cores[i].name, name) == 0)
			return true;
	return false;
}

static bool is_among(const BoxFileMemory *memory, const char *core)
{
	for (u32 i = 0; i < memory->cores_count; i++)
		if (strcmp(memory->cores[i], core) == 0)
			return true;
	return false;
}

static int make_memories(BoxRun *run)
{
	for (u32 i = 0; i < run->file->memories_count; i++) {
		const BoxFileMemory *memory = &run->file->memories[i];

		for (u32 k = 0; k < i; k++)
			if (strcmp(run->file->memories[k].name, memory->name) == 0)
				return refuse(run, "two memories are called '%s'", memory->name);
		if (memory->bytes == 0 || memory->bytes > (u64)1 << 30)
			return refuse(run, "memory '%s': between 1 and 1073741824 bytes", memory->name);
		if (memory->kind == BOX_PUBLIC && memory->cores_count)
			return refuse(run, "memory '%s' is public: every core may map it, none is named", memory->name);
		if (memory->kind == BOX_SHARED && memory->cores_count < 2)
			return refuse(run, "memory '%s' is shared: 'cores' names the two or more that share it",
				      memory->name);
		if (memory->kind == BOX_PRIVATE && memory->cores_count != 1)
			return refuse(run, "memory '%s' is private: 'cores' names the one it belongs to", memory->name);
		for (u32 k = 0; k < memory->cores_count; k++)
			if (!has_core(run->file, memory->cores[k]))
				return refuse(run, "memory '%s': there is no core '%s'", memory->name, memory->cores[k]);
		run->memories[i] = shared_create(memory->name, memory->bytes);
		if (!run->memories[i] || box_add_memory(run->box, run->memories[i])) {
			say_error("out of memory");
			return EXIT_HUSK;
		}
	}
	return 0;
}

static int map_window(BoxRun *run, Member *member, const BoxFileWindow *from)
{
	const Isa *isa = member->loaded.isa;
	const char *core = member->file->name;
	MachineWindow window = {.space = isa->code_space, .address = from->at, .cells = from->cells,
				.offset = from->offset};
	u32 index = 0;
	Status status;
	int code = find_memory(run, core, from->memory, &index);

	if (code)
		return code;
	if (run->file->memories[index].kind != BOX_PUBLIC && !is_among(&run->file->memories[index], core))
		return refuse(run, "core '%s': memory '%s' is not %s", core, from->memory,
			      run->file->memories[index].kind == BOX_SHARED ? "shared with it" : "its own");
	if (from->space)
		window.space = isa_find_space(isa, from->space, strlen(from->space));
	if (window.space == ISA_NONE)
		return refuse(run, "core '%s': %s has no space '%s'", core, isa->name, from->space);
	window.memory = run->memories[index];
	window.readable = from->access != BOX_WRITE_ONLY;
	window.writable = from->access != BOX_READ_ONLY;
	window.big = from->order == BOX_ORDER_BIG || (from->order == BOX_ORDER_OWN && isa->spaces[window.space].big);
	status = machine_map_shared(member->loaded.machine, &window);
	if (status == STATUS_INVALID)
		return refuse(run, "core '%s': two windows overlap at %s[0x%llX]", core, isa->spaces[window.space].name,
			      (unsigned long long)from->at);
	if (status == STATUS_RANGE)
		return refuse(run, "core '%s': a window of %llu cells at %s[0x%llX] leaves the space or memory '%s'", core,
			      (unsigned long long)from->cells, isa->spaces[window.space].name,
			      (unsigned long long)from->at, from->memory);
	return status ? refuse(run, "core '%s': %s", core, status_text(status)) : 0;
}

static void set_rights(BoxRun *run, Member *member)
{
	Machine *machine = member->loaded.machine;
	unsigned may = 0;

	for (u32 i = 0; i < member->file->may_count; i++)
		may |= (unsigned)member->file->may[i];
	for (u32 h = 0; h < member->loaded.isa->host_count; h++)
		if (!(may & box_file_right(machine_host_group(machine, h))))
			machine_deny_host(machine, h);
	if (may & BOX_MAY_OUTPUT)
		machine_set_output(machine, on_output, member);
	if (may & BOX_MAY_INPUT)
		run->reader = member;
	else
		machine_input_end(machine);
}

static int load_member(BoxRun *run, Member *member, const BoxFileCore *core)
{
	LoadOptions options = {.isa = core->machine, .memory = core->memory};
	const char *names[64];
	int code;

	*member = (Member){.run = run, .file = core};
	buf_init(&member->line);
	buf_init(&member->trace_path);
	load_init(&member->loaded);
	run->loaded++;
	options.sets = (OptList){.items = (const char **)core->set, .count = core->set_count};
	if (core->machine && strchr(core->machine, '/') == NULL && file_has_extension(core->machine, ".isa"))
		options.isa = load_beside(&member->loaded, run->path, core->machine);
	for (u32 i = 0; i < core->program_count; i++)
		names[i] = load_beside(&member->loaded, run->path, core->program[i]);
	code = load_all(&member->loaded, &options, names, core->program_count);
	if (code) {
		say_note("core '%s' of %s:", core->name, run->path);
		load_complain(&member->loaded);
		return code;
	}
	for (u32 i = 0; i < core->windows_count && !code; i++)
		code = map_window(run, member, &core->windows[i]);
	if (!code)
		set_rights(run, member);
	if (!code && box_add_core(run->box, core->name, member->loaded.machine, core->fuel))
		code = refuse(run, "at most %d cores", BOX_CORES);
	return code;
}

static int build(BoxRun *run)
{
	u32 printing = 0, reading = 0;
	int code = box_file_load(run->path, &run->file);

	if (code)
		return code;
	run->box = box_create(run->file->quantum, 0);
	run->members = calloc(run->file->cores_count, sizeof *run->members);
	if (!run->box || !run->members) {
		say_error("out of memory");
		return EXIT_HUSK;
	}
	code = make_memories(run);
	for (u32 i = 0; i < run->file->cores_count && !code; i++) {
		const BoxFileCore *core = &run->file->cores[i];

		for (u32 k = 0; k < i && !code; k++)
			if (strcmp(run->file->cores[k].name, core->name) == 0)
				code = refuse(run, "two cores are called '%s'", core->name);
		for (u32 k = 0; k < core->may_count; k++) {
			printing += core->may[k] == BOX_MAY_OUTPUT;
			reading += core->may[k] == BOX_MAY_INPUT;
		}
		if (!code)
			code = load_member(run, &run->members[i], core);
	}
	if (!code && reading > 1)
		code = refuse(run, "only one core may have 'input': there is one console");
	run->prefixed = printing > 1 && !run->options->plain;
	return code;
}

static MachineStop run_traced(void *ctx, u64 max_insns)
{
	Member *member = ctx;
	MachineStop stop = trace_run(&member->trace, max_insns);

	trace_flush(&member->trace);
	return stop;
}

/* Each core's lines into a file of its own: TRACE.core. */
static int open_traces(BoxRun *run)
{
	int code = 0;

	for (u32 i = 0; i < run->loaded && !code; i++) {
		Member *member = &run->members[i];

		buf_printf(&member->trace_path, "%s.%s", run->options->trace, member->file->name);
		code = trace_open(&member->trace, &member->loaded, buf_text(&member->trace_path));
		member->tracing = true;
		box_set_runner(run->box, i, run_traced, member);
	}
	return code;
}

static int close_traces(BoxRun *run)
{
	int code = 0;

	for (u32 i = 0; i < run->loaded; i++) {
		int one = run->members[i].tracing ? trace_close(&run->members[i].trace) : 0;

		run->members[i].tracing = false;
		code = code ? code : one;
	}
	return code;
}

static void dismantle(BoxRun *run)
{
	close_traces(run);
	box_destroy(run->box);
	for (u32 i = 0; i < run->loaded; i++) {
		buf_fini(&run->members[i].trace_path);
		load_fini(&run->members[i].loaded);
		buf_fini(&run->members[i].line);
	}
	free(run->members);
	for (u32 i = 0; i < BOX_MEMORIES; i++)
		shared_unref(run->memories[i]);
	box_file_free(run->file);
}

/* ---- run ---- */

static const char *const state_names[] = {
	[CORE_READY] = "ready",   [CORE_WAITS] = "waits for input", [CORE_SLEEPS] = "sleeps",
	[CORE_HALTED] = "halted", [CORE_FAILED] = "failed",          [CORE_NO_FUEL] = "out of fuel",
};

/* Reads what stdin has, waiting for it so long (negative: for ever), unless much of it still waits to be taken. At its end
 * tells the machine so. */
static void feed(BoxRun *run, double seconds)
{
	u8 bytes[4096];
	ssize_t got;

	if (!run->reader || machine_input_ended(run->reader->loaded.machine) ||
	    machine_input_pending(run->reader->loaded.machine) >= INPUT_AHEAD)
		return;
	if (!terminal_wait(STDIN_FILENO, seconds))
		return;
	got = read(STDIN_FILENO, bytes, sizeof bytes);
	if (got > 0)
		machine_input(run->reader->loaded.machine, bytes, (size_t)got);
	else if (got == 0 || errno != EINTR)
		machine_input_end(run->reader->loaded.machine);
}

static void report(BoxRun *run, Buf *out)
{
	buf_printf(out, "%-16s %-12s %-16s %15s  %s\n", "core", "machine", "state", "instructions", "at");
	for (u32 i = 0; i < box_core_count(run->box); i++) {
		const BoxCore *core = box_core(run->box, i);
		const Loaded *loaded = &run->members[i].loaded;
		Buf place;

		buf_init(&place);
		outcome_place(loaded, loaded->isa->code_space, machine_pc(core->machine), &place);
		buf_printf(out, "%-16s %-12s %-16s %15llu  %s\n", core->name, loaded->isa->name, state_names[core->state],
			   (unsigned long long)machine_icount(core->machine), buf_text(&place));
		buf_fini(&place);
	}
	buf_printf(out, "%-46s %15llu\n", "all", (unsigned long long)box_icount(run->box));
}

static void report_json(BoxRun *run, const char *state, int code, Buf *out)
{
	buf_printf(out, "{\"state\":\"%s\",\"exit\":%d,\"instructions\":%llu,\"cores\":[", state, code,
		   (unsigned long long)box_icount(run->box));
	for (u32 i = 0; i < box_core_count(run->box); i++) {
		const BoxCore *core = box_core(run->box, i);

		buf_printf(out, "%s{\"name\":", i ? "," : "");
		buf_json_string(out, core->name, strlen(core->name));
		buf_printf(out, ",\"state\":\"%s\",\"instructions\":%llu,\"pc\":%llu}", state_names[core->state],
			   (unsigned long long)machine_icount(core->machine),
			   (unsigned long long)machine_pc(core->machine));
	}
	buf_str(out, "]}\n");
}

/* The right that a core lacked, by the name of the service in what the machine said. */
static void hint_right(const BoxCore *core)
{
	const Isa *isa = machine_isa(core->machine);
	char quoted[80];

	for (u32 h = 0; core->stop.kind == STOP_DENIED && core->stop.text && h < isa->host_count; h++) {
		snprintf(quoted, sizeof quoted, "'%.70s'", isa->hosts[h].name);
		if (strstr(core->stop.text, quoted)) {
			say_hint("a core may do what its 'may' lists: this takes '%s'", machine_host_group(core->machine, h));
			return;
		}
	}
}

/* Says which cores failed; the exit code of the first that did not end well. */
static int judge(BoxRun *run)
{
	int code = 0;

	for (u32 i = 0; i < box_core_count(run->box); i++) {
		const BoxCore *core = box_core(run->box, i);
		Outcome outcome;

		if (core->state == CORE_NO_FUEL) {
			if (!run->options->quiet)
				say_error("core %s: its fuel is used up after %llu instructions", core->name,
					  (unsigned long long)machine_icount(core->machine));
			code = code ? code : EXIT_LIMIT;
		}
		if (core->state != CORE_HALTED && core->state != CORE_FAILED)
			continue;
		outcome_init(&outcome);
		outcome_of_stop(&outcome, &run->members[i].loaded, &core->stop);
		if (core->state == CORE_FAILED && !run->options->quiet) {
			say_error("core %s: %s", core->name, buf_text(&outcome.reason));
			hint_right(core);
		}
		code = code ? code : outcome.code;
		outcome_fini(&outcome);
	}
	return code;
}

typedef enum End { END_NOT_YET, END_ALL, END_OUTPUT, END_SIGNAL, END_FUEL, END_TIMEOUT } End;

static const char *const end_names[] = {
	[END_ALL] = "ended",   [END_OUTPUT] = "output-closed", [END_SIGNAL] = "interrupted",
	[END_FUEL] = "fuel",   [END_TIMEOUT] = "timeout",
};

/* Says how it ended; gives the exit code. */
static int tell_end(BoxRun *run, End end)
{
	int code = judge(run);

	switch (end) {
	case END_OUTPUT: return EXIT_SIGNAL + 13;
	case END_SIGNAL: return EXIT_SIGNAL + terminal_signal();
	case END_FUEL:
		if (!run->options->quiet)
			say_error("stopped after %llu instructions (--fuel)", (unsigned long long)run->options->fuel);
		return EXIT_LIMIT;
	case END_TIMEOUT:
		if (!run->options->quiet)
			say_error("stopped after %g seconds (--timeout)", run->options->timeout);
		return EXIT_TIMEOUT;
	default: return code;
	}
}

static int run_box(BoxRun *run, const char **state)
{
	double deadline = run->options->timeout ? terminal_now() + run->options->timeout : 0;
	u64 fuel_end = run->options->fuel ? box_icount(run->box) + run->options->fuel : ~(u64)0;
	End end = END_NOT_YET;

	while (!end) {
		u64 most = fuel_end - box_icount(run->box);
		BoxStopKind kind;
		double left;

		feed(run, 0);
		kind = box_run(run->box, most < SLICE ? most : SLICE);
		left = deadline ? deadline - terminal_now() : -1;
		end = kind == BOX_ENDED                     ? END_ALL
		      : run->output_closed                  ? END_OUTPUT
		      : terminal_signal()                   ? END_SIGNAL
		      : box_icount(run->box) >= fuel_end    ? END_FUEL
		      : deadline && left <= 0               ? END_TIMEOUT
							    : END_NOT_YET;
		if (!end && kind == BOX_WAITS)
			feed(run, left);
	}
	*state = end_names[end];
	return tell_end(run, end);
}

static int restore(BoxRun *run, const char *path)
{
	Buf data, why;
	Status status;
	int code;

	buf_init(&data);
	buf_init(&why);
	code = file_read(path, FILE_LIMIT, &data, &why);
	if (code) {
		say_error("%s", buf_text(&why));
	} else {
		status = box_restore(run->box, data.data, data.len);
		if (status) {
			say_error("%s: %s", path, status_text(status));
			code = EXIT_NOT_RUNNABLE;
		}
	}
	buf_fini(&data);
	buf_fini(&why);
	return code;
}

static int save(BoxRun *run, const char *path)
{
	Status status;
	Buf out;
	int code;

	buf_init(&out);
	status = box_snapshot(run->box, &out);
	if (status)
		say_error("no snapshot: %s", status_text(status));
	code = status ? EXIT_HUSK : say_output(&out, path);
	buf_fini(&out);
	return code;
}

static int box_run_verb(Command *command)
{
	const BoxOptions *options = command->options;
	BoxRun run = {.options = options, .path = command->operands[0]};
	const char *state;
	Buf out;
	int code = build(&run), saved = 0;

	if (!code && options->restore)
		code = restore(&run, options->restore);
	if (!code && options->trace)
		code = open_traces(&run);
	if (!code) {
		buf_init(&out);
		terminal_open(run.reader != NULL, false);
		code = run_box(&run, &state);
		terminal_close();
		for (u32 i = 0; i < run.loaded; i++)
			if (run.members[i].line.len)
				write_line(&run.members[i]);
		if (options->format && strcmp(options->format, "json") == 0)
			report_json(&run, state, code, &out);
		else if (options->stats)
			report(&run, &out);
		say_write(STDERR_FILENO, out.data, out.len);
		buf_fini(&out);
		if (options->trace)
			saved = close_traces(&run);
		if (options->snapshot && !saved)
			saved = save(&run, options->snapshot);
	}
	dismantle(&run);
	return saved ? saved : code;
}

static int box_check_verb(Command *command)
{
	static const char *const kinds[] = {"public", "shared", "private"};
	BoxOptions options = {0};
	BoxRun run = {.options = &options, .path = command->operands[0]};
	Buf out;
	int code = build(&run);

	buf_init(&out);
	for (u32 i = 0; !code && i < run.file->memories_count; i++)
		buf_printf(&out, "memory %-16s %10llu bytes  %s\n", run.file->memories[i].name,
			   (unsigned long long)run.file->memories[i].bytes, kinds[run.file->memories[i].kind]);
	for (u32 i = 0; !code && i < run.loaded; i++) {
		const BoxFileCore *core = run.members[i].file;

		buf_printf(&out, "core   %-16s %s", core->name, run.members[i].loaded.isa->name);
		for (u32 w = 0; w < core->windows_count; w++)
			buf_printf(&out, "%s %s", w ? "," : "  sees", core->windows[w].memory);
		buf_str(&out, "\n");
	}
	if (!code)
		code = say_output(&out, NULL);
	buf_fini(&out);
	dismantle(&run);
	return code;
}

static const Opt run_options[] = {
	{"fuel", 'n', OPT_NUMBER, offsetof(BoxOptions, fuel), "N", "stop after N instructions of all cores together"},
	{"timeout", 't', OPT_SECONDS, offsetof(BoxOptions, timeout), "SECONDS", "stop after this time, with exit code 124"},
	{"stats", 0, OPT_FLAG, offsetof(BoxOptions, stats), NULL, "a table of the cores at the end, on stderr"},
	{"format", 0, OPT_CHOICE, offsetof(BoxOptions, format), "text|json", "json: how it ended, as one line on stderr"},
	{"trace", 0, OPT_TEXT, offsetof(BoxOptions, trace), "FILE",
	 "a line for each instruction, in a file for each core: FILE.core"},
	{"plain", 0, OPT_FLAG, offsetof(BoxOptions, plain), NULL, "no core names before lines of output"},
	{"quiet", 'q', OPT_FLAG, offsetof(BoxOptions, quiet), NULL, "say nothing about how cores ended"},
	{"snapshot-on-exit", 0, OPT_TEXT, offsetof(BoxOptions, snapshot), "FILE", "write the box as it is at the end"},
	{"restore", 0, OPT_TEXT, offsetof(BoxOptions, restore), "FILE", "go on from such a snapshot"},
	{0},
};

static const Verb verb_box_run = {
	.name = "run",
	.run = box_run_verb,
	.help = "run the cores of a machine description, by turns",
	.operands = "FILE.yaml",
	.min_operands = 1,
	.max_operands = 1,
	.text = "Exit code: 0 when every core halted normally, else that of the first core that did not.\n",
	.options = run_options,
	.options_size = sizeof(BoxOptions),
};

static const Verb verb_box_check = {
	.name = "check",
	.run = box_check_verb,
	.help = "read a machine description and load its programs, without running them",
	.operands = "FILE.yaml",
	.min_operands = 1,
	.max_operands = 1,
};

static const Verb *const verbs[] = {&verb_box_run, &verb_box_check, NULL};

const Verb verb_box = {
	.name = "box",
	.help = "several kinds of computers in one machine, over shared memories",
	.operands = "",
	.verbs = verbs,
};
