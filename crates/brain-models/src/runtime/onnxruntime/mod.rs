//! Graphs run by Microsoft's ONNX Runtime, behind the feature `onnxruntime`.
//!
//! *Why a second runtime:* it is faster on some graphs (four times on EfficientNet-Lite0, a tenth on CLIP ViT-B/32), knows every operator, and computes on graphics
//! cards. It is a shared library of C++, so it is not linked: [`library`] finds one on the machine when a model asks for it.
//!
//! A batch is run in one go on all threads. One session runs one batch at a time, as its makers' crate demands.

#[cfg(feature = "onnxruntime")]
mod device;
#[cfg(not(feature = "onnxruntime"))]
mod disabled;
#[cfg(feature = "onnxruntime")]
mod enabled;
#[cfg(feature = "onnxruntime")]
mod library;

#[cfg(not(feature = "onnxruntime"))]
pub(super) use disabled::load;
#[cfg(feature = "onnxruntime")]
pub(super) use enabled::load;
