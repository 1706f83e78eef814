/* SPDX-License-Identifier: MIT
 *
 * husk lab: what its experiments share. The experiments stand in lab_*.c.
 */
#include "cmd/lab.h"

#include <string.h>
#include <time.h>

#include "cmd/verbs.h"
#include "guests/embed.h"

#define TEXT(symbol, file) \
	EMBED(symbol, "src/lab/programs/" file, ""); \
	extern const char symbol[], symbol##_end[]

TEXT(lab_sieve_asm, "sieve.asm");
TEXT(lab_poly_asm, "poly.asm");
TEXT(lab_sum_asm, "sum.asm");
TEXT(lab_fib_asm, "fib.asm");
TEXT(lab_poly_iasm, "poly.iasm");
TEXT(lab_sum_iasm, "sum.iasm");
TEXT(lab_fib_iasm, "fib.iasm");
TEXT(lab_poly_svm, "poly.svm");
TEXT(lab_sum_svm, "sum.svm");
TEXT(lab_fib_svm, "fib.svm");
TEXT(lab_poly_sasm, "poly.sasm");
TEXT(lab_sum_sasm, "sum.sasm");

static const LabText texts[] = {
	{"sieve.asm", lab_sieve_asm, lab_sieve_asm_end},
	{"poly.asm", lab_poly_asm, lab_poly_asm_end},
	{"sum.asm", lab_sum_asm, lab_sum_asm_end},
	{"fib.asm", lab_fib_asm, lab_fib_asm_end},
	{"poly.iasm", lab_poly_iasm, lab_poly_iasm_end},
	{"sum.iasm", lab_sum_iasm, lab_sum_iasm_end},
	{"fib.iasm", lab_fib_iasm, lab_fib_iasm_end},
	{"poly.svm", lab_poly_svm, lab_poly_svm_end},
	{"sum.svm", lab_sum_svm, lab_sum_svm_end},
	{"fib.svm", lab_fib_svm, lab_fib_svm_end},
	{"poly.sasm", lab_poly_sasm, lab_poly_sasm_end},
	{"sum.sasm", lab_sum_sasm, lab_sum_sasm_end},
	{NULL, NULL, NULL},
};

const LabText *lab_text(const char *name)
{
	for (const LabText *text = texts; text->name; text++)
		if (strcmp(text->name, name) == 0)
			return text;
	return NULL;
}

static void no_output(void *ctx, const u8 *bytes, size_t len)
{
	(void)ctx;
	(void)bytes;
	(void)len;
}

void lab_silence(Machine *machine)
{
	machine_set_output(machine, no_output, NULL);
	machine_input_end(machine);
}

int lab_load_text(Loaded *loaded, const LoadOptions *options, const LabText *text)
{
	int code = load_text(loaded, text->name, text->begin, (size_t)(text->end - text->begin));

	if (!code)
		code = load_isa(loaded, options);
	if (!code)
		code = load_assemble(loaded, options);
	if (!code)
		code = load_machine(loaded, options);
	if (code)
		load_complain(loaded);
	else
		lab_silence(loaded->machine);
	return code;
}

double lab_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void svg_text(Buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			buf_str(out, "&lt;");
		else if (*text == '>')
			buf_str(out, "&gt;");
		else if (*text == '&')
			buf_str(out, "&amp;");
		else
			buf_byte(out, (u8)*text);
	}
}

void lab_chart(Buf *out, const char *title, const char *unit, const LabBar *bars, u32 count)
{
	enum { LEFT = 170, WIDTH = 430, ROW = 30, TOP = 56, RIGHT = 230 };
	double most = 0;

	for (u32 i = 0; i < count; i++)
		most = bars[i].value > most ? bars[i].value : most;
	buf_printf(out,
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %u\" font-family=\"sans-serif\" "
		   "font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
		   "<text x=\"12\" y=\"24\" font-size=\"16\" font-weight=\"bold\">",
		   LEFT + WIDTH + RIGHT, TOP + count * ROW + 12);
	svg_text(out, title);
	buf_printf(out, "</text>\n<text x=\"%d\" y=\"44\" fill=\"#666\">", LEFT);
	svg_text(out, unit);
	buf_str(out, "</text>\n");
	for (u32 i = 0; i < count; i++) {
		double width = most > 0 && bars[i].value > 0 ? bars[i].value / most * WIDTH : 0;
		unsigned y = TOP + i * ROW;

		buf_printf(out, "<text x=\"%d\" y=\"%u\" text-anchor=\"end\">", LEFT - 8, y + 16);
		svg_text(out, bars[i].name);
		buf_printf(out, "</text>\n<rect x=\"%d\" y=\"%u\" width=\"%.1f\" height=\"20\" fill=\"#3a6ea5\"/>\n", LEFT,
			   y + 2, width);
		buf_printf(out, "<text x=\"%.1f\" y=\"%u\">", LEFT + width + 6, y + 16);
		if (bars[i].value >= 0)
			buf_printf(out, bars[i].value < 10 ? "%.2f " : "%.0f ", bars[i].value);
		svg_text(out, bars[i].note);
		buf_str(out, "</text>\n");
	}
	buf_str(out, "</svg>\n");
}

static const Verb *const verbs[] = {&verb_lab_dispatch, &verb_lab_machines, NULL};

const Verb verb_lab = {
	.name = "lab",
	.help = "experiments: how interpreters and instruction sets differ, measured here",
	.operands = "",
	.verbs = verbs,
	.text = "Each prints a table and says what it shows; --svg FILE draws it.\n",
};
