/* SPDX-License-Identifier: MIT
 *
 * A computer, as its .isa file describes it (docs/isa-language.md): what the loader leaves behind and every other
 * part of Husk works from. Immutable once loaded, so any number of machines and threads share one Isa.
 *
 * Instruction words. An instruction is a run of parcels (the code space's fetch unit, e.g. 16 bits). As a number,
 * W = parcel[0] | parcel[1] << parcel_bits | ..., kept in u64 w[ISA_WORDS], lowest bits first. The text of a pattern
 * is turned into bit positions of W once, at load (isa_pattern.c), so nothing after the loader has to know whether a
 * pattern was written in fetch order or low parcel first.
 *
 * Values of fields. A field's raw value is the bits of its slices put together (unnamed low bits zero). Its *value*
 * (isa_field_value) is sign-extended to 64 bits when signed. A `rel`/`abs` field's value in this sense is still the
 * offset; its target address is isa_target().
 *
 * Everything is owned by isa->arena; strings are NUL-terminated.
 */
#ifndef ISA_ISA_H
#define ISA_ISA_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/status.h"
#include "base/strmap.h"
#include "base/types.h"

enum {
	ISA_WORDS = 4,         /* an instruction has at most 256 bits */
	ISA_MAX_FIELDS = 12,   /* fields of one instruction */
	ISA_MAX_CHOICES = 16,
	ISA_PINS = 32,         /* registers that `pin` names; more are not looked at */
	ISA_MAX_COLUMNS = 8,   /* of a table */
	ISA_MAX_SECTIONS = 16, /* of a dialect */
	ISA_NONE = 0xFFFF,
};

typedef struct Isa Isa;
typedef struct RtlBody RtlBody; /* meaning, as a checked tree: isa/rtl.h, private to isa/ */

typedef struct IsaOption { /* option profile = v3 | classic | tiny */
	const char *name, *doc;
	const char *choices[ISA_MAX_CHOICES];
	u32 choice_count;
	u32 chosen;
} IsaOption;

typedef struct IsaSpace { /* space M : 16 x 0x10000 */
	const char *name, *doc;
	u8 cell_bits;
	u8 addr_bits;      /* width of an address expression */
	u64 cells;         /* 0: `size NAME` (the loader says) or an open 64-bit space */
	const char *size_name; /* for `size program`: "program"; or NULL */
	bool wraps;        /* power-of-two size: addresses wrap */
	bool big;          /* byte order of accesses wider than a cell */
	bool grow;
	bool is_private;   /* every vCPU has its own */
	bool is_paged;     /* a process's memory: only parts of it are there (core/space.h) */
	bool has_handlers; /* some `on read/write` covers a part */
} IsaSpace;

typedef struct IsaReg { /* a register file of `count` registers, or a single register (count 1, not indexed) */
	const char *name, *doc;
	u8 width;
	bool array;        /* declared with [n] */
	bool context;      /* part of the translation key */
	bool floats;       /* holds IEEE 754 numbers: people want to see them in decimal */
	bool irq;          /* a `when` of an interrupt or event reads it */
	u32 count;
	u32 slot;          /* state slot of element 0; element i is slot + i */
	u64 reset;
	const char **names; /* [count], the primary name of each element ("R3", "sp"), or NULL for a single register: name */
	const char **alt_names; /* [count], second name after '/' ("fp" of s0/fp) or NULL each; or NULL */
	u64 *const_values; /* [count] where const_mask says so, or NULL */
	u8 *const_mask;    /* [count] 1 = hard-wired (x0) */
} IsaReg;

typedef struct IsaView { /* view N = cc[15] set v {...} */
	const char *name, *doc;
	u8 width;
	RtlBody *get;
	RtlBody *set; /* or NULL */
} IsaView;

typedef enum IsaFieldKind {
	ISA_FIELD_UNSIGNED, ISA_FIELD_SIGNED,
	ISA_FIELD_REG,    /* names an element of a register file */
	ISA_FIELD_REL,    /* written as a label: offset from pc or next */
	ISA_FIELD_ABS,    /* written as a label: the address itself */
	ISA_FIELD_LETTER, /* one bit that shows as its own name inside the mnemonic */
	ISA_FIELD_ENUM,   /* named values */
	ISA_FIELD_LIST,   /* register list: bit i = element i */
} IsaFieldKind;

