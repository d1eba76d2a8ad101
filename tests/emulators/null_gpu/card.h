// What runtime.c and kernels.c share: the card's sizes, which decide launch shapes and what fits; an H100's.
#pragma once

#define _GNU_SOURCE
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <stdint.h>
#include <stdlib.h>

enum { MULTIPROCESSORS = 132, MAX_THREADS = 1024, THREADS_PER_SM = 2048, REGISTERS = 65536 };
enum { SHARED = 49152, SHARED_OPT_IN = 232448, SHARED_PER_SM = 233472, L2 = 50 << 20 };
#define MEMORY ((size_t)80 << 30)

static inline void *handle(void) { return calloc(1, 64); }
