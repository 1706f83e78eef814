#!/bin/bash
# SPDX-License-Identifier: MIT
# husk isa: list, check, doc, show, new.
set -eu
source "$TOP/tests/cli/common.bash"

expect 0 $HUSK isa list; has "$out" '^lc3 +built in +18 insns of +16 bits +Little Computer 3'
expect 0 $HUSK isa list --format json; json_is stdout.txt 0.name lc3; json_is stdout.txt 0.good true
mkdir lib; $HUSK isa show lc3 >lib/mine.isa; echo 'isa ?' >lib/broken.isa
export HUSK_ISA_PATH=/nonexistent:$PWD/lib::.
expect 0 $HUSK isa list; has "$out" '^mine +installed'; has "$out" '^broken .*has errors'
hello >hello.asm
expect 0 $HUSK run --isa mine hello.asm; has "$out" '^hello$' # its name LC-3 brings the LC-3's services
expect 126 $HUSK run --isa broken hello.asm
unset HUSK_ISA_PATH

expect 0 $HUSK isa check lc3; has "$out" 'encodings 18'; has "$out" 'profile = \[v3\]'; has "$out" 'lc3tools classic'
expect 0 $HUSK isa check --profile tiny lc3; has "$out" '\[tiny\]'
expect 0 $HUSK isa check --format json lc3
json_is stdout.txt good true; json_is stdout.txt encodings 18; json_is stdout.txt options.profile v3
hash=$(json stdout.txt hash)
expect 0 $HUSK isa check --format json --set profile=tiny lc3; [ "$(json stdout.txt hash)" != "$hash" ] || fail "hash"
expect 126 $HUSK isa check --set profile=nonsense lc3
expect 126 $HUSK isa check --set nonsense=x lc3
expect 125 $HUSK isa check --set nonsense lc3; one_error
expect 127 $HUSK isa check ld3; one_error; has "$err" 'did you mean lc3\?'
printf 'isa X\nspace M : 8 x 256\ncode M\nreg pc : 8\ninsn A "0000 0000" { stop 0 }\ninsn B "0000 0000" { stop 0 }\n' >two.isa
expect 126 $HUSK isa check two.isa; has "$err" '^two\.isa:[0-9]+:[0-9]+: error: '
expect 126 $HUSK isa check --format json two.isa; json_is stdout.txt good false; json_is stdout.txt diagnostics.0.file two.isa

for file in "$TOP"/examples/isa/*.isa "$TOP"/src/guests/*/*.isa; do
	expect 0 $HUSK isa check "$file"; has "$out" 'warnings +0'; [ -z "$err" ] || fail "$file has warnings"
done

expect 0 $HUSK isa doc lc3; has "$out" 'ADD'; has "$out" 'Little Computer 3'
expect 0 $HUSK isa doc --html lc3; has "$out" '<html'
expect 0 $HUSK isa doc -o lc3.html lc3; grep -q '<html' lc3.html || fail "-o FILE.html is no HTML"; [ -z "$out" ]

expect 0 $HUSK isa show lc3; cp stdout.txt shown.isa; cmp shown.isa "$TOP/src/guests/lc3/lc3.isa"
expect 0 $HUSK isa show ./shown.isa; cmp stdout.txt shown.isa

expect 0 $HUSK isa new Mine; [ -s Mine.isa ]; [ -z "$out" ] || fail "noise"
grep -q '^isa Mine "' Mine.isa || fail "the name was not put in"
expect 0 $HUSK isa check Mine.isa; has "$out" ': Mine, '; has "$out" 'warnings +0'
expect 0 $HUSK run Mine.isa "$TOP/examples/isa/tiny8/hello.asm"
expect 125 $HUSK isa new Mine; one_error
expect 0 $HUSK isa new --force Mine
expect 0 $HUSK isa new Other -o -; has "$out" '^isa Other "'
expect 0 $HUSK isa new x.y-z_9 -o z.isa; expect 0 $HUSK isa check z.isa
for name in '' 9x 'a b' '../x' $'a\nb' '$(x)' 'a"b'; do expect 125 $HUSK isa new -- "$name"; one_error; done

# A byte order mark before a description.
printf '\xef\xbb\xbf' | cat - Mine.isa >bom.isa
expect 0 $HUSK isa check bom.isa
cp Mine.isa same.isa; expect 125 $HUSK isa doc -o ./same.isa same.isa; one_error; cmp Mine.isa same.isa
