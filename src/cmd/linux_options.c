/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cmd/linux_options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd/file.h"
#include "cmd/say.h"
#include "guests/guests.h"
#include "hyper/folders.h"
#include "linux/elf.h"

extern char **environ;

static int failed(Loaded *loaded, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int failed(Loaded *loaded, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(&loaded->error, format, args);
	va_end(args);
	return code;
}

/* "disk" is there for all machines that may be given folders. */
static bool is_disk(const char *limit)
{
	return !strncmp(limit, "disk=", 5);
}

static bool has_limits_of_linux(const LinuxOptions *options)
{
	for (u32 i = 0; i < options->limits.count; i++)
		if (!is_disk(options->limits.items[i]))
			return true;
	return false;
}

bool linux_options_given(const LinuxOptions *options)
{
	return options->sysroot || options->root || options->directory || options->user || options->host_name ||
	       options->environment.count || has_limits_of_linux(options) ||
	       options->host_environment || options->net;
}

/* The first bytes of a file; how many. */
static size_t read_head(const char *name, u8 *head, size_t size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t got = fd >= 0 ? read(fd, head, size) : 0;

	if (fd >= 0)
		close(fd);
	return got > 0 ? (size_t)got : 0;
}

/* A snapshot of a machine that runs Linux programs, as far as its first bytes tell. */
static bool is_snapshot(const char *name)
{
	u8 head[64];
	ByteReader reader = {.data = head, .len = read_head(name, head, sizeof head)};
	const u8 *magic = reader_bytes(&reader, 8), *text;
	char guest[32] = "";
	u16 len;

	reader_bytes(&reader, 12); /* version, length */
	len = reader_u16(&reader);
	text = len < sizeof guest ? reader_bytes(&reader, len) : NULL;
	if (!text || memcmp(magic, MACHINE_SNAPSHOT_MAGIC, 8) != 0)
		return false;
	memcpy(guest, text, len);
	return guests_find(guest) && guests_find(guest)->is_linux;
}

bool linux_options_is_program(const LinuxOptions *options, const char *operand)
{
	u8 head[4];

	return options->sysroot || options->root || is_snapshot(operand) ||
	       (read_head(operand, head, sizeof head) == sizeof head && memcmp(head, "\177ELF", 4) == 0);
}

static bool is_folder(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* ---- The file system ---- */

static int set_root(const LinuxOptions *options, Loaded *loaded, LinuxConfig *config)
{
	const char *colon;

	if (options->sysroot && options->root)
		return failed(loaded, EXIT_HUSK, "-L and --root are two ways to give one root: choose one");
	config->root = options->sysroot ? options->sysroot : options->root;
	config->root_writable = options->root != NULL;
	if (!config->root)
		return 0;
	colon = options->root ? strrchr(options->root, ':') : NULL;
	if (colon && !is_folder(options->root)) {
		config->root = arena_strndup(&loaded->arena, options->root, (size_t)(colon - options->root));
		config->root_changes = colon + 1;
		if (!is_folder(config->root_changes))
			return failed(loaded, EXIT_NOT_FOUND, "--root %s: no folder %s for the changes", options->root,
				      config->root_changes);
	}
	if (!is_folder(config->root))
		return failed(loaded, EXIT_NOT_FOUND, "%s is no folder", config->root);
	return 0;
}

/* DIR[::PATH][:ro] */
static int set_folder(const char *text, Loaded *loaded, LinuxMount *mount)
{
	char *host = arena_strdup(&loaded->arena, text), *guest;
	size_t len = strlen(text);
	char full[PATH_MAX];

	if (!host)
		return failed(loaded, EXIT_HUSK, "out of memory");
	if (len > 3 && (strcmp(text + len - 3, ":ro") == 0 || strcmp(text + len - 3, ":rw") == 0)) {
		mount->read_only = text[len - 1] == 'o';
		host[len - 3] = '\0';
	}
	guest = strstr(host, "::");
	if (guest) {
		*guest = '\0';
		guest += 2;
	}
	if (!realpath(host, full))
		return failed(loaded, EXIT_NOT_FOUND, "--dir %s: cannot open %s: %s", text, host, strerror(errno));
	mount->host = arena_strdup(&loaded->arena, full);
	mount->guest = guest ? guest : mount->host;
	if (mount->guest[0] != '/')
		return failed(loaded, EXIT_HUSK, "--dir %s: %s is no absolute path", text, mount->guest);
	return mount->host ? 0 : failed(loaded, EXIT_HUSK, "out of memory");
}

static int set_folders(const LinuxOptions *options, Loaded *loaded, LinuxConfig *config)
{
	LinuxMount *mounts = ARENA_ARRAY(&loaded->arena, LinuxMount, options->folders.count + 1);
	int code = 0;

	if (!mounts)
		return failed(loaded, EXIT_HUSK, "out of memory");
	for (u32 i = 0; i < options->folders.count && !code; i++)
		code = set_folder(options->folders.items[i], loaded, &mounts[i]);
	config->mounts = mounts;
	config->mount_count = options->folders.count;
	return code;
}

/* The path that this file of the host has in the guest, or NULL. */
static const char *path_in_guest(Loaded *loaded, const LinuxConfig *config, const char *host)
{
	char file[PATH_MAX], root[PATH_MAX];
	size_t len;

	if (!realpath(host, file))
		return NULL;
	for (u32 i = config->mount_count; i-- > 0;) {
		const LinuxMount *mount = &config->mounts[i];

		len = strlen(mount->host);
		if (strcmp(mount->host, "/") == 0)
			len = 0;
		if (strncmp(file, mount->host, len) == 0 && (file[len] == '/' || !file[len]))
			return arena_printf(&loaded->arena, "%s%s", strcmp(mount->guest, "/") == 0 ? "" : mount->guest,
					    file[len] ? file + len : "");
	}
	if (!config->root || !realpath(config->root, root))
		return NULL;
	len = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(file, root, len) != 0 || file[len] != '/')
		return NULL;
	/* Called by the name it was called by, not by what that is a link to: busybox looks at it. */
	if (realpath(config->root, root) && strncmp(host, config->root, strlen(config->root)) == 0 &&
	    host[strlen(config->root)] == '/' && !strstr(host, "/../"))
		return arena_strdup(&loaded->arena, host + strlen(config->root));
	return arena_strdup(&loaded->arena, file + len);
}

/* ---- The environment ---- */

typedef struct Variables {
	const char **items; /* in the arena */
	u32 count, cap;
} Variables;

/* A variable replaces one of the same name. */
static bool set_variable(Arena *arena, Variables *variables, const char *text)
{
	size_t len = strcspn(text, "=") + 1;

	for (u32 i = 0; i < variables->count; i++) {
		if (strncmp(variables->items[i], text, len) == 0) {
			variables->items[i] = text;
			return true;
		}
	}
	if (!arena_grow(arena, (void **)&variables->items, &variables->cap, variables->count, sizeof(char *)))
		return false;
	variables->items[variables->count++] = text;
	return true;
}

static int set_environment(const LinuxOptions *options, Loaded *loaded, LinuxConfig *config)
{
	static const char *const usual[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/",
					    "LANG=C.UTF-8"};
	const char *terminal = getenv("TERM");
	Arena *arena = &loaded->arena;
	Variables variables = {0};
	bool good = true;

	for (size_t i = 0; i < COUNT_OF(usual); i++)
		good = good && set_variable(arena, &variables, usual[i]);
	if (terminal && isatty(STDOUT_FILENO))
		good = good && set_variable(arena, &variables, arena_printf(arena, "TERM=%s", terminal));
	for (char **host = environ; options->host_environment && *host; host++)
		if (strchr(*host, '='))
			good = good && set_variable(arena, &variables, *host);
	for (u32 i = 0; i < options->environment.count; i++) {
		const char *text = options->environment.items[i], *value;

		if (!*text || *text == '=')
			return failed(loaded, EXIT_HUSK, "--env %s: write NAME=VALUE, or NAME for the value it has here", text);
		if (!strchr(text, '=')) {
			value = getenv(text);
			if (!value)
				continue;
			text = arena_printf(arena, "%s=%s", text, value);
		}
		good = good && text && set_variable(arena, &variables, text);
	}
	config->environment = variables.items;
	config->environment_count = variables.count;
	return good ? 0 : failed(loaded, EXIT_HUSK, "out of memory");
}

/* ---- Who and how much ---- */

static int set_user(const LinuxOptions *options, Loaded *loaded, LinuxConfig *config)
{
	const char *text = options->user;
	char *end;

	config->user = geteuid();
	config->group = getegid();
	if (!text)
		return 0;
	config->user = (u32)strtoul(text, &end, 10);
	if (end != text && *end == '\0')
		config->group = config->user;
	else if (end != text && *end == ':' && end[1])
		config->group = (u32)strtoul(end + 1, &end, 10);
	if (end == text || *end)
		return failed(loaded, EXIT_HUSK, "--user %s: write numbers, UID or UID:GID", text);
	return 0;
}

static int set_limit(const char *text, Loaded *loaded, LinuxConfig *config)
{
	const struct {
		const char *name;
		unsigned kilo;
		u64 *place;
	} limits[] = {
		{"processes", 1000, &config->process_limit}, {"files", 1000, &config->file_limit},
		{"open", 1000, &config->open_limit},         {"storage", 1024, &config->storage_limit},
		{"output", 1024, &config->output_limit},     {"disk", 1024, &loaded->disk_limit},
	};
	size_t len = strcspn(text, "=");

	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		if (strlen(limits[i].name) != len || memcmp(limits[i].name, text, len) != 0)
			continue;
		if (!text[len] || !opt_number(text + len + 1, limits[i].kilo, limits[i].place) || !*limits[i].place)
			return failed(loaded, EXIT_HUSK, "--limit %s: not a number greater than 0", text);
		return 0;
	}
	return failed(loaded, EXIT_HUSK, "--limit %s: there are processes, files, open, storage, disk, output", text);
}

