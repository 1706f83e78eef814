/* SPDX-License-Identifier: MIT
 *
 * Walking a path: one name after the other, from the process's root or working directory, links followed here.
 *
 *     "usr/bin/cc"      rest: what is still to be walked      at: where we are      name: the last one
 *
 * A walk goes up to the last name, which the caller looks for itself: it may be missing (O_CREAT), or a link that is
 * meant itself (lstat), or one to go on through (walk_through puts its text before the rest). Bounds: LINK_LIMIT
 * links, each PATH_LIMIT long, so `rest` never holds more than that product.
 *
 * `..` stops at the process's root, and leaves a mount only upwards through the place that it covers: there is nothing
 * above the root of all.
 */
#define _GNU_SOURCE /* strchrnul */
#include "linux/vfs_private.h"

Vfs *vfs_of(const Task *task)
{
	return task->kernel->vfs;
}

i64 vfs_permission(Task *task, VfsNode *node, u32 wanted)
{
	u32 user = task ? task->process->user : 0, group = task ? task->process->group : 0, bits;
	FileStat stat;
	i64 error;

	/* Root may all, but executes only what somebody may execute. */
	if (!user && (!(wanted & LX_X_OK) || node->type == LX_S_IFDIR))
		return 0;
	error = node->ops->stat(node, &stat);
	if (error)
		return error;
	if (!user)
		return stat.mode & 0111 ? 0 : -EACCES;
	bits = stat.user == user ? stat.mode >> 6 : stat.group == group ? stat.mode >> 3 : stat.mode;
	return (bits & wanted) == wanted ? 0 : -EACCES;
}

bool vfs_is_owner(Task *task, VfsNode *node)
{
	FileStat stat;

	if (!task || !task->process->user)
		return true;
	return !node->ops->stat(node, &stat) && stat.user == task->process->user;
}

i64 vfs_writable(const VfsPlace *place)
{
	return place->node->fs->read_only || (place->mount && place->mount->read_only) ? -EROFS : 0;
}

static void walk_to(VfsWalk *walk, VfsPlace *place)
{
	vfs_place_put(walk->at);
	walk->at = place;
}

/* Takes the next name of the rest. False: there is none. *last: nothing but slashes comes behind it. */
static i64 walk_name(VfsWalk *walk, bool *last)
{
	const char *text = buf_text(&walk->rest) + walk->rest_at, *end;
	size_t len;

	while (*text == '/')
		text++;
	end = strchrnul(text, '/');
	len = (size_t)(end - text);
	if (len > NAME_LIMIT)
		return -ENAMETOOLONG;
	memcpy(walk->name, text, len);
	walk->name[len] = 0;
	if (*end)
		walk->slash = true;
	while (*end == '/')
		end++;
	*last = !*end;
	if (!*last)
		walk->slash = false;
	walk->rest_at = (size_t)(end - buf_text(&walk->rest));
	return 0;
}

static i64 walk_up(VfsWalk *walk)
{
	VfsPlace *up;

	if ((walk->flags & WALK_BENEATH) && walk->at == walk->start)
		return -EXDEV;
	up = vfs_place_up(walk->vfs, walk->at, walk->root);
	if ((walk->flags & WALK_NO_XDEV) && up->mount != walk->start->mount) {
		vfs_place_put(up);
		return -EXDEV;
	}
	walk_to(walk, up);
	return 0;
}

static i64 walk_through(VfsWalk *walk, VfsPlace *link); /* below: it walks on */

/* Walks all names but the last. */
static i64 walk_on(VfsWalk *walk)
{
	for (;;) {
		bool last;
		VfsPlace *child;
		i64 error = walk_name(walk, &last);

		if (error)
			return error;
		walk->dots = !walk->name[0] || !strcmp(walk->name, ".") || !strcmp(walk->name, "..");
		if (walk->at->node->type != LX_S_IFDIR && (walk->name[0] || walk->slash))
			return -ENOTDIR;
		if (walk->name[0] && (error = vfs_permission(walk->task, walk->at->node, LX_X_OK)))
			return error;
		if (walk->dots) {
			error = walk->name[0] == '.' && walk->name[1] ? walk_up(walk) : 0;
			walk->name[0] = 0;
			if (error || last)
				return error;
			continue;
		}
		if (last)
			return 0;
		error = vfs_place_child(walk->task, walk->vfs, walk->at, walk->name, &child);
		if (error)
			return error;
		if (child->node->type == LX_S_IFLNK) {
			walk->slash = false;
			error = walk_through(walk, child);
			vfs_place_put(child);
			return error; /* it walked on to the last name */
		}
		if ((walk->flags & WALK_NO_XDEV) && child->mount != walk->start->mount) {
			vfs_place_put(child);
			return -EXDEV;
		}
		vfs_place_recent(walk->vfs, child);
		walk_to(walk, child);
	}
}

