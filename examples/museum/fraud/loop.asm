; One billion times round a loop of two instructions.
count:  .equ 1000000000
        PUSH count
again:  DEC
        LOOP again
        OUT
        HALT
