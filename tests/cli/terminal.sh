#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The terminal is as it was before, whatever ended the run: the guest, Ctrl-C, Ctrl-\, SIGTERM, SIGHUP, a crash; and
# while husk is suspended. In tmux, where keys can be pressed and the screen can be read.
set -eu
source "$TOP/tests/cli/common.bash"
command -v tmux >/dev/null || { echo "no tmux: nothing tested"; exit 0; }

echoer >echo.asm; spin >spin.asm
socket=$PWD/tmux.sock
t() { tmux -S "$socket" "$@"; }
end() {
	t kill-server 2>/dev/null || true
	for ((i = 0; i < 50; i++)); do [ -e "$socket" ] || break; sleep 0.1; done
}
trap end EXIT
export HUSK ASAN_OPTIONS UBSAN_OPTIONS
unset TMUX
cat >shell.rc <<'RC'
PS1='$ '
unset PROMPT_COMMAND
set +o emacs +o vi
RC
t -u -f /dev/null new-session -d -x 100 -y 30 "bash --noprofile --rcfile $PWD/shell.rc"

screen() { t capture-pane -p; }
type() { t send-keys -l "$1"; t send-keys Enter; }
wait_for() { # wait_for PATTERN: it stands on the screen within 20 seconds
	for ((i = 0; i < 200; i++)); do
		! screen | grep -qE -- "$1" || return 0
		sleep 0.1
	done
	fail "never on the screen: $1"$'\n'"$(screen)"
}
wait_file() { for ((i = 0; i < 200; i++)); do [ ! -s "$1" ] || return 0; sleep 0.1; done; fail "no $1"$'\n'"$(screen)"; }
clear_screen() { t send-keys -R; t clear-history; rm -f done.txt; type "clear"; sleep 0.2; }

# begin COMMAND: runs it in the terminal; its exit code and the terminal's state afterwards go to done.txt.
begin() {
	clear_screen
	type "stty -g >before.txt; $1; echo \$? >code.txt; stty -g >after.txt; echo >>done.txt end"
}
finish() { # finish CODE WHAT
	wait_file done.txt
	[ "$(cat code.txt)" = "$1" ] || fail "$2: exit code $(cat code.txt), not $1"$'\n'"$(screen)"
	cmp before.txt after.txt || fail "$2: the terminal was left changed"
}
is_raw() { # the terminal of the pane, looked at from outside
	stty -a <"$(t display-message -p '#{pane_tty}')" | grep -q -- '-icanon'
}
wait_raw() { for ((i = 0; i < 100; i++)); do ! is_raw || return 0; sleep 0.1; done; fail "the terminal is not raw"$'\n'"$(screen)"; }
wait_cooked() { for ((i = 0; i < 100; i++)); do is_raw || return 0; sleep 0.1; done; fail "the terminal is still raw"$'\n'"$(screen)"; }
husk_pid() { pgrep -P "$(t display-message -p '#{pane_pid}')" -f 'husk run' | head -n 1; }

# Keys arrive one by one, unechoed but by the guest; the guest ends.
begin "$HUSK run echo.asm"; wait_raw
t send-keys -l 'xyz'; wait_for '^xyz'
t send-keys -l '.'; finish 0 "end of the guest"

# Ctrl-C: the machine stops, a new line is begun.
begin "$HUSK run echo.asm"; wait_raw; t send-keys -l 'q'; wait_for '^q'; t send-keys C-c; finish 130 "Ctrl-C, waiting"
begin "$HUSK run --profile tiny echo.asm"; wait_raw; t send-keys C-c; finish 130 "Ctrl-C, asleep"
begin "$HUSK run spin.asm"; wait_raw; t send-keys C-c; finish 130 "Ctrl-C, working"
begin "$HUSK run echo.asm"; wait_raw; t send-keys 'C-\'; finish 131 "Ctrl-\\"

# Signals from outside, limits, crashes.
for pair in TERM:143 HUP:129 SEGV:139 ABRT:134; do
	case $HUSK in *asan*) [ ${pair%:*} != SEGV ] && [ ${pair%:*} != ABRT ] || continue ;; esac
	begin "$HUSK run echo.asm 2>/dev/null"; wait_raw
	kill -"${pair%:*}" "$(husk_pid)"
	finish "${pair#*:}" "SIG${pair%:*}"
done
begin "$HUSK run --timeout 1 -q echo.asm"; wait_raw; finish 124 "--timeout"
begin "$HUSK run --fuel 500 -q echo.asm"; finish 137 "--fuel"

