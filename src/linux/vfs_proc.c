/* SPDX-License-Identifier: MIT
 *
 * /proc: a tree of tables.
 *
 *     ROOT --- self, cpuinfo, sys/ ...      names that stand in `table`, each below the folder it says
 *        |---- PID ---+-- status, maps ...  the same, for every process
 *                     |-- task/TID          the same names again, about one thread
 *                     |-- fd/N  fdinfo/N    by descriptor
 *
 * A node is which entry it is, and of whom (pid, tid, fd); there is one for each that somebody holds. Texts are made
 * when a file is opened, and again when it is read from the beginning.
 *
 * fd/N, exe, cwd and root are links that lead to the file itself (VfsNodeOps.jump). What has no place in the tree, a
 * pipe or the console, is opened once more by sharing the open file, unless more is wanted than it allows.
 */
#include <stdlib.h>

#include "linux/save.h"
#include "linux/vfs_proc.h"

typedef enum ProcKind {
	P_ROOT, P_SYS, P_KERNEL, P_RANDOM, P_VM, P_FS, P_PID, P_TASKS, P_TID, P_FDS, P_FDINFOS,
	P_SELF, P_THREAD_SELF, P_MOUNTS_LINK, P_EXE, P_CWD, P_ROOT_LINK, P_FD, P_TEXT, P_ANON, P_NET,
} ProcKind;

typedef struct ProcEntry {
	ProcKind folder;
	const char *name;
	ProcKind kind;
	u32 mode;
	ProcText text;
} ProcEntry;

#define DIR_MODE (LX_S_IFDIR | 0555)
#define TEXT_MODE (LX_S_IFREG | 0444)
#define LINK_MODE (LX_S_IFLNK | 0777)

