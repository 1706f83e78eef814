/* SPDX-License-Identifier: MIT
 *
 * Errors as values. A function that can fail returns Status (0 = fine, negative = which way it failed, see
 * status.def); the words for the user travel beside it, in a DiagList or a Buf.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

typedef enum StatusIndex {
	STATUS_INDEX_OK_,
#define X(name, text) STATUS_INDEX_##name##_,
#include "base/status.def"
#undef X
} StatusIndex;

typedef enum Status {
	STATUS_OK = 0,
#define X(name, text) STATUS_##name = -STATUS_INDEX_##name##_,
#include "base/status.def"
#undef X
} Status;

const char *status_text(Status status);

#endif
