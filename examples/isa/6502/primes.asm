; The primes below 256 with the sieve of Eratosthenes, printed in decimal by decimal mode:
; there is no division, a BCD counter runs beside the binary one.
putc    .equ $F001
sieve   .equ $0300          ; one byte a number, not 0 = composite
n       .equ $10            ; the number
ones    .equ $11            ; the same number in BCD: two digits here,
hundred .equ $12            ; the third one there

        .org $0600
start:  LDX #0
        TXA
clear:  STA sieve,X
        INX
        BNE clear

        LDX #2
outer:  LDA sieve,X
        BNE next
        STX n
        TXA                 ; strike out 2n, 3n, ... up to 255
strike: CLC
        ADC n
        BCS next
        TAY
        LDA #1
        STA sieve,Y
        TYA
        JMP strike
next:   INX
        CPX #16             ; 16 squared is past the end
        BNE outer

        LDA #0
        STA n
        STA ones
        STA hundred
print:  LDX n
        CPX #2
        BCC step
        LDA sieve,X
        BNE step
        LDA hundred
        BEQ tens
        JSR digit
tens:   LDA ones
        LSR A
        LSR A
        LSR A
        LSR A
        BNE show            ; a tens digit that is not 0 is printed,
        LDX hundred         ; and a 0 behind hundreds too
        BEQ unit
show:   JSR digit
unit:   LDA ones
        AND #$0F
        JSR digit
        LDA #' '
        STA putc
step:   SED                 ; the BCD counter
        CLC
        LDA ones
        ADC #1
        STA ones
        LDA hundred
        ADC #0
        STA hundred
        CLD
        INC n
        BNE print
        LDA #10
        STA putc
end:    JMP end

digit:  ORA #'0'
        STA putc
        RTS
