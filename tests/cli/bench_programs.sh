#!/bin/bash
# SPDX-License-Identifier: MIT
# The programs of the benchmark, at sizes that make their loops hot: compiled code prints what native code prints.
set -eu
source "$TOP/tests/cli/common.bash"

command -v riscv64-linux-gnu-gcc >/dev/null || fail "no riscv64-linux-gnu-gcc (tools/deps test installs it)"
flags="-std=gnu17 -O2 -ffp-contract=off"
while read -r name size; do
	source=$TOP/bench/programs/$name.c
	cc $flags -o native "$source" -lm
	riscv64-linux-gnu-gcc $flags -static -o guest "$source" -lm
	./native "$size" >wanted.txt
	expect 0 timeout 60 "$HUSK" run guest -- "$size"
	[ "$out" = "$(cat wanted.txt)" ] || fail "$name $size: native code prints $(cat wanted.txt)"
done <<'LIST'
loop 3000000
loop32 3000000
fib 30
sieve 4
fannkuch 1
bintree 12
hash 1000000
list 30
sort 30000
memops 200
bf 3
crc32 2
sha256 1
nbody 50000
spectral 200
mandel 120
matmul 120
LIST
