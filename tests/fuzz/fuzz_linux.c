/* SPDX-License-Identifier: MIT
 *
 * System calls in any order with any arguments, from up to 16 processes with little memory: nothing may happen but what
 * happens inside. And ELF files of any content, run.
 *
 *     byte 0: even: calls. odd: the rest is an ELF file
 *     then 7 bytes a call: which (in the order of their numbers), and a byte for each argument (argument() below)
 *
 * The program is a loop that takes a number and six arguments from a table. A child goes on behind the call that made
 * it, so the tree of processes runs through the same table.
 */
#include <string.h>

#include "fuzz.h"
#include "linux/kernel.h"

enum { CODE = 0x10000, TABLE = 0x20000, SCRATCH = 0x30000, SLOT = 128, SCRATCH_LEN = 0x10000, CALLS = 96, CALL_WORDS = 7,
       ENTRY = 0x100, HANDLER = 0x180, TABLE_AT = 0x1000, TABLE_LEN = 8 + CALLS * CALL_WORDS * 8, SCRATCH_AT = 0x3000,
       INSNS = 60000, IMAGE = SCRATCH_AT + 0x2000 };

static const u32 code[] = {
	0x00020437, 0x00043903, 0x00840413,             /* s0 = table, s2 = its length */
	0x0329D863, 0x00198993,                         /* loop: while (s3++ < s2) */
	0x00043883, 0x00843503, 0x01043583, 0x01843603, /* a7, a0 .. */
	0x02043683, 0x02843703, 0x03043783, 0x03840413, /* .. a5 */
	0x00000073, 0xFD5FF06F,                         /* ecall */
	0x05D00893, 0x00000513, 0x00000073,             /* exit(0) */
};
/* Of signals and of threads: sd a0, 0(0x30000); ret */
static const u32 handler[] = {0x000302B7, 0x00A2B023, 0x00008067};

static u8 image[IMAGE];

static void put(u64 at, unsigned size, u64 value)
{
	for (unsigned i = 0; i < size; i++)
		image[at + i] = (u8)(value >> 8 * i);
}

static void slot_words(unsigned slot, const u64 *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		put(SCRATCH_AT + slot * SLOT + i * 8, 8, words[i]);
}

static u64 slot_address(unsigned slot)
{
	return SCRATCH + slot * SLOT;
}

#define WORDS(slot, ...) slot_words(slot, (const u64[]){__VA_ARGS__}, sizeof(u64[]){__VA_ARGS__} / 8)

/* Things that pointers point to. */
static void fill_scratch(void)
{
	static const char *const paths[] = {"/tmp/a", "/tmp/b/c", "/tmp/b", "/proc/self/maps", "/proc/self/fd/0", "..", "/dev/null",
					    "/dev/tty", "/fuzz", "/tmp/../../etc/passwd", "a", "/proc/1/mem", "/tmp/a/", ""};

	for (unsigned i = 0; i < COUNT_OF(paths); i++)
		memcpy(image + SCRATCH_AT + (40 + i) * SLOT, paths[i], strlen(paths[i]));
	WORDS(2, 0, 1000, 0, 500);                                  /* timespec, itimerspec */
	WORDS(3, CODE + HANDLER, 0x10000004, 0, 0);                 /* sigaction */
	WORDS(4, CODE + HANDLER, 0x58000004, ~(u64)0, 0);
	WORDS(5, slot_address(6), 100, slot_address(7), 4096, 0x3FF7FFF000, 8192, 0, ~(u64)0); /* iovec */
	WORDS(8, 0x100000003, 0x500000004, 0x400000000, 0xFFFFFFFF); /* pollfd */
	WORDS(9, 0x1F, 77, 0x8000000500000001, 5);                  /* epoll_event */
	put(SCRATCH_AT + 10 * SLOT, 2, 1);                          /* sockaddr_un */
	memcpy(image + SCRATCH_AT + 10 * SLOT + 2, "/tmp/s", 6);
	WORDS(11, 0x0100007F50000002, 0);                           /* sockaddr_in */
	WORDS(12, slot_address(40), slot_address(46), 0);           /* argv */
	WORDS(13, slot_address(10), 110, slot_address(5), 3, slot_address(14), 24, 0); /* msghdr */
	WORDS(14, 20, 1 | (u64)1 << 32, 3, 0);                      /* cmsghdr: a descriptor */
	WORDS(15, ~(u64)0, 5, 6);
	WORDS(16, 0x50000, 0, 0x8000);                              /* stack_t */
	WORDS(17, 0x3D0F00, 0, slot_address(18), slot_address(18), 17, 0x3C000, 0x2000, slot_address(20), 0, 0, 0); /* clone_args */
	WORDS(19, 100, 200);                                        /* rlimit */
	WORDS(21, slot_address(40), slot_address(48), 0, 0);
	WORDS(22, 0, 0x80, 0, 0, 8, 0);                             /* robust list, futex words */
	WORDS(23, 16, 16, 0x1000, 1 << 20, 0x7FFFFFFF, (u64)1 << 40);
}

