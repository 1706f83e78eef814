/* SPDX-License-Identifier: MIT
 *
 * Snapshots of Linux programs. Each of the programs in tests/linux, which know best what there is in a kernel, is run
 * through; and then again by stages, each in a new machine that the one before was saved to: at every stage
 *
 *     saved, loaded and saved once more it is the same bytes
 *     the machine that was never interrupted, saved there, is the same bytes
 *
 * and at the end output, exit code and count of instructions are the same. Then bytes that are not a snapshot any more:
 * whatever is changed, a machine takes it or refuses it.
 */
#include "unit/linux_run.h"

#include <errno.h>

#include "base/hash.h"
#include "base/rng.h"
#include "jit/jit.h"

enum { STEP_MOST = 40000000 };

/* ---- By stages ---- */

static void by_stages(const Rig *rig, const Buf *program, const char *name, u64 step, u64 most)
{
	Buf whole, parts, here, there, again;
	Machine *through, *stage, *next;
	MachineStop stop = {.kind = STOP_BUDGET}, other;

	buf_init(&whole);
	buf_init(&parts);
	buf_init(&here);
	buf_init(&there);
	buf_init(&again);
	through = computer(rig, &whole);
	stage = computer(rig, &parts);
	load(through, rig, program);
	load(stage, rig, program);
	for (u64 at = step; stop.kind == STOP_BUDGET && at < most; at += step) {
		stop = run_to(through, at);
		other = run_to(stage, at);
		assert_int_equal(other.kind, stop.kind);
		assert_int_equal(other.code, stop.code);
		assert_int_equal(machine_icount(stage), machine_icount(through));
		if (stop.kind != STOP_BUDGET)
			break;
		snapshot(through, &there);
		snapshot(stage, &here);
		assert_same(&there, &here, name, at);
		next = computer(rig, &parts);
		restore(next, &here);
		snapshot(next, &again);
		assert_same(&here, &again, "loaded", at);
		machine_destroy(stage);
		stage = next;
	}
	if (stop.kind != STOP_HALT)
		fail_msg("%s did not end: %d at %llu: %s", name, (int)stop.kind, (unsigned long long)machine_icount(through),
			 stop.text ? stop.text : "");
	assert_int_equal(parts.len, whole.len);
	assert_memory_equal(parts.data, whole.data, whole.len);
	machine_destroy(through);
	machine_destroy(stage);
	buf_fini(&whole);
	buf_fini(&parts);
	buf_fini(&here);
	buf_fini(&there);
	buf_fini(&again);
}

static void test_programs(void **state)
{
	/* About how many stages each has says the step. */
	static const struct {
		const char *name;
		u64 step;
	} programs[] = {
		{"pipes", 300000}, {"threads", 90000}, {"processes", 3100}, {"signals", 4700}, {"polling", 2900},
		{"sockets", 1300}, {"terminals", 700}, {"descriptors", 1100}, {"exec", 50000}, {"memory_maps", 5300},
		{"stops", 3500}, {"kept", 5000},
	};
	Rig *rig = *state;
	const char *only = getenv("ONLY"), *step = getenv("STEP");

	for (u32 i = 0; i < COUNT_OF(programs); i++) {
		char source[100];
		Buf program;

		if (only && strcmp(only, programs[i].name))
			continue;
		buf_init(&program);
		snprintf(source, sizeof source, "tests/linux/%s.c", programs[i].name);
		compile(rig, source, "", &program);
		by_stages(rig, &program, programs[i].name, step ? strtoull(step, NULL, 0) : programs[i].step, STEP_MOST);
		buf_fini(&program);
	}
}

/* Compiled code ends in the same state: through by one engine, by stages with the other. */
static void test_engines(void **state)
{
	Rig *rig = *state;
	Buf program, outputs[2], states[2];

	if (!jit_is_possible())
		skip();
	buf_init(&program);
	compile(rig, "tests/linux/processes.c", "", &program);
	for (int jit = 0; jit < 2; jit++) {
		Machine *machine;

		rig->engine = jit ? &jit_engine : &interp_engine;
		by_stages(rig, &program, "processes", 13000, STEP_MOST);
		buf_init(&outputs[jit]);
		buf_init(&states[jit]);
		machine = computer(rig, &outputs[jit]);
		load(machine, rig, &program);
		for (u64 at = 3000; at < 60000; at += 9000) {
			run_to(machine, at);
			snapshot(machine, &states[jit]);
			restore(machine, &states[jit]); /* over itself */
		}
		snapshot(machine, &states[jit]);
		machine_destroy(machine);
	}
	rig->engine = &interp_engine;
	assert_same(&states[0], &states[1], "compiled", 60000);
	assert_int_equal(outputs[0].len, outputs[1].len);
	for (int jit = 0; jit < 2; jit++) {
		buf_fini(&outputs[jit]);
		buf_fini(&states[jit]);
	}
	buf_fini(&program);
}

