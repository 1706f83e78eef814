/* SPDX-License-Identifier: MIT
 * libhusk told something wrong: NULL, the wrong state, another thread, structs of other versions, texts with errors. Every
 * function of the header is here.
 */
#include "unit/api.h"

#include <pthread.h>
#include <stdio.h>

#define NO(call) assert_int_equal(call, HUSK_INVALID)
#define IS(call, status) assert_int_equal(call, status)

static const char loop_text[] = ".ORIG x3000\nL: ADD R0, R0, #1\n BR L\n .END\n";

typedef struct Rig {
	husk_context *context;
	husk_isa *isa;
	husk_program *program;
	husk_machine *machine;
	husk_hyper *hyper;
	husk_image *image;
	husk_instance *instance;
} Rig;

static void open_rig(Rig *rig)
{
	husk_error *error;

	IS(husk_context_create(NULL, &rig->context), HUSK_OK);
	IS(husk_isa_load_builtin(rig->context, "lc3", NULL, &rig->isa, &error), HUSK_OK);
	if (husk_program_assemble(rig->isa, "loop.asm", loop_text, strlen(loop_text), NULL, &rig->program, &error))
		fail_msg("%s", husk_error_text(error));
	IS(husk_machine_create(rig->program, NULL, &rig->machine, &error), HUSK_OK);
	IS(husk_hyper_create(rig->context, NULL, &rig->hyper), HUSK_OK);
	IS(husk_image_create(rig->machine, &rig->image), HUSK_OK);
	IS(husk_instance_create(rig->hyper, rig->image, NULL, &rig->instance), HUSK_OK);
}

static void close_rig(Rig *rig)
{
	husk_instance_unref(rig->instance);
	husk_image_unref(rig->image);
	husk_hyper_destroy(rig->hyper);
	husk_machine_destroy(rig->machine);
	husk_program_unref(rig->program);
	husk_isa_unref(rig->isa);
	husk_context_unref(rig->context);
}

static husk_host_result nothing(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	(void)ctx;
	(void)machine;
	(void)args;
	(void)count;
	(void)result;
	return HUSK_HOST_DONE;
}

