#!/bin/bash
# SPDX-License-Identifier: MIT
# husk up: six kinds of computers, one of them stopped at its limit; limits and rights; what a description may not say; signals.
set -eu
source "$TOP/tests/cli/common.bash"

cp -r "$TOP"/examples .

expect 1 timeout 60 "$HUSK" up --report r.json examples/up/husk.yaml
has "$out" '^rv64 +\| 0011c3793adb7080$'
has "$out" '^svm +\| 3628800$'
has "$out" '^lc3 +\| --- Halting the LC-3 ---$'
has "$err" '^flood +limit .*reached the output limit of 400 bytes \(flood\)'
has "$err" '^rv64 +halted 0 '
[ "$(grep -o '\*' <<<"$(grep '^flood' <<<"$out")" | wc -l)" = 400 ] || fail "not 400 stars"
[ "$(grep -c '"state": "halted", "code": 0' r.json)" = 8 ] || fail "not eight that ended well"
python3 -c 'import json; r = json.load(open("r.json")); assert len(r["instances"]) == 9, r' || fail "no JSON"

# The same run every time, to the byte; with the interpreter, too.
expect 1 timeout 60 "$HUSK" up --deterministic -q examples/up/husk.yaml
first=$out
expect 1 timeout 60 "$HUSK" up --deterministic -q examples/up/husk.yaml
[ "$out" = "$first" ] || fail "two runs differ"

# Fuel is exact, alone and together.
cat >loop.s <<'S'
_start: j _start
S
printf 'limits: {fuel: 1000003}\ninstances:\n  - {name: loop, program: [loop.s], count: 3}\n' >fuel.yaml
expect 1 "$HUSK" up --format json --engine interp fuel.yaml
[ "$(grep -o '"instructions": [0-9]*' <<<"$err" | awk '{ s += $2 } END { print s }')" = 1000003 ] || fail "fuel is not exact"
has "$err" '"name": "loop-1".*the fuel limit of 1000003 instructions \(all\)'
printf 'instances:\n  - {name: short, program: [loop.s], limits: {fuel: 777}}\n' >fuel.yaml
expect 1 "$HUSK" up --format json fuel.yaml
has "$err" '"name": "short".*"instructions": 777,.*the fuel limit of 777 instructions \(short\)'

# Time; and who may not print does not.
cat >time.yaml <<'Y'
instances:
  - {name: loop, program: [loop.s], limits: {time: 0.2}}
  - {name: mute, program: [examples/lc3/hello.asm]}
Y
expect 1 "$HUSK" up time.yaml
has "$err" '^loop +limit .*reached the time limit of 0.2 s'
has "$err" '^mute +failed '
[ -z "$out" ] || fail "the mute one printed"

# What is wrong is said with its place.
printf 'instances:\n  - name: a\n    program: [x.asm]\n    wieght: 3\n' >bad.yaml
expect 126 "$HUSK" up bad.yaml
has "$err" 'bad.yaml:4:5: '
has "$err" "did you mean 'weight'"
printf 'instances:\n  - {name: a, program: [loop.s], limits: {fuel: lots}}\n' >bad.yaml
expect 126 "$HUSK" up bad.yaml
has "$err" "bad.yaml:2:49: a: limits: fuel: 'lots' is no amount"
printf 'limits:\n  time: soon\ninstances:\n  - {name: a, program: [loop.s]}\n' >bad.yaml
expect 126 "$HUSK" up bad.yaml
has "$err" "bad.yaml:2:9: .*'soon' is no number of seconds"
printf 'instances:\n  - {name: a, program: [loop.s], may: [outptu]}\n' >bad.yaml
expect 126 "$HUSK" up bad.yaml
has "$err" 'bad.yaml:2:40: a: may: there is no right'
has "$err" "did you mean 'output'"
printf 'instances:\n  - {name: a, program: [gone.asm]}\n' >bad.yaml
expect 127 "$HUSK" up bad.yaml
has "$err" "cannot open gone.asm"
expect 127 "$HUSK" up nothing.yaml
printf 'instances:\n  - {name: a, program: [loop.s]}\n  - {name: a, program: [loop.s]}\n' >bad.yaml
expect 126 "$HUSK" up bad.yaml
has "$err" 'two of this name'

# SIGINT asks a Linux program to end, and it dies of it.
cat >says.s <<'S'
_start: li a0, 1
        la a1, text
        li a2, 3
        li a7, 64
        ecall
1:      j 1b
        .data
text:   .ascii "up\n"
S
printf 'instances:\n  - {name: loop, program: [says.s], may: [output]}\n' >one.yaml
# A shell without job control has its children ignore SIGINT.
env --default-signal=INT "$HUSK" up one.yaml >stdout.txt 2>stderr.txt &
child=$!
for _ in $(seq 200); do
	[ -s stdout.txt ] && break
	sleep 0.1
done
kill -INT $child
code=0
wait $child || code=$?
[ $code = 130 ] || fail "SIGINT gave $code"
grep -Eq '^loop +stopped 143' stderr.txt || fail "not stopped: $(cat stderr.txt)"
expect 124 "$HUSK" up --timeout 0.3 one.yaml
