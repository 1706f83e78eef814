/* SPDX-License-Identifier: MIT
 *
 * The dispatch loop: each uop names its handler, and each handler ends by jumping to the next one's (direct
 * threading), so the host predicts every guest operation's successor by itself.
 *
 * Registers of the loop: `u` the uop, `f` the operand file, `left` what remains of the budget, `block`. Everything
 * else is in *x. Slow paths are functions of their own, marked cold, so that they cost the loop no registers.
 *
 * Accounting. `left` is charged when a block is left (EXIT, JUMP: `to` instructions have retired), never between; so
 * inside a block icount is x->limit - left plus the number of the running instruction.
 */
#include "interp/interp_private.h"

#include <string.h>

#include "base/bits.h"
#include "interp/interp_float.h"

#define COLD __attribute__((noinline, cold))

static inline u32 uop_to(const Uop *u)
{
	return u->d | (u32)u->d2 << 16;
}

/* The guest instruction that an uop belongs to. */
COLD static const InsnRun *find_run(const Block *block, const Uop *u)
{
	u32 index = (u32)(u - block->uops), lo = 0, hi = block->run_count;

	while (hi - lo > 1) {
		u32 middle = lo + (hi - lo) / 2;

		if (block->runs[middle].first <= index)
			lo = middle;
		else
			hi = middle;
	}
	return &block->runs[lo];
}

/* Makes slot 0 and icount those of the start of the uop's instruction. */
COLD static void sync_state(Exec *x, const Block *block, const Uop *u, u64 left)
{
	const InsnRun *run = find_run(block, u);

	x->left = left - run->number;
	x->vcpu->slots[0] = run->pc;
	x->vcpu->icount = x->limit - x->left;
}

/* ---- Slow accesses ---- */

typedef enum Slow { SLOW_DONE, SLOW_BAIL, SLOW_EXIT } Slow;

static AccessResult raw_fault(Vcpu *vcpu, unsigned space, u64 address, bool write)
{
	vcpu->exit = (VcpuExit){.kind = EXIT_FAULT, .value = address, .space = (u16)space, .write = write};
	return ACCESS_EXIT;
}

static AccessResult raw_read(Vcpu *vcpu, unsigned number, u64 address, unsigned width, u64 *value)
{
	const Space *space = &vcpu->spaces[number];
	unsigned count = width / space->cell_bits;
	u64 whole = 0, cell = 0;

	for (unsigned i = 0; i < count; i++) {
		if (!space_peek(space, address + i, &cell))
			return raw_fault(vcpu, number, (address + i) & space->wrap_mask, false);
		if (space->big)
			whole = (space->cell_bits < 64 ? whole << space->cell_bits : 0) | cell;
		else
			whole |= cell << (i * space->cell_bits);
	}
	*value = whole;
	return ACCESS_OK;
}

static AccessResult raw_write(Exec *x, unsigned number, u64 address, unsigned width, u64 value)
{
	Space *space = &x->vcpu->spaces[number];
	unsigned count = width / space->cell_bits;

	for (unsigned i = 0; i < count; i++)
		if (((address + i) & space->wrap_mask) >= space->cells)
			return raw_fault(x->vcpu, number, (address + i) & space->wrap_mask, true);
	for (unsigned i = 0; i < count; i++) {
		unsigned shift = (space->big ? count - 1 - i : i) * space->cell_bits;

		space_poke(space, address + i, value >> shift);
	}
	if (number == x->engine->env.code_space && x->engine->env.code_changed)
		x->engine->env.code_changed(x->engine->env.ctx, x->vcpu, address & space->wrap_mask, count);
	else if (number == x->engine->env.code_space)
		interp_cache_invalidate(x->engine, x->vcpu, address & space->wrap_mask, count);
	return ACCESS_OK;
}

enum { OWN_CELLS = 32 }; /* no instruction is longer (256 bits) */

/* No device answers in a paged space, so such an access does nothing but give or take a value (and make pages present), and
 * is done in place in the lean mode, too. When anything else came of it (code was forgotten, somebody watches), the
 * instruction is run again alone; that is the same access once more, unless it was a store into the instruction itself:
 * that one is left to the instruction alone from the start. */