static void test_null_texts(void **state)
{
	husk_register_info reg;
	husk_space_info space;
	husk_diagnostic diagnostic;
	husk_error *error;
	husk_program *program;
	husk_blob *blob;
	husk_isa *isa;
	uint64_t value;
	size_t used;
	Rig rig;

	(void)state;
	open_rig(&rig);
	HUSK_INIT(reg);
	HUSK_INIT(space);
	assert_true(husk_version() == (uint32_t)(HUSK_VERSION_MAJOR << 16 | HUSK_VERSION_MINOR << 8 | HUSK_VERSION_PATCH));
	for (int status = 5; status > -40; status--)
		assert_non_null(husk_status_text((husk_status)status));
	NO(husk_context_create(NULL, NULL));
	husk_context_ref(NULL);
	husk_context_unref(NULL);
	assert_int_equal(husk_error_status(NULL), HUSK_OK);
	assert_string_equal(husk_error_text(NULL), "");
	assert_string_equal(husk_error_json(NULL), "[]");
	assert_int_equal(husk_error_count(NULL), 0);
	NO(husk_error_at(NULL, 0, &diagnostic));
	husk_error_destroy(NULL);
	assert_string_equal(husk_blob_data(NULL), "");
	assert_int_equal(husk_blob_size(NULL), 0);
	husk_blob_destroy(NULL);

	assert_string_equal(husk_builtin_name(0), "lc3");
	assert_null(husk_builtin_name(1000));
	NO(husk_isa_load_builtin(NULL, "lc3", NULL, &isa, NULL));
	NO(husk_isa_load_builtin(rig.context, NULL, NULL, &isa, NULL));
	NO(husk_isa_load_builtin(rig.context, "lc3", NULL, NULL, NULL));
	IS(husk_isa_load_builtin(rig.context, "lc4", NULL, &isa, &error), HUSK_NOT_FOUND);
	assert_null(isa);
	assert_non_null(strstr(husk_error_text(error), "lc4"));
	assert_int_equal(husk_error_status(error), HUSK_NOT_FOUND);
	assert_int_equal(husk_error_count(error), 0);
	husk_error_destroy(error);
	NO(husk_isa_load_text(rig.context, "x", NULL, 3, NULL, &isa, NULL));
	NO(husk_isa_load_text(rig.context, NULL, "", 0, NULL, &isa, NULL));
	NO(husk_isa_load_file(rig.context, NULL, NULL, &isa, NULL));
	IS(husk_isa_load_file(rig.context, "/no/such/file.isa", NULL, &isa, NULL), HUSK_NOT_FOUND);
	IS(husk_isa_load_file(rig.context, "/", NULL, &isa, &error), HUSK_IO);
	husk_error_destroy(error);
	husk_isa_ref(NULL);
	husk_isa_unref(NULL);
	assert_string_equal(husk_isa_name(NULL), "");
	assert_string_equal(husk_isa_name(rig.isa), "LC-3");
	assert_string_equal(husk_isa_title(NULL), "");
	assert_true(strlen(husk_isa_title(rig.isa)) > 0);
	NO(husk_isa_find_register(NULL, "R0", &reg));
	NO(husk_isa_find_register(rig.isa, NULL, &reg));
	NO(husk_isa_find_register(rig.isa, "R0", NULL));
	IS(husk_isa_find_register(rig.isa, "R9", &reg), HUSK_NOT_FOUND);
	IS(husk_isa_find_register(rig.isa, "R3", &reg), HUSK_OK);
	assert_int_equal(reg.bits, 16);
	assert_string_equal(reg.name, "R3");
	assert_int_equal(husk_isa_register_count(NULL), 0);
	assert_true(husk_isa_register_count(rig.isa) > 8);
	NO(husk_isa_register_at(NULL, 0, &reg));
	IS(husk_isa_register_at(rig.isa, 10000, &reg), HUSK_RANGE);
	IS(husk_isa_register_at(rig.isa, 0, &reg), HUSK_OK);
	assert_int_equal(reg.number, 0);
	assert_int_equal(husk_isa_space_count(NULL), 0);
	assert_true(husk_isa_space_count(rig.isa) > 0);
	NO(husk_isa_space_at(NULL, 0, &space));
	IS(husk_isa_space_at(rig.isa, 1000, &space), HUSK_RANGE);
	NO(husk_isa_find_space(NULL, "M", &space));
	IS(husk_isa_find_space(rig.isa, "nowhere", &space), HUSK_NOT_FOUND);
	IS(husk_isa_find_space(rig.isa, NULL, &space), HUSK_OK);
	assert_int_equal(space.cell_size, 2);
	assert_int_equal(space.is_code, 1);
	NO(husk_isa_manual(NULL, 0, &blob));
	NO(husk_isa_manual(rig.isa, 0, NULL));
	IS(husk_isa_manual(rig.isa, 1, &blob), HUSK_OK);
	assert_non_null(strstr(husk_blob_data(blob), "<html"));
	husk_blob_destroy(blob);
	NO(husk_isa_disassemble(NULL, NULL, 0, "xx", 1, &used, &blob));
	NO(husk_isa_disassemble(rig.isa, NULL, 0, NULL, 1, &used, &blob));
	NO(husk_isa_disassemble(rig.isa, NULL, 0, "xx", 0, &used, &blob));
	NO(husk_isa_disassemble(rig.isa, NULL, 0, "xx", 1, &used, NULL));
	IS(husk_isa_disassemble(rig.isa, "klingon", 0, "xx", 1, &used, &blob), HUSK_NOT_FOUND);
	IS(husk_isa_disassemble(rig.isa, NULL, 0x3000, &(uint16_t){0x1021}, 1, &used, &blob), HUSK_OK);
	assert_int_equal(used, 1);
	assert_non_null(strstr(husk_blob_data(blob), "ADD"));
	husk_blob_destroy(blob);

	NO(husk_program_load(NULL, &(husk_file){"a", "b", 1, HUSK_FILE_AUTO}, 1, NULL, &program, NULL));
	NO(husk_program_load(rig.isa, NULL, 1, NULL, &program, NULL));
	NO(husk_program_load(rig.isa, &(husk_file){NULL, "b", 1, HUSK_FILE_AUTO}, 1, NULL, &program, NULL));
	NO(husk_program_load(rig.isa, &(husk_file){"a", NULL, 1, HUSK_FILE_AUTO}, 1, NULL, &program, NULL));
	NO(husk_program_load(rig.isa, &(husk_file){"a", "b", 1, (husk_file_kind)9}, 1, NULL, &program, NULL));
	NO(husk_program_load(rig.isa, &(husk_file){"a", "b", 1, HUSK_FILE_AUTO}, 0, NULL, &program, NULL));
	NO(husk_program_assemble(rig.isa, "a", "", 0, NULL, NULL, NULL));
	NO(husk_program_assemble(rig.isa, NULL, "", 0, NULL, &program, NULL));
	husk_program_ref(NULL);
	husk_program_unref(NULL);
	husk_program_ref(rig.program);
	husk_program_unref(rig.program);
	assert_null(husk_program_isa(NULL));
	assert_ptr_equal(husk_program_isa(rig.program), rig.isa);
	NO(husk_program_symbol(NULL, "L", &value));
	NO(husk_program_symbol(rig.program, NULL, &value));
	NO(husk_program_symbol(rig.program, "L", NULL));
	IS(husk_program_symbol(rig.program, "M", &value), HUSK_NOT_FOUND);
	IS(husk_program_symbol(rig.program, "L", &value), HUSK_OK);
	assert_int_equal(value, 0x3000);
	NO(husk_program_object(NULL, 0, &blob));
	NO(husk_program_object(rig.program, 0, NULL));
	IS(husk_program_object(rig.program, 1, &blob), HUSK_RANGE);
	IS(husk_program_object(rig.program, 0, &blob), HUSK_OK);
	assert_true(husk_blob_size(blob) >= 6);
	husk_blob_destroy(blob);
	NO(husk_program_listing(NULL, 0, &blob));
	NO(husk_program_listing(rig.program, 0, NULL));
	IS(husk_program_listing(rig.program, 7, &blob), HUSK_RANGE);
	IS(husk_program_listing(rig.program, 0, &blob), HUSK_OK);
	assert_non_null(strstr(husk_blob_data(blob), "ADD R0, R0, #1"));
	husk_blob_destroy(blob);
	close_rig(&rig);
}

