/* SPDX-License-Identifier: MIT
 *
 * execve: what a program finds when it begins, scripts, and everything that cannot be executed.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char self[4096], folder[] = "/tmp/husk-exec-XXXXXX";

/* ---- What a program begins with ---- */

static void vdso(void)
{
	const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
	const ElfW(Ehdr) *header = (const void *)base;
	const ElfW(Phdr) *segment;
	const ElfW(Dyn) *dynamic = NULL;
	const ElfW(Sym) *symbols = NULL;
	const char *texts = NULL;
	int loads = 0, found = 0;

	if (!base || memcmp(base, ELFMAG, SELFMAG)) {
		puts("vdso: none");
		return;
	}
	segment = (const void *)(base + header->e_phoff);
	for (int i = 0; i < header->e_phnum; i++) {
		loads += segment[i].p_type == PT_LOAD;
		if (segment[i].p_type == PT_DYNAMIC)
			dynamic = (const void *)(base + segment[i].p_offset);
	}
	for (; dynamic && dynamic->d_tag; dynamic++) {
		if (dynamic->d_tag == DT_SYMTAB)
			symbols = (const void *)(base + dynamic->d_un.d_ptr);
		if (dynamic->d_tag == DT_STRTAB)
			texts = base + dynamic->d_un.d_ptr;
	}
	for (int i = 1; symbols && texts && i < 2; i++)
		found += texts[symbols[i].st_name] != 0;
	printf("vdso: %d load, symbols %s\n", loads, found ? "with names" : "?");
}

static void begun(int argc, char **argv)
{
	const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
	const ElfW(Phdr) *headers = (const void *)getauxval(AT_PHDR);
	int sum = 0, loads = 0;

	printf("%d:", argc);
	for (int i = 0; i < argc; i++)
		printf(" [%s]", i == 0 && strcmp(argv[0], self) == 0 ? "SELF" : strncmp(argv[i], folder, 9) ? argv[i] : strrchr(argv[i], '/'));
	printf(" null %d\n", argv[argc] == NULL);
	for (char **at = environ; *at; at++)
		if (strlen(*at) < 100)
			printf("env %s\n", *at);
	for (int i = 0; i < 16; i++)
		sum += random[i];
	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
		loads += headers[i].p_type == PT_LOAD;
	printf("page %lu, clock %lu, headers of %lu: %s, random %s, secure %lu, base %lu, flags %lu\n", getauxval(AT_PAGESZ),
	       getauxval(AT_CLKTCK), getauxval(AT_PHENT), loads ? "load" : "?", sum ? "yes" : "no", getauxval(AT_SECURE),
	       getauxval(AT_BASE), getauxval(AT_FLAGS));
	printf("ids %d, entry %s, random bytes %s argv\n",
	       getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid() && getauxval(AT_GID) == getgid(),
	       getauxval(AT_ENTRY) > 0x10000 ? "somewhere" : "?", (void *)random > (void *)argv ? "above" : "below");
	printf("texts in one row: %s\n", argc && *environ && argv[argc - 1] + strlen(argv[argc - 1]) + 1 == *environ ? "yes" : "no");
	vdso();
}

/* ---- What is executed ---- */

static void path_of(char *out, const char *name)
{
	sprintf(out, "%s/%s", folder, name);
}

