/* SPDX-License-Identifier: MIT
 *
 * src/guests/rv64/rv64.isa in the interpreter and compiled against another emulator: random blocks of legal and illegal instructions
 * (tests/rv64/blocks.h) run here and in tests/rv64/runner.c under qemu-riscv64; all registers, fcsr, memory, and each
 * signal with its place and address must be the same. Needs riscv64-linux-gnu-gcc and qemu-riscv64.
 *
 *     test_rv64_random [BLOCKS [SEED]]     a block is some 40 instructions
 *
 * Left out, because the answers may differ: ecall; counters; lr and sc but in pairs (what breaks a reservation is an
 * emulator's own business); ctzw (qemu-riscv64 7.2 counts beyond bit 31); blocks that change their own code (without
 * fence.i nobody owes them anything), and those that run long here, as a loop would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "asm/asm.h"
#include "base/bits.h"
#include "base/buf.h"
#include "base/rng.h"
#include "guests/rv64/rv64.h"
#include "jit/jit.h"
#include "machine/pages.h"
#include "rv64/blocks.h"
#include "tools.h"

enum { BATCH = 20000, LONG = 4000, SHOWN = 20, SIG_ILL = 4, SIG_TRAP = 5, SIG_BUS = 7, SIG_SEGV = 11,
       QEMU_STACK = 0x40 /* in these 4 GiB qemu has its program's stack */ };

#define QEMU "qemu-riscv64 -cpu rv64,zba=true,zbb=true,zbc=false,zbs=true"

#ifdef __SANITIZE_ADDRESS__
enum { USUAL = 5000 };
#else
enum { USUAL = 20000 };
#endif

static u64 wanted_blocks = USUAL, first_seed = 1;

typedef struct Rig {
	Isa *isa;
	Machine *machine;
	u32 x, f, pc, frm, fflags, resv; /* slots */
	u64 icount;
} Rig;

static u32 slot_of(const Isa *isa, const char *name)
{
	u32 slot = 0;
	u8 width;

	assert_true(isa_find_register(isa, name, strlen(name), false, &slot, &width));
	return slot;
}

static bool refuse(Machine *machine, u32 aspace, u64 address, u8 access)
{
	(void)machine, (void)aspace, (void)address, (void)access;
	return false;
}

static void rig_init(Rig *rig, const EngineOps *engine)
{
	DiagList *diags = malloc(sizeof *diags);
	MachineConfig config = {.memory_limit = 64 << 20, .engine = engine};

	diag_init(diags);
	rig->isa = isa_load("rv64.isa", rv64_isa_text, strlen(rv64_isa_text), NULL, 0, diags);
	assert_non_null(rig->isa);
	config.isa = rig->isa;
	assert_int_equal(machine_create(&config, &rig->machine, diags), STATUS_OK);
	diag_fini(diags);
	free(diags);
	rig->x = slot_of(rig->isa, "ra") - 1;
	rig->f = slot_of(rig->isa, "ft0");
	rig->frm = slot_of(rig->isa, "frm");
	rig->fflags = slot_of(rig->isa, "fflags");
	rig->resv = slot_of(rig->isa, "resv");
	for (u32 i = 0; i < rig->isa->host_count; i++) /* counters and system calls end a block */
		if (strcmp(rig->isa->hosts[i].name, "flush_code") != 0)
			machine_deny_host(rig->machine, i);
	machine_set_pager(rig->machine, refuse);
	assert_int_equal(machine_pages_add(rig->machine, 0, BLOCK_CODE, BLOCK_PAGE, ATTR_RIGHTS), STATUS_OK);
	assert_int_equal(machine_pages_add(rig->machine, 0, BLOCK_DATA, BLOCK_WRITABLE, ATTR_READ | ATTR_WRITE), STATUS_OK);
	assert_int_equal(machine_pages_add(rig->machine, 0, BLOCK_DATA + BLOCK_WRITABLE, BLOCK_READABLE - BLOCK_WRITABLE,
					   ATTR_READ), STATUS_OK);
	for (u64 at = BLOCK_WRITABLE; at < BLOCK_READABLE; at += BLOCK_PAGE) {
		Word cells[(BLOCK_READABLE - BLOCK_WRITABLE) / 8];

		block_fill(cells, COUNT_OF(cells), 1);
		memcpy(machine_page_bytes(rig->machine, 0, BLOCK_DATA + at), cells, BLOCK_PAGE);
	}
}

