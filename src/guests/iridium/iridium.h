/* SPDX-License-Identifier: MIT
 *
 * What Iridium's description cannot say: its files, its assembler's rules, its language, what PRTS and ALOC ask of
 * the host.
 *
 *   iridium.c    the Guest: loading, entry, services, events
 *   epie.c       EPIE files, written
 *   iasm.c       the grammar of assembly text; what the original's assembler would refuse
 *   built.c      text to a file exactly as the original's assembler does it, with all its oddities
 *   palladium.c  the expression language
 *   shell.c      the words of the original's shell
 *   image.c      the embedded description
 *
 * An EPIE file:
 *
 *     0     45 50 49 45, "EPIE"
 *     4     zeros
 *     64    u32, little-endian: how many bytes of strings there are
 *     68    as designed: the strings. As built they are counted, but not there.
 *     ..    instructions. The machine starts at 68 plus that number.
 */
#ifndef GUESTS_IRIDIUM_IRIDIUM_H
#define GUESTS_IRIDIUM_IRIDIUM_H

#include "machine/machine.h"

struct AsmProgram; /* asm/asm.h */

extern const Guest iridium_guest;
extern const char iridium_isa_text[]; /* NUL-terminated */
extern const u8 iridium_isa_frozen[]; /* the same, loaded: isa/isa_frozen.h */

enum {
	EPIE_COUNT_AT = 64, /* the number of bytes of strings */
	EPIE_HEADER = 68,
	EPIE_UNIT = 4,      /* bytes of an instruction */
};

/* shell.c; GuestShell.extend. */
extern const GuestShell iridium_shell;
void iridium_extend(Machine *machine, u64 end);

/* The 68 bytes in front. */
void epie_header(u32 strings, Buf *out);
Status epie_write(const struct AsmProgram *program, Buf *out, DiagList *diags);
u32 epie_source_item(Machine *machine, u64 address, const char *label, bool *as_code, bool *lossy, Buf *out);
/* Where the instructions of the loaded file begin and end. */
void iridium_extent(Machine *machine, u64 *start, u64 *end);
/* As the original writes it: made from the program's first source anew (built.c). */
Status epie_write_built(const struct AsmProgram *program, Buf *out, DiagList *diags);

/* Guest.check_text. */
void iasm_check(const Source *source, DiagList *diags);
/* GuestLanguage.compile of the language "built". */
Status iasm_compile_built(const GuestFile *file, const Isa *isa, Buf *out, Buf *listing, DiagList *diags);
/* GuestLanguage.compile of Palladium. */
Status palladium_compile(const GuestFile *file, const Isa *isa, Buf *out, Buf *listing, DiagList *diags);

/* GuestLanguage.result: the value of the last expression. */
void palladium_result(const Machine *machine, const Buf *assembly, Buf *out);

#endif
