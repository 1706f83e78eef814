/* SPDX-License-Identifier: MIT
 *
 * The simple virtual machine against a model in plain C: random programs under all five calling conventions, compared
 * after every instruction (address, stack, locals through what is printed), with the trace and the output to the byte.
 * The model knows of errors only that they are errors; their words are tested by tests/cli/svm.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "guests/svm/svm.h"

enum { PROGRAMS = 200, STEPS = 300, CODE = 512, FUNCTIONS = 4, LOCALS = 64, CONTEXTS = STEPS + 2 };

static const char *const modes[] = {"shatter", "func-meta", "split", "add-functions", "c"};

typedef struct Context {
	i32 back, function, size, locals[LOCALS];
} Context;

typedef struct Program {
	i32 code[CODE];
	u32 count, globals, functions;
	struct { u32 nargs, nlocals, address; } fn[FUNCTIONS];
} Program;

typedef struct Model {
	const Program *program;
	SvmCalls calls;
	i32 ip, sp, fp, depth, stack[1000], globals[4];
	Context contexts[CONTEXTS];
	Buf out, trace;
} Model;

typedef enum Outcome { GOES_ON, HALTED, FAILED } Outcome;

/* ---- The model ---- */

static const char *const names[] = {"noop", "iadd", "isub", "imul", "ilt", "ieq", "br", "brt", "brf", "iconst", "load",
				    "gload", "store", "gstore", "print", "pop", "call", "ret", "halt"};

static bool by_index(SvmCalls calls)
{
	return calls == SVM_SHATTER || calls == SVM_FUNC_META;
}

static i32 operands(const Model *m, i32 op)
{
	if (op == 16)
		return by_index(m->calls) ? 1 : m->calls == SVM_C ? 3 : 2;
	return op >= 6 && op <= 13;
}

static void show_stack(const Model *m, Buf *out)
{
	buf_str(out, "stack=[");
	for (i32 i = 0; i <= m->sp; i++)
		buf_printf(out, " %d", m->stack[i]);
	buf_str(out, " ]");
}

static void show_before(Model *m)
{
	const i32 *code = &m->program->code[m->ip];
	char text[100], line[200];
	i32 op = code[0];

	if (m->calls == SVM_C) {
		if (op == 16)
			buf_printf(&m->out, "%04d:  %-10s%d,%d,%-6d", m->ip, "call", code[1], code[2], code[3]);
		else if (operands(m, op))
			buf_printf(&m->out, "%04d:  %-10s%-10d", m->ip, names[op], code[1]);
		else if (op != 18)
			buf_printf(&m->out, "%04d:  %-20s", m->ip, names[op]);
		return;
	}
	text[0] = '\0';
	if (op == 16 && by_index(m->calls))
		snprintf(text, sizeof text, "f%d", code[1]);
	else if (op == 16)
		snprintf(text, sizeof text, "%d, %d", code[1], code[2]);
	else if (operands(m, op))
		snprintf(text, sizeof text, "%d", code[1]);
	snprintf(line, sizeof line, "%04d:\t%-11s%s", m->ip, names[op], text);
	buf_printf(&m->trace, "%-35s", line);
}

static void show_after(Model *m)
{
	Buf text;

	buf_init(&text);
	show_stack(m, &text);
	if (m->calls == SVM_C) {
		buf_printf(&m->out, "%s\n", buf_text(&text));
	} else if (m->calls == SVM_SHATTER) {
		buf_printf(&m->trace, "%-22s calls=[", buf_text(&text));
		for (i32 i = 0; i < m->depth; i++)
			buf_printf(&m->trace, "%sf%d", i ? ", " : "", m->contexts[i].function);
		buf_str(&m->trace, "]\n");
	} else {
		buf_printf(&m->trace, "%s\n", buf_text(&text));
	}
	buf_fini(&text);
}

static void show_end(Model *m)
{
	Buf *out = m->calls == SVM_C ? &m->out : &m->trace;

	if (m->calls != SVM_C) {
		show_stack(m, out);
		buf_byte(out, '\n');
	}
	buf_str(out, "Data memory:\n");
	for (u32 i = 0; i < m->program->globals; i++)
		buf_printf(out, "%04u: %d\n", i, m->globals[i]);
	if (m->calls != SVM_C)
		buf_byte(out, '\n');
}

