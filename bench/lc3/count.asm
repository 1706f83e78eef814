; Two nested loops that only count: 120 million instructions of ADD and BR.
        .ORIG x3000
        LD   R2, OUTER
AGAIN   LD   R1, INNER
LOOP    ADD  R1, R1, #-1
        BRnp LOOP
        ADD  R2, R2, #-1
        BRp  AGAIN
        LD   R0, DONE
        OUT
        HALT
OUTER   .FILL #1000
INNER   .FILL xEA60         ; 60000
DONE    .FILL x43           ; C
        .END
