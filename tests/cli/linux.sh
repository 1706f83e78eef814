#!/bin/bash
# SPDX-License-Identifier: MIT
# husk run with Linux programs: arguments, what they are given, input, output, signals, how they end.
set -eu
source "$TOP/tests/cli/common.bash"

command -v riscv64-linux-gnu-gcc >/dev/null || fail "no riscv64-linux-gnu-gcc (tools/deps test installs it)"
cat >prog.c <<'C'
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
__attribute__((noinline)) static void touch(volatile int *p) { *p = 1; }
static void on_signal(int n) { printf("signal %d\n", n); fflush(stdout); _exit(9); }

static void show(const char *path)
{
	char text[100];
	int fd = open(path, O_RDONLY), n = fd < 0 ? -1 : read(fd, text, sizeof text);

	if (n < 0)
		printf("%s: %s\n", path, strerror(errno));
	else
		printf("%s: %.*s\n", path, n, text);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	char line[100];

	if (!strcmp(what, "args")) {
		for (int i = 0; i < argc; i++)
			printf("[%s]", argv[i]);
		printf("\n");
		return 7;
	}
	if (!strcmp(what, "env"))
		for (char **v = environ; *v; v++)
			puts(*v);
	if (!strcmp(what, "read"))
		for (int i = 2; i < argc; i++)
			show(argv[i]);
	if (!strcmp(what, "write")) {
		int fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);

		printf("%s\n", fd < 0 ? strerror(errno) : write(fd, argv[3], strlen(argv[3])) < 0 ? "not written" : "written");
	}
	if (!strcmp(what, "where")) {
		struct utsname names;

		uname(&names);
		printf("%s %u %u %s %s\n", getcwd(line, sizeof line), getuid(), getgid(), names.nodename, names.machine);
	}
	if (!strcmp(what, "byte") && read(0, line, 1) == 1)
		printf("byte %c\n", line[0]);
	if (!strcmp(what, "lines"))
		while (fgets(line, sizeof line, stdin))
			printf("line %s", line);
	if (!strcmp(what, "fault"))
		touch(NULL);
	if (!strcmp(what, "abort"))
		abort();
	if (!strcmp(what, "kill"))
		kill(getpid(), atoi(argv[2]));
	if (!strcmp(what, "errors")) {
		write(1, "one\n", 4);
		write(2, "two\n", 4);
		write(1, "three\n", 6);
	}
	if (!strcmp(what, "forever"))
		for (;;)
			if (puts("y") < 0)
				return 5;
	if (!strcmp(what, "sleep")) {
		if (argc > 2)
			signal(atoi(argv[2]), on_signal);
		puts("ready");
		fflush(stdout);
		sleep(20);
	}
	if (!strcmp(what, "spin"))
		for (;;)
			;
	if (!strcmp(what, "forks")) {
		int n = 0, pid;

		while ((pid = fork()) > 0)
			n++;
		if (pid == 0) {
			pause();
			return 0;
		}
		printf("%d %s\n", n, strerror(errno));
		fflush(stdout);
		kill(0, SIGKILL);
	}
	if (!strcmp(what, "child")) {
		int status;

		if (fork() == 0)
			_exit(3);
		wait(&status);
		printf("child %d\n", WEXITSTATUS(status));
	}
	if (!strcmp(what, "fds")) {
		int n = 0;

		while (open("/dev/null", O_RDONLY) >= 0)
			n++;
		printf("%d %s\n", n, strerror(errno));
	}
	if (!strcmp(what, "memory")) {
		size_t n = 0;
		char *p;

		while ((p = malloc(1 << 20)) && n < 10000) {
			memset(p, 1, 1 << 20);
			n++;
		}
		printf("%zu\n", n);
	}
	if (!strcmp(what, "unknown"))
		printf("%ld %s\n", (long)syscall(0x1b3 + 1000), strerror(errno));
	return 0;
}
C
riscv64-linux-gnu-gcc -O1 -w -static prog.c -o prog
riscv64-linux-gnu-gcc -O1 -w prog.c -o dynamic