/* Messages have their places; and both descriptions and programs give them. */
static void test_messages(void **state)
{
	static const char wrong[] = ".ORIG x3000\n        ADD R0, R0, #40\n        HALT\n        .END\n";
	husk_diagnostic diagnostic;
	husk_program *program;
	husk_machine *machine;
	husk_error *error;
	husk_isa *isa;
	Rig rig;

	(void)state;
	open_rig(&rig);
	IS(husk_program_assemble(rig.isa, "wrong.asm", wrong, strlen(wrong), NULL, &program, &error), HUSK_TEXT);
	assert_null(program);
	assert_int_equal(husk_error_status(error), HUSK_TEXT);
	assert_int_equal(husk_error_count(error), 1);
	IS(husk_error_at(error, 0, &diagnostic), HUSK_OK);
	IS(husk_error_at(error, 1, &diagnostic), HUSK_RANGE);
	NO(husk_error_at(error, 0, NULL));
	IS(husk_error_at(error, 0, &diagnostic), HUSK_OK);
	assert_string_equal(diagnostic.file, "wrong.asm");
	assert_int_equal(diagnostic.line, 2);
	assert_int_equal(diagnostic.column, 21);
	assert_false(diagnostic.is_warning);
	assert_non_null(strstr(husk_error_text(error), "wrong.asm:2:21: error:"));
	assert_non_null(strstr(husk_error_text(error), "^~~"));
	assert_non_null(strstr(husk_error_json(error), "\"line\":2"));
	husk_error_destroy(error);
	IS(husk_program_assemble(rig.isa, "wrong.asm", wrong, strlen(wrong), NULL, &program, NULL), HUSK_TEXT);
	IS(husk_isa_load_text(rig.context, "t.isa", "isa T\nspace\n", 12, NULL, &isa, &error), HUSK_TEXT);
	assert_non_null(strstr(husk_error_text(error), "t.isa:2:"));
	husk_error_destroy(error);
	/* An object file that is none. */
	IS(husk_program_load(rig.isa, &(husk_file){"a.obj", "x", 1, HUSK_FILE_OBJECT}, 1, NULL, &program, NULL), HUSK_OK);
	assert_int_not_equal(husk_machine_create(program, NULL, &machine, &error), HUSK_OK);
	assert_null(machine);
	assert_true(strlen(husk_error_text(error)) > 0);
	husk_error_destroy(error);
	husk_program_unref(program);
	close_rig(&rig);
}

