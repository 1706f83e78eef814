#!/bin/bash
# SPDX-License-Identifier: MIT
# husk debug: going back, snapshots, several futures.
set -eu
source "$TOP/tests/cli/common.bash"

cat >sum.asm <<'ASM'
        .ORIG x3000
        LD   R1, N
LOOP    ADD  R0, R0, R1
        STR  R0, R5, #0
        ADD  R5, R5, #1
        ADD  R1, R1, #-1
        BRp  LOOP
        ST   R0, SUM
        HALT
N       .FILL #1000
SUM     .BLKW 1
        .END
ASM
debug() {
	local args=()
	for command; do args+=(-c "$command"); done
	expect 0 $HUSK debug --profile tiny "${args[@]}" sum.asm
}
value() { # NAME: what the last `p NAME` printed
	grep "^$1 = " stdout.txt | tail -1
}

# Who wrote SUM? The program set out to destroy the evidence: 5000 instructions later.
debug 'set R5 = x4000' 'watch M[SUM]' c 'p icount' c rc 'p/d M[SUM]'
has "$out" 'The program has ended'; has "$out" 'by this instruction:$'; has "$out" '^=> x3006 <LOOP\+5>'
[ "$(value 'M\[SUM\]')" = 'M[SUM] = 0' ] || fail "not before the store"

# There and back are the same place.
debug 'set R5 = x4000' 'goto 4000' 'p R0' 'p R1' 'back 1234' 'p R0' 'goto 4000' 'p R0' 'p R1'
[ "$(grep '^R0 = ' stdout.txt | sed -n 1p)" = "$(grep '^R0 = ' stdout.txt | sed -n 3p)" ] || fail "another R0"
[ "$(grep '^R0 = ' stdout.txt | sed -n 1p)" != "$(grep '^R0 = ' stdout.txt | sed -n 2p)" ] || fail "went nowhere"
[ "$(grep '^R1 = ' stdout.txt | sed -n 1p)" = "$(grep '^R1 = ' stdout.txt | sed -n 2p)" ] || fail "another R1"

debug 's 3' 'back 10';  has "$out" '^This is the beginning of the recorded past\.$'
debug 'b LOOP' c c c 'p R1' rc rc 'p R1' 'info b'
[ "$(grep '^R1 = ' stdout.txt | sed -n 1p)" = 'R1 = x03E6 (998)' ] || fail "third time"
[ "$(grep '^R1 = ' stdout.txt | sed -n 2p)" = 'R1 = x03E8 (1000)' ] || fail "back to the first"

# A change makes another future; the first future is gone, the past is not.
debug 'goto 100' 'back 50' 'set R1 = 2' 'runto 54' 'p R1' 'goto 10' 'p R1' 'goto 54' 'p R1'
[ "$(grep '^R1 = ' stdout.txt | tail -1)" = "$(grep '^R1 = ' stdout.txt | head -1)" ] || fail "the change was lost"

# Snapshots: in another process, and for run.
debug 'set R5 = x4000' 'goto 2000' 'snapshot s.bin' 'p R0'; before=$(value R0)
expect 0 $HUSK debug --profile tiny -c 'restore s.bin' -c 'p R0' -c 'p icount' sum.asm
[ "$(value R0)" = "$before" ] || fail "restored something else"; has "$out" '^icount = 2000 '
expect 0 $HUSK debug -c 'p R0' -c c s.bin
[ "$(value R0)" = "$before" ] || fail "snapshot as a file"; has "$out" 'The program has ended'
expect 0 $HUSK run s.bin
printf x >>s.bin
expect 1 $HUSK debug --profile tiny -c 'restore s.bin' sum.asm; has "$out" '^error: s.bin: damaged content$'

# Output is shown once however often the past is visited.
cat >hi.asm <<'ASM'
        .ORIG x3000
        LEA R0, T
        PUTS
        HALT
T       .STRINGZ "once"
        .END
ASM
expect 0 $HUSK debug -c c -c 'goto 0' -c c -c 'back 5' -c c hi.asm
[ "$(grep -c once stdout.txt)" = 1 ] || fail "output repeated"
expect 0 $HUSK debug -c c -c reset -c c hi.asm
[ "$(grep -c once stdout.txt)" = 2 ] || fail "reset starts anew"
