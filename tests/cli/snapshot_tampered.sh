#!/bin/bash
# SPDX-License-Identifier: MIT
# Snapshots that somebody has changed, cut, or taken from elsewhere: each is refused, with a word that says why, whatever the machine. (What
# has been changed and has the right checksum again is fuzz_snapshot's.)
set -eu
source "$TOP/tests/cli/common.bash"

cp "$TOP"/examples/lc3/primes.asm "$TOP"/examples/svm/factorial.svm .
cp "$TOP"/examples/isa/6502/primes.asm six.asm
cp "$TOP"/examples/iridium/heap.iasm "$TOP"/examples/merry/cores.gpc.masm .
printf '_start: li a0, 1\n j _start\n' >loop.s

take() { # take NAME ARG...
	local name=$1
	shift
	run timeout 20 "$HUSK" run --deterministic --fuel 100 --snapshot-on-exit "$name" "$@"
	[ "$code" = 137 ] || fail "no snapshot of $*"
}
# flip FILE PLACE: another bit, in bad.snap
flip() {
	local byte
	cp "$1" bad.snap
	byte=$(od -An -tu1 -j"$2" -N1 "$1")
	printf "\\x$(printf %02x $((byte ^ 1)))" | dd of=bad.snap bs=1 seek="$2" conv=notrunc status=none
}
refused() { # refused PATTERN ARG...
	local pattern=$1
	shift
	run timeout 20 "$HUSK" run "$@"
	[ "$code" = 126 ] || fail "exit code $code, not 126: $*"
	has "$err" "$pattern"
	[ -z "$out" ] || fail "it printed something"
}

take lc3.snap primes.asm
take svm.snap factorial.svm
take 6502.snap --isa 6502 six.asm
take iridium.snap heap.iasm
take merry.snap cores.gpc.masm
take rv64.snap loop.s
for snap in lc3 svm 6502 iridium merry rv64; do
	size=$(stat -c %s $snap.snap)
	flip $snap.snap 9
	refused "bad.snap is a snapshot of version 26[0-9], and this husk reads version [0-9]+" bad.snap
	for place in $((size / 3)) $((size * 2 / 3)) $((size - 3)); do
		flip $snap.snap $place
		refused 'bad.snap: damaged content' bad.snap
	done
	for keep in 30 $((size / 2)) $((size - 1)); do
		head -c $keep $snap.snap >bad.snap
		refused 'bad.snap: (the file ends too early|damaged content)' bad.snap
	done
done
# Another description, other options: both sides are named.
refused 'LC-3 with profile=v3.* this machine is with profile=tiny' --set profile=tiny lc3.snap
refused "SVM has no option 'profile'" --isa svm lc3.snap
cp "$TOP"/examples/isa/6502.isa other.isa
sed -i 's/^isa \([^ ]*\)/isa Other/' other.isa
refused '6502.*Other|Other.*6502' --isa ./other.isa 6502.snap
