; Hands the squares of 1..10 to another core, one by one, and prints the sum that comes back.
; The mailbox at x4000: flag (0 = empty, 1 = full) and value, 32 bits each, low word first.
        .ORIG x3000
        AND  R2, R2, #0         ; n
next    ADD  R2, R2, #1
        AND  R3, R3, #0         ; n * n
        ADD  R4, R2, #0
square  ADD  R3, R3, R2
        ADD  R4, R4, #-1
        BRp  square
        JSR  empty
        STI  R3, value
        AND  R0, R0, #0
        ADD  R0, R0, #1
        STI  R0, flag           ; full
        ADD  R0, R2, #-10
        BRn  next
        JSR  empty
        LEA  R0, text
        PUTS
        LDI  R1, value          ; the sum
        LD   R2, hundred
        JSR  digit
        LD   R2, ten
        JSR  digit
        LD   R2, one
        JSR  digit
        AND  R0, R0, #0
        ADD  R0, R0, #10
        OUT
        HALT
empty   LDI  R0, flag           ; waits until the mailbox is empty
        BRnp empty
        RET
digit   LD   R0, zero           ; prints R1 / -R2, leaves the rest in R1
        ADD  R0, R0, #-1
again   ADD  R0, R0, #1
        ADD  R1, R1, R2
        BRzp again
        NOT  R2, R2
        ADD  R2, R2, #1
        ADD  R1, R1, R2
        ST   R7, back
        OUT
        LD   R7, back
        RET
flag    .FILL x4000
value   .FILL x4002
hundred .FILL #-100
ten     .FILL #-10
one     .FILL #-1
zero    .FILL x30
back    .BLKW 1
text    .STRINGZ "the sum of ten squares: "
        .END
