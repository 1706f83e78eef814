/* SPDX-License-Identifier: MIT
 *
 * The x86-64 encoder: bytes of one instruction at a time into a buffer. The only place that knows how they are coded.
 *
 * Operands are registers by number (X64_RAX ..) and memory as base + displacement, or base + index * scale + displacement.
 * Sizes are in bits: 64 or 32 (8 and 16 where a function says so); a 32-bit operation clears the upper half. When the
 * buffer has no room for the longest instruction, `full` says so; the caller then throws the whole away.
 *
 * Source of the encodings: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.
 */
#ifndef JIT_X64_X64_EMIT_H
#define JIT_X64_X64_EMIT_H

#include <string.h>

#include "base/types.h"

enum { X64_RAX, X64_RCX, X64_RDX, X64_RBX, X64_RSP, X64_RBP, X64_RSI, X64_RDI,
       X64_R8, X64_R9, X64_R10, X64_R11, X64_R12, X64_R13, X64_R14, X64_R15, X64_NONE = 0xFF };

/* The number in the opcode's /digit and (times 8) in its op r, r/m form. */
typedef enum X64Alu { X64_ADD, X64_OR, X64_ADC, X64_SBB, X64_AND, X64_SUB, X64_XOR, X64_CMP } X64Alu;
typedef enum X64Shift { X64_ROL = 0, X64_ROR = 1, X64_SHL = 4, X64_SHR = 5, X64_SAR = 7 } X64Shift;
typedef enum X64Cond { X64_O, X64_NO, X64_B, X64_AE, X64_E, X64_NE, X64_BE, X64_A, X64_S, X64_NS, X64_P, X64_NP,
		       X64_L, X64_GE, X64_LE, X64_G } X64Cond;

enum { X64_LONGEST = 16 }; /* 15, and what is written over */

typedef struct X64Buf {
	u8 *start, *at, *end;
	bool full;
} X64Buf;

typedef struct X64Mem {
	u8 base, index, scale; /* index X64_NONE: none; scale: 0..3, a power of two */
	i32 disp;
} X64Mem;

static inline X64Mem x64_at(u8 base, i32 disp)
{
	return (X64Mem){.base = base, .index = X64_NONE, .disp = disp};
}

static inline X64Mem x64_at_index(u8 base, u8 index, u8 scale, i32 disp)
{
	return (X64Mem){.base = base, .index = index, .scale = scale, .disp = disp};
}

static inline void x64_byte(X64Buf *x, unsigned byte)
{
	if (x->at >= x->end)
		x->full = true;
	else
		*x->at++ = (u8)byte;
}

static inline void x64_bytes(X64Buf *x, const void *bytes, size_t len)
{
	if ((size_t)(x->end - x->at) < len) {
		x->full = true;
		return;
	}
	memcpy(x->at, bytes, len);
	x->at += len;
}

static inline void x64_imm32(X64Buf *x, i32 value)
{
	x64_bytes(x, &value, 4);
}

/* Below: register in the reg field, register or memory in r/m. opcode: one byte, or 0x0Fxx, or 0x0F38xx; prefix 0: none.
 * rex8: a REX is wanted so that 4..7 mean spl..dil. */
static inline void x64_opcode(X64Buf *x, u32 opcode)
{
	if (opcode > 0xFFFF)
		x64_byte(x, opcode >> 16);
	if (opcode > 0xFF)
		x64_byte(x, opcode >> 8 & 0xFF);
	x64_byte(x, opcode & 0xFF);
}

/* Room for a whole instruction is asked for once: where to write it, or NULL. */
static inline u8 *x64_begin(X64Buf *x)
{
	if ((size_t)(x->end - x->at) >= X64_LONGEST)
		return x->at;
	x->full = true;
	return NULL;
}

/* Prefixes and opcode. */
static inline u8 *x64_put_opcode(u8 *at, u8 prefix, u8 rex, u32 opcode)
{
	if (prefix)
		*at++ = prefix;
	if (rex)
		*at++ = rex;
	if (opcode > 0xFFFF)
		*at++ = (u8)(opcode >> 16);
	if (opcode > 0xFF)
		*at++ = (u8)(opcode >> 8);
	*at++ = (u8)opcode;
	return at;
}

