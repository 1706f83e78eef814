# Tries to read a file of the host: openat gives -ENOENT, since there is no file here at all.
        .globl _start
_start: li   a7, 0x48001000
        ecall
on_event:
        li   a0, -100
        la   a1, path
        li   a2, 0
        li   a7, 56
        ecall
        ret
path:   .asciz "/etc/passwd"
