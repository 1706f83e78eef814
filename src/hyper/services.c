/* SPDX-License-Identifier: MIT
 *
 * What stands around the machine of an instance: it counts the files that it opens. Called by the thread that runs the instance, or
 * that makes or destroys its machine.
 */
#include "hyper/hyper_private.h"

#include <stdio.h>

void services_refuse(Instance *instance, BudgetKind kind, const Budget *breach)
{
	Buf text;

	buf_init(&text);
	budget_describe(breach, kind, &text);
	pthread_mutex_lock(&instance->hyper->lock);
	snprintf(instance->refused, sizeof instance->refused, "%s", buf_text(&text));
	pthread_mutex_unlock(&instance->hyper->lock);
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

void services_init(Instance *instance)
{
	instance->outside = (MachineOutside){.ctx = instance, .file_opened = file_opened, .file_closed = file_closed};
	mail_init(&instance->outside);
	spawn_init(&instance->outside);
	keep_init(&instance->outside);
}

bool services_attach(Instance *instance, Machine *machine)
{
	u64 files = machine_files(machine);
	const Budget *breach;

	if (!budget_take_all(instance->budget, BUDGET_FILES, files, &breach)) {
		services_refuse(instance, BUDGET_FILES, breach);
		return false;
	}
	instance->files_held += files;
	instance->news = true; /* it may be waiting for what is there */
	machine_set_outside(machine, &instance->outside);
	return true;
}
