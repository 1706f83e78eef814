/* SPDX-License-Identifier: MIT
 *
 * What a machine was configured with, as a thing of its own: limits, rights, the folders of the host, held open, and the
 * contents of files that were given from outside and that nobody has changed (the program). Another machine can be set up
 * alike with it, also when the first one is gone, and then be given a snapshot: so images and forks of instances work. It
 * never changes; any thread may use it.
 *
 * Between machines that are set up alike the contents of these files need not be in what is saved (linux_save_near).
 *
 * The terminal and the trace belong to whoever configured the first machine: the others have none.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux/kernel.h"
#include "base/array.h"
#include "linux/save.h"
#include "linux/setup.h"
#include "linux/vfs_host.h"
#include "linux/vfs_tree.h"

typedef struct SetupRoot {
	int fd;          /* owned */
	char *name;      /* owned: in the folder that fd is, "." for that itself */
	char *source;    /* owned */
	bool read_only, below, own_numbers;
} SetupRoot;

typedef struct SetupFile {
	u64 key;
	Content content; /* owned; counted for nobody */
} SetupFile;

struct Setup {
	u32 refs; /* atomic */
	SetupFile *files; /* owned */
	u32 file_count, file_cap;
	u64 file_bytes;
	KernelLimits limits;
	u64 slice_time;
	bool net, net_loopback, net_resets;
	SetupRoot *roots; /* owned */
	u32 count;
};

void linux_setup_put(void *ptr)
{
	Setup *setup = ptr;

	if (!setup || __atomic_sub_fetch(&setup->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (u32 i = 0; i < setup->count; i++) {
		close(setup->roots[i].fd);
		free(setup->roots[i].name);
		free(setup->roots[i].source);
	}
	for (u32 i = 0; i < setup->file_count; i++)
		content_fini(NULL, &setup->files[i].content);
	free(setup->files);
	free(setup->roots);
	free(setup);
}

static bool copy_root(const HostRoot *root, SetupRoot *out)
{
	const HostNode *node = host_node(root->node);
	const HostFs *fs = host_fs(node);

	*out = (SetupRoot){ .fd = fcntl(fs->top_fd, F_DUPFD_CLOEXEC, 0), .name = strdup(node->name), .source = strdup(root->source),
			    .read_only = root->read_only, .below = root->below, .own_numbers = fs->own_numbers };
	if (out->fd >= 0 && out->name && out->source)
		return true;
	if (out->fd >= 0)
		close(out->fd);
	free(out->name);
	free(out->source);
	return false;
}

/* ---- Files that were given ---- */

static u64 key_of(const TreeNode *node)
{
	return (u64)node->node.fs->device << 48 ^ node->inode;
}

static bool copy_file(Setup *setup, const TreeNode *node)
{
	SetupFile file = { .key = key_of(node), .content = { .size = node->content.size } };
	const u8 *from;

	for (u64 page = 0; (from = content_page(&node->content, &page)); page++) {
		u8 *to = content_page_make(NULL, &file.content, page);

		if (!to) {
			content_fini(NULL, &file.content);
			return false;
		}
		memcpy(to, from, CONTENT_PAGE);
	}
	if (!array_grow((void **)&setup->files, &setup->file_cap, setup->file_count, sizeof(*setup->files))) {
		content_fini(NULL, &file.content);
		return false;
	}
	setup->files[setup->file_count++] = file;
	setup->file_bytes += file.content.pages * CONTENT_PAGE;
	return true;
}

/* All there are in the kernel's trees. */
static bool copy_files(Setup *setup, Kernel *kernel)
{
	Tape tape;
	bool good;

	if (!kernel->vfs)
		return true;
	tape_init(&tape, kernel);
	collect_vfs(&tape);
	good = tape_ok(&tape);
	for (u32 i = 0; i < tape.lists[TAPE_NODES].count && good; i++) {
		const TreeNode *node = tape.lists[TAPE_NODES].items[i];

		if (node->given && node->has_content)
			good = copy_file(setup, node);
	}
	tape_fini(&tape);
	return good;
}

const Content *setup_file(const Kernel *kernel, const TreeNode *node)
{
	const Setup *setup = kernel->setup;

	for (u32 i = 0; setup && i < setup->file_count; i++)
		if (setup->files[i].key == key_of(node))
			return &setup->files[i].content;
	return NULL;
}

u64 setup_file_bytes(const Kernel *kernel)
{
	return kernel->setup ? kernel->setup->file_bytes : 0;
}

/* ---- Making ---- */

static Setup *setup_of(Kernel *kernel)
{
	Setup *setup = calloc(1, sizeof(*setup));

	if (!setup)
		return NULL;
	*setup = (Setup){ .refs = 1, .limits = kernel->limits, .slice_time = kernel->slice_time, .net = kernel->net,
			  .net_loopback = kernel->net_loopback, .net_resets = kernel->net_resets, .roots = calloc(kernel->root_count + 1, sizeof(SetupRoot)) };
	while (setup->roots && setup->count < kernel->root_count && copy_root(&kernel->roots[setup->count], &setup->roots[setup->count]))
		setup->count++;
	if (setup->roots && setup->count == kernel->root_count && copy_files(setup, kernel))
		return setup;
	linux_setup_put(setup);
	return NULL;
}

Status linux_setup(const Machine *machine, void **out)
{
	Kernel *kernel = kernel_of(machine);

	*out = NULL;
	if (!kernel)
		return STATUS_OK;
	if (!kernel->setup)
		kernel->setup = setup_of(kernel);
	if (!kernel->setup)
		return STATUS_NOMEM;
	__atomic_add_fetch(&kernel->setup->refs, 1, __ATOMIC_RELAXED);
	*out = kernel->setup;
	return STATUS_OK;
}

Status linux_set_up(Machine *machine, void *ptr)
{
	Kernel *kernel = kernel_of(machine);
	Setup *setup = ptr;

	if (!setup)
		return STATUS_OK;
	if (!kernel) {
		machine_reset(machine, false); /* the guest makes it then */
		kernel = kernel_of(machine);
	}
	if (!kernel || kernel->processes || kernel->vfs)
		return STATUS_INVALID;
	kernel->limits = setup->limits;
	kernel->slice_time = setup->slice_time;
	kernel->net = setup->net;
	kernel->net_loopback = setup->net_loopback;
	kernel->net_resets = setup->net_resets;
	for (u32 i = 0; i < setup->count; i++) {
		const SetupRoot *root = &setup->roots[i];
		VfsNode *node;
		i64 error = vfs_host_again(kernel, root->fd, root->name, root->own_numbers, &node);

		if (!error) {
			error = vfs_keep_root(kernel, node, root->source, root->read_only, root->below);
			vfs_node_put(node);
		}
		if (error)
			return error == -ENOMEM ? STATUS_NOMEM : STATUS_IO;
	}
	__atomic_add_fetch(&setup->refs, 1, __ATOMIC_RELAXED);
	linux_setup_put(kernel->setup);
	kernel->setup = setup;
	return STATUS_OK;
}
