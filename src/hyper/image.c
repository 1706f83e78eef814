/* SPDX-License-Identifier: MIT
 *
 * Images: the state of a machine as bytes, and what it takes to make another one like it.
 */
#include <stdlib.h>

#include "hyper/hyper_private.h"

Status image_create(const MachineConfig *config, const Machine *machine, Image **out)
{
	Image *image = calloc(1, sizeof *image);
	Status status;
	Buf bytes;

	*out = NULL;
	if (!image)
		return STATUS_NOMEM;
	buf_init(&bytes);
	status = machine_snapshot(machine, &bytes);
	if (status) {
		buf_fini(&bytes);
		free(image);
		return status;
	}
	*image = (Image){.config = *config, .bytes = bytes.data, .len = bytes.len, .refs = 1};
	status = config->guest && config->guest->setup ? config->guest->setup(machine, &image->setup) : STATUS_OK;
	if (status)
		image_unref(image);
	else
		*out = image;
	return status;
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
	free(image->bytes);
	free(image);
}

size_t image_bytes(const Image *image)
{
	return image->len;
}
