; One billion times round a loop of two instructions, by one core; interrupt 0 ends it.
        START main
        SERVE
main:   MOV  Aa, 1000000000
again:  DEC  Aa
        JIF  nz, again
        INTR 0
