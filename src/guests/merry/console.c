/* SPDX-License-Identifier: MIT
 *
 * Input and output of Merry: numbers are read as scanf reads them (white space is passed over, the character behind
 * the number stays in the input) and written as printf writes them. A number that has not come to its end waits
 * untouched in the input, so that an instruction that has to wait has changed nothing; only `sin` takes what is there
 * and remembers how far it came (MerryCore.string_done).
 *
 * At the end of input `cin` gives -1 and the others leave the register or the rest of the string as it was.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "guests/merry/merry.h"

enum { NUMBER_MAX = 400 }; /* characters of a number; it ends there */

static void print(Machine *machine, const char *text)
{
	while (*text)
		machine_putc(machine, (u8)*text++);
}

static bool is_blank(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* Passes over white space and copies the characters a number is made of, taking none of them. Gives how many bytes
 * come before the end of the number, or -1: more may come. */
static i64 scan(Machine *machine, bool is_float, char text[NUMBER_MAX + 1])
{
	bool point = false, power = false;
	size_t at = 0, len = 0;
	int c;

	while ((c = machine_peek(machine, at)) >= 0 && is_blank(c))
		at++;
	for (; len < NUMBER_MAX && (c = machine_peek(machine, at)) >= 0; at++) {
		char before = len ? text[len - 1] : 0;

		if ((c == '+' || c == '-') && (!len || (power && (before | 32) == 'e')))
			; /* a sign */
		else if (is_float && c == '.' && !point && !power)
			point = true;
		else if (is_float && (c | 32) == 'e' && !power && (is_digit(before) || (before == '.' && len > 1)))
			power = true;
		else if (!is_digit(c))
			break;
		text[len++] = (char)c;
	}
	text[len] = 0;
	return len < NUMBER_MAX && c == -1 ? -1 : (i64)at;
}

static void take(Machine *machine, i64 bytes)
{
	while (bytes-- > 0)
		machine_key(machine);
}

/* The number is there, in `text` (perhaps empty). HOST_WAIT: not yet. */
static HostResult number_text(Machine *machine, bool is_float, char text[NUMBER_MAX + 1])
{
	i64 bytes = scan(machine, is_float, text);

	if (bytes < 0)
		return HOST_WAIT;
	take(machine, bytes);
	if (!*text)
		if (!machine_input_pending(machine) && machine_input_ended(machine))
			machine_key(machine); /* a program that goes on asking at the end of input is stopped */
	return HOST_OK;
}

HostResult merry_read_char(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	int key = machine_key(machine);

	(void)args, (void)count;
	if (key == -1)
		return HOST_WAIT;
	*result = key < 0 ? ~(u64)0 : (u64)key;
	return HOST_OK;
}

/* args: the register's old value, 8 16 32 64, signed? */
HostResult merry_read_number(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	char text[NUMBER_MAX + 1];
	unsigned bits = (unsigned)args[1];
	bool is_signed = args[2], minus, full = false;
	const char *at;
	u64 value = 0, most;

	(void)count;
	if (number_text(machine, false, text) == HOST_WAIT)
		return HOST_WAIT;
	minus = *text == '-';
	at = text + (minus || *text == '+');
	if (!is_digit(*at)) {
		*result = args[0];
		return HOST_OK;
	}
	most = !is_signed ? ~(u64)0 : (~(u64)0 >> 1) + minus;
	for (; *at; at++) {
		unsigned digit = (unsigned)(*at - '0');

		full = full || value > (most - digit) / 10;
		value = full ? most : value * 10 + digit;
	}
	if (minus)
		value = full && !is_signed ? value : 0 - value;
	value = bits_trunc(value, bits);
	*result = is_signed ? (u64)bits_signed(value, bits) : value;
	return HOST_OK;
}

/* args: the register's old value, 32 or 64 */
HostResult merry_read_float(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	char text[NUMBER_MAX + 1], *end;
	double value;
	float single;
	u32 bits;

	(void)count;
	if (number_text(machine, true, text) == HOST_WAIT)
		return HOST_WAIT;
	*result = args[0];
	if (args[1] == 32) {
		single = strtof(text, &end);
		memcpy(&bits, &single, sizeof bits);
		if (end != text)
			*result = bits;
	} else {
		value = strtod(text, &end);
		if (end != text)
			memcpy(result, &value, sizeof value);
	}
	return HOST_OK;
}

/* args: address, length: the description has made sure that they are memory. */
HostResult merry_read_string(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	MerryPrivate *own = machine_private(machine);
	MerryCore *core = &own->cores[machine_vcpu_current(machine) % MERRY_CORES];
	u16 data = merry_space(machine, "D");

	(void)count, (void)result;
	if (core->string_pc != machine_pc(machine))
		core->string_done = 0;
	core->string_pc = machine_pc(machine);
	for (u64 i = core->string_done; i < args[1]; i++) {
		int key = machine_key(machine);

		core->string_done = i;
		if (key == -1)
			return HOST_WAIT;
		if (key < 0)
			break;
		machine_write(machine, data, args[0] + i, (u64)key);
	}
	core->string_done = 0;
	return HOST_OK;
}

HostResult merry_write_string(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	u16 data = merry_space(machine, "D");

	(void)count, (void)result;
	for (u64 i = 0; i < args[1]; i++) {
		u64 byte = 0;

		if (machine_read(machine, data, args[0] + i, &byte))
			break;
		machine_putc(machine, (u8)byte);
	}
	return HOST_OK;
}

HostResult merry_write_unsigned(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	char text[24];

	(void)count, (void)result;
	snprintf(text, sizeof text, "%" PRIu64, args[0]);
	print(machine, text);
	return HOST_OK;
}

HostResult merry_write_float(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	char text[400];
	double value;

	(void)count, (void)result;
	memcpy(&value, &args[0], sizeof value);
	snprintf(text, sizeof text, "%f", value);
	print(machine, text);
	return HOST_OK;
}
