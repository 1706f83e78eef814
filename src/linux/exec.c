/* SPDX-License-Identifier: MIT
 *
 * execve: a new program in an old process.
 *
 *     1. the texts of arguments and environment, counted against their limits
 *     2. scripts: #! puts an interpreter in front, at most EXEC_SCRIPTS times
 *     3. the ELF file and its interpreter, read and checked
 *     4. a new Mm: segments, heap, vDSO, stack
 *     5. no return: the other threads end, the old memory goes, registers are those of the start
 *
 * All that can fail is done before 5, so a program that cannot be executed costs its caller nothing but an errno.
 */
#include <stdlib.h>
#include <string.h>

#include "linux/exec_private.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/syscalls.h"
#include "linux/vfs.h"

enum { AT_CWD = -100, SCRIPT_LINE = 256 };

typedef struct Exec {
	Task *task;
	File *file;              /* what is executed; a reference */
	const char *path;        /* of AT_EXECFN */
	Texts arguments, environment;
	ElfProgram *program, *interpreter; /* owned; interpreter: NULL when there is none */
	File *interpreter_file;  /* a reference, or NULL */
	DiagList *diags;
	Mm *mm;                  /* a reference until it is the process's */
	u64 entry, sp;
	Buf auxv;
} Exec;

static void complain(const Exec *exec, const char *hint, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void complain(const Exec *exec, const char *hint, const char *format, ...)
{
	va_list args;
	Buf text;

	if (!exec->diags)
		return;
	buf_init(&text);
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	diag_report_file(exec->diags, DIAG_ERROR, exec->path, hint, "%s", buf_text(&text));
	buf_fini(&text);
}

/* ---- Texts ---- */

static i64 add_text(Texts *texts, const char *text, size_t len)
{
	if (len >= EXEC_TEXT_LIMIT || texts->bytes.len + len > EXEC_TEXTS_LIMIT)
		return -E2BIG;
	buf_add(&texts->bytes, text, len);
	buf_byte(&texts->bytes, 0);
	texts->count++;
	return texts->bytes.failed ? -ENOMEM : 0;
}

static i64 add_texts(Texts *texts, char *const *list)
{
	i64 error = 0;

	for (; list && *list && !error; list++)
		error = add_text(texts, *list, strlen(*list));
	return error;
}

/* The first argument is taken away and these take its place. */
static i64 replace_first(Texts *texts, const char *const *with, u32 count)
{
	Texts changed = {0};
	size_t first = texts->count ? strlen((const char *)texts->bytes.data) + 1 : 0;
	i64 error = 0;

	for (u32 i = 0; i < count && !error; i++)
		error = add_text(&changed, with[i], strlen(with[i]));
	if (texts->bytes.len > first)
		buf_add(&changed.bytes, texts->bytes.data + first, texts->bytes.len - first);
	changed.count += texts->count ? texts->count - 1 : 0;
	if (!error && changed.bytes.failed)
		error = -ENOMEM;
	buf_fini(&texts->bytes);
	*texts = changed;
	return error;
}

static i64 check_texts(const Exec *exec)
{
	u64 stack = exec->task->process->limits[LIMIT_STACK][0] / 4, most = stack;
	u64 used = exec->arguments.bytes.len + exec->environment.bytes.len +
		   8 * ((u64)exec->arguments.count + exec->environment.count);

	if (most > EXEC_TEXTS_LIMIT)
		most = EXEC_TEXTS_LIMIT;
	if (most < EXEC_TEXTS_LEAST)
		most = EXEC_TEXTS_LEAST;
	if (used <= most)
		return 0;
	complain(exec, NULL, "arguments and environment have %llu bytes, more than %llu", (unsigned long long)used,
		 (unsigned long long)most);
	return -E2BIG;
}

/* ---- Files ---- */

static i64 read_file(void *ctx, void *to, u64 len, u64 offset)
{
	File *file = ctx;
	u64 done = 0;

	if (!file->ops->read || !file->ops->seek)
		return -EACCES;
	if (offset > INT64_MAX - len)
		return 0;
	while (done < len) {
		i64 got = file->ops->read(file, task_current(file->kernel), (u8 *)to + done, len - done, &offset);

		if (got < 0)
			return got == -EISDIR ? -EACCES : got;
		if (got == 0)
			break;
		done += (u64)got;
	}
	return (i64)done;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* `line` begins behind "#!". Its first word is the interpreter; the rest, if there is one, one argument. */
static i64 split_script(char *line, char **interpreter, char **argument)
{
	char *end = strchr(line, '\n');
	bool whole = end;

	if (!end)
		end = line + strlen(line);
	while (end > line && is_blank(end[-1]))
		end--;
	*end = 0;
	while (is_blank(*line))
		line++;
	*interpreter = line;
	while (*line && !is_blank(*line))
		line++;
	/* A path that is cut off by the end of what was read would be another one. */
	if (*interpreter == line || (!*line && !whole && strlen(*interpreter) >= SCRIPT_LINE - 3))
		return -ENOEXEC;
	if (*line)
		*line++ = 0;
	while (is_blank(*line))
		line++;
	*argument = line;
	return 0;
}

/* While the file is a script: its interpreter is what is executed. */
static i64 follow_scripts(Exec *exec)
{
	char line[SCRIPT_LINE + 1], script[PATH_LIMIT];

	if (strlen(exec->path) >= sizeof script)
		return -ENAMETOOLONG;
	strcpy(script, exec->path);
	for (int depth = 0;; depth++) {
		char *interpreter, *argument;
		const char *with[3];
		File *file;
		i64 got = read_file(exec->file, line, SCRIPT_LINE, 0), error;
		u32 count = 0;

		if (got < 0)
			return got;
		line[got] = 0;
		if (got < 2 || line[0] != '#' || line[1] != '!')
			return 0;
		if (depth == EXEC_SCRIPTS)
			return -ELOOP;
		error = split_script(line + 2, &interpreter, &argument);
		if (error)
			return error;
		with[count++] = interpreter;
		if (*argument)
			with[count++] = argument;
		with[count++] = script;
		error = replace_first(&exec->arguments, with, count);
		if (!error)
			error = vfs_open_program(exec->task, AT_CWD, interpreter, 0, &file);
		if (error) {
			complain(exec, NULL, "its interpreter %s can't be executed: %s", interpreter, strerror((int)-error));
			return error;
		}
		file_put(exec->file);
		exec->file = file;
		strcpy(script, interpreter);
	}
}

static i64 read_program(const Exec *exec, File *file, const char *name, ElfProgram *out)
{
	const LinuxAbi *abi = exec->task->kernel->abi;
	FileStat info = {0};
	ElfSource source = {.name = name, .ctx = file, .read = read_file};
	ElfWanted wanted = {.machine = abi->elf_machine, .machine_name = abi->machine_name,
			    .flags_refused = abi->elf_flags_refused, .lowest = MM_LOWEST,
			    .limit = page_down(machine_address_limit(exec->task->kernel->machine))};

	if (!file->ops->stat || file->ops->stat(file, &info))
		return -EACCES;
	source.size = info.size;
	return elf_read(&source, &wanted, out, exec->diags);
}

static i64 read_programs(Exec *exec)
{
	const char *name;
	i64 error;

	exec->program = malloc(sizeof *exec->program);
	if (!exec->program)
		return -ENOMEM;
	error = read_program(exec, exec->file, exec->path, exec->program);
	name = exec->program->interpreter;
	if (error || !name[0])
		return error;
	error = vfs_open_program(exec->task, AT_CWD, name, 0, &exec->interpreter_file);
	if (error) {
		complain(exec, "name a folder that has it: -L FOLDER (a tree of the program's system)",
			 "it needs the loader %s: %s", name, strerror((int)-error));
		return error;
	}
	exec->interpreter = malloc(sizeof *exec->interpreter);
	if (!exec->interpreter)
		return -ENOMEM;
	error = read_program(exec, exec->interpreter_file, name, exec->interpreter);
	return error == -ENOEXEC ? -ELIBBAD : error;
}

/* ---- Memory ---- */

/* Zeroes from `start` to the end of its page, whatever its rights. */
static i64 clear_rest(Mm *mm, u64 start)
{
	if (start % PAGE == 0)
		return 0;
	if (mm_make_present(mm, start, 0) != TOUCH_OK)
		return -ENOMEM;
	memset(machine_page_bytes(mm->kernel->machine, mm->aspace, page_down(start)) + start % PAGE, 0, PAGE - start % PAGE);
	return 0;
}

static i64 map_segment(Mm *mm, File *file, const ElfSegment *segment, u64 bias)
{
	u64 start = segment->address + bias, low = page_down(start), file_end = page_up(start + segment->file);
	u64 end = page_up(start + segment->memory);
	u32 prot = (segment->flags & ELF_READ ? LINUX_PROT_READ : 0) | (segment->flags & ELF_WRITE ? LINUX_PROT_WRITE : 0) |
		   (segment->flags & ELF_EXECUTE ? LINUX_PROT_EXEC : 0);
	i64 got = 0;

	if (segment->file) {
		got = mm_map(mm, low, file_end - low, prot, LINUX_MAP_PRIVATE | LINUX_MAP_FIXED, file,
			     page_down(segment->offset));
		if (got >= 0 && segment->memory > segment->file)
			got = clear_rest(mm, start + segment->file);
	} else {
		file_end = low;
	}
	if (got >= 0 && end > file_end)
		got = mm_map(mm, file_end, end - file_end, prot,
			     LINUX_MAP_PRIVATE | LINUX_MAP_FIXED | LINUX_MAP_ANONYMOUS, NULL, 0);
	return got < 0 ? got : 0;
}

static i64 map_program(Mm *mm, File *file, const ElfProgram *program, u64 bias)
{
	i64 error = 0;

	for (u32 i = 0; i < program->segment_count && !error; i++)
		error = map_segment(mm, file, &program->segments[i], bias);
	return error;
}

static i64 place_interpreter(Mm *mm, const ElfProgram *interpreter, u64 *bias)
{
	u64 start, extra = interpreter->align - PAGE;
	i64 error;

	*bias = 0;
	if (interpreter->type == ELF_EXECUTABLE)
		return 0;
	error = mm_place(mm, 0, interpreter->high - interpreter->low + extra, &start);
	start = (start + extra) & ~(interpreter->align - 1);
	*bias = start - interpreter->low;
	return error;
}

/* Without randomness, as Linux does it then: two thirds up, which is far from everything else. */
static i64 place_program(const Mm *mm, const ElfProgram *program, u64 *bias)
{
	u64 start = (mm->limit / 3 * 2) & ~(program->align - 1);

	*bias = 0;
	if (program->type == ELF_EXECUTABLE)
		return 0;
	if (!mm_range_ok(mm, start, program->high - program->low))
		return -ENOMEM;
	*bias = start - (program->low & ~(program->align - 1));
	return 0;
}

static void place_maps(Mm *mm)
{
	const u64 least = 128u << 20;
	u64 gap = mm_process_limit(mm, LIMIT_STACK), most = mm->limit / 6 * 5;

	gap = gap > most ? most : gap + AREA_GUARD;
	if (gap < least && least < mm->limit / 2)
		gap = least;
	mm->map_top = page_down(mm->limit - gap);
}

/* Of a process that has not begun there is nothing to keep: its memory is taken as it is, empty. */
static bool has_nothing(const Mm *mm)
{
	return mm->refs == 1 && !mm->areas.count && !machine_aspace_present(mm->kernel->machine, mm->aspace);
}

static i64 build_memory(Exec *exec)
{
	StackPlan plan = {.arguments = &exec->arguments, .environment = &exec->environment, .path = exec->path,
			  .program = exec->program};
	u64 interpreter_bias;
	Mm *mm;
	i64 error;

	mm = exec->task->process->mm;
	mm = exec->mm = has_nothing(mm) ? mm_get(mm) : mm_create(exec->task->kernel);
	if (!mm)
		return -ENOMEM;
	place_maps(mm);
	error = place_program(mm, exec->program, &plan.bias);
	if (!error)
		error = map_program(mm, exec->file, exec->program, plan.bias);
	if (error)
		return error;
	mm->program_bias = plan.bias;
	mm->brk_start = mm->brk = exec->program->high + plan.bias;
	exec->entry = exec->program->entry + plan.bias;
	if (exec->interpreter) {
		error = place_interpreter(mm, exec->interpreter, &interpreter_bias);
		if (!error)
			error = map_program(mm, exec->interpreter_file, exec->interpreter, interpreter_bias);
		if (error)
			return error;
		plan.interpreter = exec->interpreter->low + interpreter_bias;
		exec->entry = exec->interpreter->entry + interpreter_bias;
	}
	error = exec_make_vdso(mm);
	if (!error)
		error = exec_make_stack(exec->task, mm, &plan, &exec->sp, &exec->auxv);
	/* It will be the first to be touched; debuggers show it before. */
	if (!error)
		mm_make_present(mm, exec->entry, ATTR_EXEC);
	return error;
}

/* ---- No return ---- */

static void set_name(Task *task, const char *path)
{
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	memset(task->name, 0, sizeof task->name);
	memcpy(task->name, name, strnlen(name, sizeof task->name - 1));
}

/* What /proc shows of arguments and environment: every process has a copy, which no limit counts. */
enum { SHOWN_BYTES = 64 * 1024 };

static void take_over(Buf *old, Buf *new)
{
	buf_clear(old);
	buf_add(old, new->data, new->len < SHOWN_BYTES ? new->len : SHOWN_BYTES);
	buf_fini(new);
	buf_init(new);
}

static void enter(Exec *exec, char *program)
{
	Task *task = exec->task;
	Process *process = task->process;
	Machine *machine = task->kernel->machine;
	const LinuxAbi *abi = task->kernel->abi;
	Mm *old = process->mm;

	process_end_others(task);
	process->mm = exec->mm;
	machine_vcpu_set_aspace(machine, task->vcpu, mm_aspace(exec->mm));
	exec->mm = NULL;
	mm_put(old);
	fds_close_on_exec(task);
	process_did_exec(task);
	task->clear_tid = 0;
	task->robust_list = 0;
	free(process->program);
	process->program = program;
	take_over(&process->arguments, &exec->arguments.bytes);
	take_over(&process->environment, &exec->environment.bytes);
	take_over(&process->auxv, &exec->auxv);
	set_name(task, exec->path);
	abi->reset(machine);
	machine_set_slot(machine, abi->registers.sp, exec->sp);
	machine_set_slot(machine, abi->registers.pc, exec->entry);
}

/* The path of the file that is executed, for /proc/self/exe. NULL: no memory. */
static char *program_path(const Exec *exec)
{
	char *result;
	Buf path;

	buf_init(&path);
	if (!vfs_path(exec->file, &path)) {
		buf_clear(&path);
		buf_str(&path, exec->path);
	}
	result = path.failed ? NULL : strdup(buf_text(&path));
	buf_fini(&path);
	return result;
}

static i64 execute(Exec *exec)
{
	char *program;
	i64 error;

	/* A program without arguments gets an empty one, as Linux has it since programs were found that trusted in it. */
	error = exec->arguments.count ? 0 : add_text(&exec->arguments, "", 0);
	if (!error)
		error = follow_scripts(exec);
	if (!error)
		error = check_texts(exec);
	if (!error)
		error = read_programs(exec);
	if (!error) {
		error = build_memory(exec);
		if (error)
			complain(exec, error == -ENOMEM ? "a larger limit: --memory SIZE" : NULL, "it can't be loaded: %s",
				 strerror((int)-error));
	}
	if (error)
		return error;
	program = program_path(exec);
	if (!program)
		return -ENOMEM;
	enter(exec, program);
	return 0;
}

static void finish(Exec *exec)
{
	if (exec->mm && exec->mm == exec->task->process->mm)
		mm_unmap(exec->mm, 0, exec->mm->limit); /* blank again */
	if (exec->mm)
		mm_put(exec->mm);
	file_put(exec->file);
	if (exec->interpreter_file)
		file_put(exec->interpreter_file);
	free(exec->program);
	free(exec->interpreter);
	buf_fini(&exec->arguments.bytes);
	buf_fini(&exec->environment.bytes);
	buf_fini(&exec->auxv);
}

i64 exec_file(Task *task, File *file, const char *path, char *const *arguments, char *const *environment, DiagList *diags)
{
	Exec exec = {.task = task, .file = file_get(file), .path = path, .diags = diags};
	i64 error = add_texts(&exec.arguments, arguments);

	if (!error)
		error = add_texts(&exec.environment, environment);
	if (!error)
		error = execute(&exec);
	finish(&exec);
	return error;
}

/* ---- The system calls ---- */

/* The texts that an array of pointers in the program's memory points to. */
static i64 read_texts(Task *task, u64 address, Texts *out)
{
	char *text = malloc(EXEC_TEXT_LIMIT);
	i64 error = text ? 0 : -ENOMEM;

	for (; !error && address; address += 8) {
		u8 bytes[8];
		u64 pointer = 0;
		i64 len;

		if (!user_read(task, address, bytes, sizeof bytes)) {
			error = -EFAULT;
			break;
		}
		for (int i = 8; i-- > 0;)
			pointer = pointer << 8 | bytes[i];
		if (!pointer)
			break;
		len = user_string(task, pointer, text, EXEC_TEXT_LIMIT);
		if (len >= 0 && (u64)out->count * 8 + out->bytes.len > EXEC_TEXTS_LIMIT)
			len = -E2BIG;
		error = len < 0 ? (len == -ENAMETOOLONG ? -E2BIG : len) : add_text(out, text, (size_t)len);
	}
	free(text);
	return error;
}

/* Takes over the reference to the file. */
static i64 execute_for_user(Task *task, File *file, const char *path, u64 arguments, u64 environment)
{
	Exec exec = {.task = task, .file = file, .path = path};
	i64 error = read_texts(task, arguments, &exec.arguments);

	if (!error)
		error = read_texts(task, environment, &exec.environment);
	if (!error)
		error = execute(&exec);
	finish(&exec);
	return error ? error : CALL_DONE;
}

i64 sys_execve(Task *task, const u64 *a)
{
	char path[PATH_LIMIT];
	File *file;
	i64 error = user_string(task, a[0], path, sizeof path);

	if (error >= 0)
		error = vfs_open_program(task, AT_CWD, path, 0, &file);
	return error < 0 ? error : execute_for_user(task, file, path, a[1], a[2]);
}

i64 sys_execveat(Task *task, const u64 *a)
{
	enum { NO_FOLLOW = 0x100, EMPTY_PATH = 0x1000, OPEN_NO_FOLLOW = 0x20000, PLENTY = 32 };
	char path[PATH_LIMIT], name[PATH_LIMIT + PLENTY];
	File *file;
	i64 error = user_string(task, a[1], path, sizeof path);
	Buf text;

	if (error < 0)
		return error;
	if (!path[0] && !(a[4] & EMPTY_PATH))
		return -ENOENT;
	if (a[4] & ~(u64)(NO_FOLLOW | EMPTY_PATH))
		return -EINVAL;
	if (!path[0]) {
		file = fds_file(task, (i32)a[0]);
		if (!file)
			return -EBADF;
		file_get(file);
	} else {
		error = vfs_open_program(task, (i32)a[0], path, a[4] & NO_FOLLOW ? OPEN_NO_FOLLOW : 0, &file);
		if (error < 0)
			return error;
	}
	/* As Linux calls it: by its descriptor, unless the path alone says it. */
	buf_init(&text);
	if (path[0] == '/' || (path[0] && (i32)a[0] == AT_CWD))
		buf_str(&text, path);
	else
		buf_printf(&text, path[0] ? "/dev/fd/%d/%s" : "/dev/fd/%d", (i32)a[0], path);
	strncpy(name, buf_text(&text), sizeof name - 1);
	name[sizeof name - 1] = 0;
	buf_fini(&text);
	return execute_for_user(task, file, name, a[2], a[3]);
}
