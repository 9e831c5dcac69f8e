"""Mining: from scores to the negatives that fool a model."""
