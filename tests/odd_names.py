"""A folder's name with what shells, make, Tcl, ABC, LD_PRELOAD and glob take for something else."""

ODD = "my out's (1) $x [é]"
