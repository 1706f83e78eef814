/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "asm/asm.h"
#include "guests/lc3/lc3.h"

static void take_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(&((Rig *)ctx)->output, bytes, len);
}

static void show_diags(const Rig *rig)
{
	Buf text;

	buf_init(&text);
	diag_render(&rig->diags, &text, false);
	print_error("%s", buf_text(&text));
	buf_fini(&text);
}

static u32 slot_of(const Rig *rig, const char *name)
{
	u32 slot;
	u8 width;

	assert_true(isa_find_register(rig->isa, name, strlen(name), false, &slot, &width));
	return slot;
}

Rig *rig_create(const char *options)
{
	Rig *rig = calloc(1, sizeof *rig);
	char *copy = strdup(options), *rest = copy, *word;
	IsaChoice choices[4];
	u32 count = 0;
	MachineConfig config = { .guest = &lc3_guest };

	assert_non_null(rig);
	while ((word = strtok_r(rest, " ", &rest))) {
		char *equals = strchr(word, '=');

		*equals = 0;
		choices[count++] = (IsaChoice){ word, equals + 1 };
	}
	diag_init(&rig->diags);
	rig->isa = isa_load("lc3.isa", lc3_isa_text, strlen(lc3_isa_text), choices, count, &rig->diags);
	free(copy);
	if (!rig->isa || rig->diags.count)
		show_diags(rig);
	assert_non_null(rig->isa);
	config.isa = rig->isa;
	assert_int_equal(machine_create(&config, &rig->machine, &rig->diags), STATUS_OK);
	buf_init(&rig->output);
	machine_set_output(rig->machine, take_output, rig);
	for (u32 i = 0; i < 8; i++)
		rig->r[i] = slot_of(rig, (const char[]){ 'R', (char)('0' + i), 0 });
	rig->pc = slot_of(rig, "pc");
	rig->cc = slot_of(rig, "cc");
	rig->user = slot_of(rig, "user");
	rig->prio = slot_of(rig, "prio");
	rig->ssp = slot_of(rig, "ssp");
	rig->kbsr = slot_of(rig, "kbsr");
	rig->kbdr = slot_of(rig, "kbdr");
	rig->kbint = slot_of(rig, "kbint");
	rig->kbowed = slot_of(rig, "kbowed");
	rig->dsr = slot_of(rig, "dsr");
	rig->drdy = slot_of(rig, "drdy");
	rig->mcr = slot_of(rig, "mcr");
	rig->psr = isa_find_view(rig->isa, "PSR", 3, false);
	return rig;
}

void rig_destroy(Rig *rig)
{
	machine_destroy(rig->machine);
	isa_destroy(rig->isa);
	buf_fini(&rig->output);
	diag_fini(&rig->diags);
	free(rig);
}

u64 rig_get(const Rig *rig, u32 slot)
{
	return machine_slot(rig->machine, slot);
}

u16 rig_psr(Rig *rig)
{
	return (u16)machine_view(rig->machine, rig->psr);
}

u16 rig_word(const Rig *rig, u16 address)
{
	u64 value = 0;

	assert_int_equal(machine_read(rig->machine, 0, address, &value), STATUS_OK);
	return (u16)value;
}

void rig_poke(Rig *rig, u16 address, u16 word)
{
	assert_int_equal(machine_write(rig->machine, 0, address, word), STATUS_OK);
}

void rig_assemble(Rig *rig, const char *dialect, const char *format, const char *text, Buf *out)
{
	Source source = { "test.asm", text, strlen(text) };
	AsmOptions options = { .dialect = dialect ? isa_find_dialect(rig->isa, dialect) : 0 };
	AsmProgram *program = asm_assemble(rig->isa, &source, &options, &rig->diags);
	const GuestFormat *writer = lc3_guest.formats;

	if (!program)
		show_diags(rig);
	assert_non_null(program);
	while (format && strcmp(writer->name, format))
		writer++;
	assert_int_equal(writer->write(program, out, &rig->diags), STATUS_OK);
	asm_program_destroy(program);
}

void rig_load(Rig *rig, const char *text, ...)
{
	Buf objects[4];
	GuestFile files[4];
	u32 count = 0;
	va_list args;

	va_start(args, text);
	for (; text; text = va_arg(args, const char *)) {
		buf_init(&objects[count]);
		rig_assemble(rig, NULL, NULL, text, &objects[count]);
		files[count] = (GuestFile){ .name = "test.obj", .data = objects[count].data, .len = objects[count].len };
		count++;
	}
	va_end(args);
	if (lc3_guest.load(rig->machine, files, count, &rig->diags))
		show_diags(rig);
	assert_int_equal(rig->diags.errors, 0);
	while (count > 0)
		buf_fini(&objects[--count]);
}

MachineStop rig_run(Rig *rig, const char *input)
{
	machine_input(rig->machine, (const u8 *)input, strlen(input));
	machine_input_end(rig->machine);
	return machine_run(rig->machine, 10000000);
}

const char *rig_output(Rig *rig)
{
	return buf_text(&rig->output);
}
