/* SPDX-License-Identifier: MIT
 *
 * Ways out of a region. A rare one is a stub behind the code: it gives the number of its record and goes to the common code
 * that dumps the registers; the record's map says where the state is (jit_private.h). A hot LEAVE brings the state
 * home itself, as blocks have it, and jumps: pinned slots are its operands, in their registers; the others are stored.
 */
#include "jit/x64/x64_ssa.h"

#include <string.h>

enum { MAPS = 256 };

/* ---- Maps ---- */

static bool is_boxed(const SsaSnapEntry *entry)
{
	return entry->recipe == SSA_BOX || entry->recipe == SSA_BOX_NAN;
}

_Static_assert((int)JIT_MAP_STEPS_MOST >= (int)SSA_MADE_MOST + (int)SSA_LAZY_MOST, "a map has room for what a way out makes");

/* A map while it is made. */
typedef struct MapDraft {
	u32 count, step_count, hash;
	u32 made[JIT_MAP_STEPS_MOST]; /* per step: which of alloc.made it does */
	JitMapStep steps[JIT_MAP_STEPS_MOST];
	JitMapEntry entries[SSA_SLOTS_MOST];
} MapDraft;

static JitMapPlace map_place(const X64Ssa *s, MapDraft *map, SsaRef ref, const SsaPlace *place, u64 *value);

/* The step that makes it; what it is made of comes before. */
static u32 step_of(const X64Ssa *s, MapDraft *map, u32 number)
{
	const SsaMade *made = &s->alloc.made[number];
	const SsaNode *node = &s->func->nodes[made->ref];
	JitMapStep step = { .op = node->op, .width = node->width, .arg_width = s->func->nodes[node->a].width, .aux = node->aux };

	for (u32 i = 0; i < map->step_count; i++)
		if (map->made[i] == number)
			return i;
	for (unsigned k = 0; k < 3; k++) {
		step.places[k] = JIT_MAP_CONST;
		if (k < ssa_op_info[node->op].operands)
			step.places[k] = (u8)map_place(s, map, node->operands[k], &made->from[k], &step.values[k]);
	}
	map->made[map->step_count] = number;
	map->steps[map->step_count] = step;
	return map->step_count++;
}

static JitMapPlace map_place(const X64Ssa *s, MapDraft *map, SsaRef ref, const SsaPlace *place, u64 *value)
{
	*value = place->number;
	switch ((SsaPlaceKind)place->kind) {
	case SSA_PLACE_REG: return place->cls == SSA_XMM ? JIT_MAP_XMM : JIT_MAP_GPR;
	case SSA_PLACE_SPILL: return JIT_MAP_SPILL;
	case SSA_PLACE_HOME: return JIT_MAP_HOME;
	case SSA_PLACE_MADE:
		*value = step_of(s, map, place->number);
		return JIT_MAP_MADE;
	case SSA_PLACE_NONE: case SSA_PLACE_CONST:
		break;
	}
	*value = 0;
	ssa_is_const(s->func, place->kind == SSA_PLACE_CONST ? place->number : ref, value);
	return JIT_MAP_CONST;
}

/* What is no general register as it is. */
static JitMapEntry odd_entry(const X64Ssa *s, MapDraft *map, const SsaSnapEntry *entry, const SsaPlace *place)
{
	const SsaFunc *func = s->func;
	JitMapEntry out = { .imm = entry->imm, .slot = entry->slot, .recipe = entry->recipe & 15 };

	/* A sum is as wide as its slot: what is looked through (ZX) may be less. */
	out.width = entry->recipe == SSA_SX || entry->recipe == SSA_PLUS || is_boxed(entry) ? func->slot_width[entry->slot] : func->nodes[entry->ref].width;
	out.place = map_place(s, map, entry->ref, place, &out.value) & 15;
	/* 32 bits of an xmm register have anything above them. */
	if (out.place == JIT_MAP_XMM && out.recipe == SSA_AS_IS && out.width < 64) {
		out.recipe = SSA_PLUS;
		out.imm = 0;
	}
	return out;
}

