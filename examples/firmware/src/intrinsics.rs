//! What the compiler calls by name, in as little flash as can be: copying and filling memory, and dividing numbers of 64
//! bits.
//!
//! The functions that come with the compiler are made for speed and take some 4 KB; a linker takes these in their place.
//! Copies go word by word, which on a Cortex-M3 may lie anywhere. A division is one instruction where both numbers are
//! small, and else gets one bit after the other.

use core::arch::global_asm;

// One function serves copies that may overlap and those that may not, however aligned. Where the source would be
// overwritten, bytes are moved from the end on. By the names of the ARM EABI a filling has its length before the byte.
global_asm!(
    r#"
    .section .text.memmove, "ax", %progbits
    .global memmove, memcpy
    .global __aeabi_memmove, __aeabi_memmove4, __aeabi_memmove8
    .global __aeabi_memcpy, __aeabi_memcpy4, __aeabi_memcpy8
    .type memmove, %function
    .type memcpy, %function
    .type __aeabi_memmove, %function
    .type __aeabi_memmove4, %function
    .type __aeabi_memmove8, %function
    .type __aeabi_memcpy, %function
    .type __aeabi_memcpy4, %function
    .type __aeabi_memcpy8, %function
memmove:
memcpy:
__aeabi_memmove:
__aeabi_memmove4:
__aeabi_memmove8:
__aeabi_memcpy:
__aeabi_memcpy4:
__aeabi_memcpy8:
    mov     r12, r0
    subs    r3, r0, r1
    cmp     r3, r2
    blo     4f
1:  subs    r2, #4
    ittt    hs
    ldrhs   r3, [r1], #4
    strhs   r3, [r12], #4
    bhs     1b
    adds    r2, #4
2:  subs    r2, #1
    ittt    hs
    ldrbhs  r3, [r1], #1
    strbhs  r3, [r12], #1
    bhs     2b
    bx      lr
3:  ldrb    r3, [r1, r2]
    strb    r3, [r12, r2]
4:  subs    r2, #1
    bhs     3b
    bx      lr
    .size memmove, . - memmove

    .section .text.memset, "ax", %progbits
    .global __aeabi_memclr, __aeabi_memclr4, __aeabi_memclr8
    .global __aeabi_memset, __aeabi_memset4, __aeabi_memset8
    .global memset
    .type __aeabi_memclr, %function
    .type __aeabi_memclr4, %function
    .type __aeabi_memclr8, %function
    .type __aeabi_memset, %function
    .type __aeabi_memset4, %function
    .type __aeabi_memset8, %function
    .type memset, %function
__aeabi_memclr:
__aeabi_memclr4:
__aeabi_memclr8:
    movs    r2, #0
__aeabi_memset:
__aeabi_memset4:
__aeabi_memset8:
    mov     r3, r1
    mov     r1, r2
    mov     r2, r3
memset:
    mov     r12, r0
    uxtb    r1, r1
    orr     r1, r1, r1, lsl #8
    orr     r1, r1, r1, lsl #16
1:  subs    r2, #4
    itt     hs
    strhs   r1, [r12], #4
    bhs     1b
    adds    r2, #4
2:  subs    r2, #1
    itt     hs
    strbhs  r1, [r12], #1
    bhs     2b
    bx      lr
    .size __aeabi_memclr, . - __aeabi_memclr
"#
);

// The numerator is shifted out of r0 and r1 into the remainder in r4 and r5, and the quotient grows where it was.
global_asm!(
    r#"
    .section .text.__aeabi_uldivmod, "ax", %progbits
    .global __aeabi_uldivmod
    .type __aeabi_uldivmod, %function
__aeabi_uldivmod:
    orrs    r12, r1, r3
    bne     1f
    udiv    r12, r0, r2
    mls     r2, r12, r2, r0
    mov     r0, r12
    bx      lr
1:  push    {{r4, r5, r6, lr}}
    movs    r4, #0
    movs    r5, #0
    movs    r6, #64
2:  adds    r0, r0, r0
    adcs    r1, r1
    adcs    r4, r4
    adcs    r5, r5
    bcs     3f
    subs    r12, r4, r2
    sbcs    r12, r5, r3
    blo     4f
3:  subs    r4, r4, r2
    sbc     r5, r5, r3
    adds    r0, #1
4:  subs    r6, #1
    bne     2b
    mov     r2, r4
    mov     r3, r5
    pop     {{r4, r5, r6, pc}}
    .size __aeabi_uldivmod, . - __aeabi_uldivmod
"#
);