int linux_options_folders(const LinuxOptions *options, Loaded *loaded)
{
	HostFolder *folders = ARENA_ARRAY(&loaded->arena, HostFolder, options->folders.count + 1);
	int code = folders ? 0 : failed(loaded, EXIT_HUSK, "out of memory");
	LinuxConfig other; /* the limits that are not asked for here */
	LinuxMount mount;

	for (u32 i = 0; i < options->limits.count && !code; i++)
		if (is_disk(options->limits.items[i]))
			code = set_limit(options->limits.items[i], loaded, &other);
	for (u32 i = 0; i < options->folders.count && !code; i++) {
		mount = (LinuxMount){.read_only = false};
		code = set_folder(options->folders.items[i], loaded, &mount);
		folders[i] = (HostFolder){.host = mount.host, .guest = mount.guest, .read_only = mount.read_only};
	}
	if (code || !options->folders.count || !folders_open(folders, options->folders.count, &loaded->folders, &loaded->error))
		return code;
	return EXIT_NOT_FOUND;
}

/* "loopback", "outside", "" and "resets", with commas between; NULL: no network. False: another word. */
static bool set_net(const char *text, LinuxConfig *config)
{
	config->net = text != NULL;
	while (text && *text) {
		size_t len = strcspn(text, ",");

		if (len == 8 && !strncmp(text, "loopback", len))
			config->net_loopback = true;
		else if (len == 6 && !strncmp(text, "resets", len))
			config->net_resets = true;
		else if (len != 7 || strncmp(text, "outside", len) != 0)
			return false;
		text += len + (text[len] == ',');
	}
	return true;
}

