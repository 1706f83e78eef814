#!/bin/bash
# SPDX-License-Identifier: MIT
# husk up: programs that send one another messages; limits of them, rights to them, and what happens when nobody sends any.
set -eu
source "$TOP/tests/cli/common.bash"

cat >ping.asm <<'A'
        .ORIG x3000
        LEA  R0, NAME
        TRAP x33                ; R0 = the number of "pong"
        ST   R0, WHO
        AND  R4, R4, #0
        ADD  R4, R4, #3
AGAIN   LEA  R0, TEXT
        LD   R1, WHO
        AND  R2, R2, #0
        ADD  R2, R2, #5
        TRAP x30                ; send
        LEA  R0, ANSWER
        AND  R1, R1, #0
        ADD  R1, R1, #15
        TRAP x31                ; receive
        LEA  R1, ANSWER
        ADD  R1, R1, R0
        AND  R2, R2, #0
        STR  R2, R1, #0
        LEA  R0, ANSWER
        PUTS
        ADD  R4, R4, #-1
        BRp  AGAIN
        HALT
NAME    .STRINGZ "pong"
WHO     .BLKW 1
TEXT    .STRINGZ "ping\n"
ANSWER  .BLKW 16
        .END
A
cat >pong.asm <<'A'
        .ORIG x3000
        AND  R4, R4, #0
        ADD  R4, R4, #3
AGAIN   LEA  R0, ANSWER
        AND  R1, R1, #0
        ADD  R1, R1, #15
        TRAP x31
        LEA  R0, TEXT
        AND  R2, R2, #0
        ADD  R2, R2, #5
        TRAP x30                ; R1 is who sent it
        ADD  R4, R4, #-1
        BRp  AGAIN
        HALT
TEXT    .STRINGZ "pong\n"
ANSWER  .BLKW 16
        .END
A
for profile in v3 classic; do
	cat >up.yaml <<Y
instances:
  - {name: ping, program: [ping.asm], may: [output, mailbox], set: [services=on, profile=$profile]}
  - {name: pong, program: [pong.asm], may: [output, mailbox], set: [services=on, profile=$profile]}
Y
	for how in --deterministic "--workers=2" "--engine=interp"; do
		expect 0 timeout 60 "$HUSK" up $how --report r.json up.yaml
		[ "$(grep -c '^ping | pong$' <<<"$out")" = 3 ] || fail "$profile $how: not three answers: $out"
		[ "$(grep -c '"messages": 3,' r.json)" = 2 ] || fail "$profile $how: not three messages each"
	done
done

# Two messages and no third; the other one then waits for ever, and the run is over.
sed 's/}$/, limits: {messages: 2}}/' up.yaml >few.yaml
expect 1 timeout 60 "$HUSK" up --deterministic --report r.json few.yaml
has "$err" '^ping +limit .*reached the messages limit of 2 messages \(ping\)'
has "$err" '^pong +waiting .*waits for a message'
[ "$(grep -c '"messages": 2,' r.json)" = 2 ] || fail "not two messages each"

# Who may not have mail is nobody to those who may; and stops when it tries itself.
sed '/name: pong/s/, mailbox//' up.yaml >deaf.yaml
expect 1 timeout 60 "$HUSK" up --deterministic deaf.yaml
has "$err" "^pong +failed .*no right to 'mailbox'"
has "$err" '^ping +waiting '

# Realms do not know one another.
sed '/name: pong/s/}$/, realm: else}/' up.yaml >apart.yaml
expect 1 timeout 60 "$HUSK" up --deterministic apart.yaml
has "$err" '^ping +waiting '
has "$err" '^pong +waiting '

# Without a hypervisor there is nobody to ask.
expect_not_zero() { if "$@" >o.txt 2>&1; then fail "$* went well"; fi; }
expect_not_zero timeout 20 "$HUSK" run --set services=on ping.asm
grep -q "'mail_find' is not available" o.txt || fail "$(cat o.txt)"
