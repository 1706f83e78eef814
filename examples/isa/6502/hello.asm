; Prints a text through the console at $F001.
putc    .equ $F001

        .org $0600
start:  LDX #0
loop:   LDA text,X
        BEQ done
        STA putc
        INX
        BNE loop
done:   JMP done            ; a jump to itself ends the run

text:   .asciiz "Hello from 1975.\n"
