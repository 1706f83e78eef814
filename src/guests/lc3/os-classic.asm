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
        .FILL T_SEND            ; x30
        .FILL T_RECV            ; x31
        .FILL T_POLL            ; x32
        .FILL T_FIND            ; x33
        .FILL T_SELF            ; x34
        .FILL T_SPAWN           ; x35
        .FILL T_JOIN            ; x36
        .FILL T_KVGET           ; x37
        .FILL T_KVSET           ; x38
        .FILL T_KVDEL           ; x39
        .FILL T_KVNXT           ; x3A
        .FILL T_KILL            ; x3B
        .FILL T_TIME            ; x3C
        .FILL T_SLEEP           ; x3D
        .FILL T_RAND            ; x3E
        .FILL T_FOPEN           ; x3F
        .FILL T_FREAD           ; x40
        .FILL T_FWRIT           ; x41
        .FILL T_FSEEK           ; x42
        .FILL T_FSIZE           ; x43
        .FILL T_FCLOS           ; x44
        .FILL T_FREMV           ; x45
        .BLKW 192
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

; x30 .. x45: services of the hypervisor that the machine runs in. R0, R1, R2 go to its registers, the number of the
; trap asks, and R0 (x31, x3C, x43: and R1) is the answer.
T_SEND  ST   R3, HOSTR3
        LD   R3, N_SEND
        BR   ASK
N_SEND  .FILL x30
T_RECV  ST   R3, HOSTR3
        LD   R3, N_RECV
        BR   ASK
N_RECV  .FILL x31
T_POLL  ST   R3, HOSTR3
        LD   R3, N_POLL
        BR   ASK
N_POLL  .FILL x32
T_FIND  ST   R3, HOSTR3
        LD   R3, N_FIND
        BR   ASK
N_FIND  .FILL x33
T_SELF  ST   R3, HOSTR3
        LD   R3, N_SELF
        BR   ASK
N_SELF  .FILL x34
T_SPAWN ST   R3, HOSTR3
        LD   R3, N_SPAWN
        BR   ASK
N_SPAWN .FILL x35
T_JOIN  ST   R3, HOSTR3
        LD   R3, N_JOIN
        BR   ASK
N_JOIN  .FILL x36
T_KVGET ST   R3, HOSTR3
        LD   R3, N_KVGET
        BR   ASK
N_KVGET .FILL x37
T_KVSET ST   R3, HOSTR3
        LD   R3, N_KVSET
        BR   ASK
N_KVSET .FILL x38
T_KVDEL ST   R3, HOSTR3
        LD   R3, N_KVDEL
        BR   ASK
N_KVDEL .FILL x39
T_KVNXT ST   R3, HOSTR3
        LD   R3, N_KVNXT
        BR   ASK
N_KVNXT .FILL x3A
T_KILL  ST   R3, HOSTR3
        LD   R3, N_KILL
        BR   ASK
N_KILL  .FILL x3B
T_TIME  ST   R3, HOSTR3
        LD   R3, N_TIME
        BR   ASK
N_TIME  .FILL x3C
T_SLEEP ST   R3, HOSTR3
        LD   R3, N_SLEEP
        BR   ASK
N_SLEEP .FILL x3D
T_RAND  ST   R3, HOSTR3
        LD   R3, N_RAND
        BR   ASK
N_RAND  .FILL x3E
T_FOPEN ST   R3, HOSTR3
        LD   R3, N_FOPEN
        BR   ASK
N_FOPEN .FILL x3F
T_FREAD ST   R3, HOSTR3
        LD   R3, N_FREAD
        BR   ASK
N_FREAD .FILL x40
T_FWRIT ST   R3, HOSTR3
        LD   R3, N_FWRIT
        BR   ASK
N_FWRIT .FILL x41
T_FSEEK ST   R3, HOSTR3
        LD   R3, N_FSEEK
        BR   ASK
N_FSEEK .FILL x42
T_FSIZE ST   R3, HOSTR3
        LD   R3, N_FSIZE
        BR   ASK
N_FSIZE .FILL x43
T_FCLOS ST   R3, HOSTR3
        LD   R3, N_FCLOS
        BR   ASK
N_FCLOS .FILL x44
T_FREMV ST   R3, HOSTR3
        LD   R3, N_FREMV
        BR   ASK
N_FREMV .FILL x45
ASK     STI  R0, HOSTA
        STI  R1, HOSTB
        STI  R2, HOSTC
        STI  R3, HOST
        LDI  R0, HOSTA
        ST   R0, HOSTR0
        LD   R0, NOTRECV
        ADD  R0, R0, R3
        BRz  SECOND
        ADD  R0, R0, #-11       ; x3C
        BRz  SECOND
        ADD  R0, R0, #-7        ; x43
        BRnp ASKED
SECOND  LDI  R1, HOSTB
ASKED   LD   R3, HOSTR3
        LD   R0, HOSTR0
        RET
HOST    .FILL xFE20
HOSTA   .FILL xFE21
HOSTB   .FILL xFE22
HOSTC   .FILL xFE23
NOTRECV .FILL xFFCF             ; -x31
HOSTR0  .BLKW 1
HOSTR3  .BLKW 1
        .END
