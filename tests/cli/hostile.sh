#!/bin/bash
# SPDX-License-Identifier: MIT
# Files that are missing, unreadable, empty, no files at all, truncated, garbage or huge: one line, exit code 126 or 127.
set -eu
source "$TOP/tests/cli/common.bash"

hello >hello.asm
$HUSK asm -q hello.asm
mkdir dir dir.asm dir.isa
: >empty; : >empty.asm; : >empty.obj; : >empty.isa
ln -s loop loop

for verb in run dis; do
	expect 127 $HUSK $verb absent.obj; one_error
	expect 127 $HUSK $verb hello.asm/x; one_error
	expect 126 $HUSK $verb dir; one_error
	expect 126 $HUSK $verb dir.asm; one_error
	expect 126 $HUSK $verb --isa lc3 empty; one_error
	expect 126 $HUSK $verb empty.asm; one_error
	expect 126 $HUSK $verb empty.obj; one_error
	expect 126 $HUSK $verb loop; one_error
	expect 126 $HUSK $verb --isa dir.isa hello.asm; one_error
	expect 126 $HUSK $verb --isa empty.isa hello.asm
done
expect 127 $HUSK asm absent.asm; one_error
expect 126 $HUSK asm dir.asm; one_error
expect 126 $HUSK asm empty.asm; one_error
expect 127 $HUSK isa check absent.isa; one_error
expect 126 $HUSK isa check dir.isa; one_error
expect 127 $HUSK isa doc ./absent.isa; one_error
expect 127 $HUSK isa show nonsense; one_error
expect 126 $HUSK isa check hello.obj

# Who may not read it (root may read everything).
if [ "$(id -u)" != 0 ]; then
	cp hello.asm secret.asm; chmod 0 secret.asm
	expect 126 $HUSK run secret.asm; one_error
fi

# Larger than the limit: a sparse file, and a device without end.
truncate -s 300M huge.obj
expect 126 $HUSK run --isa lc3 huge.obj; one_error
expect 126 $HUSK run --isa lc3 /dev/zero; one_error

# Every truncation of an object, and of its text: never a crash, a hang or an accident.
acceptable() { # acceptable COMMAND...
	run timeout 20 "$@"
	case $code in 0|124|126|129|13[0-7]|139|159) ;; *) fail "exit code $code: $*" ;; esac
	! grep -qi 'sanitizer\|runtime error' stderr.txt || fail "sanitizer: $*"
}
size=$(wc -c <hello.obj)
for ((n = 1; n < size; n += 1 + size / 25)); do
	head -c $n hello.obj >cut.obj
	acceptable $HUSK run --isa lc3 --fuel 5000 cut.obj
	acceptable $HUSK dis --isa lc3 cut.obj
done
size=$(wc -c <hello.asm)
for ((n = 1; n < size; n += 1 + size / 25)); do
	head -c $n hello.asm >cut.asm
	acceptable $HUSK run --isa lc3 --fuel 5000 cut.asm
	acceptable $HUSK asm --isa lc3 -q cut.asm
done

# Garbage of several kinds, under every name.
$HUSK isa show lc3 >lc3.isa
gzip -9 <lc3.isa >zipped 2>/dev/null || head -c 3000 $HUSK >zipped
head -c 3000 $HUSK | tail -c 2000 >binary
tr 'a-z' 'n-za-m' <lc3.isa >rot
head -c 4000 zipped | tr '\0-\377' '\200-\377\0-\177' >flipped
for kind in zipped binary rot flipped; do
	for name in g.obj g.asm g.bin g.isa g g.snap; do
		cp $kind $name
		acceptable $HUSK run --isa lc3 --fuel 5000 $name
		acceptable $HUSK dis --isa lc3 $name
		acceptable $HUSK asm --isa lc3 -q -o out.obj $name
		acceptable $HUSK isa check $name
	done
done
size=$(wc -c <lc3.isa)
for ((n = 1; n < size; n += 1 + size / 40)); do
	head -c $n lc3.isa >cut.isa
	acceptable $HUSK isa check cut.isa
done
(printf 'HUSKSNAP'; cat zipped) >g.snap
acceptable $HUSK run g.snap
[ "$code" = 126 ] || fail "a garbage snapshot gave $code"

# Names with control characters and of impossible length.
expect 127 $HUSK run $'evil\033[2Jname.asm'; one_error
! grep -q $'\033' stderr.txt || fail "an escape sequence came through"
expect 126 $HUSK run "$(head -c 5000 /dev/zero | tr '\0' a).asm"; one_error

# Nowhere to write.
expect 125 $HUSK asm -o /nonexistent/out.obj hello.asm; one_error
expect 125 $HUSK asm -o dir hello.asm; one_error
expect 125 $HUSK run --snapshot-on-exit /nonexistent/x --quiet hello.asm
expect 125 $HUSK run --report /nonexistent/x hello.asm
