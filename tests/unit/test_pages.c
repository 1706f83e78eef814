/* SPDX-License-Identifier: MIT
 * machine: paged spaces (machine/pages.h): rights, faults, the pager, code in pages, memory for host functions, limits.
 */
#include "unit/paged.h"

/* ---- Rights ---- */

static void test_rights(void **state)
{
	static const struct {
		u8 rights;
		bool load, store;
	} cases[] = {
		{ 0, false, false }, { ATTR_READ, true, false }, { ATTR_EXEC, false, false },
		{ ATTR_READ | ATTR_WRITE, true, true }, { ATTR_WRITE, true, true }, /* who may write may read */
		{ ATTR_READ | ATTR_EXEC, true, false }, { ATTR_RIGHTS, true, true },
	};
	static const enum Op loads[] = { LD8, LD16, LD32, LD64 }, stores[] = { ST8, ST16, ST32, ST64 };

	(void)state;
	for (unsigned c = 0; c < COUNT_OF(cases); c++)
		for (unsigned w = 0; w < 4; w++) {
			u64 value = 0x8877665544332211, mask = w == 3 ? ~(u64)0 : ((u64)1 << (8 << w)) - 1;
			Paged p;

			open_plain(&p);
			add_page(&p, DATA, cases[c].rights);
			paged_poke(&p, DATA + 40, value, 8);
			set(&p, 1, DATA);
			put2(&p, NOP, 0);
			put(&p, loads[w], 2, 1, 40);
			put2(&p, HALT, 0);
			if (cases[c].load) {
				expect_halt(&p, 0);
				assert_int_equal(get(&p, 2), value & mask);
			} else {
				expect_fault(&p, CODE + 2, DATA + 40, false);
			}
			machine_set_pc(p.machine, p.at);
			set(&p, 3, 0x0102030405060708);
			put(&p, stores[w], 3, 1, 40);
			put2(&p, HALT, 0);
			if (cases[c].store) {
				expect_halt(&p, 0);
				assert_int_equal(paged_peek(&p, DATA + 40, 8), (value & ~mask) | (0x0102030405060708 & mask));
			} else {
				expect_fault(&p, p.at - 6, DATA + 40, true);
				assert_int_equal(paged_peek(&p, DATA + 40, 8), value);
			}
			paged_close(&p);
		}
}

static void test_protect_and_drop(void **state)
{
	Paged p;

	(void)state;
	open_plain(&p);
	add_page(&p, DATA, ATTR_READ | ATTR_WRITE);
	set(&p, 1, DATA);
	set(&p, 2, 77);
	put(&p, ST64, 2, 1, 8);
	put2(&p, HALT, 0);
	expect_halt(&p, 0);
	machine_pages_protect(p.machine, 0, DATA, SPACE_PAGE, ATTR_READ);
	machine_set_pc(p.machine, CODE);
	expect_fault(&p, CODE, DATA + 8, true);
	machine_pages_protect(p.machine, 0, DATA, SPACE_PAGE, 0); /* it keeps its content */
	assert_int_equal(machine_page_attr(p.machine, 0, DATA) & ATTR_RIGHTS, 0);
	assert_int_equal(paged_peek(&p, DATA + 8, 8), 77);
	assert_int_equal(machine_aspace_present(p.machine, 0), 2 * SPACE_PAGE);
	machine_pages_drop(p.machine, 0, DATA, SPACE_PAGE);
	assert_int_equal(machine_page_attr(p.machine, 0, DATA), 0);
	assert_null(machine_page_bytes(p.machine, 0, DATA));
	assert_int_equal(machine_aspace_present(p.machine, 0), SPACE_PAGE);
	add_page(&p, DATA, ATTR_READ); /* and is empty when it comes back */
	assert_int_equal(paged_peek(&p, DATA + 8, 8), 0);
	paged_close(&p);
}

/* ---- Accesses over two pages ---- */

