#!/bin/bash
# SPDX-License-Identifier: MIT
# The TinyVM: what each stage prints, its limits and edge cases, locks and threads, compiled files, what is refused.
set -eu
source "$TOP/tests/cli/common.bash"

# tvm STAGE [OPTION...]: runs the program on stdin in that stage, without the time; warnings stay in $err.
tvm() {
	local stage=$1
	shift
	cat >prog.tvm
	run timeout 20 $HUSK run --deterministic --set stage=s$stage --set time=off "$@" prog.tvm
}

# printed CODE: the run ended so and printed exactly what is on stdin.
printed() {
	[ "$code" = "$1" ] || fail "exit code $code instead of $1"
	cat >wanted.txt
	diff wanted.txt stdout.txt >diff.txt || fail "$(cat diff.txt)"
}

# threads CODE: the same for the lines behind what compiler and loader say.
threads() {
	grep -v -e '^\[Compiler\]' -e '^  [0-9]' -e '^\[File\]' -e '^\[VM\] [LS]' stdout.txt >kept.txt || true
	mv kept.txt stdout.txt
	printed "$1"
}

### Stage 01: lines, one after the other. `exit` comes later: here it is an unknown word.
tvm 01 <<'TVM'
set x 5
// left out
set y -3

add z x y
print z
sleep 1
exit
print nothing
TVM
printed 0 <<'OUT'
Starting TinyVM...
-----------------
Executing: set x 5
Executing: set y -3
Executing: add z x y
Executing: print z
Printing: z 2
Executing: sleep 1
Executing: exit
Printing:  0
Executing: print nothing
Printing: nothing 0
_________________
TinyVM finished.
OUT
has "$err" "prog.tvm:8:1: warning: unknown instruction 'exit'"
has "$err" "'exit' comes with stage 02: --set stage=s02"

### Stage 02: threads begin at a line and have locals of their own; a line beyond the end is the end.
tvm 02 <<'TVM'
set x 5
thread 5
thread 99
sleep 50
exit
set y 10
print y
print x
exit
TVM
printed 0 <<'OUT'
Starting TinyVM with threads...
[Main] Waiting for thread Thread 0
[Thread 0] Thread started
[Thread 1] Thread started
[Thread 1] 10
[Thread 1] 0
[Thread 1] Thread exiting
[Thread 1] Thread finished
[Thread 2] Thread started
[Thread 2] Thread finished
[Thread 0] Thread exiting
[Thread 0] Thread finished
[Main] Waiting for thread Thread 1
[Main] Waiting for thread Thread 2
TinyVM finished.
OUT
tvm 02 <<<$'thread -1\nthread 2147483647\nprint a'
[ "$(grep -c 'Thread finished' stdout.txt)" = 3 ] || fail "a line before the first, or far behind the last"

### Stage 03: shared variables; locals hide them for good. sleep counts microseconds.
tvm 03 <<'TVM'
setshared n 4
print n
set n 7
print n
setshared n 9
print n
add m n other
print m
sleep 1000
exit
TVM
printed 0 <<'OUT'
Starting TinyVM with threads...
[Thread 0] Thread started
[Thread 0] Created shared variable n
[Thread 0] Set-shared n = 4
[Thread 0] Found shared variable n
[Thread 0] PRINT n = 4
[Thread 0] PRINT n = 7
[Thread 0] Found shared variable n
[Thread 0] Set-shared n = 9
[Thread 0] PRINT n = 7
[Thread 0] Created shared variable other
[Thread 0] PRINT m = 7
[Thread 0] Thread finished
TinyVM finished.
OUT

### Stages 04 and 05: locks. An unlock of what is not locked says nothing.
for stage in 04 05; do
	tvm $stage <<'TVM'
lock a
unlock never
unlock a
unlock a
setshared n 1
print n
exit
TVM
	sed -i 's/0x[0-9a-f]*/0xADDRESS/' stdout.txt
	printed 0 <<'OUT'
