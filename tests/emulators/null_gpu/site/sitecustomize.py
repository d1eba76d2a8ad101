"""Read by every interpreter on the null GPU: no cuDNN, which cannot do without a driver of NVIDIA's."""

import torch

torch.backends.cudnn.enabled = False
