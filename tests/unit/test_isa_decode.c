/* SPDX-License-Identifier: MIT
 * isa: the short ways of decoding give what the long ones give: a word that is there at once, a field that is one run of bits, code
 * that lies in bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the three above first */
#include <cmocka.h>

#include "base/rng.h"
#include "guests/guests.h"
#include "ir/ir.h"

enum { WORDS = 60000, CODE = 512, BLOCKS = 3000 };

typedef struct Word {
	u64 word;
	u32 bits; /* of a parcel */
} Word;

static bool fetch_part(void *ctx, unsigned index, u64 *parcel)
{
	const Word *from = ctx;

	*parcel = from->word >> index * from->bits & (from->bits == 64 ? ~(u64)0 : ((u64)1 << from->bits) - 1);
	return true;
}

static Isa *open_isa(const Guest *guest)
{
	DiagList diags;
	Isa *isa;

	if (!guest->isa_text)
		return NULL;
	diag_init(&diags);
	isa = guests_load_isa(guest, guest->name, NULL, 0, &diags);
	assert_non_null(isa);
	diag_fini(&diags);
	return isa;
}

/* Half of them are instructions, with a bit that is another now and then. */
static u64 draw(const Isa *isa, Rng *rng)
{
	const IsaInsn *insn = &isa->insns[rng_below(rng, isa->insn_count)];
	u64 word = rng_next(rng);

	if (rng_below(rng, 2))
		word = (word & ~insn->mask[0]) | insn->match[0];
	return rng_below(rng, 4) ? word : word ^ (u64)1 << rng_below(rng, 64);
}

static void test_words(void **state)
{
	u32 isas = 0, found = 0, missed = 0;

	(void)state;
	for (const Guest *const *guest = guests_all; *guest; guest++) {
		Isa *isa = open_isa(*guest);
		Rng rng = {11};

		if (!isa || isa->max_bits > 64) {
			isa_destroy(isa);
			continue;
		}
		isas++;
		for (u32 i = 0; i < WORDS; i++) {
			Word from = {draw(isa, &rng), isa->parcel_bits};
			IsaDecoded one, other;

			isa_decode(isa, fetch_part, &from, &one);
			isa_decode_word(isa, from.word, &other);
			assert_ptr_equal(one.insn, other.insn);
			assert_int_equal(one.cells, other.cells);
			assert_int_equal(one.looked, other.looked);
			assert_int_equal(one.fetch_failed, other.fetch_failed);
			assert_memory_equal(one.w, other.w, sizeof one.w);
			found += one.insn != NULL;
			missed += one.insn == NULL;
			for (u32 f = 0; one.insn && f < one.insn->field_count; f++)
				assert_int_equal(isa_field_value(isa, &one, f), isa_field_of_slices(isa, &one, f));
		}
		isa_destroy(isa);
	}
	assert_true(isas >= 5 && found > WORDS && missed > 1000);
}

typedef struct Bytes {
	u8 bytes[CODE];
	u64 at;     /* the lifter's */
	u32 shown;  /* bytes that code_at shows at once */
} Bytes;

static bool fetch_bytes(void *ctx, unsigned index, u64 *parcel)
{
	const Bytes *code = ctx;
	const u64 at = code->at + index * 2;

	if (at + 2 > CODE)
		return false;
	*parcel = code->bytes[at] | (u64)code->bytes[at + 1] << 8;
	return true;
}

static const u8 *show_bytes(void *ctx, u64 pc, u32 *cells)
{
	const Bytes *code = ctx;

	if (pc >= CODE)
		return NULL;
	*cells = CODE - pc < code->shown ? (u32)(CODE - pc) : code->shown;
	return code->bytes + pc;
}

static void lift(const Isa *isa, Bytes *code, bool shown, u64 pc, const u64 *slots, Buf *out, IsaLifted *lifted)
{
	IsaLift how = {.isa = isa, .fetch_at = fetch_bytes, .ctx = code, .fetch_address = &code->at, .slots = slots,
		       .code_at = shown ? show_bytes : NULL};
	Arena arena;

	arena_init(&arena);
	assert_int_equal(isa_lift_block(&how, pc, 24, &arena, lifted), STATUS_OK);
	ir_print(lifted->func, isa_slot_name_ctx, isa, out);
	assert_true(ir_verify(lifted->func, out));
	lifted->func = NULL;
	arena_fini(&arena);
}

