/* SPDX-License-Identifier: MIT
 *
 * Assembly text in the LC-3's classic dialect.
 */
#include "fuzz_asm.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static Isa *isa;

	if (!isa)
		isa = fuzz_lc3("classic");
	fuzz_assemble(isa, guests_find("lc3"), "classic", data, size);
	return 0;
}
