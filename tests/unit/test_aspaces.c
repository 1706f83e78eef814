/* SPDX-License-Identifier: MIT
 * machine: address spaces (machine/pages.h): fork, exec, exit, memory that is shared or moved, limits; and what a guest
 * with an operating system is told.
 */
#define _GNU_SOURCE /* memfd_create */

#include <sys/mman.h>
#include <unistd.h>

#include "unit/paged.h"

#include "base/hash.h"

enum { DO_FORK = 1, DO_EXEC, DO_EXIT, DO_SELF, DO_CLOCK, DO_TIME, DO_WAIT, DO_ADD, DO_YIELD };

/* A process for each vCPU. */
static HostResult do_fork(Machine *machine, u64 *result)
{
	u32 child, aspace;

	if (machine_aspace_fork(machine, machine_aspace(machine), &aspace)) {
		*result = ~(u64)0;
		return HOST_OK;
	}
	if (machine_vcpu_add(machine, &child)) {
		machine_aspace_release(machine, aspace);
		*result = ~(u64)0;
		return HOST_OK;
	}
	for (u32 slot = 0; slot < R(16); slot++)
		machine_vcpu_set_slot(machine, child, slot, machine_slot(machine, slot));
	machine_vcpu_set_slot(machine, child, 0, machine_pc(machine) + 4);
	machine_vcpu_set_slot(machine, child, R(2), 0);
	machine_vcpu_set_aspace(machine, child, aspace);
	*result = child;
	return HOST_OK;
}

static void start_program(Machine *machine)
{
	machine_set_pc(machine, DATA);
}

/* A new, empty memory with one page of code, which counts r3 up and ends. */
static HostResult do_exec(Machine *machine)
{
	u32 before = machine_aspace(machine), aspace;
	u32 words[] = { paged_word(ADDI, 3, 3, 1000), paged_word(SYS, 2, 1, DO_EXIT) };

	assert_int_equal(machine_aspace_create(machine, &aspace), STATUS_OK);
	machine_vcpu_set_aspace(machine, machine_vcpu_current(machine), aspace);
	assert_int_equal(machine_aspace(machine), aspace);
	machine_aspace_release(machine, before);
	assert_int_equal(machine_aspace_present(machine, before), 0);
	assert_int_equal(machine_pages_add(machine, aspace, DATA, SPACE_PAGE, ATTR_RIGHTS), STATUS_OK);
	assert_int_equal(machine_copy_out(machine, aspace, DATA, words, sizeof(words)), sizeof(words));
	kernel_of(machine)->attend = start_program; /* behind the instruction, which ends with the next pc */
	machine_want_attention(machine, machine_vcpu_current(machine));
	return HOST_OK;
}

static HostResult calls(Machine *machine, u64 a, u64 i, u64 *result)
{
	u32 self = machine_vcpu_current(machine), aspace = machine_aspace(machine);

	switch (i) {
	case DO_FORK: return do_fork(machine, result);
	case DO_EXEC: return do_exec(machine);
	case DO_EXIT:
		machine_vcpu_end(machine, self, a);
		machine_aspace_release(machine, aspace);
		return HOST_OK;
	case DO_SELF: *result = self; return HOST_OK;
	case DO_CLOCK: *result = machine_clock(machine); return HOST_OK;
	case DO_TIME: *result = machine_time(machine); return HOST_OK;
	case DO_WAIT: return machine_wait_for(machine, a);
	case DO_ADD: *result = a + 1; return HOST_OK;
	case DO_YIELD: machine_yield(machine); return HOST_OK;
	default: return HOST_DENIED;
	}
}

static void open_processes(Paged *p, MachineConfig config)
{
	if (!config.memory_limit)
		config.memory_limit = 1 << 20;
	open_with(p, config);
	kernel_of(p->machine)->sys = calls;
}

