/* SPDX-License-Identifier: MIT
 *
 * The inside of the virtual file system.
 *
 *     VfsPlace   a name in the tree: parent, name, node. The same path is the same place as long as anybody holds it,
 *        |       so that a rename moves what getcwd() and /proc/self/fd show, and `..` leads where it should.
 *     VfsNode    what is there: a file, a folder, a link. Hard links are places with one node. Operations by backend.
 *     VfsFs      a file system: all nodes of one backend, with a device number
 *     VfsMount   a file system in the tree: its root place, and the place that it covers
 *
 * Backends embed VfsNode as their first member:
 *     vfs_tree*.c   in memory, and over a folder of the host copy-on-write: root, /tmp, /dev/shm
 *     vfs_host*.c   a folder of the host
 *     vfs_proc*.c   /proc        vfs_dev.c   /dev
 *
 * Invariants
 *  1. A name given to a backend is 1 to 255 bytes without '/' and 0, and neither "." nor "..".
 *  2. Backends never follow symbolic links; vfs_walk.c does, in the guest's tree.
 *  3. A backend's operation is only called for what the mount allows: EROFS is given before.
 *  4. Nothing here waits, except by CALL_WAIT (fifos, locks).
 *  5. All that a program can make more of is charged against limits.storage (vfs_charge) or limits.open.
 */
#ifndef LINUX_VFS_PRIVATE_H
#define LINUX_VFS_PRIVATE_H

#include <string.h>

#include "linux/vfs.h"

/* ---- Numbers of the Linux UAPI (asm-generic) ---- */
enum {
	LX_O_ACCMODE = 3, LX_O_RDONLY = 0, LX_O_WRONLY = 1, LX_O_RDWR = 2, LX_O_CREAT = 0100, LX_O_EXCL = 0200,
	LX_O_NOCTTY = 0400, LX_O_TRUNC = 01000, LX_O_APPEND = 02000, LX_O_NONBLOCK = 04000, LX_O_DSYNC = 010000,
	LX_O_DIRECT = 040000, LX_O_LARGEFILE = 0100000, LX_O_DIRECTORY = 0200000, LX_O_NOFOLLOW = 0400000,
	LX_O_NOATIME = 01000000, LX_O_CLOEXEC = 02000000, LX_O_SYNC = 04010000, LX_O_PATH = 010000000,
	LX_O_TMPFILE = 020000000 | LX_O_DIRECTORY,
	LX_AT_FDCWD = -100, LX_AT_SYMLINK_NOFOLLOW = 0x100, LX_AT_REMOVEDIR = 0x200, LX_AT_EACCESS = 0x200,
	LX_AT_SYMLINK_FOLLOW = 0x400, LX_AT_NO_AUTOMOUNT = 0x800, LX_AT_EMPTY_PATH = 0x1000,
	LX_RENAME_NOREPLACE = 1, LX_RENAME_EXCHANGE = 2, LX_RENAME_WHITEOUT = 4,
	LX_S_IFMT = 0170000, LX_S_IFSOCK = 0140000, LX_S_IFLNK = 0120000, LX_S_IFREG = 0100000, LX_S_IFBLK = 060000,
	LX_S_IFDIR = 040000, LX_S_IFCHR = 020000, LX_S_IFIFO = 010000,
	LX_R_OK = 4, LX_W_OK = 2, LX_X_OK = 1,
	NAME_LIMIT = 255, LINK_LIMIT = 40,
};

#define FILE_SIZE_LIMIT ((u64)0x7FFFFFFFFFFFF000)

typedef struct VfsNode VfsNode;
typedef struct VfsPlace VfsPlace;
typedef struct VfsMount VfsMount;
typedef struct VfsFs VfsFs;

/* Entries of a folder, as struct linux_dirent64. */
typedef struct VfsList {
	u8 *to;
	u64 len, used;
	u64 self, up;      /* inodes of "." and ".." */
	bool full;         /* one did not fit */
} VfsList;

/* What a new node is to be. */
typedef struct VfsNew {
	u32 mode;          /* with its type */
	u32 user, group;
	u64 special;       /* device number */
	const char *target; /* of a symbolic link */
} VfsNew;

enum { CHANGE_MODE = 1, CHANGE_USER = 2, CHANGE_GROUP = 4, CHANGE_ATIME = 8, CHANGE_MTIME = 16 };
typedef struct VfsChange {
	u32 what, mode, user, group;
	u64 atime, mtime;
} VfsChange;

