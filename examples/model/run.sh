#!/usr/bin/env bash
# A model: a real ONNX file with its card, published, pulled, and checked to be what it says it is.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
person

cp -r "$here/sentiment" sentiment
run python sentiment/make.py sentiment/sentiment.onnx

run gati model publish sentiment --access public
run gati model card "@$name/sentiment" --markdown
run gati model pull "@$name/sentiment" --dir models
run python -c 'import onnx, sys; onnx.checker.check_model(onnx.load(sys.argv[1]))' models/sentiment.onnx

say "Weights of another format than they are called are refused."
echo "GGUF" >sentiment/sentiment.onnx
refused gati model publish sentiment --version 1.0.1
