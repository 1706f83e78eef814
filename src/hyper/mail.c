/* SPDX-License-Identifier: MIT
 *
 * Messages between instances. A message is up to MAIL_MOST bytes that are copied into the queue of whom it is for; queues are
 * bounded. They belong to the hypervisor: no snapshot holds them, restoring one leaves them as they are, a fork begins with none, and
 * they go when the instance ends.
 *
 * Who finds no message, or no room, waits as a machine waits for something outside, and is woken when that has changed. An
 * instance is reached by its number, which is never used again, or by its name; within its realm, and if it may have mail at all. So is a
 * mailbox of the host (mailbox.c).
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "hyper/hyper_private.h"

enum { QUEUE_MESSAGES = 256, QUEUE_BYTES = 65536 };

/* ---- Who is there ---- */

/* Whose it is; NULL: the host's. */
static const Instance *owner(const MailPlace *place)
{
	return place->of_host ? NULL : (const Instance *)((const char *)place - offsetof(Instance, post));
}

static const Mailbox *mailbox_of(const MailPlace *place)
{
	return (const Mailbox *)((const char *)place - offsetof(Mailbox, post));
}

u64 mail_number(const MailPlace *place)
{
	return place->of_host ? mailbox_of(place)->number : owner(place)->number;
}

static const char *name_of(const MailPlace *place)
{
	return place->of_host ? mailbox_of(place)->name : owner(place)->name;
}

static const char *realm_of(const MailPlace *place)
{
	return place->of_host ? mailbox_of(place)->realm : owner(place)->realm;
}

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
	u32 slots = hyper->slots ? hyper->slots : 16, before = hyper->slots;
	MailPlace **numbers, **names, **old = hyper->by_number;

	count += hyper->mailboxes;
	while (slots < count)
		slots *= 2;
	if (slots == hyper->slots)
		return true;
	numbers = calloc(slots, sizeof(MailPlace *));
	names = calloc(slots, sizeof(MailPlace *));
	if (!numbers || !names) {
		free(numbers);
		free(names);
		return false;
	}
	free(hyper->by_name);
	hyper->by_number = numbers;
	hyper->by_name = names;
	hyper->slots = slots;
	for (u32 i = 0; i < before; i++)
		for (MailPlace *place = old[i], *next; place; place = next) {
			next = place->next_number;
			mail_enlist(hyper, place);
		}
	free(old);
	return true;
}

void mail_enlist(Hyper *hyper, MailPlace *place)
{
	MailPlace **number = &hyper->by_number[number_slot(hyper, mail_number(place))];
	MailPlace **name = &hyper->by_name[name_slot(hyper, name_of(place))];

	place->next_number = *number;
	*number = place;
	place->next_name = *name;
	*name = place;
}

void mail_delist(Hyper *hyper, MailPlace *place)
{
	MailPlace **at;

	for (at = &hyper->by_number[number_slot(hyper, mail_number(place))]; *at != place;)
		at = &(*at)->next_number;
	*at = place->next_number;
	for (at = &hyper->by_name[name_slot(hyper, name_of(place))]; *at != place;)
		at = &(*at)->next_name;
	*at = place->next_name;
}

static bool can_be_reached(const MailPlace *place, const MailPlace *from)
{
	const Instance *instance = owner(place);

	return !strcmp(realm_of(place), realm_of(from)) &&
	       (!instance || (instance->state != INSTANCE_ENDED && budget_rights(instance->budget) & MAY_MAILBOX));
}

static MailPlace *at_number(const Hyper *hyper, u64 number)
{
	MailPlace *place = hyper->slots ? hyper->by_number[number_slot(hyper, number)] : NULL;

	while (place && mail_number(place) != number)
		place = place->next_number;
	return place;
}

MailPlace *mail_by_number(const Hyper *hyper, const MailPlace *from, u64 number)
{
	MailPlace *place = at_number(hyper, number);

	return place && can_be_reached(place, from) ? place : NULL;
}

Instance *mail_instance(const Hyper *hyper, u64 number)
{
	const MailPlace *place = at_number(hyper, number);

	return place ? (Instance *)owner(place) : NULL;
}

/* Of several of a name the oldest. */
MailPlace *mail_by_name(const Hyper *hyper, const MailPlace *from, const char *name)
{
	MailPlace *found = NULL;

	for (MailPlace *place = hyper->slots ? hyper->by_name[name_slot(hyper, name)] : NULL; place; place = place->next_name)
		if (!strcmp(name_of(place), name) && (!found || mail_number(place) < mail_number(found)) && can_be_reached(place, from))
			found = place;
	return found;
}

static u64 mail_self(void *ctx)
{
	return ((const Instance *)ctx)->number;
}

static u64 mail_find(void *ctx, const char *name)
{
	const Instance *instance = ctx;
	const MailPlace *found;
	u64 number;

	pthread_mutex_lock(&instance->hyper->lock);
	found = mail_by_name(instance->hyper, &instance->post, name);
	number = found ? mail_number(found) : 0;
	pthread_mutex_unlock(&instance->hyper->lock);
	return number;
}

