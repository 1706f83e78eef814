; LC-3: sends a letter to "relay", waits for what comes back, and prints it.
        .ORIG x3000
        LEA  R0, NAME
        TRAP x33                ; R0 = the number of "relay"
        ADD  R1, R0, #0
        LEA  R0, TEXT
        LD   R2, LENGTH
        TRAP x30                ; send R2 words at R0 to R1
        LEA  R0, ROOM
        LD   R1, MOST
        TRAP x31                ; receive: R0 = length, R1 = who sent it
        LEA  R1, ROOM
        ADD  R1, R1, R0
        AND  R2, R2, #0
        STR  R2, R1, #0
        LEA  R0, ROOM
        PUTS
        HALT
NAME    .STRINGZ "relay"
LENGTH  .FILL 16
MOST    .FILL 60
TEXT    .STRINGZ "hello from x3000"
ROOM    .BLKW 61
        .END
