; Reads two numbers with fractions and writes their integer sum, then the second again as it was read.
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
