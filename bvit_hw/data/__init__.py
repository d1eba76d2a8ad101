"""Datasets with fixed splits: arrays of uint8 images, image trees, and batches of them."""

from bvit_hw.data.datasets import DATASETS, Dataset, load_dataset, normalize
from bvit_hw.data.sources import ImageData, evaluation_images, open_data, parse_data

__all__ = [
    "DATASETS",
    "Dataset",
    "ImageData",
    "evaluation_images",
    "load_dataset",
    "normalize",
    "open_data",
    "parse_data",
]
