/* SPDX-License-Identifier: MIT
 *
 * husk dis: what is in an object file, an image or a snapshot.
 *
 * Which cells a file brings: they are loaded twice into machines whose memory was filled with two different patterns;
 * what is equal afterwards was written. What a machine without the file writes too (its operating system) is left
 * out. So every format a guest can load can be taken apart, and nothing has to be known about it.
 *
 * Which cells are code: those that can be reached from the entry of one of the files, by falling through, by jumps and
 * by calls whose target stands in the instruction. A system call (a jump that names neither target nor register) is
 * taken to return, unless the cell behind it is used as data by an instruction. The rest is data; --linear takes
 * everything as code.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cmd/dis_elf.h"
#include "cmd/file.h"
#include "cmd/load.h"
#include "cmd/say.h"
#include "cmd/verbs.h"
#include "machine/pages.h"

typedef struct DisVerbOptions {
	LoadOptions load;
	const char *start, *output;
	u64 count;
	bool source, linear;
} DisVerbOptions;

static const Opt dis_options[] = {
	LOAD_ROWS_ISA(DisVerbOptions, load),
	LOAD_ROWS_ASM(DisVerbOptions, load),
	{"start", 0, OPT_TEXT, offsetof(DisVerbOptions, start), "ADDRESS",
	 "show memory from here on (or from a name in the file), all\nof it as instructions"},
	{"count", 0, OPT_NUMBER, offsetof(DisVerbOptions, count), "N", "so many lines"},
	{"linear", 0, OPT_FLAG, offsetof(DisVerbOptions, linear), NULL, "take every cell as code (of a Linux program: all sections\nof the file that hold code)"},
	{"source", 0, OPT_FLAG, offsetof(DisVerbOptions, source), NULL,
	 "assembly text that makes the same object again"},
	{"output", 'o', OPT_TEXT, offsetof(DisVerbOptions, output), "FILE", "write there instead of to stdout"},
	{0},
};

enum {
	ENTRIES = 64,         /* files whose entry is looked for */
	DIS_CELLS = 1 << 24, /* larger code spaces only with --start */
	/* marks of a cell */
	MARK_OWN = 1,    /* the file brings it */
	MARK_CODE = 2,   /* an instruction begins here */
	MARK_INSIDE = 4, /* a further cell of an instruction */
	MARK_TARGET = 8, /* jumped to or called */
	MARK_DATA = 16,  /* read or written by an instruction that names it */
};

typedef struct Dis {
	const DisVerbOptions *options;
	Loaded loaded;
	const Isa *isa;
	u8 *marks;       /* owned; one for each cell of the code space */
	u64 cells;
	u64 *work;       /* owned: addresses to look at */
	u64 *later;      /* owned: continuations of system calls */
	u32 work_count, work_cap, later_count, later_cap;
	Buf label;       /* the name last made up */
	Buf out;
	bool unwritable; /* there was data that the dialect can't write */
} Dis;

static bool push(u64 **items, u32 *count, u32 *cap, u64 item)
{
	if (!array_grow((void **)items, cap, *count, sizeof(item)))
		return false;
	(*items)[(*count)++] = item;
	return true;
}

/* ---- Which cells the file brings ---- */

/* The code space after loading `count` files into memory filled with a pattern; NULL when it could not be loaded. */
static u64 *load_over(Dis *dis, u64 pattern, u32 count)
{
	Loaded *loaded = &dis->loaded;
	u16 space = dis->isa->code_space;
	u32 all = loaded->file_count;
	u64 *memory = NULL;
	int code;

	if (loaded->machine)
		machine_destroy(loaded->machine);
	loaded->machine = NULL;
	if (load_create(loaded, &dis->options->load))
		return NULL;
	dis->cells = machine_cells(loaded->machine, space);
	for (u64 i = 0; i < dis->cells && dis->cells <= DIS_CELLS; i++)
		machine_write(loaded->machine, space, i, pattern);
	loaded->file_count = count;
	code = load_put(loaded);
	loaded->file_count = all;
	if (code)
		return NULL;
	dis->cells = machine_cells(loaded->machine, space);
	if (dis->cells > DIS_CELLS) {
		buf_printf(&loaded->error, "the code space is too large to search; show a part of it with --start");
		return NULL;
	}
	memory = malloc((dis->cells + 1) * sizeof *memory);
	for (u64 i = 0; memory && i < dis->cells; i++)
		machine_read(loaded->machine, space, i, &memory[i]);
	return memory;
}

