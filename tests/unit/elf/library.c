/* SPDX-License-Identifier: Apache-2.0 */
__attribute__((visibility("default"))) int library_old(int a) {
  return a;
}
__attribute__((visibility("default"))) int library_new(int a) {
  return a + 1;
}
__asm__(".symver library_old,library_call@SAMPLE_1");
__asm__(".symver library_new,library_call@@SAMPLE_2");
