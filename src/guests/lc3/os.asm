; The operating system of the v3 machine: boot code, trap service routines, exception handlers. Assembled when Husk
; is built and loaded below every program.
;
; Memory, as the third edition's tools lay it out:
;   x0000  trap vectors; unused ones lead to BADTRAP
;   x0100  exception and interrupt vectors; unused ones lead to BADINT, which just returns
;          (vectors that are 0 here are filled when the system is loaded: with those of x00 and x103)
;   x0200  boot: starts a user program at x3000
;   x0300  service routines, at the addresses that traces of this machine show
;
; Every routine runs in supervisor mode on the supervisor stack and ends in RTI, which brings back the caller's PC and
; condition codes. A routine saves the registers it uses, except R0 where it carries a result. PUTS, IN and PUTSP
; print through OUT; traps nest, because the return address is on the stack and not in R7.

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
        .BLKW 185

        .FILL E_PRIV            ; x100: RTI in user mode
        .FILL E_ILLEGAL         ; x101: no such opcode
        .FILL E_ACCESS          ; x102: address not allowed in user mode
        .FILL BADINT            ; x103, and all that are 0
        .BLKW 252

; Boot: a frame as if the program had been interrupted, then "return" to it.
BOOT    LD   R6, STACK
        LD   R0, USERPSR
        ADD  R6, R6, #-1
        STR  R0, R6, #0
        LD   R0, PROGRAM
        ADD  R6, R6, #-1
        STR  R0, R6, #0
        RTI
STACK   .FILL x3000
USERPSR .FILL x8002
PROGRAM .FILL x3000
        .END

        .ORIG x0300
; x20 GETC: R0 = next character, no echo.
T_GETC  LDI  R0, KBSR
        BRzp T_GETC
        LDI  R0, KBDR
        RTI
KBSR    .FILL xFE00
KBDR    .FILL xFE02

; x21 OUT: prints the character in R0.
T_OUT   ADD  R6, R6, #-1
        STR  R1, R6, #0
OUTWAIT LDI  R1, DSR
        BRzp OUTWAIT
        STI  R0, DDR
        LDR  R1, R6, #0
        ADD  R6, R6, #1
        RTI
DSR     .FILL xFE04
DDR     .FILL xFE06

; x22 PUTS: prints the characters at R0, one a word, up to a zero word.
T_PUTS  ADD  R6, R6, #-1
        STR  R0, R6, #0
        ADD  R6, R6, #-1
        STR  R1, R6, #0
        ADD  R1, R0, #0
PUTSLP  LDR  R0, R1, #0
        BRz  PUTSEND
        OUT
        ADD  R1, R1, #1
        BR   PUTSLP
PUTSEND LDR  R1, R6, #0
        ADD  R6, R6, #1
        LDR  R0, R6, #0
        ADD  R6, R6, #1
        RTI

; x23 IN: prompts, R0 = next character, echoes it and ends the line.
T_IN    LEA  R0, PROMPT
        PUTS
        GETC
        OUT
        ADD  R6, R6, #-1
        STR  R0, R6, #0
        AND  R0, R0, #0
        ADD  R0, R0, #10
        OUT
        LDR  R0, R6, #0
        ADD  R6, R6, #1
        RTI
PROMPT  .STRINGZ "\nInput a character> "

; x24 PUTSP: prints the characters at R0, two a word, low byte first, up to the first NUL in either half.
; R1 the address, R2 the word, shifted left bit by bit into R0, R3 the bits to go.
T_PUTSP ADD  R6, R6, #-1
        STR  R0, R6, #0
        ADD  R6, R6, #-1
        STR  R1, R6, #0
        ADD  R6, R6, #-1
        STR  R2, R6, #0
        ADD  R6, R6, #-1
        STR  R3, R6, #0
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
PACKEND LDR  R3, R6, #0
        ADD  R6, R6, #1
        LDR  R2, R6, #0
        ADD  R6, R6, #1
        LDR  R1, R6, #0
        ADD  R6, R6, #1
        LDR  R0, R6, #0
        ADD  R6, R6, #1
        RTI
LOWBYTE .FILL x00FF

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
BYE     .STRINGZ "\n\n--- Halting the LC-3 ---\n\n"

BADTRAP LEA  R0, TRAPMSG
        PUTS
        HALT
TRAPMSG .STRINGZ "\n\n--- Undefined trap executed ---\n\n"

E_PRIV  LEA  R0, PRIVMSG
        PUTS
        HALT
PRIVMSG .STRINGZ "\n\n--- Privilege violation ---\n\n"

E_ILLEGAL LEA R0, ILLMSG
        PUTS
        HALT
ILLMSG  .STRINGZ "\n\n--- Illegal opcode ---\n\n"

E_ACCESS LEA R0, ACVMSG
        PUTS
        HALT
ACVMSG  .STRINGZ "\n\n--- Access violation---\n\n"

BADINT  RTI

        .INCLUDE "services.asm"
        RTI
        .END
