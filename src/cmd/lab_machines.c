/* SPDX-License-Identifier: MIT
 *
 * husk lab stack-vs-register: the same algorithms on stack machines and register machines.
 *
 * Each program runs once under the counting engine (lab/lab_engine.h) for instructions, memory accesses and fetched code,
 * and many times under Husk's own interpreter for the time. Results are compared: a program that comes to something
 * else is an error here, not a figure.
 */
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "cmd/lab.h"
#include "cmd/say.h"

enum { MACHINES = 4, ALGORITHMS = 3, FUEL = 50000000 };

static const double time_enough = 0.08;

/* Where the program leaves its result. */
typedef struct Place {
	const char *space, *reg; /* one of them */
	u64 index;
} Place;

typedef struct Contestant {
	const char *machine, *kind;
	const char *sets[2];
	Place place;
} Contestant;

static const Contestant contestants[MACHINES] = {
	{"svm", "stack, locals beside it", {0}, {"stack", NULL, 0}},
	{"stackvm", "stack, nothing else", {"output=off"}, {"M", NULL, 1}},
	{"iridium", "32 registers", {0}, {NULL, "$1", 0}},
	{"lc3", "8 registers, loads and stores", {"profile=tiny"}, {NULL, "R5", 0}},
};

typedef struct Algorithm {
	const char *name, *what;
	u64 result;
} Algorithm;

static const Algorithm algorithms[ALGORITHMS] = {
	{"poly", "3x^3 + 2x^2 - 5x + 7 at x = 6, by Horner's rule", 697},
	{"sum", "1 + 2 + .. + 250, in a loop", 31375},
	{"fib", "Fibonacci's number 15, by calling itself", 610},
};

typedef struct Figures {
	bool there;
	LabCounts counts;
	u64 reads, writes, code; /* bytes */
	double seconds;          /* of one run */
} Figures;

static const char *extension_of(const char *machine)
{
	if (strcmp(machine, "svm") == 0)
		return "svm";
	if (strcmp(machine, "stackvm") == 0)
		return "sasm";
	return strcmp(machine, "iridium") == 0 ? "iasm" : "asm";
}

static int prepare(const Contestant *c, const LabText *text, const EngineOps *engine, Loaded *loaded)
{
	const char *sets[2];
	LoadOptions options = {.isa = c->machine, .engine = engine, .sets = {.items = sets}};

	for (u32 i = 0; i < 2 && c->sets[i]; i++)
		sets[options.sets.count++] = c->sets[i];
	load_init(loaded);
	return lab_load_text(loaded, &options, text);
}

static bool result_of(const Contestant *c, Machine *machine, u64 *value)
{
	const Isa *isa = machine_isa(machine);
	u32 slot;
	u8 width;

	if (c->place.space)
		return machine_read(machine, isa_find_space(isa, c->place.space, strlen(c->place.space)), c->place.index,
				    value) == STATUS_OK;
	if (!isa_find_register(isa, c->place.reg, strlen(c->place.reg), true, &slot, &width))
		return false;
	*value = machine_slot(machine, slot);
	return true;
}

static u64 cell_bytes(const Isa *isa, u32 space)
{
	return space < isa->space_count ? (isa->spaces[space].cell_bits + 7u) / 8 : 0;
}

/* One run under the counting engine, and is the result right? */
static int count(const Contestant *c, const Algorithm *a, const LabText *text, Figures *figures)
{
	Loaded loaded;
	u64 value = 0;
	int code = prepare(c, text, &lab_engines[LAB_COUNTING], &loaded);

	if (!code) {
		MachineStop stop = machine_run(loaded.machine, FUEL);

		if (stop.kind != STOP_HALT || !result_of(c, loaded.machine, &value) || value != a->result) {
			say_error("%s on %s came to %llu and not to %llu%s%s", a->name, c->machine,
				  (unsigned long long)value, (unsigned long long)a->result,
				  stop.kind == STOP_HALT ? "" : ": ", stop.kind == STOP_HALT ? "" : stop.text);
			code = EXIT_HUSK;
		}
		lab_counts(machine_engine(loaded.machine), &figures->counts);
		for (u32 s = 0; s < 16; s++) {
			figures->reads += figures->counts.reads[s] * cell_bytes(loaded.isa, s);
			figures->writes += figures->counts.writes[s] * cell_bytes(loaded.isa, s);
		}
		figures->code = figures->counts.fetched * cell_bytes(loaded.isa, loaded.isa->code_space);
		figures->there = true;
	}
	load_fini(&loaded);
	return code;
}

