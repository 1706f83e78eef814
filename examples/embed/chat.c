/* SPDX-License-Identifier: MIT
 *
 * A chat room. Those who talk are programs that nobody trusts; the room is a mailbox of ours, which passes on what one says to all
 * others. What they want to remember they keep in a store: ours, in memory, or a file of SQLite's that is there the next time. Each has
 * 100,000 instructions and five letters; who has used them up is out, and nobody else notices.
 *
 *     cc chat.c $(pkg-config --cflags --libs husk) -o chat && ./chat chat/ada.asm chat/bob.asm -- chat/spam.asm
 *     ./chat --store memories.db chat/ada.asm chat/bob.asm
 *
 * Behind "--" is who comes when those before have left.
 */
#include <husk/husk.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { GUESTS = 16, ENTRIES = 64, KEY_MOST = 32, VALUE_MOST = 64 };

typedef struct Room {
	husk_context *context;
	husk_isa *isa;
	husk_hyper *hyper;
	husk_mailbox *mailbox;
	husk_instance *guests[GUESTS];
	int count, said;
} Room;

/* ---- A store in memory. There are no workers, so nobody calls it twice at a time. ---- */

typedef struct Entry {
	char space[64], key[KEY_MOST], value[VALUE_MOST];
	size_t key_len, value_len;
} Entry;

typedef struct Memory {
	Entry entries[ENTRIES];
	int count;
} Memory;

static Entry *find(Memory *memory, const char *space, const void *key, size_t len)
{
	for (int i = 0; i < memory->count; i++) {
		Entry *entry = &memory->entries[i];

		if (!strcmp(entry->space, space) && entry->key_len == len && !memcmp(entry->key, key, len))
			return entry;
	}
	return NULL;
}

static husk_status memory_get(void *ctx, const char *space, const void *key, size_t key_len, void *value, size_t *value_len)
{
	const Entry *entry = find(ctx, space, key, key_len);

	if (!entry)
		return HUSK_NOT_FOUND;
	memcpy(value, entry->value, entry->value_len);
	*value_len = entry->value_len;
	return HUSK_OK;
}

static husk_status memory_set(void *ctx, const char *space, const void *key, size_t key_len, const void *value, size_t value_len,
			      uint64_t most)
{
	Memory *memory = ctx;
	Entry *entry = find(memory, space, key, key_len);

	if (key_len > KEY_MOST || value_len > VALUE_MOST || value_len > most || strlen(space) >= sizeof entry->space ||
	    (!entry && memory->count == ENTRIES))
		return HUSK_LIMIT;
	if (!entry) {
		entry = &memory->entries[memory->count++];
		strcpy(entry->space, space);
		memcpy(entry->key, key, key_len);
		entry->key_len = key_len;
	}
	memcpy(entry->value, value, value_len);
	entry->value_len = value_len;
	return HUSK_OK;
}

static husk_status memory_remove(void *ctx, const char *space, const void *key, size_t key_len)
{
	Memory *memory = ctx;
	Entry *entry = find(memory, space, key, key_len);

	if (!entry)
		return HUSK_NOT_FOUND;
	*entry = memory->entries[--memory->count];
	return HUSK_OK;
}

/* ---- The room ---- */

static int invite(Room *room, const char *path)
{
	static char text[1 << 16];
	husk_instance_options options;
	husk_program *program = NULL;
	husk_machine *machine = NULL;
	husk_image *image = NULL;
	husk_error *error = NULL;
	husk_limits limits;
	husk_status status;
	const char *slash = strrchr(path, '/');
	FILE *file = fopen(path, "rb");
	size_t len = file ? fread(text, 1, sizeof text, file) : 0;
	char name[32];

	if (file)
		fclose(file);
	snprintf(name, sizeof name, "%.*s", (int)strcspn(slash ? slash + 1 : path, "."), slash ? slash + 1 : path);
	HUSK_INIT(limits);
	HUSK_INIT(options);
	limits.fuel = 100000;
	limits.messages = 5;
	options.limits = &limits;
	options.name = name; /* its keys and values are under it, too */
	options.has_rights = 1;
	options.rights = HUSK_OUTPUT | HUSK_MAILBOX | HUSK_KV; /* output: HALT says so */
	status = husk_program_assemble(room->isa, path, text, len, NULL, &program, &error);
	if (!status)
		status = husk_machine_create(program, NULL, &machine, &error);
	if (!status)
		status = husk_image_create(machine, &image);
	if (!status && room->count < GUESTS)
		status = husk_instance_create(room->hyper, image, &options, &room->guests[room->count]);
	if (!status && room->count < GUESTS)
		status = husk_instance_start(room->guests[room->count++]);
	if (status)
		fprintf(stderr, "%s: %s\n%s", path, husk_status_text(status), husk_error_text(error));
	husk_error_destroy(error);
	husk_image_unref(image);
	husk_machine_destroy(machine);
	husk_program_unref(program);
	return status == HUSK_OK;
}

