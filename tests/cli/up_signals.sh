#!/bin/bash
# SPDX-License-Identifier: MIT
# husk up with two hundred instances of all sorts (they wait, sleep, loop, have started others) that has to end: by Ctrl-C, by a second one, by
# SIGTERM, because nobody reads what it writes, and while somebody should read and does not. Each ends, is in the summary, and
# nothing is left.
set -eu
source "$TOP/tests/cli/common.bash"

lc3() { printf '        .ORIG x3000\n%s\n        .END\n' "$2" >"$1.asm"; }
lc3 loop '        LEA  R0, TEXT
        PUTS
AGAIN   BR   AGAIN
TEXT    .STRINGZ "up\n"'
lc3 wait '        LEA  R0, PLACE
        AND  R1, R1, #0
        ADD  R1, R1, #8
        TRAP x31
        HALT
PLACE   .BLKW 8'
lc3 family '        LEA  R0, NAME
        TRAP x35
        LEA  R0, NAME
        TRAP x35
AGAIN   BR   AGAIN
NAME    .STRINGZ "child"'
lc3 flood 'AGAIN   LEA  R0, TEXT
        PUTS
        BR   AGAIN
TEXT    .STRINGZ "0123456789012345678901234567890123456789\n"'
printf '_start: li a0, 1\n la a1, t\n li a2, 3\n li a7, 64\n ecall\n1: la a0, d\n li a1, 0\n li a7, 101\n ecall\n j 1b\n.data\nt: .ascii "up\\n"\n.balign 8\nd: .dword 100000, 0\n' >sleep.s
# Says so and ends with 7 when it is asked to: rt_sigaction(SIGTERM), then loops.
cat >polite.s <<'S'
_start: li a0, 15
        la a1, act
        li a2, 0
        li a3, 8
        li a7, 134
        ecall
        la a1, up
        li a2, 3
        jal say
1:      j 1b
asked:  la a1, bye
        li a2, 4
        jal say
        li a0, 7
        li a7, 93
        ecall
say:    li a0, 1
        li a7, 64
        ecall
        ret
        .data
up:     .ascii "up\n"
bye:    .ascii "bye\n"
        .balign 8
act:    .dword asked, 0, 0
S

cat >crowd.yaml <<'Y'
workers: 2
store: kept.db
instances:
  - {name: loop, program: [loop.asm], may: [output], count: 60}
  - {name: wait, program: [wait.asm], may: [mailbox], set: [services=on], count: 60}
  - {name: family, program: [family.asm], may: [spawn, output], spawns: [child], set: [services=on], count: 10}
  - {name: child, program: [loop.asm], template: true, may: [output]}
  - {name: sleep, program: [sleep.s], may: [output, time], count: 40}
  - {name: polite, program: [polite.s], may: [output], count: 30}
Y
all=$((60 + 60 + 10 + 20 + 40 + 30)) ups=$((60 + 20 + 40 + 30))

wait_for() { # wait_for COMMAND...: until it is true
	local _
	for _ in $(seq 1200); do
		"$@" && return
		sleep 0.05
	done
	fail "never: $*"
}
has_said() { [ "$(grep -c '| up$' stdout.txt)" = $ups ]; }
has_taken_leave() { [ "$(grep -c '| bye$' stdout.txt)" = 30 ]; }
# A shell without job control has its children ignore SIGINT. A group of its own: whatever it might start is in it.
begin() { # begin ARG...
	rm -f r.json
	: >stdout.txt >stderr.txt
	setsid env --default-signal=INT "$HUSK" up --report r.json "$@" >stdout.txt 2>stderr.txt &
	child=$!
}
ended() { # ended CODE: all are in the summary, and nothing is left
	code=0
	wait $child || code=$?
	out=$(sort stdout.txt | uniq -c | sort -rn | head -20) err=$(cat stderr.txt)
	[ $code = "$1" ] || fail "exit code $code instead of $1"
	! pgrep -g $child >processes.txt || fail "processes are left: $(cat processes.txt)"
	rm -f processes.txt
	[ "$(ls)" = "$before" ] || fail "files are left: $(ls)"
}
count() { # count STATE PATTERN NUMBER: so many of that name ended so
	local n
	n=$(grep -E "\"name\": \"$2" r.json | grep -c "\"state\": \"$1\"") || true
	[ "$n" = "$3" ] || fail "$n of $2 are $1, not $3: $(grep -E "\"name\": \"$2" r.json | head -3)"
}
total() {
	[ "$(grep -c '"name": ' r.json)" = "$1" ] || fail "not $1 in the summary"
	! grep -qE '"state": "(running|ready|waiting|created|throttled|paused)"' r.json || fail "some have not ended"
}
: >stdout.txt >stderr.txt >kept.db >r.json
rm -f kept.db
touch kept.db r.json
before=$(ls)
rm kept.db

