/* SPDX-License-Identifier: MIT
 *
 * Taking ELF files apart: dis_elf.c.
 */
#ifndef CMD_DIS_ELF_H
#define CMD_DIS_ELF_H

#include "asm/asm.h"
#include "base/buf.h"
#include "base/status.h"

/* All code in the file. STATUS_FORMAT: it is no ELF file; STATUS_NOT_FOUND: it has none. */
Status dis_elf(const Isa *isa, u16 dialect, const u8 *bytes, size_t len, Buf *out);

#endif
