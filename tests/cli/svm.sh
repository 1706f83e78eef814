# SPDX-License-Identifier: MIT
#
# The simple virtual machine: its five conventions, its errors in the original's words, its trace to the byte.
set -eu
source "$TOP/tests/cli/common.bash"

prog() { # NAME WORDS: a program of numbers
	printf '%s\n' "$2" >"$1.svmi"
}
svm() { # runs with a limit that no test reaches
	timeout 20 "$HUSK" run --fuel 20M "$@"
}
prints() { # EXPECTED ARG...
	local wanted=$1
	shift
	expect 0 svm "$@"
	[ "$out" = "$wanted" ] || fail "printed '$out' instead of '$wanted': $*"
}
dies() { # CODE TEXT ARG...: with the original's words first
	local wanted=$1 text=$2
	shift 2
	expect "$wanted" svm "$@"
	has "$err" "^husk: error: $text \("
}
traced() { # NAME EXPECTED ARG...: the trace on stderr is EXPECTED, to the byte
	local name=$1
	printf '%b' "$2" >wanted.txt
	shift 2
	svm --trace=svm "$@" "$name.svmi" >stdout.txt 2>stderr.txt || true
	cmp stderr.txt wanted.txt || { diff wanted.txt stderr.txt || true; fail "trace of $name"; }
}

# ---- The examples
for example in diff factorial; do
	expect 0 svm "$TOP/examples/svm/$example.svm"
done
[ "$(tail -n 1 <<<"$out")" = 3628800 ] || fail "factorial: $out"
prints 7 "$TOP/examples/svm/diff.svm"
prints 45 "$TOP/examples/svm/sum.svmi"

# ---- The facts' programs and traces
prog e1 'function main 0 2 0  9 0 12 0 | 9 1 12 1 | 10 1 9 10 4 8 31 | 10 0 10 1 1 12 0 | 10 1 9 1 1 12 1 | 6 8 | 10 0 14 18'
prints 45 e1.svmi
prog e2 'function main 0 0 6 function diff 2 0 0  start 6  10 0 10 1 2 17 | 9 10 9 3 16 1 14 18'
prints 7 e2.svmi
traced e2 '0006:\ticonst     10                stack=[ 10 ]           calls=[main]
0008:\ticonst     3                 stack=[ 10 3 ]         calls=[main]
0010:\tcall       diff              stack=[ ]              calls=[main, diff]
0000:\tload       0                 stack=[ 10 ]           calls=[main, diff]
0002:\tload       1                 stack=[ 10 3 ]         calls=[main, diff]
0004:\tisub                         stack=[ 7 ]            calls=[main, diff]
0005:\tret                          stack=[ 7 ]            calls=[main]
0012:\tprint                        stack=[ ]              calls=[main]
0013:\thalt                         stack=[ ]
Data memory:

'
[ "$(cat stdout.txt)" = 7 ] || fail 'what is printed goes to stdout'
traced e2 '0006:\ticonst     10                stack=[ 10 ]
0008:\ticonst     3                 stack=[ 10 3 ]
0010:\tcall       diff              stack=[ ]
0000:\tload       0                 stack=[ 10 ]
0002:\tload       1                 stack=[ 10 3 ]
0004:\tisub                         stack=[ 7 ]
0005:\tret                          stack=[ 7 ]
0012:\tprint                        stack=[ ]
0013:\thalt                         stack=[ ]
Data memory:

' --set calls=func-meta
prog e3 '9 2 7 6 9 7 18'
traced e3 '0000:\ticonst     2                 stack=[ 2 ]            calls=[main]
0002:\tbrt        6                 stack=[ ]              calls=[main]
0004:\ticonst     7                 stack=[ 7 ]            calls=[main]
0006:\thalt                         stack=[ 7 ]
Data memory:

'
prog e4 '9 5 99'
dies 132 'invalid opcode: 99 at ip=2' e4.svmi
has "$err" 'illegal instruction at 0x00000002 \(main\+2\)'
prog under '1 18'
dies 139 'Index -1 out of bounds for length 1000' under.svmi
prog wrap '9 2147483647 9 1 1 14 18'
prints -2147483648 wrap.svmi
prog globals 'globals 2  9 5 13 1 11 1 9 -3 13 0 18'
traced globals '0000:\ticonst     5                 stack=[ 5 ]            calls=[main]
0002:\tgstore     1                 stack=[ ]              calls=[main]
0004:\tgload      1                 stack=[ 5 ]            calls=[main]
0006:\ticonst     -3                stack=[ 5 -3 ]         calls=[main]
0008:\tgstore     0                 stack=[ 5 ]            calls=[main]
0010:\thalt                         stack=[ 5 ]
Data memory:
0000: -3
0001: 5

