#!/bin/sh
# Starts the pet store on 127.0.0.1:8080 (PORT chooses another port), shows one request answered, and keeps serving.
. "$(dirname "$0")/env.sh"
install ""
exec python ci/demo.py "${PORT:-8080}"
