/* SPDX-License-Identifier: MIT
 *
 * husk run: loads programs and runs them to their end.
 *
 * The machine runs in slices of about 5 ms. Between slices its output is written, its input is fetched, signals and
 * limits are looked at. Nothing of this changes what the guest computes, except when input arrives:
 *   - a regular file (on stdin or by --input) is given to the machine whole, before its first instruction, so the
 *     run is the same every time;
 *   - a pipe, a terminal or a device is read between slices and when the guest waits. A guest that waits for its input
 *     sees the same bytes in the same order; one that looks whether a key is there may see them earlier or
 *     later, so its instruction count may differ from run to run. `--input -` reads all of a pipe first.
 * Time is told the machine at the start of each slice; a machine whose vCPUs all sleep is left alone until the first
 * wakes or input arrives. --deterministic: the machine counts its time itself and nothing sleeps.
 * A guest that does nothing but look for a key is put to sleep for some milliseconds between (short) slices.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/file.h"
#include "cmd/load.h"
#include "cmd/outcome.h"
#include "cmd/say.h"
#include "cmd/screen.h"
#include "cmd/terminal.h"
#include "cmd/trace.h"
#include "cmd/verbs.h"
#include "machine/vcpus.h"

#define SLICE_SECONDS 0.005
#define IDLE_SECONDS 0.010
#define BACKGROUND_SECONDS 0.1 /* how often a waiting husk looks whether it is in the foreground again */

enum {
	SLICE_FIRST = 100000,
	SLICE_LEAST = 1000,
	SLICE_MOST = 1 << 24,
	SLICE_IDLE = 5000,        /* while the guest only looks for keys */
	INPUT_AHEAD = 64 * 1024,  /* bytes of a pipe that are fetched before the guest wants them */
	OUTPUT_AT = 64 * 1024,    /* bytes of output kept back at most */
	HELD_LIMIT = 1024 * 1024, /* console output kept back while a display is shown */
};

typedef struct RunOptions {
	LoadOptions load;
	u64 fuel;
	double timeout, speed;
	const char *trace, *format, *report, *input, *snapshot, *pc;
	bool verbose, stats, screen, quiet, deterministic;
} RunOptions;

static const Opt run_options[] = {
	LOAD_ROWS_ISA(RunOptions, load),
	LOAD_ROWS_ASM(RunOptions, load),
	{"fuel", 'n', OPT_NUMBER, offsetof(RunOptions, fuel), "N", "stop after N instructions, with exit code 137"},
	{"timeout", 't', OPT_SECONDS, offsetof(RunOptions, timeout), "SECONDS",
	 "stop after this time, with exit code 124"},
	LOAD_ROW_MEMORY(RunOptions, load),
	LOAD_ROWS_VCPUS(RunOptions, load),
	{"deterministic", 0, OPT_FLAG, offsetof(RunOptions, deterministic), NULL,
	 "time counts instructions and vCPUs take even turns: the same run every time"},
	{"pc", 0, OPT_TEXT, offsetof(RunOptions, pc), "ADDRESS", "start there (0x3000, x3000 or 12288)"},
	{"input", 'i', OPT_TEXT, offsetof(RunOptions, input), "FILE",
	 "console input, read whole before the start (-: all of stdin)"},
	{"trace", 0, OPT_MAYBE, offsetof(RunOptions, trace), "FILE",
	 "a line for each instruction, on stderr or in FILE; --trace=NAME: as the original machine NAME prints it"},
	{"verbose", 'v', OPT_FLAG, offsetof(RunOptions, verbose), NULL,
	 "what happens in the machine (functions, threads, locks), on stderr, and figures at the end"},
	{"stats", 0, OPT_FLAG, offsetof(RunOptions, stats), NULL, "figures about the run, on stderr"},
	{"format", 0, OPT_CHOICE, offsetof(RunOptions, format), "text|json",
	 "json: how the run ended, as one line of JSON on stderr"},
	{"report", 0, OPT_TEXT, offsetof(RunOptions, report), "FILE", "the same JSON line into FILE"},
	{"quiet", 'q', OPT_FLAG, offsetof(RunOptions, quiet), NULL, "say nothing about how the run ended"},
	{"snapshot-on-exit", 0, OPT_TEXT, offsetof(RunOptions, snapshot), "FILE",
	 "write the machine as it is at the end; run FILE goes on from there"},
	{"screen", 0, OPT_FLAG, offsetof(RunOptions, screen), NULL, "print the machine's display at the end, as text"},
	{"speed", 0, OPT_SECONDS, offsetof(RunOptions, speed), "FACTOR",
	 "display machines on a terminal: 2 = twice as fast"},
	{0},
};

