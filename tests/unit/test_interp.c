/* SPDX-License-Identifier: MIT
 * interp: the contract of core/engine.h, case by case, on a small made-up machine whose instructions are built here.
 *
 * A cell of space 0 (256 cells of 16 bits) is an instruction: operation << 8 | operand n.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "interp/interp.h"
#include "ir/ir.h"

enum { PC, MODE, R2, R3, R4, SLOTS };

enum {
	INC = 0x000,    /* slot n += 1 */
	JMP = 0x100,    /* pc = n */
	BNZ = 0x200,    /* R2 -= 1; if (R2 != 0) pc = n */
	LOAD = 0x300,   /* R3 = M[n] */
	STORE = 0x400,  /* M[n] = R3 */
	RAISE = 0x500,  /* raise n, after R2 was computed but not written */
	STOP = 0x600,   /* R2 += 1; stop n */
	ILLEGAL = 0x700,
	HOST = 0x800,   /* R3 = host n(R2) */
	SWAP = 0x900,   /* R2, R3 = R3, R2 */
	JR = 0xA00,     /* pc = R4 */
	TWICE = 0xB00,  /* M[n] += 1; then M[n+1] += 1: must not be done again */
	WIDE = 0xC00,   /* needs n * 16 temporaries at once */
	SETMODE = 0xD00, /* MODE = n: context */
	OUTSIDE = 0xE00, /* R3 = byte n of space 1, which has 16 */
	CHECKED = 0xF00, /* if (R4 + n outside 16 .. 31) raise 9; R3 = M[R4 + n] */
};

typedef struct Fixture {
	Vcpu vcpu;
	Space spaces[2];
	u64 file[SLOTS + VCPU_TEMPS];
	Engine *engine;
	u64 break_at;       /* ~0: none */
	u32 translations;
	u32 max_asked;
	/* devices at 0xF0..0xFF */
	u64 seen_pc, seen_icount, seen_value, accesses;
	ExitKind exit_with; /* what an access to a device does; EXIT_BUDGET: goes well */
	bool wake, stop;
	IrFunc *handler;    /* evaluated by an access, if there is one */
} Fixture;

static IrRef k(IrFunc *f, unsigned width, u64 value)
{
	return ir_const(f, width, value);
}

static IrRef plus(IrFunc *f, IrRef a, u64 n)
{
	return ir_bin(f, IR_OP_ADD, a, k(f, ir_width(f, a), n));
}

static void build_wide(IrFunc *f, unsigned n)
{
	static IrRef values[VCPU_TEMPS * 2];
	IrRef sum = ir_get(f, R2, 16);
	unsigned count = n * 16;

	for (unsigned i = 0; i < count; i++)
		values[i] = ir_bin(f, IR_OP_MUL, ir_get(f, R2, 16), k(f, 16, 2 * i + 3));
	for (unsigned i = count; i-- > 0;)
		sum = ir_bin(f, IR_OP_XOR, sum, values[i]);
	ir_put(f, R3, sum);
}

