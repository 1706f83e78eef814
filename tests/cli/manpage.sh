# The manual page: every verb and every long option that --help names is in it, and troff has no complaint.

set -eu
page=$TOP/man/husk.1
text=$(sed 's/\\-/-/g' "$page")

verbs() { # names in the indented list of verbs
	"$HUSK" "$@" --help | awk '/^ *[Vv]erbs:?$/ { on = 1; next } on && /^[^ ]/ { on = 0 } on && /^  [a-z]/ { print $1 }'
}
check() { # check VERB...: its options
	"$HUSK" "$@" --help | grep -o -- '--[a-z][a-z-]*' | sort -u | while read -r option; do
		[ "$option" = --help ] || grep -q -- "$option" <<<"$text" ||
			{ echo "man/husk.1 does not know $option of husk $*"; exit 1; }
	done
}
list=$(verbs)
[ "$(wc -w <<<"$list")" -ge 6 ] || { echo "the list of verbs in husk --help is not understood: $list"; exit 1; }
for verb in $list; do
	grep -q "husk.* $verb\|^\.B.*$verb" <<<"$text" || { echo "man/husk.1 does not know husk $verb"; exit 1; }
	check "$verb"
	for sub in $(verbs "$verb"); do
		grep -q "^\.BI* $sub\b\|\.B $sub" <<<"$text" || { echo "man/husk.1 does not know husk $verb $sub"; exit 1; }
		check "$verb" "$sub"
	done
done
if command -v man >/dev/null; then
	warnings=$(MANWIDTH=100 man --warnings -l "$page" 2>&1 >/dev/null)
	[ -z "$warnings" ] || { echo "$warnings"; exit 1; }
fi
