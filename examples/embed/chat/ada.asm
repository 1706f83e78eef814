; Ada says what she heard when she was here last, if she was; then she listens for one line, keeps it, and leaves.
        .ORIG x3000
        LEA  R0, ROOM
        TRAP x33                ; R0 = the number of "room"
        ST   R0, WHO
        LEA  R0, KEY            ; what is kept under "heard" comes behind MEMORY
        LEA  R1, MEMORY
        ADD  R1, R1, #11
        LD   R2, MOST
        TRAP x37                ; R0 = its length, or xFFFF: nothing
        ADD  R2, R0, #0
        BRn  NEW
        ADD  R2, R2, #11
        LEA  R0, MEMORY
        BR   SAY
NEW     LEA  R0, HELLO
        AND  R2, R2, #0
        ADD  R2, R2, #15
SAY     LD   R1, WHO
        TRAP x30                ; send R2 words at R0 to R1
        LEA  R0, LINE
        LD   R1, MOST
        TRAP x31                ; waits for a line: R0 = its length
        ADD  R2, R0, #0
        LEA  R0, KEY
        LEA  R1, LINE
        TRAP x38                ; keeps it
        LEA  R0, BYE
        LD   R1, WHO
        AND  R2, R2, #0
        ADD  R2, R2, #3
        TRAP x30
        HALT
WHO     .BLKW 1
MOST    .FILL 60
ROOM    .STRINGZ "room"
KEY     .STRINGZ "heard"
HELLO   .STRINGZ "is anyone here?"
BYE     .STRINGZ "bye"
MEMORY  .STRINGZ "last time: "  ; the line begins in place of its end
        .BLKW 60
LINE    .BLKW 60
        .END
