#!/bin/bash
# SPDX-License-Identifier: MIT
# husk run: output, exit codes, limits, input, reports, traces, snapshots.
set -eu
source "$TOP/tests/cli/common.bash"

hello >hello.asm; spin >spin.asm; echoer >echo.asm

# A text and its object do the same.
expect 0 $HUSK run hello.asm
has "$out" '^hello$'; has "$out" 'Halting the LC-3'; [ -z "$err" ] || fail "noise on stderr"
hello_out=$out
expect 0 $HUSK asm -q hello.asm; expect 0 $HUSK run hello.obj; [ "$out" = "$hello_out" ] || fail "object differs"
expect 0 $HUSK run --profile tiny hello.asm; [ "$out" = $'hello\nHALT' ] || fail "tiny"
expect 0 $HUSK run --set profile=tiny hello.asm; [ "$out" = $'hello\nHALT' ] || fail "--set"
expect 0 $HUSK run --isa lc3 - <hello.asm; [ "$out" = "$hello_out" ] || fail "program on stdin"
expect 0 $HUSK run --isa "$TOP/src/guests/lc3/lc3.isa" hello.asm; [ "$out" = "$hello_out" ] || fail "--isa FILE"
expect 0 $HUSK run "$TOP/src/guests/lc3/lc3.isa" hello.asm; [ "$out" = "$hello_out" ] || fail ".isa as a FILE"

# Limits.
expect 137 $HUSK run --fuel 1000 spin.asm; one_error
for n in 1 2 3 99999 100000 100001 300007; do
	expect 137 $HUSK run --fuel $n --format json spin.asm
	json_is stderr.txt instructions $n; json_is stderr.txt state fuel; json_is stderr.txt exit_code 137
done
expect 124 $HUSK run --timeout 0.2 spin.asm; one_error
expect 124 $HUSK run --timeout 0.2 --format json spin.asm; json_is stderr.txt state timeout
expect 137 $HUSK run --memory 1K hello.asm

# Guest faults have the exit codes of the signals they are like.
printf '.ORIG x3000\n.FILL xD000\n.END\n' >illegal.asm
for profile in tiny classic; do
	run $HUSK run --profile $profile illegal.asm; [ "$code" = 132 ] || fail "exit code $code"
	has "$err" 'illegal instruction at x3000 \(illegal\.asm:2\)'
done
expect 132 $HUSK run --profile tiny illegal.asm; one_error
cat >toy.isa <<'ISA'
isa Toy
space M : 8 x 256
space small : 8, address 16, little
code M
reg pc : 8
reg a : 8
field n : unsigned
insn LOAD "0001 0000 n:8" n { a = small[zx(n)] }
insn STOP "0010 0000 n:8" n { stop n }
insn CALL "0011 0000 n:8" n { host nothing(n) }
insn GO   "0100 0000 n:8" n { jump n }
ISA
echo 'STOP 7' >stop.asm; expect 7 $HUSK run --isa toy.isa stop.asm
echo 'STOP 255' >stop.asm; expect 255 $HUSK run toy.isa stop.asm
expect 132 $HUSK run toy.isa <(printf '\377\377'); one_error
printf '\377\377' >illegal.bin; expect 132 $HUSK run toy.isa illegal.bin; one_error
echo 'CALL 7' >call.asm; expect 159 $HUSK run toy.isa call.asm; one_error; has "$err" 'nothing'
expect 0 $HUSK run illegal.asm; has "$out" 'Illegal opcode' # v3 has a handler for it

# Input: a file is given whole; a pipe and its end; waiting for input that has ended.
printf 'ab.' >in.txt
expect 0 $HUSK run echo.asm <in.txt; has "$out" '^ab\.'
expect 0 $HUSK run --input in.txt echo.asm; has "$out" '^ab\.'
expect 0 bash -c "printf 'ab.' | $HUSK run --input - echo.asm"; has "$out" '^ab\.'
expect 0 bash -c "(printf a; sleep 0.2; printf b.) | $HUSK run echo.asm"; has "$out" '^ab\.'
expect 0 bash -c "(printf a; sleep 0.2; printf b.) | $HUSK run --profile tiny echo.asm"; has "$out" '^ab\.'
expect 129 $HUSK run echo.asm </dev/null; one_error
expect 129 bash -c "printf 'ab' | $HUSK run echo.asm"; [ "$out" = ab ] || fail "output before the end of input"
expect 129 $HUSK run echo.asm <&-; one_error
counts=
for i in 1 2 3; do
	expect 0 $HUSK run --format json --input in.txt echo.asm
	counts="$counts $(json stderr.txt instructions)"