static void test_crossing(void **state)
{
	static const enum Op loads[] = { LD8, LD16, LD32, LD64 }, stores[] = { ST8, ST16, ST32, ST64 };

	(void)state;
	for (unsigned w = 1; w < 4; w++)
		for (int back = 1; back < 1 << w; back++) {
			u64 at = DATA + SPACE_PAGE - (u64)back, mask = w == 3 ? ~(u64)0 : ((u64)1 << (8 << w)) - 1;
			Paged p;

			open_plain(&p);
			add_page(&p, DATA, ATTR_READ | ATTR_WRITE);
			add_page(&p, DATA + SPACE_PAGE, ATTR_READ | ATTR_WRITE);
			set(&p, 1, DATA + SPACE_PAGE);
			set(&p, 3, 0xF1E2D3C4B5A69788);
			put(&p, stores[w], 3, 1, -back);
			put(&p, loads[w], 2, 1, -back);
			put2(&p, INC, 4);
			put2(&p, HALT, 0);
			expect_halt(&p, 0);
			assert_int_equal(get(&p, 2), 0xF1E2D3C4B5A69788 & mask);
			assert_int_equal(paged_peek(&p, at, 1u << w), 0xF1E2D3C4B5A69788 & mask);
			assert_int_equal(paged_peek(&p, at - 1, 1), 0);
			assert_int_equal(paged_peek(&p, at + (1u << w), 1), 0);
			assert_int_equal(get(&p, 4), 1);

			/* The half that is not allowed says where, and nothing of the store has happened. */
			machine_pages_protect(p.machine, 0, DATA + SPACE_PAGE, SPACE_PAGE, ATTR_READ);
			machine_set_pc(p.machine, CODE);
			set(&p, 3, 0);
			expect_fault(&p, CODE, DATA + SPACE_PAGE, true);
			assert_int_equal(paged_peek(&p, at, 1u << w), 0xF1E2D3C4B5A69788 & mask);
			machine_pages_drop(p.machine, 0, DATA + SPACE_PAGE, SPACE_PAGE);
			expect_fault(&p, CODE, DATA + SPACE_PAGE, true);
			machine_set_pc(p.machine, CODE + 4);
			expect_fault(&p, CODE + 4, DATA + SPACE_PAGE, false);
			machine_pages_drop(p.machine, 0, DATA, SPACE_PAGE);
			expect_fault(&p, CODE + 4, at, false);
			machine_set_pc(p.machine, CODE);
			expect_fault(&p, CODE, at, true);
			paged_close(&p);
		}
}

/* Sign-extended loads on one page and over two, used once and twice; jumps whose lowest bit does not count. */
static void test_signed_loads(void **state)
{
	static const enum Op loads[] = { LDS8, LDS16, LDS32 }, plain[] = { LD8, LD16, LD32 };

	(void)state;
	for (unsigned w = 0; w < 3; w++)
		for (int back = 0; back < 8; back++) {
			const u64 value = 0xF1E2D3C4B5A69788 << (back & 4), mask = ((u64)1 << (8 << w)) - 1;
			const u64 expected = (u64)((i64)(value << (64 - (8 << w))) >> (64 - (8 << w)));
			Paged p;

			open_plain(&p);
			add_page(&p, DATA, ATTR_READ | ATTR_WRITE);
			add_page(&p, DATA + SPACE_PAGE, ATTR_READ | ATTR_WRITE);
			paged_poke(&p, DATA + SPACE_PAGE - (u64)back, value, 8);
			set(&p, 1, DATA + SPACE_PAGE);
			set(&p, 8, CODE + 257);
			set(&p, 9, 1000);
			put(&p, loads[w], 2, 1, -back);
			put(&p, plain[w], 3, 1, -back);
			put(&p, loads[w], 4, 1, -back);
			put(&p, loads[w], 1, 1, -back);
			put(&p, ADD, 9, 1, 0);
			put(&p, ADD, 9, 4, 0);
			put(&p, JRM, 8, 8, 4);
			p.at = CODE + 260;
			put2(&p, HALT, 0);
			expect_halt(&p, 0);
			assert_int_equal(get(&p, 1), expected);
			assert_int_equal(get(&p, 2), expected);
			assert_int_equal(get(&p, 3), value & mask);
			assert_int_equal(get(&p, 4), expected);
			assert_int_equal(get(&p, 9), 1000 + 2 * expected);
			assert_int_equal(get(&p, 8), CODE + 28);
			paged_close(&p);
		}
}

/* Load and store of one instruction: the load has happened when the store faults, but the register is as before. */
static void test_swap(void **state)
{
	Paged p;

	(void)state;
	open_plain(&p);
	add_page(&p, DATA, ATTR_READ | ATTR_WRITE);
	add_page(&p, DATA + SPACE_PAGE, ATTR_READ);
	set(&p, 1, DATA);
	set(&p, 2, 5);
	put(&p, SWAP, 2, 1, 8);
	put(&p, SWAP, 2, 1, 8);
	put(&p, SWAP, 2, 1, SPACE_PAGE);
	machine_run(p.machine, 2);
	assert_int_equal(get(&p, 2), 5);
	expect_fault(&p, CODE + 8, DATA + SPACE_PAGE, true);
	paged_close(&p);
}

