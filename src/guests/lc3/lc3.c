/* SPDX-License-Identifier: MIT
 *
 * The LC-3 as a guest: which files are its own, how a program gets into memory and where it starts, and the six
 * services that the tiny machine's TRAP asks of its host.
 *
 * Entry, by profile:
 *   v3       the first origin of the last file (an origin of 0 changes nothing), x0200 without any. From x3000 to
 *            xFDFF: user mode, R6 = 0, SSP = x3000. Elsewhere: supervisor mode, R6 = x3000, SSP = 0.
 *   classic  x0200, the operating system, which starts the program at x3000.
 *   tiny     x3000, whatever the files say.
 */
#include "guests/lc3/lc3.h"

#include <string.h>

#include "base/strmap.h"

typedef enum Profile { PROFILE_V3, PROFILE_CLASSIC, PROFILE_TINY } Profile;

/* State beyond slots and spaces. */
typedef struct Private {
	u16 start;
	bool loaded; /* start is set */
	bool asked;  /* tiny IN: the prompt is out, the character has not come yet */
} Private;

enum {
	FIRST_TRAP = 0, LAST_TRAP = 0xFF,
	FIRST_SERVICE = 0x30, LAST_SERVICE = 0x46, /* services=on */
	FIRST_UNUSED_INTERRUPT = 0x103, LAST_INTERRUPT = 0x1FF, /* behind the exceptions */
	OS_BOOT = 0x0200, USER_FIRST = 0x3000, DEVICES_FIRST = 0xFE00, MEMORY_WORDS = 0x10000,
};

static Profile profile_of(const Machine *machine)
{
	const char *choice = isa_option_value(machine_isa(machine), "profile");

	if (choice && !strcmp(choice, "classic"))
		return PROFILE_CLASSIC;
	if (choice && !strcmp(choice, "tiny"))
		return PROFILE_TINY;
	return PROFILE_V3;
}

static bool has_services(const Machine *machine)
{
	const char *choice = isa_option_value(machine_isa(machine), "services");

	return choice && !strcmp(choice, "on");
}

static u16 memory_of(const Machine *machine)
{
	return machine_isa(machine)->code_space;
}

static void set_register(Machine *machine, const char *name, u64 value)
{
	u32 slot;
	u8 width;

	if (isa_find_register(machine_isa(machine), name, strlen(name), false, &slot, &width))
		machine_set_slot(machine, slot, value);
}

/* ---- Memory and entry ---- */

/* Puts an image of tools/mkimage into memory. It is our own, so what does not fit the format ends it silently. */
static void put_image(Machine *machine, const u8 *image, const u8 *end)
{
	ByteReader reader = { image, (size_t)(end - image), 8, false };

	while (reader.at < reader.len) {
		u16 space = reader_u16(&reader);
		u32 origin = reader_u32(&reader), count = reader_u32(&reader);

		if (reader_u8(&reader) != 2 || reader.bad)
			return;
		for (u32 i = 0; i < count; i++)
			machine_write(machine, space, origin + i, reader_u16(&reader));
	}
}

/* Vectors first+1 .. last that are 0 get the content of the first. */
static void fill_vectors(Machine *machine, u16 first, u16 last)
{
	u64 filler = 0;

	machine_read(machine, memory_of(machine), first, &filler);
	for (u32 address = first + 1u; address <= last; address++) {
		u64 vector = 0;

		machine_read(machine, memory_of(machine), address, &vector);
		if (!vector)
			machine_write(machine, memory_of(machine), address, filler);
	}
}

static void put_system(Machine *machine)
{
	switch (profile_of(machine)) {
	case PROFILE_V3: put_image(machine, lc3_os_image, lc3_os_image_end); break;
	case PROFILE_CLASSIC: put_image(machine, lc3_classic_image, lc3_classic_image_end); break;
	case PROFILE_TINY: return;
	}
	if (!has_services(machine))
		for (u32 vector = FIRST_SERVICE; vector <= LAST_SERVICE; vector++)
			machine_write(machine, memory_of(machine), vector, 0);
	fill_vectors(machine, FIRST_TRAP, LAST_TRAP);
	fill_vectors(machine, FIRST_UNUSED_INTERRUPT, LAST_INTERRUPT);
}

