#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A session of every machine there is: random legal instructions in its own dialect, one a line. Nothing crashes, what
# runs away is stopped, and at the end the registers are still told; undone line by line it is as at the beginning.
set -eu
source "$TOP/tests/cli/common.bash"

machines=$($HUSK isa list | awk '$3 != "has" { print $1 }'; ls "$TOP"/tests/isa/*.isa)
count=0
for machine in $machines; do
	for seed in 1; do
		$HUSK isa random --count 30 --seed $seed "$machine" >random.txt 2>/dev/null
		{
			printf '%s\n' '!registers' '? 7001'
			cat random.txt
			printf '%s\n' '!program' '!disasm' '!symbols' '!undo 31' '? 7002' '!registers' '? 7003' '!reset' \
				'? 7004' '!registers' '? 7005'
		} >session.txt
		code=0
		timeout 60 $HUSK repl --fuel 3000 "$machine" <session.txt >stdout.txt 2>stderr.txt || code=$?
		out=$(tr -d '\0' <stdout.txt | head -c 20000) err=$(head -c 5000 stderr.txt)
		[ $code = 0 ] || fail "$machine, seed $seed: exit code $code"
		! grep -aq 'Sanitizer\|runtime error\|husk: error' stderr.txt || fail "$machine, seed $seed: complaints"
		refused=$(grep -ac '^line:[0-9:]* error:' stdout.txt || true)
		[ "$refused" -le 15 ] || fail "$machine, seed $seed: $refused of 30 legal instructions were refused"
		grep -aq 'pc = \|^\[$\|Register' stdout.txt || fail "$machine, seed $seed: no registers"
		sed -n '1,/^7001 /p' stdout.txt | sed '$d' >first.txt
		for at in 2 4; do
			sed -n "/^700$at /,/^700$((at + 1)) /p" stdout.txt | sed '1d;$d' >again.txt
			diff first.txt again.txt >difference.txt || fail "$machine, seed $seed: registers after $at: $(cat difference.txt)"
		done
		count=$((count + 1))
	done
done
[ $count -ge 12 ] || fail "only $count sessions"
