/* SPDX-License-Identifier: MIT
 * A hypervisor through libhusk, and instances of the postal machine in it.
 */
#ifndef UNIT_API_WORLD_H
#define UNIT_API_WORLD_H

#include "unit/api.h"
#include "unit/postal.h"

#define IS(call, status) assert_int_equal(call, status)
#define NO(call) assert_int_equal(call, HUSK_INVALID)

/* Ends with the first byte of a letter. */
static const char waiting[] = "GET R1, letter\nLD R0, letter\nSTOP R0\nletter: .SPACE 4\n";
static const uint64_t second = 1000000000;
enum { ALL = HUSK_OUTPUT | HUSK_INPUT | HUSK_RANDOM | HUSK_TIME | HUSK_VCPUS | HUSK_SERVICES | HUSK_MAILBOX | HUSK_SPAWN | HUSK_KV };

typedef struct World {
	husk_context *context;
	husk_hyper *hyper;
} World;

static inline void open_world(World *world, uint32_t workers, const husk_store *store)
{
	husk_hyper_options options;

	HUSK_INIT(options);
	options.workers = workers;
	options.store = store;
	IS(husk_context_create(NULL, &world->context), HUSK_OK);
	IS(husk_hyper_create(world->context, &options, &world->hyper), HUSK_OK);
}

static inline void close_world(World *world)
{
	husk_hyper_destroy(world->hyper);
	husk_context_unref(world->context);
}

static inline husk_image *image_of(World *world, const char *text)
{
	husk_machine *machine = api_make(world->context, "postal.isa", mail_isa, text, NULL);
	husk_image *image;

	IS(husk_image_create(machine, &image), HUSK_OK);
	assert_true(husk_image_bytes(image) > 0);
	husk_machine_destroy(machine);
	return image;
}

static inline husk_instance_options with_rights(const char *name)
{
	husk_instance_options options;

	HUSK_INIT(options);
	options.name = name;
	options.has_rights = 1;
	options.rights = ALL;
	return options;
}

/* One of this program, which is let go. */
static inline husk_instance *make(World *world, const char *text, const husk_instance_options *options)
{
	husk_image *image = image_of(world, text);
	husk_instance *instance;

	IS(husk_instance_create(world->hyper, image, options, &instance), HUSK_OK);
	husk_image_unref(image);
	return instance;
}

static inline husk_instance_info info_of(husk_instance *instance)
{
	husk_instance_info info;

	HUSK_INIT(info);
	IS(husk_instance_get_info(instance, &info), HUSK_OK);
	return info;
}

#endif
