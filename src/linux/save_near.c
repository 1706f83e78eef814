/* SPDX-License-Identifier: MIT
 *
 * Files of the host on a tape that is for machines of this process (Tape.near). A machine that is parked, or forked, goes on as if it had
 * never left its place, whatever has become of the names meanwhile: so nothing is looked up, and nothing is opened.
 *
 *     hosts   nodes of the host's folders, as they were seen: number (device, inode), name in which folder, and the descriptors they are
 *             open by. These are shared (base/open_file.h): the tape names them, and who keeps the tape has a reference to each
 *             (Tape.held). All use is by place (pread), and positions belong to open files of the program, so nobody sees the others.
 *     weak    nodes of a tree that stand for what is below (vfs_tree.h), in which folder and for which node of the above
 *
 * So a file that was replaced or deleted is still the one that was open, as for any other program, and a folder that somebody exchanged is
 * found to be another one when it is asked (vfs_host.c). A file that was written where it lies shows the new bytes to who reads it; that
 * it is mapped privately, too, and its pages would be of two ages then, is refused (vfs_carry_mapped).
 *
 * What a program of this machine may see is as always what it was configured with: folders are named by their place among kernel->roots.
 */
#include <stdlib.h>

#include "base/array.h"
#include "linux/save.h"
#include "linux/vfs_host.h"
#include "linux/vfs_tree.h"

static VfsNode *above_host(VfsNode *node)
{
	return host_node(node)->parent ? &host_node(node)->parent->node : NULL;
}

/* Of those that are not the tree's own. */
static VfsNode *above_weak(VfsNode *node)
{
	TreeNode *folder = tree_node(node)->folder;

	return folder && !folder->own ? &folder->node : NULL;
}

/* With those it is in, which come first. */
static void add_chain(Tape *tape, TapeKind kind, VfsNode *node, VfsNode *(*above)(VfsNode *))
{
	VfsNode **chain = NULL;
	u32 count = 0, cap = 0;

	for (; node && !tape_number(tape, kind, node); node = above(node)) {
		if (!array_grow((void **)&chain, &cap, count, sizeof(*chain))) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			break;
		}
		chain[count++] = node;
	}
	while (count && tape_ok(tape))
		tape_add(tape, kind, chain[--count]);
	free(chain);
}

void collect_near_node(Tape *tape, VfsNode *node)
{
	if (vfs_is_host(node)) {
		add_chain(tape, TAPE_HOSTS, node, above_host);
	} else if (vfs_is_tree(node->fs) && !tree_node(node)->own) {
		add_chain(tape, TAPE_WEAK, node, above_weak);
		for (TreeNode *at = tree_node(node); at && !at->own; at = at->folder) {
			add_chain(tape, TAPE_HOSTS, at->lower, above_host);
			if (at->folder && at->folder->own)
				tape_add(tape, TAPE_NODES, at->folder);
		}
	} else if (vfs_is_tree(node->fs) && tree_node(node)->lower) {
		add_chain(tape, TAPE_HOSTS, tree_node(node)->lower, above_host);
	}
}

/* ---- Nodes of the host ---- */

/* Numbers that programs see are made of these: host_inode. */
static void carry_devices(Tape *tape)
{
	for (u32 i = 0; i < tape->kernel->root_count && tape_ok(tape); i++) {
		HostFs *fs = host_fs(host_node(tape->kernel->roots[i].node));

		fs->device_count = tape_count(tape, fs->device_count, sizeof(*fs->devices));
		tape_bytes(tape, fs->devices, fs->device_count * sizeof(*fs->devices));
	}
}

static void carry_open(Tape *tape, OpenFile **file)
{
	u64 which = (u64)(uintptr_t)*file;

	tape_u64(tape, &which);
	if (!tape->loading) {
		if (*file && tape->held && !open_files_add(tape->held, *file))
			tape_fail(tape, STATUS_NOMEM, "%s", "");
		return;
	}
	open_file_put(*file);
	*file = which && tape_ok(tape) ? open_file_get((OpenFile *)(uintptr_t)which) : NULL;
}

