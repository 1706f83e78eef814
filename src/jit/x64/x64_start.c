/* SPDX-License-Identifier: MIT
 *
 * The common code at the start of the cache, made once: how compiled code is entered and left, what a computed jump does
 * that finds no entry, calls of the host, and the call of ir_eval for the operations that the target does not know.
 *
 * Calls of the guest are calls of the host, so that the host predicts where its returns go. The host's stack holds hints, no
 * more: the return address leads behind the call, where compiled code looks whether the guest's pc (rax) is the one
 * that belongs there, and goes through the table of jumps if not. (What every return of the machine masks away need not be masked
 * before: it is, in front of the table, and the pc behind a call has no such bits.) So whoever leaves may forget the stack, and does; a
 * guest that calls deeper than X64_HINTS makes it begin anew (X64_AT_DEEP); and where it is empty, a return comes to `bottom`.
 */
#include "jit/x64/x64_ssa.h"

#include <cpuid.h>
#include <string.h>

#include "base/hash.h"
#include "jit/jit_call.h"

/* rax: the pc of a computed jump that the table does not know. */
static u32 emit_miss(const Engine *engine, X64Buf *x, u32 number)
{
	u32 at;

	if ((x->at - x->start) & 1) /* no_jump in jit_cache.c */
		x64_byte(x, 0x90);
	at = (u32)(x->at - x->start);

	x64_store(x, 64, x64_at(X64_RBP, x64_slot(0)), X64_RAX);
	x64_mov_imm(x, X64_RAX, number);
	x64_patch(x64_jmp(x), x->start + engine->leave);
	return at;
}

/* r15: the number of an exit that guesses; rax: the pc of its call. */
static void emit_guess(Engine *engine, X64Buf *x)
{
	engine->guess = (u32)(x->at - x->start);
	x64_store(x, 64, x64_at(X64_RBP, x64_slot(0)), X64_RAX);
	x64_mov(x, 32, X64_RAX, X64_R15);
	x64_patch(x64_jmp(x), x->start + engine->leave);
}

static const u8 saved[] = { X64_RBX, X64_RBP, X64_R12, X64_R13, X64_R14, X64_R15 };

/* From the JitFrame (rdi) into the frame of compiled code. */
static void take(const Engine *engine, X64Buf *x, size_t from, i32 at)
{
	x64_load(x, 64, X64_RAX, x64_at(X64_RDI, (i32)from));
	x64_store(x, 64, x64_frame(engine, at), X64_RAX);
}

static void put_home(const Engine *engine, X64Buf *x)
{
	for (u32 i = 0; i < engine->pin_count; i++)
		x64_store(x, 64, x64_at(X64_RBP, x64_slot(engine->pinned[i])), x64_pin_regs[i]);
	for (u32 i = 0; i < engine->park_count; i++)
		x64_xmm_store(x, 64, x64_at(X64_RBP, x64_slot(engine->parked[i])), x64_park_regs[i]);
}

static void fetch_home(const Engine *engine, X64Buf *x)
{
	for (u32 i = 0; i < engine->pin_count; i++)
		x64_load(x, 64, x64_pin_regs[i], x64_at(X64_RBP, x64_slot(engine->pinned[i])));
	for (u32 i = 0; i < engine->park_count; i++)
		x64_xmm_load(x, 64, x64_park_regs[i], x64_at(X64_RBP, x64_slot(engine->parked[i])));
}

static void mxcsr(X64Buf *x, unsigned op, X64Mem mem) /* 2: load, 3: store */
{
	x64_reg_mem(x, 0, false, 0x0FAE, (u8)op, mem, false);
}

/* Is there code for floats (NE), or none (E)? frame: the register with the JitFrame. */
static u8 *emit_if_floats(X64Buf *x, u8 frame, X64Cond cond)
{
	x64_alu_mem_imm(x, X64_CMP, 32, x64_at(frame, (i32)offsetof(JitFrame, floats)), 0);
	return x64_jcc(x, cond);
}

