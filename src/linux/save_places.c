/* SPDX-License-Identifier: MIT
 *
 * Mounts and places on a tape.
 *
 * What a machine sees of the host is no matter of the tape but of how it was configured (kernel->roots): the tape says how
 * many folders of the host there were and where, and the machine that loads it must have as many, in the same places, that
 * may be written where those were. Nothing else of the host is ever named, and names are looked up one by one in these
 * folders as always (vfs_host.c), so a forged tape reaches no more than a program could.
 *
 * A place is found again by its parent, and there: as a node in memory that the tape has (FOUND_NODE), by its name as a walk
 * would (FOUND_NAME: files of the host, devices), or by what it is about (FOUND_ABOUT: in /proc and /dev/pts). Between machines of this
 * process what FOUND_NAME finds of the host is on the tape, too (save_near.c).
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "linux/save.h"
#include "linux/stream.h"
#include "linux/vfs_proc.h"
#include "linux/vfs_tree.h"

enum { FS_TMPFS, FS_OVERLAY, FS_HOST, FS_PROC, FS_DEV, FS_PTS, FS_KINDS };
enum { FOUND_ROOT, FOUND_NODE, FOUND_NAME, FOUND_ABOUT, FOUND_HOST, FOUND_WEAK, FOUND_KINDS };
enum { MOUNTS_MOST = 1024, NAME_MOST = 1024 };

static const char *const types[FS_KINDS] = { "tmpfs", "overlay", "husk", "proc", "devtmpfs", "devpts" };

static u8 kind_of(const VfsFs *fs)
{
	u8 kind = 0;

	while (kind < FS_KINDS && strcmp(types[kind], fs->ops->type))
		kind++;
	return kind;
}

/* ---- Numbering ---- */

/* With those above it, which come first. */
static void add_place(Tape *tape, VfsPlace *place)
{
	VfsPlace **chain = NULL;
	u32 above = 0, cap = 0;

	for (VfsPlace *at = place; at && !tape_number(tape, TAPE_PLACES, at); at = at->parent) {
		if (!array_grow((void **)&chain, &cap, above, sizeof(*chain))) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			break;
		}
		chain[above++] = at;
	}
	while (above)
		tape_add(tape, TAPE_PLACES, chain[--above]);
	free(chain);
}

static void add_node(Tape *tape, VfsNode *node)
{
	if (vfs_is_tree(node->fs) && tree_node(node)->own)
		tape_add(tape, TAPE_NODES, node);
}

