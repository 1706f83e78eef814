/* SPDX-License-Identifier: MIT
 * machine: descriptions and programs that nobody would write in earnest. Memories of one cell, of one bit, of 2^40;
 * code that overwrites itself in the middle of an instruction or loses its memory while it runs; everything that can
 * happen between two instructions at once; stops in places that no instruction begins at.
 */
#include "toy.h"

#include "base/rng.h"

static Isa *load(const char *text)
{
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = isa_load("odd.isa", text, strlen(text), NULL, 0, &diags);
	toy_check(&diags, isa);
	diag_fini(&diags);
	return isa;
}

static Machine *create(const Isa *isa, const Guest *guest, u64 limit, u64 program)
{
	MachineConfig config = { .isa = isa, .guest = guest, .memory_limit = limit, .size_program = program };
	Machine *machine = NULL;
	DiagList diags;

	diag_init(&diags);
	machine_create(&config, &machine, &diags);
	toy_check(&diags, machine);
	diag_fini(&diags);
	machine_reset(machine, false);
	return machine;
}

static void put(Machine *machine, u64 at, const u64 *cells, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(machine_write(machine, machine_isa(machine)->code_space, at + i, cells[i]), STATUS_OK);
}

#define PUT(machine, at, ...) put(machine, at, (const u64[]){ __VA_ARGS__ }, COUNT_OF(((const u64[]){ __VA_ARGS__ })))

/* From where it stands, the machine does the same in one run, instruction by instruction, and in pieces that go from
 * machine to machine as snapshots. It ends at the end. */
static MachineStop agree(Machine *mine, u64 budget)
{
	Buf start, snapshot;
	MachineStop whole, stop = { 0 };
	Machine *here = mine, *there = create(machine_isa(mine), machine_guest(mine), 0, 100);
	u64 end, first = machine_icount(mine), last;
	Rng rng = { 5 };

	buf_init(&start);
	buf_init(&snapshot);
	assert_int_equal(machine_snapshot(mine, &start), STATUS_OK);
	whole = machine_run(mine, budget);
	end = toy_hash(mine);
	last = machine_icount(mine);
	assert_int_equal(machine_restore(mine, start.data, start.len), STATUS_OK);
	while (machine_icount(mine) - first < budget) {
		stop = machine_run(mine, 1);
		if (stop.kind != STOP_BUDGET)
			break;
	}
	if (stop.kind != whole.kind || machine_icount(mine) != last || toy_hash(mine) != end)
		fail_msg("single steps: stop %d, %llu instructions, not %d, %llu", stop.kind,
			 (unsigned long long)machine_icount(mine), whole.kind, (unsigned long long)last);
	assert_int_equal(machine_restore(mine, start.data, start.len), STATUS_OK);
	for (;;) {
		u64 left = budget - (machine_icount(here) - first), step = 1 + rng_below(&rng, 9);
		Machine *swap = here;

		stop = machine_run(here, step < left ? step : left);
		if (stop.kind != STOP_BUDGET || machine_icount(here) - first >= budget)
			break;
		buf_clear(&snapshot);
		assert_int_equal(machine_snapshot(here, &snapshot), STATUS_OK);
		assert_int_equal(machine_restore(there, snapshot.data, snapshot.len), STATUS_OK);
		here = there;
		there = swap;
	}
	if (stop.kind != whole.kind || machine_icount(here) != last || toy_hash(here) != end)
		fail_msg("pieces: stop %d, %llu instructions, not %d, %llu", stop.kind,
			 (unsigned long long)machine_icount(here), whole.kind, (unsigned long long)last);
	if (here != mine) {
		buf_clear(&snapshot);
		assert_int_equal(machine_snapshot(here, &snapshot), STATUS_OK);
		assert_int_equal(machine_restore(mine, snapshot.data, snapshot.len), STATUS_OK);
		there = here;
	}
	machine_destroy(there);
	buf_fini(&start);
	buf_fini(&snapshot);
	whole.text = NULL;
	return whole;
}

/* ---- Sizes ---- */

