/* SPDX-License-Identifier: MIT
 *
 * Object files for the LC-3, all formats, one or two of them: refused with a message, or loaded and run.
 *
 *     byte 0: profile, where the second file starts | the files
 */
#include "fuzz_machine.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const char *const profiles[] = {"v3", "classic", "tiny"};
	static const char *const names[] = {"fuzz.obj", "fuzz.bin", "fuzz"};
	static Isa *isas[3];
	const Guest *guest = guests_find("lc3");
	GuestFile files[2];
	DiagList diags;
	Machine *machine;
	unsigned profile;
	size_t cut;

	if (size < 1)
		return 0;
	profile = data[0] % 3;
	cut = data[0] < 128 ? size - 1 : (size - 1) * (data[0] - 127u) / 130;
	files[0] = (GuestFile){.name = names[data[0] / 3 % 3], .data = data + 1, .len = cut};
	files[1] = (GuestFile){.name = names[data[0] / 9 % 3], .data = data + 1 + cut, .len = size - 1 - cut};
	if (!isas[profile])
		isas[profile] = fuzz_lc3(profiles[profile]);
	machine = fuzz_machine(isas[profile]);
	diag_init(&diags);
	for (unsigned i = 0; i < 2; i++) {
		int sure = guest->recognize(&files[i]);

		if (sure < 0 || sure > 100)
			fuzz_fail("recognize is outside of 0..100");
	}
	if (guest->load(machine, files, data[0] < 128 ? 1 : 2, &diags) == STATUS_OK) {
		machine_reset(machine, true);
		machine_input_end(machine);
		fuzz_run(machine, 1000);
	} else if (diags.errors == 0) {
		fuzz_fail("refused without a message");
	}
	fuzz_render(&diags);
	machine_destroy(machine);
	return 0;
}