/* Parent and child go different ways in the same code, on memory of their own. */
static void test_fork(void **state)
{
	u64 value;
	u16 mem;
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .quantum = 3 });
	mem = machine_paged_space(p.machine);
	add_page(&p, DATA, ATTR_READ | ATTR_WRITE);
	paged_poke(&p, DATA, 100, 1);
	set(&p, 1, DATA);
	set(&p, 5, 50);
	put(&p, SYS, 2, 1, DO_FORK);
	put(&p, ADDI, 4, 2, 1);        /* child: 1; parent: 2 */
	for (unsigned i = 0; i < 20; i++) {
		put(&p, LD64, 3, 1, 0);
		put(&p, ADD, 3, 4, 0);
		put(&p, ST64, 3, 1, 0);
	}
	put(&p, JR, 0, 15, 0);
	p.at = CODE + 512;
	put(&p, SYS, 2, 1, DO_WAIT);
	machine_set_slot(p.machine, R(15), CODE + 512);
	assert_int_equal(machine_run(p.machine, 100000).kind, STOP_DEADLOCK);
	assert_int_equal(machine_vcpu_count(p.machine), 2);
	assert_int_not_equal(machine_vcpu_aspace(p.machine, 0), machine_vcpu_aspace(p.machine, 1));
	assert_int_equal(machine_vcpu_read(p.machine, 0, mem, DATA, &value), STATUS_OK);
	assert_int_equal(value, 100 + 2 * 20);
	assert_int_equal(machine_vcpu_read(p.machine, 1, mem, DATA, &value), STATUS_OK);
	assert_int_equal(value, 100 + 1 * 20);
	assert_int_equal(machine_aspace_present(p.machine, 1), 2 * SPACE_PAGE);
	assert_int_equal(machine_page_attr(p.machine, 1, DATA) & ATTR_RIGHTS, ATTR_READ | ATTR_WRITE);
	paged_close(&p);
}

/* The child rewrites the code they came from; the parent's stays. */
static void test_code_of_its_own(void **state)
{
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .quantum = 5 });
	add_page(&p, DATA, ATTR_RIGHTS);
	p.at = DATA;
	machine_set_pc(p.machine, DATA);
	set(&p, 1, DATA);
	set(&p, 6, paged_word(LI, 7, 0, 222));
	put(&p, SYS, 2, 1, DO_FORK);
	put(&p, BNZ, 0, 2, 8);
	put(&p, ST32, 6, 1, 20);
	put(&p, NOP, 0, 0, 0);
	put(&p, NOP, 0, 0, 0);
	assert_int_equal(p.at, DATA + 20);
	put(&p, LI, 7, 0, 111);
	put(&p, SYS, 3, 7, DO_EXIT);
	assert_int_equal(machine_run(p.machine, 100000).kind, STOP_HALT);
	assert_int_equal(machine_vcpu_code(p.machine, 0), 111);
	assert_int_equal(machine_vcpu_code(p.machine, 1), 222);
	paged_close(&p);
}

static void test_exec(void **state)
{
	MachineStop stop;
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .quantum = 100 });
	add_page(&p, DATA, ATTR_RIGHTS);
	set(&p, 1, 7);
	set(&p, 3, 5);
	put(&p, ADDI, 3, 3, 1);
	put(&p, SYS, 2, 1, DO_EXEC);
	put(&p, ADDI, 3, 3, 1); /* never: the program is another one */
	stop = machine_run(p.machine, 100);
	assert_int_equal(stop.kind, STOP_HALT);
	assert_int_equal(stop.code, 7);
	assert_int_equal(get(&p, 3), 1006);
	assert_int_equal(machine_icount(p.machine), 4);
	paged_close(&p);
}

/* Many processes, one after another and at once: numbers and memory come back. */
static void test_processes_come_and_go(void **state)
{
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .quantum = 7 });
	add_page(&p, DATA, ATTR_READ | ATTR_WRITE);
	set(&p, 5, 300);
	set(&p, 1, 9);
	put(&p, SYS, 2, 1, DO_FORK);
	put(&p, BNZ, 0, 2, 8);
	put(&p, SYS, 2, 1, DO_EXIT);
	put(&p, SYS, 2, 1, DO_YIELD);
	put(&p, SYS, 2, 1, DO_YIELD);
	put(&p, ADDI, 5, 5, -1);
	put(&p, BNZ, 0, 5, -24);
	put(&p, SYS, 2, 1, DO_EXIT);
	for (u32 runs = 0; machine_run(p.machine, 50).kind == STOP_BUDGET; runs++) {
		assert_true(runs < 1000);
		for (u32 n = 1; n < machine_vcpu_count(p.machine); n++)
			machine_vcpu_free(p.machine, n);
	}
	assert_true(machine_vcpu_count(p.machine) < 30);
	assert_int_equal(machine_vcpu_state(p.machine, 0), VCPU_ENDED);
	paged_close(&p);
}

