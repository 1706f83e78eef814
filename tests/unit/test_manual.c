/* SPDX-License-Identifier: MIT
 * asm/manual: diagrams, reserved encodings, links and escaping of the manual; explained instructions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "asm/asm.h"
#include "asm/manual.h"
#include "base/bits.h"
#include "base/rng.h"

/* The LC-3's description, from its file: these tests need nothing of the guest. */
static const char *lc3_text(void)
{
	static char text[1 << 16];
	FILE *file = fopen("src/guests/lc3/lc3.isa", "rb");

	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = 0;
	fclose(file);
	return text;
}

static Isa *load(const char *text)
{
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = isa_load("test.isa", text, strlen(text), NULL, 0, &diags);
	if (!isa) {
		Buf messages;

		buf_init(&messages);
		diag_render(&diags, &messages, false);
		print_error("%s", buf_text(&messages));
		buf_fini(&messages);
	}
	diag_fini(&diags);
	assert_non_null(isa);
	return isa;
}

static Isa *load_lc3(void)
{
	return load(lc3_text());
}

typedef struct Word {
	const Isa *isa;
	u64 w[ISA_WORDS];
} Word;

static bool fetch(void *ctx, unsigned index, u64 *parcel)
{
	const Word *word = ctx;
	unsigned bits = word->isa->parcel_bits;

	if ((index + 1) * bits > ISA_WORDS * 64)
		return false;
	*parcel = bits_extract(word->w, index * bits, bits);
	return true;
}

static void decode(const Isa *isa, u64 w0, IsaDecoded *out)
{
	Word word = {isa, {w0}};

	isa_decode(isa, fetch, &word, out);
}

static void assert_holds(const Buf *buf, const char *part)
{
	if (!strstr(buf_text(buf), part))
		fail_msg("not found:\n%s\nin:\n%s", part, buf_text(buf));
}

static const char plain[] =
	"isa T \"A test\"\n"
	"space M : 16 x 0x10000\n"
	"code M\n"
	"fill checked\n"
	"reg R[8] : 16\n"
	"reg pc : 16\n"
	"field d a : R\n"
	"field i : signed\n"
	"field t : signed rel next\n"
	"## Adds.\n"
	"insn ADD \"0001 ddd aaa 1 iiiii\" d, a, i { d = a + i }\n"
	"insn NOT \"1001 ddd aaa ^^^^^.\" d, a { d = ~a }\n"
	"insn BRA \"0000 000 ttttttttt\" t { jump t }\n"
	"insn JMP \"1100 000 aaa 000000\" a { if (#a == 7) ret a else jump a }\n"
	"insn JSR \"0100 1 ttttttttttt\" t { R[7] = next; call t }\n";

static const char bytes[] =
	"isa B \"Bytes\"\n"
	"space mem : 8 x 0x10000\n"
	"code mem\n"
	"reg r[4] : 16\n"
	"reg pc : 16\n"
	"field x : r\n"
	"field h : unsigned\n"
	"insn LOAD \"0000000 1 ...... x:2 h:16\" x, h { x = h }\n"
	"insn HLT  \"00000000\" { stop 0 }\n";

static const char low_first[] =
	"isa L \"Low first\"\n"
	"space mem : 8, address 32, little\n"
	"code mem parcel 16 low-first\n"
	"reg x[32] : 32\n"
	"reg pc : 32\n"
	"field rd rs1 rs2 : x\n"
	"field bt : signed rel pc\n"
	"insn beq \"bt[12] bt[10:5] rs2:5 rs1:5 000 bt[4:1] bt[11] 1100011\" rs1, rs2, bt { if (rs1 == rs2) jump bt }\n"
	"insn c.mv \"1000 rd:5 rs2:5 10\" rd, rs2 { rd = rs2 }\n";