COLD static Slow paged_access(Exec *x, unsigned number, u64 address, unsigned width, bool store, u64 *value)
{
	const EngineEnv *env = &x->engine->env;
	u64 pc = x->vcpu->slots[0];
	AccessResult result;

	if (store && number == env->code_space && (address - pc < OWN_CELLS || pc - address < width / 8))
		return SLOW_BAIL;
	result = store ? env->write(env->ctx, x->vcpu, number, address, width, *value)
		       : env->read(env->ctx, x->vcpu, number, address, width, value);
	if (result != ACCESS_OK)
		return SLOW_EXIT;
	return x->engine->attention || x->vcpu->pending.kind != EXIT_BUDGET || x->vcpu->event_pending ? SLOW_BAIL : SLOW_DONE;
}

/* Reads or writes for the uop at u what its fast path did not dare. A store takes *value, a load gives it. */
COLD static Slow slow_access(Exec *x, const Block *block, const Uop *u, u64 left, bool store, u64 *value)
{
	u32 meta = block->meta[u - block->uops];
	unsigned number = meta >> META_SPACE_SHIFT & META_SPACE, width = meta & META_WIDTH;
	u64 address = x->vcpu->slots[u->a] + u->imm;
	const EngineEnv *env = &x->engine->env;
	AccessResult result;

	address = bits_trunc(address, meta >> META_ADDRESS_SHIFT & META_WIDTH);
	if (!(meta & META_CAREFUL)) {
		sync_state(x, block, u, left);
		return x->vcpu->spaces[number].paged ? paged_access(x, number, address, width, store, value) : SLOW_BAIL;
	}
	x->engine->attention = true;
	if (!(meta & META_RAW))
		result = store ? env->write(env->ctx, x->vcpu, number, address, width, *value)
			       : env->read(env->ctx, x->vcpu, number, address, width, value);
	else
		result = store ? raw_write(x, number, address, width, *value)
			       : raw_read(x->vcpu, number, address, width, value);
	if (result == ACCESS_OK)
		return SLOW_DONE;
	if (block->run_count && !x->handler)
		sync_state(x, block, u, left);
	return SLOW_EXIT;
}

/* What a load that took the slow way gives. */
COLD static u64 extended(const Block *block, const Uop *u, u64 value)
{
	u32 meta = block->meta[u - block->uops];

	return meta & META_SIGNED ? (u64)bits_signed(value, meta & META_WIDTH) : value;
}

/* An atomic access: the value that was there goes to *old. */
static Slow run_atomic(Exec *x, const Block *block, const Uop *u, u64 left, u64 *old)
{
	u32 meta = block->meta[u - block->uops];
	unsigned number = meta >> META_SPACE_SHIFT & META_SPACE;
	const u64 *f = x->vcpu->slots;
	Atomic op = {.cas = (u->imm & 0xFFFF) == ATOMIC_CAS, .kind = (IrRmw)(u->imm & 15), .width = meta & META_WIDTH,
		     .value = f[u->imm >> 16 & 0xFFFF], .expected = f[u->imm >> 32 & 0xFFFF]};
	u64 address = bits_trunc(f[u->a], meta >> META_ADDRESS_SHIFT & META_WIDTH);
	const EngineEnv *env = &x->engine->env;
	AccessResult result;

	if (LIKELY(!(meta & META_RAW) && interp_atomic_plain(&x->vcpu->spaces[number], &op, address, old)))
		return SLOW_DONE;
	if (!(meta & META_CAREFUL)) {
		sync_state(x, block, u, left);
		return SLOW_BAIL;
	}
	x->engine->attention = true;
	result = meta & META_RAW ? raw_read(x->vcpu, number, address, op.width, old)
				 : env->read(env->ctx, x->vcpu, number, address, op.width, old);
	if (result == ACCESS_OK) {
		u64 value = !op.cas ? ir_rmw_value(op.kind, op.width, *old, op.value)
				    : *old == op.expected ? op.value : *old; /* written back, as hosts do: the right is needed */

		result = meta & META_RAW ? raw_write(x, number, address, op.width, value)
					 : env->write(env->ctx, x->vcpu, number, address, op.width, value);
	}
	if (result == ACCESS_OK)
		return SLOW_DONE;
	if (block->run_count && !x->handler)
		sync_state(x, block, u, left);
	return SLOW_EXIT;
}

