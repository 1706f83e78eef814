; LC-3: counts how often it was run. The number, as one character, is kept under the key "runs".
        .ORIG x3000
        LEA  R0, KEY
        LEA  R1, VALUE
        AND  R2, R2, #0
        ADD  R2, R2, #1
        TRAP x37                ; get: R0 = length, or xFFFF when there is none
        LD   R3, VALUE
        ADD  R3, R3, #1
        ST   R3, VALUE
        LEA  R0, KEY
        LEA  R1, VALUE
        TRAP x38                ; set
        LEA  R0, TEXT
        PUTS
        LD   R0, VALUE
        OUT
        HALT
KEY     .STRINGZ "runs"
VALUE   .FILL x30               ; "0"
TEXT    .STRINGZ "run number "
        .END
