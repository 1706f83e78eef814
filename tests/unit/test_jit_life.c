/* SPDX-License-Identifier: MIT
 *
 * The life of compiled code: each piece that is made is killed once, whatever ends it; what is written for perf is what its
 * formats say; no map of the process is ever writable and executable; what is full makes room.
 */
#define _GNU_SOURCE /* mremap */
#include "engines.h"

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "jit/jit_private.h"
#include "jit/jit_gdb.h"
#include "jit/jit_perf.h"
#include "machine/machine_private.h"
#include "machine/pages.h"

enum { CODE = 0x10000, BLOCKS = 3000, STEP = 12 }; /* bytes of a block */

/* The tests are linked so that mremap comes here. */
static bool refuses;
void *__real_mremap(void *old, size_t old_bytes, size_t bytes, int flags, ...);
void *__wrap_mremap(void *old, size_t old_bytes, size_t bytes, int flags, ...);
void *__wrap_mremap(void *old, size_t old_bytes, size_t bytes, int flags, ...)
{
	void *at;
	va_list rest;

	va_start(rest, flags);
	at = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
	va_end(rest);
	return refuses ? MAP_FAILED : __real_mremap(old, old_bytes, bytes, flags, at);
}

/* ---- A machine and somebody who looks on ---- */

typedef struct Seen {
	u64 alive[1 << 14]; /* addresses of code, hashed */
	u32 made, killed, regions, wrong, stages, shared;
} Seen;

/* Maps with such rights ("r-xs"; `?` is any). */
static u32 count_maps(const char *rights)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	u32 count = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof line, maps)) {
		const char *has = strchr(line, ' ') + 1;
		u32 same = 0;

		while (same < 4 && (rights[same] == '?' || rights[same] == has[same]))
			same++;
		count += same == 4;
	}
	fclose(maps);
	return count;
}

/* None may be writable and executable. */
static u32 count_shared_rights(void)
{
	return count_maps("?wx?");
}

static void on_made(void *ctx, const EnginePiece *piece)
{
	Seen *seen = ctx;
	u64 address = (u64)(uintptr_t)piece->code, at = (address >> 4) % (1 << 14);

	while (seen->alive[at] > 1)
		at = (at + 1) % (1 << 14);
	seen->alive[at] = address;
	seen->made++;
	seen->wrong += !piece->size || !piece->insns;
	if (strcmp(piece->tier, "region") == 0)
		seen->regions++;
	else
		seen->wrong += strcmp(piece->tier, "base") != 0 || !piece->place_count || piece->places[0].pc != piece->pc;
	for (u32 i = 1; i < piece->place_count; i++)
		seen->wrong += piece->places[i].offset < piece->places[i - 1].offset ||
			       piece->places[i].offset > piece->size;
	if (seen->made % 500 == 7)
		seen->shared += count_shared_rights();
}

static void on_killed(void *ctx, const EnginePiece *piece)
{
	Seen *seen = ctx;
	u64 address = (u64)(uintptr_t)piece->code, at = (address >> 4) % (1 << 14);

	for (u32 tries = 0; seen->alive[at] && seen->alive[at] != address && tries < 1 << 14; tries++)
		at = (at + 1) % (1 << 14);
	seen->wrong += seen->alive[at] != address;
	if (seen->alive[at] == address)
		seen->alive[at] = 1; /* was */
	seen->killed++;
}

static void on_stage(void *ctx, u64 pc, const char *name, const struct IrFunc *func, const char *text)
{
	Seen *seen = ctx;

	(void)pc;
	seen->stages++;
	seen->wrong += strcmp(name, "ir") == 0 && (!func || text);
}

static void put_word(Machine *machine, u64 address, u32 word)
{
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(machine_write(machine, machine_paged_space(machine), address + i, word >> 8 * i & 0xFF), 0);
}

static u32 slot_of(const Machine *machine, const char *name)
{
	u32 slot = 0;
	u8 width;

	assert_true(isa_find_register(machine_isa(machine), name, strlen(name), false, &slot, &width));
	return slot;
}