static void make(const char *name, const void *content, size_t len, int mode)
{
	char path[4096];
	int fd;

	path_of(path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	if (fd < 0 || write(fd, content, len) != (ssize_t)len || fchmod(fd, (mode_t)mode) || close(fd)) {
		perror(path);
		exit(1);
	}
}

static void script(const char *name, const char *first)
{
	char text[4096];
	size_t len = (size_t)snprintf(text, sizeof text, "#!%s", first);

	for (char *at; (at = strstr(text, "SELF"));) {
		memmove(at + strlen(self), at + 4, strlen(at + 4) + 1);
		memcpy(at, self, strlen(self));
		len += strlen(self) - 4;
	}
	for (char *at; (at = strstr(text, "HERE"));) {
		memmove(at + strlen(folder), at + 4, strlen(at + 4) + 1);
		memcpy(at, folder, strlen(folder));
		len += strlen(folder) - 4;
	}
	make(name, text, len, 0755);
}

static void try(const char *what, const char *path, char *const *argv, char *const *env)
{
	int status;

	printf("-- %s\n", what);
	fflush(stdout);
	if (fork() == 0) {
		syscall(SYS_execve, path, argv, env);
		printf("%s\n", strerror(errno));
		fflush(stdout);
		_exit(77);
	}
	wait(&status);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		printf("status %s %d\n", WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	fflush(stdout);
}

static void try_name(const char *what, const char *name)
{
	char path[4096], *argv[] = {"zero", "show", "two", NULL}, *env[] = {"A=1", NULL};

	path_of(path, name);
	try(what, path, argv, env);
}

static void sizes(void)
{
	static char *many[100001];
	char *long_text = malloc(200000), *argv[] = {self, "count", long_text, NULL};
	struct rlimit limit = {4 << 20, RLIM_INFINITY};

	memset(long_text, 'x', 200000);
	long_text[131071] = 0;
	try("an argument of 131071 bytes", self, argv, NULL);
	long_text[131071] = 'x';
	long_text[131072] = 0;
	try("an argument of 131072 bytes", self, argv, NULL);
	many[0] = self;
	many[1] = "count";
	for (int i = 2; i < 100000; i++)
		many[i] = "x";
	try("100000 arguments", self, many, NULL);
	setrlimit(RLIMIT_STACK, &limit);
	try("the same with a stack of 4 MiB", self, many, NULL);
	limit.rlim_cur = 8 << 20;
	setrlimit(RLIMIT_STACK, &limit);
	long_text[100000] = 0;
	for (int i = 2; i < 30; i++)
		many[i] = long_text;
	many[30] = NULL;
	try("2.8 MB", self, many, NULL);
	free(long_text);
}

static void what_stays(void)
{
	char *argv[] = {self, "stays", NULL, NULL}, number[16];
	int kept = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);

	sprintf(number, "%d %d", kept, closed);
	argv[2] = number;
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, (void (*)(int))sizes);
	sigblock(sigmask(SIGTERM));
	try("what stays", self, argv, NULL);
	sigsetmask(0);
}

static void stays(const char *numbers)
{
	int kept, closed;
	struct sigaction action;

	sscanf(numbers, "%d %d", &kept, &closed);
	printf("descriptors: %d %d\n", fcntl(kept, F_GETFD), fcntl(closed, F_GETFD));
	sigaction(SIGUSR1, NULL, &action);
	printf("ignored: %d\n", action.sa_handler == SIG_IGN);
	sigaction(SIGUSR2, NULL, &action);
	printf("handled: %s\n", action.sa_handler == SIG_DFL ? "no more" : "still");
	printf("blocked: %d\n", sigblock(0) == sigmask(SIGTERM));
}

static void by_descriptor(void)
{
	char *argv[] = {"by", "show", NULL}, *env[] = {NULL};
	int fd = open(self, O_RDONLY), at = open(folder, O_RDONLY | O_DIRECTORY), status;

	for (int kind = 0; kind < 4; kind++) {
		printf("-- execveat %d\n", kind);
		fflush(stdout);
		if (fork() == 0) {
			syscall(SYS_execveat, kind == 1 ? at : fd, kind == 1 ? "link" : "", argv, env, kind == 2 ? 0 : kind == 3 ? 0x8000 : AT_EMPTY_PATH);
			printf("%s\n", strerror(errno));
			fflush(stdout);
			_exit(77);
		}
		wait(&status);
	}
	close(fd);
	close(at);
}

