#!/bin/bash
# SPDX-License-Identifier: MIT
# The machines of examples/museum: their programs, their loops with a smaller count, and bad programs with reasons.
set -eu
source "$TOP/tests/cli/common.bash"
dir=$TOP/examples/museum

m() { local machine=$1; shift; timeout 20 "$HUSK" run --deterministic -m "$dir/$machine.isa" "$@"; }

# prints MACHINE PROGRAM CODE TEXT [INPUT]
prints() {
	printf '%s' "${5-}" >in.txt
	expect "$3" m "$1" "$dir/$1/$2.asm" -i in.txt
	case $1 in enigma_v2 | khoya) out=$(sort -n <<<"$out") ;; esac # whichever core is done first
	[ "$out" = "$4" ] || fail "$1/$2 prints something else than '$4'"
}

for machine in fraud enigma buffed enigma_v2 khoya aspire; do
	expect 0 "$HUSK" isa check "$dir/$machine.isa"
	has "$out" '^ *warnings +0$'
done
[ "$(cat "$dir"/*.isa | wc -l)" -le 340 ] || fail "the museum's descriptions have grown past 340 lines"

# ---- What is particular about each ----
prints fraud fib 0 '0 1 1 2 3 5 8 13 21 34 55 89 144 233 377 0'
prints enigma first 100 ''
prints enigma memories 0 $'16909060\n3'
prints enigma numbers 0 '-12.750000-42' $'-12.75 -42\n'
prints buffed widths 0 $'1\n258\n16909060\n72623859790382856\n!'
prints enigma_v2 squares 0 $'166650\n171700'
prints khoya powers 0 $'1594323\n1594323\n3628800'
prints aspire cores 7 'cores'

# ---- The loops, a thousand times round: every instruction is counted ----
loops() { # MACHINE INSTRUCTIONS TEXT
	sed 's/1000000000/1000/' "$dir/$1/loop.asm" >loop.asm
	grep -q 1000 loop.asm || fail "no count in $1/loop.asm"
	expect 0 m "$1" --format json loop.asm
	has "$err" "\"instructions\": *$2\b"
	[ "$out" = "$3" ] || fail "$1/loop prints '$out'"
}
loops fraud 2003 0
loops enigma 2002 ''
loops buffed 2002 ''
loops enigma_v2 2007 0
loops khoya 3004 0
loops aspire 2004 ''

# ---- Bad programs stop with the place and the reason ----
# bad MACHINE CODE MESSAGE TEXT
bad() {
	printf '%s\n' "$4" >bad.asm
	expect "$2" m "$1" bad.asm </dev/null
	has "$err" "$3"
	has "$err" 'bad\.asm:[0-9]+|0x[0-9A-F]{2}'
}
bad fraud 133 'stack underflow.*bad.asm:2' $' PUSH 1\n ADD'
bad fraud 133 'stack underflow' ' SWAP'
bad fraud 133 'stack underflow' $' PUSH 1\n PUSH 1\n PICK'
bad fraud 133 'stack underflow' $' PUSH 1\n PUSH -1\n PICK'
bad fraud 133 'stack overflow' $'a: PUSH 1\n JMP a'
bad fraud 133 'division by zero.*bad.asm:3' $' PUSH 1\n PUSH 0\n MOD'
bad fraud 133 'address out of range' $' PUSH 65536\n LOAD'
bad fraud 133 'address out of range' $' PUSH 1\n PUSH -1\n STORE'
bad fraud 133 'return without a call' ' RET'
bad fraud 133 'too many calls' 'a: CALL a'
bad fraud 139 '0x0*10000' ' JMP 0x10000'
bad enigma 133 'stack underflow' ' POP'
bad enigma 133 'stack overflow' $'a: PUSH 7\n JMP a'
bad enigma 133 'division by zero' ' DIV ar, br'
bad enigma 133 'unknown system call' $' LOAD ar, 99\n SYSCALL'
bad enigma 139 'Q\[0x0*4000\]|0x0*4000' ' LEA ar, qword 0x4000'
bad enigma 139 '0x0*20000' ' STORE ar, byte 0x20000'
bad buffed 133 'stack underflow' ' POP_VAL'
bad buffed 133 'stack overflow' $'a: PUSH_VAL 7\n JMP a'
bad buffed 133 'division by zero' ' DIV rega, 0'
bad buffed 133 'no such width of access' $' MOV regb, 0x03000000\n LOAD rega, regb'
bad buffed 139 '0x0*100000' ' STORE rega, byte 0x100000'
bad buffed 139 '0x0*100000' ' LOAD rega, qword 0xFFFFC'
bad enigma_v2 133 'stack underflow.*bad.asm:3' $' BOOT a\n SERVE\na: POP_REGR rega'
bad enigma_v2 133 'stack overflow' $' BOOT a\n SERVE\na: PUSH_VAL 7\n JMP a'
bad enigma_v2 133 'division by zero' $' BOOT a\n SERVE\na: DIV rega, regb'
bad enigma_v2 133 'no more cores' "$(for _ in {1..33}; do echo ' BOOT a'; done; printf ' SERVE\na: JMP a')"
bad enigma_v2 139 '0x0*100000' $' BOOT a\n SERVE\na: LOAD rega, byte 0x100000'
bad khoya 133 'division by zero.*bad.asm:4' $' CORE a\n WAIT\na: MOV ka, 5\n IDIV ka, kb'
bad khoya 133 'no more cores' "$(for _ in {1..64}; do echo ' CORE a'; done; printf ' WAIT\na: HALT')"
bad aspire 133 'exception 257 \(divide by zero\).*bad.asm:3' $' START a\n SERVE\na: IDIV Aa, Ab'
bad aspire 133 'exception 261 \(page fault\)' $' START a\n SERVE\na: LOAD Aa, [Ab + 0x200000]'
bad aspire 133 'exception 262 \(stack overflow\)' $' START a\n SERVE\na: PUSHA\n CALL a'
bad aspire 133 'exception 263 \(stack underflow\)' $' START a\n SERVE\na: POPA'
bad aspire 133 'exception 256 \(no such interrupt\)' $' START a\n SERVE\na: INTR 9'

