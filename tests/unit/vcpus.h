/* SPDX-License-Identifier: MIT
 *
 * A machine of tests/isa/vcpus.isa with a program in it.
 */
#ifndef TESTS_VCPUS_H
#define TESTS_VCPUS_H

#include "unit/asm_testing.h"

#include "asm/asm.h"
#include "machine/vcpus.h"

typedef struct Rig {
	Isa *isa;
	AsmProgram *program;
	Machine *machine;
	Buf output;
} Rig;

static void rig_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(&((Rig *)ctx)->output, bytes, len);
}

/* Another machine like it. */
static inline Machine *rig_machine(const Isa *isa, const AsmProgram *program, const MachineConfig *like)
{
	MachineConfig config = *like;
	Machine *machine = NULL;
	DiagList diags;

	diag_init(&diags);
	config.isa = isa;
	assert_int_equal(machine_create(&config, &machine, &diags), STATUS_OK);
	for (u32 i = 0; i < program->segment_count; i++)
		for (u32 k = 0; k < program->segments[i].count; k++)
			assert_int_equal(machine_write(machine, 0, program->segments[i].origin + k,
						       program->segments[i].cells[k]), STATUS_OK);
	machine_reset(machine, true);
	diag_fini(&diags);
	return machine;
}

static inline void rig_open(Rig *rig, const char *text, const MachineConfig *config)
{
	Source source = { "rig.asm", text, strlen(text) };
	AsmOptions options = { 0 };
	DiagList diags;

	*rig = (Rig){ .isa = test_isa_file("tests/isa/vcpus.isa", NULL, NULL) };
	buf_init(&rig->output);
	diag_init(&diags);
	rig->program = asm_assemble(rig->isa, &source, &options, &diags);
	if (!rig->program || diags.count) {
		Buf said;

		buf_init(&said);
		diag_render(&diags, &said, false);
		fail_msg("%s", buf_text(&said));
	}
	diag_fini(&diags);
	rig->machine = rig_machine(rig->isa, rig->program, config);
	machine_set_output(rig->machine, rig_output, rig);
}

static inline void rig_close(Rig *rig)
{
	machine_destroy(rig->machine);
	asm_program_destroy(rig->program);
	isa_destroy(rig->isa);
	buf_fini(&rig->output);
}

static inline u32 rig_slot(const Rig *rig, const char *name)
{
	u32 slot = 0;
	u8 width;

	assert_true(isa_find_register(rig->isa, name, strlen(name), false, &slot, &width));
	return slot;
}

static inline u64 rig_reg(const Rig *rig, const char *name)
{
	return machine_slot(rig->machine, rig_slot(rig, name));
}

static inline u64 rig_cell(const Rig *rig, u64 address)
{
	u64 value = 0;

	assert_int_equal(machine_read(rig->machine, 0, address, &value), STATUS_OK);
	return value;
}

static inline u64 hash_of(const Machine *machine)
{
	Buf bytes;
	u64 hash = 1469598103934665603u;

	buf_init(&bytes);
	assert_int_equal(machine_snapshot(machine, &bytes), STATUS_OK);
	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ bytes.data[i]) * 1099511628211u;
	buf_fini(&bytes);
	return hash;
}

static inline u64 rig_hash(const Rig *rig)
{
	return hash_of(rig->machine);
}

#endif
