# SPDX-License-Identifier: MIT
#
# usage: awk -f json.awk [-v path=a.b.0] FILE
#
# Checks that the whole input is exactly one JSON value (RFC 8259); exit status 1 and a message when not. With path,
# prints the scalar there: names and array indices (from 0) divided by dots. A test machine may lack jq and python.

{ text = text $0 "\n" }

END {
	at = 1
	space(); value(""); space()
	if (at <= length(text)) bad("something behind the value")
	if (path != "") {
		if (!(path in found)) { print "no " path > "/dev/stderr"; exit 1 }
		print found[path]
	}
}

function bad(why) { print "not JSON at " at ": " why ": " substr(text, at, 30) > "/dev/stderr"; failed = 1; exit 1 }
function space() { while (substr(text, at, 1) ~ /^[ \t\r\n]$/) at++ }
function peek() { return substr(text, at, 1) }
function want(c) { if (peek() != c) bad("wanted " c); at++ }

function value(here,    rest) {
	rest = substr(text, at, 40)
	if (peek() == "{") object(here)
	else if (peek() == "[") array(here)
	else if (peek() == "\"") found[here] = string()
	else if (match(rest, /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/)) { found[here] = substr(rest, 1, RLENGTH); at += RLENGTH }
	else if (match(rest, /^(true|false|null)/)) { found[here] = substr(rest, 1, RLENGTH); at += RLENGTH }
	else bad("no value")
}

function join(here, name) { return here == "" ? name : here "." name }

function object(here,    name) {
	want("{"); space()
	if (peek() == "}") { at++; return }
	for (;;) {
		space(); name = string(); space(); want(":"); space()
		value(join(here, name)); space()
		if (peek() == "}") { at++; return }
		want(",")
	}
}

function array(here,    n) {
	want("["); space()
	if (peek() == "]") { at++; return }
	for (n = 0;; n++) {
		space(); value(join(here, n)); space()
		if (peek() == "]") { at++; return }
		want(",")
	}
}

function string(    c, out) {
	want("\"")
	for (;;) {
		c = peek()
		if (c == "\"") { at++; return out }
		if (c == "" || c == "\n" || c ~ /[[:cntrl:]]/) bad("string not ended")
		if (c == "\\") {
			c = substr(text, at + 1, 1)
			if (c == "u") {
				if (substr(text, at + 2, 4) !~ /^[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]$/) bad("bad \\u")
				out = out substr(text, at, 6); at += 6
				continue
			}
			if (index("\"\\/bfnrt", c) == 0) bad("bad escape")
			out = out (c == "n" ? "\n" : c == "t" ? "\t" : c); at += 2
			continue
		}
		out = out c; at++
	}
}
