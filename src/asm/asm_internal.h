/* SPDX-License-Identifier: MIT
 *
 * What the files of the assembler share. The way of a text through them:
 *
 *     asm_lex.c        a line -> tokens, by the dialect's characters
 *     asm_parse.c      tokens -> labels and statements (AsmStmt); includes; where statements may stand
 *       asm_free.c         where a statement ends when line ends are only blanks
 *     asm_match.c      operands of an instruction against the syntax of each form -> candidates (AsmCandidate)
 *     asm_layout.c     walks the statements until no size and no label moves any more, then once more to write cells
 *       asm_directive.c    what each directive occupies and writes
 *       asm_encode.c       a candidate at an address -> bits, or why not
 *       asm_pseudo.c       the body of a pseudo-instruction -> instructions
 *       asm_float.c        operands that are decimal fractions
 *       asm_expr.c         expressions, at every walk anew: labels move while forms grow
 *
 * Invariants: a statement's tokens never change; candidates are ordered shortest first and `chosen` only grows; the
 * walk that writes sees exactly the addresses of the last walk that measured. Nothing recurses deeper than
 * ASM_MAX_DEPTH; passes, expansions, includes and text have caps, so work is linear in the input.
 */
#ifndef ASM_ASM_INTERNAL_H
#define ASM_ASM_INTERNAL_H

#include "asm/asm.h"
#include "base/strmap.h"

enum {
	ASM_MAX_TEXT = 1 << 24,    /* bytes of all sources together */
	ASM_MAX_LINE = 0xFFF0,     /* bytes of one line */
	ASM_MAX_DEPTH = 200,       /* of an expression */
	ASM_MAX_INCLUDE = 16,      /* depth */
	ASM_MAX_SOURCES = 256,
	ASM_MAX_PASSES = 12,       /* walks over a very long program */
	ASM_MANY_PASSES = 400,     /* over a short one */
	ASM_LAST_PASSES = 5,       /* of these, once every form has been made its longest */
	ASM_MAX_NESTING = 16,      /* of pseudo-instructions in each other, of `if` in their bodies */
	ASM_MAX_EXPANSION = 200,   /* instructions made by one pseudo-instruction, nested ones included */
	ASM_MAX_CELLS_INSN = 256,  /* of one instruction, in cells of one bit */
	ASM_MAX_CELLS = 1024,      /* of one statement with all its expansion */
	ASM_MAX_BODY_TOKENS = 120, /* of one statement of a body */
	ASM_LOCALS = 1000,         /* labels that are numbers are below */
	ASM_NO_TOKEN = 0xFFFF,
	ASM_NO_INDEX = 0xFFFFFFFF,
};

typedef enum AsmTokenKind {
	TOKEN_END,    /* of the statement; its place is behind the last token */
	TOKEN_NAME,   /* label, mnemonic, register, directive: prefixes included */
	TOKEN_NUMBER, /* value */
	TOKEN_STRING, /* quotes included */
	TOKEN_PUNCT,  /* value: the character, or one of AsmOperator; 0: digits that are no number of the dialect */
	TOKEN_FLOAT,  /* a decimal fraction; value: length of the prefix in front of its digits */
	TOKEN_LOCAL,  /* 1b, 1f: value: the number << 32 | which of the labels with it */
	TOKEN_VALUE,  /* an evaluated operand of a pseudo-instruction: value */
} AsmTokenKind;

typedef enum AsmTokenFlag {
	TOKEN_BLANK = 1,    /* blanks or separators stand before it */
	TOKEN_NEUTRAL = 2,  /* from a pseudo-instruction's body: C numbers, no prefixes */
	TOKEN_TOO_BIG = 4,  /* NUMBER of more than 64 bits */
	TOKEN_UNCLOSED = 8, /* STRING without its second quote */
	TOKEN_UNKNOWN = 16, /* VALUE not known yet */
	TOKEN_ADDRESS = 32, /* VALUE is an address */
	TOKEN_CHAR = 64,    /* NUMBER written as a character */
	TOKEN_SIGNED = 128, /* NUMBER written with a sign */
} AsmTokenFlag;

