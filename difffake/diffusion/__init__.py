"""The frozen latent diffusion model: loading, sampling, caches, and a small one to train."""
