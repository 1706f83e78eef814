#!/bin/bash
# SPDX-License-Identifier: MIT
# husk up: services of Iridium, SVM, TinyVM, Merry and LC-3: a letter that goes around and counters that stay; what each sees without them, and
# without the right.
set -eu
source "$TOP/tests/cli/common.bash"

cp "$TOP"/examples/up/post/* .
run=0
for how in --deterministic --workers=2 --engine=interp; do
	run=$((run + 1))
	expect 0 timeout 60 "$HUSK" up $how post.yaml
	has "$out" "^svm \| $run\$"
	has "$out" '^iri \| passed on$'
	has "$out" "^mer \| $run\$"
	has "$out" "^tvm \| \[Thread 0\] PRINT Variable letter = $run\$"
	has "$out" "^tvm \| \[Thread 0\] PRINT Variable n = $run\$"
done

# Each service wants its own right; and they say which.
sed 's/may: \[output, /&/; s/, kv\]/]/' post.yaml >nokv.yaml
expect 1 timeout 60 "$HUSK" up --deterministic nokv.yaml
has "$err" "^svm +failed .*no right to 'kv' \(host function 'kv_get'\)"
sed 's/mailbox, //' post.yaml >nomail.yaml
expect 1 timeout 60 "$HUSK" up --deterministic nomail.yaml
for name in svm iri mer tvm; do has "$err" "^$name +failed .*no right to 'mailbox' \(host function 'mail_(find|wait)'\)"; done

# Nobody stands around.
for program in begin.svm pass.iasm pass.gpc.masm back.tvm; do
	if timeout 20 "$HUSK" run --set services=on $program >o.txt 2>&1; then fail "$program alone"; fi
	grep -qE "the host function '(kv_get|mail_wait)' is not available" o.txt || fail "$program: $(cat o.txt)"
done

# Without services=on the machines are the originals: none of them knows any of this.
printf '.data\n.code\n load $0 #1\n serv #52\n hlt\n' >self.iasm
printf 'iconst 0\niconst 0\niconst 0\nserve 0x34\nprint\nhalt\n' >self.svm
printf 'main: int 0x34\n outq r0\n outq r1\n hlt\n' >self.gpc.masm
printf 'function main\nsync kv_set:n\nexit\n' >self.tvm
for machine in svm iridium; do
	program=self.svm words=illegal
	[ $machine = svm ] || program=self.iasm words=opcode
	"$HUSK" asm --set services=on -o self.out $program 2>/dev/null
	if timeout 20 "$HUSK" asm -o no.out $program >o.txt 2>&1; then fail "$program is assembled"; fi
	if timeout 20 "$HUSK" run --isa $machine self.out >o.txt 2>&1; then fail "$program runs"; fi
	grep -qi "$words" o.txt || fail "$program: $(cat o.txt)"
done
expect 0 timeout 20 "$HUSK" run self.gpc.masm
[ "$out" = 111 ] || fail "no such request: $out"
expect 0 timeout 20 "$HUSK" run --set time=off self.tvm
has "$out" "kv_set:n"
has "$err" "there is no function 'kv_set:n'"

# The LC-3 has all of them as traps; in its three forms.
cat >more.asm <<'A'
; LC-3: the services beyond letters: keys one after another, forgetting, time, sleep, random numbers.
        .ORIG x3000
        LEA  R0, B
        LEA  R1, B
        AND  R2, R2, #0
        ADD  R2, R2, #1
        TRAP x38                ; b = "b"
        LEA  R0, A
        LEA  R1, A
        TRAP x38                ; a = "a"
        LEA  R0, KEY            ; the empty one
        LEA  R1, KEY
        TRAP x3A                ; first: a
        LD   R0, KEY
        OUT
        LEA  R0, KEY
        TRAP x3A                ; behind it: b
        LD   R0, KEY
        OUT
        LEA  R0, KEY
        TRAP x3A                ; none: xFFFF
        ADD  R0, R0, #1
        BRnp WRONG
        LEA  R0, A
        TRAP x39                ; forgets a: 0
        ADD  R0, R0, #0
        BRnp WRONG
        LEA  R0, A
        TRAP x39                ; there is none: 1
        ADD  R0, R0, #-1
        BRnp WRONG
        LD   R0, MS
        TRAP x3D                ; 2500 ms
        TRAP x3C
        ADD  R1, R1, #-2        ; seconds
        BRnp WRONG
        TRAP x3E
        ADD  R3, R0, #0
        TRAP x3E
        NOT  R0, R0
        ADD  R0, R0, #1
        ADD  R0, R0, R3         ; two random numbers are not the same, as a rule: with this seed
        BRz  WRONG
        AND  R0, R0, #0
        TRAP x3B                ; nobody is child number 0: 1
        ADD  R0, R0, #-1
        BRnp WRONG
        LEA  R0, FINE
        PUTS
        HALT
WRONG   LEA  R0, BAD
        PUTS
        HALT
A       .STRINGZ "a"
B       .STRINGZ "b"
KEY     .BLKW 2
MS      .FILL 2500
FINE    .STRINGZ " fine\n"
BAD     .STRINGZ " wrong\n"
        .END
A
for profile in v3 classic tiny; do
	printf 'store: %s.db\ninstances:\n  - {name: more, program: [more.asm], set: [services=on, profile=%s], may: [output, services, spawn, kv, time, random]}\n' \
		$profile $profile >more.yaml
	expect 0 timeout 60 "$HUSK" up --deterministic more.yaml
	has "$out" '^more \| ab fine$'
done

# Places that are no memory, numbers that are no service, keys without an end: an answer, not a crash.
cat >wild.gpc.masm <<'A'
place:  db 1
main:
	mov r1, 0xFFFFFFFFFFFFFFF0
	mov r2, 0xFFFFFFFFFFFFFFFF
	mov r3, 0xFFFFFFFFFFFFFFFF
	int 0x30
	outq r1
	mov r4, 10
	cout r4
	mov r1, 0xFFFFFFFFFFFFFFF0
	int 0x33
	outq r1
	cout r4
	mov r1, 0xFFFFFFFFFFFFFFF0
	int 0x37
	outq r1
	cout r4
	mov r1, 0xFFFFFFFFFFFFFFFF
	int 0x38
	outq r1
	cout r4
	mov r1, 0xFFFFFFFFFFFFFFFF
	int 0x35
	outq r1
	cout r4
	mov r1, 0xFFFFFFFFFFFFFFFF
	int 0x36
	outq r1
	cout r4
	int 0x3E
	mov r1, 1
	int 0x3D
	outq r1
	hlt
A
printf 'store: w.db\ninstances:\n  - {name: w, program: [wild.gpc.masm], set: [services=on], may: [output, services, mailbox, spawn, kv, time, random]}\n' >wild.yaml
expect 0 timeout 20 "$HUSK" up --deterministic wild.yaml
[ "$(cut -d' ' -f3 <<<"$out" | tr '\n' ' ')" = "3 0 4294967295 3 0 4294967295 0 " ] || fail "wild: $out"
