; Repeats what is typed, until a full stop.
        LDI  R1, 0xFE       ; the keyboard
        LDI  R2, 0xFF       ; the console
loop:   LD   R0, [R1]       ; waits for a key
        ST   [R2], R0
        ADDI R0, -'.'
        JNZ  loop
        HALT
