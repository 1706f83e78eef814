/* SPDX-License-Identifier: MIT
 *
 * Programs as the machine shows them: the listing of a function, and what is printed before the first instruction. In
 * stages 07 on that is what the compiler said, if the program came as text, and what the loader says.
 */
#include "guests/tinyvm/tinyvm.h"

#include <string.h>

static const char *pool_text(const TvmFunction *function, u16 index)
{
	return index < function->pool_count ? function->pool[index] : "";
}

void tvm_show_insn(const TvmProgram *program, const TvmFunction *function, const TvmInsn *insn, Buf *out)
{
	const char *name = insn->name ? insn->name : "";

	switch (insn->op) {
	case TVM_PRINT: buf_printf(out, "PRINT %s", name); break;
	case TVM_LOAD_CONST: buf_printf(out, "LOAD_CONST %s = %d", name, insn->constant); break;
	case TVM_ADD:
		buf_printf(out, "ADD %s = %s + %s", pool_text(function, insn->x), pool_text(function, insn->y),
			   pool_text(function, insn->z));
		break;
	case TVM_SLEEP: buf_printf(out, "SLEEP %d", insn->constant); break;
	case TVM_SETSHARED: buf_printf(out, "SETSHARED %s = %d", name, insn->constant); break;
	case TVM_MONITOR_ENTER: buf_printf(out, "MONITOR_ENTER %s", name); break;
	case TVM_MONITOR_EXIT: buf_printf(out, "MONITOR_EXIT %s", name); break;
	case TVM_INVOKE_SYNC: buf_printf(out, "INVOKE_SYNC %s", name); break;
	case TVM_INVOKE_ASYNC: buf_printf(out, "INVOKE_ASYNC %s", name); break;
	case TVM_RETURN: buf_str(out, "RETURN"); break;
	case TVM_PRINT_STACK_TRACE:
		buf_str(out, program->stage >= 9 ? "PRINT_STACK_TRACE" : "NOP");
		break;
	default: buf_str(out, "NOP");
	}
}

static void show_function(const TvmProgram *program, const TvmFunction *function, Buf *out)
{
	buf_printf(out, "[Compiler] Bytecode for function '%s':\n", function->name);
	for (u32 i = 0; i < function->count; i++) {
		buf_printf(out, "  %u: ", i);
		tvm_show_insn(program, function, &function->insns[i], out);
		buf_byte(out, '\n');
	}
}

static void show_all(const TvmProgram *program, Buf *out)
{
	buf_printf(out, "[Compiler] Compiled %u functions:\n", program->count);
	for (u32 f = 0; f < program->count; f++)
		show_function(program, &program->functions[f], out);
}

/* "dir/prog.tvm" -> "dir/prog.tvmc": what follows the last point is replaced. */
static void show_output_name(const char *path, Buf *out)
{
	const char *point = strrchr(path, '.');

	buf_add(out, path, point ? (size_t)(point - path) : strlen(path));
	buf_str(out, ".tvmc");
}

void tvm_show_compiler(const TvmProgram *program, const char *path, Buf *out)
{
	buf_printf(out, "[Compiler] Starting TinyVM Compiler...\n[File] Successfully read %u lines from %s\n",
		   program->lines, path);
	for (u32 f = 0; f < program->count; f++) {
		const TvmFunction *function = &program->functions[f];

		for (u32 i = 0; program->stage >= 9 && i < function->count; i++)
			if (function->insns[i].strange)
				buf_printf(out, "[VM] Error: Unknown instruction: %s\n", function->insns[i].text);
		show_function(program, function, out);
	}
	if (program->stage >= 9)
		show_all(program, out);
	buf_str(out, "[Compiler] Successfully saved compiled bytecode to: ");
	show_output_name(path, out);
	buf_str(out, "\n[Compiler] Cleaned up compilation results\n[Compiler] TinyVM Compiler finished.\n");
}

static void show_loader(const TvmProgram *program, const char *path, Buf *out)
{
	buf_str(out, "[VM] Starting TinyVM...\n");
	for (u32 f = 0; f < program->count; f++)
		buf_printf(out, "[VM] Loaded function '%s' with %u instructions\n", program->functions[f].name,
			   program->functions[f].count);
	buf_str(out, "[VM] Successfully loaded compiled bytecode from: ");
	if (program->from_text)
		show_output_name(path, out);
	else
		buf_str(out, path);
	buf_byte(out, '\n');
	show_all(program, out);
}

void tvm_show_head(const TvmProgram *program, const char *path, Buf *out)
{
	switch (program->stage) {
	case 1: buf_str(out, "Starting TinyVM...\n-----------------\n"); return;
	case 2:
	case 3: buf_str(out, "Starting TinyVM with threads...\n"); return;
	case 4:
	case 5: buf_str(out, "Starting TinyVM...\n"); return;
	case 6:
		buf_str(out, "[VM] Starting TinyVM...\n");
		for (u32 f = 0; f < program->count; f++)
			buf_printf(out, "[VM] Defined function: %s\n", program->functions[f].name);
		for (u32 i = 0; i < program->refused; i++)
			buf_str(out, "[VM] Error: Function capacity exceeded\n");
		return;
	default:
		if (program->from_text)
			tvm_show_compiler(program, path, out);
		show_loader(program, path, out);
	}
}
