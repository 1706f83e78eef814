/* SPDX-License-Identifier: MIT
 *
 * The LC-3's files: what is read, what is refused, what is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lc3/rig.h"
#include "asm/asm.h"
#include "base/rng.h"
#include "guests/guests.h"
#include "guests/lc3/lc3.h"

#define SIGNATURE "\x1C\x30\x15\xC0\x01\x01\x01"
#define ORIGIN_3000 "\x00\x30\x01\x00\x00\x00\x00"

static Status read_bytes(const void *bytes, size_t len, Lc3Object *object, DiagList *diags)
{
	GuestFile file = { .name = "file.obj", .data = bytes, .len = len };

	diag_init(diags);
	return lc3_object_read(&file, object, NULL, diags);
}

/* Reads bytes that must be refused with the status and a message that holds the text. */
static void assert_refused(const void *bytes, size_t len, Status status, const char *text)
{
	Lc3Object object;
	DiagList diags;

	assert_int_equal(read_bytes(bytes, len, &object, &diags), status);
	assert_int_equal(diags.errors, 1);
	if (!strstr(diags.items[0].message, text))
		fail_msg("'%s' instead of '%s'", diags.items[0].message, text);
	lc3_object_fini(&object);
	diag_fini(&diags);
}

#define REFUSED(literal, status, text) assert_refused(literal, sizeof(literal) - 1, status, text)

static void test_tools_object(void **state)
{
	static const char bytes[] = SIGNATURE ORIGIN_3000
		"\x25\xF0\x00\x04\x00\x00\x00HALT"
		"\x00\x40\x01\x00\x00\x00\x00"
		"\x34\x12\x00\x00\x00\x00\x00"
		"\x78\x56\x00\x00\x00\x00\x00";
	Lc3Object object;
	DiagList diags;

	(void)state;
	assert_int_equal(read_bytes(bytes, sizeof bytes - 1, &object, &diags), STATUS_OK);
	assert_int_equal(object.count, 2);
	assert_int_equal(object.segments[0].origin, 0x3000);
	assert_int_equal(object.segments[0].count, 1);
	assert_int_equal(object.segments[0].words[0], 0xF025);
	assert_int_equal(object.segments[1].origin, 0x4000);
	assert_int_equal(object.segments[1].count, 2);
	assert_int_equal(object.segments[1].words[1], 0x5678);
	lc3_object_fini(&object);
	diag_fini(&diags);
}

static void test_tools_object_damaged(void **state)
{
	(void)state;
	REFUSED(SIGNATURE, STATUS_TRUNCATED, "holds no program");
	REFUSED(SIGNATURE "\x00", STATUS_TRUNCATED, "within a record");
	REFUSED(SIGNATURE "\x00\x30\x01\x00\x00\x00", STATUS_TRUNCATED, "within a record");
	REFUSED(SIGNATURE "\x00\x30\x01\x01\x00\x00\x00", STATUS_TRUNCATED, "within a record");
	REFUSED(SIGNATURE "\x00\x30\x01\xFF\xFF\xFF\xFF", STATUS_TRUNCATED, "within a record");
	REFUSED(SIGNATURE "\x00\x30\x02\x00\x00\x00\x00", STATUS_CORRUPT, "neither origin nor word");
	REFUSED(SIGNATURE "\x00\x30\x00\x00\x00\x00\x00", STATUS_CORRUPT, "before the first origin");
	REFUSED(SIGNATURE "\xFF\xFF\x01\x00\x00\x00\x00" "\1\0\0\0\0\0\0" "\2\0\0\0\0\0\0", STATUS_RANGE, "past xFFFF");
}

