/* SPDX-License-Identifier: MIT
 *
 * Mailboxes of libhusk: handles of hyper/mailbox.c, which go when the mailboxes do.
 */
#include "api/api_hyper.h"
#include "machine/outside.h"

_Static_assert((int)HUSK_MESSAGE_MOST == MAIL_MOST && (int)HUSK_KEY_MOST == KV_KEY_MOST && (int)HUSK_VALUE_MOST == KV_VALUE_MOST,
	       "messages, keys and values are as long outside");

struct husk_mailbox {
	husk_context *context; /* a reference */
	Mailbox *mailbox;      /* it owns us. Atomic: a message may be there before its maker knows it */
	bool has_workers;
	void (*arrived)(void *ctx, husk_mailbox *mailbox);
	void *arrived_ctx;
};

static void free_handle(husk_mailbox *handle)
{
	husk_context *context = handle->context;

	api_free(context, handle, sizeof *handle);
	husk_context_unref(context);
}

static void on_release(void *ctx)
{
	free_handle(ctx);
}

static void on_arrived(void *ctx, Mailbox *mailbox)
{
	husk_mailbox *handle = ctx;

	__atomic_store_n(&handle->mailbox, mailbox, __ATOMIC_RELEASE);
	handle->arrived(handle->arrived_ctx, handle);
}

static Mailbox *inner(const husk_mailbox *handle)
{
	return __atomic_load_n(&handle->mailbox, __ATOMIC_ACQUIRE);
}

husk_status husk_mailbox_create(husk_hyper *hyper, const husk_mailbox_options *options, husk_mailbox **out)
{
	husk_mailbox_options own;
	MailboxOptions inside;
	husk_mailbox *handle;
	husk_status status;
	Mailbox *made;

	if (out)
		*out = NULL;
	if (!hyper || !out)
		return HUSK_INVALID;
	status = api_options(&own, sizeof own, options);
	if (status)
		return status;
	handle = api_alloc(hyper->context, sizeof *handle);
	if (!handle)
		return HUSK_NO_MEMORY;
	husk_context_ref(hyper->context);
	handle->context = hyper->context;
	handle->has_workers = hyper->workers > 0;
	handle->arrived = own.arrived;
	handle->arrived_ctx = own.arrived_ctx;
	inside = (MailboxOptions){.name = own.name ? own.name : "host", .realm = own.realm, .arrived = own.arrived ? on_arrived : NULL,
				  .ctx = handle, .release = on_release};
	status = api_status(mailbox_create(hyper->hyper, &inside, &made));
	if (status) {
		free_handle(handle);
		return status;
	}
	__atomic_store_n(&handle->mailbox, made, __ATOMIC_RELEASE);
	*out = handle;
	return HUSK_OK;
}

void husk_mailbox_ref(husk_mailbox *mailbox)
{
	if (mailbox)
		mailbox_ref(inner(mailbox));
}

void husk_mailbox_unref(husk_mailbox *mailbox)
{
	if (mailbox)
		mailbox_unref(inner(mailbox));
}

uint64_t husk_mailbox_number(const husk_mailbox *mailbox)
{
	return mailbox ? mailbox_number(inner(mailbox)) : 0;
}

husk_status husk_mailbox_find(husk_mailbox *mailbox, const char *name, uint64_t *number)
{
	if (number)
		*number = 0;
	if (!mailbox || !name || !number)
		return HUSK_INVALID;
	*number = mailbox_find(inner(mailbox), name);
	return *number ? HUSK_OK : HUSK_NOT_FOUND;
}

husk_status husk_mailbox_send(husk_mailbox *mailbox, uint64_t to, const void *bytes, size_t len)
{
	if (!mailbox || (!bytes && len))
		return HUSK_INVALID;
	return api_status(mailbox_send(inner(mailbox), to, bytes, len));
}

husk_status husk_mailbox_take(husk_mailbox *mailbox, void *bytes, size_t room, size_t *len, uint64_t *from)
{
	u64 sender;

	if (len)
		*len = 0;
	if (from)
		*from = 0;
	if (!mailbox || !len || (!bytes && room))
		return HUSK_INVALID;
	return api_status(mailbox_take(inner(mailbox), bytes, room, from ? from : &sender, len));
}

husk_status husk_mailbox_wait(husk_mailbox *mailbox, uint64_t ns)
{
	if (!mailbox)
		return HUSK_INVALID;
	if (mailbox_wait(inner(mailbox), ns))
		return HUSK_OK;
	return mailbox->has_workers ? HUSK_TIMEOUT : HUSK_STATE;
}