static void test_null_machines(void **state)
{
	husk_linux_options linux_options;
	husk_machine_options options;
	husk_convention way;
	husk_machine_info info;
	husk_function *function;
	husk_machine *machine;
	husk_hosts *hosts;
	husk_view *view;
	husk_blob *blob;
	husk_stop stop;
	uint64_t value;
	uint16_t cell;
	char text[4];
	Rig rig;

	(void)state;
	open_rig(&rig);
	HUSK_INIT(stop);
	HUSK_INIT(info);
	HUSK_INIT(way);
	NO(husk_hosts_create(NULL, &hosts));
	NO(husk_hosts_create(rig.context, NULL));
	husk_hosts_ref(NULL);
	husk_hosts_unref(NULL);
	IS(husk_hosts_create(rig.context, &hosts), HUSK_OK);
	NO(husk_hosts_add(NULL, "a", nothing, NULL));
	NO(husk_hosts_add(hosts, NULL, nothing, NULL));
	NO(husk_hosts_add(hosts, "", nothing, NULL));
	NO(husk_hosts_add(hosts, "a", NULL, NULL));
	IS(husk_hosts_add(hosts, "a", nothing, NULL), HUSK_OK);
	NO(husk_hosts_add(hosts, "a", nothing, NULL));
	HUSK_INIT(options);
	options.hosts = hosts;
	IS(husk_machine_create(rig.program, &options, &machine, NULL), HUSK_OK);
	IS(husk_hosts_add(hosts, "b", nothing, NULL), HUSK_STATE);
	husk_hosts_unref(hosts);
	husk_machine_destroy(machine);

	NO(husk_machine_create(NULL, NULL, &machine, NULL));
	NO(husk_machine_create(rig.program, NULL, NULL, NULL));
	HUSK_INIT(options);
	HUSK_INIT(linux_options);
	options.linux_options = &linux_options;
	linux_options.argument_count = 1;
	NO(husk_machine_create(rig.program, &options, &machine, NULL));
	linux_options.argument_count = 0;
	linux_options.net = 3;
	NO(husk_machine_create(rig.program, &options, &machine, NULL));
	HUSK_INIT(options);
	options.memory = 1000;
	IS(husk_machine_create(rig.program, &options, &machine, NULL), HUSK_LIMIT);
	husk_machine_destroy(NULL);
	NO(husk_machine_run(NULL, 1, &stop));
	husk_machine_interrupt(NULL);
	NO(husk_machine_input(NULL, "", 0));
	NO(husk_machine_input(rig.machine, NULL, 1));
	IS(husk_machine_input(rig.machine, NULL, 0), HUSK_OK);
	NO(husk_machine_input_end(NULL));
	NO(husk_machine_set_time(NULL, 1));
	IS(husk_machine_set_time(rig.machine, 1), HUSK_OK);
	NO(husk_machine_get_info(NULL, &info));
	NO(husk_machine_get_info(rig.machine, NULL));
	IS(husk_machine_get_info(rig.machine, &info), HUSK_OK);
	assert_int_equal(info.vcpus, 1);
	NO(husk_machine_deny(NULL, 0));
	assert_null(husk_machine_user(NULL));
	assert_null(husk_machine_program(NULL));
	assert_ptr_equal(husk_machine_program(rig.machine), rig.program);
	NO(husk_machine_snapshot(NULL, &blob));
	NO(husk_machine_snapshot(rig.machine, NULL));
	NO(husk_machine_restore(NULL, "", 0));
	NO(husk_machine_restore(rig.machine, NULL, 1));
	IS(husk_machine_restore(rig.machine, "no snapshot", 11), HUSK_FORMAT);

	NO(husk_machine_get_register(NULL, 0, &value));
	NO(husk_machine_get_register(rig.machine, 0, NULL));
	IS(husk_machine_get_register(rig.machine, 10000, &value), HUSK_RANGE);
	IS(husk_machine_get_register(rig.machine, 0, &value), HUSK_OK);
	NO(husk_machine_set_register(NULL, 0, 1));
	IS(husk_machine_set_register(rig.machine, 10000, 1), HUSK_RANGE);
	NO(husk_machine_get(NULL, "R0", &value));
	NO(husk_machine_get(rig.machine, NULL, &value));
	NO(husk_machine_get(rig.machine, "R0", NULL));
	IS(husk_machine_get(rig.machine, "R9", &value), HUSK_NOT_FOUND);
	NO(husk_machine_set(NULL, "R0", 1));
	NO(husk_machine_set(rig.machine, NULL, 1));
	IS(husk_machine_set(rig.machine, "R9", 1), HUSK_NOT_FOUND);
	IS(husk_machine_set(rig.machine, "R0", 0x12345), HUSK_OK);
	IS(husk_machine_get(rig.machine, "r0", &value), HUSK_OK);
	assert_int_equal(value, 0x2345);
	NO(husk_machine_select(NULL, 0));
	IS(husk_machine_select(rig.machine, 5), HUSK_RANGE);
	IS(husk_machine_select(rig.machine, 0), HUSK_OK);
	NO(husk_machine_read(NULL, 0, 0, &cell, 1));
	NO(husk_machine_read(rig.machine, 0, 0, NULL, 1));
	IS(husk_machine_read(rig.machine, 99, 0, &cell, 1), HUSK_NOT_FOUND);
	IS(husk_machine_read(rig.machine, 0, 0x3000, &cell, 1), HUSK_OK);
	NO(husk_machine_write(NULL, 0, 0, &cell, 1));
	NO(husk_machine_write(rig.machine, 0, 0, NULL, 1));
	IS(husk_machine_write(rig.machine, 99, 0, &cell, 1), HUSK_NOT_FOUND);
	IS(husk_machine_read(rig.machine, 0, ~(uint64_t)0, text, 2), HUSK_RANGE);
	NO(husk_machine_read_text(NULL, 0, 0, text, 4));
	NO(husk_machine_read_text(rig.machine, 0, 0, NULL, 4));
	NO(husk_machine_read_text(rig.machine, 0, 0, text, 0));
	IS(husk_machine_read_text(rig.machine, 0, 0x3000, text, 2), HUSK_LIMIT);
	NO(husk_machine_symbol(NULL, "L", &value));
	NO(husk_machine_symbol(rig.machine, NULL, &value));
	NO(husk_machine_symbol(rig.machine, "L", NULL));
	IS(husk_machine_symbol(rig.machine, "nobody", &value), HUSK_NOT_FOUND);
	NO(husk_machine_break(NULL, 0, 1));
	NO(husk_machine_watch(NULL, 0, 0, 1, 1, 1, 1));
	IS(husk_machine_watch(rig.machine, 99, 0, 1, 1, 1, 1), HUSK_NOT_FOUND);

	NO(husk_view_create(NULL, 0, 0, 1, &view));
	NO(husk_view_create(rig.machine, 0, 0, 1, NULL));
	IS(husk_view_create(rig.machine, 99, 0, 1, &view), HUSK_NOT_FOUND);
	IS(husk_view_create(rig.machine, 0, 2, ~(uint64_t)0, &view), HUSK_RANGE);
	IS(husk_view_create(rig.machine, 0, 0x3000, 4, &view), HUSK_OK);
	assert_int_equal(husk_view_count(NULL), 0);
	assert_int_equal(husk_view_count(view), 4);
	NO(husk_view_read(NULL, 0, &cell, 1));
	NO(husk_view_read(view, 0, NULL, 1));
	IS(husk_view_read(view, 4, &cell, 1), HUSK_RANGE);
	IS(husk_view_read(view, ~(uint64_t)0, &cell, 2), HUSK_RANGE);
	IS(husk_view_read(view, 4, NULL, 0), HUSK_OK);
	NO(husk_view_write(NULL, 0, &cell, 1));
	IS(husk_view_write(view, 3, text, 2), HUSK_RANGE);
	husk_view_destroy(view);
	husk_view_destroy(NULL);

	NO(husk_function_at(NULL, 0, NULL, &function));
	NO(husk_function_at(rig.machine, 0, NULL, NULL));
	NO(husk_function_at(rig.machine, 0, &way, &function)); /* neither link nor stack */
	way.link = "R77";
	IS(husk_function_at(rig.machine, 0, &way, &function), HUSK_NOT_FOUND);
	NO(husk_function_find(rig.machine, NULL, NULL, &function));
	IS(husk_function_find(rig.machine, "nobody", NULL, &function), HUSK_NOT_FOUND);
	NO(husk_function_call(NULL, NULL, 0, 1, &value, &stop));
	husk_function_destroy(NULL);
	IS(husk_function_find(rig.machine, "L", NULL, &function), HUSK_OK);
	NO(husk_function_call(function, NULL, 1, 1, &value, &stop));
	IS(husk_function_call(function, NULL, 0, 1000, &value, &stop), HUSK_FUEL);
	husk_function_destroy(function);
	close_rig(&rig);
}

