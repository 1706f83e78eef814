/* SPDX-License-Identifier: MIT
 *
 * Compiled blocks that are kept on disk: found again by the next machine; and whatever has become of the files (cut, damaged, of
 * another kind, written by several at once, no room, no memory), a machine does what the interpreter does.
 *
 * This program is linked so that allocations and writes can fail (tests.mk).
 */
#define _GNU_SOURCE
#include "paged_random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "jit/jit_disk.h"
#include "jit/jit_store.h"

/* ---- What fails ---- */

static _Thread_local long left = -1; /* allocations that succeed; -1: all */
static _Thread_local long writes = -1;

static bool refuse(long *count)
{
	return *count == 0 || (*count > 0 && --*count < 0);
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_mmap(void *address, size_t len, int protection, int flags, int file, off_t offset);
ssize_t __real_write(int file, const void *bytes, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_mmap(void *address, size_t len, int protection, int flags, int file, off_t offset);
ssize_t __wrap_write(int file, const void *bytes, size_t len);

void *__wrap_malloc(size_t size)
{
	return refuse(&left) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return refuse(&left) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return refuse(&left) ? NULL : __real_realloc(old, size);
}

void *__wrap_mmap(void *address, size_t len, int protection, int flags, int file, off_t offset)
{
	return refuse(&left) ? MAP_FAILED : __real_mmap(address, len, protection, flags, file, offset);
}

/* The disk is full; before that, it takes less than it was given. */
ssize_t __wrap_write(int file, const void *bytes, size_t len)
{
	if (writes < 0)
		return __real_write(file, bytes, len);
	if (refuse(&writes)) {
		errno = ENOSPC;
		return -1;
	}
	return __real_write(file, bytes, len > 1000 ? len / 2 : len);
}

/* ---- Machines ---- */

enum { FEW = 90 };

#if defined __SANITIZE_THREAD__ || defined __SANITIZE_ADDRESS__ /* slow */
enum { SLOW = 4 };
#else
enum { SLOW = 1 };
#endif

static char *text;
static char where[] = "/tmp/husk-test-disk-XXXXXX";

typedef struct Ran {
	u64 state;  /* a hash of all of it, behind each step */
	u64 found, compiled;
} Ran;

/* Without assertions: several threads do it. */
static bool run(const Isa *isa, JitDisk *disk, const EngineOps *engine, u64 seed, Ran *ran)
{
	EngineOptions options = { .disk = disk, .hard_after = seed % 2 ? ~(u64)0 : 3000 };
	MachineConfig config = { .isa = isa, .guest = &guest, .random_seed = 5, .engine = engine, .host_rights = true,
				 .engine_options = &options };
	Rng rng = { seed * 77 }, same = { seed * 99 };
	Machine *machine = NULL;
	EngineStats stats;
	DiagList diags;
	bool good = true;

	diag_init(&diags);
	*ran = (Ran){ .state = HASH_START };
	if (machine_create(&config, &machine, &diags)) {
		diag_fini(&diags);
		return false;
	}
	machine_reset(machine, false);
	machine_set_pager(machine, touch);
	if (machine_pages_add(machine, 0, CODE, CODE_BYTES, ATTR_RIGHTS) ||
	    machine_pages_add(machine, 0, DATA, DATA_BYTES, ATTR_READ | ATTR_WRITE))
		good = false;
	if (good)
		fill_code(machine, isa, &same);
	for (u32 step = 0; step < FEW && good; step++) {
		u64 words[4];
		MachineStop stop;

		if (step == 10 && engine == &jit_engine && machine->engine && machine->engine->slot_uses && !machine->engine->settled)
			jit_settle(machine->engine); /* as it does when more code is known */
		machine_set_pc(machine, CODE + (rng_below(&rng, CODE_BYTES) & ~1u));
		stir(machine, isa, &rng, false);
		stop = machine_run(machine, rng_below(&rng, 500) + 1);
		good = stop.kind != STOP_ERROR;
		words[0] = stop.kind;
		words[1] = stop.pc;
		words[2] = machine_icount(machine);
		ran->state = hash_bytes(ran->state, words, 3 * sizeof *words);
		for (u32 slot = 0; slot < isa->slot_count; slot++) {
			words[0] = machine_slot(machine, slot);
			ran->state = hash_bytes(ran->state, words, sizeof *words);
		}
	}
	for (u64 page = CODE; page < DATA + LATE_BYTES; page += SPACE_PAGE) {
		const u8 *bytes = machine_page_bytes(machine, 0, page);

		if (bytes)
			ran->state = hash_words(ran->state, bytes, SPACE_PAGE);
	}
	machine_engine_stats(machine, &stats);
	ran->found = stats.counts[ENGINE_DISK_BLOCKS];
	ran->compiled = stats.counts[ENGINE_BASE_BLOCKS];
	machine_destroy(machine);
	diag_fini(&diags);
	return good;
}

static Isa *isa;

static JitDisk *open_disk(const char *program, u64 limit)
{
	JitDisk *disk = NULL;
	Buf why;

	buf_init(&why);
	if (jit_disk_open(where, program, limit, &disk, &why))
		fail_msg("%s", buf_text(&why));
	buf_fini(&why);
	return disk;
}

/* Compiled with the disk, and by the interpreter. How many blocks were found there. */
static u64 compare(const char *program, u64 limit, u64 seed)
{
	JitDisk *disk = open_disk(program, limit);
	Ran ran, wanted;

	assert_true(run(isa, NULL, &interp_engine, seed, &wanted));
	assert_true(run(isa, disk, &jit_engine, seed, &ran));
	jit_disk_close(disk);
	if (ran.state != wanted.state)
		fail_msg("%s: seed %llu differs (%llu blocks were found)", program, (unsigned long long)seed, (unsigned long long)ran.found);
	return ran.found;
}

/* ---- Files ---- */

static void path_of(const char *name, char path[600])
{
	snprintf(path, 600, "%s/%s", where, name);
}

/* Files there; the (last) one that is no unfinished one. */
static u32 list_files(char path[600], u64 *bytes)
{
	DIR *dir = opendir(where);
	struct dirent *entry;
	struct stat info;
	u32 count = 0;

	*bytes = 0;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		path_of(entry->d_name, path);
		assert_int_equal(lstat(path, &info), 0);
		*bytes += (u64)info.st_size;
		count++;
	}
	closedir(dir);
	return count;
}

static void empty(void)
{
	char path[600];
	u64 bytes;

	chmod(where, 0700);
	while (list_files(path, &bytes))
		if (remove(path) != 0)
			fail_msg("%s stays", path);
}

typedef struct Bytes {
	u8 *at;
	size_t len;
} Bytes;

static Bytes read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	Bytes bytes = { 0 };
	struct stat info;

	assert_non_null(file);
	assert_int_equal(stat(path, &info), 0);
	bytes.len = (size_t)info.st_size;
	bytes.at = malloc(bytes.len + 1);
	assert_int_equal(fread(bytes.at, 1, bytes.len, file), bytes.len);
	fclose(file);
	return bytes;
}

