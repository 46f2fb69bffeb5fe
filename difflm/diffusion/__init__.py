"""Diffusion over latents in the EDM form, part by part."""