int main(int argc, char **argv)
{
	char path[4096 + 64], *args[] = {"zero", "show", "two", NULL}, *env[] = {"A=1", "B=", "", NULL};
	static char elf[8192];
	ssize_t got = readlink("/proc/self/exe", self, sizeof self - 1);

	if (got <= 0)
		return 1;
	if (argc > 1 && strcmp(argv[1], "count") == 0)
		return printf("%d, last has %zu\n", argc, strlen(argv[argc - 1])) < 0;
	if (argc > 2 && strcmp(argv[1], "stays") == 0)
		return stays(argv[2]), 0;
	if (argc != 1 || !argv[0][0])
		return begun(argc, argv), 0;
	if (!mkdtemp(folder))
		return 1;
	try("itself", self, args, env);
	try("without environment", self, args, NULL);
	try("without arguments", self, NULL, env);
	try("with pointers to nowhere", self, (char **)8, env);
	try("with a text at nowhere", self, (char *[]){"x", (char *)16, NULL}, env);
	try("path at nowhere", (char *)24, args, env);
	try("empty path", "", args, env);
	script("plain", "SELF\nrest");
	try_name("a script", "plain");
	script("argument", " \t SELF \t one argument  \t\nrest");
	try_name("a script with an argument", "argument");
	script("no-end", "SELF");
	try_name("a script without a line's end", "no-end");
	script("second", "HERE/plain x y\n");
	try_name("a script of a script", "second");
	script("third", "HERE/second\n");
	script("fourth", "HERE/third\n");
	script("fifth", "HERE/fourth\n");
	script("sixth", "HERE/fifth\n");
	try_name("four", "fourth");
	try_name("five", "fifth");
	try_name("six", "sixth");
	script("loop", "HERE/loop\n");
	try_name("a script of itself", "loop");
	script("empty", "\n");
	try_name("a script of nothing", "empty");
	script("blank", "  \t \n");
	try_name("a script of blanks", "blank");
	script("missing", "/no/such/interpreter\n");
	try_name("a script of what is not there", "missing");
	try_name("what is not there", "nothing");
	make("text", "echo hello\n", 11, 0755);
	try_name("a text", "text");
	make("nothing-in-it", "", 0, 0755);
	try_name("an empty file", "nothing-in-it");
	make("private", "#!/bin/sh\n", 10, 0644);
	try_name("not executable", "private");
	try_name("below a file", "text/x");
	try("a folder", folder, args, env);
	got = open(self, O_RDONLY);
	if (read((int)got, elf, sizeof elf) != sizeof elf)
		return 1;
	make("half", elf, 40, 0755);
	try_name("half a header", "half");
	elf[18] = 20;
	make("foreign", elf, sizeof elf, 0755);
	try_name("of another machine", "foreign");
	path_of(path, "link");
	symlink(self, path);
	try_name("through a link", "link");
	by_descriptor();
	sizes();
	what_stays();
	return 0;
}

