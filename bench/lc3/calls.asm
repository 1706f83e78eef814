; fib(22) with a stack, by two recursive calls each, 130 times: JSR, RET, LDR, STR.
        .ORIG x3000
        LD   R6, STACK
        LD   R5, ROUNDS
ROUND   LD   R0, N
        JSR  FIB
        ADD  R5, R5, #-1
        BRp  ROUND
        LD   R1, MASK        ; fib(22) = 17711: its low 5 bits as a letter
        AND  R0, R0, R1
        LD   R1, LETTER
        ADD  R0, R0, R1
        OUT
        HALT
; R0 = fib(R0); uses R1
FIB     ADD  R1, R0, #-2
        BRn  LEAF
        ADD  R6, R6, #-2
        STR  R7, R6, #0
        ADD  R0, R0, #-1
        STR  R0, R6, #1
        JSR  FIB
        LDR  R1, R6, #1      ; n - 1
        STR  R0, R6, #1      ; fib(n - 1)
        ADD  R0, R1, #-1
        JSR  FIB
        LDR  R1, R6, #1
        ADD  R0, R0, R1
        LDR  R7, R6, #0
        ADD  R6, R6, #2
LEAF    RET
STACK   .FILL xF000
ROUNDS  .FILL #130
N       .FILL #22
MASK    .FILL x1F
LETTER  .FILL x41
        .END
