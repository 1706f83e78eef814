# RV64 on Linux: reads one message from /dev/husk/mailbox ("FROM TEXT") and passes "FROM TEXT via riscv" on to "post".
_start: li a0, -100             # openat(AT_FDCWD, path, O_RDWR)
        la a1, path
        li a2, 2
        li a7, 56
        ecall
        bltz a0, fail
        mv s0, a0
        la a1, room             # read: waits for a message
        li a2, 200
        li a7, 63
        ecall
        blez a0, fail
        la a1, room
        add a1, a1, a0
        la t0, tail
        li t1, 10
1:      lb t2, 0(t0)            # " via riscv" behind it
        sb t2, 0(a1)
        addi t0, t0, 1
        addi a1, a1, 1
        addi t1, t1, -1
        bnez t1, 1b
        la t0, to
        sub a2, a1, t0
        mv a1, t0
        mv a0, s0
        li a7, 64               # write: "post FROM TEXT via riscv"
        ecall
        bltz a0, fail
        li a0, 0
        j end
fail:   li a0, 1
end:    li a7, 93
        ecall
        .data
path:   .asciz "/dev/husk/mailbox"
tail:   .ascii " via riscv"
to:     .ascii "post "
room:   .zero 256
