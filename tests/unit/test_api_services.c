/* SPDX-License-Identifier: MIT
 * libhusk's services for instances: letters to and from the host, children, and who is there; and machines of others, which ask in their own
 * ways.
 */
#include "unit/api_world.h"

#include <stdbool.h>
#include <stdio.h>

/* ---- Letters ---- */

static const char asking[] = "FIND R1, name\nSEND R1, letter\nGET R2, letter\nLD R0, letter\nSTOP R0\n"
			     "letter: .WORD 1, 2, 3, 4\nname: .TEXT \"desk\"\n";
static const char writing[] = "FIND R1, name\nLI R2, 100\nagain: SEND R1, letter\nBNZ R3, again\nADDI R2, -1\nBNZ R2, again\nSTOP R2\n"
			      "letter: .WORD 1, 2, 3, 4\nname: .TEXT \"desk\"\n";

typedef struct Desk {
	unsigned arrived; /* atomic */
	bool answers;
} Desk;

static void on_arrived(void *ctx, husk_mailbox *mailbox)
{
	Desk *desk = ctx;
	uint8_t letter[HUSK_MESSAGE_MOST];
	uint64_t from;
	size_t len;

	__atomic_add_fetch(&desk->arrived, 1, __ATOMIC_RELAXED);
	if (desk->answers && !husk_mailbox_take(mailbox, letter, sizeof letter, &len, &from)) {
		letter[0] = (uint8_t)(letter[0] + 41);
		IS(husk_mailbox_send(mailbox, from, letter, len), HUSK_OK);
	}
}

static void test_mailbox(void **state)
{
	(void)state;
	for (uint32_t workers = 0; workers < 3; workers += 2) {
		husk_instance_options options = with_rights("asker");
		husk_mailbox_options desk_options;
		husk_instance *asker;
		husk_mailbox *mailbox;
		uint64_t number, from;
		uint8_t letter[4];
		World world;
		size_t len;

		open_world(&world, workers, NULL);
		HUSK_INIT(desk_options);
		desk_options.name = "desk";
		IS(husk_mailbox_create(world.hyper, &desk_options, &mailbox), HUSK_OK);
		IS(husk_mailbox_take(mailbox, letter, 4, &len, &from), HUSK_NOT_FOUND);
		IS(husk_mailbox_wait(mailbox, 1000), workers ? HUSK_TIMEOUT : HUSK_STATE);
		asker = make(&world, asking, &options);
		IS(husk_mailbox_find(mailbox, "asker", &number), HUSK_OK);
		assert_int_equal(number, info_of(asker).number);
		IS(husk_mailbox_find(mailbox, "nobody", &number), HUSK_NOT_FOUND);
		assert_int_equal(number, 0);
		IS(husk_instance_start(asker), HUSK_OK);
		if (!workers)
			IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
		IS(husk_mailbox_wait(mailbox, 20 * second), HUSK_OK);
		IS(husk_mailbox_take(mailbox, letter, 3, &len, &from), HUSK_LIMIT); /* and stays */
		assert_int_equal(len, 4);
		IS(husk_mailbox_take(mailbox, letter, 4, &len, &from), HUSK_OK);
		assert_int_equal(len, 4);
		assert_memory_equal(letter, "\1\2\3\4", 4);
		assert_int_equal(from, info_of(asker).number);
		IS(husk_mailbox_take(mailbox, letter, 4, &len, NULL), HUSK_NOT_FOUND);
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK); /* all wait */
		assert_int_equal(info_of(asker).state, HUSK_INSTANCE_WAITING);
		assert_int_equal(info_of(asker).waits, HUSK_WAIT_MESSAGE);
		IS(husk_mailbox_send(mailbox, from, "\x2A\0\0\0", 4), HUSK_OK);
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
		assert_int_equal(info_of(asker).end, HUSK_END_HALTED);
		assert_int_equal(info_of(asker).exit_code, 42);
		IS(husk_mailbox_send(mailbox, from, "late", 4), HUSK_NOT_FOUND);
		IS(husk_instance_mail(asker, "late", 4), HUSK_STATE);
		husk_instance_unref(asker);
		close_world(&world);
		husk_mailbox_unref(mailbox); /* after its hypervisor */
	}
}