/* One step through a link: its text before the rest, or where it leads. */
static i64 walk_link(VfsWalk *walk, VfsPlace *link)
{
	const VfsNodeOps *ops = link->node->ops;
	Buf text;
	i64 error;

	if (++walk->links > LINK_LIMIT || (walk->flags & WALK_NO_LINKS))
		return -ELOOP;
	if (ops->jump) {
		VfsPlace *to;

		if (walk->flags & (WALK_BENEATH | WALK_IN_ROOT | WALK_NO_XDEV | WALK_NO_MAGIC))
			return walk->flags & WALK_NO_MAGIC ? -ELOOP : -EXDEV;
		error = ops->jump(link->node, walk->task, &to);
		if (error)
			return error;
		walk_to(walk, to);
		return 0;
	}
	buf_init(&text);
	error = ops->read_link ? ops->read_link(link->node, walk->task, &text) : -EINVAL;
	if (!error && (text.failed || !text.len))
		error = text.failed ? -ENOMEM : -ENOENT;
	if (!error && text.data[0] == '/') {
		if (walk->flags & (WALK_BENEATH | WALK_NO_XDEV))
			error = walk->flags & WALK_BENEATH || walk->root->mount != walk->start->mount ? -EXDEV : 0;
		walk_to(walk, vfs_place_get(walk->root));
	}
	if (!error && buf_text(&walk->rest)[walk->rest_at]) {
		buf_byte(&text, '/');
		buf_str(&text, buf_text(&walk->rest) + walk->rest_at);
	} else if (walk->slash) {
		buf_byte(&text, '/');
	}
	if (!error && text.failed)
		error = -ENOMEM;
	buf_fini(&walk->rest);
	walk->rest = text;
	walk->rest_at = 0;
	return error;
}

/* The last name was found to be this link: goes on through it. */
static i64 walk_through(VfsWalk *walk, VfsPlace *link)
{
	bool jump = link->node->ops->jump != NULL;
	i64 error = walk_link(walk, link);

	if (error)
		return error;
	if (jump && !buf_text(&walk->rest)[walk->rest_at]) { /* it leads to the end itself */
		walk->name[0] = 0;
		walk->dots = true;
		return walk->slash && walk->at->node->type != LX_S_IFDIR ? -ENOTDIR : 0;
	}
	if (!jump)
		walk->slash = false;
	return walk_on(walk);
}

i64 vfs_walk_begin(VfsWalk *walk, Task *task, i32 dirfd, const char *path, u32 flags)
{
	VfsPlace *start;
	File *file;

	*walk = (VfsWalk){.task = task, .vfs = vfs_of(task), .flags = flags};
	buf_init(&walk->rest);
	walk->root = vfs_place_get(task->process->fs->root);
	if (strlen(path) >= PATH_LIMIT)
		return -ENAMETOOLONG;
	if (!path[0] && !(flags & WALK_EMPTY))
		return -ENOENT;
	if (path[0] == '/' && !(flags & (WALK_BENEATH | WALK_IN_ROOT))) {
		start = walk->root;
	} else if (dirfd == LX_AT_FDCWD) {
		start = task->process->fs->directory;
	} else {
		file = fds_file(task, dirfd);
		if (!file)
			return -EBADF;
		if (!file->place)
			return -ENOTDIR;
		start = file->place;
	}
	if (path[0] == '/' && (flags & WALK_BENEATH))
		return -EXDEV;
	walk->start = vfs_place_get(start);
	walk->at = vfs_place_get(start);
	if (flags & WALK_IN_ROOT) {
		vfs_place_put(walk->root);
		walk->root = vfs_place_get(start);
	}
	if (!path[0]) {
		walk->dots = true;
		return 0;
	}
	if (start->node->type != LX_S_IFDIR)
		return -ENOTDIR;
	buf_str(&walk->rest, path);
	if (walk->rest.failed)
		return -ENOMEM;
	return walk_on(walk);
}