static void test_limit_of_all(void **state)
{
	u32 number, second;
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .memory_limit = 10 * SPACE_PAGE });
	machine_pages_add(p.machine, 0, DATA, 4 * SPACE_PAGE, ATTR_RIGHTS);
	assert_int_equal(machine_aspace_fork(p.machine, 0, &number), STATUS_OK);
	assert_int_equal(machine_aspace_fork(p.machine, 0, &second), STATUS_TOO_BIG);
	assert_int_equal(machine_pages_add(p.machine, 0, 0, SPACE_PAGE, ATTR_RIGHTS), STATUS_TOO_BIG);
	assert_int_equal(machine_aspace_create(p.machine, &second), STATUS_OK);
	assert_int_equal(machine_pages_add(p.machine, second, 0, SPACE_PAGE, ATTR_RIGHTS), STATUS_TOO_BIG);
	machine_aspace_release(p.machine, number);
	assert_int_equal(machine_pages_add(p.machine, second, 0, SPACE_PAGE, ATTR_RIGHTS), STATUS_OK);
	assert_int_equal(machine_pages_add(p.machine, number, 0, SPACE_PAGE, ATTR_RIGHTS), STATUS_RANGE); /* it is gone */
	assert_int_equal(machine_copy_in(p.machine, number, DATA, &number, 4), 0);
	machine_aspace_release(p.machine, number);
	machine_aspace_release(p.machine, 12345);
	machine_reset(p.machine, false);
	assert_int_equal(machine_aspace_present(p.machine, 0), 0);
	assert_int_equal(machine_aspace_present(p.machine, second), 0);
	assert_int_equal(machine_pages_add(p.machine, 0, 0, 10 * SPACE_PAGE, ATTR_RIGHTS), STATUS_OK);
	paged_close(&p);
}

/* ---- Shared memory ---- */

static int shared_memory(u64 pages)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)(pages * SPACE_PAGE)), 0);
	return fd;
}

static u64 word_at(Paged *p, u32 aspace, u64 address)
{
	u64 value = 0;

	assert_int_equal(machine_copy_in(p->machine, aspace, address, &value, 8), 8);
	return value;
}

static void put_word(Paged *p, u32 aspace, u64 address, u64 value)
{
	assert_int_equal(machine_copy_out(p->machine, aspace, address, &value, 8), 8);
}

static void test_shared(void **state)
{
	const u64 there = DATA + 64 * SPACE_PAGE;
	int fd = shared_memory(4);
	u64 value = 0;
	u32 child;
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .quantum = 3 });
	kernel_of(p.machine)->grants = ATTR_READ | ATTR_WRITE;
	kernel_of(p.machine)->grant_to = ~(u64)0;
	assert_int_equal(machine_pages_back(p.machine, 0, there, 4 * SPACE_PAGE, fd, 0), STATUS_OK);
	assert_int_equal(machine_pages_back(p.machine, 0, DATA, 2 * SPACE_PAGE, fd, SPACE_PAGE), STATUS_OK);
	assert_int_equal(machine_aspace_present(p.machine, 0), SPACE_PAGE);
	put_word(&p, 0, DATA + 8, 1234);
	assert_int_equal(word_at(&p, 0, there + SPACE_PAGE + 8), 1234);
	assert_int_equal(pread(fd, &value, 8, SPACE_PAGE + 8), 8);
	assert_int_equal(value, 1234);
	close(fd); /* it is held by where it lies */

	assert_int_equal(machine_aspace_fork(p.machine, 0, &child), STATUS_OK);
	put_word(&p, child, there + SPACE_PAGE + 8, 99);
	assert_int_equal(word_at(&p, 0, DATA + 8), 99);
	put_word(&p, 0, there + 3 * SPACE_PAGE, 55); /* absent when they parted, and shared all the same */
	assert_int_equal(word_at(&p, child, there + 3 * SPACE_PAGE), 55);

	machine_pages_drop(p.machine, child, there + SPACE_PAGE, SPACE_PAGE); /* a hole: memory of its own from now on */
	assert_int_equal(word_at(&p, child, there + SPACE_PAGE + 8), 0);
	put_word(&p, child, there + SPACE_PAGE + 8, 7);
	assert_int_equal(word_at(&p, 0, there + SPACE_PAGE + 8), 99);
	put_word(&p, child, there + 2 * SPACE_PAGE, 66);
	assert_int_equal(word_at(&p, 0, there + 2 * SPACE_PAGE), 66);
	assert_int_equal(machine_pages_back(p.machine, child, there, SPACE_PAGE, -1, 0), STATUS_INVALID);

	machine_aspace_release(p.machine, child);
	assert_int_equal(word_at(&p, 0, DATA + 8), 99);
	paged_close(&p);
}

