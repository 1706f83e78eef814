/* SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share. A target is a function of its input alone: the machine description is loaded once
 * and never changes, everything else is made and freed in each call.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/diag.h"
#include "guests/guests.h"
#include "isa/isa.h"
#include "machine/machine.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Says what is wrong with Husk and stops the fuzzer there. */
static inline void fuzz_fail(const char *what)
{
	fprintf(stderr, "fuzz: %s\n", what);
	abort();
}

/* The LC-3 in one of its profiles; the caller keeps it in a static variable. */
static inline Isa *fuzz_lc3(const char *profile)
{
	const Guest *guest = guests_find("lc3");
	IsaChoice choice = {"profile", profile};
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = guest ? isa_load("lc3.isa", guest->isa_text, __builtin_strlen(guest->isa_text), &choice, 1, &diags) : NULL;
	if (!isa)
		fuzz_fail("the LC-3 does not load");
	diag_fini(&diags);
	return isa;
}

/* All messages as text, and away with them. */
static inline void fuzz_render(DiagList *diags)
{
	Buf text;

	buf_init(&text);
	diag_render(diags, &text, true);
	diag_render_json(diags, &text);
	buf_fini(&text);
	diag_fini(diags);
}

#endif