/* Times runs that start from the same registers; memory and translated code stay as they are. */
static double time_runs(Machine *machine, const u64 *start_slots)
{
	u32 slots = machine_isa(machine)->slot_count;
	double spent = 0, best = 1e9;

	for (u32 round = 0; round < 1000000 && spent < time_enough; round++) {
		double start;

		for (u32 i = 0; i < slots; i++)
			machine_set_slot(machine, i, start_slots[i]);
		start = lab_seconds();
		machine_run(machine, FUEL);
		start = lab_seconds() - start;
		spent += start + 1e-6;
		best = start < best ? start : best;
	}
	return best;
}

static int measure(const Contestant *c, const LabText *text, Figures *figures)
{
	Loaded loaded;
	int code = prepare(c, text, NULL, &loaded);

	if (!code) {
		u32 slots = loaded.isa->slot_count;
		u64 *start = ARENA_ARRAY(&loaded.arena, u64, slots);

		if (!start) {
			say_error("out of memory");
			code = EXIT_HUSK;
		} else {
			for (u32 i = 0; i < slots; i++)
				start[i] = machine_slot(loaded.machine, i);
			figures->seconds = time_runs(loaded.machine, start);
		}
	}
	load_fini(&loaded);
	return code;
}

static int run_all(Figures figures[ALGORITHMS][MACHINES])
{
	for (u32 a = 0; a < ALGORITHMS; a++)
		for (u32 m = 0; m < MACHINES; m++) {
			const Contestant *c = &contestants[m];
			const LabText *text;
			char name[32];
			int code;

			snprintf(name, sizeof name, "%s.%s", algorithms[a].name, extension_of(c->machine));
			text = lab_text(name);
			if (!text)
				continue;
			code = count(c, &algorithms[a], text, &figures[a][m]);
			if (!code)
				code = measure(c, text, &figures[a][m]);
			if (code)
				return code;
		}
	return 0;
}

static void print_table(Figures figures[ALGORITHMS][MACHINES], Buf *out)
{
	for (u32 a = 0; a < ALGORITHMS; a++) {
		buf_printf(out, "%s: %s = %llu\n", algorithms[a].name, algorithms[a].what,
			   (unsigned long long)algorithms[a].result);
		buf_printf(out, "  %-9s %-30s %12s %10s %10s %10s %10s\n", "machine", "", "instructions", "code, B", "read, B",
			   "written, B", "us");
		for (u32 m = 0; m < MACHINES; m++) {
			const Figures *f = &figures[a][m];

			buf_printf(out, "  %-9s %-30s ", contestants[m].machine, contestants[m].kind);
			if (f->there)
				buf_printf(out, "%12llu %10llu %10llu %10llu %10.2f\n", (unsigned long long)f->counts.insns,
					   (unsigned long long)f->code, (unsigned long long)f->reads,
					   (unsigned long long)f->writes, f->seconds * 1e6);
			else
				buf_printf(out, "%12s   it has no way to jump or call\n", "-");
		}
		buf_str(out, "\n");
	}
}

static double ratio(u64 a, u64 b)
{
	return b ? (double)a / (double)b : 0;
}

static void explain(Figures f[ALGORITHMS][MACHINES], Buf *out)
{
	enum { POLY, SUM, FIB };
	enum { SVM, STACKVM, IRIDIUM, LC3 };

	buf_str(out, "What this shows\n\n");
	buf_printf(out,
		   "- A stack machine says WHAT to do and leaves WHERE to the stack: its instructions are short to write, but\n"
		   "  there are more of them. For the loop SVM needs %.1f times as many as Iridium (%llu against %llu): each\n"
		   "  operand is pushed by an instruction of its own.\n",
		   ratio(f[SUM][SVM].counts.insns, f[SUM][IRIDIUM].counts.insns),
		   (unsigned long long)f[SUM][SVM].counts.insns, (unsigned long long)f[SUM][IRIDIUM].counts.insns);
	buf_printf(out,
		   "- The stack is memory: SVM moved %llu bytes of data for the loop, Iridium %llu. What a stack machine saves is\n"
		   "  operand numbers in the code; but only machines with byte codes (the JVM's) turn that into short code.\n"
		   "  SVM spends a 32-bit word on each opcode and operand: %.1f bytes an instruction, Iridium %.1f with three\n"
		   "  registers in it, the LC-3 %.1f.\n",
		   (unsigned long long)(f[SUM][SVM].reads + f[SUM][SVM].writes),
		   (unsigned long long)(f[SUM][IRIDIUM].reads + f[SUM][IRIDIUM].writes),
		   ratio(f[SUM][SVM].code, f[SUM][SVM].counts.insns),
		   ratio(f[SUM][IRIDIUM].code, f[SUM][IRIDIUM].counts.insns),
		   ratio(f[SUM][LC3].code, f[SUM][LC3].counts.insns));
	buf_printf(out,
		   "- In a classic interpreter every instruction is a dispatch, an indirect jump that may be guessed wrongly. So\n"
		   "  the number of instructions is the number that counts, and register machines win there (as was\n"
		   "  measured for Lua 5 and for Dalvik). Husk fuses operations within blocks and keeps the values of a stack\n"
		   "  on the way, but it must still write each push to memory: others may look.\n");
	buf_printf(out,
		   "- Calls even it out. Fibonacci: %llu instructions on SVM, whose call makes the frame, %llu on Iridium and %llu\n"
		   "  on the LC-3, which save and restore by hand, through memory.\n",
		   (unsigned long long)f[FIB][SVM].counts.insns, (unsigned long long)f[FIB][IRIDIUM].counts.insns,
		   (unsigned long long)f[FIB][LC3].counts.insns);
	buf_printf(out,
		   "- What is missing costs more than the style: the LC-3 has no multiplication, so the polynomial takes %llu\n"
		   "  instructions instead of %llu. And stackvm has no jumps: its sum is %llu instructions in a straight\n"
		   "  line, %llu bytes of code, each run once.\n",
		   (unsigned long long)f[POLY][LC3].counts.insns, (unsigned long long)f[POLY][IRIDIUM].counts.insns,
		   (unsigned long long)f[SUM][STACKVM].counts.insns, (unsigned long long)f[SUM][STACKVM].code);
}

