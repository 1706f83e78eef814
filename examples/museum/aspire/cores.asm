; The first core asks the manager for two more (interrupt 1) and goes on; what they share is the data memory.
        START main
        SERVE
main:   MOV  Ax1, left          ; where the new core starts
        INTR 1                  ; its number is in Ax1 afterwards
        MOV  Ax1, right
        INTR 1
        MOV  Ax1, text
        MOV  Ax2, 6
        INTR 6                  ; write a string
wait:   LOAD Aa, [Ae + 0]       ; Ae is 0 all the time
        LOAD Ab, [Ae + 1]
        ADD  Aa, Ab
        CMP  Aa, 500500
        JIF  ne, wait
        MOV  Ax1, 7
        INTR 0                  ; the first core's Ax1 is the status of the whole
left:   MOV  Ad, 1              ; 1 + 3 + ... + 999 into word 0
        JMP  sum
right:  MOV  Ad, 2              ; 2 + 4 + ... + 1000 into word 1
        MOV  Af, 1
sum:    ADD  Ac, Ad
        ADD  Ad, 2
        CMP  Ad, 1000
        JIF  ng, sum
        STORE Ac, [Af + 0]
        HALT
.data
        .text "\0\0"            ; the sums
text:   .text "cores\n"
