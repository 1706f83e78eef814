#!/bin/bash
# SPDX-License-Identifier: MIT
# Compiled code seen from outside: what is counted (--jit-stats), and who is told (--jit perf, jitdump).
set -eu
source "$TOP/tests/cli/common.bash"

cat >sum.c <<'END'
#include <stdio.h>
#include <unistd.h>
static volatile unsigned long cells[1000];
static volatile char far[64 << 16];
__attribute__((noinline)) unsigned long sum_them(unsigned long n)
{
	unsigned long sum = 0;
	for (unsigned long i = 0; i < n; i++) {
		cells[i % 1000] += i;
		sum += cells[i * 7 % 1000];
		if (i % 500 == 0)
			far[i / 500 << 16] = 1; /* pages that nobody has touched yet */
	}
	return sum;
}
int main(void)
{
	char text[64];
	for (int i = 0; i < 20; i++) { /* often enough to be compiled; and this is more than 64 KiB of code */
		__atomic_fetch_add(&cells[3], 1, __ATOMIC_SEQ_CST);
		getppid();
		snprintf(text, sizeof(text), "%g %s %lx", i / 3.0, "of", cells[3]);
	}
	printf("%d %lu\n", (int)getpid(), sum_them(30000));
	return 0;
}
END
riscv64-linux-gnu-gcc -O1 -static -o sum sum.c
expect 0 timeout 20 "$HUSK" run --engine interp sum
wanted=$out

# ---- What is counted ----
expect 0 timeout 20 "$HUSK" run --jit-stats=json sum
[ "$out" = "$wanted" ] || fail "another sum"
cp stderr.txt stats.json
for key in translate.blocks base.blocks base.bytes base.ns enter exit.link exit.bail call.host bail.touch chain; do
	grep -qE "\"$key\":[1-9]" stats.json || fail "$key is not counted"
done
grep -q '"bail.atomic":0' stats.json || fail "an atomic access is left to the interpreter"
# The interpreter's instructions have a reason each.
sum=0
for value in $(grep -oE '"bail\.[a-z]+":[0-9]+' stats.json | sed 's/.*://'); do sum=$((sum + value)); done
[ "$sum" = "$(grep -oE '"exit.bail":[0-9]+' stats.json | sed 's/.*://')" ] || fail "bails without a reason"
grep -qE '"left_because_of":\{[^}]*"store":[1-9]' stats.json || fail "no store"
json stats.json >json.txt || fail "no JSON"
expect 0 timeout 20 "$HUSK" run --jit-stats sum
has "$err" '^ +[0-9]+ base\.blocks '
has "$err" 'left to the interpreter because of:.* store [0-9]+'
expect 0 timeout 20 "$HUSK" run --engine interp --jit-stats sum
has "${err:-none}" '^none$'

# ---- What processes share ----
cat >again.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	int left = argc > 1 ? atoi(argv[1]) : 12, status = 0;
	char number[16];
	printf("%d\n", left);
	fflush(stdout);
	if (left == 0)
		return 7;
	if (fork() == 0) {
		snprintf(number, sizeof number, "%d", left - 1);
		execl("/proc/self/exe", "again", number, (char *)NULL);
		return 1;
	}
	wait(&status);
	return WEXITSTATUS(status);
}
END
riscv64-linux-gnu-gcc -O1 -static -o again again.c
expect 7 timeout 20 "$HUSK" run --jit-stats=json again
[ "$out" = "$(seq 12 -1 0)" ] || fail "not all of them ran"
shared=$(grep -oE '"shared.blocks":[0-9]+' stderr.txt | sed 's/.*://')
compiled=$(grep -oE '"base.blocks":[0-9]+' stderr.txt | sed 's/.*://')
[ "$shared" -gt $((compiled * 2)) ] || fail "$compiled blocks compiled, $shared shared"

# ---- Who is told ----
"$HUSK" run --timeout 20 --jit perf,jitdump sum >stdout.txt & pid=$!
wait $pid || fail "it ended with $?"
map=/tmp/perf-$pid.map
grep -qE '^[0-9a-f]+ [0-9a-f]+ husk:sum_them(\+[0-9]+)?:0x[0-9a-f]+$' "$map" || fail "sum_them is not in $map"
rm "$map"
dump=jit-$pid.dump
[ "$(head -c 4 "$dump" | od -An -tx4 | tr -d ' ')" = 4a695444 ] || fail "no jitdump"
grep -qa 'husk:sum_them' "$dump" || fail "sum_them is not in the dump"

# perf does not look into the map for what lies in a file, one of memory neither; and nothing can be written and executed.
cat >waits.c <<'END'
#include <unistd.h>
int main(void)
{
	char c = 0;

	write(1, "!", 1);
	return read(0, &c, 1) != 0;
}
END
riscv64-linux-gnu-gcc -O1 -static -o waits waits.c
mkfifo in
"$HUSK" run --timeout 20 --jit perf waits <in >said & pid=$!
exec 5>in
until [ -s said ]; do sleep 0.01; done
cp /proc/$pid/maps maps.txt
exec 5>&-
wait $pid || fail "it ended with $?"
rm "/tmp/perf-$pid.map"
grep -qE '^[0-9a-f-]+ r-xs .* /dev/zero' maps.txt || fail "perf will not look for names: $(grep 'xs ' maps.txt)"
! grep -E '^[0-9a-f-]+ .wx' maps.txt || fail "writable and executable"

# ---- What it looks like ----
expect 0 timeout 20 "$HUSK" run --dump-jit=dump.txt --dump-jit-pc sum_them sum
[ "$out" = "$wanted" ] || fail "another sum"
has "$(cat dump.txt)" '^=== base husk:sum_them:0x[0-9a-f]+: [0-9]+ instructions, [0-9]+ bytes at 0x'
for part in guest ir host; do has "$(cat dump.txt)" "^--- $part\$"; done
has "$(cat dump.txt)" '^  insn 0 pc=0x[0-9a-f]+'
has "$(cat dump.txt)" '^ +0: [0-9a-z]'
! grep -q 'husk:main' dump.txt || fail "more than was asked for"
expect 0 timeout 20 "$HUSK" run --dump-jit=all.txt sum
has "$(cat all.txt)" '^=== base husk:main'
pc=$(sed -n 's/^=== base husk:sum_them:\(0x[0-9a-f]*\): .*/\1/p' dump.txt | head -1)
expect 0 timeout 20 "$HUSK" run --dump-jit --dump-jit-pc "$pc" sum
has "$err" '^=== base husk:sum_them:'
expect 125 "$HUSK" run --dump-jit-pc main sum
one_error "nowhere to dump"

# ---- Other ways to keep it, which change nothing for the guest ----
for how in wx=switch wx=dual cache=64K evict=30 cache=64K,evict=7,wx=switch; do
	expect 0 timeout 20 "$HUSK" run --jit "$how" sum
	[ "$out" = "$wanted" ] || fail "another sum with $how"
done
expect 0 timeout 20 "$HUSK" run --jit cache=64K --jit-stats sum
has "$err" '^ +[0-9]+ evict '

# ---- What is wrong ----
expect 125 "$HUSK" run --jit prof sum
one_error "an unknown word"
expect 125 "$HUSK" run --jit cache=0 sum
one_error "no cache"
