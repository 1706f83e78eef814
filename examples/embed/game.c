/* SPDX-License-Identifier: MIT
 *
 * A game loop with scripted characters. The script language is a computer of our own (the text below); a character is a machine of 256
 * bytes that gets 300 instructions a frame. Scripts act through host functions: step, look for the nearest other one, say
 * something to it, and wait for the next frame. One that never waits simply loses what is left of its frame.
 *
 *     cc game.c $(pkg-config --cflags --libs husk) -o game && ./game
 */
#include <husk/husk.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHARACTERS = 60, FRAMES = 50, FUEL = 300, SIZE = 100 };

static const char script_isa[] =
	"isa SCRIPT \"what characters do\"\n"
	"space M : 8 x 256\n"
	"code M\n"
	"reg A : 8\n"
	"reg B : 8\n"
	"reg pc : 8\n"
	"host step(dx:8, dy:8)\n"
	"host look() : 16\n"
	"host say(word:8)\n"
	"host heard() : 8\n"
	"host frame()\n"
	"field n : signed\n"
	"field t : abs\n"
	"insn STEP  \"00000001\" { host step(A, B) }\n"
	"insn LOOK  \"00000010\" { let d = host look(); A = d[7:0]; B = d[15:8] }\n" /* the way to the nearest one: -1, 0, 1 each */
	"insn SAY   \"00000011 nnnnnnnn\" n { host say(n) }\n"
	"insn HEARD \"00000100\" { A = host heard() }\n"
	"insn FRAME \"00000101\" { host frame() }\n"
	"insn SETA  \"00000110 nnnnnnnn\" n { A = n }\n"
	"insn SETB  \"00000111 nnnnnnnn\" n { B = n }\n"
	"insn JMP   \"00001000 tttttttt\" t { jump t }\n"
	"insn JZ    \"00001001 tttttttt\" t { if (A == 0) jump t }\n"
	"insn FLIP  \"00001010\" { A = 0 - A; B = 0 - B }\n";

static const struct { const char *name, *text; } scripts[] = {
	{"walker", "SETA 1\n SETB 0\nL: STEP\n FRAME\n JMP L\n"},
	{"hunter", "L: LOOK\n STEP\n SAY 1\n FRAME\n JMP L\n"},
	{"coward", "L: HEARD\n JZ REST\n LOOK\n FLIP\n STEP\n REST: FRAME\n JMP L\n"},
	{"endless", "SETA 0\n SETB 1\n STEP\nL: JMP L\n"},
};

typedef struct Character {
	husk_machine *machine;
	const char *name;
	struct World *world;
	int x, y;
	uint8_t word; /* what was said to it */
	unsigned steps, words, starved;
} Character;

typedef struct World {
	Character all[CHARACTERS];
} World;

static Character *nearest(const Character *self)
{
	Character *best = NULL;
	int least = 0;

	for (int i = 0; i < CHARACTERS; i++) {
		Character *other = &self->world->all[i];
		int far = abs(other->x - self->x) + abs(other->y - self->y);

		if (other != self && (!best || far < least)) {
			best = other;
			least = far;
		}
	}
	return best;
}

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static husk_host_result step(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	Character *self = husk_machine_user(machine);

	(void)ctx, (void)count, (void)result;
	self->x = (self->x + sign((int8_t)args[0]) + SIZE) % SIZE; /* a step is a step, whatever it says */
	self->y = (self->y + sign((int8_t)args[1]) + SIZE) % SIZE;
	self->steps++;
	return HUSK_HOST_DONE;
}

static husk_host_result look(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	const Character *self = husk_machine_user(machine), *other = nearest(self);

	(void)ctx, (void)args, (void)count;
	*result = (uint8_t)sign(other->x - self->x) | (unsigned)(uint8_t)sign(other->y - self->y) << 8;
	return HUSK_HOST_DONE;
}

static husk_host_result say(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	Character *self = husk_machine_user(machine);

	(void)ctx, (void)count, (void)result;
	nearest(self)->word = (uint8_t)args[0];
	self->words++;
	return HUSK_HOST_DONE;
}

static husk_host_result heard(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	Character *self = husk_machine_user(machine);

	(void)ctx, (void)args, (void)count;
	*result = self->word;
	self->word = 0;
	return HUSK_HOST_DONE;
}

static husk_host_result frame(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	(void)ctx, (void)machine, (void)args, (void)count, (void)result;
	return HUSK_HOST_PAUSE;
}

static void must(husk_status status, husk_error *error)
{
	if (!status)
		return;
	fprintf(stderr, "%s\n%s", husk_status_text(status), husk_error_text(error));
	exit(1);
}

int main(void)
{
	husk_program *programs[sizeof scripts / sizeof *scripts];
	const size_t kinds = sizeof scripts / sizeof *scripts;
	static World world;
	husk_context *context;
	husk_hosts *hosts;
	husk_error *error;
	husk_isa *isa;

	must(husk_context_create(NULL, &context), NULL);
	must(husk_isa_load_text(context, "script.isa", script_isa, strlen(script_isa), NULL, &isa, &error), error);
	must(husk_hosts_create(context, &hosts), NULL);
	must(husk_hosts_add(hosts, "step", step, NULL), NULL);
	must(husk_hosts_add(hosts, "look", look, NULL), NULL);
	must(husk_hosts_add(hosts, "say", say, NULL), NULL);
	must(husk_hosts_add(hosts, "heard", heard, NULL), NULL);
	must(husk_hosts_add(hosts, "frame", frame, NULL), NULL);
	for (size_t i = 0; i < kinds; i++)
		must(husk_program_assemble(isa, scripts[i].name, scripts[i].text, strlen(scripts[i].text), NULL, &programs[i], &error), error);
	for (size_t i = 0; i < CHARACTERS; i++) {
		Character *self = &world.all[i];
		husk_machine_options options;

		*self = (Character){.name = scripts[i % kinds].name, .world = &world, .x = (int)(i * 37 % SIZE), .y = (int)(i * 61 % SIZE)};
		HUSK_INIT(options);
		options.hosts = hosts;
		options.engine = HUSK_ENGINE_INTERPRETER; /* short turns: code is not worth compiling */
		options.user = self;
		must(husk_machine_create(programs[i % kinds], &options, &self->machine, &error), error);
	}
	for (int f = 0; f < FRAMES; f++)
		for (size_t i = 0; i < CHARACTERS; i++) {
			husk_stop stop;

			HUSK_INIT(stop);
			must(husk_machine_run(world.all[i].machine, FUEL, &stop), NULL);
			world.all[i].starved += stop.kind == HUSK_STOP_FUEL;
		}
	for (size_t k = 0; k < kinds; k++) {
		unsigned steps = 0, words = 0, starved = 0;

		for (size_t i = k; i < CHARACTERS; i += kinds) {
			steps += world.all[i].steps;
			words += world.all[i].words;
			starved += world.all[i].starved;
		}
		printf("%-8s %5u steps %5u words %5u frames without an end\n", scripts[k].name, steps, words, starved);
		husk_program_unref(programs[k]);
	}
	for (size_t i = 0; i < CHARACTERS; i++)
		husk_machine_destroy(world.all[i].machine);
	husk_hosts_unref(hosts);
	husk_isa_unref(isa);
	husk_context_unref(context);
	return 0;
}