typedef struct IsaEnumName {
	const char *name;
	u64 value;
} IsaEnumName;

typedef struct IsaField {
	const char *name, *doc;
	u8 kind; /* IsaFieldKind */
	bool is_signed; /* sign-extended: SIGNED, and REL unless `unsigned` */
	bool hex;       /* prints as hex */
	u8 float_bits;  /* UNSIGNED: written as a decimal fraction; its bits are an IEEE 754 number of 32 or 64; else 0 */
	u8 of_bits;     /* ABS: of a variable whose items have this many bits; 0: of anything */
	const char *of_word; /* then: the word that says so in front of the operand ("byte"), or NULL */
	bool from_next; /* REL: offset counts from the following instruction, else from this one */
	u16 reg;        /* REG, LIST: index into isa->regs */
	u32 reg_from;   /* REG: element = reg_from + raw value */
	u32 scale, bias; /* REL, ABS: target = base + value * scale + bias (cells of the code space); 1 and 0 unless said */
	IsaEnumName *enums;
	u32 enum_count;
	u32 enum_default; /* index into enums, omitted when printing; or ISA_NONE */
	bool has_default;  /* SIGNED, UNSIGNED: may be left out in front of punctuation: (a0) is 0(a0) */
	i64 default_value;
} IsaField;

typedef struct IsaSlice { /* bits field_lo.. of the field are bits word_lo.. of W */
	u8 len;
	u8 field_lo;
	u16 word_lo;
} IsaSlice;

/* How a field sits in one instruction. The same field may have other widths in other instructions. */
typedef struct IsaInsnField {
	u16 field;      /* index into isa->fields */
	u8 width;       /* bits of its value in this instruction: highest named bit + 1 */
	u8 low_zero;    /* low bits that no slice names: they must be zero (bt[12:1] has 1) */
	u16 slices;     /* index of the first into isa->slices */
	u8 slice_count;
	bool is_signed; /* as the field is */
	u8 lo, whole;   /* its value is `whole` bits of the first word of W from lo on; 0: it is put together of slices */
} IsaInsnField;

/* Written form of operands: literals and fields in order. "rd, imm(rs1)" is F , F ( F ). Blanks are not kept. */
typedef struct IsaSyntax {
	bool is_field;
	u8 field;         /* index into insn->fields (is_field) */
	const char *text; /* literal: "," "(" "sp" ... */
} IsaSyntax;

typedef struct IsaInsn {
	const char *name;    /* as declared, e.g. "BR<n><z><p>" */
	const char *doc;     /* the ## text above or behind it, or "" */
	const char *pattern; /* the text between the quotes */
	const char *semantics; /* the text between the braces, trimmed, for the manual */
	u32 line;
	u16 bits;            /* length */
	u64 mask[ISA_WORDS], match[ISA_WORDS]; /* fixed bits; includes should-be bits when fill is checked */
	u64 fill_mask[ISA_WORDS], fill_value[ISA_WORDS]; /* the should-be bits ('.' = 0, '^' = 1) */
	IsaInsnField fields[ISA_MAX_FIELDS];
	u8 field_count;
	IsaSyntax *syntax;
	u32 syntax_count;
	RtlBody *when;       /* or NULL */
	RtlBody *body;
	u32 cost;            /* cycles; 1 unless `cost N` */
	bool restartable;
	bool spelling;       /* for the assembler only: its words are decoded as another instruction */
} IsaInsn;

/* A spelling the assembler accepts and the disassembler prints: an instruction with its letters chosen, or an alias.
 * Each field of the instruction is either written (an operand in syntax) or bound to a constant. */
typedef struct IsaForm {
	const char *mnemonic; /* full, e.g. "BRnz", "amoadd.w.aq", "ret" */
	u16 insn;             /* index into isa->insns */
	bool is_alias;
	u16 bound_mask;       /* bit f: insn->fields[f] is bound */
	u64 bound[ISA_MAX_FIELDS]; /* its field value (sign-extended where signed), where bound */
	u8 same[ISA_MAX_FIELDS];   /* bound to the value of another field, an operand: its index + 1; else 0 */
	IsaSyntax *syntax;    /* .field is an index into insn->fields, also for aliases */
	u32 syntax_count;
	bool shadowed;        /* an alias of the same spelling means something else: never print this form */
	u32 line;
} IsaForm;

