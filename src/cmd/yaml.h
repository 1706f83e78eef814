/* SPDX-License-Identifier: MIT
 *
 * Descriptions in YAML (husk box, husk up), held against a schema. Everything that is not in the schema is an error, with its
 * place, and the word that was perhaps meant.
 */
#ifndef CMD_YAML_H
#define CMD_YAML_H

#include "base/types.h"

/* Says that this husk can't; gives the exit code. */
int yaml_file_missing(void);

#ifdef HAVE_LIBCYAML
#include <cyaml/cyaml.h>

typedef struct YamlValues {
	const cyaml_strval_t *words;
	size_t count;
} YamlValues;

typedef struct YamlSchema {
	const cyaml_schema_value_t *value;
	const cyaml_schema_field_t *const *fields; /* of all mappings in it, for hints; ended by NULL */
	const YamlValues *values;                  /* likewise, of enumerations; ended by {NULL} */
	const char *empty;                         /* what an empty file lacks: "no machine is described there" */
} YamlSchema;

/* 0 or an exit code; complains itself. */
int yaml_file_load(const char *path, const YamlSchema *schema, void **out);
void yaml_file_free(const YamlSchema *schema, void *data);
#endif

#endif
