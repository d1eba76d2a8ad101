"""The steps of `bvit-hw build --architecture engine` that are not those of a streaming accelerator: each a module."""
