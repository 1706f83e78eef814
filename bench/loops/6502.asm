; A billion times round DEX and BNE, by counters of 8 bits: 200 * 200 * 200 * 125.
        .org $0600
        LDA #125
        STA $12
third:  LDA #200
        STA $11
second: LDA #200
        STA $10
first:  LDX #200
inner:  DEX
        BNE inner
        DEC $10
        BNE first
        DEC $11
        BNE second
        DEC $12
        BNE third
        LDA #0
        STA $F00F           ; the end
