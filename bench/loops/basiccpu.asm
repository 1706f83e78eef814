; A billion times round a loop of three instructions: SUB leaves the flags alone.
        LII  r1, 1000000000
        LII  r2, 1
again:  SUB  r1, r2
        CMPI r1, 0
        JNZ  again
        HLT
