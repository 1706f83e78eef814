#!/bin/bash
# SPDX-License-Identifier: MIT
# husk up: what a Linux program sees of the rights it has and has not; and one that waits for mail and a pipe at once.
set -eu
source "$TOP/tests/cli/common.bash"
source "$TOP/tests/cli/linux.bash"

linux_program rights
riscv64-linux-gnu-gcc -O1 -w -static -pthread -o mailbox "$TOP/tests/linux/mailbox.c" || fail "mailbox does not compile"
mkdir -p data && : >data/file

# with RIGHTS MORE: what the program says with these rights
with() {
	printf 'store: k.db\ninstances:\n  - {name: p, program: [rights], may: [output%s]%s}\n' "$1" "${2:-}" >r.yaml
	expect 0 timeout 60 "$HUSK" up --deterministic -q r.yaml
}
with ''
has "$out" 'input=EPERM random=EPERM urandom=EPERM time=EPERM sleep=EPERM clone=EPERM files=ENOENT net=EACCES mailbox=EACCES spawn=EACCES kv=EACCES'
with ', input, random, time, vcpus, mailbox, spawn, kv'
has "$out" 'input=yes random=yes urandom=yes time=yes sleep=yes clone=yes files=ENOENT net=EACCES mailbox=yes spawn=yes kv=yes'
with ', files' ', dirs: ["data::/data:ro"]'
has "$out" ' files=yes '
with ', net' ', net: loopback'
has "$out" ' net=yes '
printf 'instances:\n  - {name: p, program: [rights], may: [output], dirs: [data]}\n' >r.yaml
expect 126 "$HUSK" up r.yaml
has "$err" "'dirs' is of no use without the right: may: \[files\]"
printf 'instances:\n  - {name: p, program: [rights], may: [output], net: loopback}\n' >r.yaml
expect 126 "$HUSK" up r.yaml
has "$err" "'net' is of no use without the right: may: \[net\]"

# An LC-3 writes three letters to the one that waits in poll(), and prints the answers.
cat >letters.asm <<'A'
        .ORIG x3000
        AND  R4, R4, #0
        ADD  R4, R4, #3
AGAIN   LEA  R0, NAME
        TRAP x33
        ADD  R1, R0, #0
        LEA  R0, TEXT
        AND  R2, R2, #0
        ADD  R2, R2, #3
        TRAP x30
        LEA  R0, ROOM
        LD   R1, MOST
        TRAP x31
        LEA  R1, ROOM
        ADD  R1, R1, R0
        AND  R2, R2, #0
        STR  R2, R1, #0
        LEA  R0, ROOM
        PUTS
        ADD  R4, R4, #-1
        BRp  AGAIN
        HALT
NAME    .STRINGZ "mailbox"
TEXT    .STRINGZ "hi\n"
MOST    .FILL 60
ROOM    .BLKW 61
        .END
A
cat >poll.yaml <<'Y'
instances:
  - {name: mailbox, program: [mailbox], may: [output, random, time, vcpus, mailbox]}
  - {name: letters, program: [letters.asm], may: [output, mailbox], set: [services=on]}
Y
for how in --deterministic --workers=2; do
	expect 0 timeout 60 "$HUSK" up $how poll.yaml
	[ "$(grep -c '^mailbox | letters hi$' <<<"$out")" = 3 ] || fail "not three letters: $out"
	for n in 1 2 3; do has "$out" "^letters \| mail $n\$"; done
done
