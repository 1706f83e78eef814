/* SPDX-License-Identifier: MIT
 *
 * Host functions about files (files.h), for any description. Places and texts are as in services_outside.c: a space, an address, a number
 * of cells, and a cell is a byte; reading makes cells of 0 to 255, and of wider ones the low 8 bits are written.
 *
 *     file_open(space, name, count, mode) : 32     mode 0 reads, 1 writes (made, or emptied), 2 writes at the end (made), 3 reads and writes
 *                                                  (made); a handle
 *     file_read(handle, space, place, count) : 32  the next bytes go there; how many: 0 is the end
 *     file_write(handle, space, text, count) : 32  how many
 *     file_seek(handle, position) : 32             where the next read or write begins; 0
 *     file_size(handle) : 64                       bytes
 *     file_close(handle) : 32                      0
 *     file_remove(space, name, count) : 32         0
 *     file_next(space, name, count, place, most) : 64  the first name behind this one in its folder, by bytes, of which `most` are copied;
 *                                                  "x/": the first in x; how many bytes it has, and 2^32 if it is a folder
 *
 * What cannot be done gives a negative number: -1 not there, no such handle; -2 full: too many handles, no room on the disk; -3 too large,
 * or a place that is not memory; -4 not allowed; -5 the host could not. One call moves at most FILE_AT_ONCE bytes: whoever has more asks
 * again. They are there when the machine was given folders, and want the right `files`. What is written is counted (machine_disk_take).
 *
 * What the world answered is in the log of a recording (record.c), with the bytes that were read. A replay takes it from there and does
 * not touch the world: what was written is not written again. Only then do handles part from what the host has open, and find back to
 * it when the replay is over.
 */
#include "machine/files.h"
#include "machine/machine_private.h"

#include <stdlib.h>
#include <string.h>

struct FileHandle {
	bool open;
	u8 mode;
	char name[FILE_NAME_MOST];
	u64 position;
	void *file; /* what the provider has open for it, or NULL */
};

/* What the world says to one call: a count, a size, 0, or -OutsideResult. */
typedef i64 Answer;

static const Answer NEXT_FOLDER = (Answer)1 << 32;

/* ---- Handles ---- */

static struct FileHandle *handle_at(const Machine *machine, u64 number)
{
	struct FileHandle *handle = machine->handles && number - 1 < FILE_HANDLES ? &machine->handles[number - 1] : NULL;

	return handle && handle->open ? handle : NULL;
}

static void let_go(const Machine *machine, struct FileHandle *handle)
{
	if (handle->file)
		machine->folders->close(handle->file);
	handle->file = NULL;
}

static void close_handle(Machine *machine, struct FileHandle *handle)
{
	let_go(machine, handle);
	handle->open = false;
	machine->handle_count--;
	machine_file_closed(machine);
}

void machine_close_handles(Machine *machine)
{
	for (u32 i = 0; machine->handle_count && i < FILE_HANDLES; i++)
		if (machine->handles[i].open)
			close_handle(machine, &machine->handles[i]);
}

void machine_fini_handles(Machine *machine)
{
	machine_close_handles(machine);
	free(machine->handles);
	if (machine->folders)
		machine->folders->unref(machine->folders->ctx);
}

/* False: memory is out. */
static bool have_handles(Machine *machine)
{
	if (!machine->handles)
		machine->handles = calloc(FILE_HANDLES, sizeof *machine->handles);
	return machine->handles != NULL;
}

/* It has been counted (machine_file_opened). */
static void put_handle(Machine *machine, u32 at, const char *name, u8 mode, u64 position, void *file)
{
	struct FileHandle *handle = &machine->handles[at];

	*handle = (struct FileHandle){ .open = true, .mode = mode, .position = position, .file = file };
	memcpy(handle->name, name, strlen(name) + 1);
	machine->handle_count++;
}

/* ---- Snapshots: nothing at all while nothing is open; else the count, and each with its number, mode, position and name ---- */