/* The entries of what is not at home, and the steps for them. */
static void make_entries(const X64Ssa *s, const SsaSnap *snap, const SsaPlace *places, MapDraft *map)
{
	const SsaSnapEntry *entries = &s->func->entries[snap->first];
	const SsaNode *nodes = s->func->nodes;
	u32 count = 0;
	u64 mixed = 0;

	map->step_count = 0;
	for (u32 i = 0, all = snap->count; i < all; i++) {
		const SsaSnapEntry *entry = &entries[i];
		const SsaPlace *place = &places[i];
		JitMapEntry *out = &map->entries[count];
		u64 words[2];

		if (entry->slot == SSA_NO_SLOT)
			continue; /* others are made of it */
		if (entry->recipe != SSA_AS_IS || place->kind != SSA_PLACE_REG || place->cls != SSA_GPR) {
			if (place->kind == SSA_PLACE_HOME && place->number == entry->slot && entry->recipe == SSA_AS_IS)
				continue; /* it is there */
			*out = odd_entry(s, map, entry, place);
		} else {
			*out = (JitMapEntry){ .value = place->number, .slot = entry->slot, .place = JIT_MAP_GPR,
					      .recipe = SSA_AS_IS, .width = nodes[entry->ref].width };
		}
		memcpy(words, out, sizeof words);
		mixed = (mixed ^ words[0] ^ (words[1] << 11 | words[1] >> 53)) * 0x9E3779B97F4A7C15u;
		mixed ^= mixed >> 32;
		count++;
	}
	map->count = count;
	map->hash = (u32)(mixed ^ count) % MAPS;
}

static bool is_alike(const X64Ssa *s, const JitMap *map, const MapDraft *draft)
{
	return map->count == draft->count && map->step_count == draft->step_count && map->unparked == s->away &&
	       !memcmp(map->entries, draft->entries, map->count * sizeof *map->entries) &&
	       !memcmp(map->steps, draft->steps, map->step_count * sizeof *map->steps);
}

static const JitMap *map_of(X64Ssa *s)
{
	const SsaSnap *snap = &s->func->snaps[s->code->snap];
	const SsaPlace *places = &s->alloc.snap_places[s->code->snap_place];
	MapDraft draft;
	size_t steps;
	JitMap *map;

	/* Neighbours have the same mostly. */
	if (s->map && s->map_snap.first == snap->first && s->map_snap.count == snap->count &&
	    !memcmp(s->map_places, places, snap->count * sizeof *places))
		return s->map;
	s->map_snap = *snap;
	s->map_places = places;
	make_entries(s, snap, places, &draft);
	for (map = s->maps[draft.hash]; map; map = map->hash_next)
		if (is_alike(s, map, &draft))
			return s->map = map;
	steps = sizeof(JitMap) + draft.count * sizeof(JitMapEntry);
	map = arena_alloc(&s->engine->blocks, steps + draft.step_count * sizeof(JitMapStep));
	if (!map) {
		s->failed = true;
		return NULL;
	}
	map->count = draft.count;
	map->step_count = draft.step_count;
	map->unparked = s->away;
	map->steps = memcpy((u8 *)map + steps, draft.steps, draft.step_count * sizeof(JitMapStep));
	memcpy(map->entries, draft.entries, draft.count * sizeof(JitMapEntry));
	map->hash_next = s->maps[draft.hash];
	s->maps[draft.hash] = map;
	return s->map = map;
}

/* ---- Exits ---- */

JitExit *x64_ssa_exit(X64Ssa *s, JitExitKind kind, u32 more_refund)
{
	const SsaSnap *snap = &s->func->snaps[s->code->snap];

	const SsaNode *node = &s->func->nodes[s->code->node];

	if (!s->exit) {
		s->exit = jit_exit_create(s->engine, s->region->head, kind, snap->pc, snap->refund + more_refund);
		if (!s->exit) {
			s->failed = true;
			return NULL;
		}
		s->exit->map = map_of(s);
		if (kind == JIT_EXIT_BAIL) {
			s->exit->why = node->op == SSA_LEAVE ? ENGINE_BAIL_OP : ENGINE_BAIL_CROSSING;
			s->exit->ahead = (node->op == SSA_CHECK || node->op == SSA_GUARD) && node->imm;
		}
	}
	return s->exit;
}

void x64_ssa_add_stub(X64Ssa *s, u8 *site, JitExit *exit)
{
	if (!exit || !arena_grow(s->arena, (void **)&s->stubs, &s->stub_cap, s->stub_count, sizeof(*s->stubs))) {
		s->failed = true;
		return;
	}
	s->stubs[s->stub_count++] = (struct X64Stub){ site, exit };
}