'
expect 0 svm --trace=plain.txt e3.svmi # a name that is none of a trace is a file
prog fails '9 5 1'
traced fails '0000:\ticonst     5                 stack=[ 5 ]            calls=[main]
0002:\tiadd                         
husk: error: Index -1 out of bounds for length 1000 (access outside memory, stack[0x00000000FFFFFFFF], at 0x00000002 (main+2))
'

# ---- Edge cases, in the order of the facts
prog brt1 '9 -1 7 6 9 4 14 18';            prints 4 brt1.svmi
prog brf0 '9 -1 8 6 9 4 14 18';            prints 4 brf0.svmi
prog brf1 '9 0 8 7 9 4 14 18';             prints '' brf1.svmi
prog order '9 2 9 3 2 14 9 2 9 3 4 14 18'; prints $'-1\n1' order.svmi
prog end '9 1';                            dies 139 'Index 2 out of bounds for length 2' end.svmi
prog cut '9';                              dies 139 'Index 1 out of bounds for length 1' cut.svmi
prog jump '6 -7';                          dies 139 'Index -7 out of bounds for length 2' jump.svmi
prog jump2 '6 700';                        dies 139 'Index 700 out of bounds for length 2' jump2.svmi
prog full "$(printf '9 1 %.0s' {1..1000}) 18"; prints '' full.svmi
prog over "$(printf '9 1 %.0s' {1..1001}) 18"; dies 139 'Index 1000 out of bounds for length 1000' over.svmi
prog local 'function main 1 1 0  10 2 18'; dies 133 'Index 2 out of bounds for length 2' local.svmi
prog local2 'function main 1 1 0  10 -1 18'; dies 133 'Index -1 out of bounds for length 2' local2.svmi
prog local3 'function main 1 1 0  9 1 12 2 18'; dies 133 'Index 2 out of bounds for length 2' local3.svmi
prog local4 'function main 1 1 0  12 2 18'; dies 139 'Index -1 out of bounds for length 1000' local4.svmi
prog gload 'globals 1  11 1 18';           dies 139 'Index 1 out of bounds for length 1' gload.svmi
prog gstore 'globals 1  9 1 13 -1 18';     dies 139 'Index -1 out of bounds for length 1' gstore.svmi
prog noglobals '11 0 18';                  dies 139 'Index 0 out of bounds for length 0' noglobals.svmi
prog pop '15 9 1 14 18';                   dies 139 'Index -1 out of bounds for length 1000' pop.svmi
prog few 'function main 0 0 0 function f 3 0 0  9 1 16 1 18'
dies 139 'Index -2 out of bounds for length 1000' few.svmi
prog few40 'function main 0 0 0 function f 50 0 0  9 1 16 1 18'
dies 133 'Index -49 out of bounds for length 1000' few40.svmi
prog results 'function main 0 0 3 function f 0 0 0  9 4 17 | 16 1 14 16 1 16 1 1 14 18'; prints $'4\n8' results.svmi
prog several 'function main 0 0 5 function f 0 0 0  9 1 9 2 17 | 16 1 14 14 18'; prints $'2\n1' several.svmi
prog none 'function main 0 0 1 function f 0 0 0  17 | 9 6 16 1 14 18'; prints 6 none.svmi
prog nothere '16 1 18';                    dies 132 'Index 1 out of bounds for length 1' nothere.svmi
prog inside 'function main 0 0 3 function f 0 0 0  9 5 18 | 16 1 9 7 14 18'; prints '' inside.svmi
prog middle '6 3 9 14 18';                 dies 139 'Index -1 out of bounds for length 1000' middle.svmi
prog middle2 '9 8 6 5 9 14 18';            prints 8 middle2.svmi
prog mainret '17';                         expect 133 svm mainret.svmi; has "$err" 'no function was called'
prog zero '0 18';                          dies 132 'invalid opcode: 0 at ip=0' zero.svmi
prog negative '-4 18';                     dies 132 'invalid opcode: -4 at ip=0' negative.svmi
prog locals 'function main 0 60 0 function f 45 20 24
9 3 12 59 10 59 14
9 1 9 2 '"$(printf '9 7 %.0s' {1..43})"' 16 1 18'
sed -i 's/f 45 20 24/f 45 20 100/' locals.svmi
printf ' 10 0 14 10 44 14 10 64 14 9 5 12 64 18' >>locals.svmi
at=$(sed '1d' locals.svmi | tr -s ' \n' '\n' | grep -c .)
sed -i "s/f 45 20 100/f 45 20 $((at - 14))/" locals.svmi # its last 14 words
prints $'3\n1\n7\n0' locals.svmi # more arguments and locals than the description unrolls