static bool mark_own(Dis *dis)
{
	const u64 pattern = 0xA5C35A3CA5C35A3Cu;
	u64 counts[4] = {0};
	u64 *memory[4] = {NULL};
	bool good = true;

	/* Where each file alone would begin; where the last one begins is known at the end. */
	for (u32 count = 1; count < dis->loaded.file_count && count < ENTRIES; count++) {
		memory[0] = load_over(dis, pattern, count);
		if (!memory[0])
			return false;
		free(memory[0]);
		push(&dis->work, &dis->work_count, &dis->work_cap, machine_pc(dis->loaded.machine));
	}
	for (unsigned i = 0; i < 4 && good; i++) {
		/* Last with the files, so that this machine can be shown. */
		memory[i] = load_over(dis, i & 1 ? ~pattern : pattern, i < 2 ? 0 : dis->loaded.file_count);
		counts[i] = dis->cells;
		good = memory[i] != NULL;
	}
	dis->marks = good ? calloc(dis->cells + 1, 1) : NULL;
	for (u64 i = 0; dis->marks && i < dis->cells; i++) {
		bool before = i < counts[0] && i < counts[1] && memory[0][i] == memory[1][i];

		if (memory[2][i] == memory[3][i] && !(before && memory[0][i] == memory[2][i]))
			dis->marks[i] = MARK_OWN;
	}
	for (unsigned i = 0; i < 4; i++)
		free(memory[i]);
	return dis->marks != NULL;
}

/* ---- Which cells are code ---- */

static bool is_own(const Dis *dis, u64 address)
{
	return address < dis->cells && dis->marks[address] & MARK_OWN;
}

/* An assembled program knows its instructions. */
static void mark_assembled(Dis *dis)
{
	for (u32 f = 0; f < dis->loaded.file_count; f++) {
		const AsmProgram *program = dis->loaded.files[f].program;

		for (u32 i = 0; program && i < program->line_count; i++)
			if (program->lines[i].is_code && program->lines[i].space == dis->isa->code_space)
				push(&dis->work, &dis->work_count, &dis->work_cap, program->lines[i].address);
	}
}

/* So does a file that names its functions, or says of which line of a program each instruction is. */
static void mark_named(Dis *dis)
{
	load_names_now(&dis->loaded);
	for (u32 i = 0; i < dis->loaded.name_count; i++)
		if (dis->loaded.names[i].space == dis->isa->code_space)
			push(&dis->work, &dis->work_count, &dis->work_cap, dis->loaded.names[i].address);
	for (u32 i = 0; dis->loaded.guest && dis->loaded.guest->languages && i < dis->loaded.line_count; i++)
		if (dis->loaded.lines[i].space == dis->isa->code_space)
			push(&dis->work, &dis->work_count, &dis->work_cap, dis->loaded.lines[i].address);
}

/* Looks at one instruction and notes where it can go. False at what is no instruction of the file. */
static bool visit(Dis *dis, u64 pc)
{
	IsaDecoded decoded;
	IsaFlow flow;
	bool has_target = false, has_register = false;

	if (!is_own(dis, pc) || dis->marks[pc] & (MARK_CODE | MARK_INSIDE))
		return false;
	machine_decode(dis->loaded.machine, pc, &decoded);
	if (!decoded.insn)
		return false;
	for (u32 i = 0; i < decoded.cells; i++)
		if (!is_own(dis, pc + i) || (i && dis->marks[pc + i] & MARK_CODE))
			return false;
	dis->marks[pc] |= MARK_CODE;
	for (u32 i = 1; i < decoded.cells; i++)
		dis->marks[pc + i] |= MARK_INSIDE;
	flow = isa_flow(dis->isa, &decoded);
	for (unsigned i = 0; i < decoded.insn->field_count; i++) {
		const IsaField *field = &dis->isa->fields[decoded.insn->fields[i].field];
		u64 target;

		has_register |= field->kind == ISA_FIELD_REG;
		if (field->kind != ISA_FIELD_REL && field->kind != ISA_FIELD_ABS)
			continue;
		has_target = true;
		target = isa_target(dis->isa, decoded.insn, i, pc, isa_field_value(dis->isa, &decoded, i));
		if (!is_own(dis, target))
			continue;
		dis->marks[target] |= flow.jumps || flow.calls || flow.starts ? MARK_TARGET : MARK_DATA;
		if (flow.jumps || flow.calls || flow.starts)
			push(&dis->work, &dis->work_count, &dis->work_cap, target);
	}
	if (flow.returns || (flow.stops && !flow.conditional))
		return true;
	if ((flow.jumps || flow.calls) && !has_target && !has_register)
		push(&dis->later, &dis->later_count, &dis->later_cap, pc + decoded.cells);
	else if (!flow.jumps || flow.calls || flow.conditional)
		push(&dis->work, &dis->work_count, &dis->work_cap, pc + decoded.cells);
	return true;
}

