#!/bin/bash
# SPDX-License-Identifier: MIT
# Graves, the manager of Merry's cores: every request, who may ask for it, and what goes wrong.
set -eu
source "$TOP/tests/cli/common.bash"

prelude='define CREATE 0 define PAGE 1 define GROUP 2 define SAVE 3 define DELETE 4 define JUMP 5 define SWITCH 6
define RESTORE 7 define BESTOW 8 define QUIET 9 define UNPAUSED 10 define SEND 11 define PAUSE 12 define UNPAUSE 13
define DEAD 22 define PARENT 23 define ID 24 define UNIQUE 25 define MYGROUP 26 define KILL 27 define CHILD 28
define ADOPT 29 define ADOPTCHILD 30 define GIVEUP 31 define PURGE 32 go: dq 0 step: dq 0 back: dq 0'
# show: R0 and R1, a blank. new: an unprivileged core at R2.
lib='show: outq r0 mov r12 32 outq r1 mov r12 32 cout r12 ret new: mov r1 0 mov r3 0 int CREATE ret
	lib_wait: loadq r9 go cmp r9 0 je lib_wait ret'
prints() { # prints OUTPUT TEXT
	printf '%s\n' "$prelude $2 $lib" >g.gpc.masm
	expect 0 timeout 20 $HUSK run g.gpc.masm
	[ "$out" = "$1" ] || fail "printed '$out', not '$1'"
	# Who runs when changes nothing here.
	[ -z "${3-}" ] || return 0
	expect 0 timeout 20 $HUSK run --quantum 1 g.gpc.masm
	[ "$out" = "$1" ] || fail "in quanta of one: printed '$out', not '$1'"
}

# Who am I: number, unique number, group, no parent (9).
prints '00 00 00 09 ' 'main: int ID call show mov r1 0 int UNIQUE call show mov r1 0 int MYGROUP call show int PARENT call show hlt'
# A core: numbers in order; it sees the same data, has its own stack and its own calls; HALT ends it alone.
cat >two.txt <<'T'
main: mov r2 kid call new call show push r1 push r1 call lib_wait loadq r1 step outq r1 mov r12 32 cout r12 loadq r1 back outq r1 outq sp hlt
kid: push r1 storeq sp back mov r1 42 storeq r1 step mov r1 1 storeq r1 go hlt
T
prints '01 42 816' "$(cat two.txt)"
# Refused: no such kind of core (0), no such place (1: beyond the end, and between two words).
prints '10 11 11 ' 'main: mov r1 1 mov r2 main int CREATE call show mov r1 0 mov r2 0x100000 int CREATE call show
	mov r1 0 mov r2 9 int CREATE call show hlt'
# As many as fit; then adding fails (0). All of them end.
prints '63 10 ' 'main: mov r8 0 more: mov r2 kid call new cmp r0 0 jne full inc r8 jmp more
	full: outq r8 mov r12 32 cout r12 call show mov r1 1 storeq r1 go hlt kid: call lib_wait hlt'
# Numbers are used anew, unique numbers are not: 10 is yes, dead.
prints '01 01 011 010 010 114 ' 'main: mov r2 kid call new call show call wait mov r2 kid2 call new call show
	mov r1 1 mov r2 2 int DEAD call show mov r1 1 mov r2 1 int DEAD call show mov r1 1 storeq r1 go
	call wait mov r1 1 mov r2 2 int DEAD call show mov r1 70 int DEAD call show hlt
	wait: mov r8 2000 w: dec r8 loop r8 w ret kid: hlt kid2: call lib_wait hlt' once

# A page of data: its address; before and behind it.
prints '01048576 7 03145728 ' 'main: mov r1 2 int PAGE call show movq r5 r1 mov r4 7 storeb r4 r5 loadb r4 r5 outq r4 mov r12 32 cout r12
	mov r1 1 int PAGE call show hlt'
# An enormous one is refused (2).
prints '12 ' 'main: mov r1 0x100000 int PAGE call show hlt'

# States: jump comes back behind the save with the registers of then.
prints '5 6 5 00 13 ' 'main: mov r5 5 int SAVE loadq r7 step inc r7 storeq r7 step outq r5 mov r12 32 cout r12
	cmp r7 2 je over mov r5 6 outq r5 cout r12 mov r1 0 int JUMP hlt
	over: mov r1 0 int DELETE call show mov r1 0 int JUMP call show hlt'
# Two coroutines that switch to each other.
prints 'a1b1a2b2a3b3' 'main: mov r4 98 mov r5 48 int SAVE cmp r4 98 je begins
	turn: cmp r5 51 je end inc r5 cout r4 cout r5 mov r1 0 int SWITCH jmp turn
	begins: loadq r7 step cmp r7 0 jne turn mov r7 1 storeq r7 step mov r4 97 jmp turn end: hlt' once
