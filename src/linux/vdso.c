/* SPDX-License-Identifier: MIT
 *
 * The library that the kernel puts into every program ("vDSO"): one page, a complete ELF file with one function,
 * __vdso_rt_sigreturn in version LINUX_4.15, to which signal handlers return. Unwinders recognise its code; C libraries
 * read its tables and find that the clock has no short way here, so they call.
 *
 *     0    ELF header, 2 program headers (PT_LOAD of all, PT_DYNAMIC)
 *          symbols (2) | hash table | versions | their definitions | texts | dynamic section | code
 */
#include <string.h>

#include "base/buf.h"
#include "linux/exec_private.h"

enum { TAG_HASH = 4, TAG_STRTAB = 5, TAG_SYMTAB = 6, TAG_STRSZ = 10, TAG_SYMENT = 11, TAG_SONAME = 14,
       TAG_VERSYM = 0x6FFFFFF0, TAG_VERDEF = 0x6FFFFFFC, TAG_VERDEFNUM = 0x6FFFFFFD };
enum { HEADERS = 2, SYMBOL = 24, DYNAMIC_ENTRIES = 10 };

static const char texts[] = "\0linux-vdso.so.1\0LINUX_4.15\0__vdso_rt_sigreturn";
enum { TEXT_SONAME = 1, TEXT_VERSION = 17, TEXT_SYMBOL = 28 };

/* The hash of ELF's symbol tables (System V ABI). */
static u32 elf_hash(const char *name)
{
	u32 hash = 0;

	for (; *name; name++) {
		u32 top;

		hash = (hash << 4) + (u8)*name;
		top = hash & 0xF0000000;
		hash = (hash ^ top >> 24) & ~top;
	}
	return hash;
}

typedef struct Places {
	u64 symbols, hash, versions, definitions, texts, dynamic, code, end;
} Places;

static u64 aligned(u64 at)
{
	return (at + 15) & ~(u64)15;
}

static Places lay_out(u32 code_len)
{
	Places at;

	at.symbols = ELF_HEADER + HEADERS * ELF_PROGRAM_HEADER;
	at.symbols = aligned(at.symbols);
	at.hash = aligned(at.symbols + 2 * SYMBOL);
	at.versions = aligned(at.hash + 5 * 4);
	at.definitions = aligned(at.versions + 2 * 2);
	at.texts = aligned(at.definitions + 2 * 28);
	at.dynamic = aligned(at.texts + sizeof texts);
	at.code = aligned(at.dynamic + DYNAMIC_ENTRIES * 16);
	at.end = at.code + code_len;
	return at;
}

static void header(Buf *out, const Places *at, u16 machine)
{
	buf_add(out, "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0", 16);
	buf_u16(out, ELF_SHARED);
	buf_u16(out, machine);
	buf_u32(out, 1);
	buf_u64(out, at->code);
	buf_u64(out, ELF_HEADER); /* program headers; no sections */
	buf_u64(out, 0);
	buf_u32(out, 0);
	buf_u16(out, ELF_HEADER);
	buf_u16(out, ELF_PROGRAM_HEADER);
	buf_u16(out, HEADERS);
	buf_u16(out, 0);
	buf_u16(out, 0);
	buf_u16(out, 0);
}

static void program_header(Buf *out, u32 type, u64 start, u64 len, u64 align)
{
	buf_u32(out, type);
	buf_u32(out, ELF_READ | (type == 1 ? ELF_EXECUTE : 0));
	buf_u64(out, start);
	buf_u64(out, start);
	buf_u64(out, start);
	buf_u64(out, len);
	buf_u64(out, len);
	buf_u64(out, align);
}

static void pad_to(Buf *out, u64 at)
{
	buf_fill(out, 0, at - out->len);
}

static void definition(Buf *out, u16 flags, u16 index, u32 name, u32 next)
{
	buf_u16(out, 1);
	buf_u16(out, flags);
	buf_u16(out, index);
	buf_u16(out, 1);
	buf_u32(out, elf_hash(texts + name));
	buf_u32(out, 20);
	buf_u32(out, next);
	buf_u32(out, name);
	buf_u32(out, 0);
}

static void build(const LinuxAbi *abi, Buf *out)
{
	Places at = lay_out(abi->trampoline_len);
	const u64 dynamic[DYNAMIC_ENTRIES][2] = {
		{TAG_SONAME, TEXT_SONAME}, {TAG_HASH, at.hash}, {TAG_STRTAB, at.texts}, {TAG_SYMTAB, at.symbols},
		{TAG_STRSZ, sizeof texts}, {TAG_SYMENT, SYMBOL}, {TAG_VERSYM, at.versions},
		{TAG_VERDEF, at.definitions}, {TAG_VERDEFNUM, 2}, {0, 0},
	};

	header(out, &at, abi->elf_machine);
	program_header(out, 1, 0, at.end, PAGE);
	program_header(out, 2, at.dynamic, sizeof dynamic, 8);
	pad_to(out, at.symbols + SYMBOL);
	buf_u32(out, TEXT_SYMBOL);
	buf_byte(out, 1 << 4 | 2); /* global, a function */
	buf_byte(out, 0);
	buf_u16(out, 1);
	buf_u64(out, at.code);
	buf_u64(out, abi->trampoline_len);
	pad_to(out, at.hash);
	buf_u32(out, 1); /* one bucket, which begins with symbol 1; two symbols */
	buf_u32(out, 2);
	buf_u32(out, 1);
	pad_to(out, at.versions);
	buf_u16(out, 0);
	buf_u16(out, 2);
	pad_to(out, at.definitions);
	definition(out, 1, 1, TEXT_SONAME, 28);
	definition(out, 0, 2, TEXT_VERSION, 0);
	pad_to(out, at.texts);
	buf_add(out, texts, sizeof texts);
	pad_to(out, at.dynamic);
	for (u32 i = 0; i < DYNAMIC_ENTRIES; i++) {
		buf_u64(out, dynamic[i][0]);
		buf_u64(out, dynamic[i][1]);
	}
	pad_to(out, at.code);
	buf_add(out, abi->trampoline, abi->trampoline_len);
}

i64 exec_make_vdso(Mm *mm)
{
	const LinuxAbi *abi = mm->kernel->abi;
	Machine *machine = mm->kernel->machine;
	Area like = {.prot = LINUX_PROT_READ | LINUX_PROT_EXEC, .flags = AREA_VDSO}, *area;
	Buf image;
	i64 error;

	if (lay_out(abi->trampoline_len).end > PAGE)
		return -EINVAL;
	error = mm_place(mm, 0, PAGE, &like.start);
	if (error)
		return error;
	like.end = like.start + PAGE;
	area = mm_add_area(mm, &like);
	if (!area || mm_make_present(mm, like.start, 0) != TOUCH_OK)
		return -ENOMEM;
	buf_init(&image);
	build(abi, &image);
	if (!image.failed)
		memcpy(machine_page_bytes(machine, mm->aspace, like.start), image.data, image.len);
	error = image.failed ? -ENOMEM : 0;
	buf_fini(&image);
	mm->vdso = like.start;
	mm->trampoline = like.start + lay_out(abi->trampoline_len).code;
	return error;
}