/* The host's process can't have any number of maps. */
static void test_limit_of_pieces(void **state)
{
	int fd = shared_memory(1);
	Status status = STATUS_OK;
	u32 child, count;
	void *at;
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .quantum = 3 });
	for (count = 0; status == STATUS_OK; count++) {
		assert_true(count < 65530 / 3);
		status = machine_pages_back(p.machine, 0, DATA + 2 * (u64)count * SPACE_PAGE, SPACE_PAGE, fd, 0);
	}
	assert_int_equal(status, STATUS_TOO_BIG);
	assert_int_equal(machine_aspace_fork(p.machine, 0, &child), STATUS_TOO_BIG);
	machine_pages_drop(p.machine, 0, DATA + SPACE_PAGE, 2 * (u64)count * SPACE_PAGE);
	assert_int_equal(machine_aspace_fork(p.machine, 0, &child), STATUS_OK);
	close(fd);

	/* Nor may a program make them by taking every second page away; what it takes away is absent all the same. */
	fd = shared_memory(60000);
	assert_int_equal(machine_pages_back(p.machine, 0, (u64)1 << 32, 60000 * (u64)SPACE_PAGE, fd, 0), STATUS_OK);
	machine_pages_add(p.machine, 0, ((u64)1 << 32) + 59995 * (u64)SPACE_PAGE, SPACE_PAGE, ATTR_READ);
	for (u64 i = 1; i < 60000; i += 2)
		machine_pages_drop(p.machine, 0, ((u64)1 << 32) + i * SPACE_PAGE, SPACE_PAGE);
	assert_int_equal(machine_page_attr(p.machine, 0, ((u64)1 << 32) + 59995 * (u64)SPACE_PAGE), 0);
	at = mmap(NULL, SPACE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* the host has some left */
	assert_true(at != MAP_FAILED);
	munmap(at, SPACE_PAGE);
	close(fd);
	paged_close(&p);
}

/* What the interpreter knows about cells must not outlive a store to the same memory elsewhere. */
static void test_aliases(void **state)
{
	int fd = shared_memory(1);
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .quantum = 1000 });
	assert_int_equal(machine_pages_back(p.machine, 0, DATA, SPACE_PAGE, fd, 0), STATUS_OK);
	assert_int_equal(machine_pages_back(p.machine, 0, DATA + SPACE_PAGE, SPACE_PAGE, fd, 0), STATUS_OK);
	machine_pages_add(p.machine, 0, DATA, 2 * SPACE_PAGE, ATTR_READ | ATTR_WRITE);
	set(&p, 1, DATA);
	set(&p, 2, 1);
	set(&p, 3, 2);
	put(&p, ST64, 2, 1, 16);
	put(&p, LD64, 4, 1, 16);
	put(&p, ST64, 3, 1, SPACE_PAGE + 16);
	put(&p, LD64, 5, 1, 16);
	put(&p, LD64, 6, 1, SPACE_PAGE + 16);
	put2(&p, HALT, 0);
	expect_halt(&p, 0);
	assert_int_equal(get(&p, 4), 1);
	assert_int_equal(get(&p, 5), 2);
	assert_int_equal(get(&p, 6), 2);
	close(fd);
	paged_close(&p);
}

static void test_move(void **state)
{
	const u64 from = DATA, to = DATA + 1000 * SPACE_PAGE;
	int fd = shared_memory(2);
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .quantum = 3 });
	machine_pages_add(p.machine, 0, from, SPACE_PAGE, ATTR_READ | ATTR_WRITE);
	machine_pages_add(p.machine, 0, from + 2 * SPACE_PAGE, SPACE_PAGE, ATTR_RIGHTS);
	assert_int_equal(machine_pages_back(p.machine, 0, from + 3 * SPACE_PAGE, 2 * SPACE_PAGE, fd, 0), STATUS_OK);
	machine_pages_add(p.machine, 0, from + 4 * SPACE_PAGE, SPACE_PAGE, ATTR_READ | ATTR_WRITE);
	put_word(&p, 0, from, 11);
	put_word(&p, 0, from + 2 * SPACE_PAGE, 33);
	put_word(&p, 0, from + 4 * SPACE_PAGE, 55);
	assert_int_equal(machine_pages_move(p.machine, 0, from, from + SPACE_PAGE, 5 * SPACE_PAGE), STATUS_INVALID);
	assert_int_equal(machine_pages_move(p.machine, 0, from, CODE, SPACE_PAGE), STATUS_INVALID);
	assert_int_equal(machine_pages_move(p.machine, 0, from, ~(u64)0 << 12, SPACE_PAGE), STATUS_RANGE);
	assert_int_equal(machine_pages_move(p.machine, 0, from, to, 5 * SPACE_PAGE), STATUS_OK);
	assert_int_equal(machine_aspace_present(p.machine, 0), 4 * SPACE_PAGE);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(machine_page_attr(p.machine, 0, from + i * SPACE_PAGE), 0);
	assert_int_equal(word_at(&p, 0, to), 11);
	assert_int_equal(machine_page_attr(p.machine, 0, to + SPACE_PAGE), 0);
	assert_int_equal(word_at(&p, 0, to + 2 * SPACE_PAGE), 33);
	assert_int_equal(machine_page_attr(p.machine, 0, to + 2 * SPACE_PAGE) & ATTR_RIGHTS, ATTR_RIGHTS);
	assert_int_equal(word_at(&p, 0, to + 4 * SPACE_PAGE), 55);
	put_word(&p, 0, to + 4 * SPACE_PAGE, 56);
	{
		u64 value = 0;

		assert_int_equal(pread(fd, &value, 8, SPACE_PAGE), 8);
		assert_int_equal(value, 56);
	}
	machine_pages_add(p.machine, 0, from, 5 * SPACE_PAGE, ATTR_READ | ATTR_WRITE); /* what was left is empty */
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(word_at(&p, 0, from + i * SPACE_PAGE), 0);
	close(fd);
	paged_close(&p);
}

