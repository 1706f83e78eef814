/* SPDX-License-Identifier: MIT
 *
 * husk up: what is said about instances, live and at the end.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/outcome.h"
#include "cmd/up.h"

/* "12.3 M" */
static const char *amount(u64 number, char *text, size_t cap)
{
	static const char units[] = " kMGTPE";
	double value = (double)number;
	u32 unit = 0;

	while (value >= 999.5 && unit + 1 < sizeof units - 1) {
		value /= 1000;
		unit++;
	}
	if (unit)
		snprintf(text, cap, "%.*f %c", value < 10 ? 2 : value < 100 ? 1 : 0, value, units[unit]);
	else
		snprintf(text, cap, "%llu", (unsigned long long)number);
	return text;
}

/* With the program's own names, where it was a fault or the like. */
static void why(const UpMember *member, const InstanceInfo *info, Buf *out)
{
	Loaded view = *member->loaded;
	Outcome outcome;

	if (info->end != END_FAILED || (info->stop.kind != STOP_FAULT && info->stop.kind != STOP_ILLEGAL)) {
		buf_str(out, info->text);
		return;
	}
	view.machine = instance_hold(member->instance);
	outcome_init(&outcome);
	outcome_of_stop(&outcome, &view, &info->stop);
	instance_release(member->instance);
	buf_str(out, buf_text(&outcome.reason));
	outcome_fini(&outcome);
}

static const char *state_of(const InstanceInfo *info, char *text, size_t cap)
{
	if (info->state != INSTANCE_ENDED)
		snprintf(text, cap, "%s", instance_state_name(info->state));
	else if (info->end == END_HALTED || info->end == END_STOPPED)
		snprintf(text, cap, "%s %d", instance_end_name(info->end), info->code);
	else
		snprintf(text, cap, "%s", instance_end_name(info->end));
	return text;
}

void up_table(UpMember *const *members, u32 count, double seconds, bool ended, u32 rows, Buf *out)
{
	u32 width = 4, shown = rows && rows < count ? rows : count;

	for (u32 i = 0; i < shown; i++)
		width = strlen(members[i]->name) > width ? (u32)strlen(members[i]->name) : width;
	buf_printf(out, "%-*s  %-10s %12s %10s %8s %8s %8s\n", (int)width, "NAME", "STATE", "INSTRUCTIONS", "A SECOND", "CPU", "MEMORY",
		   "OUTPUT");
	for (u32 i = 0; i < shown; i++) {
		char state[24], insns[16], rate[16], memory[16], output[16];
		InstanceInfo info;
		double cpu;

		instance_info(members[i]->instance, &info);
		cpu = (double)info.cpu_ns / 1e9;
		buf_printf(out, "%-*s  %-10s %12s %10s %7.2fs %8s %8s", (int)width, members[i]->name,
			   state_of(&info, state, sizeof state), amount(info.insns, insns, sizeof insns),
			   amount(cpu > 0 ? (u64)((double)info.insns / cpu) : 0, rate, sizeof rate), cpu,
			   amount(info.memory, memory, sizeof memory), amount(info.output_bytes, output, sizeof output));
		if (ended && info.text[0]) {
			buf_str(out, "  ");
			why(members[i], &info, out);
		}
		if (ended && info.state == INSTANCE_WAITING)
			buf_str(out, info.waits == WAIT_MESSAGE ? "  waits for a message, which nobody will send"
				     : members[i]->loaded->guest && members[i]->loaded->guest->is_linux
					     ? "  waits for what nobody will give"
					     : "  waits for input");
		if (ended && info.refused[0])
			buf_printf(out, "  (ran into %s)", info.refused);
		buf_byte(out, '\n');
	}
	if (shown < count)
		buf_printf(out, "... and %u more\n", count - shown);
	if (!ended)
		buf_printf(out, "%.1f s\n", seconds);
}

void up_json(UpMember *const *members, u32 count, double seconds, Buf *out)
{
	buf_printf(out, "{\"seconds\": %.6f, \"instances\": [", seconds);
	for (u32 i = 0; i < count; i++) {
		InstanceInfo info;
		Buf text;

		instance_info(members[i]->instance, &info);
		buf_init(&text);
		why(members[i], &info, &text);
		buf_printf(out, "%s\n  {\"name\": ", i ? "," : "");
		buf_json_string(out, members[i]->name, strlen(members[i]->name));
		buf_printf(out, ", \"machine\": ");
		buf_json_string(out, members[i]->loaded->isa->name, strlen(members[i]->loaded->isa->name));
		buf_printf(out, ", \"state\": \"%s\", \"code\": ", info.state == INSTANCE_ENDED ? instance_end_name(info.end)
											    : instance_state_name(info.state));
		if (info.end == END_HALTED || info.end == END_STOPPED)
			buf_printf(out, "%d", info.code);
		else
			buf_str(out, "null");
		buf_printf(out, ", \"instructions\": %llu, \"cpu\": %.6f, \"memory\": %llu, \"output\": %llu, \"slices\": %llu, \"time\": %.6f, \"files\": %llu, \"messages\": %llu, \"disk\": %llu, \"refused\": ",
			   (unsigned long long)info.insns, (double)info.cpu_ns / 1e9, (unsigned long long)info.memory,
			   (unsigned long long)info.output_bytes, (unsigned long long)info.slices, (double)info.time_ns / 1e9,
			   (unsigned long long)info.files, (unsigned long long)info.messages, (unsigned long long)info.disk);
		buf_json_string(out, info.refused, strlen(info.refused));
		buf_str(out, ", \"reason\": ");
		buf_json_string(out, buf_text(&text), text.len);
		buf_byte(out, '}');
		buf_fini(&text);
	}
	buf_str(out, "\n]}\n");
}

bool up_is_fine(Instance *instance)
{
	InstanceInfo info;

	instance_info(instance, &info);
	return (info.end == END_HALTED || info.end == END_STOPPED) && info.code == 0;
}
