/* SPDX-License-Identifier: MIT
 *
 * Assembly text for RISC-V, with all that the GNU assembler has: labels that are numbers, sections, %hi(x); what comes out
 * is written as an ELF file.
 */
#include <string.h>

#include "fuzz_asm.h"
#include "guests/rv64/rv64.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static Isa *isa;

	if (!isa) {
		DiagList diags;

		diag_init(&diags);
		isa = isa_load("rv64.isa", rv64_isa_text, strlen(rv64_isa_text), NULL, 0, &diags);
		if (!isa)
			fuzz_fail("rv64.isa");
		diag_fini(&diags);
	}
	fuzz_assemble(isa, guests_find("rv64"), "", data, size);
	return 0;
}
