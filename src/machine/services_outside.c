/* SPDX-License-Identifier: MIT
 *
 * Host functions about what stands around a machine (outside.h), for any description. A place in memory is a space, by its number in
 * the order of the description, and an address in it; a cell is a byte: the low 8 bits of wider ones. A count of all ones means up to
 * a cell of 0. A machine that stands alone does not have these functions.
 *
 *     mail_self() : 32                          the number of this instance, its address
 *     mail_find(space, name, count) : 32        the number of the instance of that name; 0: nobody
 *     mail_send(to, space, text, count) : 8     0 sent; 1 nobody has that number; 2 its queue is full; 3 too long
 *     mail_length() : 32                        bytes of the next message and 1; 0: there is none
 *     mail_wait() : 32                          the same, but waits for one
 *     mail_take(space, place, most) : 32        copies it there, and gives the number of its sender; 0: there was none
 *     spawn(space, name, count) : 32            starts an instance of what is known by that name; its number. 0: it can't
 *     spawn_wait(n) : 32                        waits for its end: its code; ended in another way: 256 and more; all ones: not its own
 *     spawn_kill(n) : 8                         0; 1 not its own
 *     kv_get(space, key, count, place, most) : 32   bytes of the value, of which `most` are copied; all ones: no such key
 *     kv_set(space, key, count, value, length) : 8  0; 2 no room; 3 too long; 5 the host could not
 *     kv_delete(space, key, count) : 8          0; 1 no such key
 *     kv_next(space, key, count, place, most) : 32  bytes of the first key behind this one (count 0: of all), of which `most` are
 *                                               copied; all ones: it was the last
 *
 * A place that is not memory is as if it were too long.
 *
 *     serve(space, number, a, b, c) : 64        one of these by number, for machines whose programs ask with a number and three words. Texts,
 *                                               names and keys stand in the space; names and keys end with a cell of 0. The low half is
 *                                               the answer, the high half a second one. Each number wants its own right.
 *
 *     number                          a       b          c           answer, second
 *     x30 mail_send                   text    to whom    how many    as above
 *     x31 mail_wait and mail_take     place   how many               waits; length, from whom
 *     x32 mail_length                                                as above
 *     x33 mail_find                   name                           as above
 *     x34 mail_self                                                  as above
 *     x35 spawn                       name                           as above
 *     x36 spawn_wait                  number                         as above
 *     x37 kv_get                      key     place      how many    as above
 *     x38 kv_set                      key     value      how many    as above
 *     x39 kv_delete                   key                            as above
 *     x3A kv_next                     key     place      how many    as above; the empty key is before all
 *     x3B spawn_kill                  number                         as above
 *     x3C time                                                       milliseconds, seconds
 *     x3D sleep                       ms                             0
 *     x3E random                                                     32 bits
 *     x3F file_open                   name    mode                   as services_files.c says
 *     x40 file_read                   handle  place      how many    as there
 *     x41 file_write                  handle  text       how many    as there
 *     x42 file_seek                   handle  position   65536s      as there; to b + 65536 * c
 *     x43 file_size                   handle                         as there; that divided by 65536
 *     x44 file_close                  handle                         as there
 *     x45 file_remove                 name                           as there
 *     x46 file_next                   name    place      how many    as there; 1: a folder
 *
 * Any other number gives all ones.
 */
#include "machine/machine_private.h"
#include "machine/outside.h"

#include <string.h>

#include "base/bits.h"
#include "machine/vcpus.h"

static const u64 all_ones = 0xFFFFFFFF;

/* False: not memory, or more than `most`. */
bool machine_cells_in(const Machine *machine, u64 space, u64 address, u64 count, u8 *to, u32 most, u32 *len)
{
	bool text = (count & all_ones) == all_ones;

	*len = 0;
	if (space >= machine->isa->space_count || (!text && count > most))
		return false;
	while (text || *len < count) {
		u64 cell;

		if (machine_read(machine, (u16)space, address + *len, &cell))
			return false;
		if (text && !(cell & 0xFF))
			return true;
		if (*len == most)
			return false;
		to[(*len)++] = (u8)cell;
	}
	return true;
}

