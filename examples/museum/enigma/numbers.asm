; Reads a number with a fraction and writes it as it was understood, then a whole number.
        LOAD ar, 14             ; read a float into br
        SYSCALL
        MOV  er3, br
        LOAD ar, 17             ; write it
        SYSCALL
        LOAD ar, 12             ; read a number
        SYSCALL
        LOAD ar, 15
        SYSCALL
        LOAD ar, 0
        HALT