/* The lowest continuation of a system call first: what is used as data further on becomes known on the way. */
static bool take_later(Dis *dis, u64 *pc)
{
	u32 best = 0;

	if (!dis->later_count)
		return false;
	for (u32 i = 1; i < dis->later_count; i++)
		if (dis->later[i] < dis->later[best])
			best = i;
	*pc = dis->later[best];
	dis->later[best] = dis->later[--dis->later_count];
	return true;
}

static void mark_code(Dis *dis)
{
	u64 pc;

	if (dis->options->linear) {
		for (pc = 0; pc < dis->cells; pc++)
			visit(dis, pc);
		return;
	}
	mark_assembled(dis);
	mark_named(dis);
	push(&dis->work, &dis->work_count, &dis->work_cap, machine_pc(dis->loaded.machine));
	for (;;) {
		while (dis->work_count)
			visit(dis, dis->work[--dis->work_count]);
		if (!take_later(dis, &pc))
			return;
		if (is_own(dis, pc) && !(dis->marks[pc] & MARK_DATA))
			visit(dis, pc);
	}
}

/* ---- Writing ---- */

/* Of an address in the code space: as wide as the pc, which is what messages and the debugger show. */
static unsigned address_bits(const Isa *isa)
{
	const unsigned all = isa->spaces[isa->code_space].addr_bits, pc = isa->pc_width;

	return pc < all ? pc : all;
}

static const char *name_of(void *ctx, u16 space, u64 address)
{
	Dis *dis = ctx;
	const Guest *guest = dis->loaded.guest;
	/* What names functions of a table is no name for an address in a text. */
	const char *name = dis->options->source && guest && guest->source_item ? NULL
			 : load_symbol_at(&dis->loaded, space, address);

	if (name)
		return name;
	if (!dis->marks || space != dis->isa->code_space || !is_own(dis, address) ||
	    !(dis->marks[address] & (MARK_TARGET | MARK_DATA)) || dis->marks[address] & MARK_INSIDE)
		return NULL;
	buf_clear(&dis->label);
	buf_printf(&dis->label, "L%0*llX", (address_bits(dis->isa) + 3) / 4, (unsigned long long)address);
	return buf_text(&dis->label);
}

static void hex(Dis *dis, u64 value, unsigned bits)
{
	load_hex(dis->isa, dis->loaded.dialect, value, bits, &dis->out);
}

static const IsaDirective *find_directive(const Dis *dis, IsaAction action, unsigned bits)
{
	const IsaDialect *dialect = &dis->isa->dialects[dis->loaded.dialect];

	for (u32 i = 0; i < dialect->directive_count; i++) {
		const IsaDirective *directive = &dialect->directives[i];

		if (directive->action == action && (!bits || directive->bits == bits) && !directive->is_float &&
		    directive->in == ISA_NONE)
			return directive;
	}
	return NULL;
}

static void pad_to(Buf *out, size_t start, size_t width)
{
	size_t used = out->len - start;

	buf_fill(out, ' ', used < width ? width - used : 1);
}

