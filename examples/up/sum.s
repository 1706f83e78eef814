# riscv64, Linux: the sum of 1 .. 100,000,000, in hexadecimal
        .globl _start
_start:
        li   t0, 100000000
        li   t1, 0
1:      add  t1, t1, t0
        addi t0, t0, -1
        bnez t0, 1b
        la   t2, text+16
        li   t3, 16
2:      addi t2, t2, -1
        andi t4, t1, 15
        li   t5, 10
        addi t6, t4, 48
        blt  t4, t5, 3f
        addi t6, t4, 87
3:      sb   t6, 0(t2)
        srli t1, t1, 4
        addi t3, t3, -1
        bnez t3, 2b
        li   a0, 1
        la   a1, text
        li   a2, 17
        li   a7, 64
        ecall
        li   a0, 0
        li   a7, 93
        ecall
        .data
text:   .ascii "................\n"
