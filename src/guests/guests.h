/* SPDX-License-Identifier: MIT
 *
 * The list of guests built into Husk. Adding a machine's folder means one line in guests.c.
 */
#ifndef GUESTS_GUESTS_H
#define GUESTS_GUESTS_H

#include "machine/machine.h"

extern const Guest *const guests_all[]; /* ended by NULL */

/* By guest name or isa name, ASCII case folded; NULL when absent. */
const Guest *guests_find(const char *name);
/* The one whose isa this text describes: by the name behind its first word, `isa`. NULL: nobody's. */
const Guest *guests_find_text(const char *text);

/* Its own description; the text is not even looked at where it need not be (isa/isa_frozen.h). As isa_load. */
Isa *guests_load_isa(const Guest *guest, const char *name, const IsaChoice *choices, u32 choice_count, DiagList *diags);

#endif