/* True when the block goes on behind the instruction. */
static bool build(IrFunc *f, u64 pc, u64 cell, u64 mode, bool *dirty)
{
	unsigned n = cell & 0xFF;
	u32 yes, no;
	IrRef a, b;

	switch (cell & 0xF00) {
	case INC:
		ir_put(f, n, plus(f, ir_get(f, n, 16), 1 + mode));
		return true;
	case JMP: ir_goto(f, k(f, 8, n), IR_FLOW_JUMP); return false;
	case BNZ:
		a = plus(f, ir_get(f, R2, 16), 0xFFFF);
		ir_put(f, R2, a);
		yes = ir_block_create(f);
		no = ir_block_create(f);
		ir_br(f, ir_bin(f, IR_OP_NE, a, k(f, 16, 0)), yes, no);
		ir_block_begin(f, yes);
		ir_goto(f, k(f, 8, n), IR_FLOW_JUMP);
		ir_block_begin(f, no);
		ir_goto(f, k(f, 8, pc + 1), IR_FLOW_NEXT);
		return false;
	case LOAD: ir_put(f, R3, ir_load(f, 0, 16, k(f, 8, n), false)); return true;
	case STORE: ir_store(f, 0, k(f, 8, n), ir_get(f, R3, 16), false); return true;
	case RAISE: ir_raise(f, k(f, 8, n)); return false;
	case STOP:
		ir_put(f, R2, plus(f, ir_get(f, R2, 16), 1));
		ir_stop(f, k(f, 16, n));
		return false;
	case ILLEGAL: ir_illegal(f); return false;
	case HOST:
		a = ir_get(f, R2, 16);
		ir_put(f, R3, ir_host(f, n, 16, &a, 1));
		return true;
	case SWAP:
		a = ir_get(f, R2, 16);
		b = ir_get(f, R3, 16);
		ir_put(f, R2, b);
		ir_put(f, R3, a);
		return true;
	case JR: ir_goto(f, ir_extract(f, ir_get(f, R4, 16), 0, 8), IR_FLOW_RET); return false;
	case TWICE:
		for (unsigned i = 0; i < 2; i++)
			ir_store(f, 0, k(f, 8, n + i), plus(f, ir_load(f, 0, 16, k(f, 8, n + i), false), 1), false);
		return true;
	case WIDE: build_wide(f, n); return true;
	case SETMODE:
		ir_put(f, MODE, k(f, 16, n));
		*dirty = true;
		return true;
	case OUTSIDE: ir_put(f, R3, ir_zx(f, ir_load(f, 1, 8, k(f, 16, n), false), 16)); return true;
	default:
		a = plus(f, ir_get(f, R4, 16), n);
		yes = ir_block_create(f);
		no = ir_block_create(f);
		ir_br(f, ir_bin(f, IR_OP_OR, ir_bin(f, IR_OP_LTU, a, k(f, 16, 16)),
				ir_bin(f, IR_OP_LEU, k(f, 16, 32), a)), yes, no);
		ir_block_begin(f, yes);
		ir_raise(f, k(f, 8, 9));
		ir_block_begin(f, no);
		ir_put(f, R3, ir_load(f, 0, 16, a, false));
		return true;
	}
}

static Status translate(void *ctx, u64 pc, u64 context, u32 max_insns, Arena *arena, Translation *out)
{
	Fixture *x = ctx;
	IrFunc *f = ir_func_create(arena, IR_FUNC_BLOCK);
	bool goes_on = true;

	x->translations++;
	x->max_asked = max_insns;
	*out = (Translation){.func = f, .breakpoint = pc == x->break_at};
	while (goes_on && out->insns < max_insns && !out->dirty && (!out->insns || pc != x->break_at)) {
		ir_insn(f, pc, 1, out->insns++);
		goes_on = build(f, pc, space_cell(&x->spaces[0], pc), context, &out->dirty);
		pc = (pc + 1) & 0xFF;
	}
	if (goes_on)
		ir_goto(f, k(f, 8, pc), IR_FLOW_NEXT);
	out->code_cells = out->insns;
	assert_true(ir_verify(f, NULL));
	return STATUS_OK;
}

static u64 context(void *ctx, const Vcpu *vcpu)
{
	(void)ctx;
	return vcpu->slots[MODE];
}

static AccessResult device(Fixture *x, u64 *value)
{
	bool jumped;

	x->accesses++;
	x->seen_pc = x->vcpu.slots[PC];
	x->seen_icount = x->vcpu.icount;
	if (x->exit_with != EXIT_BUDGET) {
		x->vcpu.exit = (VcpuExit){.kind = x->exit_with, .value = 5};
		return ACCESS_EXIT;
	}
	x->vcpu.event_pending |= x->wake;
	if (x->stop)
		x->vcpu.pending = (VcpuExit){.kind = EXIT_STOP, .value = 42};
	if (x->handler)
		return interp_engine.eval(x->engine, &x->vcpu, x->handler, value, value, &jumped);
	return ACCESS_OK;
}

