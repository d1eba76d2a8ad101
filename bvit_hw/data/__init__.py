"""Datasets with fixed splits, as uint8 images."""

from bvit_hw.data.datasets import DATASETS, Dataset, load_dataset, normalize

__all__ = ["DATASETS", "Dataset", "load_dataset", "normalize"]
