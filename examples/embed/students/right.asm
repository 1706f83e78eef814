; Writes "42" and a newline.
        .ORIG x3000
        LEA  R0, TEXT
        PUTS
        HALT
TEXT    .STRINGZ "42\n"
        .END