static void mail_name_of(void *ctx, u64 number, char *name)
{
	const Instance *instance = ctx;
	const MailPlace *found;

	pthread_mutex_lock(&instance->hyper->lock);
	found = mail_by_number(instance->hyper, &instance->post, number);
	if (found && strlen(name_of(found)) < OUTSIDE_NAME_MOST)
		strcpy(name, name_of(found));
	else
		snprintf(name, OUTSIDE_NAME_MOST, "%llu", (unsigned long long)number);
	pthread_mutex_unlock(&instance->hyper->lock);
}

/* ---- Queues ---- */

Mail *mail_make(u64 from, const u8 *bytes, u32 len)
{
	Mail *mail = malloc(sizeof *mail + len);

	if (!mail)
		return NULL;
	*mail = (Mail){.from = from, .len = len};
	if (len)
		memcpy(mail->bytes, bytes, len);
	return mail;
}

bool mail_has_room(const MailPlace *place, u32 len)
{
	return place->mail_count < QUEUE_MESSAGES && place->mail_bytes + len <= QUEUE_BYTES;
}

void mail_put(MailPlace *place, Mail *mail)
{
	if (!place->mail)
		place->mail_end = &place->mail;
	*place->mail_end = mail;
	place->mail_end = &mail->next;
	place->mail_count++;
	place->mail_bytes += mail->len;
	if (!place->of_host)
		instance_nudge((Instance *)owner(place));
}

void mail_forget_room(Instance *instance)
{
	if (!instance->room_link)
		return;
	*instance->room_link = instance->room_next;
	if (instance->room_next)
		instance->room_next->room_link = instance->room_link;
	instance->room_link = NULL;
}

static void want_room(Instance *instance, MailPlace *in)
{
	mail_forget_room(instance);
	instance->room_next = in->room_first;
	instance->room_link = &in->room_first;
	if (in->room_first)
		in->room_first->room_link = &instance->room_next;
	in->room_first = instance;
}

static void tell_of_room(MailPlace *place)
{
	while (place->room_first) {
		Instance *waiting = place->room_first;

		mail_forget_room(waiting);
		instance_nudge(waiting);
	}
}

Mail *mail_get(MailPlace *place)
{
	Mail *mail = place->mail;

	if (!mail)
		return NULL;
	place->mail = mail->next;
	place->mail_count--;
	place->mail_bytes -= mail->len;
	tell_of_room(place);
	return mail;
}

void mail_clear(MailPlace *place)
{
	Mail *mail;

	while ((mail = place->mail)) {
		place->mail = mail->next;
		free(mail);
	}
	place->mail_count = place->mail_bytes = 0;
	tell_of_room(place);
}

/* With the lock. */
static OutsideResult send(Instance *from, MailPlace *to, Mail *mail)
{
	if (!to)
		return OUTSIDE_NOT_THERE;
	if (!mail_has_room(to, mail->len)) {
		want_room(from, to);
		return OUTSIDE_FULL;
	}
	if (!budget_take_all(from->budget, BUDGET_MESSAGES, 1, NULL)) {
		slice_breach(from, BUDGET_MESSAGES);
		return OUTSIDE_REFUSED;
	}
	mail_put(to, mail);
	return OUTSIDE_OK;
}

static OutsideResult mail_send(void *ctx, u64 number, const u8 *bytes, u32 len)
{
	Instance *instance = ctx;
	Mail *mail = len <= MAIL_MOST ? mail_make(instance->number, bytes, len) : NULL;
	Mailbox *mailbox = NULL;
	OutsideResult result;
	MailPlace *to;

	if (!mail)
		return len <= MAIL_MOST ? OUTSIDE_FAILED : OUTSIDE_TOO_BIG;
	pthread_mutex_lock(&instance->hyper->lock);
	to = mail_by_number(instance->hyper, &instance->post, number);
	result = send(instance, to, mail);
	if (!result)
		mailbox = mailbox_touch(to);
	pthread_mutex_unlock(&instance->hyper->lock);
	if (result)
		free(mail);
	mailbox_tell(mailbox);
	return result;
}

static bool mail_peek(void *ctx, MailHead *out)
{
	const Instance *instance = ctx;
	bool found;

	pthread_mutex_lock(&instance->hyper->lock);
	found = instance->post.mail != NULL;
	if (found)
		*out = (MailHead){.from = instance->post.mail->from, .len = instance->post.mail->len};
	pthread_mutex_unlock(&instance->hyper->lock);
	return found;
}

static bool mail_take(void *ctx, u8 *bytes, u32 most, MailHead *out)
{
	Instance *instance = ctx;
	Mail *mail;

	pthread_mutex_lock(&instance->hyper->lock);
	mail = mail_get(&instance->post);
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
	mail = mail_make(from, bytes, (u32)len);
	if (!mail)
		return STATUS_NOMEM;
	pthread_mutex_lock(&instance->hyper->lock);
	if (instance->state == INSTANCE_ENDED)
		status = STATUS_INVALID;
	else if (!mail_has_room(&instance->post, mail->len))
		status = STATUS_TOO_BIG;
	else
		mail_put(&instance->post, mail);
	pthread_mutex_unlock(&instance->hyper->lock);
	if (status)
		free(mail);
	return status;
}