# Everything behind the program is for it.
expect 7 $HUSK run prog args -n --help -- x; [ "$out" = '[prog][args][-n][--help][--][x]' ] || fail "arguments"
expect 7 $HUSK run prog -- args a; [ "$out" = '[prog][args][a]' ] || fail "arguments behind --"
expect 7 $HUSK run --stats ./prog args; [ "$out" = '[./prog][args]' ] || fail "name"; has "$err" 'instructions in'

# Programs that are none for this machine, and those that need more.
expect 126 $HUSK run /bin/true; one_error; has "$err" 'x86-64|ARM'
cp prog cut; truncate -s 3000 cut; expect 126 $HUSK run cut; [ -n "$err" ] || fail "no message"
head -c 40 prog >cut; expect 126 $HUSK run cut; [ -n "$err" ] || fail "no message"
expect 127 $HUSK run ./absent x; one_error
expect 126 $HUSK run ./dynamic args; one_error; has "$err" 'needs /lib/ld-linux-riscv64'
has "$err" 'hint: give the folder that has it with -L'
mkdir -p root/bin root/lib root/tmp root/usr/share; cp prog root/bin/prog; ln -s /bin/prog root/bin/link; cp -P root/bin/link root/tmp/
[ ! -e /usr/riscv64-linux-gnu/lib/ld-linux-riscv64-lp64d.so.1 ] ||
	{ expect 7 $HUSK run -L /usr/riscv64-linux-gnu ./dynamic args x; [ "$out" = '[./dynamic][args][x]' ] || fail dynamic; }

# With a root: a path in it, a name in its PATH, a file of ours in it.
expect 7 $HUSK run -L root /bin/prog args; [ "$out" = '[/bin/prog][args]' ] || fail "path in the root"
expect 7 $HUSK run -L root /bin/link args; [ "$out" = '[/bin/link][args]' ] || fail "link in the root"
expect 7 $HUSK run --root root --env PATH=/bin prog args; has "$out" '^\[(/bin/)?prog\]\[args\]$'
expect 7 $HUSK run -L root root/bin/prog args; [ "$out" = '[/bin/prog][args]' ] || fail "ours in the root: $out"
printf '#!/bin/prog args\n' >root/bin/script; chmod +x root/bin/script
expect 7 $HUSK run -L root /bin/script x; [ "$out" = '[/bin/prog][args][/bin/script][x]' ] || fail "script"
expect 127 $HUSK run -L root nothing; one_error

# Nothing is there that was not given.
echo secret >secret
expect 0 $HUSK run prog read "$PWD/secret" /etc/passwd /proc/self/comm /dev/null
[ "$(grep -c 'No such file' stdout.txt)" = 2 ] || fail "sees files: $out"
has "$out" '^/dev/null: $'; has "$out" '^/proc/self/comm: prog$'
expect 0 env SECRET=x HOME=/x $HUSK run prog env
[ "$out" = $'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOME=/\nLANG=C.UTF-8' ] || fail "environment"
expect 0 env SECRET=x $HUSK run --env SECRET --env A=b=c --env HOME=/h --env NONE prog env
has "$out" '^SECRET=x$'; has "$out" '^A=b=c$'; has "$out" '^HOME=/h$'; ! grep -q NONE stdout.txt || fail NONE
expect 0 env SECRET=x $HUSK run --env-host prog env; has "$out" '^SECRET=x$'
expect 0 $HUSK run --user 12:34 --hostname box prog where; [ "$out" = "$PWD 12 34 box riscv64" ] || fail "where: $out"
expect 0 $HUSK run --user 12 prog where; [ "$out" = "$PWD 12 12 husk riscv64" ] || fail "where: $out"