static void test_tools_object_too_big(void **state)
{
	Buf bytes;

	(void)state;
	buf_init(&bytes);
	buf_add(&bytes, SIGNATURE, 7);
	for (u32 i = 0; i <= LC3_MAX_SEGMENTS; i++)
		buf_add(&bytes, ORIGIN_3000, 7);
	assert_refused(bytes.data, bytes.len, STATUS_TOO_BIG, "segments");
	buf_clear(&bytes);
	buf_add(&bytes, SIGNATURE, 7);
	for (u32 i = 0; i <= LC3_MAX_WORDS; i++) {
		if (i % 0x8000 == 0)
			buf_add(&bytes, ORIGIN_3000, 7);
		buf_add(&bytes, "\0\0\0\0\0\0\0", 7);
	}
	assert_refused(bytes.data, bytes.len, STATUS_RANGE, "words");
	buf_fini(&bytes);
}

static void test_classic_object(void **state)
{
	Lc3Object object;
	DiagList diags;

	(void)state;
	assert_int_equal(read_bytes("\x30\x00\xF0\x25\x12\x34", 6, &object, &diags), STATUS_OK);
	assert_int_equal(object.segments[0].origin, 0x3000);
	assert_int_equal(object.segments[0].count, 2);
	assert_int_equal(object.segments[0].words[1], 0x1234);
	lc3_object_fini(&object);
	diag_fini(&diags);
	REFUSED("", STATUS_FORMAT, "no whole words");
	REFUSED("\x30", STATUS_FORMAT, "no whole words");
	REFUSED("\x30\x00\xF0", STATUS_FORMAT, "no whole words");
	REFUSED("\xFF\xFF\x00\x01\x00\x02", STATUS_RANGE, "past xFFFF");
}

/* The tiny machine's loader takes what fits. */
static void test_classic_object_cut_off(void **state)
{
	GuestFile file = { .name = "long.obj", .data = (const u8 *)"\xFF\xFF\x00\x01\x00\x02", .len = 6 };
	Rig *rig = rig_create("profile=tiny");

	(void)state;
	assert_int_equal(lc3_guest.load(rig->machine, &file, 1, &rig->diags), STATUS_OK);
	assert_int_equal(rig->diags.warnings, 1);
	assert_int_equal(rig_word(rig, 0xFFFF), 1);
	assert_int_equal(rig_word(rig, 0), 0);
	rig_destroy(rig);
}

static void test_device_space_is_not_loaded(void **state)
{
	GuestFile file = { .name = "io.obj", .data = (const u8 *)"\xFD\xFF\x00\x01\x00\x02", .len = 6 };
	Rig *rig = rig_create("");

	(void)state;
	assert_int_equal(lc3_guest.load(rig->machine, &file, 1, &rig->diags), STATUS_OK);
	assert_int_equal(rig->diags.warnings, 1);
	assert_int_equal(rig_word(rig, 0xFDFF), 1);
	assert_int_equal(rig_word(rig, 0xFE00), 0);
	rig_destroy(rig);
}

static void test_bin(void **state)
{
	static const char text[] = "; a program\n0011 0000 0000 0000 ; origin\n\n0001 010 010 1 00001\r\n1111000000100101";
	Lc3Object object;
	DiagList diags;

	(void)state;
	assert_int_equal(lc3_format((const u8 *)text, sizeof text - 1), LC3_FORMAT_BIN);
	assert_int_equal(read_bytes(text, sizeof text - 1, &object, &diags), STATUS_OK);
	assert_int_equal(object.count, 1);
	assert_int_equal(object.segments[0].origin, 0x3000);
	assert_int_equal(object.segments[0].count, 2);
	assert_int_equal(object.segments[0].words[0], 0x14A1);
	assert_int_equal(object.segments[0].words[1], 0xF025);
	lc3_object_fini(&object);
	diag_fini(&diags);
	REFUSED("0011000000000000\n0001\n", STATUS_SYNTAX, "4 digits");
	REFUSED("0011000000000000\n00010000000000011\n", STATUS_SYNTAX, "17 digits");
	REFUSED("0011000000000000\n0001000x00000001\n", STATUS_SYNTAX, "binary digit");
}