/* It is told at once, on the thread that sends, and may answer there. */
static void test_arrived(void **state)
{
	(void)state;
	for (uint32_t workers = 0; workers < 3; workers += 2) {
		husk_instance_options options = with_rights(NULL);
		husk_mailbox_options desk_options;
		husk_instance *askers[20];
		Desk desk = {.answers = true};
		husk_mailbox *mailbox;
		husk_image *image;
		World world;

		open_world(&world, workers, NULL);
		HUSK_INIT(desk_options);
		desk_options.name = "desk";
		desk_options.arrived = on_arrived;
		desk_options.arrived_ctx = &desk;
		IS(husk_mailbox_create(world.hyper, &desk_options, &mailbox), HUSK_OK);
		image = image_of(&world, asking);
		for (int i = 0; i < 20; i++) {
			IS(husk_instance_create(world.hyper, image, &options, &askers[i]), HUSK_OK);
			IS(husk_instance_start(askers[i]), HUSK_OK);
		}
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
		assert_int_equal(desk.arrived, 20);
		for (int i = 0; i < 20; i++) {
			assert_int_equal(info_of(askers[i]).end, HUSK_END_HALTED);
			assert_int_equal(info_of(askers[i]).exit_code, 42);
			husk_instance_unref(askers[i]);
		}
		husk_image_unref(image);
		husk_mailbox_unref(mailbox);
		close_world(&world);
	}
}

/* Who finds a mailbox full waits or tries again; realms and rights part; without it nobody is there. */
static void test_full_and_foreign(void **state)
{
	husk_instance_options options = with_rights("source");
	husk_mailbox_options desk_options;
	husk_mailbox *mailbox, *foreign, *twin;
	husk_instance *source, *far, *silent;
	uint8_t letter[HUSK_MESSAGE_MOST + 1] = {0};
	size_t len, taken = 0, sent;
	uint64_t number;
	World world;

	(void)state;
	open_world(&world, 0, NULL);
	HUSK_INIT(desk_options);
	desk_options.name = "desk";
	IS(husk_mailbox_create(world.hyper, &desk_options, &mailbox), HUSK_OK);
	desk_options.realm = "far";
	IS(husk_mailbox_create(world.hyper, &desk_options, &foreign), HUSK_OK);
	IS(husk_mailbox_create(world.hyper, NULL, &twin), HUSK_OK);
	assert_true(husk_mailbox_number(twin) > husk_mailbox_number(foreign));
	IS(husk_mailbox_find(mailbox, "host", &number), HUSK_OK);
	assert_int_equal(number, husk_mailbox_number(twin));
	IS(husk_mailbox_find(foreign, "host", &number), HUSK_NOT_FOUND);
	IS(husk_mailbox_send(foreign, husk_mailbox_number(twin), "x", 1), HUSK_NOT_FOUND);

	for (sent = 0; !husk_mailbox_send(twin, husk_mailbox_number(mailbox), "xxxx", 4); sent++)
		;
	assert_int_equal(sent, 256);
	IS(husk_mailbox_send(twin, husk_mailbox_number(mailbox), "xxxx", 4), HUSK_LIMIT);
	IS(husk_mailbox_send(twin, husk_mailbox_number(mailbox), letter, sizeof letter), HUSK_RANGE);
	source = make(&world, writing, &options);
	IS(husk_instance_start(source), HUSK_OK);
	while (info_of(source).state != HUSK_INSTANCE_ENDED) {
		IS(husk_hyper_run(world.hyper, 1000000) == HUSK_INVALID, 0);
		for (int i = 0; i < 30 && !husk_mailbox_take(mailbox, letter, sizeof letter, &len, NULL); i++)
			taken++;
	}
	while (!husk_mailbox_take(mailbox, letter, sizeof letter, &len, NULL))
		taken++;
	assert_int_equal(taken, 256 + 100);
	assert_int_equal(info_of(source).messages, 100);

	options = with_rights("far");
	options.realm = "far";
	far = make(&world, waiting, &options);
	IS(husk_mailbox_send(mailbox, info_of(far).number, "x", 1), HUSK_NOT_FOUND);
	IS(husk_mailbox_send(foreign, info_of(far).number, "\7", 1), HUSK_OK);
	IS(husk_instance_start(far), HUSK_OK);
	options = with_rights("silent");
	options.rights = ALL & ~HUSK_MAILBOX;
	silent = make(&world, waiting, &options);
	IS(husk_mailbox_send(mailbox, info_of(silent).number, "x", 1), HUSK_NOT_FOUND);
	IS(husk_instance_grant(silent, HUSK_MAILBOX), HUSK_OK);
	IS(husk_mailbox_send(mailbox, info_of(silent).number, "\10", 1), HUSK_OK);
	IS(husk_instance_mail(silent, "\11", 1), HUSK_OK);
	IS(husk_instance_mail(silent, letter, sizeof letter), HUSK_RANGE);
	IS(husk_instance_start(silent), HUSK_OK);
	IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
	assert_int_equal(info_of(far).exit_code, 7);
	assert_int_equal(info_of(silent).exit_code, 8);
	/* A mailbox that has gone is nobody. */
	number = husk_mailbox_number(twin);
	husk_mailbox_ref(twin);
	husk_mailbox_unref(twin);
	IS(husk_mailbox_send(mailbox, number, "x", 1), HUSK_OK);
	husk_mailbox_unref(twin);
	IS(husk_mailbox_send(mailbox, number, "x", 1), HUSK_NOT_FOUND);
	husk_mailbox_unref(mailbox);
	husk_mailbox_unref(foreign);
	husk_instance_unref(source);
	husk_instance_unref(far);
	husk_instance_unref(silent);
	close_world(&world);
}