COLD static Slow call_host(Exec *x, const Block *block, const Uop *u, u64 left)
{
	const EngineEnv *env = &x->engine->env;
	const u16 *call = &block->calls[u->imm];
	u64 args[256], result = 0;
	unsigned width = call[1], count = call[2];
	AccessResult outcome;
	bool before;

	for (unsigned i = 0; i < count; i++)
		args[i] = x->vcpu->slots[call[3 + i]];
	before = x->engine->attention;
	x->engine->attention = false;
	x->engine->host_depth++;
	outcome = env->host(env->ctx, x->vcpu, call[0], args, count, &result);
	x->engine->host_depth--;
	x->engine->running = true; /* it may have run the engine itself */
	if (before || x->handler || block->dirty || x->vcpu->event_pending || x->vcpu->pending.kind != EXIT_BUDGET || outcome != ACCESS_OK)
		x->engine->attention = true;
	if (outcome != ACCESS_OK) {
		if (!x->handler)
			sync_state(x, block, u, left);
		return SLOW_EXIT;
	}
	x->vcpu->slots[u->d] = x->vcpu->slots[u->d2] = width ? bits_trunc(result, width) : 0;
	return SLOW_DONE;
}

/* ---- Ways out ---- */

COLD static Outcome leave_raise(Exec *x, const Block *block, const Uop *u, u64 left, ExitKind kind)
{
	u64 value = kind == EXIT_RAISE ? x->vcpu->slots[u->a] + u->imm : 0;

	sync_state(x, block, u, left);
	x->vcpu->exit = (VcpuExit){.kind = kind, .value = value};
	return OUT_EXIT;
}

COLD static Outcome leave_stop(Exec *x, const Block *block, const Uop *u, u64 left)
{
	Vcpu *vcpu = x->vcpu;
	u64 value = vcpu->slots[u->a] + u->imm, pc = vcpu->slots[0];

	sync_state(x, block, u, left);
	vcpu->slots[0] = u->d ? pc : (vcpu->slots[0] + u->d2) & vcpu->spaces[x->engine->env.code_space].wrap_mask;
	vcpu->icount++;
	x->left--;
	vcpu->exit = (VcpuExit){.kind = EXIT_STOP, .value = value};
	return OUT_STOP;
}

/* A computed jump that the jump cache does not know. */
static inline Block *jump_target(Exec *x, const Block *block, u64 pc)
{
	Block *target = x->engine->jump_cache[interp_jump_hash(pc)];

	return target->pc == pc && target->context == block->context ? target : x->engine->nowhere;
}

/* ---- Plain cells ---- */

static inline u64 load_bytes(const Space *space, u64 at, unsigned bytes)
{
	u64 value = 0;

	memcpy(&value, space->base + at, bytes);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "load_bytes and store_bytes are written for little-endian hosts"
#endif
	return space->big ? __builtin_bswap64(value) >> (64 - 8 * bytes) : value;
}

static inline void store_bytes(Space *space, u64 at, unsigned bytes, u64 value)
{
	if (space->big)
		value = __builtin_bswap64(value) >> (64 - 8 * bytes);
	memcpy(space->base + at, &value, bytes);
}

/* Is any of the cells at .. at+bytes-1 marked with one of `attrs`? */
static inline bool marked(const Space *space, u64 at, unsigned bytes, u8 attrs)
{
	u64 marks = 0;

	if (space->attr_shift)
		return (space->attr[at >> space->attr_shift] | space->attr[(at + bytes - 1) >> space->attr_shift]) &
		       attrs;
	memcpy(&marks, space->attr + at, bytes);
	return (marks & 0x0101010101010101u * attrs) != 0;
}

#define SPACE(u) ((Space *)(void *)(spaces + (size_t)(u)->b * 8))

/* ---- The loop ---- */

static Outcome execute(Exec *x, Block *block, const void *const **table);

const void *const *interp_handlers(void)
{
	const void *const *table = NULL;

	execute(NULL, NULL, &table);
	return table;
}

Outcome interp_execute(Exec *x, Block *block)
{
	return execute(x, block, NULL);
}