/* May so much be written there? */
bool machine_is_memory(const Machine *machine, u64 space, u64 address, u64 count)
{
	u64 cell;

	if (space >= machine->isa->space_count)
		return false;
	for (u64 i = 0; i < count; i++)
		if (machine_read(machine, (u16)space, address + i, &cell))
			return false;
	return true;
}

void machine_cells_out(Machine *machine, u64 space, u64 address, const u8 *bytes, u32 len)
{
	for (u32 i = 0; i < len; i++)
		machine_write(machine, (u16)space, address + i, bytes[i]);
}

static bool copy_name(const Machine *machine, const u64 *args, char *name)
{
	u32 len;

	if (!machine_cells_in(machine, args[0], args[1], args[2], (u8 *)name, OUTSIDE_NAME_MOST - 1, &len))
		return false;
	name[len] = 0;
	return true;
}

/* ---- Messages ---- */

static HostResult mail_self(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)args, (void)count;
	*result = machine->outside->self(machine->outside->ctx);
	return HOST_OK;
}

static HostResult mail_find(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	char name[OUTSIDE_NAME_MOST];

	(void)count;
	*result = copy_name(machine, args, name) ? machine->outside->find(machine->outside->ctx, name) : 0;
	return HOST_OK;
}

static HostResult mail_send(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	u8 bytes[MAIL_MOST];
	u32 len;

	(void)count;
	if (machine_cells_in(machine, args[1], args[2], args[3], bytes, MAIL_MOST, &len))
		*result = machine->outside->send(machine->outside->ctx, args[0], bytes, len);
	else
		*result = OUTSIDE_TOO_BIG;
	return HOST_OK;
}

static HostResult mail_length(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	MailHead head;

	(void)args, (void)count;
	*result = machine->outside->peek(machine->outside->ctx, &head) ? (u64)head.len + 1 : 0;
	return HOST_OK;
}

static HostResult mail_wait(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	mail_length(machine, args, count, result);
	return *result ? HOST_OK : machine_wait_for(machine, MACHINE_OUTSIDE);
}

static HostResult mail_take(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	const MachineOutside *outside = machine->outside;
	u8 bytes[MAIL_MOST];
	MailHead head;
	u32 len;

	(void)count;
	*result = 0;
	if (!outside->peek(outside->ctx, &head))
		return HOST_OK;
	len = head.len < args[2] ? head.len : (u32)args[2];
	if (!machine_is_memory(machine, args[0], args[1], len) || !outside->take(outside->ctx, bytes, len, &head))
		return HOST_OK;
	machine_cells_out(machine, args[0], args[1], bytes, len);
	*result = head.from;
	return HOST_OK;
}

/* ---- Other instances ---- */

static HostResult spawn(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	char name[OUTSIDE_NAME_MOST];

	(void)count;
	*result = 0;
	if (!copy_name(machine, args, name) || machine->outside->spawn(machine->outside->ctx, name, result))
		*result = 0;
	return HOST_OK;
}

static HostResult spawn_wait(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	u32 code = 0;

	(void)count;
	switch (machine->outside->ended(machine->outside->ctx, args[0], &code)) {
	case OUTSIDE_FULL: return machine_wait_for(machine, MACHINE_OUTSIDE);
	case OUTSIDE_OK: *result = code; break;
	default: *result = all_ones; break;
	}
	return HOST_OK;
}

static HostResult spawn_kill(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	*result = machine->outside->kill(machine->outside->ctx, args[0]);
	return HOST_OK;
}

/* ---- Keys and values ---- */

