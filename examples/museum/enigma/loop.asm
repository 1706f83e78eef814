; One billion times round a loop of two instructions.
count:  .equ 1000000000
        LOAD ar, count
again:  DEC ar
        JNZ again
        HALT            ; with ar, which is 0, as status
