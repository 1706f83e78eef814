# `make test`                all of it (tests/run says what); the last line is "N passed, N failed"
# `make test T=pattern`      the tests whose name holds the pattern: T=unit/test_buf, T=cli, T=asan
# `make test V=1`            with the output of passing tests
# `make soak-jit`            compiled code against the interpreter, a billion random instructions; N= SEED= choose
# `make soak-snapshots`      a snapshot at every instruction of every machine, each restored by both engines elsewhere; T= chooses
# `make fuzz`                every fuzz target for ten minutes; T= and FUZZ_SECONDS= choose
#
# A test is a file, found by its name:
#   tests/unit/test_*.c      a cmocka program, run as released (MODE=gcc) and under asan + ubsan;
#                            with threads (pthread_create, hyper_create) also under tsan
#   tests/cli/*.sh           a bash script, exit status 0 = passed; $HUSK is the command, the directory is empty.
#                            Runs with the asan husk; a line "# mode: release" asks for the released one (MODE=gcc).
#   tests/fuzz/fuzz_*.c      LLVMFuzzerTestOneInput, seeded from tests/fuzz/corpus/NAME/

FUZZ_SECONDS ?= 16
comma := ,

UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZ_TESTS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
UNIT_PROGRAMS := $(UNIT_TESTS:%=$(BUILD)/tests/unit/%)
FUZZ_PROGRAMS := $(FUZZ_TESTS:%=$(BUILD)/tests/fuzz/fuzz_%)
TOOL_SRC := $(wildcard tools/*.c)

# Lets allocations fail.
LDFLAGS_test_nomem := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc aligned_alloc free mmap munmap)

LDFLAGS_test_api_nomem := $(LDFLAGS_test_nomem) -Wl$(comma)--wrap=strdup

LDFLAGS_test_linux_save_nomem := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc aligned_alloc strdup)

LDFLAGS_test_soak := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc mmap)

# Lets nothing be mapped twice.
LDFLAGS_test_jit_life := -Wl$(comma)--wrap=mremap

LDFLAGS_test_jit_disk := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc mmap write)

# Holds a thread up, lets it have no memory, or refuses it.
LDFLAGS_test_jit_background := $(patsubst %,-Wl$(comma)--wrap=%,sem_wait malloc pthread_create)

# These compare with the host's own sqrt() and fma(), or set its flags.
$(foreach t,float rtl_oracle interp_random jit_calls,$(eval LDLIBS_test_$(t) := -lm))

# Test sources may include what they share: "unit/..." beside them.
$(BUILD)/tests/%.o: ALL_CFLAGS += -Itests

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(LIBS)
	$(call say,link $@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(LDFLAGS_$(notdir $@)) -o $@ $(filter %.o,$^) $(LIBS) -lcmocka -ldl $(LDLIBS_$(notdir $@))
# The LC-3 tests share a rig and an oracle.
$(filter $(BUILD)/tests/unit/test_lc3%,$(UNIT_PROGRAMS)): $(BUILD)/tests/lc3/oracle.o $(BUILD)/tests/lc3/rig.o
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(LIBS)
	$(call say,link $@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(LIBS)
.SECONDARY: $(UNIT_PROGRAMS:%=%.o) $(FUZZ_PROGRAMS:%=%.o)

# What tests/run asks for, with MODE=. `test-objects` compiles everything there is and links nothing.
.PHONY: test-objects
test-objects: $(call obj,$(BOOT_SRC) $(REST_SRC) $(CMD_SRC) $(TOOL_SRC) $(UNIT_TESTS:%=tests/unit/%.c))

test:
	@tools/deps test
	@MAKE='$(MAKE)' JOBS=$(JOBS) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run '$(T)'

# Debian's programs for riscv64, all cases (tests/debian/run): some minutes. K= chooses by name.
.PHONY: debian
debian: husk
	@tools/deps test
	@HUSK=$(CURDIR)/husk tests/debian/run $(if $(K),-k '$(K)')

# A program that differs is said with its number: `make soak-jit N=1 SEED=number` runs that one alone.
.PHONY: soak-jit
N ?= 1000000000
SEED ?= 1
soak-jit: $(BUILD)/tests/unit/test_soak
	$< $(N) $(SEED)

.PHONY: soak-snapshots
soak-snapshots: $(BUILD)/tests/unit/test_snapshot_every
	@tools/deps test
	EVERY=1 $< $(T)

fuzz:
	@tools/deps test
	@MAKE='$(MAKE)' JOBS=$(JOBS) FUZZ_SECONDS=$(if $(filter command line,$(origin FUZZ_SECONDS)),$(FUZZ_SECONDS),600) \
		tests/run '$(if $(T),$(T),fuzz/)'