/* Members may be NULL: EPERM for those that change names, else what is said. */
typedef struct VfsNodeOps {
	/* Folders. Nodes come with a reference. */
	i64 (*lookup)(VfsNode *dir, const char *name, Task *task, VfsNode **out);
	i64 (*create)(VfsNode *dir, const char *name, const VfsNew *what, VfsNode **out); /* the name is free */
	i64 (*link)(VfsNode *dir, const char *name, VfsNode *node);
	i64 (*remove)(VfsNode *dir, const char *name, VfsNode *node); /* folders: ENOTEMPTY */
	/* `target` is what to_name was, or NULL; it goes away, or with `exchange` gets the old name. */
	i64 (*rename)(VfsNode *dir, const char *name, VfsNode *node, VfsNode *to_dir, const char *to_name,
		      VfsNode *target, bool exchange);
	/* A regular file without a name. NULL: EOPNOTSUPP. */
	i64 (*nameless)(VfsNode *dir, const VfsNew *what, VfsNode **out);
	/* What follows *cookie (0: the beginning), which is moved on. Until out->full or the end. */
	i64 (*list)(VfsNode *dir, Task *task, u64 *cookie, VfsList *out);

	i64 (*stat)(VfsNode *node, FileStat *out);
	i64 (*change)(VfsNode *node, const VfsChange *change);
	i64 (*read_link)(VfsNode *node, Task *task, Buf *out);
	/* A link that leads to a place, not to a text (/proc/self/fd/1). */
	i64 (*jump)(VfsNode *node, Task *task, VfsPlace **out);
	/* An open file of its own kind: devices, fifos, files of /proc. NULL: as regular files and folders are. */
	i64 (*open)(VfsNode *node, VfsPlace *place, Task *task, u32 flags, File **out);

	/* Regular files. acquire: before the others; each is followed by a `letgo`. */
	i64 (*acquire)(VfsNode *node, bool write);
	void (*letgo)(VfsNode *node, bool write);
	i64 (*read)(VfsNode *node, u8 *to, u64 len, u64 offset);
	i64 (*write)(VfsNode *node, const u8 *from, u64 len, u64 offset);
	i64 (*resize)(VfsNode *node, u64 size);
	i64 (*allocate)(VfsNode *node, u64 offset, u64 len, bool keep_size); /* storage for these; NULL: EOPNOTSUPP. The file grows by
								      * it only if not keep_size; if it does not, resize does that */
	i64 (*sync)(VfsNode *node);
	/* The first byte from `offset` on that may be other than 0. NULL: that one. */
	u64 (*next_data)(VfsNode *node, u64 offset);

	/* The last reference went: frees it, and gives a node whose reference it had, to be put next, or NULL: so that
	 * chains of folders end in a loop. */
	VfsNode *(*destroy)(VfsNode *node);
} VfsNodeOps;

struct VfsNode {
	const VfsNodeOps *ops;
	VfsFs *fs;
	u32 refs;
	u32 type;                   /* LX_S_IF*; for ever */
	struct VfsShared *shared;   /* owned: memory that maps share (vfs_shared.c), or NULL */
	struct VfsLocks *locks;     /* owned (vfs_lock.c), or NULL */
	u32 users;                  /* open files, for `shared` */
};

typedef struct VfsFsOps {
	const char *type;           /* as /proc/mounts says */
	u64 magic;                  /* statfs */
	i64 (*space)(VfsFs *fs, u64 *total, u64 *free); /* bytes; NULL: 0 */
	i64 (*sync)(VfsFs *fs);
	void (*destroy)(VfsFs *fs); /* frees it; all its nodes are gone */
} VfsFsOps;

struct VfsFs {
	const VfsFsOps *ops;
	Kernel *kernel;
	u32 device;
	u32 refs;                   /* nodes, mounts */
	bool read_only;
	u64 made;                   /* ns since 1970: /proc, /dev */
};

struct VfsMount {
	VfsFs *fs;
	VfsPlace *root;             /* owned */
	VfsPlace *on;               /* owned; NULL: the root of all */
	VfsMount *next;
	char *source;               /* owned; for /proc/mounts */
	bool read_only;
};

struct VfsPlace {
	VfsPlace *parent;           /* owned; NULL: root of a mount, or nameless */
	VfsNode *node;              /* owned */
	VfsMount *mount;            /* NULL: nameless */
	VfsMount *covered;          /* what is mounted here */
	VfsPlace *next;             /* of the hash chain */
	u32 refs, hash;
	bool hashed, gone;          /* gone: removed from the tree */
	char *name;                 /* owned */
};

