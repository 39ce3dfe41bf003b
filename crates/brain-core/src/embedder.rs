//! What turns pictures and sentences into vectors.

use crate::{Error, Result};

/// A decoded picture: 8-bit RGB, row after row, already upright.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbImage {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub pixels: Vec<u8>,
}

/// One picture as a model wants it: resized, cropped, normalised, in the layout of the model's input.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparedImage(pub Vec<f32>);

/// What an [`Embedder`] can embed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modalities {
    /// Pictures.
    pub images: bool,
    /// Sentences, into the same space as the pictures.
    pub text: bool,
}

/// A model that maps pictures, and some also sentences, to vectors of one length.
///
/// # Contract
/// - The same input gives the same vector, whatever batch it comes in (to rounding).
/// - [`prepare`](Self::prepare) is the work of one picture and may be called from many threads at once;
///   [`embed_images`](Self::embed_images) is the work of a batch.
/// - [`fingerprint`](Self::fingerprint) changes whenever weights or preprocessing would give other vectors: it is kept with a run,
///   so that one index never mixes two models.
///
/// Calls compute on the caller's thread; a server puts them on a blocking thread.
pub trait Embedder: Send + Sync {
    /// The model's name, as a user writes it.
    fn name(&self) -> &str;

    /// How many numbers a vector has.
    fn dimension(&self) -> usize;

    /// What can be embedded.
    fn modalities(&self) -> Modalities;

    /// Names weights and preprocessing, as `name:sha256-prefix:crop=0.875` say.
    fn fingerprint(&self) -> String;

    /// What runs it on what, for people, where that is worth saying: `rten on 2 threads`.
    fn runtime(&self) -> Option<&str> {
        None
    }

    /// Whether a batch is computed on all of the machine's cores, each waiting for the others again and again: who prepares the next pictures meanwhile holds
    /// all of them up.
    fn takes_all_cores(&self) -> bool {
        false
    }

    /// Resizes, crops and normalises one picture.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a picture without pixels;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the model takes no pictures.
    fn prepare(&self, image: &RgbImage) -> Result<PreparedImage>;

    /// The vectors of prepared pictures, row after row: `batch.len() * dimension` numbers.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the model takes no pictures.
    fn embed_images(&self, batch: &[PreparedImage]) -> Result<Vec<f32>>;

    /// The vectors of sentences, row after row: `prompts.len() * dimension` numbers.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the model has no text tower: see [`no_text`].
    fn embed_text(&self, prompts: &[String]) -> Result<Vec<f32>>;
}

/// The error of a model without a text tower that was asked for a sentence.
pub fn no_text(model: &str) -> Error {
    Error::unsupported(format!("the model {model} embeds pictures only, so it cannot search by a sentence"))
        .with_operation("embed text")
        .with_hint("search by id, by vector or by image file, or index with a model that also embeds text")
}
