/* SPDX-License-Identifier: MIT
 *
 * EMBED(symbol, file, ".byte 0\n"): the bytes of a file as `extern const u8/char symbol[]`, ended by symbol_end. The third
 * argument follows the bytes: a text wants its NUL. Used by each guest's image.c, which the Makefile makes anew when
 * an .isa file beside it changes.
 */
#ifndef GUESTS_EMBED_H
#define GUESTS_EMBED_H

#define EMBED(symbol, file, terminator) \
	__asm__(".section .rodata\n" \
		".global " #symbol "\n" \
		".hidden " #symbol "\n" \
		".balign 16\n" \
		#symbol ":\n" \
		".incbin \"" file "\"\n" \
		".global " #symbol "_end\n" \
		".hidden " #symbol "_end\n" \
		#symbol "_end:\n" \
		terminator \
		".previous\n")

#endif