static void set_entry(Machine *machine, u16 start)
{
	bool in_user_space = start >= USER_FIRST && start < DEVICES_FIRST;

	machine_set_pc(machine, start);
	if (profile_of(machine) != PROFILE_V3)
		return;
	set_register(machine, "user", in_user_space);
	set_register(machine, "R6", in_user_space ? 0 : 0x3000);
	set_register(machine, "ssp", in_user_space ? 0x3000 : 0);
}

static u16 default_start(const Machine *machine)
{
	return profile_of(machine) == PROFILE_TINY ? USER_FIRST : OS_BOOT;
}

static void reset(Machine *machine)
{
	Private *own = machine_private(machine);
	u64 vector = 0, boot = 0;

	own->asked = false;
	machine_read(machine, memory_of(machine), 0, &vector);
	machine_read(machine, memory_of(machine), OS_BOOT, &boot);
	if (!vector && !boot) /* memory was cleared */
		put_system(machine);
	set_entry(machine, own->loaded ? own->start : default_start(machine));
}

static Status load_file(Machine *machine, const GuestFile *file, u16 *start, DiagList *diags)
{
	Profile profile = profile_of(machine);
	Lc3Object object;
	u32 dropped = 0;
	bool cut = false;
	Status status = lc3_object_read(file, &object, profile == PROFILE_TINY ? &cut : NULL, diags);

	for (u32 s = 0; !status && s < object.count; s++) {
		const Lc3Segment *segment = &object.segments[s];

		for (u32 i = 0; i < segment->count; i++) {
			u32 address = segment->origin + i;

			if (address >= DEVICES_FIRST && profile != PROFILE_TINY)
				dropped++;
			else
				machine_write(machine, memory_of(machine), address, segment->words[i]);
		}
	}
	if (!status && profile == PROFILE_V3 && object.segments[0].origin)
		*start = object.segments[0].origin;
	lc3_object_fini(&object);
	if (cut)
		diag_report_file(diags, DIAG_WARNING, file->name, NULL, "the file is longer than memory; its end is ignored");
	if (dropped)
		diag_report_file(diags, DIAG_WARNING, file->name, NULL,
				 "%u words from xFE00 on were dropped: devices are there", dropped);
	return status;
}

static Status load(Machine *machine, const GuestFile *files, u32 count, DiagList *diags)
{
	Private *own = machine_private(machine);
	u16 start = default_start(machine);

	put_system(machine);
	for (u32 i = 0; i < count; i++) {
		Status status = load_file(machine, &files[i], &start, diags);

		if (status)
			return status;
	}
	own->start = start;
	own->loaded = true;
	set_entry(machine, start);
	return STATUS_OK;
}

/* ---- Recognition ---- */

static bool name_ends(const GuestFile *file, const char *ending)
{
	size_t len = strlen(file->name), n = strlen(ending);

	return len >= n && ascii_equal_fold(file->name + len - n, n, ending, n);
}

/* Is the first word of the first line that is no comment .ORIG? */
static bool begins_with_origin(const GuestFile *file)
{
	size_t i = 0;

	while (i < file->len) {
		u8 c = file->data[i];

		if (c == ';')
			while (i < file->len && file->data[i] != '\n')
				i++;
		else if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			i++;
		else
			break;
	}
	return file->len - i > 5 && ascii_equal_fold((const char *)file->data + i, 5, ".ORIG", 5);
}

static int recognize(const GuestFile *file)
{
	if (begins_with_origin(file))
		return 80;
	switch (lc3_format(file->data, file->len)) {
	case LC3_FORMAT_TOOLS: return 100;
	case LC3_FORMAT_BIN: return name_ends(file, ".bin") ? 90 : 60;
	case LC3_FORMAT_CLASSIC: return name_ends(file, ".obj") ? 50 : 5;
	default: return 0;
	}
}

/* ---- What the tiny machine's TRAP asks for ---- */

/* A character, or xFFFF at the end of input. */
static HostResult host_getc(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	int key = machine_key(machine);

	(void)args, (void)count;
	if (key == -1)
		return HOST_WAIT;
	*result = key < 0 ? 0xFFFF : (u64)key;
	return HOST_OK;
}

static void print(Machine *machine, const char *text)
{
	while (*text)
		machine_putc(machine, (u8)*text++);
}