/* Operators of two or three characters; the others are their character. */
typedef enum AsmOperator {
	OP_SHL = 256, OP_SHR, OP_SAR, OP_EQ, OP_NE, OP_LE, OP_GE, OP_AND, OP_OR,
} AsmOperator;

typedef struct AsmToken {
	u8 kind, flags;
	u16 len;
	u32 offset; /* in the text of its span */
	i64 value;
} AsmToken;

/* The tokens of one statement and where they were written. */
typedef struct AsmSpan {
	const AsmToken *tokens; /* [count + 1]: a TOKEN_END last */
	u32 count;
	u32 source;             /* index into program->sources: where the tokens that are not neutral stand */
	u32 head, head_len;     /* the mnemonic or directive, in that source */
	const char *neutral;    /* text of the neutral tokens */
	const IsaPseudo *pseudo; /* when this is a line of its body */
	u64 base;               /* then: the address of its first instruction */
	u8 depth;
} AsmSpan;

typedef struct AsmValue {
	i64 v;
	bool known;
	bool address;   /* made from a label */
	bool is_float;  /* the bits of a fraction; only asm_float wants that */
	u8 width;       /* of the items of the variable it is the address of, or 0 */
	u32 symbol;     /* the only symbol in it, or ASM_NO_INDEX */
} AsmValue;

typedef struct AsmCandidate { /* a form that the operands of a statement have the shape of */
	u32 form;                 /* index into isa->forms; ASM_PSEUDO + index into isa->pseudos */
	u16 at[ISA_MAX_FIELDS];   /* first token of the operand for each field (parameter), or ASM_NO_TOKEN */
} AsmCandidate;

enum { ASM_PSEUDO = 0x80000000 };

typedef enum AsmStmtKind { STMT_INSN, STMT_DIRECTIVE, STMT_UNKNOWN_DIRECTIVE } AsmStmtKind;

typedef struct AsmStmt {
	u8 kind;
	u8 chosen;           /* INSN: index into candidates */
	u8 candidate_count;
	u32 directive;       /* DIRECTIVE: index into dialect->directives */
	u32 line;
	AsmSpan span;
	AsmCandidate *candidates;
	u32 units;           /* DATA, STRING: values written */
	u32 symbol;          /* EQU: the constant; ROW: the name of the row */
	u32 label;           /* the nearest label in front, or ASM_NO_INDEX */
	u64 cells;           /* of the last walk */
} AsmStmt;

typedef struct AsmSym {
	const char *name;
	u32 len;
	u32 source, offset, line;
	u32 stmt;        /* a label names the place of this statement */
	u16 space;       /* ISA_NONE: constant */
	u16 table;       /* the number of a row of this table, or ISA_NONE */
	u16 row_space;   /* then: where the row's directive stands, or ISA_NONE */
	u64 row_address;
	u8 width;        /* bits of an item of the data it labels, or 0 */
	bool known, used, replaced, lone;
	bool local;      /* a number: nobody outside the text sees it */
	bool is_float;   /* a constant that is a decimal fraction: asm_float reads it where it is used */
	u64 value;
} AsmSym;

typedef struct AsmPlace { /* where the next cell of a space, or of a section, goes */
	u64 at;
	u64 base;        /* SECTION: where it begins */
	u32 segment;     /* or ASM_NO_INDEX */
	bool told;       /* said already that it is full */
} AsmPlace;

typedef struct AsmRegName {
	u16 reg;
	u32 element;
	u32 next;        /* another register of this name, or ASM_NO_INDEX */
} AsmRegName;

typedef struct AsmBody { /* tokens of a pseudo-instruction's body */
	AsmToken *tokens;
	u32 count;
	u32 offset;      /* in the pool */
	bool done;
} AsmBody;

