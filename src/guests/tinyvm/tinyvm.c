/* SPDX-License-Identifier: MIT
 *
 * The TinyVM as a guest: which files are its own, how a program gets into the spaces, where threads start, and what a
 * thread waits for.
 *
 *     code    | function 0 .. END END | function 1 .. END END | .. | BEGIN |
 *     texts   | 0 | name 1 \0 name 2 \0 .. | lines \0 .. | the head \0 |
 *     tables  names[id] -> texts    lines[address] -> texts    functions[k] -> name, start, count
 *
 * A name's number is the same wherever its text is, so the machine compares numbers. Two ENDs, because the original's
 * stages 09 and 10 resume one instruction too far, which may be one behind the last.
 */
#include "guests/tinyvm/tinyvm.h"

#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"
#include "machine/vcpus.h"

unsigned tvm_stage(const Isa *isa)
{
	const char *choice = isa_option_value(isa, "stage");

	return choice && choice[0] == 's' ? (unsigned)((choice[1] - '0') * 10 + (choice[2] - '0')) : 10;
}

static u16 table_of(const Isa *isa, const char *name)
{
	for (u32 i = 0; i < isa->table_count; i++)
		if (strcmp(isa->tables[i].name, name) == 0)
			return (u16)i;
	return ISA_NONE;
}

TvmSpaces tvm_spaces(const Isa *isa)
{
	return (TvmSpaces){
		.code = isa->code_space,
		.frames = isa_find_space(isa, "frames", 6),
		.shared = isa_find_space(isa, "shared", 6),
		.locks = isa_find_space(isa, "locks", 5),
		.vm = isa_find_space(isa, "vm", 2),
		.texts = isa_find_space(isa, "texts", 5),
		.names = table_of(isa, "names"),
		.lines = table_of(isa, "lines"),
		.functions = table_of(isa, "functions"),
	};
}

u32 tvm_cell(const Machine *machine, u16 space, u64 address)
{
	u64 value = 0;

	return machine_read(machine, space, address, &value) ? 0 : (u32)value;
}

void tvm_set_cell(Machine *machine, u16 space, u64 address, u32 value)
{
	machine_write(machine, space, address, value);
}

void tvm_set_register(Machine *machine, u32 vcpu, const char *name, u64 value)
{
	u32 slot;
	u8 width;

	if (isa_find_register(machine_isa(machine), name, strlen(name), false, &slot, &width))
		machine_vcpu_set_slot(machine, vcpu, slot, value);
}

void tvm_name(const Machine *machine, u64 id, Buf *out)
{
	const TvmSpaces spaces = tvm_spaces(machine_isa(machine));
	u64 at = 0;

	if (machine_get_table(machine, spaces.names, 0, id, &at))
		return;
	for (u32 c; (c = tvm_cell(machine, spaces.texts, at)) != 0; at++)
		buf_byte(out, (u8)c);
}

void tvm_function_name(const Machine *machine, u64 start, Buf *out)
{
	const TvmSpaces spaces = tvm_spaces(machine_isa(machine));

	for (u64 row = 0; row < machine_table_rows(machine, spaces.functions); row++) {
		u64 name = 0, first = 0;

		machine_get_table(machine, spaces.functions, 1, row, &first);
		if (first == start && !machine_get_table(machine, spaces.functions, 0, row, &name)) {
			tvm_name(machine, name, out);
			return;
		}
	}
}

/* ---- Placing a program ---- */

typedef struct Placing {
	Machine *machine;
	const TvmProgram *program;
	TvmSpaces at;
	StrMap ids;   /* text -> number of a name */
	u32 id_count; /* the last number */
	Buf texts;    /* what space `texts` will hold */
	u64 *code;    /* owned */
	u64 code_count;
	Status status;
} Placing;

static void keep(Placing *p, Status status)
{
	if (!p->status)
		p->status = status;
}

/* Adds a text; where it is. */
static u32 put_text(Placing *p, const char *text)
{
	const size_t at = p->texts.len;

	buf_add(&p->texts, text, strlen(text) + 1);
	return (u32)at;
}

static u32 id_of(Placing *p, const char *text)
{
	u32 id = strmap_get(&p->ids, text, strlen(text), 0);

	if (id)
		return id;
	id = ++p->id_count;
	if (id > TVM_MAX_NAMES) {
		keep(p, STATUS_TOO_BIG);
		return 0;
	}
	strmap_put(&p->ids, text, strlen(text), id);
	keep(p, machine_set_table(p->machine, p->at.names, 0, id, put_text(p, text)));
	return id;
}

