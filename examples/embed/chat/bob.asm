; Bob answers one line, and counts in "lines" how many he has answered in his life (up to nine).
        .ORIG x3000
        LEA  R0, LINE
        LD   R1, MOST
        TRAP x31                ; waits: R1 = who sent it
        ST   R1, WHO
        LEA  R0, KEY
        LEA  R1, DIGIT
        AND  R2, R2, #0
        ADD  R2, R2, #1
        TRAP x37                ; DIGIT stays "0" when nothing is kept
        LD   R0, DIGIT
        ADD  R0, R0, #1
        ST   R0, DIGIT
        LEA  R0, KEY
        LEA  R1, DIGIT
        TRAP x38                ; R2 is still 1
        LEA  R0, DIGIT
        LD   R1, WHO
        ADD  R2, R2, #15
        TRAP x30
        HALT
WHO     .BLKW 1
MOST    .FILL 60
KEY     .STRINGZ "lines"
DIGIT   .FILL x30               ; "0"
        .STRINGZ " lines answered"
LINE    .BLKW 60
        .END
