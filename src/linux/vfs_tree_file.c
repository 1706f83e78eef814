/* SPDX-License-Identifier: MIT
 *
 * Contents of the tree's regular files: here, or below until the first change.
 */
#include <stdlib.h>

#include "linux/vfs_tree.h"

static void lower_letgo(TreeNode *node)
{
	if (node->holds_lower)
		node->lower->ops->letgo(node->lower, false);
	node->holds_lower = false;
}

static i64 lower_acquire(TreeNode *node)
{
	i64 error;

	if (node->has_content || node->holds_lower)
		return 0;
	error = node->lower->ops->acquire(node->lower, false);
	node->holds_lower = !error;
	return error;
}

i64 tree_acquire(VfsNode *base, bool write)
{
	TreeNode *node = tree_node(base);
	i64 error = write ? 0 : lower_acquire(node);

	if (!error)
		node->users++;
	return error;
}

void tree_letgo(VfsNode *base, bool write)
{
	TreeNode *node = tree_node(base);

	(void)write;
	if (!--node->users)
		lower_letgo(node);
}

/* From now on the content is here: all of what is below, or none of it. */
static i64 content_take(TreeNode *node, bool copy)
{
	Kernel *kernel = tree_kernel(node);
	i64 error = tree_own(node);
	u8 *chunk = NULL;
	u64 at = 0;

	if (error || node->has_content)
		return error;
	node->content = (Content){0};
	if (copy)
		error = lower_acquire(node);
	if (copy && !error && !(chunk = malloc(CHUNK)))
		error = -ENOMEM;
	while (copy && !error) {
		i64 got = node->lower->ops->read(node->lower, chunk, CHUNK, at), put;

		if (got <= 0) {
			error = got;
			break;
		}
		put = content_write(kernel, &node->content, chunk, (u64)got, at);
		if (put != got)
			error = put < 0 ? put : -ENOSPC;
		at += (u64)got;
	}
	free(chunk);
	if (error) {
		content_fini(kernel, &node->content);
		if (!node->users)
			lower_letgo(node);
		return error;
	}
	lower_letgo(node);
	node->has_content = true;
	vfs_node_put(node->lower);
	node->lower = NULL;
	return 0;
}

i64 tree_read(VfsNode *base, u8 *to, u64 len, u64 offset)
{
	TreeNode *node = tree_node(base);

	if (node->has_content)
		return content_read(&node->content, to, len, offset);
	return node->lower->ops->read(node->lower, to, len, offset);
}

static void content_changed(TreeNode *node)
{
	node->mtime = node->ctime = tree_now(node);
	node->data = 0;
	node->given = false;
	node->mode &= ~(u32)06000; /* who writes to a program takes its rights away */
}

i64 tree_write(VfsNode *base, const u8 *from, u64 len, u64 offset)
{
	TreeNode *node = tree_node(base);
	i64 put = content_take(node, true);

	if (!put)
		put = content_write(tree_kernel(node), &node->content, from, len, offset);
	if (put > 0)
		content_changed(node);
	return put;
}

i64 tree_resize(VfsNode *base, u64 size)
{
	TreeNode *node = tree_node(base);
	i64 error;

	if (size > FILE_SIZE_LIMIT)
		return -EFBIG;
	error = content_take(node, size > 0);
	if (error)
		return error;
	if (!content_resize(tree_kernel(node), &node->content, size))
		return -ENOSPC;
	content_changed(node);
	return 0;
}

i64 tree_allocate(VfsNode *base, u64 offset, u64 len, bool keep_size)
{
	TreeNode *node = tree_node(base);
	i64 error = content_take(node, true);

	(void)keep_size;
	return error ? error : content_allocate(tree_kernel(node), &node->content, offset, len);
}

u64 tree_next_data(VfsNode *base, u64 offset)
{
	TreeNode *node = tree_node(base);

	if (node->has_content)
		return content_next_data(&node->content, offset);
	return node->lower->ops->next_data ? node->lower->ops->next_data(node->lower, offset) : offset;
}