/* Blocks of code of 16-bit parcels, shown and fetched. */
static void test_blocks(void **state)
{
	u32 isas = 0, insns = 0;

	(void)state;
	for (const Guest *const *guest = guests_all; *guest; guest++) {
		Isa *isa = open_isa(*guest);
		u64 *slots = isa ? calloc(isa->slot_count, sizeof *slots) : NULL;
		Rng rng = {5};
		Bytes code;

		if (isa && isa->parcel_bits == 16 && isa->parcel_cells == 2) {
			isas++;
			for (u32 i = 0; i < BLOCKS; i++) {
				const u64 pc = rng_below(&rng, CODE / 2) * 2;
				IsaLifted one, other;
				Buf a, b;

				for (u32 at = 0; at < CODE; at += 2u << rng_below(&rng, 2)) {
					const u64 word = draw(isa, &rng);

					memcpy(code.bytes + at, &word, CODE - at < 4 ? CODE - at : 4);
				}
				code.shown = 2 + (u32)rng_below(&rng, 60);
				buf_init(&a);
				buf_init(&b);
				lift(isa, &code, false, pc, slots, &a, &one);
				lift(isa, &code, true, pc, slots, &b, &other);
				assert_string_equal(buf_text(&a), buf_text(&b));
				assert_memory_equal(&one, &other, sizeof one);
				insns += one.insns;
				buf_fini(&a);
				buf_fini(&b);
			}
		}
		free(slots);
		isa_destroy(isa);
	}
	assert_true(isas >= 1 && insns > 2 * BLOCKS);
}

static u64 return_bits(const char *insns)
{
	char text[512];
	DiagList diags;
	Isa *isa;
	u64 bits;

	snprintf(text, sizeof text, "isa R\nspace M : 8 x 65536\ncode M\nreg pc : 16\nreg a : 16\ninsn N \"0'8\" { }\n%s", insns);
	diag_init(&diags);
	isa = isa_load("r.isa", text, strlen(text), NULL, 0, &diags);
	assert_non_null(isa);
	bits = isa->return_bits;
	isa_destroy(isa);
	diag_fini(&diags);
	return bits;
}

/* Which bits a pc may have that is returned to: any, where not all that a description says is understood. */
static void test_return_bits(void **state)
{
	static const u64 any = ~(u64)0;

	(void)state;
	assert_int_equal(return_bits(""), any);
	assert_int_equal(return_bits("insn A \"1'8\" { ret a }\n"), any);
	assert_int_equal(return_bits("insn A \"1'8\" { jump a & 0xFF }\n"), any);
	assert_int_equal(return_bits("insn A \"1'8\" { let t = a & 0xFFF0; ret t }\ninsn B \"2'8\" { ret a & 0xFF00 }\n"), 0xFFF0);
	assert_int_equal(return_bits("insn A \"1'8\" { let t = a & 0xFFF0; if (a == 1) jump t else ret t & 0x0FFF }\n"), 0x0FF0);
	assert_int_equal(return_bits("insn A \"1'8\" { let t = a & 0xFFF0; ret t }\ninsn B \"2'8\" { ret a }\n"), any);
	assert_int_equal(return_bits("insn A \"1'8\" { let t = a & 0xFFF0; if (a == 1) t = a; ret t }\n"), any);
	assert_int_equal(return_bits("insn A \"1'8\" { let t = a & 0xFFF0; t[0] = 1; ret t }\n"), any);
	assert_int_equal(return_bits("insn A \"1'8\" { let t = a & 0xFFF0; swap(t, a); ret t }\n"), any);
	assert_int_equal(return_bits("func back(t:16) { ret t }\ninsn A \"1'8\" { back(a & 0xFFF0) }\n"), any);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_return_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