static const ProcEntry table[] = {
	{P_ROOT, "self", P_SELF, LINK_MODE, NULL},
	{P_ROOT, "thread-self", P_THREAD_SELF, LINK_MODE, NULL},
	{P_ROOT, "mounts", P_MOUNTS_LINK, LINK_MODE, NULL},
	{P_ROOT, "sys", P_SYS, DIR_MODE, NULL},
	{P_ROOT, "net", P_NET, DIR_MODE, NULL},
	{P_ROOT, "cpuinfo", P_TEXT, TEXT_MODE, proc_cpuinfo},
	{P_ROOT, "meminfo", P_TEXT, TEXT_MODE, proc_meminfo},
	{P_ROOT, "uptime", P_TEXT, TEXT_MODE, proc_uptime},
	{P_ROOT, "stat", P_TEXT, TEXT_MODE, proc_system_stat},
	{P_ROOT, "vmstat", P_TEXT, TEXT_MODE, proc_vmstat},
	{P_ROOT, "loadavg", P_TEXT, TEXT_MODE, proc_loadavg},
	{P_ROOT, "version", P_TEXT, TEXT_MODE, proc_version},
	{P_ROOT, "filesystems", P_TEXT, TEXT_MODE, proc_filesystems},
	{P_ROOT, "devices", P_TEXT, TEXT_MODE, proc_devices},
	{P_ROOT, "cmdline", P_TEXT, TEXT_MODE, proc_command_line},
	{P_SYS, "kernel", P_KERNEL, DIR_MODE, NULL},
	{P_SYS, "vm", P_VM, DIR_MODE, NULL},
	{P_SYS, "fs", P_FS, DIR_MODE, NULL},
	{P_KERNEL, "ostype", P_TEXT, TEXT_MODE, proc_os_type},
	{P_KERNEL, "osrelease", P_TEXT, TEXT_MODE, proc_os_release},
	{P_KERNEL, "version", P_TEXT, TEXT_MODE, proc_os_version},
	{P_KERNEL, "hostname", P_TEXT, TEXT_MODE, proc_host_name},
	{P_KERNEL, "domainname", P_TEXT, TEXT_MODE, proc_domain_name},
	{P_KERNEL, "pid_max", P_TEXT, TEXT_MODE, proc_pid_max},
	{P_KERNEL, "threads-max", P_TEXT, TEXT_MODE, proc_threads_max},
	{P_KERNEL, "ngroups_max", P_TEXT, TEXT_MODE, proc_number_64k},
	{P_KERNEL, "cap_last_cap", P_TEXT, TEXT_MODE, proc_cap_last_cap},
	{P_KERNEL, "randomize_va_space", P_TEXT, TEXT_MODE, proc_number_2},
	{P_KERNEL, "random", P_RANDOM, DIR_MODE, NULL},
	{P_RANDOM, "boot_id", P_TEXT, TEXT_MODE, proc_boot_id},
	{P_RANDOM, "uuid", P_TEXT, TEXT_MODE, proc_uuid},
	{P_VM, "overcommit_memory", P_TEXT, TEXT_MODE, proc_number_1},
	{P_VM, "max_map_count", P_TEXT, TEXT_MODE, proc_number_64k},
	{P_VM, "mmap_min_addr", P_TEXT, TEXT_MODE, proc_number_64k},
	{P_FS, "file-max", P_TEXT, TEXT_MODE, proc_file_max},
	{P_FS, "file-nr", P_TEXT, TEXT_MODE, proc_file_nr},
	{P_FS, "nr_open", P_TEXT, TEXT_MODE, proc_nr_open},
	{P_FS, "pipe-max-size", P_TEXT, TEXT_MODE, proc_number_1m},
	{P_PID, "task", P_TASKS, DIR_MODE, NULL},
	{P_TID, "fd", P_FDS, LX_S_IFDIR | 0500, NULL},
	{P_TID, "fdinfo", P_FDINFOS, DIR_MODE, NULL},
	{P_TID, "net", P_NET, DIR_MODE, NULL},
	{P_TID, "exe", P_EXE, LINK_MODE, NULL},
	{P_TID, "cwd", P_CWD, LINK_MODE, NULL},
	{P_TID, "root", P_ROOT_LINK, LINK_MODE, NULL},
	{P_TID, "cmdline", P_TEXT, TEXT_MODE, proc_cmdline},
	{P_TID, "environ", P_TEXT, LX_S_IFREG | 0400, proc_environ},
	{P_TID, "auxv", P_TEXT, LX_S_IFREG | 0400, proc_auxv},
	{P_TID, "comm", P_TEXT, LX_S_IFREG | 0644, proc_comm},
	{P_TID, "maps", P_TEXT, TEXT_MODE, proc_maps},
	{P_TID, "stat", P_TEXT, TEXT_MODE, proc_stat},
	{P_TID, "statm", P_TEXT, TEXT_MODE, proc_statm},
	{P_TID, "status", P_TEXT, TEXT_MODE, proc_status},
	{P_TID, "limits", P_TEXT, TEXT_MODE, proc_limits},
	{P_TID, "mounts", P_TEXT, TEXT_MODE, proc_mounts},
	{P_TID, "mountinfo", P_TEXT, TEXT_MODE, proc_mountinfo},
	{P_TID, "cgroup", P_TEXT, TEXT_MODE, proc_cgroup},
	{P_TID, "io", P_TEXT, LX_S_IFREG | 0400, proc_io},
	{P_TID, "uid_map", P_TEXT, TEXT_MODE, proc_id_map},
	{P_TID, "gid_map", P_TEXT, TEXT_MODE, proc_id_map},
	{P_TID, "wchan", P_TEXT, TEXT_MODE, proc_wchan},
	{P_TID, "oom_score", P_TEXT, TEXT_MODE, proc_number_0},
	{P_TID, "oom_score_adj", P_TEXT, LX_S_IFREG | 0644, proc_number_0},
	{P_TID, "loginuid", P_TEXT, TEXT_MODE, proc_number_0},
	{P_TID, "sessionid", P_TEXT, TEXT_MODE, proc_number_0},
};

static const ProcEntry root_entry = {P_ROOT, "", P_ROOT, DIR_MODE, NULL};
static const ProcEntry pid_entry = {P_ROOT, "", P_PID, DIR_MODE, NULL};
static const ProcEntry tid_entry = {P_TASKS, "", P_TID, DIR_MODE, NULL};
static const ProcEntry fd_entry = {P_FDS, "", P_FD, LX_S_IFLNK | 0700, NULL};
static const ProcEntry fdinfo_entry = {P_FDINFOS, "", P_TEXT, TEXT_MODE, proc_fdinfo};
static const ProcEntry anon_entry = {P_FDS, "", P_ANON, LX_S_IFREG, NULL};

enum { PROC_BUCKETS = 64 };

typedef struct ProcNode ProcNode;
struct ProcNode {
	VfsNode node;
	const ProcEntry *entry;
	i32 pid, tid;   /* tid: below task/, else 0 */
	i32 fd;         /* or -1 */
	File *file;     /* P_ANON: what it stands for, a reference */
	ProcNode *next; /* of the hash chain */
};

