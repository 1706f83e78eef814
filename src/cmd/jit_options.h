/* SPDX-License-Identifier: MIT
 *
 * What `husk run` can be told about compiled code: --jit, --jit-stats, --dump-jit.
 *
 *     --jit LIST    words divided by commas:
 *         perf              /tmp/perf-PID.map, where perf looks for names
 *         jitdump           jit-PID.dump beside it, for perf inject --jit: code, and which guest address it is of
 *         gdb               a debugger of husk itself is told of each piece of code
 *         wx=switch|dual    one map whose rights are switched, or two maps (the usual way)
 *         cache=SIZE        bytes of code at most
 *         disk[=DIR]        what was compiled is kept there for the next run ($XDG_CACHE_HOME/husk)
 *         disk-limit=SIZE   bytes of files there
 *         background        what is hot is compiled on a thread of its own
 *         evict=N           for tests: drops something at random, about once in N looks for code
 */
#ifndef CMD_JIT_OPTIONS_H
#define CMD_JIT_OPTIONS_H

#include "cmd/load.h"

typedef struct JitOptions {
	OptList words;
	const char *stats; /* NULL: no; "" or "json" */
	const char *dump;  /* NULL: no; "" or "-": stderr; else a file */
	const char *dump_pc;
} JitOptions;

#define JIT_ROWS(Type, member)                                                                                   \
	{"jit", 0, OPT_LIST, offsetof(Type, member.words), "LIST",                                               \
	 "about compiled code, divided by commas: perf, jitdump, gdb,\nwx=switch, background, disk[=DIR], disk-limit=SIZE, cache=SIZE,\nevict=N, hot=N, soft, hard=N (docs/jit.md)"}, \
	{"jit-stats", 0, OPT_MAYBE, offsetof(Type, member.stats), "json",                                        \
	 "what was compiled, and why other things were not, on stderr"},                                         \
	{"dump-jit", 0, OPT_MAYBE, offsetof(Type, member.dump), "FILE",                                          \
	 "each piece of compiled code: guest's instructions, IR, host's; on\nstderr or in FILE"},                \
	{"dump-jit-pc", 0, OPT_TEXT, offsetof(Type, member.dump_pc), "ADDRESS",                                  \
	 "only pieces with this instruction (an address or a symbol)"}

/* What is made of them; lives longer than the machine. */
typedef struct JitSetup {
	EngineOptions options;
	EngineWatcher watchers[4];
	struct JitPerf *perf, *dump;
	struct JitDisk *disk;
	char directory[4096]; /* for it; "": none */
	u64 disk_limit;
	struct JitGdb *gdb;
	struct JitDump *listing;
	Loaded *loaded; /* for names */
	Buf error;      /* one line, when jit_setup_open fails */
} JitSetup;

/* 0 or an exit code, with setup->error. program: its path, or NULL. */
int jit_setup_open(JitSetup *setup, const JitOptions *options, const char *program, Loaded *loaded);
void jit_setup_close(JitSetup *setup);
/* The figures of a machine that has run, as text or JSON. */
void jit_stats_text(const EngineStats *stats, bool json, Buf *out);

#endif