static void diagram_of_one_parcel(void **state)
{
	Isa *isa = load(plain);
	Buf text;

	(void)state;
	buf_init(&text);
	manual_write(isa, MANUAL_TEXT, &text);
	assert_holds(&text,
		     "     15           12 11        9 8         6  5  4                 0\n"
		     "    +---------------+-----------+-----------+---+-------------------+\n"
		     "    | 0   0   0   1 |     d     |     a     | 1 |         i         |\n"
		     "    +---------------+-----------+-----------+---+-------------------+\n");
	assert_holds(&text, "|(1) (1) (1) (1) (1) (0)|\n");
	assert_holds(&text, "Bits in parentheses must have these values");
	buf_fini(&text);
	isa_destroy(isa);
}

static void diagram_of_bytes_in_fetch_order(void **state)
{
	Isa *isa = load(bytes);
	Buf text;

	(void)state;
	buf_init(&text);
	manual_write(isa, MANUAL_TEXT, &text);
	assert_holds(&text,
		     "    +0              +1                     +2              +3              \n"
		     "     7             0 7                2 1 0 7             0 7             0\n"
		     "    +---------------+------------------+---+---------------+---------------+\n"
		     "    |   00000001    |(0)(0)(0)(0)(0)(0)| x |    h[15:8]    |    h[7:0]     |\n"
		     "    +---------------+------------------+---+---------------+---------------+\n");
	assert_holds(&text, "the machine does not look at");
	buf_fini(&text);
	isa_destroy(isa);
}

static void diagram_of_a_low_first_word(void **state)
{
	Isa *isa = load(low_first);
	Buf text;

	(void)state;
	buf_init(&text);
	manual_write(isa, MANUAL_TEXT, &text);
	assert_holds(&text, "|bt[12]| bt[10:5]  |   rs2   |   rs1   | 000 |bt[4:1]|bt[11]|   1100011   |\n");
	assert_holds(&text, "   31   30       25 24     20 19     15 14 12 11    8   7    6           0\n");
	assert_holds(&text, "-4096..4094 in steps of 2");
	buf_fini(&text);
	isa_destroy(isa);
}

/* All words of 16 bits: one is in the computed list exactly when the decoder refuses it. */
static void reserved_words_are_those_the_decoder_refuses(void **state)
{
	const char *texts[] = {plain, lc3_text()};

	(void)state;
	for (size_t t = 0; t < COUNT_OF(texts); t++) {
		Isa *isa = load(texts[t]);
		ManualReserved reserved;
		unsigned illegal = 0;
		Arena arena;

		arena_init(&arena);
		manual_reserved(isa, &arena, true, &reserved);
		assert_true(reserved.complete);
		for (u64 w = 0; w < 0x10000; w++) {
			unsigned cubes = 0;
			IsaDecoded decoded;

			for (u32 i = 0; i < reserved.count; i++)
				cubes += (w & reserved.cubes[i].mask[0]) == reserved.cubes[i].match[0];
			decode(isa, w, &decoded);
			if (cubes != (decoded.insn == NULL))
				fail_msg("word %04x: in %u cubes, decodes to %s", (unsigned)w, cubes,
					 decoded.insn ? decoded.insn->name : "nothing");
			illegal += !decoded.insn;
		}
		assert_true(illegal > 0);
		assert_true(reserved.share * 65536 == illegal);
		arena_fini(&arena);
		isa_destroy(isa);
	}
}

static void reserved_words_of_two_lengths(void **state)
{
	Isa *isa = load(low_first);
	ManualReserved reserved;
	Rng rng = {1};
	Arena arena;
	unsigned seen[2] = {0};

	(void)state;
	arena_init(&arena);
	manual_reserved(isa, &arena, true, &reserved);
	assert_true(reserved.complete);
	for (unsigned n = 0; n < 20000; n++) {
		u64 w = rng_next(&rng) & 0xFFFFFFFF;
		unsigned cubes = 0;
		IsaDecoded decoded;

		if (n & 1) /* near beq */
			w = (w & ~0x707Fu) | 0x63 | (rng_below(&rng, 4) ? 0 : rng_below(&rng, 8) << 12);
		for (u32 i = 0; i < reserved.count; i++)
			cubes += (w & reserved.cubes[i].mask[0]) == reserved.cubes[i].match[0];
		decode(isa, w, &decoded);
		assert_int_equal(cubes, decoded.insn == NULL);
		seen[cubes]++;
	}
	assert_true(seen[0] > 1000 && seen[1] > 1000);
	arena_fini(&arena);
	isa_destroy(isa);
}

