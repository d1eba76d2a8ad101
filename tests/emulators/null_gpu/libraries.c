// cuBLAS and NCCL for machines without a GPU, preloaded beside runtime.c.
//
// Products are counted, and not computed (arithmetic.py does that). NCCL's collectives do happen, between processes that
// share a file in $NULL_GPU_FOLDER: all-reduce, broadcast, all-gather.

#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

typedef int status;

static void *handle(void) { return calloc(1, 64); }

// ---- cuBLAS

static long products;

long null_gpu_products(void) { return products; }

#define PRODUCT(name) \
  status name(void) { \
    products++;       \
    return 0;         \
  }
PRODUCT(cublasSgemm_v2)
PRODUCT(cublasDgemm_v2)
PRODUCT(cublasGemmEx)
PRODUCT(cublasSgemmStridedBatched)
PRODUCT(cublasDgemmStridedBatched)
PRODUCT(cublasGemmStridedBatchedEx)
PRODUCT(cublasSgemv_v2)
PRODUCT(cublasLtMatmul)

#define HANDLE(name)        \
  status name(void **out) { \
    *out = handle();        \
    return 0;               \
  }
HANDLE(cublasCreate_v2)
HANDLE(cublasLtMatmulDescCreate)
HANDLE(cublasLtMatmulPreferenceCreate)
HANDLE(cublasLtMatrixLayoutCreate)

status cublasGetMathMode(void *h, int *mode) {
  *mode = 0;
  return 0;
}
status cublasGetPointerMode_v2(void *h, int *mode) {
  *mode = 0;
  return 0;
}
size_t cublasLtGetVersion(void) { return 130100; }
// One answer: an algorithm (64 bytes) of no workspace, and state 0 for success.
status cublasLtMatmulAlgoGetHeuristic(void *h, void *o, void *a, void *b, void *c, void *d, void *p, int wanted,
                                      void *results, int *found) {
  memset(results, 0, 96);
  *found = 1;
  return 0;
}

// ---- NCCL

enum { SLOT = 1 << 22, MAX_RANKS = 8 };
struct shared {
  atomic_int arrived, round;
  char slots[MAX_RANKS][SLOT];
};
struct comm {
  struct shared *shared;
  int rank, ranks;
};
typedef struct {
  char internal[128];
} unique_id;

status ncclGetVersion(int *version) {
  *version = 22907;
  return 0;
}
const char *ncclGetErrorString(int error) { return error ? "error of the null NCCL" : "no error"; }
const char *ncclGetLastError(void *c) { return ""; }
status ncclCommGetAsyncError(void *c, int *error) {
  *error = 0;
  return 0;
}
status ncclGetUniqueId(unique_id *id) {
  uint64_t number;
  memset(id, 0, sizeof *id);
  if (getrandom(&number, sizeof number, 0) != sizeof number) return 2;
  snprintf(id->internal, sizeof id->internal, "nccl-%016llx", (unsigned long long)number);
  return 0;
}
status ncclCommInitRank(struct comm **c, int ranks, unique_id id, int rank) {
  char path[512];
  const char *folder = getenv("NULL_GPU_FOLDER");
  if (ranks > MAX_RANKS) return 4;
  snprintf(path, sizeof path, "%s/%s", folder ? folder : "/tmp", id.internal);
  int file = open(path, O_RDWR | O_CREAT, 0600);
  if (file < 0 || ftruncate(file, sizeof(struct shared))) return 2;
  *c = calloc(1, sizeof **c);
  (*c)->shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  (*c)->rank = rank;
  (*c)->ranks = ranks;
  close(file);
  return (*c)->shared == MAP_FAILED ? 2 : 0;
}
status ncclCommInitRankConfig(struct comm **c, int ranks, unique_id id, int rank, void *config) {
  return ncclCommInitRank(c, ranks, id, rank);
}
status ncclCommInitRankScalable(struct comm **c, int ranks, int rank, int ids, unique_id *id, void *config) {
  return ncclCommInitRank(c, ranks, *id, rank);
}
status ncclCommUserRank(struct comm *c, int *rank) {
  *rank = c->rank;
  return 0;
}
status ncclCommCount(struct comm *c, int *ranks) {
  *ranks = c->ranks;
  return 0;
}

