; Fibonacci numbers by recursion. There is nothing but the stack: arguments, results and what waits
; meanwhile all lie on it, and how deep it is can be asked.
        PUSH 0
next:   DUP
        CALL fib
        OUT
        PUSH ' '
        EMIT
        INC
        DUP
        PUSH 15
        LT
        JNZ next
        DROP
        DEPTH           ; nothing is left over
        OUT
        HALT
fib:    DUP             ; ( n -- fib n )
        PUSH 2
        LT
        JNZ done
        DEC             ; ( n-1 )
        DUP
        DEC             ; ( n-1 n-2 )
        CALL fib
        SWAP
        CALL fib
        ADD
done:   RET