/* A folder of the host as it was configured, for as long as the kernel is there. The first one may be below the root. */
typedef struct HostRoot {
	VfsNode *node;              /* owned */
	char *source;               /* owned; where programs see it */
	bool read_only, below;
} HostRoot;

i64 vfs_keep_root(Kernel *kernel, VfsNode *node, const char *source, bool read_only, bool below);

enum { VFS_RECENT = 256 };

struct Vfs {
	Kernel *kernel;
	VfsMount *mounts;           /* owned; in the order they were made */
	VfsMount *last_mount;
	VfsMount *root;
	VfsNode *memory;            /* owned: a folder in memory, where files without a name are made */
	VfsPlace **buckets;         /* owned: places by parent and name */
	u32 bucket_count, place_count;
	VfsPlace *recent[VFS_RECENT]; /* owned: folders used lately, to keep what the backend knows of them */
	u32 recent_at;
	u32 next_device;
	u8 boot_id[16];
	bool has_boot_id;
};

struct FsState {
	Kernel *kernel;
	u32 refs;
	VfsPlace *root, *directory; /* owned */
	u32 umask;
};

/* ---- vfs.c ---- */
void vfs_fs_put(VfsFs *fs);
void vfs_node_init(VfsNode *node, const VfsNodeOps *ops, VfsFs *fs, u32 type); /* refs 1 */
VfsNode *vfs_node_get(VfsNode *node);
void vfs_node_put(VfsNode *node);
bool vfs_charge(Kernel *kernel, u64 bytes); /* false: ENOSPC */
void vfs_discharge(Kernel *kernel, u64 bytes);

/* Something of our own in a folder that must stay as it is (the host's): a mount on a name that only the tree knows. mode:
 * of the folder or file that it is. */
i64 vfs_cover(Kernel *kernel, VfsPlace *dir, const char *name, u32 mode, VfsNode **out);

/* ---- vfs_place.c ---- */
VfsPlace *vfs_place_new(Vfs *vfs, VfsPlace *parent, const char *name, VfsNode *node, VfsMount *mount); /* gets node */
VfsPlace *vfs_place_get(VfsPlace *place);
/* The place called `name` in a folder, with a reference; what is mounted there covers it. */
i64 vfs_place_child(Task *task, Vfs *vfs, VfsPlace *dir, const char *name, VfsPlace **out);
VfsPlace *vfs_place_up(Vfs *vfs, VfsPlace *place, VfsPlace *root); /* `..`; a reference */
/* The name is not there any more. A place of which the caller holds no reference may not be used afterwards. */
void vfs_place_gone(Vfs *vfs, VfsPlace *place);
/* It has this parent and name now. False: no memory; it is gone then. */
bool vfs_place_moved(Vfs *vfs, VfsPlace *place, VfsPlace *parent, const char *name);
/* Seen from `root`; NULL: from the root of all. False: not below it; then the text begins with (unreachable). */
bool vfs_place_text(const VfsPlace *place, const VfsPlace *root, Buf *out);
void vfs_place_recent(Vfs *vfs, VfsPlace *place);
void vfs_forget_recent(Vfs *vfs);

/* ---- vfs_walk.c ---- */
enum { WALK_FOLLOW = 1, WALK_EMPTY = 2, WALK_BENEATH = 4, WALK_IN_ROOT = 8, WALK_NO_LINKS = 16, WALK_NO_XDEV = 32,
       WALK_NO_MAGIC = 64 };
typedef struct VfsWalk {
	Task *task;
	Vfs *vfs;
	VfsPlace *root, *start;   /* owned */
	VfsPlace *at;             /* owned: the folder that holds the last name */
	char name[NAME_LIMIT + 1]; /* the last name; "": `at` is what the path means */
	bool dots;                /* ... because the last name was "." or ".." (also at the root) */
	bool slash;               /* something must be a folder: "name/" */
	bool missing;             /* vfs_walk_last: the last name is not there, all before it is */
	u32 flags, links;
	Buf rest;
	size_t rest_at;
} VfsWalk;
/* Goes to the last name of a path. Always call vfs_walk_end. */
i64 vfs_walk_begin(VfsWalk *walk, Task *task, i32 dirfd, const char *path, u32 flags);
void vfs_walk_end(VfsWalk *walk);
/* The place of the last name; links followed if WALK_FOLLOW. */
i64 vfs_walk_last(VfsWalk *walk, VfsPlace **out);
/* All in one. */
i64 vfs_find(Task *task, i32 dirfd, const char *path, u32 flags, VfsPlace **out);
/* Within the whole tree, for the kernel's own use. */
i64 vfs_find_absolute(Kernel *kernel, const char *path, VfsPlace **out);
/* The same, and folders that are missing are made (not in a folder of the host: a place that only the walk knows). */
i64 vfs_make_folders(Kernel *kernel, const char *path, VfsPlace **out);
i64 vfs_permission(Task *task, VfsNode *node, u32 wanted); /* LX_R_OK ...: 0 or -EACCES */
i64 vfs_writable(const VfsPlace *place); /* 0 or -EROFS */
bool vfs_is_owner(Task *task, VfsNode *node);
Vfs *vfs_of(const Task *task);

