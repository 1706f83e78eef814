; The Mandelbrot set in 72 columns and 25 lines, on a machine that cannot multiply. Numbers are fixed-point with ten
; bits behind the point: 1024 is 1.0.
        .ORIG x3000
        LD   R0, TOP
        ST   R0, CY
LINE    LD   R0, LEFT
        ST   R0, CX
        LD   R0, COLUMNS
        ST   R0, COLUMN

POINT   AND  R0, R0, #0         ; z = 0
        ST   R0, ZX
        ST   R0, ZY
        ST   R0, N
STEP    LD   R0, ZX             ; XX = zx * zx
        ADD  R1, R0, #0
        JSR  MUL
        ST   R0, XX
        LD   R0, ZY             ; YY = zy * zy
        ADD  R1, R0, #0
        JSR  MUL
        ST   R0, YY
        LD   R1, XX             ; outside when XX + YY > 4.0
        ADD  R1, R0, R1
        BRn  PLOT
        LD   R2, MINUS4
        ADD  R1, R1, R2
        BRp  PLOT
        LD   R0, ZX             ; zy = 2 * zx * zy + cy
        LD   R1, ZY
        JSR  MUL
        ADD  R0, R0, R0
        LD   R1, CY
        ADD  R0, R0, R1
        ST   R0, ZY
        LD   R0, YY             ; zx = XX - YY + cx
        NOT  R0, R0
        ADD  R0, R0, #1
        LD   R1, XX
        ADD  R0, R0, R1
        LD   R1, CX
        ADD  R0, R0, R1
        ST   R0, ZX
        LD   R0, N
        ADD  R0, R0, #1
        ST   R0, N
        LD   R1, MINUSMAX
        ADD  R1, R0, R1
        BRn  STEP

PLOT    LEA  R1, PALETTE        ; the longer inside, the darker
        LD   R0, N
        ADD  R1, R1, R0
        LDR  R0, R1, #0
        OUT
        LD   R0, CX
        LD   R1, DX
        ADD  R0, R0, R1
        ST   R0, CX
        LD   R0, COLUMN
        ADD  R0, R0, #-1
        ST   R0, COLUMN
        BRp  POINT
        LD   R0, NEWLINE
        OUT
        LD   R0, CY
        LD   R1, DY
        ADD  R0, R0, R1
        ST   R0, CY
        LD   R1, MINUSEND
        ADD  R1, R0, R1
        BRnz LINE
        HALT

TOP     .FILL #-1248            ; -1.22
MINUSEND .FILL #-1248
LEFT    .FILL #-2200            ; -2.15
DX      .FILL #44
DY      .FILL #104
COLUMNS .FILL #72
MINUS4  .FILL #-4096
MINUSMAX .FILL #-28
NEWLINE .FILL #10
CX      .BLKW 1
CY      .BLKW 1
ZX      .BLKW 1
ZY      .BLKW 1
XX      .BLKW 1
YY      .BLKW 1
N       .BLKW 1
COLUMN  .BLKW 1
PALETTE .STRINGZ "  ...,,,:::;;;+++***%%%&&&##@"

; R0 = R0 * R1 / 1024, signed. Changes R1 to R5. The product grows in R2:R3 by shifting left and adding R0 for each bit
; of R1, highest first; after six bits more the quotient stands in R2.
MUL     AND  R5, R5, #0         ; R5: factors that were negative
        ADD  R0, R0, #0
        BRzp RIGHT
        NOT  R0, R0
        ADD  R0, R0, #1
        ADD  R5, R5, #1
RIGHT   ADD  R1, R1, #0
        BRzp START
        NOT  R1, R1
        ADD  R1, R1, #1
        ADD  R5, R5, #1
START   AND  R2, R2, #0
        AND  R3, R3, #0
        ADD  R4, R2, #15
        ADD  R4, R4, #7
BIT     ADD  R2, R2, R2
        ADD  R3, R3, #0
        BRzp NOCARRY
        ADD  R2, R2, #1
NOCARRY ADD  R3, R3, R3
        ADD  R1, R1, #0
        BRzp ZERO
        ADD  R3, R3, #0         ; R3 += R0; a carry when the top bit is set before and not after
        BRn  HIGH
        ADD  R3, R3, R0
        BR   ZERO
HIGH    ADD  R3, R3, R0
        BRn  ZERO
        ADD  R2, R2, #1
ZERO    ADD  R1, R1, R1
        ADD  R4, R4, #-1
        BRp  BIT
        ADD  R0, R2, #0
        AND  R5, R5, #1
        BRz  MULDONE
        NOT  R0, R0
        ADD  R0, R0, #1
MULDONE RET
        .END
