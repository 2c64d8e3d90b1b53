"""The LiteLLM gateway modules: their manifests, deploying them, and asking whether they serve."""
