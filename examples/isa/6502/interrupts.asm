; Three ways into a handler: BRK, an NMI, and IRQs that wait until CLI lets them in.
putc    .equ $F001
lines   .equ $F005          ; bit 0 holds the IRQ line, bit 1 pulses NMI

        .org $0600
start:  LDX #$FF
        TXS
        LDA #'1'
        BRK
        .byte 0             ; the byte behind BRK is skipped
        LDA #'2'
        LDX #2
        STX lines           ; NMI: at once, whatever I says
        LDA #'3'
        LDX #1
        STX lines           ; IRQ: I is set, so it waits
        LDA #'-'
        STA putc
        CLI                 ; ... and comes now
        SEI
        LDA #10
        STA putc
end:    JMP end

; BRK and IRQ share a vector; bit 4 of the pushed flags tells them apart.
irq:    PHA
        TXA
        PHA
        TSX
        LDA $0103,X
        AND #$10
        BNE brk
        LDA #'I'
        STA putc
        LDA #0
        STA lines           ; let go of the line
        BEQ back
brk:    LDA #'B'
        STA putc
back:   PLA
        TAX
        PLA
        RTI

nmi:    PHA
        LDA #'N'
        STA putc
        PLA
        RTI

        .org $FFFA
        .word nmi
        .word start
        .word irq