/* The first function of that name, where it starts. */
static u32 find_function(const Placing *p, const char *name)
{
	u64 start = 0;

	for (u32 f = 0; f < p->program->count; f++) {
		if (strcmp(p->program->functions[f].name, name) == 0)
			return (u32)start;
		start += p->program->functions[f].count + 2;
	}
	return TVM_NOWHERE;
}

/* Where a call goes. */
static u32 target(Placing *p, const char *name)
{
	u32 start = find_function(p, name), native;
	const char *variable = start == TVM_NOWHERE && p->program->natives ? tvm_native_variable(name, &native) : NULL;

	return variable ? tvm_native_address(native, id_of(p, variable)) : start;
}

static u64 word(u32 op, u64 name, u32 low)
{
	return (u64)op << 56 | name << 32 | low;
}

static u64 encode(Placing *p, const TvmFunction *function, const TvmInsn *insn)
{
	const u32 constant = (u32)insn->constant;

	switch (insn->op) {
	case TVM_NOP:
	case TVM_RETURN: return word(insn->op, 0, 0);
	case TVM_PRINT:
	case TVM_MONITOR_ENTER:
	case TVM_MONITOR_EXIT: return word(insn->op, id_of(p, insn->name), 0);
	case TVM_LOAD_CONST:
	case TVM_SETSHARED: return word(insn->op, id_of(p, insn->name), constant);
	case TVM_SLEEP: return word(insn->op, 0, constant);
	case TVM_ADD:
		return word(TVM_ADD, 0, 0) | (u64)id_of(p, function->pool[insn->x]) << 36 |
		       (u64)id_of(p, function->pool[insn->y]) << 18 | id_of(p, function->pool[insn->z]);
	case TVM_INVOKE_SYNC: return word(insn->op, id_of(p, insn->name), target(p, insn->name));
	case TVM_INVOKE_ASYNC: return word(insn->op, id_of(p, insn->name), find_function(p, insn->name));
	case TVM_PRINT_STACK_TRACE:
		if (p->program->stage >= 9)
			return word(insn->op, 0, 0);
		break;
	case TVM_THREAD:
		if (p->program->from_text)
			return word(insn->op, 0, constant);
		break;
	default: break;
	}
	return word(TVM_UNKNOWN, 0, insn->op);
}

static void place_function(Placing *p, u32 index)
{
	const TvmFunction *function = &p->program->functions[index];
	const u64 start = p->code_count;

	keep(p, machine_set_table(p->machine, p->at.functions, 0, index, id_of(p, function->name)));
	keep(p, machine_set_table(p->machine, p->at.functions, 1, index, start));
	keep(p, machine_set_table(p->machine, p->at.functions, 2, index, function->count));
	for (u32 i = 0; i < function->count; i++) {
		const TvmInsn *insn = &function->insns[i];

		if (insn->text && p->program->stage == 1)
			keep(p, machine_set_table(p->machine, p->at.lines, 0, p->code_count, put_text(p, insn->text)));
		p->code[p->code_count++] = encode(p, function, insn);
	}
	p->code[p->code_count++] = word(TVM_END, 0, 0);
	p->code[p->code_count++] = word(TVM_END, 0, 0);
}

static void fill(Placing *p)
{
	keep(p, machine_resize(p->machine, p->at.code, p->code_count));
	keep(p, machine_resize(p->machine, p->at.texts, p->texts.len));
	if (p->texts.failed || p->ids.failed)
		keep(p, STATUS_NOMEM);
	for (u64 i = 0; i < p->code_count && !p->status; i++)
		keep(p, machine_write(p->machine, p->at.code, i, p->code[i]));
	for (u64 i = 0; i < p->texts.len && !p->status; i++)
		keep(p, machine_write(p->machine, p->at.texts, i, p->texts.data[i]));
}

/* Registers and counters at their start; the program stays. */
static void reset(Machine *machine)
{
	const TvmSpaces at = tvm_spaces(machine_isa(machine));
	const u32 start = tvm_cell(machine, at.vm, VM_MAIN);

	for (u64 i = 0; i < 2 * TVM_SHARED; i++)
		tvm_set_cell(machine, at.shared, i, 0);
	for (u64 i = 0; i < 2 * TVM_LOCKS; i++)
		tvm_set_cell(machine, at.locks, i, 0);
	for (u64 i = 0; i < FRAME_CELLS; i++)
		tvm_set_cell(machine, at.frames, i, 0);
	for (u32 i = VM_THREADS; i < VM_HEAD; i++)
		tvm_set_cell(machine, at.vm, i, i == VM_THREADS);
	tvm_set_register(machine, 0, "pc", tvm_cell(machine, at.vm, VM_BEGIN));
	tvm_set_register(machine, 0, "go", start);
	tvm_set_register(machine, 0, "fn", start);
	tvm_set_register(machine, 0, "fp", 0);
	tvm_set_register(machine, 0, "lp", 0);
}