static AccessResult env_read(void *ctx, Vcpu *vcpu, unsigned space, u64 address, unsigned width, u64 *value)
{
	Fixture *x = ctx;

	(void)width;
	*value = 0x1234;
	if (space == 0 && address >= 0xF0)
		return device(x, value);
	if (space_peek(&x->spaces[space], address, value))
		return ACCESS_OK;
	vcpu->exit = (VcpuExit){.kind = EXIT_FAULT, .space = (u16)space, .value = address};
	return ACCESS_EXIT;
}

static AccessResult env_write(void *ctx, Vcpu *vcpu, unsigned space, u64 address, unsigned width, u64 value)
{
	Fixture *x = ctx;

	(void)width;
	x->seen_value = value;
	if (address >= 0xF0)
		return device(x, &value);
	space_poke(&x->spaces[space], address, value);
	interp_engine.invalidate(x->engine, vcpu, address, 1);
	return ACCESS_OK;
}

static AccessResult host(void *ctx, Vcpu *vcpu, unsigned number, const u64 *args, unsigned count, u64 *result)
{
	Fixture *x = ctx;

	(void)vcpu;
	assert_int_equal(count, 1);
	*result = 0xABC0000 + args[0] + number;
	return device(x, result);
}

static const EngineEnv env_template = {.translate = translate, .context = context, .read = env_read, .write = env_write,
				      .host = host};

static void setup(Fixture *x, const u16 *program, size_t count)
{
	EngineEnv env = env_template;

	memset(x, 0, sizeof *x);
	x->break_at = ~(u64)0;
	x->exit_with = EXIT_BUDGET;
	assert_int_equal(space_init(&x->spaces[0], "M", 16, 256, 256, true, false), STATUS_OK);
	assert_int_equal(space_init(&x->spaces[1], "B", 8, 16, 16, false, false), STATUS_OK);
	memset(x->spaces[0].attr + 0xF0, ATTR_IO_READ | ATTR_IO_WRITE, 16);
	for (size_t i = 0; i < count; i++)
		space_poke(&x->spaces[0], i, program[i]);
	x->vcpu = (Vcpu){.slots = x->file, .slot_count = SLOTS, .spaces = x->spaces, .space_count = 2};
	env.ctx = x;
	x->engine = interp_engine.create(&env);
	assert_non_null(x->engine);
}

#define SETUP(x, ...) \
	static const u16 program_[] = {__VA_ARGS__}; \
	setup(x, program_, COUNT_OF(program_))

static void teardown(Fixture *x)
{
	interp_engine.destroy(x->engine);
	space_fini(&x->spaces[0]);
	space_fini(&x->spaces[1]);
}

static ExitKind run(Fixture *x, u64 budget)
{
	ExitKind kind = interp_engine.run(x->engine, &x->vcpu, budget);

	assert_int_equal(kind, x->vcpu.exit.kind);
	return kind;
}

static void state_is(const Fixture *x, u64 pc, u64 icount, u64 r2, u64 r3)
{
	assert_int_equal(x->file[PC], pc);
	assert_int_equal(x->vcpu.icount, icount);
	assert_int_equal(x->file[R2], r2);
	assert_int_equal(x->file[R3], r3);
}

/* 1: exactly as many as asked for, at every k, and the same state whatever the steps. */
static void budgets(void **state)
{
	(void)state;
	for (u64 step = 1; step < 40; step++) {
		Fixture x;
		SETUP(&x, INC | R2, INC | R3, INC | R2, INC | R2, SWAP, INC | R3, JMP | 1);
		u64 done = 0, sum = 0;

		while (done < 200) {
			u64 n = step < 200 - done ? step : 200 - done;

			assert_int_equal(run(&x, n), EXIT_BUDGET);
			done += n;
			assert_int_equal(x.vcpu.icount, done);
		}
		/* 1 + 199 instructions: 33 rounds of 6, then INC R3 */
		sum = x.file[R2] + x.file[R3];
		assert_int_equal(sum, 1 + 33 * 4 + 1);
		assert_int_equal(x.file[PC], 2);
		assert_int_equal(run(&x, 0), EXIT_BUDGET);
		assert_int_equal(x.vcpu.icount, 200);
		teardown(&x);
	}
}

