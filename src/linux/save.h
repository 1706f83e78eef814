/* SPDX-License-Identifier: MIT
 *
 * The state of the kernel as bytes, and back (docs/snapshot-format.md has the layout).
 *
 * A *tape* is written or read, and one function does both: tape_u64(tape, &x) writes x or sets it. So what is saved and
 * what is loaded stand in one place and can't differ; where loading has more to do than to set, `tape->loading` says so.
 * The functions called carry_* stand beside what they carry, in the file that knows its struct; save.c calls them in the
 * order of the sections.
 *
 *     save.c          the sections in their order; the kernel's own numbers
 *     save_tape.c     numbers, texts, references, queues
 *     save_process.c  processes and their threads
 *     save_files.c    open files by kind
 *     save_places.c   mounts and places           vfs_tree_save.c  files in memory
 *     save_near.c     files of the host, between machines of this process
 *     mm_save.c       areas, shared memory        pipe.c, epoll.c, unix_save.c ...  what files are
 *
 * Objects that others refer to (files, pipes, nodes ...) have a number, from 1 on, in the list of their kind. When a tape is
 * saved, all are numbered first (collect), in an order that depends on nothing but the state: equal states give equal
 * bytes. When it is loaded, each kind's section makes its objects, and a reference to one that has not been made is an
 * error; so references lead backwards. What refers forwards (who waits, who is connected with whom) comes at the end.
 *
 * Loading. Bytes come from anywhere. Every number is checked before it is used, counts against the bytes that are left,
 * and what costs memory is charged against the limits as when a program makes it. The first error ends it: later calls
 * give zeros and NULL, and change nothing. The tape holds a reference to each object that it has made, until its end, so
 * whatever nobody came to hold goes then.
 */
#ifndef LINUX_SAVE_H
#define LINUX_SAVE_H

#include "base/open_file.h"
#include "linux/file.h"

typedef struct VfsNode VfsNode;
typedef struct Tape Tape;

typedef enum TapeKind {
	TAPE_PROCESSES, TAPE_PTYS, TAPE_PIPES, TAPE_NODES, TAPE_PLACES, TAPE_SHARED, TAPE_FILES, TAPE_TABLES, TAPE_FOLDERS,
	TAPE_HANDLERS, TAPE_MEMORIES, TAPE_HOSTS, TAPE_WEAK, TAPE_MAPPED, TAPE_KINDS,
} TapeKind;

typedef struct TapeList {
	void **items;   /* owned array of borrowed objects; number 1 is [0] */
	u32 count, cap;
	u32 *slots;     /* owned; saving: numbers by address */
	u32 slot_count; /* a power of two */
} TapeList;

struct Tape {
	Kernel *kernel;
	bool loading;
	Status status;
	char why[200];      /* words for `status`, or "" */
	Buf *out;           /* saving; borrowed */
	ByteReader in;      /* loading */
	TapeList lists[TAPE_KINDS];
	TapeList queues;    /* in the order of tape_queue */
	bool near;          /* only for machines of this process that are set up alike: the bytes are our own */
	OpenFiles *held;    /* saving, near: what the tape names and its owner must keep open; borrowed, or NULL */
	u64 given;          /* loading: bytes charged for files that were given from outside */
	struct VfsMount **mounts; /* owned; by number */
	u32 mount_count;
};