/* ---- HTML ---- */

/* Every tag that is opened is closed, in order; attribute values are quoted; no '<' stands elsewhere. */
static void assert_well_formed(const char *html)
{
	static const char *const single[] = {"meta", "!DOCTYPE", "br", "col"};
	char stack[64][16];
	unsigned depth = 0;

	for (const char *at = html; (at = strchr(at, '<')) != NULL;) {
		const char *end = at + 1;
		bool closing = *end == '/', quoted = false, alone = false;
		char name[16] = {0};
		size_t len;

		end += closing;
		len = strcspn(end, " >\n");
		if (len >= sizeof name)
			fail_msg("odd tag: %.40s", at);
		memcpy(name, end, len);
		for (end += len; *end && (quoted || *end != '>'); end++) {
			if (*end == '"')
				quoted = !quoted;
			if (*end == '<')
				fail_msg("'<' inside of a tag: %.60s", at);
		}
		assert_int_equal(*end, '>');
		at = end;
		for (size_t i = 0; i < COUNT_OF(single); i++)
			alone |= strcmp(name, single[i]) == 0;
		if (alone)
			continue;
		if (!closing) {
			assert_true(depth < COUNT_OF(stack));
			memcpy(stack[depth++], name, sizeof name);
		} else if (depth == 0 || strcmp(stack[--depth], name) != 0) {
			fail_msg("</%s> closes <%s> near %.60s", name, depth < COUNT_OF(stack) ? stack[depth] : "?", at);
		}
	}
	assert_int_equal(depth, 0);
}

/* Each link leads to an id, each id is there once. */
static void assert_links_lead_somewhere(const char *html)
{
	char key[300];
	unsigned links = 0;

	for (const char *at = html; (at = strstr(at, "href=\"#")) != NULL; links++) {
		size_t len;

		at += 7;
		len = strcspn(at, "\"");
		assert_true(len > 0 && len < 256);
		snprintf(key, sizeof key, " id=\"%.*s\"", (int)len, at);
		if (!strstr(html, key))
			fail_msg("no target: %.*s", (int)len, at);
		assert_null(strstr(strstr(html, key) + 1, key));
	}
	assert_true(links > 5);
}

static void html_of_the_lc3_is_sound_and_complete(void **state)
{
	Isa *isa = load_lc3();
	Buf html, text;

	(void)state;
	buf_init(&html);
	buf_init(&text);
	manual_write(isa, MANUAL_HTML, &html);
	manual_write(isa, MANUAL_TEXT, &text);
	assert_well_formed(buf_text(&html));
	assert_links_lead_somewhere(buf_text(&html));
	assert_null(strstr(buf_text(&html), "<script"));
	assert_null(strstr(buf_text(&html), "http"));
	for (u32 i = 0; i < isa->form_count; i++) {
		assert_holds(&html, isa->forms[i].mnemonic);
		assert_holds(&text, isa->forms[i].mnemonic);
	}
	for (u32 i = 0; i < isa->reg_count; i++)
		assert_holds(&text, isa->regs[i].name);
	assert_holds(&text, "RET");
	assert_holds(&text, "JMP R7");
	assert_holds(&text, "BRnzp t");
	assert_holds(&text, "func chk(q:16)");
	assert_holds(&text, "0xFE00");
	assert_holds(&text, "Interrupt keyboard");
	assert_holds(&text, ".STRINGZ");
	/* One item each: a function's text ends where it ends. */
	assert_holds(&html, "<pre>func ld(q:16) : 16 { chk(q); return M[q] }</pre>");
	buf_fini(&html);
	buf_fini(&text);
	isa_destroy(isa);
}