static void write_bytes(const char *path, const u8 *at, size_t len)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(at, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	chmod(path, 0600);
}

/* A good file, and nothing else. */
static Bytes good_file(u64 seed, char path[600])
{
	u64 bytes;

	empty();
	compare("prog", 0, seed);
	compare("prog", 0, seed);
	assert_int_equal(list_files(path, &bytes), 1);
	return read_file(path);
}

/* ---- It works ---- */

static void is_found_again(void **state)
{
	(void)state;
	for (u64 seed = 1; seed <= 6; seed++) {
		u64 found;

		empty();
		assert_int_equal(compare("prog", 0, seed), 0);
		compare("prog", 0, seed);
		found = compare("prog", 0, seed);
		if (found < 50)
			fail_msg("only %llu blocks are found", (unsigned long long)found);
		assert_int_equal(compare("another", 0, seed), 0);
	}
}

/* Code that is not the same at the same place is not taken. */
static void other_code(void **state)
{
	char path[600];
	Bytes bytes = good_file(1, path);

	(void)state;
	for (u64 seed = 2; seed < 12; seed++)
		compare("prog", 0, seed);
	free(bytes.at);
}

/* What nobody uses is left out after a while. */
static void forgets(void **state)
{
	char path[600];
	Bytes bytes = good_file(1, path);

	(void)state;
	for (u64 seed = 101; seed < 104; seed++)
		compare("prog", 0, seed);
	assert_true(compare("prog", 0, 1) > 0);
	for (u64 seed = 201; seed < 203 + 2 * JIT_DISK_AGES; seed++)
		compare("prog", 0, seed);
	assert_true(compare("prog", 0, 1) < 10); /* of the same bytes */
	free(bytes.at);
}