static void test_null_hypervisors(void **state)
{
	husk_instance_info info;
	husk_instance *instance;
	husk_machine *machine;
	husk_budget *budget;
	husk_image *image;
	husk_hyper *hyper;
	husk_blob *blob;
	Rig rig;

	(void)state;
	open_rig(&rig);
	HUSK_INIT(info);
	NO(husk_hyper_create(NULL, NULL, &hyper));
	NO(husk_hyper_create(rig.context, NULL, NULL));
	husk_hyper_destroy(NULL);
	NO(husk_hyper_run(NULL, 0));
	husk_hyper_interrupt(NULL);
	husk_hyper_interrupt(rig.hyper);
	assert_null(husk_hyper_budget(NULL));
	NO(husk_budget_create(NULL, NULL, "a", NULL, &budget));
	NO(husk_budget_create(rig.hyper, NULL, NULL, NULL, &budget));
	NO(husk_budget_create(rig.hyper, NULL, "a", NULL, NULL));
	husk_budget_unref(NULL);
	budget = husk_hyper_budget(rig.hyper);
	assert_int_equal(husk_budget_used(NULL, budget, HUSK_RESOURCE_FUEL), 0);
	assert_int_equal(husk_budget_used(rig.hyper, budget, (husk_resource)99), 0);
	assert_true(husk_budget_limit(NULL, HUSK_RESOURCE_FUEL) == HUSK_UNLIMITED);
	NO(husk_budget_set_limit(NULL, budget, HUSK_RESOURCE_FUEL, 1));
	NO(husk_budget_set_limit(rig.hyper, NULL, HUSK_RESOURCE_FUEL, 1));
	NO(husk_budget_set_limit(rig.hyper, budget, (husk_resource)99, 1));
	NO(husk_budget_grant(NULL, budget, 1));
	NO(husk_budget_grant(rig.hyper, NULL, 1));
	NO(husk_budget_revoke(NULL, budget, 1));
	NO(husk_budget_revoke(rig.hyper, NULL, 1));
	NO(husk_image_create(NULL, &image));
	NO(husk_image_create(rig.machine, NULL));
	husk_image_ref(NULL);
	husk_image_unref(NULL);

	NO(husk_instance_create(NULL, rig.image, NULL, &instance));
	NO(husk_instance_create(rig.hyper, NULL, NULL, &instance));
	NO(husk_instance_create(rig.hyper, rig.image, NULL, NULL));
	NO(husk_instance_fork(NULL, NULL, &instance));
	NO(husk_instance_fork(rig.instance, NULL, NULL));
	NO(husk_instance_adopt(NULL, rig.machine, NULL, &instance));
	NO(husk_instance_adopt(rig.hyper, NULL, NULL, &instance));
	NO(husk_instance_adopt(rig.hyper, rig.machine, NULL, NULL));
	husk_instance_ref(NULL);
	husk_instance_unref(NULL);
	NO(husk_instance_start(NULL));
	NO(husk_instance_pause(NULL));
	NO(husk_instance_resume(NULL));
	NO(husk_instance_stop(NULL, 0));
	NO(husk_instance_kill(NULL));
	NO(husk_instance_wait(NULL, 0));
	NO(husk_instance_reset(NULL));
	NO(husk_instance_input(NULL, "", 0));
	NO(husk_instance_input(rig.instance, NULL, 1));
	NO(husk_instance_input_end(NULL));
	NO(husk_instance_share(NULL, 1, 1, 1));
	NO(husk_instance_grant(NULL, 1));
	NO(husk_instance_revoke(NULL, 1));
	NO(husk_instance_hold(NULL, &machine));
	NO(husk_instance_hold(rig.instance, NULL));
	NO(husk_instance_release(NULL));
	IS(husk_instance_release(rig.instance), HUSK_STATE);
	NO(husk_instance_snapshot(NULL, &blob));
	NO(husk_instance_snapshot(rig.instance, NULL));
	NO(husk_instance_restore(NULL, "", 0));
	NO(husk_instance_restore(rig.instance, NULL, 1));
	NO(husk_instance_get_info(NULL, &info));
	NO(husk_instance_get_info(rig.instance, NULL));
	assert_string_equal(husk_instance_name(NULL), "");
	assert_null(husk_instance_user(NULL));
	assert_null(husk_instance_budget(NULL));
	assert_non_null(husk_instance_budget(rig.instance));
	NO(husk_instance_output(NULL, &blob));
	NO(husk_instance_output(rig.instance, NULL));
	assert_string_equal(husk_instance_state_name((husk_instance_state)99), "");
	assert_string_equal(husk_instance_end_name((husk_instance_end)99), "");

	/* Not in its state. */
	IS(husk_instance_pause(rig.instance), HUSK_STATE);
	IS(husk_instance_resume(rig.instance), HUSK_STATE);
	IS(husk_instance_start(rig.instance), HUSK_OK);
	IS(husk_instance_reset(rig.instance), HUSK_STATE);
	IS(husk_instance_stop(rig.instance, 1000), HUSK_OK);
	IS(husk_instance_kill(rig.instance), HUSK_OK);
	IS(husk_instance_kill(rig.instance), HUSK_STATE);
	IS(husk_instance_stop(rig.instance, 0), HUSK_STATE);
	close_rig(&rig);
}