static void rig_fini(Rig *rig)
{
	machine_destroy(rig->machine);
	isa_destroy(rig->isa);
}

/* ---- Blocks ---- */

static const u8 pointers[] = {8, 9, 10, 11, 14, 15, 2, 20};

static bool is_pointer(u64 number)
{
	for (u32 i = 0; i < COUNT_OF(pointers); i++)
		if (pointers[i] == number)
			return true;
	return false;
}

static u64 word_of(const u64 *cells, u32 count)
{
	u64 word = 0;

	for (u32 i = 0; i < count; i++)
		word |= cells[i] << 8 * i;
	return word;
}

typedef struct Cells {
	const u64 *cells;
	u32 count;
} Cells;

static bool fetch_cells(void *ctx, unsigned index, u64 *parcel)
{
	const Cells *c = ctx;

	if (2 * index + 1 >= c->count)
		return false;
	*parcel = c->cells[2 * index] | c->cells[2 * index + 1] << 8;
	return true;
}

/* Most memory instructions get a base that points somewhere, most jumps go a little forward, and few results overwrite
 * what points. */
static u32 tame(const Isa *isa, Rng *rng, u64 *cells, u32 count)
{
	Cells from = {cells, count};
	IsaDecoded decoded;
	u64 values[ISA_MAX_FIELDS], w[ISA_WORDS] = {0};
	const IsaInsn *insn;
	bool memory = false;
	unsigned bad;

	isa_decode(isa, fetch_cells, &from, &decoded);
	insn = decoded.insn;
	if (!insn)
		return count;
	for (u32 i = 0; i < insn->syntax_count; i++)
		memory = memory || (!insn->syntax[i].is_field && strchr(insn->syntax[i].text, '('));
	memory = memory && strncmp(insn->name, "jal", 3) != 0;
	for (u32 i = 0; i < insn->field_count; i++) {
		const IsaField *field = &isa->fields[insn->fields[i].field];
		const char *name = field->name;

		values[i] = isa_field_value(isa, &decoded, i);
		if (memory && strncmp(name, "rs1", 3) == 0 && rng_below(rng, 32))
			values[i] = pointers[rng_below(rng, field->reg_from ? 6 : COUNT_OF(pointers))] - field->reg_from;
		else if (name[0] == 'r' && name[1] == 'd' && is_pointer(values[i] + field->reg_from) && rng_below(rng, 4))
			values[i] = (field->reg_from ? 12 : 16 + rng_below(rng, 2)) - field->reg_from;
		else if (field->kind == ISA_FIELD_REL && rng_below(rng, 64))
			values[i] = 2 + 2 * rng_below(rng, 20);
		else if (strcmp(name, "csr") == 0 && rng_below(rng, 8))
			values[i] = 1 + rng_below(rng, 3);
	}
	if (!isa_encode(isa, insn, values, w, &bad))
		return count;
	return isa_word_to_cells(isa, w, insn->bits, cells);
}

static bool is_reservation(u32 word)
{
	return (word & 0x7F) == 0x2F && word >> 28 == 1;
}

/* Words whose meaning is left out, at any place that a jump may reach. */
static bool left_out(const Block *block)
{
	for (u32 at = 0; at + 4 <= block->len; at += 2) {
		u32 word = (u32)block->code[at] | (u32)block->code[at + 1] << 8 | (u32)block->code[at + 2] << 16 |
			   (u32)block->code[at + 3] << 24;

		if ((word & 0xFFF0707F) == 0x6010101B) /* ctzw */
			return true;
		/* vmvNr.v, vlNr.v, vsNr.v: qemu-riscv64 7.2 has them without having vectors */
		if ((word & 0xFC00707F) == 0x9C003057 || ((word & 0x0DF0005F) == 0x00800007 && (word >> 12 & 7) - 1 > 3))
			return true;
		/* counters of events, which nobody but qemu has */
		if ((word & 0x7F) == 0x73 && word >> 25 == 0x60 && (word >> 20 & 31) > 2)
			return true;
	}
	return false;
}

