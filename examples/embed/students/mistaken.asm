; A number that does not fit.
        .ORIG x3000
        ADD  R0, R0, #40
        HALT
        .END
