/* SPDX-License-Identifier: MIT
 *
 * What the original prints with its trace switched on, byte for byte. Before an instruction its address, name and
 * operands; behind it, on the same line, the stack; at the end the globals. The Java machines write to stderr, the last
 * of them with the names of the active functions; the C port writes to stdout, among the program's own output.
 *
 *     0006:<tab>iconst     10                stack=[ 10 ]           calls=[main]         shatter
 *     0006:<tab>iconst     10                stack=[ 10 ]                                the other Java machines
 *     0006:  iconst    10        stack=[ 10 ]                                            C
 */
#include "guests/svm/svm.h"

#include <stdlib.h>
#include <string.h>

enum { OPERAND_COLUMN = 12, STACK_COLUMN = 35, CALLS_COLUMN = 22, OPCODES = 19, DESCRIBED = 16 /* values, calls */ };

static const char *const opcode_names[OPCODES] = {
	"noop",  "iadd",   "isub",  "imul",  "ilt",    "ieq",   "br",  "brt",  "brf", "iconst",
	"load",  "gload",  "store", "gstore", "print", "pop",   "call", "ret", "halt",
};

static bool is_first_machine(const Machine *machine)
{
	const char *halt = isa_option_value(machine_isa(machine), "halt");

	return halt && strcmp(halt, "16") == 0;
}

static const char *name_of(const Machine *machine, u32 opcode)
{
	if (opcode == 16 && is_first_machine(machine))
		return "halt";
	return opcode < OPCODES ? opcode_names[opcode] : "?";
}

static u32 operands_of(const Machine *machine, u32 opcode)
{
	SvmCalls calls = svm_calls(machine);

	if (opcode == 16 && !is_first_machine(machine))
		return calls == SVM_C ? 3 : calls == SVM_SPLIT || calls == SVM_ADD_FUNCTIONS ? 2 : 1;
	return opcode >= 6 && opcode <= 13;
}

/* The original fails while it puts the line together for a word that is no instruction, one whose operands are not
 * all there, or a call of a function that does not exist: it prints nothing of it. */
static bool is_whole(const Machine *machine, u32 pc)
{
	SvmCalls calls = svm_calls(machine);
	u32 opcode = svm_cell(machine, "code", pc);

	if (opcode == 0 || opcode > (is_first_machine(machine) ? 16u : 18u) ||
	    (u64)pc + operands_of(machine, opcode) >= machine_cells(machine, svm_space(machine, "code")))
		return false;
	return opcode != 16 || operands_of(machine, opcode) != 1 || (calls != SVM_SHATTER && calls != SVM_FUNC_META) ||
	       svm_cell(machine, "code", (u64)pc + 1) < machine_table_rows(machine, 0);
}

static void put_stdout(Machine *machine, const Buf *text)
{
	for (size_t i = 0; i < text->len; i++)
		machine_putc(machine, text->data[i]);
}

static void java_instruction(const Machine *machine, u32 pc, Buf *out)
{
	SvmCalls calls = svm_calls(machine);
	u32 opcode = svm_cell(machine, "code", pc), operands = operands_of(machine, opcode);
	size_t start = out->len;

	buf_printf(out, "%04u:\t%-11s", pc, name_of(machine, opcode));
	if (opcode == 16 && operands == 1 && (calls == SVM_SHATTER || calls == SVM_FUNC_META))
		svm_function_name(machine, svm_cell(machine, "code", pc + 1), out);
	else
		for (u32 i = 1; i <= operands; i++)
			buf_printf(out, "%s%d", i > 1 ? ", " : "", (i32)svm_cell(machine, "code", pc + i));
	if (out->len - start < STACK_COLUMN)
		buf_fill(out, ' ', STACK_COLUMN - (out->len - start));
}

static void c_instruction(const Machine *machine, u32 pc, Buf *out)
{
	u32 opcode = svm_cell(machine, "code", pc);
	const char *name = name_of(machine, opcode);
	i32 a = (i32)svm_cell(machine, "code", pc + 1), b = (i32)svm_cell(machine, "code", pc + 2);
	i32 c = (i32)svm_cell(machine, "code", pc + 3);

	switch (operands_of(machine, opcode)) {
	case 0: buf_printf(out, "%04u:  %-20s", pc, name); break;
	case 1: buf_printf(out, "%04u:  %-10s%-10d", pc, name, a); break;
	default: buf_printf(out, "%04u:  %-10s%d,%d,%-6d", pc, name, a, b, c); break;
	}
}

