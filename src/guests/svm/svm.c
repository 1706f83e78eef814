/* SPDX-License-Identifier: MIT
 *
 * The simple virtual machine as a guest. Its description holds all of the meaning; here stand what needs memory of no
 * fixed size (contexts as many as there is room for, functions with very many locals), the context that `main` has
 * before the first instruction in the last of the machines, and the words the originals complain with: most of them
 * are Java's about an index of an array.
 */
#include "guests/svm/svm.h"

#include <string.h>

typedef struct Private {
	u32 start;
} Private;

enum { ROOM_FIRST = 1024 };

/* Numbers of `raise` in the description. */
enum { NO_LOCAL = 1, TOO_DEEP = 2, NO_CALLER = 3, TOO_FEW = 4 };

SvmCalls svm_calls(const Machine *machine)
{
	const Isa *isa = machine_isa(machine);

	for (u32 i = 0; i < isa->option_count; i++)
		if (strcmp(isa->options[i].name, "calls") == 0)
			return (SvmCalls)isa->options[i].chosen;
	return SVM_SHATTER;
}

u16 svm_space(const Machine *machine, const char *name)
{
	return isa_find_space(machine_isa(machine), name, strlen(name));
}

static u32 slot_of(const Machine *machine, const char *name)
{
	u32 slot = 0;
	u8 width;

	isa_find_register(machine_isa(machine), name, strlen(name), false, &slot, &width);
	return slot;
}

u32 svm_register(const Machine *machine, const char *name)
{
	return (u32)machine_slot(machine, slot_of(machine, name));
}

static void set_register(Machine *machine, const char *name, u32 value)
{
	machine_set_slot(machine, slot_of(machine, name), value);
}

u32 svm_cell(const Machine *machine, const char *space, u64 address)
{
	u64 value = 0;

	machine_read(machine, svm_space(machine, space), address, &value);
	return (u32)value;
}

static u32 function_fact(const Machine *machine, u32 function, SvmColumn column)
{
	u64 value = 0;

	machine_get_table(machine, 0, (u16)column, function, &value);
	return (u32)value;
}

void svm_function_name(const Machine *machine, u32 function, Buf *out)
{
	u64 value, at;

	if (machine_get_table(machine, 0, SVM_NAME, function, &at))
		return;
	for (u32 i = 0; i < SVM_MAX_NAME; i++) {
		if (machine_read(machine, svm_space(machine, "names"), at + i, &value) || !value)
			return;
		buf_byte(out, (u8)value);
	}
}

/* ---- Loading ---- */

/* The context of main, which only the last machine makes by itself. */
static void begin_main(Machine *machine)
{
	u16 locals = svm_space(machine, "locals");
	u32 size = function_fact(machine, 0, SVM_NARGS) + function_fact(machine, 0, SVM_NLOCALS);

	for (u64 i = 0; i < machine_cells(machine, locals); i++)
		machine_write(machine, locals, i, 0);
	set_register(machine, "room", (u32)machine_cells(machine, locals));
	if (svm_calls(machine) != SVM_SHATTER || SVM_HEADER + size > machine_cells(machine, locals))
		return;
	set_register(machine, "fp", SVM_HEADER);
	set_register(machine, "lp", SVM_HEADER + size);
	set_register(machine, "depth", 1);
}

static void reset(Machine *machine)
{
	Private *own = machine_private(machine);

	begin_main(machine);
	machine_set_pc(machine, own->start);
}

static Status put_functions(Machine *machine, const SvmProgram *program)
{
	u16 names = svm_space(machine, "names");
	u64 at = 0, size = 0;
	Status status;

	for (u32 f = 0; f < program->function_count; f++)
		size += program->functions[f].name_len + 1;
	status = machine_resize(machine, names, size);
	for (u32 f = 0; !status && f < program->function_count; f++) {
		const SvmFunction *function = &program->functions[f];
		const u32 row[] = {function->nargs, function->nlocals, function->address, (u32)at};

		for (u16 c = 0; !status && c < COUNT_OF(row); c++)
			status = machine_set_table(machine, 0, c, f, row[c]);
		for (u32 i = 0; i < function->name_len; i++)
			machine_write(machine, names, at++, (u8)function->name[i]);
		machine_write(machine, names, at++, 0);
	}
	return status;
}

