// Kernels on machines without a GPU: registered, looked up, loaded and counted when started. They do not run.

#include "card.h"

#include <dlfcn.h>
#include <string.h>

static long launches;

long null_gpu_launches(void) { return launches; }
int null_gpu_nothing(void) { return 0; }

// ---- kernels: nvcc's launch stubs, then the driver's way, which Triton takes

static __thread struct {
  dim3 grid, block;
  size_t shared;
  void *stream;
} pushed[8];
static __thread int depth;

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, void *stream) {
  pushed[depth].grid = grid;
  pushed[depth].block = block;
  pushed[depth].shared = shared;
  pushed[depth++].stream = stream;
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream) {
  depth--;
  *grid = pushed[depth].grid;
  *block = pushed[depth].block;
  *shared = pushed[depth].shared;
  *(void **)stream = pushed[depth].stream;
  return cudaSuccess;
}
void **__cudaRegisterFatBinary(void *binary) { return handle(); }
cudaError_t __cudaGetKernel(void **kernel, const void *entry) {
  *kernel = (void *)entry;
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(void *kernel, dim3 grid, dim3 block, void **args, size_t shared, void *stream) {
  launches++;
  return cudaSuccess;
}
cudaError_t cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **args, size_t shared, cudaStream_t s) {
  launches++;
  return cudaSuccess;
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *kernel, void **args) {
  launches++;
  return cudaSuccess;
}
CUresult cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                        unsigned shared, CUstream s, void **args, void **extra) {
  launches++;
  return CUDA_SUCCESS;
}
CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction f, void **args, void **extra) {
  launches++;
  return CUDA_SUCCESS;
}
cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *kernel) {
  memset(attributes, 0, sizeof *attributes);
  attributes->maxThreadsPerBlock = MAX_THREADS;
  attributes->numRegs = 32;
  attributes->ptxVersion = attributes->binaryVersion = 90;
  attributes->maxDynamicSharedSizeBytes = SHARED;
  return cudaSuccess;
}
CUresult cuFuncGetAttribute(int *value, CUfunction_attribute which, CUfunction f) {
  *value = which == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? MAX_THREADS
           : which == CU_FUNC_ATTRIBUTE_NUM_REGS            ? 32
                                                            : 0;
  return CUDA_SUCCESS;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *count, const void *kernel, int block,
                                                                   size_t shared, unsigned flags) {
  *count = THREADS_PER_SM / (block > 0 && block < MAX_THREADS ? block : MAX_THREADS);
  return cudaSuccess;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *count, CUfunction f, int block, size_t shared) {
  return (CUresult)cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(count, f, block, shared, 0);
}
CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  *module = handle();
  return CUDA_SUCCESS;
}
CUresult cuModuleLoad(CUmodule *module, const char *file) { return cuModuleLoadData(module, file); }
CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count, CUjit_option *options, void **values) {
  return cuModuleLoadData(module, image);
}
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  *function = handle();
  return CUDA_SUCCESS;
}
cudaError_t cudaLibraryLoadData(cudaLibrary_t *library, const void *code, enum cudaJitOption *jit, void **jit_values,
                                unsigned jit_count, enum cudaLibraryOption *options, void **values, unsigned count) {
  *library = handle();
  return cudaSuccess;
}
cudaError_t cudaLibraryGetKernel(cudaKernel_t *kernel, cudaLibrary_t library, const char *name) {
  *kernel = handle();
  return cudaSuccess;
}

// ---- functions asked for by name

CUresult cuGetProcAddress_v2(const char *name, void **function, int version, cuuint64_t flags,
                             CUdriverProcAddressQueryResult *result) {
  *function = dlsym(RTLD_DEFAULT, name);
  if (!*function) *function = (void *)null_gpu_nothing;
  if (result) *result = CU_GET_PROC_ADDRESS_SUCCESS;
  return CUDA_SUCCESS;
}
cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned version,
                                             unsigned long long flags, enum cudaDriverEntryPointQueryResult *result) {
  if (result) *result = cudaDriverEntryPointSuccess;
  return (cudaError_t)cuGetProcAddress_v2(name, function, (int)version, flags, NULL);
}