static void test_mailbox_misuse(void **state)
{
	struct {
		husk_mailbox_options now;
		uint64_t later;
	} newer;
	husk_mailbox *mailbox;
	uint64_t number = 5;
	uint8_t byte;
	size_t len;
	World world;

	(void)state;
	open_world(&world, 0, NULL);
	NO(husk_mailbox_create(NULL, NULL, &mailbox));
	assert_null(mailbox);
	NO(husk_mailbox_create(world.hyper, NULL, NULL));
	memset(&newer, 0, sizeof newer);
	NO(husk_mailbox_create(world.hyper, &newer.now, &mailbox));
	newer.now.size = sizeof newer;
	newer.later = 1;
	IS(husk_mailbox_create(world.hyper, &newer.now, &mailbox), HUSK_UNSUPPORTED);
	IS(husk_mailbox_create(world.hyper, NULL, &mailbox), HUSK_OK);
	husk_mailbox_ref(NULL);
	husk_mailbox_unref(NULL);
	assert_int_equal(husk_mailbox_number(NULL), 0);
	NO(husk_mailbox_find(NULL, "a", &number));
	assert_int_equal(number, 0);
	NO(husk_mailbox_find(mailbox, NULL, &number));
	NO(husk_mailbox_find(mailbox, "a", NULL));
	NO(husk_mailbox_send(NULL, 1, "a", 1));
	NO(husk_mailbox_send(mailbox, 1, NULL, 1));
	IS(husk_mailbox_send(mailbox, 0, NULL, 0), HUSK_NOT_FOUND);
	IS(husk_mailbox_send(mailbox, husk_mailbox_number(mailbox), NULL, 0), HUSK_OK); /* to oneself, nothing */
	IS(husk_mailbox_take(mailbox, NULL, 0, &len, &number), HUSK_OK);
	assert_int_equal(number, husk_mailbox_number(mailbox));
	NO(husk_mailbox_take(NULL, &byte, 1, &len, &number));
	NO(husk_mailbox_take(mailbox, NULL, 1, &len, &number));
	NO(husk_mailbox_take(mailbox, &byte, 1, NULL, &number));
	NO(husk_mailbox_wait(NULL, 0));
	IS(husk_mailbox_wait(mailbox, 0), HUSK_STATE);
	husk_mailbox_unref(mailbox);
	close_world(&world);
}

