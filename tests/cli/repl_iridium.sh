#!/bin/bash
# SPDX-License-Identifier: MIT
# husk repl iridium: the words and the ways of the original's shell.
set -eu
source "$TOP/tests/cli/common.bash"

session() {
	printf '%s\n' "$@" >lines.txt
	expect 0 timeout 60 $HUSK repl iridium <lines.txt
	[ -z "$err" ] || fail "something on stderr"
}
# vector FIRST...: these lines follow each other in the output.
follows() {
	printf '%s\n' "$@" >wanted.txt
	awk 'NR == FNR { want[++n] = $0; next } { line[++m] = $0 }
		END { for (i = 0; i <= m - n; i++) { for (k = 1; k <= n && line[i + k] == want[k]; k++); if (k > n) exit 0 } exit 1 }' \
		wanted.txt stdout.txt || fail "these lines do not follow each other: $*"
}

# Banner, prompt and farewell: on a terminal, or when they are asked for.
printf 'inc $0\n' >lines.txt
expect 0 $HUSK repl --prompt iridium <lines.txt
[ "$(cat stdout.txt)" = "Welcome to Iridium! Let's be productive!
>>> \$0 = 1
>>> 
Farewell! Have a great day!" ] || fail "banner, prompt, farewell"
session '!quit' 'inc $0'; [ "$out" = 'Farewell! Have a great day!' ] || fail '!quit'
session; [ -z "$out" ]

# An instruction, then another; 6 in register 0, then zeros.
session 'load $0 #5' 'inc $0' '!registers'
follows '$0 = 5' '$0 = 6' 'Listing registers and all contents:' '[' '    6,' '    0,' '    0,'
follows '    0,' ']' 'End of Register Listing'
[ "$(grep -c '^    [0-9]*,$' stdout.txt)" = 32 ] || fail "there are 32 registers"
# Bytes in hex.
session '00 01 03 E8' '? $1' '00 01 03' 'ZZ 00 00 00' '12 01 00 00'
follows '$1 = 1000 (0x000003E8)' '1000 (0x000003E8)'; has "$out" 'has 4 cells'; follows '$1 = 1001 (0x000003E9)'

session '00 01 03 E8' '.registers' '.data' '.quit' 'inc $0' # as its first versions had them
has "$out" '^    1000,$'; [ "$(tail -n 1 stdout.txt)" = 'Farewell! Have a great day!' ] || fail ".quit"

session 'load $0 #5' '!program' '!clear_program' '!program' '!clear_registers' '? $0'
follows 'Listing instructions currently in VM'"'"'s program vector:' '[' '    0,' '    0,' '    0,' '    5,' ']' 'End of Program Listing'
follows '[]' 'End of Program Listing' 'Setting all registers to 0' 'Done!' '0'
session '!frobnicate' '!start_cluster' '!' 'inc $1'
[ "$out" = 'Invalid command!
Invalid command!
Invalid command!
$1 = 1' ] || fail "unknown commands"
session 'inc $0' '' '   ' '!history'; follows '$0 = 1' '[' '    "inc $0",' '    "!history",' ']'
session 'nonsense $0' 'inc $0'; has "$out" '^There was an error executing the program: '; has "$out" '^line:1:1: error'; has "$out" '^\$0 = 1$'

# Labels, strings, loops, calls.
session "x: .asciiz 'hi'" 'prts @x' '!symbols'; has "$out" '^hi$'; has "$out" '^x  '; follows 'Listing symbols table:'
session 'cloop #4' 'top: inc $0' 'loop @top' '? $0'; has "$out" '^5$'
session '!block' 'dbl: add $0 $0 $1' 'ret' '!end' 'load $0 #5' 'call @dbl' '? $1'; has "$out" '^10 '
session 'load $0 #100000' 'loadf64 $3 #5' 'divf64 $3 $3 $4' '!undo' '? $0'; has "$out" '^100000 '; has "$out" '^f3 = 5$'; has "$out" '^f4 = 1$'

# What would be a crash leaves the session as it was before.
session 'load $0 #7' 'load $1 #0' 'div $0 $1 $2' 'pop $3' 'ret' '64 00 00 00' '? $0'
has "$out" 'division by zero'; [ "$(grep -c 'the line is not part of the program' stdout.txt)" = 3 ] || fail "three faults"
[ "$(tail -n 1 stdout.txt)" = 7 ] || fail "state after faults"

# Files: asked for, and again; a language that is compiled.
printf '.data\nhello: .asciiz '"'Hello'"'\n.code\nprts @hello\ninc $0\nhlt\n' >hello.iasm
session '!load_file' hello.iasm '!load_file' hello.iasm '? $0' '!load_file' nowhere.iasm 'inc $1'
[ "$(grep -c '^Hello$' stdout.txt)" = 2 ] || fail "the file ran $(grep -c '^Hello$' stdout.txt) times"
follows 'Attempting to load program from file...' 'Sending assembled program to VM'; has "$out" '^2$'
has "$out" '^There was an error opening that file: '; has "$out" '^\$1 = 1$'
expect 0 $HUSK repl --prompt iridium <<<$'!load_file\nhello.iasm'; has "$out" 'Please enter the path to the file you wish to load: '
echo '(2+3)*4' >sum.pd; session '!load_file sum.pd' '!registers'; has "$out" '^    20,$'

# Programs in machines of their own, and their events.
stamp='20[0-9-]{8}T[0-9:.]{12}Z  '
{ printf EPIE; head -c 64 /dev/zero; } >header
printf '.data\n.code\nhlt\n' >hlt.iasm; { cat header; printf '\310'; } >bad_opcode.epie; { printf XPIE; tail -c 64 header; printf '\005\0\0\0'; } >bad_prefix.epie
session 'load $0 #9' '!spawn hlt.iasm' '? $0'
has "$out" '^VM Events$'; has "$out" "^${stamp}Start\$"; has "$out" "^${stamp}GracefulStop \\{code: 0\\}\$"; [ "$(tail -n 1 stdout.txt)" = 9 ]
session '!spawn' bad_opcode.epie; has "$out" "^${stamp}Start\$"; has "$out" "^${stamp}GracefulStop \\{code: 1\\}\$"
session '!spawn bad_prefix.epie' 'inc $0'; has "$out" "^${stamp}Crash \\{code: 1\\}\$"; has "$out" '^\$0 = 1$'
printf '.data\n.code\nload $0 #1\nload $1 #0\ndiv $0 $1 $2\nhlt\n' >crash.iasm
session 'inc $5' '!spawn crash.iasm' '!spawn crash.iasm' '? $5'; [ "$(grep -c 'Crash {code: 1}' stdout.txt)" = 2 ]; [ "$(tail -n 1 stdout.txt)" = 1 ]

# The program as a text that assembles and does the same.
session 'load $0 #0' 'cloop #4' 'top: inc $0' 'loop @top' 'hlt' '!save saved.iasm'; has "$out" '^saved in saved.iasm$'
expect 0 timeout 20 $HUSK run --isa iridium saved.iasm