static void loops(void **state)
{
	Fixture x;
	SETUP(&x, INC | R3, BNZ | 0, STOP | 7);

	(void)state;
	x.file[R2] = 1000;
	assert_int_equal(run(&x, ~(u64)0), EXIT_STOP);
	assert_int_equal(x.vcpu.exit.value, 7);
	state_is(&x, 3, 2001, 1, 1000);
	assert_in_range(x.translations, 1, 4); /* chained, not looked up */
	teardown(&x);
}

/* 3: exits in the middle of a block */
static void exits(void **state)
{
	static const struct { u16 insn; ExitKind kind; u64 value; bool retires; } cases[] = {
		{RAISE | 3, EXIT_RAISE, 3, false}, {ILLEGAL, EXIT_ILLEGAL, 0, false}, {STOP | 9, EXIT_STOP, 9, true},
		{OUTSIDE | 16, EXIT_FAULT, 16, false}, {CHECKED | 50, EXIT_RAISE, 9, false},
		{CHECKED | 15, EXIT_RAISE, 9, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (u64 budget = 2; budget < 10; budget++) {
			Fixture x;
			u16 program[] = {INC | R2, INC | R3, cases[i].insn, INC | R2};

			setup(&x, program, COUNT_OF(program));
			if (budget == 2) {
				assert_int_equal(run(&x, budget), EXIT_BUDGET);
				state_is(&x, 2, 2, 1, 1);
			}
			assert_int_equal(run(&x, budget), cases[i].kind);
			assert_int_equal(x.vcpu.exit.value, cases[i].value);
			state_is(&x, cases[i].retires ? 3 : 2, cases[i].retires ? 3 : 2, cases[i].retires ? 2 : 1, 1);
			teardown(&x);
		}
	}
}

static void range_check(void **state)
{
	Fixture x;
	SETUP(&x, CHECKED | 16, CHECKED | 31, CHECKED | 20, STOP);

	(void)state;
	for (u64 i = 16; i < 32; i++)
		space_poke(&x.spaces[0], i, i * 3);
	assert_int_equal(run(&x, 2), EXIT_BUDGET);
	assert_int_equal(x.file[R3], 31 * 3);
	assert_int_equal(run(&x, 2), EXIT_STOP);
	assert_int_equal(x.file[R3], 20 * 3);
	x.file[PC] = 0;
	x.file[R4] = 0xFFFF; /* the sum wraps at 16 bits: 15 */
	assert_int_equal(run(&x, 3), EXIT_RAISE);
	x.file[PC] = 1;
	assert_int_equal(run(&x, 1), EXIT_BUDGET);
	assert_int_equal(x.file[R3], 30 * 3);
	teardown(&x);
}

/* A device in the middle of a block sees exact state; the rest of the block goes on behind it. */
static void devices(void **state)
{
	static const u16 access[] = {LOAD | 0xF3, STORE | 0xF3, HOST | 2, TWICE | 0xF0};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(access); i++) {
		Fixture x;
		u16 program[] = {INC | R2, INC | R2, access[i], INC | R2, STOP | 1};

		setup(&x, program, COUNT_OF(program));
		assert_int_equal(run(&x, 100), EXIT_STOP);
		assert_int_equal(x.seen_pc, 2);
		assert_int_equal(x.seen_icount, 2);
		assert_int_equal(x.file[R2], 4);
		assert_int_equal(x.vcpu.icount, 5);
		assert_int_equal(x.accesses, i == 3 ? 4 : 1);
		if (i != 1 && i != 3)
			assert_int_equal(x.file[R3], i == 0 ? 0x1234 : 4); /* the host's, cut to 16 bits */
		teardown(&x);

		setup(&x, program, COUNT_OF(program));
		x.exit_with = EXIT_WAIT; /* the same instruction again, later */
		for (int n = 0; n < 3; n++) {
			assert_int_equal(run(&x, 100), EXIT_WAIT);
			state_is(&x, 2, 2, 2, 0);
		}
		x.exit_with = EXIT_BUDGET;
		x.wake = true;
		assert_int_equal(run(&x, 100), EXIT_EVENT);
		assert_int_equal(x.file[PC], 3);
		assert_int_equal(x.vcpu.icount, 3);
		assert_false(x.vcpu.event_pending);
		assert_int_equal(run(&x, 100), EXIT_STOP);
		teardown(&x);

		setup(&x, program, COUNT_OF(program));
		x.stop = true;
		assert_int_equal(run(&x, 100), EXIT_STOP);
		assert_int_equal(x.vcpu.exit.value, 42);
		assert_int_equal(x.file[PC], 3);
		assert_int_equal(x.vcpu.icount, 3);
		teardown(&x);
	}
}