typedef struct Run {
	const RunOptions *options;
	Loaded loaded;
	Outcome outcome;
	Trace trace;
	Screen screen;
	Buf output;         /* of the guest, not written yet */
	bool tracing, live; /* live: the display is shown */
	bool output_closed;
	int input_fd;       /* where further input comes from, or -1 */
	u64 slice, fuel_end;
	u64 time_before;    /* the machine's time at `start` */
	double start, deadline;
} Run;

static void flush_output(Run *run)
{
	if (run->tracing)
		trace_flush(&run->trace);
	if (run->live && run->output.len <= HELD_LIMIT)
		return;
	if (run->output.len && !run->output_closed && !say_write(STDOUT_FILENO, run->output.data, run->output.len)) {
		run->output_closed = true;
		if (errno == EPIPE)
			outcome_set(&run->outcome, "output-closed", EXIT_SIGNAL + 13, "nobody reads the output any more");
		else
			outcome_set(&run->outcome, "failed", EXIT_HUSK, "cannot write the output: %s", strerror(errno));
	}
	buf_clear(&run->output);
}

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	Run *run = ctx;

	buf_add(&run->output, bytes, len);
	if (!run->tracing && (run->output.len >= OUTPUT_AT || run->output.failed))
		flush_output(run);
}

/* What a guest says about a vCPU that failed while others go on. */
static void on_errors(void *ctx, const u8 *bytes, size_t len)
{
	flush_output(ctx);
	fwrite(bytes, 1, len, stderr);
}

/* --verbose: behind what the guest has printed before. */
static void on_note(void *ctx, const u8 *bytes, size_t len)
{
	flush_output(ctx);
	say_write(STDERR_FILENO, bytes, len);
}

static void summarize(const Run *run)
{
	const Guest *guest = run->loaded.guest;
	Buf text;

	buf_init(&text);
	buf_printf(&text, "[end] %llu instructions, %u %s%s\n",
		   (unsigned long long)(machine_icount(run->loaded.machine) - run->outcome.first),
		   machine_vcpu_count(run->loaded.machine), machine_vcpu_word(run->loaded.machine),
		   machine_vcpu_count(run->loaded.machine) == 1 ? "" : "s");
	if (guest && guest->summary)
		guest->summary(run->loaded.machine, &text);
	say_write(STDERR_FILENO, text.data, text.len);
	buf_fini(&text);
}

/* ---- Input ---- */

static int input_whole(Run *run, const char *path)
{
	Buf data, error;
	int code;

	buf_init(&data);
	buf_init(&error);
	code = file_read(path, FILE_LIMIT, &data, &error);
	if (code == 0)
		machine_input(run->loaded.machine, data.data, data.len);
	else
		outcome_set(&run->outcome, "failed", code, "%s", buf_text(&error));
	if (code == 0)
		machine_input_end(run->loaded.machine);
	buf_fini(&data);
	buf_fini(&error);
	return code;
}

static void input_end(Run *run)
{
	machine_input_end(run->loaded.machine);
	run->input_fd = -1;
}