/* ---- Children ---- */

static const char mother[] = "SPAWN R1, kid\nSPAWN R2, kid\nSPAWN R0, wolf\nJOIN R1\nJOIN R2\nST R2, end\nLD R0, end\nSTOP R0\n"
			     "end: .WORD 0\nkid: .TEXT \"kid\"\nwolf: .TEXT \"wolf\"\n";

typedef struct Family {
	husk_image *kid;
	husk_instance *kids[2]; /* references */
	unsigned count, refused, gone;
} Family;

static void on_gone(void *user)
{
	__atomic_add_fetch((unsigned *)user, 1, __ATOMIC_RELAXED);
}

static husk_status on_spawn(void *ctx, husk_instance *parent, const char *name, husk_spawn *spawn)
{
	husk_instance_options options;
	Family *family = ctx;
	husk_limits limits;

	assert_string_equal(husk_instance_name(parent), "mother");
	NO(husk_spawn_create(spawn, NULL, NULL, NULL));
	NO(husk_spawn_create(NULL, family->kid, NULL, NULL));
	if (strcmp(name, "kid") != 0) {
		family->refused++;
		return HUSK_NOT_FOUND;
	}
	HUSK_INIT(limits);
	limits.fuel = 1000;
	options = with_rights("not its name");
	options.limits = &limits;
	options.user = &family->gone;
	options.gone = on_gone;
	IS(husk_spawn_create(spawn, family->kid, &options, &family->kids[family->count]), HUSK_OK);
	IS(husk_spawn_create(spawn, family->kid, NULL, NULL), HUSK_STATE);
	family->count++;
	return HUSK_OK;
}