/* Between machines that are set up alike the program is left out, and comes out the same. */
static void test_near(void **state)
{
	Rig *rig = *state;
	const MachineConfig config = computer_config(rig);
	Buf program, output, whole, near, again;
	Machine *machine, *other;
	void *setup;
	DiagList diags;

	buf_init(&program);
	buf_init(&output);
	buf_init(&whole);
	buf_init(&near);
	buf_init(&again);
	diag_init(&diags);
	compile(rig, "tests/linux/processes.c", "", &program);
	machine = computer(rig, &output);
	load(machine, rig, &program);
	run_to(machine, 30000);
	assert_int_equal(rig->guest->setup(machine, &setup), STATUS_OK);
	snapshot(machine, &whole);
	assert_int_equal(machine_create(&config, &other, &diags), STATUS_OK);
	assert_int_equal(rig->guest->set_up(other, setup), STATUS_OK);
	restore(other, &whole);
	rig->guest->setup_put(setup);
	buf_clear(&whole);
	assert_int_equal(rig->guest->save(machine, &whole), STATUS_OK);
	assert_int_equal(rig->guest->save_near(machine, &near, NULL), STATUS_OK);
	assert_true(near.len < 20000 && near.len + program.len <= whole.len);
	/* Its pages are there already: the same machine, but for the kernel. */
	machine_destroy(machine);
	assert_int_equal(rig->guest->save_near(other, &again, NULL), STATUS_OK);
	assert_same(&near, &again, "near", 30000);
	assert_int_equal(rig->guest->restore_near(other, near.data, near.len), STATUS_OK);
	buf_clear(&again);
	assert_int_equal(rig->guest->save(other, &again), STATUS_OK);
	assert_same(&whole, &again, "whole", 30000);
	machine_destroy(other);
	/* Who is not set up so can't take it. */
	other = computer(rig, &output);
	assert_int_equal(rig->guest->restore_near(other, near.data, near.len), STATUS_CORRUPT);
	machine_destroy(other);
	diag_fini(&diags);
	buf_fini(&program);
	buf_fini(&output);
	buf_fini(&whole);
	buf_fini(&near);
	buf_fini(&again);
}

/* ---- A file of which only a part was read ---- */

typedef struct Part {
	const Buf *program;
	bool gone; /* nobody can read any more of it */
} Part;

static i64 part_read(void *ctx, void *to, u64 len, u64 offset)
{
	const Part *part = ctx;
	const u64 left = offset < part->program->len ? part->program->len - offset : 0;

	len = len < left ? len : left;
	memcpy(to, part->program->data + (len ? offset : 0), len);
	return part->gone ? -EIO : (i64)len;
}

static bool part_all(void *ctx)
{
	return !((const Part *)ctx)->gone;
}

/* What cannot be saved whole is not saved. */
static void test_part(void **state)
{
	Rig *rig = *state;
	Buf program, output, saved;
	Part part = {.program = &program};
	const GuestFileRest rest = {.ctx = &part, .read = part_read, .all = part_all};
	GuestFile file = {.name = "program", .rest = &rest, .stays = true};
	Machine *machine;
	DiagList diags;

	buf_init(&program);
	buf_init(&output);
	buf_init(&saved);
	diag_init(&diags);
	compile(rig, "tests/linux/processes.c", "", &program);
	file.data = program.data;
	file.len = program.len;
	machine = computer(rig, &output);
	assert_int_equal(rig->guest->load(machine, &file, 1, &diags), STATUS_OK);
	machine_input_end(machine);
	run_to(machine, 30000);
	part.gone = true;
	assert_int_equal(rig->guest->save(machine, &saved), STATUS_IO);
	part.gone = false;
	buf_clear(&saved);
	assert_int_equal(rig->guest->save(machine, &saved), STATUS_OK);
	machine_destroy(machine);
	diag_fini(&diags);
	buf_fini(&program);
	buf_fini(&output);
	buf_fini(&saved);
}

/* ---- Hostile bytes ---- */

static void seal(Buf *bytes)
{
	u64 hash;

	for (u32 i = 0; i < 8; i++)
		bytes->data[12 + i] = (u8)((u64)bytes->len >> 8 * i);
	hash = hash_bytes(HASH_START, bytes->data, bytes->len - 8);
	memcpy(bytes->data + bytes->len - 8, &hash, 8);
}