static void test_recognition(void **state)
{
	static const struct {
		const char *name, *bytes;
		size_t len;
		int sure;
	} cases[] = {
		{ "a", SIGNATURE ORIGIN_3000, 14, 100 },
		{ "a.bin", "0011000000000000\n", 17, 90 },
		{ "a.txt", "0011 000000000000\n", 18, 60 },
		{ "a.obj", "\x30\x00\xF0\x25", 4, 50 },
		{ "a", "\x30\x00\xF0\x25", 4, 5 },
		{ "a.asm", "; hello\n\t.orig x3000\n", 21, 80 },
		{ "a.obj", "\x30\x00\xF0", 3, 0 },
		{ "a.obj", "\xFF\xFF\x00\x01\x00\x02", 6, 0 },
		{ "a.obj", "", 0, 0 },
	};

	(void)state;
	for (u32 i = 0; i < COUNT_OF(cases); i++) {
		GuestFile file = { .name = cases[i].name, .data = (const u8 *)cases[i].bytes, .len = cases[i].len };

		assert_int_equal(lc3_guest.recognize(&file), cases[i].sure);
	}
}

/* Any bytes at all: no crash, and what is read is within memory. */
static void test_random_files(void **state)
{
	Rng rng = { 7 };

	(void)state;
	for (u32 round = 0; round < 20000; round++) {
		u8 bytes[96];
		size_t len = rng_below(&rng, sizeof bytes);
		Lc3Object object;
		DiagList diags;

		for (size_t i = 0; i < len; i++)
			bytes[i] = rng_below(&rng, 3) ? (u8)rng_below(&rng, 3) : (u8)rng_next(&rng);
		if (round % 2 && len >= 7)
			memcpy(bytes, SIGNATURE, 7);
		if (!read_bytes(bytes, len, &object, &diags)) {
			assert_true(object.count > 0);
			for (u32 s = 0; s < object.count; s++)
				assert_true(object.segments[s].origin + object.segments[s].count <= 0x10000);
		} else {
			assert_true(diags.errors > 0);
		}
		lc3_object_fini(&object);
		diag_fini(&diags);
	}
}

static const char two_segments[] =
	"; two of them\n"
	"   .ORIG x3000 ; here\n"
	"A   ; alone\n"
	"\tADD R0,R0,#1  \t; c\n"
	"  LAB .BLKW 2 ;z\n"
	"S .STRINGZ \"a\\n;b\" ; x\n"
	"W  .fill  x10   \n"
	"   LOOP: HALT\n"
	" .END\n"
	" .ORIG x4000\n"
	"B .FILL A\n"
	" .STRINGZ \"\"\n"
	" .END\n";

/* Byte for byte what the original assembler makes of the same text. */
static void test_write_tools(void **state)
{
	static const struct {
		u16 value;
		u8 is_origin;
		const char *text;
	} records[] = {
		{ 0x3000, 1, "   .ORIG x3000" }, { 0x1021, 0, "\tADD R0,R0,#1" }, { 0, 0, "  LAB .BLKW 2" },
		{ 0, 0, "  LAB .BLKW 2" }, { 'a', 0, "a" }, { '\n', 0, "\n" }, { ';', 0, ";" }, { 'b', 0, "b" },
		{ 0, 0, "S .STRINGZ \"a\\n;b\"" }, { 0x10, 0, "W  .fill  x10" }, { 0xF025, 0, "   LOOP: HALT" },
		{ 0x4000, 1, " .ORIG x4000" }, { 0x3000, 0, "B .FILL A" }, { 0, 0, " .STRINGZ \"\"" },
	};
	Rig *rig = rig_create("");
	Buf out, want;

	(void)state;
	buf_init(&out);
	buf_init(&want);
	rig_assemble(rig, "lc3tools", "lc3tools", two_segments, &out);
	buf_add(&want, SIGNATURE, 7);
	for (u32 i = 0; i < COUNT_OF(records); i++) {
		buf_u16(&want, records[i].value);
		buf_byte(&want, records[i].is_origin);
		buf_u32(&want, (u32)strlen(records[i].text));
		buf_str(&want, records[i].text);
	}
	assert_int_equal(out.len, want.len);
	assert_memory_equal(out.data, want.data, want.len);
	buf_fini(&out);
	buf_fini(&want);
	rig_destroy(rig);
}

