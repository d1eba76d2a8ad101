"""Hardware operators, one a file; each answers every question about itself (see base.py)."""
