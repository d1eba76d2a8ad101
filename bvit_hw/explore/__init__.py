"""Search over networks and their hardware at once, on Optuna (docs/explore.md)."""