static Status place(Machine *machine, const TvmProgram *program, const char *path)
{
	Placing p = { .machine = machine, .program = program, .at = tvm_spaces(machine_isa(machine)) };
	u64 total = 1;
	Buf head;

	for (u32 f = 0; f < program->count; f++)
		total += (u64)program->functions[f].count + 2;
	if (total > TVM_MAX_INSNS)
		return STATUS_TOO_BIG;
	p.code = malloc(total * sizeof *p.code);
	if (!p.code)
		return STATUS_NOMEM;
	strmap_init(&p.ids, false);
	buf_init(&p.texts);
	buf_init(&head);
	buf_byte(&p.texts, 0);
	if (program->natives)
		id_of(&p, "who"); /* number 1: the description knows it */
	for (u32 f = 0; f < program->count && !p.status; f++)
		place_function(&p, f);
	p.code[p.code_count++] = word(TVM_BEGIN, 0, 0);
	tvm_show_head(program, path, &head);
	tvm_set_cell(machine, p.at.vm, VM_HEAD, put_text(&p, buf_text(&head)));
	tvm_set_cell(machine, p.at.vm, VM_MAIN, find_function(&p, program->stage < 6 ? "" : "main"));
	tvm_set_cell(machine, p.at.vm, VM_BEGIN, (u32)p.code_count - 1);
	if (head.failed)
		keep(&p, STATUS_NOMEM);
	if (!p.status)
		fill(&p);
	if (!p.status)
		reset(machine);
	free(p.code);
	strmap_fini(&p.ids);
	buf_fini(&p.texts);
	buf_fini(&head);
	return p.status;
}

/* ---- Files ---- */

static bool name_ends(const char *name, const char *ending)
{
	const size_t len = strlen(name), n = strlen(ending);

	return len >= n && ascii_equal_fold(name + len - n, n, ending, n);
}

/* The source text in an object file of stages 01 to 06, or that the file was compiled from. */
static bool find_text(const GuestFile *file, GuestFile *text)
{
	const size_t magic = sizeof TVM_TEXT_MAGIC - 1;

	*text = (GuestFile){ .name = file->name, .data = file->source, .len = file->source_len };
	if (file->source)
		return true;
	if (file->len < magic || memcmp(file->data, TVM_TEXT_MAGIC, magic))
		return false;
	*text = (GuestFile){ .name = file->name, .data = file->data + magic, .len = file->len - magic };
	return true;
}

static Status read_program(const GuestFile *file, TvmProgram *program, DiagList *diags)
{
	GuestFile text;

	if (find_text(file, &text)) /* its warnings were told when it was compiled */
		return tvm_parse(&text, program, file->source ? NULL : diags);
	if (program->stage >= 7)
		return tvm_read(file, program, diags);
	if (diags)
		diag_report_file(diags, DIAG_ERROR, file->name, "compiled programs are of stage 07 and later",
				 "stage %02u runs .tvm texts only", program->stage);
	return STATUS_MISMATCH;
}

static Status load(Machine *machine, const GuestFile *files, u32 count, DiagList *diags)
{
	TvmProgram program;
	Status status;

	if (count == 0)
		return STATUS_OK;
	if (count > 1) {
		diag_report_file(diags, DIAG_ERROR, files[1].name, NULL, "a TinyVM runs one program");
		return STATUS_INVALID;
	}
	tvm_program_init(&program, tvm_stage(machine_isa(machine)));
	program.natives = tvm_has_natives(machine_isa(machine));
	status = read_program(&files[0], &program, diags);
	if (!status)
		status = place(machine, &program, files[0].name);
	tvm_program_fini(&program);
	return status;
}

static int recognize(const GuestFile *file)
{
	TvmProgram program;
	GuestFile text;
	Status status;

	if (find_text(file, &text))
		return 100;
	tvm_program_init(&program, 10);
	status = tvm_read(file, &program, NULL);
	tvm_program_fini(&program);
	if (name_ends(file->name, ".tvmc"))
		return status ? 70 : 100;
	return status ? 0 : 60;
}

