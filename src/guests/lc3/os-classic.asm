; The operating system of the classic machine. There are no modes and no stack here: TRAP leaves its return address in
; R7, routines end in RET and keep what they must save in words of their own, so they do not nest: the ones that
; print do it themselves instead of calling OUT. All registers but R7 survive, R0 where it carries a result.

        .ORIG x0000
        .FILL BADTRAP           ; x00, and all that are 0
        .BLKW 31
        .FILL T_GETC            ; x20
        .FILL T_OUT             ; x21
        .FILL T_PUTS            ; x22
        .FILL T_IN              ; x23
        .FILL T_PUTSP           ; x24
        .FILL T_HALT            ; x25
        .BLKW 10
        .INCLUDE "services-vectors.asm"
        .BLKW 191
        .END

        .ORIG x0200
; Boot: a word of welcome, then the program at x3000, with all registers but R7 as they were.
BOOT    ST   R0, BOOTR0
        LEA  R0, HELLO
        PUTS
        LD   R7, PROGRAM
        LD   R0, BOOTR0
        JMP  R7
PROGRAM .FILL x3000
BOOTR0  .BLKW 1
HELLO   .STRINGZ "\n\nWelcome to the LC-3.\n\n"

; x20 GETC: R0 = next character, no echo.
T_GETC  LDI  R0, KBSR
        BRzp T_GETC
        LDI  R0, KBDR
        RET

; x21 OUT: prints the character in R0.
T_OUT   ST   R1, OUTR1
OUTWAIT LDI  R1, DSR
        BRzp OUTWAIT
        STI  R0, DDR
        LD   R1, OUTR1
        RET
OUTR1   .BLKW 1
KBSR    .FILL xFE00
KBDR    .FILL xFE02
DSR     .FILL xFE04
DDR     .FILL xFE06

; x22 PUTS: prints the characters at R0, one a word, up to a zero word.
T_PUTS  ST   R0, PUTSR0
        ST   R1, PUTSR1
        ST   R7, PUTSR7
        ADD  R1, R0, #0
PUTSLP  LDR  R0, R1, #0
        BRz  PUTSEND
        OUT
        ADD  R1, R1, #1
        BR   PUTSLP
PUTSEND LD   R0, PUTSR0
        LD   R1, PUTSR1
        LD   R7, PUTSR7
        RET
PUTSR0  .BLKW 1
PUTSR1  .BLKW 1
PUTSR7  .BLKW 1

; x23 IN: prompts, R0 = next character, echoes it and ends the line.
T_IN    ST   R7, INR7
        LEA  R0, PROMPT
        PUTS
        GETC
        OUT
        ST   R0, INR0
        AND  R0, R0, #0
        ADD  R0, R0, #10
        OUT
        LD   R0, INR0
        LD   R7, INR7
        RET
INR0    .BLKW 1
INR7    .BLKW 1
PROMPT  .STRINGZ "\nInput a character> "

; x24 PUTSP: prints the characters at R0, two a word, low byte first, up to the first NUL in either half.
T_PUTSP ST   R0, PACKR0
        ST   R1, PACKR1
        ST   R2, PACKR2
        ST   R3, PACKR3
        ST   R7, PACKR7
        ADD  R1, R0, #0
PACKLP  LDR  R2, R1, #0
        LD   R3, LOWBYTE
        AND  R0, R2, R3
        BRz  PACKEND
        OUT
        AND  R0, R0, #0
        ADD  R3, R0, #8
PACKBIT ADD  R0, R0, R0
        ADD  R2, R2, #0
        BRzp PACKLOW
        ADD  R0, R0, #1
PACKLOW ADD  R2, R2, R2
        ADD  R3, R3, #-1
        BRp  PACKBIT
        ADD  R0, R0, #0
        BRz  PACKEND
        OUT
        ADD  R1, R1, #1
        BR   PACKLP
PACKEND LD   R0, PACKR0
        LD   R1, PACKR1
        LD   R2, PACKR2
        LD   R3, PACKR3
        LD   R7, PACKR7
        RET
LOWBYTE .FILL x00FF
PACKR0  .BLKW 1
PACKR1  .BLKW 1
PACKR2  .BLKW 1
PACKR3  .BLKW 1
PACKR7  .BLKW 1

; x25 HALT: says so and stops the clock. Continued, it says so again.
T_HALT  LEA  R0, BYE
        PUTS
        LDI  R0, MCR
        LD   R1, NOCLOCK
        AND  R0, R0, R1
        STI  R0, MCR
        BR   T_HALT
NOCLOCK .FILL x7FFF
MCR     .FILL xFFFE
BYE     .STRINGZ "\n\n--- halting the LC-3 ---\n\n"
        .END

        .ORIG x0500
BADTRAP LEA  R0, TRAPMSG
        PUTS
        HALT
TRAPMSG .STRINGZ "\n\n--- undefined trap executed ---\n\n"

        .INCLUDE "services.asm"
        RET
        .END
