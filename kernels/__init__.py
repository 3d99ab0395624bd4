"""Small fast operators on tensors.

Each has a plain meaning in `kernels.reference` and a module of its own with the public function,
which picks an implementation by the device of its input. Importing any of them needs no Triton.
"""
