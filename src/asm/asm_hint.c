/* SPDX-License-Identifier: MIT
 *
 * "Did you mean": the known name nearest to a mistyped one, by edits (insert, drop, change, swap two neighbours).
 * Names of the same length win ties, as typing errors mostly keep it. Only used for messages that will be shown.
 */
#include "asm/asm_internal.h"

#include <string.h>

enum { LONGEST = 32 };

static u8 min3(u8 a, u8 b, u8 c)
{
	u8 m = a < b ? a : b;

	return m < c ? m : c;
}

static unsigned distance(const char *a, size_t alen, const char *b, size_t blen)
{
	u8 rows[3][LONGEST + 1];
	u8 *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	for (size_t j = 0; j <= blen; j++)
		above[j] = (u8)j;
	for (size_t i = 1; i <= alen; i++) {
		row[0] = (u8)i;
		for (size_t j = 1; j <= blen; j++) {
			char x = ascii_lower(a[i - 1]), y = ascii_lower(b[j - 1]);

			row[j] = min3((u8)(above[j] + 1), (u8)(row[j - 1] + 1), (u8)(above[j - 1] + (x != y)));
			if (i > 1 && j > 1 && x == ascii_lower(b[j - 2]) && y == ascii_lower(a[i - 2]) &&
			    before[j - 2] + 1 < row[j])
				row[j] = (u8)(before[j - 2] + 1);
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[blen];
}

typedef struct Nearest {
	const char *text, *name;
	size_t len;
	unsigned best;
	bool same_length;
} Nearest;

static void consider(Nearest *n, const char *name)
{
	size_t len = strlen(name);
	unsigned d;

	if (len > LONGEST || len + 2 < n->len || len > n->len + 2)
		return;
	d = distance(n->text, n->len, name, len);
	if (len == n->len && !memcmp(name, n->text, len))
		return; /* that it is not */
	if (d < n->best || (n->name && d == n->best && len == n->len && !n->same_length)) {
		n->best = d;
		n->name = name;
		n->same_length = len == n->len;
	}
}

static bool is_excluded(const Assembler *as, const char *name)
{
	for (u32 i = 0; i < as->dialect->exclude_count; i++)
		if (asm_same(as, name, strlen(name), as->dialect->excludes[i]))
			return true;
	return false;
}

const char *asm_nearest(Assembler *as, unsigned names, const char *text, size_t len, unsigned most)
{
	Nearest n = {.text = text, .len = len, .best = most + 1};

	if (len < 2 || len > LONGEST || as->diags->count >= DIAG_MAX)
		return NULL;
	for (u32 i = 0; names & NAMES_MNEMONIC && i < as->isa->form_count; i++)
		if (!as->isa->forms[i].shadowed && !is_excluded(as, as->isa->forms[i].mnemonic))
			consider(&n, as->isa->forms[i].mnemonic);
	for (u32 i = 0; names & NAMES_MNEMONIC && i < as->isa->pseudo_count; i++)
		consider(&n, as->isa->pseudos[i].mnemonic);
	for (u32 i = 0; names & NAMES_DIRECTIVE && i < as->dialect->directive_count; i++)
		consider(&n, as->dialect->directives[i].name);
	for (u32 i = 0; names & NAMES_SYMBOL && i < as->symbol_count; i++)
		consider(&n, as->symbols[i].name);
	for (u32 i = 0; names & NAMES_REGISTER && i < as->registers.cap; i++)
		if (as->registers.entries[i].key)
			consider(&n, as->registers.entries[i].key);
	return n.name;
}

const char *asm_suggest(Assembler *as, unsigned names, const char *text, size_t len)
{
	const char *name = asm_nearest(as, names, text, len, len <= 3 ? 1 : 2);

	return name ? arena_printf(&as->scratch, "did you mean '%s'?", name) : NULL;
}