void tape_init(Tape *tape, Kernel *kernel);
void tape_fini(Tape *tape);
/* Nothing has gone wrong so far. */
bool tape_ok(const Tape *tape);
/* The first failure counts. */
void tape_fail(Tape *tape, Status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* STATUS_CORRUPT unless it holds; gives tape_ok. When saving it always does. */
bool tape_check(Tape *tape, bool holds);

void tape_bytes(Tape *tape, void *bytes, size_t len);
void tape_u8(Tape *tape, u8 *value);
void tape_u32(Tape *tape, u32 *value);
void tape_i32(Tape *tape, i32 *value);
void tape_u64(Tape *tape, u64 *value);
void tape_bool(Tape *tape, bool *value);
/* How many of something follow, each of at least `least` bytes. */
u32 tape_count(Tape *tape, u32 count, u32 least);
/* A text on the heap, or NULL; at most `most` bytes, none of them 0. Loading: *text is NULL before. */
void tape_text(Tape *tape, char **text, size_t most);
/* Bytes; loading adds to it. */
void tape_buf(Tape *tape, Buf *buf, size_t most);

/* Plain members of a struct, one after the other. */
typedef struct TapeField {
	u16 offset, size;
	bool is_bool;
} TapeField;
#define TAPE_FIELD(type, member)                                                                                       \
	{                                                                                                              \
		offsetof(type, member), sizeof(((type *)0)->member), _Generic(((type *)0)->member, bool: 1, default: 0)   \
	}
void tape_fields(Tape *tape, void *object, const TapeField *fields, u32 count);

/* ---- Objects ---- */

/* Saving: gives it a number unless it has one; true: it is new. Loading: it is the next one made. */
bool tape_add(Tape *tape, TapeKind kind, void *object);
/* A reference, written or read: gives the object (loading: one that was made before), or NULL. Counts no reference. */
void *tape_ref(Tape *tape, TapeKind kind, const void *object);
/* Saving: its number, 0 if it has none. */
u32 tape_number(const Tape *tape, TapeKind kind, const void *object);

/* How often it woke, and, in the section at the end, who waits there. */
void tape_queue(Tape *tape, WaitQueue *queue);
void carry_queues(Tape *tape);

/* ---- Sections, in the files that know their structs ---- */

void carry_processes(Tape *tape);      /* save_process.c: with tasks, but not what they share */
void carry_process_parts(Tape *tape);  /* memory, descriptors ... of each */
void carry_handlers(Tape *tape);
void carry_signals(Tape *tape, SignalQueue *queue);
void carry_timers(Tape *tape, Process *process);        /* itimer.c */
void carry_timer_heap(Tape *tape);                      /* timers.c: after all timers */
void carry_socket_names(Tape *tape);                    /* unix_save.c: after carry_file_links */
void inet_carry(Tape *tape, File *file, i32 family, bool is_stream); /* inet_lost.c */
void inet_tell_lost(Tape *tape);                        /* after carry_queues */
void carry_futexes(Tape *tape);                         /* futex.c */
void carry_ptys(Tape *tape);                            /* pty.c */
void tape_release_ptys(Tape *tape);
void carry_pipes(Tape *tape);                           /* pipe.c */
void tape_release_pipes(Tape *tape);
void collect_vfs(Tape *tape);                           /* save_places.c */
void carry_vfs(Tape *tape);
void carry_folders(Tape *tape);                         /* FsState of processes */
void tape_release_vfs(Tape *tape);
void collect_near_node(Tape *tape, VfsNode *node);      /* save_near.c: of a place, or the tree's own */
void carry_near_hosts(Tape *tape);                      /* before nodes, which refer to them */
void carry_near_weak(Tape *tape);                       /* after nodes, which they are in */
void tape_release_near(Tape *tape);
void collect_nodes(Tape *tape);                         /* vfs_tree_save.c: what the nodes on the list lead to */
void carry_node_kinds(Tape *tape);
void carry_nodes(Tape *tape);
void collect_files(Tape *tape);                         /* save_files.c */
void carry_files(Tape *tape);
void carry_file_links(Tape *tape);
void carry_tables(Tape *tape);                          /* fd.c */
void collect_memories(Tape *tape);                      /* mm_save.c */
void carry_shared(Tape *tape);
void carry_memories(Tape *tape);
void tape_release_memories(Tape *tape);
void carry_node_memory(Tape *tape, VfsNode *node); /* vfs_shared.c */
void carry_locks(Tape *tape, VfsNode *node);       /* vfs_lock.c */
/* vfs_open.c: a file of the host that is mapped privately has been written by nobody else meanwhile, or loading fails. */
void vfs_carry_mapped(Tape *tape, File *file);

/* ---- Kinds of files ---- */

/* How one kind of open file is carried. The numbers of kinds are the places in save_files.c's table: never reuse one. */
typedef struct FileCodec {
	const FileOps *ops;
	bool has_place;     /* it is always at a place of the file system */
	TapeKind shares;    /* what file->data is a reference to; TAPE_KINDS: it is the file's own */
	/* file->data. Loading: on failure nothing is left. NULL: there is none. */
	void (*carry)(Tape *tape, File *file);
	/* What leads to other files; when all are there. */
	void (*link)(Tape *tape, File *file);
	/* Saving: why it can't be, or NULL. */
	const char *(*refuses)(const Tape *tape, const File *file);
} FileCodec;

extern const FileCodec regular_codec, folder_codec, path_codec, console_codec, pipe_codec, fifo_codec, eventfd_codec,
	timerfd_codec, signalfd_codec, pidfd_codec, epoll_codec, master_codec, slave_codec, proc_codec, stream_socket_codec,
	message_socket_codec, null_codec, zero_codec, full_codec, random_codec, mailbox_codec, spawn_codec, kv_codec;

#endif
