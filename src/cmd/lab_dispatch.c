/* SPDX-License-Identifier: MIT
 *
 * husk lab dispatch: one program through every way of dispatch (lab/lab_engine.h) and Husk's own interpreter.
 *
 * First all of them run the same number of instructions, and their whole states are compared: a way that is fast and
 * wrong is worth nothing. Then each is timed, taking turns, on fresh machines; the best of several rounds counts, since
 * whatever else the computer does can only make a run longer.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd/lab.h"
#include "cmd/say.h"

enum { CHECK_INSNS = 100000, ROUNDS = 5, WAYS = 5 };

static const double round_seconds = 0.15;

typedef struct Way {
	const char *name;
	int technique;        /* LabTechnique, or -1: Husk's own interpreter */
	const char *what;
} Way;

static const Way ways[WAYS] = {
	{"redecode", LAB_REDECODE, "fetch, decode, look up the meaning: anew for each instruction"},
	{"switch", LAB_SWITCH, "decoded once; one loop, one switch, one indirect jump for all"},
	{"goto", LAB_GOTO, "computed goto: an indirect jump at the end of each operation"},
	{"threaded", LAB_THREADED, "direct threading: the operation holds its handler's address"},
	{"cached blocks", -1, "Husk: blocks of up to 64 instructions, fused operations, chained"},
};

typedef struct Result {
	u64 insns;
	double seconds; /* of the best round */
	double speed;   /* million instructions a second; 0: too short to tell */
} Result;

typedef struct Lab {
	const LabOptions *options;
	const char *const *names;
	u32 count;
	bool is_end; /* the program ends within the check */
	Result results[WAYS];
	LabCounts counts;
	Buf first;   /* state after the check, of the first way */
	const char *shown;
} Lab;

static int prepare(const Lab *lab, const EngineOps *engine, Loaded *loaded)
{
	LoadOptions options = lab->options->load;
	int code;

	load_init(loaded);
	options.engine = engine;
	if (!lab->count) {
		options.isa = "lc3";
		return lab_load_text(loaded, &options, lab_text("sieve.asm"));
	}
	code = load_all(loaded, &options, lab->names, lab->count);
	if (code)
		load_complain(loaded);
	else
		lab_silence(loaded->machine);
	return code;
}

static const EngineOps *engine_of(const Way *way)
{
	return way->technique < 0 ? NULL : &lab_engines[way->technique];
}

/* Runs on through what only a display or an end of input would stop. */
static MachineStop run(Machine *machine, u64 insns)
{
	u64 end = machine_icount(machine) + insns;
	MachineStop stop;

	do
		stop = machine_run(machine, end - machine_icount(machine));
	while (stop.kind == STOP_FRAME && machine_icount(machine) < end);
	return stop;
}

/* All states must be equal after the same number of instructions. */
static int check(Lab *lab, const EngineOps *engine, const char *name, bool first)
{
	Loaded loaded;
	Buf state;
	int code = prepare(lab, engine, &loaded);

	buf_init(&state);
	if (!code) {
		MachineStop stop = run(loaded.machine, CHECK_INSNS);

		lab->is_end = stop.kind != STOP_BUDGET;
		if (machine_snapshot(loaded.machine, &state)) {
			say_error("out of memory");
			code = EXIT_HUSK;
		} else if (first) {
			buf_add(&lab->first, state.data, state.len);
		} else if (lab->first.len != state.len || memcmp(lab->first.data, state.data, state.len) != 0) {
			say_error("%s came to another state than %s: this is an error in husk", name, ways[0].name);
			code = EXIT_HUSK;
		}
		if (!code && engine == &lab_engines[LAB_COUNTING])
			lab_counts(machine_engine(loaded.machine), &lab->counts);
	}
	buf_fini(&state);
	load_fini(&loaded);
	return code;
}

/* One run; how far it may go is learnt from the last one, so that all rounds take about the same time. */
static int time_one(Lab *lab, u32 index)
{
	Result *result = &lab->results[index];
	u64 insns = result->speed > 0 ? (u64)(result->speed * 1e6 * round_seconds) : CHECK_INSNS;
	Loaded loaded;
	int code;

	if (lab->options->fuel && insns > lab->options->fuel)
		insns = lab->options->fuel;
	code = prepare(lab, engine_of(&ways[index]), &loaded);
	if (!code) {
		double start = lab_seconds(), seconds, speed;

		run(loaded.machine, insns);
		seconds = lab_seconds() - start;
		speed = seconds > 0 ? (double)machine_icount(loaded.machine) / seconds / 1e6 : 0;
		if (speed > result->speed)
			*result = (Result){machine_icount(loaded.machine), seconds, speed};
	}
	load_fini(&loaded);
	return code;
}

static double per_insn(const Lab *lab)
{
	return lab->counts.insns ? (double)lab->counts.ops / (double)lab->counts.insns : 0;
}

static void print_json(const Lab *lab, Buf *out)
{
	buf_str(out, "{\"program\":");
	buf_json_string(out, lab->shown, strlen(lab->shown));
	buf_printf(out, ",\"operations_per_instruction\":%.3f,\"ways\":[", per_insn(lab));
	for (u32 i = 0; i < WAYS; i++)
		buf_printf(out, "%s{\"name\":\"%s\",\"instructions\":%llu,\"seconds\":%.4f,\"million_per_second\":%.2f}",
			   i ? "," : "", ways[i].name, (unsigned long long)lab->results[i].insns,
			   lab->results[i].seconds, lab->results[i].speed);
	buf_str(out, "]}\n");
}

