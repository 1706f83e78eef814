/* SPDX-License-Identifier: MIT
 *
 * The virtual file system as a whole: nodes and file systems as counted things, mounts, what the configuration asks
 * for, and the working directories of processes.
 */
#include "linux/vfs.h"

#include <stdlib.h>

#include "base/array.h"
#include "linux/vfs_private.h"

void vfs_fs_put(VfsFs *fs)
{
	if (!--fs->refs)
		fs->ops->destroy(fs);
}

void vfs_node_init(VfsNode *node, const VfsNodeOps *ops, VfsFs *fs, u32 type)
{
	*node = (VfsNode){.ops = ops, .fs = fs, .refs = 1, .type = type & LX_S_IFMT};
	fs->refs++;
}

VfsNode *vfs_node_get(VfsNode *node)
{
	node->refs++;
	return node;
}

void vfs_node_put(VfsNode *node)
{
	while (node && !--node->refs) {
		VfsFs *fs = node->fs;

		vfs_shared_drop(node);
		vfs_locks_free(node);
		node = node->ops->destroy(node);
		vfs_fs_put(fs);
	}
}

bool vfs_charge(Kernel *kernel, u64 bytes)
{
	if (bytes > kernel->limits.storage || kernel->storage > kernel->limits.storage - bytes)
		return false;
	kernel->storage += bytes;
	return true;
}

void vfs_discharge(Kernel *kernel, u64 bytes)
{
	kernel->storage -= bytes;
}

/* ---- Mounts ---- */

/* The reference of root_node is taken over. `on` NULL: the root of all. */
static i64 mount_on(Vfs *vfs, VfsFs *fs, VfsNode *root_node, VfsPlace *on, const char *source, bool read_only)
{
	VfsMount *mount = calloc(1, sizeof(*mount));

	if (mount) {
		*mount = (VfsMount){.fs = fs, .read_only = read_only, .source = strdup(source)};
		mount->root = vfs_place_new(vfs, NULL, "", root_node, mount);
	}
	vfs_node_put(root_node);
	if (!mount || !mount->root || !mount->source) {
		if (mount) {
			vfs_place_put(mount->root);
			free(mount->source);
		}
		free(mount);
		return -ENOMEM;
	}
	fs->refs++;
	if (on) {
		mount->on = vfs_place_get(on);
		on->covered = mount;
	} else {
		vfs->root = mount;
	}
	if (vfs->last_mount)
		vfs->last_mount->next = mount;
	else
		vfs->mounts = mount;
	vfs->last_mount = mount;
	return 0;
}

i64 vfs_cover(Kernel *kernel, VfsPlace *dir, const char *name, u32 mode, VfsNode **out)
{
	VfsNew what = {.mode = mode};
	VfsNode *root, *node;
	VfsPlace *place;
	i64 error = vfs_tree_create(kernel, "tmpfs", NULL, 0755, &root);

	*out = NULL;
	if (error)
		return error;
	error = root->ops->nameless(root, &what, &node);
	place = error ? NULL : vfs_place_new(kernel->vfs, dir, name, node, dir->mount);
	if (place) {
		error = mount_on(kernel->vfs, root->fs, vfs_node_get(node), place, name, false);
		vfs_place_put(place);
	} else if (!error) {
		error = -ENOMEM;
	}
	if (error)
		vfs_node_put(node);
	else
		*out = node;
	vfs_node_put(root);
	return error;
}

static void mount_free(VfsMount *mount)
{
	VfsFs *fs = mount->fs;

	if (mount->on)
		mount->on->covered = NULL;
	vfs_place_put(mount->root);
	vfs_place_put(mount->on);
	vfs_fs_put(fs);
	free(mount->source);
	free(mount);
}

