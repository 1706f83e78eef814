/* SPDX-License-Identifier: MIT
 *
 * examples/isa/chip8.isa: what each instruction leaves behind, the drawing rules pixel by pixel against a plain model,
 * the quirks both ways, keys, timers, and the programs beside it.
 */
#include "base/rng.h"
#include "museum.h"

static const char isa_path[] = "examples/isa/chip8.isa";

static Museum museum;

static void open_with(const char *option, const char *choice)
{
	IsaChoice choices[3] = {{"vblank", "free"}, {"selfjump", "halt"}, {option, choice}};

	museum_open(&museum, isa_path, choices, option ? 3 : 2);
}

static void set_v(unsigned index, u64 value)
{
	char name[8];

	snprintf(name, sizeof(name), "V%X", index);
	museum_set(&museum, name, value);
}

static u64 get_v(unsigned index)
{
	char name[8];

	snprintf(name, sizeof(name), "V%X", index);
	return museum_get(&museum, name);
}

/* Runs one instruction at 0x300. */
static MachineStop step(unsigned word)
{
	museum_poke(&museum, 0x300, word >> 8);
	museum_poke(&museum, 0x301, word & 0xFF);
	machine_set_pc(museum.machine, 0x300);
	return museum_run(&museum, 1);
}

/* ---- Arithmetic: every pair of bytes ---- */

static void test_arithmetic(void **state)
{
	static const u8 ops[] = {0x4, 0x5, 0x7, 0x6, 0xE, 0x1, 0x2, 0x3};

	(void)state;
	open_with(NULL, NULL);
	for (u32 k = 0; k < sizeof(ops); k++)
		for (unsigned a = 0; a < 256; a += 3)
			for (unsigned b = 0; b < 256; b += 5) {
				unsigned want = 0, flag = 0;

				set_v(1, a);
				set_v(2, b);
				set_v(15, 7);
				assert_int_equal(step(0x8120 | ops[k]).kind, STOP_BUDGET);
				switch (ops[k]) {
				case 0x4: want = a + b; flag = want >> 8; break;
				case 0x5: want = a - b; flag = a >= b; break;
				case 0x7: want = b - a; flag = b >= a; break;
				case 0x6: want = b >> 1; flag = b & 1; break;
				case 0xE: want = b << 1; flag = b >> 7; break;
				case 0x1: want = a | b; break;
				case 0x2: want = a & b; break;
				case 0x3: want = a ^ b; break;
				}
				if (get_v(1) != (want & 0xFF) || get_v(15) != flag || get_v(2) != b)
					fail_msg("8xy%X with %02X, %02X: %02X flag %u, want %02X flag %u", ops[k], a, b,
						 (unsigned)get_v(1), (unsigned)get_v(15), want & 0xFF, flag);
			}
	/* VF as the destination holds the flag, as a source its old value. */
	set_v(15, 200);
	set_v(2, 100);
	step(0x8F24);
	assert_int_equal(get_v(15), 1);
	set_v(15, 200);
	step(0x82F4);
	assert_int_equal(get_v(2), (100 + 200) & 0xFF);
	assert_int_equal(get_v(15), 1);
	museum_close(&museum);
}

static void test_quirks(void **state)
{
	(void)state;
	open_with("shift", "vx");
	set_v(1, 0x81);
	set_v(2, 0x10);
	step(0x8126);
	assert_int_equal(get_v(1), 0x40);
	assert_int_equal(get_v(15), 1);
	museum_close(&museum);

	open_with("logic", "keep");
	set_v(15, 7);
	step(0x8121);
	assert_int_equal(get_v(15), 7);
	museum_close(&museum);

	for (unsigned keep = 0; keep < 2; keep++) {
		open_with("memory", keep ? "keep" : "increment");
		for (unsigned i = 0; i < 16; i++)
			set_v(i, i + 0x30);
		museum_set(&museum, "I", 0x400);
		step(0xF555);
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(museum_peek(&museum, 0x400 + i), i < 6 ? i + 0x30 : 0);
		assert_int_equal(museum_get(&museum, "I"), keep ? 0x400 : 0x406);
		museum_set(&museum, "I", 0x401);
		step(0xF165);
		assert_int_equal(get_v(0), 0x31);
		assert_int_equal(get_v(1), 0x32);
		assert_int_equal(get_v(2), 0x32);
		assert_int_equal(museum_get(&museum, "I"), keep ? 0x401 : 0x403);
		museum_close(&museum);
	}
	for (unsigned vx = 0; vx < 2; vx++) {
		open_with("offset", vx ? "vx" : "v0");
		set_v(0, 0x10);
		set_v(3, 0x20);
		step(0xB320);
		assert_int_equal(machine_pc(museum.machine), vx ? 0x340 : 0x330);
		museum_close(&museum);
	}
}

