"""A Kubernetes node (minikube's none driver) in a systemd container, made to be broken and thrown away."""