/* The data directive with one cell; a dialect without one has only a comment for it. */
static void data_text(Dis *dis, u64 value)
{
	unsigned bits = dis->isa->spaces[dis->isa->code_space].cell_bits;
	const IsaDirective *directive = find_directive(dis, ISA_ACT_DATA, bits);
	const IsaDialect *dialect = &dis->isa->dialects[dis->loaded.dialect];
	size_t start = dis->out.len;

	if (directive)
		buf_printf(&dis->out, "%s ", directive->name);
	else
		buf_printf(&dis->out, "%s data ", dialect->comment_count ? dialect->comments[0] : "#");
	dis->unwritable = dis->unwritable || !directive;
	dis_hex(dis->isa, dis->loaded.dialect, value, (bits + 3) / 4, &dis->out);
	if (value >= 33 && value < 127 && dialect->comment_count) {
		pad_to(&dis->out, start, 24);
		buf_printf(&dis->out, "%s %c", directive ? dialect->comments[0] : "", (char)value);
	}
}

/* Of the column with an instruction's cells, and a blank behind. */
static size_t cells_width(const Isa *isa, const IsaSpace *space)
{
	const size_t cells = isa->max_bits / space->cell_bits, width = cells * ((space->cell_bits + 3) / 4 + 1);

	return width < 8 ? 8 : width > 22 ? 22 : width;
}

/* Of a machine with a language of its own: the line of the program, behind the instruction. */
static void add_own_line(Dis *dis, u64 address, size_t start)
{
	const IsaDialect *dialect = &dis->isa->dialects[dis->loaded.dialect];
	const LoadName *own = load_line_at(&dis->loaded, dis->isa->code_space, address);

	if (!own || !dis->loaded.guest->languages || !dialect->comment_count)
		return;
	pad_to(&dis->out, start, 36);
	buf_printf(&dis->out, "%s %s", dialect->comments[0], own->text);
}

/* What the guest writes itself. Gives the cells it took; 0: none. */
static u32 guest_item(Dis *dis, u64 address, const char *label, bool *as_code)
{
	const u16 code = dis->isa->code_space;
	const IsaSpace *space = &dis->isa->spaces[code];
	const u32 most = dis->isa->max_bits / space->cell_bits;
	bool lossy = false;
	Buf *out = &dis->out;
	u32 cells;
	u64 value;
	Buf text;
	size_t start;

	buf_init(&text);
	cells = dis->loaded.guest->source_item(dis->loaded.machine, address, label, as_code, &lossy, &text);
	dis->unwritable |= lossy;
	if (dis->options->source)
		buf_add(out, text.data, text.len);
	for (u32 i = 1; i < cells && address + i < dis->cells; i++)
		dis->marks[address + i] |= MARK_INSIDE; /* no label can stand there */
	if (cells && !dis->options->source) {
		hex(dis, address, address_bits(dis->isa));
		buf_str(out, "  ");
		start = out->len;
		for (u32 i = 0; i < cells && i < (cells > most ? most - 1 : most); i++) {
			machine_read(dis->loaded.machine, code, address + i, &value);
			buf_printf(out, "%s%0*llX", i ? " " : "", (space->cell_bits + 3) / 4, (unsigned long long)value);
		}
		buf_str(out, cells > most ? " .." : "");
		pad_to(out, start, cells_width(dis->isa, space));
		for (size_t i = 0; i < text.len; i++) {
			if (text.data[i] == '\n' && i + 1 < text.len)
				buf_str(out, "\\n");
			else
				buf_byte(out, text.data[i]);
		}
	}
	buf_fini(&text);
	return cells;
}

