"""The posterior, the schedules of beta, and the standardisation of latents."""