static void collect_mounts(Tape *tape)
{
	const Vfs *vfs = tape->kernel->vfs;
	u32 count = 0;

	for (VfsMount *mount = vfs->mounts; mount; mount = mount->next)
		count++;
	tape->mounts = calloc(count + 1, sizeof(*tape->mounts));
	if (!tape->mounts) {
		tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	for (VfsMount *mount = vfs->mounts; mount; mount = mount->next) {
		tape->mounts[tape->mount_count++] = mount;
		add_place(tape, mount->root);
		if (vfs_is_tree(mount->fs) && ((TreeFs *)mount->fs)->root)
			tape_add(tape, TAPE_NODES, ((TreeFs *)mount->fs)->root);
		add_node(tape, mount->root->node);
	}
}

void collect_vfs(Tape *tape)
{
	u32 roots;

	collect_mounts(tape);
	collect_nodes(tape);
	roots = tape->lists[TAPE_PLACES].count;
	for (u32 i = 0; i < tape->mount_count; i++)
		add_place(tape, tape->mounts[i]->on);
	for (u32 i = 0; i < tape->lists[TAPE_FILES].count; i++)
		add_place(tape, ((File *)tape->lists[TAPE_FILES].items[i])->place);
	for (const Process *process = tape->kernel->processes; process; process = process->next) {
		if (!process->fs || !tape_add(tape, TAPE_FOLDERS, process->fs))
			continue;
		add_place(tape, process->fs->root);
		add_place(tape, process->fs->directory);
	}
	for (u32 i = roots; i < tape->lists[TAPE_PLACES].count; i++)
		add_node(tape, ((VfsPlace *)tape->lists[TAPE_PLACES].items[i])->node);
	for (u32 i = 0; i < tape->lists[TAPE_PLACES].count && tape->near; i++)
		collect_near_node(tape, ((VfsPlace *)tape->lists[TAPE_PLACES].items[i])->node);
	collect_nodes(tape);
	for (u32 i = 0; i < tape->lists[TAPE_NODES].count && tape->near; i++)
		collect_near_node(tape, tape->lists[TAPE_NODES].items[i]);
}

/* ---- Mounts ---- */

static VfsFs *make_fs(Tape *tape, u8 kind, const char *source, bool read_only, u32 *host, VfsNode **root)
{
	Kernel *kernel = tape->kernel;
	const HostRoot *given;
	TreeFs *tree;
	i64 error = 0;

	*root = NULL;
	switch (kind) {
	case FS_OVERLAY:
	case FS_TMPFS:
		tree = tree_fs_blank(kernel, types[kind]);
		return tree ? &tree->fs : NULL;
	case FS_HOST:
		given = *host < kernel->root_count ? &kernel->roots[(*host)++] : NULL;
		if (given && given->below)
			given = *host < kernel->root_count ? &kernel->roots[(*host)++] : NULL;
		if (!given || strcmp(given->source, source)) {
			tape_fail(tape, STATUS_MISMATCH, "it has a folder of the host at %.100s, and this machine has not", source);
			return NULL;
		}
		if (given->read_only && !read_only) {
			tape_fail(tape, STATUS_MISMATCH, "%.100s could be written there, and not here", source);
			return NULL;
		}
		*root = vfs_node_get(given->node);
		(*root)->fs->read_only = given->read_only;
		break;
	case FS_PROC:
		error = vfs_proc_create(kernel, root);
		break;
	case FS_DEV:
		error = vfs_dev_create(kernel, root);
		break;
	case FS_PTS:
		error = vfs_pts_create(kernel, root);
		break;
	default:
		break;
	}
	if (error || !*root)
		return NULL;
	(*root)->fs->refs++;
	return (*root)->fs;
}

/* The mount and the tape have a reference to its place each. */
static void load_root(Tape *tape, VfsMount *mount, VfsNode *node)
{
	mount->root = vfs_place_new(tape->kernel->vfs, NULL, "", node, mount);
	if (mount->root && tape_add(tape, TAPE_PLACES, mount->root))
		vfs_place_get(mount->root);
	else
		tape_fail(tape, STATUS_NOMEM, "%s", "");
}

/* A mount without a root place; what it is made of. */
static void load_mount(Tape *tape, VfsMount *mount, u8 kind, VfsNode *root)
{
	Vfs *vfs = tape->kernel->vfs;

	if (vfs->last_mount)
		vfs->last_mount->next = mount;
	else
		vfs->mounts = vfs->root = mount;
	vfs->last_mount = mount;
	tape->mounts[tape->mount_count++] = mount;
	if (kind == FS_TMPFS || kind == FS_OVERLAY)
		return;
	load_root(tape, mount, root);
}

static void carry_mount(Tape *tape, u32 index, u32 *host)
{
	VfsMount *mount = tape->loading ? NULL : tape->mounts[index];
	u8 kind = mount ? kind_of(mount->fs) : 0;
	bool read_only = mount && mount->read_only, fs_read_only = mount && mount->fs->read_only;
	char *source = mount ? mount->source : NULL;
	VfsNode *root = NULL;
	VfsFs *fs = mount ? mount->fs : NULL;

	tape_u8(tape, &kind);
	tape_text(tape, &source, PATH_LIMIT);
	tape_bool(tape, &read_only);
	tape_bool(tape, &fs_read_only);
	if (!tape_check(tape, kind < FS_KINDS && source)) {
		free(tape->loading ? source : NULL);
		return;
	}
	if (tape->loading) {
		fs = make_fs(tape, kind, source, read_only, host, &root);
		mount = fs ? calloc(1, sizeof(*mount)) : NULL;
		if (!mount) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			if (fs)
				vfs_fs_put(fs);
			vfs_node_put(root);
			free(source);
			return;
		}
		*mount = (VfsMount){ .fs = fs, .source = source, .read_only = read_only };
		load_mount(tape, mount, kind, root);
		vfs_node_put(root);
		fs->read_only = fs_read_only || (kind == FS_HOST && fs->read_only);
	}
	tape_u32(tape, &fs->device);
	tape_u64(tape, &fs->made);
	if (kind == FS_PTS && tape->loading)
		tape->kernel->streams->pts_device = fs->device;
	if (vfs_is_tree(fs))
		tape_u64(tape, &((TreeFs *)fs)->next_inode);
}