void x64_ssa_exit_if(X64Ssa *s, X64Cond cond)
{
	x64_ssa_add_stub(s, x64_jcc(&s->x, cond), x64_ssa_exit(s, JIT_EXIT_BAIL, 0));
}

static void mov_number(X64Buf *x, u8 reg, u32 number)
{
	x64_op_imm32(x, reg & 8 ? 0x41 : 0, 0xB8u | (reg & 7u), (i32)number);
}

/* rax: a pc whose bits are these (a number of 32 bits with its sign). */
static void and_pc(X64Buf *x, u64 mask)
{
	if (mask != ~(u64)0)
		x64_alu_imm(x, X64_AND, 64, X64_RAX, (i32)mask);
}

void x64_ssa_stubs(X64Ssa *s)
{
	const Engine *engine = s->engine;
	X64Buf *x = &s->x;

	for (u32 i = 0; i < s->stub_count; i++) {
		JitExit *exit = s->stubs[i].exit;

		if (!exit->stub) {
			bool computed = exit->kind == JIT_EXIT_GUESS || exit->kind == JIT_EXIT_ASTRAY;

			exit->stub = (u32)(x->at - engine->rw);
			if (exit->kind == JIT_EXIT_GUESS)
				and_pc(x, exit->pc);
			mov_number(x, exit->map || computed ? X64_R15 : X64_RAX, exit->number);
			x64_ssa_here_to(s, x64_jmp(x), engine->rw + (exit->map ? engine->dump : computed ? engine->guess : engine->leave));
		}
		if (s->stubs[i].site)
			x64_ssa_here_to(s, s->stubs[i].site, engine->rw + exit->stub);
	}
}

bool x64_ssa_list_faults(X64Ssa *s)
{
	for (u32 i = 0; i < s->risk_count; i++) {
		const struct X64Risk *risk = &s->risks[i];
		u32 to = risk->to ? (u32)(risk->to - s->engine->rw) | JIT_FAULT_STAYS : risk->exit->stub;

		if (!jit_faults_add(&s->engine->faults, (u32)(risk->at - s->engine->rw), to))
			return false;
	}
	return true;
}

void x64_ssa_fuel(X64Ssa *s, const SsaNode *node)
{
	JitExit *exit;

	if (!s->emitting)
		return;
	x64_alu_imm(&s->x, X64_SUB, 64, X64_R14, (i32)node->imm);
	exit = x64_ssa_exit(s, JIT_EXIT_FUEL, (u32)node->imm);
	x64_ssa_add_stub(s, x64_ssa_jump_back_if(s, node, X64_AE) ? x64_jmp(&s->x) : x64_jcc(&s->x, X64_B), exit);
}

void x64_ssa_refund(X64Ssa *s, const SsaNode *node)
{
	if (s->emitting && node->imm)
		x64_alu_imm(&s->x, X64_ADD, 64, X64_R14, (i32)node->imm);
}

/* ---- LEAVE ---- */

static X64Mem home_of(u32 slot)
{
	return x64_at(X64_RBP, x64_slot(slot));
}

static void home_load(X64Ssa *s, u8 reg, u32 slot)
{
	u8 park = x64_ssa_park(s, slot);

	if (park != JIT_NO_PIN)
		x64_movq_from_xmm(&s->x, 64, reg, park);
	else
		x64_load(&s->x, 64, reg, home_of(slot));
}

void x64_ssa_home_store(X64Ssa *s, u32 slot, u8 reg)
{
	u8 park = x64_ssa_park(s, slot);

	if (park != JIT_NO_PIN)
		x64_movq_to_xmm(&s->x, 64, park, reg);
	else
		x64_store(&s->x, 64, home_of(slot), reg);
}

void x64_ssa_home_imm(X64Ssa *s, u32 slot, i32 imm)
{
	u8 park = x64_ssa_park(s, slot);

	if (park == JIT_NO_PIN) {
		x64_store_imm(&s->x, 64, home_of(slot), imm);
	} else if (!imm) {
		x64_reg_reg(&s->x, 0, false, 0x0F57, park, park, false); /* xorps */
	} else {
		x64_mov_imm(&s->x, X64_SCRATCH, (u64)(i64)imm);
		x64_movq_to_xmm(&s->x, 64, park, X64_SCRATCH);
	}
}

