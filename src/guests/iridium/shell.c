/* SPDX-License-Identifier: MIT
 *
 * Iridium line by line (husk repl): what the original's shell says, word for word, and what it shows. Its list of
 * registers holds the 32 integers; a program is a list of bytes.
 */
#include "guests/iridium/iridium.h"

#include <stdio.h>
#include <string.h>

/* Floating point registers as numbers; of the registers that the loader fills, nothing. */
static bool show_register(const Machine *machine, u32 slot, u64 before, Buf *out)
{
	const char *name = isa_slot_name(machine_isa(machine), slot);
	const u64 bits = machine_slot(machine, slot);
	double number;

	(void)before;
	if (strcmp(name, "end") == 0 || strcmp(name, "bad") == 0 || strcmp(name, "top") == 0)
		return true;
	if (name[0] != 'f')
		return false;
	memcpy(&number, &bits, sizeof number);
	buf_printf(out, "%s = %.17g", name, number);
	return true;
}

const GuestShell iridium_shell = {
	.banner = "Welcome to Iridium! Let's be productive!",
	.prompt = ">>> ",
	.farewell = "Farewell! Have a great day!",
	.invalid = "Invalid command!",
	.failed = "There was an error executing the program: ",
	.ask_file = "Please enter the path to the file you wish to load: ",
	.loading = "Attempting to load program from file...",
	.sending = "Sending assembled program to VM",
	.no_file = "There was an error opening that file: ",
	.events = "VM Events\n--------------------------",
	.registers = { "Listing registers and all contents:", "End of Register Listing" },
	.program = { "Listing instructions currently in VM's program vector:", "End of Program Listing" },
	.symbols = { "Listing symbols table:", "End of Symbols Listing" },
	.clear_registers = { "Setting all registers to 0", "Done!" },
	.head = ".data\n.code\n",
	.vectors = true,
	.dots = true,
	.hex_lines = true,
	.crash_code = 1,
	.show_register = show_register,
	.extend = iridium_extend,
};
