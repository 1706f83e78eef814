; A billion times round a loop of two instructions, by three counters of 16 bits: 1000 * 1000 * 1000.
        .ORIG x3000
        LD   R3, COUNT
OUTER   LD   R2, COUNT
MIDDLE  LD   R1, COUNT
INNER   ADD  R1, R1, #-1
        BRnp INNER
        ADD  R2, R2, #-1
        BRnp MIDDLE
        ADD  R3, R3, #-1
        BRnp OUTER
        HALT
COUNT   .FILL #1000
        .END
