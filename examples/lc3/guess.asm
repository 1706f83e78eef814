; Guess a number from 1 to 99. The first key that is pressed seeds the choice.
        .ORIG x3000
        LEA  R0, WELCOME
        PUTS
        GETC
        LD   R1, SEEDMUL        ; secret = (key * 37) mod 99 + 1
        AND  R2, R2, #0
MULT    ADD  R2, R2, R0
        ADD  R1, R1, #-1
        BRp  MULT
        LD   R1, MINUS99
MOD     ADD  R2, R2, R1
        BRzp MOD
        LD   R1, PLUS100
        ADD  R2, R2, R1
        ST   R2, SECRET
        AND  R5, R5, #0         ; guesses

ASK     LEA  R0, PROMPT
        PUTS
        AND  R3, R3, #0         ; the number typed so far
DIGIT   GETC
        ADD  R1, R0, #1         ; end of input, as the tiny machine says it
        BRz  GIVEUP
        OUT
        ADD  R1, R0, #-10       ; end of line?
        BRz  JUDGE
        ADD  R1, R0, #-13
        BRz  JUDGE
        LD   R1, MINUS0
        ADD  R0, R0, R1
        BRn  DIGIT              ; not a digit: ignored
        ADD  R1, R0, #-9
        BRp  DIGIT
        ADD  R4, R3, R3         ; R3 = R3 * 10 + digit
        ADD  R3, R4, R4
        ADD  R3, R3, R3
        ADD  R3, R3, R4
        ADD  R3, R3, R0
        BR   DIGIT

JUDGE   ADD  R5, R5, #1
        LD   R2, SECRET
        NOT  R3, R3
        ADD  R3, R3, #1
        ADD  R3, R2, R3         ; secret - guess
        BRz  RIGHT
        BRp  LOW
        LEA  R0, TOOHIGH
        PUTS
        BR   ASK
LOW     LEA  R0, TOOLOW
        PUTS
        BR   ASK

RIGHT   LEA  R0, FOUND
        PUTS
        ADD  R1, R5, #-9
        BRp  MANY
        LD   R0, ZERO
        ADD  R0, R0, R5
        OUT
        LEA  R0, GUESSES
        PUTS
        HALT
GIVEUP  HALT
MANY    LEA  R0, TOOMANY
        PUTS
        HALT

SEEDMUL .FILL #37
MINUS99 .FILL #-99
PLUS100 .FILL #100
MINUS0  .FILL #-48
ZERO    .FILL x30
SECRET  .BLKW 1
WELCOME .STRINGZ "I think of a number from 1 to 99. Press a key to begin.\n"
PROMPT  .STRINGZ "Your guess: "
TOOHIGH .STRINGZ "Too high.\n"
TOOLOW  .STRINGZ "Too low.\n"
FOUND   .STRINGZ "Right! Guesses: "
GUESSES .STRINGZ "\n"
TOOMANY .STRINGZ "many\n"
        .END
