/* SPDX-License-Identifier: MIT
 *
 * The handles of libhusk's hypervisor.
 *
 *     husk_instance --- Instance (options.ctx is the handle; it goes when the Instance does: options.release)
 *          '-- husk_machine: the handle of its machine, usable while `holds` or within its host functions
 */
#ifndef API_API_HYPER_H
#define API_API_HYPER_H

#include "api/api_private.h"
#include "hyper/hyper.h"

struct husk_hyper {
	husk_context *context;  /* a reference */
	Hyper *hyper;           /* owned */
	u32 workers;
	void (*ended)(void *ctx, husk_instance *instance);
	void *ended_ctx;
	husk_store given;       /* a copy, and */
	HyperStore store;       /* what the hypervisor has of it */
};

struct husk_image {
	husk_context *context;  /* a reference, as are these: */
	husk_program *program;
	husk_hosts *hosts;      /* or NULL */
	Image *image;
	MachineConfig config;
	u32 refs;
};

struct husk_instance {
	husk_context *context;  /* a reference */
	Instance *instance;     /* it owns us */
	husk_machine *machine;  /* a reference */
	husk_image *image;      /* a reference, or NULL */
	husk_output output, errors;
	void *output_ctx, *user;
	husk_status (*spawn)(void *ctx, husk_instance *parent, const char *name, husk_spawn *spawn);
	void *spawn_ctx;
	void (*gone)(void *user);
	husk_hyper *hyper;      /* borrowed; it is there as long as anything runs */
	bool has_workers;
	char why[200];          /* guarded by lock: why the last snapshot or restore was refused */
	pthread_mutex_t lock;   /* guards what follows, and machine->machine between host functions */
	u32 holds;
	bool ended;             /* views of its last life are over */
};

/* One that is made of an image, as the hypervisor has prepared it: `before` (or NULL) has its name, parent and realm. */
husk_status api_make_instance(husk_hyper *hyper, husk_image *image, const husk_instance_options *options, const InstanceOptions *before,
			      husk_instance **out);

/* NULL: whoever makes it has not got it yet. */
husk_instance *api_handle(const Instance *instance);

/* ---- store.c ---- */

/* HUSK_INVALID: a function is missing. given NULL: there is none. */
husk_status api_use_store(husk_hyper *hyper, const husk_store *given);

/* ---- spawn.c ---- */

Status api_on_spawn(void *ctx, Instance *parent, const char *name, InstanceOptions *options, Instance **out);

/* Limits of all kinds; NULL: none. */
husk_status api_limits(const husk_limits *given, u64 *limits);
/* As api_enter, but not in host functions, and not for machines of instances. */
husk_status api_enter_alone(husk_machine *machine);

#endif