/* ---- Addresses from anywhere ---- */

static void test_wild_addresses(void **state)
{
	static const enum Op ops[] = { LD8, LD16, LD32, LD64, ST8, ST16, ST32, ST64, SWAP };
	const u64 limit = (u64)1 << 38;
	u64 wild[300];
	unsigned count = 0;
	Paged p;

	(void)state;
	open_plain(&p);
	assert_int_equal(machine_address_limit(p.machine), limit);
	add_page(&p, DATA, ATTR_RIGHTS);
	for (unsigned bit = 13; bit < 64; bit++) {
		wild[count++] = (u64)1 << bit;
		wild[count++] = ((u64)1 << bit) - 1;
		wild[count++] = ~(u64)0 << bit;
		wild[count++] = (~(u64)0 << bit) - 3;
		wild[count++] = (u64)1 << bit | DATA;
	}
	for (unsigned i = 0; i < 20; i++)
		wild[count++] = ~(u64)0 - i;
	for (unsigned i = 1; i < 10; i++)
		wild[count++] = limit - i;
	for (unsigned o = 0; o < COUNT_OF(ops); o++) {
		u64 pc = p.at;

		put(&p, ops[o], 3, 1, 0);
		for (unsigned i = 0; i < count; i++) {
			if (wild[i] < DATA + SPACE_PAGE && wild[i] + 8 > DATA)
				continue;
			machine_set_pc(p.machine, pc);
			set(&p, 1, wild[i]);
			set(&p, 3, 0x5A5A5A5A5A5A5A5A);
			expect_fault(&p, pc, wild[i], o >= 4 && o < 8);
		}
	}
	for (unsigned i = 0; i < count; i++) { /* and to go there */
		if (machine_page_attr(p.machine, 0, wild[i]))
			continue;
		machine_set_pc(p.machine, wild[i]);
		machine_run(p.machine, 1);
		assert_int_equal(machine_pc(p.machine), wild[i]);
		assert_int_equal(kernel_of(p.machine)->exit.value, wild[i]);
		assert_true(kernel_of(p.machine)->exit.fetch);
	}
	paged_close(&p);
}

/* The last bytes there are. */
static void test_limit_of_addresses(void **state)
{
	const u64 limit = (u64)1 << 20;
	Paged p;

	(void)state;
	open_with(&p, (MachineConfig){ .memory_limit = 1 << 20, .address_bits = 20 });
	assert_int_equal(machine_address_limit(p.machine), limit);
	add_page(&p, limit - SPACE_PAGE, ATTR_RIGHTS);
	set(&p, 1, limit);
	set(&p, 2, 0x1122334455667788);
	put(&p, ST64, 2, 1, -8);
	put(&p, LD32, 3, 1, -4);
	put(&p, LD64, 3, 1, -4);
	machine_run(p.machine, 2);
	assert_int_equal(get(&p, 3), 0x11223344);
	expect_fault(&p, CODE + 8, limit, false);
	assert_int_equal(machine_pages_add(p.machine, 0, limit, SPACE_PAGE, ATTR_READ), STATUS_RANGE);
	assert_int_equal(machine_pages_add(p.machine, 0, limit - SPACE_PAGE, 2 * SPACE_PAGE, ATTR_READ), STATUS_RANGE);
	assert_int_equal(machine_pages_add(p.machine, 0, 0, ~(u64)0 << 12, ATTR_READ), STATUS_RANGE);
	assert_int_equal(machine_pages_add(p.machine, 0, 1, SPACE_PAGE, ATTR_READ), STATUS_RANGE);
	paged_close(&p);
}

/* ---- The pager ---- */

