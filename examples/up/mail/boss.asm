; LC-3: starts two workers, waits for both, and says how they ended.
        .ORIG x3000
        LEA  R0, NAME
        TRAP x35                ; R0 = the number of a new instance of "worker", or 0
        ST   R0, FIRST
        LEA  R0, NAME
        TRAP x35
        ST   R0, SECOND
        LD   R0, FIRST
        TRAP x36                ; waits for its end: R0 = its code
        LD   R1, ZERO
        ADD  R0, R0, R1
        OUT
        LD   R0, SECOND
        TRAP x36
        ADD  R0, R0, R1
        OUT
        LD   R0, NEWLINE
        OUT
        HALT
NAME    .STRINGZ "worker"
FIRST   .BLKW 1
SECOND  .BLKW 1
ZERO    .FILL x30
NEWLINE .FILL 10
        .END