static void emit_enter(Engine *engine, X64Buf *x)
{
	u8 *go, *bottom, *plain;

	engine->enter = (u32)(x->at - x->start);
	for (unsigned i = 0; i < 6; i++)
		x64_push(x, saved[i]);
	x64_load(x, 64, X64_RBP, x64_at(X64_RDI, (i32)offsetof(JitFrame, slots)));
	x64_alu_imm(x, X64_ADD, 64, X64_RBP, X64_MIDDLE);
	x64_store(x, 64, x64_frame(engine, X64_AT_FRAME), X64_RDI);
	take(engine, x, offsetof(JitFrame, attr), X64_AT_ATTR);
	take(engine, x, offsetof(JitFrame, spaces), X64_AT_SPACES);
	take(engine, x, offsetof(JitFrame, jumps), X64_AT_JUMPS);
	x64_load(x, 64, X64_RBX, x64_at(X64_RDI, (i32)offsetof(JitFrame, memory)));
	x64_load(x, 64, X64_R14, x64_at(X64_RDI, (i32)offsetof(JitFrame, left)));
	x64_load(x, 64, X64_RDX, x64_at(X64_RDI, (i32)offsetof(JitFrame, code)));
	/* The host's rounding and flags are put aside; the guest's flags gather in clean ones. Where no code does anything with floats all
	 * that is left alone: reading MXCSR takes 5 ns. */
	plain = emit_if_floats(x, X64_RDI, X64_E);
	mxcsr(x, 3, x64_at(X64_RDI, (i32)offsetof(JitFrame, host_mxcsr)));
	x64_store_imm(x, 32, x64_frame(engine, X64_AT_OPERATION), X64_MXCSR);
	mxcsr(x, 2, x64_frame(engine, X64_AT_OPERATION));
	x64_patch(plain, x->at);
	x64_store(x, 64, x64_frame(engine, X64_AT_STACK), X64_RSP);
	x64_lea(x, 64, X64_RAX, x64_at(X64_RSP, -8 * X64_HINTS));
	x64_store(x, 64, x64_frame(engine, X64_AT_DEEP), X64_RAX);
	x64_mov_imm(x, X64_RAX, engine->env.pages << SPACE_PAGE_SHIFT);
	x64_store(x, 64, x64_limit(), X64_RAX);
	fetch_home(engine, x);
	go = x64_call(x);
	/* A return that finds no call on the stack comes here; the next one will, too. */
	engine->bottom = (u32)(x->at - x->start);
	x64_patch(x64_call(x), x->start + engine->lookup);
	bottom = x64_jmp(x);
	x64_patch(bottom, x->start + engine->bottom);
	x64_patch(go, x->at);
	x64_jmp_reg(x, X64_RDX);
}

/* eax: what enter gives. */
static void emit_leave(Engine *engine, X64Buf *x)
{
	u8 *plain;

	engine->leave = (u32)(x->at - x->start);
	put_home(engine, x);
	engine->leave_home = (u32)(x->at - x->start);
	x64_load(x, 64, X64_RCX, x64_frame(engine, X64_AT_FRAME));
	x64_store(x, 64, x64_at(X64_RCX, (i32)offsetof(JitFrame, left)), X64_R14);
	plain = emit_if_floats(x, X64_RCX, X64_E);
	mxcsr(x, 3, x64_at(X64_RCX, (i32)offsetof(JitFrame, mxcsr)));
	mxcsr(x, 2, x64_at(X64_RCX, (i32)offsetof(JitFrame, host_mxcsr)));
	x64_patch(plain, x->at);
	x64_load(x, 64, X64_RSP, x64_frame(engine, X64_AT_STACK));
	for (unsigned i = 6; i-- > 0;)
		x64_pop(x, saved[i]);
	x64_ret(x);
}

/*
 * The table of jumps: register `pc` holds one. Comes out behind a compare with what the table has, and rdx + 8 * rcx is where.
 *
 * Where pcs are even, an odd one that nobody has masked yet is compared with an entry's code instead, which is even, too: it is not
 * found, and whoever misses masks it.
 */
void x64_emit_lookup(const Engine *engine, X64Buf *x, u8 pc)
{
	_Static_assert(sizeof(JitJump) == 16, "twice its number, times eight");
	_Static_assert(JIT_JUMPS == 1 << 15, "twice the greatest number has 16 bits");
	x64_load(x, 64, X64_RDX, x64_frame(engine, X64_AT_JUMPS));
	if (jit_pcs_are_even(engine)) {
		x64_zx(x, 16, X64_RCX, pc);
	} else {
		x64_mov(x, 32, X64_RCX, pc);
		x64_alu_imm(x, X64_AND, 32, X64_RCX, 2 * (JIT_JUMPS - 1)); /* jit_jump_hash */
	}
	x64_alu_mem(x, X64_CMP, 64, pc, x64_at_index(X64_RDX, X64_RCX, 3, 0));
}

static void emit_by_table(const Engine *engine, X64Buf *x, u32 miss)
{
	if (x64_return_mask(engine) != -1)
		x64_alu_imm(x, X64_AND, 64, X64_RAX, x64_return_mask(engine));
	x64_emit_lookup(engine, x, X64_RAX);
	x64_patch(x64_jcc(x, X64_NE), x->start + miss);
	x64_jmp_mem(x, x64_at_index(X64_RDX, X64_RCX, 3, 8));
}

