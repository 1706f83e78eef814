/* SPDX-License-Identifier: MIT
 *
 * Libraries of others that few commands need are loaded by those, not with the program: a program that is linked with them pays
 * for their relocations at every start. The functions wanted are a struct of pointers, declared from one list:
 *
 *     #define WANTED(X) X(open_v2) X(close)
 *     #define POINTER(name) __typeof__(sqlite3_##name) *name;
 *     #define NAME(name) "sqlite3_" #name,
 *     typedef struct Sqlite { WANTED(POINTER) } Sqlite;
 *     static const char *const names[] = {WANTED(NAME) NULL};
 *
 * All is in this header, so that an archive that loads nothing has no dlopen in it. Threads: as dlopen.
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <dlfcn.h>
#include <string.h>

#include "base/types.h"

/* Loads the library and writes the addresses of the names (ended by NULL) into `functions`. NULL, or what is wrong. What was
 * loaded stays until the process ends. */
static inline const char *library_load(const char *file, const char *const *names, void *functions)
{
	void *library = dlopen(file, RTLD_LAZY | RTLD_LOCAL);

	if (!library)
		return dlerror();
	for (u32 i = 0; names[i]; i++) {
		void *function = dlsym(library, names[i]);

		if (!function)
			return dlerror();
		memcpy((u8 *)functions + i * sizeof function, &function, sizeof function);
	}
	return NULL;
}

#endif