/* pseudo li rd, v = { ... }: expands to several instructions. The body stays text; the assembler expands it. */
typedef struct IsaPseudo {
	const char *mnemonic, *doc;
	const char **params; /* operand names in order */
	IsaSyntax *syntax;   /* literals between them; .field = parameter index */
	u32 syntax_count;
	u32 param_count;
	const char *body;    /* text between the outer braces */
	u32 line;
	size_t body_offset;  /* in the source, for messages */
} IsaPseudo;

typedef struct IsaHost { /* a host function that the description calls */
	const char *name;
	u8 arg_count;
	u8 result_width; /* 0 = none */
	u8 usual_width;  /* not declared, but known to every machine: the width it has where nothing else says */
	bool declared;
} IsaHost;

typedef enum IsaHandlerKind {
	ISA_ON_ILLEGAL, ISA_ON_RAISE, ISA_ON_FETCH, ISA_ON_FAULT, ISA_ON_READ, ISA_ON_WRITE, ISA_ON_RESET,
	ISA_INTERRUPT, ISA_EVENT, ISA_EVERY,
} IsaHandlerKind;

typedef struct IsaHandler {
	u8 kind;            /* IsaHandlerKind */
	const char *name;   /* INTERRUPT, EVENT: their name; else "" */
	const char *doc;
	u16 space;          /* READ, WRITE */
	u64 lo, hi;         /* READ, WRITE: cells lo..hi inclusive */
	u64 every;          /* EVERY: instructions */
	RtlBody *when;      /* INTERRUPT, EVENT: condition, or NULL = always */
	RtlBody *body;
	u8 arg_count;       /* RAISE 1 (number), FETCH 1 (address), FAULT 1 (address), READ 0/1 (address),
	                       WRITE 1/2 ([address,] value), EVENT 1 (the byte) */
	bool takes_address; /* READ, WRITE: `on read M[a in lo..hi]` binds the address as the first argument */
	u32 line;
} IsaHandler;

typedef struct IsaDisplay { /* display fb : 64 x 32 */
	u16 space;
	u32 width, height;
} IsaDisplay;

typedef struct IsaInit { /* init M[0x50] = 0xF0 0x90 ...: cells that reset fills */
	u16 space;
	u64 address;
	u32 count;
	u64 *values;
} IsaInit;

typedef struct IsaReason { /* stop 2 "call stack is full" */
	bool raise; /* else stop */
	u64 number;
	const char *text;
} IsaReason;

typedef struct IsaTable { /* table fn : nargs 32, addr 32: constants known at decode time, filled by the loader */
	const char *name;
	const char *columns[ISA_MAX_COLUMNS];
	u8 widths[ISA_MAX_COLUMNS];
	u32 column_count;
} IsaTable;

typedef struct IsaImage { /* image M[0x200]: where a raw file goes; cells of several bytes are big-endian in it unless `little` */
	u16 space;
	u64 address;
	bool little;
} IsaImage;

/* ---- Dialects: what `asm NAME { ... }` says. The first is the default. ---- */

typedef enum IsaNumberBase { ISA_BASE_DEC = 10, ISA_BASE_HEX = 16, ISA_BASE_BIN = 2, ISA_BASE_OCT = 8 } IsaNumberBase;

typedef struct IsaNumberForm { /* number hex "x": a prefix (may be "") and a base; suffix form when is_suffix */
	u8 base;
	bool is_suffix;
	const char *affix;
} IsaNumberForm;

typedef enum IsaLabelForm { ISA_LABEL_BARE = 1, ISA_LABEL_COLON = 2, ISA_LABEL_BOTH = 3 } IsaLabelForm;

