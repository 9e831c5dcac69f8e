"""What a step trains on: rows, crops, folds, augmentation, hard negatives."""
