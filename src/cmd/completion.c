/* SPDX-License-Identifier: MIT
 *
 * `husk completion SHELL`: the shells' completion scripts, written from the verbs' tables (opt.h). The three writers
 * walk the same tree; what may stand in a value's place is read off the word that help shows for it.
 */
#include "cmd/verbs.h"

#include <string.h>

#include "cmd/opt.h"
#include "cmd/say.h"
#include "guests/guests.h"

typedef enum Place { PLACE_TEXT, PLACE_FILE, PLACE_DIR, PLACE_MACHINE, PLACE_WORDS } Place;

/* What can stand where help says `value`. */
static Place place_of(const char *value)
{
	if (!value || !*value)
		return PLACE_TEXT;
	value += *value == '[';
	if (strchr(value, '|'))
		return PLACE_WORDS;
	if (strncmp(value, "FILE", 4) == 0)
		return PLACE_FILE;
	if (strncmp(value, "DIR", 3) == 0)
		return PLACE_DIR;
	if (strncmp(value, "MACHINE", 7) == 0)
		return PLACE_MACHINE;
	return PLACE_TEXT;
}

static void machine_words(Buf *out)
{
	for (const Guest *const *guest = guests_all; *guest; guest++)
		buf_printf(out, "%s%s", guest == guests_all ? "" : " ", (*guest)->name);
}

static void choice_words(const char *value, Buf *out)
{
	for (; *value; value++)
		buf_byte(out, *value == '|' ? ' ' : (u8)*value);
}

static void verb_words(const Verb *verb, Buf *out)
{
	for (const Verb *const *sub = verb->verbs; sub && *sub; sub++)
		buf_printf(out, "%s ", (*sub)->name);
	for (const Opt *opt = verb->options; opt && opt->name; opt++) {
		buf_printf(out, "--%s ", opt->name);
		if (opt->letter)
			buf_printf(out, "-%c ", opt->letter);
	}
	buf_str(out, "--help");
}

/* A one-line text inside single quotes, for a shell. */
static void quoted(const char *text, const char *special, Buf *out)
{
	for (; *text && *text != '\n'; text++) {
		if (*text == '\'')
			buf_str(out, "'\\''");
		else if (strchr(special, *text))
			buf_printf(out, "\\%c", *text);
		else
			buf_byte(out, (u8)*text);
	}
}

/* ---- bash ---- */

static void bash_place(const char *value, Buf *out)
{
	switch (place_of(value)) {
	case PLACE_FILE: buf_str(out, "COMPREPLY=($(compgen -f -- \"$cur\"))"); break;
	case PLACE_DIR: buf_str(out, "COMPREPLY=($(compgen -d -- \"$cur\"))"); break;
	case PLACE_MACHINE:
		buf_str(out, "COMPREPLY=($(compgen -f -W \"");
		machine_words(out);
		buf_str(out, "\" -- \"$cur\"))");
		break;
	case PLACE_WORDS:
		buf_str(out, "COMPREPLY=($(compgen -W \"");
		choice_words(value, out);
		buf_str(out, "\" -- \"$cur\"))");
		break;
	case PLACE_TEXT: buf_str(out, "COMPREPLY=()"); break;
	}
}

