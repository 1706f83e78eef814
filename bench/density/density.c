/* SPDX-License-Identifier: MIT
 *
 * usage: density idle COUNT | run COUNT | fork COUNT | switch COUNT | processes COUNT | linux COUNT PROGRAM MIB | debian COUNT ROOT PROGRAM
 *        ARGUMENT... | process COUNT MIB
 *
 * Many LC-3s through libhusk, on the caller's thread (workers = 0), and what one costs:
 *
 *     idle       COUNT of them have said a letter and wait for input, each with registers and memory of its own: bytes each
 *     run        create, run a program of some 20 instructions to its end, destroy, COUNT times: ns each
 *     fork       COUNT forks of one that has run a while, which then wait: ns of the fork, ns with the run, bytes each
 *     switch     COUNT that compute, at once and one after the other: the ratio of the times
 *     processes  fork(2), exit and wait of this program, COUNT times: ns each
 *     linux      COUNT forks of a Linux program (bench/density/fork.c) that has written MIB megabytes and waits for a letter; each gets
 *                one, computes, writes into 8 pages, and waits again: ns of the first fork, ns of each further one, ns of the letter,
 *                bytes of one that waits, MiB of this process when all do, all of the image counted
 *     debian     likewise COUNT forks of a program in a folder with Debian's (tools/debian-rv64), which answers each letter that it reads
 *                with one
 *     process    fork(2) of a process that has written MIB megabytes, COUNT times: ns of fork(2) alone, ns until the child has written
 *                8 pages and ended
 *
 * Prints one line, "NAME NUMBER..." in the order above.
 */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../instances.h"

static const char waits[] = ".ORIG x3000\nAND R1, R1, #0\nADD R1, R1, #15\nLEA R2, BUFFER\nFILL STR R1, R2, #0\nADD R2, R2, #1\n"
			    "ADD R1, R1, #-1\nBRp FILL\nLD R0, LETTER\nOUT\nAGAIN GETC\nOUT\nBR AGAIN\nLETTER .FILL x41\nBUFFER .BLKW 16\n.END\n";
static const char brief[] = ".ORIG x3000\nAND R0, R0, #0\nADD R0, R0, #6\nLOOP ADD R0, R0, #-1\nBRp LOOP\nST R0, RESULT\nHALT\nRESULT .FILL 1\n.END\n";
static const char computes[] = ".ORIG x3000\nLD R2, OUTER\nAGAIN LD R1, INNER\nLOOP ADD R3, R3, R1\nADD R1, R1, #-1\nBRp LOOP\nST R3, SUM\n"
			       "ADD R2, R2, #-1\nBRp AGAIN\nHALT\nOUTER .FILL 1000\nINNER .FILL 2000\nSUM .FILL 0\n.END\n";

static double now(void)
{
	return (double)spent();
}