static void is_bounded(void **state)
{
	enum { LIMIT = 400 << 10 };
	char path[600], name[16];
	u64 bytes;

	(void)state;
	empty();
	for (u64 seed = 1; seed <= 12; seed++) {
		snprintf(name, sizeof name, "prog %llu", (unsigned long long)seed);
		for (u32 i = 0; i < 2; i++)
			compare(name, LIMIT, seed);
		assert_true(list_files(path, &bytes) >= 1);
		assert_true(bytes <= LIMIT);
	}
	assert_true(list_files(path, &bytes) < 12);
	assert_true(compare(name, LIMIT, 12) > 50); /* the youngest is there */
	/* One file alone has half of it at most. */
	empty();
	for (u64 seed = 1; seed <= 12; seed++)
		compare("prog", 100 << 10, seed);
	list_files(path, &bytes);
	assert_true(bytes <= 50 << 10);
}

/* ---- Hostile files ---- */

static void damaged(void **state)
{
	enum { TRIES = 120 / SLOW };
	char path[600];
	Rng rng = { 9 };
	Bytes good = good_file(1, path);
	u64 found = 0;

	(void)state;
	for (u32 i = 0; i < TRIES; i++) {
		u8 *bad = malloc(good.len + 100);
		size_t len = good.len;
		u32 what = (u32)rng_below(&rng, 6);

		memcpy(bad, good.at, good.len);
		memset(bad + good.len, 0, 100);
		if (what == 0)
			len = rng_below(&rng, good.len);
		else if (what == 1)
			len = good.len + rng_below(&rng, 100);
		else if (what == 2)
			bad[rng_below(&rng, 200)] ^= 1 << rng_below(&rng, 8); /* the header */
		else if (what == 3)
			memset(bad + rng_below(&rng, good.len - 5000), (int)rng_next(&rng), 5000);
		else
			for (u32 k = 0; k < (what == 4 ? 1 : 2000); k++)
				bad[rng_below(&rng, len)] ^= 1 << rng_below(&rng, 8);
		write_bytes(path, bad, len);
		found += compare("prog", 0, 1);
		free(bad);
	}
	assert_true(found > TRIES); /* what is whole is used */
	free(good.at);
}

/* It is cut, or overwritten, while a machine has it open. */
static void changed_meanwhile(void **state)
{
	char path[600];
	Bytes good = good_file(2, path);
	Ran wanted, ran;

	(void)state;
	assert_true(run(isa, NULL, &interp_engine, 2, &wanted));
	for (u32 i = 0; i < 3; i++) {
		JitDisk *disk = open_disk("prog", 0);
		JitStoreSettings settings;
		Machine *machine = open_paged(isa, &jit_engine);
		int fd;

		write_bytes(path, good.at, good.len);
		machine_run(machine, 1);
		assert_int_equal(jit_disk_load(disk, machine->engine, isa->slot_count, &settings), true);
		fd = open(path, O_RDWR | (i == 0 ? O_TRUNC : 0));
		assert_true(fd >= 0);
		if (i == 1)
			assert_int_equal(ftruncate(fd, (off_t)good.len / 2), 0);
		if (i == 2) {
			memset(good.at, 0x5A, good.len);
			assert_int_equal(__real_write(fd, good.at, good.len), good.len);
		}
		close(fd);
		for (u64 pc = CODE; pc < CODE + CODE_BYTES; pc += 2)
			for (JitTemplate *t = NULL; (t = jit_disk_find(disk, pc, 0, pc & 2, t));)
				assert_int_equal(t->pc, pc);
		machine_destroy(machine);
		jit_disk_close(disk);
		assert_true(run(isa, disk = open_disk("prog", 0), &jit_engine, 2, &ran));
		jit_disk_close(disk);
		assert_true(ran.state == wanted.state);
	}
	free(good.at);
}