/* rax: the pc that a return goes to, where the stack knew better; not masked yet. */
static void emit_return(Engine *engine, X64Buf *x)
{
	engine->lookup = (u32)(x->at - x->start);
	emit_by_table(engine, x, engine->miss);
}

/* A jump whose pc is not in the table as it is: in a pinned register, or in rax. */
static void emit_jumps(Engine *engine, X64Buf *x)
{
	u8 *sites[JIT_PINS];

	for (u32 i = 0; i < JIT_PINS; i++) {
		engine->lookup_pin[i] = (u32)(x->at - x->start);
		x64_mov(x, 64, X64_RAX, x64_pin_regs[i]);
		sites[i] = x64_jmp(x);
	}
	engine->lookup_jump = (u32)(x->at - x->start);
	for (u32 i = 0; i < JIT_PINS; i++)
		x64_patch(sites[i], x->at);
	emit_by_table(engine, x, engine->miss_call);
}

static i32 frame_of_park(u32 park)
{
	return (i32)offsetof(JitFrame, xmm) + x64_park_regs[park] * 8;
}

/* rax, rcx, rdx: a, b, c; OPERATION: which. */
static void emit_evaluate(Engine *engine, X64Buf *x)
{
	static const u8 volatile_pins[] = { X64_RSI, X64_RDI, X64_R8, X64_R9, X64_R10, X64_R11 };

	engine->evaluate = (u32)(x->at - x->start);
	for (unsigned i = 0; i < 6; i++)
		x64_push(x, volatile_pins[i]);
	x64_load(x, 64, X64_RSI, x64_frame(engine, X64_AT_FRAME));
	for (u32 i = 0; i < engine->park_count; i++)
		x64_xmm_store(x, 64, x64_at(X64_RSI, frame_of_park(i)), x64_park_regs[i]);
	x64_mov(x, 64, X64_RSI, X64_RAX);
	x64_mov(x, 64, X64_RDI, X64_RSP); /* calls left it where they would */
	x64_alu_imm(x, X64_AND, 64, X64_RSP, -16);
	x64_push(x, X64_RDI);
	x64_push(x, X64_RDI);
	x64_load(x, 64, X64_RDI, x64_frame(engine, X64_AT_OPERATION));
	x64_mov(x, 64, X64_RAX, X64_RDX);
	x64_mov(x, 64, X64_RDX, X64_RCX);
	x64_mov(x, 64, X64_RCX, X64_RAX);
	x64_mov_imm(x, X64_RAX, (u64)(uintptr_t)engine->evaluator);
	x64_call_reg(x, X64_RAX);
	x64_pop(x, X64_RSP);
	x64_load(x, 64, X64_RSI, x64_frame(engine, X64_AT_FRAME));
	for (u32 i = 0; i < engine->park_count; i++)
		x64_xmm_load(x, 64, x64_park_regs[i], x64_at(X64_RSI, frame_of_park(i)));
	for (unsigned i = 6; i-- > 0;)
		x64_pop(x, volatile_pins[i]);
	x64_ret(x);
}

/* r15: the number of an exit with a map. Nothing is at home. */
static void emit_dump(Engine *engine, X64Buf *x)
{
	engine->dump = (u32)(x->at - x->start);
	x64_store(x, 32, x64_frame(engine, X64_AT_OPERATION), X64_R15);
	x64_load(x, 64, X64_R15, x64_frame(engine, X64_AT_FRAME));
	for (u8 i = 0; i < 16; i++) {
		x64_store(x, 64, x64_at(X64_R15, (i32)offsetof(JitFrame, gpr) + i * 8), i);
		x64_reg_mem(x, 0x66, false, 0x0FD6, i, x64_at(X64_R15, (i32)offsetof(JitFrame, xmm) + i * 8), false); /* movq */
	}
	x64_load(x, 32, X64_RAX, x64_frame(engine, X64_AT_OPERATION));
	x64_patch(x64_jmp(x), x->start + engine->leave_home);
}

/* Around a call of the host where MXCSR is not clean, or not the host's: the guest's flags come to the slot, as whoever is called
 * may look there, and clean ones go on. */
static void host_flags(JitFrame *frame)
{
	const Engine *engine = frame->engine;

	if (engine->flags_slot)
		frame->slots[engine->flags_slot] |= x64_flags_of_mxcsr[__builtin_ia32_stmxcsr() & 0x3F];
	__builtin_ia32_ldmxcsr(frame->host_mxcsr);
}

