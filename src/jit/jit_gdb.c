/* SPDX-License-Identifier: MIT
 *
 *     __jit_debug_descriptor.first -> entry <-> entry <-> ...     of all machines of the process, under a lock
 *                                       |
 *                                  | ELF header | section headers | symbols | names | call frames |   one piece
 */
#include "jit/jit_gdb.h"

#include <elf.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "jit/jit_private.h"

/* ---- The interface: names, layout and numbers are GDB's ---- */

typedef enum JitGdbAction { ACTION_NONE, ACTION_REGISTER, ACTION_UNREGISTER } JitGdbAction;

struct jit_code_entry {
	struct jit_code_entry *next_entry, *prev_entry;
	const char *symfile_addr;
	u64 symfile_size;
};

struct jit_descriptor {
	u32 version, action_flag;
	struct jit_code_entry *relevant_entry, *first_entry;
};

extern struct jit_descriptor __jit_debug_descriptor;
void __jit_debug_register_code(void);

struct jit_descriptor __jit_debug_descriptor = { 1, ACTION_NONE, NULL, NULL };

void __attribute__((noinline)) __jit_debug_register_code(void)
{
	__asm__ volatile("" ::: "memory");
}

static pthread_mutex_t registering = PTHREAD_MUTEX_INITIALIZER;

static void tell(struct jit_code_entry *entry, JitGdbAction action)
{
	if (pthread_mutex_lock(&registering))
		return;
	if (action == ACTION_REGISTER) {
		entry->next_entry = __jit_debug_descriptor.first_entry;
		if (entry->next_entry)
			entry->next_entry->prev_entry = entry;
		__jit_debug_descriptor.first_entry = entry;
	} else {
		if (entry->next_entry)
			entry->next_entry->prev_entry = entry->prev_entry;
		if (entry->prev_entry)
			entry->prev_entry->next_entry = entry->next_entry;
		else
			__jit_debug_descriptor.first_entry = entry->next_entry;
	}
	__jit_debug_descriptor.relevant_entry = entry;
	__jit_debug_descriptor.action_flag = action;
	__jit_debug_register_code();
	__jit_debug_descriptor.action_flag = ACTION_NONE;
	__jit_debug_descriptor.relevant_entry = NULL;
	pthread_mutex_unlock(&registering);
}

/* ---- One piece ---- */

typedef struct GdbPiece {
	struct jit_code_entry entry;
	struct GdbPiece *hash_next;
	const u8 *code;
	Buf object;
} GdbPiece;

struct JitGdb {
	JitNamer name;
	void *ctx;
	GdbPiece **hash; /* owned */
	u32 cap, count;
};

enum { SECTION_TEXT = 1, SECTION_SYMBOLS, SECTION_NAMES, SECTION_FRAMES, SECTION_WORDS, SECTIONS };

/* The section names, one behind the other. */
static const char section_words[] = "\0.text\0.symtab\0.strtab\0.debug_frame\0.shstrtab";
static const u8 section_at[SECTIONS] = { 0, 1, 7, 15, 23, 36 };

static void add_frames(const EnginePiece *piece, Buf *out)
{
	size_t padding = -(9 + piece->cfi_size) & 7u;

	/* A CIE with the rules, which hold everywhere in the piece; a FDE that says where. */
	buf_u32(out, (u32)(9 + piece->cfi_size + padding));
	buf_u32(out, 0xFFFFFFFF);
	buf_byte(out, 1);    /* version */
	buf_byte(out, 0);    /* no augmentation */
	buf_byte(out, 1);    /* code is counted in bytes */
	buf_byte(out, 0x78); /* data in -8 */
	buf_byte(out, jit_host()->return_column);
	buf_add(out, piece->cfi, piece->cfi_size);
	buf_fill(out, 0, padding);
	buf_u32(out, 4 + 16);
	buf_u32(out, 0); /* where the CIE is in the section */
	buf_u64(out, (u64)(uintptr_t)piece->code);
	buf_u64(out, piece->size);
}

static void put_section(Buf *object, u32 number, u32 type, u64 offset, u64 size)
{
	Elf64_Shdr section = { .sh_name = section_at[number], .sh_type = type, .sh_offset = offset, .sh_size = size,
			       .sh_addralign = 1 };

	if (number == SECTION_SYMBOLS) {
		section.sh_link = SECTION_NAMES;
		section.sh_info = 1; /* the first that is not local */
		section.sh_entsize = sizeof(Elf64_Sym);
		section.sh_addralign = 8;
	}
	memcpy(object->data + sizeof(Elf64_Ehdr) + number * sizeof section, &section, sizeof section);
}