static void build(void)
{
	static const u64 segments[][5] = { /* flags, offset, address, in the file, in memory */
		{5, 0, CODE, 0x400, 0x400},
		{6, TABLE_AT, TABLE, TABLE_LEN, TABLE_LEN},
		{6, SCRATCH_AT, SCRATCH, IMAGE - SCRATCH_AT, SCRATCH_LEN},
	};

	memcpy(image, "\177ELF\2\1\1", 7);
	put(16, 2, 2);
	put(18, 2, 243);
	put(20, 4, 1);
	put(24, 8, CODE + ENTRY);
	put(32, 8, 64);
	put(54, 2, 56);
	put(56, 2, COUNT_OF(segments));
	for (unsigned i = 0; i < COUNT_OF(segments); i++) {
		u64 at = 64 + i * 56u;

		put(at, 4, 1);
		put(at + 4, 4, segments[i][0]);
		put(at + 8, 8, segments[i][1]);
		put(at + 16, 8, segments[i][2]);
		put(at + 32, 8, segments[i][3]);
		put(at + 40, 8, segments[i][4]);
	}
	for (unsigned i = 0; i < COUNT_OF(code); i++)
		put(ENTRY + i * 4, 4, code[i]);
	for (unsigned i = 0; i < COUNT_OF(handler); i++)
		put(HANDLER + i * 4, 4, handler[i]);
	fill_scratch();
}

/* What a byte stands for. */
static u64 argument(u8 byte)
{
	static const u64 special[] = {
		~(u64)0, (u64)-100, (u64)-2, 0x1000, 0x1001, 0x2000, 0x10000, 0x100000, 0x80000000, 0x3FFFFFF000, 0x4000000000,
		(u64)1 << 47, (u64)1 << 63, 0x7FFFFFFFFFFFFFFF, 0x3FF8000000, 0x3FF7FFF000, 0x3FF7FFE000, 0x3FF7FFD000,
		0x3FF7FF0000, CODE, CODE + HANDLER, TABLE, 0x22, 0x21, 0x32, 0x4022, 0x108022, 0x42, 0x241, 0x80800, 0x3D0F00, 0x11,
		0x4111, 0x100, 0x200000, 0x5401, 0x5413, 0x541B, 0x80081272, 0x8912, 0x40046602, 0x1FF, 0x1000000, 0x300000,
		0x3FFFFFE000, 0x3FFFF00000, 0x40, 0x80, 0x81, 0x400, 0x2710, 0x7F, 0x800, 0x802, 0x80001,
	};

	if (byte < 34)
		return byte;
	if (byte < 94)
		return slot_address(byte - 34);
	return special[(byte - 94u) % COUNT_OF(special)];
}

static void fill_table(const u8 *data, size_t size)
{
	static u16 numbers[512];
	static u32 known;
	u64 count = 0;

	for (u32 n = known ? 512 : 0; n < 512; n++)
		if (kernel_syscall(n))
			numbers[known++] = (u16)n;
	for (; count < CALLS && size >= CALL_WORDS; count++, data += CALL_WORDS, size -= CALL_WORDS) {
		u64 at = TABLE_AT + 8 + count * CALL_WORDS * 8;

		put(at, 8, numbers[data[0] % known]);
		for (unsigned i = 1; i < CALL_WORDS; i++)
			put(at + i * 8, 8, argument(data[i]));
	}
	put(TABLE_AT, 8, count);
}

static void drop(void *ctx, const u8 *bytes, size_t len)
{
	(void)ctx;
	(void)bytes;
	(void)len;
}

static Isa *load_isa(const Guest *guest)
{
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = isa_load("rv64.isa", guest->isa_text, strlen(guest->isa_text), NULL, 0, &diags);
	if (!isa)
		fuzz_fail("the machine does not load");
	diag_fini(&diags);
	return isa;
}

static void run(Machine *machine)
{
	while (machine_icount(machine) < INSNS) {
		MachineStop stop = machine_run(machine, INSNS - machine_icount(machine));

		if (stop.kind == STOP_ERROR)
			fuzz_fail(status_text(stop.status));
		if (stop.kind == STOP_WAIT && !machine_input_ended(machine))
			machine_input_end(machine);
		else if (stop.kind != STOP_BUDGET)
			break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static Isa *isa;
	const Guest *guest = guests_find("rv64");
	MachineConfig config = {.guest = guest, .memory_limit = 8 << 20, .random_seed = 1, .virtual_time = true, .vcpu_limit = 24,
				.quantum = 100};
	const LinuxConfig linux_config = {.process_limit = 16, .file_limit = 64, .open_limit = 128, .storage_limit = 1 << 20,
					  .output_limit = 1 << 16, .program = "/fuzz"};
	GuestFile file = {.name = "fuzz", .data = image, .len = sizeof image};
	Machine *machine = NULL;
	DiagList diags;
	Status status;

	if (!isa) {
		isa = load_isa(guest);
		build();
	}
	if (!size)
		return 0;
	if (data[0] & 1) {
		file.data = data + 1;
		file.len = size - 1;
	} else {
		fill_table(data + 1, size - 1);
	}
	config.isa = isa;
	diag_init(&diags);
	if (machine_create(&config, &machine, &diags) != STATUS_OK)
		fuzz_fail("no machine");
	machine_reset(machine, false);
	machine_set_output(machine, drop, NULL);
	if (linux_configure(machine, &linux_config, &diags) != STATUS_OK)
		fuzz_fail("no kernel");
	status = guest->load(machine, &file, 1, &diags);
	if (status && !diags.errors)
		fuzz_fail("refused without a message");
	if (status && !(data[0] & 1))
		fuzz_fail("the program does not load");
	if (!status)
		run(machine);
	fuzz_render(&diags);
	machine_destroy(machine);
	return 0;
}
