/* SPDX-License-Identifier: MIT
 *
 * Palladium, the expression language, to assembly text:
 *
 *     program    := expression+
 *     expression := term (('+' | '-') term)*
 *     term       := factor (('*' | '/') factor)*
 *     factor     := number | '(' expression ')'
 *     number     := ['-'] digits ['.' digits]
 *
 * `#` begins a comment. Registers come from a stack of free ones, $0 on top, and go back as their values are used, so
 * `1+2` is LOAD $0 #1, LOAD $1 #2, ADD $0 $1 $2. A comment behind each expression says where its value is; that register
 * stays taken.
 *
 * An expression in which a point stands somewhere is computed in floating point, all of it: no instruction makes a
 * float of an integer register. A float is put together from integers of 16 bits; at most 15 digits, so that the
 * one division which makes 1.5 of 15 and 10 rounds once, and right.
 *
 * Each expression is read twice, first to see whether it has a point. Nothing recurses deeper than MAX_DEPTH.
 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "guests/iridium/iridium.h"

enum { REGISTERS = 32, MAX_DEPTH = 100, MAX_DIGITS = 15, RADIX = 32768 };

typedef struct Compiler {
	const Source *source;
	DiagList *diags;
	Buf *out;        /* NULL: only reading */
	size_t at;
	u32 depth;
	bool has_point;  /* found by reading */
	bool is_float;   /* of the expression that is written */
	u8 free[2][REGISTERS]; /* integer and floating point registers; the last is on top */
	u32 free_count[2];
	bool failed;
} Compiler;

static unsigned expression(Compiler *c);

__attribute__((format(printf, 5, 6)))
static unsigned fail(Compiler *c, size_t at, size_t len, const char *hint, const char *format, ...)
{
	char text[160];
	va_list args;

	if (c->failed)
		return 0;
	c->failed = true;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	diag_report(c->diags, DIAG_ERROR, c->source, at, len, hint, "%s", text);
	return 0;
}

/* ---- Registers ---- */

static unsigned take(Compiler *c, size_t at)
{
	if (!c->out)
		return 0;
	if (!c->free_count[c->is_float])
		return fail(c, at, 1, "compute parts of it by themselves", "the %d registers are not enough for this", REGISTERS);
	return c->free[c->is_float][--c->free_count[c->is_float]];
}

static void give_back(Compiler *c, unsigned number)
{
	if (c->out && c->free_count[c->is_float] < REGISTERS)
		c->free[c->is_float][c->free_count[c->is_float]++] = (u8)number;
}

__attribute__((format(printf, 2, 3)))
static void emit(Compiler *c, const char *format, ...)
{
	va_list args;

	if (!c->out || c->failed)
		return;
	va_start(args, format);
	buf_vprintf(c->out, format, args);
	va_end(args);
	buf_byte(c->out, '\n');
}

/* ---- Numbers ---- */

/* LOAD takes 16 bits and fills up with zeros; numbers are written with a sign so that every assembler takes them. */
static void load_integer(Compiler *c, unsigned number, i64 value)
{
	if (value >= 0 && value <= 32768) {
		emit(c, "LOAD $%u #%lld", number, (long long)value);
		return;
	}
	emit(c, "LOAD $%u #%d", number, (i16)(u16)((u64)value >> 16));
	emit(c, "LUI $%u #%d", number, (i16)(u16)value);
}

/* By digits of 15 bits, the highest first. */
static void load_whole_float(Compiler *c, unsigned number, u64 value, size_t at)
{
	unsigned digits = 1, helper;

	while (digits < 4 && value >> 15 * digits)
		digits++;
	emit(c, "LOADF64 $%u #%llu", number, (unsigned long long)(value >> 15 * (digits - 1)));
	if (digits == 1)
		return;
	helper = take(c, at);
	while (--digits) {
		emit(c, "LOADF64 $%u #%d", helper, RADIX);
		emit(c, "MULF64 $%u $%u $%u", number, helper, number);
		emit(c, "LOADF64 $%u #%llu", helper, (unsigned long long)(value >> 15 * (digits - 1) & (RADIX - 1)));
		emit(c, "ADDF64 $%u $%u $%u", number, helper, number);
	}
	give_back(c, helper);
}

