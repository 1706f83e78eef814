; A maze of random diagonals, 16 x 8 cells of 4 x 4 pixels.
        CLS
        LD  V0, 0           ; x
        LD  V1, 0           ; y
cell:   LD  I, down
        RND V2, 1
        SE  V2, 1
        LD  I, up
        DRW V0, V1, 4
        ADD V0, 4
        SE  V0, 64
        JP  cell
        LD  V0, 0
        ADD V1, 4
        SE  V1, 32
        JP  cell
end:    JP  end

down:   .byte %10000000, %01000000, %00100000, %00010000
up:     .byte %00100000, %01000000, %10000000, %00010000
