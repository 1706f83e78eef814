/* SPDX-License-Identifier: MIT
 *
 * Which words may stand at the end of a line: commands at its beginning, then what the command's row says.
 */
#include <ctype.h>
#include <string.h>

#include "cmd/debug_ui.h"

typedef struct Collector {
	Buf *out;
	u32 count;
	const char *prefix;
	size_t len;
	bool fold;
} Collector;

static void offer(Collector *collector, const char *word)
{
	size_t len = strlen(word);

	if (len < collector->len || (collector->fold ? !ascii_equal_fold(word, collector->len, collector->prefix, collector->len)
						      : memcmp(word, collector->prefix, collector->len) != 0))
		return;
	buf_add(collector->out, word, len + 1);
	collector->count++;
}

static void offer_commands(Collector *collector)
{
	for (const DebugCommand *command = debug_commands; command->name; command++)
		offer(collector, command->name);
}

static void offer_names(Collector *collector, Debug *debug)
{
	collector->fold = debug->symbols.fold_case;
	for (u32 i = 0; i < debug->isa->slot_count; i++)
		offer(collector, isa_slot_name(debug->isa, i));
	for (u32 i = 0; i < debug->isa->view_count; i++)
		offer(collector, debug->isa->views[i].name);
	for (u32 i = 0; i < debug->isa->space_count; i++)
		offer(collector, debug->isa->spaces[i].name);
	for (u32 i = 0; i < debug->symbols.symbol_count; i++)
		offer(collector, debug->symbols.symbols[i].name);
}

static const DebugCommand *find(const char *name, size_t len)
{
	const DebugCommand *found = NULL;

	for (const DebugCommand *command = debug_commands; command->name; command++) {
		if (command->alias && strlen(command->alias) == len && memcmp(command->alias, name, len) == 0)
			return command;
		if (strncmp(command->name, name, len) == 0 && (!found || strlen(command->name) == len))
			found = command;
	}
	return found;
}

size_t debug_complete(void *ctx, const char *line, Buf *out, u32 *count)
{
	Debug *debug = ctx;
	size_t end = strlen(line), start = end, name;
	Collector collector = { .out = out };
	const DebugCommand *command;

	while (*line == ' ')
		line++, end--;
	start = end;
	while (start > 0 && (isalnum((unsigned char)line[start - 1]) || strchr("_.$-", line[start - 1]) ||
			     (unsigned char)line[start - 1] >= 0x80))
		start--;
	collector.prefix = line + start;
	collector.len = end - start;
	name = strcspn(line, " \t/");
	if (start < name || !line[name]) {
		offer_commands(&collector);
	} else {
		command = find(line, name);
		if (command && command->completes == 'c')
			offer_commands(&collector);
		for (u32 i = 0; command && command->completes == 'i' && debug_info_topics[i]; i++)
			offer(&collector, debug_info_topics[i]);
		if (command && command->completes == 'l')
			offer_names(&collector, debug);
	}
	*count = collector.count;
	return collector.len;
}
