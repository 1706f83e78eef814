/* SPDX-License-Identifier: MIT
 *
 * Messages between instances. A message is up to MAIL_MOST bytes that are copied into the queue of whom it is for; queues are
 * bounded. They belong to the hypervisor: no snapshot holds them, restoring one leaves them as they are, a fork begins with none, and
 * they go when the instance ends.
 *
 * Who finds no message, or no room, waits as a machine waits for something outside, and is woken when that has changed. An
 * instance is reached by its number, which is never used again, or by its name; within its realm, and if it may have mail at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "hyper/hyper_private.h"

enum { QUEUE_MESSAGES = 256, QUEUE_BYTES = 65536 };

typedef struct Mail Mail;
struct Mail {
	Mail *next;
	u64 from;
	u32 len;
	u8 bytes[];
};

/* ---- Who is there ---- */

static u32 number_slot(const Hyper *hyper, u64 number)
{
	return (u32)number & (hyper->slots - 1);
}

static u32 name_slot(const Hyper *hyper, const char *name)
{
	return (u32)hash_bytes(HASH_START, name, strlen(name)) & (hyper->slots - 1);
}

bool mail_make_room(Hyper *hyper, u32 count)
{
	u32 slots = hyper->slots ? hyper->slots : 16;
	Instance **numbers, **names;

	while (slots < count)
		slots *= 2;
	if (slots == hyper->slots)
		return true;
	numbers = calloc(slots, sizeof(Instance *));
	names = calloc(slots, sizeof(Instance *));
	if (!numbers || !names) {
		free(numbers);
		free(names);
		return false;
	}
	free(hyper->by_number);
	free(hyper->by_name);
	hyper->by_number = numbers;
	hyper->by_name = names;
	hyper->slots = slots;
	for (u32 i = 0; i < hyper->count; i++)
		if (hyper->all[i]->listed) {
			hyper->all[i]->listed = false;
			mail_enlist(hyper->all[i]);
		}
	return true;
}

void mail_enlist(Instance *instance)
{
	Hyper *hyper = instance->hyper;
	Instance **number = &hyper->by_number[number_slot(hyper, instance->number)];
	Instance **name = &hyper->by_name[name_slot(hyper, instance->name)];

	instance->next_number = *number;
	*number = instance;
	instance->next_name = *name;
	*name = instance;
	instance->listed = true;
}

void mail_delist(Instance *instance)
{
	Hyper *hyper = instance->hyper;
	Instance **at;

	if (!instance->listed)
		return;
	for (at = &hyper->by_number[number_slot(hyper, instance->number)]; *at != instance;)
		at = &(*at)->next_number;
	*at = instance->next_number;
	for (at = &hyper->by_name[name_slot(hyper, instance->name)]; *at != instance;)
		at = &(*at)->next_name;
	*at = instance->next_name;
	instance->listed = false;
}

static bool can_be_reached(const Instance *instance, const Instance *from)
{
	return instance->state != INSTANCE_ENDED && !strcmp(instance->realm, from->realm) &&
	       budget_rights(instance->budget) & MAY_MAILBOX;
}

/* NULL: nobody, for this sender. */
static Instance *by_number(const Instance *from, u64 number)
{
	Instance *instance = from->hyper->by_number[number_slot(from->hyper, number)];

	while (instance && instance->number != number)
		instance = instance->next_number;
	return instance && can_be_reached(instance, from) ? instance : NULL;
}

/* Of several of a name the oldest. */
static Instance *by_name(const Instance *from, const char *name)
{
	Instance *found = NULL;

	for (Instance *instance = from->hyper->by_name[name_slot(from->hyper, name)]; instance; instance = instance->next_name)
		if (!strcmp(instance->name, name) && (!found || instance->number < found->number) && can_be_reached(instance, from))
			found = instance;
	return found;
}

static u64 mail_self(void *ctx)
{
	return ((const Instance *)ctx)->number;
}

static u64 mail_find(void *ctx, const char *name)
{
	const Instance *instance = ctx, *found;
	u64 number;

	pthread_mutex_lock(&instance->hyper->lock);
	found = by_name(instance, name);
	number = found ? found->number : 0;
	pthread_mutex_unlock(&instance->hyper->lock);
	return number;
}

static void mail_name_of(void *ctx, u64 number, char *name)
{
	const Instance *instance = ctx, *found;

	pthread_mutex_lock(&instance->hyper->lock);
	found = by_number(instance, number);
	if (found && strlen(found->name) < OUTSIDE_NAME_MOST)
		strcpy(name, found->name);
	else
		snprintf(name, OUTSIDE_NAME_MOST, "%llu", (unsigned long long)number);
	pthread_mutex_unlock(&instance->hyper->lock);
}

/* ---- Queues ---- */

