/* SPDX-License-Identifier: MIT
 *
 * A region's code: blocks in the order of the layout, each code behind the moves it needs; then what was put aside, the
 * stubs of the ways out, and the numbers that operations find in memory.
 *
 *     head | ... hot blocks ... | cold blocks | late code | stubs | numbers
 *
 * A block that does nothing is not emitted: who goes there goes where it leads. Loops begin at multiples of 32 bytes, or of 16.
 */
#include "jit/x64/x64_ssa.h"

#include <assert.h>
#include <string.h>

enum { LOOP_ALIGN = 32, NOP_MOST = 15, HOPS = 16 };

/* ---- Moves ---- */

X64Mem x64_ssa_spill(const X64Ssa *s, u32 number)
{
	return x64_at(X64_RBP, x64_slot(s->engine->slot_count + JIT_SPILLS + number));
}

X64Mem x64_ssa_place(const X64Ssa *s, const SsaPlace *place)
{
	return place->kind == SSA_PLACE_HOME ? x64_at(X64_RBP, x64_slot(place->number)) : x64_ssa_spill(s, place->number);
}

static bool in_memory(const SsaPlace *place)
{
	return place->kind == SSA_PLACE_SPILL || place->kind == SSA_PLACE_HOME;
}

static void move_const(X64Ssa *s, const SsaPlace *to, unsigned width, u64 value)
{
	X64Buf *x = &s->x;

	if (to->kind == SSA_PLACE_REG && to->cls == SSA_GPR) {
		x64_mov_imm(x, (u8)to->number, value);
	} else if (to->kind == SSA_PLACE_REG) {
		if (value) {
			x64_mov_imm(x, X64_SCRATCH, value);
			x64_movq_to_xmm(x, width, (u8)to->number, X64_SCRATCH);
		} else {
			x64_reg_reg(x, 0, false, 0x0F57, (u8)to->number, (u8)to->number, false); /* xorps */
		}
	} else if ((i64)value == (i32)value) {
		x64_store_imm(x, 64, x64_ssa_place(s, to), (i32)value);
	} else {
		x64_mov_imm(x, X64_SCRATCH, value);
		x64_store(x, 64, x64_ssa_place(s, to), X64_SCRATCH);
	}
}

/* In memory a value fills 64 bits; in an xmm register there may be anything above it. */
void x64_ssa_move(X64Ssa *s, const SsaMove *move)
{
	const SsaPlace *from = &move->from, *to = &move->to;
	unsigned bits = x64_bits(move->width);
	SsaPlace park = { .kind = SSA_PLACE_REG, .cls = SSA_XMM, .number = JIT_NO_PIN };
	X64Buf *x = &s->x;
	u64 value;

	if (from->kind == SSA_PLACE_HOME)
		park.number = x64_ssa_park(s, from->number);
	if (park.number != JIT_NO_PIN) {
		from = &park;
		bits = 64;
	}
	if (from->kind == SSA_PLACE_CONST) {
		if (ssa_is_const(s->func, from->number, &value))
			move_const(s, to, bits, value);
	} else if (in_memory(from) && in_memory(to)) {
		x64_load(x, 64, X64_SCRATCH, x64_ssa_place(s, from));
		x64_store(x, 64, x64_ssa_place(s, to), X64_SCRATCH);
	} else if (in_memory(from)) {
		if (to->cls == SSA_XMM)
			x64_xmm_load(x, bits, (u8)to->number, x64_ssa_place(s, from));
		else
			x64_load(x, bits, (u8)to->number, x64_ssa_place(s, from));
	} else if (in_memory(to)) {
		u8 reg = (u8)from->number;

		if (from->cls == SSA_XMM && bits == 64) {
			x64_xmm_store(x, 64, x64_ssa_place(s, to), reg);
			return;
		}
		if (from->cls == SSA_XMM) {
			x64_movq_from_xmm(x, 32, X64_SCRATCH, reg);
			reg = X64_SCRATCH;
		}
		x64_store(x, 64, x64_ssa_place(s, to), reg);
	} else if (from->cls == SSA_GPR && to->cls == SSA_GPR) {
		if (from->number != to->number)
			x64_mov(x, bits, (u8)to->number, (u8)from->number);
	} else if (from->cls == SSA_XMM && to->cls == SSA_XMM) {
		if (from->number != to->number)
			x64_reg_reg(x, 0, false, 0x0F28, (u8)to->number, (u8)from->number, false); /* movaps */
	} else if (from->cls == SSA_GPR) {
		x64_movq_to_xmm(x, bits, (u8)to->number, (u8)from->number);
	} else {
		x64_movq_from_xmm(x, bits, (u8)to->number, (u8)from->number);
	}
}

