/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "jit/jit_perf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/buf.h"
#include "jit/jit_life.h"

enum {
	DUMP_MAGIC = 0x4A695444, DUMP_VERSION = 1, DUMP_HEADER = 40,
	DUMP_LOAD = 0, DUMP_DEBUG_INFO = 2, DUMP_CLOSE = 3,
	RECORD_HEADER = 16,
};

/* A line of the map. */
typedef struct Line {
	u64 start, number;
	u32 size, name; /* name: where it is in `names` */
} Line;

struct JitPerf {
	int fd;
	bool failed;       /* the disk is full: the rest is missing */
	JitNamer name;
	void *ctx;
	void *marker;      /* dump: perf sees this map of the file, and so knows where it is */
	size_t marker_size;
	u64 index;
	Buf record;
	Line *lines;       /* map: owned */
	u32 line_count, line_cap;
	Buf names;
};

void jit_piece_name(JitNamer name, void *ctx, u64 pc, char *out, size_t size)
{
	u64 offset = 0;
	const char *symbol = name ? name(ctx, pc, &offset) : NULL;

	if (symbol && offset)
		snprintf(out, size, "husk:%.96s+%llu:0x%llx", symbol, (unsigned long long)offset, (unsigned long long)pc);
	else if (symbol)
		snprintf(out, size, "husk:%.96s:0x%llx", symbol, (unsigned long long)pc);
	else
		snprintf(out, size, "husk:0x%llx", (unsigned long long)pc);
	for (; *out; out++) /* a name is one word */
		if ((unsigned char)*out <= ' ')
			*out = '_';
}

/* Each record at once: whoever is killed leaves a whole file. */
static void put(JitPerf *perf)
{
	size_t at = 0;

	while (!perf->failed && at < perf->record.len) {
		ssize_t done = write(perf->fd, perf->record.data + at, perf->record.len - at);

		if (done < 0 && errno == EINTR)
			continue;
		perf->failed = done <= 0;
		at += done > 0 ? (size_t)done : 0;
	}
	perf->failed |= perf->record.failed;
	buf_clear(&perf->record);
}

static void made_map(void *ctx, const EnginePiece *piece)
{
	JitPerf *perf = ctx;
	char name[192];

	jit_piece_name(perf->name, perf->ctx, piece->pc, name, sizeof name);
	buf_printf(&perf->record, "%llx %x %s\n", (unsigned long long)(uintptr_t)piece->code, piece->size, name);
	put(perf);
	if (!array_grow((void **)&perf->lines, &perf->line_cap, perf->line_count, sizeof(Line)) || perf->names.len > 0xFFFF0000)
		return;
	perf->lines[perf->line_count] = (Line){ .start = (u64)(uintptr_t)piece->code, .size = piece->size,
						.number = perf->line_count, .name = (u32)perf->names.len };
	perf->line_count++;
	buf_add(&perf->names, name, strlen(name) + 1);
}

static int by_start(const void *a, const void *b)
{
	const Line *one = a, *other = b;

	if (one->start != other->start)
		return one->start < other->start ? -1 : 1;
	return one->number < other->number ? -1 : one->number > other->number;
}

/* Where code was replaced by later code perf takes either name: of lines that overlap the latest is left. */
static void rewrite_map(JitPerf *perf)
{
	Line *lines = perf->lines;
	u32 left = 0;

	if (perf->failed || perf->names.failed)
		return;
	if (perf->line_count)
		qsort(lines, perf->line_count, sizeof(Line), by_start);
	for (u32 i = 0; i < perf->line_count; i++) {
		Line line = lines[i];
		bool later = true;

		while (later && left && lines[left - 1].start + lines[left - 1].size > line.start) {
			later = lines[left - 1].number < line.number;
			left -= later;
		}
		if (later)
			lines[left++] = line;
	}
	if (ftruncate(perf->fd, 0) != 0 || lseek(perf->fd, 0, SEEK_SET) != 0)
		return;
	for (u32 i = 0; i < left; i++)
		buf_printf(&perf->record, "%llx %x %s\n", (unsigned long long)lines[i].start, lines[i].size,
			   (const char *)perf->names.data + lines[i].name);
	put(perf);
}

