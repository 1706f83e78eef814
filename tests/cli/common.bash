# SPDX-License-Identifier: MIT
#
# Helpers of the command tests: `source "$TOP/tests/cli/common.bash"`. Each leaves $out and $err (what the command
# wrote) and $code.

fail() {
	echo "FAILED: $*"
	[ -z "${out-}" ] || { echo "--- stdout"; printf '%s\n' "$out"; }
	[ -z "${err-}" ] || { echo "--- stderr"; printf '%s\n' "$err"; }
	exit 1
}

# run COMMAND ARG...: never ends the test.
run() {
	code=0
	"$@" >stdout.txt 2>stderr.txt || code=$?
	out=$(tr -d '\0' <stdout.txt)
	err=$(tr -d '\0' <stderr.txt)
}

# expect CODE COMMAND ARG...
expect() {
	local wanted=$1
	shift
	run "$@"
	[ "$code" = "$wanted" ] || fail "exit code $code instead of $wanted: $*"
}

# The last run complained in exactly one line (and perhaps a hint), and printed nothing else.
one_error() {
	[ -z "$out" ] || fail "printed something: $*"
	[ "$(grep -c '' stderr.txt)" = 1 ] || [ "$(grep -vc '^  hint: ' stderr.txt)" = 1 ] || fail "not one line: $*"
	grep -q '^husk: error: ' stderr.txt || fail "no 'husk: error:' line: $*"
}

# has TEXT PATTERN: a line of TEXT matches the extended regular expression.
has() {
	grep -qE -- "$2" <<<"$1" || fail "not found: $2"
}

# json FILE [PATH]: valid JSON; prints the scalar at PATH.
json() {
	awk -v path="${2-}" -f "$TOP/tests/cli/json.awk" "$1"
}

# json_is FILE PATH VALUE
json_is() {
	local value
	value=$(json "$1" "$2") || fail "no valid JSON, or no $2 in: $(cat "$1")"
	[ "$value" = "$3" ] || fail "$2 is $value, not $3"
}

hello() { # an LC-3 program that greets
	cat <<'ASM'
        .ORIG x3000
        LEA  R0, TEXT
        PUTS
        HALT
TEXT    .STRINGZ "hello\n"
        .END
ASM
}

spin() { # an LC-3 program that never ends
	cat <<'ASM'
        .ORIG x3000
        AND  R1, R1, #0
LOOP    ADD  R1, R1, #1
        BR   LOOP
        .END
ASM
}

echoer() { # an LC-3 program that repeats what it reads until a dot comes
	cat <<'ASM'
        .ORIG x3000
        LD   R3, DOT
LOOP    GETC
        OUT
        ADD  R1, R0, R3
        BRnp LOOP
        HALT
DOT     .FILL #-46
        .END
ASM
}

# Of `husk up`, whose report is r.json and whose table is in $out:
#   neighbours REPORT NAMES              what those came to whose names the pattern matches, without times
#   ends NAME STATE REASON [FIELD VALUE] how one ended; $how, if it is set, says in messages which run it was
neighbours() {
	grep -oE "\"name\": \"($2)\".*" "$1" | sed -E 's/"(cpu|time)": [0-9.]+, //g; s/"slices": [0-9]+, //; s/,$//'
	grep -E "^($2) +\\|" <<<"$out" | sed 's/ *|/ |/' | sort -s -k1,1
}
ends() {
	local line in="${how:+$how: }"
	line=$(grep "\"name\": \"$1\"" r.json) || fail "$in$1 is not there"
	grep -qE "\"state\": \"$2\"" <<<"$line" || fail "$in$1 did not end as $2: $line"
	grep -qE -- "$3" <<<"$line" || fail "$in$1: not '$3': $line"
	[ $# = 3 ] || grep -qE "\"$4\": $5," <<<"$line" || fail "$in$1: $4 is not $5: $line"
}