static void emit_moves(X64Ssa *s, u32 first, u32 count)
{
	for (u32 i = 0; i < count; i++)
		x64_ssa_move(s, &s->alloc.moves[first + i]);
}

/* ---- Jumps ---- */

void x64_ssa_here_to(X64Ssa *s, u8 *site, const u8 *to)
{
	if (!s->x.full)
		x64_patch(site, to);
}

void x64_ssa_here(X64Ssa *s, u8 *site)
{
	x64_ssa_here_to(s, site, s->x.at);
}

/* Does it nothing but go on? */
static bool is_empty(const X64Ssa *s, u32 b)
{
	const SsaAlloc *alloc = &s->alloc;

	return alloc->block_codes[b] == 1 && s->func->nodes[s->func->blocks[b].last].op == SSA_JUMP && !s->edge_in[b] &&
	       !s->edge_out[b] && !alloc->codes[alloc->block_first[b]].move_count && !s->func->blocks[b].entry;
}

static u32 target_of(const X64Ssa *s, u32 b)
{
	for (unsigned hops = 0; hops < HOPS && is_empty(s, b); hops++)
		b = s->func->blocks[b].succ[0];
	return b;
}

void x64_ssa_fix(X64Ssa *s, u8 *site, u32 block)
{
	if (!arena_grow(s->arena, (void **)&s->fixes, &s->fix_cap, s->fix_count, sizeof(*s->fixes)))
		s->failed = true;
	else
		s->fixes[s->fix_count++] = (struct X64Fix){ site, block };
}

void x64_ssa_jump(X64Ssa *s, u32 to)
{
	X64Buf *x = &s->x;
	i64 back;

	if (to == s->next)
		return;
	back = s->labels[to] ? s->labels[to] - (x->at + 2) : 0;
	if (s->labels[to] && back >= -128) {
		x64_byte(x, 0xEB);
		x64_byte(x, (u8)back);
	} else {
		x64_ssa_fix(s, x64_jmp(x), to);
	}
}

static void emit_jcc(X64Ssa *s, X64Cond cond, u32 to)
{
	X64Buf *x = &s->x;
	i64 back = s->labels[to] ? s->labels[to] - (x->at + 2) : 0;

	if (s->labels[to] && back >= -128) {
		x64_byte(x, 0x70u | cond);
		x64_byte(x, (u8)back);
	} else {
		x64_ssa_fix(s, x64_jcc(x, cond), to);
	}
}

/* Of a FUEL in front of a jump back without moves: the budget's branch jumps itself. */
bool x64_ssa_jump_back_if(X64Ssa *s, const SsaNode *fuel, X64Cond cond)
{
	const SsaCode *jump = s->code + 1;
	u32 b = s->code->block, to;

	if (fuel->aux != SSA_FUEL_NEXT || fuel->next != s->func->blocks[b].last || jump->move_count || s->edge_out[b])
		return false;
	to = target_of(s, s->func->blocks[b].succ[0]);
	if (!s->labels[to])
		return false;
	emit_jcc(s, cond, to);
	s->jumped = true;
	return true;
}

void x64_ssa_branch(X64Ssa *s, const SsaNode *node, X64Test test)
{
	const SsaBlock *block = &s->func->blocks[node->block];
	u32 yes = target_of(s, block->succ[0]), no = target_of(s, block->succ[1]);

	if (test.ordered) { /* yes: E and not P; with NE the other way round */
		if (test.cond == X64_NE) {
			u32 swap = yes;

			yes = no;
			no = swap;
		}
		emit_jcc(s, X64_P, no);
		if (yes == s->next) {
			emit_jcc(s, X64_NE, no);
		} else {
			emit_jcc(s, X64_E, yes);
			x64_ssa_jump(s, no);
		}
	} else if (yes == s->next) {
		emit_jcc(s, (X64Cond)(test.cond ^ 1), no);
	} else {
		emit_jcc(s, test.cond, yes);
		x64_ssa_jump(s, no);
	}
}

/* ---- Aside ---- */

X64Late *x64_ssa_late(X64Ssa *s, X64LateKind kind, u8 *site)
{
	X64Late *late = ARENA_NEW(s->arena, X64Late);

	if (!late) {
		s->failed = true;
		return NULL;
	}
	*late = (X64Late){ .next = s->lates, .kind = kind, .site = site, .back = s->x.at };
	s->lates = late;
	return late;
}

void x64_ssa_late_back(X64Ssa *s)
{
	if (s->lates)
		s->lates->back = s->x.at;
}