typedef struct Assembler {
	const Isa *isa;
	const IsaDialect *dialect;
	const AsmOptions *options;
	DiagList *diags;
	AsmProgram *program;
	Arena scratch;
	Arena temp;             /* of one expansion of a pseudo-instruction */
	bool expanding;
	u32 expanded;           /* instructions made so far, nested ones too */
	bool failed_memory;
	bool single;            /* one line for asm_line: no rules about segments */
	bool checking;          /* asm_check_pseudo: names are not looked up */
	bool dry;               /* matching without messages */
	u64 start;              /* where code starts without an org */
	const AsmProgram *outside; /* symbols of asm_line */
	const AsmPiece *piece;  /* of asm_assemble_piece, or NULL */

	/* Of the dialect */
	bool blanks_separate;   /* an operand ends at a blank */
	bool commas_count;      /* a ',' is a token */
	u8 is_name[256], is_blank[256];
	StrMap registers;       /* name -> index into reg_names */
	AsmRegName *reg_names;
	u32 reg_name_count, reg_name_cap;
	StrMap pseudos;         /* mnemonic -> first pseudo */
	StrMap directives;
	bool floats;            /* decimal fractions are numbers */
	bool wants_float;       /* asm_float asks */
	bool only;              /* the candidate at hand is the only one */
	const char **signs;     /* mnemonics of several characters that no name could hold: "<=" */
	u32 sign_count, sign_cap;
	AsmBody *bodies;        /* [isa->pseudo_count], NULL until the first expansion */
	char *pool;             /* the texts of all bodies, one behind the other */

	/* Of the text */
	AsmToken *line_tokens;
	u32 line_token_cap;
	u32 source_cap, include_depth;
	size_t text_total;
	AsmStmt *stmts;
	u32 stmt_count, stmt_cap;
	AsmSym *symbols;
	u32 symbol_count, symbol_cap;
	StrMap symbol_map;
	u32 locals[ASM_LOCALS]; /* how many labels there are that are this number */
	u32 percent_depth;      /* of %pcrel_lo in each other */
	bool in_segment, seen_org, told_outside;
	bool unclosed;          /* a string of several lines was not closed */
	bool stop;              /* `end` was read */
	bool halted;            /* a limit was hit: no more is read */
	u32 org_source, org_offset, org_len; /* of the segment that is open */

	/* Of a walk */
	bool writing;
	u32 pass;
	bool changed;
	u32 moved;              /* a symbol that changed in this walk, or ASM_NO_INDEX */
	u16 space;
	u64 here;               /* address of the statement at hand */
	u32 place;              /* index into places */
	AsmPlace *places;       /* [isa->space_count + dialect->section_count] */
	u64 *bases;             /* [dialect->section_count] as the last walk found them */
	u64 *rows;              /* [isa->table_count] so far */
	u32 row_cap;
	u32 segments_used, segment_cap;
	u32 *room;              /* [segments] cells each has, when writing */
	u64 cells;              /* so far in this walk, all segments */
	u64 max_cells;
	u32 line_cap;
	bool has_entry;
	u64 entry;
} Assembler;

/* ---- asm.c: reports ---- */

