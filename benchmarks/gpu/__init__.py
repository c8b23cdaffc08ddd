"""The whole path on a CUDA machine in some minutes, and its rehearsal on a machine without a GPU."""
