/* SPDX-License-Identifier: MIT */
#include "guests/stackvm/stackvm.h"

#include <string.h>

#include "asm/asm.h"
#include "base/strmap.h"

enum { ORIGIN = 100, HALT = 0x40000000, WORD = 4, DESCRIBED = 16 /* values */ };

/* State of its own. */
typedef struct Private {
	u64 end; /* of what was loaded */
} Private;

static bool name_ends(const GuestFile *file, const char *ending)
{
	size_t len = strlen(file->name), n = strlen(ending);

	return len >= n && ascii_equal_fold(file->name + len - n, n, ending, n);
}

static u32 word_at(const GuestFile *file, size_t index)
{
	const u8 *at = file->data + index * WORD;

	return at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24;
}

/* The format has no mark: words that push or calculate, and a halt at the end. */
static int recognize(const GuestFile *file)
{
	size_t words = file->len / WORD;

	if (!name_ends(file, ".bin") || !words)
		return 0;
	if (name_ends(file, "out.bin"))
		return word_at(file, words - 1) == HALT ? 95 : 65;
	for (size_t i = 0; i < words && i < 64; i++)
		if (word_at(file, i) >= 0x40000005)
			return 0;
	return word_at(file, words - 1) == HALT ? 90 : 5;
}

static Status load(Machine *machine, const GuestFile *files, u32 count, DiagList *diags)
{
	u16 memory = machine_isa(machine)->code_space;
	Private *own = machine_private(machine);

	machine_reset(machine, true);
	for (u32 f = 0; f < count; f++) {
		size_t words = files[f].len / WORD;

		if (words > machine_cells(machine, memory) - ORIGIN) {
			diag_report_file(diags, DIAG_ERROR, files[f].name, NULL, "%zu words do not fit into memory", words);
			return STATUS_TOO_BIG;
		}
		for (size_t i = 0; i < words; i++)
			machine_write(machine, memory, ORIGIN + i, word_at(&files[f], i));
		own->end = ORIGIN + words > own->end ? ORIGIN + words : own->end;
	}
	return STATUS_OK;
}

static Status write_words(const AsmProgram *program, Buf *out, DiagList *diags)
{
	const char *end = isa_option_value(program->isa, "end");

	(void)diags;
	for (u32 s = 0; s < program->segment_count; s++)
		for (u32 i = 0; i < program->segments[s].count; i++)
			buf_u32(out, (u32)program->segments[s].cells[i]);
	if (!end || strcmp(end, "halt") == 0)
		buf_u32(out, HALT);
	return out->failed ? STATUS_NOMEM : STATUS_OK;
}

/* husk dis: the halt at the end is the assembler's, not the text's. */
static u32 source_item(Machine *machine, u64 address, const char *label, bool *as_code, bool *lossy, Buf *out)
{
	const char *end = isa_option_value(machine_isa(machine), "end");
	const Private *own = machine_private(machine);
	u64 word = 0;

	(void)label, (void)as_code;
	if (address + 1 != own->end || (end && strcmp(end, "halt") != 0))
		return 0;
	machine_read(machine, machine_isa(machine)->code_space, address, &word);
	*lossy |= word != HALT;
	if (word != HALT)
		return 0;
	buf_str(out, "          // halt: the assembler adds it\n");
	return 1;
}

/* The debugger's line: the stack, of a deep one the top. */
static void describe(const Machine *machine, Buf *out)
{
	const Isa *isa = machine_isa(machine);
	i32 sp;
	u32 slot;
	u8 width;
	u64 value;

	if (!isa_find_register(isa, "sp", 2, false, &slot, &width))
		return;
	sp = (i32)machine_slot(machine, slot);
	buf_str(out, sp > DESCRIBED ? "stack=[ .." : "stack=[");
	for (i32 i = sp > DESCRIBED ? sp - DESCRIBED + 1 : 1; i <= sp; i++) {
		if (machine_read(machine, isa->code_space, (u64)i, &value))
			break;
		buf_printf(out, " %d", (i32)value);
	}
	buf_str(out, " ]");
}

static const GuestFormat formats[] = {
	{"bin", ".bin", write_words},
	{NULL, NULL, NULL},
};

static const char *const extensions[] = {".sasm", NULL};

const Guest stackvm_guest = {
	.name = "stackvm",
	.isa_name = "STACKVM",
	.recognize = recognize,
	.load = load,
	.formats = formats,
	.isa_text = stackvm_isa_text,
	.isa_frozen = stackvm_isa_frozen,
	.asm_extensions = extensions,
	.private_size = sizeof(Private),
	.source_item = source_item,
	.describe = describe,
};
