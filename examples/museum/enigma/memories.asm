; Byte 3, word 3, dword 3 and qword 3 are four different places here; in the machine as it was built
; (--set memory=one) they lie over each other. And er1 is ar wherever something is calculated.
        LOAD br, 0x01020304
        STORE br, dword 3
        LOAD br, 7
        STORE br, byte 3
        LEA  br, word 3         ; nobody wrote there: 0, or 0702
        LOAD ar, 15             ; system call 15: write br
        SYSCALL
        LOAD br, '\n'
        STORE br, byte 8
        LOAD br, 8
        LOAD cr, 1
        LOAD ar, 16             ; 16: write cr characters at br
        SYSCALL
        LOAD er2, 40            ; a register of its own for LOAD,
        LOAD br, 2
        INC  er2                ; but br for arithmetic
        LOAD ar, 15
        SYSCALL                 ; 3
        LOAD ar, 0
        HALT