/* ---- vfs_open.c ---- */
i64 vfs_open_walk(Task *task, i32 dirfd, const char *path, u32 flags, u32 mode, u32 walk_flags, File **out);
i64 vfs_open_node(Task *task, VfsPlace *place, u32 flags, File **out);
const FileOps *vfs_regular_ops(void), *vfs_folder_ops(void), *vfs_path_ops(void);
bool vfs_is_path_only(const File *file);
bool vfs_list_add(VfsList *list, const char *name, size_t len, u64 inode, u32 type, u64 next);
/* "." and ".." at cookies 0 and 1. */
bool vfs_list_dots(VfsList *list, u64 *cookie);
VfsNode *vfs_file_node(const File *file); /* NULL: it has none */

/* ---- vfs_shared.c: memory that maps of a file share ---- */
i64 vfs_shared_get(VfsNode *node, u64 size, bool writable, int *fd);
i64 vfs_shared_read(VfsNode *node, u8 *to, u64 len, u64 offset);
i64 vfs_shared_write(VfsNode *node, const u8 *from, u64 len, u64 offset);
void vfs_shared_resized(VfsNode *node, u64 size);
i64 vfs_shared_sync(VfsNode *node);
void vfs_shared_drop(VfsNode *node); /* written back before */
void vfs_shared_carried(VfsNode *node); /* a tape is complete: the next one has it anew */

/* ---- vfs_lock.c ---- */
void vfs_locks_free(VfsNode *node);
void vfs_locks_carried(VfsNode *node); /* a tape is complete: the next one has them anew */
void vfs_locks_file_closed(File *file);

/* ---- Backends ---- */
/* A folder (or file) of the host. `own_numbers`: owners as the host has them, else the guest's user. */
i64 vfs_host_create(Kernel *kernel, const char *path, bool own_numbers, VfsNode **root);
/* The same once more: by an open folder (not taken over) and the name in it, "." for itself. */
i64 vfs_host_again(Kernel *kernel, int folder, const char *name, bool own_numbers, VfsNode **root);
bool vfs_is_host(const VfsNode *node);
bool vfs_host_is_written(const VfsNode *node); /* programs have it open for writing */
/* The path of a node of the host below its root; false: not such a node. */
bool vfs_host_path(VfsNode *node, Buf *out);
/* In memory. lower: borrowed, or NULL. `changes`: a folder of the host that keeps them, or NULL. */
i64 vfs_tree_create(Kernel *kernel, const char *type, VfsNode *lower, u32 mode, VfsNode **root);
/* Of a tree's root: what the folder of the host keeps is there again, and what changes is kept in it. EINVAL: it holds
 * something else. EBUSY: somebody uses it. */
i64 vfs_tree_changes(VfsNode *root, const char *folder);
bool vfs_is_tree(const VfsFs *fs);
void vfs_tree_given(VfsNode *node); /* a file that is no change: vfs_add_file */
/* What an empty file holds from now on: bytes that live longer and never change. False: there is no memory for that. */
bool vfs_tree_lend(VfsNode *node, const GuestFile *given);
/* Snapshots: what a node of /proc is about, as four numbers (false: a file without a name), and the node again. */
bool vfs_proc_tell(const VfsNode *node, u32 what[4]);
i64 vfs_proc_find(VfsFs *fs, const u32 what[4], VfsNode **out);
u32 vfs_pts_tell(const VfsNode *node); /* likewise of /dev/pts */
i64 vfs_pts_find(VfsFs *fs, u32 what, VfsNode **out);
i64 vfs_proc_create(Kernel *kernel, VfsNode **root);
i64 vfs_dev_create(Kernel *kernel, VfsNode **root);
i64 vfs_pts_create(Kernel *kernel, VfsNode **root);

#endif
