/* SPDX-License-Identifier: MIT
 *
 * .tvmc, the compiled program of stages 07 on. Little-endian, without a magic number or a version:
 *
 *     u32 functions
 *     per function     text name | u32 instructions | the instructions | u32 strings | the strings (the pool)
 *     per instruction  u32 opcode | u16 x | u16 y | u16 z | i32 constant | u32 has a name | the name, if so
 *     text             u32 bytes, its NUL included | the bytes
 *
 * The original reads whatever a file says. Here the first thing that cannot be is reported with its offset, and no
 * count is believed beyond what the bytes that are left can hold.
 */
#include "guests/tinyvm/tinyvm.h"

#include <string.h>

void tvm_program_init(TvmProgram *program, unsigned stage)
{
	*program = (TvmProgram){ .stage = stage };
	arena_init(&program->arena);
}

void tvm_program_fini(TvmProgram *program)
{
	arena_fini(&program->arena);
	*program = (TvmProgram){ 0 };
}

TvmFunction *tvm_add_function(TvmProgram *program, const char *name)
{
	if (!arena_grow(&program->arena, (void **)&program->functions, &program->cap, program->count, sizeof(TvmFunction)))
		return NULL;
	program->functions[program->count] = (TvmFunction){ .name = name };
	return &program->functions[program->count++];
}

TvmInsn *tvm_add_insn(TvmProgram *program, TvmFunction *function)
{
	if (!arena_grow(&program->arena, (void **)&function->insns, &function->cap, function->count, sizeof(TvmInsn)))
		return NULL;
	function->insns[function->count] = (TvmInsn){ 0 };
	return &function->insns[function->count++];
}

bool tvm_add_pool(TvmProgram *program, TvmFunction *function, const char *text, u16 *index)
{
	if (!arena_grow(&program->arena, (void **)&function->pool, &function->pool_cap, function->pool_count,
			sizeof(char *)))
		return false;
	if (index)
		*index = (u16)function->pool_count;
	function->pool[function->pool_count++] = text;
	return true;
}

/* ---- Writing ---- */

static void write_text(Buf *out, const char *text)
{
	const size_t len = strlen(text) + 1;

	buf_u32(out, (u32)len);
	buf_add(out, text, len);
}

void tvm_write(const TvmProgram *program, Buf *out)
{
	buf_u32(out, program->count);
	for (u32 f = 0; f < program->count; f++) {
		const TvmFunction *function = &program->functions[f];

		write_text(out, function->name);
		buf_u32(out, function->count);
		for (u32 i = 0; i < function->count; i++) {
			const TvmInsn *insn = &function->insns[i];

			buf_u32(out, insn->op);
			buf_u16(out, insn->x);
			buf_u16(out, insn->y);
			buf_u16(out, insn->z);
			buf_u32(out, (u32)insn->constant);
			buf_u32(out, insn->name != NULL);
			if (insn->name)
				write_text(out, insn->name);
		}
		buf_u32(out, function->pool_count);
		for (u32 i = 0; i < function->pool_count; i++)
			write_text(out, function->pool[i]);
	}
}

/* ---- Reading ---- */

typedef struct Reading {
	ByteReader in;
	const char *file;
	TvmProgram *program;
	DiagList *diags; /* or NULL */
	bool told;
} Reading;

#define WRONG(r, at, ...) \
	do { \
		if ((r)->diags && !(r)->told) { \
			Buf what_; \
			buf_init(&what_); \
			buf_printf(&what_, __VA_ARGS__); \
			diag_report_file((r)->diags, DIAG_ERROR, (r)->file, NULL, "at byte %zu (0x%zX): %s", (size_t)(at), \
					 (size_t)(at), buf_text(&what_)); \
			buf_fini(&what_); \
		} \
		(r)->told = true; \
	} while (0)

/* How many of something follow, each of at least `size` bytes. */
static u32 read_count(Reading *r, const char *what, size_t size)
{
	const size_t at = r->in.at;
	const u32 count = reader_u32(&r->in);

	if (r->told)
		return 0;
	if (r->in.bad)
		WRONG(r, at, "the file ends where the number of %s should be", what);
	else if (count > (r->in.len - r->in.at) / size)
		WRONG(r, at, "%d %s cannot fit into the %zu bytes that are left", (i32)count, what, r->in.len - r->in.at);
	return r->told ? 0 : count;
}

