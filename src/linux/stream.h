/* SPDX-License-Identifier: MIT
 *
 * What pipes, sockets and terminals are made of and share: byte queues, and the state that belongs to no single file.
 *
 * Memory. A queue grows with what is in it, up to its capacity. All queues together may hold STREAM_MEMORY bytes beyond
 * a page each; past that they keep to a page, as Linux does beyond pipe-user-pages-soft. So memory is bounded by the
 * number of open files.
 */
#ifndef LINUX_STREAM_H
#define LINUX_STREAM_H

#include "linux/file.h"

enum {
	STREAM_PAGE = 4096,               /* PIPE_BUF, too */
	STREAM_CAPACITY = 64 * 1024,
	STREAM_MEMORY = 64 * 1024 * 1024, /* of all queues of a kernel */
};

typedef struct Streams {
	u64 held;                /* bytes in queues beyond a page each */
	struct UnixSocket *names; /* AF_UNIX sockets that are bound: unix.c */
	u64 serial;              /* of automatic names, ids of sockets */
	u64 in_flight;           /* files in queues of sockets */
	u64 epoll_items;
	u32 epoll_work, epoll_depth; /* of the current question: items it may still look at, sets it is in */
	struct Pty **ptys;       /* owned array, by number; pty.c */
	u32 pty_cap, pts_device;
} Streams;

/* Made at the first use; NULL: no memory. */
Streams *streams_of(Kernel *kernel);
void streams_fini(Kernel *kernel);

/* A queue of bytes: `len` of them, from `at` on, around the end. */
typedef struct ByteQueue {
	u8 *bytes; /* owned */
	u32 cap, at, len;
	u32 limit; /* how large it may grow: a power of two */
} ByteQueue;

void queue_init(ByteQueue *queue, u32 limit);
void queue_fini(Kernel *kernel, ByteQueue *queue);
/* Bytes that queue_add would take now. */
u32 queue_room(Kernel *kernel, const ByteQueue *queue);
/* Gives how many it took: fewer when it is full or memory is out. */
u32 queue_add(Kernel *kernel, ByteQueue *queue, const u8 *from, u64 len);
/* Bytes copied, which stay in the queue; `skip` bytes in front are passed over. */
u32 queue_peek(const ByteQueue *queue, u32 skip, u8 *to, u64 len);
void queue_drop(Kernel *kernel, ByteQueue *queue, u32 len);
/* Its memory becomes `cap` bytes, a power of two and no less than its content. False: no memory. */
bool queue_fit(Kernel *kernel, ByteQueue *queue, u32 cap);
u32 queue_take(Kernel *kernel, ByteQueue *queue, u8 *to, u64 len);
/* Snapshots: content and capacities; loading: into a queue that is empty, whose limit is at most `most`. */
struct Tape;
void carry_queue(struct Tape *tape, ByteQueue *queue, u32 most);

/* ---- Vectors: the memory of a call as one run of bytes (vector.c) ---- */

typedef struct Piece {
	u64 base, len;
} Piece;

typedef struct Vector {
	Piece one, *pieces; /* pieces: owned unless it is &one */
	u32 count;
	u64 total;
} Vector;

/* One piece. The total is cut to what Linux moves at most in one call (2^31 - 4096). */
void vector_one(Vector *vector, u64 base, u64 len);
/* struct iovec at `address`. 0, -EFAULT, -EINVAL (too many, or lengths that make no sense), -ENOMEM. */
i64 vector_read(Task *task, Vector *vector, u64 address, u64 count);
void vector_fini(Vector *vector);

/* A part of a vector as one run of host memory: the guest's own where it lies together, else a copy. */
typedef struct Window {
	u8 *bytes;
	u64 len;
	u8 *copy; /* owned */
} Window;

/* The bytes from `from` on, at most `limit` of them and less when an address behind is bad. access: ATTR_READ = they
 * will be read, ATTR_WRITE = written. -EFAULT: not one of them is there; -ENOMEM. */
i64 window_open(Task *task, const Vector *vector, u64 from, u64 limit, u8 access, Window *window);
/* Closes it; after ATTR_WRITE the first `written` bytes get to the guest. */
void window_close(Task *task, const Vector *vector, u64 from, Window *window, u64 written);

/* ---- io.c ---- */
/* RLIMIT_FSIZE and O_APPEND: bytes that may be written at *offset, or -EFBIG (and SIGXFSZ). */
i64 file_write_room(Task *task, File *file, u64 len, u64 *offset);

/* ---- pipe.c ---- */
i64 pipe_capacity(const File *file); /* -EBADF: no pipe */
i64 pipe_set_capacity(File *file, u64 capacity);
/* FIFOs: a node of the file system keeps a pipe in *state (NULL at first) from the first opening on, until fifo_free. May
 * give CALL_WAIT until the other end is opened, with call->data[5] in use. flags: as open has them. */
typedef struct Pipe Pipe;
i64 fifo_open(Task *task, void **state, u32 flags, File **out);
void fifo_free(void *state);
/* Snapshots: the node has this pipe from now on; false: another one has. */
bool fifo_take(void **state, Pipe *pipe);
/* The pipe behind a file, for splice; NULL: it is something else. */
Pipe *pipe_of_reader(const File *file);
Pipe *pipe_of_writer(const File *file);
ByteQueue *pipe_queue(Pipe *pipe);
void pipe_taken(Pipe *pipe); /* after queue_drop: writers go on */

#endif
