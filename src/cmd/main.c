/* SPDX-License-Identifier: MIT
 *
 * husk: one program, many verbs. Everything about a verb (options, help, completion) stands in its own file; here is
 * only the list.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cmd/opt.h"
#include "cmd/say.h"
#include "cmd/verbs.h"

static const Verb *const verbs[] = {
	&verb_run,
	&verb_debug,
	&verb_repl,
	&verb_asm,
	&verb_compile,
	&verb_dis,
	&verb_isa,
	&verb_box, &verb_up,
	&verb_lab,
	&verb_completion,
	&verb_help,
	&verb_version,
	NULL,
};

const Verb husk_verb = {
	.name = "husk",
	.help = "Runs, assembles, takes apart and explains programs for computers that are described by a text (.isa).",
	.operands = "",
	.verbs = verbs,
	.text = "husk VERB --help tells more about a verb. Try:\n"
		"  husk run hello.asm              assemble and run a program\n"
		"  husk repl lc3                   type instructions and see what they do\n"
		"  husk asm prog.asm               write prog.obj\n"
		"  husk isa doc lc3                the manual of a machine\n"
		"\n"
		"Exit codes: a guest's own; 124 timeout, 125 husk failed or was called wrongly, 126 not runnable,\n"
		"127 not found, 137 a limit was reached, 128+N ended as by signal N.\n",
};

static int version_run(Command *command)
{
	(void)command;
	Buf text;
	int code;

	buf_init(&text);
	buf_printf(&text, "husk %s\n", HUSK_VERSION);
	code = say_output(&text, NULL);
	buf_fini(&text);
	return code;
}

const Verb verb_version = {
	.name = "version",
	.run = version_run,
	.help = "print the version",
	.operands = "",
};

static int help_run(Command *command)
{
	char *argv[8];
	int argc = 0;

	for (u32 i = 0; i < command->operand_count && argc < 6; i++)
		argv[argc++] = (char *)(uintptr_t)command->operands[i];
	argv[argc++] = (char[]){"--help"};
	argv[argc] = NULL;
	return opt_dispatch(&husk_verb, "husk", argc, argv);
}

const Verb verb_help = {
	.name = "help",
	.run = help_run,
	.help = "explain husk or one of its verbs",
	.operands = "[VERB]",
	.max_operands = 2,
};

/* Whoever closed a standard descriptor gets an error for it, as before, and not what we open next in its place: a
 * folder as stdin, or a trace with the guest's output in it. False: that isn't possible. */
static bool keep_standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	if (!keep_standard_descriptors())
		return EXIT_HUSK;
	/* A reader that goes away is told by write(), where the terminal can still be put back. */
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0))
		return version_run(NULL);
	return opt_dispatch(&husk_verb, "husk", argc - 1, argv + 1);
}
