/* SPDX-License-Identifier: MIT
 *
 * What the LC-3's description cannot say: its file formats, its operating system, what the tiny machine's host does.
 *
 *   lc3.c       the Guest: recognition, loading, entry, services
 *   lc3_obj.c   object files, both kinds, read and written
 *   lc3_bin.c   .bin: a program as binary digits
 *   lc3_sym.c   .sym: labels, for debuggers
 *   image.c     the embedded texts and images
 */
#ifndef GUESTS_LC3_LC3_H
#define GUESTS_LC3_LC3_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/status.h"
#include "base/types.h"
#include "machine/machine.h"

struct AsmProgram; /* asm/asm.h */

extern const Guest lc3_guest;

/* ---- Programs in files ---- */

typedef struct Lc3Segment {
	u16 origin;
	u32 count;        /* words; origin + count <= 65536 */
	u16 *words;       /* owned by the object's arena */
} Lc3Segment;

typedef struct Lc3Object {
	Arena arena;
	Lc3Segment *segments; /* in file order; at least one after a successful read */
	u32 count, cap;
	u32 words; /* in all segments */
} Lc3Object;

typedef enum Lc3Format {
	LC3_FORMAT_NONE,
	LC3_FORMAT_TOOLS,   /* lc3tools: signature, records with source text, any number of segments */
	LC3_FORMAT_CLASSIC, /* big-endian words, the first is the origin */
	LC3_FORMAT_BIN,     /* text: a line of 16 binary digits a word, the first is the origin */
} Lc3Format;

enum {
	LC3_MAX_SEGMENTS = 4096, /* of one file */
	LC3_MAX_WORDS = 1 << 20, /* of one file, all segments */
};

/* Which format the content has; a classic object has no mark of its own, so it is what remains plausible. */
Lc3Format lc3_format(const u8 *data, size_t len);

/* Reads a file of any of the formats. After it, also after an error, lc3_object_fini. `cut` (may be NULL): a classic
 * file longer than memory is cut off and *cut set, as the tiny machine's loader does; without it that is an error. */
Status lc3_object_read(const GuestFile *file, Lc3Object *out, bool *cut, DiagList *diags);
void lc3_object_fini(Lc3Object *object);
/* The source text of each word, as far as the file is sound. STATUS_FORMAT: a format that has none. */
Status lc3_object_names(const GuestFile *file, u16 space, const GuestNames *names);

/* Starts a segment / adds a word to the last one. For readers; false after a message about `file` was reported. */
bool lc3_object_origin(Lc3Object *object, u16 origin, const char *file, DiagList *diags);
bool lc3_object_word(Lc3Object *object, u16 word, const char *file, DiagList *diags);
Status lc3_bin_read(const GuestFile *file, Lc3Object *out, DiagList *diags);

Status lc3_write_tools(const struct AsmProgram *program, Buf *out, DiagList *diags);
/* Several segments: the words between them are written as zeros. */
Status lc3_write_classic(const struct AsmProgram *program, Buf *out, DiagList *diags);
Status lc3_write_bin(const struct AsmProgram *program, Buf *out, DiagList *diags);

/* ---- Symbols ---- */

typedef struct Lc3Symbol {
	const char *name; /* owned by the list's arena */
	u16 address;
} Lc3Symbol;

typedef struct Lc3Symbols {
	Arena arena;
	Lc3Symbol *items; /* in file order */
	u32 count, cap;
} Lc3Symbols;

enum { LC3_MAX_SYMBOLS = 65536 };

void lc3_write_symbols(const struct AsmProgram *program, Buf *out);
/* Lines that are no symbol are skipped. STATUS_FORMAT when the text does not begin like a symbol table. After it,
 * also after an error, lc3_symbols_fini. */
Status lc3_symbols_read(const char *text, size_t len, Lc3Symbols *out);
void lc3_symbols_fini(Lc3Symbols *symbols);
Status lc3_symbols_names(const GuestFile *file, u16 space, const GuestNames *names);

/* ---- Embedded ---- */

extern const char lc3_isa_text[]; /* NUL-terminated */
extern const u8 lc3_isa_frozen[]; /* the same, loaded: isa/isa_frozen.h */
/* Images as tools/mkimage writes them. */
extern const u8 lc3_os_image[], lc3_os_image_end[];
extern const u8 lc3_classic_image[], lc3_classic_image_end[];

#endif