/* Where local i is, or NULL. */
static i32 *local(Model *m, i32 i)
{
	if (m->calls == SVM_ADD_FUNCTIONS)
		return m->fp + i >= 0 && m->fp + i < 1000 ? &m->stack[m->fp + i] : NULL;
	if (!m->depth || i < 0 || i >= m->contexts[m->depth - 1].size)
		return NULL;
	return &m->contexts[m->depth - 1].locals[i];
}

static bool push(Model *m, i32 value)
{
	if (m->sp >= 999)
		return false;
	m->stack[++m->sp] = value;
	return true;
}

static bool call(Model *m, const i32 *code)
{
	i32 nargs = code[2], nlocals = code[3], address = code[1], back = m->ip + 1 + operands(m, 16);
	Context *context = &m->contexts[m->depth];

	if (by_index(m->calls)) {
		if ((u32)code[1] >= m->program->functions)
			return false;
		nargs = (i32)m->program->fn[code[1]].nargs;
		nlocals = (i32)m->program->fn[code[1]].nlocals;
		address = (i32)m->program->fn[code[1]].address;
	} else if (m->calls == SVM_SPLIT) {
		nlocals = 0;
	} else if (m->calls == SVM_ADD_FUNCTIONS) {
		if (!push(m, nargs) || !push(m, m->fp) || !push(m, back))
			return false;
		m->fp = m->sp;
		m->ip = address;
		return true;
	}
	if (nargs < 0 || nargs > m->sp + 1 || (m->calls == SVM_C && (nlocals < 0 || nargs + nlocals > 10 || m->depth >= 100)))
		return false;
	if (m->calls != SVM_C)
		memset(context->locals, 0, sizeof context->locals);
	for (i32 i = 0; i < nargs; i++)
		context->locals[i] = m->stack[m->calls == SVM_C ? m->sp - i : m->sp - nargs + 1 + i];
	context->size = m->calls == SVM_C ? 10 : nargs + nlocals;
	context->function = by_index(m->calls) ? code[1] : 0;
	context->back = back;
	m->depth++;
	m->sp -= nargs;
	m->ip = address;
	return true;
}

static bool ret(Model *m)
{
	i32 result, nargs;

	if (m->calls != SVM_ADD_FUNCTIONS) {
		if (m->depth == (m->calls == SVM_SHATTER))
			return false;
		m->ip = m->contexts[--m->depth].back;
		return true;
	}
	if (m->sp < 0 || m->fp < 2 || m->fp > 999)
		return false;
	result = m->stack[m->sp];
	m->sp = m->fp;
	m->ip = m->stack[m->sp--];
	m->fp = m->stack[m->sp--];
	nargs = m->stack[m->sp--];
	m->sp = (i32)((u32)m->sp - (u32)nargs);
	return m->sp >= -1 && push(m, result);
}

static Outcome step(Model *m)
{
	i32 op, a = 0, b = 0, *where;
	const i32 *code;
	bool taken;

	if (m->ip < 0 || m->ip >= (i32)m->program->count)
		return FAILED;
	code = &m->program->code[m->ip];
	op = code[0];
	if (op == 0 && m->calls == SVM_C)
		show_before(m);
	if (op < 1 || op > 18) {
		if (m->calls == SVM_C)
			buf_printf(&m->out, "invalid opcode: %d at ip=%d\n", op, m->ip);
		return FAILED;
	}
	if (m->ip + operands(m, op) >= (i32)m->program->count || (op == 16 && by_index(m->calls) && (u32)code[1] >= m->program->functions))
		return FAILED;
	show_before(m);
	if (op == 18) {
		show_end(m);
		return HALTED;
	}
	if ((op <= 5 && m->sp < 1) || ((op == 7 || op == 8 || (op >= 12 && op <= 15)) && m->sp < 0))
		return FAILED;
	if (op <= 5 || op == 7 || op == 8 || (op >= 12 && op <= 15))
		b = m->stack[m->sp--];
	if (op <= 5)
		a = m->stack[m->sp--];
	taken = op == 6 || (op == 7 && b == 1) || (op == 8 && b == 0);
	switch (op) {
	case 1: push(m, (i32)((u32)a + (u32)b)); break;
	case 2: push(m, (i32)((u32)a - (u32)b)); break;
	case 3: push(m, (i32)((u32)a * (u32)b)); break;
	case 4: push(m, a < b); break;
	case 5: push(m, a == b); break;
	case 9:
		if (!push(m, code[1]))
			return FAILED;
		break;
	case 10:
		where = local(m, code[1]);
		if (!where || !push(m, *where))
			return FAILED;
		break;
	case 12:
		where = local(m, code[1]);
		if (!where)
			return FAILED;
		*where = b;
		break;
	case 11: case 13:
		if ((u32)code[1] >= m->program->globals)
			return FAILED;
		if (op == 13)
			m->globals[code[1]] = b;
		else if (!push(m, m->globals[code[1]]))
			return FAILED;
		break;
	case 14: buf_printf(&m->out, "%d\n", b); break;
	case 16:
		if (!call(m, code))
			return FAILED;
		break;
	case 17:
		if (!ret(m))
			return FAILED;
		break;
	default: break;
	}
	if (op != 16 && op != 17)
		m->ip = taken ? code[1] : m->ip + 1 + operands(m, op);
	show_after(m);
	return GOES_ON;
}

