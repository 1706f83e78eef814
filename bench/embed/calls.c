/* SPDX-License-Identifier: MIT
 *
 * What a call costs, from the host into a guest and from a guest to the host, by libhusk. Minima of several rounds, in ns.
 *
 *     cc -O2 bench/calls.c $(pkg-config --cflags --libs husk) -o calls && ./calls
 */
#include <husk/husk.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 500, CALLS = 2000 }; /* short rounds: on a busy computer one of them is undisturbed */

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
			      "insn JMP \"00000010 tttttttt\" t { jump t }\n"
			      "insn INC \"00000011\" { a = a + 1 }\n";
static const char own_text[] = "L: TICK\n JMP L\n";
static const char idle_text[] = "L: INC\n JMP L\n";

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

static void into_guest(husk_machine *machine, const char *what, const char *name)
{
	husk_function *function;
	double best = 1e18;
	uint64_t sum = 0;

	must(husk_function_find(machine, name, NULL, &function), NULL, name);
	for (int round = 0; round < ROUNDS; round++) {
		double start = now();

		for (uint64_t i = 0; i < CALLS; i++) {
			const uint64_t args[] = {i & 0xFF, 2};
			uint64_t result;

			must(husk_function_call(function, args, 2, 1000, &result, NULL), NULL, what);
			sum += result;
		}
		start = (now() - start) / CALLS;
		best = start < best ? start : best;
	}
	husk_function_destroy(function);
	printf("%-44s %8.1f ns  (%llu)\n", what, best, (unsigned long long)sum);
}

static double per_loop(husk_machine *machine, uint64_t instructions)
{
	double best = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		double start = now();

		must(husk_machine_run(machine, CALLS * instructions, NULL), NULL, "run");
		start = (now() - start) / CALLS;
		best = start < best ? start : best;
	}
	return best;
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"best", "interpreter"};
	husk_context *context;
	husk_hosts *hosts;
	const char *only = argc > 1 ? argv[1] : "";
	uint64_t ticks = 0;

	must(husk_context_create(NULL, &context), NULL, "context");
	must(husk_hosts_create(context, &hosts), NULL, "hosts");
	must(husk_hosts_add(hosts, "ready", ready, NULL), NULL, "ready");
	must(husk_hosts_add(hosts, "tick", tick, &ticks), NULL, "tick");
	for (int engine = HUSK_ENGINE_BEST; engine <= HUSK_ENGINE_INTERPRETER; engine++) {
		if (!strstr(names[engine], only))
			continue;

		husk_machine *machine = make(context, "rv64", NULL, rv64_text, hosts, (husk_engine)engine);
		char what[80];

		must(husk_machine_run(machine, 1000, NULL), NULL, "run");
		snprintf(what, sizeof what, "host -> guest -> host, rv64, %s", names[engine]);
		into_guest(machine, what, "add");
		printf("guest -> host, rv64, %-22s  %8.1f ns a loop\n", names[engine], per_loop(machine, 4));
		husk_machine_destroy(machine);
		machine = make(context, "lc3", NULL, lc3_text, NULL, (husk_engine)engine);
		snprintf(what, sizeof what, "host -> guest -> host, lc3, %s", names[engine]);
		into_guest(machine, what, "ADDS");
		husk_machine_destroy(machine);
		machine = make(context, "ticker", own_isa, own_text, hosts, (husk_engine)engine);
		printf("guest -> host, own, %-22s   %8.1f ns a loop", names[engine], per_loop(machine, 2));
		husk_machine_destroy(machine);
		machine = make(context, "idle", own_isa, idle_text, hosts, (husk_engine)engine);
		printf(" (%.1f without)\n", per_loop(machine, 2));
		husk_machine_destroy(machine);
	}
	husk_hosts_unref(hosts);
	husk_context_unref(context);
	return 0;
}