/* By the kernel: from the root of all. */
static i64 walk_begin_absolute(VfsWalk *walk, Kernel *kernel, const char *path)
{
	VfsPlace *root = kernel->vfs->root->root;

	*walk = (VfsWalk){.vfs = kernel->vfs, .flags = WALK_FOLLOW};
	buf_init(&walk->rest);
	walk->root = vfs_place_get(root);
	walk->start = vfs_place_get(root);
	walk->at = vfs_place_get(root);
	if (strlen(path) >= PATH_LIMIT)
		return -ENAMETOOLONG;
	if (path[0] != '/')
		return -ENOENT;
	buf_str(&walk->rest, path);
	return walk->rest.failed ? -ENOMEM : walk_on(walk);
}

void vfs_walk_end(VfsWalk *walk)
{
	vfs_place_put(walk->at);
	vfs_place_put(walk->start);
	vfs_place_put(walk->root);
	buf_fini(&walk->rest);
	*walk = (VfsWalk){0};
}

i64 vfs_walk_last(VfsWalk *walk, VfsPlace **out)
{
	VfsPlace *place;
	i64 error;

	*out = NULL;
	while (walk->name[0]) {
		error = vfs_place_child(walk->task, walk->vfs, walk->at, walk->name, &place);
		if (error) {
			walk->missing = error == -ENOENT;
			return error;
		}
		if (place->node->type == LX_S_IFLNK && ((walk->flags & WALK_FOLLOW) || walk->slash)) {
			error = walk_through(walk, place);
			vfs_place_put(place);
			if (error)
				return error;
			continue;
		}
		if ((walk->flags & WALK_NO_XDEV) && place->mount != walk->start->mount)
			error = -EXDEV;
		if (walk->slash && place->node->type != LX_S_IFDIR)
			error = -ENOTDIR;
		if (error) {
			vfs_place_put(place);
			return error;
		}
		*out = place;
		return 0;
	}
	*out = vfs_place_get(walk->at);
	return 0;
}

i64 vfs_find(Task *task, i32 dirfd, const char *path, u32 flags, VfsPlace **out)
{
	VfsWalk walk;
	i64 error = vfs_walk_begin(&walk, task, dirfd, path, flags);

	*out = NULL;
	if (!error)
		error = vfs_walk_last(&walk, out);
	vfs_walk_end(&walk);
	return error;
}

i64 vfs_find_absolute(Kernel *kernel, const char *path, VfsPlace **out)
{
	VfsWalk walk;
	i64 error = walk_begin_absolute(&walk, kernel, path);

	*out = NULL;
	if (!error)
		error = vfs_walk_last(&walk, out);
	vfs_walk_end(&walk);
	return error;
}

i64 vfs_make_folders(Kernel *kernel, const char *path, VfsPlace **out)
{
	VfsNew what = {.mode = LX_S_IFDIR | 0755};
	char part[PATH_LIMIT];
	size_t len = strlen(path);
	i64 error = 0;

	*out = NULL;
	if (path[0] != '/')
		return -ENOENT;
	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	/* Each beginning of the path that ends before a slash, or at the end. */
	for (size_t end = 1; end <= len && !error; end++) {
		VfsWalk walk;
		VfsNode *made = NULL;

		if (path[end] && path[end] != '/')
			continue;
		memcpy(part, path, end);
		part[end] = 0;
		vfs_place_put(*out);
		*out = NULL;
		error = walk_begin_absolute(&walk, kernel, part);
		if (!error)
			error = vfs_walk_last(&walk, out);
		if (error == -ENOENT && walk.missing && walk.at->node->ops->create) {
			error = vfs_is_host(walk.at->node)
				? vfs_cover(kernel, walk.at, walk.name, what.mode, &made)
				: walk.at->node->ops->create(walk.at->node, walk.name, &what, &made);
			if (!error) {
				vfs_node_put(made);
				error = vfs_place_child(NULL, kernel->vfs, walk.at, walk.name, out);
			}
		}
		vfs_walk_end(&walk);
	}
	return error;
}
