/* SPDX-License-Identifier: MIT
 *
 * The yardstick of `make bench`: an LC-3 as people write it by hand in an afternoon. A switch over the four opcode
 * bits, registers and memory in global arrays, one function for every memory read (because of the keyboard
 * register), condition codes computed at every write, traps done by the host. No checks, no instruction count.
 *
 * usage: lc3_plain IMAGE      (big-endian words: origin, then cells; the `classic` object format)
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { NEG = 4, ZERO = 2, POS = 1 };
enum { KBSR = 0xFE00, KBDR = 0xFE02 };

static uint16_t memory[65536];
static uint16_t reg[8], cond = ZERO;

static uint16_t extend(uint16_t value, int bits)
{
	return (uint16_t)((int16_t)(value << (16 - bits)) >> (16 - bits));
}

static void set(uint16_t r, uint16_t value)
{
	reg[r] = value;
	if (value == 0)
		cond = ZERO;
	else if (value >> 15)
		cond = NEG;
	else
		cond = POS;
}

static void look_for_key(void)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};

	memory[KBSR] = 0;
	if (poll(&in, 1, 0) > 0) {
		memory[KBSR] = 0x8000;
		memory[KBDR] = (uint16_t)getchar();
	}
}

static uint16_t load(uint16_t address)
{
	if (address == KBSR)
		look_for_key();
	return memory[address];
}

static void store(uint16_t address, uint16_t value)
{
	memory[address] = value;
}

/* The address that the nine low bits mean. */
static uint16_t near(uint16_t pc, uint16_t instr)
{
	return pc + extend(instr & 0x1FF, 9);
}

/* False: HALT. */
static int trap(uint16_t vector)
{
	uint16_t *at;

	switch (vector) {
	case 0x20:
		set(0, (uint16_t)getchar());
		break;
	case 0x21:
		putchar(reg[0] & 0xFF);
		break;
	case 0x22:
		for (at = memory + reg[0]; *at; at++)
			putchar(*at & 0xFF);
		break;
	case 0x23:
		printf("Enter a character: ");
		set(0, (uint16_t)getchar());
		putchar(reg[0] & 0xFF);
		break;
	case 0x24:
		for (at = memory + reg[0]; *at; at++) {
			putchar(*at & 0xFF);
			if (*at >> 8)
				putchar(*at >> 8);
		}
		break;
	case 0x25:
		puts("HALT");
		return 0;
	}
	fflush(stdout);
	return 1;
}

static void run(void)
{
	uint16_t pc = 0x3000;

	for (;;) {
		uint16_t instr = load(pc++);
		uint16_t dr = instr >> 9 & 7, sr = instr >> 6 & 7;

		switch (instr >> 12) {
		case 0x0: /* BR */
			if (dr & cond)
				pc = near(pc, instr);
			break;
		case 0x1: /* ADD */
			if (instr & 0x20)
				set(dr, reg[sr] + extend(instr & 0x1F, 5));
			else
				set(dr, reg[sr] + reg[instr & 7]);
			break;
		case 0x2: /* LD */
			set(dr, load(near(pc, instr)));
			break;
		case 0x3: /* ST */
			store(near(pc, instr), reg[dr]);
			break;
		case 0x4: { /* JSR, JSRR */
			uint16_t target = instr & 0x800 ? (uint16_t)(pc + extend(instr & 0x7FF, 11)) : reg[sr];

			reg[7] = pc;
			pc = target;
			break;
		}
		case 0x5: /* AND */
			if (instr & 0x20)
				set(dr, reg[sr] & extend(instr & 0x1F, 5));
			else
				set(dr, reg[sr] & reg[instr & 7]);
			break;
		case 0x6: /* LDR */
			set(dr, load(reg[sr] + extend(instr & 0x3F, 6)));
			break;
		case 0x7: /* STR */
			store(reg[sr] + extend(instr & 0x3F, 6), reg[dr]);
			break;
		case 0x9: /* NOT */
			set(dr, ~reg[sr]);
			break;
		case 0xA: /* LDI */
			set(dr, load(load(near(pc, instr))));
			break;
		case 0xB: /* STI */
			store(load(near(pc, instr)), reg[dr]);
			break;
		case 0xC: /* JMP */
			pc = reg[sr];
			break;
		case 0xE: /* LEA */
			set(dr, near(pc, instr));
			break;
		case 0xF: /* TRAP */
			reg[7] = pc;
			if (!trap(instr & 0xFF))
				return;
			break;
		default: /* RTI, reserved */
			abort();
		}
	}
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
	int high, low, at = -1;

	if (!file) {
		fprintf(stderr, "usage: lc3_plain IMAGE\n");
		return 2;
	}
	while ((high = getc(file)) != EOF && (low = getc(file)) != EOF) {
		uint16_t word = (uint16_t)(high << 8 | low);

		if (at < 0)
			at = word;
		else if (at < 65536)
			memory[at++] = word;
	}
	fclose(file);
	run();
	return 0;
}
