/* SPDX-License-Identifier: MIT
 *
 * usage: scheduler wake LOOPS INTERACTIVE SECONDS | shares COUNT SECONDS | throughput COUNT
 *
 * LC-3s side by side on two workers, through libhusk, and what the scheduler makes of them:
 *
 *     wake        LOOPS that never end beside INTERACTIVE ones that wait for a letter, count to a thousand and write it.
 *                 Letters come at random moments, to each some twenty a second; from the letter to its echo: the median,
 *                 99 %, the longest, in us; how many; the share of the processors that the loops had; and
 *                 how late this program's own thread wakes, 99 %, in us: what others on this computer do to it
 *     shares      COUNT that never end, of weights from 50 to 800: by how much instructions, and by how much time, of the one
 *                 that is farthest off differ from its share, in percent
 *     throughput  COUNT that compute for about a millisecond each, all at once and two at a time (the end of one starts
 *                 the next): ratio of the times, and us of one
 *
 * CLOCK=cpu: throughput is of processor time. WORKERS=N: so many instead of two. Prints one line, "NAME NUMBER..." in the order above.
 */
#include <unistd.h>

#include "../instances.h"

enum { WAKES_A_SECOND = 20, ROUNDS = 3 };

static uint32_t workers(void)
{
	const char *number = getenv("WORKERS");

	return number ? (uint32_t)strtoul(number, NULL, 10) : 2;
}

static const char endless[] = ".ORIG x3000\nAGAIN ADD R3, R3, R1\nADD R1, R1, #-1\nBRp AGAIN\nADD R2, R2, #1\nLD R1, MANY\nBR AGAIN\n"
			      "MANY .FILL 2000\n.END\n";
static const char echoes[] = ".ORIG x3000\nAGAIN GETC\nLD R1, MANY\nLOOP ADD R1, R1, #-1\nBRp LOOP\nOUT\nBR AGAIN\nMANY .FILL 1000\n.END\n";
static const char computes[] = ".ORIG x3000\nLD R2, OUTER\nAGAIN LD R1, INNER\nLOOP ADD R3, R3, R1\nADD R1, R1, #-1\nBRp LOOP\nST R3, SUM\n"
			       "ADD R2, R2, #-1\nBRp AGAIN\nHALT\nOUTER .FILL 300\nINNER .FILL 2000\nSUM .FILL 0\n.END\n";

typedef struct Echo { /* who waits for a letter */
	husk_instance *instance;
	uint64_t asked;           /* atomic: when it got its letter; 0: it has answered */
	uint64_t next;            /* when it gets another one */
} Echo;

typedef struct Latencies {
	double *us;               /* owned */
	size_t most;
	size_t count;             /* atomic */
} Latencies;

static double quantile(const Latencies *sorted, size_t percent)
{
	return sorted->us[sorted->count * percent / 100];
}

typedef struct Line { /* of those that are started one after the other */
	husk_instance **all;
	size_t count;
	size_t started;           /* atomic */
} Line;

static Latencies latencies, lateness; /* of all echoes; of this program's own sleeping thread */