static Outcome execute(Exec *x, Block *block, const void *const **table)
{
	static const void *const handlers[UOP_COUNT] = {
#define X(name, text) &&do_##name,
#include "interp/uops.def"
#undef X
	};
	const Uop *u;
	u64 *f, left, value;
	u8 *spaces; /* the array stays where it is, whatever happens to the spaces in it */
	Slow slow;

	if (table) {
		*table = handlers;
		return OUT_RET;
	}
	f = x->vcpu->slots;
	spaces = (u8 *)x->vcpu->spaces;
	left = x->left;
	u = block->uops;

#define GO goto *u->handler
#define NEXT do { u++; GO; } while (0)
#define RESULT(expression) do { u64 r_ = (expression); f[u->d] = r_; f[u->d2] = r_; NEXT; } while (0)
#define A f[u->a]
#define B f[u->b]
#define IMM u->imm
/* Enters the chained block if the budget pays for it. `retired` of this one are charged. */
#define CHAIN(exit_uop) \
	do { \
		Block *to_ = (Block *)(uintptr_t)(exit_uop)->imm; \
		left -= uop_to(exit_uop); \
		if (UNLIKELY(left < to_->cost)) { \
			u = (exit_uop); \
			goto dispatch; \
		} \
		block = to_; \
		u = to_->uops; \
		GO; \
	} while (0)

	GO;

do_MOV: RESULT(A);
do_SET: RESULT(IMM);
do_ADD_RR: RESULT((A + B) & IMM);
do_ADD_RI: RESULT((A + IMM) << u->b >> u->b);
do_ADD16_RR: RESULT((u16)(A + B));
do_ADD16_RI: RESULT((u16)(A + IMM));
do_ADD32_RI: RESULT((u32)(A + IMM));
do_ADD64_RI: RESULT(A + IMM);
do_ADDW_RI: RESULT((u64)(i64)(i32)(u32)(A + IMM));
do_ADDW_RR: RESULT((u64)(i64)(i32)(u32)(A + B));
do_SUBW_RR: RESULT((u64)(i64)(i32)(u32)(A - B));
do_SUB_RR: RESULT((A - B) & IMM);
do_SUB_IR: RESULT((IMM - A) << u->b >> u->b);
do_MUL_RR: RESULT((A * B) & IMM);
do_MUL_RI: RESULT((A * IMM) << u->b >> u->b);
do_AND_RR: RESULT(A & B);
do_AND_RI: RESULT(A & IMM);
do_OR_RR: RESULT(A | B);
do_OR_RI: RESULT(A | IMM);
do_XOR_RR: RESULT(A ^ B);
do_XOR_RI: RESULT(A ^ IMM);
do_SHL_RR: RESULT(B >= 64 - IMM ? 0 : A << B << IMM >> IMM);
do_SHL_RI: RESULT((A << u->b) & IMM);
do_SHR_RR: RESULT(B >= 64 ? 0 : A >> B);
do_EXTRACT: RESULT((A >> u->b) & IMM);
do_SX: RESULT((u64)((i64)(A << (u->b & 63)) >> (u->b >> 8)) & IMM);
do_CONCAT: RESULT(A << IMM | B);
do_CONCAT_RI: RESULT(A << u->b | IMM);
do_SEL: RESULT(A ? B : f[IMM]);
do_EVAL:
	RESULT(ir_eval((IrOp)(IMM & 0xFF), IMM >> 8 & 0xFF, IMM >> 16 & 0xFF, IMM >> 32 & 0xFFFF, A, B,
		       f[IMM >> 48]));

#define FLOAT_OPS(bits) \
do_FADD##bits: RESULT(float_bits##bits(float_of##bits(A) + float_of##bits(B))); \
do_FSUB##bits: RESULT(float_bits##bits(float_of##bits(A) - float_of##bits(B))); \
do_FMUL##bits: RESULT(float_bits##bits(float_of##bits(A) * float_of##bits(B))); \
do_FDIV##bits: RESULT(float_bits##bits(float_of##bits(A) / float_of##bits(B))); \
do_FEQ##bits: RESULT(float_of##bits(A) == float_of##bits(B)); \
do_FLT##bits: RESULT(float_of##bits(A) < float_of##bits(B)); \
do_FLE##bits: RESULT(float_of##bits(A) <= float_of##bits(B));

	FLOAT_OPS(64)
	FLOAT_OPS(32)

do_FLOAT: RESULT(interp_float_value(IMM, A, B, f[IMM >> 16 & 0xFFFF]));
do_FLOAT_X:
	interp_float_flagged(u, f);
	NEXT;

/* With flags: see interp_float.h. */
#define OLD f[IMM & 0xFFFF]
#define C f[IMM >> 16 & 0xFFFF]
#define FLAGGED(name, result, ordinary) \
do_##name##_X: { \
		u64 r_ = (result), old_ = OLD; \
		if (LIKELY((old_ & IR_FLOAT_INEXACT) && ordinary(r_))) { \
			f[u->d] = r_; \
			f[u->d2] = old_; \
		} else { \
			interp_float_flagged(u, f); \
		} \
		NEXT; \
	}
