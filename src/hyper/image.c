/* SPDX-License-Identifier: MIT
 *
 * Images: a state, and what it takes to make a machine in it. Where a machine can be parked the state is frozen (machine/park.h), and
 * there are machines that are in it and wait for somebody (pool.c); else it is a snapshot, and every instance has a machine of its own.
 */
#include <stdlib.h>

#include "hyper/hyper_private.h"
#include "machine/files.h"
#include "machine/vcpus.h"

enum { PAGES_BYTES = 1 << 20 }; /* of a machine that has most of its pages from its image */

Image *image_of_config(const MachineConfig *config)
{
	Image *image = calloc(1, sizeof *image);

	if (!image)
		return NULL;
	if (pthread_mutex_init(&image->lock, NULL)) {
		free(image);
		return NULL;
	}
	image->config = *config;
	if (config->folders)
		config->folders->ref(config->folders->ctx);
	image->refs = 1;
	return image;
}

static Status fill(Image *image, Machine *own, const Machine *machine)
{
	Status status = own ? machine_freeze_away(own, &image->base) : machine_freeze(machine, &image->base);
	Buf bytes;

	image->memory_limit = machine_memory_limit(machine);
	image->memory_used = machine_memory_used(machine);
	image->resident_bytes = image->base && machine_base_has_pages(image->base) ? PAGES_BYTES : image->memory_used;
	image->memory_most = machine_memory_most(machine);
	image->files = machine_files(machine);
	image->time = machine_time(machine);
	if (status != STATUS_UNSUPPORTED)
		return status;
	buf_init(&bytes);
	status = machine_snapshot(machine, &bytes);
	if (status) {
		buf_fini(&bytes);
		return status;
	}
	image->bytes = bytes.data;
	image->len = bytes.len;
	return image->config.guest && image->config.guest->setup ? image->config.guest->setup(machine, &image->setup) : STATUS_OK;
}

static Status create(const MachineConfig *config, Machine *own, const Machine *machine, Image **out)
{
	Image *image = image_of_config(config);
	Status status = image ? fill(image, own, machine) : STATUS_NOMEM;

	*out = NULL;
	if (status)
		image_unref(image);
	else
		*out = image;
	return status;
}

Status image_create(const MachineConfig *config, const Machine *machine, Image **out)
{
	return create(config, NULL, machine, out);
}

Status image_create_away(const MachineConfig *config, Machine *machine, Image **out)
{
	return create(config, machine, machine, out);
}

void image_ref(Image *image)
{
	__atomic_add_fetch(&image->refs, 1, __ATOMIC_RELAXED);
}

void image_unref(Image *image)
{
	if (!image || __atomic_sub_fetch(&image->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (image->setup)
		image->config.guest->setup_put(image->setup);
	while (image->pools) {
		Pool *pool = image->pools;

		image->pools = pool->next;
		pool_destroy(pool);
	}
	machine_base_destroy(image->base);
	if (image->config.folders)
		image->config.folders->unref(image->config.folders->ctx);
	pthread_mutex_destroy(&image->lock);
	free(image->bytes);
	free(image);
}

size_t image_bytes(const Image *image)
{
	return image->base ? (size_t)machine_base_bytes(image->base) : image->len;
}

Status image_snapshot(const Image *image, const Delta *delta, Buf *out)
{
	Machine *machine = NULL;
	DiagList diags;
	Status status;

	diag_init(&diags);
	status = machine_create(&image->config, &machine, &diags);
	diag_fini(&diags);
	if (!status)
		status = machine_join(machine, image->base);
	if (!status)
		status = machine_unpack(machine, image->base, delta ? delta->bytes : NULL);
	if (!status)
		status = machine_snapshot(machine, out);
	machine_destroy(machine);
	return status;
}
