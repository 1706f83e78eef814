; Off by one.
        .ORIG x3000
        LEA  R0, TEXT
        PUTS
        HALT
TEXT    .STRINGZ "43\n"
        .END