/* Structs of an older and of a newer header. */
static void test_sizes(void **state)
{
	struct {
		husk_machine_options now;
		uint64_t later;
	} newer;
	struct {
		husk_stop now;
		uint64_t later;
	} answer;
	struct {
		size_t size;
		uint64_t memory;
	} older = {sizeof older, 1 << 20};
	husk_machine_options options;
	husk_machine *machine;
	husk_machine_info info;
	husk_stop stop;
	Rig rig;

	(void)state;
	open_rig(&rig);
	memset(&options, 0, sizeof options);
	NO(husk_machine_create(rig.program, &options, &machine, NULL));
	memset(&newer, 0, sizeof newer);
	newer.now.size = sizeof newer;
	IS(husk_machine_create(rig.program, &newer.now, &machine, NULL), HUSK_OK);
	husk_machine_destroy(machine);
	newer.later = 1;
	IS(husk_machine_create(rig.program, &newer.now, &machine, NULL), HUSK_UNSUPPORTED);
	IS(husk_machine_create(rig.program, (const husk_machine_options *)(const void *)&older, &machine, NULL), HUSK_OK);
	HUSK_INIT(info);
	IS(husk_machine_get_info(machine, &info), HUSK_OK);
	assert_int_equal(info.memory_limit, 1 << 20);
	memset(&stop, 0xFF, sizeof stop);
	stop.size = offsetof(husk_stop, pc); /* an old caller has no more than that */
	IS(husk_machine_run(machine, 10, &stop), HUSK_OK);
	assert_int_equal(stop.kind, HUSK_STOP_FUEL);
	assert_true(stop.pc == UINT64_MAX);
	memset(&answer, 0xFF, sizeof answer);
	answer.now.size = sizeof answer;
	IS(husk_machine_run(machine, 10, &answer.now), HUSK_OK);
	assert_int_equal(answer.now.instructions, 10);
	assert_int_equal(answer.later, 0);
	stop.size = 0;
	NO(husk_machine_run(machine, 10, &stop));
	husk_machine_destroy(machine);
	close_rig(&rig);
}

