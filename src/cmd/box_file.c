/* SPDX-License-Identifier: MIT
 *
 * Reading is yaml.c's; the schema is the tables below.
 */
#include "cmd/box_file.h"

#include <string.h>

#include "cmd/say.h"
#include "cmd/yaml.h"

#ifndef HAVE_LIBCYAML

int box_file_load(const char *path, BoxFile **out)
{
	(void)path;
	*out = NULL;
	return yaml_file_missing();
}

void box_file_free(BoxFile *file)
{
	(void)file;
}

unsigned box_file_right(const char *name)
{
	(void)name;
	return 0;
}

#else

static const cyaml_strval_t accesses[] = {{"r", BOX_READ_ONLY}, {"rw", BOX_READ_WRITE}, {"w", BOX_WRITE_ONLY}};
static const cyaml_strval_t orders[] = {{"own", BOX_ORDER_OWN}, {"little", BOX_ORDER_LITTLE}, {"big", BOX_ORDER_BIG}};
static const cyaml_strval_t kinds[] = {{"public", BOX_PUBLIC}, {"shared", BOX_SHARED}, {"private", BOX_PRIVATE}};
static const cyaml_strval_t rights[] = {
	{"output", BOX_MAY_OUTPUT}, {"input", BOX_MAY_INPUT}, {"random", BOX_MAY_RANDOM},
	{"time", BOX_MAY_TIME},     {"vcpus", BOX_MAY_VCPUS}, {"services", BOX_MAY_SERVICES},
};

enum { NAME_MAX_LEN = 63, TEXT_MAX_LEN = 4096, LIST_MAX = 64 };
#define COUNT(table) (sizeof(table) / sizeof *(table))
#define TEXT_POINTER CYAML_FLAG_POINTER
#define MAYBE CYAML_FLAG_OPTIONAL

static const cyaml_schema_value_t text_value = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, TEXT_MAX_LEN)};
static const cyaml_schema_value_t right_value = {
	CYAML_VALUE_ENUM(CYAML_FLAG_STRICT, int, rights, COUNT(rights))};

static const cyaml_schema_field_t memory_fields[] = {
	CYAML_FIELD_STRING_PTR("name", TEXT_POINTER, BoxFileMemory, name, 1, NAME_MAX_LEN),
	CYAML_FIELD_UINT("bytes", CYAML_FLAG_DEFAULT, BoxFileMemory, bytes),
	CYAML_FIELD_ENUM("kind", MAYBE | CYAML_FLAG_STRICT, BoxFileMemory, kind, kinds, COUNT(kinds)),
	CYAML_FIELD_SEQUENCE("cores", TEXT_POINTER | MAYBE, BoxFileMemory, cores, &text_value, 1, LIST_MAX),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t memory_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, BoxFileMemory, memory_fields)};

static const cyaml_schema_field_t window_fields[] = {
	CYAML_FIELD_STRING_PTR("memory", TEXT_POINTER, BoxFileWindow, memory, 1, NAME_MAX_LEN),
	CYAML_FIELD_STRING_PTR("space", TEXT_POINTER | MAYBE, BoxFileWindow, space, 1, NAME_MAX_LEN),
	CYAML_FIELD_UINT("at", CYAML_FLAG_DEFAULT, BoxFileWindow, at),
	CYAML_FIELD_UINT("cells", CYAML_FLAG_DEFAULT, BoxFileWindow, cells),
	CYAML_FIELD_UINT("offset", MAYBE, BoxFileWindow, offset),
	CYAML_FIELD_ENUM("access", MAYBE | CYAML_FLAG_STRICT, BoxFileWindow, access, accesses, COUNT(accesses)),
	CYAML_FIELD_ENUM("order", MAYBE | CYAML_FLAG_STRICT, BoxFileWindow, order, orders, COUNT(orders)),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t window_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, BoxFileWindow, window_fields)};

static const cyaml_schema_field_t core_fields[] = {
	CYAML_FIELD_STRING_PTR("name", TEXT_POINTER, BoxFileCore, name, 1, NAME_MAX_LEN),
	CYAML_FIELD_STRING_PTR("machine", TEXT_POINTER | MAYBE, BoxFileCore, machine, 1, TEXT_MAX_LEN),
	CYAML_FIELD_SEQUENCE("program", TEXT_POINTER, BoxFileCore, program, &text_value, 1, LIST_MAX),
	CYAML_FIELD_SEQUENCE("set", TEXT_POINTER | MAYBE, BoxFileCore, set, &text_value, 0, LIST_MAX),
	CYAML_FIELD_SEQUENCE("windows", TEXT_POINTER | MAYBE, BoxFileCore, windows, &window_value, 0, LIST_MAX),
	CYAML_FIELD_SEQUENCE("may", TEXT_POINTER | MAYBE, BoxFileCore, may, &right_value, 0, LIST_MAX),
	CYAML_FIELD_UINT("fuel", MAYBE, BoxFileCore, fuel),
	CYAML_FIELD_UINT("limit", MAYBE, BoxFileCore, memory),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t core_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, BoxFileCore, core_fields)};

static const cyaml_schema_field_t box_fields[] = {
	CYAML_FIELD_STRING_PTR("box", TEXT_POINTER, BoxFile, box, 1, NAME_MAX_LEN),
	CYAML_FIELD_UINT("quantum", MAYBE, BoxFile, quantum),
	CYAML_FIELD_SEQUENCE("memories", TEXT_POINTER | MAYBE, BoxFile, memories, &memory_value, 0, LIST_MAX),
	CYAML_FIELD_SEQUENCE("cores", TEXT_POINTER, BoxFile, cores, &core_value, 1, LIST_MAX),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t box_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, BoxFile, box_fields)};

static const cyaml_schema_field_t *const all_fields[] = {box_fields, memory_fields, core_fields, window_fields, NULL};
static const YamlValues all_values[] = {
	{accesses, COUNT(accesses)}, {orders, COUNT(orders)}, {kinds, COUNT(kinds)}, {rights, COUNT(rights)}, {NULL, 0},
};
static const YamlSchema schema = {&box_value, all_fields, all_values, "no machine is described there"};

int box_file_load(const char *path, BoxFile **out)
{
	return yaml_file_load(path, &schema, (void **)out);
}

void box_file_free(BoxFile *file)
{
	yaml_file_free(&schema, file);
}

unsigned box_file_right(const char *name)
{
	for (size_t i = 0; i < COUNT(rights); i++)
		if (strcmp(rights[i].str, name) == 0)
			return (unsigned)rights[i].val;
	return 0;
}

#endif