/* What a directive does. The words after '=' in the file. */
typedef enum IsaAction {
	ISA_ACT_ORG,     /* org: start a segment at / move to an address */
	ISA_ACT_DATA,    /* data N: operands, each in N bits */
	ISA_ACT_SPACE,   /* space: that many zero cells (second operand: fill value) */
	ISA_ACT_STRING,  /* string N [end]: characters, N bits each, then the terminator if given */
	ISA_ACT_ALIGN,   /* align: to a multiple, filled with zeros */
	ISA_ACT_SECTION, /* section NAME: switch to the space of that name */
	ISA_ACT_EQU,     /* equ: label = expression */
	ISA_ACT_INCLUDE, /* include "file" */
	ISA_ACT_END,     /* end of this segment/file */
	ISA_ACT_GLOBAL,  /* accepted, no effect */
	ISA_ACT_ENTRY,   /* entry: where execution starts */
	ISA_ACT_IGNORE,
	ISA_ACT_ROW,     /* row TABLE columns: one row more of a table; a label in front of it is the row's number */
} IsaAction;

typedef enum IsaColumnKind { ISA_COLUMN_OPERAND, ISA_COLUMN_HERE, ISA_COLUMN_NUMBER } IsaColumnKind;

typedef struct IsaRowColumn { /* what a `row` directive writes into a column */
	u8 kind;    /* IsaColumnKind */
	u8 operand; /* its number */
	u64 number;
} IsaRowColumn;

typedef struct IsaDirective {
	const char *name;    /* ".FILL" */
	u8 action;
	u8 bits;             /* DATA, STRING; SPACE: of one item, 0 = a cell */
	bool little;         /* DATA: low cell first (else the space's own order) */
	bool has_end;        /* STRING */
	u64 end;
	const char *section; /* SECTION: space name, or NULL = the operand */
	bool single;         /* DATA, STRING: exactly one operand (word `single`, as in `.FILL w = data 16 single`) */
	bool is_float;       /* DATA: decimal fractions, as IEEE 754 numbers of 32 or 64 bits */
	u16 in;              /* DATA, STRING, SPACE: the section its cells go to, an index into the dialect's; or ISA_NONE */
	bool redefine;       /* EQU: the name may be defined before; the last definition counts */
	bool once;           /* INCLUDE: a file that was read is not read again */
	u16 table;           /* ROW: index into isa->tables */
	u8 params;           /* ROW: operands */
	const char *names[ISA_MAX_COLUMNS]; /* ROW: [params] what the description calls them */
	IsaRowColumn columns[ISA_MAX_COLUMNS]; /* ROW: one for each column */
	bool from_set;       /* came by `use`; the description may have its own of this name */
	bool power;          /* ALIGN: the operand is the power of two (word `power`) */
	const char *fills[2]; /* ALIGN: instructions that fill code (words `fill nop c.nop`), or NULL: zeros */
	bool nonzero;        /* SPACE: a count of 0 is refused (word `nonzero`, as in `.BLKW n = space nonzero`) */
} IsaDirective;

/* Where statements may stand: `segments open|explicit|single`. */
typedef enum IsaSegments {
	ISA_SEGMENTS_OPEN,     /* anywhere; `org` moves (the default) */
	ISA_SEGMENTS_EXPLICIT, /* only between an `org` and an `end`; several such pairs may follow each other */
	ISA_SEGMENTS_SINGLE,   /* one such pair; nothing after the `end` is read */
} IsaSegments;

/* What a backslash before a character that is not in `escapes` means: `unknown-escape error|keep|char|none`. */
typedef enum IsaUnknownEscape {
	ISA_ESCAPE_ERROR,
	ISA_ESCAPE_KEEP, /* two characters: the backslash and it */
	ISA_ESCAPE_CHAR, /* the character alone */
	ISA_ESCAPE_NONE, /* there are no escapes at all: a backslash is a character like any other */
} IsaUnknownEscape;

/* A part of a space that statements fill from several places: the sections of a space lie one behind the other in the
 * order they are declared, each at a multiple of its alignment, behind what stands in the space itself. */
typedef struct IsaSection { /* section data8 in data align 8 */
	const char *name;
	u16 space;
	u64 align; /* cells */
} IsaSection;