prints '13 13 13 13 ' 'main: mov r1 3 int JUMP call show mov r1 99 int SWITCH call show mov r1 0 int DELETE call show int RESTORE call show hlt'
prints '16 13 ' 'main: mov r8 0 m: int SAVE cmp r0 0 jne f inc r8 jmp m f: outq r8 mov r12 32 cout r12 call show hlt'

# Privileges. The child: nothing is allowed (4); then each permission once.
refused='mov r2 kid2 call new call show mov r1 0 int PAGE call show mov r1 0 mov r2 kid2 int GROUP call show
	mov r1 0 mov r2 0 int BESTOW call show mov r1 0 mov r2 0 int PAUSE call show mov r1 0 mov r2 0 int UNPAUSE call show
	mov r1 0 mov r2 0 int KILL call show mov r1 0 mov r2 0 int ADOPT call show mov r1 0 mov r2 0 int ADOPTCHILD call show
	mov r1 0 mov r2 0 int 14 call show mov r1 0 mov r2 0 int 21 call show'
prints '14 14 14 14 14 14 14 14 14 14 14 ' "main: mov r2 kid call new call lib_wait hlt
	kid: $refused mov r1 1 storeq r1 go hlt kid2: hlt"
prints '01048576 14 ' 'main: mov r2 kid call new mov r1 1 mov r2 1 int 15 mov r1 1 storeq r1 go hlt
	kid: call lib_wait mov r1 1 int PAGE call show mov r1 1 int PAGE call show hlt'
prints '00 14 14 ' 'main: mov r2 kid call new mov r1 1 mov r2 1 int 14 mov r1 1 mov r2 1 int 16 mov r1 1 storeq r1 go hlt
	kid: call lib_wait mov r2 kid2 call new call show mov r2 kid2 call new call show
	mov r1 0 mov r2 kid2 mov r3 1 int CREATE call show hlt kid2: jmp kid2x kid2x: hlt'
# Only the privileged make privileged cores, and bestow: then everything is allowed. Giving it up.
prints '14 00 14 ' 'main: mov r2 kid call new mov r1 1 mov r2 1 int 14 mov r1 1 storeq r1 go
	m: loadq r9 go cmp r9 2 jne m mov r1 1 mov r2 1 int BESTOW mov r1 3 storeq r1 go hlt
	kid: call lib_wait mov r1 0 mov r2 kid2 mov r3 1 int CREATE call show mov r1 2 storeq r1 go
	k: loadq r9 go cmp r9 3 jne k mov r1 0 mov r2 kid2 mov r3 1 int CREATE call show int GIVEUP
	mov r2 kid2 call new call show hlt kid2: hlt' once
# Groups: a root has no parent, is privileged, and nobody outside acts on it (15).
prints '01 115 115 115 014 ' 'main: mov r1 0 mov r2 root int GROUP call show mov r1 1 mov r2 1 int PAUSE call show
	mov r1 1 mov r2 1 int KILL call show mov r1 1 mov r2 1 mov r3 5 int SEND call show
	mov r1 1 storeq r1 go hlt
	root: call lib_wait int MYGROUP movq r4 r1 int PARENT outq r0 outq r4 sub r1 5 outq r1 mov r12 32 cout r12 hlt' once

# Pauses and kills: 5 for who ignores them; 7 for the dead; 14 for no such core.
prints '00 1 00 1 01 17 114 ' 'main: mov r2 kid call new movq r7 r1 call lib_wait mov r1 1 mov r2 1 int PAUSE mov r1 0 call show
	loadq r4 step mov r8 3000 w: dec r8 loop r8 w loadq r5 step cmp r4 r5 mov r6 0 move r6 1 outq r6 mov r12 32 cout r12
	mov r1 1 mov r2 1 int UNPAUSE mov r1 0 call show mov r8 3000 x: dec r8 loop r8 x loadq r5 step cmp r4 r5 mov r6 0 movne r6 1
	outq r6 mov r12 32 cout r12 mov r1 1 mov r2 1 int KILL call show mov r1 1 mov r2 1 int KILL call show
	mov r1 9 mov r2 9 int KILL call show hlt
	kid: mov r1 1 storeq r1 go k: loadq r1 step inc r1 storeq r1 step jmp k'
prints '15 15 ' 'main: mov r2 kid call new mov r2 kid2 call new w: loadq r1 step cmp r1 3 jne w mov r1 1 mov r2 1 int PAUSE call show
	mov r1 2 mov r2 2 int PAUSE call show mov r1 1 storeq r1 go hlt
	kid: int UNPAUSED loadq r1 step or r1 1 storeq r1 step call lib_wait hlt
	kid2: int QUIET loadq r1 back w1: loadq r1 step cmp r1 1 jne w1 mov r1 3 storeq r1 step call lib_wait hlt'