int linux_options_config(const LinuxOptions *options, Loaded *loaded, LinuxConfig *config)
{
	char here[PATH_MAX];
	int code = set_root(options, loaded, config);

	if (!code)
		code = set_folders(options, loaded, config);
	if (!code)
		code = set_environment(options, loaded, config);
	if (!code)
		code = set_user(options, loaded, config);
	for (u32 i = 0; i < options->limits.count && !code; i++)
		code = set_limit(options->limits.items[i], loaded, config);
	if (!code && !set_net(options->net, config))
		return failed(loaded, EXIT_HUSK, "--net=%s: it is loopback or outside (what --net alone means), and perhaps ,resets",
			      options->net);
	config->host_name = options->host_name;
	config->directory = options->directory;
	if (!code && !config->directory && config->mount_count && getcwd(here, sizeof here))
		config->directory = path_in_guest(loaded, config, here);
	if (config->directory && config->directory[0] != '/' && !code)
		return failed(loaded, EXIT_HUSK, "--cwd %s: no absolute path", config->directory);
	return code;
}

/* ---- The program ---- */

/* What the guest has at this path, opened; -1. Symbolic links are followed within the folder. */
static int open_in_guest(const LinuxConfig *config, const char *path)
{
	const char *folders[] = {config->root_changes, config->root};

	for (u32 i = config->mount_count; i-- > 0;) {
		const LinuxMount *mount = &config->mounts[i];
		size_t len = strcmp(mount->guest, "/") == 0 ? 0 : strlen(mount->guest);

		if (strncmp(path, mount->guest, len) == 0 && path[len] == '/')
			return file_open_beneath(mount->host, path + len);
	}
	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		int fd = folders[i] ? file_open_beneath(folders[i], path) : -1;

		if (fd >= 0)
			return fd;
	}
	return -1;
}