/* What is written reads back as the same words, in every format. */
static void test_written_files_read_back(void **state)
{
	static const char text[] = ".ORIG x3000\nX ADD R1 R2 R3\n .FILL x8001\n .STRINGZ \"ab\"\n LEA R0 X\n HALT\n.END\n";
	static const u16 words[] = { 0x1283, 0x8001, 'a', 'b', 0, 0xE1FA, 0xF025 };
	static const Lc3Format formats[] = { LC3_FORMAT_TOOLS, LC3_FORMAT_CLASSIC, LC3_FORMAT_BIN };
	Rig *rig = rig_create("");

	(void)state;
	for (u32 i = 0; lc3_guest.formats[i].name; i++) {
		Lc3Object object;
		DiagList diags;
		Buf out;

		buf_init(&out);
		rig_assemble(rig, "lc3tools", lc3_guest.formats[i].name, text, &out);
		assert_int_equal(lc3_format(out.data, out.len), formats[i]);
		assert_int_equal(read_bytes(out.data, out.len, &object, &diags), STATUS_OK);
		assert_int_equal(object.count, 1);
		assert_int_equal(object.segments[0].origin, 0x3000);
		assert_int_equal(object.segments[0].count, COUNT_OF(words));
		assert_memory_equal(object.segments[0].words, words, sizeof words);
		lc3_object_fini(&object);
		diag_fini(&diags);
		buf_fini(&out);
	}
	rig_destroy(rig);
}

/* A classic file has one origin: the gap between segments is zeros. */
static void test_classic_joins_segments(void **state)
{
	Rig *rig = rig_create("");
	Buf out;

	(void)state;
	buf_init(&out);
	rig_assemble(rig, "lc3tools", "classic", ".ORIG x3002\n.FILL x1111\n.END\n.ORIG x3000\n.FILL x2222\n.END\n", &out);
	assert_int_equal(out.len, 8);
	assert_memory_equal(out.data, "\x30\x00\x22\x22\x00\x00\x11\x11", 8);
	buf_fini(&out);
	rig_destroy(rig);
}

static void test_symbols(void **state)
{
	static const char text[] = ".ORIG x3000\nFIRST HALT\nA_RATHER_LONG_NAME .FILL FIRST\n.END\n";
	static const char want[] = "// Symbol table\n// Scope level 0:\n//\tSymbol Name       Page Address\n"
				   "//\t----------------  ------------\n//\tFIRST             3000\n"
				   "//\tA_RATHER_LONG_NAME  3001\n\n";
	Rig *rig = rig_create("");
	Source source = { "s.asm", text, sizeof text - 1 };
	AsmOptions options = { 0 };
	AsmProgram *program = asm_assemble(rig->isa, &source, &options, &rig->diags);
	Lc3Symbols symbols;
	Buf out;

	(void)state;
	assert_non_null(program);
	buf_init(&out);
	lc3_guest.write_symbols(program, &out);
	assert_string_equal(buf_text(&out), want);
	assert_int_equal(lc3_symbols_read(buf_text(&out), out.len, &symbols), STATUS_OK);
	assert_int_equal(symbols.count, 2);
	assert_string_equal(symbols.items[0].name, "FIRST");
	assert_int_equal(symbols.items[0].address, 0x3000);
	assert_string_equal(symbols.items[1].name, "A_RATHER_LONG_NAME");
	assert_int_equal(symbols.items[1].address, 0x3001);
	lc3_symbols_fini(&symbols);
	assert_int_equal(lc3_symbols_read("", 0, &symbols), STATUS_FORMAT);
	lc3_symbols_fini(&symbols);
	assert_int_equal(lc3_symbols_read("// Symbol table\n//\tX 30\n//\tY  30G0\n// 3000\n//\tZ 3000 1\n//", 54, &symbols),
			 STATUS_OK);
	assert_int_equal(symbols.count, 0);
	lc3_symbols_fini(&symbols);
	buf_fini(&out);
	asm_program_destroy(program);
	rig_destroy(rig);
}