static void append(Block *block, const u64 *cells, u32 count)
{
	if (block->len + count > BLOCK_BYTES)
		return;
	for (u32 i = 0; i < count; i++)
		block->code[block->len++] = (u8)cells[i];
}

static void append_word(Block *block, u32 word)
{
	const u64 cells[4] = {word & 0xFF, word >> 8 & 0xFF, word >> 16 & 0xFF, word >> 24};

	append(block, cells, 4);
}

/* lr rd, (p); something that stores nowhere; sc rd, rs2, (p) */
static void append_pair(Block *block, Rng *rng)
{
	u32 base = (u32)pointers[rng_below(rng, COUNT_OF(pointers))] << 15, width = (u32)(2 + rng_below(rng, 2)) << 12;

	if (rng_below(rng, 8))
		append_word(block, 0xFF807013 | base | base >> 8); /* andi p, p, -8 */
	append_word(block, 0x1000002F | base | width | (u32)rng_below(rng, 4) << 25 | 16 << 7);
	if (rng_below(rng, 2))
		append_word(block, 0x01180833); /* add x16, x16, x17 */
	append_word(block, 0x1800002F | base | width | (u32)rng_below(rng, 4) << 25 | (u32)rng_below(rng, 32) << 20 | 17 << 7);
}

static void make_block(const Isa *isa, Rng *rng, Block *block)
{
	u32 length = 32 + (u32)rng_below(rng, BLOCK_BYTES - 64);
	Word seed = rng_next(rng);

	*block = (Block){.seed = rng_next(rng)};
	for (u32 i = 0; i < 32; i++) {
		block->start.x[i] = block_value(&seed);
		block->start.f[i] = block_value(&seed);
	}
	for (u32 i = 0; i < COUNT_OF(pointers); i++) {
		Word *x = &block->start.x[pointers[i]];

		*x = BLOCK_DATA + rng_below(rng, BLOCK_WRITABLE + (rng_below(rng, 8) ? 0 : BLOCK_PAGE));
		*x &= rng_below(rng, 3) ? ~(Word)7 : ~(Word)0;
	}
	block->start.x[31] = BLOCK_CODE;
	block->start.fcsr = rng_below(rng, 8) ? rng_below(rng, 5) << 5 | rng_below(rng, 32) : rng_below(rng, 256);
	while (block->len < length) {
		u64 cells[32];
		u32 kind = (u32)rng_below(rng, 64), count;

		if (kind == 0) {
			append_pair(block, rng);
			continue;
		}
		if (kind == 1)
			count = gen_invalid(isa, rng, cells);
		else
			count = tame(isa, rng, cells, gen_valid(isa, rng, cells));
		if (count == 4 && (is_reservation((u32)word_of(cells, 4)) || word_of(cells, 4) == 0x73))
			continue;
		append(block, cells, count);
	}
}

/* ---- Here ---- */

static int signal_of(const MachineStop *stop)
{
	switch (stop->kind) {
	case STOP_FAULT: return SIG_SEGV;
	case STOP_ILLEGAL: return SIG_ILL;
	case STOP_TRAP: return stop->code == 2 ? SIG_ILL : stop->code == 3 ? SIG_TRAP : SIG_BUS;
	default: return 0;
	}
}

/* qemu lets an sc that fails anyway go unaligned. */
static bool is_conditional_store(const Machine *m, u64 pc)
{
	u64 top = 0;

	assert_int_equal(machine_read(m, 0, pc + 3, &top), STATUS_OK);
	return top >> 3 == 3;
}