void machine_write_handles(const Machine *machine, Buf *out)
{
	if (!machine->handle_count)
		return;
	buf_byte(out, (u8)machine->handle_count);
	for (u32 i = 0; i < FILE_HANDLES; i++) {
		const struct FileHandle *handle = &machine->handles[i];

		if (!handle->open)
			continue;
		buf_byte(out, (u8)i);
		buf_byte(out, handle->mode);
		buf_u64(out, handle->position);
		buf_u16(out, (u16)strlen(handle->name));
		buf_add(out, handle->name, strlen(handle->name));
	}
}

/* Of a machine that has no folders now they are left out: its program cannot ask for them. A budget may have no room for all. */
Status machine_read_handles(Machine *machine, ByteReader *reader, bool apply)
{
	bool any = reader->at < reader->len;
	u32 count = any ? reader_u8(reader) : 0, next = 0;

	if (any && !count)
		return STATUS_CORRUPT;
	if (apply)
		machine_close_handles(machine);
	apply = apply && count && machine->folders && have_handles(machine);
	for (u32 i = 0; i < count; i++) {
		u32 at = reader_u8(reader), mode = reader_u8(reader);
		u64 position = reader_u64(reader);
		u16 len = reader_u16(reader);
		const u8 *bytes = reader_bytes(reader, len);
		char name[FILE_NAME_MOST];

		if (reader->bad || at < next || at >= FILE_HANDLES || mode >= FILE_MODES || position > FILE_SIZE_MOST ||
		    !len || len >= sizeof name || memchr(bytes, 0, len))
			return STATUS_CORRUPT;
		next = at + 1;
		memcpy(name, bytes, len);
		name[len] = 0;
		if (apply && machine_file_opened(machine))
			put_handle(machine, at, name, (u8)mode, position, NULL);
	}
	return STATUS_OK;
}

/* ---- The world, or what the log has of it ---- */

/* In a replay: true, and the answer that the world gave then. */
static bool was_answered(Machine *machine, Answer *answer, u8 *bytes, u32 *len)
{
	const MachineEvent *entry;

	if (!machine_is_replaying(machine))
		return false;
	entry = machine_replay_take(machine, EVENT_FILE);
	*answer = entry ? (Answer)entry->time : -OUTSIDE_FAILED;
	if (len)
		*len = entry && entry->len <= *len ? entry->len : 0;
	if (len && *len)
		memcpy(bytes, entry->bytes, *len);
	return true;
}

static Answer note(Machine *machine, Answer answer, const u8 *bytes, u32 len)
{
	machine_log_event(machine, EVENT_FILE, bytes, len, (u64)answer);
	return answer;
}

/* Has the host it open? It is opened when a snapshot or a replay brought the handle. */
static OutsideResult reach(const Machine *machine, struct FileHandle *handle)
{
	if (handle->file)
		return OUTSIDE_OK;
	return machine->folders->open(machine->folders->ctx, handle->name, (FileMode)handle->mode, FILE_AGAIN, &handle->file);
}

static OutsideResult open_new(Machine *machine, const char *name, FileMode mode, void **file)
{
	OutsideResult failed;

	if (!machine_disk_take(machine, DISK_NAME, 0))
		return OUTSIDE_FULL;
	failed = machine->folders->open(machine->folders->ctx, name, mode, FILE_NEW, file);
	if (failed)
		machine_disk_give(machine, DISK_NAME);
	return failed;
}

static Answer world_open(Machine *machine, const char *name, FileMode mode, void **file)
{
	OutsideResult failed;
	Answer answer;

	*file = NULL;
	if (was_answered(machine, &answer, NULL, NULL))
		return answer;
	failed = machine->folders->open(machine->folders->ctx, name, mode, FILE_THERE, file);
	if (failed == OUTSIDE_NOT_THERE && mode != FILE_READ)
		failed = open_new(machine, name, mode, file);
	return note(machine, -(Answer)failed, NULL, 0);
}

