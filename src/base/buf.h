/* SPDX-License-Identifier: MIT
 *
 * A growable run of bytes on the heap, used both for text and for binary formats. Always NUL-terminated behind
 * len, so buf->data is a C string when the content is text (an empty Buf has data == NULL until the first write;
 * buf_text gives "" then). When memory is out, `failed` is set and later writes do nothing: check once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/types.h"

typedef struct Buf {
	u8 *data; /* owned */
	size_t len, cap;
	bool failed;
} Buf;

void buf_init(Buf *buf);
void buf_fini(Buf *buf);
void buf_clear(Buf *buf);
/* Room for `more` further bytes. */
bool buf_reserve(Buf *buf, size_t more);

void buf_add(Buf *buf, const void *bytes, size_t len);
void buf_byte(Buf *buf, u8 byte);
void buf_str(Buf *buf, const char *text);
void buf_fill(Buf *buf, u8 byte, size_t count);
void buf_printf(Buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(Buf *buf, const char *format, va_list args);
const char *buf_text(const Buf *buf);

/* Fixed-width numbers, little-endian. */
void buf_u16(Buf *buf, u16 value);
void buf_u32(Buf *buf, u32 value);
void buf_u64(Buf *buf, u64 value);

/* `text` as a JSON string, quotes included; bytes that are no valid UTF-8 come out as U+FFFD. */
void buf_json_string(Buf *buf, const char *text, size_t len);

/* A cursor over bytes that come from outside. Reading past the end sets `bad` and gives zeros. */
typedef struct ByteReader {
	const u8 *data; /* borrowed */
	size_t len, at;
	bool bad;
} ByteReader;

u8 reader_u8(ByteReader *reader);
u16 reader_u16(ByteReader *reader);
u32 reader_u32(ByteReader *reader);
u64 reader_u64(ByteReader *reader);
/* Pointer to the next len bytes, which are then passed; NULL (and bad) when there are fewer. */
const u8 *reader_bytes(ByteReader *reader, size_t len);

#endif
