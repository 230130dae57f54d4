# SPDX-License-Identifier: Apache-2.0
# Script: writes the header and the source that embed a BPF object. The size is a constant in the header, so that a
# plugin's descriptor can be constant data.
file(SIZE "${ELF}" _size)
string(TOUPPER "${NAME}" _upper)
# clang and gcc both take the file in at assembly time: no array of numbers to compile.
file(WRITE "${CODE}" "/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from ${NAME}.bpf.c */
__asm__(
    \".section .rodata,\\\"a\\\"\\n\"
    \".balign 16\\n\"
    \".globl tetragon_bpf_${NAME}\\n\"
    \".hidden tetragon_bpf_${NAME}\\n\"
    \".type tetragon_bpf_${NAME}, STT_OBJECT\\n\"
    \".size tetragon_bpf_${NAME}, ${_size}\\n\"
    \"tetragon_bpf_${NAME}:\\n\"
    \".incbin \\\"${ELF}\\\"\\n\"
    \".text\\n\");
")
file(WRITE "${HEADER}" "/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from ${NAME}.bpf.c */
#ifndef TETRAGON_BPF_${_upper}_ELF_H
#define TETRAGON_BPF_${_upper}_ELF_H
#include <tetragon/abi.h>
#ifdef __cplusplus
extern \"C\"
#else
extern
#endif
    __attribute__((visibility(\"hidden\"))) const unsigned char tetragon_bpf_${NAME}[${_size}];
#define TETRAGON_BPF_${_upper} {tetragon_bpf_${NAME}, sizeof(tetragon_bpf_${NAME})}
#endif
")