static bool read_in_guest(Loaded *loaded, const LinuxConfig *config, const char *path, LoadedFile *file)
{
	int fd = open_in_guest(config, path);

	return fd >= 0 && load_file_open(file, fd, path, &loaded->error) == 0;
}

/* Looks for a word in the guest's PATH. */
static const char *find_in_path(Loaded *loaded, const LinuxConfig *config, const char *name)
{
	const char *list = "";

	for (u32 i = 0; i < config->environment_count; i++)
		if (strncmp(config->environment[i], "PATH=", 5) == 0)
			list = config->environment[i] + 5;
	while (*list) {
		size_t len = strcspn(list, ":");
		const char *path = arena_printf(&loaded->arena, "%.*s/%s", (int)len, list, name);
		int fd = path ? open_in_guest(config, path) : -1;

		if (fd >= 0) {
			close(fd);
			return path;
		}
		list += len + (list[len] == ':');
	}
	return NULL;
}

/* The dynamic linker that it needs, or NULL; whoever loads it says what else is wrong with it. */
static const char *interpreter_of(LoadedFile *file, Arena *arena)
{
	ElfProgram *program = ARENA_NEW(arena, ElfProgram);
	const ElfSource source = {.name = file->name, .size = file->data.len, .ctx = file, .read = load_file_read};
	ElfWanted wanted = {.limit = ~(u64)0xFFFF};

	if (!program || file->data.len < ELF_HEADER || !load_is_for_linux(file))
		return NULL;
	memcpy(&wanted.machine, file->data.data + 18, sizeof wanted.machine);
	return elf_read(&source, &wanted, program, NULL) == 0 && program->interpreter[0] ? program->interpreter : NULL;
}

/* A program that needs a dynamic linker must find it: says where one is, as whoever loads it can't know. */
static int check_interpreter(LoadedFile *file, Loaded *loaded, const LinuxConfig *config)
{
	static const char *const usual[] = {"/usr/riscv64-linux-gnu"};
	const char *interpreter = interpreter_of(file, &loaded->arena);
	int fd = interpreter ? open_in_guest(config, interpreter) : -1;

	if (fd >= 0)
		close(fd);
	if (!interpreter || fd >= 0)
		return 0;
	failed(loaded, 0, "%s needs %s, which is not there", file->name, interpreter);
	if (config->root) {
		buf_printf(&loaded->hint, "%s has none: give the folder that has it", config->root);
		return EXIT_NOT_RUNNABLE;
	}
	buf_str(&loaded->hint, "give the folder that has it with -L");
	for (size_t i = 0; i < COUNT_OF(usual); i++) {
		fd = file_open_beneath(usual[i], interpreter);
		if (fd < 0)
			continue;
		close(fd);
		buf_printf(&loaded->hint, ", for instance -L %s", usual[i]);
		return EXIT_NOT_RUNNABLE;
	}
	buf_str(&loaded->hint, " (tools/debian-rv64 makes one), or link the program with -static");
	return EXIT_NOT_RUNNABLE;
}

/* Finds it: its path in the guest, or NULL when it is a file of the host that the guest does not see. */
static const char *find_program(const char *name, Loaded *loaded, const LinuxConfig *config, LoadedFile *file)
{
	const char *found;

	if (name[0] == '/' && read_in_guest(loaded, config, name, file))
		return name;
	if (!strchr(name, '/') && access(name, R_OK) != 0) {
		found = find_in_path(loaded, config, name);
		if (found && read_in_guest(loaded, config, found, file))
			return found;
	}
	found = path_in_guest(loaded, config, name);
	/* bin/ls: where the program starts, that is a file too. */
	if (!found && name[0] != '/' && strchr(name, '/') && access(name, F_OK) != 0)
		found = arena_printf(&loaded->arena, "%s/%s",
				     config->directory && strcmp(config->directory, "/") != 0 ? config->directory : "", name);
	return found && read_in_guest(loaded, config, found, file) ? found : NULL;
}

/* The current folder, if this file lies in it: then a program finds itself under the name it was called by. */
static const char *here_if_above(Arena *arena, const char *file)
{
	char here[PATH_MAX];
	size_t len;

	if (!getcwd(here, sizeof here))
		return NULL;
	len = strlen(here);
	return strncmp(file, here, len) == 0 && file[len] == '/' ? arena_strdup(arena, here) : NULL;
}