static double resident(void)
{
	long pages = 0, all;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%ld %ld", &all, &pages) != 2)
		pages = 0;
	if (file)
		fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static husk_hyper *open_hyper(husk_context *context)
{
	husk_hyper_options options = {.size = sizeof options, .slice_instructions = 500000};
	husk_hyper *hyper;

	check(husk_hyper_create(context, &options, &hyper), "hyper");
	return hyper;
}

static husk_instance *begin(husk_hyper *hyper, husk_image *image)
{
	const husk_instance_options options = {.size = sizeof options, .has_rights = 1, .rights = HUSK_OUTPUT | HUSK_INPUT | HUSK_RANDOM | HUSK_TIME | HUSK_VCPUS | HUSK_SERVICES | HUSK_FILES};
	husk_instance *instance;

	check(husk_instance_create(hyper, image, &options, &instance), "create");
	check(husk_instance_start(instance), "start");
	return instance;
}

static void expect(husk_instance *instance, husk_instance_state state)
{
	husk_instance_info info = info_of(instance);

	if (info.state == state && (state != HUSK_INSTANCE_ENDED || info.end == HUSK_END_HALTED))
		return;
	fprintf(stderr, "density: an instance is %s (%s, %d)\n", husk_instance_state_name(info.state), info.text, info.exit_code);
	exit(1);
}

static void run(husk_hyper *hyper)
{
	check(husk_hyper_run(hyper, HUSK_UNLIMITED), "run");
}

static void idle(husk_context *context, long count, husk_instance **all)
{
	husk_hyper *hyper = open_hyper(context);
	husk_image *image = image_of(context, waits);
	double before;

	for (long i = 0; i < count; i++)
		all[i] = NULL; /* the table is no cost of theirs */
	before = resident();
	for (long i = 0; i < count; i++) {
		all[i] = begin(hyper, image);
		if (i % 100 == 99)
			run(hyper);
	}
	run(hyper);
	printf("idle %.0f\n", (resident() - before) / (double)count);
	for (long i = 0; i < count; i += 1 + count / 1000) {
		expect(all[i], HUSK_INSTANCE_WAITING);
		check(husk_instance_input(all[i], "x", 1), "input");
	}
	run(hyper);
	expect(all[count / 2], HUSK_INSTANCE_WAITING);
}

static void create_run_destroy(husk_context *context, long count)
{
	husk_hyper *hyper = open_hyper(context);
	husk_image *image = image_of(context, brief);
	double start = 0;

	for (long i = -count / 10; i < count; i++) {
		husk_instance *instance;

		if (i == 0)
			start = now();
		instance = begin(hyper, image);
		run(hyper);
		expect(instance, HUSK_INSTANCE_ENDED);
		husk_instance_unref(instance);
	}
	printf("run %.0f\n", (now() - start) / (double)count);
}

static void forks(husk_context *context, long count, husk_instance **all)
{
	husk_hyper *hyper = open_hyper(context);
	husk_image *image = image_of(context, waits);
	husk_instance *parent = begin(hyper, image);
	double start, forked, before;

	run(hyper);
	expect(parent, HUSK_INSTANCE_WAITING);
	for (long i = 0; i < count; i++)
		all[i] = NULL;
	before = resident();
	start = now();
	for (long i = 0; i < count; i++)
		check(husk_instance_fork(parent, NULL, &all[i]), "fork");
	forked = now();
	for (long i = 0; i < count; i++) {
		check(husk_instance_start(all[i]), "start");
		check(husk_instance_input(all[i], "x", 1), "input");
	}
	run(hyper);
	expect(all[count - 1], HUSK_INSTANCE_WAITING);
	printf("fork %.0f %.0f %.0f\n", (forked - start) / (double)count, (now() - start) / (double)count, (resident() - before) / (double)count);
}

static double compute(husk_context *context, husk_image *image, long count, husk_instance **all, int at_once)
{
	husk_hyper *hyper = open_hyper(context);
	double start = now(), time;

	for (long i = 0; i < count; i++) {
		all[i] = begin(hyper, image);
		if (!at_once)
			run(hyper);
	}
	run(hyper);
	time = now() - start;
	for (long i = 0; i < count; i++) {
		expect(all[i], HUSK_INSTANCE_ENDED);
		husk_instance_unref(all[i]);
	}
	husk_hyper_destroy(hyper);
	return time;
}

static void switches(husk_context *context, long count, husk_instance **all)
{
	husk_image *image = image_of(context, computes);
	double best[2] = {0, 0};

	for (int round = 0; round < 6; round++) {
		double time = compute(context, image, count, all, round % 2);

		if (!best[round % 2] || time < best[round % 2])
			best[round % 2] = time;
	}
	printf("switch %.3f %.0f\n", best[1] / best[0], best[0] / (double)count);
}

/* linux_options: or NULL. */
static husk_image *linux_image(husk_context *context, const char *path, const husk_linux_options *linux_options)
{
	husk_machine_options options = {.size = sizeof options, .memory = (uint64_t)256 << 20, .linux_options = linux_options};
	static char bytes[16 << 20];
	FILE *file = fopen(path, "rb");
	size_t len = file ? fread(bytes, 1, sizeof bytes, file) : 0;
	husk_file elf = {.name = path, .data = bytes, .len = len, .kind = HUSK_FILE_OBJECT};
	husk_program *program;
	husk_machine *machine;
	husk_image *image;
	husk_isa *isa;

	if (file)
		fclose(file);
	check(husk_isa_load_builtin(context, "rv64", NULL, &isa, NULL), "isa");
	check(husk_program_load(isa, &elf, 1, NULL, &program, NULL), "program");
	check(husk_machine_create(program, &options, &machine, NULL), "machine");
	check(husk_image_create(machine, &image), "image");
	husk_machine_destroy(machine);
	husk_program_unref(program);
	husk_isa_unref(isa);
	return image;
}

static void linux_forks(husk_context *context, const char *name, long count, husk_instance **all, husk_image *image, long mib)
{
	husk_hyper *hyper = open_hyper(context);
	husk_instance *parent = begin(hyper, image), *first;
	double start, frozen, forked, before, heard;

	run(hyper);
	expect(parent, HUSK_INSTANCE_WAITING);
	for (long i = 0; i < count; i++)
		all[i] = NULL;
	start = now();
	check(husk_instance_fork(parent, NULL, &first), "fork");
	frozen = now();
	check(husk_instance_start(first), "start");
	check(husk_instance_input(first, "x", 1), "input");
	run(hyper);
	before = resident();
	forked = now();
	for (long i = 0; i < count; i++)
		check(husk_instance_fork(parent, NULL, &all[i]), "fork");
	heard = now();
	for (long i = 0; i < count; i++) {
		check(husk_instance_start(all[i]), "start");
		check(husk_instance_input(all[i], "x", 1), "input");
		if (i % 100 == 99)
			run(hyper);
	}
	run(hyper);
	for (long i = 0; i < count; i++)
		expect(all[i], HUSK_INSTANCE_WAITING);
	printf("%s %.0f %.0f %.0f %.0f %.0f\n", name, frozen - start, (heard - forked) / (double)count, (now() - heard) / (double)count,
	       (resident() - before) / (double)count, resident() / 1048576 + (double)mib);
}

/* where: the folder, the program as it is called in there, what else it is told. */
static void debian_forks(husk_context *context, long count, husk_instance **all, char **where, size_t len)
{
	static const char *const environment[] = {"LANG=C.UTF-8", "PATH=/usr/bin"};
	const husk_linux_options options = {.size = sizeof options, .arguments = (const char *const *)where + 1, .argument_count = len - 1,
					    .environment = environment, .environment_count = 2, .root = where[0]};
	husk_image *image;
	char path[4096];

	snprintf(path, sizeof path, "%s%s", where[0], where[1]);
	image = linux_image(context, path, &options);
	linux_forks(context, "debian", count, all, image, 0);
}

static void process(long count, long mib)
{
	size_t len = (size_t)mib << 20;
	char *memory = malloc(len);
	double forked = 0, start;

	if (!memory)
		exit(1);
	unsetenv("CLOCK"); /* what a child takes is in no processor time of ours */
	memset(memory, 1, len);
	start = now();
	for (long i = 0; i < count; i++) {
		double before = now();
		pid_t child = fork();

		if (child == 0) {
			for (size_t k = 0; k < 8; k++)
				((volatile char *)memory)[k * len / 8] = 2;
			_exit(0);
		}
		forked += now() - before;
		if (child < 0 || waitpid(child, NULL, 0) != child)
			exit(1);
	}
	printf("process %.0f %.0f\n", forked / (double)count, (now() - start) / (double)count);
}

static void processes(long count)
{
	double start = now();

	for (long i = 0; i < count; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		if (child < 0 || waitpid(child, NULL, 0) != child)
			exit(1);
	}
	printf("processes %.0f\n", (now() - start) / (double)count);
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	husk_instance **all = count > 0 ? malloc((size_t)count * sizeof *all) : NULL;
	husk_context *context;

	if (!all)
		return 2;
	check(husk_context_create(NULL, &context), "context");
	if (!strcmp(argv[1], "idle"))
		idle(context, count, all);
	else if (!strcmp(argv[1], "run"))
		create_run_destroy(context, count);
	else if (!strcmp(argv[1], "fork"))
		forks(context, count, all);
	else if (!strcmp(argv[1], "switch"))
		switches(context, count, all);
	else if (!strcmp(argv[1], "processes"))
		processes(count);
	else if (!strcmp(argv[1], "linux") && argc == 5)
		linux_forks(context, "linux", count, all, linux_image(context, argv[3], NULL), strtol(argv[4], NULL, 10));
	else if (!strcmp(argv[1], "debian") && argc >= 5)
		debian_forks(context, count, all, argv + 3, (size_t)argc - 3);
	else if (!strcmp(argv[1], "process") && argc == 4)
		process(count, strtol(argv[3], NULL, 10));
	else
		return 2;
	fflush(stdout);
	_exit(0); /* nothing is tidied up: there is much, and it is not what is asked for */
}
