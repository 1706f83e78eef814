/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "jit/jit_disk.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "jit/jit_store.h"

enum {
	VERSION = 2,
	UNIT = 16,              /* of offsets in the index */
	CHUNK = 64 << 10,       /* that are read at once */
	FILE_BYTES = 64 << 20,  /* of a file, at most */
	LONGEST = 64,           /* steps in one place of the index */
	WORTH = 16 << 10,       /* so many new bytes are worth a write, .. */
	WORTH_PART = 16,        /* .. if they are that part of the file */
	STALE_SECONDS = 3600,   /* an unfinished file that is so old is nobody's */
};

static const char magic[8] = "HuskJIT";
static const char suffix[] = ".husk-jit", unfinished[] = ".husk-new";

typedef struct Header {
	char magic[8];
	u32 version, template_bytes;
	u64 key[2];
	u64 bytes;              /* of the file */
	u64 index, first;       /* offsets: of the index, of the first template */
	u32 places, count;      /* places: a power of two */
	JitStoreSettings settings;
	u64 sum;                /* of all before it */
} Header;

_Static_assert(sizeof(Header) % 8 == 0 && offsetof(Header, sum) == sizeof(Header) - 8, "no holes that are not summed");
_Static_assert(sizeof(JitTemplate) % 8 == 0 && offsetof(JitTemplate, pc) % 8 == 0, "summed by words");

struct JitDisk {
	int directory, file;    /* file: -1: none */
	u64 limit;
	u64 program;            /* hash of its name */
	u64 key[2];
	bool has_key;
	char name[40];
	Header header;
	u8 *image;              /* owned map: what of the file has been read; NULL: nothing is there */
	size_t image_bytes;
	u8 *chunks;             /* owned: those that are in the image */
};

/* ---- The directory ---- */

static Status refuse(Buf *why, Status status, const char *format, const char *directory, const char *reason)
{
	buf_printf(why, format, directory, reason);
	return status;
}

static bool is_private(const struct stat *info)
{
	return info->st_uid == geteuid() && !(info->st_mode & (S_IWGRP | S_IWOTH));
}

/* The build id of what this code was linked into. */
typedef struct Build {
	u8 id[64];
	u32 len;
} Build;

static void find_note(Build *build, const u8 *at, size_t len)
{
	while (len >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) note;
		size_t name, desc;

		memcpy(&note, at, sizeof note);
		at += sizeof note;
		len -= sizeof note;
		name = ((size_t)note.n_namesz + 3) & ~(size_t)3;
		desc = ((size_t)note.n_descsz + 3) & ~(size_t)3;
		if (name > len || desc > len - name)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && !memcmp(at, "GNU", 4) && note.n_descsz <= sizeof build->id) {
			memcpy(build->id, at + name, note.n_descsz);
			build->len = note.n_descsz;
			return;
		}
		at += name + desc;
		len -= name + desc;
	}
}

static int find_build(struct dl_phdr_info *info, size_t size, void *ctx)
{
	uintptr_t here = (uintptr_t)&jit_disk_open - info->dlpi_addr;
	bool ours = false;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		ours |= info->dlpi_phdr[i].p_type == PT_LOAD && here - info->dlpi_phdr[i].p_vaddr < info->dlpi_phdr[i].p_memsz;
	for (unsigned i = 0; ours && i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_NOTE)
			find_note(ctx, (const u8 *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr), info->dlpi_phdr[i].p_memsz);
	return ours;
}

Status jit_disk_open(const char *directory, const char *program, u64 limit, JitDisk **out, Buf *why)
{
	Build build = { .len = 0 };
	struct stat info;
	JitDisk *disk;
	int fd;

	*out = NULL;
	dl_iterate_phdr(find_build, &build);
	if (!build.len)
		return refuse(why, STATUS_UNSUPPORTED, "%s: %s", directory, "this program has no build id (ld --build-id) to tell its code from others'");
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && (mkdir(directory, 0700) == 0 || errno == EEXIST)) /* another process has just made it */
		fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return refuse(why, STATUS_IO, "%s: %s", directory, strerror(errno));
	if (fstat(fd, &info) != 0 || !is_private(&info)) {
		close(fd);
		return refuse(why, STATUS_INVALID, "%s: %s", directory, info.st_uid != geteuid()
			? "it belongs to another user, and code from there would run" : "others may write there, and code from there would run (chmod go-w)");
	}
	disk = calloc(1, sizeof(*disk));
	if (!disk) {
		close(fd);
		return refuse(why, STATUS_NOMEM, "%s: %s", directory, "out of memory");
	}
	disk->directory = fd;
	disk->file = -1;
	disk->limit = limit ? limit : JIT_DISK_BYTES;
	disk->program = hash_bytes(HASH_START, program, strlen(program));
	for (unsigned i = 0; i < 2; i++)
		disk->key[i] = hash_bytes(HASH_START + i, build.id, build.len);
	*out = disk;
	return STATUS_OK;
}

