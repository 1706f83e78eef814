/* SPDX-License-Identifier: MIT
 *
 * Random blocks of RV64 code that two emulators run, and what is compared. Shared by runner.c (a riscv64 program) and
 * test_rv64_random.c; both are little-endian, so the structs are written to files as they are.
 *
 *     BLOCK_CODE  one page, rwx: the block, then c.ebreak to its end
 *     BLOCK_DATA  two pages rw, one page r; nothing in front of it and nothing behind
 *
 * A block begins with all registers as given, but t6, which is BLOCK_CODE. An instruction that traps is noted and passed
 * over; the block ends with a trap outside of its own code, or when there were BLOCK_TRAPS of them.
 */
#ifndef RV64_BLOCKS_H
#define RV64_BLOCKS_H

typedef unsigned long long Word; /* 64 bits on both sides */

#define BLOCK_CODE 0x2000000ull
#define BLOCK_DATA 0x2010000ull

enum { BLOCK_PAGE = 4096, BLOCK_BYTES = 256, BLOCK_TRAPS = 24, BLOCK_WRITABLE = 2 * BLOCK_PAGE, BLOCK_READABLE = 3 * BLOCK_PAGE };

typedef struct BlockState {
	Word x[32]; /* x[0] is the pc */
	Word f[32];
	Word fcsr;
} BlockState;

typedef struct Block {
	BlockState start;
	Word seed; /* of the data */
	unsigned len, pad;
	unsigned char code[BLOCK_BYTES];
} Block;

typedef struct BlockResult {
	BlockState end;
	Word memory;  /* hash of the writable data and of the code */
	unsigned trap_count, pad;
	struct {
		Word pc, address, signal; /* the address of a SIGBUS is not compared */
	} traps[BLOCK_TRAPS];
} BlockResult;

static inline Word block_hash(Word hash, Word value)
{
	hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
	return hash ^ hash >> 29;
}

static inline Word block_random(Word *state)
{
	Word z = *state += 0x9E3779B97F4A7C15ull;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ z >> 27) * 0x94D049BB133111EBull;
	return z ^ z >> 31;
}

/* A register's or a cell's value: edges of integers and of floats, boxed singles, anything. */
static inline Word block_value(Word *state)
{
	static const Word edges[] = {
		0, 1, ~0ull, 0x8000000000000000ull, 0x7FFFFFFFFFFFFFFFull, 0x80000000ull, 0x7FFFFFFFull, 0xFFFFFFFF80000000ull,
		0x7FF0000000000000ull, 0xFFF0000000000000ull, 0x7FF8000000000000ull, 0x7FF0000000000001ull, 0x3FF0000000000000ull,
		0xBFF0000000000000ull, 0x0010000000000000ull, 0x000FFFFFFFFFFFFFull, 0x7FEFFFFFFFFFFFFFull, 0x43E0000000000000ull,
		0x41DFFFFFFFC00000ull, 0xC1E0000000000000ull, 0xFFFFFFFF7F800000ull, 0xFFFFFFFFFF800000ull, 0xFFFFFFFF7FC00000ull,
		0xFFFFFFFF7F800001ull, 0xFFFFFFFF3F800000ull, 0xFFFFFFFFBF800000ull, 0xFFFFFFFF00800000ull, 0xFFFFFFFF007FFFFFull,
		0xFFFFFFFF7F7FFFFFull, 0xFFFFFFFF4F000000ull, 0xFFFFFFFF80000000ull, 0xFFFFFFFF5F000000ull,
	};
	Word a = block_random(state), b = block_random(state);

	switch (a & 7) {
	case 0: case 1: return edges[a >> 8 & 31];
	case 2: return a >> 8 & 0xFF;
	case 3: return 0xFFFFFFFF00000000ull | b >> 32;
	case 4: return (b & 0x800FFFFFFFFFFFFFull) | ((a >> 8 & 0x3F) + 0x3E0) << 52; /* a number near 1 */
	case 5: return 0xFFFFFFFF00000000ull | (b & 0x807FFFFFu) | ((a >> 8 & 0x1F) + 0x70) << 23;
	default: return b;
	}
}

static inline void block_fill(Word *cells, unsigned count, Word seed)
{
	for (unsigned i = 0; i < count; i++)
		cells[i] = block_value(&seed);
}

static inline Word block_hash_cells(Word hash, const Word *cells, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		hash = block_hash(hash, cells[i]);
	return hash;
}

#endif
