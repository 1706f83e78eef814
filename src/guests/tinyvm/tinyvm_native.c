/* SPDX-License-Identifier: MIT
 *
 * Native functions (services=on): what a hypervisor gives, as `sync NAME:VARIABLE` of names that no function of the program has. As
 * instances know numbers and texts and this machine numbers and names, letters and values are numbers in decimal, and names of instances
 * and keys are names of variables. The variable `who` is the other one: to whom one writes, or who wrote.
 *
 *     mail_self:v     v is one's own number                    spawn:NAME     NAME is the number of a new instance of it, 0: it can't
 *     mail_find:NAME  NAME and who are its number, 0: nobody   spawn_wait:v   waits for the end of number v; v is its code
 *     mail_send:v     sends v to who; who is 0 if it can't     spawn_kill:v   ends number v
 *     mail_wait:v     waits; v is the letter, who its sender   kv_get:v       v is what is kept under "v", 0: nothing
 *     kv_set:v        keeps v                                  kv_delete:v    forgets it
 *     random:v        v is a random number                     file_read:v    v is the number in the file "v", 0: none; who is 0, or why not
 *     file_write:v    the file "v" is v in decimal; likewise   file_remove:v  it is gone; likewise
 *
 * The compiler makes the call's address of the number of the function and that of the variable's name (tvm_native_address); the
 * description has found the variables when it calls here.
 */
#include "guests/tinyvm/tinyvm.h"

#include <stdio.h>
#include <string.h>

#include "machine/files.h"
#include "machine/outside.h"
#include "machine/vcpus.h"

enum { NATIVE = 0xC0000000u, NAME_BITS = 18, NUMBER_MOST = 12 };

typedef enum Native {
	SELF, FIND, SEND, WAIT, SPAWN, SPAWN_WAIT, SPAWN_KILL, KV_GET, KV_SET, KV_DELETE, RANDOM,
	FILE_GET, FILE_PUT, FILE_GONE, NATIVES
} Native;

static const struct {
	const char *name;
	u8 service; /* whose right it wants: services_outside.c */
} natives[] = {
	[SELF] = { "mail_self", 0x34 },   [FIND] = { "mail_find", 0x33 },       [SEND] = { "mail_send", 0x30 },
	[WAIT] = { "mail_wait", 0x31 },   [SPAWN] = { "spawn", 0x35 },          [SPAWN_WAIT] = { "spawn_wait", 0x36 },
	[SPAWN_KILL] = { "spawn_kill", 0x3B }, [KV_GET] = { "kv_get", 0x37 },   [KV_SET] = { "kv_set", 0x38 },
	[KV_DELETE] = { "kv_delete", 0x39 }, [RANDOM] = { "random", 0x3E },
	[FILE_GET] = { "file_read", 0x40 }, [FILE_PUT] = { "file_write", 0x41 }, [FILE_GONE] = { "file_remove", 0x45 },
};

const char *tvm_native_variable(const char *call, u32 *native)
{
	const char *colon = strchr(call, ':');

	for (*native = 0; colon && colon[1] && *native < NATIVES; ++*native)
		if (strlen(natives[*native].name) == (size_t)(colon - call) && !memcmp(call, natives[*native].name, (size_t)(colon - call)))
			return colon + 1;
	return NULL;
}

u32 tvm_native_address(u32 native, u32 name)
{
	return NATIVE | native << NAME_BITS | name;
}

bool tvm_has_natives(const Isa *isa)
{
	const char *choice = isa_option_value(isa, "services");

	return choice && strcmp(choice, "on") == 0;
}

/* As the source language reads numbers. */
static u32 number_of(const u8 *text, size_t len)
{
	size_t at = len && (text[0] == '-' || text[0] == '+');
	u32 value = 0;

	for (; at < len && text[at] >= '0' && text[at] <= '9'; at++)
		value = value * 10 + (u32)(text[at] - '0');
	return len && text[0] == '-' ? 0 - value : value;
}

static HostResult receive(Machine *machine, const MachineOutside *outside, u32 *value, u32 *who)
{
	u8 letter[NUMBER_MOST];
	MailHead head;

	if (!outside->take(outside->ctx, letter, sizeof letter, &head))
		return machine_wait_for(machine, MACHINE_OUTSIDE);
	*value = number_of(letter, head.len < sizeof letter ? head.len : sizeof letter);
	*who = (u32)head.from;
	return HOST_OK;
}

static u32 kept(const MachineOutside *outside, const Buf *key)
{
	u32 value = 0;
	Buf found;

	buf_init(&found);
	if (!outside->kv_get(outside->ctx, key->data, (u32)key->len, &found) && !found.failed)
		value = number_of(found.data, found.len);
	buf_fini(&found);
	return value;
}

static HostResult serve(Machine *machine, const MachineOutside *outside, Native native, const Buf *name, u32 *value, u32 *who)
{
	char text[NUMBER_MOST];
	const u32 len = (u32)snprintf(text, sizeof text, "%d", (i32)*value);
	u64 number = 0;
	u32 code = 0;

	switch (native) {
	case SELF: *value = (u32)outside->self(outside->ctx); break;
	case FIND: *value = *who = (u32)outside->find(outside->ctx, buf_text(name)); break;
	case SEND: *who = outside->send(outside->ctx, *who, (const u8 *)text, len) ? 0 : *who; break;
	case WAIT: return receive(machine, outside, value, who);
	case SPAWN: *value = outside->spawn(outside->ctx, buf_text(name), &number) ? 0 : (u32)number; break;
	case SPAWN_WAIT:
		switch (outside->ended(outside->ctx, *value, &code)) {
		case OUTSIDE_FULL: return machine_wait_for(machine, MACHINE_OUTSIDE);
		case OUTSIDE_OK: *value = code; break;
		default: *value = ~(u32)0; break;
		}
		break;
	case SPAWN_KILL: outside->kill(outside->ctx, *value); break;
	case KV_GET: *value = kept(outside, name); break;
	case KV_SET: outside->kv_set(outside->ctx, name->data, (u32)name->len, (const u8 *)text, len); break;
	case KV_DELETE: outside->kv_delete(outside->ctx, name->data, (u32)name->len); break;
	case RANDOM: *value = (u32)(machine_random(machine) >> 32); break;
	case FILE_GET:
		*who = machine_file_get(machine, buf_text(name), (u8 *)text, sizeof text, &code);
		*value = *who ? 0 : number_of((const u8 *)text, code);
		break;
	case FILE_PUT: *who = machine_file_put(machine, buf_text(name), (const u8 *)text, len); break;
	case FILE_GONE: *who = machine_file_remove(machine, buf_text(name)); break;
	case NATIVES: break;
	}
	return HOST_OK;
}

/* native(function, name, value, who) : 64   the new value, and above it the new who */
HostResult tvm_native(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	u32 value = (u32)args[2], who = (u32)args[3];
	HostResult outcome;
	Buf name;

	(void)count;
	if (args[0] >= NATIVES)
		return HOST_DENIED;
	if (!machine_may_serve(machine, natives[args[0]].service))
		return HOST_DENIED;
	buf_init(&name);
	tvm_name(machine, args[1], &name);
	outcome = name.failed ? HOST_DENIED : serve(machine, machine_outside(machine), (Native)args[0], &name, &value, &who);
	buf_fini(&name);
	*result = value | (u64)who << 32;
	return outcome;
}