done
[ "$(tr ' ' '\n' <<<"$counts" | sort -u | grep -c .)" = 1 ] || fail "a file as input: not the same run:$counts"
expect 127 $HUSK run --input absent.txt echo.asm; one_error

# Reports.
expect 0 $HUSK run --format json hello.asm
[ "$out" = "$hello_out" ] || fail "output with --format json"
[ "$(grep -c '' stderr.txt)" = 1 ] || fail "not one line of JSON"
json_is stderr.txt state halted; json_is stderr.txt exit_code 0; json_is stderr.txt machine LC-3
json_is stderr.txt options.profile v3; json_is stderr.txt registers.R1 32767
json_is stderr.txt output_bytes "$(wc -c <stdout.txt)"
expect 0 $HUSK run --report r.json hello.asm; [ -z "$err" ] || fail "noise"; json_is r.json state halted
printf '.ORIG x3000\nADD R0\n.END\n' >bad.asm
expect 126 $HUSK run --format json bad.asm; json_is stderr.txt state failed; json_is stderr.txt diagnostics.0.line 2
expect 127 $HUSK run --format json absent.asm; json_is stderr.txt exit_code 127
expect 0 $HUSK run --stats hello.asm; has "$err" 'instructions in'

# Traces.
expect 137 $HUSK run --trace --fuel 5 spin.asm
[ "$(grep -c 'x300' stderr.txt)" = 5 ] || [ "$(grep -c 'x300' stderr.txt)" = 6 ] || fail "trace lines"
has "$err" '^ +0  x3000  5260 .*AND R1, R1, #0'
has "$err" '^ +1  x3001  1261 .*ADD R1, R1, #1 +R1=x0001 cc=x0001'
has "$err" '^ +2  x3002  0FFE .*BR.* (LOOP|x3001|#-2)'
printf '.ORIG x3000\nLD R0, A\nST R0, B\nHALT\nA .FILL x1234\nB .FILL 0\n.END\n' >store.asm
expect 0 $HUSK run --trace=t.txt --profile tiny store.asm; [ "$out" = HALT ] || fail "output"; [ -z "$err" ] || fail "noise"
grep -q 'ST R0, B .* M\[x3004\]=x1234' t.txt || fail "no store in the trace: $(cat t.txt)"
[ "$(grep -c '' t.txt)" = 3 ] || fail "not three lines: $(cat t.txt)"
printf 'aq' >aq.txt # interrupts and events are traced, and tracing changes nothing
expect 0 $HUSK run --input aq.txt --format json "$TOP/examples/lc3/echo.asm"; plain=$out; n=$(json stderr.txt instructions)
expect 0 $HUSK run --input aq.txt --trace=t.txt "$TOP/examples/lc3/echo.asm"; [ "$out" = "$plain" ] || fail "traced: $out"
[ "$(grep -c '  x[0-9A-F]*  ' t.txt)" = "$n" ] || fail "$n instructions, but $(grep -c '' t.txt) lines"
[ "$(grep -c -e '-- interrupt .*R6=.*M\[' t.txt)" = 2 ] || fail "not two interrupts: $(grep -e -- t.txt)"
grep -q 'kbdr=x0061' t.txt || fail "the key is not seen to arrive"
expect 137 $HUSK run --trace=t.txt --fuel 100 -q --isa $TOP/examples/isa/chip8.isa $TOP/examples/isa/chip8/ball.asm
[ "$(grep -vce -- t.txt)" = 100 ] || fail "chip8: $(grep -vce -- t.txt) lines"
expect 125 $HUSK run --trace=/dev/full --fuel 5 spin.asm