/* ---- Drawing, against a picture drawn pixel by pixel ---- */

static void test_drawing(void **state)
{
	(void)state;
	for (unsigned wrap = 0; wrap < 2; wrap++) {
		u8 picture[32][64] = {{0}};
		Rng rng = {.state = 5};

		open_with("edge", wrap ? "wrap" : "clip");
		for (unsigned round = 0; round < 400; round++) {
			unsigned x = (unsigned)rng_below(&rng, 256), y = (unsigned)rng_below(&rng, 256),
				 rows = (unsigned)rng_below(&rng, 16), hit = 0;
			unsigned at = 0x500 + (unsigned)rng_below(&rng, 256);

			for (unsigned r = 0; r < rows; r++) {
				unsigned byte = (unsigned)rng_below(&rng, 256);

				museum_poke(&museum, at + r, byte);
				for (unsigned c = 0; c < 8; c++) {
					unsigned px = x % 64 + c, py = y % 32 + r;

					if ((px > 63 || py > 31) && !wrap)
						continue;
					if (!(byte >> (7 - c) & 1))
						continue;
					hit |= picture[py % 32][px % 64];
					picture[py % 32][px % 64] ^= 1;
				}
			}
			set_v(3, x);
			set_v(4, y);
			museum_set(&museum, "I", at);
			assert_int_equal(step(0xD340 | rows).kind, STOP_BUDGET);
			assert_int_equal(get_v(15), hit);
			assert_int_equal(museum_get(&museum, "I"), at);
			for (unsigned py = 0; py < 32; py++)
				for (unsigned px = 0; px < 64; px++)
					if (machine_display_cell(museum.machine, px, py) != picture[py][px])
						fail_msg("wrap %u: %u rows at %u, %u: pixel %u, %u", wrap, rows, x, y, px, py);
		}
		step(0x00E0);
		for (unsigned i = 0; i < 2048; i++)
			assert_int_equal(machine_display_cell(museum.machine, i % 64, i / 64), 0);
		museum_close(&museum);
	}
}

/* ---- The rest of the instructions ---- */

static void test_others(void **state)
{
	MachineStop stop;

	(void)state;
	open_with(NULL, NULL);
	for (unsigned v = 0; v < 256; v++) {
		set_v(6, v);
		museum_set(&museum, "I", 0x600);
		step(0xF633);
		assert_int_equal(museum_peek(&museum, 0x600), v / 100);
		assert_int_equal(museum_peek(&museum, 0x601), v / 10 % 10);
		assert_int_equal(museum_peek(&museum, 0x602), v % 10);
	}
	set_v(6, 0xA);
	step(0xF629);
	assert_int_equal(museum_get(&museum, "I"), 0x50 + 50);
	assert_int_equal(museum_peek(&museum, 0x50 + 50), 0xF0); /* the font is there from the start */
	assert_int_equal(museum_peek(&museum, 0x50 + 79), 0x80);
	museum_set(&museum, "I", 0x0FFF);
	step(0xF61E);
	assert_int_equal(museum_get(&museum, "I"), 0x1009);

	/* Skips: word, is it taken? */
	set_v(1, 5);
	set_v(2, 5);
	set_v(3, 6);
	static const struct { unsigned word; bool skips; } skips[] = {
		{0x3105, true}, {0x3106, false}, {0x4105, false}, {0x4106, true}, {0x5120, true}, {0x5130, false},
		{0x9120, false}, {0x9130, true}, {0xE19E, false}, {0xE1A1, true},
	};
	for (u32 k = 0; k < COUNT_OF(skips); k++) {
		step(skips[k].word);
		assert_int_equal(machine_pc(museum.machine), skips[k].skips ? 0x304 : 0x302);
	}

	/* Calls: sixteen deep, then a trap; a return without a call traps too. */
	for (unsigned k = 0; k < 16; k++)
		assert_int_equal(step(0x2456).kind, STOP_BUDGET);
	assert_int_equal(machine_pc(museum.machine), 0x456);
	stop = step(0x2456);
	assert_int_equal(stop.kind, STOP_TRAP);
	assert_int_equal(stop.code, 1);
	assert_int_equal(machine_pc(museum.machine), 0x300);
	for (unsigned k = 0; k < 16; k++) {
		assert_int_equal(step(0x00EE).kind, STOP_BUDGET);
		assert_int_equal(machine_pc(museum.machine), 0x302);
	}
	stop = step(0x00EE);
	assert_int_equal(stop.kind, STOP_TRAP);
	assert_int_equal(stop.code, 2);
	stop = step(0x0123); /* machine code of the VIP */
	assert_int_equal(stop.kind, STOP_TRAP);
	assert_int_equal(stop.code, 3);
	assert_int_equal(step(0x8128).kind, STOP_ILLEGAL);
	assert_int_equal(step(0xFFFF).kind, STOP_ILLEGAL);

	/* Random numbers are masked, and are the same for the same seed. */
	u64 first[8];
	for (unsigned pass = 0; pass < 2; pass++) {
		machine_reset(museum.machine, false);
		for (unsigned k = 0; k < 8; k++) {
			step(0xC50F | (k << 4));
			assert_true(get_v(5) <= (0x0F | (k << 4)));
			if (pass)
				assert_int_equal(get_v(5), first[k]);
			first[k] = get_v(5);
		}
	}
	museum_close(&museum);
}

