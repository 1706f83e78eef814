/* SPDX-License-Identifier: MIT
 *
 * What stands behind a command's name: expressions, numbers, places in the code, conditions, formats.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "cmd/debug_ui.h"

bool debug_error(Debug *debug, const char *format, ...)
{
	va_list args;

	buf_str(&debug->out, "error: ");
	va_start(args, format);
	buf_vprintf(&debug->out, format, args);
	va_end(args);
	buf_byte(&debug->out, '\n');
	return false;
}

const char *debug_skip(const char *text)
{
	while (*text == ' ' || *text == '\t')
		text++;
	return text;
}

/* The expression at *args, which then stands behind it. NULL after an error was printed. */
DebugExpr *debug_take_expr(Debug *debug, const char **args, bool whole)
{
	DebugNames names;
	DebugExpr *expr;
	size_t used;
	Buf error;

	debug_names(debug->session, &names);
	buf_init(&error);
	expr = debug_expr_parse(&names, *args, strlen(*args), whole ? NULL : &used, &error);
	if (!expr)
		debug_error(debug, "%s", buf_text(&error));
	else
		*args = debug_skip(*args + (whole ? strlen(*args) : used));
	buf_fini(&error);
	return expr;
}

bool debug_eval_expr(Debug *debug, const DebugExpr *expr, DebugValue *value)
{
	Buf error;
	bool fine;

	buf_init(&error);
	fine = debug_expr_eval(expr, debug->machine, value, &error);
	if (!fine)
		debug_error(debug, "%s", buf_text(&error));
	buf_fini(&error);
	return fine;
}

bool debug_take_value(Debug *debug, const char **args, bool whole, DebugValue *value)
{
	DebugExpr *expr = debug_take_expr(debug, args, whole);
	bool fine = expr && debug_eval_expr(debug, expr, value);

	debug_expr_destroy(expr);
	return fine;
}

/* A whole operand that is a number; `missing` when there is none. */
bool debug_take_number(Debug *debug, const char *args, u64 missing, u64 *number)
{
	DebugValue value = { .value = missing };

	if (*args && !debug_take_value(debug, &args, true, &value))
		return false;
	*number = value.value;
	return true;
}

/* ":12" or "prog.asm:12" at *args; false when it does not look so. */
static bool take_line(Debug *debug, const char **args, bool *fine, u64 *pc)
{
	size_t len = strcspn(*args, " \t"), colon = len;
	char file[256];
	const DebugLine *line;

	while (colon > 0 && (*args)[colon - 1] != ':')
		colon--;
	if (!colon || colon == len || strspn(*args + colon, "0123456789") < len - colon || colon - 1 >= sizeof(file))
		return false;
	memcpy(file, *args, colon - 1);
	file[colon - 1] = 0;
	if (file[0] && !strchr(file, '.'))
		return false; /* mem:32[..] and the like */
	line = debug_symbols_find_line(&debug->symbols, file[0] ? file : NULL, (u32)strtoul(*args + colon, NULL, 10));
	*fine = line != NULL;
	if (line)
		*pc = line->address;
	else
		debug_error(debug, "no code is known for line %s", *args + colon);
	*args = debug_skip(*args + len);
	return true;
}

/* A place in the code: a line, or an expression. */
bool debug_take_place(Debug *debug, const char **args, u64 *pc)
{
	DebugValue value;
	bool fine;

	if (take_line(debug, args, &fine, pc))
		return fine;
	if (**args == '*')
		++*args; /* gdb's way to say: an address */
	if (!debug_take_value(debug, args, false, &value))
		return false;
	*pc = bits_trunc(value.value, debug->isa->pc_width);
	if (*pc != value.value)
		return debug_error(debug, "%llu is no address of an instruction", (unsigned long long)value.value);
	return true;
}

/* "if EXPR" at the end, or nothing. */
bool debug_take_condition(Debug *debug, const char *args, DebugExpr **condition)
{
	*condition = NULL;
	if (!*args)
		return true;
	if (strncmp(args, "if", 2) != 0 || isalnum((unsigned char)args[2]))
		return debug_error(debug, "what is this: '%s' (a condition begins with `if`)", args);
	args = debug_skip(args + 2);
	*condition = debug_take_expr(debug, &args, true);
	return *condition != NULL;
}

/* "/8x" at *args: a count and a format letter. */
bool debug_take_format(Debug *debug, const char **args, u64 *count, char *format, const char *letters)
{
	char *end;

	if (**args != '/')
		return true;
	++*args;
	if (isdigit((unsigned char)**args)) {
		*count = strtoull(*args, &end, 10);
		*args = end;
	}
	while (isalpha((unsigned char)**args)) {
		if (!strchr(letters, **args))
			return debug_error(debug, "format '%c' is not known; there are %s", **args, letters);
		*format = *(*args)++;
	}
	*args = debug_skip(*args);
	return true;
}
