/* SPDX-License-Identifier: MIT
 *
 * What a call costs, from the host into a guest and from a guest to the host, by libhusk: lines `NAME NS`, minima of many short rounds,
 * as on a busy computer one of them is undisturbed. `make bench SUITE=embed` runs it beside others; by hand:
 *
 *     cc -O2 bench/embed/calls.c $(pkg-config --cflags --libs husk) -o calls && ./calls
 */
#include <husk/husk.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 500, CALLS = 2000 };

/* RISC-V code for a description without an operating system is not built in: these are Linux programs. */
static const char rv64_text[] = "        .globl _start\n"
				"_start: li a7, 0x48001000\n" /* host function 0: ready */
				"        ecall\n"
				"loop:   li a7, 0x48001001\n" /* 1: tick */
				"        ecall\n"
				"        j loop\n"
				"add:    add a0, a0, a1\n"
				"        ret\n";

static const char lc3_text[] = "        .ORIG x3000\n"
			       "LOOP    BR LOOP\n"
			       "ADDS    ADD R0, R0, R1\n"
			       "        RET\n"
			       "        .END\n";

static const char own_isa[] = "isa TICKER \"calls the host\"\n"
			      "space M : 8 x 256\n"
			      "code M\n"
			      "reg a : 32\n"
			      "reg pc : 8\n"
			      "host tick(x:32) : 32\n"
			      "field t : abs\n"
			      "insn TICK \"00000001\" { a = host tick(a) }\n"
			      "insn JMP \"00000010 tttttttt\" t { jump t }\n";
static const char own_text[] = "L: TICK\n JMP L\n";

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static husk_host_result ready(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	(void)ctx;
	(void)machine;
	(void)args;
	(void)count;
	(void)result;
	return HUSK_HOST_PAUSE;
}

static husk_host_result tick(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	(void)machine;
	(void)count;
	++*(uint64_t *)ctx;
	*result = args[0] + 1;
	return HUSK_HOST_DONE;
}

static void must(husk_status status, husk_error *error, const char *what)
{
	if (!status)
		return;
	fprintf(stderr, "%s: %s\n%s", what, husk_status_text(status), husk_error_text(error));
	exit(1);
}

static husk_machine *make(husk_context *context, const char *name, const char *isa_text, const char *text, husk_hosts *hosts, husk_engine engine)
{
	husk_machine_options options;
	husk_machine *machine;
	husk_program *program;
	husk_error *error;
	husk_isa *isa;

	HUSK_INIT(options);
	options.hosts = hosts;
	options.engine = engine;
	if (isa_text)
		must(husk_isa_load_text(context, name, isa_text, strlen(isa_text), NULL, &isa, &error), error, name);
	else
		must(husk_isa_load_builtin(context, name, NULL, &isa, &error), error, name);
	must(husk_program_assemble(isa, name, text, strlen(text), NULL, &program, &error), error, name);
	must(husk_machine_create(program, &options, &machine, &error), error, name);
	husk_program_unref(program);
	husk_isa_unref(isa);
	return machine;
}

static void say(const char *what, husk_engine engine, double ns)
{
	printf("%s%s %.1f\n", what, engine == HUSK_ENGINE_INTERPRETER ? "-interpreter" : "", ns);
}

/* ns for a call of `name`, which adds two numbers. */
static double into_guest(husk_machine *machine, const char *name)
{
	husk_function *function;
	double best = 1e18;
	uint64_t sum = 0, wanted = 0;

	must(husk_function_find(machine, name, NULL, &function), NULL, name);
	for (int round = 0; round < ROUNDS; round++) {
		double start = now();

		for (uint64_t i = 0; i < CALLS; i++) {
			const uint64_t args[] = {i & 0xFF, 2};
			uint64_t result;

			must(husk_function_call(function, args, 2, 1000, &result, NULL), NULL, name);
			sum += result;
			wanted += args[0] + args[1];
		}
		start = (now() - start) / CALLS;
		best = start < best ? start : best;
	}
	husk_function_destroy(function);
	if (sum != wanted) {
		fprintf(stderr, "%s: the sum is wrong\n", name);
		exit(1);
	}
	return best;
}

/* ns for a loop of so many instructions, in which the host is called once. */
static double per_loop(husk_machine *machine, uint64_t instructions, const uint64_t *ticks)
{
	const uint64_t before = *ticks;
	double best = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		double start = now();

		must(husk_machine_run(machine, CALLS * instructions, NULL), NULL, "run");
		start = (now() - start) / CALLS;
		best = start < best ? start : best;
	}
	if (*ticks - before != (uint64_t)ROUNDS * CALLS) {
		fprintf(stderr, "the host was not called as often as it should have been\n");
		exit(1);
	}
	return best;
}

int main(void)
{
	husk_context *context;
	husk_hosts *hosts;
	uint64_t ticks = 0;

	must(husk_context_create(NULL, &context), NULL, "context");
	must(husk_hosts_create(context, &hosts), NULL, "hosts");
	must(husk_hosts_add(hosts, "ready", ready, NULL), NULL, "ready");
	must(husk_hosts_add(hosts, "tick", tick, &ticks), NULL, "tick");
	for (int i = HUSK_ENGINE_BEST; i <= HUSK_ENGINE_INTERPRETER; i++) {
		const husk_engine engine = (husk_engine)i;
		husk_machine *machine = make(context, "rv64", NULL, rv64_text, hosts, engine);

		must(husk_machine_run(machine, 1000, NULL), NULL, "run"); /* ready */
		say("in-rv64", engine, into_guest(machine, "add"));
		say("out-rv64", engine, per_loop(machine, 4, &ticks));
		husk_machine_destroy(machine);
		machine = make(context, "lc3", NULL, lc3_text, NULL, engine);
		say("in-lc3", engine, into_guest(machine, "ADDS"));
		husk_machine_destroy(machine);
		machine = make(context, "ticker", own_isa, own_text, hosts, engine);
		say("out-own", engine, per_loop(machine, 2, &ticks));
		husk_machine_destroy(machine);
	}
	husk_hosts_unref(hosts);
	husk_context_unref(context);
	return 0;
}
