/* SPDX-License-Identifier: MIT
 *
 * Mailboxes of the host: places among those of instances (mail.c) that no machine stands behind. Everything is guarded by the lock of
 * the hypervisor, which a mailbox keeps; only `arrived` is called without it, with a reference of its own.
 */
#include "hyper/hyper_private.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

Status mailbox_create(Hyper *hyper, const MailboxOptions *options, Mailbox **out)
{
	Mailbox *mailbox = calloc(1, sizeof *mailbox);
	Status status = STATUS_OK;

	*out = NULL;
	if (!mailbox)
		return STATUS_NOMEM;
	*mailbox = (Mailbox){.hyper = hyper, .options = *options, .refs = 1, .post = {.of_host = 1}, .name = strdup(options->name),
			     .realm = strdup(options->realm ? options->realm : "")};
	pthread_mutex_lock(&hyper->lock);
	if (!mailbox->name || !mailbox->realm || !mail_make_room(hyper, hyper->count + 1))
		status = STATUS_NOMEM;
	else if (hyper->closing)
		status = STATUS_INVALID;
	if (!status) {
		hyper->refs++;
		hyper->mailboxes++;
		mailbox->number = ++hyper->next_number;
		mail_enlist(hyper, &mailbox->post);
	}
	pthread_mutex_unlock(&hyper->lock);
	if (status) {
		free(mailbox->name);
		free(mailbox->realm);
		free(mailbox);
		return status;
	}
	*out = mailbox;
	return STATUS_OK;
}

void mailbox_ref(Mailbox *mailbox)
{
	pthread_mutex_lock(&mailbox->hyper->lock);
	mailbox->refs++;
	pthread_mutex_unlock(&mailbox->hyper->lock);
}

void mailbox_unref(Mailbox *mailbox)
{
	Hyper *hyper = mailbox ? mailbox->hyper : NULL;

	if (!hyper)
		return;
	pthread_mutex_lock(&hyper->lock);
	if (--mailbox->refs) {
		pthread_mutex_unlock(&hyper->lock);
		return;
	}
	mail_delist(hyper, &mailbox->post);
	mail_clear(&mailbox->post);
	hyper->mailboxes--;
	hyper_unref_locked(hyper);
	if (mailbox->options.release)
		mailbox->options.release(mailbox->options.ctx);
	free(mailbox->name);
	free(mailbox->realm);
	free(mailbox);
}

u64 mailbox_number(const Mailbox *mailbox)
{
	return mailbox->number;
}

void *mailbox_ctx(const Mailbox *mailbox)
{
	return mailbox->options.ctx;
}

u64 mailbox_find(const Mailbox *mailbox, const char *name)
{
	const MailPlace *found;
	u64 number;

	pthread_mutex_lock(&mailbox->hyper->lock);
	found = mail_by_name(mailbox->hyper, &mailbox->post, name);
	number = found ? mail_number(found) : 0;
	pthread_mutex_unlock(&mailbox->hyper->lock);
	return number;
}

/* ---- Messages ---- */

Mailbox *mailbox_touch(MailPlace *place)
{
	Mailbox *mailbox = (Mailbox *)((char *)place - offsetof(Mailbox, post));

	if (!place->of_host)
		return NULL;
	mailbox->refs++;
	pthread_cond_broadcast(&mailbox->hyper->changed);
	return mailbox;
}

void mailbox_tell(Mailbox *mailbox)
{
	if (mailbox && mailbox->options.arrived)
		mailbox->options.arrived(mailbox->options.ctx, mailbox);
	mailbox_unref(mailbox);
}

Status mailbox_send(Mailbox *mailbox, u64 number, const u8 *bytes, size_t len)
{
	Hyper *hyper = mailbox->hyper;
	Mailbox *touched = NULL;
	Status status = STATUS_OK;
	MailPlace *to;
	Mail *mail;

	if (len > MAIL_MOST)
		return STATUS_RANGE;
	mail = mail_make(mailbox->number, bytes, (u32)len);
	if (!mail)
		return STATUS_NOMEM;
	pthread_mutex_lock(&hyper->lock);
	to = mail_by_number(hyper, &mailbox->post, number);
	if (!to) {
		status = STATUS_NOT_FOUND;
	} else if (!mail_has_room(to, mail->len)) {
		status = STATUS_TOO_BIG;
	} else {
		mail_put(to, mail);
		touched = mailbox_touch(to);
	}
	pthread_mutex_unlock(&hyper->lock);
	if (status)
		free(mail);
	mailbox_tell(touched);
	return status;
}

Status mailbox_take(Mailbox *mailbox, u8 *bytes, size_t most, u64 *from, size_t *len)
{
	Status status = STATUS_NOT_FOUND;
	Mail *mail = NULL;

	*from = *len = 0;
	pthread_mutex_lock(&mailbox->hyper->lock);
	if (mailbox->post.mail) {
		*from = mailbox->post.mail->from;
		*len = mailbox->post.mail->len;
		status = *len > most ? STATUS_TOO_BIG : STATUS_OK;
		mail = status ? NULL : mail_get(&mailbox->post);
	}
	pthread_mutex_unlock(&mailbox->hyper->lock);
	if (mail && mail->len)
		memcpy(bytes, mail->bytes, mail->len);
	free(mail);
	return status;
}

bool mailbox_wait(Mailbox *mailbox, u64 ns)
{
	Hyper *hyper = mailbox->hyper;
	u64 now, until;
	bool found;

	pthread_mutex_lock(&hyper->lock);
	now = hyper_now(hyper);
	until = ns < NEVER - now ? now + ns : NEVER;
	while (!mailbox->post.mail && !hyper->closing && !hyper_is_deterministic(hyper) && hyper_wait_changed(hyper, until))
		;
	found = mailbox->post.mail != NULL;
	pthread_mutex_unlock(&hyper->lock);
	return found;
}
