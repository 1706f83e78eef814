; Shows the sixteen keys as they lie on the keypad; a key that is down has a mark beside it.
        CLS
        LD  V5, 0           ; position 0 .. 15
draw:   CALL place
        LD  I, layout
        ADD I, V5
        LD  V0, [I]         ; the key at that position
        LD  F, V0
        DRW V1, V2, 5
        ADD V5, 1
        SE  V5, 16
        JP  draw

loop:   LD  V5, 0
scan:   LD  I, layout
        ADD I, V5
        LD  V0, [I]
        LD  I, state
        ADD I, V5
        LD  V3, V0
        LD  V4, 0           ; V4 = is it down?
        SKNP V3
        LD  V4, 1
        LD  V0, [I]         ; V0 = was it down when the mark was drawn?
        SNE V0, V4
        JP  same
        LD  I, state        ; [I] moved on: point at the byte again
        ADD I, V5
        LD  V0, V4
        LD  [I], V0
        CALL place
        ADD V1, 5
        LD  I, mark
        DRW V1, V2, 5
same:   ADD V5, 1
        SE  V5, 16
        JP  scan
        JP  loop

; place: (V1, V2) = where position V5 is drawn. Uses V6.
place:  LD  V6, 3
        LD  V1, V5
        AND V1, V6          ; column
        SHL V1, V1
        SHL V1, V1
        SHL V1, V1          ; * 8
        ADD V1, 16
        LD  V2, V5
        SHR V2, V2
        SHR V2, V2          ; row
        SHL V2, V2
        SHL V2, V2
        SHL V2, V2          ; * 8
        ADD V2, 1
        RET

layout: .byte 1, 2, 3, 0xC
        .byte 4, 5, 6, 0xD
        .byte 7, 8, 9, 0xE
        .byte 0xA, 0, 0xB, 0xF
state:  .fill 16
mark:   .byte %11000000, %11000000, %11000000, %11000000, %11000000
