; Three cores, each with registers of its own and no memory at all: one instruction can decide, so the only
; loop is `until equal`. The first ends by HALT, the others because their program is used up.
        CORE fact
        CORE power
        CORE power
        WAIT
fact:   MOV  ka, 1              ; 10!
        MOV  kb, 10
more:   MUL  ka, kb
        DEC  kb
        CMP  kb, 0
        JNE  more
        HALT
power:  MOV  ka, 1              ; 3 to the 13th
        MOV  kb, 3
        MOV  kc, 13
times:  IMUL ka, kb
        DEC  kc
        CMP  kc, 0
        JNE  times
