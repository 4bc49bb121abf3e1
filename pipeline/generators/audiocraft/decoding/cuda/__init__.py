"""A step for CUDA by Triton kernels: a third as many kernels as with PyTorch's operations, each suited to few rows.

`attention` reads each row's own past, `layers` has the products and norms, `sampling` the draw, `step` puts them
together. `host` replays steps as CUDA graphs and needs no Triton.
"""
