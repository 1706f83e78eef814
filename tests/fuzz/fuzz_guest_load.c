/* SPDX-License-Identifier: MIT
 *
 * Program files of every machine but the LC-3 (fuzz_lc3_load) and the TinyVM's texts (fuzz_tinyvm), and texts in Iridium's
 * languages: refused, or loaded and run with everything that tells about a run. Half way the state is taken over
 * by a second machine, as a snapshot: it must do what the first one does.
 *
 *     byte 0: which machine and kind of file, in the order of `kinds` | the file
 */
#include <string.h>

#include "asm/asm.h"
#include "fuzz.h"

enum { HALF = 2000 };

typedef struct Kind {
	const char *guest, *file;
	IsaChoice choice;
	const char *language; /* NULL: an object file; "asm": an assembly text */
} Kind;

static const Kind kinds[] = {
	{"iridium", "fuzz.epie", {"compat", "designed"}, NULL},
	{"iridium", "fuzz.epie", {"compat", "built"}, NULL},
	{"svm", "fuzz.svmo", {"calls", "shatter"}, NULL},
	{"svm", "fuzz.svmi", {"calls", "c"}, NULL},
	{"svm", "fuzz.svmo", {"calls", "func-meta"}, NULL},
	{"svm", "fuzz.svmi", {"calls", "split"}, NULL},
	{"svm", "fuzz.svmo", {"calls", "add-functions"}, NULL},
	{"stackvm", "fuzz.bin", {"mode", "strict"}, NULL},
	{"stackvm", "fuzz.bin", {"mode", "compat"}, NULL},
	{"tinyvm", "fuzz.tvmc", {"rules", "intended"}, NULL},
	{"tinyvm", "fuzz.tvmc", {"rules", "built"}, NULL},
	{"merry", "fuzz.mbin", {"revision", "a"}, NULL},
	{"merry", "fuzz.mbin", {"revision", "b"}, NULL},
	{"iridium", "fuzz.pd", {"compat", "designed"}, "palladium"},
	{"iridium", "fuzz.built", {"compat", "built"}, "built"},
	{"iridium", "fuzz.iasm", {"compat", "designed"}, "asm"},
	{"merry", "fuzz.masm", {"revision", "a"}, "asm"},
	{"svm", "fuzz.svm", {"calls", "shatter"}, "asm"},
	{"stackvm", "fuzz.sasm", {"mode", "strict"}, "asm"},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static Isa *load_isa(const Kind *kind, const Guest *guest)
{
	DiagList diags;
	Isa *isa;

	diag_init(&diags);
	isa = isa_load(guest->name, guest->isa_text, strlen(guest->isa_text), &kind->choice, 1, &diags);
	if (!isa)
		fuzz_fail("a built-in machine does not load");
	diag_fini(&diags);
	return isa;
}

/* A text becomes an object file in `object`. False: it was refused. */
static bool translate(const Guest *guest, const Isa *isa, const char *language, const GuestFile *text, Buf *object,
		      DiagList *diags)
{
	Source source = {text->name, (const char *)text->data, text->len};
	AsmOptions options = {.max_cells = 1 << 16};
	const GuestLanguage *l = guest->languages;
	AsmProgram *program;
	Buf assembly;
	Status status;

	if (text->len > 4096)
		return false;
	buf_init(&assembly);
	if (strcmp(language, "asm")) {
		Buf listing;

		while (strcmp(l->name, language))
			l++;
		buf_init(&listing);
		status = l->compile(text, isa, l->to_assembly ? &assembly : object, &listing, diags);
		buf_fini(&listing);
		if (status && !diags->errors)
			fuzz_fail("refused without a message");
		if (status || diags->errors || !l->to_assembly) {
			buf_fini(&assembly);
			return !status && !diags->errors;
		}
		source = (Source){"fuzz.asm", buf_text(&assembly), assembly.len};
	} else if (guest->check_text) {
		guest->check_text(&source, diags);
	}
	program = diags->errors ? NULL : asm_assemble(isa, &source, &options, diags);
	if (!program && strcmp(language, "asm"))
		fuzz_fail("what a compiler made is no program");
	if (program && guest->formats[0].write(program, object, diags) != STATUS_OK) {
		asm_program_destroy(program);
		program = NULL;
	}
	buf_fini(&assembly);
	asm_program_destroy(program);
	return program != NULL;
}

static void ignore_symbol(void *ctx, const char *name, size_t len, u16 space, u64 address)
{
	(void)ctx, (void)name, (void)len, (void)space, (void)address;
}

static void ignore_line(void *ctx, u16 space, u64 address, u32 number, const char *text, size_t len)
{
	(void)ctx, (void)space, (void)address, (void)number, (void)text, (void)len;
}

static Machine *create(const Isa *isa, const Guest *guest)
{
	MachineConfig config = {.isa = isa, .guest = guest, .random_seed = 1, .virtual_time = true, .quantum = 7,
				.memory_limit = 64 << 20};
	Machine *machine = NULL;

	if (machine_create(&config, &machine, NULL) != STATUS_OK)
		fuzz_fail("no machine");
	return machine;
}

static MachineStop run(Machine *machine, u64 count)
{
	const u64 before = machine_icount(machine);
	const MachineStop stop = machine_run(machine, count);

	if (machine_icount(machine) - before > count)
		fuzz_fail("more was run than there is fuel");
	if (stop.kind == STOP_ERROR)
		fuzz_fail(status_text(stop.status));
	return stop;
}

static void tell(const Guest *guest, Machine *machine, const MachineStop *stop, const GuestFile *file)
{
	const GuestNames names = {NULL, ignore_symbol, ignore_line};
	Buf text;

	buf_init(&text);
	if (guest->explain)
		guest->explain(machine, stop, &text);
	if (guest->events)
		guest->events(machine, stop, &text);
	if (guest->summary)
		guest->summary(machine, &text);
	if (guest->read_names)
		guest->read_names(machine, file, &names);
	if (guest->trace && guest->trace->end)
		guest->trace->end(machine, stop, &text);
	buf_fini(&text);
}

static void traced(const Guest *guest, Machine *machine)
{
	Buf text;

	buf_init(&text);
	for (u32 i = 0; i < 50 && guest->trace; i++) {
		if (guest->trace->before)
			guest->trace->before(machine, &text);
		if (machine_run(machine, 1).kind != STOP_BUDGET)
			break;
		if (guest->trace->after)
			guest->trace->after(machine, &text);
	}
	buf_fini(&text);
}

static void run_both(const Isa *isa, const Guest *guest, Machine *machine, const GuestFile *file)
{
	Machine *other = create(isa, guest);
	Buf first, second;
	MachineStop stop;

	buf_init(&first);
	buf_init(&second);
	machine_input(machine, (const u8 *)"12 x\n", 5);
	machine_input_end(machine);
	traced(guest, machine);
	stop = run(machine, HALF);
	if (machine_snapshot(machine, &first) != STATUS_OK || machine_restore(other, first.data, first.len) != STATUS_OK)
		fuzz_fail("a machine's own snapshot is refused");
	if (stop.kind == STOP_BUDGET) {
		stop = run(machine, HALF);
		if (run(other, HALF).kind != stop.kind)
			fuzz_fail("after a snapshot the machine stops in another way");
		buf_clear(&first);
		if (machine_snapshot(machine, &first) != STATUS_OK || machine_snapshot(other, &second) != STATUS_OK ||
		    first.len != second.len || memcmp(first.data, second.data, first.len))
			fuzz_fail("after a snapshot the machine goes another way");
	}
	tell(guest, machine, &stop, file);
	machine_destroy(other);
	buf_fini(&first);
	buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static Isa *isas[KINDS];
	const Kind *kind;
	const Guest *guest;
	GuestFile file;
	Machine *machine;
	DiagList diags;
	Buf object;
	Isa *isa;

	if (size < 1)
		return 0;
	kind = &kinds[data[0] % KINDS];
	guest = guests_find(kind->guest);
	if (!isas[data[0] % KINDS])
		isas[data[0] % KINDS] = load_isa(kind, guest);
	isa = isas[data[0] % KINDS];
	diag_init(&diags);
	buf_init(&object);
	file = (GuestFile){.name = kind->file, .data = data + 1, .len = size - 1};
	for (u32 i = 0; guests_all[i]; i++) {
		int sure = guests_all[i]->recognize ? guests_all[i]->recognize(&file) : 0;

		if (sure < 0 || sure > 100)
			fuzz_fail("recognize is outside of 0..100");
	}
	if (kind->language && !translate(guest, isa, kind->language, &file, &object, &diags)) {
		fuzz_render(&diags);
		buf_fini(&object);
		return 0;
	}
	if (kind->language)
		file = (GuestFile){.name = kind->file, .data = object.data, .len = object.len,
				   .source = data + 1, .source_len = size - 1};
	machine = create(isa, guest);
	if (guest->load(machine, &file, 1, &diags) == STATUS_OK)
		run_both(isa, guest, machine, &file);
	fuzz_render(&diags);
	machine_destroy(machine);
	buf_fini(&object);
	return 0;
}
