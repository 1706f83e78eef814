/* SPDX-License-Identifier: MIT
 *
 * Grades programs of students, for any computer that Husk knows: each runs in an instance of its own, with a limit of instructions, of
 * output and of time, and is compared with the output that is expected. All at once on two threads; none can disturb the others.
 *
 *     cc grader.c $(pkg-config --cflags --libs husk) -o grader
 *     ./grader lc3 expected.txt [--set OPTION=CHOICE] [--input FILE] [--json FILE] [--junit FILE] students/one.asm ...
 *
 * The machine is a built-in one or an .isa file. Exit status: 0 when all have passed, 1 when not, 2 when it could not be done.
 */
#include <husk/husk.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { STUDENTS = 500, FUEL = 2000000, OUTPUT = 10000 };

typedef struct Text {
	char *data;
	size_t len;
} Text;

typedef struct Grade {
	const char *file, *verdict; /* "passed", "wrong output", "crashed", "too long", "too much output", "does not assemble" */
	char *detail;
	uint64_t instructions;
	husk_instance *instance;
} Grade;

static Text read_file(const char *path)
{
	Text text = {malloc(1 << 20), 0};
	FILE *file = fopen(path, "rb");

	if (!file || !text.data) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(2);
	}
	text.len = fread(text.data, 1, 1 << 20, file);
	fclose(file);
	return text;
}

static char *copy(const char *text)
{
	char *out = malloc(strlen(text) + 1);

	return out ? strcpy(out, text) : NULL;
}

/* A program that does not assemble has its grade already. */
static void hand_in(Grade *grade, husk_hyper *hyper, husk_isa *isa, const Text *input)
{
	husk_instance_options options;
	husk_program *program = NULL;
	husk_machine *machine = NULL;
	husk_error *error = NULL;
	husk_image *image = NULL;
	husk_limits limits;
	Text text = read_file(grade->file);
	husk_file file = {grade->file, text.data, text.len, HUSK_FILE_AUTO};
	husk_status status = husk_program_load(isa, &file, 1, NULL, &program, &error);

	HUSK_INIT(options);
	HUSK_INIT(limits);
	limits.fuel = FUEL;
	limits.output = OUTPUT;
	options.limits = &limits;
	options.name = grade->file;
	options.output_kept = OUTPUT;
	options.timeout = (uint64_t)60 * 1000000000;
	options.seed = 1;
	if (!status)
		status = husk_machine_create(program, NULL, &machine, &error);
	if (!status)
		status = husk_image_create(machine, &image);
	if (!status)
		status = husk_instance_create(hyper, image, &options, &grade->instance);
	if (status) {
		grade->verdict = "does not assemble";
		grade->detail = copy(error ? husk_error_text(error) : husk_status_text(status));
	} else {
		husk_instance_input(grade->instance, input->data, input->len);
		husk_instance_input_end(grade->instance);
		husk_instance_start(grade->instance);
	}
	husk_error_destroy(error);
	husk_image_unref(image);
	husk_machine_destroy(machine);
	husk_program_unref(program);
	free(text.data);
}

static void judge(Grade *grade, const Text *expected)
{
	husk_instance_info info;
	husk_blob *output;

	if (!grade->instance)
		return;
	HUSK_INIT(info);
	husk_instance_wait(grade->instance, HUSK_UNLIMITED);
	husk_instance_get_info(grade->instance, &info);
	if (husk_instance_output(grade->instance, &output))
		exit(2);
	grade->instructions = info.instructions;
	grade->detail = copy(info.text);
	if (info.end == HUSK_END_LIMIT)
		grade->verdict = info.output_bytes >= OUTPUT ? "too much output" : "too long";
	else if (info.end != HUSK_END_HALTED)
		grade->verdict = "crashed";
	else if (husk_blob_size(output) != expected->len || memcmp(husk_blob_data(output), expected->data, expected->len) != 0)
		grade->verdict = "wrong output";
	else
		grade->verdict = "passed";
	husk_blob_destroy(output);
	husk_instance_unref(grade->instance);
}

