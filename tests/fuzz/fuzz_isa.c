/* SPDX-License-Identifier: MIT
 *
 * Descriptions: any text is refused with messages or gives an Isa that everything else can work with: its manual is
 * written, random instructions of it are taken apart, explained, lifted.
 */
#include "asm/asm.h"
#include "base/rng.h"
#include "fuzz.h"
#include "ir/ir.h"

typedef struct Cells {
	const Isa *isa;
	const u64 *cells;
	u32 count;
} Cells;

static bool fetch(void *ctx, unsigned index, u64 *parcel)
{
	const Cells *cells = ctx;
	unsigned per_parcel = cells->isa->parcel_cells, bits = cells->isa->spaces[cells->isa->code_space].cell_bits;

	*parcel = 0;
	if ((u64)(index + 1) * per_parcel > cells->count)
		return false;
	for (unsigned i = 0; i < per_parcel; i++) {
		bool big = cells->isa->spaces[cells->isa->code_space].big;
		unsigned at = big ? per_parcel - 1 - i : i;

		*parcel |= cells->cells[index * per_parcel + i] << (at * bits);
	}
	return true;
}

static void try_instruction(const Isa *isa, const u64 *cells, u32 count)
{
	Cells source = {isa, cells, count};
	u64 address = 0, *slots = calloc(isa->slot_count + 1, sizeof *slots);
	IsaLift lift = {.isa = isa, .fetch_at = fetch, .ctx = &source, .fetch_address = &address, .slots = slots};
	IsaDecoded decoded;
	IsaLifted lifted;
	Arena arena;
	Buf text;

	if (!slots)
		return;
	arena_init(&arena);
	buf_init(&text);
	isa_decode(isa, fetch, &source, &decoded);
	dis_cells(isa, &(DisOptions){0}, 0, cells, count, &text);
	manual_explain(isa, 0, 0, &decoded, &text);
	if (isa_lift_block(&lift, 0, 1, &arena, &lifted) == STATUS_OK && !ir_verify(lifted.func, &text))
		fuzz_fail(buf_text(&text));
	buf_fini(&text);
	arena_fini(&arena);
	free(slots);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	DiagList diags;
	Isa *isa;

	if (size > 65536)
		return 0;
	diag_init(&diags);
	isa = isa_load("fuzz.isa", (const char *)data, size, NULL, 0, &diags);
	if (!isa && diags.errors == 0)
		fuzz_fail("refused without a message");
	if (isa && diags.errors)
		fuzz_fail("loaded in spite of errors");
	fuzz_render(&diags);
	if (isa) {
		Rng rng = {size};
		Buf text;

		buf_init(&text);
		manual_write(isa, MANUAL_TEXT, &text);
		manual_write(isa, MANUAL_HTML, &text);
		buf_fini(&text);
		for (unsigned i = 0; i < 8; i++) {
			u64 cells[32];
			u32 count = i & 1 ? gen_invalid(isa, &rng, cells) : gen_valid(isa, &rng, cells);

			if (count > 32)
				fuzz_fail("an instruction of more than 32 cells");
			if (count)
				try_instruction(isa, cells, count);
		}
		isa_destroy(isa);
	}
	return 0;
}