Starting TinyVM...
[Thread 0] Thread instructions started
[Thread 0] Waiting for lock 'a' at address 0xADDRESS
[Thread 0] Acquired lock 'a'
[Thread 0] Released lock 'a' at address 0xADDRESS
[Thread 0] Created shared variable n
[Thread 0] Set-shared n = 1
[Thread 0] Found shared variable n
[Thread 0] Variable n = 1
[Thread 0] Thread instructions finished
TinyVM finished.
OUT
done
# Of eleven locks the last is not made.
tvm 04 < <(for n in $(seq 11); do echo "lock m$n"; done)
[ "$(grep -c Acquired stdout.txt)" = 10 ] && ! grep -q m11 stdout.txt || fail "eleven locks"

### Stage 06: functions. `exit` in a called one ends the thread; its locals are the caller's.
tvm 06 <<'TVM'
function first
set a 1

function second
set b 2
exit
function main
async second
sync first
add c a a
print c
sync second
print never
TVM
printed 0 <<'OUT'
[VM] Starting TinyVM...
[VM] Defined function: first
[VM] Defined function: second
[VM] Defined function: main
[Thread 0] Async function 'main' started 
[Thread 0] Thread instructions started
[Thread 1] Async function 'second' started 
[Thread 0] Sync function 'first' started
[Thread 0] ADD 1 + 1 = 2
[Thread 0] PRINT Variable c = 2
[Thread 0] Sync function 'second' started
[Thread 0] Thread instructions finished
[Thread 1] Thread instructions started
[Thread 1] Thread instructions finished
[VM] TinyVM finished.
OUT
# Lines of a function are counted from its first. A thread at a line is no call of a function.
tvm 06 <<<$'function main\nasync one\nsync one\nexit\nfunction one\nprint a\nthread 0'
[ "$(grep -c 'Async' stdout.txt)" = 2 ] && [ "$(grep -c 'instructions finished' stdout.txt)" = 10 ] || fail "thread 0"
tvm 06 <<<$'function main\nthread 3\nexit\nprint x'
has "$out" '\[Thread 1\] PRINT Variable x = 0'
tvm 06 < <(for n in $(seq 11); do echo "function f$n"; done)
has "$out" '^\[VM\] Error: Function capacity exceeded$'; has "$out" 'No main function defined'; [ "$code" = 1 ] || fail "$code"

### Stage 07: compiled. All of it once, byte for byte.
cat >leaf.txt <<'TVM'
// sync-return test
function leaf
set a 1
print a
exit

function main
set x 7
sync leaf
print x
set x 8
print x
exit
TVM
tvm 07 <leaf.txt
printed 0 <<'OUT'
[Compiler] Starting TinyVM Compiler...
[File] Successfully read 11 lines from prog.tvm
[Compiler] Bytecode for function 'leaf':
  0: LOAD_CONST a = 1
  1: PRINT a
  2: RETURN
[Compiler] Bytecode for function 'main':
  0: LOAD_CONST x = 7
  1: INVOKE_SYNC leaf
  2: PRINT x
  3: LOAD_CONST x = 8
  4: PRINT x
  5: RETURN
[Compiler] Successfully saved compiled bytecode to: prog.tvmc
[Compiler] Cleaned up compilation results
[Compiler] TinyVM Compiler finished.
[VM] Starting TinyVM...
[VM] Loaded function 'leaf' with 3 instructions
[VM] Loaded function 'main' with 6 instructions
[VM] Successfully loaded compiled bytecode from: prog.tvmc
[Compiler] Compiled 2 functions:
[Compiler] Bytecode for function 'leaf':
  0: LOAD_CONST a = 1
  1: PRINT a
  2: RETURN
[Compiler] Bytecode for function 'main':
  0: LOAD_CONST x = 7
  1: INVOKE_SYNC leaf
  2: PRINT x
  3: LOAD_CONST x = 8
  4: PRINT x
  5: RETURN
