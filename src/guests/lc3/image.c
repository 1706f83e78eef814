/* SPDX-License-Identifier: MIT
 *
 * The description and the two operating systems, embedded as they stand in the files.
 */
#include "guests/lc3/lc3.h"

#define EMBED(symbol, file, terminator) \
	__asm__(".section .rodata\n" \
		".global " #symbol "\n" \
		".balign 16\n" \
		#symbol ":\n" \
		".incbin \"" file "\"\n" \
		".global " #symbol "_end\n" \
		#symbol "_end:\n" \
		terminator \
		".previous\n")

EMBED(lc3_isa_text, "src/guests/lc3/lc3.isa", ".byte 0\n");
EMBED(lc3_os_image, BUILD_DIR "/lc3-os.obj", "");
EMBED(lc3_classic_image, BUILD_DIR "/lc3-os-classic.obj", "");
