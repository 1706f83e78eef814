/* SPDX-License-Identifier: MIT
 *
 * Places: the names of the tree that somebody holds, in one hash table by parent and name.
 *
 * A place is kept by open files, working directories, mounts, and by the places below it; and the folders that were
 * walked through lately are kept (vfs->recent), so that a backend need not find them anew. Nothing else is cached:
 * each step of a walk asks the backend what the name means now. If that is another node than before, the old place
 * leaves the table and whoever holds it keeps a thing without a name, as after a removal.
 *
 * Chains of parents may be as long as a program likes to nest folders: they are always followed by loops, never by
 * recursion.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "linux/vfs_private.h"

static u32 place_hash(const VfsPlace *parent, const char *name)
{
	return (u32)(hash_bytes(HASH_START ^ (u64)(uintptr_t)parent, name, strlen(name)) >> 7);
}

static void place_hash_in(Vfs *vfs, VfsPlace *place)
{
	VfsPlace **bucket = &vfs->buckets[place->hash & (vfs->bucket_count - 1)];

	place->next = *bucket;
	*bucket = place;
	place->hashed = true;
	vfs->place_count++;
}

static void place_hash_out(Vfs *vfs, VfsPlace *place)
{
	VfsPlace **at = &vfs->buckets[place->hash & (vfs->bucket_count - 1)];

	if (!place->hashed)
		return;
	while (*at != place)
		at = &(*at)->next;
	*at = place->next;
	place->hashed = false;
	vfs->place_count--;
}

/* A table that can't grow is slower, nothing else. */
static void places_grow(Vfs *vfs)
{
	u32 count = vfs->bucket_count * 2;
	VfsPlace **buckets, **old = vfs->buckets;
	u32 old_count = vfs->bucket_count;

	if (vfs->place_count < vfs->bucket_count || count > 1u << 20)
		return;
	buckets = calloc(count, sizeof(*buckets));
	if (!buckets)
		return;
	vfs->buckets = buckets;
	vfs->bucket_count = count;
	for (u32 i = 0; i < old_count; i++) {
		for (VfsPlace *place = old[i], *next; place; place = next) {
			next = place->next;
			place->next = buckets[place->hash & (count - 1)];
			buckets[place->hash & (count - 1)] = place;
		}
	}
	free(old);
}

VfsPlace *vfs_place_new(Vfs *vfs, VfsPlace *parent, const char *name, VfsNode *node, VfsMount *mount)
{
	VfsPlace *place = calloc(1, sizeof(*place));

	if (!place || !(place->name = strdup(name))) {
		free(place);
		return NULL;
	}
	place->refs = 1;
	place->node = vfs_node_get(node);
	place->mount = mount;
	if (parent) {
		place->parent = vfs_place_get(parent);
		place->hash = place_hash(parent, name);
		places_grow(vfs);
		place_hash_in(vfs, place);
	}
	return place;
}

VfsPlace *vfs_place_get(VfsPlace *place)
{
	place->refs++;
	return place;
}

void vfs_place_put(VfsPlace *place)
{
	while (place && !--place->refs) {
		VfsPlace *parent = place->parent;

		place_hash_out(place->node->fs->kernel->vfs, place);
		vfs_node_put(place->node);
		free(place->name);
		free(place);
		place = parent;
	}
}

static VfsPlace *place_find(const Vfs *vfs, const VfsPlace *parent, const char *name)
{
	u32 hash = place_hash(parent, name);

	for (VfsPlace *place = vfs->buckets[hash & (vfs->bucket_count - 1)]; place; place = place->next) {
		if (place->hash == hash && place->parent == parent && !strcmp(place->name, name))
			return place;
	}
	return NULL;
}

void vfs_place_gone(Vfs *vfs, VfsPlace *place)
{
	VfsPlace **recent = &vfs->recent[place->hash % VFS_RECENT];

	place_hash_out(vfs, place);
	place->gone = true;
	if (*recent == place) {
		*recent = NULL;
		vfs_place_put(place); /* perhaps the last one */
	}
}