[Thread 0] Thread instructions started
[Thread 0] SET x = 7
[Thread 0] Sync function 'leaf' started
[Thread 0] SET a = 1
[Thread 0] PRINT a = 1
[Thread 0] PRINT x = 7
[Thread 0] SET x = 8
[Thread 0] PRINT x = 8
[Thread 0] Thread instructions finished
[VM] TinyVM finished.
OUT
# As built, stages 09 and 10 go on one instruction too far behind a call; as intended they do not.
for stage in 09 10; do
	tvm $stage <leaf.txt; has "$out" 'PRINT x = 7'; has "$out" 'PRINT x = 8'
	tvm $stage --set rules=built <leaf.txt; has "$out" 'PRINT x = 8'
	! grep -q 'PRINT x = 7' stdout.txt || fail "as built the instruction behind the call is left out"
done
# A function that ends without exit: as built the thread ends behind the call.
open=$'function f\nset a 1\nfunction main\nsync f\nset b 2\nset c 3'
tvm 07 <<<"$open"; has "$out" 'SET b = 2'
tvm 10 <<<"$open"; has "$out" 'SET b = 2'
tvm 10 --set rules=built <<<"$open"; ! grep -q 'SET [bc]' stdout.txt || fail "the thread goes on"

### Wrapping, numbers, junk, unknown words and functions; names of more than 31 characters.
cat >junk.txt <<'TVM'
function main
set a 2147483647
set b 1
add c a b
print c
set z 12abc
  print   z and more
frobnicate 1 2
sync nosuch
set w 4294967297
set v abc
thread 3
set abcdefghijklmnopqrstuvwxyz01234567 5
print abcdefghijklmnopqrstuvwxyz01234XX
exit
TVM
tvm 07 <junk.txt
threads 0 <<'OUT'
[Thread 0] Thread instructions started
[Thread 0] SET a = 2147483647
[Thread 0] SET b = 1
[Thread 0] ADD c = a(2147483647) + b(1) = -2147483648
[Thread 0] PRINT c = -2147483648
[Thread 0] SET z = 12
[Thread 0] PRINT z = 12
[Thread 0] Created shared variable 
[Thread 0] PRINT  = 0
[Thread 0] Error: Function 'nosuch' not found
[Thread 0] SET w = 1
[Thread 0] SET v = 0
[Thread 0] SET abcdefghijklmnopqrstuvwxyz01234 = 5
[Thread 0] PRINT abcdefghijklmnopqrstuvwxyz01234 = 5
[Thread 0] Thread instructions finished
[VM] TinyVM finished.
OUT
has "$err" "prog.tvm:6:7: warning: '12abc' is no number: read as 12"
has "$err" "prog.tvm:9:1: warning: there is no function 'nosuch'"
has "$err" "prog.tvm:12:1: warning: 'thread' does nothing from stage 07 on"
tvm 09 <junk.txt; has "$out" '^\[VM\] Error: Unknown instruction: frobnicate 1 2$'
tvm 10 <<<$'function main\nprnt x'; has "$err" "did you mean 'print'"

### Ten locals; the eleventh name is shared. Setting one that is there works in a full scope.
eleven=$'function main\n'$(for n in $(seq 11); do echo "set v$n $n"; done)$'\nprint v11\nsetshared v11 99\nprint v11\nset v3 -3'
tvm 07 <<<"$eleven"
[ "$(grep -c '\] SET v' stdout.txt)" = 11 ] || fail "ten locals, and one of them again"
has "$out" '\] SET v3 = -3$'
sed -i -n '/v11/p' stdout.txt; grep '^\[Thread' stdout.txt >t.txt; mv t.txt stdout.txt
printed 0 <<'OUT'
[Thread 0] Created shared variable v11
[Thread 0] PRINT v11 = 0
[Thread 0] Found shared variable v11
[Thread 0] SETSHARED v11 = 99
[Thread 0] Found shared variable v11
[Thread 0] PRINT v11 = 99
OUT
# Ten shared variables.
{ echo 'function main'; for n in $(seq 11); do echo "setshared s$n $n"; done; echo 'print s11'; } >shared.txt
tvm 07 <shared.txt
[ "$(grep -c 'SETSHARED s[0-9]* = ' <(grep Thread stdout.txt))" = 10 ] || fail "ten shared variables"
has "$out" 'PRINT s11 = 0'
# What is read: as built stages 09 and 10 make a local of it, as intended they look for the shared one.
tvm 10 <<<$'function main\nsetshared n 5\nprint n'; has "$out" 'PRINT n = 5'
tvm 10 --set rules=built <<<$'function main\nsetshared n 5\nprint n'; has "$out" 'PRINT n = 0'

