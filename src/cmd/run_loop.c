/* SPDX-License-Identifier: MIT
 *
 * husk run: the loop of a machine.
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
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/file.h"
#include "cmd/run_private.h"
#include "cmd/say.h"
#include "cmd/terminal.h"
#include "machine/vcpus.h"

#define IDLE_SECONDS 0.010
#define BACKGROUND_SECONDS 0.1 /* how often a waiting husk looks whether it is in the foreground again */

enum { SLICE_IDLE = 5000 }; /* while the guest only looks for keys */

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

int run_input_start(Run *run)
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

/* ---- The loop ---- */

double run_seconds_left(const Run *run, double most)
{
	double left = run->deadline > 0 ? run->deadline - terminal_now() : most;

	if (run->deadline > 0 && left < 0)
		left = 0;
	return most >= 0 && left > most ? most : left;
}

/* True when something other than the guest ends the run. */
bool run_has_to_end(Run *run)
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
void run_adapt_slice(Run *run, double took, u64 done)
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
	input_wait(run, run_seconds_left(run, IDLE_SECONDS));
}

MachineStop run_slice(Run *run)
{
	u64 left = run->fuel_end - machine_icount(run->loaded.machine);
	u64 count = left < run->slice ? left : run->slice;

	if (run->tracing)
		return trace_run(&run->trace, count);
	return machine_run(run->loaded.machine, count);
}

/* The machine's time goes on with ours. */
void run_set_time(Run *run)
{
	u64 now = terminal_now_ns(), passed = now > run->start_ns ? now - run->start_ns : 0;

	machine_set_time(run->loaded.machine, run->time_before + passed);
}

/* Every vCPU sleeps or waits for input, the first until `wake`: so do we. */
static void sleep_until(Run *run, u64 wake)
{
	u64 now;
	double seconds;

	run_set_time(run);
	now = machine_time(run->loaded.machine);
	if (wake <= now)
		return;
	seconds = run_seconds_left(run, wake - now > (u64)1 << 62 ? -1 : (double)(wake - now) * 1e-9);
	if (machine_input_pending(run->loaded.machine) < INPUT_AHEAD)
		input_wait(run, seconds);
	else
		terminal_wait(-1, seconds);
}

void run_loop(Run *run)
{
	Machine *machine = run->loaded.machine;
	double speed = run->options->speed > 0 ? run->options->speed : 1;

	while (!run_has_to_end(run)) {
		double before = terminal_now();
		MachineStats stats;
		MachineStop stop;

		machine_stats(machine, &stats);
		run_set_time(run);
		stop = run_slice(run);
		run_flush(run);
		switch (stop.kind) {
		case STOP_BUDGET:
			run_adapt_slice(run, terminal_now() - before, machine_icount(machine) - stats.icount);
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
				input_wait(run, run_seconds_left(run, -1));
			break;
		default:
			if (!run->output_closed) /* what it said last was lost: that is how the run ended */
				outcome_of_stop(&run->outcome, &run->loaded, &stop);
			return;
		}
	}
}