/* Any pieces of shared memory, backed, dropped and moved at random: each page shows what was last written through it. */
static void test_pieces(void **state)
{
	enum { PAGES = 24 };
	int fd = shared_memory(PAGES);
	u64 next = 88172645463325252u;
	int lies[PAGES]; /* page of the file that lies there; -1: memory of its own */
	u64 own[PAGES] = { 0 }, file[PAGES] = { 0 };
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .quantum = 3 });
	for (unsigned i = 0; i < PAGES; i++)
		lies[i] = -1;
	kernel_of(p.machine)->grants = ATTR_READ | ATTR_WRITE;
	kernel_of(p.machine)->grant_to = ~(u64)0;
	for (unsigned step = 0; step < 3000; step++) {
		unsigned from, count, to, offset;

		next ^= next << 13;
		next ^= next >> 7;
		next ^= next << 17;
		from = next % PAGES;
		count = 1 + (next >> 8) % (PAGES - from);
		offset = (next >> 16) % (PAGES - count + 1);
		to = offset;
		switch ((next >> 24) % 4) {
		case 0:
			machine_pages_drop(p.machine, 0, DATA + from * SPACE_PAGE, count * SPACE_PAGE);
			for (unsigned i = from; i < from + count; i++) {
				lies[i] = -1;
				own[i] = 0;
			}
			break;
		case 1:
			machine_pages_drop(p.machine, 0, DATA + from * SPACE_PAGE, count * SPACE_PAGE);
			assert_int_equal(machine_pages_back(p.machine, 0, DATA + from * SPACE_PAGE, count * SPACE_PAGE, fd,
							    offset * SPACE_PAGE), STATUS_OK);
			for (unsigned i = 0; i < count; i++)
				lies[from + i] = (int)(offset + i);
			break;
		case 2:
			if (from < to ? to - from < count : from - to < count)
				continue;
			machine_pages_drop(p.machine, 0, DATA + to * SPACE_PAGE, count * SPACE_PAGE);
			assert_int_equal(machine_pages_move(p.machine, 0, DATA + from * SPACE_PAGE, DATA + to * SPACE_PAGE,
							    count * SPACE_PAGE), STATUS_OK);
			for (unsigned i = 0; i < count; i++) {
				lies[to + i] = lies[from + i];
				own[to + i] = own[from + i];
				lies[from + i] = -1;
				own[from + i] = 0;
			}
			break;
		default:
			put_word(&p, 0, DATA + from * SPACE_PAGE + 8, next);
			*(lies[from] < 0 ? &own[from] : &file[lies[from]]) = next;
			break;
		}
		for (unsigned i = 0; i < PAGES; i += 1 + step % 3)
			assert_true(word_at(&p, 0, DATA + i * SPACE_PAGE + 8) == (lies[i] < 0 ? own[i] : file[lies[i]]));
	}
	close(fd);
	paged_close(&p);
}

/* ---- What the guest is told ---- */

static void jump_to_handler(Machine *machine)
{
	machine_set_slot(machine, R(9), machine_pc(machine));
	machine_set_pc(machine, CODE + 1024);
}