static Answer world_read(Machine *machine, struct FileHandle *handle, u8 *bytes, u32 most)
{
	u32 len = most;
	OutsideResult failed;
	Answer answer;

	if (was_answered(machine, &answer, bytes, &len))
		return answer < 0 ? answer : (Answer)len;
	failed = reach(machine, handle);
	len = 0;
	if (!failed)
		failed = machine->folders->read(handle->file, handle->position, bytes, most, &len);
	return note(machine, failed ? -(Answer)failed : (Answer)len, bytes, failed ? 0 : len);
}

/* Counted before it is written; what then was not is given back. */
static OutsideResult write_counted(Machine *machine, struct FileHandle *handle, const u8 *bytes, u32 len, u32 *written)
{
	const MachineFolders *folders = machine->folders;
	u64 size, gap, taken;
	OutsideResult failed = len ? folders->size(handle->file, &size) : OUTSIDE_OK;

	*written = 0;
	if (failed || !len)
		return failed;
	gap = handle->mode != FILE_APPEND && handle->position > size ? handle->position - size : 0;
	taken = machine_disk_take(machine, gap + 1, len - 1);
	if (!taken)
		return OUTSIDE_FULL;
	failed = folders->write(handle->file, handle->position, bytes, (u32)(taken - gap), written);
	machine_disk_give(machine, *written ? taken - gap - *written : taken);
	return failed;
}

static Answer world_write(Machine *machine, struct FileHandle *handle, const u8 *bytes, u32 len)
{
	OutsideResult failed;
	u32 written = 0;
	Answer answer;

	if (was_answered(machine, &answer, NULL, NULL))
		return answer <= (Answer)len ? answer : -OUTSIDE_FAILED;
	failed = reach(machine, handle);
	if (!failed)
		failed = write_counted(machine, handle, bytes, len, &written);
	return note(machine, failed ? -(Answer)failed : (Answer)written, NULL, 0);
}

static Answer world_size(Machine *machine, struct FileHandle *handle)
{
	OutsideResult failed;
	u64 size = 0;
	Answer answer;

	if (was_answered(machine, &answer, NULL, NULL))
		return answer;
	failed = reach(machine, handle);
	if (!failed)
		failed = machine->folders->size(handle->file, &size);
	if (!failed && size > FILE_SIZE_MOST)
		failed = OUTSIDE_TOO_BIG;
	return note(machine, failed ? -(Answer)failed : (Answer)size, NULL, 0);
}

static Answer world_remove(Machine *machine, const char *name)
{
	Answer answer;

	if (was_answered(machine, &answer, NULL, NULL))
		return answer;
	return note(machine, -(Answer)machine->folders->remove(machine->folders->ctx, name), NULL, 0);
}

/* The length of the name, and NEXT_FOLDER if it is one. */
static Answer world_next(Machine *machine, const char *name, char *next)
{
	u32 len = FILE_NAME_MOST - 1;
	OutsideResult failed;
	bool is_folder = false;
	Answer answer;

	if (was_answered(machine, &answer, (u8 *)next, &len))
		return answer < 0 || (answer & 0xFFFFFFFF) == len ? answer : -OUTSIDE_FAILED;
	failed = machine->folders->next(machine->folders->ctx, name, next, &is_folder);
	len = failed ? 0 : (u32)strlen(next);
	return note(machine, failed ? -(Answer)failed : (Answer)len | (is_folder ? NEXT_FOLDER : 0), (const u8 *)next, len);
}

/* ---- The functions ---- */

static Answer copy_file_name(const Machine *machine, u64 space, u64 address, u64 count, char *name)
{
	u32 len;

	if (!machine_cells_in(machine, space, address, count, (u8 *)name, FILE_NAME_MOST - 1, &len))
		return -OUTSIDE_TOO_BIG;
	name[len] = 0;
	return strlen(name) == len ? 0 : -OUTSIDE_NOT_THERE;
}

