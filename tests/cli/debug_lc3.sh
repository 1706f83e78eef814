#!/bin/bash
# SPDX-License-Identifier: MIT
# husk debug on the LC-3: its operating system is called, so next, finish and bt see TRAPs, exceptions and interrupts.
set -eu
source "$TOP/tests/cli/common.bash"

debug() { # ARG... -- COMMAND...
	local args=() files=()
	while [ "$1" != -- ]; do files+=("$1"); shift; done
	shift
	for command; do args+=(-c "$command"); done
	expect 0 $HUSK debug "${args[@]}" "${files[@]}"
	[ -z "$err" ] || fail "noise on stderr"
}

cat >talk.asm <<'ASM'
        .ORIG x3000
        LEA  R0, TEXT
        PUTS
        LD   R0, TEXT
        OUT
        ADD  R1, R1, #1
        HALT
TEXT    .STRINGZ "hi\n"
        .END
ASM

# next runs through a service routine and through those it calls, in each machine that has them.
for profile in v3 classic; do
	[ $profile = v3 ] && start=() || start=('until x3000')
	debug --profile $profile talk.asm -- "${start[@]}" n n n n 'p R1'
	has "$out" '^hi$'; has "$out" '^h$'; has "$out" '^=> x3002  '; has "$out" '^=> x3004  '; has "$out" '^R1 = x0000'
	[ "$(grep -c '^=> x03' <<<"$out")" = 0 ] || fail "$profile: stopped in the operating system"
	debug --profile $profile talk.asm -- "${start[@]}" n n n n n n; has "$out" 'The program has ended, code 0'
done

# Inside: the callers, and out again. PUTS prints through OUT.
debug talk.asm -- 'until x0306' bt finish finish
has "$out" '^#0   x0306  in x0306'; has "$out" '^#1   x0317  in x0310'; has "$out" '^#2   x3001  talk\.asm:3'
has "$out" '^=> x0318  '; has "$out" '^=> x3002  talk\.asm:4  LD   R0, TEXT$'; has "$out" '^i$'
debug talk.asm -- 'until x0306' finish finish reverse-next 'p pc'; has "$out" '^pc = x3001'

# An exception: the illegal word is what called its handler.
printf '.ORIG x3000\nADD R1, R1, #1\n.FILL xD000\n.END\n' >illegal.asm
debug illegal.asm -- 'until x03D6' bt s 'until x0310' bt
has "$out" '^#0   x03D6  .*x03D6'; has "$out" '^#1   x3001  illegal\.asm:3'
has "$out" '^#1   x03D7  .*x03D6'; has "$out" '^#2   x3001  illegal\.asm:3'

# An interrupt: the loop it interrupts is the caller, and next in the loop does not fall into the handler.
cat >key.asm <<'ASM'
        .ORIG x1000
        LEA  R2, HANDLER
        STI  R2, VECTOR
        LD   R2, ENABLE
        STI  R2, KBSR
LOOP    ADD  R3, R3, #1
        ADD  R5, R5, #0
        BRz  LOOP
        HALT
HANDLER LDI  R4, KBDR
        ADD  R5, R5, #1
        RTI
VECTOR  .FILL x0180
ENABLE  .FILL x4000
KBSR    .FILL xFE00
KBDR    .FILL xFE02
        .END
ASM
printf q >q
debug --input q key.asm -- 'until HANDLER' bt finish 'p R4'
has "$out" '^#0   x1008 <HANDLER>  .*<HANDLER>'; has "$out" '^#1   x100[4-7] <LOOP'
has "$out" '^=> x100[4-7] <LOOP'; has "$out" "^R4 = x0071"
debug --input q key.asm -- 'until :6' n n n 'p R5'
has "$out" '^R5 = x0001'; ! grep -q '^=> x10.* <HANDLER' <<<"$out" || fail "next fell into the handler"

# An object file and the symbol file beside it: labels and source text without the source.
cat >loop.asm <<'ASM'
        .ORIG x3000
        AND  R1, R1, #0  ; from zero
LOOP    ADD  R1, R1, #1
        LEA  R0, TEXT
        BR   LOOP
TEXT    .STRINGZ "ab"
        .END
ASM
expect 0 $HUSK asm loop.asm
mkdir apart; cp loop.obj loop.sym apart; cd apart
debug loop.obj -- 'break LOOP' c bt 'p TEXT'
has "$out" '^Breakpoint 1, LOOP$'; has "$out" '^=> x3001 <LOOP>  LOOP    ADD  R1, R1, #1$'; has "$out" '^TEXT = x3004 <TEXT>$'
debug loop.obj -- 's 3' 'info symbols'; has "$out" '^=> x3003 <LOOP\+2>  .*BR   LOOP$'; has "$out" '^x3004  TEXT$'
mv loop.sym other.names # named, and for a format without source text
debug --symbols other.names loop.obj -- 'break LOOP' c; has "$out" '^Breakpoint 1, LOOP$'
run $HUSK debug -c 'break LOOP' loop.obj; [ "$code" = 1 ] || fail "LOOP is known without a symbol file"
expect 0 $HUSK asm -f classic -o old.obj --symbols old.sym ../loop.asm
debug old.obj -- 'break LOOP' c 'x/2i LOOP'; has "$out" '^=> x3001 <LOOP>  ADD R1, R1, #1$'; has "$out" 'LEA R0, TEXT$'
expect 126 $HUSK debug --symbols ../loop.asm -c c loop.obj
