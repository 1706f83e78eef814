; One billion times round a loop of two instructions.
count:  .equ 1000000000
        MOV  rega, count
again:  DEC  rega
        JNZ  again
        HALT