static void test_timers(void **state)
{
	(void)state;
	open_with(NULL, NULL);
	/* 0x200: a loop of two instructions; every 20 of them is a frame. */
	for (unsigned k = 0; k < 4; k++)
		museum_poke(&museum, 0x200 + k, (u8[]){0x71, 0x01, 0x12, 0x00}[k]);
	museum_set(&museum, "DT", 5);
	museum_set(&museum, "ST", 2);
	machine_set_pc(museum.machine, 0x200);
	museum_run(&museum, 19);
	assert_int_equal(museum_get(&museum, "DT"), 5);
	museum_run(&museum, 2);
	assert_int_equal(museum_get(&museum, "DT"), 4);
	museum_run(&museum, 80);
	assert_int_equal(museum_get(&museum, "DT"), 0);
	assert_int_equal(museum_get(&museum, "ST"), 0);
	assert_int_equal(machine_icount(museum.machine), 101);
	museum_close(&museum);
}

static void test_display_wait(void **state)
{
	(void)state;
	museum_open(&museum, isa_path, NULL, 0);
	/* Ten sprites in a row take ten frames. */
	for (unsigned k = 0; k < 20; k++)
		museum_poke(&museum, 0x200 + k, k % 2 ? 0x15 : 0xD0);
	museum_poke(&museum, 0x214, 0x12);
	museum_poke(&museum, 0x215, 0x14);
	MachineStop stop = museum_run(&museum, 10000);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_true(machine_icount(museum.machine) >= 200);
	assert_true(machine_icount(museum.machine) <= 230);
	museum_close(&museum);
}

/* ---- Keys ---- */

static void test_keys(void **state)
{
	static const char layout[] = "x123qweasdzc4rfv";
	MachineStop stop;

	(void)state;
	for (unsigned key = 0; key < 16; key++)
		for (unsigned upper = 0; upper < 2; upper++) {
			u8 c = (u8)layout[key];

			if (upper && c >= 'a')
				c = (u8)(c - 'a' + 'A');
			open_with(NULL, NULL);
			machine_input(museum.machine, &c, 1);
			for (unsigned other = 0; other < 16; other++) {
				set_v(1, other);
				step(0xE19E);
				assert_int_equal(machine_pc(museum.machine), other == key ? 0x304 : 0x302);
				step(0xE1A1);
				assert_int_equal(machine_pc(museum.machine), other == key ? 0x302 : 0x304);
			}
			museum_close(&museum);
		}

	/* Fx0A gives the key when it is released: two keys, of which the first is typed twice without a pause. */
	open_with(NULL, NULL);
	for (unsigned k = 0; k < 6; k++)
		museum_poke(&museum, 0x200 + k, (u8[]){0xF1, 0x0A, 0xF2, 0x0A, 0x12, 0x04}[k]);
	machine_set_pc(museum.machine, 0x200);
	machine_input(museum.machine, (const u8 *)"qq.4", 4);
	stop = museum_run(&museum, 5000);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(get_v(1), 4);
	assert_int_equal(get_v(2), 12);

	/* Nobody types, and nobody will: waiting ends. */
	museum_poke(&museum, 0x206, 0xF3);
	museum_poke(&museum, 0x207, 0x0A);
	machine_set_pc(museum.machine, 0x206);
	machine_input_end(museum.machine);
	stop = museum_run(&museum, 100000000);
	assert_int_equal(stop.kind, STOP_INPUT_ENDED);
	museum_close(&museum);
}

/* ---- Programs ---- */

static void screen(Buf *out)
{
	for (unsigned y = 0; y < 32; y++) {
		for (unsigned x = 0; x < 64; x++)
			buf_byte(out, machine_display_cell(museum.machine, x, y) ? '#' : '.');
		buf_byte(out, '\n');
	}
}

