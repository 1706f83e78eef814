; x30 .. x46: services of the hypervisor that the machine runs in. R0, R1, R2 go to its registers, the number of the
; trap asks, and R0 (x31, x3C, x43, x46: and R1) is the answer.
; Whoever includes this returns to the program behind it: RTI, or RET.
T_SEND  ST   R3, HOSTR3
        LD   R3, N_SEND
        BR   ASK
N_SEND  .FILL x30
T_RECV  ST   R3, HOSTR3
        LD   R3, N_RECV
        BR   ASK
N_RECV  .FILL x31
T_POLL  ST   R3, HOSTR3
        LD   R3, N_POLL
        BR   ASK
N_POLL  .FILL x32
T_FIND  ST   R3, HOSTR3
        LD   R3, N_FIND
        BR   ASK
N_FIND  .FILL x33
T_SELF  ST   R3, HOSTR3
        LD   R3, N_SELF
        BR   ASK
N_SELF  .FILL x34
T_SPAWN ST   R3, HOSTR3
        LD   R3, N_SPAWN
        BR   ASK
N_SPAWN .FILL x35
T_JOIN  ST   R3, HOSTR3
        LD   R3, N_JOIN
        BR   ASK
N_JOIN  .FILL x36
T_KVGET ST   R3, HOSTR3
        LD   R3, N_KVGET
        BR   ASK
N_KVGET .FILL x37
T_KVSET ST   R3, HOSTR3
        LD   R3, N_KVSET
        BR   ASK
N_KVSET .FILL x38
T_KVDEL ST   R3, HOSTR3
        LD   R3, N_KVDEL
        BR   ASK
N_KVDEL .FILL x39
T_KVNXT ST   R3, HOSTR3
        LD   R3, N_KVNXT
        BR   ASK
N_KVNXT .FILL x3A
T_KILL  ST   R3, HOSTR3
        LD   R3, N_KILL
        BR   ASK
N_KILL  .FILL x3B
T_TIME  ST   R3, HOSTR3
        LD   R3, N_TIME
        BR   ASK
N_TIME  .FILL x3C
T_SLEEP ST   R3, HOSTR3
        LD   R3, N_SLEEP
        BR   ASK
N_SLEEP .FILL x3D
T_RAND  ST   R3, HOSTR3
        LD   R3, N_RAND
        BR   ASK
N_RAND  .FILL x3E
T_FOPEN ST   R3, HOSTR3
        LD   R3, N_FOPEN
        BR   ASK
N_FOPEN .FILL x3F
T_FREAD ST   R3, HOSTR3
        LD   R3, N_FREAD
        BR   ASK
N_FREAD .FILL x40
T_FWRIT ST   R3, HOSTR3
        LD   R3, N_FWRIT
        BR   ASK
N_FWRIT .FILL x41
T_FSEEK ST   R3, HOSTR3
        LD   R3, N_FSEEK
        BR   ASK
N_FSEEK .FILL x42
T_FSIZE ST   R3, HOSTR3
        LD   R3, N_FSIZE
        BR   ASK
N_FSIZE .FILL x43
T_FCLOS ST   R3, HOSTR3
        LD   R3, N_FCLOS
        BR   ASK
N_FCLOS .FILL x44
T_FREMV ST   R3, HOSTR3
        LD   R3, N_FREMV
        BR   ASK
N_FREMV .FILL x45
T_FNEXT ST   R3, HOSTR3
        LD   R3, N_FNEXT
        BR   ASK
N_FNEXT .FILL x46
HOST    .FILL xFE20
HOSTA   .FILL xFE21
HOSTB   .FILL xFE22
HOSTC   .FILL xFE23
NOTRECV .FILL xFFCF             ; -x31
HOSTR0  .BLKW 1
HOSTR3  .BLKW 1
ASK     STI  R0, HOSTA
        STI  R1, HOSTB
        STI  R2, HOSTC
        STI  R3, HOST
        LDI  R0, HOSTA
        ST   R0, HOSTR0
        LD   R0, NOTRECV
        ADD  R0, R0, R3
        BRz  SECOND
        ADD  R0, R0, #-11       ; x3C
        BRz  SECOND
        ADD  R0, R0, #-7        ; x43
        BRz  SECOND
        ADD  R0, R0, #-3        ; x46
        BRnp ASKED
SECOND  LDI  R1, HOSTB
ASKED   LD   R3, HOSTR3
        LD   R0, HOSTR0