/* What `look` finds for a key, to the place in args[3], of args[4] cells. */
static HostResult look_up(Machine *machine, const u64 *args, u64 *result, OutsideResult (*look)(void *ctx, const u8 *key, u32 len, Buf *found))
{
	u8 key[KV_KEY_MOST];
	u32 key_len;
	Buf value;

	*result = all_ones;
	if (!machine_cells_in(machine, args[0], args[1], args[2], key, KV_KEY_MOST, &key_len))
		return HOST_OK;
	buf_init(&value);
	if (!look(machine->outside->ctx, key, key_len, &value) && !value.failed) {
		u32 len = value.len < args[4] ? (u32)value.len : (u32)args[4];

		if (machine_is_memory(machine, args[0], args[3], len)) {
			machine_cells_out(machine, args[0], args[3], value.data, len);
			*result = value.len;
		}
	}
	buf_fini(&value);
	return HOST_OK;
}

static HostResult kv_get(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	return look_up(machine, args, result, machine->outside->kv_get);
}

static HostResult kv_next(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count;
	return look_up(machine, args, result, machine->outside->kv_next);
}

static HostResult kv_set(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	u8 key[KV_KEY_MOST];
	u32 key_len, len;
	Buf value;

	(void)count;
	*result = OUTSIDE_TOO_BIG;
	buf_init(&value);
	if (args[4] > KV_VALUE_MOST && (args[4] & all_ones) != all_ones)
		return HOST_OK;
	if (buf_reserve(&value, KV_VALUE_MOST) && machine_cells_in(machine, args[0], args[1], args[2], key, KV_KEY_MOST, &key_len) &&
	    machine_cells_in(machine, args[0], args[3], args[4], value.data, KV_VALUE_MOST, &len))
		*result = machine->outside->kv_set(machine->outside->ctx, key, key_len, value.data, len);
	buf_fini(&value);
	return HOST_OK;
}

static HostResult kv_delete(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	u8 key[KV_KEY_MOST];
	u32 len;

	(void)count;
	*result = OUTSIDE_TOO_BIG;
	if (machine_cells_in(machine, args[0], args[1], args[2], key, KV_KEY_MOST, &len))
		*result = machine->outside->kv_delete(machine->outside->ctx, key, len);
	return HOST_OK;
}

const HostService machine_outside_services[] = {
	{ "mail_self", mail_self, 0, true },     { "mail_find", mail_find, 3, true },     { "mail_send", mail_send, 4, false },
	{ "mail_length", mail_length, 0, true }, { "mail_wait", mail_wait, 0, false },    { "mail_take", mail_take, 3, false },
	{ "spawn", spawn, 3, false },            { "spawn_wait", spawn_wait, 1, false },  { "spawn_kill", spawn_kill, 1, false },
	{ "kv_get", kv_get, 5, false },          { "kv_set", kv_set, 5, false },          { "kv_delete", kv_delete, 3, false },
	{ "kv_next", kv_next, 5, false },
	{ NULL, NULL, 0, false },
};

/* ---- By number ---- */

enum {
	SERVE_SEND = 0x30, SERVE_RECEIVE, SERVE_LENGTH, SERVE_FIND, SERVE_SELF, SERVE_SPAWN, SERVE_SPAWN_WAIT, SERVE_KV_GET, SERVE_KV_SET,
	SERVE_KV_DELETE, SERVE_KV_NEXT, SERVE_SPAWN_KILL, SERVE_TIME, SERVE_SLEEP, SERVE_RANDOM,
	SERVE_FILES, SERVE_FILE_LAST = SERVE_FILES + 7, SERVE_END,
};

