/* SPDX-License-Identifier: MIT
 *
 * Things of an Isa by name.
 */
#include <string.h>

#include "isa/isa.h"

static bool same(const char *name, const char *text, size_t len, bool fold)
{
	size_t n = strlen(name);

	return fold ? ascii_equal_fold(name, n, text, len) : n == len && !memcmp(name, text, len);
}

u16 isa_find_space(const Isa *isa, const char *name, size_t len)
{
	for (u32 i = 0; i < isa->space_count; i++)
		if (same(isa->spaces[i].name, name, len, false))
			return (u16)i;
	return ISA_NONE;
}

u16 isa_find_dialect(const Isa *isa, const char *name)
{
	for (u32 i = 0; i < isa->dialect_count; i++)
		if (same(isa->dialects[i].name, name, strlen(name), true))
			return (u16)i;
	return ISA_NONE;
}

const char *isa_option_value(const Isa *isa, const char *option)
{
	for (u32 i = 0; i < isa->option_count; i++)
		if (!strcmp(isa->options[i].name, option))
			return isa->options[i].choices[isa->options[i].chosen];
	return NULL;
}

bool isa_find_register(const Isa *isa, const char *name, size_t len, bool fold, u32 *slot, u8 *width)
{
	for (u32 r = 0; r < isa->reg_count; r++) {
		const IsaReg *reg = &isa->regs[r];

		for (u32 i = 0; i < reg->count; i++)
			if (same(reg->names[i], name, len, fold) ||
			    (reg->alt_names && reg->alt_names[i] && same(reg->alt_names[i], name, len, fold))) {
				*slot = reg->slot + i;
				*width = reg->width;
				return true;
			}
	}
	return false;
}

const IsaReg *isa_slot_register(const Isa *isa, u32 slot)
{
	for (u32 r = 0; r < isa->reg_count; r++)
		if (slot >= isa->regs[r].slot && slot - isa->regs[r].slot < isa->regs[r].count)
			return &isa->regs[r];
	return NULL;
}

const char *isa_slot_name(const Isa *isa, u32 slot)
{
	const IsaReg *reg = isa_slot_register(isa, slot);

	return reg ? reg->names[slot - reg->slot] : "?";
}

const char *isa_reason(const Isa *isa, bool raise, u64 number)
{
	for (u32 i = 0; i < isa->reason_count; i++)
		if (isa->reasons[i].raise == raise && isa->reasons[i].number == number)
			return isa->reasons[i].text;
	return NULL;
}

const char *isa_slot_name_ctx(const void *isa, unsigned slot)
{
	return isa_slot_name(isa, slot);
}

u16 isa_find_view(const Isa *isa, const char *name, size_t len, bool fold)
{
	for (u32 i = 0; i < isa->view_count; i++)
		if (same(isa->views[i].name, name, len, fold))
			return (u16)i;
	return ISA_NONE;
}