/* An instruction that stores twice, the second time into code, does each store once. */
static void stores_once(void **state)
{
	Fixture x;
	SETUP(&x, INC | R2, TWICE | 4, TWICE | 3, STOP | 5, STOP | 5, STOP | 5);

	(void)state;
	assert_int_equal(run(&x, 100), EXIT_STOP);
	assert_int_equal(x.vcpu.exit.value, 6);
	assert_int_equal(space_cell(&x.spaces[0], 3), STOP | 6);
	assert_int_equal(space_cell(&x.spaces[0], 4), STOP | 7);
	assert_int_equal(space_cell(&x.spaces[0], 5), STOP | 6);
	teardown(&x);
}

/* 4: a store into code is seen by the next instruction, also in its own block and in chained ones. */
static void self_modifying(void **state)
{
	Fixture x;
	SETUP(&x, LOAD | 0x20, STORE | 2, INC | R2, STOP | 1);

	(void)state;
	space_poke(&x.spaces[0], 0x20, INC | R4);
	assert_int_equal(run(&x, 100), EXIT_STOP);
	assert_int_equal(x.file[R4], 1);
	assert_int_equal(x.file[R2], 1);
	teardown(&x);
}

static void invalidation(void **state)
{
	Fixture x;
	SETUP(&x, INC | R3, JMP | 8, 0, 0, 0, 0, 0, 0, INC | R3, BNZ | 0, STOP | 1);

	(void)state;
	x.file[R2] = 100;
	assert_int_equal(run(&x, 200), EXIT_BUDGET); /* everything is chained */
	assert_int_equal(x.file[R3], 100);
	space_poke(&x.spaces[0], 8, INC | R4);
	interp_engine.invalidate(x.engine, &x.vcpu, 8, 1);
	assert_int_equal(x.spaces[0].attr[8] & ATTR_CODE, 0);
	assert_int_equal(x.spaces[0].attr[0] & ATTR_CODE, ATTR_CODE);
	assert_int_equal(run(&x, ~(u64)0), EXIT_STOP);
	assert_int_equal(x.file[R4], 50);
	assert_int_equal(x.file[R3], 150);
	interp_engine.flush(x.engine, &x.vcpu);
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(x.spaces[0].attr[i] & ATTR_CODE, 0);
	x.file[PC] = 0;
	x.file[R2] = 1;
	assert_int_equal(run(&x, ~(u64)0), EXIT_STOP);
	teardown(&x);
}

/* A loop that rewrites its own code again and again: blocks get short, work stays in proportion. */
static void thrashing(void **state)
{
	Fixture x;
	SETUP(&x, LOAD | 0x40, STORE | 0x20, INC | R4, JMP | 0x20);

	(void)state;
	space_poke(&x.spaces[0], 0x20, JMP | 0);
	space_poke(&x.spaces[0], 0x40, JMP | 0);
	for (unsigned i = 0x21; i < 0x3F; i++)
		space_poke(&x.spaces[0], i, INC | R2);
	assert_int_equal(run(&x, 50000), EXIT_BUDGET);
	assert_int_equal(x.file[R4], 10000);
	assert_in_range(x.translations, 1, 30000);
	assert_int_equal(x.max_asked, 1);
	teardown(&x);
}