static void emit_lates(X64Ssa *s)
{
	for (const X64Late *late = s->lates; late && !s->x.full; late = late->next) {
		x64_ssa_here(s, late->site);
		switch (late->kind) {
		case X64_LATE_CROSSING: x64_ssa_late_crossing(s, late); break;
		case X64_LATE_DIVIDE: x64_ssa_late_divide(s, late); break;
		case X64_LATE_NAN_HOME: x64_ssa_late_nan_home(s, late); break;
		case X64_LATE_GUESS: x64_ssa_late_guess(s, late); break;
		case X64_LATE_ROOM: x64_ssa_late_room(s); break;
		case X64_LATE_NAN: case X64_LATE_FTOS: case X64_LATE_FTOU: case X64_LATE_FMA: x64_ssa_late_float(s, late); break;
		}
		x64_ssa_here_to(s, x64_jmp(&s->x), late->back);
	}
}

void x64_ssa_word(X64Ssa *s, u8 prefix, u32 opcode, u8 reg, u64 value)
{
	X64Buf *x = &s->x;

	if (prefix)
		x64_byte(x, prefix);
	if (reg & 8)
		x64_byte(x, 0x44);
	x64_opcode(x, opcode);
	x64_byte(x, (reg & 7u) << 3 | 5);
	x64_imm32(x, 0);
	if (!arena_grow(s->arena, (void **)&s->words, &s->word_cap, s->word_count, sizeof(*s->words)))
		s->failed = true;
	else
		s->words[s->word_count++] = (struct X64Word){ x->at - 4, value };
}

/* 16 bytes each: an operation may read so many. */
static void emit_words(X64Ssa *s)
{
	X64Buf *x = &s->x;
	u64 zero = 0;

	while (((uintptr_t)(x->at - x->start) & 15) && !x->full)
		x64_byte(x, 0xCC);
	for (u32 i = 0; i < s->word_count && !x->full; i++) {
		const u8 *at = x->at;

		for (u32 k = 0; k < i && k < 64; k++)
			if (s->words[k].value == s->words[i].value) {
				i32 disp;

				memcpy(&disp, s->words[k].site, 4);
				at = s->words[k].site + 4 + disp;
				break;
			}
		if (at == x->at) {
			x64_bytes(x, &s->words[i].value, 8);
			x64_bytes(x, &zero, 8);
		}
		x64_ssa_here_to(s, s->words[i].site, at);
	}
}

/* ---- Blocks ---- */

/* In one instruction: further prefixes cost no processor anything that a second one would not. */
static void emit_nop(X64Buf *x, unsigned bytes)
{
	static const u8 nops[NOP_MOST][NOP_MOST] = {
		{ 0x90 }, { 0x66, 0x90 }, { 0x0F, 0x1F, 0x00 }, { 0x0F, 0x1F, 0x40 }, { 0x0F, 0x1F, 0x44 }, { 0x66, 0x0F, 0x1F, 0x44 },
		{ 0x0F, 0x1F, 0x80 }, { 0x0F, 0x1F, 0x84 }, { 0x66, 0x0F, 0x1F, 0x84 }, { 0x66, 0x66, 0x0F, 0x1F, 0x84 },
		{ 0x66, 0x66, 0x66, 0x0F, 0x1F, 0x84 }, { 0x66, 0x66, 0x66, 0x66, 0x0F, 0x1F, 0x84 },
		{ 0x66, 0x66, 0x66, 0x66, 0x66, 0x0F, 0x1F, 0x84 }, { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0F, 0x1F, 0x84 },
		{ 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0F, 0x1F, 0x84 },
	};

	x64_bytes(x, nops[bytes - 1], bytes);
}

/* A loop begins here. Where the block before goes on here, that costs it one instruction at most: what is too far from LOOP_ALIGN is
 * half of it. (Loops of few rounds are entered often: with more, bf ran 5 % more instructions, hash 3 %.) */
static void align_loop(X64Buf *x, bool falls_in)
{
	unsigned left = (unsigned)-(uintptr_t)x->at & (LOOP_ALIGN - 1);

	if (falls_in && left > NOP_MOST)
		left &= LOOP_ALIGN / 2 - 1;
	for (; left && !x->full; left -= left > NOP_MOST ? NOP_MOST : left)
		emit_nop(x, left > NOP_MOST ? NOP_MOST : left);
}