/* ---- Threads ---- */

typedef struct Other {
	husk_machine *machine;
	husk_status status;
} Other;

static void *touch(void *ctx)
{
	Other *other = ctx;
	uint64_t value;

	other->status = husk_machine_get(other->machine, "a", &value);
	assert_string_equal(husk_machine_why(other->machine), "");
	IS(husk_machine_deny(other->machine, 1), HUSK_BUSY);
	husk_machine_interrupt(other->machine);
	return NULL;
}

/* Within a run: another thread is told so, and this one may not run, restore or destroy it. */
static husk_host_result inside(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	Other *other = ctx;
	husk_blob *blob;
	husk_image *image;
	pthread_t thread;

	(void)args;
	(void)count;
	(void)result;
	other->machine = machine;
	assert_int_equal(pthread_create(&thread, NULL, touch, other), 0);
	pthread_join(thread, NULL);
	IS(husk_machine_run(machine, 1, NULL), HUSK_STATE);
	IS(husk_machine_snapshot(machine, &blob), HUSK_STATE);
	IS(husk_machine_restore(machine, "x", 1), HUSK_STATE);
	IS(husk_machine_select(machine, 0), HUSK_STATE);
	IS(husk_machine_set_time(machine, 0), HUSK_STATE);
	IS(husk_image_create(machine, &image), HUSK_STATE);
	husk_machine_destroy(machine); /* nothing */
	return HUSK_HOST_DONE;
}

