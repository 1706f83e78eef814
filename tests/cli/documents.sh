#!/bin/bash
# Runs the documents and READMEs of examples that are made of commands: every command in them must still print what they show. They say
# "<!-- tested by tests/cli/documents.sh -->".
#
# In a fenced block marked `console`, a line "$ COMMAND" is run in an empty directory (a copy of the README's) and the lines up to the next
# command or the end of the block are its output (stdout and stderr); a line "..." there stands for any lines.
# A block marked with a language and a name (`asm hello.asm`) is a file that the reader types in. An HTML comment "<!-- run: COMMAND -->"
# is run as well, silently: what the text asks the reader to do in an editor.
#
# With ACCEPT=1 (HUSK=$PWD/husk TOP=$PWD ACCEPT=1 tests/cli/documents.sh, in an empty directory) the documents are
# rewritten to what is printed now. Read the diff.
set -eu
export LC_ALL=C TERM=dumb
top=$TOP
husk() { "$HUSK" "$@"; }

failures=0

# compare EXPECTED ACTUAL: line by line; "..." matches any run of lines
compare() {
	awk -v expected="$1" '
	BEGIN { while ((getline line < expected) > 0) want[++n] = line; at = 1 }
	{
		if (at <= n && want[at] == "...") {
			if (at == n) next
			if ($0 == want[at + 1]) at += 2
			next
		}
		if (at > n || $0 != want[at]) { print "line " NR ": got  " $0; print "        want " (at > n ? "(nothing)" : want[at]); bad = 1; exit }
		at++
	}
	END { if (!bad && at <= n && !(at == n && want[n] == "...")) { print "missing: " want[at]; bad = 1 }; exit bad }' "$2"
}

finish_command() {
	[ -n "$command" ] || return 0
	# The shell that runs it keeps the directory and the function husk.
	eval "$command" >actual.out 2>&1 </dev/null || true
	if [ -n "${ACCEPT:-}" ]; then
		{ printf '$ %s\n' "$command"; sed '$a\' actual.out; } >>accepted.out
	elif ! compare expected.out actual.out; then
		echo "^^^ $document, line $command_line: $command"
		failures=$((failures + 1))
	fi
	command=
}

keep() { printf '%s\n' "$1" >>accepted.out; }

run_document() {
	document=$1
	local line number=0 mode= file=
	command=
	: >accepted.out
	while IFS= read -r line || [ -n "$line" ]; do
		number=$((number + 1))
		case $mode in
		console)
			if [ "$line" = '```' ]; then
				finish_command
				mode=
				keep "$line"
			elif [[ $line == '$ '* ]]; then
				finish_command
				command=${line#'$ '} command_line=$number
				: >expected.out
			else
				printf '%s\n' "$line" >>expected.out
			fi
			continue ;;
		file)
			if [ "$line" = '```' ]; then mode=; else printf '%s\n' "$line" >>"$file"; fi ;;
		skip)
			if [ "$line" = '```' ]; then mode=; fi ;;
		*)
			case $line in
			'```console') mode=console ;;
			'```'[a-z]*' '*) mode=file file=${line#* }; : >"$file" ;;
			'```'*) mode=skip ;;
			'<!-- run: '*' -->')
				command=${line#'<!-- run: '}
				eval "${command%' -->'}"
				command= ;;
			esac ;;
		esac
		keep "$line"
	done <"$document"
	[ -z "${ACCEPT:-}" ] || cp accepted.out "$document"
}

for file in "$top"/docs/*.md "$top"/examples/*/README.md; do
	grep -q '^<!-- tested by tests/cli/documents.sh -->' "$file" || continue
	name=$(basename "$file" .md)
	if [ "$name" = README ]; then # with the programs beside it
		name=examples-$(basename "$(dirname "$file")")
		cp -R "$(dirname "$file")" "$name"
	else
		mkdir "$name"
	fi
	cd "$name"
	run_document "$file"
	cd ..
done
[ $failures = 0 ]
