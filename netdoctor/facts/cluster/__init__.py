"""What is read of the cluster: its objects, and what they say of the DNS, kube-proxy and policies."""