/* What lies in the guest where it lies on the host: its path, and the folder where it starts. */
static void set_place(const char *name, Loaded *loaded, LinuxConfig *config)
{
	char full[PATH_MAX];

	if (!realpath(name, full))
		return;
	config->program = arena_strdup(&loaded->arena, full);
	if (config->program && !config->directory && !config->root)
		config->directory = here_if_above(&loaded->arena, full);
}

/* argv: what it was called by, and what stands behind it. */
static int set_arguments(const char *name, const char *const *arguments, u32 count, Loaded *loaded, LinuxConfig *config)
{
	const char **all = ARENA_ARRAY(&loaded->arena, const char *, count + 2);

	if (!all)
		return failed(loaded, EXIT_HUSK, "out of memory");
	if (count && strcmp(arguments[0], "--") == 0) {
		arguments++;
		count--;
	}
	all[0] = name;
	for (u32 i = 0; i < count; i++)
		all[i + 1] = arguments[i];
	config->arguments = all;
	config->argument_count = count + 1;
	return 0;
}

static int read_on_host(const char *name, LoadedFile *file, Loaded *loaded)
{
	int fd, code;

	if (strcmp(name, "-") == 0)
		return file_read(name, FILE_LIMIT, &file->data, &loaded->error);
	code = file_open(name, &fd, &loaded->error);
	return code ? code : load_file_open(file, fd, name, &loaded->error);
}

int linux_options_program(const char *name, const char *const *arguments, u32 count, Loaded *loaded, LinuxConfig *config)
{
	LoadedFile *file = ARENA_NEW(&loaded->arena, LoadedFile);
	const char *called = name;
	int code;

	if (!file)
		return failed(loaded, EXIT_HUSK, "out of memory");
	*file = (LoadedFile){.name = name};
	loaded->files = file;
	loaded->file_count = 1;
	buf_init(&file->data);
	config->program = find_program(name, loaded, config, file);
	if (config->program && strchr(name, '/'))
		called = config->program;
	if (!config->program) {
		if (loaded->error.len)
			return EXIT_NOT_RUNNABLE;
		code = read_on_host(name, file, loaded);
		if (code && config->root)
			buf_printf(&loaded->hint, "neither here nor in %s%s", strchr(name, '/') ? "" : "the PATH of ",
				   config->root);
		if (code)
			return code;
		set_place(name, loaded, config);
	}
	if (file->data.len == 0)
		return failed(loaded, EXIT_NOT_RUNNABLE, "%s is empty", name);
	code = set_arguments(called, arguments, count, loaded, config);
	return code ? code : check_interpreter(file, loaded, config);
}

int linux_options_load(const LinuxOptions *options, const Command *command, LoadOptions *how, Loaded *loaded,
		       LinuxConfig *config)
{
	int code = linux_options_config(options, loaded, config);

	if (!code && is_snapshot(command->operands[0]))
		code = command->rest_count ? failed(loaded, EXIT_HUSK, "a snapshot goes on with the arguments that it was given")
					   : load_files(loaded, command->operands, command->operand_count);
	else if (!code)
		code = linux_options_program(command->operands[0], command->rest, command->rest_count, loaded, config);
	how->system = config;
	if (!code)
		code = load_isa(loaded, how);
	loaded->files_stay = true;
	return code ? code : load_machine(loaded, how);
}

int linux_options_load_files(const LinuxOptions *options, const char *const *names, u32 count, const char *const *arguments,
			     u32 argument_count, LoadOptions *how, Loaded *loaded, LinuxConfig *config)
{
	int code = load_files(loaded, names, count);

	if (!code)
		code = load_isa(loaded, how);
	if (!code && loaded->guest && loaded->guest->is_linux) {
		how->system = config;
		code = linux_options_config(options, loaded, config);
		if (!code)
			code = set_arguments(names[0], arguments, argument_count, loaded, config);
		set_place(names[0], loaded, config);
	} else if (!code && argument_count) {
		code = failed(loaded, EXIT_HUSK, "%s takes no arguments", loaded->isa->name);
	} else if (!code && linux_options_given(options)) {
		code = failed(loaded, EXIT_HUSK, "%s runs no Linux programs: -L, --root, --dir, --env ... are for those", loaded->isa->name);
	} else if (!code) {
		code = linux_options_folders(options, loaded);
	}
	if (!code)
		code = load_assemble(loaded, how);
	return code ? code : load_machine(loaded, how);
}

u64 linux_options_time(bool fixed)
{
	enum { THE_YEAR_2020 = 1577836800 };
	struct timespec now;

	if (fixed)
		return THE_YEAR_2020 * (u64)1000000000;
	clock_gettime(CLOCK_REALTIME, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}
