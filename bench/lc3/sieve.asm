; The sieve of Eratosthenes up to 8191, 500 times: short loops, stores, unpredictable branches. Prints 1028 - 1000
; primes as a letter.
        .ORIG x3000
        LD   R6, ROUNDS
ROUND   LD   R1, FLAGS       ; all flags 1
        LD   R2, SIZE
        AND  R0, R0, #0
        ADD  R0, R0, #1
CLEAR   STR  R0, R1, #0
        ADD  R1, R1, #1
        ADD  R2, R2, #-1
        BRp  CLEAR
        AND  R5, R5, #0      ; primes found
        AND  R3, R3, #0
        ADD  R3, R3, #2      ; candidate
NEXT    LD   R1, FLAGS
        ADD  R1, R1, R3
        LDR  R0, R1, #0
        BRz  COMPOSITE
        ADD  R5, R5, #1
        LD   R4, LIMIT       ; -(flags + size)
        AND  R2, R2, #0
CROSS   ADD  R1, R1, R3      ; strike the multiples out
        ADD  R0, R1, R4
        BRzp COMPOSITE
        STR  R2, R1, #0
        BR   CROSS
COMPOSITE
        ADD  R3, R3, #1
        LD   R0, SIZE
        NOT  R0, R0
        ADD  R0, R0, #1
        ADD  R0, R0, R3
        BRn  NEXT
        ADD  R6, R6, #-1
        BRp  ROUND
        LD   R0, BASE
        ADD  R0, R0, R5
        OUT
        HALT
ROUNDS  .FILL #500
FLAGS   .FILL x4000
SIZE    .FILL #8192
LIMIT   .FILL xA000          ; -(x4000 + 8192) = -x6000
BASE    .FILL xFC59          ; 'A' - 1000
        .END
