"""The machine and the cluster as they are reached: files, programs, the kernel, firewalld, the API server."""