typedef struct ProcFs {
	VfsFs fs;
	ProcNode *buckets[PROC_BUCKETS]; /* borrowed */
} ProcFs;

static const VfsNodeOps proc_ops, proc_link_ops, proc_jump_ops;

static ProcNode *proc_node(VfsNode *node)
{
	return (ProcNode *)node;
}

static u32 proc_hash(const ProcEntry *entry, i32 pid, i32 tid, i32 fd)
{
	return ((u32)((uintptr_t)entry >> 4) + (u32)pid * 7 + (u32)tid * 31 + (u32)fd * 131) % PROC_BUCKETS;
}

static i64 proc_get(ProcFs *fs, const ProcEntry *entry, i32 pid, i32 tid, i32 fd, VfsNode **out)
{
	ProcNode **bucket = &fs->buckets[proc_hash(entry, pid, tid, fd)], *node;
	const VfsNodeOps *ops = &proc_ops;

	for (node = *bucket; node; node = node->next) {
		if (node->entry == entry && node->pid == pid && node->tid == tid && node->fd == fd) {
			*out = vfs_node_get(&node->node);
			return 0;
		}
	}
	*out = NULL;
	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	if ((entry->mode & LX_S_IFMT) == LX_S_IFLNK)
		ops = entry->kind == P_SELF || entry->kind == P_THREAD_SELF || entry->kind == P_MOUNTS_LINK
			? &proc_link_ops : &proc_jump_ops;
	vfs_node_init(&node->node, ops, &fs->fs, entry->mode);
	node->entry = entry;
	node->pid = pid;
	node->tid = tid;
	node->fd = fd;
	node->next = *bucket;
	*bucket = node;
	*out = &node->node;
	return 0;
}

static VfsNode *proc_destroy(VfsNode *base)
{
	ProcNode *node = proc_node(base);

	if (node->entry->kind != P_ANON) {
		ProcNode **at = &((ProcFs *)base->fs)->buckets[proc_hash(node->entry, node->pid, node->tid, node->fd)];

		while (*at != node)
			at = &(*at)->next;
		*at = node->next;
	}
	file_put(node->file);
	free(node);
	return NULL;
}

/* Whom it is about. False: nobody any more. */
static bool proc_subject(const ProcNode *node, Task *asker, ProcSubject *subject)
{
	Kernel *kernel = node->node.fs->kernel;

	*subject = (ProcSubject){.kernel = kernel, .asker = asker, .fd = node->fd};
	if (!node->pid)
		return true;
	subject->process = process_find(kernel, node->pid);
	if (!subject->process)
		return false;
	subject->whole = !node->tid;
	subject->task = node->tid ? task_find(kernel, node->tid) : process_any_task(subject->process);
	return !node->tid || (subject->task && subject->task->process == subject->process);
}

/* ---- Folders ---- */

/* The entry is in this folder: PID has what TID has, and more. */
static bool is_in(const ProcEntry *entry, ProcKind folder)
{
	return entry->folder == folder || (folder == P_PID && entry->folder == P_TID);
}

/* A number as these folders write it; -1: none. */
static i32 number_of(const char *name)
{
	i64 value = 0;

	if (!name[0] || (name[0] == '0' && name[1]))
		return -1;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return -1;
		value = value * 10 + (*name - '0');
		if (value > INT32_MAX)
			return -1;
	}
	return (i32)value;
}

static i64 proc_lookup(VfsNode *base, const char *name, Task *asker, VfsNode **out)
{
	ProcNode *dir = proc_node(base);
	ProcFs *fs = (ProcFs *)base->fs;
	ProcKind kind = dir->entry->kind;
	ProcSubject subject;
	i32 number = number_of(name);

	*out = NULL;
	if (!proc_subject(dir, asker, &subject))
		return -ENOENT;
	for (u32 i = 0; i < COUNT_OF(table); i++) {
		if (is_in(&table[i], kind) && !strcmp(table[i].name, name))
			return proc_get(fs, &table[i], dir->pid, dir->tid, -1, out);
	}
	if (number < 0)
		return -ENOENT;
	switch (kind) {
	case P_ROOT: {
		/* A thread's number is found, too, though not shown. */
		Task *task = task_find(fs->fs.kernel, number);

		if (process_find(fs->fs.kernel, number))
			return proc_get(fs, &pid_entry, number, 0, -1, out);
		return task ? proc_get(fs, &pid_entry, task->process->pid, task->tid, -1, out) : -ENOENT;
	}
	case P_TASKS: {
		Task *task = task_find(fs->fs.kernel, number);

		if (!task || task->process->pid != dir->pid)
			return -ENOENT;
		return proc_get(fs, &tid_entry, dir->pid, number, -1, out);
	}
	case P_FDS:
	case P_FDINFOS:
		if (!subject.task || !fds_file(subject.task, number))
			return -ENOENT;
		return proc_get(fs, kind == P_FDS ? &fd_entry : &fdinfo_entry, dir->pid, dir->tid, number, out);
	default:
		return -ENOENT;
	}
}