static void test_pager(void **state)
{
	Kernel *kernel;
	Paged p;

	(void)state;
	open_plain(&p);
	kernel = kernel_of(p.machine);
	kernel->grants = ATTR_READ | ATTR_WRITE;
	kernel->grant_from = DATA;
	kernel->grant_to = DATA + 3 * SPACE_PAGE;
	set(&p, 1, DATA + 0x123);
	set(&p, 2, 42);
	put2(&p, INC, 5);
	put(&p, LD32, 3, 1, 0);
	put(&p, ST32, 2, 1, 0);
	put(&p, ST64, 2, 1, 2 * SPACE_PAGE - 0x123 - 4);
	put(&p, LD8, 4, 1, 2 * SPACE_PAGE - 0x123 - 4);
	put2(&p, INC, 5);
	put(&p, ST64, 2, 1, 3 * SPACE_PAGE - 0x123 - 2);
	put2(&p, HALT, 0);
	machine_run(p.machine, 6);
	assert_int_equal(kernel->asked, 3);
	assert_int_equal(kernel->asked_at[0], DATA + 0x123);
	assert_int_equal(kernel->asked_for[0], ATTR_READ);
	assert_int_equal(kernel->asked_at[1], DATA + 2 * SPACE_PAGE - 4);
	assert_int_equal(kernel->asked_for[1], ATTR_WRITE);
	assert_int_equal(kernel->asked_at[2], DATA + 2 * SPACE_PAGE);
	assert_int_equal(machine_aspace_present(p.machine, 0), 4 * SPACE_PAGE);
	assert_int_equal(get(&p, 3), 0);
	assert_int_equal(get(&p, 4), 42);
	assert_int_equal(get(&p, 5), 2);
	assert_int_equal(machine_icount(p.machine), 6);
	expect_fault(&p, p.at - 6, DATA + 3 * SPACE_PAGE, true);
	assert_int_equal(kernel->exceptions, 1);
	assert_int_equal(machine_icount(p.machine), 6);
	kernel->go_on = p.at - 2; /* a signal handler, say: the attempt counts */
	expect_halt(&p, 0);
	assert_int_equal(kernel->exceptions, 2);
	assert_int_equal(kernel->exit.kind, EXIT_FAULT);
	assert_int_equal(kernel->exit.value, DATA + 3 * SPACE_PAGE);
	assert_true(kernel->exit.write);
	assert_false(kernel->exit.fetch);
	assert_int_equal(machine_icount(p.machine), 8);
	paged_close(&p);
}

/* A page that is there with too few rights is the pager's to decide, too: copy on write. */
static void test_pager_widens(void **state)
{
	Kernel *kernel;
	Paged p;

	(void)state;
	open_plain(&p);
	kernel = kernel_of(p.machine);
	kernel->grants = ATTR_READ | ATTR_WRITE;
	kernel->grant_to = ~(u64)0;
	add_page(&p, DATA, ATTR_READ);
	paged_poke(&p, DATA + 8, 99, 1);
	set(&p, 1, DATA);
	put(&p, LD8, 2, 1, 8);
	put(&p, ST8, 2, 1, 9);
	put2(&p, HALT, 0);
	expect_halt(&p, 0);
	assert_int_equal(kernel->asked, 1);
	assert_int_equal(paged_peek(&p, DATA + 8, 2), 99 | 99 << 8);
	paged_close(&p);
}

/* Illegal instructions and traps go the same way. */
static void test_exceptions(void **state)
{
	Kernel *kernel;
	MachineStop stop;
	Paged p;

	(void)state;
	open_plain(&p);
	kernel = kernel_of(p.machine);
	put(&p, TRAP, 0, 0, 9);
	stop = machine_run(p.machine, 10);
	assert_int_equal(stop.kind, STOP_TRAP);
	assert_int_equal(stop.code, 9);
	assert_int_equal(kernel->exit.kind, EXIT_RAISE);
	assert_int_equal(kernel->exit.value, 9);
	machine_set_pc(p.machine, CODE + 64);
	stop = machine_run(p.machine, 10);
	assert_int_equal(stop.kind, STOP_ILLEGAL);
	assert_int_equal(kernel->exit.kind, EXIT_ILLEGAL);
	kernel->go_on = CODE + 128;
	p.at = CODE + 128;
	set(&p, 7, 3);
	put2(&p, HALT, 7);
	expect_halt(&p, 3);
	paged_close(&p);
}

