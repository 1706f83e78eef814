; One billion times round a loop of three instructions: CMP and JNE are all there is to decide with.
        CORE main
        WAIT
main:   MOV  ka, 1000000000
again:  DEC  ka
        CMP  ka, 0
        JNE  again
        HALT