static void make_object(const JitGdb *gdb, const EnginePiece *piece, Buf *out)
{
	u64 address = (u64)(uintptr_t)piece->code;
	Elf64_Ehdr header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			      .e_type = ET_EXEC, .e_machine = jit_host()->elf_machine, .e_version = EV_CURRENT,
			      .e_shoff = sizeof header, .e_ehsize = sizeof header, .e_shentsize = sizeof(Elf64_Shdr),
			      .e_shnum = SECTIONS, .e_shstrndx = SECTION_WORDS };
	Elf64_Shdr text = { .sh_name = section_at[SECTION_TEXT], .sh_type = SHT_NOBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
			    .sh_addr = address, .sh_size = piece->size, .sh_addralign = 16 };
	Elf64_Sym symbol = { .st_name = 1, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = SECTION_TEXT,
			     .st_value = address, .st_size = piece->size };
	char name[192];
	size_t at;

	jit_piece_name(gdb->name, gdb->ctx, piece->pc, name, sizeof name);
	buf_add(out, &header, sizeof header);
	buf_fill(out, 0, SECTIONS * sizeof(Elf64_Shdr));
	if (out->failed)
		return;
	memcpy(out->data + sizeof header + SECTION_TEXT * sizeof text, &text, sizeof text);
	at = out->len;
	buf_fill(out, 0, sizeof symbol);
	buf_add(out, &symbol, sizeof symbol);
	if (out->failed)
		return;
	put_section(out, SECTION_SYMBOLS, SHT_SYMTAB, at, out->len - at);
	at = out->len;
	buf_byte(out, 0);
	buf_add(out, name, strlen(name) + 1);
	if (out->failed)
		return;
	put_section(out, SECTION_NAMES, SHT_STRTAB, at, out->len - at);
	at = out->len;
	if (piece->cfi_size)
		add_frames(piece, out);
	if (out->failed)
		return;
	put_section(out, SECTION_FRAMES, SHT_PROGBITS, at, out->len - at);
	at = out->len;
	buf_add(out, section_words, sizeof section_words);
	if (!out->failed)
		put_section(out, SECTION_WORDS, SHT_STRTAB, at, out->len - at);
}

/* ---- The watcher ---- */

static u32 hash_of(const JitGdb *gdb, const u8 *code)
{
	return (u32)((u64)(uintptr_t)code * 0x9E3779B97F4A7C15u >> 32) & (gdb->cap - 1);
}

/* A table that can't grow only gets slower. */
static bool make_place(JitGdb *gdb)
{
	u32 old = gdb->cap, cap = old ? old * 2 : 256;
	GdbPiece **before = gdb->hash, **hash;

	if (gdb->count < old)
		return true;
	hash = calloc(cap, sizeof(GdbPiece *));
	if (!hash)
		return before != NULL;
	gdb->hash = hash;
	gdb->cap = cap;
	for (u32 i = 0; i < old; i++)
		for (GdbPiece *piece = before[i], *next; piece; piece = next) {
			u32 at = hash_of(gdb, piece->code);

			next = piece->hash_next;
			piece->hash_next = hash[at];
			hash[at] = piece;
		}
	free(before);
	return true;
}

static void on_made(void *ctx, const EnginePiece *piece)
{
	JitGdb *gdb = ctx;
	GdbPiece *made = make_place(gdb) ? calloc(1, sizeof(*made)) : NULL;

	if (!made)
		return;
	buf_init(&made->object);
	make_object(gdb, piece, &made->object);
	if (made->object.failed) {
		buf_fini(&made->object);
		free(made);
		return;
	}
	made->code = piece->code;
	made->entry.symfile_addr = (const char *)made->object.data;
	made->entry.symfile_size = made->object.len;
	made->hash_next = gdb->hash[hash_of(gdb, piece->code)];
	gdb->hash[hash_of(gdb, piece->code)] = made;
	gdb->count++;
	tell(&made->entry, ACTION_REGISTER);
}

static void take_away(JitGdb *gdb, GdbPiece **at)
{
	GdbPiece *piece = *at;

	*at = piece->hash_next;
	gdb->count--;
	tell(&piece->entry, ACTION_UNREGISTER);
	buf_fini(&piece->object);
	free(piece);
}

static void on_killed(void *ctx, const EnginePiece *piece)
{
	JitGdb *gdb = ctx;

	for (GdbPiece **at = gdb->cap ? &gdb->hash[hash_of(gdb, piece->code)] : NULL; at && *at; at = &(*at)->hash_next)
		if ((*at)->code == piece->code) {
			take_away(gdb, at);
			return;
		}
}

JitGdb *jit_gdb_create(JitNamer name, void *ctx)
{
	JitGdb *gdb = calloc(1, sizeof(*gdb));

	if (gdb)
		*gdb = (JitGdb){ .name = name, .ctx = ctx };
	return gdb;
}

void jit_gdb_destroy(JitGdb *gdb)
{
	if (!gdb)
		return;
	for (u32 i = 0; i < gdb->cap; i++)
		while (gdb->hash[i])
			take_away(gdb, &gdb->hash[i]);
	free(gdb->hash);
	free(gdb);
}

EngineWatcher jit_gdb_watcher(JitGdb *gdb)
{
	return (EngineWatcher){ .ctx = gdb, .made = on_made, .killed = on_killed };
}
