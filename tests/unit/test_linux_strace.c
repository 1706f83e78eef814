/* SPDX-License-Identifier: MIT
 *
 * Flags, numbers and texts as strace prints them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "linux/strace.h"

static void is(Buf *out, const char *wanted)
{
	assert_string_equal(buf_text(out), wanted);
	buf_clear(out);
}

static void test_flags(void **state)
{
	Buf out;

	(void)state;
	buf_init(&out);
	assert_true(strace_flags('O', 0, &out));
	is(&out, "O_RDONLY");
	strace_flags('O', 02000000, &out);
	is(&out, "O_RDONLY|O_CLOEXEC");
	strace_flags('O', 01101, &out);
	is(&out, "O_WRONLY|O_CREAT|O_TRUNC");
	strace_flags('O', 020200002, &out);
	is(&out, "O_RDWR|O_TMPFILE");
	strace_flags('O', 04010002, &out);
	is(&out, "O_RDWR|O_SYNC");
	strace_flags('P', 0, &out);
	is(&out, "PROT_NONE");
	strace_flags('P', 5, &out);
	is(&out, "PROT_READ|PROT_EXEC");
	strace_flags('M', 0x22, &out);
	is(&out, "MAP_PRIVATE|MAP_ANONYMOUS");
	strace_flags('M', 0x80000021, &out);
	is(&out, "MAP_SHARED|MAP_ANONYMOUS|0x80000000");
	strace_flags('c', 0x01200011, &out);
	is(&out, "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD");
	strace_flags('c', 17, &out);
	is(&out, "SIGCHLD");
	strace_flags('n', 0, &out);
	is(&out, "0");
	strace_flags('Y', 02000001, &out);
	is(&out, "SOCK_STREAM|SOCK_CLOEXEC");
	strace_flags('X', 0, &out);
	is(&out, "F_OK");
	assert_false(strace_flags('p', 0, &out));
	buf_fini(&out);
}

static void test_choices(void **state)
{
	Buf out;

	(void)state;
	buf_init(&out);
	assert_true(strace_choice('L', 2, &out));
	is(&out, "SEEK_END");
	strace_choice('L', 99, &out);
	is(&out, "99");
	strace_choice('y', 1, &out);
	is(&out, "CLOCK_MONOTONIC");
	strace_choice('F', 0x80, &out);
	is(&out, "FUTEX_WAIT_PRIVATE");
	strace_choice('F', 0x189, &out);
	is(&out, "FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME");
	strace_choice('r', 0x5401, &out);
	is(&out, "TCGETS");
	strace_choice('r', 0x12345678, &out);
	is(&out, "0x12345678");
	assert_false(strace_choice('p', 0, &out));
	buf_fini(&out);
}

static void test_signals(void **state)
{
	Buf out;

	(void)state;
	buf_init(&out);
	strace_signal_name(11, &out);
	is(&out, "SIGSEGV");
	strace_signal_name(34, &out);
	is(&out, "SIGRT_2");
	strace_signal_name(65, &out);
	is(&out, "65");
	strace_signal_name(-1, &out);
	is(&out, "-1");
	strace_signal_set(0, &out);
	is(&out, "[]");
	strace_signal_set(1 << 1 | 1 << 16, &out);
	is(&out, "[INT CHLD]");
	strace_signal_set(~(u64)0, &out);
	is(&out, "~[]");
	strace_signal_set((u64)1 << 63, &out);
	is(&out, "[RT_32]");
	strace_signal_code(11, 1, &out);
	is(&out, "SEGV_MAPERR");
	strace_signal_code(17, 1, &out);
	is(&out, "CLD_EXITED");
	strace_signal_code(15, 0, &out);
	is(&out, "SI_USER");
	strace_signal_code(15, -6, &out);
	is(&out, "SI_TKILL");
	strace_signal_code(11, 77, &out);
	is(&out, "77");
	buf_fini(&out);
}

static void test_errnos(void **state)
{
	(void)state;
	assert_string_equal(strace_errno(2), "ENOENT");
	assert_string_equal(strace_errno(38), "ENOSYS");
	assert_string_equal(strace_errno(95), "EOPNOTSUPP");
	assert_string_equal(strace_errno(110), "ETIMEDOUT");
	assert_string_equal(strace_errno(133), "EHWPOISON");
	assert_null(strace_errno(134));
	assert_null(strace_errno(0));
	assert_null(strace_errno(~(u64)0));
}

static void text_is(const char *bytes, size_t len, size_t limit, const char *wanted)
{
	Buf out;

	buf_init(&out);
	strace_text((const u8 *)bytes, len, limit, &out);
	is(&out, wanted);
	buf_fini(&out);
}

static void test_texts(void **state)
{
	(void)state;
	text_is("abc", 3, 32, "\"abc\"");
	text_is("", 0, 32, "\"\"");
	text_is("a\n\t\r\"\\", 6, 32, "\"a\\n\\t\\r\\\"\\\\\"");
	text_is("\177ELF\2\1\1\0", 8, 32, "\"\\177ELF\\2\\1\\1\\0\"");
	text_is("\0001", 2, 32, "\"\\0001\""); /* not \01, which would be another byte */
	text_is("\xff", 1, 32, "\"\\377\"");
	text_is("abcdef", 6, 3, "\"abc\"...");
	text_is("\a\b\v\f", 4, 32, "\"\\a\\b\\v\\f\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),  cmocka_unit_test(test_choices), cmocka_unit_test(test_signals),
		cmocka_unit_test(test_errnos), cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
