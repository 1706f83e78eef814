; Runs into its data.
        .ORIG x3000
        LEA  R0, TEXT
        PUTS
TEXT    .STRINGZ "42\n"
        .FILL xD000
        .END
