/* SPDX-License-Identifier: MIT
 *
 * The IR as text: stable, one instruction a line, for people and for tests that compare whole functions.
 *
 *     b0:
 *       insn 0 pc=0x3000 length=1
 *       %1:16 = get R1
 *       %2:16 = add %1, 0x5'16
 *       put R0, %2
 *       goto 0x3001'64 next
 *
 * %N is the number of the instruction that makes the value, value'width a constant.
 */
#include "ir/ir_private.h"

#include <inttypes.h>

#include "base/strmap.h"

typedef struct Printer {
	const IrFunc *func;
	const char *(*slot_name)(const void *ctx, unsigned slot);
	const void *ctx;
	Buf *out;
} Printer;

static void print_ref(const Printer *p, IrRef ref)
{
	if (ref == IR_NONE) {
		buf_str(p->out, "none");
	} else if (ref & IR_CONST_BIT) {
		u32 number = ref & ~IR_CONST_BIT;

		if (number < p->func->const_count)
			buf_printf(p->out, "0x%" PRIx64 "'%u", p->func->consts[number].value,
				   p->func->consts[number].width);
		else
			buf_printf(p->out, "bad constant %u", number);
	} else {
		buf_printf(p->out, "%%%u", ref);
	}
}

static void print_slot(const Printer *p, unsigned slot)
{
	const char *name = p->slot_name ? p->slot_name(p->ctx, slot) : NULL;

	if (name)
		buf_str(p->out, name);
	else
		buf_printf(p->out, "s%u", slot);
}

static void print_pool(const Printer *p, const IrIns *ins)
{
	buf_byte(p->out, '(');
	for (u32 i = 0; i < ins->c && (u64)ins->b + i < p->func->pool_count; i++) {
		if (i)
			buf_str(p->out, ", ");
		print_ref(p, p->func->pool[ins->b + i]);
	}
	buf_byte(p->out, ')');
}

static void print_memory(const Printer *p, const IrIns *ins)
{
	buf_printf(p->out, "%s m%u[", ins->aux & IR_RAW ? ".raw" : "", ins->aux & ~IR_RAW & 0xFFFFu);
	print_ref(p, ins->a);
	buf_byte(p->out, ']');
}

/* Mode, "even" left out, and for flags the width of the value: fadd.zero, fadd.flags64. */
static void print_float_aux(const Printer *p, const IrIns *ins)
{
	static const char *const modes[8] = {"", ".zero", ".down", ".up", ".away", ".5", ".6", ".7"};

	buf_str(p->out, modes[ins->aux & IR_FLOAT_ROUND]);
	if (ins->aux & IR_FLOAT_FLAGS)
		buf_printf(p->out, ".flags%u", ins->aux >> IR_FLOAT_WIDTH_SHIFT);
}

static void print_atomic(const Printer *p, const IrIns *ins)
{
	static const char *const kinds[] = {"swap", "add", "and", "or", "xor", "min", "max", "minu", "maxu"};
	static const char *const orders[] = {"", ".rl", ".aq", ".aqrl"};
	unsigned kind = ir_atomic_kind(ins);

	if (ins->op == IR_OP_RMW)
		buf_printf(p->out, ".%s", kind < COUNT_OF(kinds) ? kinds[kind] : "?");
	buf_printf(p->out, "%s%s m%u[", orders[ins->aux >> IR_ATOMIC_ORDER_SHIFT & 3], ins->aux & IR_RAW ? ".raw" : "",
		   ir_atomic_space(ins));
	print_ref(p, ins->a);
	buf_str(p->out, "], ");
	print_ref(p, ins->b);
	if (ins->op == IR_OP_CAS) {
		buf_str(p->out, ", ");
		print_ref(p, ins->c);
	}
}

