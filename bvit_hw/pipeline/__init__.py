"""The `build` command: named, resumable steps from a checkpoint to a board project."""
