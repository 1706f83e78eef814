# `make install` PREFIX=/usr/local DESTDIR=: the command, the library, the manual page, the machine descriptions and
# the completions of three shells. No header: the library's public one does not exist yet.
#
#   bin/husk   lib/libhusk.a   lib/pkgconfig/husk.pc   share/man/man1/husk.1   share/husk/isa/*.isa
#   share/bash-completion/completions/husk   share/zsh/site-functions/_husk   share/fish/vendor_completions.d/husk.fish

ROOT = $(DESTDIR)$(PREFIX)
ISA_FILES := $(sort $(wildcard src/guests/*/*.isa isa/*.isa examples/*/*.isa))

# All of Husk but the command: the two archives in one.
LIBHUSK := $(BUILD)/libhusk.a
$(LIBHUSK): $(call obj,$(BOOT_SRC) $(REST_SRC))
	$(call say,archive $@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

define HUSK_PC
prefix=$(PREFIX)
libdir=$${prefix}/lib

Name: husk
Description: A computer from one readable text: assembler, disassembler, debugger, interpreter, manual
Version: $(VERSION)
Libs: -L$${libdir} -lhusk
endef

install: husk $(LIBHUSK)
	install -d $(ROOT)/bin $(ROOT)/lib/pkgconfig $(ROOT)/share/man/man1 $(ROOT)/share/husk/isa
	install -d $(ROOT)/share/bash-completion/completions $(ROOT)/share/zsh/site-functions
	install -d $(ROOT)/share/fish/vendor_completions.d
	install -m 755 $(HUSK) $(ROOT)/bin/husk
	install -m 644 $(LIBHUSK) $(ROOT)/lib/libhusk.a
	$(file >$(BUILD)/husk.pc,$(HUSK_PC))install -m 644 $(BUILD)/husk.pc $(ROOT)/lib/pkgconfig/husk.pc
	install -m 644 man/husk.1 $(ROOT)/share/man/man1/husk.1
	$(if $(ISA_FILES),install -m 644 $(ISA_FILES) $(ROOT)/share/husk/isa)
	$(HUSK) completion bash > $(ROOT)/share/bash-completion/completions/husk
	$(HUSK) completion zsh > $(ROOT)/share/zsh/site-functions/_husk
	$(HUSK) completion fish > $(ROOT)/share/fish/vendor_completions.d/husk.fish
	@echo "installed in $(ROOT): bin/husk, lib/libhusk.a, man page, machine descriptions, completions"

uninstall:
	rm -f $(ROOT)/bin/husk $(ROOT)/lib/libhusk.a $(ROOT)/lib/pkgconfig/husk.pc $(ROOT)/share/man/man1/husk.1
	rm -f $(addprefix $(ROOT)/share/husk/isa/,$(notdir $(ISA_FILES)))
	rm -f $(ROOT)/share/bash-completion/completions/husk $(ROOT)/share/zsh/site-functions/_husk
	rm -f $(ROOT)/share/fish/vendor_completions.d/husk.fish