static Status load(Machine *machine, const GuestFile *files, u32 count, DiagList *diags)
{
	Private *own = machine_private(machine);
	u16 code = svm_space(machine, "code");
	SvmProgram program;
	Status status;
	u32 room;

	if (!count)
		return STATUS_OK;
	if (count > 1) {
		diag_report_file(diags, DIAG_ERROR, files[1].name, NULL, "one program at a time: the machine cannot link");
		return STATUS_INVALID;
	}
	status = svm_read(&files[0], &program, diags);
	if (!status)
		status = machine_resize(machine, code, program.word_count);
	if (!status)
		status = machine_resize(machine, svm_space(machine, "globals"), program.globals);
	if (!status)
		status = put_functions(machine, &program);
	if (!status) {
		room = SVM_HEADER + program.functions[0].nargs + program.functions[0].nlocals;
		status = machine_resize(machine, svm_space(machine, "locals"), room > ROOM_FIRST ? room : ROOM_FIRST);
	}
	for (u32 i = 0; !status && i < program.word_count; i++)
		status = machine_write(machine, code, i, program.words[i]);
	if (!status) {
		own->start = program.start;
		machine_reset(machine, true);
	}
	svm_program_fini(&program);
	return status;
}

static Status read_names(const Machine *machine, const GuestFile *file, const GuestNames *names)
{
	SvmProgram program;
	DiagList diags;
	Status status;

	if (!svm_recognize(file))
		return STATUS_FORMAT;
	diag_init(&diags);
	status = svm_read(file, &program, &diags);
	for (u32 f = 0; !status && f < program.function_count; f++)
		names->symbol(names->ctx, program.functions[f].name, program.functions[f].name_len,
			      machine_isa(machine)->code_space, program.functions[f].address);
	svm_program_fini(&program);
	diag_fini(&diags);
	return status;
}

/* ---- Services ---- */

/* more(cells): room for so many cells of frames. */
static HostResult host_more(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	u16 locals = svm_space(machine, "locals");
	u64 cells = machine_cells(machine, locals) * 2;

	(void)count;
	if (cells < args[0])
		cells = args[0];
	if (cells > 0x7FFFFFFF || machine_resize(machine, locals, cells)) {
		*result = TOO_DEEP;
		return HOST_RAISE;
	}
	*result = cells;
	return HOST_OK;
}

/* arguments(nargs, nlocals): what `call` does for functions with very many of them. */
static HostResult host_arguments(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	u16 locals = svm_space(machine, "locals");
	u32 sp = svm_register(machine, "sp"), lp = svm_register(machine, "lp");
	u64 nargs = args[0], nlocals = args[1];

	(void)count;
	if ((i64)nargs > (i32)sp + 1) {
		*result = TOO_FEW;
		return HOST_RAISE;
	}
	for (u64 i = 0; i < nargs; i++)
		machine_write(machine, locals, lp + SVM_HEADER + i, svm_cell(machine, "stack", sp + 1 - nargs + i));
	for (u64 i = nargs; i < nargs + nlocals; i++)
		machine_write(machine, locals, lp + SVM_HEADER + i, 0);
	return HOST_OK;
}

static void invalid_opcode(const Machine *machine, Buf *out)
{
	u32 pc = (u32)machine_pc(machine);

	buf_printf(out, "invalid opcode: %d at ip=%u", (i32)svm_cell(machine, "code", pc), pc);
}

/* complain(): what the C port prints for a word that is no instruction. */
static HostResult host_complain(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	Buf text;

	(void)args, (void)count, (void)result;
	buf_init(&text);
	invalid_opcode(machine, &text);
	buf_byte(&text, '\n');
	for (size_t i = 0; i < text.len; i++)
		machine_putc(machine, text.data[i]);
	buf_fini(&text);
	return HOST_OK;
}

static const HostEntry hosts[] = {
	{"more", host_more}, {"arguments", host_arguments}, {"complain", host_complain}, {NULL, NULL},
};

/* ---- The originals' words ---- */

static void bad_index(Buf *out, i64 index, u64 length)
{
	buf_printf(out, "Index %lld out of bounds for length %llu", (long long)index, (unsigned long long)length);
}

static void explain_fault(Machine *machine, const MachineStop *stop, Buf *out)
{
	u64 cells = machine_cells(machine, stop->space);
	i64 index = (i32)stop->address;

	if (stop->space == machine_isa(machine)->code_space) /* the pc itself, or an operand behind the end */
		index = stop->pc < cells ? (i64)cells : (i32)stop->pc;
	bad_index(out, index, cells);
}

