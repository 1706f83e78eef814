; One billion times round a loop of two instructions.
        MOV  rega, 1000000000
again:  DEC  rega
        JNZ  again
        HALT
