/* SPDX-License-Identifier: MIT
 *
 * Words for a snapshot that is a good one, but not of this machine: what it is of, and what this machine is.
 */
#include "machine/machine_private.h"

#include <stdio.h>
#include <string.h>

void machine_show_choices(const Isa *isa, Buf *out)
{
	for (u32 i = 0; i < isa->option_count; i++)
		buf_printf(out, "%s%s=%s", i ? " " : "", isa->options[i].name, isa->options[i].choices[isa->options[i].chosen]);
}

/* The first word of each that is not in the other: of "profile=v3 order=big", "profile=tiny order=big" it is profile. */
static void differing_choice(const char *theirs, const char *ours, int *their_len, const char **their_word, int *our_len,
			     const char **our_word)
{
	for (;;) {
		*their_word = theirs;
		*our_word = ours;
		*their_len = (int)strcspn(theirs, " ");
		*our_len = (int)strcspn(ours, " ");
		if (*their_len != *our_len || memcmp(theirs, ours, (size_t)*their_len) != 0 || !theirs[*their_len] || !ours[*our_len])
			return;
		theirs += *their_len + 1;
		ours += *our_len + 1;
	}
}

void machine_explain_mismatch(Machine *machine, const u8 *bytes, size_t len)
{
	const Isa *isa = machine->isa;
	const char *guest = machine->guest ? machine->guest->name : "", *their_word, *our_word;
	int their_len, our_len;
	SnapshotHead head;
	Buf choices;
	Status status = machine_snapshot_head(bytes, len, &head);

	if (status == STATUS_MISMATCH)
		snprintf(machine->why, sizeof(machine->why), "the snapshot is of version %u, and here it is version %u", head.version,
			 MACHINE_SNAPSHOT_VERSION);
	if (status)
		return;
	buf_init(&choices);
	machine_show_choices(isa, &choices);
	if (strcmp(head.isa, isa->name) != 0)
		snprintf(machine->why, sizeof(machine->why), "the snapshot is of %s, and this machine is %s", head.isa, isa->name);
	else if (strcmp(head.guest, guest) != 0)
		snprintf(machine->why, sizeof(machine->why), "the snapshot is of %s with %s, and this machine is with %s", isa->name,
			 *head.guest ? head.guest : "nothing built in", *guest ? guest : "nothing built in");
	else if (strcmp(head.choices, buf_text(&choices)) != 0) {
		differing_choice(head.choices, buf_text(&choices), &their_len, &their_word, &our_len, &our_word);
		snprintf(machine->why, sizeof(machine->why), "the snapshot is of %s with %.*s, and this machine is with %.*s", isa->name,
			 their_len, their_word, our_len, our_word);
	} else if (head.isa_hash != isa->hash)
		snprintf(machine->why, sizeof(machine->why),
			 "the snapshot is of %s %016llx, and this machine is of another description with that name, %016llx", isa->name,
			 (unsigned long long)head.isa_hash, (unsigned long long)isa->hash);
	else
		snprintf(machine->why, sizeof(machine->why), "the snapshot is of %s with a memory of another size than here", isa->name);
	buf_fini(&choices);
}