/* Of trees: the folder that all is in (none: a lone file covers something), and what the mount shows. */
static void carry_root(Tape *tape, VfsMount *mount)
{
	TreeFs *fs = (TreeFs *)mount->fs;
	TreeNode *top = tape_ref(tape, TAPE_NODES, fs->root);
	TreeNode *shown = tape_ref(tape, TAPE_NODES, mount->root ? mount->root->node : NULL);
	const Kernel *kernel = tape->kernel;

	if (!tape->loading ||
	    !tape_check(tape, shown && (!top || (top->node.fs == &fs->fs && tree_is_folder(top) && !top->saved)) &&
				      (mount != kernel->vfs->root || shown == top)))
		return;
	fs->root = top;
	if (top)
		top->saved = 1; /* no folder has it */
	if (kind_of(&fs->fs) == FS_OVERLAY) {
		if (!top || mount != kernel->vfs->root || !kernel->root_count || !kernel->roots[0].below) {
			tape_fail(tape, STATUS_MISMATCH, "%s", "its root is a folder of the host, and this machine's is not");
			return;
		}
		top->lower = vfs_node_get(kernel->roots[0].node);
	}
	load_root(tape, mount, &shown->node);
}

/* Host folders that are there and not on the tape: programs would find them where they did not expect them. */
static void check_roots(Tape *tape, u32 host)
{
	const Kernel *kernel = tape->kernel;
	bool overlay = false;

	for (u32 i = 0; i < tape->mount_count; i++)
		overlay |= kind_of(tape->mounts[i]->fs) == FS_OVERLAY;
	if (!overlay && kernel->root_count && kernel->roots[0].below)
		tape_fail(tape, STATUS_MISMATCH, "%s", "its root is in memory, and this machine's is a folder of the host");
	else if (host < kernel->root_count && !(host == 0 && kernel->root_count == 1 && kernel->roots[0].below))
		tape_fail(tape, STATUS_MISMATCH, "this machine has a folder of the host at %.100s, and it has not",
			  kernel->roots[kernel->root_count - 1].source);
}

/* ---- Places ---- */

static u32 mount_number(const Tape *tape, const VfsMount *mount)
{
	u32 number = 0;

	while (mount && number < tape->mount_count && tape->mounts[number] != mount)
		number++;
	return mount ? number + 1 : 0;
}

static u8 how_found(const Tape *tape, const VfsPlace *place)
{
	if (tape_number(tape, TAPE_NODES, place->node))
		return FOUND_NODE;
	if (tape_number(tape, TAPE_HOSTS, place->node))
		return FOUND_HOST;
	if (tape_number(tape, TAPE_WEAK, place->node))
		return FOUND_WEAK;
	return kind_of(place->node->fs) == FS_PROC || kind_of(place->node->fs) == FS_PTS ? FOUND_ABOUT : FOUND_NAME;
}

