; Primes below 4000, found 40 times over: loops, memory, branches.
        .ORIG x3000
        LD   R6, rounds
again   LEA  R1, flags          ; clear
        LD   R2, count
        AND  R0, R0, #0
clear   STR  R0, R1, #0
        ADD  R1, R1, #1
        ADD  R2, R2, #-1
        BRp  clear
        AND  R5, R5, #0         ; how many
        AND  R1, R1, #0
        ADD  R1, R1, #2         ; candidate
next    LEA  R2, flags
        ADD  R2, R2, R1
        LDR  R0, R2, #0
        BRnp step
        ADD  R5, R5, #1
        LD   R3, count
        NOT  R3, R3
        ADD  R3, R3, #1         ; -count
        ADD  R4, R1, R1
mark    ADD  R0, R4, R3
        BRzp step
        LEA  R2, flags
        ADD  R2, R2, R4
        ADD  R0, R4, #0
        STR  R0, R2, #0
        ADD  R4, R4, R1
        BR   mark
step    ADD  R1, R1, #1
        LD   R3, count
        NOT  R3, R3
        ADD  R3, R3, #1
        ADD  R0, R1, R3
        BRn  next
        ADD  R6, R6, #-1
        BRp  again
        HALT
rounds  .FILL #40
count   .FILL #4000
flags   .BLKW #4000
        .END
