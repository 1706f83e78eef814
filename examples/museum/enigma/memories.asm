; Byte 3, word 3, dword 3 and qword 3 are four different places: each width has a memory of its own.
; And er2 is br wherever something is calculated, though not where something is loaded.
        LOAD br, 0x01020304
        STORE br, dword 3
        LOAD br, 7
        STORE br, byte 3
        LEA  br, dword 3        ; still 16909060
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
