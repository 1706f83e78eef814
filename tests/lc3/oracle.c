/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <string.h>

/* An exception of the v3 machine, or none. */
enum { NONE = -1, PRIVILEGE = 0, ILLEGAL = 1, ACCESS = 2 };

void oracle_init(Oracle *o, OracleProfile profile)
{
	memset(o, 0, sizeof *o);
	o->profile = profile;
	o->pc = 0x3000;
	o->z = true;
	o->user = true;
	o->ssp = 0x3000;
	o->mcr = 0x8000;
}

u16 oracle_psr(const Oracle *o)
{
	if (o->profile == ORACLE_CLASSIC)
		return (u16)(o->n << 11 | o->z << 10 | o->p << 9);
	return (u16)(o->user << 15 | o->prio << 8 | o->n << 2 | o->z << 1 | o->p);
}

void oracle_set_psr(Oracle *o, u16 psr)
{
	unsigned shift = o->profile == ORACLE_CLASSIC ? 9 : 0;

	/* Exactly one of the three is set. */
	o->n = psr >> shift & 4;
	o->z = !o->n && (psr >> shift & 2);
	o->p = !o->n && !o->z;
	if (o->profile != ORACLE_CLASSIC) {
		o->user = psr >> 15;
		o->prio = psr >> 8 & 7;
	}
}

static u16 sext(u16 value, unsigned bits)
{
	u16 sign = (u16)(1u << (bits - 1));

	value &= (u16)((1u << bits) - 1);
	return (u16)((value ^ sign) - sign);
}

static void set_cc(Oracle *o, u16 value)
{
	o->n = value >= 0x8000;
	o->z = value == 0;
	o->p = !o->n && !o->z;
}

static void emit(Oracle *o, u16 c)
{
	if (o->output_len < ORACLE_OUTPUT)
		o->output[o->output_len] = (u8)c;
	o->output_len++;
}

static void emit_text(Oracle *o, const char *text)
{
	while (*text)
		emit(o, (u8)*text++);
}

static bool key_waits(const Oracle *o)
{
	return o->input_at < o->input_len;
}

static void raw_write(Oracle *o, u16 address, u16 value)
{
	o->m[address] = value;
	if (o->dirty_count < ORACLE_DIRTY)
		o->dirty[o->dirty_count] = address;
	o->dirty_count++;
}

static u16 mem_read(Oracle *o, u16 address)
{
	if (o->profile == ORACLE_TINY) {
		if (address == 0xFE00) {
			if (key_waits(o)) {
				raw_write(o, 0xFE00, 0x8000);
				raw_write(o, 0xFE02, o->input[o->input_at++]);
			} else {
				raw_write(o, 0xFE00, 0);
			}
		}
		return o->m[address];
	}
	switch (address) {
	case 0xFE00: return o->kbsr;
	case 0xFE02: o->kbsr &= 0x7FFF; return o->kbdr;
	case 0xFE04: o->dsr_seen = true; return o->dsr | 0x8000;
	case 0xFFFC: return o->profile == ORACLE_V3 ? oracle_psr(o) : 0;
	case 0xFFFE: return o->mcr;
	default: return address >= 0xFE00 ? 0 : o->m[address];
	}
}

static void mem_write(Oracle *o, u16 address, u16 value)
{
	if (o->profile == ORACLE_TINY || address < 0xFE00) {
		raw_write(o, address, value);
		return;
	}
	switch (address) {
	case 0xFE00: o->kbsr = (u16)((o->kbsr & 0x8000) | (value & 0x4000)); break;
	case 0xFE04: o->dsr = value & 0x4000; break;
	case 0xFE06:
		if (o->profile == ORACLE_V3)
			emit(o, (value & 0xFF) == 13 ? 10 : value);
		else if (o->dsr_seen)
			emit(o, value);
		break;
	case 0xFFFC:
		if (o->profile == ORACLE_V3)
			oracle_set_psr(o, value);
		break;
	case 0xFFFE:
		o->mcr = value;
		if (!(value & 0x8000))
			o->stops = true;
		break;
	}
}

static bool forbidden(const Oracle *o, u16 address)
{
	return o->profile == ORACLE_V3 && !o->no_privilege && o->user && (address <= 0x2FFF || address >= 0xFE00);
}