/* Code in cells of one bit; memories of one cell, three cells, 63 bits. */
static const char bits_isa[] =
	"isa BITS\n"
	"space C : 1 x 64\nspace A : 63 x 1\nspace B : 1, size 3\nspace E : 63, size 1\nspace F : 64 x 2\ncode C\n"
	"reg pc : 6\nreg a : 63,  faults : 8\n"
	"field t : signed rel next\n"
	"insn NOP  \"0000\" { }\n"
	"insn INC  \"0001\" { a = a + 1; A[0] = A[0] + a }\n"
	"insn FLIP \"0010\" { B[zx(a[1:0])] = ~B[zx(a[1:0])] }\n"
	"insn MIX  \"0011\" { a = (a << 1) ^ E[0] ^ A[0]; E[0] = a }\n"
	"insn POKE \"0100\" { C[a[5:0]] = a[6] }\n"
	"insn FAR  \"0101\" { F[a[0]] = F[a[1]] + sx(a); a = a + F[1][62:0] }\n"
	"insn JMP  \"1 ttt\" t { jump t }\n"
	"on fault(q) { faults = faults + 1; jump pc + 4 }\n"
	"on illegal { a = a + 3; jump pc + 1 }\n";

static void test_bits(void **state)
{
	Isa *isa = load(bits_isa);
	Rng rng = { 3 };

	(void)state;
	for (unsigned n = 0; n < 300; n++) {
		Machine *machine = create(isa, NULL, 0, 0);
		u64 value;

		for (unsigned i = 0; i < 64; i++)
			assert_int_equal(machine_write(machine, 0, i, rng_next(&rng) & 1), STATUS_OK);
		assert_int_equal(machine_write(machine, 3, 1, 0), STATUS_RANGE);
		assert_int_equal(machine_write(machine, 2, 3, 0), STATUS_RANGE);
		assert_int_equal(machine_write(machine, 1, ~(u64)0, ~(u64)0), STATUS_OK); /* wraps */
		assert_int_equal(machine_read(machine, 1, 0, &value), STATUS_OK);
		assert_true(value == ~(u64)0 >> 1);
		assert_int_equal(agree(machine, 500).kind, STOP_BUDGET);
		machine_destroy(machine);
	}
	isa_destroy(isa);
}

static void refuse(const char *text, u64 limit, u64 program, Status expected)
{
	Isa *isa = load(text);
	MachineConfig config = { .isa = isa, .memory_limit = limit, .size_program = program };
	Machine *machine = NULL;
	DiagList diags;

	diag_init(&diags);
	assert_int_equal(machine_create(&config, &machine, &diags), expected);
	assert_int_equal(machine == NULL, expected != STATUS_OK);
	assert_int_equal(diags.errors != 0, expected != STATUS_OK);
	if (machine) {
		MachineStop stop;

		machine_reset(machine, false);
		stop = machine_run(machine, 10);
		assert_true(stop.kind == STOP_BUDGET || stop.kind == STOP_FAULT);
	}
	machine_destroy(machine);
	diag_fini(&diags);
	isa_destroy(isa);
}

static void test_limits(void **state)
{
#define ONE(space) "isa T\n" space "\ncode M\nreg pc : 64\nreg a : 8\ninsn N \"00000000\" { a = a + 1 }\n"
	(void)state;
	refuse(ONE("space M : 8 x 0x10000000000"), 0, 0, STATUS_TOO_BIG);
	refuse(ONE("space M : 8, size 0xFFFFFFFFFF"), 0, 0, STATUS_TOO_BIG);
	refuse(ONE("space M : 8, size 0xFFFFFFFFFF"), (u64)1 << 41, 0, STATUS_OK);
	refuse(ONE("space M : 8 x 0x10000000000"), (u64)1 << 40, 0, STATUS_OK);
	refuse(ONE("space M : 8, size program"), 0, ~(u64)0, STATUS_TOO_BIG);
	refuse(ONE("space M : 8, size program"), 1, 0, STATUS_TOO_BIG);
	refuse(ONE("space M : 8, size program"), 1, 1, STATUS_OK);
	refuse(ONE("space M : 8, size 16 grow"), ~(u64)0, 0, STATUS_OK); /* no limit to speak of */
	refuse(ONE("space M : 8, size program"), ~(u64)0, 100, STATUS_OK);
	refuse(ONE("space M : 8, address 64"), ~(u64)0, 0, STATUS_OK);
	refuse(ONE("space M : 8, address 64"), 1, 0, STATUS_OK);
	refuse(ONE("space M : 8 x 256\nspace N : 64, size 0x1000000000000000"), ~(u64)0, 0, STATUS_TOO_BIG);
	refuse(ONE("space M : 8 x 256\nspace N : 64, size 0x2000000000000001"), 0, 0, STATUS_TOO_BIG);
}

/* ---- Code that changes ---- */

