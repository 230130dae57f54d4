/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TETRAGON_UPROBE_PLACES_H
#define TETRAGON_UPROBE_PLACES_H

/* Functions that the tests hook. */
#ifdef __cplusplus
extern "C" {
#endif
long place_numbers(int a, unsigned char b, long c);
long place_text(const char* text);
long place_other(int a);
int place_deep(int depth);
int place_fill(char* text);
/* Probe places:probe with a register, a constant and a place on the stack; how often it was reached while counted. */
int place_probe(long a);
#ifdef __cplusplus
}
#endif
#endif
