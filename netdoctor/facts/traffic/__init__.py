"""What is asked with real packets, from pods and from the host."""
