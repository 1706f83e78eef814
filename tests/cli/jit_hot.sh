#!/bin/bash
# SPDX-License-Identifier: MIT
# What becomes hot is optimized, however it was met first: a function that is called through a pointer alone, and a way out of a
# loop that was rare when the loop was optimized.
set -eu
source "$TOP/tests/cli/common.bash"

# behind a loop that settles the registers, six calls from code that runs once: `callee` is compiled before compiled code calls it
cat >pointer.s <<'END'
	.globl _start
_start:	li a4, 20000
first:	addi a4, a4, -1
	bnez a4, first
	la a5, callee
	jal callee
	jal callee
	jal callee
	jal callee
	jal callee
	jal callee
	li a4, 100000
again:	jalr a5
	addi a4, a4, -1
	bnez a4, again
	mv a0, zero
	li a7, 93
	ecall
callee:	addi a0, a0, 3
	xori a0, a0, 5
	ret
END
# from the 50,000th round on it leaves for `late`, and comes back with a computed jump
cat >rare.s <<'END'
	.globl _start
_start:	li a4, 20000
first:	addi a4, a4, -1
	bnez a4, first
	li a4, 100000
	li a3, 50000
again:	blt a4, a3, late
on:	addi a4, a4, -1
	bnez a4, again
	mv a0, zero
	li a7, 93
	ecall
late:	la a2, on
	xori a1, a1, 7
	jr a2
END
for name in pointer rare; do
	riscv64-linux-gnu-gcc -nostdlib -static -o $name $name.s
	expect 0 timeout 60 "$HUSK" run --jit-stats=json --jit hot=5000 $name
	count=$(grep -oE '"region.regions":[0-9]+' stderr.txt | grep -oE '[0-9]+$')
	[ "$count" -ge 3 ] || fail "$name: $count regions"
done
