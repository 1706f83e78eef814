#!/bin/bash
# SPDX-License-Identifier: MIT
# husk compile, with Palladium: precedence, registers, integers and floats, what it refuses and where.
set -eu
source "$TOP/tests/cli/common.bash"

is() { # is TEXT VALUE
	expect 0 timeout 20 $HUSK compile -q -r -e "$1"
	[ "$out" = "$2" ] || fail "$1 is $out, not $2"
}
is '(2+3)*4' 20; is '1+2*3' 7; is '(1+2)*3' 9; is '10-4-3' 3; is '100/7/2' 7; is '2*(3+4)*5' 70; is '(4*3)-1' 11
is '7/2' 3; is '1.0*7/2' 3.5; is '7.0' 7; is '-7/2' -3; is '-5' -5; is '3- -5' 8; is '((((((1))))))' 1; is '007' 7
is '2147483647' 2147483647; is '-2147483648' -2147483648; is '100000*3' 300000; is '32768' 32768; is '32769-1' 32768
is '2147483647+1' -2147483648
is '0.1+0.2' 0.30000000000000004; is '1.5*2-0.25' 2.75; is '-0.5' -0.5; is '3.14159265358979' 3.14159265358979
is '123456.789' 123456.789; is '99999999999999.0+1' 100000000000000; is '0.000000000000001*1000000' 1e-09
is '1.0/0' inf; is '70000.5' 70000.5; is '65536.0*65536' 4294967296; is '32768.25' 32768.25
is '1 2 3*4' 12; is '# nothing
1 + # one
2' 3
is "$(printf '1+%.0s' $(seq 3000))1" 3001 # as many terms as one likes

# What it makes: three instructions for a sum, the first operand first.
expect 0 $HUSK compile --emit asm -e '1+2'
[ "$out" = $'.data\n.code\nLOAD $0 #1\nLOAD $1 #2\nADD $0 $1 $2\n; the value is in $2\nHLT' ] || fail "1+2"
expect 0 $HUSK compile --emit asm -e '8-5-1'; has "$out" '^SUB \$0 \$1 \$2$'; has "$out" '^SUB \$2 \$0 \$1$'
expect 0 $HUSK compile -e '(2+3)*4'
has "$out" '^004C  01 00 01 02 +5  ADD \$0 \$1 \$2$'; has "$out" '^= 20$'
expect 0 $HUSK compile --emit asm -e '2.5'; has "$out" '^DIVF64 '; has "$out" 'in float \$0'

# Files: as themselves, to an object, run, in the debugger; the original's assembler takes the assembly, too.
echo '(2+3)*4' >sum.pd
expect 0 $HUSK compile sum.pd; has "$out" 'MUL'; [[ $out != *"= 20"* ]] || fail "ran without being asked"
expect 0 $HUSK compile --run sum.pd; has "$out" '^= 20$'
expect 0 $HUSK compile -o sum.epie sum.pd; expect 0 $HUSK run --format=json sum.epie
json_is stderr.txt 'registers.$1' 20
expect 0 $HUSK run --format=json sum.pd; json_is stderr.txt 'registers.$1' 20
expect 0 $HUSK compile --emit asm -o sum.iasm -e '100000*-3-70000'
expect 0 $HUSK asm -q sum.iasm -o one.epie; expect 0 $HUSK asm -q --dialect built sum.iasm -o two.epie
cmp one.epie two.epie || fail "the two assemblers disagree"
expect 126 $HUSK compile -l palladium sum.iasm; has "$err" "^sum.iasm.pd:1:1: error"
printf '.data .code hlt' >p.iasm
expect 0 $HUSK compile -l built p.iasm; has "$out" '^0044  05 00 00 00'
expect 126 $HUSK compile p.iasm; has "$err" 'no language that is compiled'

refuses() { # PLACE MESSAGE TEXT
	expect 126 $HUSK compile -e "$3"
	has "$err" "^expression.pd:$1: error: $2"
}
refuses 1:3 "this '\(' is never closed" '2*(3+4'
refuses 1:4 'an operator or .\). is expected' '(2 3)'
refuses 1:4 "a number or '\(' is expected" '2+ x'
refuses 1:2 "a number or '\(' is expected, but the text ends" '2+'
refuses 1:1 "a number or '\(' is expected" '*2'
refuses 1:2 "a number or '\(' is expected" '()'
refuses 1:4 "this '\)' closes nothing" '1+2)'
refuses 1:1 "a number or '\(' is expected, but" ''
refuses 1:1 'this number does not fit 32 bits' 2147483648
refuses 1:1 'this number does not fit 32 bits' 99999999999999999999999
refuses 1:1 'a number has at most 15 digits' 3.1415926535897932
refuses 1:1 'digits are expected behind the point' '3.'
refuses 1:101 'nested deeper than 100' "$(printf '(%.0s' $(seq 100000))"
refuses 1:97 'the 32 registers are not enough' "$(printf '1-(%.0s' $(seq 40))1$(printf ')%.0s' $(seq 40))"
refuses 1:65 'the 32 registers are not enough' "$(printf '1 %.0s' $(seq 32))1+1"

expect 133 $HUSK compile -e '1/(2-2)'; has "$err" 'division by zero'
expect 125 $HUSK compile; one_error
expect 125 $HUSK compile -e 1 sum.pd; one_error
expect 125 $HUSK compile -l cobol -e 1; has "$err" "no language 'cobol'"
expect 127 $HUSK compile nowhere.pd; one_error
head -c 2000 /dev/urandom >noise.pd; run timeout 20 $HUSK compile noise.pd; [ $code = 126 ] || fail "noise: $code"