/* Many blocks, a chain of jumps, round and round. */
static Machine *open_chain(const Isa *isa, const EngineOptions *options)
{
	Machine *machine;

	hard_after = ~(u64)0; /* making it hard forgets the code */
	engine_options = options;
	machine = create(isa, &jit_engine);
	engine_options = NULL;
	assert_int_equal(machine_pages_add(machine, 0, CODE, BLOCKS * STEP / SPACE_PAGE * SPACE_PAGE + SPACE_PAGE, ATTR_RIGHTS), 0);
	for (u32 i = 0; i < BLOCKS; i++) {
		put_word(machine, CODE + i * STEP, 0x00150513);     /* addi a0, a0, 1 */
		put_word(machine, CODE + i * STEP + 4, 0x00A5C5B3); /* xor a1, a1, a0 */
		put_word(machine, CODE + i * STEP + 8, i + 1 < BLOCKS ? 0x0040006F : 0x00008067); /* j +4; ret */
	}
	machine_set_slot(machine, slot_of(machine, "ra"), CODE);
	machine_set_pc(machine, CODE);
	return machine;
}

static u64 count_of(const Machine *machine, EngineCount what)
{
	EngineStats stats;

	machine_engine_stats(machine, &stats);
	return stats.counts[what];
}

static Isa *open_isa(void)
{
	char *text = read_text("src/guests/rv64/rv64.isa");
	Isa *isa = load("rv64.isa", text);

	free(text);
	return isa;
}

/* Invalidation, a full cache, a flush, chance, the end: all of it kills. */
static void lives(void **state)
{
	static const EngineOptions ways[] = {{0}, {.code_cache = 100 << 10}, {.switch_rights = true}, {.evict = 50},
					     {.code_cache = 1, .switch_rights = true, .evict = 9}};
	Isa *isa = open_isa();

	(void)state;
	for (u32 i = 0; i < sizeof ways / sizeof *ways; i++) {
		Seen *seen = calloc(1, sizeof(*seen));
		const EngineWatcher watcher = {.ctx = seen, .made = on_made, .killed = on_killed, .stage = on_stage};
		EngineOptions options = ways[i];
		Machine *machine;

		options.watchers = &watcher;
		options.watcher_count = 1;
		machine = open_chain(isa, &options);
		if (i % 2 == 0)
			machine->engine->hot = 2;
		for (u32 round = 0; round < 4; round++) {
			assert_int_equal(machine_run(machine, 3 * BLOCKS * 2).kind, STOP_BUDGET);
			put_word(machine, CODE + round * 40 * STEP, 0x00150513);
		}
		assert_int_equal(machine_slot(machine, slot_of(machine, "a0")), 8 * BLOCKS);
		assert_true(count_of(machine, ENGINE_INVALIDATED) > 0 || ways[i].code_cache || ways[i].evict);
		assert_int_equal(count_of(machine, ENGINE_EVICTIONS) > 0, ways[i].code_cache || ways[i].evict);
		assert_int_equal(seen->made, count_of(machine, ENGINE_BASE_BLOCKS) + count_of(machine, ENGINE_REGION_BLOCKS));
		assert_int_equal(seen->regions, count_of(machine, ENGINE_REGION_BLOCKS));
		assert_true(seen->made >= BLOCKS && seen->stages >= seen->made && seen->killed < seen->made);
		machine_destroy(machine);
		assert_int_equal(seen->killed, seen->made);
		assert_int_equal(seen->wrong, 0);
		assert_int_equal(seen->shared, 0);
		free(seen);
	}
	isa_destroy(isa);
}

/* Where there is no memory to be had that is mapped twice, it is switched. */
static void not_twice(void **state)
{
	Isa *isa = open_isa();
	Machine *machine;

	(void)state;
	machine = open_chain(isa, NULL);
	machine_run(machine, 3 * BLOCKS * (JIT_FIRST_RUNS_YOUNG + 2));
	assert_int_equal(count_maps("r-xs"), 1);
	machine_destroy(machine);
	refuses = true;
	machine = open_chain(isa, NULL);
	assert_int_equal(machine_run(machine, 3 * BLOCKS * (JIT_FIRST_RUNS_YOUNG + 2)).kind, STOP_BUDGET);
	refuses = false;
	assert_int_equal(machine_slot(machine, slot_of(machine, "a0")), (JIT_FIRST_RUNS_YOUNG + 2) * BLOCKS);
	assert_true(count_of(machine, ENGINE_BASE_BLOCKS) >= BLOCKS);
	assert_int_equal(count_of(machine, ENGINE_COLD_MEMORY), 0);
	assert_int_equal(count_shared_rights(), 0);
	assert_int_equal(count_maps("r-xs"), 0);
	machine_destroy(machine);
	isa_destroy(isa);
}