static void print_json(Figures figures[ALGORITHMS][MACHINES], Buf *out)
{
	const char *comma = "";

	buf_str(out, "[");
	for (u32 a = 0; a < ALGORITHMS; a++)
		for (u32 m = 0; m < MACHINES; m++) {
			const Figures *f = &figures[a][m];

			if (!f->there)
				continue;
			buf_printf(out,
				   "%s{\"algorithm\":\"%s\",\"machine\":\"%s\",\"instructions\":%llu,\"operations\":%llu,"
				   "\"jumps\":%llu,\"code_bytes\":%llu,\"read_bytes\":%llu,\"written_bytes\":%llu,"
				   "\"microseconds\":%.3f}",
				   comma, algorithms[a].name, contestants[m].machine, (unsigned long long)f->counts.insns,
				   (unsigned long long)f->counts.ops, (unsigned long long)f->counts.jumps,
				   (unsigned long long)f->code, (unsigned long long)f->reads,
				   (unsigned long long)f->writes, f->seconds * 1e6);
			comma = ",\n ";
		}
	buf_str(out, "]\n");
}

static int draw(Figures figures[ALGORITHMS][MACHINES], const char *path)
{
	char names[ALGORITHMS * MACHINES][40], notes[ALGORITHMS * MACHINES][80];
	LabBar bars[ALGORITHMS * MACHINES];
	u32 count_bars = 0;
	Buf out;
	int code;

	for (u32 a = 0; a < ALGORITHMS; a++)
		for (u32 m = 0; m < MACHINES; m++) {
			const Figures *f = &figures[a][m];

			snprintf(names[count_bars], sizeof names[0], "%s, %s", algorithms[a].name, contestants[m].machine);
			snprintf(notes[count_bars], sizeof notes[0], "%llu instructions, %llu B of data",
				 (unsigned long long)f->counts.insns, (unsigned long long)(f->reads + f->writes));
			if (!f->there)
				snprintf(notes[count_bars], sizeof notes[0], "not possible there");
			bars[count_bars] = (LabBar){names[count_bars], notes[count_bars],
						    f->there ? 1000.0 * ratio(f->counts.insns, 1) /
							       (double)(figures[a][2].counts.insns ? figures[a][2].counts.insns : 1)
							     : -1};
			count_bars++;
		}
	buf_init(&out);
	lab_chart(&out, "Stack or registers", "instructions, Iridium = 1000", bars, count_bars);
	code = say_output(&out, path);
	buf_fini(&out);
	return code;
}

static int machines_run(Command *command)
{
	const LabOptions *options = command->options;
	Figures figures[ALGORITHMS][MACHINES] = {0};
	Buf out;
	int code = run_all(figures);

	if (code)
		return code;
	buf_init(&out);
	if (options->format && strcmp(options->format, "json") == 0) {
		print_json(figures, &out);
	} else {
		print_table(figures, &out);
		explain(figures, &out);
	}
	code = say_output(&out, NULL);
	buf_fini(&out);
	if (!code && options->svg)
		code = draw(figures, options->svg);
	return code;
}

static const Opt machines_options[] = {
	{"svg", 0, OPT_TEXT, offsetof(LabOptions, svg), "FILE", "draw the figures into FILE"},
	{"format", 0, OPT_CHOICE, offsetof(LabOptions, format), "text|json", "json: the figures as one JSON value"},
	{0},
};

const Verb verb_lab_machines = {
	.name = "stack-vs-register",
	.run = machines_run,
	.help = "the same algorithms on SVM, stackvm, Iridium and the LC-3",
	.operands = "",
	.text = "Counts instructions, code and data bytes, and takes the time.\n",
	.options = machines_options,
	.options_size = sizeof(LabOptions),
};