/* An error at a token of the span; inside a pseudo-instruction at its name, saying so. */
void asm_error(Assembler *as, const AsmSpan *span, const AsmToken *token, const char *hint, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void asm_report_at(Assembler *as, DiagLevel level, u32 source, size_t offset, size_t len, const char *hint,
		   const char *format, ...) __attribute__((format(printf, 7, 8)));
/* The text of a token, cut to what a message can hold. */
const char *asm_token_text(const Assembler *as, const AsmSpan *span, const AsmToken *token);
char *asm_quote(Assembler *as, const AsmSpan *span, const AsmToken *token);

/* ---- asm_lex.c ---- */

void asm_lex_init(Assembler *as);
/* Tokens of text[at..end) into as->line_tokens, up to a comment or the end; returns their number. *at moves behind
 * what was read (a ';' that separates statements ends a statement). */
u32 asm_lex_line(Assembler *as, u32 source, const char *text, size_t *at, size_t end);
/* Does a comment begin here? */
bool asm_comment_at(const IsaDialect *dialect, const char *text, size_t len);
/* The body of a pseudo-instruction: C numbers, commas, `;` or a line end between statements. Offsets of the tokens
 * count from the pool of all bodies, where this one begins at `offset`. */
bool asm_lex_body(Assembler *as, const char *text, u32 offset, AsmBody *out);
/* A number as the dialect writes it: sets *value, *flags, returns its length or 0. */
size_t asm_lex_number(const Assembler *as, const char *text, size_t len, i64 *value, u8 *flags);
/* Is this a decimal number of the dialect? *digits: where its sign or digits begin. */
bool asm_lex_is_decimal(const Assembler *as, const char *text, size_t len, size_t *digits);
/* Characters of a string token: the next one from *at (an offset into the token) to *c; false at its end. */
bool asm_string_next(Assembler *as, const AsmSpan *span, const AsmToken *token, u32 *at, u8 *c, bool report);

/* ---- asm_expr.c ---- */

/* Evaluates from token *at; afterwards *at is behind the expression. False after a mistake in its form; said when
 * as->dry is not set. Unknown and undefined symbols give known = false; undefined ones are said when writing. */
bool asm_expr(Assembler *as, const AsmSpan *span, u32 *at, AsmValue *value);
/* How numbers are written in the dialect, for hints. */
const char *asm_number_usage(Assembler *as);
/* The token as a register of file `reg` (ISA_NONE: of any): its element or ASM_NO_INDEX. */
u32 asm_register(const Assembler *as, const AsmSpan *span, const AsmToken *token, u16 reg);
bool asm_is_register(const Assembler *as, const char *text, size_t len);
u32 asm_symbol_find(const Assembler *as, const char *name, size_t len);
bool asm_token_is(const Assembler *as, const AsmSpan *span, const AsmToken *token, const char *text);
bool asm_same(const Assembler *as, const char *a, size_t alen, const char *b);

/* ---- asm_float.c ---- */

/* The operand at token *at as a number of so many bits; *at moves behind it. Text is only converted by the walk that
 * writes; before, *known is false. False when it is no such operand: said when as->dry is not set. */
bool asm_float(Assembler *as, const AsmSpan *span, u32 *at, unsigned bits, u64 *value, bool *known);
/* Is all of it one decimal fraction? */
bool asm_is_float(const AsmSpan *span);

/* ---- asm_gnu.c ---- */

/* A label that is a number (below ASM_LOCALS): one more of them; its name as a symbol, or NULL: memory is out. */
const char *asm_local_define(Assembler *as, u32 number, u32 *len);
/* The name of the one that a TOKEN_LOCAL means. */
void asm_local_name(i64 value, char room[32], u32 *len);
/* Turns 1b and 1f among the tokens of a statement into TOKEN_LOCAL. */
void asm_local_refer(Assembler *as, const AsmSpan *span, AsmToken *tokens, u32 count);
/* %hi(x), %lo(x), %pcrel_hi(x), %pcrel_lo(label): does one stand at this token? Which one. */
typedef enum AsmPercent { PERCENT_NONE, PERCENT_HI, PERCENT_LO, PERCENT_PCREL_HI, PERCENT_PCREL_LO } AsmPercent;
AsmPercent asm_percent(const Assembler *as, const AsmSpan *span, u32 at);
/* Its value. `a` is what stands in the parentheses. False: said, unless as->dry. */
bool asm_percent_value(Assembler *as, const AsmSpan *span, u32 at, AsmPercent which, const AsmValue *a, AsmValue *value);

/* ---- asm_match.c ---- */

/* Is there such a mnemonic in this dialect? */
bool asm_is_mnemonic(const Assembler *as, const char *name, size_t len);
/* Does any of its forms take operands? */
bool asm_takes_operands(const Assembler *as, const char *name, size_t len);
/* All forms (and pseudo-instructions) of this mnemonic whose shape the operands from token `at` have. 0 and a message
 * when there are none. */
u32 asm_match(Assembler *as, const AsmSpan *span, const char *name, size_t len, u32 at, AsmCandidate **out);
/* Reads the register list at *at. */
bool asm_list(const Assembler *as, const AsmSpan *span, u32 *at, u16 reg, u64 *mask);
/* Number of the enum value that the token names, or enum_count. */
u32 asm_enum(const Assembler *as, const AsmSpan *span, const AsmToken *token, const IsaField *field);

/* ---- asm_encode.c ---- */

typedef enum AsmFit { FIT_YES, FIT_NO, FIT_UNKNOWN } AsmFit;

/* The candidate at an address as bits. When writing, and not dry, says why not. */
AsmFit asm_encode(Assembler *as, const AsmSpan *span, const AsmCandidate *candidate, u64 pc, u64 w[ISA_WORDS]);
/* Picks the first candidate from *chosen on that fits; its cells to out (`room` of them; out may be NULL). FIT_NO: none does (the last one is chosen). */
AsmFit asm_choose(Assembler *as, const AsmSpan *span, const AsmCandidate *candidates, u32 count, u8 *chosen, u64 pc,
		  u64 *out, u32 room, u32 *cells);
u32 asm_form_cells(const Isa *isa, const IsaForm *form);

/* ---- asm_pseudo.c ---- */

AsmFit asm_expand(Assembler *as, const AsmSpan *span, const AsmCandidate *candidate, u64 pc, u64 *out, u32 room,
		  u32 *cells);
void asm_pseudo_check_body(Assembler *as, u32 index);

/* ---- asm_parse.c ---- */

bool asm_parse_source(Assembler *as, const char *name, const char *text, size_t len);
/* One statement with the labels in front of it: tokens[count] is a TOKEN_END. The line of token i is lines[i], or
 * `line` when lines is NULL. */
void asm_parse_statement(Assembler *as, u32 source, const AsmToken *tokens, u32 count, u32 line, const u32 *lines);
/* What can only be said when all is read. */
void asm_parse_end(Assembler *as);

/* ---- asm_free.c ---- */

typedef struct AsmFree { /* the tokens of a source that make no whole statement yet */
	Assembler *as;
	u32 source;
	AsmToken *all;   /* [cap] */
	u32 *all_lines;  /* [line_cap] */
	u32 cap, line_cap;
	AsmToken *tokens; /* what waits: [count], somewhere in `all` */
	u32 *lines;      /* [count] of each of them */
	u32 count;
	u32 looked;      /* no statement begins before this token, but the first */
} AsmFree;

/* Adds the tokens of a line (as->line_tokens) and reads what statements are whole by now; `last`: nothing follows. */
void asm_free_line(AsmFree *text, u32 count, u32 line);
void asm_free_end(AsmFree *text);

/* ---- asm_directive.c ---- */

/* Checks the operands' form when the statement is read, and notes what they will occupy. */
bool asm_directive_check(Assembler *as, AsmStmt *stmt);
void asm_directive_walk(Assembler *as, AsmStmt *stmt);

/* ---- asm_layout.c ---- */

void asm_layout(Assembler *as);
/* The statements that follow go to this place. */
void asm_enter(Assembler *as, u32 place);
/* Goes to an address: a new segment. */
void asm_go(Assembler *as, const AsmStmt *stmt, u64 address);
/* Occupies cells at the place of the current space. When writing: where they go (zero so far), or NULL when they are
 * out of bounds (said). When measuring: always NULL. */
u64 *asm_reserve(Assembler *as, AsmStmt *stmt, u64 count, bool is_code);

/* ---- asm_hint.c ---- */

/* "did you mean 'LOOP'?" for the nearest of the known names, or NULL. In scratch. */
typedef enum AsmNames { NAMES_MNEMONIC = 1, NAMES_DIRECTIVE = 2, NAMES_SYMBOL = 4, NAMES_REGISTER = 8 } AsmNames;
const char *asm_suggest(Assembler *as, unsigned names, const char *text, size_t len);
/* The nearest known name, at most `most` edits away, or NULL. */
const char *asm_nearest(Assembler *as, unsigned names, const char *text, size_t len, unsigned most);

#endif
