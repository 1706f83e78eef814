; One billion times round a loop of two instructions.
        LOAD ar, 1000000000
again:  DEC ar
        JNZ again
        HALT            ; with ar, which is 0, as status
