/* SPDX-License-Identifier: MIT
 *
 * The assembler on other machines: RISC-V (several lengths, offsets in slices, pseudo-instructions), the 6502 (modes
 * told apart by punctuation and by size), Iridium (blanks, prefixes) and SVM.
 */
#include "asm_testing.h"

#include "base/bits.h"
#include "base/rng.h"

static const AsmOptions plain = {.dialect = 0};

/* ---- RISC-V ---- */

#define LE16(h) (h) & 255, (h) >> 8 & 255
#define LE32(w) (w) & 255, (w) >> 8 & 255, (w) >> 16 & 255, (w) >> 24 & 255

static void riscv_words(void **state)
{
	Isa *isa = test_isa_file("tests/isa/rv64gc.isa", NULL, NULL);

	(void)state;
	/* Words as binutils gives them. */
	WORDS(isa, &plain, " addi a0, a1, -1\n add s0, fp, t6\n lui a0, 0x12345000\n lw a5, -20(s0)\n sd ra, 8(sp)\n",
	      LE32(0xFFF58513u), LE32(0x01F40433u), LE32(0x12345537u), LE32(0xFEC42783u), LE32(0x00113423u));
	WORDS(isa, &plain, "x: nop\n beq a0, a1, x\n bne a0, zero, y\n jal ra, x\ny: ret\n", LE32(0x00000013u),
	      LE32(0xFEB50EE3u), LE32(0x00051463u), LE32(0xFF5FF0EFu), LE32(0x00008067u));
	WORDS(isa, &plain, " fadd.d fa0, fa1, fa2\n fadd.d fa0, fa1, fa2, rtz\n", LE32(0x02C5F553u), LE32(0x02C59553u));
	WORDS(isa, &plain, " c.addi a0, -1\n c.li a0, 5\n c.addi16sp sp, -32\n c.lw a5, 4(a0)\n c.mv a0, a1\n c.ebreak\n",
	      LE16(0x157D), LE16(0x4515), LE16(0x713D), LE16(0x415C), LE16(0x852E), LE16(0x9002));
	test_refuses(isa, &plain, " c.addi zero, 1\n", "c.addi does not exist with these operands");
	test_refuses(isa, &plain, " c.lw t0, 4(a0)\n", "'t0' is not a register (s0..a5)");
	test_refuses(isa, &plain, " c.lw a0, 2(a0)\n", "2 must be a multiple of 4");
	test_refuses(isa, &plain, " beq a0, a1, 3\n", "which must be a multiple of 2");
	test_refuses(isa, &plain, " beq a0, a1, x\n .space 4096\nx: nop\n",
		     "label 'x' is 4100 bytes away; beq reaches -4096..4094");
	test_refuses(isa, &plain, " lui a0, 0x123\n", "291 must be a multiple of 4096");
	isa_destroy(isa);
}

/* Does what the instructions that `li` makes do. */
static u64 evaluate(const Isa *isa, const u64 *cells, u32 count)
{
	DisOptions options = {.dialect = 0, .no_alias = true};
	u64 a0 = 0;

	for (u32 at = 0; at < count; at += 4) {
		u64 word = cells[at] | cells[at + 1] << 8 | cells[at + 2] << 16 | cells[at + 3] << 24;
		Buf buf;

		buf_init(&buf);
		dis_cells(isa, &options, at, cells + at, count - at, &buf);
		if (!strncmp(buf_text(&buf), "lui a0, ", 8))
			a0 = (u64)bits_signed(word & 0xFFFFF000u, 32);
		else if (!strncmp(buf_text(&buf), "addi a0, zero, ", 15))
			a0 = (u64)bits_signed(word >> 20, 12);
		else if (!strncmp(buf_text(&buf), "addi a0, a0, ", 13))
			a0 += (u64)bits_signed(word >> 20, 12);
		else if (!strncmp(buf_text(&buf), "addiw a0, a0, ", 14))
			a0 = (u64)bits_signed((a0 + (u64)bits_signed(word >> 20, 12)) & 0xFFFFFFFFu, 32);
		else if (!strcmp(buf_text(&buf), "slli a0, a0, 12"))
			a0 <<= 12;
		else
			fail_msg("li made: %s", buf_text(&buf));
		buf_fini(&buf);
	}
	return a0;
}

static void riscv_li(void **state)
{
	static const u64 edges[] = {0, 1, 2047, 2048, 0x7FF, 0x800, 0xFFF, 0x1000, 0x7FFFF7FF, 0x7FFFF800, 0x7FFFFFFF, 0x80000000,
				    0x80000800, 0xFFFFFFFF, 0x100000000, 0x100000800, 0x7FFFFFFFFFFFF7FF, 0x7FFFFFFFFFFFF800,
				    0x7FFFFFFFFFFFFFFF};
	Isa *isa = test_isa_file("tests/isa/rv64gc.isa", NULL, NULL);
	Rng rng = {.state = 5};

	(void)state;
	for (u32 i = 0; i < 600; i++) {
		u64 v = i < 2 * COUNT_OF(edges) ? edges[i / 2] * (i % 2 ? (u64)-1 : 1) : rng_next(&rng) >> rng_below(&rng, 64);
		char text[64], *messages;
		AsmProgram *program;

		sprintf(text, " li a0, %lld\n", (long long)v);
		program = test_assemble(isa, &plain, text, strlen(text), &messages);
		assert_string_equal(messages, "");
		if (evaluate(isa, program->segments[0].cells, program->segments[0].count) != v)
			fail_msg("%s gives 0x%llx", text,
				 (unsigned long long)evaluate(isa, program->segments[0].cells, program->segments[0].count));
		asm_program_destroy(program);
		free(messages);
	}
	isa_destroy(isa);
}

