# `make install` PREFIX=/usr/local DESTDIR=: the command, the library with its header, the manual page, the machine descriptions and
# the completions of three shells.
#
#   bin/husk   include/husk/husk.h   lib/libhusk.{a,so*}   lib/pkgconfig/husk.pc   share/man/man1/husk.1   share/husk/isa/*.isa
#   share/bash-completion/completions/husk   share/zsh/site-functions/_husk   share/fish/vendor_completions.d/husk.fish

ROOT = $(DESTDIR)$(PREFIX)
ISA_FILES := $(sort $(wildcard src/guests/*/*.isa isa/*.isa examples/*/*.isa))

# All of Husk but the command. Both show husk_* and nothing else, so that no name of Husk's meets one of the program's: the archive
# is one object in which all other names are local.
SO_MAJOR := 0
SO_NAME := libhusk.so.$(SO_MAJOR)
SO_FILE := libhusk.so.$(VERSION)
LIBHUSK := $(BUILD)/libhusk.a
LIBHUSK_SO := $(BUILD)/$(SO_FILE)
LIBHUSK_OBJECTS := $(call obj,$(BOOT_SRC) $(REST_SRC))
.PHONY: lib
lib: $(LIBHUSK) $(LIBHUSK_SO)

$(LIBHUSK): $(LIBHUSK_OBJECTS)
	$(call say,archive $@)
	@rm -f $@
	$(Q)$(LD) -r -o $(BUILD)/libhusk.o $^
	$(Q)objcopy --localize-hidden $(BUILD)/libhusk.o
	$(Q)$(AR) rcs $@ $(BUILD)/libhusk.o
	@rm -f $(BUILD)/libhusk.o
$(LIBHUSK_SO): $(LIBHUSK_OBJECTS) src/api/husk.map
	$(call say,link $@)
	$(Q)$(CC) -shared $(ALL_LDFLAGS) -Wl,-soname,$(SO_NAME) -Wl,--version-script=src/api/husk.map -Wl,-z,defs -o $@ $(LIBHUSK_OBJECTS) -lpthread -ldl
	@ln -sf $(SO_FILE) $(BUILD)/$(SO_NAME)
	@ln -sf $(SO_NAME) $(BUILD)/libhusk.so

define HUSK_PC
prefix=$(PREFIX)
libdir=$${prefix}/lib
includedir=$${prefix}/include

Name: husk
Description: Computers described by a text, to run code that is not trusted: sandboxed, metered, snapshotted
Version: $(VERSION)
Cflags: -I$${includedir}
Libs: -L$${libdir} -lhusk
Libs.private: -lpthread -ldl
endef

install: husk $(LIBHUSK) $(LIBHUSK_SO)
	install -d $(ROOT)/bin $(ROOT)/include/husk $(ROOT)/lib/pkgconfig $(ROOT)/share/man/man1 $(ROOT)/share/husk/isa
	install -d $(ROOT)/share/bash-completion/completions $(ROOT)/share/zsh/site-functions
	install -d $(ROOT)/share/fish/vendor_completions.d
	install -m 755 $(HUSK) $(ROOT)/bin/husk
	install -m 644 include/husk/husk.h $(ROOT)/include/husk/husk.h
	install -m 644 $(LIBHUSK) $(ROOT)/lib/libhusk.a
	install -m 755 $(LIBHUSK_SO) $(ROOT)/lib/$(SO_FILE)
	ln -sf $(SO_FILE) $(ROOT)/lib/$(SO_NAME)
	ln -sf $(SO_NAME) $(ROOT)/lib/libhusk.so
	$(file >$(BUILD)/husk.pc,$(HUSK_PC))install -m 644 $(BUILD)/husk.pc $(ROOT)/lib/pkgconfig/husk.pc
	install -m 644 man/husk.1 $(ROOT)/share/man/man1/husk.1
	$(if $(ISA_FILES),install -m 644 $(ISA_FILES) $(ROOT)/share/husk/isa)
	$(HUSK) completion bash > $(ROOT)/share/bash-completion/completions/husk
	$(HUSK) completion zsh > $(ROOT)/share/zsh/site-functions/_husk
	$(HUSK) completion fish > $(ROOT)/share/fish/vendor_completions.d/husk.fish
	@echo "installed in $(ROOT): bin/husk, libhusk and its header, man page, machine descriptions, completions"

uninstall:
	rm -f $(ROOT)/bin/husk $(ROOT)/include/husk/husk.h $(ROOT)/lib/libhusk.a $(ROOT)/lib/libhusk.so*
	rm -f $(ROOT)/lib/pkgconfig/husk.pc $(ROOT)/share/man/man1/husk.1
	rm -f $(addprefix $(ROOT)/share/husk/isa/,$(notdir $(ISA_FILES)))
	rm -f $(ROOT)/share/bash-completion/completions/husk $(ROOT)/share/zsh/site-functions/_husk
	rm -f $(ROOT)/share/fish/vendor_completions.d/husk.fish
