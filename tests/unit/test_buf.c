/* SPDX-License-Identifier: MIT
 * base/buf: growth, text, numbers, JSON strings, and the reader of hostile bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/buf.h"

static void empty_is_text(void **state)
{
	Buf buf;

	(void)state;
	buf_init(&buf);
	assert_string_equal(buf_text(&buf), "");
	buf_fini(&buf);
}

static void grows_and_stays_terminated(void **state)
{
	Buf buf;

	(void)state;
	buf_init(&buf);
	for (unsigned i = 0; i < 10000; i++) {
		buf_printf(&buf, "%u,", i);
		assert_int_equal(strlen(buf_text(&buf)), buf.len);
	}
	assert_int_equal(buf.len, 48890);
	buf_clear(&buf);
	buf_str(&buf, "again");
	assert_string_equal(buf_text(&buf), "again");
	buf_fini(&buf);
}

static void numbers_are_little_endian_and_read_back(void **state)
{
	static const u8 expected[] = {0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 8, 7, 6, 5, 4, 3, 2, 1};
	Buf buf;
	ByteReader reader;

	(void)state;
	buf_init(&buf);
	buf_u16(&buf, 0x1234);
	buf_u32(&buf, 0x12345678);
	buf_u64(&buf, 0x0102030405060708u);
	assert_int_equal(buf.len, sizeof expected);
	assert_memory_equal(buf.data, expected, sizeof expected);
	reader = (ByteReader){buf.data, buf.len, 0, false};
	assert_int_equal(reader_u16(&reader), 0x1234);
	assert_int_equal(reader_u32(&reader), 0x12345678);
	assert_true(reader_u64(&reader) == 0x0102030405060708u);
	assert_false(reader.bad);
	assert_int_equal(reader_u8(&reader), 0);
	assert_true(reader.bad);
	buf_fini(&buf);
}

static void reader_refuses_lengths_past_the_end(void **state)
{
	static const u8 bytes[4] = {1, 2, 3, 4};
	ByteReader reader = {bytes, sizeof bytes, 2, false};

	(void)state;
	assert_null(reader_bytes(&reader, (size_t)-1));
	assert_true(reader.bad);
	reader = (ByteReader){bytes, sizeof bytes, 2, false};
	assert_ptr_equal(reader_bytes(&reader, 2), bytes + 2);
	assert_false(reader.bad);
}

static void json_escapes(void **state)
{
	static const char text[] = "a\"b\\c\n\x01\xff\xc3\xa9";
	Buf buf;

	(void)state;
	buf_init(&buf);
	buf_json_string(&buf, text, sizeof text - 1);
	assert_non_null(strstr(buf_text(&buf), "a\\\"b\\\\c\\n\\u0001"));
	assert_non_null(strstr(buf_text(&buf), "\xc3\xa9\""));
	assert_null(strchr(buf_text(&buf), 0xff));
	buf_fini(&buf);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_is_text),
		cmocka_unit_test(grows_and_stays_terminated),
		cmocka_unit_test(numbers_are_little_endian_and_read_back),
		cmocka_unit_test(reader_refuses_lengths_past_the_end),
		cmocka_unit_test(json_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
