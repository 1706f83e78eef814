; The machine's first sample: 69 + 31, stored in byte 511. It was to be printed, but HALT ends everything
; with ar as its status, 100, and the print is never reached.
        LOAD ar, 69
        LOAD br, 31
        ADD  ar, br
        STORE ar, byte 511
        HALT
        LOAD ar, 15
        SYSCALL
