; Prints for ever.
        .ORIG x3000
        LD   R0, LETTER
LOOP    OUT
        BR   LOOP
LETTER  .FILL x41
        .END