/* The vector registers that the region's code writes. */
static u32 written_vectors(const SsaAlloc *alloc)
{
	u32 regs = 0;

	for (u32 i = 0; i < alloc->code_count; i++) {
		const SsaCode *code = &alloc->codes[i];

		regs |= code->clobbers[SSA_XMM];
		if (code->result && code->at.kind == SSA_PLACE_REG && code->at.cls == SSA_XMM)
			regs |= 1u << code->at.number;
		for (u32 k = 0; k < code->temps[SSA_XMM]; k++)
			regs |= 1u << code->temp[SSA_XMM][k];
	}
	for (u32 i = 0; i < alloc->move_count; i++)
		if (alloc->moves[i].to.kind == SSA_PLACE_REG && alloc->moves[i].to.cls == SSA_XMM)
			regs |= 1u << alloc->moves[i].to.number;
	return regs;
}

void x64_ssa_choose_away(X64Ssa *s)
{
	const Engine *engine = s->engine;
	u32 written = s->vectors ? written_vectors(&s->alloc) : 0;

	for (u32 i = 0; i < engine->park_count && s->vectors; i++)
		if (written >> x64_park_regs[i] & 1 || s->named[engine->parked[i] / 64] >> engine->parked[i] % 64 & 1)
			s->away |= 1u << i;
}

void x64_ssa_unpark(X64Ssa *s, u32 which)
{
	for (u32 i = 0; i < s->engine->park_count; i++)
		if (which >> i & 1)
			x64_xmm_store(&s->x, 64, home_of(s->engine->parked[i]), x64_park_regs[i]);
}

void x64_ssa_park_again(X64Ssa *s, u32 which)
{
	for (u32 i = 0; i < s->engine->park_count; i++)
		if (which >> i & 1)
			x64_xmm_load(&s->x, 64, x64_park_regs[i], home_of(s->engine->parked[i]));
}

/* An operand whose home gets another value: put aside, behind the spills, before any is written. */
static void save_homes(X64Ssa *s, SsaPlace *places, const SsaSnap *snap)
{
	const SsaSnapEntry *entries = &s->func->entries[snap->first];
	u32 saved = s->alloc.spills;

	for (u32 i = 0; i < snap->count; i++)
		for (u32 k = 0; k < snap->count && places[i].kind == SSA_PLACE_HOME; k++)
			if (k != i && entries[k].slot == places[i].number) {
				home_load(s, X64_SCRATCH, places[i].number);
				x64_store(&s->x, 64, x64_ssa_spill(s, saved), X64_SCRATCH);
				places[i] = (SsaPlace){ .kind = SSA_PLACE_SPILL, .number = saved++ };
			}
}

/* The float there, with ones above it when it is boxed; a NaN is seen to aside. */
static void store_float(X64Ssa *s, const SsaSnapEntry *entry, const SsaPlace *place)
{
	unsigned width = is_boxed(entry) ? 32 : s->func->nodes[entry->ref].width;
	SsaMove move = { .from = *place, .to = { .kind = SSA_PLACE_REG, .cls = SSA_XMM, .number = X64_XMM_SCRATCH }, .width = (u8)width };
	X64Mem home = home_of(entry->slot), above = home;
	u8 xmm = X64_XMM_SCRATCH;
	X64Late *late;

	if (place->kind == SSA_PLACE_REG && place->cls == SSA_XMM)
		xmm = (u8)place->number;
	else
		x64_ssa_move(s, &move);
	above.disp += 4;
	x64_xmm_store(&s->x, width, home, xmm);
	if (width == 32)
		x64_store_imm(&s->x, 32, above, is_boxed(entry) ? -1 : 0);
	if (entry->recipe == SSA_BOX)
		return;
	x64_float_compare(&s->x, width, 0x0F2E, xmm, xmm);
	late = x64_ssa_late(s, X64_LATE_NAN_HOME, x64_jcc(&s->x, X64_P));
	if (late) {
		late->bytes = entry->slot;
		late->width = (u8)width;
	}
}