static void begin_record(JitPerf *perf, u32 id, size_t size)
{
	buf_u32(&perf->record, id);
	buf_u32(&perf->record, (u32)size);
	buf_u64(&perf->record, jit_life_now());
}

static void made_dump(void *ctx, const EnginePiece *piece)
{
	u64 address = (u64)(uintptr_t)piece->code;
	JitPerf *perf = ctx;
	char name[192];

	if (piece->place_count) {
		size_t size = RECORD_HEADER + 16, names = 0;

		for (u32 i = 0; i < piece->place_count; i++)
			names += (size_t)snprintf(NULL, 0, "0x%llx", (unsigned long long)piece->places[i].pc) + 1;
		size += piece->place_count * (size_t)16 + names;
		begin_record(perf, DUMP_DEBUG_INFO, size);
		buf_u64(&perf->record, address);
		buf_u64(&perf->record, piece->place_count);
		for (u32 i = 0; i < piece->place_count; i++) {
			buf_u64(&perf->record, address + piece->places[i].offset);
			buf_u32(&perf->record, 1); /* line */
			buf_u32(&perf->record, 0);
			buf_printf(&perf->record, "0x%llx", (unsigned long long)piece->places[i].pc);
			buf_byte(&perf->record, 0);
		}
	}
	jit_piece_name(perf->name, perf->ctx, piece->pc, name, sizeof name);
	begin_record(perf, DUMP_LOAD, RECORD_HEADER + 40 + strlen(name) + 1 + piece->size);
	buf_u32(&perf->record, (u32)getpid());
	buf_u32(&perf->record, (u32)syscall(SYS_gettid));
	buf_u64(&perf->record, address);
	buf_u64(&perf->record, address);
	buf_u64(&perf->record, piece->size);
	buf_u64(&perf->record, perf->index++);
	buf_add(&perf->record, name, strlen(name) + 1);
	buf_add(&perf->record, piece->code, piece->size);
	put(perf);
}

static Status open_file(const char *path, JitNamer name, void *ctx, JitPerf **out)
{
	JitPerf *perf = calloc(1, sizeof(*perf));

	*out = NULL;
	if (!perf)
		return STATUS_NOMEM;
	perf->name = name;
	perf->ctx = ctx;
	/* In a folder that everybody may write to: nobody's link is followed. */
	perf->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (perf->fd < 0) {
		free(perf);
		return STATUS_IO;
	}
	buf_init(&perf->record);
	buf_init(&perf->names);
	*out = perf;
	return STATUS_OK;
}

Status jit_perf_open_map(const char *path, JitNamer name, void *ctx, JitPerf **out)
{
	return open_file(path, name, ctx, out);
}

Status jit_perf_open_dump(const char *path, JitNamer name, void *ctx, JitPerf **out)
{
	Status status = open_file(path, name, ctx, out);
	JitPerf *perf = *out;

	if (status)
		return status;
	buf_u32(&perf->record, DUMP_MAGIC);
	buf_u32(&perf->record, DUMP_VERSION);
	buf_u32(&perf->record, DUMP_HEADER);
	buf_u32(&perf->record, jit_host() ? jit_host()->elf_machine : 0);
	buf_u32(&perf->record, 0);
	buf_u32(&perf->record, (u32)getpid());
	buf_u64(&perf->record, jit_life_now());
	buf_u64(&perf->record, 0);
	put(perf);
	perf->marker_size = (size_t)sysconf(_SC_PAGESIZE);
	perf->marker = mmap(NULL, perf->marker_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, perf->fd, 0);
	if (perf->marker == MAP_FAILED)
		perf->marker = NULL;
	return STATUS_OK;
}

void jit_perf_close(JitPerf *perf)
{
	if (!perf)
		return;
	if (perf->marker_size) {
		begin_record(perf, DUMP_CLOSE, RECORD_HEADER);
		put(perf);
	}
	if (!perf->marker_size)
		rewrite_map(perf);
	if (perf->marker)
		munmap(perf->marker, perf->marker_size);
	close(perf->fd);
	buf_fini(&perf->record);
	buf_fini(&perf->names);
	free(perf->lines);
	free(perf);
}

EngineWatcher jit_perf_watcher(JitPerf *perf)
{
	return (EngineWatcher){ .ctx = perf, .made = perf->marker_size ? made_dump : made_map };
}
