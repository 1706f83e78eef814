/* SPDX-License-Identifier: MIT
 *
 * "Did you mean" for names of a program: which names there are to choose from. Only used for messages that will be
 * shown.
 */
#include "asm/asm_internal.h"

#include <string.h>

#include "base/nearest.h"

static bool is_excluded(const Assembler *as, const char *name)
{
	for (u32 i = 0; i < as->dialect->exclude_count; i++)
		if (asm_same(as, name, strlen(name), as->dialect->excludes[i]))
			return true;
	return false;
}

const char *asm_nearest(Assembler *as, unsigned names, const char *text, size_t len, unsigned most)
{
	Nearest n = nearest_to(text, len);

	if (as->diags->count >= DIAG_MAX)
		return NULL;
	if (n.best > most + 1)
		n.best = most + 1;
	for (u32 i = 0; names & NAMES_MNEMONIC && i < as->isa->form_count; i++)
		if (!as->isa->forms[i].shadowed && !is_excluded(as, as->isa->forms[i].mnemonic))
			nearest_consider(&n, as->isa->forms[i].mnemonic);
	for (u32 i = 0; names & NAMES_MNEMONIC && i < as->isa->pseudo_count; i++)
		nearest_consider(&n, as->isa->pseudos[i].mnemonic);
	for (u32 i = 0; names & NAMES_DIRECTIVE && i < as->dialect->directive_count; i++)
		nearest_consider(&n, as->dialect->directives[i].name);
	for (u32 i = 0; names & NAMES_SYMBOL && i < as->symbol_count; i++)
		nearest_consider(&n, as->symbols[i].name);
	for (u32 i = 0; names & NAMES_REGISTER && i < as->registers.cap; i++)
		if (as->registers.entries[i].key)
			nearest_consider(&n, as->registers.entries[i].key);
	return n.name;
}

const char *asm_suggest(Assembler *as, unsigned names, const char *text, size_t len)
{
	const char *name = asm_nearest(as, names, text, len, len <= 3 ? 1 : 2);

	return name ? arena_printf(&as->scratch, "did you mean '%s'?", name) : NULL;
}