static void explain_trap(Machine *machine, const MachineStop *stop, Buf *out)
{
	SvmCalls calls = svm_calls(machine);
	u32 contexts = calls == SVM_C ? 100 : 1000, depth = svm_register(machine, "depth");
	i32 operand = (i32)svm_cell(machine, "code", stop->pc + 1), nargs = operand;

	switch (stop->code) {
	case NO_LOCAL:
		if (depth)
			bad_index(out, operand, svm_register(machine, "lp") - svm_register(machine, "fp"));
		else
			bad_index(out, -1, contexts);
		break;
	case TOO_DEEP:
		if (calls == SVM_SHATTER)
			buf_printf(out, "the contexts of %u calls fill the memory", depth);
		else
			bad_index(out, contexts, contexts);
		break;
	case NO_CALLER:
		if (calls != SVM_SHATTER)
			bad_index(out, -1, contexts);
		break;
	case TOO_FEW:
		if (calls == SVM_SPLIT)
			nargs = (i32)svm_cell(machine, "code", stop->pc + 2);
		else
			nargs = (i32)function_fact(machine, (u32)operand, SVM_NARGS);
		bad_index(out, (i64)(i32)svm_register(machine, "sp") - nargs + 1, machine_cells(machine, svm_space(machine, "stack")));
		break;
	default: break;
	}
}

static void explain(Machine *machine, const MachineStop *stop, Buf *out)
{
	SvmCalls calls = svm_calls(machine);
	u32 opcode = svm_cell(machine, "code", stop->pc);

	if (stop->kind == STOP_FAULT)
		explain_fault(machine, stop, out);
	else if (stop->kind == STOP_TRAP)
		explain_trap(machine, stop, out);
	else if (opcode == 16 && (calls == SVM_SHATTER || calls == SVM_FUNC_META))
		bad_index(out, (i32)svm_cell(machine, "code", stop->pc + 1), machine_table_rows(machine, 0));
	else
		invalid_opcode(machine, out);
}

/* ---- Back to a text ---- */

/* Is this name written as it is? */
static bool is_label(const Buf *name)
{
	for (size_t i = 0; i < name->len; i++) {
		const u8 c = name->data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i && c >= '0' && c <= '9')))
			return false;
	}
	return name->len > 0;
}

/* The functions that begin at this address; before everything the globals and where it starts. */
static u32 source_item(Machine *machine, u64 address, const char *label, bool *as_code, bool *lossy, Buf *out)
{
	const Private *own = machine_private(machine);
	const u64 globals = machine_cells(machine, svm_space(machine, "globals"));
	const u32 functions = (u32)machine_table_rows(machine, 0);
	Buf name;

	(void)label, (void)as_code;
	if (!address && globals)
		buf_printf(out, "          .globals %llu\n", (unsigned long long)globals);
	if (!address && own->start != function_fact(machine, 0, SVM_ADDRESS))
		buf_printf(out, "          .start %u\n", own->start);
	for (u32 f = 0; f < functions; f++) {
		if (function_fact(machine, f, SVM_ADDRESS) != address)
			continue;
		buf_init(&name);
		svm_function_name(machine, f, &name);
		/* A row's number is its place in the text. */
		*lossy |= !is_label(&name) || (f && function_fact(machine, f - 1, SVM_ADDRESS) > address);
		buf_printf(out, "%s: .func %u, %u\n", buf_text(&name), function_fact(machine, f, SVM_NARGS),
			   function_fact(machine, f, SVM_NLOCALS));
		buf_fini(&name);
	}
	return 0;
}

static const GuestFormat formats[] = {
	{"svmo", ".svmo", svm_write},
	{NULL, NULL, NULL},
};

static const char *const extensions[] = {".svm", NULL};

const Guest svm_guest = {
	.name = "svm",
	.isa_name = "SVM",
	.hosts = hosts,
	.recognize = svm_recognize,
	.load = load,
	.reset = reset,
	.formats = formats,
	.read_names = read_names,
	.asm_extensions = extensions,
	.isa_text = svm_isa_text,
	.isa_frozen = svm_isa_frozen,
	.private_size = sizeof(Private),
	.trace = &svm_trace,
	.explain = explain,
	.source_item = source_item,
	.describe = svm_describe,
};