static u64 proc_inode(const ProcEntry *entry, i32 pid, i32 tid, i32 fd)
{
	u64 index = entry >= table && entry < table + COUNT_OF(table) ? (u64)(entry - table) + 16 :
		    entry == &root_entry ? 1 : entry == &pid_entry ? 2 : entry == &tid_entry ? 3 : entry == &fd_entry ? 4 : 5;

	return index | (u64)(fd + 1) << 8 | (u64)(tid ? tid : pid) << 32;
}

static bool list_number(VfsList *out, const ProcEntry *entry, i32 number, u64 inode, u64 next)
{
	char text[16];
	u32 at = sizeof(text);

	do {
		text[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return vfs_list_add(out, text + at, sizeof(text) - at, inode, entry->mode, next);
}

/* Numbers are listed in ascending order; the cookie is NUMBERS + the next one to look for. */
#define NUMBERS ((u64)1 << 32)

static i32 next_process(Kernel *kernel, i32 from)
{
	i32 best = -1;

	for (const Process *process = kernel->processes; process; process = process->next) {
		if (process->pid >= from && (best < 0 || process->pid < best))
			best = process->pid;
	}
	return best;
}

static i32 next_task(const Process *process, i32 from)
{
	i32 best = -1;

	for (const Task *task = process->tasks; task; task = task->next) {
		if (task->tid >= from && (best < 0 || task->tid < best))
			best = task->tid;
	}
	return best;
}

static i64 list_numbers(ProcNode *dir, const ProcSubject *subject, u64 *cookie, VfsList *out)
{
	ProcKind kind = dir->entry->kind;

	if (*cookie < NUMBERS)
		*cookie = NUMBERS;
	while (*cookie - NUMBERS <= INT32_MAX) {
		i32 from = (i32)(*cookie - NUMBERS), number = -1;
		const ProcEntry *entry = kind == P_ROOT ? &pid_entry : kind == P_TASKS ? &tid_entry : kind == P_FDS
			? &fd_entry : &fdinfo_entry;
		i32 pid = kind == P_ROOT ? 0 : dir->pid, fd = -1;

		if (kind == P_ROOT) {
			pid = number = next_process(subject->kernel, from);
		} else if (kind == P_TASKS) {
			number = next_task(subject->process, from);
		} else if (subject->task && subject->process->files) {
			fd = from;
			number = fds_next(subject->process->files, &fd) ? fd : -1;
		}
		if (number < 0)
			return 0;
		if (!list_number(out, entry, number, proc_inode(entry, pid, kind == P_TASKS ? number : dir->tid, fd),
				 NUMBERS + (u64)number + 1))
			return 0;
		*cookie = NUMBERS + (u64)number + 1;
	}
	return 0;
}

static i64 proc_list(VfsNode *base, Task *asker, u64 *cookie, VfsList *out)
{
	ProcNode *dir = proc_node(base);
	ProcKind kind = dir->entry->kind;
	ProcSubject subject;

	if (!proc_subject(dir, asker, &subject))
		return -ENOENT;
	if (!vfs_list_dots(out, cookie))
		return 0;
	for (; *cookie - 2 < COUNT_OF(table); ++*cookie) {
		const ProcEntry *entry = &table[*cookie - 2];

		if (is_in(entry, kind) && !vfs_list_add(out, entry->name, strlen(entry->name),
							proc_inode(entry, dir->pid, dir->tid, -1), entry->mode, *cookie + 1))
			return 0;
	}
	if (kind == P_ROOT || kind == P_TASKS || kind == P_FDS || kind == P_FDINFOS)
		return list_numbers(dir, &subject, cookie, out);
	return 0;
}

/* ---- Links ---- */

static i64 proc_read_link(VfsNode *base, Task *asker, Buf *out)
{
	ProcNode *node = proc_node(base);
	ProcSubject subject;
	const FsState *fs;
	File *file;

	if (!proc_subject(node, asker, &subject))
		return -ENOENT;
	switch (node->entry->kind) {
	case P_SELF:
		if (!asker)
			return -ENOENT;
		buf_printf(out, "%d", asker->process->pid);
		return 0;
	case P_THREAD_SELF:
		if (!asker)
			return -ENOENT;
		buf_printf(out, "%d/task/%d", asker->process->pid, asker->tid);
		return 0;
	case P_MOUNTS_LINK:
		buf_str(out, "self/mounts");
		return 0;
	case P_EXE:
		if (subject.process->zombie || !subject.process->program)
			return -ENOENT;
		buf_str(out, subject.process->program);
		return 0;
	case P_CWD:
	case P_ROOT_LINK:
		fs = subject.process->fs;
		if (!fs)
			return -ENOENT;
		vfs_place_text(node->entry->kind == P_CWD ? fs->directory : fs->root,
			       asker && asker->process->fs ? asker->process->fs->root : NULL, out);
		if (node->entry->kind == P_CWD && fs->directory->gone)
			buf_str(out, " (deleted)");
		return 0;
	case P_FD:
		file = subject.task ? fds_file(subject.task, node->fd) : NULL;
		if (!file)
			return -ENOENT;
		if (file->ops->describe)
			file->ops->describe(file, out);
		else if (!vfs_path(file, out))
			buf_printf(out, "anon_inode:[%s]", file->ops->kind);
		return 0;
	default:
		return -EINVAL;
	}
}

/* A place for an open file that has none. */
static i64 anon_place(ProcFs *fs, File *file, VfsPlace **out)
{
	ProcNode *node = calloc(1, sizeof(*node));
	FileStat stat = {.mode = LX_S_IFREG};

	if (!node)
		return -ENOMEM;
	if (file->ops->stat)
		file->ops->stat(file, &stat);
	vfs_node_init(&node->node, &proc_ops, &fs->fs, stat.mode & LX_S_IFMT ? stat.mode : LX_S_IFREG);
	node->entry = &anon_entry;
	node->fd = -1;
	node->file = file_get(file);
	*out = vfs_place_new(fs->fs.kernel->vfs, NULL, file->ops->kind, &node->node, NULL);
	vfs_node_put(&node->node);
	return *out ? 0 : -ENOMEM;
}

static i64 proc_jump(VfsNode *base, Task *asker, VfsPlace **out)
{
	ProcNode *node = proc_node(base);
	ProcSubject subject;
	File *file;

	*out = NULL;
	if (!proc_subject(node, asker, &subject))
		return -ENOENT;
	switch (node->entry->kind) {
	case P_EXE:
		if (subject.process->zombie || !subject.process->program)
			return -ENOENT;
		return vfs_find_absolute(subject.kernel, subject.process->program, out);
	case P_CWD:
	case P_ROOT_LINK:
		if (!subject.process->fs)
			return -ENOENT;
		*out = vfs_place_get(node->entry->kind == P_CWD ? subject.process->fs->directory : subject.process->fs->root);
		return 0;
	case P_FD:
		file = subject.task ? fds_file(subject.task, node->fd) : NULL;
		if (!file)
			return -ENOENT;
		if (!file->place)
			return anon_place((ProcFs *)base->fs, file, out);
		*out = vfs_place_get(file->place);
		return 0;
	default:
		return -EINVAL;
	}
}

/* ---- Files ---- */

/* A text is kept from the first read on, as it was then. It is charged as storage: a list of areas is long, and a program
 * may have thousands of files open on it. */
typedef struct ProcFile {
	Buf text;
	u64 charged;
	bool made;
} ProcFile;

static void text_drop(Kernel *kernel, ProcFile *open)
{
	buf_fini(&open->text);
	vfs_discharge(kernel, open->charged);
	open->charged = 0;
	open->made = false;
}

static i64 text_make(File *file)
{
	ProcFile *open = file->data;
	ProcNode *node = proc_node(file->place->node);
	ProcSubject subject;

	if (!proc_subject(node, task_current(file->kernel), &subject))
		return -ESRCH;
	text_drop(file->kernel, open);
	buf_init(&open->text);
	node->entry->text(&subject, &open->text);
	if (open->text.failed || !vfs_charge(file->kernel, open->text.cap)) {
		text_drop(file->kernel, open);
		return -ENOMEM;
	}
	open->charged = open->text.cap;
	open->made = true;
	return 0;
}

static i64 text_read(File *file, Task *task, u8 *to, u64 len, u64 *offset)
{
	ProcFile *open = file->data;

	(void)task;
	if (!open->made || *offset == 0) {
		i64 error = text_make(file);

		if (error)
			return error;
	}
	if (*offset >= open->text.len)
		return 0;
	if (len > open->text.len - *offset)
		len = open->text.len - *offset;
	memcpy(to, open->text.data + *offset, len);
	*offset += len;
	return (i64)len;
}

/* comm is written by pthread_setname_np; what else may be written is taken and has no effect. */
static i64 text_write(File *file, Task *task, const u8 *from, u64 len, u64 *offset)
{
	ProcNode *node = proc_node(file->place->node);
	ProcSubject subject;

	(void)task;
	if (node->entry->text == proc_comm && proc_subject(node, task, &subject) && subject.task) {
		u64 size = len < sizeof(subject.task->name) - 1 ? len : sizeof(subject.task->name) - 1;

		memset(subject.task->name, 0, sizeof(subject.task->name));
		memcpy(subject.task->name, from, size);
		if (size && subject.task->name[size - 1] == '\n')
			subject.task->name[size - 1] = 0;
	}
	*offset += len;
	return (i64)len;
}

static i64 text_seek(File *file, i64 offset, int whence)
{
	i64 to;

	if (whence != 0 && whence != 1)
		return -EINVAL;
	if (__builtin_add_overflow(whence ? (i64)file->position : 0, offset, &to) || to < 0)
		return -EINVAL;
	file->position = (u64)to;
	return to;
}

static i64 text_stat(File *file, FileStat *out)
{
	return file->place->node->ops->stat(file->place->node, out);
}

static void text_release(File *file)
{
	ProcFile *open = file->data;

	text_drop(file->kernel, open);
	free(open);
}

static const FileOps text_ops = {
	.kind = "proc",
	.read = text_read,
	.write = text_write,
	.seek = text_seek,
	.stat = text_stat,
	.release = text_release,
};

static i64 proc_open(VfsNode *base, VfsPlace *place, Task *task, u32 flags, File **out)
{
	ProcNode *node = proc_node(base);
	u32 access = flags & LX_O_ACCMODE;
	ProcFile *open;

	(void)task;
	*out = NULL;
	if (node->entry->kind == P_ANON) {
		u32 has = node->file->flags & LX_O_ACCMODE;

		if (has != LX_O_RDWR && has != access)
			return -EACCES;
		*out = file_get(node->file);
		return 0;
	}
	if (base->type == LX_S_IFDIR)
		return -ENOSYS;
	if (access != LX_O_RDONLY && !(node->entry->mode & 0200))
		return -EACCES;
	open = calloc(1, sizeof(*open));
	if (!open)
		return -ENOMEM;
	*out = file_create(base->fs->kernel, &text_ops, flags, open);
	if (!*out) {
		free(open);
		return -ENFILE;
	}
	(*out)->place = vfs_place_get(place);
	return 0;
}

static i64 proc_stat_node(VfsNode *base, FileStat *out)
{
	const ProcNode *node = proc_node(base);
	u64 now = base->fs->made;
	ProcSubject subject;

	if (node->entry->kind == P_ANON) {
		*out = (FileStat){.mode = 0600, .links = 1};
		return node->file->ops->stat ? node->file->ops->stat(node->file, out) : 0;
	}
	if (!proc_subject(node, NULL, &subject))
		return -ENOENT;
	*out = (FileStat){
		.device = base->fs->device,
		.inode = proc_inode(node->entry, node->pid, node->tid, node->fd),
		.mode = node->entry->mode,
		.links = base->type == LX_S_IFDIR ? 2 : 1,
		.user = subject.process ? subject.process->user : 0,
		.group = subject.process ? subject.process->group : 0,
		.size = node->entry->kind == P_FD ? 64 : 0,
		.atime = now, .mtime = now, .ctime = now, .btime = now,
	};
	return 0;
}

static const VfsNodeOps proc_ops = {
	.lookup = proc_lookup,
	.list = proc_list,
	.stat = proc_stat_node,
	.open = proc_open,
	.destroy = proc_destroy,
};

static const VfsNodeOps proc_link_ops = {
	.stat = proc_stat_node,
	.read_link = proc_read_link,
	.destroy = proc_destroy,
};

static const VfsNodeOps proc_jump_ops = {
	.stat = proc_stat_node,
	.read_link = proc_read_link,
	.jump = proc_jump,
	.destroy = proc_destroy,
};

static void proc_fs_destroy(VfsFs *fs)
{
	free(fs);
}

static const VfsFsOps proc_fs_ops = {"proc", 0x9FA0, NULL, NULL, proc_fs_destroy};

i64 vfs_proc_create(Kernel *kernel, VfsNode **root)
{
	ProcFs *fs = calloc(1, sizeof(*fs));
	i64 error;

	*root = NULL;
	if (!fs)
		return -ENOMEM;
	fs->fs = (VfsFs){.ops = &proc_fs_ops, .kernel = kernel, .device = kernel->vfs->next_device++, .refs = 1};
	fs->fs.made = kernel_real_time(kernel);
	error = proc_get(fs, &root_entry, 0, 0, -1, root);
	vfs_fs_put(&fs->fs);
	return error;
}

/* ---- Snapshots ---- */

enum { WHAT_ROOT = 1000, WHAT_PID, WHAT_TID, WHAT_FD, WHAT_FDINFO };

static const ProcEntry *const numbered[] = {&root_entry, &pid_entry, &tid_entry, &fd_entry, &fdinfo_entry};

bool vfs_proc_tell(const VfsNode *base, u32 what[4])
{
	const ProcNode *node = (const ProcNode *)base;
	u32 which = WHAT_ROOT;

	if (node->entry == &anon_entry)
		return false;
	if (node->entry >= table && node->entry < table + COUNT_OF(table))
		which = (u32)(node->entry - table);
	else
		while (numbered[which - WHAT_ROOT] != node->entry)
			which++;
	what[0] = which;
	what[1] = (u32)node->pid;
	what[2] = (u32)node->tid;
	what[3] = (u32)node->fd;
	return true;
}

/* Is it about a process? */
static bool has_process(u32 which)
{
	return which < COUNT_OF(table) ? table[which].folder == P_PID || table[which].folder == P_TID : which != WHAT_ROOT;
}

i64 vfs_proc_find(VfsFs *fs, const u32 what[4], VfsNode **out)
{
	bool fd = what[0] == WHAT_FD || what[0] == WHAT_FDINFO;

	*out = NULL;
	if ((what[0] >= COUNT_OF(table) && (what[0] < WHAT_ROOT || what[0] > WHAT_FDINFO)) ||
	    has_process(what[0]) != ((i32)what[1] > 0) || (i32)what[1] < 0 || (i32)what[2] < 0 || (!what[1] && what[2]) ||
	    (fd ? (i32)what[3] < 0 : (i32)what[3] != -1))
		return -EINVAL;
	return proc_get((ProcFs *)fs, what[0] < WHAT_ROOT ? &table[what[0]] : numbered[what[0] - WHAT_ROOT], (i32)what[1],
			(i32)what[2], (i32)what[3], out);
}

static void text_carry(Tape *tape, File *file)
{
	VfsNode *node = file->place->node;
	ProcFile *open = tape->loading ? NULL : file->data;
	u64 charged = open ? open->charged : 0;

	if (tape->loading) {
		if (!tape_check(tape, node->ops == &proc_ops && proc_node(node)->entry->text))
			return;
		open = calloc(1, sizeof(*open));
		if (!open) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			return;
		}
	}
	tape_bool(tape, &open->made);
	tape_u64(tape, &charged);
	tape_buf(tape, &open->text, UINT32_MAX);
	if (!tape->loading)
		return;
	tape_check(tape, charged >= open->text.len && charged <= 4 * (u64)open->text.len + CHUNK);
	if (tape_ok(tape) && !vfs_charge(tape->kernel, charged))
		tape_fail(tape, STATUS_TOO_BIG, "%s", "its files in memory need more than is allowed");
	if (!tape_ok(tape)) {
		buf_fini(&open->text);
		free(open);
		return;
	}
	open->charged = charged;
	file->data = open;
}

const FileCodec proc_codec = {.ops = &text_ops, .has_place = true, .shares = TAPE_KINDS, .carry = text_carry};
