"""Sources of confident negatives: one file each, each a generator of recipes with certificates."""
