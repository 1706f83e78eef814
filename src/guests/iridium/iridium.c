/* SPDX-License-Identifier: MIT
 *
 * Iridium as a guest: which files are its own, how a program gets into memory and where it starts, PRTS and ALOC, and
 * the events that the original reports of a run.
 *
 * The file is memory as it stands, and three zeros behind it, so that an instruction which the end cuts off can still
 * be looked at; `end` is the file's own length, and the description refuses what lies behind it.
 */
#include "guests/iridium/iridium.h"

#include <stdio.h>
#include <string.h>

enum { HEAP_AT_FIRST = 64, BEHIND = 3, DESCRIBED = 16 /* values on the stack */ };

/* State beyond slots and spaces: what reset puts into registers. */
typedef struct Private {
	u32 start, end;
	bool bad, loaded;
} Private;

static bool is_built(const Isa *isa)
{
	const char *choice = isa_option_value(isa, "compat");

	return choice && !strcmp(choice, "built");
}

static void set_register(Machine *machine, const char *name, u64 value)
{
	u32 slot;
	u8 width;

	if (isa_find_register(machine_isa(machine), name, strlen(name), false, &slot, &width))
		machine_set_slot(machine, slot, value);
}

static u16 space_of(const Machine *machine, const char *name)
{
	return isa_find_space(machine_isa(machine), name, strlen(name));
}

static u8 code_byte(const Machine *machine, u64 address)
{
	u64 value = 0;

	machine_read(machine, machine_isa(machine)->code_space, address, &value);
	return (u8)value;
}

/* ---- Loading ---- */

static void reset(Machine *machine)
{
	const Private *own = machine_private(machine);

	if (machine_cells(machine, space_of(machine, "heap")) != HEAP_AT_FIRST)
		machine_resize(machine, space_of(machine, "heap"), HEAP_AT_FIRST);
	if (!own->loaded)
		return;
	set_register(machine, "end", own->end);
	set_register(machine, "bad", own->bad);
	machine_set_pc(machine, own->start);
}

/* Is the file as long as its header says? As built nobody asks: the strings are not there. */
static Status check_length(const Machine *machine, const GuestFile *file, u32 strings, DiagList *diags)
{
	if (file->len < EPIE_HEADER) {
		diag_report_file(diags, DIAG_ERROR, file->name, "68 bytes of header come first",
				 "the file is cut off: it has %zu bytes", file->len);
		return STATUS_TRUNCATED;
	}
	if (!is_built(machine_isa(machine)) && strings > file->len - EPIE_HEADER) {
		diag_report_file(diags, DIAG_ERROR, file->name,
				 "files of the original hold no strings: --set compat=built reads them",
				 "the header says that %u bytes of strings follow, but only %zu bytes do", strings,
				 file->len - EPIE_HEADER);
		return STATUS_TRUNCATED;
	}
	return STATUS_OK;
}

static Status load(Machine *machine, const GuestFile *files, u32 count, DiagList *diags)
{
	Private *own = machine_private(machine);
	const u16 code = machine_isa(machine)->code_space;
	const GuestFile *file = files;
	ByteReader reader = {.at = EPIE_COUNT_AT};
	Status status;
	u32 strings;

	if (!count)
		return STATUS_OK;
	if (count > 1) {
		diag_report_file(diags, DIAG_ERROR, files[1].name, NULL, "one program at a time: %u files are given", count);
		return STATUS_INVALID;
	}
	reader.data = file->data;
	reader.len = file->len;
	strings = file->len >= EPIE_HEADER ? reader_u32(&reader) : 0;
	if (file->len > UINT32_MAX / 2)
		return STATUS_TOO_BIG;
	own->bad = file->len < 4 || memcmp(file->data, "EPIE", 4) != 0;
	status = own->bad ? STATUS_OK : check_length(machine, file, strings, diags);
	if (!status)
		status = machine_resize(machine, code, file->len + BEHIND);
	for (size_t i = 0; !status && i < file->len; i++)
		status = machine_write(machine, code, i, file->data[i]);
	if (status)
		return status;
	own->end = (u32)file->len;
	own->start = strings > UINT32_MAX - EPIE_HEADER ? UINT32_MAX : EPIE_HEADER + strings;
	own->loaded = true;
	machine_reset(machine, true);
	return STATUS_OK;
}

/* In a session the program grows. Strings may stand anywhere in it. */
void iridium_extend(Machine *machine, u64 end)
{
	Private *own = machine_private(machine);

	own->start = own->end = (u32)end;
	set_register(machine, "end", end);
}

void iridium_extent(Machine *machine, u64 *start, u64 *end)
{
	const Private *own = machine_private(machine);

	*start = own->start;
	*end = own->end;
}

static int recognize(const GuestFile *file)
{
	return file->len >= 4 && !memcmp(file->data, "EPIE", 4) ? 100 : 0;
}

/* ---- PRTS ---- */

static void print(Machine *machine, const char *text)
{
	while (*text)
		machine_putc(machine, (u8)*text++);
}

/* The length of the valid UTF-8 sequence at `at`, or 0. */
static unsigned utf8_length(const Machine *machine, u64 at)
{
	const u8 lead = code_byte(machine, at), next = code_byte(machine, at + 1);
	const unsigned len = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3
			   : lead >= 0xF0 && lead < 0xF5 ? 4 : 0;

	if ((lead == 0xE0 && next < 0xA0) || (lead == 0xED && next > 0x9F) || (lead == 0xF0 && next < 0x90) ||
	    (lead == 0xF4 && next > 0x8F))
		return 0; /* too long a form, a surrogate, beyond U+10FFFF */
	for (unsigned i = 1; i < len; i++)
		if ((code_byte(machine, at + i) & 0xC0) != 0x80)
			return 0;
	return len;
}

