#!/bin/bash
# SPDX-License-Identifier: MIT
# Files for machines without an operating system: an LC-3 program in its three forms and one of Iridium write and read beneath a folder,
# under husk run, debug and up.
set -eu
source "$TOP/tests/cli/common.bash"

mkdir data
cat >file.asm <<'A'
; LC-3: writes a file, opens it again, reads from its fourth byte on.
        .ORIG x3000
        LEA  R0, NAME
        AND  R1, R1, #0
        ADD  R1, R1, #1
        TRAP x3F                ; open to write
        ADD  R0, R0, #0
        BRn  BAD
        ST   R0, H
        LEA  R1, TEXT
        LD   R2, LEN
        TRAP x41                ; write
        LD   R0, H
        TRAP x43                ; size
        LD   R2, MINUS
        ADD  R2, R2, R0
        ADD  R2, R2, R1         ; the upper half
        BRnp BAD
        LD   R0, H
        TRAP x44                ; close
        LEA  R0, NAME
        AND  R1, R1, #0
        TRAP x3F                ; open to read
        ADD  R0, R0, #0
        BRn  BAD
        ST   R0, H
        AND  R1, R1, #0
        ADD  R1, R1, #3
        AND  R2, R2, #0
        TRAP x42                ; seek
        LD   R0, H
        LEA  R1, BUF
        LD   R2, LEN
        TRAP x40                ; read
        LEA  R0, BUF
        PUTS
        HALT
BAD     NOT  R0, R0
        ADD  R0, R0, #1
        LD   R1, ZERO
        ADD  R0, R0, R1
        OUT
        HALT
H       .BLKW 1
ZERO    .FILL x30
LEN     .FILL 12
MINUS   .FILL -12
NAME    .STRINGZ "a.txt"
TEXT    .STRINGZ "hello files\n"
BUF     .BLKW 20
        .END
A
for profile in v3 classic tiny; do
	for engine in jit interp; do
		rm -f data/a.txt
		expect 0 timeout 20 "$HUSK" run --engine $engine --set services=on --set profile=$profile --dir data file.asm
		has "$out" '^lo files$'
		[ "$(cat data/a.txt)" = "hello files" ] || fail "$profile: $(cat data/a.txt)"
	done
done

# Not there without a folder; read-only; given by another name than the program asks for.
if timeout 20 "$HUSK" run --set services=on file.asm >o.txt 2>&1; then fail "no folder"; fi
grep -q "the host function 'file_open' is not available" o.txt || fail "no folder: $(cat o.txt)"
expect 0 timeout 20 "$HUSK" run --set services=on --dir data:ro file.asm
has "$out" '^4$'
sed 's|"a.txt"|"/save/b.txt"|' file.asm >save.asm
expect 0 timeout 20 "$HUSK" run --set services=on --dir data::/save save.asm
[ "$(cat data/b.txt)" = "hello files" ] || fail "save: $(cat data/b.txt)"
expect 0 timeout 20 "$HUSK" run --set services=on --dir data::/other save.asm
has "$out" '^1$'
sed 's|"a.txt"|"../b.txt"|' file.asm >up.asm
expect 0 timeout 20 "$HUSK" run --set services=on --dir data up.asm
has "$out" '^4$'
[ ! -e b.txt ] || fail "it got out"

# Stopped anywhere and gone on: what is open is opened again.
expect 0 timeout 20 "$HUSK" run --deterministic --set services=on --set profile=tiny --dir data file.asm
whole=$out
for fuel in 5 8 12 15 20 22 25 29; do
	rm -f data/a.txt half.snap
	expect 137 timeout 20 "$HUSK" run -q --deterministic --fuel $fuel --snapshot-on-exit half.snap --set services=on --set profile=tiny --dir data file.asm
	expect 0 timeout 20 "$HUSK" run --deterministic --dir data --isa lc3 --set services=on --set profile=tiny half.snap
	[ "$out" = "$whole" ] || fail "behind $fuel instructions: $out"
	[ "$(cat data/a.txt)" = "hello files" ] || fail "behind $fuel instructions: $(cat data/a.txt)"
done

# Going back in the debugger, and on again, writes nothing a second time.
rm -f data/a.txt
sed 's/ADD  R1, R1, #1$/ADD  R1, R1, #2/' file.asm >append.asm
printf 'step 22\nback 20\ngoto 22\nback 10\ncontinue\nquit\n' >cmds
run timeout 20 "$HUSK" debug --set services=on --set profile=tiny --dir data append.asm <cmds
has "$out" '^lo files$'
[ "$(cat data/a.txt)" = "hello files" ] || fail "debug: $(cat data/a.txt)"

# Other machines: each appends to a file of its own.
cat >add.svm <<'A'
.globals 8
        iconst 115      // 0: "s"
        gstore 0
        iconst 33       // 4: "!"
        gstore 4
        iconst 0
        iconst 2
        iconst 0
        serve 0x3F      // open
        gstore 6
        pop
        gload 6
        iconst 4
        iconst 1
        serve 0x41      // write
        print
        halt
A
cat >add.iasm <<'A'
.data
.code
        load $5 #0
        load $6 #105    ; heap 0: "i"
        setm $5 $6
        load $5 #8
        load $6 #33     ; 8: "!"
        setm $5 $6
        load $0 #0
        load $1 #2
        serv #63
        load $1 #8
        load $2 #1
        serv #65
        hlt
A
cat >add.gpc.masm <<'A'
name:   ds "m\0"
text:   ds "!"
main:
	mov r1, name
	mov r2, 2
	int 0x3F
	mov r2, text
	mov r3, 1
	int 0x41
	hlt
A
for program in add.svm add.iasm add.gpc.masm; do
	for time in 1 2; do
		run timeout 20 "$HUSK" run --set services=on --dir data $program
	done
