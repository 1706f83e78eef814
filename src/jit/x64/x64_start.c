/* SPDX-License-Identifier: MIT
 *
 * The common code at the start of the cache, made once: how compiled code is entered and left, what a computed jump does
 * that finds no entry, and the call of ir_eval for the operations that the target does not know.
 */
#include "jit/x64/x64_code.h"

#include <string.h>

/* rax: the pc of a computed jump that the table does not know. */
static u32 emit_miss(const Engine *engine, X64Buf *x, u32 number)
{
	u32 at = (u32)(x->at - x->start);

	x64_store(x, 64, x64_at(X64_RBP, x64_slot(0)), X64_RAX);
	x64_mov_imm(x, X64_RAX, number);
	x64_patch(x64_jmp(x), x->start + engine->leave);
	return at;
}

bool x64_start(Engine *engine)
{
	X64Buf x = { engine->rw, engine->rw, engine->rw + 4096, false };
	static const u8 saved[] = { X64_RBX, X64_RBP, X64_R12, X64_R13, X64_R14, X64_R15 };
	static const u8 volatile_pins[] = { X64_RSI, X64_RDI, X64_R8, X64_R9, X64_R10, X64_R11 };
	X64Mem frame = x64_at(X64_RDI, 0);
	u8 *site, *tail;

	engine->enter = 0;
	engine->has_fma = __builtin_cpu_supports("fma");
	for (unsigned i = 0; i < 6; i++)
		x64_push(&x, saved[i]);
	x64_alu_imm(&x, X64_SUB, 64, X64_RSP, X64_STACK_BYTES);
	x64_store(&x, 64, x64_at(X64_RSP, X64_AT_FRAME), X64_RDI);
#define FIELD(member) (frame.disp = (i32)offsetof(JitFrame, member), frame)
	x64_load(&x, 64, X64_RAX, FIELD(attr));
	x64_store(&x, 64, x64_at(X64_RSP, X64_AT_ATTR), X64_RAX);
	x64_load(&x, 64, X64_RAX, FIELD(spaces));
	x64_store(&x, 64, x64_at(X64_RSP, X64_AT_SPACES), X64_RAX);
	x64_load(&x, 64, X64_RAX, FIELD(jumps));
	x64_store(&x, 64, x64_at(X64_RSP, X64_AT_JUMPS), X64_RAX);
	x64_load(&x, 64, X64_RBP, FIELD(slots));
	x64_alu_imm(&x, X64_SUB, 64, X64_RBP, -128);
	x64_load(&x, 64, X64_RBX, FIELD(memory));
	x64_load(&x, 64, X64_R14, FIELD(left));
	x64_load(&x, 64, X64_RAX, FIELD(code));
	/* The host's rounding and flags are put aside; the guest's flags gather in clean ones. */
	x64_reg_mem(&x, 0, false, 0x0FAE, 3, FIELD(host_mxcsr), false);
	x64_store_imm(&x, 32, x64_at(X64_RSP, X64_AT_OPERATION), X64_MXCSR);
	x64_reg_mem(&x, 0, false, 0x0FAE, 2, x64_at(X64_RSP, X64_AT_OPERATION), false);
#undef FIELD
	for (u32 i = 0; i < engine->pin_count; i++)
		x64_load(&x, 64, x64_pin_regs[i], x64_at(X64_RBP, x64_slot(engine->pinned[i])));
	x64_jmp_reg(&x, X64_RAX);

	engine->leave = (u32)(x.at - x.start); /* eax: what enter gives */
	for (u32 i = 0; i < engine->pin_count; i++)
		x64_store(&x, 64, x64_at(X64_RBP, x64_slot(engine->pinned[i])), x64_pin_regs[i]);
	tail = x.at;
	x64_load(&x, 64, X64_RCX, x64_at(X64_RSP, X64_AT_FRAME));
	x64_store(&x, 64, x64_at(X64_RCX, (i32)offsetof(JitFrame, left)), X64_R14);
	x64_reg_mem(&x, 0, false, 0x0FAE, 3, x64_at(X64_RCX, (i32)offsetof(JitFrame, mxcsr)), false);
	x64_reg_mem(&x, 0, false, 0x0FAE, 2, x64_at(X64_RCX, (i32)offsetof(JitFrame, host_mxcsr)), false);
	x64_alu_imm(&x, X64_ADD, 64, X64_RSP, X64_STACK_BYTES);
	for (unsigned i = 6; i-- > 0;)
		x64_pop(&x, saved[i]);
	x64_ret(&x);

	engine->miss = emit_miss(engine, &x, JIT_MISSED);
	engine->miss_call = emit_miss(engine, &x, JIT_MISSED_CALL);

	engine->evaluate = (u32)(x.at - x.start); /* rax, rcx, rdx: a, b, c; [rsp + X64_AT_OPERATION]: which */
	for (unsigned i = 0; i < 6; i++)
		x64_push(&x, volatile_pins[i]);
	x64_alu_imm(&x, X64_SUB, 64, X64_RSP, 8);
	x64_load(&x, 64, X64_RDI, x64_at(X64_RSP, 64 + X64_AT_OPERATION));
	x64_mov(&x, 64, X64_RSI, X64_RAX);
	x64_mov(&x, 64, X64_RAX, X64_RDX);
	x64_mov(&x, 64, X64_RDX, X64_RCX);
	x64_mov(&x, 64, X64_RCX, X64_RAX);
	x64_mov_imm(&x, X64_RAX, (u64)(uintptr_t)engine->evaluator);
	x64_call_reg(&x, X64_RAX);
	x64_alu_imm(&x, X64_ADD, 64, X64_RSP, 8);
	for (unsigned i = 6; i-- > 0;)
		x64_pop(&x, volatile_pins[i]);
	x64_ret(&x);
	engine->dump = (u32)(x.at - x.start); /* r15: the number of an exit with a map. Nothing is at home */
	x64_store(&x, 32, x64_at(X64_RSP, X64_AT_OPERATION), X64_R15);
	x64_load(&x, 64, X64_R15, x64_at(X64_RSP, X64_AT_FRAME));
	for (u8 i = 0; i < 16; i++) {
		x64_store(&x, 64, x64_at(X64_R15, (i32)offsetof(JitFrame, gpr) + i * 8), i);
		x64_reg_mem(&x, 0x66, false, 0x0FD6, i, x64_at(X64_R15, (i32)offsetof(JitFrame, xmm) + i * 8), false); /* movq */
	}
	x64_load(&x, 32, X64_RAX, x64_at(X64_RSP, X64_AT_OPERATION));
	site = x64_jmp(&x);
	x64_patch(site, tail);
	engine->used = ((u32)(x.at - x.start) + 63u) & ~63u;
	return !x.full;
}

u32 x64_enter(Engine *engine, JitFrame *frame, const JitBlock *block)
{
	u32 (*go)(JitFrame *frame), number;
	const u8 *code = engine->rx + engine->enter;

	memcpy(&go, &code, sizeof go);
	frame->code = engine->rx + block->entry;
	number = go(frame);
	if (number < JIT_MISSED_CALL && engine->exits[number]->map)
		jit_map_apply(engine->exits[number]->map, frame, engine->slot_count);
	if (engine->flags_slot)
		frame->slots[engine->flags_slot] |= x64_flags_of_mxcsr[frame->mxcsr & 0x3F];
	return number;
}