static Mail *make(u64 from, const u8 *bytes, u32 len)
{
	Mail *mail = malloc(sizeof *mail + len);

	if (!mail)
		return NULL;
	*mail = (Mail){.from = from, .len = len};
	memcpy(mail->bytes, bytes, len);
	return mail;
}

static bool has_room(const Instance *instance, u32 len)
{
	return instance->mail_count < QUEUE_MESSAGES && instance->mail_bytes + len <= QUEUE_BYTES;
}

static void put(Instance *instance, Mail *mail)
{
	if (!instance->mail)
		instance->mail_end = &instance->mail;
	*instance->mail_end = mail;
	instance->mail_end = &mail->next;
	instance->mail_count++;
	instance->mail_bytes += mail->len;
	instance_nudge(instance);
}

static void leave_room_list(Instance *instance)
{
	if (!instance->room_link)
		return;
	*instance->room_link = instance->room_next;
	if (instance->room_next)
		instance->room_next->room_link = instance->room_link;
	instance->room_link = NULL;
}

static void want_room(Instance *instance, Instance *in)
{
	leave_room_list(instance);
	instance->room_next = in->room_first;
	instance->room_link = &in->room_first;
	if (in->room_first)
		in->room_first->room_link = &instance->room_next;
	in->room_first = instance;
}

static void tell_of_room(Instance *instance)
{
	while (instance->room_first) {
		Instance *waiting = instance->room_first;

		leave_room_list(waiting);
		instance_nudge(waiting);
	}
}

void mail_clear(Instance *instance)
{
	Mail *mail;

	while ((mail = instance->mail)) {
		instance->mail = mail->next;
		free(mail);
	}
	instance->mail_count = instance->mail_bytes = 0;
	tell_of_room(instance);
	leave_room_list(instance);
}

/* With the lock. */
static OutsideResult send(Instance *from, Instance *to, Mail *mail)
{
	if (!to)
		return OUTSIDE_NOT_THERE;
	if (!has_room(to, mail->len)) {
		want_room(from, to);
		return OUTSIDE_FULL;
	}
	if (!budget_take_all(from->budget, BUDGET_MESSAGES, 1, NULL)) {
		slice_breach(from, BUDGET_MESSAGES);
		return OUTSIDE_REFUSED;
	}
	put(to, mail);
	return OUTSIDE_OK;
}

static OutsideResult mail_send(void *ctx, u64 to, const u8 *bytes, u32 len)
{
	Instance *instance = ctx;
	Mail *mail = len <= MAIL_MOST ? make(instance->number, bytes, len) : NULL;
	OutsideResult result;

	if (!mail)
		return len <= MAIL_MOST ? OUTSIDE_FAILED : OUTSIDE_TOO_BIG;
	pthread_mutex_lock(&instance->hyper->lock);
	result = send(instance, by_number(instance, to), mail);
	pthread_mutex_unlock(&instance->hyper->lock);
	if (result)
		free(mail);
	return result;
}

static bool mail_peek(void *ctx, MailHead *out)
{
	const Instance *instance = ctx;
	bool found;

	pthread_mutex_lock(&instance->hyper->lock);
	found = instance->mail != NULL;
	if (found)
		*out = (MailHead){.from = instance->mail->from, .len = instance->mail->len};
	pthread_mutex_unlock(&instance->hyper->lock);
	return found;
}

static bool mail_take(void *ctx, u8 *bytes, u32 most, MailHead *out)
{
	Instance *instance = ctx;
	Mail *mail;

	pthread_mutex_lock(&instance->hyper->lock);
	mail = instance->mail;
	if (mail) {
		instance->mail = mail->next;
		instance->mail_count--;
		instance->mail_bytes -= mail->len;
		tell_of_room(instance);
	}
	pthread_mutex_unlock(&instance->hyper->lock);
	if (!mail)
		return false;
	*out = (MailHead){.from = mail->from, .len = mail->len};
	memcpy(bytes, mail->bytes, mail->len < most ? mail->len : most);
	free(mail);
	return true;
}

void mail_init(MachineOutside *outside)
{
	outside->self = mail_self;
	outside->find = mail_find;
	outside->name_of = mail_name_of;
	outside->send = mail_send;
	outside->peek = mail_peek;
	outside->take = mail_take;
}

Status instance_mail(Instance *instance, u64 from, const u8 *bytes, size_t len)
{
	Status status = STATUS_OK;
	Mail *mail;

	if (len > MAIL_MOST)
		return STATUS_TOO_BIG;
	mail = make(from, bytes, (u32)len);
	if (!mail)
		return STATUS_NOMEM;
	pthread_mutex_lock(&instance->hyper->lock);
	if (instance->state == INSTANCE_ENDED)
		status = STATUS_INVALID;
	else if (!has_room(instance, mail->len))
		status = STATUS_TOO_BIG;
	else
		put(instance, mail);
	pthread_mutex_unlock(&instance->hyper->lock);
	if (status)
		free(mail);
	return status;
}
