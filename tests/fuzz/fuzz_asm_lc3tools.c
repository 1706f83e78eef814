/* SPDX-License-Identifier: MIT
 *
 * Assembly text in the LC-3's lc3tools dialect.
 */
#include "fuzz_asm.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static Isa *isa;

	if (!isa)
		isa = fuzz_lc3("v3");
	fuzz_assemble(isa, guests_find("lc3"), "lc3tools", data, size);
	return 0;
}