void x64_ssa_late_nan_home(X64Ssa *s, const X64Late *late)
{
	if (late->width == 32) {
		x64_store_imm(&s->x, 32, home_of(late->bytes), 0x7FC00000);
		return;
	}
	x64_mov_imm(&s->x, X64_SCRATCH, 0x7FF8000000000000u);
	x64_store(&s->x, 64, home_of(late->bytes), X64_SCRATCH);
}

/* To `to`, which is the register `from` or scratch. */
static void apply_recipe(X64Ssa *s, const SsaSnapEntry *entry, u8 to, u8 from)
{
	unsigned width = s->func->nodes[entry->ref].width;

	if (entry->recipe == SSA_SX) {
		x64_ssa_sx(s, (unsigned)entry->imm, to, from);
		width = s->func->slot_width[entry->slot];
		if (width == 32)
			x64_mov(&s->x, 32, to, to);
	} else if (entry->recipe == SSA_ZX) {
		width = (unsigned)entry->imm;
		x64_mov(&s->x, x64_bits(width), to, from);
	} else { /* a sum is as wide as its slot: what is looked through (ZX) may be less */
		width = s->func->slot_width[entry->slot];
		x64_lea(&s->x, x64_bits(width), to, x64_at(from, entry->imm));
	}
	x64_ssa_mask(s, width, to);
}

static void store_home(X64Ssa *s, const SsaSnapEntry *entry, const SsaPlace *place)
{
	unsigned width = s->func->nodes[entry->ref].width;
	X64Mem home = home_of(entry->slot);
	X64Buf *x = &s->x;
	u8 from = X64_SCRATCH;
	u64 number;

	if (entry->recipe == SSA_NAN || is_boxed(entry)) {
		store_float(s, entry, place);
		return;
	}
	if (entry->recipe == SSA_AS_IS && place->kind == SSA_PLACE_HOME && place->number == entry->slot)
		return;
	if (place->kind == SSA_PLACE_CONST && entry->recipe == SSA_AS_IS && ssa_is_const(s->func, place->number, &number) &&
	    (i64)number == (i32)number) {
		x64_ssa_home_imm(s, entry->slot, (i32)number);
		return;
	}
	if (place->kind == SSA_PLACE_REG && place->cls == SSA_XMM && width == 64 && entry->recipe == SSA_AS_IS) {
		x64_xmm_store(x, 64, home, (u8)place->number);
		return;
	}
	if (place->kind == SSA_PLACE_SPILL && entry->recipe == SSA_AS_IS && x64_ssa_park(s, entry->slot) != JIT_NO_PIN) {
		x64_xmm_load(x, 64, x64_ssa_park(s, entry->slot), x64_ssa_place(s, place));
		return;
	}
	if (place->kind == SSA_PLACE_REG && place->cls == SSA_GPR) {
		from = (u8)place->number;
	} else {
		SsaMove move = { .from = *place, .to = { .kind = SSA_PLACE_REG, .cls = SSA_GPR, .number = X64_SCRATCH },
				 .width = (u8)width };

		x64_ssa_move(s, &move);
	}
	if (entry->recipe != SSA_AS_IS) {
		apply_recipe(s, entry, X64_SCRATCH, from);
		from = X64_SCRATCH;
	}
	x64_ssa_home_store(s, entry->slot, from);
}

/* A pinned slot's value that is a float: rcx and scratch are free. */
static void canon_pin(X64Ssa *s, u8 reg, unsigned width)
{
	u64 nan = width == 64 ? 0x7FF8000000000000u : 0x7FC00000u;
	X64Buf *x = &s->x;

	x64_lea(x, width, X64_SCRATCH, x64_at_index(reg, reg, 0, 0)); /* without its sign */
	x64_mov_imm(x, X64_RCX, width == 64 ? 0xFFE0000000000000u : 0xFF000000u);
	x64_alu(x, X64_CMP, width, X64_SCRATCH, X64_RCX);
	x64_byte(x, 0x48); /* mov rcx, imm64: no flags */
	x64_byte(x, 0xB9);
	x64_bytes(x, &nan, 8);
	x64_cmov(x, X64_A, reg, X64_RCX);
}

/* A jump (or call) to be chained. What it leads to is counted: it never ran while the region was made, and may be hot from now on. */
static void emit_link(X64Ssa *s, u64 pc, bool call)
{
	JitExit *exit = jit_exit_create(s->engine, s->region->head, JIT_EXIT_LINK, pc, 0);
	u8 *site = call ? x64_call(&s->x) : x64_jmp(&s->x);

	if (!exit) {
		s->failed = true;
		return;
	}
	exit->site = (u32)(site - s->engine->rw);
	exit->back = true;
	x64_ssa_add_stub(s, site, exit);
}

