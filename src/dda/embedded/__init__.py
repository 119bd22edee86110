"""What the project carries inside, so that the whole line runs without a download: photographs and a small VAE."""
