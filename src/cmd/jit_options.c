/* SPDX-License-Identifier: MIT */
#include "cmd/jit_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/jit_dump.h"
#include "cmd/say.h"
#include "jit/jit_disk.h"
#include "jit/jit_gdb.h"
#include "jit/jit_perf.h"

static const char *name_of(void *ctx, u64 pc, u64 *offset)
{
	const Loaded *loaded = ctx;

	return loaded->isa ? load_symbol_near(loaded, loaded->isa->code_space, pc, offset) : NULL;
}

static int failed(JitSetup *setup, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int failed(JitSetup *setup, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(&setup->error, format, args);
	va_end(args);
	return EXIT_HUSK;
}

static void watch(JitSetup *setup, EngineWatcher watcher)
{
	setup->watchers[setup->options.watcher_count++] = watcher;
}

static int open_perf(JitSetup *setup, bool dump)
{
	struct JitPerf **place = dump ? &setup->dump : &setup->perf;
	char path[64];
	Status status;

	if (*place)
		return 0;
	snprintf(path, sizeof path, dump ? "jit-%ld.dump" : "/tmp/perf-%ld.map", (long)getpid());
	status = (dump ? jit_perf_open_dump : jit_perf_open_map)(path, name_of, setup->loaded, place);
	if (status)
		return failed(setup, "--jit: cannot write %s: %s", path, status == STATUS_IO ? strerror(errno) : status_text(status));
	watch(setup, jit_perf_watcher(*place));
	return 0;
}

/* DIR, or where caches are. */
static int note_disk(JitSetup *setup, const char *dir, size_t len)
{
	const char *home = getenv("XDG_CACHE_HOME");
	bool given = home && *home == '/';

	if (!len && !given)
		home = getenv("HOME");
	if (len)
		len = (size_t)snprintf(setup->directory, sizeof setup->directory, "%.*s", (int)(len > 4096 ? 4096 : len), dir);
	else if (home && *home)
		len = (size_t)snprintf(setup->directory, sizeof setup->directory, "%s%s/husk", home, given ? "" : "/.cache");
	if (!len || len >= sizeof setup->directory)
		return failed(setup, "--jit disk: %s", len ? "too long" : "which folder? (disk=DIR; neither XDG_CACHE_HOME nor HOME is set)");
	return 0;
}

/* Of each program, its own file. */
static int open_disk(JitSetup *setup, const char *program)
{
	char *path = program ? realpath(program, NULL) : NULL;
	Buf why;
	int code = 0;

	buf_init(&why);
	if (jit_disk_open(setup->directory, path ? path : program ? program : "", setup->disk_limit, &setup->disk, &why))
		code = failed(setup, "--jit disk: %s", buf_text(&why));
	setup->options.disk = setup->disk;
	buf_fini(&why);
	free(path);
	return code;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

static int set_word(JitSetup *setup, const char *word, size_t len)
{
	EngineOptions *options = &setup->options;
	const char *equals = memchr(word, '=', len);
	size_t name = equals ? (size_t)(equals - word) : len;
	char value[32] = "";
	u64 number = 0;

	if (equals && len - name - 1 < sizeof value)
		memcpy(value, equals + 1, len - name - 1);
	if (is_word(word, len, "perf"))
		return open_perf(setup, false);
	if (is_word(word, len, "jitdump"))
		return open_perf(setup, true);
	if (is_word(word, len, "gdb")) {
		if (setup->gdb)
			return 0;
		setup->gdb = jit_gdb_create(name_of, setup->loaded);
		if (!setup->gdb)
			return failed(setup, "out of memory");
		watch(setup, jit_gdb_watcher(setup->gdb));
		return 0;
	}
	if (is_word(word, len, "wx=switch") || is_word(word, len, "wx=dual")) {
		options->switch_rights = word[3] == 's';
		return 0;
	}
	if (is_word(word, name, "disk"))
		return note_disk(setup, equals ? equals + 1 : "", equals ? len - name - 1 : 0);
	if (equals && is_word(word, name, "disk-limit") && opt_number(value, 1024, &setup->disk_limit) && setup->disk_limit)
		return 0;
	if (is_word(word, len, "background")) {
		options->background = true;
		return 0;
	}
	if (is_word(word, len, "soft")) {
		options->hard_after = ~(u64)0;
		return 0;
	}
	if (equals && is_word(word, name, "hard") && opt_number(value, 1000, &options->hard_after) && options->hard_after)
		return 0;
	if (equals && is_word(word, name, "cache") && opt_number(value, 1024, &number) && number) {
		options->code_cache = number;
		return 0;
	}
	if (equals && is_word(word, name, "evict") && opt_number(value, 1000, &number) && number && number <= 0xFFFFFFFF) {
		options->evict = (u32)number;
		return 0;
	}
	if (equals && is_word(word, name, "hot") && opt_number(value, 1000, &number) && number && number <= 1000000) {
		options->hot = (u32)number;
		return 0;
	}
	if (equals && is_word(word, name, "region") && opt_number(value, 1000, &number) && number && number <= 0xFFFFFFFF) {
		options->region = (u32)number;
		return 0;
	}
	return failed(setup, "--jit %.*s: there are perf, jitdump, gdb, wx=switch, cache=SIZE, evict=N, hot=N, region=N, soft, hard=N, background, disk=DIR, disk-limit=SIZE", (int)len, word);
}

enum { PATIENCE = 4096 }; /* a static program that prints a line needs 2,700 */

int jit_setup_open(JitSetup *setup, const JitOptions *options, const char *program, Loaded *loaded)
{
	int code = 0;

	*setup = (JitSetup){.loaded = loaded};
	setup->options.watchers = setup->watchers;
	if (!options->words.count && !options->dump)
		setup->options.waits = PATIENCE;
	buf_init(&setup->error);
	for (u32 i = 0; i < options->words.count && !code; i++)
		for (const char *word = options->words.items[i]; *word && !code;) {
			size_t len = strcspn(word, ",");

			if (len)
				code = set_word(setup, word, len);
			word += len + (word[len] == ',');
		}
	if (!code && *setup->directory)
		code = open_disk(setup, program);
	if (!code && options->dump_pc && !options->dump)
		return failed(setup, "--dump-jit-pc without --dump-jit");
	if (!code && options->dump) {
		setup->listing = jit_dump_open(options->dump, options->dump_pc, loaded);
		if (!setup->listing)
			return failed(setup, "--dump-jit: cannot write %s: %s", options->dump, strerror(errno));
		watch(setup, jit_dump_watcher(setup->listing));
	}
	return code;
}

void jit_setup_close(JitSetup *setup)
{
	jit_disk_close(setup->disk);
	jit_perf_close(setup->perf);
	jit_perf_close(setup->dump);
	jit_dump_close(setup->listing);
	jit_gdb_destroy(setup->gdb);
	buf_fini(&setup->error);
}
