/* SPDX-License-Identifier: MIT
 *
 * RISC-V, 64-bit: what its description cannot say.
 */
#ifndef GUESTS_RV64_RV64_H
#define GUESTS_RV64_RV64_H

#include "machine/machine.h"

extern const Guest rv64_guest;
extern const char rv64_isa_text[]; /* NUL-terminated */

#endif
