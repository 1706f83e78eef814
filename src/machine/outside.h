/* SPDX-License-Identifier: MIT
 *
 * What stands around a machine: services that are not its own, as long as somebody (a hypervisor) gives them. They are no part of the
 * machine's state and in no snapshot. A machine that stands alone has none: files are not counted, and the rest is not there.
 *
 * Called while the machine runs, by the thread that runs it. None of them waits: who must, does so by
 * machine_wait_for(machine, MACHINE_OUTSIDE), and machine_stir says when it is time to try again.
 *
 * Rights are not asked here: whoever calls for a program has asked (services.c, src/linux).
 */
#ifndef MACHINE_OUTSIDE_H
#define MACHINE_OUTSIDE_H

#include "machine/machine.h"

enum {
	MAIL_MOST = 4096,      /* bytes of a message */
	KV_KEY_MOST = 256,     /* bytes of a key ... */
	KV_VALUE_MOST = 65536, /* ... and of a value */
	OUTSIDE_NAME_MOST = 64,
	DISK_NAME = 4096,      /* bytes that a new name counts as */
};

typedef enum OutsideResult {
	OUTSIDE_OK,
	OUTSIDE_NOT_THERE, /* nobody of that number or name; no such key; no message */
	OUTSIDE_FULL,      /* later, perhaps: the queue is full, a limit of something held is reached */
	OUTSIDE_TOO_BIG,
	OUTSIDE_REFUSED,   /* not allowed; or a limit that ends the machine was reached */
	OUTSIDE_FAILED,    /* the host could not: its disk is full, memory is out */
} OutsideResult;

typedef struct MailHead {
	u64 from; /* number of the sender */
	u32 len;
} MailHead;

typedef struct MachineOutside {
	void *ctx;
	/* One more open file; false: there is no room. One less. */
	bool (*file_opened)(void *ctx);
	void (*file_closed)(void *ctx);

	/* Messages. A number is never used again; 0 is nobody's. */
	u64 (*self)(void *ctx);
	u64 (*find)(void *ctx, const char *name);
	void (*name_of)(void *ctx, u64 number, char *name); /* [OUTSIDE_NAME_MOST]; the number itself when nobody has it */
	/* At most MAIL_MOST bytes, which are copied. FULL: machine_stir comes when there is room again. */
	OutsideResult (*send)(void *ctx, u64 to, const u8 *bytes, u32 len);
	/* The oldest message; it stays. False: there is none, and machine_stir comes with the next. */
	bool (*peek)(void *ctx, MailHead *out);
	/* Takes it; at most `most` bytes of it. */
	bool (*take)(void *ctx, u8 *bytes, u32 most, MailHead *out);

	/* Other instances. NOT_THERE: this one has no such name to start. */
	OutsideResult (*spawn)(void *ctx, const char *name, u64 *number);
	/* How one that it started has ended: OK, and *code. FULL: not yet. After that its number is nobody's. */
	OutsideResult (*ended)(void *ctx, u64 number, u32 *code);
	/* The first of them that has ended and was not asked about yet; 0: none. *any: it has some. */
	u64 (*any_ended)(void *ctx, bool *any);
	OutsideResult (*kill)(void *ctx, u64 number);

	/* Keys and values that stay. */
	OutsideResult (*kv_get)(void *ctx, const u8 *key, u32 len, Buf *value);
	OutsideResult (*kv_set)(void *ctx, const u8 *key, u32 len, const u8 *value, u32 value_len);
	OutsideResult (*kv_delete)(void *ctx, const u8 *key, u32 len);
	/* The first key behind this one, by bytes; len 0: of all. */
	OutsideResult (*kv_next)(void *ctx, const u8 *key, u32 len, Buf *next);
} MachineOutside;

/* Copied; NULL: none. Not while it runs. */
void machine_set_outside(Machine *machine, const MachineOutside *outside);
const MachineOutside *machine_outside(const Machine *machine);

/* For guests whose programs ask for services by number (services_outside.c): is it there, and allowed? If not, the host function
 * returns HOST_DENIED, and the words for it are of this service. */
bool machine_may_serve(Machine *machine, u64 number);

/* For guests that open files: how many are open. */
bool machine_file_opened(Machine *machine);
void machine_file_closed(Machine *machine);
u64 machine_files(const Machine *machine);

/* Who counts what goes to folders of the host. Apart from MachineOutside, because a machine may write when nobody stands around it any
 * more: what its maps of files hold goes there when it is taken from an instance, and is still that one's. */
typedef struct MachineDisk {
	void *ctx;
	/* Before bytes go there: all of `must` or nothing, and of `may` as much as there is; how many altogether. Then those back that did
	 * not become any. */
	u64 (*take)(void *ctx, u64 must, u64 may);
	void (*give)(void *ctx, u64 bytes);
} MachineDisk;

/* Copied; NULL: the machine counts by itself, against its own limit (MachineConfig.disk_limit). Not while it runs. */
void machine_set_disk(Machine *machine, const MachineDisk *disk);
/* For guests that write there. What counts is what could take room there: bytes written, also over others; what a file grows by
 * without being written; DISK_NAME for each new name of a file, folder or link,
 * that of a renamed one too. Nothing that is removed or cut off comes back. */
u64 machine_disk_take(Machine *machine, u64 must, u64 may);
void machine_disk_give(Machine *machine, u64 bytes);
#endif
