; Takes one letter, which begins with the name of the one it is from, and sends it back to him.
        GET  0x60       ; "letter hello ... via riscv"
        ST   0xFF       ; PUT sends so many bytes
        LDI  name
        PUT  0x60
        HLT
name:   .text "letter"