void vfs_destroy(Vfs *vfs)
{
	if (!vfs)
		return;
	vfs_forget_recent(vfs);
	vfs_node_put(vfs->memory);
	for (VfsMount *mount = vfs->mounts; mount; mount = mount->next) {
		if (mount->fs->ops->sync)
			mount->fs->ops->sync(mount->fs);
	}
	/* Mounts within others were made later: they go first, so the list is turned round. */
	for (VfsMount *left = vfs->mounts, *last; left;) {
		VfsMount **at = &left;

		while ((*at)->next)
			at = &(*at)->next;
		last = *at;
		*at = NULL;
		mount_free(last);
	}
	vfs->kernel->vfs = NULL;
	free(vfs->buckets);
	free(vfs);
}

/* ---- Configuration ---- */

i64 vfs_keep_root(Kernel *kernel, VfsNode *node, const char *source, bool read_only, bool below)
{
	char *copy = strdup(source);

	if (!copy || !array_grow((void **)&kernel->roots, &kernel->root_cap, kernel->root_count, sizeof(*kernel->roots))) {
		free(copy);
		return -ENOMEM;
	}
	kernel->roots[kernel->root_count++] = (HostRoot){vfs_node_get(node), copy, read_only, below};
	return 0;
}

void vfs_forget_roots(Kernel *kernel)
{
	while (kernel->root_count) {
		HostRoot *root = &kernel->roots[--kernel->root_count];

		vfs_node_put(root->node);
		free(root->source);
	}
	free(kernel->roots);
	kernel->roots = NULL;
	kernel->root_cap = 0;
}

/* A file system of our own at a path, whose folder is made when it is missing. */
static i64 configure_own(Kernel *kernel, const char *path, const char *type, u32 mode)
{
	VfsNode *root = NULL;
	VfsPlace *on = NULL;
	i64 error = vfs_make_folders(kernel, path, &on);

	if (!error && !strcmp(type, "proc"))
		error = vfs_proc_create(kernel, &root);
	else if (!error && !strcmp(type, "devtmpfs"))
		error = vfs_dev_create(kernel, &root);
	else if (!error && !strcmp(type, "devpts"))
		error = vfs_pts_create(kernel, &root);
	else if (!error)
		error = vfs_tree_create(kernel, type, NULL, mode, &root);
	if (!error && !kernel->vfs->memory && root->ops->nameless)
		kernel->vfs->memory = vfs_node_get(root);
	if (!error)
		error = mount_on(kernel->vfs, root->fs, root, on, type, false);
	vfs_place_put(on);
	return error;
}

static i64 configure_root(Kernel *kernel, const LinuxConfig *config, DiagList *diags)
{
	VfsNode *lower = NULL, *root = NULL;
	i64 error = 0;

	if (config->root) {
		error = vfs_host_create(kernel, config->root, true, &lower);
		if (!error && lower->type != LX_S_IFDIR)
			error = -ENOTDIR;
		if (error) {
			diag_report_file(diags, DIAG_ERROR, config->root, "a folder with a Linux system in it is expected",
					 "can't be the root folder: %s", strerror((int)-error));
			vfs_node_put(lower);
			return error;
		}
	}
	error = vfs_tree_create(kernel, config->root ? "overlay" : "tmpfs", lower, 0755, &root);
	if (!error && lower)
		error = vfs_keep_root(kernel, lower, "/", !config->root_writable, true);
	vfs_node_put(lower);
	if (!error && config->root_changes) {
		error = vfs_tree_changes(root, config->root_changes);
		if (error)
			diag_report_file(diags, DIAG_ERROR, config->root_changes, NULL, "can't keep changes in it: %s",
					 error == -EINVAL ? "it holds something else"
					 : error == -EBUSY ? "another program uses it" : strerror((int)-error));
	}
	if (error) {
		vfs_node_put(root);
		return error;
	}
	return mount_on(kernel->vfs, root->fs, root, NULL, config->root ? "overlay" : "root", false);
}

