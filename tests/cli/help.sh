#!/bin/bash
# SPDX-License-Identifier: MIT
# Help, version, completion scripts, and what mistyped words get.
set -eu
source "$TOP/tests/cli/common.bash"

expect 0 $HUSK --version; has "$out" '^husk [0-9]+\.[0-9]+\.[0-9]+$'
expect 0 $HUSK version; has "$out" '^husk [0-9]+\.[0-9]+\.[0-9]+$'
expect 125 $HUSK; has "$err" '^usage: husk VERB'
expect 0 $HUSK --help
main_help=$out
expect 0 $HUSK help; [ "$out" = "$main_help" ] || fail "husk help is not husk --help"

expect 0 $HUSK completion bash; cp stdout.txt husk.bash; bash -n husk.bash
expect 0 $HUSK completion zsh; cp stdout.txt _husk; ! command -v zsh >/dev/null || zsh -n _husk
expect 0 $HUSK completion fish; cp stdout.txt husk.fish; ! command -v fish >/dev/null || fish -n husk.fish
expect 125 $HUSK completion tcsh; one_error

# What bash offers behind these words.
source ./husk.bash
offers() {
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_husk
	printf '%s\n' "${COMPREPLY[@]}"
}

# Every verb that completion offers has a help that names all of its options.
verbs=0
check() { # check husk VERB...
	local word options
	options=$(offers "$@" --)
	expect 0 $HUSK "${@:2}" --help
	has "$out" "^usage: $*( |\$)"
	for word in $options; do has "$out" "(^|[ ,])$word([ =[]|\$)"; done
	verbs=$((verbs + 1))
	[ "$*" = husk ] || [ "$*" = "husk isa" ] || return 0
	for word in $(offers "$@" ""); do
		case $word in
		-*) ;;
		*) expect 0 $HUSK "${@:2}" --help; has "$out" "^  $word  "; check "$@" "$word" ;;
		esac
	done
}
check husk
[ $verbs -ge 12 ] || fail "completion knows $verbs verbs only"
has "$(offers husk ru)" '^run$'
has "$(offers husk run --format "")" '^json$'
has "$(offers husk isa check lc)" '^lc3$'
touch some.asm; has "$(offers husk run so)" '^some\.asm$'

# Mistyped words: one line, the nearest one, exit code 125.
expect 125 $HUSK rum; one_error; has "$err" 'did you mean husk run\?'
expect 125 $HUSK frobnicate; one_error
expect 125 $HUSK isa lsit; one_error; has "$err" 'did you mean husk isa list\?'
expect 125 $HUSK run --feul 5 x; one_error; has "$err" 'did you mean --fuel\?'
expect 125 $HUSK run --xyzzy x; one_error
expect 125 $HUSK run -Z x; one_error
expect 125 $HUSK run; one_error
expect 125 $HUSK run --fuel; one_error
expect 125 $HUSK run --fuel ten x.asm; one_error
expect 125 $HUSK run --fuel 99999999999999999999 x.asm; one_error
expect 125 $HUSK run --fuel 0 x.asm; one_error
expect 125 $HUSK run --memory 5Q x.asm; one_error
expect 125 $HUSK run --timeout 0 x.asm; one_error
expect 125 $HUSK run --timeout nan x.asm; one_error
expect 125 $HUSK run --stats=yes x.asm; one_error
expect 125 $HUSK run --format yaml x.asm; one_error
expect 125 $HUSK isa check; one_error
expect 125 $HUSK isa check lc3 lc3; one_error
expect 125 $HUSK version 1; one_error
expect 125 $HUSK $'bad\nverb\033[31m'; one_error # control characters don't reach the terminal
grep -q $'\033' stderr.txt && fail "an escape sequence came through"

# A closed or full stdout is noticed.
code=0; $HUSK --help >/dev/full 2>stderr.txt || code=$?
[ $code = 125 ] || fail "writing to a full device gave $code"