# ---- Recursion: the last machine is limited by memory alone, the arrays of the others are not
prog deep 'function main 0 0 0 function f 0 0 2  16 1  16 1'
dies 133 'the contexts of [0-9]+ calls fill the memory' --memory 8M deep.svmi
dies 133 'Index 1000 out of bounds for length 1000' --set calls=func-meta deep.svmi
prog deep2 '16 0 0';   dies 133 'Index 1000 out of bounds for length 1000' --set calls=split deep2.svmi
prog deep3 '16 0 0';   dies 139 'Index 1000 out of bounds for length 1000' --set calls=add-functions deep3.svmi
prog deep4 '16 0 0 0'; dies 133 'Index 100 out of bounds for length 100' --set calls=c deep4.svmi

# ---- split-stack: call ADDRESS NARGS, no further locals
prog split '6 8  10 0 10 1 2 17  9 10 9 3 16 2 2 14 18'
prints 7 --set calls=split split.svmi
traced split '0000:\tbr         8                 stack=[ ]
0008:\ticonst     10                stack=[ 10 ]
0010:\ticonst     3                 stack=[ 10 3 ]
0012:\tcall       2, 2              stack=[ ]
0002:\tload       0                 stack=[ 10 ]
0004:\tload       1                 stack=[ 10 3 ]
0006:\tisub                         stack=[ 7 ]
0007:\tret                          stack=[ 7 ]
0015:\tprint                        stack=[ ]
0016:\thalt                         stack=[ ]
Data memory:

' --set calls=split
prog split2 '6 6 10 2 17 0  9 1 9 2 16 2 2 18'
dies 133 'Index 2 out of bounds for length 2' --set calls=split split2.svmi
prog split3 '10 0 18'; dies 133 'Index -1 out of bounds for length 1000' --set calls=split split3.svmi
prog split4 '17';      dies 133 'Index -1 out of bounds for length 1000' --set calls=split split4.svmi
prog split5 '16 0 -1'; expect 133 svm --set calls=split split5.svmi

# ---- add-functions: one stack; the last argument is at fp-3, the first local at fp+1
prog add '6 10  10 -4 10 -3 2 17  0 0  9 10 9 3 16 2 2 14 18'
prints 7 --set calls=add-functions add.svmi
prog add2 '6 12  9 0 10 -3 12 1 10 1 17 0  9 5 16 2 1 14 18' # a local of its own
prints 5 --set calls=add-functions add2.svmi
prog add3 '17';         dies 139 'Index -1 out of bounds for length 1000' --set calls=add-functions add3.svmi
prog add4 '6 4 17 0  16 2 0 14 18' # a function without a result takes its return address for one
prints 7 --set calls=add-functions add4.svmi
prog add5 '10 2000 18'; dies 139 'Index 1999 out of bounds for length 1000' --set calls=add-functions add5.svmi

# ---- The C port: call ADDRESS NARGS NLOCALS, arguments reversed, everything on stdout
prog c '6 8  10 0 10 1 2 17  9 10 9 3 16 2 2 0 14 18'
prints -7 --set calls=c c.svmi
svm --set calls=c --trace=svm c.svmi >stdout.txt
cmp stdout.txt - <<'TEXT' || fail 'trace of the C port'
0000:  br        8         stack=[ ]
0008:  iconst    10        stack=[ 10 ]
0010:  iconst    3         stack=[ 10 3 ]
0012:  call      2,2,0     stack=[ ]
0002:  load      0         stack=[ 3 ]
0004:  load      1         stack=[ 3 10 ]
0006:  isub                stack=[ -7 ]
0007:  ret                 stack=[ -7 ]
0016:  print               -7
stack=[ ]
Data memory:
TEXT
expect 1 svm --set calls=c e4.svmi
[ "$out" = 'invalid opcode: 99 at ip=2' ] || fail 'the C port complains on stdout'
prog c2 '6 9  9 5 12 3 10 3 17  16 2 0 1 14 16 16 0 1 14 18 | 10 3 17'
sed -i 's/16 16 0 1/16 20 0 1/' c2.svmi # what a call leaves in its locals is there at the next one
prints $'5\n5' --set calls=c c2.svmi
prog c3 '16 0 5 6'; expect 133 svm --set calls=c c3.svmi; has "$err" 'at most 10'
prog c4 '6 5 10 10 18 16 2 0 1 18'; dies 133 'Index 10 out of bounds for length 10' --set calls=c c4.svmi

