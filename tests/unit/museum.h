/* SPDX-License-Identifier: MIT
 *
 * What the tests of the machines in examples/isa share: load a description, assemble a program, run it, look.
 * Paths are relative to the top of the tree, where the tests run. Every failure here fails the calling test.
 */
#ifndef TESTS_UNIT_MUSEUM_H
#define TESTS_UNIT_MUSEUM_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "asm/asm.h"
#include "base/buf.h"
#include "base/diag.h"
#include "isa/isa.h"
#include "machine/machine.h"

typedef struct Museum {
	Isa *isa;
	Machine *machine;
	Buf output; /* what the guest wrote */
} Museum;

/* The whole file, NUL-terminated behind its bytes; NULL when it can't be read. */
static inline char *museum_read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	Buf buf;
	char chunk[4096];
	size_t got;

	if (!file)
		return NULL;
	buf_init(&buf);
	buf_str(&buf, "");
	while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&buf, chunk, got);
	fclose(file);
	*len = buf.len;
	buf_byte(&buf, 0);
	return (char *)buf.data;
}

static inline void museum_fail(const DiagList *diags, const char *what)
{
	Buf text;

	buf_init(&text);
	diag_render(diags, &text, false);
	fail_msg("%s\n%s", what, buf_text(&text));
}

static inline Isa *museum_load(const char *path, const IsaChoice *choices, u32 choice_count)
{
	DiagList diags;
	size_t len = 0;
	char *text = museum_read_file(path, &len);
	Isa *isa;

	if (!text)
		fail_msg("can't read %s", path);
	diag_init(&diags);
	isa = isa_load(path, text, len, choices, choice_count, &diags);
	if (!isa || diags.errors || diags.warnings)
		museum_fail(&diags, path);
	diag_fini(&diags);
	free(text);
	return isa;
}

static inline void museum_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
}

static inline void museum_open(Museum *museum, const char *path, const IsaChoice *choices, u32 choice_count)
{
	DiagList diags;
	MachineConfig config = {.random_seed = 1};

	buf_init(&museum->output);
	museum->isa = museum_load(path, choices, choice_count);
	config.isa = museum->isa;
	diag_init(&diags);
	if (machine_create(&config, &museum->machine, &diags) != STATUS_OK)
		museum_fail(&diags, "machine_create");
	diag_fini(&diags);
	machine_set_output(museum->machine, museum_output, &museum->output);
	machine_reset(museum->machine, false);
}

static inline void museum_close(Museum *museum)
{
	machine_destroy(museum->machine);
	isa_destroy(museum->isa);
	buf_fini(&museum->output);
}

static inline u32 museum_slot(const Museum *museum, const char *name)
{
	u32 slot;
	u8 width;

	if (!isa_find_register(museum->isa, name, strlen(name), false, &slot, &width))
		fail_msg("no register %s", name);
	return slot;
}

static inline u64 museum_get(const Museum *museum, const char *name)
{
	return machine_slot(museum->machine, museum_slot(museum, name));
}

static inline void museum_set(Museum *museum, const char *name, u64 value)
{
	machine_set_slot(museum->machine, museum_slot(museum, name), value);
}

static inline u64 museum_peek(const Museum *museum, u64 address)
{
	u64 value = 0;

	assert_int_equal(machine_read(museum->machine, museum->isa->code_space, address, &value), STATUS_OK);
	return value;
}

static inline void museum_poke(Museum *museum, u64 address, u64 value)
{
	assert_int_equal(machine_write(museum->machine, museum->isa->code_space, address, value), STATUS_OK);
}

/* Puts the assembled program into memory, resets the processor with memory kept, and starts at its entry. */
static inline void museum_assemble(Museum *museum, const char *name, const char *text, size_t len)
{
	Source source = {.name = name, .text = text, .len = len};
	AsmOptions options = {0};
	DiagList diags;
	AsmProgram *program;

	diag_init(&diags);
	program = asm_assemble(museum->isa, &source, &options, &diags);
	if (!program || diags.errors || diags.warnings)
		museum_fail(&diags, name);
	machine_reset(museum->machine, false);
	for (u32 i = 0; i < program->segment_count; i++) {
		const AsmSegment *segment = &program->segments[i];

		for (u32 k = 0; k < segment->count; k++)
			assert_int_equal(machine_write(museum->machine, segment->space, segment->origin + k,
						       segment->cells[k]), STATUS_OK);
	}
	machine_set_pc(museum->machine, program->entry);
	asm_program_destroy(program);
	diag_fini(&diags);
}

static inline void museum_assemble_file(Museum *museum, const char *path)
{
	size_t len = 0;
	char *text = museum_read_file(path, &len);

	if (!text)
		fail_msg("can't read %s", path);
	museum_assemble(museum, path, text, len);
	free(text);
}

/* As machine_run, but goes on behind the frames of a display. */
static inline MachineStop museum_run(Museum *museum, u64 insns)
{
	u64 end = machine_icount(museum->machine) + insns;
	MachineStop stop;

	do
		stop = machine_run(museum->machine, end - machine_icount(museum->machine));
	while (stop.kind == STOP_FRAME);
	return stop;
}

static inline void museum_expect_output(const Museum *museum, const char *expected)
{
	assert_string_equal(buf_text(&museum->output), expected);
}

#endif
