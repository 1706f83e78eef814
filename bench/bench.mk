# `make bench` measures Husk beside its peers and writes docs/benchmarks (docs/benchmarks/README.md: how to read it, and what
# can be asked for). It installs the peers itself (tools/deps bench). Takes long, and is for people: no test depends on it.
#
#   SUITE=steady     one suite, or several; without it all: steady start compile memory machines calls fuel density scheduler embed interpreter
#   ROUNDS=5         rounds; the contestants take turns in each, and medians count
#   PROGRAMS=...     only these of the C programs
#   CLOCK=wall|cpu   which time counts: cpu where other programs run beside
#
# `make bench-programs` only compiles the programs: build/bench/programs/NAME.native, .rv64 and .wasm.

SUITE ?=
ROUNDS ?= 5
OTHER ?=

BENCH_DIR := build/bench/programs
BENCH_RV64 ?= riscv64-linux-gnu-gcc
BENCH_WASM ?= clang --target=wasm32-wasi
BENCH_NAMES := $(patsubst bench/programs/%.c,%,$(wildcard bench/programs/*.c)) nbody-fused

# Products and sums are two roundings, or not every engine would print the same; except in NAME-fused, which is NAME with
# multiplication and addition fused where the instruction set can.
bench_compile = @mkdir -p $(dir $@) && $(1) -std=gnu17 -O2 -Wall -Wextra -ffp-contract=$(if $(findstring -fused,$@),fast,off) \
	-o $@ $< -lm

$(BENCH_DIR)/%.native: bench/programs/%.c bench/programs/bench.h
	$(call bench_compile,gcc)
$(BENCH_DIR)/%-fused.native: bench/programs/%.c bench/programs/bench.h
	$(call bench_compile,gcc)
$(BENCH_DIR)/%.rv64: bench/programs/%.c bench/programs/bench.h
	$(call bench_compile,$(BENCH_RV64) -static)
$(BENCH_DIR)/%-fused.rv64: bench/programs/%.c bench/programs/bench.h
	$(call bench_compile,$(BENCH_RV64) -static)
$(BENCH_DIR)/%.wasm: bench/programs/%.c bench/programs/bench.h
	$(call bench_compile,$(BENCH_WASM))
$(BENCH_DIR)/%-fused.wasm: bench/programs/%.c bench/programs/bench.h
	$(call bench_compile,$(BENCH_WASM))

.PHONY: bench-programs
bench-programs: $(foreach name,$(BENCH_NAMES),$(addprefix $(BENCH_DIR)/$(name),.native .rv64 .wasm))

build/bench/%: bench/%.c
	@mkdir -p $(dir $@)
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -o $@ $<
build/bench/measure: bench/measure.c
	@mkdir -p $(dir $@)
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -static -o $@ $<
build/bench/density: bench/density/density.c bench/instances.h $(LIBS)
	@mkdir -p $(dir $@)
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -Iinclude -o $@ $< $(LIBS) $(REST_LIB) -lm -lpthread -ldl
build/bench/fork%.rv64: bench/density/fork.c
	@mkdir -p $(dir $@)
	$(Q)$(BENCH_RV64) -std=gnu17 -O2 -Wall -Wextra -static -DMIB=$* -o $@ $<
build/bench/scheduler: bench/scheduler/scheduler.c bench/instances.h $(LIBS)
	@mkdir -p $(dir $@)
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -Iinclude -o $@ $< $(LIBS) $(REST_LIB) -lm -lpthread -ldl

build/bench/embed: bench/embed/calls.c $(LIBS)
	@mkdir -p $(dir $@)
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -Iinclude -o $@ $< $(LIBS) $(REST_LIB) -lm -lpthread -ldl
build/bench/embed-lua build/bench/embed-luajit: build/bench/embed-%: bench/embed/lua.c
	@mkdir -p $(dir $@)
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra $$(pkg-config --cflags $(EMBED_$*)) -o $@ $< $$(pkg-config --libs $(EMBED_$*))
EMBED_lua := lua5.4
EMBED_luajit := luajit

bench: husk build/bench/embed build/bench/density build/bench/scheduler build/bench/measure build/bench/lc3_plain build/bench/compare
	@tools/deps bench
	@$(MAKE) --no-print-directory -s -k -j$(JOBS) bench-programs build/bench/fork16.rv64 build/bench/fork64.rv64 build/bench/embed-lua build/bench/embed-luajit || echo "bench: not all programs could be compiled"
	@ROUNDS=$(ROUNDS) OTHER='$(OTHER)' python3 -B bench/driver $(SUITE)
