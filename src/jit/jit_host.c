/* SPDX-License-Identifier: MIT
 *
 * Which target is for this computer. Another one is a folder beside x64/ that exports a JitTarget, and a line here.
 */
#include "jit/jit_private.h"

#ifdef __x86_64__
extern const JitTarget x64_target;

const JitTarget *jit_host(void)
{
	return &x64_target;
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