/* As x64_emit_is_pc, and the jump behind it ends at an even place: an entry of the region follows (emit_block). A prefix that says
 * nothing is shorter than a nop. */
static void emit_is_pc_even(X64Ssa *s, u64 pc)
{
	u8 *start = s->x.at;

	x64_emit_is_pc(&s->x, pc);
	if (!((s->x.at - s->engine->rw) & 1) || s->x.full)
		return;
	s->x.at = start;
	x64_byte(&s->x, 0x2E);
	x64_emit_is_pc(&s->x, pc);
}

/* Behind a call control comes back with the guest's pc in rax: it goes on at the region's entry for that, or at a block. All copies
 * of a call have one entry. */
static void emit_landing(X64Ssa *s, u64 pc)
{
	u32 entry = SSA_NO_BLOCK;
	X64Buf *x = &s->x;

	if (!x64_may_return_to(s->engine, pc)) {
		x64_ssa_here_to(s, x64_jmp(x), s->engine->rw + s->engine->lookup);
		return;
	}
	for (u32 i = 0; i < s->alloc.layout_count; i++)
		if (s->func->blocks[s->alloc.layout[i]].entry && s->func->blocks[s->alloc.layout[i]].pc == pc)
			entry = s->alloc.layout[i];
	if (entry != SSA_NO_BLOCK && entry == s->next)
		emit_is_pc_even(s, pc);
	else
		x64_emit_is_pc(x, pc);
	if (entry != SSA_NO_BLOCK && entry != s->next) {
		x64_ssa_fix(s, x64_jcc(x, X64_E), entry);
		x64_ssa_here_to(s, x64_jmp(x), s->engine->rw + s->engine->lookup);
		return;
	}
	x64_ssa_here_to(s, x64_jcc(x, X64_NE), s->engine->rw + s->engine->lookup);
	if (entry == SSA_NO_BLOCK)
		emit_link(s, pc, false);
}

/* As x64_emit_room; that it begins anew stands aside. */
static void emit_room(X64Ssa *s)
{
	x64_emit_is_deep(s->engine, &s->x);
	x64_ssa_late(s, X64_LATE_ROOM, x64_jcc(&s->x, X64_BE));
}

void x64_ssa_late_room(X64Ssa *s)
{
	x64_emit_anew(s->engine, &s->x);
}

/* Perhaps aside itself. */
static void call_by_table(X64Ssa *s)
{
	const Engine *engine = s->engine;
	X64Buf *x = &s->x;

	x64_emit_lookup(engine, x, X64_RAX);
	x64_ssa_here_to(s, x64_jcc(x, X64_NE), engine->rw + engine->miss_call);
	x64_emit_room(engine, x);
	x64_call_mem(x, x64_at_index(X64_RDX, X64_RCX, 3, 8));
}

/*
 * A call through a register goes where it went so far, mostly: so its pc is compared with that one's, and it is chained like a call
 * of a constant pc. The table stands aside. What is compared with is nothing yet: the first call leaves and says (jit_run.c).
 *
 *     cmp rax, pc | jne aside | call stub or code          aside: and rax, mask | dec misses | jz stub | by the table
 *
 * A pc that it is chained to has no bits but those of the mask: what equals it need not be masked.
 */
static void call_by_guess(X64Ssa *s, u64 mask)
{
	u32 *misses = jit_counter_create(s->engine);
	JitExit *exit = misses ? jit_exit_create(s->engine, s->region->head, JIT_EXIT_GUESS, mask, 0) : NULL;
	X64Buf *x = &s->x;
	X64Late *late;
	u8 *site;
	u32 pc;

	if (!exit) {
		and_pc(x, mask);
		call_by_table(s);
		return;
	}
	exit->misses = misses;
	*misses = 1;
	if (x64_guess_is_short(exit)) {
		x64_reg_reg_imm(x, 0, true, 0x81, X64_CMP, X64_RAX, false, 0, 4);
		pc = (u32)(x->at - s->engine->rw) - 4;
	} else {
		u64 none = 0;

		x64_byte(x, 0x48); /* mov rcx, imm64 */
		x64_byte(x, 0xB9);
		x64_bytes(x, &none, 8);
		pc = (u32)(x->at - s->engine->rw) - 8;
		x64_alu(x, X64_CMP, 64, X64_RAX, X64_RCX);
	}
	late = x64_ssa_late(s, X64_LATE_GUESS, x64_jcc(x, X64_NE));
	emit_room(s);
	site = x64_call(x);
	exit->site = (u32)(site - s->engine->rw);
	exit->guess = (u16)(exit->site - pc);
	x64_ssa_add_stub(s, site, exit);
	if (late) {
		late->exit = exit;
		late->back = x->at;
	}
}