static VfsNode *find_node(Tape *tape, u8 how, VfsPlace *place, VfsPlace *parent, const char *name)
{
	VfsNode *node = place ? place->node : NULL;
	u32 what[4] = { 0 };
	i64 error = 0;

	switch (how) {
	case FOUND_HOST:
	case FOUND_WEAK:
		if (!tape->loading && place->gone && node->type != LX_S_IFREG)
			tape_fail(tape, STATUS_UNSUPPORTED, "%.100s was deleted on the host and is still in use", place->name);
		if (!tape_check(tape, tape->near))
			break;
		node = tape_ref(tape, how == FOUND_HOST ? TAPE_HOSTS : TAPE_WEAK, node);
		if (tape->loading && tape_check(tape, node != NULL))
			vfs_node_get(node);
		break;
	case FOUND_NODE:
		node = tape_ref(tape, TAPE_NODES, node);
		if (tape->loading && tape_check(tape, node != NULL))
			vfs_node_get(node);
		break;
	case FOUND_ABOUT:
		if (!tape->loading && kind_of(node->fs) == FS_PTS)
			what[0] = vfs_pts_tell(node);
		else if (!tape->loading && !vfs_proc_tell(node, what))
			tape_fail(tape, STATUS_UNSUPPORTED, "%s", "a place of a file without a name is held");
		tape_bytes(tape, what, sizeof(what));
		if (!tape->loading || !tape_check(tape, parent != NULL))
			break;
		error = kind_of(parent->node->fs) == FS_PTS    ? vfs_pts_find(parent->node->fs, what[0], &node)
			: kind_of(parent->node->fs) == FS_PROC ? vfs_proc_find(parent->node->fs, what, &node)
							       : -EINVAL;
		break;
	default:
		if (!tape->loading && place->gone)
			tape_fail(tape, STATUS_UNSUPPORTED, "%.100s was deleted on the host and is still in use", place->name);
		if (tape->loading && tape_check(tape, parent && parent->node->type == LX_S_IFDIR && parent->node->ops->lookup))
			error = parent->node->ops->lookup(parent->node, name, NULL, &node);
		break;
	}
	if (error == -ENOENT)
		tape_fail(tape, STATUS_NOT_FOUND, "%.100s is not there any more", name);
	else if (error)
		tape_fail(tape, error == -ENOMEM ? STATUS_NOMEM : error == -EINVAL ? STATUS_CORRUPT : STATUS_IO,
			  "%.100s can't be found: %.60s", name, strerror((int)-error));
	return tape_ok(tape) ? node : NULL;
}

static bool place_is_possible(const char *name, const VfsPlace *parent, u32 mount, bool gone)
{
	if (!name)
		return false;
	if (!parent)
		return gone && !mount;
	return name[0] && strlen(name) <= NAME_LIMIT && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

static void carry_place(Tape *tape, VfsPlace *place)
{
	u8 how = place ? how_found(tape, place) : 0;
	VfsPlace *parent = tape_ref(tape, TAPE_PLACES, place ? place->parent : NULL);
	u32 mount = place ? mount_number(tape, place->mount) : 0;
	char *name = place ? place->name : NULL;
	bool gone = place && place->gone;
	VfsNode *node;

	tape_u32(tape, &mount);
	tape_text(tape, &name, NAME_MOST);
	tape_bool(tape, &gone);
	tape_u8(tape, &how);
	if (!tape_check(tape, how > FOUND_ROOT && how < FOUND_KINDS && mount <= tape->mount_count &&
				      place_is_possible(name, parent, mount, gone))) {
		free(tape->loading ? name : NULL);
		return;
	}
	node = find_node(tape, how, place, parent, name);
	if (tape->loading && node) {
		place = vfs_place_new(tape->kernel->vfs, parent, name, node, mount ? tape->mounts[mount - 1] : NULL);
		vfs_node_put(node);
		if (!place || !tape_add(tape, TAPE_PLACES, place)) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			vfs_place_put(place);
		} else if (gone) {
			vfs_place_gone(tape->kernel->vfs, place);
		}
	}
	free(tape->loading ? name : NULL);
}

static void carry_on(Tape *tape, u32 index)
{
	VfsMount *mount = tape->mounts[index];
	VfsPlace *on = tape_ref(tape, TAPE_PLACES, mount->on);

	if (!tape->loading || !tape_check(tape, !on == !index))
		return;
	if (!on || !tape_check(tape, !on->covered && on->mount && mount_number(tape, on->mount) <= index &&
					     (on->node->type == LX_S_IFDIR) == (mount->root->node->type == LX_S_IFDIR)))
		return;
	mount->on = vfs_place_get(on);
	on->covered = mount;
}

static void carry_places(Tape *tape)
{
	u32 roots = tape->mount_count, count;

	count = tape_count(tape, tape->lists[TAPE_PLACES].count - roots, 15);
	for (u32 i = 0; i < count && tape_ok(tape); i++)
		carry_place(tape, tape->loading ? NULL : tape->lists[TAPE_PLACES].items[roots + i]);
	for (u32 i = 0; i < tape->mount_count && tape_ok(tape); i++)
		carry_on(tape, i);
}

/* ---- All ---- */