static void bash_verb(const Verb *verb, const char *path, Buf *out)
{
	buf_printf(out, "\t'%s')\n\t\tcase $prev in\n", path);
	for (const Opt *opt = verb->options; opt && opt->name; opt++) {
		if (opt->kind == OPT_FLAG || opt->kind == OPT_MAYBE)
			continue;
		buf_printf(out, "\t\t--%s", opt->name);
		if (opt->letter)
			buf_printf(out, "|-%c", opt->letter);
		buf_str(out, ") ");
		bash_place(opt->value, out);
		buf_str(out, "; return ;;\n");
	}
	buf_str(out, "\t\tesac\n\t\tif [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"");
	verb_words(verb, out);
	buf_str(out, "\" -- \"$cur\"))\n\t\telse ");
	if (verb->verbs) {
		buf_str(out, "COMPREPLY=($(compgen -W \"");
		verb_words(verb, out);
		buf_str(out, "\" -- \"$cur\"))");
	} else {
		bash_place(verb->operands, out);
	}
	buf_str(out, "; fi ;;\n");
	for (const Verb *const *sub = verb->verbs; sub && *sub; sub++) {
		Buf longer;

		buf_init(&longer);
		buf_printf(&longer, "%s %s", path, (*sub)->name);
		bash_verb(*sub, buf_text(&longer), out);
		buf_fini(&longer);
	}
}

/* Every path of verbs that has further verbs under it, as patterns of a case. */
static void bash_steps(const Verb *verb, const char *path, Buf *out)
{
	if (!verb->verbs)
		return;
	buf_printf(out, "\t\t'%s') case $word in ", path);
	for (const Verb *const *sub = verb->verbs; *sub; sub++)
		buf_printf(out, "%s%s", sub == verb->verbs ? "" : "|", (*sub)->name);
	buf_str(out, ") path+=\" $word\" ;; esac ;;\n");
	for (const Verb *const *sub = verb->verbs; *sub; sub++) {
		Buf longer;

		buf_init(&longer);
		buf_printf(&longer, "%s %s", path, (*sub)->name);
		bash_steps(*sub, buf_text(&longer), out);
		buf_fini(&longer);
	}
}

static void write_bash(Buf *out)
{
	buf_str(out, "# bash completion for husk: source <(husk completion bash)\n"
		     "_husk() {\n"
		     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path=husk word i\n"
		     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		     "\t\tword=${COMP_WORDS[i]}\n"
		     "\t\tcase $path in\n");
	bash_steps(&husk_verb, "husk", out);
	buf_str(out, "\t\tesac\n\tdone\n\tcase $path in\n");
	bash_verb(&husk_verb, "husk", out);
	buf_str(out, "\tesac\n}\ncomplete -o filenames -F _husk husk\n");
}

/* ---- zsh ---- */

static void zsh_place(const char *value, Buf *out)
{
	switch (place_of(value)) {
	case PLACE_FILE: buf_str(out, "_files"); break;
	case PLACE_DIR: buf_str(out, "_files -/"); break;
	case PLACE_MACHINE:
		buf_str(out, "{_files; compadd -- ");
		machine_words(out);
		buf_str(out, "}");
		break;
	case PLACE_WORDS:
		buf_str(out, "(");
		choice_words(value, out);
		buf_str(out, ")");
		break;
	case PLACE_TEXT: buf_str(out, " "); break;
	}
}

static void zsh_spec(const Opt *opt, bool letter, Buf *out)
{
	buf_str(out, " \\\n\t\t'");
	if (opt->kind == OPT_LIST)
		buf_byte(out, '*');
	if (letter)
		buf_printf(out, "-%c", opt->letter);
	else
		buf_printf(out, "--%s%s", opt->name,
			   opt->kind == OPT_FLAG ? "" : opt->kind == OPT_MAYBE ? "=-" : "=");
	buf_byte(out, '[');
	quoted(opt->help, "[]\\:", out);
	buf_byte(out, ']');
	if (opt->kind != OPT_FLAG) {
		buf_str(out, opt->kind == OPT_MAYBE ? "::" : ":");
		quoted(place_of(opt->value) == PLACE_WORDS ? "word" : opt->value, "[]\\:", out);
		buf_byte(out, ':');
		zsh_place(opt->value, out);
	}
	buf_byte(out, '\'');
}

static void zsh_name(const char *path, Buf *out)
{
	buf_byte(out, '_');
	for (; *path; path++)
		buf_byte(out, *path == ' ' ? '_' : (u8)*path);
}

static void zsh_verb(const Verb *verb, const char *path, Buf *out)
{
	for (const Verb *const *sub = verb->verbs; sub && *sub; sub++) {
		Buf longer;

		buf_init(&longer);
		buf_printf(&longer, "%s %s", path, (*sub)->name);
		zsh_verb(*sub, buf_text(&longer), out);
		buf_fini(&longer);
	}
	zsh_name(path, out);
	buf_str(out, "() {\n");
	if (verb->verbs) {
		buf_str(out, "\tlocal state line\n\t_arguments -C '--help[this text]' '1:verb:((");
		for (const Verb *const *sub = verb->verbs; *sub; sub++) {
			buf_printf(out, "%s\\:\"", (*sub)->name);
			quoted((*sub)->help, "[]\\:\"", out);
			buf_str(out, "\" ");
		}
		buf_str(out, "))' '*::arg:->rest'\n\tcase $state in rest) case $line[1] in\n");
		for (const Verb *const *sub = verb->verbs; *sub; sub++) {
			buf_printf(out, "\t%s) ", (*sub)->name);
			zsh_name(path, out);
			buf_printf(out, "_%s ;;\n", (*sub)->name);
		}
		buf_str(out, "\tesac ;; esac\n}\n");
		return;
	}
	buf_str(out, "\t_arguments -S '--help[this text]'");
	for (const Opt *opt = verb->options; opt && opt->name; opt++) {
		zsh_spec(opt, false, out);
		if (opt->letter)
			zsh_spec(opt, true, out);
	}
	if (*verb->operands) {
		buf_str(out, " \\\n\t\t'*:operand:");
		zsh_place(verb->operands, out);
		buf_byte(out, '\'');
	}
	buf_str(out, "\n}\n");
}

static void write_zsh(Buf *out)
{
	buf_str(out, "#compdef husk\n# zsh completion for husk: source <(husk completion zsh)\n");
	zsh_verb(&husk_verb, "husk", out);
	buf_str(out, "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _husk \"$@\"; else compdef _husk husk; fi\n");
}

/* ---- fish ---- */

static void fish_place(const char *value, Buf *out)
{
	switch (place_of(value)) {
	case PLACE_FILE: buf_str(out, " -F"); break;
	case PLACE_DIR: buf_str(out, " -x -a '(__fish_complete_directories)'"); break;
	case PLACE_MACHINE:
		buf_str(out, " -F -a '");
		machine_words(out);
		buf_byte(out, '\'');
		break;
	case PLACE_WORDS:
		buf_str(out, " -x -a '");
		choice_words(value, out);
		buf_byte(out, '\'');
		break;
	case PLACE_TEXT: break;
	}
}

/* `when` is a fish condition: which verb words have been seen. */
static void fish_verb(const Verb *verb, const char *when, Buf *out)
{
	for (const Verb *const *sub = verb->verbs; sub && *sub; sub++) {
		Buf inner;

		buf_printf(out, "complete -c husk -n '%s; and not __fish_seen_subcommand_from", when);
		for (const Verb *const *other = verb->verbs; *other; other++)
			buf_printf(out, " %s", (*other)->name);
		buf_printf(out, "' -f -a %s -d '", (*sub)->name);
		quoted((*sub)->help, "\\", out);
		buf_str(out, "'\n");
		buf_init(&inner);
		buf_printf(&inner, "%s; and __fish_seen_subcommand_from %s", when, (*sub)->name);
		fish_verb(*sub, buf_text(&inner), out);
		buf_fini(&inner);
	}
	if (verb->verbs)
		return;
	for (const Opt *opt = verb->options; opt && opt->name; opt++) {
		buf_printf(out, "complete -c husk -n '%s' -l %s", when, opt->name);
		if (opt->letter)
			buf_printf(out, " -s %c", opt->letter);
		if (opt->kind != OPT_FLAG && opt->kind != OPT_MAYBE)
			buf_str(out, " -r");
		fish_place(opt->value, out);
		buf_str(out, " -d '");
		quoted(opt->help, "\\", out);
		buf_str(out, "'\n");
	}
	if (*verb->operands) {
		buf_printf(out, "complete -c husk -n '%s'", when);
		fish_place(verb->operands, out);
		buf_byte(out, '\n');
	}
}

static void write_fish(Buf *out)
{
	buf_str(out, "# fish completion for husk: husk completion fish | source\n"
		     "complete -c husk -f -l help -s h -d 'what a verb does and which options it has'\n");
	fish_verb(&husk_verb, "true", out);
}

static int completion_run(Command *command)
{
	const char *shell = command->operands[0];
	Buf out;
	int code;

	buf_init(&out);
	if (strcmp(shell, "bash") == 0) {
		write_bash(&out);
	} else if (strcmp(shell, "zsh") == 0) {
		write_zsh(&out);
	} else if (strcmp(shell, "fish") == 0) {
		write_fish(&out);
	} else {
		say_error("no completion for '%s'; there is one for bash, zsh and fish", shell);
		return EXIT_HUSK;
	}
	code = say_output(&out, NULL);
	buf_fini(&out);
	return code;
}

const Verb verb_completion = {
	.name = "completion",
	.run = completion_run,
	.help = "print a completion script for a shell",
	.operands = "bash|zsh|fish",
	.min_operands = 1,
	.max_operands = 1,
	.text = "To use it at once:\n"
		"  bash   source <(husk completion bash)\n"
		"  zsh    source <(husk completion zsh)\n"
		"  fish   husk completion fish | source\n",
};
