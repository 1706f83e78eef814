#!/bin/bash
# SPDX-License-Identifier: MIT
# husk debug in batch mode: stepping, breakpoints, printing, memory, source, errors, plain lines on stdin.
set -eu
source "$TOP/tests/cli/common.bash"

cat >count.asm <<'ASM'
        .ORIG x3000
        LD   R2, TEN
LOOP    ADD  R0, R2, #0
        JSR  DIGIT
        STI  R0, OUTPUT
        ADD  R2, R2, #-1
        BRzp LOOP
        LD   R3, STOP
        STI  R3, CONTROL
DIGIT   LD   R1, ZERO
        ADD  R0, R0, R1
        RET
TEN     .FILL #9
ZERO    .FILL x30
STOP    .FILL x7FFF
OUTPUT  .FILL xFE06
CONTROL .FILL xFFFE
        .END
ASM
# Supervisor mode, so that it may talk to the devices itself.
sed 's/x3000/x1000/' count.asm >super.asm
debug() { # COMMAND...: in super.asm
	local args=()
	for command; do args+=(-c "$command"); done
	run $HUSK debug "${args[@]}" super.asm
	[ -z "$err" ] || fail "noise on stderr"
}
ok() { debug "$@"; [ "$code" = 0 ] || fail "exit code $code: $*"; }
bad() { debug "$@"; [ "$code" = 1 ] || fail "exit code $code instead of 1: $*"; has "$out" '^error: '; }

ok continue;              has "$out" '^9876543210$'; has "$out" 'The program has ended, code 0'
ok step;                  has "$out" '^=> x1001 <LOOP>  super.asm:3  LOOP    ADD  R0, R2, #0$'; has "$out" 'R2 x0000 -> x0009'
ok 'step 5' 'print R2';   has "$out" '^R2 = x0009 \(9\)$'
ok 'until DIGIT' bt;      has "$out" '^#0   x1008 <DIGIT>  in x1008 <DIGIT>  super.asm:10$'
                          has "$out" '^#1   x1002 <LOOP\+1>  super.asm:4$'
ok 'until DIGIT' finish;  has "$out" '^=> x1003 <LOOP\+2>'
ok 'u :4' 'until :4' n;   has "$out" '^=> x1003 <LOOP\+2>'
ok 'b LOOP if R2 == 5' c 'p R2' 'info b'
has "$out" '^9876$'; has "$out" '^Breakpoint 1, LOOP if R2 == 5$'; has "$out" '^R2 = x0005'; has "$out" 'hit 1 time$'
ok 'tb super.asm:5' c c;  has "$out" '^Breakpoint 1, super.asm:5$'; has "$out" 'The program has ended'
ok 'b LOOP' 'disable 1' c; has "$out" 'The program has ended'
ok 'b LOOP' 'delete 1' c; has "$out" 'The program has ended'
ok 'watch R2' c c 'p R2'; has "$out" '^Watchpoint 1, R2: x0009 \(9\) -> x0008 \(8\)$'
ok 'runto 30' 'p icount'; has "$out" '^icount = 30 '
ok 'p/x 10' 'p/t R0 + 5' 'p/d R0 - 1' "p/c 65" 'p LOOP' 'p M[TEN]'
has "$out" '^10 = xA$'; has "$out" '= 0b0000000000000101$'; has "$out" '^R0 - 1 = -1$'; has "$out" "^65 = 'A'$"
has "$out" '^LOOP = x1001 <LOOP>$'; has "$out" '^M\[TEN\] = x0009'
ok 'set R5 = x1234' 'set M[TEN] = 3' 'p R5' c; has "$out" '^R5 = x1234'; has "$out" '^3210$'
ok 'x/3 TEN' 'x/2i LOOP'; has "$out" '^x100B <TEN>: x0009 x0030 x7FFF$'; has "$out" '^ +x1002  4805  JSR DIGIT$'
ok 'x/s x0380';           has "$out" '^x0380: "'
ok 'list LOOP';           has "$out" '^ +3  LOOP    ADD  R0, R2, #0$'; has "$out" '^=> +2  '
ok 'info registers';      has "$out" '^pc +x1000'; has "$out" 'PSR +x0002'
ok 'info symbols O';      has "$out" '^x1001  LOOP$'; has "$out" '^x100E  OUTPUT$'
ok 'explain LOOP';        has "$out" 'R0 = R2 \+ 0'
ok help 'help break';     has "$out" 'reverse-continue, rc'; has "$out" 'if COND'
ok '# nothing' '' s

bad nonsense; bad re; bad 'print'; bad 'print 1 +'; bad 'print nothing'; bad 'break NOWHERE'; bad 'break :999'
bad 'set 5 = 5'; bad 'set R0'; bad 'watch 5'; bad 'delete 7'; bad 'x/y 5'; bad 'restore nofile'; bad finish; bad 'info x'
bad 'break LOOP iff 1'; bad 'step 1 2'; bad 'x/99999999 0'
bad nonsense 'p 42'; ! grep -q '42 =' stdout.txt || fail "went on after an error"

