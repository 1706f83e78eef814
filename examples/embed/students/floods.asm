; Does not stop talking.
        .ORIG x3000
AGAIN   LEA  R0, TEXT
        PUTS
        BR   AGAIN
TEXT    .STRINGZ "42\n"
        .END
