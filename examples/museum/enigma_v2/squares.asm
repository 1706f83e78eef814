; The manager reads these three words. For each BOOT it has an overseer started, which boots a core.
        BOOT odd
        BOOT even
        SERVE
odd:    MOV  rega, 1            ; 1 + 9 + 25 + ... + 9801
        JMP  sum
even:   MOV  rega, 2            ; 4 + 16 + ... + 10000
sum:    MOV  regb, 0
next:   MOV  regc, rega         ; two cores, the same code, registers of their own
        MUL  regc, rega
        ADD  regb, regc
        ADD  rega, 2
        CMP  rega, 100
        JLE  next
        HALT                    ; the core's overseer tells the manager, which prints regb