static void test_threads(void **state)
{
	static const char isa_text[] = "isa ONE\nspace M : 8 x 256\ncode M\nreg a : 8\nreg pc : 8\nfield t : abs\nhost f()\n"
				       "insn CALL \"00000001\" { host f() }\ninsn JMP \"00000010 tttttttt\" t { jump t }\n";
	husk_machine_options options;
	husk_context *context;
	husk_machine *machine;
	husk_stop stop;
	Other other = {NULL, HUSK_OK};

	(void)state;
	HUSK_INIT(options);
	HUSK_INIT(stop);
	IS(husk_context_create(NULL, &context), HUSK_OK);
	IS(husk_hosts_create(context, &options.hosts), HUSK_OK);
	IS(husk_hosts_add(options.hosts, "f", inside, &other), HUSK_OK);
	machine = api_make(context, "one.isa", isa_text, "CALL\nL: JMP L\n", &options);
	IS(husk_machine_run(machine, ~(uint64_t)0, &stop), HUSK_OK); /* ends because the other thread interrupts it */
	assert_int_equal(stop.kind, HUSK_STOP_PAUSED);
	IS(other.status, HUSK_BUSY);
	husk_machine_destroy(machine);
	husk_hosts_unref(options.hosts);
	husk_context_unref(context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_null_texts), cmocka_unit_test(test_messages), cmocka_unit_test(test_null_machines),
		cmocka_unit_test(test_null_hypervisors), cmocka_unit_test(test_sizes), cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
