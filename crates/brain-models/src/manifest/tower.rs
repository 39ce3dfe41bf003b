//! The towers of a model: which graph, what goes in, what comes out.

use serde::{Deserialize, Serialize};

/// What embeds pictures.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ImageTower {
    /// The ONNX file, in the model's folder.
    pub file: String,
    /// The graph's input; may be left out where it has one only.
    #[serde(default)]
    pub input: Option<String>,
    /// The graph's output; may be left out where it has one only.
    #[serde(default)]
    pub output: Option<String>,
    /// Pixels a side of the square it looks at.
    #[serde(default = "size")]
    pub size: u32,
    /// How the picture is brought to that size.
    #[serde(default)]
    pub resize: Resize,
    /// How much of the resized side is kept, from the middle: above 0, at most 1.
    #[serde(default = "one")]
    pub crop: f64,
    /// The filter of the resize.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// The largest value of a channel, on whose scale `mean` and `std` are: 1 or 255.
    #[serde(default = "one")]
    pub range: f64,
    /// Subtracted from each channel: red, green, blue.
    #[serde(default)]
    pub mean: [f64; 3],
    /// Divides each channel after that.
    #[serde(default = "ones")]
    pub std: [f64; 3],
    /// The order of the input's axes.
    #[serde(default)]
    pub layout: Layout,
    /// How the output becomes one vector.
    #[serde(default)]
    pub pooling: Pooling,
    /// The output are scores of classes, and the vector is the mean over what the text tower makes of the most probable ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
}

/// How a picture of any shape becomes a square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// The short side is brought to the size; what sticks out at the long side is cut off.
    #[default]
    ShortSide,
    /// Both sides are brought to the size, whatever the shape was.
    Squash,
}

/// The filter of a resize, as Pillow has it under this name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Reaches two pixels.
    #[default]
    Bicubic,
    /// Reaches one pixel.
    Bilinear,
    /// Reaches three pixels.
    Lanczos,
}

/// The order of the axes of a picture in a graph's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[batch, channel, row, column]`, as PyTorch exports.
    #[default]
    Nchw,
    /// `[batch, row, column, channel]`, as TensorFlow exports.
    Nhwc,
}

/// How a graph's output becomes one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// It is one: `[batch, dimension]`, perhaps with axes of length 1 behind.
    #[default]
    None,
    /// The first of the rows `[batch, rows, dimension]`.
    Cls,
    /// The mean over the rows; of a text, over those that the mask keeps.
    Mean,
}

/// A classifier's vocabulary, through which its pictures are put among sentences (ConSE, Norouzi et al. 2014).
///
/// The vector of a picture is the sum over the `top` most probable classes of their probability times the text tower's vector of
/// the class's sentence, scaled to length 1.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// A file of tab-separated columns `id`, `lemmas`, `definition`, one line a class in the order of the scores.
    pub file: String,
    /// The sentence of a class, with `{lemmas}` and `{definition}` in place of its columns.
    pub sentence: String,
    /// How many classes count.
    pub top: usize,
}

/// What embeds sentences.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TextTower {
    /// The ONNX file, in the model's folder.
    pub file: String,
    /// The input of token ids; by default `input_ids`, or the only one.
    #[serde(default)]
    pub ids: Option<String>,
    /// The input that is 1 for tokens and 0 for padding; by default `attention_mask`, where the graph has it.
    #[serde(default)]
    pub mask: Option<String>,
    /// The input of token types, all 0; by default `token_type_ids`, where the graph has it.
    #[serde(default)]
    pub types: Option<String>,
    /// The graph's output; may be left out where it has one only.
    #[serde(default)]
    pub output: Option<String>,
    /// How the output becomes one vector.
    #[serde(default)]
    pub pooling: Pooling,
    /// What turns a sentence into tokens.
    pub tokenizer: TokenizerSpec,
}

/// A tokenizer, and how much it may make.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerSpec {
    /// A `tokenizer.json` as Hugging Face writes it (byte pairs, WordPiece or SentencePiece's unigrams), in the model's folder.
    pub file: String,
    /// The most tokens of a sentence, the special ones included; what is longer is cut.
    pub context: usize,
    /// Whether shorter sentences are filled up.
    #[serde(default)]
    pub padding: Padding,
    /// The token that fills up.
    #[serde(default)]
    pub pad_id: u32,
    /// Whether sentences are put into lower case first, beyond what the tokenizer does itself.
    #[serde(default)]
    pub lowercase: bool,
}

/// Whether sentences are filled up to a length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// Only where the graph takes no other length.
    #[default]
    None,
    /// To the whole context: for models that were trained so.
    Context,
}

fn size() -> u32 {
    224
}

fn one() -> f64 {
    1.0
}

fn ones() -> [f64; 3] {
    [1.0; 3]
}
