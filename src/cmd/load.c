/* SPDX-License-Identifier: MIT */
#include "cmd/load.h"

#include "jit/jit.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "cmd/file.h"
#include "cmd/say.h"
#include "guests/plain.h"
#include "hyper/folders.h"
#include "linux/linux.h"

#define LINUX_MEMORY ((u64)4 << 30)

enum { LINUX_VCPUS = 1024, LINUX_QUANTUM = 20000 };

void load_init(Loaded *loaded)
{
	*loaded = (Loaded){0};
	diag_init(&loaded->diags);
	arena_init(&loaded->arena);
}

void load_fini(Loaded *loaded)
{
	if (loaded->machine)
		machine_destroy(loaded->machine); /* first: files_stay */
	for (u32 i = 0; i < loaded->file_count; i++) {
		load_file_close(&loaded->files[i]);
		buf_fini(&loaded->files[i].data);
		buf_fini(&loaded->files[i].compiled);
		buf_fini(&loaded->files[i].listing);
		buf_fini(&loaded->files[i].object);
		if (loaded->files[i].program)
			asm_program_destroy(loaded->files[i].program);
	}
	folders_close(loaded->folders);
	if (loaded->isa)
		isa_destroy(loaded->isa);
	buf_fini(&loaded->error);
	buf_fini(&loaded->hint);
	buf_fini(&loaded->isa_text);
	diag_fini(&loaded->diags);
	arena_fini(&loaded->arena);
}

void load_complain(const Loaded *loaded)
{
	if (loaded->diags.count)
		say_diags(&loaded->diags);
	if (loaded->error.len)
		say_error("%s", buf_text(&loaded->error));
	if (loaded->hint.len)
		say_hint("%s", buf_text(&loaded->hint));
}

