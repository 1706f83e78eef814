#!/bin/bash
# SPDX-License-Identifier: MIT
# husk run with several vCPUs: turns, sleeping, deadlocks, limits, the trace and the JSON report.
set -eu
source "$TOP/tests/cli/common.bash"
isa=$TOP/tests/isa/vcpus.isa

# Two that sleep, with even turns and time that counts instructions: exact, and over at once.
cat >sleep.asm <<'ASM'
        .ORG 0x100
        LI R2, 0x20
        START R3, R2
        LI R1, 200
        SLEEP R1
        LI R4, 48
        OUT R4
        STOP 0
        .ORG 0x20
again:  LI R1, 80
        SLEEP R1
        LI R4, 49
        OUT R4
        JMP again
ASM
expect 0 $HUSK run --deterministic --isa $isa sleep.asm; [ "$out" = 110 ] || fail "virtual sleep"
# In real time it takes its 200 ms.
start=$(date +%s%N)
expect 0 $HUSK run --isa $isa sleep.asm </dev/null; [ "$out" = 110 ] || fail "sleep"
[ $(($(date +%s%N) - start)) -ge 200000000 ] || fail "did not sleep"
# --timeout and Ctrl-C reach a machine that sleeps, and --fuel one that cannot.
cat >long.asm <<'ASM'
        .ORG 0x100
        LI R1, -1
        SLEEP R1
        JMP 0x100
ASM
expect 124 $HUSK run --timeout 0.2 --isa $isa long.asm; one_error
expect 137 $HUSK run --deterministic --fuel 100 --isa $isa long.asm; one_error
run timeout -s INT 0.3 $HUSK run --isa $isa long.asm; [ "$code" = 124 ] || [ "$code" = 130 ] || fail "SIGINT: $code"

# Turns: the same every time, or as --quantum says.
cat >turns.asm <<'ASM'
        .ORG 0x100
        LI R2, 0x20
        START R3, R2
        LI R2, 0x24
        START R3, R2
wait:   LI R0, 0x80
        LD R1, R0
        ADDI R1, R1, -10
        BNZ R1, wait
        STOP 0
        .ORG 0x20
        LI R4, 49
        LI R0, 0x80
        JMP out
        .ORG 0x24
        LI R4, 50
        LI R0, 0x80
out:    LI R5, 5
more:   OUT R4
        INC R6, R0
        ADDI R5, R5, -1
        BNZ R5, more
        END R5
ASM
expect 0 $HUSK run --deterministic --isa $isa turns.asm; [ "$out" = 1111122222 ] || fail "long turns: $out"
expect 0 $HUSK run --deterministic --quantum 4 --isa $isa turns.asm; [ "$out" = 2121212121 ] || fail "short turns: $out"

# A deadlock, with the places.
cat >locks.asm <<'ASM'
        .ORG 0x100
        LI R2, 0x20
        START R3, R2
        LI R0, 0x90
        LI R1, 0x91
        LOCK R0
        YIELD
wants:  LOCK R1
        STOP 0
        .ORG 0x20
        LI R0, 0x91
        LI R1, 0x90
        LOCK R0
        YIELD
        LI R5, 1
        LI R5, 2
too:    LOCK R1
        STOP 0
ASM
expect 142 $HUSK run --isa $isa locks.asm; one_error
has "$err" 'deadlock: nothing can go on: vCPU 0 at 0x0106 \(wants, locks.asm:8\) waits for channel 0x91; vCPU 1 at 0x0026 \(too, locks.asm:17\) waits for channel 0x90$'
expect 142 $HUSK run --format json --isa $isa locks.asm
json_is stderr.txt state deadlock; json_is stderr.txt vcpus.1.state waits; json_is stderr.txt vcpus.1.pc 38
expect 142 $HUSK run --deterministic --trace=t.txt --quantum 1 --isa $isa locks.asm
has "$(cat t.txt)" '#0  +0x0106 .*LOCK R1 +\(waits\)$'; has "$(cat t.txt)" '#1  0x0020 .*LI R0, '

# One that fails is named; a bomb is stopped by the limit.
printf '.ORG 0x100\nLI R2, 0x20\nSTART R3, R2\nloop: JMP loop\n.ORG 0x20\nTRAP 9\n' >trap.asm
expect 133 $HUSK run --isa $isa trap.asm; one_error; has "$err" ', in vCPU 1$'
printf '.ORG 0x100\nLI R2, 0x80\nADD R2, R2, R2\nSTART R3, R2\nLI R4, 1\nADD R4, R3, R4\nBNZ R4, ok\nSTOP 3\nok: JMP 0x100\n' >bomb.asm
expect 3 $HUSK run --deterministic --isa $isa bomb.asm
expect 3 $HUSK run --vcpus 5 --format json --isa $isa bomb.asm; json_is stderr.txt vcpus.4.number 4
run json stderr.txt vcpus.5.number; [ "$code" != 0 ] || fail "a sixth vCPU"
expect 137 $HUSK run --memory 1K --isa $isa bomb.asm

# Half of a run in a snapshot, and the rest.
expect 137 $HUSK run --deterministic --quantum 4 --fuel 40 --snapshot-on-exit half.snap --isa $isa turns.asm; first=$out
expect 0 $HUSK run half.snap --isa $isa; [ "$first$out" = 2121212121 ] || fail "snapshot: $first, $out"