/* Bytes, instructions of one to five of them; the host gives and takes memory; everything happens all the time. */
static const char bytes_isa[] =
	"isa BYTES\n"
	"space M : 8, size 64 grow\ncode M\n"
	"reg pc : 16\nreg a : 8,  n : 8,  ticks : 16,  irqs : 8,  keys : 16,  ie : 1\n"
	"field i : unsigned\nfield t : abs\n"
	"insn NOP  \"00000000\"             { }\n"
	"insn INC  \"00000001\"             { a = a + 1 }\n"
	"insn LI   \"00000010 i:8\"      i  { a = i }\n"
	"insn STA  \"00000011 t:16le\"   t  { M[zx(t)] = a }\n"
	"insn JMP  \"00000100 t:16le\"   t  { jump t }\n"
	"insn JNZ  \"00000101 t:16le\"   t  { a = a - 1; if (a != 0) jump t }\n"
	"insn SIZE \"00000110 i:8\"      i  { host resize(zx(i, 64)) }\n"
	"insn ADDM \"00000111 t:16le\"   t  { a = a + M[zx(t)] }\n"
	"insn ST2  \"00001000 t:16le i:16le\" t, i { M:16[zx(t)] = i }\n"
	"insn EI   \"00001001\"             { ie = 1 }\n";

static const char handlers[] =
	"on illegal { n = n + 1; jump zx(n[4:0]) }\n"
	"on fault(q) { n = n + 3; jump zx(n[4:0]) }\n"
	"every 1 { ticks = ticks + 1 }\n"
	"every 3 { if (ticks[2:0] == 0) jump zx(ticks[4:0]) }\n"
	"interrupt often when ie && a[0] { ie = 0; irqs = irqs + 1; M[1] = irqs }\n"
	"event key(c:8) when ticks[3] { keys = keys + zx(c); ie = 1 }\n";

static HostResult host_resize(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	(void)result;
	return machine_resize(machine, 0, 8 + args[0] % 96) ? HOST_DENIED : HOST_OK;
}

static const HostEntry resize_hosts[] = { { "resize", host_resize }, { NULL, NULL } };
static const Guest resizer = { .name = "resizer", .hosts = resize_hosts };

static Isa *bytes(bool all)
{
	Buf text;
	Isa *isa;

	buf_init(&text);
	buf_add(&text, bytes_isa, strlen(bytes_isa));
	if (all)
		buf_add(&text, handlers, strlen(handlers));
	isa = load(buf_text(&text));
	buf_fini(&text);
	return isa;
}

static void test_random_bytes(void **state)
{
	Isa *plain = bytes(false), *all = bytes(true);
	Rng rng = { 17 };

	(void)state;
	for (unsigned n = 0; n < 600; n++) {
		Machine *machine = create(n % 2 ? plain : all, &resizer, 0, 0);

		for (unsigned i = 0; i < 64; i++)
			machine_write(machine, 0, i, rng_below(&rng, 3) ? rng_below(&rng, 10) : rng_below(&rng, 80));
		machine_input(machine, (const u8 *)"some keys to be taken", 21);
		if (n % 3 == 0)
			machine_input_end(machine);
		agree(machine, 400);
		machine_destroy(machine);
	}
	isa_destroy(plain);
	isa_destroy(all);
}

/* A store into the instruction that makes it takes effect when it is reached again; one into the rest of the block
 * at once, also where it makes another instruction longer. */
static void test_self(void **state)
{
	Isa *isa = bytes(false);
	Machine *machine = create(isa, &resizer, 0, 0);
	u64 value;

	(void)state;
	/* 0: LI 5; 2: STA 3 (its own address); 5: INC; 6: JMP 0 */
	PUT(machine, 0, 2, 5, 3, 3, 0, 1, 4, 0, 0);
	agree(machine, 3);
	assert_int_equal(toy_reg(machine, "a"), 6);
	assert_int_equal(machine_read(machine, 0, 3, &value), STATUS_OK);
	assert_int_equal(value, 5);
	agree(machine, 3); /* JMP, LI, STA 5: INC becomes STA 0x0004 */
	assert_int_equal(machine_read(machine, 0, 5, &value), STATUS_OK);
	assert_int_equal(value, 5);
	machine_destroy(machine);
	/* LI 2; STA 6; INC; [6] INC -> LI 1; INC; JMP 0 */
	machine = create(isa, &resizer, 0, 0);
	PUT(machine, 0, 2, 2, 3, 6, 0, 1, 1, 1, 1, 4, 0, 0);
	agree(machine, 5);
	assert_int_equal(toy_reg(machine, "a"), 2); /* LI 1; INC */
	assert_int_equal(machine_pc(machine), 9);
	machine_destroy(machine);
	/* Two cells at once over the border of the instruction that stores and the next. */
	machine = create(isa, &resizer, 0, 0);
	PUT(machine, 0, 8, 4, 0, 0xFF, 2, 9, 4, 0, 0); /* ST2 4, 0x02FF: its own last byte becomes FF, then 2 = LI 9 */
	PUT(machine, 4, 0, 9);
	agree(machine, 2);
	assert_int_equal(machine_pc(machine), 6); /* [5] 02 04: LI 4 -> at 5 stands 02 */
	machine_destroy(machine);
	isa_destroy(isa);
}

