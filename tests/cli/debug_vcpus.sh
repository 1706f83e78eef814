#!/bin/bash
# SPDX-License-Identifier: MIT
# husk debug with several vCPUs: whose instructions step and back mean, points that any of them hits, deadlocks.
set -eu
source "$TOP/tests/cli/common.bash"
isa=$TOP/tests/isa/vcpus.isa

cat >turns.asm <<'ASM'
        .ORG 0x100
        LI R2, 0x20
        START R3, R2
wait:   LI R0, 0x80
        LD R1, R0
        ADDI R1, R1, -5
        BNZ R1, wait
        STOP 0
        .ORG 0x20
one:    LI R4, 49
        LI R0, 0x80
        LI R5, 5
more:   INC R6, R0
        ADDI R5, R5, -1
        BNZ R5, more
        END R5
ASM
debug() { # debug COMMAND...: with turns of three instructions
	local args=()
	for command in "$@"; do args+=(-c "$command"); done
	run $HUSK debug --isa $isa --quantum 3 "${args[@]}" turns.asm
}

debug 'step 2' vcpus
has "$out" '^\* vCPU 0 +0x0102 <wait>  runs, 2 instructions$'; has "$out" '^  vCPU 1 +0x0020 <one>  can run, 0 instructions$'

# step stays with the one that is looked at; so does back.
debug 'step 2' 'vcpu 1' step step step step back
[ "$(grep -c '^=> \[vCPU 1\]' <<<"$out")" = 6 ] || fail "step left vCPU 1"
has "$(tail -2 <<<"$out")" '^=> \[vCPU 1\] 0x0023 <more>'
debug 'step 2' 'step 6' 'back 3' 'print R1' vcpus
has "$out" '^=> \[vCPU 0\] 0x0105 <wait\+3>'; has "$out" '^\* vCPU 0 .*, 5 instructions'
debug 'step 2' 'vcpu 1' 'step 100'; has "$out" '^=> \[vCPU 1\] 0x0027'
debug 'step 2' 'vcpu 1' 'next 2' 'reverse-next 2'; has "$(tail -2 <<<"$out")" '^=> \[vCPU 1\] 0x0020 <one>'
debug 'step 2' 'vcpu 2'; [ "$code" != 0 ] || fail "vcpu 2"; has "$out" 'there is no vCPU 2'

# Points: any vCPU hits a breakpoint; a watched register is that of the one it was set for.
debug 'break more' continue continue
has "$out" '^=> \[vCPU 1\] 0x0023 <more>'
debug 'step 2' 'vcpu 1' 'watch R5' continue continue continue
has "$out" '0x0000 \(0\) -> 0x0005 \(5\)'; has "$out" '0x0005 \(5\) -> 0x0004 \(4\)'; has "$out" '0x0004 \(4\) -> 0x0003 \(3\)'
debug 'watch M[0x80]' continue continue 'vcpu 0' rc
has "$(tail -3 <<<"$out")" '0x0001 \(1\) -> 0x0002 \(2\), by this'; has "$(tail -2 <<<"$out")" '^=> \[vCPU 1\] 0x0023 <more>'
debug continue; has "$out" 'The program has ended'
debug continue 'goto 20' 'goto 35' continue; has "$out" 'The program has ended'

# Time is skipped; a deadlock is explained.
printf '.ORG 0x100\nLI R1, 100\nSLEEP R1\nTIME R2\nLI R3, 7\nhere: WAIT R3\n' >turns.asm
debug continue vcpus
has "$out" '^Deadlock after 4 instructions: nothing can go on\.$'; has "$out" '^\* vCPU 0 .*<here>  waits for channel 0x7'
has "$out" 'R2 0x0000 -> 0x0064'