static void riscv_pcrel(void **state)
{
	Isa *isa = test_isa_file("tests/isa/rv64gc.isa", NULL, NULL);

	(void)state;
	/* auipc a0, 0; addi a0, a0, 12 / auipc ra, 1; jalr ra, -2048+4(ra): counted from the auipc. */
	WORDS(isa, &plain, " la a0, x\n nop\nx: nop\n", LE32(0x00000517u), LE32(0x00C50513u), LE32(0x13u), LE32(0x13u));
	WORDS(isa, &plain, " nop\n call x\n .equ x, 0x804\n", LE32(0x13u), LE32(0x00001097u), LE32(0x800080E7u));
	/* A label behind it moves as the expansion grows. */
	WORDS(isa, &plain, " li a0, x\n .org 0x1000\nx: nop\n", LE32(0x00001537u), LE32(0x0005051Bu), LE32(0x13u));
	isa_destroy(isa);
}

/* ---- 6502 ---- */

static void modes_6502(void **state)
{
	Isa *isa = test_isa_file("examples/isa/6502.isa", NULL, NULL);

	(void)state;
	WORDS(isa, &plain, " LDA #$12\n LDA $12\n LDA $1234\n LDA $12,X\n LDA $1234,X\n LDA $1234,Y\n LDA ($12,X)\n LDA ($12),Y\n",
	      0xA9, 0x12, 0xA5, 0x12, 0xAD, 0x34, 0x12, 0xB5, 0x12, 0xBD, 0x34, 0x12, 0xB9, 0x34, 0x12, 0xA1, 0x12, 0xB1, 0x12);
	/* LDA zp,Y does not exist, so it is absolute; parentheses are the indirect mode's, never an expression's. */
	WORDS(isa, &plain, " LDA $12,Y\n LDX $12,Y\n JMP $1234\n JMP ($1234)\n ASL A\n ASL $12\n lda #<$1234\n lda #>$1234\n", 0xB9,
	      0x12, 0, 0xB6, 0x12, 0x4C, 0x34, 0x12, 0x6C, 0x34, 0x12, 0x0A, 0x06, 0x12, 0xA9, 0x34, 0xA9, 0x12);
	WORDS(isa, &plain, "zp: .byte 0\n .org $200\nl: LDA zp\n STA l\n BNE l\n LDA zp+1,X\n", 0, 0xA5, 0, 0x8D, 0, 2, 0xD0, 0xF9,
	      0xB5, 1);
	isa_destroy(isa);
}

/* ---- Iridium, SVM ---- */

static void iridium(void **state)
{
	Isa *isa = test_isa_file("tests/isa/iridium.isa", NULL, NULL);

	(void)state;
	WORDS(isa, &plain, ".code\nload $0 #5\ncall @dbl\nload $2 #9\nhlt\ndbl: add $0 $0 $1 ; twice\nret\n", 0, 0, 0, 5, 0x2E, 0,
	      0x54, 0, 0, 2, 0, 9, 5, 0, 0, 0, 1, 0, 0, 1, 0x2F, 0, 0, 0);
	test_refuses(isa, &plain, ".code\nload $32 #5\n", "'$32' is not a register ($0..$31)");
	test_refuses(isa, &plain, ".code\nload $1, #5\n", "operands are separated by blanks here, not by commas");
	test_refuses(isa, &plain, ".code\nload $1 5\n", "'5' is no number");
	isa_destroy(isa);
}

static void svm(void **state)
{
	Isa *isa = test_isa_file("tests/isa/svm.isa", NULL, NULL);

	(void)state;
	WORDS(isa, &plain, "a: iconst 9\n iconst 4294967295\n br b\n brt a\nb: halt\n", 9, 9, 9, 0xFFFFFFFF, 6, 8, 7, 0, 18);
	isa_destroy(isa);
}

/* Instructions of 64 cells each: 16 of them are all that one line may make. */
static void long_expansion(void **state)
{
	static const char text[] =
		"isa Wide \"long instructions\"\nspace m : 4 x 0x10000, big\ncode m\nreg r[4] : 16\nreg pc : 16\n"
		"field d : r\nfield u : unsigned\n"
		"insn wide \"1111 d:4 u:56 0'64 0'64 0'64\"  d, u { d = u[15:0] }\n"
		"pseudo four d = { wide d, 1; wide d, 2; wide d, 3; wide d, 4 }\n"
		"pseudo sixteen d = { four d; four d; four d; four d }\n"
		"pseudo more d = { sixteen d; wide d, 5 }\n";
	Isa *isa = test_isa_text("wide.isa", text, NULL, NULL);
	char *messages;
	AsmProgram *program = test_assemble(isa, &plain, " sixteen r1\n", 12, &messages);

	(void)state;
	assert_string_equal(messages, "");
	assert_int_equal(program->segments[0].count, 1024);
	asm_program_destroy(program);
	free(messages);
	test_refuses(isa, &plain, " more r1\n", "in what 'more' stands for: this makes more than 1024 cells");
	test_refuses(isa, &plain, " sixteen R1\n", "hint: did you mean 'r1'?");
	isa_destroy(isa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(riscv_words), cmocka_unit_test(riscv_li), cmocka_unit_test(riscv_pcrel),
		cmocka_unit_test(modes_6502),  cmocka_unit_test(iridium),  cmocka_unit_test(svm),
		cmocka_unit_test(long_expansion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
