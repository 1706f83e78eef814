/* SPDX-License-Identifier: MIT
 *
 * Open files on a tape: what all have, and then what their kind has (FileCodec, beside each kind).
 *
 * A file is loaded as one of no kind, which can go without doing anything, and becomes what it is when its own part is
 * complete.
 */
#include <stdlib.h>

#include "linux/process.h"
#include "linux/save.h"
#include "linux/vfs_private.h"

static const FileCodec *const codecs[] = {
	&regular_codec, &folder_codec,   &path_codec,    &console_codec,       &pipe_codec,
	&fifo_codec,    &eventfd_codec,  &timerfd_codec, &signalfd_codec,      &pidfd_codec,
	&epoll_codec,   &master_codec,   &slave_codec,   &stream_socket_codec, &message_socket_codec,
	&proc_codec,    &null_codec,     &zero_codec,    &full_codec,          &random_codec,
	&mailbox_codec, &spawn_codec,    &kv_codec,
};

static const FileOps no_ops = { .kind = "file that is being loaded" };

static u8 codec_of(const File *file)
{
	u8 kind = 0;

	while (kind < COUNT_OF(codecs) && codecs[kind]->ops != file->ops)
		kind++;
	return kind;
}

/* ---- Saving: in the order in which they were opened ---- */

/* Who has it: "descriptor 3 of process 7 (server)". */
static void say_whose(const Tape *tape, const File *file, Buf *out)
{
	for (const Process *process = tape->kernel->processes; process; process = process->next) {
		const Task *task = process->tasks;

		for (i32 fd = 0; process->files && task && fds_next(process->files, &fd); fd++)
			if (fds_file((Task *)(uintptr_t)task, fd) == file) {
				buf_printf(out, "descriptor %d of process %d (%.16s)", fd, process->pid, task->name);
				return;
			}
	}
	buf_str(out, "an open file");
}

static void refuse(Tape *tape, const File *file, const char *why)
{
	Buf whose;

	buf_init(&whose);
	say_whose(tape, file, &whose);
	tape_fail(tape, STATUS_UNSUPPORTED, "%s is %s", buf_text(&whose), why);
	buf_fini(&whose);
}

static void collect_file(Tape *tape, File *file)
{
	u8 kind = codec_of(file);
	const char *why;

	if (kind == COUNT_OF(codecs)) {
		refuse(tape, file, file->ops->kind);
		return;
	}
	why = codecs[kind]->refuses ? codecs[kind]->refuses(tape, file) : NULL;
	if (why)
		refuse(tape, file, why);
	tape_add(tape, TAPE_FILES, file);
	if (codecs[kind]->shares != TAPE_KINDS)
		tape_add(tape, codecs[kind]->shares, file->data);
}

void collect_files(Tape *tape)
{
	File *file = tape->kernel->files;

	while (file && file->next)
		file = file->next;
	while (file && tape_ok(tape)) {
		collect_file(tape, file);
		/* `link` is in kernel->files or in the one that was opened after it. */
		file = file->link == &tape->kernel->files ? NULL : (File *)(void *)((u8 *)file->link - offsetof(File, next));
	}
}

/* ---- Both ways ---- */

static void carry_file(Tape *tape, File *file)
{
	u8 kind = tape->loading ? 0 : codec_of(file);
	u32 flags = tape->loading ? 0 : file->flags;
	VfsPlace *place;

	tape_u8(tape, &kind);
	tape_u32(tape, &flags);
	if (!tape_check(tape, kind < COUNT_OF(codecs)))
		return;
	if (tape->loading) {
		file = file_create(tape->kernel, &no_ops, flags, NULL);
		if (!file || !tape_add(tape, TAPE_FILES, file)) {
			tape_fail(tape, file ? STATUS_NOMEM : STATUS_TOO_BIG, "%s", file ? "" : "more open files than are allowed");
			file_put(file);
			return;
		}
	}
	tape_u64(tape, &file->position);
	tape_u64(tape, &file->serial);
	tape_i32(tape, &file->owner);
	place = tape_ref(tape, TAPE_PLACES, file->place);
	if (!tape_check(tape, place || !codecs[kind]->has_place))
		return;
	if (tape->loading)
		file->place = place ? vfs_place_get(place) : NULL;
	if (codecs[kind]->shares != TAPE_KINDS) {
		void *data = tape_ref(tape, codecs[kind]->shares, file->data);

		if (!tape_check(tape, data != NULL))
			return;
		if (tape->loading)
			file->data = data;
	}
	if (codecs[kind]->carry)
		codecs[kind]->carry(tape, file);
	if (tape->loading && tape_ok(tape))
		file->ops = codecs[kind]->ops;
}

void carry_files(Tape *tape)
{
	u32 count = tape_count(tape, tape->lists[TAPE_FILES].count, 29);

	for (u32 i = 0; i < count && tape_ok(tape); i++)
		carry_file(tape, tape->loading ? NULL : tape->lists[TAPE_FILES].items[i]);
	for (u32 i = 0; i < tape->lists[TAPE_FILES].count && tape_ok(tape); i++) {
		File *file = tape->lists[TAPE_FILES].items[i];

		if (file->ops == regular_codec.ops)
			carry_node_memory(tape, file->place->node);
	}
	for (u32 i = 0; i < tape->lists[TAPE_FILES].count; i++) {
		File *file = tape->lists[TAPE_FILES].items[i];

		if (file->ops == regular_codec.ops)
			vfs_shared_carried(file->place->node);
	}
}

static bool has_locks(const File *file)
{
	return file->place && file->ops != path_codec.ops;
}

void carry_file_links(Tape *tape)
{
	for (u32 i = 0; i < tape->lists[TAPE_FILES].count && tape_ok(tape); i++) {
		File *file = tape->lists[TAPE_FILES].items[i];
		const FileCodec *codec = codecs[codec_of(file)];

		if (codec->link)
			codec->link(tape, file);
		if (has_locks(file))
			carry_locks(tape, file->place->node);
	}
	for (u32 i = 0; i < tape->lists[TAPE_FILES].count; i++) {
		File *file = tape->lists[TAPE_FILES].items[i];

		if (has_locks(file))
			vfs_locks_carried(file->place->node);
	}
}