static void guest_flags(JitFrame *frame)
{
	frame->host_mxcsr = __builtin_ia32_stmxcsr() | (frame->host_mxcsr & 0x3Fu);
	__builtin_ia32_ldmxcsr(X64_MXCSR);
}

static void call_function(X64Buf *x, const void *function, size_t size)
{
	u64 to;

	memcpy(&to, function, size);
	x64_mov_imm(x, X64_RAX, to);
	x64_call_reg(x, X64_RAX);
}

/* Is MXCSR not as guests have it? */
static u8 *emit_odd_flags(const Engine *engine, X64Buf *x)
{
	mxcsr(x, 3, x64_frame(engine, X64_AT_OPERATION));
	x64_alu_mem_imm(x, X64_CMP, 32, x64_frame(engine, X64_AT_OPERATION), X64_MXCSR);
	return x64_jcc(x, X64_NE);
}

/* Before a call of the host from code with floats (rdi and r12: the JitFrame). */
static void emit_floats_before(const Engine *engine, X64Buf *x)
{
	void (*flags)(JitFrame *frame) = host_flags;
	u8 *odd, *usual;

	odd = emit_odd_flags(engine, x);
	x64_load(x, 32, X64_RCX, x64_at(X64_RDI, (i32)offsetof(JitFrame, host_mxcsr)));
	x64_alu_imm(x, X64_AND, 32, X64_RCX, ~0x3F);
	x64_alu_imm(x, X64_CMP, 32, X64_RCX, X64_MXCSR);
	usual = x64_jcc(x, X64_E);
	x64_patch(odd, x->at);
	call_function(x, &flags, sizeof flags);
	x64_mov(x, 64, X64_RDI, X64_R12);
	x64_patch(usual, x->at);
}

/* Behind it: rax and rdx stay. */
static void emit_floats_behind(const Engine *engine, X64Buf *x)
{
	void (*flags)(JitFrame *frame) = guest_flags;
	u8 *odd, *usual;

	odd = emit_odd_flags(engine, x);
	usual = x64_jmp(x);
	x64_patch(odd, x->at);
	x64_mov(x, 64, X64_R13, X64_RAX);
	x64_mov(x, 64, X64_R14, X64_RDX);
	x64_mov(x, 64, X64_RDI, X64_R12);
	call_function(x, &flags, sizeof flags);
	x64_mov(x, 64, X64_RAX, X64_R13);
	x64_mov(x, 64, X64_RDX, X64_R14);
	x64_patch(usual, x->at);
}

static void emit_jit_call(X64Buf *x)
{
	JitGoOn (*call)(JitFrame *frame, JitExit *exit, u64 left) = jit_call;

	x64_load(x, 64, X64_RSI, x64_at_index(X64_RSI, X64_R13, 3, 0));
	x64_mov(x, 64, X64_RDX, X64_R14);
	call_function(x, &call, sizeof call);
}

/*
 * eax: the number of a way out with the state at home, at an instruction that calls the host. The guest's calls stay on the stack.
 * Where there is code for floats, the host's own MXCSR comes back for the call only if it rounds in its own way, or the guest's has
 * flags: one that has changed and is read costs 30 ns.
 */
static void emit_call(Engine *engine, X64Buf *x)
{
	u8 *floats, *behind, *out;

	engine->call = (u32)(x->at - x->start);
	if (engine->switches) { /* the host may have code made, and then this could not be run */
		x64_patch(x64_jmp(x), x->start + engine->leave);
		return;
	}
	put_home(engine, x);
	x64_load(x, 64, X64_RDI, x64_frame(engine, X64_AT_FRAME));
	x64_mov(x, 32, X64_R13, X64_RAX);
	x64_mov(x, 64, X64_R15, X64_RSP);
	x64_alu_imm(x, X64_AND, 64, X64_RSP, -16);
	x64_mov(x, 64, X64_R12, X64_RDI);
	x64_load(x, 64, X64_RSI, x64_at(X64_RDI, (i32)offsetof(JitFrame, exits)));
	floats = emit_if_floats(x, X64_RDI, X64_NE);
	emit_jit_call(x);
	behind = x->at;
	x64_mov(x, 64, X64_RSP, X64_R15);
	x64_test(x, 64, X64_RAX, X64_RAX);
	out = x64_jcc(x, X64_E);
	x64_mov(x, 64, X64_R14, X64_RDX);
	fetch_home(engine, x); /* leaves rax and r14 alone */
	x64_jmp_reg(x, X64_RAX);
	x64_patch(out, x->at);
	x64_mov(x, 64, X64_R14, X64_RDX);
	x64_load(x, 32, X64_RAX, x64_at(X64_R12, (i32)offsetof(JitFrame, number)));
	x64_patch(x64_jmp(x), x->start + engine->leave_home);
	x64_patch(floats, x->at);
	emit_floats_before(engine, x);
	x64_load(x, 64, X64_RSI, x64_at(X64_RDI, (i32)offsetof(JitFrame, exits)));
	emit_jit_call(x);
	emit_floats_behind(engine, x);
	x64_patch(x64_jmp(x), behind);
}

