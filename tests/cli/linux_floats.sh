#!/bin/bash
# SPDX-License-Identifier: MIT
# mode: release
# A program that does all float operations of RV64GC in all modes on many operands gives the same results and flags in a
# sandbox as in another emulator (tests/rv64/float_stream.c).
set -eu
source "$TOP/tests/cli/common.bash"

riscv64-linux-gnu-gcc -O2 -march=rv64gc -static -nostdlib -ffreestanding -fno-builtin -DROUNDS=4000 \
	-I"$TOP/src" -I"$TOP/tests" -o stream "$TOP/tests/rv64/float_stream.c"
qemu-riscv64 stream >expected
timeout 60 "$HUSK" run stream >got
[ "$(wc -l <got)" = 210 ] || fail "not all operations were done"
cmp expected got || fail "other results: $(diff expected got | head -3)"
