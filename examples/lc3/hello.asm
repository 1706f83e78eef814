; The shortest program that says something.
        .ORIG x3000
        LEA  R0, TEXT
        PUTS
        HALT
TEXT    .STRINGZ "Hello from an LC-3.\n"
        .END
