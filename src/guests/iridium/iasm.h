/* SPDX-License-Identifier: MIT
 *
 * Assembly text of Iridium, one statement at a time:
 *
 *     statement := [name ':'] (mnemonic | '.' name) [operand [operand [operand]]]
 *     operand   := '#' ['-'] digits | '$' digits | '@' name | '\'' text '\''
 *     comment   := ';' text up to the end of the line
 *
 * Blanks and line ends separate; names are letters and digits, mnemonics and directives letters.
 *
 * as_built follows the original's parser to the letter: a mnemonic ends at a digit, blanks and comments may stand only
 * where it looks for them, and whatever it does not understand ends the program without a word.
 */
#ifndef GUESTS_IRIDIUM_IASM_H
#define GUESTS_IRIDIUM_IASM_H

#include "base/diag.h"
#include "base/types.h"

typedef enum IasmKind { IASM_NUMBER, IASM_REGISTER, IASM_LABEL, IASM_STRING } IasmKind;

typedef struct IasmPart { /* bytes of the text */
	size_t at, len; /* len 0: not there */
} IasmPart;

typedef struct IasmOperand {
	u8 kind;
	i64 value;     /* NUMBER, REGISTER; digits beyond 2^40 all give 2^40 */
	IasmPart name; /* LABEL, STRING: without '@' or the quotes */
	IasmPart whole;
} IasmOperand;

typedef struct IasmStatement {
	IasmPart label, name; /* name: the mnemonic, or the directive without its '.' */
	bool is_directive;
	IasmOperand operands[3];
	u32 count;
} IasmStatement;

typedef struct IasmReader {
	const Source *source;
	size_t at;
	bool as_built;
	const char *trouble; /* why the last iasm_next gave IASM_BAD */
	IasmPart where;
} IasmReader;

typedef enum IasmResult { IASM_STATEMENT, IASM_END, IASM_BAD } IasmResult;

IasmResult iasm_next(IasmReader *reader, IasmStatement *out);
bool iasm_is(const Source *source, IasmPart part, const char *word, bool fold);

#endif