static int failed(Loaded *loaded, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int failed(Loaded *loaded, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(&loaded->error, format, args);
	va_end(args);
	return code;
}

/* ---- Files ---- */

static bool is_snapshot(const Buf *data)
{
	return data->len >= sizeof MACHINE_SNAPSHOT_MAGIC - 1 &&
	       memcmp(data->data, MACHINE_SNAPSHOT_MAGIC, sizeof MACHINE_SNAPSHOT_MAGIC - 1) == 0;
}

int load_files(Loaded *loaded, const char *const *names, u32 count)
{
	loaded->files = ARENA_ARRAY(&loaded->arena, LoadedFile, count + 1);
	if (!loaded->files)
		return failed(loaded, EXIT_HUSK, "out of memory");
	for (u32 i = 0; i < count; i++) {
		LoadedFile *file = &loaded->files[i];
		int code;

		*file = (LoadedFile){.name = strcmp(names[i], "-") == 0 ? "standard input" : names[i]};
		loaded->file_count = i + 1;
		code = file_read(names[i], FILE_LIMIT, &file->data, &loaded->error);
		if (code)
			return code;
		if (file->data.len == 0)
			return failed(loaded, EXIT_NOT_RUNNABLE, "%s is empty", file->name);
		file->is_snapshot = is_snapshot(&file->data);
		file->is_asm = !file->is_snapshot && (file_has_extension(names[i], ".asm") ||
						      file_has_extension(names[i], ".s") ||
						      (strcmp(names[i], "-") == 0 && load_looks_like_text(&file->data)));
	}
	return 0;
}

int load_text(Loaded *loaded, const char *name, const void *text, size_t len)
{
	loaded->files = ARENA_ARRAY(&loaded->arena, LoadedFile, 1);
	if (!loaded->files)
		return failed(loaded, EXIT_HUSK, "out of memory");
	loaded->files[0] = (LoadedFile){.name = name, .is_asm = true};
	loaded->file_count = 1;
	buf_init(&loaded->files[0].data);
	buf_add(&loaded->files[0].data, text, len);
	if (loaded->files[0].data.failed)
		return failed(loaded, EXIT_HUSK, "out of memory");
	return 0;
}

bool load_is_input(const Loaded *loaded, const char *path, const char *what)
{
	for (u32 i = 0; path && strcmp(path, "-") != 0 && i < loaded->file_count; i++) {
		if (!file_is_same(path, loaded->files[i].name))
			continue;
		say_error("%s would be overwritten by %s: name another file", loaded->files[i].name, what);
		return true;
	}
	return false;
}

const char *load_beside(Loaded *loaded, const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	size_t dir = slash ? (size_t)(slash - path) + 1 : 0, len = strlen(name);
	char *joined;

	if (name[0] == '/' || !dir)
		return name;
	joined = ARENA_ARRAY(&loaded->arena, char, dir + len + 1);
	if (!joined)
		return name;
	memcpy(joined, path, dir);
	memcpy(joined + dir, name, len + 1);
	return joined;
}

/* ---- A machine of an .isa alone ---- */

static int put_plain(Loaded *loaded)
{
	u64 start = loaded->isa->regs[loaded->isa->pc_reg].reset;

	for (u32 i = 0; i < loaded->file_count; i++) {
		const LoadedFile *file = &loaded->files[i];
		const Buf *bytes = load_bytes(file);
		Status status = file->is_asm ? plain_put_program(loaded->machine, file->name, file->program, &start, &loaded->error)
					     : plain_put_image(loaded->machine, file->name, bytes->data, bytes->len, &start,
							       &loaded->error);

		if (status)
			return EXIT_NOT_RUNNABLE;
	}
	machine_reset(loaded->machine, true);
	machine_set_pc(loaded->machine, start);
	return 0;
}

/* ---- A machine with a guest ---- */

static int put_through_guest(Loaded *loaded)
{
	GuestFile *files = ARENA_ARRAY(&loaded->arena, GuestFile, loaded->file_count + 1);
	const GuestFormat *format = loaded->guest->formats;
	Status status;

	if (!files)
		return failed(loaded, EXIT_HUSK, "out of memory");
	for (u32 i = 0; i < loaded->file_count; i++) {
		LoadedFile *file = &loaded->files[i];

		if (file->is_asm) {
			if (!format)
				return failed(loaded, EXIT_HUSK, "%s: no object format to assemble into", file->name);
			buf_clear(&file->object);
			status = format->write(file->program, &file->object, &loaded->diags);
			if (status && !loaded->diags.errors)
				failed(loaded, 0, "%s: %s", file->name, status_text(status));
			if (status)
				return EXIT_NOT_RUNNABLE;
		}
		files[i] = load_guest_file(file);
		files[i].stays = loaded->files_stay;
	}
	status = loaded->guest->load(loaded->machine, files, loaded->file_count, &loaded->diags);
	if (status && !loaded->diags.errors)
		failed(loaded, 0, "%s: %s", loaded->files[0].name, status_text(status));
	if (!status)
		load_names(loaded);
	return status ? EXIT_NOT_RUNNABLE : 0;
}

static int restore(Loaded *loaded)
{
	const LoadedFile *file = &loaded->files[0];
	Status status;

	if (loaded->file_count > 1)
		return failed(loaded, EXIT_HUSK, "a snapshot is the whole machine: give it alone, without other files");
	status = machine_restore(loaded->machine, file->data.data, file->data.len);
	if (status)
		return failed(loaded, EXIT_NOT_RUNNABLE, "%s: %s%s%s", file->name, status_text(status),
			      *machine_why(loaded->machine) ? ": " : "", machine_why(loaded->machine));
	return 0;
}

static bool has_snapshot(const Loaded *loaded)
{
	for (u32 i = 0; i < loaded->file_count; i++)
		if (loaded->files[i].is_snapshot)
			return true;
	return false;
}

/* Programs of a machine with an operating system begin with little: their own name. */
static int configure_linux(Loaded *loaded, const LoadOptions *options)
{
	const char *name = loaded->file_count ? loaded->files[0].name : loaded->isa->name;
	const LinuxConfig plain = {.arguments = &name, .argument_count = 1};
	Status status = linux_configure(loaded->machine, options->system ? options->system : &plain, &loaded->diags);

	if (status == STATUS_UNSUPPORTED)
		return 0;
	if (status && !loaded->diags.errors)
		failed(loaded, 0, "cannot make a machine: %s", status_text(status));
	return status ? EXIT_HUSK : 0;
}

static const EngineOps *engine_of(const LoadOptions *options)
{
	if (!options->engine_name && !options->compiles)
		return options->engine;
	if (!options->engine_name)
		return jit_is_possible() ? &jit_engine : options->engine;
	return strcmp(options->engine_name, "jit") == 0 && jit_is_possible() ? &jit_engine : &interp_engine;
}

static bool uses_host_rights(const LoadOptions *options)
{
	return engine_of(options) != &interp_engine &&
	       !(options->engine_options && options->engine_options->hard_after == ~(u64)0);
}

int load_create(Loaded *loaded, const LoadOptions *options)
{
	const bool is_linux = loaded->guest && loaded->guest->is_linux;
	MachineConfig config = {.isa = loaded->isa, .guest = loaded->guest, .memory_limit = options->memory,
				.engine = engine_of(options), .engine_options = options->engine_options,
				.quantum = options->quantum,
				.vcpu_limit = options->vcpus > 0xFFFFFFFF ? 0xFFFFFFFF : (u32)options->vcpus,
				.virtual_time = !options->live, .quantum_jitter = options->live,
				.disk_limit = loaded->disk_limit, .host_rights = is_linux && uses_host_rights(options),
				.jitter_seed = options->jitter_seed, .random_seed = is_linux ? options->random_seed : 0};
	Status status;

	if (is_linux) {
		config.memory_limit = config.memory_limit ? config.memory_limit : LINUX_MEMORY;
		config.vcpu_limit = config.vcpu_limit ? config.vcpu_limit : LINUX_VCPUS;
		config.quantum = config.quantum ? config.quantum : LINUX_QUANTUM;
	} else {
		config.folders = loaded->folders;
	}
	status = machine_create(&config, &loaded->machine, &loaded->diags);
	loaded->config = config;

	if (status == STATUS_TOO_BIG)
		return failed(loaded, EXIT_LIMIT, "%s needs more memory than --memory allows", loaded->isa->name);
	if (status && !loaded->diags.errors)
		failed(loaded, 0, "cannot make a machine: %s", status_text(status));
	if (!status && is_linux)
		return configure_linux(loaded, options);
	return status ? EXIT_HUSK : 0;
}

int load_put(Loaded *loaded)
{
	const bool knows_parts = loaded->guest && loaded->guest->is_linux && !has_snapshot(loaded);

	for (u32 i = 0; i < loaded->file_count && !knows_parts; i++)
		if (!load_file_all(&loaded->files[i]))
			return failed(loaded, EXIT_NOT_RUNNABLE, "cannot read %s", loaded->files[i].name);
	if (has_snapshot(loaded))
		return restore(loaded);
	if (loaded->guest && loaded->guest->load)
		return put_through_guest(loaded);
	return put_plain(loaded);
}

int load_machine(Loaded *loaded, const LoadOptions *options)
{
	int code = load_create(loaded, options);

	return code ? code : load_put(loaded);
}

int load_all(Loaded *loaded, const LoadOptions *options, const char *const *names, u32 count)
{
	int code = load_files(loaded, names, count);

	if (!code)
		code = load_isa(loaded, options);
	if (!code)
		code = load_assemble(loaded, options);
	if (!code)
		code = load_machine(loaded, options);
	return code;
}

/* ---- Names for addresses ---- */

const char *load_symbol_at(const Loaded *loaded, u16 space, u64 address)
{
	u64 offset;
	const char *name = load_symbol_near(loaded, space, address, &offset);

	return name && offset == 0 ? name : NULL;
}

static bool in_segment(const AsmProgram *program, u16 space, u64 symbol, u64 address)
{
	for (u32 i = 0; i < program->segment_count; i++) {
		const AsmSegment *segment = &program->segments[i];

		if (segment->space == space && symbol >= segment->origin && address >= segment->origin &&
		    address - segment->origin < segment->count)
			return true;
	}
	return false;
}

const char *load_symbol_near(const Loaded *loaded, u16 space, u64 address, u64 *offset)
{
	const LoadName *own = load_name_near(loaded, space, address);
	const char *best = NULL;

	for (u32 f = 0; f < loaded->file_count; f++) {
		const AsmProgram *program = loaded->files[f].program;

		for (u32 i = 0; program && i < program->symbol_count; i++) {
			const AsmSymbol *symbol = &program->symbols[i];

			if (symbol->space != space || symbol->value > address || (best && address - symbol->value >= *offset))
				continue;
			if (symbol->value != address && !in_segment(program, space, symbol->value, address))
				continue;
			best = symbol->name;
			*offset = address - symbol->value;
		}
	}
	if (!best && own) {
		best = own->text;
		*offset = address - own->address;
	}
	return best;
}

void load_hex(const Isa *isa, u16 dialect, u64 value, unsigned bits, Buf *out)
{
	const IsaDialect *d = &isa->dialects[dialect];
	const char *prefix = "0x", *suffix = "";

	for (u32 i = 0; i < d->number_count; i++) {
		if (d->numbers[i].base == ISA_BASE_HEX) {
			prefix = d->numbers[i].is_suffix ? "" : d->numbers[i].affix;
			suffix = d->numbers[i].is_suffix ? d->numbers[i].affix : "";
			break;
		}
	}
	buf_printf(out, "%s%0*llX%s", prefix, (int)((bits + 3) / 4), (unsigned long long)value, suffix);
}