static Status compile(const GuestFile *source, const Isa *isa, Buf *out, Buf *listing, DiagList *diags)
{
	TvmProgram program;
	Status status;

	tvm_program_init(&program, tvm_stage(isa));
	program.natives = tvm_has_natives(isa);
	status = tvm_parse(source, &program, diags);
	if (!status && program.stage < 7) {
		buf_str(out, TVM_TEXT_MAGIC);
		buf_add(out, source->data, source->len);
	} else if (!status) {
		tvm_write(&program, out);
		if (listing)
			tvm_show_compiler(&program, source->name, listing);
	}
	tvm_program_fini(&program);
	return status;
}

static const GuestLanguage languages[] = {
	{ .name = "tvm", .extension = ".tvm", .compile = compile },
	{ 0 },
};

/* Functions are symbols. The text of an address is its source line or, of a compiled program, its listing. */
static Status read_names(const Machine *machine, const GuestFile *file, const GuestNames *names)
{
	const u16 code = machine_isa(machine)->code_space;
	TvmProgram program;
	Status status;
	u64 at = 0;
	Buf line;

	tvm_program_init(&program, tvm_stage(machine_isa(machine)));
	status = read_program(file, &program, NULL) ? STATUS_FORMAT : STATUS_OK;
	buf_init(&line);
	for (u32 f = 0; !status && f < program.count; f++) {
		const TvmFunction *function = &program.functions[f];

		if (function->name[0])
			names->symbol(names->ctx, function->name, strlen(function->name), code, at);
		for (u32 i = 0; i < function->count; i++, at++) {
			const TvmInsn *insn = &function->insns[i];

			buf_clear(&line);
			if (insn->text)
				buf_str(&line, insn->text);
			else
				tvm_show_insn(&program, function, insn, &line);
			names->line(names->ctx, code, at, insn->line, buf_text(&line), line.len);
		}
		buf_clear(&line);
		buf_printf(&line, "end of %s", function->name[0] ? function->name : "the program");
		for (unsigned i = 0; i < 2; i++, at++)
			names->line(names->ctx, code, at, 0, buf_text(&line), line.len);
	}
	if (!status)
		names->line(names->ctx, code, at, 0, "a thread begins", 15);
	buf_fini(&line);
	tvm_program_fini(&program);
	return status;
}

/* ---- Waiting ---- */

void tvm_describe_lock(const Machine *machine, u32 thread, u64 place, Buf *out)
{
	const u16 locks = tvm_spaces(machine_isa(machine)).locks;
	const u32 owner = place % 2 && place < 2 * TVM_LOCKS ? tvm_cell(machine, locks, place) : 0;

	if (place == MACHINE_OUTSIDE) {
		buf_str(out, "another instance");
		return;
	}
	buf_str(out, "lock '");
	if (place)
		tvm_name(machine, tvm_cell(machine, locks, place - 1), out);
	buf_byte(out, '\'');
	if (!owner)
		return;
	if (owner - 1 == thread)
		buf_str(out, ", which it holds itself");
	else if (machine_vcpu_state(machine, owner - 1) == VCPU_ENDED)
		buf_printf(out, ", held by thread %u, which ended without 'unlock'", owner - 1);
	else
		buf_printf(out, ", held by thread %u", owner - 1);
}

static u32 count_used(const Machine *machine, u16 space, u32 places)
{
	u32 used = 0;

	while (used < places && tvm_cell(machine, space, 2 * (u64)used))
		used++;
	return used;
}

static void summary(const Machine *machine, Buf *out)
{
	const TvmSpaces at = tvm_spaces(machine_isa(machine));

	buf_printf(out, "[end] locks: %u names, taken %u times, waited for %u times; shared variables: %u\n",
		   count_used(machine, at.locks, TVM_LOCKS), tvm_cell(machine, at.vm, VM_LOCKED),
		   tvm_cell(machine, at.vm, VM_WAITS), count_used(machine, at.shared, TVM_SHARED));
	for (u32 i = 0; i < machine_vcpu_count(machine); i++)
		buf_printf(out, "[end] thread %u: %llu instructions\n", i,
			   (unsigned long long)machine_vcpu_icount(machine, i));
}

const Guest tinyvm_guest = {
	.name = "tinyvm",
	.isa_name = "TinyVM",
	.hosts = tvm_hosts,
	.recognize = recognize,
	.load = load,
	.reset = reset,
	.read_names = read_names,
	.isa_text = tinyvm_isa_text,
	.isa_frozen = tinyvm_isa_frozen,
	.languages = languages,
	.describe_wait = tvm_describe_lock,
	.vcpu_word = "thread",
	.summary = summary,
};
