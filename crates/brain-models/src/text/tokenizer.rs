//! From a sentence to the numbers of its tokens.

use brain_core::{Error, Result};
use tokenizers::utils::truncation::TruncationParams;

use crate::manifest::{Padding, TokenizerSpec};

/// A tokenizer as its file has it, cut to a model's context.
pub(crate) struct Tokenizer {
    inner: tokenizers::Tokenizer,
    spec: TokenizerSpec,
}

/// The tokens of one sentence, and the padding behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) ids: Vec<i64>,
    /// How many of the ids are tokens.
    pub(crate) count: usize,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`; `place` is what errors call it. Lengths and padding are the manifest's, whatever the file says of them.
    pub(crate) fn new(json: &[u8], spec: &TokenizerSpec, place: &str) -> Result<Self> {
        let unreadable = |error: tokenizers::Error| {
            Error::invalid(format!("{place} is no tokenizer: {error}"))
                .with_operation("load tokenizer")
                .with_hint("a tokenizer.json is wanted, as Hugging Face's tokenizers write it")
        };
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(unreadable)?;
        let cut = TruncationParams { max_length: spec.context, ..TruncationParams::default() };
        inner.with_truncation(Some(cut)).map_err(unreadable)?;
        inner.with_padding(None);
        Ok(Self { inner, spec: spec.clone() })
    }

    /// The tokens of a sentence. A graph that takes one length only is given that many.
    ///
    /// # Errors
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for an empty sentence.
    pub(crate) fn encode(&self, sentence: &str, fixed: Option<usize>) -> Result<Tokens> {
        if sentence.trim().is_empty() {
            return Err(Error::invalid("the prompt is empty: it says nothing to search for").with_operation("embed text"));
        }
        let lower;
        let text = if self.spec.lowercase {
            lower = sentence.to_lowercase();
            &lower
        } else {
            sentence
        };
        let encoded =
            self.inner.encode(text, true).map_err(|error| Error::invalid(format!("the prompt {sentence:?} cannot be put into tokens: {error}")))?;
        let mut ids: Vec<i64> = encoded.get_ids().iter().map(|&id| i64::from(id)).collect();
        let count = ids.len();
        let padded = match (fixed, self.spec.padding) {
            (Some(length), _) => length,
            (None, Padding::Context) => self.spec.context,
            (None, Padding::None) => count,
        };
        if padded < count {
            return Err(Error::invalid(format!("the text graph takes {padded} tokens, but its manifest says a context of {}", self.spec.context))
                .with_hint(format!("say \"context\": {padded} in the tokenizer of the manifest")));
        }
        ids.resize(padded, i64::from(self.spec.pad_id));
        Ok(Tokens { ids, count })
    }
}

#[cfg(test)]
#[path = "tokenizer_tests.rs"]
mod tests;