/* Trap, exception and interrupt entry of the v3 machine. */
static void enter(Oracle *o, u16 vector, u16 back, int new_prio)
{
	u16 old_psr = oracle_psr(o);

	if (o->user) {
		u16 sp = o->r[6];

		o->r[6] = o->ssp;
		o->ssp = sp;
		o->user = false;
	}
	if (new_prio >= 0)
		o->prio = (u16)new_prio;
	for (unsigned i = 0; i < 2; i++) {
		o->r[6]--;
		if (o->r[6] >= 0xFE00)
			o->undefined = true;
		mem_write(o, o->r[6], i ? back : old_psr);
	}
	o->pc = mem_read(o, vector);
}

/* Fixed bits of the v3 encodings; other profiles ignore them. */
static bool well_formed(u16 ir)
{
	switch (ir >> 12) {
	case 0x1: case 0x5: return (ir & 0x20) || !(ir & 0x18);
	case 0x9: return (ir & 0x3F) == 0x3F;
	case 0xC: return !(ir & 0x0E3F);
	case 0x4: return (ir & 0x0800) || !(ir & 0x063F);
	case 0x8: return !(ir & 0x0FFF);
	case 0xF: return !(ir & 0x0F00);
	case 0xD: return false;
	default: return true;
	}
}

/* A word of text is a character, or two. A text without end stops when memory does. */
static void tiny_print(Oracle *o, bool packed)
{
	u16 at = o->r[0];

	for (unsigned i = 0; i < 0x10000 && o->m[at]; i++, at++) {
		emit(o, o->m[at]);
		if (packed && o->m[at] >> 8)
			emit(o, o->m[at] >> 8);
	}
}

static OracleResult tiny_trap(Oracle *o, u16 vector, u16 next)
{
	OracleResult result = ORACLE_OK;

	if (vector == 0x20 || vector == 0x23) {
		if (vector == 0x23 && !o->asked)
			emit_text(o, "Enter a character: ");
		o->asked = vector == 0x23;
		if (!key_waits(o) && !o->input_ended)
			return ORACLE_WAITS;
		o->asked = false;
		if (!key_waits(o))
			o->r[0] = 0xFFFF;
		else if (vector == 0x20)
			o->r[0] = o->input[o->input_at++];
		else
			o->r[0] = sext(o->input[o->input_at++], 8);
		if (vector == 0x23)
			emit(o, o->r[0]);
		set_cc(o, o->r[0]);
	} else if (vector == 0x21) {
		emit(o, o->r[0]);
	} else if (vector == 0x22 || vector == 0x24) {
		tiny_print(o, vector == 0x24);
	} else if (vector == 0x25) {
		emit_text(o, "HALT\n");
		result = ORACLE_HALTED;
	}
	o->r[7] = next;
	o->pc = next;
	return result;
}

/* A load or store that the profile may forbid; false: access violation. */
static bool load(Oracle *o, u16 address, u16 *value)
{
	if (forbidden(o, address))
		return false;
	*value = mem_read(o, address);
	return true;
}

static bool store(Oracle *o, u16 address, u16 value)
{
	if (forbidden(o, address))
		return false;
	mem_write(o, address, value);
	return true;
}

