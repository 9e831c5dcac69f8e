"""Several trainings: stages with pseudo labels, folds and seeds, rounds of mining."""