/* Computed jumps, and contexts kept apart. */
static void jumps(void **state)
{
	Fixture x;
	SETUP(&x, INC | R3, JR, [16] = INC | R2, SETMODE | 1, JMP | 0);

	(void)state;
	x.file[R4] = 16;
	assert_int_equal(run(&x, 100), EXIT_EVENT); /* after the write of the context */
	state_is(&x, 18, 4, 1, 1);
	assert_int_equal(run(&x, 5), EXIT_EVENT); /* jumps, and the other meaning of INC */
	state_is(&x, 18, 9, 3, 3);
	for (int i = 0; i < 10; i++)
		assert_int_equal(run(&x, 100), EXIT_EVENT);
	state_is(&x, 18, 9 + 10 * 5, 3 + 20, 3 + 20);
	teardown(&x);
}

static void breakpoints(void **state)
{
	Fixture x;
	SETUP(&x, INC | R2, INC | R2, INC | R2, JMP | 1);

	(void)state;
	x.break_at = 2;
	assert_int_equal(run(&x, 100), EXIT_BREAK);
	state_is(&x, 2, 2, 2, 0);
	assert_int_equal(run(&x, 100), EXIT_BREAK);
	state_is(&x, 2, 2, 2, 0);
	for (int i = 1; i < 5; i++) {
		x.vcpu.skip_break = true;
		assert_int_equal(run(&x, 100), EXIT_BREAK); /* once round the loop */
		assert_false(x.vcpu.skip_break);
		state_is(&x, 2, 2 + 3 * (u64)i, 2 + 2 * (u64)i, 0);
	}
	teardown(&x);
}

/* More temporaries than there are: shorter blocks, then an error, never a crash. */
static void temporaries(void **state)
{
	Fixture x;
	SETUP(&x, WIDE | 60, WIDE | 60, STOP | 1, WIDE | 100);
	u64 sum = 5, again;

	(void)state;
	x.file[R2] = 5;
	for (unsigned i = 0; i < 960; i++)
		sum ^= 5 * (2 * i + 3);
	again = sum & 0xFFFF;
	assert_int_equal(run(&x, 100), EXIT_STOP);
	assert_int_equal(x.file[R3], again);
	x.file[PC] = 3;
	assert_int_equal(run(&x, 100), EXIT_ERROR);
	assert_int_equal(x.vcpu.exit.status, STATUS_TOO_BIG);
	assert_int_equal(x.file[PC], 3);
	teardown(&x);
}

/* ---- eval ---- */

