/* SPDX-License-Identifier: MIT
 *
 * The tree in memory: what its files share.
 *
 *     TreeNode (folder) --entries--> TreeEntry "name" --> TreeNode, or nothing: the name is hidden
 *          |
 *        lower: the folder of the host below, or none
 *
 * A node is *own* when the tree itself keeps it: it was made here, or something about it was changed. Otherwise it
 * stands for what lies below as long as somebody holds it. An own node may still have its content (a file's bytes, a
 * folder's other names) below: that is what `lower` says, wherever in the tree the node was moved.
 *
 *     entry->node   own:  a reference             not own:  none; the node takes the entry away when it goes
 *     entry->covers the folder below has this name too. Without a node it hides it.
 *
 * Invariants: a folder with own entries or hidden names is own, up to the root. A node that is not own holds a reference
 * to its folder.
 */
#ifndef LINUX_VFS_TREE_H
#define LINUX_VFS_TREE_H

#include "linux/vfs_content.h"
#include "linux/vfs_private.h"

typedef struct TreeNode TreeNode;
typedef struct TreeEntry TreeEntry;

struct TreeEntry {
	TreeEntry *next;         /* of the hash chain */
	TreeNode *node;
	u64 cookie;              /* of those that cover nothing: place in the folder's order */
	u32 hash;
	bool covers;
	char name[];
};

typedef struct TreeOrder {
	u64 cookie;
	TreeEntry *entry;        /* NULL: it went */
} TreeOrder;

/* The names of the folder below, as they were when somebody began to list it. */
typedef struct TreeListing {
	u8 *records;             /* owned: struct linux_dirent64, one after the other, without "." and ".." */
	u64 *starts;             /* owned */
	u32 count, cap;
} TreeListing;

typedef struct TreeFolder {
	TreeEntry **buckets;     /* owned */
	u32 bucket_count, count;
	TreeOrder *order;        /* owned: those that cover nothing, by cookie */
	u32 order_count, order_cap, order_dead;
	u64 next_cookie;
	TreeListing below;
} TreeFolder;

struct TreeNode {
	VfsNode node;
	VfsNode *lower;          /* a reference, or NULL */
	bool own, has_content;   /* has_content: a regular file whose bytes are here */
	bool removed;            /* a folder that was removed */
	bool holds_lower;        /* lower was acquired for reading */
	u32 mode, links, user, group, users;
	u64 inode, charged;
	u64 atime, mtime, ctime, btime;
	TreeNode *folder;        /* not own: where it is, a reference */
	TreeEntry *entry;        /* not own: in there; NULL: what is below has been exchanged */
	union {
		TreeFolder dir;
		Content content;
		char *target;    /* owned */
		void *fifo;      /* the pipe of a FIFO that was opened (pipe.c) */
	};
	TreeNode *doomed;        /* TreeFs.doomed */
	u64 data;                /* vfs_changes.c: number of the file that holds the content, or 0 */
	u64 file_number;         /* ... and of its line, when `saved` is the current generation */
	u32 saved;
	u32 believed;            /* not own: lookups since it was made */
	bool given;              /* put there by vfs_add_file: no change of the program's */
};

typedef struct TreeFs {
	VfsFs fs;
	u64 next_inode;
	TreeNode *root;          /* borrowed: the mount holds it */
	TreeNode *doomed;        /* folders whose last name went, to be put */
	bool draining;
	struct TreeChanges *changes; /* owned (vfs_changes.c), or NULL */
} TreeFs;

enum { TREE_NODE_COST = 512, TREE_NAME_COST = 128, TREE_BELIEVED = 64 };

static inline TreeNode *tree_node(VfsNode *node)
{
	return (TreeNode *)node;
}

static inline TreeFs *tree_fs(const TreeNode *node)
{
	return (TreeFs *)node->node.fs;
}

static inline Kernel *tree_kernel(const TreeNode *node)
{
	return node->node.fs->kernel;
}

/* vfs_tree.c */
bool tree_is_folder(const TreeNode *node);
u64 tree_now(const TreeNode *node);
void tree_touched(TreeNode *dir);         /* its names changed */
TreeNode *tree_new(TreeFs *fs, const VfsNew *what); /* own; refs 1. NULL: ENOSPC */
i64 tree_own(TreeNode *node);
TreeEntry *tree_find(const TreeNode *dir, const char *name);
/* The entry for a name, made without a node when it is missing. NULL: no memory. */
TreeEntry *tree_entry(TreeNode *dir, const char *name);
void tree_entry_vacate(TreeNode *dir, TreeEntry *entry); /* without a node: hides the name, or goes */


/* For snapshots (vfs_tree_save.c). A file system without a root, one reference; a node of it that has nothing, its own. NULL:
 * no memory. */
TreeFs *tree_fs_blank(Kernel *kernel, const char *type);
TreeNode *tree_blank(TreeFs *fs, u32 type);
/* A name with this place in the folder's order, higher than those before. */
TreeEntry *tree_entry_load(TreeNode *dir, const char *name, bool covers, u64 cookie);
/* Stands for what is below, as lookup would make it. name: NULL: no more under any. A reference; NULL: no memory. */
TreeNode *tree_weak_load(TreeNode *folder, const char *name, VfsNode *lower);
/* The file or folder below that holds a node's content, or NULL. */
VfsNode *tree_below(VfsNode *node);

/* vfs_changes.c */
/* A node below, found name by name; `path` is cut up. A reference; NULL: it is not there. */
VfsNode *tree_find_below(VfsNode *top, char *path);
i64 changes_save(TreeFs *fs);
void changes_free(TreeFs *fs);

/* vfs_tree_names.c */
i64 tree_create(VfsNode *dir, const char *name, const VfsNew *what, VfsNode **out);
i64 tree_nameless(VfsNode *dir, const VfsNew *what, VfsNode **out);
i64 tree_link(VfsNode *dir, const char *name, VfsNode *node);
i64 tree_remove(VfsNode *dir, const char *name, VfsNode *node);
i64 tree_rename(VfsNode *dir, const char *name, VfsNode *node, VfsNode *to_dir, const char *to_name, VfsNode *target,
		bool exchange);
i64 tree_list(VfsNode *dir, Task *task, u64 *cookie, VfsList *out);
void tree_listing_free(TreeListing *listing);
i64 tree_list_again(VfsNode *dir); /* the names below, for somebody who is in the midst of them */

/* vfs_tree_file.c */
i64 tree_acquire(VfsNode *node, bool write);
void tree_letgo(VfsNode *node, bool write);
i64 tree_read(VfsNode *node, u8 *to, u64 len, u64 offset);
i64 tree_write(VfsNode *node, const u8 *from, u64 len, u64 offset);
i64 tree_resize(VfsNode *node, u64 size);
i64 tree_allocate(VfsNode *node, u64 offset, u64 len, bool keep_size);
u64 tree_next_data(VfsNode *node, u64 offset);

#endif
