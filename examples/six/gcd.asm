; The greatest common divisor of 1071 and 462, by subtracting. Prints 21.
        mov   a, 1071
        mov   b, 462
loop:   cmp   a, b
        je    done
        jl    swap
        sub   a, b
        jmp   loop
swap:   sub   b, a
        jmp   loop
done:   print a
        halt