/* False: the block is of no use (it loops, or asks for a host function). */
static bool run_here(Rig *rig, const Block *block, BlockResult *result)
{
	Machine *m = rig->machine;
	u8 *code = machine_page_bytes(m, 0, BLOCK_CODE);
	Word *data = (Word *)(void *)machine_page_bytes(m, 0, BLOCK_DATA);

	*result = (BlockResult){.trap_count = 0};
	for (u32 i = 0; i < BLOCK_PAGE; i++)
		code[i] = i < block->len ? block->code[i] : i & 1 ? 0x90 : 0x02;
	machine_flush_code(m, 0, BLOCK_CODE, BLOCK_PAGE);
	block_fill(data, BLOCK_WRITABLE / 8, block->seed);
	for (u32 i = 0; i < 32; i++) {
		machine_set_slot(m, rig->f + i, block->start.f[i]);
		if (i)
			machine_set_slot(m, rig->x + i, block->start.x[i]);
	}
	machine_set_slot(m, rig->frm, block->start.fcsr >> 5);
	machine_set_slot(m, rig->fflags, block->start.fcsr & 31);
	machine_set_slot(m, rig->resv, ~(u64)0);
	machine_set_pc(m, BLOCK_CODE);
	for (;;) {
		u64 before = machine_icount(m);
		MachineStop stop = machine_run(m, LONG);
		int signal = signal_of(&stop);
		u64 pc = machine_pc(m), low = 0;

		rig->icount += machine_icount(m) - before;
		if (!signal || (signal == SIG_SEGV && stop.address >> 32 == QEMU_STACK))
			return false;
		if (signal == SIG_TRAP && pc >= BLOCK_CODE + BLOCK_PAGE - 8) /* qemu looks behind an ebreak */
			return false;
		result->traps[result->trap_count].pc = pc;
		result->traps[result->trap_count].address = signal == SIG_BUS ? 0 : signal == SIG_SEGV ? stop.address : pc;
		result->traps[result->trap_count++].signal = (Word)signal;
		if (pc < BLOCK_CODE || pc >= BLOCK_CODE + block->len || result->trap_count >= BLOCK_TRAPS)
			break;
		assert_int_equal(machine_read(m, 0, pc, &low), STATUS_OK);
		if (signal == SIG_BUS && is_conditional_store(m, pc))
			return false;
		machine_set_pc(m, pc + ((low & 3) == 3 ? 4 : 2));
	}
	for (u32 i = 0; i < 32; i++) {
		result->end.x[i] = i ? machine_slot(m, rig->x + i) : machine_pc(m);
		result->end.f[i] = machine_slot(m, rig->f + i);
	}
	result->end.fcsr = machine_slot(m, rig->frm) << 5 | machine_slot(m, rig->fflags);
	for (u32 i = 0; i < BLOCK_PAGE; i++)
		if (code[i] != (i < block->len ? block->code[i] : i & 1 ? 0x90 : 0x02))
			return false;
	result->memory = block_hash_cells(0, data, BLOCK_WRITABLE / 8);
	result->memory = block_hash_cells(result->memory, (const Word *)(void *)code, BLOCK_PAGE / 8);
	return true;
}

/* ---- There ---- */

static void run_there(const char *folder, const Block *blocks, u32 count, BlockResult *results)
{
	char command[400];
	FILE *file;

	snprintf(command, sizeof command, "%s/blocks", folder);
	file = fopen(command, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(blocks, sizeof *blocks, count, file), count);
	assert_int_equal(fclose(file), 0);
	snprintf(command, sizeof command, "timeout 300 " QEMU " %s/runner <%s/blocks", folder, folder);
	file = popen(command, "r");
	assert_non_null(file);
	assert_int_equal(fread(results, sizeof *results, count, file), count);
	assert_int_equal(pclose(file), 0);
}

/* ---- Differences ---- */

static void show(const Rig *rig, const Block *block, const BlockResult *here, const BlockResult *there)
{
	const DisOptions options = {.dialect = 0};
	u64 cells[BLOCK_BYTES];

	for (u32 i = 0; i < 32; i++) {
		if (here->end.x[i] != there->end.x[i])
			print_message("  x%u is %llx, qemu has %llx (was %llx)\n", i, here->end.x[i], there->end.x[i],
				      block->start.x[i]);
		if (here->end.f[i] != there->end.f[i])
			print_message("  f%u is %llx, qemu has %llx (was %llx)\n", i, here->end.f[i], there->end.f[i],
				      block->start.f[i]);
	}
	if (here->end.fcsr != there->end.fcsr)
		print_message("  fcsr is %llx, qemu has %llx\n", here->end.fcsr, there->end.fcsr);
	if (here->memory != there->memory)
		print_message("  memory differs\n");
	for (u32 i = 0; i < here->trap_count || i < there->trap_count; i++)
		if (memcmp(&here->traps[i], &there->traps[i], sizeof here->traps[i]) != 0) {
			print_message("  trap %u is %llu at %llx (%llx), qemu has %llu at %llx (%llx)\n", i, here->traps[i].signal,
				      here->traps[i].pc, here->traps[i].address, there->traps[i].signal, there->traps[i].pc,
				      there->traps[i].address);
			break;
		}
	for (u32 i = 0; i < block->len; i++)
		cells[i] = block->code[i];
	for (u32 at = 0; at < block->len;) {
		Buf text;
		u32 n;

		buf_init(&text);
		n = dis_cells(rig->isa, &options, BLOCK_CODE + at, cells + at, block->len - at, &text);
		print_message("    %llx  %s\n", BLOCK_CODE + at, buf_text(&text));
		buf_fini(&text);
		at += n ? n : 2;
	}
}