static Answer open_file(Machine *machine, const char *name, u64 mode)
{
	Answer answer;
	void *file;
	u32 at = 0;

	if (mode >= FILE_MODES)
		return -OUTSIDE_REFUSED;
	if (!name[0])
		return -OUTSIDE_NOT_THERE;
	if (strlen(name) >= FILE_NAME_MOST)
		return -OUTSIDE_TOO_BIG;
	if (!have_handles(machine))
		return -OUTSIDE_FAILED;
	while (at < FILE_HANDLES && machine->handles[at].open)
		at++;
	if (at == FILE_HANDLES)
		return -OUTSIDE_FULL;
	if (!machine_file_opened(machine)) /* before the file is made or emptied */
		return -OUTSIDE_FULL;
	answer = world_open(machine, name, (FileMode)mode, &file);
	if (answer) {
		machine_file_closed(machine);
		return answer;
	}
	put_handle(machine, at, name, (u8)mode, 0, file);
	return at + 1;
}

static HostResult file_open(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	char name[FILE_NAME_MOST];
	Answer answer = copy_file_name(machine, args[0], args[1], args[2], name);

	(void)count;
	*result = (u64)(answer ? answer : open_file(machine, name, args[3]));
	return HOST_OK;
}

static HostResult file_read(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	struct FileHandle *handle = handle_at(machine, args[0]);
	u32 most = args[3] < FILE_AT_ONCE ? (u32)args[3] : FILE_AT_ONCE;
	Answer answer = -OUTSIDE_NOT_THERE;
	u8 bytes[FILE_AT_ONCE];

	(void)count;
	if (handle && handle->mode != FILE_READ && handle->mode != FILE_CHANGE)
		answer = -OUTSIDE_REFUSED;
	else if (handle && !machine_is_memory(machine, args[1], args[2], most))
		answer = -OUTSIDE_TOO_BIG;
	else if (handle)
		answer = world_read(machine, handle, bytes, most);
	if (answer > 0) {
		handle->position += (u64)answer;
		machine_cells_out(machine, args[1], args[2], bytes, (u32)answer);
	}
	*result = (u64)answer;
	return HOST_OK;
}

static HostResult file_write(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	struct FileHandle *handle = handle_at(machine, args[0]);
	u32 len = args[3] < FILE_AT_ONCE ? (u32)args[3] : FILE_AT_ONCE;
	Answer answer = -OUTSIDE_NOT_THERE;
	u8 bytes[FILE_AT_ONCE];

	(void)count;
	if (handle && handle->mode == FILE_READ)
		answer = -OUTSIDE_REFUSED;
	else if (handle && (handle->position + len > FILE_SIZE_MOST || !machine_cells_in(machine, args[1], args[2], len, bytes, len, &len)))
		answer = -OUTSIDE_TOO_BIG;
	else if (handle)
		answer = world_write(machine, handle, bytes, len);
	if (answer > 0 && handle->mode != FILE_APPEND)
		handle->position += (u64)answer;
	*result = (u64)answer;
	return HOST_OK;
}

static HostResult file_seek(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	struct FileHandle *handle = handle_at(machine, args[0]);
	Answer answer = !handle ? -OUTSIDE_NOT_THERE : args[1] > FILE_SIZE_MOST ? -OUTSIDE_TOO_BIG : 0;

	(void)count;
	if (!answer)
		handle->position = args[1];
	*result = (u64)answer;
	return HOST_OK;
}

static HostResult file_size(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	struct FileHandle *handle = handle_at(machine, args[0]);

	(void)count;
	*result = (u64)(handle ? world_size(machine, handle) : -OUTSIDE_NOT_THERE);
	return HOST_OK;
}

static HostResult file_close(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	struct FileHandle *handle = handle_at(machine, args[0]);

	(void)count;
	*result = (u64)(handle ? 0 : -(Answer)OUTSIDE_NOT_THERE);
	if (handle)
		close_handle(machine, handle);
	return HOST_OK;
}

static HostResult file_remove(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	char name[FILE_NAME_MOST];
	Answer answer = copy_file_name(machine, args[0], args[1], args[2], name);

	(void)count;
	*result = (u64)(answer ? answer : world_remove(machine, name));
	return HOST_OK;
}