# Folders.
expect 0 $HUSK run --dir . prog read secret; [ "$out" = 'secret: secret' ] || fail "folder: $out"
expect 0 $HUSK run --dir .::/data prog read /data/secret "$PWD/secret"; has "$out" '^/data/secret: secret$'; has "$out" 'No such'
expect 0 $HUSK run --dir .::/data:ro prog write /data/new x; [ "$out" = 'Read-only file system' ] || fail "ro: $out"
expect 0 $HUSK run --dir . prog write new text; [ "$(cat new)" = text ] || fail "written: $out"
ln -s /etc/passwd out; ln -s ../../../../../../etc/passwd up
expect 0 $HUSK run --dir .::/data prog read /data/out /data/up /data/../etc/passwd
[ "$(grep -c 'No such file' stdout.txt)" = 3 ] || fail "escaped: $out"
expect 0 $HUSK run -L root prog write /tmp/x y; expect 0 $HUSK run -L root prog write /usr/x y; [ ! -e root/usr/x ] || fail "written"
expect 0 $HUSK run --root root prog write /usr/x y; [ "$out" = written ] && [ ! -e root/usr/x ] || fail "copy on write"
mkdir changes
expect 0 $HUSK run --root root:changes prog write /usr/x y; expect 0 $HUSK run --root root:changes prog read /usr/x
[ "$out" = '/usr/x: y' ] && [ ! -e root/usr/x ] || fail "changes are not kept: $out"
expect 126 $HUSK run -L root --cwd /nowhere /bin/prog where; has "$err" 'no folder /nowhere'
expect 0 $HUSK run -L root --cwd /usr prog where; has "$out" '^/usr '
for bad in '--dir nothing' '--dir .::relative' '-L nothing' '-L root --root root' '--limit x=3' '--limit files=0' '--user me' '--cwd x' '--env =x'; do
	run $HUSK run $bad prog; [ "$code" = 125 ] || [ "$code" = 127 ] || fail "$bad: $code"; one_error
done
expect 125 $HUSK run --env A=b "$TOP/examples/lc3/hello.asm"; one_error

# Input is read when it is wanted, and no more of it.
expect 0 $HUSK run prog lines <<< $'a\nb'; [ "$out" = $'line a\nline b' ] || fail "lines"
printf 'abc\n' | { $HUSK run prog byte; cat; } >both.txt; [ "$(cat both.txt)" = $'byte a\nbc' ] || fail "swallowed: $(cat both.txt)"
printf 'abc\n' >in.txt; { $HUSK run prog byte; cat; } <in.txt >both.txt; [ "$(cat both.txt)" = $'byte a\nbc' ] || fail "swallowed a file"
printf 'abc\n' | { $HUSK run prog; cat; } >both.txt; [ "$(cat both.txt)" = abc ] || fail "read by a program that does not"
expect 0 bash -c "(printf 'a\n'; sleep 0.2; printf 'b\n') | $HUSK run prog lines"; [ "$out" = $'line a\nline b' ] || fail "slow pipe"
expect 0 $HUSK run prog lines <&-; [ -z "$out" ] || fail "closed stdin"
expect 0 $HUSK run --input in.txt prog lines; [ "$out" = 'line abc' ] || fail "--input"

# Output: in order; a reader that leaves ends the program, as on Linux.
$HUSK run prog errors >all.txt 2>&1; [ "$(cat all.txt)" = $'one\ntwo\nthree' ] || fail "order: $(cat all.txt)"
{ code=0; $HUSK run prog forever 2>stderr.txt || code=$?; echo $code >code.txt; } | head -n 1 >/dev/null
[ "$(cat code.txt)" = 141 ] && [ ! -s stderr.txt ] || fail "reader left: $(cat code.txt stderr.txt)"

