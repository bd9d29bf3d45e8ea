// Static probe points as SystemTap, gdb and perf read them: one nop each, and a note that is never
// loaded with the place and where its arguments are. Source: systemtap wiki, "UserSpaceProbe
// Implementation". The compiler spells the operands as the machine's assembler has them.
#pragma once

#define PRELUDE_PROBE_TEXT_OF(value) PRELUDE_PROBE_TEXT(value)
#define PRELUDE_PROBE_TEXT(value) #value
/// Bytes of a word of the machine, as text.
#define PRELUDE_PROBE_WORD PRELUDE_PROBE_TEXT_OF(__SIZEOF_POINTER__)

#define PRELUDE_PROBE_NOTE(name, arguments)                                   \
  "990: nop\n"                                                                \
  ".pushsection .note.stapsdt, \"?\", \"note\"\n"                             \
  ".balign 4\n"                                                               \
  ".4byte 992f-991f, 994f-993f, 3\n"                                          \
  "991: .asciz \"stapsdt\"\n"                                                 \
  "992: .balign 4\n"                                                          \
  "993: ." PRELUDE_PROBE_WORD                                                 \
  "byte 990b, _.stapsdt.base, 0\n"                                            \
  ".asciz \"rtld\"\n"                                                         \
  ".asciz \"" #name                                                           \
  "\"\n"                                                                      \
  ".asciz \"" arguments                                                       \
  "\"\n"                                                                      \
  "994: .balign 4\n"                                                          \
  ".popsection\n"                                                             \
  ".ifndef _.stapsdt.base\n"                                                  \
  ".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n" \
  ".weak _.stapsdt.base\n"                                                    \
  ".hidden _.stapsdt.base\n"                                                  \
  "_.stapsdt.base: .space 1\n"                                                \
  ".size _.stapsdt.base, 1\n"                                                 \
  ".popsection\n"                                                             \
  ".endif\n"

#define PRELUDE_PROBE_NUMBER "-" PRELUDE_PROBE_WORD "@%0 "
#define PRELUDE_PROBE_WORD1 PRELUDE_PROBE_WORD "@%1"
#define PRELUDE_PROBE_WORD2 " " PRELUDE_PROBE_WORD "@%2"

/// A probe with a signed number and one or two words as arguments.
#define PRELUDE_PROBE2(name, number, word)                                        \
  asm volatile(PRELUDE_PROBE_NOTE(name, PRELUDE_PROBE_NUMBER PRELUDE_PROBE_WORD1) \
               :                                                                  \
               : "nor"(static_cast<long>(number)), "nor"(word))
#define PRELUDE_PROBE3(name, number, word, other)                                            \
  asm volatile(                                                                              \
      PRELUDE_PROBE_NOTE(name, PRELUDE_PROBE_NUMBER PRELUDE_PROBE_WORD1 PRELUDE_PROBE_WORD2) \
      :                                                                                      \
      : "nor"(static_cast<long>(number)), "nor"(word), "nor"(other))
