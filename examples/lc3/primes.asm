; The primes below 1000 by the sieve of Eratosthenes, ten to a line.
        .ORIG x3000
        LD   R1, TABLE          ; all numbers count as prime (0) at first
        LD   R2, LIMIT
        AND  R0, R0, #0
CLEAR   STR  R0, R1, #0
        ADD  R1, R1, #1
        ADD  R2, R2, #-1
        BRp  CLEAR

        AND  R3, R3, #0         ; R3: the number looked at
        ADD  R3, R3, #2
NEXT    LD   R1, TABLE
        ADD  R1, R1, R3
        LDR  R0, R1, #0
        BRnp SKIP
        ADD  R4, R3, R3         ; a prime: strike out its multiples
STRIKE  LD   R5, MINUSLIM
        ADD  R5, R4, R5
        BRzp PRINT
        LD   R1, TABLE
        ADD  R1, R1, R4
        STR  R3, R1, #0
        ADD  R4, R4, R3
        BR   STRIKE
PRINT   JSR  NUMBER
SKIP    ADD  R3, R3, #1
        LD   R5, MINUSLIM
        ADD  R5, R3, R5
        BRn  NEXT
        LEA  R0, NEWLINE
        PUTS
        HALT

; Prints R3 in four columns; every tenth time a line end follows.
NUMBER  ST   R7, BACK
        ADD  R2, R3, #0
        AND  R6, R6, #0         ; R6: a digit other than 0 was printed
        LD   R4, MINUS100
        JSR  COLUMN
        AND  R4, R4, #0
        ADD  R4, R4, #-10
        JSR  COLUMN
        LD   R0, ZERO
        ADD  R0, R0, R2
        OUT
        LD   R0, SPACE
        OUT
        LD   R0, COUNT
        ADD  R0, R0, #1
        ADD  R1, R0, #-10
        BRn  SAME
        LEA  R0, NEWLINE
        PUTS
        AND  R0, R0, #0
SAME    ST   R0, COUNT
        LD   R7, BACK
        RET
; Prints how often -R4 goes into R2, a leading zero as a blank, and leaves the rest in R2.
COLUMN  ST   R7, BACK2
        LD   R0, ZERO
DIVIDE  ADD  R5, R2, R4
        BRn  DIGIT
        ADD  R2, R5, #0
        ADD  R0, R0, #1
        ADD  R6, R6, #1
        BR   DIVIDE
DIGIT   ADD  R6, R6, #0
        BRp  SHOW
        LD   R0, SPACE
SHOW    OUT
        LD   R7, BACK2
        RET

TABLE   .FILL x4000
LIMIT   .FILL #1000
MINUSLIM .FILL #-1000
MINUS100 .FILL #-100
ZERO    .FILL x30
SPACE   .FILL x20
COUNT   .FILL 0
BACK    .BLKW 1
BACK2   .BLKW 1
NEWLINE .STRINGZ "\n"
        .END