static void count_miss(X64Ssa *s, JitExit *exit)
{
	u32 misses = JIT_CODE_BYTES + (u32)(exit->misses - s->engine->counters) * 4;
	X64Buf *x = &s->x;

	x64_byte(x, 0xFF); /* dec dword [rip + ..] */
	x64_byte(x, 0x0D);
	x64_imm32(x, (i32)(misses - (u32)(x->at + 4 - s->engine->rw)));
	x64_ssa_add_stub(s, x64_jcc(x, X64_E), exit);
}

void x64_ssa_late_guess(X64Ssa *s, const X64Late *late)
{
	and_pc(&s->x, late->exit->pc);
	count_miss(s, late->exit);
	call_by_table(s);
}

/* Where it usually goes is in the region. rax: the pc. */
static void count_astray(X64Ssa *s)
{
	u32 *misses = jit_counter_create(s->engine);
	JitExit *exit = misses ? jit_exit_create(s->engine, s->region->head, JIT_EXIT_ASTRAY, 0, 0) : NULL;

	if (!exit)
		return;
	exit->misses = misses;
	*misses = 1;
	count_miss(s, exit);
}

/* Who returns, and jumps through the table, leaves the mask to whoever does not find the pc as it is. */
static bool is_masked_late(const X64Ssa *s, const SsaNode *node, i32 mask)
{
	return node->aux != SSA_LEAVE_CALLR && !node->imm && mask == x64_return_mask(s->engine);
}

/* The pinned slot that has the pc then, mostly the register that the guest jumps through; its index, or JIT_NO_PIN. */
static u8 pin_with(const X64Ssa *s, const SsaSnapEntry *pins, SsaRef pc)
{
	for (u32 i = 0; i < s->engine->pin_count; i++)
		if (pins[i].recipe == SSA_AS_IS && ssa_value(s->func, pins[i].ref) == ssa_value(s->func, pc))
			return (u8)i;
	return JIT_NO_PIN;
}

/* pin: index of the pinned register with the pc, or JIT_NO_PIN: rax. What has been masked already is what it is without its mask. */
static void jump_by_table(X64Ssa *s, u8 pin)
{
	const Engine *engine = s->engine;
	X64Buf *x = &s->x;

	x64_emit_lookup(engine, x, pin == JIT_NO_PIN ? X64_RAX : x64_pin_regs[pin]);
	x64_ssa_here_to(s, x64_jcc(x, X64_NE), engine->rw + (pin == JIT_NO_PIN ? engine->lookup_jump : engine->lookup_pin[pin]));
	x64_jmp_mem(x, x64_at_index(X64_RDX, X64_RCX, 3, 8));
}

/* rax, or for jumps the pin: the pc, before it is masked. */
static void emit_computed(X64Ssa *s, const SsaNode *node, i32 mask, u8 pin)
{
	const Engine *engine = s->engine;
	bool late = is_masked_late(s, node, mask);
	X64Buf *x = &s->x;

	if (node->aux == SSA_LEAVE_CALLR && !node->imm) {
		call_by_guess(s, (u64)(i64)mask);
		return;
	}
	if (!late)
		and_pc(x, (u64)(i64)mask);
	if (node->imm)
		count_astray(s);
	if (node->aux == SSA_LEAVE_RET) {
		x64_ret(x);
	} else if (node->aux == SSA_LEAVE_CALLR) {
		call_by_table(s);
	} else if (late) {
		jump_by_table(s, pin);
	} else {
		x64_emit_lookup(engine, x, X64_RAX);
		x64_ssa_here_to(s, x64_jcc(x, X64_NE), engine->rw + engine->miss_call);
		x64_jmp_mem(x, x64_at_index(X64_RDX, X64_RCX, 3, 8));
	}
}

