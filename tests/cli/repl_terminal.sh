#!/bin/bash
# SPDX-License-Identifier: MIT
# mode: release
#
# husk repl on a terminal (tmux): prompts, history, completion, Ctrl-C while a line runs and at the prompt, input for
# the program, Ctrl-D; and the terminal is as before.
set -eu
source "$TOP/tests/cli/common.bash"
command -v tmux >/dev/null || { echo "no tmux: nothing tested"; exit 0; }

socket=$PWD/tmux.sock
t() { tmux -S "$socket" "$@"; }
end() {
	t kill-server 2>/dev/null || true
	for ((i = 0; i < 50; i++)); do [ -e "$socket" ] || break; sleep 0.1; done
}
trap end EXIT
export HUSK
unset TMUX
cat >shell.rc <<'RC'
PS1='$ '
unset PROMPT_COMMAND
set +o emacs +o vi
RC
t -u -f /dev/null new-session -d -x 100 -y 40 "bash --noprofile --rcfile $PWD/shell.rc"
screen() { t capture-pane -p; }
type() { t send-keys -l "$1"; t send-keys Enter; }
wait_for() { # wait_for PATTERN: it stands on the screen within 10 seconds
	for ((i = 0; i < 200; i++)); do
		! screen | grep -qE -- "$1" || return 0
		sleep 0.05
	done
	fail "never on the screen: $1"$'\n'"$(screen)"
}

wait_for '^\$'
type "stty -g >before.txt; $HUSK repl --fuel 1000G lc3; code=\$?; stty -g >after.txt; echo code \$code"
wait_for '^Little Computer 3'; wait_for '^>$'
type 'ADD R0, R0, #5'; wait_for '^R0 = 5  cc: P$'
type 'loop ADD R1, R1, #1'; wait_for '^R1 = 1$'
type 'BR loop'; sleep 0.3; t send-keys C-c; wait_for '^interrupted after [0-9]+ instructions'
type 'ADD R0, R0, #1'; wait_for '^R0 = 6'
t send-keys -l 'half a line'; t send-keys C-c; sleep 0.2; type '? R0 + 1'; wait_for '^7$'
if strings -a "$HUSK" | grep -q el_gets; then
	t send-keys -l '!clear_r'; t send-keys Tab; wait_for '> !clear_registers'; t send-keys Enter
	t send-keys Up Up; wait_for '^> \? R0 \+ 1$'; t send-keys C-u; sleep 0.1
fi
type '!undo'; type '!set R0 = 1'; type 'GETC'; wait_for '^input>'; type 'q'; wait_for '^R0 = 113 '
type 'JUNK R1'; wait_for "there is no instruction 'JUNK'"
t send-keys C-d; wait_for '^code 0$'
cmp before.txt after.txt || fail "the terminal was left changed"

# SIGTERM and SIGHUP end it, with the terminal put back.
for signal in TERM HUP; do
	t send-keys -R; t clear-history; type clear; sleep 0.2
	type "$HUSK repl tiny8; code=\$?; stty -g >after.txt; echo code \$code"
	wait_for '^>$'
	kill -$signal "$(pgrep -P "$(t display-message -p '#{pane_pid}')" -f 'husk repl' | head -n 1)"
	wait_for "^.*code $((128 + $(kill -l $signal)))\$"
	cmp before.txt after.txt || fail "SIG$signal: the terminal was left changed"
done