static uint64_t now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void sleep_until(uint64_t ns)
{
	struct timespec time = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void *array(size_t count, size_t size)
{
	void *all = calloc(count ? count : 1, size);

	if (!all)
		check(HUSK_NO_MEMORY, "table");
	return all;
}

static husk_instance *add(husk_hyper *hyper, husk_image *image, const husk_instance_options *options, int start)
{
	husk_instance *instance;

	check(husk_instance_create(hyper, image, options, &instance), "create");
	if (start)
		check(husk_instance_start(instance), "start");
	return instance;
}

static double had_by(husk_instance **all, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += (double)info_of(all[i]).cpu_ns;
	return sum;
}

/* ---- wake ---- */

static void on_echo(void *ctx, const void *bytes, size_t len)
{
	Echo *echo = ctx;
	uint64_t asked = __atomic_exchange_n(&echo->asked, 0, __ATOMIC_ACQ_REL);
	size_t at = asked ? __atomic_fetch_add(&latencies.count, 1, __ATOMIC_RELAXED) : latencies.most;

	(void)bytes;
	(void)len;
	if (at < latencies.most)
		latencies.us[at] = (double)(now() - asked) / 1000;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Between none and two of the usual time. */
static uint64_t pause_ns(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random % (2 * 1000000000ull / WAKES_A_SECOND);
}

static void send_letters(Echo *echoes_all, size_t count, uint64_t end)
{
	uint64_t random = 88172645463325252ull;

	for (size_t i = 0; i < count; i++)
		echoes_all[i].next = now() + pause_ns(&random);
	for (;;) {
		Echo *first = &echoes_all[0];

		for (size_t i = 1; i < count; i++)
			if (echoes_all[i].next < first->next)
				first = &echoes_all[i];
		if (first->next >= end)
			return;
		if (now() < first->next && lateness.count < lateness.most) {
			sleep_until(first->next);
			lateness.us[lateness.count++] = (double)(now() - first->next) / 1000;
		}
		first->next = now() + pause_ns(&random);
		if (__atomic_load_n(&first->asked, __ATOMIC_ACQUIRE))
			continue; /* it has not answered the last one: that will be a long one */
		__atomic_store_n(&first->asked, now(), __ATOMIC_RELEASE);
		check(husk_instance_input(first->instance, "x", 1), "input");
	}
}

static void wake(husk_context *context, size_t loop_count, size_t echo_count, uint64_t seconds)
{
	husk_hyper_options options = {.size = sizeof options, .workers = workers()};
	husk_image *loop = image_of(context, endless), *echo = image_of(context, echoes);
	husk_instance **loops = array(loop_count, sizeof *loops);
	Echo *all = array(echo_count, sizeof *all);
	double before, after;
	uint64_t start, elapsed;
	husk_hyper *hyper;

	latencies.most = 2 * seconds * WAKES_A_SECOND * echo_count;
	latencies.us = array(latencies.most, sizeof *latencies.us);
	lateness.most = latencies.most;
	lateness.us = array(lateness.most, sizeof *lateness.us);
	check(husk_hyper_create(context, &options, &hyper), "hyper");
	for (size_t i = 0; i < echo_count; i++) {
		husk_instance_options own = {.size = sizeof own, .output = on_echo, .output_ctx = &all[i]};

		all[i].instance = add(hyper, echo, &own, 1);
	}
	for (size_t i = 0; i < loop_count; i++)
		loops[i] = add(hyper, loop, NULL, 1);
	for (int i = 0; i < 100 && had_by(loops, loop_count) < 2e6 * (double)loop_count; i++) /* until all are on their way: 2 ms each */
		sleep_until(now() + 100000000);
	before = had_by(loops, loop_count);
	start = now();
	send_letters(all, echo_count, start + seconds * 1000000000);
	elapsed = now() - start;
	after = had_by(loops, loop_count);
	sleep_until(now() + 100000000); /* the last answers */
	for (size_t i = 0; i < echo_count; i++) {
		uint64_t asked = __atomic_load_n(&all[i].asked, __ATOMIC_ACQUIRE);

		if (asked) {
			fprintf(stderr, "scheduler: no answer after %.1f ms\n", (double)(now() - asked) / 1e6);
			exit(1);
		}
	}
	if (!latencies.count)
		check(HUSK_FAILED, "nobody answered");
	qsort(latencies.us, latencies.count, sizeof *latencies.us, by_size);
	qsort(lateness.us, lateness.count, sizeof *lateness.us, by_size);
	printf("wake %.0f %.0f %.0f %zu %.2f %.0f\n", quantile(&latencies, 50), quantile(&latencies, 99), latencies.us[latencies.count - 1],
	       latencies.count, (after - before) / (double)elapsed / workers(), lateness.count ? quantile(&lateness, 99) : 0);
}

/* ---- shares ---- */

static double off(double had, double share)
{
	double by = (had / share - 1) * 100;

	return by < 0 ? -by : by;
}

static void shares(husk_context *context, size_t count, uint64_t seconds)
{
	husk_hyper_options options = {.size = sizeof options, .workers = workers()};
	husk_image *image = image_of(context, endless);
	husk_instance **all = array(count, sizeof *all);
	double insns = 0, time = 0, weights = 0, most[2] = {0, 0};
	husk_instance_info *had = array(count, sizeof *had);
	husk_hyper *hyper;

	check(husk_hyper_create(context, &options, &hyper), "hyper");
	for (size_t i = 0; i < count; i++) {
		husk_instance_options own = {.size = sizeof own, .weight = (uint32_t)(50 + (count > 1 ? 750 * i / (count - 1) : 0))};

		all[i] = add(hyper, image, &own, 0);
	}
	for (size_t i = 0; i < count; i++)
		check(husk_instance_start(all[i]), "start");
	check(husk_hyper_run(hyper, seconds * 1000000000) == HUSK_TIMEOUT ? HUSK_OK : HUSK_FAILED, "run");
	for (size_t i = 0; i < count; i++) {
		had[i] = info_of(all[i]);
		insns += (double)had[i].instructions;
		time += (double)had[i].cpu_ns;
		weights += had[i].weight;
	}
	for (size_t i = 0; i < count; i++) {
		double part = had[i].weight / weights, of[2] = {off((double)had[i].instructions, insns * part), off((double)had[i].cpu_ns, time * part)};

		for (int k = 0; k < 2; k++)
			most[k] = of[k] > most[k] ? of[k] : most[k];
	}
	printf("shares %.2f %.2f\n", most[0], most[1]);
}

/* ---- throughput ---- */

static void start_next(Line *line)
{
	size_t at = __atomic_fetch_add(&line->started, 1, __ATOMIC_ACQ_REL);

	if (at < line->count)
		check(husk_instance_start(line->all[at]), "start");
}

static void on_end(void *ctx, husk_instance *instance)
{
	(void)instance;
	start_next(ctx);
}

static double compute(husk_context *context, husk_image *image, size_t count, size_t at_once)
{
	Line line = {.all = array(count, sizeof *line.all), .count = count};
	husk_hyper_options options = {.size = sizeof options, .workers = workers(), .ended = on_end, .ended_ctx = &line};
	uint64_t start;
	double time;
	husk_hyper *hyper;

	check(husk_hyper_create(context, &options, &hyper), "hyper");
	for (size_t i = 0; i < count; i++)
		line.all[i] = add(hyper, image, NULL, 0);
	start = spent();
	for (size_t i = 0; i < at_once; i++)
		start_next(&line);
	for (size_t i = 0; i < count; i++) /* one that has not begun does not count as alive: hyper_run would return */
		check(husk_instance_wait(line.all[i], HUSK_UNLIMITED), "wait");
	time = (double)(spent() - start);
	for (size_t i = 0; i < count; i++) {
		if (info_of(line.all[i]).end != HUSK_END_HALTED)
			check(HUSK_FAILED, info_of(line.all[i]).text);
		husk_instance_unref(line.all[i]);
	}
	husk_hyper_destroy(hyper);
	free(line.all);
	return time;
}

static void throughput(husk_context *context, size_t count)
{
	husk_image *image = image_of(context, computes);
	double best[2] = {0, 0};

	for (int round = 0; round < 2 * ROUNDS; round++) {
		double time = compute(context, image, count, round % 2 ? count : (size_t)workers());

		if (!best[round % 2] || time < best[round % 2])
			best[round % 2] = time;
	}
	printf("throughput %.3f %.0f\n", best[1] / best[0], best[0] / (double)count / 1000);
}

int main(int argc, char **argv)
{
	size_t numbers[3] = {0};
	husk_context *context;

	for (int i = 2; i < argc && i < 5; i++)
		numbers[i - 2] = strtoul(argv[i], NULL, 10);
	check(husk_context_create(NULL, &context), "context");
	if (argc == 5 && !strcmp(argv[1], "wake") && numbers[1])
		wake(context, numbers[0], numbers[1], numbers[2]);
	else if (argc == 4 && !strcmp(argv[1], "shares") && numbers[0])
		shares(context, numbers[0], numbers[1]);
	else if (argc == 3 && !strcmp(argv[1], "throughput") && numbers[0])
		throughput(context, numbers[0]);
	else
		return 2;
	fflush(stdout);
	_exit(0); /* nothing is tidied up: most of them never end */
}