#define FLAGGED_ORDER(name, bits, result) \
do_##name##bits##_X: { \
		u64 old_ = OLD; \
		if (UNLIKELY(__builtin_isunordered(float_of##bits(A), float_of##bits(B)))) { \
			interp_float_flagged(u, f); \
			NEXT; \
		} \
		value = (result); \
		f[u->d] = value; \
		f[u->d2] = old_; \
		NEXT; \
	}
#define FLAGGED_OPS(bits) \
	FLAGGED(FADD##bits, float_raw##bits(float_of##bits(A) + float_of##bits(B)), float_finite##bits) \
	FLAGGED(FSUB##bits, float_raw##bits(float_of##bits(A) - float_of##bits(B)), float_finite##bits) \
	FLAGGED(FMUL##bits, float_raw##bits(float_of##bits(A) * float_of##bits(B)), float_ordinary##bits) \
	FLAGGED(FDIV##bits, float_raw##bits(float_of##bits(A) / float_of##bits(B)), float_ordinary##bits) \
	FLAGGED(FSQRT##bits, float_raw##bits(float_sqrt##bits(float_of##bits(A))), float_ordinary##bits) \
	FLAGGED_ORDER(FEQ, bits, float_of##bits(A) == float_of##bits(B)) \
	FLAGGED_ORDER(FLT, bits, float_of##bits(A) < float_of##bits(B)) \
	FLAGGED_ORDER(FLE, bits, float_of##bits(A) <= float_of##bits(B)) \
	FLAGGED_ORDER(FMIN, bits, float_of##bits(A) < float_of##bits(B) ? A : float_of##bits(B) < float_of##bits(A) ? B : A | B) \
	FLAGGED_ORDER(FMAX, bits, float_of##bits(A) > float_of##bits(B) ? A : float_of##bits(B) > float_of##bits(A) ? B : A & B)

	FLAGGED_OPS(64)
	FLAGGED_OPS(32)

/* Conversions: exact, or inexact is set already. */
#define FLAGGED_TO_INTEGER(bits) \
do_FTOS##bits##_X: { \
		double x_ = float_of##bits(A); \
		u64 old_ = OLD; \
		unsigned up_ = 64 - (IMM >> 40 & 0x7F); \
		i64 whole_ = x_ > -0x1p62 && x_ < 0x1p62 ? (i64)x_ : INT64_MAX; \
		if (LIKELY((i64)((u64)whole_ << up_) >> up_ == whole_ && whole_ != INT64_MAX && \
			   ((old_ & IR_FLOAT_INEXACT) || (double)whole_ == x_))) { \
			f[u->d] = (u64)whole_ << up_ >> up_; \
			f[u->d2] = old_; \
		} else { \
			interp_float_flagged(u, f); \
		} \
		NEXT; \
	}
#define FLAGGED_OF_INTEGER(bits, type, most) \
do_FOFS##bits##_X: { \
		unsigned up_ = 64 - (IMM >> 48 & 0x7F); \
		u64 old_ = OLD; \
		i64 from_ = (i64)(A << up_) >> up_; \
		if (LIKELY((old_ & IR_FLOAT_INEXACT) || (u64)from_ + (most) <= 2 * (most))) { \
			f[u->d] = float_raw##bits((type)from_); \
			f[u->d2] = old_; \
		} else { \
			interp_float_flagged(u, f); \
		} \
		NEXT; \
	}
	FLAGGED_TO_INTEGER(64)
	FLAGGED_TO_INTEGER(32)
	FLAGGED_OF_INTEGER(64, double, (u64)1 << 53)
	FLAGGED_OF_INTEGER(32, float, (u64)1 << 24)
	FLAGGED(NARROW, float_raw32((float)float_of64(A)), float_ordinary32)
do_WIDEN_X: {
		float x_ = float_of32(A);
		u64 old_ = OLD;

		if (UNLIKELY(x_ != x_)) {
			interp_float_flagged(u, f);
			NEXT;
		}
		f[u->d] = float_raw64(x_);
		f[u->d2] = old_;
		NEXT;
	}
do_FOFS64: {
		unsigned up_ = 64 - (IMM >> 48 & 0x7F);

		RESULT(float_raw64((double)((i64)(A << up_) >> up_)));
	}
do_UNBOX: RESULT(A >> 32 == 0xFFFFFFFF ? (u32)A : IMM);
	FLAGGED(FMA32, float_raw32(float_fma32(float_of32(A), float_of32(B), float_of32(C))), float_ordinary32)
	FLAGGED(FMA64, float_raw64(interp_fma64(float_of64(A), float_of64(B), float_of64(C))), float_ordinary64)
#undef OLD
#undef C

/* One compare is a value, a jump and a pair of exits. */
#define COMPARE(name, test) \
do_##name: RESULT(test); \
do_J_##name: if (test) { u = block->uops + uop_to(u); GO; } NEXT; \
do_X_##name: if (test) { u++; CHAIN(u); } u += 2; CHAIN(u);

	COMPARE(EQ_RR, A == B)
	COMPARE(NE_RR, A != B)
	COMPARE(LTS_RR, (i64)(A << IMM) < (i64)(B << IMM))
	COMPARE(LES_RR, (i64)(A << IMM) <= (i64)(B << IMM))
	COMPARE(LTU_RR, A < B)
	COMPARE(LEU_RR, A <= B)
	COMPARE(EQ_RI, A == IMM)
	COMPARE(NE_RI, A != IMM)
	COMPARE(LTS_RI, (i64)(A << u->b) < (i64)IMM)
	COMPARE(LES_RI, (i64)(A << u->b) <= (i64)IMM)
	COMPARE(GTS_RI, (i64)(A << u->b) > (i64)IMM)
	COMPARE(GES_RI, (i64)(A << u->b) >= (i64)IMM)
	COMPARE(LTU_RI, A < IMM)
	COMPARE(LEU_RI, A <= IMM)
	COMPARE(GTU_RI, A > IMM)
	COMPARE(GEU_RI, A >= IMM)

do_JMP:
	u = block->uops + uop_to(u);
	GO;
do_RANGE16:
	value = (u16)(A + IMM);
	f[u->d] = value;
	if (UNLIKELY(value - (IMM >> 16 & 0xFFFF) >= IMM >> 32))
		u += u->d2;
	else
		u++;
	GO;
do_CHECKED_LOAD16_W: {
		const Space *s = SPACE(u);

		value = (u16)(A + IMM);
		if (UNLIKELY(value - (IMM >> 16 & 0xFFFF) >= (IMM >> 32 & 0xFFFF))) {
			u += IMM >> 48;
			GO;
		}
		value &= s->wrap_mask;
		if (UNLIKELY(s->attr[value] & ATTR_SLOW_READ))
			goto slow_load;
		RESULT(((const u16 *)(const void *)s->base)[value]);
	}
do_CHECKED_STORE16_W: {
		Space *s = SPACE(u);

		value = (u16)(A + IMM);
		if (UNLIKELY(value - (IMM >> 16 & 0xFFFF) >= (IMM >> 32 & 0xFFFF))) {
			u += IMM >> 48;
			GO;
		}
		value &= s->wrap_mask;
		if (UNLIKELY(s->attr[value] & ATTR_SLOW_WRITE))
			goto slow_store;
		((u16 *)(void *)s->base)[value] = (u16)f[u->d];
		NEXT;
	}
do_RANGE32:
	if (UNLIKELY(A - (u32)IMM >= IMM >> 32))
		u = block->uops + uop_to(u);
	else
		u++;
	GO;

#define LOAD_WRAP(bits) \
do_LOAD##bits##_W: { \
		const Space *s_ = SPACE(u); \
		u64 at_ = (A + IMM) & s_->wrap_mask; \
		if (UNLIKELY(s_->attr[at_] & ATTR_SLOW_READ)) \
			goto slow_load; \
		RESULT(((const u##bits *)(const void *)s_->base)[at_]); \
	}
#define LOAD_SMALL(bits) \
do_LOAD##bits##_A32: { \
		const Space *s_ = SPACE(u); \
		u64 at_ = (u32)(A + IMM); \
		if (UNLIKELY(at_ >= s_->cells || (s_->attr[at_] & ATTR_SLOW_READ))) \
			goto slow_load; \
		RESULT(((const u##bits *)(const void *)s_->base)[at_]); \
	}
#define LOAD_CELL(bits) \
do_LOAD##bits: { \
		const Space *s_ = SPACE(u); \
		u64 at_ = (A + IMM) & s_->wrap_mask; \
		if (UNLIKELY(at_ >= s_->cells || (s_->attr[at_ >> s_->attr_shift] & ATTR_SLOW_READ))) \
			goto slow_load; \
		RESULT(((const u##bits *)(const void *)s_->base)[at_]); \
	}
#define LOAD_BYTES(bits) \
do_LOADB##bits: { \
		const Space *s_ = SPACE(u); \
		u64 at_ = (A + IMM) & s_->wrap_mask; \
		if (UNLIKELY(s_->cells < bits / 8 || at_ > s_->cells - bits / 8 || \
			     marked(s_, at_, bits / 8, ATTR_SLOW_READ))) \
			goto slow_load; \
		RESULT(load_bytes(s_, at_, bits / 8)); \
	}
#define STORE_WRAP(bits) \
do_STORE##bits##_W: { \
		Space *s_ = SPACE(u); \
		u64 at_ = (A + IMM) & s_->wrap_mask; \
		if (UNLIKELY(s_->attr[at_] & ATTR_SLOW_WRITE)) \
			goto slow_store; \
		((u##bits *)(void *)s_->base)[at_] = (u##bits)f[u->d]; \
		NEXT; \
	}
#define STORE_SMALL(bits) \
do_STORE##bits##_A32: { \
		Space *s_ = SPACE(u); \
		u64 at_ = (u32)(A + IMM); \
		if (UNLIKELY(at_ >= s_->cells || (s_->attr[at_] & ATTR_SLOW_WRITE))) \
			goto slow_store; \
		((u##bits *)(void *)s_->base)[at_] = (u##bits)f[u->d]; \
		NEXT; \
	}
#define STORE_CELL(bits) \
do_STORE##bits: { \
		Space *s_ = SPACE(u); \
		u64 at_ = (A + IMM) & s_->wrap_mask; \
		if (UNLIKELY(at_ >= s_->cells || (s_->attr[at_ >> s_->attr_shift] & ATTR_SLOW_WRITE))) \
			goto slow_store; \
		((u##bits *)(void *)s_->base)[at_] = (u##bits)f[u->d]; \
		NEXT; \
	}
#define STORE_BYTES(bits) \
do_STOREB##bits: { \
		Space *s_ = SPACE(u); \
		u64 at_ = (A + IMM) & s_->wrap_mask; \
		if (UNLIKELY(s_->cells < bits / 8 || at_ > s_->cells - bits / 8 || \
			     marked(s_, at_, bits / 8, ATTR_SLOW_WRITE))) \
			goto slow_store; \
		store_bytes(s_, at_, bits / 8, f[u->d]); \
		NEXT; \
	}

/* One page, one look at its rights; what crosses to the next one goes the slow way. A page that is beyond the limit is never
 * looked up. */
#define LOAD_PAGED(bits, sign, type) \
do_LOADP##bits##sign: { \
		const Space *s_ = SPACE(u); \
		u64 at_ = A + IMM; \
		type got_; \
		if (UNLIKELY(at_ >= s_->cells || at_ % SPACE_PAGE > SPACE_PAGE - bits / 8 || \
			     (s_->attr[at_ / SPACE_PAGE] & ATTR_PAGED_LOAD) != ATTR_READ)) \
			goto slow_load; \
		memcpy(&got_, s_->base + at_, sizeof(got_)); \
		RESULT((u64)(i64)got_); \
	}
#define STORE_PAGED(bits) \
do_STOREP##bits: { \
		Space *s_ = SPACE(u); \
		u64 at_ = A + IMM; \
		u##bits put_ = (u##bits)f[u->d]; \
		if (UNLIKELY(at_ >= s_->cells || at_ % SPACE_PAGE > SPACE_PAGE - bits / 8 || \
			     (s_->attr[at_ / SPACE_PAGE] & ATTR_PAGED_STORE) != ATTR_WRITE)) \
			goto slow_store; \
		memcpy(s_->base + at_, &put_, sizeof(put_)); \
		NEXT; \
	}

	LOAD_PAGED(8, , u8) LOAD_PAGED(16, , u16) LOAD_PAGED(32, , u32) LOAD_PAGED(64, , u64)
	LOAD_PAGED(8, S, i8) LOAD_PAGED(16, S, i16) LOAD_PAGED(32, S, i32)
	STORE_PAGED(8) STORE_PAGED(16) STORE_PAGED(32) STORE_PAGED(64)
	LOAD_WRAP(8) LOAD_WRAP(16) LOAD_WRAP(32) LOAD_WRAP(64)
	LOAD_CELL(8) LOAD_CELL(16) LOAD_CELL(32) LOAD_CELL(64)
	LOAD_SMALL(8) LOAD_SMALL(16) LOAD_SMALL(32) LOAD_SMALL(64)
	LOAD_BYTES(16) LOAD_BYTES(32) LOAD_BYTES(64)
	STORE_WRAP(8) STORE_WRAP(16) STORE_WRAP(32) STORE_WRAP(64)
	STORE_CELL(8) STORE_CELL(16) STORE_CELL(32) STORE_CELL(64)
	STORE_SMALL(8) STORE_SMALL(16) STORE_SMALL(32) STORE_SMALL(64)
	STORE_BYTES(16) STORE_BYTES(32) STORE_BYTES(64)

do_LOAD_ANY:
slow_load:
	slow = slow_access(x, block, u, left, false, &x->result);
	if (slow == SLOW_DONE)
		RESULT(extended(block, u, x->result));
	return slow == SLOW_BAIL ? OUT_BAIL : OUT_EXIT;
do_STORE_ANY:
slow_store:
	x->result = f[u->d];
	slow = slow_access(x, block, u, left, true, &x->result);
	if (slow == SLOW_DONE)
		NEXT;
	return slow == SLOW_BAIL ? OUT_BAIL : OUT_EXIT;
do_ATOMIC:
	slow = run_atomic(x, block, u, left, &x->result);
	if (slow == SLOW_DONE)
		RESULT(x->result);
	return slow == SLOW_BAIL ? OUT_BAIL : OUT_EXIT;
do_HOST:
	if (call_host(x, block, u, left) == SLOW_DONE)
		NEXT;
	return OUT_EXIT;

do_MARK:
	f[0] = IMM;
	x->vcpu->icount = x->limit - left + uop_to(u);
	NEXT;
do_CHECK:
	if (LIKELY(!x->engine->attention))
		NEXT;
	f[0] = IMM;
	x->left = left - uop_to(u);
	x->vcpu->icount = x->limit - x->left;
	return block->dirty ? OUT_EVENT : OUT_LEAVE;

do_EXIT_CAREFUL:
	if (UNLIKELY(x->engine->attention)) {
		left -= uop_to(u);
		f[0] = block->exits[u->a | (u32)u->b << 16].pc;
		goto leave;
	}
	/* fall through */
do_EXIT:
	CHAIN(u);
do_EXIT_LEAVE:
	left -= uop_to(u);
	f[0] = block->exits[u->a | (u32)u->b << 16].pc;
	goto event;

do_JUMP_CAREFUL:
	if (UNLIKELY(x->engine->attention)) {
		left -= uop_to(u);
		f[0] = A & IMM;
		goto leave;
	}
	/* fall through */
do_JUMP: {
		u64 pc = A & IMM;
		Block *target = jump_target(x, block, pc);

		left -= uop_to(u);
		if (LIKELY(left >= target->cost)) {
			block = target;
			u = target->uops;
			GO;
		}
		f[0] = pc;
		x->exit = NULL;
		goto out;
	}
do_JUMP_LEAVE:
	left -= uop_to(u);
	f[0] = A & IMM;
	goto event;

do_RAISE: return leave_raise(x, block, u, left, EXIT_RAISE);
do_ILLEGAL: return leave_raise(x, block, u, left, EXIT_ILLEGAL);
do_STOP: return leave_stop(x, block, u, left);

do_RET:
	x->result = A + IMM;
	return OUT_RET;
do_H_GOTO:
	f[0] = A + IMM;
	x->result = 0;
	return OUT_JUMPED;
do_H_STOP:
	x->vcpu->pending = (VcpuExit){.kind = EXIT_STOP, .value = A + IMM};
	x->result = 0;
	return OUT_RET;
do_H_RAISE:
	x->vcpu->exit = (VcpuExit){.kind = EXIT_RAISE, .value = A + IMM};
	return OUT_EXIT;

dispatch:
	x->exit = &block->exits[u->a | (u32)u->b << 16];
	f[0] = x->exit->pc;
out:
	x->left = left;
	x->vcpu->icount = x->limit - left;
	return OUT_DISPATCH;
leave:
	x->left = left;
	x->vcpu->icount = x->limit - left;
	return OUT_LEAVE;
event:
	x->left = left;
	x->vcpu->icount = x->limit - left;
	return OUT_EVENT;
}
