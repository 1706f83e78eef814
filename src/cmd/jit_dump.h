/* SPDX-License-Identifier: MIT
 *
 * husk run --dump-jit: each piece of compiled code as it was made. Guest instructions, the IR (of regions: behind each pass),
 * and the host's instructions beside the guest's that they are of; as bytes where Husk was built without a disassembler
 * for the host (libzydis).
 */
#ifndef CMD_JIT_DUMP_H
#define CMD_JIT_DUMP_H

#include "cmd/load.h"

typedef struct JitDump JitDump;

/* `path` "" or "-": stderr. `pc`: only pieces that hold this instruction, an address or a symbol; NULL: all.
 * NULL: the file cannot be written (errno). */
JitDump *jit_dump_open(const char *path, const char *pc, Loaded *loaded);
/* NULL is fine. */
void jit_dump_close(JitDump *dump);
EngineWatcher jit_dump_watcher(JitDump *dump);

/* jit_dump_host.c: one instruction of the host as text; its length in bytes, 0 when it is none. */
u32 jit_dump_host(const u8 *code, u32 len, u64 address, Buf *out);

#endif
