#!/bin/bash
# SPDX-License-Identifier: MIT
# husk repl: lines, what they change, labels, loops, limits, faults, undo, files, spawned programs, hostile input.
set -eu
source "$TOP/tests/cli/common.bash"

# session MACHINE LINE...: the lines, each on its own, into a session that ends well and says nothing on stderr.
session() {
	local machine=$1
	shift
	printf '%s\n' "$@" >lines.txt
	code=0
	timeout 60 $HUSK repl --fuel 500000 $machine <lines.txt >stdout.txt 2>stderr.txt || code=$?
	out=$(tr -d '\0' <stdout.txt) err=$(tr -d '\0' <stderr.txt)
	[ "$code" = 0 ] || fail "exit code $code: husk repl $machine"
	[ -z "$err" ] || fail "something on stderr: husk repl $machine"
}
# is LINE...: that is all of the output.
is() {
	[ $# = 0 ] && : >wanted.txt || printf '%s\n' "$@" >wanted.txt
	diff wanted.txt stdout.txt >difference.txt || fail "$(cat difference.txt)"
}
lacks() { ! grep -qE -- "$2" <<<"$1" || fail "should not be there: $2"; }

# ---- Registers, memory, labels, loops ----
session lc3 'ADD R0, R0, #5'; is 'R0 = 5  cc: P'
session lc3 'ADD R0, R0, #5' 'ADD R1, R0, #-6' 'AND R0, R0, #0'
is 'R0 = 5  cc: P' 'R1 = -1 (xFFFF)  cc: N' 'R0 = 0  cc: Z'
session lc3 'x .FILL 3' 'ADD R0,R0,#7' 'ST R0, x' '? M[x] + 1' '= R0 * 2' '? x'
is 'x3000  0003       x .FILL 3' 'x = x3000' 'R0 = 7  cc: P' 'M[x3000] = 7' '8' '14 (x000E)' 'x3000'
session lc3 'ADD R0, R0, #3' 'loop ADD R1, R1, R0' 'ADD R0, R0, #-1' 'BRp loop' 'ADD R2, R1, #0'
is 'R0 = 3  cc: P' 'loop = x3001' 'R1 = 3' 'R0 = 2' 'R0 = 0  R1 = 6  cc: Z' '(7 instructions)' 'R2 = 6  cc: P'
session lc3 '' '   ' $'\t' 'NOP'; is
session tiny8 'LDI R0, 5' 'loop: ADDI R0, -1' 'JNZ loop' '? R0'
is 'R0 = 5' 'loop = 0x02' 'R0 = 4' 'R0 = 0  zero = 1' '(9 instructions)' '0'
session tiny8 'LDI R3, 0xFF' 'LDI R2, 65' 'ST [R3], R2'; is 'R3 = -1 (0xFF)' 'R2 = 65 (0x41)' 'A'
session tiny8 'LDI R1, 0xFE' 'LD R0, [R1]' 'z' '? R0'; is 'R1 = -2 (0xFE)' 'R0 = 122 (0x7A)' '122 (0x7A)' # a line of input
session 6502 'LDA #5' 'TAX' 'loop: DEX' 'BNE loop' 'STA $10'
is 'A = 5' 'X = 5' 'loop = $0003' 'X = 4' 'X = 0  Z = 1' '(9 instructions)' 'M[$0010] = 5'
session chip8 'LD V0, 5' 'LD I, 0x300' 'LD B, V0'; is 'V0 = 5' 'I = 768 (0x0300)' 'M[0x302] = 5'
session "$TOP/tests/isa/svm.isa"; is
session "--profile tiny lc3" 'msg .STRINGZ "hi"' 'LEA R0, msg' 'PUTS'
has "$out" '^hi$'
session lc3 'msg .STRINGZ "hi"' 'LEA R0, msg' 'PUTS'; has "$out" '^hi$'; lacks "$out" 'M\['
session lc3 'GETC' 'q' '? R0' # the operating system only looks for keys
has "$out" '^R0 = 113 '; has "$out" '^113 '

# ---- Mistakes: the place, the reason, and the session goes on ----
session lc3 'ADD R0, R0, #40' 'ADD R0, R0, #4'
is "line:1:13: error: 40 does not fit 'i', 5 bits signed (-16..15)" '    1 | ADD R0, R0, #40' '      |             ^~~' \
	'R0 = 4  cc: P'
session lc3 'BR nowhere' '!program'; has "$out" "there is no label 'nowhere'"; has "$out" '^the program is empty$'
session lc3 'a ADD R0,R0,#1' 'a ADD R0,R0,#1' '? R0'; has "$out" "label 'a' is defined already: x3000"; has "$out" '^1$'
session lc3 '? nothing' '? 1/0' '? M[' '?' '!undo' '!frob' '!undp' '!set R0' '!set 5 = 3' '!memory' '!end' '!hex' '!hex 12345' \
	'!explain' '!screen' '!input' '? R0'
[ "$(grep -c . stdout.txt)" = 16 ] || fail "16 answers expected"; has "$out" 'did you mean !undo\?'; has "$out" '^0$'

# ---- Faults stop the line and leave the machine as before the instruction ----
session tiny8 'LDI R0, 7' '!hex FF' '? R0' '!program'
is 'R0 = 7' 'fault: illegal instruction at 0x02' 'the line is not part of the program' '7' '0x00  70 07      LDI R0, 7'
cat >traps.isa <<'ISA'
isa Traps "small"
space M : 8 x 256
code M
space D : 8 x 12
reg r[4] : 8
reg pc : 8
field a b : r
field n : unsigned
insn LDI "0000 00 a:2 n:8" a, n { a = n }
insn ST "0001 a:2 b:2" [a], b { D[zx(a, 64)] = b }
insn DIV "0010 a:2 b:2" a, b { if (b == 0) raise 3 "division by zero"; a = a /u b }
insn JMP "0011 0000 n:8" n { jump n }
insn INC "0100 a:2 00" a { a = a + 1 }
asm { comment ";" label colon separators "," number dec
  .byte v = data 8 v }
ISA
session ./traps.isa 'LDI r0, 9' 'DIV r0, r1' 'LDI r1, 11' 'ST [r1], r0' 'LDI r1, 12' 'ST [r1], r0' '? r0' '!undo' '? r1'
has "$out" 'fault: unhandled exception 3 \(division by zero\)'; has "$out" '^fault: write outside memory, D\['
has "$out" '^D\[0x0B\] = 9$'; has "$out" '^9$'
[ "$(tail -n 1 stdout.txt)" = '11 (0x0B)' ] || fail "!undo after a fault took back something else"
# In a loop: what was done before the fault stays.
session ./traps.isa 'LDI r0, 9' 'loop: ST [r0], r0' 'INC r0' 'JMP loop' '? r0' '!program' '!undo' '? r0' 'INC r0'
has "$out" '^D\[0x0A..0x0B\] = 0x0A 0x0B$'; has "$out" '^fault: write outside memory, D\[0x0*C\]'; has "$out" '^12 '
lacks "$out" '^0x.*JMP'; [ "$(tail -n 1 stdout.txt)" = 'r0 = 11 (0x0B)' ] || fail "the end of a loop that faulted"

# ---- Limits ----
session "--fuel 1000 lc3" 'loop ADD R0, R0, #1' 'BR loop' '? R0' 'ADD R1, R1, #1' '!undo 2' '? R0'
has "$out" '^stopped after 1000 instructions, at x300[01]; !undo takes the line back$'; has "$out" '^501 '; has "$out" '^R1 = 1$'
[ "$(tail -n 1 stdout.txt)" = 1 ] || fail "!undo 2"
session lc3 'HALT' 'ADD R0, R0, #1' '? user'
has "$out" '^the program ended normally; the session goes on$'; has "$out" '^R0 = 1  cc: P$'; [ "$(tail -n 1 stdout.txt)" = 1 ]
session lc3 '!quit' 'ADD R0, R0, #1'; is

# ---- Undo, reset, clear ----
session lc3 'a ADD R0,R0,#1' 'ADD R0,R0,#1' '!undo' '? R0' '!undo' '? R0' '!symbols' 'a ADD R0,R0,#2' '!undo' '!undo'
is 'a = x3000' 'R0 = 1  cc: P' 'R0 = 2' 'back to before the last line' '1' 'back to before the last line' '0' \
	'no labels yet' 'a = x3000' 'R0 = 2  cc: P' 'back to before the last line' 'there is nothing to undo'
session lc3 'ADD R0,R0,#1' '!clear_program' '!program' '? M[x3000]' '? R0' '!undo' '!program' '!clear_registers' '? R0'
is 'R0 = 1  cc: P' 'the program is empty' '0' '1' 'back to before the last line' 'x3000  1021       ADD R0,R0,#1' '0'
session lc3 'a ADD R0,R0,#1' '!reset' '? R0' '!program' 'a ADD R0,R0,#3'
is 'a = x3000' 'R0 = 1  cc: P' 'everything is as at the beginning' '0' 'the program is empty' 'a = x3000' 'R0 = 3  cc: P'
session lc3 '!set R3 = 7' '!set M[x4000] = R3' '!memory x4000 2' '!undo 2' '? R3 + M[x4000]'
is 'R3 = 7' 'M[x4000] = 7' 'M[x4000] 0007 0000' 'back by 2 lines' '0'

# ---- Blocks, running again, cells in hex, explanations ----
session lc3 '!block' '        JSR twice' '        HALT' 'twice   ADD R0, R0, R0' '        RET' '!end' '!set R0 = 3' 'JSR twice' '!run'
has "$out" '^R0 = 6'; has "$out" '^the program ended normally'; lacks "$out" 'error'
session lc3 'ADD R0,R0,#1' 'ADD R0,R0,#2' '!run' '? R0'; [ "$(tail -n 1 stdout.txt)" = 6 ] || fail '!run from the beginning'
session lc3 '!hex 1025 1026' '!program' '!disasm'
has "$out" '^R0 = 11 '; has "$out" '^x3000  1025 1026  ADD R0, R0, #5$'; has "$out" '^x3001  1026 .*ADD R0, R0, #6$'
session lc3 '!explain ADD R0, R0, #1' '? R0' '!program'; has "$out" 'R0 = R0 \+ 1'; has "$out" 'the program is empty'
session lc3 'ADD R0,R0,#1' '!history'; is 'R0 = 1  cc: P' '    1  ADD R0,R0,#1' '    2  !history'
session chip8 '!screen'; [ "$(grep -c '^\.\{64\}$' stdout.txt)" = 32 ] || fail "no screen"
session lc3 '!help'; has "$out" '!load_file'; has "$out" '!spawn'

session lc3 'ADD R0, R0, #2' '!trace on' 'loop ADD R1, R1, #1' 'ADD R0, R0, #-1' 'BRp loop' '!trace off' '? R1'
has "$out" '^x3003  03FD +BRp loop$'; [ "$(grep -c '^x3001 ' stdout.txt)" = 2 ] || fail '!trace'; [ "$(tail -n 1 stdout.txt)" = 2 ]

# ---- Several vCPUs: lines are vCPU 0's, others run while it runs ----
vcpus=$TOP/tests/isa/vcpus.isa
session "$vcpus" '!block' 'w: LI R1, 100' 'c: INC R2, R1' '   JMP c' '!end' '!set R3 = w' 'START R4, R3' 'LI R6, 50' \
	'l: ADDI R6, R6, -1' 'BNZ R6, l' 'LI R0, 1' 'SLEEP R0' 'KILL R4' 'STATE R5, R4' '? M[100] > 0' 'END R0' '? R0'
has "$out" '^R4 = 1$'; has "$out" '^R5 = 5$'; has "$out" '^R6 = 0$'; [ "$(tail -n 1 stdout.txt)" = 1 ] || fail "vCPU 0"
session "$vcpus" '!block' 'go: START R4, R3' 'SLEEP R0' 'JMP fin' 'x: LI R1, 7' 'fin:' '!end' '!set R3 = x' '!set R0 = 1' '!run go' \
	'WAIT R0' 'LI R0, 2'
has "$out" '^vCPU 1 has come to the end of the program: it waits there$'; has "$out" '^fault: '; [ "$(tail -n 1 stdout.txt)" = 'R0 = 2' ]

# ---- Files ----
session lc3 'ADD R0,R0,#5' 'loop ADD R1,R1,#1' 'ADD R0,R0,#-1' 'BRp loop' '!save saved.asm'; has "$out" '^saved in saved.asm$'
lacks "$out" 'not assemble'
session lc3 '!load_file saved.asm' '? R1' '!load_file' 'saved.asm' '? R1' # it works again and again
[ "$(grep -c '^[0-9]' stdout.txt)" = 2 ] || fail "loading twice"
session lc3 '!load_file nowhere.asm' '!load_file /dev/null' '!spawn nowhere.asm' '!load_file .' 'ADD R0,R0,#1'; has "$out" '^R0 = 1'
echo 'ADD R9' >bad.asm; session lc3 '!load_file bad.asm' '!spawn bad.asm' '? 5'; has "$out" 'bad.asm:1:'; has "$out" '^5$'
echo '!save /nowhere/x.asm' >lines.txt; expect 0 $HUSK repl lc3 <lines.txt; has "$out" '^could not be saved$'

# ---- A program in a machine of its own ----
hello >hello.asm; spin >spin.asm
stamp='^20[0-9-]{8}T[0-9:.]{12}Z  '
session lc3 'ADD R0,R0,#5' '!spawn hello.asm' '? R0' '!program'
has "$out" "${stamp}Start\$"; has "$out" "${stamp}GracefulStop \\{code: 0\\}\$"; has "$out" '^hello$'; has "$out" '^5$'
[ "$(grep -c '^x3' stdout.txt)" = 1 ] || fail "a spawned program came into the session's"
session "--fuel 100 lc3" '!spawn spin.asm' '? 7'; has "$out" "${stamp}Crash \\{code: 137\\}"; has "$out" '^7$'
printf '.byte 255\n' >ret.asm; session tiny8 '!spawn ret.asm' 'LDI R0, 1'; has "$out" "${stamp}Crash \\{code: 132\\}"; has "$out" '^R0 = 1$'

# ---- Hostile ----
{ head -c 10000000 /dev/zero | tr '\0' A; printf '\nADD R0,R0,#1\n'; } >long.txt
expect 0 timeout 60 $HUSK repl lc3 <long.txt; has "$out" '^R0 = 1  cc: P$'; has "$out" 'longer than 65536 bytes'
head -c 60000 "$HUSK" | tail -c 50000 >junk.txt
for machine in lc3 tiny8 6502; do expect 0 timeout 60 $HUSK repl $machine <junk.txt; done
for ((i = 0; i < 1500; i++)); do echo "l$i ADD R0, R0, #1"; done >many.txt
expect 0 timeout 60 $HUSK repl lc3 <many.txt; has "$out" '^R0 = 1500 '
expect 0 $HUSK repl lc3 </dev/null; [ -z "$out" ] || fail "EOF alone prints something"

# ---- Called in other ways ----
expect 127 $HUSK repl nonesuch </dev/null
expect 125 $HUSK repl lc3 --isa lc3 </dev/null; one_error
expect 125 $HUSK repl lc3 tiny8 </dev/null; one_error
echo 'ADD R0,R0,#1' >one.txt
expect 0 $HUSK repl --prompt <one.txt; has "$out" '!help'; has "$out" '^> R0 = 1'
expect 0 $HUSK repl --isa tiny8 </dev/null
code=0; $HUSK repl lc3 <one.txt >/dev/full 2>stderr.txt || code=$?; [ $code = 125 ] || fail "a full device gave $code"
