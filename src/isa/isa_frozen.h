/* SPDX-License-Identifier: MIT
 *
 * A description that was loaded when Husk was built. The descriptions that come with Husk need not be read again at every start:
 * what isa_load left of them is embedded beside their text, and isa_thaw makes an Isa of it for a copy and some additions.
 *
 *     head | moving part: the Isa itself, then what holds pointers | still part: what holds none, strings above all
 *          | which words of the moving part point into it, one bit each | which point into the still part, likewise
 *
 * A pointer is the distance from the beginning of the part it points into. The moving part is copied into memory and its
 * pointers made real; the still part is used where it stands. Nobody lists the fields of an Isa for this: isa_freeze loads the
 * text twice, and a word that differs by as much as two allocations lie apart is a pointer from one into the other. So a field that
 * is added is frozen by itself. A description that cannot be frozen (it has a pointer to elsewhere; or a compiler that does not
 * optimize leaves something else between fields each time) is a warning when Husk is built, and loaded at every start.
 *
 * A frozen description is made by the same build, from the same objects, for the same machine: it is believed, not checked.
 */
#ifndef ISA_ISA_FROZEN_H
#define ISA_ISA_FROZEN_H

#include "base/buf.h"
#include "isa/isa.h"

/* The bytes, at the end of `out`, of what isa_load makes of the text without choices; what cannot be frozen is bytes that
 * isa_thaw refuses, and a warning says why. False: not loaded without messages (they are in diags), or out of memory. */
bool isa_freeze(const char *name, const char *text, size_t len, Buf *out, DiagList *diags);

/* An Isa as isa_load would make it, for isa_destroy; NULL: `frozen` is of another text or other choices or of nothing, or memory
 * is out, and isa_load has the word. A text that is NULL is that of `frozen`. `frozen` (aligned to 16 bytes) must outlive the Isa. */
Isa *isa_thaw(const void *frozen, const char *name, const char *text, size_t len, const IsaChoice *choices, u32 choice_count);

/* Thaws it if that can be (frozen may be NULL), else loads the text. */
Isa *isa_thaw_or_load(const void *frozen, const char *name, const char *text, size_t len, const IsaChoice *choices, u32 choice_count,
		      DiagList *diags);

/* ---- Between the two ---- */

typedef struct IsaFrozenHead {
	u64 moving, still; /* bytes of the two parts, multiples of 16; moving 0: it could not be frozen */
} IsaFrozenHead;

/* Words of one bit each that say which words of so many bytes are meant. */
static inline size_t isa_frozen_bits(u64 moving)
{
	return (moving / 8 + 63) / 64;
}

#endif