typedef struct IsaDialect {
	const char *name;            /* "" for a nameless one */
	const char *comments[4];     /* prefixes */
	u32 comment_count;
	bool fold_case;              /* `case off` */
	const char *separators;      /* characters between operands that count as nothing, e.g. ", :" */
	bool commas;                 /* operands must be separated by ',' (`separators` had only ",") */
	u8 label;                    /* IsaLabelForm */
	IsaNumberForm numbers[8];
	u32 number_count;
	const char *register_prefix; /* "$", "%", or "" */
	const char *symbol_prefix;   /* "@" or "" */
	const char *escapes;         /* letters allowed after '\', "" = the C set */
	bool loose_ranges;           /* a field takes -2^(n-1) .. 2^n-1 */
	char quote;                  /* string quote: '"' or '\'' */
	/* The keyword of each of the following stands in its comment; zero is the default. */
	bool rel_number_is_offset;   /* `rel-numbers offset`: a number in a REL slot is the raw offset, not the target */
	bool no_expressions;         /* `expressions off`: an operand is one number, name or string; names only as
	                                labels (REL, ABS) and in `data` */
	const char *label_chars;     /* `label-chars "_."`: what names may hold besides letters and digits; "*": anything
	                                but blanks and separators; NULL: "_.$" */
	u8 segments;                 /* `segments open|explicit|single`: IsaSegments */
	u64 origin;                  /* `origin N`: where code starts without an `org` */
	u64 limit;                   /* `limit N "reason"`: nothing may be assembled at N or above in the code space */
	const char *limit_reason;    /* what lies there ("memory-mapped I/O"), or NULL */
	bool quotes_toggle;          /* `quotes toggle`: comments are cut first, every quote (escaped or not) toggling
	                                whether a comment may begin; a string may end with its line */
	u8 unknown_escape;           /* `unknown-escape error|keep|char|none`: IsaUnknownEscape */
	bool bare_strings;           /* `strings bare`: a string of one word needs no quotes */
	bool final_newline;          /* `final-newline on`: warn when the last line has no line end */
	bool lines_free;             /* `lines free`: a statement ends where the next begins, not with its line */
	const char *number_alone;    /* `number-alone push`: the instruction (or data directive) that a number is where a
	                                statement begins; or NULL */
	const char *excludes[8];     /* `exclude NOP PUTC`: mnemonics this dialect does not have */
	u32 exclude_count;
	bool multiline;              /* `strings .. multiline`: a string may go on in the next line */
	bool gnu;                    /* `use gnu`: labels that are numbers (1: 1b 1f), %hi(x) %lo(x) and the like */
	const char *entry;           /* `entry main [required]`: the label where the program starts; or NULL */
	bool entry_required;
	IsaSection sections[ISA_MAX_SECTIONS];
	u32 section_count;
	IsaDirective *directives;
	u32 directive_count;
} IsaDialect;

struct Isa {
	Arena arena;
	const char *name, *title, *doc;
	const char *source_name; /* as shown in messages */
	const char *text;        /* the file, NUL-terminated */
	size_t text_len;
	u64 hash;                /* of the text and the chosen options: a snapshot names it */

	IsaOption *options; u32 option_count;
	IsaSpace *spaces; u32 space_count;
	IsaReg *regs; u32 reg_count;
	u32 slot_count;
	u16 pc_reg;              /* index into regs; slot 0 */
	u8 pc_width;
	u32 *pins; u32 pin_count; /* slots that the file's `pin` names, the hottest first */
	u32 flags_insn;          /* an instruction that computes flags of floats (isa_flags_slot), or insn_count */
	u64 return_bits;         /* that a pc may have where `ret` goes; the others are zero */
	u16 cycles_reg;          /* implicit register "cycles" (64 bits) when the file uses cost or charge; else ISA_NONE */
	IsaView *views; u32 view_count;
	IsaField *fields; u32 field_count;
	IsaSlice *slices; u32 slice_count;
	IsaInsn *insns; u32 insn_count;
	IsaForm *forms; u32 form_count;
	IsaPseudo *pseudos; u32 pseudo_count;
	IsaHost *hosts; u32 host_count;
	IsaHandler *handlers; u32 handler_count;
	IsaDisplay *display;     /* or NULL */
	IsaImage *image;         /* or NULL */
	IsaInit *inits; u32 init_count;
	IsaTable *tables; u32 table_count;
	IsaReason *reasons; u32 reason_count;
	struct RtlFunc *funcs; u32 func_count; /* private to src/isa */
	IsaDialect *dialects; u32 dialect_count; /* at least one */

	u16 code_space;
	u8 parcel_bits;
	u8 parcel_cells;         /* cells per parcel */
	bool low_first;
	u16 min_bits, max_bits;  /* shortest and longest instruction */