# ---- halt = 16: the first machine
prog first '9 3 14 16'
prints 3 --set halt=16 first.svmi
prog first2 '9 1 12 0 16'; dies 132 'invalid opcode: 12 at ip=2' --set halt=16 first2.svmi
prog first3 '18';          dies 132 'invalid opcode: 18 at ip=0' --set halt=16 first3.svmi

# ---- Assembly, the binary, the debugger
expect 0 "$HUSK" asm -q -o p.svmo "$TOP/examples/svm/factorial.svm"
prints "$(svm "$TOP/examples/svm/factorial.svm")" p.svmo
printf 'break factorial\ncontinue\nbt\nquit\n' | timeout 20 "$HUSK" debug p.svmo >out.txt 2>&1 || fail "debugger: $(cat out.txt)"
grep -q factorial out.txt || fail 'the debugger knows the functions'

# ---- Files that are none
wrong() { # TEXT: of the program in x.svmi
	expect 126 svm x.svmi
	has "$err" "$1"
}
size=$(wc -c <p.svmo)
for n in $(seq 4 7 $((size - 1))); do
	head -c "$n" p.svmo >t.svmo
	expect 126 svm t.svmo
done
has "$err" 'cut off'
{ cat p.svmo; printf x; } >t.svmo;                         expect 126 svm t.svmo; has "$err" 'too many'
{ printf 'SVM\x1a\2\0\0\0'; tail -c +9 p.svmo; } >t.svmo;  expect 126 svm t.svmo; has "$err" 'version 2'
printf 'SVM\x1a\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\377\0\0\0\0' >t.svmo; expect 126 svm t.svmo; has "$err" 'functions'
prog x 'globals 1';                     wrong 'no code'
prog x 'globals 99999999 18';           wrong 'globals'
prog x 'start 4 18';                    wrong 'behind its code'
prog x 'function f 0 0 7 18';           wrong "function 'f' begins behind"
prog x 'function f 1001 0 0 18';        wrong '1000 arguments'
prog x 'function f 0 70000 0 18';       wrong '65536 locals'
prog x 'function f 0 0';                wrong 'ends where'
prog x '9 4294967296 18';               wrong 'x.svmi:1:3: error: expected a number of 32 bits'
prog x '9 -2147483649 18';              wrong 'x.svmi:1:3'
prog x '9 x 18';                        wrong 'x.svmi:1:3'
prog x '9 4 / 18';                      wrong 'x.svmi:1:5'
prog x 'functoin f 0 0 0 18';           wrong "did you mean 'function'"
prog x 'iconst 9 print halt';           wrong 'assembly text stands in a .svm'
echo '// nothing' >empty.svm;           expect 126 svm empty.svm; has "$err" '^empty.svm: error: the program has no code'
[[ $err != *invalid* ]] || fail 'says it twice'
prog x '9 1';                           expect 139 svm x.svmi; has "$err" 'a wrong jump, or an end without a halt'
prog x 'globals x';                     wrong 'x.svmi:1:9'
prog x '9, 5 | 14 18 // comment';       expect 0 svm x.svmi
expect 126 svm e1.svmi e2.svmi; has "$err" 'one program'
# ---- The debugger shows the stack and who was called, back in time as well
printf 'step 4\nback\np stack[0]\np stack\n' >steps
expect 0 timeout 20 "$HUSK" debug "$TOP/examples/svm/diff.svm" <steps
has "$out" 'stack=\[ 10 \] calls=\[main, diff\]'
has "$out" 'stack=\[ \] calls=\[main, diff\]'
has "$out$err" "a memory; its first cell is NAME\[0\], not 'stack'"
