"""difflm beside its peers: same rows, cores, time and metrics, in one run that can be interrupted"""
