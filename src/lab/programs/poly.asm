; 3x^3 + 2x^2 - 5x + 7 at x = 6, by Horner's rule. The LC-3 cannot multiply: R5 = R5 * 6 is a loop.
        .ORIG x3000
        AND  R5, R5, #0
        ADD  R5, R5, #3
        JSR  times6
        ADD  R5, R5, #2
        JSR  times6
        ADD  R5, R5, #-5
        JSR  times6
        ADD  R5, R5, #7
        HALT
times6  ADD  R1, R5, #0
        AND  R5, R5, #0
        AND  R2, R2, #0
        ADD  R2, R2, #6
more    ADD  R5, R5, R1
        ADD  R2, R2, #-1
        BRp  more
        RET
        .END