static void test_children(void **state)
{
	(void)state;
	for (uint32_t workers = 0; workers < 3; workers += 2) {
		husk_instance_options options = with_rights("mother");
		husk_instance *instance, *other, *found[4];
		Family family = {.count = 0};
		husk_budget *node;
		husk_limits limits;
		World world;
		size_t count;

		open_world(&world, workers, NULL);
		family.kid = image_of(&world, waiting);
		HUSK_INIT(limits);
		limits.instances = 3;
		IS(husk_budget_create(world.hyper, NULL, "family", &limits, &node), HUSK_OK);
		options.budget = node;
		options.spawn = on_spawn;
		options.spawn_ctx = &family;
		instance = make(&world, mother, &options);
		options = with_rights("other");
		other = make(&world, waiting, &options);
		IS(husk_instance_start(instance), HUSK_OK);
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK); /* kids wait for letters, and their mother for them */
		assert_int_equal(family.count, 2);
		assert_int_equal(family.refused, 1);
		assert_int_equal(husk_budget_used(world.hyper, node, HUSK_RESOURCE_INSTANCES), 3);
		assert_int_equal(husk_budget_left(world.hyper, node, HUSK_RESOURCE_INSTANCES), 0);

		IS(husk_hyper_instances(world.hyper, NULL, found, 4, &count), HUSK_OK);
		assert_int_equal(count, 4);
		assert_ptr_equal(found[0], instance);
		assert_ptr_equal(found[1], other);
		assert_ptr_equal(found[2], family.kids[0]);
		assert_ptr_equal(found[3], family.kids[1]);
		for (int i = 0; i < 4; i++)
			husk_instance_unref(found[i]);
		IS(husk_hyper_instances(world.hyper, node, found, 2, &count), HUSK_OK);
		assert_int_equal(count, 3);
		husk_instance_unref(found[0]);
		husk_instance_unref(found[1]);
		IS(husk_instance_children(instance, found, 4, &count), HUSK_OK);
		assert_int_equal(count, 2);
		assert_ptr_equal(found[0], family.kids[0]);
		assert_ptr_equal(found[1], family.kids[1]);
		husk_instance_unref(found[0]);
		husk_instance_unref(found[1]);
		assert_int_equal(info_of(instance).children, 2);
		assert_int_equal(info_of(instance).parent, 0);
		assert_int_equal(info_of(family.kids[0]).parent, info_of(instance).number);
		assert_string_equal(husk_instance_name(family.kids[1]), "mother.2");
		IS(husk_hyper_find(world.hyper, info_of(family.kids[1]).number, &found[0]), HUSK_OK);
		assert_ptr_equal(found[0], family.kids[1]);
		husk_instance_unref(found[0]);

		IS(husk_instance_mail(family.kids[0], "\5", 1), HUSK_OK);
		IS(husk_instance_mail(family.kids[1], "\6", 1), HUSK_OK);
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
		assert_int_equal(info_of(family.kids[0]).exit_code, 5);
		assert_int_equal(info_of(family.kids[1]).exit_code, 6);
		assert_int_equal(info_of(instance).exit_code, 6);
		assert_int_equal(info_of(instance).children, 0);
		assert_int_equal(family.gone, 0);
		husk_instance_unref(family.kids[0]);
		assert_true(workers || family.gone == 1); /* a worker may have it still, to tell of its end */
		husk_instance_unref(family.kids[1]);
		husk_instance_unref(instance);
		husk_instance_unref(other);
		husk_budget_unref(node);
		husk_image_unref(family.kid);
		close_world(&world);
		assert_int_equal(family.gone, 2);
	}
}

/* Nothing is made: the program learns it, whatever the function says. */
static husk_status refuse(void *ctx, husk_instance *parent, const char *name, husk_spawn *spawn)
{
	(void)parent, (void)name, (void)spawn;
	return *(husk_status *)ctx;
}

static void test_spawn_refused(void **state)
{
	static const husk_status answers[] = {HUSK_OK, HUSK_NOT_FOUND, HUSK_LIMIT, HUSK_NO_MEMORY, HUSK_IO};
	husk_instance *instance;
	husk_instance *found[1];
	World world;
	size_t count = 7;

	(void)state;
	open_world(&world, 0, NULL);
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		husk_status answer = answers[i];
		husk_instance_options options = with_rights("mother");

		options.spawn = refuse;
		options.spawn_ctx = &answer;
		instance = make(&world, "SPAWN R1, kid\nSTOP R1\nkid: .TEXT \"kid\"\n", &options);
		IS(husk_instance_start(instance), HUSK_OK);
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
		assert_int_equal(info_of(instance).end, HUSK_END_HALTED);
		assert_int_equal(info_of(instance).exit_code, 0);
		husk_instance_unref(instance);
	}
	IS(husk_hyper_instances(world.hyper, NULL, NULL, 0, &count), HUSK_OK);
	assert_int_equal(count, 0);
	NO(husk_hyper_instances(NULL, NULL, found, 1, &count));
	NO(husk_hyper_instances(world.hyper, NULL, NULL, 1, &count));
	NO(husk_hyper_instances(world.hyper, NULL, found, 1, NULL));
	NO(husk_hyper_find(NULL, 1, found));
	NO(husk_hyper_find(world.hyper, 1, NULL));
	IS(husk_hyper_find(world.hyper, 0, found), HUSK_NOT_FOUND);
	assert_null(found[0]);
	IS(husk_hyper_find(world.hyper, 12345, found), HUSK_NOT_FOUND);
	NO(husk_instance_children(NULL, found, 1, &count));
	instance = make(&world, waiting, NULL);
	NO(husk_instance_children(instance, NULL, 1, &count));
	NO(husk_instance_children(instance, found, 1, NULL));
	IS(husk_instance_children(instance, NULL, 0, &count), HUSK_OK);
	assert_int_equal(count, 0);
	NO(husk_instance_mail(NULL, "a", 1));
	NO(husk_instance_mail(instance, NULL, 1));
	husk_instance_unref(instance);
	close_world(&world);
}

