#!/bin/bash
# SPDX-License-Identifier: MIT
# What is no program for riscv64: husk run says what it is, and how it is called.
set -eu
source "$TOP/tests/cli/common.bash"

command -v riscv64-linux-gnu-gcc >/dev/null || fail "no riscv64-linux-gnu-gcc (tools/deps test installs it)"
cat >prog.c <<'C'
#include <stdio.h>
int main(int argc, char **argv) { printf("%d %s\n", argc, argc > 1 ? argv[1] : ""); }
C
riscv64-linux-gnu-gcc -static prog.c -o prog
riscv64-linux-gnu-gcc prog.c -o dynamic

# says CODE TEXT COMMAND...
says() {
	local text=$2
	expect "$1" "${@:3}"
	grep -qF -- "$text" stdout.txt stderr.txt || fail "not said: $text"
}

# ---- Programs of other machines ----

# patch FILE OFFSET BYTES: in printf's words.
patch() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# A dynamic program too: no folder of libraries would help.
for file in prog dynamic; do
	cp $file other
	patch other 18 '\076\000' # x86-64
	says 126 "other is a program for x86-64, not for any machine here" "$HUSK" run other
done
cp prog small
patch small 4 '\001'
says 126 "this is a program of 32 bits" "$HUSK" run small
patch small 18 '\003\000' # x86; an even size, as an LC-3 object has
truncate -s 100 small
says 126 "small is a program for x86 of 32 bits" "$HUSK" run small

# ---- What is no program at all ----
printf 'plain text here\n' >text.txt
says 126 "no machine recognizes this file" "$HUSK" run text.txt
head -c 30 prog >short
says 126 "the file is incomplete" "$HUSK" run short
: >empty
says 126 "empty is empty" "$HUSK" run empty
says 126 "is a directory" "$HUSK" run .
says 127 "No such file" "$HUSK" run nothing
says 126 "needs /lib/ld-linux-riscv64" "$HUSK" run dynamic

# A name with a slash is looked for where the program starts, too; other names in PATH.
mkdir -p tree/opt
cp prog tree/opt/program
says 0 "2 x" "$HUSK" run -L tree opt/program x
says 0 "2 x" "$HUSK" run -L tree ./opt/../opt/program x
says 127 "neither here nor in the PATH of tree" "$HUSK" run -L tree program
says 127 "neither here nor in tree" "$HUSK" run -L tree ../nothing

# ---- Options ----
says 127 "/nowhere is no folder" "$HUSK" run -L /nowhere prog
says 126 "--cwd: error: there is no folder /nowhere to start in" "$HUSK" run --cwd /nowhere prog
says 125 "needs FILE" "$HUSK" run --
says 0 "2 --help" "$HUSK" run prog --help
says 0 "2 -x" "$HUSK" run -- prog -x
says 0 "2 -x" "$HUSK" run -- prog -- -x

# What a program had is not nothing because it has ended.
"$HUSK" run --stats prog 2>err >/dev/null
grep -q '^ *[1-9][0-9]\{5,\} bytes of memory at most$' err || fail "memory: $(cat err)"
