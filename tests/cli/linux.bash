# SPDX-License-Identifier: MIT
#
# For the tests of Linux programs: `source "$TOP/tests/cli/linux.bash"` behind common.bash.

# linux_program NAME [OPTION...]: compiles tests/linux/NAME.c for RISC-V and runs it, with these options of husk run.
# Its file ends with what it prints and its exit code:
#
#     /* expect 0
#      * line
#      */
#
# A file that says "qemu: the same" is held against qemu-riscv64 as well.
linux_program() {
	local name=$1 source="$TOP/tests/linux/$1.c" wanted code_wanted
	shift
	riscv64-linux-gnu-gcc -O1 -w -static -pthread -o "$name" "$source" || fail "$name does not compile"
	code_wanted=$(sed -n 's|^/\* expect \([0-9]*\)$|\1|p' "$source")
	wanted=$(sed -n '/^\/\* expect /,/^ \*\/$/s/^ \* \{0,1\}\([^/]*.*\)$/\1/p' "$source" | sed '/^\/$/d')
	run timeout 60 "$HUSK" run "$@" "$name"
	[ "$code" = "$code_wanted" ] || fail "$name: exit code $code instead of $code_wanted"
	[ "$out" = "$wanted" ] || fail "$name: $(diff <(printf '%s\n' "$wanted") <(printf '%s\n' "$out") | head -20)"
	if grep -q 'qemu: the same' "$source"; then
		run timeout 60 qemu-riscv64 "$name"
		[ "$code" = "$code_wanted" ] && [ "$out" = "$wanted" ] ||
			fail "$name: qemu differs: $(diff <(printf '%s\n' "$wanted") <(printf '%s\n' "$out") | head -20)"
	fi
}
