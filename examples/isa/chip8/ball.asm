; A ball that bounces off the four walls for ever, with a short beep at each bounce.
        CLS
        LD  V0, 5           ; x
        LD  V1, 3           ; y
        LD  V2, 1           ; step in x: 1 or 255 (-1)
        LD  V3, 1           ; step in y
        LD  I, ball
        DRW V0, V1, 4
frame:  LD  V4, V0          ; where it was
        LD  V5, V1
        ADD V0, V2
        ADD V1, V3
        SNE V0, 60          ; right edge: 64 - 4
        CALL flipx
        SNE V0, 0
        CALL flipx
        SNE V1, 28          ; bottom: 32 - 4
        CALL flipy
        SNE V1, 0
        CALL flipy
        DRW V4, V5, 4       ; exclusive or: drawing it again takes it away
        DRW V0, V1, 4
        JP  frame

flipx:  LD  V6, 0
        SUB V6, V2
        LD  V2, V6
        JP  beep
flipy:  LD  V6, 0
        SUB V6, V3
        LD  V3, V6
beep:   LD  V6, 2
        LD  ST, V6
        RET

ball:   .byte %01100000
        .byte %11110000
        .byte %11110000
        .byte %01100000
