/* SPDX-License-Identifier: MIT */
#include "base/status.h"

const char *status_text(Status status)
{
	switch (status) {
	case STATUS_OK: return "fine";
#define X(name, text) case STATUS_##name: return text;
#include "base/status.def"
#undef X
	}
	return "unknown error";
}