static void hostile_words_are_escaped(void **state)
{
	Isa *isa = load("## <b>bold</b> & \"quoted\" \x1b[31mred\x1b[0m \xff\xc3\xa9\n"
			"isa X \"</title><script>alert('1')</script>\"\n"
			"space M : 8 x 256\n"
			"code M\n"
			"reg A : 8   ## <img src=x onerror=alert(1)>\n"
			"reg pc : 8\n"
			"## <i>\n"
			"insn NOP \"00000000\" { if (A <u 5 && A >u 1) A = A & 3 }\n"
			"asm { comment \"<!--\" label colon number dec }\n");
	Buf html, text;

	(void)state;
	buf_init(&html);
	buf_init(&text);
	manual_write(isa, MANUAL_HTML, &html);
	manual_write(isa, MANUAL_TEXT, &text);
	assert_well_formed(buf_text(&html));
	assert_null(strstr(buf_text(&html), "<script"));
	assert_null(strstr(buf_text(&html), "<img"));
	assert_null(strstr(buf_text(&html), "<!--"));
	assert_holds(&html, "A &lt;u 5 &amp;&amp; A &gt;u 1");
	assert_holds(&html, "\xEF\xBF\xBD\xc3\xa9");
	assert_null(strchr(buf_text(&text), 0x1b));
	assert_null(strchr(buf_text(&html), 0x1b));
	assert_holds(&text, "<b>bold</b> & \"quoted\" ?[31mred?[0m");
	buf_fini(&html);
	buf_fini(&text);
	isa_destroy(isa);
}

/* ---- Explained instructions ---- */

static void explained(const Isa *isa, u64 pc, u64 w, Buf *out)
{
	IsaDecoded decoded;

	decode(isa, w, &decoded);
	buf_clear(out);
	manual_explain(isa, 0, pc, &decoded, out);
}

static void explains_fields_and_meaning(void **state)
{
	Isa *isa = load(plain);
	Buf text;

	(void)state;
	buf_init(&text);
	explained(isa, 0x3002, 0x12FF, &text); /* ADD R1, R3, #-1 */
	assert_holds(&text, "0x3002  ADD R1");
	assert_holds(&text, "Adds.");
	assert_holds(&text, "| 0   0   0   1 | 0   0   1 | 0   1   1 | 1 | 1   1   1   1   1 |");
	assert_holds(&text, "R1 = R3 + -1\n");
	explained(isa, 0x3000, 0x4FFF, &text); /* JSR to pc + 1 - 1 */
	assert_holds(&text, "R[7] = 0x3001; call 0x3000");
	assert_holds(&text, "target 0x3000");
	explained(isa, 0xFFFF, 0x4801, &text); /* addresses wrap */
	assert_holds(&text, "R[7] = 0x0; call 0x1");
	explained(isa, 0x3000, 0xC1C0, &text);
	assert_holds(&text, "if (7 == 7) ret R7 else jump R7");
	explained(isa, 0x3000, 0xD000, &text);
	assert_string_equal(buf_text(&text), "0x3000  no instruction: 1101 0000 0000 0000 matches no encoding\n");
	buf_fini(&text);
	isa_destroy(isa);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(diagram_of_one_parcel),
		cmocka_unit_test(diagram_of_bytes_in_fetch_order),
		cmocka_unit_test(diagram_of_a_low_first_word),
		cmocka_unit_test(reserved_words_are_those_the_decoder_refuses),
		cmocka_unit_test(reserved_words_of_two_lengths),
		cmocka_unit_test(html_of_the_lc3_is_sound_and_complete),
		cmocka_unit_test(hostile_words_are_escaped),
		cmocka_unit_test(explains_fields_and_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