/* The code's memory goes away under it. */
static void test_shrinking(void **state)
{
	Isa *isa = bytes(false);
	Machine *machine = create(isa, &resizer, 0, 0);
	MachineStop stop;

	(void)state;
	for (unsigned way = 0; way < 2; way++) {
		machine_reset(machine, false);
		PUT(machine, 0, 4, 20, 0);
		PUT(machine, 20, 1, 6, way ? 15 : 14, 1, 1, 1); /* SIZE to 23 or 22 */
		stop = agree(machine, 100);
		assert_int_equal(stop.kind, STOP_FAULT); /* fetching outside */
		assert_int_equal(machine_cells(machine, 0), way ? 23 : 22);
		assert_int_equal(machine_pc(machine), 23);
		assert_int_equal(toy_reg(machine, "a"), 1);
	}
	/* Back: all zeros (NOP), not what was there. */
	assert_int_equal(machine_resize(machine, 0, 64), STATUS_OK);
	stop = machine_run(machine, 100);
	assert_int_equal(stop.kind, STOP_FAULT);
	assert_int_equal(machine_pc(machine), 64);
	assert_int_equal(machine_resize(machine, 0, 0), STATUS_OK);
	machine_set_pc(machine, 0);
	assert_int_equal(machine_run(machine, 1).kind, STOP_FAULT);
	assert_int_equal(machine_resize(machine, 0, (u64)1 << 60), STATUS_TOO_BIG);
	machine_destroy(machine);
	isa_destroy(isa);
}

/* ---- Stops ---- */

static void test_breakpoints(void **state)
{
	Isa *isa = bytes(false);
	Machine *machine = create(isa, &resizer, 0, 0);
	MachineStop stop;

	(void)state;
	PUT(machine, 0, 2, 5, 3, 40, 0, 1, 5, 5, 0, 4, 1, 0); /* LI 5; STA 40; INC; JNZ 5; JMP 1 */
	assert_int_equal(machine_break_set(machine, 1, true), STATUS_OK); /* second cell of LI */
	assert_int_equal(machine_break_set(machine, 4, true), STATUS_OK); /* third of STA */
	stop = machine_run(machine, 10);
	assert_int_equal(stop.kind, STOP_BUDGET);
	machine_write(machine, 0, 6, 0); /* NOPs: on to JMP 1 */
	machine_write(machine, 0, 7, 0);
	machine_write(machine, 0, 1, 0);
	stop = machine_run(machine, 10);
	assert_int_equal(stop.kind, STOP_BREAK); /* now it begins one */
	assert_int_equal(stop.pc, 1);
	machine_reset(machine, true);
	for (u64 pc = 0; pc < 1000; pc++)
		assert_int_equal(machine_break_set(machine, (pc * 389) % 1000, true), STATUS_OK);
	for (u64 n = 0; n < 20; n++) {
		stop = machine_run(machine, 100);
		assert_int_equal(stop.kind, STOP_BREAK);
		assert_int_equal(machine_icount(machine), n);
		assert_int_equal(machine_run(machine, 100).kind, STOP_BREAK); /* and stays */
		assert_int_equal(machine_icount(machine), n);
		machine_skip_break(machine);
	}
	for (u64 pc = 0; pc < 1000; pc++)
		assert_int_equal(machine_break_set(machine, pc, false), STATUS_OK);
	assert_int_equal(machine_break_set(machine, 1, false), STATUS_NOT_FOUND);
	assert_int_equal(machine_run(machine, 100).kind, STOP_BUDGET);
	machine_destroy(machine);
	isa_destroy(isa);
}

