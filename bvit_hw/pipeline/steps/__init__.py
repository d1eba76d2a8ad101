"""The steps of `bvit-hw build`, one a module: each has a function that runs it and a ``STEP`` that declares it."""
