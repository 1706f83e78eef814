/* SPDX-License-Identifier: MIT
 *
 * A machine whose program asks for files by number, with folders of the host that are there for the test alone.
 */
#ifndef UNIT_FILER_H
#define UNIT_FILER_H

#include "unit/hyper_toy.h"

#include <sys/stat.h>
#include <unistd.h>

#include "hyper/folders.h"

/* Cells of memory are of 16 bits: a file has a byte for each. */
static const char file_isa[] =
	"isa FILER \"files\"\n"
	"space C : 8 x 256\n"
	"space M : 16, size 0x8000\n"
	"code C\n"
	"reg R[4] : 32\n"
	"reg pc : 8\n"
	"field d : R\n"
	"field n i : unsigned\n"
	"host serve(m:8, n:8, a:32, b:32, c:32) : 64\n"
	"insn STOP \"0'8\" { stop R[0] & 0xFF }\n"
	"insn LI   \"01 d:2 .:4 i:16\" d, i { d = zx(i) }\n"
	"insn SERV \"1 n:7\" n { let q = host serve(1, n, R[0], R[1], R[2]); R[0] = q[31:0]; R[1] = q[63:32] }\n"
	"asm {\n  comment \";\"  label colon  number hex \"0x\" | dec\n}\n";

enum { R0 = 1 }; /* its slot, behind the pc */
enum { OPEN = 0x3F, READ, WRITE, SEEK, SIZE, CLOSE, REMOVE, NEXT, NAME = 0x100, PLACE = 0x1000, CELLS = 0x8000 };
enum { GONE = -1, FULL = -2, BIG = -3, REFUSED = -4 };

typedef struct Rig {
	char folder[64];
	const MachineFolders *folders;
	Isa *isa;
	MachineConfig config;
	Machine *machine;
} Rig;

static inline Machine *one_more(const Rig *rig)
{
	Machine *machine = NULL;
	DiagList diags;

	diag_init(&diags);
	machine_create(&rig->config, &machine, &diags);
	toy_check(&diags, machine);
	diag_fini(&diags);
	machine_reset(machine, false);
	return machine;
}

static inline char *beneath(const Rig *rig, const char *name)
{
	static char path[400];

	snprintf(path, sizeof path, "%s/%s", rig->folder, name);
	return path;
}

static inline void put_host_file(const Rig *rig, const char *name, const char *text)
{
	FILE *file = fopen(beneath(rig, name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static inline void assert_host_file(const Rig *rig, const char *name, const char *text)
{
	char found[200] = "";
	FILE *file = fopen(beneath(rig, name), "r");

	assert_non_null(file);
	found[fread(found, 1, sizeof found - 1, file)] = 0;
	fclose(file);
	assert_string_equal(found, text);
}

static inline void rig_open(Rig *rig)
{
	HostFolder folders[3];
	char inner[100], again[100];
	DiagList diags;
	Buf why;

	*rig = (Rig){.folder = "/tmp/husk-files-XXXXXX"};
	assert_non_null(mkdtemp(rig->folder));
	snprintf(inner, sizeof inner, "%s/in", rig->folder);
	snprintf(again, sizeof again, "%s/in/deep", rig->folder);
	assert_int_equal(mkdir(inner, 0700) | mkdir(again, 0700), 0);
	folders[0] = (HostFolder){.host = inner, .guest = "/in/"};
	folders[1] = (HostFolder){.host = inner, .guest = "/look", .read_only = true};
	folders[2] = (HostFolder){.host = again, .guest = "/in/other"};
	buf_init(&why);
	assert_int_equal(folders_open(folders, 3, &rig->folders, &why), STATUS_OK);
	buf_fini(&why);
	diag_init(&diags);
	rig->isa = isa_load("filer.isa", file_isa, strlen(file_isa), NULL, 0, &diags);
	toy_check(&diags, rig->isa);
	diag_fini(&diags);
	rig->config = (MachineConfig){.isa = rig->isa, .folders = rig->folders};
	rig->machine = one_more(rig);
}

static inline void rig_close(Rig *rig)
{
	char line[200];

	machine_destroy(rig->machine);
	folders_close(rig->folders);
	isa_destroy(rig->isa);
	snprintf(line, sizeof line, "rm -r %s", rig->folder);
	assert_int_equal(system(line), 0);
}

static inline void put_text(Machine *machine, u64 at, const char *text)
{
	for (size_t i = 0; i <= strlen(text); i++)
		assert_int_equal(machine_write(machine, 1, at + i, (u8)text[i]), STATUS_OK);
}

static inline void assert_cells(const Machine *machine, u64 at, const char *text)
{
	for (size_t i = 0; i < strlen(text); i++) {
		u64 cell;

		assert_int_equal(machine_read(machine, 1, at + i, &cell), STATUS_OK);
		assert_int_equal(cell, (u8)text[i]);
	}
}

static inline MachineStop call(Machine *machine, u32 service, u32 a, u32 b, u32 c)
{
	assert_int_equal(machine_write(machine, 0, 0, 0x80 | service), STATUS_OK);
	machine_set_slot(machine, R0, a);
	machine_set_slot(machine, R0 + 1, b);
	machine_set_slot(machine, R0 + 2, c);
	machine_set_pc(machine, 0);
	return machine_run(machine, 1);
}

static inline i32 ask(Machine *machine, u32 service, u32 a, u32 b, u32 c)
{
	assert_int_equal(call(machine, service, a, b, c).kind, STOP_BUDGET);
	return (i32)machine_slot(machine, R0);
}

static inline i32 open_it(Machine *machine, const char *name, FileMode mode)
{
	put_text(machine, NAME, name);
	return ask(machine, OPEN, NAME, mode, 0);
}

static inline i32 write_it(Machine *machine, i32 handle, const char *text)
{
	put_text(machine, PLACE, text);
	return ask(machine, WRITE, (u32)handle, PLACE, (u32)strlen(text));
}

/* ---- In a hypervisor ---- */

static inline void emit(Machine *machine, u32 *at, u32 byte)
{
	assert_int_equal(machine_write(machine, 0, (*at)++, byte), STATUS_OK);
}

static inline void emit_call(Machine *machine, u32 *at, u32 service, u32 a, u32 b, u32 c)
{
	const u32 values[] = {a, b, c};

	for (u32 i = 0; i < 3; i++) {
		emit(machine, at, 0x40 | i << 4);
		emit(machine, at, values[i] >> 8);
		emit(machine, at, values[i] & 0xFF);
	}
	emit(machine, at, 0x80 | service);
}

static inline Image *image_for(Rig *rig)
{
	Image *image;

	assert_int_equal(image_create(&rig->config, rig->machine, &image), STATUS_OK);
	return image;
}

static inline Hyper *hyper_for(void)
{
	HyperConfig config = {.workers = 0, .residents = HYPER_NO_RESIDENTS};
	Hyper *hyper;

	assert_int_equal(hyper_create(&config, &hyper), STATUS_OK);
	return hyper;
}

#endif
