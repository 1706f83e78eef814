; One billion times round a loop of two instructions, by one core; the manager prints its regb.
        BOOT main
        SERVE
main:   MOV  rega, 1000000000
again:  DEC  rega
        JNZ  again
        MOV  regb, rega
        HALT