# Twice: Linux programs end as they like when they are asked; the others, and those whom they have started, do not wait for an hour.
begin --grace 3600 crowd.yaml
wait_for has_said
kill -INT $child
wait_for has_taken_leave
kill -INT $child
ended 130
total $all
count stopped polite- 30
[ "$(grep '"name": "polite-' r.json | grep -c '"code": 7,')" = 30 ] || fail "the polite were not asked"
count killed 'loop-' 60
count killed 'wait-' 60
count killed 'family-[0-9]*"' 10
count killed 'family-[0-9]*\.' 20
has "$err" '^husk: .*asked all to end'
has "$err" "^$all instances"

# Once: who does not end has its time, and no more.
grep -vE 'sleep|polite' crowd.yaml >deaf.yaml
before=$(ls) ups=80
begin --grace 0.2 deaf.yaml
wait_for has_said
kill -INT $child
ended 130
total 150
count killed 'loop-' 60
[ "$(grep '"name": "loop-' r.json | grep -c 'did not end when it was asked to')" = 60 ] || fail "loops ended otherwise"

# SIGTERM: to Linux programs alone, which end of it; and by one thread.
printf 'instances:\n  - {name: sleep, program: [sleep.s], may: [output, time], count: 5}\n  - {name: polite, program: [polite.s], may: [output], count: 5}\n' >linux.yaml
before=$(ls) ups=10
for how in --workers=2 --deterministic; do
	begin --grace 3600 $how linux.yaml
	wait_for has_said
	kill -TERM $child
	ended 143
	total 10
	count stopped . 10
done

# The reader goes: all are killed, whatever else they do.
printf 'instances:\n  - {name: flood, program: [flood.asm], may: [output], count: 3}\n  - {name: wait, program: [wait.asm], may: [mailbox], set: [services=on], count: 3}\n' >flood.yaml
before=$(ls)
for how in --workers=2 --deterministic; do
	code=0
	"$HUSK" up $how --grace 3600 --report r.json flood.yaml 2>stderr.txt > >(head -n 100 >stdout.txt) || code=$?
	[ $code = 141 ] || fail "the reader went, and it gave $code"
	total 6
	count killed . 6
done

# The reader is there, but reads nothing: the pipe is full, everybody who writes stands still. Ctrl-C ends it nevertheless.
mkfifo pipe
before=$(ls)
is_full() { # what it has written is no more than it was: two looks at the same pipe
	[ -e /proc/$child/io ] || return 0
	local was
	was=$(awk '/^wchar/ { print $2 }' /proc/$child/io)
	[ "$was" -gt 60000 ] && sleep 0.3 && [ "$(awk '/^wchar/ { print $2 }' /proc/$child/io)" = "$was" ]
}
for how in --workers=2 --deterministic; do
	exec 9<>pipe
	rm -f r.json
	: >stderr.txt
	setsid env --default-signal=INT "$HUSK" up --grace 3600 $how --report r.json flood.yaml >pipe 2>stderr.txt &
	child=$!
	wait_for is_full
	kill -INT $child
	wait_for grep -q 'asked all to end' stderr.txt
	kill -INT $child
	ended 130
	total 6
	count killed . 6
	exec 9<&-
done
