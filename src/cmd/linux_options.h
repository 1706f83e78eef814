/* SPDX-License-Identifier: MIT
 *
 * What a Linux program is given: the options of husk run, debug and others that say it, and how they become a
 * LinuxConfig.
 *
 *     husk run [OPTION]... PROGRAM ARG...
 *                          |       `-- all of it is the program's, also what looks like an option
 *                          `-- a path of this computer, or of the guest when -L or --root give it a file system
 *
 * PROGRAM, when there is a root: an absolute path is one in the guest if there is such a file; a word without '/' is
 * looked for in the guest's PATH, unless it is a file here; anything else is a file here. A file here that lies in
 * the root, or in a folder given with --dir, is called by its path in the guest.
 *
 * Nothing is given that was not asked for: no folder, no network, no variable of the environment (but those a program
 * needs to find its feet: PATH, HOME, LANG, TERM).
 */
#ifndef CMD_LINUX_OPTIONS_H
#define CMD_LINUX_OPTIONS_H

#include "base/arena.h"
#include "cmd/load.h"
#include "linux/linux.h"

typedef struct LinuxOptions {
	const char *sysroot, *root, *directory, *user, *host_name;
	OptList folders, environment, limits;
	bool host_environment;
	const char *net; /* "", "loopback", "outside", perhaps ",resets"; NULL: none */
} LinuxOptions;

#define LINUX_ROWS(Type, member)                                                                                 \
	{"sysroot", 'L', OPT_TEXT, offsetof(Type, member.sysroot), "DIR",                                        \
	 "Linux programs: the folder is their /, read-only"},                                                    \
	{"root", 0, OPT_TEXT, offsetof(Type, member.root), "DIR[:CHANGES]",                                      \
	 "the same, and they may change it: the changes are kept in\nmemory, or in the folder CHANGES"},         \
	{"dir", 0, OPT_LIST, offsetof(Type, member.folders), "DIR[::PATH][:ro]",                                 \
	 "they see this folder, as PATH (or under its own name);\nro: and may not write there. Other machines: files there"}, \
	{"env", 0, OPT_LIST, offsetof(Type, member.environment), "NAME[=VALUE]",                                 \
	 "a variable of their environment; without =VALUE: yours"},                                              \
	{"env-host", 0, OPT_FLAG, offsetof(Type, member.host_environment), NULL, "all variables of yours"},      \
	{"cwd", 0, OPT_TEXT, offsetof(Type, member.directory), "PATH", "where they start (default /, or your folder if they see it)"}, \
	{"net", 0, OPT_MAYBE, offsetof(Type, member.net), "loopback|outside[,resets]",                           \
	 "they may use the network; loopback: this computer's own only;\nresets: snapshots may have connections, as ones that are lost"},        \
	{"limit", 0, OPT_LIST, offsetof(Type, member.limits), "NAME=N",                                          \
	 "processes, files (open, of a process), open (of all),\nstorage, output, disk (to your folders; all machines; bytes)"},                    \
	{"user", 0, OPT_TEXT, offsetof(Type, member.user), "UID[:GID]", "who they are (default: you)"},          \
	{"hostname", 0, OPT_TEXT, offsetof(Type, member.host_name), "NAME", "the name of their computer (default husk)"}

/* --dir for machines that run no Linux programs: into loaded->folders. To be called before the machine is made. */
int linux_options_folders(const LinuxOptions *options, Loaded *loaded);
/* Were any of them given that only a Linux program can use? */
bool linux_options_given(const LinuxOptions *options);
/* Is this operand a program whose arguments follow? An ELF file, or anything when there is a root. */
bool linux_options_is_program(const LinuxOptions *options, const char *operand);
/* All but the program. Texts live in loaded's arena; wrong values are told in loaded->error. 0 or the exit code. */
int linux_options_config(const LinuxOptions *options, Loaded *loaded, LinuxConfig *config);
/* In place of load_files: finds the program, reads it, and says in `config` how it is called and with what.
 * `arguments`: those behind its name. */
int linux_options_program(const char *name, const char *const *arguments, u32 count, Loaded *loaded, LinuxConfig *config);
/* Both, and the machine with the program in it: in place of load_all. What `config` has already (a terminal, a trace)
 * stays. */
int linux_options_load(const LinuxOptions *options, const Command *command, LoadOptions *how, Loaded *loaded,
		       LinuxConfig *config);
/* For what is no program of Linux by itself, in place of load_all: texts that are assembled, and machines without Linux, which are given
 * --dir. Others of these options, and arguments, are an error there. */
int linux_options_load_files(const LinuxOptions *options, const char *const *names, u32 count, const char *const *arguments,
			     u32 argument_count, LoadOptions *how, Loaded *loaded, LinuxConfig *config);
/* ns since 1970: now, or a fixed time for runs that are to be the same. */
u64 linux_options_time(bool fixed);

#endif
