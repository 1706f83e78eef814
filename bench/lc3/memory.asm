; Copies an array, adding one to each word, and sums it: LDR, STR and pointers. 6000 times 2048 words.
        .ORIG x3000
        LD   R6, ROUNDS
ROUND   LD   R1, FROM
        LD   R2, TO
        LD   R3, SIZE
        AND  R4, R4, #0
WORD    LDR  R0, R1, #0
        ADD  R0, R0, #1
        STR  R0, R2, #0
        ADD  R4, R4, R0
        ADD  R1, R1, #1
        ADD  R2, R2, #1
        ADD  R3, R3, #-1
        BRp  WORD
        LD   R1, FROM        ; the next round goes the other way
        LD   R2, TO
        ST   R1, TO
        ST   R2, FROM
        ADD  R6, R6, #-1
        BRp  ROUND
        LD   R5, MASK        ; the low 5 bits of the sum as a letter
        AND  R0, R4, R5
        LD   R5, LETTER
        ADD  R0, R0, R5
        OUT
        HALT
ROUNDS  .FILL #6000
FROM    .FILL x4000
TO      .FILL x5000
SIZE    .FILL #2048
MASK    .FILL x1F
LETTER  .FILL x41
        .END
