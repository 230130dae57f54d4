/* SPDX-License-Identifier: Apache-2.0 */
/* The ABI must compile as C11 and have the same layout there. */
#include <tetragon/abi.h>

#include "abi_sizes.h"

const size_t abi_c_sizes[] = {ABI_SIZES};