static u32 root_of(const Tape *tape, const HostNode *node)
{
	u32 root = 0;

	while (root < tape->kernel->root_count && tape->kernel->roots[root].node->fs != node->node.fs)
		root++;
	return root;
}

static void carry_host(Tape *tape, HostNode *node)
{
	const Kernel *kernel = tape->kernel;
	u32 root = node ? root_of(tape, node) : 0, type = node ? node->node.type : 0;
	u64 id[2] = {node ? node->device : 0, node ? node->inode : 0};
	char *name = node ? node->name : NULL;
	HostNode *parent = tape_ref(tape, TAPE_HOSTS, node ? node->parent : NULL);

	if (node && root == kernel->root_count)
		tape_fail(tape, STATUS_UNSUPPORTED, "%.100s is in no folder that was given", name);
	tape_u32(tape, &root);
	tape_u32(tape, &type);
	tape_bytes(tape, id, sizeof(id));
	tape_text(tape, &name, PATH_LIMIT);
	if (tape->loading && tape_check(tape, root < kernel->root_count && name)) {
		HostNode *top = host_node(kernel->roots[root].node);

		node = parent ? host_load(host_fs(top), parent, name, id[0], id[1], type) : host_node(vfs_node_get(&top->node));
		if (!node || !tape_add(tape, TAPE_HOSTS, node)) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			vfs_node_put(node ? &node->node : NULL);
			node = NULL;
		}
	}
	if (tape->loading)
		free(name);
	if (!node || !tape_ok(tape))
		return;
	carry_open(tape, &node->read);
	carry_open(tape, &node->write);
}

void carry_near_hosts(Tape *tape)
{
	u32 count;

	if (!tape->near)
		return;
	carry_devices(tape);
	count = tape_count(tape, tape->lists[TAPE_HOSTS].count, 40);
	for (u32 i = 0; i < count && tape_ok(tape); i++)
		carry_host(tape, tape->loading ? NULL : tape->lists[TAPE_HOSTS].items[i]);
}

/* ---- Nodes of trees ---- */

static void carry_weak(Tape *tape, TreeNode *node)
{
	TreeNode *folder = node ? node->folder : NULL;
	bool in_weak = folder && !folder->own;
	char *name = node && node->entry ? node->entry->name : NULL;
	HostNode *lower;

	tape_bool(tape, &in_weak);
	folder = tape_ref(tape, in_weak ? TAPE_WEAK : TAPE_NODES, folder);
	lower = tape_ref(tape, TAPE_HOSTS, node ? node->lower : NULL);
	tape_text(tape, &name, NAME_LIMIT);
	if (!tape->loading)
		return;
	if (tape_check(tape, folder && lower)) {
		node = tree_weak_load(folder, name, &lower->node);
		if (!node || !tape_add(tape, TAPE_WEAK, node)) {
			tape_fail(tape, STATUS_NOMEM, "%s", "");
			vfs_node_put(node ? &node->node : NULL);
		}
	}
	free(name);
}

void carry_near_weak(Tape *tape)
{
	u32 count;

	if (!tape->near)
		return;
	count = tape_count(tape, tape->lists[TAPE_WEAK].count, 13);
	for (u32 i = 0; i < count && tape_ok(tape); i++)
		carry_weak(tape, tape->loading ? NULL : tape->lists[TAPE_WEAK].items[i]);
}

void tape_release_near(Tape *tape)
{
	for (u32 i = 0; i < tape->lists[TAPE_WEAK].count; i++)
		vfs_node_put(tape->lists[TAPE_WEAK].items[i]);
	for (u32 i = 0; i < tape->lists[TAPE_HOSTS].count; i++)
		vfs_node_put(tape->lists[TAPE_HOSTS].items[i]);
}