/* An instruction with `imm_bytes` of a number behind it. */
static inline void x64_reg_reg_imm(X64Buf *x, u8 prefix, bool wide, u32 opcode, u8 reg, u8 rm, bool rex8, i32 imm, unsigned imm_bytes)
{
	u8 rex = (u8)((wide ? 8 : 0) | (reg & 8) >> 1 | (rm & 8) >> 3), *at = x64_begin(x);

	if (!at)
		return;
	at = x64_put_opcode(at, prefix, rex || rex8 ? 0x40 | rex : 0, opcode);
	*at++ = (u8)(0xC0u | (reg & 7u) << 3 | (rm & 7u));
	if (imm_bytes)
		memcpy(at, &imm, 4);
	x->at = at + imm_bytes;
}

static inline void x64_reg_reg(X64Buf *x, u8 prefix, bool wide, u32 opcode, u8 reg, u8 rm, bool rex8)
{
	x64_reg_reg_imm(x, prefix, wide, opcode, reg, rm, rex8, 0, 0);
}

static inline void x64_reg_mem(X64Buf *x, u8 prefix, bool wide, u32 opcode, u8 reg, X64Mem mem, bool rex8)
{
	bool has_index = mem.index != X64_NONE, small = mem.disp >= -128 && mem.disp <= 127;
	bool none = mem.disp == 0 && (mem.base & 7) != 5;
	u8 rex = (u8)((wide ? 8 : 0) | (reg & 8) >> 1 | (has_index ? (mem.index & 8) >> 2 : 0) | (mem.base & 8) >> 3);
	u8 *at = x64_begin(x), mod = (u8)((none ? 0 : small ? 0x40 : 0x80) | (reg & 7u) << 3);

	if (!at)
		return;
	at = x64_put_opcode(at, prefix, rex || rex8 ? 0x40 | rex : 0, opcode);
	if (has_index || (mem.base & 7) == 4) {
		*at++ = mod | 4;
		*at++ = (u8)((unsigned)mem.scale << 6 | (has_index ? mem.index & 7u : 4u) << 3 | (mem.base & 7u));
	} else {
		*at++ = mod | (mem.base & 7);
	}
	memcpy(at, &mem.disp, 4); /* what is not of it is written over */
	x->at = at + (none ? 0 : small ? 1 : 4);
}

/* An opcode of at most two bytes and four of a number. */
static inline void x64_op_imm32(X64Buf *x, unsigned first, unsigned second, i32 imm)
{
	u8 *at = x64_begin(x);

	if (!at)
		return;
	if (first)
		*at++ = (u8)first;
	*at++ = (u8)second;
	memcpy(at, &imm, 4);
	x->at = at + 4;
}

/* ---- Moves ---- */

static inline void x64_mov(X64Buf *x, unsigned bits, u8 to, u8 from)
{
	if (to != from || bits == 32) /* 32: clears the upper half */
		x64_reg_reg(x, 0, bits == 64, 0x8B, to, from, false);
}

static inline void x64_load(X64Buf *x, unsigned bits, u8 to, X64Mem from)
{
	x64_reg_mem(x, 0, bits == 64, 0x8B, to, from, false);
}

static inline void x64_store(X64Buf *x, unsigned bits, X64Mem to, u8 from)
{
	x64_reg_mem(x, bits == 16 ? 0x66 : 0, bits == 64, bits == 8 ? 0x88 : 0x89, from, to, bits == 8);
}

static inline void x64_load_zx(X64Buf *x, unsigned bits, u8 to, X64Mem from)
{
	if (bits >= 32)
		x64_load(x, bits, to, from);
	else
		x64_reg_mem(x, 0, false, bits == 8 ? 0x0FB6 : 0x0FB7, to, from, false);
}

