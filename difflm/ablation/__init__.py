"""Ablations: what each default is worth, one change at a time over several seeds, on the rows of a user's choice"""
