/* SPDX-License-Identifier: MIT
 *
 * Expressions: a precedence-climbing parser that makes a small tree, and a walk over it.
 */
#include "debug/expr.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/float_text.h"

enum { MAX_DEPTH = 64 };

typedef enum NodeKind {
	NODE_NUMBER, NODE_SLOT, NODE_VIEW, NODE_ICOUNT, NODE_CELL, NODE_FILE, NODE_UNARY, NODE_BINARY,
} NodeKind;

typedef enum Op {
	OP_NONE, OP_NEG, OP_NOT, OP_LNOT,
	OP_MUL, OP_DIV, OP_REM, OP_ADD, OP_SUB, OP_SHL, OP_SHR,
	OP_LT, OP_LE, OP_GT, OP_GE, OP_LTU, OP_LEU, OP_GTU, OP_GEU, OP_EQ, OP_NE,
	OP_AND, OP_XOR, OP_OR, OP_LAND, OP_LOR,
} Op;

typedef struct Node Node;
struct Node {
	NodeKind kind;
	Op op;
	u8 width;        /* SLOT, VIEW, CELL (bits of the access), FILE */
	bool is_address; /* NUMBER, SLOT */
	u64 value;       /* NUMBER; SLOT: its number; VIEW: index; CELL: space; FILE: index of the register file */
	Node *a, *b;
};

struct DebugExpr {
	Arena arena;
	const Isa *isa;
	Node *root;
};

typedef struct Parser {
	const DebugNames *names;
	const char *text;
	size_t len, at;
	Arena *arena;
	Buf *error;
	bool failed;
	unsigned depth;
} Parser;

/* ---- Reading ---- */

static Node *fail(Parser *parser, const char *what, size_t at, size_t len)
{
	if (!parser->failed) {
		buf_printf(parser->error, "%s", what);
		if (len)
			buf_printf(parser->error, " '%.*s'", (int)(len > 60 ? 60 : len), parser->text + at);
	}
	parser->failed = true;
	return NULL;
}

static Node *new_node(Parser *parser, NodeKind kind)
{
	Node *node = ARENA_NEW(parser->arena, Node);

	if (!node)
		return fail(parser, "out of memory", 0, 0);
	node->kind = kind;
	return node;
}

static void skip_blanks(Parser *parser)
{
	while (parser->at < parser->len && (parser->text[parser->at] == ' ' || parser->text[parser->at] == '\t'))
		parser->at++;
}

