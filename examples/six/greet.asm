; Asks for a name, greets it. Strings end with a word of 0.
        mov   a, question
        call  write
        mov   b, name       ; read a line into memory
read:   getc  c
        cmp   c, 10
        je    end
        store [b], c
        inc   b
        jmp   read
end:    mov   c, 0
        store [b], c
        mov   a, hello
        call  write
        mov   a, name
        call  write
        mov   c, 10
        putc  c
        halt

write:  load  c, [a]        ; prints the string at a
        cmp   c, 0
        je    done
        putc  c
        inc   a
        jmp   write
done:   ret

question: .string "Who are you? "
hello:    .string "Hello, "
name:     .word 0
