"""Training: recipes, the loop, augmentation."""

from bvit_hw.train.loop import EpochReport, TrainingError, TrainResult, accuracy, train
from bvit_hw.train.recipe import Recipe, training_recipe

__all__ = ["EpochReport", "Recipe", "TrainResult", "TrainingError", "accuracy", "train", "training_recipe"]
