/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "isa/isa_frozen.h"

/* What nobody chose has its default in both. */
static bool same_choices(const Isa *isa, const IsaChoice *choices, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		const char *value = isa_option_value(isa, choices[i].option);

		if (!value || strcmp(value, choices[i].choice) != 0)
			return false;
	}
	return true;
}

static void make_real(u64 *words, const u64 *bits, size_t count, uintptr_t base)
{
	for (size_t i = 0; i < count; i++)
		for (u64 left = bits[i]; left; left &= left - 1)
			words[i * 64 + (u32)__builtin_ctzll(left)] += base;
}

Isa *isa_thaw(const void *frozen, const char *name, const char *text, size_t len, const IsaChoice *choices, u32 choice_count)
{
	const IsaFrozenHead *head = frozen;
	const u8 *moving = (const u8 *)(head + 1), *still = moving + head->moving;
	const size_t words = isa_frozen_bits(head->moving);
	const u64 *inside = (const u64 *)(still + head->still), *outside = inside + words;
	Isa *isa = head->moving ? calloc(1, sizeof *isa) : NULL;
	Arena arena;
	u8 *part;

	if (!isa)
		return NULL;
	arena_init(&arena);
	part = arena_room(&arena, head->moving);
	if (part) {
		memcpy(part, moving, head->moving);
		make_real((u64 *)part, inside, words, (uintptr_t)part);
		make_real((u64 *)part, outside, words, (uintptr_t)still);
		memcpy(isa, part, sizeof *isa);
	}
	isa->arena = arena;
	isa->source_name = part ? arena_strdup(&isa->arena, name) : NULL;
	if (isa->source_name && (!text || (isa->text_len == len && !memcmp(isa->text, text, len))) &&
	    same_choices(isa, choices, choice_count))
		return isa;
	isa_destroy(isa);
	return NULL;
}

Isa *isa_thaw_or_load(const void *frozen, const char *name, const char *text, size_t len, const IsaChoice *choices, u32 choice_count,
		      DiagList *diags)
{
	Isa *isa = frozen ? isa_thaw(frozen, name, text, len, choices, choice_count) : NULL;

	return isa ? isa : isa_load(name, text, len, choices, choice_count, diags);
}
