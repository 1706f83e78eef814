/* SPDX-License-Identifier: MIT
 *
 * Expressions of the debugger: what `print`, `set`, `break ... if` and `watch` take. They are parsed once and
 * evaluated as often as a condition is met.
 *
 *   numbers     12  0x1F  0b101  'c'  "#-12" and "x1F" where the machine's dialect writes numbers so
 *   names       registers (R3, sp, pc, "$R3"), views (PSR), labels and constants, icount
 *   memory      SPACE[expr], or [expr] and *expr in the code space
 *   operators   ( )  - ~ !  * / %  + -  << >>  < <= > >= (and <u <=u >u >=u)  == !=  &  ^  |  &&  ||
 *
 * A value knows its width: a register's, a cell's; a number has none and takes that of the other side. Arithmetic
 * wraps at the width, == compares within it (R0 == -1 holds for 0xFFFF of 16 bits), < is signed at it unless one side
 * is an address (pc, a label), <u is unsigned.
 * Division by zero is an error, as is an access outside a space.
 */
#ifndef DEBUG_EXPR_H
#define DEBUG_EXPR_H

#include "base/buf.h"
#include "debug/symbols.h"
#include "machine/machine.h"

typedef struct DebugExpr DebugExpr;

typedef struct DebugValue {
	u64 value;  /* zero-extended when width is not 0 */
	u8 width;   /* 0: a plain number, 64 bits signed */
	bool is_address; /* a label, pc, or a sum with one: show it as an address */
	bool is_float;   /* a register that holds floats, by itself */
} DebugValue;

/* Where names come from. */
typedef struct DebugNames {
	const Isa *isa;
	u16 dialect;
	const DebugSymbols *symbols; /* may be NULL */
} DebugNames;

/* NULL with one line in `error`, when the text is no expression. *used (may be NULL) is how much was read; with it
 * the text may go on behind the expression, without it that is an error. */
DebugExpr *debug_expr_parse(const DebugNames *names, const char *text, size_t len, size_t *used, Buf *error);
void debug_expr_destroy(DebugExpr *expr);
bool debug_expr_eval(const DebugExpr *expr, Machine *machine, DebugValue *out, Buf *error);
/* expr must be a register, a view that can be set, or a cell. */
bool debug_expr_assign(const DebugExpr *expr, Machine *machine, u64 value, Buf *error);
/* What a register of floats is to be set to, when `text` is a number in decimal (anything else: an expression for its bits). */
bool debug_expr_float(const DebugExpr *target, Machine *machine, const char *text, DebugValue *out);
/* Is it one cell? Evaluates its address. */
bool debug_expr_cell(const DebugExpr *expr, Machine *machine, u16 *space, u64 *address);
/* Does it depend on anything that changes? A constant is worth no watchpoint. */
bool debug_expr_varies(const DebugExpr *expr);

#endif