static i64 configure_mount(Kernel *kernel, const LinuxMount *mount, DiagList *diags)
{
	const GuestFile empty = {.len = 0};
	VfsNode *root = NULL;
	VfsPlace *on = NULL;
	i64 error;

	error = vfs_host_create(kernel, mount->host, false, &root);
	if (error) {
		diag_report_file(diags, DIAG_ERROR, mount->host, NULL, "can't be given to the program: %s",
				 error == -ENXIO ? "neither a folder nor a file" : strerror((int)-error));
		return error;
	}
	if (mount->guest[0] != '/' || !mount->guest[1]) {
		diag_report_file(diags, DIAG_ERROR, mount->host, "for the whole tree there is the root folder",
				 "where the program sees it must be an absolute path, not '%s'", mount->guest);
		vfs_node_put(root);
		return -EINVAL;
	}
	if (root->type == LX_S_IFDIR) {
		error = vfs_make_folders(kernel, mount->guest, &on);
	} else {
		/* A file covers a file. */
		error = vfs_find_absolute(kernel, mount->guest, &on);
		if (error == -ENOENT && !vfs_add_file(kernel, mount->guest, &empty, 0644))
			error = vfs_find_absolute(kernel, mount->guest, &on);
	}
	if (!error && (on->node->type == LX_S_IFDIR) != (root->type == LX_S_IFDIR))
		error = -ENOTDIR;
	if (error) {
		diag_report_file(diags, DIAG_ERROR, mount->host, NULL, "can't be seen at '%s': %s", mount->guest,
				 strerror((int)-error));
		vfs_node_put(root);
		vfs_place_put(on);
		return error;
	} else {
		root->fs->read_only = mount->read_only;
		error = vfs_keep_root(kernel, root, mount->guest, mount->read_only, false);
	}
	if (!error) {
		error = mount_on(kernel->vfs, root->fs, root, on, mount->guest, mount->read_only);
	}
	vfs_place_put(on);
	return error;
}

static bool has_folder(Kernel *kernel, const char *path)
{
	VfsPlace *place;
	bool found = !vfs_find_absolute(kernel, path, &place) && place->node->type == LX_S_IFDIR;

	vfs_place_put(place);
	return found;
}

i64 vfs_stat(Kernel *kernel, const char *path, FileStat *out)
{
	VfsPlace *place = NULL;
	i64 error = vfs_find_absolute(kernel, path, &place);

	if (!error)
		error = place->node->ops->stat(place->node, out);
	vfs_place_put(place);
	return error;
}

static i64 configure_all(Kernel *kernel, const LinuxConfig *config, DiagList *diags)
{
	static const char *const scratch[] = {"/tmp", "/run", "/var/tmp"};
	i64 error = configure_root(kernel, config, diags);

	for (u32 i = 0; i < COUNT_OF(scratch) && !error; i++) {
		bool has = has_folder(kernel, scratch[i]);

		if (has ? !config->root_writable : i < 2)
			error = configure_own(kernel, scratch[i], "tmpfs", i == 1 ? 0755 : 01777);
	}
	if (!error)
		error = configure_own(kernel, "/proc", "proc", 0555);
	if (!error)
		error = configure_own(kernel, "/dev", "devtmpfs", 0755);
	if (!error)
		error = configure_own(kernel, "/dev/shm", "tmpfs", 01777);
	if (!error)
		error = configure_own(kernel, "/dev/pts", "devpts", 0755);
	for (u32 i = 0; i < config->mount_count && !error; i++)
		error = configure_mount(kernel, &config->mounts[i], diags);
	/* What was missing has been made: from now on only what the program does counts. */
	if (!error)
		kernel->vfs->root->fs->read_only = kernel->vfs->root->read_only = !config->root_writable;
	return error;
}

