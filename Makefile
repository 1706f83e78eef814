# Husk. `make` builds ./husk; `make run` shows it at work; `make test` passes the tests.
#
#   MODE=release|debug|asan|tsan|fuzz   objects of each mode live in build/MODE, side by side
#   MODE=gcc                            as release, with warnings as errors: what `make test` compiles and runs
#   MODE=clang                          for that compiler's warnings; objects only
#   V=1                                 show whole commands (and the output of tests that pass)
#   CC=gcc|clang                        PREFIX=/usr/local DESTDIR=    where `make install` puts things

MODE ?= release
PREFIX ?= /usr/local
JOBS ?= 2
DESTDIR ?=
VERSION := 0.1.0

BUILD := build/$(MODE)
WARN := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wvla
# A product and a sum are two roundings, also where the compiler could make one instruction of them.
# Every object may become part of libhusk.so, of which only what is marked so is seen. Variables of threads are at fixed places,
# so that a signal handler may look at them.
BASE_CFLAGS := -std=gnu17 $(WARN) -Iinclude -Isrc -g -DHUSK_VERSION='"$(VERSION)"' -MMD -MP -fno-strict-aliasing -ffp-contract=off \
	-fPIC -fvisibility=hidden -ftls-model=initial-exec
CFLAGS_release := -O2
CFLAGS_debug := -O0 -DHUSK_DEBUG
# -g1 has the lines, which is what a report of a sanitizer shows; variables would take a sixth of the time.
CFLAGS_asan := -O1 -g1 -DHUSK_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g1 -DHUSK_DEBUG -fsanitize=thread
# Without trace-cmp code runs three times faster; the words a fuzzer cannot guess stand in tests/fuzz/NAME.dict.
CFLAGS_fuzz := -O1 -g1 -DHUSK_DEBUG -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
	-fno-sanitize-coverage=trace-cmp
CFLAGS_gcc := -O2 -Werror
# Only for its warnings, which all come before it optimizes.
CFLAGS_clang := -O0 -g0 -Werror
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_fuzz := -fsanitize=fuzzer-no-link,address,undefined
ifneq ($(filter $(MODE),fuzz clang),)
CC := clang
endif
ifeq ($(MODE),gcc)
CC := gcc
endif

# Commands are shown short unless V=1: `$(call say,what)` and `$(Q)` in front of the command.
Q := $(if $(V),,@)
say = $(if $(V),@:,@echo "  $(1)")

# Libraries of others are loaded by the commands that need them (src/base/library.h): by the name that the library itself says.
soname = $(shell objdump -p "$$($(CC) -print-file-name=lib$(1).so)" 2>/dev/null | awk '$$1 == "SONAME" { print $$2 }')

# libedit gives the debugger line editing; without it, it reads plain lines.
EDIT_FILE := $(call soname,edit)
ifneq ($(and $(EDIT_FILE),$(shell pkg-config --exists libedit 2>/dev/null && echo yes)),)
$(BUILD)/src/cmd/lines.o: ALL_CFLAGS += $(shell pkg-config --cflags libedit) -DHAVE_LIBEDIT -DLIBEDIT_FILE='"$(EDIT_FILE)"'
endif

# libcyaml reads machine descriptions (husk box); without it there is no husk box.
CYAML_FILE := $(call soname,cyaml)
ifneq ($(and $(CYAML_FILE),$(shell pkg-config --exists libcyaml 2>/dev/null && echo yes)),)
CYAML_CFLAGS := $(shell pkg-config --cflags libcyaml) -DHAVE_LIBCYAML -DLIBCYAML_FILE='"$(CYAML_FILE)"'
endif

# SQLite keeps the keys and values of programs (husk up); without it there is nowhere to keep them.
SQLITE_FILE := $(call soname,sqlite3)
ifneq ($(and $(SQLITE_FILE),$(shell pkg-config --exists sqlite3 2>/dev/null && echo yes)),)
$(BUILD)/src/store/store.o: ALL_CFLAGS += $(shell pkg-config --cflags sqlite3) -DHAVE_SQLITE -DSQLITE_FILE='"$(SQLITE_FILE)"'
endif

# libzydis takes host code apart (husk run --dump-jit); without it that shows bytes.
ifneq ($(and $(filter x86_64,$(shell uname -m)),$(wildcard /usr/include/Zydis/Zydis.h /usr/local/include/Zydis/Zydis.h)),)
ZYDIS_FILE := $(call soname,Zydis)
ifneq ($(ZYDIS_FILE),)
$(BUILD)/src/cmd/jit_dump_host.o: ALL_CFLAGS += -DHAVE_ZYDIS -DZYDIS_FILE='"$(ZYDIS_FILE)"'
endif
endif

ALL_CFLAGS = $(BASE_CFLAGS) $(JIT_CFLAGS) $(CFLAGS_$(MODE)) $(CYAML_CFLAGS) $(CFLAGS)
# Code that is kept on disk is of this build (src/jit/jit_disk.h).
ALL_LDFLAGS = -Wl,--build-id=sha1 $(LDFLAGS_$(MODE)) $(LDFLAGS)

# Objects depend on this file, and it changes when the compiler or its flags do (libedit was installed, CC=clang).
FLAGS := $(BUILD)/flags
FLAGS_NOW = $(CC) $(ALL_CFLAGS) $(EDIT_FILE) $(SQLITE_FILE) $(ZYDIS_FILE)
ifneq ($(strip $(file <$(FLAGS))),$(strip $(FLAGS_NOW)))
$(shell mkdir -p $(BUILD))
$(file >$(FLAGS),$(FLAGS_NOW))
endif