static void meet(struct comm *c) {
  int round = atomic_load(&c->shared->round);
  if (atomic_fetch_add(&c->shared->arrived, 1) + 1 == c->ranks) {
    atomic_store(&c->shared->arrived, 0);
    atomic_fetch_add(&c->shared->round, 1);
  } else {
    while (atomic_load(&c->shared->round) == round) sched_yield();
  }
}

// ncclDataType_t: int8, uint8, int32, uint32, int64, uint64, float16, float32, float64, bfloat16
static const int sizes[] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2};

static float widen(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
static uint16_t narrow(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// ncclRedOp_t: sum, product, max, min, average
#define COMBINE(op, a, b) ((op) == 1 ? (a) * (b) : (op) == 2 ? ((a) > (b) ? (a) : (b)) \
                           : (op) == 3 ? ((a) < (b) ? (a) : (b)) : (a) + (b))
#define REDUCE(type)                                                                \
  for (size_t i = 0; i < count; i++) {                                              \
    type total = ((type *)c->shared->slots[0])[i];                                  \
    for (int r = 1; r < c->ranks; r++) {                                            \
      type other = ((type *)c->shared->slots[r])[i];                                \
      total = COMBINE(op, total, other);                                            \
    }                                                                               \
    ((type *)out)[i] = op == 4 ? total / c->ranks : total;                          \
  }

static status reduce(struct comm *c, void *out, size_t count, int type, int op) {
  if (op > 4) return 4;
  switch (type) {
    case 0: REDUCE(int8_t) break;
    case 1: REDUCE(uint8_t) break;
    case 2: REDUCE(int32_t) break;
    case 4: REDUCE(int64_t) break;
    case 7: REDUCE(float) break;
    case 8: REDUCE(double) break;
    case 9:
      for (size_t i = 0; i < count; i++) {
        float total = widen(((uint16_t *)c->shared->slots[0])[i]);
        for (int r = 1; r < c->ranks; r++) {
          float other = widen(((uint16_t *)c->shared->slots[r])[i]);
          total = COMBINE(op, total, other);
        }
        ((uint16_t *)out)[i] = narrow(op == 4 ? total / c->ranks : total);
      }
      break;
    default: return 4;
  }
  return 0;
}

status ncclAllReduce(const void *in, void *out, size_t count, int type, int op, struct comm *c, void *stream) {
  size_t step = SLOT / sizes[type];
  status result = 0;
  for (size_t at = 0; at < count && !result; at += step) {
    size_t part = count - at < step ? count - at : step;
    memcpy(c->shared->slots[c->rank], (const char *)in + at * sizes[type], part * sizes[type]);
    meet(c);
    result = reduce(c, (char *)out + at * sizes[type], part, type, op);
    meet(c);
  }
  return result;
}
status ncclBroadcast(const void *in, void *out, size_t count, int type, int root, struct comm *c, void *stream) {
  size_t bytes = count * sizes[type];
  for (size_t at = 0; at < bytes; at += SLOT) {
    size_t part = bytes - at < SLOT ? bytes - at : SLOT;
    if (c->rank == root) memcpy(c->shared->slots[root], (const char *)in + at, part);
    meet(c);
    memcpy((char *)out + at, c->shared->slots[root], part);
    meet(c);
  }
  return 0;
}
status ncclBcast(void *at, size_t count, int type, int root, struct comm *c, void *stream) {
  return ncclBroadcast(at, at, count, type, root, c, stream);
}
status ncclAllGather(const void *in, void *out, size_t count, int type, struct comm *c, void *stream) {
  size_t bytes = count * sizes[type];
  for (size_t at = 0; at < bytes; at += SLOT) {
    size_t part = bytes - at < SLOT ? bytes - at : SLOT;
    memcpy(c->shared->slots[c->rank], (const char *)in + at, part);
    meet(c);
    for (int r = 0; r < c->ranks; r++) memcpy((char *)out + r * bytes + at, c->shared->slots[r], part);
    meet(c);
  }
  return 0;
}