# Ends.
expect 139 $HUSK run prog fault; one_error; has "$err" 'Segmentation fault at 0x[0-9A-F]+ \(touch(\+[0-9]+)?\): no access to address 0'
expect 139 $HUSK run -q prog fault; [ -z "$err" ] || fail "not quiet"
expect 134 $HUSK run prog abort; one_error; has "$err" Aborted
expect 143 $HUSK run prog kill 15; [ -z "$err" ] || fail "SIGTERM is told"
expect 137 $HUSK run prog kill 9; one_error
expect 139 $HUSK run --format json prog fault; json_is stderr.txt state signal; json_is stderr.txt exit_code 139
expect 124 $HUSK run --timeout 0.3 prog spin; expect 137 $HUSK run --fuel 100000 prog spin
for signal in INT HUP; do # passed on; in the foreground timeout sends it once, else to the group as well, by which time all may be over
	expect 9 timeout --foreground --preserve-status -s $signal 1 $HUSK run prog sleep "$(kill -l $signal)"
	has "$out" "^signal $(kill -l $signal)$"
	expect $((128 + $(kill -l $signal))) timeout --foreground --preserve-status -s $signal 1 $HUSK run prog sleep
	[ -z "$err" ] || fail "$signal is told"
done

# Limits.
expect 137 $HUSK run --limit processes=10 -q prog forks; [ "$out" = '9 Resource temporarily unavailable' ] || fail "processes: $out"
expect 0 $HUSK run --limit files=20 prog fds; [ "$out" = '17 Too many open files' ] || fail "files: $out"
run $HUSK run --memory 32M prog memory; [ $code = 137 ] || { [ $code = 0 ] && [ "$out" -lt 32 ]; } || fail "memory: $code"
run $HUSK run --limit output=1000 prog forever; [ $code = 137 ] && [ "$(wc -c <stdout.txt)" = 1000 ] || fail "output: $code"

# strace.
expect 0 $HUSK run --strace prog read /nothing
has "$err" '^openat\(AT_FDCWD, "/nothing", O_RDONLY\) += -1 ENOENT \(No such file or directory\)$'
has "$err" '^write\(1, "/nothing: No such file or direct"\.\.\., [0-9]+\) = [0-9]+$'
has "$err" '^exit_group\(0\) +=\ \?$'; has "$err" '^\+\+\+ exited with 0 \+\+\+$'
expect 139 $HUSK run --strace=t.txt prog fault
grep -q '^--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} ---$' t.txt || fail "no signal in $(cat t.txt)"
grep -q '^+++ killed by SIGSEGV +++$' t.txt || fail "no end"
expect 0 $HUSK run --strace=t.txt prog child
grep -q '^\[pid  *1\] wait4(-1,  <unfinished \.\.\.>$' t.txt || grep -q 'wait4(-1, .*WEXITSTATUS(s) == 3' t.txt || fail "wait4: $(cat t.txt)"
grep -q 'WEXITSTATUS(s) == 3}\], 0, NULL) = 2$' t.txt || fail "no result of wait4: $(cat t.txt)"
expect 0 $HUSK run --strace prog unknown; has "$err" '^syscall_0x59b\(.*\) = -1 ENOSYS \(Function not implemented\)$'
expect 125 $HUSK run --strace=/nothing/x prog; one_error

# The debugger, with arguments of the program; forward only.
expect 0 $HUSK debug -c 'break main' -c continue -c 'print a0' -c 'tbreak touch' -c continue -c bt prog fault -x
has "$out" 'Breakpoint 1, main'; has "$out" 'a0 = .*\(3\)'; has "$out" '<touch>'

# The same every time.
for i in 1 2; do $HUSK run --deterministic --format json prog args 2>&1 >/dev/null | sed 's/"seconds":[0-9.]*//' >run$i.txt; done
cmp run1.txt run2.txt || fail "not the same run"

# Taken apart and traced: by names of the ELF file, and from pages that nobody has touched yet.
expect 0 $HUSK dis prog; has "$out" ' main: '; has "$out" 'addi'
expect 0 $HUSK dis --start touch --count 3 prog; has "$out" ' touch: +c\.li a5, 1$'; has "$out" 'c\.ret$'
expect 125 $HUSK dis --start nothing prog
expect 137 $HUSK run --trace=trace.txt -q --fuel 3 prog
[ "$(grep -c '^ *[0-9]  0x' trace.txt)" = 3 ] && ! grep -q 'no memory' trace.txt || fail "trace: $(cat trace.txt)"
