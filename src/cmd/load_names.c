/* SPDX-License-Identifier: MIT
 *
 * Names and lines that loaded files bring themselves: functions of an object file, the source that a guest's compiler
 * knows (guest->read_names). Programs that Husk assembled have theirs in AsmProgram; load_symbol_near looks there
 * first.
 */
#include <string.h>

#include "cmd/load.h"

static void add_symbol(void *ctx, const char *name, size_t len, u16 space, u64 address)
{
	Loaded *loaded = ctx;
	LoadName *names;

	if (!arena_grow(&loaded->arena, (void **)&loaded->names, &loaded->name_cap, loaded->name_count, sizeof(LoadName)))
		return;
	names = loaded->names;
	names[loaded->name_count] = (LoadName){arena_strndup(&loaded->arena, name, len), address, space, 0};
	loaded->name_count += names[loaded->name_count].text != NULL;
}

static void add_line(void *ctx, u16 space, u64 address, u32 number, const char *text, size_t len)
{
	Loaded *loaded = ctx;
	LoadName *lines;

	if (!arena_grow(&loaded->arena, (void **)&loaded->lines, &loaded->line_cap, loaded->line_count, sizeof(LoadName)))
		return;
	lines = loaded->lines;
	lines[loaded->line_count] = (LoadName){arena_strndup(&loaded->arena, text, len), address, space, number};
	loaded->line_count += lines[loaded->line_count].text != NULL;
}

static void read_names(Loaded *loaded)
{
	const GuestNames names = {loaded, add_symbol, add_line};

	loaded->names_wait = false;
	loaded->name_count = loaded->line_count = 0;
	for (u32 i = 0; loaded->guest && loaded->guest->read_names && i < loaded->file_count; i++) {
		const GuestFile file = load_guest_file(&loaded->files[i]);

		if (!loaded->files[i].program && !loaded->files[i].is_snapshot)
			loaded->guest->read_names(loaded->machine, &file, &names);
	}
}

void load_names(Loaded *loaded)
{
	const EngineOptions *engine = loaded->config.engine_options;

	if (loaded->guest && loaded->guest->is_linux && !(engine && engine->watcher_count))
		loaded->names_wait = true;
	else
		read_names(loaded);
}

/* What has been read is the same whoever asks first. */
void load_names_now(const Loaded *loaded)
{
	if (loaded->names_wait)
		read_names((Loaded *)(uintptr_t)loaded);
}

const LoadName *load_name_near(const Loaded *loaded, u16 space, u64 address)
{
	const LoadName *best = NULL;

	load_names_now(loaded);
	for (u32 i = 0; i < loaded->name_count; i++) {
		const LoadName *name = &loaded->names[i];

		if (name->space == space && name->address <= address && (!best || name->address > best->address))
			best = name;
	}
	return best;
}

const LoadName *load_line_at(const Loaded *loaded, u16 space, u64 address)
{
	load_names_now(loaded);
	for (u32 i = 0; i < loaded->line_count; i++)
		if (loaded->lines[i].space == space && loaded->lines[i].address == address)
			return &loaded->lines[i];
	return NULL;
}