# Snapshots: going on from half-way ends as the whole run does.
expect 0 $HUSK run --format json hello.asm; whole=$(json stderr.txt instructions)
expect 137 $HUSK run --fuel 100 --snapshot-on-exit half.snap hello.asm; first=$out
expect 0 $HUSK run --format json half.snap
[ "$first$out" = "$hello_out" ] || [ "$first"$'\n'"$out" = "$hello_out" ] || fail "the second half differs"
[ $(($(json stderr.txt instructions) + 100)) = "$whole" ] || fail "instruction counts"
expect 137 $HUSK run --profile tiny --fuel 2 --snapshot-on-exit tiny.snap hello.asm
expect 0 $HUSK run tiny.snap; has "$out" '^HALT$' # the snapshot knows its profile
expect 125 $HUSK run half.snap hello.asm; one_error
for cut in 0 5 8 20 100 $(($(wc -c <half.snap) / 2)) $(($(wc -c <half.snap) - 1)); do
	head -c $cut half.snap >cut.snap
	run $HUSK run cut.snap
	[ "$code" = 126 ] || fail "a snapshot cut at $cut gave $code"
	one_error
done

# A snapshot of a machine that is a text alone wants the text.
tiny8="$TOP/examples/isa/tiny8"
expect 0 $HUSK run --isa $tiny8.isa $tiny8/hello.asm; whole=$out
expect 137 $HUSK run -q --fuel 50 --snapshot-on-exit toy.snap --isa $tiny8.isa $tiny8/hello.asm; first=$out
expect 0 $HUSK run --isa $tiny8.isa toy.snap; [ "$first$out" = "$whole" ] || fail "second half: $first$out"
expect 126 $HUSK run toy.snap; one_error; has "$err" 'Tiny8.*not built in'
expect 126 $HUSK run --isa lc3 toy.snap; one_error; has "$err" 'toy.snap.*the snapshot is of Tiny8, and this machine is LC-3'
expect 126 $HUSK run --set privilege=off half.snap; one_error; has "$err" 'half.snap.*is of LC-3 with privilege=on, and this machine is with privilege=off'
cp half.snap old.snap; printf '\3' | dd of=old.snap bs=1 seek=8 conv=notrunc 2>/dev/null
expect 126 $HUSK run old.snap; one_error; has "$err" 'old.snap is a snapshot of version 3, and this husk reads version [0-9]'

# Arguments for a guest that takes none; several files; options of other machines.
expect 125 $HUSK run hello.asm -- a b; one_error
expect 126 $HUSK run --profile nonsense hello.asm
expect 125 $HUSK run --set nonsense hello.asm; one_error
expect 125 $HUSK run --dialect nonsense hello.asm; one_error
expect 127 $HUSK run --isa nonsense hello.asm; one_error

# The reader goes away: no message, exit code of SIGPIPE.
{ code=0; $HUSK run --isa lc3 "$TOP/tests/cli/chatter.asm" 2>stderr.txt || code=$?; echo $code >code.txt; } |
	head -c 10 >/dev/null
[ "$(cat code.txt)" = 141 ] || fail "closed output gave $(cat code.txt)"
[ ! -s stderr.txt ] || fail "closed output: noise"

# What the guest wrote last before it ended counts too, and so do the lines of a trace.
if [ -w /dev/full ]; then
	run $HUSK run hello.asm >/dev/null
	code=0; $HUSK run hello.asm >/dev/full 2>err.txt || code=$?
	[ $code = 125 ] || fail "output into a full file: $code"; grep -q 'cannot write the output' err.txt || fail "no message"
	expect 125 $HUSK run -q --trace=/dev/full hello.asm; has "$err" 'cannot write /dev/full: No space left'
	code=0; $HUSK version >/dev/full 2>err.txt || code=$?
	[ $code = 125 ] && [ -s err.txt ] || fail "version into a full file: $code"
fi
code=0; $HUSK run hello.asm >&- 2>err.txt || code=$?
[ $code = 125 ] && [ "$(wc -l <err.txt)" = 1 ] || fail "closed stdout: $code"

# Neither trace nor report is written over the program; addresses outside memory are none to start at.
cp hello.asm same.asm
expect 125 $HUSK run --trace=same.asm same.asm; one_error; cmp hello.asm same.asm
expect 125 $HUSK run --report same.asm same.asm; one_error; cmp hello.asm same.asm
expect 125 $HUSK run --pc x12345 hello.asm; one_error; has "$err" 'outside memory'
expect 126 $HUSK run --set profile=zz hello.asm; has "$err" "^husk: error: the machine can't be had that way"