/* Sign-extended to 64 bits. */
static inline void x64_load_sx(X64Buf *x, unsigned bits, u8 to, X64Mem from)
{
	x64_reg_mem(x, 0, true, bits == 8 ? 0x0FBE : bits == 16 ? 0x0FBF : bits == 32 ? 0x63 : 0x8B, to, from, false);
}

static inline void x64_zx(X64Buf *x, unsigned bits, u8 to, u8 from)
{
	if (bits == 64)
		x64_mov(x, 64, to, from);
	else if (bits == 32)
		x64_reg_reg(x, 0, false, 0x8B, to, from, false);
	else
		x64_reg_reg(x, 0, false, bits == 8 ? 0x0FB6 : 0x0FB7, to, from, bits == 8);
}

static inline void x64_sx(X64Buf *x, unsigned bits, u8 to, u8 from)
{
	x64_reg_reg(x, 0, true, bits == 8 ? 0x0FBE : bits == 16 ? 0x0FBF : bits == 32 ? 0x63 : 0x8B, to, from, bits == 8);
}

static inline void x64_mov_imm(X64Buf *x, u8 to, u64 value)
{
	if (value == 0) {
		x64_reg_reg(x, 0, false, 0x33, to, to, false); /* changes the flags */
	} else if (value <= 0xFFFFFFFFu) {
		x64_op_imm32(x, to & 8 ? 0x41 : 0, 0xB8u | (to & 7u), (i32)(u32)value);
	} else if ((i64)value == (i32)value) {
		x64_reg_reg_imm(x, 0, true, 0xC7, 0, to, false, (i32)value, 4);
	} else {
		x64_byte(x, to & 8 ? 0x49 : 0x48);
		x64_byte(x, 0xB8u | (to & 7u));
		x64_bytes(x, &value, 8);
	}
}

static inline void x64_store_imm(X64Buf *x, unsigned bits, X64Mem to, i32 value)
{
	x64_reg_mem(x, bits == 16 ? 0x66 : 0, bits == 64, bits == 8 ? 0xC6 : 0xC7, 0, to, false);
	if (bits == 8)
		x64_byte(x, (u8)value);
	else if (bits == 16)
		x64_bytes(x, &value, 2);
	else
		x64_imm32(x, value);
}

static inline void x64_lea(X64Buf *x, unsigned bits, u8 to, X64Mem from)
{
	x64_reg_mem(x, 0, bits == 64, 0x8D, to, from, false);
}

/* ---- Arithmetic ---- */

static inline void x64_alu(X64Buf *x, X64Alu op, unsigned bits, u8 to, u8 from)
{
	x64_reg_reg(x, 0, bits == 64, (u32)op << 3 | 3, to, from, false);
}

static inline void x64_alu_mem(X64Buf *x, X64Alu op, unsigned bits, u8 to, X64Mem from)
{
	x64_reg_mem(x, 0, bits == 64, (u32)op << 3 | 3, to, from, false);
}

static inline void x64_alu_imm(X64Buf *x, X64Alu op, unsigned bits, u8 to, i32 value)
{
	bool small = value >= -128 && value <= 127;

	x64_reg_reg_imm(x, 0, bits == 64, small ? 0x83 : 0x81, (u8)op, to, false, value, small ? 1 : 4);
}

static inline void x64_alu_mem_imm(X64Buf *x, X64Alu op, unsigned bits, X64Mem to, i32 value)
{
	bool small = value >= -128 && value <= 127;

	x64_reg_mem(x, 0, bits == 64, small ? 0x83 : 0x81, (u8)op, to, false);
	if (small)
		x64_byte(x, (u8)value);
	else
		x64_imm32(x, value);
}

static inline void x64_test(X64Buf *x, unsigned bits, u8 a, u8 b)
{
	x64_reg_reg(x, 0, bits == 64, 0x85, a, b, false);
}

/* Of the low byte of a register, or of a byte in memory. */
static inline void x64_test_imm8(X64Buf *x, u8 a, u8 value)
{
	x64_reg_reg_imm(x, 0, false, 0xF6, 0, a, true, value, 1);
}