done
for name in s i m; do [ "$(cat data/$name)" = '!!' ] || fail "$name: $(cat data/$name)"; done

# TinyVM knows numbers and names: a file is a number.
cat >count.tvm <<'A'
function main
sync file_read:n
set one 1
add n n one
sync file_write:n
print n
print who
sync file_read:other
print who
sync file_remove:other
print who
exit
A
for time in 1 2 3; do
	expect 0 timeout 20 "$HUSK" run --set services=on --dir data count.tvm
	has "$out" "PRINT n = $time\$"
	[ "$(cat data/n)" = $time ] || fail "tinyvm: $(cat data/n)"
done
[ "$(grep -c 'PRINT who = 1$' <<<"$out")" = 2 ] || fail "tinyvm: $out"

# Listed by one machine after the other; read and written by one handle.
mkdir listed listed/sub
printf abc >listed/b
printf x >listed/a
printf y >listed/sub/c
ln -s /etc listed/link
cat >list.asm <<'A'
; LC-3: every name, one a line, those of folders with a slash.
        .ORIG x3000
NEXT    LEA  R0, NAME
        LEA  R1, NAME
        LD   R2, MOST
        TRAP x46
        ADD  R0, R0, #0
        BRn  DONE
        LEA  R2, NAME
        ADD  R2, R2, R0
        AND  R3, R3, #0
        STR  R3, R2, #0
        LEA  R0, NAME
        PUTS
        ADD  R1, R1, #0
        BRz  FILE
        LD   R0, SLASH
        OUT
FILE    LD   R0, LINE
        OUT
        BR   NEXT
DONE    HALT
MOST    .FILL 256
SLASH   .FILL x2F
LINE    .FILL 10
NAME    .BLKW 257
        .END
A
cat >list.svm <<'A'
.globals 40
next:   iconst 0
        iconst 20
        iconst 20
        serve 0x46      // length, and above it whether it is a folder
        gstore 38
        pop
        gload 38
        iconst 0
        ilt
        brt done
        gload 38
        print
        gload 20        // the name has one byte: it is where the next begins
        print
        gload 20
        gstore 0
        br next
done:   gload 38
        print
        halt
A
cat >change.asm <<'A'
; LC-3: the first byte of "b" to its end.
        .ORIG x3000
        LEA  R0, NAME
        AND  R1, R1, #0
        ADD  R1, R1, #3
        TRAP x3F
        ST   R0, H
        LEA  R1, BUF
        AND  R2, R2, #0
        ADD  R2, R2, #3
        TRAP x40
        LD   R0, H
        LEA  R1, BUF
        AND  R2, R2, #0
        ADD  R2, R2, #1
        TRAP x41
        HALT
H       .BLKW 1
NAME    .STRINGZ "b"
BUF     .BLKW 4
        .END
A
for profile in v3 classic tiny; do
	expect 0 timeout 20 "$HUSK" run --set services=on --set profile=$profile --dir listed:ro list.asm
	[ "$(grep -xE 'a|b|sub/' <<<"$out" | tr '\n' ' ')" = 'a b sub/ ' ] || fail "$profile: $out"
	if grep -q link <<<"$out"; then fail "a link is listed"; fi
done
rm -r listed/sub
expect 0 timeout 20 "$HUSK" run --set services=on --dir listed:ro list.svm
[ "$(tr '\n' ' ' <<<"$out")" = '1 97 1 98 -1 ' ] || fail "svm lists: $out"
expect 0 timeout 20 "$HUSK" run --set services=on --dir listed change.asm
[ "$(cat listed/b)" = abca ] || fail "change: $(cat listed/b)"
expect 0 timeout 20 "$HUSK" run --set services=on --limit disk=1 --dir listed change.asm # over the one that it wrote
[ "$(cat listed/b)" = abca ] || fail "change: $(cat listed/b)"

# No more bytes than were given, whoever writes them; a new name is 4096.
rm -f data/*
expect 0 timeout 20 "$HUSK" run --set services=on --limit disk=4095 --dir data file.asm
has "$out" '^2$'
[ -z "$(ls data)" ] || fail "a name that there is no room for: $(ls data)"
expect 0 timeout 20 "$HUSK" run --set services=on --limit disk=4103 --dir data file.asm
[ "$(cat data/a.txt)" = "hello f" ] || fail "7 bytes: $(cat data/a.txt)"
if timeout 20 "$HUSK" run --set services=on --limit disk=0 --dir data file.asm >o.txt 2>&1; then fail "no limit"; fi
grep -q 'not a number greater than 0' o.txt || fail "$(cat o.txt)"
if timeout 20 "$HUSK" run --limit open=7 file.asm >o.txt 2>&1; then fail "a limit of Linux programs"; fi
rm -f data/*

# In a hypervisor: both its own right and the folder; two kinds of machine.
cat >up.yaml <<'Y'
name: files
instances:
  - name: lc3
    program: [save.asm]
    set: [services=on]
    dirs: ["data::/save"]
    may: [output, files]
  - name: svm
    program: [add.svm]
    set: [services=on]
    dirs: [data]
    may: [output, files]
    limits: {files: 1}
Y
rm -f data/b.txt
for how in --deterministic --workers=2; do
	rm -f data/b.txt
	expect 0 timeout 60 "$HUSK" up $how up.yaml
	has "$out" '^lc3 \| lo files$'
	has "$out" '^svm \| 1$'
	[ "$(cat data/b.txt)" = "hello files" ] || fail "up: $(cat data/b.txt)"
done
sed 's/, files\]/]/; /dirs/d' up.yaml >no.yaml
expect 1 timeout 60 "$HUSK" up --deterministic no.yaml
has "$err" "host function 'file_open'"