static void handlers(void **state)
{
	Fixture x;
	SETUP(&x, INC | R2, LOAD | 0xF0, INC | R2, STOP | 1);
	Arena arena;
	u64 args[2] = {7, 9}, result, icount;
	u32 yes, no;
	bool jumped;
	IrFunc *f;
	IrRef a;

	(void)state;
	arena_init(&arena);
	f = ir_func_create(&arena, IR_FUNC_HANDLER);
	a = ir_bin(f, IR_OP_MUL, ir_arg(f, 0, 16), ir_arg(f, 1, 16));
	ir_put(f, R4, a);
	ir_ret(f, plus(f, ir_get(f, R4, 16), 1)); /* reads what it wrote */
	assert_int_equal(interp_engine.eval(x.engine, &x.vcpu, f, args, &result, &jumped), ACCESS_OK);
	assert_int_equal(result, 64);
	assert_int_equal(x.file[R4], 63);
	assert_false(jumped);

	f = ir_func_create(&arena, IR_FUNC_HANDLER);
	ir_put(f, R4, k(f, 16, 1));
	ir_goto(f, ir_get(f, R2, 16), IR_FLOW_JUMP);
	x.file[R2] = 0x77;
	assert_int_equal(interp_engine.eval(x.engine, &x.vcpu, f, NULL, &result, &jumped), ACCESS_OK);
	assert_true(jumped);
	assert_int_equal(x.file[PC], 0x77);
	assert_int_equal(result, 0);

	/* A jump to a number behind a branch: not the end of a guest block. */
	f = ir_func_create(&arena, IR_FUNC_HANDLER);
	yes = ir_block_create(f);
	no = ir_block_create(f);
	ir_br(f, ir_bin(f, IR_OP_EQ, ir_get(f, R4, 16), k(f, 16, 5)), yes, no);
	ir_block_begin(f, yes);
	ir_raise(f, k(f, 8, 3));
	ir_block_begin(f, no);
	ir_goto(f, k(f, 8, 0x42), IR_FLOW_JUMP);
	icount = x.vcpu.icount = 1000;
	assert_int_equal(interp_engine.eval(x.engine, &x.vcpu, f, NULL, &result, &jumped), ACCESS_OK);
	assert_true(jumped);
	assert_int_equal(x.file[PC], 0x42);
	assert_int_equal(x.vcpu.icount, icount);

	f = ir_func_create(&arena, IR_FUNC_HANDLER);
	ir_raise(f, k(f, 8, 3));
	assert_int_equal(interp_engine.eval(x.engine, &x.vcpu, f, NULL, &result, &jumped), ACCESS_EXIT);
	assert_int_equal(x.vcpu.exit.kind, EXIT_RAISE);
	assert_int_equal(x.vcpu.exit.value, 3);

	f = ir_func_create(&arena, IR_FUNC_HANDLER);
	ir_stop(f, k(f, 8, 4));
	assert_int_equal(interp_engine.eval(x.engine, &x.vcpu, f, NULL, &result, &jumped), ACCESS_OK);
	assert_int_equal(x.vcpu.pending.kind, EXIT_STOP);
	assert_int_equal(x.vcpu.pending.value, 4);
	x.vcpu.pending.kind = EXIT_BUDGET;

	/* A device whose handler reads the same device: ends in an error, not in the host's stack. */
	f = ir_func_create(&arena, IR_FUNC_HANDLER);
	ir_ret(f, ir_load(f, 0, 16, k(f, 8, 0xF0), false));
	x.handler = f;
	x.file[PC] = 0;
	assert_int_equal(run(&x, 100), EXIT_ERROR);
	assert_int_equal(x.file[PC], 1);
	assert_int_equal(x.accesses, 9);
	teardown(&x);
	arena_fini(&arena);
}

/* Many blocks, all over memory, again and again: chains and tables hold. */
static void many_blocks(void **state)
{
	Fixture x;
	SETUP(&x, INC | R2);
	u64 blocks, insns;

	(void)state;
	for (unsigned i = 0; i < 0xF0; i++) /* a permutation of jumps */
		space_poke(&x.spaces[0], i, JMP | (i * 7 + 1) % 0xF0);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 0xF0; i++) {
			x.file[PC] = i;
			assert_int_equal(run(&x, 100), EXIT_BUDGET);
		}
		if (round % 5 == 4)
			interp_engine.flush(x.engine, &x.vcpu);
	}
	interp_engine.stats(x.engine, &blocks, &insns);
	assert_in_range(blocks, 0xF0, 4 * 0xF0);
	assert_int_equal(x.vcpu.icount, 20 * 0xF0 * 100);
	teardown(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(budgets),	cmocka_unit_test(loops),	  cmocka_unit_test(exits),
		cmocka_unit_test(range_check),	cmocka_unit_test(devices),	  cmocka_unit_test(stores_once),
		cmocka_unit_test(self_modifying), cmocka_unit_test(invalidation), cmocka_unit_test(thrashing),
		cmocka_unit_test(jumps),	cmocka_unit_test(breakpoints),	  cmocka_unit_test(temporaries),
		cmocka_unit_test(handlers),	cmocka_unit_test(many_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
