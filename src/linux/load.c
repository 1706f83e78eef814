/* SPDX-License-Identifier: MIT
 *
 * From a file that somebody wants to run to the first process.
 */
#include <stdlib.h>
#include <string.h>

#include "linux/elf.h"
#include "linux/mm_private.h"
#include "linux/process.h"
#include "linux/vfs.h"

enum { AT_CWD = -100, MACHINE_AT = 18, EXECUTABLE_MODE = 0755 };

static u16 machine_in(const GuestFile *file)
{
	return (u16)(file->data[MACHINE_AT] | file->data[MACHINE_AT + 1] << 8);
}

int linux_recognize(const GuestFile *file, u16 elf_machine)
{
	/* A program of another machine is none of ours, and linux_refuses says why. */
	if (elf_is(file->data, file->len))
		return file->len < ELF_HEADER || machine_in(file) == elf_machine ? 100 : 0;
	return file->len >= 3 && memcmp(file->data, "#!", 2) == 0 && (file->data[2] == '/' || file->data[2] == ' ') ? 30 : 0;
}

bool linux_refuses(const GuestFile *file, u16 elf_machine, const char *machine_name, Buf *why)
{
	const char *name;

	if (!elf_is(file->data, file->len) || file->len < ELF_HEADER || machine_in(file) == elf_machine)
		return false;
	name = elf_machine_name(machine_in(file));
	buf_str(why, "a program for ");
	if (name)
		buf_str(why, name);
	else
		buf_printf(why, "machine %u (e_machine)", machine_in(file));
	buf_printf(why, ", not for %s", machine_name);
	return true;
}

/* The path at which programs see the file: as configured, or its name in the root. Owned; NULL: no memory. */
static char *path_of(const Kernel *kernel, const GuestFile *file)
{
	const char *name = strrchr(file->name, '/');
	char *result = NULL;
	Buf path;

	if (kernel->program)
		return strdup(kernel->program);
	name = name ? name + 1 : file->name;
	buf_init(&path);
	buf_printf(&path, "/%s", *name ? name : "program");
	if (!path.failed && path.len < PATH_LIMIT)
		result = strdup(buf_text(&path));
	buf_fini(&path);
	return result;
}

/* The file in the root at that path, or the bytes given, put there. */
static i64 open_program(Task *task, const GuestFile *given, const char *path, File **out)
{
	Kernel *kernel = task->kernel;
	Status status;

	if (kernel->program && vfs_open_program(task, AT_CWD, path, 0, out) == 0)
		return 0;
	status = vfs_add_file(kernel, path, given, EXECUTABLE_MODE);
	if (status)
		return status == STATUS_NOMEM ? -ENOMEM : -EINVAL;
	return vfs_open_program(task, AT_CWD, path, 0, out);
}

/* Where it starts, now that all that it will find is there. */
static i64 go_to_directory(Task *task, DiagList *diags)
{
	Process *process = task->process;
	const char *directory = task->kernel->directory;
	FsState *fs;

	if (!directory)
		return 0;
	fs = fs_create(task->kernel, directory);
	if (!fs)
		return -ENOMEM;
	fs_put(process->fs);
	process->fs = fs;
	if (strcmp(directory, "/") != 0 && fs_is_at_root(fs)) {
		diag_report_file(diags, DIAG_ERROR, "--cwd", NULL, "there is no folder %s to start in", directory);
		return -ENOENT;
	}
	return 0;
}

static i64 start(Task *task, const GuestFile *given, const char *path, DiagList *diags)
{
	Kernel *kernel = task->kernel;
	char *alone[] = {(char *)(uintptr_t)path, NULL};
	char **arguments = kernel->arguments && kernel->arguments[0] ? kernel->arguments : alone;
	File *file;
	i64 error = open_program(task, given, path, &file);

	if (error)
		return error;
	error = go_to_directory(task, diags);
	if (!error)
		error = exec_file(task, file, path, arguments, kernel->environment, diags);
	if (!error)
		kernel->given_bias = task->process->mm->program_bias;
	file_put(file);
	return error;
}

Status linux_load(Machine *machine, const GuestFile *files, u32 count, DiagList *diags)
{
	Kernel *kernel = kernel_of(machine);
	u32 errors = diags->errors;
	Status status;
	Task *task;
	char *path;
	i64 error;

	if (!kernel || !kernel->vfs || count != 1) {
		diag_report_file(diags, DIAG_ERROR, count ? files[0].name : "", NULL, count == 1
				 ? "this machine has no kernel" : "one program at a time");
		return STATUS_INVALID;
	}
	status = process_create_init(kernel, &task);
	if (status)
		return status;
	path = path_of(kernel, &files[0]);
	if (!path)
		return STATUS_NOMEM;
	error = start(task, &files[0], path, diags);
	free(path);
	if (error && diags->errors == errors)
		diag_report_file(diags, DIAG_ERROR, files[0].name, NULL, "it can't be executed: %s", strerror((int)-error));
	return error == 0 ? STATUS_OK : error == -ENOMEM ? STATUS_NOMEM : STATUS_FORMAT;
}

Status linux_read_names(const Machine *machine, const GuestFile *file, const GuestNames *names)
{
	const Kernel *kernel = kernel_of(machine);
	const Process *first = kernel ? kernel->processes : NULL;

	while (first && first->pid != 1)
		first = first->next;
	if (file->rest && !file->rest->all(file->rest->ctx))
		return STATUS_IO;
	return elf_symbols(file->data, file->len, first && first->mm ? first->mm->program_bias : kernel ? kernel->given_bias : 0,
			   machine_paged_space(machine), names);
}