static void model_init(Model *m, const Program *program, SvmCalls calls)
{
	memset(m, 0, sizeof *m);
	m->program = program;
	m->calls = calls;
	m->sp = m->fp = -1;
	if (calls == SVM_SHATTER) {
		m->depth = 1;
		m->contexts[0].size = (i32)(program->fn[0].nargs + program->fn[0].nlocals);
	}
	buf_init(&m->out);
	buf_init(&m->trace);
}

/* ---- Random programs ---- */

static i32 number(Rng *rng)
{
	static const i32 favoured[] = {0, 0, 1, 1, 2, 3, -1, 10, 2147483647, -2147483647 - 1};

	return rng_below(rng, 3) ? favoured[rng_below(rng, COUNT_OF(favoured))] : (i32)rng_below(rng, 2000) - 1000;
}

static void emit(Program *p, i32 word)
{
	if (p->count < CODE)
		p->code[p->count++] = word;
}

static i32 some_local(Rng *rng, SvmCalls calls, u32 size)
{
	if (!rng_below(rng, 30))
		return (i32)rng_below(rng, 14) - 2;
	if (calls == SVM_ADD_FUNCTIONS)
		return rng_below(rng, 2) ? 1 : -3 - (i32)rng_below(rng, 2);
	return size ? (i32)rng_below(rng, size) : 0;
}

static void emit_call(Program *p, Rng *rng, SvmCalls calls)
{
	u32 f = (u32)rng_below(rng, p->functions);
	bool wild = !rng_below(rng, 40);

	for (u32 i = 0; i < p->fn[f].nargs && rng_below(rng, 20); i++) {
		emit(p, 9);
		emit(p, number(rng));
	}
	emit(p, 16);
	emit(p, wild ? (i32)rng_below(rng, 50) - 2 : by_index(calls) ? (i32)f : (i32)p->fn[f].address);
	if (!by_index(calls))
		emit(p, rng_below(rng, 40) ? (i32)p->fn[f].nargs : (i32)rng_below(rng, 14) - 2);
	if (calls == SVM_C)
		emit(p, (i32)p->fn[f].nlocals);
}

static void emit_some(Program *p, Rng *rng, SvmCalls calls, u32 size)
{
	u32 op = 1 + (u32)rng_below(rng, 17), values = op <= 5 ? 2 : op == 7 || op == 8 || (op >= 12 && op <= 15);

	if (op == 17)
		op = 9;
	for (u32 i = 0; i < values && rng_below(rng, 20); i++) {
		emit(p, 9);
		emit(p, number(rng));
	}
	if (op == 16) {
		emit_call(p, rng, calls);
		return;
	}
	emit(p, rng_below(rng, 60) ? (i32)op : (i32)rng_below(rng, 30) - 5);
	if (op >= 6 && op <= 8)
		emit(p, (i32)(rng_below(rng, 8) ? p->count + 1 + rng_below(rng, 6) : rng_below(rng, p->count + 4)));
	else if (op == 9)
		emit(p, number(rng));
	else if (op == 10 || op == 12)
		emit(p, some_local(rng, calls, size));
	else if (op == 11 || op == 13)
		emit(p, (i32)rng_below(rng, rng_below(rng, 20) && p->globals ? p->globals : 5));
}