### Frames of stage 09 on: a called function has locals of its own; the trace of the stack.
cat >trace.txt <<'TVM'
function inner
set k 3
print_stack_trace
function outer
sync inner
function main
set m 1
set n -2
sync outer
print k
TVM
tvm 10 <trace.txt
threads 0 <<'OUT'
[Thread 0] Thread instructions started
[Thread 0] SET m = 1
[Thread 0] SET n = -2
[Thread 0] Sync function 'outer' started
[Thread 0] Sync function 'inner' started
[Thread 0] SET k = 3
[Thread 0] Stack trace requested in function 'inner'
[Thread 0] Stack trace:
[Thread 0] > Currently executing: inner (pc=1)
[Thread 0] > at inner (pc=0)
[Thread 0]   > Local variables:
[Thread 0]     >  k = 3
[Thread 0] > at outer (pc=2)
[Thread 0] > at main (pc=0)
[Thread 0]   > Local variables:
[Thread 0]     >  m = 1
[Thread 0]     >  n = -2
[Thread 0] Created shared variable k
[Thread 0] PRINT k = 0
[Thread 0] Thread instructions finished
[VM] TinyVM finished.
OUT
tvm 07 <trace.txt; has "$out" 'PRINT k = 3'; has "$err" "'print_stack_trace' comes with stage 09"

### The first of two functions of one name; async before the function is defined; a last line without its end; CR LF.
tvm 07 <<<$'function main\nasync f\nsync f\nfunction f\nprint one\nfunction f\nprint two'
has "$out" '\[Thread 1\] PRINT one = 0'; ! grep -q 'Thread.*two = ' stdout.txt || fail "the second f"
has "$err" "there is a function 'f' already"
tvm 10 < <(printf 'function main\r\nset a 1\r\n\r\nprint a'); has "$out" 'PRINT a = 1$'; has "$out" 'read 3 lines'

### Locks: who waits for whom, in every order, and what never ends is told with places.
tvm 10 -v <<'TVM'
function work
lock m
setshared n 1
sleep 5
unlock m
exit
function main
async work
async work
sync work
exit
TVM
threads 0 <<'OUT'
[Thread 0] Thread instructions started
[Thread 0] Sync function 'work' started
[Thread 0] Waiting for lock 'm'
[Thread 0] Acquired lock 'm'
[Thread 0] Created shared variable n
[Thread 0] SETSHARED n = 1
[Thread 1] Thread instructions started
[Thread 1] Waiting for lock 'm'
[Thread 2] Thread instructions started
[Thread 2] Waiting for lock 'm'
[Thread 0] Released lock 'm'
[Thread 0] Thread instructions finished
[Thread 1] Acquired lock 'm'
[Thread 1] Found shared variable n
[Thread 1] SETSHARED n = 1
[Thread 1] Released lock 'm'
[Thread 1] Thread instructions finished
[Thread 2] Acquired lock 'm'
[Thread 2] Found shared variable n
[Thread 2] SETSHARED n = 1
[Thread 2] Released lock 'm'
[Thread 2] Thread instructions finished
[VM] TinyVM finished.
OUT
has "$err" "^\[load\] function 'work': 5 instructions"
has "$err" '^\[thread\] thread 1 started by thread 0: work\+0'
has "$err" "^\[lock\] thread 2 waits for lock 'm', held by thread 0"
has "$err" '^\[thread\] thread 2 ended'
has "$err" '^\[end\] [0-9]+ instructions, 3 threads'
has "$err" '^\[end\] locks: 1 names, taken 3 times, waited for 2 times; shared variables: 1'

