//! Graphs run by ONNX Runtime.
