/* SPDX-License-Identifier: MIT
 * What benchmarks of instances share: LC-3s through libhusk, and clocks. What goes wrong ends the program.
 */
#ifndef BENCH_INSTANCES_H
#define BENCH_INSTANCES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <husk/husk.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* By the clock; with CLOCK=cpu in the environment, what this process has had of the processors. */
static inline uint64_t spent(void)
{
	const char *clock = getenv("CLOCK");

	return clock_ns(clock && !strcmp(clock, "cpu") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC);
}

static inline void check(husk_status status, const char *what)
{
	if (status == HUSK_OK)
		return;
	fprintf(stderr, "%s: %s\n", what, husk_status_text(status));
	exit(1);
}

/* Of the smallest LC-3 there is. */
static inline husk_image *image_of(husk_context *context, const char *text)
{
	static const char *const tiny[] = {"profile=tiny"};
	husk_isa_options profile = {.size = sizeof profile, .choices = tiny, .choice_count = 1};
	husk_program *program;
	husk_machine *machine;
	husk_image *image;
	husk_isa *isa;

	check(husk_isa_load_builtin(context, "lc3", &profile, &isa, NULL), "isa");
	check(husk_program_assemble(isa, "bench.asm", text, strlen(text), NULL, &program, NULL), "program");
	check(husk_machine_create(program, NULL, &machine, NULL), "machine");
	check(husk_image_create(machine, &image), "image");
	husk_machine_destroy(machine);
	husk_program_unref(program);
	husk_isa_unref(isa);
	return image;
}

static inline husk_instance_info info_of(husk_instance *instance)
{
	husk_instance_info info = {.size = sizeof info};

	check(husk_instance_get_info(instance, &info), "info");
	return info;
}

#endif
