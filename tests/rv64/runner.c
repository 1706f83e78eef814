/* SPDX-License-Identifier: MIT
 *
 * Runs the blocks (blocks.h) of standard input and writes what became of each to standard output. A riscv64 program
 * without a C library, built and run by test_rv64_random.c. The signal handler runs with whatever the block left in gp
 * and tp, so nothing here may use them (link with --no-relax). Numbers and layouts: Linux UAPI.
 */
#include "rv64/blocks.h"

enum {
	NR_READ = 63, NR_WRITE = 64, NR_EXIT = 93, NR_SIGALTSTACK = 132, NR_SIGACTION = 134, NR_MMAP = 222, NR_MPROTECT = 226,
	SIG_ILL = 4, SIG_TRAP = 5, SIG_BUS = 7, SIG_SEGV = 11,
	ACTION_FLAGS = 0x48000004,              /* SA_SIGINFO | SA_ONSTACK | SA_NODEFER */
	MAP_FLAGS = 0x32,                       /* MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS */
	INFO_ADDRESS = 2,                       /* siginfo_t, in words */
	CONTEXT_X = 22, CONTEXT_F = 54, CONTEXT_FCSR = 86, /* ucontext_t, likewise */
	BATCH = 64,
};

/* Loads everything from the state and goes to the block; comes back by `resume`, with sp = saved_sp. */
void enter(const BlockState *state);
void resume(void);
void start(void);
extern Word saved_sp;

__asm__(
	".bss\n.balign 8\n.globl saved_sp\nsaved_sp: .zero 8\n.text\n"
	".globl _start\n_start: andi sp, sp, -16\n call start\n"
	".globl enter\nenter: addi sp, sp, -256\n"
	".irp k, 1,3,4,8,9,18,19,20,21,22,23,24,25,26,27\n sd x\\k, 8*\\k(sp)\n.endr\n"
	" la t0, saved_sp\n sd sp, 0(t0)\n mv t6, a0\n ld t0, 512(t6)\n fscsr t0\n"
	".irp k, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n fld f\\k, 256+8*\\k(t6)\n.endr\n"
	".irp k, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30\n ld x\\k, 8*\\k(t6)\n.endr\n"
	" li t6, 0x2000000\n jr t6\n"
	".globl resume\nresume:\n"
	".irp k, 1,3,4,8,9,18,19,20,21,22,23,24,25,26,27\n ld x\\k, 8*\\k(sp)\n.endr\n"
	" addi sp, sp, 256\n ret\n");

static long call(long number, long a, long b, long c, long d, long e, long f)
{
	register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a3 __asm__("a3") = d;
	register long a4 __asm__("a4") = e, a5 __asm__("a5") = f, a7 __asm__("a7") = number;

	__asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
	return a0;
}

static Block blocks[BATCH];
static BlockResult results[BATCH];
static unsigned char stack[1 << 16] __attribute__((aligned(16)));
static const Block *running;
static BlockResult *result;

static void on_signal(int signal, const Word *info, Word *context)
{
	Word *x = context + CONTEXT_X, pc = x[0];
	unsigned low = 0;

	result->traps[result->trap_count].pc = pc;
	result->traps[result->trap_count].address = signal == SIG_BUS ? 0 : info[INFO_ADDRESS];
	result->traps[result->trap_count++].signal = signal;
	if (pc >= BLOCK_CODE && pc < BLOCK_CODE + running->len && result->trap_count < BLOCK_TRAPS) {
		low = *(volatile unsigned char *)pc & 3;
		x[0] = pc + (low == 3 ? 4 : 2);
		return;
	}
	for (int i = 0; i < 32; i++) {
		result->end.x[i] = x[i];
		result->end.f[i] = context[CONTEXT_F + i];
	}
	result->end.fcsr = (unsigned)context[CONTEXT_FCSR];
	x[0] = (Word)resume;
	x[2] = saved_sp;
}

static void run(const Block *block)
{
	unsigned char *code = (unsigned char *)BLOCK_CODE;
	Word *data = (Word *)BLOCK_DATA;

	running = block;
	*result = (BlockResult){.trap_count = 0};
	block_fill(data, BLOCK_WRITABLE / 8, block->seed);
	for (unsigned i = 0; i < BLOCK_PAGE; i++)
		code[i] = i < block->len ? block->code[i] : i & 1 ? 0x90 : 0x02;
	__asm__ volatile("sc.d t0, t0, (sp)\n fence.i" ::: "t0", "memory"); /* nothing is reserved */
	enter(&block->start);
	result->memory = block_hash_cells(0, data, BLOCK_WRITABLE / 8);
	result->memory = block_hash_cells(result->memory, (const Word *)code, BLOCK_PAGE / 8);
}

static void map(Word at, long len, long rights)
{
	call(NR_MMAP, (long)at, len, rights, MAP_FLAGS, -1, 0);
}

void start(void)
{
	static const int signals[] = {SIG_ILL, SIG_TRAP, SIG_BUS, SIG_SEGV};
	Word alternate[3] = {(Word)stack, 0, sizeof stack}, action[3] = {(Word)on_signal, ACTION_FLAGS, 0};

	map(BLOCK_CODE, BLOCK_PAGE, 7);
	map(BLOCK_DATA, BLOCK_READABLE, 3);
	block_fill((Word *)(BLOCK_DATA + BLOCK_WRITABLE), (BLOCK_READABLE - BLOCK_WRITABLE) / 8, 1);
	call(NR_MPROTECT, BLOCK_DATA + BLOCK_WRITABLE, BLOCK_READABLE - BLOCK_WRITABLE, 1, 0, 0, 0);
	call(NR_SIGALTSTACK, (long)alternate, 0, 0, 0, 0, 0);
	for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
		call(NR_SIGACTION, signals[i], (long)action, 0, 8, 0, 0);
	for (;;) {
		long len = 0, got;

		while ((got = call(NR_READ, 0, (long)blocks + len, (long)sizeof blocks - len, 0, 0, 0)) > 0)
			len += got;
		len /= (long)sizeof(Block);
		for (long i = 0; i < len; i++) {
			result = &results[i];
			run(&blocks[i]);
		}
		if (len)
			call(NR_WRITE, 1, (long)results, len * (long)sizeof(BlockResult), 0, 0, 0);
		if (len < BATCH)
			call(NR_EXIT, 0, 0, 0, 0, 0, 0);
	}
}

void *memcpy(void *to, const void *from, unsigned long len)
{
	unsigned char *a = to;
	const unsigned char *b = from;

	while (len--)
		*a++ = *b++;
	return to;
}

void *memset(void *to, int value, unsigned long len)
{
	unsigned char *a = to;

	while (len--)
		*a++ = (unsigned char)value;
	return to;
}
