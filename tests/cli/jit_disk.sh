#!/bin/bash
# SPDX-License-Identifier: MIT
# --jit disk: what one run has compiled the next one finds; where the files may lie, and that bad ones change nothing.
set -eu
source "$TOP/tests/cli/common.bash"

cat >work.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	double x = 0.25;
	char text[400] = "";
	int status = 0;
	for (int i = 0; i < 30; i++) {
		x = x * 3.5 * (1 - x);
		snprintf(text + strlen(text), 30, "%.3g %d ", x, i * i);
	}
	puts(text);
	fflush(stdout);
	if (argc > 1 && fork() == 0)
		execl("/proc/self/exe", argv[0], (char *)NULL);
	wait(&status);
	return WEXITSTATUS(status);
}
END
riscv64-linux-gnu-gcc -O1 -static -o work work.c
expect 0 timeout 60 "$HUSK" run --engine interp work
wanted=$out
count() { grep -oE "\"$1\":[0-9]+" stderr.txt | sed 's/.*://'; }

# ---- The first run leaves them, the next one finds them ----
for run in 1 2 3; do
	expect 0 timeout 60 "$HUSK" run --jit disk=cache --jit-stats=json work
	[ "$out" = "$wanted" ] || fail "another result in run $run"
	found=$(count disk.blocks) compiled=$(count base.blocks)
	[ $run -ne 1 ] || [ "$found" = 0 ] || fail "$found blocks found where there was nothing"
done
[ "$found" -gt 500 ] && [ "$found" -gt $((compiled * 5)) ] || fail "$found blocks found, $compiled compiled"
[ "$(stat -c %a cache)" = 700 ] || fail "others may look"
[ "$(ls cache | wc -l)" = 1 ] || fail "not one file: $(ls cache)"
[ "$(stat -c %a cache/*.husk-jit)" = 600 ] || fail "others may read"

# As many instructions.
expect 0 timeout 60 "$HUSK" run --format json --engine interp work
instructions=$(count instructions)
[ -n "$instructions" ] || fail "no count"
expect 0 timeout 60 "$HUSK" run --format json --jit disk=cache work
[ "$(count instructions)" = "$instructions" ] || fail "another count"

# Programs that others start, and regions beside the program.
for run in 1 2; do
	expect 0 timeout 60 "$HUSK" run --jit disk=cache,background,hot=20 work again
	[ "$out" = "$wanted"$'\n'"$wanted" ] || fail "another result with two processes"
done

# ---- Where ----
mkdir home
for run in 1 2; do
	expect 0 env XDG_CACHE_HOME="$PWD/home" timeout 60 "$HUSK" run --jit disk --jit-stats=json work
done
[ "$(count disk.blocks)" -gt 100 ] || fail "nothing found in \$XDG_CACHE_HOME"
ls home/husk/*.husk-jit >list.txt
mkdir open
chmod 777 open
expect 125 timeout 60 "$HUSK" run --jit disk=open work
one_error "a folder that others may write"
has "$err" 'open: others may write there'
expect 125 timeout 60 "$HUSK" run --jit disk=no/such work
has "$err" 'no/such: No such file'
expect 125 timeout 60 env -u XDG_CACHE_HOME -u HOME "$HUSK" run --jit disk work
has "$err" 'which folder'
expect 125 timeout 60 "$HUSK" run --jit disk-limit=0 work
one_error "no limit"

# ---- Bad files ----
file=$(echo cache/*.husk-jit)
cp "$file" good
size=$(stat -c %s good)
for how in 0 10 100 $((size / 2)) $((size - 1)); do
	head -c "$how" good >"$file"
	expect 0 timeout 60 "$HUSK" run --jit disk=cache work
	[ "$out" = "$wanted" ] || fail "another result with $how bytes of the file"
done
for at in 3 20 60 130 5000 $((size / 3)) $((size / 2)) $((size - 50)); do
	cp good "$file"
	printf '\xA5\x5A\xA5' | dd of="$file" bs=1 seek="$at" conv=notrunc status=none
	expect 0 timeout 60 "$HUSK" run --jit disk=cache work
	[ "$out" = "$wanted" ] || fail "another result with damage at $at"
done

# ---- Small limits, several at once ----
expect 0 timeout 60 "$HUSK" run --jit disk=cache,disk-limit=64K work
expect 0 timeout 60 "$HUSK" run --jit disk=small,disk-limit=200K work
[ "$(cat small/* | wc -c)" -le $((200 << 10)) ] || fail "more than the limit"
for n in 1 2 3; do timeout 60 "$HUSK" run --jit disk=many work >out$n.txt & done
wait
for n in 1 2 3; do [ "$(cat out$n.txt)" = "$wanted" ] || fail "another result of $n at once"; done
[ "$(ls many | wc -l)" = 1 ] || fail "unfinished files: $(ls many)"