/* An answer in 32 bits is one of the others' kind; above them: is it a folder? */
static HostResult file_next(Machine *machine, const u64 *args, unsigned count, u64 *result)
{
	char name[FILE_NAME_MOST], next[FILE_NAME_MOST] = "";
	Answer answer = copy_file_name(machine, args[0], args[1], args[2], name);
	u32 len;

	(void)count;
	if (!answer)
		answer = world_next(machine, name, next);
	len = answer < 0 ? 0 : (u32)answer < args[4] ? (u32)answer : (u32)args[4];
	if (len && !machine_is_memory(machine, args[0], args[3], len))
		answer = -OUTSIDE_TOO_BIG;
	else if (len)
		machine_cells_out(machine, args[0], args[3], (const u8 *)next, len);
	*result = (u64)answer;
	return HOST_OK;
}

const HostService machine_file_services[] = {
	{ "file_open", file_open, 4, false },   { "file_read", file_read, 4, false },   { "file_write", file_write, 4, false },
	{ "file_seek", file_seek, 2, false },   { "file_size", file_size, 1, false },   { "file_close", file_close, 1, false },
	{ "file_remove", file_remove, 3, false },   { "file_next", file_next, 5, false },
	{ NULL, NULL, 0, false },
};

/* ---- Whole files ---- */

static OutsideResult result_of(Answer answer)
{
	return answer < 0 ? (OutsideResult)-answer : OUTSIDE_OK;
}

OutsideResult machine_file_get(Machine *machine, const char *name, u8 *bytes, u32 most, u32 *len)
{
	Answer handle = open_file(machine, name, FILE_READ), answer;

	*len = 0;
	if (handle < 0)
		return result_of(handle);
	answer = world_read(machine, handle_at(machine, (u64)handle), bytes, most < FILE_AT_ONCE ? most : FILE_AT_ONCE);
	close_handle(machine, handle_at(machine, (u64)handle));
	if (answer > 0)
		*len = (u32)answer;
	return result_of(answer);
}

OutsideResult machine_file_put(Machine *machine, const char *name, const u8 *bytes, u32 len)
{
	Answer handle = open_file(machine, name, FILE_WRITE), answer;

	if (handle < 0)
		return result_of(handle);
	answer = world_write(machine, handle_at(machine, (u64)handle), bytes, len);
	close_handle(machine, handle_at(machine, (u64)handle));
	return answer >= 0 && answer < (Answer)len ? OUTSIDE_FULL : result_of(answer);
}

OutsideResult machine_file_remove(Machine *machine, const char *name)
{
	return result_of(world_remove(machine, name));
}

/* ---- By number (services_outside.c) ---- */

HostResult machine_serve_file(Machine *machine, u64 space, unsigned which, const u64 *abc, u64 *result)
{
	const u64 all_ones = 0xFFFFFFFF, a = abc[0], b = abc[1], c = abc[2];
	HostResult outcome = HOST_OK;
	u64 position, second = 0;

	switch (which) {
	case 0: outcome = file_open(machine, (const u64[]){ space, a, all_ones, b }, 4, result); break;
	case 1: outcome = file_read(machine, (const u64[]){ a, space, b, c }, 4, result); break;
	case 2: outcome = file_write(machine, (const u64[]){ a, space, b, c }, 4, result); break;
	case 3:
		position = b > FILE_SIZE_MOST || c > FILE_SIZE_MOST >> 16 ? ~(u64)0 : b + (c << 16);
		outcome = file_seek(machine, (const u64[]){ a, position }, 2, result);
		break;
	case 4:
		outcome = file_size(machine, &a, 1, result);
		second = (u64)((i64)*result >> 16);
		break;
	case 5: outcome = file_close(machine, &a, 1, result); break;
	case 6: outcome = file_remove(machine, (const u64[]){ space, a, all_ones }, 3, result); break;
	default:
		outcome = file_next(machine, (const u64[]){ space, a, all_ones, b, c }, 5, result);
		second = (i64)*result < 0 ? 0 : *result >> 32;
		break;
	}
	*result = (*result & all_ones) | second << 32;
	return outcome;
}
