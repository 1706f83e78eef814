; Spam says the same for ever. Its budget has room for five letters.
        .ORIG x3000
        LEA  R0, ROOM
        TRAP x33
        ADD  R1, R0, #0
AGAIN   LEA  R0, TEXT
        AND  R2, R2, #0
        ADD  R2, R2, #4
        TRAP x30
        BR   AGAIN
ROOM    .STRINGZ "room"
TEXT    .STRINGZ "buy!"
        .END