# Two archives: the tools that turn text into cells (all that building the guests' images needs), then the rest.
# Code for the host is made on the hosts there is a folder for; others have the interpreter.
JIT_FOLDER_x86_64 := x64
JIT_FOLDER_aarch64 := a64
JIT_FOLDER_riscv64 := rv64
JIT_FOLDER := $(JIT_FOLDER_$(shell uname -m))
JIT_SRC := $(if $(JIT_FOLDER),$(wildcard src/jit/$(JIT_FOLDER)/*.c))
JIT_CFLAGS := $(if $(JIT_SRC),-DJIT_TARGET=$(JIT_FOLDER)_target)
BOOT_SRC := $(wildcard src/base/*.c src/ir/*.c src/core/*.c src/isa/*.c src/asm/*.c)
REST_SRC := $(wildcard src/lab/*.c src/box/*.c src/hyper/*.c src/interp/*.c src/jit/*.c $(if $(JIT_SRC),src/jit/$(JIT_FOLDER)/*.c) src/machine/*.c src/debug/*.c src/linux/*.c src/guests/*.c src/guests/*/*.c src/store/*.c src/api/*.c)
CMD_SRC := $(wildcard src/cmd/*.c)
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

BOOT_LIB := $(BUILD)/libboot.a
REST_LIB := $(BUILD)/librest.a
LIBS := $(REST_LIB) $(BOOT_LIB)
HUSK := $(BUILD)/husk

.PHONY: all deps run museum test fuzz bench install uninstall clean
all: husk
	@echo "built ./husk ($(MODE)). Next: make run (LC-3 programs at work), make test, ./husk --help"

husk: $(HUSK)
	@cp -f $(HUSK) $@

deps:
	@tools/deps build

# A second make, so that what `deps` has just installed is seen.
run: deps
	@$(MAKE) --no-print-directory -s -j$(JOBS) husk
	@tools/demo ./husk

# A billion rounds on each of Merry's ancestors (docs/museum.md).
museum: husk
	@tools/museum ./husk

$(HUSK): $(call obj,$(CMD_SRC)) $(LIBS)
	$(call say,link $@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(call obj,$(CMD_SRC)) $(LIBS) -ldl -lpthread

$(BOOT_LIB): $(call obj,$(BOOT_SRC))
	$(call say,archive $@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
$(REST_LIB): $(call obj,$(REST_SRC))
	$(call say,archive $@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/%.o: %.c $(FLAGS)
	@mkdir -p $(dir $@)
	$(call say,compile $<)
	$(Q)$(CC) $(ALL_CFLAGS) -DBUILD_DIR='"$(BUILD)"' -c -o $@ $<

# The lab compares ways of dispatch: the compiler must not turn one into the other.
# clang has neither flag.
$(BUILD)/src/lab/lab_loops.o: ALL_CFLAGS += $(if $(findstring clang,$(CC)),,-fno-gcse -fno-crossjumping)
# It embeds its programs.
$(BUILD)/src/cmd/lab.o: $(wildcard src/lab/programs/*)
# The guests' own software is assembled by Husk's assembler and embedded (.incbin) by the guest.
$(BUILD)/tools/%.o: ALL_CFLAGS += -I.
$(BUILD)/mkimage: $(BUILD)/tools/mkimage.o $(BOOT_LIB)
	$(call say,link $@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(BOOT_LIB)
LC3_SERVICES := src/guests/lc3/services.asm src/guests/lc3/services-vectors.asm
$(BUILD)/lc3-os.obj: $(BUILD)/mkimage src/guests/lc3/os.asm $(LC3_SERVICES) src/guests/lc3/lc3.isa
	$(call say,assemble $@)
	$(Q)$(BUILD)/mkimage src/guests/lc3/lc3.isa src/guests/lc3/os.asm $@
$(BUILD)/lc3-os-classic.obj: $(BUILD)/mkimage src/guests/lc3/os-classic.asm $(LC3_SERVICES) src/guests/lc3/lc3.isa
	$(call say,assemble $@)
	$(Q)$(BUILD)/mkimage src/guests/lc3/lc3.isa src/guests/lc3/os-classic.asm $@ profile=classic
$(BUILD)/src/guests/lc3/image.o: $(BUILD)/lc3-os.obj $(BUILD)/lc3-os-classic.obj
# Descriptions are loaded by Husk's loader while Husk is built (src/isa/isa_frozen.h). The tool says which pointers of a description
# are the program's own by where they point: it lies high.
$(BUILD)/mkisa: $(BUILD)/tools/mkisa.o $(BOOT_LIB)
	$(call say,link $@)
	$(Q)$(CC) $(ALL_LDFLAGS) -pie -o $@ $< $(BOOT_LIB)
$(BUILD)/%.frozen: %.isa $(BUILD)/mkisa
	@mkdir -p $(dir $@)
	$(call say,load $<)
	$(Q)$(BUILD)/mkisa $< $@
# A guest's image.c embeds the description beside it, as text and loaded.
$(foreach isa,$(wildcard src/guests/*/*.isa),$(eval $(BUILD)/$(dir $(isa))image.o: $(isa) $(BUILD)/$(isa:.isa=.frozen)))

include install.mk
include $(wildcard tests/tests.mk bench/bench.mk)

clean:
	rm -rf build husk

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
