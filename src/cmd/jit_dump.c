/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cmd/jit_dump.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "asm/asm.h"
#include "cmd/say.h"
#include "ir/ir.h"
#include "jit/jit_perf.h"

enum { STAGES_LIMIT = 16 << 20 }; /* bytes kept for one piece */

struct JitDump {
	int fd;
	Loaded *loaded;
	const char *wanted; /* NULL: all */
	u64 wanted_pc;
	bool known;         /* wanted_pc is */
	Buf stages;         /* of the piece that is being made */
	Buf text;
};

static const char *symbol_at(void *ctx, u16 space, u64 address)
{
	return load_symbol_at(ctx, space, address);
}

static const char *name_near(void *ctx, u64 pc, u64 *offset)
{
	const Loaded *loaded = ctx;

	return load_symbol_near(loaded, loaded->isa->code_space, pc, offset);
}

static const char *slot_name(const void *ctx, unsigned slot)
{
	const char *name = isa_slot_name(ctx, slot);

	return name ? name : "?";
}

/* Symbols are there only when the program has been loaded. */
static bool is_wanted(JitDump *dump, u64 pc)
{
	u64 offset = 1;
	const char *name;

	if (!dump->wanted || (dump->known && pc == dump->wanted_pc))
		return true;
	name = dump->known ? NULL : name_near(dump->loaded, pc, &offset);
	return name && !offset && strcmp(name, dump->wanted) == 0;
}

static bool holds_wanted(JitDump *dump, const EnginePiece *piece)
{
	bool holds = is_wanted(dump, piece->pc);

	for (u32 i = 0; i < piece->place_count && !holds; i++)
		holds = is_wanted(dump, piece->places[i].pc);
	return holds;
}

static void on_stage(void *ctx, u64 pc, const char *name, const IrFunc *func, const char *text)
{
	JitDump *dump = ctx;

	(void)pc;
	if (func)
		buf_clear(&dump->stages); /* a new piece */
	if (dump->stages.len > STAGES_LIMIT)
		return;
	buf_printf(&dump->stages, "--- %s\n", name);
	if (func)
		ir_print(func, slot_name, dump->loaded->isa, &dump->stages);
	else
		buf_str(&dump->stages, text ? text : "");
}

/* The guest's instruction, indented by `mark`. */
static u32 add_guest(JitDump *dump, const char *mark, u64 pc)
{
	const Isa *isa = dump->loaded->isa;
	DisOptions how = {.dialect = dump->loaded->dialect, .symbol = symbol_at, .ctx = dump->loaded};
	IsaDecoded decoded;

	machine_decode(dump->loaded->machine, pc, &decoded);
	buf_str(&dump->text, mark);
	load_hex(isa, dump->loaded->dialect, pc, isa->pc_width, &dump->text);
	buf_str(&dump->text, "  ");
	if (decoded.fetch_failed)
		buf_str(&dump->text, "(no memory)");
	else
		dis_instruction(isa, &how, pc, &decoded, &dump->text);
	buf_byte(&dump->text, '\n');
	return decoded.cells ? decoded.cells : 1;
}

static void add_host(JitDump *dump, const EnginePiece *piece)
{
	Buf *out = &dump->text;
	u32 place = 0;

	for (u32 at = 0; at < piece->size;) {
		u64 address = (u64)(uintptr_t)piece->code + at;
		u32 len;

		while (place < piece->place_count && piece->places[place].offset <= at)
			add_guest(dump, "; ", piece->places[place++].pc);
		buf_printf(out, "  %6x: ", at);
		len = jit_dump_host(piece->code + at, piece->size - at, address, out);
		if (!len) {
			u32 until = place < piece->place_count ? piece->places[place].offset : piece->size;

			for (len = 0; len < 16 && at + len < until; len++)
				buf_printf(out, "%s%02x", len ? " " : "", piece->code[at + len]);
			len = len ? len : 1;
		}
		buf_byte(out, '\n');
		at += len;
	}
}

static void on_made(void *ctx, const EnginePiece *piece)
{
	JitDump *dump = ctx;
	char name[192];
	u64 pc = piece->pc;

	if (dump->loaded->machine && holds_wanted(dump, piece)) {
		jit_piece_name(name_near, dump->loaded, piece->pc, name, sizeof name);
		buf_printf(&dump->text, "=== %s %s: %u instructions, %u bytes at 0x%llx\n", piece->tier, name, piece->insns,
			   piece->size, (unsigned long long)(uintptr_t)piece->code);
		if (strcmp(piece->tier, "base") == 0) {
			buf_str(&dump->text, "--- guest\n");
			for (u32 i = 0; i < piece->insns; i++)
				pc += add_guest(dump, "", pc);
		}
		buf_add(&dump->text, dump->stages.data, dump->stages.len);
		buf_str(&dump->text, "--- host\n");
		add_host(dump, piece);
		buf_byte(&dump->text, '\n');
		say_write(dump->fd, dump->text.data, dump->text.len);
		buf_clear(&dump->text);
	}
	buf_clear(&dump->stages);
}

JitDump *jit_dump_open(const char *path, const char *pc, Loaded *loaded)
{
	bool to_stderr = !*path || strcmp(path, "-") == 0;
	JitDump *dump = calloc(1, sizeof(*dump));

	if (!dump)
		return NULL;
	*dump = (JitDump){.loaded = loaded, .wanted = pc};
	dump->known = pc && opt_address(pc, &dump->wanted_pc);
	dump->fd = to_stderr ? STDERR_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (dump->fd < 0) {
		free(dump);
		return NULL;
	}
	buf_init(&dump->stages);
	buf_init(&dump->text);
	return dump;
}

void jit_dump_close(JitDump *dump)
{
	if (!dump)
		return;
	if (dump->fd != STDERR_FILENO)
		close(dump->fd);
	buf_fini(&dump->stages);
	buf_fini(&dump->text);
	free(dump);
}

EngineWatcher jit_dump_watcher(JitDump *dump)
{
	return (EngineWatcher){.ctx = dump, .made = on_made, .stage = on_stage};
}
