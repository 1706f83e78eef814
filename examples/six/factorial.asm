; 1! .. 7!, by a function that calls itself.
        mov   b, 1
next:   mov   a, b
        call  factorial
        print c
        inc   b
        cmp   b, 7
        jle   next
        halt

factorial:              ; c = a!, a is kept
        cmp   a, 1
        jg    more
        mov   c, 1
        ret
more:   push  a
        dec   a
        call  factorial
        pop   a
        mul   c, a
        ret