static const struct {
	const char *name;
	Right right;
} served[] = {
	{ "mail_send", RIGHT_MAILBOX }, { "mail_wait", RIGHT_MAILBOX }, { "mail_length", RIGHT_MAILBOX }, { "mail_find", RIGHT_MAILBOX },
	{ "mail_self", RIGHT_MAILBOX }, { "spawn", RIGHT_SPAWN },       { "spawn_wait", RIGHT_SPAWN },    { "kv_get", RIGHT_KV },
	{ "kv_set", RIGHT_KV },         { "kv_delete", RIGHT_KV },      { "kv_next", RIGHT_KV },          { "spawn_kill", RIGHT_SPAWN },
	{ "time", RIGHT_TIME },         { "sleep", RIGHT_TIME },        { "random", RIGHT_RANDOM },
	{ "file_open", RIGHT_FILES },   { "file_read", RIGHT_FILES },   { "file_write", RIGHT_FILES },  { "file_seek", RIGHT_FILES },
	{ "file_size", RIGHT_FILES },   { "file_close", RIGHT_FILES },  { "file_remove", RIGHT_FILES },
	{ "file_next", RIGHT_FILES },
};
_Static_assert(COUNT_OF(served) == SERVE_END - SERVE_SEND, "each number has a name");

bool machine_may_serve(Machine *machine, u64 number)
{
	if (number < SERVE_SEND || number >= SERVE_END)
		return true;
	machine->lacked_name = served[number - SERVE_SEND].name;
	machine->vcpu.host_slow = true;
	if (number >= SERVE_FILES ? !machine->folders : !machine->outside)
		return false;
	if (machine_may(machine, served[number - SERVE_SEND].right))
		return true;
	machine->lacked = served[number - SERVE_SEND].right;
	return false;
}

static HostResult receive(Machine *machine, u64 space, u64 place, u64 most, u64 *result)
{
	const u64 args[] = { space, place, most };
	HostResult outcome = mail_wait(machine, NULL, 0, result);
	u64 len = *result - 1, from;

	if (outcome != HOST_OK)
		return outcome;
	outcome = mail_take(machine, args, 3, &from);
	*result = (len & all_ones) | from << 32;
	return outcome;
}

static HostResult serve(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	const u64 space = args[0], number = args[1], a = args[2], b = args[3], c = args[4];

	if (!machine_may_serve(machine, number))
		return HOST_DENIED;
	if (number >= SERVE_FILES && number <= SERVE_FILE_LAST)
		return machine_serve_file(machine, space, (unsigned)(number - SERVE_FILES), args + 2, result);
	switch (number) {
	case SERVE_SEND: return mail_send(machine, (const u64[]){ b, space, a, c }, 4, result);
	case SERVE_RECEIVE: return receive(machine, space, a, b, result);
	case SERVE_LENGTH: return mail_length(machine, args, count, result);
	case SERVE_FIND: return mail_find(machine, (const u64[]){ space, a, all_ones }, 3, result);
	case SERVE_SELF: return mail_self(machine, args, count, result);
	case SERVE_SPAWN: return spawn(machine, (const u64[]){ space, a, all_ones }, 3, result);
	case SERVE_SPAWN_WAIT: return spawn_wait(machine, &a, 1, result);
	case SERVE_KV_GET: return kv_get(machine, (const u64[]){ space, a, all_ones, b, c }, 5, result);
	case SERVE_KV_SET: return kv_set(machine, (const u64[]){ space, a, all_ones, b, c }, 5, result);
	case SERVE_KV_DELETE: return kv_delete(machine, (const u64[]){ space, a, all_ones }, 3, result);
	case SERVE_KV_NEXT: return kv_next(machine, (const u64[]){ space, a, all_ones, b, c }, 5, result);
	case SERVE_SPAWN_KILL: return spawn_kill(machine, &a, 1, result);
	case SERVE_TIME: *result = (machine_time(machine) / 1000000 & all_ones) | machine_time(machine) / 1000000000 << 32; break;
	case SERVE_SLEEP: machine_sleep(machine, (a & all_ones) * 1000000); break;
	case SERVE_RANDOM: *result = machine_random(machine) >> 32; break;
	default: *result = all_ones; break;
	}
	return HOST_OK;
}

const HostService machine_serve_service = { "serve", serve, 5, false };
