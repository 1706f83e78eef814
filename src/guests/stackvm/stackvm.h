/* SPDX-License-Identifier: MIT
 *
 * What the description of the stack machine cannot say: its programs are files of little-endian words (out.bin) that
 * go to cell 100, and whatever is left of a file behind its last whole word is ignored; the assembler of lesson 6 adds
 * a halt.
 */
#ifndef GUESTS_STACKVM_STACKVM_H
#define GUESTS_STACKVM_STACKVM_H

#include "machine/machine.h"

extern const Guest stackvm_guest;
extern const char stackvm_isa_text[]; /* NUL-terminated */
extern const u8 stackvm_isa_frozen[]; /* the same, loaded: isa/isa_frozen.h */

#endif
