/* SPDX-License-Identifier: MIT
 *
 * RISC-V, 64-bit: what its description cannot say. Programs run under the Linux personality (linux/linux.h).
 */
#ifndef GUESTS_RV64_RV64_H
#define GUESTS_RV64_RV64_H

#include "linux/linux.h"
#include "machine/machine.h"

/* Where the registers of rv64.isa lie among the slots; rv64_slots_fit holds them against the description. */
enum { RV64_PC = 0, RV64_X = 1, RV64_F = 33, RV64_FRM = 65, RV64_FFLAGS = 66 };
bool rv64_slots_fit(const Isa *isa);

struct AsmProgram;
/* elf_write.c: a static program. */
Status rv64_write_elf(const struct AsmProgram *program, Buf *out, DiagList *diags);

extern const Guest rv64_guest;
extern const LinuxAbi rv64_abi;
extern const char rv64_isa_text[]; /* NUL-terminated */
extern const u8 rv64_isa_frozen[]; /* the same, loaded: isa/isa_frozen.h */

#endif
