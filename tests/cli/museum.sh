#!/bin/bash
# The machines of examples/isa by the command: what their READMEs say to type, options, errors, pictures.
# mode: release
set -eu
examples=$TOP/examples/isa
fail() { echo "$*"; exit 1; }
expect() { [ "$2" = "$1" ] || fail "expected '$1', got '$2'"; }

# Every line that a README tells to type runs (those with a GAME or an options list of their own excepted).
for readme in "$examples"/*/README.md; do
	count=0
	while IFS= read -r line; do
		case $line in *GAME*|*echo.asm*) continue ;; esac
		count=$((count + 1))
		(cd "$TOP" && eval "\"\$HUSK\" ${line#    husk }") >out 2>err </dev/null || fail "$readme: $line: $(cat err)"
		[ -s out ] || fail "$readme: $line: no output"
		[ ! -s err ] || fail "$readme: $line: $(cat err)"
	done < <(grep '^    husk ' "$readme")
	[ $count -gt 0 ] || fail "$readme has no commands"
done

# 6502: programs, exit codes, options, an undocumented opcode, input.
run() { "$HUSK" run --isa "$examples/6502.isa" "$@"; }
expect "Hello from 1975." "$(run "$examples/6502/hello.asm")"
expect "BN-I" "$(run "$examples/6502/interrupts.asm")"
printf ' LDA #7\n STA $F00F\n' >exit.asm
status=0; run exit.asm 2>/dev/null || status=$?
expect 7 $status
status=0; run --set selfjump=loop --fuel 10k "$examples/6502/hello.asm" >out 2>err || status=$?
expect 137 $status
printf ' .byte $02\n' >undocumented.asm
status=0; run undocumented.asm 2>err || status=$?
expect 132 $status
grep -q 'illegal instruction at .*0000' err || fail "$(cat err)"
cat >upper.asm <<'X'
        .org $0600
again:  LDA $F004
        BEQ again
        CMP #'.'
        BEQ end
        AND #$DF
        STA $F001
        JMP again
end:    JMP end
X
expect "ABCXYZ" "$(printf 'abcXyz.' | run upper.asm)"
# A raw image at 0 and an entry of one's own: what test images of the processor want.
printf ' .org $0200\n LDA #65\n STA $F001\nend: JMP end\n' >code.asm
printf ' .org $0200\n' >start.asm
"$HUSK" asm -q --isa "$examples/6502.isa" -f raw -o code.bin code.asm
{ head -c 512 /dev/zero; cat code.bin; } >image.bin
expect "A" "$(run image.bin start.asm)"
# Zero page when it fits, also for a label that comes later; both bytes of an address.
printf ' .org $10\n LDA later\nlater: LDX #<far\n LDX #>far\nfar .equ $1234\n' >relax.asm
"$HUSK" asm -q --isa "$examples/6502.isa" -f raw -o relax.bin relax.asm
expect "a5 12 a2 34 a2 12" "$(od -An -tx1 relax.bin | sed 's/^ //')"

# CHIP-8: a picture, quirk options, guest errors with their words.
run() { "$HUSK" run --isa "$examples/chip8.isa" "$@"; }
expect "............###..###.###..###..######..###..###...###..........." \
	"$(run "$examples/chip8/logo.asm" --screen | sed -n 11p)"
run "$examples/chip8/maze.asm" --screen >maze1
run "$examples/chip8/maze.asm" --screen >maze2
cmp maze1 maze2
expect 32 "$(wc -l <maze1)"
printf 'again: CALL again\n' >deep.asm
status=0; run deep.asm 2>err || status=$?
expect 133 $status
grep -q 'more than 16 calls deep' err || fail "$(cat err)"
status=0; run --set shift=maybe "$examples/chip8/maze.asm" 2>err || status=$?
[ $status != 0 ] || fail "an unknown choice was taken"
grep -q "vy, vx" err || fail "$(cat err)"
printf ' SHR V1, V2\n LD V3, 5\nend: JP end\n' >shift.asm
for choice in vy vx; do
	run --set shift=$choice --format json shift.asm 2>report || fail "$(cat report)"
	grep -q '"state":"halted"' report || fail "$(cat report)"
done

# Tiny8: typed input comes back.
expect "one two." "$(printf 'one two.three' | "$HUSK" run --isa "$examples/tiny8.isa" "$examples/tiny8/echo.asm")"
