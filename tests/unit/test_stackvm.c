/* SPDX-License-Identifier: MIT
 *
 * The stack machine of the lessons against a model in C: random words in the memory they share with the stack, in both
 * modes, the output to the byte and the place and kind of the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "guests/stackvm/stackvm.h"

enum { PROGRAMS = 300, STEPS = 400, MEMORY = 2000, ORIGIN = 100, WORDS = 250 };

typedef enum Outcome { GOES_ON, HALTED, ILLEGAL, TRAPPED } Outcome;

typedef struct Model {
	u32 memory[MEMORY];
	i32 sp, pc;
	bool strict;
	Buf out;
} Model;

static i32 at(const Model *m, i32 i)
{
	return i < 0 ? 0 : (i32)m->memory[i];
}

static void put(Model *m, i32 value)
{
	if (m->sp >= 0)
		m->memory[m->sp] = (u32)value;
}

static Outcome calculate(Model *m, u32 data)
{
	static const char *const names[] = {"add", "sub", "mul", "div"};
	i32 a, b;
	u32 result;

	if (m->strict && m->sp < 2)
		return TRAPPED;
	b = at(m, m->sp);
	a = at(m, m->sp - 1);
	buf_printf(&m->out, "%s %d %d\n", names[data - 1], a, b);
	if (data == 4 && (b == 0 || (b == -1 && (u32)a == 0x80000000)))
		return TRAPPED;
	result = data == 1 ? (u32)a + (u32)b : data == 2 ? (u32)a - (u32)b : data == 3 ? (u32)a * (u32)b : (u32)(a / b);
	m->sp--;
	put(m, (i32)result);
	return GOES_ON;
}

static Outcome step(Model *m)
{
	u32 word = m->memory[m->pc], type = word >> 30, data = word & 0x3FFFFFFF;
	Outcome outcome = GOES_ON;

	if (type == 3 && m->strict)
		return ILLEGAL;
	if (type == 0 || (type == 2 && m->strict)) {
		m->sp++;
		put(m, type ? -(i32)data : (i32)data);
	} else if (data == 0) {
		buf_str(&m->out, "halt\n");
		outcome = HALTED;
	} else if (data <= 4) {
		outcome = calculate(m, data);
	}
	if (outcome == GOES_ON || outcome == HALTED) {
		buf_printf(&m->out, "tos: %d\n", at(m, m->sp));
		m->pc++;
	}
	return outcome;
}

static u32 random_word(Rng *rng)
{
	switch (rng_below(rng, 12)) {
	case 0: return (u32)rng_next(rng);
	case 1: return (u32)rng_next(rng) & 0x3FFFFFFF;
	case 2: return (u32)rng_below(rng, 4) << 30 | (u32)rng_below(rng, 7);
	case 3: case 4: case 5: return 0x40000001 + (u32)rng_below(rng, 4);
	default: return (u32)rng_below(rng, 12);
	}
}

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
}

static Outcome compare(const Isa *isa, bool strict, Rng *rng)
{
	MachineConfig config = {.isa = isa, .guest = &stackvm_guest};
	Model *m = calloc(1, sizeof *m);
	Outcome outcome = GOES_ON;
	GuestFile file = {.name = "out.bin"};
	MachineStop stop;
	Machine *machine;
	DiagList diags;
	Buf words, out;
	u32 sp;
	u8 width;
	u64 value;

	assert_non_null(m);
	*m = (Model){.pc = ORIGIN, .strict = strict};
	buf_init(&m->out);
	buf_init(&words);
	buf_init(&out);
	diag_init(&diags);
	for (u32 i = 0, pushes = (u32)rng_below(rng, 130); i < WORDS; i++) {
		m->memory[ORIGIN + i] = i < pushes && pushes > 60 ? (u32)rng_below(rng, 9) : random_word(rng);
		buf_u32(&words, m->memory[ORIGIN + i]);
	}
	file.data = words.data;
	file.len = words.len;
	assert_int_equal(machine_create(&config, &machine, &diags), STATUS_OK);
	machine_set_output(machine, on_output, &out);
	assert_int_equal(stackvm_guest.load(machine, &file, 1, &diags), STATUS_OK);
	while (outcome == GOES_ON && m->pc < ORIGIN + STEPS)
		outcome = step(m);
	stop = machine_run(machine, STEPS);
	assert_string_equal(buf_text(&out), buf_text(&m->out));
	assert_int_equal(stop.kind, outcome == GOES_ON ? STOP_BUDGET : outcome == HALTED ? STOP_HALT : outcome == ILLEGAL ? STOP_ILLEGAL : STOP_TRAP);
	assert_int_equal(machine_pc(machine), m->pc);
	assert_true(isa_find_register(isa, "sp", 2, false, &sp, &width));
	if (outcome != TRAPPED)
		assert_int_equal((i32)machine_slot(machine, sp), m->sp);
	for (u32 i = 0; i < MEMORY; i++) {
		assert_int_equal(machine_read(machine, isa->code_space, i, &value), STATUS_OK);
		assert_int_equal(value, m->memory[i]);
	}
	machine_destroy(machine);
	diag_fini(&diags);
	buf_fini(&words);
	buf_fini(&out);
	buf_fini(&m->out);
	free(m);
	return outcome;
}

static void random_programs(void **state)
{
	Rng rng = {99};

	(void)state;
	for (u32 strict = 0; strict < 2; strict++) {
		IsaChoice choice = {"mode", strict ? "strict" : "compat"};
		u32 outcomes[4] = {0};
		DiagList diags;
		Isa *isa;

		diag_init(&diags);
		isa = isa_load("stackvm.isa", stackvm_isa_text, strlen(stackvm_isa_text), &choice, 1, &diags);
		assert_non_null(isa);
		for (u32 i = 0; i < PROGRAMS; i++)
			outcomes[compare(isa, strict, &rng)]++;
		assert_true(outcomes[HALTED] && outcomes[TRAPPED] && (outcomes[ILLEGAL] || !strict));
		isa_destroy(isa);
		diag_fini(&diags);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_programs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
