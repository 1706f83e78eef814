; An address says how much it means: the same place read as 1, 2, 4 and 8 bytes, through a pointer whose
; top byte is the width. Then the program changes one of its own instructions: there is only one memory.
        LEA  regc, byte here
next:   LOAD regb, regc         ; as wide as the pointer says
        MOV  rega, 3            ; system call 3: write regb
        SYSCALL
        MOV  regb, '\n'
        MOV  rega, 2            ; 2: write a character
        SYSCALL
        MOV  regd, regc         ; the next width: 1 2 4 8 in the top byte
        AND  regd, 0xFF000000
        ADD  regc, regd
        CMP  regd, 0x08000000
        JNE  next
        MOV  regb, 0x211        ; the number '!' in bits 4 and up, register 1 below
        STORE regb, word patch+6
patch:  MOV  regb, '?'
        SYSCALL
        HALT
here:   .byte 1, 2, 3, 4, 5, 6, 7, 8
