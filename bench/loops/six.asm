; A billion times round a loop of three instructions, by two counters: 31250 * 32000.
        mov  b, 31250
outer:  mov  a, 32000
inner:  sub  a, 1
        cmp  a, 0
        jne  inner
        sub  b, 1
        cmp  b, 0
        jne  outer
        halt
