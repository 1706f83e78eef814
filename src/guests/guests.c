/* SPDX-License-Identifier: MIT */
#include "guests/guests.h"

#include <string.h>

#include "base/strmap.h"
#include "guests/iridium/iridium.h"
#include "guests/lc3/lc3.h"
#include "guests/stackvm/stackvm.h"
#include "guests/merry/merry.h"
#include "guests/rv64/rv64.h"
#include "guests/svm/svm.h"
#include "guests/tinyvm/tinyvm.h"
#include "isa/isa_frozen.h"

const Guest *const guests_all[] = {
	&lc3_guest,
	&stackvm_guest,
	&merry_guest,
	&svm_guest,
	&iridium_guest,
	&tinyvm_guest,
	&rv64_guest,
	NULL,
};

static bool is_called(const char *a, const char *b)
{
	return ascii_equal_fold(a, strlen(a), b, strlen(b));
}

const Guest *guests_find(const char *name)
{
	for (u32 i = 0; guests_all[i]; i++)
		if (is_called(guests_all[i]->name, name) || is_called(guests_all[i]->isa_name, name))
			return guests_all[i];
	return NULL;
}

const Guest *guests_find_text(const char *text)
{
	const char *at = text;
	size_t len;

	for (at += strspn(at, " \t\r\n"); *at == '#'; at += strspn(at, " \t\r\n"))
		at += strcspn(at, "\n");
	if (strncmp(at, "isa", 3) != 0 || (at[3] != ' ' && at[3] != '\t'))
		return NULL;
	at += 3;
	at += strspn(at, " \t");
	len = strcspn(at, " \t\r\n\"");
	for (const Guest *const *guest = guests_all; *guest; guest++)
		if ((*guest)->isa_name && ascii_equal_fold((*guest)->isa_name, strlen((*guest)->isa_name), at, len))
			return *guest;
	return NULL;
}

Isa *guests_load_isa(const Guest *guest, const char *name, const IsaChoice *choices, u32 choice_count, DiagList *diags)
{
	Isa *isa = guest->isa_frozen ? isa_thaw(guest->isa_frozen, name, NULL, 0, choices, choice_count) : NULL;

	return isa ? isa : isa_load(name, guest->isa_text, strlen(guest->isa_text), choices, choice_count, diags);
}
