"""A step for CUDA by our own Triton kernels: a third of the kernels that PyTorch's pieces are, each fit for few rows.

`attention` reads each row's own past, `products` stream the weights, `norms` are what lies between them, `draws` the
sampler; `chain` lets a kernel begin before the last one has ended. `parts` puts them together.
"""
