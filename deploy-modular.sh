#!/bin/sh
cd "$(dirname "$0")" && exec netdoctor deploy --kustomization k8s "$@"
