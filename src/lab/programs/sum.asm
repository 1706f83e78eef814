; 1 + 2 + .. + 250
        .ORIG x3000
        AND  R5, R5, #0
        LD   R1, n
loop    ADD  R5, R5, R1
        ADD  R1, R1, #-1
        BRp  loop
        HALT
n       .FILL #250
        .END
