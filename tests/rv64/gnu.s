# SPDX-License-Identifier: MIT
# Everything that people write, as the GNU assembler takes it: tests/cli/rv64_asm.sh compares the bytes.
    .option norvc
    .option norelax
    .file "gnu.s"
    .text
    .globl _start
    .type _start, @function
_start:
    nop; mv a0, a1; not a2, a3; neg a4, a5; negw t0, t1; sext.w t2, t3
    seqz a0, a1
    snez a0, a1
    sltz a0, a1
    sgtz a0, a1
    sext.b a0, a1
    sext.h a0, a1
    zext.h a0, a1
    zext.w a0, a1
    zext.b a0, a1
    li a0, 0
    li a0, -2048
    li a0, 2047
    li a0, 0x7ff
    li a0, 0x12345678
    li a0, -1
    li a0, 'A'
    .set four, 4
    li a0, four + 2 * 3
    la a0, value
    lla a1, message
    lb a0, value
    lw a0, value
    ld s1, value
    sb a0, value, t0
    sd a0, value + 8, t1
    fld fa0, number, t0
    fsw fa1, number, t2
1:  addi a0, a0, -1
    bnez a0, 1b
    beqz a0, 1f
    bgez a0, 2f
    bltz a0, 1b
    blez a0, 2f
    bgtz a0, 2f
    bgt a0, a1, 2f
    ble a0, a1, 2f
    bgtu a0, a1, 1f
    bleu a0, a1, 1b
1:  beq a0, a1, _start
2:  bne zero, x31, 2b
    blt s0, fp, 2b
    j 1b
    jal 2b
    jal t0, 1b
    jr a0
    jr 8(a0)
    jalr a0
    jalr 16(a0)
    jalr t0, 4(a0)
    jalr zero, 0(ra)
    ret
    call _start
    call function
    tail function
    lw a0, (a1)
    lw a0, 0(a1)
    lbu a0, -1(sp)
    sd ra, 8(sp)
    sd ra, (sp)
    lui a0, %hi(value)
    addi a0, a0, %lo(value)
    lw a1, %lo(value)(a0)
    sw a1, %lo(value + 4)(a0)
3:  auipc a0, %pcrel_hi(value)
    addi a0, a0, %pcrel_lo(3b)
4:  auipc a1, %pcrel_hi(message + 1)
    lbu a1, %pcrel_lo(4b)(a1)
    lui a0, 0xfffff
    auipc a0, 1
    slli a0, a1, 63
    srai a0, a1, 4
    sllw a0, a1, a2
    mulhsu a0, a1, a2
    divuw a0, a1, a2
    lr.w a0, (a1)
    sc.w.aq a0, a1, (a2)
    amoadd.d.rl a0, a1, (a2)
    amomaxu.w.aqrl a0, a1, (a2)
    amoswap.w a0, a1, 0(a2)
    fadd.s fa0, fa1, fa2
    fadd.d fa0, fa1, fa2, rtz
    fmadd.s fa0, fa1, fa2, fa3
    fnmsub.d ft0, ft1, ft2, ft3, rup
    fsqrt.d fs0, fs1
    fcvt.w.d a0, fa0, rtz
    fcvt.lu.s a0, fa0
    fcvt.d.l fa0, a0
    fcvt.d.w fa0, a0
    fcvt.s.d fa0, fa1
    fmv.x.d a0, fa0
    fmv.w.x fa0, a0
    fmv.s fa0, fa1
    fmv.d fa0, fa1
    fneg.s fa0, fa1
    fabs.d fa0, fa1
    feq.d a0, fa0, fa1
    fgt.d a0, fa0, fa1
    fge.s a0, fa0, fa1
    fclass.d a0, fa0
    fmin.s ft8, ft9, ft10
    csrr a0, fcsr
    csrw fflags, a0
    csrs frm, a0
    csrc fflags, t0
    csrwi frm, 1
    csrsi fflags, 16
    csrci fflags, 31
    csrrw a0, fcsr, a1
    csrrsi zero, fflags, 1
    frcsr a0
    fscsr a0
    fscsr a0, a1
    frrm a0
    fsrm a0
    fsrm a0, a1
    fsrmi 2
    frflags a0
    fsflags a0
    fsflagsi 0
    rdcycle a0
    rdtime a0
    rdinstret a0
    fence
    fence rw, w
    fence.tso
    fence.i
    pause
    ecall
    ebreak
    unimp
    sh1add a0, a1, a2
    add.uw a0, a1, a2
    slli.uw a0, a1, 7
    andn a0, a1, a2
    clz a0, a1
    cpopw a0, a1
    max a0, a1, a2
    rori a0, a1, 13
    rev8 a0, a1
    orc.b a0, a1
    bexti a0, a1, 5
    bset a0, a1, a2
    .option rvc
    c.addi sp, -16
    c.sdsp ra, 8(sp)
    c.li a0, 5
    c.nop
function:
    c.jr ra
    .option norvc
    .balign 8
    .align 3
    ret
    ret
    .size function, . - function
    .section .rodata
message:
    .string "tab\there \"quoted\" \x41\101\n"
    .asciz "b", "c"
    .ascii "no end"
    .equ sixteen, four * 4
length = . - message
    .data
    .align 3
value:
    .word 1, -1, 0xffffffff, 'x'
    .dword value, message - 1, length
    .half 1, 2
    .short 65535
    .2byte 3
    .4byte sixteen
    .8byte 1 << 40
    .quad -2
    .byte 1, 2, 3, 4 ; .byte (1 + 2) * 3
    .p2align 3
number: .double 1.5, -0.1
    .float 3.25
    .zero 3
    .space 2, 0xAA
    .skip 4
    .section .bss
buffer: .zero 100
