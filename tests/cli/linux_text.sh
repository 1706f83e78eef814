#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs of Linux that are assembly texts get what others get: arguments, environment, folders, a trace. Machines without Linux say
# that they have no use for it.
set -eu
source "$TOP/tests/cli/common.bash"

# Opens argv[1] and writes what it holds; the exit code is 1 when it cannot.
cat >show.s <<'END'
	.globl _start
_start:
	li a7, 56		# openat
	li a0, -100
	ld a1, 16(sp)
	li a2, 0
	li a3, 0
	ecall
	bltz a0, none
	li a7, 63		# read
	la a1, buffer
	li a2, 64
	ecall
	mv a2, a0
	li a7, 64		# write
	li a0, 1
	la a1, buffer
	ecall
	li a0, 0
	li a7, 93
	ecall
none:	li a0, 1
	li a7, 93
	ecall
	.data
buffer:	.space 64
END
# Writes its environment's last variable; the exit code is argc.
cat >last.s <<'END'
	.globl _start
_start:
	ld t0, 0(sp)
	slli t1, t0, 3
	add t1, t1, sp
	addi t1, t1, 16
2:	ld t2, 0(t1)
	beqz t2, 3f
	mv a1, t2
	addi t1, t1, 8
	j 2b
3:	mv a2, a1
1:	lbu t2, 0(a2)
	addi a2, a2, 1
	bnez t2, 1b
	addi a2, a2, -1
	sub a2, a2, a1
	li a0, 1
	li a7, 64
	ecall
	ld a0, 0(sp)
	li a7, 93
	ecall
END
mkdir given
echo "what it holds" >given/file

expect 0 "$HUSK" run --isa rv64 --dir given::/d show.s -- /d/file
[ "$out" = "what it holds" ] || fail "$out"
expect 0 "$HUSK" run --isa rv64 --dir given::/d --cwd /d --strace=calls show.s -- file
[ "$out" = "what it holds" ] || fail "$out"
has "$(cat calls)" '^openat\(AT_FDCWD, "file", O_RDONLY\) += 3$'
expect 1 "$HUSK" run -q --isa rv64 show.s -- /d/file
expect 3 "$HUSK" run -q --isa rv64 --env GREETING=hello last.s -- one two
[ "$out" = GREETING=hello ] || fail "$out"
expect 0 "$HUSK" debug --isa rv64 --env GREETING=hello -c continue -c quit last.s -- one two
has "$out" "^GREETING=hello"
has "$out" "ended, code 3"

cat >both.yaml <<END
instances:
  - {name: show, machine: rv64, program: [show.s], args: [/d/file], dirs: ["given::/d"], may: [output, files]}
  - {name: last, machine: rv64, program: [last.s], environment: [A=b], may: [output]}
END
run "$HUSK" up both.yaml
has "$out" 'show.*what it holds'
has "$out" 'last.*A=b'

printf '.ORIG x3000\nHALT\n.END\n' >stop.asm
expect 125 "$HUSK" run stop.asm -- one
has "$err" 'LC-3 takes no arguments'
expect 125 "$HUSK" debug -c quit stop.asm -- one
has "$err" 'LC-3 takes no arguments'
expect 125 "$HUSK" run --env A=b stop.asm
has "$err" 'LC-3 runs no Linux programs'
expect 125 "$HUSK" debug --env A=b -c quit stop.asm
has "$err" 'LC-3 runs no Linux programs'
expect 125 "$HUSK" run --strace=calls.none stop.asm
has "$err" 'LC-3 runs no Linux programs: --strace'
[ ! -e calls.none ] || fail "a trace of what has no calls"
cp show.s kept.s
expect 125 "$HUSK" run --isa rv64 --strace=show.s show.s
cmp show.s kept.s || fail "the trace is written over the program"
cat >lc3.yaml <<END
instances:
  - {name: stop, program: [stop.asm], environment: [A=b]}
END
run "$HUSK" up lc3.yaml
[ "$code" != 0 ] || fail "an environment for LC-3"
has "$err" 'LC-3 runs no Linux programs'