/* Functions stand before main, so that their addresses are known. */
static void generate(Program *p, Rng *rng, SvmCalls calls)
{
	memset(p, 0, sizeof *p);
	p->globals = (u32)rng_below(rng, 4);
	p->functions = 1; /* until main is reached */
	for (u32 f = FUNCTIONS; f-- > 0;) {
		u32 first = f ? FUNCTIONS - f : 0, size;

		p->fn[first].nargs = first ? (u32)rng_below(rng, 4) : 0;
		p->fn[first].nlocals = (u32)rng_below(rng, 4);
		p->fn[first].address = p->count;
		p->functions = first + 1 > p->functions ? first + 1 : p->functions;
		size = calls == SVM_C ? 10 : p->fn[first].nargs + (calls == SVM_SPLIT ? 0 : p->fn[first].nlocals);
		for (u32 i = 2 + (u32)rng_below(rng, 10); i > 0; i--)
			emit_some(p, rng, calls, size);
		if (first) {
			emit(p, 9);
			emit(p, number(rng));
		}
		emit(p, first ? 17 : 18);
	}
	if (!rng_below(rng, 20))
		p->count = 1 + (u32)rng_below(rng, p->count);
	for (u32 f = 0; f < p->functions; f++)
		if (p->fn[f].address >= p->count)
			p->fn[f].address = p->count - 1;
}

/* ---- Side by side ---- */

static void on_output(void *ctx, const u8 *bytes, size_t len)
{
	buf_add(ctx, bytes, len);
}

static void load(Machine *machine, const Program *p)
{
	GuestFile file = {.name = "random.svmi"};
	DiagList diags;
	Buf text;

	buf_init(&text);
	diag_init(&diags);
	buf_printf(&text, "globals %u\n", p->globals);
	for (u32 f = 0; f < p->functions; f++)
		buf_printf(&text, "function f%u %u %u %u\n", f, p->fn[f].nargs, p->fn[f].nlocals, p->fn[f].address);
	for (u32 i = 0; i < p->count; i++)
		buf_printf(&text, "%d, ", p->code[i]);
	file.data = text.data;
	file.len = text.len;
	assert_int_equal(svm_guest.load(machine, &file, 1, &diags), STATUS_OK);
	diag_fini(&diags);
	buf_fini(&text);
}

static void same_state(const Model *m, const Machine *machine)
{
	assert_int_equal((i32)machine_pc(machine), m->ip);
	assert_int_equal((i32)svm_register(machine, "sp"), m->sp);
	for (i32 i = 0; i <= m->sp; i++)
		assert_int_equal((i32)svm_cell(machine, "stack", (u64)i), m->stack[i]);
}

/* Returns what the program came to. */
static Outcome compare(const Isa *isa, Model *m)
{
	MachineConfig config = {.isa = isa, .guest = &svm_guest};
	Outcome outcome = GOES_ON;
	MachineStop stop;
	Machine *machine;
	DiagList diags;
	Buf out, trace;

	buf_init(&out);
	buf_init(&trace);
	diag_init(&diags);
	assert_int_equal(machine_create(&config, &machine, &diags), STATUS_OK);
	machine_set_output(machine, on_output, &out);
	load(machine, m->program);
	for (u32 i = 0; i < STEPS && outcome == GOES_ON; i++) {
		same_state(m, machine);
		svm_trace.before(machine, &trace);
		stop = machine_run(machine, 1);
		outcome = step(m);
		if (outcome == GOES_ON) {
			assert_int_equal(stop.kind, STOP_BUDGET);
			svm_trace.after(machine, &trace);
		} else {
			assert_int_equal(stop.kind == STOP_HALT && !stop.code, outcome == HALTED);
			if (outcome == HALTED)
				svm_trace.end(machine, &stop, &trace);
		}
	}
	machine_run(machine, 0);
	assert_string_equal(buf_text(&out), buf_text(&m->out));
	assert_string_equal(buf_text(&trace), buf_text(&m->trace));
	machine_destroy(machine);
	diag_fini(&diags);
	buf_fini(&out);
	buf_fini(&trace);
	return outcome;
}

