/* SPDX-License-Identifier: MIT
 * What the tests of libhusk share: a machine from two texts in one call.
 */
#ifndef UNIT_API_H
#define UNIT_API_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <husk/husk.h>
#include <stdlib.h>

/* A machine with a program in it; all else is let go. isa_text NULL: it is built in. */
static inline husk_machine *api_make(husk_context *context, const char *isa_name, const char *isa_text, const char *text,
				     husk_machine_options *options)
{
	husk_program *program;
	husk_machine *machine;
	husk_error *error;
	husk_isa *isa;

	if (isa_text ? husk_isa_load_text(context, isa_name, isa_text, strlen(isa_text), NULL, &isa, &error)
		     : husk_isa_load_builtin(context, isa_name, NULL, &isa, &error))
		fail_msg("%s", husk_error_text(error));
	if (husk_program_assemble(isa, "test.asm", text, strlen(text), NULL, &program, &error))
		fail_msg("%s", husk_error_text(error));
	if (husk_machine_create(program, options, &machine, &error))
		fail_msg("%s", husk_error_text(error));
	husk_program_unref(program);
	husk_isa_unref(isa);
	return machine;
}

#endif
