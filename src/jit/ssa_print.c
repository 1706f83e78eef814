/* SPDX-License-Identifier: MIT
 *
 * A region as text, one node a line:
 *
 *     b2 <- b1 b4  pc 0x10094  loop b2 depth 1
 *       %7 = phi.64 a0 [%3, %12]
 *       %9 = add.64 %7, 1
 *       put a0, %9
 *       branch %11 -> b4, b5
 */
#include "jit/ssa_wide.h"

typedef struct Print {
	const SsaFunc *func;
	const char *(*slot_name)(const void *ctx, unsigned slot);
	const void *ctx;
	Buf *out;
} Print;

static const char *const leaves[] = { "link", "jump", "call", "callr", "ret", "cold", "host" };
static const char *const recipes[] = { "", "sx", "zx", "plus", "nan", "box", "boxnan" };

static void print_value(const Print *p, SsaRef ref)
{
	const SsaNode *node = &p->func->nodes[ssa_value(p->func, ref)];

	if (!ssa_value(p->func, ref))
		buf_str(p->out, "home");
	else if (node->op == SSA_CONST)
		buf_printf(p->out, node->imm < 1024 ? "%llu" : "0x%llx", (unsigned long long)node->imm);
	else
		buf_printf(p->out, "%%%u", ssa_value(p->func, ref));
}

static void print_slot(const Print *p, unsigned slot)
{
	const char *name = p->slot_name ? p->slot_name(p->ctx, slot) : NULL;

	if (name)
		buf_str(p->out, name);
	else
		buf_printf(p->out, "s%u", slot);
}

static void print_name(const Print *p, const SsaNode *node)
{
	for (const char *c = ssa_op_info[node->op].name; *c; c++)
		buf_byte(p->out, (u8)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c));
	if (node->width && node->op != SSA_PUT)
		buf_printf(p->out, ".%u", node->width);
}

static void print_snap(const Print *p, const SsaNode *node)
{
	const SsaSnap *snap = &p->func->snaps[node->snap];

	buf_printf(p->out, "  {pc 0x%llx refund %u", (unsigned long long)snap->pc, snap->refund);
	for (u32 i = 0; i < snap->count; i++) {
		const SsaSnapEntry *entry = &p->func->entries[snap->first + i];

		buf_str(p->out, ", ");
		print_slot(p, entry->slot);
		buf_printf(p->out, "=%s", recipes[entry->recipe]);
		if (entry->recipe)
			buf_printf(p->out, "(%d)", entry->imm);
		print_value(p, entry->ref);
	}
	buf_byte(p->out, '}');
}

static void print_wide_op(const Print *p, const SsaWideOp *op)
{
	static const char *const names[] = { "splat", "const", "lane", "expect", "load", "reach", "and", "andn", "or", "xor", "add", "sub", "eq", "shl", "shr",
		"fadd", "fsub", "fmul", "fdiv", "canon", "splice", "test", "touch", "store", "keep" };

	buf_printf(p->out, "\n    %s", names[op->kind]);
	switch (op->kind) {
	case SSA_WIDE_CONST: buf_printf(p->out, " v%u = 0x%llx", op->to, (unsigned long long)op->imm); break;
	case SSA_WIDE_SPLAT: buf_printf(p->out, " v%u = operand %u", op->to, op->a); break;
	case SSA_WIDE_LANE: buf_printf(p->out, " v%u.%u = operand %u", op->to, op->lane, op->a); break;
	case SSA_WIDE_LOAD: buf_printf(p->out, " v%u = p%u %+lld", op->to, op->a, (long long)op->imm); break;
	case SSA_WIDE_REACH: case SSA_WIDE_TOUCH: buf_printf(p->out, " p%u %+lld", op->a, (long long)op->imm); break;
	case SSA_WIDE_STORE: buf_printf(p->out, " p%u %+lld = v%u", op->a, (long long)op->imm, op->b); break;
	case SSA_WIDE_TEST: buf_printf(p->out, " v%u", op->a); break;
	case SSA_WIDE_EXPECT: buf_printf(p->out, " p%u %+lld = operand %u", op->b, (long long)op->imm, op->a); break;
	case SSA_WIDE_KEEP: buf_printf(p->out, " v%u = v%u", op->to, op->a); break;
	default:
		buf_printf(p->out, " v%u = v%u, v%u", op->to, op->a, op->b);
		if (op->kind == SSA_WIDE_SPLICE)
			buf_printf(p->out, " from %u", op->lane);
	}
}

static void print_wide(const Print *p, const SsaNode *node)
{
	const SsaWide *wide = p->func->wides[node->imm];

	buf_printf(p->out, " cost %u ", wide->cost);
	for (u32 i = 0; i < wide->operand_count; i++) {
		buf_str(p->out, i ? ", " : wide->counted ? "times " : "any times ");
		print_value(p, p->func->pool[node->a + i]);
		if (i && i <= wide->pointer_count)
			buf_printf(p->out, " by %d", wide->step[i - 1]);
	}
	for (u32 i = 0; i < wide->prepare_count; i++)
		print_wide_op(p, &wide->prepare[i]);
	for (u32 i = 0; i < wide->round_count; i++)
		print_wide_op(p, &wide->round[i]);
}