/* A text ends at its first NUL, as in the original; one without any is refused. */
static const char *read_text(Reading *r, const char *what)
{
	const size_t at = r->in.at;
	const u32 len = reader_u32(&r->in);
	const u8 *bytes = r->in.bad ? NULL : reader_bytes(&r->in, len);
	const char *copy;

	if (r->told)
		return "";
	if (!bytes)
		WRONG(r, at, "%s of %d bytes goes beyond the end of the file", what, (i32)len);
	else if (!len || !memchr(bytes, 0, len))
		WRONG(r, at, "%s has no end (NUL)", what);
	if (r->told)
		return "";
	copy = arena_strdup(&r->program->arena, (const char *)bytes);
	return copy ? copy : "";
}

static bool needs_name(u32 op)
{
	return op == TVM_PRINT || op == TVM_LOAD_CONST || (op >= TVM_SETSHARED && op <= TVM_INVOKE_ASYNC);
}

static void read_insn(Reading *r, TvmFunction *function)
{
	const size_t at = r->in.at;
	TvmInsn *insn = tvm_add_insn(r->program, function);

	if (!insn)
		return;
	insn->op = reader_u32(&r->in);
	insn->x = reader_u16(&r->in);
	insn->y = reader_u16(&r->in);
	insn->z = reader_u16(&r->in);
	insn->constant = (i32)reader_u32(&r->in);
	if (reader_u32(&r->in))
		insn->name = read_text(r, "a name");
	if (r->in.bad)
		WRONG(r, at, "the file ends within an instruction");
	else if (needs_name(insn->op) && !insn->name)
		WRONG(r, at, "this instruction (opcode %u) has no name", insn->op);
}

static void read_function(Reading *r)
{
	const char *name = read_text(r, "a function's name");
	const size_t at = r->in.at;
	const u32 count = read_count(r, "instructions", 18);
	TvmFunction *function = tvm_add_function(r->program, name);
	u32 strings;

	if (!function)
		return;
	if (count > TVM_MAX_INSNS)
		WRONG(r, at, "%u instructions are more than this machine takes", count);
	for (u32 i = 0; i < count && !r->told && !r->program->arena.failed; i++)
		read_insn(r, function);
	strings = read_count(r, "strings", 5);
	for (u32 i = 0; i < strings && !r->told && !r->program->arena.failed; i++)
		tvm_add_pool(r->program, function, read_text(r, "a string"), NULL);
	for (u32 i = 0; i < function->count && !r->told; i++) {
		const TvmInsn *insn = &function->insns[i];
		u32 most = insn->x > insn->y ? insn->x : insn->y;

		most = insn->z > most ? insn->z : most;
		if (insn->op == TVM_ADD && most >= function->pool_count)
			WRONG(r, at, "instruction %u of '%s' adds string %u, but there are %u", i, function->name, most,
			      function->pool_count);
	}
}

Status tvm_read(const GuestFile *file, TvmProgram *program, DiagList *diags)
{
	Reading r = { .in = { file->data, file->len, 0, false }, .file = file->name, .program = program, .diags = diags };
	const u32 count = read_count(&r, "functions", 13);

	if (count > TVM_FUNCTIONS)
		WRONG(&r, 0, "%u functions, but the machine has room for %d", count, TVM_FUNCTIONS);
	for (u32 i = 0; i < count && !r.told && !program->arena.failed; i++)
		read_function(&r);
	if (program->arena.failed)
		return STATUS_NOMEM;
	if (!r.told && r.in.at < r.in.len && diags)
		diag_report_file(diags, DIAG_WARNING, file->name, NULL, "%zu bytes behind the program are ignored",
				 r.in.len - r.in.at);
	return r.told ? r.in.bad ? STATUS_TRUNCATED : STATUS_FORMAT : STATUS_OK;
}