void jit_disk_forget(JitDisk *disk)
{
	if (disk->image)
		munmap(disk->image, disk->image_bytes);
	free(disk->chunks);
	if (disk->file >= 0)
		close(disk->file);
	disk->file = -1;
	disk->image = NULL;
	disk->chunks = NULL;
}

void jit_disk_close(JitDisk *disk)
{
	if (!disk)
		return;
	jit_disk_forget(disk);
	close(disk->directory);
	free(disk);
}

/* ---- Reading ---- */

static bool read_all(int file, void *to, size_t len, u64 offset)
{
	u8 *at = to;

	while (len) {
		ssize_t got = pread(file, at, len, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		len -= (size_t)got;
		offset += (u64)got;
	}
	return true;
}

/* Those bytes of the file are in the image afterwards. */
static bool have(JitDisk *disk, u64 offset, u64 len)
{
	if (!disk->image || offset > disk->image_bytes || len > disk->image_bytes - offset)
		return false;
	for (u64 chunk = offset / CHUNK; chunk * CHUNK < offset + len; chunk++) {
		u64 at = chunk * CHUNK, rest = disk->image_bytes - at;

		if (disk->chunks[chunk])
			continue;
		if (!read_all(disk->file, disk->image + at, rest < CHUNK ? rest : CHUNK, at))
			return false;
		disk->chunks[chunk] = 1;
	}
	return true;
}

static u64 header_sum(const Header *header)
{
	return hash_words(HASH_START, header, offsetof(Header, sum));
}

static bool is_sane(const JitStoreSettings *settings, u32 slot_count)
{
	u32 slots[JIT_PINS + JIT_PARKS], count = 0;

	if (settings->slot_count != slot_count || settings->pin_count > JIT_PINS || settings->park_count > JIT_PARKS ||
	    settings->flags_slot >= slot_count)
		return false;
	for (u32 i = 0; i < settings->pin_count; i++)
		slots[count++] = settings->pinned[i];
	for (u32 i = 0; i < settings->park_count; i++)
		slots[count++] = settings->parked[i];
	for (u32 i = 0; i < count; i++) {
		if (!slots[i] || slots[i] >= slot_count || slots[i] == settings->flags_slot)
			return false;
		for (u32 k = 0; k < i; k++)
			if (slots[k] == slots[i])
				return false;
	}
	return true;
}

static bool is_header(const JitDisk *disk, const Header *header, u64 bytes)
{
	return !memcmp(header->magic, magic, sizeof magic) && header->version == VERSION &&
	       header->template_bytes == sizeof(JitTemplate) && !memcmp(header->key, disk->key, sizeof disk->key) &&
	       header->sum == header_sum(header) && header->bytes == bytes && header->index == sizeof(Header) &&
	       header->places && !(header->places & (header->places - 1)) && header->places <= FILE_BYTES / 4 &&
	       header->first >= sizeof(Header) + (u64)header->places * 4 && header->first <= bytes && header->first % UNIT == 0;
}

/* Which file: all that its code depends on besides what templates say themselves. */
static void find_name(JitDisk *disk, const Engine *engine, u32 slot_count)
{
	u64 words[] = { engine->env.code_key, engine->env.pages, engine->env.code_space, engine->env.paged, slot_count,
			sizeof(JitTemplate), engine->target->features(), engine->target->elf_machine, disk->program };

	for (unsigned i = 0; i < 2 && !disk->has_key; i++)
		disk->key[i] = hash_bytes(disk->key[i], words, sizeof words);
	disk->has_key = true;
	snprintf(disk->name, sizeof disk->name, "%016llx", (unsigned long long)disk->key[0]);
}

bool jit_disk_load(JitDisk *disk, const Engine *engine, u32 slot_count, JitStoreSettings *settings)
{
	char name[64];
	struct stat info;
	Header *header = &disk->header;

	jit_disk_forget(disk);
	find_name(disk, engine, slot_count);
	snprintf(name, sizeof name, "%s%s", disk->name, suffix);
	disk->file = openat(disk->directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (disk->file < 0)
		return false;
	if (fstat(disk->file, &info) != 0 || !S_ISREG(info.st_mode) || !is_private(&info) || info.st_size < (off_t)sizeof(Header) ||
	    info.st_size > 2 * (off_t)FILE_BYTES || !read_all(disk->file, header, sizeof *header, 0) ||
	    !is_header(disk, header, (u64)info.st_size) || !is_sane(&header->settings, slot_count)) {
		jit_disk_forget(disk);
		return false;
	}
	disk->image_bytes = (size_t)info.st_size;
	disk->chunks = calloc(disk->image_bytes / CHUNK + 1, 1);
	disk->image = mmap(NULL, disk->image_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (disk->image == MAP_FAILED)
		disk->image = NULL;
	if (!disk->image || !disk->chunks) {
		jit_disk_forget(disk);
		return false;
	}
	futimens(disk->file, NULL); /* it was used: others go before it */
	*settings = header->settings;
	return true;
}

/* ---- Templates that are read ---- */

static bool is_flag(u8 value)
{
	return value <= 1;
}

/* Everything that is used without a further look. */
static bool is_whole(const JitTemplate *t)
{
	u64 wanted = sizeof *t + t->exit_count * sizeof(JitStoredExit) + t->fault_count * sizeof(JitFault) +
		     t->move_count * sizeof(JitMove) + (u64)t->cells + t->size;

	if (t->sum != hash_words(HASH_START, &t->pc, t->bytes - offsetof(JitTemplate, pc)))
		return false;
	if (((wanted + UNIT - 1) & ~(u64)(UNIT - 1)) != t->bytes || !t->cells || t->cells > JIT_CODE_CELLS || !t->insns ||
	    t->insns > JIT_BLOCK_INSNS || t->size > JIT_BLOCK_BYTES || t->body > t->size || !is_flag(t->counted) ||
	    !is_flag(t->has_counter) || !is_flag(t->hard) || !is_flag(t->lists_faults) || !is_flag(t->cold) || !is_flag(t->dirty) ||
	    t->why >= ENGINE_COUNTS || t->op >= ENGINE_OPS || (t->cold ? t->size || t->exit_count || t->move_count : !t->size))
		return false;
	for (u32 i = 0; i < t->exit_count; i++) {
		const JitStoredExit *exit = &jit_template_exits(t)[i];

		if (exit->kind > JIT_EXIT_HOT || !is_flag(exit->back) || exit->why >= ENGINE_COUNTS || exit->op >= ENGINE_OPS ||
		    exit->refund > JIT_BLOCK_INSNS || exit->stub > t->size || exit->site > t->size || (exit->site && t->size - exit->site < 4))
			return false;
	}
	for (u32 i = 0; i < t->fault_count; i++) {
		const JitFault *fault = &jit_template_faults(t)[i];

		if (fault->at >= t->size || fault->to >= t->size || (i && fault->at <= fault[-1].at))
			return false;
	}
	for (u32 i = 0; i < t->move_count; i++) {
		const JitMove *move = &jit_template_moves(t)[i];

		if (move->kind >= JIT_MOVES || move->at > t->size || t->size - move->at < (move->kind == JIT_MOVE_CONSTANTS ? 8 : 4) ||
		    (move->kind == JIT_MOVE_EXIT && move->index >= t->exit_count) ||
		    (move->kind == JIT_MOVE_COUNTER && !t->has_counter))
			return false;
	}
	return true;
}

/* What lies there has the size it says; it may be anything. */
static JitTemplate *template_at(JitDisk *disk, u64 offset)
{
	JitTemplate *t;

	if (offset < disk->header.first || offset % UNIT || !have(disk, offset, sizeof *t))
		return NULL;
	t = (JitTemplate *)(void *)(disk->image + offset);
	return t->bytes >= sizeof *t && t->bytes % UNIT == 0 && have(disk, offset, t->bytes) ? t : NULL;
}

JitTemplate *jit_disk_find(JitDisk *disk, u64 pc, u64 context, bool counted, const JitTemplate *after)
{
	u64 at = after ? after->next_at : 0;

	if (!disk->image)
		return NULL;
	if (!after) {
		u64 place = disk->header.index + 4 * (u64)(jit_template_hash(pc, context, counted) & (disk->header.places - 1));
		u32 first;

		if (!have(disk, place, 4))
			return NULL;
		memcpy(&first, disk->image + place, 4);
		at = (u64)first * UNIT;
	}
	for (unsigned steps = 0; at && steps < LONGEST; steps++) {
		JitTemplate *t = template_at(disk, at);

		if (!t || t->next_at >= at) /* later ones come first: it ends */
			return NULL;
		if (t->pc == pc && t->context == context && t->counted == counted)
			return is_whole(t) ? t : NULL;
		at = t->next_at;
	}
	return NULL;
}

/* ---- Writing ---- */

/* What goes into the file, in this order. */
typedef struct List {
	JitTemplate **items;
	u32 count, cap;
	u64 bytes;
} List;

static bool list_add(List *list, JitTemplate *t)
{
	if (list->count == list->cap) {
		u32 cap = list->cap ? list->cap * 2 : 1024;
		JitTemplate **items = realloc(list->items, cap * sizeof *items);

		if (!items)
			return false;
		list->items = items;
		list->cap = cap;
	}
	list->items[list->count++] = t;
	list->bytes += t->bytes;
	return true;
}

static bool list_old(JitDisk *disk, List *list)
{
	u64 at = disk->header.first;

	while (disk->image && at < disk->image_bytes) {
		JitTemplate *t = template_at(disk, at);

		if (!t || !is_whole(t))
			return true; /* the rest is lost */
		at += t->bytes;
		t->age = t->age < JIT_DISK_AGES ? t->age + 1 : JIT_DISK_AGES + 1; /* those that were used: 1 */
		if (t->age <= JIT_DISK_AGES && !list_add(list, t))
			return false;
	}
	return true;
}

/* What was used longest ago does not stay where there is no room. */
static void cut(List *list, u64 most)
{
	u64 by_age[JIT_DISK_AGES + 1] = { 0 }, sum = 0;
	u32 count = 0, oldest = 0;

	for (u32 i = 0; i < list->count; i++)
		by_age[list->items[i]->age] += list->items[i]->bytes;
	while (oldest <= JIT_DISK_AGES && sum + by_age[oldest] <= most)
		sum += by_age[oldest++];
	list->bytes = 0;
	for (u32 i = 0; i < list->count; i++) {
		JitTemplate *t = list->items[i];

		/* Of the first age that does not fit whole, as many as there is room for. */
		if (t->age > oldest || (t->age == oldest && sum + t->bytes > most))
			continue;
		sum += t->age == oldest ? t->bytes : 0;
		list->items[count++] = t;
		list->bytes += t->bytes;
	}
	list->count = count;
}

static bool write_all(int file, const void *bytes, size_t len)
{
	const u8 *at = bytes;

	while (len) {
		ssize_t done = write(file, at, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		at += done;
		len -= (size_t)done;
	}
	return true;
}

/* Gathered, as they are small. */
static bool write_templates(int file, const List *list)
{
	Buf buf;
	bool good = true;

	buf_init(&buf);
	for (u32 i = 0; i < list->count && good; i++) {
		buf_add(&buf, list->items[i], list->items[i]->bytes);
		if (buf.len >= CHUNK || i + 1 == list->count) {
			good = !buf.failed && write_all(file, buf.data, buf.len);
			buf_clear(&buf);
		}
	}
	buf_fini(&buf);
	return good;
}

static bool write_file(int file, Header *header, const List *list)
{
	u64 at = header->first;
	size_t index_bytes = header->first - header->index;
	u32 *index = calloc(1, index_bytes);
	bool good;

	if (!index)
		return false;
	for (u32 i = 0; i < list->count; i++) {
		JitTemplate *t = list->items[i];
		u32 *place = &index[jit_template_hash(t->pc, t->context, t->counted) & (header->places - 1)];

		t->next_at = (u64)*place * UNIT;
		*place = (u32)(at / UNIT);
		t->sum = hash_words(HASH_START, &t->pc, t->bytes - offsetof(JitTemplate, pc));
		at += t->bytes;
	}
	header->sum = header_sum(header);
	good = write_all(file, header, sizeof *header) && write_all(file, index, index_bytes) && write_templates(file, list);
	free(index);
	return good;
}

static bool ends_in(const char *name, const char *end)
{
	size_t len = strlen(name), tail = strlen(end);

	return len > tail && strcmp(name + len - tail, end) == 0;
}

/* One look through the directory: bytes of all files, and the one that was used longest ago. Unfinished ones that nobody is
 * at any more go at once. */
static u64 look_through(const JitDisk *disk, char oldest[256])
{
	int fd = openat(disk->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct timespec least = { 0 };
	struct dirent *entry;
	u64 bytes = 0;

	oldest[0] = 0;
	if (!dir && fd >= 0)
		close(fd);
	while (dir && (entry = readdir(dir))) {
		struct stat info;
		bool half = ends_in(entry->d_name, unfinished);

		if ((!half && !ends_in(entry->d_name, suffix)) || fstatat(disk->directory, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISREG(info.st_mode))
			continue;
		if (half && time(NULL) - info.st_mtim.tv_sec > STALE_SECONDS)
			unlinkat(disk->directory, entry->d_name, 0);
		if (half)
			continue;
		bytes += (u64)info.st_size;
		if (!oldest[0] || info.st_mtim.tv_sec < least.tv_sec ||
		    (info.st_mtim.tv_sec == least.tv_sec && info.st_mtim.tv_nsec < least.tv_nsec)) {
			snprintf(oldest, 256, "%s", entry->d_name);
			least = info.st_mtim;
		}
	}
	if (dir)
		closedir(dir);
	return bytes;
}

static void make_room(const JitDisk *disk)
{
	char oldest[256];

	for (unsigned tries = 0; tries < 1000 && look_through(disk, oldest) > disk->limit && oldest[0]; tries++)
		if (unlinkat(disk->directory, oldest, 0) != 0)
			return;
}

static void put_in_place(JitDisk *disk, Header *header, const List *list)
{
	struct rlimit largest;
	char made[96], name[64];
	int file;

	/* More than the process may write would end it. */
	if (getrlimit(RLIMIT_FSIZE, &largest) == 0 && largest.rlim_cur < header->bytes)
		return;
	snprintf(name, sizeof name, "%s%s", disk->name, suffix);
	snprintf(made, sizeof made, "%s-%ld-%llx%s", disk->name, (long)getpid(), (unsigned long long)(uintptr_t)disk, unfinished);
	file = openat(disk->directory, made, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return;
	if (!write_file(file, header, list) || renameat(disk->directory, made, disk->directory, name) != 0)
		unlinkat(disk->directory, made, 0);
	close(file);
	make_room(disk);
}

void jit_disk_save(JitDisk *disk, const JitStoreSettings *settings, JitTemplate *first)
{
	u64 fresh = 0, most = disk->limit / 2 < FILE_BYTES ? disk->limit / 2 : FILE_BYTES;
	Header header = { .version = VERSION, .template_bytes = sizeof(JitTemplate), .index = sizeof(Header), .places = 64,
			  .settings = *settings };
	List list = { 0 };

	for (const JitTemplate *t = first; t; t = t->newer)
		fresh += t->dropped ? 0 : t->bytes;
	if (!disk->has_key || fresh < WORTH || fresh < (disk->image ? disk->image_bytes : 0) / WORTH_PART || !list_old(disk, &list)) {
		free(list.items);
		return;
	}
	for (JitTemplate *t = first, *next; t; t = next) {
		next = t->newer;
		t->age = 0;
		if (!t->dropped && !list_add(&list, t)) {
			free(list.items);
			return;
		}
	}
	while (header.places < list.count)
		header.places *= 2;
	header.first = (header.index + (u64)header.places * 4 + UNIT - 1) & ~(u64)(UNIT - 1);
	if (header.first < most) {
		cut(&list, most - header.first);
		memcpy(header.magic, magic, sizeof magic);
		memcpy(header.key, disk->key, sizeof header.key);
		header.count = list.count;
		header.bytes = header.first + list.bytes;
		put_in_place(disk, &header, &list);
	}
	free(list.items);
}
