/* SPDX-License-Identifier: MIT
 *
 * A host for plug-ins that nobody trusts: each is a RISC-V program in a machine of its own. It has 16 MiB, no file, no network, and
 * the two functions that it is given here; its function on_event is called like one of our own, with 100,000 instructions at most.
 * A plug-in that crashes or does not come back is thrown out, and nobody else notices.
 *
 *     cc plugins.c $(pkg-config --cflags --libs husk) -o plugins && ./plugins plugins/triple.s ...
 */
#include <husk/husk.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PLUGINS = 16 };

typedef struct Plugin {
	const char *name;
	husk_machine *machine;
	husk_function *on_event;
} Plugin;

/* Host function 0: the plug-in has set itself up; the run ends here. */
static husk_host_result ready(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	(void)ctx, (void)machine, (void)args, (void)count, (void)result;
	return HUSK_HOST_PAUSE;
}

/* Host function 1: a text from the plug-in's memory. What it gives may be wrong in every way: read_text looks. */
static husk_host_result say(void *ctx, husk_machine *machine, const uint64_t *args, uint32_t count, uint64_t *result)
{
	Plugin *plugin = husk_machine_user(machine);
	husk_space_info memory;
	char text[80];

	(void)ctx, (void)count;
	HUSK_INIT(memory);
	husk_isa_find_space(husk_program_isa(husk_machine_program(machine)), NULL, &memory);
	*result = 0;
	if (husk_machine_read_text(machine, memory.number, args[0], text, sizeof text))
		return HUSK_HOST_DENIED;
	printf("    [%s] %s\n", plugin->name, text);
	return HUSK_HOST_DONE;
}

static char *read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *text = malloc(1 << 20);

	*len = file && text ? fread(text, 1, 1 << 20, file) : 0;
	if (file)
		fclose(file);
	return text;
}

/* Assembles it, lets it run until it says that it is ready. */
static int load(Plugin *plugin, husk_isa *isa, husk_hosts *hosts, const char *path)
{
	husk_program *program = NULL;
	husk_error *error = NULL;
	husk_machine_options options;
	husk_stop stop;
	size_t len;
	char *text = read_file(path, &len);
	husk_status status;

	HUSK_INIT(options);
	HUSK_INIT(stop);
	plugin->name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	options.memory = 16 << 20;
	options.hosts = hosts;
	options.user = plugin;
	status = husk_program_assemble(isa, plugin->name, text, len, NULL, &program, &error);
	if (!status)
		status = husk_machine_create(program, &options, &plugin->machine, &error);
	if (!status)
		status = husk_machine_run(plugin->machine, 100000, &stop);
	if (!status && stop.kind != HUSK_STOP_PAUSED)
		status = HUSK_FAILED;
	if (!status)
		status = husk_function_find(plugin->machine, "on_event", NULL, &plugin->on_event);
	if (status)
		fprintf(stderr, "%s: %s\n%s", plugin->name, husk_status_text(status), husk_error_text(error));
	husk_error_destroy(error);
	husk_program_unref(program);
	free(text);
	return status == HUSK_OK;
}

static void drop(Plugin *plugin)
{
	husk_function_destroy(plugin->on_event);
	husk_machine_destroy(plugin->machine);
	plugin->on_event = NULL;
	plugin->machine = NULL;
}

int main(int argc, char **argv)
{
	Plugin plugins[PLUGINS] = {{0}};
	husk_context *context;
	husk_hosts *hosts;
	husk_isa *isa;
	int count = argc - 1 < PLUGINS ? argc - 1 : PLUGINS;

	if (husk_context_create(NULL, &context) || husk_isa_load_builtin(context, "rv64", NULL, &isa, NULL) ||
	    husk_hosts_create(context, &hosts) || husk_hosts_add(hosts, "ready", ready, NULL) || husk_hosts_add(hosts, "log", say, NULL))
		return 1;
	for (int i = 0; i < count; i++)
		if (!load(&plugins[i], isa, hosts, argv[i + 1]))
			drop(&plugins[i]);
	for (uint64_t event = 1; event <= 3; event++) {
		printf("event %" PRIu64 "\n", event);
		for (int i = 0; i < count; i++) {
			husk_stop stop;
			husk_status status;
			uint64_t result;

			if (!plugins[i].on_event)
				continue;
			HUSK_INIT(stop);
			status = husk_function_call(plugins[i].on_event, &event, 1, 100000, &result, &stop);
			if (!status) {
				printf("    %s: %" PRId64 "\n", plugins[i].name, (int64_t)result);
				continue;
			}
			printf("    %s: %s%s%s; it is thrown out\n", plugins[i].name, husk_status_text(status), *stop.text ? ": " : "",
			       stop.text);
			drop(&plugins[i]);
		}
	}
	for (int i = 0; i < count; i++)
		drop(&plugins[i]);
	husk_hosts_unref(hosts);
	husk_isa_unref(isa);
	husk_context_unref(context);
	return 0;
}
