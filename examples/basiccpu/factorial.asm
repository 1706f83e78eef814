; 5! in r0. SUB leaves the flags alone, so the loop compares before it jumps.
        LII  r0, 1          ; the product
        LII  r1, 5          ; the factor
        LII  r2, 1
loop:   MUL  r0, r1
        SUB  r1, r2
        CMPI r1, 0
        JNZ  loop
        STI  result, r0
        HLT
result: .word 0
