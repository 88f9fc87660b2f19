"""The vocabulary of ALS as pure functions: scores, events and units."""