/* What a file's names are, as text: "3000 FIRST" a symbol, "3000=HALT" a line. */
static void note_symbol(void *ctx, const char *name, size_t len, u16 space, u64 address)
{
	assert_int_equal(space, 0);
	buf_printf(ctx, "%04X %.*s\n", (unsigned)address, (int)len, name);
}

static void note_line(void *ctx, u16 space, u64 address, u32 number, const char *text, size_t len)
{
	assert_int_equal(space, 0);
	assert_int_equal(number, 0);
	buf_printf(ctx, "%04X=%.*s\n", (unsigned)address, (int)len, text);
}

static void names_are(Rig *rig, const void *bytes, size_t len, Status status, const char *expected)
{
	Buf out;
	GuestFile file = { .name = "any", .data = bytes, .len = len };
	GuestNames names = { &out, note_symbol, note_line };

	buf_init(&out);
	assert_int_equal(lc3_guest.read_names(rig->machine, &file, &names), status);
	assert_string_equal(buf_text(&out), expected);
	buf_fini(&out);
}

static void test_names(void **state)
{
	static const char symbols[] = "// Symbol table\n//\tLOOP 3001\n//\tOUT.A  FFFF\n";
	static const char object[] = SIGNATURE ORIGIN_3000 "\x25\xF0\x00\x04\x00\x00\x00HALT"
		"\x34\x12\x00\x01\x00\x00\x00h" "\x34\x12\x00\x00\x00\x00\x00" "\x00\x00\x00\x06\x00\x00\x00" "A\tB\x1B[m"
		"\xFF\xFF\x01\x02\x00\x00\x00xx" "\x34\x12\x00\x02\x00\x00\x00yy" "\x34\x12\x00\x02\x00\x00\x00zz";
	Rig *rig = rig_create("");

	(void)state;
	names_are(rig, symbols, sizeof symbols - 1, STATUS_OK, "3001 LOOP\nFFFF OUT.A\n");
	names_are(rig, object, sizeof object - 1, STATUS_OK, "3000=HALT\n3003=A\tB\nFFFF=yy\n");
	for (size_t len = sizeof SIGNATURE; len < sizeof object - 1; len += 3) { /* cut off: what is whole counts */
		Buf out;
		GuestFile file = { .name = "cut", .data = (const u8 *)object, .len = len };
		GuestNames names = { &out, note_symbol, note_line };

		buf_init(&out);
		assert_int_equal(lc3_guest.read_names(rig->machine, &file, &names), STATUS_OK);
		assert_memory_equal(buf_text(&out), "3000=HALT\n3003=A\tB\nFFFF=yy\n", out.len);
		buf_fini(&out);
	}
	names_are(rig, "\x30\x00\xF0\x25", 4, STATUS_FORMAT, "");
	names_are(rig, "", 0, STATUS_FORMAT, "");
	rig_destroy(rig);
}

static void test_registry(void **state)
{
	(void)state;
	assert_ptr_equal(guests_find("lc3"), &lc3_guest);
	assert_ptr_equal(guests_find("lc-3"), &lc3_guest);
	assert_null(guests_find("lc"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tools_object),
		cmocka_unit_test(test_tools_object_damaged),
		cmocka_unit_test(test_tools_object_too_big),
		cmocka_unit_test(test_classic_object),
		cmocka_unit_test(test_classic_object_cut_off),
		cmocka_unit_test(test_device_space_is_not_loaded),
		cmocka_unit_test(test_bin),
		cmocka_unit_test(test_recognition),
		cmocka_unit_test(test_random_files),
		cmocka_unit_test(test_write_tools),
		cmocka_unit_test(test_written_files_read_back),
		cmocka_unit_test(test_classic_joins_segments),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_registry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