/* Where the kernel's part begins: behind its length, which is how far it is to the checksum. */
static size_t kernel_part(const Buf *bytes)
{
	for (size_t at = bytes->len - 16; at > 64; at--) {
		u64 len;

		memcpy(&len, bytes->data + at - 8, 8);
		if (len == bytes->len - 8 - at && len > 1000)
			return at;
	}
	fail_msg("%s", "no kernel's part");
	return 0;
}

/* Something within 64 bytes behind `from` is otherwise. */
static void change(Rng *rng, Buf *bytes, size_t from)
{
	static const u32 values[] = {0, 1, 2, 3, 4, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 4096, 0x10000};
	size_t end = bytes->len - 8, at = from + (size_t)rng_below(rng, end - from < 64 ? end - from : 64), len;
	u32 value = values[rng_below(rng, COUNT_OF(values))];

	len = (size_t)rng_below(rng, end - at < 40 ? end - at : 40) + 1;
	switch (rng_below(rng, 8)) {
	case 0: /* cut */
		bytes->len = at + 8;
		break;
	case 1: /* a piece is taken out */
		memmove(bytes->data + at, bytes->data + at + len, bytes->len - at - len);
		bytes->len -= len;
		break;
	case 2: /* a piece is there twice */
		if (!buf_reserve(bytes, len))
			return;
		memmove(bytes->data + at + len, bytes->data + at, bytes->len - at);
		bytes->len += len;
		break;
	case 3:
	case 4:
		memcpy(bytes->data + at, &value, end - at < 4 ? end - at : 4);
		break;
	case 5:
		bytes->data[at] = (u8)rng_next(rng);
		break;
	default:
		bytes->data[at] ^= (u8)(1u << rng_below(rng, 8));
		break;
	}
}

/* Most of it is what memory holds, where nothing can be wrong: so the changes are in the kernel's part. The program lies on
 * the host, that it be small. */
static void test_changed(void **state)
{
	static const struct {
		const char *name;
		u64 at;
	} programs[] = {{"sockets", 20000}, {"terminals", 9000}, {"descriptors", 20000}, {"polling", 40000},
			{"memory_maps", 80000}, {"processes", 40000}, {"stops", 50000}, {"timers", 50000}, {"kept", 150000}};
	Rig *rig = *state;
	const char *rounds_text = getenv("ROUNDS"), *seed = getenv("SEED");
	u32 rounds = rounds_text ? (u32)atoi(rounds_text) : 36, taken = 0;
	Rng rng;

	rng.state = seed ? strtoull(seed, NULL, 0) : 1;
	rig->on_host = true;
	for (u32 i = 0; i < COUNT_OF(programs); i++) {
		Buf program, output, good, bad;
		Machine *machine;
		char source[100];
		size_t from;

		buf_init(&program);
		buf_init(&output);
		buf_init(&good);
		buf_init(&bad);
		snprintf(source, sizeof source, "tests/linux/%s.c", programs[i].name);
		compile(rig, source, "-s", &program);
		machine = computer(rig, &output);
		load(machine, rig, &program);
		run_to(machine, programs[i].at);
		snapshot(machine, &good);
		machine_destroy(machine);
		from = kernel_part(&good);
		machine = computer(rig, &output);
		for (u32 round = 0; round < rounds; round++) {
			buf_clear(&bad);
			buf_add(&bad, good.data, good.len);
			for (u64 k = rng_below(&rng, 3) + 1; k-- && bad.len - 8 > from + 1;)
				change(&rng, &bad, from + (size_t)rng_below(&rng, bad.len - 8 - from));
			seal(&bad);
			if (machine_restore(machine, bad.data, bad.len) != STATUS_OK)
				continue;
			taken++;
			run_to(machine, machine_icount(machine) + 20000);
			buf_clear(&bad);
			machine_snapshot(machine, &bad);
			buf_clear(&output);
		}
		/* A good one is taken still. */
		restore(machine, &good);
		machine_destroy(machine);
		buf_fini(&program);
		buf_fini(&output);
		buf_fini(&good);
		buf_fini(&bad);
	}
	rig->on_host = false;
	print_message("%u of %u were taken\n", taken, rounds * (u32)COUNT_OF(programs));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_engines),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_part),
		cmocka_unit_test(test_changed),
	};

	return cmocka_run_group_tests_name("linux_save", tests, setup, teardown);
}
