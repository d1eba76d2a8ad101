// CUDA's runtime and driver for machines without a GPU, preloaded in their place (tests/emulators/null_gpu/__init__.py).
//
// Device memory is the host's: allocations, copies and fills happen, and PyTorch's allocator keeps its books as on a
// GPU. Streams run at once. Kernels (kernels.c) are counted and not run; arithmetic.py can do their work on the CPU.
// Functions that nothing here asks about succeed and do nothing: they are made from the symbols that PyTorch imports.

#include "card.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static __thread int device;
static long waits;

long null_gpu_waits(void) { return waits; }

static int devices(void) {
  const char *count = getenv("NULL_GPUS");
  return count ? atoi(count) : 1;
}

// ---- memory

enum { MAX_ALLOCATIONS = 65536, PAGE = 2 << 20 };
static struct {
  char *at;
  size_t size;
  int device;
} allocations[MAX_ALLOCATIONS];
static int used;
static size_t held;
static pthread_mutex_t books = PTHREAD_MUTEX_INITIALIZER;

cudaError_t cudaMalloc(void **at, size_t size) {
  size_t whole = (size + PAGE - 1) / PAGE * PAGE;
  cudaError_t result = cudaErrorMemoryAllocation;
  pthread_mutex_lock(&books);
  if (held + whole <= MEMORY && used < MAX_ALLOCATIONS) {
    void *found = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found != MAP_FAILED) {
      allocations[used].at = *at = found;
      allocations[used].size = whole;
      allocations[used++].device = device;
      held += whole;
      result = cudaSuccess;
    }
  }
  pthread_mutex_unlock(&books);
  return result;
}

cudaError_t cudaFree(void *at) {
  if (!at) return cudaSuccess;
  cudaError_t result = cudaErrorInvalidValue;
  pthread_mutex_lock(&books);
  for (int i = 0; i < used && result; i++)
    if (allocations[i].at == at) {
      munmap(at, allocations[i].size);
      held -= allocations[i].size;
      allocations[i] = allocations[--used];
      result = cudaSuccess;
    }
  pthread_mutex_unlock(&books);
  return result;
}

static int owner(const void *at) {
  int found = -1;
  pthread_mutex_lock(&books);
  for (int i = 0; i < used && found < 0; i++)
    if ((char *)at >= allocations[i].at && (char *)at < allocations[i].at + allocations[i].size)
      found = allocations[i].device;
  pthread_mutex_unlock(&books);
  return found;
}

cudaError_t cudaMallocAsync(void **at, size_t size, cudaStream_t s) { return cudaMalloc(at, size); }
cudaError_t cudaFreeAsync(void *at, cudaStream_t s) { return cudaFree(at); }
cudaError_t cudaFreeHost(void *at) {
  free(at);
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void **at, size_t size, unsigned flags) {
  return posix_memalign(at, 4096, size ? size : 1) ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
  *available = MEMORY - held;
  *total = MEMORY;
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
  memmove(to, from, size);
  waits++;
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind, cudaStream_t s) {
  memmove(to, from, size);
  return cudaSuccess;
}
cudaError_t cudaMemcpyPeerAsync(void *to, int td, const void *from, int fd, size_t size, cudaStream_t s) {
  memmove(to, from, size);
  return cudaSuccess;
}
cudaError_t cudaMemset(void *at, int value, size_t size) {
  memset(at, value, size);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void *at, int value, size_t size, cudaStream_t s) { return cudaMemset(at, value, size); }