/* ---- What perf reads ---- */

static const char *namer(void *ctx, u64 pc, u64 *offset)
{
	(void)ctx;
	*offset = pc - CODE;
	return pc < CODE + STEP ? "first one" : NULL;
}

static u8 *read_all(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	u8 *data = malloc(4 << 20);

	assert_non_null(file);
	assert_non_null(data);
	*len = fread(data, 1, (4 << 20) - 1, file);
	data[*len] = 0;
	fclose(file);
	return data;
}

/* Records are as long as they say; each piece has its code, and behind which guest address it is. */
static void check_dump(const char *path, u64 pieces)
{
	ByteReader reader = {0};
	u64 loads = 0, infos = 0, start = 0;
	u32 kind = 99;
	char wanted[64] = "";
	u8 *data = read_all(path, &reader.len);

	reader.data = data;
	assert_int_equal(reader_u32(&reader), 0x4A695444);
	assert_int_equal(reader_u32(&reader), 1);
	assert_int_equal(reader_u32(&reader), 40);
	reader_bytes(&reader, 28);
	while (reader.at < reader.len && !reader.bad) {
		size_t begin = reader.at;
		u32 size;

		kind = reader_u32(&reader);
		size = reader_u32(&reader);
		reader_u64(&reader);
		if (kind == 2) {
			u64 address = reader_u64(&reader), count = reader_u64(&reader);

			for (u64 i = 0; i < count; i++) {
				const char *name;

				assert_true(reader_u64(&reader) >= address);
				assert_int_equal(reader_u32(&reader), 1);
				reader_u32(&reader);
				name = (const char *)data + reader.at;
				if (i == 0)
					snprintf(wanted, sizeof wanted, "%.60s", name);
				reader_bytes(&reader, strlen(name) + 1);
			}
			start = address;
			infos++;
		} else if (kind == 0) {
			const char *name;
			u64 address, bytes;

			assert_int_equal(reader_u32(&reader), (u32)getpid());
			reader_u32(&reader);
			address = reader_u64(&reader);
			assert_int_equal(reader_u64(&reader), address);
			bytes = reader_u64(&reader);
			assert_int_equal(reader_u64(&reader), loads);
			name = (const char *)data + reader.at;
			assert_int_equal(address, start);
			assert_int_equal(strncmp(name, "husk:", 5), 0);
			assert_string_equal(strrchr(name, ':') + 1, wanted);
			if (loads == 0)
				assert_string_equal(name, "husk:first_one:0x10000");
			reader_bytes(&reader, strlen(name) + 1);
			reader_bytes(&reader, bytes);
			loads++;
		}
		assert_int_equal(reader.at - begin, size);
	}
	assert_false(reader.bad);
	assert_int_equal(kind, 3);
	assert_int_equal(loads, pieces);
	assert_int_equal(infos, pieces);
	free(data);
}

static void for_perf(void **state)
{
	char map_path[64], dump_path[64];
	Isa *isa = open_isa();
	EngineWatcher watchers[2];
	EngineOptions options = {.watchers = watchers, .watcher_count = 2};
	JitPerf *map, *dump;
	Machine *machine;
	u64 pieces, lines = 0, behind = 0;
	size_t len;
	u8 *text;

	(void)state;
	snprintf(map_path, sizeof map_path, "/tmp/husk-test-%d.map", (int)getpid());
	snprintf(dump_path, sizeof dump_path, "/tmp/husk-test-%d.dump", (int)getpid());
	assert_int_equal(jit_perf_open_map(map_path, namer, NULL, &map), STATUS_OK);
	assert_int_equal(jit_perf_open_dump(dump_path, namer, NULL, &dump), STATUS_OK);
	watchers[0] = jit_perf_watcher(map);
	watchers[1] = jit_perf_watcher(dump);
	machine = open_chain(isa, &options);
	machine_run(machine, 3000);
	pieces = count_of(machine, ENGINE_BASE_BLOCKS);
	machine_destroy(machine);
	jit_perf_close(map);
	jit_perf_close(dump);
	text = read_all(map_path, &len);
	for (char *line = (char *)text, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
		unsigned long long start, size, pc, end_before = behind;

		assert_true(sscanf(line, "%llx %llx husk:first_one:0x%llx\n", &start, &size, &pc) == 3 ||
			    sscanf(line, "%llx %llx husk:0x%llx\n", &start, &size, &pc) == 3);
		assert_true(size > 0 && pc >= CODE && pc < CODE + BLOCKS * STEP);
		assert_true(start >= end_before);
		behind = start + size;
	}
	assert_true(lines <= pieces && lines > 500);
	check_dump(dump_path, pieces);
	free(text);
	unlink(map_path);
	unlink(dump_path);
	assert_int_equal(jit_perf_open_map("/tmp/no such folder/x", NULL, NULL, &map), STATUS_IO);
	isa_destroy(isa);
}

