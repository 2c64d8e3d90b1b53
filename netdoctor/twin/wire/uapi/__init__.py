"""The numbers of the kernel's headers, by the kernel's names: a class and its member are one name of a header.

`IFLA.MTU` is IFLA_MTU. Only what netdoctor uses is here; each class says which header it is from.
"""
