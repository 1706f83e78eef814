/* SPDX-License-Identifier: MIT
 *
 * Changes of a root kept in a folder of the host (--root DIR:CHANGES), to go on with another time.
 *
 *     CHANGES/husk-changes     an index in text: what differs from the folder below
 *     CHANGES/data/N           contents of files, by number
 *
 * The index has a line for each thing, words divided by one space, in names and targets \ooo for bytes that are not
 * printable ASCII, for the space and for the backslash. Folders come before what is in them.
 *
 *     husk-changes 1
 *     r          MODE USER GROUP ATIME MTIME CTIME BTIME                the root, folder 0
 *     d F NAME   the same, INODE BELOW         a folder, in folder F; it gets the next number
 *     f F NAME   the same, INODE DATA BELOW    a regular file; it and the next three kinds get the next file number
 *     l F NAME   the same, INODE TARGET BELOW  a symbolic link
 *     p F NAME   the same, INODE               a FIFO
 *     s F NAME   the same, INODE               a socket
 *     h F NAME N                               another name of file number N
 *     w F NAME                                 the name below is hidden
 *     end
 *
 * Times are ns since 1970, DATA a number, BELOW a path from the folder below on that gives what is not here: a folder's
 * other names, a file's bytes, a link's target; "-": nothing. (So a folder or file that was moved is still where it was.)
 *
 * It is written whole at sync(2) and at the end: first new contents under new numbers, then the index beside the old one,
 * which it replaces in one step; then what no line names any more goes. While it is used, the folder is locked.
 * What is written is counted (machine_disk_take): when there is no more, the index stays as it was.
 */
#define _GNU_SOURCE /* O_PATH */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "linux/vfs_tree.h"
#include "machine/outside.h"

#define INDEX "husk-changes"
#define INDEX_NEW "husk-changes.new"

typedef struct TreeChanges {
	int fd, data_fd;
	VfsNode *data;      /* the folder of contents; a reference */
	u64 next_data;
	u32 generation;
} TreeChanges;

/* ---- Writing ---- */

static void put_word(Buf *out, const char *text)
{
	buf_byte(out, ' ');
	for (; *text; text++) {
		u8 byte = (u8)*text;

		if (byte <= ' ' || byte > '~' || byte == '\\')
			buf_printf(out, "\\%03o", byte);
		else
			buf_byte(out, byte);
	}
}

static void put_below(Buf *out, VfsNode *below)
{
	Buf path;

	buf_init(&path);
	if (below && vfs_host_path(below, &path))
		put_word(out, path.len ? buf_text(&path) : "/");
	else
		buf_str(out, " -");
	out->failed |= path.failed;
	buf_fini(&path);
}

static void put_attributes(Buf *out, const TreeNode *node)
{
	buf_printf(out, " %o %u %u %llu %llu %llu %llu", node->mode & 07777, node->user, node->group,
		   (unsigned long long)node->atime, (unsigned long long)node->mtime, (unsigned long long)node->ctime,
		   (unsigned long long)node->btime);
}