/* The host does not say which address it was when it is none that its processors have. */
static void forget_addresses(BlockResult *here, BlockResult *there)
{
	for (u32 i = 0; i < here->trap_count && i < there->trap_count; i++)
		if (!there->traps[i].address && (here->traps[i].address + 7 + ((Word)1 << 47)) >> 48)
			here->traps[i].address = 0;
}

static void other_emulator(void **state)
{
	char folder[] = "/tmp/rv64_random.XXXXXX", command[600];
	Block *blocks = malloc(BATCH * sizeof *blocks);
	BlockResult *here = malloc(BATCH * sizeof *here), *there = malloc(BATCH * sizeof *there), same;
	u64 done = 0, different = 0, dropped = 0, traps = 0;
	Rng rng = {first_seed};
	Rig rig = {.icount = 0}, compiled = {.icount = 0};

	(void)state;
	need_tool("riscv64-linux-gnu-gcc");
	need_tool("qemu-riscv64");
	assert_true(blocks && here && there);
	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof command,
		 "riscv64-linux-gnu-gcc -O2 -march=rv64gc -mcmodel=medany -static -nostdlib -ffreestanding -fno-builtin "
		 "-fno-stack-protector -fno-tree-loop-distribute-patterns -Itests -Wl,--no-relax "
		 "-Wl,-Ttext-segment=0x3000000000 -o %s/runner tests/rv64/runner.c", folder);
	assert_int_equal(system(command), 0);
	rig_init(&rig, &interp_engine);
	rig_init(&compiled, jit_is_possible() ? &jit_engine : &interp_engine);
	while (done < wanted_blocks) {
		u32 count = 0, wanted = wanted_blocks - done < BATCH ? (u32)(wanted_blocks - done) : BATCH;

		while (count < wanted) {
			make_block(rig.isa, &rng, &blocks[count]);
			u64 insns = rig.icount, compiled_insns = compiled.icount;

			if (left_out(&blocks[count]) || !run_here(&rig, &blocks[count], &here[count])) {
				dropped++;
				continue;
			}
			if ((!run_here(&compiled, &blocks[count], &same) || memcmp(&same, &here[count], sizeof same) != 0 ||
			     compiled.icount - compiled_insns != rig.icount - insns) && different++ < SHOWN) {
				print_message("block %llu of seed %llu, compiled (not qemu):\n", (unsigned long long)(done + count),
					      (unsigned long long)first_seed);
				show(&rig, &blocks[count], &here[count], &same);
			}
			traps += here[count++].trap_count;
		}
		run_there(folder, blocks, count, there);
		for (u32 i = 0; i < count; i++) {
			forget_addresses(&here[i], &there[i]);
			if (memcmp(&here[i], &there[i], sizeof here[i]) != 0 && different++ < SHOWN) {
				print_message("block %llu of seed %llu:\n", (unsigned long long)(done + i), (unsigned long long)first_seed);
				show(&rig, &blocks[i], &here[i], &there[i]);
			}
		}
		done += count;
	}
	print_message("%llu blocks, %llu instructions, %llu traps; %llu blocks dropped, %llu differ\n", (unsigned long long)done,
		      (unsigned long long)rig.icount, (unsigned long long)traps, (unsigned long long)dropped,
		      (unsigned long long)different);
	snprintf(command, sizeof command, "rm -r %s", folder);
	assert_int_equal(system(command), 0);
	rig_fini(&rig);
	rig_fini(&compiled);
	free(blocks);
	free(here);
	free(there);
	assert_int_equal(different, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(other_emulator)};

	if (argc > 1)
		wanted_blocks = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
