/* SPDX-License-Identifier: MIT
 * Instances of the toy machine, for tests of the hypervisor.
 */
#ifndef TESTS_HYPER_TOY_H
#define TESTS_HYPER_TOY_H

#include "toy.h"

#include "hyper/hyper.h"

static inline Image *image_of(Toy *toy, const char *text)
{
	MachineConfig config;
	Image *image;

	toy_open(toy, text);
	config = (MachineConfig){.isa = toy->isa, .random_seed = 42, .size_program = 100};
	assert_int_equal(image_create(&config, toy->machine, &image), STATUS_OK);
	return image;
}

static inline Instance *make(Hyper *hyper, Image *image, const InstanceOptions *options)
{
	Instance *instance = NULL;

	assert_int_equal(instance_create(hyper, image, options, &instance), STATUS_OK);
	return instance;
}

static inline InstanceInfo info_of(Instance *instance)
{
	InstanceInfo info;

	instance_info(instance, &info);
	return info;
}

#endif