/* Numbers that can't be, with sums that are right: they are not believed. (The address sanitizer looks on.) */
static void impossible(void **state)
{
	char path[600];
	Rng rng = { 11 };
	Bytes good = good_file(1, path);
	Machine *machine = open_paged(isa, &jit_engine);
	u32 refused = 0;

	(void)state;
	machine_run(machine, 1);
	for (u32 i = 0; i < 200 / SLOW; i++) {
		u8 *bad = malloc(good.len);
		JitStoreSettings settings;
		JitDisk *disk = open_disk("prog", 0);
		u64 first, at;
		u32 seen = 0, all = 0;

		memcpy(bad, good.at, good.len);
		memcpy(&first, bad + 48, 8); /* Header.first */
		for (at = first; at + sizeof(JitTemplate) <= good.len; all++) {
			JitTemplate *t = (JitTemplate *)(void *)(bad + at);
			u32 bytes = t->bytes, place = 24 + (u32)rng_below(&rng, rng_below(&rng, 2) ? sizeof *t - 24 : bytes - 24);

			bad[at + place] ^= 1 << rng_below(&rng, 8);
			if (rng_below(&rng, 8) == 0)
				memset(bad + at + place, 0xFF, bytes - place < 8 ? bytes - place : 8);
			if (rng_below(&rng, 8) == 0)
				t->next_at = rng_below(&rng, 4) ? rng_next(&rng) : at;
			if (t->bytes % 16 == 0 && t->bytes >= sizeof *t && t->bytes <= good.len - at)
				t->sum = hash_words(HASH_START, &t->pc, t->bytes - offsetof(JitTemplate, pc));
			at += bytes;
		}
		write_bytes(path, bad, good.len);
		assert_true(jit_disk_load(disk, machine->engine, isa->slot_count, &settings));
		for (u64 pc = CODE; pc < CODE + CODE_BYTES; pc += 2)
			for (u32 counted = 0; counted < 2; counted++)
				for (JitTemplate *t = NULL; (t = jit_disk_find(disk, pc, 0, counted, t));)
					seen++;
		refused += seen < all;
		jit_disk_save(disk, &settings, NULL);
		jit_disk_close(disk);
		free(bad);
	}
	assert_true(refused > 150 / SLOW);
	machine_destroy(machine);
	free(good.at);
}

/* ---- What is not a file of ours ---- */