/* Nobody pages: a description alone is memory everywhere. */
static void test_without_pager(void **state)
{
	const u64 far = (u64)1 << 37;
	MachineStop stop;
	Paged p;

	(void)state;
	paged_open(&p, &(MachineConfig){ .memory_limit = 4 * SPACE_PAGE });
	set(&p, 1, far - 4);
	set(&p, 2, 7);
	put(&p, ST64, 2, 1, 0);
	put(&p, LD64, 3, 1, 0);
	put(&p, LD64, 4, 1, 8192);
	put(&p, LD64, 4, 1, 16384);
	machine_run(p.machine, 2);
	assert_int_equal(get(&p, 3), 7);
	assert_int_equal(machine_aspace_present(p.machine, 0), 3 * SPACE_PAGE);
	stop = machine_run(p.machine, 2);
	assert_int_equal(stop.kind, STOP_FAULT); /* the limit */
	assert_int_equal(stop.address, far + 8192);
	assert_int_equal(machine_write(p.machine, machine_paged_space(p.machine), 1, 1), STATUS_RANGE);
	paged_close(&p);
}

/* ---- Code ---- */

static void test_fetch_faults(void **state)
{
	Kernel *kernel;
	Paged p;

	(void)state;
	open_plain(&p);
	kernel = kernel_of(p.machine);
	add_page(&p, CODE + SPACE_PAGE, ATTR_READ | ATTR_WRITE);
	p.at = CODE + SPACE_PAGE - 8;
	put2(&p, INC, 5);
	put2(&p, INC, 5);
	put2(&p, INC, 5);
	put(&p, ADDI, 6, 5, 1); /* half of it on the other page */
	put2(&p, HALT, 6);
	machine_set_pc(p.machine, CODE + SPACE_PAGE - 8);
	machine_run(p.machine, 100);
	assert_int_equal(kernel->exceptions, 1);
	assert_true(kernel->exit.fetch);
	assert_false(kernel->exit.write);
	assert_int_equal(kernel->exit.value, CODE + SPACE_PAGE);
	assert_int_equal(machine_pc(p.machine), CODE + SPACE_PAGE - 2);
	assert_int_equal(get(&p, 5), 3);
	assert_int_equal(machine_icount(p.machine), 3);
	assert_int_equal(kernel->asked, 1); /* for the instruction that needs it, no earlier */
	assert_int_equal(kernel->asked_for[0], ATTR_EXEC);
	machine_pages_protect(p.machine, 0, CODE + SPACE_PAGE, SPACE_PAGE, ATTR_EXEC);
	expect_halt(&p, 4);

	/* Rights taken away count at once, for blocks that reach over, too. */
	machine_pages_protect(p.machine, 0, CODE + SPACE_PAGE, SPACE_PAGE, ATTR_READ);
	machine_set_pc(p.machine, CODE + SPACE_PAGE - 8);
	machine_run(p.machine, 100);
	assert_int_equal(machine_pc(p.machine), CODE + SPACE_PAGE - 2);
	assert_int_equal(kernel->exceptions, 2);
	machine_pages_drop(p.machine, 0, CODE, SPACE_PAGE);
	machine_set_pc(p.machine, CODE + SPACE_PAGE - 8);
	machine_run(p.machine, 100);
	assert_int_equal(machine_pc(p.machine), CODE + SPACE_PAGE - 8);
	assert_int_equal(kernel->exit.value, CODE + SPACE_PAGE - 8);
	paged_close(&p);
}

/* Code that comes through the pager. */
static void test_fetch_pager(void **state)
{
	Kernel *kernel;
	Paged p;

	(void)state;
	open_plain(&p);
	kernel = kernel_of(p.machine);
	kernel->grants = ATTR_READ | ATTR_EXEC;
	kernel->grant_to = ~(u64)0;
	set(&p, 1, DATA);
	put(&p, JR, 0, 1, 16);
	machine_run(p.machine, 100);
	assert_int_equal(kernel->asked, 1);
	assert_int_equal(kernel->asked_at[0], DATA + 16);
	assert_int_equal(kernel->asked_for[0], ATTR_EXEC);
	assert_int_equal(kernel->exit.kind, EXIT_ILLEGAL); /* a page of zeros */
	assert_int_equal(machine_pc(p.machine), DATA + 16);
	paged_close(&p);
}