static bool begin_vfs(Tape *tape)
{
	Vfs *vfs = calloc(1, sizeof(*vfs));

	tape->kernel->vfs = vfs;
	tape->mounts = calloc(MOUNTS_MOST, sizeof(*tape->mounts));
	if (vfs) {
		*vfs = (Vfs){ .kernel = tape->kernel, .bucket_count = 256 };
		vfs->buckets = calloc(vfs->bucket_count, sizeof(*vfs->buckets));
	}
	if (!vfs || !vfs->buckets || !tape->mounts)
		tape_fail(tape, STATUS_NOMEM, "%s", "");
	return tape_ok(tape);
}

static void carry_memory(Tape *tape)
{
	Vfs *vfs = tape->kernel->vfs;
	u32 mount = 0;

	while (!tape->loading && mount < tape->mount_count && tape->mounts[mount]->root->node != vfs->memory)
		mount++;
	tape_u32(tape, &mount);
	if (!tape->loading || !tape_check(tape, mount < tape->mount_count && vfs_is_tree(tape->mounts[mount]->fs) &&
							tape->mounts[mount]->root->node->type == LX_S_IFDIR))
		return;
	vfs->memory = vfs_node_get(tape->mounts[mount]->root->node);
}

/* Loading: kernel->vfs is NULL before. */
void carry_vfs(Tape *tape)
{
	u32 count, host = 0, next_device = 0;
	Vfs *vfs;

	if (tape->loading && !begin_vfs(tape))
		return;
	vfs = tape->kernel->vfs;
	count = tape_count(tape, tape->mount_count, 20);
	if (!tape_check(tape, count && count <= MOUNTS_MOST))
		return;
	for (u32 i = 0; i < count && tape_ok(tape); i++)
		carry_mount(tape, i, &host);
	if (tape->loading && tape_ok(tape))
		check_roots(tape, host);
	next_device = vfs->next_device;
	tape_u32(tape, &next_device);
	vfs->next_device = next_device;
	tape_bytes(tape, vfs->boot_id, sizeof(vfs->boot_id));
	tape_bool(tape, &vfs->has_boot_id);
	carry_node_kinds(tape);
	for (u32 i = 0; i < tape->mount_count && tape_ok(tape); i++)
		if (vfs_is_tree(tape->mounts[i]->fs))
			carry_root(tape, tape->mounts[i]);
	/* Places of roots are numbered as mounts are. */
	for (u32 i = 0; tape->loading && i < tape->mount_count && tape_ok(tape); i++)
		tape->lists[TAPE_PLACES].items[i] = tape->mounts[i]->root;
	if (tape_ok(tape))
		carry_near_hosts(tape);
	if (tape_ok(tape))
		carry_nodes(tape);
	if (tape_ok(tape))
		carry_near_weak(tape);
	if (tape_ok(tape))
		carry_places(tape);
	if (tape_ok(tape))
		carry_memory(tape);
}

void carry_folders(Tape *tape)
{
	u32 count = tape_count(tape, tape->lists[TAPE_FOLDERS].count, 12);

	for (u32 i = 0; i < count && tape_ok(tape); i++) {
		FsState *fs = tape->loading ? calloc(1, sizeof(*fs)) : tape->lists[TAPE_FOLDERS].items[i];

		if (!fs || (tape->loading && !tape_add(tape, TAPE_FOLDERS, fs))) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			free(tape->loading ? fs : NULL);
			return;
		}
		if (tape->loading)
			*fs = (FsState){ .kernel = tape->kernel, .refs = 1 };
		tape_u32(tape, &fs->umask);
		for (int which = 0; which < 2; which++) {
			VfsPlace **place = which ? &fs->directory : &fs->root, *found;

			found = tape_ref(tape, TAPE_PLACES, *place);
			if (tape->loading && tape_check(tape, found && found->node->type == LX_S_IFDIR))
				*place = vfs_place_get(found);
		}
		tape_check(tape, !(fs->umask & ~0777u));
	}
}

void tape_release_vfs(Tape *tape)
{
	for (u32 i = 0; i < tape->lists[TAPE_FOLDERS].count; i++)
		fs_put(tape->lists[TAPE_FOLDERS].items[i]);
	for (u32 i = 0; i < tape->lists[TAPE_PLACES].count; i++)
		vfs_place_put(tape->lists[TAPE_PLACES].items[i]);
	tape_release_near(tape);
	for (u32 i = 0; i < tape->lists[TAPE_NODES].count; i++)
		vfs_node_put(tape->lists[TAPE_NODES].items[i]);
}