/* The content as a file of its own, if it is not one already. */
static i64 save_content(TreeChanges *changes, TreeNode *node)
{
	Machine *machine = node->node.fs->kernel->machine;
	char name[32];
	u8 *chunk;
	u64 at = 0;
	int fd;
	i64 error = 0;

	if (!node->has_content || node->data)
		return 0;
	if (!machine_disk_take(machine, DISK_NAME, 0))
		return -ENOSPC;
	snprintf(name, sizeof(name), "%llu", (unsigned long long)changes->next_data);
	unlinkat(changes->data_fd, name, 0);
	fd = openat(changes->data_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	chunk = malloc(CHUNK);
	if (!chunk)
		error = -ENOMEM;
	while (!error && at < node->content.size) {
		u64 data = content_next_data(&node->content, at);
		i64 got = content_read(&node->content, chunk, CHUNK, data), put = 0;

		at = data;
		if (got && !machine_disk_take(machine, (u64)got, 0))
			error = -ENOSPC;
		while (put < got && !error) {
			ssize_t done = pwrite(fd, chunk + put, (size_t)(got - put), (off_t)at);

			if (done <= 0)
				error = done && errno != EINTR ? -errno : -EIO;
			else
				put += done, at += (u64)done;
		}
		if (!got)
			break;
	}
	if (!error && ftruncate(fd, (off_t)node->content.size))
		error = -errno;
	free(chunk);
	close(fd);
	if (!error)
		node->data = changes->next_data++;
	return error;
}

typedef struct Saving {
	TreeChanges *changes;
	TreeNode **folders; /* owned: in the order of their numbers */
	u32 folder_count, folder_cap;
	u64 file_count;
	Buf out;
} Saving;

/* Nodes by their numbers. */
static bool keep(TreeNode ***list, u32 *count, u32 *cap, TreeNode *node)
{
	if (!array_grow((void **)list, cap, *count, sizeof(node)))
		return false;
	(*list)[(*count)++] = node;
	return true;
}

static i64 save_entry(Saving *saving, u64 folder, const TreeEntry *entry)
{
	static const char kinds[16] = {[1] = 'p', [4] = 'd', [8] = 'f', [10] = 'l', [12] = 's'};
	TreeNode *node = entry->node;
	Buf *out = &saving->out;
	bool again = node && node->own && !tree_is_folder(node) && node->saved == saving->changes->generation;
	char kind = !node ? 'w' : again ? 'h' : kinds[node->node.type >> 12];
	i64 error = 0;

	if (node && (!node->own || node->given || !kind))
		return 0;
	if (kind == 'f')
		error = save_content(saving->changes, node);
	if (error)
		return error;
	buf_printf(out, "%c %llu", kind, (unsigned long long)folder);
	put_word(out, entry->name);
	if (kind == 'h')
		buf_printf(out, " %llu", (unsigned long long)node->file_number);
	if (kind != 'w' && kind != 'h') {
		put_attributes(out, node);
		buf_printf(out, " %llu", (unsigned long long)node->inode);
	}
	if (kind == 'f' && node->data)
		buf_printf(out, " %llu -", (unsigned long long)node->data);
	else if (kind == 'f')
		buf_str(out, " -");
	if (kind == 'l') {
		if (node->target)
			put_word(out, node->target);
		else
			buf_str(out, " -");
	}
	if (kind == 'd' || kind == 'l' || (kind == 'f' && !node->data))
		put_below(out, node->lower);
	buf_byte(out, '\n');
	if (kind == 'd')
		return keep(&saving->folders, &saving->folder_count, &saving->folder_cap, node) ? 0 : -ENOMEM;
	if (node && !again) {
		node->saved = saving->changes->generation;
		node->file_number = saving->file_count++;
	}
	return 0;
}

static i64 save_tree(Saving *saving, TreeNode *root)
{
	i64 error = keep(&saving->folders, &saving->folder_count, &saving->folder_cap, root) ? 0 : -ENOMEM;

	buf_str(&saving->out, "husk-changes 1\nr");
	put_attributes(&saving->out, root);
	buf_byte(&saving->out, '\n');
	for (u64 i = 0; i < saving->folder_count && !error; i++) {
		const TreeFolder *dir = &saving->folders[i]->dir;

		for (u32 j = 0; j < dir->bucket_count && !error; j++) {
			for (const TreeEntry *entry = dir->buckets[j]; entry && !error; entry = entry->next) {
				if (entry->covers)
					error = save_entry(saving, i, entry);
			}
		}
		for (u32 j = 0; j < dir->order_count && !error; j++) {
			if (dir->order[j].entry && dir->order[j].entry->node)
				error = save_entry(saving, i, dir->order[j].entry);
		}
	}
	buf_str(&saving->out, "end\n");
	return error ? error : saving->out.failed ? -ENOMEM : 0;
}

static i64 write_index(TreeChanges *changes, Machine *machine, const Buf *text)
{
	size_t at = 0;
	int fd;

	if (!machine_disk_take(machine, text->len, 0))
		return -ENOSPC;
	unlinkat(changes->fd, INDEX_NEW, 0);
	fd = openat(changes->fd, INDEX_NEW, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (at < text->len) {
		ssize_t put = write(fd, text->data + at, text->len - at);

		if (put <= 0) {
			close(fd);
			return put && errno != EINTR ? -errno : -EIO;
		}
		at += (size_t)put;
	}
	fsync(fd);
	close(fd);
	return renameat(changes->fd, INDEX_NEW, changes->fd, INDEX) ? -errno : 0;
}

static int by_number(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Contents that the index does not name. */
static void remove_unused(TreeChanges *changes, const Saving *saving)
{
	int fd = openat(changes->data_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	u64 *used = NULL;
	u32 count = 0, cap = 0;
	bool known = stream != NULL;

	for (u64 i = 0; i < saving->folder_count && known; i++) {
		const TreeFolder *dir = &saving->folders[i]->dir;

		for (u32 j = 0; j < dir->bucket_count && known; j++) {
			for (const TreeEntry *entry = dir->buckets[j]; entry && known; entry = entry->next) {
				if (!entry->node || entry->node->node.type != LX_S_IFREG || !entry->node->data)
					continue;
				known = array_grow((void **)&used, &cap, count, sizeof(*used));
				if (known)
					used[count++] = entry->node->data;
			}
		}
	}
	if (count)
		qsort(used, count, sizeof(*used), by_number);
	for (struct dirent *entry; known && (entry = readdir(stream));) {
		char *end;
		u64 number = strtoull(entry->d_name, &end, 10);

		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && !*end &&
		    !(count && bsearch(&number, used, count, sizeof(*used), by_number)))
			unlinkat(changes->data_fd, entry->d_name, 0);
	}
	free(used);
	if (stream)
		closedir(stream);
	else if (fd >= 0)
		close(fd);
}

i64 changes_save(TreeFs *fs)
{
	Saving saving = {.changes = fs->changes};
	i64 error;

	if (!fs->changes || !fs->root)
		return 0;
	fs->changes->generation++;
	buf_init(&saving.out);
	error = save_tree(&saving, fs->root);
	if (!error)
		error = write_index(fs->changes, fs->fs.kernel->machine, &saving.out);
	if (!error)
		remove_unused(fs->changes, &saving);
	buf_fini(&saving.out);
	free(saving.folders);
	return error;
}

void changes_free(TreeFs *fs)
{
	TreeChanges *changes = fs->changes;

	if (!changes)
		return;
	vfs_node_put(changes->data);
	if (changes->data_fd >= 0)
		close(changes->data_fd);
	if (changes->fd >= 0)
		close(changes->fd);
	free(changes);
	fs->changes = NULL;
}

/* ---- Reading ---- */

typedef struct Loading {
	TreeFs *fs;
	char *at;            /* the rest of the line */
	TreeNode **folders, **files; /* owned arrays of borrowed nodes */
	u32 folder_count, folder_cap, file_count, file_cap;
	bool bad;
} Loading;

/* The next word of the line, unescaped in place. */
static char *get_word(Loading *loading)
{
	char *word = loading->at, *to = word, *from = word;

	if (!*from || *from == ' ') {
		loading->bad = true;
		return word;
	}
	for (; *from && *from != ' '; from++) {
		if (*from != '\\') {
			*to++ = *from;
			continue;
		}
		if (from[1] < '0' || from[1] > '3' || from[2] < '0' || from[2] > '7' || from[3] < '0' || from[3] > '7') {
			loading->bad = true;
			return word;
		}
		*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
		from += 3;
	}
	loading->at = *from ? from + 1 : from;
	*to = 0;
	return word;
}

static u64 get_number(Loading *loading, int base)
{
	const char *word = get_word(loading);
	char *end;
	u64 value = strtoull(word, &end, base);

	if (*end || *word < '0' || *word > '9')
		loading->bad = true;
	return value;
}

VfsNode *tree_find_below(VfsNode *top, char *path)
{
	VfsNode *node = top ? vfs_node_get(top) : NULL;
	char *save = NULL;

	for (char *name = strtok_r(path, "/", &save); name && node; name = strtok_r(NULL, "/", &save)) {
		VfsNode *next = NULL;

		if (strlen(name) <= NAME_LIMIT && strcmp(name, ".") && strcmp(name, "..") && node->type == LX_S_IFDIR)
			node->ops->lookup(node, name, NULL, &next);
		vfs_node_put(node);
		node = next;
	}
	return node;
}

static void get_attributes(Loading *loading, TreeNode *node)
{
	node->mode = node->node.type | (u32)(get_number(loading, 8) & 07777);
	node->user = (u32)get_number(loading, 10);
	node->group = (u32)get_number(loading, 10);
	node->atime = get_number(loading, 10);
	node->mtime = get_number(loading, 10);
	node->ctime = get_number(loading, 10);
	node->btime = get_number(loading, 10);
}

/* What gives a node its content. False: what the index names is gone. */
static bool get_content(Loading *loading, TreeNode *node, char kind)
{
	VfsNode *lower = loading->fs->root->lower, *found;
	char *word;

	if (kind == 'f') {
		word = get_word(loading);
		if (strcmp(word, "-")) {
			node->data = strtoull(word, NULL, 10);
			if (node->data >= loading->fs->changes->next_data)
				loading->fs->changes->next_data = node->data + 1;
			node->lower = tree_find_below(loading->fs->changes->data, word);
			node->has_content = false;
			get_word(loading);
			return node->lower && node->lower->type == LX_S_IFREG;
		}
	} else if (kind == 'l') {
		word = get_word(loading);
		if (strcmp(word, "-") && !(node->target = strdup(word)))
			return false;
	}
	word = get_word(loading);
	if (!strcmp(word, "-"))
		return kind == 'd' || (kind == 'l' && node->target);
	found = tree_find_below(lower, word);
	if (!found || found->type != node->node.type) {
		vfs_node_put(found);
		return kind == 'd'; /* nothing is below it any more */
	}
	node->lower = found;
	node->has_content = false;
	return true;
}

static bool load_name(TreeNode *dir, const char *name, TreeNode *node)
{
	TreeEntry *entry = tree_entry(dir, name);

	if (!entry || entry->node)
		return false;
	entry->node = node; /* its reference */
	if (node && tree_is_folder(node))
		dir->links++;
	if (!node && !entry->covers) /* what it hid is gone */
		tree_entry_vacate(dir, entry);
	return true;
}

static bool load_line(Loading *loading)
{
	static const char kinds[] = "d f l p s";
	static const u32 types[] = {LX_S_IFDIR, 0, LX_S_IFREG, 0, LX_S_IFLNK, 0, LX_S_IFIFO, 0, LX_S_IFSOCK};
	const char *kind = get_word(loading), *name, *found = strchr(kinds, kind[0]);
	u64 folder = get_number(loading, 10), number;
	VfsNew what = {0};
	TreeNode *node;

	name = get_word(loading);
	if (loading->bad || kind[1] || folder >= loading->folder_count || strlen(name) > NAME_LIMIT || strchr(name, '/') ||
	    !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	if (*kind == 'w')
		return load_name(loading->folders[folder], name, NULL);
	if (*kind == 'h') {
		number = get_number(loading, 10);
		if (loading->bad || number >= loading->file_count)
			return false;
		node = loading->files[number];
		vfs_node_get(&node->node);
		node->links++;
		if (load_name(loading->folders[folder], name, node))
			return true;
		vfs_node_put(&node->node);
		return false;
	}
	if (!found || *found == ' ')
		return false;
	what.mode = types[found - kinds];
	node = tree_new(loading->fs, &what);
	if (!node)
		return false;
	get_attributes(loading, node);
	node->inode = get_number(loading, 10);
	if (node->inode < (u64)1 << 48 && node->inode >= loading->fs->next_inode)
		loading->fs->next_inode = node->inode + 1;
	if (strchr("dfl", *kind) && !get_content(loading, node, *kind))
		loading->bad = true;
	if (!loading->bad && (tree_is_folder(node)
			      ? keep(&loading->folders, &loading->folder_count, &loading->folder_cap, node)
			      : keep(&loading->files, &loading->file_count, &loading->file_cap, node)) &&
	    load_name(loading->folders[folder], name, node))
		return true;
	vfs_node_put(&node->node);
	return false;
}

static i64 load_index(TreeFs *fs, char *text)
{
	Loading loading = {.fs = fs};
	bool good = !strncmp(text, "husk-changes 1\nr ", 17), end = false;
	char *line = text + 15;

	if (good && !keep(&loading.folders, &loading.folder_count, &loading.folder_cap, fs->root))
		return -ENOMEM;
	for (char *next; good && !end && *line; line = next) {
		next = strchrnul(line, '\n');
		if (*next)
			*next++ = 0;
		loading.at = line;
		if (!strcmp(line, "end")) {
			end = true;
		} else if (line == text + 15) {
			get_word(&loading);
			get_attributes(&loading, fs->root);
			good = !loading.bad;
		} else {
			good = load_line(&loading);
		}
	}
	free(loading.folders);
	free(loading.files);
	return good && end ? 0 : -EINVAL;
}

static i64 read_index(TreeChanges *changes, char **text)
{
	int fd = openat(changes->fd, INDEX, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	Buf out;
	i64 error = 0;

	*text = NULL;
	if (fd < 0)
		return -errno;
	buf_init(&out);
	while (!error) {
		ssize_t got;

		if (!buf_reserve(&out, CHUNK)) {
			error = -ENOMEM;
			break;
		}
		got = read(fd, out.data + out.len, CHUNK);
		if (got <= 0) {
			error = got ? -errno : 0;
			break;
		}
		out.len += (size_t)got;
		out.data[out.len] = 0;
	}
	close(fd);
	if (error || !out.data) {
		buf_fini(&out);
		return error ? error : -EINVAL;
	}
	*text = (char *)out.data;
	return 0;
}

/* A folder without an index must be empty. */
static bool is_empty(int at)
{
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	bool empty = stream != NULL;

	for (struct dirent *entry; empty && (entry = readdir(stream));)
		empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || !strcmp(entry->d_name, INDEX_NEW) ||
			!strcmp(entry->d_name, "data");
	if (stream)
		closedir(stream);
	else if (fd >= 0)
		close(fd);
	return empty;
}

i64 vfs_tree_changes(VfsNode *root, const char *folder)
{
	TreeFs *fs = tree_fs(tree_node(root));
	TreeChanges *changes = calloc(1, sizeof(*changes));
	VfsNode *top = NULL;
	char *text = NULL;
	i64 error;

	if (!changes)
		return -ENOMEM;
	fs->changes = changes;
	changes->next_data = 1;
	changes->data_fd = -1;
	changes->fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (changes->fd < 0 && errno == ENOENT && !mkdir(folder, 0700))
		changes->fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (changes->fd < 0)
		return -errno;
	if (flock(changes->fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	error = read_index(changes, &text);
	if (error == -ENOENT)
		error = is_empty(changes->fd) ? 0 : -EINVAL;
	if (!error && mkdirat(changes->fd, "data", 0700) && errno != EEXIST)
		error = -errno;
	if (!error)
		changes->data_fd = openat(changes->fd, "data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (!error && changes->data_fd < 0)
		error = -errno;
	if (!error)
		error = vfs_host_create(fs->fs.kernel, folder, true, &top);
	if (!error)
		error = top->ops->lookup(top, "data", NULL, &changes->data);
	vfs_node_put(top);
	if (!error && text)
		error = load_index(fs, text);
	free(text);
	return error;
}
