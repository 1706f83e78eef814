#!/bin/bash
# SPDX-License-Identifier: MIT
# Merry: a machine of several cores goes on from a snapshot as if nothing had happened: wild requests, permissions, stacks.
set -eu
source "$TOP/tests/cli/common.bash"

for program in cores wild refused; do
	for fuel in 3 50 137 1900; do
		expect 0 $HUSK run --quantum 5 "$TOP/examples/merry/$program.gpc.masm"; whole=$out
		run $HUSK run --quantum 5 --fuel $fuel --snapshot-on-exit half.snap "$TOP/examples/merry/$program.gpc.masm"
		first=$out
		if [ "$code" = 137 ]; then
			expect 0 $HUSK run --quantum 5 half.snap
			first=$(cat <(printf '%s' "$first") stdout.txt)
		fi
		[ "$(tr -d '\n' <<<"$first")" = "$(tr -d '\n' <<<"$whole")" ] || fail "$program in two parts at $fuel: $first"
	done
done
# A damaged one is refused or does something; it does not bring Husk down.
run $HUSK run --quantum 5 --fuel 100 --snapshot-on-exit half.snap "$TOP/examples/merry/wild.gpc.masm"
size=$(wc -c <half.snap)
for n in $(seq 1 12); do
	cp half.snap bad.snap
	printf '\377\377\377\377\377\377\377\377' | dd of=bad.snap bs=1 seek=$((size * n / 13)) conv=notrunc 2>/dev/null
	run timeout 20 $HUSK run --fuel 10000 bad.snap
	[ "$code" -lt 143 ] && [ "$code" != 134 ] || fail "damaged at $((size * n / 13)): exit code $code"
done
