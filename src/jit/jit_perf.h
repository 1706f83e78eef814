/* SPDX-License-Identifier: MIT
 *
 * Names of compiled code for perf, the profiler of Linux. Two formats:
 *
 *     map    /tmp/perf-PID.map, a line "START SIZE NAME" for each piece; perf report reads it by itself. Of pieces that lay
 *            at the same address one after the other the last is left at the end.
 *     dump   jit-PID.dump, records with the code itself, with time stamps and with the guest address of each instruction
 *            (tools/perf/Documentation/jitdump-specification.txt in Linux); `perf inject --jit` makes an ELF file of
 *            each piece, so that perf annotate shows instructions. perf must record with -k mono.
 *
 * Either is an EngineWatcher. Pieces are named husk:0xPC, or husk:NAME+OFFSET:0xPC when `name` knows one.
 */
#ifndef JIT_JIT_PERF_H
#define JIT_JIT_PERF_H

#include "base/status.h"
#include "core/engine.h"

typedef struct JitPerf JitPerf;
/* What stands at a guest address, or nearest below, with the distance; NULL when nothing is known. */
typedef const char *(*JitNamer)(void *ctx, u64 pc, u64 *offset);

/* Makes (or truncates) the file. STATUS_IO with errno, STATUS_NOMEM. `name` may be NULL. */
Status jit_perf_open_map(const char *path, JitNamer name, void *ctx, JitPerf **out);
Status jit_perf_open_dump(const char *path, JitNamer name, void *ctx, JitPerf **out);
/* NULL is fine. */
void jit_perf_close(JitPerf *perf);
EngineWatcher jit_perf_watcher(JitPerf *perf);
/* "husk:main+8:0x10378", always terminated. */
void jit_piece_name(JitNamer name, void *ctx, u64 pc, char *out, size_t size);

#endif
