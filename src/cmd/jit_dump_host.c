/* SPDX-License-Identifier: MIT
 *
 * The disassembler of the host is a library of others (Zydis), used for this alone. Without it: bytes.
 */
#include "cmd/jit_dump.h"

#ifdef HAVE_ZYDIS
#include <Zydis/Zydis.h>

#include "base/library.h"

u32 jit_dump_host(const u8 *code, u32 len, u64 address, Buf *out)
{
	static const char *const names[] = {"ZydisDisassembleIntel", NULL};
	__typeof__(ZydisDisassembleIntel) *disassemble = NULL;
	ZydisDisassembledInstruction instruction;

	if (library_load(ZYDIS_FILE, names, &disassemble) ||
	    !ZYAN_SUCCESS(disassemble(ZYDIS_MACHINE_MODE_LONG_64, address, code, len, &instruction)))
		return 0;
	buf_str(out, instruction.text);
	return instruction.info.length;
}
#else
u32 jit_dump_host(const u8 *code, u32 len, u64 address, Buf *out)
{
	(void)code;
	(void)len;
	(void)address;
	(void)out;
	return 0;
}
#endif