/* A loop that rewrites an instruction of its own, and data beside it. */
static void test_code_changes(void **state)
{
	Paged p;
	u64 patched;

	(void)state;
	open_plain(&p);
	add_page(&p, DATA, ATTR_RIGHTS);
	p.at = DATA;
	set(&p, 1, DATA);
	set(&p, 2, 1000);
	put(&p, LI, 3, 0, 5);
	patched = p.at;
	put(&p, LI, 4, 0, 1);        /* its number is counted up */
	put(&p, LD16, 6, 1, (int)(patched - DATA) + 2);
	put(&p, ADD, 7, 4, 0);
	put2(&p, INC, 6);
	put(&p, ST16, 6, 1, (int)(patched - DATA) + 2);
	put(&p, ST64, 6, 1, 2048);   /* data: no code dies */
	put(&p, ADDI, 2, 2, -1);
	put(&p, BNZ, 0, 2, (int)(DATA - p.at));
	put2(&p, HALT, 3);
	machine_set_pc(p.machine, DATA);
	expect_halt(&p, 5);
	assert_int_equal(get(&p, 7), 1000 * 1001 / 2);
	assert_int_equal(paged_peek(&p, DATA + 2048, 2), 1001);
	paged_close(&p);
}

/* An instruction that overwrites the next one, in the same block; across pages as well. */
static void test_code_changes_at_once(void **state)
{
	(void)state;
	for (unsigned back = 0; back < 16; back += 2) {
		Paged p;

		open_plain(&p);
		add_page(&p, DATA, ATTR_RIGHTS);
		add_page(&p, DATA + SPACE_PAGE, ATTR_RIGHTS);
		p.at = DATA + SPACE_PAGE - back;
		machine_set_pc(p.machine, p.at);
		set(&p, 1, p.at);
		set(&p, 2, paged_word(LI, 3, 0, 222));
		put2(&p, INC, 9);
		put(&p, ST32, 2, 1, 6);
		put(&p, LI, 3, 0, 111);
		put2(&p, HALT, 3);
		expect_halt(&p, 222);
		assert_int_equal(get(&p, 9), 1);
		set(&p, 2, paged_word(LI, 3, 0, 333));
		machine_set_pc(p.machine, DATA + SPACE_PAGE - back);
		expect_halt(&p, 333);
		paged_close(&p);
	}
}

/* What the kernel writes is code as well. */
static void test_kernel_changes_code(void **state)
{
	u32 word = paged_word(LI, 3, 0, 9);
	u64 got;
	u8 *at;
	Paged p;

	(void)state;
	open_plain(&p);
	add_page(&p, DATA, ATTR_RIGHTS);
	p.at = DATA;
	put(&p, LI, 3, 0, 8);
	put2(&p, HALT, 3);
	machine_set_pc(p.machine, DATA);
	expect_halt(&p, 8);
	assert_int_equal(machine_copy_out(p.machine, 0, DATA, &word, 4), 4);
	machine_set_pc(p.machine, DATA);
	expect_halt(&p, 9);
	at = machine_span(p.machine, 0, DATA, 4, ATTR_WRITE, &got);
	assert_int_equal(got, 4);
	at[2] = 10;
	machine_set_pc(p.machine, DATA);
	expect_halt(&p, 10);
	machine_page_bytes(p.machine, 0, DATA)[2] = 11;
	machine_flush_code(p.machine, 0, DATA, 1);
	machine_set_pc(p.machine, DATA);
	expect_halt(&p, 11);
	paged_close(&p);
}

/* ---- Memory for host functions ---- */