static void stack_text(const Machine *machine, Buf *out)
{
	i32 sp = (i32)svm_register(machine, "sp");

	buf_str(out, "stack=[");
	for (i32 i = 0; i <= sp && i < 1000; i++)
		buf_printf(out, " %d", (i32)svm_cell(machine, "stack", (u64)i));
	buf_str(out, " ]");
}

/* The names of the active functions, outermost first. Frames lie one behind the other. */
static void calls_text(const Machine *machine, Buf *out)
{
	u16 locals = svm_space(machine, "locals");
	u32 depth = svm_register(machine, "depth"), fp = svm_register(machine, "fp");
	u64 *functions = depth && depth <= machine_cells(machine, locals) ? calloc(depth, sizeof *functions) : NULL;

	buf_str(out, "calls=[");
	for (u32 i = depth; functions && i-- > 0;) {
		machine_read(machine, locals, (u64)fp - 1, &functions[i]);
		fp = svm_cell(machine, "locals", (u64)fp - 2);
	}
	for (u32 i = 0; functions && i < depth; i++) {
		if (i)
			buf_str(out, ", ");
		svm_function_name(machine, (u32)functions[i], out);
	}
	buf_str(out, "]");
	free(functions);
}

void svm_describe(const Machine *machine, Buf *out)
{
	const i32 sp = (i32)svm_register(machine, "sp"), from = sp >= DESCRIBED ? sp - DESCRIBED + 1 : 0;

	buf_str(out, from ? "stack=[ .." : "stack=[");
	for (i32 i = from; i <= sp && i < 1000; i++)
		buf_printf(out, " %d", (i32)svm_cell(machine, "stack", (u64)i));
	buf_str(out, " ]");
	if (svm_calls(machine) != SVM_SHATTER || svm_register(machine, "depth") > DESCRIBED)
		return;
	buf_str(out, " ");
	calls_text(machine, out);
}

static void globals_text(const Machine *machine, Buf *out)
{
	u64 count = machine_cells(machine, svm_space(machine, "globals"));

	buf_str(out, "Data memory:\n");
	for (u64 i = 0; i < count; i++)
		buf_printf(out, "%04llu: %d\n", (unsigned long long)i, (i32)svm_cell(machine, "globals", i));
}

static void before(Machine *machine, Buf *out)
{
	u32 pc = (u32)machine_pc(machine);
	u32 opcode = svm_cell(machine, "code", pc);
	bool in_c = svm_calls(machine) == SVM_C;
	Buf text;

	if (pc >= machine_cells(machine, svm_space(machine, "code")) ||
	    (!is_whole(machine, pc) && !(in_c && opcode == 0))) /* which the C port has a name for */
		return;
	if (!in_c) {
		java_instruction(machine, pc, out);
		return;
	}
	if (strcmp(name_of(machine, opcode), "halt") == 0)
		return;
	buf_init(&text);
	c_instruction(machine, pc, &text);
	put_stdout(machine, &text);
	buf_fini(&text);
}

static void after(Machine *machine, Buf *out)
{
	size_t start = out->len;
	Buf text;

	switch (svm_calls(machine)) {
	case SVM_C:
		buf_init(&text);
		stack_text(machine, &text);
		buf_byte(&text, '\n');
		put_stdout(machine, &text);
		buf_fini(&text);
		return;
	case SVM_SHATTER:
		stack_text(machine, out);
		if (out->len - start < CALLS_COLUMN)
			buf_fill(out, ' ', CALLS_COLUMN - (out->len - start));
		buf_byte(out, ' ');
		calls_text(machine, out);
		break;
	default:
		stack_text(machine, out);
		break;
	}
	buf_byte(out, '\n');
}

static void end(Machine *machine, const MachineStop *stop, Buf *out)
{
	bool in_c = svm_calls(machine) == SVM_C;
	Buf text;

	if (stop->kind != STOP_HALT || stop->code) {
		if (!in_c && out->len && out->data[out->len - 1] != '\n')
			buf_byte(out, '\n');
		return;
	}
	buf_init(&text);
	if (!in_c) {
		stack_text(machine, &text);
		buf_byte(&text, '\n');
	}
	globals_text(machine, &text);
	if (in_c) {
		put_stdout(machine, &text);
	} else {
		buf_byte(&text, '\n');
		buf_add(out, text.data, text.len);
	}
	buf_fini(&text);
}

const GuestTrace svm_trace = {.name = "svm", .before = before, .after = after, .end = end};
