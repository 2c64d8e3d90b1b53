"""What is read of the LiteLLM gateways: their manifests, configs, images, providers and database."""