/* What covers a place; places are at most as deep in mounts as there are mounts. */
static VfsPlace *place_top(VfsPlace *place)
{
	while (place->covered)
		place = place->covered->root;
	return place;
}

i64 vfs_place_child(Task *task, Vfs *vfs, VfsPlace *dir, const char *name, VfsPlace **out)
{
	VfsPlace *place = place_find(vfs, dir, name);
	VfsNode *node;
	i64 error;

	*out = NULL;
	if (dir->node->type != LX_S_IFDIR)
		return -ENOTDIR;
	if (place && place->covered) {
		*out = vfs_place_get(place_top(place));
		return 0;
	}
	if (dir->gone)
		return -ENOENT;
	error = dir->node->ops->lookup ? dir->node->ops->lookup(dir->node, name, task, &node) : -ENOENT;
	if (error) {
		if (place)
			vfs_place_gone(vfs, place);
		return error;
	}
	if (place && place->node != node) {
		vfs_place_gone(vfs, place);
		place = NULL;
	}
	if (place)
		vfs_place_get(place);
	else
		place = vfs_place_new(vfs, dir, name, node, dir->mount);
	vfs_node_put(node);
	*out = place;
	return place ? 0 : -ENOMEM;
}

VfsPlace *vfs_place_up(Vfs *vfs, VfsPlace *place, VfsPlace *root)
{
	(void)vfs;
	if (place == root)
		return vfs_place_get(place);
	while (!place->parent && place->mount && place->mount->on && place == place->mount->root) {
		place = place->mount->on;
		if (place == root)
			return vfs_place_get(place_top(place));
	}
	if (place->parent)
		place = place->parent;
	return vfs_place_get(place_top(place));
}

bool vfs_place_moved(Vfs *vfs, VfsPlace *place, VfsPlace *parent, const char *name)
{
	VfsPlace *old = place->parent;
	char *copy = strdup(name);

	if (!copy) {
		vfs_place_gone(vfs, place);
		return false;
	}
	place_hash_out(vfs, place);
	free(place->name);
	place->name = copy;
	place->parent = vfs_place_get(parent);
	place->hash = place_hash(parent, name);
	place_hash_in(vfs, place);
	vfs_place_put(old);
	return true;
}

bool vfs_place_text(const VfsPlace *place, const VfsPlace *root, Buf *out)
{
	size_t len = 0;
	const VfsPlace *at = place;
	bool reached = true;
	size_t start = out->len, end;

	/* First how long it is, then from the end to the beginning. */
	for (int pass = 0; pass < 2; pass++) {
		end = start + len;
		for (at = place; at != root;) {
			if (!at->parent) {
				if (!at->mount) { /* nameless: its name says what it is */
					if (pass)
						memcpy(out->data + start, at->name, strlen(at->name));
					else
						len += strlen(at->name);
					break;
				}
				if (!at->mount->on) {
					reached = !root;
					break;
				}
				at = at->mount->on;
				continue;
			}
			if (pass) {
				end -= strlen(at->name) + 1;
				out->data[end] = '/';
				memcpy(out->data + end + 1, at->name, strlen(at->name));
			} else {
				len += strlen(at->name) + 1;
			}
			at = at->parent;
		}
		if (!pass) {
			if (!reached)
				buf_str(out, "(unreachable)");
			start = out->len;
			buf_fill(out, '/', len ? len : 1);
			if (out->failed)
				return false;
		}
	}
	return reached;
}

void vfs_place_recent(Vfs *vfs, VfsPlace *place)
{
	VfsPlace **slot = &vfs->recent[place->hash % VFS_RECENT];

	if (*slot == place)
		return;
	vfs_place_get(place);
	if (*slot)
		vfs_place_put(*slot);
	*slot = place;
}

void vfs_forget_recent(Vfs *vfs)
{
	for (u32 i = 0; i < VFS_RECENT; i++) {
		VfsPlace *place = vfs->recent[i];

		vfs->recent[i] = NULL;
		vfs_place_put(place);
	}
}
