; Prints a text, then counts down, then halts.
        LDI  R3, 0xFF       ; R3 = the console's address, for the whole program
        LDI  R0, text
        CALL print
        LDI  R1, '3'
count:  ST   [R3], R1       ; one digit
        ADDI R1, -1
        MOV  R2, R1
        ADDI R2, -'0'       ; was it '0'?
        JNZ  count
        LDI  R0, bang
        CALL print
        HALT

; print: writes the text at R0, up to its 0 byte. Uses R1.
print:  LD   R1, [R0]
        JZ   done
        ST   [R3], R1
        ADDI R0, 1
        JMP  print
done:   RET

text:   .asciiz "Hello from a computer that fits in one file.\n"
bang:   .asciiz "!\n"
