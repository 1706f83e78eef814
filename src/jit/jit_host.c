/* SPDX-License-Identifier: MIT
 *
 * Which target is for this computer: the Makefile names it (JIT_TARGET) when there is a folder for the processor. A further one
 * is a folder beside x64/; nothing here changes (docs/porting-a-host.md).
 */
#include "jit/jit_private.h"

#ifdef JIT_TARGET
extern const JitTarget JIT_TARGET;

const JitTarget *jit_host(void)
{
	return &JIT_TARGET;
}
#else
const JitTarget *jit_host(void)
{
	return NULL;
}
#endif

bool jit_is_possible(void)
{
	return jit_host() != NULL;
}