/* A signal: to one that runs, to one that waits, to one that is paused. */
static void test_attend(void **state)
{
	Kernel *kernel;
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .quantum = 10 });
	kernel = kernel_of(p.machine);
	kernel->attend = jump_to_handler;
	put(&p, BNZ, 0, 1, 0); /* for ever while r1 is 1 */
	put(&p, SYS, 2, 4, DO_WAIT);
	p.at = CODE + 1024;
	put(&p, ADDI, 8, 8, 1);
	put(&p, LI, 1, 0, 0);
	put(&p, JR, 0, 9, 0);
	set(&p, 1, 1);
	assert_int_equal(machine_run(p.machine, 1000).kind, STOP_BUDGET);
	assert_int_equal(kernel->attended, 0);
	machine_want_attention(p.machine, 0);
	machine_want_attention(p.machine, 99);
	assert_int_equal(machine_run(p.machine, 1000).kind, STOP_DEADLOCK);
	assert_int_equal(kernel->attended, 1);
	assert_int_equal(get(&p, 8), 1);
	assert_int_equal(get(&p, 9), CODE);
	assert_int_equal(machine_pc(p.machine), CODE + 4);
	machine_want_attention(p.machine, 0); /* it waits: its call is tried again behind the handler */
	assert_int_equal(machine_run(p.machine, 1000).kind, STOP_DEADLOCK);
	assert_int_equal(kernel->attended, 2);
	assert_int_equal(get(&p, 8), 2);
	assert_int_equal(get(&p, 9), CODE + 4);
	machine_vcpu_pause(p.machine, 0, true);
	machine_want_attention(p.machine, 0);
	machine_run(p.machine, 1000);
	assert_int_equal(kernel->attended, 2);
	machine_vcpu_pause(p.machine, 0, false);
	machine_run(p.machine, 1000);
	assert_int_equal(kernel->attended, 3);
	paged_close(&p);
}

static void test_waits_outside(void **state)
{
	MachineStop stop;
	Kernel *kernel;
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .quantum = 10 });
	kernel = kernel_of(p.machine);
	put(&p, SYS, 2, 4, DO_WAIT);
	assert_int_equal(machine_run(p.machine, 1000).kind, STOP_DEADLOCK);
	kernel->outside = true;
	stop = machine_run(p.machine, 1000);
	assert_int_equal(stop.kind, STOP_SLEEP);
	assert_true(stop.code == ~(u64)0);
	kernel->timer = 700;
	stop = machine_run(p.machine, 1000);
	assert_int_equal(stop.kind, STOP_SLEEP);
	assert_int_equal(stop.code, 700);
	machine_set_time(p.machine, 699);
	machine_run(p.machine, 1000);
	assert_int_equal(kernel->attended, 0);
	machine_set_time(p.machine, 700);
	machine_run(p.machine, 1000);
	assert_int_equal(kernel->attended, 1);
	assert_int_equal(kernel->passed, 2);
	paged_close(&p);
}

/* A timer goes off at its instruction, whoever runs. */
static void test_timer_in_virtual_time(void **state)
{
	Kernel *kernel;
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .virtual_time = true, .instruction_ns = 10 });
	kernel = kernel_of(p.machine);
	kernel->attend = jump_to_handler;
	kernel->timer = 12345;
	set(&p, 1, 1);
	put(&p, BNZ, 0, 1, 0);
	p.at = CODE + 1024;
	put(&p, SYS, 3, 1, DO_TIME);
	put2(&p, HALT, 0);
	assert_int_equal(machine_run(p.machine, 1000000).kind, STOP_HALT);
	assert_int_equal(get(&p, 3), 12350);
	kernel->timer = 5000000; /* and when everybody waits time jumps to it */
	machine_set_pc(p.machine, CODE + 512);
	p.at = CODE + 512;
	put(&p, SYS, 3, 1, DO_WAIT);
	assert_int_equal(machine_run(p.machine, 1000000).kind, STOP_HALT);
	assert_int_equal(get(&p, 3), 5000000);
	paged_close(&p);
}

/* ---- The clock ---- */

static u64 tick(void *ctx)
{
	return *(u64 *)ctx += 1000;
}

static void run_clock(Paged *p, u64 *times)
{
	for (unsigned i = 0; i < 5; i++) {
		MachineStop stop = machine_run(p->machine, 5);

		assert_true(stop.kind == STOP_BUDGET || stop.kind == STOP_HALT);
		times[i] = get(p, 2 + i / 3);
	}
	for (unsigned r = 2; r < 8; r++)
		times[6 + r] = get(p, r);
}

