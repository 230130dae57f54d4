/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TETRAGON_TEST_SDT_H
#define TETRAGON_TEST_SDT_H

/* Probes without <sys/sdt.h>: the note as https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation has it.
 * `args` is assembler text of one string, in which %% stands for a register's %, operands follow as for asm. */
#define SDT_PROBE(provider, name, semaphore, args, ...)                       \
  __asm__ __volatile__(                                                       \
      "990: nop\n"                                                            \
      ".pushsection .note.stapsdt,\"\",\"note\"\n"                            \
      ".balign 4\n"                                                           \
      ".4byte 992f-991f, 994f-993f, 3\n"                                      \
      "991: .asciz \"stapsdt\"\n"                                             \
      "992: .balign 4\n"                                                      \
      "993: .8byte 990b\n"                                                    \
      ".8byte _.stapsdt.base\n"                                               \
      ".8byte " semaphore                                                     \
      "\n"                                                                    \
      ".asciz \"" provider                                                    \
      "\"\n"                                                                  \
      ".asciz \"" name                                                        \
      "\"\n"                                                                  \
      ".asciz \"" args                                                        \
      "\"\n"                                                                  \
      "994: .balign 4\n"                                                      \
      ".popsection\n"                                                         \
      ".ifndef _.stapsdt.base\n"                                              \
      ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n" \
      ".weak _.stapsdt.base\n"                                                \
      ".hidden _.stapsdt.base\n"                                              \
      "_.stapsdt.base: .space 1\n"                                            \
      ".size _.stapsdt.base, 1\n"                                             \
      ".popsection\n"                                                         \
      ".endif\n" ::__VA_ARGS__)

#define SDT_SEMAPHORE(name) \
  __extension__ unsigned short name __attribute__((unused, section(".probes"), visibility("hidden")))

#endif
