"""What the native kernels compute, in plain Python: slow, not constant-time, for tests only.

Written from the texts that each module names, with their names, not from any library.
"""