/* One instruction or one cell of data, as a line. Gives the cells it took. */
static u32 line(Dis *dis, u64 address, bool as_code)
{
	const IsaSpace *space = &dis->isa->spaces[dis->isa->code_space];
	const char *label = name_of(dis, dis->isa->code_space, address);
	DisOptions how = {.dialect = dis->loaded.dialect, .symbol = name_of, .ctx = dis, .unwritable = &dis->unwritable};
	const Guest *guest = dis->loaded.guest;
	Buf *out = &dis->out;
	IsaDecoded decoded;
	u32 cells = 0;
	u64 value = 0;
	size_t start;

	if (guest && guest->source_item && !dis->options->start && (cells = guest_item(dis, address, label, &as_code)))
		return cells;
	cells = 1;
	if (as_code)
		machine_decode(dis->loaded.machine, address, &decoded);
	as_code = as_code && decoded.insn;
	if (as_code)
		cells = decoded.cells;
	if (!dis->options->source) {
		hex(dis, address, address_bits(dis->isa));
		buf_str(out, "  ");
		start = out->len;
		for (u32 i = 0; i < cells; i++) {
			machine_read(dis->loaded.machine, dis->isa->code_space, address + i, &value);
			buf_printf(out, "%s%0*llX", i ? " " : "", (space->cell_bits + 3) / 4, (unsigned long long)value);
		}
		pad_to(out, start, cells_width(dis->isa, space));
	}
	start = out->len;
	if (label)
		buf_printf(out, "%s%s", label,
			   dis->isa->dialects[dis->loaded.dialect].label == ISA_LABEL_BARE ? "" : ":");
	pad_to(out, start, 10);
	machine_read(dis->loaded.machine, dis->isa->code_space, address, &value);
	if (as_code) {
		dis_instruction(dis->isa, &how, address, &decoded, out);
		add_own_line(dis, address, start);
	} else
		data_text(dis, value);
	buf_byte(out, '\n');
	return cells;
}

static void directive_line(Dis *dis, const IsaDirective *directive, const u64 *operand)
{
	if (!directive)
		return;
	buf_fill(&dis->out, ' ', 10);
	buf_str(&dis->out, directive->name);
	if (operand) {
		buf_byte(&dis->out, ' ');
		hex(dis, *operand, address_bits(dis->isa));
	}
	buf_byte(&dis->out, '\n');
}

/* Runs of cells that the file brings, each with an org and (where the dialect wants one) an end. */
static void write_own(Dis *dis)
{
	bool ends = dis->isa->dialects[dis->loaded.dialect].segments != ISA_SEGMENTS_OPEN;
	u64 left = dis->options->count ? dis->options->count : ~(u64)0;
	bool inside = false;

	for (u64 at = 0; at < dis->cells && left;) {
		if (!is_own(dis, at)) {
			if (inside && dis->options->source && ends)
				directive_line(dis, find_directive(dis, ISA_ACT_END, 0), NULL);
			inside = false;
			at++;
			continue;
		}
		if (!inside) {
			if (dis->options->source)
				directive_line(dis, find_directive(dis, ISA_ACT_ORG, 0), &at);
			else if (dis->out.len)
				buf_byte(&dis->out, '\n');
		}
		inside = true;
		at += line(dis, at, dis->marks[at] & MARK_CODE);
		left--;
	}
	if (inside && dis->options->source && ends)
		directive_line(dis, find_directive(dis, ISA_ACT_END, 0), NULL);
}

/* The address of a name that the file brings. */
static bool find_name(const Dis *dis, const char *name, u64 *address)
{
	load_names_now(&dis->loaded);
	for (u32 i = 0; i < dis->loaded.name_count; i++) {
		const LoadName *known = &dis->loaded.names[i];

		if (known->space != dis->isa->code_space || strcmp(known->text, name) != 0)
			continue;
		*address = known->address;
		return true;
	}
	return false;
}

/* Pages come into being when somebody touches them. */
static void touch(Dis *dis, u64 address)
{
	Machine *machine = dis->loaded.machine;
	u64 got;

	if (machine_paged_space(machine) == dis->isa->code_space)
		for (u64 i = 0; i < 16; i += 2)
			machine_span(machine, machine_aspace(machine), address + i, 2, ATTR_EXEC, &got);
}

/* A Linux program, without --start: main, else where it begins. */
static int write_program(Dis *dis)
{
	Machine *machine = dis->loaded.machine;
	u64 at = machine_pc(machine), left = dis->options->count;
	const char *name;
	bool named = find_name(dis, "main", &at);

	for (u64 count = 0; left ? count < left : named || count < 20; count++) {
		touch(dis, at);
		if (count && named && !left) {
			name = load_symbol_at(&dis->loaded, dis->isa->code_space, at);
			if (name || !machine_page_attr(machine, machine_aspace(machine), at & ~(u64)4095))
				break;
		}
		at += line(dis, at, true);
	}
	return 0;
}