static char peek(const Parser *parser, size_t ahead)
{
	return parser->at + ahead < parser->len ? parser->text[parser->at + ahead] : 0;
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '$' || (unsigned char)c >= 0x80;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* All of text as a number of that base, with an optional sign; false when it isn't, or does not fit 64 bits. */
static bool parse_digits(const char *text, size_t len, unsigned base, u64 *value)
{
	bool negative = len && text[0] == '-';
	u64 sum = 0;

	if (negative) {
		text++;
		len--;
	}
	if (!len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int digit = digit_value(text[i]);

		if ((unsigned)digit >= base || sum > (~(u64)0 - (u64)digit) / base)
			return false;
		sum = sum * base + (u64)digit;
	}
	*value = negative ? 0 - sum : sum;
	return true;
}

/* A number as C writes it, or as the dialect does. */
static bool parse_number(const DebugNames *names, const char *text, size_t len, u64 *value)
{
	const IsaDialect *dialect = &names->isa->dialects[names->dialect];

	if (len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') && parse_digits(text + 2, len - 2, 16, value))
		return true;
	if (len > 2 && text[0] == '0' && (text[1] == 'b' || text[1] == 'B') && parse_digits(text + 2, len - 2, 2, value))
		return true;
	for (u32 i = 0; i < dialect->number_count; i++) {
		const IsaNumberForm *form = &dialect->numbers[i];
		size_t affix = strlen(form->affix);

		if (!affix || len <= affix)
			continue;
		if (form->is_suffix) {
			if (ascii_equal_fold(text + len - affix, affix, form->affix, affix) &&
			    parse_digits(text, len - affix, form->base, value))
				return true;
		} else if (ascii_equal_fold(text, affix, form->affix, affix) &&
			   parse_digits(text + affix, len - affix, form->base, value)) {
			return true;
		}
	}
	return isdigit((unsigned char)text[0]) && parse_digits(text, len, 10, value);
}

static Node *number_node(Parser *parser, u64 value, bool is_address)
{
	Node *node = new_node(parser, NODE_NUMBER);

	if (node) {
		node->value = value;
		node->is_address = is_address;
	}
	return node;
}

static Node *parse_binary(Parser *parser, unsigned least);

/* The expression up to `]`; the `[` has been read. */
static Node *parse_index(Parser *parser)
{
	Node *index = parse_binary(parser, 0);

	skip_blanks(parser);
	if (!index)
		return NULL;
	if (peek(parser, 0) != ']')
		return fail(parser, "']' is missing", 0, 0);
	parser->at++;
	return index;
}

static Node *cell_node(Parser *parser, u16 space, unsigned bits, Node *address)
{
	Node *node = address ? new_node(parser, NODE_CELL) : NULL;

	if (node) {
		node->value = space;
		node->width = (u8)bits;
		node->a = address;
	}
	return node;
}

static u16 find_space(const Isa *isa, const char *name, size_t len)
{
	for (u32 i = 0; i < isa->space_count; i++)
		if (ascii_equal_fold(isa->spaces[i].name, strlen(isa->spaces[i].name), name, len))
			return (u16)i;
	return ISA_NONE;
}

/* NAME[ or NAME:BITS[ ; NULL without failure when the name is no space or register file. */
static Node *parse_indexed(Parser *parser, const char *name, size_t len)
{
	const Isa *isa = parser->names->isa;
	u16 space = find_space(isa, name, len);
	size_t start = parser->at;
	u64 bits = 0;

	if (space != ISA_NONE && peek(parser, 0) == ':') {
		size_t from = ++parser->at;

		while (isdigit((unsigned char)peek(parser, 0)))
			parser->at++;
		if (!parse_digits(parser->text + from, parser->at - from, 10, &bits) || bits < 1 || bits > 64 ||
		    bits % isa->spaces[space].cell_bits)
			return fail(parser, "no possible width in", start, parser->at - start);
	}
	if (peek(parser, 0) != '[') {
		parser->at = start;
		return NULL;
	}
	if (space != ISA_NONE) {
		parser->at++;
		return cell_node(parser, space, bits ? (unsigned)bits : isa->spaces[space].cell_bits, parse_index(parser));
	}
	for (u32 i = 0; i < isa->reg_count; i++) {
		Node *node, *index;

		if (!isa->regs[i].array || !ascii_equal_fold(isa->regs[i].name, strlen(isa->regs[i].name), name, len))
			continue;
		parser->at++;
		index = parse_index(parser);
		node = index ? new_node(parser, NODE_FILE) : NULL;
		if (node) {
			node->value = i;
			node->width = isa->regs[i].width;
			node->a = index;
		}
		return node;
	}
	return NULL;
}

static Node *find_name(Parser *parser, const char *name, size_t len)
{
	const DebugNames *names = parser->names;
	const DebugSymbol *symbol = names->symbols ? debug_symbols_find(names->symbols, name, len) : NULL;
	u32 slot;
	u16 view;
	u8 width;
	u64 value;
	Node *node;

	if (isa_find_register(names->isa, name, len, false, &slot, &width) ||
	    (!symbol && isa_find_register(names->isa, name, len, true, &slot, &width))) {
		node = new_node(parser, NODE_SLOT);
		if (node) {
			node->value = slot;
			node->width = width;
			node->is_address = slot == 0;
		}
		return node;
	}
	if (symbol)
		return number_node(parser, symbol->value, symbol->space != ISA_NONE);
	view = isa_find_view(names->isa, name, len, true);
	if (view != ISA_NONE) {
		node = new_node(parser, NODE_VIEW);
		if (node) {
			node->value = view;
			node->width = names->isa->views[view].width;
		}
		return node;
	}
	if (len == 6 && memcmp(name, "icount", 6) == 0)
		return new_node(parser, NODE_ICOUNT);
	if (parse_number(names, name, len, &value))
		return number_node(parser, value, false);
	return NULL;
}

static Node *parse_name(Parser *parser)
{
	size_t start = parser->at, len;
	const char *name = parser->text + start;
	Node *node;

	if (peek(parser, 0) == '#' || peek(parser, 0) == '%')
		parser->at++;
	if (name[0] == '#' && parser->at > start && peek(parser, 0) == '-')
		parser->at++; /* #-12 is one number */
	while (is_name_char(peek(parser, 0)))
		parser->at++;
	len = parser->at - start;
	if (!len)
		return fail(parser, parser->at < parser->len ? "unexpected" : "something is missing at the end", parser->at,
			    parser->at < parser->len ? 1 : 0);
	node = parse_indexed(parser, name, len);
	if (node || parser->failed)
		return node;
	node = find_name(parser, name, len);
	if (!node && (name[0] == '$' || name[0] == '%' || name[0] == '@') && len > 1)
		node = find_name(parser, name + 1, len - 1);
	if (!node && !parser->failed)
		fail(parser, isa_find_space(parser->names->isa, name, len) != ISA_NONE ?
		     "a memory; its first cell is NAME[0], not" : "there is no register, label or number", start, len);
	return node;
}

static Node *parse_char(Parser *parser)
{
	char c = peek(parser, 1);

	if (c == '\\') {
		c = peek(parser, 2);
		c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == '0' ? '\0' : c;
		parser->at++;
	}
	if (peek(parser, 2) != '\'')
		return fail(parser, "a character is written as in 'a'", 0, 0);
	parser->at += 3;
	return number_node(parser, (u8)c, false);
}

static Node *parse_unary(Parser *parser)
{
	Node *node, *operand;
	Op op = OP_NONE;
	char c;

	skip_blanks(parser);
	c = peek(parser, 0);
	if (++parser->depth > MAX_DEPTH)
		return fail(parser, "too deeply nested", 0, 0);
	if (c == '(') {
		parser->at++;
		node = parse_binary(parser, 0);
		skip_blanks(parser);
		if (node && peek(parser, 0) != ')')
			return fail(parser, "')' is missing", 0, 0);
		parser->at++;
		parser->depth--;
		return node;
	}
	if (c == '[') {
		u16 space = parser->names->isa->code_space;

		parser->at++;
		node = cell_node(parser, space, parser->names->isa->spaces[space].cell_bits, parse_index(parser));
		parser->depth--;
		return node;
	}
	if (c == '\'') {
		parser->depth--;
		return parse_char(parser);
	}
	if (c == '-' || c == '~' || c == '!' || c == '*' || c == '+') {
		parser->at++;
		operand = parse_unary(parser);
		parser->depth--;
		if (!operand || c == '+')
			return operand;
		if (c == '*') {
			u16 space = parser->names->isa->code_space;

			return cell_node(parser, space, parser->names->isa->spaces[space].cell_bits, operand);
		}
		op = c == '-' ? OP_NEG : c == '~' ? OP_NOT : OP_LNOT;
		node = new_node(parser, NODE_UNARY);
		if (node) {
			node->op = op;
			node->a = operand;
		}
		return node;
	}
	parser->depth--;
	return parse_name(parser);
}

typedef struct OpText {
	const char *text;
	Op op;
	u8 level; /* binds tighter the higher */
} OpText;

/* Longer spellings first. */
static const OpText op_texts[] = {
	{ "<=u", OP_LEU, 6 }, { ">=u", OP_GEU, 6 }, { "<=s", OP_LE, 6 }, { ">=s", OP_GE, 6 },
	{ "<<", OP_SHL, 7 },  { ">>", OP_SHR, 7 },  { "<=", OP_LE, 6 },  { ">=", OP_GE, 6 },
	{ "<u", OP_LTU, 6 },  { ">u", OP_GTU, 6 },  { "<s", OP_LT, 6 },  { ">s", OP_GT, 6 },
	{ "==", OP_EQ, 5 },   { "!=", OP_NE, 5 },   { "&&", OP_LAND, 1 }, { "||", OP_LOR, 0 },
	{ "<", OP_LT, 6 },    { ">", OP_GT, 6 },    { "&", OP_AND, 4 },  { "^", OP_XOR, 3 },
	{ "|", OP_OR, 2 },    { "+", OP_ADD, 8 },   { "-", OP_SUB, 8 },  { "*", OP_MUL, 9 },
	{ "/", OP_DIV, 9 },   { "%", OP_REM, 9 },
};

static const OpText *peek_op(Parser *parser)
{
	skip_blanks(parser);
	for (size_t i = 0; i < COUNT_OF(op_texts); i++) {
		size_t len = strlen(op_texts[i].text);

		if (parser->len - parser->at < len || memcmp(parser->text + parser->at, op_texts[i].text, len) != 0)
			continue;
		/* "<up" is "<" and a name that begins with u */
		if (isalpha((unsigned char)op_texts[i].text[len - 1]) && is_name_char(peek(parser, len)))
			continue;
		return &op_texts[i];
	}
	return NULL;
}

static Node *parse_binary(Parser *parser, unsigned least)
{
	Node *left;

	if (++parser->depth > MAX_DEPTH)
		return fail(parser, "too deeply nested", 0, 0);
	left = parse_unary(parser);
	while (left) {
		const OpText *op = peek_op(parser);
		Node *node;

		if (!op || op->level < least)
			break;
		parser->at += strlen(op->text);
		node = new_node(parser, NODE_BINARY);
		if (!node)
			return NULL;
		node->op = op->op;
		node->a = left;
		node->b = parse_binary(parser, op->level + 1u);
		left = node->b ? node : NULL;
	}
	parser->depth--;
	return left;
}

DebugExpr *debug_expr_parse(const DebugNames *names, const char *text, size_t len, size_t *used, Buf *error)
{
	DebugExpr *expr = calloc(1, sizeof(*expr));
	Parser parser = { .names = names, .text = text, .len = len, .error = error };

	if (!expr) {
		buf_str(error, status_text(STATUS_NOMEM));
		return NULL;
	}
	arena_init(&expr->arena);
	expr->isa = names->isa;
	parser.arena = &expr->arena;
	expr->root = parse_binary(&parser, 0);
	skip_blanks(&parser);
	if (expr->root && !used && parser.at < len)
		expr->root = fail(&parser, "what is this:", parser.at, len - parser.at);
	if (used)
		*used = parser.at;
	if (!expr->root || parser.failed) {
		debug_expr_destroy(expr);
		return NULL;
	}
	return expr;
}

void debug_expr_destroy(DebugExpr *expr)
{
	if (!expr)
		return;
	arena_fini(&expr->arena);
	free(expr);
}

/* ---- Evaluating ---- */

typedef struct Eval {
	Machine *machine;
	const Isa *isa;
	Buf *error;
} Eval;

static bool eval(const Eval *ctx, const Node *node, DebugValue *out);

static bool read_cell(const Eval *ctx, u16 space, u64 address, unsigned bits, u64 *value)
{
	const IsaSpace *kind = &ctx->isa->spaces[space];
	unsigned count = bits / kind->cell_bits;

	*value = 0;
	for (unsigned i = 0; i < count; i++) {
		u64 cell;

		if (machine_read(ctx->machine, space, address + i, &cell) != STATUS_OK) {
			buf_printf(ctx->error, "%s[0x%llX] is outside of the memory", kind->name,
				   (unsigned long long)(address + i));
			return false;
		}
		if (kind->big)
			*value = (kind->cell_bits < 64 ? *value << kind->cell_bits : 0) | cell;
		else
			*value |= cell << (i * kind->cell_bits);
	}
	return true;
}

static i64 as_signed(u64 value, unsigned width)
{
	return width ? bits_signed(value, width) : (i64)value;
}

static bool divide(const Eval *ctx, Op op, i64 a, i64 b, u64 *out)
{
	if (!b) {
		buf_str(ctx->error, "division by zero");
		return false;
	}
	if (b == -1)
		*out = op == OP_DIV ? 0 - (u64)a : 0;
	else
		*out = (u64)(op == OP_DIV ? a / b : a % b);
	return true;
}

static bool compare(Op op, DebugValue a, DebugValue b, unsigned width)
{
	bool is_unsigned = op >= OP_LTU && op <= OP_GEU;
	i64 x = as_signed(a.value, width), y = as_signed(b.value, width);
	u64 ux = width ? bits_trunc(a.value, width) : a.value, uy = width ? bits_trunc(b.value, width) : b.value;
	bool less, equal = ux == uy;

	if (a.is_address || b.is_address)
		is_unsigned = true;
	less = is_unsigned ? ux < uy : x < y;
	switch (op) {
	case OP_LT: case OP_LTU: return less;
	case OP_LE: case OP_LEU: return less || equal;
	case OP_GT: case OP_GTU: return !less && !equal;
	case OP_GE: case OP_GEU: return !less;
	case OP_EQ: return equal;
	default: return !equal;
	}
}

static u64 shift(Op op, u64 value, u64 by)
{
	if (by > 63)
		return 0;
	return op == OP_SHL ? value << by : value >> by;
}

static bool eval_logic(const Eval *ctx, const Node *node, DebugValue *out)
{
	DebugValue side;

	if (!eval(ctx, node->a, &side))
		return false;
	if ((side.value != 0) == (node->op == OP_LAND) && !eval(ctx, node->b, &side))
		return false;
	*out = (DebugValue){ .value = side.value != 0 };
	return true;
}

static bool eval_binary(const Eval *ctx, const Node *node, DebugValue *out)
{
	DebugValue a, b;
	unsigned width;
	u64 value = 0;

	if (node->op == OP_LAND || node->op == OP_LOR)
		return eval_logic(ctx, node, out);
	if (!eval(ctx, node->a, &a) || !eval(ctx, node->b, &b))
		return false;
	width = a.width > b.width ? a.width : b.width;
	if (node->op >= OP_LT && node->op <= OP_NE) {
		*out = (DebugValue){ .value = compare(node->op, a, b, width) };
		return true;
	}
	switch (node->op) {
	case OP_MUL: value = a.value * b.value; break;
	case OP_ADD: value = a.value + b.value; break;
	case OP_SUB: value = a.value - b.value; break;
	case OP_AND: value = a.value & b.value; break;
	case OP_OR: value = a.value | b.value; break;
	case OP_XOR: value = a.value ^ b.value; break;
	case OP_SHL: case OP_SHR:
		width = a.width;
		value = shift(node->op, a.value, b.value);
		break;
	default:
		if (!divide(ctx, node->op, as_signed(a.value, width), as_signed(b.value, width), &value))
			return false;
	}
	*out = (DebugValue){ .value = width ? bits_trunc(value, width) : value, .width = (u8)width,
			     .is_address = (a.is_address || b.is_address) && (node->op == OP_ADD ||
					   (node->op == OP_SUB && !b.is_address)) };
	return true;
}

static bool eval_file(const Eval *ctx, const Node *node, u32 *slot)
{
	const IsaReg *reg = &ctx->isa->regs[node->value];
	DebugValue index;

	if (!eval(ctx, node->a, &index))
		return false;
	if (index.value >= reg->count) {
		buf_printf(ctx->error, "%s has %u elements", reg->name, reg->count);
		return false;
	}
	*slot = reg->slot + (u32)index.value;
	return true;
}

static bool eval_slot(const Eval *ctx, u32 slot, DebugValue *out)
{
	const IsaReg *reg = isa_slot_register(machine_isa(ctx->machine), slot);

	out->value = machine_slot(ctx->machine, slot);
	out->is_float = reg && reg->floats;
	return true;
}

static bool eval(const Eval *ctx, const Node *node, DebugValue *out)
{
	DebugValue inner;
	u32 slot;

	*out = (DebugValue){ .width = node->width, .is_address = node->is_address };
	switch (node->kind) {
	case NODE_NUMBER:
		out->value = node->value;
		return true;
	case NODE_SLOT:
		return eval_slot(ctx, (u32)node->value, out);
	case NODE_VIEW:
		out->value = machine_view(ctx->machine, (u16)node->value);
		return true;
	case NODE_ICOUNT:
		out->value = machine_icount(ctx->machine);
		return true;
	case NODE_CELL:
		return eval(ctx, node->a, &inner) &&
		       read_cell(ctx, (u16)node->value, inner.value, node->width, &out->value);
	case NODE_FILE:
		return eval_file(ctx, node, &slot) && eval_slot(ctx, slot, out);
	case NODE_UNARY:
		if (!eval(ctx, node->a, &inner))
			return false;
		out->width = node->op == OP_LNOT ? 0 : inner.width;
		out->value = node->op == OP_NEG ? 0 - inner.value : node->op == OP_NOT ? ~inner.value : !inner.value;
		if (out->width)
			out->value = bits_trunc(out->value, out->width);
		return true;
	case NODE_BINARY:
		return eval_binary(ctx, node, out);
	}
	return false;
}

bool debug_expr_eval(const DebugExpr *expr, Machine *machine, DebugValue *out, Buf *error)
{
	Eval ctx = { machine, expr->isa, error };

	return eval(&ctx, expr->root, out);
}

static bool write_cell(const Eval *ctx, const Node *node, u64 address, u64 value)
{
	const IsaSpace *kind = &ctx->isa->spaces[node->value];
	unsigned count = node->width / kind->cell_bits;

	for (unsigned i = 0; i < count; i++) {
		unsigned at = (kind->big ? count - 1 - i : i) * kind->cell_bits;

		if (machine_write(ctx->machine, (u16)node->value, address + i, value >> at) != STATUS_OK) {
			buf_printf(ctx->error, "%s[0x%llX] is outside of the memory", kind->name,
				   (unsigned long long)(address + i));
			return false;
		}
	}
	return true;
}

bool debug_expr_float(const DebugExpr *target, Machine *machine, const char *text, DebugValue *out)
{
	size_t len = strlen(text);
	Buf error;
	bool fine;

	while (len && text[len - 1] == ' ')
		len--;
	buf_init(&error);
	fine = debug_expr_eval(target, machine, out, &error) && out->is_float && float_read_boxed(text, len, out->width, &out->value);
	buf_fini(&error);
	return fine;
}

bool debug_expr_assign(const DebugExpr *expr, Machine *machine, u64 value, Buf *error)
{
	Eval ctx = { machine, expr->isa, error };
	const Node *node = expr->root;
	const unsigned width = node->width && node->width < 64 ? node->width : 64;
	DebugValue inner;
	u32 slot;

	/* As it stands, or as a negative number. */
	if (value > bits_mask(width) && (i64)value < -(i64)((u64)1 << (width - 1))) {
		buf_printf(error, "%lld does not fit %u bits", (long long)value, width);
		return false;
	}
	if (value > bits_mask(width) && (i64)value >= 0) {
		buf_printf(error, "%llu does not fit %u bits", (unsigned long long)value, width);
		return false;
	}
	switch (node->kind) {
	case NODE_SLOT:
		machine_set_slot(machine, (u32)node->value, value);
		return true;
	case NODE_FILE:
		if (!eval_file(&ctx, node, &slot))
			return false;
		machine_set_slot(machine, slot, value);
		return true;
	case NODE_VIEW:
		if (machine_set_view(machine, (u16)node->value, value) == STATUS_OK)
			return true;
		buf_printf(error, "%s cannot be set", expr->isa->views[node->value].name);
		return false;
	case NODE_CELL:
		return eval(&ctx, node->a, &inner) && write_cell(&ctx, node, inner.value, value);
	default:
		buf_str(error, "only a register or a memory cell can be set");
		return false;
	}
}

bool debug_expr_cell(const DebugExpr *expr, Machine *machine, u16 *space, u64 *address)
{
	Buf error;
	Eval ctx = { machine, expr->isa, &error };
	DebugValue inner;
	bool fine;

	if (expr->root->kind != NODE_CELL || expr->root->width != expr->isa->spaces[expr->root->value].cell_bits)
		return false;
	buf_init(&error);
	fine = eval(&ctx, expr->root->a, &inner);
	buf_fini(&error);
	*space = (u16)expr->root->value;
	*address = inner.value;
	return fine;
}

static bool varies(const Node *node)
{
	if (!node || node->kind == NODE_NUMBER)
		return false;
	if (node->kind == NODE_UNARY || node->kind == NODE_BINARY)
		return varies(node->a) || varies(node->b);
	return true;
}

bool debug_expr_varies(const DebugExpr *expr)
{
	return varies(expr->root);
}
