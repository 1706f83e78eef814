/* SPDX-License-Identifier: MIT
 *
 * What stands around the machine of an instance: it counts the files that it opens and the bytes that go to folders of the host.
 * Called by the thread that runs the instance, or that makes or destroys its machine.
 */
#include "hyper/hyper_private.h"

#include <stdlib.h>
#include <string.h>

void services_refuse_by(Instance *instance, const char *limit)
{
	char *before, *now = strdup(limit);

	pthread_mutex_lock(&instance->hyper->lock);
	before = instance->refused;
	instance->refused = now;
	pthread_mutex_unlock(&instance->hyper->lock);
	free(before);
}

void services_refuse(Instance *instance, BudgetKind kind, const Budget *breach)
{
	Buf text;

	buf_init(&text);
	budget_describe(breach, kind, &text);
	services_refuse_by(instance, buf_text(&text));
	buf_fini(&text);
}

static bool file_opened(void *ctx)
{
	Instance *instance = ctx;
	const Budget *breach;

	if (!budget_take_all(instance->budget, BUDGET_FILES, 1, &breach)) {
		services_refuse(instance, BUDGET_FILES, breach);
		return false;
	}
	instance->files_held++;
	return true;
}

static void file_closed(void *ctx)
{
	Instance *instance = ctx;

	instance->files_held--;
	budget_give(instance->budget, BUDGET_FILES, 1);
}

static u64 disk_take(void *ctx, u64 must, u64 may)
{
	Instance *instance = ctx;
	const Budget *breach;

	if (!budget_take_all(instance->budget, BUDGET_DISK, must, &breach)) {
		services_refuse(instance, BUDGET_DISK, breach);
		return 0;
	}
	return must + (may ? budget_take(instance->budget, BUDGET_DISK, may, NULL) : 0);
}

static void disk_give(void *ctx, u64 bytes)
{
	Instance *instance = ctx;

	budget_give(instance->budget, BUDGET_DISK, bytes);
}

MachineDisk services_disk(Instance *instance)
{
	return (MachineDisk){.ctx = instance, .take = disk_take, .give = disk_give};
}

MachineOutside services_of(Instance *instance)
{
	MachineOutside outside = {.ctx = instance, .file_opened = file_opened, .file_closed = file_closed};

	mail_init(&outside);
	spawn_init(&outside);
	keep_init(&outside);
	return outside;
}

bool services_attach(Instance *instance, Machine *machine)
{
	u64 files = machine_files(machine);
	MachineOutside outside = services_of(instance);
	MachineDisk disk = services_disk(instance);
	const Budget *breach;

	if (!budget_take_all(instance->budget, BUDGET_FILES, files, &breach)) {
		services_refuse(instance, BUDGET_FILES, breach);
		return false;
	}
	instance->files_held += files;
	instance->news = true; /* it may be waiting for what is there */
	machine_set_outside(machine, &outside);
	machine_set_disk(machine, &disk);
	return true;
}
