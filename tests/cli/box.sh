#!/bin/bash
# SPDX-License-Identifier: MIT
# husk box: the example; rights, windows and kinds of memory; what a description may not say; snapshots, traces, limits.
set -eu
source "$TOP/tests/cli/common.bash"

cp "$TOP"/examples/box/* .

expect 0 timeout 20 "$HUSK" box run squares.yaml
has "$out" '^the sum of ten squares: 385$'
expect 0 "$HUSK" box check squares.yaml
has "$out" '^memory mailbox +8 bytes +shared$'
has "$out" '^core +adder +Iridium +sees mailbox$'

# Quantum 1 gives the same sum; the same box gives the same run.
sed 's/quantum: 50/quantum: 1/' squares.yaml >one.yaml
expect 0 timeout 20 "$HUSK" box run --stats one.yaml
has "$out" ' 385$'
first=$err
expect 0 timeout 20 "$HUSK" box run --stats one.yaml
[ "$err" = "$first" ] || fail "two runs differ"

# A snapshot in the midst goes on to the same end.
expect 137 "$HUSK" box run -q --fuel 700 --snapshot-on-exit half.box squares.yaml
expect 0 "$HUSK" box run --restore half.box --format json squares.yaml
has "$out" ' 385$'
has "$err" '"state":"ended","exit":0'
head -c 500 half.box >cut.box
expect 126 "$HUSK" box run --restore cut.box squares.yaml
has "$err" 'cut.box'

# A file of lines for each core.
expect 0 "$HUSK" box run --trace lines squares.yaml
grep -q 'STI R3' lines.feeder || fail "no trace of the feeder"
grep -qi 'setm' lines.adder || fail "no trace of the adder"

# Who prints without the right stops there; the other one goes on (and waits for ever).
sed 's/may: \[output\]/may: []/' squares.yaml >mute.yaml
expect 159 timeout 20 "$HUSK" box run mute.yaml
has "$err" "core feeder: the host function 'putc' is not available, at x"
has "$err" "its 'may' lists: this takes 'output'"
sed 's/order: little/access: r/' squares.yaml >ro.yaml
expect 137 timeout 20 "$HUSK" box run --fuel 5000 ro.yaml
has "$err" "core feeder: this core may not write shared memory 'mailbox', M\\[x400[02]\\], at x30"

# A core with fuel of its own.
sed 's/may: \[output\]/&\n    fuel: 100/' squares.yaml >fuel.yaml
run timeout 20 "$HUSK" box run --fuel 20k fuel.yaml
[ "$code" = 137 ] || fail "exit code $code"
has "$err" 'core feeder: its fuel is used up after 100 instructions'

# Several that may print are told apart; the console's input goes to one.
cat >two.yaml <<'YAML'
box: two
cores:
  - {name: left, machine: lc3, program: [say.asm], set: [profile=tiny], may: [output, services]}
  - {name: right, machine: lc3, program: [say.asm], set: [profile=tiny], may: [output, services, input]}
YAML
cat >say.asm <<'ASM'
        .ORIG x3000
        LEA R0, text
        PUTS
        HALT
text    .STRINGZ "hello\n"
        .END
ASM
expect 0 timeout 20 "$HUSK" box run two.yaml </dev/null
has "$out" '^left\| hello$'
has "$out" '^right\| hello$'
expect 0 timeout 20 "$HUSK" box run --plain two.yaml </dev/null
has "$out" '^hello$'

# A core that waits for input does not hold the box beyond --timeout.
cat >ask.asm <<'ASM'
        .ORIG x3000
        GETC
        HALT
        .END
ASM
printf 'box: ask\ncores:\n  - {name: a, machine: lc3, program: [ask.asm], set: [profile=tiny], may: [input, services]}\n' >ask.yaml
mkfifo silence
exec 9<>silence
expect 124 timeout 15 "$HUSK" box run --timeout 0.5 ask.yaml <&9
has "$err" 'stopped after 0.5 seconds'

# bad SED PATTERN: squares.yaml changed so is refused with such a message.
bad() {
	sed "$1" squares.yaml >bad.yaml
	run timeout 20 "$HUSK" box check bad.yaml
	[ "$code" = 126 ] || [ "$code" = 127 ] || fail "exit code $code: $1"
	has "$err" "$2"
}
bad 's/quantum/quantm/' 'bad.yaml:3:1: Unexpected key: quantm'
has "$err" "did you mean 'quantum'"
bad 's/\[output\]/[outptu]/' 'bad.yaml:1.:.*outptu'
has "$err" "did you mean 'output'"
bad 's/kind: shared/kind: secret/' 'bad.yaml:7:11: .*secret'
bad 's/bytes: 8/bytes: 0/' "memory 'mailbox': between"
bad 's/bytes: 8/bytes: many/' 'bad.yaml:6:'
bad 's/bytes: 8/bytes: 4/' "core 'feeder': a window of 4 cells at M\\[0x4000\\] leaves the space or memory 'mailbox'"
bad 's/at: 0x4000/at: 0xFFFF/' "leaves the space"
bad 's/memory: mailbox, space: M/memory: mailbx, space: M/' "core 'feeder': there is no memory 'mailbx'"
has "$err" "did you mean 'mailbox'"
bad 's/space: heap/space: heep/' "core 'adder': Iridium has no space 'heep'"
bad 's/kind: shared/kind: public/' 'is public'
bad 's/kind: shared/kind: private/' 'is private'
bad 's/cores: \[feeder, adder\]/cores: [feeder, fred]/' "there is no core 'fred'"
bad 's/name: adder/name: feeder/; s/, adder\]/, feeder]/' "two cores are called 'feeder'"
bad 's/machine: iridium/machine: iridum/' "iridum"
bad 's/adder.iasm/nothing.iasm/' 'nothing.iasm'
bad 's/box: squares/box: [squares/' 'bad.yaml'
bad 's/.*//' 'empty|bad.yaml'
sed 's/cores: \[feeder, adder\]/cores: [feeder, other]/; $a\  - {name: other, machine: iridium, program: [adder.iasm]}' squares.yaml >bad.yaml
expect 126 "$HUSK" box check bad.yaml
has "$err" "core 'adder': memory 'mailbox' is not shared with it"
sed 's/may: \[\]/may: [input]/; s/may: \[output\]/may: [input]/' squares.yaml >bad.yaml
expect 126 "$HUSK" box check bad.yaml
has "$err" 'only one core may have .input'

# Junk, aliases that multiply, and no file.
head -c 2000 /dev/urandom >junk.yaml
expect 126 "$HUSK" box run junk.yaml
printf 'a: &a [x,x]\nb: &b [*a,*a]\nbox: *b\n' >bomb.yaml
expect 126 "$HUSK" box run bomb.yaml
expect 127 "$HUSK" box run nowhere.yaml
