"""What people use on their own images."""
