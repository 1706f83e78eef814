/* SPDX-License-Identifier: MIT
 *
 * Nodes of a folder of the host: shared by vfs_host.c (finding and names) and vfs_host_file.c (contents, attributes).
 */
#ifndef LINUX_VFS_HOST_H
#define LINUX_VFS_HOST_H

#include <sys/stat.h>

#include "base/open_file.h"
#include "linux/vfs_private.h"

typedef struct HostNode HostNode;
struct HostNode {
	VfsNode node;
	HostNode *parent;          /* a reference; NULL: the root */
	char *name;                /* owned: in the parent, when last seen */
	u64 device, inode;         /* the host's */
	HostNode *next;            /* of the hash chain */
	int dir_fd;                /* O_PATH; -1: not open now */
	u32 dir_slot;              /* in HostFs.open_dirs */
	OpenFile *read, *write;    /* of a regular file that is open: references, which parked machines and forks may have as well; or NULL */
	u32 readers, writers;
};

enum { HOST_OPEN_DIRS = 96, HOST_DEVICES = 64 };

typedef struct HostFs {
	VfsFs fs;
	HostNode **buckets;        /* owned; nodes, borrowed */
	u32 bucket_count, count;
	int top_fd;                /* of the root folder; of a lone file: of the folder that holds it */
	HostNode *open_dirs[HOST_OPEN_DIRS]; /* whose dir_fd is open: a ring */
	u32 open_at;
	u64 devices[HOST_DEVICES]; /* host device numbers in the order they were seen */
	u32 device_count;
	bool own_numbers, lone;
} HostFs;

static inline HostNode *host_node(VfsNode *node)
{
	return (HostNode *)node;
}

static inline HostFs *host_fs(const HostNode *node)
{
	return (HostFs *)node->node.fs;
}

static inline Machine *host_machine(const HostNode *node)
{
	return host_fs(node)->fs.kernel->machine;
}

/* The folder's descriptor, good until the next two calls; or -errno. */
int host_dir(HostNode *dir);
/* Not, while the right to files of the host is not there. */
bool host_may(HostNode *node);
/* Without asking the host: the node of that number, which was seen in `parent` (NULL: only known ones) under this name. A reference; NULL:
 * no memory. */
HostNode *host_load(HostFs *fs, HostNode *parent, const char *name, u64 device, u64 inode, u32 type);
/* Descriptor and name by which a node is asked for. */
int host_at(HostNode *node, const char **name);
bool host_same(const HostNode *node, const struct stat *stat);
u64 host_inode(HostFs *fs, u64 device, u64 inode);

/* vfs_host_file.c */
i64 host_stat(VfsNode *node, FileStat *out);
i64 host_change(VfsNode *node, const VfsChange *change);
i64 host_read_link(VfsNode *node, Task *task, Buf *out);
i64 host_list(VfsNode *dir, Task *task, u64 *cookie, VfsList *out);
i64 host_acquire(VfsNode *node, bool write);
void host_letgo(VfsNode *node, bool write);
i64 host_read(VfsNode *node, u8 *to, u64 len, u64 offset);
i64 host_write(VfsNode *node, const u8 *from, u64 len, u64 offset);
i64 host_resize(VfsNode *node, u64 size);
i64 host_allocate(VfsNode *node, u64 offset, u64 len, bool keep_size);
i64 host_sync(VfsNode *node);
u64 host_next_data(VfsNode *node, u64 offset);

#endif