/* Watched code; a watch on cells that go away can be taken back and does not come back by itself. */
static void test_watch_code(void **state)
{
	Isa *isa = bytes(false);
	Machine *machine = create(isa, &resizer, 0, 0);
	MachineStop stop;

	(void)state;
	PUT(machine, 0, 2, 1, 3, 6, 0, 0, 0, 0, 4, 0, 0); /* LI 1; STA 6; NOP; [6] NOP -> INC; NOP; JMP 0 */
	assert_int_equal(machine_watch_set(machine, 0, 5, 2, false, true, true), STATUS_OK);
	assert_int_equal(machine_watch_set(machine, 0, 0, 64, true, false, true), STATUS_OK); /* fetching is no read */
	stop = machine_run(machine, 100);
	assert_int_equal(stop.kind, STOP_WATCH);
	assert_int_equal(stop.address, 6);
	assert_true(stop.write);
	assert_int_equal(machine_icount(machine), 2);
	stop = machine_run(machine, 2);
	assert_int_equal(stop.kind, STOP_BUDGET);
	assert_int_equal(toy_reg(machine, "a"), 2);
	assert_int_equal(machine_resize(machine, 0, 3), STATUS_OK);
	assert_int_equal(machine_watch_set(machine, 0, 5, 2, false, true, false), STATUS_OK);
	assert_int_equal(machine_watch_set(machine, 0, 0, 64, true, false, false), STATUS_OK);
	assert_int_equal(machine_watch_set(machine, 0, 0, 64, true, false, false), STATUS_NOT_FOUND);
	assert_int_equal(machine_resize(machine, 0, 64), STATUS_OK);
	machine_set_pc(machine, 0);
	PUT(machine, 0, 2, 1, 3, 6, 0, 7, 3, 0);
	assert_int_equal(machine_run(machine, 4).kind, STOP_BUDGET);
	machine_destroy(machine);
	isa_destroy(isa);
}

/* Devices are watched like cells; a wide access meets both. */
static void test_watch_device(void **state)
{
	Isa *isa = load("isa D\nspace M : 8, size 64\ncode M\nreg pc : 16\nreg a : 16,  v : 8\n"
			"field i : unsigned\n"
			"insn LD \"00000001 i:8\" i { a = M:16[zx(i)] }\n"
			"insn ST \"00000010 i:8\" i { M:16[zx(i)] = a }\n"
			"on read M[10] { v = v + 1; return v }\n"
			"on write M[q in 62..63] w { v = w + q[7:0] }\n"
			"on read M[62] { return 0x5A }\non read M[63] { return 0xA5 }\n");
	Machine *machine = create(isa, NULL, 0, 0);
	MachineStop stop;
	u64 value;

	(void)state;
	PUT(machine, 0, 1, 9, 1, 62, 2, 62, 2, 61);
	assert_int_equal(machine_watch_set(machine, 0, 10, 1, true, true, true), STATUS_OK);
	stop = machine_run(machine, 10);
	assert_int_equal(stop.kind, STOP_WATCH);
	assert_int_equal(stop.address, 10);
	assert_int_equal(machine_icount(machine), 1);
	assert_int_equal(toy_reg(machine, "a"), 0x0100);
	assert_int_equal(machine_watch_set(machine, 0, 63, 1, true, true, true), STATUS_OK);
	assert_int_equal(machine_watch_set(machine, 0, 64, 1, true, true, true), STATUS_RANGE);
	for (unsigned n = 2; n <= 3; n++) {
		stop = machine_run(machine, 10);
		assert_int_equal(stop.kind, STOP_WATCH);
		assert_int_equal(stop.address, 63);
		assert_int_equal(stop.write, n == 3);
		assert_int_equal(machine_icount(machine), n);
		assert_int_equal(toy_reg(machine, "a"), 0xA55A);
	}
	assert_int_equal(toy_reg(machine, "v"), 0xA5 + 63);
	stop = machine_run(machine, 1); /* 61 is memory, 62 a device: both, in order */
	assert_int_equal(stop.kind, STOP_BUDGET);
	assert_int_equal(machine_read(machine, 0, 61, &value), STATUS_OK);
	assert_int_equal(value, 0x5A);
	assert_int_equal(toy_reg(machine, "v"), (0xA5 + 62) & 0xFF);
	assert_int_equal(machine_watch_set(machine, 0, 63, 1, true, true, false), STATUS_OK);
	machine_destroy(machine);
	isa_destroy(isa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bits), cmocka_unit_test(test_limits), cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_self), cmocka_unit_test(test_shrinking), cmocka_unit_test(test_breakpoints),
		cmocka_unit_test(test_watch_code), cmocka_unit_test(test_watch_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