/* ---- What a debugger reads ---- */

struct code_entry {
	struct code_entry *next, *before;
	const u8 *object;
	u64 size;
};
extern struct { u32 version, action; struct code_entry *relevant, *first; } __jit_debug_descriptor;

/* How many there are, each a whole ELF object with one symbol that lies in its section. */
static u32 count_entries(void)
{
	u32 count = 0;

	for (const struct code_entry *entry = __jit_debug_descriptor.first; entry; entry = entry->next, count++) {
		const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)entry->object;
		const Elf64_Shdr *sections = (const Elf64_Shdr *)(const void *)(entry->object + header->e_shoff);
		const char *words = (const char *)entry->object + sections[header->e_shstrndx].sh_offset;

		assert_memory_equal(header->e_ident, ELFMAG, SELFMAG);
		assert_true(!entry->next || entry->next->before == entry);
		for (u32 i = 1; i < header->e_shnum; i++) {
			const Elf64_Shdr *section = &sections[i];
			const char *names = (const char *)entry->object + sections[section->sh_link].sh_offset;
			Elf64_Sym symbol;

			if (section->sh_type != SHT_NOBITS)
				assert_true(section->sh_offset + section->sh_size <= entry->size);
			if (section->sh_type != SHT_SYMTAB)
				continue;
			assert_string_equal(words + section->sh_name, ".symtab");
			assert_int_equal(section->sh_size, 2 * sizeof symbol);
			memcpy(&symbol, entry->object + section->sh_offset + sizeof symbol, sizeof symbol);
			assert_int_equal(symbol.st_value, sections[symbol.st_shndx].sh_addr);
			assert_int_equal(symbol.st_size, sections[symbol.st_shndx].sh_size);
			assert_int_equal(strncmp(names + symbol.st_name, "husk:", 5), 0);
		}
	}
	return count;
}

static void for_gdb(void **state)
{
	Isa *isa = open_isa();
	Seen *seen = calloc(1, sizeof(*seen));
	JitGdb *gdb = jit_gdb_create(namer, NULL);
	const EngineWatcher watchers[] = {{.ctx = seen, .made = on_made, .killed = on_killed}, jit_gdb_watcher(gdb)};
	const EngineOptions options = {.watchers = watchers, .watcher_count = 2, .code_cache = 100 << 10};
	Machine *machine = open_chain(isa, &options);

	(void)state;
	assert_int_equal(__jit_debug_descriptor.version, 1);
	assert_null(__jit_debug_descriptor.first);
	machine_run(machine, 3 * BLOCKS * 2);
	assert_true(seen->killed > 100);
	assert_int_equal(count_entries(), seen->made - seen->killed);
	machine_destroy(machine);
	assert_int_equal(count_entries(), 0);
	machine = open_chain(isa, &options);
	machine_run(machine, 300);
	assert_true(count_entries() > 10);
	machine_destroy(machine);
	jit_gdb_destroy(gdb);
	assert_int_equal(count_entries(), 0);
	assert_int_equal(__jit_debug_descriptor.action, 0);
	free(seen);
	isa_destroy(isa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lives),
		cmocka_unit_test(not_twice),
		cmocka_unit_test(for_perf),
		cmocka_unit_test(for_gdb),
	};

	if (!jit_is_possible())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