static void test_copies(void **state)
{
	u8 bytes[3 * SPACE_PAGE];
	Kernel *kernel;
	u64 got;
	Paged p;

	(void)state;
	open_plain(&p);
	kernel = kernel_of(p.machine);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)(i * 7);
	add_page(&p, DATA, ATTR_READ | ATTR_WRITE);
	add_page(&p, DATA + SPACE_PAGE, ATTR_READ | ATTR_WRITE);
	assert_int_equal(machine_copy_out(p.machine, 0, DATA + 100, bytes, sizeof(bytes)), 2 * SPACE_PAGE - 100);
	assert_int_equal(kernel->asked, 1);
	assert_int_equal(kernel->asked_at[0], DATA + 2 * SPACE_PAGE);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(machine_copy_in(p.machine, 0, DATA + 100, bytes, sizeof(bytes)), 2 * SPACE_PAGE - 100);
	for (unsigned i = 0; i < 2 * SPACE_PAGE - 100; i++)
		assert_int_equal(bytes[i], (u8)(i * 7));
	assert_int_equal(machine_copy_in(p.machine, 0, ~(u64)0 - 2, bytes, 8), 0);
	assert_int_equal(machine_copy_in(p.machine, 0, ((u64)1 << 38) - 2, bytes, 8), 0);
	assert_int_equal(machine_copy_in(p.machine, 0, DATA, bytes, 0), 0);
	assert_int_equal(machine_copy_in(p.machine, 77, DATA, bytes, 8), 0); /* no such address space */
	machine_pages_protect(p.machine, 0, DATA + SPACE_PAGE, SPACE_PAGE, ATTR_READ);
	assert_int_equal(machine_copy_out(p.machine, 0, DATA + SPACE_PAGE - 3, bytes, 8), 3);
	assert_ptr_equal(machine_span(p.machine, 0, DATA + 5, 3 * SPACE_PAGE, ATTR_READ, &got),
			 machine_page_bytes(p.machine, 0, DATA) + 5);
	assert_int_equal(got, 2 * SPACE_PAGE - 5);
	assert_null(machine_span(p.machine, 0, DATA + SPACE_PAGE, 8, ATTR_WRITE, &got));
	assert_int_equal(got, 0);
	kernel->grants = ATTR_READ | ATTR_WRITE; /* the pager helps */
	kernel->grant_to = ~(u64)0;
	assert_int_equal(machine_copy_in(p.machine, 0, DATA + 100, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(bytes[2 * SPACE_PAGE], 0);
	paged_close(&p);
}

/* ---- The limit ---- */

static void test_memory_limit(void **state)
{
	Paged p;

	(void)state;
	open_with(&p, (MachineConfig){ .memory_limit = 8 * SPACE_PAGE });
	assert_int_equal(machine_pages_add(p.machine, 0, DATA, 8 * SPACE_PAGE, ATTR_READ), STATUS_TOO_BIG);
	assert_int_equal(machine_aspace_present(p.machine, 0), SPACE_PAGE);
	assert_int_equal(machine_pages_add(p.machine, 0, DATA, 7 * SPACE_PAGE, ATTR_READ), STATUS_OK);
	assert_int_equal(machine_pages_add(p.machine, 0, DATA, 7 * SPACE_PAGE, ATTR_RIGHTS), STATUS_OK); /* they are there */
	assert_int_equal(machine_pages_add(p.machine, 0, DATA + 7 * SPACE_PAGE, SPACE_PAGE, ATTR_READ), STATUS_TOO_BIG);
	machine_pages_drop(p.machine, 0, DATA + SPACE_PAGE, 2 * SPACE_PAGE);
	assert_int_equal(machine_pages_add(p.machine, 0, (u64)1 << 37, 2 * SPACE_PAGE, ATTR_READ), STATUS_OK);
	assert_int_equal(machine_pages_add(p.machine, 0, DATA + SPACE_PAGE, SPACE_PAGE, ATTR_READ), STATUS_TOO_BIG);
	machine_pages_drop(p.machine, 0, 0, machine_address_limit(p.machine));
	assert_int_equal(machine_aspace_present(p.machine, 0), 0);
	assert_int_equal(machine_pages_add(p.machine, 0, DATA, 8 * SPACE_PAGE, ATTR_READ), STATUS_OK);
	paged_close(&p);
}

/* ---- Watchpoints ---- */

static void test_watches(void **state)
{
	MachineStop stop;
	Kernel *kernel;
	u16 mem;
	Paged p;

	(void)state;
	open_plain(&p);
	mem = machine_paged_space(p.machine);
	kernel = kernel_of(p.machine);
	kernel->grants = ATTR_READ | ATTR_WRITE;
	kernel->grant_to = ~(u64)0;
	set(&p, 1, DATA);
	for (unsigned i = 0; i < 3; i++) {
		put(&p, ST64, 2, 1, 8);
		put(&p, LD64, 3, 1, 8);
		put(&p, ST64, 2, 1, SPACE_PAGE - 4);
		put(&p, LD32, 3, 1, SPACE_PAGE);
	}
	put2(&p, HALT, 0);
	/* Set before the page is there. */
	assert_int_equal(machine_watch_set(p.machine, mem, DATA + 12, 1, true, true, true), STATUS_OK);
	assert_int_equal(machine_watch_set(p.machine, mem, DATA + SPACE_PAGE + 3, 1, false, true, true), STATUS_OK);
	for (unsigned i = 0; i < 3; i++) {
		stop = machine_run(p.machine, 100);
		assert_int_equal(stop.kind, STOP_WATCH);
		assert_int_equal(stop.address, DATA + 12);
		assert_true(stop.write);
		assert_int_equal(machine_pc(p.machine), CODE + i * 16 + 4);
		stop = machine_run(p.machine, 100);
		assert_int_equal(stop.kind, STOP_WATCH);
		assert_false(stop.write);
		assert_int_equal(machine_pc(p.machine), CODE + i * 16 + 8);
		stop = machine_run(p.machine, 100);
		assert_int_equal(stop.kind, STOP_WATCH);
		assert_int_equal(stop.address, DATA + SPACE_PAGE + 3);
		assert_int_equal(machine_pc(p.machine), CODE + i * 16 + 12);
		machine_pages_drop(p.machine, 0, DATA, SPACE_PAGE); /* and they stay when it goes and comes */
	}
	expect_halt(&p, 0);
	assert_int_equal(machine_watch_set(p.machine, mem, DATA + 12, 1, true, true, false), STATUS_OK);
	assert_int_equal(machine_watch_set(p.machine, mem, DATA + SPACE_PAGE + 3, 1, false, true, false), STATUS_OK);
	/* All there is: as a trace does. */
	assert_int_equal(machine_watch_set(p.machine, mem, 0, machine_cells(p.machine, mem), false, true, true), STATUS_OK);
	machine_set_pc(p.machine, CODE);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(machine_run(p.machine, 100).kind, STOP_WATCH);
	expect_halt(&p, 0);
	paged_close(&p);
}

/* ---- Waiting ---- */

static u64 hour;

static HostResult wait_once(Machine *machine, u64 a, u64 i, u64 *result)
{
	(void)i;
	if (machine_time(machine) < hour && a)
		return machine_wait_until(machine, a, hour);
	*result = machine_time(machine);
	return HOST_OK;
}

static void test_wait_until(void **state)
{
	MachineStop stop;
	Paged p;

	(void)state;
	open_plain(&p);
	kernel_of(p.machine)->sys = wait_once;
	hour = 5000;
	set(&p, 1, 1);
	put(&p, SYS, 2, 1, 0);
	put2(&p, HALT, 0);
	stop = machine_run(p.machine, 100);
	assert_int_equal(stop.kind, STOP_SLEEP);
	assert_int_equal(stop.code, 5000);
	stop = machine_run(p.machine, 100);
	assert_int_equal(stop.kind, STOP_SLEEP);
	machine_set_time(p.machine, 4999);
	assert_int_equal(machine_run(p.machine, 100).kind, STOP_SLEEP);
	machine_set_time(p.machine, 5000);
	expect_halt(&p, 0);
	assert_int_equal(get(&p, 2), 5000);
	assert_int_equal(machine_icount(p.machine), 2);

	machine_set_pc(p.machine, CODE); /* woken before its hour, it looks again and waits on */
	hour = 9000;
	assert_int_equal(machine_run(p.machine, 100).kind, STOP_SLEEP);
	machine_wake(p.machine, 2);
	assert_int_equal(machine_vcpu_state(p.machine, 0), VCPU_WAIT_CHANNEL);
	machine_wake(p.machine, 1);
	assert_int_equal(machine_vcpu_state(p.machine, 0), VCPU_READY);
	assert_int_equal(machine_run(p.machine, 100).kind, STOP_SLEEP);
	hour = 0;
	machine_wake(p.machine, 1);
	expect_halt(&p, 0);
	paged_close(&p);

	open_with(&p, (MachineConfig){ .virtual_time = true, .instruction_ns = 10 });
	kernel_of(p.machine)->sys = wait_once;
	hour = 5005;
	set(&p, 1, 1);
	put2(&p, NOP, 0);
	put(&p, SYS, 2, 1, 0);
	put2(&p, HALT, 0);
	expect_halt(&p, 0);
	assert_int_equal(get(&p, 2), 5005);
	paged_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_protect_and_drop),
		cmocka_unit_test(test_crossing),
		cmocka_unit_test(test_signed_loads),
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_wild_addresses),
		cmocka_unit_test(test_limit_of_addresses),
		cmocka_unit_test(test_pager),
		cmocka_unit_test(test_pager_widens),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_without_pager),
		cmocka_unit_test(test_fetch_faults),
		cmocka_unit_test(test_fetch_pager),
		cmocka_unit_test(test_code_changes),
		cmocka_unit_test(test_code_changes_at_once),
		cmocka_unit_test(test_kernel_changes_code),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_memory_limit),
		cmocka_unit_test(test_watches),
		cmocka_unit_test(test_wait_until),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