static inline void x64_imul(X64Buf *x, unsigned bits, u8 to, u8 from)
{
	x64_reg_reg(x, 0, bits == 64, 0x0FAF, to, from, false);
}

static inline void x64_imul_imm(X64Buf *x, unsigned bits, u8 to, u8 from, i32 value)
{
	x64_reg_reg_imm(x, 0, bits == 64, 0x69, to, from, false, value, 4);
}

/* digit 4 mul, 5 imul (rdx:rax = rax * a), 6 div, 7 idiv, 3 neg, 2 not */
static inline void x64_unary(X64Buf *x, unsigned bits, u8 digit, u8 a)
{
	x64_reg_reg(x, 0, bits == 64, 0xF7, digit, a, false);
}

static inline void x64_cqo(X64Buf *x, unsigned bits)
{
	if (bits == 64)
		x64_byte(x, 0x48);
	x64_byte(x, 0x99);
}

static inline void x64_shift_imm(X64Buf *x, X64Shift op, unsigned bits, u8 to, u8 count)
{
	x64_reg_reg_imm(x, 0, bits == 64, 0xC1, (u8)op, to, false, count, 1);
}

/* By cl. */
static inline void x64_shift(X64Buf *x, X64Shift op, unsigned bits, u8 to)
{
	x64_reg_reg(x, 0, bits == 64, 0xD3, (u8)op, to, false);
}

static inline void x64_bswap(X64Buf *x, unsigned bits, u8 to)
{
	x64_byte(x, 0x40u | (bits == 64 ? 8 : 0) | (to & 8 ? 1 : 0));
	x64_byte(x, 0x0F);
	x64_byte(x, 0xC8u | (to & 7u));
}

static inline void x64_setcc(X64Buf *x, X64Cond cond, u8 to)
{
	x64_reg_reg(x, 0, false, 0x0F90u | cond, 0, to, true);
	x64_zx(x, 8, to, to);
}

static inline void x64_cmov(X64Buf *x, X64Cond cond, u8 to, u8 from)
{
	x64_reg_reg(x, 0, true, 0x0F40u | cond, to, from, false);
}

/* ---- Control. Targets are patched in: the functions give the place of the 32-bit displacement ---- */

static inline u8 *x64_jmp(X64Buf *x)
{
	x64_op_imm32(x, 0, 0xE9, 0);
	return x->at - 4;
}

static inline u8 *x64_call(X64Buf *x)
{
	x64_op_imm32(x, 0, 0xE8, 0);
	return x->at - 4;
}

static inline u8 *x64_jcc(X64Buf *x, X64Cond cond)
{
	x64_op_imm32(x, 0x0F, 0x80u | cond, 0);
	return x->at - 4;
}

static inline void x64_jmp_mem(X64Buf *x, X64Mem to)
{
	x64_reg_mem(x, 0, false, 0xFF, 4, to, false);
}

static inline void x64_jmp_reg(X64Buf *x, u8 to)
{
	x64_reg_reg(x, 0, false, 0xFF, 4, to, false);
}

static inline void x64_call_mem(X64Buf *x, X64Mem to)
{
	x64_reg_mem(x, 0, false, 0xFF, 2, to, false);
}

static inline void x64_call_reg(X64Buf *x, u8 to)
{
	x64_reg_reg(x, 0, false, 0xFF, 2, to, false);
}

static inline void x64_push(X64Buf *x, u8 reg)
{
	if (reg & 8)
		x64_byte(x, 0x41);
	x64_byte(x, 0x50u | (reg & 7u));
}

static inline void x64_pop(X64Buf *x, u8 reg)
{
	if (reg & 8)
		x64_byte(x, 0x41);
	x64_byte(x, 0x58u | (reg & 7u));
}

static inline void x64_ret(X64Buf *x)
{
	x64_byte(x, 0xC3);
}

/* The displacement at `place` leads to `to`: both as addresses where the code will run. */
static inline void x64_patch(u8 *place, const u8 *to)
{
	i32 disp = (i32)(to - (place + 4));

	memcpy(place, &disp, 4);
}

#endif