	/* Context: registers that are part of the translation key. */
	u32 context_count;
	u16 context_regs[8];

	StrMap mnemonics; /* upper-case-folded mnemonic -> first form with it; further ones follow by form_next */
	u32 *form_next;   /* [form_count] next form of the same mnemonic or 0xFFFFFFFF */
	struct IsaDecoder *decoder; /* isa_decode.c */
};

typedef struct IsaChoice { /* --set profile=tiny */
	const char *option, *choice;
} IsaChoice;

/* Loads a description. Errors and warnings go to diags. Returns NULL after an error. `name` is shown in messages.
 * Does not keep `text`. */
Isa *isa_load(const char *name, const char *text, size_t len, const IsaChoice *choices, u32 choice_count,
	      DiagList *diags);
void isa_destroy(Isa *isa);

/* Look-ups by name; ISA_NONE when absent. */
u16 isa_find_space(const Isa *isa, const char *name, size_t len);
u16 isa_find_dialect(const Isa *isa, const char *name);
const char *isa_option_value(const Isa *isa, const char *option); /* chosen choice, or NULL */
/* A register by any of its names ("R3", "sp", "pc", "fp"; case as in `fold`): its slot and width, or false. */
bool isa_find_register(const Isa *isa, const char *name, size_t len, bool fold, u32 *slot, u8 *width);
const char *isa_slot_name(const Isa *isa, u32 slot);
/* The text that goes with `raise number` or `stop number`, or NULL. */
const char *isa_reason(const Isa *isa, bool raise, u64 number);
/* For ir_print: ctx is the Isa. */
const IsaReg *isa_slot_register(const Isa *isa, u32 slot); /* the register or file it belongs to; NULL: no such slot */
const char *isa_slot_name_ctx(const void *isa, unsigned slot);
u16 isa_find_view(const Isa *isa, const char *name, size_t len, bool fold);

/* ---- Decoding and encoding ---- */

typedef struct IsaDecoded {
	const IsaInsn *insn; /* NULL: no such encoding */
	u64 w[ISA_WORDS];
	u32 cells;           /* length in cells of the code space (when illegal: what was looked at, at least 1 parcel) */
	bool fetch_failed;   /* a needed parcel could not be fetched */
	u32 looked;         /* cells that the answer depends on: >= cells where a longer candidate was tried */
} IsaDecoded;

/* Gives parcel number `index` of the instruction; false when it can't be fetched. */
typedef bool (*IsaFetch)(void *ctx, unsigned index, u64 *parcel);

/* Decodes one instruction. `when` conditions on fields are evaluated; insn is NULL when none matches. */
void isa_decode(const Isa *isa, IsaFetch fetch, void *ctx, IsaDecoded *out);
/* The same where no instruction has more than 64 bits and all parcels that the longest has are there: the first in the lowest bits. */
void isa_decode_word(const Isa *isa, u64 word, IsaDecoded *out);

/* Value of insn->fields[index] (sign-extended to 64 bits if the field is signed). */
u64 isa_field_of_slices(const Isa *isa, const IsaDecoded *decoded, unsigned index);
static inline u64 isa_field_value(const Isa *isa, const IsaDecoded *decoded, unsigned index)
{
	const IsaInsnField *f = &decoded->insn->fields[index];
	u64 top;

	if (!f->whole)
		return isa_field_of_slices(isa, decoded, index);
	top = decoded->w[0] << (64 - f->lo - f->whole); /* its highest bit is the highest */
	return f->is_signed ? (u64)((i64)top >> (64 - f->whole)) : top >> (64 - f->whole);
}
/* Target address of a REL or ABS field of an instruction at pc. */
u64 isa_target(const Isa *isa, const IsaInsn *insn, unsigned index, u64 pc, u64 value);
/* The reverse: the field value that makes `target`, or false when it is not a multiple of scale. */
bool isa_offset(const Isa *isa, const IsaInsn *insn, unsigned index, u64 pc, u64 target, i64 *value);
/* Which integers the field can hold in this instruction: lo..hi in steps of 2^low_zero. */
void isa_field_range(const Isa *isa, const IsaInsn *insn, unsigned index, i64 *lo, i64 *hi);

