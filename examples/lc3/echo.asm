; Echo by interrupts (v3 only). System code at x0800 points the keyboard's vector at a handler, switches keyboard
; interrupts on and returns into a user program, which only counts and never looks at the keyboard. The handler
; prints each character twice; a 'q' makes it set the flag that ends the program.
        .ORIG x0800
        LD   R0, HANDLER
        STI  R0, VECTOR
        LD   R0, USERPSR        ; a frame as if the user program had been interrupted
        ADD  R6, R6, #-1
        STR  R0, R6, #0
        LD   R0, USERPC
        ADD  R6, R6, #-1
        STR  R0, R6, #0
        LD   R0, ENABLE
        STI  R0, KBSR
        RTI
HANDLER .FILL x1000
VECTOR  .FILL x0180             ; interrupt x80: the keyboard
USERPSR .FILL x8002             ; user mode, priority 0, Z
USERPC  .FILL x3000
ENABLE  .FILL x4000
KBSR    .FILL xFE00
        .END

        .ORIG x1000
        ADD  R6, R6, #-1        ; the program must not notice: save what is used
        STR  R0, R6, #0
        ADD  R6, R6, #-1
        STR  R1, R6, #0
        LDI  R0, KBDR
        OUT
        OUT
        LD   R1, QUIT
        ADD  R1, R1, R0
        BRnp DONE
        STI  R0, FLAG
DONE    LDR  R1, R6, #0
        ADD  R6, R6, #1
        LDR  R0, R6, #0
        ADD  R6, R6, #1
        RTI
KBDR    .FILL xFE02
QUIT    .FILL #-113             ; -'q'
FLAG    .FILL x3100
        .END

        .ORIG x3000
        LEA  R0, HELLO
        PUTS
        AND  R2, R2, #0
SPIN    ADD  R2, R2, #1         ; some work
        LDI  R3, FLAGGED
        BRz  SPIN
        HALT
FLAGGED .FILL x3100
HELLO   .STRINGZ "Type; q ends.\n"
        .END
        .ORIG x3100
        .FILL 0
        .END