static void emit_code(X64Ssa *s, u32 index)
{
	SsaRef ref = s->refs[index];

	s->code = &s->alloc.codes[index];
	s->use_at = 0;
	s->temp_at[0] = s->temp_at[1] = 0;
	s->exit = NULL;
	emit_moves(s, s->code->move_first, s->code->move_count);
	if (!ref)
		return; /* a pinned register at an entry: it is there */
	if (s->func->nodes[ref].op == SSA_JUMP) {
		const SsaBlock *block = &s->func->blocks[s->code->block];

		if (s->edge_out[s->code->block]) {
			const SsaEdge *edge = &s->alloc.edges[s->edge_out[s->code->block] - 1];

			emit_moves(s, edge->move_first, edge->move_count);
		}
		x64_ssa_jump(s, target_of(s, block->succ[0]));
		return;
	}
	x64_ssa_node(s, ref);
	if (s->code->result && (s->code->at.kind == SSA_PLACE_SPILL)) {
		SsaMove move = { .from = { .kind = SSA_PLACE_REG, .cls = s->code->result_cls }, .to = s->code->at,
				 .width = s->func->nodes[s->code->node].width };

		move.from.number = s->code->result_reg != JIT_NO_PIN ? s->code->result_reg
			: s->code->result_cls == SSA_GPR ? X64_SCRATCH : X64_XMM_SCRATCH;
		x64_ssa_move(s, &move);
	}
}

/* May `from`, which stands before it, go on there without a jump? It does so at an entry, too, where its call comes back. */
static bool falls_into(const X64Ssa *s, u32 from, u32 to)
{
	const SsaBlock *block = &s->func->blocks[from];

	if (s->func->blocks[to].entry)
		return true;
	for (u32 i = 0; i < block->succ_count; i++)
		if (target_of(s, block->succ[i]) == to)
			return true;
	return false;
}

static void emit_block(X64Ssa *s, u32 b, u32 before)
{
	const SsaBlock *block = &s->func->blocks[b];

	if (block->header && !block->cold)
		align_loop(&s->x, before != SSA_NO_BLOCK && falls_into(s, before, b));
	if (block->entry && ((s->x.at - s->engine->rw) & 1)) /* jit_pcs_are_even; mostly nobody comes from above */
		emit_nop(&s->x, 1);
	if (block->entry) {
		s->region->entries[s->region->entry_count++] =
			(struct JitRegionEntry){ .pc = block->pc, .at = (u32)(s->x.at - s->engine->rw) };
	}
	s->labels[b] = s->x.at;
	if (block->entry)
		x64_ssa_unpark(s, s->away);
	if (s->edge_in[b]) {
		const SsaEdge *edge = &s->alloc.edges[s->edge_in[b] - 1];

		emit_moves(s, edge->move_first, edge->move_count);
	}
	s->jumped = false;
	for (u32 i = 0; i < s->alloc.block_codes[b] && !s->x.full && !s->jumped; i++)
		emit_code(s, s->alloc.block_first[b] + i);
}

static bool sort_edges(X64Ssa *s)
{
	s->edge_in = ARENA_ARRAY(s->arena, u32, s->func->block_count);
	s->edge_out = ARENA_ARRAY(s->arena, u32, s->func->block_count);
	s->labels = ARENA_ARRAY(s->arena, u8 *, s->func->block_count);
	if (!s->edge_in || !s->edge_out || !s->labels)
		return false;
	for (u32 i = 0; i < s->alloc.edge_count; i++) {
		const SsaEdge *edge = &s->alloc.edges[i];

		if (!edge->move_count)
			continue;
		if (s->func->blocks[edge->from].succ_count == 1)
			s->edge_out[edge->from] = i + 1;
		else
			s->edge_in[edge->to] = i + 1;
	}
	return true;
}

static bool emit_region(X64Ssa *s)
{
	const SsaAlloc *alloc = &s->alloc;
	Engine *engine = s->engine;
	u32 entries = 0, before = SSA_NO_BLOCK;

	s->maps = ARENA_ARRAY(s->arena, JitMap *, 256);
	for (u32 i = 0; i < alloc->layout_count; i++)
		entries += s->func->blocks[alloc->layout[i]].entry;
	s->region->entries = ARENA_ARRAY(&engine->blocks, struct JitRegionEntry, entries);
	if (!s->maps || !s->region->entries || !sort_edges(s))
		return false;
	s->emitting = true;
	s->region->code = (u32)(s->x.at - engine->rw);
	for (u32 i = 0; i < alloc->layout_count && !s->x.full && !s->failed && !s->unsupported; i++) {
		u32 b = alloc->layout[i], k = i + 1;

		if (is_empty(s, b))
			continue;
		while (k < alloc->layout_count && is_empty(s, alloc->layout[k]))
			k++;
		s->next = k < alloc->layout_count ? alloc->layout[k] : SSA_NO_BLOCK;
		if (!s->region->hot_bytes && s->func->blocks[b].cold)
			s->region->hot_bytes = (u32)(s->x.at - engine->rw) - s->region->code;
		emit_block(s, b, before);
		before = b;
	}
	if (!s->region->hot_bytes)
		s->region->hot_bytes = (u32)(s->x.at - engine->rw) - s->region->code;
	emit_lates(s);
	x64_ssa_stubs(s);
	emit_words(s);
	for (u32 i = 0; i < s->fix_count && !s->x.full; i++) {
		if (!s->labels[s->fixes[i].block])
			s->unsupported = true; /* a loop of nothing: that is never built */
		else
			x64_patch(s->fixes[i].site, s->labels[s->fixes[i].block]);
	}
	return !s->failed && !s->unsupported && !s->x.full && !s->arena->failed && x64_ssa_list_faults(s);
}

