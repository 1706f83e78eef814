#!/bin/bash
# SPDX-License-Identifier: MIT
# Compiled code calls the host and goes on: what a program does and how many instructions it takes is as in the interpreter, at
# every limit; and nothing is translated, entered or left more often because there are more calls.
set -eu
source "$TOP/tests/cli/common.bash"

cat >calls.c <<'END'
#include <errno.h>
#include <fenv.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile unsigned signals;
static void handler(int number) { signals += (unsigned)number; }

/* Code that changes behind a call: `li a0, n; ret`. */
static unsigned changing(unsigned rounds)
{
	unsigned *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), sum = 0;
	for (unsigned i = 0; i < rounds; i++) {
		int zero = open("/dev/zero", O_RDONLY);
		code[1] = 0x00008067;
		sum += read(zero, code, 4) == 4; /* the kernel writes where code was */
		close(zero);
		code[0] = 0x00000513 | (i & 1023) << 20;
		__builtin___clear_cache((char *)code, (char *)code + 8);
		sum += (unsigned)((long (*)(void))code)();
	}
	return sum;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 0, sum = 0;
	int null = open("/dev/null", O_WRONLY);
	volatile double third = 3;
	sigset_t set, old;

	for (unsigned i = 0; i < rounds; i++)
		sum += (unsigned)getppid() + (unsigned)write(null, "x", 1);
	if (argc > 2)
		return sum != rounds;
	signal(SIGUSR1, handler);
	feclearexcept(FE_ALL_EXCEPT);
	for (unsigned i = 0; i < 300; i++) {
		char text[8] = "";
		sum = sum * 31 + (unsigned)write(null, "abc", i % 4);
		sum = sum * 31 + (unsigned)(write(-1, "abc", 1) < 0 ? errno : 0);
		sum = sum * 31 + (unsigned)(write(null, NULL, 0) < 0 ? errno : 0);
		if (i == 200)
			third = 1 / third;
		sum = sum * 31 + (unsigned)fetestexcept(FE_INEXACT);
		if (i % 50 == 0)
			kill(getpid(), SIGUSR1);
		if (i % 50 == 25) { /* it comes when it is let in, within a call */
			sigemptyset(&set);
			sigaddset(&set, SIGUSR1);
			sigprocmask(SIG_BLOCK, &set, &old);
			raise(SIGUSR1);
			sum = sum * 31 + signals;
			sigprocmask(SIG_SETMASK, &old, NULL);
		}
		sum = sum * 31 + signals;
		sum = sum * 31 + (unsigned)strlen(getcwd(text, sizeof text) ? text : "");
	}
	printf("%u %u %u\n", sum, signals, changing(200));
	return 0;
}
END
riscv64-linux-gnu-gcc -O2 -static -o calls calls.c -lm

expect 0 timeout 60 "$HUSK" run --format json --engine interp calls 3000
wanted=$out
count=$(grep -oE '"instructions": ?[0-9]+' stderr.txt)
[ -n "$count" ] || fail "no count"
for how in hot=5 hot=5,soft hot=20,cache=64K hot=20,evict=30 wx=switch,hot=5 region=1,hot=5 background,hot=5 hard=1,hot=5; do
	expect 0 timeout 60 "$HUSK" run --format json --jit "$how" calls 3000
	[ "$out" = "$wanted" ] || fail "another result with $how: $out, not $wanted"
	[ "$(grep -oE '"instructions": ?[0-9]+' stderr.txt)" = "$count" ] || fail "another count with $how"
done

# Whoever does nothing but ask for something cheap sees its timers go off: in real time, in time of its own, and while it asks for the hour.
cat >timers.c <<'END'
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t came;
static void handler(int number) { came = number; }

int main(void)
{
	static const int kinds[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
	static const int numbers[] = {SIGALRM, SIGVTALRM, SIGPROF};
	struct itimerval soon = {.it_value = {.tv_usec = 3000}};
	struct timespec now;
	char byte;

	for (int i = 0; i < 9; i++) {
		signal(numbers[i % 3], handler);
		came = 0;
		setitimer(kinds[i % 3], &soon, NULL);
		while (!came)
			if (i / 3 == 0)
				getppid();
			else if (i / 3 == 1)
				clock_gettime(CLOCK_REALTIME, &now);
			else
				read(0, &byte, 0);
		printf("%d", came);
	}
	return 0;
}
END
riscv64-linux-gnu-gcc -O2 -static -w -o timers timers.c
for how in hot=5 hot=1000000; do
	expect 0 timeout 60 "$HUSK" run --jit "$how" timers </dev/null
	[ "$out" = 142627142627142627 ] || fail "signals $out with $how"
done

# At a limit: as many instructions, and as much is done.
all=${count//[^0-9]/}
for part in 3 5 7 11 13; do
	for fuel in $((all / part)) $((all / part + 1)) $((all / part + 2)) $((all / part + 3)); do
		code=0
		timeout 60 "$HUSK" run --format json --jit hot=5 --fuel "$fuel" calls 3000 >stdout.txt 2>stderr.txt || code=$?
		[ "$code" -eq 137 ] || fail "it ended with $code"
		grep -qE "\"instructions\": ?$fuel\\b" stderr.txt || fail "not $fuel instructions"
	done
done

# What calls cost does not grow with their number, but for themselves.
n=0
counter() { grep -oE "\"$1\":[0-9]+" stderr.txt | grep -oE '[0-9]+$'; }
expect 0 timeout 60 "$HUSK" run --jit-stats=json --jit hot=20 calls 2000 alone
for what in translate.blocks enter exit.bail base.blocks region.regions; do
	before[$((++n))]=$(counter $what)
done
calls=$(counter call.host)
expect 0 timeout 60 "$HUSK" run --jit-stats=json --jit hot=20 calls 22000 alone
[ "$(counter call.host)" -ge $((calls + 39000)) ] || fail "only $(counter call.host) calls from compiled code, before $calls"
n=0
for what in translate.blocks enter exit.bail base.blocks region.regions; do
	[ "$(counter $what)" -le $((before[++n] + 100)) ] || fail "$what: $(counter $what), before ${before[n]}"
done