/* The prompt is printed once, also when the character has to be waited for. */
static HostResult host_input(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	Private *own = machine_private(machine);
	int key;

	(void)args, (void)count;
	if (!own->asked) {
		own->asked = true;
		print(machine, "Enter a character: ");
	}
	key = machine_key(machine);
	if (key == -1)
		return HOST_WAIT;
	own->asked = false;
	machine_putc(machine, key < 0 ? 0xFF : (u8)key);
	*result = key < 0 ? 0xFFFF : (u16)(i8)(u8)key;
	return HOST_OK;
}

/* The words from `address` up to a zero word, one character each or, packed, two: a high byte of zero is left out. A
 * string without an end stops after as many words as there are. */
static void put_words(Machine *machine, u64 address, bool packed)
{
	for (u32 i = 0; i < MEMORY_WORDS; i++) {
		u64 word = 0;

		machine_read(machine, memory_of(machine), (address + i) & 0xFFFF, &word);
		if (!word)
			return;
		machine_putc(machine, (u8)word);
		if (packed && word >> 8)
			machine_putc(machine, (u8)(word >> 8));
	}
}

static HostResult host_puts(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count, (void)result;
	put_words(machine, args[0], false);
	return HOST_OK;
}

static HostResult host_putsp(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)count, (void)result;
	put_words(machine, args[0], true);
	return HOST_OK;
}

static HostResult host_halted(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	(void)args, (void)count, (void)result;
	print(machine, "HALT\n");
	return HOST_OK;
}

static const HostEntry hosts[] = {
	{ "getc", host_getc },   { "input", host_input },   { "puts", host_puts },
	{ "putsp", host_putsp }, { "halted", host_halted }, { NULL, NULL },
};

static const GuestFormat formats[] = {
	{ "lc3tools", ".obj", lc3_write_tools },
	{ "classic", ".obj", lc3_write_classic },
	{ "bin", ".bin", lc3_write_bin },
	{ NULL, NULL, NULL },
};

/* Labels are in .sym files, source text in the object files of lc3tools. */
static Status read_names(const Machine *machine, const GuestFile *file, const GuestNames *names)
{
	Status status = lc3_object_names(file, memory_of(machine), names);

	return status == STATUS_FORMAT ? lc3_symbols_names(file, memory_of(machine), names) : status;
}

/* ---- Line by line (husk repl) ---- */

static u64 get_register(const Machine *machine, const char *name)
{
	u32 slot = 0;
	u8 width;

	return isa_find_register(machine_isa(machine), name, strlen(name), false, &slot, &width) ? machine_slot(machine, slot)
												 : 0;
}

static char condition(u64 cc)
{
	return cc & 0x8000 ? 'N' : cc ? 'P' : 'Z';
}

/* The condition codes as letters; of the rest of the state beside R0..R7 nothing. */
static bool shell_register(const Machine *machine, u32 slot, u64 before, Buf *out)
{
	const char *name = isa_slot_name(machine_isa(machine), slot);

	if (name[0] == 'R')
		return false;
	if (strcmp(name, "cc") == 0 && condition(before) != condition(machine_slot(machine, slot)))
		buf_printf(out, "cc: %c", condition(machine_slot(machine, slot)));
	return true;
}

/* The operating system's memory, and the devices. */
static bool shell_hides(const Machine *machine, u16 space, u64 address)
{
	(void)space;
	return profile_of(machine) != PROFILE_TINY && (address < USER_FIRST || address >= DEVICES_FIRST);
}

/* Out of the operating system's HALT. */
static void shell_resume(Machine *machine)
{
	set_register(machine, "mcr", 0x8000);
	if (profile_of(machine) != PROFILE_V3 || get_register(machine, "user"))
		return;
	set_register(machine, "R6", get_register(machine, "ssp"));
	set_register(machine, "ssp", USER_FIRST);
	set_register(machine, "user", 1);
}

static const GuestShell shell = {
	.show_register = shell_register,
	.hides = shell_hides,
	.resume = shell_resume,
};

const Guest lc3_guest = {
	.name = "lc3",
	.isa_name = "LC-3",
	.hosts = hosts,
	.recognize = recognize,
	.load = load,
	.reset = reset,
	.formats = formats,
	.write_symbols = lc3_write_symbols,
	.read_names = read_names,
	.isa_text = lc3_isa_text,
	.isa_frozen = lc3_isa_frozen,
	.private_size = sizeof(Private),
	.shell = &shell,
};
