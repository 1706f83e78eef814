/* SPDX-License-Identifier: MIT
 *
 * Merry as a guest. merry.isa says what instructions do; this folder adds what a text cannot say:
 *
 *   merry.c    the guest: what it consists of, where cores begin, what happens when one fails
 *   beb.c      program files, read and written
 *   console.c  numbers, strings and characters in and out
 *   graves.c   the manager: what `int n` asks for
 */
#ifndef GUESTS_MERRY_MERRY_H
#define GUESTS_MERRY_MERRY_H

#include "machine/machine.h"
#include "machine/vcpus.h"

enum {
	MERRY_PAGE = 1 << 20,   /* bytes of a page of data memory */
	MERRY_CORES = VCPU_LIMIT,
	MERRY_REGISTERS = 16,
	MERRY_STATES = 16,      /* saved states of a core */
	MERRY_REQUESTS = 10,    /* wild requests that wait for a core */
};

/* What a state save keeps, and what a wild request puts aside. */
typedef struct MerryState {
	u64 registers[MERRY_REGISTERS], pc;
	u32 flags; /* one bit for each of merry_flag_slots, in that order */
	u8 used;
} MerryState;

typedef struct MerryRequest {
	u64 request, sender, sender_unique, argument;
} MerryRequest;

typedef struct MerryCore {
	u64 unique, group;
	u64 parent, parent_unique; /* parent: ~0 = none */
	u8 known;                  /* there is or was such a core */
	u8 privileged, undisturbed, unpausable;
	u8 permissions;            /* one bit for each request of 14..21 */
	u8 in_handler;             /* `before` is what it was doing */
	u8 waiting;                /* requests in `queue` */
	MerryState before;
	MerryState states[MERRY_STATES];
	MerryRequest queue[MERRY_REQUESTS];
	u64 string_pc, string_done; /* a `sin` that waits: where, and how many bytes it has got */
} MerryCore;

/* State beyond slots and spaces. Snapshots bring it back from outside: counts in it are held against their limits where
 * they are used, and what is true or false is a number, not a bool. */
typedef struct MerryPrivate {
	MerryCore cores[MERRY_CORES];
	u64 next_unique, last_group;
	u64 value;          /* what the request being served gives in R1 */
	MerryState loading; /* or the state it goes on with */
	u8 failed;          /* some core ended by an error */
} MerryPrivate;

/* Slots of this description. */
typedef struct MerrySlots {
	u32 registers, pc, handler;
	u32 flags[11]; /* in the order of MerryState.flags */
} MerrySlots;

void merry_slots(const Machine *machine, MerrySlots *out);
u16 merry_space(const Machine *machine, const char *name);
bool merry_is_b(const Isa *isa); /* revision B? */

/* beb.c */
int merry_beb_recognize(const GuestFile *file);
Status merry_beb_load(Machine *machine, const GuestFile *file, DiagList *diags);
Status merry_beb_write(const struct AsmProgram *program, Buf *out, DiagList *diags);

/* graves.c */
void merry_graves_reset(Machine *machine);
HostResult merry_graves(Machine *machine, const u64 *args, unsigned count, u64 *result);
HostResult merry_graves_value(Machine *machine, const u64 *args, unsigned count, u64 *result);
HostResult merry_graves_register(Machine *machine, const u64 *args, unsigned count, u64 *result);

/* console.c */
HostResult merry_read_char(Machine *machine, const u64 *args, unsigned count, u64 *result);
HostResult merry_read_number(Machine *machine, const u64 *args, unsigned count, u64 *result);
HostResult merry_read_float(Machine *machine, const u64 *args, unsigned count, u64 *result);
HostResult merry_read_string(Machine *machine, const u64 *args, unsigned count, u64 *result);
HostResult merry_write_string(Machine *machine, const u64 *args, unsigned count, u64 *result);
HostResult merry_write_unsigned(Machine *machine, const u64 *args, unsigned count, u64 *result);
HostResult merry_write_float(Machine *machine, const u64 *args, unsigned count, u64 *result);

extern const char merry_isa_text[];
extern const u8 merry_isa_frozen[]; /* the same, loaded: isa/isa_frozen.h */
extern const Guest merry_guest;

#endif
