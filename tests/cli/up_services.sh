#!/bin/bash
# SPDX-License-Identifier: MIT
# husk up: the example of messages between three kinds of machines; keys and values that outlive a run and a crash; instances that start
# instances; what each of them sees that has not the right, or no room.
set -eu
source "$TOP/tests/cli/common.bash"
source "$TOP/tests/cli/linux.bash"

cp -r "$TOP"/examples/up/mail/. .
for run in 1 2 3; do
	how=--workers=2
	[ $run = 2 ] && how=--deterministic
	expect 0 timeout 60 "$HUSK" up $how --report r.json mail.yaml
	has "$out" '^letter  \| letter hello from x3000 via riscv$'
	has "$out" "^counter \| run number $run\$"
	has "$out" '^boss\.1  \| working$'
	has "$out" '^boss\.2  \| working$'
	has "$out" '^boss    \| 77$'
	has "$err" '^boss\.2 +halted 7 '
done

# Wherever one stands: files, and a description of a machine, are where the YAML is.
mkdir elsewhere
cd elsewhere
expect 0 timeout 60 "$HUSK" up --deterministic ../mail.yaml
has "$out" '^counter \| run number 4$'
cd ..

# The boss has room for one worker only: the second one is not there, and its "end" is 0xFFFF.
sed 's/limits: {instances: 3}/limits: {instances: 2}/' mail.yaml >small.yaml
expect 0 timeout 60 "$HUSK" up --deterministic small.yaml
has "$err" '^boss +halted 0 .*ran into the instances limit of 2 instances \(boss\)'
[ "$(grep -c '^boss.1 ' <<<"$err")" = 1 ] && ! grep -q '^boss.2 ' <<<"$err" || fail "not one worker: $err"

# What nobody allowed.
grep -v 'spawns: ' mail.yaml >none.yaml
expect 0 timeout 60 "$HUSK" up --deterministic none.yaml
grep -q '^boss.1 ' <<<"$err" && fail "a worker without leave"
sed 's/may: \[output, kv\]/may: [output]/' mail.yaml >nokv.yaml
expect 1 timeout 60 "$HUSK" up --deterministic nokv.yaml
has "$err" "^counter +failed .*no right to 'kv'"
grep -v '^store: ' mail.yaml >nostore.yaml
expect 126 "$HUSK" up nostore.yaml
has "$err" "counter: may: \[kv\] needs a place"
sed 's/spawns: \[worker\]/spawns: [wroker]/' mail.yaml >bad.yaml
expect 126 "$HUSK" up bad.yaml
has "$err" "boss: spawns: there is no instance 'wroker'"

# One that counts for ever is killed in the midst of it: what it had said it kept is there.
cat >forever.s <<'S'
_start: li a0, -100
        la a1, path
        li a2, 2
        li a7, 56
        ecall
        mv s0, a0
        la s1, number           # six digits
loop:   addi t0, s1, 5
1:      lb t1, 0(t0)
        addi t1, t1, 1
        sb t1, 0(t0)
        li t2, 58
        blt t1, t2, 2f
        li t1, 48
        sb t1, 0(t0)
        addi t0, t0, -1
        j 1b
2:      mv a0, s0
        la a1, command
        li a2, 12
        li a7, 64
        ecall
        blez a0, fail
        li a0, 1                # "kept", and says so
        la a1, number
        li a2, 7
        li a7, 64
        ecall
        j loop
fail:   li a0, 1
        li a7, 93
        ecall
        .data
path:   .asciz "/dev/husk/kv"
command: .ascii "set n "
number: .ascii "000000\n"
S
cat >reads.s <<'S'
_start: li a0, -100
        la a1, path
        li a2, 2
        li a7, 56
        ecall
        mv s0, a0
        la a1, command
        li a2, 5
        li a7, 64
        ecall
        blez a0, fail
        mv a0, s0
        la a1, room
        li a2, 64
        li a7, 63
        ecall
        mv a2, a0
        li a0, 1
        la a1, room
        li a7, 64
        ecall
        li a0, 0
        j end
fail:   li a0, 1
end:    li a7, 93
        ecall
        .data
path:   .asciz "/dev/husk/kv"
command: .ascii "get n"
room:   .zero 64
S
printf 'store: n.db\ninstances:\n  - {name: f, program: [forever.s], may: [output, kv], space: n}\n' >forever.yaml
printf 'store: n.db\ninstances:\n  - {name: r, program: [reads.s], may: [output, kv], space: n}\n' >reads.yaml
printf 'store: n.db\ninstances:\n  - {name: r, program: [reads.s], may: [output, kv], space: other}\n' >other.yaml
"$HUSK" up forever.yaml >kept.txt 2>/dev/null &
child=$!
for _ in $(seq 200); do
	[ "$(wc -l <kept.txt)" -ge 20 ] && break
	sleep 0.1
done
kill -KILL $child
wait $child 2>/dev/null || true
last=$(sed -n 's/^f | \([0-9]*\)$/\1/p' kept.txt | tail -1)
expect 0 timeout 20 "$HUSK" up reads.yaml
now=$(sed -n 's/^r | \([0-9]*\)$/\1/p' <<<"$out")
[ "$now" -ge "$last" ] || fail "said $last, kept $now"
expect 1 timeout 20 "$HUSK" up other.yaml
[ -z "$out" ] || fail "another space has it: $out"

# The files of /dev/husk, from C.
for program in kv spawn; do
	riscv64-linux-gnu-gcc -O1 -w -static -o $program "$TOP/tests/linux/$program.c" || fail "$program does not compile"
done
printf '_start: j _start\n' >endless.s
cat >files.yaml <<'Y'
store: files.db
instances:
  - {name: kv, program: [kv], may: [output, random, kv]}
  - {name: spawn, program: [spawn], may: [output, random, time, spawn], spawns: [worker, endless], limits: {instances: 3}}
  - {name: worker, template: true, program: [worker.s], may: [output]}
  - {name: endless, template: true, program: [endless.s]}
Y
for how in --deterministic --workers=2; do
	expect 0 timeout 60 "$HUSK" up $how files.yaml
	has "$out" '^kv +\| kept$'
	has "$out" '^spawn +\| all ended$'
done