/* Takes what can be read at once; called when the descriptor is ready. */
static void input_take(Run *run)
{
	u8 bytes[4096];
	ssize_t n = read(run->input_fd, bytes, sizeof bytes);

	if (n > 0)
		machine_input(run->loaded.machine, bytes, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		input_end(run);
}

/* Waits for input, at most so long; takes what there is. */
static void input_wait(Run *run, double seconds)
{
	bool may = terminal_may_read();

	if (!may && (seconds < 0 || seconds > BACKGROUND_SECONDS))
		seconds = BACKGROUND_SECONDS;
	if (terminal_wait(may ? run->input_fd : -1, seconds))
		input_take(run);
}

static void input_poll(Run *run)
{
	while (run->input_fd >= 0 && terminal_may_read() && machine_input_pending(run->loaded.machine) < INPUT_AHEAD &&
	       terminal_wait(run->input_fd, 0))
		input_take(run);
}

static int input_start(Run *run)
{
	struct stat info;

	run->input_fd = -1;
	if (run->options->input)
		return input_whole(run, run->options->input);
	for (u32 i = 0; i < run->loaded.file_count; i++) {
		if (strcmp(run->loaded.files[i].name, "standard input") == 0) {
			input_end(run);
			return 0;
		}
	}
	if (fstat(STDIN_FILENO, &info) < 0) {
		input_end(run);
		return 0;
	}
	if (S_ISREG(info.st_mode))
		return input_whole(run, "-");
	run->input_fd = STDIN_FILENO;
	input_poll(run);
	return 0;
}

/* Does the machine have anything to do with a keyboard? */
static bool reads_keys(const Isa *isa)
{
	if (isa->host_count)
		return true;
	for (u32 i = 0; i < isa->handler_count; i++)
		if (isa->handlers[i].kind == ISA_EVENT)
			return true;
	return false;
}

/* ---- The loop ---- */

static double seconds_left(const Run *run, double most)
{
	double left = run->deadline > 0 ? run->deadline - terminal_now() : most;

	if (run->deadline > 0 && left < 0)
		left = 0;
	return most >= 0 && left > most ? most : left;
}

/* True when something other than the guest ends the run. */
static bool has_to_end(Run *run)
{
	int number = terminal_signal();

	if (run->output_closed)
		return true;
	if (number)
		outcome_set(&run->outcome, "interrupted", EXIT_SIGNAL + number, "ended by signal %d (%s)", number,
			    strsignal(number));
	else if (run->deadline > 0 && terminal_now() >= run->deadline)
		outcome_set(&run->outcome, "timeout", EXIT_TIMEOUT, "the time of %g s is over", run->options->timeout);
	else if (machine_icount(run->loaded.machine) >= run->fuel_end)
		outcome_set(&run->outcome, "fuel", EXIT_LIMIT, "the fuel of %llu instructions is used up",
			    (unsigned long long)run->options->fuel);
	else
		return false;
	return true;
}

/* Chooses the length of the next slice by the time the last one took. */
static void adapt_slice(Run *run, double took, u64 done)
{
	if (done < run->slice / 2)
		return;
	if (took < SLICE_SECONDS / 2 && run->slice < SLICE_MOST)
		run->slice *= 2;
	else if (took > SLICE_SECONDS * 2 && run->slice > SLICE_LEAST)
		run->slice /= 2;
}

/* After a slice in which the guest did little else than look for a key that was not there: wait for one. */
static void rest(Run *run, const MachineStats *before)
{
	MachineStats now;

	machine_stats(run->loaded.machine, &now);
	if (run->input_fd < 0 || now.output_bytes != before->output_bytes || now.input_bytes != before->input_bytes ||
	    (now.key_polls - before->key_polls) * 16 < now.icount - before->icount)
		return;
	run->slice = SLICE_IDLE;
	input_wait(run, seconds_left(run, IDLE_SECONDS));
}

static MachineStop run_slice(Run *run)
{
	u64 left = run->fuel_end - machine_icount(run->loaded.machine);
	u64 count = left < run->slice ? left : run->slice;

	if (run->tracing)
		return trace_run(&run->trace, count);
	return machine_run(run->loaded.machine, count);
}

/* The machine's time goes on with ours. */
static void set_time(Run *run)
{
	double passed = (terminal_now() - run->start) * 1e9;

	machine_set_time(run->loaded.machine, run->time_before + (passed > 0 ? (u64)passed : 0));
}

/* Every vCPU sleeps or waits for input, the first until `wake`: so do we. */
static void sleep_until(Run *run, u64 wake)
{
	u64 now;
	double seconds;

	set_time(run);
	now = machine_time(run->loaded.machine);
	if (wake <= now)
		return;
	seconds = seconds_left(run, wake - now > (u64)1 << 62 ? -1 : (double)(wake - now) * 1e-9);
	if (machine_input_pending(run->loaded.machine) < INPUT_AHEAD)
		input_wait(run, seconds);
	else
		terminal_wait(-1, seconds);
}

static void run_loop(Run *run)
{
	Machine *machine = run->loaded.machine;
	double speed = run->options->speed > 0 ? run->options->speed : 1;

	while (!has_to_end(run)) {
		double before = terminal_now();
		MachineStats stats;
		MachineStop stop;

		machine_stats(machine, &stats);
		set_time(run);
		stop = run_slice(run);
		flush_output(run);
		switch (stop.kind) {
		case STOP_BUDGET:
			adapt_slice(run, terminal_now() - before, machine_icount(machine) - stats.icount);
			input_poll(run);
			rest(run, &stats);
			break;
		case STOP_FRAME:
			if (run->live)
				screen_frame(&run->screen, machine, speed);
			input_poll(run);
			break;
		case STOP_SLEEP:
			sleep_until(run, stop.code);
			break;
		case STOP_WAIT:
			if (run->input_fd < 0)
				machine_input_end(machine);
			else
				input_wait(run, seconds_left(run, -1));
			break;
		default:
			if (!run->output_closed) /* what it said last was lost: that is how the run ended */
				outcome_of_stop(&run->outcome, &run->loaded, &stop);
			return;
		}
	}
}

/* ---- Before and after ---- */

static bool write_snapshot(Run *run)
{
	Buf bytes;
	Status status;
	bool good;

	if (!run->options->snapshot)
		return true;
	buf_init(&bytes);
	status = machine_snapshot(run->loaded.machine, &bytes);
	if (status)
		say_error("no snapshot: %s", status_text(status));
	good = !status && say_output(&bytes, run->options->snapshot) == 0;
	buf_fini(&bytes);
	return good;
}

static bool wants_json(const RunOptions *options)
{
	return options->format && strcmp(options->format, "json") == 0;
}

static void tell(Run *run)
{
	const RunOptions *options = run->options;
	bool fine = strcmp(run->outcome.state, "halted") == 0 || strcmp(run->outcome.state, "output-closed") == 0 ||
		    strcmp(run->outcome.state, "interrupted") == 0;
	Buf text;

	buf_init(&text);
	if (!run->loaded.machine || (!fine && run->outcome.code == EXIT_HUSK)) {
		if (!wants_json(options)) {
			load_complain(&run->loaded);
			if (!run->loaded.error.len && run->outcome.reason.len)
				say_error("%s", buf_text(&run->outcome.reason));
		}
	} else if (!wants_json(options)) {
		if (run->loaded.diags.count)
			say_diags(&run->loaded.diags);
		if (!fine && !options->quiet)
			say_error("%s", buf_text(&run->outcome.reason));
		/* A guest that ends with a code its description has words for. */
		else if (run->outcome.stop.kind == STOP_HALT && run->outcome.code && !options->quiet &&
			 run->outcome.stop.reason)
			say_note("%s", buf_text(&run->outcome.reason));
	}
	if (options->stats && run->loaded.machine) {
		outcome_stats(&run->outcome, &run->loaded, &text);
		say_write(STDERR_FILENO, text.data, text.len);
		buf_clear(&text);
	}
	if (wants_json(options) || options->report)
		outcome_json(&run->outcome, &run->loaded, &text);
	if (wants_json(options))
		say_write(STDERR_FILENO, text.data, text.len);
	if (options->report && say_output(&text, options->report))
		run->outcome.code = EXIT_HUSK;
	buf_fini(&text);
}

static void print_screen(Run *run)
{
	Buf text;

	buf_init(&text);
	screen_text(run->loaded.machine, &text);
	say_output(&text, NULL);
	buf_fini(&text);
}

static void run_machine(Run *run)
{
	const RunOptions *options = run->options;
	Machine *machine = run->loaded.machine;
	u32 width, height;

	run->outcome.first = machine_icount(machine);
	run->fuel_end = ~(u64)0;
	if (options->fuel && options->fuel < ~(u64)0 - run->outcome.first)
		run->fuel_end = run->outcome.first + options->fuel;
	run->slice = SLICE_FIRST;
	machine_set_output(machine, on_output, run);
	machine_set_errors(machine, on_errors, run);
	if (options->verbose)
		machine_set_notes(machine, on_note, run);
	if (options->trace) {
		run->tracing = true;
		if (trace_open(&run->trace, &run->loaded, options->trace)) {
			trace_close(&run->trace);
			return;
		}
	}
	run->live = machine_display(machine, &width, &height) && isatty(STDOUT_FILENO) && !run->tracing;
	run->start = terminal_now();
	run->time_before = machine_time(machine);
	run->deadline = options->timeout > 0 ? run->start + options->timeout : 0;
	terminal_open(!options->input && reads_keys(run->loaded.isa), run->live);
	if (input_start(run) == 0)
		run_loop(run);
	terminal_close();
	run->live = false;
	flush_output(run);
	run->outcome.seconds = terminal_now() - run->start;
	if (run->tracing && trace_close(&run->trace))
		run->outcome.code = EXIT_HUSK;
	if (strcmp(run->outcome.state, "interrupted") == 0 && isatty(STDERR_FILENO))
		say_write(STDERR_FILENO, "\n", 1);
	if (options->verbose)
		summarize(run);
	if (options->screen)
		print_screen(run);
	if (!write_snapshot(run))
		run->outcome.code = EXIT_HUSK;
}

/* --pc: 0x3000, x3000 or 12288. */
static int start_at(Loaded *loaded, const char *text)
{
	char number[32];
	u64 pc;

	snprintf(number, sizeof(number), "%s%s", *text == 'x' || *text == 'X' ? "0" : "", text);
	if (!opt_number(number, 1000, &pc)) {
		buf_printf(&loaded->error, "--pc %s is no address (examples: 0x3000, x3000, 12288)", text);
		return EXIT_HUSK;
	}
	if (pc >= machine_cells(loaded->machine, loaded->isa->code_space)) {
		buf_printf(&loaded->error, "--pc %s: outside memory", text);
		return EXIT_HUSK;
	}
	machine_set_pc(loaded->machine, pc);
	return 0;
}

static int run_run(Command *command)
{
	Run run = {.options = command->options};
	LoadOptions how = run.options->load;
	int code;

	load_init(&run.loaded);
	outcome_init(&run.outcome);
	screen_init(&run.screen);
	buf_init(&run.output);
	how.live = !run.options->deterministic;
	how.jitter_seed = how.live ? (u64)(terminal_now() * 1e9) ^ (u64)getpid() << 40 : 0;
	code = load_all(&run.loaded, &how, command->operands, command->operand_count);
	if (!code && command->rest_count) {
		buf_printf(&run.loaded.error, "%s takes no arguments behind --", run.loaded.isa->name);
		code = EXIT_HUSK;
	}
	if (!code && run.options->pc)
		code = start_at(&run.loaded, run.options->pc);
	if (!code && (load_is_input(&run.loaded, run.options->trace, "the trace") ||
		      load_is_input(&run.loaded, run.options->report, "the report"))) {
		load_fini(&run.loaded);
		return EXIT_HUSK;
	}
	if (code) {
		const char *culprit = run.loaded.isa ? "the program has errors" : "the machine can't be had that way";

		outcome_set(&run.outcome, "failed", code, "%s",
			    run.loaded.error.len ? buf_text(&run.loaded.error) : culprit);
		if (run.loaded.machine) {
			machine_destroy(run.loaded.machine);
			run.loaded.machine = NULL;
		}
	} else {
		run_machine(&run);
	}
	tell(&run);
	code = run.outcome.code;
	buf_fini(&run.output);
	screen_fini(&run.screen);
	outcome_fini(&run.outcome);
	load_fini(&run.loaded);
	return code;
}

const Verb verb_run = {
	.name = "run",
	.run = run_run,
	.help = "run programs: assembly text, a machine's own language, object files, images, a snapshot",
	.operands = "FILE...",
	.min_operands = 1,
	.max_operands = 1000,
	.takes_rest = true,
	.options = run_options,
	.options_size = sizeof(RunOptions),
	.text = "The guest's console is stdin and stdout. A regular file as stdin is given to it whole before its first\n"
		"instruction, so the run is the same every time; a pipe or a terminal is read while it runs.\n"
		"\n"
		"exit codes: the guest's own; 124 --timeout, 125 husk failed, 126 not runnable, 127 not found,\n"
		"129 waits for input that has ended, 132 illegal instruction, 133 unhandled exception, 137 --fuel or\n"
		"--memory, 139 access outside memory, 142 deadlock, 159 service it does not have, 128+N ended by\n"
		"signal N.\n"
		"\n"
		"examples:\n"
		"  husk run hello.asm                      husk run --trace --fuel 20 hello.obj\n"
		"  husk run --profile tiny 2048.obj        husk run --isa my.isa prog.asm <input.txt\n"
		"  husk run --fuel 1M --snapshot-on-exit half.snap prog.asm; husk run half.snap\n",
};
