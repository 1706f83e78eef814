/* SPDX-License-Identifier: MIT
 *
 * The spelling of RISC-V instructions against GNU binutils: random instructions as Husk's disassembler writes them, with
 * and without aliases, go through the GNU assembler and must come back as the same bytes; and whole functions of a C
 * library, as objdump takes them apart, must read as Husk does. Needs riscv64-linux-gnu-gcc and its binutils.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "asm/asm.h"
#include "base/bits.h"
#include "base/buf.h"
#include "base/rng.h"
#include "guests/rv64/rv64.h"
#include "tools.h"

enum { COUNT = 4000, BASE = 0x100000, MOST_BYTES = 8 << 20 };

static char folder[] = "/tmp/rv64_text.XXXXXX";

static Isa *load_rv64(void)
{
	DiagList *diags = malloc(sizeof *diags);
	Isa *isa;

	diag_init(diags);
	isa = isa_load("rv64.isa", rv64_isa_text, strlen(rv64_isa_text), NULL, 0, diags);
	assert_non_null(isa);
	diag_fini(diags);
	free(diags);
	return isa;
}

/* Runs a command in the folder. */
static void shell(const char *command)
{
	char line[1024];

	snprintf(line, sizeof line, "cd %s && { %s; }", folder, command);
	if (system(line) != 0)
		fail_msg("%s", line);
}

static size_t read_whole(const char *name, u8 *to, size_t most)
{
	char path[200];
	FILE *file;
	size_t len;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	len = fread(to, 1, most, file);
	fclose(file);
	return len;
}

/* What GNU has no words for: reserved rounding modes, modes of exact conversions, counters without a name, kinds of
 * fences, and some hints. */
static bool is_strange(const char *text)
{
	static const char *const exact[] = {"fcvt.d.s ", "fcvt.d.w ", "fcvt.d.wu ", "c.slli ", "c.srli ", "c.srai "};
	const char *comma = strchr(text, ',');

	for (u32 i = 0; i < COUNT_OF(exact); i++)
		if (!strncmp(text, exact[i], strlen(exact[i])) && (exact[i][0] == 'f' ? comma && strchr(comma + 1, ',') != NULL
										     : !strcmp(comma ? comma : "", ", 0")))
			return true;
	return strstr(text, "reserved") || strstr(text, "unknown") || strstr(text, "csr") || strstr(text, "c.addi zero") ||
	       strstr(text, "c.lui") || strstr(text, "unimp");
}

typedef struct Bytes {
	const u8 *at;
	size_t len;
} Bytes;

static bool fetch(void *ctx, unsigned index, u64 *parcel)
{
	const Bytes *bytes = ctx;

	if (2 * index + 1 >= bytes->len)
		return false;
	*parcel = bytes->at[2 * index] | (u64)bytes->at[2 * index + 1] << 8;
	return true;
}

typedef struct Place {
	u64 pc;
	char text[32];
} Place;

/* Targets as distances: GNU makes two instructions of a branch to a number. */
static const char *from_here(void *ctx, u16 space, u64 address)
{
	Place *place = ctx;

	(void)space;
	snprintf(place->text, sizeof place->text, ". + (%lld)", (long long)(address - place->pc));
	return place->text;
}

static void there_and_back(const Isa *isa, bool no_alias)
{
	Place place;
	DisOptions options = {.no_alias = no_alias, .symbol = from_here, .ctx = &place};
	Rng rng = {no_alias ? 1 : 2};
	u8 *mine = malloc(4 * COUNT), *theirs = malloc(4 * COUNT + 1);
	const char **texts = calloc(4 * COUNT, sizeof *texts);
	char path[200];
	size_t len = 0;
	FILE *file;

	snprintf(path, sizeof path, "%s/random.s", folder);
	file = fopen(path, "w");
	assert_true(file && mine && theirs && texts);
	fprintf(file, "\t.option norelax\n\t.option rvc\n\t.text\n\t.globl _start\n_start:\n");
	for (u32 done = 0; done < COUNT;) {
		u64 cells[32];
		u32 count = gen_valid(isa, &rng, cells);
		IsaDecoded decoded;
		Bytes bytes = {mine + len, count};
		Buf text;

		for (u32 i = 0; i < count; i++)
			mine[len + i] = (u8)cells[i];
		isa_decode(isa, fetch, &bytes, &decoded);
		buf_init(&text);
		place.pc = BASE + len;
		dis_instruction(isa, &options, BASE + len, &decoded, &text);
		if (!is_strange(buf_text(&text))) {
			/* The long form stays the long form. */
			fprintf(file, "%s\t%s\n", count == 4 ? "\t.option norvc\n" : "\t.option rvc\n", buf_text(&text));
			texts[len] = strdup(buf_text(&text));
			len += count;
			done++;
		}
		buf_fini(&text);
	}
	fclose(file);
	shell("riscv64-linux-gnu-gcc -march=rv64gc_zba_zbb_zbs -nostdlib -static -Wl,--no-relax -Wl,-Ttext=0x100000 -o random random.s "
	      "&& riscv64-linux-gnu-objcopy -O binary -j .text random random.bin");
	assert_int_equal(read_whole("random.bin", theirs, 4 * COUNT + 1), len);
	for (size_t i = 0; i < len; i++)
		if (mine[i] != theirs[i]) {
			while (!texts[i])
				i--;
			fail_msg("'%s' is other bytes for GNU", texts[i]);
		}
	for (size_t i = 0; i < len; i++)
		free((void *)(uintptr_t)texts[i]);
	free(texts);
	free(mine);
	free(theirs);
}