static husk_instance_info info_of(husk_instance *instance)
{
	husk_instance_info info;

	HUSK_INIT(info);
	husk_instance_get_info(instance, &info);
	return info;
}

/* Everybody has heard everything, and all have left or wait for more. */
static void talk(Room *room)
{
	char line[HUSK_MESSAGE_MOST];
	husk_instance *speaker;
	uint64_t from;
	size_t len;
	int before;

	do {
		before = room->said;
		husk_hyper_run(room->hyper, HUSK_UNLIMITED);
		while (!husk_mailbox_take(room->mailbox, line, sizeof line, &len, &from)) {
			if (husk_hyper_find(room->hyper, from, &speaker))
				continue;
			printf("%s: %.*s\n", husk_instance_name(speaker), (int)len, line);
			room->said++;
			for (int i = 0; i < room->count; i++)
				if (room->guests[i] != speaker) /* who has left does not hear it, who is deaf neither */
					husk_mailbox_send(room->mailbox, info_of(room->guests[i]).number, line, len);
			husk_instance_unref(speaker);
		}
	} while (room->said != before);
}

static void farewell(Room *room)
{
	for (int i = 0; i < room->count; i++) {
		husk_instance_info info = info_of(room->guests[i]);

		if (info.end == HUSK_END_LIMIT || info.end == HUSK_END_FAILED)
			printf("%s is out: %s\n", husk_instance_name(room->guests[i]), info.text);
		else if (info.end == HUSK_END_NONE)
			printf("%s still listens\n", husk_instance_name(room->guests[i]));
		husk_instance_unref(room->guests[i]);
	}
	room->count = 0;
}

int main(int argc, char **argv)
{
	static const char *const choices[] = {"services=on"};
	static Memory memory;
	husk_mailbox_options mailbox_options;
	husk_hyper_options hyper_options;
	husk_isa_options isa_options;
	husk_sqlite *sqlite = NULL;
	husk_error *error = NULL;
	husk_store store;
	Room room = {0};
	int at = 1, fine = 1;

	HUSK_INIT(isa_options);
	HUSK_INIT(hyper_options);
	HUSK_INIT(mailbox_options);
	HUSK_INIT(store);
	isa_options.choices = choices;
	isa_options.choice_count = 1;
	mailbox_options.name = "room";
	store.ctx = &memory;
	store.get = memory_get;
	store.set = memory_set;
	store.remove = memory_remove;
	hyper_options.store = &store;
	if (husk_context_create(NULL, &room.context) || husk_isa_load_builtin(room.context, "lc3", &isa_options, &room.isa, NULL))
		return 1;
	if (argc > 2 && !strcmp(argv[1], "--store")) {
		if (husk_sqlite_open(room.context, argv[2], &sqlite, &error)) {
			fprintf(stderr, "%s\n", husk_error_text(error));
			return husk_error_status(error) == HUSK_UNSUPPORTED ? 3 : 1;
		}
		hyper_options.store = husk_sqlite_store(sqlite);
		at = 3;
	}
	if (husk_hyper_create(room.context, &hyper_options, &room.hyper) ||
	    husk_mailbox_create(room.hyper, &mailbox_options, &room.mailbox))
		return 1;
	for (; at < argc; at++) {
		if (strcmp(argv[at], "--") != 0) {
			fine &= invite(&room, argv[at]);
			continue;
		}
		talk(&room);
		farewell(&room);
	}
	talk(&room);
	farewell(&room);
	printf("%d lines were said\n", room.said);
	husk_mailbox_unref(room.mailbox);
	husk_hyper_destroy(room.hyper);
	husk_sqlite_close(sqlite);
	husk_isa_unref(room.isa);
	husk_context_unref(room.context);
	return !fine;
}