Status vfs_configure(Kernel *kernel, const LinuxConfig *config, DiagList *diags)
{
	Vfs *vfs = calloc(1, sizeof(*vfs));
	u32 errors = diags->errors;
	i64 error;

	if (!vfs)
		return STATUS_NOMEM;
	*vfs = (Vfs){.kernel = kernel, .bucket_count = 256, .next_device = 0x20};
	vfs->buckets = calloc(vfs->bucket_count, sizeof(*vfs->buckets));
	kernel->vfs = vfs;
	error = vfs->buckets ? configure_all(kernel, config, diags) : -ENOMEM;
	if (!error)
		return STATUS_OK;
	if (diags->errors == errors)
		diag_report_file(diags, DIAG_ERROR, config->root ? config->root : "/", NULL,
				 "the file system can't be made: %s", strerror((int)-error));
	vfs_destroy(vfs);
	return error == -ENOMEM ? STATUS_NOMEM : error == -ENOENT ? STATUS_NOT_FOUND : STATUS_INVALID;
}

Status vfs_add_file(Kernel *kernel, const char *path, const GuestFile *given, u32 mode)
{
	const char *slash = strrchr(path, '/');
	VfsNew what = {.mode = LX_S_IFREG | (mode & 07777)};
	VfsNode *node = NULL;
	VfsPlace *dir = NULL;
	char *folder;
	u64 before = kernel->storage, limit = kernel->limits.storage, len = given->len;
	i64 error;

	if (path[0] != '/' || !slash[1] || strlen(slash + 1) > NAME_LIMIT)
		return STATUS_INVALID;
	folder = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (!folder)
		return STATUS_NOMEM;
	kernel->limits.storage = ~(u64)0; /* it is not the program's */
	error = vfs_make_folders(kernel, folder, &dir);
	if (!error && (!strcmp(slash + 1, "..") || !strcmp(slash + 1, ".")))
		error = -EINVAL;
	if (!error && !dir->node->ops->create)
		error = -EROFS;
	if (!error && !vfs_is_host(dir->node) && !dir->node->ops->lookup(dir->node, slash + 1, NULL, &node)) {
		error = node->type == LX_S_IFDIR ? -EISDIR : dir->node->ops->remove(dir->node, slash + 1, node);
		vfs_node_put(node);
		node = NULL;
	}
	if (!error)
		error = vfs_is_host(dir->node) ? vfs_cover(kernel, dir, slash + 1, what.mode, &node)
					       : dir->node->ops->create(dir->node, slash + 1, &what, &node);
	if (given->stays && len && !error && vfs_tree_lend(node, given))
		len = 0;
	if (given->rest && len && !error && !given->rest->all(given->rest->ctx))
		error = -EIO;
	for (u64 at = 0; at < len && !error;) {
		i64 put = node->ops->write(node, given->data + at, len - at, at);

		if (put <= 0)
			error = put ? put : -EIO;
		else
			at += (u64)put;
	}
	if (!error)
		vfs_tree_given(node);
	vfs_node_put(node);
	vfs_place_put(dir);
	free(folder);
	kernel->limits.storage = limit > ~(u64)0 - (kernel->storage - before) ? ~(u64)0 : limit + (kernel->storage - before);
	return !error ? STATUS_OK : error == -ENOMEM ? STATUS_NOMEM : STATUS_INVALID;
}

/* ---- Working directories ---- */

FsState *fs_create(Kernel *kernel, const char *directory)
{
	FsState *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	*fs = (FsState){.kernel = kernel, .refs = 1, .umask = 022};
	fs->root = vfs_place_get(kernel->vfs->root->root);
	if (vfs_find_absolute(kernel, directory ? directory : "/", &fs->directory) ||
	    fs->directory->node->type != LX_S_IFDIR) {
		vfs_place_put(fs->directory);
		fs->directory = vfs_place_get(fs->root);
	}
	return fs;
}

bool fs_is_at_root(const FsState *fs)
{
	return fs->directory == fs->root;
}

FsState *fs_get(FsState *fs)
{
	fs->refs++;
	return fs;
}

void fs_put(FsState *fs)
{
	if (!fs || --fs->refs)
		return;
	vfs_place_put(fs->root);
	vfs_place_put(fs->directory);
	free(fs);
}

FsState *fs_fork(FsState *fs)
{
	FsState *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *fs;
	copy->refs = 1;
	vfs_place_get(copy->root);
	vfs_place_get(copy->directory);
	return copy;
}