static void print_operands(const Printer *p, const IrIns *ins)
{
	static const char *const flows[] = {"next", "jump", "call", "ret"};
	Buf *out = p->out;
	u32 refs[3] = {ins->a, ins->b, ins->c};
	unsigned count = 0;

	switch (ir_op_info[ins->op].shape) {
	case IR_SHAPE_LEAF:
		buf_byte(out, ' ');
		if (ins->op == IR_OP_GET)
			print_slot(p, ins->aux);
		else
			buf_printf(out, "%u", ins->aux);
		return;
	case IR_SHAPE_UN0:
		if (ins->op == IR_OP_PUT) {
			buf_byte(out, ' ');
			print_slot(p, ins->aux);
			buf_byte(out, ',');
		}
		count = 1;
		break;
	case IR_SHAPE_UN: case IR_SHAPE_CONV: count = 1; break;
	case IR_SHAPE_BIN: case IR_SHAPE_SHIFT: case IR_SHAPE_CAT: case IR_SHAPE_CMP: count = 2; break;
	case IR_SHAPE_SEL: count = 3; break;
	case IR_SHAPE_FUN: case IR_SHAPE_FBIN: case IR_SHAPE_FTRI: case IR_SHAPE_FCMP: case IR_SHAPE_FOFI:
	case IR_SHAPE_FTOI: case IR_SHAPE_FTOF: case IR_SHAPE_FCLASS:
		count = ir_float_operands((IrOp)ins->op);
		break;
	case IR_SHAPE_LOAD: print_memory(p, ins); return;
	case IR_SHAPE_STORE:
		print_memory(p, ins);
		buf_str(out, ", ");
		print_ref(p, ins->b);
		return;
	case IR_SHAPE_RMW: case IR_SHAPE_CAS: print_atomic(p, ins); return;
	case IR_SHAPE_FENCE:
		buf_printf(out, " %u, %u", ins->aux >> 4, ins->aux & 15);
		return;
	case IR_SHAPE_HOST:
		buf_printf(out, " %u", ins->aux);
		print_pool(p, ins);
		return;
	case IR_SHAPE_MARK: {
		u64 pc = 0;

		ir_is_const(p->func, ins->a, &pc);
		buf_printf(out, " %u pc=0x%" PRIx64 " length=%u", ins->b, pc, ins->aux);
		return;
	}
	case IR_SHAPE_JMP:
		buf_printf(out, " b%u", ins->a);
		print_pool(p, ins);
		return;
	case IR_SHAPE_BR:
		buf_byte(out, ' ');
		print_ref(p, ins->a);
		buf_printf(out, ", b%u, b%u", ins->b, ins->c);
		return;
	case IR_SHAPE_RET: count = ins->a != IR_NONE; break;
	default: break;
	}
	for (unsigned i = 0; i < count; i++) {
		buf_str(out, i ? ", " : " ");
		print_ref(p, refs[i]);
	}
	if (ins->op == IR_OP_EXTRACT)
		buf_printf(out, ", %u", ins->aux);
	else if (ins->op == IR_OP_GOTO && ins->aux < COUNT_OF(flows))
		buf_printf(out, " %s", flows[ins->aux]);
}

static void print_ins(const Printer *p, u32 number)
{
	const IrIns *ins = &p->func->ins[number];
	const char *name = ir_op_info[ins->op].name;
	bool has_value = ins->width && ins->op != IR_OP_PUT && ins->op != IR_OP_STORE && ins->op != IR_OP_RET;

	buf_str(p->out, "  ");
	if (has_value)
		buf_printf(p->out, "%%%u:%u = ", number, ins->width);
	while (*name)
		buf_byte(p->out, (u8)ascii_lower(*name++));
	if (ir_float_operands((IrOp)ins->op))
		print_float_aux(p, ins);
	print_operands(p, ins);
	buf_byte(p->out, '\n');
}

void ir_print(const IrFunc *func, const char *(*slot_name)(const void *ctx, unsigned slot), const void *ctx, Buf *out)
{
	Printer p = {func, slot_name, ctx, out};
	u32 at = 0;

	/* Blocks in the order they were begun, which is the order they stand in. */
	while (at < func->ins_count) {
		u32 next = func->ins_count;

		for (u32 b = 0; b < func->block_count; b++) {
			const IrBlock *block = &func->blocks[b];

			if (!block->begun || block->start != at || block->end == at)
				continue;
			buf_printf(out, "b%u:\n", b);
			for (u32 i = block->start; i < block->end; i++)
				print_ins(&p, i);
			next = block->end;
			break;
		}
		if (next == func->ins_count)
			break;
		at = next;
	}
}
