"""Encoders, injectors and decoders, and their composition."""