static void test_clock(void **state)
{
	u64 now = 0, first[16] = { 0 }, again[16] = { 0 };
	Buf snapshot;
	Paged p;

	(void)state;
	open_processes(&p, (MachineConfig){ .quantum = 10 });
	machine_set_clock(p.machine, tick, &now);
	machine_record(p.machine, true);
	set(&p, 1, 3);
	put(&p, SYS, 2, 1, DO_CLOCK);
	put(&p, SYS, 3, 1, DO_TIME);
	put(&p, SYS, 4, 1, DO_CLOCK);
	put(&p, ADD, 5, 4, 0);
	put(&p, SYS, 6, 1, DO_TIME);
	put(&p, ADD, 7, 6, 0);
	put(&p, ADDI, 1, 1, -1);
	put(&p, BNZ, 0, 1, -28);
	put2(&p, HALT, 0);
	buf_init(&snapshot);
	assert_int_equal(machine_snapshot(p.machine, &snapshot), STATUS_OK);
	run_clock(&p, first);
	assert_int_equal(now, 6000);
	assert_int_equal(first[8], 5000);
	assert_int_equal(first[9], 5000);
	assert_int_equal(first[10], 6000);
	assert_int_equal(first[11], 2000 + 4000 + 6000);
	assert_int_equal(machine_restore(p.machine, snapshot.data, snapshot.len), STATUS_OK);
	machine_replay_from(p.machine, 0);
	run_clock(&p, again);
	assert_memory_equal(first, again, sizeof(first));
	assert_int_equal(now, 6000); /* nobody asked it */
	assert_int_equal(machine_replay_position(p.machine), machine_event_count(p.machine));
	buf_fini(&snapshot);
	paged_close(&p);
}

/* ---- Snapshots ---- */

/* Parent and child as in test_fork, with pages of all kinds. */
static void open_pair(Paged *p)
{
	open_processes(p, (MachineConfig){ .quantum = 3, .memory_limit = 64 * SPACE_PAGE });
	add_page(p, DATA, ATTR_READ | ATTR_WRITE);
	add_page(p, DATA + SPACE_PAGE, ATTR_READ);
	add_page(p, DATA + 2 * SPACE_PAGE, 0);
	add_page(p, machine_address_limit(p->machine) - SPACE_PAGE, ATTR_RIGHTS);
	paged_poke(p, DATA, 100, 1);
	paged_poke(p, DATA + 2 * SPACE_PAGE - 1, 0xEE, 1);
	paged_poke(p, machine_address_limit(p->machine) - 8, 0x1122334455667788, 8);
	set(p, 1, DATA);
	put(p, SYS, 2, 1, DO_FORK);
	put(p, ADDI, 4, 2, 1);
	for (unsigned i = 0; i < 20; i++) {
		put(p, LD64, 3, 1, 0);
		put(p, ADD, 3, 4, 0);
		put(p, ST64, 3, 1, 0);
	}
	put(p, ADDI, 1, 3, 0);
	put(p, SYS, 2, 1, DO_EXIT);
}

static void test_snapshots(void **state)
{
	Paged p;

	(void)state;
	open_pair(&p);
	for (u64 at = 0; at < 130; at++) {
		const u16 mem = machine_paged_space(p.machine);
		Machine *other = paged_machine(p.isa, &(MachineConfig){ .guest = &paged_guest, .memory_limit = 64 * SPACE_PAGE });
		u64 value = 0;
		Buf one, two;

		buf_init(&one);
		buf_init(&two);
		assert_int_equal(machine_snapshot(p.machine, &one), STATUS_OK);
		assert_true(one.len < 9 * SPACE_PAGE); /* pages of zeros take a byte */
		assert_int_equal(machine_restore(other, one.data, one.len), STATUS_OK);
		assert_int_equal(machine_snapshot(other, &two), STATUS_OK);
		assert_int_equal(one.len, two.len);
		assert_memory_equal(one.data, two.data, one.len);
		machine_set_pager(other, paged_pager);
		assert_int_equal(machine_run(other, 1000).kind, STOP_HALT);
		assert_int_equal(machine_vcpu_code(other, 0), 140);
		assert_int_equal(machine_vcpu_code(other, 1), 120);
		if (at < 50) {
			assert_int_equal(machine_vcpu_read(p.machine, 0, mem, machine_address_limit(other) - 8, &value), STATUS_OK);
			assert_int_equal(value, 0x88);
		}
		machine_destroy(other);
		buf_fini(&one);
		buf_fini(&two);
		if (machine_run(p.machine, 1).kind != STOP_BUDGET)
			break;
	}
	paged_close(&p);
}

