/* SPDX-License-Identifier: MIT
 *
 * The memory for code. No page of it is ever writable and executable.
 *
 *     two maps   shared memory, mapped twice: rw to write, rx to execute. What is usual.
 *     one map    private memory whose rights are switched: written between two runs, executed in a run
 *                (EngineOptions.switch_rights, or where the host maps nothing twice)
 *
 * Behind rx lie counters and habits, which code reads and writes relative to itself; the table of jumps and that of exits lie
 * elsewhere. The whole is 64 MiB of addresses; what is not used costs nothing.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/prefault.h"
#include "jit/jit_private.h"

#define TABLE_BYTES (JIT_JUMPS * sizeof(JitJump) + JIT_EXITS * sizeof(JitExit *))

_Static_assert(JIT_DATA_BYTES == JIT_COUNTERS * sizeof(u32) + JIT_HABITS * sizeof(JitHabit) + JIT_FORKS * sizeof(JitFork), "room for all");

enum {
	RX_BYTES = JIT_CODE_BYTES + JIT_DATA_BYTES,
	GUARD = 4096, /* between what is switched and its neighbours: so the host need not cut or join maps for that, and
	                 cannot run out of them. The last page of the code is one */
};

static u8 *map_anonymous(size_t bytes)
{
	u8 *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Shared memory of no file, as perf looks for names of what lies there, but not in a file of memory (memfd). */
static bool map_twice(Engine *engine)
{
	u8 *rw = mmap(NULL, JIT_CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (rw == MAP_FAILED)
		return false;
	/* A length of zero moves nothing: it maps the same pages once more. */
	if (mremap(rw, 0, JIT_CODE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, engine->rx) == MAP_FAILED ||
	    mprotect(engine->rx, JIT_CODE_BYTES, PROT_READ | PROT_EXEC) != 0) {
		munmap(rw, JIT_CODE_BYTES);
		return false;
	}
	engine->rw = rw;
	return true;
}

bool jit_memory_map(Engine *engine)
{
	u8 *tables = map_anonymous(TABLE_BYTES);

	engine->rx = map_anonymous(GUARD + RX_BYTES);
	engine->jumps = (JitJump *)(void *)tables;
	engine->switches = engine->env.options && engine->env.options->switch_rights;
	if (engine->rx) {
		mprotect(engine->rx, GUARD, PROT_NONE);
		engine->rx += GUARD;
		mprotect(engine->rx + JIT_CODE_BYTES - GUARD, GUARD, PROT_NONE);
	}
	if (engine->rx && tables && !engine->switches && !map_twice(engine))
		engine->switches = true;
	if (engine->switches) {
		engine->rw = engine->rx;
		engine->writable = true;
	}
	if (!engine->rx || !tables) {
		jit_memory_unmap(engine);
		return false;
	}
	engine->exits = (JitExit **)(void *)(tables + JIT_JUMPS * sizeof(JitJump));
	engine->counters = (u32 *)(void *)(engine->rx + JIT_CODE_BYTES);
	engine->habits = (JitHabit *)(void *)(engine->counters + JIT_COUNTERS);
	engine->forks = (JitFork *)(void *)(engine->habits + JIT_HABITS);
	return true;
}

void jit_memory_unmap(Engine *engine)
{
	if (engine->rw && engine->rw != engine->rx)
		munmap(engine->rw, JIT_CODE_BYTES);
	if (engine->rx)
		munmap(engine->rx - GUARD, GUARD + RX_BYTES);
	if (engine->jumps)
		munmap(engine->jumps, TABLE_BYTES);
	engine->rw = engine->rx = NULL;
	engine->counters = NULL;
	engine->habits = NULL;
	engine->forks = NULL;
	engine->jumps = NULL;
	engine->exits = NULL;
}

/* The more there is the more is to come. */
void jit_memory_fetch(Engine *engine)
{
	enum { LEAST = 16 << 10, MOST = 128 << 10 };
	const u32 done = (engine->used - engine->start) / 4, step = done < LEAST ? LEAST : done < MOST ? done : MOST;
	const u32 end = engine->limit - engine->used < step ? engine->limit : engine->used + step;

	prefault(engine->rw + engine->used, end - engine->used);
	engine->ahead = end;
}

/* The rights are those it had before, of a whole map: the host has no reason to refuse. Should it, the cold engine runs
 * everything. */
void jit_memory_allow(Engine *engine, bool write)
{
	if (mprotect(engine->rx, JIT_CODE_BYTES - GUARD, PROT_READ | (write ? PROT_WRITE : PROT_EXEC)) != 0)
		engine->without = true;
	else
		engine->writable = write;
}
