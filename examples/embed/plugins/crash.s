# Writes where nothing is, when it is asked the second time.
        .globl _start
_start: li   a7, 0x48001000
        ecall
on_event:
        la   t0, count
        lw   t1, 0(t0)
        addi t1, t1, 1
        sw   t1, 0(t0)
        li   t2, 2
        blt  t1, t2, good
        sd   zero, 16(zero)
good:   mv   a0, t1
        ret
        .data
count:  .word 0