# A core that pauses itself while nobody else can wake it: said, not hung.
printf 'main: mov r1 0 mov r2 0 int 12 hlt\n' >g.gpc.masm
expect 142 timeout 20 $HUSK run g.gpc.masm; has "$err" 'deadlock.*core 0 .*is paused'

# Parents.
prints '010 010 011 00 010 112 ' 'main: mov r2 kid call new mov r1 1 mov r2 1 int CHILD call show mov r1 1 storeq r1 go
	m: loadq r9 go cmp r9 2 jne m mov r1 0 mov r2 root mov r3 1 int CREATE mov r1 2 mov r2 2 int CHILD call show
	mov r1 1 mov r2 2 int CHILD call show
	mov r1 1 mov r2 1 mov r3 2 mov r11 2 int ADOPTCHILD mov r1 0 call show mov r1 3 storeq r1 go
	n: loadq r9 go cmp r9 4 jne n mov r1 2 mov r2 2 mov r3 1 mov r11 1 int ADOPTCHILD call show mov r1 5 storeq r1 go hlt
	kid: call lib_wait mov r1 2 storeq r1 go k: loadq r9 go cmp r9 3 jne k int PARENT call show mov r1 4 storeq r1 go
	k2: loadq r9 go cmp r9 5 jne k2 hlt
	root: loadq r9 go cmp r9 5 jne root hlt'

# Wild requests: the handler gets request, sender and argument; what it interrupted goes on; they queue while it works.
prints '0 0 5 0 0 7|6 0 0 8|77' 'main: mov r2 kid call new call lib_wait mov r1 1 mov r2 1 mov r3 5 mov r11 7 int SEND outq r0 mov r12 32 cout r12
	mov r1 1 mov r2 1 mov r3 6 mov r11 8 int SEND outq r0 mov r12 32 cout r12 w: loadq r9 step cmp r9 2 jne w mov r1 9 storeq r1 go hlt
	kid: whdlr handler mov r0 77 mov r1 1 storeq r1 go k: loadq r9 go cmp r9 9 jne k outq r0 hlt
	handler: movq r4 r1 mov r12 32 loadq r9 back q: loadq r9 step outq r0 cout r12 outq r1 cout r12 outq r2 cout r12 outq r3
	mov r12 124 cout r12 loadq r9 step inc r9 storeq r9 step int RESTORE' once
# To oneself; RESTORE brings back what was, R0 = served.
prints '3 0 0 4 5 0' 'main: whdlr h mov r5 5 mov r1 0 mov r2 0 mov r3 3 mov r11 4 int SEND mov r12 32 outq r5 cout r12 outq r0 hlt
	h: mov r5 6 mov r12 32 outq r0 cout r12 outq r1 cout r12 outq r2 cout r12 outq r3 cout r12 int RESTORE'
# Refused: no handler (13), not to be disturbed (11), queue full (6) until it is purged; dead (7).
prints '113 ' 'main: mov r1 0 mov r2 0 int SEND call show hlt'
prints '111 ' 'main: whdlr main int QUIET mov r1 0 mov r2 0 int SEND call show hlt'
prints '10 16 00 10 ' 'main: whdlr h mov r1 0 mov r2 0 int SEND
	h: mov r8 0 m: mov r1 0 mov r2 0 int SEND cmp r0 0 jne full inc r8 jmp m full: outq r8 mov r12 32 cout r12 call show int PURGE
	mov r1 0 call show mov r8 0 n: mov r1 0 mov r2 0 int SEND cmp r0 0 jne full2 inc r8 jmp n full2: outq r8 mov r12 32 cout r12 hlt'
prints '17 ' 'main: mov r1 0 mov r2 5 int SEND call show hlt'
# No such request (11).
prints '111 ' 'main: int 33 call show hlt'

# One core's error ends it alone; the exit code tells.
printf '%s\n' "$prelude main: mov r2 kid call new mov r8 3000 w: dec r8 loop r8 w mov r1 33 cout r1 hlt kid: mov r1 1 mov r2 0 div r1 r2 hlt $lib" >g.gpc.masm
expect 1 timeout 20 $HUSK run g.gpc.masm; [ "$out" = '!' ] || fail "the others go on"; has "$err" '^CORE=1: Attempt to divide by zero\. \(at 0x'
# A bomb of cores, each starting others, ends by its limit; recursion in all of them by theirs.
printf '%s\n' "$prelude main: mov r1 0 mov r2 main mov r3 1 int CREATE mov r1 0 mov r2 main mov r3 1 int CREATE jmp main" >g.gpc.masm
expect 137 timeout 20 $HUSK run --fuel 200000 g.gpc.masm
printf '%s\n' "$prelude main: mov r1 0 mov r2 main mov r3 1 int CREATE call main" >g.gpc.masm
run timeout 20 $HUSK run --fuel 3000000 g.gpc.masm; [ "$code" != 124 ] || fail "endless recursion in all cores"
has "$err" 'CALL stack overflowed'