static bool is_computed(const SsaNode *node)
{
	return node->aux == SSA_LEAVE_JUMP || node->aux == SSA_LEAVE_CALLR || node->aux == SSA_LEAVE_RET;
}

/* The instruction that calls the host is not done, and not refunded here: jit_call.c does both. */
static void call_host(X64Ssa *s)
{
	const SsaSnap *snap = &s->func->snaps[s->code->snap];
	JitExit *exit = jit_exit_create(s->engine, s->region->head, JIT_EXIT_BAIL, snap->pc, snap->refund);
	const Engine *engine = s->engine;

	if (!exit) {
		s->failed = true;
		return;
	}
	exit->why = ENGINE_BAIL_HOST;
	exit->op = IR_OP_HOST;
	mov_number(&s->x, X64_RAX, exit->number);
	x64_ssa_here_to(s, x64_jmp(&s->x), engine->rw + engine->call);
}

void x64_ssa_leave(X64Ssa *s, const SsaNode *node)
{
	const SsaSnap *snap = &s->func->snaps[node->snap];
	const SsaSnapEntry *entries = &s->func->entries[snap->first];
	SsaPlace places[SSA_SLOTS_MOST];
	u8 pin = JIT_NO_PIN;
	SsaRef pc = 0;
	i32 mask = -1;

	if (node->aux == SSA_LEAVE_COLD) {
		if (s->emitting)
			x64_ssa_add_stub(s, x64_jmp(&s->x), x64_ssa_exit(s, JIT_EXIT_BAIL, 0));
		return;
	}
	if (is_computed(node))
		pc = ssa_value(s->func, node->a);
	if (pc && s->way[pc] == X64_FOLDED) { /* an AND */
		x64_imm(s, s->func->nodes[pc].b, 64, &mask);
		pc = s->func->nodes[pc].a;
	}
	if (node->aux == SSA_LEAVE_JUMP && is_masked_late(s, node, mask))
		pin = pin_with(s, &entries[snap->count], pc);
	if (pc && pin == JIT_NO_PIN)
		x64_arg_fixed(s, pc, X64_RAX, false);
	for (u32 i = 0; i < s->engine->pin_count; i++)
		x64_arg_fixed(s, entries[snap->count + i].ref, x64_pin_regs[i], false);
	if (!s->emitting)
		return;
	memcpy(places, &s->alloc.snap_places[s->code->snap_place], snap->count * sizeof *places);
	save_homes(s, places, snap);
	for (u32 i = 0; i < snap->count; i++)
		store_home(s, &entries[i], &places[i]);
	x64_ssa_park_again(s, s->away);
	for (u32 i = 0; i < s->engine->pin_count; i++) {
		const SsaSnapEntry *entry = &entries[snap->count + i];

		if (entry->recipe == SSA_NAN || entry->recipe == SSA_BOX_NAN)
			canon_pin(s, x64_pin_regs[i], is_boxed(entry) ? 32 : s->func->nodes[entry->ref].width);
		if (is_boxed(entry)) {
			x64_mov(&s->x, 32, x64_pin_regs[i], x64_pin_regs[i]);
			x64_mov_imm(&s->x, X64_SCRATCH, ~(u64)0 << 32);
			x64_alu(&s->x, X64_OR, 64, x64_pin_regs[i], X64_SCRATCH);
		} else if (entry->recipe != SSA_NAN && entry->recipe != SSA_AS_IS)
			apply_recipe(s, entry, x64_pin_regs[i], x64_pin_regs[i]);
	}
	if (node->aux == SSA_LEAVE_HOST) {
		call_host(s);
		return;
	}
	if (snap->refund)
		x64_alu_imm(&s->x, X64_ADD, 64, X64_R14, (i32)snap->refund);
	if (is_computed(node)) {
		emit_computed(s, node, mask, pin);
	} else {
		bool call = node->aux == SSA_LEAVE_CALL;

		if (call)
			emit_room(s);
		emit_link(s, node->imm, call);
	}
	if (node->aux == SSA_LEAVE_CALL || node->aux == SSA_LEAVE_CALLR) {
		u64 behind = 0;

		ssa_is_const(s->func, node->b, &behind);
		emit_landing(s, behind);
	}
}