/* A text in JSON (escape 'j') or XML ('x'), quoted. */
static void put_text(FILE *out, const char *text, char escape)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (escape == 'j' && (c == '"' || c == '\\'))
			fprintf(out, "\\%c", c);
		else if (escape == 'j' && c < 32)
			fprintf(out, "\\u%04x", c);
		else if (escape == 'x' && (c < 32 || strchr("\"&<>", c)))
			fprintf(out, "&#%u;", c < 32 && !strchr("\t\n\r", c) ? '?' : c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void write_json(const char *path, const Grade *grades, size_t count)
{
	FILE *out = fopen(path, "w");

	for (size_t i = 0; out && i < count; i++) {
		fputs(i ? ",\n {\"file\": " : "[{\"file\": ", out);
		put_text(out, grades[i].file, 'j');
		fputs(", \"verdict\": ", out);
		put_text(out, grades[i].verdict, 'j');
		fprintf(out, ", \"instructions\": %" PRIu64 ", \"detail\": ", grades[i].instructions);
		put_text(out, grades[i].detail, 'j');
		fputs("}", out);
	}
	if (!out || fputs(count ? "]\n" : "[]\n", out) < 0 || fclose(out))
		exit(2);
}

static void write_junit(const char *path, const Grade *grades, size_t count, size_t failures)
{
	FILE *out = fopen(path, "w");

	if (!out)
		exit(2);
	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"husk\" tests=\"%zu\" failures=\"%zu\">\n", count, failures);
	for (size_t i = 0; i < count; i++) {
		fputs(" <testcase name=", out);
		put_text(out, grades[i].file, 'x');
		if (strcmp(grades[i].verdict, "passed") == 0) {
			fputs("/>\n", out);
			continue;
		}
		fputs("><failure message=", out);
		put_text(out, grades[i].verdict, 'x');
		fputs(" type=", out);
		put_text(out, grades[i].detail, 'x');
		fputs("/></testcase>\n", out);
	}
	fputs("</testsuite>\n", out);
	if (fclose(out))
		exit(2);
}

int main(int argc, char **argv)
{
	const char *json = NULL, *junit = NULL;
	static Grade grades[STUDENTS];
	size_t count = 0, failures = 0;
	const char *choices[8];
	husk_isa_options how;
	husk_hyper_options options;
	Text expected, input = {NULL, 0};
	husk_error *error = NULL;
	husk_context *context;
	husk_hyper *hyper;
	husk_isa *isa;

	if (argc < 4) {
		fprintf(stderr, "usage: grader MACHINE EXPECTED [--set OPTION=CHOICE] [--input FILE] [--json FILE] [--junit FILE] PROGRAM...\n");
		return 2;
	}
	expected = read_file(argv[2]);
	HUSK_INIT(how);
	how.choices = choices;
	for (int i = 3; i < argc && count < STUDENTS; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--json") == 0)
			json = value;
		else if (strcmp(argv[i], "--junit") == 0)
			junit = value;
		else if (strcmp(argv[i], "--input") == 0)
			input = read_file(value);
		else if (strcmp(argv[i], "--set") == 0 && how.choice_count < 8)
			choices[how.choice_count++] = value;
		else
			grades[count++].file = argv[i];
		i += argv[i][0] == '-';
	}
	HUSK_INIT(options);
	options.workers = 2;
	if (husk_context_create(NULL, &context) || husk_hyper_create(context, &options, &hyper) ||
	    (strstr(argv[1], ".isa") ? husk_isa_load_file(context, argv[1], &how, &isa, &error)
				     : husk_isa_load_builtin(context, argv[1], &how, &isa, &error))) {
		fprintf(stderr, "%s\n", husk_error_text(error));
		return 2;
	}
	for (size_t i = 0; i < count; i++)
		hand_in(&grades[i], hyper, isa, &input);
	for (size_t i = 0; i < count; i++) {
		judge(&grades[i], &expected);
		failures += strcmp(grades[i].verdict, "passed") != 0;
		printf("%-18s %s\n", grades[i].verdict, grades[i].file);
	}
	printf("%zu of %zu passed\n", count - failures, count);
	if (json)
		write_json(json, grades, count);
	if (junit)
		write_junit(junit, grades, count, failures);
	for (size_t i = 0; i < count; i++)
		free(grades[i].detail);
	free(expected.data);
	free(input.data);
	husk_isa_unref(isa);
	husk_hyper_destroy(hyper);
	husk_context_unref(context);
	return failures ? 1 : 0;
}
