/* SPDX-License-Identifier: MIT
 *
 * GDB's interface for code made at run time (GDB manual, "JIT Compilation Interface"; lldb has it, too): each piece is
 * registered as a small ELF object in memory with one symbol, husk:0xPC, and with how its frames are unwound to who
 * called it. A debugger of the *host's* process then names pieces in backtraces and takes breakpoints on them.
 *
 * Registering is a new head of a list and a call of a function that does nothing (where the debugger has its breakpoint);
 * taking it away looks the piece up by its address in a table. So both are O(1); what the debugger does then is its own, and is
 * the reason why this is an option.
 */
#ifndef JIT_JIT_GDB_H
#define JIT_JIT_GDB_H

#include "core/engine.h"
#include "jit/jit_perf.h"

typedef struct JitGdb JitGdb;

/* NULL: no memory. name may be NULL. */
JitGdb *jit_gdb_create(JitNamer name, void *ctx);
/* Takes away what is left. NULL is fine. */
void jit_gdb_destroy(JitGdb *gdb);
EngineWatcher jit_gdb_watcher(JitGdb *gdb);

#endif
