/* SPDX-License-Identifier: MIT
 *
 * The loader's working state: a recursive-descent parser straight over the text, without a token array, because
 * patterns, mnemonics, operand templates and register names are read as raw words. Private to src/isa.
 *
 * What is left of a text is the same bytes whenever it is loaded (isa_freeze.c), also where no member of a struct is: a struct
 * with holes is never assigned with all its members given, since the holes are then whatever was on the stack.
 *
 * isa_lex.c      tokens, raw words, doc comments, messages
 * isa_load.c     the passes in order; isa_load
 * isa_items.c    items: option space code view func host table init ...
 * isa_regs.c     reg, const, pin           isa_fields.c   field
 * isa_handlers.c on ..., interrupt, event, every
 * isa_insn.c     patterns, operand templates
 * isa_forms.c    mnemonics with letters, aliases, pseudo-instructions
 * isa_dialect.c  asm { ... }
 * isa_check.c    overlaps, unreachable encodings, unused things
 * isa_freeze.c   what the loader leaves, as bytes that isa_thaw.c makes an Isa of again (isa_frozen.h)
 * rtl_expr.c, rtl_stmt.c   RTL text -> trees     rtl_type.c  widths     rtl_effects.c  what a body may do
 */
#ifndef ISA_ISA_PARSE_H
#define ISA_ISA_PARSE_H

#include "base/arena.h"
#include "base/diag.h"
#include "isa/isa.h"
#include "isa/rtl.h"

typedef enum TokenKind {
	TOK_END, TOK_IDENT, TOK_NUMBER, TOK_STRING, TOK_PUNCT, TOK_FIELDNUM, /* #name */
} TokenKind;

enum { FIELD_LEFT_OUT = 2 }; /* field_used: an instruction that an option leaves out has it */

typedef struct Token {
	u8 kind;
	bool line_start; /* first on its line */
	bool sized;      /* NUMBER with 'width */
	u8 width;
	u8 punct_len;
	u32 pos, len;    /* in the text; STRING: without the quotes */
	u64 value;
	char punct[4];   /* PUNCT: its characters, NUL-terminated */
} Token;

typedef struct Scope { /* names a body can see */
	struct {
		const char *name;
		u32 len;
		u16 var;
	} names[64];
	u32 count;
} Scope;

typedef struct PendingAlias {
	u32 pos, line;
	const char *mnemonic;
	u32 operands_pos, operands_len; /* text between the mnemonic and '=' */
	u32 target_pos, target_len;     /* text behind '=' */
	const char *doc;
} PendingAlias;

/* const s = revision == b ? 2 : 0 */
typedef struct NamedNumber {
	const char *name;
	u64 value;
} NamedNumber;

typedef struct Parser {
	Isa *isa;
	Arena *arena;      /* isa->arena */
	Source source;
	DiagList *diags;
	u32 at;            /* where the next token begins looking */
	Token tok;         /* look-ahead */
	u32 tok_end;       /* offset behind tok */
	u32 prev_end;      /* offset behind the token before */
	u32 line, line_pos; /* line_of's last answer */
	const char *raw_stop; /* characters that end a raw word */
	u32 item_errors;   /* errors in the item being read */
	char *doc;         /* pending ## lines */
	u32 nodes;         /* operations of the body being parsed */
	u32 depth;         /* nesting of expressions and statements */
	bool give_up;      /* too many errors or memory out */

	u32 cap_options, cap_spaces, cap_regs, cap_views, cap_fields, cap_slices, cap_insns, cap_forms, cap_pseudos,
		cap_hosts, cap_handlers, cap_dialects, cap_inits, cap_reasons, cap_pins;
	RtlFunc *funcs;
	u32 func_count, cap_funcs;
	PendingAlias *aliases;
	u32 alias_count, cap_aliases;
	NamedNumber numbers[8];
	u32 number_count;
	bool fill_checked, has_code, uses_cycles, own_cycles;
	u8 *field_used, *reg_used; /* for warnings; grown with fields and regs. FIELD_LEFT_OUT: by an option */
	u32 cap_field_used, cap_reg_used;

	/* While a body is parsed: */
	const IsaInsn *insn; /* fields it may name, or NULL */
	bool in_handler;     /* no `next` */
	Scope *scope;
	RtlBody *body;
	u32 cap_vars;
	const char *func_name; /* function being parsed, to name recursion */
	u32 func_name_len;
	RtlExpr scratch_expr; /* handed out when memory is out, so that parsing can unwind */
	RtlStmt scratch_stmt;
} Parser;