static void explain(const Lab *lab, Buf *out)
{
	const Result *r = lab->results;
	double per = per_insn(lab);

	buf_printf(out, "\nWhat this shows\n\n");
	buf_printf(out,
		   "Each instruction of this program means %.1f simple operations. The first four ways dispatch every one\n"
		   "of them by itself, so they pay %.1f indirect jumps per instruction; what differs is how they jump.\n\n",
		   per, per);
	buf_printf(out,
		   "- Finding out what an instruction means costs %.0f times as much as doing it: decode once, keep the\n"
		   "  result. Everything else on this page is small beside that.\n",
		   r[0].speed > 0 ? r[1].speed / r[0].speed - 1 : 0);
	buf_printf(out,
		   "- The switch jumps from one place, so the processor has to guess the next operation from the path it\n"
		   "  came by; each operation with a jump of its own %s here (%.2f times the switch). Processors\n"
		   "  from before about 2013 gained much more: theirs guessed by the place of the jump alone.\n",
		   r[2].speed > r[1].speed * 1.05 ? "helps" : "gives little", r[2].speed / r[1].speed);
	buf_printf(out, "- Holding the handler's address saves the load from the table: %.2f times the computed goto.\n",
		   r[3].speed / r[2].speed);
	buf_printf(out,
		   "- The best dispatch is the one that does not happen. Blocks look up the next instruction once in 64,\n"
		   "  and fusing makes one operation of several: %.1f times the threaded code, with the same checks and\n"
		   "  the same exact count.\n",
		   r[3].speed > 0 ? r[4].speed / r[3].speed : 0);
	buf_printf(out, "- A JIT has no dispatch at all. Husk has none yet.\n");
}

static void print_text(const Lab *lab, Buf *out)
{
	buf_printf(out, "%s: all ways agree in every register and cell after %llu instructions\n\n", lab->shown,
		   (unsigned long long)lab->counts.insns);
	buf_printf(out, "%-14s %12s %9s  %s\n", "dispatch", "million/s", "x switch", "what happens");
	for (u32 i = 0; i < WAYS; i++)
		buf_printf(out, "%-14s %12.2f %9.2f  %s\n", ways[i].name, lab->results[i].speed,
			   lab->results[1].speed > 0 ? lab->results[i].speed / lab->results[1].speed : 0, ways[i].what);
	buf_printf(out, "%-14s %12s %9s  %s\n", "JIT", "-", "-", "machine code for the host: not there yet");
	explain(lab, out);
}

static int draw(const Lab *lab)
{
	LabBar bars[WAYS + 1];
	Buf out, title;
	int code;

	buf_init(&out);
	buf_init(&title);
	buf_printf(&title, "Dispatch: %s", lab->shown);
	for (u32 i = 0; i < WAYS; i++)
		bars[i] = (LabBar){ways[i].name, "", lab->results[i].speed};
	bars[WAYS] = (LabBar){"JIT", "not there yet", -1};
	lab_chart(&out, buf_text(&title), "million instructions a second", bars, WAYS + 1);
	code = say_output(&out, lab->options->svg);
	buf_fini(&title);
	buf_fini(&out);
	return code;
}

static int dispatch_run(Command *command)
{
	const LabOptions *options = command->options;
	Lab lab = {.options = options, .names = command->operands, .count = command->operand_count};
	u64 rounds = options->rounds ? options->rounds : ROUNDS;
	Buf out;
	int code = 0;

	buf_init(&lab.first);
	buf_init(&out);
	lab.shown = lab.count ? lab.names[lab.count - 1] : "sieve.asm (LC-3, comes with husk)";
	for (u32 i = 0; i < WAYS && !code; i++)
		code = check(&lab, engine_of(&ways[i]), ways[i].name, i == 0);
	if (!code)
		code = check(&lab, &lab_engines[LAB_COUNTING], "counting", false);
	for (u64 round = 0; round < rounds + 1 && !code; round++) /* the first learns how long */
		for (u32 i = 0; i < WAYS && !code; i++)
			code = time_one(&lab, i);
	if (!code && lab.is_end && lab.counts.insns < 10000)
		say_note("the program ends after %llu instructions: too short to say much about speed",
			 (unsigned long long)lab.counts.insns);
	if (!code) {
		if (options->format && strcmp(options->format, "json") == 0)
			print_json(&lab, &out);
		else
			print_text(&lab, &out);
		code = say_output(&out, NULL);
	}
	if (!code && options->svg)
		code = draw(&lab);
	buf_fini(&out);
	buf_fini(&lab.first);
	return code;
}

static const Opt dispatch_options[] = {
	LOAD_ROWS_ISA(LabOptions, load),
	LOAD_ROWS_ASM(LabOptions, load),
	{"fuel", 'n', OPT_NUMBER, offsetof(LabOptions, fuel), "N", "at most N instructions a run"},
	{"rounds", 0, OPT_NUMBER, offsetof(LabOptions, rounds), "N", "timed runs of each way (default 5); the best counts"},
	{"svg", 0, OPT_TEXT, offsetof(LabOptions, svg), "FILE", "draw the figures into FILE"},
	{"format", 0, OPT_CHOICE, offsetof(LabOptions, format), "text|json", "json: the figures as one JSON value"},
	{0},
};

const Verb verb_lab_dispatch = {
	.name = "dispatch",
	.run = dispatch_run,
	.help = "one program through several ways of dispatching instructions",
	.operands = "[FILE...]",
	.max_operands = 16,
	.text = "Without FILE: a sieve on the LC-3 that comes with husk. The program gets no input.\n",
	.options = dispatch_options,
	.options_size = sizeof(LabOptions),
};
