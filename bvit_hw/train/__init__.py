"""Training: recipes, the loop on one process or many, augmentation."""

from bvit_hw.train.loop import RunOptions, StepReport, TrainResult, train
from bvit_hw.train.recipe import RECIPES, Recipe, training_recipe
from bvit_hw.train.trainer import Accuracy, EpochReport, Trainer, TrainingError, accuracy

__all__ = [
    "RECIPES",
    "Accuracy",
    "EpochReport",
    "Recipe",
    "RunOptions",
    "StepReport",
    "TrainResult",
    "Trainer",
    "TrainingError",
    "accuracy",
    "train",
    "training_recipe",
]