static Status select_region(X64Ssa *s)
{
	const Engine *engine = s->engine;
	SsaAlloc *alloc = &s->alloc;

	s->pin_reg = ARENA_ROOM(s->arena, u8, 2 * (size_t)s->func->slot_count + 1);
	if (!s->pin_reg)
		return STATUS_NOMEM;
	s->park_reg = s->pin_reg + s->func->slot_count;
	memset(s->pin_reg, JIT_NO_PIN, 2 * (size_t)s->func->slot_count);
	for (u32 i = 0; i < engine->pin_count; i++)
		if (engine->pinned[i] < s->func->slot_count)
			s->pin_reg[engine->pinned[i]] = x64_pin_regs[i];
	for (u32 i = engine->park_count; i-- > 0;)
		if (engine->parked[i] < s->func->slot_count)
			s->park_reg[engine->parked[i]] = x64_park_regs[i];
	if (!x64_ssa_prepare(s) || !x64_ssa_layout(s) || !x64_ssa_select(s))
		return s->unsupported ? STATUS_UNSUPPORTED : STATUS_NOMEM;
	alloc->func = s->func;
	alloc->pin_reg = s->pin_reg;
	alloc->cls = s->cls;
	alloc->allowed[SSA_GPR] = X64_REGS;
	alloc->allowed[SSA_XMM] = s->vectors ? X64_XMMS : X64_XMMS_LEFT;
	alloc->scratch[SSA_GPR] = X64_SCRATCH;
	alloc->scratch[SSA_XMM] = X64_XMM_SCRATCH;
	ssa_allocate(alloc);
	if (alloc->failed)
		return STATUS_UNSUPPORTED;
#ifdef HUSK_DEBUG
	assert(ssa_alloc_verify(alloc, NULL));
#endif
	x64_ssa_choose_away(s);
	return STATUS_OK;
}

void *x64_select_region(Engine *engine, SsaFunc *func, Status *status)
{
	X64Ssa *s = ARENA_NEW(func->arena, X64Ssa);

	*status = s ? STATUS_UNSUPPORTED : STATUS_NOMEM;
	if (!s || func->failed || func->slot_count != engine->slot_count)
		return NULL;
	*s = (X64Ssa){ .engine = engine, .func = func, .arena = func->arena, .x = { .full = true } };
	s->has_bmi1 = __builtin_cpu_supports("bmi");
	s->has_bmi2 = __builtin_cpu_supports("bmi2");
	s->has_lzcnt = engine->has_lzcnt;
	s->has_popcnt = __builtin_cpu_supports("popcnt");
	*status = select_region(s);
	return *status ? NULL : s;
}

Status x64_emit_region(Engine *engine, JitRegion *region, void *selected)
{
	X64Ssa *s = selected;
	u32 faults = engine->faults.count, exits = engine->exit_count;

	s->engine = engine;
	s->region = region;
	s->x = (X64Buf){ engine->rw + engine->used, engine->rw + engine->used, engine->rw + engine->limit, false };
	region->first_exit = exits;
	region->entry_count = 0;
	if (!emit_region(s)) { /* without room for code or exits it may be tried again */
		engine->faults.count = faults;
		engine->exit_count = exits;
		return s->arena->failed || engine->blocks.failed ? STATUS_NOMEM : STATUS_UNSUPPORTED;
	}
	region->exit_count = engine->exit_count - exits;
	region->code_bytes = (u32)(s->x.at - engine->rw) - region->code;
	region->guest_insns = s->func->guest_insns;
	region->spills = s->alloc.spills;
	engine->used = ((u32)(s->x.at - engine->rw) + 63u) & ~63u;
	return STATUS_OK;
}