/* Puts the instruction together: values[i] is the value of insn->fields[i]. Should-be bits get their should-be
 * values. False when a value does not fit (its index in *bad). The caller checks `when` by decoding the result. */
bool isa_encode(const Isa *isa, const IsaInsn *insn, const u64 *values, u64 w[ISA_WORDS], unsigned *bad);

/* Parcels of W <-> cells of the code space. cells[] needs bits / cell_bits entries. */
u32 isa_word_to_cells(const Isa *isa, const u64 *w, unsigned bits, u64 *cells);

/* ---- Meaning (isa_lift.c) ---- */

struct IrFunc;

typedef struct IsaLift {
	const Isa *isa;
	IsaFetch fetch_at; /* ctx, index = parcel number counted from the address below */
	void *ctx;
	u64 *fetch_address; /* set by the lifter to the cell address of the instruction before it calls fetch_at */
	const u64 *slots;   /* current slots: context registers are read from here */
	bool (*stop_before)(void *ctx, u64 pc); /* breakpoint at pc? may be NULL */
	/* A cell of a table; false = no such row (the instruction is then illegal). NULL: all tables are empty. */
	bool (*table)(void *ctx, u16 table, u16 column, u64 row, u64 *value);
	/* The cells of 8 bits from pc on, as many as *cells says, lowest first: what can be fetched and nothing comes of it. NULL:
	 * fetch_at says. May be NULL. */
	const u8 *(*code_at)(void *ctx, u64 pc, u32 *cells);
} IsaLift;

typedef struct IsaLifted {
	struct IrFunc *func;
	u32 insns;
	u64 cells;
	bool dirty;      /* writes context or irq registers, or calls the host */
	bool only_host;  /* dirty, but where it does not call the host it is not */
	bool no_code;    /* not even the first instruction could be fetched */
} IsaLifted;

/* Lifts up to max_insns instructions from pc into one guest block. STATUS_NOMEM, or STATUS_TOO_BIG for an instruction
 * that unrolls beyond reason. */
Status isa_lift_block(const IsaLift *lift, u64 pc, u32 max_insns, Arena *arena, IsaLifted *out);
/* Lifts a handler's body (or its `when`, as a function that returns width 1) into a handler function. */
Status isa_lift_handler(const Isa *isa, const IsaHandler *handler, bool when, Arena *arena, struct IrFunc **out);
/* Lifts view get (no args) or set (one arg). */
Status isa_lift_view(const Isa *isa, const IsaView *view, bool set, Arena *arena, struct IrFunc **out);

/* ---- Instructions done where they stand (isa_walk.c) ---- */

typedef struct IsaWalk {
	const Isa *isa;
	u64 *slots; /* but for slot 0 */
	void *ctx;
	u32 *done;  /* how many instructions were done when one of these is called */
	/* As IsaLift has it; the instruction at pc is the next one. What it says holds until all is done: the cells are read again each time. */
	const u8 *(*code_at)(void *ctx, u64 pc, u32 *cells);
	/* Where a plain access of `width` bits goes, lowest byte first: it can be made now, and nothing comes of it. NULL: it is none. */
	u8 *(*place)(void *ctx, unsigned space, u64 address, unsigned width, bool write);
} IsaWalk;

typedef struct IsaWalked {
	u64 pc;     /* of the next instruction */
	u32 insns;  /* that were done */
	u8 flow;    /* IrFlow: how the last one came to pc */
	bool ended; /* it is one that may jump */
	bool floats; /* `left`, as it computes with them */
	bool left;  /* the next one is not to be done like this, and nothing of it was done */
} IsaWalked;

/* Is the description one whose code can be walked? */
bool isa_can_walk(const Isa *isa);
/* From pc on: at most so many instructions, and none behind one that may jump. */
IsaWalked isa_walk(const IsaWalk *walk, u64 pc, u32 most);

/* What an instruction does to control flow, from its meaning. */
typedef struct IsaFlow {
	bool jumps, calls, returns, conditional, stops, host;
	bool starts; /* starts a vCPU: its address operand is code */
} IsaFlow;
IsaFlow isa_flow(const Isa *isa, const IsaDecoded *decoded);
/* The slot to which an instruction adds the flags of a float operation (fflags = fflags | f64.add_flags(..)); 0: none. */
u32 isa_flags_slot(const Isa *isa);

#endif
