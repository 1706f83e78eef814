; Counts down from 10, one number a line, then lifts off. Shows a subroutine that calls traps: on the classic and tiny
; machines TRAP overwrites R7, so NUMBER saves it.
        .ORIG x3000
        LD   R2, START
AGAIN   JSR  NUMBER             ; prints R2
        ADD  R2, R2, #-1
        BRp  AGAIN
        LEA  R0, LIFTOFF
        PUTS
        HALT

; Prints R2, 0 to 19, and a line end. Changes R0 and R1.
NUMBER  ST   R7, BACK
        ADD  R1, R2, #-10
        BRn  UNITS
        LD   R0, ONE
        OUT
        BR   LAST
UNITS   ADD  R1, R2, #0
LAST    LD   R0, ZERO
        ADD  R0, R0, R1
        OUT
        AND  R0, R0, #0
        ADD  R0, R0, #10
        OUT
        LD   R7, BACK
        RET

START   .FILL #10
ONE     .FILL x31               ; '1'
ZERO    .FILL x30               ; '0'
BACK    .BLKW 1
LIFTOFF .STRINGZ "Lift-off!\n"
        .END