# Scripts and plain lines; a command that fails does not end the latter.
printf 'b LOOP\r\nc\n# remark\nquit\np 1\n' >script
expect 0 $HUSK debug -x script super.asm; has "$out" '^Breakpoint 1, LOOP'; ! grep -q '^1 =' stdout.txt || fail "went on after quit"
printf 'nonsense\nstep\nprint icount' >lines
expect 0 $HUSK debug super.asm <lines; has "$out" '^error: .nonsense. is no command'; has "$out" '^icount = 1 '
expect 127 $HUSK debug -x none super.asm
expect 127 $HUSK debug none.asm
expect 126 $HUSK debug --profile nonsense super.asm

# Input: given before, or by a command when the program waits.
cat >echo.asm <<'ASM'
        .ORIG x3000
AGAIN   GETC
        OUT
        BR   AGAIN
        .END
ASM
printf 'xyz' >input
expect 0 $HUSK debug --profile tiny --input input -c 'b AGAIN if R0 == 122' -c c -c 'info stats' echo.asm
has "$out" '^xyz$'; has "$out" '3  bytes of input, 0 waiting, ended'
expect 0 $HUSK debug --profile tiny -c c -c 'input "a\x62\n"' -c c echo.asm
has "$out" '^The program waits for input'; has "$out" '^ab$'

# A program that asks the keyboard's status again and again waits too; what it is given lets it go on.
expect 0 timeout 20 $HUSK debug --profile v3 -c c -c 'input "z"' -c 'c' -c 'eof' -c 'c' echo.asm
[ "$(grep -c '^The program waits for input' <<<"$out")" = 2 ] || fail "it does not wait twice"
has "$out" '^z'; has "$out" 'which has ended'
# In the past it is not asked: what was typed later is on record.
expect 0 timeout 20 $HUSK debug --profile v3 -c c -c 'input "z"' -c c -c 'goto 0' -c 'break AGAIN' -c 'c' -c 'p R0' echo.asm
[ "$(grep -c '^The program waits for input' <<<"$out")" = 2 ] || fail "it waits in the past"
has "$out" '^R0 = x007A'

# Values that do not fit, counts that are none, words of other debuggers, registers shown after `set`, one text.
for value in 65536 -32769 x12345678; do expect 1 $HUSK debug -c "set R0 = $value" count.asm; has "$out" 'does not fit 16 bits'; done
expect 1 $HUSK debug -c "set M[x3000] = 99999" count.asm; has "$out" '99999 does not fit 16 bits'
expect 0 $HUSK debug -c 'set R0 = -32768' -c 'p/x R0' -c 'set R0 = 65535' -c 'p/x R0' count.asm
has "$out" 'R0 = x8000'; has "$out" 'R0 = xFFFF'
expect 1 $HUSK debug -c 'step -1' count.asm; has "$out" "'-1' is no count"
expect 1 $HUSK debug -c 'run' count.asm; has "$out" 'here it is `continue`'
expect 0 $HUSK debug -c 'set R0 = 7' -c 'step 2' count.asm; has "$out" 'R0 x0007 -> x0009'
expect 0 $HUSK debug -c 'break' -c 'info breaks' count.asm; has "$out" '^1 +break on +x3000, hit 0 times$'
printf '.ORIG x3000\n HALT\nS .STRINGZ "one"\n .STRINGZ "two"\n.END\n' >texts.asm
expect 0 $HUSK debug -c 'x/s S' texts.asm; has "$out" '"one"'; grep -q '"two"' <<<"$out" && fail "x/s shows more than one text"
:

# The reader of its output goes away, the output does not fit, stdin has no end: it ends.
code=$( { code=0; yes 'p 1' | timeout 20 $HUSK debug count.asm 2>stderr.txt || code=$?; echo $code >code.txt; } | head -2 >/dev/null; cat code.txt)
[ "$code" = 141 ] || fail "closed output gave $code"; [ ! -s stderr.txt ] || fail "closed output: noise"
if [ -w /dev/full ]; then
	code=0; echo 'p 1' | $HUSK debug count.asm >/dev/full 2>stderr.txt || code=$?
	[ $code = 125 ] && grep -q 'cannot write the output' stderr.txt || fail "a full disk gave $code"
fi
run timeout 20 $HUSK debug count.asm </dev/zero; [ "$code" != 124 ] || fail "it reads a device for ever"
expect 1 $HUSK debug -c 'break xFFFFFF' count.asm; has "$out" 'is no address'
expect 1 $HUSK debug -c '?' count.asm; has "$out" 'here it is `help`'
