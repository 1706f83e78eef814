/* SPDX-License-Identifier: MIT
 *
 * husk run: loads programs and runs them to their end.
 *
 * The loops are in run_loop.c, and for Linux programs in run_linux.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cmd/file.h"
#include "cmd/run_private.h"
#include "cmd/say.h"
#include "cmd/terminal.h"
#include "cmd/verbs.h"
#include "machine/vcpus.h"

static const Opt run_options[] = {
	LOAD_ROWS_ISA(RunOptions, load),
	LOAD_ROWS_ASM(RunOptions, load),
	{"fuel", 'n', OPT_NUMBER, offsetof(RunOptions, fuel), "N", "stop after N instructions, with exit code 137"},
	{"timeout", 't', OPT_SECONDS, offsetof(RunOptions, timeout), "SECONDS",
	 "stop after this time, with exit code 124"},
	LOAD_ROW_MEMORY(RunOptions, load),
	LOAD_ROWS_VCPUS(RunOptions, load),
	LOAD_ROW_ENGINE(RunOptions, load),
	JIT_ROWS(RunOptions, jit),
	LINUX_ROWS(RunOptions, system),
	{"strace", 0, OPT_MAYBE, offsetof(RunOptions, strace), "FILE",
	 "the system calls of Linux programs, on stderr or in FILE"},
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

void run_flush(Run *run)
{
	if (run->tracing)
		trace_flush(&run->trace);
	if (run->live && run->output.len <= HELD_LIMIT)
		return;
	if (run->output.len && !run->output_closed && !say_write(STDOUT_FILENO, run->output.data, run->output.len)) {
		run->output_closed = true;
		if (errno == EPIPE && run_is_linux(run)) { /* its programs hear of it */
			linux_output_closed(run->loaded.machine, STDOUT_FILENO);
			run->output_closed = false;
		} else if (errno == EPIPE)
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
		run_flush(run);
}

/* What a guest says about a vCPU that failed while others go on. */
static void on_errors(void *ctx, const u8 *bytes, size_t len)
{
	Run *run = ctx;

	run_flush(run);
	if (!say_write(STDERR_FILENO, bytes, len) && errno == EPIPE && run_is_linux(run))
		linux_output_closed(run->loaded.machine, STDERR_FILENO);
}

/* --verbose: behind what the guest has printed before. */
static void on_note(void *ctx, const u8 *bytes, size_t len)
{
	run_flush(ctx);
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
		say_error("no snapshot: %s%s%s", status_text(status), *machine_why(run->loaded.machine) ? ": " : "",
			  machine_why(run->loaded.machine));
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
	if (options->jit.stats && run->loaded.machine) {
		EngineStats stats;

		machine_engine_stats(run->loaded.machine, &stats);
		jit_stats_text(&stats, strcmp(options->jit.stats, "json") == 0, &text);
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
	run->start_ns = terminal_now_ns();
	run->start = (double)run->start_ns * 1e-9;
	run->time_before = machine_time(machine);
	run->deadline = options->timeout > 0 ? run->start + options->timeout : 0;
	if (run_is_linux(run)) {
		terminal_open_guest();
		run_linux(run);
	} else {
		terminal_open(!options->input && reads_keys(run->loaded.isa), run->live);
		if (run_input_start(run) == 0)
			run_loop(run);
	}
	terminal_close();
	run->live = false;
	run_flush(run);
	run->outcome.seconds = terminal_now() - run->start;
	if (run_is_linux(run))
		run_linux_outcome(run);
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

/* Everything behind a Linux program is for it. */
static bool takes_all(Command *command, const char *operand)
{
	RunOptions *options = command->options;

	if (command->operand_count == 1)
		options->takes_all = linux_options_is_program(&options->system, operand);
	return options->takes_all;
}

static int load_program(Run *run, const Command *command, LoadOptions *how)
{
	const LinuxOptions *options = &run->options->system;
	LinuxConfig *config = &run->system;

	run_linux_strace(run, config);
	config->real_time = linux_options_time(run->options->deterministic);
	config->slice_time = (u64)(SLICE_SECONDS * 1e9);
	run_linux_terminal(run, &run->terminal);
	config->terminal = &run->terminal;
	if (run->options->takes_all)
		return linux_options_load(options, command, how, &run->loaded, config);
	return linux_options_load_files(options, command->operands, command->operand_count, command->rest, command->rest_count, how,
					&run->loaded, config);
}

static int run_run(Command *command)
{
	Run run = {.options = command->options, .strace_fd = -1};
	LoadOptions how = run.options->load;
	int code;

	load_init(&run.loaded);
	outcome_init(&run.outcome);
	screen_init(&run.screen);
	buf_init(&run.output);
	how.live = !run.options->deterministic;
	how.compiles = true;
	how.engine_options = &run.jit.options;
	how.jitter_seed = how.live ? (u64)(terminal_now() * 1e9) ^ (u64)getpid() << 40 : 0;
	if (how.live && getrandom(&how.random_seed, sizeof how.random_seed, GRND_NONBLOCK) < 0)
		how.random_seed = how.jitter_seed;
	code = jit_setup_open(&run.jit, &run.options->jit, command->operand_count ? command->operands[0] : NULL, &run.loaded);
	if (code)
		buf_str(&run.loaded.error, buf_text(&run.jit.error));
	else
		code = load_program(&run, command, &how);
	if (!code && run.options->pc)
		code = start_at(&run.loaded, run.options->pc);
	if (!code && (load_is_input(&run.loaded, run.options->trace, "the trace") ||
		      load_is_input(&run.loaded, run.options->strace, "the trace of its calls") ||
		      load_is_input(&run.loaded, run.options->report, "the report"))) {
		load_fini(&run.loaded);
		jit_setup_close(&run.jit);
		return EXIT_HUSK;
	}
	if (!code && run.options->strace)
		code = run_linux_open_strace(&run);
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
	load_fini(&run.loaded); /* its pieces of code end with the machine */
	jit_setup_close(&run.jit);
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
	.takes_all = takes_all,
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