static void random_programs(void **state)
{
	Model *m = malloc(sizeof *m);
	Rng rng = {2026};
	Program program;

	(void)state;
	assert_non_null(m);
	for (u32 calls = 0; calls < COUNT_OF(modes); calls++) {
		IsaChoice choice = {"calls", modes[calls]};
		u32 outcomes[3] = {0};
		DiagList diags;
		Isa *isa;

		diag_init(&diags);
		isa = isa_load("svm.isa", svm_isa_text, strlen(svm_isa_text), &choice, 1, &diags);
		assert_non_null(isa);
		assert_int_equal(diags.count, 0);
		for (u32 i = 0; i < PROGRAMS; i++) {
			generate(&program, &rng, (SvmCalls)calls);
			model_init(m, &program, (SvmCalls)calls);
			m->ip = (i32)program.fn[0].address;
			outcomes[compare(isa, m)]++;
			buf_fini(&m->out);
			buf_fini(&m->trace);
		}
		/* The programs are worth something only if many get far. */
		assert_true(outcomes[HALTED] > PROGRAMS / 10);
		assert_true(outcomes[FAILED] > PROGRAMS / 20);
		isa_destroy(isa);
		diag_fini(&diags);
	}
	free(m);
}

/* ---- Files of all kinds ---- */

static void binary_file(Buf *out)
{
	static const i32 code[] = {10, 0, 10, 1, 2, 17, 9, 10, 9, 3, 16, 1, 14, 18};

	buf_add(out, "SVM\x1a", 4);
	buf_u32(out, 1);
	buf_u32(out, 2); /* globals */
	buf_u32(out, 6); /* start */
	buf_u32(out, 2); /* functions */
	buf_u32(out, COUNT_OF(code));
	for (u32 f = 0; f < 2; f++) {
		buf_u32(out, 2 * f);
		buf_u32(out, 0);
		buf_u32(out, f ? 0 : 6);
		buf_byte(out, 4);
		buf_add(out, f ? "diff" : "main", 4);
	}
	for (u32 i = 0; i < COUNT_OF(code); i++)
		buf_u32(out, (u32)code[i]);
}

/* Loads a file, and runs it if it can be loaded. Returns whether it could. */
static bool try_file(const Isa *isa, const char *name, const u8 *data, size_t len, Buf *out)
{
	MachineConfig config = {.isa = isa, .guest = &svm_guest, .memory_limit = 1 << 24};
	GuestFile file = {.name = name, .data = data, .len = len};
	Machine *machine;
	DiagList diags;
	Status status;

	diag_init(&diags);
	assert_int_equal(machine_create(&config, &machine, &diags), STATUS_OK);
	machine_set_output(machine, on_output, out);
	status = svm_guest.load(machine, &file, 1, &diags);
	assert_true(status == STATUS_OK || status == STATUS_NOMEM || status == STATUS_TOO_BIG || diags.errors);
	if (!status)
		for (u32 i = 0; i < 20 && machine_run(machine, 1).kind == STOP_BUDGET; i++) {
			svm_trace.before(machine, out);
			svm_trace.after(machine, out);
		}
	machine_destroy(machine);
	diag_fini(&diags);
	return !status;
}

static void damaged_files(void **state)
{
	static const char text[] = "globals 2 function main 0 0 6 function diff 2 0 0 start 6\n10 0 | 10, 1 2 17 // x\n9 10 9 3 16 1 14 18";
	Rng rng = {7};
	DiagList diags;
	Buf file, out;
	u32 good = 0;
	Isa *isa;

	(void)state;
	diag_init(&diags);
	isa = isa_load("svm.isa", svm_isa_text, strlen(svm_isa_text), NULL, 0, &diags);
	assert_non_null(isa);
	buf_init(&out);
	for (u32 i = 0; i < 800; i++) {
		buf_init(&file);
		if (i % 2)
			binary_file(&file);
		else
			buf_str(&file, text);
		for (u32 n = (u32)rng_below(&rng, 4); i > 1 && n > 0; n--)
			file.data[rng_below(&rng, file.len)] = rng_below(&rng, 2) ? (u8)rng_next(&rng) : (u8)(rng_below(&rng, 2) ? 0 : '9');
		if (i > 1 && !rng_below(&rng, 8))
			file.len = rng_below(&rng, file.len);
		good += try_file(isa, i % 2 ? "x.svmo" : "x.svmi", file.data, file.len, &out);
		if (i < 2)
			assert_int_equal(good, i + 1);
		buf_fini(&file);
		if (out.len > 1 << 20)
			buf_clear(&out);
	}
	assert_true(good > 50 && good < 750);
	buf_fini(&out);
	isa_destroy(isa);
	diag_fini(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_programs), cmocka_unit_test(damaged_files)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