# An opcode that no machine has; one that the notes name without saying what it is.
printf '\377\0\0\0\0\0\0\0' >opcode.bin
for machine in fraud enigma buffed enigma_v2 khoya aspire; do
	expect 132 m "$machine" opcode.bin
	has "$err" 'illegal instruction at 0x'
done
printf '\012\0\0\0\0\0\0\0' >opcode.bin # 10, one of Aspire's movzx
expect 132 m aspire opcode.bin
# A width that is none stands in no instruction of Enigma's.
printf '\104\0\0\0\0\0\0\0\060\0\0\0\0\0\0\0' >width.bin # STORE ar, width 3
expect 132 m enigma width.bin

# ---- Quirks ----
# er1-er4 are ar-dr in arithmetic, in both operands; registers of their own for MOV.
cat >alias.asm <<'ASM'
	LOAD ar, 5
	LOAD er1, 100
	ADD  er1, er1   ; ar = 10
	MOV  br, er1    ; 100
	ADD  br, ar     ; 110
	MOV  ar, br
	HALT
ASM
expect 110 m enigma alias.asm
# A conditional move, the sense of CMP, system call 16.
cat >text.asm <<'ASM'
	LOAD br, text
	LOAD cr, 3
	LOAD ar, 16
	SYSCALL
	LOAD dr, 1
	CMP  cr, dr
	MOVSE ar, cr
	MOVG ar, dr
	HALT
.data
text:	.text "hey"
ASM
expect 1 m enigma text.asm
[ "$out" = hey ] || fail "system call 16"
# A core of Khoya's that has no HALT ends when its instructions are used up; two cores report in any order.
printf ' CORE a\n WAIT\na: MOV ka, 77\n' >end.asm
expect 0 m khoya end.asm
[ "$out" = 77 ] || fail "khoya without HALT"
# 31 cores at once, each with its overseer; and a deterministic run repeats exactly.
{ for _ in {1..31}; do echo ' BOOT a'; done; printf ' SERVE\na: MOV rega, 4\n SYSCALL\n HALT\n'; } >many.asm
expect 0 m enigma_v2 many.asm
[ "$(wc -l <<<"$out")" = 31 ] || fail "not 31 reports"
first=$out
expect 0 m enigma_v2 many.asm
[ "$out" = "$first" ] || fail "two runs differ"
# A core that waits for input lets the others run on.
cat >input.asm <<'ASM'
	START a
	SERVE
a:	MOV Ax1, b
	INTR 1
	MOV Ax1, 'x'
	INTR 5
	INTR 0
b:	INTR 2          ; read a number
	INC Ax1
	INTR 5
	HALT
ASM
expect 120 m aspire input.asm <<<"64 "
[ "$out" = "xA" ] || fail "input of a core"

# What is taken apart goes together again: also code that only a manager's header names.
for program in fraud/fib fraud/loop enigma/loop buffed/loop enigma_v2/loop enigma_v2/squares khoya/powers aspire/loop; do
	expect 0 "$HUSK" asm -q -m "$dir/${program%/*}.isa" -f raw -o one.bin "$dir/$program.asm"
	expect 0 "$HUSK" dis -m "$dir/${program%/*}.isa" --source -o one.asm one.bin
	expect 0 "$HUSK" asm -q -m "$dir/${program%/*}.isa" -f raw -o two.bin one.asm
	cmp one.bin two.bin || fail "$program: apart and together again is something else"
done
for machine in fraud enigma buffed enigma_v2 khoya aspire; do
	expect 0 "$HUSK" isa doc "$dir/$machine.isa"
	has "$out" 'HALT'
done

# The status is the first core's, though its number may have been used again.
cat >status.asm <<'ASM'
	START a
	SERVE
a:	MOV Ax1, b
	INTR 1
	MOV Ax1, 9
	INTR 0
b:	MOV Aa, 3000    ; by now the first is gone
more:	DEC Aa
	JIF nz, more
	MOV Ax1, c
	INTR 1
	INTR 0
c:	MOV Ax1, 33
	INTR 0
ASM
expect 9 m aspire status.asm

# Every command a README shows runs.
while IFS= read -r line; do
	case $line in *loop.asm*) continue ;; esac
	code=0
	(cd "$TOP" && eval "timeout 20 \"\$HUSK\" ${line#    husk }") >readme.out 2>&1 </dev/null || code=$?
	case $code in 0 | 7 | 100) ;; *) fail "README: $line: $(cat readme.out)" ;; esac
done < <(grep '^    husk ' "$dir/README.md")