tvm 10 <<<$'function main\nlock m\nlock m\nexit'
[ "$code" = 142 ] || fail "a lock taken twice: $code"
has "$err" "deadlock: .*thread 0 at .*\(main\+1, line 3: lock m\) waits for lock 'm', which it holds itself"
tvm 10 <<<$'function other\nlock b\nsleep 20\nlock a\nfunction main\nasync other\nlock a\nsleep 10\nlock b'
[ "$code" = 142 ] || fail "two locks in two orders: $code"
has "$err" "thread 0 at .*line 9: lock b\) waits for lock 'b', held by thread 1"
has "$err" "thread 1 at .*line 4: lock a\) waits for lock 'a', held by thread 0"
tvm 04 <<<$'thread 4\nsleep 20\nlock a\nexit\nlock a'
[ "$code" = 142 ] || fail "a lock never freed: $code"
has "$err" "waits for lock 'a', held by thread 1, which ended without 'unlock'"

### Threads: ten, whoever starts them; an endless recursion.
tvm 10 -v <<<$'function main\nasync main\nasync main\nasync main'
[ "$code" = 0 ] && [ "$(grep -c 'Thread instructions finished' stdout.txt)" = 10 ] || fail "ten threads"
has "$err" 'not started: there have been 10'
for stage in 06 07 10; do
	tvm $stage <<<$'function main\nsync main'
	[ "$code" = 133 ] || fail "endless recursion: $code"
	has "$err" 'more than 1023 calls deep.*\(main(\+1)?, line 2: sync main\)'
done

### The same order every time; the prefix; sleeping takes no time on the machine's clock.
cp leaf.txt prog.tvm
expect 0 $HUSK run --deterministic prog.tvm; cp stdout.txt once.txt
expect 0 $HUSK run --deterministic prog.tvm; cmp once.txt stdout.txt || fail "not the same twice"
has "$out" '^\[2000-01-01 00:00:00\.[0-9]{6}\] \[VM\] TinyVM finished\.$'
expect 0 $HUSK run prog.tvm; has "$out" '^\[20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{6}\] \[VM\] TinyVM finished\.$'
tvm 10 <<<$'function main\nsleep 100000\nsleep -1'; [ "$code" = 0 ] || fail "sleep: $code"

### A run that is cut in two by a snapshot prints the same.
cp trace.txt prog.tvm
expect 0 $HUSK run --deterministic --set time=off prog.tvm; cp stdout.txt whole.txt
expect 137 $HUSK run --deterministic --set time=off -n 5 --snapshot-on-exit half.snap prog.tvm; cp stdout.txt parts.txt
expect 0 $HUSK run --deterministic half.snap; cat stdout.txt >>parts.txt
cmp whole.txt parts.txt || fail "a snapshot"

### Compiled files.
cat >hello.tvm <<'TVM'
function greet
set message 42
print message

function main
sync greet
exit
TVM
expect 0 $HUSK asm -q --set stage=s07 hello.tvm -o hello.tvmc
[ "$(wc -c <hello.tvmc)" = 169 ] || fail "$(wc -c <hello.tvmc) bytes"
[ "$(head -c 22 hello.tvmc | od -An -tx1 -v | tr -d ' \n')" = 02000000060000006772656574000200000002000000 ] || fail "its start"
expect 0 $HUSK run --set time=off --set stage=s07 hello.tvmc
has "$out" '^\[VM\] Successfully loaded compiled bytecode from: hello.tvmc'; has "$out" 'PRINT .* = 42$'
! grep -q 'Starting TinyVM Compiler' stdout.txt || fail "nothing was compiled"
expect 0 $HUSK dis hello.tvmc; has "$out" 'greet: +LOAD_CONST .*// LOAD_CONST .* = 42'; has "$out" '// INVOKE_SYNC greet'
expect 0 $HUSK dis hello.tvm; has "$out" '// sync greet'
expect 126 $HUSK run --set stage=s03 hello.tvmc; has "$err" 'stage 03 runs .tvm texts only'
for length in 3 8 12 20 30 60 100 168; do
	head -c $length hello.tvmc >cut.tvmc
	expect 126 $HUSK run --isa tinyvm cut.tvmc; has "$err" 'cut.tvmc: error: at byte [0-9]+ \(0x[0-9A-F]+\): '