static void print_special(const Print *p, const SsaNode *node, const SsaBlock *block)
{
	unsigned count = ssa_operands(p->func, node);

	switch (node->op) {
	case SSA_WIDE:
		print_wide(p, node);
		return;
	case SSA_LANE:
		buf_printf(p->out, " %u of %llu", node->aux, (unsigned long long)node->imm);
		break;
	case SSA_PHI:
		if (node->aux != SSA_NO_SLOT) {
			buf_byte(p->out, ' ');
			print_slot(p, node->aux);
		}
		buf_str(p->out, " [");
		for (unsigned i = 0; i < count; i++) {
			buf_str(p->out, i ? ", " : "");
			print_value(p, p->func->pool[node->a + i]);
		}
		buf_byte(p->out, ']');
		return;
	case SSA_HOME: case SSA_PUT: case SSA_FETCH: case SSA_BRING:
		buf_byte(p->out, ' ');
		print_slot(p, node->aux);
		break;
	case SSA_CHECK: case SSA_LOAD: case SSA_STORE:
		buf_printf(p->out, " space%u", node->aux);
		break;
	case SSA_RMW: case SSA_CAS:
		buf_printf(p->out, " space%u", node->aux & IR_ATOMIC_SPACE);
		if (node->op == SSA_RMW)
			buf_printf(p->out, " kind%u", node->aux >> IR_ATOMIC_KIND_SHIFT & 15u);
		break;
	case SSA_INSN: case SSA_FUEL: case SSA_REFUND:
		buf_printf(p->out, node->op == SSA_INSN ? " 0x%llx" : " %llu", (unsigned long long)node->imm);
		break;
	case SSA_LEAVE:
		buf_printf(p->out, " %s", leaves[node->aux]);
		if (!count)
			buf_printf(p->out, " 0x%llx", (unsigned long long)node->imm);
		break;
	default:
		break;
	}
	for (unsigned i = 0; i < count; i++) {
		buf_str(p->out, i || (node->op != SSA_BRANCH && node->op != SSA_GUARD && node->op != SSA_CANON &&
				      node->op != SSA_LEAVE && node->op < SSA_INSN) || node->op == SSA_CHECK ||
				(node->op >= SSA_LOAD && node->op <= SSA_CAS) ? ", " : " ");
		print_value(p, i == 0 ? node->a : i == 1 ? node->b : node->c);
	}
	if (node->op == SSA_LOAD || node->op == SSA_STORE || node->op == SSA_RMW || node->op == SSA_CAS)
		buf_printf(p->out, " at %+lld", (long long)node->imm);
	if ((node->op == SSA_LOAD || node->op == SSA_STORE) && node->c)
		buf_str(p->out, " sure");
	if (node->op == SSA_LEAVE && node->b && count + (node->aux == SSA_LEAVE_CALL)) {
		buf_str(p->out, " back ");
		print_value(p, node->b);
	}
	for (u32 i = 0; node->op >= SSA_JUMP && i < block->succ_count; i++)
		buf_printf(p->out, "%s b%u", i ? "," : " ->", block->succ[i]);
}

static void print_node(const Print *p, SsaRef ref, const SsaBlock *block)
{
	const SsaNode *node = &p->func->nodes[ref];

	buf_str(p->out, "  ");
	if (node->width && node->op != SSA_PUT && node->op != SSA_STORE)
		buf_printf(p->out, "%%%u = ", ref);
	print_name(p, node);
	if (node->op >= IR_OP_COUNT) {
		print_special(p, node, block);
	} else {
		if (node->aux)
			buf_printf(p->out, "[%u]", node->aux);
		for (unsigned i = 0; i < ssa_operands(p->func, node); i++) {
			buf_str(p->out, i ? ", " : " ");
			print_value(p, i == 0 ? node->a : i == 1 ? node->b : node->c);
		}
	}
	if (p->func->snap_count && (ssa_effects(node) & SSA_EXIT || node->op == SSA_LEAVE))
		print_snap(p, node);
	buf_byte(p->out, '\n');
}

void ssa_print(const SsaFunc *func, const char *(*slot_name)(const void *ctx, unsigned slot), const void *ctx, Buf *out)
{
	Print p = {func, slot_name, ctx, out};

	for (u32 b = 0; b < func->block_count; b++) {
		const SsaBlock *block = &func->blocks[b];

		if (block->dead)
			continue;
		buf_printf(out, "b%u", b);
		if (block->entry)
			buf_str(out, " entry");
		for (u32 i = 0; i < block->pred_count; i++)
			buf_printf(out, "%s b%u", i ? "" : " <-", block->preds[i]);
		buf_printf(out, "  pc 0x%llx", (unsigned long long)block->pc);
		if (block->depth)
			buf_printf(out, "  loop b%u depth %u", block->loop, block->depth);
		buf_byte(out, '\n');
		for (SsaRef ref = block->first; ref; ref = func->nodes[ref].next)
			print_node(&p, ref, block);
	}
}