# Suspended: the terminal is the shell's; continued: raw again; in the background it is left alone.
begin "$HUSK run echo.asm"; wait_raw
t send-keys C-z; wait_for 'Stopped'; wait_cooked
type "fg"; wait_raw
t send-keys -l 'after'; wait_for 'after'
t send-keys C-z; sleep 0.5; wait_cooked
type "bg"; sleep 0.5; ! is_raw || fail "raw in the background"
type "fg"; wait_raw
t send-keys -l '.'
for ((i = 0; i < 100; i++)); do is_raw || break; sleep 0.1; done
type "stty -g >after.txt; echo >>done2.txt end"; wait_file done2.txt
cmp before.txt after.txt || fail "after suspension: the terminal was left changed"

# The guest reads no keyboard from a file: the terminal is not touched.
printf 'ab.' >in.txt
begin "$HUSK run echo.asm <in.txt"; finish 0 "input from a file"

# A machine with a display: half blocks on the alternate screen, 60 frames a second; then everything as before.
flag() { t display-message -p "#{$1}"; }
chip8="--isa $TOP/examples/isa/chip8.isa $TOP/examples/isa/chip8/ball.asm"
begin "$HUSK run $chip8"; wait_raw; wait_for '[▀▄█]'
[ "$(flag alternate_on)" = 1 ] || fail "not the alternate screen"
[ "$(flag cursor_flag)" = 0 ] || fail "the cursor is shown"
t send-keys C-z; wait_for 'Stopped'; wait_cooked
[ "$(flag alternate_on) $(flag cursor_flag)" = "0 1" ] || fail "suspended: the screen was not put back"
type fg; wait_raw; wait_for '[▀▄█]'
t send-keys C-c
for ((i = 0; i < 100; i++)); do is_raw || break; sleep 0.1; done
type "stty -g >after.txt; echo >>done3.txt end"; wait_file done3.txt
cmp before.txt after.txt || fail "display: the terminal was left changed"
[ "$(flag alternate_on) $(flag cursor_flag)" = "0 1" ] || fail "Ctrl-C: the screen was not put back"
begin "$HUSK run --timeout 1 -q $chip8 </dev/null"; finish 124 "display, --timeout"
[ "$(flag alternate_on) $(flag cursor_flag)" = "0 1" ] || fail "--timeout: the screen was not put back"

# The debugger, at its prompt and while the program runs. (libedit never frees the names of added functions.)
debugger="ASAN_OPTIONS=\$ASAN_OPTIONS:detect_leaks=0 $HUSK debug spin.asm"
debugger_pid() { pgrep -P "$(t display-message -p '#{pane_pid}')" -f 'husk debug' | head -n 1; }
for pair in TERM:143 HUP:129 QUIT:131; do
	begin "$debugger"; wait_for '^\(husk\)'
	kill -"${pair%:*}" "$(debugger_pid)"; finish "${pair#*:}" "debugger, SIG${pair%:*}"
done
begin "$debugger"; wait_for '^\(husk\)'; type continue; sleep 0.5
kill -TERM "$(debugger_pid)"; finish 143 "debugger, SIGTERM while the program runs"

# Not a terminal: nothing is drawn; --screen prints the display at the end.
expect 137 $HUSK run --fuel 2000 -q $chip8; [ -z "$out" ] || fail "drawn into a pipe"
expect 137 $HUSK run --fuel 2000 -q --screen $chip8; [ "$(grep -cE '^[#.]{64}$' stdout.txt)" = 32 ] || fail "--screen"

# A Linux program that stops itself (Ctrl-Z in an editor is a key like others), with no shell of its own to continue it:
# husk stops, and what continues husk continues the program, which makes the terminal its own again.
if command -v riscv64-linux-gnu-gcc >/dev/null; then
	cat >editor.c <<'C'
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>
static volatile int continued;
static void on_continue(int number) { continued++; }
int main(void)
{
	struct termios cooked, raw;
	char c;

	signal(SIGCONT, on_continue);
	tcgetattr(0, &cooked);
	raw = cooked;
	cfmakeraw(&raw);
	tcsetattr(0, TCSADRAIN, &raw);
	write(1, "edit\r\n", 6);
	while (read(0, &c, 1) == 1 && c != 'q')
		if (c == 'Z' - '@') {
			tcsetattr(0, TCSADRAIN, &cooked);
			kill(0, SIGTSTP);
			tcsetattr(0, TCSADRAIN, &raw);
			write(1, continued ? "again\r\n" : "not stopped\r\n", continued ? 7 : 13);
		}
	tcsetattr(0, TCSADRAIN, &cooked);
	return 5 + continued;
}
C
	riscv64-linux-gnu-gcc -w -static -o editor editor.c
	clear_screen
	type "stty -g >before.txt; $HUSK run editor"; wait_for '^edit'; wait_raw
	t send-keys C-z; wait_for 'Stopped .*editor'; wait_cooked
	type "fg; echo \$? >code.txt; stty -g >after.txt; echo >>done.txt end"; wait_for '^again'; wait_raw
	t send-keys -l q; finish 6 "a program that stopped itself"
fi