/* Executes `ir`, which stood before `next`. Gives NONE or the exception; *result otherwise. */
static int execute(Oracle *o, u16 ir, u16 next, OracleResult *result)
{
	unsigned dr = ir >> 9 & 7, sr = ir >> 6 & 7;
	u16 near = (u16)(next + sext(ir, 9)), based = (u16)(o->r[sr] + sext(ir, 6)), value = 0, pointer, target;

	o->pc = next;
	switch (ir >> 12) {
	case 0x0: /* BR */
		if ((ir & 0x800 && o->n) || (ir & 0x400 && o->z) || (ir & 0x200 && o->p))
			o->pc = near;
		return NONE;
	case 0x1: /* ADD */
		value = (u16)(o->r[sr] + (ir & 0x20 ? sext(ir, 5) : o->r[ir & 7]));
		break;
	case 0x5: /* AND */
		value = o->r[sr] & (ir & 0x20 ? sext(ir, 5) : o->r[ir & 7]);
		break;
	case 0x9: /* NOT */
		value = (u16)~o->r[sr];
		break;
	case 0x2: /* LD */
		if (!load(o, near, &value))
			return ACCESS;
		break;
	case 0xA: /* LDI */
		if (!load(o, near, &pointer) || !load(o, pointer, &value))
			return ACCESS;
		break;
	case 0x6: /* LDR */
		if (!load(o, based, &value))
			return ACCESS;
		break;
	case 0xE: /* LEA */
		o->r[dr] = near;
		if (o->profile != ORACLE_V3)
			set_cc(o, near);
		return NONE;
	case 0x3: /* ST */
		return store(o, near, o->r[dr]) ? NONE : ACCESS;
	case 0xB: /* STI */
		return load(o, near, &pointer) && store(o, pointer, o->r[dr]) ? NONE : ACCESS;
	case 0x7: /* STR */
		return store(o, based, o->r[dr]) ? NONE : ACCESS;
	case 0xC: /* JMP */
		o->pc = o->r[sr];
		return NONE;
	case 0x4: /* JSR, JSRR */
		target = ir & 0x800 ? (u16)(next + sext(ir, 11)) : o->r[sr];
		o->r[7] = next;
		if (!(ir & 0x800) && sr == 7 && o->jsrr_bug && o->profile != ORACLE_CLASSIC)
			target = next;
		o->pc = target;
		return NONE;
	case 0xF: /* TRAP */
		if (o->profile == ORACLE_V3) {
			enter(o, ir & 0xFF, next, -1);
		} else if (o->profile == ORACLE_CLASSIC) {
			o->r[7] = next;
			o->pc = o->m[ir & 0xFF];
		} else {
			*result = tiny_trap(o, ir & 0xFF, next);
		}
		return NONE;
	case 0x8: /* RTI */
		if (o->user)
			return PRIVILEGE;
		target = mem_read(o, o->r[6]);
		value = mem_read(o, (u16)(o->r[6] + 1));
		o->r[6] += 2;
		oracle_set_psr(o, value);
		if (o->user) {
			u16 sp = o->r[6];

			o->r[6] = o->ssp;
			o->ssp = sp;
		}
		o->pc = target;
		return NONE;
	}
	o->r[dr] = value;
	set_cc(o, value);
	return NONE;
}

/* An interrupt is raised as soon as a character is there and interrupts are wanted. */
static void queue_interrupt(Oracle *o)
{
	if (o->queued && o->kbsr >= 0xC000 && o->interrupt_owed) {
		o->interrupt_owed = false;
		o->queue++;
	}
}

OracleResult oracle_step(Oracle *o)
{
	OracleResult result = ORACLE_OK;
	u16 at, ir;
	int exception = NONE;

	if (o->profile != ORACLE_TINY && !(o->kbsr & 0x8000) && key_waits(o)) {
		o->kbsr |= 0x8000;
		o->kbdr = sext(o->input[o->input_at++], 8);
		o->interrupt_owed = true;
	}
	queue_interrupt(o);
	if (o->profile == ORACLE_V3 && o->prio < 4 && o->queue) {
		o->queue--;
		enter(o, 0x180, o->pc, 4);
	} else if (o->profile == ORACLE_V3 && o->prio < 4 && !o->queued && o->kbsr >= 0xC000 && o->interrupt_owed) {
		o->interrupt_owed = false;
		enter(o, 0x180, o->pc, 4);
	}
	at = o->pc;
	ir = o->m[at];
	if (o->profile == ORACLE_V3)
		exception = forbidden(o, at) ? ACCESS : !well_formed(ir) ? ILLEGAL : NONE;
	else if (ir >> 12 == 0xD || ir >> 12 == 0x8)
		return ORACLE_ILLEGAL;
	o->stops = false;
	if (exception == NONE)
		exception = execute(o, ir, (u16)(at + 1), &result);
	if (exception != NONE)
		enter(o, (u16)(0x100 + exception), at, -1);
	queue_interrupt(o);
	if (result == ORACLE_WAITS)
		o->pc = at;
	else
		o->steps++;
	return o->stops ? ORACLE_HALTED : result;
}