static int write_from(Dis *dis)
{
	u64 at, count = dis->options->count ? dis->options->count : 20;

	if (!find_name(dis, dis->options->start, &at) && !opt_address(dis->options->start, &at)) {
		buf_printf(&dis->loaded.error, "--start %s: neither an address nor a name in the file", dis->options->start);
		return EXIT_HUSK;
	}
	if (at >= machine_cells(dis->loaded.machine, dis->isa->code_space)) {
		buf_printf(&dis->loaded.error, "--start %s: outside memory", dis->options->start);
		return EXIT_HUSK;
	}
	for (; count && at < machine_cells(dis->loaded.machine, dis->isa->code_space); count--) {
		touch(dis, at);
		at += line(dis, at, true);
	}
	return 0;
}

/* --linear: all that its file says is code. A text is made such a file first. */
static int program_of_linux(Dis *dis)
{
	Loaded *loaded = &dis->loaded;
	const GuestFormat *format = loaded->guest->formats;
	Status status = STATUS_OK;

	for (u32 i = 0; i < loaded->file_count && !status; i++) {
		LoadedFile *file = &loaded->files[i];
		const Buf *bytes = file->is_asm ? &file->object : &file->data;

		if (file->is_asm)
			status = format->write(file->program, &file->object, &loaded->diags);
		if (!status)
			status = dis_elf(dis->isa, loaded->dialect, bytes->data, bytes->len, &dis->out);
		if (status)
			buf_printf(&loaded->error, "%s: %s", file->name,
				   status == STATUS_NOT_FOUND ? "there is no code in it" : status_text(status));
	}
	return status ? EXIT_NOT_RUNNABLE : 0;
}

static int disassemble(Dis *dis, const Command *command)
{
	const DisVerbOptions *options = command->options;
	Loaded *loaded = &dis->loaded;
	int code = load_files(loaded, command->operands, command->operand_count);

	if (!code)
		code = load_isa(loaded, &options->load);
	if (!code)
		code = load_assemble(loaded, &options->load);
	if (code)
		return code;
	dis->isa = loaded->isa;
	if (!options->start && loaded->file_count && loaded->files[0].is_snapshot) {
		buf_str(&loaded->error, "a snapshot is all of memory: say with --start where to begin");
		return EXIT_HUSK;
	}
	if (loaded->guest && loaded->guest->is_linux && options->linear && !options->start)
		return program_of_linux(dis);
	if (options->start || (loaded->guest && loaded->guest->is_linux)) {
		code = load_machine(loaded, &options->load);
		return code ? code : options->start ? write_from(dis) : write_program(dis);
	}
	if (!mark_own(dis)) {
		if (!loaded->error.len && !loaded->diags.errors)
			buf_str(&loaded->error, "out of memory");
		return EXIT_NOT_RUNNABLE;
	}
	mark_code(dis);
	write_own(dis);
	if (dis->unwritable && options->source)
		diag_report_file(&loaded->diags, DIAG_WARNING, loaded->files[0].name,
				 "what it leaves out stands behind it as a comment",
				 "the dialect has no directive for data in space %s: this text will not make the same file",
				 dis->isa->spaces[dis->isa->code_space].name);
	return 0;
}

static int dis_run(Command *command)
{
	Dis dis = {.options = command->options};
	int code;

	load_init(&dis.loaded);
	buf_init(&dis.out);
	buf_init(&dis.label);
	code = disassemble(&dis, command);
	load_complain(&dis.loaded);
	if (!code && load_is_input(&dis.loaded, dis.options->output, "its own text"))
		code = EXIT_HUSK;
	if (!code)
		code = say_output(&dis.out, dis.options->output);
	buf_fini(&dis.out);
	buf_fini(&dis.label);
	free(dis.marks);
	free(dis.work);
	free(dis.later);
	load_fini(&dis.loaded);
	return code;
}

const Verb verb_dis = {
	.name = "dis",
	.run = dis_run,
	.help = "take programs apart: addresses, cells, instructions, data",
	.operands = "FILE...",
	.min_operands = 1,
	.max_operands = 1000,
	.options = dis_options,
	.options_size = sizeof(DisVerbOptions),
	.text = "Shows what the files bring into memory. Code is what can be reached from the entry; the rest is data.\n"
		"\n"
		"examples:\n"
		"  husk dis prog.obj                       husk dis --source prog.obj >again.asm\n"
		"  husk dis --start x0200 --count 30 prog.obj\n",
};
