#!/bin/bash
# SPDX-License-Identifier: MIT
# Snapshots of Linux programs: at whatever count one is taken, a fresh process goes on from it to the same output, exit code and
# count of instructions. What of the host is missing or has changed is said.
set -eu
source "$TOP/tests/cli/common.bash"

mkdir data
seq 1 2000 >data/lines
printf 'first\nsecond\n' >typed
riscv64-linux-gnu-gcc -O1 -w -static -pthread -o stages "$TOP/tests/linux/stages.c" || fail "stages.c does not compile"

# count TEXT: the instructions in "[end] N instructions"
count() {
	sed -n 's/^\[end\] \([0-9]*\) instructions.*/\1/p' <<<"$1"
}

given="--dir data::/data:ro"
expect 5 timeout 60 "$HUSK" run --deterministic --verbose $given --input typed stages
has "$out" '^sum 19990000, 2000 lines, 2000 read, child 119, check 85344$'
has "$out" '^50;100;150;200;250;3 50,100,150,200,250,3 first$'
has "$out" '^second$'
has "$out" '^it ticked$'
whole=$out insns=$(count "$err")

for fuel in 1 7777 40000 $((insns / 5)) $((insns / 2)) $((insns * 4 / 5)) $((insns - 3000)); do
	run timeout 60 "$HUSK" run --deterministic --fuel $fuel --snapshot-on-exit half.snap $given --input typed stages
	[ "$code" = 137 ] || fail "no stop at $fuel"
	first=$out
	expect 5 timeout 60 "$HUSK" run --deterministic --verbose $given half.snap
	[ "$(tr -d '\n' <<<"$first$out")" = "$(tr -d '\n' <<<"$whole")" ] || fail "in two parts at $fuel: $(diff <(echo "$whole") <(echo "$first$out"))"
	[ $((fuel + $(count "$err"))) = "$insns" ] || fail "at $fuel: $(count "$err") instructions more, not $((insns - fuel))"
done

# Without the folder; with less than there was; with another file; with arguments.
run timeout 60 "$HUSK" run --deterministic --fuel $((insns / 2)) --snapshot-on-exit half.snap $given --input typed stages
expect 126 timeout 60 "$HUSK" run half.snap
one_error
has "$err" 'half.snap: made for another machine .*a folder of the host at /data, and this machine has not'
expect 126 timeout 60 "$HUSK" run --dir data::/data --dir .::/here half.snap
one_error
cp -r data other
echo more >>other/lines
expect 126 timeout 60 "$HUSK" run --dir other::/data:ro half.snap
one_error
has "$err" 'lines is not the file that it was'
rm other/lines
expect 126 timeout 60 "$HUSK" run --dir other::/data:ro half.snap
one_error
has "$err" 'lines is not there any more'
expect 125 timeout 60 "$HUSK" run $given half.snap -- more
one_error
has "$err" 'goes on with the arguments that it was given'

# A connection of the host can't be saved, and who has it is said.
cat >net.c <<'C'
#include <sys/socket.h>
int main(void) { if (socket(AF_INET, SOCK_STREAM, 0) < 0) return 1; for (;;); }
C
riscv64-linux-gnu-gcc -O1 -w -static -o net net.c
run timeout 60 "$HUSK" run --deterministic --net=loopback --fuel 100000 --snapshot-on-exit none.snap net
has "$err" 'no snapshot: not supported: descriptor 3 of process 1 \(net\) is a socket of the host'
[ ! -s none.snap ] || fail "a snapshot nevertheless"

# Unless it may be lost, which both sides have to allow: whoever waits is woken, and finds it reset.
riscv64-linux-gnu-gcc -O1 -w -static -o lost "$TOP/tests/linux/lost.c"
run timeout 60 "$HUSK" run --deterministic --net=loopback,resets --fuel 2000000 --snapshot-on-exit lost.snap lost
[ "$out" = connected ] || fail "not connected: $out"
expect 126 timeout 60 "$HUSK" run --net=loopback lost.snap
has "$err" 'connections of the host, and this machine may not take them for reset'
run timeout 60 "$HUSK" run --deterministic --net=loopback,resets --fuel 100 --snapshot-on-exit again.snap lost.snap
for file in lost.snap again.snap; do
	expect 0 timeout 60 "$HUSK" run --net=loopback,resets $file
	[ "$out" = "$(sed -n 's|^/// ||p' "$TOP/tests/linux/lost.c")" ] || fail "$file: $out"
done
expect 0 timeout 60 "$HUSK" run --net=resets lost.snap
expect 125 timeout 60 "$HUSK" run --net=loopback,more lost
has "$err" 'it is loopback or outside'

# In the debugger: there and back.
cat >commands <<'C'
snapshot there.snap
step 5000
restore there.snap
step 5000
C
expect 0 timeout 60 "$HUSK" debug $given half.snap <commands

# A dynamic program of Debian's, where there is one.
if [ -n "${DEBIAN_RV64-}" ]; then
	mkdir python
	cat >python/loop.py <<'P'
import threading
total = 0
def add(n):
    global total
    for i in range(3000):
        total += i * n
threads = [threading.Thread(target=add, args=(k,)) for k in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
print(total, len(open("/here/loop.py").read()))
P
	given="-L $DEBIAN_RV64 --dir python::/here:ro"
	expect 0 timeout 60 "$HUSK" run --deterministic --verbose $given python3 /here/loop.py
	whole=$out insns=$(count "$err")
	for part in 1 3 7; do
		fuel=$((insns * part / 8))
		run timeout 60 "$HUSK" run --deterministic --fuel $fuel --snapshot-on-exit python.snap $given python3 /here/loop.py
		expect 0 timeout 60 "$HUSK" run --deterministic --verbose $given python.snap
		[ "$out" = "$whole" ] || fail "python in two parts at $fuel"
		[ $((fuel + $(count "$err"))) = "$insns" ] || fail "python at $fuel: not $insns instructions"
	done
	given="--dir data::/data:ro"
fi

# Damaged ones are refused or do something.
size=$(wc -c <half.snap)
for n in $(seq 1 8); do
	cp half.snap bad.snap
	printf '\377\377\377\377\377\377\377\377' | dd of=bad.snap bs=1 seek=$((size * n / 9)) conv=notrunc 2>/dev/null
	run timeout 20 "$HUSK" run --fuel 10000 $given bad.snap
	[ "$code" = 126 ] || fail "damaged at $((size * n / 9)): exit code $code"
done
