# `make bench`: Husk's interpreter against an LC-3 written by hand in C, and how long descriptions take to load.
# Prints the tables and writes docs/benchmarks/interpreter.md. Minutes, and only for people: no test depends on it.
#
#   ROUNDS=7     how often each program is run by each contestant, taking turns; the median counts
#   OTHER="CMD"  a further contestant that takes a classic object file as its argument

ROUNDS ?= 7
OTHER ?=

build/bench/%: bench/%.c
	@mkdir -p $(dir $@)
	$(CC) -std=gnu17 -O2 -Wall -Wextra -o $@ $<

bench: husk build/bench/lc3_plain build/bench/compare
	@ROUNDS=$(ROUNDS) OTHER='$(OTHER)' bench/run ./husk