/* ---- Machines of others ---- */

/* Each asks in its own way; also when it is put away while it waits. */
static void test_others(void **state)
{
	static const char *const choices[] = {"services=on"};
	static const struct {
		const char *isa, *file, *text;
	} others[] = {
		{"lc3", "a.asm", ".ORIG x3000\nLEA R0, ROOM\nAND R1, R1, #0\nADD R1, R1, #1\nTRAP x31\nHALT\nROOM .BLKW 1\n.END\n"},
		{"svm", "a.svm", ".globals 4\niconst 0\niconst 1\niconst 0\nserve 0x31\nhalt\n"},
		{"iridium", "a.iasm", ".data\n.code\nload $0 #0\nload $1 #1\nserv #49\nhlt\n"},
		{"merry", "a.gpc.masm", "room: db 0\nmain: mov r1, room\nmov r2, 1\nint 0x31\nhlt\n"},
		{"tinyvm", "a.tvm", "function main\nsync mail_wait:x\nexit\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		husk_instance_options options = with_rights(NULL);
		husk_hyper_options hyper_options;
		husk_isa_options isa_options;
		husk_instance *all[10];
		husk_program *program;
		husk_machine *machine = NULL;
		husk_error *error;
		husk_image *image;
		husk_isa *isa;
		World world;

		HUSK_INIT(isa_options);
		HUSK_INIT(hyper_options);
		isa_options.choices = choices;
		isa_options.choice_count = 1;
		hyper_options.workers = i % 2;
		hyper_options.no_residents = 1;
		IS(husk_context_create(NULL, &world.context), HUSK_OK);
		IS(husk_hyper_create(world.context, &hyper_options, &world.hyper), HUSK_OK);
		IS(husk_isa_load_builtin(world.context, others[i].isa, &isa_options, &isa, NULL), HUSK_OK);
		if (husk_program_load(isa, &(husk_file){others[i].file, others[i].text, strlen(others[i].text), HUSK_FILE_AUTO}, 1, NULL,
				      &program, &error) ||
		    husk_machine_create(program, NULL, &machine, &error))
			fail_msg("%s: %s", others[i].isa, husk_error_text(error));
		IS(husk_image_create(machine, &image), HUSK_OK);
		for (int k = 0; k < 10; k++) {
			IS(husk_instance_create(world.hyper, image, &options, &all[k]), HUSK_OK);
			IS(husk_instance_start(all[k]), HUSK_OK);
		}
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
		for (int k = 0; k < 10; k++) {
			assert_int_equal(info_of(all[k]).state, HUSK_INSTANCE_WAITING);
			assert_int_equal(info_of(all[k]).waits, HUSK_WAIT_MESSAGE);
			IS(husk_instance_mail(all[k], "5", 1), HUSK_OK);
		}
		IS(husk_hyper_run(world.hyper, 20 * second), HUSK_OK);
		for (int k = 0; k < 10; k++) {
			if (info_of(all[k]).end != HUSK_END_HALTED)
				fail_msg("%s: %s", others[i].isa, info_of(all[k]).text);
			husk_instance_unref(all[k]);
		}
		husk_image_unref(image);
		husk_machine_destroy(machine);
		husk_program_unref(program);
		husk_isa_unref(isa);
		close_world(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mailbox), cmocka_unit_test(test_arrived), cmocka_unit_test(test_full_and_foreign),
		cmocka_unit_test(test_mailbox_misuse), cmocka_unit_test(test_children), cmocka_unit_test(test_spawn_refused),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
