/* SPDX-License-Identifier: MIT
 *
 * !spawn: a program in a machine of its own. It shares nothing with the session but the description: whatever becomes
 * of it is told as events with their times, and the session is as it was.
 */
#include <stdio.h>
#include <time.h>

#include "cmd/interrupt.h"
#include "cmd/outcome.h"
#include "cmd/repl.h"
#include "cmd/say.h"

enum { SLICE = 200000, FUEL_FACTOR = 100 };

static void event(Repl *repl, const char *text)
{
	struct timespec now;
	struct tm parts;
	char stamp[40];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
	repl_message(repl, "%s.%03ldZ  %s", stamp, now.tv_nsec / 1000000, text);
}

static void crashed(Repl *repl, int code, const char *why)
{
	char text[64];

	snprintf(text, sizeof text, "Crash {code: %d}", repl->shell->crash_code ? repl->shell->crash_code : code);
	event(repl, text);
	if (why && *why)
		repl_message(repl, "%s", why);
}

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	Repl *repl = ctx;

	if (!len)
		return;
	repl_flush(repl);
	repl_write(repl, bytes, len);
	repl->mid_line = bytes[len - 1] != '\n';
}

static bool goes_on(const MachineStop *stop)
{
	return stop->kind == STOP_BUDGET || stop->kind == STOP_FRAME || stop->kind == STOP_WAIT || stop->kind == STOP_SLEEP;
}

static void run(Repl *repl, Loaded *loaded)
{
	const u64 fuel = repl->fuel > ~(u64)0 / FUEL_FACTOR ? ~(u64)0 : repl->fuel * FUEL_FACTOR;
	Machine *machine = loaded->machine;
	MachineStop stop = {.kind = STOP_BUDGET};
	Outcome outcome;
	char text[64];

	machine_set_output(machine, on_output, repl);
	machine_input_end(machine);
	while (goes_on(&stop) && machine_icount(machine) < fuel && !*interrupt_flag()) {
		stop = machine_run(machine, SLICE);
		if (stop.kind == STOP_SLEEP)
			repl_sleep_until(machine, stop.code);
	}
	outcome_init(&outcome);
	if (*interrupt_flag()) {
		crashed(repl, EXIT_SIGNAL + 2, "interrupted");
	} else if (goes_on(&stop)) {
		crashed(repl, EXIT_LIMIT, "it runs too long: --fuel gives a hundredth of what it may execute");
	} else {
		outcome_of_stop(&outcome, loaded, &stop);
		if (stop.kind == STOP_HALT) {
			snprintf(text, sizeof text, "GracefulStop {code: %d}", outcome.code);
			event(repl, text);
		} else {
			crashed(repl, outcome.code, buf_text(&outcome.reason));
		}
	}
	outcome_fini(&outcome);
}

static void complain(Repl *repl, const Loaded *loaded)
{
	diag_render(&loaded->diags, &repl->out, repl->color);
	if (loaded->error.len)
		repl_message(repl, "%s%s", repl->shell->no_file ? repl->shell->no_file : "", buf_text(&loaded->error));
	if (loaded->hint.len)
		repl_message(repl, "%s", buf_text(&loaded->hint));
}

void repl_spawn(Repl *repl, const char *path)
{
	const char *const names[] = {path};
	Loaded loaded;
	int code;

	load_init(&loaded);
	code = load_files(&loaded, names, 1);
	if (!code)
		code = load_isa(&loaded, &repl->load);
	if (!code)
		code = load_assemble(&loaded, &repl->load);
	if (code) {
		complain(repl, &loaded);
	} else {
		if (repl->shell->sending)
			repl_message(repl, "%s", repl->shell->sending);
		if (repl->shell->events)
			repl_message(repl, "%s", repl->shell->events);
		event(repl, "Start");
		code = load_machine(&loaded, &repl->load);
		if (code) {
			crashed(repl, code, NULL);
			complain(repl, &loaded);
		} else {
			run(repl, &loaded);
		}
	}
	load_fini(&loaded);
}