/* What ends a raw word. */
#define RAW_STOP " \t\r\n,;="

enum { PARSE_DEPTH_MAX = 64, BODY_VARS_MAX = 64, BODY_NODES_MAX = 6000 };

/* ---- isa_lex.c ---- */
void lex_start(Parser *p);
void lex_next(Parser *p);                          /* p->tok becomes the next token */
static inline bool text_is(const char *text, u32 len, const char *word)
{
	for (u32 i = 0; i < len; i++)
		if (word[i] != text[i] || !word[i])
			return false;
	return word[len] == 0;
}
static inline bool tok_is(const Parser *p, const char *punct)
{
	return p->tok.kind == TOK_PUNCT && text_is(p->tok.punct, p->tok.punct_len, punct);
}
/* An identifier with this text? */
static inline bool tok_word(const Parser *p, const char *word)
{
	return p->tok.kind == TOK_IDENT && text_is(p->source.text + p->tok.pos, p->tok.len, word);
}
bool accept(Parser *p, const char *punct);
bool accept_word(Parser *p, const char *word);
bool expect(Parser *p, const char *punct, const char *where);
const char *tok_text(const Parser *p);             /* pointer into the source, tok.len long */
/* Reads raw: continues behind the current token's start. After it call lex_next. */
void raw_begin(Parser *p);                         /* p->at = start of the current token */
bool raw_at_line_end(Parser *p);                   /* skips blanks; end of line, comment or ';' ? */
u32 raw_word(Parser *p, u32 *pos);                 /* a run of non-blank characters up to ',' ';' '=' or line end */
void parse_error(Parser *p, u32 pos, u32 len, const char *hint, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void parse_warn(Parser *p, u32 pos, u32 len, const char *hint, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void error_here(Parser *p, const char *hint, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The doc text gathered before this item; "" when none. Takes it. */
const char *take_doc(Parser *p);
/* After an item: a ## on the same line is added to *doc. */
void trailing_doc(Parser *p, u32 item_end, const char **doc);
u32 line_of(Parser *p, u32 pos);

/* ---- rtl ---- */
RtlExpr *rtl_new_expr(Parser *p, RtlKind kind, u32 pos); /* never NULL */
RtlExpr *rtl_number(Parser *p, u32 pos, u64 value);
void count_node(Parser *p, u32 pos);                     /* one operation more in this body; reports when too many */
bool parse_enter(Parser *p);                             /* one level deeper; p->depth-- when left. False: too deep */
u16 find_var(const Parser *p, const char *name, u32 len);
void body_begin(Parser *p, RtlBody *body, Scope *scope, const IsaInsn *insn, bool in_handler);
u16 body_param(Parser *p, const char *name, u32 len, u8 width); /* declares the next parameter or variable */
void parse_block(Parser *p, RtlBody *body);                     /* { ... } */
RtlExpr *parse_expr(Parser *p);
void body_finish(Parser *p, RtlBody *body, u32 pos);            /* returns, effects */
/* An expression of the given width (0 = its own) as a body. */
RtlBody *parse_value_body(Parser *p, unsigned width);
RtlExpr *rtl_parse_args(Parser *p, RtlExpr *call, const char *name, u32 len); /* "(a, b)": into call->args */
bool is_float_name(const char *name, u32 len, unsigned *bits); /* f32, f64 */
RtlExpr *parse_atomic(Parser *p, u32 pos); /* rtl_atomic.c; from the dot on */
RtlExpr *parse_fence(Parser *p, u32 pos);
bool type_atomic(Parser *p, RtlExpr *e);
bool type_fence(Parser *p, RtlExpr *e);
u8 parse_access_width(Parser *p, u16 space); /* the number behind `mem:` */
RtlExpr *parse_float(Parser *p, unsigned bits, u32 pos);       /* from the dot on */
bool type_expr(Parser *p, RtlExpr *e, unsigned want, const char *what);
bool parse_const(Parser *p, u64 *value); /* an expression that must fold now */
u64 isa_find_return_bits(const Isa *isa); /* isa_returns.c: Isa.return_bits */
bool rtl_const(const Isa *isa, const RtlExpr *e, const IsaDecoded *decoded, u64 *value);
unsigned rtl_natural(const Parser *p, const RtlExpr *e);
unsigned rtl_flex(const Parser *p, const RtlExpr *e);
u8 expr_effects(const Parser *p, const RtlExpr *e);
void stmts_effects(const Parser *p, RtlStmt *stmts, u8 *effects, bool *leaves);
void body_effects(const Parser *p, RtlBody *body);
void mark_irq_regs(Parser *p, const RtlExpr *e);

/* ---- items ---- */
void parse_isa(Parser *p);
void parse_option(Parser *p, const IsaChoice *choices, u32 choice_count);
void parse_space_item(Parser *p);
void parse_code(Parser *p);
void parse_fill(Parser *p);
void parse_reg(Parser *p);
void parse_pin(Parser *p);
void parse_const_item(Parser *p);
void parse_view(Parser *p);
void parse_table_item(Parser *p);
void parse_field(Parser *p);
void parse_func(Parser *p);
void parse_host_item(Parser *p);
void parse_display(Parser *p);
void parse_image(Parser *p);
void parse_init(Parser *p);
u8 parse_width(Parser *p, const char *what);
void parse_on(Parser *p);
void parse_interrupt(Parser *p, bool event);
void parse_every(Parser *p);
bool at_item(const Parser *p); /* does an item's keyword stand here? */
const char *take_name(Parser *p, const char *what);
void check_new_name(Parser *p, const char *name, u32 pos); /* reports one that something else has */
/* arena_grow with a limit that is reported. */
bool grow_table(Parser *p, void **items, u32 *cap, u32 count, size_t size, u32 limit, const char *what);
void parse_insn(Parser *p);
void parse_alias(Parser *p);
void parse_pseudo(Parser *p);
void parse_dialect(Parser *p);
/* One word or quoted string of the current line, without quotes; NULL at its end. next_word tells where it began and
 * whether it was quoted; skip_line leaves out the rest. */
const char *line_word(Parser *p);
const char *next_word(Parser *p, u32 *at, bool *quoted);
void skip_line(Parser *p);
bool word_number(const char *word, u64 *value);
/* NAME operands = action ...: `name`, which begins at `pos`, is read. */
void parse_directive(Parser *p, IsaDialect *d, const char *name, u32 pos, u32 *cap);
bool parse_section(Parser *p, IsaDialect *d);
void use_gnu(Parser *p, IsaDialect *d, u32 *cap);
void finish_dialects(Parser *p);
void check_dialects(Parser *p); /* when forms are known */
void finish_forms(Parser *p);
void check_encodings(Parser *p);
void check_unused(Parser *p);
bool build_decoder(Parser *p);
/* isa_load without choices; its arena is one whose allocations can be told apart (isa_freeze.c). */
Isa *isa_load_apart(const char *name, const char *text, size_t len, DiagList *diags);
u16 find_field(const Isa *isa, const char *name, u32 len);
u16 find_insn_field(const Isa *isa, const IsaInsn *insn, const char *name, u32 len);
IsaSyntax *parse_syntax(Parser *p, u32 pos, u32 len, const IsaInsn *insn, u32 *count);

#endif
