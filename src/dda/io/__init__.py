"""The outside world, one module per outside thing."""