static void load_float(Compiler *c, unsigned number, u64 digits, unsigned decimals, bool negative, size_t at)
{
	u64 power = 1;
	unsigned other;

	for (; decimals && digits % 10 == 0; decimals--)
		digits /= 10;
	load_whole_float(c, number, digits, at);
	if (!decimals && !negative)
		return;
	other = take(c, at);
	for (unsigned i = 0; i < decimals; i++)
		power *= 10;
	if (decimals) {
		load_whole_float(c, other, power, at);
		emit(c, "DIVF64 $%u $%u $%u", number, other, number);
	}
	if (negative) {
		emit(c, "LOADF64 $%u #0", other);
		emit(c, "SUBF64 $%u $%u $%u", other, number, number);
	}
	give_back(c, other);
}

/* ---- Reading ---- */

static char peek(Compiler *c)
{
	const Source *source = c->source;

	while (c->at < source->len) {
		const char ch = source->text[c->at];

		if (ch == '#')
			while (c->at < source->len && source->text[c->at] != '\n')
				c->at++;
		else if (ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r')
			c->at++;
		else
			return ch ? ch : '\1'; /* a NUL is just another odd character */
	}
	return '\0';
}

static bool digit_at(const Compiler *c)
{
	return c->at < c->source->len && c->source->text[c->at] >= '0' && c->source->text[c->at] <= '9';
}

/* Digits from here on, appended to *value; how many. */
static u32 read_digits(Compiler *c, u64 *value, u32 *total)
{
	u32 count = 0;

	for (; digit_at(c); c->at++, count++) {
		const unsigned digit = (unsigned)(c->source->text[c->at] - '0');

		*total += *total || digit; /* leading zeros don't count */
		if (*total <= MAX_DIGITS)
			*value = *value * 10 + digit;
	}
	return count;
}

static unsigned number(Compiler *c)
{
	const size_t start = c->at;
	const bool negative = c->source->text[start] == '-';
	u32 decimals = 0, total = 0;
	bool point = false;
	u64 value = 0;
	unsigned result;

	c->at += negative;
	if (!read_digits(c, &value, &total))
		return fail(c, start, 1, NULL, "a number is expected behind '-'");
	if (c->at < c->source->len && c->source->text[c->at] == '.') {
		point = true;
		c->at++;
		decimals = read_digits(c, &value, &total);
		if (!decimals)
			return fail(c, start, c->at - start, "write 1.0", "digits are expected behind the point");
	}
	c->has_point = c->has_point || point;
	if (!c->out)
		return 0;
	if (c->is_float && (total > MAX_DIGITS || decimals > MAX_DIGITS))
		return fail(c, start, c->at - start, NULL, "a number has at most %d digits here", MAX_DIGITS);
	if (!c->is_float && (total > MAX_DIGITS || value > (u64)INT32_MAX + negative))
		return fail(c, start, c->at - start, "registers hold -2147483648 to 2147483647; 1.0 makes it floating point",
			    "this number does not fit 32 bits");
	result = take(c, start);
	if (c->is_float)
		load_float(c, result, value, decimals, negative, start);
	else
		load_integer(c, result, negative ? -(i64)value : (i64)value);
	return result;
}

static unsigned factor(Compiler *c)
{
	const char ch = peek(c);
	const size_t open = c->at;
	unsigned result;

	if ((ch >= '0' && ch <= '9') || ch == '-')
		return number(c);
	if (ch == '\0')
		return fail(c, c->source->len ? c->source->len - 1 : 0, 1, NULL, "a number or '(' is expected, but the text ends");
	if (ch != '(')
		return fail(c, c->at, 1, "there are numbers, + - * / and ( )", "a number or '(' is expected");
	if (++c->depth > MAX_DEPTH)
		return fail(c, open, 1, NULL, "nested deeper than %d", MAX_DEPTH);
	c->at++;
	result = expression(c);
	if (!c->failed && peek(c) == '\0')
		return fail(c, open, 1, NULL, "this '(' is never closed");
	if (!c->failed && peek(c) != ')')
		return fail(c, c->at, 1, NULL, "an operator or ')' is expected");
	c->at++;
	c->depth--;
	return result;
}

static unsigned apply(Compiler *c, const char *name, unsigned left, unsigned right, size_t at)
{
	const unsigned result = take(c, at);

	emit(c, "%s%s $%u $%u $%u", name, c->is_float ? "F64" : "", left, right, result);
	give_back(c, right);
	give_back(c, left);
	return result;
}

static unsigned term(Compiler *c)
{
	unsigned left = factor(c);

	while (!c->failed && (peek(c) == '*' || peek(c) == '/')) {
		const size_t at = c->at++;
		const unsigned right = factor(c);

		left = apply(c, c->source->text[at] == '*' ? "MUL" : "DIV", left, right, at);
	}
	return left;
}

static unsigned expression(Compiler *c)
{
	unsigned left = term(c);

	while (!c->failed && (peek(c) == '+' || peek(c) == '-')) {
		const size_t at = c->at++;
		const unsigned right = term(c);

		left = apply(c, c->source->text[at] == '+' ? "ADD" : "SUB", left, right, at);
	}
	return left;
}

/* ---- The language ---- */

Status palladium_compile(const GuestFile *file, const Isa *isa, Buf *out, Buf *listing, DiagList *diags)
{
	const Source source = {file->name, (const char *)file->data, file->len};
	Compiler c = {.source = &source, .diags = diags};

	(void)isa, (void)listing; /* the assembly text says it all */
	for (unsigned i = 0; i < REGISTERS; i++)
		c.free[0][i] = c.free[1][i] = (u8)(REGISTERS - 1 - i);
	c.free_count[0] = c.free_count[1] = REGISTERS;
	buf_str(out, ".data\n.code\n");
	do {
		Compiler reading = c;
		unsigned result;

		reading.has_point = false;
		expression(&reading);
		if (reading.failed)
			return STATUS_SYNTAX;
		c.is_float = reading.has_point;
		c.out = out;
		result = expression(&c);
		emit(&c, "; the value is in %s$%u", c.is_float ? "float " : "", result);
		c.out = NULL;
		if (!c.failed && peek(&c) == ')')
			fail(&c, c.at, 1, NULL, "this ')' closes nothing");
	} while (!c.failed && peek(&c) != '\0');
	buf_str(out, "HLT\n");
	return c.failed ? STATUS_SYNTAX : out->failed ? STATUS_NOMEM : STATUS_OK;
}

/* As few digits as say exactly this number. */
static void print_float(double real, Buf *out)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, real);
		if (strtod(text, NULL) == real)
			break;
	}
	buf_str(out, text);
}

/* The last comment tells where. */
void palladium_result(const Machine *machine, const Buf *assembly, Buf *out)
{
	static const char mark[] = "; the value is in ";
	const char *at = buf_text(assembly), *last = NULL;
	char name[8];
	u32 slot;
	u8 width;
	u64 bits;
	double real;

	while ((at = strstr(at, mark))) {
		at += sizeof(mark) - 1;
		last = at;
	}
	if (!last)
		return;
	snprintf(name, sizeof(name), "%s%d", *last == 'f' ? "f" : "$", atoi(strchr(last, '$') + 1));
	if (!isa_find_register(machine_isa(machine), name, strlen(name), false, &slot, &width))
		return;
	bits = machine_slot(machine, slot);
	memcpy(&real, &bits, sizeof(real));
	if (*last == 'f')
		print_float(real, out);
	else
		buf_printf(out, "%d", (i32)(u32)bits);
}
