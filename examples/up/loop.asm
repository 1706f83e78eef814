; never ends, and writes all the time
        .ORIG x3000
        LD   R0, STAR
AGAIN   OUT
        BRnzp AGAIN
STAR    .FILL x2A
        .END
