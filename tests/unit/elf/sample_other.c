/* SPDX-License-Identifier: Apache-2.0 */
__attribute__((noinline)) static int sample_twice(int a) {
  return 2 * a;
}
int sample_other(int a) {
  return sample_twice(a);
}