static void gnu_assembler(void **state)
{
	Isa *isa = load_rv64();

	(void)state;
	need_tool("riscv64-linux-gnu-gcc");
	there_and_back(isa, true);
	there_and_back(isa, false);
	isa_destroy(isa);
}

/* "addi  a0,sp,16" and "addi a0, sp, 0x10" as the same text: one blank behind the mnemonic, numbers in decimal. */
static void plain(const char *text, char *out)
{
	bool operand = false;

	while (*text && *text != '#' && *text != '<' && *text != '\n') {
		char *end;

		if (*text == ' ' || *text == '\t') {
			while (*text == ' ' || *text == '\t')
				text++;
			if (!operand && *text && *text != '#' && *text != '\n')
				*out++ = ' ';
			operand = true;
		} else if (text[0] == '0' && text[1] == 'x') {
			out += sprintf(out, "%lld", strtoll(text, &end, 16));
			text = end;
		} else {
			*out++ = *text++;
		}
	}
	*out = 0;
}

/* The same instruction, though GNU writes it otherwise. */
static bool same_otherwise(const char *mine, const char *theirs)
{
	long a, b;
	char x[16], y[16];

	if (sscanf(mine, "c.lui %15[^,],%ld", x, &a) == 2 && sscanf(theirs, "c.lui %15[^,],%ld", y, &b) == 2)
		return !strcmp(x, y) && (a & 0xFFFFF) == b;
	return !strncmp(theirs, "c.unimp", 7) || strstr(theirs, "csr"); /* other counters have names there */
}

static void gnu_disassembler(void **state)
{
	const DisOptions options = {.no_alias = true};
	Isa *isa = load_rv64();
	u8 *code = malloc(MOST_BYTES);
	char line[400], path[200], mine[400], theirs[400];
	u32 compared = 0;
	size_t len;
	FILE *file;

	(void)state;
	need_tool("riscv64-linux-gnu-gcc");
	snprintf(path, sizeof path, "%s/program.c", folder);
	file = fopen(path, "w");
	assert_true(file && code);
	fprintf(file, "#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>\nint main(int n, char **v)\n{\n"
		      "\tprintf(\"%%f %%d\\n\", pow(atof(v[0]), sin(n)), n);\n\treturn 0;\n}\n");
	fclose(file);
	shell("riscv64-linux-gnu-gcc -O2 -static -o program program.c -lm && riscv64-linux-gnu-objcopy -O binary -j .text program "
	      "program.bin && riscv64-linux-gnu-objdump -D -b binary -m riscv:rv64 -M no-aliases program.bin >program.txt");
	len = read_whole("program.bin", code, MOST_BYTES);
	snprintf(path, sizeof path, "%s/program.txt", folder);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		unsigned long at, word;
		int text = 0;
		IsaDecoded decoded;
		Buf out;

		if (sscanf(line, " %lx: %lx %n", &at, &word, &text) != 2 || !text || at >= len)
			continue;
		isa_decode(isa, fetch, &(Bytes){code + at, len - at}, &decoded);
		buf_init(&out);
		dis_instruction(isa, &options, at, &decoded, &out);
		plain(buf_text(&out), mine);
		plain(line + text, theirs);
		buf_fini(&out);
		if (strcmp(mine, theirs) != 0 && !same_otherwise(mine, theirs))
			fail_msg("at %lx (%lx): '%s' is '%s' for objdump", at, word, mine, theirs);
		compared++;
	}
	fclose(file);
	assert_true(compared > 50000);
	free(code);
	isa_destroy(isa);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

/* What engines are told beforehand: which registers are hot, and where the flags of floats are. */
static void hints(void **state)
{
	Isa *isa = load_rv64();
	u32 slot;
	u8 width;

	(void)state;
	assert_int_equal(isa->pin_count, 27);
	assert_true(isa_find_register(isa, "a5", 2, false, &slot, &width));
	assert_int_equal(isa->pins[0], slot);
	assert_true(isa_find_register(isa, "t6", 2, false, &slot, &width));
	assert_int_equal(isa->pins[18], slot);
	assert_true(isa_find_register(isa, "t2", 2, false, &slot, &width));
	assert_int_equal(isa->pins[26], slot);
	assert_true(isa_find_register(isa, "fflags", 6, false, &slot, &width));
	assert_int_equal(isa_flags_slot(isa), slot);
	isa_destroy(isa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(gnu_assembler), cmocka_unit_test(gnu_disassembler), cmocka_unit_test(hints)};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