static void not_ours(void **state)
{
	char path[600], aside[600];
	Bytes good = good_file(1, path);

	(void)state;
	path_of("aside", aside);
	assert_int_equal(chmod(path, 0622), 0);
	assert_int_equal(compare("prog", 0, 1), 0);
	write_bytes(path, good.at, good.len);
	assert_true(compare("prog", 0, 1) > 50);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, 0), 0);
		assert_int_equal(compare("prog", 0, 1), 0);
		assert_int_equal(chown(path, 0, 0), 0);
	}
	write_bytes(path, good.at, good.len);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(symlink(aside, path), 0);
	assert_int_equal(compare("prog", 0, 1), 0);
	assert_int_equal(remove(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(compare("prog", 0, 1), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(compare("prog", 0, 1), 0);
	free(good.at);
}

static void refused_directories(void **state)
{
	JitDisk *disk = NULL;
	char path[600];
	Buf why;

	(void)state;
	empty();
	buf_init(&why);
	assert_int_equal(chmod(where, 0770), 0);
	assert_int_equal(jit_disk_open(where, "", 0, &disk, &why), STATUS_INVALID);
	assert_non_null(strstr(buf_text(&why), "others may write there"));
	assert_int_equal(chmod(where, 0700), 0);
	buf_clear(&why);
	if (geteuid() == 0) {
		assert_int_equal(chown(where, 12345, 0), 0);
		assert_int_equal(jit_disk_open(where, "", 0, &disk, &why), STATUS_INVALID);
		assert_non_null(strstr(buf_text(&why), "another user"));
		assert_int_equal(chown(where, 0, 0), 0);
	}
	buf_clear(&why);
	path_of("no/such", path);
	assert_int_equal(jit_disk_open(path, "", 0, &disk, &why), STATUS_IO);
	assert_non_null(strstr(buf_text(&why), "No such file"));
	path_of("made", path);
	assert_int_equal(jit_disk_open(path, "", 0, &disk, &why), STATUS_OK);
	jit_disk_close(disk);
	buf_fini(&why);
}

/* ---- No room, no right, no memory ---- */

static void full_disk(void **state)
{
	char path[600];
	u64 bytes;

	(void)state;
	empty();
	compare("prog", 0, 1);
	empty();
	for (u32 i = 0; i < 8; i++) {
		writes = i;
		compare("prog", 0, 1);
		writes = -1;
		assert_int_equal(list_files(path, &bytes), 0); /* nothing unfinished stays */
	}
	writes = 1000; /* by halves, but all of it */
	compare("prog", 0, 1);
	writes = -1;
	assert_int_equal(list_files(path, &bytes), 1);
	assert_true(compare("prog", 0, 1) > 10);
	/* What was there stays when the next one does not succeed. */
	writes = 2;
	compare("prog", 0, 7);
	writes = -1;
	assert_int_equal(list_files(path, &bytes), 1);
	assert_true(compare("prog", 0, 1) > 10);
}

static void small_limit(void **state)
{
	struct rlimit before, now;
	char path[600];
	u64 bytes;

	(void)state;
	empty();
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	now = before;
	now.rlim_cur = 1 << 27; /* the memory for code is a file, too */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	compare("prog", 0, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(list_files(path, &bytes), 1);
}

static void gone_directory(void **state)
{
	JitDisk *disk;
	Ran ran, wanted;

	(void)state;
	empty();
	disk = open_disk("prog", 0);
	assert_int_equal(rmdir(where), 0);
	assert_true(run(isa, NULL, &interp_engine, 1, &wanted));
	assert_true(run(isa, disk, &jit_engine, 1, &ran));
	assert_true(ran.state == wanted.state);
	jit_disk_close(disk);
	assert_int_equal(mkdir(where, 0700), 0);
}

static void no_memory(void **state)
{
	char path[600];
	Bytes good = good_file(1, path);
	Ran wanted, ran;

	(void)state;
	assert_true(run(isa, NULL, &interp_engine, 1, &wanted));
	for (long n = 0; n < 500; n = n < 100 ? n + SLOW : n < 400 ? n + 9 * SLOW : 500) {
		JitDisk *disk = open_disk("prog", 0);
		bool good_run;

		if (n % 3 == 0)
			write_bytes(path, good.at, good.len / 2);
		left = n;
		good_run = run(isa, disk, &jit_engine, 1, &ran);
		left = -1;
		jit_disk_close(disk);
		assert_true(!good_run || ran.state == wanted.state);
	}
	free(good.at);
}

/* ---- Several at once ---- */

typedef struct Writer {
	u64 seed, state;
	bool wrong;
} Writer;

static void *write_often(void *ctx)
{
	Writer *writer = ctx;

	for (u32 i = 0; i < 12 / SLOW; i++) {
		JitDisk *disk = NULL;
		Ran ran = { 0 };
		Buf why;

		buf_init(&why);
		writer->wrong |= jit_disk_open(where, "prog", 0, &disk, &why) != STATUS_OK ||
				 !run(isa, disk, &jit_engine, writer->seed, &ran) || ran.state != writer->state;
		jit_disk_close(disk);
		buf_fini(&why);
	}
	return NULL;
}

static void several_writers(void **state)
{
	enum { WRITERS = 3 };
	Writer writers[WRITERS];
	pthread_t threads[WRITERS];
	char path[600];
	u64 bytes;

	(void)state;
	empty();
	for (u32 i = 0; i < WRITERS; i++) {
		Ran wanted;

		assert_true(run(isa, NULL, &interp_engine, i + 1, &wanted));
		writers[i] = (Writer){ .seed = i + 1, .state = wanted.state };
	}
	for (u32 i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_often, &writers[i]), 0);
	for (u32 i = 0; i < WRITERS; i++) {
		pthread_join(threads[i], NULL);
		assert_false(writers[i].wrong);
	}
	assert_int_equal(list_files(path, &bytes), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifndef __SANITIZE_THREAD__ /* one thread each */
		cmocka_unit_test(is_found_again), cmocka_unit_test(other_code),      cmocka_unit_test(forgets),
		cmocka_unit_test(is_bounded),     cmocka_unit_test(damaged),         cmocka_unit_test(changed_meanwhile),
		cmocka_unit_test(impossible),     cmocka_unit_test(not_ours),        cmocka_unit_test(refused_directories),
		cmocka_unit_test(full_disk),      cmocka_unit_test(small_limit),     cmocka_unit_test(gone_directory),
		cmocka_unit_test(no_memory),
#endif
		cmocka_unit_test(several_writers),
	};
	int failures;

	if (!mkdtemp(where))
		return 1;
	text = read_text("src/guests/rv64/rv64.isa");
	isa = load("rv64.isa", text);
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	isa_destroy(isa);
	free(text);
	empty();
	rmdir(where);
	return failures;
}