/* The string at an address, which must end before the instructions begin. 1: it does not. */
static HostResult host_prts(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	const Private *own = machine_private(machine);
	u64 end = args[0];
	char text[96];

	(void)count;
	while (end < own->start && code_byte(machine, end))
		end++;
	*result = end >= own->start;
	if (*result) {
		machine_explain(machine, "PRTS: %s at %llu", args[0] >= own->start ? "there is no string"
							     : "the string has no end", (unsigned long long)args[0] - EPIE_HEADER);
		return HOST_OK;
	}
	for (u64 at = args[0]; at < end;) {
		const unsigned len = utf8_length(machine, at);

		if (!len) {
			snprintf(text, sizeof(text), "Error decoding string for prts instruction: byte %llu is no UTF-8\n",
				 (unsigned long long)(at - args[0]));
			print(machine, text);
			return HOST_OK;
		}
		at += len;
	}
	for (u64 at = args[0]; at < end; at++)
		machine_putc(machine, code_byte(machine, at));
	return HOST_OK;
}

/* ---- ALOC, and what to say ---- */

/* 1: there is no memory for it. */
static HostResult host_aloc(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	const u16 heap = space_of(machine, "heap");
	const u64 cells = machine_cells(machine, heap) + args[0];

	(void)count;
	*result = cells > INT32_MAX || machine_resize(machine, heap, cells) != STATUS_OK;
	if (*result)
		machine_explain(machine, "ALOC: the heap cannot grow to %llu bytes", (unsigned long long)cells);
	return HOST_OK;
}

/* Nothing matched at pc. 0: such an opcode there is not. 1: it is a register that is not there. */
static HostResult host_complain(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	const Isa *isa = machine_isa(machine);
	IsaDecoded decoded;

	(void)args, (void)count;
	machine_decode(machine, machine_pc(machine), &decoded);
	*result = 0;
	for (u32 i = 0; i < isa->insn_count && !*result; i++) {
		const IsaInsn *insn = &isa->insns[i];

		if ((decoded.w[0] & insn->mask[0]) != insn->match[0])
			continue;
		*result = 1;
		decoded.insn = insn;
		for (unsigned f = 0; f < insn->field_count; f++)
			if (isa->fields[insn->fields[f].field].kind == ISA_FIELD_REG && isa_field_value(isa, &decoded, f) > 31) {
				machine_explain(machine, "register %llu of %s: there are $0 to $31",
						(unsigned long long)isa_field_value(isa, &decoded, f), insn->name);
				break;
			}
	}
	if (!*result)
		machine_explain(machine, "%u is no opcode", (unsigned)(decoded.w[0] & 0xFF));
	return HOST_OK;
}

/* The debugger's line: the stack, if something is on it; of a deep one the top. */
static void describe(const Machine *machine, Buf *out)
{
	const u16 stack = space_of(machine, "stack");
	u64 top, value;
	u32 slot;
	u8 width;

	if (!isa_find_register(machine_isa(machine), "top", 3, false, &slot, &width))
		return;
	top = machine_slot(machine, slot);
	if (!top)
		return;
	buf_str(out, top > DESCRIBED ? "stack=[ .." : "stack=[");
	for (u64 i = top > DESCRIBED ? top - DESCRIBED : 0; i < top && !machine_read(machine, stack, i, &value); i++)
		buf_printf(out, " %d", (i32)value);
	buf_str(out, " ]");
}

static const HostEntry hosts[] = {
	{ "prts", host_prts }, { "aloc", host_aloc }, { "complain", host_complain }, { NULL, NULL },
};

/* ---- Events ---- */

static void events(const Machine *machine, const MachineStop *stop, Buf *out)
{
	(void)machine;
	buf_str(out, "Start\n");
	switch (stop->kind) {
	case STOP_HALT:
		buf_printf(out, "GracefulStop code %llu\n", (unsigned long long)stop->code);
		break;
	case STOP_FAULT:
	case STOP_ILLEGAL:
	case STOP_TRAP:
	case STOP_DENIED:
	case STOP_ERROR:
		buf_str(out, "Crash code 1\n");
		break;
	default:
		break;
	}
}

static const GuestFormat formats[] = {
	{ "epie", ".epie", epie_write },
	{ "epie-built", ".epie", epie_write_built },
	{ NULL, NULL, NULL },
};

static const GuestLanguage languages[] = {
	{ "palladium", ".pd", true, palladium_compile, palladium_result },
	{ "built", ".built", false, iasm_compile_built, NULL },
	{ NULL, NULL, false, NULL, NULL },
};

static const char *const asm_extensions[] = { ".iasm", NULL };

const Guest iridium_guest = {
	.name = "iridium",
	.isa_name = "Iridium",
	.hosts = hosts,
	.recognize = recognize,
	.load = load,
	.reset = reset,
	.formats = formats,
	.isa_text = iridium_isa_text,
	.isa_frozen = iridium_isa_frozen,
	.private_size = sizeof(Private),
	.asm_extensions = asm_extensions,
	.languages = languages,
	.check_text = iasm_check,
	.events = events,
	.source_item = epie_source_item,
	.describe = describe,
	.shell = &iridium_shell,
};
