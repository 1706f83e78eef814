; Fibonacci by calling itself: argument and result in R0, a stack in R6.
        .ORIG x3000
        LD   R6, stack
        AND  R0, R0, #0
        ADD  R0, R0, #15
        JSR  fib
        ADD  R5, R0, #0
        HALT
fib     ADD  R1, R0, #-2
        BRn  done
        ADD  R6, R6, #-2
        STR  R7, R6, #0
        STR  R0, R6, #1
        ADD  R0, R0, #-1
        JSR  fib
        LDR  R1, R6, #1
        STR  R0, R6, #1
        ADD  R0, R1, #-2
        JSR  fib
        LDR  R1, R6, #1
        ADD  R0, R0, R1
        LDR  R7, R6, #0
        ADD  R6, R6, #2
done    RET
stack   .FILL xF000
        .END
