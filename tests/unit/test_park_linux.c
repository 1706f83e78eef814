/* SPDX-License-Identifier: MIT
 *
 * Parking of Linux programs: several that came from one base take turns in one Machine, packed after every stretch of instructions, and
 * never differ from those that have a Machine each and were never packed; afterwards the Machine is as the base.
 * (no thread sanitizer: nothing here runs side by side, and it has no room for so many address spaces)
 */
#include "unit/linux_run.h"

#include "base/rng.h"
#include "jit/jit.h"
#include "machine/pages.h"
#include "machine/park.h"

enum { TENANTS = 3, TURNS = 40 };

static void make_program(const Rig *rig, const char *text, Buf *program)
{
	char path[120];
	FILE *file;

	snprintf(path, sizeof path, "%s/program.c", rig->folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	buf_clear(program);
	compile(rig, path, "", program);
}

static void same(Machine *a, Machine *b, const char *what, u64 turn)
{
	Buf one, other;

	buf_init(&one);
	buf_init(&other);
	snapshot(a, &one);
	snapshot(b, &other);
	assert_int_equal(machine_icount(a), machine_icount(b));
	assert_same(&one, &other, what, turn);
	buf_fini(&one);
	buf_fini(&other);
}

static Machine *bare(const Rig *rig)
{
	const MachineConfig config = computer_config(rig);
	Machine *machine;
	DiagList diags;

	diag_init(&diags);
	assert_int_equal(machine_create(&config, &machine, &diags), STATUS_OK);
	diag_fini(&diags);
	return machine;
}

/* Memory that is written, given back, had anew, protected, moved; the heap grows; numbers come from outside. */
static const char memory_text[] =
	"#define _GNU_SOURCE\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n#include <sys/mman.h>\n"
	"#include <sys/random.h>\n"
	"static unsigned long pool[1 << 16];\n"
	"int main(void) {\n"
	"	unsigned long sum = 1, seed[1]; char *map = mmap(0, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
	"	memset(map, 7, 1 << 20); for (int i = 0; i < 1 << 16; i += 3) pool[i] = i;\n"
	"	for (int round = 0; round < 60; round++) {\n"
	"		getrandom(seed, 8, 0); sum = sum * 31 + seed[0];\n"
	"		char *page = map + (sum >> 8) % 250 * 4096;\n"
	"		switch (sum % 7) {\n"
	"		case 0: munmap(page, 8192); mmap(page, 8192, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0); page[1] = sum; sum += page[4096 + sum % 4096]; break;\n"
	"		case 1: madvise(page, 12288, MADV_DONTNEED); break;\n"
	"		case 2: mprotect(page, 4096, 1); sum += page[5]; mprotect(page, 4096, 3); break;\n"
	"		case 3: { char *more = malloc(200000); memset(more, sum, 100000); sum += more[777]; if (sum & 64) free(more); break; }\n"
	"		case 4: page[sum % 4096] = sum; pool[sum % (1 << 16)] += sum; break;\n"
	"		case 5: { char *old = mmap(0, 16384, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); memset(old, 3, 16384);\n"
	"			char *to = mremap(old, 16384, 65536, MREMAP_MAYMOVE); to[40000] = 1; if (sum & 256) munmap(to, 65536); break; }\n"
	"		default: for (int i = 0; i < 4096; i += 64) sum += page[i] ^ pool[(sum + i) % (1 << 16)];\n"
	"		}\n"
	"	}\n"
	"	printf(\"%lx\\n\", sum); return 7; }\n";

/* Threads that wait for one another, and one that sleeps. */
static const char threads_text[] =
	"#include <pthread.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n#include <sys/random.h>\n"
	"static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;\n"
	"static unsigned long sum, whose; static __thread unsigned long mine[600];\n"
	"static void *work(void *which) { unsigned long me = (unsigned long)which, seed;\n"
	"	for (int round = 0; round < 12; round++) {\n"
	"		pthread_mutex_lock(&lock); while (whose != me) pthread_cond_wait(&turn, &lock);\n"
	"		getrandom(&seed, 8, 0); mine[seed % 600] += seed; sum = sum * 31 + mine[sum % 600] + me;\n"
	"		if (me == 2 && round % 5 == 0) usleep(50);\n"
	"		whose = (me + 1) % 4; pthread_cond_broadcast(&turn); pthread_mutex_unlock(&lock);\n"
	"		char *block = malloc(40000); block[seed % 40000] = 1; if (seed & 1) free(block); }\n"
	"	return 0; }\n"
	"int main(void) { pthread_t threads[4];\n"
	"	for (long i = 0; i < 4; i++) pthread_create(&threads[i], 0, work, (void *)i);\n"
	"	for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);\n"
	"	printf(\"%lx\\n\", sum); return 7; }\n";

/* Processes, one after the other and side by side, pipes between them, memory that they share. */
static const char processes_text[] =
	"#define _GNU_SOURCE\n#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n#include <sys/mman.h>\n#include <sys/wait.h>\n"
	"#include <sys/random.h>\nstatic unsigned long pool[20000];\n"
	"int main(void) { unsigned long sum = 1, seed; int fds[2], status;\n"
	"	unsigned long *shared = mmap(0, 65536, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);\n"
	"	for (int i = 0; i < 20000; i++) pool[i] = i * 7; pipe(fds);\n"
	"	for (int round = 0; round < 6; round++) {\n"
	"		getrandom(&seed, 8, 0);\n"
	"		if (!fork()) { pool[seed % 20000] += seed; shared[round * 100] = pool[seed % 20000]; usleep(100);\n"
	"			if (seed & 1 && !fork()) { pool[5] = 9; shared[round * 100 + 1] = pool[5]; _exit(2); }\n"
	"			write(fds[1], &pool[seed % 20000], 8); _exit(3); }\n"
	"		if (seed & 2) { pid_t other = fork(); if (!other) { pause(); _exit(1); } usleep(10); kill(other, 9); }\n"
	"		read(fds[0], &seed, 8); while (wait(&status) > 0) sum += status;\n"
	"		sum = sum * 31 + seed + shared[round * 100] + shared[round * 100 + 1] + pool[seed % 20000]; pool[round] = sum; }\n"
	"	munmap(shared + 512, 8192); shared[0] += sum;\n"
	"	printf(\"%lx %lx\\n\", sum, shared[0]); return 7; }\n";

/* Code that it writes itself, into memory and over code that it has run: addi a0, a0, N; ret. */
static const char code_text[] =
	"#define _GNU_SOURCE\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <sys/mman.h>\n#include <sys/random.h>\n"
	"typedef unsigned long (*Function)(unsigned long);\n"
	"int main(void) { unsigned long sum = 1, seed; unsigned *code = mmap(0, 65536, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
	"	for (int i = 0; i < 16384; i += 64) { code[i] = 0x00050513 | (i & 2047) << 20; code[i + 1] = 0x00008067; }\n"
	"	__builtin___clear_cache((char *)code, (char *)code + 65536);\n"
	"	for (int round = 0; round < 40; round++) {\n"
	"		getrandom(&seed, 8, 0); int at = seed % 4 * 64;\n"
	"		for (int i = 0; i < 300; i++) sum = ((Function)(code + (at + i % 4 * 64) % 256))(sum) * 3;\n"
	"		code[at] = 0x00050513 | (unsigned)(seed >> 8 & 2047) << 20;\n"
	"		__builtin___clear_cache((char *)(code + at), (char *)(code + at + 2));\n"
	"		if (seed % 5 == 0) { memcpy(code + (at ^ 8192), code + at, 8); __builtin___clear_cache((char *)code, (char *)code + 65536); }\n"
	"		if (seed % 7 == 0) { mprotect((char *)code + (seed >> 20) % 15 * 4096, 4096, 5); mprotect((char *)code + (seed >> 20) % 15 * 4096, 4096, 7); }\n"
	"	}\n"
	"	printf(\"%lx\\n\", sum); return 7; }\n";

/* Dynamic: the C library is mapped from files. Files of the host that are read, at places of their own, mapped, and written; a folder that
 * is listed; names that begin in another one. */
static const char files_text[] =
	"#define _GNU_SOURCE\n#include <dirent.h>\n#include <fcntl.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n"
	"#include <sys/mman.h>\n#include <sys/random.h>\n#include <sys/stat.h>\n"
	"int main(void) { unsigned long sum = 1, seed; char block[300]; struct stat info; DIR *dir = opendir(\"/given/folder\");\n"
	"	int data = open(\"/given/data\", O_RDONLY), twin = dup(data), out = open(\"/given/out\", O_WRONLY | O_CREAT, 0644), some = -1;\n"
	"	unsigned char *mine = mmap(0, 1 << 18, 3, MAP_PRIVATE, data, 0), *common = mmap(0, 1 << 18, 1, MAP_SHARED, data, 0);\n"
	"	FILE *copy = fopen(\"/tmp/copy\", \"w+\"); close(twin); chdir(\"/given/folder\");\n"
	"	if (data < 0 || out < 0 || mine == MAP_FAILED || common == MAP_FAILED || !copy || !dir) return 1;\n"
	"	for (int round = 0; round < 50; round++) {\n"
	"		getrandom(&seed, 8, 0); sum = sum * 31 + seed;\n"
	"		switch (seed % 9) {\n"
	"		case 0: read(data, block, 300); sum += block[seed >> 8 & 255]; break;\n"
	"		case 1: sum += lseek(data, seed >> 20 & 65535, SEEK_SET); break;\n"
	"		case 2: mine[seed >> 8 & 0x3FFFF]++; sum += mine[seed >> 30 & 0x3FFFF]; break;\n"
	"		case 3: sum += common[seed >> 8 & 0x3FFFF]; break;\n"
	"		case 4: { struct dirent *entry = readdir(dir); if (entry) sum += entry->d_name[0] + entry->d_ino; else rewinddir(dir); break; }\n"
	"		case 5: if (some < 0) some = open(seed & 256 ? \"a\" : \"b\", O_RDONLY); else { close(some); some = -1; } break;\n"
	"		case 6: if (some >= 0 && read(some, block, 1) == 1) sum += block[0]; fstat(data, &info); sum += info.st_ino + info.st_size; break;\n"
	"		case 7: pwrite(out, &sum, 8, seed >> 8 & 4095); fputs(\"more\", copy); break;\n"
	"		default: { unsigned char *brief = mmap(0, 65536, 3, MAP_PRIVATE, data, 65536); sum += brief[seed >> 8 & 65535]; munmap(brief, 65536); }\n"
	"		}\n"
	"	}\n"
	"	fseek(copy, 0, SEEK_END); printf(\"%lx %ld\\n\", sum, ftell(copy)); return 7; }\n";

typedef struct Party {
	Machine *alone;
	Buf delta, said, said_too;
	OpenFiles held;
	bool packed, ended;
} Party;

static void take_turn(Party *party, Machine *carrier, const MachineBase *base, u64 insns, u32 turn, const char *name)
{
	MachineStop stops[2];

	if (party->packed)
		assert_int_equal(machine_unpack(carrier, base, party->delta.data), STATUS_OK);
	machine_set_output(carrier, collect, &party->said_too);
	stops[0] = machine_run(party->alone, insns);
	stops[1] = machine_run(carrier, insns);
	assert_int_equal(stops[0].kind, stops[1].kind);
	assert_int_equal(stops[0].pc, stops[1].pc);
	party->ended = stops[0].kind == STOP_HALT;
	same(party->alone, carrier, name, turn);
	buf_clear(&party->delta);
	open_files_fini(&party->held);
	if (turn % 3 == 0) /* as one that runs long: what it has is its own then */
		machine_unshare(carrier);
	if (turn % 2) { /* and goes on */
		u64 more = insns / 2 + 1;

		machine_run(party->alone, more);
		stops[1] = machine_run(carrier, more);
		party->ended = stops[1].kind == STOP_HALT;
	}
	assert_int_equal(machine_pack(carrier, base, &party->delta, &party->held), STATUS_OK);
	party->packed = true;
	assert_int_equal(machine_unwind(carrier, base, party->delta.data), STATUS_OK);
	assert_int_equal(party->said.len, party->said_too.len);
	assert_true(!party->said.len || memcmp(party->said.data, party->said_too.data, party->said.len) == 0);
}

static void take_turns(Rig *rig, const char *name, const char *text, u64 first, u64 most)
{
	Party parties[TENANTS];
	Machine *origin, *carrier;
	MachineBase *base;
	Buf program, said;
	u32 ended = 0;
	Rng rng = {first};

	buf_init(&program);
	buf_init(&said);
	make_program(rig, text, &program);
	origin = computer(rig, &said);
	load(origin, rig, &program);
	assert_int_equal(run_to(origin, first).kind, STOP_BUDGET); /* in the midst */
	assert_int_equal(machine_freeze(origin, &base), STATUS_OK);
	carrier = bare(rig);
	assert_int_equal(machine_become(carrier, base), STATUS_OK);
	same(origin, carrier, name, 0);
	for (u32 i = 0; i < TENANTS; i++) {
		parties[i] = (Party){.alone = bare(rig)};
		assert_int_equal(machine_become(parties[i].alone, base), STATUS_OK);
		buf_init(&parties[i].delta);
		buf_init(&parties[i].said);
		buf_init(&parties[i].said_too);
		machine_set_output(parties[i].alone, collect, &parties[i].said);
	}
	for (u32 turn = 1; ended < TENANTS && turn < 1000; turn++) {
		Party *party = &parties[rng_below(&rng, TENANTS)];

		if (party->ended)
			continue;
		if (!party->packed) { /* so that they differ */
			machine_set_seed(party->alone, turn);
			machine_set_seed(carrier, turn);
		}
		take_turn(party, carrier, base, 1 + rng_below(&rng, turn > TURNS ? 10000000 : most), turn, name);
		ended += party->ended;
		assert_int_equal(machine_unpack(carrier, base, NULL), STATUS_OK);
		same(origin, carrier, name, turn);
	}
	assert_int_equal(ended, TENANTS);
	for (u32 i = 0; i < TENANTS; i++) {
		machine_destroy(parties[i].alone);
		buf_fini(&parties[i].delta);
		open_files_fini(&parties[i].held);
		buf_fini(&parties[i].said);
		buf_fini(&parties[i].said_too);
	}
	machine_base_destroy(base);
	machine_destroy(origin);
	machine_destroy(carrier);
	buf_fini(&program);
	buf_fini(&said);
}

static void take_all_turns(Rig *rig, const char *name, const char *text, u64 first, u64 most)
{
	for (u32 i = 0; i < 2; i++) {
		rig->engine = i ? &jit_engine : &interp_engine;
		take_turns(rig, name, text, 0, most * 5);
		take_turns(rig, name, text, first, most);
	}
}

static void test_memory(void **state)
{
	take_all_turns(*state, "memory", memory_text, 250000, 8000);
}

static void test_threads(void **state)
{
	take_all_turns(*state, "threads", threads_text, 30000, 3000);
}

static void test_processes(void **state)
{
	take_all_turns(*state, "processes", processes_text, 50000, 3000);
}

static void put_file(const Rig *rig, const char *name, u32 bytes, u32 step)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", rig->folder, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	for (u32 i = 0; i < bytes; i++)
		fputc((int)(i * step >> 7), file);
	fclose(file);
}

static void make_files(Rig *rig)
{
	char command[200];

	snprintf(command, sizeof command, "mkdir -p %s/folder", rig->folder);
	assert_int_equal(system(command), 0);
	put_file(rig, "data", 1 << 18, 77);
	put_file(rig, "folder/a", 5000, 3);
	put_file(rig, "folder/b", 7000, 5);
}

static void test_files(void **state)
{
	Rig *rig = *state;

	make_files(rig);
	rig->root = "/usr/riscv64-linux-gnu";
	take_all_turns(rig, "files", files_text, 90000, 3000);
	rig->root = NULL;
}

static void test_code(void **state)
{
	take_all_turns(*state, "code", code_text, 40000, 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_code),
	};

	return cmocka_run_group_tests_name("park_linux", tests, setup, teardown);
}
