/* SPDX-License-Identifier: MIT
 *
 * Programs for a machine that is only a text (no guest folder): assembled segments go straight into its spaces, any other file as
 * cells to the `image` address, or to the start of the code space. What goes wrong is one line in `error`.
 */
#ifndef GUESTS_PLAIN_H
#define GUESTS_PLAIN_H

#include "asm/asm.h"
#include "base/buf.h"
#include "base/status.h"
#include "machine/machine.h"

/* *start: where it begins. */
Status plain_put_program(Machine *machine, const char *name, const AsmProgram *program, u64 *start, Buf *error);
/* *start is changed when code begins there. */
Status plain_put_image(Machine *machine, const char *name, const u8 *data, size_t len, u64 *start, Buf *error);

#endif
