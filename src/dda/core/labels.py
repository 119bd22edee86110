"""What is real and what is not: the one place where the numbers are chosen."""

REAL, FAKE = 0, 1
SPLITS = ("train", "val", "test")