/* Any byte wrong: refused, or a machine that can be run; never a crash. */
static void test_damaged_snapshots(void **state)
{
	Machine *other;
	Buf good;
	Paged p;

	(void)state;
	open_pair(&p);
	machine_run(p.machine, 20);
	buf_init(&good);
	assert_int_equal(machine_snapshot(p.machine, &good), STATUS_OK);
	other = paged_machine(p.isa, &(MachineConfig){ .guest = &paged_guest, .memory_limit = 64 * SPACE_PAGE });
	for (size_t at = 20; at < good.len - 8; at += at < 800 || at + 1000 > good.len ? 1 : 61) {
		Buf bad;
		u64 check;

		buf_init(&bad);
		buf_add(&bad, good.data, good.len - 8);
		bad.data[at] ^= (u8)(1 << at % 8);
		check = hash_bytes(HASH_START, bad.data, bad.len);
		buf_u64(&bad, check);
		if (machine_restore(other, bad.data, bad.len) == STATUS_OK) {
			kernel_of(other)->sys = calls;
			kernel_of(other)->attend = NULL;
			machine_run(other, 200);
		}
		buf_fini(&bad);
	}
	machine_destroy(other);
	other = paged_machine(p.isa, &(MachineConfig){ .guest = &paged_guest, .memory_limit = 7 * SPACE_PAGE });
	assert_int_equal(machine_restore(other, good.data, good.len), STATUS_TOO_BIG);
	machine_destroy(other);
	other = paged_machine(p.isa, &(MachineConfig){ .guest = &paged_guest, .address_bits = 37 });
	assert_int_equal(machine_restore(other, good.data, good.len), STATUS_MISMATCH);
	machine_destroy(other);
	buf_fini(&good);
	paged_close(&p);
}

/* Private bytes of a guest with something to give back may be pointers: without `save` there is no snapshot. */
static u32 finis;

static void count_fini(Machine *machine)
{
	(void)machine;
	finis++;
}

static Status save(const Machine *machine, Buf *out)
{
	buf_u64(out, kernel_of((Machine *)machine)->go_on);
	return STATUS_OK;
}

static Status give_back(Machine *machine, const u8 *bytes, size_t len)
{
	ByteReader reader = { .data = bytes, .len = len };
	u64 value = reader_u64(&reader);

	if (reader.bad || value > 100)
		return STATUS_CORRUPT;
	kernel_of(machine)->go_on = value;
	return STATUS_OK;
}

static void test_guest_part(void **state)
{
	Guest with = paged_guest, without = paged_guest;
	Machine *machine;
	Buf bytes;
	Paged p;

	(void)state;
	open_plain(&p);
	without.fini = with.fini = count_fini;
	with.save = save;
	with.restore = give_back;
	finis = 0;
	buf_init(&bytes);
	machine = paged_machine(p.isa, &(MachineConfig){ .guest = &without });
	assert_int_equal(machine_snapshot(machine, &bytes), STATUS_UNSUPPORTED);
	assert_int_equal(machine_restore(machine, bytes.data, bytes.len), STATUS_UNSUPPORTED);
	machine_destroy(machine);
	assert_int_equal(finis, 1);
	machine = paged_machine(p.isa, &(MachineConfig){ .guest = &with });
	kernel_of(machine)->go_on = 77;
	kernel_of(machine)->asked = 5;
	assert_int_equal(machine_snapshot(machine, &bytes), STATUS_OK);
	kernel_of(machine)->go_on = 78;
	assert_int_equal(machine_restore(machine, bytes.data, bytes.len), STATUS_OK);
	assert_int_equal(kernel_of(machine)->go_on, 77);
	kernel_of(machine)->go_on = 200;
	bytes.len = 0;
	assert_int_equal(machine_snapshot(machine, &bytes), STATUS_OK);
	kernel_of(machine)->go_on = 3;
	machine_set_slot(machine, R(3), 33);
	assert_int_equal(machine_restore(machine, bytes.data, bytes.len), STATUS_CORRUPT); /* and all is as it was */
	assert_int_equal(kernel_of(machine)->go_on, 3);
	assert_int_equal(kernel_of(machine)->asked, 5);
	assert_int_equal(machine_slot(machine, R(3)), 33);
	machine_destroy(machine);
	assert_int_equal(finis, 2);
	buf_fini(&bytes);
	paged_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_code_of_its_own),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_processes_come_and_go),
		cmocka_unit_test(test_limit_of_all),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_limit_of_pieces),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_attend),
		cmocka_unit_test(test_waits_outside),
		cmocka_unit_test(test_timer_in_virtual_time),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_snapshots),
		cmocka_unit_test(test_damaged_snapshots),
		cmocka_unit_test(test_guest_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
