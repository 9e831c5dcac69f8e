"""Mining of windows that another tool has embedded already: no sound is decoded."""
