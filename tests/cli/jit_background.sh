#!/bin/bash
# SPDX-License-Identifier: MIT
# --jit background: regions are compiled on another thread; what the program does, and how many instructions it takes, stays.
set -eu
source "$TOP/tests/cli/common.bash"

cat >work.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static int by_value(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return x < y ? -1 : x > y;
}

static unsigned sorted(unsigned count)
{
	static unsigned cells[4000];
	unsigned seed = 1, sum = 0;
	for (unsigned i = 0; i < count; i++)
		cells[i] = seed = seed * 1664525 + 1013904223;
	qsort(cells, count, sizeof *cells, by_value);
	for (unsigned i = 0; i < count; i++)
		sum = sum * 31 + cells[i];
	return sum;
}

static double spin(unsigned rounds)
{
	double x = 0.5;
	for (unsigned i = 0; i < rounds; i++)
		x = x * 3.7 * (1 - x);
	return x;
}

int main(int argc, char **argv)
{
	int status = 0;
	(void)argv;
	printf("%u %u %.17g\n", fib(16), sorted(4000), spin(40000));
	fflush(stdout);
	if (argc > 1)
		return 0;
	for (int i = 0; i < 3; i++) {
		if (fork() == 0) {
			printf("%u %u %.17g\n", fib(14 + i), sorted(2000 + i), spin(20000));
			fflush(stdout);
			_exit(i);
		}
		wait(&status);
	}
	return WEXITSTATUS(status);
}
END
riscv64-linux-gnu-gcc -O1 -static -o work work.c
expect 2 timeout 60 "$HUSK" run --engine interp work
wanted=$out
for how in background background,hot=20 background,hot=5,soft background,cache=64K background,hot=20,evict=50; do
	expect 2 timeout 60 "$HUSK" run --jit "$how" work
	[ "$out" = "$wanted" ] || fail "another result with $how"
done

# As many instructions, to the last one; and stopped at any place the same is left to do.
expect 0 timeout 60 "$HUSK" run --format json --engine interp work alone
count=$(grep -oE '"instructions": ?[0-9]+' stderr.txt)
[ -n "$count" ] || fail "no count"
expect 0 timeout 60 "$HUSK" run --format json --jit background,hot=20 work alone
[ "$(grep -oE '"instructions": ?[0-9]+' stderr.txt)" = "$count" ] || fail "another count"

# It is done by the other thread, and nothing is left of it at the end, however early that comes.
expect 0 timeout 60 "$HUSK" run --jit-stats=json --jit background,hot=20 work alone
grep -qE '"background.regions":[1-9]' stderr.txt || fail "nothing was done beside the program"
grep -qE '"region.regions":[1-9]' stderr.txt || fail "nothing came of it"
for fuel in 20000 100000 300000 700000 1500000; do
	code=0
	timeout 60 "$HUSK" run --fuel "$fuel" --jit background,hot=5 work alone >stdout.txt 2>stderr.txt || code=$?
	[ "$code" -eq 0 ] || [ "$code" -eq 137 ] || fail "it ended with $code"
done

# Who looks on sees what each pass left.
expect 0 timeout 60 "$HUSK" run --jit background --dump-jit=dump.txt work alone
has "$(cat dump.txt)" '^=== region husk:'