/* expect 0
 * -- itself
 * 3: [zero] [show] [two] null 1
 * env A=1
 * env B=
 * env 
 * page 4096, clock 100, headers of 56: load, random yes, secure 0, base 0, flags 0
 * ids 1, entry somewhere, random bytes above argv
 * texts in one row: yes
 * vdso: 1 load, symbols with names
 * -- without environment
 * 3: [zero] [show] [two] null 1
 * page 4096, clock 100, headers of 56: load, random yes, secure 0, base 0, flags 0
 * ids 1, entry somewhere, random bytes above argv
 * texts in one row: no
 * vdso: 1 load, symbols with names
 * -- without arguments
 * 1: [] null 1
 * env A=1
 * env B=
 * env 
 * page 4096, clock 100, headers of 56: load, random yes, secure 0, base 0, flags 0
 * ids 1, entry somewhere, random bytes above argv
 * texts in one row: yes
 * vdso: 1 load, symbols with names
 * -- with pointers to nowhere
 * Bad address
 * status exit 77
 * -- with a text at nowhere
 * Bad address
 * status exit 77
 * -- path at nowhere
 * Bad address
 * status exit 77
 * -- empty path
 * No such file or directory
 * status exit 77
 * -- a script
 * 4: [SELF] [/plain] [show] [two] null 1
 * env A=1
 * page 4096, clock 100, headers of 56: load, random yes, secure 0, base 0, flags 0
 * ids 1, entry somewhere, random bytes above argv
 * texts in one row: yes
 * vdso: 1 load, symbols with names
 * -- a script with an argument
 * 5: [SELF] [one argument] [/argument] [show] [two] null 1
 * env A=1
 * page 4096, clock 100, headers of 56: load, random yes, secure 0, base 0, flags 0
 * ids 1, entry somewhere, random bytes above argv
 * texts in one row: yes
 * vdso: 1 load, symbols with names
 * -- a script without a line's end
 * 4: [SELF] [/no-end] [show] [two] null 1
 * env A=1
 * page 4096, clock 100, headers of 56: load, random yes, secure 0, base 0, flags 0
 * ids 1, entry somewhere, random bytes above argv
 * texts in one row: yes
 * vdso: 1 load, symbols with names
 * -- a script of a script
 * 6: [SELF] [/plain] [x y] [/second] [show] [two] null 1
 * env A=1
 * page 4096, clock 100, headers of 56: load, random yes, secure 0, base 0, flags 0
 * ids 1, entry somewhere, random bytes above argv
 * texts in one row: yes
 * vdso: 1 load, symbols with names
 * -- four
 * 8: [SELF] [/plain] [x y] [/second] [/third] [/fourth] [show] [two] null 1
 * env A=1
 * page 4096, clock 100, headers of 56: load, random yes, secure 0, base 0, flags 0
 * ids 1, entry somewhere, random bytes above argv
 * texts in one row: yes
 * vdso: 1 load, symbols with names
 * -- five
 * 9: [SELF] [/plain] [x y] [/second] [/third] [/fourth] [/fifth] [show] [two] null 1
 * env A=1
 * page 4096, clock 100, headers of 56: load, random yes, secure 0, base 0, flags 0
 * ids 1, entry somewhere, random bytes above argv
 * texts in one row: yes
 * vdso: 1 load, symbols with names
 * -- six
 * Too many levels of symbolic links
 * status exit 77
 * -- a script of itself
 * Too many levels of symbolic links
 * status exit 77
 * -- a script of nothing
 * Exec format error
 * status exit 77
 * -- a script of blanks
 * Exec format error
 * status exit 77
 * -- a script of what is not there
 * No such file or directory
 * status exit 77
 * -- what is not there
 * No such file or directory
 * status exit 77
 * -- a text
 * Exec format error
 * status exit 77
 * -- an empty file
 * Exec format error
 * status exit 77
 * -- not executable
 * Permission denied
 * status exit 77
 * -- below a file
 * Not a directory
 * status exit 77
 * -- a folder
 * Permission denied
 * status exit 77
 * -- half a header
 * Exec format error
 * status exit 77
 * -- of another machine
 * Exec format error
 * status exit 77
 * -- through a link
 * 3: [zero] [show] [two] null 1
 * env A=1
 * page 4096, clock 100, headers of 56: load, random yes, secure 0, base 0, flags 0
 * ids 1, entry somewhere, random bytes above argv
 * texts in one row: yes
 * vdso: 1 load, symbols with names
 * -- execveat 0
 * 2: [by] [show] null 1
 * page 4096, clock 100, headers of 56: load, random yes, secure 0, base 0, flags 0
 * ids 1, entry somewhere, random bytes above argv
 * texts in one row: no
 * vdso: 1 load, symbols with names
 * -- execveat 1
 * 2: [by] [show] null 1
 * page 4096, clock 100, headers of 56: load, random yes, secure 0, base 0, flags 0
 * ids 1, entry somewhere, random bytes above argv
 * texts in one row: no
 * vdso: 1 load, symbols with names
 * -- execveat 2
 * No such file or directory
 * -- execveat 3
 * No such file or directory
 * -- an argument of 131071 bytes
 * 3, last has 131071
 * -- an argument of 131072 bytes
 * Argument list too long
 * status exit 77
 * -- 100000 arguments
 * 100000, last has 1
 * -- the same with a stack of 4 MiB
 * 100000, last has 1
 * -- 2.8 MB
 * Argument list too long
 * status exit 77
 * -- what stays
 * descriptors: 0 -1
 * ignored: 1
 * handled: no more
 * blocked: 1
 */
