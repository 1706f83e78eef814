/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(Buf *buf)
{
	*buf = (Buf){0};
}

void buf_fini(Buf *buf)
{
	free(buf->data);
	*buf = (Buf){0};
}

void buf_clear(Buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data)
		buf->data[0] = 0;
}

bool buf_reserve(Buf *buf, size_t more)
{
	size_t need = buf->len + more + 1, cap = buf->cap ? buf->cap : 64;
	u8 *grown;

	if (buf->failed || need < more)
		return false;
	if (need <= buf->cap)
		return true;
	while (cap < need)
		cap *= 2;
	grown = realloc(buf->data, cap);
	if (!grown) {
		buf->failed = true;
		return false;
	}
	buf->data = grown;
	buf->cap = cap;
	return true;
}

void buf_add(Buf *buf, const void *bytes, size_t len)
{
	if (!buf_reserve(buf, len))
		return;
	if (len)
		memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	buf->data[buf->len] = 0;
}

void buf_byte(Buf *buf, u8 byte)
{
	buf_add(buf, &byte, 1);
}

void buf_str(Buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_fill(Buf *buf, u8 byte, size_t count)
{
	if (!buf_reserve(buf, count))
		return;
	memset(buf->data + buf->len, byte, count);
	buf->len += count;
	buf->data[buf->len] = 0;
}

void buf_vprintf(Buf *buf, const char *format, va_list args)
{
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0 || !buf_reserve(buf, (size_t)len))
		return;
	vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, args);
	buf->len += (size_t)len;
}

void buf_printf(Buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(buf, format, args);
	va_end(args);
}

const char *buf_text(const Buf *buf)
{
	return buf->data ? (const char *)buf->data : "";
}

static void add_le(Buf *buf, u64 value, unsigned bytes)
{
	u8 out[8];

	for (unsigned i = 0; i < bytes; i++)
		out[i] = (u8)(value >> (8 * i));
	buf_add(buf, out, bytes);
}

void buf_u16(Buf *buf, u16 value)
{
	add_le(buf, value, 2);
}

void buf_u32(Buf *buf, u32 value)
{
	add_le(buf, value, 4);
}

void buf_u64(Buf *buf, u64 value)
{
	add_le(buf, value, 8);
}

/* Length of the valid UTF-8 sequence at `s` (1..4), or 0. Rejects overlong forms, surrogates, > U+10FFFF. */
static unsigned utf8_len(const u8 *s, size_t left)
{
	unsigned n;
	u32 code;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xC2 && s[0] <= 0xDF)
		n = 2, code = s[0] & 0x1F;
	else if (s[0] >= 0xE0 && s[0] <= 0xEF)
		n = 3, code = s[0] & 0x0F;
	else if (s[0] >= 0xF0 && s[0] <= 0xF4)
		n = 4, code = s[0] & 0x07;
	else
		return 0;
	if (left < n)
		return 0;
	for (unsigned i = 1; i < n; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3F);
	}
	if ((n == 3 && (code < 0x800 || (code >= 0xD800 && code <= 0xDFFF))) ||
	    (n == 4 && (code < 0x10000 || code > 0x10FFFF)))
		return 0;
	return n;
}

void buf_json_string(Buf *buf, const char *text, size_t len)
{
	const u8 *s = (const u8 *)text;

	buf_byte(buf, '"');
	for (size_t i = 0; i < len;) {
		unsigned n = utf8_len(s + i, len - i);

		if (n == 0) {
			buf_str(buf, "\\ufffd");
			i++;
		} else if (s[i] == '"' || s[i] == '\\') {
			buf_byte(buf, '\\');
			buf_byte(buf, s[i++]);
		} else if (s[i] == '\n') {
			buf_str(buf, "\\n");
			i++;
		} else if (s[i] < 0x20 || s[i] == 0x7F) {
			buf_printf(buf, "\\u%04x", s[i++]);
		} else {
			buf_add(buf, s + i, n);
			i += n;
		}
	}
	buf_byte(buf, '"');
}

const u8 *reader_bytes(ByteReader *reader, size_t len)
{
	const u8 *at = reader->data + reader->at;

	if (reader->bad || len > reader->len - reader->at) {
		reader->bad = true;
		return NULL;
	}
	reader->at += len;
	return at;
}

static u64 read_le(ByteReader *reader, unsigned bytes)
{
	const u8 *at = reader_bytes(reader, bytes);
	u64 value = 0;

	for (unsigned i = 0; at && i < bytes; i++)
		value |= (u64)at[i] << (8 * i);
	return value;
}

u8 reader_u8(ByteReader *reader)
{
	return (u8)read_le(reader, 1);
}

u16 reader_u16(ByteReader *reader)
{
	return (u16)read_le(reader, 2);
}

u32 reader_u32(ByteReader *reader)
{
	return (u32)read_le(reader, 4);
}

u64 reader_u64(ByteReader *reader)
{
	return read_le(reader, 8);
}