/* Wherever the stack pointer is: what enter saved it as stands in the frame, and above it what it pushed. */
static void describe_frame(Engine *engine)
{
	static const u8 dwarf[] = { 3, 6, 12, 13, 14, 15 }; /* numbers of `saved` */
	u8 *at = engine->cfi, *length;
	i32 disp = x64_frame(engine, X64_AT_STACK).disp;

	*at++ = 0x0F; /* DW_CFA_def_cfa_expression */
	length = at++;
	*at++ = 0x76; /* DW_OP_breg6: rbp + a signed LEB128 */
	for (unsigned i = 0; i < 4; i++, disp >>= 7)
		*at++ = (u8)((disp & 0x7F) | 0x80);
	*at++ = (u8)(disp & 0x7F);
	*at++ = 0x06; /* DW_OP_deref */
	*at++ = 0x23; /* DW_OP_plus_uconst: the saved ones and the return address */
	*at++ = 8 * (6 + 1);
	*length = (u8)(at - length - 1);
	*at++ = 0x80 | 16; /* DW_CFA_offset: in units of -8 */
	*at++ = 1;
	for (unsigned i = 0; i < 6; i++) {
		*at++ = (u8)(0x80 | dwarf[i]);
		*at++ = (u8)(i + 2);
	}
	engine->cfi_size = (u32)(at - engine->cfi);
}

u64 x64_features(void)
{
	static const u32 leaves[] = { 1, 7, 0x80000001 };
	u64 hash = HASH_START;

	for (unsigned i = 0; i < 3; i++) {
		u32 a = 0, b = 0, c = 0, d = 0, words[3];

		__get_cpuid_count(leaves[i], 0, &a, &b, &c, &d);
		words[0] = leaves[i] == 7 ? b : 0; /* of the others: which core this is */
		words[1] = c;
		words[2] = d;
		hash = hash_bytes(hash, words, sizeof words);
	}
	return hash;
}

/* lzcnt and tzcnt. (Not every compiler's __builtin_cpu_supports knows the name of the first.) Asked once: a hypervisor may have to
 * answer, which takes microseconds. */
static bool has_lzcnt(void)
{
	u32 a, b, c, d;

	return __get_cpuid(0x80000001, &a, &b, &c, &d) && c & bit_LZCNT && __builtin_cpu_supports("bmi");
}

bool x64_start(Engine *engine)
{
	X64Buf x = { engine->rw, engine->rw, engine->rw + 4096, false };

	engine->has_fma = __builtin_cpu_supports("fma");
	engine->has_lzcnt = has_lzcnt();
	engine->has_wide = __builtin_cpu_supports("avx2");
	describe_frame(engine);
	emit_leave(engine, &x);
	engine->miss = emit_miss(engine, &x, JIT_MISSED);
	engine->miss_call = emit_miss(engine, &x, JIT_MISSED_CALL);
	emit_guess(engine, &x);
	emit_return(engine, &x);
	emit_jumps(engine, &x);
	emit_enter(engine, &x);
	emit_evaluate(engine, &x);
	emit_dump(engine, &x);
	emit_call(engine, &x);
	engine->used = ((u32)(x.at - x.start) + 63u) & ~63u;
	return !x.full;
}

static void bring_home(const Engine *engine, const JitMap *map, JitFrame *frame)
{
	for (u32 i = 0; i < engine->park_count; i++)
		if (!(map->unparked >> i & 1))
			frame->slots[engine->parked[i]] = frame->xmm[x64_park_regs[i]];
	jit_map_apply(map, frame, engine->slot_count);
}

u32 x64_enter(Engine *engine, JitFrame *frame, const JitBlock *block)
{
	u32 (*go)(JitFrame *frame), number;
	const u8 *code = engine->rx + engine->enter;

	memcpy(&go, &code, sizeof go);
	frame->code = engine->rx + block->entry;
	number = go(frame);
	if (number < JIT_CALLED && engine->exits[number]->map)
		bring_home(engine, engine->exits[number]->map, frame);
	if (engine->flags_slot && frame->floats)
		frame->slots[engine->flags_slot] |= x64_flags_of_mxcsr[frame->mxcsr & 0x3F];
	return number;
}