done
cat hello.tvmc - <<<more >more.tvmc
expect 0 $HUSK run more.tvmc; has "$err" '5 bytes behind the program are ignored'

# bytes HEX...: a file of these bytes is refused with this message.
bytes() {
	printf "$(sed 's/ //g; s/../\\x&/g' <<<"$1")" >bad.tvmc
	expect 126 $HUSK run --isa tinyvm bad.tvmc; has "$err" "$2"
}
main='05000000 6D61696E00'
bytes '' 'bad.tvmc is empty'
bytes 'FFFFFFFF' 'at byte 0 \(0x0\): -1 functions cannot fit into the 0 bytes'
bytes "01000000 $main FFFFFF7F 00000000" 'at byte 13 .*2147483647 instructions cannot fit'
bytes '01000000 FFFFFFFF 000000000000000000' 'name of -1 bytes goes beyond the end'
bytes '01000000 00000000 0000000000000000000000' 'has no end \(NUL\)'
bytes '01000000 02000000 4141 00000000 00000000 0000' 'has no end \(NUL\)'
bytes "01000000 $main 01000000 01000000 0000 0000 0000 00000000 00000000 00000000" 'at byte 17 .*opcode 1\) has no name'
bytes "01000000 $main 01000000 03000000 0000 0100 0000 00000000 00000000 01000000 02000000 6100" \
	"instruction 0 of 'main' adds string 1, but there are 1"
# An unknown opcode: told, and the end; as built it is passed over.
printf "$(sed 's/ //g; s/../\\x&/g' <<<"01000000 $main 01000000 63000000 0000 0000 0000 00000000 00000000 00000000")" >odd.tvmc
expect 133 $HUSK run --set time=off odd.tvmc; has "$out" 'Error: Unknown opcode: 99'; has "$err" 'unknown opcode\) at .*\(main\)'
expect 0 $HUSK run --set time=off --set rules=built odd.tvmc; has "$out" 'Error: Unknown opcode: 99'

### Texts that are refused, or warned about.
tvm 10 <<<$'set x 1\nfunction other'
[ "$code" = 1 ] || fail "no main: $code"; has "$out" '^\[VM\] Error: No main function defined$'; has "$out" 'TinyVM finished'
has "$err" 'this stands before the first function: it is never run'
tvm 10 <<<'function  '; [ "$code" = 126 ] || fail "$code"; has "$err" 'prog.tvm:1:1: error: this function has no name'
tvm 10 < <(echo 'function main'; for n in $(seq 101); do echo "print x"; done)
[ "$code" = 126 ] || fail "$code"; has "$err" 'prog.tvm:102:1: error: more than 100 lines in one function'
tvm 10 < <(for n in $(seq 101); do echo "function f$n"; done)
[ "$code" = 126 ] || fail "$code"; has "$err" 'prog.tvm:101:1: error: more than 100 functions'
tvm 10 < <(echo 'function main'; printf 'print %01020d\n' 0)
[ "$code" = 126 ] || fail "$code"; has "$err" 'more than 1023 characters in one line'

### The debugger knows functions and lines.
cp leaf.txt prog.tvm
printf 'break leaf\ncontinue\nbacktrace\nreset\ncontinue\nstep\nback\nquit\n' >script.txt
run timeout 20 $HUSK debug --set time=off prog.tvm <script.txt
has "$out" '<leaf>.*:3 +set a 1'
[ "$(grep -c 'Breakpoint 1, leaf' stdout.txt)" = 2 ] || fail "it runs again after reset"

# A thread that was started at a line starts others by the lines of the program, not counted from its own start.
printf 'set a 1\nthread 5\nexit\nset b 2\nset c 0\nthread 5\n' >self.tvm
for stage in s02 s04; do
	expect 0 timeout 20 "$HUSK" run -q --set stage=$stage --set time=off --deterministic --quantum 3 self.tvm
	has "$out" '^\[Thread 9\] Thread .*(started|finished)$'
done