static void run_program(const char *path, u64 insns, StopKind kind)
{
	MachineStop stop;

	museum_open(&museum, isa_path, NULL, 0);
	museum_assemble_file(&museum, path);
	stop = museum_run(&museum, insns);
	if (stop.kind != kind)
		fail_msg("%s: %s at %03X", path, stop.text ? stop.text : "stopped", (unsigned)stop.pc);
}

static void test_programs(void **state)
{
	Buf picture;

	(void)state;
	run_program("examples/isa/chip8/logo.asm", 100000, STOP_HALT);
	buf_init(&picture);
	screen(&picture);
	/* A row through the middle of the five letters. */
	assert_memory_equal(picture.data + 65 * 10,
			    "............###..###.###..###..######..###..###...###...........", 64);
	museum_close(&museum);
	buf_clear(&picture);

	/* The maze fills the picture: a diagonal of four pixels in each of the 128 cells. */
	run_program("examples/isa/chip8/maze.asm", 100000, STOP_HALT);
	for (unsigned cell = 0; cell < 128; cell++) {
		unsigned lit = 0;

		for (unsigned k = 0; k < 16; k++)
			lit += machine_display_cell(museum.machine, cell % 16 * 4 + k % 4, cell / 16 * 4 + k / 4) != 0;
		assert_int_equal(lit, 4);
	}
	museum_close(&museum);

	/* The ball is a ball at every frame, and stays inside. */
	run_program("examples/isa/chip8/ball.asm", 20000, STOP_BUDGET);
	while (museum_get(&museum, "pc") != 0x20E)
		museum_run(&museum, 1);
	unsigned lit = 0;
	for (unsigned i = 0; i < 2048; i++)
		lit += machine_display_cell(museum.machine, i % 64, i / 64) != 0;
	assert_int_equal(lit, 12);
	museum_close(&museum);
	buf_fini(&picture);
}

/* ---- The same run in pieces: slices of any length, and through snapshots into another machine ---- */

static void state_of(Museum *from, Buf *out)
{
	buf_clear(out);
	assert_int_equal(machine_snapshot(from->machine, out), STATUS_OK);
}

static void in_pieces(const char *path, const char *keys, u64 insns)
{
	Museum whole, pieces;
	Buf want, got, saved;
	Rng rng = {.state = 3};

	buf_init(&want);
	buf_init(&got);
	buf_init(&saved);
	museum_open(&whole, isa_path, NULL, 0);
	museum_assemble_file(&whole, path);
	machine_input(whole.machine, (const u8 *)keys, strlen(keys));
	museum_run(&whole, insns);
	state_of(&whole, &want);

	museum_open(&pieces, isa_path, NULL, 0);
	museum_assemble_file(&pieces, path);
	machine_input(pieces.machine, (const u8 *)keys, strlen(keys));
	while (machine_icount(pieces.machine) < insns) {
		u64 left = insns - machine_icount(pieces.machine), slice = 1 + rng_below(&rng, 40);

		museum_run(&pieces, slice < left ? slice : left);
		if (rng_below(&rng, 4))
			continue;
		state_of(&pieces, &saved);
		museum_close(&pieces);
		museum_open(&pieces, isa_path, NULL, 0);
		assert_int_equal(machine_restore(pieces.machine, saved.data, saved.len), STATUS_OK);
	}
	state_of(&pieces, &got);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
	museum_close(&pieces);
	museum_close(&whole);
	buf_fini(&want);
	buf_fini(&got);
	buf_fini(&saved);
}

static void test_pieces(void **state)
{
	(void)state;
	in_pieces("examples/isa/chip8/ball.asm", "", 1500);
	in_pieces("examples/isa/chip8/keypad.asm", "..1..q.v", 6000);
}

/* The tester marks the key that is down, and no other. */
static void test_keypad_program(void **state)
{
	(void)state;
	museum_open(&museum, isa_path, (IsaChoice[]){{"vblank", "free"}}, 1);
	museum_assemble_file(&museum, "examples/isa/chip8/keypad.asm");
	museum_run(&museum, 3000);
	for (unsigned position = 0; position < 16; position++) {
		static const char keys[] = "1234qwerasdfzxcv";

		machine_input(museum.machine, (const u8 *)&keys[position], 1);
		museum_run(&museum, 310); /* while it is down */
		for (unsigned k = 0; k < 16; k++)
			assert_int_equal(machine_display_cell(museum.machine, 16 + k % 4 * 8 + 5, 1 + k / 4 * 8), k == position);
		museum_run(&museum, 1000);
		for (unsigned k = 0; k < 16; k++)
			assert_int_equal(machine_display_cell(museum.machine, 16 + k % 4 * 8 + 5, 1 + k / 4 * 8), 0);
	}
	museum_close(&museum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_quirks),
		cmocka_unit_test(test_drawing),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_display_wait),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_keypad_program),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
