; Never comes to an end.
        .ORIG x3000
AGAIN   BR   AGAIN
        .END