cudaError_t cudaGetSymbolAddress(void **at, const void *symbol) { return cudaMalloc(at, 1 << 20); }

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *at) {
  int found = owner(at);
  memset(attributes, 0, sizeof *attributes);
  attributes->type = found < 0 ? cudaMemoryTypeUnregistered : cudaMemoryTypeDevice;
  attributes->device = found < 0 ? cudaInvalidDeviceId : found;
  attributes->devicePointer = found < 0 ? NULL : (void *)at;
  return cudaSuccess;
}
CUresult cuPointerGetAttribute(void *out, CUpointer_attribute which, CUdeviceptr at) {
  int found = owner((void *)at);
  if (found < 0) return CUDA_ERROR_INVALID_VALUE;
  switch (which) {
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: *(CUdeviceptr *)out = at; return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *(int *)out = found; return CUDA_SUCCESS;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
}

// ---- devices

cudaError_t cudaGetDeviceCount(int *count) {
  *count = devices();
  return cudaSuccess;
}
CUresult cuDeviceGetCount(int *count) { return (CUresult)cudaGetDeviceCount(count); }
cudaError_t cudaGetDevice(int *number) {
  *number = device;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int number) {
  if (number < 0 || number >= devices()) return cudaErrorInvalidDevice;
  device = number;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int number) {
  memset(p, 0, sizeof *p);
  snprintf(p->name, sizeof p->name, "null GPU (computes nothing)");
  p->major = 9;
  p->totalGlobalMem = MEMORY;
  p->multiProcessorCount = MULTIPROCESSORS;
  p->warpSize = 32;
  p->maxThreadsPerBlock = p->maxThreadsDim[0] = p->maxThreadsDim[1] = MAX_THREADS;
  p->maxThreadsDim[2] = 64;
  p->maxGridSize[0] = INT32_MAX;
  p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  p->maxThreadsPerMultiProcessor = THREADS_PER_SM;
  p->maxBlocksPerMultiProcessor = 32;
  p->regsPerBlock = p->regsPerMultiprocessor = REGISTERS;
  p->sharedMemPerBlock = SHARED;
  p->sharedMemPerBlockOptin = SHARED_OPT_IN;
  p->sharedMemPerMultiprocessor = SHARED_PER_SM;
  p->l2CacheSize = L2;
  p->textureAlignment = 512;
  p->unifiedAddressing = p->concurrentKernels = 1;
  p->pciBusID = number + 1;
  return cudaSuccess;
}
// cudaDeviceAttr and CUdevice_attribute share their numbers.
cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr which, int number) {
  switch (which) {
    case cudaDevAttrComputeCapabilityMajor: *value = 9; break;
    case cudaDevAttrMultiProcessorCount: *value = MULTIPROCESSORS; break;
    case cudaDevAttrWarpSize: *value = 32; break;
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY: *value = MAX_THREADS; break;
    case cudaDevAttrMaxBlockDimZ: *value = 64; break;
    case cudaDevAttrMaxGridDimX: *value = INT32_MAX; break;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ: *value = 65535; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = THREADS_PER_SM; break;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor: *value = REGISTERS; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = SHARED; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = SHARED_OPT_IN; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = SHARED_PER_SM; break;
    case cudaDevAttrL2CacheSize: *value = L2; break;
    case cudaDevAttrClockRate: *value = 1980000; break;
    case cudaDevAttrMemoryClockRate: *value = 2619000; break;
    case cudaDevAttrGlobalMemoryBusWidth: *value = 5120; break;
    case cudaDevAttrUnifiedAddressing: *value = 1; break;
    default: *value = 0;
  }
  return cudaSuccess;
}
CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute which, CUdevice number) {
  return (CUresult)cudaDeviceGetAttribute(value, (enum cudaDeviceAttr)which, number);
}
CUresult cuDeviceGet(CUdevice *out, int number) {
  *out = number;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char *name, int size, CUdevice number) {
  snprintf(name, size, "null GPU");
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxGetState(CUdevice number, unsigned *flags, int *active) {
  *flags = 0;
  *active = 1;
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice number) {
  *context = (CUcontext)(uintptr_t)(0x1000 + number);
  return CUDA_SUCCESS;
}
CUresult cuCtxGetCurrent(CUcontext *context) { return cuDevicePrimaryCtxRetain(context, device); }
CUresult cuCtxGetDevice(CUdevice *number) { return cuDeviceGet(number, device); }
cudaError_t cudaDriverGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) { return cudaDriverGetVersion(version); }
CUresult cuDriverGetVersion(int *version) { return (CUresult)cudaDriverGetVersion(version); }
cudaError_t cudaDeviceCanAccessPeer(int *can, int a, int b) {
  *can = 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char *text, int size, int number) {
  snprintf(text, size, "0000:%02x:00.0", number + 1);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
  *least = *greatest = 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int number) {
  *pool = handle();
  return cudaSuccess;
}
const char *cudaGetErrorString(cudaError_t error) { return error ? "error of the null GPU" : "no error"; }
const char *cudaGetErrorName(cudaError_t error) { return error ? "nullGpuError" : "cudaSuccess"; }
CUresult cuGetErrorString(CUresult error, const char **text) {
  *text = cudaGetErrorString((cudaError_t)error);
  return CUDA_SUCCESS;
}

// ---- streams and events

cudaError_t cudaDeviceSynchronize(void) {
  waits++;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t s) { return cudaDeviceSynchronize(); }
cudaError_t cudaEventSynchronize(cudaEvent_t event) { return cudaDeviceSynchronize(); }
cudaError_t cudaStreamCreate(cudaStream_t *s) {
  *s = handle();
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t *s, unsigned flags, int priority) { return cudaStreamCreate(s); }
cudaError_t cudaStreamGetPriority(cudaStream_t s, int *priority) {
  *priority = 0;
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t s, enum cudaStreamCaptureStatus *status) {
  *status = cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
cudaError_t cudaStreamGetCaptureInfo(cudaStream_t s, enum cudaStreamCaptureStatus *status, unsigned long long *id,
                                     cudaGraph_t *graph, const cudaGraphNode_t **nodes,
                                     const cudaGraphEdgeData **edges, size_t *count) {
  return cudaStreamIsCapturing(s, status);
}
// Nothing is recorded here: whoever wants to record is told so, and has to go on without.
cudaError_t cudaStreamBeginCapture(cudaStream_t s, enum cudaStreamCaptureMode mode) { return cudaErrorNotSupported; }
cudaError_t cudaStreamBeginCaptureToGraph(cudaStream_t s, cudaGraph_t graph, const cudaGraphNode_t *nodes,
                                          const cudaGraphEdgeData *edges, size_t count,
                                          enum cudaStreamCaptureMode mode) {
  return cudaErrorNotSupported;
}
cudaError_t cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *mode) {
  *mode = cudaStreamCaptureModeGlobal;
  return cudaSuccess;
}
cudaError_t cudaLaunchHostFunc(cudaStream_t s, cudaHostFn_t function, void *data) {
  function(data);
  return cudaSuccess;
}
cudaError_t cudaStreamAddCallback(cudaStream_t s, cudaStreamCallback_t function, void *data, unsigned flags) {
  function(s, cudaSuccess, data);
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
  *event = handle();
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t s) {
  clock_gettime(CLOCK_MONOTONIC, (struct timespec *)event);
  return cudaSuccess;
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t s, unsigned flags) {
  return cudaEventRecord(event, s);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  free(event);
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to) {
  const struct timespec *a = (void *)from, *b = (void *)to;
  *milliseconds = (b->tv_sec - a->tv_sec) * 1e3f + (b->tv_nsec - a->tv_nsec) * 1e-6f;
  return cudaSuccess;
}
