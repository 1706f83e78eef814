; One billion times round a loop of two instructions.
        PUSH 1000000000
again:  DEC
        LOOP again
        OUT
        HALT
