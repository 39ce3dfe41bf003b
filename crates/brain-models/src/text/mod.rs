//! The text tower: sentences to vectors.

mod tokenizer;

use std::sync::Arc;

use brain_core::Result;

use crate::manifest::{self, Manifest, Precision};
use crate::model::wire::{self, Pooled};
use crate::runtime::{Dimension, Graph, Rows, Side, Tensor};

pub(crate) use tokenizer::{Tokenizer, Tokens};

/// A text graph with its tokenizer.
pub(crate) struct TextTower {
    graph: Arc<dyn Graph>,
    tokenizer: Tokenizer,
    ids: String,
    mask: Option<String>,
    types: Option<String>,
    output: String,
    /// How many tokens the graph takes, where it takes no other number.
    fixed: Option<usize>,
    pooled: Pooled,
    /// Sentences run one by one: 8-bit graphs scale by the largest number of a batch, and so a sentence's vector would depend on its neighbours.
    alone: bool,
}

impl TextTower {
    /// Finds the ends of a loaded graph.
    ///
    /// # Errors
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) and [`NotFound`](brain_core::ErrorKind::NotFound), with what the graph has, when it is not as
    /// the manifest says.
    pub(crate) fn new(graph: Arc<dyn Graph>, tokenizer: Tokenizer, tower: &manifest::TextTower, manifest: &Manifest) -> Result<Self> {
        let inputs = graph.inputs();
        let has = |name: &str| inputs.iter().any(|port| port.name == name);
        let or_usual = |given: &Option<String>, usual: &str| given.clone().or_else(|| has(usual).then(|| usual.to_owned()));
        let ids = match or_usual(&tower.ids, "input_ids") {
            Some(name) => Side::Input.find(inputs, &name)?,
            None => wire::only(Side::Input, inputs, "ids")?,
        };
        let (mask, types) = (or_usual(&tower.mask, "attention_mask"), or_usual(&tower.types, "token_type_ids"));
        for name in [&mask, &types].into_iter().flatten() {
            Side::Input.find(inputs, name)?;
        }
        wire::nothing_else(inputs, &[Some(&ids.name), mask.as_ref(), types.as_ref()])?;
        let output = wire::named_or_only(Side::Output, graph.outputs(), tower.output.as_deref(), "output")?;
        let pooled = Pooled::new(tower.pooling, manifest.dimension);
        pooled.check(output)?;
        let fixed = ids.dimensions.as_ref().and_then(|dimensions| match dimensions.get(1) {
            Some(Dimension::Fixed(length)) => Some(*length),
            _ => None,
        });
        let (ids, output) = (ids.name.clone(), output.name.clone());
        Ok(Self { tokenizer, ids, mask, types, output, fixed, pooled, alone: manifest.precision == Precision::Int8, graph })
    }

    /// What runs it.
    pub(crate) fn runtime(&self) -> &str {
        self.graph.runtime()
    }

    /// The vectors of sentences, row after row, as the graph gives them.
    pub(crate) fn embed(&self, sentences: &[String]) -> Result<Vec<f32>> {
        let tokens = sentences.iter().map(|sentence| self.tokenizer.encode(sentence, self.fixed)).collect::<Result<Vec<_>>>()?;
        let mut vectors = vec![0.0; sentences.len() * self.pooled.dimension];
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        // Sentences of a length make a batch: padding costs time, and some graphs count it in.
        order.sort_by_key(|&at| tokens[at].ids.len());
        for batch in order.chunk_by(|&a, &b| !self.alone && tokens[a].ids.len() == tokens[b].ids.len()) {
            let rows: Vec<&Tokens> = batch.iter().map(|&at| &tokens[at]).collect();
            for (row, &at) in self.run(&rows)?.chunks_exact(self.pooled.dimension).zip(batch) {
                vectors[at * self.pooled.dimension..][..row.len()].copy_from_slice(row);
            }
        }
        Ok(vectors)
    }

    fn run(&self, tokens: &[&Tokens]) -> Result<Vec<f32>> {
        let length = tokens.first().map_or(0, |tokens| tokens.ids.len());
        let masks: Vec<Vec<i64>> = tokens.iter().map(|tokens| (0..length).map(|at| i64::from(at < tokens.count)).collect()).collect();
        let types = vec![0; length];
        let mut inputs = vec![(self.ids.as_str(), numbers(length, tokens.iter().map(|tokens| tokens.ids.as_slice())))];
        inputs.extend(self.mask.iter().map(|name| (name.as_str(), numbers(length, masks.iter().map(Vec::as_slice)))));
        inputs.extend(self.types.iter().map(|name| (name.as_str(), numbers(length, tokens.iter().map(|_| types.as_slice())))));
        let arrays = self.graph.run(&inputs, &[&self.output])?;
        let counts: Vec<usize> = tokens.iter().map(|tokens| tokens.count).collect();
        self.pooled.apply(arrays, tokens.len(), Some(&counts))
    }
}

/// Rows of `length` numbers each.
fn numbers<'a>(length: usize, rows: impl Iterator<Item = &'a [i64]>) -> Tensor<'a> {
    Tensor { row_shape: vec![length], rows: Rows::I64(rows.collect()) }
}
